use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use bytes::Bytes;

use super::super::recent::{Recent, Seen};
use super::super::{
    Cause, CommunicatorError, CommunicatorEvent, CommunicatorLimits, CommunicatorState, Delivery,
    DeliveryId, Duplicates, MessageId, Rejection, RetryPolicy, SendFailure, SendId,
};
use super::transport::{Again, Attempt, Registered, Ticket, Transport, TransportEvent, World};
use crate::link::ListenerLost;
use crate::net::{Net, Owner};
use crate::tyme::Tyme;

/// What is done with a packet that came: the name of its sender's connection, and the packet.
pub type Handler = dyn FnMut(&str, &[u8]) -> Result<(), Rejection> + Send;

/// Sends packets to named peers and receives theirs, over any [`Transport`].
///
/// # The calls, in order
/// [`add_connection`](Self::add_connection) and a [receive handler](Self::set_receive_handler), then
/// [`initialize`](Self::initialize); then [`send`](Self::send) whenever there is something to send, and
/// [`service`](Self::service) whenever something is ready or [`due`](Self::due), with a look at
/// [`events`](Self::events) after it; in the end [`shutdown`](Self::shutdown), and service on while
/// [`is_closing`](Self::is_closing). [`close`](Self::close) ends it without waiting.
///
/// # What is promised
/// Each [`SendId`] has exactly one outcome: [`Sent`](CommunicatorEvent::Sent) when the receiver's
/// handler has returned well, else [`Failed`](CommunicatorEvent::Failed). How often a packet may
/// arrive is the [`RetryPolicy`]'s to say. There is no order among packets under way at the same time.
///
/// Outside a Doist, look at [`Net::woken`] before sleeping: a service that stopped at a limit leaves
/// a mark there (see [`Server`](crate::link::Server#outside-a-doist)).
///
/// ```
/// use hio::net::{NullNet, Owner};
/// use hio::proto::communicator::{
///     Communicator, CommunicatorEvent, LocalConnection, LocalNetwork, LocalTransport,
/// };
/// use hio::tyme::Tyme;
///
/// let (network, mut net) = (LocalNetwork::new(), NullNet::default());
/// let mut alice = Communicator::new(LocalTransport::new(&network, "alice"));
/// let mut bob = Communicator::new(LocalTransport::new(&network, "bob"));
/// alice.add_connection("my friend", LocalConnection::new("bob"))?;
/// bob.add_connection("her", LocalConnection::new("alice"))?;
/// bob.set_receive_handler(|from: &str, packet: &[u8]| {
///     assert_eq!((from, packet), ("her", &b"hello"[..]));
///     Ok(())
/// });
/// for communicator in [&mut alice, &mut bob] {
///     communicator.initialize(Tyme::ZERO, &mut net, Owner::NONE)?;
/// }
/// let id = alice.send("my friend", "hello")?;
/// alice.service(Tyme::ZERO, &mut net)?;
/// bob.service(Tyme::ZERO, &mut net)?;
/// alice.service(Tyme::ZERO, &mut net)?;
/// let outcome = alice.events().next();
/// assert_eq!(outcome, Some(CommunicatorEvent::Sent { id, attempts: 1 }));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Communicator<T: Transport> {
    transport: T,
    peers: Vec<Registered<T::Connection>>,
    recent: Vec<Recent<Ticket>>,
    state: CommunicatorState,
    handler: Option<Receiver>,
    limits: CommunicatorLimits,
    retry: RetryPolicy,
    duplicates: Duplicates,
    owner: Owner,
    run: u64,
    /// Of the next packet that is sent, and of the next that is received.
    next: (u64, u64),
    jobs: BTreeMap<SendId, Job>,
    pending_bytes: usize,
    /// Attempts that wait for their pause to end, by when.
    again: BTreeMap<(Tyme, SendId), ()>,
    deliveries: BTreeMap<DeliveryId, Open>,
    inbox_bytes: usize,
    events: VecDeque<CommunicatorEvent>,
    /// Scratch: kept for its storage.
    heard: Vec<TransportEvent>,
    /// Since the shutdown: when what is left is given up.
    closes: Option<Tyme>,
}

/// What is done with packets that come.
enum Receiver {
    Call(Box<Handler>),
    Events,
}

/// A packet that waits for its outcome.
struct Job {
    to: usize,
    packet: Bytes,
    attempts: u32,
    /// It waits for its first attempt.
    fresh: bool,
}

/// A packet that was received and waits for its acknowledgement.
struct Open {
    ticket: Ticket,
    from: usize,
    message: Option<MessageId>,
    /// Bytes that it counts for.
    len: usize,
}

