//! Goal: datagrams of the real net: what comes, from whom, cut or whole, every refusal as an error
//! of its own, and marks that tell of what can be done.
//! Method: sockets of one net talk over UDP v4, v6 and Unix sockets on this machine; a story that
//! all kinds share is told on each.

mod net_support;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hio::net::{
    ConnectOptions, Datagram, DatagramOptions, Endpoint, Group, Interface, ListenOptions, MioNet,
    Net, NetError, Owner, Sid, SocketOption,
};
use hio::tyme::Tyme;
use net_support::{Kind, Rig, TempDir, kinds, until};

/// Two sockets that are bound, in groups of their own.
struct Pair {
    net: MioNet,
    groups: [Group; 2],
    sids: [Sid; 2],
    at: [Endpoint; 2],
    dir: TempDir,
}

fn place(kind: Kind, dir: &TempDir, name: &str) -> Endpoint {
    match kind {
        Kind::V4 => Endpoint::Udp((Ipv4Addr::LOCALHOST, 0).into()),
        Kind::V6 => Endpoint::Udp((Ipv6Addr::LOCALHOST, 0).into()),
        Kind::Unix => Endpoint::UnixDatagram(dir.path(name)),
    }
}

impl Pair {
    fn new(kind: Kind) -> Self {
        Self::with(kind, &DatagramOptions::default())
    }

    fn with(kind: Kind, options: &DatagramOptions) -> Self {
        let dir = TempDir::new();
        let mut net = MioNet::new().unwrap();
        let groups = [net.group(Owner(1)), net.group(Owner(2))];
        let sids = [(0, "a"), (1, "b")].map(|(n, name)| {
            let at = place(kind, &dir, name);
            net.bind(groups[n], &at, options).unwrap()
        });
        let at = sids.map(|sid| net.local(sid).unwrap());
        Self {
            net,
            groups,
            sids,
            at,
            dir,
        }
    }

    /// Sends from the first to the second.
    fn send(&mut self, data: &[u8]) {
        let sent = self.net.send_to(self.sids[0], data, Some(&self.at[1]));
        assert_eq!(sent, Ok(true));
    }

    /// What the second gets next.
    fn recv(&mut self, room: usize) -> (Vec<u8>, Datagram) {
        recv(&mut self.net, self.sids[1], room)
    }

    fn marks(&mut self, n: usize) -> Vec<Sid> {
        let mut out = Vec::new();
        self.net.ready(self.groups[n], &mut out);
        out
    }
}

fn recv(net: &mut MioNet, sid: Sid, room: usize) -> (Vec<u8>, Datagram) {
    let mut buf = vec![0; room];
    let got = until(net, |net| net.recv_from(sid, &mut buf).expect("to receive"));
    buf.truncate(got.len);
    (buf, got)
}

fn refused(net: &mut MioNet, sid: Sid) -> NetError {
    until(net, |net| net.recv_from(sid, &mut [0; 8]).err())
}

#[test]
fn what_is_sent_comes_whole_with_its_sender() {
    for kind in kinds() {
        let mut pair = Pair::new(kind);
        pair.send(b"first");
        pair.send(b""); // a datagram may be empty
        pair.send(b"third, longer");
        for data in [&b"first"[..], b"", b"third, longer"] {
            let (bytes, got) = pair.recv(64);
            assert_eq!(bytes, data, "{kind:?}");
            assert_eq!((got.from, got.truncated), (pair.at[0].clone(), false));
        }
        assert_eq!(pair.net.recv_from(pair.sids[1], &mut [0; 64]), Ok(None));
        // And back to where it came from.
        let [a, b] = pair.sids;
        assert_eq!(pair.net.send_to(b, b"back", Some(&pair.at[0])), Ok(true));
        assert_eq!(recv(&mut pair.net, a, 64).0, b"back");
    }
}

#[test]
fn what_does_not_fit_is_cut_and_told() {
    for kind in kinds() {
        let mut pair = Pair::new(kind);
        let data: Vec<u8> = (0..=255).collect();
        for (room, kept, truncated) in [(255, 255, true), (256, 256, false), (257, 256, false)] {
            pair.send(&data);
            let (bytes, got) = pair.recv(room);
            assert_eq!(bytes, data[..kept], "{kind:?}");
            assert_eq!(got.truncated, truncated, "{kind:?}, room for {room}");
        }
        pair.send(b"x");
        assert!(pair.recv(0).1.truncated, "no room at all");
        pair.send(b"");
        assert!(!pair.recv(0).1.truncated, "nothing to cut");
        pair.send(b"next");
        assert_eq!(pair.recv(64).0, b"next", "the rest of the others is gone");
    }
}

