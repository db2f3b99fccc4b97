//! Goal: latency, loss and bandwidth on real sockets: nothing comes too early, nothing is lost that
//! must not be, and what links do to a stream its two ends survive.
//! Method: loopback, with bounds on time from below only; servers and clients of the link layer.
#![cfg(unix)]

mod support;

use std::net::IpAddr;
use std::time::Duration;

use hio::link::{Client, CloseReason, Limits, Server};
use hio::net::{
    Conditioned, Conditions, ConnectOptions, DatagramOptions, Endpoint, Group, ListenOptions,
    MioNet, Net, NetError, Owner, Record, Shutdown, Sid, SocketOption,
};
use hio::tyme::Tyme;
use support::{World, ms, pattern};

fn conditions(text: &str) -> Conditions {
    text.parse().unwrap()
}

fn slow(text: &str) -> Conditioned<MioNet> {
    Conditioned::new(MioNet::new().unwrap(), conditions(text), 7)
}

/// Polls until something holds, at most for ten seconds.
fn until(net: &mut dyn Net, what: &str, mut holds: impl FnMut(&mut dyn Net) -> bool) -> Tyme {
    let end = net.now() + Duration::from_secs(10);
    while !holds(net) {
        assert!(net.now() < end, "{what}: too late");
        let soon = net.now() + ms(50);
        net.poll(soon).unwrap();
    }
    net.now()
}

/// A connection of a net with itself: dialled, accepted. All that they do passes two links.
fn pair(net: &mut dyn Net) -> (Sid, Sid) {
    let group = net.group(Owner(1));
    let at = Endpoint::host("127.0.0.1", 0);
    let listener = net.listen(group, &at, &ListenOptions::default()).unwrap();
    let at = net.local(listener).unwrap();
    let dialled = net.connect(group, &at, &ConnectOptions::default()).unwrap();
    until(net, "connect", |net| net.connected(dialled).unwrap());
    let mut accepted = None;
    until(net, "accept", |net| {
        accepted = net.accept(listener).unwrap();
        accepted.is_some()
    });
    (dialled, accepted.unwrap().0)
}

/// The marks of the first group.
fn marked(net: &mut dyn Net) -> Vec<Sid> {
    let mut ready = Vec::new();
    net.ready(Group::new(0, 0), &mut ready);
    ready
}

fn read_all(net: &mut dyn Net, sid: Sid, out: &mut Vec<u8>) {
    let mut buf = [0; 4096];
    while let Some(n @ 1..) = net.read(sid, &mut buf).unwrap() {
        out.extend_from_slice(&buf[..n]);
    }
}

#[test]
fn a_round_trip_takes_its_latencies_and_a_poll_ends_when_it_is_due() {
    let mut net = slow("latency constant 20ms");
    let start = net.now();
    let (a, b) = pair(&mut net);
    assert!(
        net.now().since(start) >= ms(40),
        "dialling takes a round trip"
    );
    marked(&mut net);
    let start = net.now();
    assert_eq!(net.write(a, b"hello").unwrap(), 5);
    let mut got = Vec::new();
    let arrived = until(&mut net, "to b", |net| {
        read_all(net, b, &mut got);
        got == b"hello"
    });
    assert!(arrived.since(start) >= ms(40), "out of a, into b");
    assert_eq!(marked(&mut net), [b], "told once it had arrived");
    net.write(b, b"back").unwrap();
    // Without a look in between: the poll itself ends, with a mark.
    let mut owners = Vec::new();
    for _ in 0..20 {
        net.poll(Tyme::NEVER).unwrap();
        net.woken(&mut owners);
        if !owners.is_empty() {
            break;
        }
    }
    assert_eq!(owners, [Owner(1)]);
    got.clear();
    read_all(&mut net, a, &mut got);
    assert_eq!(got, b"back");
}

