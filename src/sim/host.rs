//! A node as the network sees it: its addresses, ports, sockets, clock and entropy.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::clock::NodeClock;
use super::rng::{Purpose, stream};
use super::socket::Socket;
use super::table::Table;
use crate::net::{Draws, Endpoint, NetError, Owner, Sid};

/// Which space a port is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Ports {
    Tcp,
    Udp,
}

/// The system of a node.
#[derive(Debug)]
pub(super) struct Host {
    /// Its power is on: packets reach it.
    pub(super) up: bool,
    /// How often it was booted.
    pub(super) boots: u32,
    pub(super) v4: Ipv4Addr,
    pub(super) v6: Ipv6Addr,
    pub(super) table: Table,
    /// Listeners by port, in the order they were opened.
    pub(super) listeners: BTreeMap<u16, Vec<Sid>>,
    /// Datagram sockets by port, in the order they were bound.
    pub(super) mailboxes: BTreeMap<u16, Vec<Sid>>,
    /// Ports that were given out to those who asked for none, and how many use them.
    used: BTreeMap<(Ports, u16), u32>,
    next_port: u16,
    /// Socket files, and who is behind them.
    pub(super) files: BTreeMap<PathBuf, Option<Sid>>,
    pub(super) clock: NodeClock,
    pub(super) entropy: Draws,
    /// Sockets that the next poll marks.
    pub(super) later: Vec<Sid>,
    /// It is to run a turn.
    pub(super) roused: bool,
    /// How often something happened that its program should look at.
    pub(super) rouses: u64,
    /// Most sockets that may be open.
    pub(super) descriptors_max: usize,
    /// The share of reads and writes that are shortened, and what decides.
    pub(super) short_io: Option<(f64, Draws)>,
    /// Names that were asked for: when the answer comes, or came.
    pub(super) asked: BTreeMap<String, super::names::Asked>,
    /// Round robin among those who share a port.
    pub(super) turn: usize,
    /// The nodes on the same machine, itself included.
    pub(super) mates: std::ops::Range<u32>,
    /// Round robin among them, kept by the first.
    pub(super) mate_turn: usize,
}

impl Host {
    pub(super) fn new(number: u32, wall: Duration) -> Self {
        let mates = number..number + 1;
        let number = number + 1;
        let [a, b, c, d] = number.to_be_bytes();
        let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
        Self {
            up: false,
            boots: 0,
            v4: Ipv4Addr::from(FIRST_V4 + number),
            v6: Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, high, low),
            table: Table::default(),
            listeners: BTreeMap::new(),
            mailboxes: BTreeMap::new(),
            used: BTreeMap::new(),
            next_port: EPHEMERAL.0,
            files: BTreeMap::new(),
            clock: NodeClock::new(wall),
            entropy: Draws::new(0),
            later: Vec::new(),
            roused: false,
            rouses: 0,
            descriptors_max: usize::MAX,
            short_io: None,
            asked: BTreeMap::new(),
            turn: 0,
            mates,
            mate_turn: 0,
        }
    }

    /// The power comes on.
    pub(super) fn boot(&mut self, now: u64, seed: u64, name: &str) {
        self.up = true;
        self.boots += 1;
        self.clock.boot(now);
        let boots = self.boots.to_le_bytes();
        self.entropy = stream(seed, Purpose::Entropy, &[name.as_bytes(), &boots]);
    }

    /// The power goes off: everything in memory is gone; socket files stay, with nobody behind.
    pub(super) fn crash(&mut self) {
        self.up = false;
        self.table.clear();
        self.listeners.clear();
        self.mailboxes.clear();
        self.used.clear();
        self.later.clear();
        self.asked.clear();
        self.files.values_mut().for_each(|behind| *behind = None);
    }

    /// # Errors
    /// [`NetError::Exhausted`] when no more sockets may be opened.
    pub(super) fn check_descriptors(&self) -> Result<(), NetError> {
        match self.table.open() < self.descriptors_max {
            true => Ok(()),
            false => Err(NetError::Exhausted),
        }
    }

    /// Whether an address is this node's, all of its own included.
    pub(super) fn has(&self, ip: IpAddr) -> bool {
        match ip {
            IpAddr::V4(ip) => ip.is_loopback() || ip.is_unspecified() || ip == self.v4,
            IpAddr::V6(ip) => ip.is_loopback() || ip.is_unspecified() || ip == self.v6,
        }
    }

    /// The address to speak from to another one.
    pub(super) fn source_for(&self, to: IpAddr) -> IpAddr {
        match to {
            IpAddr::V4(ip) if ip.is_loopback() => to,
            IpAddr::V6(ip) if ip.is_loopback() => to,
            IpAddr::V4(_) => self.v4.into(),
            IpAddr::V6(_) => self.v6.into(),
        }
    }

    // ---- ports

    /// A port that nobody uses.
    ///
    /// # Errors
    /// [`NetError::Exhausted`] when all are taken.
    pub(super) fn free_port(&mut self, ports: Ports) -> Result<u16, NetError> {
        let (first, last) = EPHEMERAL;
        for _ in first..=last {
            let port = self.next_port;
            self.next_port = if port == last { first } else { port + 1 };
            if !self.is_used(ports, port) {
                return Ok(port);
            }
        }
        Err(NetError::Exhausted)
    }

    /// Whether anybody has a port at all.
    pub(super) fn is_used(&self, ports: Ports, port: u16) -> bool {
        let bound = match ports {
            Ports::Tcp => self.listeners.contains_key(&port),
            Ports::Udp => self.mailboxes.contains_key(&port),
        };
        bound || self.used.contains_key(&(ports, port))
    }

    pub(super) fn use_port(&mut self, ports: Ports, port: u16) {
        *self.used.entry((ports, port)).or_default() += 1;
    }

    pub(super) fn release_port(&mut self, ports: Ports, port: u16) {
        if let Some(count) = self.used.get_mut(&(ports, port)) {
            *count -= 1;
            if *count == 0 {
                self.used.remove(&(ports, port));
            }
        }
    }

    /// Whether there is a listener for connections to an address.
    pub(super) fn listens_at(&self, to: SocketAddr) -> bool {
        let sids = self.listeners.get(&to.port()).into_iter().flatten();
        sids.into_iter()
            .any(|sid| match self.table.any(*sid).map(|e| &e.socket) {
                Some(Socket::Listener(listener)) => listener
                    .local
                    .addr()
                    .is_some_and(|at| match_rank(at, listener.v6_only, to) > 0),
                _ => false,
            })
    }

    /// The listener for a connection to an address: one of exactly that before one of all.
    pub(super) fn listener_at(&mut self, to: SocketAddr) -> Option<Sid> {
        let sids = self.listeners.get(&to.port())?;
        let mut best: Vec<Sid> = Vec::new();
        let mut best_rank = 0;
        for sid in sids {
            let Some(Socket::Listener(listener)) = self.table.any(*sid).map(|e| &e.socket) else {
                continue;
            };
            let Some(at) = listener.local.addr() else {
                continue;
            };
            let rank = match_rank(at, listener.v6_only, to);
            if rank > best_rank {
                best.clear();
                best_rank = rank;
            }
            if rank > 0 && rank == best_rank {
                best.push(*sid);
            }
        }
        self.one_of(&best)
    }

    /// One of those who share an address, each in turn.
    pub(super) fn one_of(&mut self, sids: &[Sid]) -> Option<Sid> {
        if sids.len() > 1 {
            self.turn = self.turn.wrapping_add(1);
        }
        sids.get(self.turn.checked_rem(sids.len())?).copied()
    }

    /// Who is behind a socket file: `Ok(None)` is nobody any more.
    ///
    /// # Errors
    /// [`NetError::NotFound`] without a file; [`NetError::PathTooLong`], [`NetError::Invalid`].
    pub(super) fn behind(&self, path: &Path) -> Result<Option<Sid>, NetError> {
        check_path(path)?;
        self.files.get(path).copied().ok_or(NetError::NotFound)
    }

    /// Takes away what a socket that is closed had: its port, its place among the listeners, its
    /// file.
    pub(super) fn forget(&mut self, sid: Sid, socket: &Socket) {
        match (socket, socket.local()) {
            (Socket::Listener(_), Endpoint::Tcp(at)) => leave(&mut self.listeners, at.port(), sid),
            (Socket::Mailbox(_), Endpoint::Udp(at)) => leave(&mut self.mailboxes, at.port(), sid),
            (Socket::Stream(stream), Endpoint::Tcp(at)) if stream.listener.is_none() => {
                self.release_port(Ports::Tcp, at.port());
            }
            (Socket::Stream(_), _) => {}
            (_, Endpoint::Unix(path) | Endpoint::UnixDatagram(path))
                if self.files.get(path).is_some_and(|b| *b == Some(sid)) =>
            {
                self.files.remove(path);
            }
            _ => {}
        }
    }

    pub(super) fn owner_of(&self, sid: Sid) -> Option<Owner> {
        self.table.group_of(sid).map(|(_, owner)| owner)
    }
}

