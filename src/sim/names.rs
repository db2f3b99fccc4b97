//! Names that nodes look up, and how their answers fail or come late.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use crate::net::{Group, NetError};

/// What a look-up of a name comes to.
///
/// Nodes are found by their names without a record, at once. A record for a name wins.
///
/// ```
/// use hio::sim::{NameRecord, Sim};
/// use std::time::Duration;
/// let mut sim = Sim::new(1);
/// let record = NameRecord::new(vec!["10.0.0.7".parse()?]).with_delay(Duration::from_millis(20));
/// sim.names().set("db.test", record);
/// sim.names().set("gone.test", NameRecord::failing());
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameRecord {
    /// The addresses, best first; none is a failure.
    pub addresses: Vec<IpAddr>,
    /// How long the answer takes to come.
    pub delay: Duration,
    /// How long a node remembers an answer before it asks again. Default 30 s.
    pub ttl: Duration,
}

impl NameRecord {
    /// A name with these addresses, known at once.
    #[must_use]
    pub const fn new(addresses: Vec<IpAddr>) -> Self {
        Self {
            addresses,
            delay: Duration::ZERO,
            ttl: Duration::from_secs(30),
        }
    }

    /// A name that has no address.
    #[must_use]
    pub const fn failing() -> Self {
        Self::new(Vec::new())
    }

    /// The answer comes so late.
    #[must_use]
    pub const fn with_delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Each node remembers the answer so long.
    #[must_use]
    pub const fn with_ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl;
        self
    }
}

/// The names of a simulation: every node asks here. Changed with
/// [`Sim::names`](super::Sim::names), before the run or during it.
#[derive(Debug, Default)]
pub struct Names {
    records: BTreeMap<String, NameRecord>,
}

impl Names {
    /// Sets what a name comes to from now on. Nodes that remember an answer keep it until its ttl
    /// is over.
    pub fn set(&mut self, name: &str, record: NameRecord) {
        self.records.insert(normal(name), record);
    }

    /// Forgets what was set: a node's name leads to the node again.
    pub fn unset(&mut self, name: &str) {
        self.records.remove(&normal(name));
    }

    pub(super) fn get(&self, name: &str) -> Option<&NameRecord> {
        self.records.get(name)
    }
}

/// What a node knows of a name that it asked for.
#[derive(Debug)]
pub(super) struct Asked {
    /// The groups that wait for the answer.
    pub(super) waiting: Vec<Group>,
    /// Those that waited and have not been told yet.
    pub(super) owed: Vec<Group>,
    /// The answer, and until when it holds; `None` before it came.
    pub(super) answer: Option<(Result<Vec<IpAddr>, NetError>, u64)>,
}

/// Literal addresses and `localhost`, which need nobody to be asked (RFC 6761 §6.3).
pub(super) fn at_once(name: &str) -> Option<Vec<IpAddr>> {
    let bare = name
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(name);
    if let Ok(ip) = bare.parse() {
        return Some(vec![ip]);
    }
    let name = normal(name);
    let local = name == "localhost" || name.ends_with(".localhost");
    local.then(|| vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()])
}

/// Names compare without case and without the root's dot (RFC 4343, RFC 1034 §3.1).
pub(super) fn normal(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}
