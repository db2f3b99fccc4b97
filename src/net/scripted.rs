mod peer;
mod script;

use std::collections::BTreeMap;
use std::io::IoSlice;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use self::peer::Peer;
pub use self::script::{Script, Unmet};
use super::{
    ConnectOptions, Endpoint, Group, Layer, Lookup, Net, NetError, NullNet, Owner, Shutdown, Sid,
    SocketOption, normal_name,
};
use crate::tyme::Tyme;

/// A mock: peers that follow a [`Script`] each, names that resolve as told, and a report of what
/// was expected and did not come.
///
/// Each script answers one connection to its address, in the order they were added; whatever else
/// is done goes to the net below. Delays are on that net's clock: on [`NullNet`], which
/// [`alone`](Self::alone) stands on, it leaps from one event to the next. Waiting for a program
/// that waits itself, without a timeout, is then the error [`NetError::Unsupported`].
///
/// Ids of its sockets have indices from 2^31 on: only one such layer may be in a stack.
///
/// ```
/// use hio::link::NetworkBackend;
/// use hio::net::{Script, Scripted};
/// use std::time::Duration;
/// let script = Script::to("10.0.0.1:7".parse()?)
///     .expects("ping")
///     .after(Duration::from_secs(60)) // takes no time
///     .sends("pong")
///     .ends();
/// let net = Scripted::alone().with(script).with_name("echo.test", &[[10, 0, 0, 1].into()]);
/// let mut backend = NetworkBackend::new(net);
/// let mut stream = backend.connect("echo.test", 7)?;
/// stream.write(b"ping")?;
/// assert_eq!(stream.read()?, b"pong");
/// stream.close()?;
/// drop(stream);
/// backend.net().verify()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Scripted<N = NullNet> {
    net: N,
    scripts: Vec<(Script, bool)>,
    peers: Vec<Peer>,
    names: BTreeMap<String, (Duration, Lookup)>,
    look_ups: Vec<LookUp>,
    owners: BTreeMap<Group, Owner>,
    /// Dials that no script answered and that failed below.
    strays: Vec<String>,
}

/// A look-up that takes its time.
#[derive(Debug)]
struct LookUp {
    group: Group,
    name: String,
    at: Tyme,
    /// It is over, and `woken` tells so.
    marked: bool,
    over: bool,
}

impl Scripted {
    /// A mock of which nothing goes further, with a clock that leaps.
    #[must_use]
    pub fn alone() -> Self {
        Self::over(NullNet::default())
    }
}

impl<N: Net> Scripted<N> {
    /// A mock in front of `net`.
    #[must_use]
    pub const fn over(net: N) -> Self {
        Self {
            net,
            scripts: Vec::new(),
            peers: Vec::new(),
            names: BTreeMap::new(),
            look_ups: Vec::new(),
            owners: BTreeMap::new(),
            strays: Vec::new(),
        }
    }

    /// Adds a script.
    #[must_use]
    pub fn with(mut self, script: Script) -> Self {
        self.add(script);
        self
    }

    /// Adds a script to a net that is in use.
    pub fn add(&mut self, script: Script) {
        self.scripts.push((script, false));
    }

    /// Gives a name these addresses.
    #[must_use]
    pub fn with_name(self, name: &str, addresses: &[IpAddr]) -> Self {
        let answer = match addresses {
            [] => Lookup::Failed(NetError::Unresolvable),
            some => Lookup::Ready(some.to_vec()),
        };
        self.with_slow_name(name, Duration::ZERO, answer)
    }

    /// Answers look-ups of a name after a time; [`Duration::MAX`] is never. An answer of
    /// [`Lookup::Pending`] is none, and a name that cannot be is never asked for.
    #[must_use]
    pub fn with_slow_name(mut self, name: &str, after: Duration, answer: Lookup) -> Self {
        if let Ok(name) = normal_name(name) {
            self.names.insert(name, (after, answer));
        }
        self
    }

    /// Whether all that the scripts expect has come, and nothing else.
    ///
    /// # Errors
    /// One line for each that has not: scripts that nobody dialled, bytes that are missing, differ
    /// or were not expected, dials that nobody answers.
    pub fn verify(&self) -> Result<(), Unmet> {
        let mut found = self.strays.clone();
        for (n, (script, used)) in self.scripts.iter().enumerate() {
            if !used {
                found.push(format!("script {} to {}: nobody dialled", n + 1, script.to));
            }
        }
        found.extend(self.peers.iter().filter_map(|peer| peer.wrong.clone()));
        found.extend(self.peers.iter().filter_map(Peer::unmet));
        match found.is_empty() {
            true => Ok(()),
            false => Err(Unmet(found)),
        }
    }

    /// The net below.
    pub fn into_below(self) -> N {
        self.net
    }

