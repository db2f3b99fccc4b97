//! Goal: datagrams between simulated nodes are lost, doubled, late, too long and refused as real
//! ones are; names resolve at once, late, or not.
//! Method: nodes operated by hand; shares are counted over many datagrams.

mod sim_support;

use std::time::Duration;

use hio::net::{
    DatagramOptions, Endpoint, Interface, Lookup, Net, NetError, Owner, Sid, SocketOption,
};
use hio::sim::{NameRecord, NodeId, Sim, Station};
use sim_support::{MS, SEC, World, endpoint, sim};

fn bind(w: &mut World, node: NodeId, at: &str, options: &DatagramOptions) -> Sid {
    try_bind(w, node, at, options).expect("to bind")
}

fn try_bind(
    w: &mut World,
    node: NodeId,
    at: &str,
    options: &DatagramOptions,
) -> Result<Sid, NetError> {
    let (group, at) = (w.group(node), endpoint(at));
    w.on(node).bind(group, &at, options)
}

fn plain() -> DatagramOptions {
    DatagramOptions::default()
}

fn connected(to: &str) -> DatagramOptions {
    DatagramOptions {
        to: Some(endpoint(to)),
        ..plain()
    }
}

fn send(w: &mut World, node: NodeId, sid: Sid, data: &[u8], to: &str) -> Result<bool, NetError> {
    let to = endpoint(to);
    w.on(node).send_to(sid, data, Some(&to))
}

fn received(w: &mut World, node: NodeId, sid: Sid) -> Vec<(Vec<u8>, Endpoint)> {
    let (mut all, mut buf) = (Vec::new(), vec![0; 70_000]);
    while let Some(got) = w.on(node).recv_from(sid, &mut buf).expect("to receive") {
        assert!(!got.truncated);
        all.push((buf[..got.len].to_vec(), got.from));
    }
    all
}

#[test]
fn datagrams_keep_their_bounds_and_tell_their_sender() {
    let mut w = World::new(Sim::new(1));
    let (a, b) = (w.a, w.b);
    let near = bind(&mut w, a, "udp:0.0.0.0:0", &plain());
    let far = bind(&mut w, b, "udp:0.0.0.0:9000", &plain());
    assert_eq!(send(&mut w, a, near, b"one", "udp:10.0.0.2:9000"), Ok(true));
    assert_eq!(send(&mut w, a, near, b"", "udp:10.0.0.2:9000"), Ok(true));
    w.pass(MS);
    assert_eq!(w.ready(b), [far]);
    let got = received(&mut w, b, far);
    let port = w.on(a).local(near).expect("bound").port().expect("a port");
    let from = endpoint(&format!("udp:10.0.0.1:{port}"));
    assert_eq!(got, [(b"one".to_vec(), from.clone()), (Vec::new(), from)]);
    // What does not fit into the buffer is lost, and told.
    send(&mut w, a, near, b"longer", "udp:10.0.0.2:9000").expect("to send");
    w.pass(MS);
    let got = w
        .on(b)
        .recv_from(far, &mut [0; 4])
        .expect("to receive")
        .expect("one");
    assert_eq!((got.len, got.truncated), (4, true));
    assert_eq!(w.on(b).recv_from(far, &mut [0; 4]), Ok(None));
}

#[test]
fn shares_of_loss_and_doubles_and_another_order() {
    let mut w = World::new(sim(
        2,
        "latency constant 1ms loss 0.1 burst 4 duplicate 0.1 reorder 0.1 by 5ms",
    ));
    let (a, b) = (w.a, w.b);
    let near = bind(&mut w, a, "udp:0.0.0.0:0", &plain());
    let far = bind(&mut w, b, "udp:0.0.0.0:9000", &plain());
    let mut got = Vec::new();
    for n in 0..5000u32 {
        send(&mut w, a, near, &n.to_le_bytes(), "udp:10.0.0.2:9000").expect("to send");
        w.pass(MS);
        for (data, _) in received(&mut w, b, far) {
            got.push(u32::from_le_bytes(data.try_into().expect("four bytes")));
        }
    }
    let backwards = got.windows(2).filter(|pair| pair[0] > pair[1]).count();
    assert!(backwards > 300, "{backwards}");
    let all = got.len();
    got.sort_unstable();
    got.dedup();
    assert!((4300..4700).contains(&got.len()), "{}", got.len());
    assert!((350..550).contains(&(all - got.len())), "{all}");
    // Lost in bursts: runs of missing numbers are long.
    let runs = got.windows(2).filter(|pair| pair[1] > pair[0] + 1).count();
    let mean = (5000 - got.len()) as f64 / runs as f64;
    assert!((3.0..5.0).contains(&mean), "{mean}");
}

