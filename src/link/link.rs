//! One connection, either end. The whole state machine is in this file.
//!
//! ```text
//!                      close()            all sent, peer ended
//! Connecting --> Open ----------> Draining -------------------> Closed(reason)
//!     |           |                  |                              ^
//!     +-----------+------------------+---- lost, tymeout, abort ----+
//! ```
//! With TLS, Handshaking and then Secure take the place of Open; `link/secure.rs` has what is
//! different there.
//!
//! A *turn* is what a service does with one link: [`Link::listen`] takes in what came, the user
//! looks at it, [`Link::act`] carries out what the user asked for, [`Link::rest`] gives storage
//! back that is not needed.

mod ending;
mod figures;
mod secure;
mod sending;

use std::time::Duration;

use super::limits::Limits;
use super::news::News;
use super::pool::{LARGE, Pool};
use super::tls::Session;
use super::watch::Watched;
use super::{Buffer, CloseReason, HandOverError, Stats, TlsFailure, TxError, What};
use crate::net::{Net, NetError, Sid};
use crate::tyme::{Tyme, Tymer};

/// One connection: what was received, what is queued, its tymeouts and how it ended.
///
/// Methods here only look or ask; the next service of its server or client carries it out, or,
/// inside [`Server::service_each`](super::Server::service_each), that same one.
#[derive(Debug)]
pub struct Link {
    sid: Sid,
    rx: Buffer,
    tx: Buffer,
    state: State,
    /// The last traffic in either direction, or the last refresh.
    active: Tyme,
    /// When it stood, or began to be dialled.
    since: Tyme,
    received: u64,
    sent: u64,
    /// Idle tymeout in nanoseconds; `u64::MAX` is none.
    tymeout: u64,
    /// When the current state has lasted too long; never while it may last.
    hard: Tyme,
    tx_cap: u32,
    /// The peer has ended its side.
    cutoff: bool,
    /// The user's wish to end our side once all is sent.
    finish: bool,
    /// Our side has been ended.
    shut: bool,
    /// The user's wish to break it off.
    abort: bool,
    /// Not to be closed by itself when the peer has ended its side.
    hold: bool,
    /// The socket took less than was queued.
    blocked: bool,
    /// Reading has stopped at the cap.
    full: bool,
    /// A deadline may have come nearer than the one that is armed.
    rearm: bool,
    /// Asked something since its last turn.
    asked: bool,
    /// What storage its queue had last, as a power of two; 0 while it never wanted one.
    lends: u8,
    /// It began with bytes that were received elsewhere, and has not told of them yet.
    inherits: bool,
    /// Why TLS failed; it is Draining then, or Closed.
    refusal: Option<TlsFailure>,
    /// What sessions draw from that are for simulations; there in simulated nets.
    /// Without TLS it is drawn all the same, so that features move no later draw.
    seed: Option<u64>,
    /// Invariant: there is one when Handshaking or Secure, none when Open.
    session: Option<Box<Session>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Connecting,
    Handshaking,
    Open,
    Secure,
    Draining,
    Closed(CloseReason),
}

/// How a receive went: hio's None, data and b"".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// Nothing is there yet.
    Nothing,
    /// So many bytes were added to the receive buffer.
    Data(usize),
    /// The peer has ended its side, or the connection is closed.
    Closed,
}

/// What is handed to a link for its turn.
pub(super) struct Turn<'a> {
    pub(super) tyme: Tyme,
    pub(super) net: &'a mut dyn Net,
    pub(super) shared: &'a mut Shared,
}

/// What the links of one server or client share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub(super) limits: Limits,
    pub(super) pool: Pool,
    pub(super) stats: Stats,
    /// TLS handshakes started in this service.
    pub(super) handshakes: usize,
    /// Is shown what the links carry.
    pub(super) watch: Option<Box<Watched>>,
}

