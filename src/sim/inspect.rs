//! Looking at sockets and links from outside.

use super::link::{CLOGGED, CUT, HELD};
use super::node::NodeId;
use super::sim::Sim;
use super::socket::{Phase, Socket};
use super::table::{ORPHAN, QUEUED};
use crate::net::{Conditions, Endpoint, Sid};

/// How far a socket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SocketState {
    /// It accepts.
    Listening,
    /// It takes datagrams.
    Bound,
    /// It was dialled, or came in, and does not stand yet.
    Opening,
    /// It stands in a listener's backlog.
    Queued,
    /// It stands.
    Open,
    /// It broke; the program has not closed it yet.
    Broken,
    /// The program has closed it; its system still sends.
    Closed,
}

/// A socket of a node, as its system sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketInfo {
    /// Its id on its node.
    pub sid: Sid,
    /// How far it is.
    pub state: SocketState,
    /// Its own address.
    pub local: Endpoint,
    /// The other side's.
    pub peer: Option<Endpoint>,
    /// Bytes, or datagrams, or connections, that came and wait for the program.
    pub waiting: usize,
    /// Bytes that were written and wait to be sent.
    pub unsent: usize,
}

/// The state of a link in one direction.
#[derive(Clone, Debug, PartialEq)]
pub struct LinkInfo {
    /// What it does to packets.
    pub conditions: Conditions,
    /// Nothing passes.
    pub cut: bool,
    /// Packets wait until it is healed.
    pub clogged: bool,
    /// Packets wait until they are released.
    pub held: bool,
}

impl Sim {
    /// The sockets of a node, in order of their ids.
    #[must_use]
    pub fn sockets(&self, node: NodeId) -> Vec<SocketInfo> {
        let table = &self.fabric.hosts[node.index()].table;
        let sids = table.sids().into_iter();
        sids.filter_map(|sid| self.socket(node, sid)).collect()
    }

    /// A socket of a node, while its system knows it.
    #[must_use]
    pub fn socket(&self, node: NodeId, sid: Sid) -> Option<SocketInfo> {
        let entry = self.fabric.hosts[node.index()].table.any(sid)?;
        let (state, peer, waiting, unsent) = match &entry.socket {
            Socket::Listener(l) => (SocketState::Listening, None, l.waiting.len(), 0),
            Socket::Mailbox(m) => (SocketState::Bound, m.to.clone(), m.waiting.len(), 0),
            Socket::Stream(s) => {
                let bytes = |id: &u32| self.fabric.wire.packet(*id).data.len();
                let waiting = s.rx.iter().map(bytes).sum::<usize>() - s.rx_at;
                let state = match s.phase {
                    _ if entry.is(ORPHAN) => SocketState::Closed,
                    Phase::Dialling | Phase::Half => SocketState::Opening,
                    Phase::Broken => SocketState::Broken,
                    _ if entry.is(QUEUED) => SocketState::Queued,
                    Phase::Answered | Phase::Open => SocketState::Open,
                };
                (state, Some(s.peer.clone()), waiting, s.unsent.len())
            }
        };
        Some(SocketInfo {
            sid,
            state,
            local: entry.socket.local().clone(),
            peer,
            waiting,
            unsent,
        })
    }

    /// How many packets there are: under way, waiting for a link or a retry, or come and unread.
    #[must_use]
    pub fn packets(&self) -> usize {
        self.fabric.wire.packets()
    }

    /// The link from one node to another.
    #[must_use]
    pub fn link(&self, from: NodeId, to: NodeId) -> LinkInfo {
        let (wire, pair) = (&self.fabric.wire, (from.0, to.0));
        let flags = wire.wrong.get(&pair).copied().unwrap_or(0);
        LinkInfo {
            conditions: wire.law_of(from.0, to.0).conditions.clone(),
            cut: flags & CUT != 0,
            clogged: flags & CLOGGED != 0,
            held: flags & HELD != 0,
        }
    }
}