    /// Carries all scripts on. True when something is new to the program.
    fn step(&mut self, now: Tyme) -> bool {
        let mut news = false;
        for peer in self.peers.iter_mut().filter(|peer| !peer.closed) {
            news |= peer.step(now);
        }
        for look_up in &mut self.look_ups {
            let over = look_up.at <= now && !look_up.at.is_never();
            if over && !look_up.over {
                (look_up.over, look_up.marked, news) = (true, true, true);
            }
        }
        news
    }

    /// When something happens by itself.
    fn next(&self) -> Tyme {
        let peers = self.peers.iter().filter(|peer| !peer.closed);
        let peers = peers.map(|peer| peer.next);
        let look_ups = self.look_ups.iter().filter(|look_up| !look_up.over);
        peers
            .chain(look_ups.map(|look_up| look_up.at))
            .min()
            .unwrap_or(Tyme::NEVER)
    }

    fn index(&self, sid: Sid) -> Option<usize> {
        let n = sid.index().checked_sub(BASE)? as usize;
        (n < self.peers.len()).then_some(n)
    }

    /// The peer of a socket of ours: None for one of the net below.
    fn peer_mut(&mut self, sid: Sid) -> Option<Result<&mut Peer, NetError>> {
        let peer = self.index(sid).map(|n| &mut self.peers[n])?;
        Some(match peer.closed {
            true => Err(NetError::Stale),
            false => Ok(peer),
        })
    }

    fn peer_of(&self, sid: Sid) -> Option<Result<&Peer, NetError>> {
        let peer = &self.peers[self.index(sid)?];
        Some(match peer.closed {
            true => Err(NetError::Stale),
            false => Ok(peer),
        })
    }
}

