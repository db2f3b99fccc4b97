//! How a link ends: in order, out of time, or at once.

use std::time::Duration;

use super::{Link, NO_SOCKET, State, Turn};
use crate::link::{CloseReason, What};
use crate::net::{NetError, Shutdown, SocketOption};
use crate::tyme::Tyme;

impl Link {
    /// All is sent: ends our side if wished, and the whole when both sides have ended.
    pub(super) fn settle(&mut self, turn: &mut Turn<'_>) {
        if self.state == State::Draining {
            if self.cutoff {
                if self.farewell(turn) {
                    self.end(self.after_draining(), turn);
                }
            } else if !self.shut && self.shut_send(turn) {
                self.hard = self.hard.min(turn.tyme + turn.shared.limits.linger);
                self.rearm = true;
            }
        } else if self.stands() && self.finish && !self.shut {
            if self.shut_send(turn) && self.cutoff && self.stands() {
                self.settle_cutoff(turn);
            }
        } else if self.stands() && self.cutoff {
            self.settle_cutoff(turn);
        }
    }

    /// The peer has ended its side and all is sent: what is left is for the user to consume.
    pub(super) fn settle_cutoff(&mut self, turn: &mut Turn<'_>) {
        if self.hold && !self.shut {
            self.hard = Tyme::NEVER;
        } else if self.rx.is_empty() {
            if self.farewell(turn) {
                self.end(CloseReason::PeerClosed, turn);
            }
        } else if self.hard.is_never() {
            self.hard = turn.tyme + turn.shared.limits.drain;
            self.rearm = true;
        }
    }

    /// Ends our side. False while TLS has not said good-bye.
    pub(super) fn shut_send(&mut self, turn: &mut Turn<'_>) -> bool {
        if !self.farewell(turn) {
            return false;
        }
        self.shut = true;
        if let Err(why) = turn.net.shutdown(self.sid, Shutdown::Send) {
            self.lose(why, turn);
        } else {
            turn.show(self.sid, || What::Ended);
        }
        true
    }

    /// Takes back what is queued and has neither been sent nor encrypted; says how much that was.
    pub(in crate::link) fn withdraw(&mut self) -> usize {
        let unsent = self.tx.len();
        self.tx.clear();
        self.blocked = self.stands() && self.waits_for_socket();
        if !self.blocked && self.stands() {
            self.hard = Tyme::NEVER;
        }
        self.asked = true;
        unsent
    }

    /// Whether it is open, with TLS or without, and was not asked to close.
    pub(super) const fn stands(&self) -> bool {
        matches!(self.state, State::Handshaking | State::Open | State::Secure)
    }

    /// What a draining link ends with when all goes well.
    pub(super) fn after_draining(&self) -> CloseReason {
        self.refusal.map_or(CloseReason::Closed, CloseReason::Tls)
    }

    /// Bounds the wait of a closing link that has just begun to close.
    pub(super) fn drain(&mut self, turn: &Turn<'_>) {
        if self.hard.is_never() {
            self.hard = turn.tyme + turn.shared.limits.drain;
            self.rearm = true;
        }
    }

    /// Reads on when the user has consumed: the socket may have been readable all the while, and
    /// then tells of no new edge.
    pub(super) fn resume(&mut self, turn: &mut Turn<'_>) {
        let closing = self.state == State::Draining;
        if closing || self.rx.len() < turn.shared.limits.rx_cap {
            self.full = false;
            turn.net.mark(self.sid);
        }
    }

    /// When it has been idle for too long, and when its state has lasted too long.
    pub(in crate::link) fn deadlines(&self) -> (Tyme, Tyme) {
        match self.state {
            State::Open | State::Secure => (self.idle(), self.hard),
            State::Handshaking => (self.idle(), self.hard.min(self.handshake_deadline())),
            State::Draining => (Tyme::NEVER, self.hard.min(self.handshake_deadline())),
            State::Connecting | State::Closed(_) => (Tyme::NEVER, Tyme::NEVER),
        }
    }