impl Turn<'_> {
    /// Shows what happened to who watches.
    #[inline]
    fn show<'a>(&mut self, sid: Sid, what: impl FnOnce() -> What<'a>) {
        if let Some(watch) = &mut self.shared.watch {
            watch.see(sid, what(), self.tyme, self.net);
        }
    }
}

/// Looking.
impl Link {
    /// The socket. Stale when the link is closed, or does not stand yet.
    #[must_use]
    pub const fn sid(&self) -> Sid {
        self.sid
    }

    /// What was received and not yet consumed: hio's `rxbs`.
    #[must_use]
    pub fn rx(&self) -> &[u8] {
        self.rx.data()
    }

    /// Bytes queued that the system has not taken yet.
    #[must_use]
    pub fn pending(&self) -> usize {
        match &self.session {
            None => self.tx.len(),
            Some(session) => self.tx.len() + session.pending(),
        }
    }

    /// Bytes that [`tx`](Self::tx) would take now.
    #[must_use]
    pub fn room(&self) -> usize {
        (self.tx_cap as usize).saturating_sub(self.pending())
    }

    /// Whether the connection stands, in at least one direction, and was not asked to close. With
    /// TLS, it stands when the handshake is over.
    #[must_use]
    pub const fn connected(&self) -> bool {
        matches!(self.state, State::Open | State::Secure)
    }

    /// Whether the peer has ended its side: nothing more will be received. Our side may go on.
    #[must_use]
    pub const fn cutoff(&self) -> bool {
        self.cutoff
    }

    /// Why the connection ended, once it has.
    #[must_use]
    pub const fn closed(&self) -> Option<CloseReason> {
        match self.state {
            State::Closed(reason) => Some(reason),
            _ => None,
        }
    }

    /// When it had traffic last, in either direction, or was refreshed.
    #[must_use]
    pub const fn active(&self) -> Tyme {
        self.active
    }

    /// Whether nothing is under way: it stands, all that came was consumed, all that was queued is
    /// sent, and nobody holds it.
    pub(super) fn rests(&self) -> bool {
        self.connected() && !self.hold && self.rx.is_empty() && self.pending() == 0
    }

    /// The idle tymeout.
    #[must_use]
    pub const fn tymeout(&self) -> Option<Duration> {
        match self.tymeout {
            u64::MAX => None,
            nanos => Some(Duration::from_nanos(nanos)),
        }
    }

    /// The tymer of the idle tymeout: started by the last traffic, or the last refresh.
    #[must_use]
    pub fn tymer(&self) -> Option<Tymer> {
        self.tymeout().map(|d| Tymer::new(self.active, d))
    }
}

/// Asking.
impl Link {
    /// Takes `n` received bytes away; all when there are fewer.
    pub fn consume(&mut self, n: usize) {
        self.rx.consume(n);
        self.asked = true;
    }

    /// Takes all received bytes away: hio's `clearRxbs`.
    pub fn clear_rx(&mut self) {
        self.rx.clear();
        self.asked = true;
    }

    /// Queues bytes. They are sent in the link's next turn.
    ///
    /// # Errors
    /// [`TxError::Full`] at the cap, with how much was taken; the sending side is shut down; the
    /// connection is closed or closing.
    pub fn tx(&mut self, data: &[u8]) -> Result<(), TxError> {
        self.may_tx()?;
        let taken = data.len().min(self.room());
        if self.lends == 0 && self.tx.is_bare() {
            self.lends = 1;
        }
        self.tx.extend(&data[..taken]);
        self.asked = true;
        match taken == data.len() {
            true => Ok(()),
            false => Err(self.full_at(taken)),
        }
    }

    /// Queues all received bytes, without copying when nothing else is queued.
    ///
    /// # Errors
    /// As [`tx`](Self::tx). What was not taken stays received.
    #[inline]
    pub fn echo(&mut self) -> Result<(), TxError> {
        let fits = self.tx.is_empty() && self.rx.len() <= self.tx_cap as usize;
        if !fits || self.finish || !self.connected() {
            return self.echo_otherwise();
        }
        self.asked = true;
        std::mem::swap(&mut self.rx, &mut self.tx);
        Ok(())
    }

