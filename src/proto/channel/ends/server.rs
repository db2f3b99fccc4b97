use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::local::LocalEnd;
use super::{Addr, LocalQueue, pump};
use crate::link::{Event, Limits, ListenerLost, OpenError, Remoter, RemoterId, Server};
use crate::net::{Endpoint, ListenOptions, Net, NetError, Owner};
use crate::proto::channel::{
    ChannelConfig, ChannelLimitsError, ChannelProtocol, ExtraInfo, SocketName,
};
use crate::tyme::Tyme;

/// Accepts channels and serves them: aiomas' `start_server`.
///
/// [`service_each`](Self::service_each) calls a closure with each channel that has something; what
/// the closure answers is sent at once. [`service`](Self::service) only takes in; one looks at
/// [`ready`](Self::ready) afterwards, and what is answered goes out with the next service, or with
/// [`service_sends`](Self::service_sends). [`ChannelServerDoer`](crate::doers::ChannelServerDoer)
/// does either.
///
/// ```
/// use hio::net::{Endpoint, MioNet, Owner};
/// use hio::proto::channel::{ChannelConfig, ChannelServer};
/// let at: Endpoint = "127.0.0.1:0".parse()?;
/// let mut server = ChannelServer::bind(at, &ChannelConfig::default())?;
/// let mut net = MioNet::new()?;
/// server.open(&mut net, Owner::NONE)?;
/// assert!(server.opened());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ChannelServer {
    config: ChannelConfig,
    way: Way,
    channels: BTreeMap<ChannelId, Accepted>,
    /// Deadlines of requests of ours, one a channel.
    deadlines: BTreeSet<(Tyme, ChannelId)>,
    /// Channels that have something to be done without readiness.
    bells: Bells,
    ready: Vec<ChannelId>,
    /// Channels whose connections had no room for all that was queued.
    stuck: Vec<ChannelId>,
    events: Vec<ServerEvent>,
    /// Channels that ended and can still be looked at.
    ended: Vec<ChannelId>,
    drain: Option<Drain>,
}

/// How far a drain is.
#[derive(Debug, Default)]
struct Drain {
    /// Channels may be busy until then, without a pause that counts.
    busy_until: Option<Tyme>,
    /// When to look for channels that are through.
    look_at: Tyme,
}

#[derive(Debug)]
enum Way {
    Link(Box<Server>),
    Local {
        queue: LocalQueue,
        open: bool,
        count: u64,
    },
}

type Bells = Arc<Mutex<Vec<ChannelId>>>;

/// A channel that was accepted. What is asked of it is asked of its [`ChannelProtocol`].
#[derive(Debug)]
pub struct Accepted {
    id: ChannelId,
    protocol: ChannelProtocol,
    place: Place,
    /// Its bell is not to be rung: it is looked at now. What comes silently is seen by the look
    /// that follows each turn, whose lock orders the two.
    quiet: Arc<AtomicBool>,
    /// The deadline that is in the server's set.
    armed: Tyme,
}

#[derive(Debug)]
enum Place {
    Link(RemoterId, Endpoint),
    Local(Option<LocalEnd>),
}

/// Names a channel of a server: how many it had accepted before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelId(u64);

impl fmt::Display for ChannelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "channel {}", self.0)
    }
}

/// Who came to a [`ChannelServer`] and who went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerEvent {
    /// A channel stands: aiomas' `client_connected_cb`.
    NewChannel(ChannelId),
    /// A channel's connection is over. It can be looked at until the next service.
    Closed(ChannelId),
}

impl Accepted {
    /// Its id, never used again in its server.
    #[must_use]
    pub const fn id(&self) -> ChannelId {
        self.id
    }

    /// The connection's id in the server below, if it is one.
    #[must_use]
    pub const fn remoter(&self) -> Option<RemoterId> {
        match &self.place {
            Place::Link(id, _) => Some(*id),
            Place::Local(_) => None,
        }
    }

