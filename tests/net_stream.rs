//! Goal: streams over TCP (IPv4, IPv6) and Unix sockets tell the same stories through `MioNet`:
//! data, ends, resets and refusals arrive as data or typed errors, never twice, never missed.
//! Method: both ends in one net on loopback; each story runs on every kind of socket.

mod net_support;

use std::io::Write;
use std::net::Shutdown as StdShutdown;
use std::time::Duration;

use hio::net::{ConnectOptions, Endpoint, ListenOptions, MioNet, Net, NetError, Owner, Shutdown};
use hio::tyme::Tyme;
use net_support::{Kind, Rig, failure, kinds, until};

#[test]
fn echo_both_ways() {
    for kind in kinds() {
        let mut rig = Rig::new(kind);
        let (client, server) = rig.pair();
        assert_eq!(rig.net.write(client, b"ping"), Ok(4), "{kind:?}");
        assert_eq!(rig.read(server, 4), b"ping");
        assert_eq!(rig.net.write(server, b"pong!"), Ok(5));
        assert_eq!(rig.read(client, 5), b"pong!");
    }
}

#[test]
fn addresses_of_both_ends() {
    for kind in kinds() {
        let mut rig = Rig::new(kind);
        let at = rig.at.clone();
        let client = rig
            .net
            .connect(rig.group, &at, &ConnectOptions::default())
            .expect("to dial");
        let listener = rig.listener;
        let (server, peer) = until(&mut rig.net, |net| net.accept(listener).expect("accept"));
        until(&mut rig.net, |net| {
            net.connected(client).expect("a connection").then_some(())
        });
        assert_eq!(rig.net.peer(client).as_ref(), Ok(&at));
        assert_eq!(rig.net.local(server).as_ref(), Ok(&at));
        assert_eq!(rig.net.local(client).as_ref(), Ok(&peer));
        assert_eq!(rig.net.peer(server).as_ref(), Ok(&peer));
        if kind == Kind::Unix {
            assert_eq!(peer, Endpoint::Unnamed);
        }
        assert_eq!(rig.net.peer(rig.listener), Err(NetError::Invalid));
    }
}

#[test]
fn half_close_lets_the_answer_through() {
    for kind in kinds() {
        let mut rig = Rig::new(kind);
        let (client, server) = rig.pair();
        assert_eq!(rig.net.write(client, b"question"), Ok(8));
        assert_eq!(rig.net.shutdown(client, Shutdown::Send), Ok(()));
        assert_eq!(
            rig.net.write(client, b"more"),
            Err(NetError::BrokenPipe),
            "{kind:?}"
        );
        assert_eq!(rig.read(server, 8), b"question");
        rig.read_end(server);
        // The end stays the end.
        rig.read_end(server);
        assert_eq!(rig.net.write(server, b"answer"), Ok(6));
        assert_eq!(rig.read(client, 6), b"answer");
        rig.net.close(server);
        rig.read_end(client);
    }
}

#[test]
fn an_end_that_comes_with_the_data_is_not_missed() {
    for kind in kinds() {
        let mut rig = Rig::new(kind);
        for _ in 0..50 {
            let (client, server) = rig.pair();
            assert_eq!(rig.net.write(client, b"last"), Ok(4));
            rig.net.close(client);
            // One poll from here tells of data and end together, or of one after the other.
            let got = rig.read_all(server);
            assert_eq!(got, b"last", "{kind:?}");
            rig.net.close(server);
        }
    }
}

#[test]
fn a_short_read_ends_the_reading_until_more_comes() {
    for kind in kinds() {
        let mut rig = Rig::new(kind);
        let (client, server) = rig.pair();
        rig.settle();
        let mut buf = [0; 4];
        // Before the poll has told of it, data does not exist.
        assert_eq!(rig.net.write(client, b"abcdef"), Ok(6));
        assert_eq!(rig.net.read(server, &mut buf), Ok(None), "{kind:?}");
        until(&mut rig.net, |net| {
            net.read(server, &mut buf).expect("to read")
        });
        assert_eq!(&buf, b"abcd");
        // A full read may have left some, a short one has not.
        assert_eq!(rig.net.read(server, &mut buf), Ok(Some(2)));
        assert_eq!(rig.net.write(client, b"g"), Ok(1));
        assert_eq!(rig.net.read(server, &mut buf), Ok(None));
        assert_eq!(rig.read(server, 1), b"g");
    }
}

#[test]
fn an_empty_buffer_is_no_end_and_no_progress() {
    for kind in kinds() {
        let mut rig = Rig::new(kind);
        let (client, server) = rig.pair();
        assert_eq!(rig.net.write(client, b""), Ok(0));
        assert_eq!(rig.net.write(client, b"x"), Ok(1));
        until(&mut rig.net, |net| {
            assert_eq!(net.read(server, &mut []), Ok(None));
            net.read(server, &mut [0; 8]).expect("to read")
        });
    }
}

