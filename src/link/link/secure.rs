//! The turns of a link with TLS: the same state machine, with a session between buffers and
//! socket. Plain links never come here.

use super::{Link, Shared, State, Turn};
use crate::link::news::News;
use crate::link::tls::{Fed, Session};
use crate::link::{Buffer, CloseReason, TlsFailure, What};
use crate::net::NetError;
use crate::tyme::Tyme;

/// How a receive ended.
enum Came {
    /// There is no more for now, or not in this turn.
    Enough,
    /// The peer has ended its side in order.
    Ended,
    /// The wire has ended without that.
    Torn,
    Lost(NetError),
    Failed(TlsFailure),
}

impl Link {
    /// Takes in what came, and sends what that has produced.
    pub(super) fn listen_secure(&mut self, turn: &mut Turn<'_>) -> News {
        let mut news = self.receive_secure(turn);
        let produced = self.session.as_ref().is_some_and(|s| s.wants_write());
        let waited = self.blocked || news.has(News::SECURED) && !self.tx.is_empty();
        if self.stands() && (produced || waited) {
            news = news.and(self.send_secure(turn));
            if self.finish && self.stands() && self.all_sent() {
                self.settle(turn); // a close_notify that had waited for room
            }
        }
        match self.state {
            State::Draining => news.and(self.act_otherwise(turn)).without(News::DRAINED),
            State::Closed(_) => news.and(News::CLOSED),
            _ => news,
        }
    }

    /// Reads until there is no more, or the cap or the budget is reached.
    pub(super) fn receive_secure(&mut self, turn: &mut Turn<'_>) -> News {
        let Some(mut session) = self.session.take() else {
            return News::NONE;
        };
        let (came, got) = self.pull(&mut session, true, turn);
        session.answer();
        let (handshaking, tolerant) = (session.handshaking(), session.tolerant());
        self.session = Some(session);
        let mut news = News::NONE.and_if(got, News::RECEIVED);
        if self.state == State::Handshaking && !handshaking {
            self.state = State::Secure;
            news = news.and(News::SECURED);
        }
        match came {
            Came::Enough => news,
            Came::Ended => news.and(self.ended(Ok(Some(0)), turn)),
            Came::Torn if tolerant && !handshaking => news.and(self.ended(Ok(Some(0)), turn)),
            Came::Torn => {
                self.end(torn(handshaking), turn);
                news.and(News::CLOSED)
            }
            Came::Lost(why) => news.and(self.ended(Err(why), turn)),
            Came::Failed(why) => {
                self.fail(why, turn);
                news
            }
        }
    }

    /// Reads and drops while closing: an unfinished handshake has to go on, or what is queued
    /// never leaves.
    pub(super) fn discard_secure(&mut self, turn: &mut Turn<'_>) {
        let Some(mut session) = self.session.take() else {
            return;
        };
        let (came, _) = self.pull(&mut session, false, turn);
        let handshaking = session.handshaking();
        self.session = Some(session);
        match came {
            Came::Enough => {}
            Came::Torn if handshaking => self.end(torn(true), turn),
            Came::Ended | Came::Torn => self.cut_off(turn),
            Came::Lost(why) => self.end(CloseReason::from_loss(why), turn),
            Came::Failed(why) => self.fail(why, turn),
        }
    }

    /// Feeds the session from the socket; keeps what it says, or drops it. Whether there was any.
    fn pull(&mut self, session: &mut Session, keep: bool, turn: &mut Turn<'_>) -> (Came, bool) {
        let mut scratch = turn.shared.pool.take_large();
        let before = turn.shared.stats.received;
        let came = self.pull_through(session, keep, &mut scratch, turn);
        turn.shared.pool.give(scratch);
        (came, turn.shared.stats.received != before)
    }

