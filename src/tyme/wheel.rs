//! A hierarchical timing wheel: many deadlines, each set and reached in constant time.
//!
//! After Varghese and Lauck, "Hashed and Hierarchical Timing Wheels" (1987). Moments are cut into
//! granules; level 0 holds the 256 granules around the present one by one, each further level 256
//! times as much a slot. A slot is a list of small chunks out of one pool, so that a warm wheel
//! allocates nothing. Entries cannot be taken back: their owner knows which of them still count.
//!
//! Few entries are kept in a plain list, so that the many schedulers and clients that have one
//! deadline or two stay small.

use core::time::Duration;

use super::Tyme;
use super::tyme::nanos;

const BITS: u32 = 8;
const SLOTS: usize = 1 << BITS;
const LEVELS: usize = (u64::BITS / BITS) as usize;
const CHUNK: usize = 10;
const NONE: u32 = u32::MAX;
/// So many entries are kept in a plain list before the wheel proper is built.
const FEW: usize = 16;

/// Deadlines with a key each.
#[derive(Debug)]
pub(crate) struct Wheel {
    /// Nanoseconds in a granule, as a power of two.
    shift: u32,
    /// The granule up to which everything has been expired; that one itself may hold more.
    at: u64,
    /// Invariant: no entry is due before it.
    soonest: u64,
    len: usize,
    /// Invariant: empty while the levels hold entries.
    few: Vec<(u64, u32)>,
    levels: [Option<Box<Level>>; LEVELS],
    chunks: Vec<Chunk>,
    free: u32,
}

#[derive(Debug)]
struct Level {
    occupied: [u64; SLOTS / 64],
    heads: [u32; SLOTS],
    /// The soonest entry of each slot.
    soonest: [u64; SLOTS],
}

/// Two cache lines of entries.
#[derive(Clone, Copy, Debug)]
struct Chunk {
    dues: [u64; CHUNK],
    keys: [u32; CHUNK],
    len: u32,
    next: u32,
}

impl Chunk {
    const EMPTY: Self = Self {
        dues: [0; CHUNK],
        keys: [0; CHUNK],
        len: 0,
        next: NONE,
    };
}

impl Wheel {
    /// A wheel that is best for moments about `granule` apart. Any moment can be held exactly.
    pub(crate) fn new(granule: Duration) -> Self {
        Self {
            shift: nanos(granule).max(1).ilog2().min(40),
            at: 0,
            soonest: u64::MAX,
            len: 0,
            few: Vec::new(),
            levels: [const { None }; LEVELS],
            chunks: Vec::new(),
            free: NONE,
        }
    }

    /// Entries held, those that no longer count included.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// No entry is due before this moment, and one is due at it; [`Tyme::NEVER`] when empty.
    pub(crate) const fn soonest(&self) -> Tyme {
        Tyme::from_nanos(self.soonest)
    }

    /// Adds an entry. One at [`Tyme::NEVER`] is not kept.
    pub(crate) fn insert(&mut self, due: Tyme, key: u32) {
        if due.is_never() {
            return;
        }
        let due = due.as_nanos();
        self.soonest = self.soonest.min(due);
        self.len += 1;
        if self.len > FEW {
            if !self.few.is_empty() {
                let mut few = core::mem::take(&mut self.few);
                for (due, key) in few.drain(..) {
                    self.place(due, key);
                }
                self.few = few; // its room is wanted again
            }
            self.place(due, key);
        } else if self.few.len() + 1 == self.len {
            self.few.push((due, key));
        } else {
            self.place(due, key); // the levels are still in use
        }
    }

    /// Takes out every entry that is due at `now` and hands over its key and moment.
    ///
    /// `now` must not go back from call to call; the order within a call is not defined.
    pub(crate) fn expire(&mut self, now: Tyme, fire: &mut impl FnMut(u32, Tyme)) {
        let now = now.as_nanos();
        if now < self.soonest {
            return;
        }
        if self.few.len() == self.len {
            self.expire_few(now, fire);
        } else {
            self.expire_levels(now, fire);
        }
    }

