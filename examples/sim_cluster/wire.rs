//! Messages, and their frames: a length of one byte, a kind, the sender, then numbers of 8 bytes,
//! little-endian.

use super::disk::Entry;

/// What members and callers say to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    /// A candidate asks for the vote of a term; it holds this entry.
    Ask { term: u64, holds: Entry },
    /// The answer.
    Vote { term: u64, granted: bool },
    /// A leader says: hold this, and promise me your loyalty for a lease.
    Append { term: u64, round: u64, entry: Entry },
    /// The answer: it is held, or there is a newer term.
    Appended { term: u64, round: u64, held: bool },
    /// A caller writes.
    Put { id: u64, value: u64 },
    /// A caller reads.
    Get { id: u64 },
    /// It is written, as the `index`th entry.
    Stored { id: u64, index: u64 },
    /// That was read.
    Found { id: u64, index: u64, value: u64 },
    /// Somebody else leads, perhaps this one. A write may have happened or may happen yet.
    Elsewhere { id: u64, leader: Option<u8> },
}

/// Why bytes are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("malformed frame")
    }
}

impl std::error::Error for Malformed {}

/// `None` as a number.
const NOBODY: u64 = u64::MAX;

impl Message {
    /// The frame of a message from `from`.
    pub(crate) fn encode(&self, from: u8) -> Vec<u8> {
        let (kind, numbers) = self.numbers();
        let len = u8::try_from(2 + 8 * numbers.len()).unwrap_or(u8::MAX);
        let mut frame = vec![len, kind, from];
        frame.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        frame
    }

    /// The first message in `bytes`, its sender and its length; `None` while it is incomplete.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Option<(u8, Self, usize)>, Malformed> {
        let Some((&len, rest)) = bytes.split_first() else {
            return Ok(None);
        };
        let len = usize::from(len);
        if len < 2 || (len - 2) % 8 != 0 {
            return Err(Malformed);
        }
        let Some(body) = rest.get(..len) else {
            return Ok(None);
        };
        let numbers: Vec<u64> = body[2..]
            .chunks_exact(8)
            .map(|chunk| {
                let mut number = [0; 8];
                number.copy_from_slice(chunk);
                u64::from_le_bytes(number)
            })
            .collect();
        let message = Self::of(body[0], &numbers).ok_or(Malformed)?;
        Ok(Some((body[1], message, 1 + len)))
    }

    fn numbers(&self) -> (u8, Vec<u64>) {
        match *self {
            Self::Ask { term, holds } => (1, vec![term, holds.term, holds.index, holds.value]),
            Self::Vote { term, granted } => (2, vec![term, u64::from(granted)]),
            Self::Append { term, round, entry } => {
                (3, vec![term, round, entry.term, entry.index, entry.value])
            }
            Self::Appended { term, round, held } => (4, vec![term, round, u64::from(held)]),
            Self::Put { id, value } => (5, vec![id, value]),
            Self::Get { id } => (6, vec![id]),
            Self::Stored { id, index } => (7, vec![id, index]),
            Self::Found { id, index, value } => (8, vec![id, index, value]),
            Self::Elsewhere { id, leader } => (9, vec![id, leader.map_or(NOBODY, u64::from)]),
        }
    }

    fn of(kind: u8, numbers: &[u64]) -> Option<Self> {
        Some(match (kind, numbers) {
            (1, &[term, of, index, value]) => Self::Ask {
                term,
                holds: Entry {
                    term: of,
                    index,
                    value,
                },
            },
            (2, &[term, granted]) => Self::Vote {
                term,
                granted: flag(granted)?,
            },
            (3, &[term, round, of, index, value]) => Self::Append {
                term,
                round,
                entry: Entry {
                    term: of,
                    index,
                    value,
                },
            },
            (4, &[term, round, held]) => Self::Appended {
                term,
                round,
                held: flag(held)?,
            },
            (5, &[id, value]) => Self::Put { id, value },
            (6, &[id]) => Self::Get { id },
            (7, &[id, index]) => Self::Stored { id, index },
            (8, &[id, index, value]) => Self::Found { id, index, value },
            (9, &[id, NOBODY]) => Self::Elsewhere { id, leader: None },
            (9, &[id, leader]) => Self::Elsewhere {
                id,
                leader: Some(u8::try_from(leader).ok()?),
            },
            _ => return None,
        })
    }
}

const fn flag(number: u64) -> Option<bool> {
    match number {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    }
}
