//! Datagrams: binding, sending, receiving, and the names that nodes look up.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use super::fabric::{Fabric, loopback_for_any};
use super::host::{Ports, collide, match_rank};
use super::names::{Asked, at_once};
use super::packets::{Addresses, Envelope, Kind};
use super::socket::{BUFFER, Mailbox, Socket, Timer};
use super::trace::{Tag, put_text};
use crate::net::{
    Datagram, DatagramOptions, Endpoint, Group, Lookup, NetError, Sid, SocketOption, normal_name,
};

impl Fabric {
    pub(super) fn bind(
        &mut self,
        node: u32,
        group: Group,
        at: &Endpoint,
        options: &DatagramOptions,
    ) -> Result<Sid, NetError> {
        self.hosts[node as usize].table.check_group(group)?;
        self.hosts[node as usize].check_descriptors()?;
        let local = match at {
            Endpoint::Udp(at) => Endpoint::Udp(self.free_mailbox(node, *at, options)?),
            Endpoint::UnixDatagram(path) => {
                self.free_file(node, path, options.unlink_stale)?;
                at.clone()
            }
            Endpoint::Unnamed => Endpoint::Unnamed,
            Endpoint::Name(..) => return Err(NetError::Unresolvable),
            Endpoint::Tcp(_) | Endpoint::Unix(_) => return Err(NetError::Invalid),
        };
        let local = match (&local, &options.to) {
            (_, None) => local,
            (Endpoint::Udp(at), Some(Endpoint::Udp(to))) => {
                if at.is_ipv4() != to.is_ipv4() {
                    return Err(NetError::Invalid);
                }
                let source = self.hosts[node as usize].source_for(loopback_for_any(to.ip()));
                let ip = if at.ip().is_unspecified() {
                    source
                } else {
                    at.ip()
                };
                Endpoint::Udp(SocketAddr::new(ip, at.port()))
            }
            (Endpoint::UnixDatagram(_) | Endpoint::Unnamed, Some(Endpoint::UnixDatagram(path))) => {
                let behind = self.hosts[node as usize].behind(path)?;
                behind.ok_or(NetError::Refused)?;
                local
            }
            _ => return Err(NetError::Invalid),
        };
        let mailbox = Mailbox {
            local: local.clone(),
            to: options.to.clone(),
            broadcast: options.broadcast,
            groups: Vec::new(),
            loops: true,
            shares: options.reuse_port || options.reuse_addr,
            v6_only: options.v6_only,
            waiting: VecDeque::new(),
            bytes: 0,
            bytes_max: options.recv_buffer.max(BUFFER),
            unsent_max: options.send_buffer.max(BUFFER),
            error: None,
            blocked: Vec::new(),
        };
        let host = &mut self.hosts[node as usize];
        let sid = host
            .table
            .insert(group, Socket::Mailbox(Box::new(mailbox)), 0)?;
        match &local {
            Endpoint::Udp(at) => host.mailboxes.entry(at.port()).or_default().push(sid),
            Endpoint::UnixDatagram(path) => drop(host.files.insert(path.clone(), Some(sid))),
            _ => {}
        }
        self.tell_socket(node, Tag::Bind, sid, "at", &local.to_string());
        Ok(sid)
    }

    fn free_mailbox(
        &mut self,
        node: u32,
        at: SocketAddr,
        options: &DatagramOptions,
    ) -> Result<SocketAddr, NetError> {
        let host = &self.hosts[node as usize];
        let group_address = at.ip().is_multicast() || is_broadcast(at.ip());
        if !host.has(at.ip()) && !group_address {
            return Err(NetError::AddrNotAvailable);
        }
        if at.port() == 0 {
            let port = self.free_port(node, Ports::Udp)?;
            return Ok(SocketAddr::new(at.ip(), port));
        }
        let shares = options.reuse_port || options.reuse_addr;
        let hosts = self.mates(node).map(|mate| &self.hosts[mate as usize]);
        let mailboxes = hosts.flat_map(|host| {
            let sids = host.mailboxes.get(&at.port()).into_iter().flatten();
            sids.map(move |sid| host.table.any(*sid).map(|e| &e.socket))
        });
        for mailbox in mailboxes {
            let Some(Socket::Mailbox(other)) = mailbox else {
                continue;
            };
            let Some(taken) = other.local.addr() else {
                continue;
            };
            if !(shares && other.shares) && collide(taken, other.v6_only, at, options.v6_only) {
                return Err(NetError::AddrInUse);
            }
        }
        Ok(at)
    }

