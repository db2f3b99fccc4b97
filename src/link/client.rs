use std::collections::VecDeque;
use std::time::Duration;

use super::events::Events;
use super::link::{Shared, Turn};
use super::news::News;
use super::reconnect::Chance;
#[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
use super::tls::{Session, StartTlsError};
use super::{ClientEvent, CloseReason, Limits, LimitsError, Link, Reconnect, Stats, TxError};
use crate::net::{ConnectOptions, Endpoint, Group, Lookup, Net, NetError, Owner, Sid};
use crate::tyme::Tyme;

/// Dials, and again when it likes: a [`Link`] with a destination.
///
/// Bytes may be queued as soon as it is open; they are sent when the connection stands. When a
/// connection is lost, what was queued is dropped with an event, as nobody can know how much of it
/// had arrived, and never sent on the next one; what is queued after that is for the next.
///
/// A host name is looked up for each attempt, without blocking; its addresses are tried in turn,
/// each for its share of [`Limits::connect`].
///
/// ```
/// use hio::link::{Client, Limits};
/// use hio::net::{ConnectOptions, Endpoint};
/// let to: Endpoint = "localhost:5000".parse()?;
/// let client = Client::new(to, ConnectOptions::default(), Limits::default());
/// assert!(!client.connected());
/// # Ok::<(), hio::net::EndpointError>(())
/// ```
#[derive(Debug)]
pub struct Client {
    to: Endpoint,
    options: ConnectOptions,
    reconnect: Option<Reconnect>,
    chance: Option<Chance>,
    auto_close: bool,
    owner: Owner,
    group: Option<Group>,
    phase: Phase,
    link: Link,
    peer: Option<Endpoint>,
    /// Attempts that failed or were lost in a row.
    attempts: u32,
    /// When the present connection began to stand, and what had been received before.
    stood: (Tyme, u64),
    shared: Shared,
    #[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
    tls: Option<super::tls::ClientTls>,
    /// Of `shared.stats.unsent`, what events have told of.
    told: u64,
    events: Events<ClientEvent>,
    marks: Vec<Sid>,
    /// The connection ended in [`service_sends`](Self::service_sends), and no service has come
    /// since in which a doer that parks would see it.
    unseen: bool,
}

#[derive(Debug)]
enum Phase {
    Closed,
    Waiting(Tyme),
    Resolving(Dial),
    Dialling(Dial),
    Standing,
}

/// One attempt to connect.
#[derive(Debug)]
struct Dial {
    /// When the whole attempt is given up.
    deadline: Tyme,
    /// When the address under way is given up.
    turn: Tyme,
    left: VecDeque<Endpoint>,
    now: Option<Endpoint>,
    failure: CloseReason,
}

/// Opening and closing.
impl Client {
    /// A client that is not open yet. Does no I/O.
    #[must_use]
    pub fn new(to: Endpoint, options: ConnectOptions, limits: Limits) -> Self {
        Self {
            to,
            options,
            reconnect: None,
            chance: None,
            auto_close: true,
            owner: Owner::NONE,
            group: None,
            phase: Phase::Closed,
            link: Link::unopened(&limits),
            peer: None,
            attempts: 0,
            stood: (Tyme::ZERO, 0),
            shared: Shared {
                limits,
                ..Shared::default()
            },
            #[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
            tls: None,
            told: 0,
            events: Events::default(),
            marks: Vec::new(),
            unseen: false,
        }
    }

    /// Dials again by this policy after a failure or a loss; without one it does not.
    #[must_use]
    pub const fn with_reconnect(mut self, policy: Reconnect) -> Self {
        self.reconnect = Some(policy);
        self
    }

    /// The seed of the jitter. Without it, it is drawn from [`Net::entropy`] when first opened.
    #[must_use]
    pub const fn with_seed(mut self, seed: u64) -> Self {
        self.chance = Some(Chance(seed));
        self
    }

    /// Whether the connection is closed by itself when the peer has ended its side and all is
    /// sent and consumed. On by default; see [`Link::hold`].
    #[must_use]
    pub const fn with_auto_close(mut self, on: bool) -> Self {
        self.auto_close = on;
        self
    }

