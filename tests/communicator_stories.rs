//! Goal: every row of the seeds' table of the Communicator holds: life cycle, errors and their messages, handlers, retries,
//! timeouts, identity, duplicates, limits, pools.
//! Method: communicators within a process, over frames and over HTTP on loopback, and raw requests to one of them.

#[expect(dead_code, reason = "these stories need only some of it")]
#[path = "support/pki.rs"]
mod pki;

use std::time::Duration;

use hio::link::{Client, Limits};
use hio::net::{ConnectOptions, Endpoint, MioNet, Net, Owner};
use hio::proto::communicator::{
    Cause, Communicator, CommunicatorError, CommunicatorEvent, CommunicatorLimits,
    CommunicatorState, Delivery, Duplicates, FrameConfig, FrameConnection, FrameTransport,
    HttpCommunicator, HttpConfig, HttpConfigError, HttpConnection, HttpTimeout, LocalConnection,
    LocalNetwork, LocalTransport, Object, Pool, PoolError, PoolEvent, Rejection, RetryPolicy,
    SendFailure, Transport,
};
use hio::tyme::Tyme;
use pki::Pki;

const PATIENCE: Duration = Duration::from_secs(20);

fn local(network: &LocalNetwork, me: &str, other: &str) -> Communicator<LocalTransport> {
    let mut communicator = Communicator::new(LocalTransport::new(network, me));
    let connection = LocalConnection::new(other);
    communicator.add_connection(other, connection).expect("new");
    communicator
}

fn quick(attempts_max: u32) -> RetryPolicy {
    RetryPolicy {
        attempts_max,
        delay: Duration::from_millis(20),
        ..RetryPolicy::default()
    }
}

/// A port of loopback that nobody listens on.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

/// Turns two communicators until one has an event.
fn turn<A: Transport, B: Transport>(
    net: &mut MioNet,
    a: &mut Communicator<A>,
    b: &mut Communicator<B>,
) {
    let until = net.now() + PATIENCE;
    while !a.has_news() && !b.has_news() {
        let now = net.now();
        assert!(now < until, "nothing happens");
        a.service(now, net).expect("it listens");
        b.service(now, net).expect("it listens");
        pause(net);
    }
}

fn pause(net: &mut MioNet) {
    let mut marked = Vec::new();
    net.woken(&mut marked);
    let pause = Duration::from_millis(if marked.is_empty() { 5 } else { 0 });
    let now = net.now();
    net.poll(now + pause).expect("polling works");
}

fn alone<A: Transport>(net: &mut MioNet, a: &mut Communicator<A>) -> CommunicatorEvent {
    let mut nobody = Communicator::new(LocalTransport::new(&LocalNetwork::new(), "nobody"));
    turn(net, a, &mut nobody);
    a.events().next().expect("news")
}

fn failure(event: CommunicatorEvent) -> SendFailure {
    match event {
        CommunicatorEvent::Failed { failure, .. } => failure,
        other => panic!("{other:?}"),
    }
}

fn start<T: Transport>(communicator: &mut Communicator<T>, net: &mut MioNet, owner: u64) {
    let now = net.now();
    communicator
        .initialize(now, net, Owner(owner))
        .expect("it can listen");
}

