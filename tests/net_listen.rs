//! Goal: listeners and their options: addresses that are taken, the files of Unix sockets, and
//! what accepted connections inherit.
//! Method: real listeners on loopback and in a temporary directory; options are read back from
//! the sockets themselves.

mod net_support;

use std::time::Duration;

use hio::net::{
    ConnectOptions, Endpoint, Keepalive, ListenOptions, MioNet, Net, NetError, Owner, SocketOption,
};
use net_support::{Kind, Rig, kinds, until};

#[test]
fn an_address_in_use_is_refused() {
    for kind in kinds() {
        let mut rig = Rig::new(kind);
        let at = rig.at.clone();
        let again = rig.net.listen(rig.group, &at, &ListenOptions::default());
        assert_eq!(again, Err(NetError::AddrInUse), "{kind:?}");
        // The first one has not suffered.
        rig.pair();
        rig.net.close(rig.listener);
        rig.listener = rig
            .net
            .listen(rig.group, &at, &ListenOptions::default())
            .expect("to listen at once where somebody listened before");
        rig.pair();
    }
}

#[test]
fn an_address_of_another_machine_is_refused() {
    let mut rig = Rig::new(Kind::V4);
    let foreign = Endpoint::host("192.0.2.1", 0);
    let listen = rig
        .net
        .listen(rig.group, &foreign, &ListenOptions::default());
    assert_eq!(listen, Err(NetError::AddrNotAvailable));
}

#[test]
#[cfg(unix)]
fn a_port_is_shared_by_those_who_all_say_so() {
    let sharing = ListenOptions {
        reuse_port: true,
        ..ListenOptions::default()
    };
    let mut rig = Rig::with(Kind::V4, &sharing);
    let at = rig.at.clone();
    rig.net.listen(rig.group, &at, &sharing).expect("to share");
    let alone = rig.net.listen(rig.group, &at, &ListenOptions::default());
    assert_eq!(alone, Err(NetError::AddrInUse));
}

#[test]
fn an_ipv6_listener_takes_ipv4_only_when_told() {
    if !kinds().contains(&Kind::V6) {
        return;
    }
    for v6_only in [true, false] {
        let options = ListenOptions {
            v6_only,
            ..ListenOptions::default()
        };
        let mut net = MioNet::new().expect("a poll");
        let group = net.group(Owner::NONE);
        let listener = net
            .listen(group, &Endpoint::host("::", 0), &options)
            .expect("to listen");
        let port = net.local(listener).expect("an address").port();
        let v4 = Endpoint::host("127.0.0.1", port.expect("a port"));
        let dial = net
            .connect(group, &v4, &ConnectOptions::default())
            .and_then(|sid| {
                until(&mut net, |net| match net.connected(sid) {
                    Ok(false) => None,
                    other => Some(other),
                })
            });
        let wanted = if v6_only {
            Err(NetError::Refused)
        } else {
            Ok(true)
        };
        assert_eq!(dial, wanted);
    }
}

#[test]
#[cfg(unix)]
fn a_path_too_long_says_by_how_much() {
    let mut rig = Rig::new(Kind::Unix);
    let max = if cfg!(target_os = "linux") { 107 } else { 103 };
    let base = rig.dir().to_str().expect("UTF-8").len() + 1;
    let path = |len: usize| Endpoint::unix(rig.dir().join("x".repeat(len - base)));
    let (fits, long) = (path(max), path(max + 1));
    let listener = rig
        .net
        .listen(rig.group, &fits, &ListenOptions::default())
        .expect("the longest path");
    assert_eq!(rig.net.local(listener), Ok(fits.clone()));
    rig.listener = listener;
    rig.at = fits;
    rig.pair();
    let too_long = NetError::PathTooLong {
        len: u16::try_from(max + 1).expect("a short path"),
        max: u16::try_from(max).expect("a short path"),
    };
    let listen = rig.net.listen(rig.group, &long, &ListenOptions::default());
    assert_eq!(listen, Err(too_long));
    let dial = rig
        .net
        .connect(rig.group, &long, &ConnectOptions::default());
    assert_eq!(dial, Err(too_long));
    for bad in ["", "a\0b"] {
        let at = Endpoint::unix(bad);
        let listen = rig.net.listen(rig.group, &at, &ListenOptions::default());
        assert_eq!(listen, Err(NetError::Invalid), "{bad:?}");
    }
    let nowhere = Endpoint::unix(rig.dir().join("no/such/directory"));
    let listen = rig
        .net
        .listen(rig.group, &nowhere, &ListenOptions::default());
    assert_eq!(listen, Err(NetError::NotFound));
}

