//! A recording as it is read again.

use std::fmt;
use std::io::{self, Read};

use super::block::{BLOCK_HEAD, body_hash, check_sum};
use super::bytes::Bytes;
use super::codec::{State, is_still};
use super::general::is_rare;
use super::log::{ABOUT_MAX, END, FLIGHT, MAGIC, SIMULATED, VERSION};
use super::op::{Answer, Op};
use super::repeat::{History, REPEAT, Run, Short};
use crate::net::TraceHash;
use crate::tyme::Tyme;

/// What [`Record`](super::Record) wrote, opened again: to be played by a
/// [`Replay`](crate::net::Replay), or listed line by line.
///
/// It is read block by block, never as a whole. Any bytes may be handed in: what makes no sense is
/// an error.
///
/// ```
/// use hio::net::{Net, NullNet, Record, RecordedRun};
/// use std::io::Cursor;
///
/// let mut net = Record::flight(NullNet::default(), 10_000, "a look at the clock");
/// net.now();
/// let mut file = Vec::new();
/// net.dump(&mut file)?;
///
/// let mut recording = RecordedRun::open(Cursor::new(file))?;
/// assert_eq!(recording.about(), "a look at the clock");
/// assert!(recording.next_line()?.unwrap().ends_with("now: 0s"));
/// assert_eq!(recording.next_line()?, None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct RecordedRun {
    input: Box<dyn Read + Send>,
    about: String,
    flags: u8,
    block: Vec<u8>,
    /// Where the next entry begins.
    at: usize,
    state: State,
    history: History,
    run: Run,
    short: [u8; 8],
    /// The next entry is the first one of its block.
    fresh: bool,
    event: u64,
    now: Tyme,
    end: Option<End>,
}

/// Why a recording cannot be read, or no further.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordingError {
    /// It does not begin as recordings do.
    #[error("not a recording")]
    Foreign,
    /// It was written in a format that is not known here.
    #[error("a recording of version {0}, which is not known here")]
    Version(u8),
    /// It has no end: the program that wrote it was killed, or its disk was full.
    #[error("the recording is cut off after event {0}")]
    CutOff(u64),
    /// It was damaged.
    #[error("the recording is damaged after event {event}: {what}")]
    Damaged {
        /// Events before the damage.
        event: u64,
        /// What is wrong.
        what: &'static str,
    },
    /// It is a flight recorder's, which begins in the middle of the run.
    #[error("a flight recorder's last part, from event {0} on, can be listed but not replayed")]
    Flight(u64),
    /// It cannot be read.
    #[error("reading the recording: {0}")]
    Io(#[from] io::Error),
}

/// How a recording ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::net) struct End {
    pub(in crate::net) events: u64,
    pub(in crate::net) hash: u64,
}

/// One operation and what it gave.
pub(in crate::net) struct Entry<'a> {
    pub(in crate::net) op: Op<'a>,
    pub(in crate::net) answer: Answer<'a>,
    /// All of it, as it stands in the file.
    pub(in crate::net) bytes: &'a [u8],
}

impl RecordedRun {
    /// Reads the beginning.
    ///
    /// # Errors
    /// [`RecordingError::Foreign`], [`RecordingError::Version`], [`RecordingError::CutOff`] within
    /// the header, and whatever reading gives.
    pub fn open(input: impl Read + Send + 'static) -> Result<Self, RecordingError> {
        let mut recording = Self {
            input: Box::new(input),
            about: String::new(),
            flags: 0,
            block: Vec::new(),
            at: 0,
            state: State::default(),
            history: History::default(),
            run: Run::default(),
            short: [0; 8],
            fresh: false,
            event: 0,
            now: Tyme::ZERO,
            end: None,
        };
        recording.read_header()?;
        Ok(recording)
    }

    /// What the recorder said of the run.
    #[must_use]
    pub fn about(&self) -> &str {
        &self.about
    }

    /// Whether it is a flight recorder's: the last part of a run.
    #[must_use]
    pub const fn is_flight(&self) -> bool {
        self.flags & FLIGHT != 0
    }

    pub(in crate::net) const fn is_simulated(&self) -> bool {
        self.flags & SIMULATED != 0
    }

