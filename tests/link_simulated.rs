//! Goal: names and datagrams are the same on the real net and in simulation: the same calls give the
//! same answers, and clients and peers that were written for the one run in the other.
//! Method: one story of calls told to both nets; then nodes with doers in a simulated world with
//! loss, silence and slow names, where every run of a seed goes the same way.

use std::net::IpAddr;
use std::time::Duration;

use hio::doers::{ClientDoer, DatagramDoer, EchoServerDoer};
use hio::doing::prelude::*;
use hio::link::{Client, CloseReason, DatagramEvent, DatagramLimits, DatagramPeer, Limits, Server};
use hio::net::{
    ConnectOptions, Datagram, DatagramOptions, Endpoint, ListenOptions, Lookup, MioNet, Net,
    NetError, Owner, ResolverOptions, Sid,
};
use hio::sim::{Boot, FaultPlan, NameRecord, Sim, Station};
use hio::tyme::Tyme;

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// The real net and a station of a simulated world, both with a slow name.
fn both(mut story: impl FnMut(&mut dyn Net)) {
    let addresses = || vec!["10.0.0.7".parse().unwrap()];
    let mut real = MioNet::new().unwrap();
    real.start_resolver_with(ResolverOptions::default(), move |name| match name {
        "slow.test" => Ok(addresses()),
        _ => Err(NetError::Unresolvable),
    })
    .unwrap();
    story(&mut real);
    let mut sim = Sim::new(1);
    let slow = NameRecord::new(addresses()).with_delay(ms(20));
    sim.names().set("slow.test", slow);
    sim.names()
        .set("gone.test", NameRecord::failing().with_delay(ms(20)));
    let node = sim.station("a");
    story(&mut Station::new(sim, node));
}

fn until<T>(net: &mut dyn Net, mut look: impl FnMut(&mut dyn Net) -> Option<T>) -> T {
    for _ in 0..1000 {
        if let Some(found) = look(net) {
            return found;
        }
        let soon = net.now() + ms(10);
        net.poll(soon).unwrap();
    }
    panic!("it never happened");
}

fn recv(net: &mut dyn Net, sid: Sid, room: usize) -> (Vec<u8>, Datagram) {
    let mut buf = vec![0; room];
    let got = until(net, |net| net.recv_from(sid, &mut buf).unwrap());
    buf.truncate(got.len);
    (buf, got)
}

fn bind(net: &mut dyn Net, owner: Owner, to: Option<Endpoint>) -> (hio::net::Group, Sid, Endpoint) {
    let group = net.group(owner);
    let options = DatagramOptions {
        to,
        ..DatagramOptions::default()
    };
    let at = "udp:127.0.0.1:0".parse().unwrap();
    let sid = net.bind(group, &at, &options).unwrap();
    let at = net.local(sid).unwrap();
    (group, sid, at)
}

#[test]
fn datagrams_answer_the_same() {
    both(|net| {
        let (_, a, at_a) = bind(net, Owner(1), None);
        let (group, b, at_b) = bind(net, Owner(2), None);
        let (_, one, at_one) = bind(net, Owner(3), Some(at_b.clone()));
        for data in [&b"first"[..], b"", b"third"] {
            assert_eq!(net.send_to(a, data, Some(&at_b)), Ok(true));
        }
        let mut owners = Vec::new();
        until(net, |net| {
            net.woken(&mut owners);
            (!owners.is_empty()).then_some(())
        });
        assert_eq!(owners, [Owner(2)]);
        let mut marks = Vec::new();
        net.ready(group, &mut marks);
        assert_eq!(marks, [b]);
        assert_eq!(recv(net, b, 64).0, b"first");
        let (bytes, got) = recv(net, b, 64);
        assert_eq!((bytes.len(), &got.from, got.truncated), (0, &at_a, false));
        let (bytes, got) = recv(net, b, 3);
        assert_eq!((&bytes[..], got.truncated), (&b"thi"[..], true));
        assert_eq!(net.recv_from(b, &mut [0; 8]), Ok(None));
        assert_eq!(net.send_to(one, b"mine", None), Ok(true));
        assert_eq!(recv(net, b, 64).1.from, at_one);
        // What makes no sense.
        let long = vec![0; 65_508];
        let name = Endpoint::host("slow.test", 1);
        let cases = [
            (a, Some(&at_b), &long[..], NetError::TooLong),
            (a, None, b"x", NetError::NotConnected),
            (one, Some(&at_a), b"x", NetError::Invalid),
            (a, Some(&name), b"x", NetError::Unresolvable),
            (a, Some(&Endpoint::Unnamed), b"x", NetError::Invalid),
        ];
        for (sid, to, data, why) in cases {
            assert_eq!(net.send_to(sid, data, to), Err(why));
        }
        assert_eq!(net.read(a, &mut [0; 8]), Err(NetError::Invalid));
        assert_eq!(net.write(a, b"x"), Err(NetError::Invalid));
        // Somebody who was there and is no more.
        net.close(b);
        assert_eq!(net.recv_from(b, &mut [0; 8]), Err(NetError::Stale));
        assert_eq!(net.send_to(one, b"gone?", None), Ok(true));
        let told = until(net, |net| net.recv_from(one, &mut [0; 8]).err());
        assert_eq!(told, NetError::Refused);
        assert_eq!(net.recv_from(one, &mut [0; 8]), Ok(None));
        let taken = DatagramOptions::default();
        let group = net.group(Owner::NONE);
        let twice = net.bind(group, &at_a, &taken);
        assert_eq!(twice, Err(NetError::AddrInUse));
    });
}

