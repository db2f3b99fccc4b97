//! One operation and its answer as an entry of a recording, and back.
//!
//! An entry is a tag, the arguments, the answer, and last the bytes that were handed over. What
//! happens at every turn of a loop has tags of its own that leave out what is as it was the last
//! time ([`State`]); everything else has the general form, in `general.rs`. There is one way to write an entry, so
//! equal entries are equal bytes: that is how a replay compares.

use std::borrow::Cow;

use super::bytes::Bytes;
use super::general::{put_answer, put_op, take_answer, take_op};
use super::head::Head;
use super::op::{Answer, Op};
use crate::net::{Group, Owner, Sid};
use crate::tyme::Tyme;

/// What the next entries leave out. It begins anew with every block of the file.
#[derive(Clone, Copy, Debug)]
pub(in crate::net) struct State {
    now: Tyme,
    until: Tyme,
    owner: Owner,
    group: Group,
    sid: Sid,
    len: usize,
}

impl Default for State {
    fn default() -> Self {
        Self {
            now: Tyme::ZERO,
            until: Tyme::ZERO,
            owner: Owner::NONE,
            group: Group::new(0, 0),
            sid: Sid::new(0, 0),
            len: 0,
        }
    }
}

// Tags of what is frequent; those from 0x80 say that nothing came, and may be counted as repeats.
const NOW: u8 = 0x40;
const READY_SAME: u8 = 0x41;
const READY_ONE: u8 = 0x42;
/// With [`OTHER_SID`] and [`OTHER_LEN`].
const READ: u8 = 0x44;
/// With [`OTHER_SID`].
const WRITE: u8 = 0x48;
const WOKEN_NONE: u8 = 0x80;
const WOKEN_SAME: u8 = 0x81;
const POLL_ZERO: u8 = 0x82;
const POLL_NEVER: u8 = 0x83;
const POLL_SAME: u8 = 0x84;
const POLL: u8 = 0x85;
const READY_NONE: u8 = 0x86;
const READ_NONE: u8 = 0x88;
const WRITE_NONE: u8 = 0x8c;
/// The socket is another than that of the last entry that had one.
const OTHER_SID: u8 = 1;
/// The buffer to read into is not as long as the last one.
const OTHER_LEN: u8 = 2;

/// Whether an entry with this tag may be counted as a repeat.
#[inline]
pub(super) const fn is_still(tag: u8) -> bool {
    tag >= 0x80
}

/// The frequent entries.
impl State {
    #[inline]
    pub(super) const fn now(&mut self, now: Tyme) -> Head {
        let passed = now.as_nanos().wrapping_sub(self.now.as_nanos());
        self.now = now;
        Head::new(NOW).number(passed)
    }

    /// A poll that went well.
    #[inline]
    pub(super) fn poll(&mut self, until: Tyme) -> Head {
        match until {
            _ if until == self.until => Head::new(POLL_SAME),
            Tyme::ZERO => Head::new(POLL_ZERO),
            Tyme::NEVER => Head::new(POLL_NEVER),
            _ => {
                let later = until.as_nanos().wrapping_sub(self.until.as_nanos());
                self.until = until;
                Head::new(POLL).number(later)
            }
        }
    }

    /// Nobody, or whoever was woken last.
    #[inline]
    pub(super) fn woken(&self, owners: &[Owner]) -> Option<Head> {
        match owners {
            [] => Some(Head::new(WOKEN_NONE)),
            [owner] if *owner == self.owner => Some(Head::new(WOKEN_SAME)),
            _ => None,
        }
    }

    /// At most one socket, of the same group as the last time.
    #[inline]
    pub(super) fn ready(&mut self, group: Group, sids: &[Sid]) -> Option<Head> {
        if group != self.group {
            return None;
        }
        match sids {
            [] => Some(Head::new(READY_NONE)),
            [sid] if *sid == self.sid => Some(Head::new(READY_SAME)),
            [sid] => {
                self.sid = *sid;
                Some(Head::new(READY_ONE).sid(*sid))
            }
            _ => None,
        }
    }

    /// A read that went well.
    #[inline]
    pub(super) fn read(&mut self, sid: Sid, len: usize, got: Option<usize>) -> Head {
        let tag = if got.is_some() { READ } else { READ_NONE };
        let head = if len == self.len {
            self.with_sid(tag, sid)
        } else {
            self.len = len;
            self.with_sid(tag | OTHER_LEN, sid).number(len as u64)
        };
        match got {
            Some(n) => head.number(n as u64),
            None => head,
        }
    }

    /// A write that was taken whole, or not at all.
    #[inline]
    pub(super) fn write(&mut self, sid: Sid, len: usize, taken: usize, hash: u32) -> Option<Head> {
        match taken {
            0 => Some(self.with_sid(WRITE_NONE, sid).number(len as u64)),
            _ if taken == len => Some(self.with_sid(WRITE, sid).number(len as u64).hash(hash)),
            _ => None,
        }
    }

    #[inline]
    fn with_sid(&mut self, tag: u8, sid: Sid) -> Head {
        if sid == self.sid {
            return Head::new(tag);
        }
        self.sid = sid;
        Head::new(tag | OTHER_SID).sid(sid)
    }
}

