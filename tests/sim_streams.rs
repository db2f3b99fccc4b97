//! Goal: streams between simulated nodes carry data, ends, resets and refusals as the real net's
//! do, each at its moment.
//! Method: two nodes operated by hand; what arrives and when is looked at step by step.

mod sim_support;

use std::time::Duration;

use hio::net::{
    ConnectOptions, Endpoint, Keepalive, ListenOptions, Net, NetError, Shutdown, SocketOption,
};
use hio::sim::{Sim, SocketState};
use hio::tyme::Tyme;
use sim_support::{MS, SEC, World, endpoint, sim};

fn world() -> World {
    World::new(Sim::new(1))
}

#[test]
fn a_handshake_takes_a_round_trip_and_data_half_of_one() {
    let mut w = world();
    let (a, b) = (w.a, w.b);
    let listener = w.listen(b, ":7000", &ListenOptions::default());
    let client = w.dial(a, "10.0.0.2:7000");
    w.pass(2 * MS - Duration::from_nanos(1));
    assert_eq!(w.on(a).connected(client), Ok(false));
    assert_eq!(w.on(b).accept(listener), Ok(None));
    w.pass(Duration::from_nanos(1));
    assert_eq!(w.ready(a), [client]);
    assert_eq!(w.on(a).connected(client), Ok(true));
    assert_eq!(w.write(a, client, b"early"), 5);
    w.pass(MS);
    assert_eq!(w.ready(b), [listener]);
    let (server, peer) = w.on(b).accept(listener).expect("accept").expect("one");
    assert_eq!(w.on(a).local(client), Ok(peer.clone()));
    assert_eq!(w.on(b).peer(server), Ok(peer));
    assert_eq!(w.on(b).local(server), Ok(endpoint("10.0.0.2:7000")));
    // What came before the accept is told by the next poll.
    assert_eq!(w.ready(b), [server]);
    assert_eq!(w.read(b, server), b"early");
    assert_eq!(w.ready(b), []);
}

#[test]
fn nobody_listening_is_refused_and_an_unknown_address_unreachable() {
    let mut w = world();
    let a = w.a;
    let client = w.dial(a, "10.0.0.2:7000");
    w.pass(SEC);
    assert_eq!(w.on(a).connected(client), Err(NetError::Refused));
    assert_eq!(w.on(a).connected(client), Err(NetError::NotConnected));
    assert_eq!(w.try_dial(a, "10.0.0.9:1"), Err(NetError::Unreachable));
    assert_eq!(w.try_dial(a, "192.0.2.1:1"), Err(NetError::Unreachable));
    assert_eq!(w.try_dial(a, "a:1"), Err(NetError::Unresolvable));
}

#[test]
fn ends_come_after_the_data_and_half_a_stream_goes_on() {
    let mut w = world();
    let (a, b) = (w.a, w.b);
    let (client, server) = w.pair();
    w.write(a, client, b"question");
    assert_eq!(w.on(a).shutdown(client, Shutdown::Send), Ok(()));
    assert_eq!(w.on(a).write(client, b"more"), Err(NetError::BrokenPipe));
    w.pass(SEC);
    let mut buf = [0; 16];
    assert_eq!(w.on(b).read(server, &mut buf), Ok(Some(8)));
    assert_eq!(w.ready(b), [server]); // the short read told that the end is there
    assert_eq!(w.on(b).read(server, &mut buf), Ok(Some(0)));
    assert_eq!(w.on(b).read(server, &mut buf), Ok(Some(0)));
    w.write(b, server, b"answer");
    w.on(b).close(server);
    w.pass(SEC);
    assert_eq!(w.read(a, client), b"answer");
    assert_eq!(w.on(a).read(client, &mut buf), Ok(Some(0)));
}

#[test]
fn closing_with_unread_data_or_linger_zero_resets() {
    for linger in [None, Some(Duration::ZERO)] {
        let mut w = world();
        let (a, b) = (w.a, w.b);
        let options = ListenOptions {
            linger,
            ..ListenOptions::default()
        };
        let (client, server) = w.pair_with(&options);
        if linger.is_none() {
            w.write(a, client, b"nobody reads this");
            w.pass(SEC);
        }
        w.on(b).close(server);
        w.pass(SEC);
        assert_eq!(w.ready(a), [client]);
        assert_eq!(w.on(a).read(client, &mut [0; 8]), Err(NetError::Reset));
        assert_eq!(w.on(a).read(client, &mut [0; 8]), Ok(Some(0)));
        assert_eq!(w.on(a).write(client, b"x"), Err(NetError::BrokenPipe));
        assert_eq!(
            w.on(a).shutdown(client, Shutdown::Send),
            Err(NetError::NotConnected)
        );
    }
    let mut w = world();
    let group = w.group(w.a);
    let options = ConnectOptions {
        linger: Some(MS),
        ..ConnectOptions::default()
    };
    let a = w.a;
    let dial = w.on(a).connect(group, &endpoint("10.0.0.2:1"), &options);
    assert_eq!(dial, Err(NetError::Invalid));
}