    // ---- sending

    pub(super) fn send_to(
        &mut self,
        node: u32,
        sid: Sid,
        data: &[u8],
        to: Option<&Endpoint>,
    ) -> Result<bool, NetError> {
        let entry = self.hosts[node as usize].table.get_mut(sid)?;
        let Socket::Mailbox(mailbox) = &mut entry.socket else {
            return Err(NetError::Invalid);
        };
        let error = mailbox.error.take();
        let to = match (to, mailbox.to.as_ref()) {
            (Some(to), None) | (None, Some(to)) => to,
            (Some(_), Some(_)) => {
                mailbox.error = error;
                return Err(NetError::Invalid);
            }
            (None, None) => return Err(NetError::NotConnected),
        };
        if let Some(why) = error {
            return Err(why);
        }
        match (&mailbox.local, to) {
            (Endpoint::Udp(from), Endpoint::Udp(to)) => {
                let (from, to, both) = (*from, *to, !mailbox.v6_only);
                self.send_udp((node, sid), data, from, to, both)
            }
            (Endpoint::UnixDatagram(_) | Endpoint::Unnamed, Endpoint::UnixDatagram(path)) => {
                let (from, path) = (mailbox.local.clone(), path.clone());
                self.send_unix(node, sid, data, from, &path)
            }
            (_, Endpoint::Name(..)) => Err(NetError::Unresolvable),
            _ => Err(NetError::Invalid),
        }
    }

    #[inline]
    fn send_udp(
        &mut self,
        (node, sid): (u32, Sid),
        data: &[u8],
        from: SocketAddr,
        to: SocketAddr,
        both: bool,
    ) -> Result<bool, NetError> {
        let most = if to.is_ipv4() { UDP_MAX } else { UDP6_MAX };
        if data.len() > most {
            return Err(NetError::TooLong);
        }
        let (from, to) = same_family(from, to, both)?;
        let to = SocketAddr::new(loopback_for_any(to.ip()), to.port());
        let host = &self.hosts[node as usize];
        let source = match from.ip().is_unspecified() {
            true => SocketAddr::new(host.source_for(to.ip()), from.port()),
            false => from,
        };
        if is_broadcast(to.ip()) {
            return self.broadcast(node, sid, data, (source, to));
        }
        if to.ip().is_multicast() {
            self.multicast(node, sid, data, (source, to));
            return Ok(true);
        }
        let Some(peer) = self.node_at(node, to.ip()) else {
            return Err(NetError::Unreachable);
        };
        self.send_datagram((node, sid), peer, data, Addresses::Ip(source, to));
        Ok(true)
    }

    /// Sends to every node, this one included.
    fn broadcast(
        &mut self,
        node: u32,
        sid: Sid,
        data: &[u8],
        (from, to): (SocketAddr, SocketAddr),
    ) -> Result<bool, NetError> {
        let entry = self.hosts[node as usize].table.get(sid)?;
        if !matches!(&entry.socket, Socket::Mailbox(m) if m.broadcast) {
            return Err(NetError::Denied);
        }
        for peer in 0..u32::try_from(self.hosts.len()).unwrap_or(0) {
            self.send_datagram((node, sid), peer, data, Addresses::Ip(from, to));
        }
        Ok(true)
    }

