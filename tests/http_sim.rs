//! Goal: over a network that delays, loses, resets, parts and crashes, every request of HTTP ends exactly once, with its own
//! answer or a named error; what is not idempotent is acted on once at most; no event is missed or comes twice; nothing hangs and
//! nothing is left over; the same seed, the same trace.
//! Method: a site and two users as doers on nodes of the simulator, which ask for everything the site has, over many seeds with
//! written and with random faults, plain and with TLS.

#![cfg(feature = "http")]

mod http_world;

use std::collections::BTreeMap;
use std::time::Duration;

use hio::link::Server;
use hio::net::Endpoint;
use hio::proto::http::Dialling;
use hio::sim::{Boot, FaultPlan, Sim, Swarm};
use hio::tyme::Tyme;
use http_world::site::{self, Disk};
use http_world::user::{self, End, User};
use http_world::{EVENTS, PORT, REQUESTS};

const USERS: [&str; 2] = ["a", "b"];

/// How a world speaks: the site's links, and what its users dial with.
struct Manner {
    scheme: &'static str,
    dress: fn(Server) -> Server,
    dialling: fn() -> Dialling,
}

const PLAIN: Manner = Manner {
    scheme: "http",
    dress: |links| links,
    dialling: Dialling::default,
};

#[cfg(feature = "sim-tls")]
const SECURE: Manner = Manner {
    scheme: "https",
    dress: |links| links.with_tls(hio::sim::tls::server().build().expect("certificates")),
    dialling: || Dialling {
        tls: Some(hio::sim::tls::client().build().expect("certificates")),
        ..Dialling::default()
    },
};

type Tally = BTreeMap<End, usize>;

fn run(seed: u64, link: &str, faults: &FaultPlan, manner: &Manner) -> (Tally, String) {
    let mut sim = Sim::new(seed).with_link(link.parse().expect("conditions"));
    let disk = Disk::default();
    let (kept, dress) = (disk.clone(), manner.dress);
    let server = sim.node("server", move |_: Boot| site::program(&kept, dress));
    let (scheme, dialling) = (manner.scheme, manner.dialling);
    let users = USERS.map(|name| {
        sim.node(name, move |boot: Boot| {
            let Some(Endpoint::Tcp(at)) = boot.tcp("server", PORT) else {
                panic!("a node has an address");
            };
            let name = format!("{}-{}", boot.name, boot.restarts);
            user::program(name, &format!("{scheme}://{at}"), &dialling())
        })
    });
    sim.plan(faults).expect("known nodes");
    sim.run_until(Tyme::from_secs(30)).expect("no violation");
    sim.mend();
    sim.run_for(Duration::from_secs(150)).expect("no violation");
    let mut tally = Tally::new();
    let disk = disk.lock().expect("no panic");
    for (name, times) in &*disk {
        assert_eq!(*times, 1, "seed {seed}: {name} was acted on {times} times");
    }
    for user in users {
        let app = sim.app::<User>(user).expect("its app");
        let (asked, ended) = (app.asks(), app.ended.len());
        assert_eq!((asked, ended), (REQUESTS, REQUESTS), "seed {seed}: hangs");
        assert!(app.heard >= EVENTS, "seed {seed}: {} events", app.heard);
        for name in &app.counted {
            assert!(
                disk.contains_key(name),
                "seed {seed}: {name} was not acted on"
            );
        }
        for end in app.ended.values() {
            *tally.entry(end.clone()).or_default() += 1;
        }
        assert!(
            app.client.pool().is_empty(),
            "seed {seed}: idle connections"
        );
        assert_eq!(sim.sockets(user).len(), 0, "seed {seed}: a user's sockets");
    }
    let left = sim.sockets(server);
    assert_eq!(left.len(), 1, "seed {seed}: more than a listener: {left:?}");
    (tally, sim.trace_hash().to_string())
}

fn written(faults: &str) -> FaultPlan {
    faults.parse().expect("a plan")
}

fn add(all: &mut Tally, tally: Tally) {
    for (end, n) in tally {
        *all.entry(end).or_default() += n;
    }
}

const CALM: &str = "latency uniform 1ms 20ms";
const LOSSY: &str = "latency uniform 1ms 20ms loss 0.03";

const STORM: &str = "\
at 0.5s reset a server
at 1s partition a | server b
at 1.5s reset b server
at 3s heal
at 3.5s reset a server
at 4s partition a b | server
at 7s heal
at 8s crash server
at 9s restart server
at 10s reset b server
at 10.5s clog a server
at 11s heal
at 11.5s kill server
at 11.6s restart server
";

#[test]
fn c_a_calm_network_answers_everything() {
    for seed in 0..3 {
        let (tally, _) = run(seed, CALM, &FaultPlan::default(), &PLAIN);
        assert_eq!(tally, Tally::from([(End::Good, 2 * REQUESTS)]), "{seed}");
    }
}

#[test]
fn c_loss_delays_and_loses_nothing() {
    for seed in 0..10 {
        let (tally, _) = run(seed, LOSSY, &FaultPlan::default(), &PLAIN);
        assert_eq!(tally.get(&End::Lost), None, "seed {seed}: {tally:?}");
        let good = tally[&End::Good];
        assert!(good > 2 * REQUESTS - 8, "seed {seed}: {tally:?}");
    }
}

#[test]
fn l2_in_a_storm_every_request_ends_once() {
    let mut all = Tally::new();
    for seed in 0..50 {
        add(&mut all, run(seed, LOSSY, &written(STORM), &PLAIN).0);
    }
    println!("{all:?}");
    for end in [End::Good, End::Unreachable, End::Lost, End::Late] {
        assert!(all.contains_key(&end), "each of them happens: {all:?}");
    }
}

#[test]
fn l2_in_a_swarm_of_random_faults_every_request_ends_once() {
    let mut all = Tally::new();
    for seed in 0..50 {
        let nodes = ["server", "a", "b"];
        let plan = Swarm::new(seed).plan(&nodes, Duration::from_secs(25));
        add(&mut all, run(seed, CALM, &plan, &PLAIN).0);
    }
    println!("{all:?}");
    assert!(all[&End::Good] > 25 * REQUESTS, "{all:?}");
}

#[cfg(feature = "sim-tls")]
#[test]
fn l2_in_tls_every_request_ends_once_in_a_storm() {
    let calm = run(1, CALM, &FaultPlan::default(), &SECURE).0;
    assert_eq!(calm, Tally::from([(End::Good, 2 * REQUESTS)]));
    let mut all = Tally::new();
    for seed in 0..6 {
        add(&mut all, run(seed, LOSSY, &written(STORM), &SECURE).0);
    }
    println!("{all:?}");
    assert!(all[&End::Good] > 6 * REQUESTS, "{all:?}");
    let first = run(7, LOSSY, &written(STORM), &SECURE);
    assert_eq!(first, run(7, LOSSY, &written(STORM), &SECURE));
}

#[test]
fn d1_the_same_seed_gives_the_same_story() {
    let first = run(7, LOSSY, &written(STORM), &PLAIN);
    assert_eq!(first, run(7, LOSSY, &written(STORM), &PLAIN));
    assert_ne!(first.1, run(8, LOSSY, &written(STORM), &PLAIN).1);
}
