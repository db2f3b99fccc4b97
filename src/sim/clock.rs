//! A node's clock against the simulation's: since when it runs, how fast, and how wrong.

use std::time::Duration;

/// Parts in a million of no drift.
const ONE: i64 = 1_000_000;

/// The clocks of a node, in nanoseconds.
///
/// The clock of `Net::now` is monotonic: it begins at zero at each boot and drifts. The clock of
/// `Net::wall` drifts as well, is wrong by the skew, and is set forwards and backwards by steps,
/// as wall clocks are.
#[derive(Clone, Copy, Debug)]
pub(super) struct NodeClock {
    /// This moment of the simulation is that one of the node's clock.
    global: u64,
    local: u64,
    /// Parts in a million that it runs faster, or slower.
    drift: i32,
    /// Wall time since 1970 at simulated time zero, what is wrong with it included.
    wall: i128,
    /// What the wall clock gained by drift before `global`.
    gained: i128,
}

impl NodeClock {
    pub(super) fn new(wall: Duration) -> Self {
        Self {
            global: 0,
            local: 0,
            drift: 0,
            wall: i128::try_from(wall.as_nanos()).unwrap_or(i128::MAX),
            gained: 0,
        }
    }

    /// The monotonic clock begins again; drift and wall time stay.
    pub(super) fn boot(&mut self, now: u64) {
        self.rebase(now);
        self.local = 0;
    }

    /// What the node's clock shows.
    #[inline]
    pub(super) fn local_at(&self, now: u64) -> u64 {
        let passed = now - self.global;
        if self.drift == 0 {
            return self.local.saturating_add(passed);
        }
        self.local.saturating_add(self.drifted(passed))
    }

    /// The first moment of the simulation at which the node's clock shows at least `local`.
    #[inline]
    pub(super) fn global_at(&self, local: u64) -> u64 {
        if local == u64::MAX {
            return u64::MAX;
        }
        let ahead = local.saturating_sub(self.local);
        if self.drift == 0 {
            return self.global.saturating_add(ahead);
        }
        let rate = self.rate();
        let span = (u128::from(ahead) * ONE.unsigned_abs() as u128).div_ceil(rate);
        let span = u64::try_from(span).unwrap_or(u64::MAX);
        self.global.saturating_add(span)
    }

    pub(super) fn wall_at(&self, now: u64) -> Duration {
        let passed = now - self.global;
        let gained = self.gained + i128::from(self.drifted(passed)) - i128::from(passed);
        let nanos = (self.wall + i128::from(now) + gained).max(0);
        let secs = u64::try_from(nanos / 1_000_000_000).unwrap_or(u64::MAX);
        Duration::new(secs, u32::try_from(nanos % 1_000_000_000).unwrap_or(0))
    }

    /// Sets how much faster it runs from now on, in parts in a million.
    pub(super) fn set_drift(&mut self, now: u64, ppm: i32) {
        self.rebase(now);
        self.drift = ppm.clamp(-DRIFT_MAX, DRIFT_MAX);
    }

    /// Moves the wall clock.
    pub(super) fn step(&mut self, by: i64) {
        self.wall += i128::from(by);
    }

    fn rebase(&mut self, now: u64) {
        let passed = now - self.global;
        let drifted = self.drifted(passed);
        self.gained += i128::from(drifted) - i128::from(passed);
        self.local = self.local.saturating_add(drifted);
        self.global = now;
    }

    fn drifted(&self, passed: u64) -> u64 {
        let nanos = u128::from(passed) * self.rate() / ONE.unsigned_abs() as u128;
        u64::try_from(nanos).unwrap_or(u64::MAX)
    }

    fn rate(&self) -> u128 {
        // The drift is clamped, so the sum is positive.
        (ONE + i64::from(self.drift)).unsigned_abs() as u128
    }
}

/// The fastest drift: a tenth.
pub(super) const DRIFT_MAX: i32 = 100_000;

#[cfg(test)]
mod tests {
    use super::*;

    const SEC: u64 = 1_000_000_000;

    #[test]
    fn a_wake_is_never_early_and_at_most_one_step_late() {
        for ppm in [0, 50, -50, 1, -99_999, 333] {
            let mut clock = NodeClock::new(Duration::ZERO);
            clock.boot(7 * SEC + 1);
            clock.set_drift(9 * SEC, ppm);
            for local in [2 * SEC, 2 * SEC + 1, 3 * SEC + 17, 4000 * SEC + 999] {
                let global = clock.global_at(local);
                assert!(clock.local_at(global) >= local, "{ppm} {local}");
                assert!(clock.local_at(global - 1) < local, "{ppm} {local}");
            }
            assert_eq!(clock.global_at(u64::MAX), u64::MAX);
            // What has passed is not in the future.
            assert!(clock.global_at(0) <= 9 * SEC);
        }
    }

    #[test]
    fn drift_moves_both_clocks_and_steps_only_the_wall() {
        let mut clock = NodeClock::new(Duration::from_secs(1000));
        clock.boot(10 * SEC);
        assert_eq!(clock.local_at(10 * SEC), 0);
        assert_eq!(clock.wall_at(10 * SEC), Duration::from_secs(1010));
        clock.set_drift(10 * SEC, 100_000);
        assert_eq!(clock.local_at(20 * SEC), 11 * SEC);
        assert_eq!(clock.wall_at(20 * SEC), Duration::from_secs(1021));
        clock.set_drift(20 * SEC, 0);
        clock.step(-5_000_000_000);
        assert_eq!(clock.local_at(21 * SEC), 12 * SEC);
        assert_eq!(clock.wall_at(21 * SEC), Duration::from_secs(1017));
        clock.boot(30 * SEC);
        assert_eq!(clock.local_at(31 * SEC), SEC);
        assert_eq!(clock.wall_at(31 * SEC), Duration::from_secs(1027));
        clock.step(i64::MIN);
        assert_eq!(clock.wall_at(31 * SEC), Duration::ZERO);
    }
}