    /// The other side, if it is a connection.
    #[must_use]
    pub const fn peer(&self) -> Option<&Endpoint> {
        match &self.place {
            Place::Link(_, peer) => Some(peer),
            Place::Local(_) => None,
        }
    }
}

impl Deref for Accepted {
    type Target = ChannelProtocol;

    fn deref(&self) -> &ChannelProtocol {
        &self.protocol
    }
}

impl DerefMut for Accepted {
    fn deref_mut(&mut self) -> &mut ChannelProtocol {
        &mut self.protocol
    }
}

/// Opening, closing, looking.
impl ChannelServer {
    /// A server at `at`, not open yet. Does no I/O.
    ///
    /// # Errors
    /// The limits cannot be kept.
    pub fn bind(at: impl Into<Addr>, config: &ChannelConfig) -> Result<Self, ChannelLimitsError> {
        Self::bind_with(at, config, ListenOptions::default(), Limits::default())
    }

    /// The same with options and limits of the connections below.
    ///
    /// # Errors
    /// The limits cannot be kept.
    pub fn bind_with(
        at: impl Into<Addr>,
        config: &ChannelConfig,
        options: ListenOptions,
        limits: Limits,
    ) -> Result<Self, ChannelLimitsError> {
        config.limits.validate()?;
        Ok(Self {
            config: config.clone(),
            way: match at.into() {
                Addr::At(at) => Way::Link(Box::new(Server::new(at, options, limits))),
                Addr::Local(queue) => Way::Local {
                    queue,
                    open: false,
                    count: 0,
                },
            },
            channels: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            bells: Bells::default(),
            ready: Vec::new(),
            stuck: Vec::new(),
            events: Vec::new(),
            ended: Vec::new(),
            drain: None,
        })
    }

    /// Speaks TLS. Within a process there is none.
    #[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
    #[must_use]
    pub fn with_tls(mut self, tls: crate::link::tls::ServerTls) -> Self {
        if let Way::Link(server) = &mut self.way {
            server.set_tls(Some(tls));
        }
        self
    }

    /// Starts to listen. One that is open is closed first.
    ///
    /// # Errors
    /// As [`Server::open`]; a queue on which somebody else listens is in use.
    pub fn open(&mut self, net: &mut dyn Net, owner: Owner) -> Result<(), OpenError> {
        self.close(net);
        match &mut self.way {
            Way::Link(server) => server.open(net, owner),
            Way::Local { queue, open, .. } => {
                *open = queue.listen();
                let (at, why) = (Endpoint::Unnamed, NetError::AddrInUse);
                match open {
                    true => Ok(()),
                    false => Err(OpenError::Listen { at, why }),
                }
            }
        }
    }

    /// Closes the listener and all channels at once.
    pub fn close(&mut self, net: &mut dyn Net) {
        for accepted in self.channels.values_mut() {
            accepted.protocol.connection_lost(None);
        }
        self.channels.clear();
        self.deadlines.clear();
        self.ended.clear();
        self.ready.clear();
        self.drain = None;
        match &mut self.way {
            Way::Link(server) => server.close(net),
            Way::Local { queue, open, .. } => {
                if std::mem::take(open) {
                    queue.shut();
                }
            }
        }
    }

    /// Comes to its end in order: who waits at the listener is still accepted, requests that have
    /// come are answered. A channel ends when no request of either side waits for its answer, none
    /// is half received, and one more read finds nothing; after the same pauses as a
    /// [server's](Server::drain) connections, or at once within a process.
    ///
    /// Service on until [`is_empty`](Self::is_empty), then [`close`](Self::close), which resets what is
    /// left. Requests that one means never to answer are best dropped when this begins.
    pub fn drain(&mut self, net: &mut dyn Net) {
        if self.drain.is_some() || !self.opened() {
            return;
        }
        self.drain = Some(Drain::default());
        match &mut self.way {
            Way::Link(server) => server.finish_listening(net),
            Way::Local { queue, .. } => queue.shut(),
        }
    }