impl<T: Transport + fmt::Debug> fmt::Debug for Communicator<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Communicator")
            .field("transport", &self.transport)
            .field("state", &self.state)
            .field("pending", &self.jobs.len())
            .finish_non_exhaustive()
    }
}

/// As its transport is shown: `HttpCommunicator(addr=localhost, port=80)`.
impl<T: Transport + fmt::Display> fmt::Display for Communicator<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.transport.fmt(f)
    }
}

/// Making and looking.
impl<T: Transport> Communicator<T> {
    /// One that knows nobody yet. Does no I/O.
    #[must_use]
    pub fn new(transport: T) -> Self {
        Self {
            transport,
            peers: Vec::new(),
            recent: Vec::new(),
            state: CommunicatorState::Uninitialized,
            handler: None,
            limits: CommunicatorLimits::default(),
            retry: RetryPolicy::default(),
            duplicates: Duplicates::default(),
            owner: Owner::NONE,
            run: 0,
            next: (0, 0),
            jobs: BTreeMap::new(),
            pending_bytes: 0,
            again: BTreeMap::new(),
            deliveries: BTreeMap::new(),
            inbox_bytes: 0,
            events: VecDeque::new(),
            heard: Vec::new(),
            closes: None,
        }
    }

    /// Sets the limits.
    #[must_use]
    pub const fn with_limits(mut self, limits: CommunicatorLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets how often a packet is tried.
    #[must_use]
    pub const fn with_retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// Sets what is done with packets that come twice.
    #[must_use]
    pub const fn with_duplicates(mut self, duplicates: Duplicates) -> Self {
        self.duplicates = duplicates;
        self
    }

    /// Where it is in its life.
    #[must_use]
    pub const fn state(&self) -> CommunicatorState {
        self.state
    }

    /// The limits.
    #[must_use]
    pub const fn limits(&self) -> &CommunicatorLimits {
        &self.limits
    }

    /// What carries the packets.
    #[must_use]
    pub const fn transport(&self) -> &T {
        &self.transport
    }

    /// What carries the packets, to be asked something.
    pub const fn transport_mut(&mut self) -> &mut T {
        &mut self.transport
    }

    /// The names, in the order in which they were added.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.peers.iter().map(|peer| peer.name.as_str())
    }

    /// The connection of that name.
    #[must_use]
    pub fn connection(&self, name: &str) -> Option<&T::Connection> {
        let peer = self.peers.iter().find(|peer| peer.name == name)?;
        Some(&peer.connection)
    }

    /// Packets that wait for their outcome.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.jobs.len()
    }

    /// Packets that were received and wait for their acknowledgement.
    #[must_use]
    pub fn unanswered(&self) -> usize {
        self.deliveries.len()
    }

    /// Takes the events that wait, oldest first. They are kept until then: at most one for each
    /// packet that was sent, and of packets that came as many as
    /// [may wait](CommunicatorLimits::inbox_bytes_max).
    pub fn events(&mut self) -> impl Iterator<Item = CommunicatorEvent> + '_ {
        self.events.drain(..)
    }

    /// Whether events wait.
    #[must_use]
    pub fn has_news(&self) -> bool {
        !self.events.is_empty()
    }

    /// When a service is needed next although nothing is ready; `tyme` itself when there is work to
    /// do now.
    #[must_use]
    pub fn due(&self, tyme: Tyme) -> Tyme {
        if self.state == CommunicatorState::Uninitialized {
            return Tyme::NEVER;
        }
        if self.jobs.values().any(|job| job.fresh) {
            return tyme;
        }
        let again = self.again.first_key_value();
        let again = again.map_or(Tyme::NEVER, |((at, _), ())| *at);
        let transport = self.transport.due(&self.peers, tyme);
        transport.min(again).min(self.closes.unwrap_or(Tyme::NEVER))
    }

    fn check(
        &self,
        action: &'static str,
        wanted: CommunicatorState,
    ) -> Result<(), CommunicatorError> {
        match self.state == wanted {
            true => Ok(()),
            false => Err(CommunicatorError::IllegalState {
                action,
                state: self.state,
            }),
        }
    }
}

/// Receiving.
impl<T: Transport> Communicator<T> {
    /// Calls this with each packet that comes, in place of what was set before. It may be set and
    /// replaced at any time. What it says is what the sender is told; a packet that comes while
    /// nothing is set is refused.
    pub fn set_receive_handler(
        &mut self,
        handler: impl FnMut(&str, &[u8]) -> Result<(), Rejection> + Send + 'static,
    ) {
        self.handler = Some(Receiver::Call(Box::new(handler)));
    }