#[test]
fn the_life_cycle_and_its_messages() {
    assert_eq!(
        [
            CommunicatorState::Uninitialized as u8,
            CommunicatorState::Started as u8,
            CommunicatorState::Stopped as u8
        ],
        [1, 2, 3]
    );
    let (mut net, now) = (MioNet::new().expect("a net"), Tyme::ZERO);
    let network = LocalNetwork::new();
    let mut alice = local(&network, "alice", "bob");
    let say = |e: CommunicatorError| e.to_string();
    assert_eq!(
        alice.send("bob", "x").map_err(say),
        Err("Illegal: Cannot perform 'send' while state is UNINITIALIZED.".to_owned())
    );
    assert_eq!(
        alice.shutdown(now, &mut net).map_err(say),
        Err("Illegal: Cannot perform 'shutdown' while state is UNINITIALIZED.".to_owned())
    );
    assert_eq!(
        alice
            .add_connection("bob", LocalConnection::new("bob"))
            .map_err(say),
        Err("Connection with name 'bob' already registered!".to_owned())
    );
    start(&mut alice, &mut net, 1);
    // The state is looked at before the name.
    assert_eq!(
        alice
            .add_connection("bob", LocalConnection::new("bob"))
            .map_err(say),
        Err("Illegal: Cannot perform 'add_connection' while state is STARTED.".to_owned())
    );
    assert_eq!(
        alice.initialize(now, &mut net, Owner(1)).map_err(say),
        Err("Illegal: Cannot perform 'start' while state is STARTED.".to_owned())
    );
    assert_eq!(
        alice.send("carol", "x").map_err(say),
        Err("No connection registered with name 'carol'".to_owned())
    );
    alice.shutdown(now, &mut net).expect("it was started");
    assert_eq!(
        alice.send("carol", "x").map_err(say),
        Err("Illegal: Cannot perform 'send' while state is STOPPED.".to_owned())
    );
}

#[test]
fn without_a_handler_the_sender_is_told_so() {
    let mut net = MioNet::new().expect("a net");
    let network = LocalNetwork::new();
    let mut alice = local(&network, "alice", "bob");
    let mut bob = local(&network, "bob", "alice");
    assert!(matches!(
        bob.receive_handler(),
        Err(CommunicatorError::HandlerNotSet)
    ));
    start(&mut alice, &mut net, 1);
    start(&mut bob, &mut net, 2);
    alice.send("bob", "x").expect("started");
    turn(&mut net, &mut alice, &mut bob);
    let failure = failure(alice.events().next().expect("news"));
    assert_eq!(
        failure.to_string(),
        "refused: The receive handler is not set."
    );
    // It may be set and replaced at any time.
    bob.set_receive_handler(|_: &str, _: &[u8]| Err(Rejection::failed("no")));
    bob.register_receive_handler(|from: &str, packet: &[u8]| {
        assert_eq!((from, packet), ("alice", &b"y"[..]));
        Ok(())
    });
    assert_eq!(bob.receive_handler().expect("set")("alice", b"y"), Ok(()));
    let id = alice.send("bob", "y").expect("started");
    turn(&mut net, &mut alice, &mut bob);
    let event = alice.events().next();
    assert_eq!(event, Some(CommunicatorEvent::Sent { id, attempts: 1 }));
}

#[test]
fn packets_as_events_wait_for_their_acknowledgement() {
    let mut net = MioNet::new().expect("a net");
    let [mut alice, mut bob] = http_pair(&mut net);
    bob.receive_events();
    for well in [true, false] {
        let sent = alice.send("bob", "hello").expect("started");
        turn(&mut net, &mut alice, &mut bob);
        let Some(CommunicatorEvent::Received { id, from, .. }) = bob.events().next() else {
            panic!("no packet");
        };
        assert_eq!((from.as_str(), bob.unanswered()), ("alice", 1));
        let now = net.now();
        alice.service(now, &mut net).expect("it listens");
        assert!(!alice.has_news(), "not before it is acknowledged");
        match well {
            true => bob.acknowledge(id, now, &mut net),
            false => bob.reject(id, Rejection::failed("no good"), now, &mut net),
        }
        .expect("it waits");
        let twice = bob.acknowledge(id, now, &mut net);
        assert_eq!(twice, Err(CommunicatorError::NoSuchDelivery));
        turn(&mut net, &mut alice, &mut bob);
        let event = alice.events().next();
        match event {
            Some(CommunicatorEvent::Sent { id, .. }) => assert!(well && id == sent),
            Some(CommunicatorEvent::Failed { failure, .. }) => {
                let id = alice.connection("bob").expect("known").network_id();
                assert_eq!(
                    failure.to_string(),
                    format!(
                        "Received status code 400 from client ({id}). \
                         Reason: Failed processing received message: 'no good'"
                    )
                );
                assert!(!well);
            }
            other => panic!("{other:?}"),
        }
    }
    let session = alice.connection("bob").expect("known").session();
    assert_eq!(session.expect("set up").len(), 1, "the connection is kept");
}

