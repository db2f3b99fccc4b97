//! How long things took, in a fixed array: a loop that counts must not allocate.
#![allow(dead_code, reason = "each example uses what it needs")]

use std::time::Duration;

/// Counts of times in buckets of 1 µs up to 50 ms, all longer ones together, and the worst.
pub(crate) struct Histogram {
    buckets: Box<[u32; LEN]>,
    over: u32,
    count: u32,
    worst: Duration,
}

impl Histogram {
    pub(crate) fn new() -> Self {
        Self {
            buckets: Box::new([0; LEN]),
            over: 0,
            count: 0,
            worst: Duration::ZERO,
        }
    }

    pub(crate) fn add(&mut self, time: Duration) {
        let micros = usize::try_from(time.as_micros()).unwrap_or(usize::MAX);
        match self.buckets.get_mut(micros) {
            Some(bucket) => *bucket += 1,
            None => self.over += 1,
        }
        self.count += 1;
        self.worst = self.worst.max(time);
    }

    pub(crate) const fn count(&self) -> u32 {
        self.count
    }

    /// The bucket, in whole microseconds, that so many of 1 000 000 times do not exceed: the worst
    /// when it lies beyond the buckets.
    pub(crate) fn quantile(&self, millionths: u64) -> Duration {
        let mut left = (u64::from(self.count) * millionths).div_ceil(1_000_000);
        for (micros, &count) in (0..).zip(self.buckets.iter()) {
            left = left.saturating_sub(count.into());
            if left == 0 {
                return Duration::from_micros(micros);
            }
        }
        self.worst
    }

    /// `p50 12  p99 80  p99.9 95  worst 132 us`.
    pub(crate) fn line(&self) -> String {
        let [p50, p99, p999] = [500_000, 990_000, 999_000].map(|q| self.quantile(q).as_micros());
        let worst = self.worst.as_micros();
        format!("p50 {p50}  p99 {p99}  p99.9 {p999}  worst {worst} us")
    }

    /// Rows of powers of two, from the first bucket that has something to the last.
    pub(crate) fn rows(&self) -> Vec<String> {
        let mut rows = Vec::new();
        let (mut low, mut high) = (0, 1);
        while low < LEN {
            let count: u32 = self.buckets[low..high.min(LEN)].iter().sum();
            rows.push((low, high, count));
            (low, high) = (high, high * 2);
        }
        let most = rows.iter().map(|row| row.2).max().unwrap_or(0).max(1);
        let used = |row: &(usize, usize, u32)| row.2 > 0;
        let first = rows.iter().position(used).unwrap_or(0);
        let last = rows.iter().rposition(used).map_or(0, |at| at + 1);
        rows[first..last.max(first)]
            .iter()
            .map(|&(low, high, count)| {
                let width = (u64::from(count) * 40).div_ceil(most.into());
                let bar = "#".repeat(usize::try_from(width).unwrap_or(0));
                format!("{low:>6}..{high:<6} us {count:>8} {bar}")
            })
            .collect()
    }
}

/// Buckets of 1 µs.
const LEN: usize = 50_000;
