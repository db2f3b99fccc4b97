//! A set of small numbers that finds its next member in constant time.

/// The first 64 members are one word in place, which is all that most schedulers need. The others
/// are words with two summary levels above them: bit n of a level says that word n of the level
/// below is not empty. Any number of members can be held; 16 million fill one row of top words.
#[derive(Debug, Default)]
pub(super) struct Bits {
    first: u64,
    far: Option<Box<Far>>,
}

/// The members from 64 on. Its word 0 stays empty.
#[derive(Debug, Default)]
struct Far {
    words: Vec<u64>,
    mid: Vec<u64>,
    top: Vec<u64>,
    count: usize,
}

impl Bits {
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.first == 0 && (self.far.is_none() || self.far().is_none())
    }

    /// The members `64 * word ..`, as bits.
    #[inline]
    pub(super) fn word(&self, word: usize) -> u64 {
        if word == 0 {
            self.first
        } else {
            self.far().map_or(0, |far| far.word(word))
        }
    }

    /// The only member, if that is below 64.
    #[inline]
    pub(super) fn single(&self) -> Option<usize> {
        let alone = self.first.is_power_of_two() && self.far().is_none();
        alone.then(|| self.first.trailing_zeros() as usize)
    }

    #[inline]
    pub(super) fn contains(&self, n: usize) -> bool {
        self.word(n / 64) & 1 << (n % 64) != 0
    }

    #[inline]
    pub(super) fn insert(&mut self, n: usize) {
        if n < 64 {
            self.first |= 1 << n;
        } else {
            self.far.get_or_insert_default().insert(n);
        }
    }

    #[inline]
    pub(super) fn remove(&mut self, n: usize) {
        if n < 64 {
            self.first &= !(1 << n);
        } else if let Some(far) = &mut self.far {
            far.remove(n);
        }
    }

    /// The first word at or after `from` that is not empty.
    #[inline]
    pub(super) fn next_word(&self, from: usize) -> Option<usize> {
        if from == 0 && self.first != 0 {
            return Some(0);
        }
        self.far()?.next_word(from)
    }

    pub(super) fn clear(&mut self) {
        self.first = 0;
        if let Some(far) = &mut self.far {
            far.clear();
        }
    }

    /// The far members, when there are any.
    #[inline]
    fn far(&self) -> Option<&Far> {
        self.far.as_deref().filter(|far| far.count > 0)
    }
}

impl Far {
    fn word(&self, word: usize) -> u64 {
        self.words.get(word).copied().unwrap_or(0)
    }

    fn insert(&mut self, n: usize) {
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

    fn remove(&mut self, n: usize) {
        let (word, bit) = (n / 64, 1 << (n % 64));
        if self.word(word) & bit == 0 {
            return;
        }
        self.words[word] &= !bit;
        self.count -= 1;
        if self.words[word] == 0 {
            self.mid[word / 64] &= !(1 << (word % 64));
            if self.mid[word / 64] == 0 {
                self.top[word / 4096] &= !(1 << (word / 64 % 64));
            }
        }
    }

    fn next_word(&self, from: usize) -> Option<usize> {
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

    fn clear(&mut self) {
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
            let mut all = Vec::new();
            for word in 0..700_000 / 64 {
                let mut rest = bits.word(word);
                while rest != 0 {
                    all.push(word * 64 + rest.trailing_zeros() as usize);
                    rest &= rest - 1;
                }
            }
            prop_assert_eq!(all, model.into_iter().collect::<Vec<_>>());
        }
    }
}
