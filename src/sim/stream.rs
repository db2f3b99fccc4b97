//! Streams as programs use them, and what arrives for them.
//!
//! There is no packet for every acknowledgement: what the other side has read travels with the
//! data that goes the other way, and alone only when a quarter of the buffer came free. A lost
//! packet is known to be lost at once; its sender waits as long as TCP would before it sends it
//! again, and everything after it waits behind it, as the reader would see it.

use super::fabric::Fabric;
use super::packets::{Envelope, Kind};
use super::socket::{BUFFER, Ending, NONE, Phase, Socket, Stream, Timer};
use super::table::{ORPHAN, QUEUED, WANTS_ROOM};
use super::trace::Tag;
use super::wire::Wire;
use crate::net::{Draws, Endpoint, NetError, Shutdown, Sid, SocketOption};

impl Fabric {
    // ---- reading

    #[inline]
    pub(super) fn read(
        &mut self,
        node: u32,
        sid: Sid,
        buf: &mut [u8],
    ) -> Result<Option<usize>, NetError> {
        let host = &mut self.hosts[node as usize];
        let entry = host.table.get_mut(sid)?;
        let Socket::Stream(stream) = &mut entry.socket else {
            return Err(NetError::Invalid);
        };
        if buf.is_empty() || matches!(stream.phase, Phase::Dialling | Phase::Answered) {
            return Ok(None);
        }
        if stream.rx.is_empty() {
            return nothing_to_read(stream);
        }
        let wanted = shortened(&mut host.short_io, buf.len());
        let got = take(stream, &mut self.wire, &mut buf[..wanted]);
        let owes = stream.owes_news() && !stream.ended && stream.phase == Phase::Open;
        let more = !stream.rx.is_empty() || stream.ended || stream.error.is_some();
        if got < buf.len() && more {
            // No further packet may come that tells of the rest, or of the end.
            host.table.mark(sid);
        }
        if owes {
            self.send_news(node, sid);
        }
        Ok(Some(got))
    }

    /// Tells the peer how far it may send.
    fn send_news(&mut self, node: u32, sid: Sid) {
        if let Some(stream) = self.stream_mut(node, sid) {
            let peer = (stream.peer_node, stream.peer_boot, stream.peer_sid);
            self.send_bare(Kind::Ack, (node, sid), peer, 0);
        }
    }

    // ---- writing

    #[inline]
    pub(super) fn write(&mut self, node: u32, sid: Sid, data: &[u8]) -> Result<usize, NetError> {
        let host = &mut self.hosts[node as usize];
        let entry = host.table.get_mut(sid)?;
        let Socket::Stream(stream) = &mut entry.socket else {
            return Err(NetError::Invalid);
        };
        match stream.phase {
            Phase::Dialling | Phase::Answered => return Ok(0),
            _ if data.is_empty() => return Ok(0),
            Phase::Broken => return Err(stream.error.take().unwrap_or(NetError::BrokenPipe)),
            Phase::Half | Phase::Open => {}
        }
        if stream.ending != Ending::No {
            return Err(NetError::BrokenPipe);
        }
        if stream.unix && !self.has_reader(node, sid) {
            return Err(NetError::BrokenPipe);
        }
        let host = &mut self.hosts[node as usize];
        let entry = host.table.get_mut(sid)?;
        let Socket::Stream(stream) = &mut entry.socket else {
            return Err(NetError::Invalid);
        };
        let wanted = shortened(&mut host.short_io, data.len());
        let boot = host.boots;
        let mut taken = 0;
        let mut lost = NONE;
        if stream.unsent.is_empty() {
            while taken < wanted && stream.may_send() && lost == NONE {
                let most = self.wire.segment(stream.link).min(stream.window());
                let end = wanted.min(taken + most);
                lost = send_piece(stream, &mut self.wire, (node, boot, sid), &data[taken..end]);
                taken = end;
            }
        }
        if taken < wanted {
            let room = stream.unsent_max.saturating_sub(stream.unsent.len());
            let end = wanted.min(taken + room);
            stream.unsent.extend(&data[taken..end]);
            taken = end;
        }
        if taken < wanted {
            entry.flags |= WANTS_ROOM;
        } else if taken < data.len() {
            // A write that was shortened for the test's sake: there is room already.
            self.mark_later(node, sid);
        }
        if lost != NONE {
            self.was_lost(lost);
        }
        Ok(taken)
    }

