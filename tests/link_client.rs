//! Goal: a client finds its way, gives up in time, and comes back by its policy (S21, S22).
//! Method: mostly the net in memory, whose clock leaps, so that moments are exact.

mod support;

use std::net::IpAddr;

use hio::link::{
    Client, ClientEvent, CloseReason, Limits, LimitsError, Reconnect, Server, TxError,
};
use hio::net::{ConnectOptions, Endpoint, ListenOptions, Lookup, Net, NetError, Owner};
use hio::tyme::Tyme;
use support::memory::MemoryNet;
use support::{client_reasons, everywhere, ms};

fn at() -> Endpoint {
    Endpoint::host("127.0.0.1", 7000)
}

fn client(to: Endpoint, net: &mut MemoryNet) -> Client {
    let mut client = Client::new(to, ConnectOptions::default(), Limits::default());
    client.open(net.now(), net, Owner::NONE).unwrap();
    client
}

fn server(net: &mut MemoryNet) -> Server {
    let mut server = Server::new(at(), ListenOptions::default(), Limits::default());
    server.open(net, Owner::NONE).unwrap();
    server
}

/// Steps from due moment to due moment, at most until `end`.
fn run(client: &mut Client, net: &mut MemoryNet, end: Tyme) {
    for _ in 0..10_000 {
        let now = net.now();
        net.poll(client.due(now).min(end)).unwrap();
        client.service(net.now(), net);
        if net.now() >= end {
            return;
        }
    }
    panic!("does not come to rest");
}

fn steady() -> Reconnect {
    Reconnect {
        first: ms(100),
        max: ms(400),
        jitter_percent: 0,
        ..Reconnect::default()
    }
}

#[test]
fn refused_is_an_event_and_the_end_without_a_policy() {
    everywhere(|world| {
        let mut server = world.server(Limits::default());
        server.close(world.net.as_mut()); // nobody listens there now
        let mut client = world.client(&server, Limits::default());
        let _ = client.tx(b"never sent");
        world.until("refused", |tyme, net| {
            client.service(tyme, net);
            !client.opened()
        });
        let why = match world.tcp {
            true => NetError::Refused,
            false => NetError::NotFound,
        };
        let reason = CloseReason::ConnectFailed(why);
        assert_eq!(client.closed(), Some(reason));
        assert_eq!(client.tx(b"x"), Err(TxError::Closed(reason)));
        assert_eq!(client_reasons(&mut client), [reason]);
    });
}

#[test]
fn s25_connecting_has_a_tymeout() {
    let mut net = MemoryNet::default();
    net.blackholes.push(at());
    let mut client = client(at(), &mut net);
    client.tx(b"12345").unwrap();
    run(&mut client, &mut net, Tyme::from_millis(9_999));
    assert!(client.opened());
    run(&mut client, &mut net, Tyme::from_secs(10));
    let events: Vec<_> = client.events().collect();
    let closed = ClientEvent::Closed(CloseReason::ConnectTimedOut);
    let dropped = ClientEvent::Dropped {
        unsent: 5,
        unread: 0,
    };
    assert_eq!(events, [closed, dropped]);
    assert_eq!(net.open(), 0);
}

#[test]
fn s22_names_are_looked_up_per_attempt_and_all_addresses_tried() {
    let mut net = MemoryNet::default();
    let ips: [IpAddr; 3] = ["10.0.0.1", "10.0.0.2", "127.0.0.1"].map(|ip| ip.parse().unwrap());
    net.names
        .insert("host".to_owned(), (ms(30), Lookup::Ready(ips.to_vec())));
    net.blackholes.push(Endpoint::Tcp((ips[0], 7000).into()));
    let mut server = server(&mut net);
    let mut client = client(Endpoint::host("host", 7000), &mut net);
    client.tx(b"hello").unwrap();
    run(&mut client, &mut net, Tyme::from_millis(281));
    assert_eq!(client.peer(), Some(&at()));
    let tried: Vec<_> = net
        .dials
        .iter()
        .map(|(at, to)| (at.as_nanos() / 1_000_000, to.addr().unwrap().ip()))
        .collect();
    // The second follows after 250 ms, and is refused; so the third follows at once.
    assert_eq!(tried, [(30, ips[0]), (280, ips[1]), (280, ips[2])]);
    assert_eq!(
        net.resolves, 2,
        "asked, and asked again when the answer was told of"
    );
    assert_eq!(
        net.open(),
        3,
        "a listener and two ends: the silent one is closed"
    );
    server.service(net.now(), &mut net).unwrap();
    assert!(server.remoters().all(|ix| ix.rx() == b"hello"));
}