#[test]
fn the_longest_and_one_byte_more() {
    for (kind, longest) in [(Kind::V4, 65_507), (Kind::V6, 65_527)] {
        if !kinds().contains(&kind) {
            continue;
        }
        let wide = DatagramOptions {
            send_buffer: 256 * 1024,
            recv_buffer: 256 * 1024,
            ..DatagramOptions::default()
        };
        let mut pair = Pair::with(kind, &wide);
        let data: Vec<u8> = (0..longest).map(|n: u32| n.to_le_bytes()[1]).collect();
        for room in [65_534, 65_535, 70_000] {
            pair.send(&data);
            let (bytes, got) = pair.recv(room);
            assert!(bytes == data && !got.truncated, "{kind:?}, room for {room}");
        }
        let too_long = vec![0; longest as usize + 1];
        let sent = pair.net.send_to(pair.sids[0], &too_long, Some(&pair.at[1]));
        assert_eq!(sent, Err(NetError::TooLong), "{kind:?}");
        pair.send(b"it lives on");
        assert_eq!(pair.recv(64).0, b"it lives on");
    }
}

#[test]
#[cfg(unix)]
fn a_unix_datagram_is_as_long_as_the_send_buffer() {
    let mut pair = Pair::new(Kind::Unix);
    let (send, _) = pair.net.buffer_sizes(pair.sids[0]).unwrap();
    let to = pair.at[1].clone();
    let sent = pair.net.send_to(pair.sids[0], &vec![0; send], Some(&to));
    assert_eq!(sent, Err(NetError::TooLong));
    let long = vec![7; 100_000];
    pair.send(&long);
    assert!(pair.recv(100_000).0 == long);
    pair.send(&long);
    assert!(pair.recv(99_999).1.truncated);
}

#[test]
fn a_mark_tells_of_what_came_and_is_taken_once() {
    for kind in kinds() {
        let mut pair = Pair::new(kind);
        for _ in 0..3 {
            pair.net.poll(Tyme::ZERO).unwrap();
        }
        assert_eq!(pair.marks(0), [], "no mark before something comes");
        assert_eq!(pair.marks(1), []);
        pair.send(b"1");
        pair.send(b"2");
        let far = pair.net.now() + std::time::Duration::from_secs(10);
        pair.net.poll(far).unwrap();
        let mut woken = Vec::new();
        pair.net.woken(&mut woken);
        assert_eq!(woken, [Owner(2)], "{kind:?}: sending tells nobody of room");
        assert_eq!(pair.marks(1), [pair.sids[1]]);
        assert_eq!(pair.recv(1).0, b"1");
        // Full to the byte or not, the next one is there without a further mark.
        assert_eq!(pair.recv(9).0, b"2");
        assert_eq!(pair.net.recv_from(pair.sids[1], &mut [0; 9]), Ok(None));
        pair.net.poll(Tyme::ZERO).unwrap();
        assert_eq!(pair.marks(1), [], "{kind:?}");
        // Whoever stops early says so, as with streams.
        pair.net.mark(pair.sids[1]);
        assert_eq!(pair.marks(1), [pair.sids[1]]);
        // After "none waits", the next one is told of by an edge.
        pair.send(b"3");
        pair.net.poll(far).unwrap();
        assert_eq!(pair.marks(1), [pair.sids[1]]);
        assert_eq!(pair.recv(9).0, b"3");
    }
}

#[test]
fn a_datagram_that_leaves_ends_no_wait() {
    for kind in kinds() {
        let mut pair = Pair::new(kind);
        // Somebody outside of the net, so that nothing comes to it.
        let udp = |at| std::net::UdpSocket::bind(at).unwrap();
        let sink: Box<dyn FnMut() -> usize> = match kind {
            Kind::V4 | Kind::V6 => {
                let socket = udp((pair.at[0].addr().unwrap().ip(), 0));
                pair.at[1] = Endpoint::Udp(socket.local_addr().unwrap());
                Box::new(move || socket.recv(&mut [0; 64]).unwrap())
            }
            Kind::Unix => unix_sink(&mut pair),
        };
        let mut sink = sink;
        let start = pair.net.now();
        for n in 1..=3_u32 {
            pair.send(b"leaves");
            assert_eq!(sink(), 6);
            let until = start + n * std::time::Duration::from_millis(20);
            pair.net.poll(until).unwrap();
            assert!(
                pair.net.now() >= until,
                "{kind:?}: woken by its own sending"
            );
        }
    }
}