#[test]
fn too_long_too_many_and_nobody_there() {
    let mut w = World::new(Sim::new(1));
    let (a, b) = (w.a, w.b);
    let near = bind(&mut w, a, "udp:0.0.0.0:0", &plain());
    let far = bind(&mut w, b, "udp:0.0.0.0:9000", &plain());
    let to = "udp:10.0.0.2:9000";
    assert_eq!(
        send(&mut w, a, near, &[0; 65_508], to),
        Err(NetError::TooLong)
    );
    assert_eq!(send(&mut w, a, near, &[0; 65_507], to), Ok(true));
    // What does not fit into the receiver's buffer is lost.
    for _ in 0..4 {
        assert_eq!(send(&mut w, a, near, &[0; 60_000], to), Ok(true));
    }
    w.pass(MS);
    assert_eq!(received(&mut w, b, far).len(), 2);
    // Only who is connected is told that nobody is there, once.
    assert_eq!(send(&mut w, a, near, b"x", "udp:10.0.0.2:9"), Ok(true));
    let only = bind(&mut w, a, "udp:0.0.0.0:0", &connected("udp:10.0.0.2:9"));
    assert_eq!(w.on(a).send_to(only, b"x", None), Ok(true));
    w.pass(2 * MS);
    assert_eq!(w.ready(a), [only]);
    assert_eq!(w.on(a).recv_from(only, &mut [0; 4]), Err(NetError::Refused));
    assert_eq!(w.on(a).recv_from(only, &mut [0; 4]), Ok(None));
    assert_eq!(w.on(a).recv_from(near, &mut [0; 4]), Ok(None));
    assert_eq!(
        w.on(a).send_to(near, b"x", None),
        Err(NetError::NotConnected)
    );
    assert_eq!(
        send(&mut w, a, near, b"x", "udp:10.0.0.77:9"),
        Err(NetError::Unreachable)
    );
    assert_eq!(
        send(&mut w, a, near, b"x", "udp:[fd00::2]:9"),
        Err(NetError::Invalid)
    );
}

#[test]
fn a_connected_socket_hears_its_peer_only() {
    let mut w = World::new(Sim::new(1));
    let (a, b) = (w.a, w.b);
    let server = bind(&mut w, b, "udp:0.0.0.0:9000", &plain());
    let near = bind(
        &mut w,
        a,
        "udp:0.0.0.0:5000",
        &connected("udp:10.0.0.2:9000"),
    );
    let other = bind(&mut w, b, "udp:0.0.0.0:9001", &plain());
    assert_eq!(w.on(a).peer(near), Ok(endpoint("udp:10.0.0.2:9000")));
    assert_eq!(w.on(a).local(near), Ok(endpoint("udp:10.0.0.1:5000")));
    send(&mut w, b, other, b"no", "udp:10.0.0.1:5000").expect("to send");
    send(&mut w, b, server, b"yes", "udp:10.0.0.1:5000").expect("to send");
    w.pass(MS);
    let got = received(&mut w, a, near);
    assert_eq!(got, [(b"yes".to_vec(), endpoint("udp:10.0.0.2:9000"))]);
}

#[test]
fn broadcasts_reach_everybody_who_may_hear_them() {
    let mut w = World::new(Sim::new(1));
    let (a, b) = (w.a, w.b);
    let silent = bind(&mut w, a, "udp:0.0.0.0:0", &plain());
    let options = DatagramOptions {
        broadcast: true,
        reuse_addr: true,
        ..plain()
    };
    let near = bind(&mut w, a, "udp:0.0.0.0:9000", &options);
    let far = bind(&mut w, b, "udp:0.0.0.0:9000", &options);
    let twin = bind(&mut w, b, "udp:0.0.0.0:9000", &options);
    assert_eq!(
        try_bind(&mut w, b, "udp:0.0.0.0:9000", &plain()),
        Err(NetError::AddrInUse)
    );
    let all = "udp:255.255.255.255:9000";
    assert_eq!(send(&mut w, a, silent, b"x", all), Err(NetError::Denied));
    assert_eq!(send(&mut w, a, near, b"x", all), Ok(true));
    w.pass(MS);
    for (node, sid) in [(a, near), (b, far), (b, twin)] {
        assert_eq!(received(&mut w, node, sid).len(), 1);
    }
}

