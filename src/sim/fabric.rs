//! The network of all nodes: what happens when packets arrive, are lost, and are sent again.
//!
//! Operations of programs are in `stream.rs`, `handshake.rs` and `datagram.rs`; what is under way
//! is in `wire.rs`; the state of one node's system is in `host.rs`.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use slab::Slab;

use super::bells::Calls;
use super::checks::Checks;
use super::doerlog::{self, DoerLog};
use super::host::{FIRST_V4, Host};
use super::names::Names;
use super::packets::{Envelope, Kind};
use super::rng::{Purpose, stream};
use super::socket::{NONE, Phase, Socket, Stream, Timer};
use super::trace::{Tag, put_text};
use super::wire::{FIRST_RETRY, What, Wire};
use crate::doing::DoerId;
use crate::net::{Bell, Draws, NetError, Owner, Sid};

/// All nodes' systems and what is between them.
#[derive(Debug)]
pub(super) struct Fabric {
    pub(super) hosts: Vec<Host>,
    pub(super) wire: Wire,
    pub(super) timers: Slab<Timer>,
    /// Nodes that are to run a turn at this moment.
    pub(super) roused: Vec<u32>,
    pub(super) names: Names,
    /// The number of each node, by its name as it is looked up.
    pub(super) numbers: BTreeMap<String, u32>,
    pub(super) checks: Checks,
    /// What the doers of each node do.
    pub(super) logs: Vec<Arc<DoerLog>>,
    /// Shares at which named fault points fire: of one node and all its points, or one of them.
    pub(super) points: BTreeMap<(u32, String), (f64, Draws)>,
    /// What nodes are called for.
    pub(super) calls: Calls,
    /// Bells that were rung and not heard yet.
    pub(super) rings: Slab<Bell>,
    /// Connections that were let go, by number: node, its boots, socket.
    pub(super) loose: BTreeMap<u64, (u32, u32, Sid)>,
    pub(super) next_loose: u64,
    /// Where connections went that another node took in: node, its boots, socket.
    pub(super) moved: BTreeMap<(u32, Sid), (u32, u32, Sid)>,
}

impl Fabric {
    pub(super) fn new(wire: Wire) -> Self {
        Self {
            hosts: Vec::new(),
            wire,
            timers: Slab::new(),
            roused: Vec::new(),
            names: Names::default(),
            numbers: BTreeMap::new(),
            checks: Checks::default(),
            logs: Vec::new(),
            points: BTreeMap::new(),
            calls: Calls::default(),
            rings: Slab::new(),
            loose: BTreeMap::new(),
            next_loose: 0,
            moved: BTreeMap::new(),
        }
    }

    pub(super) fn add_host(&mut self, number: u32, name: &str, wall: Duration) {
        self.wire.add_node(name);
        self.hosts.push(Host::new(number, wall));
        self.logs.push(DoerLog::new(false));
        self.numbers.insert(super::names::normal(name), number);
    }

    /// The node that has an address, as seen from another one.
    pub(super) fn node_at(&self, from: u32, ip: IpAddr) -> Option<u32> {
        if self.hosts[from as usize].has(ip) {
            return Some(from);
        }
        let number = match ip {
            IpAddr::V4(ip) => u32::from(ip).checked_sub(FIRST_V4 + 1)?,
            IpAddr::V6(ip) => {
                let [net, .., high, low] = ip.segments();
                let number = u32::from(high) << 16 | u32::from(low);
                let inner = ip.segments()[1..6].iter().all(|s| *s == 0);
                (net == 0xfd00 && inner).then_some(number)?.checked_sub(1)?
            }
        };
        self.hosts.get(number as usize).map(|_| number)
    }

    /// A node is to run a turn at this moment.
    #[inline]
    pub(super) fn rouse(&mut self, node: u32) {
        let host = &mut self.hosts[node as usize];
        host.rouses += 1;
        if !host.roused {
            host.roused = true;
            self.roused.push(node);
        }
    }

    /// Something happened at a socket that its program should look at.
    #[inline]
    pub(super) fn mark(&mut self, node: u32, sid: Sid) {
        self.hosts[node as usize].table.mark(sid);
        self.rouse(node);
    }

