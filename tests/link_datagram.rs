//! Goal: a datagram peer delivers what the net delivers, and tells of everything that is lost here:
//! cut, dropped at a full queue, refused, or never sent.
//! Method: stories over UDP v4, v6 and Unix sockets of the real net, then a net whose every answer
//! is scripted, where moments are exact.

mod support;

use std::collections::VecDeque;
use std::time::Duration;

use hio::doers::DatagramDoer;
use hio::doing::prelude::*;
use hio::link::{
    DatagramEvent, DatagramLimits, DatagramPeer, DatagramTxError, LimitsError, Message, OpenError,
    Overflow,
};
use hio::net::{
    Datagram, DatagramOptions, Endpoint, Group, Layer, MioNet, Net, NetError, NullNet, Owner, Sid,
};
use hio::tyme::Tyme;
use support::{ms, unix_path};

fn peer_at(at: Endpoint, to: Option<Endpoint>, limits: DatagramLimits) -> DatagramPeer {
    let options = DatagramOptions {
        to,
        ..DatagramOptions::default()
    };
    DatagramPeer::new(at, options, limits)
}

/// Tells a story over each kind of datagram that this machine has, with two free addresses.
fn everywhere(mut story: impl FnMut(&mut MioNet, [Endpoint; 2])) {
    let udp = |text: &str| [0, 1].map(|_| text.parse::<Endpoint>().unwrap());
    story(&mut MioNet::new().unwrap(), udp("udp:127.0.0.1:0"));
    if std::net::UdpSocket::bind("[::1]:0").is_ok() {
        story(&mut MioNet::new().unwrap(), udp("udp:[::1]:0"));
    }
    if cfg!(unix) {
        let (dir, _) = unix_path();
        let at = ["a", "b"].map(|name| Endpoint::UnixDatagram(dir.join(name)));
        story(&mut MioNet::new().unwrap(), at);
        std::fs::remove_dir_all(dir).unwrap();
    }
}

/// Serves until the story says that it is over.
fn until(
    net: &mut MioNet,
    peers: &mut [&mut DatagramPeer],
    mut over: impl FnMut(&mut [&mut DatagramPeer]) -> bool,
) {
    for _ in 0..2000 {
        for peer in peers.iter_mut() {
            peer.service(net.now(), net);
        }
        if over(peers) {
            return;
        }
        let soon = net.now() + ms(5);
        net.poll(soon).unwrap();
    }
    panic!("not reached");
}

#[test]
fn messages_go_both_ways() {
    everywhere(|net, [a, b]| {
        let limits = DatagramLimits::default();
        let mut alice = peer_at(a, None, limits);
        let mut bob = peer_at(b, None, limits);
        alice.open(net, Owner::NONE).unwrap();
        bob.open(net, Owner::NONE).unwrap();
        let (to_alice, to_bob) = (alice.at().clone(), bob.at().clone());
        let sayings: [&[u8]; 3] = [b"one", b"", b"three"];
        for data in sayings {
            alice.send(Some(&to_bob), data).unwrap();
        }
        assert_eq!(alice.pending(), 3);
        until(net, &mut [&mut alice, &mut bob], |peers| {
            peers[1].waiting() == 3
        });
        for data in sayings {
            let message = bob.recv().unwrap();
            assert_eq!((&message.data[..], &message.from), (data, &to_alice));
            bob.send(Some(&message.from), data).unwrap();
        }
        assert_eq!(bob.recv(), None);
        until(net, &mut [&mut alice, &mut bob], |peers| {
            peers[0].waiting() == 3
        });
        assert_eq!(alice.pending() + bob.pending(), 0);
        let stats = bob.stats();
        assert_eq!((stats.received, stats.received_bytes), (3, 8));
        assert_eq!((stats.sent, stats.sent_bytes, stats.unsent), (3, 8, 0));
        alice.close(net);
        assert!(!alice.opened());
        assert_eq!(alice.recv().unwrap().data, b"one", "still there");
        let refused = alice.send(Some(&to_bob), b"x");
        assert_eq!(refused, Err(DatagramTxError::Closed));
        alice.reopen(net).unwrap();
        assert_eq!(alice.at(), &to_alice, "on the same address");
    });
}

