//! Deterministic simulation: the same doers, unchanged, in a world where time, network, faults and
//! randomness repeat to the byte.
//!
//! A [`Sim`] has nodes, each a [`Doist`](crate::doing::Doist) with a [`Net`](crate::net::Net) of
//! its own, and a network between them with latency, loss and bandwidth. What goes wrong and when
//! is a [`FaultPlan`]: plain data, which can be printed, edited and run again. What happened is a
//! [`Trace`], of which a hash is always kept: equal seeds give equal hashes, in debug and release,
//! on every machine.
//!
//! [`view`] makes a page to look at of a trace; with the feature `sim-tls`, `tls` has certificates
//! and configurations that repeat to the byte.
//!
//! What is modelled, and what is not, is told in `docs/simulation.md`.

mod apply;
mod bells;
mod campaign;
mod checks;
mod clock;
mod datagram;
mod doerlog;
mod error;
mod fabric;
mod fault;
mod handover;
mod handshake;
mod host;
mod inspect;
mod link;
mod mates;
mod names;
mod node;
mod nodenet;
mod packets;
mod rng;
#[expect(clippy::module_inception, reason = "the file is named after its type")]
mod sim;
mod socket;
mod station;
mod stream;
mod swarm;
mod table;
#[cfg(feature = "sim-tls")]
pub mod tls;
mod trace;
pub mod view;
mod wakes;
mod wire;
mod worldclock;

pub use campaign::{
    Campaign, Case, Failure, Found, Report, Run, Scenario, Shard, ShardError, campaign,
};
pub use checks::{Check, Checks};
pub(crate) use doerlog::DoerLog;
pub use error::SimError;
pub use fault::{Fault, FaultError, FaultPlan};
pub use inspect::{LinkInfo, SocketInfo, SocketState};
pub use names::{NameRecord, Names};
pub use node::{Boot, NodeId, NodeState, OnFailure};
pub(crate) use node::{Booter, End, Program, program};
pub use sim::{IntoAct, Sim};
pub use station::Station;
pub use swarm::{Family, Swarm};
pub use trace::{Difference, Trace};
pub use worldclock::WorldClock;
