mod by_id;
mod draining;
mod turns;

use std::net::SocketAddr;
use std::time::Duration;

use super::accepts::Accepts;
use super::events::Events;
use super::link::Shared;
use super::news::News;
use super::table::Table;
use super::watch::Watched;
use super::{
    CloseReason, Event, Limits, ListenerLost, Load, OpenError, Remoter, RemoterId, Stats, Watch,
};
use crate::net::{Endpoint, Group, ListenOptions, Lookup, Net, NetError, Owner, Sid};
use crate::tyme::Tyme;

/// Accepts connections and serves them: a listener and its [`Remoter`]s.
///
/// # Two ways to serve
/// [`service_each`](Self::service_each) takes a closure and does all that is to be done for one
/// connection in one go: receive, show it to the closure, send what that queued. This is the fast
/// way: one hot buffer serves all connections.
///
/// [`service`](Self::service) is hio's: it receives from all that are ready and sends what was
/// queued before; then one looks at [`ready`](Self::ready) or [`events`](Self::events), and what
/// is queued now goes out with the next service, or with [`service_sends`](Self::service_sends).
///
/// Either way the work is bounded by [`Limits`] and costs nothing for connections on which nothing
/// happens. Between services nothing need be done before [`due`](Self::due), unless the net has
/// marks for the group's owner.
///
/// # Outside a Doist
/// a service that stops at a limit leaves a mark, and no event of the net follows it. A loop of
/// your own therefore gives the server an owner of its own and looks at [`Net::woken`] before it
/// sleeps:
///
/// ```
/// use hio::link::{Limits, Server};
/// use hio::net::{Endpoint, ListenOptions, MioNet, Net, Owner};
/// use hio::tyme::Tyme;
///
/// fn turn(server: &mut Server, net: &mut MioNet) -> Result<(), Box<dyn std::error::Error>> {
///     let (mut woken, now) = (Vec::new(), net.now());
///     net.woken(&mut woken);
///     net.poll(if woken.is_empty() { server.due(now) } else { Tyme::ZERO })?;
///     let now = net.now();
///     server.service_each(now, net, |ix| if ix.echo().is_err() { ix.abort() })?;
///     Ok(())
/// }
///
/// let mut net = MioNet::new()?;
/// let at = Endpoint::host("127.0.0.1", 0);
/// let mut server = Server::new(at, ListenOptions::default(), Limits::default());
/// server.open(&mut net, Owner(1))?;
/// # std::net::TcpStream::connect(server.ha().addr().ok_or("tcp")?)?;
/// turn(&mut server, &mut net)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # When a peer ends its side
/// it still gets what is queued. Once that is sent and everything received was consumed, the
/// connection is closed; [`Link::hold`](super::Link::hold) and [`with_auto_close`](Self::with_auto_close) change it.
///
/// ```
/// use hio::link::{Limits, Server};
/// use hio::net::{Endpoint, ListenOptions};
/// let at: Endpoint = "127.0.0.1:0".parse()?;
/// let server = Server::new(at, ListenOptions::default(), Limits::default());
/// assert!(!server.opened());
/// # Ok::<(), hio::net::EndpointError>(())
/// ```
#[derive(Debug)]
pub struct Server {
    ha: Endpoint,
    options: ListenOptions,
    auto_close: bool,
    owner: Owner,
    pub(super) group: Option<Group>,
    /// None while closed, draining, or lost.
    listener: Option<Sid>,
    accepts: Accepts,
    /// How many may still be accepted before it listens no more.
    last_accepts: Option<usize>,
    /// What is closed now is cut off.
    ends: bool,
    drain: Option<draining::Drain>,
    pub(super) table: Table,
    pub(super) shared: Shared,
    #[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
    tls: Option<super::tls::ServerTls>,
    events: Events<Event>,
    /// Connections the last [`service`](Self::service) has news of.
    ready: Vec<RemoterId>,
    /// Connections that need a turn without readiness. Invariant: those whose link is `asked`.
    pub(super) asked: Vec<RemoterId>,
    /// Connections that ended and are kept to be looked at.
    ended: Vec<RemoterId>,
    /// Scratch: kept for its storage.
    marks: Vec<Sid>,
    /// Scratch: kept for its storage.
    turns: Vec<RemoterId>,
    /// Scratch: kept for its storage.
    notable: Vec<(RemoterId, News)>,
}

