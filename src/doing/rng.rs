use std::cell::Cell;
use std::fmt;
use std::ops::Range;

/// A doer's own stream of random numbers.
///
/// Each doer has its own, derived from its parent's (or asker's) and its ordinal there, so that a
/// draw in one place moves no other (law D3). The same seed gives the same numbers on every
/// machine. Not for secrets: those come from [`Net::entropy`](crate::net::Net::entropy).
pub struct Rng<'a> {
    pub(super) streams: &'a mut Streams,
    pub(super) me: &'a Cell<u32>,
}

impl fmt::Debug for Rng<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rng")
    }
}

impl Rng<'_> {
    /// 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.streams.draw(self.me.get())
    }

    /// A number below `end`, each as likely; 0 when `end` is 0.
    pub fn below(&mut self, end: u64) -> u64 {
        // Lemire's multiplication; the bias is below 2^-64 x end and not worth a loop here.
        let wide = u128::from(self.next_u64()) * u128::from(end);
        (wide >> 64) as u64
    }

    /// A number in the range, its start when it is empty.
    pub fn range(&mut self, range: Range<u64>) -> u64 {
        range.start + self.below(range.end.saturating_sub(range.start))
    }

    /// A number in 0.0 .. 1.0.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    pub fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// True with this probability.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// Random bytes.
    pub fn fill(&mut self, out: &mut [u8]) {
        for chunk in out.chunks_mut(8) {
            let bytes = self.next_u64().to_le_bytes();
            chunk.copy_from_slice(&bytes[..chunk.len()]);
        }
    }
}

/// The streams of all doers of a Doist, by place. Stream n of key k is splitmix64 from k.
#[derive(Debug)]
pub(super) struct Streams {
    seed: u64,
    keys: Vec<u64>,
    /// How much each drew; grows with the first draw of anybody.
    drawn: Vec<u64>,
}

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

impl Streams {
    pub(super) const fn new(seed: u64) -> Self {
        Self {
            seed,
            keys: Vec::new(),
            drawn: Vec::new(),
        }
    }

    /// Gives the doer at `place` its stream: the `nth` below `parent`, or below the Doist itself.
    pub(super) fn derive(&mut self, place: u32, parent: u32, nth: u32) {
        let place = place as usize;
        let above = self.keys.get(parent as usize).copied().unwrap_or(self.seed);
        if place >= self.keys.len() {
            self.keys.resize(place + 1, 0);
        }
        self.keys[place] = mix(mix(above ^ 0x6a09_e667_f3bc_c908).wrapping_add(u64::from(nth) + 1));
        if let Some(drawn) = self.drawn.get_mut(place) {
            *drawn = 0;
        }
    }

    fn draw(&mut self, place: u32) -> u64 {
        let place = place as usize;
        if place >= self.drawn.len() {
            self.drawn.resize(self.keys.len().max(place + 1), 0);
        }
        self.drawn[place] += 1;
        let key = self.keys.get(place).copied().unwrap_or(self.seed);
        mix(key.wrapping_add(self.drawn[place].wrapping_mul(GOLDEN)))
    }
}

/// The finaliser of splitmix64 (Steele, Lea and Flood, 2014), in Stafford's variant 13.
const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
