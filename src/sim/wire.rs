//! What is under way: packets, the links they take, and the one heap of events.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use super::link::{self, CUT, Fate, Law, Link};
use super::packets::{Envelope, Packet, Packets};
use super::rng::{Purpose, stream};
use super::trace::{Tag, Trace, put_number, put_text};
use crate::net::{Conditions, Draws};

/// What is to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// A packet arrives.
    Arrive(u32),
    /// A lost packet is sent again.
    Retry(u32),
    /// Something that the simulation itself planned.
    Planned(u32),
    /// Something of the system of a node.
    Timer(u32),
    /// A bell is heard.
    Ring(u32),
}

/// When, in which order of planning, and what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Timed {
    at: u64,
    seq: u64,
    what: What,
}

impl Ord for Timed {
    /// The soonest is the greatest, as the heap gives out the greatest.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.seq).cmp(&(self.at, self.seq))
    }
}

impl PartialOrd for Timed {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The links that begin at one node.
#[derive(Debug, Default)]
struct Route {
    links: BTreeMap<u32, u32>,
    /// The one that was asked for last.
    last: Option<(u32, u32)>,
}

/// All links, all packets, all events, and the trace that they leave.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) now: u64,
    pub(super) seed: u64,
    seq: u64,
    numbers: u64,
    heap: BinaryHeap<Timed>,
    packets: Packets,
    pub(super) links: Vec<Link>,
    routes: Vec<Route>,
    pub(super) laws: Vec<Law>,
    /// Laws of pairs that differ from the default, also of pairs that have no link yet.
    pub(super) chosen: BTreeMap<(u32, u32), u32>,
    /// What is wrong between pairs, also of pairs that have no link yet.
    pub(super) wrong: BTreeMap<(u32, u32), u8>,
    /// Packets that wait for a link, in order.
    waiting: BTreeMap<u32, Vec<u32>>,
    /// The share of packets with a flipped bit, and the stream that decides, by link.
    flips: BTreeMap<(u32, u32), (f64, Draws)>,
    pub(super) names: Vec<Box<str>>,
    pub(super) trace: Trace,
}

/// The law of links between nodes.
pub(super) const DEFAULT: u32 = 0;
/// The law within a node.
pub(super) const LOOPBACK: u32 = 1;

impl Wire {
    pub(super) fn new(seed: u64, between: Conditions, within: Conditions) -> Self {
        Self {
            now: 0,
            seed,
            seq: 0,
            numbers: 0,
            heap: BinaryHeap::new(),
            packets: Packets::default(),
            links: Vec::new(),
            routes: Vec::new(),
            laws: vec![Law::new(between), Law::new(within)],
            chosen: BTreeMap::new(),
            wrong: BTreeMap::new(),
            waiting: BTreeMap::new(),
            flips: BTreeMap::new(),
            names: Vec::new(),
            trace: Trace::new(),
        }
    }

    pub(super) fn add_node(&mut self, name: &str) {
        self.names.push(name.into());
        self.routes.push(Route::default());
    }

    pub(super) fn name(&self, node: u32) -> &str {
        self.names.get(node as usize).map_or("", |name| name)
    }

    // ---- events

    #[inline]
    pub(super) fn plan(&mut self, at: u64, what: What) {
        self.seq += 1;
        let (seq, at) = (self.seq, at.max(self.now));
        self.heap.push(Timed { at, seq, what });
    }

    /// When the next event is.
    #[inline]
    pub(super) fn soonest(&self) -> u64 {
        self.heap.peek().map_or(u64::MAX, |timed| timed.at)
    }

    /// Takes the next event, when it is due.
    #[inline]
    pub(super) fn take_due(&mut self, now: u64) -> Option<What> {
        if self.soonest() > now {
            return None;
        }
        self.heap.pop().map(|timed| timed.what)
    }

    // ---- links