#[cfg(unix)]
fn unix_sink(pair: &mut Pair) -> Box<dyn FnMut() -> usize> {
    let path = pair.dir.path("sink");
    let socket = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
    pair.at[1] = Endpoint::UnixDatagram(path);
    Box::new(move || socket.recv(&mut [0; 64]).unwrap())
}

#[cfg(not(unix))]
fn unix_sink(_: &mut Pair) -> Box<dyn FnMut() -> usize> {
    unreachable!("no such kind here")
}

#[test]
fn connected_hears_one_address_only() {
    for kind in kinds() {
        let mut pair = Pair::new(kind);
        let options = DatagramOptions {
            to: Some(pair.at[1].clone()),
            ..DatagramOptions::default()
        };
        let at = place(kind, &pair.dir, "c");
        let one = pair.net.bind(pair.groups[0], &at, &options).unwrap();
        let one_at = pair.net.local(one).unwrap();
        assert_eq!(pair.net.peer(one).as_ref(), Ok(&pair.at[1]));
        assert_eq!(pair.net.send_to(one, b"hello", None), Ok(true));
        let (bytes, got) = pair.recv(64);
        assert_eq!((&bytes[..], &got.from), (&b"hello"[..], &one_at));
        let [a, b] = pair.sids;
        let stranger = pair.net.send_to(a, b"stranger", Some(&one_at));
        match kind {
            Kind::Unix => assert_eq!(stranger, Err(NetError::Denied), "told at once"),
            _ => assert_eq!(stranger, Ok(true), "dropped on its way"),
        }
        assert_eq!(pair.net.send_to(b, b"friend", Some(&one_at)), Ok(true));
        let (bytes, got) = recv(&mut pair.net, one, 64);
        assert_eq!((&bytes[..], got.from), (&b"friend"[..], pair.at[1].clone()));
        // An address where none is wanted, and none where one is.
        let to = Some(&pair.at[1]);
        assert_eq!(pair.net.send_to(one, b"x", to), Err(NetError::Invalid));
        assert_eq!(pair.net.send_to(a, b"x", None), Err(NetError::NotConnected));
        assert_eq!(pair.net.peer(a), Err(NetError::NotConnected));
    }
}

#[test]
fn a_refusal_is_about_one_datagram() {
    for kind in [Kind::V4, Kind::V6] {
        if !kinds().contains(&kind) {
            continue;
        }
        let mut pair = Pair::new(kind);
        let options = DatagramOptions {
            to: Some(pair.at[1].clone()),
            ..DatagramOptions::default()
        };
        let at = place(kind, &pair.dir, "c");
        let one = pair.net.bind(pair.groups[0], &at, &options).unwrap();
        pair.net.close(pair.sids[1]);
        assert_eq!(pair.net.send_to(one, b"nobody", None), Ok(true));
        let far = pair.net.now() + std::time::Duration::from_secs(10);
        pair.net.poll(far).unwrap();
        assert_eq!(pair.marks(0), [one], "a refusal is news");
        assert_eq!(refused(&mut pair.net, one), NetError::Refused);
        assert_eq!(pair.net.recv_from(one, &mut [0; 8]), Ok(None), "told once");
        // The next send says it when it was not asked for before; then the socket is well.
        assert_eq!(pair.net.send_to(one, b"nobody", None), Ok(true));
        let sent = until(&mut pair.net, |net| net.send_to(one, b"again", None).err());
        assert_eq!(sent, NetError::Refused);
        let (b, to) = (pair.at[1].clone(), DatagramOptions::default());
        let b = pair.net.bind(pair.groups[1], &b, &to).unwrap();
        while pair.net.send_to(one, b"well", None) == Err(NetError::Refused) {}
        assert_eq!(recv(&mut pair.net, b, 64).0, b"well");
    }
}

