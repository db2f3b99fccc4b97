//! Goal: TLS in a simulation repeats to the byte, and nowhere else are its keys taken. Method: all
//! that two ends write is compared between runs, threads and processes; on real sockets each way
//! to begin such a session is refused, and the peer sees that nothing was sent.
#![cfg(feature = "sim-tls")]

mod support;

use std::process::Command;
use std::thread;
use std::time::Duration;

use hio::link::tls::{ClientTls, ServerTls, StartTlsError, TlsError, Versions};
use hio::link::{Client, CloseReason, Event, Limits, OpenError, Remoter, Server, TlsFailure};
use hio::net::{ConnectOptions, Endpoint, ListenOptions, MioNet, Net, Owner, TraceHash};
use hio::sim::tls;
use hio::tyme::Tyme;
use support::pki::Pki;
use support::simulated::Simulated;
use support::{World, client_reasons, ms, pattern, reasons};

/// Two clients and a server: handshakes, an echo each, and the ends.
struct Story {
    net: Simulated,
    server: Server,
    clients: [Client; 2],
    message: Vec<u8>,
    step: usize,
}

impl Story {
    fn new(mut net: Simulated, server: &ServerTls, client: &ClientTls) -> Self {
        let at = Endpoint::host("127.0.0.1", 0);
        let mut server =
            Server::new(at, ListenOptions::default(), Limits::default()).with_tls(server.clone());
        server.open(&mut net, Owner::NONE).unwrap();
        let clients = [(); 2].map(|()| {
            let mut client =
                Client::new(server.eha(), ConnectOptions::default(), Limits::default())
                    .with_tls(client.clone());
            client.open(net.now(), &mut net, Owner::NONE).unwrap();
            client.tx(&pattern(5000)).unwrap();
            client
        });
        Self {
            net,
            server,
            clients,
            message: pattern(5000),
            step: 0,
        }
    }

    /// One step. True when both have their message back, or are closed.
    fn step(&mut self) -> bool {
        self.step += 1;
        assert!(self.step < 1000, "not reached");
        let soon = self.net.now() + ms(5);
        self.net.poll(soon).unwrap();
        let tyme = self.net.now();
        let echo = |remoter: &mut Remoter| {
            let _ = remoter.echo();
        };
        self.server.service_each(tyme, &mut self.net, echo).unwrap();
        let mut done = true;
        for client in &mut self.clients {
            client.service(tyme, &mut self.net);
            done &= client.closed().is_some() || client.rx() == self.message;
        }
        done
    }

    /// All that was written.
    fn end(mut self) -> Vec<u8> {
        while !self.step() {}
        for client in &mut self.clients {
            assert_eq!(client.closed(), None);
            client.drain();
        }
        while !self.clients.iter().all(|client| client.closed().is_some()) {
            self.step();
        }
        self.net.wire
    }
}

fn configurations(versions: Versions) -> (ServerTls, ClientTls) {
    let server = tls::server().client_ca(tls::CA).versions(versions);
    let client = tls::certified_client().versions(versions);
    (server.build().unwrap(), client.build().unwrap())
}

fn transcript(seed: u64, versions: Versions) -> Vec<u8> {
    let (server, client) = configurations(versions);
    Story::new(Simulated::new(seed), &server, &client).end()
}

const VERSIONS: [Versions; 2] = [Versions::Tls12, Versions::Tls13];

#[test]
fn d1_the_same_seed_sends_the_same_bytes_in_both_versions() {
    for versions in VERSIONS {
        let one = transcript(1, versions);
        assert!(one.len() > 20_000, "two echoes there and back");
        assert!(one == transcript(1, versions));
        assert!(one != transcript(2, versions), "seeds count");
    }
    assert!(transcript(1, Versions::Tls12) != transcript(1, Versions::Tls13));
}

/// The line that a child prints, and its parent compares.
fn hashes() -> String {
    let hash = |versions| {
        let mut hash = TraceHash::default();
        hash.event(&[], &transcript(7, versions));
        hash.to_string()
    };
    format!("transcripts: {}", VERSIONS.map(hash).join(", "))
}

#[test]
fn d1_another_process_sends_the_same_bytes() {
    if std::env::var_os("HIO_SIM_TLS_CHILD").is_some() {
        println!("\n{}", hashes());
        return;
    }
    let here = hashes();
    let child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "d1_another_process_sends_the_same_bytes",
            "--nocapture",
        ])
        .env("HIO_SIM_TLS_CHILD", "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(said.lines().any(|line| line == here), "{here}\n{said}");
}

