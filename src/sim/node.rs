//! A node: a program that can be booted again and again.

use std::any::Any;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use super::doerlog::DoerLog;
use crate::doing::{DoerId, Doist, Fault, Outcome, Turn};
use crate::net::{Endpoint, Net, NetWatch};
use crate::tyme::Tyme;

/// A node of a simulation, for as long as the simulation lives.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct NodeId(pub(super) u32);

impl NodeId {
    /// Its number, in the order the nodes were added.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// What a node is told when it boots.
#[derive(Clone, Debug)]
pub struct Boot {
    /// The node's name.
    pub name: String,
    /// How often it was booted before: 0 at first.
    pub restarts: u32,
    /// The simulation's tyme.
    pub tyme: Tyme,
    /// The node's IPv4 address.
    pub v4: Ipv4Addr,
    /// The node's IPv6 address.
    pub v6: Ipv6Addr,
    pub(super) addresses: Arc<BTreeMap<String, (Ipv4Addr, Ipv6Addr)>>,
}

impl Boot {
    /// Where a node is reached over TCP: its IPv4 address and a port.
    #[must_use]
    pub fn tcp(&self, node: &str, port: u16) -> Option<Endpoint> {
        Some(Endpoint::Tcp(self.address(node, port)?))
    }

    /// Where a node is reached over UDP: its IPv4 address and a port.
    #[must_use]
    pub fn udp(&self, node: &str, port: u16) -> Option<Endpoint> {
        Some(Endpoint::Udp(self.address(node, port)?))
    }

    /// The names of all nodes, in order of the alphabet.
    pub fn nodes(&self) -> impl Iterator<Item = &str> {
        self.addresses.keys().map(String::as_str)
    }

    fn address(&self, node: &str, port: u16) -> Option<SocketAddr> {
        let (v4, _) = self.addresses.get(node)?;
        Some(SocketAddr::new(IpAddr::V4(*v4), port))
    }
}

/// What is done when a node's program fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum OnFailure {
    /// The run stops with [`SimError::Failed`](super::SimError::Failed).
    #[default]
    Stop,
    /// The node stays down.
    StayDown,
    /// The node boots again after so long.
    Restart(Duration),
}

/// How a node stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeState {
    /// It boots at the next step.
    Booting,
    /// It runs.
    Running,
    /// Its program does not run, while its system goes on taking packets in.
    Paused,
    /// Its power is off.
    Crashed,
    /// Its program ended.
    Ended(Outcome),
    /// Its program failed, with this fault.
    Failed(String),
}

/// A Doist of any application.
pub(crate) trait Program: Send {
    fn turn(&mut self, net: &mut dyn Net) -> Result<Turn, Fault>;
    /// Drains, or stops when it does so already.
    fn drain(&mut self, limit: Duration);
    fn path(&self, id: DoerId) -> Option<String>;
    fn doist(&self) -> &dyn Any;
    fn doist_mut(&mut self) -> &mut dyn Any;
    fn app(&self) -> &dyn Any;
    fn app_mut(&mut self) -> &mut dyn Any;
}

impl<A: Send + 'static> Program for Doist<A> {
    fn turn(&mut self, net: &mut dyn Net) -> Result<Turn, Fault> {
        Self::turn(self, net)
    }
    fn drain(&mut self, limit: Duration) {
        match self.draining() {
            None => Self::drain(self, limit),
            Some(_) => self.stop_handle().stop(),
        }
    }
    fn path(&self, id: DoerId) -> Option<String> {
        Self::path(self, id)
    }
    fn doist(&self) -> &dyn Any {
        self
    }
    fn doist_mut(&mut self) -> &mut dyn Any {
        self
    }
    fn app(&self) -> &dyn Any {
        &self.app
    }
    fn app_mut(&mut self) -> &mut dyn Any {
        &mut self.app
    }
}

/// Makes a node's program anew: the seed and the log are the simulation's. None ends it at once.
pub(crate) type Booter = Box<
    dyn FnMut(Boot, &mut dyn Net, u64, Arc<DoerLog>) -> Result<Option<Box<dyn Program>>, Fault>
        + Send,
>;

/// Is told of each end of a node's program, and says whether to boot it again.
pub(crate) type Ends = Box<dyn FnMut(Tyme, End<'_>) -> bool + Send>;

/// How a node's program ended.
#[derive(Clone, Copy, Debug)]
pub(crate) enum End<'a> {
    Ended(Outcome),
    Failed(&'a Fault),
    /// Its power went off, or it was killed.
    Crashed,
}

/// A boot closure as the simulation keeps it.
pub(super) fn booter<A: Send + 'static>(
    mut boot: impl FnMut(Boot) -> Doist<A> + Send + 'static,
) -> Booter {
    Box::new(move |told, _, seed, log| Ok(Some(program(boot(told), seed, log))))
}

/// A Doist as the simulation keeps it.
pub(crate) fn program<A: Send + 'static>(
    doist: Doist<A>,
    seed: u64,
    log: Arc<DoerLog>,
) -> Box<dyn Program> {
    let mut doist = doist.with_seed(seed);
    doist.observe(move |tyme, id, event| log.note(tyme, id, event));
    Box::new(doist)
}

pub(super) struct Node {
    pub(super) state: NodeState,
    /// `None` for a node that is operated by hand.
    pub(super) boot: Option<Booter>,
    /// Who decides what follows an end of it, in place of the simulation.
    pub(super) ends: Option<Ends>,
    pub(super) program: Option<Box<dyn Program>>,
    /// Paths of doers, as far as lines of the trace needed them.
    pub(super) paths: BTreeMap<DoerId, String>,
    /// What its doers had done when the trace was last told.
    pub(super) told: [u64; 2],
    /// It was to run while it was paused.
    pub(super) owed: bool,
    /// The fault that its program failed with.
    pub(super) fault: Option<Fault>,
    /// Is shown what its program does on its net.
    pub(super) net_watch: Option<Box<dyn NetWatch>>,
}

/// Says who is shown what a node of that name does on its net.
pub(super) type NetWatches = Box<dyn FnMut(&str) -> Option<Box<dyn NetWatch>> + Send>;

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node")
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}
