//! A net in memory: the same edges as the real one, a clock that leaps, descriptors that run out.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use hio::net::{
    ConnectOptions, Endpoint, Group, ListenOptions, Lookup, Net, NetError, Owner, Shutdown, Sid,
    SocketOption,
};
use hio::tyme::Tyme;

/// Streams between sockets of one process.
#[derive(Debug)]
pub(crate) struct MemoryNet {
    pub(crate) now: Tyme,
    /// Wall time when the clock says zero.
    pub(crate) epoch: Duration,
    sockets: Vec<Option<Socket>>,
    generations: Vec<u32>,
    groups: Vec<Option<Owner>>,
    next_port: u16,
    /// Sockets that may be open at once.
    pub(crate) descriptors: usize,
    /// Bytes that a direction holds.
    pub(crate) capacity: usize,
    /// No write goes across this many bytes of a direction.
    pub(crate) split: usize,
    /// Addresses from which no answer ever comes.
    pub(crate) blackholes: Vec<Endpoint>,
    /// Addresses that answer so late.
    pub(crate) slow: BTreeMap<Endpoint, Duration>,
    /// Addresses to which there is no way, as is known at once.
    pub(crate) unreachable: Vec<Endpoint>,
    /// Names: how long a look-up takes, and the answer; a pending one never comes.
    pub(crate) names: BTreeMap<String, (Duration, Lookup)>,
    /// Look-ups under way: when the answer is there, and whether it was told of.
    look_ups: BTreeMap<(Group, String), (Tyme, bool)>,
    /// Groups that have an answer and were not told by `ready` yet.
    answered: BTreeSet<Group>,
    /// Look-ups that were asked about.
    pub(crate) resolves: u64,
    /// Accepts that failed.
    pub(crate) accepts_failed: Vec<Tyme>,
    /// Every dial: when and where to.
    pub(crate) dials: Vec<(Tyme, Endpoint)>,
    /// Sockets looked at by `ready`, reads and writes: work that services made.
    pub(crate) calls: u64,
}

#[derive(Debug)]
struct Socket {
    group: Group,
    local: Endpoint,
    peer: Endpoint,
    kind: Kind,
    readable: bool,
    writable: bool,
    marked: bool,
    linger_zero: bool,
}

#[derive(Debug)]
enum Kind {
    Listener {
        backlog: usize,
        waiting: VecDeque<Sid>,
    },
    /// On its way, perhaps for ever.
    Dialling {
        since: Tyme,
        failure: Option<NetError>,
    },
    Stream(Stream),
}

#[derive(Debug, Default)]
struct Stream {
    other: Option<Sid>,
    inbox: VecDeque<u8>,
    /// Bytes that ever came in.
    taken: usize,
    fin: bool,
    reset: bool,
    shut_send: bool,
    shut_receive: bool,
}

impl Default for MemoryNet {
    fn default() -> Self {
        Self {
            now: Tyme::ZERO,
            epoch: Duration::from_secs(1_795_132_800), // 2026-11-20
            sockets: Vec::new(),
            generations: Vec::new(),
            groups: Vec::new(),
            next_port: 40_000,
            descriptors: usize::MAX,
            capacity: 64 * 1024,
            split: 0,
            blackholes: Vec::new(),
            slow: BTreeMap::new(),
            unreachable: Vec::new(),
            names: BTreeMap::new(),
            look_ups: BTreeMap::new(),
            answered: BTreeSet::new(),
            resolves: 0,
            accepts_failed: Vec::new(),
            dials: Vec::new(),
            calls: 0,
        }
    }
}

impl MemoryNet {
    /// Sockets that are open.
    pub(crate) fn open(&self) -> usize {
        self.sockets.iter().flatten().count()
    }

    pub(crate) fn advance(&mut self, by: Duration) {
        self.now += by;
    }

    fn at(&self, sid: Sid) -> Option<&Socket> {
        let index = sid.index() as usize;
        if self.generations.get(index) != Some(&sid.generation()) {
            return None;
        }
        self.sockets.get(index)?.as_ref()
    }

