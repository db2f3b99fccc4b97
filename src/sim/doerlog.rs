//! What the doers of one node do, told by the observer of its Doist.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crate::doing::{DoerId, Event};
use crate::net::Owner;
use crate::tyme::Tyme;

/// Shared by a node's Doist, which tells, and the simulation, which looks after each turn. Both
/// run on one thread at a time; the atomics only let the pair of them move to another one.
#[derive(Debug, Default)]
pub(crate) struct DoerLog {
    hash: AtomicU64,
    count: AtomicU64,
    /// Whether the events themselves are wanted, for a text.
    wanted: AtomicBool,
    events: Mutex<Vec<(DoerId, Event)>>,
}

impl DoerLog {
    pub(super) fn new(wanted: bool) -> Arc<Self> {
        Arc::new(Self {
            wanted: AtomicBool::new(wanted),
            ..Self::default()
        })
    }

    /// Takes one event in.
    #[inline]
    pub(super) fn note(&self, tyme: Tyme, doer: DoerId, event: Event) {
        let word = tyme.as_nanos() ^ (Owner::from(doer).0.rotate_left(20)) ^ (code(event) << 56);
        let hash = self.hash.load(Ordering::Relaxed);
        self.hash.store(fold(hash, word), Ordering::Relaxed);
        let count = self.count.load(Ordering::Relaxed);
        self.count.store(count + 1, Ordering::Relaxed);
        if self.wanted.load(Ordering::Relaxed) {
            self.keep(doer, event);
        }
    }

    #[cold]
    fn keep(&self, doer: DoerId, event: Event) {
        if let Ok(mut events) = self.events.lock() {
            events.push((doer, event));
        }
    }

    /// The hash over all events, and how many there were.
    #[inline]
    pub(super) fn state(&self) -> [u64; 2] {
        let hash = self.hash.load(Ordering::Relaxed);
        [hash, self.count.load(Ordering::Relaxed)]
    }

    /// Takes the events that were kept for a text.
    pub(super) fn take(&self) -> Vec<(DoerId, Event)> {
        match self.events.lock() {
            Ok(mut events) => std::mem::take(&mut *events),
            Err(_) => Vec::new(),
        }
    }
}

/// The event's word in the trace.
pub(super) const fn word(event: Event) -> &'static str {
    match event {
        Event::Enter => "enter",
        Event::Recur => "recur",
        Event::Clean => "clean",
        Event::Cease => "cease",
        Event::Abort => "abort",
        Event::Exit => "exit",
    }
}

const fn code(event: Event) -> u64 {
    match event {
        Event::Enter => 1,
        Event::Recur => 2,
        Event::Clean => 3,
        Event::Cease => 4,
        Event::Abort => 5,
        Event::Exit => 6,
    }
}

/// As in `TraceHash`: a product of 64 x 64 bits, its halves added.
#[expect(clippy::cast_possible_truncation, reason = "the halves of a product")]
const fn fold(state: u64, word: u64) -> u64 {
    let wide = ((state ^ word) as u128 | 1) * 0xa076_1d64_78bd_642f_u128;
    (wide as u64 ^ (wide >> 64) as u64).wrapping_add(word.rotate_left(32))
}
