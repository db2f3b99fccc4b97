//! Goal: the laws in simulation: equal seeds give equal runs to the byte, a new draw in one place
//! moves no other, leaping over time changes nothing, and what does nothing costs nothing.
//! Method: small worlds with servers, clients, faults and losses, run twice, in another order or
//! with one thing more; traces and hashes are compared; costs are counted in steps.

mod sim_support;

use std::time::Duration;

use hio::doers::{ClientDoer, EchoServerDoer};
use hio::doing::prelude::*;
use hio::link::{Client, Limits, Server};
use hio::net::{ConnectOptions, DatagramOptions, Endpoint, Group, ListenOptions, Sid, TraceHash};
use hio::sim::{Boot, OnFailure, Sim, Swarm, Trace};
use sim_support::{MS, SEC, sim};

fn echo(_: Boot) -> Doist<()> {
    let at: Endpoint = ":7000".parse().expect("an endpoint");
    let server = Server::new(at, ListenOptions::default(), Limits::default());
    let mut doist = Doist::new(());
    doist.named("echo").add(EchoServerDoer::new(server));
    doist
}

struct App {
    client: Client,
    echoed: usize,
    drawn: u64,
}

/// Sends every tenth of a second and counts what comes back; draws `draws` numbers beside.
fn client(boot: &Boot, draws: u32) -> Doist<App> {
    let to = boot.tcp("server", 7000).expect("a node");
    let client = Client::new(to, ConnectOptions::default(), Limits::default());
    let mut doist = Doist::new(App {
        client,
        echoed: 0,
        drawn: 0,
    });
    let served = doist.add_on(|app: &mut App| &mut app.client, ClientDoer::new());
    doist
        .named("user")
        .add(doify(move |_tyme, cx: &mut Cx<'_, App>| {
            let app = &mut *cx.app;
            let n = app.client.rx().len();
            app.echoed += n;
            app.client.consume(n);
            for _ in 0..draws {
                app.drawn ^= cx.rng.next_u64();
                let mut bytes = [0; 4];
                cx.net.entropy(&mut bytes);
            }
            if app.client.connected() && app.client.tx(b"hello, hello, hello").is_ok() {
                cx.ask.wake(served);
            }
            Ok(After(Duration::from_millis(100)))
        }));
    doist
}

/// A server and three clients over bad links, with the faults of a swarm.
fn world(mut sim: Sim, swarm: u64, draws: u32) -> Sim {
    let names = ["server", "c0", "c1", "c2"];
    sim.node("server", echo);
    for name in &names[1..] {
        sim.node(name, move |boot| client(&boot, draws));
    }
    let plan = Swarm::new(swarm).plan(&names, 20 * SEC);
    sim.plan(&plan).expect("nodes that there are");
    sim.run_until(Tyme::from_secs(30))
        .expect("nothing stops it");
    sim
}

fn bad(seed: u64) -> Sim {
    let link = "latency uniform 1ms 5ms loss 0.02 bandwidth 1MB/s";
    sim(seed, link).on_failure(OnFailure::Restart(SEC))
}

#[test]
fn d1_the_same_seed_gives_the_same_trace_byte_for_byte() {
    for seed in 0..12 {
        let one = world(bad(seed).with_trace(), seed, 0);
        let two = world(bad(seed).with_trace(), seed, 0);
        let (left, right) = (one.trace().text(), two.trace().text());
        assert_eq!(Trace::first_difference(left, right), None, "seed {seed}");
        assert!(left.lines().count() > 500);
        assert_eq!(one.trace_hash(), two.trace_hash());
        // The text changes nothing.
        assert_eq!(world(bad(seed), seed, 0).trace_hash(), one.trace_hash());
        assert_ne!(
            world(bad(seed + 100), seed, 0).trace_hash(),
            one.trace_hash()
        );
    }
}

#[test]
fn d1_a_simulation_moves_to_another_thread_and_many_run_side_by_side() {
    let hash = |seed: u64| world(bad(seed), seed, 0).trace_hash();
    let alone: Vec<TraceHash> = (0..4).map(hash).collect();
    let threads: Vec<_> = (0..4)
        .map(|seed| {
            let sim = bad(seed);
            std::thread::spawn(move || world(sim, seed, 0).trace_hash())
        })
        .collect();
    let together: Vec<TraceHash> = threads
        .into_iter()
        .map(|thread| thread.join().expect("no panic"))
        .collect();
    assert_eq!(alone, together);
}