    /// Whether the other end of a Unix stream is still there.
    fn has_reader(&self, node: u32, sid: Sid) -> bool {
        let table = &self.hosts[node as usize].table;
        let Some(Socket::Stream(stream)) = table.any(sid).map(|e| &e.socket) else {
            return false;
        };
        let peer = table.any(stream.peer_sid);
        peer.is_some_and(|e| {
            !e.is(ORPHAN) && matches!(&e.socket, Socket::Stream(s) if !(s.deaf && s.unix))
        })
    }

    /// Sends what was written, as far as the window allows, and then the end if it is wanted.
    pub(super) fn flush(&mut self, node: u32, sid: Sid) {
        let host = &mut self.hosts[node as usize];
        let boot = host.boots;
        let Some(entry) = host.table.any_mut(sid) else {
            return;
        };
        let orphan = entry.is(ORPHAN);
        let Socket::Stream(stream) = &mut entry.socket else {
            return;
        };
        if !matches!(stream.phase, Phase::Open | Phase::Answered | Phase::Half) {
            return;
        }
        let mut lost = NONE;
        while !stream.unsent.is_empty() && stream.may_send() && lost == NONE {
            let most = self.wire.segment(stream.link).min(stream.window());
            let piece: Vec<u8> = {
                let n = most.min(stream.unsent.len());
                stream.unsent.drain(..n).collect()
            };
            lost = send_piece(stream, &mut self.wire, (node, boot, sid), &piece);
        }
        let room = stream.unsent.len() * 3 <= stream.unsent_max * 2;
        let ends = stream.unsent.is_empty() && stream.stalled == NONE && lost == NONE;
        let ends = ends && stream.ending == Ending::Wanted;
        let wants_room = entry.flags & WANTS_ROOM != 0;
        if room && wants_room {
            entry.flags &= !WANTS_ROOM;
        }
        if lost != NONE {
            self.was_lost(lost);
        }
        if room && wants_room && !orphan {
            self.mark(node, sid);
        }
        if ends {
            self.send_end(node, sid);
            if orphan {
                self.remove(node, sid);
            }
        }
    }

    /// Announces the end of what is sent.
    fn send_end(&mut self, node: u32, sid: Sid) {
        if let Some(stream) = self.stream_mut(node, sid) {
            stream.ending = Ending::Sent;
            let peer = (stream.peer_node, stream.peer_boot, stream.peer_sid);
            let floor = stream.arrive;
            self.send_bare(Kind::Fin, (node, sid), peer, floor);
        }
    }

    pub(super) fn reset_peer(&mut self, node: u32, sid: Sid) {
        let Some(stream) = self.stream_mut(node, sid) else {
            return;
        };
        if matches!(stream.phase, Phase::Broken | Phase::Dialling) {
            return;
        }
        let peer = (stream.peer_node, stream.peer_boot, stream.peer_sid);
        let floor = stream.arrive;
        self.send_bare(Kind::Rst, (node, sid), peer, floor);
    }

    // ---- ending

    pub(super) fn shutdown(&mut self, node: u32, sid: Sid, how: Shutdown) -> Result<(), NetError> {
        let host = &mut self.hosts[node as usize];
        let stream = match (&mut host.table.get_mut(sid)?.socket, how) {
            (Socket::Stream(stream), _) => stream,
            (Socket::Listener(listener), Shutdown::Receive) => {
                listener.shut = true;
                if let Endpoint::Unix(path) = &listener.local {
                    if host.files.get(path) == Some(&Some(sid)) {
                        host.files.remove(path);
                    }
                }
                return Ok(());
            }
            _ => return Err(NetError::Invalid),
        };
        match stream.phase {
            Phase::Broken | Phase::Dialling => return Err(NetError::NotConnected),
            Phase::Answered | Phase::Half | Phase::Open => {}
        }
        if matches!(how, Shutdown::Receive | Shutdown::Both) && !stream.deaf {
            stream.deaf = true;
            self.mark_later(node, sid);
        }
        if matches!(how, Shutdown::Send | Shutdown::Both) {
            if let Some(stream) = self.stream_mut(node, sid) {
                if stream.ending == Ending::No {
                    stream.ending = Ending::Wanted;
                }
            }
            self.flush(node, sid);
        }
        Ok(())
    }

