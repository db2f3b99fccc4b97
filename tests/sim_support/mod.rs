//! Two nodes that are operated by hand, and what one wants to do with them.
#![allow(
    dead_code,
    clippy::allow_attributes,
    reason = "each test file uses a part of it"
)]

use std::time::Duration;

use hio::net::{ConnectOptions, Endpoint, Group, ListenOptions, Net, NetError, Owner, Sid};
use hio::sim::{NodeId, Sim, Station};
use hio::tyme::Tyme;

pub(crate) const MS: Duration = Duration::from_millis(1);
pub(crate) const SEC: Duration = Duration::from_secs(1);

/// Nodes `a` and `b`, each with a group of sockets owned by 7.
pub(crate) struct World {
    pub(crate) sim: Sim,
    pub(crate) a: NodeId,
    pub(crate) b: NodeId,
    pub(crate) groups: [Group; 2],
}

/// What a test does on a node.
pub(crate) type Door<'a> = Station<&'a mut Sim>;

impl World {
    pub(crate) fn new(mut sim: Sim) -> Self {
        let (a, b) = (sim.station("a"), sim.station("b"));
        let mut group = |node| Station::new(&mut sim, node).group(Owner(7));
        let groups = [group(a), group(b)];
        Self { sim, a, b, groups }
    }

    pub(crate) fn on(&mut self, node: NodeId) -> Door<'_> {
        Station::new(&mut self.sim, node)
    }

    pub(crate) fn group(&self, node: NodeId) -> Group {
        self.groups[node.index()]
    }

    /// Runs for so long.
    pub(crate) fn pass(&mut self, span: Duration) {
        self.sim.run_for(span).expect("nothing stops it");
    }

    pub(crate) fn listen(&mut self, node: NodeId, at: &str, options: &ListenOptions) -> Sid {
        let (group, at) = (self.group(node), endpoint(at));
        self.on(node)
            .listen(group, &at, options)
            .expect("to listen")
    }

    pub(crate) fn dial(&mut self, node: NodeId, to: &str) -> Sid {
        self.try_dial(node, to).expect("to dial")
    }

    pub(crate) fn try_dial(&mut self, node: NodeId, to: &str) -> Result<Sid, NetError> {
        let (group, to) = (self.group(node), endpoint(to));
        self.on(node)
            .connect(group, &to, &ConnectOptions::default())
    }

    /// A connection from `a` to `b`: the ends there.
    pub(crate) fn pair(&mut self) -> (Sid, Sid) {
        self.pair_with(&ListenOptions::default())
    }

    pub(crate) fn pair_with(&mut self, options: &ListenOptions) -> (Sid, Sid) {
        let (a, b) = (self.a, self.b);
        let listener = self.listen(b, ":7000", options);
        let client = self.dial(a, "10.0.0.2:7000");
        self.pass(SEC);
        assert_eq!(self.on(a).connected(client), Ok(true));
        let (server, _) = self.on(b).accept(listener).expect("accept").expect("one");
        self.on(b).close(listener);
        self.ready(a);
        self.ready(b);
        (client, server)
    }

    pub(crate) fn write(&mut self, node: NodeId, sid: Sid, data: &[u8]) -> usize {
        self.on(node).write(sid, data).expect("to write")
    }

    /// All that can be read now.
    pub(crate) fn read(&mut self, node: NodeId, sid: Sid) -> Vec<u8> {
        let (mut all, mut buf) = (Vec::new(), [0; 4096]);
        while let Ok(Some(n @ 1..)) = self.on(node).read(sid, &mut buf) {
            all.extend_from_slice(&buf[..n]);
        }
        all
    }

    pub(crate) fn ready(&mut self, node: NodeId) -> Vec<Sid> {
        let (group, mut out) = (self.group(node), Vec::new());
        let mut door = self.on(node);
        door.poll(Tyme::ZERO).expect("to poll");
        door.ready(group, &mut out);
        out
    }

    pub(crate) fn fault(&mut self, text: &str) {
        let fault = text.parse().expect("a fault");
        self.sim.fault(&fault).expect("nodes that there are");
    }
}

pub(crate) fn endpoint(text: &str) -> Endpoint {
    text.parse().expect("an endpoint")
}

pub(crate) fn sim(seed: u64, link: &str) -> Sim {
    Sim::new(seed).with_link(link.parse().expect("conditions"))
}
