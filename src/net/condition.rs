//! Slow, lossy and narrow links on real sockets. Read `condition/lane.rs` for what a link does.

mod held;
mod lane;
mod links;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use self::held::{Datagrams, Held, Kind, Stream};
use self::lane::Way;
use self::links::Links;
use super::{
    Conditions, ConditionsError, ConnectOptions, Datagram, DatagramOptions, Endpoint, Group, Layer,
    ListenOptions, Lookup, Loose, Net, NetError, Owner, Shutdown, Sid, SocketOption, StdSocket,
};
use crate::tyme::Tyme;

/// Puts latency, loss and bandwidth on the sockets of the net below: a layer over any net.
///
/// The same [`Conditions`] as in a simulation, where there is no simulation: for a program on real
/// sockets, and on machines where the system's own means are not to be had. They hold in each
/// direction: what is written arrives so much later, and so does what is read. So a round trip
/// takes twice the latency when one of its ends has this layer, four times with both.
///
/// # What it does
/// Streams: what is written and what comes in is held until its time, in order; a lost segment is
/// one that comes a retransmission's timeout later, at least 200 ms. Dialling takes a round trip.
/// Datagrams: some are lost, come twice or overtake each other; one that cannot be sent in the end
/// is lost, where the system might have told. All sockets towards one address share its bandwidth.
///
/// # What it does not
/// Accepting is not delayed, nor is looking up names. The system's own buffers still take in what
/// peers send, and acknowledge it. Each direction of a socket holds at most the link's queue
/// (16 KiB to 16 MiB; a full one takes no more writes, and reads no more from below). Everything
/// is copied twice, and each poll looks at all groups: it is made for tests.
///
/// Closing a socket with unsent data sends it in the background, for at most a minute; with a
/// linger of zero it is thrown away.
///
/// ```
/// use hio::net::{Conditioned, Conditions, MioNet};
/// use std::net::IpAddr;
///
/// let slow: Conditions = "latency uniform 20ms 30ms loss 0.01".parse()?;
/// let mut net = Conditioned::new(MioNet::new()?, Conditions::default(), 7);
/// net.set("192.0.2.1".parse::<IpAddr>()?, slow);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Conditioned<N> {
    net: N,
    links: Links,
    sockets: BTreeMap<Sid, Held>,
    groups: BTreeMap<Group, Gathering>,
    /// When sockets are to be looked at.
    due: BTreeSet<(Tyme, Sid)>,
    scratch: Vec<u8>,
    sids: Vec<Sid>,
    owners: Vec<Owner>,
}

/// A group of the net below, with marks of its own: those below come too early.
#[derive(Debug)]
struct Gathering {
    owner: Owner,
    marks: BTreeSet<Sid>,
    /// A name was looked up for it.
    answered: bool,
    /// Closed by the program while sockets still send.
    closed: bool,
}

impl<N: Net> Conditioned<N> {
    /// Puts `conditions` on whatever has none of its own, Unix sockets included. What is random is
    /// drawn from the seed, a stream for each link and direction.
    pub fn new(net: N, conditions: Conditions, seed: u64) -> Self {
        Self {
            net,
            links: Links::new(seed, conditions),
            sockets: BTreeMap::new(),
            groups: BTreeMap::new(),
            due: BTreeSet::new(),
            scratch: vec![0; 64 * 1024],
            sids: Vec::new(),
            owners: Vec::new(),
        }
    }

    /// Sets the conditions towards an address, from now on: what is under way arrives as it would
    /// have.
    pub fn set(&mut self, to: IpAddr, conditions: Conditions) {
        self.links.set(to, conditions);
    }

    /// Sets the conditions of whatever has none of its own, from now on.
    pub fn set_default(&mut self, conditions: Conditions) {
        self.links.default = conditions;
    }

    /// Takes the links of a simulation's fault file: the lines `at SPAN link A B CONDITIONS` where
    /// one of the two is `me` and the other one's address is given. They come into force when the
    /// net's clock gets there. Gives how many there were; faults of other kinds are left out, as
    /// are links of others.
    ///
    /// # Errors
    /// The first such line that makes no sense; then none is taken.
    pub fn plan(
        &mut self,
        text: &str,
        me: &str,
        addresses: &[(&str, IpAddr)],
    ) -> Result<usize, ConditionsError> {
        self.links.plan(text, me, addresses)
    }

