//! Goal: what was found broken once stays mended. Method: the smallest program that showed it.

use hio::doers::EchoServerDoer;
use hio::doing::prelude::*;
use hio::doing::{Budget, Due, Pipe, Step};
use hio::link::{Limits, OpenError, Server};
use hio::net::{Endpoint, ListenOptions, MioNet, NetError, Owner};
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpStream};
use std::time::Duration;

fn server(at: Endpoint) -> Server {
    Server::new(at, ListenOptions::default(), Limits::default())
}

/// `--addr localhost:5000` said that the name cannot be resolved, while dialling it worked.
#[test]
fn a_server_listens_on_a_name_that_the_net_knows() {
    let mut net = MioNet::new().unwrap();
    let foreign = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    let own = IpAddr::V4(Ipv4Addr::LOCALHOST);
    net.add_name("both.test", vec![foreign, own]).unwrap();
    net.add_name("foreign.test", vec![foreign]).unwrap();
    for name in ["localhost", "both.test"] {
        let mut server = server(Endpoint::host(name, 0));
        server.open(&mut net, Owner::NONE).unwrap();
        let at = server.ha().addr().unwrap();
        assert_eq!(at.ip(), own);
        TcpStream::connect(at).unwrap();
        server.reopen(&mut net).unwrap();
        assert_eq!(server.ha().addr(), Some(at), "the same place again");
        server.close(&mut net);
    }
    for (name, why) in [
        ("foreign.test", NetError::AddrNotAvailable),
        ("unknown.test", NetError::Unresolvable),
    ] {
        let at = Endpoint::host(name, 0);
        let refused = server(at.clone()).open(&mut net, Owner::NONE);
        assert_eq!(refused, Err(OpenError::Listen { at, why }));
    }
}

/// A host that had no time left in any frame stood still for ever: no doer ran, and no tick was
/// taken.
#[test]
fn a_slice_without_time_runs_one_doer() {
    let mut net = MioNet::new().unwrap();
    let mut doist = Doist::new(0);
    for _ in 0..3 {
        doist.add(doify(|_, cx: &mut Cx<'_, u32>| {
            *cx.app += 1;
            Ok(Again)
        }));
    }
    doist.enter(&mut net).unwrap();
    for slice in 1..=9 {
        let step = doist.recur_within(&mut net, Budget::time(Duration::ZERO));
        let whole = slice % 3 == 0;
        assert_eq!(step.unwrap(), if whole { Step::More } else { Step::Cut });
        assert_eq!(doist.app, slice);
    }
    assert_eq!(doist.tyme(), Tyme::ZERO + 3 * doist.tock());
}

/// Each of them was remembered by the pipe for good, as long as nothing moved in it.
#[test]
fn a_pipe_forgets_who_waited_and_ended() {
    let mut doist = Doist::new(Pipe::<u32>::new(1)).with_pace(Pace::Asap);
    let mut left = 100;
    doist.add(doify(move |_, cx: &mut Cx<'_, Pipe<u32>>| {
        for _ in 0..100 {
            cx.ask.extend(doify(|_, cx: &mut Cx<'_, Pipe<u32>>| {
                assert_eq!(cx.app.pop(&mut cx.ask), None);
                Ok(Done(false))
            }));
        }
        left -= 1;
        Ok(if left == 0 { Done(true) } else { Again })
    }));
    assert_eq!(doist.run(&mut NullNet::default()).unwrap(), Outcome::Done);
    let waiting = format!("{:?}", doist.app).matches("DoerId").count();
    assert!(waiting < 1000, "{waiting} of 10 000 who are gone");
}

/// A server that stops at its budget says so by a mark in the net. A host that asked `due` was told
/// `Idle`, slept on the net's descriptor, and no edge ever came: what the peer had sent lay there.
#[test]
#[cfg(unix)]
fn a_host_is_told_of_what_a_budget_left_over() {
    let mut net = MioNet::new().unwrap();
    let mut doist = Doist::new(());
    let echo = doist.add(EchoServerDoer::new(server(Endpoint::host("127.0.0.1", 0))));
    doist.enter(&mut net).unwrap();
    assert_eq!(doist.recur(&mut net).unwrap(), Step::More);
    let at = doist.get(echo).unwrap().server().ha().addr().unwrap();
    let mut peer = TcpStream::connect(at).unwrap();
    peer.write_all(&[7; 200_000]).unwrap(); // at 64 KiB a service
    peer.set_nonblocking(true).unwrap();
    let mut outer = mio::Poll::new().unwrap();
    let mut watched = mio::unix::SourceFd(&net.poll_fd().unwrap());
    let (token, read) = (mio::Token(0), mio::Interest::READABLE);
    outer
        .registry()
        .register(&mut watched, token, read)
        .unwrap();
    let mut events = mio::Events::with_capacity(8);
    let (mut back, mut buffer) = (0, vec![0; 1 << 20]);
    while back < 200_000 {
        doist.advance(&mut net, Duration::ZERO).unwrap();
        match peer.read(&mut buffer) {
            Ok(n) => back += n,
            Err(e) => assert_eq!(e.kind(), ErrorKind::WouldBlock),
        }
        if back < 200_000 && doist.due() != Due::Now {
            let patience = Some(Duration::from_secs(2));
            outer.poll(&mut events, patience).unwrap();
            assert!(!events.is_empty(), "slept on {back} of 200 000");
        }
    }
    doist.exit(&mut net).unwrap();
}