    /// Whether it is open.
    #[must_use]
    pub fn opened(&self) -> bool {
        match &self.way {
            Way::Link(server) => server.opened(),
            Way::Local { open, .. } => *open,
        }
    }

    /// The server below, if it is one: where it listens, its limits and figures.
    #[must_use]
    pub fn server(&self) -> Option<&Server> {
        match &self.way {
            Way::Link(server) => Some(server),
            Way::Local { .. } => None,
        }
    }

    /// How many channels there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.channels.len()
    }

    /// Whether there are none, and none is to come from a listener that accepts its last ones.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let links = self.drain.is_some().then(|| self.server()).flatten();
        self.channels.is_empty() && links.is_none_or(|s| s.is_empty() && !s.listening())
    }

    /// The channels that the last service has found something for, in the order of their ids.
    #[must_use]
    pub fn ready(&self) -> &[ChannelId] {
        &self.ready
    }

    /// All channels in the order in which they were accepted.
    pub fn channels(&self) -> impl Iterator<Item = &Accepted> {
        self.channels.values()
    }

    /// A channel.
    #[must_use]
    pub fn get(&self, id: ChannelId) -> Option<&Accepted> {
        self.channels.get(&id)
    }

    /// A channel to be asked something. It gets a turn in the next service.
    pub fn get_mut(&mut self, id: ChannelId) -> Option<&mut Accepted> {
        let accepted = self.channels.get_mut(&id)?;
        ring(&self.bells, id);
        Some(accepted)
    }

    /// Whether the last service has found anything: requests, events, channels that came or went.
    #[must_use]
    pub fn has_news(&self) -> bool {
        !self.ready.is_empty() || !self.events.is_empty()
    }

    /// Takes what happened, oldest first. Only what happened since the last service is kept.
    pub fn events(&mut self) -> impl Iterator<Item = ServerEvent> + '_ {
        self.events.drain(..)
    }

    /// When a service is needed next although nothing is ready; `tyme` itself when there is work
    /// to do now, which there always may be within a process.
    #[must_use]
    pub fn due(&self, tyme: Tyme) -> Tyme {
        if !self.ended.is_empty() || !held(&self.bells).is_empty() {
            return tyme;
        }
        let due = self.deadlines.first().map_or(Tyme::NEVER, |(due, _)| *due);
        match &self.way {
            Way::Link(server) => {
                let look = self
                    .drain
                    .as_ref()
                    .map_or(Tyme::NEVER, |drain| drain.look_at);
                due.min(server.due(tyme)).min(look)
            }
            Way::Local { open: true, .. } => tyme,
            Way::Local { .. } => Tyme::NEVER,
        }
    }
}

/// Serving.
impl ChannelServer {
    /// Accepts, and serves every channel that is ready or was asked something. Look at
    /// [`ready`](Self::ready) afterwards.
    ///
    /// # Errors
    /// The listener is lost. All else was done nevertheless.
    pub fn service(&mut self, tyme: Tyme, net: &mut dyn Net) -> Result<(), ListenerLost> {
        self.serve(tyme, net, &mut |_: &mut Accepted| {})
    }

    /// As [`service`](Self::service), and calls `each` with every channel that has requests or
    /// events; what it answers is sent at once. The call with [`lost`](ChannelProtocol::lost) may
    /// be the last for a channel.
    ///
    /// # Errors
    /// The listener is lost. All else was done nevertheless.
    pub fn service_each(
        &mut self,
        tyme: Tyme,
        net: &mut dyn Net,
        mut each: impl FnMut(&mut Accepted),
    ) -> Result<(), ListenerLost> {
        self.serve(tyme, net, &mut each)
    }