    #[cold]
    fn echo_otherwise(&mut self) -> Result<(), TxError> {
        self.may_tx()?;
        self.asked = true;
        let len = self.rx.len();
        if self.tx.is_empty() && len <= self.tx_cap as usize {
            std::mem::swap(&mut self.rx, &mut self.tx);
            return Ok(());
        }
        let taken = len.min(self.room());
        self.tx.extend(&self.rx.data()[..taken]);
        self.rx.consume(taken);
        match taken == len {
            true => Ok(()),
            false => Err(self.full_at(taken)),
        }
    }

    fn may_tx(&self) -> Result<(), TxError> {
        match self.state {
            State::Draining => Err(TxError::Closed(self.after_draining())),
            State::Closed(reason) => Err(TxError::Closed(reason)),
            _ if self.finish => Err(TxError::Shut),
            _ => Ok(()),
        }
    }

    /// Ends our side once all that is queued is sent; receiving goes on. hio's `shutdownSend`.
    pub fn shutdown_send(&mut self) {
        self.finish = true;
        self.asked = true;
    }

    /// Closes in order: sends what is queued, ends our side, waits for the peer to end its own
    /// (what it still sends is dropped), all within [`Limits::drain`] and [`Limits::linger`].
    /// What was received stays readable.
    pub fn close(&mut self) {
        match self.state {
            State::Connecting => self.abort(),
            State::Handshaking | State::Open | State::Secure => {
                self.state = State::Draining;
                self.hard = Tyme::NEVER;
                self.asked = true;
            }
            State::Draining | State::Closed(_) => {}
        }
    }

    /// Breaks the connection off at the end of this turn. The peer sees a reset; what is queued
    /// is dropped.
    pub fn abort(&mut self) {
        if self.closed().is_none() {
            self.abort = true;
            self.asked = true;
        }
    }

    /// Says whether the link stays open when the peer has ended its side and nothing is queued:
    /// for answers that take longer to compute. By default it is closed then.
    pub fn hold(&mut self, hold: bool) {
        self.hold = hold;
        self.asked = true;
    }

    /// Starts the idle tymeout anew, as traffic does.
    pub fn refresh(&mut self, tyme: Tyme) {
        self.active = self.active.max(tyme);
    }

    /// Sets the idle tymeout, counted from `tyme`; `None` for ever. Zero is none, too, as in hio.
    pub fn set_tymeout(&mut self, tyme: Tyme, tymeout: Option<Duration>) {
        self.tymeout = nanos(tymeout);
        self.active = tyme;
        self.rearm = true;
        self.asked = true;
    }
}

/// Turns. What every message passes through is inlined into the server's loop: as calls of their
/// own these few steps would cost more than they do.
impl Link {
    /// A link on a socket that is connected.
    pub(super) fn open(sid: Sid, tyme: Tyme, limits: &Limits) -> Self {
        let mut link = Self::unopened(limits);
        link.begin(tyme, limits);
        link.stand(sid, tyme);
        link
    }

    /// A link without a socket.
    pub(super) fn unopened(limits: &Limits) -> Self {
        Self {
            sid: NO_SOCKET,
            rx: Buffer::new(),
            tx: Buffer::new(),
            state: State::Closed(CloseReason::NotOpened),
            active: Tyme::ZERO,
            since: Tyme::ZERO,
            received: 0,
            sent: 0,
            tymeout: u64::MAX,
            hard: Tyme::NEVER,
            // Caps are checked when opened; before that nothing is queued.
            tx_cap: u32::try_from(limits.tx_cap).unwrap_or(u32::MAX),
            cutoff: false,
            finish: false,
            shut: false,
            abort: false,
            hold: false,
            blocked: false,
            full: false,
            rearm: true,
            asked: false,
            lends: 0,
            inherits: false,
            refusal: None,
            seed: None,
            session: None,
        }
    }

