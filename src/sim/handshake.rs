//! How connections come to be: listening, dialling, the handshake, accepting.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::Path;

use super::datagram::as_seen;
use super::fabric::{Fabric, loopback_for_any};
use super::host::{Ports, check_path, collide};
use super::packets::{Addresses, Envelope, Kind};
use super::socket::{Listener, Phase, Socket, Stream, check_keepalive, check_linger};
use super::table::QUEUED;
use super::trace::Tag;
use crate::net::{ConnectOptions, Endpoint, Group, ListenOptions, NetError, Sid};

impl Fabric {
    // ---- listening

    pub(super) fn listen(
        &mut self,
        node: u32,
        group: Group,
        at: &Endpoint,
        options: &ListenOptions,
    ) -> Result<Sid, NetError> {
        let host = &self.hosts[node as usize];
        host.table.check_group(group)?;
        let resets = check_linger(options.linger)?;
        check_keepalive(options.keepalive)?;
        let local = match at {
            Endpoint::Tcp(at) => Endpoint::Tcp(self.free_listener(node, *at, options)?),
            Endpoint::Unix(path) => {
                host.check_descriptors()?;
                self.free_file(node, path, options.unlink_stale)?;
                at.clone()
            }
            Endpoint::Name(..) => return Err(NetError::Unresolvable),
            Endpoint::Udp(_) | Endpoint::UnixDatagram(_) | Endpoint::Unnamed => {
                return Err(NetError::Invalid);
            }
        };
        let listener = Listener {
            local: local.clone(),
            v6_only: options.v6_only,
            share: options.reuse_port,
            backlog: options.backlog as usize,
            buffers: (options.send_buffer, options.recv_buffer),
            keepalive: options.keepalive,
            resets,
            waiting: VecDeque::new(),
            half: 0,
            shut: false,
        };
        let host = &mut self.hosts[node as usize];
        let socket = Socket::Listener(Box::new(listener));
        let sid = host.table.insert(group, socket, 0)?;
        match &local {
            Endpoint::Tcp(at) => host.listeners.entry(at.port()).or_default().push(sid),
            Endpoint::Unix(path) => drop(host.files.insert(path.clone(), Some(sid))),
            _ => {}
        }
        self.tell_socket(node, Tag::Listen, sid, "at", &local.to_string());
        Ok(sid)
    }

    /// The address that a listener gets.
    fn free_listener(
        &mut self,
        node: u32,
        at: SocketAddr,
        options: &ListenOptions,
    ) -> Result<SocketAddr, NetError> {
        let host = &self.hosts[node as usize];
        host.check_descriptors()?;
        if !host.has(at.ip()) {
            return Err(NetError::AddrNotAvailable);
        }
        if at.port() == 0 {
            let port = self.free_port(node, Ports::Tcp)?;
            return Ok(SocketAddr::new(at.ip(), port));
        }
        let hosts = self.mates(node).map(|mate| &self.hosts[mate as usize]);
        let listeners = hosts.flat_map(|host| {
            let sids = host.listeners.get(&at.port()).into_iter().flatten();
            sids.map(move |sid| host.table.any(*sid).map(|e| &e.socket))
        });
        for listener in listeners {
            let Some(Socket::Listener(other)) = listener else {
                continue;
            };
            let Some(taken) = other.local.addr() else {
                continue;
            };
            let share = other.share && options.reuse_port;
            if !share && collide(taken, other.v6_only, at, options.v6_only) {
                return Err(NetError::AddrInUse);
            }
        }
        Ok(at)
    }

    /// Makes sure that a socket file may be made.
    pub(super) fn free_file(
        &self,
        node: u32,
        path: &Path,
        unlink_stale: bool,
    ) -> Result<(), NetError> {
        check_path(path)?;
        match self.hosts[node as usize].files.get(path) {
            None => Ok(()),
            Some(None) if unlink_stale => Ok(()),
            Some(_) => Err(NetError::AddrInUse),
        }
    }

