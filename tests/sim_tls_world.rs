//! Goal: a simulated world whose links speak TLS repeats to the hash with faults, restarts and
//! clients' certificates, and a leak of real randomness into it is found by running twice (law D1).
//! Method: an echo server and clients as doers in `Sim`, a written fault plan, every run bounded in
//! simulated time. `HIO_VIEW_DIR=DIR` writes the pages of two runs there to be looked at.
#![cfg(feature = "sim-tls")]

#[expect(dead_code, reason = "these stories need only some of it")]
#[path = "support/pki.rs"]
mod pki;

use std::time::Duration;

use hio::doers::{ClientDoer, EchoServerDoer};
use hio::doing::prelude::*;
use hio::link::tls::{ClientTls, ServerTls, Versions};
use hio::link::{Client, ClientEvent, CloseReason, Limits, Reconnect, Server};
use hio::net::{ConnectOptions, Endpoint, ListenOptions, TraceHash};
use hio::sim::{Boot, FaultPlan, NodeState, OnFailure, Sim, Trace, tls, view};
use pki::Pki;

/// What the nodes of a world are given.
#[derive(Clone)]
struct Keys {
    server: ServerTls,
    client: ClientTls,
}

impl Keys {
    fn simulated(versions: Versions) -> Self {
        let server = tls::server().client_ca(tls::CA).versions(versions);
        let client = tls::certified_client().versions(versions);
        Self {
            server: server.build().unwrap(),
            client: client.build().unwrap(),
        }
    }
}

fn echo(_: Boot, keys: &Keys) -> Doist<()> {
    let at: Endpoint = ":7000".parse().unwrap();
    let server = Server::new(at, ListenOptions::default(), Limits::default());
    let mut doist = Doist::new(());
    doist.add(EchoServerDoer::new(server.with_tls(keys.server.clone())));
    doist
}

struct App {
    client: Client,
    echoed: usize,
    silent: u32,
    ends: Vec<CloseReason>,
}

/// Says something every 100 ms and reads what comes back. With `bold`, it claims that an answer
/// always comes within a second.
fn client(boot: Boot, keys: &Keys, bold: bool) -> Doist<App> {
    let to = boot.tcp("server", 7000).unwrap();
    let client = Client::new(to, ConnectOptions::default(), Limits::default())
        .with_tls(keys.client.clone())
        .with_reconnect(Reconnect::default());
    let app = App {
        client,
        echoed: 0,
        silent: 0,
        ends: Vec::new(),
    };
    let mut doist = Doist::new(app);
    let served = doist.add_on(|app: &mut App| &mut app.client, ClientDoer::new());
    doist.add(doify(move |_tyme, cx: &mut Cx<'_, App>| {
        for event in cx.app.client.events() {
            if let ClientEvent::Closed(reason) = event {
                cx.app.ends.push(reason);
            }
        }
        let came = cx.app.client.rx().len();
        cx.app.client.consume(came);
        if came > 0 && cx.app.echoed == 0 {
            cx.note("the first echo");
        }
        cx.app.echoed += came;
        cx.app.silent = if came > 0 { 0 } else { cx.app.silent + 1 };
        if bold {
            let answered = cx.app.silent < 10;
            cx.always(answered, "an answer comes within a second");
        }
        if cx.app.client.connected() {
            let _ = cx.app.client.tx(b"hello, hello, hello");
            cx.ask.wake(served);
        }
        Ok(After(Duration::from_millis(100)))
    }));
    doist
}

const FAULTS: &str = "\
at 2s clog a server
at 2500ms heal
at 3s partition server | a b
at 3500ms heal
at 4s crash server
at 4300ms restart server
at 5s skew b 2s
at 6s reset a server
at 7s crash a
at 7200ms restart a
";

fn world(seed: u64, keys: &Keys, faults: &str, bold: bool) -> Sim {
    world_of(Sim::new(seed), keys, faults, bold)
}

fn world_of(sim: Sim, keys: &Keys, faults: &str, bold: bool) -> Sim {
    let link = "latency uniform 1ms 5ms loss 0.02".parse().unwrap();
    let mut sim = sim
        .with_link(link)
        .with_trace()
        .on_failure(OnFailure::StayDown);
    let server = keys.clone();
    sim.node("server", move |boot| echo(boot, &server));
    for name in ["a", "b"] {
        let keys = keys.clone();
        sim.node(name, move |boot| {
            client(boot, &keys, bold && boot_is_a(name))
        });
    }
    sim.plan(&faults.parse::<FaultPlan>().unwrap()).unwrap();
    sim
}

