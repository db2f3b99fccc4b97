//! A block of entries, as the recorder fills it and as a replay fills it again.

use super::bytes::put_number;
use super::codec::is_still;
use super::head::Head;
use super::repeat::{Repeats, Short};
use crate::net::TraceHash;

/// Bytes before a block's body: its length and its check sum.
pub(in crate::net) const BLOCK_HEAD: usize = 8;

/// Entries from one number on.
#[derive(Clone, Debug, Default)]
pub(in crate::net) struct Block {
    pub(super) bytes: Vec<u8>,
    repeats: Repeats,
    first: u64,
    events: u64,
}

impl Block {
    /// Begins anew with the entry of this number, in the same memory.
    pub(in crate::net) fn begin(&mut self, first: u64) {
        self.repeats = Repeats::default();
        self.bytes.clear();
        self.bytes.extend_from_slice(&[0; BLOCK_HEAD]);
        put_number(&mut self.bytes, first);
        (self.first, self.events) = (first, 0);
    }

    /// The number of the next entry.
    #[inline]
    pub(in crate::net) const fn next(&self) -> u64 {
        self.first + self.events
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Takes in an entry that is one of the frequent ones.
    #[inline]
    pub(super) fn push(&mut self, head: &Head, payload: &[u8]) {
        self.events += 1;
        if is_still(head.tag()) {
            if let Some(short) = head.short() {
                return self.repeats.push(short, &mut self.bytes);
            }
        }
        self.repeats.end(&mut self.bytes);
        head.put(&mut self.bytes);
        if !payload.is_empty() {
            self.bytes.extend_from_slice(payload);
        }
    }

    /// Takes in any entry.
    pub(in crate::net) fn push_bytes(&mut self, head: &[u8], payload: &[u8]) {
        self.events += 1;
        match Short::of(head) {
            Some(short) if is_still(head[0]) => self.repeats.push(short, &mut self.bytes),
            _ => {
                self.repeats.end(&mut self.bytes);
                self.bytes.extend_from_slice(head);
                self.bytes.extend_from_slice(payload);
            }
        }
    }

    /// Completes it, and takes it into the hash of all. False when it has no entries.
    pub(in crate::net) fn seal(&mut self, all: &mut TraceHash) -> bool {
        self.repeats.end(&mut self.bytes);
        if self.events == 0 {
            return false;
        }
        let (head, body) = self.bytes.split_at_mut(BLOCK_HEAD);
        let hash = body_hash(body);
        // A body beyond 4 GiB would need a single read as large; its length then tells that the
        // block is broken.
        let len = u32::try_from(body.len()).unwrap_or(u32::MAX);
        head[..4].copy_from_slice(&len.to_le_bytes());
        head[4..].copy_from_slice(&check_sum(hash));
        all.many(self.events, hash);
        true
    }

    /// The hash of all with what is in here so far.
    pub(in crate::net) fn hash_with(&self, mut all: TraceHash) -> TraceHash {
        self.clone().seal(&mut all);
        all
    }
}

/// The hash of a block's body.
pub(super) fn body_hash(body: &[u8]) -> u64 {
    let mut hash = TraceHash::default();
    hash.event(&[], body);
    hash.value()
}

/// The low half will do to find damage.
pub(super) const fn check_sum(hash: u64) -> [u8; 4] {
    let [a, b, c, d, ..] = hash.to_le_bytes();
    [a, b, c, d]
}
