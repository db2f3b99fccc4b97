//! A connection that was accepted: packets come in, answers go out.

use super::super::super::frame::{self, Message};
use super::super::super::{MessageId, Rejection};
use super::super::transport::Registered;
use super::FrameConnection;
use crate::link::{Remoter, RemoterId, TxError};
use crate::proto::channel::Frames;

/// See the module.
#[derive(Debug)]
pub(super) struct Inbound {
    pub(super) id: RemoterId,
    frames: Frames,
    /// Who it is, once it has said so.
    who: Option<Who>,
    out: Vec<u8>,
    /// Bytes of packets that were handed on and not answered.
    pub(super) open: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    Peer(usize),
    Stranger,
}

/// A packet that came.
#[derive(Debug)]
pub(super) struct Came {
    pub(super) id: RemoterId,
    pub(super) from: usize,
    pub(super) message: MessageId,
    pub(super) packet: Vec<u8>,
}

impl Inbound {
    pub(super) const fn new(id: RemoterId, packet_bytes_max: usize) -> Self {
        Self {
            id,
            frames: Frames::new(frame::PACKET_HEAD.saturating_add(packet_bytes_max)),
            who: None,
            out: Vec::new(),
            open: 0,
        }
    }

    /// Takes in what came, as far as it may. What breaks the rules ends the connection.
    pub(super) fn turn(
        &mut self,
        link: &mut Remoter,
        peers: &[Registered<FrameConnection>],
        came: &mut Vec<Came>,
    ) {
        self.flush(link);
        let mut input = link.rx();
        let all = input.len();
        let mut fine = true;
        while fine && self.open < OPEN_MAX && self.out.len() < OUT_MAX {
            let Ok(next) = self.frames.next(&mut input) else {
                fine = false;
                break;
            };
            let Some(payload) = next else { break };
            let (who, message) = (self.who, Message::read(payload));
            match (who, message) {
                (None, Some(Message::Hello(name))) => {
                    self.who = Some(recognize(name, link, peers));
                }
                (Some(Who::Peer(from)), Some(Message::Packet(message, packet))) => {
                    self.open += packet.len() + 1;
                    came.push(Came {
                        id: self.id,
                        from,
                        message,
                        packet: packet.to_vec(),
                    });
                }
                (Some(Who::Stranger), Some(Message::Packet(message, _))) => {
                    let unknown = Err(Rejection::UnknownSender);
                    frame::answer(message, &unknown, &mut self.out);
                }
                _ => fine = false,
            }
        }
        let taken = all - input.len();
        if taken > 0 {
            link.consume(taken);
        }
        match fine {
            true => self.flush(link),
            false => link.abort(),
        }
    }

    pub(super) fn answer(
        &mut self,
        message: MessageId,
        len: usize,
        how: &Result<(), Rejection>,
        link: &mut Remoter,
    ) {
        self.open = self.open.saturating_sub(len + 1);
        frame::answer(message, how, &mut self.out);
        self.flush(link);
    }

    /// Whether there is more to send than the link had room for.
    pub(super) fn spills(&self) -> bool {
        !self.out.is_empty()
    }

    fn flush(&mut self, link: &mut Remoter) {
        if self.out.is_empty() {
            return;
        }
        match link.tx(&self.out) {
            Ok(()) => self.out.clear(),
            Err(TxError::Full { taken }) => drop(self.out.drain(..taken)),
            Err(_) => self.out.clear(), // the link is over
        }
    }
}

/// Who calls itself so, on a connection that may have shown a certificate.
fn recognize(name: &str, link: &Remoter, peers: &[Registered<FrameConnection>]) -> Who {
    let place = peers.iter().position(|peer| peer.connection.name == name);
    let known = place.filter(|&nth| match &peers[nth].connection.certified {
        None => true,
        Some(wanted) => shown(link).is_some_and(|shown| shown == *wanted),
    });
    if known.is_none() {
        log::info!("somebody unknown calls itself {name:?}");
    }
    known.map_or(Who::Stranger, Who::Peer)
}

#[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
fn shown(link: &Remoter) -> Option<String> {
    let certificate = link.tls().and_then(|tls| tls.peer())?;
    Some(super::super::http::network_id(&certificate))
}

#[cfg(not(any(feature = "tls", feature = "aws-lc-rs")))]
const fn shown(_: &Remoter) -> Option<String> {
    None
}

/// Bytes of packets of one connection that wait to be answered before reading stops. One more may
/// be inside.
const OPEN_MAX: usize = 1024 * 1024;
/// Bytes of answers that wait for a peer that does not read.
const OUT_MAX: usize = 64 * 1024;