    /// The net below.
    #[must_use]
    pub const fn net(&self) -> &N {
        &self.net
    }
}

impl<N: Net> Conditioned<N> {
    fn clock(&mut self) -> Tyme {
        let now = self.net.now();
        self.links.advance(now);
        now
    }

    fn admit(&mut self, sid: Sid, group: Group, kind: Kind, linger: Option<Duration>) {
        let mut held = Held::new(group, kind);
        held.abortive = linger.is_some_and(|span| span.is_zero());
        self.sockets.insert(sid, held);
        self.schedule(sid);
    }

    /// An open socket, which one that only sends its last is not.
    fn open(&mut self, sid: Sid) -> Result<&mut Held, NetError> {
        let held = self.sockets.get_mut(&sid);
        held.filter(|held| held.closing.is_none())
            .ok_or(NetError::Stale)
    }

    fn check(&self, sid: Sid) -> Result<(), NetError> {
        let held = self.sockets.get(&sid);
        held.filter(|held| held.closing.is_none())
            .map(|_| ())
            .ok_or(NetError::Stale)
    }

    fn stream(&mut self, sid: Sid) -> Result<(&mut Stream, &mut Links), NetError> {
        let held = self
            .sockets
            .get_mut(&sid)
            .filter(|held| held.closing.is_none());
        match held.map(|held| &mut held.kind) {
            Some(Kind::Stream(stream)) => Ok((stream, &mut self.links)),
            Some(_) => Err(NetError::Invalid),
            None => Err(NetError::Stale),
        }
    }

    fn tell(&mut self, sid: Sid) {
        let open = self.sockets.get(&sid).filter(|held| held.closing.is_none());
        if let Some(group) = open.and_then(|held| self.groups.get_mut(&held.group)) {
            group.marks.insert(sid);
        }
    }

    /// Whether sockets may be opened in a group.
    fn check_group(&self, group: Group) -> Result<(), NetError> {
        let open = self.groups.get(&group).filter(|group| !group.closed);
        open.map(|_| ()).ok_or(NetError::Stale)
    }

    /// Puts a socket where the list of all wants it.
    fn schedule(&mut self, sid: Sid) {
        let Some(held) = self.sockets.get_mut(&sid) else {
            return;
        };
        let wake = held.next_wake();
        if wake != held.wake {
            self.due.remove(&(held.wake, sid));
            held.wake = wake;
            if !wake.is_never() {
                self.due.insert((wake, sid));
            }
        }
    }

    /// Moves what the net below has and takes, and what has come due.
    fn pump(&mut self) {
        let now = self.clock();
        let mut owners = std::mem::take(&mut self.owners);
        let mut sids = std::mem::take(&mut self.sids);
        self.net.woken(&mut owners);
        for (id, group) in &mut self.groups {
            let before = sids.len();
            self.net.ready(*id, &mut sids);
            // Woken without a socket: a name's answer.
            group.answered |= sids.len() == before && owners.contains(&group.owner);
        }
        for sid in sids.drain(..) {
            self.heard(sid, now);
        }
        // Each once: what is due again at once waits for the next poll.
        while let Some((at, sid)) = self.due.first().copied().filter(|(at, _)| *at <= now) {
            self.due.remove(&(at, sid));
            if let Some(held) = self.sockets.get_mut(&sid) {
                held.wake = Tyme::NEVER;
            }
            sids.push(sid);
        }
        for sid in sids.drain(..) {
            self.look(sid, now);
        }
        owners.clear();
        (self.owners, self.sids) = (owners, sids);
    }

    /// The net below has a mark on a socket.
    fn heard(&mut self, sid: Sid, now: Tyme) {
        let Some(held) = self.sockets.get_mut(&sid) else {
            return;
        };
        let (net, links, scratch) = (&mut self.net, &mut self.links, &mut self.scratch);
        let tells = match &mut held.kind {
            Kind::Plain => true,
            // Until it stands, a mark is about that.
            Kind::Stream(stream) if stream.stands.is_some() => true,
            Kind::Stream(stream) => {
                stream.pull(sid, net, links, now, scratch) && stream.has_arrived(now)
            }
            Kind::Datagrams(datagrams) => {
                datagrams.pull(sid, net, links, now, scratch);
                datagrams.has_arrived(now)
            }
        };
        if tells {
            self.tell(sid);
        }
        self.look(sid, now);
    }