    /// Sends to every node that has a member of the group.
    fn multicast(
        &mut self,
        node: u32,
        sid: Sid,
        data: &[u8],
        (from, to): (SocketAddr, SocketAddr),
    ) {
        let entry = self.hosts[node as usize].table.get(sid);
        let loops = entry.is_ok_and(|e| matches!(&e.socket, Socket::Mailbox(m) if m.loops));
        for peer in 0..u32::try_from(self.hosts.len()).unwrap_or(0) {
            let members = &self.hosts[peer as usize];
            let sids = members.mailboxes.get(&to.port()).into_iter().flatten();
            let mut sockets = sids.filter_map(|sid| members.table.any(*sid));
            let hears = sockets.any(|e| {
                let Socket::Mailbox(mailbox) = &e.socket else {
                    return false;
                };
                mailbox.groups.iter().any(|(group, _)| *group == to.ip())
            });
            if hears && (peer != node || loops) {
                self.send_datagram((node, sid), peer, data, Addresses::Ip(from, to));
            }
        }
    }

    /// An option of datagram sockets.
    pub(super) fn set_mailbox(mailbox: &mut Mailbox, option: SocketOption) -> Result<(), NetError> {
        let Some(local) = mailbox.local.addr() else {
            return Err(NetError::Invalid);
        };
        match option {
            SocketOption::Broadcast(on) => mailbox.broadcast = on,
            SocketOption::MulticastLoop(on) => mailbox.loops = on,
            SocketOption::JoinMulticast(group, interface) => {
                if !group.is_multicast() || group.is_ipv4() != local.is_ipv4() {
                    return Err(NetError::Invalid);
                }
                if mailbox.groups.contains(&(group, interface)) {
                    return Err(NetError::AddrInUse);
                }
                mailbox.groups.push((group, interface));
            }
            SocketOption::LeaveMulticast(group, interface) => {
                let joined = (group, interface);
                let at = mailbox.groups.iter().position(|known| *known == joined);
                mailbox.groups.remove(at.ok_or(NetError::AddrNotAvailable)?);
            }
            _ => {}
        }
        Ok(())
    }

    fn send_unix(
        &mut self,
        node: u32,
        sid: Sid,
        data: &[u8],
        from: Endpoint,
        path: &Path,
    ) -> Result<bool, NetError> {
        let host = &mut self.hosts[node as usize];
        let behind = host.behind(path)?.ok_or(NetError::Refused)?;
        let Some(Socket::Mailbox(theirs)) = host.table.any_mut(behind).map(|e| &mut e.socket)
        else {
            return Err(NetError::Refused);
        };
        // A connected one takes nothing from others, and its system tells them (EPERM).
        if theirs.to.as_ref().is_some_and(|only| *only != from) {
            return Err(NetError::Denied);
        }
        if data.len() > theirs.bytes_max {
            return Err(NetError::TooLong);
        }
        if theirs.waiting.len() >= UNIX_WAITING_MAX {
            if !theirs.blocked.contains(&sid) {
                theirs.blocked.push(sid);
            }
            return Ok(false);
        }
        let addresses = Addresses::Unix(Box::new((from, path.to_path_buf())));
        self.send_datagram((node, sid), node, data, addresses);
        Ok(true)
    }

    #[inline]
    fn send_datagram(
        &mut self,
        (node, sid): (u32, Sid),
        peer: u32,
        data: &[u8],
        addresses: Addresses,
    ) {
        let link = self.wire.link(node, peer);
        let id = self.wire.make(Envelope {
            kind: Kind::Datagram,
            link,
            from: node,
            to: peer,
            from_boot: self.hosts[node as usize].boots,
            to_boot: 0,
            source: sid,
            target: sid,
            limit: 0,
        });
        let packet = self.wire.packet_mut(id);
        packet.data.extend_from_slice(data);
        packet.addresses = addresses;
        match self.wire.launch(id, 0) {
            Some(at) => self.wire.duplicate(id, at),
            None => self.wire.free(id),
        }
    }

    // ---- receiving

    pub(super) fn datagram_arrives(&mut self, id: u32) {
        let packet = self.wire.packet(id);
        let (node, len) = (packet.to, packet.data.len());
        match self.mailboxes_for(id) {
            Mailboxes::None => {
                self.refuse_datagram(id);
                self.wire.free(id);
            }
            Mailboxes::One(sid) => self.deliver(node, sid, id, len),
            Mailboxes::Many(sids) => {
                for sid in sids {
                    let copy = self.copy_of(id);
                    self.deliver(node, sid, copy, len);
                }
                self.wire.free(id);
            }
        }
    }

