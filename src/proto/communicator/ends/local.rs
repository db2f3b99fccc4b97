//! Communicators of one process: tno's `MockCommunicator`.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::super::{Cause, MessageId, Rejection, SendId};
use super::transport::{Again, Attempt, Registered, Ticket, Transport, TransportEvent, World};
use crate::link::{CloseReason, ListenerLost, OpenError};
use crate::net::{Endpoint, Net, NetError};
use crate::tyme::Tyme;

/// Where communicators of one process meet. Hand a clone to each of them; what happens over it is
/// deterministic.
///
/// Nobody is woken by it: a communicator over one is due at every tick.
///
/// ```
/// use hio::proto::communicator::{Communicator, LocalNetwork, LocalTransport};
/// let network = LocalNetwork::new();
/// let alice = Communicator::new(LocalTransport::new(&network, "alice"));
/// assert_eq!(alice.to_string(), "MockCommunicator(identifier=alice)");
/// ```
#[derive(Clone, Default)]
pub struct LocalNetwork(Arc<Mutex<Meeting>>);

#[derive(Default)]
struct Meeting {
    here: BTreeMap<String, Inbox>,
    /// How many have ever joined.
    joins: u64,
}

/// What lies there for one of them.
#[derive(Default)]
struct Inbox {
    /// The how manieth to join it was: one that leaves and comes back is another.
    nth: u64,
    /// Who sent it, under which id, what.
    packets: VecDeque<(String, Attempt)>,
    answers: VecDeque<(SendId, Result<(), Rejection>)>,
}

impl LocalNetwork {
    /// One on which nobody is yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn held(&self) -> MutexGuard<'_, Meeting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, to: &str, id: SendId, how: Result<(), Rejection>) {
        if let Some(place) = self.held().here.get_mut(to) {
            place.answers.push_back((id, how));
        }
    }
}

impl fmt::Debug for LocalNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LocalNetwork")
    }
}

/// A peer in this process, by its identifier: tno's `MockConnection`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalConnection {
    identifier: String,
}

impl LocalConnection {
    /// The peer of that identifier.
    ///
    /// ```
    /// use hio::proto::communicator::LocalConnection;
    /// assert_eq!(LocalConnection::new("bob").identifier(), "bob");
    /// ```
    #[must_use]
    pub fn new(identifier: impl Into<String>) -> Self {
        Self {
            identifier: identifier.into(),
        }
    }

    /// What the peer calls itself.
    #[must_use]
    pub fn identifier(&self) -> &str {
        &self.identifier
    }
}

impl fmt::Display for LocalConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MockConnection(remote={})", self.identifier)
    }
}

/// Carries packets within a process. Nothing is ever lost or doubled.
#[derive(Debug)]
pub struct LocalTransport {
    network: LocalNetwork,
    identifier: String,
    joined: bool,
    closing: bool,
    /// Whom to answer, and under which id of theirs.
    tickets: BTreeMap<Ticket, (String, SendId)>,
    ticket: u64,
    /// Sent and not answered, by whom it went to.
    asked: BTreeMap<SendId, (String, u64)>,
    early: Vec<TransportEvent>,
}

impl LocalTransport {
    /// One of that identifier. It joins the network when its communicator is initialized.
    #[must_use]
    pub fn new(network: &LocalNetwork, identifier: impl Into<String>) -> Self {
        Self {
            network: network.clone(),
            identifier: identifier.into(),
            joined: false,
            closing: false,
            tickets: BTreeMap::new(),
            ticket: 0,
            asked: BTreeMap::new(),
            early: Vec::new(),
        }
    }

    fn refuse(&mut self, id: SendId, cause: Cause, again: Again) {
        self.early.push(TransportEvent::Failed { id, cause, again });
    }

    /// Tells of those whose receiver has left.
    fn miss(&mut self) {
        let network = self.network.clone();
        let all = network.held();
        let gone = |to: &str, nth| all.here.get(to).is_none_or(|inbox| inbox.nth != nth);
        let lost = self.asked.iter().filter(|(_, (to, nth))| gone(to, *nth));
        let lost: Vec<SendId> = lost.map(|(id, _)| *id).collect();
        drop(all);
        for id in lost {
            self.asked.remove(&id);
            self.refuse(id, Cause::Lost(CloseReason::PeerClosed), Again::Uncertain);
        }
    }

    fn leave(&mut self) {
        if std::mem::take(&mut self.joined) {
            self.network.held().here.remove(&self.identifier);
        }
    }
}