#[test]
#[cfg(unix)]
fn unix_sockets_that_nobody_is_bound_to() {
    let mut pair = Pair::new(Kind::Unix);
    let a = pair.sids[0];
    let gone = Endpoint::UnixDatagram(pair.dir.path("gone"));
    assert_eq!(
        pair.net.send_to(a, b"x", Some(&gone)),
        Err(NetError::NotFound)
    );
    let left = pair.dir.path("left");
    drop(std::os::unix::net::UnixDatagram::bind(&left).unwrap());
    let left = Endpoint::UnixDatagram(left);
    assert_eq!(
        pair.net.send_to(a, b"x", Some(&left)),
        Err(NetError::Refused)
    );
    let stream = Endpoint::unix(pair.dir.path("stream"));
    pair.net
        .listen(pair.groups[0], &stream, &ListenOptions::default())
        .unwrap();
    let stream = Endpoint::UnixDatagram(pair.dir.path("stream"));
    assert_eq!(
        pair.net.send_to(a, b"x", Some(&stream)),
        Err(NetError::Refused)
    );
    // Connected to a socket that goes away: an error for each send, never a signal.
    let options = DatagramOptions {
        to: Some(pair.at[1].clone()),
        ..DatagramOptions::default()
    };
    let group = pair.groups[0];
    let one = pair.net.bind(group, &Endpoint::Unnamed, &options).unwrap();
    assert_eq!(pair.net.send_to(one, b"here", None), Ok(true));
    assert_eq!(pair.recv(64).1.from, Endpoint::Unnamed);
    pair.net.close(pair.sids[1]);
    let sent = pair.net.send_to(one, b"x", None);
    assert_eq!(sent, Err(NetError::Refused));
    let sent = pair.net.send_to(one, b"x", None);
    assert_eq!(sent, Err(NetError::NotConnected));
    let again = pair.net.bind(group, &Endpoint::Unnamed, &options);
    assert_eq!(again, Err(NetError::NotFound), "nobody to connect to");
}

#[test]
#[cfg(unix)]
fn the_file_of_a_unix_socket() {
    let dir = TempDir::new();
    let mut net = MioNet::new().unwrap();
    let group = net.group(Owner::NONE);
    let path = dir.path("s");
    let at = Endpoint::UnixDatagram(path.clone());
    let options = DatagramOptions::default();
    let first = net.bind(group, &at, &options).unwrap();
    assert_eq!(net.bind(group, &at, &options), Err(NetError::AddrInUse));
    net.close(first);
    assert!(!path.exists(), "it goes with the socket");
    // One that a process left behind is replaced, unless that is not wanted.
    drop(std::os::unix::net::UnixDatagram::bind(&path).unwrap());
    let careful = DatagramOptions {
        unlink_stale: false,
        ..options.clone()
    };
    assert_eq!(net.bind(group, &at, &careful), Err(NetError::AddrInUse));
    net.bind(group, &at, &options).unwrap();
    net.close_group(group);
    assert!(!path.exists());
    // What is no socket is never touched, nor is a stream socket that listens.
    let group = net.group(Owner::NONE);
    std::fs::write(&path, b"precious").unwrap();
    assert_eq!(net.bind(group, &at, &options), Err(NetError::AddrInUse));
    assert_eq!(std::fs::read(&path).unwrap(), b"precious");
    std::fs::remove_file(&path).unwrap();
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    assert_eq!(net.bind(group, &at, &options), Err(NetError::AddrInUse));
    drop(listener);
    // A connect that fails takes its file along, and so does the net.
    let nobody = DatagramOptions {
        to: Some(Endpoint::UnixDatagram(dir.path("nobody"))),
        ..options.clone()
    };
    let mine = dir.path("mine");
    let at = Endpoint::UnixDatagram(mine.clone());
    assert_eq!(net.bind(group, &at, &nobody), Err(NetError::NotFound));
    assert!(!mine.exists());
    net.bind(group, &at, &options).unwrap();
    assert!(mine.exists());
    drop(net);
    assert!(!mine.exists());
}