    /// As [`mark`](Self::mark), but the next poll tells of it: for what a program's own call
    /// brings about.
    pub(super) fn mark_later(&mut self, node: u32, sid: Sid) {
        self.hosts[node as usize].later.push(sid);
        self.rouse(node);
    }

    pub(super) fn stream_mut(&mut self, node: u32, sid: Sid) -> Option<&mut Stream> {
        match self.hosts[node as usize].table.any_mut(sid)?.socket {
            Socket::Stream(ref mut stream) => Some(stream),
            _ => None,
        }
    }

    // ---- what the trace is told of sockets

    /// An event of a socket, or of a node as a whole.
    pub(super) fn tell(
        &mut self,
        node: u32,
        tag: Tag,
        owner: Option<Owner>,
        words: [u64; 2],
        more: impl FnOnce(&mut String),
    ) {
        if self.wire.trace.is_text() {
            self.tell_doers(node);
        }
        let doer = owner.filter(|o| *o != Owner::NONE).map(DoerId::from);
        let wire = &mut self.wire;
        let name = wire.names.get(node as usize).map_or("", |name| name);
        let who = (tag, node, name);
        wire.trace.event(wire.now, who, doer, (words, b""), more);
    }

    /// An event of a socket.
    pub(super) fn tell_socket(&mut self, node: u32, tag: Tag, sid: Sid, key: &str, value: &str) {
        let owner = self.hosts[node as usize].owner_of(sid);
        let words = [sid_word(sid), hash_text(value)];
        self.tell(node, tag, owner, words, |out| {
            put_text(out, "sid", &sid_text(sid));
            if !key.is_empty() {
                put_text(out, key, value);
            }
        });
    }

    /// Takes what a node's doers did into the text, so that it stands before what they do next.
    pub(super) fn tell_doers(&mut self, node: u32) {
        // The world itself has no doers.
        let Some(log) = self.logs.get(node as usize) else {
            return;
        };
        for (doer, event) in log.take() {
            let (wire, word) = (&mut self.wire, doerlog::word(event));
            let name = wire.names.get(node as usize).map_or("", |name| name);
            wire.trace.line(wire.now, name, Some(doer), word, |_| {});
        }
    }

    // ---- events

    /// Does what the heap of events says is due.
    pub(super) fn happen(&mut self, what: What) {
        match what {
            What::Arrive(id) => self.arrive(id),
            What::Retry(id) => self.retry(id),
            What::Timer(key) => self.fire(key),
            What::Ring(key) => self.rings(key),
            What::Planned(_) => {} // the simulation's own business
        }
    }

    fn arrive(&mut self, id: u32) {
        self.follow(id);
        if matches!(self.wire.packet(id).kind, Kind::Syn | Kind::Datagram) {
            self.find_mate(id);
        }
        let packet = self.wire.packet(id);
        let (node, kind, to_boot) = (packet.to, packet.kind, packet.to_boot);
        let host = &self.hosts[node as usize];
        if !host.up {
            self.wire.tell_drop(id, "crash");
            return self.was_lost(id);
        }
        self.wire.tell_recv(id);
        let stale = to_boot != host.boots;
        match kind {
            Kind::Datagram => return self.datagram_arrives(id),
            Kind::Unreachable => self.unreachable_arrives(id),
            Kind::Syn => self.syn_arrives(id),
            // An earlier life of the node is meant: nobody here knows of that connection.
            Kind::Data | Kind::Fin | Kind::SynAck if stale => self.refuse(id),
            _ if stale => {}
            Kind::Data => return self.data_arrives(id),
            Kind::SynAck => self.synack_arrives(id),
            Kind::Ack => self.ack_arrives(id),
            Kind::Fin => self.fin_arrives(id),
            Kind::Rst => self.reset_arrives(id),
        }
        self.wire.free(id);
    }

    /// Answers a packet that nobody wants with a reset.
    pub(super) fn refuse(&mut self, id: u32) {
        let packet = self.wire.packet(id);
        let (from, to, source, target) = (packet.from, packet.to, packet.source, packet.target);
        let to_boot = packet.from_boot;
        self.send_bare(Kind::Rst, (to, target), (from, to_boot, source), 0);
    }

