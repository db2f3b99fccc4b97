//! Entries into blocks, and blocks to where they go.
//!
//! A recording is a header, blocks, and an end. A block can be read by itself, knowing nothing of
//! those before it: its length and a check sum (u32, low byte first), the number of its first
//! entry, entries. So a flight recorder can drop the oldest one, and a torn file is good up to its
//! last whole block.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::fmt;
use std::io::{self, Write};
use std::time::Duration;

use super::block::{BLOCK_HEAD, Block, body_hash, check_sum};
use super::bytes::put_text;
use super::codec::State;
use super::head::Head;
use super::op::{Answer, Op};
use crate::net::{Group, Owner, Sid, Tape, TraceHash};
use crate::tyme::Tyme;

pub(super) const MAGIC: &[u8; 8] = b"hio-rec\n";
pub(super) const VERSION: u8 = 1;
/// Bits of the byte after the version.
pub(super) const FLIGHT: u8 = 1;
pub(super) const SIMULATED: u8 = 2;
/// A block is written when it has so many bytes.
const BLOCK_BYTES: usize = 64 * 1024;
/// Or when so much time of the net's clock has passed since the last one.
const BLOCK_SPAN: Duration = Duration::from_secs(1);
/// Blocks that a flight keeps to fill them again.
const SPARE_MAX: usize = 4;

/// What is recorded, on its way.
pub(super) struct Log {
    state: State,
    head: Vec<u8>,
    block: Block,
    block_max: usize,
    begun: Tyme,
    /// Over the blocks that are complete.
    hash: TraceHash,
    sink: Sink,
    pub(super) tape: Option<Tape>,
    pub(super) lost: u64,
    pub(super) failure: Option<io::Error>,
    /// Bytes that were written.
    pub(super) bytes: u64,
}

enum Sink {
    File(Box<dyn Write + Send>),
    Ring(Ring),
    /// Failed, or finished.
    Shut,
}

/// The last blocks of a flight.
struct Ring {
    blocks: VecDeque<Vec<u8>>,
    bytes: usize,
    bytes_max: usize,
    header: Vec<u8>,
    /// Blocks that were dropped, to be filled again.
    spare: Vec<Vec<u8>>,
}

impl Log {
    pub(super) fn to_file(to: Box<dyn Write + Send>, header: Header<'_>) -> Self {
        let mut log = Self::new(Sink::File(to), BLOCK_BYTES);
        log.write_out(&header.bytes());
        log
    }

    pub(super) fn to_ring(bytes_max: usize, header: Header<'_>) -> Self {
        let ring = Ring {
            blocks: VecDeque::new(),
            bytes: 0,
            bytes_max,
            header: header.bytes(),
            spare: Vec::new(),
        };
        Self::new(Sink::Ring(ring), (bytes_max / 8).clamp(256, BLOCK_BYTES))
    }

    fn new(sink: Sink, block_max: usize) -> Self {
        let mut log = Self {
            state: State::default(),
            head: Vec::new(),
            block: Block::default(),
            block_max,
            begun: Tyme::ZERO,
            hash: TraceHash::default(),
            sink,
            tape: None,
            lost: 0,
            failure: None,
            bytes: 0,
        };
        log.block.begin(0);
        log
    }

    /// Takes in an operation and what it gave.
    pub(super) fn log(&mut self, op: &Op<'_>, answer: &Answer<'_>) {
        if self.is_open() {
            self.entry(op, answer);
        }
    }

    /// The same for what is frequent.
    #[inline]
    pub(super) fn now(&mut self, now: Tyme) {
        if self.is_open() {
            let head = self.state.now(now);
            self.push(&head, &[]);
            if now.since(self.begun) >= BLOCK_SPAN {
                self.begun = now;
                self.end_block();
            }
        }
    }

    #[inline]
    pub(super) fn poll(&mut self, until: Tyme) {
        if self.is_open() {
            let head = self.state.poll(until);
            self.push(&head, &[]);
        }
    }

    #[inline]
    pub(super) fn woken(&mut self, owners: &[Owner]) {
        if self.is_open() {
            match self.state.woken(owners) {
                Some(head) => self.push(&head, &[]),
                None => self.entry(&Op::Woken, &Answer::Owners(Cow::Borrowed(owners))),
            }
        }
    }

    #[inline]
    pub(super) fn ready(&mut self, group: Group, sids: &[Sid]) {
        if self.is_open() {
            match self.state.ready(group, sids) {
                Some(head) => self.push(&head, &[]),
                None => self.ready_rarely(group, sids),
            }
        }
    }

    fn ready_rarely(&mut self, group: Group, sids: &[Sid]) {
        let answer = match sids {
            [] => Answer::NotYet,
            _ => Answer::Sids(Cow::Borrowed(sids)),
        };
        self.entry(&Op::Ready { group }, &answer);
    }

    /// A read that went well.
    #[inline]
    pub(super) fn read(&mut self, sid: Sid, len: usize, got: Option<&[u8]>) {
        if self.is_open() {
            let head = self.state.read(sid, len, got.map(<[u8]>::len));
            self.push(&head, got.unwrap_or_default());
        }
    }

    /// A write that went well.
    #[inline]
    pub(super) fn write(&mut self, sid: Sid, len: usize, taken: usize, hash: u32) {
        if self.is_open() {
            match self.state.write(sid, len, taken, hash) {
                Some(head) => self.push(&head, &[]),
                None => self.entry(&Op::Write { sid, len, hash }, &Answer::Count(taken)),
            }
        }
    }

