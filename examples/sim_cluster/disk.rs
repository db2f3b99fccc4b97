//! What a replica keeps through a crash.

use std::sync::{Arc, Mutex, PoisonError};

/// The register at one moment: who wrote it last, in which order, and what it holds.
///
/// Entries are ordered by term, then by index; what is later in this order was made by a leader
/// that knew everything that had been committed before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry {
    pub(crate) term: u64,
    pub(crate) index: u64,
    pub(crate) value: u64,
}

/// What is on the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Record {
    /// The latest term that was seen.
    pub(crate) term: u64,
    /// Who got the vote in that term.
    pub(crate) vote: Option<u8>,
    pub(crate) entry: Entry,
}

/// A disk that outlives the program that writes it. What was written is there at once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk(Arc<Mutex<Record>>);

impl Disk {
    pub(crate) fn read(&self) -> Record {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn write(&self, record: Record) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = record;
    }
}