    fn at_mut(&mut self, sid: Sid) -> Option<&mut Socket> {
        let index = sid.index() as usize;
        if self.generations.get(index) != Some(&sid.generation()) {
            return None;
        }
        self.sockets.get_mut(index)?.as_mut()
    }

    fn stream(&mut self, sid: Sid) -> Result<&mut Stream, NetError> {
        match &mut self.at_mut(sid).ok_or(NetError::Stale)?.kind {
            Kind::Stream(stream) => Ok(stream),
            _ => Err(NetError::NotConnected),
        }
    }

    fn add(
        &mut self,
        group: Group,
        local: Endpoint,
        peer: Endpoint,
        kind: Kind,
    ) -> Result<Sid, NetError> {
        if self.open() >= self.descriptors {
            return Err(NetError::Exhausted);
        }
        let free = self.sockets.iter().position(Option::is_none);
        let index = free.unwrap_or_else(|| {
            self.sockets.push(None);
            self.generations.push(0);
            self.sockets.len() - 1
        });
        self.sockets[index] = Some(Socket {
            group,
            local,
            peer,
            kind,
            readable: false,
            writable: true,
            marked: false,
            linger_zero: false,
        });
        Ok(Sid::new(
            u32::try_from(index).unwrap(),
            self.generations[index],
        ))
    }

    fn wake(&mut self, sid: Sid, readable: bool, writable: bool) {
        if let Some(socket) = self.at_mut(sid) {
            let news = readable || (writable && !socket.writable);
            socket.readable |= readable;
            socket.writable |= writable;
            socket.marked |= news;
        }
    }

    fn listener(&self, at: &Endpoint) -> Option<Sid> {
        self.sockets.iter().enumerate().find_map(|(i, socket)| {
            let socket = socket.as_ref()?;
            let here = &socket.local == at && matches!(socket.kind, Kind::Listener { .. });
            here.then(|| Sid::new(u32::try_from(i).unwrap(), self.generations[i]))
        })
    }

    /// Connects those that wait and can be.
    fn establish(&mut self) {
        for i in 0..self.sockets.len() {
            let Some(socket) = &self.sockets[i] else {
                continue;
            };
            let Kind::Dialling {
                failure: None,
                since,
            } = socket.kind
            else {
                continue;
            };
            if self.answers_at(&socket.peer, since) > self.now {
                continue;
            }
            let (to, from) = (socket.peer.clone(), socket.local.clone());
            let sid = Sid::new(u32::try_from(i).unwrap(), self.generations[i]);
            if self.blackholes.contains(&to) {
                continue;
            }
            let Some(listener) = self.listener(&to) else {
                let missing = match to {
                    Endpoint::Unix(_) => NetError::NotFound,
                    _ => NetError::Refused,
                };
                self.at_mut(sid).unwrap().kind = Kind::Dialling {
                    since,
                    failure: Some(missing),
                };
                self.wake(sid, true, true);
                continue;
            };
            let listening = self.at(listener).unwrap();
            let (group, local) = (listening.group, listening.local.clone());
            let Kind::Listener { backlog, waiting } = &listening.kind else {
                unreachable!()
            };
            if waiting.len() >= *backlog {
                continue;
            }
            // The accepting end needs no descriptor before it is accepted.
            let most = std::mem::replace(&mut self.descriptors, usize::MAX);
            let end = Stream {
                other: Some(sid),
                ..Stream::default()
            };
            let accepted = self.add(group, local, from, Kind::Stream(end)).unwrap();
            self.descriptors = most;
            self.at_mut(sid).unwrap().kind = Kind::Stream(Stream {
                other: Some(accepted),
                ..Stream::default()
            });
            if let Kind::Listener { waiting, .. } = &mut self.at_mut(listener).unwrap().kind {
                waiting.push_back(accepted);
            }
            self.wake(listener, true, false);
            self.at_mut(sid).unwrap().marked = true;
        }
    }

    /// When an address that was dialled then answers.
    fn answers_at(&self, to: &Endpoint, since: Tyme) -> Tyme {
        match self.slow.get(to) {
            _ if self.blackholes.contains(to) => Tyme::NEVER,
            Some(late) => since + *late,
            None => since,
        }
    }