    pub(super) fn accept(
        &mut self,
        node: u32,
        listener: Sid,
    ) -> Result<Option<(Sid, Endpoint)>, NetError> {
        let host = &mut self.hosts[node as usize];
        let full = host.check_descriptors().is_err();
        let Socket::Listener(waiting) = &mut host.table.get_mut(listener)?.socket else {
            return Err(NetError::Invalid);
        };
        if waiting.waiting.is_empty() {
            return Ok(None);
        }
        if full {
            return Err(NetError::Exhausted);
        }
        let Some(sid) = waiting.waiting.pop_front() else {
            return Ok(None);
        };
        host.table.set_flags(sid, 0, QUEUED);
        let Some(stream) = self.stream_mut(node, sid) else {
            return Ok(None);
        };
        let peer = stream.peer.clone();
        let news = !stream.rx.is_empty() || stream.ended || stream.error.is_some();
        if news {
            self.mark_later(node, sid);
        }
        self.tell_socket(node, Tag::Accepted, sid, "peer", &peer.to_string());
        Ok(Some((sid, peer)))
    }

    // ---- dialling

    pub(super) fn connect(
        &mut self,
        node: u32,
        group: Group,
        to: &Endpoint,
        options: &ConnectOptions,
    ) -> Result<Sid, NetError> {
        let host = &self.hosts[node as usize];
        host.table.check_group(group)?;
        let resets = check_linger(options.linger)?;
        check_keepalive(options.keepalive)?;
        match to {
            Endpoint::Tcp(to) => self.connect_tcp(node, group, *to, options, resets),
            Endpoint::Unix(path) => self.connect_unix(node, group, path, options),
            Endpoint::Name(..) => Err(NetError::Unresolvable),
            Endpoint::Udp(_) | Endpoint::UnixDatagram(_) | Endpoint::Unnamed => {
                Err(NetError::Invalid)
            }
        }
    }

    fn connect_tcp(
        &mut self,
        node: u32,
        group: Group,
        to: SocketAddr,
        options: &ConnectOptions,
        resets: bool,
    ) -> Result<Sid, NetError> {
        let to = SocketAddr::new(loopback_for_any(to.ip()), to.port());
        self.hosts[node as usize].check_descriptors()?;
        let local = self.dial_from(node, to, options)?;
        let Some(peer_node) = self.node_at(node, to.ip()) else {
            return Err(NetError::Unreachable);
        };
        let buffers = (options.send_buffer, options.recv_buffer);
        let mut stream = Stream::new(Endpoint::Tcp(local), Endpoint::Tcp(to), buffers);
        stream.resets = resets;
        stream.keepalive = options.keepalive;
        stream.link = self.wire.link(node, peer_node);
        stream.peer_node = peer_node;
        stream.told = stream.allowance();
        let (link, limit) = (stream.link, stream.told);
        let host = &mut self.hosts[node as usize];
        let socket = Socket::Stream(Box::new(stream));
        let sid = host.table.insert(group, socket, 0)?;
        host.use_port(Ports::Tcp, local.port());
        let from_boot = host.boots;
        self.tell_socket(node, Tag::Connect, sid, "to", &to.to_string());
        let id = self.wire.make(Envelope {
            kind: Kind::Syn,
            link,
            from: node,
            to: peer_node,
            from_boot,
            to_boot: 0,
            source: sid,
            target: sid,
            limit,
        });
        self.wire.packet_mut(id).addresses = Addresses::Ip(local, to);
        match self.wire.launch(id, 0) {
            Some(_) => {}
            None => self.was_lost(id),
        }
        Ok(sid)
    }

    /// The address to dial from.
    fn dial_from(
        &mut self,
        node: u32,
        to: SocketAddr,
        options: &ConnectOptions,
    ) -> Result<SocketAddr, NetError> {
        let host = &mut self.hosts[node as usize];
        let (mut ip, mut port) = (host.source_for(to.ip()), 0);
        match &options.from {
            None => {}
            Some(Endpoint::Tcp(from)) if from.is_ipv4() == to.is_ipv4() => {
                if !host.has(from.ip()) {
                    return Err(NetError::AddrNotAvailable);
                }
                if !from.ip().is_unspecified() {
                    ip = from.ip();
                }
                port = from.port();
            }
            Some(_) => return Err(NetError::Invalid),
        }
        if port == 0 {
            port = self.free_port(node, Ports::Tcp)?;
        } else if self.is_port_used(node, Ports::Tcp, port) {
            return Err(NetError::AddrInUse);
        }
        Ok(SocketAddr::new(ip, port))
    }