/// Two that know each other, at ports that were free.
fn http_pair(net: &mut MioNet) -> [HttpCommunicator; 2] {
    let ports = [free_port(), free_port()];
    let make = |nth: usize, other: &str| {
        let config = HttpConfig::at("127.0.0.1", ports[nth]);
        let mut one = HttpCommunicator::http(config).expect("no TLS");
        let connection = HttpConnection::new("localhost", ports[1 - nth]);
        one.add_connection(other, connection).expect("new");
        one.set_receive_handler(|_: &str, _: &[u8]| Ok(()));
        one.with_retry(quick(3))
    };
    let mut pair = [make(0, "bob"), make(1, "alice")];
    for (nth, one) in (1..).zip(&mut pair) {
        start(one, net, nth);
    }
    pair
}

#[test]
fn http_set_up() {
    let usual = |config: HttpConfig| HttpCommunicator::http(config).map(|c| c.to_string());
    let text = usual(HttpConfig::default());
    assert_eq!(
        text.as_deref(),
        Ok("HttpCommunicator(addr=localhost, port=80)")
    );
    let none = HttpConfig {
        port: None,
        ..HttpConfig::default()
    };
    assert_eq!(
        HttpCommunicator::http(none.clone())
            .unwrap()
            .transport()
            .port(),
        80
    );
    let pki = Pki::new();
    let (server, client) = (
        pki.server_tls(),
        pki.client.client(&pki.ca).build().unwrap(),
    );
    let both = none.clone().with_tls(server.clone(), client.clone());
    assert_eq!(
        HttpCommunicator::http(both).unwrap().transport().port(),
        443
    );
    for one in [
        HttpConfig {
            ssl_server_context: Some(server),
            ..none.clone()
        },
        HttpConfig {
            ssl_client_context: Some(client),
            ..none
        },
    ] {
        let refused = usual(one).unwrap_err();
        assert_eq!(refused, HttpConfigError::OneContext);
        assert_eq!(
            refused.to_string(),
            "You must provide both the client and server SSL contexts when using SSL."
        );
    }
}

#[test]
fn localhost_is_both_loopback_addresses_and_a_failed_bind_changes_nothing() {
    let mut net = MioNet::new().expect("a net");
    let make = |port| HttpCommunicator::http(HttpConfig::at("localhost", port)).expect("no TLS");
    let mut first = make(0);
    start(&mut first, &mut net, 1);
    let port = first.transport().port();
    let at: Vec<String> = first
        .transport()
        .listening()
        .map(|at| at.to_string())
        .collect();
    assert!(at.contains(&format!("127.0.0.1:{port}")), "{at:?}");
    assert!(
        at.len() == 1 || at.contains(&format!("[::1]:{port}")),
        "{at:?}"
    );
    let mut second = make(port);
    let now = net.now();
    let refused = second.initialize(now, &mut net, Owner(2));
    assert!(
        matches!(refused, Err(CommunicatorError::Open(_))),
        "{refused:?}"
    );
    assert_eq!(second.state(), CommunicatorState::Uninitialized);
    first.close(&mut net);
    start(&mut second, &mut net, 2);
}

#[test]
fn attempts_in_total_with_a_fixed_pause() {
    let mut net = MioNet::new().expect("a net");
    for (most, wanted) in [(3, 3), (1, 1), (0, 1)] {
        let port = free_port();
        let mut alice = HttpCommunicator::http(HttpConfig::at("127.0.0.1", 0))
            .expect("no TLS")
            .with_retry(quick(most));
        let nobody = HttpConnection::new("127.0.0.1", port);
        alice.add_connection("nobody", nobody).expect("new");
        start(&mut alice, &mut net, 1);
        alice.send("nobody", "x").expect("started");
        let began = net.now();
        let failure = failure(alone(&mut net, &mut alice));
        assert_eq!(
            failure.to_string(),
            format!(
                "Failed to send a message to HttpConnection(addr=127.0.0.1, port={port}) \
                 (after {wanted} attempts)."
            )
        );
        assert!(
            matches!(failure.cause, Cause::Unreachable(_)),
            "{failure:?}"
        );
        assert!(net.now().since(began) >= Duration::from_millis(20) * (wanted - 1));
        alice.close(&mut net);
    }
}