    /// Empties the wheel, which keeps its memory and may then go back in time.
    pub(crate) fn clear(&mut self) {
        self.few.clear();
        self.chunks.clear();
        for level in self.levels.iter_mut().flatten() {
            level.clear();
        }
        (self.at, self.soonest, self.len, self.free) = (0, u64::MAX, 0, NONE);
    }

    fn expire_few(&mut self, now: u64, fire: &mut impl FnMut(u32, Tyme)) {
        let mut soonest = u64::MAX;
        self.few.retain(|&(due, key)| {
            if due <= now {
                fire(key, Tyme::from_nanos(due));
            } else {
                soonest = soonest.min(due);
            }
            due > now
        });
        self.len = self.few.len();
        self.soonest = soonest;
        if self.len == 0 {
            self.at = now >> self.shift; // nothing is held: the present may move
        }
    }

    fn expire_levels(&mut self, now: u64, fire: &mut impl FnMut(u32, Tyme)) {
        let until = now >> self.shift;
        self.soonest = u64::MAX;
        while let Some((level, slot, start)) = self.first_slot() {
            if start > until {
                self.soonest = self.soonest_of(level, slot);
                break;
            }
            self.at = self.at.max(start);
            self.empty_slot(level, slot, now, fire);
            // Entries of the present granule may lie ahead of now. They went back where they were,
            // and everything else is later still.
            if level == 0 && start >= until && self.soonest_of(0, slot) != u64::MAX {
                self.soonest = self.soonest_of(0, slot);
                break;
            }
        }
        self.at = self.at.max(until);
    }

    /// Fires what is due in a slot and sorts the rest in anew.
    fn empty_slot(
        &mut self,
        level: usize,
        slot: usize,
        now: u64,
        fire: &mut impl FnMut(u32, Tyme),
    ) {
        let mut head = self.take_slot(level, slot);
        while head != NONE {
            let Chunk { len, next, .. } = self.chunks[head as usize];
            for i in 0..len as usize {
                let chunk = &self.chunks[head as usize];
                let (due, key) = (chunk.dues[i], chunk.keys[i]);
                if due <= now {
                    self.len -= 1;
                    fire(key, Tyme::from_nanos(due));
                } else {
                    self.place(due, key);
                }
            }
            self.release(head);
            head = next;
        }
    }

    fn soonest_of(&self, level: usize, slot: usize) -> u64 {
        self.levels[level]
            .as_ref()
            .map_or(u64::MAX, |held| held.soonest[slot])
    }

    /// The first slot that holds anything: level, index, first granule.
    fn first_slot(&self) -> Option<(usize, usize, u64)> {
        for (level, held) in self.levels.iter().enumerate() {
            let Some(held) = held else { continue };
            #[expect(clippy::cast_possible_truncation, reason = "there are 8 levels")]
            let shift = level as u32 * BITS;
            let from = digit(self.at, shift);
            if let Some(slot) = held.first_from(from) {
                let above = self.at.checked_shr(shift + BITS).unwrap_or(0);
                let above = above.checked_shl(shift + BITS).unwrap_or(0);
                return Some((level, slot, above | (slot as u64) << shift));
            }
        }
        None
    }