#[test]
fn connected_peers_and_one_that_is_gone() {
    everywhere(|net, [a, b]| {
        let limits = DatagramLimits::default();
        let mut bob = peer_at(b, None, limits);
        bob.open(net, Owner::NONE).unwrap();
        let to_bob = bob.at().clone();
        let is_unix = matches!(to_bob, Endpoint::UnixDatagram(_));
        let mut alice = peer_at(a, Some(to_bob.clone()), limits);
        alice.open(net, Owner::NONE).unwrap();
        assert_eq!(alice.to(), Some(&to_bob));
        let refused = alice.send(Some(&to_bob), b"x");
        assert_eq!(refused, Err(DatagramTxError::Connected));
        let refused = bob.send(None, b"x");
        assert_eq!(refused, Err(DatagramTxError::NoAddress));
        alice.send(None, b"hello").unwrap();
        until(net, &mut [&mut alice, &mut bob], |peers| {
            peers[1].waiting() == 1
        });
        bob.close(net);
        alice.events().for_each(drop);
        alice.send(None, b"anybody?").unwrap();
        until(net, &mut [&mut alice], |peers| {
            peers[0].stats().refused == 1
        });
        let events: Vec<_> = alice.events().collect();
        assert_eq!(events[0], DatagramEvent::Refused);
        if is_unix {
            // The system drops the connection with the other end: each one fails from now on.
            let unsent = DatagramEvent::Unsent {
                to: None,
                len: 8,
                why: NetError::NotConnected,
            };
            assert_eq!(events[1..], [unsent]);
        } else {
            assert_eq!(events.len(), 1);
            // It comes back on the same port, and is heard again.
            bob.reopen(net).unwrap();
            alice.send(None, b"again").unwrap();
            until(net, &mut [&mut alice, &mut bob], |peers| {
                peers[1].waiting() == 2
            });
        }
        assert!(alice.opened());
    });
}

#[test]
fn what_is_too_long_is_cut_and_told() {
    everywhere(|net, [a, b]| {
        let short = DatagramLimits {
            datagram_bytes_max: 5,
            ..DatagramLimits::default()
        };
        let mut alice = peer_at(a, None, DatagramLimits::default());
        let mut bob = peer_at(b, None, short);
        alice.open(net, Owner::NONE).unwrap();
        bob.open(net, Owner::NONE).unwrap();
        let (to_alice, to_bob) = (alice.at().clone(), bob.at().clone());
        alice.send(Some(&to_bob), b"12345").unwrap();
        alice.send(Some(&to_bob), b"123456").unwrap();
        until(net, &mut [&mut alice, &mut bob], |peers| {
            peers[1].waiting() == 2
        });
        let cut = [false, true].map(|truncated| Message {
            from: to_alice.clone(),
            data: b"12345".to_vec(),
            truncated,
        });
        assert_eq!([bob.recv().unwrap(), bob.recv().unwrap()], cut);
        let from = to_alice;
        assert!(
            bob.events()
                .any(|e| e == DatagramEvent::Truncated { from: from.clone() })
        );
        assert_eq!(bob.stats().truncated, 1);
        // Longer than any can be: an event of that one, and the next one goes.
        let huge = vec![0; 1024 * 1024];
        alice.send(Some(&to_bob), &huge).unwrap();
        until(net, &mut [&mut alice, &mut bob], |peers| {
            peers[0].pending() == 0
        });
        alice.send(Some(&to_bob), b"next").unwrap();
        let unsent = DatagramEvent::Unsent {
            to: Some(to_bob),
            len: huge.len(),
            why: NetError::TooLong,
        };
        assert_eq!(alice.events().collect::<Vec<_>>(), [unsent]);
        until(net, &mut [&mut alice, &mut bob], |peers| {
            peers[1].waiting() == 1
        });
    });
}