    pub(super) fn close(&mut self, node: u32, sid: Sid) {
        let host = &mut self.hosts[node as usize];
        let Ok(entry) = host.table.get_mut(sid) else {
            return;
        };
        match &mut entry.socket {
            Socket::Listener(_) => {
                self.tell_socket(node, Tag::Close, sid, "", "");
                return self.close_listener(node, sid);
            }
            Socket::Mailbox(_) => {
                self.tell_socket(node, Tag::Close, sid, "", "");
                return self.remove(node, sid);
            }
            Socket::Stream(_) => {}
        }
        self.tell_socket(node, Tag::Close, sid, "", "");
        let Some(stream) = self.stream_mut(node, sid) else {
            return;
        };
        match stream.phase {
            Phase::Dialling | Phase::Broken => return self.remove(node, sid),
            Phase::Answered | Phase::Half | Phase::Open => {}
        }
        if stream.resets || !stream.rx.is_empty() {
            // RFC 2525 §2.17: data that nobody will read is answered with a reset.
            self.reset_peer(node, sid);
            return self.remove(node, sid);
        }
        if stream.ending == Ending::Sent {
            return self.remove(node, sid);
        }
        stream.ending = Ending::Wanted;
        self.hosts[node as usize].table.set_flags(sid, ORPHAN, 0);
        self.flush(node, sid);
    }

    // ---- what arrives

    pub(super) fn data_arrives(&mut self, id: u32) {
        let packet = self.wire.packet(id);
        let (node, sid, limit) = (packet.to, packet.target, packet.limit);
        let now = self.wire.now;
        let host = &mut self.hosts[node as usize];
        let Some(entry) = host.table.any_mut(sid) else {
            self.refuse(id);
            return self.wire.free(id);
        };
        let closed = entry.is(ORPHAN);
        let queued = entry.is(QUEUED);
        let Socket::Stream(stream) = &mut entry.socket else {
            return self.wire.free(id);
        };
        match stream.phase {
            Phase::Broken | Phase::Dialling => return self.wire.free(id),
            // The peer would not send before it knew, so the packet that said so was lost.
            Phase::Half => return self.early(id, Self::data_arrives),
            Phase::Answered | Phase::Open => {}
        }
        if closed {
            self.refuse(id);
            self.wire.free(id);
            return self.remove(node, sid);
        }
        stream.heard = now;
        stream.rx.push_back(id);
        let allows = limit > stream.limit;
        if allows {
            stream.limit = limit;
        }
        let flushes = allows && !stream.unsent.is_empty();
        if !queued {
            host.table.mark(sid);
            self.rouse(node);
        }
        if flushes {
            self.flush(node, sid);
        }
    }

    /// Something arrives before the last part of the handshake: it stands for it.
    fn early(&mut self, id: u32, then: impl FnOnce(&mut Self, u32)) {
        let packet = self.wire.packet(id);
        let (node, sid) = (packet.to, packet.target);
        self.establish(node, sid);
        then(self, id);
    }

    pub(super) fn ack_arrives(&mut self, id: u32) {
        let packet = self.wire.packet(id);
        let (node, sid, limit) = (packet.to, packet.target, packet.limit);
        let now = self.wire.now;
        let Some(stream) = self.stream_mut(node, sid) else {
            return;
        };
        stream.heard = now;
        let half = stream.phase == Phase::Half;
        if limit > stream.limit {
            stream.limit = limit;
            self.flush(node, sid);
        }
        if half {
            self.establish(node, sid);
        }
    }

    pub(super) fn fin_arrives(&mut self, id: u32) {
        let packet = self.wire.packet(id);
        let (node, sid, limit) = (packet.to, packet.target, packet.limit);
        // A socket that was closed in order takes the other's end in silence.
        let Some(stream) = self.stream_mut(node, sid) else {
            return;
        };
        match stream.phase {
            Phase::Half => return self.early(id, Self::fin_arrives),
            Phase::Broken | Phase::Dialling => return,
            Phase::Answered | Phase::Open => {}
        }
        stream.ended = true;
        stream.limit = stream.limit.max(limit);
        self.mark(node, sid);
    }

    pub(super) fn reset_arrives(&mut self, id: u32) {
        let packet = self.wire.packet(id);
        let (node, sid) = (packet.to, packet.target);
        let Some(stream) = self.stream_mut(node, sid) else {
            return;
        };
        let why = match stream.phase {
            Phase::Half => return self.abandon(node, sid),
            Phase::Dialling => NetError::Refused,
            // As Linux has it: whoever was told of the end is told of a broken pipe.
            _ if stream.ended => NetError::BrokenPipe,
            _ => NetError::Reset,
        };
        self.break_stream(node, sid, why);
    }

