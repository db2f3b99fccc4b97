//! Goal: every fault does what its line says, and what it breaks is whole again when mended.
//! Method: two nodes operated by hand, and small programs for those that concern programs.

mod sim_support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use hio::doing::prelude::*;
use hio::net::{ConnectOptions, ListenOptions, Net, NetError, Owner, Shutdown, Sid};
use hio::sim::{
    Boot, Family, FaultPlan, NodeId, NodeState, OnFailure, Sim, SimError, Station, Swarm,
};
use sim_support::{MS, SEC, World};

fn world() -> World {
    World::new(Sim::new(1))
}

#[test]
fn a_partition_delays_until_it_heals() {
    for (breaks, mends) in [
        ("partition a | b", "heal"),
        ("partition a -> b", "heal a b"),
        ("isolate b", "heal"),
        ("clog a b", "heal a b"),
        ("hold a -> b", "release a -> b"),
    ] {
        let mut w = world();
        let (a, b) = (w.a, w.b);
        let (client, server) = w.pair();
        w.fault(breaks);
        w.write(a, client, b"one ");
        w.write(a, client, b"two");
        w.pass(10 * SEC);
        assert_eq!(w.read(b, server), b"", "{breaks}");
        w.fault(mends);
        w.pass(20 * SEC);
        assert_eq!(w.read(b, server), b"one two", "{breaks}");
        w.write(b, server, b"back");
        w.pass(SEC);
        assert_eq!(w.read(a, client), b"back", "{breaks}");
    }
}

#[test]
fn one_way_is_one_way() {
    let mut w = world();
    let (a, b) = (w.a, w.b);
    let (client, server) = w.pair();
    w.fault("partition a -> b");
    w.write(b, server, b"heard");
    w.write(a, client, b"not heard");
    w.pass(SEC);
    assert_eq!(w.read(a, client), b"heard");
    assert_eq!(w.read(b, server), b"");
    let (there, back) = (w.sim.link(a, b), w.sim.link(b, a));
    assert!(there.cut && !back.cut);
}

#[test]
fn a_partition_that_stays_ends_dials_and_streams() {
    let mut w = world();
    let (a, b) = (w.a, w.b);
    let (client, server) = w.pair();
    w.fault("partition a | b");
    let dialled = w.dial(a, "10.0.0.2:7000");
    w.write(a, client, b"lost");
    w.pass(128 * SEC);
    assert_eq!(w.on(a).connected(dialled), Err(NetError::TimedOut));
    assert_eq!(w.on(a).read(client, &mut [0; 8]), Ok(None));
    w.pass(900 * SEC);
    assert_eq!(w.on(a).read(client, &mut [0; 8]), Err(NetError::TimedOut));
    // The other end was never told: it is half open until it speaks.
    assert_eq!(w.on(b).read(server, &mut [0; 8]), Ok(None));
    w.fault("heal");
    w.write(b, server, b"anybody?");
    w.pass(SEC);
    assert!(w.on(b).read(server, &mut [0; 8]).is_ok());
    w.on(a).close(client);
    w.write(b, server, b"anybody?");
    w.pass(SEC);
    assert_eq!(w.on(b).read(server, &mut [0; 8]), Err(NetError::Reset));
}

#[test]
fn a_crash_tells_nobody_and_a_restart_resets() {
    let mut w = world();
    let (a, b) = (w.a, w.b);
    let (client, server) = w.pair();
    w.fault("crash b");
    assert_eq!(*w.sim.state(b), NodeState::Crashed);
    w.write(a, client, b"hello?");
    w.pass(5 * SEC);
    assert_eq!(w.on(a).read(client, &mut [0; 8]), Ok(None));
    w.fault("restart b");
    w.pass(60 * SEC);
    assert_eq!(w.on(a).read(client, &mut [0; 8]), Err(NetError::Reset));
    assert_eq!(w.on(b).read(server, &mut [0; 8]), Err(NetError::Stale));
}

#[test]
fn a_reset_breaks_both_ends() {
    let mut w = world();
    let (a, b) = (w.a, w.b);
    let (client, server) = w.pair();
    w.fault("reset a b");
    assert_eq!(w.on(a).read(client, &mut [0; 8]), Err(NetError::Reset));
    assert_eq!(w.on(b).write(server, b"x"), Err(NetError::Reset));
}

