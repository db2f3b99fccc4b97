//! Goal: connections reach the members of a crew by a shared port or by hand, with all that their
//! peers sent, and one that cannot be handed over goes on as it was.
//! Method: real sockets on loopback; two nets by hand, and crews on threads.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use hio::crew::{AcceptorDoer, Crew, Handed, HandedDoer, Mailbox};
use hio::doers::EachServerDoer;
use hio::doing::prelude::*;
use hio::link::{HandOverError, Limits, NotTaken, Server};
use hio::net::{Endpoint, ListenOptions, MioNet, Net, NetError, Owner};

fn loopback() -> Endpoint {
    Endpoint::host("127.0.0.1", 0)
}

fn server(limits: Limits) -> Server {
    Server::new(loopback(), ListenOptions::default(), limits)
}

fn listening(net: &mut MioNet) -> (Server, SocketAddr) {
    let mut server = server(Limits::default());
    server.open(net, Owner(1)).expect("a port");
    let at = server.ha().addr().expect("TCP");
    (server, at)
}

/// Polls and serves until it holds.
fn until(server: &mut Server, net: &mut MioNet, holds: impl Fn(&Server) -> bool) {
    for _ in 0..500 {
        let soon = net.now() + Duration::from_millis(10);
        net.poll(soon).expect("the poll");
        let tyme = net.now();
        server.service(tyme, net).expect("the listener");
        if holds(server) {
            return;
        }
    }
    panic!("it never came");
}

#[test]
fn a_connection_that_is_handed_over_keeps_its_bytes_and_its_peer() {
    let (mut here, mut there) = (MioNet::new().expect("a net"), MioNet::new().expect("a net"));
    let (mut from, at) = listening(&mut here);
    let mut to = server(Limits::default());
    to.stand_by(&mut there, Owner(2)).expect("good limits");
    let mut peer = TcpStream::connect(at).expect("it listens");
    peer.write_all(b"one ").expect("open");
    until(&mut from, &mut here, |s| {
        s.remoters().any(|ix| ix.rx() == b"one ")
    });
    let id = from.ids()[0];
    // These stay in the system until the other side reads them.
    peer.write_all(b"two").expect("open");
    let tyme = here.now();
    let handed = from.hand_over(id, tyme, &mut here).expect("idle");
    assert!(from.is_empty() && from.get(id).is_none());
    assert_eq!(handed.rx(), b"one ");
    assert_eq!(handed.peer().addr(), peer.local_addr().ok());

    let tyme = there.now();
    let id = to.take_over(handed, tyme, &mut there).expect("room");
    assert_eq!(
        to.get(id).expect("it").peer().addr(),
        peer.local_addr().ok()
    );
    until(&mut to, &mut there, |s| {
        s.remoters().any(|ix| ix.rx() == b"one two")
    });
    to.transmit_ix(id, b"three").expect("it stands");
    until(&mut to, &mut there, |s| {
        s.remoters().all(|ix| ix.pending() == 0)
    });
    let mut back = [0; 5];
    peer.read_exact(&mut back).expect("open");
    assert_eq!(&back, b"three");
    to.get_mut(id).expect("it").clear_rx();
    drop(peer);
    until(&mut to, &mut there, Server::is_empty);
    assert!(from.listening(), "the old one goes on");
}

#[test]
fn bytes_that_were_received_before_are_news_at_the_new_server() {
    let (mut here, mut there) = (MioNet::new().expect("a net"), MioNet::new().expect("a net"));
    let (mut from, at) = listening(&mut here);
    let mut to = server(Limits::default());
    to.stand_by(&mut there, Owner(2)).expect("good limits");
    let mut peer = TcpStream::connect(at).expect("it listens");
    peer.write_all(b"request").expect("open");
    until(&mut from, &mut here, |s| {
        s.remoters().any(|ix| ix.rx() == b"request")
    });
    let (id, tyme) = (from.ids()[0], here.now());
    let handed = from.hand_over(id, tyme, &mut here).expect("idle");
    let tyme = there.now();
    to.take_over(handed, tyme, &mut there).expect("room");
    let mut seen = Vec::new();
    // Nothing more comes: the closure is called for what was there.
    to.service_each(tyme, &mut there, |ix| seen = ix.rx().to_vec())
        .expect("the listener");
    assert_eq!(seen, b"request");
    to.service_each(tyme, &mut there, |_| panic!("once"))
        .expect("the listener");
}