/// A parked doer echoes, and a flood is taken in slices by its marks alone.
#[test]
fn doers_park_and_a_flood_is_taken_in_slices() {
    struct App {
        peer: DatagramPeer,
        flood: DatagramPeer,
        echoed: usize,
    }
    struct Echo;
    impl Doer<App> for Echo {
        fn recur(&mut self, tyme: Tyme, cx: &mut Cx<'_, App>) -> Result<Next, Fault> {
            while let Some(message) = cx.app.peer.recv() {
                cx.app.peer.send(Some(&message.from), &message.data)?;
                cx.app.echoed += 1;
            }
            cx.app.peer.service_sends(tyme, cx.net);
            Ok(Park(Tyme::NEVER))
        }
    }
    let limits = DatagramLimits {
        datagrams_per_service: 3,
        ..DatagramLimits::default()
    };
    let udp: Endpoint = "udp:127.0.0.1:0".parse().unwrap();
    let mut net = MioNet::new().unwrap();
    let mut flood = peer_at(udp.clone(), None, DatagramLimits::default());
    flood.open(&mut net, Owner::NONE).unwrap();
    let peer = peer_at(udp, None, limits);
    let app = App {
        peer,
        flood,
        echoed: 0,
    };
    let mut doist = Doist::new(app).with_tock(ms(2));
    let echo = doist.add(Echo);
    doist.add_on(
        |app: &mut App| &mut app.peer,
        DatagramDoer::new().waking(echo),
    );
    doist.enter(&mut net).unwrap();
    let to = doist.app.peer.at().clone();
    for n in 0..20 {
        doist.app.flood.send(Some(&to), &[n]).unwrap();
    }
    let end = net.now() + Duration::from_secs(10);
    while doist.app.flood.waiting() < 20 {
        assert!(net.now() < end, "{} came back", doist.app.flood.waiting());
        let tyme = net.now();
        doist.app.flood.service(tyme, &mut net);
        let hio::doing::Turn::Sleep(until) = doist.turn(&mut net).unwrap() else {
            panic!("it ended");
        };
        let soon = net.now() + ms(5);
        net.poll(until.min(soon)).unwrap();
    }
    assert_eq!(doist.app.echoed, 20);
    doist.exit(&mut net).unwrap();
    assert!(!doist.app.peer.opened());
}

/// A net whose datagrams are what the test says.
#[derive(Default)]
struct Script {
    net: NullNet,
    /// What `recv_from` gives, then "none waits".
    comes: VecDeque<Result<Vec<u8>, NetError>>,
    /// What `send_to` says, then "sent".
    says: VecDeque<Result<bool, NetError>>,
    /// Addresses whose queue is full.
    full: Vec<Endpoint>,
    sent: Vec<(Tyme, Vec<u8>)>,
    tries: usize,
    marked: bool,
    refuse: Option<NetError>,
    closed: usize,
}

const SID: Sid = Sid::new(7, 0);

impl Layer for Script {
    type Below = NullNet;
    fn below(&self) -> &NullNet {
        &self.net
    }
    fn below_mut(&mut self) -> &mut NullNet {
        &mut self.net
    }
    fn bind(&mut self, _: Group, _: &Endpoint, _: &DatagramOptions) -> Result<Sid, NetError> {
        self.refuse.map_or(Ok(SID), Err)
    }
    fn local(&self, _: Sid) -> Result<Endpoint, NetError> {
        Ok(address(1))
    }
    fn close_group(&mut self, _: Group) {
        self.closed += 1;
    }
    fn ready(&mut self, _: Group, out: &mut Vec<Sid>) {
        if std::mem::take(&mut self.marked) {
            out.push(SID);
        }
    }
    fn mark(&mut self, sid: Sid) {
        assert_eq!(sid, SID);
        self.marked = true;
    }
    fn recv_from(&mut self, _: Sid, buf: &mut [u8]) -> Result<Option<Datagram>, NetError> {
        let Some(data) = self.comes.pop_front().transpose()? else {
            return Ok(None);
        };
        buf[..data.len()].copy_from_slice(&data);
        Ok(Some(Datagram {
            len: data.len(),
            from: address(2),
            truncated: false,
        }))
    }
    fn send_to(&mut self, _: Sid, data: &[u8], to: Option<&Endpoint>) -> Result<bool, NetError> {
        self.tries += 1;
        if to.is_some_and(|to| self.full.contains(to)) {
            return Ok(false);
        }
        let said = self.says.pop_front().unwrap_or(Ok(true));
        if said == Ok(true) {
            let now = Net::now(&mut self.net);
            self.sent.push((now, data.to_vec()));
        }
        said
    }
}

impl Script {
    fn comes(&mut self, data: &[u8]) {
        self.comes.push_back(Ok(data.to_vec()));
        self.marked = true;
    }
}

fn address(n: u16) -> Endpoint {
    Endpoint::UnixDatagram(format!("/nowhere/{n}").into())
}

fn scripted(limits: DatagramLimits, to: Option<Endpoint>) -> (Script, DatagramPeer) {
    let mut net = Script::default();
    let mut peer = peer_at(address(1), to, limits);
    peer.open(&mut net, Owner::NONE).unwrap();
    (net, peer)
}