    /// The same by the name that the seed's text has for it.
    pub fn register_receive_handler(
        &mut self,
        handler: impl FnMut(&str, &[u8]) -> Result<(), Rejection> + Send + 'static,
    ) {
        self.set_receive_handler(handler);
    }

    /// Packets come as [events](CommunicatorEvent::Received) from now on, and their senders wait
    /// until [`acknowledge`](Self::acknowledge) or [`reject`](Self::reject) is called.
    pub fn receive_events(&mut self) {
        self.handler = Some(Receiver::Events);
    }

    /// The handler, to be called by hand.
    ///
    /// # Errors
    /// [`HandlerNotSet`](CommunicatorError::HandlerNotSet) when there is none.
    pub fn receive_handler(&mut self) -> Result<&mut Handler, CommunicatorError> {
        match &mut self.handler {
            Some(Receiver::Call(handler)) => Ok(&mut **handler),
            _ => Err(CommunicatorError::HandlerNotSet),
        }
    }

    /// Tells the sender that its packet was taken. It goes out with the next service, or at once
    /// with [`service_sends`](Self::service_sends).
    ///
    /// # Errors
    /// [`NoSuchDelivery`](CommunicatorError::NoSuchDelivery) when it was answered before, or the
    /// communicator is closed. That the sender is gone meanwhile is no error: when it sends the
    /// packet again, it gets this answer.
    pub fn acknowledge(
        &mut self,
        id: DeliveryId,
        tyme: Tyme,
        net: &mut dyn Net,
    ) -> Result<(), CommunicatorError> {
        self.answer(id, &Ok(()), tyme, net)
    }

    /// Tells the sender why its packet was not taken.
    ///
    /// # Errors
    /// As [`acknowledge`](Self::acknowledge).
    pub fn reject(
        &mut self,
        id: DeliveryId,
        why: Rejection,
        tyme: Tyme,
        net: &mut dyn Net,
    ) -> Result<(), CommunicatorError> {
        self.answer(id, &Err(why), tyme, net)
    }

    fn answer(
        &mut self,
        id: DeliveryId,
        how: &Result<(), Rejection>,
        tyme: Tyme,
        net: &mut dyn Net,
    ) -> Result<(), CommunicatorError> {
        let open = self.deliveries.remove(&id);
        let open = open.ok_or(CommunicatorError::NoSuchDelivery)?;
        self.inbox_bytes -= open.len;
        let mut tickets = vec![open.ticket];
        if let Some(message) = open.message {
            tickets.extend(self.recent[open.from].answered(message, how));
        }
        let mut world = World {
            tyme,
            net,
            owner: self.owner,
            limits: &self.limits,
        };
        for ticket in tickets {
            self.transport.answer(ticket, how, &mut world);
        }
        Ok(())
    }
}

/// The life cycle, and sending.
impl<T: Transport> Communicator<T> {
    /// Adds a peer.
    ///
    /// # Errors
    /// [`IllegalState`](CommunicatorError::IllegalState) once it was initialized, else
    /// [`DuplicateName`](CommunicatorError::DuplicateName).
    pub fn add_connection(
        &mut self,
        name: impl Into<String>,
        connection: T::Connection,
    ) -> Result<(), CommunicatorError> {
        self.check("add_connection", CommunicatorState::Uninitialized)?;
        let name = name.into();
        if self.peers.iter().any(|peer| peer.name == name) {
            return Err(CommunicatorError::DuplicateName(name));
        }
        self.peers.push(Registered { name, connection });
        self.recent.push(Recent::new());
        Ok(())
    }

    /// Listens, and prepares the connections. `owner` is woken when something is ready.
    ///
    /// # Errors
    /// [`IllegalState`](CommunicatorError::IllegalState) unless it is new; or it
    /// [cannot listen](CommunicatorError::Open), and is as it was before.
    pub fn initialize(
        &mut self,
        tyme: Tyme,
        net: &mut dyn Net,
        owner: Owner,
    ) -> Result<(), CommunicatorError> {
        self.check("start", CommunicatorState::Uninitialized)?;
        let mut run = [0; 8];
        net.entropy(&mut run);
        (self.run, self.owner) = (u64::from_le_bytes(run), owner);
        let mut world = World {
            tyme,
            net,
            owner,
            limits: &self.limits,
        };
        self.transport.init(&mut self.peers, &mut world)?;
        self.state = CommunicatorState::Started;
        Ok(())
    }