    /// Sends a packet without data that no stream stands behind. One that is lost is sent again
    /// a few times, but for a reset, which is never.
    pub(super) fn send_bare(
        &mut self,
        kind: Kind,
        (from, source): (u32, Sid),
        (to, to_boot, target): (u32, u32, Sid),
        floor: u64,
    ) {
        let limit = match self.stream_mut(from, source) {
            Some(stream) => {
                stream.told = stream.allowance();
                stream.told
            }
            None => 0,
        };
        let link = self.wire.link(from, to);
        let id = self.wire.make(Envelope {
            kind,
            link,
            from,
            to,
            from_boot: self.hosts[from as usize].boots,
            to_boot,
            source,
            target,
            limit,
        });
        match self.wire.launch(id, floor) {
            Some(at) => {
                if let Some(stream) = self.stream_mut(from, source) {
                    stream.arrive = stream.arrive.max(at);
                }
            }
            None => self.was_lost(id),
        }
    }

    /// A packet was lost: whoever sent it tries again later, or it is gone.
    pub(super) fn was_lost(&mut self, id: u32) {
        self.follow(id);
        let packet = self.wire.packet(id);
        let (node, sid, kind) = (packet.from, packet.source, packet.kind);
        let lives = self.hosts[node as usize].boots == packet.from_boot;
        let again = match kind {
            Kind::Datagram | Kind::Unreachable | Kind::Rst => false,
            Kind::Data | Kind::Syn => match self.stream_mut(node, sid) {
                Some(stream) if lives && stream.phase != Phase::Broken => {
                    // Of several that were lost in one crash the first one is enough.
                    let first = stream.stalled == NONE || stream.stalled == id;
                    if first {
                        stream.stalled = id;
                    }
                    first
                }
                _ => false,
            },
            Kind::SynAck | Kind::Ack | Kind::Fin => lives,
        };
        if again {
            self.try_later(id);
        } else {
            self.wire.free(id);
        }
    }

    /// Plans to send a lost packet again. The wait doubles each time; after the last try there is
    /// one more wait, and then the end of it.
    fn try_later(&mut self, id: u32) {
        let now = self.wire.now;
        let packet = self.wire.packet_mut(id);
        let first = match packet.kind {
            Kind::Syn | Kind::SynAck => FIRST_SYN_RETRY,
            _ => FIRST_RETRY,
        };
        let wait = (first << packet.tries).min(RETRY_MAX);
        packet.tries += 1;
        self.wire.plan(now + wait, What::Retry(id));
    }

    fn retry(&mut self, id: u32) {
        self.follow(id);
        let packet = self.wire.packet(id);
        let (node, sid, kind, tries) = (packet.from, packet.source, packet.kind, packet.tries);
        if self.hosts[node as usize].boots != packet.from_boot || !self.hosts[node as usize].up {
            return self.wire.free(id);
        }
        let stream = self.stream_mut(node, sid);
        let floor = match (stream, kind) {
            (Some(stream), Kind::Data | Kind::Syn) if stream.stalled == id => stream.arrive,
            (stream, Kind::SynAck | Kind::Ack | Kind::Fin) => stream.map_or(0, |s| s.arrive),
            _ => return self.wire.free(id), // closed or broken meanwhile
        };
        if tries > tries_at_most(kind) {
            return self.give_up(id);
        }
        let Some(at) = self.wire.launch(id, floor) else {
            return self.was_lost(id);
        };
        if let Some(stream) = self.stream_mut(node, sid) {
            stream.arrive = stream.arrive.max(at);
            if stream.stalled == id {
                stream.stalled = NONE;
                self.flush(node, sid);
            }
        }
    }

    /// The other side was silent for too long.
    fn give_up(&mut self, id: u32) {
        let packet = self.wire.packet(id);
        let (node, sid, kind) = (packet.from, packet.source, packet.kind);
        if let (Kind::Data | Kind::Syn, Some(stream)) = (kind, self.stream_mut(node, sid)) {
            if stream.stalled == id {
                stream.stalled = NONE;
            }
            self.break_stream(node, sid, NetError::TimedOut);
        }
        if kind == Kind::SynAck {
            self.abandon(node, sid);
        }
        self.wire.free(id);
    }