#[test]
fn a_reader_that_is_behind_stops_the_writer_and_starts_it_again() {
    for kind in kinds() {
        let mut rig = Rig::new(kind);
        let (client, server) = rig.pair();
        let block: Vec<u8> = (0..=250_u8).cycle().take(100_000).collect();
        let mut sent = 0;
        for _ in 0..1000 {
            match rig.net.write(client, &block[sent % 251..]) {
                Ok(0) => break,
                Ok(n) => sent += n,
                Err(e) => panic!("{kind:?}: {e}"),
            }
        }
        assert!(sent > 0);
        assert_eq!(rig.net.write(client, b"x"), Ok(0), "{kind:?}");
        rig.settle();
        let got = rig.read(server, sent);
        assert!(got.iter().zip((0..=250_u8).cycle()).all(|(a, b)| *a == b));
        // The room is told of by a mark, as writing was impossible before.
        until(&mut rig.net, |net| {
            let mut marks = Vec::new();
            net.ready(rig.group, &mut marks);
            marks.contains(&client).then_some(())
        });
        assert_eq!(rig.net.write(client, b"x"), Ok(1));
        assert_eq!(rig.read(server, 1), b"x");
    }
}

#[test]
fn a_reset_is_an_error_and_the_process_lives() {
    for kind in [Kind::V4, Kind::V6] {
        if !kinds().contains(&kind) {
            continue;
        }
        let resetting = ListenOptions {
            linger: Some(Duration::ZERO),
            ..ListenOptions::default()
        };
        let mut rig = Rig::with(kind, &resetting);
        let (client, server) = rig.pair();
        rig.net.close(server);
        let mut buf = [0; 8];
        let error = until(&mut rig.net, |net| net.read(client, &mut buf).err());
        assert_eq!(error, NetError::Reset);
        assert!(error.is_cutoff());
        assert_eq!(rig.net.write(client, b"x"), Err(NetError::BrokenPipe));
    }
}

#[test]
fn a9_writing_to_a_closed_peer_is_an_error() {
    for kind in kinds() {
        let mut rig = Rig::new(kind);
        let (client, server) = rig.pair();
        rig.net.close(client);
        let error = until(&mut rig.net, |net| net.write(server, b"x").err());
        assert!(error.is_cutoff(), "{kind:?}: {error}");
    }
}

#[test]
fn nobody_listening_is_refused() {
    for kind in kinds() {
        let mut rig = Rig::new(kind);
        let at = rig.at.clone();
        rig.net.close(rig.listener);
        let wanted = match kind {
            // The listener took its file with it.
            Kind::Unix => NetError::NotFound,
            _ => NetError::Refused,
        };
        let options = ConnectOptions::default();
        let error = match rig.net.connect(rig.group, &at, &options) {
            Ok(sid) => failure(&mut rig.net, sid),
            Err(e) => e,
        };
        assert_eq!(error, wanted);
    }
}

#[test]
fn nothing_is_read_or_written_before_the_connection_stands() {
    for kind in [Kind::V4, Kind::V6] {
        if !kinds().contains(&kind) {
            continue;
        }
        let mut rig = Rig::new(kind);
        let at = rig.at.clone();
        let client = rig
            .net
            .connect(rig.group, &at, &ConnectOptions::default())
            .expect("to dial");
        assert_eq!(rig.net.connected(client), Ok(false), "{kind:?}");
        assert_eq!(rig.net.read(client, &mut [0; 8]), Ok(None));
        assert_eq!(rig.net.write(client, b"x"), Ok(0));
        // The server speaks first; what it says is marked although nobody could read it yet.
        let server = rig.accept();
        assert_eq!(rig.net.write(server, b"hi"), Ok(2));
        rig.settle();
        assert_eq!(rig.net.read(client, &mut [0; 8]), Ok(None));
        assert_eq!(rig.net.connected(client), Ok(true));
        assert!(rig.ready().contains(&client), "{kind:?}");
        assert_eq!(rig.net.connected(client), Ok(true));
        assert_eq!(rig.read(client, 2), b"hi");
    }
}

#[test]
#[cfg(unix)]
fn a_unix_connection_stands_at_once_and_is_marked() {
    let mut rig = Rig::new(Kind::Unix);
    let at = rig.at.clone();
    let options = ConnectOptions::default();
    let client = rig.net.connect(rig.group, &at, &options).expect("to dial");
    assert_eq!(rig.ready(), [client]);
    assert_eq!(rig.net.connected(client), Ok(true));
    assert_eq!(rig.net.write(client, b"early"), Ok(5));
    let server = rig.accept();
    assert_eq!(rig.read(server, 5), b"early");
}

#[test]
fn names_must_be_resolved_before_dialling() {
    let mut rig = Rig::new(Kind::V4);
    let name = Endpoint::host("localhost", 1);
    let dial = rig
        .net
        .connect(rig.group, &name, &ConnectOptions::default());
    assert_eq!(dial, Err(NetError::Unresolvable));
    let listen = rig.net.listen(rig.group, &name, &ListenOptions::default());
    assert_eq!(listen, Err(NetError::Unresolvable));
    let unnamed = rig
        .net
        .connect(rig.group, &Endpoint::Unnamed, &ConnectOptions::default());
    assert_eq!(unnamed, Err(NetError::Invalid));
}