#[test]
fn which_timeouts_are_tried_again() {
    let mut net = MioNet::new().expect("a net");
    // Accepts, and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = silent.local_addr().expect("an address").port();
    let short = Some(Duration::from_millis(60));
    let none = HttpTimeout::default();
    for (timeout, attempts, cause) in [
        (
            HttpTimeout {
                total: short,
                ..none
            },
            1,
            Cause::TimedOut,
        ),
        (
            HttpTimeout {
                sock_read: short,
                ..none
            },
            2,
            Cause::ReadTimedOut,
        ),
    ] {
        let mut config = HttpConfig::at("127.0.0.1", 0);
        config.conn_timeout = timeout;
        let mut alice = HttpCommunicator::http(config).expect("no TLS");
        alice = alice.with_retry(quick(2));
        let connection = HttpConnection::new("127.0.0.1", port);
        alice.add_connection("silent", connection).expect("new");
        start(&mut alice, &mut net, 1);
        alice.send("silent", "x").expect("started");
        let failure = failure(alone(&mut net, &mut alice));
        assert_eq!((failure.attempts, failure.cause), (attempts, cause));
        alice.close(&mut net);
    }
    // One connection, which is taken: the second packet waits for it in vain.
    let mut config = HttpConfig::at("127.0.0.1", 0);
    config.connections_max = 1;
    config.conn_timeout.connect = short;
    let mut alice = HttpCommunicator::http(config).expect("no TLS");
    alice = alice.with_retry(quick(1));
    let connection = HttpConnection::new("127.0.0.1", port);
    alice.add_connection("silent", connection).expect("new");
    start(&mut alice, &mut net, 1);
    alice.send("silent", "first").expect("started");
    let second = alice.send("silent", "second").expect("started");
    let CommunicatorEvent::Failed { id, failure } = alone(&mut net, &mut alice) else {
        panic!("it is not sent");
    };
    assert_eq!((id, failure.cause), (second, Cause::ConnectTimedOut));
    // What is left fails with the shutdown.
    let now = net.now();
    alice.shutdown(now, &mut net).expect("started");
    let left = self::failure(alice.events().next().expect("the first one"));
    assert_eq!(left.cause, Cause::Shutdown);
    assert!(
        alice
            .connection("silent")
            .expect("known")
            .session()
            .is_err()
    );
}

#[test]
fn at_most_once_is_not_tried_again_after_a_loss() {
    let mut net = MioNet::new().expect("a net");
    for (delivery, wanted) in [(Delivery::AtMostOnce, 1), (Delivery::AtLeastOnce, 3)] {
        // Accepts, and hangs up.
        let rude = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        rude.set_nonblocking(true).expect("it can be");
        let port = rude.local_addr().expect("an address").port();
        let retry = RetryPolicy {
            delivery,
            ..quick(3)
        };
        let mut alice = HttpCommunicator::http(HttpConfig::at("127.0.0.1", 0))
            .expect("no TLS")
            .with_retry(retry);
        let connection = HttpConnection::new("127.0.0.1", port);
        alice.add_connection("rude", connection).expect("new");
        start(&mut alice, &mut net, 1);
        alice.send("rude", "x").expect("started");
        let mut guest: Option<std::net::TcpStream> = None;
        let until = net.now() + PATIENCE;
        while !alice.has_news() {
            let now = net.now();
            assert!(now < until, "nothing happens");
            alice.service(now, &mut net).expect("it listens");
            if let Ok((stream, _)) = rude.accept() {
                stream.set_nonblocking(true).expect("it can be");
                guest = Some(stream);
            }
            // Once the request is there, the guest is shown the door.
            guest = guest.filter(|mut stream| {
                let read = std::io::Read::read(&mut stream, &mut [0; 4096]);
                !matches!(read, Ok(n) if n > 0)
            });
            pause(&mut net);
        }
        let failure = failure(alice.events().next().expect("news"));
        assert_eq!(failure.attempts, wanted, "{delivery:?}: {failure:?}");
        assert!(matches!(failure.cause, Cause::Lost(_)), "{failure:?}");
        alice.close(&mut net);
    }
}

