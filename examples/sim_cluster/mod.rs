//! A small replicated service that is worth simulating: replicas elect a leader, which holds a
//! lease, and keep one register. Read [`replica`] first: it is the protocol, without any I/O.
//!
//! ```text
//!  caller ── Put, Get ──> member: ServerDoer ──> MemberDoer ──> Replica (the protocol)
//!  caller <─ Stored, …──          ClientDoers <──     │
//!                                     │               └── Disk: what outlives a crash
//!                                     └── Ask, Append … to the other members
//! ```
//!
//! Everything here is ordinary: the same doers serve on real sockets.

pub(crate) mod caller;
pub(crate) mod checks;
pub(crate) mod cluster;
pub(crate) mod disk;
pub(crate) mod member;
pub(crate) mod replica;
pub(crate) mod wire;