impl State {
    /// Appends the head of an entry: all of it but the answer's payload.
    pub(in crate::net) fn encode(&mut self, op: &Op<'_>, answer: &Answer<'_>, out: &mut Vec<u8>) {
        let head = match (op, answer) {
            (Op::Now, Answer::Tyme(now)) => Some(self.now(*now)),
            (Op::Woken, Answer::NotYet) => self.woken(&[]),
            (Op::Woken, Answer::Owners(owners)) => self.woken(owners),
            (Op::Poll { until }, Answer::Done) => Some(self.poll(*until)),
            (Op::Ready { group }, Answer::NotYet) => self.ready(*group, &[]),
            (Op::Ready { group }, Answer::Sids(sids)) => self.ready(*group, sids),
            (Op::Read { sid, len }, Answer::Bytes(bytes)) => {
                Some(self.read(*sid, *len, Some(bytes.len())))
            }
            (Op::Read { sid, len }, Answer::NotYet) => Some(self.read(*sid, *len, None)),
            (Op::Write { sid, len, hash }, Answer::Count(taken)) => {
                self.write(*sid, *len, *taken, *hash)
            }
            (Op::Write { sid, len, .. }, Answer::NotYet) => self.write(*sid, *len, 0, 0),
            _ => None,
        };
        match head {
            Some(head) => out.extend_from_slice(head.as_slice()),
            None => {
                put_op(op, out);
                put_answer(answer, out);
                self.note(op, answer);
            }
        }
    }

    /// Remembers what an entry of the general form had.
    fn note(&mut self, op: &Op<'_>, answer: &Answer<'_>) {
        match (op, answer) {
            (Op::Ready { group }, Answer::Sids(sids)) => {
                self.group = *group;
                self.sid = sids.last().copied().unwrap_or(self.sid);
            }
            (Op::Ready { group }, _) => self.group = *group,
            (Op::Accept { .. }, Answer::Accepted(sid, _)) => self.sid = *sid,
            (Op::Woken, Answer::Owners(owners)) => {
                self.owner = owners.last().copied().unwrap_or(self.owner);
            }
            _ => {}
        }
    }

    /// Takes an entry from the front; `None` when it is none.
    pub(super) fn decode<'a>(&mut self, bytes: &mut Bytes<'a>) -> Option<(Op<'a>, Answer<'a>)> {
        let tag = bytes.byte()?;
        Some(match tag {
            NOW => {
                let now = self.now.as_nanos().wrapping_add(bytes.number()?);
                self.now = Tyme::from_nanos(now);
                (Op::Now, Answer::Tyme(self.now))
            }
            WOKEN_NONE => (Op::Woken, Answer::NotYet),
            WOKEN_SAME => (Op::Woken, Answer::Owners(Cow::Owned(vec![self.owner]))),
            POLL_ZERO | POLL_NEVER | POLL_SAME | POLL => {
                let until = self.decode_poll(tag, bytes)?;
                (Op::Poll { until }, Answer::Done)
            }
            READY_NONE => (Op::Ready { group: self.group }, Answer::NotYet),
            READY_SAME | READY_ONE => {
                if tag == READY_ONE {
                    self.sid = bytes.sid()?;
                }
                let sids = Answer::Sids(Cow::Owned(vec![self.sid]));
                (Op::Ready { group: self.group }, sids)
            }
            READ..0x48 | READ_NONE..0x8c => self.decode_read(tag, bytes)?,
            WRITE..0x4a | WRITE_NONE..0x8e => self.decode_write(tag, bytes)?,
            code => {
                let op = take_op(code, bytes)?;
                let answer = take_answer(bytes)?;
                self.note(&op, &answer);
                (op, answer)
            }
        })
    }

    fn decode_poll(&mut self, tag: u8, bytes: &mut Bytes<'_>) -> Option<Tyme> {
        match tag {
            POLL_ZERO => return Some(Tyme::ZERO),
            POLL_NEVER => return Some(Tyme::NEVER),
            POLL => {
                let until = self.until.as_nanos().wrapping_add(bytes.number()?);
                self.until = Tyme::from_nanos(until);
            }
            _ => {}
        }
        Some(self.until)
    }

    fn decode_read<'a>(&mut self, tag: u8, bytes: &mut Bytes<'a>) -> Option<(Op<'a>, Answer<'a>)> {
        if tag & OTHER_SID != 0 {
            self.sid = bytes.sid()?;
        }
        if tag & OTHER_LEN != 0 {
            self.len = bytes.size()?;
        }
        let op = Op::Read {
            sid: self.sid,
            len: self.len,
        };
        if is_still(tag) {
            return Some((op, Answer::NotYet));
        }
        let n = bytes.size().filter(|n| *n <= self.len)?;
        Some((op, Answer::Bytes(bytes.take(n)?)))
    }

    fn decode_write<'a>(&mut self, tag: u8, bytes: &mut Bytes<'a>) -> Option<(Op<'a>, Answer<'a>)> {
        if tag & OTHER_SID != 0 {
            self.sid = bytes.sid()?;
        }
        let (sid, len) = (self.sid, bytes.size()?);
        if is_still(tag) {
            return Some((Op::Write { sid, len, hash: 0 }, Answer::NotYet));
        }
        let hash = u32::from_le_bytes(bytes.array()?);
        Some((Op::Write { sid, len, hash }, Answer::Count(len)))
    }
}