#[test]
fn unix_datagrams_wait_for_room() {
    let mut w = World::new(Sim::new(1));
    let a = w.a;
    let server = bind(&mut w, a, "unixgram:/run/s", &plain());
    let group = w.group(a);
    let client = w
        .on(a)
        .bind(group, &Endpoint::Unnamed, &plain())
        .expect("to bind");
    let gone = send(&mut w, a, client, b"x", "unixgram:/run/t");
    assert_eq!(gone, Err(NetError::NotFound));
    let mut sent = 0;
    while send(&mut w, a, client, b"x", "unixgram:/run/s").expect("to send") {
        sent += 1;
        w.pass(MS);
        assert!(sent < 10_000);
    }
    w.ready(a);
    let got = received(&mut w, a, server);
    assert_eq!(got.len(), sent);
    assert_eq!(got[0].1, Endpoint::Unnamed);
    assert_eq!(w.ready(a), [client]);
    w.on(a).close(server);
    let gone = send(&mut w, a, client, b"x", "unixgram:/run/s");
    assert_eq!(gone, Err(NetError::NotFound));
}

#[test]
fn names_come_at_once_late_or_not_at_all() {
    let mut w = World::new(Sim::new(1));
    let (a, b) = (w.a, w.b);
    let ip = |text: &str| text.parse().expect("an address");
    let record = NameRecord::new(vec![ip("10.0.0.2")])
        .with_delay(20 * MS)
        .with_ttl(SEC);
    w.sim.names().set("Db.Test.", record);
    w.sim
        .names()
        .set("gone.test", NameRecord::failing().with_delay(MS));
    let (one, two) = (w.group(a), w.on(a).group(Owner(9)));
    let resolve = |w: &mut World, node, group, name: &str| w.on(node).resolve(group, name);
    let failed = Lookup::Failed(NetError::Unresolvable);
    assert_eq!(
        resolve(&mut w, a, one, "B"),
        Lookup::Ready(vec![ip("10.0.0.2"), ip("fd00::2")])
    );
    assert_eq!(resolve(&mut w, a, one, "nobody"), failed);
    assert_eq!(
        resolve(&mut w, a, one, "localhost"),
        Lookup::Ready(vec![ip("127.0.0.1"), ip("::1")])
    );
    for group in [one, two] {
        assert_eq!(resolve(&mut w, a, group, "db.test"), Lookup::Pending);
    }
    assert_eq!(resolve(&mut w, a, two, "gone.test"), Lookup::Pending);
    w.pass(5 * MS);
    let woken = |w: &mut World| {
        let mut owners = Vec::new();
        w.on(a).woken(&mut owners);
        owners
    };
    assert_eq!(woken(&mut w), [Owner(9)]);
    assert_eq!(resolve(&mut w, a, two, "gone.test"), failed);
    w.pass(20 * MS);
    assert_eq!(woken(&mut w), [Owner(7), Owner(9)]);
    assert_eq!(w.ready(a), []); // takes the mark and lists no socket for it
    assert_eq!(woken(&mut w), [Owner(9)]);
    let db = Lookup::Ready(vec![ip("10.0.0.2")]);
    assert_eq!(resolve(&mut w, a, one, "db.test"), db);
    // Remembered until its time is over, also when it has changed meanwhile.
    w.sim
        .names()
        .set("db.test", NameRecord::new(vec![ip("10.0.0.1")]));
    assert_eq!(resolve(&mut w, a, one, "db.test"), db);
    w.pass(2 * SEC);
    assert_eq!(resolve(&mut w, a, two, "db.test"), db); // it waited for that answer
    let new = Lookup::Ready(vec![ip("10.0.0.1")]);
    assert_eq!(resolve(&mut w, a, one, "db.test"), new);
    // Each node asks for itself.
    let group = w.group(b);
    assert_eq!(resolve(&mut w, b, group, "db.test"), new);
    w.sim.names().unset("db.test");
    w.pass(Duration::from_secs(31));
    assert_eq!(resolve(&mut w, b, group, "db.test"), failed);
}

