use std::fmt;

use super::pool::{LARGE, Pool};

/// Bytes in a row, taken away at the front and added at the back.
///
/// Taking away costs O(1) amortised: the rest moves only when the dead part is at least as long
/// as the living one. Storage is rounded up to a power of two and is at most about twice the most
/// bytes that were ever inside at once; an empty buffer in an idle connection has none.
///
/// ```
/// use hio::link::Buffer;
/// let mut buffer = Buffer::new();
/// buffer.extend(b"one two");
/// buffer.consume(4);
/// assert_eq!(buffer.data(), b"two");
/// ```
#[derive(Default)]
pub struct Buffer {
    storage: Box<[u8]>,
    /// Invariant: start <= end <= storage.len(), and both are 0 when nothing is inside.
    start: u32,
    end: u32,
}

impl Buffer {
    /// The most bytes a buffer can hold: caps are checked against it.
    pub const MAX: usize = 1 << 30;

    /// An empty buffer without storage.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many bytes are inside.
    #[must_use]
    pub const fn len(&self) -> usize {
        (self.end - self.start) as usize
    }

    /// Whether nothing is inside.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Bytes of storage held.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.storage.len()
    }

    /// What is inside.
    #[must_use]
    pub fn data(&self) -> &[u8] {
        &self.storage[self.start as usize..self.end as usize]
    }

    /// The last `n` bytes; all when there are fewer.
    pub(super) fn last(&self, n: usize) -> &[u8] {
        let data = self.data();
        &data[data.len().saturating_sub(n)..]
    }

    /// Takes `n` bytes away at the front; all of them when there are fewer.
    pub fn consume(&mut self, n: usize) {
        if n >= self.len() {
            self.clear();
        } else {
            self.start += narrow(n);
        }
    }

    /// Takes everything away. The storage stays.
    pub fn clear(&mut self) {
        self.start = 0;
        self.end = 0;
    }

    /// Adds `data` at the back.
    ///
    /// # Panics
    /// When more than [`MAX`](Self::MAX) bytes would be inside. Connections cannot get there:
    /// their caps are below it.
    pub fn extend(&mut self, data: &[u8]) {
        if self.storage.len() - (self.end as usize) < data.len() {
            self.grow(data.len(), |size| vec![0; size].into_boxed_slice());
        }
        let end = self.end as usize;
        self.storage[end..end + data.len()].copy_from_slice(data);
        self.end += narrow(data.len());
    }

    /// Space at the back for at most `want` bytes, from the pool when there is little.
    #[inline]
    pub(super) fn space(&mut self, want: usize, pool: &mut Pool) -> &mut [u8] {
        if self.storage.is_empty() {
            self.storage = pool.take_large();
        } else if self.storage.len() - (self.end as usize) < want.min(COMFORT) {
            self.make_space(want, pool);
        }
        let end = self.end as usize;
        let stop = self.storage.len().min(end + want);
        &mut self.storage[end..stop]
    }

    /// Counts the first `n` bytes of [`space`](Self::space) as inside.
    pub(super) fn filled(&mut self, n: usize) {
        debug_assert!(n <= self.storage.len() - self.end as usize);
        self.end += narrow(n);
    }

    #[cold]
    fn make_space(&mut self, want: usize, pool: &mut Pool) {
        if self.storage.len() < LARGE && self.len() + COMFORT <= LARGE {
            // A little was left behind earlier: read beside it into a large storage, so that one
            // read takes all there is.
            let old = self.moved(pool.take_large());
            pool.give(old);
        } else {
            let mut old = None;
            let grown = want.min(COMFORT);
            self.grow_with(grown, |size| pool.take(size), &mut old);
            if let Some(old) = old {
                pool.give(old);
            }
        }
    }

    /// Lends storage to a buffer that has none.
    pub(super) fn lend(&mut self, storage: Box<[u8]>) {
        debug_assert!(self.storage.is_empty());
        self.storage = storage;
    }

    /// Whether no storage is held.
    pub(super) fn is_bare(&self) -> bool {
        self.storage.is_empty()
    }

    /// Gives storage back that is not needed: all of it when nothing is inside, and a much too
    /// large one in exchange for one that fits.
    #[inline]
    pub(super) fn rest(&mut self, pool: &mut Pool) {
        if self.storage.is_empty() {
            return;
        }
        if self.is_empty() {
            self.clear();
            pool.give(std::mem::take(&mut self.storage));
        } else if self.storage.len() > Pool::fitting(self.len()).saturating_mul(2) {
            self.shrink(pool);
        }
    }

    #[cold]
    fn shrink(&mut self, pool: &mut Pool) {
        let old = self.moved(pool.take(self.len()));
        pool.give(old);
    }

    fn grow(&mut self, extra: usize, make: impl FnOnce(usize) -> Box<[u8]>) {
        self.grow_with(extra, make, &mut None);
    }

    /// Makes space for `extra` bytes: by moving down when that pays, else in a larger storage.
    fn grow_with(
        &mut self,
        extra: usize,
        make: impl FnOnce(usize) -> Box<[u8]>,
        old: &mut Option<Box<[u8]>>,
    ) {
        let live = self.len();
        let need = live + extra;
        assert!(need <= Self::MAX, "a buffer holds at most 1 GiB");
        let dead = self.start as usize;
        if dead >= live && need <= self.storage.len() {
            self.storage
                .copy_within(self.start as usize..self.end as usize, 0);
            (self.start, self.end) = (0, narrow(live));
            return;
        }
        // Space that is short although it would do after a move must double, or every small
        // addition would move everything.
        let size = match need <= self.storage.len() {
            true => self.storage.len() * 2,
            false => Pool::fitting(need),
        };
        *old = Some(self.moved(make(size)));
    }

    /// Moves what is inside to the front of `storage`; returns the old one.
    fn moved(&mut self, mut storage: Box<[u8]>) -> Box<[u8]> {
        let live = self.len();
        storage[..live].copy_from_slice(self.data());
        (self.start, self.end) = (0, narrow(live));
        std::mem::replace(&mut self.storage, storage)
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Never the bytes: payload belongs in the wire log only.
        write!(f, "Buffer({} of {})", self.len(), self.capacity())
    }
}