#[test]
fn names_answer_the_same() {
    both(|net| {
        let groups = [Owner(1), Owner(2)].map(|owner| net.group(owner));
        let failed = |why| Lookup::Failed(why);
        assert_eq!(net.resolve(groups[0], "a..b"), failed(NetError::Invalid));
        let long = "x".repeat(300);
        assert_eq!(net.resolve(groups[0], &long), failed(NetError::Invalid));
        let ready = Lookup::Ready(vec!["10.0.0.7".parse().unwrap()]);
        assert_eq!(net.resolve(groups[0], "10.0.0.7"), ready);
        for group in groups {
            assert_eq!(net.resolve(group, "Slow.test."), Lookup::Pending);
        }
        let mut owners = Vec::new();
        until(net, |net| {
            owners.clear();
            net.woken(&mut owners);
            (!owners.is_empty()).then_some(())
        });
        assert_eq!(owners, [Owner(1), Owner(2)]);
        let mut marks = Vec::new();
        for group in groups {
            net.ready(group, &mut marks);
            assert_eq!(net.resolve(group, "slow.test"), ready);
        }
        assert_eq!(marks, [], "no socket is listed for an answer");
        owners.clear();
        net.woken(&mut owners);
        assert_eq!(owners, []);
        assert_eq!(net.resolve(groups[0], "gone.test"), Lookup::Pending);
        let gone = until(net, |net| match net.resolve(groups[0], "gone.test") {
            Lookup::Pending => None,
            answer => Some(answer),
        });
        assert_eq!(gone, failed(NetError::Unresolvable));
    });
}

struct Pinger {
    peer: DatagramPeer,
    to: Endpoint,
    sent: u32,
    echoed: u32,
}

fn echoer(_: Boot) -> Doist<DatagramPeer> {
    let at = "udp:0.0.0.0:7000".parse().unwrap();
    let peer = DatagramPeer::new(at, DatagramOptions::default(), DatagramLimits::default());
    let mut doist = Doist::new(peer);
    doist.add(DatagramDoer::new());
    doist.add(doify(|tyme, cx: &mut Cx<'_, DatagramPeer>| {
        while let Some(message) = cx.app.recv() {
            cx.app.send(Some(&message.from), &message.data)?;
        }
        cx.app.service_sends(tyme, cx.net);
        Ok(After(ms(5)))
    }));
    doist
}

fn pinger(boot: Boot) -> Doist<Pinger> {
    let at = "udp:0.0.0.0:0".parse().unwrap();
    let peer = DatagramPeer::new(at, DatagramOptions::default(), DatagramLimits::default());
    let mut doist = Doist::new(Pinger {
        peer,
        to: boot.udp("echo", 7000).unwrap(),
        sent: 0,
        echoed: 0,
    });
    let served = doist.add_on(|app: &mut Pinger| &mut app.peer, DatagramDoer::new());
    doist.add(doify(move |_, cx: &mut Cx<'_, Pinger>| {
        let app = &mut *cx.app;
        while let Some(message) = app.peer.recv() {
            app.echoed += u32::from(message.data.len() == 4);
        }
        if app.sent < 200 {
            app.peer.send(Some(&app.to), &app.sent.to_be_bytes())?;
            app.sent += 1;
            cx.ask.wake(served);
        }
        Ok(After(ms(10)))
    }));
    doist
}