#[test]
fn what_cannot_be_handed_over_goes_on_as_it_was() {
    let mut net = MioNet::new().expect("a net");
    let (mut server, at) = listening(&mut net);
    let mut peer = TcpStream::connect(at).expect("it listens");
    until(&mut server, &mut net, |s| s.len() == 1);
    let id = server.ids()[0];
    server.transmit_ix(id, b"queued").expect("it stands");
    let tyme = net.now();
    let refused = server.hand_over(id, tyme, &mut net).unwrap_err();
    assert_eq!(refused, HandOverError::Busy);
    until(&mut server, &mut net, |s| {
        s.remoters().all(|ix| ix.pending() == 0)
    });
    let mut got = [0; 6];
    peer.read_exact(&mut got).expect("open");
    assert_eq!(&got, b"queued");
    server.close_ix(id).expect("it is there");
    assert_eq!(
        server.hand_over(id, tyme, &mut net).unwrap_err(),
        HandOverError::Busy
    );
    drop(peer);
    until(&mut server, &mut net, Server::is_empty);
    assert_eq!(
        server.hand_over(id, tyme, &mut net).unwrap_err(),
        HandOverError::Unknown(id)
    );
}

#[test]
fn what_is_no_stream_is_not_let_go() {
    let mut net = MioNet::new().expect("a net");
    let group = net.group(Owner(1));
    let listener = net
        .listen(group, &loopback(), &ListenOptions::default())
        .expect("a port");
    assert_eq!(net.let_go(listener).unwrap_err(), NetError::Invalid);
    assert!(net.local(listener).is_ok(), "it is as it was");
    net.close(listener);
    assert_eq!(net.let_go(listener).unwrap_err(), NetError::Stale);
    assert_eq!(
        NullNet::default().let_go(listener).unwrap_err(),
        NetError::Unsupported
    );
}

#[test]
fn a_server_that_is_full_or_closed_gives_it_back() {
    let mut net = MioNet::new().expect("a net");
    let (mut from, at) = listening(&mut net);
    let mut peer = TcpStream::connect(at).expect("it listens");
    until(&mut from, &mut net, |s| s.len() == 1);
    let (id, tyme) = (from.ids()[0], net.now());
    let handed = from.hand_over(id, tyme, &mut net).expect("idle");
    let mut closed = server(Limits::default());
    let Err(NotTaken::Full(handed)) = closed.take_over(handed, tyme, &mut net) else {
        panic!("it is not open");
    };
    let limits = Limits {
        connections_max: 1,
        ..Limits::default()
    };
    let mut small = server(limits);
    small.stand_by(&mut net, Owner(2)).expect("good limits");
    small
        .take_over(handed, tyme, &mut net)
        .expect("room for one");
    let _second = TcpStream::connect(at).expect("it listens");
    until(&mut from, &mut net, |s| s.len() == 1);
    let id = from.ids()[0];
    let handed = from.hand_over(id, tyme, &mut net).expect("idle");
    let refused = small.take_over(handed, tyme, &mut net).unwrap_err();
    assert_eq!(refused.to_string(), "the server takes no more connections");
    assert!(refused.into_inner().is_some());
    // What was given back and dropped is closed, the other one lives.
    small.transmit_ix(small.ids()[0], b"x").expect("it stands");
    until(&mut small, &mut net, |s| {
        s.remoters().all(|ix| ix.pending() == 0)
    });
    peer.read_exact(&mut [0]).expect("open");
}

#[test]
fn a_server_that_is_full_accepts_again_when_one_was_handed_over() {
    let mut net = MioNet::new().expect("a net");
    let mut from = server(Limits {
        connections_max: 1,
        ..Limits::default()
    });
    from.open(&mut net, Owner(1)).expect("a port");
    let at = from.ha().addr().expect("TCP");
    let _both = [TcpStream::connect(at), TcpStream::connect(at)];
    until(&mut from, &mut net, |s| s.len() == 1);
    let (id, tyme) = (from.ids()[0], net.now());
    let _handed = from.hand_over(id, tyme, &mut net).expect("idle");
    until(&mut from, &mut net, |s| s.len() == 1 && s.ids()[0] != id);
}