#[test]
fn short_reads_and_writes_lose_nothing() {
    let mut w = world();
    let (a, b) = (w.a, w.b);
    let (client, server) = w.pair();
    w.fault("short-io a 0.9");
    w.fault("short-io b 0.9");
    let data: Vec<u8> = (0..20_000u32).map(|n| (n % 251) as u8).collect();
    let (mut sent, mut got, mut short) = (0, Vec::new(), 0);
    for _ in 0..10_000 {
        let end = data.len().min(sent + 1000);
        let n = w.write(a, client, &data[sent..end]);
        short += usize::from(n < end - sent);
        sent += n;
        w.pass(2 * MS);
        let mut buf = [0; 700];
        // A mark tells of what a short read left.
        if w.ready(b).contains(&server) {
            while let Some(n) = w.on(b).read(server, &mut buf).expect("to read") {
                got.extend_from_slice(&buf[..n]);
                if n < buf.len() {
                    break;
                }
            }
        }
    }
    assert!(got == data, "{} of {sent}", got.len());
    assert!(short > 10, "{short}");
    w.fault("short-io a 0");
    assert_eq!(w.write(a, client, &data), data.len());
}

#[test]
fn flipped_bits_arrive() {
    let mut w = world();
    let (a, b) = (w.a, w.b);
    let (client, server) = w.pair();
    w.fault("flip a -> b 1");
    w.write(a, client, &[0; 32]);
    w.pass(SEC);
    let got = w.read(b, server);
    assert_eq!(got.iter().map(|byte| byte.count_ones()).sum::<u32>(), 1);
    w.fault("flip a -> b 0");
    w.write(a, client, &[0; 32]);
    w.pass(SEC);
    assert_eq!(w.read(b, server), [0; 32]);
}

#[test]
fn spurious_marks_tell_of_nothing() {
    let mut w = world();
    let b = w.b;
    let listener = w.listen(b, ":7000", &ListenOptions::default());
    let mut marked = 0;
    for _ in 0..40 {
        w.fault("spurious b");
        marked += usize::from(w.ready(b) == [listener]);
        assert_eq!(w.on(b).accept(listener), Ok(None));
        w.pass(MS);
    }
    assert!((5..35).contains(&marked), "{marked}");
}

#[test]
fn clocks_drift_and_step() {
    let mut w = world();
    let a = w.a;
    let wall = w.on(a).wall();
    w.fault("step a -2s");
    w.fault("skew a 500ms");
    assert_eq!(w.on(a).wall(), wall - 1500 * MS);
    w.fault("drift a 100000ppm");
    w.pass(10 * SEC);
    assert_eq!(w.on(a).now() - Tyme::ZERO, 11 * SEC);
    assert_eq!(w.on(a).wall(), wall + 9500 * MS);
    let b = w.b;
    assert_eq!(w.on(b).now(), Tyme::from_secs(10));
}

/// Counts once a second, for as long as it runs.
fn counting(log: &Arc<Mutex<Vec<(u32, u64)>>>) -> impl FnMut(Boot) -> Doist<u32> + Send + use<> {
    let log = Arc::clone(log);
    move |boot: Boot| {
        let log = Arc::clone(&log);
        let mut doist = Doist::new(0);
        doist.add(doify(move |_tyme, cx: &mut Cx<'_, u32>| {
            if *cx.app == 0 {
                let drawn = cx.rng.next_u64();
                log.lock().expect("one thread").push((boot.restarts, drawn));
            }
            *cx.app += 1;
            if cx.fault("stumble") {
                return Err(Fault::msg("stumbled"));
            }
            Ok(After(Duration::from_secs(1)))
        }));
        doist
    }
}

#[test]
fn a_restart_gives_fresh_state_and_the_next_random_stream() {
    let log = Arc::default();
    let mut sim = Sim::new(5);
    let node = sim.node("n", counting(&log));
    let plan: FaultPlan =
        "at 10500ms crash n\nat 20s restart n\nat 30500ms pause n\nat 40s resume n"
            .parse()
            .expect("a plan");
    sim.plan(&plan).expect("a node that there is");
    sim.run_until(Tyme::from_secs(15)).expect("a run");
    assert_eq!(sim.app::<u32>(node), None);
    sim.run_until(Tyme::from_secs(29)).expect("a run");
    assert_eq!(sim.app::<u32>(node), Some(&10));
    sim.run_until(Tyme::from_secs(39)).expect("a run");
    assert_eq!(sim.app::<u32>(node), Some(&11));
    assert_eq!(*sim.state(node), NodeState::Paused);
    sim.run_until(Tyme::from_secs(45)).expect("a run");
    assert!(sim.app::<u32>(node).is_some_and(|count| *count > 15));
    let log = log.lock().expect("one thread");
    assert_eq!((log.len(), log[0].0, log[1].0), (2, 0, 1));
    assert_ne!(log[0].1, log[1].1);
}

