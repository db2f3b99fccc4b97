//! Goal: streams, deadlines and layers do in simulation what they do outside (SEEDS 6c, law D1).
//! Method: the stories of `tests/streams_everywhere.rs` between two simulated nodes, as doers and
//! by hand; the blocking helper on a simulated net. Every run is bounded in simulated time.

mod support;

use std::time::Duration;

use hio::doing::prelude::*;
use hio::link::{NetworkBackend, Phase};
use hio::net::{CacheLimits, Endpoint, NameCache, Net, Recording, UnixInstead};
use hio::sim::{Boot, NameRecord, Sim, Station};
use support::ms;
use support::stream_stories::{Story, plain};
use support::streams::{Host, Player};

/// Serves a host in a Doist.
struct HostDoer(Host);

impl Doer for HostDoer {
    fn enter(&mut self, cx: &mut Cx<'_>) -> Result<Next, Fault> {
        self.0.open(cx.net, cx.ask.me().into());
        Ok(Again)
    }

    fn recur(&mut self, tyme: Tyme, cx: &mut Cx<'_>) -> Result<Next, Fault> {
        self.0.service(tyme, cx.net);
        Ok(Park(self.0.due(tyme)))
    }
}

/// Plays in a Doist.
struct PlayerDoer;

impl Doer<Player> for PlayerDoer {
    fn enter(&mut self, cx: &mut Cx<'_, Player>) -> Result<Next, Fault> {
        cx.app.owner = cx.ask.me().into();
        Ok(Again)
    }

    fn recur(&mut self, tyme: Tyme, cx: &mut Cx<'_, Player>) -> Result<Next, Fault> {
        Ok(match cx.app.step(tyme, cx.net) {
            true => Done(true),
            false => Park(cx.app.due(tyme)),
        })
    }
}

const PORT: u16 = 7000;

fn world(seed: u64, host: impl Fn() -> Host + Send + 'static) -> Sim {
    let link = "latency uniform 100us 2ms".parse().expect("conditions");
    let mut sim = Sim::new(seed).with_link(link);
    sim.node("server", move |_: Boot| {
        let mut doist = Doist::new(());
        doist.add(HostDoer(host()));
        doist
    });
    sim
}

fn listening() -> Endpoint {
    Endpoint::host("", PORT)
}

/// Between two nodes with a program each. What is told, and the hash of the run.
fn as_doers(
    seed: u64,
    host: impl Fn() -> Host + Send + 'static,
    player: impl Fn(Endpoint) -> Player + Send + 'static,
) -> (Vec<String>, String) {
    let mut sim = world(seed, host);
    let node = sim.node("client", move |_: Boot| {
        let mut doist = Doist::new(player(Endpoint::host("server", PORT)));
        doist.add(PlayerDoer);
        doist
    });
    sim.run_until(Tyme::from_secs(300)).expect("a run");
    let told = sim.app::<Player>(node).expect("it runs").told.clone();
    (told, sim.trace_hash().to_string())
}

/// The same with the client by hand.
fn by_hand(seed: u64, host: impl Fn() -> Host + Send + 'static, mut player: Player) -> Vec<String> {
    let mut sim = world(seed, host);
    let node = sim.station("client");
    let mut net = Station::new(sim, node);
    for _ in 0..100_000 {
        let now = net.now();
        if player.step(now, &mut net) {
            break;
        }
        let soon = now + ms(50); // marks that are left over end no wait
        net.poll(player.due(now).min(soon)).expect("it polls");
    }
    player.told
}

fn plain_host(story: &Story) -> impl Fn() -> Host + Send + use<> {
    let manner = story.manner;
    move || Host::new(listening(), manner)
}

#[test]
fn plain_streams_tell_the_same_in_simulation() {
    for story in plain() {
        for seed in 0..3 {
            let acts = story.acts.clone();
            let player = move |to| Player::new(to, &acts);
            let (told, hash) = as_doers(seed, plain_host(&story), player.clone());
            assert_eq!(told, story.told, "seed {seed}: {}", story.name);
            let again = as_doers(seed, plain_host(&story), player.clone());
            assert_eq!(again, (told, hash), "the same seed gives the same run");
            let to = Endpoint::host("server", PORT);
            let told = by_hand(seed, plain_host(&story), player(to));
            assert_eq!(told, story.told, "by hand, seed {seed}: {}", story.name);
        }
    }
}