/// Sends raw bytes to a communicator; gives the answer once `count` heads are there.
fn raw(net: &mut MioNet, to: &mut HttpCommunicator, request: &[u8], count: usize) -> String {
    let at: Endpoint = to.transport().listening().next().expect("open").clone();
    let mut client = Client::new(at, ConnectOptions::default(), Limits::default());
    let start = net.now();
    client.open(start, net, Owner(9)).expect("good limits");
    client.tx(request).expect("room");
    let mut got = String::new();
    while got.matches("HTTP/1.1 ").count() < count {
        let now = net.now();
        assert!(now < start + PATIENCE, "{got}");
        to.service(now, net).expect("it listens");
        client.service(now, net);
        got.push_str(&String::from_utf8_lossy(client.rx()));
        client.consume(client.rx().len());
        pause(net);
    }
    client.close(net);
    got
}

#[test]
fn duplicates_are_known_by_their_ids() {
    for duplicates in [Duplicates::Drop, Duplicates::Deliver] {
        let mut net = MioNet::new().expect("a net");
        let config = HttpConfig::at("127.0.0.1", 0);
        let mut bob = HttpCommunicator::http(config).expect("no TLS");
        bob = bob.with_duplicates(duplicates);
        bob.receive_events();
        let alice = HttpConnection::new("localhost", 8000);
        bob.add_connection("alice", alice).expect("new");
        start(&mut bob, &mut net, 1);
        let at: Endpoint = bob.transport().listening().next().expect("open").clone();
        let request = b"POST / HTTP/1.1\r\nHost: x\r\nCookie: server_port=8000\r\n\
            Idempotency-Key: 00000000000000010000000000000002\r\nContent-Length: 1\r\n\r\nx";
        let mut seen = Vec::new();
        for _ in 0..2 {
            let mut client = Client::new(at.clone(), ConnectOptions::default(), Limits::default());
            let began = net.now();
            client.open(began, &mut net, Owner(9)).expect("good limits");
            client.tx(request).expect("room");
            while client.rx().is_empty() {
                let now = net.now();
                assert!(now < began + PATIENCE, "no answer");
                bob.service(now, &mut net).expect("it listens");
                let told: Vec<CommunicatorEvent> = bob.events().collect();
                for event in told {
                    if let CommunicatorEvent::Received { id, duplicate, .. } = event {
                        seen.push(duplicate);
                        bob.acknowledge(id, now, &mut net).expect("it waits");
                    }
                }
                client.service(now, &mut net);
                pause(&mut net);
            }
            assert!(client.rx().starts_with(b"HTTP/1.1 200 OK"));
            client.close(&mut net);
        }
        match duplicates {
            Duplicates::Drop => assert_eq!(seen, [false]),
            Duplicates::Deliver => assert_eq!(seen, [false, true]),
        }
    }
}

#[test]
fn what_is_too_long_is_refused_at_its_head() {
    let mut net = MioNet::new().expect("a net");
    let config = HttpConfig::at("127.0.0.1", 0);
    let limits = CommunicatorLimits {
        packet_bytes_max: 100_000,
        pending_max: 2,
        inbox_bytes_max: 150_000,
        ..CommunicatorLimits::default()
    };
    let mut bob = HttpCommunicator::http(config)
        .expect("no TLS")
        .with_limits(limits);
    bob.set_receive_handler(|_: &str, _: &[u8]| Ok(()));
    let alice = HttpConnection::new("localhost", 8000);
    bob.add_connection("alice", alice).expect("new");
    start(&mut bob, &mut net, 1);
    let head = |port: u16, len: usize| {
        format!(
            "POST / HTTP/1.1\r\nHost: x\r\nCookie: server_port={port}\r\n\
             Expect: 100-continue\r\nContent-Length: {len}\r\n\r\n"
        )
    };
    let mut answer = |port, len| raw(&mut net, &mut bob, head(port, len).as_bytes(), 1);
    assert!(answer(8000, 100_001).starts_with("HTTP/1.1 413 "));
    assert!(answer(8001, 100_000).starts_with("HTTP/1.1 401 Server did not recognize sender."));
    assert!(answer(8000, 100_000).starts_with("HTTP/1.1 100 "));
    // Out of the same table: our own packets.
    let refused = bob.send("alice", vec![0; 100_001]);
    let wanted = CommunicatorError::TooLarge {
        len: 100_001,
        max: 100_000,
    };
    assert_eq!(refused, Err(wanted));
    for wanted in [true, true, false] {
        assert_eq!(bob.send("alice", "x").is_ok(), wanted);
    }
}

