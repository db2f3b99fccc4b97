//! Sending beyond the usual: what waits for the socket or for room, and a write that failed.

use super::{Link, State, Turn};
use crate::link::news::News;
use crate::link::{CloseReason, TxError};
use crate::net::NetError;
use crate::tyme::Tyme;

impl Link {
    /// The queue takes no more, and who wants to send waits for it: so it counts as waiting even if
    /// the socket then takes all of it at once.
    #[cold]
    pub(super) fn full_at(&mut self, taken: usize) -> TxError {
        self.blocked |= matches!(self.state, State::Open | State::Secure);
        TxError::Full { taken }
    }

    /// Writes on what the socket had not taken before.
    #[cold]
    pub(super) fn send_on(&mut self, turn: &mut Turn<'_>) -> News {
        if self.tx.is_empty() {
            // Nothing waits, unless telling of it was put off.
            return News::NONE.and_if(std::mem::take(&mut self.blocked), News::DRAINED);
        }
        let written = turn.net.write(self.sid, self.tx.data());
        self.sent(written, turn)
    }

    /// After a write that did not take all, or that had been waited for, or failed.
    #[cold]
    pub(super) fn sent(&mut self, written: Result<usize, NetError>, turn: &mut Turn<'_>) -> News {
        let drained = match written {
            Ok(n) => self.flush(n, turn),
            Err(why) => self.lose(why, turn),
        };
        match self.closed() {
            Some(_) => News::CLOSED,
            None => News::NONE.and_if(drained, News::DRAINED),
        }
    }

    /// Writes until all is taken or the socket takes no more; it has just taken `first` bytes.
    /// True when the queue had been waiting for the socket and is empty now.
    pub(super) fn flush(&mut self, first: usize, turn: &mut Turn<'_>) -> bool {
        let (mut n, mut took) = (first, false);
        while n > 0 {
            self.show_sent(n, turn);
            self.tx.consume(n);
            self.count_sent(n, turn);
            took = true;
            if self.tx.is_empty() {
                break;
            }
            match turn.net.write(self.sid, self.tx.data()) {
                Ok(more) => n = more,
                Err(why) => return self.lose(why, turn),
            }
        }
        self.wrote(took, turn)
    }

    /// After writing: notes whether some of it waits. True when it had waited and does no more.
    pub(super) fn wrote(&mut self, took: bool, turn: &mut Turn<'_>) -> bool {
        if took {
            self.active = turn.tyme;
        }
        let was = self.blocked;
        let counted = was && !self.hard.is_never();
        // What waits for a handshake does not wait for the socket.
        self.blocked = self.waits_for_socket();
        turn.shared.stats.tx_pauses += u64::from(self.blocked && !counted);
        if self.stands() {
            if !self.blocked {
                self.hard = Tyme::NEVER;
            } else if took || !counted {
                self.hard = turn.tyme + turn.shared.limits.write_stall;
                self.rearm = true;
            }
        }
        was && !self.blocked
    }

    /// A write failed: takes in what the peer sent before it went, then ends. False.
    #[cold]
    pub(super) fn lose(&mut self, why: NetError, turn: &mut Turn<'_>) -> bool {
        if self.state == State::Open {
            self.receive(turn);
        }
        self.end(CloseReason::from_loss(why), turn);
        false
    }

    /// What was sent in answer to a call makes a further call only in the next service: so a user
    /// who always has more to send does not hold this one.
    #[cold]
    pub(in crate::link) fn put_off(&mut self, done: News, turn: &mut Turn<'_>) -> News {
        self.blocked = true;
        turn.net.mark(self.sid);
        done.without(News::DRAINED)
    }
}