    /// A connection that came in never stood.
    pub(super) fn abandon(&mut self, node: u32, sid: Sid) {
        let Some(listener) = self.stream_mut(node, sid).and_then(|s| s.listener) else {
            return;
        };
        let table = &mut self.hosts[node as usize].table;
        if let Some(Socket::Listener(state)) = table.any_mut(listener).map(|e| &mut e.socket) {
            state.half = state.half.saturating_sub(1);
        }
        self.remove(node, sid);
    }

    // ---- keepalive

    /// Looks whether a silent peer is still there, and when to look again.
    pub(super) fn keepalive(&mut self, node: u32, sid: Sid) {
        let now = self.wire.now;
        let Some(stream) = self.stream_mut(node, sid) else {
            return;
        };
        let Some(law) = stream.keepalive else {
            return;
        };
        if stream.phase == Phase::Broken {
            return;
        }
        let idle = stream.heard.saturating_add(whole_seconds(law.idle));
        if now < idle {
            return self.set_timer(idle, Timer::Keepalive { node, sid });
        }
        let peer = (stream.peer_node, stream.peer_boot, stream.peer_sid);
        let answers = self.answers(node, peer);
        let Some(stream) = self.stream_mut(node, sid) else {
            return;
        };
        match answers {
            Some(true) => (stream.heard, stream.unanswered) = (now, 0),
            Some(false) => return self.break_stream(node, sid, NetError::Reset),
            None => stream.unanswered += 1,
        }
        if stream.unanswered >= law.probes {
            return self.break_stream(node, sid, NetError::TimedOut);
        }
        let wait = match stream.unanswered {
            0 => law.idle,
            _ => law.interval,
        };
        let at = now.saturating_add(whole_seconds(wait));
        self.set_timer(at, Timer::Keepalive { node, sid });
    }

    /// What a probe would bring: an answer, a reset, or nothing.
    fn answers(&self, node: u32, (peer, boot, sid): (u32, u32, Sid)) -> Option<bool> {
        let there = !self.wire.is_cut(node, peer) && !self.wire.is_cut(peer, node);
        let host = &self.hosts[peer as usize];
        if !there || !host.up {
            return None;
        }
        Some(host.boots == boot && host.table.any(sid).is_some())
    }

    // ---- looking at and changing a socket

    pub(super) fn local(&self, node: u32, sid: Sid) -> Result<Endpoint, NetError> {
        Ok(self.hosts[node as usize]
            .table
            .get(sid)?
            .socket
            .local()
            .clone())
    }

    pub(super) fn peer(&self, node: u32, sid: Sid) -> Result<Endpoint, NetError> {
        match &self.hosts[node as usize].table.get(sid)?.socket {
            Socket::Listener(_) => Err(NetError::Invalid),
            Socket::Mailbox(mailbox) => mailbox.to.clone().ok_or(NetError::NotConnected),
            Socket::Stream(stream) => match stream.phase {
                Phase::Dialling | Phase::Broken => Err(NetError::NotConnected),
                _ => Ok(stream.peer.clone()),
            },
        }
    }

    pub(super) fn buffer_sizes(&self, node: u32, sid: Sid) -> Result<(usize, usize), NetError> {
        Ok(match &self.hosts[node as usize].table.get(sid)?.socket {
            // What its connections will have.
            Socket::Listener(listener) => {
                let (send, receive) = listener.buffers;
                (send.max(BUFFER), receive.max(BUFFER))
            }
            Socket::Mailbox(mailbox) => (mailbox.unsent_max, mailbox.bytes_max),
            Socket::Stream(stream) => (stream.unsent_max, stream.rx_max),
        })
    }

