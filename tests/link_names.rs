//! Goal: a client finds the address of a name that answers, soon and whichever it is (RFC 8305),
//! and says what was wrong when none does.
//! Method: the net in memory with addresses that are silent, late, refuse or cannot be reached,
//! where every moment is exact; then names of the real net on this machine.

mod support;

use std::net::IpAddr;
use std::time::Duration;

use hio::doers::ClientDoer;
use hio::doing::Turn;
use hio::doing::prelude::*;
use hio::link::{Client, ClientEvent, CloseReason, Limits, OpenError, Reconnect, Server};
use hio::net::{
    ConnectOptions, Endpoint, ListenOptions, Lookup, MioNet, Net, NetError, Owner, ResolverOptions,
};
use hio::tyme::Tyme;
use support::faulty::{Call, Faulty};
use support::memory::MemoryNet;
use support::{client_reasons, ms};

const PORT: u16 = 7000;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn at(text: &str) -> Endpoint {
    Endpoint::Tcp((ip(text), PORT).into())
}

/// A net in which `host` has these addresses at once.
fn world(ips: &[&str]) -> MemoryNet {
    let mut net = MemoryNet::default();
    let ips = ips.iter().map(|text| ip(text)).collect();
    net.names
        .insert("host".to_owned(), (ms(0), Lookup::Ready(ips)));
    net
}

fn listen(net: &mut MemoryNet, text: &str) -> Server {
    let mut server = Server::new(at(text), ListenOptions::default(), Limits::default());
    server.open(net, Owner::NONE).unwrap();
    server
}

fn dialling(net: &mut MemoryNet, limits: Limits) -> Client {
    let to = Endpoint::host("host", PORT);
    let mut client = Client::new(to, ConnectOptions::default(), limits);
    client.open(net.now(), net, Owner::NONE).unwrap();
    client
}

/// Steps until it stands or has failed, at most until `end`.
fn run(client: &mut Client, net: &mut MemoryNet, end: Tyme) {
    for _ in 0..1000 {
        let now = net.now();
        if client.connected() || !client.opened() || now >= end {
            return;
        }
        net.poll(client.due(now).min(end)).unwrap();
        client.service(net.now(), net);
    }
    panic!("does not come to rest");
}

const END: Tyme = Tyme::from_secs(60);

/// What was dialled, and when in milliseconds.
fn dials(net: &MemoryNet) -> Vec<(u64, String)> {
    let dial = |(at, to): &(Tyme, Endpoint)| {
        let millis = at.as_nanos() / 1_000_000;
        (millis, to.addr().unwrap().ip().to_string())
    };
    net.dials.iter().map(dial).collect()
}

fn dial(at: u64, to: &str) -> (u64, String) {
    (at, to.to_owned())
}

#[test]
fn families_take_turns_and_starts_are_staggered() {
    let all = ["fd::1", "fd::2", "fd::3", "10.0.0.1", "10.0.0.2"];
    let mut net = world(&all);
    net.blackholes.extend(all.map(at));
    let mut client = dialling(&mut net, Limits::default());
    run(&mut client, &mut net, Tyme::from_secs(9));
    let in_turn = [
        dial(0, "fd::1"),
        dial(250, "10.0.0.1"),
        dial(500, "fd::2"),
        dial(750, "10.0.0.2"),
        dial(1000, "fd::3"),
    ];
    assert_eq!(dials(&net), in_turn);
    assert_eq!(net.open(), 5, "those before go on trying");
    assert_eq!(client.due(net.now()), Tyme::from_secs(10));
    run(&mut client, &mut net, END);
    assert_eq!(net.now(), Tyme::from_secs(10), "bounded in all");
    assert_eq!(client_reasons(&mut client), [CloseReason::ConnectTimedOut]);
    assert_eq!(net.open(), 0);
}

