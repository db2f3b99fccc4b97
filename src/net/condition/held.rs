//! What a socket's link holds back.

use std::collections::VecDeque;
use std::net::IpAddr;

use super::lane::{Fate, Way};
use super::links::Links;
use crate::net::{Datagram, Endpoint, Group, Net, NetError, Shutdown, Sid};
use crate::tyme::Tyme;

/// A socket of the net below.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) group: Group,
    pub(super) kind: Kind,
    /// When it is looked at again, as the list of all has it.
    pub(super) wake: Tyme,
    /// Closed by the program; when to give up sending what is left.
    pub(super) closing: Option<Tyme>,
    /// Closing throws away what is left.
    pub(super) abortive: bool,
    /// Its mark tells of all that arrived up to here.
    pub(super) told: Tyme,
}

#[derive(Debug)]
pub(super) enum Kind {
    /// Listeners, and whatever is not held back.
    Plain,
    Stream(Box<Stream>),
    Datagrams(Datagrams),
}

/// Both directions of a connection.
#[derive(Debug, Default)]
pub(super) struct Stream {
    pub(super) peer: Option<IpAddr>,
    /// Dialled: it stands then at the earliest.
    pub(super) stands: Option<Tyme>,
    rx: Pipe,
    /// How receiving ended: by its end, or by an error.
    rx_end: Option<(Tyme, Option<NetError>)>,
    tx: Pipe,
    /// To be shut down when all was sent.
    tx_end: Option<(Tyme, Shutdown)>,
    tx_error: Option<NetError>,
    /// The program was told that there is no room; it is told when no more than this is left.
    tx_full: Option<usize>,
    /// The net below has no room.
    stuck: bool,
}

/// Bytes that are under way, in order.
#[derive(Debug, Default)]
struct Pipe {
    chunks: VecDeque<Chunk>,
    bytes: usize,
    last: Tyme,
}

#[derive(Debug)]
struct Chunk {
    at: Tyme,
    data: Vec<u8>,
    /// Bytes of it that are gone.
    taken: usize,
}

impl Pipe {
    fn push(&mut self, at: Tyme, data: &[u8]) {
        self.last = self.last.max(at);
        self.bytes += data.len();
        self.chunks.push_back(Chunk {
            at: self.last,
            data: data.to_vec(),
            taken: 0,
        });
    }

    /// What has arrived and is not taken, of the first chunk.
    fn front(&self, now: Tyme) -> Option<&[u8]> {
        let chunk = self.chunks.front().filter(|chunk| chunk.at <= now)?;
        Some(&chunk.data[chunk.taken..])
    }

    fn consume(&mut self, n: usize) {
        self.bytes -= n;
        if let Some(chunk) = self.chunks.front_mut() {
            chunk.taken += n;
            if chunk.taken == chunk.data.len() {
                self.chunks.pop_front();
            }
        }
    }

    fn clear(&mut self) {
        self.chunks.clear();
        self.bytes = 0;
    }

    /// When the next one after `told` arrives.
    fn next_after(&self, told: Tyme) -> Option<Tyme> {
        let from = self.chunks.partition_point(|chunk| chunk.at <= told);
        self.chunks.get(from).map(|chunk| chunk.at)
    }
}

impl Stream {
    pub(super) fn new(peer: Option<IpAddr>) -> Self {
        Self {
            peer,
            ..Self::default()
        }
    }

    /// Takes what the net below has, within the bound, and dates it. True when anything came.
    pub(super) fn pull<N: Net>(
        &mut self,
        sid: Sid,
        net: &mut N,
        links: &mut Links,
        now: Tyme,
        scratch: &mut [u8],
    ) -> bool {
        let room = links.queue(self.peer);
        let mut came = false;
        while self.rx_end.is_none() && self.rx.bytes < room {
            let got = net.read(sid, scratch);
            let bytes = *got.as_ref().ok().and_then(Option::as_ref).unwrap_or(&0);
            if got == Ok(None) {
                break;
            }
            came = true;
            let at = links.stream(self.peer, Way::In, now, bytes);
            match got {
                Ok(Some(0)) => self.rx_end = Some((at.max(self.rx.last), None)),
                Err(why) => self.rx_end = Some((at.max(self.rx.last), Some(why))),
                _ => self.rx.push(at, &scratch[..bytes]),
            }
        }
        came
    }

    /// Hands over what has arrived.
    pub(super) fn read(&mut self, now: Tyme, buf: &mut [u8]) -> Result<Option<usize>, NetError> {
        let mut filled = 0;
        while filled < buf.len() {
            let Some(part) = self.rx.front(now) else {
                break;
            };
            let n = part.len().min(buf.len() - filled);
            buf[filled..filled + n].copy_from_slice(&part[..n]);
            self.rx.consume(n);
            filled += n;
        }
        match (filled, self.rx_end) {
            (1.., _) => Ok(Some(filled)),
            (_, Some((at, end))) if self.rx.bytes == 0 && at <= now && !buf.is_empty() => {
                end.map_or(Ok(Some(0)), Err)
            }
            _ => Ok(None),
        }
    }