    /// Queues a packet for a peer. The next service sends it; its outcome is an event with the id.
    ///
    /// # Errors
    /// [`IllegalState`](CommunicatorError::IllegalState) unless it is started, then
    /// [`UnknownConnection`](CommunicatorError::UnknownConnection); or a limit is reached.
    pub fn send(
        &mut self,
        recipient: &str,
        packet: impl Into<Bytes>,
    ) -> Result<SendId, CommunicatorError> {
        self.check("send", CommunicatorState::Started)?;
        let to = self.peers.iter().position(|peer| peer.name == recipient);
        let to = to.ok_or_else(|| CommunicatorError::UnknownConnection(recipient.to_owned()))?;
        let packet = packet.into();
        let (len, max) = (packet.len(), self.limits.packet_bytes_max);
        if len > max {
            return Err(CommunicatorError::TooLarge { len, max });
        }
        let bytes = self.pending_bytes + len;
        // One of any length may always be sent.
        let full = bytes > self.limits.pending_bytes_max && self.pending_bytes > 0;
        if full || self.jobs.len() >= self.limits.pending_max {
            return Err(CommunicatorError::TooManyPending);
        }
        let id = SendId(self.next.0);
        self.next.0 += 1;
        self.pending_bytes = bytes;
        self.jobs.insert(
            id,
            Job {
                to,
                packet,
                attempts: 0,
                fresh: true,
            },
        );
        Ok(id)
    }

    /// Ends it: connections are closed, packets that wait for their outcome fail, no more are
    /// received. Service on while [`is_closing`](Self::is_closing), so that packets that came before
    /// are answered.
    ///
    /// # Errors
    /// [`IllegalState`](CommunicatorError::IllegalState) unless it is started.
    pub fn shutdown(&mut self, tyme: Tyme, net: &mut dyn Net) -> Result<(), CommunicatorError> {
        self.check("shutdown", CommunicatorState::Started)?;
        self.state = CommunicatorState::Stopped;
        self.closes = Some(tyme + self.limits.drain);
        let mut world = World {
            tyme,
            net,
            owner: self.owner,
            limits: &self.limits,
        };
        self.transport.shutdown(&mut self.peers, &mut world);
        self.fail_all();
        Ok(())
    }

    /// Whether it was shut down and packets that came before are still being answered.
    #[must_use]
    pub const fn is_closing(&self) -> bool {
        self.closes.is_some()
    }

    /// Ends it without waiting for anything, from any state but the first.
    pub fn close(&mut self, net: &mut dyn Net) {
        self.transport.close(&mut self.peers, net);
        if self.state == CommunicatorState::Started {
            self.state = CommunicatorState::Stopped;
            self.fail_all();
        }
        self.closes = None;
        self.deliveries.clear();
        self.inbox_bytes = 0;
    }

    fn fail_all(&mut self) {
        self.again.clear();
        let ids: Vec<SendId> = self.jobs.keys().copied().collect();
        for id in ids {
            self.finish(id, Err(Cause::Shutdown));
        }
    }

    /// The one outcome of a packet.
    fn finish(&mut self, id: SendId, how: Result<(), Cause>) {
        let Some(job) = self.jobs.remove(&id) else {
            return;
        };
        self.pending_bytes -= job.packet.len();
        let peer = &self.peers[job.to];
        self.events.push_back(match how {
            Ok(()) => CommunicatorEvent::Sent {
                id,
                attempts: job.attempts,
            },
            Err(cause) => CommunicatorEvent::Failed {
                id,
                failure: SendFailure {
                    recipient: peer.name.clone(),
                    connection: peer.connection.to_string(),
                    network_id: self.transport.network_id(&peer.connection),
                    attempts: job.attempts,
                    cause,
                },
            },
        });
    }
}

/// Serving.
impl<T: Transport> Communicator<T> {
    /// Sends, receives, calls the handler, tries again what is due.
    ///
    /// # Errors
    /// A listener is lost. All else was done nevertheless.
    pub fn service(&mut self, tyme: Tyme, net: &mut dyn Net) -> Result<(), ListenerLost> {
        if self.state == CommunicatorState::Uninitialized {
            return Ok(());
        }
        self.begin(tyme, net);
        let mut heard = std::mem::take(&mut self.heard);
        let mut world = World {
            tyme,
            net,
            owner: self.owner,
            limits: &self.limits,
        };
        let served = self
            .transport
            .service(&mut self.peers, &mut world, &mut heard);
        for event in heard.drain(..) {
            self.hear(event, tyme, net);
        }
        self.heard = heard;
        self.service_sends(tyme, net);
        let over = self.transport.is_idle() && self.deliveries.is_empty();
        if self.closes.is_some_and(|at| over || at <= tyme) {
            self.close(net);
        }
        served
    }

