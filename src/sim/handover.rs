//! Connections that go from one node to another of the same machine.
//!
//! A connection that was let go stays where it is, unseen by its program, and goes on taking packets
//! in. Who takes it in gets the stream itself; packets that are under way to or from its old place
//! are readdressed when they arrive.

use super::fabric::{Fabric, sid_word};
use super::host::Ports;
use super::socket::{Phase, Socket, Timer};
use super::table::QUEUED;
use super::trace::Tag;
use crate::net::{Endpoint, Group, Loose, NetError, Sid};

impl Fabric {
    pub(super) fn let_go(&mut self, node: u32, sid: Sid) -> Result<Loose, NetError> {
        let host = &mut self.hosts[node as usize];
        match &mut host.table.get_mut(sid)?.socket {
            Socket::Stream(stream) if stream.unix => return Err(NetError::Unsupported),
            Socket::Stream(stream) if matches!(stream.phase, Phase::Open | Phase::Broken) => {
                if stream.listener.is_some() {
                    // It came in by one, but does not end with it.
                    stream.listener = Some(Sid::new(u32::MAX, u32::MAX));
                }
            }
            _ => return Err(NetError::Invalid),
        }
        host.table.loosen(sid);
        let (calls, boots) = (self.calls.clone(), host.boots);
        self.tell_socket(node, Tag::LetGo, sid, "", "");
        let number = self.next_loose;
        self.next_loose += 1;
        self.loose.insert(number, (node, boots, sid));
        Ok(Loose::made_up(number, move |_| {
            calls.put(super::bells::Call::Dropped(node, boots, sid));
        }))
    }

    pub(super) fn take_in(
        &mut self,
        node: u32,
        group: Group,
        loose: Loose,
    ) -> Result<Sid, NetError> {
        // Dropped on an error, which closes the connection.
        let host = &self.hosts[node as usize];
        host.table.check_group(group)?;
        host.check_descriptors()?;
        let number = loose.into_made_up().ok_or(NetError::Unsupported)?;
        let (from, boots, old) = self.loose.remove(&number).ok_or(NetError::Unsupported)?;
        let theirs = &mut self.hosts[from as usize];
        if !theirs.mates.contains(&node) {
            self.drop_loose(from, old);
            return Err(NetError::Unsupported);
        }
        if theirs.boots != boots {
            return Err(NetError::Aborted); // its machine was switched off meanwhile
        }
        let Some(Socket::Stream(stream)) = theirs.table.remove(old) else {
            return Err(NetError::Aborted);
        };
        let dialled = stream.listener.is_none();
        if let (true, Endpoint::Tcp(at)) = (dialled, &stream.local) {
            theirs.release_port(Ports::Tcp, at.port());
            self.hosts[node as usize].use_port(Ports::Tcp, at.port());
        }
        self.settle(node, group, (from, old), stream)
    }

    /// The stream's new place, and everybody who knew the old one.
    fn settle(
        &mut self,
        node: u32,
        group: Group,
        old: (u32, Sid),
        mut stream: Box<super::socket::Stream>,
    ) -> Result<Sid, NetError> {
        let (peer, peer_sid) = (stream.peer_node, stream.peer_sid);
        stream.link = self.wire.link(node, peer);
        let keepalive = stream.keepalive.is_some();
        let news = !stream.rx.is_empty() || stream.ended || stream.error.is_some();
        let table = &mut self.hosts[node as usize].table;
        let sid = table.insert(group, Socket::Stream(stream), 0)?;
        let boots = self.hosts[node as usize].boots;
        self.moved.insert(old, (node, boots, sid));
        let back = self.wire.link(peer, node);
        if let Some(other) = self.stream_mut(peer, peer_sid) {
            (other.peer_node, other.peer_boot, other.peer_sid) = (node, boots, sid);
            other.link = back;
        }
        if keepalive {
            let now = self.wire.now;
            self.set_timer(now, Timer::Keepalive { node, sid });
        }
        if news {
            self.mark_later(node, sid);
        }
        let from = sid_word(old.1).to_string();
        self.tell_socket(node, Tag::TakeIn, sid, "from", &from);
        Ok(sid)
    }

    /// Nobody took it in: it is closed as its old program would have.
    pub(super) fn drop_loose(&mut self, node: u32, sid: Sid) {
        self.loose
            .retain(|_, (at, _, loose)| (*at, *loose) != (node, sid));
        self.hosts[node as usize].table.set_flags(sid, 0, QUEUED);
        self.close(node, sid);
    }

    /// Readdresses a packet of a stream that moved while it was under way.
    #[inline]
    pub(super) fn follow(&mut self, id: u32) {
        if !self.moved.is_empty() {
            self.follow_moved(id);
        }
    }

    #[cold]
    fn follow_moved(&mut self, id: u32) {
        let packet = self.wire.packet(id);
        if packet.is_datagram() {
            return;
        }
        let (mut from, mut to) = ((packet.from, packet.source), (packet.to, packet.target));
        let (mut from_boot, mut to_boot) = (packet.from_boot, packet.to_boot);
        // A connection may have moved more than once.
        while let Some((node, boots, sid)) = self.moved.get(&from) {
            (from, from_boot) = ((*node, *sid), *boots);
        }
        while let Some((node, boots, sid)) = self.moved.get(&to) {
            (to, to_boot) = ((*node, *sid), *boots);
        }
        let packet = self.wire.packet_mut(id);
        (packet.from, packet.source, packet.from_boot) = (from.0, from.1, from_boot);
        (packet.to, packet.target, packet.to_boot) = (to.0, to.1, to_boot);
    }
}