    fn pull_through(
        &mut self,
        session: &mut Session,
        keep: bool,
        scratch: &mut [u8],
        turn: &mut Turn<'_>,
    ) -> Came {
        let limits = &turn.shared.limits;
        let most_started = limits.handshakes_per_service;
        // Of plaintext, so that a message of just that length is taken in one service; what has
        // none is bounded, too.
        let mut budget = limits.rx_bytes_per_service;
        let mut wire = budget.saturating_mul(2);
        let mut dry = false;
        loop {
            if !session.quiet() {
                if let Some(came) = self.hand_out(session, keep, turn) {
                    return came;
                }
            }
            let room = room(&self.rx, keep, turn.shared);
            self.full |= room == 0;
            if dry || room == 0 {
                return Came::Enough;
            }
            let unstarted = session.unstarted();
            let many = unstarted && turn.shared.handshakes >= most_started;
            if budget == 0 || wire == 0 || many {
                turn.net.mark(self.sid);
                return Came::Enough;
            }
            let mut out = out(&mut self.rx, keep, turn.shared);
            // Not much more than the budget, or the buffer grows for what nobody asked for.
            let most = budget.saturating_add(RECORDS_MORE).max(RECORD);
            let most = most.min(scratch.len()).min(out.room).min(wire);
            let n = match turn.net.read(self.sid, &mut scratch[..most]) {
                Ok(Some(n)) if n > 0 => n,
                Ok(None) => return Came::Enough,
                Ok(Some(_)) => return Came::Torn,
                Err(why) => return Came::Lost(why),
            };
            wire -= n;
            dry = n < most; // the net tells when there is more
            self.active = turn.tyme;
            let wall = session.handshaking().then(|| turn.net.wall());
            let fed = session.feed(&scratch[..n], wall, &mut out);
            turn.shared.handshakes += usize::from(unstarted && !session.unstarted());
            match fed {
                Ok(n) => {
                    if n > 0 && keep {
                        self.show_received(n, turn); // what is dropped nobody sees
                    }
                    budget = budget.saturating_sub(n);
                    self.count_received(n, turn);
                }
                Err(why) => return Came::Failed(why),
            }
        }
    }

    /// Takes what the session holds from when there was no room: nothing else will tell of it.
    /// None when there is nothing, and room to read.
    fn hand_out(&mut self, session: &mut Session, keep: bool, turn: &mut Turn<'_>) -> Option<Came> {
        loop {
            let mut out = out(&mut self.rx, keep, turn.shared);
            let held = session.holds_plaintext();
            if !held && session.ended() {
                return Some(Came::Ended);
            } else if !held && session.torn() {
                return Some(Came::Torn);
            } else if out.room == 0 {
                self.fill_up(turn);
                return Some(Came::Enough);
            } else if !held {
                return None;
            }
            match session.take(&mut out) {
                Ok(0) if session.holds_plaintext() => return Some(Came::Enough),
                Ok(n) => {
                    self.count_received(n, turn);
                    if n > 0 && keep {
                        self.show_received(n, turn);
                    }
                }
                Err(why) => return Some(Came::Failed(why)),
            }
        }
    }

    /// Encrypts and writes until all is taken or the socket takes no more.
    pub(super) fn send_secure(&mut self, turn: &mut Turn<'_>) -> News {
        let Some(mut session) = self.session.take() else {
            return News::NONE;
        };
        if session.begin(turn.tyme + turn.shared.limits.handshake) {
            self.rearm = true;
            if !session.before().is_empty() {
                turn.show(self.sid, || What::Sent(session.before()));
            }
        }
        let pushed = self.push(&mut session, turn);
        self.session = Some(session);
        let drained = match pushed {
            Ok(took) => self.wrote(took, turn),
            Err(why) => {
                if self.stands() {
                    self.receive_secure(turn);
                }
                self.end(why, turn);
                false
            }
        };
        match self.closed() {
            Some(_) => News::CLOSED,
            None => News::NONE.and_if(drained, News::DRAINED),
        }
    }

    /// Whether something was taken.
    fn push(&mut self, session: &mut Session, turn: &mut Turn<'_>) -> Result<bool, CloseReason> {
        let mut took = false;
        loop {
            while session.wants_write() {
                match session.write(self.sid, turn.net) {
                    Ok(0) => return Ok(took),
                    Ok(_) => took = true,
                    Err(why) => return Err(CloseReason::from_loss(why)),
                }
            }
            self.count_sent(session.landed(), turn);
            if self.tx.is_empty() || session.handshaking() || session.failure().is_some() {
                return Ok(took);
            }
            match session.encrypt(self.tx.data()) {
                // The keys of TLS 1.2 are used up after 2^24 records and cannot be renewed.
                0 => return Err(CloseReason::Tls(TlsFailure::Local)),
                n => {
                    self.show_sent(n, turn);
                    self.tx.consume(n);
                }
            }
        }
    }

    /// Says good-bye inside the session before the socket does. False while that waits for room.
    pub(super) fn farewell(&mut self, turn: &mut Turn<'_>) -> bool {
        loop {
            let Some(session) = &mut self.session else {
                return true;
            };
            let all = session.farewell();
            if session.wants_write() {
                self.send_secure(turn);
                let waits = |s: &Session| s.wants_write();
                if self.closed().is_some() || self.session.as_deref().is_some_and(waits) {
                    return false;
                }
            }
            if all {
                return true;
            }
        }
    }

    /// The session has failed: its alert is to reach the peer, so it is closed in order.
    fn fail(&mut self, why: TlsFailure, turn: &mut Turn<'_>) {
        turn.shared.stats.unsent += self.tx.len() as u64;
        self.tx.clear();
        self.refusal = Some(why);
        if self.state != State::Draining {
            self.state = State::Draining;
            self.hard = turn.tyme + turn.shared.limits.linger;
            self.rearm = true;
        }
    }