    /// A connection in the file system stands at once or not at all.
    fn connect_unix(
        &mut self,
        node: u32,
        group: Group,
        path: &Path,
        options: &ConnectOptions,
    ) -> Result<Sid, NetError> {
        let local = match &options.from {
            None => Endpoint::Unnamed,
            Some(Endpoint::Unix(from)) => {
                self.free_file(node, from, false)?;
                Endpoint::unix(from)
            }
            Some(_) => return Err(NetError::Invalid),
        };
        let host = &self.hosts[node as usize];
        host.check_descriptors()?;
        let behind = host.behind(path)?.ok_or(NetError::Refused)?;
        let Some(Socket::Listener(listener)) = host.table.any(behind).map(|e| &e.socket) else {
            return Err(NetError::Refused);
        };
        if listener.waiting.len() > listener.backlog {
            return Err(NetError::Exhausted);
        }
        let (boots, at) = (host.boots, listener.local.clone());
        let theirs = listener.buffers;
        let (their_group, _) = host.table.group_of(behind).ok_or(NetError::Refused)?;
        let ours = (options.send_buffer, options.recv_buffer);
        let link = self.wire.link(node, node);
        let mut near = Stream::new(local.clone(), at.clone(), ours);
        let mut far = Stream::new(at, local.clone(), theirs);
        for stream in [&mut near, &mut far] {
            (stream.phase, stream.unix) = (Phase::Open, true);
            (stream.link, stream.peer_node, stream.peer_boot) = (link, node, boots);
            stream.told = stream.allowance();
        }
        (near.limit, far.limit) = (far.told, near.told);
        far.listener = Some(behind);
        let table = &mut self.hosts[node as usize].table;
        let near = table.insert(group, Socket::Stream(Box::new(near)), 0)?;
        let far = table.insert(their_group, Socket::Stream(Box::new(far)), QUEUED)?;
        for (one, other) in [(near, far), (far, near)] {
            if let Some(stream) = self.stream_mut(node, one) {
                stream.peer_sid = other;
            }
        }
        let host = &mut self.hosts[node as usize];
        if let Endpoint::Unix(from) = &local {
            host.files.insert(from.clone(), None);
        }
        if let Ok(entry) = host.table.get_mut(behind) {
            if let Socket::Listener(listener) = &mut entry.socket {
                listener.waiting.push_back(far);
            }
        }
        self.tell_socket(node, Tag::Connect, near, "to", &path.display().to_string());
        self.mark_later(node, behind);
        self.hosts[node as usize].table.mark(near);
        Ok(near)
    }

    pub(super) fn connected(&mut self, node: u32, sid: Sid) -> Result<bool, NetError> {
        let entry = self.hosts[node as usize].table.get_mut(sid)?;
        let Socket::Stream(stream) = &mut entry.socket else {
            return Err(NetError::Invalid);
        };
        match stream.phase {
            Phase::Dialling => Ok(false),
            Phase::Answered => {
                stream.phase = Phase::Open;
                // What came with the answer was marked while it could not be read.
                if !stream.rx.is_empty() || stream.ended {
                    self.hosts[node as usize].table.mark(sid);
                }
                Ok(true)
            }
            Phase::Half | Phase::Open => Ok(true),
            // One that stood and broke tells it where it is read.
            Phase::Broken if stream.peer_sid.index() != u32::MAX => Ok(true),
            Phase::Broken => Err(stream.error.take().unwrap_or(NetError::NotConnected)),
        }
    }

    // ---- the handshake

    pub(super) fn syn_arrives(&mut self, id: u32) {
        let packet = self.wire.packet(id);
        let (node, from, source) = (packet.to, packet.from, packet.source);
        let (peer_boot, limit) = (packet.from_boot, packet.limit);
        let Addresses::Ip(theirs, at) = packet.addresses else {
            return;
        };
        let found = self.hosts[node as usize].listener_at(at);
        let Some(listener) = found else {
            return self.send_bare(Kind::Rst, (node, source), (from, peer_boot, source), 0);
        };
        let host = &mut self.hosts[node as usize];
        let boots = host.boots;
        let Some((group, _)) = host.table.group_of(listener) else {
            return;
        };
        let Some(Socket::Listener(state)) = host.table.any_mut(listener).map(|e| &mut e.socket)
        else {
            return;
        };
        if state.shut || state.waiting.len() + state.half > state.backlog {
            // As Linux does: no answer, so that the other side tries again.
            return self.syn_overflows(id);
        }
        state.half += 1;
        let seen = |addr| Endpoint::Tcp(state.local.addr().map_or(addr, |l| as_seen(l, addr)));
        let mut stream = Stream::new(seen(at), seen(theirs), state.buffers);
        (stream.resets, stream.keepalive) = (state.resets, state.keepalive);
        stream.phase = Phase::Half;
        stream.listener = Some(listener);
        (stream.peer_node, stream.peer_boot, stream.peer_sid) = (from, peer_boot, source);
        stream.limit = limit;
        stream.link = self.wire.link(node, from);
        debug_assert!(boots > 0);
        let socket = Socket::Stream(Box::new(stream));
        let table = &mut self.hosts[node as usize].table;
        if let Ok(sid) = table.insert(group, socket, QUEUED) {
            self.send_bare(Kind::SynAck, (node, sid), (from, peer_boot, source), 0);
        }
    }

