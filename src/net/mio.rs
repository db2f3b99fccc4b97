//! The operating system's network.

/// The operating system's sockets behind [`Net`](super::Net).
#[derive(Debug)]
pub struct MioNet;