/// Opening, closing, looking at the whole.
impl Server {
    /// A server that is not open yet. Does no I/O.
    #[must_use]
    pub fn new(at: Endpoint, options: ListenOptions, limits: Limits) -> Self {
        Self {
            ha: at,
            options,
            auto_close: true,
            owner: Owner::NONE,
            group: None,
            listener: None,
            accepts: Accepts::default(),
            last_accepts: None,
            ends: false,
            drain: None,
            table: Table::new(GRANULE),
            shared: Shared {
                limits,
                ..Shared::default()
            },
            #[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
            tls: None,
            events: Events::default(),
            ready: Vec::new(),
            asked: Vec::new(),
            ended: Vec::new(),
            marks: Vec::new(),
            turns: Vec::new(),
            notable: Vec::new(),
        }
    }

    /// Whether connections are closed by themselves when their peer has ended its side and all is
    /// sent and consumed. On by default. Off, each of them is [held](super::Link::hold).
    #[must_use]
    pub const fn with_auto_close(mut self, on: bool) -> Self {
        self.auto_close = on;
        self
    }

    /// Every connection begins with a TLS handshake.
    #[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
    #[must_use]
    pub fn with_tls(mut self, tls: super::tls::ServerTls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Speaks TLS differently from now on, for instance with a new certificate, or not at all.
    /// Connections that were accepted before go on as they are.
    #[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
    pub fn set_tls(&mut self, tls: Option<super::tls::ServerTls>) {
        self.tls = tls;
    }

    /// Shows a [`Watch`] all that the connections carry from now on: plaintext, also over TLS.
    #[must_use]
    pub fn with_watch(mut self, watch: impl Watch + 'static) -> Self {
        self.set_watch(Some(Box::new(watch)));
        self
    }

    /// Gives it another [`Watch`], or none.
    pub fn set_watch(&mut self, watch: Option<Box<dyn Watch>>) {
        self.shared.watch = watch.map(|watch| Watched::new(watch, false));
    }

    /// Starts to listen. The sockets wake `owner`; [`Owner::NONE`] is nobody, for programs that
    /// serve again and again without waiting. A server that is open is closed first.
    ///
    /// A host name must be one that the net knows at once, as `localhost`; it listens on the first
    /// of its addresses that can be listened on, and on that one when it is opened again. A look-up
    /// that takes time is not waited for: [`OpenError::Pending`] says to open the server again
    /// later, when a net that remembers answers knows it.
    ///
    /// # Errors
    /// The limits cannot be kept, the address cannot be listened on, its name is being looked up,
    /// or the TLS is for simulations and the net is none. The server is closed then.
    pub fn open(&mut self, net: &mut dyn Net, owner: Owner) -> Result<(), OpenError> {
        self.close(net);
        self.check(net)?;
        let group = net.group(owner);
        match self.listen(group, net) {
            Ok((listener, ha)) => {
                self.ha = ha;
                self.owner = owner;
                self.group = Some(group);
                self.listener = Some(listener);
                self.accepts = Accepts::default();
                log::info!("listening on {}", self.ha);
                Ok(())
            }
            Err(why) => {
                net.close_group(group);
                Err(why)
            }
        }
    }

    /// Opens without a listener, for connections that are handed over
    /// ([`take_over`](Self::take_over)). Its address is a name for the log then. A server that is
    /// open is closed first.
    ///
    /// # Errors
    /// As [`open`](Self::open), but for what concerns the address.
    pub fn stand_by(&mut self, net: &mut dyn Net, owner: Owner) -> Result<(), OpenError> {
        self.close(net);
        self.check(net)?;
        self.owner = owner;
        self.group = Some(net.group(owner));
        self.accepts = Accepts::default();
        Ok(())
    }

    /// Whether it can be opened at all.
    fn check(&self, net: &dyn Net) -> Result<(), OpenError> {
        self.shared.limits.validate()?;
        #[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
        if self.tls.as_ref().is_some_and(|tls| tls.is_predictable()) && !net.is_simulated() {
            return Err(super::TlsFailure::Predictable.into());
        }
        #[cfg(not(any(feature = "tls", feature = "aws-lc-rs")))]
        let _ = net;
        Ok(())
    }

    /// The listener, and where it listens.
    fn listen(&self, group: Group, net: &mut dyn Net) -> Result<(Sid, Endpoint), OpenError> {
        let at = self.ha.clone();
        let places = match &self.ha {
            Endpoint::Name(host, port) => match net.resolve(group, host) {
                Lookup::Ready(ips) => ips
                    .into_iter()
                    .map(|ip| Endpoint::Tcp((ip, *port).into()))
                    .collect(),
                Lookup::Failed(why) => return Err(OpenError::Listen { at, why }),
                Lookup::Pending => return Err(OpenError::Pending { at }),
            },
            known => vec![known.clone()],
        };
        let mut failure = NetError::Unresolvable;
        for place in &places {
            let listening = net.listen(group, place, &self.options);
            failure = match listening.map(|sid| (sid, net.local(sid))) {
                Ok((sid, Ok(at))) => return Ok((sid, at)),
                Ok((sid, Err(why))) => {
                    // Clients would be queued there, and nobody take them.
                    net.close(sid);
                    why
                }
                Err(why) => why,
            };
        }
        Err(OpenError::Listen { at, why: failure })
    }

    /// Closes and opens again with the same owner, on the same address: a port that was picked by
    /// the system is kept.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn reopen(&mut self, net: &mut dyn Net) -> Result<(), OpenError> {
        self.open(net, self.owner)
    }

