//! Bodies that the server reads by itself, piece by piece, as their connections have room.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, ErrorKind, Read};

use crate::link::RemoterId;

/// A body that the server reads as the peer takes it: a part of a file, or whatever else is read without waiting.
///
/// At most 64 KiB of it are held at a time. It is read on when the peer has taken those, so a slow
/// reader costs no more than that, and in one service no more than 4 MiB of all sources together
/// are read, so many fast ones delay nobody. It is dropped when its request is over, however it ends.
///
/// An end before the length that was told, and an error, break the connection off: what was sent
/// never looks complete, except over a Unix socket in a body that ends with its connection, as those know no reset. Reading must not wait: [`WouldBlock`](ErrorKind::WouldBlock) is an error
/// like any other.
///
/// ```
/// use hio::proto::http::{Answer, Length, ResponseHead, Source};
/// let zeros = std::io::Read::take(std::io::repeat(0), 1 << 30);
/// let head = ResponseHead::new(http::StatusCode::OK);
/// let answer = Answer::Read(head, Length::Known(1 << 30), Source::new(zeros));
/// # let _ = answer;
/// ```
pub struct Source(Box<dyn Read + Send>);

impl Source {
    /// Reads from here.
    #[must_use]
    pub fn new(from: impl Read + Send + 'static) -> Self {
        Self(Box::new(from))
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Source")
    }
}

/// Bytes of a source that a connection holds.
const PIECE_BYTES: usize = 64 * 1024;
/// Bytes that are read in one service, of all sources together.
const SERVICE_BYTES: usize = 4 * 1024 * 1024;
/// What a read costs at least, however little it gives.
const READ_COST: usize = 4 * 1024;

/// Who reads from a source, and how much still in this service.
#[derive(Debug, Default)]
pub(super) struct Reading {
    /// Whose last piece the system has taken: they read next, in this order.
    queue: VecDeque<RemoterId>,
    /// Who had a turn in this service: where they stand is seen when it was sent.
    looks: Vec<RemoterId>,
    left: usize,
    piece: Vec<u8>,
}

impl Reading {
    /// A service begins.
    pub(super) const fn begin(&mut self) {
        self.left = SERVICE_BYTES;
    }

    /// Whose turn it is, while there is something left for this service.
    pub(super) fn next(&mut self) -> Option<RemoterId> {
        match self.left {
            0 => None,
            _ => self.queue.pop_front(),
        }
    }

    /// Looks at a connection when this service has sent what it could.
    pub(super) fn look_at(&mut self, id: RemoterId) {
        self.looks.push(id);
    }

    /// Queues those of whom `hungry` says that all before was sent. The link tells of the others.
    pub(super) fn sort_out(&mut self, mut hungry: impl FnMut(RemoterId) -> bool) {
        let found = self.looks.drain(..).filter(|id| hungry(*id));
        self.queue.extend(found);
    }

    /// Whether somebody reads on in this service.
    pub(super) fn goes_on_now(&self) -> bool {
        self.left > 0 && self.goes_on()
    }

    /// Whether somebody reads on.
    pub(super) fn goes_on(&self) -> bool {
        !self.queue.is_empty()
    }

    /// The next piece, of `most` bytes at most; empty at the end. `None`: not in this service.
    pub(super) fn piece(&mut self, source: &mut Source, most: usize) -> Option<io::Result<&[u8]>> {
        if self.left == 0 {
            return None;
        }
        self.piece.resize(PIECE_BYTES, 0);
        let room = most.clamp(1, PIECE_BYTES);
        let read = loop {
            match source.0.read(&mut self.piece[..room]) {
                Err(why) if why.kind() == ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        let cost = *read.as_ref().unwrap_or(&0);
        self.left = self.left.saturating_sub(cost.max(READ_COST));
        Some(read.map(|n| &self.piece[..n]))
    }
}