#[test]
fn d1_the_hash_of_a_run_is_pinned_for_every_machine_and_build() {
    // Bare sockets, so that only a change of the simulation itself may change it.
    let link = "latency exponential 1ms 5ms loss 0.1 burst 3 duplicate 0.1 reorder 0.1";
    let mut sim = senders(sim(7, link), 5);
    let plan = Swarm::new(7).plan(&["n0", "n1", "n2", "n3", "n4"], 20 * SEC);
    sim.plan(&plan).expect("nodes that there are");
    sim.run_until(Tyme::from_secs(30))
        .expect("nothing stops it");
    assert_eq!(sim.trace_hash().to_string(), PINNED);
}

#[test]
fn d3_what_programs_draw_moves_neither_the_network_nor_the_faults() {
    for seed in 0..6 {
        let packets = |draws: u32| {
            let sim = world(bad(seed).with_trace(), seed, draws);
            let lines = sim.trace().text().lines();
            // Numbers of lines shift with nothing here; what is drawn is no event.
            lines.map(str::to_owned).collect::<Vec<_>>()
        };
        assert!(packets(0) == packets(9), "seed {seed}");
    }
}

#[test]
fn d3_a_node_more_moves_nothing_between_the_others() {
    let run = |more: bool| {
        let mut sim = sim(3, "latency uniform 1ms 9ms loss 0.1").with_trace();
        sim.node("server", echo);
        sim.node("c0", |boot| client(&boot, 1));
        if more {
            sim.node("d", |boot| client(&boot, 1));
        }
        sim.run_until(Tyme::from_secs(20)).expect("a run");
        let of_c0 = |line: &&str| line.contains("\"node\":\"c0\"");
        let lines = sim.trace().text().lines().filter(of_c0);
        // Without the numbers that all nodes share.
        let bare = |line: &str| {
            let keep = |part: &&str| !part.starts_with("\"seq\"") && !part.starts_with("\"id\"");
            line.split(',').filter(keep).collect::<Vec<_>>().join(",")
        };
        lines.map(bare).collect::<Vec<_>>()
    };
    let (few, many) = (run(false), run(true));
    assert!(few.len() > 500);
    for (n, (one, other)) in few.iter().zip(&many).enumerate() {
        assert_eq!(one, other, "line {n}");
    }
}

#[test]
fn d2_the_order_of_nodes_is_that_of_adding_them() {
    // All wake at the same moments, and have other wakes before, so that the heap is stirred.
    let mut sim = Sim::new(1).with_trace();
    for n in 0..40u64 {
        sim.node(&format!("n{}", (n * 7) % 40), move |_| {
            let mut doist = Doist::new(0u64).with_tock(MS);
            doist.add(doify(move |tyme: Tyme, cx: &mut Cx<'_, u64>| {
                cx.note("awake");
                let next = match tyme.as_nanos() / 1_000_000 % 100 {
                    0 => 1 + (n * 13) % 50,
                    at => 100 - at,
                };
                Ok(After(MS * u32::try_from(next).expect("small")))
            }));
            doist
        });
    }
    sim.run_until(Tyme::from_millis(1000)).expect("a run");
    let mut at_once = Vec::new();
    for line in sim.trace().text().lines().filter(|l| l.contains("awake")) {
        let value: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let tyme = value["tyme"].as_u64().expect("a number");
        if tyme > 0 && tyme % 100_000_000 == 0 {
            at_once.push(value["node"].as_str().expect("a name").to_owned());
        }
    }
    let order: Vec<String> = (0..40).map(|n| format!("n{}", (n * 7) % 40)).collect();
    assert_eq!(at_once.len(), 400);
    assert!(at_once.chunks(40).all(|chunk| chunk == order));
}

#[test]
fn p3_dense_is_skip() {
    let run = |tock: Duration, dense: bool| {
        let mut sim = sim(5, "latency uniform 1ms 9ms loss 0.05").with_trace();
        sim.node("server", echo);
        sim.node("c0", move |boot| client(&boot, 0).with_tock(tock));
        if dense {
            // Looks at every moment there is, and changes nothing.
            for n in 0..20_000u64 {
                sim.at(Tyme::from_millis(n), move |sim: &mut Sim| {
                    let node = sim.find("c0").expect("there is");
                    sim.rouse(node);
                });
            }
        }
        sim.run_until(Tyme::from_secs(20)).expect("a run");
        (sim.trace().text().to_owned(), sim.trace_hash(), sim.steps())
    };
    let (skip, hash, steps) = run(MS, false);
    let (dense, dense_hash, dense_steps) = run(MS, true);
    assert_eq!(Trace::first_difference(&skip, &dense), None);
    assert_eq!(hash, dense_hash);
    assert!(dense_steps > steps + 10_000);
}