#[test]
fn with_tls_a_sender_is_its_certificate() {
    let mut net = MioNet::new().expect("a net");
    let pki = Pki::new();
    let named = |name: &str, number: u64| {
        let number = rcgen::SerialNumber::from(number);
        pki.root
            .issue(name, |params| params.serial_number = Some(number))
    };
    let (alice_id, bob_id) = (named("alice", 1003), named("bob", 1004));
    let port = free_port();
    for known in [true, false] {
        let config = |id: &pki::Identity, port| {
            let server = id.server().client_ca(pki.ca.as_bytes()).build().unwrap();
            let client = id.client(&pki.ca).any_name().build().unwrap();
            HttpConfig::at("127.0.0.1", port).with_tls(server, client)
        };
        let mut alice = HttpCommunicator::http(config(&alice_id, 0)).expect("both");
        let mut bob = HttpCommunicator::http(config(&bob_id, port)).expect("both");
        bob.set_receive_handler(|from: &str, _: &[u8]| {
            assert_eq!(from, "alice");
            Ok(())
        });
        let to_bob = HttpConnection::new("127.0.0.1", port);
        let to_bob = to_bob.with_cert(bob_id.chain.as_bytes().to_vec()).unwrap();
        assert_eq!(to_bob.network_id(), "root:1004");
        alice.add_connection("bob", to_bob).expect("new");
        let to_alice = HttpConnection::new("127.0.0.1", 1);
        let to_alice = match known {
            true => to_alice
                .with_cert(alice_id.chain.as_bytes().to_vec())
                .unwrap(),
            false => to_alice,
        };
        bob.add_connection("alice", to_alice).expect("new");
        start(&mut alice, &mut net, 1);
        start(&mut bob, &mut net, 2);
        alice.send("bob", vec![7; 300_000]).expect("started");
        turn(&mut net, &mut alice, &mut bob);
        match alice.events().next() {
            Some(CommunicatorEvent::Sent { .. }) => assert!(known),
            Some(CommunicatorEvent::Failed { failure, .. }) => {
                let unknown = matches!(failure.cause, Cause::Status { status: 401, .. });
                assert!(unknown && !known, "{failure:?}");
            }
            other => panic!("{other:?}"),
        }
        alice.close(&mut net);
        bob.close(&mut net);
    }
    assert!(
        HttpConnection::new("x", 1)
            .with_cert(b"no".to_vec())
            .is_err()
    );
}

#[test]
fn frames_with_certificates() {
    let mut net = MioNet::new().expect("a net");
    let pki = Pki::new();
    let (alice_id, bob_id) = (
        pki.root.issue("alice", |_| ()),
        pki.root.issue("bob", |_| ()),
    );
    for shown in [&alice_id, &bob_id] {
        let config = |name: &str, id: &pki::Identity| {
            let server = id.server().client_ca(pki.ca.as_bytes()).build().unwrap();
            let client = id.client(&pki.ca).any_name().build().unwrap();
            let at = "127.0.0.1:0".parse().expect("an endpoint");
            FrameTransport::new(FrameConfig::at(name, at).with_tls(server, client))
        };
        let mut bob = Communicator::new(config("bob", &bob_id));
        bob.set_receive_handler(|_: &str, _: &[u8]| Ok(()));
        let to_alice = FrameConnection::new("alice", "127.0.0.1:1".parse().unwrap());
        let to_alice = to_alice
            .with_cert(alice_id.chain.as_bytes().to_vec())
            .unwrap();
        bob.add_connection("alice", to_alice).expect("new");
        start(&mut bob, &mut net, 2);
        let mut alice = Communicator::new(config("alice", shown));
        let to_bob = FrameConnection::new("bob", bob.transport().at().clone());
        alice.add_connection("bob", to_bob).expect("new");
        start(&mut alice, &mut net, 1);
        alice.send("bob", vec![1; 3_000_000]).expect("started");
        turn(&mut net, &mut alice, &mut bob);
        let event = alice.events().next().expect("news");
        match std::ptr::eq(shown, &alice_id) {
            true => assert!(matches!(event, CommunicatorEvent::Sent { .. }), "{event:?}"),
            false => {
                let cause = failure(event).cause;
                assert_eq!(cause, Cause::Rejected(Rejection::UnknownSender));
            }
        }
        alice.close(&mut net);
        bob.close(&mut net);
    }
}