    #[inline]
    fn deliver(&mut self, node: u32, sid: Sid, id: u32, len: usize) {
        let table = &mut self.hosts[node as usize].table;
        let Some(Socket::Mailbox(mailbox)) = table.any_mut(sid).map(|e| &mut e.socket) else {
            return self.wire.free(id);
        };
        if mailbox.bytes + len > mailbox.bytes_max {
            self.wire.tell_drop(id, "queue");
            return self.wire.free(id);
        }
        mailbox.bytes += len;
        mailbox.waiting.push_back(id);
        table.mark(sid);
        self.rouse(node);
    }

    fn copy_of(&mut self, id: u32) -> u32 {
        let packet = self.wire.packet(id);
        let envelope = packet.envelope();
        let (data, addresses) = (packet.data.clone(), packet.addresses.clone());
        let copy = self.wire.make(envelope);
        let packet = self.wire.packet_mut(copy);
        (packet.data, packet.addresses) = (data, addresses);
        copy
    }

    /// The sockets that a datagram is for.
    fn mailboxes_for(&mut self, id: u32) -> Mailboxes {
        let packet = self.wire.packet(id);
        let host = &mut self.hosts[packet.to as usize];
        let (from, to) = match &packet.addresses {
            Addresses::Ip(from, to) => (from, to),
            Addresses::Unix(unix) => {
                let behind = host.files.get(&unix.1).copied().flatten();
                return behind.map_or(Mailboxes::None, Mailboxes::One);
            }
            Addresses::None => return Mailboxes::None,
        };
        let all = is_broadcast(to.ip()) || to.ip().is_multicast();
        if let (Some([only]), false) = (host.mailboxes.get(&to.port()).map(Vec::as_slice), all) {
            let Some(Socket::Mailbox(mailbox)) = host.table.any(*only).map(|e| &e.socket) else {
                return Mailboxes::None;
            };
            return match rank_of(mailbox, *from, *to, false) {
                0 => Mailboxes::None,
                _ => Mailboxes::One(*only),
            };
        }
        let (mut best, mut best_rank) = (Vec::new(), 0);
        for sid in host.mailboxes.get(&to.port()).into_iter().flatten() {
            let Some(Socket::Mailbox(mailbox)) = host.table.any(*sid).map(|e| &e.socket) else {
                continue;
            };
            let rank = rank_of(mailbox, *from, *to, all);
            if rank > best_rank && !all {
                best.clear();
            }
            if rank >= best_rank.max(1) || (all && rank > 0) {
                best.push(*sid);
                best_rank = rank;
            }
        }
        match best.as_slice() {
            [] => Mailboxes::None,
            [one] => Mailboxes::One(*one),
            many if all => Mailboxes::Many(many.to_vec()),
            many => host.one_of(many).map_or(Mailboxes::None, Mailboxes::One),
        }
    }

    /// Nobody is there: the sender's system is told (RFC 1122 §4.1.3.1), unless all were meant.
    fn refuse_datagram(&mut self, id: u32) {
        let packet = self.wire.packet(id);
        let (node, from, sid) = (packet.to, packet.from, packet.source);
        let from_boot = packet.from_boot;
        if !matches!(&packet.addresses, Addresses::Ip(_, to) if !is_broadcast(to.ip())) {
            return;
        }
        let link = self.wire.link(node, from);
        let answer = self.wire.make(Envelope {
            kind: Kind::Unreachable,
            link,
            from: node,
            to: from,
            from_boot: self.hosts[node as usize].boots,
            to_boot: from_boot,
            source: sid,
            target: sid,
            limit: 0,
        });
        if self.wire.launch(answer, 0).is_none() {
            self.wire.free(answer);
        }
    }

