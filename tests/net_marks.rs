//! Goal: marks, groups and ids of `MioNet`: each readiness is told once, to the right owner, and
//! an id of a closed socket reaches nothing.
//! Method: sockets on loopback, marks looked at after each poll; a long random run of opening,
//! marking and closing against a model.

mod net_support;

use std::collections::BTreeSet;

use hio::net::{ConnectOptions, Group, MioNet, Net, NetError, Owner, Shutdown, Sid, SocketOption};
use hio::tyme::Tyme;
use net_support::{Kind, Rig, kinds, until};

#[test]
fn a_listener_and_its_connections_are_marked_when_there_is_something_to_do() {
    for kind in kinds() {
        let mut rig = Rig::new(kind);
        rig.settle();
        assert_eq!(rig.woken(), []);
        let at = rig.at.clone();
        let other = rig.net.group(Owner(3));
        let options = ConnectOptions::default();
        let client = rig.net.connect(other, &at, &options).expect("to dial");
        until(&mut rig.net, |net| {
            let mut woken = Vec::new();
            net.woken(&mut woken);
            (woken.len() == 2).then(|| assert_eq!(woken, [Owner(3), Owner(7)]))
        });
        let mut ready = Vec::new();
        rig.net.ready(other, &mut ready);
        assert_eq!(ready, [client], "{kind:?}");
        assert_eq!(rig.woken(), [Owner(7)]);
        assert_eq!(rig.ready(), [rig.listener]);
        assert_eq!(rig.ready(), []);
        assert_eq!(rig.woken(), []);
        assert_eq!(rig.net.connected(client), Ok(true));

        // A fresh connection without data wakes nobody, neither now nor at the next poll.
        let (server, _) = rig.net.accept(rig.listener).expect("accept").expect("one");
        assert_eq!(rig.net.accept(rig.listener), Ok(None));
        assert_eq!(rig.ready(), []);
        for _ in 0..3 {
            rig.net.poll(Tyme::ZERO).expect("to poll");
        }
        assert_eq!(rig.woken(), [], "{kind:?}");
        assert_eq!(rig.net.write(server, b"banner"), Ok(6));
        assert_eq!(rig.net.write(client, b"data"), Ok(4));
        until(&mut rig.net, |net| {
            let mut woken = Vec::new();
            net.woken(&mut woken);
            (woken == [Owner(3), Owner(7)]).then_some(())
        });
        assert_eq!(rig.ready(), [server]);
    }
}

#[test]
fn data_that_waits_already_at_accept_is_marked_by_the_next_poll() {
    for kind in kinds() {
        let mut rig = Rig::new(kind);
        let (first, _) = rig.pair();
        let at = rig.at.clone();
        let options = ConnectOptions::default();
        let client = rig.net.connect(rig.group, &at, &options).expect("to dial");
        until(&mut rig.net, |net| {
            net.connected(client).expect("a connection").then_some(())
        });
        assert_eq!(rig.net.write(client, b"early"), Ok(5));
        rig.net.close(first);
        rig.settle();
        let (server, _) = rig.net.accept(rig.listener).expect("accept").expect("one");
        rig.net.poll(Tyme::ZERO).expect("to poll");
        assert!(rig.ready().contains(&server), "{kind:?}");
        assert_eq!(rig.net.read(server, &mut [0; 64]), Ok(Some(5)));
    }
}

#[test]
fn writing_and_the_peers_reading_wake_nobody() {
    for kind in kinds() {
        let mut rig = Rig::new(kind);
        let (client, server) = rig.pair();
        rig.settle();
        assert_eq!(rig.net.write(client, b"abc"), Ok(3));
        assert_eq!(rig.read(server, 3), b"abc");
        rig.net.poll(Tyme::ZERO).expect("to poll");
        assert!(!rig.ready().contains(&client), "{kind:?}");
    }
}

