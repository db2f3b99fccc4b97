//! A small generator of random numbers (SplitMix64): the same on every machine, forever.

#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`.
    pub fn below(&mut self, n: u64) -> u64 {
        self.draw() % n.max(1)
    }

    /// A number from `low` to `high`, both included.
    pub fn from(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    pub fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "an index of a list in memory"
    )]
    pub fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len() as u64) as usize]
    }
}

/// The seed of this run and how many cases: `HIO_SEED` and `HIO_FRESH`, printed for repetition.
pub fn seed_and_count(title: &str, count: u64) -> (u64, u64) {
    let number = |name: &str| std::env::var(name).ok().and_then(|v| v.parse::<u64>().ok());
    let seed = number("HIO_SEED").unwrap_or_else(|| u64::from(std::process::id()) * 7919);
    let count = number("HIO_FRESH").unwrap_or(count);
    println!("{title}: {count} scenarios, HIO_SEED={seed}");
    (seed, count)
}