fn boot_is_a(name: &str) -> bool {
    name == "a"
}

fn run(seed: u64, keys: &Keys) -> (TraceHash, String) {
    let mut sim = world(seed, keys, FAULTS, false);
    sim.run_until(Tyme::from_secs(10)).unwrap();
    for name in ["a", "b"] {
        let node = sim.find(name).unwrap();
        assert_eq!(*sim.state(node), NodeState::Running);
        let app = sim.app::<App>(node).unwrap();
        assert!(app.echoed > 19 * 10, "{name}: {}", app.echoed);
        assert!(app.client.link().secured(), "{name}");
    }
    (sim.trace_hash(), sim.trace().text().to_owned())
}

#[test]
fn d1_a_world_with_tls_faults_and_restarts_repeats() {
    for versions in [Versions::Tls12, Versions::Tls13] {
        let (hash, text) = run(7, &Keys::simulated(versions));
        let (again, other) = run(7, &Keys::simulated(versions));
        assert_eq!(Trace::first_difference(&text, &other), None);
        assert_eq!(hash, again);
        assert_ne!(run(8, &Keys::simulated(versions)).0, hash);
    }
}

#[test]
fn d2_worlds_of_one_configuration_do_not_see_each_other() {
    let keys = Keys::simulated(Versions::Both);
    let alone: Vec<_> = (0..4).map(|seed| run(seed, &keys).0).collect();
    let together: Vec<_> = std::thread::scope(|scope| {
        let start = |seed| {
            let keys = &keys;
            scope.spawn(move || run(seed, keys).0)
        };
        let all: Vec<_> = (0..4).map(start).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert_eq!(alone, together);
}

/// Ordinary configurations are allowed in a simulation: what they leak is found, and where.
#[test]
fn d1_certificates_that_sign_differently_each_time_are_found_by_running_twice() {
    let pki = Pki::new();
    let ordinary = Keys {
        server: pki.server_tls(),
        client: pki.client_tls(),
    };
    let (hash, text) = run(7, &ordinary);
    let (again, other) = run(7, &ordinary);
    assert_ne!(hash, again);
    if let Some(found) = Trace::first_difference(&text, &other) {
        assert!(found.line > 1);
    }
}

#[test]
fn expired_certificates_are_refused_by_the_simulated_time() {
    let keys = Keys::simulated(Versions::Both);
    // The first second of the year 10000.
    let late = Sim::new(1).with_wall(Duration::from_secs(253_402_300_800));
    let mut sim = world_of(late, &keys, "", false);
    sim.run_until(Tyme::from_secs(2)).unwrap();
    let node = sim.find("a").unwrap();
    let app = sim.app::<App>(node).unwrap();
    assert_eq!(app.echoed, 0);
    let expired = CloseReason::Tls(hio::link::TlsFailure::Expired);
    let ends = &app.ends;
    assert!(
        !ends.is_empty() && ends.iter().all(|end| *end == expired),
        "{ends:?}"
    );
}

#[test]
fn the_page_of_a_world_says_what_went_wrong() {
    let keys = Keys::simulated(Versions::Both);
    let mut good = world(7, &keys, FAULTS, false);
    good.run_until(Tyme::from_secs(10)).unwrap();
    let mut bad = world(7, &keys, FAULTS.split("at 2500ms").next().unwrap(), true);
    bad.run_until(Tyme::from_secs(10)).unwrap_err();
    let pages = [("world-good", &good), ("world-bad", &bad)].map(|(name, sim)| {
        let page = view::html("echo with TLS, seed 7", sim.trace().text());
        if let Some(dir) = std::env::var_os("HIO_VIEW_DIR") {
            std::fs::write(
                std::path::Path::new(&dir).join(format!("{name}.html")),
                &page,
            )
            .unwrap();
        }
        assert!(!page.contains("could not be read"), "every line is read");
        page
    });
    assert!(pages[0].contains("No check was violated and no node failed."));
    assert!(pages[1].contains("The check <q>an answer comes within a second</q> did not hold"));
    assert!(
        pages[1].contains("</button> clog a server</li>"),
        "what was the matter"
    );
}