    /// Begins every connection with a TLS handshake. The server's certificate must have the name
    /// that was given with `tls`, else the dialled one.
    #[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
    #[must_use]
    pub fn with_tls(mut self, tls: super::tls::ClientTls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Begins a TLS handshake on the connection that stands, plain or not. What is queued goes out
    /// before; what is queued from now on is sent when the handshake is over.
    ///
    /// # Errors
    /// It does not stand, or is half closed; a handshake is under way; received bytes are not
    /// consumed, or there is no name to be verified. The connection goes on as it was.
    #[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
    pub fn start_tls(&mut self, tls: &super::tls::ClientTls) -> Result<(), StartTlsError> {
        let to = &self.to;
        self.link.start_tls(|| Session::client(tls, to))
    }

    /// Begins to connect; the next services carry it on. One that is open is closed first.
    ///
    /// # Errors
    /// The limits or the reconnect policy cannot be kept. That nobody answers is no error here
    /// but an event.
    pub fn open(&mut self, tyme: Tyme, net: &mut dyn Net, owner: Owner) -> Result<(), LimitsError> {
        self.close(net);
        self.shared.limits.validate()?;
        if let Some(policy) = &self.reconnect {
            policy.validate()?;
        }
        if self.reconnect.is_some() && self.chance.is_none() {
            let mut seed = [0; 8];
            net.entropy(&mut seed);
            self.chance = Some(Chance(u64::from_le_bytes(seed)));
        }
        self.owner = owner;
        self.group = Some(net.group(owner));
        self.attempts = 0;
        self.link.clear_rx();
        self.attempt(tyme, net);
        Ok(())
    }

    /// Closes and opens again with the same owner.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn reopen(&mut self, tyme: Tyme, net: &mut dyn Net) -> Result<(), LimitsError> {
        self.open(tyme, net, self.owner)
    }

    /// Closes at once, and dials no more; what is queued is dropped. What was received stays
    /// readable. Does nothing when closed.
    pub fn close(&mut self, net: &mut dyn Net) {
        self.stop(CloseReason::OwnerClosed, net);
    }

    /// Breaks off at once, so that the peer sees a reset, and dials no more.
    pub fn abort(&mut self, net: &mut dyn Net) {
        let shared = &mut self.shared;
        let tyme = Tyme::ZERO; // ends look at no tyme
        self.link
            .reset(CloseReason::Aborted, &mut Turn { tyme, net, shared });
        self.stop(CloseReason::Aborted, net);
    }

    /// Closes in order, as [`Link::close`]: service on until it is no longer
    /// [`opened`](Self::opened). It dials no more.
    pub fn drain(&mut self) {
        self.link.close();
    }

    /// Gives the sockets to another owner.
    pub fn set_owner(&mut self, net: &mut dyn Net, owner: Owner) {
        self.owner = owner;
        if let Some(group) = self.group {
            net.set_owner(group, owner);
        }
    }
}

/// Looking and asking.
impl Client {
    /// Where it dials.
    #[must_use]
    pub const fn to(&self) -> &Endpoint {
        &self.to
    }

    /// The address it is connected to, or was last.
    #[must_use]
    pub const fn peer(&self) -> Option<&Endpoint> {
        self.peer.as_ref()
    }

    /// Whether it is connected, on its way to be, or will try again.
    #[must_use]
    pub const fn opened(&self) -> bool {
        self.group.is_some()
    }

    /// Whether the connection stands. After a loss it does not.
    #[must_use]
    pub const fn connected(&self) -> bool {
        self.link.connected()
    }

    /// Whether the peer has ended its side.
    #[must_use]
    pub const fn cutoff(&self) -> bool {
        self.link.cutoff()
    }

    /// Why the connection ended; none while it may still be dialled again.
    #[must_use]
    pub const fn closed(&self) -> Option<CloseReason> {
        self.link.closed()
    }

    /// What was received and not yet consumed.
    #[must_use]
    pub fn rx(&self) -> &[u8] {
        self.link.rx()
    }

    /// Takes `n` received bytes away.
    pub fn consume(&mut self, n: usize) {
        self.link.consume(n);
    }

    /// Queues bytes. They are sent with the next service, once the connection stands.
    ///
    /// # Errors
    /// As [`Link::tx`].
    pub fn tx(&mut self, data: &[u8]) -> Result<(), TxError> {
        if self.connected() {
            self.link.lend(&mut self.shared.pool);
        }
        self.link.tx(data)
    }

    /// The connection.
    #[must_use]
    pub const fn link(&self) -> &Link {
        &self.link
    }

    /// The connection, to be asked something.
    pub const fn link_mut(&mut self) -> &mut Link {
        &mut self.link
    }

    /// The limits.
    #[must_use]
    pub const fn limits(&self) -> &Limits {
        &self.shared.limits
    }

    /// What was done so far.
    #[must_use]
    pub const fn stats(&self) -> Stats {
        self.shared.stats
    }