    pub(super) fn set_option(
        &mut self,
        node: u32,
        sid: Sid,
        option: SocketOption,
    ) -> Result<(), NetError> {
        if let SocketOption::Linger(linger) = option {
            super::socket::check_linger(linger)?;
        }
        if let SocketOption::Keepalive(law) = option {
            super::socket::check_keepalive(law)?;
        }
        if option == SocketOption::Ttl(0) {
            return Err(NetError::Invalid);
        }
        let entry = self.hosts[node as usize].table.get_mut(sid)?;
        match (&mut entry.socket, option) {
            (Socket::Stream(s), SocketOption::SendBuffer(n)) => s.unsent_max = s.unsent_max.max(n),
            (Socket::Stream(s), SocketOption::RecvBuffer(n)) => s.rx_max = s.rx_max.max(n),
            (Socket::Stream(s), SocketOption::Linger(linger)) if !s.unix => {
                s.resets = linger.is_some();
            }
            (Socket::Stream(s), SocketOption::Keepalive(law)) if !s.unix => {
                let begins = s.keepalive.is_none() && law.is_some();
                s.keepalive = law;
                if begins && s.phase == Phase::Open {
                    self.keepalive(node, sid);
                }
            }
            (Socket::Mailbox(m), SocketOption::SendBuffer(n)) => {
                m.unsent_max = m.unsent_max.max(n);
            }
            (Socket::Mailbox(m), SocketOption::RecvBuffer(n)) => m.bytes_max = m.bytes_max.max(n),
            (Socket::Mailbox(_), SocketOption::Linger(_) | SocketOption::Keepalive(_)) => {}
            (Socket::Mailbox(_), SocketOption::Nodelay(_) | SocketOption::Ttl(_)) => {}
            (Socket::Mailbox(mailbox), option) => return Self::set_mailbox(mailbox, option),
            (Socket::Listener(l), SocketOption::SendBuffer(n)) => {
                l.buffers.0 = l.buffers.0.max(n);
            }
            (Socket::Listener(l), SocketOption::RecvBuffer(n)) => {
                l.buffers.1 = l.buffers.1.max(n);
            }
            (_, SocketOption::Nodelay(_) | SocketOption::Keepalive(_) | SocketOption::Ttl(_)) => {}
            (_, SocketOption::Linger(_)) => {}
            // What is UDP's.
            _ => return Err(NetError::Invalid),
        }
        Ok(())
    }
}

/// What a read comes to when there is no data.
fn nothing_to_read(stream: &mut Stream) -> Result<Option<usize>, NetError> {
    if stream.ended {
        return Ok(Some(0));
    }
    match stream.error.take() {
        Some(why) => Err(why),
        None if stream.deaf || stream.phase == Phase::Broken => Ok(Some(0)),
        None => Ok(None),
    }
}

/// Moves data that came into a buffer.
#[inline]
fn take(stream: &mut Stream, wire: &mut Wire, buf: &mut [u8]) -> usize {
    let mut got = 0;
    while got < buf.len() {
        let Some(&id) = stream.rx.front() else {
            break;
        };
        let data = &wire.packet(id).data[stream.rx_at..];
        let n = data.len().min(buf.len() - got);
        buf[got..got + n].copy_from_slice(&data[..n]);
        got += n;
        if n == data.len() {
            stream.rx.pop_front();
            stream.rx_at = 0;
            wire.free(id);
        } else {
            stream.rx_at += n;
        }
    }
    stream.taken += got as u64;
    got
}

/// Sends a piece of data. Gives the packet when it was lost, and stalls what follows.
#[inline]
fn send_piece(
    stream: &mut Stream,
    wire: &mut Wire,
    (node, boot, sid): (u32, u32, Sid),
    data: &[u8],
) -> u32 {
    stream.told = stream.allowance();
    let id = wire.make(Envelope {
        kind: Kind::Data,
        link: stream.link,
        from: node,
        to: stream.peer_node,
        from_boot: boot,
        to_boot: stream.peer_boot,
        source: sid,
        target: stream.peer_sid,
        limit: stream.told,
    });
    wire.packet_mut(id).data.extend_from_slice(data);
    stream.sent += data.len() as u64;
    match wire.launch(id, stream.arrive) {
        Some(at) => {
            stream.arrive = at;
            NONE
        }
        None => {
            stream.stalled = id;
            id
        }
    }
}

/// How much of a read or a write of `len` bytes is done: now and then a part only, at least one.
#[inline]
fn shortened(law: &mut Option<(f64, Draws)>, len: usize) -> usize {
    let Some((share, draws)) = law else {
        return len;
    };
    if !draws.chance(*share) {
        return len;
    }
    let part = match draws.below(4) {
        0 => 1,
        1 => len / 4,
        2 => len / 2,
        _ => len - 1,
    };
    part.max(1)
}

/// The system counts in seconds, rounded up.
fn whole_seconds(span: std::time::Duration) -> u64 {
    let more = u64::from(span.subsec_nanos() > 0);
    span.as_secs()
        .saturating_add(more)
        .saturating_mul(1_000_000_000)
}