#[test]
fn bulk_arrives_whole_and_in_order_and_not_faster_than_the_bandwidth() {
    for link in [
        "bandwidth 2MB/s latency uniform 0ms 3ms queue 64KiB",
        "bandwidth 4MB/s latency exponential 1ms 2ms queue 16KiB",
    ] {
        let mut net = slow(link);
        let (a, b) = pair(&mut net);
        let data = pattern(600_000);
        let (mut sent, mut got) = (0, Vec::new());
        let start = net.now();
        let end = until(&mut net, "bulk", |net| {
            sent += net.write(a, &data[sent..]).unwrap();
            read_all(net, b, &mut got);
            got.len() == data.len()
        });
        assert!(got == data);
        let least = if link.contains("2MB") {
            ms(290)
        } else {
            ms(140)
        };
        assert!(end.since(start) >= least, "{:?}", end.since(start));
    }
}

#[test]
fn a_lost_segment_is_late_and_not_lost() {
    let mut net = slow("");
    let (a, b) = pair(&mut net);
    net.set_default(conditions("loss 1"));
    let start = net.now();
    net.write(a, b"late").unwrap();
    net.set_default(Conditions::default());
    net.write(a, b" on time").unwrap();
    let mut got = Vec::new();
    let end = until(&mut net, "all of it", |net| {
        read_all(net, b, &mut got);
        got.len() == 12
    });
    assert_eq!(got, b"late on time", "what comes after waits for it");
    assert!(end.since(start) >= ms(200));
}

#[test]
fn a_full_queue_takes_no_more_and_tells_when_it_does() {
    let mut net = slow("latency constant 50ms queue 16KiB");
    let (a, b) = pair(&mut net);
    marked(&mut net);
    let took = net.write(a, &pattern(100_000)).unwrap();
    assert_eq!(took, 16 * 1024);
    assert_eq!(net.write(a, b"x").unwrap(), 0);
    let mut told = false;
    until(&mut net, "room", |net| {
        told |= marked(net).contains(&a);
        told
    });
    assert!(net.write(a, b"x").unwrap() > 0);
    let _ = b;
}

#[test]
fn the_end_comes_after_the_last_byte() {
    let mut net = slow("latency constant 15ms");
    let (a, b) = pair(&mut net);
    let start = net.now();
    net.write(a, b"last words").unwrap();
    net.shutdown(a, Shutdown::Send).unwrap();
    assert_eq!(net.write(a, b"more"), Err(NetError::BrokenPipe));
    let (mut got, mut buf) = (Vec::new(), [0; 64]);
    let end = until(&mut net, "the end", |net| {
        loop {
            match net.read(b, &mut buf).unwrap() {
                Some(0) => return true,
                Some(n) => got.extend_from_slice(&buf[..n]),
                None => return false,
            }
        }
    });
    assert_eq!(got, b"last words");
    assert!(end.since(start) >= ms(30));
    net.write(b, b"answer").unwrap();
    got.clear();
    until(&mut net, "an answer after the end", |net| {
        read_all(net, a, &mut got);
        got == b"answer"
    });
}

#[test]
fn what_was_written_before_a_close_still_arrives() {
    let mut net = slow("latency constant 15ms");
    let (a, b) = pair(&mut net);
    net.write(a, b"goodbye").unwrap();
    net.close(a);
    assert_eq!(net.write(a, b"x"), Err(NetError::Stale));
    assert_eq!(net.local(a), Err(NetError::Stale));
    let mut got = Vec::new();
    until(&mut net, "all of it", |net| {
        let mut buf = [0; 64];
        match net.read(b, &mut buf).unwrap() {
            Some(0) => true,
            Some(n) => {
                got.extend_from_slice(&buf[..n]);
                false
            }
            None => false,
        }
    });
    assert_eq!(got, b"goodbye");

    let (a, b) = pair(&mut net);
    net.set_option(a, SocketOption::Linger(Some(Duration::ZERO)))
        .unwrap();
    net.write(a, b"never").unwrap();
    net.close(a);
    let mut ended = Ok(None);
    until(&mut net, "a reset", |net| {
        ended = net.read(b, &mut [0; 64]);
        ended != Ok(None)
    });
    assert_eq!(ended, Err(NetError::Reset));
}