#[test]
#[cfg(unix)]
fn a_stale_socket_file_is_replaced_if_wanted() {
    let mut rig = Rig::new(Kind::Unix);
    let path = rig.dir().join("stale");
    drop(std::os::unix::net::UnixListener::bind(&path).expect("to bind"));
    assert!(path.exists());
    let at = Endpoint::unix(&path);
    let careful = ListenOptions {
        unlink_stale: false,
        ..ListenOptions::default()
    };
    let listen = rig.net.listen(rig.group, &at, &careful);
    assert_eq!(listen, Err(NetError::AddrInUse));
    rig.listener = rig
        .net
        .listen(rig.group, &at, &ListenOptions::default())
        .expect("nobody listens there");
    rig.at = at;
    rig.pair();
}

#[test]
#[cfg(unix)]
fn files_of_others_are_never_touched() {
    let mut rig = Rig::new(Kind::Unix);
    let (live, plain, link) = (
        rig.dir().join("live"),
        rig.dir().join("plain"),
        rig.dir().join("link"),
    );
    let theirs = std::os::unix::net::UnixListener::bind(&live).expect("to bind");
    std::fs::write(&plain, "precious").expect("to write");
    std::os::unix::fs::symlink(&plain, &link).expect("to link");
    for path in [&live, &plain, &link] {
        let at = Endpoint::unix(path);
        let listen = rig.net.listen(rig.group, &at, &ListenOptions::default());
        assert_eq!(listen, Err(NetError::AddrInUse), "{path:?}");
    }
    assert_eq!(std::fs::read_to_string(&link).expect("to read"), "precious");
    // A probe may have been accepted, but the listener listens on.
    std::os::unix::net::UnixStream::connect(&live).expect("to dial");
    drop(theirs);
}

#[test]
#[cfg(unix)]
fn a_listener_removes_its_own_file_only() {
    let mut rig = Rig::new(Kind::Unix);
    let path = rig.dir().join("s");
    assert!(path.exists());
    rig.net.close(rig.listener);
    assert!(!path.exists());

    // Somebody moved our file away and put one of theirs in its place.
    let at = Endpoint::unix(&path);
    let options = ListenOptions::default();
    let ours = rig.net.listen(rig.group, &at, &options).expect("to listen");
    std::fs::rename(&path, rig.dir().join("moved")).expect("to move");
    let theirs = std::os::unix::net::UnixListener::bind(&path).expect("to bind");
    rig.net.close(ours);
    assert!(path.exists());
    drop(theirs);
    std::fs::remove_file(&path).expect("to remove");

    // Closing the group and dropping the net clean up, too; a file that is gone is no trouble.
    let mut net = MioNet::new().expect("a poll");
    let (first, second) = (net.group(Owner::NONE), net.group(Owner::NONE));
    let other = rig.dir().join("other");
    net.listen(first, &at, &options).expect("to listen");
    net.listen(second, &Endpoint::unix(&other), &options)
        .expect("to listen");
    let gone = net
        .listen(second, &Endpoint::unix(rig.dir().join("gone")), &options)
        .expect("to listen");
    std::fs::remove_file(rig.dir().join("gone")).expect("to remove");
    net.close(gone);
    net.close_group(first);
    assert!(!path.exists() && other.exists());
    drop(net);
    assert!(!other.exists());
}