    /// Only connected sockets are told.
    pub(super) fn unreachable_arrives(&mut self, id: u32) {
        let packet = self.wire.packet(id);
        let (node, sid, boot) = (packet.to, packet.target, packet.to_boot);
        let host = &mut self.hosts[node as usize];
        if host.boots != boot {
            return;
        }
        let Some(Socket::Mailbox(mailbox)) = host.table.any_mut(sid).map(|e| &mut e.socket) else {
            return;
        };
        if mailbox.to.is_some() {
            mailbox.error = Some(NetError::Refused);
            self.mark(node, sid);
        }
    }

    pub(super) fn recv_from(
        &mut self,
        node: u32,
        sid: Sid,
        buf: &mut [u8],
    ) -> Result<Option<Datagram>, NetError> {
        let entry = self.hosts[node as usize].table.get_mut(sid)?;
        let Socket::Mailbox(mailbox) = &mut entry.socket else {
            return Err(NetError::Invalid);
        };
        if let Some(why) = mailbox.error.take() {
            return Err(why);
        }
        let Some(id) = mailbox.waiting.pop_front() else {
            return Ok(None);
        };
        let packet = self.wire.packet_mut(id);
        mailbox.bytes -= packet.data.len();
        let len = packet.data.len().min(buf.len());
        buf[..len].copy_from_slice(&packet.data[..len]);
        let truncated = len < packet.data.len();
        let from = match (&packet.addresses, &mailbox.local) {
            (Addresses::Ip(from, _), Endpoint::Udp(at)) => Endpoint::Udp(as_seen(*at, *from)),
            (Addresses::Ip(from, _), _) => Endpoint::Udp(*from),
            (Addresses::Unix(unix), _) => unix.0.clone(),
            (Addresses::None, _) => Endpoint::Unnamed,
        };
        if !mailbox.blocked.is_empty() {
            for blocked in std::mem::take(&mut mailbox.blocked) {
                self.mark_later(node, blocked);
            }
        }
        self.wire.free(id);
        Ok(Some(Datagram {
            len,
            from,
            truncated,
        }))
    }

    // ---- names

    pub(super) fn resolve(&mut self, node: u32, group: Group, name: &str) -> Lookup {
        if let Some(addresses) = at_once(name) {
            return Lookup::Ready(addresses);
        }
        let name = match normal_name(name) {
            Ok(name) => name,
            Err(why) => return Lookup::Failed(why),
        };
        let now = self.wire.now;
        let host = &mut self.hosts[node as usize];
        if let Some(asked) = host.asked.get_mut(&name) {
            match &asked.answer {
                None => {
                    if !asked.waiting.contains(&group) {
                        asked.waiting.push(group);
                    }
                    return Lookup::Pending;
                }
                Some((answer, until)) => {
                    // Who waited is told what came, however short it holds.
                    let owed = asked.owed.iter().position(|g| *g == group);
                    if let Some(at) = owed {
                        asked.owed.swap_remove(at);
                    }
                    if owed.is_some() || now < *until {
                        return lookup(answer.clone());
                    }
                    host.asked.remove(&name);
                }
            }
        }
        let Some(record) = self.names.get(&name) else {
            return lookup(self.addresses_of(&name));
        };
        let at = now.saturating_add(super::link::nanos(record.delay));
        let asked = Asked {
            waiting: if at > now { vec![group] } else { Vec::new() },
            owed: Vec::new(),
            answer: None,
        };
        self.hosts[node as usize].asked.insert(name.clone(), asked);
        if at > now {
            self.set_timer(at, Timer::Answer { node, name });
            return Lookup::Pending;
        }
        self.answer(node, &name);
        let asked = self.hosts[node as usize].asked.get(&name);
        let answer = asked.and_then(|a| a.answer.clone());
        lookup(answer.map_or(Err(NetError::Unresolvable), |(answer, _)| answer))
    }

