//! Goal: a tap shows all that passes a net, in order, with both addresses, and changes nothing.
//! Method: stories over nets of the system and in memory, taps on taps and on other layers, and a
//! net made up for datagrams.

mod support;

use std::io::IoSlice;
use std::sync::{Arc, Mutex};

use hio::link::{Limits, Seen, Watch, What};
use hio::net::{
    ConnectOptions, Datagram, DatagramOptions, Endpoint, Group, ListenOptions, Net, NetError,
    NullNet, Owner, Shutdown, Sid,
};
use hio::tyme::Tyme;
use hio::wire::{Pcapng, Tap, WireLog};
use support::memory::MemoryNet;
use support::{World, everywhere, pattern};

/// Notes what it is shown, as text; payload by its length.
#[derive(Clone, Debug, Default)]
struct Notes(Arc<Mutex<Vec<String>>>);

impl Watch for Notes {
    fn see(&mut self, seen: &Seen<'_>) {
        let what = match seen.what {
            What::Received(data) => format!("received {}", data.len()),
            What::Sent(data) => format!("sent {}", data.len()),
            What::DatagramReceived(data) => format!("got {data:?} from {}", seen.peer),
            What::DatagramSent(data) => format!("put {data:?} to {}", seen.peer),
            other => format!("{other:?}"),
        };
        let side = if seen.dialled { "client" } else { "server" };
        self.0.lock().unwrap().push(format!("{side} {what}"));
    }
}

impl Notes {
    /// What one side was shown since the last look.
    fn of(&self, side: &str) -> Vec<String> {
        let mut all = self.0.lock().unwrap();
        let (own, rest) = all.drain(..).partition(|note| note.starts_with(side));
        *all = rest;
        let bare = |note: &String| note.split_once(' ').unwrap().1.to_owned();
        Vec::from_iter(own).iter().map(bare).collect()
    }
}

/// Puts a layer around a world's net.
fn wrap<N: Net + 'static>(world: &mut World, layer: impl FnOnce(Box<dyn Net>) -> N) {
    let null: Box<dyn Net> = Box::new(NullNet::default());
    let net = std::mem::replace(&mut world.net, null);
    world.net = Box::new(layer(net));
}

#[test]
fn a_life_is_shown_in_order_on_both_sides() {
    everywhere(|world| {
        let notes = Notes::default();
        wrap(world, |net| Tap::new(net).with(notes.clone()));
        let mut server = world.server(Limits::default());
        let mut client = world.client(&server, Limits::default());
        client.tx(b"ping").unwrap();
        let mut over = false;
        world.until("the end", |tyme, net| {
            client.service(tyme, net);
            let each = |ix: &mut hio::link::Remoter| {
                let _ = ix.echo();
            };
            server.service_each(tyme, net, each).unwrap();
            if client.rx() == b"ping" && !over {
                over = true;
                client.consume(4);
                client.drain();
            }
            over && !client.opened() && server.is_empty()
        });
        let client_saw = ["Opened", "sent 4", "received 4", "Ended", "PeerEnded"];
        let server_saw = ["Opened", "received 4", "sent 4", "PeerEnded"];
        let closed = "Closed { reset: false }";
        assert_eq!(notes.of("client"), [&client_saw[..], &[closed]].concat());
        assert_eq!(notes.of("server"), [&server_saw[..], &[closed]].concat());
        server.close(world.net.as_mut());
        assert_eq!(
            notes.of(""),
            Vec::<String>::new(),
            "a listener says nothing"
        );
    });
}

#[test]
fn resets_and_losses_are_told_apart() {
    everywhere(|world| {
        let notes = Notes::default();
        wrap(world, |net| Tap::new(net).with(notes.clone()));
        let mut server = world.server(Limits::default());
        let peer = world.peer(&server);
        world.until("it is connected", |tyme, net| {
            server.service(tyme, net).unwrap();
            peer.connected(net) && server.len() == 1
        });
        peer.reset(world.net.as_mut());
        world.until("it is lost", |tyme, net| {
            server.service(tyme, net).unwrap();
            server.is_empty()
        });
        // A Unix socket knows no reset.
        let reset = world.tcp;
        let closed = "Closed { reset: true }";
        assert_eq!(notes.of("client"), ["Opened", closed]);
        let saw = notes.of("server");
        let expected = match reset {
            true => ["Opened", "Lost(Reset)", "Closed { reset: false }"],
            false => ["Opened", "PeerEnded", "Closed { reset: false }"],
        };
        assert_eq!(saw, expected, "{}", world.name);
        server.close(world.net.as_mut());
    });
}

