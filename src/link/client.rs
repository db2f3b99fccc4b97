mod connecting;
mod dial;

use self::dial::Dial;
use super::events::Events;
use super::link::{Shared, Turn};
use super::news::News;
use super::reconnect::Chance;
#[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
use super::tls::{Session, StartTlsError};
use super::watch::Watched;
use super::{
    ClientEvent, CloseReason, Limits, LimitsError, Link, Reconnect, Stats, TxError, Watch,
};
use crate::net::{ConnectOptions, Endpoint, Group, Net, Owner, Sid};
use crate::tyme::Tyme;

/// Dials, and again when it likes: a [`Link`] with a destination.
///
/// Bytes may be queued as soon as it is open; they are sent when the connection stands. When a
/// connection is lost, what was queued is dropped with an event, as nobody can know how much of it
/// had arrived, and never sent on the next one; what is queued after that is for the next.
///
/// A host name is looked up for each attempt, without blocking. All its addresses are tried, IPv6
/// and IPv4 in turn, another one after each [`Limits::connect_stagger`] while those before go on,
/// or at once when one fails; the first to connect wins (RFC 8305). [`Limits::connect`] bounds all
/// of it. Of several failures, the one that tells most is reported.
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

    /// Shows a [`Watch`] all that the connection carries from now on: plaintext, also over TLS.
    #[must_use]
    pub fn with_watch(mut self, watch: impl Watch + 'static) -> Self {
        self.set_watch(Some(Box::new(watch)));
        self
    }

    /// Gives it another [`Watch`], or none.
    pub fn set_watch(&mut self, watch: Option<Box<dyn Watch>>) {
        self.shared.watch = watch.map(|watch| Watched::new(watch, true));
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
        self.link.start_tls(|seed| Session::client(tls, to, seed))
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

    /// Who is woken for the sockets.
    pub(super) const fn owner(&self) -> Owner {
        self.owner
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

    /// Whether a look-up of its host name is under way.
    pub(super) const fn resolving(&self) -> bool {
        matches!(self.phase, Phase::Resolving(_))
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
    /// [`Tyme::NEVER`] when only readiness counts. Outside a Doist, see
    /// [`Server`](super::Server#outside-a-doist) for what a limit left over.
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
            // The answer of a look-up is a mark of the group.
            Phase::Resolving(dial) => dial.deadline(),
            Phase::Dialling(dial) => dial.due(),
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
                let mut done = self.link.act(&mut turn);
                if done.has(News::CLOSED) && !news.has(News::CLOSED) {
                    each(&mut self.link);
                } else if done.has(News::DRAINED) {
                    done = self.link.put_off(done, &mut turn);
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
        self.marks.clear();
        net.ready(group, &mut self.marks);
        if self.link.abort_asked() && self.link.connecting() {
            self.give_up(CloseReason::Aborted, net);
            return false;
        }
        match &self.phase {
            Phase::Waiting(until) if *until <= tyme => self.attempt(tyme, net),
            Phase::Resolving(_) => self.resolve(tyme, net),
            Phase::Dialling(_) => self.dialling(tyme, net),
            _ => {}
        }
        self.marks.contains(&self.link.sid())
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
        self.events.push(
            event,
            shared.limits.events_max,
            &mut shared.stats.events_lost,
        );
    }
}