    /// Begins to connect: bytes may be queued from now on.
    pub(super) fn begin(&mut self, tyme: Tyme, limits: &Limits) {
        let rx = std::mem::take(&mut self.rx);
        *self = Self {
            rx,
            state: State::Connecting,
            active: tyme,
            since: tyme,
            tymeout: nanos(limits.tymeout),
            ..Self::unopened(limits)
        };
    }

    /// The connection stands.
    pub(super) fn stand(&mut self, sid: Sid, tyme: Tyme) {
        self.sid = sid;
        self.state = State::Open;
        self.blocked = self.room() == 0; // somebody may have been told that it is full
        self.active = tyme;
        self.since = tyme;
    }

    /// Draws what seeds its TLS sessions, if the net is simulated.
    pub(super) fn draw_seed(&mut self, net: &mut dyn Net) {
        self.seed = net.is_simulated().then(|| {
            let mut seed = [0; 8];
            net.entropy(&mut seed);
            u64::from_le_bytes(seed)
        });
    }

    /// Begins with bytes that were received elsewhere.
    pub(super) fn inherit(&mut self, bytes: &[u8]) {
        self.rx.extend(bytes);
        self.inherits = true;
    }

    /// Those bytes are news, once.
    pub(super) const fn inherited(&mut self) -> News {
        match std::mem::replace(&mut self.inherits, false) {
            true => News::RECEIVED,
            false => News::NONE,
        }
    }

    /// Whether it may go to another server: plain, standing, with nothing under way.
    pub(super) fn may_leave(&self) -> Result<(), HandOverError> {
        match self.state {
            State::Handshaking | State::Secure => Err(HandOverError::Tls),
            _ if self.refusal.is_some() => Err(HandOverError::Tls),
            State::Open if !self.finish && !self.abort && self.pending() == 0 => Ok(()),
            _ => Err(HandOverError::Busy),
        }
    }

    pub(super) const fn connecting(&self) -> bool {
        matches!(self.state, State::Connecting)
    }

    pub(super) const fn handshaking(&self) -> bool {
        matches!(self.state, State::Handshaking)
    }

    pub(super) const fn asked(&self) -> bool {
        self.asked
    }

    /// The initial [`hold`](Self::hold).
    pub(super) const fn keep_open(&mut self, hold: bool) {
        self.hold = hold;
    }

    /// Notes that it needs a turn. True when that is new.
    pub(super) fn touch(&mut self) -> bool {
        !std::mem::replace(&mut self.asked, true)
    }

    pub(super) const fn abort_asked(&self) -> bool {
        self.abort
    }

    /// Takes in what came, within the limits, and sends on what the socket had not taken.
    #[inline(always)]
    pub(super) fn listen(&mut self, turn: &mut Turn<'_>) -> News {
        if self.state != State::Open {
            return self.listen_otherwise(turn);
        }
        let news = self.receive(turn);
        match self.blocked {
            true => news.and(self.send_on(turn)),
            false => news,
        }
    }

    fn listen_otherwise(&mut self, turn: &mut Turn<'_>) -> News {
        match self.state {
            State::Handshaking | State::Secure => self.listen_secure(turn),
            State::Draining => {
                self.discard(turn);
                // Acting on it sends the rest, or sees that the peer has ended its side.
                self.act_otherwise(turn).without(News::DRAINED)
            }
            State::Connecting | State::Open | State::Closed(_) => News::NONE,
        }
    }