#[test]
fn the_first_to_connect_wins_and_the_others_are_closed() {
    // (how late each address answers, who wins, when)
    let cases = [
        ([100, 0], "fd::1", 100, 1),
        ([2000, 0], "10.0.0.1", 250, 2),
        ([400, 300], "fd::1", 400, 2), // dialled first, and it answers before the other
        ([600, 300], "10.0.0.1", 550, 2),
        ([300, 50], "fd::1", 300, 2), // both stand at once: the one dialled first
    ];
    for (late, winner, when, tries) in cases {
        let mut net = world(&["fd::1", "10.0.0.1"]);
        let mut servers = ["fd::1", "10.0.0.1"].map(|text| listen(&mut net, text));
        for (text, late) in ["fd::1", "10.0.0.1"].into_iter().zip(late) {
            net.slow.insert(at(text), ms(late));
        }
        let mut client = dialling(&mut net, Limits::default());
        client.tx(b"hello").unwrap();
        run(&mut client, &mut net, END);
        assert_eq!(client.peer(), Some(&at(winner)));
        assert_eq!(net.now().since(Tyme::ZERO).as_millis(), when, "{winner}");
        assert_eq!(net.dials.len(), tries);
        // Only one connection is left, and it is the one that gets the bytes.
        client.service(net.now(), &mut net);
        let mut got = Vec::new();
        for server in &mut servers {
            server.service(net.now(), &mut net).unwrap();
            server.service(net.now(), &mut net).unwrap();
            for ix in server.remoters() {
                got.push((server.ha().clone(), ix.rx().to_vec()));
            }
        }
        got.retain(|(_, bytes)| !bytes.is_empty());
        assert_eq!(got, [(at(winner), b"hello".to_vec())]);
        let events: Vec<_> = client.events().collect();
        assert_eq!(events[0], ClientEvent::Connected(at(winner)));
        client.close(&mut net);
        for server in &mut servers {
            server.close(&mut net);
        }
        assert_eq!(net.open(), 0);
    }
}

#[test]
fn a_failure_starts_the_next_at_once_and_the_most_telling_is_reported() {
    let failed = CloseReason::ConnectFailed;
    let refuses = |_: &mut MemoryNet, _| {};
    let no_way = |net: &mut MemoryNet, to| net.unreachable.push(to);
    let silent = |net: &mut MemoryNet, to| net.blackholes.push(to);
    type Make = fn(&mut MemoryNet, Endpoint);
    let cases: [(Make, Make, CloseReason, [u64; 2]); 5] = [
        (no_way, refuses, failed(NetError::Refused), [0, 0]),
        (refuses, no_way, failed(NetError::Refused), [0, 0]),
        (no_way, no_way, failed(NetError::Unreachable), [0, 0]),
        (no_way, silent, CloseReason::ConnectTimedOut, [0, 0]),
        (silent, refuses, failed(NetError::Refused), [0, 250]),
    ];
    for (first, second, reason, when) in cases {
        let mut net = world(&["fd::1", "10.0.0.1"]);
        first(&mut net, at("fd::1"));
        second(&mut net, at("10.0.0.1"));
        let mut client = dialling(&mut net, Limits::default());
        run(&mut client, &mut net, END);
        assert_eq!(client_reasons(&mut client), [reason]);
        let started: Vec<u64> = dials(&net).into_iter().map(|(at, _)| at).collect();
        assert_eq!(started, when);
        assert_eq!(net.open(), 0);
    }
    let mut net = world(&[]);
    let mut client = dialling(&mut net, Limits::default());
    run(&mut client, &mut net, END);
    let nobody = failed(NetError::Unresolvable);
    assert_eq!(client_reasons(&mut client), [nobody]);
}

#[test]
fn the_stagger_is_a_limit() {
    let mut net = world(&["10.0.0.1", "10.0.0.2"]);
    net.blackholes.push(at("10.0.0.1"));
    let patient = Limits {
        connect_stagger: Duration::from_secs(2),
        connect: Duration::from_secs(3),
        ..Limits::default()
    };
    let mut client = dialling(&mut net, patient);
    run(&mut client, &mut net, END);
    assert_eq!(dials(&net), [dial(0, "10.0.0.1"), dial(2000, "10.0.0.2")]);
    let mut net = world(&["10.0.0.1", "10.0.0.2"]);
    net.blackholes.push(at("10.0.0.1"));
    let late = Limits {
        connect_stagger: Duration::from_secs(5),
        connect: Duration::from_secs(3),
        ..Limits::default()
    };
    let mut client = dialling(&mut net, late);
    run(&mut client, &mut net, END);
    assert_eq!(net.dials.len(), 1, "no time was left for the other");
    assert_eq!(net.now(), Tyme::from_secs(3));
}

