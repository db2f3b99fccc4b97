//! Streams as the TCP connections that they might have been, datagrams as UDP.
//!
//! What a net carries has no packets, or they are the system's business. So that tools can follow a
//! stream, each begins with SYNs here, its bytes have sequence numbers, and it ends with FINs or a
//! reset.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use super::packet::{self, ACK, DATA_MAX, FIN, PSH, RST, SYN, Segment};
use crate::link::{Seen, What};
use crate::net::{Endpoint, Sid};

/// All streams that are under way, and who has which made-up address.
#[derive(Debug, Default)]
pub(super) struct Flows {
    open: BTreeMap<Sid, Flow>,
    /// Ports of Unix sockets with a path, in the order they were first seen.
    paths: BTreeMap<PathBuf, u16>,
    /// Unix sockets without one, so far.
    unnamed: u16,
    scratch: Vec<u8>,
}

/// One stream.
#[derive(Debug)]
struct Flow {
    ours: Half,
    theirs: Half,
}

/// One direction of it.
#[derive(Debug)]
struct Half {
    at: SocketAddr,
    /// The sequence number of the next byte.
    next: u32,
    ended: bool,
}

/// Which way a packet goes, by the number that pcapng has for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    In = 1,
    Out = 2,
}

/// A packet, and what is to be noted beside it.
pub(super) struct Packet<'a> {
    pub(super) way: Way,
    pub(super) bytes: &'a [u8],
    /// Bytes that it would have had more.
    pub(super) cut: usize,
    pub(super) comment: Option<String>,
}

impl Flows {
    /// Makes packets of what was seen.
    pub(super) fn packets(&mut self, seen: &Seen<'_>, mut put: impl FnMut(&Packet<'_>)) {
        match seen.what {
            What::DatagramReceived(data) => self.datagram(seen, data, Way::In, &mut put),
            What::DatagramSent(data) => self.datagram(seen, data, Way::Out, &mut put),
            _ => self.stream(seen, &mut put),
        }
    }

    fn stream(&mut self, seen: &Seen<'_>, put: &mut impl FnMut(&Packet<'_>)) {
        let over = matches!(seen.what, What::Closed { .. } | What::Failed(_));
        let mut flow = match self.open.remove(&seen.sid) {
            Some(flow) => flow,
            None if matches!(seen.what, What::Closed { .. }) => return,
            None => self.begin(seen, put),
        };
        let scratch = &mut self.scratch;
        match seen.what {
            What::Received(data) => flow.carry(Way::In, data, scratch, put),
            What::Sent(data) => flow.carry(Way::Out, data, scratch, put),
            What::PeerEnded => flow.say(Way::In, FIN, scratch, put),
            What::Ended => flow.say(Way::Out, FIN, scratch, put),
            What::Failed(_) | What::Lost(_) => flow.say(Way::In, RST, scratch, put),
            What::Closed { reset: true } => flow.say(Way::Out, RST, scratch, put),
            What::Closed { reset: false } => flow.say(Way::Out, FIN, scratch, put),
            _ => {}
        }
        if !over {
            self.open.insert(seen.sid, flow);
        }
    }

    /// The three packets that begin a connection; of one that failed only the first.
    fn begin(&mut self, seen: &Seen<'_>, put: &mut impl FnMut(&Packet<'_>)) -> Flow {
        let (ours, theirs) = self.both(seen);
        let half = |at| Half {
            at,
            next: 0,
            ended: false,
        };
        let mut flow = Flow {
            ours: half(ours),
            theirs: half(theirs),
        };
        let (first, second) = match seen.dialled {
            true => (Way::Out, Way::In),
            false => (Way::In, Way::Out),
        };
        let comment = unix(seen).then(|| format!("{} - {}", seen.local, seen.peer));
        let scratch = &mut self.scratch;
        flow.packet(first, SYN, &[], comment, scratch, put);
        if !matches!(seen.what, What::Failed(_)) {
            flow.packet(second, SYN | ACK, &[], None, scratch, put);
            flow.packet(first, ACK, &[], None, scratch, put);
        }
        flow
    }

    fn datagram(
        &mut self,
        seen: &Seen<'_>,
        data: &[u8],
        way: Way,
        put: &mut impl FnMut(&Packet<'_>),
    ) {
        let (ours, theirs) = self.both(seen);
        let (from, to) = match way {
            Way::In => (theirs, ours),
            Way::Out => (ours, theirs),
        };
        let part = &data[..data.len().min(DATA_MAX)];
        packet::udp(from, to, part, &mut self.scratch);
        put(&Packet {
            way,
            bytes: &self.scratch,
            cut: data.len() - part.len(),
            comment: unix(seen).then(|| format!("{} - {}", seen.local, seen.peer)),
        });
    }

    /// The addresses of both sides.
    fn both(&mut self, seen: &Seen<'_>) -> (SocketAddr, SocketAddr) {
        if unix(seen) {
            return (self.made_up(seen.local), self.made_up(seen.peer));
        }
        match (seen.local.addr(), seen.peer.addr()) {
            (Some(local), Some(peer)) => (local, peer),
            (Some(local), None) => (local, nowhere(local.is_ipv4())),
            (None, Some(peer)) => (nowhere(peer.is_ipv4()), peer),
            (None, None) => (nowhere(true), nowhere(true)),
        }
    }

    /// What stands for a Unix socket.
    fn made_up(&mut self, at: &Endpoint) -> SocketAddr {
        match at {
            Endpoint::Unix(path) | Endpoint::UnixDatagram(path) => {
                SocketAddr::new(IpAddr::V6(NAMED), self.port_of(path))
            }
            _ => {
                self.unnamed = self.unnamed.checked_add(1).unwrap_or(1);
                SocketAddr::new(IpAddr::V6(UNNAMED), self.unnamed)
            }
        }
    }

    fn port_of(&mut self, path: &Path) -> u16 {
        if let Some(port) = self.paths.get(path) {
            return *port;
        }
        // Further ones share the last port: this table is bounded like any other.
        let port = u16::try_from(self.paths.len() + 1).unwrap_or(u16::MAX);
        if port < PATHS_MAX {
            self.paths.insert(path.to_owned(), port);
        }
        port.min(PATHS_MAX)
    }
}