    /// A connection is no more; its program is told why.
    pub(super) fn break_stream(&mut self, node: u32, sid: Sid, why: NetError) {
        let Some(stream) = self.stream_mut(node, sid) else {
            return;
        };
        if stream.phase == Phase::Broken {
            return;
        }
        stream.phase = Phase::Broken;
        stream.error = Some(why);
        stream.unsent.clear();
        // A packet that is to be sent again finds nobody who wants it, and is let go.
        stream.stalled = NONE;
        let tag = match why {
            NetError::Refused => Tag::Refused,
            _ => Tag::Reset,
        };
        self.tell_socket(node, tag, sid, "why", &why.to_string());
        let entry = self.hosts[node as usize].table.any(sid);
        if entry.is_some_and(|e| e.is(super::table::ORPHAN)) {
            self.remove(node, sid);
        } else {
            self.mark(node, sid);
        }
    }

    /// Takes a socket out of its node, with all it had.
    pub(super) fn remove(&mut self, node: u32, sid: Sid) {
        let host = &mut self.hosts[node as usize];
        let Some(socket) = host.table.remove(sid) else {
            return;
        };
        host.forget(sid, &socket);
        let packets = match &socket {
            Socket::Stream(stream) => &stream.rx,
            Socket::Mailbox(mailbox) => &mailbox.waiting,
            Socket::Listener(_) => return,
        };
        for id in packets {
            self.wire.free(*id);
        }
    }

    fn fire(&mut self, key: u32) {
        match self.timers.remove(key as usize) {
            Timer::Keepalive { node, sid } => self.keepalive(node, sid),
            Timer::Answer { node, name } => self.answer(node, &name),
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "memory ends long before")]
    pub(super) fn set_timer(&mut self, at: u64, timer: Timer) {
        let key = self.timers.insert(timer) as u32;
        self.wire.plan(at, What::Timer(key));
    }

    /// Whether a named fault point of a node fires.
    pub(super) fn point_fires(&mut self, node: u32, name: &str) -> bool {
        if self.points.is_empty() {
            return false;
        }
        let share = |points: &BTreeMap<(u32, String), (f64, Draws)>, name: &str| {
            points
                .get(&(node, name.to_owned()))
                .map(|(share, _)| *share)
        };
        let all = share(&self.points, "").unwrap_or(0.0);
        // Each point has a stream of its own, made when it is first passed.
        let seed = self.wire.seed;
        let keys = [self.wire.name(node).as_bytes(), name.as_bytes()];
        let draws = stream(seed, Purpose::Point, &keys);
        let entry = (node, name.to_owned());
        let point = self.points.entry(entry).or_insert((f64::NAN, draws));
        let share = if point.0.is_nan() { all } else { point.0 };
        point.1.chance(share)
    }
}

/// What stands for a socket in the hash.
pub(super) fn sid_word(sid: Sid) -> u64 {
    u64::from(sid.index()) << 32 | u64::from(sid.generation())
}

/// What stands for a socket in the text.
pub(super) fn sid_text(sid: Sid) -> String {
    format!("{}.{}", sid.index(), sid.generation())
}

/// A text as one word of the hash.
pub(super) fn hash_text(text: &str) -> u64 {
    Draws::new(0).keyed_bytes(text.as_bytes()).next_u64()
}

/// 0.0.0.0 and :: stand for this machine where somebody is dialled, as on Linux.
pub(super) fn loopback_for_any(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => std::net::Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    }
}

/// How often a lost packet is sent again.
const fn tries_at_most(kind: Kind) -> u8 {
    match kind {
        Kind::Syn | Kind::SynAck => SYN_RETRIES,
        Kind::Data => DATA_RETRIES,
        _ => BARE_RETRIES,
    }
}

/// As on Linux: the first SYN is repeated after a second, six times, which makes 127 s in all.
const FIRST_SYN_RETRY: u64 = 1_000_000_000;
const SYN_RETRIES: u8 = 6;
/// As on Linux (`tcp_retries2`): about 15 minutes in all.
const DATA_RETRIES: u8 = 15;
/// What nobody waits for is not repeated for ever.
const BARE_RETRIES: u8 = 8;
/// The longest wait between two tries.
const RETRY_MAX: u64 = 120_000_000_000;
