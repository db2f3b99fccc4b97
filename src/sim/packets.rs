//! Packets, and the places they lie in while they are under way.

use std::net::SocketAddr;
use std::ops::{Index, IndexMut};
use std::path::PathBuf;

use crate::net::{Endpoint, Sid};

/// What a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Data,
    Syn,
    SynAck,
    /// News about the window, or the last part of a handshake.
    Ack,
    Fin,
    Rst,
    Datagram,
    /// Nobody is at a datagram's address (ICMP port unreachable).
    Unreachable,
}

impl Kind {
    /// The word of the trace.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Syn => "syn",
            Self::SynAck => "synack",
            Self::Ack => "ack",
            Self::Fin => "fin",
            Self::Rst => "rst",
            Self::Datagram => "dgram",
            Self::Unreachable => "icmp",
        }
    }
}

/// A packet under way. Its buffer is used again by the next packet in its place.
#[derive(Debug)]
pub(super) struct Packet {
    pub(super) kind: Kind,
    /// How often it was sent before.
    pub(super) tries: u8,
    pub(super) link: u32,
    pub(super) from: u32,
    pub(super) to: u32,
    /// The boots of both nodes when it was made: a packet to an earlier life reaches nobody.
    pub(super) from_boot: u32,
    pub(super) to_boot: u32,
    pub(super) source: Sid,
    pub(super) target: Sid,
    /// How far the other side may send: the right edge of the window.
    pub(super) limit: u64,
    /// Its number in the trace.
    pub(super) number: u64,
    /// The addresses that a first packet or a datagram bears.
    pub(super) addresses: Addresses,
    pub(super) data: Vec<u8>,
}

impl Packet {
    /// What it was made of.
    pub(super) const fn envelope(&self) -> Envelope {
        Envelope {
            kind: self.kind,
            link: self.link,
            from: self.from,
            to: self.to,
            from_boot: self.from_boot,
            to_boot: self.to_boot,
            source: self.source,
            target: self.target,
            limit: self.limit,
        }
    }

    /// Whether no stream is concerned.
    #[inline]
    pub(super) const fn is_datagram(&self) -> bool {
        matches!(self.kind, Kind::Datagram | Kind::Unreachable)
    }
}

/// What a packet is made of, but for its data.
#[derive(Clone, Copy, Debug)]
pub(super) struct Envelope {
    pub(super) kind: Kind,
    pub(super) link: u32,
    pub(super) from: u32,
    pub(super) to: u32,
    pub(super) from_boot: u32,
    pub(super) to_boot: u32,
    pub(super) source: Sid,
    pub(super) target: Sid,
    pub(super) limit: u64,
}

/// From where to where a packet goes, if it bears that itself: a first packet or a datagram.
#[derive(Clone, Debug)]
pub(super) enum Addresses {
    None,
    Ip(SocketAddr, SocketAddr),
    Unix(Box<(Endpoint, PathBuf)>),
}

/// All packets that are under way or unread.
///
/// A place keeps its packet's buffer for the next one: nothing is moved when a packet comes or
/// goes, and nothing is allocated once there are as many places as packets at a time.
#[derive(Debug, Default)]
pub(super) struct Packets {
    places: Vec<Packet>,
    free: Vec<u32>,
}

impl Packets {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    /// Makes a packet with an empty buffer.
    #[inline]
    pub(super) fn insert(&mut self, e: Envelope, number: u64) -> u32 {
        match self.free.pop() {
            Some(id) => {
                let packet = &mut self.places[id as usize];
                (packet.kind, packet.link, packet.number) = (e.kind, e.link, number);
                (packet.from, packet.to) = (e.from, e.to);
                (packet.from_boot, packet.to_boot) = (e.from_boot, e.to_boot);
                (packet.source, packet.target) = (e.source, e.target);
                (packet.limit, packet.tries) = (e.limit, 0);
                id
            }
            None => self.grow(e, number),
        }
    }

    #[cold]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "memory ends long before 2^32 packets"
    )]
    fn grow(&mut self, e: Envelope, number: u64) -> u32 {
        self.places.push(Packet {
            kind: e.kind,
            tries: 0,
            link: e.link,
            from: e.from,
            to: e.to,
            from_boot: e.from_boot,
            to_boot: e.to_boot,
            source: e.source,
            target: e.target,
            limit: e.limit,
            number,
            addresses: Addresses::None,
            data: Vec::new(),
        });
        self.places.len() as u32 - 1
    }

    /// Lets a packet go. Its buffer stays for the next one in its place, unless there are many.
    #[inline]
    pub(super) fn remove(&mut self, id: u32) {
        let packet = &mut self.places[id as usize];
        packet.addresses = Addresses::None;
        packet.data.clear();
        let most = match packet.data.capacity() > SMALL {
            true => SPARE_MAX / 16,
            false => SPARE_MAX,
        };
        if self.free.len() >= most {
            packet.data = Vec::new();
        }
        self.free.push(id);
    }
}

impl Index<u32> for Packets {
    type Output = Packet;
    #[inline]
    fn index(&self, id: u32) -> &Packet {
        &self.places[id as usize]
    }
}

impl IndexMut<u32> for Packets {
    #[inline]
    fn index_mut(&mut self, id: u32) -> &mut Packet {
        &mut self.places[id as usize]
    }
}

/// Buffers of packets that are kept for the next ones; of large ones fewer.
const SPARE_MAX: usize = 4096;
const SMALL: usize = 4096;
