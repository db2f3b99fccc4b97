//! Datagrams with queues: a socket that sends and receives messages, in any net.

mod limits;
mod queues;
mod service;

pub use self::limits::{DatagramLimits, Overflow};
use self::queues::{Inbox, Outbox};
use super::OpenError;
use super::events::Events;
use crate::net::{DatagramOptions, Endpoint, Group, Net, NetError, Owner, Sid};
use crate::tyme::Tyme;

/// One end of an exchange of datagrams: a bound socket with a receive and a transmit queue.
///
/// Datagrams get lost, come twice, out of order, and cut when they are longer than
/// [`DatagramLimits::datagram_bytes_max`]; nothing here mends that. What is promised is that what
/// was lost *here* is told: every datagram dropped at a full queue, cut, or not sent is an event
/// and is counted. An error is about one datagram, never the end of the peer.
///
/// ```
/// use hio::link::{DatagramLimits, DatagramPeer};
/// use hio::net::{DatagramOptions, Endpoint, MioNet, Net, Owner};
/// let mut net = MioNet::new()?;
/// let at: Endpoint = "udp:127.0.0.1:0".parse()?;
/// let mut peer = DatagramPeer::new(at, DatagramOptions::default(), DatagramLimits::default());
/// peer.open(&mut net, Owner::NONE)?;
/// let to = peer.at().clone();
/// peer.send(Some(&to), b"to myself")?;
/// let message = loop {
///     peer.service(net.now(), &mut net);
///     if let Some(message) = peer.recv() {
///         break message;
///     }
///     let soon = net.now() + std::time::Duration::from_millis(10);
///     net.poll(soon)?;
/// };
/// assert_eq!(message.data, b"to myself");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct DatagramPeer {
    at: Endpoint,
    options: DatagramOptions,
    limits: DatagramLimits,
    owner: Owner,
    /// The group and the one socket in it, while it is open.
    socket: Option<(Group, Sid)>,
    rx: Inbox,
    tx: Outbox,
    /// Where a datagram is received before it is queued.
    buf: Vec<u8>,
    /// When to try again what nothing tells of.
    again: Tyme,
    /// Something in the transmit queue waits for room.
    waits: bool,
    /// Queued since the last service: to be sent in the next.
    queued: bool,
    /// Made events outside of a service.
    unseen: bool,
    stats: DatagramStats,
    events: Events<DatagramEvent>,
    marks: Vec<Sid>,
}

/// A datagram that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Who sent it; [`Endpoint::Unnamed`] for a Unix socket without a path.
    pub from: Endpoint,
    /// What it says; it may be empty.
    pub data: Vec<u8>,
    /// Its rest is lost, as it was longer than [`DatagramLimits::datagram_bytes_max`].
    pub truncated: bool,
}

/// What happened to a [`DatagramPeer`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DatagramEvent {
    /// So many datagrams came and wait to be taken.
    Received(usize),
    /// A datagram came that was too long, and was cut.
    Truncated {
        /// Who sent it.
        from: Endpoint,
    },
    /// A datagram was dropped because the receive queue was full.
    Dropped {
        /// Who sent it.
        from: Endpoint,
        /// Its length in bytes.
        len: usize,
    },
    /// A datagram was not sent, and is dropped. [`NetError::TimedOut`]: there was no room for it
    /// during [`DatagramLimits::tx_stall`].
    Unsent {
        /// Where it should have gone; none on a connected peer.
        to: Option<Endpoint>,
        /// Its length in bytes.
        len: usize,
        /// Why.
        why: NetError,
    },
    /// The other end of a connected peer is not there: a datagram sent before was refused.
    Refused,
    /// Receiving failed; it is tried again after [`DatagramLimits::retry`].
    Faltered(NetError),
    /// A queue that had been waiting for room is empty.
    Drained,
    /// The net has lost the socket. The peer is closed.
    Lost(NetError),
}

/// What a [`DatagramPeer`] has done since it was made. Counters only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DatagramStats {
    /// Datagrams that came, those that were dropped or cut included.
    pub received: u64,
    /// Bytes of them, as far as they were not cut.
    pub received_bytes: u64,
    /// Datagrams handed to the system.
    pub sent: u64,
    /// Bytes of them.
    pub sent_bytes: u64,
    /// Datagrams that were cut.
    pub truncated: u64,
    /// Datagrams dropped because the receive queue was full.
    pub dropped: u64,
    /// Queued datagrams that were not sent: refused by the net, stalled, or queued at the close.
    pub unsent: u64,
    /// How often the other end of a connected peer was not there.
    pub refused: u64,
    /// Events dropped because nobody looked at them.
    pub events_lost: u64,
}

/// Why a datagram was not queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DatagramTxError {
    /// The queue is full: offer it again later, or never.
    #[error("the transmit queue is full")]
    Full,
    /// It would not even fit into an empty queue.
    #[error("the datagram of {len} bytes is longer than the queue may ever hold: {max}")]
    TooLong {
        /// Its length in bytes.
        len: usize,
        /// [`DatagramLimits::tx_bytes_max`].
        max: usize,
    },
    /// The peer is not connected, so it has to be said where to.
    #[error("where to? the peer is not connected")]
    NoAddress,
    /// The peer is connected, and sends to that address only.
    #[error("the peer is connected: it sends to one address only")]
    Connected,
    /// The peer is not open.
    #[error("the peer is not open")]
    Closed,
}