    /// Sends what has come due, and marks what has arrived.
    fn look(&mut self, sid: Sid, now: Tyme) {
        let Some(held) = self.sockets.get_mut(&sid) else {
            return;
        };
        let arrived = held.told;
        let mut tells = match &mut held.kind {
            Kind::Plain => false,
            Kind::Stream(stream) => stream.push(sid, &mut self.net, now),
            Kind::Datagrams(datagrams) => {
                let (net, links) = (&mut self.net, &mut self.links);
                datagrams.push(sid, net, now);
                if datagrams.has_more() {
                    datagrams.pull(sid, net, links, now, &mut self.scratch);
                }
                false
            }
        };
        // What arrived since it was told last lies in between.
        tells |= held.arrives_after(arrived).is_some_and(|at| at <= now);
        held.told = held.told.max(now);
        let over = held.closing.is_some_and(|until| until <= now);
        if over || (held.closing.is_some() && held.is_sent()) {
            self.remove(sid);
            return;
        }
        if tells {
            self.tell(sid);
        }
        self.schedule(sid);
    }

    /// Closes a socket below, and its group if that only waited for it.
    fn remove(&mut self, sid: Sid) {
        let Some(held) = self.sockets.remove(&sid) else {
            return;
        };
        self.due.remove(&(held.wake, sid));
        self.net.close(sid);
        let closed = self.groups.get_mut(&held.group).is_some_and(|group| {
            group.marks.remove(&sid);
            group.closed
        });
        if closed && self.sockets.values().all(|other| other.group != held.group) {
            self.groups.remove(&held.group);
            self.net.close_group(held.group);
        }
    }

    fn close_socket(&mut self, sid: Sid) {
        let Some(held) = self
            .sockets
            .get_mut(&sid)
            .filter(|held| held.closing.is_none())
        else {
            return;
        };
        if held.abortive || held.is_sent() {
            return self.remove(sid);
        }
        let until = self.net.now() + LINGER_MAX;
        held.closing = Some(until);
        if let Some(group) = self.groups.get_mut(&held.group) {
            group.marks.remove(&sid);
        }
        self.schedule(sid);
    }
}

impl<N: Net> Layer for Conditioned<N> {
    type Below = N;

    fn below(&self) -> &N {
        &self.net
    }

    fn below_mut(&mut self) -> &mut N {
        &mut self.net
    }

    fn poll(&mut self, until: Tyme) -> Result<(), NetError> {
        let due = self.due.first().map_or(Tyme::NEVER, |(at, _)| *at);
        self.net.poll(until.min(due))?;
        self.pump();
        Ok(())
    }

    fn woken(&mut self, out: &mut Vec<Owner>) {
        let start = out.len();
        for group in self.groups.values() {
            let ready = !group.marks.is_empty() || group.answered;
            if ready && group.owner != Owner::NONE && !group.closed {
                out.push(group.owner);
            }
        }
        out[start..].sort_unstable();
        let mut told = out.split_off(start);
        told.dedup();
        out.append(&mut told);
    }

    fn group(&mut self, owner: Owner) -> Group {
        let group = self.net.group(owner);
        let gathering = Gathering {
            owner,
            marks: BTreeSet::new(),
            answered: false,
            closed: false,
        };
        self.groups.insert(group, gathering);
        group
    }

    fn set_owner(&mut self, group: Group, owner: Owner) {
        if let Some(gathering) = self.groups.get_mut(&group) {
            gathering.owner = owner;
        }
        self.net.set_owner(group, owner);
    }

    fn close_group(&mut self, group: Group) {
        let members = self.sockets.iter().filter(|(_, held)| held.group == group);
        let members: Vec<Sid> = members.map(|(sid, _)| *sid).collect();
        members.into_iter().for_each(|sid| self.close_socket(sid));
        if self.sockets.values().any(|held| held.group == group) {
            if let Some(gathering) = self.groups.get_mut(&group) {
                gathering.closed = true;
            }
        } else {
            self.groups.remove(&group);
            self.net.close_group(group);
        }
    }

