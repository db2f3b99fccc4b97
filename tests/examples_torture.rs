//! Goal: whichever call to the net fails, and however, the example programs go on: nothing panics,
//! no listener is lost, nothing leaks, and all in bounded time; a program that cannot do its work
//! says why. And a pass in slices is the whole one.
//! Method: whole programs on stations of a simulated world, through a net in which the k-th call of
//! a kind fails, for every k that is reached, with TLS and without; `sim_cluster` by a host that
//! ticks; and `replay` with what was recorded of such runs.
#![expect(
    clippy::duplicate_mod,
    reason = "each example has its own copy of what they share"
)]

#[path = "../examples/tour/cast.rs"]
#[expect(dead_code, reason = "the example uses the rest")]
mod cast;
#[path = "../examples/channel_client.rs"]
#[expect(dead_code, reason = "its main is of no use here")]
mod channel_client;
#[path = "../examples/channel_server.rs"]
#[expect(dead_code, reason = "its main is of no use here")]
mod channel_server;
#[path = "examples_torture/channels.rs"]
mod channels;
#[path = "../examples/communicator.rs"]
#[expect(dead_code, reason = "its main is of no use here")]
mod communicator;
#[cfg(target_os = "linux")]
#[path = "../examples/control_loop.rs"]
#[expect(dead_code, reason = "its main is of no use here")]
mod control_loop;
#[path = "../examples/crew.rs"]
#[expect(dead_code, reason = "its main is of no use here")]
mod crew;
#[path = "../examples/echo_client.rs"]
#[expect(dead_code, reason = "its main is of no use here")]
mod echo_client;
#[path = "support/failing.rs"]
mod failing;
#[cfg(target_os = "linux")]
#[path = "../examples/foreign_loop.rs"]
#[expect(dead_code, reason = "its main is of no use here")]
mod foreign_loop;
#[path = "../examples/game_loop.rs"]
#[expect(dead_code, reason = "its main is of no use here")]
mod game_loop;
#[path = "../examples/http_get.rs"]
#[expect(dead_code, reason = "its main is of no use here")]
mod http_get;
#[path = "../examples/http_server.rs"]
#[expect(dead_code, reason = "its main is of no use here")]
mod http_server;
#[path = "examples_torture/loops.rs"]
mod loops;
#[path = "examples_torture/programs.rs"]
mod programs;
#[path = "../examples/raw_http.rs"]
#[expect(dead_code, reason = "its main is of no use here")]
mod raw_http;
#[path = "../examples/replay.rs"]
#[expect(dead_code, reason = "its main is of no use here")]
mod replay;
#[path = "examples_torture/replays.rs"]
mod replays;
#[path = "../examples/sim_cluster/mod.rs"]
#[expect(dead_code, reason = "the example uses the rest")]
mod sim_cluster;
#[path = "support/whole.rs"]
mod whole;

use std::time::Duration;

use cast::{App, Pace, Pinger};
use failing::{CALLS, Call, Plan, Program};
use hio::doers::EchoServerDoer;
use hio::doing::{Budget, Doist, Step};
use hio::link::{Limits, Server};
use hio::net::{Endpoint, ListenOptions, NetError};
use hio::sim::{NodeId, Sim, Station, tls};
use sim_cluster::caller::{Told, caller};
use sim_cluster::disk::Disk;
use sim_cluster::member::{Setup, member};

const PORT: u16 = 7000;

fn server(node: NodeId, secure: bool) -> Program<()> {
    Program::new(node, move || {
        let at = Endpoint::host("0.0.0.0", PORT);
        let mut server = Server::new(at, ListenOptions::default(), Limits::default());
        if secure {
            server.set_tls(Some(tls::server().build().expect("certificates")));
        }
        let mut doist = Doist::new(());
        doist.named("echo").add(EchoServerDoer::new(server));
        doist
    })
}

fn pinger(node: NodeId, secure: bool) -> Program<App> {
    Program::new(node, move || {
        let mut doist = Doist::new(App::default());
        let (to, pace) = (
            Endpoint::host("10.0.0.1", PORT),
            Pace::Every(Duration::from_millis(50)),
        );
        let mut pinger = Pinger::new(&mut doist.app, "pinger", &to, pace);
        if secure {
            let tls = tls::client().name("server.sim").build();
            pinger = pinger.with_tls(&mut doist.app, tls.expect("certificates"));
        }
        doist.named("pinger").add(pinger);
        doist
    })
}

fn echoes(client: &Program<App>) -> u64 {
    let links = client.doist.iter().flat_map(|doist| &doist.app.links);
    links.map(|link| link.messages).sum()
}