#[test]
fn what_cannot_be_bound() {
    let dir = TempDir::new();
    let mut net = MioNet::new().unwrap();
    let group = net.group(Owner::NONE);
    let options = DatagramOptions::default();
    let v4: Endpoint = "udp:127.0.0.1:0".parse().unwrap();
    let cases = [
        (Endpoint::host("127.0.0.1", 0), NetError::Invalid),
        (Endpoint::unix(dir.path("x")), NetError::Invalid),
        (Endpoint::host("localhost", 0), NetError::Unresolvable),
        (
            "udp:192.0.2.1:0".parse().unwrap(),
            NetError::AddrNotAvailable,
        ),
    ];
    for (at, why) in cases {
        assert_eq!(net.bind(group, &at, &options), Err(why), "{at}");
    }
    let taken = net.bind(group, &v4, &options).unwrap();
    let taken = net.local(taken).unwrap();
    assert_eq!(net.bind(group, &taken, &options), Err(NetError::AddrInUse));
    let to = |to| DatagramOptions {
        to: Some(to),
        ..DatagramOptions::default()
    };
    for (other, why) in [
        ("udp:[::1]:9".parse().unwrap(), NetError::Invalid),
        (Endpoint::host("127.0.0.1", 9), NetError::Invalid),
        (Endpoint::host("localhost", 9), NetError::Unresolvable),
    ] {
        assert_eq!(net.bind(group, &v4, &to(other)), Err(why));
    }
    #[cfg(unix)]
    {
        let long = Endpoint::UnixDatagram(dir.path(&"x".repeat(200)));
        let why = net.bind(group, &long, &options).unwrap_err();
        assert!(matches!(why, NetError::PathTooLong { .. }));
        let nowhere = Endpoint::UnixDatagram(dir.path("no/where"));
        let why = net.bind(group, &nowhere, &options);
        assert_eq!(why, Err(NetError::NotFound));
        let crossed = net.bind(group, &Endpoint::Unnamed, &to(taken));
        assert_eq!(crossed, Err(NetError::Invalid));
    }
    net.close_group(group);
    assert_eq!(net.bind(group, &v4, &options), Err(NetError::Stale));
}

#[test]
fn misuse_is_an_error_and_leaves_the_socket_well() {
    for kind in kinds() {
        let mut pair = Pair::new(kind);
        let [a, _] = pair.sids;
        let net = &mut pair.net;
        assert_eq!(net.read(a, &mut [0; 8]), Err(NetError::Invalid));
        assert_eq!(net.write(a, b"x"), Err(NetError::Invalid));
        assert_eq!(net.accept(a), Err(NetError::Invalid));
        assert_eq!(net.connected(a), Err(NetError::Invalid));
        assert!(net.shutdown(a, hio::net::Shutdown::Both).is_err());
        let wrong = [
            (Endpoint::host("127.0.0.1", 9), NetError::Invalid),
            (Endpoint::host("localhost", 9), NetError::Unresolvable),
            (Endpoint::Unnamed, NetError::Invalid),
        ];
        for (to, why) in wrong {
            assert_eq!(net.send_to(a, b"x", Some(&to)), Err(why), "{kind:?} {to}");
        }
        let other_kind = match kind {
            Kind::V4 => "udp:[::1]:9",
            Kind::V6 => "unixgram:/tmp/x",
            Kind::Unix => "udp:127.0.0.1:9",
        };
        let to = other_kind.parse().unwrap();
        assert_eq!(net.send_to(a, b"x", Some(&to)), Err(NetError::Invalid));
        pair.send(b"well");
        assert_eq!(pair.recv(64).0, b"well");
        let [a, b] = pair.sids;
        assert_eq!(pair.net.read(b, &mut [0; 8]), Err(NetError::Invalid));
        pair.net.close(a);
        let closed = pair.net.send_to(a, b"x", Some(&pair.at[1]));
        assert_eq!(closed, Err(NetError::Stale));
        let closed = pair.net.recv_from(a, &mut [0; 8]);
        assert_eq!(closed, Err(NetError::Stale));
    }
    // Streams and listeners take no datagrams.
    for kind in kinds() {
        let mut rig = Rig::new(kind);
        let (client, _) = rig.pair();
        for sid in [client, rig.listener] {
            let got = rig.net.recv_from(sid, &mut [0; 8]);
            assert_eq!(got, Err(NetError::Invalid));
            let sent = rig.net.send_to(sid, b"x", None);
            assert_eq!(sent, Err(NetError::Invalid));
        }
    }
}