#[test]
fn a_group_that_is_closed_ends_its_connections_in_the_log_too() {
    let notes = Notes::default();
    let mut tap = Tap::new(MemoryNet::default()).with(notes.clone());
    let net: &mut dyn Net = &mut tap;
    let (ours, theirs) = (net.group(Owner::NONE), net.group(Owner::NONE));
    let at = Endpoint::host("127.0.0.1", 0);
    let listener = net.listen(ours, &at, &ListenOptions::default()).unwrap();
    let to = net.local(listener).unwrap();
    let near = net
        .connect(theirs, &to, &ConnectOptions::default())
        .unwrap();
    net.poll(Tyme::ZERO).unwrap();
    assert_eq!(net.connected(near), Ok(true));
    let (far, _) = net.accept(listener).unwrap().unwrap();
    net.close_group(ours);
    assert_eq!(notes.of("server"), ["Opened", "Closed { reset: false }"]);
    // What is closed is forgotten.
    assert_eq!(net.write(far, b"x"), Err(NetError::Stale));
    assert_eq!(notes.of("server"), Vec::<String>::new());
    net.shutdown(near, Shutdown::Receive).unwrap();
    assert_eq!(notes.of("client"), ["Opened"]);
}

#[test]
fn a_connection_that_does_not_come_about_is_shown_as_failed() {
    let notes = Notes::default();
    // The port of a listener that has just gone.
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let to = Endpoint::Tcp(gone.local_addr().unwrap());
    drop(gone);
    let mut tap = Tap::new(hio::net::MioNet::new().unwrap()).with(notes.clone());
    let net: &mut dyn Net = &mut tap;
    let group = net.group(Owner::NONE);
    let sid = net.connect(group, &to, &ConnectOptions::default()).unwrap();
    for _ in 0..1_000 {
        let soon = net.now() + support::ms(5);
        net.poll(soon).unwrap();
        match net.connected(sid) {
            Ok(stands) => assert!(!stands),
            Err(why) => {
                assert_eq!(why, NetError::Refused);
                net.close(sid);
                assert_eq!(notes.of("client"), ["Failed(Refused)"]);
                return;
            }
        }
    }
    panic!("not refused");
}

/// Takes at most ten bytes at a time, whatever the pieces, and counts the calls.
struct Narrow<N>(N, Arc<Mutex<usize>>);