    /// Whether a read would give something.
    pub(super) fn has_arrived(&self, now: Tyme) -> bool {
        let ended = self.rx_end.is_some_and(|(at, _)| at <= now);
        self.rx.front(now).is_some() || (ended && self.rx.bytes == 0)
    }

    /// When something arrives that was not told of.
    pub(super) fn arrives_after(&self, told: Tyme) -> Option<Tyme> {
        let end = self.rx_end.map(|(at, _)| at).filter(|at| *at > told);
        let stands = self.stands.filter(|at| *at > told);
        let all = [self.rx.next_after(told), end, stands];
        all.into_iter().flatten().min()
    }

    /// Takes what there is room for.
    pub(super) fn write(
        &mut self,
        data: &[u8],
        links: &mut Links,
        now: Tyme,
    ) -> Result<usize, NetError> {
        if let Some(why) = self.tx_error {
            return Err(why);
        }
        if self.tx_end.is_some() {
            return Err(NetError::BrokenPipe);
        }
        if self.stands.is_some() {
            return Ok(0);
        }
        let queue = links.queue(self.peer);
        let n = data.len().min(queue.saturating_sub(self.tx.bytes));
        if n < data.len() {
            self.tx_full = Some(queue / 2);
        }
        for part in data[..n].chunks(CHUNK) {
            let at = links.stream(self.peer, Way::Out, now, part.len());
            self.tx.push(at, part);
        }
        Ok(n)
    }

    /// Shuts the sending side down behind what is still under way.
    pub(super) fn shut(&mut self, how: Shutdown, links: &mut Links, now: Tyme) {
        let at = links.stream(self.peer, Way::Out, now, 0);
        self.tx_end = Some((at.max(self.tx.last), how));
    }

    pub(super) fn shut_reading(&mut self) {
        self.rx.clear();
        self.rx_end = Some((Tyme::ZERO, None));
    }

    /// Hands down what has arrived at the other end. True when the program is to know: there is
    /// room again, or it broke.
    pub(super) fn push<N: Net>(&mut self, sid: Sid, net: &mut N, now: Tyme) -> bool {
        self.stuck = false;
        while let Some(part) = self.tx.front(now) {
            match net.write(sid, part) {
                Ok(0) => {
                    self.stuck = true;
                    break;
                }
                Ok(n) => self.tx.consume(n),
                Err(why) => {
                    self.tx_error = Some(why);
                    self.tx.clear();
                    return true;
                }
            }
        }
        if let (0, Some((at, how))) = (self.tx.bytes, self.tx_end) {
            if at <= now && at != Tyme::NEVER {
                // It is gone already where this fails, which reading tells.
                let _ = net.shutdown(sid, how);
                self.tx_end = Some((Tyme::NEVER, how));
            }
        }
        let room = self.tx_full.is_some_and(|least| self.tx.bytes <= least);
        if room {
            self.tx_full = None;
        }
        room
    }

    /// Whether all that was written is handed down.
    pub(super) fn is_sent(&self) -> bool {
        let shut = self.tx_end.is_none_or(|(at, _)| at == Tyme::NEVER);
        self.tx_error.is_some() || (self.tx.bytes == 0 && shut)
    }

    /// When it is to be looked at next.
    pub(super) fn wake(&self, told: Tyme) -> Tyme {
        let sends = match self.stuck {
            true => None,
            false => self.tx.chunks.front().map(|chunk| chunk.at),
        };
        let shuts = self.tx_end.map(|(at, _)| at).filter(|_| self.tx.bytes == 0);
        let all = [self.arrives_after(told), sends, shuts];
        all.into_iter().flatten().min().unwrap_or(Tyme::NEVER)
    }
}

/// Both directions of a datagram socket, soonest first.
#[derive(Debug, Default)]
pub(super) struct Datagrams {
    /// The only one it talks to.
    to: Option<IpAddr>,
    /// More waits below.
    more: bool,
    rx: VecDeque<Packet>,
    tx: VecDeque<Packet>,
    bytes: usize,
}

#[derive(Debug)]
struct Packet {
    at: Tyme,
    data: Vec<u8>,
    /// From whom, or to whom.
    other: Option<Endpoint>,
    truncated: bool,
}

impl Datagrams {
    pub(super) fn new(to: Option<IpAddr>) -> Self {
        Self {
            to,
            ..Self::default()
        }
    }

    /// Whether the net below had more than was taken at once.
    pub(super) const fn has_more(&self) -> bool {
        self.more
    }