#[test]
#[cfg(target_os = "linux")]
fn no_room_is_not_an_error_and_room_is_told_where_the_system_tells() {
    // Unconnected: nobody can tell of the room at the other end.
    let mut pair = Pair::new(Kind::Unix);
    let (a, to) = (pair.sids[0], pair.at[1].clone());
    let mut sent = 0;
    while pair.net.send_to(a, &[0; 1000], Some(&to)).unwrap() {
        sent += 1;
        assert!(sent < 10_000, "a queue without end");
    }
    assert_eq!(pair.net.send_to(a, b"still none", Some(&to)), Ok(false));
    let group = pair.groups[0];
    let other = Endpoint::UnixDatagram(pair.dir.path("other"));
    let options = DatagramOptions::default();
    pair.net.bind(group, &other, &options).unwrap();
    let sent_to_other = pair.net.send_to(a, b"x", Some(&other));
    assert_eq!(sent_to_other, Ok(true), "others have room");
    for _ in 0..sent {
        assert_eq!(pair.recv(2000).0.len(), 1000);
    }
    assert_eq!(pair.net.send_to(a, b"room", Some(&to)), Ok(true));
    assert_eq!(pair.recv(64).0, b"room");

    // Connected: a mark tells, once.
    let mut pair = Pair::new(Kind::Unix);
    let options = DatagramOptions {
        to: Some(pair.at[1].clone()),
        ..DatagramOptions::default()
    };
    let group = pair.groups[0];
    let one = pair.net.bind(group, &Endpoint::Unnamed, &options).unwrap();
    while pair.net.send_to(one, &[0; 1000], None).unwrap() {}
    pair.net.poll(Tyme::ZERO).unwrap();
    assert_eq!(pair.marks(0), []);
    assert_eq!(pair.recv(2000).0.len(), 1000);
    let far = pair.net.now() + std::time::Duration::from_secs(10);
    pair.net.poll(far).unwrap();
    assert_eq!(pair.marks(0), [one]);
    assert_eq!(pair.net.send_to(one, b"room", None), Ok(true));
}

#[test]
fn broadcast_has_to_be_allowed() {
    let mut net = MioNet::new().unwrap();
    let group = net.group(Owner::NONE);
    let all: Endpoint = "udp:0.0.0.0:0".parse().unwrap();
    let receiver = net.bind(group, &all, &DatagramOptions::default()).unwrap();
    let port = net.local(receiver).unwrap().port().unwrap();
    // The broadcast address of the loopback network, so that nothing leaves this machine.
    let to = Endpoint::Udp(([127, 255, 255, 255], port).into());
    let at: Endpoint = "udp:127.0.0.1:0".parse().unwrap();
    let sender = net.bind(group, &at, &DatagramOptions::default()).unwrap();
    assert_eq!(
        net.send_to(sender, b"all", Some(&to)),
        Err(NetError::Denied)
    );
    net.set_option(sender, SocketOption::Broadcast(true))
        .unwrap();
    assert_eq!(net.send_to(sender, b"all", Some(&to)), Ok(true));
    assert_eq!(recv(&mut net, receiver, 64).0, b"all");
    let options = DatagramOptions {
        broadcast: true,
        ..DatagramOptions::default()
    };
    let sender = net.bind(group, &at, &options).unwrap();
    assert_eq!(net.send_to(sender, b"again", Some(&to)), Ok(true));
    assert_eq!(recv(&mut net, receiver, 64).0, b"again");
    net.set_option(sender, SocketOption::Broadcast(false))
        .unwrap();
    let sent = net.send_to(sender, b"x", Some(&to));
    assert_eq!(sent, Err(NetError::Denied));
}