#[test]
fn marks_are_ascending_once_and_taken() {
    for kind in kinds() {
        let mut rig = Rig::new(kind);
        let pairs: Vec<_> = (0..8).map(|_| rig.pair()).collect();
        rig.settle();
        let mut servers: Vec<Sid> = pairs.iter().map(|&(_, server)| server).collect();
        for &(client, _) in pairs.iter().rev() {
            assert_eq!(rig.net.write(client, b"x"), Ok(1));
        }
        rig.net.mark(servers[3]);
        rig.net.mark(servers[3]);
        let mut seen = BTreeSet::new();
        until(&mut rig.net, |net| {
            let mut out = vec![servers[0]];
            net.ready(rig.group, &mut out);
            // Appended after what was there, in order, each once.
            assert_eq!(out[0], servers[0]);
            assert!(out[1..].is_sorted_by(|a, b| a < b), "{out:?}");
            seen.extend(out[1..].iter().copied());
            (seen.len() == servers.len()).then_some(())
        });
        servers.sort_unstable();
        assert!(seen.into_iter().eq(servers), "{kind:?}");
        assert_eq!(rig.ready(), []);
    }
}

#[test]
fn who_stops_early_marks_and_is_told_again() {
    let mut rig = Rig::new(Kind::V4);
    let (client, server) = rig.pair();
    rig.settle();
    assert_eq!(rig.net.write(client, b"abcdef"), Ok(6));
    let mut buf = [0; 2];
    until(&mut rig.net, |net| {
        net.read(server, &mut buf).expect("read")
    });
    rig.ready();
    rig.net.poll(Tyme::ZERO).expect("to poll");
    // Nothing new came, so without a mark nothing is told ...
    assert_eq!(rig.ready(), []);
    rig.net.mark(server);
    // ... and a mark does not end a wait, but is there after it.
    let until = rig.net.now() + std::time::Duration::from_millis(5);
    rig.net.poll(until).expect("to poll");
    assert!(rig.net.now() >= until);
    assert_eq!(rig.woken(), [Owner(7)]);
    assert_eq!(rig.ready(), [server]);
    assert_eq!(rig.net.read(server, &mut buf), Ok(Some(2)));
}

#[test]
fn groups_have_owners_that_change_and_may_be_nobody() {
    let mut rig = Rig::new(Kind::V4);
    let (client, _) = rig.pair();
    rig.settle();
    rig.net.mark(client);
    assert_eq!(rig.woken(), [Owner(7)]);
    rig.net.set_owner(rig.group, Owner(5));
    assert_eq!(rig.woken(), [Owner(5)]);
    rig.net.set_owner(rig.group, Owner::NONE);
    assert_eq!(rig.woken(), []);
    // Two groups of one owner wake it once.
    rig.net.set_owner(rig.group, Owner(9));
    let second = rig.net.group(Owner(9));
    let pair = std::net::TcpListener::bind("127.0.0.1:0").expect("to bind");
    let extra = rig.net.adopt(second, pair).expect("to adopt");
    rig.net.mark(extra);
    assert_eq!(rig.woken(), [Owner(9)]);
    // A closed socket's mark is nobody's.
    rig.net.close(extra);
    rig.net.close(client);
    assert_eq!(rig.woken(), []);
    assert_eq!(rig.ready(), []);
}

#[test]
fn closing_a_group_closes_its_sockets_and_no_others() {
    for kind in kinds() {
        let mut rig = Rig::new(kind);
        let other = rig.net.group(Owner(1));
        let at = rig.at.clone();
        let options = ConnectOptions::default();
        let client = rig.net.connect(other, &at, &options).expect("to dial");
        let server = rig.accept();
        until(&mut rig.net, |net| {
            net.connected(client).expect("a connection").then_some(())
        });
        rig.net.mark(server);
        rig.net.close_group(rig.group);
        assert_eq!(rig.woken(), [Owner(1)], "{kind:?}");
        for sid in [rig.listener, server] {
            assert_eq!(rig.net.local(sid), Err(NetError::Stale));
        }
        rig.read_end(client);
        // The group is gone, also when another has taken its place.
        let again = rig.net.group(Owner(2));
        assert_eq!(again.index(), rig.group.index());
        assert_ne!(again, rig.group);
        let dial = rig.net.connect(rig.group, &at, &options);
        assert_eq!(dial, Err(NetError::Stale));
        let listen = rig.net.listen(rig.group, &at, &Default::default());
        assert_eq!(listen, Err(NetError::Stale));
        rig.net.set_owner(rig.group, Owner(99));
        rig.net.close_group(rig.group);
        assert_eq!(rig.ready(), []);
    }
}