impl Flow {
    fn carry(
        &mut self,
        way: Way,
        data: &[u8],
        scratch: &mut Vec<u8>,
        put: &mut impl FnMut(&Packet<'_>),
    ) {
        for part in data.chunks(DATA_MAX) {
            self.packet(way, PSH | ACK, part, None, scratch, put);
        }
    }

    /// Ends a direction, once.
    fn say(
        &mut self,
        way: Way,
        flag: u8,
        scratch: &mut Vec<u8>,
        put: &mut impl FnMut(&Packet<'_>),
    ) {
        let half = match way {
            Way::In => &mut self.theirs,
            Way::Out => &mut self.ours,
        };
        if !half.ended {
            half.ended = true;
            if flag == RST {
                (self.ours.ended, self.theirs.ended) = (true, true);
            }
            self.packet(way, flag | ACK, &[], None, scratch, put);
        }
    }

    fn packet(
        &mut self,
        way: Way,
        flags: u8,
        data: &[u8],
        comment: Option<String>,
        scratch: &mut Vec<u8>,
        put: &mut impl FnMut(&Packet<'_>),
    ) {
        let (from, to) = match way {
            Way::In => (&mut self.theirs, &self.ours),
            Way::Out => (&mut self.ours, &self.theirs),
        };
        let segment = Segment {
            sequence: from.next,
            acknowledged: if flags & ACK == 0 { 0 } else { to.next },
            flags,
        };
        packet::tcp(from.at, to.at, segment, data, scratch);
        // SYN and FIN count as a byte: RFC 9293 §3.4.
        let counted = u32::from(flags & (SYN | FIN) != 0);
        let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
        from.next = from.next.wrapping_add(length).wrapping_add(counted);
        put(&Packet {
            way,
            bytes: scratch,
            cut: 0,
            comment,
        });
    }
}

/// Whether it is about Unix sockets, which have no addresses that a packet could have.
fn unix(seen: &Seen<'_>) -> bool {
    use Endpoint::{Unix, UnixDatagram, Unnamed};
    let is = |at: &Endpoint| matches!(at, Unix(_) | UnixDatagram(_));
    let bare = |at: &Endpoint| matches!(at, Unnamed);
    is(seen.local) || is(seen.peer) || bare(seen.local) && bare(seen.peer)
}

fn nowhere(v4: bool) -> SocketAddr {
    let ip = match v4 {
        true => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        false => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    SocketAddr::new(ip, 0)
}

/// Unix sockets with a path: of the addresses that everybody may use at home (RFC 4193), the one
/// that has "hio" in it.
const NAMED: Ipv6Addr = Ipv6Addr::new(0xfd68, 0x696f, 0, 0, 0, 0, 0, 1);
/// Unix sockets without one.
const UNNAMED: Ipv6Addr = Ipv6Addr::new(0xfd68, 0x696f, 0, 0, 0, 0, 0, 2);
/// Paths that have a port of their own, at most.
const PATHS_MAX: u16 = 4096;