#[test]
fn dialling_from_an_address_of_ones_own() {
    let mut rig = Rig::new(Kind::V4);
    let from = |at: &str| ConnectOptions {
        from: Some(at.parse().expect("an endpoint")),
        ..ConnectOptions::default()
    };
    let (client, server) = rig.pair_with(&from("127.0.0.2:0"));
    let local = rig.net.local(client).expect("an address");
    assert!(local.to_string().starts_with("127.0.0.2:"), "{local}");
    assert_eq!(rig.net.peer(server), Ok(local));
    let at = rig.at.clone();
    for wrong in ["[::1]:0", "unix:/nowhere/x", "localhost:1"] {
        let dial = rig.net.connect(rig.group, &at, &from(wrong));
        assert_eq!(dial, Err(NetError::Invalid), "{wrong}");
    }
    // An address of documentation, which no machine has.
    let foreign = rig.net.connect(rig.group, &at, &from("192.0.2.1:0"));
    assert_eq!(foreign, Err(NetError::AddrNotAvailable));
}

#[test]
fn misuse_is_an_error() {
    for kind in kinds() {
        let mut rig = Rig::new(kind);
        let (client, _) = rig.pair();
        let listener = rig.listener;
        assert_eq!(rig.net.read(listener, &mut [0; 8]), Err(NetError::Invalid));
        assert_eq!(rig.net.write(listener, b"x"), Err(NetError::Invalid));
        assert_eq!(rig.net.connected(listener), Err(NetError::Invalid));
        assert_eq!(
            rig.net.shutdown(listener, Shutdown::Both),
            Err(NetError::Invalid)
        );
        assert_eq!(rig.net.accept(client), Err(NetError::Invalid), "{kind:?}");
    }
}

#[test]
fn shutting_down_the_receiving_side_reads_as_the_end() {
    for kind in kinds() {
        let mut rig = Rig::new(kind);
        let (client, server) = rig.pair();
        assert_eq!(rig.net.shutdown(client, Shutdown::Receive), Ok(()));
        rig.read_end(client);
        assert_eq!(rig.net.write(client, b"still"), Ok(5));
        assert_eq!(rig.read(server, 5), b"still");
        assert_eq!(rig.net.shutdown(client, Shutdown::Both), Ok(()));
        rig.read_end(server);
    }
}

#[test]
fn sockets_of_the_standard_library_are_adopted() {
    let mut net = MioNet::new().expect("a poll");
    let group = net.group(Owner::NONE);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("to bind");
    let at = listener.local_addr().expect("an address");
    let mut dialled = std::net::TcpStream::connect(at).expect("to dial");
    // Waited already when the net came.
    let listener = net.adopt(group, listener).expect("to adopt");
    let (server, peer) = until(&mut net, |net| net.accept(listener).expect("accept"));
    assert_eq!(peer.addr(), dialled.local_addr().ok());
    dialled.write_all(b"abc").expect("to write");
    let dialled = net.adopt(group, dialled).expect("to adopt");
    let mut buf = [0; 8];
    let n = until(&mut net, |net| net.read(server, &mut buf).expect("read"));
    assert_eq!(&buf[..n], b"abc");
    assert_eq!(net.write(server, b"de"), Ok(2));
    let n = until(&mut net, |net| net.read(dialled, &mut buf).expect("read"));
    assert_eq!(&buf[..n], b"de");
    net.close_group(group);
    let late = std::net::TcpListener::bind("127.0.0.1:0").expect("to bind");
    assert_eq!(net.adopt(group, late), Err(NetError::Stale));
}

#[test]
#[cfg(unix)]
fn a_socket_pair_is_adopted() {
    use std::os::unix::net::{UnixListener, UnixStream};
    let mut rig = Rig::new(Kind::Unix);
    let (near, mut far) = UnixStream::pair().expect("a pair");
    far.write_all(b"SIG").expect("to write");
    far.shutdown(StdShutdown::Write).expect("to shut down");
    let near = rig.net.adopt(rig.group, near).expect("to adopt");
    assert_eq!(rig.read_all(near), b"SIG");
    // The file of an adopted listener is its maker's.
    let path = rig.dir().join("adopted");
    let listener = UnixListener::bind(&path).expect("to bind");
    let listener = rig.net.adopt(rig.group, listener).expect("to adopt");
    rig.net.close(listener);
    assert!(path.exists());
}

#[test]
fn entropy_differs_and_wall_time_is_later_than_this_file() {
    let mut net = MioNet::new().expect("a poll");
    let (mut a, mut b) = ([0; 32], [0; 32]);
    net.entropy(&mut a);
    net.entropy(&mut b);
    assert_ne!(a, b);
    assert_ne!(a, [0; 32]);
    assert!(net.wall() > Duration::from_secs(1_700_000_000));
    let now = net.now();
    assert!(now < Tyme::from_secs(60) && net.now() >= now);
}