#[test]
fn a_stale_id_never_reaches_the_socket_in_its_place() {
    for kind in kinds() {
        let mut rig = Rig::new(kind);
        let (client, server) = rig.pair();
        rig.net.close(client);
        rig.net.close(client);
        rig.net.close(server);
        let (a, b) = rig.pair();
        let places: BTreeSet<u32> = [a, b].iter().map(|sid| sid.index()).collect();
        assert!(places.contains(&client.index()) && places.contains(&server.index()));
        rig.settle();
        for stale in [client, server, Sid::new(u32::MAX, 0), Sid::new(77, 1)] {
            let net = &mut rig.net;
            assert_eq!(net.read(stale, &mut [0; 8]), Err(NetError::Stale));
            assert_eq!(net.write(stale, b"x"), Err(NetError::Stale));
            assert_eq!(net.accept(stale), Err(NetError::Stale));
            assert_eq!(net.connected(stale), Err(NetError::Stale));
            assert_eq!(net.shutdown(stale, Shutdown::Both), Err(NetError::Stale));
            assert_eq!(net.local(stale), Err(NetError::Stale));
            assert_eq!(net.peer(stale), Err(NetError::Stale));
            assert_eq!(net.buffer_sizes(stale), Err(NetError::Stale));
            let option = SocketOption::Nodelay(true);
            assert_eq!(net.set_option(stale, option), Err(NetError::Stale));
            #[cfg(unix)]
            assert!(net.fd(stale).is_none());
            net.mark(stale);
            net.close(stale);
            assert_eq!(rig.ready(), []);
        }
        assert_eq!(rig.net.write(a, b"fine"), Ok(4));
        assert_eq!(rig.read(b, 4), b"fine", "{kind:?}");
    }
}

#[test]
#[cfg(unix)]
fn an_event_of_a_closed_socket_goes_nowhere() {
    use std::io::Write;
    use std::os::unix::net::UnixStream;
    let mut rig = Rig::new(Kind::Unix);
    let (near, mut far) = UnixStream::pair().expect("a pair");
    // A second descriptor keeps the system's registration alive beyond the close.
    let kept = near.try_clone().expect("a second descriptor");
    let near = rig.net.adopt(rig.group, near).expect("to adopt");
    rig.settle();
    rig.net.close(near);
    let (other, _peer) = UnixStream::pair().expect("a pair");
    let other = rig.net.adopt(rig.group, other).expect("to adopt");
    assert_eq!(other.index(), near.index());
    rig.settle();
    far.write_all(b"ghost").expect("to write");
    rig.net.poll(Tyme::ZERO).expect("to poll");
    assert_eq!(rig.ready(), []);
    assert_eq!(rig.net.read(other, &mut [0; 8]), Ok(None));
    drop(kept);
}

/// Random opening, marking, taking and closing in three groups, against sets.
#[test]
#[cfg(unix)]
fn marks_agree_with_a_model_over_a_long_run() {
    use std::os::unix::net::UnixStream;
    let mut net = MioNet::new().expect("a poll");
    let groups: Vec<Group> = (0..3).map(|n| net.group(Owner(n))).collect();
    let mut open: Vec<(usize, Sid)> = Vec::new();
    let mut marked: [BTreeSet<Sid>; 3] = Default::default();
    let mut ever = BTreeSet::new();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut draw = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).expect("below a usize")
    };
    for _ in 0..20_000 {
        match draw(10) {
            0 | 1 if open.len() < 40 => {
                let (socket, _) = UnixStream::pair().expect("a pair");
                let group = draw(3);
                let sid = net.adopt(groups[group], socket).expect("to adopt");
                assert!(ever.insert(sid), "an id was given out twice");
                open.push((group, sid));
            }
            2 if !open.is_empty() => {
                let (group, sid) = open.swap_remove(draw(open.len()));
                marked[group].remove(&sid);
                net.close(sid);
            }
            3..=7 if !open.is_empty() => {
                let (group, sid) = open[draw(open.len())];
                marked[group].insert(sid);
                net.mark(sid);
            }
            8 => {
                let group = draw(3);
                let mut out = Vec::new();
                net.ready(groups[group], &mut out);
                assert!(out.into_iter().eq(std::mem::take(&mut marked[group])));
            }
            _ => {
                let mut out = Vec::new();
                net.woken(&mut out);
                let wanted = (0..3).filter(|&g| !marked[g].is_empty());
                assert!(out.into_iter().eq(wanted.map(|g| Owner(g as u64))));
            }
        }
    }
    assert!(ever.len() > 1000);
}
