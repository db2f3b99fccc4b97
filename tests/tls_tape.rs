//! Goal: a run with ordinary certificates, whose signatures and key shares no seed can fix, is
//! replayed byte for byte from its tape, without its files and keys. Method: two ends on one net in
//! memory, recorded and replayed; all that they write is compared; tapes that do not fit are
//! errors.
#![cfg(any(feature = "tls", feature = "aws-lc-rs"))]

mod support;

use hio::link::tls::{ClientTls, ServerTls, TlsError, Versions};
use hio::link::{Client, CloseReason, Limits, Remoter, Server, TlsFailure};
use hio::net::{ConnectOptions, Endpoint, ListenOptions, Net, Owner, Tape};
use support::pki::{Identity, Pki};
use support::simulated::Simulated;
use support::{ms, pattern};

/// What a run came to.
#[derive(Debug, PartialEq)]
struct Run {
    wire: Vec<u8>,
    echoed: usize,
    closed: [Option<CloseReason>; 2],
    resumed: bool,
}

/// Two connections, one after the other, so that the second resumes the first.
fn run(server: &ServerTls, client: &ClientTls) -> Run {
    let mut net = Simulated::new(1);
    net.simulated = false;
    let at = Endpoint::host("127.0.0.1", 0);
    let mut server =
        Server::new(at, ListenOptions::default(), Limits::default()).with_tls(server.clone());
    server.open(&mut net, Owner::NONE).unwrap();
    let mut client = Client::new(server.eha(), ConnectOptions::default(), Limits::default())
        .with_tls(client.clone());
    let message = pattern(3000);
    let (mut echoed, mut resumed) = (0, false);
    let closed = [(); 2].map(|()| {
        client.open(net.now(), &mut net, Owner::NONE).unwrap();
        client.tx(&message).unwrap();
        for _ in 0..200 {
            let soon = net.now() + ms(5);
            net.poll(soon).unwrap();
            let tyme = net.now();
            client.service(tyme, &mut net);
            let echo = |remoter: &mut Remoter| {
                let _ = remoter.echo();
            };
            server.service_each(tyme, &mut net, echo).unwrap();
            if client.rx() == message {
                resumed = client.link().tls().unwrap().resumed();
                echoed += client.rx().len();
                client.consume(usize::MAX);
                client.drain();
            }
        }
        client.closed()
    });
    Run {
        wire: net.wire,
        echoed,
        closed,
        resumed,
    }
}

fn server_of(id: &Identity, ca: &str, versions: Versions, tape: &Tape) -> ServerTls {
    let builder = id.server().client_ca(ca.as_bytes()).versions(versions);
    builder.tape(tape).build().unwrap()
}

fn client_of(id: &Identity, ca: &str, versions: Versions, tape: &Tape) -> ClientTls {
    let builder = id.client(ca).name("localhost").versions(versions);
    builder.tape(tape).build().unwrap()
}

/// As a recording's reader would make them: with names of files that are not there.
fn replayed(versions: Versions, tape: &Tape) -> (ServerTls, ClientTls) {
    let server = ServerTls::builder()
        .certificate("gone")
        .key("gone")
        .client_ca("gone")
        .versions(versions)
        .tape(tape);
    let server = server.build().unwrap();
    let client = ClientTls::builder()
        .ca("gone")
        .certificate("gone")
        .key("gone")
        .name("localhost")
        .versions(versions)
        .tape(tape);
    (server, client.build().unwrap())
}

fn fed(entries: &[Vec<u8>]) -> Tape {
    let tape = Tape::replaying();
    for entry in entries {
        tape.feed(entry.clone());
    }
    tape
}

fn recorded(pki: &Pki, versions: Versions) -> (Run, Vec<Vec<u8>>) {
    let tape = Tape::recording();
    let server = server_of(&pki.server, &pki.ca, versions, &tape);
    let client = client_of(&pki.client, &pki.ca, versions, &tape);
    let run = run(&server, &client);
    (run, tape.drain_new())
}

#[test]
fn d1_a_run_with_ordinary_certificates_replays_to_the_byte() {
    let pki = Pki::new(); // ECDSA P-256
    for versions in [Versions::Tls12, Versions::Tls13] {
        let (first, entries) = recorded(&pki, versions);
        assert_eq!((first.echoed, first.resumed), (6000, true));
        assert_eq!(first.closed, [Some(CloseReason::Closed); 2]);
        let (other, _) = recorded(&pki, versions);
        assert!(first.wire != other.wire, "no run is as another");

        let tape = fed(&entries);
        let (server, client) = replayed(versions, &tape);
        let again = run(&server, &client);
        assert!(first == again, "{:?}", tape.take_missed());
        assert_eq!((tape.peek(), tape.take_missed()), (None, None));
    }
}

#[test]
fn no_private_key_is_on_the_tape() {
    let pki = Pki::new();
    let (_, entries) = recorded(&pki, Versions::Both);
    let all = entries.concat();
    let has = |what: &[u8]| all.windows(what.len()).any(|window| window == what);
    assert!(has(pki.server.chain.as_bytes()), "the certificate is");
    assert!(has(b"signature") && has(b"shared secret") && has(b"key share"));
    assert!(!has(b"PRIVATE KEY"));
    for id in [&pki.server, &pki.client] {
        let der: Vec<u8> = rcgen::KeyPair::from_pem(&id.key).unwrap().serialize_der();
        // PKCS #8 of P-256: the number itself is at 36.
        assert!(!has(&der[36..68]));
    }
}

#[test]
fn a_tape_that_does_not_fit_is_an_error_of_the_session_and_named() {
    let pki = Pki::new();
    let versions = Versions::Tls13;
    let (first, entries) = recorded(&pki, versions);
    let built = 6; // what building takes: certificates, authorities, kinds of keys
    let lost = Some(CloseReason::Tls(TlsFailure::Local));
    for cut in [built, built + 1, built + 4, entries.len() - 1] {
        let tape = fed(&entries[..cut]);
        let (server, client) = replayed(versions, &tape);
        let again = run(&server, &client);
        let missed = tape.take_missed().unwrap();
        assert!(missed.ends_with("nothing is left on the tape"), "{missed}");
        assert!(again != first);
        if cut == built {
            assert_eq!(again.closed, [lost; 2]);
            assert!(again.wire.is_empty());
        }
    }
    // One entry too few in the middle.
    let mut entries = entries;
    entries.remove(built + 2);
    let tape = fed(&entries);
    let (server, client) = replayed(versions, &tape);
    run(&server, &client);
    let missed = tape.take_missed().unwrap();
    assert!(missed.contains("the tape has"), "{missed}");
}

#[test]
fn without_a_tape_nothing_is_built() {
    let tape = Tape::replaying();
    let missing = ServerTls::builder().certificate("gone").key("gone");
    let why = missing.tape(&tape).build().unwrap_err();
    let said = TlsError::Refused("there is no certificate on the tape".into());
    assert_eq!(why, said);
}

#[test]
fn errors_of_files_are_those_of_builds_without_a_tape() {
    let tape = Tape::recording();
    let build = |builder: hio::link::tls::ServerTlsBuilder| builder.build().unwrap_err();
    let gone = || ServerTls::builder().certificate("gone").key("gone");
    assert_eq!(build(gone().tape(&tape)), build(gone()));
    let (one, other) = (Pki::new(), Pki::new());
    let mismatched = || {
        let builder = ServerTls::builder().certificate(one.server.chain.as_bytes());
        builder.key(other.server.key.as_bytes())
    };
    assert_eq!(build(mismatched().tape(&tape)), build(mismatched()));
}
