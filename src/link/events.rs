use std::collections::VecDeque;

use super::{CloseReason, RemoterId};
use crate::net::Endpoint;
use crate::tyme::Tyme;

/// What happened to a [`Server`](super::Server).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A connection was accepted.
    Accepted(RemoterId),
    /// Its TLS handshake is over: what comes and goes from now on is protected, and
    /// [`Link::tls`](super::Link::tls) tells with whom it speaks.
    Secured(RemoterId),
    /// Bytes came. Only from [`service`](super::Server::service) and its parts, not from
    /// [`service_each`](super::Server::service_each), which tells its closure.
    Received(RemoterId),
    /// A queue that had been waiting for the peer, or was [`Full`](super::TxError::Full), has been
    /// sent.
    Drained(RemoterId),
    /// The peer has ended its side. Our side may still send.
    Cutoff(RemoterId),
    /// The connection is over.
    Closed(RemoterId, CloseReason),
    /// No more connections are accepted for now; they wait in the backlog.
    AcceptPaused(Pause),
    /// Connections are accepted again.
    AcceptResumed,
}

/// Why accepting pauses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pause {
    /// `connections_max` are open. It goes on when one of them closes.
    Full,
    /// The system is out of descriptors or memory, or accepting failed otherwise. It is tried
    /// again after [`Limits::accept_pause`](super::Limits::accept_pause), and at once when a
    /// connection of this server closes.
    Exhausted,
}

/// What happened to a [`Client`](super::Client).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientEvent {
    /// The connection stands, to this address.
    Connected(Endpoint),
    /// The TLS handshake is over. What was queued is sent from now on.
    Secured,
    /// Bytes came.
    Received,
    /// A queue that had been waiting for the peer has been sent.
    Drained,
    /// The peer has ended its side. Our side may still send.
    Cutoff,
    /// The connection is over, or did not come about.
    Closed(CloseReason),
    /// Bytes were given up with the connection they belonged to; none is ever sent twice.
    Dropped {
        /// Queued bytes that had not been sent.
        unsent: usize,
        /// Received bytes that had not been consumed when the next connection stood.
        unread: usize,
    },
    /// The next attempt will be made then.
    Retrying {
        /// When.
        at: Tyme,
        /// How many attempts have failed or been lost in a row.
        attempts: u32,
    },
}

/// Events that wait to be looked at, the oldest given up when there are too many.
#[derive(Debug)]
pub(super) struct Events<E> {
    queue: VecDeque<E>,
    /// Pushed since the last look.
    fresh: bool,
}

impl<E> Default for Events<E> {
    fn default() -> Self {
        Self {
            queue: VecDeque::new(),
            fresh: false,
        }
    }
}

impl<E> Events<E> {
    pub(super) fn push(&mut self, event: E, most: usize, lost: &mut u64) {
        if self.queue.len() >= most {
            self.queue.pop_front();
            *lost += 1;
        }
        self.queue.push_back(event);
        self.fresh = true;
    }

    /// Begins anew to say whether there is [news](Self::fresh).
    pub(super) const fn stale(&mut self) {
        self.fresh = false;
    }

    /// Whether something was pushed since.
    pub(super) const fn fresh(&self) -> bool {
        self.fresh
    }

    pub(super) fn drain(&mut self) -> impl Iterator<Item = E> + '_ {
        self.queue.drain(..)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_queue_is_bounded_and_the_loss_counted() {
        let (mut events, mut lost) = (Events::default(), 0);
        for i in 0..10 {
            events.push(i, 4, &mut lost);
        }
        assert_eq!(lost, 6);
        assert_eq!(events.drain().collect::<Vec<_>>(), [6, 7, 8, 9]);
        assert_eq!(events.drain().count(), 0);
    }
}