/// One message on each of so many connections: how often each member answered.
fn answers(at: SocketAddr, connections: usize) -> Vec<(String, usize)> {
    let peers: Vec<TcpStream> = (0..connections)
        .map(|_| TcpStream::connect(at).expect("it listens"))
        .collect();
    let mut counts: Vec<(String, usize)> = Vec::new();
    for mut peer in peers {
        let wait = Some(Duration::from_secs(20));
        peer.set_read_timeout(wait).expect("a time");
        peer.write_all(b"who?").expect("open");
        let mut name = [0; 8];
        peer.read_exact(&mut name).expect("an answer");
        let name = String::from_utf8(name.to_vec()).expect("a name");
        match counts.iter_mut().find(|(known, _)| *known == name) {
            Some((_, count)) => *count += 1,
            None => counts.push((name, 1)),
        }
    }
    counts.sort();
    counts
}

#[cfg(all(unix, not(any(target_os = "solaris", target_os = "illumos"))))]
#[test]
fn a_shared_port_serves_all() {
    // A port that is free: the system's choice, given back.
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = free.local_addr().expect("it");
    drop(free);
    let up = Arc::new(Mutex::new(0));
    let mut crew = Crew::new();
    for name in ["member-1", "member-2"] {
        let up = Arc::clone(&up);
        crew = crew.member(name, move |seat| {
            let options = ListenOptions {
                reuse_port: true,
                ..ListenOptions::default()
            };
            let server = Server::new(Endpoint::Tcp(at), options, Limits::default());
            let (name, up) = (seat.name.to_owned(), Arc::clone(&up));
            let mut doist = Doist::new(());
            doist.add(EachServerDoer::new(
                server,
                move |ix: &mut hio::link::Remoter| {
                    if ix.rx() == b"who?" {
                        ix.clear_rx();
                        ix.tx(name.as_bytes()).expect("room");
                    }
                },
            ));
            doist.add(doify(move |_, _: &mut Cx<'_>| {
                *up.lock().expect("no panic under it") += 1;
                Ok(Done(true)) // after the server's enter
            }));
            Ok(doist)
        });
    }
    let running = crew.start().expect("threads");
    while *up.lock().expect("no panic under it") < 2 {
        assert!(!running.handle().is_stopping(), "{:?}", running.wait());
        std::thread::yield_now();
    }
    // The system picks by the peer's port: of 64, both get some.
    let counts = answers(at, 64);
    assert_eq!(counts.iter().map(|(_, n)| n).sum::<usize>(), 64);
    assert_eq!(counts.len(), 2, "{counts:?}");
    assert!(running.stop().is_well());
}

#[test]
fn an_acceptor_hands_to_each_in_turn_and_waits_when_all_are_full() {
    let boxes: Vec<Mailbox<Handed>> = (0..2).map(|_| Mailbox::new(1)).collect();
    let posts: Vec<_> = boxes.iter().map(Mailbox::post).collect();
    let (tell, told) = mpsc::channel();
    let mut crew = Crew::new().member("acceptor", move |_| {
        let (tell, posts) = (tell.clone(), posts.clone());
        let mut doist = Doist::new(());
        let doer = AcceptorDoer::new(loopback(), ListenOptions::default(), posts);
        doist.add(doer.on_open(move |at| drop(tell.send(at.clone()))));
        Ok(doist)
    });
    for (mailbox, name) in boxes.into_iter().zip(["member-1", "member-2"]) {
        crew = crew.member(name, move |seat| {
            let name = seat.name.to_owned();
            let server = server(Limits {
                connections_max: 8,
                ..Limits::default()
            });
            let mut doist = Doist::new(());
            doist.add(HandedDoer::new(server, mailbox.clone(), move |ix| {
                if ix.rx() == b"who?" {
                    ix.clear_rx();
                    ix.tx(name.as_bytes()).expect("room");
                }
            }));
            Ok(doist)
        });
    }
    let running = crew.start().expect("threads");
    let at = told
        .recv_timeout(Duration::from_secs(20))
        .expect("it listens")
        .addr()
        .expect("TCP");
    // 40 at once: members hold 8 each, mailboxes one each, the rest waits in the backlog and gets
    // its turn as others are closed.
    let counts = answers(at, 40);
    let expected = ["member-1", "member-2"].map(|name| (name.to_owned(), 20));
    let total: usize = counts.iter().map(|(_, n)| n).sum();
    assert_eq!(total, 40);
    let even = counts.iter().all(|(_, n)| (12..=28).contains(n));
    assert!(
        counts.len() == 2 && even,
        "{counts:?}, not about {expected:?}"
    );
    assert!(running.stop().is_well());
}