    /// A SYN finds the backlog full: it is as good as lost.
    fn syn_overflows(&mut self, id: u32) {
        self.wire.tell_drop(id, "queue");
        let packet = self.wire.packet(id);
        let mut envelope = packet.envelope();
        envelope.to_boot = 0;
        let (tries, addresses) = (packet.tries, packet.addresses.clone());
        let again = self.wire.make(envelope);
        let packet = self.wire.packet_mut(again);
        (packet.tries, packet.addresses) = (tries, addresses);
        self.was_lost(again);
    }

    pub(super) fn synack_arrives(&mut self, id: u32) {
        let packet = self.wire.packet(id);
        let (node, from, sid, source) = (packet.to, packet.from, packet.target, packet.source);
        let (peer_boot, limit) = (packet.from_boot, packet.limit);
        let now = self.wire.now;
        let link = self.wire.link(node, from);
        match self.stream_mut(node, sid) {
            Some(stream) if stream.phase == Phase::Dialling => {
                stream.phase = Phase::Answered;
                (stream.peer_sid, stream.peer_boot) = (source, peer_boot);
                // A mate of the node that was dialled may have taken it.
                (stream.peer_node, stream.link) = (from, link);
                (stream.limit, stream.heard) = (limit, now);
                let keepalive = stream.keepalive.is_some();
                self.send_bare(Kind::Ack, (node, sid), (from, peer_boot, source), 0);
                self.tell_socket(node, Tag::Connected, sid, "", "");
                self.mark(node, sid);
                if keepalive {
                    self.keepalive(node, sid);
                }
            }
            // Who dialled has closed meanwhile.
            _ => self.refuse(id),
        }
    }

    /// The handshake of a connection that came in is over: it may be accepted.
    pub(super) fn establish(&mut self, node: u32, sid: Sid) {
        let now = self.wire.now;
        let Some(stream) = self.stream_mut(node, sid) else {
            return;
        };
        stream.phase = Phase::Open;
        stream.heard = now;
        let keepalive = stream.keepalive.is_some();
        let Some(listener) = stream.listener else {
            return;
        };
        let table = &mut self.hosts[node as usize].table;
        if let Some(Socket::Listener(state)) = table.any_mut(listener).map(|e| &mut e.socket) {
            state.half -= 1;
            state.waiting.push_back(sid);
            self.mark(node, listener);
        }
        if keepalive {
            self.keepalive(node, sid);
        }
    }

    /// The connections of a listener that nobody accepted are reset when it closes.
    pub(super) fn close_listener(&mut self, node: u32, sid: Sid) {
        let waiting: Vec<Sid> = self.hosts[node as usize]
            .table
            .sids()
            .into_iter()
            .filter(|other| self.came_in_by(node, *other, sid))
            .collect();
        for other in waiting {
            self.reset_peer(node, other);
            self.remove(node, other);
        }
        self.remove(node, sid);
    }

    fn came_in_by(&self, node: u32, sid: Sid, listener: Sid) -> bool {
        let entry = self.hosts[node as usize].table.any(sid);
        entry.is_some_and(|e| {
            let by = matches!(&e.socket, Socket::Stream(s) if s.listener == Some(listener));
            by && e.is(QUEUED)
        })
    }

    /// Whether two nodes are the two ends of a stream.
    pub(super) fn peers_of(&self, node: u32, other: u32) -> Vec<Sid> {
        let table = &self.hosts[node as usize].table;
        let is_peer = |sid: &Sid| {
            let socket = table.any(*sid).map(|e| &e.socket);
            matches!(socket, Some(Socket::Stream(s)) if s.peer_node == other && !s.unix)
        };
        table.sids().into_iter().filter(is_peer).collect()
    }
}