/// Serves at each moment that is due, up to `end`.
fn run(peer: &mut DatagramPeer, net: &mut Script, end: Tyme) {
    for _ in 0..10_000 {
        let now = Net::now(net);
        peer.service(now, net);
        let due = peer.due(now).max(now);
        if due >= end {
            Net::poll(net, end).unwrap();
            return;
        }
        Net::poll(net, due).unwrap();
    }
    panic!("does not come to rest");
}

fn events(peer: &mut DatagramPeer) -> Vec<DatagramEvent> {
    peer.events().collect()
}

#[test]
fn l1_a_full_receive_queue_drops_told_and_counted() {
    let dropped = |len| DatagramEvent::Dropped {
        from: address(2),
        len,
    };
    for (overflow, kept, gone) in [
        (Overflow::DropNewest, [1, 2], [3, 4]),
        (Overflow::DropOldest, [3, 4], [1, 2]),
    ] {
        let limits = DatagramLimits {
            rx_datagrams_max: 2,
            overflow,
            ..DatagramLimits::default()
        };
        let (mut net, mut peer) = scripted(limits, None);
        for n in 1..=4_u8 {
            net.comes(&vec![n; n.into()]);
        }
        peer.service(Tyme::ZERO, &mut net);
        let left: Vec<usize> = std::iter::from_fn(|| peer.recv())
            .map(|m| m.data.len())
            .collect();
        assert_eq!(left, kept);
        let told = [
            dropped(gone[0]),
            dropped(gone[1]),
            DatagramEvent::Received(2),
        ];
        assert_eq!(events(&mut peer), told);
        assert_eq!((peer.stats().received, peer.stats().dropped), (4, 2));
    }
}

#[test]
fn l1_a_full_transmit_queue_refuses() {
    let limits = DatagramLimits {
        tx_datagrams_max: 3,
        tx_bytes_max: 100,
        ..DatagramLimits::default()
    };
    let (mut net, mut peer) = scripted(limits, None);
    let to = address(2);
    peer.send(Some(&to), &[0; 50]).unwrap();
    let full = peer.send(Some(&to), &[0; 51]);
    assert_eq!(full, Err(DatagramTxError::Full));
    peer.send(Some(&to), &[0; 50]).unwrap();
    peer.send(Some(&to), b"").unwrap();
    assert_eq!(peer.send(Some(&to), b""), Err(DatagramTxError::Full));
    let never = peer.send(Some(&to), &[0; 101]);
    let long = DatagramTxError::TooLong { len: 101, max: 100 };
    assert_eq!(never, Err(long));
    assert!(long.to_string().contains("101"));
    peer.service(Tyme::ZERO, &mut net);
    assert_eq!((peer.pending(), net.sent.len()), (0, 3));
    peer.send(Some(&to), &[0; 100]).unwrap();
    peer.close(&mut net);
    assert_eq!(peer.stats().unsent, 1, "queued at the close");
    assert_eq!(peer.pending(), 0);
}

#[test]
fn one_service_does_so_much_and_says_that_there_is_more() {
    let limits = DatagramLimits {
        datagrams_per_service: 2,
        ..DatagramLimits::default()
    };
    let (mut net, mut peer) = scripted(limits, None);
    for n in 0..5 {
        net.comes(&[n]);
        peer.send(Some(&address(2)), &[n]).unwrap();
    }
    for round in 1..=3 {
        peer.service(Tyme::ZERO, &mut net);
        let done = (round * 2).min(5);
        assert_eq!((peer.waiting(), net.sent.len()), (done, done));
        assert_eq!(net.marked, round < 3, "round {round}");
        let due = if round < 3 { Tyme::ZERO } else { Tyme::NEVER };
        assert_eq!(peer.due(Tyme::ZERO), due);
    }
}