#[test]
fn d2_simulations_on_many_threads_with_one_configuration_do_not_disturb_each_other() {
    for versions in VERSIONS {
        let alone: Vec<_> = (0..8).map(|seed| transcript(seed, versions)).collect();
        let (server, client) = configurations(versions);
        let together: Vec<_> = thread::scope(|scope| {
            let run = |seed| {
                let (server, client) = (&server, &client);
                scope.spawn(move || Story::new(Simulated::new(seed), server, client).end())
            };
            let all: Vec<_> = (0..8).map(run).collect();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert!(alone == together);
    }
}

#[test]
fn d1_a_simulation_may_go_on_on_another_thread_after_each_step() {
    let (server, client) = configurations(Versions::Tls13);
    let mut story = Story::new(Simulated::new(3), &server, &client);
    let mut done = false;
    while !done {
        (story, done) = thread::spawn(|| {
            let done = story.step();
            (story, done)
        })
        .join()
        .unwrap();
    }
    assert!(story.end() == transcript(3, Versions::Tls13));
}

/// The first second of the year 10000.
const TOO_LATE: Duration = Duration::from_secs(253_402_300_800);

#[test]
fn certificates_are_judged_by_the_simulated_time_of_each_world() {
    for versions in VERSIONS {
        let (server, client) = configurations(versions);
        let world = |wall| Story::new(Simulated::new(1).at_wall(wall), &server, &client);
        let mut worlds = [
            world(Duration::ZERO),
            world(TOO_LATE),
            world(TOO_LATE - Duration::from_secs(2 * 86_400)),
        ];
        // In turns: none sees the time of another.
        let mut done = [false; 3];
        while done.contains(&false) {
            for (world, done) in worlds.iter_mut().zip(&mut done) {
                *done = *done || world.step();
            }
        }
        let ends = worlds.map(|world| world.clients[0].closed());
        let expired = Some(CloseReason::Tls(TlsFailure::Expired));
        assert_eq!(ends, [None, expired, None]);
    }
}

#[test]
fn sessions_are_resumed_only_if_asked_for_and_repeat_to_the_byte() {
    for (sessions, resumes) in [(None, false), (Some(16), true)] {
        let run = |seed| {
            let (mut server, mut client) = (tls::server(), tls::client());
            if let Some(most) = sessions {
                (server, client) = (server.sessions(most), client.sessions(most));
            }
            let (server, client) = (server.build().unwrap(), client.build().unwrap());
            let mut wire = Story::new(Simulated::new(seed), &server, &client).end();
            let mut again = Story::new(Simulated::new(seed + 1), &server, &client);
            while !again.step() {}
            let info = again.clients[0].link().tls().unwrap();
            assert_eq!(info.resumed(), resumes);
            wire.extend(again.end());
            wire
        };
        assert!(run(1) == run(1));
    }
}

#[test]
fn keys_that_do_not_sign_the_same_twice_are_refused() {
    let pki = Pki::new(); // ECDSA
    let server = pki.server.server().simulated().build();
    let client = pki.client.client(&pki.ca).simulated().build();
    for refused in [server.map(|_| ()), client.map(|_| ())] {
        let why = refused.unwrap_err();
        assert!(matches!(&why, TlsError::Bad { .. }), "{why}");
        assert!(why.to_string().contains("Ed25519"), "{why}");
    }
}

fn real() -> World {
    World::of(Box::new(MioNet::new().unwrap()))
}

#[test]
fn a_real_net_refuses_a_server_whose_keys_can_be_guessed() {
    let mut world = real();
    let (guessable, _) = configurations(Versions::Both);
    let at = world.at.clone();
    let mut server =
        Server::new(at, ListenOptions::default(), Limits::default()).with_tls(guessable.clone());
    let refused = server.open(world.net.as_mut(), Owner::NONE);
    assert_eq!(refused, Err(OpenError::Tls(TlsFailure::Predictable)));

    // Behind its back, once it is open.
    server.set_tls(None);
    server.open(world.net.as_mut(), Owner::NONE).unwrap();
    server.set_tls(Some(guessable));
    let mut peer = world.peer(&server);
    let (mut spoke, mut ends) = (false, Vec::new());
    world.until("the peer is refused", |tyme, net| {
        if !spoke && peer.connected(net) {
            peer.send(b"\x16\x03\x01\x00\x05hello", net);
            spoke = true;
        }
        server.service(tyme, net).unwrap();
        ends.extend(reasons(&mut server));
        peer.read(net);
        if peer.ended.is_some() {
            peer.close(net);
        }
        !ends.is_empty()
    });
    assert_eq!(ends, [CloseReason::Tls(TlsFailure::Predictable)]);
    assert!(peer.got.is_empty(), "{:?}", peer.got);
}

#[test]
fn a_real_net_refuses_a_client_whose_keys_can_be_guessed() {
    let mut world = real();
    let (_, guessable) = configurations(Versions::Both);
    let mut server = world.server(Limits::default());
    let mut client =
        Client::new(server.eha(), ConnectOptions::default(), Limits::default()).with_tls(guessable);
    let tyme = world.net.now();
    client.open(tyme, world.net.as_mut(), Owner::NONE).unwrap();
    client.tx(b"secret").unwrap();
    let (mut seen, mut gone) = (Vec::new(), false);
    world.until("the client refuses", |tyme, net| {
        client.service(tyme, net);
        let look = |remoter: &mut Remoter| seen.extend_from_slice(remoter.rx());
        server.service_each(tyme, net, look).unwrap();
        gone |= server
            .events()
            .any(|event| matches!(event, Event::Closed(..)));
        client.closed().is_some() && gone
    });
    let reason = CloseReason::Tls(TlsFailure::Predictable);
    assert_eq!(client.closed(), Some(reason));
    assert!(seen.is_empty(), "{seen:?}");
}

#[test]
fn a_real_net_refuses_to_take_up_tls_whose_keys_can_be_guessed_and_goes_on() {
    let mut world = real();
    let (guessable, client_tls) = configurations(Versions::Both);
    let mut server = world.server(Limits::default());
    let mut client = world.client(&server, Limits::default());
    let refused = Err(StartTlsError::Failed(TlsFailure::Predictable));
    let mut answers = 0;
    let mut asked = false;
    world.until("an answer in plain text", |tyme, net| {
        client.service(tyme, net);
        if client.link().connected() && !asked {
            assert_eq!(client.start_tls(&client_tls), refused);
            client.tx(b"plain").unwrap();
            asked = true;
        }
        let answer = |remoter: &mut Remoter| {
            if remoter.rx() == b"plain" {
                remoter.clear_rx();
                assert_eq!(remoter.start_tls(&guessable), refused);
                remoter.tx(b"answer").unwrap();
                answers += 1;
            }
        };
        server.service_each(tyme, net, answer).unwrap();
        client.rx() == b"answer"
    });
    assert_eq!((answers, client.closed()), (1, None));
}

#[test]
fn taking_up_tls_works_in_a_simulated_net() {
    let (server_tls, client_tls) = configurations(Versions::Both);
    let run = || {
        let mut net = Simulated::new(5);
        let at = Endpoint::host("127.0.0.1", 0);
        let mut server = Server::new(at, ListenOptions::default(), Limits::default());
        server.open(&mut net, Owner::NONE).unwrap();
        let mut client = Client::new(server.eha(), ConnectOptions::default(), Limits::default());
        client.open(net.now(), &mut net, Owner::NONE).unwrap();
        let (mut begun, mut upgrades) = (false, 0);
        for _ in 0..200 {
            let soon = net.now() + ms(5);
            net.poll(soon).unwrap();
            let tyme = net.now();
            client.service(tyme, &mut net);
            // Twice: a session within a session, each with a stream of its own.
            if client.link().connected() && upgrades < 2 && !begun {
                client.tx(b"up").unwrap();
                begun = true;
            }
            if client.rx() == b"go" {
                client.consume(2);
                client.start_tls(&client_tls).unwrap();
                (begun, upgrades) = (false, upgrades + 1);
            }
            let upgrade = |remoter: &mut Remoter| {
                if remoter.rx() == b"up" {
                    remoter.clear_rx();
                    remoter.tx(b"go").unwrap();
                    remoter.start_tls(&server_tls).unwrap();
                }
            };
            server.service_each(tyme, &mut net, upgrade).unwrap();
        }
        assert!(client.link().secured() && upgrades == 2);
        assert!(client_reasons(&mut client).is_empty());
        net.wire
    };
    assert!(run() == run());
}

#[test]
fn a_net_that_is_none_is_believed() {
    // The same net, but for what it says of itself.
    let mut net = Simulated::new(1);
    net.simulated = false;
    let (server, _) = configurations(Versions::Both);
    let at = Endpoint::host("127.0.0.1", 0);
    let mut server = Server::new(at, ListenOptions::default(), Limits::default()).with_tls(server);
    let refused = server.open(&mut net, Owner::NONE);
    assert_eq!(refused, Err(OpenError::Tls(TlsFailure::Predictable)));
    assert_eq!(net.now(), Tyme::ZERO);
}

/// Of rustls as it is in `Cargo.lock` and of the certificates as they are: a change of either
/// changes this, and nothing else may. aws-lc-rs offers other signatures and so has its own.
const PINNED: &str = if cfg!(feature = "aws-lc-rs") {
    "transcripts: trace-hash c2401125a362a267 events 1, trace-hash ca3ad1a430fe6901 events 1"
} else {
    "transcripts: trace-hash 0ee34c894984747f events 1, trace-hash f555556406194921 events 1"
};

#[test]
fn d1_debug_release_and_other_machines_send_the_same_bytes() {
    let hashes = hashes();
    assert_eq!(hashes, PINNED, "were rustls or the certificates changed?");
}