/// Opening and closing.
impl DatagramPeer {
    /// A peer that is not open yet. Does no I/O.
    ///
    /// `at` is [`Endpoint::Udp`], [`Endpoint::UnixDatagram`], or [`Endpoint::Unnamed`] for a Unix
    /// socket that only sends. With [`DatagramOptions::to`] it is connected.
    #[must_use]
    pub fn new(at: Endpoint, options: DatagramOptions, limits: DatagramLimits) -> Self {
        Self {
            at,
            options,
            limits,
            owner: Owner::NONE,
            socket: None,
            rx: Inbox::default(),
            tx: Outbox::default(),
            buf: Vec::new(),
            again: Tyme::NEVER,
            waits: false,
            queued: false,
            unseen: false,
            stats: DatagramStats::default(),
            events: Events::default(),
            marks: Vec::new(),
        }
    }

    /// Binds the socket. One that is open is closed first.
    ///
    /// # Errors
    /// The limits cannot be kept, or the net does not bind there. The peer is closed then.
    pub fn open(&mut self, net: &mut dyn Net, owner: Owner) -> Result<(), OpenError> {
        self.close(net);
        self.limits.validate()?;
        self.owner = owner;
        let group = net.group(owner);
        let bound = net.bind(group, &self.at, &self.options);
        match bound.and_then(|sid| Ok((sid, net.local(sid)?))) {
            Ok((sid, at)) => {
                log::debug!("bound to {at}");
                self.at = at;
                self.socket = Some((group, sid));
                self.buf = vec![0; self.limits.datagram_bytes_max];
                Ok(())
            }
            Err(why) => {
                net.close_group(group);
                let at = self.at.clone();
                Err(OpenError::Bind { at, why })
            }
        }
    }

    /// Closes and opens again with the same owner, on the same address: a port that was picked by
    /// the system is kept.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn reopen(&mut self, net: &mut dyn Net) -> Result<(), OpenError> {
        self.open(net, self.owner)
    }

    /// Closes at once; what is queued to be sent is dropped and counted. What came can still be
    /// taken. Does nothing when closed.
    pub fn close(&mut self, net: &mut dyn Net) {
        if let Some((group, _)) = self.socket.take() {
            net.close_group(group);
            self.stats.unsent += self.tx.len() as u64;
            self.tx.clear();
            (self.waits, self.queued, self.again) = (false, false, Tyme::NEVER);
            self.buf = Vec::new();
        }
    }

    /// Gives the socket to another owner.
    pub fn set_owner(&mut self, net: &mut dyn Net, owner: Owner) {
        self.owner = owner;
        if let Some((group, _)) = self.socket {
            net.set_owner(group, owner);
        }
    }
}

/// Looking and asking.
impl DatagramPeer {
    /// Where it is bound, or will be.
    #[must_use]
    pub const fn at(&self) -> &Endpoint {
        &self.at
    }

    /// The one address it talks to, if it is a connected one.
    #[must_use]
    pub const fn to(&self) -> Option<&Endpoint> {
        self.options.to.as_ref()
    }

    /// Whether it is open.
    #[must_use]
    pub const fn opened(&self) -> bool {
        self.socket.is_some()
    }

    /// The socket, while it is open: to join a multicast group, or for a wire log.
    #[must_use]
    pub const fn sid(&self) -> Option<Sid> {
        match self.socket {
            Some((_, sid)) => Some(sid),
            None => None,
        }
    }

    /// Takes the datagram that has waited longest.
    pub fn recv(&mut self) -> Option<Message> {
        self.rx.pop()
    }

    /// Datagrams that came and were not taken yet.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.rx.len()
    }

    /// Queues a datagram, which is sent with the next service. `to` is none on a connected peer,
    /// and only there.
    ///
    /// # Errors
    /// It was not queued: see [`DatagramTxError`].
    pub fn send(&mut self, to: Option<&Endpoint>, data: &[u8]) -> Result<(), DatagramTxError> {
        let (limits, len) = (&self.limits, data.len());
        match (to, &self.options.to) {
            _ if self.socket.is_none() => return Err(DatagramTxError::Closed),
            (None, None) => return Err(DatagramTxError::NoAddress),
            (Some(_), Some(_)) => return Err(DatagramTxError::Connected),
            _ if len > limits.tx_bytes_max => {
                let max = limits.tx_bytes_max;
                return Err(DatagramTxError::TooLong { len, max });
            }
            _ if self.tx.len() >= limits.tx_datagrams_max => return Err(DatagramTxError::Full),
            _ if self.tx.bytes() + len > limits.tx_bytes_max => return Err(DatagramTxError::Full),
            _ => {}
        }
        self.tx.push(to.cloned(), data.to_vec());
        self.queued = true;
        Ok(())
    }

    /// Datagrams queued and not yet sent.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.tx.len()
    }

    /// The limits.
    #[must_use]
    pub const fn limits(&self) -> &DatagramLimits {
        &self.limits
    }

    /// What was done so far.
    #[must_use]
    pub const fn stats(&self) -> DatagramStats {
        self.stats
    }

    /// Whether the last service made events, looked at or not.
    #[must_use]
    pub const fn has_news(&self) -> bool {
        self.events.fresh()
    }

    /// Takes the events that wait, oldest first. At most [`DatagramLimits::events_max`] are kept.
    pub fn events(&mut self) -> impl Iterator<Item = DatagramEvent> + '_ {
        self.events.drain()
    }
}