    pub(super) fn pull<N: Net>(
        &mut self,
        sid: Sid,
        net: &mut N,
        links: &mut Links,
        now: Tyme,
        scratch: &mut [u8],
    ) {
        self.more = true;
        for _ in 0..PULL_MAX {
            let got = match net.recv_from(sid, scratch) {
                Ok(Some(got)) => got,
                Ok(None) => {
                    self.more = false;
                    return;
                }
                // It is about one that was sent, and sending is answered already.
                Err(_) => continue,
            };
            let from = got.from.addr().map(|addr| addr.ip());
            let fate = links.datagram(from, Way::In, now, got.len);
            let room = links.queue(from);
            let data = &scratch[..got.len];
            Self::schedule(&mut self.rx, &mut self.bytes, room, fate, || Packet {
                at: now,
                data: data.to_vec(),
                other: Some(got.from.clone()),
                truncated: got.truncated,
            });
        }
    }

    /// Whether one can be taken.
    pub(super) fn has_arrived(&self, now: Tyme) -> bool {
        self.rx.front().is_some_and(|packet| packet.at <= now)
    }

    fn arrives_after(&self, told: Tyme) -> Option<Tyme> {
        let from = self.rx.partition_point(|packet| packet.at <= told);
        self.rx.get(from).map(|packet| packet.at)
    }

    fn schedule(
        queue: &mut VecDeque<Packet>,
        bytes: &mut usize,
        room: usize,
        fate: Fate,
        packet: impl Fn() -> Packet,
    ) {
        for at in [fate.arrives, fate.again].into_iter().flatten() {
            let packet = Packet { at, ..packet() };
            if *bytes + packet.data.len() > room {
                continue;
            }
            *bytes += packet.data.len();
            let place = queue.partition_point(|other| other.at <= at);
            queue.insert(place, packet);
        }
    }

    pub(super) fn recv(&mut self, now: Tyme, buf: &mut [u8]) -> Option<Datagram> {
        if self.rx.front()?.at > now {
            return None;
        }
        let packet = self.rx.pop_front()?;
        self.bytes -= packet.data.len();
        let len = packet.data.len().min(buf.len());
        buf[..len].copy_from_slice(&packet.data[..len]);
        Some(Datagram {
            len,
            from: packet.other.unwrap_or(Endpoint::Unnamed),
            truncated: packet.truncated || len < packet.data.len(),
        })
    }

    pub(super) fn send(
        &mut self,
        data: &[u8],
        to: Option<&Endpoint>,
        links: &mut Links,
        now: Tyme,
    ) {
        let ip = to
            .and_then(Endpoint::addr)
            .map(|addr| addr.ip())
            .or(self.to);
        let fate = links.datagram(ip, Way::Out, now, data.len());
        let room = links.queue(ip);
        Self::schedule(&mut self.tx, &mut self.bytes, room, fate, || Packet {
            at: now,
            data: data.to_vec(),
            other: to.cloned(),
            truncated: false,
        });
    }

    /// Sends what has come due. What finds no room or nobody is lost, as on the way.
    pub(super) fn push<N: Net>(&mut self, sid: Sid, net: &mut N, now: Tyme) {
        while self.tx.front().is_some_and(|packet| packet.at <= now) {
            if let Some(packet) = self.tx.pop_front() {
                self.bytes -= packet.data.len();
                let _ = net.send_to(sid, &packet.data, packet.other.as_ref());
            }
        }
    }

    pub(super) fn is_sent(&self) -> bool {
        self.tx.is_empty()
    }

    pub(super) fn wake(&self, told: Tyme) -> Tyme {
        if self.more {
            return Tyme::ZERO;
        }
        let sends = self.tx.front().map(|packet| packet.at);
        let arrives = self.arrives_after(told);
        arrives
            .into_iter()
            .chain(sends)
            .min()
            .unwrap_or(Tyme::NEVER)
    }
}

impl Held {
    pub(super) const fn new(group: Group, kind: Kind) -> Self {
        Self {
            group,
            kind,
            wake: Tyme::NEVER,
            closing: None,
            abortive: false,
            told: Tyme::ZERO,
        }
    }

    /// When it is to be looked at next.
    pub(super) fn next_wake(&self) -> Tyme {
        let wake = match &self.kind {
            Kind::Plain => Tyme::NEVER,
            Kind::Stream(stream) => stream.wake(self.told),
            Kind::Datagrams(datagrams) => datagrams.wake(self.told),
        };
        self.closing.map_or(wake, |until| wake.min(until))
    }

    /// When something arrives, or stands, that was not told of.
    pub(super) fn arrives_after(&self, told: Tyme) -> Option<Tyme> {
        match &self.kind {
            Kind::Plain => None,
            Kind::Stream(stream) => stream.arrives_after(told),
            Kind::Datagrams(datagrams) => datagrams.arrives_after(told),
        }
    }

    pub(super) fn is_sent(&self) -> bool {
        match &self.kind {
            Kind::Plain => true,
            Kind::Stream(stream) => stream.is_sent(),
            Kind::Datagrams(datagrams) => datagrams.is_sent(),
        }
    }
}

/// Bytes that travel as one: about what a segment offload makes of them.
const CHUNK: usize = 16 * 1024;
/// Datagrams taken at once.
const PULL_MAX: usize = 256;
