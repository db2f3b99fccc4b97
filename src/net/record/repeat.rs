//! Entries that say nothing came, over and over: kept as "the n-th last one, so many times".

use super::bytes::{Bytes, put_number};

/// An entry of at most seven bytes as a number: its bytes, and its length in the highest one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct Short(u64);

impl Short {
    const LEN_MAX: usize = 7;

    /// `None` for a longer one.
    #[inline]
    pub(super) fn of(head: &[u8]) -> Option<Self> {
        let mut bytes = [0; 8];
        bytes.get_mut(..head.len())?.copy_from_slice(head);
        Self::of_padded(bytes, head.len())
    }

    /// The same for one that is filled up with zeros.
    #[inline]
    pub(super) fn of_padded(bytes: [u8; 8], len: usize) -> Option<Self> {
        (len <= Self::LEN_MAX).then_some(Self(u64::from_le_bytes(bytes) | (len as u64) << 56))
    }

    const fn len(self) -> usize {
        (self.0 >> 56) as usize
    }

    /// Its bytes and how many they are.
    #[inline]
    pub(super) const fn bytes(self) -> ([u8; 8], usize) {
        ((self.0 << 8 >> 8).to_le_bytes(), self.len())
    }
}

/// The last eight short entries of a block.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct History {
    ring: [Short; SPAN],
    next: usize,
}

const SPAN: usize = 8;

impl History {
    /// The `distance`-th last one, from 1.
    #[inline]
    pub(super) const fn back(&self, distance: usize) -> Short {
        self.ring[self.next.wrapping_sub(distance) % SPAN]
    }

    #[inline]
    pub(super) const fn push(&mut self, short: Short) {
        self.ring[self.next % SPAN] = short;
        self.next = self.next.wrapping_add(1);
    }

    fn find(&self, short: Short) -> Option<usize> {
        (1..=SPAN).find(|distance| self.back(*distance) == short)
    }
}

/// The tag of a repeat; a distance and a count follow.
pub(super) const REPEAT: u8 = 0x03;

/// Counts repeats while entries are written.
#[derive(Clone, Debug, Default)]
pub(super) struct Repeats {
    history: History,
    /// How far back the entries of the run that is being counted are; 0 when there is none.
    distance: usize,
    count: usize,
    bytes: usize,
    /// Short entries since something happened.
    streak: usize,
}

impl Repeats {
    /// Takes in a short entry: counts it, or appends it to the block.
    #[inline]
    pub(super) fn push(&mut self, short: Short, block: &mut Vec<u8>) {
        self.streak += 1;
        // Between two things that happen there are a few of these, and nothing to gain.
        if self.streak <= SPAN {
            put_short(block, short);
            self.history.push(short);
        } else {
            self.count(short, block);
        }
    }

    fn count(&mut self, short: Short, block: &mut Vec<u8>) {
        if self.distance != 0 && self.history.back(self.distance) == short {
            self.count += 1;
            self.bytes += short.len();
        } else {
            self.flush(block);
            match self.history.find(short) {
                Some(distance) => {
                    (self.distance, self.count, self.bytes) = (distance, 1, short.len());
                }
                None => put_short(block, short),
            }
        }
        self.history.push(short);
    }

    /// Something else comes: appends what was counted.
    #[inline]
    pub(super) fn end(&mut self, block: &mut Vec<u8>) {
        self.streak = 0;
        if self.distance != 0 {
            self.flush(block);
        }
    }

    /// Appends what was counted: as a repeat where that is shorter.
    fn flush(&mut self, block: &mut Vec<u8>) {
        if self.distance == 0 {
            return;
        }
        if self.bytes <= WORTH {
            for back in (1..=self.count).rev() {
                put_short(block, self.history.back(back));
            }
        } else {
            block.push(REPEAT);
            put_number(block, self.distance as u64);
            put_number(block, self.count as u64);
        }
        self.distance = 0;
    }
}