#[test]
fn a_group_that_is_closed_still_sends_its_last() {
    let mut net = slow("latency constant 15ms");
    let other = net.group(Owner::NONE);
    let at = Endpoint::host("127.0.0.1", 0);
    let listener = net.listen(other, &at, &ListenOptions::default()).unwrap();
    let at = net.local(listener).unwrap();
    let group = net.group(Owner(3));
    let a = net.connect(group, &at, &ConnectOptions::default()).unwrap();
    until(&mut net, "connect", |net| net.connected(a).unwrap());
    net.write(a, b"last").unwrap();
    net.close_group(group);
    let again = net.connect(group, &at, &ConnectOptions::default());
    assert_eq!(again, Err(NetError::Stale));
    let mut accepted = None;
    let mut got = Vec::new();
    until(&mut net, "the last", |net| {
        if accepted.is_none() {
            accepted = net.accept(listener).unwrap().map(|(sid, _)| sid);
        }
        let mut buf = [0; 16];
        match accepted.map(|sid| net.read(sid, &mut buf).unwrap()) {
            Some(Some(0)) => true,
            Some(Some(n)) => {
                got.extend_from_slice(&buf[..n]);
                false
            }
            _ => false,
        }
    });
    assert_eq!(got, b"last");
}

#[test]
fn a_refused_connection_is_refused() {
    let mut net = slow("latency constant 5ms");
    let at = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        Endpoint::Tcp(listener.local_addr().unwrap())
    };
    let group = net.group(Owner(1));
    let mut ended = Ok(false);
    match net.connect(group, &at, &ConnectOptions::default()) {
        Err(why) => ended = Err(why),
        Ok(sid) => {
            until(&mut net, "a refusal", |net| {
                ended = net.connected(sid);
                ended.is_err()
            });
        }
    }
    assert_eq!(ended, Err(NetError::Refused));
}

/// Two datagram sockets, where the net below has them.
fn datagrams(net: &mut dyn Net) -> Option<(Sid, Sid, Endpoint)> {
    let group = net.group(Owner(1));
    let at: Endpoint = "udp:127.0.0.1:0".parse().unwrap();
    let options = DatagramOptions::default();
    let a = match net.bind(group, &at, &options) {
        Err(NetError::Unsupported) => {
            eprintln!("skipped: no datagrams here");
            return None;
        }
        other => other.unwrap(),
    };
    let b = net.bind(group, &at, &options).unwrap();
    let at = net.local(b).unwrap();
    Some((a, b, at))
}

/// One that a supervisor handed over is a datagram socket still, connected or not.
#[test]
fn sockets_of_others_are_held_back_too() {
    let mut net = slow("latency constant 10ms");
    let group = net.group(Owner(1));
    let own = || std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let (plain, connected) = (own(), own());
    let (at, from) = (plain.local_addr(), connected.local_addr());
    let (at, from) = (at.unwrap(), Endpoint::Udp(from.unwrap()));
    connected.connect(at).unwrap();
    let plain = Net::adopt(&mut net, group, plain.into()).unwrap();
    let connected = Net::adopt(&mut net, group, connected.into()).unwrap();
    let sent = net.now();
    assert_eq!(Net::send_to(&mut net, connected, b"abc", None), Ok(true));
    let mut came = None;
    let tyme = until(&mut net, "the datagram", |net| {
        came = net.recv_from(plain, &mut [0; 9]).unwrap();
        came.is_some()
    });
    assert_eq!(
        came.map(|came| (came.len, came.from)),
        Some((3, from.clone()))
    );
    assert!(tyme.since(sent) >= ms(10));
    assert_eq!(Net::send_to(&mut net, plain, b"d", Some(&from)), Ok(true));
    until(&mut net, "the answer", |net| {
        net.recv_from(connected, &mut [0; 9]).unwrap().is_some()
    });
    assert_eq!(
        Net::read(&mut net, plain, &mut [0; 9]),
        Err(NetError::Invalid)
    );
}