    /// Whether the last service made events, looked at or not.
    #[must_use]
    pub const fn has_news(&self) -> bool {
        self.events.fresh()
    }

    /// Takes the events that wait, oldest first. At most [`Limits::events_max`] are kept.
    pub fn events(&mut self) -> impl Iterator<Item = ClientEvent> + '_ {
        self.events.drain()
    }

    /// When a service is needed next although nothing is ready: `tyme` itself when there is work
    /// to do now or the connection has ended in [`service_sends`](Self::service_sends),
    /// [`Tyme::NEVER`] when only readiness counts.
    #[must_use]
    pub fn due(&self, tyme: Tyme) -> Tyme {
        match &self.phase {
            _ if self.unseen => tyme,
            Phase::Closed => Tyme::NEVER,
            Phase::Standing if self.link.asked() => tyme,
            _ if self.link.abort_asked() => tyme,
            Phase::Standing => {
                let (idle, hard) = self.link.deadlines();
                idle.min(hard)
            }
            Phase::Waiting(until) => *until,
            // Nothing is ready when a look-up is: it is asked again and again.
            Phase::Resolving(dial) => dial.deadline.min(tyme + LOOK_UP_AGAIN),
            Phase::Dialling(dial) => dial.turn,
        }
    }
}

/// Serving.
impl Client {
    /// Carries everything on: connects, sends what was queued before, receives, ends what is out
    /// of time, dials again. Look at [`rx`](Self::rx) or [`events`](Self::events) afterwards.
    pub fn service(&mut self, tyme: Tyme, net: &mut dyn Net) {
        let ready = self.begin(tyme, net);
        if let Phase::Standing = self.phase {
            let mut news = self.act(tyme, net);
            if ready && !news.has(News::CLOSED) {
                let shared = &mut self.shared;
                news = news.and(self.link.listen(&mut Turn { tyme, net, shared }));
            }
            if news.has(News::SECURED) {
                self.tell(ClientEvent::Secured);
                news = news.without(News::SECURED);
            }
            if news.has(News::RECEIVED) {
                self.tell(ClientEvent::Received);
            }
            if news.has(News::CUTOFF) {
                self.link.touch(); // to close in the next service, once the user has seen it
            }
            self.finish(news, tyme, net);
        }
    }

    /// As [`service`](Self::service), and calls `each` when bytes were received, a queue that
    /// waited was sent, a TLS handshake is over, the peer ended its side, or the connection is
    /// over; what it queues is sent at once. There is no [`ClientEvent::Received`] then.
    pub fn service_each(&mut self, tyme: Tyme, net: &mut dyn Net, mut each: impl FnMut(&mut Link)) {
        let ready = self.begin(tyme, net);
        if let Phase::Standing = self.phase {
            let mut news = self.act(tyme, net);
            let shared = &mut self.shared;
            let mut turn = Turn { tyme, net, shared };
            if ready && !news.has(News::CLOSED) {
                news = news.and(self.link.listen(&mut turn));
            }
            if news.any() {
                self.link.lend(&mut turn.shared.pool);
                each(&mut self.link);
                let done = self.link.act(&mut turn);
                if done.has(News::CLOSED) && !news.has(News::CLOSED) {
                    each(&mut self.link);
                }
                news = news.and(done);
            }
            let ended = !news.has(News::CLOSED) && self.link.expire(&mut turn);
            if ended {
                each(&mut self.link);
                news = News::CLOSED.and(news);
            }
            self.finish(news, tyme, net);
        }
    }

    /// Sends what is queued now, and does what else was asked for.
    pub fn service_sends(&mut self, tyme: Tyme, net: &mut dyn Net) {
        if let Phase::Standing = self.phase {
            let news = self.act(tyme, net);
            self.finish(news, tyme, net);
            self.unseen = !matches!(self.phase, Phase::Standing);
        }
    }

    /// Takes the marks and carries on connecting. True when the connection may have something.
    fn begin(&mut self, tyme: Tyme, net: &mut dyn Net) -> bool {
        self.events.stale();
        self.shared.handshakes = 0;
        self.unseen = false;
        let Some(group) = self.group else {
            return false;
        };
        net.ready(group, &mut self.marks);
        let ready = self.marks.contains(&self.link.sid());
        self.marks.clear();
        if self.link.abort_asked() && self.link.connecting() {
            self.give_up(CloseReason::Aborted, net);
            return false;
        }
        match &self.phase {
            Phase::Waiting(until) if *until <= tyme => self.attempt(tyme, net),
            Phase::Resolving(_) => self.resolve(tyme, net),
            Phase::Dialling(_) => self.dialling(ready, tyme, net),
            _ => {}
        }
        ready
    }