#[test]
fn multicast_is_joined_and_left() {
    let cases = [
        (
            Kind::V4,
            "239.255.77.1",
            Interface::Address(Ipv4Addr::LOCALHOST),
        ),
        (Kind::V6, "ff11::4d01", Interface::Index(1)), // within this interface only
    ];
    for (kind, group, on) in cases {
        if !kinds().contains(&kind) {
            continue;
        }
        let group: IpAddr = group.parse().unwrap();
        let shared = DatagramOptions {
            reuse_addr: true,
            ..DatagramOptions::default()
        };
        let mut net = MioNet::new().unwrap();
        let sockets = net.group(Owner::NONE);
        let any: IpAddr = match kind {
            Kind::V4 => Ipv4Addr::UNSPECIFIED.into(),
            _ => Ipv6Addr::UNSPECIFIED.into(),
        };
        let at = Endpoint::Udp((any, 0).into());
        let first = net.bind(sockets, &at, &shared).unwrap();
        let at = net.local(first).unwrap();
        let second = net.bind(sockets, &at, &shared).unwrap();
        let mut set = |sid, option| net.set_option(sid, option);
        if let Err(why) = set(first, SocketOption::JoinMulticast(group, on)) {
            println!("skipped: no multicast on {kind:?} here: {why}");
            continue;
        }
        let again = set(first, SocketOption::JoinMulticast(group, on));
        assert_eq!(again, Err(NetError::AddrInUse));
        set(second, SocketOption::JoinMulticast(group, on)).unwrap();
        let sender = first;
        set(sender, SocketOption::MulticastInterface(on)).unwrap();
        set(sender, SocketOption::MulticastTtl(0)).unwrap(); // never off this machine
        let to = Endpoint::Udp((group, at.port().unwrap()).into());
        let sent = net.send_to(sender, b"members", Some(&to));
        if sent == Err(NetError::Unreachable) {
            println!("skipped: no way for multicast on {kind:?} here");
            continue;
        }
        assert_eq!(sent, Ok(true));
        assert_eq!(recv(&mut net, first, 64).0, b"members");
        assert_eq!(recv(&mut net, second, 64).0, b"members");
        let leave = SocketOption::LeaveMulticast(group, on);
        net.set_option(second, leave).unwrap();
        assert_eq!(
            net.set_option(second, leave),
            Err(NetError::AddrNotAvailable)
        );
        assert_eq!(net.send_to(sender, b"one", Some(&to)), Ok(true));
        assert_eq!(recv(&mut net, first, 64).0, b"one");
    }
}

/// On the loopback interface multicast comes back in any case, so the system is asked.
#[test]
#[cfg(unix)]
fn options_reach_the_system() {
    let mut pair = Pair::new(Kind::V4);
    let a = pair.sids[0];
    for option in [
        SocketOption::Ttl(7),
        SocketOption::MulticastLoop(false),
        SocketOption::MulticastTtl(5),
        SocketOption::Broadcast(true),
    ] {
        pair.net.set_option(a, option).unwrap();
    }
    let seen = pair.net.fd(a).unwrap().try_clone_to_owned().unwrap();
    let seen = std::net::UdpSocket::from(seen);
    assert_eq!(seen.ttl().unwrap(), 7);
    assert!(!seen.multicast_loop_v4().unwrap());
    assert_eq!(seen.multicast_ttl_v4().unwrap(), 5);
    assert!(seen.broadcast().unwrap());
    if kinds().contains(&Kind::V6) {
        let mut pair = Pair::new(Kind::V6);
        let a = pair.sids[0];
        let seen = pair.net.fd(a).unwrap().try_clone_to_owned().unwrap();
        let seen = std::net::UdpSocket::from(seen);
        let off = SocketOption::MulticastLoop(false);
        pair.net.set_option(a, off).unwrap();
        pair.net.set_option(a, SocketOption::Ttl(7)).unwrap();
        pair.net
            .set_option(a, SocketOption::MulticastTtl(5))
            .unwrap();
        assert!(!seen.multicast_loop_v6().unwrap());
    }
}

#[test]
fn options_that_make_no_sense() {
    let mut pair = Pair::new(Kind::V4);
    let a = pair.sids[0];
    let bad = [
        SocketOption::JoinMulticast([10, 0, 0, 1].into(), Interface::Any),
        SocketOption::JoinMulticast(Ipv6Addr::LOCALHOST.into(), Interface::Any),
        SocketOption::JoinMulticast(
            "ff02::1".parse().unwrap(),
            Interface::Address(Ipv4Addr::LOCALHOST),
        ),
        SocketOption::Ttl(0),
    ];
    for option in bad {
        assert_eq!(pair.net.set_option(a, option), Err(NetError::Invalid));
    }
    pair.net.set_option(a, SocketOption::Ttl(3)).unwrap();
    for option in [
        SocketOption::Nodelay(true),
        SocketOption::Keepalive(None),
        SocketOption::Linger(None),
    ] {
        assert_eq!(pair.net.set_option(a, option), Ok(()), "TCP's are ignored");
    }
    let nowhere = SocketOption::JoinMulticast(
        [239, 255, 77, 1].into(),
        Interface::Address([192, 0, 2, 9].into()),
    );
    let why = pair.net.set_option(a, nowhere);
    assert_eq!(why, Err(NetError::AddrNotAvailable));
    let mut rig = Rig::new(Kind::V4);
    let at = rig.at.clone();
    let options = ConnectOptions::default();
    let stream = rig.net.connect(rig.group, &at, &options).unwrap();
    rig.net.set_option(stream, SocketOption::Ttl(9)).unwrap();
    let why = rig.net.set_option(stream, SocketOption::Broadcast(true));
    assert_eq!(why, Err(NetError::Invalid));
    #[cfg(unix)]
    {
        let mut pair = Pair::new(Kind::Unix);
        for option in [SocketOption::Ttl(1), SocketOption::Broadcast(true)] {
            let why = pair.net.set_option(pair.sids[0], option);
            assert_eq!(why, Err(NetError::Invalid));
        }
    }
}