#[test]
fn writing_to_a_closed_peer_is_a_broken_pipe_after_a_round_trip() {
    let mut w = world();
    let (a, b) = (w.a, w.b);
    let (client, server) = w.pair();
    w.on(a).close(client);
    w.pass(SEC);
    assert_eq!(w.on(b).write(server, b"x"), Ok(1));
    w.pass(2 * MS);
    assert_eq!(w.on(b).write(server, b"x"), Err(NetError::BrokenPipe));
    assert_eq!(w.on(b).read(server, &mut [0; 8]), Ok(Some(0)));
}

#[test]
fn a_slow_reader_stops_the_writer_and_starts_it_again() {
    let mut w = world();
    let (a, b) = (w.a, w.b);
    let (client, server) = w.pair();
    let block: Vec<u8> = (0..=250_u8).cycle().take(100_000).collect();
    let mut sent = Vec::new();
    loop {
        let at = sent.len() % 251;
        match w.write(a, client, &block[at..]) {
            0 => break,
            n => sent.extend_from_slice(&block[at..at + n]),
        }
        w.pass(10 * MS);
    }
    // Its own buffer and the reader's.
    assert_eq!(sent.len(), 2 * (128 << 10));
    assert_eq!(w.ready(a), []);
    w.pass(SEC);
    let mut got = w.read(b, server);
    assert_eq!(got.len(), 128 << 10);
    w.pass(SEC);
    assert_eq!(w.ready(a), [client]);
    assert!(w.write(a, client, b"more") == 4);
    got.extend(w.read(b, server));
    w.pass(SEC);
    got.extend(w.read(b, server));
    sent.extend_from_slice(b"more");
    assert!(got == sent);
    assert_eq!(w.sim.sockets(a).iter().map(|s| s.unsent).sum::<usize>(), 0);
}

#[test]
fn losses_delay_a_stream_and_change_nothing_in_it() {
    let mut w = World::new(sim(3, "latency uniform 1ms 9ms loss 0.2 mtu 540"));
    let (a, b) = (w.a, w.b);
    let listener = w.listen(b, ":7000", &ListenOptions::default());
    let client = w.dial(a, "10.0.0.2:7000");
    w.pass(60 * SEC);
    assert_eq!(w.on(a).connected(client), Ok(true));
    let (server, _) = w.on(b).accept(listener).expect("accept").expect("one");
    let data: Vec<u8> = (0..50_000u32).map(|n| (n % 251) as u8).collect();
    assert_eq!(w.write(a, client, &data), data.len());
    w.on(a).close(client);
    let start = w.sim.tyme();
    let mut got = Vec::new();
    for _ in 0..200 {
        w.pass(SEC);
        got.extend(w.read(b, server));
    }
    assert!(got == data, "{} bytes", got.len());
    assert_eq!(w.on(b).read(server, &mut [0; 8]), Ok(Some(0)));
    assert!(w.sim.tyme().since(start) >= SEC);
    // The closed end is gone once all is sent.
    assert!(w.sim.sockets(a).is_empty());
}

#[test]
fn bandwidth_is_a_rate() {
    let mut w = World::new(sim(1, "latency constant 1ms bandwidth 100kB/s queue 1MB"));
    let (a, b) = (w.a, w.b);
    let (client, server) = w.pair();
    assert_eq!(w.write(a, client, &[1; 100_000]), 100_000);
    w.pass(500 * MS);
    let half = w.read(b, server).len();
    assert!((45_000..50_000).contains(&half), "{half}");
    w.pass(600 * MS);
    assert_eq!(w.read(b, server).len() + half, 100_000);
}

#[test]
fn a_full_backlog_swallows_dials_until_somebody_accepts() {
    let mut w = world();
    let (a, b) = (w.a, w.b);
    let options = ListenOptions {
        backlog: 1,
        ..ListenOptions::default()
    };
    let listener = w.listen(b, ":7000", &options);
    let clients: Vec<_> = (0..4).map(|_| w.dial(a, "10.0.0.2:7000")).collect();
    w.pass(500 * MS);
    let standing = |w: &mut World| {
        let stand = clients
            .iter()
            .filter(|c| w.on(a).connected(**c) == Ok(true));
        stand.count()
    };
    assert_eq!(standing(&mut w), 2);
    for _ in 0..2 {
        assert!(matches!(w.on(b).accept(listener), Ok(Some(_))));
    }
    w.pass(SEC);
    assert_eq!(standing(&mut w), 4);
    // Who never gets through is told after about two minutes.
    let late = w.dial(a, "10.0.0.2:7000");
    w.pass(120 * SEC);
    assert_eq!(w.on(a).connected(late), Ok(false));
    w.pass(10 * SEC);
    assert_eq!(w.on(a).connected(late), Err(NetError::TimedOut));
    // Those that nobody accepted are reset with the listener.
    w.on(b).close(listener);
    w.pass(SEC);
    let reset = clients.iter().filter(|c| {
        let read = w.on(a).read(**c, &mut [0; 8]);
        read == Err(NetError::Reset)
    });
    assert_eq!(reset.count(), 2);
}