#[test]
fn d1_peers_ping_each_other_over_a_lossy_link() {
    let run = |seed| {
        let link = "latency uniform 1ms 5ms loss 0.2".parse().unwrap();
        let mut sim = Sim::new(seed).with_link(link);
        let echo = sim.node("echo", echoer);
        let ping = sim.node("ping", pinger);
        sim.run_until(Tyme::from_secs(10)).unwrap();
        let app = sim.app::<Pinger>(ping).unwrap();
        let stats = sim.app::<DatagramPeer>(echo).unwrap().stats();
        assert_eq!((app.sent, app.peer.stats().unsent), (200, 0));
        assert_eq!(stats.sent, stats.received);
        (app.echoed, stats.received)
    };
    let (echoed, reached) = run(7);
    // Four of five go each way, give or take what chance takes: five deviations at most.
    assert!((132..=188).contains(&reached), "{reached} of 200 reached");
    assert!((94..=162).contains(&echoed), "{echoed} of 200 came back");
    assert_eq!(run(7), (echoed, reached));
    assert_ne!(run(8), run(9));
}

#[test]
fn a_connected_peer_hears_of_a_refusal_in_simulation() {
    fn lonely(boot: Boot) -> Doist<DatagramPeer> {
        let options = DatagramOptions {
            to: boot.udp("nobody", 9),
            ..DatagramOptions::default()
        };
        let at = "udp:0.0.0.0:0".parse().unwrap();
        let peer = DatagramPeer::new(at, options, DatagramLimits::default());
        let mut doist = Doist::new(peer);
        let served = doist.add(DatagramDoer::new());
        doist.add(doify(move |_, cx: &mut Cx<'_, DatagramPeer>| {
            cx.app.send(None, b"anybody?")?;
            cx.ask.wake(served);
            Ok(Done(true))
        }));
        doist
    }
    let mut sim = Sim::new(3);
    let node = sim.node("lonely", lonely);
    sim.station("nobody");
    sim.run_until(Tyme::from_secs(1)).unwrap();
    let peer = sim.app_mut::<DatagramPeer>(node).unwrap();
    assert_eq!(peer.stats().refused, 1);
    assert!(peer.events().any(|event| event == DatagramEvent::Refused));
}

fn server(_: Boot) -> Doist<()> {
    let at = ":7000".parse().unwrap();
    let server = Server::new(at, ListenOptions::default(), Limits::default());
    let mut doist = Doist::new(());
    doist.add(EchoServerDoer::new(server));
    doist
}

fn caller(_: Boot) -> Doist<Client> {
    let to = Endpoint::host("service.test", 7000);
    let client = Client::new(to, ConnectOptions::default(), Limits::default());
    let mut doist = Doist::new(client);
    doist.add(ClientDoer::new());
    doist
}

/// A name with a dead address before the live one, looked up slowly: the race of the addresses.
#[test]
fn a_client_races_the_addresses_of_a_simulated_name() {
    let mut sim = Sim::new(5).with_link("latency constant 2ms".parse().unwrap());
    sim.node("dead", server);
    sim.node("live", server);
    let node = sim.node("caller", caller);
    // Nodes have addresses in the order they were added.
    let addresses = ["10.0.0.1", "10.0.0.2"].map(|ip| ip.parse::<IpAddr>().unwrap());
    let record = NameRecord::new(addresses.to_vec()).with_delay(ms(300));
    sim.names().set("service.test", record);
    let plan: FaultPlan = "at 0s partition caller | dead".parse().unwrap();
    sim.plan(&plan).unwrap();
    sim.run_until(Tyme::from_millis(520)).unwrap();
    let early = sim.app::<Client>(node).unwrap().peer();
    assert_eq!(early, None, "before the second was dialled");
    sim.run_until(Tyme::from_millis(600)).unwrap();
    let client = sim.app::<Client>(node).unwrap();
    assert!(client.connected(), "{:?}", client.closed());
    let peer = client.peer().and_then(Endpoint::addr).unwrap();
    assert_eq!(peer.ip(), addresses[1]);
    assert_eq!(client.closed(), None::<CloseReason>);
}