    /// Closes the listener and all connections at once; what is queued is dropped. Does nothing
    /// when closed.
    pub fn close(&mut self, net: &mut dyn Net) {
        let Some(group) = self.group.take() else {
            return;
        };
        self.listener = None;
        let reason = match self.ends {
            true => CloseReason::DrainCut,
            false => CloseReason::OwnerClosed,
        };
        for id in self.ids() {
            // A moment that frees no place: the listener is gone.
            self.end_one(id, reason, Tyme::ZERO, net);
        }
        (self.last_accepts, self.ends, self.drain) = (None, false, None);
        net.close_group(group);
        self.table.clear();
        self.ready.clear();
        self.asked.clear();
        self.ended.clear();
        self.accepts = Accepts::default();
        log::info!("no longer listening on {}", self.ha);
    }

    /// Listens no more, at once: who waits at the listener is sent away; connections go on. In most
    /// cases [`finish_listening`](Self::finish_listening) is what is wanted.
    pub fn stop_listening(&mut self, net: &mut dyn Net) {
        if let Some(listener) = self.listener.take() {
            net.close(listener);
        }
        self.last_accepts = None;
        self.accepts = Accepts::default();
    }

    /// Whether it is open: it listens, or it drains.
    #[must_use]
    pub const fn opened(&self) -> bool {
        self.group.is_some()
    }

    /// Whether it listens.
    #[must_use]
    pub const fn listening(&self) -> bool {
        self.listener.is_some()
    }

    /// Where it listens, or will: the bound address once it has been open. hio's `ha`.
    #[must_use]
    pub const fn ha(&self) -> &Endpoint {
        &self.ha
    }

    /// What a client on this machine dials: hio's `eha`.
    #[must_use]
    pub fn eha(&self) -> Endpoint {
        self.ha.dialable()
    }

