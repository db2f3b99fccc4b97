use std::fmt;

use super::LocalQueue;
use crate::net::Endpoint;

/// Where a channel leads: a host and port, a path, or a queue in this process.
///
/// ```
/// use hio::net::Endpoint;
/// use hio::proto::channel::{Addr, LocalQueue};
/// let tcp: Addr = "127.0.0.1:5555".parse::<Endpoint>()?.into();
/// let local: Addr = LocalQueue::new().into();
/// assert_eq!((tcp.to_string(), local.to_string()), ("127.0.0.1:5555".into(), "local".into()));
/// # Ok::<(), hio::net::EndpointError>(())
/// ```
#[derive(Clone, Debug)]
pub enum Addr {
    /// TCP, over an address or a name, or a Unix stream socket.
    At(Endpoint),
    /// A queue in this process.
    Local(LocalQueue),
}

impl From<Endpoint> for Addr {
    fn from(at: Endpoint) -> Self {
        Self::At(at)
    }
}

impl From<LocalQueue> for Addr {
    fn from(queue: LocalQueue) -> Self {
        Self::Local(queue)
    }
}

impl fmt::Display for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(at) => at.fmt(f),
            Self::Local(_) => f.write_str("local"),
        }
    }
}
