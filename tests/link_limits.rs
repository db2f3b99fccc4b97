//! Goal: every limit and tymeout holds, on every kind of stream alike (law L1).
//! Method: peers that are silent, slow or many, limits of tens of milliseconds; what needs exact
//! moments or scarce descriptors runs on the net in memory, whose clock leaps.

mod support;

use hio::link::{CloseReason, Event, Limits, Pause, Server, TxError};
use hio::net::{Endpoint, ListenOptions, Net, NetError, Owner};
use hio::tyme::Tyme;
use support::memory::MemoryNet;
use support::{Peer, World, everywhere, ms, pattern, reasons};

fn joined(world: &mut World, server: &mut Server) -> Peer {
    let peer = world.peer(server);
    let before = server.stats().opened;
    world.until("a peer joins", |tyme, net| {
        server.service(tyme, net).unwrap();
        peer.connected(net) && server.stats().opened > before
    });
    peer
}

/// A server in memory.
fn memory(limits: Limits) -> (MemoryNet, Server) {
    let mut net = MemoryNet::default();
    let at = Endpoint::host("127.0.0.1", 0);
    let mut server = Server::new(at, ListenOptions::default(), limits);
    server.open(&mut net, Owner::NONE).unwrap();
    (net, server)
}

/// Dials by hand; the net has connected it, the server not yet accepted.
fn dial(net: &mut MemoryNet, server: &Server) -> hio::net::Sid {
    let group = net.group(Owner::NONE);
    let sid = net
        .connect(group, &server.eha(), &Default::default())
        .unwrap();
    let now = net.now();
    net.poll(now).unwrap();
    let mut marks = Vec::new();
    net.ready(group, &mut marks);
    sid
}

#[test]
fn s2_s3_idle_tymeouts_are_kept_and_traffic_in_either_direction_refreshes_them() {
    everywhere(|world| {
        let limits = Limits {
            tymeout: Some(ms(100)),
            ..Limits::default()
        };
        let mut server = world.server(limits);
        let silent = joined(world, &mut server);
        let talker = joined(world, &mut server);
        let listener = joined(world, &mut server);
        let ids = server.ids();
        let start = server.get(ids[0]).unwrap().tymer().unwrap().start_tyme();
        let (mut ends, mut spoken) = (Vec::new(), start);
        world.until("silence ends it", |tyme, net| {
            if tyme.since(start) < ms(250) && tyme.since(spoken) > ms(30) {
                talker.send(b".", net);
                let _ = server.transmit_ix(ids[2], b".");
                spoken = tyme;
            }
            server.service(tyme, net).unwrap();
            for event in server.events() {
                if let Event::Closed(id, reason) = event {
                    assert_eq!(reason, CloseReason::IdleTimedOut);
                    ends.push((id, tyme.since(start)));
                }
            }
            ends.len() == 3
        });
        assert_eq!(ends[0].0, ids[0]);
        assert!(ends[0].1 >= ms(100) && ends[0].1 < ms(200), "{ends:?}");
        assert!(ends[1].1 >= ms(300) && ends[2].1 >= ms(300), "{ends:?}");
        for peer in [silent, talker, listener] {
            peer.close(world.net.as_mut());
        }
    });
}

#[test]
fn a8_the_deadline_is_exact_and_a_connection_may_have_its_own() {
    let (mut net, mut server) = memory(Limits {
        tymeout: Some(ms(5000)),
        ..Limits::default()
    });
    let (_a, _b, _c) = (
        dial(&mut net, &server),
        dial(&mut net, &server),
        dial(&mut net, &server),
    );
    let start = net.now();
    server.service(start, &mut net).unwrap();
    let ids = server.ids();
    let mine = server.get_mut(ids[1]).unwrap();
    mine.set_tymeout(start, Some(ms(1000)));
    server.get_mut(ids[2]).unwrap().set_tymeout(start, None);
    server.service(start, &mut net).unwrap();
    assert_eq!(server.due(start), start + ms(1000));
    let just_before = start + ms(1000) - std::time::Duration::from_nanos(1);
    server.service(just_before, &mut net).unwrap();
    assert_eq!(server.stats().closed, 0);
    server.service(start + ms(1000), &mut net).unwrap();
    assert_eq!(server.stats().closed, 1);
    server.get_mut(ids[0]).unwrap().refresh(start + ms(4000));
    server.service(start + ms(8999), &mut net).unwrap();
    assert_eq!(server.stats().closed, 1);
    server.service(start + ms(9000), &mut net).unwrap();
    assert_eq!(reasons(&mut server), [CloseReason::IdleTimedOut; 2]);
    server.service(start + ms(1_000_000), &mut net).unwrap();
    assert_eq!(server.ids(), [ids[2]], "none is none");
    assert_eq!(server.due(start), Tyme::NEVER);
}