    /// When something happens by itself.
    fn next_event(&self) -> Tyme {
        let dialling = self.sockets.iter().flatten().filter_map(|s| match s.kind {
            Kind::Dialling {
                failure: None,
                since,
            } => Some(self.answers_at(&s.peer, since)),
            _ => None,
        });
        let answers = self.look_ups.values().map(|(at, _)| *at);
        let later = |at: &Tyme| *at > self.now;
        dialling
            .chain(answers)
            .filter(later)
            .min()
            .unwrap_or(Tyme::NEVER)
    }

    /// Tells of answers that are there.
    fn tell_answers(&mut self) {
        for ((group, _), (at, told)) in &mut self.look_ups {
            if *at <= self.now && !std::mem::replace(told, true) {
                self.answered.insert(*group);
            }
        }
    }

    fn waiting(&self) -> usize {
        let waiting = |s: &Socket| match &s.kind {
            Kind::Listener { waiting, .. } => waiting.len(),
            _ => 0,
        };
        self.sockets.iter().flatten().map(waiting).sum()
    }

    /// Ends what `sid` sends: in order, or not.
    fn hang_up(&mut self, sid: Sid, reset: bool) {
        let Ok(stream) = self.stream(sid) else { return };
        let Some(other) = stream.other else { return };
        if let Ok(peer) = self.stream(other) {
            peer.fin = true;
            peer.reset |= reset;
        }
        self.wake(other, true, true);
    }
}