#[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
#[test]
fn secure_streams_tell_the_same_in_simulation() {
    use support::stream_stories::secure;
    use support::streams::Manner;
    let pki = support::pki::Pki::new();
    for story in secure() {
        let (manner, server) = (story.manner, pki.server_tls());
        let host = move || match manner {
            Manner::StartTls => Host::new(listening(), manner).with_tls(server.clone()),
            _ => Host::new(listening(), manner),
        };
        let tls = hio::link::tls::ClientTls::builder().ca(pki.ca.as_bytes());
        let (acts, tls) = (story.acts.clone(), tls.build().expect("a configuration"));
        let player = move |to| Player::new(to, &acts).with_tls(tls.clone());
        let (told, _) = as_doers(1, host.clone(), player.clone());
        assert_eq!(told, story.told, "{}", story.name);
        let told = by_hand(2, host, player(Endpoint::host("server", PORT)));
        assert_eq!(told, story.told, "by hand: {}", story.name);
    }
}

/// A node without a program, beside a server with such manners.
fn station(manner: support::streams::Manner) -> Station<Sim> {
    let mut sim = world(5, move || Host::new(listening(), manner));
    let node = sim.station("client");
    Station::new(sim, node)
}

#[test]
fn the_blocking_helper_and_its_deadlines_on_a_simulated_net() {
    use support::streams::Manner;
    let mut backend = NetworkBackend::new(station(Manner::Silent));
    let mut all = backend.timeout("all", Duration::from_secs(3600));
    let mut stream = all.connect("server", PORT).expect("it connects");
    stream.write(b"hello").expect("taken");
    let start = stream.backend().now();
    let why = {
        let mut t = stream.timeout("an hour, nearly", Duration::from_secs(3000));
        t.read().unwrap_err()
    };
    assert_eq!(why.deadline().expect("ours").name, "an hour, nearly");
    assert_eq!(stream.backend().now(), start + Duration::from_secs(3000));
    assert_eq!(
        stream.read().unwrap_err().deadline().expect("ours").name,
        "all"
    );
    assert_eq!(stream.backend().now(), Tyme::from_secs(3600));
}

#[test]
fn layers_on_a_simulated_net() {
    use support::streams::Manner;
    let mut net = station(Manner::Echo);
    let group = net.group(hio::net::Owner::NONE);
    let hio::net::Lookup::Ready(ips) = net.resolve(group, "server") else {
        panic!("a node's name resolves at once");
    };
    let slow = NameRecord::new(ips).with_delay(ms(200));
    net.sim.names().set("db.test", slow);
    let never = NameRecord::new(vec![[10, 0, 0, 99].into()]);
    let never = never.with_delay(Duration::from_secs(3600));
    net.sim.names().set("never.test", never);
    let net = Recording::new(net, Vec::new());
    let net = NameCache::new(net, CacheLimits::default());
    let net = UnixInstead::new(net).host("elsewhere.test", "/run/x");
    let mut backend = NetworkBackend::new(net);
    let mut took = Vec::new();
    for _ in 0..2 {
        let start = backend.now();
        let mut stream = backend.connect("db.test", PORT).expect("it connects");
        took.push(stream.backend().now().since(start) >= ms(200));
        stream.write(b"hello\n").expect("taken");
        assert_eq!(stream.read().expect("back"), b"hello\n");
        stream.close().expect("in order");
    }
    assert_eq!(took, [true, false], "the second look-up is the cache's");
    let start = backend.now();
    let why = {
        let mut t = backend.timeout("look-up", ms(50));
        t.connect("never.test", PORT).unwrap_err()
    };
    let told = (why.deadline().expect("ours").name, why.phase);
    assert_eq!(told, ("look-up", Phase::Resolve));
    assert_eq!(backend.now(), start + ms(50));
    // What is remembered expires by simulated time.
    let later = backend.now() + CacheLimits::default().ttl;
    while backend.now() < later {
        backend.net_mut().poll(later).expect("it polls");
    }
    drop(backend.connect("db.test", PORT).expect("it connects"));
    assert!(backend.now() >= later + ms(200), "asked for again");
    let (_, record) = backend.into_net().into_below().into_below().into_parts();
    let record = String::from_utf8(record).expect("text");
    assert_eq!(record, ">>> hello\n<<< hello\n".repeat(2));
}
