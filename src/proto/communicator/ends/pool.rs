//! Objects with ids between named clients: tno's `Pool`.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::time::Duration;

use super::super::{
    CommunicatorError, CommunicatorEvent, Object, PackError, Packer, Rejection, SendFailure, SendId,
};
use super::communicator::Communicator;
use super::transport::Transport;
use crate::link::ListenerLost;
use crate::net::{Net, Owner};
use crate::tyme::Tyme;

/// Names a [`recv`](Pool::recv). Never used again by its pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReceiveId(u64);

/// What a client was sent and has sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolCounters {
    /// Bytes of packets that were sent and acknowledged.
    pub total_bytes_sent: u64,
    /// Bytes of packets that came.
    pub total_bytes_recv: u64,
    /// Messages that were sent; the next one's id, unless it is given one.
    pub msg_send_counter: u64,
    /// Messages that were asked for by [`Pool::recv`]; the next one's id, unless it is given one.
    pub msg_recv_counter: u64,
}

/// Why an object is not sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PoolSendError {
    /// The communicator refuses it.
    #[error(transparent)]
    Communicator(#[from] CommunicatorError),
    /// It cannot be packed.
    #[error(transparent)]
    Pack(#[from] PackError),
}

/// Why a message was not received.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PoolError {
    /// There is no such client.
    #[error("No connection registered with name '{0}'")]
    UnknownClient(String),
    /// The same message is waited for already.
    #[error("the message '{0}' is waited for already")]
    Awaited(String),
    /// It did not come in time.
    #[error(
        "Did not receive the requested messages within the specified timeout of {} seconds.",
        .0.as_secs_f64()
    )]
    TimedOut(Duration),
    /// The pool was shut down.
    #[error("the pool was shut down")]
    Shutdown,
}

/// What happened in a pool.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum PoolEvent {
    /// A message was received that was waited for.
    Received {
        /// Who waited.
        id: ReceiveId,
        /// The name of the client.
        from: String,
        /// The message's id.
        message_id: String,
        /// What it says.
        object: Object,
    },
    /// It was not.
    Missed {
        /// Who waited.
        id: ReceiveId,
        /// The name of the client.
        from: String,
        /// The message's id.
        message_id: String,
        /// Why.
        why: PoolError,
    },
    /// A message came that nobody waits for: [`recv`](Pool::recv) has it at once.
    Arrived {
        /// The name of the client.
        from: String,
        /// The message's id.
        message_id: String,
    },
    /// A message was delivered.
    Sent(SendId),
    /// It was not, or it is not known whether it was.
    Failed(SendId, SendFailure),
}

#[derive(Debug, Default)]
struct Client {
    counters: PoolCounters,
    /// Messages that came and nobody waited for, by id and in the order in which they came.
    buffer: BTreeMap<String, VecDeque<(Object, usize)>>,
    waiting: BTreeMap<String, Waiting>,
}

#[derive(Debug)]
struct Waiting {
    id: ReceiveId,
    until: Tyme,
    timeout: Duration,
}

/// A communicator for objects: each message has an id, and is received by it in whatever order.
///
/// Without ids of one's own they are `0`, `1`, `2`, … for each client and direction. Messages that
/// nobody waits for are kept until somebody asks, as far as
/// [`CommunicatorLimits::inbox_bytes_max`](super::super::CommunicatorLimits::inbox_bytes_max) goes;
/// beyond it their senders are refused. Messages of the same id are received in the order in which
/// they came.
///
/// ```
/// use hio::net::{NullNet, Owner};
/// use hio::proto::communicator::{
///     Communicator, LocalConnection, LocalNetwork, LocalTransport, Object, Pool, PoolEvent,
/// };
/// use hio::tyme::Tyme;
///
/// let (network, mut net, now) = (LocalNetwork::new(), NullNet::default(), Tyme::ZERO);
/// let mut alice = Pool::new("alice", Communicator::new(LocalTransport::new(&network, "alice")));
/// let mut bob = Pool::new("bob", Communicator::new(LocalTransport::new(&network, "bob")));
/// alice.add_client("bob", LocalConnection::new("bob"))?;
/// bob.add_client("alice", LocalConnection::new("alice"))?;
/// alice.initialize(now, &mut net, Owner::NONE)?;
/// bob.initialize(now, &mut net, Owner::NONE)?;
/// alice.send("bob", &Object::Tuple(vec![1.into(), "x".into()]), None)?;
/// let id = bob.recv("alice", None, None, now)?;
/// alice.service(now, &mut net)?;
/// bob.service(now, &mut net)?;
/// let Some(PoolEvent::Received { object, .. }) = bob.events().next() else {
///     panic!("{id:?}")
/// };
/// assert_eq!(object, Object::Tuple(vec![1.into(), "x".into()]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Pool<T: Transport> {
    name: String,
    communicator: Communicator<T>,
    packer: Packer,
    timeout: Option<Duration>,
    clients: BTreeMap<String, Client>,
    /// Sends under way: to whom, how many bytes.
    sends: BTreeMap<SendId, (String, usize)>,
    buffered: usize,
    next: u64,
    events: VecDeque<PoolEvent>,
}

