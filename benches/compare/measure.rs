//! Numbers: medians, ratios taken round by round, a histogram of latencies, random numbers.

use std::time::Instant;

/// Reads the clock. A benchmark is one of the few programs whose business that is.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Nanoseconds since `start`.
pub(crate) fn nanos_since(start: Instant) -> u64 {
    u64::try_from(now().duration_since(start).as_nanos()).unwrap_or(u64::MAX)
}

/// The middle value; the mean of the two middle ones of an even number. NaN of nothing.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let half = sorted.len() / 2;
    match sorted.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => sorted[half],
        _ => f64::midpoint(sorted[half - 1], sorted[half]),
    }
}

/// The spread of the middle half of the values: what one should not read anything into.
pub(crate) fn quartiles(values: &[f64]) -> (f64, f64) {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => (f64::NAN, f64::NAN),
        n => (sorted[n / 4], sorted[n - 1 - n / 4]),
    }
}

/// Ratios of what was measured in the same round, in which the noise of the hour cancels out.
pub(crate) fn ratios(ours: &[f64], floor: &[f64]) -> Vec<f64> {
    ours.iter()
        .zip(floor)
        .filter(|(a, b)| a.is_finite() && b.is_finite() && **b > 0.0)
        .map(|(a, b)| a / b)
        .collect()
}

/// `xorshift64*`: small, fast and the same in every run.
#[derive(Clone, Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A number from `low` to below `high`.
    pub(crate) fn range(&mut self, low: u64, high: u64) -> u64 {
        low + (self.next() >> 11) % (high - low)
    }

    /// An index below `len`.
    pub(crate) fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.range(0, len as u64)).unwrap_or(0)
    }

    /// Brings the items into another order.
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.index(i + 1));
        }
    }
}

/// Counts of nanoseconds in steps of about 3 %.
#[derive(Debug)]
pub(crate) struct Histogram {
    counts: Vec<u64>,
    total: u64,
}

/// Steps within a power of two.
const STEPS: u64 = 32;

impl Histogram {
    pub(crate) fn new() -> Self {
        Self {
            counts: vec![0; 64 * 32],
            total: 0,
        }
    }

    pub(crate) fn clear(&mut self) {
        self.counts.fill(0);
        self.total = 0;
    }

    pub(crate) fn record(&mut self, nanos: u64) {
        let nanos = nanos.max(STEPS);
        let power = u64::from(nanos.ilog2());
        let step = (nanos >> (power - 5)) - STEPS;
        self.counts[usize::try_from(power * STEPS + step).unwrap_or(0)] += 1;
        self.total += 1;
    }

    /// The value below which the given share of all lies, in microseconds.
    pub(crate) fn quantile_micros(&self, share: f64) -> f64 {
        let mut left = share * self.total as f64;
        for (i, &count) in self.counts.iter().enumerate() {
            left -= count as f64;
            if left <= 0.0 && count > 0 {
                let (power, step) = (i as u64 / STEPS, i as u64 % STEPS);
                return ((STEPS + step) << (power.max(5) - 5)) as f64 / 1e3;
            }
        }
        f64::NAN
    }
}
