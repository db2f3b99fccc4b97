//! What a socket of a simulated node is made of.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use crate::net::{Endpoint, Interface, Keepalive, NetError, Sid};

/// A socket of one kind or another.
#[derive(Debug)]
pub(super) enum Socket {
    Listener(Box<Listener>),
    Stream(Box<Stream>),
    Mailbox(Box<Mailbox>),
}

impl Socket {
    pub(super) fn local(&self) -> &Endpoint {
        match self {
            Self::Listener(listener) => &listener.local,
            Self::Stream(stream) => &stream.local,
            Self::Mailbox(mailbox) => &mailbox.local,
        }
    }
}

/// What accepts.
#[derive(Debug)]
pub(super) struct Listener {
    pub(super) local: Endpoint,
    pub(super) v6_only: bool,
    pub(super) share: bool,
    pub(super) backlog: usize,
    /// What accepted connections are given.
    pub(super) buffers: (usize, usize),
    pub(super) keepalive: Option<Keepalive>,
    pub(super) resets: bool,
    /// Connections that stand and wait to be accepted.
    pub(super) waiting: VecDeque<Sid>,
    /// Connections whose handshake is under way.
    pub(super) half: usize,
    /// Nobody else is let in.
    pub(super) shut: bool,
}

/// How far a stream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Dialled, not answered.
    Dialling,
    /// Answered; the program has not asked yet.
    Answered,
    /// Came in; the last part of the handshake is to come.
    Half,
    /// It stands.
    Open,
    /// It broke, or never came to be.
    Broken,
}

/// Whether the end of what is sent was announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    No,
    /// As soon as what was written is sent.
    Wanted,
    Sent,
}

/// No packet.
pub(super) const NONE: u32 = u32::MAX;

/// One end of a connection.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) phase: Phase,
    pub(super) ending: Ending,
    /// The peer has announced its end.
    pub(super) ended: bool,
    /// The program wants to read no more.
    pub(super) deaf: bool,
    /// Closing resets instead of ending in order.
    pub(super) resets: bool,
    /// Sockets in the file system: the peer's state is seen at once.
    pub(super) unix: bool,
    /// What broke it, until the program is told.
    pub(super) error: Option<NetError>,
    pub(super) link: u32,
    pub(super) peer_node: u32,
    pub(super) peer_boot: u32,
    pub(super) peer_sid: Sid,
    pub(super) local: Endpoint,
    pub(super) peer: Endpoint,
    /// The listener it came in by.
    pub(super) listener: Option<Sid>,

    // ---- receiving
    /// Packets with data that was not read, in order.
    pub(super) rx: VecDeque<u32>,
    /// Bytes of the first one that were.
    pub(super) rx_at: usize,
    pub(super) rx_max: usize,
    /// Bytes that were read.
    pub(super) taken: u64,
    /// How far the peer was told that it may send.
    pub(super) told: u64,

    // ---- sending
    /// Bytes that were sent.
    pub(super) sent: u64,
    /// How far the peer allows to send.
    pub(super) limit: u64,
    /// Written, but not sent.
    pub(super) unsent: VecDeque<u8>,
    pub(super) unsent_max: usize,
    /// A lost packet that is to be sent again before anything else.
    pub(super) stalled: u32,
    /// When the last packet arrives: the next one does not overtake it.
    pub(super) arrive: u64,

    // ---- keepalive
    pub(super) keepalive: Option<Keepalive>,
    pub(super) heard: u64,
    pub(super) unanswered: u32,
}

impl Stream {
    pub(super) fn new(local: Endpoint, peer: Endpoint, buffers: (usize, usize)) -> Self {
        Self {
            phase: Phase::Dialling,
            ending: Ending::No,
            ended: false,
            deaf: false,
            resets: false,
            unix: false,
            error: None,
            link: NONE,
            peer_node: NONE,
            peer_boot: 0,
            peer_sid: Sid::new(u32::MAX, u32::MAX),
            local,
            peer,
            listener: None,
            rx: VecDeque::new(),
            rx_at: 0,
            rx_max: buffers.1.max(BUFFER),
            taken: 0,
            told: 0,
            sent: 0,
            limit: 0,
            unsent: VecDeque::new(),
            unsent_max: buffers.0.max(BUFFER),
            stalled: NONE,
            arrive: 0,
            keepalive: None,
            heard: 0,
            unanswered: 0,
        }
    }

    /// Whether data may leave now.
    #[inline]
    pub(super) const fn may_send(&self) -> bool {
        self.stalled == NONE && self.sent < self.limit
    }

    /// How many bytes the window takes.
    #[inline]
    pub(super) fn window(&self) -> usize {
        usize::try_from(self.limit - self.sent).unwrap_or(usize::MAX)
    }

    /// How far the peer may send by now.
    #[inline]
    pub(super) const fn allowance(&self) -> u64 {
        self.taken + self.rx_max as u64
    }

    /// Whether so much was read that the peer should know: it spares a packet for every read.
    #[inline]
    pub(super) const fn owes_news(&self) -> bool {
        (self.allowance() - self.told) * NEWS_SHARE >= self.rx_max as u64
    }
}

/// A datagram socket.
#[derive(Debug)]
pub(super) struct Mailbox {
    pub(super) local: Endpoint,
    /// Connected mode: the only peer.
    pub(super) to: Option<Endpoint>,
    pub(super) broadcast: bool,
    /// The multicast groups that it is in.
    pub(super) groups: Vec<(IpAddr, Interface)>,
    /// What it sends to a group reaches members on its own node, too.
    pub(super) loops: bool,
    pub(super) shares: bool,
    pub(super) v6_only: bool,
    /// What came and was not read.
    pub(super) waiting: VecDeque<u32>,
    pub(super) bytes: usize,
    pub(super) bytes_max: usize,
    pub(super) unsent_max: usize,
    /// Something bad about an earlier datagram.
    pub(super) error: Option<NetError>,
    /// Senders of the same node that wait for room.
    pub(super) blocked: Vec<Sid>,
}

/// What to do later for a socket or a node's system.
#[derive(Debug)]
pub(super) enum Timer {
    /// Look whether a silent peer is still there.
    Keepalive { node: u32, sid: Sid },
    /// An answer about a name is there.
    Answer { node: u32, name: String },
}

/// Bytes of a buffer that nobody asked to be larger.
pub(super) const BUFFER: usize = 128 << 10;
/// The peer is told of room when so large a part of the buffer came free.
const NEWS_SHARE: u64 = 4;

/// A time to linger would block in `close`, as in the real net.
pub(super) fn check_linger(linger: Option<Duration>) -> Result<bool, NetError> {
    match linger {
        Some(time) if !time.is_zero() => Err(NetError::Invalid),
        other => Ok(other.is_some()),
    }
}

/// What no system takes.
pub(super) fn check_keepalive(keepalive: Option<Keepalive>) -> Result<(), NetError> {
    let impossible = |k: Keepalive| k.probes == 0 || k.idle.is_zero() || k.interval.is_zero();
    match keepalive.is_some_and(impossible) {
        true => Err(NetError::Invalid),
        false => Ok(()),
    }
}