#[test]
#[cfg(unix)]
fn a_full_unix_backlog_is_exhaustion_and_passes() {
    let small = ListenOptions {
        backlog: 1,
        ..ListenOptions::default()
    };
    let mut rig = Rig::with(Kind::Unix, &small);
    let at = rig.at.clone();
    let options = ConnectOptions::default();
    let mut dialled = 0;
    let error = loop {
        match rig.net.connect(rig.group, &at, &options) {
            Ok(_) => dialled += 1,
            Err(e) => break e,
        }
        assert!(dialled < 100);
    };
    assert_eq!(error, NetError::Exhausted);
    for _ in 0..dialled {
        rig.accept();
    }
    rig.pair();
}

#[test]
#[cfg(target_os = "linux")]
fn a_peer_bound_to_the_longest_path_is_accepted() {
    // 108 bytes fill the structure without a closing NUL, and Linux reports one byte more.
    use std::process::Command;
    let mut rig = Rig::new(Kind::Unix);
    // Python's own bind refuses such a path.
    let script = "import ctypes, os, socket, struct, sys\n\
        s = socket.socket(socket.AF_UNIX)\n\
        a = struct.pack('=H108s', socket.AF_UNIX, os.fsencode(sys.argv[2]))\n\
        assert ctypes.CDLL(None).bind(s.fileno(), a, len(a)) == 0\n\
        s.connect(sys.argv[1]); s.sendall(b'x'); s.recv(1)\n";
    let base = rig.dir().to_str().expect("UTF-8").len() + 1;
    let longest = rig.dir().join("p".repeat(108 - base));
    let child = Command::new("python3")
        .args(["-c", script])
        .arg(rig.dir().join("s"))
        .arg(&longest)
        .spawn();
    let Ok(mut child) = child else {
        println!("skipped: no python3 here");
        return;
    };
    let listener = rig.listener;
    let (server, peer) = until(&mut rig.net, |net| net.accept(listener).expect("accept"));
    assert_eq!(peer, Endpoint::unix(&longest));
    assert_eq!(rig.net.peer(server), Ok(peer));
    assert_eq!(rig.read(server, 1), b"x");
    rig.net.close(server);
    assert!(child.wait().expect("an end").success());
}

#[cfg(unix)]
mod options {
    use super::*;
    use socket2::SockRef;

    #[test]
    fn nodelay_is_on_at_both_ends_unless_declined() {
        for kind in [Kind::V4, Kind::V6] {
            if !kinds().contains(&kind) {
                continue;
            }
            for on in [true, false] {
                let listen = ListenOptions {
                    nodelay: on,
                    ..ListenOptions::default()
                };
                let connect = ConnectOptions {
                    nodelay: on,
                    ..ConnectOptions::default()
                };
                let mut rig = Rig::with(kind, &listen);
                let (client, server) = rig.pair_with(&connect);
                for sid in [client, server] {
                    let fd = rig.net.fd(sid).expect("open");
                    assert_eq!(SockRef::from(&fd).tcp_nodelay().expect("to ask"), on);
                }
                let option = SocketOption::Nodelay(!on);
                assert_eq!(rig.net.set_option(server, option), Ok(()));
                let fd = rig.net.fd(server).expect("open");
                assert_eq!(SockRef::from(&fd).tcp_nodelay().expect("to ask"), !on);
            }
        }
        let defaults = (
            ListenOptions::default().nodelay,
            ConnectOptions::default().nodelay,
        );
        assert_eq!(defaults, (true, true));
    }