#[test]
fn fault_points_fire_only_when_they_are_told_to() {
    for (plan, policy, count) in [
        ("", OnFailure::Stop, 11),
        ("at 5s point n 1 stumble", OnFailure::StayDown, 6),
        ("at 5s point n 1 other", OnFailure::StayDown, 11),
        ("at 5500ms point n 1", OnFailure::Restart(SEC), 1),
        (
            "at 5500ms point n 1\nat 6500ms point n 0",
            OnFailure::Restart(SEC),
            4,
        ),
    ] {
        let mut sim = Sim::new(5).on_failure(policy);
        let node = sim.node("n", counting(&Arc::default()));
        sim.plan(&plan.parse().expect("a plan")).expect("a node");
        sim.run_until(Tyme::from_secs(10)).expect("a run");
        assert_eq!(sim.app::<u32>(node), Some(&count), "{plan}");
    }
    let mut sim = Sim::new(5);
    let node = sim.node("n", counting(&Arc::default()));
    sim.plan(&"at 5s point n 1".parse().expect("a plan"))
        .expect("a node");
    let error = sim.run_until(Tyme::from_secs(10)).expect_err("it stumbles");
    assert!(matches!(&error, SimError::Failed { node, .. } if node == "n"));
    assert!(error.to_string().contains("stumbled"), "{error}");
    assert_eq!(sim.step(), Err(error));
    assert!(sim.fault_of(node).is_some());
    let check = sim.checks().points["stumble"];
    assert_eq!((check.passed, check.held), (6, 1));
}

#[test]
fn an_always_that_does_not_hold_stops_the_run() {
    let mut sim = Sim::new(1).with_trace();
    sim.node("n", |_| {
        let mut doist = Doist::new(0u32);
        doist
            .named("counter")
            .add(doify(|_tyme, cx: &mut Cx<'_, u32>| {
                *cx.app += 1;
                let count = *cx.app;
                cx.always(count < 5, "below five");
                cx.sometimes(count == 3, "three");
                cx.reachable("here");
                Ok(After(Duration::from_secs(1)))
            }));
        doist
    });
    let error = sim.run_until(Tyme::from_secs(10)).expect_err("five comes");
    let wanted = SimError::Violated {
        name: "below five".into(),
        node: "n".into(),
        path: "counter".into(),
        tyme: Tyme::from_secs(4),
    };
    assert_eq!(error, wanted);
    assert_eq!(sim.checks().sometimes["three"].held, 1);
    assert_eq!(sim.checks().reachable["here"].passed, 5);
    let line = sim
        .trace()
        .text()
        .lines()
        .find(|l| l.contains("\"always\""));
    let line = line.expect("it is told");
    assert!(
        line.contains(
            "\"node\":\"n\",\"path\":\"counter\",\"event\":\"always\",\"name\":\"below five\""
        ),
        "{line}"
    );
}

