//! Handles: numbers that name things in tables, and are never used again.

/// What a handle names. In the number, so that a handle of one kind is never taken for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Loop = 1,
    Server = 2,
    Link = 3,
    Tls = 4,
}

/// A handle taken apart: 4 bits kind, 10 bits lane, 22 bits index, 28 bits generation.
///
/// The *lane* is the place of the loop, so that a handle of one loop is never taken for one of
/// another. No handle is zero, or all ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Parts {
    pub(crate) kind: u64,
    pub(crate) lane: u32,
    pub(crate) index: u32,
    pub(crate) generation: u32,
}

/// Lanes there can be.
pub(crate) const LANES: u32 = 1 << LANE_BITS;
/// Things of one kind in one loop.
pub(crate) const INDEXES: u32 = 1 << INDEX_BITS;
/// Times that a place can be used.
pub(crate) const GENERATIONS: u32 = 1 << GENERATION_BITS;

const LANE_BITS: u32 = 10;
const INDEX_BITS: u32 = 22;
const GENERATION_BITS: u32 = 28;

/// Puts a handle together.
pub(crate) fn handle(kind: Kind, lane: u32, index: u32, generation: u32) -> u64 {
    debug_assert!(lane < LANES && index < INDEXES && generation < GENERATIONS);
    let high = (kind as u64) << LANE_BITS | u64::from(lane);
    (high << INDEX_BITS | u64::from(index)) << GENERATION_BITS | u64::from(generation)
}

/// Takes a handle apart. Any number can be.
pub(crate) fn parts(handle: u64) -> Parts {
    let field = |shift: u32, bits: u32| {
        let mask = (1_u64 << bits) - 1;
        u32::try_from(handle >> shift & mask).unwrap_or(u32::MAX)
    };
    Parts {
        kind: handle >> (LANE_BITS + INDEX_BITS + GENERATION_BITS),
        lane: field(INDEX_BITS + GENERATION_BITS, LANE_BITS),
        index: field(GENERATION_BITS, INDEX_BITS),
        generation: field(0, GENERATION_BITS),
    }
}

/// Things of one kind by handle.
#[derive(Debug)]
pub(crate) struct Table<T> {
    kind: Kind,
    lane: u32,
    /// Where generations begin: above those of all earlier loops in this lane.
    base: u32,
    /// The highest generation given out, and one more.
    above: u32,
    places: Vec<Place<T>>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Place<T> {
    generation: u32,
    value: Option<T>,
}

impl<T> Table<T> {
    pub(crate) const fn new(kind: Kind, lane: u32, base: u32) -> Self {
        Self {
            kind,
            lane,
            base,
            above: base,
            places: Vec::new(),
            free: Vec::new(),
        }
    }

    /// What the generations of a later table in this lane must not be below.
    pub(crate) const fn above(&self) -> u32 {
        self.above
    }

    /// Takes a value in; gives it back when there is no place left.
    pub(crate) fn insert(&mut self, value: T) -> Result<u64, T> {
        let index = match self.free.pop() {
            Some(index) => index,
            None => {
                let next = u32::try_from(self.places.len()).unwrap_or(u32::MAX);
                if next >= INDEXES || self.base >= GENERATIONS {
                    return Err(value);
                }
                self.places.push(Place {
                    generation: self.base,
                    value: None,
                });
                next
            }
        };
        let place = &mut self.places[index as usize];
        place.value = Some(value);
        self.above = self.above.max(place.generation + 1);
        Ok(handle(self.kind, self.lane, index, place.generation))
    }

    pub(crate) fn get(&self, handle: u64) -> Option<&T> {
        self.places[self.index(handle)?].value.as_ref()
    }

    pub(crate) fn get_mut(&mut self, handle: u64) -> Option<&mut T> {
        let index = self.index(handle)?;
        self.places[index].value.as_mut()
    }

    /// Takes a value out. Its handle names nothing from now on. A place that was used too often to
    /// be told apart is not used again.
    pub(crate) fn remove(&mut self, handle: u64) -> Option<T> {
        let index = self.index(handle)?;
        let place = &mut self.places[index];
        let value = place.value.take()?;
        place.generation += 1;
        if place.generation < GENERATIONS {
            self.free.push(parts(handle).index);
        }
        Some(value)
    }

    fn index(&self, handle: u64) -> Option<usize> {
        let parts = parts(handle);
        let place = self.places.get(parts.index as usize)?;
        let same = parts.kind == self.kind as u64
            && parts.lane == self.lane
            && parts.generation == place.generation;
        same.then_some(parts.index as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_comes_apart_as_it_was_put_together() {
        for (lane, index, generation) in [
            (0, 0, 0),
            (LANES - 1, INDEXES - 1, GENERATIONS - 1),
            (5, 70_000, 9),
        ] {
            let parts = parts(handle(Kind::Link, lane, index, generation));
            let expected = Parts {
                kind: Kind::Link as u64,
                lane,
                index,
                generation,
            };
            assert_eq!(parts, expected);
        }
        assert_ne!(handle(Kind::Loop, 0, 0, 0), 0);
        assert_ne!(
            handle(Kind::Tls, LANES - 1, INDEXES - 1, GENERATIONS - 1),
            u64::MAX
        );
    }

    #[test]
    fn a_stale_handle_names_nothing() {
        let mut table = Table::new(Kind::Link, 3, 0);
        let first = table.insert("a").unwrap();
        assert_eq!(table.remove(first), Some("a"));
        let second = table.insert("b").unwrap();
        assert_eq!(parts(first).index, parts(second).index);
        assert_eq!(table.get(first), None);
        assert_eq!(table.get_mut(first), None);
        assert_eq!((table.remove(first), table.get(second)), (None, Some(&"b")));
        assert_eq!(table.remove(second), Some("b"));
        assert_eq!(table.remove(second), None);
    }

    #[test]
    fn a_handle_of_another_kind_lane_or_place_names_nothing() {
        let mut table = Table::new(Kind::Server, 1, 0);
        let good = table.insert(1).unwrap();
        assert_eq!(table.get(good), Some(&1));
        for bad in [
            0,
            u64::MAX,
            handle(Kind::Link, 1, 0, 0),
            handle(Kind::Server, 2, 0, 0),
            handle(Kind::Server, 1, 1, 0),
            handle(Kind::Server, 1, 0, 1),
            good | 1 << 63,
        ] {
            assert_eq!(table.get(bad), None, "{bad:#x}");
        }
    }

    #[test]
    fn a_later_table_of_the_lane_shares_no_handle() {
        let mut first = Table::new(Kind::Link, 0, 0);
        let mut given = Vec::new();
        for value in 0..10 {
            given.push(first.insert(value).unwrap());
            let extra = first.insert(value).unwrap();
            given.push(extra);
            first.remove(extra);
        }
        let mut second = Table::new(Kind::Link, 0, first.above());
        for value in 0..20 {
            second.insert(value).unwrap();
        }
        assert!(given.iter().all(|handle| second.get(*handle).is_none()));
    }

    #[test]
    fn a_place_used_too_often_is_retired_and_a_full_table_gives_the_value_back() {
        let mut table = Table::new(Kind::Tls, 0, GENERATIONS - 1);
        let last = table.insert('x').unwrap();
        assert_eq!(parts(last).generation, GENERATIONS - 1);
        table.remove(last);
        let next = table.insert('y').unwrap();
        assert_ne!(parts(next).index, parts(last).index);
        let mut over = Table::new(Kind::Tls, 0, table.above());
        assert_eq!(over.insert('z'), Err('z'));
    }
}