impl fmt::Display for LocalTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MockCommunicator(identifier={})", self.identifier)
    }
}

impl Transport for LocalTransport {
    type Connection = LocalConnection;

    fn init(
        &mut self,
        _: &mut [Registered<LocalConnection>],
        _: &mut World<'_>,
    ) -> Result<(), OpenError> {
        let mut all = self.network.held();
        if all.here.contains_key(&self.identifier) {
            return Err(OpenError::Listen {
                at: Endpoint::Name(self.identifier.clone(), 0),
                why: NetError::AddrInUse,
            });
        }
        let nth = all.joins;
        all.joins += 1;
        let inbox = Inbox {
            nth,
            ..Inbox::default()
        };
        all.here.insert(self.identifier.clone(), inbox);
        drop(all);
        self.joined = true;
        Ok(())
    }

    fn send(
        &mut self,
        peers: &mut [Registered<LocalConnection>],
        attempt: Attempt,
        _: &mut World<'_>,
    ) {
        let (id, to) = (attempt.id, peers[attempt.to].connection.identifier.clone());
        let network = self.network.clone();
        let mut all = network.held();
        let Some(place) = all.here.get_mut(&to) else {
            let why = CloseReason::ConnectFailed(NetError::Refused);
            return self.refuse(id, Cause::Unreachable(why), Again::Safe);
        };
        place.packets.push_back((self.identifier.clone(), attempt));
        self.asked.insert(id, (to, place.nth));
    }

    fn answer(&mut self, ticket: Ticket, how: &Result<(), Rejection>, _: &mut World<'_>) {
        if let Some((to, id)) = self.tickets.remove(&ticket) {
            self.network.answer(&to, id, how.clone());
        }
    }

    fn service(
        &mut self,
        peers: &mut [Registered<LocalConnection>],
        _: &mut World<'_>,
        events: &mut Vec<TransportEvent>,
    ) -> Result<(), ListenerLost> {
        let mut all = self.network.held();
        let (mut packets, mut answers) = (VecDeque::new(), VecDeque::new());
        if let Some(inbox) = all.here.get_mut(&self.identifier).filter(|_| self.joined) {
            packets.append(&mut inbox.packets);
            answers.append(&mut inbox.answers);
        }
        drop(all);
        for (id, how) in answers {
            if self.asked.remove(&id).is_none() {
                continue;
            }
            events.push(match how {
                Ok(()) => TransportEvent::Sent(id),
                Err(why) => TransportEvent::Failed {
                    id,
                    cause: Cause::Rejected(why),
                    again: Again::Never,
                },
            });
        }
        for (sender, attempt) in packets {
            let from = peers.iter().position(|p| p.connection.identifier == sender);
            match from.filter(|_| !self.closing) {
                Some(from) => {
                    let ticket = Ticket(self.ticket);
                    self.ticket += 1;
                    self.tickets.insert(ticket, (sender, attempt.id));
                    let Attempt {
                        packet, message, ..
                    } = attempt;
                    events.push(received(ticket, from, packet, message));
                }
                None => {
                    let why = Err(Rejection::UnknownSender);
                    self.network.answer(&sender, attempt.id, why);
                }
            }
        }
        self.miss();
        events.append(&mut self.early);
        Ok(())
    }

    fn flush(&mut self, _: &mut [Registered<LocalConnection>], _: &mut World<'_>) {}

    fn due(&self, _: &[Registered<LocalConnection>], tyme: Tyme) -> Tyme {
        match self.joined {
            true => tyme,
            false => Tyme::NEVER,
        }
    }

    fn shutdown(&mut self, _: &mut [Registered<LocalConnection>], _: &mut World<'_>) {
        self.closing = true;
        self.asked.clear();
        self.early.clear();
    }

    fn is_idle(&self) -> bool {
        self.tickets.is_empty()
    }

    fn close(&mut self, _: &mut [Registered<LocalConnection>], _: &mut dyn Net) {
        self.leave();
        self.tickets.clear();
        self.asked.clear();
        self.early.clear();
    }

    fn network_id(&self, connection: &LocalConnection) -> String {
        connection.identifier.clone()
    }
}

impl Drop for LocalTransport {
    fn drop(&mut self) {
        self.leave();
    }
}

const fn received(
    ticket: Ticket,
    from: usize,
    packet: Bytes,
    message: MessageId,
) -> TransportEvent {
    TransportEvent::Received {
        ticket,
        from,
        packet,
        message: Some(message),
    }
}