#[test]
fn buffers_are_raised_and_ports_shared() {
    for kind in kinds() {
        let wide = DatagramOptions {
            send_buffer: 100_000,
            recv_buffer: 120_000,
            ..DatagramOptions::default()
        };
        let pair = Pair::with(kind, &wide);
        let (send, recv) = pair.net.buffer_sizes(pair.sids[0]).unwrap();
        assert!(send >= 100_000 && recv >= 120_000, "{kind:?}");
    }
    let mut net = MioNet::new().unwrap();
    let group = net.group(Owner::NONE);
    let shared = DatagramOptions {
        reuse_port: true,
        ..DatagramOptions::default()
    };
    let at: Endpoint = "udp:127.0.0.1:0".parse().unwrap();
    let first = net.bind(group, &at, &shared).unwrap();
    let at = net.local(first).unwrap();
    net.bind(group, &at, &shared).unwrap();
    let alone = net.bind(group, &at, &DatagramOptions::default());
    assert_eq!(alone, Err(NetError::AddrInUse));
}

#[test]
fn both_families_by_one_socket() {
    if !kinds().contains(&Kind::V6) {
        return;
    }
    let mut net = MioNet::new().unwrap();
    let group = net.group(Owner::NONE);
    let both = DatagramOptions {
        v6_only: false,
        ..DatagramOptions::default()
    };
    let at: Endpoint = "udp:[::]:0".parse().unwrap();
    let receiver = net.bind(group, &at, &both).unwrap();
    let port = net.local(receiver).unwrap().port().unwrap();
    for from in ["udp:127.0.0.1:0", "udp:[::1]:0"] {
        let at: Endpoint = from.parse().unwrap();
        let sender = net.bind(group, &at, &DatagramOptions::default()).unwrap();
        let to = Endpoint::Udp((at.addr().unwrap().ip(), port).into());
        assert_eq!(net.send_to(sender, b"hello", Some(&to)), Ok(true));
        let (bytes, got) = recv(&mut net, receiver, 64);
        assert_eq!(bytes, b"hello");
        // The answer goes to where it came from, in whatever form that is told.
        assert_eq!(net.send_to(receiver, b"you", Some(&got.from)), Ok(true));
        assert_eq!(recv(&mut net, sender, 64).0, b"you");
    }
}

#[test]
fn sockets_of_others_are_taken_in() {
    let mut net = MioNet::new().unwrap();
    let group = net.group(Owner::NONE);
    let udp = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let other = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let at = udp.local_addr().unwrap();
    other.send_to(b"before", at).unwrap();
    let sid = net.adopt(group, udp).unwrap();
    assert_eq!(recv(&mut net, sid, 64).0, b"before");
    assert_eq!(net.send_to(sid, b"x", None), Err(NetError::NotConnected));
    let connected = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    connected.connect(at).unwrap();
    let connected = net.adopt(group, connected).unwrap();
    assert_eq!(net.send_to(connected, b"known", None), Ok(true));
    assert_eq!(recv(&mut net, sid, 64).0, b"known");
    #[cfg(unix)]
    {
        let (one, two) = std::os::unix::net::UnixDatagram::pair().unwrap();
        let (one, two) = (
            net.adopt(group, one).unwrap(),
            net.adopt(group, two).unwrap(),
        );
        assert_eq!(net.send_to(one, b"pair", None), Ok(true));
        assert_eq!(recv(&mut net, two, 64).0, b"pair");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn every_descriptor_is_closed_on_exec() {
    for kind in kinds() {
        let pair = Pair::new(kind);
        for sid in pair.sids {
            let fd = pair.net.fd(sid).unwrap();
            let flags = rustix::io::fcntl_getfd(fd).unwrap();
            assert!(flags.contains(rustix::io::FdFlags::CLOEXEC), "{kind:?}");
        }
    }
}