#[test]
fn who_dials_and_leaves_is_not_accepted() {
    let mut w = world();
    let (a, b) = (w.a, w.b);
    let listener = w.listen(b, ":7000", &ListenOptions::default());
    let client = w.dial(a, "10.0.0.2:7000");
    w.on(a).close(client);
    w.pass(SEC);
    assert_eq!(w.on(b).accept(listener), Ok(None));
    assert_eq!(w.sim.sockets(b).len(), 1);
    assert_eq!(w.sim.sockets(b)[0].state, SocketState::Listening);
    // The place in the backlog is free again.
    assert_eq!(w.sim.sockets(b)[0].waiting, 0);
}

#[test]
fn addresses_ports_and_families() {
    let mut w = world();
    let (a, b) = (w.a, w.b);
    let group = w.group(b);
    let mut listen =
        |at: &str, options: &ListenOptions| w.on(b).listen(group, &endpoint(at), options);
    let plain = ListenOptions::default();
    assert_eq!(
        listen("10.0.0.1:7000", &plain),
        Err(NetError::AddrNotAvailable)
    );
    let all = listen(":7000", &plain).expect("free");
    assert_eq!(listen("10.0.0.2:7000", &plain), Err(NetError::AddrInUse));
    assert_eq!(listen("127.0.0.1:7000", &plain), Err(NetError::AddrInUse));
    listen("[::]:7000", &plain).expect("another family");
    let both = ListenOptions {
        v6_only: false,
        ..plain.clone()
    };
    assert_eq!(listen("[::]:7000", &both), Err(NetError::AddrInUse));
    listen("[::]:7001", &both).expect("free");
    let shared = ListenOptions {
        reuse_port: true,
        ..plain.clone()
    };
    listen(":7002", &shared).expect("free");
    listen(":7002", &shared).expect("both share");
    assert_eq!(listen(":7002", &plain), Err(NetError::AddrInUse));
    assert_eq!(listen("udp:10.0.0.2:1", &plain), Err(NetError::Invalid));
    w.on(b).close(all);
    let again = w.on(b).listen(group, &endpoint("10.0.0.2:7000"), &plain);
    assert!(again.is_ok());
    let results: Vec<_> = ["[fd00::2]:7000", "10.0.0.2:7001", "127.0.0.1:7001"]
        .iter()
        .map(|to| {
            let client = w.dial(a, to);
            w.pass(SEC);
            w.on(a).connected(client)
        })
        .collect();
    assert_eq!(results, [Ok(true), Ok(true), Err(NetError::Refused)]);
}

#[test]
fn dialling_from_an_address_of_ones_own() {
    let mut w = world();
    let (a, b) = (w.a, w.b);
    w.listen(b, ":7000", &ListenOptions::default());
    let group = w.group(a);
    let mut dial = |from: &str| {
        let options = ConnectOptions {
            from: Some(endpoint(from)),
            ..ConnectOptions::default()
        };
        let sid = w
            .on(a)
            .connect(group, &endpoint("10.0.0.2:7000"), &options)?;
        w.on(a).local(sid)
    };
    assert_eq!(dial("10.0.0.1:1234"), Ok(endpoint("10.0.0.1:1234")));
    assert_eq!(dial("10.0.0.1:1234"), Err(NetError::AddrInUse));
    assert_eq!(dial("10.0.0.7:0"), Err(NetError::AddrNotAvailable));
    assert_eq!(dial("[::1]:0"), Err(NetError::Invalid));
    let given = dial("0.0.0.0:0").expect("any").port();
    assert!(given.is_some_and(|port| port >= 32_768));
}

#[test]
fn descriptors_run_out_and_come_back() {
    let mut w = world();
    let (a, b) = (w.a, w.b);
    let listener = w.listen(b, ":7000", &ListenOptions::default());
    w.fault("descriptors b 1");
    w.fault("descriptors a 1");
    let client = w.dial(a, "10.0.0.2:7000");
    assert_eq!(w.try_dial(a, "10.0.0.2:7000"), Err(NetError::Exhausted));
    w.pass(SEC);
    assert_eq!(w.on(a).connected(client), Ok(true));
    assert_eq!(w.on(b).accept(listener), Err(NetError::Exhausted));
    w.fault("descriptors b all");
    assert_eq!(w.ready(b), [listener]);
    assert!(matches!(w.on(b).accept(listener), Ok(Some(_))));
    w.on(a).close(client);
    assert!(w.try_dial(a, "10.0.0.2:7000").is_ok());
}

