//! Goal: communicators at their edges: issuers whose name begins with a country, what a sender is known by, a peer that
//! cannot be reached in time or does not read, an inbox that is full.
//! Method: communicators on loopback with certificates, raw requests, a listener that does not read, and a partition in
//! the simulator.

#[expect(dead_code, reason = "these stories need only some of it")]
#[path = "support/pki.rs"]
mod pki;

use std::io::Read;
use std::net::TcpListener;
use std::time::Duration;

use hio::link::tls::{Certify, Source};
use hio::link::{Client, CloseReason, Limits};
use hio::net::{ConnectOptions, Endpoint, MioNet, Net, Owner};
use hio::proto::communicator::{
    Cause, CommunicatorEvent, CommunicatorLimits, HttpCommunicator, HttpConfig, HttpConnection,
    HttpTimeout, RetryPolicy, SendFailure,
};
use hio::sim::{FaultPlan, Sim, Station};
use hio::tyme::Tyme;
use pki::{Authority, Identity};
use rcgen::{DistinguishedName, DnType, SerialNumber};

const PATIENCE: Duration = Duration::from_secs(20);

fn pause(net: &mut MioNet) {
    let mut marked = Vec::new();
    net.woken(&mut marked);
    let pause = Duration::from_millis(if marked.is_empty() { 5 } else { 0 });
    let now = net.now();
    net.poll(now + pause).expect("polling works");
}

fn start(communicator: &mut HttpCommunicator, net: &mut dyn Net, owner: u64) {
    let now = net.now();
    communicator
        .initialize(now, net, Owner(owner))
        .expect("it can listen");
}

fn failure(event: Option<CommunicatorEvent>) -> SendFailure {
    match event {
        Some(CommunicatorEvent::Failed { failure, .. }) => failure,
        other => panic!("{other:?}"),
    }
}

/// An authority with these attributes, in this order.
fn authority(attributes: &[(DnType, &str)]) -> Authority {
    Authority::changed("", |params| {
        let mut name = DistinguishedName::new();
        for (kind, value) in attributes {
            name.push(kind.clone(), *value);
        }
        params.distinguished_name = name;
    })
}

/// What `alice` hears when she sends to `bob`, who knows her by `known`.
fn sends(root: &Authority, alice: &Identity, bob: &Identity, known: &Identity) -> Option<u16> {
    let mut net = MioNet::new().expect("a net");
    let ca = root.pem();
    let config = |id: &Identity| {
        let server = id.server().client_ca(ca.as_bytes()).build().unwrap();
        let client = id.client(&ca).any_name().build().unwrap();
        HttpConfig::at("127.0.0.1", 0).with_tls(server, client)
    };
    let mut to = HttpCommunicator::http(config(bob)).expect("both");
    to.set_receive_handler(|from: &str, _: &[u8]| {
        assert_eq!(from, "alice");
        Ok(())
    });
    let hers = HttpConnection::new("127.0.0.1", 1);
    let hers = hers.with_cert(known.chain.as_bytes().to_vec()).unwrap();
    to.add_connection("alice", hers).expect("new");
    start(&mut to, &mut net, 2);
    let mut from = HttpCommunicator::http(config(alice)).expect("both");
    let his = HttpConnection::new("127.0.0.1", to.transport().port());
    from.add_connection("bob", his).expect("new");
    start(&mut from, &mut net, 1);
    from.send("bob", "hello").expect("started");
    let until = net.now() + PATIENCE;
    while !from.has_news() {
        let now = net.now();
        assert!(now < until, "nothing happens");
        from.service(now, &mut net).expect("it listens");
        to.service(now, &mut net).expect("it listens");
        pause(&mut net);
    }
    match from.events().next() {
        Some(CommunicatorEvent::Sent { .. }) => Some(200),
        event => match failure(event).cause {
            Cause::Status { status, .. } => Some(status),
            _ => None,
        },
    }
}