    fn serve(
        &mut self,
        tyme: Tyme,
        net: &mut dyn Net,
        each: &mut dyn FnMut(&mut Accepted),
    ) -> Result<(), ListenerLost> {
        self.events.clear();
        self.ready.clear();
        for id in std::mem::take(&mut self.ended) {
            self.channels.remove(&id);
        }
        self.expire(tyme);
        let looks = self.looks(tyme);
        let served = match &self.way {
            Way::Link(_) if looks => self.serve_and_look(tyme, net, each),
            Way::Link(_) => self.serve_links(tyme, net, each),
            Way::Local { .. } => {
                self.serve_local(each);
                Ok(())
            }
        };
        self.ready.sort_unstable();
        self.ready.dedup();
        served
    }

    /// Whether it drains and looks for channels that are through now.
    fn looks(&self, tyme: Tyme) -> bool {
        self.drain
            .as_ref()
            .is_some_and(|drain| tyme >= drain.look_at)
    }

    /// Serves, and ends the channels that are through.
    fn serve_and_look(
        &mut self,
        tyme: Tyme,
        net: &mut dyn Net,
        each: &mut dyn FnMut(&mut Accepted),
    ) -> Result<(), ListenerLost> {
        let served = self.serve_links(tyme, net, each);
        self.end_resting(tyme, net);
        served
    }

    /// Ends the channels that are through.
    fn end_resting(&mut self, tyme: Tyme, net: &mut dyn Net) {
        let ids = self.resting(tyme);
        let Way::Link(server) = &mut self.way else {
            return;
        };
        for id in ids {
            let Some(accepted) = self.channels.get_mut(&id) else {
                continue;
            };
            let Some(remoter) = accepted.remoter() else {
                continue;
            };
            match server.close_if_silent(remoter, tyme, net) {
                true => accepted.protocol.close(),
                false => ring(&self.bells, id),
            }
            if server.get(remoter).is_none_or(|ix| ix.closed().is_some()) {
                accepted.protocol.connection_lost(None);
                self.ended.push(id);
                self.events.push(ServerEvent::Closed(id));
            }
        }
    }

    /// The channels on which nothing is under way, and was not for a while; or at all, when the
    /// drain has gone on for long.
    fn resting(&mut self, tyme: Tyme) -> Vec<ChannelId> {
        let empty = self.is_empty();
        let (Way::Link(server), Some(drain)) = (&self.way, &mut self.drain) else {
            return Vec::new();
        };
        let quiet = server.limits().drain_quiet;
        let busy_until = *drain.busy_until.get_or_insert(tyme + quiet * BUSY);
        drain.look_at = match empty {
            true => Tyme::NEVER,
            false => tyme + (quiet / LOOKS).max(Duration::from_millis(1)),
        };
        let mut ids: Vec<ChannelId> = self.channels.keys().copied().collect();
        ids.retain(|id| self.rests(*id, |active| tyme >= busy_until || active + quiet <= tyme));
        ids
    }

    /// Whether nothing is under way on a channel, and its last traffic is as wanted.
    fn rests(&self, id: ChannelId, wanted: impl Fn(Tyme) -> bool) -> bool {
        let (Some(accepted), Some(server)) = (self.channels.get(&id), self.server()) else {
            return false;
        };
        let remoter = accepted.remoter().and_then(|id| server.get(id));
        accepted.rests()
            && remoter.is_some_and(|remoter| {
                let idle = remoter.rx().is_empty() && remoter.pending() == 0;
                idle && remoter.connected() && wanted(remoter.active())
            })
    }