    /// The next operation as a line: its number, the net's clock in seconds when it was last read,
    /// the operation, what it gave. `None` at the end.
    ///
    /// # Errors
    /// As far as it was read all is well; it cannot be read further.
    pub fn next_line(&mut self) -> Result<Option<String>, RecordingError> {
        let event = self.upcoming()?;
        let before = self.now;
        let Some(entry) = self.next()? else {
            return Ok(None);
        };
        let now = match entry.answer {
            Answer::Tyme(now) => now,
            _ => before,
        };
        let (secs, nanos) = (
            now.as_nanos() / 1_000_000_000,
            now.as_nanos() % 1_000_000_000,
        );
        let line = format!(
            "{event:10} {secs:6}.{nanos:09}  {}: {}",
            entry.op, entry.answer
        );
        self.now = now;
        Ok(Some(line))
    }

    /// The number of the next entry; in a flight, after those that were dropped.
    pub(in crate::net) fn upcoming(&mut self) -> Result<u64, RecordingError> {
        self.fill()?;
        Ok(self.event)
    }

    /// The recording's own end, once it is reached.
    pub(in crate::net) const fn end(&self) -> Option<End> {
        self.end
    }

    /// Whether the next entry begins a block.
    pub(in crate::net) const fn is_fresh(&self) -> bool {
        self.fresh
    }

