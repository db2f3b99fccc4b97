//! Goal: a run with TLS on real sockets and ordinary certificates (ECDSA P-256, by the provider's
//! own randomness) replays from its recording, without files, keys or sockets (law D1), and a run
//! that differs is named. Method: one end is recorded while the other, on a net of its own, is
//! not; server and client, both versions, with client certificates and resumption.
#![cfg(any(feature = "tls", feature = "aws-lc-rs"))]

#[expect(dead_code, reason = "these stories need only some of it")]
#[path = "support/pki.rs"]
mod pki;

use std::io::{self, Cursor, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hio::link::tls::{ClientTls, ServerTls, Versions};
use hio::link::{Client, CloseReason, Limits, Remoter, Server};
use hio::net::{
    ConnectOptions, Endpoint, ListenOptions, MioNet, Net, Owner, Record, RecordedRun, Replay,
    ReplayEnd, Tape,
};
use pki::Pki;

/// A file in memory.
#[derive(Clone, Default)]
struct Disk(Arc<Mutex<Vec<u8>>>);

impl Disk {
    fn recording(&self) -> RecordedRun {
        RecordedRun::open(Cursor::new(self.0.lock().unwrap().clone())).unwrap()
    }
}

impl Write for Disk {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(data)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

const ROUNDS: usize = 4;

fn message(round: usize) -> Vec<u8> {
    (0..20_000 + round * 7)
        .map(|i: usize| (i * 31 + round).to_le_bytes()[0])
        .collect()
}

/// The server of a run: it echoes until all clients have come and gone. What it has to show.
fn serve(net: &mut dyn Net, tls: ServerTls, mut meanwhile: impl FnMut(&Endpoint)) -> u64 {
    let at = Endpoint::host("127.0.0.1", 0);
    let mut server = Server::new(at, ListenOptions::default(), Limits::default()).with_tls(tls);
    if server.open(net, Owner::NONE).is_err() {
        return 0; // a replay that differs from the first
    }
    let at = server.eha();
    for _ in 0..20_000 {
        meanwhile(&at);
        let soon = net.now() + Duration::from_millis(5);
        if net.poll(soon).is_err() {
            break; // a replay that differs
        }
        let tyme = net.now();
        let echo = |remoter: &mut Remoter| {
            let _ = remoter.echo();
        };
        if server.service_each(tyme, net, echo).is_err() {
            break;
        }
        if server.stats().closed == ROUNDS as u64 {
            break;
        }
    }
    server.stats().received
}

/// The client of a run: one connection after the other. How they ended.
fn dial(
    net: &mut dyn Net,
    to: Endpoint,
    tls: ClientTls,
    mut meanwhile: impl FnMut(),
) -> Vec<Option<CloseReason>> {
    let mut client = Client::new(to, ConnectOptions::default(), Limits::default()).with_tls(tls);
    let (mut ends, mut wanted) = (Vec::new(), Vec::new());
    for _ in 0..20_000 {
        meanwhile();
        let soon = net.now() + Duration::from_millis(5);
        if net.poll(soon).is_err() {
            break;
        }
        let tyme = net.now();
        step(&mut client, tyme, net, &mut ends, &mut wanted);
        if ends.len() == ROUNDS {
            break;
        }
    }
    ends
}

fn step(
    client: &mut Client,
    tyme: hio::tyme::Tyme,
    net: &mut dyn Net,
    ends: &mut Vec<Option<CloseReason>>,
    wanted: &mut Vec<u8>,
) {
    if wanted.is_empty() {
        *wanted = message(ends.len());
        client.open(tyme, net, Owner::NONE).unwrap();
        client.tx(wanted).unwrap();
    }
    client.service(tyme, net);
    if !wanted.is_empty() && client.rx() == wanted {
        client.consume(usize::MAX);
        client.drain();
    }
    if client.closed().is_some() {
        ends.push(client.closed());
        wanted.clear();
    }
}

/// An echo server that nobody records, to be stepped beside.
fn unrecorded_server(tls: ServerTls) -> (Endpoint, impl FnMut()) {
    let mut net = MioNet::new().unwrap();
    let at = Endpoint::host("127.0.0.1", 0);
    let mut server = Server::new(at, ListenOptions::default(), Limits::default()).with_tls(tls);
    server.open(&mut net, Owner::NONE).unwrap();
    let at = server.eha();
    let turn = move || {
        let soon = net.now();
        net.poll(soon).unwrap();
        let tyme = net.now();
        let echo = |remoter: &mut Remoter| {
            let _ = remoter.echo();
        };
        server.service_each(tyme, &mut net, echo).unwrap();
    };
    (at, turn)
}

fn server_tls(pki: &Pki, versions: Versions, tape: Option<&Tape>) -> ServerTls {
    let builder = pki.server.server().client_ca(pki.ca.as_bytes());
    let builder = builder.versions(versions);
    match tape {
        Some(tape) => builder.tape(tape).build().unwrap(),
        None => builder.build().unwrap(),
    }
}

fn client_tls(pki: &Pki, versions: Versions, tape: Option<&Tape>) -> ClientTls {
    let builder = pki.client.client(&pki.ca).name("localhost");
    let builder = builder.versions(versions);
    match tape {
        Some(tape) => builder.tape(tape).build().unwrap(),
        None => builder.build().unwrap(),
    }
}

/// Records a server; the file.
fn recorded_server(pki: &Pki, versions: Versions) -> (Disk, u64, hio::net::TraceHash) {
    let (disk, tape) = (Disk::default(), Tape::recording());
    let mut net = Record::new(MioNet::new().unwrap(), disk.clone(), "a server").with_tape(&tape);
    let tls = server_tls(pki, versions, Some(&tape));
    let mut far = MioNet::new().unwrap();
    let far_tls = client_tls(pki, versions, None);
    let mut client: Option<Client> = None;
    let (mut ends, mut wanted) = (Vec::new(), Vec::new());
    let received = serve(&mut net, tls, |at| {
        let client = client.get_or_insert_with(|| {
            Client::new(at.clone(), ConnectOptions::default(), Limits::default())
                .with_tls(far_tls.clone())
        });
        let soon = far.now();
        far.poll(soon).unwrap();
        let tyme = far.now();
        if ends.len() < ROUNDS {
            step(client, tyme, &mut far, &mut ends, &mut wanted);
        }
    });
    // The server has seen its last client go, who may not have seen that yet.
    assert!(ends.len() >= ROUNDS - 1);
    assert!(ends.iter().all(|end| *end == Some(CloseReason::Closed)));
    let recorded = net.finish();
    assert!(recorded.failure.is_none() && recorded.lost == 0);
    (disk, received, recorded.hash)
}

#[test]
fn d1_a_real_server_replays_without_files_keys_and_sockets() {
    let pki = Pki::new();
    let all: usize = (0..ROUNDS).map(|round| message(round).len()).sum();
    for versions in [Versions::Tls12, Versions::Tls13] {
        let (disk, received, hash) = recorded_server(&pki, versions);
        assert_eq!(received, all as u64);

        let tape = Tape::replaying();
        let mut net = Replay::new(disk.recording()).unwrap().with_tape(&tape);
        let tls = ServerTls::builder()
            .certificate("gone")
            .key("gone")
            .client_ca("gone")
            .versions(versions)
            .tape(&tape)
            .build()
            .unwrap();
        let again = serve(&mut net, tls, |_| {});
        assert_eq!(net.finish(), ReplayEnd::Complete);
        assert_eq!((again, net.hash()), (received, hash));
    }
}

#[test]
fn d1_a_real_client_replays_without_files_keys_and_sockets() {
    let pki = Pki::new();
    for versions in [Versions::Tls12, Versions::Tls13] {
        let (at, turn) = unrecorded_server(server_tls(&pki, versions, None));
        let (disk, tape) = (Disk::default(), Tape::recording());
        let mut net =
            Record::new(MioNet::new().unwrap(), disk.clone(), "a client").with_tape(&tape);
        let tls = client_tls(&pki, versions, Some(&tape));
        let ends = dial(&mut net, at.clone(), tls, turn);
        assert_eq!(ends, [Some(CloseReason::Closed); ROUNDS]);
        let recorded = net.finish();

        let tape = Tape::replaying();
        let mut net = Replay::new(disk.recording()).unwrap().with_tape(&tape);
        let tls = ClientTls::builder()
            .ca("gone")
            .certificate("gone")
            .key("gone")
            .name("localhost")
            .versions(versions)
            .tape(&tape)
            .build()
            .unwrap();
        let again = dial(&mut net, at, tls, || {});
        assert_eq!(net.finish(), ReplayEnd::Complete);
        assert_eq!((again, net.hash()), (ends, recorded.hash));
    }
}

#[test]
fn a_replay_without_the_tape_is_named() {
    let pki = Pki::new();
    let (disk, _, _) = recorded_server(&pki, Versions::Tls13);
    // The right keys, but nobody asks for what the tape has.
    let mut net = Replay::new(disk.recording()).unwrap();
    serve(&mut net, server_tls(&pki, Versions::Tls13, None), |_| {});
    let ReplayEnd::Diverged(at) = net.finish() else {
        panic!("nothing was taken from the tape");
    };
    assert!(at.expected.contains("tape"), "{at}");
}

#[test]
fn a_replay_that_speaks_otherwise_is_named() {
    let pki = Pki::new();
    let (disk, _, _) = recorded_server(&pki, Versions::Both);
    let tape = Tape::replaying();
    let mut net = Replay::new(disk.recording()).unwrap().with_tape(&tape);
    let tls = ServerTls::builder()
        .certificate("gone")
        .key("gone")
        .client_ca("gone")
        .alpn(["h2"]) // what it said to the client is another length now, or refused
        .versions(Versions::Tls12)
        .tape(&tape);
    serve(&mut net, tls.build().unwrap(), |_| {});
    assert!(matches!(net.finish(), ReplayEnd::Diverged(_)));
}