    #[test]
    fn accepted_connections_have_the_listeners_options() {
        let keepalive = Keepalive {
            idle: Duration::from_millis(41_500),
            interval: Duration::from_secs(7),
            probes: 3,
        };
        let options = ListenOptions {
            keepalive: Some(keepalive),
            linger: Some(Duration::ZERO),
            send_buffer: 300_000,
            recv_buffer: 200_000,
            ..ListenOptions::default()
        };
        let mut rig = Rig::with(Kind::V4, &options);
        let (client, server) = rig.pair();
        let (send, recv) = rig.net.buffer_sizes(server).expect("open");
        assert!(send >= 300_000 && recv >= 200_000, "{send} {recv}");
        let fd = rig.net.fd(server).expect("open");
        let socket = SockRef::from(&fd);
        assert!(socket.keepalive().expect("to ask"));
        assert_eq!(
            socket.tcp_keepalive_time().expect("to ask"),
            Duration::from_secs(42)
        );
        assert_eq!(
            socket.tcp_keepalive_interval().expect("to ask"),
            Duration::from_secs(7)
        );
        assert_eq!(socket.tcp_keepalive_retries().expect("to ask"), 3);
        assert_eq!(socket.linger().expect("to ask"), Some(Duration::ZERO));
        assert!(socket.nonblocking().expect("to ask"));
        let off = SocketOption::Keepalive(None);
        assert_eq!(rig.net.set_option(server, off), Ok(()));
        let fd = rig.net.fd(client).expect("open");
        let socket = SockRef::from(&fd);
        assert!(!socket.keepalive().expect("to ask"));
        assert_eq!(socket.linger().expect("to ask"), None);
    }

    #[test]
    fn buffers_are_raised_and_never_lowered() {
        for kind in kinds() {
            let larger = ListenOptions {
                send_buffer: 300_000,
                recv_buffer: 0,
                ..ListenOptions::default()
            };
            let mut rig = Rig::with(kind, &larger);
            let (client, server) = rig.pair();
            let (send, recv) = rig.net.buffer_sizes(server).expect("open");
            assert!(send >= 300_000, "{kind:?}: {send}");
            let before = (send, recv);
            for lower in [0, 1, 5000] {
                for option in [
                    SocketOption::SendBuffer(lower),
                    SocketOption::RecvBuffer(lower),
                ] {
                    assert_eq!(rig.net.set_option(server, option), Ok(()));
                }
                assert_eq!(rig.net.buffer_sizes(server), Ok(before));
            }
            let (send, _) = rig.net.buffer_sizes(client).expect("open");
            let raise = SocketOption::SendBuffer(send + 1);
            assert_eq!(rig.net.set_option(client, raise), Ok(()));
            assert!(rig.net.buffer_sizes(client).expect("open").0 > send);
        }
    }

    #[test]
    fn a_time_to_linger_would_block_and_is_refused() {
        for kind in kinds() {
            let linger = Some(Duration::from_millis(1));
            let mut rig = Rig::new(kind);
            let (client, _) = rig.pair();
            let set = rig.net.set_option(client, SocketOption::Linger(linger));
            assert_eq!(set, Err(NetError::Invalid), "{kind:?}");
            let off = rig.net.set_option(client, SocketOption::Linger(None));
            assert_eq!(off, Ok(()));
            let at = rig.at.clone();
            let connect = ConnectOptions {
                linger,
                ..ConnectOptions::default()
            };
            let dial = rig.net.connect(rig.group, &at, &connect);
            assert_eq!(dial, Err(NetError::Invalid));
            let listen = ListenOptions {
                linger,
                ..ListenOptions::default()
            };
            let other = match kind {
                Kind::Unix => Endpoint::unix(rig.dir().join("other")),
                _ => Endpoint::host("127.0.0.1", 0),
            };
            let listened = rig.net.listen(rig.group, &other, &listen);
            assert_eq!(listened, Err(NetError::Invalid));
        }
    }

    #[test]
    fn an_impossible_keepalive_is_an_error() {
        let mut rig = Rig::new(Kind::V4);
        let at = rig.at.clone();
        let options = ConnectOptions {
            keepalive: Some(Keepalive {
                probes: 0,
                ..Keepalive::default()
            }),
            ..ConnectOptions::default()
        };
        let dial = rig.net.connect(rig.group, &at, &options);
        assert_eq!(dial, Err(NetError::Invalid));
    }
}