#[test]
fn datagrams_are_late_lost_and_doubled() {
    let mut net = slow("latency constant 10ms");
    let Some((a, b, at)) = datagrams(&mut net) else {
        return;
    };
    let start = net.now();
    assert_eq!(net.send_to(a, b"one", Some(&at)), Ok(true));
    let mut buf = [0; 64];
    let mut got = Vec::new();
    let end = until(&mut net, "one", |net| {
        got.extend(net.recv_from(b, &mut buf).unwrap());
        !got.is_empty()
    });
    assert_eq!((&buf[..got[0].len], got[0].truncated), (&b"one"[..], false));
    assert_eq!(got[0].from, net.local(a).unwrap());
    assert!(end.since(start) >= ms(20));
    assert_eq!(
        net.send_to(a, &[0; 70_000], Some(&at)),
        Err(NetError::TooLong)
    );

    net.set_default(conditions("loss 0.5"));
    (0..200).for_each(|n| assert_eq!(net.send_to(a, &[n], Some(&at)), Ok(true)));
    let mut few = 0;
    let end = net.now() + ms(100);
    while net.now() < end {
        net.poll(end).unwrap();
        while net.recv_from(b, &mut buf).unwrap().is_some() {
            few += 1;
        }
    }
    assert!(
        (10..100).contains(&few),
        "{few} of 200 came through two lossy links"
    );

    net.set_default(conditions("duplicate 1"));
    net.send_to(a, b"twice", Some(&at)).unwrap();
    let mut twice = 0;
    until(&mut net, "both", |net| {
        while net.recv_from(b, &mut buf).unwrap().is_some() {
            twice += 1;
        }
        twice >= 4
    });
    assert_eq!(twice, 4, "doubled by each of two links");
}

#[test]
fn links_of_a_fault_file_hold_towards_their_address() {
    let mut net = slow("");
    let here: IpAddr = "127.0.0.1".parse().unwrap();
    let text = "at 0s link a b latency constant 25ms # slow\nat 1s partition a | b\n";
    assert_eq!(net.plan(text, "a", &[("b", here)]), Ok(1));
    let start = net.now();
    pair(&mut net);
    assert!(net.now().since(start) >= ms(50));
    assert!(
        net.plan("at 0s link a b loss 7", "a", &[("b", here)])
            .is_err()
    );
}

#[test]
fn servers_and_clients_live_behind_bad_links() {
    let bad = "latency uniform 1ms 5ms loss 0.02 bandwidth 10MB/s queue 32KiB";
    let mut world = World::of(Box::new(slow(bad)));
    let mut server = world.server(Limits::default());
    let data = pattern(400_000);
    let (mut client, mut sent, mut got) = (world.client(&server, Limits::default()), 0, Vec::new());
    let end = world.net.now() + Duration::from_secs(30);
    while got.len() < data.len() {
        let tyme = world.wait(end);
        assert!(tyme < end, "{} of {}", got.len(), data.len());
        echo(&mut server, tyme, world.net.as_mut());
        sent += match client.tx(&data[sent..]) {
            Ok(()) => data.len() - sent,
            Err(hio::link::TxError::Full { taken }) => taken,
            Err(other) => panic!("{other}"),
        };
        client.service(tyme, world.net.as_mut());
        got.extend_from_slice(client.rx());
        client.consume(usize::MAX);
    }
    assert!(got == data);
    client.drain();
    while client.closed().is_none() || !server.is_empty() {
        let tyme = world.wait(end);
        assert!(tyme < end, "closing");
        echo(&mut server, tyme, world.net.as_mut());
        client.service(tyme, world.net.as_mut());
    }
    assert_eq!(client.closed(), Some(CloseReason::Closed));
}

fn echo(server: &mut Server, tyme: Tyme, net: &mut dyn Net) {
    server
        .service_each(tyme, net, |ix| {
            let _ = ix.echo();
        })
        .unwrap();
}

#[test]
fn a_stack_of_layers_is_a_net() {
    let slow = slow("latency constant 10ms");
    let mut net = Record::new(Box::new(slow) as Box<dyn Net>, std::io::sink(), "");
    let at = Endpoint::host("127.0.0.1", 0);
    let mut server = Server::new(at, ListenOptions::default(), Limits::default());
    server.open(&mut net, Owner(1)).unwrap();
    let mut client = Client::new(server.eha(), ConnectOptions::default(), Limits::default());
    client.open(net.now(), &mut net, Owner(2)).unwrap();
    client.tx(b"through all of it").unwrap();
    let start = net.now();
    let end = until(&mut net, "an echo", |net| {
        let tyme = net.now();
        echo(&mut server, tyme, net);
        client.service(tyme, net);
        client.rx() == b"through all of it"
    });
    assert!(end.since(start) >= ms(40));
    assert!(net.hash().events() > 20);
}