impl<N: Net> Layer for Scripted<N> {
    type Below = N;
    fn below(&self) -> &N {
        &self.net
    }
    fn below_mut(&mut self) -> &mut N {
        &mut self.net
    }
    fn poll(&mut self, until: Tyme) -> Result<(), NetError> {
        let now = self.net.now();
        // Peers that answer at once, as a look and no wait.
        let until = match self.step(now) {
            true => now,
            false => until.min(self.next()),
        };
        self.net.poll(until)?;
        let now = self.net.now();
        self.step(now);
        Ok(())
    }
    fn woken(&mut self, out: &mut Vec<Owner>) {
        let start = out.len();
        self.net.woken(out);
        let peers = self.peers.iter().filter(|peer| peer.marked && !peer.closed);
        let look_ups = self.look_ups.iter().filter(|look_up| look_up.marked);
        let groups = peers.map(|peer| peer.group);
        let groups = groups.chain(look_ups.map(|look_up| look_up.group));
        let owners = groups.filter_map(|group| self.owners.get(&group));
        out.extend(owners.filter(|owner| **owner != Owner::NONE));
        let mut all = out.split_off(start);
        all.sort_unstable();
        all.dedup();
        out.extend(all);
    }
    fn group(&mut self, owner: Owner) -> Group {
        let group = self.net.group(owner);
        self.owners.insert(group, owner);
        group
    }
    fn set_owner(&mut self, group: Group, owner: Owner) {
        self.owners.insert(group, owner);
        self.net.set_owner(group, owner);
    }
    fn close_group(&mut self, group: Group) {
        let now = self.net.now();
        self.owners.remove(&group);
        self.look_ups.retain(|look_up| look_up.group != group);
        let peers = self.peers.iter_mut();
        for peer in peers.filter(|peer| peer.group == group && !peer.closed) {
            peer.shut(now);
            peer.closed = true;
        }
        self.net.close_group(group);
    }
    fn ready(&mut self, group: Group, out: &mut Vec<Sid>) {
        self.net.ready(group, out);
        for look_up in self.look_ups.iter_mut().filter(|l| l.group == group) {
            look_up.marked = false;
        }
        for (n, peer) in self.peers.iter_mut().enumerate() {
            if peer.group == group && peer.marked && !peer.closed {
                peer.marked = false;
                out.push(sid(n));
            }
        }
    }
    fn mark(&mut self, sid: Sid) {
        match self.peer_mut(sid) {
            Some(Ok(peer)) => peer.marked = true,
            Some(Err(_)) => {}
            None => self.net.mark(sid),
        }
    }
    fn connect(
        &mut self,
        group: Group,
        to: &Endpoint,
        options: &ConnectOptions,
    ) -> Result<Sid, NetError> {
        let unused = |(script, used): &(Script, bool)| !used && script.to == *to;
        let Some(n) = self.scripts.iter().position(unused) else {
            let connected = self.net.connect(group, to, options);
            if connected.is_err() && self.strays.len() < STRAYS_MAX {
                self.strays
                    .push(format!("no script for a connection to {to}"));
            }
            return connected;
        };
        let now = self.net.now();
        let port = PORTS.saturating_add(u16::try_from(self.peers.len()).unwrap_or(u16::MAX));
        let local = match to {
            Endpoint::Tcp(_) => SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port).into(),
            _ => Endpoint::Unnamed,
        };
        let peer = Peer::new(n + 1, &self.scripts[n].0, group, local, now);
        self.scripts[n].1 = true;
        self.peers.push(peer);
        Ok(sid(self.peers.len() - 1))
    }
    fn connected(&mut self, sid: Sid) -> Result<bool, NetError> {
        match self.peer_mut(sid) {
            Some(peer) => peer?.connected(),
            None => self.net.connected(sid),
        }
    }
    fn read(&mut self, sid: Sid, buf: &mut [u8]) -> Result<Option<usize>, NetError> {
        match self.peer_mut(sid) {
            Some(peer) => peer?.read(buf),
            None => self.net.read(sid, buf),
        }
    }
    fn write(&mut self, sid: Sid, data: &[u8]) -> Result<usize, NetError> {
        if self.index(sid).is_none() {
            return self.net.write(sid, data);
        }
        let now = self.net.now();
        match self.peer_mut(sid) {
            Some(peer) => peer?.write(data, now),
            None => Err(NetError::Stale),
        }
    }
    fn write_vectored(&mut self, sid: Sid, pieces: &[IoSlice<'_>]) -> Result<usize, NetError> {
        match self.index(sid) {
            Some(_) => super::write_pieces(pieces, |piece| Layer::write(self, sid, piece)),
            None => self.net.write_vectored(sid, pieces),
        }
    }
    fn shutdown(&mut self, sid: Sid, how: Shutdown) -> Result<(), NetError> {
        if self.index(sid).is_none() {
            return self.net.shutdown(sid, how);
        }
        let now = self.net.now();
        if let (Some(peer), true) = (self.peer_mut(sid), how != Shutdown::Receive) {
            peer?.shut(now);
        }
        Ok(())
    }
    fn close(&mut self, sid: Sid) {
        if self.index(sid).is_none() {
            return self.net.close(sid);
        }
        let now = self.net.now();
        if let Some(Ok(peer)) = self.peer_mut(sid) {
            peer.shut(now);
            peer.closed = true;
        }
    }
    fn resolve(&mut self, group: Group, name: &str) -> Lookup {
        let found = normal_name(name).ok();
        let found = found.and_then(|name| self.names.get_key_value(&name));
        let Some((name, (after, answer))) = found else {
            return self.net.resolve(group, name);
        };
        let now = self.net.now();
        let same = |look_up: &LookUp| look_up.group == group && look_up.name == *name;
        match self.look_ups.iter().position(same) {
            None if after.is_zero() => answer.clone(),
            None => {
                self.look_ups.push(LookUp {
                    group,
                    name: name.clone(),
                    at: now + *after,
                    marked: false,
                    over: false,
                });
                Lookup::Pending
            }
            Some(n) if self.look_ups[n].at <= now => {
                self.look_ups.swap_remove(n);
                answer.clone()
            }
            Some(_) => Lookup::Pending,
        }
    }
    fn local(&self, sid: Sid) -> Result<Endpoint, NetError> {
        match self.peer_of(sid) {
            Some(peer) => Ok(peer?.local.clone()),
            None => self.net.local(sid),
        }
    }
    fn peer(&self, sid: Sid) -> Result<Endpoint, NetError> {
        match self.peer_of(sid) {
            Some(peer) => Ok(peer?.to.clone()),
            None => self.net.peer(sid),
        }
    }
    fn buffer_sizes(&self, sid: Sid) -> Result<(usize, usize), NetError> {
        match self.peer_of(sid) {
            Some(peer) => peer.map(|_| (0, 0)),
            None => self.net.buffer_sizes(sid),
        }
    }
    fn set_option(&mut self, sid: Sid, option: SocketOption) -> Result<(), NetError> {
        match self.peer_of(sid) {
            Some(peer) => peer.map(|_| ()),
            None => self.net.set_option(sid, option),
        }
    }
    #[cfg(unix)]
    fn descriptor(&self, sid: Sid) -> Option<std::os::fd::RawFd> {
        match self.index(sid) {
            Some(_) => None,
            None => self.net.descriptor(sid),
        }
    }
}

fn sid(n: usize) -> Sid {
    Sid::new(BASE.saturating_add(u32::try_from(n).unwrap_or(0)), 0)
}

/// The first index of its sockets: nets count from zero.
const BASE: u32 = 1 << 31;
/// The first port its connections come from.
const PORTS: u16 = 49_152;
/// Dials without an answer that are kept for the report.
const STRAYS_MAX: usize = 16;
