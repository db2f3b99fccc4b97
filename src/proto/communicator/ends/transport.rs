//! What a communicator needs of whatever carries its packets.

use std::fmt;

use bytes::Bytes;

use super::super::{Cause, CommunicatorLimits, MessageId, Rejection, SendId};
use crate::link::{ListenerLost, OpenError};
use crate::net::{Net, Owner};
use crate::tyme::Tyme;

/// A connection and its name.
#[derive(Clone, Debug)]
pub struct Registered<C> {
    /// What it is called in its communicator.
    pub name: String,
    /// How the peer is reached and known.
    pub connection: C,
}

/// The outside, as a transport is handed it.
pub struct World<'a> {
    /// Now.
    pub tyme: Tyme,
    /// The net.
    pub net: &'a mut dyn Net,
    /// Who is woken when something is ready.
    pub owner: Owner,
    /// What may be used.
    pub limits: &'a CommunicatorLimits,
}

impl fmt::Debug for World<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World")
            .field("tyme", &self.tyme)
            .field("owner", &self.owner)
            .finish_non_exhaustive()
    }
}

/// One attempt to send a packet.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// Names it in the transport's events.
    pub id: SendId,
    /// The how manieth of the connections it goes to.
    pub to: usize,
    /// What travels with it, the same in each attempt.
    pub message: MessageId,
    /// The packet.
    pub packet: Bytes,
}

/// A packet that came and waits for its answer, as its transport names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// Whether an attempt that failed may be followed by another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// It would fail again.
    Never,
    /// The packet certainly did not arrive.
    Safe,
    /// It may have arrived.
    Uncertain,
}

/// What a transport tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransportEvent {
    /// The receiver has acknowledged the packet.
    Sent(SendId),
    /// The attempt failed.
    Failed {
        /// Which one.
        id: SendId,
        /// Why.
        cause: Cause,
        /// Whether another may be made.
        again: Again,
    },
    /// A packet came.
    Received {
        /// What [`Transport::answer`] is told.
        ticket: Ticket,
        /// The how manieth of the connections it came from.
        from: usize,
        /// The packet.
        packet: Bytes,
        /// What its sender calls it.
        message: Option<MessageId>,
    },
}

/// Carries the packets of a [`Communicator`](super::Communicator): one attempt at a time, without
/// knowing of names, retries or duplicates.
///
/// Every [`send`](Self::send) ends in exactly one [`Sent`](TransportEvent::Sent) or
/// [`Failed`](TransportEvent::Failed), unless the transport is shut down before.
pub trait Transport {
    /// How a peer is reached and known.
    type Connection: fmt::Display;

    /// Begins to listen, and prepares the connections.
    ///
    /// # Errors
    /// It cannot listen. Nothing is open then.
    fn init(
        &mut self,
        peers: &mut [Registered<Self::Connection>],
        world: &mut World<'_>,
    ) -> Result<(), OpenError>;

    /// Begins to send.
    fn send(
        &mut self,
        peers: &mut [Registered<Self::Connection>],
        attempt: Attempt,
        world: &mut World<'_>,
    );

    /// Answers a packet. A ticket that is gone is ignored.
    fn answer(&mut self, ticket: Ticket, how: &Result<(), Rejection>, world: &mut World<'_>);

    /// Carries everything on.
    ///
    /// # Errors
    /// A listener is lost. All else was done nevertheless.
    fn service(
        &mut self,
        peers: &mut [Registered<Self::Connection>],
        world: &mut World<'_>,
        events: &mut Vec<TransportEvent>,
    ) -> Result<(), ListenerLost>;

    /// Sends what is queued now, as far as it goes.
    fn flush(&mut self, peers: &mut [Registered<Self::Connection>], world: &mut World<'_>);

    /// When a service is needed next although nothing is ready; `tyme` itself when there is work to
    /// do now.
    fn due(&self, peers: &[Registered<Self::Connection>], tyme: Tyme) -> Tyme;

    /// Closes the connections at once and listens no more; packets that came can still be answered.
    fn shutdown(&mut self, peers: &mut [Registered<Self::Connection>], world: &mut World<'_>);

    /// Whether, after a shutdown, nothing is left to be answered or sent.
    fn is_idle(&self) -> bool;

    /// Closes everything at once.
    fn close(&mut self, peers: &mut [Registered<Self::Connection>], net: &mut dyn Net);

    /// By what a peer is known when it sends.
    fn network_id(&self, connection: &Self::Connection) -> String;
}