/// Bytes that a repeat takes at least.
const WORTH: usize = 3;

/// In one go, and shortened then: so no length has to be looked at.
#[inline]
fn put_short(block: &mut Vec<u8>, short: Short) {
    let end = block.len() + short.len();
    block.extend_from_slice(&short.bytes().0);
    block.truncate(end);
}

/// A repeat that is being read: how far back, and how many are left.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Run {
    distance: usize,
    left: u64,
}

impl Run {
    /// Reads what follows the tag.
    pub(super) fn read(bytes: &mut Bytes<'_>) -> Option<Self> {
        let distance = bytes.size().filter(|d| (1..=SPAN).contains(d))?;
        let left = bytes.number().filter(|n| *n > 0)?;
        Some(Self { distance, left })
    }

    /// The entry that is repeated next, if one is.
    pub(super) fn peek(&self, history: &History) -> Option<Short> {
        (self.left > 0).then(|| history.back(self.distance))
    }

    /// Goes on to the next one.
    pub(super) const fn pass(&mut self) {
        self.left -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn short(bytes: &[u8]) -> Short {
        Short::of(bytes).expect("short")
    }

    fn written(entries: &[&[u8]]) -> Vec<u8> {
        let (mut repeats, mut block) = (Repeats::default(), Vec::new());
        for entry in entries {
            repeats.push(short(entry), &mut block);
        }
        repeats.end(&mut block);
        block
    }

    fn read(mut block: &[u8], lens: impl Fn(u8) -> usize) -> Vec<Vec<u8>> {
        let (mut history, mut run, mut all) = (History::default(), Run::default(), Vec::new());
        loop {
            let next = match run.peek(&history) {
                Some(next) => {
                    run.pass();
                    next
                }
                None if block.is_empty() => return all,
                None if block[0] == REPEAT => {
                    let mut bytes = Bytes(&block[1..]);
                    run = Run::read(&mut bytes).expect("a run");
                    block = bytes.0;
                    continue;
                }
                None => {
                    let (entry, rest) = block.split_at(lens(block[0]));
                    block = rest;
                    short(entry)
                }
            };
            history.push(next);
            let (bytes, len) = next.bytes();
            all.push(bytes[..len].to_vec());
        }
    }

    #[test]
    fn short_entries_come_back() {
        for bytes in [&[0x80][..], &[0x85, 1, 2], &[1, 2, 3, 4, 5, 6, 7]] {
            let (back, len) = short(bytes).bytes();
            assert_eq!(&back[..len], bytes);
        }
        assert_eq!(Short::of(&[0; 8]), None);
        assert_ne!(short(&[0]), short(&[0, 0]));
    }

    #[test]
    fn a_loop_that_goes_round_takes_nothing() {
        let turn: [&[u8]; 3] = [&[0x82], &[0x80], &[0x85, 9, 9]];
        let many: Vec<&[u8]> = turn.iter().copied().cycle().take(30_000).collect();
        let block = written(&many);
        assert!(block.len() <= 24, "{} bytes", block.len());
        let lens = |tag| if tag == 0x85 { 3 } else { 1 };
        assert_eq!(read(&block, lens), many);
    }

    #[test]
    fn any_mixture_comes_back() {
        let mut n = 1u64;
        for _ in 0..200 {
            let mut all: Vec<Vec<u8>> = Vec::new();
            for _ in 0..100 {
                n = n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let [.., one, other] = n.to_le_bytes();
                let (tag, len) = (other % 5, 1 + one % 3);
                let mut entry = vec![0; usize::from(len)];
                entry[0] = 0x80 | tag << 2 | len; // never the tag of a repeat
                all.push(entry);
            }
            let slices: Vec<&[u8]> = all.iter().map(Vec::as_slice).collect();
            assert_eq!(read(&written(&slices), |tag| usize::from(tag & 3)), slices);
        }
    }
}