    fn place(&mut self, due: u64, key: u32) {
        let granule = (due >> self.shift).max(self.at);
        let level = ((granule ^ self.at) | 1).ilog2() / BITS;
        let slot = digit(granule, level * BITS);
        let held = self.levels[level as usize].get_or_insert_with(Level::new);
        held.occupied[slot / 64] |= 1 << (slot % 64);
        held.soonest[slot] = held.soonest[slot].min(due);
        let head = &mut held.heads[slot];
        if *head == NONE || self.chunks[*head as usize].len as usize == CHUNK {
            let next = core::mem::replace(head, self.free);
            if *head == NONE {
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "keys are u32, so are chunks"
                )]
                let fresh = self.chunks.len() as u32;
                *head = fresh;
                self.chunks.push(Chunk::EMPTY);
            } else {
                self.free = self.chunks[*head as usize].next;
            }
            let chunk = &mut self.chunks[*head as usize];
            (chunk.len, chunk.next) = (0, next);
        }
        let chunk = &mut self.chunks[*head as usize];
        let n = chunk.len as usize;
        chunk.dues[n] = due;
        chunk.keys[n] = key;
        chunk.len += 1;
    }

    fn take_slot(&mut self, level: usize, slot: usize) -> u32 {
        let Some(held) = &mut self.levels[level] else {
            return NONE;
        };
        held.occupied[slot / 64] &= !(1 << (slot % 64));
        held.soonest[slot] = u64::MAX;
        core::mem::replace(&mut held.heads[slot], NONE)
    }

    fn release(&mut self, index: u32) {
        self.chunks[index as usize].next = self.free;
        self.free = index;
    }
}

/// The slot of a granule in the level that begins at bit `shift`.
#[expect(
    clippy::cast_possible_truncation,
    reason = "it is one byte that is wanted"
)]
fn digit(granule: u64, shift: u32) -> usize {
    usize::from((granule >> shift) as u8)
}

impl Level {
    fn new() -> Box<Self> {
        Box::new(Self {
            occupied: [0; SLOTS / 64],
            heads: [NONE; SLOTS],
            soonest: [u64::MAX; SLOTS],
        })
    }

    fn clear(&mut self) {
        self.occupied.fill(0);
        self.heads.fill(NONE);
        self.soonest.fill(u64::MAX);
    }

    fn first_from(&self, from: usize) -> Option<usize> {
        let mut word = self.occupied[from / 64] & (u64::MAX << (from % 64));
        let mut index = from / 64;
        while word == 0 {
            index += 1;
            word = *self.occupied.get(index)?;
        }
        Some(index * 64 + word.trailing_zeros() as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        /// Against an ordered set, at granules from 1 ns up, with steps from tiny to vast.
        #[test]
        fn wheel_agrees_with_an_ordered_set(
            granule in 0u32..34,
            start in prop_oneof![Just(0u64), any::<u32>().prop_map(u64::from), (1u64 << 40)..(1 << 62)],
            ops in prop::collection::vec((0u8..4, 0u32..62, any::<u64>()), 1..300),
        ) {
            let mut wheel = Wheel::new(Duration::from_nanos(1 << granule));
            let mut model: BTreeSet<(u64, u32)> = BTreeSet::new();
            let mut now = start;
            for (key, (op, bits, raw)) in (0u32..).zip(ops) {
                let span = raw & ((1 << bits) - 1);
                if op < 3 {
                    let due = if op == 2 { now.saturating_sub(span) } else { now.saturating_add(span) };
                    wheel.insert(Tyme::from_nanos(due), key);
                    if due != u64::MAX { model.insert((due, key)); }
                } else {
                    now = now.saturating_add(span >> 8);
                    let mut fired = BTreeSet::new();
                    wheel.expire(Tyme::from_nanos(now), &mut |key, due| {
                        assert!(fired.insert((due.as_nanos(), key)));
                    });
                    let late = model.split_off(&(now + 1, 0));
                    prop_assert_eq!(&fired, &model);
                    model = late;
                }
                prop_assert_eq!(wheel.len(), model.len());
                let first = model.first().map_or(u64::MAX, |e| e.0);
                prop_assert_eq!(wheel.soonest().as_nanos(), first);
            }
        }
    }

    #[test]
    fn a_warm_wheel_reuses_its_chunks() {
        let mut wheel = Wheel::new(Duration::from_millis(1));
        for round in 0..50u64 {
            for key in 0..1000 {
                wheel.insert(Tyme::from_millis(round * 1000 + u64::from(key)), key);
            }
            let mut fired = 0;
            wheel.expire(Tyme::from_millis(round * 1000 + 999), &mut |_, _| {
                fired += 1
            });
            assert_eq!(fired, 1000);
        }
        assert!(wheel.chunks.len() < 2100, "{}", wheel.chunks.len());
    }
}
