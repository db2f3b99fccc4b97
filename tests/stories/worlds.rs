//! The worlds that stories are told in.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use hio::net::{Conditions, Endpoint, Lookup, MioNet, Net, Owner};
use hio::sim::{NodeId, Sim, Station};
use hio::tyme::Tyme;

use super::{End, Kind, World};

/// The real world: one net on loopback, with both ends in it.
pub(crate) struct Real<N> {
    net: N,
    kind: Kind,
    dir: PathBuf,
    paths: u32,
}

impl Real<MioNet> {
    pub(crate) fn new(kind: Kind) -> Self {
        Self::of(MioNet::new().expect("a poll"), kind)
    }
}

impl<N: Net> Real<N> {
    /// A world of a net that reaches loopback.
    pub(crate) fn of(net: N, kind: Kind) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("hio-story-{}-{n}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("a directory");
        Self {
            net,
            kind,
            dir,
            paths: 0,
        }
    }

    fn path(&mut self) -> PathBuf {
        self.paths += 1;
        self.dir.join(format!("s{}", self.paths))
    }
}

impl<N> Drop for Real<N> {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

const fn loopback(kind: Kind) -> SocketAddr {
    match kind {
        Kind::V6 => SocketAddr::new(std::net::IpAddr::V6(std::net::Ipv6Addr::LOCALHOST), 0),
        _ => SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0),
    }
}

impl<N: Net> World for Real<N> {
    fn with(&mut self, _end: End, work: &mut dyn FnMut(&mut dyn Net)) {
        work(&mut self.net);
    }

    fn wait(&mut self) {
        let soon = self.net.now() + Duration::from_micros(500);
        self.net.poll(soon).expect("to poll");
    }

    fn address(&mut self, _end: End) -> Endpoint {
        match self.kind {
            Kind::Unix => Endpoint::Unix(self.path()),
            kind => Endpoint::Tcp(loopback(kind)),
        }
    }

    fn place(&mut self, _end: End) -> Endpoint {
        match self.kind {
            Kind::Unix => Endpoint::UnixDatagram(self.path()),
            kind => Endpoint::Udp(loopback(kind)),
        }
    }
}

/// A simulated world: a node at each end, or both ends in one node.
pub(crate) struct Simulated {
    sim: Sim,
    nodes: [NodeId; 2],
    kind: Kind,
    paths: u32,
    wait: Duration,
}

impl Simulated {
    /// Two nodes, which Unix sockets do not reach: for these it is one.
    pub(crate) fn new(seed: u64, kind: Kind, link: Conditions) -> Self {
        let wait = Duration::from_millis(5) + link.latency.least() * 4;
        let mut sim = Sim::new(seed).with_link(link);
        let a = sim.station("a");
        let b = if kind == Kind::Unix {
            a
        } else {
            sim.station("b")
        };
        Self {
            sim,
            nodes: [a, b],
            kind,
            paths: 0,
            wait,
        }
    }

    /// Both ends in one node.
    pub(crate) fn alone(seed: u64, kind: Kind) -> Self {
        let mut sim = Sim::new(seed);
        let a = sim.station("a");
        Self {
            sim,
            nodes: [a, a],
            kind,
            paths: 0,
            wait: Duration::from_millis(1),
        }
    }

    fn station(&mut self, end: End) -> Station<&mut Sim> {
        Station::new(&mut self.sim, self.nodes[end as usize])
    }

    /// The address of an end as the other one knows it.
    fn addr(&mut self, end: End) -> SocketAddr {
        let own = loopback(self.kind);
        if self.nodes[0] == self.nodes[1] {
            return own;
        }
        let mut net = self.station(end);
        let group = net.group(Owner::NONE);
        let Lookup::Ready(all) = net.resolve(group, ["a", "b"][end as usize]) else {
            panic!("a node has a name");
        };
        net.close_group(group);
        let ip = all.into_iter().find(|ip| ip.is_ipv4() == own.is_ipv4());
        SocketAddr::new(ip.expect("an address"), 0)
    }

    fn path(&mut self) -> PathBuf {
        self.paths += 1;
        PathBuf::from(format!("/run/s{}", self.paths))
    }
}

impl World for Simulated {
    fn with(&mut self, end: End, work: &mut dyn FnMut(&mut dyn Net)) {
        work(&mut self.station(end));
    }

    fn wait(&mut self) {
        self.sim.run_for(self.wait).expect("nothing goes wrong");
        for end in [End::A, End::B] {
            self.station(end).poll(Tyme::ZERO).expect("to poll");
        }
    }

    fn address(&mut self, end: End) -> Endpoint {
        match self.kind {
            Kind::Unix => Endpoint::Unix(self.path()),
            _ => Endpoint::Tcp(self.addr(end)),
        }
    }

    fn place(&mut self, end: End) -> Endpoint {
        match self.kind {
            Kind::Unix => Endpoint::UnixDatagram(self.path()),
            _ => Endpoint::Udp(self.addr(end)),
        }
    }
}