    /// Reads until there is no more, or the cap or the budget is reached.
    #[inline(always)]
    fn receive(&mut self, turn: &mut Turn<'_>) -> News {
        let mut news = News::NONE;
        let mut budget = turn.shared.limits.rx_bytes_per_service;
        loop {
            let room = turn.shared.limits.rx_cap.saturating_sub(self.rx.len());
            if room == 0 {
                self.fill_up(turn);
                return news;
            }
            if budget == 0 {
                turn.net.mark(self.sid);
                return news;
            }
            let space = self.rx.space(room.min(budget), &mut turn.shared.pool);
            let most = space.len();
            match turn.net.read(self.sid, space) {
                Ok(Some(n)) if n > 0 => {
                    self.rx.filled(n);
                    if turn.shared.watch.is_some() {
                        self.show_received(n, turn);
                    }
                    self.active = turn.tyme;
                    self.count_received(n, turn);
                    news = News::RECEIVED;
                    budget -= n;
                    if n < most {
                        return news; // the net tells when there is more
                    }
                }
                Ok(None) => return news,
                end => return news.and(self.ended(end, turn)),
            }
        }
    }

    /// The peer has ended its side, or the connection is lost.
    #[cold]
    fn ended(&mut self, end: Result<Option<usize>, NetError>, turn: &mut Turn<'_>) -> News {
        match end {
            Ok(_) if self.cutoff => News::NONE,
            Ok(_) => {
                self.cut_off(turn);
                News::CUTOFF
            }
            Err(why) => {
                self.end(CloseReason::from_loss(why), turn);
                News::CLOSED
            }
        }
    }

    /// The peer has ended its side.
    fn cut_off(&mut self, turn: &mut Turn<'_>) {
        if !std::mem::replace(&mut self.cutoff, true) {
            turn.show(self.sid, || What::PeerEnded);
        }
    }

    /// Reads and drops, within the budget: the peer of a closing link may still be sending, and
    /// bytes left unread would make the system answer its end with a reset.
    fn discard(&mut self, turn: &mut Turn<'_>) {
        if self.session.is_some() && self.refusal.is_none() && !self.shut {
            return self.discard_secure(turn);
        }
        let mut scratch = turn.shared.pool.take_large();
        let mut budget = turn.shared.limits.rx_bytes_per_service;
        loop {
            if budget == 0 {
                turn.net.mark(self.sid);
                break;
            }
            let most = scratch.len().min(budget);
            match turn.net.read(self.sid, &mut scratch[..most]) {
                Ok(None) => break,
                Ok(Some(0)) => {
                    self.cut_off(turn);
                    break;
                }
                Ok(Some(n)) => {
                    budget -= n;
                    self.count_received(n, turn);
                }
                Err(why) => {
                    self.end(CloseReason::from_loss(why), turn);
                    break;
                }
            }
        }
        turn.shared.pool.give(scratch);
    }

    /// Shows the last bytes that came. Out of the way of those whom nobody watches.
    #[cold]
    fn show_received(&self, n: usize, turn: &mut Turn<'_>) {
        turn.show(self.sid, || What::Received(self.rx.last(n)));
    }

    /// Shows the first bytes of what is queued, as they were sent.
    #[cold]
    fn show_sent(&self, n: usize, turn: &mut Turn<'_>) {
        turn.show(self.sid, || What::Sent(&self.tx.data()[..n]));
    }

    /// Writes what is queued.
    #[inline(always)]
    fn send(&mut self, turn: &mut Turn<'_>) -> News {
        let len = self.tx.len();
        match turn.net.write(self.sid, self.tx.data()) {
            Ok(n) if n == len && !self.blocked => {
                if turn.shared.watch.is_some() {
                    self.show_sent(n, turn);
                }
                self.tx.clear();
                self.count_sent(n, turn);
                self.active = turn.tyme;
                News::NONE
            }
            written => self.sent(written, turn),
        }
    }

    /// Carries out what was asked for.
    #[inline(always)]
    pub(super) fn act(&mut self, turn: &mut Turn<'_>) -> News {
        self.asked = false;
        if self.state != State::Open || self.abort | self.finish | self.cutoff | self.full {
            return self.act_otherwise(turn);
        }
        match self.tx.is_empty() {
            true => News::NONE,
            false => self.send(turn),
        }
    }

