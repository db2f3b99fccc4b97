//! When each node wants to run next: a heap that knows where each node is in it, so that a new
//! moment replaces the old one and nothing stale piles up.

/// A node that wants nothing.
const NEVER: u64 = u64::MAX;
/// Not in the heap.
const NOWHERE: u32 = u32::MAX;

/// How many places stand below each place. Four make the heap half as deep as two, and they lie in
/// one cache line.
const WAYS: usize = 4;

/// When, and which node: one number, as such are compared in two instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key(u128);

impl Key {
    const fn new(at: u64, node: u32) -> Self {
        Self((at as u128) << 32 | node as u128)
    }
    #[expect(clippy::cast_possible_truncation, reason = "the moment is 64 bits")]
    const fn at(self) -> u64 {
        (self.0 >> 32) as u64
    }
    #[expect(clippy::cast_possible_truncation, reason = "the node is the low half")]
    const fn node(self) -> u32 {
        self.0 as u32
    }
}

/// The soonest of all nodes is at the top; of two at one moment, the one with the lower number.
#[derive(Debug, Default)]
pub(super) struct Wakes {
    heap: Vec<Key>,
    /// By node: when it wants to run.
    at: Vec<u64>,
    /// By node: its place in `heap`.
    place: Vec<u32>,
}

impl Wakes {
    /// Makes room for one more node.
    pub(super) fn grow(&mut self) {
        self.at.push(NEVER);
        self.place.push(NOWHERE);
    }

    /// When the soonest node wants to run.
    #[inline]
    pub(super) fn soonest(&self) -> u64 {
        self.heap.first().map_or(NEVER, |key| key.at())
    }

    /// Tells of all nodes that want to run by `now`, in any order. They stay until they are set
    /// anew, which takes one way through the heap instead of two.
    #[inline]
    pub(super) fn due(&self, now: u64, tell: &mut impl FnMut(u32)) {
        if self.soonest() <= now {
            self.due_from(0, now, tell);
        }
    }

    /// Those that are due stand together at the top: this one is, and perhaps some below it.
    fn due_from(&self, place: usize, now: u64, tell: &mut impl FnMut(u32)) {
        tell(self.heap[place].node());
        let (first, end) = self.below(place);
        for below in first..end {
            if self.heap[below].at() <= now {
                self.due_from(below, now, tell);
            }
        }
    }

    /// The places below one.
    #[inline]
    fn below(&self, place: usize) -> (usize, usize) {
        let first = place * WAYS + 1;
        (first, (first + WAYS).min(self.heap.len()))
    }

    /// Sets when a node wants to run.
    #[inline]
    pub(super) fn set(&mut self, node: u32, at: u64) {
        if self.at[node as usize] != at {
            self.change(node, at);
        }
    }

    fn change(&mut self, node: u32, at: u64) {
        let before = std::mem::replace(&mut self.at[node as usize], at);
        let place = self.place[node as usize];
        match (place, at) {
            (NOWHERE, NEVER) => {}
            (NOWHERE, _) => {
                self.heap.push(Key::new(at, node));
                self.rise(self.heap.len() - 1, Key::new(at, node));
            }
            (place, NEVER) => {
                self.place[node as usize] = NOWHERE;
                // The last one fills the hole, unless it is the hole.
                if let Some(last) = self.heap.pop().filter(|last| last.node() != node) {
                    self.settle(place as usize, Key::new(before, node), last);
                }
            }
            (place, _) => {
                self.settle(place as usize, Key::new(before, node), Key::new(at, node));
            }
        }
    }

    /// Puts `new` where `old` was, or as far up or down from there as it belongs.
    fn settle(&mut self, place: usize, old: Key, new: Key) {
        if new < old {
            self.rise(place, new);
        } else {
            self.sink(place, new);
        }
    }

    fn rise(&mut self, mut place: usize, new: Key) {
        while place > 0 {
            let above = (place - 1) / WAYS;
            if self.heap[above] <= new {
                break;
            }
            self.put(place, self.heap[above]);
            place = above;
        }
        self.put(place, new);
    }

    fn sink(&mut self, mut place: usize, new: Key) {
        loop {
            let (first, end) = self.below(place);
            let (mut least, mut under) = (new, place);
            for below in first..end {
                if self.heap[below] < least {
                    (least, under) = (self.heap[below], below);
                }
            }
            if under == place {
                break;
            }
            self.put(place, least);
            place = under;
        }
        self.put(place, new);
    }

    #[expect(clippy::cast_possible_truncation, reason = "as many places as nodes")]
    fn put(&mut self, place: usize, key: Key) {
        self.heap[place] = key;
        self.place[key.node() as usize] = place as u32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Draws;

    #[test]
    fn agrees_with_sorting_over_a_long_run() {
        let mut wakes = Wakes::default();
        let mut model = [NEVER; 40];
        let mut draws = Draws::new(1);
        for _ in 0..40 {
            wakes.grow();
        }
        for _ in 0..20_000 {
            let node = u32::try_from(draws.below(40)).expect("small");
            let at = match draws.below(4) {
                0 => NEVER,
                _ => draws.below(100),
            };
            wakes.set(node, at);
            model[node as usize] = at;
            let soonest = *model.iter().min().expect("forty");
            assert_eq!(wakes.soonest(), soonest);
            let now = draws.below(30);
            let mut due = Vec::new();
            wakes.due(now, &mut |node| due.push(node));
            due.sort_unstable();
            let expected = (0..40).filter(|node| model[*node as usize] <= now);
            assert_eq!(due, expected.collect::<Vec<u32>>());
        }
    }
}