    /// Whether it is still written. Puts first what the tape has had since.
    #[inline]
    fn is_open(&mut self) -> bool {
        if matches!(self.sink, Sink::Shut) {
            self.lost += 1;
            return false;
        }
        if self.tape.as_ref().is_some_and(Tape::has_new) {
            self.drain_tape();
        }
        true
    }

    #[inline]
    fn push(&mut self, head: &Head, payload: &[u8]) {
        self.block.push(head, payload);
        if self.block.len() >= self.block_max {
            self.end_block();
        }
    }

    #[cold]
    fn entry(&mut self, op: &Op<'_>, answer: &Answer<'_>) {
        self.head.clear();
        self.state.encode(op, answer, &mut self.head);
        self.block.push_bytes(&self.head, answer.payload());
        if self.block.len() >= self.block_max {
            self.end_block();
        }
    }

    /// Entries of the tape that were made since the last operation.
    #[cold]
    fn drain_tape(&mut self) {
        let entries = self.tape.as_ref().map_or_else(Vec::new, Tape::drain_new);
        for entry in entries {
            self.entry(&Op::Tape, &Answer::Bytes(&entry));
        }
    }

    /// The hash of all that was recorded.
    pub(super) fn hash(&self) -> TraceHash {
        self.block.hash_with(self.hash)
    }

    #[cold]
    fn end_block(&mut self) {
        if self.block.seal(&mut self.hash) {
            let mut bytes = std::mem::take(&mut self.block.bytes);
            match &mut self.sink {
                Sink::Ring(ring) => bytes = ring.push(bytes),
                Sink::File(_) | Sink::Shut => self.write_out(&bytes),
            }
            self.block.bytes = bytes;
        }
        self.block.begin(self.hash.events());
        self.state = State::default();
    }

    /// Writes to the file. What fails ends the recording, and disturbs nobody.
    fn write_out(&mut self, bytes: &[u8]) {
        let Sink::File(to) = &mut self.sink else {
            return;
        };
        match to.write_all(bytes) {
            Ok(()) => self.bytes += bytes.len() as u64,
            Err(why) => self.fail(why),
        }
    }

    fn fail(&mut self, why: io::Error) {
        log::warn!("recording stops at event {}: {why}", self.block.next());
        self.failure = Some(why);
        self.sink = Sink::Shut;
    }

    /// Writes what there is.
    pub(super) fn flush(&mut self) {
        if let Sink::File(_) = self.sink {
            self.end_block();
        }
        if let Sink::File(to) = &mut self.sink {
            if let Err(why) = to.flush() {
                self.fail(why);
            }
        }
    }

    /// Writes what there is and the end.
    pub(super) fn finish(&mut self) {
        if let Sink::File(_) = self.sink {
            self.drain_tape();
            self.end_block();
            let end = trailer(&self.hash);
            self.write_out(&end);
            self.flush_file();
            self.sink = Sink::Shut;
        }
    }

    fn flush_file(&mut self) {
        if let Sink::File(to) = &mut self.sink {
            if let Err(why) = to.flush() {
                self.fail(why);
            }
        }
    }

    /// Writes the blocks of a flight, and an end.
    pub(super) fn dump(&mut self, to: &mut dyn Write) -> io::Result<()> {
        self.drain_tape();
        self.end_block();
        let Sink::Ring(ring) = &self.sink else {
            return Err(io::ErrorKind::Unsupported.into());
        };
        to.write_all(&ring.header)?;
        for block in &ring.blocks {
            to.write_all(block)?;
        }
        to.write_all(&trailer(&self.hash))?;
        to.flush()
    }

    pub(super) const fn is_flight(&self) -> bool {
        matches!(self.sink, Sink::Ring(_))
    }
}

impl Ring {
    /// Takes a block in, and gives back one that is no longer needed, so that a flight allocates
    /// nothing once it is full.
    fn push(&mut self, block: Vec<u8>) -> Vec<u8> {
        self.bytes += block.len();
        self.blocks.push_back(block);
        while self.bytes > self.bytes_max && self.blocks.len() > 1 {
            if let Some(oldest) = self.blocks.pop_front() {
                self.bytes -= oldest.len();
                self.spare.push(oldest);
            }
        }
        self.spare.truncate(SPARE_MAX);
        self.spare.pop().unwrap_or_default()
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log")
            .field("hash", &self.hash())
            .field("lost", &self.lost)
            .finish_non_exhaustive()
    }
}

/// What stands at the beginning of a recording.
pub(super) struct Header<'a> {
    pub(super) flags: u8,
    pub(super) about: &'a str,
}

impl Header<'_> {
    fn bytes(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend_from_slice(&[VERSION, self.flags]);
        let mut end = self.about.len().min(ABOUT_MAX);
        while !self.about.is_char_boundary(end) {
            end -= 1;
        }
        put_text(&mut out, &self.about[..end]);
        out
    }
}

/// Bytes of the description at most; what is longer is cut.
pub(super) const ABOUT_MAX: usize = 64 * 1024;
/// Bytes of the end: no length, a check sum, the number of entries and their hash.
pub(super) const END: usize = BLOCK_HEAD + 16;

fn trailer(hash: &TraceHash) -> [u8; END] {
    let mut end = [0; END];
    end[8..16].copy_from_slice(&hash.events().to_le_bytes());
    end[16..].copy_from_slice(&hash.value().to_le_bytes());
    let check = check_sum(body_hash(&end[8..]));
    end[4..8].copy_from_slice(&check);
    end
}