#[test]
fn keepalive_finds_a_peer_that_vanished() {
    let mut w = world();
    let (a, b) = (w.a, w.b);
    let (client, server) = w.pair();
    let law = Keepalive {
        idle: 10 * SEC,
        interval: SEC,
        probes: 3,
    };
    let on = SocketOption::Keepalive(Some(law));
    assert_eq!(w.on(a).set_option(client, on), Ok(()));
    let none = SocketOption::Keepalive(Some(Keepalive { probes: 0, ..law }));
    assert_eq!(w.on(a).set_option(client, none), Err(NetError::Invalid));
    w.pass(100 * SEC);
    assert_eq!(w.ready(a), []);
    w.fault("crash b");
    w.pass(20 * SEC);
    assert_eq!(w.on(a).read(client, &mut [0; 8]), Err(NetError::TimedOut));
    assert_eq!(w.on(b).read(server, &mut [0; 8]), Err(NetError::Stale));
}

#[test]
fn unix_sockets_live_in_the_files_of_their_node() {
    let mut w = world();
    let (a, b) = (w.a, w.b);
    let options = ListenOptions {
        backlog: 1,
        ..ListenOptions::default()
    };
    let listener = w.listen(a, "unix:/run/x", &options);
    let again = w.group(a);
    let taken = w.on(a).listen(again, &endpoint("unix:/run/x"), &options);
    assert_eq!(taken, Err(NetError::AddrInUse));
    assert_eq!(w.try_dial(b, "unix:/run/x"), Err(NetError::NotFound));
    let client = w.dial(a, "unix:/run/x");
    assert_eq!(w.on(a).connected(client), Ok(true));
    w.dial(a, "unix:/run/x");
    assert_eq!(w.try_dial(a, "unix:/run/x"), Err(NetError::Exhausted));
    let (server, peer) = w.on(a).accept(listener).expect("accept").expect("one");
    assert_eq!(peer, Endpoint::Unnamed);
    w.write(a, server, b"hi");
    w.pass(MS);
    assert_eq!(w.read(a, client), b"hi");
    w.on(a).close(client);
    assert_eq!(w.on(a).write(server, b"x"), Err(NetError::BrokenPipe));
    // A crash leaves the file behind, and nobody behind it.
    w.fault("crash a");
    w.fault("restart a");
    w.pass(MS);
    let group = w.on(a).group(hio::net::Owner(7));
    let dial = w
        .on(a)
        .connect(group, &endpoint("unix:/run/x"), &ConnectOptions::default());
    assert_eq!(dial, Err(NetError::Refused));
    let listen = w.on(a).listen(group, &endpoint("unix:/run/x"), &options);
    assert!(listen.is_ok());
    let long = Endpoint::unix("x".repeat(200));
    assert_eq!(
        w.on(a).listen(group, &long, &options),
        Err(NetError::PathTooLong { len: 200, max: 107 })
    );
}

#[test]
fn an_id_of_a_closed_socket_reaches_nothing() {
    let mut w = world();
    let (a, b) = (w.a, w.b);
    let (client, server) = w.pair();
    w.on(a).close(client);
    w.on(b).close(server);
    w.pass(SEC);
    let group = w.group(a);
    let next = w.dial(a, "10.0.0.2:7000");
    assert_eq!(next.index(), client.index());
    assert_ne!(next, client);
    assert_eq!(w.on(a).write(client, b"x"), Err(NetError::Stale));
    assert_eq!(w.on(a).read(client, &mut [0; 8]), Err(NetError::Stale));
    w.on(a).close(client);
    w.on(a).close_group(group);
    assert_eq!(w.on(a).write(next, b"x"), Err(NetError::Stale));
    assert_eq!(w.try_dial(a, "10.0.0.2:7000"), Err(NetError::Stale));
    assert!(w.sim.sockets(a).is_empty());
}

#[test]
fn polling_ends_at_the_moment_or_when_something_happens() {
    let mut w = world();
    let (a, b) = (w.a, w.b);
    let (client, server) = w.pair();
    let now = w.on(b).now();
    w.on(b).poll(now + 5 * MS).expect("to poll");
    assert_eq!(w.on(b).now(), now + 5 * MS);
    w.write(a, client, b"x");
    w.on(b).poll(Tyme::NEVER).expect("to poll");
    assert_eq!(w.on(b).now(), now + 6 * MS);
    assert_eq!(w.ready(b), [server]);
    assert_eq!(w.on(b).poll(Tyme::NEVER), Err(NetError::Unsupported));
}