    pub(super) fn idle(&self) -> Tyme {
        Tyme::from_nanos(self.active.as_nanos().saturating_add(self.tymeout))
    }

    /// Whether a deadline may have come nearer since it was last [armed](Self::armed).
    pub(in crate::link) const fn needs_arming(&self) -> bool {
        self.rearm
    }

    /// Notes that what was armed has fired.
    pub(in crate::link) const fn disarmed(&mut self) {
        self.rearm = true;
    }

    /// Notes that its deadlines are known.
    pub(in crate::link) const fn armed(&mut self) {
        self.rearm = false;
    }

    /// Ends the link when a deadline is reached. True when it did.
    pub(in crate::link) fn expire(&mut self, turn: &mut Turn<'_>) -> bool {
        let late = self.hard <= turn.tyme;
        let draining = self.state == State::Draining;
        match self.state {
            State::Connecting | State::Closed(_) => return false,
            _ if late && draining && self.refusal.is_some() => {
                self.end(self.after_draining(), turn);
            }
            State::Draining if late && self.shut => self.end(CloseReason::LingerTimedOut, turn),
            State::Draining if late => self.reset(CloseReason::DrainTimedOut, turn),
            _ if late && self.blocked => self.reset(CloseReason::WriteStalled, turn),
            _ if late => self.end(CloseReason::PeerClosed, turn),
            State::Handshaking | State::Draining if self.handshake_deadline() <= turn.tyme => {
                self.end(CloseReason::HandshakeTimedOut, turn);
            }
            _ if !draining && self.idle() <= turn.tyme => {
                self.end(CloseReason::IdleTimedOut, turn);
            }
            _ => return false,
        }
        true
    }

    /// Ends with a reset, so that the system keeps nothing for a peer that does not read, and the
    /// peer does not take a torn stream for a whole one.
    pub(in crate::link) fn reset(&mut self, reason: CloseReason, turn: &mut Turn<'_>) {
        // When the system refuses, an ordinary close is all there is.
        let _ = turn
            .net
            .set_option(self.sid, SocketOption::Linger(Some(Duration::ZERO)));
        self.end(reason, turn);
    }

    /// Ends because its owner does. What the peer has not got whole is torn off, so that it does
    /// not look like an end; what it has got whole ended well.
    pub(in crate::link) fn cut(&mut self, turn: &mut Turn<'_>) {
        match self.shut {
            true => self.end(CloseReason::LingerTimedOut, turn),
            false => self.reset(CloseReason::DrainCut, turn),
        }
    }

    /// Ends now.
    pub(in crate::link) fn end(&mut self, reason: CloseReason, turn: &mut Turn<'_>) {
        if self.closed().is_some() {
            return;
        }
        if self.sid != NO_SOCKET {
            turn.net.close(self.sid);
            self.show_end(reason, turn);
        }
        if !self.connecting() {
            turn.shared.stats.closed += 1;
            turn.shared.stats.closes.count(reason);
        }
        turn.shared.stats.unsent += self.pending() as u64;
        self.tx.clear();
        self.tx.rest(&mut turn.shared.pool);
        self.state = State::Closed(reason);
        self.hard = Tyme::NEVER;
        (self.blocked, self.full, self.abort) = (false, false, false);
    }

    fn show_end(&self, reason: CloseReason, turn: &mut Turn<'_>) {
        use CloseReason::{Aborted, DrainCut, DrainTimedOut, Lost, Reset, WriteStalled};
        match reason {
            Reset => turn.show(self.sid, || What::Lost(NetError::Reset)),
            Lost(why) => turn.show(self.sid, || What::Lost(why)),
            _ => {}
        }
        let reset = matches!(reason, Aborted | DrainCut | DrainTimedOut | WriteStalled);
        turn.show(self.sid, || What::Closed { reset });
    }
}