#[test]
fn a_name_that_nobody_knows() {
    let mut net = MemoryNet::default();
    let mut client = client(Endpoint::host("nowhere", 1), &mut net);
    client.service(net.now(), &mut net);
    let why = CloseReason::ConnectFailed(NetError::Unresolvable);
    assert_eq!(client_reasons(&mut client), [why]);
    assert_eq!(net.dials.len(), 0);
}

#[test]
fn a_look_up_that_never_ends_is_bounded_too() {
    let mut net = MemoryNet::default();
    net.names
        .insert("slow".to_owned(), (ms(1), Lookup::Pending));
    let mut client = client(Endpoint::host("slow", 1), &mut net);
    run(&mut client, &mut net, Tyme::from_secs(10));
    assert!(net.resolves <= 2, "no asking again and again");
    assert_eq!(client.closed(), Some(CloseReason::ConnectTimedOut));
}

#[test]
fn s21_reconnects_with_waits_that_grow_and_begins_anew_after_success() {
    let mut net = MemoryNet::default();
    let mut client =
        Client::new(at(), ConnectOptions::default(), Limits::default()).with_reconnect(steady());
    client.open(Tyme::ZERO, &mut net, Owner::NONE).unwrap();
    run(&mut client, &mut net, Tyme::from_millis(1600));
    let dials = |net: &MemoryNet| -> Vec<_> {
        net.dials
            .iter()
            .map(|(t, _)| t.as_nanos() / 1_000_000)
            .collect()
    };
    // 0, then after waits of 100, 200, 400, 400, 400
    assert_eq!(dials(&net), [0, 100, 300, 700, 1100, 1500]);
    let mut server = server(&mut net);
    client.tx(b"early").unwrap(); // queued while it waits: for the next connection
    run(&mut client, &mut net, Tyme::from_millis(1901));
    assert!(client.connected());
    let tyme = net.now();
    server.service(tyme, &mut net).unwrap();
    let id = server.ids()[0];
    assert_eq!(server.get(id).unwrap().rx(), b"early");
    server.transmit_ix(id, b"hi").unwrap();
    server.service(tyme, &mut net).unwrap();
    client.service(tyme, &mut net);
    assert_eq!(client.rx(), b"hi");
    client.events().for_each(drop);
    // Lost: what is queued is dropped with an event, and never sent on the next connection.
    client.tx(b"lost").unwrap();
    server.get_mut(id).unwrap().abort();
    server.service(tyme, &mut net).unwrap();
    client.service(tyme, &mut net);
    let events: Vec<_> = client.events().collect();
    let dropped = |unsent, unread| ClientEvent::Dropped { unsent, unread };
    let at_tyme = tyme + ms(100);
    let retrying = ClientEvent::Retrying {
        at: at_tyme,
        attempts: 1,
    };
    let closed = ClientEvent::Closed(CloseReason::Reset);
    assert_eq!(events, [closed, dropped(4, 0), retrying]);
    assert!(!client.connected() && client.opened());
    assert_eq!(client.rx(), b"hi", "still readable");
    run(&mut client, &mut net, at_tyme);
    run(&mut client, &mut net, at_tyme + ms(1));
    server.service(net.now(), &mut net).unwrap();
    assert!(client.connected());
    let again = server.ids().into_iter().next_back().unwrap();
    assert_eq!(server.get(again).unwrap().rx(), b"");
    let events: Vec<_> = client.events().collect();
    assert_eq!(events, [dropped(0, 2), ClientEvent::Connected(at())]);
}

#[test]
fn gives_up_after_the_last_attempt() {
    let mut net = MemoryNet::default();
    let policy = Reconnect {
        attempts_max: Some(2),
        ..steady()
    };
    let mut client =
        Client::new(at(), ConnectOptions::default(), Limits::default()).with_reconnect(policy);
    client.open(Tyme::ZERO, &mut net, Owner::NONE).unwrap();
    client.tx(b"xyz").unwrap();
    run(&mut client, &mut net, Tyme::from_secs(10));
    assert_eq!(net.dials.len(), 3);
    let refused = CloseReason::ConnectFailed(NetError::Refused);
    assert_eq!(client.closed(), Some(refused));
    assert!(!client.opened());
    assert_eq!(client.stats().unsent, 3);
    let events: Vec<_> = client.events().collect();
    let dropped = ClientEvent::Dropped {
        unsent: 3,
        unread: 0,
    };
    assert_eq!(events.last(), Some(&dropped));
    assert_eq!(client.due(Tyme::ZERO), Tyme::NEVER);
}