#[test]
fn unknown_nodes_and_busy_nodes_are_errors() {
    let mut sim = Sim::new(1);
    let error = sim.plan(&"at 1s crash x".parse().expect("a plan"));
    assert_eq!(error, Err(SimError::NoSuchNode { name: "x".into() }));
    sim.node("n", |_| {
        let mut doist = Doist::new(()).with_pace(Pace::Asap);
        doist.add(doify(|_tyme, _cx: &mut Cx<'_>| Ok(Again)));
        doist
    });
    let error = sim.run_until(Tyme::from_secs(1));
    assert_eq!(error, Err(SimError::Livelock { tyme: Tyme::ZERO }));
}

#[test]
fn mending_makes_everything_whole() {
    for seed in 0..30 {
        let mut sim = Sim::new(seed).on_failure(OnFailure::StayDown);
        let names = ["a", "b", "c"];
        let log = Arc::default();
        for name in names {
            sim.node(name, counting(&log));
        }
        let mut families = Family::USUAL.to_vec();
        families.push(Family::Flip);
        let swarm = Swarm::new(seed).with_families(&families);
        sim.plan(&swarm.plan(&names, 60 * SEC))
            .expect("nodes that there are");
        let half = 30 + seed;
        sim.run_until(Tyme::from_secs(half)).expect("a run");
        sim.mend();
        sim.run_for(MS).expect("a run");
        for (a, b) in sim.nodes().flat_map(|a| sim.nodes().map(move |b| (a, b))) {
            let link = sim.link(a, b);
            assert!(!(link.cut || link.clogged || link.held), "{seed}");
            assert!(link.conditions.loss == 0.0, "{seed}");
        }
        assert!(
            sim.nodes().all(|n| *sim.state(n) == NodeState::Running),
            "{seed}"
        );
    }
}

/// A connection of the random life: what was written at one end and read at the other.
struct Line {
    ends: [(NodeId, Sid); 2],
    written: [Vec<u8>; 2],
    read: [usize; 2],
}

/// Random dialling, writing, reading, closing and faults on three nodes.
fn random_life(seed: u64) -> (usize, usize) {
    let mut draws = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut draw = move |below: usize| {
        draws ^= draws << 13;
        draws ^= draws >> 7;
        draws ^= draws << 17;
        usize::try_from(draws % below as u64).expect("small")
    };
    let link = "latency uniform 1ms 20ms loss 0.05 bandwidth 1MB/s queue 20kB";
    let mut sim = sim_support::sim(seed, link);
    let nodes = ["a", "b", "c"].map(|name| sim.station(name));
    let names = ["a", "b", "c"];
    sim.plan(&Swarm::new(seed).plan(&names, 60 * SEC))
        .expect("nodes");
    let group = |sim: &mut Sim, node| Station::new(sim, node).group(Owner::NONE);
    let mut groups = nodes.map(|node| group(&mut sim, node));
    let options = ListenOptions {
        backlog: 4,
        ..ListenOptions::default()
    };
    let mut listeners = [None; 3];
    let (mut lines, mut dialled): (Vec<Line>, Vec<(NodeId, Sid)>) = (Vec::new(), Vec::new());
    let mut moved = 0;
    for _ in 0..3000 {
        let at = draw(3);
        let node = nodes[at];
        let mut net = Station::new(&mut sim, node);
        match draw(12) {
            0 => {
                if net
                    .local(listeners[at].unwrap_or(Sid::new(u32::MAX, 0)))
                    .is_err()
                {
                    groups[at] = net.group(Owner::NONE);
                    let on = "0.0.0.0:7000".parse().expect("an endpoint");
                    listeners[at] = net.listen(groups[at], &on, &options).ok();
                }
            }
            1 | 2 => {
                let to = format!("10.0.0.{}:7000", draw(3) + 1)
                    .parse()
                    .expect("an endpoint");
                let options = ConnectOptions::default();
                if let Ok(sid) = net.connect(groups[at], &to, &options) {
                    dialled.push((node, sid));
                }
            }
            3 | 4 => {
                let listener = listeners[at].unwrap_or(Sid::new(u32::MAX, 0));
                if let Ok(Some((sid, peer))) = net.accept(listener) {
                    let mut found = None;
                    for (n, (node, sid)) in dialled.iter().enumerate() {
                        if Station::new(&mut sim, *node).local(*sid).as_ref() == Ok(&peer) {
                            found = Some(n);
                        }
                    }
                    if let Some(found) = found {
                        let ends = [dialled.swap_remove(found), (node, sid)];
                        lines.push(Line {
                            ends,
                            written: Default::default(),
                            read: [0; 2],
                        });
                    }
                }
            }
            5..=10 if !lines.is_empty() => {
                let n = draw(lines.len());
                let line = &mut lines[n];
                let end = draw(2);
                let (node, sid) = line.ends[end];
                let mut net = Station::new(&mut sim, node);
                let _ = net.connected(sid);
                match draw(24) {
                    0 => net.close(sid),
                    1 => drop(net.shutdown(sid, Shutdown::Send)),
                    2..=11 => {
                        let data: Vec<u8> = (0..draw(9000))
                            .map(|_| draw(256).to_le_bytes()[0])
                            .collect();
                        let taken = net.write(sid, &data).unwrap_or(0);
                        line.written[end].extend_from_slice(&data[..taken]);
                    }
                    _ => {
                        let mut buf = vec![0; 1 + draw(9000)];
                        if let Ok(Some(got)) = net.read(sid, &mut buf) {
                            let from = line.read[1 - end];
                            let sent = &line.written[1 - end][from..from + got];
                            assert!(sent == &buf[..got], "seed {seed}");
                            line.read[1 - end] += got;
                            moved += got;
                        }
                    }
                }
            }
            _ => {
                let span = MS * u32::try_from(draw(60)).expect("small");
                sim.run_for(span).expect("nothing stops it");
            }
        }
    }
    sim.mend();
    sim.run_for(2000 * SEC).expect("nothing stops it");
    for node in nodes {
        for socket in sim.sockets(node) {
            Station::new(&mut sim, node).close(socket.sid);
        }
    }
    sim.run_for(2000 * SEC).expect("nothing stops it");
    // Nothing is left behind, on no node and on no link.
    assert_eq!(sim.packets(), 0, "seed {seed}");
    (moved, lines.len())
}

#[test]
fn l1_a_random_life_never_panics_and_never_garbles_a_stream() {
    let (mut moved, mut lines) = (0, 0);
    for seed in 0..20 {
        let (bytes, count) = random_life(seed);
        (moved, lines) = (moved + bytes, lines + count);
    }
    assert!(moved > 300_000 && lines > 150, "{moved} {lines}");
}