    /// The link from one node to another, made when it is first asked for.
    #[inline]
    pub(super) fn link(&mut self, from: u32, to: u32) -> u32 {
        match self.routes[from as usize].last {
            Some((last, link)) if last == to => link,
            _ => self.find_link(from, to),
        }
    }

    fn find_link(&mut self, from: u32, to: u32) -> u32 {
        let known = self.routes[from as usize].links.get(&to).copied();
        let link = known.unwrap_or_else(|| self.make_link(from, to));
        self.routes[from as usize].last = Some((to, link));
        link
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "2^32 links would be 256 GiB"
    )]
    fn make_link(&mut self, from: u32, to: u32) -> u32 {
        let index = self.links.len() as u32;
        let mut link = Link::new(self.seed, (self.name(from), self.name(to)));
        let usual = if from == to { LOOPBACK } else { DEFAULT };
        link.law = self.chosen.get(&(from, to)).copied().unwrap_or(usual);
        link.flags = self.wrong.get(&(from, to)).copied().unwrap_or(0);
        self.links.push(link);
        self.routes[from as usize].links.insert(to, index);
        index
    }

    /// The link between two nodes, if a packet ever took it.
    pub(super) fn known_link(&self, from: u32, to: u32) -> Option<u32> {
        self.routes.get(from as usize)?.links.get(&to).copied()
    }

    pub(super) fn law(&self, link: u32) -> &Law {
        &self.laws[self.links[link as usize].law as usize]
    }

    /// The law from one node to another, whether a packet ever took that way or not.
    pub(super) fn law_of(&self, from: u32, to: u32) -> &Law {
        let usual = if from == to { LOOPBACK } else { DEFAULT };
        let law = self.chosen.get(&(from, to)).copied().unwrap_or(usual);
        &self.laws[law as usize]
    }

    /// Bytes of data in the largest packet of a stream over a link.
    #[inline]
    pub(super) fn segment(&self, link: u32) -> usize {
        self.law(link).segment
    }

    /// The law of all pairs that have none of their own.
    pub(super) fn set_usual(&mut self, which: u32, conditions: Conditions) {
        self.laws[which as usize] = Law::new(conditions);
    }

    /// The law of a pair from now on; `None` is the default.
    #[expect(clippy::cast_possible_truncation, reason = "one law for each call")]
    pub(super) fn set_law(&mut self, from: u32, to: u32, conditions: Option<Conditions>) {
        let law = match conditions {
            Some(conditions) => {
                let same = |law: &Law| law.conditions == conditions;
                self.laws.iter().position(same).unwrap_or_else(|| {
                    self.laws.push(Law::new(conditions));
                    self.laws.len() - 1
                }) as u32
            }
            None if from == to => LOOPBACK,
            None => DEFAULT,
        };
        self.chosen.insert((from, to), law);
        if let Some(link) = self.known_link(from, to) {
            self.links[link as usize].law = law;
        }
    }

    /// Sets and clears what is wrong from one node to another; what waited goes on when nothing
    /// holds it any more.
    pub(super) fn set_wrong(&mut self, from: u32, to: u32, set: u8, clear: u8) {
        let flags = self.wrong.entry((from, to)).or_default();
        *flags = *flags & !clear | set;
        let flags = *flags;
        if flags == 0 {
            self.wrong.remove(&(from, to));
        }
        if let Some(index) = self.known_link(from, to) {
            let link = &mut self.links[index as usize];
            link.flags = flags;
            if flags & (CUT | link::CLOGGED | link::HELD) == 0 {
                link.waiting = 0;
                self.release(index);
            }
        }
    }

    /// Sends what waited for a link, in order. A packet of a stream that is lost now was sent
    /// before others that waited, too, so it is late instead; a datagram is gone.
    fn release(&mut self, link: u32) {
        for id in self.waiting.remove(&link).unwrap_or_default() {
            let datagram = self.packets[id].is_datagram();
            let at = match self.decide(id) {
                Fate::Arrives(at) => at,
                Fate::Waits => {
                    self.waiting.entry(link).or_default().push(id);
                    continue;
                }
                Fate::Lost(why) if datagram => {
                    self.tell_drop(id, why);
                    self.free(id);
                    continue;
                }
                Fate::Lost(_) => self.now + FIRST_RETRY,
            };
            let state = &mut self.links[link as usize];
            state.floor = state.floor.max(at);
            let at = if datagram { at } else { state.floor };
            self.plan(at, What::Arrive(id));
        }
    }

    /// Sets the share of packets in which a bit is flipped.
    pub(super) fn set_flips(&mut self, from: u32, to: u32, share: f64) {
        if share <= 0.0 {
            self.flips.remove(&(from, to));
            self.set_wrong(from, to, 0, link::FLIPS);
            return;
        }
        let keys = [self.name(from).as_bytes(), self.name(to).as_bytes()];
        let draws = stream(self.seed, Purpose::Flip, &keys);
        let entry = self.flips.entry((from, to)).or_insert((share, draws));
        entry.0 = share;
        self.set_wrong(from, to, link::FLIPS, 0);
    }

    /// All pairs with something wrong, or with conditions or flips of their own.
    pub(super) fn troubled(&self) -> BTreeSet<(u32, u32)> {
        let wrong = self.wrong.keys().copied();
        wrong.chain(self.chosen.keys().copied()).collect()
    }

    pub(super) fn is_cut(&self, from: u32, to: u32) -> bool {
        self.wrong.get(&(from, to)).is_some_and(|f| f & CUT != 0)
    }

    // ---- packets

    /// How many there are.
    pub(super) fn packets(&self) -> usize {
        self.packets.len()
    }

    #[inline]
    pub(super) fn packet(&self, id: u32) -> &Packet {
        &self.packets[id]
    }

    #[inline]
    pub(super) fn packet_mut(&mut self, id: u32) -> &mut Packet {
        &mut self.packets[id]
    }

    /// Makes a packet with a buffer to be filled.
    #[inline]
    pub(super) fn make(&mut self, envelope: Envelope) -> u32 {
        self.numbers += 1;
        self.packets.insert(envelope, self.numbers)
    }

    /// Lets a packet go and keeps its buffer.
    #[inline]
    pub(super) fn free(&mut self, id: u32) {
        self.packets.remove(id);
    }

    /// Sends a packet that does not arrive before `floor`. Says when it arrives, and `None` when
    /// it is lost; one that waits for its link counts as arriving some time.
    #[inline]
    pub(super) fn launch(&mut self, id: u32, floor: u64) -> Option<u64> {
        self.tell_send(id);
        match self.decide(id) {
            Fate::Arrives(at) => {
                let at = at.max(floor);
                self.plan(at, What::Arrive(id));
                Some(at)
            }
            Fate::Waits => {
                let link = self.packets[id].link;
                self.waiting.entry(link).or_default().push(id);
                Some(floor)
            }
            Fate::Lost(why) => {
                self.tell_drop(id, why);
                None
            }
        }
    }

    /// What becomes of a packet now.
    #[inline]
    fn decide(&mut self, id: u32) -> Fate {
        let Self {
            packets,
            links,
            laws,
            ..
        } = self;
        let packet = &packets[id];
        let link = &mut links[packet.link as usize];
        let law = &laws[link.law as usize];
        let datagram = packet.is_datagram();
        let header = match datagram {
            true => link::DATAGRAM_HEADER,
            false => link::STREAM_HEADER,
        };
        let bytes = packet.data.len() as u64 + u64::from(header);
        let mut fate = link.fate(self.now, law, bytes);
        if let Fate::Arrives(at) = &mut fate {
            if !datagram {
                *at = (*at).max(link.floor);
            } else if law.shuffles {
                *at = at.saturating_add(link.holds_back(&law.conditions));
            }
            if link.flags & link::FLIPS != 0 {
                self.flip(id);
            }
        }
        fate
    }

    #[cold]
    fn flip(&mut self, id: u32) {
        let packet = &mut self.packets[id];
        let Some((share, draws)) = self.flips.get_mut(&(packet.from, packet.to)) else {
            return;
        };
        if packet.data.is_empty() || !draws.chance(*share) {
            return;
        }
        let bit = draws.below(packet.data.len() as u64 * 8);
        let byte = usize::try_from(bit / 8).unwrap_or(0);
        packet.data[byte] ^= 1 << (bit % 8);
    }

    /// Whether a datagram that was just sent comes twice: then a copy of it is under way, too.
    pub(super) fn duplicate(&mut self, id: u32, arrives: u64) {
        let packet = &self.packets[id];
        let link = &mut self.links[packet.link as usize];
        let law = &self.laws[link.law as usize];
        if !law.shuffles {
            return;
        }
        let Some(later) = link.duplicates(&law.conditions) else {
            return;
        };
        let envelope = packet.envelope();
        let (number, addresses) = (packet.number, packet.addresses.clone());
        let twin = self.make(envelope);
        let data = std::mem::take(&mut self.packets[id].data);
        let copy = &mut self.packets[twin];
        copy.data.extend_from_slice(&data);
        (copy.number, copy.addresses) = (number, addresses);
        self.packets[id].data = data;
        self.plan(arrives.saturating_add(later), What::Arrive(twin));
    }

    // ---- what the trace is told of packets

    #[inline]
    fn tell_send(&mut self, id: u32) {
        let packet = &self.packets[id];
        let words = [
            packet.number,
            u64::from(packet.to) << 32 | (packet.data.len() as u64) << 4 | packet.kind as u64,
        ];
        self.trace
            .hash_in(self.now, Tag::Send, packet.from, words, &packet.data);
        if self.trace.is_text() {
            self.write_send(id);
        }
    }

    #[cold]
    fn write_send(&mut self, id: u32) {
        let packet = &self.packets[id];
        let (from, to) = (
            &self.names[packet.from as usize],
            &self.names[packet.to as usize],
        );
        self.trace.line(self.now, from, None, "send", |out| {
            put_number(out, "id", packet.number);
            put_text(out, "to", to);
            put_text(out, "kind", packet.kind.word());
            put_number(out, "bytes", packet.data.len() as u64);
        });
    }

    #[inline]
    pub(super) fn tell_recv(&mut self, id: u32) {
        let packet = &self.packets[id];
        let words = [packet.number, u64::from(packet.from)];
        self.trace
            .hash_in(self.now, Tag::Recv, packet.to, words, b"");
        if self.trace.is_text() {
            self.write_recv(id);
        }
    }

    #[cold]
    fn write_recv(&mut self, id: u32) {
        let packet = &self.packets[id];
        let (from, to) = (
            &self.names[packet.from as usize],
            &self.names[packet.to as usize],
        );
        self.trace.line(self.now, to, None, "recv", |out| {
            put_number(out, "id", packet.number);
            put_text(out, "from", from);
            put_text(out, "kind", packet.kind.word());
            put_number(out, "bytes", packet.data.len() as u64);
        });
    }

    #[cold]
    pub(super) fn tell_drop(&mut self, id: u32, why: &str) {
        let packet = &self.packets[id];
        let (number, words) = (packet.number, [packet.number, u64::from(packet.to)]);
        let name = &self.names[packet.from as usize];
        let who = (Tag::Drop, packet.from, &**name);
        self.trace
            .event(self.now, who, None, (words, why.as_bytes()), |out| {
                put_number(out, "id", number);
                put_text(out, "why", why);
            });
    }
}

/// How long a sender waits before it sends a lost packet again for the first time: the least
/// retransmission timeout of Linux.
pub(super) const FIRST_RETRY: u64 = 200_000_000;