    /// The listener's actual (send, receive) buffer sizes in bytes; (0, 0) when closed. hio's
    /// `actualBufSizes`.
    #[must_use]
    pub fn buffer_sizes(&self, net: &dyn Net) -> (usize, usize) {
        let sizes = self.listener.and_then(|l| net.buffer_sizes(l).ok());
        sizes.unwrap_or_default()
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

    /// What its connections hold now. O(connections).
    #[must_use]
    pub fn load(&self) -> Load {
        let mut load = Load {
            connections: self.len(),
            pooled: self.shared.pool.kept(),
            ..Load::default()
        };
        for remoter in self.table.iter() {
            load.rx += remoter.rx().len();
            load.tx += remoter.pending();
        }
        load
    }

    /// Gives the sockets to another owner.
    pub fn set_owner(&mut self, net: &mut dyn Net, owner: Owner) {
        self.owner = owner;
        if let Some(group) = self.group {
            net.set_owner(group, owner);
        }
    }

    /// When a service is needed next although nothing is ready: `tyme` itself when there is work
    /// to do now, [`Tyme::NEVER`] when only readiness counts.
    #[must_use]
    pub fn due(&self, tyme: Tyme) -> Tyme {
        if self.group.is_none() {
            return Tyme::NEVER;
        }
        match self.asked.is_empty() && self.ended.is_empty() {
            true => {
                let drain = self.drain.as_ref().map_or(Tyme::NEVER, |drain| drain.due());
                self.table.due().min(self.accepts.due()).min(drain)
            }
            false => tyme,
        }
    }
}

/// Looking at connections.
impl Server {
    /// How many connections there are; those that ended and can still be looked at included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there are no connections.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All connections in the order they were accepted: hio's `ixes`. O(n log n).
    pub fn remoters(&self) -> impl Iterator<Item = &Remoter> {
        let mut all: Vec<_> = self.table.iter().collect();
        all.sort_unstable_by_key(|remoter| remoter.id());
        all.into_iter()
    }

    /// The ids of all connections in the order they were accepted. O(n log n).
    #[must_use]
    pub fn ids(&self) -> Vec<RemoterId> {
        let mut ids: Vec<_> = self.table.iter().map(Remoter::id).collect();
        ids.sort_unstable();
        ids
    }

    /// The connections that the last [`service`](Self::service) has news of: they received,
    /// drained, were cut off or closed. In the order in which the net told of them.
    #[must_use]
    pub fn ready(&self) -> &[RemoterId] {
        &self.ready
    }

    /// A connection.
    #[must_use]
    pub fn get(&self, id: RemoterId) -> Option<&Remoter> {
        self.table.get(id)
    }

    /// A connection to be asked something. It gets a turn in the next service.
    pub fn get_mut(&mut self, id: RemoterId) -> Option<&mut Remoter> {
        let remoter = self.table.get_mut(id)?;
        if remoter.touch() {
            self.asked.push(id);
        }
        if remoter.closed().is_none() {
            remoter.lend(&mut self.shared.pool);
        }
        Some(remoter)
    }

    /// The connection of a TCP peer. O(n): to answer a peer, keep the id instead.
    #[must_use]
    pub fn id_of(&self, peer: &SocketAddr) -> Option<RemoterId> {
        let mut all = self.table.iter();
        all.find(|remoter| remoter.closed().is_none() && remoter.peer().addr() == Some(*peer))
            .map(Remoter::id)
    }

    /// Whether the last [`service`](Self::service) or
    /// [`service_each`](Self::service_each) made events, looked at or not.
    #[must_use]
    pub const fn has_news(&self) -> bool {
        self.events.fresh()
    }

    /// Takes the events that wait, oldest first. At most [`Limits::events_max`] are kept.
    pub fn events(&mut self) -> impl Iterator<Item = Event> + '_ {
        self.events.drain()
    }
}