#[test]
fn a3_a_peer_that_never_reads_is_reset() {
    everywhere(|world| {
        let limits = Limits {
            write_stall: ms(80),
            tx_cap: 8 << 20,
            ..Limits::default()
        };
        let mut server = world.server(limits);
        let peer = joined(world, &mut server);
        let id = server.ids()[0];
        let flood = pattern(8 << 20);
        server.transmit_ix(id, &flood).unwrap();
        assert!(matches!(
            server.get_mut(id).unwrap().tx(b"x"),
            Err(TxError::Full { taken: 0 })
        ));
        let start = world.net.now();
        world.until("it is reset", |tyme, net| {
            server.service(tyme, net).unwrap();
            server.stats().closed == 1
        });
        assert!(world.net.now().since(start) >= ms(80));
        assert_eq!(reasons(&mut server), [CloseReason::WriteStalled]);
        assert!(server.stats().unsent > 0);
        peer.close(world.net.as_mut());
    });
}

#[test]
fn progress_however_slow_keeps_it() {
    let (mut net, mut server) = memory(Limits {
        write_stall: ms(1000),
        ..Limits::default()
    });
    let peer = dial(&mut net, &server);
    net.capacity = 1000;
    let mut tyme = net.now();
    server.service(tyme, &mut net).unwrap();
    let id = server.ids()[0];
    server.transmit_ix(id, &pattern(20_000)).unwrap();
    let (mut got, mut buf) = (0, [0; 1000]);
    for _ in 0..20 {
        tyme += ms(900);
        server.service(tyme, &mut net).unwrap();
        got += net.read(peer, &mut buf).unwrap().unwrap_or(0);
    }
    server.service(tyme, &mut net).unwrap();
    assert_eq!(got, 20_000);
    let events: Vec<_> = server.events().collect();
    assert_eq!(events, [Event::Accepted(id), Event::Drained(id)]);
}

#[test]
fn s12_at_the_cap_reading_stops_and_it_goes_on_when_there_is_room() {
    everywhere(|world| {
        let limits = Limits {
            rx_cap: 10_000,
            ..Limits::default()
        };
        let mut server = world.server(limits);
        let mut client = world.client(&server, Limits::default());
        let data = pattern(1 << 20);
        client.tx(&data).unwrap();
        world.until("the cap", |tyme, net| {
            server.service(tyme, net).unwrap();
            client.service(tyme, net);
            server.remoters().any(|ix| ix.rx().len() == 10_000)
        });
        for _ in 0..20 {
            let tyme = world.wait(Tyme::NEVER);
            server.service(tyme, world.net.as_mut()).unwrap();
            client.service(tyme, world.net.as_mut());
        }
        let id = server.ids()[0];
        assert_eq!(server.get(id).unwrap().rx().len(), 10_000);
        assert!(
            client.link().pending() > 0 || world.name != "memory",
            "the peer feels it"
        );
        // The socket was readable all the while: no new edge tells of it.
        let mut got = Vec::new();
        world.until("all of it", |tyme, net| {
            server.service(tyme, net).unwrap();
            client.service(tyme, net);
            if let Some(ix) = server.get_mut(id) {
                got.extend_from_slice(ix.rx());
                ix.clear_rx();
            }
            got.len() == data.len()
        });
        assert!(got == data);
    });
}

#[test]
fn s12_one_fast_peer_gets_its_share_of_a_service_only() {
    let (mut net, mut server) = memory(Limits {
        rx_bytes_per_service: 1000,
        ..Limits::default()
    });
    let (fast, slow) = (dial(&mut net, &server), dial(&mut net, &server));
    net.write(fast, &pattern(5000)).unwrap();
    net.write(slow, b"hello").unwrap();
    let tyme = net.now();
    let mut seen = Vec::new();
    for _ in 0..7 {
        server
            .service_each(tyme, &mut net, |ix| {
                seen.push((ix.id().sequence(), ix.rx().len()));
                ix.clear_rx();
            })
            .unwrap();
    }
    let rest = [(0, 1000); 4];
    assert_eq!(seen[..2], [(0, 1000), (1, 5)]);
    assert_eq!(seen[2..], rest);
}

#[test]
fn connections_max_leaves_the_others_in_the_backlog() {
    everywhere(|world| {
        let limits = Limits {
            connections_max: 2,
            ..Limits::default()
        };
        let mut server = world.server(limits);
        let peers: Vec<_> = (0..4).map(|_| world.peer(&server)).collect();
        world.until("two are in", |tyme, net| {
            server.service(tyme, net).unwrap();
            peers.iter().all(|p| p.connected(net)) && server.len() == 2
        });
        for _ in 0..5 {
            let tyme = world.wait(Tyme::NEVER);
            server.service(tyme, world.net.as_mut()).unwrap();
            assert_eq!(server.len(), 2);
        }
        let paused = Event::AcceptPaused(Pause::Full);
        assert_eq!(server.events().filter(|e| *e == paused).count(), 1);
        let tyme = world.net.now();
        let first = server.ids()[0];
        server.remove_ix(first, tyme, world.net.as_mut()).unwrap();
        server.service(tyme, world.net.as_mut()).unwrap();
        assert_eq!((server.len(), server.stats().opened), (2, 3), "at once");
        assert!(server.events().any(|e| e == Event::AcceptResumed));
        assert_eq!(server.stats().full_pauses, 2);
    });
}