#[test]
fn ending_a_race_closes_everyone_in_it() {
    for way in 0..3 {
        let mut net = world(&["fd::1", "10.0.0.1"]);
        net.blackholes.extend(["fd::1", "10.0.0.1"].map(at));
        let mut client = dialling(&mut net, Limits::default());
        run(&mut client, &mut net, Tyme::from_secs(1));
        assert_eq!(net.open(), 2);
        match way {
            0 => client.close(&mut net),
            1 => client.abort(&mut net),
            _ => {
                client.drain();
                client.service(net.now(), &mut net);
            }
        }
        assert_eq!(net.open(), 0);
        assert!(!client.opened());
        assert_eq!(client.due(net.now()), Tyme::NEVER);
    }
}

#[test]
fn each_attempt_looks_up_anew_and_the_race_starts_over() {
    let mut net = world(&["fd::1", "10.0.0.1"]);
    net.names.get_mut("host").unwrap().0 = ms(40);
    let policy = Reconnect {
        first: ms(100),
        jitter_percent: 0,
        ..Reconnect::default()
    };
    let to = Endpoint::host("host", PORT);
    let mut client =
        Client::new(to, ConnectOptions::default(), Limits::default()).with_reconnect(policy);
    client.open(Tyme::ZERO, &mut net, Owner::NONE).unwrap();
    run(&mut client, &mut net, Tyme::from_millis(100));
    assert_eq!(dials(&net), [dial(40, "fd::1"), dial(40, "10.0.0.1")]);
    // It moved meanwhile.
    let moved = Lookup::Ready(vec![ip("10.0.0.9")]);
    net.names.insert("host".to_owned(), (ms(40), moved));
    let _server = listen(&mut net, "10.0.0.9");
    run(&mut client, &mut net, END);
    assert_eq!(dials(&net)[2..], [dial(180, "10.0.0.9")]);
    assert!(client.connected());
}

#[test]
fn d1_the_same_world_goes_the_same_way() {
    let all = ["fd::1", "10.0.0.1", "fd::2", "10.0.0.2", "10.0.0.3"];
    let story = || {
        let mut net = world(&all);
        net.unreachable.push(at("fd::1"));
        net.slow.insert(at("10.0.0.1"), ms(900));
        net.blackholes.push(at("fd::2"));
        net.slow.insert(at("10.0.0.3"), ms(30));
        let _server = listen(&mut net, "10.0.0.3");
        let mut client = dialling(&mut net, Limits::default());
        run(&mut client, &mut net, END);
        let events: Vec<_> = client.events().collect();
        (net.dials, events, net.now)
    };
    assert_eq!(story(), story());
}

/// A parked client is woken by the answer, and asks twice in all.
#[test]
fn a_pending_look_up_wakes_by_its_mark() {
    let mut net = world(&["10.0.0.1"]);
    net.names.get_mut("host").unwrap().0 = ms(1234);
    let _server = listen(&mut net, "10.0.0.1");
    let to = Endpoint::host("host", PORT);
    let client = Client::new(to, ConnectOptions::default(), Limits::default());
    let mut doist = Doist::new(client)
        .with_tock(ms(10))
        .with_limit(Duration::from_secs(3));
    doist.add(ClientDoer::new());
    doist.enter(&mut net).unwrap();
    while doist.app.peer().is_none() && net.now() < Tyme::from_secs(3) {
        let Turn::Sleep(until) = doist.turn(&mut net).unwrap() else {
            break;
        };
        net.poll(until).unwrap();
    }
    assert_eq!(net.resolves, 2);
    assert_eq!(dials(&net), [dial(1234, "10.0.0.1")]);
    assert_eq!(doist.app.peer(), Some(&at("10.0.0.1")));
    doist.exit(&mut net).unwrap();
}