#[test]
fn pools_wait_count_and_broadcast() {
    let mut net = MioNet::new().expect("a net");
    let (network, mut now) = (LocalNetwork::new(), Tyme::ZERO);
    let names = ["alice", "bob", "carol"];
    let mut pools = names.map(|me| {
        let communicator = Communicator::new(LocalTransport::new(&network, me));
        let mut pool = Pool::new(me, communicator);
        for other in names.iter().filter(|name| **name != me) {
            let connection = LocalConnection::new(*other);
            pool.add_client(*other, connection).expect("new");
        }
        pool.initialize(now, &mut net, Owner(1)).expect("new");
        pool
    });
    let mut serve = |pools: &mut [Pool<LocalTransport>; 3], now| {
        for _ in 0..3 {
            for pool in &mut *pools {
                pool.service(now, &mut net).expect("it listens");
            }
        }
    };
    // One number after the other, received in another order, and one before it came.
    for n in 0..3 {
        pools[0].send("bob", &n.into(), None).expect("started");
    }
    let early = pools[2]
        .recv("bob", Some("late"), None, now)
        .expect("known");
    let again = pools[2].recv("bob", Some("late"), None, now);
    assert_eq!(again, Err(PoolError::Awaited("late".to_owned())));
    serve(&mut pools, now);
    assert!(pools[1].has_message("alice", Some("2")));
    let ids = [Some("2"), None, Some("1")]
        .map(|id| pools[1].recv("alice", id, None, now).expect("known"));
    let mut got = Vec::new();
    for event in pools[1].events() {
        if let PoolEvent::Received { id, object, .. } = event {
            got.push((id, object));
        }
    }
    // The second asks for number 1, as one was received before; the third for it again.
    assert_eq!(got, [(ids[0], 2.into()), (ids[1], 1.into())]);
    let counters = pools[0].counters("bob").expect("known");
    assert_eq!(counters.msg_send_counter, 3);
    assert!(counters.total_bytes_sent > 0);
    let there = pools[1].counters("alice").expect("known");
    assert_eq!(there.total_bytes_recv, counters.total_bytes_sent);
    // Everybody.
    let all = Object::List(vec!["all".into()]);
    let sent = pools[1].broadcast(&all, "late", None).expect("started");
    assert_eq!(sent.len(), 2);
    serve(&mut pools, now);
    let received = pools[2].events().any(
        |event| matches!(event, PoolEvent::Received { id, object, .. } if id == early && object == all),
    );
    assert!(received);
    // Nobody sends this: after 3 s it is missed.
    let never = pools[0]
        .recv_all(None, Some("never"), None, now)
        .expect("known");
    now += Duration::from_secs(3);
    serve(&mut pools, now);
    let missed: Vec<_> = pools[0].events().collect();
    for id in never {
        let of = |event: &PoolEvent| {
            matches!(event, PoolEvent::Missed { id: of, why, .. }
            if *of == id && *why == PoolError::TimedOut(Duration::from_secs(3)))
        };
        assert!(missed.iter().any(of), "{missed:?}");
    }
    let unknown = pools[0].recv("dave", None, None, now);
    assert_eq!(unknown, Err(PoolError::UnknownClient("dave".to_owned())));
    assert!(pools[0].send("dave", &Object::Nil, None).is_err());
}