    fn serve_links(
        &mut self,
        tyme: Tyme,
        net: &mut dyn Net,
        each: &mut dyn FnMut(&mut Accepted),
    ) -> Result<(), ListenerLost> {
        let Way::Link(server) = &mut self.way else {
            return Ok(());
        };
        let rung = std::mem::take(&mut *held(&self.bells));
        for id in rung {
            let Some(accepted) = self.channels.get_mut(&id) else {
                continue;
            };
            let remoter = accepted.remoter().and_then(|id| server.get_mut(id));
            if let Some(remoter) = remoter {
                turn(remoter, accepted, each, &mut self.ready);
                if accepted.queued() > 0 {
                    self.stuck.push(id);
                }
            }
            arm(accepted, &mut self.deadlines);
        }
        let (config, bells) = (&self.config, &self.bells);
        let mut fresh = Vec::new();
        let served = server.service_each(tyme, net, |remoter| {
            let id = ChannelId(remoter.id().sequence());
            if !remoter.connected() && !self.channels.contains_key(&id) {
                return; // it never stood
            }
            let accepted = self.channels.entry(id).or_insert_with(|| {
                fresh.push((id, remoter.sid()));
                self.events.push(ServerEvent::NewChannel(id));
                welcome(remoter, config, bells)
            });
            turn(remoter, accepted, each, &mut self.ready);
            if accepted.queued() > 0 {
                self.stuck.push(id);
            }
            if remoter.closed().is_some() {
                self.ended.push(id);
                self.events.push(ServerEvent::Closed(id));
            }
            arm(accepted, &mut self.deadlines);
        });
        let came: Vec<RemoterId> = server
            .events()
            .filter_map(|event| match event {
                Event::Accepted(id) => Some(id),
                _ => None,
            })
            .collect();
        for remoter in came.into_iter().filter_map(|id| server.get(id)) {
            let id = ChannelId(remoter.id().sequence());
            if remoter.connected() && !self.channels.contains_key(&id) {
                fresh.push((id, remoter.sid()));
                self.events.push(ServerEvent::NewChannel(id));
                self.channels.insert(id, welcome(remoter, config, bells));
            }
        }
        for (id, sid) in fresh {
            if let Some(accepted) = self.channels.get_mut(&id) {
                pump::sockname(sid, net, &mut accepted.protocol);
            }
        }
        self.unstick();
        served
    }

    /// What was left over because a connection had no room goes on as soon as there is some. A
    /// connection that is full tells when it is not any more; one that has sent at once does not.
    fn unstick(&mut self) {
        let Way::Link(server) = &self.way else {
            return;
        };
        for id in self.stuck.drain(..) {
            let remoter = self.channels.get(&id).and_then(Accepted::remoter);
            let remoter = remoter.and_then(|id| server.get(id));
            if remoter.is_some_and(|remoter| remoter.connected() && remoter.room() > 0) {
                ring(&self.bells, id);
            }
        }
    }

    fn serve_local(&mut self, each: &mut dyn FnMut(&mut Accepted)) {
        let Way::Local { queue, count, .. } = &mut self.way else {
            return;
        };
        while let Some(end) = queue.accept() {
            let id = ChannelId(*count);
            *count += 1;
            let mut accepted =
                Accepted::new(id, &self.config, Place::Local(Some(end)), &self.bells);
            let local = Some(SocketName::Unix("local".to_owned()));
            accepted.protocol.connection_made(ExtraInfo {
                peername: local.clone(),
                sockname: local,
                ..ExtraInfo::default()
            });
            self.channels.insert(id, accepted);
            self.events.push(ServerEvent::NewChannel(id));
        }
        held(&self.bells).clear(); // every channel is looked at anyway
        for (id, accepted) in &mut self.channels {
            let Place::Local(Some(end)) = &accepted.place else {
                continue;
            };
            let mut standing = end.pump(&mut accepted.protocol);
            if accepted.has_news() {
                self.ready.push(*id);
                each(accepted);
            }
            if self.drain.is_some() && accepted.protocol.rests() {
                accepted.protocol.close();
            }
            if let Place::Local(Some(end)) = &accepted.place {
                standing = standing && end.pump(&mut accepted.protocol);
            }
            if !standing {
                accepted.place = Place::Local(None);
                self.ended.push(*id);
                self.events.push(ServerEvent::Closed(*id));
            }
            arm(accepted, &mut self.deadlines);
        }
    }