    fn act(&mut self, tyme: Tyme, net: &mut dyn Net) -> News {
        if !self.link.asked() {
            return News::NONE;
        }
        let shared = &mut self.shared;
        self.link.act(&mut Turn { tyme, net, shared })
    }

    /// The end of a turn.
    fn finish(&mut self, mut news: News, tyme: Tyme, net: &mut dyn Net) {
        if news.has(News::SECURED) {
            self.tell(ClientEvent::Secured);
        }
        let shared = &mut self.shared;
        let mut turn = Turn { tyme, net, shared };
        news = news.and_if(self.link.expire(&mut turn), News::CLOSED);
        self.link.rest(&mut turn.shared.pool);
        if news.has(News::DRAINED) {
            self.tell(ClientEvent::Drained);
        }
        if news.has(News::CUTOFF) {
            self.tell(ClientEvent::Cutoff);
        }
        if news.has(News::CLOSED) {
            let reason = self.link.closed().unwrap_or(CloseReason::Aborted);
            self.lost(reason, tyme, net);
        }
    }

    fn tell(&mut self, event: ClientEvent) {
        let shared = &mut self.shared;
        self.events
            .push(event, shared.limits.events_max, &mut shared.stats);
    }
}

/// Connecting.
impl Client {
    /// Begins an attempt.
    fn attempt(&mut self, tyme: Tyme, net: &mut dyn Net) {
        if !self.link.connecting() {
            self.link.begin(tyme, &self.shared.limits);
            self.link.keep_open(!self.auto_close);
        }
        let deadline = tyme + self.shared.limits.connect;
        let mut dial = Dial {
            deadline,
            turn: deadline,
            left: VecDeque::new(),
            now: None,
            failure: CloseReason::ConnectTimedOut,
        };
        match &self.to {
            Endpoint::Name(..) => {
                self.phase = Phase::Resolving(dial);
                self.resolve(tyme, net);
            }
            to => {
                dial.left.push_back(to.clone());
                self.next_address(dial, tyme, net);
            }
        }
    }

    fn resolve(&mut self, tyme: Tyme, net: &mut dyn Net) {
        let Endpoint::Name(host, port) = &self.to else {
            return;
        };
        let (found, port) = (net.resolve(host), *port);
        let Phase::Resolving(mut dial) = std::mem::replace(&mut self.phase, Phase::Closed) else {
            return;
        };
        match found {
            Lookup::Pending if dial.deadline <= tyme => {
                self.failed(CloseReason::ConnectTimedOut, tyme, net);
            }
            Lookup::Pending => self.phase = Phase::Resolving(dial),
            Lookup::Ready(ips) => {
                dial.left = ips
                    .into_iter()
                    .map(|ip| Endpoint::Tcp((ip, port).into()))
                    .collect();
                dial.failure = CloseReason::ConnectFailed(NetError::Unresolvable);
                self.next_address(dial, tyme, net);
            }
            Lookup::Failed(why) => self.failed(CloseReason::ConnectFailed(why), tyme, net),
        }
    }

    /// Dials the next address that can be dialled; the attempt has failed when none is left.
    fn next_address(&mut self, mut dial: Dial, tyme: Tyme, net: &mut dyn Net) {
        let Some(group) = self.group else {
            return;
        };
        while dial.deadline > tyme {
            let shares = u32::try_from(dial.left.len()).unwrap_or(u32::MAX).max(1);
            let Some(to) = dial.left.pop_front() else {
                break;
            };
            match net.connect(group, &to, &self.options) {
                Ok(sid) => {
                    self.link.dial(sid);
                    dial.turn = tyme + dial.deadline.since(tyme) / shares;
                    dial.now = Some(to);
                    self.phase = Phase::Dialling(dial);
                    // Some connect at once and tell of nothing later.
                    self.dialling(true, tyme, net);
                    return;
                }
                Err(why) => dial.failure = CloseReason::ConnectFailed(why),
            }
        }
        self.failed(dial.failure, tyme, net);
    }

    /// Looks how the address under way is doing.
    fn dialling(&mut self, ready: bool, tyme: Tyme, net: &mut dyn Net) {
        let sid = self.link.sid();
        let Phase::Dialling(mut dial) = std::mem::replace(&mut self.phase, Phase::Closed) else {
            return;
        };
        let connected = match ready {
            true => net.connected(sid),
            false => Ok(false),
        };
        dial.failure = match connected {
            Ok(true) => return self.stands(sid, dial.now, tyme, net),
            Ok(false) if tyme < dial.turn => {
                self.phase = Phase::Dialling(dial);
                return;
            }
            Ok(false) => CloseReason::ConnectTimedOut,
            Err(why) => CloseReason::ConnectFailed(why),
        };
        net.close(sid);
        self.next_address(dial, tyme, net);
    }