    /// Carries out what was asked for where there is more to it than to send, or TLS.
    fn act_otherwise(&mut self, turn: &mut Turn<'_>) -> News {
        let mut news = News::NONE;
        if self.abort {
            self.reset(CloseReason::Aborted, turn);
        } else if self.stands() || self.state == State::Draining {
            news = match self.session {
                None => self.send_on(turn),
                Some(_) => self.send_secure(turn),
            };
            if self.all_sent() {
                self.settle(turn);
            }
            if self.state == State::Draining {
                self.drain(turn);
            }
            if self.full {
                self.resume(turn);
            }
        }
        match self.closed() {
            Some(_) => News::CLOSED,
            None => news,
        }
    }

    /// Lends storage for an answer to a link that has needed it before, as much as it had then, so
    /// that queueing one allocates nothing.
    #[inline]
    pub(super) fn lend(&mut self, pool: &mut Pool) {
        if self.lends > 0 && self.tx.is_bare() {
            self.tx.lend(match self.rx.len() > LARGE {
                true => pool.take(self.rx.len()),
                false => pool.spare(1 << self.lends),
            });
        }
    }

    /// Gives storage back that is not needed.
    #[inline]
    pub(super) fn rest(&mut self, pool: &mut Pool) {
        if self.lends > 0 && !self.tx.is_bare() {
            // At most 2 x Buffer::MAX, and never empty here.
            self.lends = u8::try_from(self.tx.capacity().ilog2()).unwrap_or(0);
        }
        self.tx.rest(pool);
        self.rx.rest(pool);
    }
}

/// Stands for "none": nets give out no such id.
const NO_SOCKET: Sid = Sid::new(u32::MAX, u32::MAX);

fn nanos(tymeout: Option<Duration>) -> u64 {
    match tymeout {
        Some(d) if !d.is_zero() => (Tyme::ZERO + d).as_nanos(),
        _ => u64::MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_small() {
        assert!(size_of::<Link>() <= 160, "{}", size_of::<Link>());
        assert_eq!(size_of::<Buffer>(), 24);
    }

    #[test]
    fn s3_a_million_refreshes_move_the_deadline_only_to_now() {
        let limits = Limits {
            tymeout: Some(Duration::from_secs(5)),
            ..Limits::default()
        };
        let mut link = Link::open(Sid::new(1, 0), Tyme::ZERO, &limits);
        for _ in 0..1_000_000 {
            link.refresh(Tyme::from_secs(1));
        }
        assert_eq!(link.deadlines().0, Tyme::from_secs(6));
        assert_eq!(link.tymer().map(|t| t.stop()), Some(Tyme::from_secs(6)));
        link.set_tymeout(Tyme::from_secs(2), Some(Duration::ZERO));
        assert_eq!((link.tymeout(), link.deadlines().0), (None, Tyme::NEVER));
    }

    #[test]
    fn what_is_not_opened_takes_nothing() {
        let mut link = Link::unopened(&Limits::default());
        let refused = TxError::Closed(CloseReason::NotOpened);
        assert_eq!(link.tx(b"x"), Err(refused));
        assert_eq!(link.echo(), Err(refused));
        link.close();
        link.abort();
        assert_eq!(link.closed(), Some(CloseReason::NotOpened));
    }

    #[test]
    fn tx_says_how_much_was_taken() {
        let limits = Limits {
            tx_cap: 10,
            ..Limits::default()
        };
        let mut link = Link::open(Sid::new(1, 0), Tyme::ZERO, &limits);
        assert_eq!(link.tx(b"1234567"), Ok(()));
        assert_eq!(link.tx(b"89abc"), Err(TxError::Full { taken: 3 }));
        assert_eq!((link.pending(), link.room()), (10, 0));
        link.shutdown_send();
        assert_eq!(link.tx(b"x"), Err(TxError::Shut));
        link.close();
        assert_eq!(link.tx(b"x"), Err(TxError::Closed(CloseReason::Closed)));
    }
}
