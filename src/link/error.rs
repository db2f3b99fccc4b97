use super::{CloseReason, LimitsError, RemoterId, TlsFailure};
use crate::net::{Endpoint, NetError};

/// Why a server or a datagram peer could not be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The address cannot be listened on.
    #[error("cannot listen on {at}: {why}")]
    Listen {
        /// The address.
        at: Endpoint,
        /// What the net said.
        why: NetError,
    },
    /// A datagram socket cannot be bound there.
    #[error("cannot bind to {at}: {why}")]
    Bind {
        /// The address.
        at: Endpoint,
        /// What the net said.
        why: NetError,
    },
    /// The name to listen on is being looked up. Open again later.
    #[error("cannot listen on {at} yet: its name is being looked up")]
    Pending {
        /// The name and port.
        at: Endpoint,
    },
    /// The limits cannot be kept.
    #[error("bad limits: {0}")]
    Limits(#[from] LimitsError),
    /// The TLS that it was given cannot be spoken on this net.
    #[error(transparent)]
    Tls(#[from] TlsFailure),
}

/// The listening socket is gone: the one thing that makes a service fail (law L2).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the listener on {at} is lost: {why}")]
pub struct ListenerLost {
    /// Where it listened.
    pub at: Endpoint,
    /// What the net said.
    pub why: NetError,
}

/// Why bytes were not queued, or not all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TxError {
    /// The queue is full. The first `taken` bytes were queued; offer the rest again later.
    #[error("the transmit queue is full: {taken} bytes taken")]
    Full {
        /// How many of the offered bytes were queued.
        taken: usize,
    },
    /// The sending side was shut down by this side. Nothing was queued.
    #[error("the sending side is shut down")]
    Shut,
    /// The connection is closed or closing. Nothing was queued.
    #[error("the connection is closed: {0}")]
    Closed(CloseReason),
}

/// There is no connection of that id: it ended and was reaped, or was removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no connection {0}")]
pub struct UnknownRemoter(pub RemoterId);

/// Why bytes were not queued for a connection given by id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TransmitError {
    /// There is no such connection.
    #[error(transparent)]
    Unknown(#[from] UnknownRemoter),
    /// The connection did not take them.
    #[error(transparent)]
    Tx(#[from] TxError),
}