    fn stands(&mut self, sid: Sid, peer: Option<Endpoint>, tyme: Tyme, net: &mut dyn Net) {
        let unread = self.link.rx().len();
        if unread > 0 {
            self.link.clear_rx();
            self.tell(ClientEvent::Dropped { unsent: 0, unread });
        }
        self.phase = Phase::Standing;
        self.link.stand(sid, tyme);
        #[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
        if let Some(tls) = &self.tls {
            let deadline = tyme + self.shared.limits.handshake;
            let session = Session::client(tls, &self.to);
            self.link.begin_secure(session, deadline);
        }
        self.link.touch(); // what was queued meanwhile
        net.mark(sid); // and what was sent to us meanwhile
        self.shared.stats.opened += 1;
        self.stood = (tyme, self.shared.stats.received);
        let at = peer.unwrap_or_else(|| self.to.clone());
        log::debug!("connected to {at}");
        self.peer = Some(at.clone());
        self.tell(ClientEvent::Connected(at));
    }

    /// A connection that stood is over.
    fn lost(&mut self, reason: CloseReason, tyme: Tyme, net: &mut dyn Net) {
        log::debug!("connection to {}: {reason}", self.to);
        self.tell(ClientEvent::Closed(reason));
        self.tell_unsent();
        let (since, received) = self.stood;
        let long = self.reconnect.is_some_and(|r| tyme.since(since) >= r.max);
        if long || self.shared.stats.received > received {
            self.attempts = 0;
        }
        let wished = matches!(
            reason,
            CloseReason::Closed
                | CloseReason::Aborted
                | CloseReason::DrainTimedOut
                | CloseReason::LingerTimedOut
        );
        match wished {
            true => self.shut(net),
            false => self.again(reason, tyme, net),
        }
    }

    /// An attempt failed.
    fn failed(&mut self, reason: CloseReason, tyme: Tyme, net: &mut dyn Net) {
        log::debug!("{}: {reason}", self.to);
        self.tell(ClientEvent::Closed(reason));
        self.again(reason, tyme, net);
    }

    /// Waits for the next attempt, if there is to be one.
    fn again(&mut self, reason: CloseReason, tyme: Tyme, net: &mut dyn Net) {
        self.attempts = self.attempts.saturating_add(1);
        let attempts = self.attempts;
        let chance = self.chance.get_or_insert(Chance(0));
        match self.reconnect.and_then(|r| r.wait(attempts, chance)) {
            Some(wait) => {
                if !self.link.connecting() {
                    self.link.begin(tyme, &self.shared.limits);
                    self.link.keep_open(!self.auto_close);
                }
                let at = tyme + wait;
                self.phase = Phase::Waiting(at);
                self.tell(ClientEvent::Retrying { at, attempts });
            }
            None => {
                let shared = &mut self.shared;
                self.link.end(reason, &mut Turn { tyme, net, shared });
                self.tell_unsent();
                self.shut(net);
            }
        }
    }

    /// Ends an attempt or a wait, at the user's wish.
    fn give_up(&mut self, reason: CloseReason, net: &mut dyn Net) {
        let shared = &mut self.shared;
        let tyme = Tyme::ZERO; // ends look at no tyme
        self.link.end(reason, &mut Turn { tyme, net, shared });
        self.tell(ClientEvent::Closed(reason));
        self.tell_unsent();
        self.shut(net);
    }

    fn stop(&mut self, reason: CloseReason, net: &mut dyn Net) {
        if self.group.is_some() {
            let reason = self.link.closed().unwrap_or(reason);
            self.give_up(reason, net);
        }
    }

    /// Lets go of the net.
    fn shut(&mut self, net: &mut dyn Net) {
        self.phase = Phase::Closed;
        if let Some(group) = self.group.take() {
            net.close_group(group);
        }
    }

    /// Tells of queued bytes that were dropped.
    fn tell_unsent(&mut self) {
        let unsent = self.shared.stats.unsent;
        let dropped = usize::try_from(unsent - self.told).unwrap_or(usize::MAX);
        self.told = unsent;
        if dropped > 0 {
            self.tell(ClientEvent::Dropped {
                unsent: dropped,
                unread: 0,
            });
        }
    }
}

/// How often a name look-up under way is asked about.
const LOOK_UP_AGAIN: Duration = Duration::from_millis(10);