#[test]
fn an_issuer_whose_name_begins_with_its_country_is_known_by_its_common_name() {
    let root = authority(&[(DnType::CountryName, "NL"), (DnType::CommonName, "x")]);
    let issue = |name: &str, number: u64| {
        root.issue(name, |params| {
            params.serial_number = Some(SerialNumber::from(number));
        })
    };
    let (alice, bob, carol) = (issue("alice", 7), issue("bob", 8), issue("carol", 9));
    let id = |identity: &Identity| {
        let connection = HttpConnection::new("127.0.0.1", 1);
        let connection = connection.with_cert(identity.chain.as_bytes().to_vec());
        connection.unwrap().network_id()
    };
    assert_eq!([id(&alice), id(&bob)], ["x:7", "x:8"]);
    assert_eq!(sends(&root, &alice, &bob, &alice), Some(200));
    assert_eq!(sends(&root, &carol, &bob, &alice), Some(401));
}

#[test]
fn an_issuer_without_a_common_name_is_known_as_none() {
    let root = authority(&[(DnType::CountryName, "NL")]);
    let alice = root.issue("alice", |params| {
        params.serial_number = Some(SerialNumber::from(7));
    });
    let connection = HttpConnection::new("127.0.0.1", 1);
    let connection = connection.with_cert(alice.chain.as_bytes().to_vec());
    assert_eq!(connection.unwrap().network_id(), "None:7");
}

#[test]
fn a_certificate_is_read_from_pem_and_der_and_what_is_none_is_named() {
    let root = Authority::root("root");
    let chain = root.issue("alice", |_| ()).with(&root.pem()).chain;
    let of_pem = Source::from(chain.as_bytes()).certificate().expect("PEM");
    let of_der = Source::from(of_pem.as_slice()).certificate().expect("DER");
    assert_eq!(of_der, of_pem, "the first of the chain");
    for (bad, says) in [
        (&b""[..], "certificate"),
        (b"-----BEGIN NOTHING-----", "certificate"),
        (b"\x30\x03\x02\x01\x00", "X.509"),
    ] {
        let why = Source::from(bad).certificate().unwrap_err().to_string();
        assert!(why.contains(says), "{why}");
    }
    let why = Source::from("no/such.pem").certificate().unwrap_err();
    assert!(why.to_string().contains("no/such.pem"), "{why}");
}

#[test]
fn a_server_says_whether_it_asks_for_certificates() {
    let root = Authority::root("root");
    let server = || root.issue("server", |_| ()).server();
    let asks = |certify| {
        let with = server().client_ca(root.pem().as_bytes()).certify(certify);
        with.build().unwrap().asks_for_certificates()
    };
    assert_eq!(asks(Certify::Required), Some(true));
    assert_eq!(asks(Certify::Optional), Some(true));
    assert_eq!(
        server().build().unwrap().asks_for_certificates(),
        Some(false)
    );
}

/// Sends from `a` to `b`, which does not answer any packet of the network; when that was, and how
/// it ended.
fn to_the_cut_off(timeout: HttpTimeout, attempts_max: u32) -> (Tyme, SendFailure) {
    let mut sim = Sim::new(1);
    let a = sim.station("a");
    sim.station("b");
    let cut: FaultPlan = "at 0s partition a | b".parse().expect("a plan");
    sim.plan(&cut).expect("both are there");
    let mut net = Station::new(sim, a);
    let mut config = HttpConfig::at("127.0.0.1", 80);
    config.conn_timeout = timeout;
    let retry = RetryPolicy {
        attempts_max,
        delay: Duration::from_secs(1),
        ..RetryPolicy::default()
    };
    let mut from = HttpCommunicator::http(config)
        .expect("no TLS")
        .with_retry(retry);
    from.add_connection("b", HttpConnection::new("b", 80))
        .expect("new");
    start(&mut from, &mut net, 1);
    from.send("b", "x").expect("started");
    loop {
        let now = net.now();
        assert!(now < Tyme::from_secs(1000), "nothing happens");
        from.service(now, &mut net).expect("it listens");
        if from.has_news() {
            break;
        }
        // Marks that were left over end no wait.
        let mut marked = Vec::new();
        net.woken(&mut marked);
        let due = match marked.is_empty() {
            true => from.due(now),
            false => now,
        };
        net.poll(due).expect("the world goes on");
    }
    (net.now(), failure(from.events().next()))
}