impl<T: Transport> fmt::Debug for Pool<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("name", &self.name)
            .field("clients", &self.clients.len())
            .finish_non_exhaustive()
    }
}

/// Making and looking.
impl<T: Transport> Pool<T> {
    /// A pool over a communicator, whose packets it takes from now on.
    #[must_use]
    pub fn new(name: impl Into<String>, mut communicator: Communicator<T>) -> Self {
        communicator.receive_events();
        Self {
            name: name.into(),
            communicator,
            packer: Packer::new(),
            timeout: Some(Duration::from_secs(3)),
            clients: BTreeMap::new(),
            sends: BTreeMap::new(),
            buffered: 0,
            next: 0,
            events: VecDeque::new(),
        }
    }

    /// Sets another packer.
    #[must_use]
    pub fn with_packer(mut self, packer: Packer) -> Self {
        self.packer = packer;
        self
    }

    /// Sets how long a [`recv`](Self::recv) waits that says nothing else; `None` for ever. Default
    /// 3 s.
    #[must_use]
    pub const fn with_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.timeout = timeout;
        self
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The communicator below.
    #[must_use]
    pub const fn communicator(&self) -> &Communicator<T> {
        &self.communicator
    }

    /// The names of its clients, ascending.
    pub fn clients(&self) -> impl Iterator<Item = &str> {
        self.clients.keys().map(String::as_str)
    }

    /// What was sent to a client and received of it.
    #[must_use]
    pub fn counters(&self, client: &str) -> Option<PoolCounters> {
        self.clients.get(client).map(|client| client.counters)
    }

    /// Whether a message is there that nobody has asked for; of any id without one.
    #[must_use]
    pub fn has_message(&self, client: &str, message_id: Option<&str>) -> bool {
        let buffer = self.clients.get(client).map(|client| &client.buffer);
        buffer.is_some_and(|buffer| match message_id {
            Some(id) => buffer.contains_key(id),
            None => !buffer.is_empty(),
        })
    }

    /// Drops the messages of a client that nobody has asked for, or of all clients.
    pub fn empty(&mut self, client: Option<&str>) {
        for (name, one) in &mut self.clients {
            if client.is_none_or(|client| client == name) {
                let all = std::mem::take(&mut one.buffer).into_values().flatten();
                self.buffered -= all.map(|(_, len)| len).sum::<usize>();
            }
        }
    }

    /// Takes the events that wait, oldest first.
    pub fn events(&mut self) -> impl Iterator<Item = PoolEvent> + '_ {
        self.events.drain(..)
    }

    /// Whether events wait.
    #[must_use]
    pub fn has_news(&self) -> bool {
        !self.events.is_empty()
    }

    /// When a service is needed next although nothing is ready.
    #[must_use]
    pub fn due(&self, tyme: Tyme) -> Tyme {
        let waiting = self.clients.values().flat_map(|c| c.waiting.values());
        let soonest = waiting.map(|waiting| waiting.until).min();
        self.communicator
            .due(tyme)
            .min(soonest.unwrap_or(Tyme::NEVER))
    }
}

/// The life cycle.
impl<T: Transport> Pool<T> {
    /// Adds a client.
    ///
    /// # Errors
    /// As [`Communicator::add_connection`].
    pub fn add_client(
        &mut self,
        name: impl Into<String>,
        connection: T::Connection,
    ) -> Result<(), CommunicatorError> {
        let name = name.into();
        self.communicator.add_connection(name.clone(), connection)?;
        self.clients.insert(name, Client::default());
        Ok(())
    }

    /// Begins.
    ///
    /// # Errors
    /// As [`Communicator::initialize`].
    pub fn initialize(
        &mut self,
        tyme: Tyme,
        net: &mut dyn Net,
        owner: Owner,
    ) -> Result<(), CommunicatorError> {
        self.communicator.initialize(tyme, net, owner)
    }

