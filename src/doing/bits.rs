//! A set of small numbers that finds its next member in constant time.

/// Words of 64 members, with two summary levels above them: bit n of a level says that word n of
/// the level below is not empty. Holds any number of members; 16 million fill one top word row.
#[derive(Debug, Default)]
pub(super) struct Bits {
    words: Vec<u64>,
    mid: Vec<u64>,
    top: Vec<u64>,
    count: usize,
}

impl Bits {
    pub(super) const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The members `64 * word ..`, as bits.
    #[inline]
    pub(super) fn word(&self, word: usize) -> u64 {
        self.words.get(word).copied().unwrap_or(0)
    }

    pub(super) fn insert(&mut self, n: usize) {
        let (word, bit) = (n / 64, 1 << (n % 64));
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
            self.mid.resize(word / 64 + 1, 0);
            self.top.resize(word / 4096 + 1, 0);
        }
        let held = self.words[word];
        if held & bit == 0 {
            self.words[word] = held | bit;
            self.count += 1;
            if held == 0 {
                self.mid[word / 64] |= 1 << (word % 64);
                self.top[word / 4096] |= 1 << (word / 64 % 64);
            }
        }
    }

    #[inline]
    pub(super) fn remove(&mut self, n: usize) {
        if self.count > 0 && self.word(n / 64) & 1 << (n % 64) != 0 {
            self.take(n / 64, 1 << (n % 64));
        }
    }

    fn take(&mut self, word: usize, bit: u64) {
        self.words[word] &= !bit;
        self.count -= 1;
        if self.words[word] == 0 {
            self.mid[word / 64] &= !(1 << (word % 64));
            if self.mid[word / 64] == 0 {
                self.top[word / 4096] &= !(1 << (word / 64 % 64));
            }
        }
    }

    /// The first word at or after `from` that is not empty.
    #[inline]
    pub(super) fn next_word(&self, from: usize) -> Option<usize> {
        if self.count == 0 {
            None
        } else {
            self.search(from)
        }
    }

    fn search(&self, from: usize) -> Option<usize> {
        if *self.words.get(from)? != 0 {
            return Some(from);
        }
        if let Some(word) = first(self.mid[from / 64], from % 64 + 1) {
            return Some(from / 64 * 64 + word);
        }
        let mid = from / 64 + 1;
        let mut row = mid / 64;
        let mut mid = first(*self.top.get(row)?, mid % 64);
        while mid.is_none() {
            row += 1;
            mid = first(*self.top.get(row)?, 0);
        }
        let mid = row * 64 + mid?;
        Some(mid * 64 + self.mid[mid].trailing_zeros() as usize)
    }

    pub(super) fn clear(&mut self) {
        if self.count > 0 {
            self.words.fill(0);
            self.mid.fill(0);
            self.top.fill(0);
            self.count = 0;
        }
    }
}

/// The first bit of `word` at or after `from`.
fn first(word: u64, from: usize) -> Option<usize> {
    if from >= 64 {
        return None;
    }
    let rest = word & (u64::MAX << from);
    (rest != 0).then(|| rest.trailing_zeros() as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn bits_agree_with_an_ordered_set(
            ops in prop::collection::vec((any::<bool>(), 0usize..40, 0usize..20), 1..200),
            probes in prop::collection::vec(0usize..600_000, 1..20),
        ) {
            let (mut bits, mut model) = (Bits::default(), BTreeSet::new());
            for (add, a, shift) in ops {
                let n = a << (shift % 15);
                if add { bits.insert(n); model.insert(n); } else { bits.remove(n); model.remove(&n); }
            }
            prop_assert_eq!(bits.is_empty(), model.is_empty());
            for p in probes {
                let want = model.range(p / 64 * 64..).next().map(|n| n / 64);
                prop_assert_eq!(bits.next_word(p / 64), want);
            }
            let all: Vec<usize> = (0..700_000 / 64)
                .flat_map(|w| (0..64).filter(move |b| w < usize::MAX && *b < 64).map(move |b| (w, b)))
                .filter(|(w, b)| bits.word(*w) >> b & 1 == 1)
                .map(|(w, b)| w * 64 + b)
                .collect();
            prop_assert_eq!(all, model.into_iter().collect::<Vec<_>>());
        }
    }
}