#[test]
fn a_server_whose_name_is_pending_opens_later() {
    let mut net = world(&["10.0.0.1"]);
    net.names.get_mut("host").unwrap().0 = ms(50);
    let ha = Endpoint::host("host", PORT);
    let mut server = Server::new(ha.clone(), ListenOptions::default(), Limits::default());
    let pending = OpenError::Pending { at: ha.clone() };
    assert_eq!(server.open(&mut net, Owner::NONE), Err(pending.clone()));
    assert_eq!(
        pending.to_string(),
        "cannot listen on host:7000 yet: its name is being looked up"
    );
    assert!(!server.opened() && net.open() == 0);
    net.names.get_mut("host").unwrap().0 = ms(0); // the answer is in a cache now
    server.open(&mut net, Owner::NONE).unwrap();
    assert_eq!(server.ha(), &at("10.0.0.1"));
    let unknown = Endpoint::host("unknown", PORT);
    let mut server = Server::new(unknown.clone(), ListenOptions::default(), Limits::default());
    let failed = OpenError::Listen {
        at: unknown,
        why: NetError::Unresolvable,
    };
    assert_eq!(server.open(&mut net, Owner::NONE), Err(failed));
}

/// Whatever fails in the race, at whichever call: the client connects or says why, and nothing is
/// left open.
#[test]
fn a2_every_error_at_every_call_of_the_race() {
    let all = ["fd::1", "10.0.0.1", "fd::2"];
    for kind in [
        Call::Connect,
        Call::Connected,
        Call::SetOption,
        Call::Shutdown,
    ] {
        for (nth, times) in (0..5).flat_map(|nth| (1..4).map(move |times| (nth, times))) {
            for why in [NetError::Exhausted, NetError::Refused, NetError::Invalid] {
                let mut memory = world(&all);
                let mut server = listen(&mut memory, "10.0.0.1");
                memory.slow.insert(at("fd::1"), ms(700));
                memory.blackholes.push(at("fd::2"));
                let mut net = Faulty::new(memory, kind, nth, times, why);
                let to = Endpoint::host("host", PORT);
                let mut client = Client::new(to, ConnectOptions::default(), Limits::default());
                client.open(Tyme::ZERO, &mut net, Owner::NONE).unwrap();
                for _ in 0..100 {
                    let now = net.now();
                    if client.connected() || !client.opened() {
                        break;
                    }
                    net.poll(client.due(now)).unwrap();
                    client.service(net.now(), &mut net);
                    let _ = server.service(net.now(), &mut net);
                }
                let failed = matches!(client.closed(), Some(CloseReason::ConnectFailed(_)));
                assert!(client.connected() || failed, "{kind:?} {nth} {times} {why}");
                client.close(&mut net);
                server.close(&mut net);
                assert_eq!(net.inner.open(), 0, "{kind:?} {nth} {times} {why}");
            }
        }
    }
}

/// The same on the real net, where the server listens on the second address only.
#[test]
fn a_real_name_with_an_address_where_nobody_listens() {
    for others in [&["127.0.0.2", "127.0.0.3"][..], &["::1"]] {
        let mut net = MioNet::new().unwrap();
        let any_port = Endpoint::host("127.0.0.1", 0);
        let mut server = Server::new(any_port, ListenOptions::default(), Limits::default());
        server.open(&mut net, Owner::NONE).unwrap();
        let port = server.ha().port().unwrap();
        let mut ips: Vec<IpAddr> = others.iter().map(|text| ip(text)).collect();
        ips.push(ip("127.0.0.1"));
        net.start_resolver_with(ResolverOptions::default(), move |_| Ok(ips.clone()))
            .unwrap();
        let to = Endpoint::host("host.test", port);
        let mut client = Client::new(to, ConnectOptions::default(), Limits::default());
        client.open(net.now(), &mut net, Owner::NONE).unwrap();
        client.tx(b"hello").unwrap();
        let end = net.now() + Duration::from_secs(8);
        let mut got = Vec::new();
        while got.is_empty() && net.now() < end {
            let soon = (net.now() + ms(20)).min(client.due(net.now()));
            net.poll(soon).unwrap();
            client.service(net.now(), &mut net);
            server
                .service_each(net.now(), &mut net, |ix| got.extend_from_slice(ix.rx()))
                .unwrap();
        }
        assert_eq!(got, b"hello");
        assert_eq!(client.peer(), Some(server.ha()));
    }
}