    /// Ends: who waits for a message, misses it; the rest is as [`Communicator::shutdown`].
    ///
    /// # Errors
    /// As [`Communicator::shutdown`].
    pub fn shutdown(&mut self, tyme: Tyme, net: &mut dyn Net) -> Result<(), CommunicatorError> {
        self.communicator.shutdown(tyme, net)?;
        for (name, client) in &mut self.clients {
            for (message_id, waiting) in std::mem::take(&mut client.waiting) {
                self.events.push_back(PoolEvent::Missed {
                    id: waiting.id,
                    from: name.clone(),
                    message_id,
                    why: PoolError::Shutdown,
                });
            }
            log::info!("{}: client {name}: {:?}", self.name, client.counters);
        }
        self.look(tyme, net);
        Ok(())
    }

    /// Whether it was shut down and is not over yet: service on.
    #[must_use]
    pub const fn is_closing(&self) -> bool {
        self.communicator.is_closing()
    }

    /// Ends without waiting for anything.
    pub fn close(&mut self, net: &mut dyn Net) {
        self.communicator.close(net);
    }
}

/// Sending and receiving.
impl<T: Transport> Pool<T> {
    /// Sends an object to a client, under an id or the next number.
    ///
    /// # Errors
    /// It cannot be packed, or [`Communicator::send`] refuses it. The number is not used up then.
    pub fn send(
        &mut self,
        client: &str,
        object: &Object,
        message_id: Option<&str>,
    ) -> Result<SendId, PoolSendError> {
        let number = self.number_for(client)?;
        // As in Python, an empty id is none.
        let message_id = message_id.filter(|id| !id.is_empty());
        let packet = self.packer.pack(object, message_id.unwrap_or(&number))?;
        self.send_packet(client, packet)
    }

    /// Sends an object to several clients, or to all.
    ///
    /// # Errors
    /// As [`send`](Self::send). Those before the one that failed were sent to.
    pub fn broadcast(
        &mut self,
        object: &Object,
        message_id: &str,
        clients: Option<&[&str]>,
    ) -> Result<Vec<SendId>, PoolSendError> {
        let names: Vec<String> = match clients {
            Some(names) => names.iter().map(|name| (*name).to_owned()).collect(),
            None => self.clients.keys().cloned().collect(),
        };
        let numbers = names.iter().map(|name| self.number_for(name));
        let numbers = numbers.collect::<Result<Vec<String>, _>>()?;
        let ids = numbers.iter().map(|number| match message_id.is_empty() {
            true => number.as_str(),
            false => message_id,
        });
        let packets = self.packer.pack_multiple(object, ids)?;
        let all = names.iter().zip(packets);
        all.map(|(name, packet)| self.send_packet(name, packet))
            .collect()
    }

    fn number_for(&self, client: &str) -> Result<String, CommunicatorError> {
        let known = self.clients.get(client);
        let known = known.ok_or_else(|| CommunicatorError::UnknownConnection(client.to_owned()));
        Ok(known?.counters.msg_send_counter.to_string())
    }

    fn send_packet(&mut self, client: &str, packet: Vec<u8>) -> Result<SendId, PoolSendError> {
        let len = packet.len();
        let id = self.communicator.send(client, packet)?;
        if let Some(client) = self.clients.get_mut(client) {
            client.counters.msg_send_counter += 1;
        }
        self.sends.insert(id, (client.to_owned(), len));
        Ok(id)
    }

    /// Asks for a message of a client, by its id or the next number. It comes as an
    /// [event](PoolEvent::Received), at once when it is there already; or it is
    /// [missed](PoolEvent::Missed) after `timeout`, or the pool's.
    ///
    /// # Errors
    /// There is no such client, or the message is waited for already.
    pub fn recv(
        &mut self,
        client: &str,
        message_id: Option<&str>,
        timeout: Option<Duration>,
        tyme: Tyme,
    ) -> Result<ReceiveId, PoolError> {
        let (name, of) = (client, self.clients.get_mut(client));
        let client = of.ok_or_else(|| PoolError::UnknownClient(name.to_owned()))?;
        let message_id = match message_id.filter(|id| !id.is_empty()) {
            Some(id) => id.to_owned(),
            None => client.counters.msg_recv_counter.to_string(),
        };
        if client.waiting.contains_key(&message_id) {
            return Err(PoolError::Awaited(message_id));
        }
        client.counters.msg_recv_counter += 1;
        let id = ReceiveId(self.next);
        self.next += 1;
        if let Some((object, len)) = client.take(&message_id) {
            self.buffered -= len;
            self.events.push_back(PoolEvent::Received {
                id,
                from: name.to_owned(),
                message_id,
                object,
            });
            return Ok(id);
        }
        // As in Python, no time at all is no time of its own.
        let timeout = timeout.filter(|t| !t.is_zero()).or(self.timeout);
        let waiting = Waiting {
            id,
            until: timeout.map_or(Tyme::NEVER, |timeout| tyme + timeout),
            timeout: timeout.unwrap_or(Duration::MAX),
        };
        client.waiting.insert(message_id, waiting);
        Ok(id)
    }