#[test]
fn no_room_is_waited_for_and_then_given_up() {
    let limits = DatagramLimits {
        tx_stall: ms(100),
        ..DatagramLimits::default()
    };
    let (mut net, mut peer) = scripted(limits, None);
    // One receiver is full; those to the others go on, in order.
    net.full.push(address(2));
    for n in 0..6_u8 {
        peer.send(Some(&address(2 + u16::from(n % 2))), &[n])
            .unwrap();
    }
    run(&mut peer, &mut net, Tyme::from_millis(50));
    let sent: Vec<u8> = net.sent.iter().map(|(_, data)| data[0]).collect();
    assert_eq!(sent, [1, 3, 5]);
    assert_eq!(peer.pending(), 3);
    assert!(net.tries <= 3 + 6, "{} tries in 50 ms", net.tries);
    // It takes some again: nothing told of that, so the peer has tried.
    net.full.clear();
    run(&mut peer, &mut net, Tyme::from_millis(60));
    let sent: Vec<u8> = net.sent.iter().map(|(_, data)| data[0]).collect();
    assert_eq!(sent, [1, 3, 5, 0, 2, 4]);
    assert_eq!(events(&mut peer), [DatagramEvent::Drained]);
    // For ever full: all are given up together, when their time is over.
    net.full.push(address(2));
    let start = Net::now(&mut net);
    for _ in 0..3 {
        peer.send(Some(&address(2)), b"xy").unwrap();
    }
    run(&mut peer, &mut net, start + ms(99));
    assert_eq!(peer.pending(), 3);
    run(&mut peer, &mut net, start + ms(101));
    let unsent = DatagramEvent::Unsent {
        to: Some(address(2)),
        len: 2,
        why: NetError::TimedOut,
    };
    let told = events(&mut peer);
    assert_eq!(told[..3], [unsent.clone(), unsent.clone(), unsent]);
    assert_eq!(peer.stats().unsent, 3);
    assert_eq!(peer.due(Net::now(&mut net)), Tyme::NEVER, "at rest");
}

#[test]
fn where_a_mark_tells_of_room_nothing_is_tried_before() {
    let (mut net, mut peer) = scripted(DatagramLimits::default(), Some(address(2)));
    net.says.push_back(Ok(false));
    peer.send(None, b"x").unwrap();
    assert_eq!(peer.due(Tyme::ZERO), Tyme::ZERO);
    peer.service(Tyme::ZERO, &mut net);
    assert_eq!(peer.due(Tyme::ZERO), Tyme::from_secs(5), "the stall");
    net.marked = true;
    peer.service(Tyme::from_secs(1), &mut net);
    assert_eq!((peer.pending(), net.tries), (0, 2));
    // Out of memory is told of by nobody, so it is tried again.
    net.says.push_back(Err(NetError::Exhausted));
    peer.send(None, b"y").unwrap();
    peer.service(Tyme::from_secs(2), &mut net);
    assert_eq!(peer.due(Tyme::from_secs(2)), Tyme::from_millis(2010));
    peer.service(Tyme::from_millis(2010), &mut net);
    assert_eq!(peer.pending(), 0);
}

#[test]
fn every_error_is_about_one_datagram() {
    let errors = [
        NetError::TooLong,
        NetError::Unreachable,
        NetError::Denied,
        NetError::NotFound,
        NetError::Invalid,
        NetError::Other(71),
    ];
    for why in errors {
        let (mut net, mut peer) = scripted(DatagramLimits::default(), None);
        net.says.push_back(Err(why));
        peer.send(Some(&address(2)), b"bad").unwrap();
        peer.send(Some(&address(2)), b"good").unwrap();
        peer.service(Tyme::ZERO, &mut net);
        let unsent = DatagramEvent::Unsent {
            to: Some(address(2)),
            len: 3,
            why,
        };
        assert_eq!(events(&mut peer), [unsent]);
        assert_eq!(net.sent, [(Tyme::ZERO, b"good".to_vec())]);
        // Receiving falters, pauses and goes on; it never spins.
        net.comes.push_back(Err(why));
        net.comes(b"next");
        peer.service(Tyme::ZERO, &mut net);
        assert_eq!(events(&mut peer), [DatagramEvent::Faltered(why)]);
        assert_eq!(peer.due(Tyme::ZERO), Tyme::from_millis(10));
        peer.service(Tyme::from_millis(10), &mut net);
        assert_eq!(peer.recv().unwrap().data, b"next");
        assert!(peer.opened());
    }
}