/// Serving.
impl Server {
    /// Accepts, and serves every connection that is ready or was asked something: receives, calls
    /// `each` when there is news, sends. Then ends those that are out of time.
    ///
    /// `each` is called when bytes were received, a queue that waited was sent, a TLS handshake is
    /// over, the peer ended its side, or the connection is over. The call with [`Link::closed`](super::Link::closed) is the last for that
    /// connection, and every connection gets it, unless it is removed or the server closed; it is
    /// reaped afterwards.
    ///
    /// # Errors
    /// The listener is lost. All else was done nevertheless.
    pub fn service_each(
        &mut self,
        tyme: Tyme,
        net: &mut dyn Net,
        mut each: impl FnMut(&mut Remoter),
    ) -> Result<(), ListenerLost> {
        let Some(group) = self.group else {
            return Ok(());
        };
        self.reap();
        let mut marks = std::mem::take(&mut self.marks);
        let accepted = self.collect(tyme, net, group, &mut marks);
        if !self.asked.is_empty() {
            self.acts_each(tyme, net, &mut each);
        }
        self.turns_each(&marks, tyme, net, &mut each);
        marks.clear();
        self.marks = marks;
        if self.table.due() <= tyme {
            self.expire_each(tyme, net, &mut each);
        }
        if self.drain.is_some() {
            self.ebb(tyme, net, Some(&mut each));
        }
        accepted
    }

    /// hio's service: accepts, sends what was queued before, receives from all that are ready,
    /// and ends those that are out of time. Look at [`ready`](Self::ready) afterwards.
    ///
    /// Connections that ended stay until the next service.
    ///
    /// # Errors
    /// The listener is lost. All else was done nevertheless.
    pub fn service(&mut self, tyme: Tyme, net: &mut dyn Net) -> Result<(), ListenerLost> {
        let Some(group) = self.group else {
            return Ok(());
        };
        self.reap();
        let mut marks = std::mem::take(&mut self.marks);
        let accepted = self.collect(tyme, net, group, &mut marks);
        // Sends come first, unlike in hio: they may close a connection whose peer has ended its
        // side, and the user is to see that end before.
        self.service_sends(tyme, net);
        for &sid in &marks {
            self.receive_from(sid, tyme, net);
        }
        marks.clear();
        self.marks = marks;
        self.service_expiries(tyme, net);
        if self.drain.is_some() {
            self.ebb(tyme, net, None);
        }
        accepted
    }

    /// The first part of [`service`](Self::service): accepts.
    ///
    /// # Errors
    /// The listener is lost.
    pub fn service_accepts(&mut self, tyme: Tyme, net: &mut dyn Net) -> Result<(), ListenerLost> {
        let Some(group) = self.group else {
            return Ok(());
        };
        let mut marks = std::mem::take(&mut self.marks);
        let accepted = self.collect(tyme, net, group, &mut marks);
        marks.drain(..).for_each(|sid| net.mark(sid));
        self.marks = marks;
        accepted
    }

    /// The second part: reaps those that had ended before, and receives from all that are ready.
    pub fn service_receives(&mut self, tyme: Tyme, net: &mut dyn Net) {
        let Some(group) = self.group else {
            return;
        };
        self.reap();
        let mut marks = std::mem::take(&mut self.marks);
        net.ready(group, &mut marks);
        for sid in marks.drain(..) {
            match Some(sid) == self.listener {
                true => net.mark(sid),
                false => self.receive_from(sid, tyme, net),
            }
        }
        self.marks = marks;
    }

    /// The third part: sends what is queued, and does what else was asked for.
    pub fn service_sends(&mut self, tyme: Tyme, net: &mut dyn Net) {
        if self.asked.is_empty() {
            return;
        }
        let mut turns = std::mem::take(&mut self.turns);
        std::mem::swap(&mut turns, &mut self.asked);
        self.send_to(&turns, tyme, net);
        turns.clear();
        self.turns = turns;
    }

    /// The last part: ends the connections that are out of time.
    pub fn service_expiries(&mut self, tyme: Tyme, net: &mut dyn Net) {
        let mut turns = std::mem::take(&mut self.turns);
        self.table.expired(tyme, &mut turns);
        for id in turns.drain(..) {
            if self.expire(id, tyme, net) {
                self.show(id, News::CLOSED, tyme, net);
            }
        }
        self.turns = turns;
    }
}

/// How finely deadlines are sorted; they are kept exactly.
const GRANULE: Duration = Duration::from_millis(1);