#[test]
fn lines_of_the_trace_are_json_with_their_keys_in_order() {
    let sim = world(bad(1).with_trace(), 1, 0);
    let mut events = std::collections::BTreeSet::new();
    let (mut seq, mut tyme) = (0, 0);
    for line in sim.trace().text().lines() {
        let value: serde_json::Value = serde_json::from_str(line).expect(line);
        assert_eq!(value["seq"].as_u64(), Some(seq), "{line}");
        let at = value["tyme"].as_u64().expect("a number");
        assert!(at >= tyme, "{line}");
        (seq, tyme) = (seq + 1, at);
        let event = value["event"].as_str().expect("a word").to_owned();
        let place = |key: &str| line.find(&format!("\"{key}\":"));
        let places = ["tyme", "seq", "node", "path", "event"].map(place);
        assert!(places.iter().flatten().is_sorted(), "{line}");
        if event == "recur" {
            let path = value["path"].as_str().expect("a path");
            assert!(
                ["echo", "user", "ClientDoer0"].contains(&path) || path.contains("ClientDoer"),
                "{path}"
            );
        }
        events.insert(event);
    }
    for event in [
        "boot",
        "enter",
        "recur",
        "listen",
        "connect",
        "connected",
        "accepted",
        "send",
        "recv",
    ] {
        assert!(events.contains(event), "{event} of {events:?}");
    }
}

// ---- what it costs

#[test]
fn an_hour_of_a_quiet_network_takes_a_handful_of_steps() {
    let mut sim = Sim::new(1);
    for n in 0..50 {
        sim.node(&format!("n{n}"), echo);
    }
    sim.run_until(Tyme::from_secs(3600)).expect("a run");
    assert!(sim.steps() <= 3, "{}", sim.steps());
    assert_eq!(sim.tyme(), Tyme::from_secs(3600));
    assert_eq!(sim.next(), Tyme::NEVER);
}

/// Sends a datagram to one of `peers` every second.
struct Sender {
    peers: Vec<Endpoint>,
    socket: Option<(Sid, Group)>,
    next: Tyme,
}

impl Doer<u64> for Sender {
    fn enter(&mut self, cx: &mut Cx<'_, u64>) -> Result<Next, Fault> {
        let group = cx.net.group(cx.ask.owner());
        let at: Endpoint = "udp:0.0.0.0:9000".parse()?;
        let sid = cx.net.bind(group, &at, &DatagramOptions::default())?;
        self.socket = Some((sid, group));
        self.next = Tyme::from_millis(cx.rng.below(1000));
        Ok(Park(self.next))
    }

    fn recur(&mut self, tyme: Tyme, cx: &mut Cx<'_, u64>) -> Result<Next, Fault> {
        let Some((sid, group)) = self.socket else {
            return Ok(Done(false));
        };
        cx.net.ready(group, &mut Vec::new());
        while cx.net.recv_from(sid, &mut [0; 64])?.is_some() {
            *cx.app += 1;
        }
        if tyme >= self.next {
            self.next += SEC;
            let to = cx.rng.below(self.peers.len() as u64);
            let to = &self.peers[usize::try_from(to)?];
            cx.net.send_to(sid, &[1; 64], Some(to))?;
        }
        Ok(Park(self.next))
    }
}

fn senders(mut sim: Sim, hosts: usize) -> Sim {
    for n in 0..hosts {
        sim.node(&format!("n{n}"), move |boot: Boot| {
            let others = boot.nodes().filter(|name| *name != boot.name);
            let peers = others.filter_map(|name| boot.udp(name, 9000)).collect();
            let mut doist = Doist::new(0);
            doist.add(Sender {
                peers,
                socket: None,
                next: Tyme::ZERO,
            });
            doist
        });
    }
    sim
}

#[test]
fn heartbeats_cost_two_steps_each() {
    let mut sim = senders(Sim::new(1), 3);
    sim.run_until(Tyme::from_secs(3600)).expect("a run");
    let received: u64 = sim.nodes().filter_map(|n| sim.app::<u64>(n)).sum();
    assert!((10_797..=10_800).contains(&received), "{received}");
    assert!(sim.steps() <= 2 * 10_800 + 5, "{}", sim.steps());
}

#[test]
fn five_hundred_hosts_that_talk_to_each_other() {
    let mut sim = senders(Sim::new(1), 500);
    sim.run_until(Tyme::from_secs(20)).expect("a run");
    let received: u64 = sim.nodes().filter_map(|n| sim.app::<u64>(n)).sum();
    assert!((9_500..=10_000).contains(&received), "{received}");
    assert!(sim.steps() < 2 * 10_000 + 5);
}

const PINNED: &str = "trace-hash f60c7008bbeea296 events 662";