impl<N: Net> hio::net::Layer for Narrow<N> {
    type Below = N;
    fn below(&self) -> &N {
        &self.0
    }
    fn below_mut(&mut self) -> &mut N {
        &mut self.0
    }
    fn write(&mut self, sid: Sid, data: &[u8]) -> Result<usize, NetError> {
        self.0.write(sid, &data[..data.len().min(10)])
    }
    fn write_vectored(&mut self, sid: Sid, pieces: &[IoSlice<'_>]) -> Result<usize, NetError> {
        *self.1.lock().unwrap() += 1;
        let all: Vec<u8> = pieces.iter().flat_map(|piece| piece.to_vec()).collect();
        self.0.write(sid, &all[..all.len().min(10)])
    }
}

#[test]
fn pieces_go_down_in_one_call_and_only_what_was_taken_is_shown() {
    let (notes, calls) = (Notes::default(), Arc::new(Mutex::new(0)));
    let narrow = Narrow(MemoryNet::default(), calls.clone());
    let mut tap = Tap::new(narrow).with(notes.clone());
    let net: &mut dyn Net = &mut tap;
    let group = net.group(Owner::NONE);
    let at = Endpoint::host("127.0.0.1", 0);
    let listener = net.listen(group, &at, &ListenOptions::default()).unwrap();
    let to = net.local(listener).unwrap();
    let sid = net.connect(group, &to, &ConnectOptions::default()).unwrap();
    net.poll(Tyme::ZERO).unwrap();
    assert_eq!(net.connected(sid), Ok(true));
    let pieces = [&b"1234567"[..], b"", b"89", b"abc", b"def"].map(IoSlice::new);
    assert_eq!(net.write_vectored(sid, &pieces), Ok(10));
    assert_eq!(*calls.lock().unwrap(), 1);
    assert_eq!(notes.of("client"), ["Opened", "sent 7", "sent 2", "sent 1"]);
}

#[test]
fn taps_stack_and_show_the_same_whatever_lies_between() {
    everywhere(|world| {
        let (upper, lower) = (Notes::default(), Notes::default());
        let log = WireLog::builder().format("%data").build().unwrap();
        let capture = Pcapng::new(std::io::sink());
        wrap(world, |net| {
            let lower = Tap::new(net).with(lower.clone()).with(log.clone());
            let between = Narrow(lower, Arc::default());
            Tap::new(between).with(upper.clone()).with(capture.clone())
        });
        let mut server = world.server(Limits::default());
        let mut client = world.client(&server, Limits::default());
        let message = pattern(500);
        client.tx(&message).unwrap();
        world.until("the echo", |tyme, net| {
            client.service(tyme, net);
            let each = |ix: &mut hio::link::Remoter| {
                let _ = ix.echo();
            };
            server.service_each(tyme, net, each).unwrap();
            client.rx() == message
        });
        let saw = upper.of("client");
        assert!(saw.len() > 50, "ten bytes at a time");
        assert_eq!(saw, lower.of("client"));
        assert_eq!(upper.of("server"), lower.of("server"));
        // Both ends are in this net.
        assert_eq!(log.read_tx().unwrap().len(), 1_000);
        assert_eq!(log.read_rx().unwrap().len(), 1_000);
        server.close(world.net.as_mut());
    });
}

/// A net with one datagram socket that hears what it says.
#[derive(Default)]
struct Echoing {
    net: NullNet,
    said: Vec<(Vec<u8>, Endpoint)>,
}

impl hio::net::Layer for Echoing {
    type Below = NullNet;
    fn below(&self) -> &NullNet {
        &self.net
    }
    fn below_mut(&mut self) -> &mut NullNet {
        &mut self.net
    }
    fn bind(
        &mut self,
        _group: Group,
        _at: &Endpoint,
        _options: &DatagramOptions,
    ) -> Result<Sid, NetError> {
        Ok(Sid::new(1, 0))
    }
    fn local(&self, _sid: Sid) -> Result<Endpoint, NetError> {
        Ok("udp:127.0.0.1:7".parse().unwrap())
    }
    fn recv_from(&mut self, _sid: Sid, buf: &mut [u8]) -> Result<Option<Datagram>, NetError> {
        let Some((data, from)) = self.said.pop() else {
            return Ok(None);
        };
        let len = data.len().min(buf.len());
        buf[..len].copy_from_slice(&data[..len]);
        Ok(Some(Datagram {
            len,
            from,
            truncated: len < data.len(),
        }))
    }
    fn send_to(&mut self, _sid: Sid, data: &[u8], to: Option<&Endpoint>) -> Result<bool, NetError> {
        let to = to.ok_or(NetError::NotConnected)?;
        let room = self.said.is_empty();
        if room {
            self.said.push((data.to_vec(), to.clone()));
        }
        Ok(room)
    }
}

#[test]
fn datagrams_are_shown_with_who_they_came_from() {
    let notes = Notes::default();
    let log = WireLog::memory();
    let mut tap = Tap::new(Echoing::default())
        .with(notes.clone())
        .with(log.clone());
    let net: &mut dyn Net = &mut tap;
    let group = net.group(Owner::NONE);
    let at = Endpoint::Udp("127.0.0.1:7".parse().unwrap());
    let sid = net.bind(group, &at, &DatagramOptions::default()).unwrap();
    let to: Endpoint = "udp:[::1]:99".parse().unwrap();
    let mut buf = [0; 2];
    assert_eq!(net.recv_from(sid, &mut buf), Ok(None));
    assert_eq!(net.send_to(sid, b"abc", Some(&to)), Ok(true));
    assert_eq!(net.send_to(sid, b"no room", Some(&to)), Ok(false));
    assert!(net.send_to(sid, b"to whom?", None).is_err());
    assert!(net.recv_from(sid, &mut buf).unwrap().unwrap().truncated);
    net.close(sid);
    let saw = notes.of("server");
    let put = "put [97, 98, 99] to udp:[::1]:99";
    assert_eq!(saw, [put, "got [97, 98] from udp:[::1]:99"]);
    assert_eq!(log.read_rx().unwrap(), b"\nRx ('::1', 99, 0, 0):\nab\n");
}

#[test]
fn datagrams_of_the_system_are_shown_at_both_sockets() {
    let notes = Notes::default();
    let mut tap = Tap::new(hio::net::MioNet::new().unwrap()).with(notes.clone());
    let net: &mut dyn Net = &mut tap;
    let group = net.group(Owner::NONE);
    let at = Endpoint::Udp("127.0.0.1:0".parse().unwrap());
    let options = DatagramOptions::default();
    let [one, other] = [(); 2].map(|()| net.bind(group, &at, &options).unwrap());
    let (from, to) = (net.local(one).unwrap(), net.local(other).unwrap());
    let mut buf = [0; 9];
    for _ in 0..1_000 {
        if notes.0.lock().unwrap().is_empty() {
            // There may be no room at first.
            let _ = net.send_to(one, b"ab", Some(&to)).unwrap();
        }
        let soon = net.now() + support::ms(5);
        net.poll(soon).unwrap();
        if let Some(datagram) = net.recv_from(other, &mut buf).unwrap() {
            assert_eq!((datagram.len, &datagram.from), (2, &from));
            let put = format!("put [97, 98] to {to}");
            assert_eq!(
                notes.of("server"),
                [put, format!("got [97, 98] from {from}")]
            );
            return;
        }
    }
    panic!("nothing came");
}

/// A listener that a supervisor handed over is watched like any other.
#[cfg(unix)]
#[test]
fn sockets_that_others_opened_are_shown() {
    use std::io::Read;
    let notes = Notes::default();
    let mut tap = Tap::new(hio::net::MioNet::new().unwrap()).with(notes.clone());
    let net: &mut dyn Net = &mut tap;
    let group = net.group(Owner::NONE);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    let listener = net.adopt(group, listener.into()).unwrap();
    let mut dialled = std::net::TcpStream::connect(at).unwrap();
    let mut accepted = None;
    let soon = net.now() + support::ms(5_000);
    while accepted.is_none() && net.now() < soon {
        net.poll(soon).unwrap();
        accepted = net.accept(listener).unwrap();
    }
    let (sid, _) = accepted.unwrap();
    assert_eq!(net.write(sid, b"abc"), Ok(3));
    dialled.read_exact(&mut [0; 3]).unwrap();
    net.close(sid);
    let closed = "Closed { reset: false }";
    assert_eq!(notes.of("server"), ["Opened", "sent 3", closed]);
    // Who dialled a connection that stands is not known.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let near = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let sid = net.adopt(group, near.into()).unwrap();
    assert_eq!(net.write(sid, b"12"), Ok(2));
    assert_eq!(notes.of("server"), ["Opened", "sent 2"]);
    // A pair is the program's own: a pipe that tells of signals, say.
    let (near, mut far) = std::os::unix::net::UnixStream::pair().unwrap();
    let pipe = net.adopt(group, near.into()).unwrap();
    assert_eq!(net.write(pipe, b"345"), Ok(3));
    far.read_exact(&mut [0; 3]).unwrap();
    assert_eq!(notes.of("server"), Vec::<String>::new());
    net.close_group(group);
    assert_eq!(notes.of("server"), [closed]);
    let group = net.group(Owner::NONE);
    let udp = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let to = Endpoint::Udp(udp.local_addr().unwrap());
    let sid = net.adopt(group, udp.into()).unwrap();
    assert_eq!(net.send_to(sid, b"x", Some(&to)), Ok(true));
    assert_eq!(notes.of("server"), [format!("put [120] to {to}")]);
    let late = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    net.close_group(group);
    assert_eq!(net.adopt(group, late.into()), Err(NetError::Stale));
    assert_eq!(notes.of("server"), Vec::<String>::new());
}