    /// Asks for a message of several clients, or of all: an id for each, in that order.
    ///
    /// # Errors
    /// As [`recv`](Self::recv). Those before the one that failed are waited for.
    pub fn recv_all(
        &mut self,
        clients: Option<&[&str]>,
        message_id: Option<&str>,
        timeout: Option<Duration>,
        tyme: Tyme,
    ) -> Result<Vec<ReceiveId>, PoolError> {
        let names: Vec<String> = match clients {
            Some(names) => names.iter().map(|name| (*name).to_owned()).collect(),
            None => self.clients.keys().cloned().collect(),
        };
        let all = names.iter();
        all.map(|name| self.recv(name, message_id, timeout, tyme))
            .collect()
    }
}

impl Client {
    fn take(&mut self, message_id: &str) -> Option<(Object, usize)> {
        let queue = self.buffer.get_mut(message_id)?;
        let first = queue.pop_front();
        if queue.is_empty() {
            self.buffer.remove(message_id);
        }
        first
    }
}

/// Serving.
impl<T: Transport> Pool<T> {
    /// Sends, receives, gives up waiting.
    ///
    /// # Errors
    /// A listener is lost. All else was done nevertheless.
    pub fn service(&mut self, tyme: Tyme, net: &mut dyn Net) -> Result<(), ListenerLost> {
        let served = self.communicator.service(tyme, net);
        self.look(tyme, net);
        self.communicator.service_sends(tyme, net);
        for (name, client) in &mut self.clients {
            let late = |(_, waiting): &(&String, &Waiting)| waiting.until <= tyme;
            let late = client.waiting.iter().filter(late);
            let late: Vec<String> = late.map(|(id, _)| id.clone()).collect();
            for message_id in late {
                if let Some(waiting) = client.waiting.remove(&message_id) {
                    self.events.push_back(PoolEvent::Missed {
                        id: waiting.id,
                        from: name.clone(),
                        message_id,
                        why: PoolError::TimedOut(waiting.timeout),
                    });
                }
            }
        }
        served
    }

    /// Sends what is queued now.
    pub fn service_sends(&mut self, tyme: Tyme, net: &mut dyn Net) {
        self.communicator.service_sends(tyme, net);
    }

    /// What the communicator tells.
    fn look(&mut self, tyme: Tyme, net: &mut dyn Net) {
        let told: Vec<CommunicatorEvent> = self.communicator.events().collect();
        for event in told {
            match event {
                CommunicatorEvent::Sent { id, .. } => {
                    let sent = self.sends.remove(&id);
                    let (name, len) = sent.unwrap_or_default();
                    if let Some(client) = self.clients.get_mut(&name) {
                        client.counters.total_bytes_sent += len as u64;
                    }
                    self.events.push_back(PoolEvent::Sent(id));
                }
                CommunicatorEvent::Failed { id, failure } => {
                    self.sends.remove(&id);
                    self.events.push_back(PoolEvent::Failed(id, failure));
                }
                CommunicatorEvent::Received {
                    id, from, packet, ..
                } => {
                    let answered = match self.take_in(&from, &packet) {
                        Ok(()) => self.communicator.acknowledge(id, tyme, net),
                        Err(why) => self.communicator.reject(id, why, tyme, net),
                    };
                    // It fails only after the end.
                    drop(answered);
                }
            }
        }
    }

    /// A packet came. What is wrong with it is told to its sender.
    fn take_in(&mut self, from: &str, packet: &[u8]) -> Result<(), Rejection> {
        let client = self.clients.get_mut(from);
        let client = client.ok_or(Rejection::UnknownSender)?;
        let (message_id, object) = self.packer.unpack(packet).map_err(Rejection::failed)?;
        match client.waiting.remove(&message_id) {
            Some(waiting) => self.events.push_back(PoolEvent::Received {
                id: waiting.id,
                from: from.to_owned(),
                message_id,
                object,
            }),
            None => {
                let len = packet.len() + MESSAGE_BYTES;
                if self.buffered + len > self.communicator.limits().inbox_bytes_max {
                    return Err(Rejection::failed("too many messages wait to be received"));
                }
                self.buffered += len;
                let queue = client.buffer.entry(message_id.clone()).or_default();
                queue.push_back((object, len));
                self.events.push_back(PoolEvent::Arrived {
                    from: from.to_owned(),
                    message_id,
                });
            }
        }
        client.counters.total_bytes_recv += packet.len() as u64;
        Ok(())
    }
}

/// What a message that waits counts for, beside the length of its packet.
const MESSAGE_BYTES: usize = 256;