    /// The answer about a name reaches a node.
    pub(super) fn answer(&mut self, node: u32, name: &str) {
        let now = self.wire.now;
        let (answer, ttl) = match self.names.get(name) {
            Some(record) => (found(record.addresses.clone()), record.ttl),
            None => (self.addresses_of(name), std::time::Duration::ZERO),
        };
        let shown = match &answer {
            Ok(addresses) => addresses
                .first()
                .map(ToString::to_string)
                .unwrap_or_default(),
            Err(why) => why.to_string(),
        };
        let Some(asked) = self.hosts[node as usize].asked.get_mut(name) else {
            return; // the node crashed meanwhile
        };
        asked.answer = Some((answer, now.saturating_add(super::link::nanos(ttl))));
        asked.owed = std::mem::take(&mut asked.waiting);
        for group in asked.owed.clone() {
            self.hosts[node as usize].table.answer(group);
        }
        self.rouse(node);
        let words = [
            super::fabric::hash_text(name),
            super::fabric::hash_text(&shown),
        ];
        self.tell(node, Tag::Look, None, words, |out| {
            put_text(out, "name", name);
            put_text(out, "answer", &shown);
        });
    }

    /// The addresses of a node by its name, IPv4 first.
    fn addresses_of(&self, name: &str) -> Result<Vec<IpAddr>, NetError> {
        let number = self.numbers.get(name).ok_or(NetError::Unresolvable)?;
        let host = &self.hosts[*number as usize];
        Ok(vec![host.v4.into(), host.v6.into()])
    }
}

/// Who gets a datagram.
enum Mailboxes {
    None,
    One(Sid),
    Many(Vec<Sid>),
}

/// How well a socket fits a datagram: connected ones before others, exact ones before all.
#[inline]
fn rank_of(mailbox: &Mailbox, from: SocketAddr, to: SocketAddr, all: bool) -> u8 {
    let Some(at) = mailbox.local.addr() else {
        return 0;
    };
    let member = || mailbox.groups.iter().any(|(group, _)| *group == to.ip());
    let bound = match all {
        true if to.ip().is_multicast() && !member() => 0,
        true => u8::from(at.ip().is_unspecified() || at.ip() == to.ip()),
        false => match_rank(at, mailbox.v6_only, to),
    };
    match &mailbox.to {
        _ if bound == 0 => 0,
        None => bound,
        Some(Endpoint::Udp(peer)) if *peer == from => bound + 2,
        Some(_) => 0,
    }
}

/// How an IPv4 address shows on an IPv6 socket that takes both (RFC 4291 §2.5.5.2).
pub(super) fn as_seen(at: SocketAddr, other: SocketAddr) -> SocketAddr {
    match (at, other.ip()) {
        (SocketAddr::V6(_), IpAddr::V4(ip)) => {
            SocketAddr::new(ip.to_ipv6_mapped().into(), other.port())
        }
        _ => other,
    }
}

/// The addresses between which a datagram goes: an IPv6 socket that takes both sends IPv4 to an
/// address that is mapped.
#[inline]
fn same_family(
    from: SocketAddr,
    to: SocketAddr,
    both: bool,
) -> Result<(SocketAddr, SocketAddr), NetError> {
    let mapped = match to.ip() {
        IpAddr::V6(ip) if both => ip.to_ipv4_mapped(),
        _ => None,
    };
    match mapped {
        Some(v4) if from.is_ipv6() => {
            let from = SocketAddr::new(std::net::Ipv4Addr::UNSPECIFIED.into(), from.port());
            Ok((from, SocketAddr::new(v4.into(), to.port())))
        }
        _ if from.is_ipv4() == to.is_ipv4() => Ok((from, to)),
        _ => Err(NetError::Invalid),
    }
}

fn is_broadcast(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V4(ip) if ip.is_broadcast() || ip.octets() == [10, 255, 255, 255])
}

fn found(addresses: Vec<IpAddr>) -> Result<Vec<IpAddr>, NetError> {
    match addresses.is_empty() {
        true => Err(NetError::Unresolvable),
        false => Ok(addresses),
    }
}

fn lookup(answer: Result<Vec<IpAddr>, NetError>) -> Lookup {
    match answer {
        Ok(addresses) => Lookup::Ready(addresses),
        Err(why) => Lookup::Failed(why),
    }
}

/// Bytes of the longest datagram: 65535 less the headers of IP and UDP.
const UDP_MAX: usize = 65_507;
const UDP6_MAX: usize = 65_527;
/// Datagrams that wait at a Unix socket before senders wait, too.
const UNIX_WAITING_MAX: usize = 256;
