use std::fmt;

use super::CloseReason;
use crate::tyme::Tyme;

/// What a server or client has done since it was made. Counters only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Connections accepted, or dialled with success.
    pub opened: u64,
    /// Connections that ended, for whatever reason.
    pub closed: u64,
    /// The same by reason.
    pub closes: Closes,
    /// Bytes received; with TLS those of the program, not those of the wire.
    pub received: u64,
    /// Bytes handed to the system to be sent; with TLS those of the program.
    pub sent: u64,
    /// Queued bytes that were dropped because their connection ended.
    pub unsent: u64,
    /// Accepts that failed because the system was out of descriptors or memory, or otherwise.
    pub accept_errors: u64,
    /// How often accepting stopped because `connections_max` was reached.
    pub full_pauses: u64,
    /// How often reading from a connection stopped because `rx_cap` was reached.
    pub rx_pauses: u64,
    /// How often a connection's queue began to wait because the system took no more.
    pub tx_pauses: u64,
    /// Events dropped because nobody looked at them.
    pub events_lost: u64,
}

impl Stats {
    /// Connections that are open now, closing ones included.
    #[must_use]
    pub const fn open(&self) -> u64 {
        self.opened - self.closed
    }
}

/// Connections that ended, by [`CloseReason`]; what a reason carries does not tell it apart.
///
/// ```
/// use hio::link::{CloseReason, Closes};
/// let closes = Closes::default();
/// assert_eq!(closes.of(CloseReason::Reset), 0);
/// assert_eq!(closes.iter().next(), Some(("not_opened", 0)));
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Closes([u64; CloseReason::NAMES.len()]);

impl Closes {
    pub(super) fn count(&mut self, reason: CloseReason) {
        self.0[reason.number()] += 1;
    }

    /// How many ended for this reason.
    #[must_use]
    pub const fn of(&self, reason: CloseReason) -> u64 {
        self.0[reason.number()]
    }

    /// Every reason by [name](CloseReason::name), with its number.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        CloseReason::NAMES.into_iter().zip(self.0)
    }
}

/// Only the reasons that occurred.
impl fmt::Debug for Closes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(self.iter().filter(|(_, n)| *n > 0))
            .finish()
    }
}

/// How one connection stands, and what it has done since it was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LinkStats {
    /// Where it is in its life.
    pub state: LinkState,
    /// When it began: accepted, dialled with success, or, until then, begun to be dialled.
    pub since: Tyme,
    /// The last traffic in either direction, or the last refresh.
    pub active: Tyme,
    /// Bytes received; with TLS those of the program.
    pub received: u64,
    /// Bytes handed to the system; with TLS those of the program.
    pub sent: u64,
    /// Bytes received and not consumed yet.
    pub rx: usize,
    /// Bytes queued that the system has not taken yet.
    pub tx: usize,
}

/// Where a connection is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LinkState {
    /// It is being dialled.
    Connecting,
    /// Its TLS handshake is under way.
    Handshaking,
    /// It stands.
    Open,
    /// It stands, with TLS.
    Secure,
    /// It was asked to close, and does so in order.
    Draining,
    /// It has ended, or was never opened.
    Closed(CloseReason),
}

/// What the connections of a server hold now, made by [`Server::load`](super::Server::load).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Load {
    /// Connections, those that ended and can still be looked at included.
    pub connections: usize,
    /// Bytes received and not consumed.
    pub rx: usize,
    /// Bytes queued that the system has not taken.
    pub tx: usize,
    /// Bytes of storage that lie ready to be lent to connections; at most 3.3 MiB.
    pub pooled: usize,
}
