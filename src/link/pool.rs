use std::fmt;

/// Storages for buffers that are in use right now, so that idle connections hold none and warm
/// traffic allocates none.
///
/// All are zero-filled when made and a power of two long. Kept are at most 16 of 64 KiB and
/// 256 KiB of each other size up to that (3.3 MiB together); what comes back beyond that is freed.
/// Those above 64 KiB matter to TLS, where what one read brings may not fit beside what is there:
/// freed and made anew they would go back to the system and come as new pages each time.
#[derive(Default)]
pub(super) struct Pool {
    large: Vec<Box<[u8]>>,
    /// Invariant: those in `others[i]` are `SMALLEST << i` long; none is `LARGE`.
    others: [Vec<Box<[u8]>>; SIZES],
}

/// What a read gets: with 4 KiB bulk transfer runs at 0.14 of this, with 256 KiB at 1.1.
pub(super) const LARGE: usize = 64 * 1024;
const SMALLEST: usize = 512;
const LARGEST: usize = 256 * 1024;
const SIZES: usize = class(LARGEST) + 1;
const LARGE_KEPT: usize = 16;
const KEPT_BYTES: usize = 256 * 1024;

impl Pool {
    /// The length of storage for `len` bytes.
    pub(super) fn fitting(len: usize) -> usize {
        len.next_power_of_two().max(SMALLEST)
    }

    /// A storage of 64 KiB.
    #[inline]
    pub(super) fn take_large(&mut self) -> Box<[u8]> {
        self.large.pop().unwrap_or_else(|| fresh(LARGE))
    }

    /// A storage to lend to whoever may need one: of `size` bytes when one lies ready, else small,
    /// so that lending to many does not cost much.
    #[inline]
    pub(super) fn spare(&mut self, size: usize) -> Box<[u8]> {
        let ready = match size {
            LARGE => self.large.pop(),
            _ => self.others.get_mut(class(size)).and_then(Vec::pop),
        };
        ready.unwrap_or_else(|| self.take(SMALLEST))
    }

    /// A storage for at least `len` bytes.
    pub(super) fn take(&mut self, len: usize) -> Box<[u8]> {
        let size = Self::fitting(len);
        let kept = match size {
            LARGE => self.large.pop(),
            _ => self.others.get_mut(class(size)).and_then(Vec::pop),
        };
        kept.unwrap_or_else(|| fresh(size))
    }

    /// Takes a storage back; keeps it or frees it.
    #[inline]
    pub(super) fn give(&mut self, storage: Box<[u8]>) {
        if storage.len() == LARGE && self.large.len() < self.large.capacity() {
            self.large.push(storage);
        } else {
            self.give_other(storage);
        }
    }

    #[cold]
    fn give_other(&mut self, storage: Box<[u8]>) {
        let size = storage.len();
        if size == LARGE {
            if self.large.capacity() == 0 {
                self.large.reserve_exact(LARGE_KEPT);
                self.large.push(storage);
            }
        } else if size.is_power_of_two() && (SMALLEST..=LARGEST).contains(&size) {
            let kept = &mut self.others[class(size)];
            if kept.len() * size < KEPT_BYTES {
                kept.push(storage);
            }
        }
    }

    /// Bytes kept.
    pub(super) fn kept(&self) -> usize {
        let others = self.others.iter().flatten();
        self.large.iter().chain(others).map(|s| s.len()).sum()
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pool({} large)", self.large.len())
    }
}

const fn class(size: usize) -> usize {
    (size / SMALLEST).trailing_zeros() as usize
}

fn fresh(size: usize) -> Box<[u8]> {
    vec![0; size].into_boxed_slice()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_fit_and_come_back() {
        let mut pool = Pool::default();
        for len in [0, 1, 512, 513, 4096, 40_000, LARGE, LARGE + 1, 1 << 20] {
            let storage = pool.take(len);
            assert!(storage.len() >= len && storage.len() <= (2 * len).max(SMALLEST));
            let at = storage.as_ptr();
            pool.give(storage);
            if len <= LARGEST {
                let again = pool.take(len);
                assert_eq!(again.as_ptr(), at, "{len} is kept");
            }
        }
    }

    #[test]
    fn keeps_a_bounded_amount() {
        let mut pool = Pool::default();
        for shift in 0..12 {
            let many: Vec<_> = (0..2000).map(|_| pool.take(SMALLEST << shift)).collect();
            many.into_iter().for_each(|s| pool.give(s));
        }
        assert_eq!(pool.kept(), LARGE_KEPT * LARGE + (SIZES - 1) * KEPT_BYTES);
        pool.give(vec![0; 700].into_boxed_slice()); // a foreign size is freed
        assert_eq!(pool.take(700).len(), 1024);
    }
}
