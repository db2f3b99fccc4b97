//! What a link has done, and how it stands.

use super::{Link, State, Turn};
use crate::link::{LinkState, LinkStats};

impl Link {
    /// How it stands, and what it has done since it was opened.
    #[must_use]
    pub fn stats(&self) -> LinkStats {
        LinkStats {
            state: match self.state {
                State::Connecting => LinkState::Connecting,
                State::Handshaking => LinkState::Handshaking,
                State::Open => LinkState::Open,
                State::Secure => LinkState::Secure,
                State::Draining => LinkState::Draining,
                State::Closed(reason) => LinkState::Closed(reason),
            },
            since: self.since,
            active: self.active,
            received: self.received,
            sent: self.sent,
            rx: self.rx.len(),
            tx: self.pending(),
        }
    }

    #[inline(always)]
    pub(super) fn count_received(&mut self, n: usize, turn: &mut Turn<'_>) {
        self.received += n as u64;
        turn.shared.stats.received += n as u64;
    }

    #[inline(always)]
    pub(super) fn count_sent(&mut self, n: usize, turn: &mut Turn<'_>) {
        self.sent += n as u64;
        turn.shared.stats.sent += n as u64;
    }

    /// Reading stops at the cap.
    pub(super) fn fill_up(&mut self, turn: &mut Turn<'_>) {
        let was = std::mem::replace(&mut self.full, true);
        turn.shared.stats.rx_pauses += u64::from(!was);
    }
}