#[test]
fn d1_jitter_is_the_seeds() {
    let dials = |seed| {
        let mut net = MemoryNet::default();
        let mut client = Client::new(at(), ConnectOptions::default(), Limits::default())
            .with_reconnect(Reconnect::default())
            .with_seed(seed);
        client.open(Tyme::ZERO, &mut net, Owner::NONE).unwrap();
        run(&mut client, &mut net, Tyme::from_secs(100));
        net.dials
    };
    assert_eq!(dials(1), dials(1));
    assert_ne!(dials(1), dials(2));
}

#[test]
fn what_the_user_ends_is_not_dialled_again() {
    let mut net = MemoryNet::default();
    let mut server = server(&mut net);
    for way in 0..3 {
        let mut client = Client::new(at(), ConnectOptions::default(), Limits::default())
            .with_reconnect(steady());
        let tyme = net.now();
        client.open(tyme, &mut net, Owner::NONE).unwrap();
        net.poll(tyme).unwrap();
        client.service(tyme, &mut net);
        assert!(client.connected());
        let reason = match way {
            0 => {
                client.drain();
                CloseReason::Closed
            }
            1 => {
                client.abort(&mut net);
                CloseReason::Aborted
            }
            _ => {
                client.close(&mut net);
                CloseReason::OwnerClosed
            }
        };
        for _ in 0..4 {
            client.service(tyme, &mut net);
            server.service_each(tyme, &mut net, |_| {}).unwrap();
        }
        assert_eq!(client.closed(), Some(reason));
        assert!(!client.opened() && server.is_empty());
        assert_eq!(client_reasons(&mut client), [reason]);
    }
    assert_eq!(net.dials.len(), 3);
    let mut waiting = Client::new(
        Endpoint::host("127.0.0.1", 1),
        Default::default(),
        Limits::default(),
    )
    .with_reconnect(steady());
    waiting.open(Tyme::ZERO, &mut net, Owner::NONE).unwrap();
    net.poll(Tyme::ZERO).unwrap();
    waiting.service(Tyme::ZERO, &mut net);
    waiting.drain(); // while it waits
    waiting.service(Tyme::ZERO, &mut net);
    assert_eq!(waiting.closed(), Some(CloseReason::Aborted));
    assert_eq!(net.open(), 1, "the server's listener");
}

#[test]
fn served_each() {
    everywhere(|world| {
        let mut server = world.server(Limits::default());
        let mut client = world.client(&server, Limits::default());
        client.tx(&[100]).unwrap();
        let mut last = None;
        world.until("a hundred rounds", |tyme, net| {
            server
                .service_each(tyme, net, |ix| {
                    let _ = ix.echo();
                })
                .unwrap();
            client.service_each(tyme, net, |link| {
                if let Some(&n) = link.rx().first() {
                    assert_eq!(link.rx().len(), 1);
                    link.consume(1);
                    match n {
                        0 => link.close(),
                        n => link.tx(&[n - 1]).unwrap(),
                    }
                }
                last = link.closed();
            });
            last.is_some()
        });
        assert_eq!(last, Some(CloseReason::Closed));
        assert_eq!(client.stats().received, 101);
        assert!(!client.opened());
    });
}

#[test]
fn bad_policies_and_limits_do_not_open() {
    let mut net = MemoryNet::default();
    let hot = Reconnect {
        first: ms(0),
        ..Reconnect::default()
    };
    let mut client =
        Client::new(at(), ConnectOptions::default(), Limits::default()).with_reconnect(hot);
    let zero = |field| Err(LimitsError::Zero { field });
    assert_eq!(
        client.open(Tyme::ZERO, &mut net, Owner::NONE),
        zero("reconnect.first")
    );
    let none = Limits {
        connect: ms(0),
        ..Limits::default()
    };
    let mut client = Client::new(at(), ConnectOptions::default(), none);
    assert_eq!(
        client.open(Tyme::ZERO, &mut net, Owner::NONE),
        zero("connect")
    );
    assert!(!client.opened() && net.dials.is_empty());
}

/// A doer that sends outside its service and parks on `due` must hear of the end.
#[test]
fn an_end_in_service_sends_is_due_at_once() {
    let mut net = MemoryNet::default();
    let mut server = server(&mut net);
    let mut client = client(at(), &mut net);
    for _ in 0..4 {
        net.poll(Tyme::ZERO).unwrap();
        client.service(net.now(), &mut net);
        server.service(net.now(), &mut net).unwrap();
    }
    assert!(client.connected());
    client.link_mut().abort();
    client.service_sends(net.now(), &mut net);
    assert_eq!(client.closed(), Some(CloseReason::Aborted));
    assert_eq!(client.due(net.now()), net.now());
    client.service(net.now(), &mut net);
    assert_eq!(client.due(net.now()), Tyme::NEVER);
}