    /// Sends what is queued now: what was sent or answered since the last service.
    pub fn service_sends(&mut self, tyme: Tyme, net: &mut dyn Net) {
        if self.state == CommunicatorState::Uninitialized {
            return;
        }
        self.begin(tyme, net);
        let mut world = World {
            tyme,
            net,
            owner: self.owner,
            limits: &self.limits,
        };
        self.transport.flush(&mut self.peers, &mut world);
    }

    /// Begins the attempts that are due.
    fn begin(&mut self, tyme: Tyme, net: &mut dyn Net) {
        let mut due: Vec<SendId> = Vec::new();
        while let Some(entry) = self.again.first_entry() {
            if entry.key().0 > tyme {
                break;
            }
            due.push(entry.remove_entry().0.1);
        }
        let fresh = self.jobs.iter().filter(|(_, job)| job.fresh);
        due.extend(fresh.map(|(id, _)| *id));
        let mut world = World {
            tyme,
            net,
            owner: self.owner,
            limits: &self.limits,
        };
        for id in due {
            let Some(job) = self.jobs.get_mut(&id) else {
                continue;
            };
            job.fresh = false;
            job.attempts += 1;
            let message = MessageId {
                run: self.run,
                number: id.0,
            };
            let attempt = Attempt {
                id,
                to: job.to,
                message,
                packet: job.packet.clone(),
            };
            self.transport.send(&mut self.peers, attempt, &mut world);
        }
    }

    fn hear(&mut self, event: TransportEvent, tyme: Tyme, net: &mut dyn Net) {
        match event {
            TransportEvent::Sent(id) => self.finish(id, Ok(())),
            TransportEvent::Failed { id, cause, again } => self.failed(id, cause, again, tyme),
            TransportEvent::Received {
                ticket,
                from,
                packet,
                message,
            } => {
                let open = Open {
                    ticket,
                    from,
                    message,
                    len: packet.len() + DELIVERY_BYTES,
                };
                self.deliver(open, packet, tyme, net);
            }
        }
    }

    fn failed(&mut self, id: SendId, cause: Cause, again: Again, tyme: Tyme) {
        let Some(job) = self.jobs.get(&id) else {
            return;
        };
        let may = match again {
            Again::Never => false,
            Again::Safe => true,
            Again::Uncertain => self.retry.delivery == Delivery::AtLeastOnce,
        };
        match may && job.attempts < self.retry.attempts_max {
            true => {
                log::debug!(
                    "{}: {cause}; again in {:?}",
                    self.peers[job.to].name,
                    self.retry.delay
                );
                self.again.insert((tyme + self.retry.delay, id), ());
            }
            false => self.finish(id, Err(cause)),
        }
    }

    /// A packet came.
    fn deliver(&mut self, open: Open, packet: Bytes, tyme: Tyme, net: &mut dyn Net) {
        let most = self.limits.remembered_max;
        if self.inbox_bytes + open.len > self.limits.inbox_bytes_max && self.inbox_bytes > 0 {
            let why = Err(Rejection::failed("too many packets wait to be looked at"));
            let mut world = World {
                tyme,
                net,
                owner: self.owner,
                limits: &self.limits,
            };
            return self.transport.answer(open.ticket, &why, &mut world);
        }
        let seen = match open.message {
            Some(id) => self.recent[open.from].note(id, open.ticket, most),
            None => Seen::New,
        };
        let duplicate = seen != Seen::New;
        let mut world = World {
            tyme,
            net,
            owner: self.owner,
            limits: &self.limits,
        };
        match (seen, self.duplicates) {
            (Seen::Waiting, _) => return,
            (Seen::Answered(how), Duplicates::Drop) => {
                return self.transport.answer(open.ticket, &how, &mut world);
            }
            _ => {}
        }
        let id = DeliveryId(self.next.1);
        self.next.1 += 1;
        let from = self.peers[open.from].name.clone();
        self.inbox_bytes += open.len;
        self.deliveries.insert(id, open);
        let how = match &mut self.handler {
            Some(Receiver::Events) => {
                self.events.push_back(CommunicatorEvent::Received {
                    id,
                    from,
                    packet,
                    duplicate,
                });
                return;
            }
            Some(Receiver::Call(handler)) => handler(&from, &packet),
            None => Err(Rejection::failed(CommunicatorError::HandlerNotSet)),
        };
        // It was put in just now.
        let _ = self.answer(id, &how, tyme, net);
    }
}

/// What a packet that waits for its acknowledgement counts for, beside its length.
const DELIVERY_BYTES: usize = 256;