#[test]
fn a_peer_that_cannot_be_reached_in_time_is_tried_again() {
    let timeout = HttpTimeout {
        sock_connect: Some(Duration::from_millis(1500)),
        ..HttpTimeout::default()
    };
    let (at, failure) = to_the_cut_off(timeout, 3);
    let late = Cause::Unreachable(CloseReason::ConnectTimedOut);
    assert_eq!((failure.attempts, failure.cause), (3, late));
    assert_eq!(at, Tyme::from_millis(3 * 1500 + 2 * 1000));
    // Longer than the threshold: each ends at a whole second.
    let timeout = HttpTimeout {
        sock_connect: Some(Duration::from_millis(5500)),
        ..HttpTimeout::default()
    };
    let (at, failure) = to_the_cut_off(timeout, 2);
    assert_eq!((failure.attempts, at), (2, Tyme::from_secs(6 + 1 + 6)));
}

#[test]
fn silence_counts_only_once_the_packet_is_out() {
    let mut net = MioNet::new().expect("a net");
    let lazy = TcpListener::bind("127.0.0.1:0").expect("a port");
    lazy.set_nonblocking(true).expect("it can be");
    let port = lazy.local_addr().expect("an address").port();
    let mut config = HttpConfig::at("127.0.0.1", 0);
    let silence = Duration::from_millis(60);
    config.conn_timeout.sock_read = Some(silence);
    let retry = RetryPolicy {
        attempts_max: 1,
        ..RetryPolicy::default()
    };
    let mut alice = HttpCommunicator::http(config)
        .expect("no TLS")
        .with_retry(retry);
    let connection = HttpConnection::new("127.0.0.1", port);
    alice.add_connection("lazy", connection).expect("new");
    start(&mut alice, &mut net, 1);
    // More than the buffers of both sides hold.
    let packet = vec![7; 24 << 20];
    alice.send("lazy", packet.clone()).expect("started");
    let began = net.now();
    let (mut guest, mut read, mut all_read) = (None, 0, None);
    while !alice.has_news() {
        let now = net.now();
        assert!(now < began + PATIENCE, "nothing happens");
        alice.service(now, &mut net).expect("it listens");
        if let Ok((stream, _)) = lazy.accept() {
            stream.set_nonblocking(true).expect("it can be");
            guest = Some(stream);
        }
        // It begins to read after ten times as long as it may be silent.
        let reads = now >= began + silence * 10;
        assert!(reads || !alice.has_news(), "it was not asked anything yet");
        if let Some(stream) = guest.as_mut().filter(|_| reads) {
            let mut buffer = vec![0; 1 << 20];
            while let Ok(n @ 1..) = stream.read(&mut buffer) {
                read += n;
            }
            if read > packet.len() && all_read.is_none() {
                all_read = Some(now);
            }
        }
        pause(&mut net);
    }
    let failure = failure(alice.events().next());
    assert_eq!(failure.cause, Cause::ReadTimedOut);
    let all_read = all_read.expect("the packet went out as a whole");
    assert!(net.now() >= all_read, "and then it was silent");
    assert!(net.now() >= began + silence * 11);
}