/// A client is echoed to; after the failure it is again, and so is one that comes only then.
/// Says whether the call was reached.
fn story(secure: bool, kind: Call, why: NetError, nth: usize) -> bool {
    let plan = Plan::new(kind, why, nth);
    let mut sim = Sim::new(1);
    let nodes = ["s", "c", "d"].map(|name| sim.station(name));
    let (mut serves, mut calls) = (server(nodes[0], secure), pinger(nodes[1], secure));
    let (mut late, mut before, mut is_late) = (pinger(nodes[2], secure), 0, false);
    for _ in 0..20_000 {
        serves.turn(&mut sim, &plan);
        calls.turn(&mut sim, &plan);
        if is_late {
            late.turn(&mut sim, &plan);
        }
        if !is_late && (plan.failed.get() || echoes(&calls) >= 3) {
            // A client that failed begins to count anew.
            before = calls.doist.as_ref().map_or(0, |_| echoes(&calls));
            is_late = true;
        }
        if is_late && echoes(&calls) >= before + 2 && echoes(&late) >= 2 {
            serves.end(&mut sim, &plan);
            calls.end(&mut sim, &plan);
            late.end(&mut sim, &plan);
            return plan.failed.get();
        }
        let mut next = serves.due.min(calls.due).min(sim.next());
        if is_late {
            next = next.min(late.due);
        }
        let next = next.max(sim.tyme() + Duration::from_micros(1));
        sim.run_until(next).expect("nothing goes wrong");
    }
    panic!("{kind:?} {nth} {why:?}, TLS {secure}: no echoes any more");
}

#[test]
fn a2_whichever_call_fails_everybody_is_echoed_to_again() {
    let mut reached = 0;
    for secure in [false, true] {
        for (kind, whys) in CALLS {
            for why in whys {
                let all = (0..).take_while(|nth| story(secure, kind, *why, *nth));
                let failed = all.count();
                reached += failed;
                println!("TLS {secure}, {kind:?} {why:?}: {failed}");
            }
        }
    }
    assert!(reached > 60, "{reached}");
}

/// All that a caller of three members did in 20 s, and the hash of what happened, when their passes
/// are made in slices of so many doers.
fn in_slices(doers: usize) -> (Vec<Told>, String, u64) {
    let mut sim = Sim::new(3);
    let nodes: Vec<NodeId> = ["a", "b", "c", "x"].map(|name| sim.station(name)).to_vec();
    let at = |n: u8| Endpoint::host(&format!("10.0.0.{}", n + 1), PORT);
    let members: Vec<Endpoint> = (0..3).map(at).collect();
    let setup = |me| Setup {
        me,
        members: members.clone(),
        disk: Disk::default(),
        plant: None,
        tls: None,
    };
    let mut replicas: Vec<_> = (0..3)
        .map(|me| member(setup(me)).with_seed(me.into()))
        .collect();
    let mut one = caller(9, &members, None);
    let (mut told, mut cuts) = (Vec::new(), 0);
    for tick in 0..2000 {
        for (doist, node) in replicas.iter_mut().zip(&nodes) {
            cuts += take_tick(doist, &mut sim, *node, doers, tick == 0);
        }
        cuts += take_tick(&mut one, &mut sim, nodes[3], doers, tick == 0);
        told.append(&mut one.app.told);
        sim.run_for(Duration::from_millis(10))
            .expect("nothing goes wrong");
    }
    (told, sim.trace_hash().to_string(), cuts)
}

/// A tick of a host; says how often its pass was cut.
fn take_tick<A>(
    doist: &mut Doist<A>,
    sim: &mut Sim,
    node: NodeId,
    doers: usize,
    first: bool,
) -> u64 {
    let mut net = Station::new(sim, node);
    if first {
        doist.enter(&mut net).expect("they enter");
    }
    let mut cuts = 0;
    loop {
        match doist.recur_within(&mut net, Budget::doers(doers)) {
            Ok(Step::Cut) => cuts += 1,
            Ok(Step::More) => return cuts,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn slices_of_a_pass_are_the_whole() {
    let (told, hash, cuts) = in_slices(usize::MAX);
    assert_eq!(cuts, 0);
    assert!(told.len() > 50, "{}", told.len());
    for doers in [1, 2, 3] {
        let sliced = in_slices(doers);
        assert_eq!((&told, &hash), (&sliced.0, &sliced.1), "{doers}");
        assert!(sliced.2 > 1000, "{doers}: {}", sliced.2);
    }
}