#[test]
fn accepts_per_service_are_bounded_and_none_is_forgotten() {
    let (mut net, mut server) = memory(Limits {
        accepts_per_service: 3,
        ..Limits::default()
    });
    for _ in 0..8 {
        dial(&mut net, &server);
    }
    let tyme = net.now();
    let mut counts = Vec::new();
    for _ in 0..4 {
        server.service_each(tyme, &mut net, |_| {}).unwrap();
        counts.push(server.len());
    }
    assert_eq!(counts, [3, 6, 8, 8]);
}

#[test]
fn a1_s6_out_of_descriptors() {
    let (mut net, mut server) = memory(Limits::default());
    let first = dial(&mut net, &server);
    server.service(net.now(), &mut net).unwrap();
    let _waiting = dial(&mut net, &server);
    net.descriptors = 3; // listener, both ends of the first; the second waits
    let start = net.now();
    // Ten seconds of services every millisecond: as many as a busy program makes.
    for i in 0..10_000 {
        server.service(start + ms(i), &mut net).unwrap();
        net.advance(ms(1));
    }
    let failed = net.accepts_failed.len();
    assert!(
        (150..=200).contains(&failed),
        "{failed} failed accepts in 10 s"
    );
    assert_eq!(server.stats().accept_errors, failed as u64);
    let paused = Event::AcceptPaused(Pause::Exhausted);
    assert_eq!(server.events().filter(|e| *e == paused).count(), 1);
    // Somebody else frees one: served within 100 ms, by `due` alone.
    let freed = net.now();
    net.descriptors = 10;
    let due = server.due(freed);
    assert!(due.since(freed) <= ms(100));
    server.service(due, &mut net).unwrap();
    assert_eq!(server.stats().opened, 2);
    assert!(server.events().any(|e| e == Event::AcceptResumed));
    // One of its own closes: at once.
    let _third = dial(&mut net, &server);
    net.descriptors = 5;
    server.service(due, &mut net).unwrap();
    assert_eq!(server.stats().opened, 2);
    net.close(first);
    server.service(due, &mut net).unwrap(); // sees the end
    server.service(due, &mut net).unwrap(); // closes, and so frees a descriptor
    server.service(due, &mut net).unwrap();
    assert_eq!(server.stats().opened, 3, "at once");
}

#[test]
fn a7_nothing_is_done_for_idle_connections() {
    let work = |idle: usize| {
        let (mut net, mut server) = memory(Limits {
            tymeout: Some(ms(60_000)),
            ..Limits::default()
        });
        let busy = dial(&mut net, &server);
        for _ in 0..idle {
            dial(&mut net, &server);
        }
        let tyme = net.now();
        for _ in 0..=idle / 64 + 1 {
            server.service_each(tyme, &mut net, |_| {}).unwrap();
        }
        assert_eq!(server.len(), idle + 1);
        net.calls = 0;
        let mut buf = [0; 16];
        for _ in 0..100 {
            net.write(busy, b"ping").unwrap();
            server
                .service_each(tyme, &mut net, |ix| ix.echo().unwrap())
                .unwrap();
            assert_eq!(net.read(busy, &mut buf), Ok(Some(4)));
        }
        net.calls
    };
    assert_eq!(work(10), work(300));
}

#[test]
fn l1_events_nobody_looks_at_are_bounded() {
    let (mut net, mut server) = memory(Limits {
        events_max: 8,
        ..Limits::default()
    });
    for _ in 0..20 {
        dial(&mut net, &server);
    }
    server.service(net.now(), &mut net).unwrap();
    assert_eq!(server.stats().events_lost, 12);
    assert_eq!(server.events().count(), 8);
}

#[test]
fn l2_a_lost_listener_is_the_one_failure_of_a_service() {
    let (mut net, mut server) = memory(Limits::default());
    let peer = dial(&mut net, &server);
    server.service(net.now(), &mut net).unwrap();
    dial(&mut net, &server);
    let mut marks = Vec::new();
    let listener = hio::net::Sid::new(0, 0);
    net.ready(hio::net::Group::new(0, 0), &mut marks);
    assert_eq!(marks, [listener]);
    // What a net that lost its listener says.
    net.mark(listener);
    net.write(peer, b"x").unwrap();
    let mut net =
        support::faulty::Faulty::new(net, support::faulty::Call::Accept, 0, 1, NetError::Stale);
    let tyme = net.now();
    let lost = server.service_each(tyme, &mut net, |ix| ix.echo().unwrap());
    let message = lost.unwrap_err().to_string();
    let wanted = format!(
        "the listener on {} is lost: stale id: the socket is closed",
        server.ha()
    );
    assert_eq!(message, wanted);
    let mut buf = [0; 4];
    assert_eq!(
        net.read(peer, &mut buf),
        Ok(Some(1)),
        "the others were served"
    );
    assert!(!server.listening() && server.opened());
}
