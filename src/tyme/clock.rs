use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::Tyme;

/// What tells a net how late it is.
pub trait Clock {
    /// Time since the clock's origin. Never goes back.
    fn now(&mut self) -> Tyme;

    /// Wall time since 1970-01-01 00:00 UTC. May go back; for certificates and logs only.
    fn wall(&mut self) -> Duration;
}

/// The operating system's monotonic clock, zero where it was made.
///
/// A step of the wall clock does not move it.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    origin: Instant,
}

impl SystemClock {
    /// A clock whose origin is now.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the clock (law T2)"
    )]
    pub fn new() -> Self {
        Self {
            origin: Instant::now(),
        }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&mut self) -> Tyme {
        let since = self.origin.elapsed();
        // No overflow: the clock runs for less than 584 years.
        Tyme::from_nanos(since.as_secs() * 1_000_000_000 + u64::from(since.subsec_nanos()))
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the clock (law T2)"
    )]
    fn wall(&mut self) -> Duration {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
    }
}

/// A clock that stands where it was set.
///
/// ```
/// use hio::tyme::{Clock, ManualClock, Tyme};
/// use std::time::Duration;
/// let mut clock = ManualClock::default();
/// clock.advance(Duration::from_secs(3));
/// assert_eq!(clock.now(), Tyme::from_secs(3));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ManualClock {
    now: Tyme,
    epoch: Duration,
}

impl ManualClock {
    /// A clock at `now` whose origin is `epoch` in wall time.
    #[must_use]
    pub const fn new(now: Tyme, epoch: Duration) -> Self {
        Self { now, epoch }
    }

    /// Moves the clock forward.
    pub fn advance(&mut self, by: Duration) {
        self.now += by;
    }

    /// Sets the clock to `now`; an earlier moment is ignored, as clocks do not go back.
    pub fn set(&mut self, now: Tyme) {
        self.now = self.now.max(now);
    }
}

impl Clock for ManualClock {
    fn now(&mut self) -> Tyme {
        self.now
    }

    fn wall(&mut self) -> Duration {
        self.epoch + self.now.since(Tyme::ZERO)
    }
}