    /// Whether nothing waits to be sent.
    pub(super) fn all_sent(&self) -> bool {
        self.tx.is_empty() && !self.session.as_ref().is_some_and(|s| s.wants_write())
    }

    /// Whether something waits for the socket to take it, and not for a handshake.
    pub(super) fn waits_for_socket(&self) -> bool {
        match &self.session {
            None => !self.tx.is_empty(),
            Some(session) if session.handshaking() => session.wants_write(),
            Some(session) => session.wants_write() || !self.tx.is_empty(),
        }
    }

    /// When the handshake has lasted too long.
    pub(super) fn handshake_deadline(&self) -> Tyme {
        match &self.session {
            Some(session) if session.deadline() > Tyme::ZERO => session.deadline(),
            _ => Tyme::NEVER,
        }
    }
}

/// Where plaintext goes: into `rx` up to its cap, or nowhere.
fn out<'a>(rx: &'a mut Buffer, keep: bool, shared: &'a mut Shared) -> Fed<'a> {
    Fed {
        room: room(rx, keep, shared),
        rx: keep.then_some(rx),
        pool: &mut shared.pool,
    }
}

fn room(rx: &Buffer, keep: bool, shared: &Shared) -> usize {
    match keep {
        true => shared.limits.rx_cap.saturating_sub(rx.len()),
        false => usize::MAX,
    }
}

/// What a record may be long at most: RFC 8446 §5.2.
const RECORD: usize = 16_384 + 256 + 5;
/// What the records of one read are longer than their plaintext, about.
const RECORDS_MORE: usize = 128;

/// What an end of the wire means that nobody has announced.
const fn torn(handshaking: bool) -> CloseReason {
    match handshaking {
        true => CloseReason::Tls(TlsFailure::Left),
        false => CloseReason::Truncated,
    }
}

/// Taking TLS up, and looking at it.
#[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
mod taking_up {
    use super::{Link, Session, State};
    use crate::link::tls::{StartTlsError, TlsInfo};
    use crate::link::{Stats, TlsFailure};
    use crate::tyme::Tyme;

    /// Spreads seeds apart.
    const ODD: u64 = 0xd134_2543_de82_ef95;

    impl Link {
        /// Who the peer is and what was agreed with it, once the handshake is over.
        #[must_use]
        pub fn tls(&self) -> Option<TlsInfo<'_>> {
            self.session.as_ref()?.info()
        }

        /// Whether everything sent and received from now on is protected.
        #[must_use]
        pub fn secured(&self) -> bool {
            self.tls().is_some() && self.closed().is_none()
        }

        /// Begins a handshake now. What is queued goes out before, as it is.
        pub(in crate::link) fn start_tls(
            &mut self,
            make: impl FnOnce(Option<u64>) -> Result<Box<Session>, TlsFailure>,
        ) -> Result<(), StartTlsError> {
            match self.state {
                State::Handshaking => return Err(StartTlsError::Handshaking),
                State::Open | State::Secure => {}
                _ => return Err(StartTlsError::NotOpen),
            }
            if self.finish || self.cutoff {
                return Err(StartTlsError::HalfClosed);
            }
            let held = self.session.as_ref().map_or(0, |session| session.held());
            match self.rx.len() + held {
                0 => {}
                left => return Err(StartTlsError::LeftOver(left)),
            }
            let mut session = make(self.next_seed()).map_err(StartTlsError::Failed)?;
            session.over(self.session.take(), std::mem::take(&mut self.tx));
            self.secure(session);
            self.touch();
            Ok(())
        }

        /// Seeds the next session on this link, in a simulated net.
        pub(in crate::link) fn next_seed(&mut self) -> Option<u64> {
            let seed = self.seed?;
            self.seed = Some(seed.wrapping_add(ODD));
            Some(seed.rotate_left(32).wrapping_mul(ODD))
        }

        fn secure(&mut self, session: Box<Session>) {
            self.session = Some(session);
            self.state = State::Handshaking;
            self.rearm = true;
        }

        /// Begins with a handshake, on a socket that has just connected: what is queued already
        /// is to be protected. True when it needs a turn for that.
        pub(in crate::link) fn begin_secure(
            &mut self,
            session: Result<Box<Session>, TlsFailure>,
            deadline: Tyme,
            stats: &mut Stats,
        ) -> bool {
            match session {
                Ok(mut session) => {
                    session.begin(deadline);
                    let speaks = session.wants_write();
                    self.secure(session);
                    speaks
                }
                Err(why) => {
                    // It was to be protected: it must not leave otherwise.
                    stats.unsent += self.tx.len() as u64;
                    self.tx.clear();
                    self.state = State::Draining;
                    self.refusal = Some(why);
                    true
                }
            }
        }
    }
}