/// Space in bytes that is worth a read; below it a larger storage is fetched first.
const COMFORT: usize = 16 * 1024;

#[expect(
    clippy::cast_possible_truncation,
    reason = "storage is at most 2 x MAX = 2 GiB"
)]
const fn narrow(n: usize) -> u32 {
    n as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::VecDeque;

    #[derive(Clone, Debug)]
    enum Op {
        Extend(Vec<u8>),
        Consume(usize),
        Read(usize, usize),
        Rest,
        Clear,
    }

    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..3000).prop_map(Op::Extend),
            (0..4000usize).prop_map(Op::Consume),
            (1..100_000usize, 0..100_000usize).prop_map(|(w, n)| Op::Read(w, n)),
            Just(Op::Rest),
            Just(Op::Clear),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn behaves_like_a_deque(ops in proptest::collection::vec(op(), 1..60)) {
            let (mut buffer, mut pool) = (Buffer::new(), Pool::default());
            let (mut model, mut most) = (VecDeque::new(), 0);
            for op in ops {
                match op {
                    Op::Extend(data) => {
                        buffer.extend(&data);
                        model.extend(&data);
                    }
                    Op::Consume(n) => {
                        buffer.consume(n);
                        model.drain(..n.min(model.len()));
                    }
                    Op::Read(want, n) => {
                        let space = buffer.space(want, &mut pool);
                        prop_assert!(!space.is_empty() && space.len() <= want);
                        let n = n.min(space.len());
                        space[..n].fill(7);
                        buffer.filled(n);
                        model.extend(std::iter::repeat_n(7u8, n));
                    }
                    Op::Rest => {
                        buffer.rest(&mut pool);
                        prop_assert!(buffer.capacity() <= 4 * buffer.len() + 1024);
                        prop_assert!(!buffer.is_empty() || buffer.is_bare());
                    }
                    Op::Clear => {
                        buffer.clear();
                        model.clear();
                    }
                }
                most = most.max(model.len());
                prop_assert_eq!(buffer.len(), model.len());
                let (front, back) = model.as_slices();
                prop_assert!(buffer.data().starts_with(front) && buffer.data().ends_with(back));
                prop_assert!(buffer.capacity() <= 4 * most + LARGE);
            }
        }
    }

    #[test]
    fn consuming_is_cheap() {
        // A full megabyte kept topped up byte by byte: without amortisation this moves 1 TiB.
        let mut buffer = Buffer::new();
        buffer.extend(&vec![1; 1 << 20]);
        for _ in 0..1 << 20 {
            buffer.consume(1);
            buffer.extend(&[2]);
        }
        assert_eq!(buffer.len(), 1 << 20);
        assert!(buffer.capacity() <= 2 << 20);
        assert!(buffer.data().iter().all(|b| *b == 2));
    }

    #[test]
    fn debug_shows_no_payload() {
        let mut buffer = Buffer::new();
        buffer.extend(b"secret");
        assert_eq!(format!("{buffer:?}"), "Buffer(6 of 512)");
    }
}