#[test]
fn a_refusal_before_is_not_held_against_this_one() {
    let (mut net, mut peer) = scripted(DatagramLimits::default(), Some(address(2)));
    net.says.push_back(Err(NetError::Refused));
    peer.send(None, b"hello").unwrap();
    peer.service(Tyme::ZERO, &mut net);
    assert_eq!(events(&mut peer), [DatagramEvent::Refused]);
    assert_eq!(net.sent.len(), 1, "sent at the second try");
    // Twice in a row is about this one.
    net.says.extend([Err(NetError::Refused); 2]);
    peer.send(None, b"hello").unwrap();
    peer.service(Tyme::ZERO, &mut net);
    let unsent = DatagramEvent::Unsent {
        to: None,
        len: 5,
        why: NetError::Refused,
    };
    assert_eq!(events(&mut peer), [DatagramEvent::Refused, unsent]);
    // Where no address is fixed, it is about this one at once.
    let (mut net, mut peer) = scripted(DatagramLimits::default(), None);
    net.says.push_back(Err(NetError::Refused));
    peer.send(Some(&address(2)), b"hello").unwrap();
    peer.service(Tyme::ZERO, &mut net);
    assert_eq!((net.tries, peer.stats().unsent), (1, 1));
    // Refusals that are received are told, and what waits behind them comes.
    net.comes
        .extend([Err(NetError::Refused), Err(NetError::Refused)]);
    net.comes(b"alive");
    peer.service(Tyme::ZERO, &mut net);
    assert_eq!(peer.recv().unwrap().data, b"alive");
    assert_eq!(peer.stats().refused, 2);
}

#[test]
fn a_lost_socket_closes_the_peer_with_an_event() {
    for sending in [false, true] {
        let (mut net, mut peer) = scripted(DatagramLimits::default(), None);
        if sending {
            net.says.push_back(Err(NetError::Stale));
        } else {
            net.comes.push_back(Err(NetError::Stale));
            net.marked = true;
        }
        peer.send(Some(&address(2)), b"x").unwrap();
        peer.service(Tyme::ZERO, &mut net);
        assert!(!peer.opened());
        assert_eq!(net.closed, 1);
        assert_eq!(events(&mut peer), [DatagramEvent::Lost(NetError::Stale)]);
        assert_eq!(peer.stats().unsent, 1);
        assert_eq!(peer.due(Tyme::ZERO), Tyme::NEVER);
        peer.service(Tyme::ZERO, &mut net); // does nothing
    }
}

#[test]
fn events_outside_a_service_are_news_of_the_next() {
    let (mut net, mut peer) = scripted(DatagramLimits::default(), None);
    net.says.push_back(Err(NetError::Denied));
    peer.send(Some(&address(2)), b"x").unwrap();
    peer.service_sends(Tyme::ZERO, &mut net);
    assert!(net.marked, "a doer that parks is woken for it");
    assert_eq!(peer.due(Tyme::ZERO), Tyme::ZERO);
    peer.service(Tyme::ZERO, &mut net);
    assert!(peer.has_news());
    assert_eq!(peer.due(Tyme::ZERO), Tyme::NEVER);
    peer.service(Tyme::ZERO, &mut net);
    assert!(!peer.has_news());
}

#[test]
fn l1_events_are_bounded() {
    let limits = DatagramLimits {
        events_max: 4,
        rx_datagrams_max: 1,
        ..DatagramLimits::default()
    };
    let (mut net, mut peer) = scripted(limits, None);
    for _ in 0..100 {
        net.comes(b"x");
    }
    peer.service(Tyme::ZERO, &mut net);
    assert_eq!(events(&mut peer).len(), 4);
    assert_eq!(peer.stats().events_lost, 96);
}

#[test]
fn what_cannot_be_opened() {
    let mut net = Script {
        refuse: Some(NetError::AddrInUse),
        ..Script::default()
    };
    let mut peer = peer_at(address(1), None, DatagramLimits::default());
    let why = OpenError::Bind {
        at: address(1),
        why: NetError::AddrInUse,
    };
    assert_eq!(peer.open(&mut net, Owner::NONE), Err(why.clone()));
    assert_eq!(
        why.to_string(),
        "cannot bind to unixgram:/nowhere/1: address already in use"
    );
    assert!(!peer.opened() && net.closed == 1);
    let none = DatagramLimits {
        tx_bytes_max: 0,
        ..DatagramLimits::default()
    };
    let mut peer = peer_at(address(1), None, none);
    let field = "tx_bytes_max";
    let zero = OpenError::Limits(LimitsError::Zero { field });
    assert_eq!(peer.open(&mut net, Owner::NONE), Err(zero));
    // A net without datagrams says so.
    let mut peer = peer_at(address(1), None, DatagramLimits::default());
    let opened = peer.open(&mut NullNet::default(), Owner::NONE);
    let why = NetError::Unsupported;
    let at = address(1);
    assert_eq!(opened, Err(OpenError::Bind { at, why }));
}