    fn ready(&mut self, group: Group, out: &mut Vec<Sid>) {
        if let Some(gathering) = self.groups.get_mut(&group) {
            out.extend(&gathering.marks);
            gathering.marks.clear();
            gathering.answered = false;
        }
    }

    fn mark(&mut self, sid: Sid) {
        if self.check(sid).is_ok() {
            self.tell(sid);
        }
    }

    fn listen(
        &mut self,
        group: Group,
        at: &Endpoint,
        options: &ListenOptions,
    ) -> Result<Sid, NetError> {
        self.check_group(group)?;
        let sid = self.net.listen(group, at, options)?;
        self.admit(sid, group, Kind::Plain, options.linger);
        Ok(sid)
    }

    fn accept(&mut self, listener: Sid) -> Result<Option<(Sid, Endpoint)>, NetError> {
        let (group, abortive) = {
            let held = self.open(listener)?;
            (held.group, held.abortive)
        };
        let Some((sid, peer)) = self.net.accept(listener)? else {
            return Ok(None);
        };
        let stream = Stream::new(peer.addr().map(|addr| addr.ip()));
        let linger = abortive.then_some(Duration::ZERO);
        self.admit(sid, group, Kind::Stream(Box::new(stream)), linger);
        Ok(Some((sid, peer)))
    }

    fn connect(
        &mut self,
        group: Group,
        to: &Endpoint,
        options: &ConnectOptions,
    ) -> Result<Sid, NetError> {
        self.check_group(group)?;
        let sid = self.net.connect(group, to, options)?;
        let now = self.clock();
        let mut stream = Stream::new(to.addr().map(|addr| addr.ip()));
        let there = self.links.stream(stream.peer, Way::Out, now, 0);
        stream.stands = Some(self.links.stream(stream.peer, Way::In, there, 0));
        self.admit(sid, group, Kind::Stream(Box::new(stream)), options.linger);
        Ok(sid)
    }

    fn connected(&mut self, sid: Sid) -> Result<bool, NetError> {
        self.check(sid)?;
        let stands = self.net.connected(sid)?;
        let now = self.clock();
        let Ok((stream, _)) = self.stream(sid) else {
            return Ok(stands);
        };
        match stream.stands {
            Some(at) if !stands || at > now => Ok(false),
            Some(_) => {
                stream.stands = None;
                // What came meanwhile was not taken.
                self.heard(sid, now);
                Ok(true)
            }
            None => Ok(stands),
        }
    }

    fn read(&mut self, sid: Sid, buf: &mut [u8]) -> Result<Option<usize>, NetError> {
        if matches!(self.open(sid)?.kind, Kind::Plain) {
            return self.net.read(sid, buf);
        }
        let now = self.clock();
        let full = buf.len();
        let got = self.stream(sid)?.0.read(now, buf);
        if let Ok(Some(n)) = got {
            // There is room to take more from below.
            self.heard(sid, now);
            if n == full {
                return got;
            }
            // A short read is the last one: if more arrived since, a mark has to tell.
            let Ok((stream, _)) = self.stream(sid) else {
                return got;
            };
            if stream.has_arrived(now) {
                self.tell(sid);
            }
        }
        got
    }

    fn write(&mut self, sid: Sid, data: &[u8]) -> Result<usize, NetError> {
        if matches!(self.open(sid)?.kind, Kind::Plain) {
            return self.net.write(sid, data);
        }
        let now = self.clock();
        let (stream, links) = self.stream(sid)?;
        let took = stream.write(data, links, now)?;
        self.look(sid, now);
        Ok(took)
    }

    fn shutdown(&mut self, sid: Sid, how: Shutdown) -> Result<(), NetError> {
        let now = self.clock();
        let Ok((stream, links)) = self.stream(sid) else {
            self.check(sid)?;
            return self.net.shutdown(sid, how);
        };
        if how != Shutdown::Send {
            stream.shut_reading();
        }
        if how == Shutdown::Receive {
            return self.net.shutdown(sid, how);
        }
        stream.shut(how, links, now);
        self.look(sid, now);
        Ok(())
    }