fn leave(places: &mut BTreeMap<u16, Vec<Sid>>, port: u16, sid: Sid) {
    if let Some(sids) = places.get_mut(&port) {
        sids.retain(|other| *other != sid);
        if sids.is_empty() {
            places.remove(&port);
        }
    }
}

/// How well a bound address fits a wanted one: 0 not at all, 2 exactly.
pub(super) fn match_rank(at: SocketAddr, v6_only: bool, to: SocketAddr) -> u8 {
    match (at.ip(), to.ip()) {
        _ if at.port() != to.port() => 0,
        (a, b) if a == b => 2,
        (IpAddr::V4(a), IpAddr::V4(_)) if a.is_unspecified() => 1,
        (IpAddr::V6(a), IpAddr::V6(_)) if a.is_unspecified() => 1,
        (IpAddr::V6(a), IpAddr::V4(_)) if a.is_unspecified() && !v6_only => 1,
        _ => 0,
    }
}

/// Whether two bound addresses get into each other's way.
pub(super) fn collide(a: SocketAddr, a_only: bool, b: SocketAddr, b_only: bool) -> bool {
    match_rank(a, a_only, b) > 0 || match_rank(b, b_only, a) > 0
}

/// # Errors
/// [`NetError::PathTooLong`]; [`NetError::Invalid`] for an empty path or one with a NUL.
pub(super) fn check_path(path: &Path) -> Result<(), NetError> {
    let bytes = path.as_os_str().as_encoded_bytes();
    if bytes.is_empty() || bytes.contains(&0) {
        return Err(NetError::Invalid);
    }
    if bytes.len() > PATH_MAX.into() {
        return Err(NetError::PathTooLong {
            len: u16::try_from(bytes.len()).unwrap_or(u16::MAX),
            max: PATH_MAX,
        });
    }
    Ok(())
}

/// The ports that Linux gives out to those who ask for none.
const EPHEMERAL: (u16, u16) = (32_768, 60_999);
/// Bytes of the longest path of a socket, as on Linux.
const PATH_MAX: u16 = 107;
/// 10.0.0.0: node N, counted from 1, has the address N later.
pub(super) const FIRST_V4: u32 = 10 << 24;