    /// The next entry; `None` at the end.
    pub(in crate::net) fn next(&mut self) -> Result<Option<Entry<'_>>, RecordingError> {
        if !self.fill()? {
            return Ok(None);
        }
        self.read_entry(true).map(Some)
    }

    /// Whether the next entry is one that a replay deals with by itself: of the tape, or a probe.
    /// `None` at the end.
    #[inline]
    pub(in crate::net) fn peek_rare(&mut self) -> Result<Option<bool>, RecordingError> {
        if !self.fill()? {
            return Ok(None);
        }
        let frequent = self.run.peek(&self.history).is_some();
        Ok(Some(!frequent && is_rare(self.block[self.at])))
    }

    /// The next entry, which stays the next.
    pub(in crate::net) fn peek(&mut self) -> Result<Option<Entry<'_>>, RecordingError> {
        if !self.fill()? {
            return Ok(None);
        }
        self.read_entry(false).map(Some)
    }

    fn read_entry(&mut self, takes: bool) -> Result<Entry<'_>, RecordingError> {
        let damaged = RecordingError::Damaged {
            event: self.event,
            what: "no operation",
        };
        let mut state = self.state;
        if let Some(short) = self.run.peek(&self.history) {
            let (bytes, len) = short.bytes();
            self.short = bytes;
            let mut rest = Bytes(&self.short[..len]);
            let Some((op, answer)) = state.decode(&mut rest) else {
                return Err(damaged);
            };
            if takes {
                self.run.pass();
                self.history.push(short);
                self.state = state;
                self.event += 1;
                self.fresh = false;
            }
            return Ok(Entry {
                op,
                answer,
                bytes: &self.short[..len],
            });
        }
        let all = &self.block[self.at..];
        let mut rest = Bytes(all);
        let Some((op, answer)) = state.decode(&mut rest) else {
            return Err(damaged);
        };
        let bytes = &all[..all.len() - rest.0.len()];
        if takes {
            if let Some(short) = Short::of(bytes).filter(|_| is_still(bytes[0])) {
                self.history.push(short);
            }
            self.at += bytes.len();
            self.state = state;
            self.event += 1;
            self.fresh = false;
        }
        Ok(Entry { op, answer, bytes })
    }

    /// Sees to it that an entry is there; false at the end.
    #[inline]
    fn fill(&mut self) -> Result<bool, RecordingError> {
        loop {
            if self.run.peek(&self.history).is_some() {
                return Ok(true);
            }
            match self.block.get(self.at) {
                Some(&REPEAT) => {
                    let mut rest = Bytes(&self.block[self.at + 1..]);
                    self.run = Run::read(&mut rest).ok_or(RecordingError::Damaged {
                        event: self.event,
                        what: "no repeat",
                    })?;
                    self.at = self.block.len() - rest.0.len();
                }
                Some(_) => return Ok(true),
                None if self.end.is_some() => return Ok(false),
                None => self.read_block()?,
            }
        }
    }

    fn read_header(&mut self) -> Result<(), RecordingError> {
        let mut head = [0; 10];
        let got = self.read_up_to(&mut head)?;
        if got == 0 || !head[..got].starts_with(&MAGIC[..got.min(8)]) {
            return Err(RecordingError::Foreign);
        }
        if got < head.len() {
            return Err(RecordingError::CutOff(0));
        }
        if head[8] != VERSION {
            return Err(RecordingError::Version(head[8]));
        }
        self.flags = head[9];
        let mut len = 0;
        for shift in [0, 7, 14] {
            let mut byte = [0];
            if self.read_up_to(&mut byte)? == 0 {
                return Err(RecordingError::CutOff(0));
            }
            len |= usize::from(byte[0] & 0x7f) << shift;
            if byte[0] < 0x80 {
                break;
            }
        }
        if len > ABOUT_MAX {
            return Err(self.damaged("a description that is too long"));
        }
        let about = self.read_body(len)?;
        self.about = String::from_utf8(about).map_err(|_| self.damaged("no text"))?;
        Ok(())
    }

    #[cold]
    fn read_block(&mut self) -> Result<(), RecordingError> {
        let mut head = [0; BLOCK_HEAD];
        if self.read_up_to(&mut head)? < head.len() {
            return Err(RecordingError::CutOff(self.event));
        }
        let [a, b, c, d, check @ ..] = head;
        let len = u32::from_le_bytes([a, b, c, d]);
        let is_end = len == 0;
        let len = if is_end {
            END - BLOCK_HEAD
        } else {
            len as usize
        };
        self.block = self.read_body(len)?;
        if check_sum(body_hash(&self.block)) != check {
            self.block.clear();
            self.at = 0;
            return Err(self.damaged("a wrong check sum"));
        }
        match is_end {
            true => self.read_end(),
            false => self.begin_block(),
        }
    }

    fn begin_block(&mut self) -> Result<(), RecordingError> {
        let mut rest = Bytes(&self.block);
        let first = rest.number();
        self.at = self.block.len() - rest.0.len();
        self.state = State::default();
        self.history = History::default();
        let skips = self.is_flight() && self.event == 0;
        match first {
            Some(first) if first == self.event || skips => self.event = first,
            _ => return Err(self.damaged("a block is missing")),
        }
        self.fresh = true;
        Ok(())
    }

    fn read_end(&mut self) -> Result<(), RecordingError> {
        let mut rest = Bytes(&self.block);
        let (events, hash) = (rest.array(), rest.array());
        self.at = self.block.len();
        if let (Some(events), Some(hash)) = (events, hash) {
            let (events, hash) = (u64::from_le_bytes(events), u64::from_le_bytes(hash));
            if events == self.event || (self.is_flight() && self.event == 0) {
                self.end = Some(End { events, hash });
                return Ok(());
            }
        }
        Err(self.damaged("another number of events"))
    }

    const fn damaged(&self, what: &'static str) -> RecordingError {
        RecordingError::Damaged {
            event: self.event,
            what,
        }
    }

    /// Reads until the buffer is full or the input ends.
    fn read_up_to(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut got = 0;
        while got < buf.len() {
            match self.input.read(&mut buf[got..]) {
                Ok(0) => break,
                Ok(n) => got += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(got)
    }

    /// Reads so many bytes. Memory grows with what is there, not with what is promised.
    fn read_body(&mut self, len: usize) -> Result<Vec<u8>, RecordingError> {
        let mut body = std::mem::take(&mut self.block);
        body.clear();
        self.at = 0;
        (&mut self.input).take(len as u64).read_to_end(&mut body)?;
        if body.len() < len {
            return Err(RecordingError::CutOff(self.event));
        }
        Ok(body)
    }
}

impl fmt::Debug for RecordedRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordedRun")
            .field("about", &self.about)
            .field("event", &self.event)
            .finish_non_exhaustive()
    }
}

impl End {
    /// Whether a replay came to the same.
    pub(in crate::net) const fn agrees(&self, hash: &TraceHash) -> bool {
        self.events == hash.events() && self.hash == hash.value()
    }
}