    /// Sends what is queued now.
    pub fn service_sends(&mut self, tyme: Tyme, net: &mut dyn Net) {
        let Way::Link(server) = &mut self.way else {
            return;
        };
        let rung = std::mem::take(&mut *held(&self.bells));
        for id in rung {
            let Some(accepted) = self.channels.get_mut(&id) else {
                continue;
            };
            let remoter = accepted.remoter().and_then(|id| server.get_mut(id));
            if let Some(remoter) = remoter {
                pump::outward(remoter, &mut accepted.protocol);
                if accepted.queued() > 0 {
                    self.stuck.push(id);
                }
                if !remoter.rx().is_empty() && accepted.wants_read() {
                    ring(&self.bells, id);
                }
            }
            arm(accepted, &mut self.deadlines);
        }
        server.service_sends(tyme, net);
        self.unstick();
    }

    fn expire(&mut self, tyme: Tyme) {
        while let Some(&(due, id)) = self.deadlines.first() {
            if due > tyme {
                break;
            }
            self.deadlines.pop_first();
            if let Some(accepted) = self.channels.get_mut(&id) {
                accepted.armed = Tyme::NEVER;
                accepted.protocol.expire(tyme);
                ring(&self.bells, id);
            }
        }
    }
}

impl Accepted {
    fn new(id: ChannelId, config: &ChannelConfig, place: Place, bells: &Bells) -> Self {
        let protocol = ChannelProtocol::new(config);
        let quiet = Arc::new(AtomicBool::new(false));
        let (bells, hushed) = (Arc::clone(bells), Arc::clone(&quiet));
        protocol.set_bell(Arc::new(move || {
            if !hushed.load(Ordering::Relaxed) {
                ring(&bells, id);
            }
        }));
        Self {
            id,
            protocol,
            place,
            quiet,
            armed: Tyme::NEVER,
        }
    }
}

/// A connection that stands becomes a channel.
fn welcome(remoter: &Remoter, config: &ChannelConfig, bells: &Bells) -> Accepted {
    let (id, peer) = (ChannelId(remoter.id().sequence()), remoter.peer());
    let info = pump::info(remoter, &peer);
    let mut accepted = Accepted::new(id, config, Place::Link(remoter.id(), peer), bells);
    accepted.protocol.connection_made(info);
    accepted
}

/// All that is to be done for one channel: takes in, shows, sends, until nothing more comes of it.
fn turn(
    remoter: &mut Remoter,
    accepted: &mut Accepted,
    each: &mut dyn FnMut(&mut Accepted),
    ready: &mut Vec<ChannelId>,
) {
    accepted.quiet.store(true, Ordering::Relaxed);
    loop {
        pump::inward(remoter, &mut accepted.protocol);
        if accepted.has_news() {
            ready.push(accepted.id);
            each(accepted);
        }
        pump::outward(remoter, &mut accepted.protocol);
        // What is wanted is taken: each turn leaves less.
        if remoter.rx().is_empty() || !accepted.wants_read() {
            break;
        }
    }
    accepted.quiet.store(false, Ordering::Relaxed);
}

/// Keeps the server's set at the soonest deadline of the channel.
fn arm(accepted: &mut Accepted, deadlines: &mut BTreeSet<(Tyme, ChannelId)>) {
    let due = accepted.protocol.due();
    if due != accepted.armed {
        deadlines.remove(&(accepted.armed, accepted.id));
        if due < Tyme::NEVER {
            deadlines.insert((due, accepted.id));
        }
        accepted.armed = due;
    }
}

/// Times [`Limits::drain_quiet`] that a busy channel goes on, as in [`Server::drain`].
const BUSY: u32 = 4;
/// Looks in the same time.
const LOOKS: u32 = 4;

fn ring(bells: &Bells, id: ChannelId) {
    let mut bells = held(bells);
    if bells.last() != Some(&id) {
        bells.push(id);
    }
}

fn held(bells: &Bells) -> std::sync::MutexGuard<'_, Vec<ChannelId>> {
    bells.lock().unwrap_or_else(PoisonError::into_inner)
}