    fn close(&mut self, sid: Sid) {
        self.close_socket(sid);
    }

    fn bind(
        &mut self,
        group: Group,
        at: &Endpoint,
        options: &DatagramOptions,
    ) -> Result<Sid, NetError> {
        self.check_group(group)?;
        let sid = self.net.bind(group, at, options)?;
        let to = options
            .to
            .as_ref()
            .and_then(Endpoint::addr)
            .map(|addr| addr.ip());
        self.admit(sid, group, Kind::Datagrams(Datagrams::new(to)), None);
        Ok(sid)
    }

    fn recv_from(&mut self, sid: Sid, buf: &mut [u8]) -> Result<Option<Datagram>, NetError> {
        let now = self.clock();
        match &mut self.open(sid)?.kind {
            Kind::Datagrams(datagrams) => Ok(datagrams.recv(now, buf)),
            _ => Err(NetError::Invalid),
        }
    }

    fn send_to(&mut self, sid: Sid, data: &[u8], to: Option<&Endpoint>) -> Result<bool, NetError> {
        let now = self.clock();
        let held = self
            .sockets
            .get_mut(&sid)
            .filter(|held| held.closing.is_none());
        match held.map(|held| &mut held.kind) {
            Some(Kind::Datagrams(_)) if data.len() > DATAGRAM_MAX => Err(NetError::TooLong),
            Some(Kind::Datagrams(datagrams)) => {
                datagrams.send(data, to, &mut self.links, now);
                self.look(sid, now);
                Ok(true)
            }
            Some(_) => Err(NetError::Invalid),
            None => Err(NetError::Stale),
        }
    }

    fn resolve(&mut self, group: Group, name: &str) -> Lookup {
        self.net.resolve(group, name)
    }

    /// [`NetError::Unsupported`]: what is on its way here would be lost.
    fn let_go(&mut self, _: Sid) -> Result<Loose, NetError> {
        Err(NetError::Unsupported)
    }

    fn take_in(&mut self, group: Group, loose: Loose) -> Result<Sid, NetError> {
        self.check_group(group)?;
        let sid = self.net.take_in(group, loose)?;
        let ip = self.net.peer(sid).ok().and_then(|peer| peer.addr());
        let stream = Stream::new(ip.map(|addr| addr.ip()));
        self.admit(sid, group, Kind::Stream(Box::new(stream)), None);
        Ok(sid)
    }

    fn adopt(&mut self, group: Group, socket: StdSocket) -> Result<Sid, NetError> {
        self.check_group(group)?;
        let datagrams = socket.is_datagram();
        let sid = self.net.adopt(group, socket)?;
        let ip = |peer: Endpoint| peer.addr().map(|addr| addr.ip());
        let kind = match self.net.peer(sid) {
            peer if datagrams => Kind::Datagrams(Datagrams::new(peer.ok().and_then(ip))),
            // A pair's end talks to this program itself.
            Ok(Endpoint::Unnamed) | Err(_) => Kind::Plain,
            Ok(peer) => Kind::Stream(Box::new(Stream::new(ip(peer)))),
        };
        self.admit(sid, group, kind, None);
        Ok(sid)
    }

    fn local(&self, sid: Sid) -> Result<Endpoint, NetError> {
        self.check(sid)?;
        self.net.local(sid)
    }

    fn peer(&self, sid: Sid) -> Result<Endpoint, NetError> {
        self.check(sid)?;
        self.net.peer(sid)
    }

    fn buffer_sizes(&self, sid: Sid) -> Result<(usize, usize), NetError> {
        self.check(sid)?;
        self.net.buffer_sizes(sid)
    }

    fn set_option(&mut self, sid: Sid, option: SocketOption) -> Result<(), NetError> {
        let held = self.open(sid)?;
        if let SocketOption::Linger(linger) = option {
            held.abortive = linger.is_some_and(|span| span.is_zero());
        }
        self.net.set_option(sid, option)
    }
}

/// How long a closed socket may take to send its last.
const LINGER_MAX: Duration = Duration::from_secs(60);
/// Bytes of the largest datagram over IPv4.
const DATAGRAM_MAX: usize = 65_507;