fn request(len: usize, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST / HTTP/1.1\r\nHost: x\r\nCookie: server_port=8000\r\nContent-Length: {len}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

/// A communicator that knows a sender at port 8000, with room for 150 000 bytes.
fn with_a_small_inbox(net: &mut MioNet) -> (HttpCommunicator, Endpoint) {
    let limits = CommunicatorLimits {
        inbox_bytes_max: 150_000,
        ..CommunicatorLimits::default()
    };
    let config = HttpConfig::at("127.0.0.1", 0);
    let mut bob = HttpCommunicator::http(config)
        .expect("no TLS")
        .with_limits(limits);
    bob.receive_events();
    let alice = HttpConnection::new("localhost", 8000);
    bob.add_connection("alice", alice).expect("new");
    start(&mut bob, net, 1);
    let at = bob.transport().listening().next().expect("open").clone();
    (bob, at)
}

/// Turns a communicator and its callers until `done`.
fn until(
    net: &mut MioNet,
    bob: &mut HttpCommunicator,
    callers: &mut [Client],
    mut done: impl FnMut(&mut HttpCommunicator, &[Client]) -> bool,
) {
    let began = net.now();
    while !done(bob, callers) {
        let now = net.now();
        assert!(now < began + PATIENCE, "nothing happens");
        bob.service(now, net).expect("it listens");
        for caller in callers.iter_mut() {
            caller.service(now, net);
        }
        pause(net);
    }
}

fn callers<const N: usize>(net: &mut MioNet, at: &Endpoint) -> [Client; N] {
    std::array::from_fn(|nth| {
        let mut client = Client::new(at.clone(), ConnectOptions::default(), Limits::default());
        let now = net.now();
        client
            .open(now, net, Owner(10 + nth as u64))
            .expect("good limits");
        client
    })
}

#[test]
fn l1_what_is_coming_is_bounded_and_more_is_told_to_come_later() {
    let mut net = MioNet::new().expect("a net");
    let (mut bob, at) = with_a_small_inbox(&mut net);
    let mut both: [Client; 2] = callers(&mut net, &at);
    both[0].tx(&request(100_000, &[b'x'; 1_000])).expect("room");
    until(&mut net, &mut bob, &mut both, |_, both| {
        both[0].link().pending() == 0
    });
    until(&mut net, &mut bob, &mut both, |_, both| both[1].connected());
    // A little longer, so that the first one's head has been read.
    let soon = net.now() + Duration::from_millis(100);
    while net.now() < soon {
        until(&mut net, &mut bob, &mut both, |_, _| true);
        let now = net.now();
        bob.service(now, &mut net).expect("it listens");
        pause(&mut net);
    }
    both[1].tx(&request(100_000, b"")).expect("room");
    until(&mut net, &mut bob, &mut both, |_, both| {
        !both[1].rx().is_empty()
    });
    let answer = String::from_utf8_lossy(both[1].rx()).into_owned();
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    // The first one is not disturbed, and once it is through there is room again.
    both[0].tx(&[b'x'; 99_000]).expect("room");
    until(&mut net, &mut bob, &mut both, |bob, _| bob.has_news());
    let Some(CommunicatorEvent::Received { id, packet, .. }) = bob.events().next() else {
        panic!("no packet");
    };
    assert_eq!(packet.len(), 100_000);
    let now = net.now();
    bob.acknowledge(id, now, &mut net).expect("it waits");
    until(&mut net, &mut bob, &mut both, |_, both| {
        !both[0].rx().is_empty()
    });
    assert!(both[0].rx().starts_with(b"HTTP/1.1 200 OK"));
    let mut third: [Client; 1] = callers(&mut net, &at);
    third[0]
        .tx(&request(100_000, &[b'y'; 100_000]))
        .expect("room");
    until(&mut net, &mut bob, &mut third, |bob, _| bob.has_news());
}

#[test]
fn l1_what_waits_to_be_acknowledged_is_bounded() {
    let mut net = MioNet::new().expect("a net");
    let (mut bob, at) = with_a_small_inbox(&mut net);
    let mut both: [Client; 2] = callers(&mut net, &at);
    let long = request(100_000, &[b'x'; 100_000]);
    both[0].tx(&long).expect("room");
    until(&mut net, &mut bob, &mut both, |bob, _| {
        bob.unanswered() == 1
    });
    both[1].tx(&long).expect("room");
    until(&mut net, &mut bob, &mut both, |_, both| {
        !both[1].rx().is_empty()
    });
    let answer = String::from_utf8_lossy(both[1].rx()).into_owned();
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(answer.contains("too many packets wait"), "{answer}");
    assert_eq!(bob.unanswered(), 1, "the first one waits still");
}