#[test]
fn entropy_is_a_stream_of_the_nodes_own() {
    let draw = |seed: u64, node: &str, crashes: u32| {
        let mut w = World::new(Sim::new(seed));
        let node = w.sim.find(node).expect("there is");
        for _ in 0..crashes {
            w.sim.restart(node);
            w.pass(MS);
        }
        let mut out = [0; 24];
        Station::new(&mut w.sim, node).entropy(&mut out);
        out
    };
    assert_eq!(draw(1, "a", 0), draw(1, "a", 0));
    let all = [
        draw(1, "a", 0),
        draw(1, "b", 0),
        draw(2, "a", 0),
        draw(1, "a", 1),
    ];
    for (n, one) in all.iter().enumerate() {
        assert!(all[n + 1..].iter().all(|other| other != one));
    }
}

#[test]
fn multicast_reaches_the_members_of_a_group() {
    let mut w = World::new(Sim::new(1));
    let (a, b) = (w.a, w.b);
    let shared = DatagramOptions {
        reuse_addr: true,
        ..plain()
    };
    let near = bind(&mut w, a, "udp:0.0.0.0:5000", &shared);
    let member = bind(&mut w, b, "udp:0.0.0.0:5000", &shared);
    let other = bind(&mut w, b, "udp:0.0.0.0:5000", &shared);
    let group = "224.0.0.9".parse().expect("an address");
    let join = SocketOption::JoinMulticast(group, Interface::Any);
    let leave = SocketOption::LeaveMulticast(group, Interface::Any);
    assert_eq!(w.on(b).set_option(member, join), Ok(()));
    assert_eq!(w.on(b).set_option(member, join), Err(NetError::AddrInUse));
    assert_eq!(
        w.on(b).set_option(other, leave),
        Err(NetError::AddrNotAvailable)
    );
    assert_eq!(w.on(a).set_option(near, join), Ok(()));
    let plain_ip = SocketOption::JoinMulticast([10, 0, 0, 1].into(), Interface::Any);
    assert_eq!(w.on(a).set_option(near, plain_ip), Err(NetError::Invalid));
    let counts = |w: &mut World| {
        w.pass(MS);
        let places = [(a, near), (b, member), (b, other)];
        places.map(|(node, sid)| received(w, node, sid).len())
    };
    send(&mut w, a, near, b"x", "udp:224.0.0.9:5000").expect("to send");
    assert_eq!(counts(&mut w), [1, 1, 0]);
    let quiet = SocketOption::MulticastLoop(false);
    assert_eq!(w.on(a).set_option(near, quiet), Ok(()));
    send(&mut w, a, near, b"x", "udp:224.0.0.9:5000").expect("to send");
    assert_eq!(counts(&mut w), [0, 1, 0]);
    assert_eq!(w.on(b).set_option(member, leave), Ok(()));
    send(&mut w, a, near, b"x", "udp:224.0.0.9:5000").expect("to send");
    assert_eq!(counts(&mut w), [0, 0, 0]);
}

#[test]
fn an_ipv6_socket_that_takes_both_shows_ipv4_mapped() {
    let mut w = World::new(Sim::new(1));
    let (a, b) = (w.a, w.b);
    let both = DatagramOptions {
        v6_only: false,
        ..plain()
    };
    let server = bind(&mut w, b, "udp:[::]:9000", &both);
    let near = bind(&mut w, a, "udp:0.0.0.0:5000", &plain());
    send(&mut w, a, near, b"x", "udp:10.0.0.2:9000").expect("to send");
    w.pass(MS);
    let (_, from) = received(&mut w, b, server).remove(0);
    assert_eq!(from, endpoint("udp:[::ffff:10.0.0.1]:5000"));
    assert_eq!(w.on(b).send_to(server, b"back", Some(&from)), Ok(true));
    w.pass(MS);
    let got = received(&mut w, a, near);
    assert_eq!(got, [(b"back".to_vec(), endpoint("udp:10.0.0.2:9000"))]);
}