impl Net for MemoryNet {
    fn now(&mut self) -> Tyme {
        self.now
    }
    fn wall(&mut self) -> Duration {
        self.epoch + self.now.since(Tyme::ZERO)
    }
    fn entropy(&mut self, out: &mut [u8]) {
        out.fill(7);
    }
    /// Leaps to `until`, or to what happens by itself before, when nothing is marked; else a little
    /// time passes.
    fn poll(&mut self, until: Tyme) -> Result<(), NetError> {
        self.establish();
        if self.sockets.iter().flatten().any(|s| s.marked) || !self.answered.is_empty() {
            self.now += Duration::from_micros(50); // time goes on while there is work
        } else {
            let until = until.min(self.next_event());
            assert!(!until.is_never(), "nothing is left to wait for");
            self.now = self.now.max(until);
            self.establish();
        }
        self.tell_answers();
        Ok(())
    }
    fn woken(&mut self, out: &mut Vec<Owner>) {
        for (i, owner) in self.groups.iter().enumerate() {
            let of_group = |s: &&Socket| s.group.index() as usize == i && s.marked;
            let answered = self.answered.iter().any(|g| g.index() as usize == i);
            if let Some(owner) = owner {
                if answered || self.sockets.iter().flatten().any(|s| of_group(&s)) {
                    out.push(*owner);
                }
            }
        }
    }
    fn group(&mut self, owner: Owner) -> Group {
        self.groups.push(Some(owner));
        Group::new(u32::try_from(self.groups.len() - 1).unwrap(), 0)
    }
    fn set_owner(&mut self, group: Group, owner: Owner) {
        self.groups[group.index() as usize] = Some(owner);
    }
    fn close_group(&mut self, group: Group) {
        for i in 0..self.sockets.len() {
            if self.sockets[i].as_ref().is_some_and(|s| s.group == group) {
                self.close(Sid::new(u32::try_from(i).unwrap(), self.generations[i]));
            }
        }
        self.look_ups.retain(|(waiting, _), _| *waiting != group);
        self.answered.remove(&group);
        self.groups[group.index() as usize] = None;
    }
    fn ready(&mut self, group: Group, out: &mut Vec<Sid>) {
        self.answered.remove(&group);
        for (i, socket) in self.sockets.iter_mut().enumerate() {
            if let Some(socket) = socket.as_mut().filter(|s| s.group == group && s.marked) {
                socket.marked = false;
                self.calls += 1;
                out.push(Sid::new(u32::try_from(i).unwrap(), self.generations[i]));
            }
        }
    }
    fn mark(&mut self, sid: Sid) {
        if let Some(socket) = self.at_mut(sid) {
            socket.marked = true;
        }
    }
    fn listen(&mut self, group: Group, at: &Endpoint, o: &ListenOptions) -> Result<Sid, NetError> {
        let mut at = at.clone();
        if let Endpoint::Tcp(addr) = &mut at {
            if addr.port() == 0 {
                self.next_port += 1;
                addr.set_port(self.next_port);
            }
        }
        if self.listener(&at).is_some() {
            return Err(NetError::AddrInUse);
        }
        if let Endpoint::Unix(path) = &at {
            let len = path.as_os_str().len();
            if len > 107 {
                return Err(NetError::PathTooLong {
                    len: u16::try_from(len).unwrap_or(u16::MAX),
                    max: 107,
                });
            }
        }
        let kind = Kind::Listener {
            backlog: o.backlog as usize,
            waiting: VecDeque::new(),
        };
        self.add(group, at, Endpoint::Unnamed, kind)
    }
    fn accept(&mut self, listener: Sid) -> Result<Option<(Sid, Endpoint)>, NetError> {
        self.calls += 1;
        let (open, waiting, most) = (self.open(), self.waiting(), self.descriptors);
        let socket = self.at_mut(listener).ok_or(NetError::Stale)?;
        let Kind::Listener { waiting: queue, .. } = &mut socket.kind else {
            return Err(NetError::Invalid);
        };
        if queue.is_empty() {
            socket.readable = false;
            return Ok(None);
        }
        if open - waiting >= most {
            self.accepts_failed.push(self.now);
            return Err(NetError::Exhausted);
        }
        let sid = queue.pop_front().unwrap();
        let accepted = self.at_mut(sid).unwrap();
        accepted.marked = true;
        Ok(Some((sid, accepted.peer.clone())))
    }
    fn connect(
        &mut self,
        group: Group,
        to: &Endpoint,
        _: &ConnectOptions,
    ) -> Result<Sid, NetError> {
        self.dials.push((self.now, to.clone()));
        let from = match to {
            Endpoint::Tcp(_) => {
                self.next_port += 1;
                SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), self.next_port).into()
            }
            Endpoint::Unix(_) => Endpoint::Unnamed,
            _ => return Err(NetError::Invalid),
        };
        if self.unreachable.contains(to) {
            return Err(NetError::Unreachable);
        }
        let dialling = Kind::Dialling {
            since: self.now,
            failure: None,
        };
        self.add(group, from, to.clone(), dialling)
    }
    fn connected(&mut self, sid: Sid) -> Result<bool, NetError> {
        match &self.at(sid).ok_or(NetError::Stale)?.kind {
            Kind::Stream(_) => Ok(true),
            Kind::Dialling { failure: None, .. } => Ok(false),
            Kind::Dialling {
                failure: Some(why), ..
            } => Err(*why),
            Kind::Listener { .. } => Err(NetError::Invalid),
        }
    }
    fn read(&mut self, sid: Sid, buf: &mut [u8]) -> Result<Option<usize>, NetError> {
        self.calls += 1;
        if !self.at(sid).ok_or(NetError::Stale)?.readable {
            return Ok(None);
        }
        let stream = self.stream(sid)?;
        let n = buf.len().min(stream.inbox.len());
        for (to, from) in buf.iter_mut().zip(stream.inbox.drain(..n)) {
            *to = from;
        }
        let (ended, reset, other) = (
            stream.fin || stream.shut_receive,
            stream.reset,
            stream.other,
        );
        if n > 0 {
            if n < buf.len() {
                let socket = self.at_mut(sid).unwrap();
                socket.readable = ended;
                socket.marked |= ended;
            }
            if let Some(other) = other {
                self.wake(other, false, true);
            }
            return Ok(Some(n));
        }
        match (reset, ended) {
            (true, _) => Err(NetError::Reset),
            (_, true) => Ok(Some(0)),
            _ => {
                self.at_mut(sid).unwrap().readable = false;
                Ok(None)
            }
        }
    }
    fn write(&mut self, sid: Sid, data: &[u8]) -> Result<usize, NetError> {
        self.calls += 1;
        let (capacity, split) = (self.capacity, self.split);
        let writable = self.at(sid).ok_or(NetError::Stale)?.writable;
        let stream = self.stream(sid)?;
        if stream.shut_send {
            return Err(NetError::BrokenPipe);
        }
        if stream.reset {
            return Err(NetError::Reset);
        }
        if !writable {
            return Ok(0);
        }
        let Some(other) = stream.other else {
            return Err(NetError::BrokenPipe);
        };
        let Ok(peer) = self.stream(other) else {
            self.stream(sid)?.reset = true;
            return Err(NetError::BrokenPipe);
        };
        let mut n = data.len().min(capacity.saturating_sub(peer.inbox.len()));
        if peer.taken < split {
            n = n.min(split - peer.taken);
        }
        peer.taken += n;
        peer.inbox.extend(&data[..n]);
        if n > 0 {
            self.wake(other, true, false);
        }
        if n < data.len() {
            self.at_mut(sid).unwrap().writable = false;
        }
        Ok(n)
    }
    fn shutdown(&mut self, sid: Sid, how: Shutdown) -> Result<(), NetError> {
        let stream = self.stream(sid)?;
        if how != Shutdown::Send {
            stream.shut_receive = true;
        }
        if how != Shutdown::Receive {
            stream.shut_send = true;
            self.hang_up(sid, false);
        }
        if how != Shutdown::Send {
            self.wake(sid, true, false);
        }
        Ok(())
    }
    fn close(&mut self, sid: Sid) {
        let Some(socket) = self.at(sid) else { return };
        match &socket.kind {
            Kind::Listener { waiting, .. } => {
                for sid in waiting.clone() {
                    self.close(sid);
                }
            }
            Kind::Stream(stream) => {
                let reset = socket.linger_zero || !stream.inbox.is_empty() || stream.reset;
                self.hang_up(sid, reset);
            }
            Kind::Dialling { .. } => {}
        }
        let index = sid.index() as usize;
        self.sockets[index] = None;
        self.generations[index] += 1;
    }
    fn resolve(&mut self, group: Group, name: &str) -> Lookup {
        self.resolves += 1;
        let Some((takes, answer)) = self.names.get(name) else {
            return Lookup::Failed(NetError::Unresolvable);
        };
        let asked = (group, name.to_owned());
        match self.look_ups.get(&asked) {
            _ if takes.is_zero() => answer.clone(),
            Some(&(at, _)) if at <= self.now => {
                self.look_ups.remove(&asked);
                answer.clone()
            }
            Some(_) => Lookup::Pending,
            None => {
                let never = *answer == Lookup::Pending;
                let at = if never {
                    Tyme::NEVER
                } else {
                    self.now + *takes
                };
                self.look_ups.insert(asked, (at, false));
                Lookup::Pending
            }
        }
    }
    fn local(&self, sid: Sid) -> Result<Endpoint, NetError> {
        Ok(self.at(sid).ok_or(NetError::Stale)?.local.clone())
    }
    fn peer(&self, sid: Sid) -> Result<Endpoint, NetError> {
        Ok(self.at(sid).ok_or(NetError::Stale)?.peer.clone())
    }
    fn buffer_sizes(&self, sid: Sid) -> Result<(usize, usize), NetError> {
        self.at(sid).ok_or(NetError::Stale)?;
        Ok((self.capacity, self.capacity))
    }
    fn set_option(&mut self, sid: Sid, option: SocketOption) -> Result<(), NetError> {
        let socket = self.at_mut(sid).ok_or(NetError::Stale)?;
        if let SocketOption::Linger(linger) = option {
            socket.linger_zero = linger == Some(Duration::ZERO);
        }
        Ok(())
    }
}

impl MemoryNet {
    /// Whether bytes wait to be read there.
    pub(crate) fn has_bytes(&self, sid: Sid) -> bool {
        self.at(sid)
            .is_some_and(|s| matches!(&s.kind, Kind::Stream(stream) if !stream.inbox.is_empty()))
    }
}
