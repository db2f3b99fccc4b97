use core::time::Duration;

use super::Tyme;

/// A span of tyme with a start and a stop: plain data, told the tyme by its owner (law T3).
///
/// ```
/// use hio::tyme::{Tyme, Tymer};
/// use std::time::Duration;
/// let mut tymer = Tymer::new(Tyme::ZERO, Duration::from_secs(2));
/// assert!(!tymer.expired(Tyme::from_secs(1)));
/// assert!(tymer.expired(Tyme::from_secs(2)));
/// tymer.start(Tyme::from_secs(5)); // to refresh a timeout: counts from now
/// assert_eq!(tymer.stop(), Tyme::from_secs(7));
/// tymer.restart(); // to keep a rhythm: counts from the old stop
/// assert_eq!(tymer.stop(), Tyme::from_secs(9));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tymer {
    start: Tyme,
    stop: Tyme,
}

impl Tymer {
    /// A tymer of `duration` that starts at `start`.
    #[must_use]
    pub fn new(start: Tyme, duration: Duration) -> Self {
        Self {
            start,
            stop: start + duration,
        }
    }

    /// When it was started.
    #[must_use]
    pub const fn start_tyme(&self) -> Tyme {
        self.start
    }

    /// When it expires.
    #[must_use]
    pub const fn stop(&self) -> Tyme {
        self.stop
    }

    /// From start to stop.
    #[must_use]
    pub const fn duration(&self) -> Duration {
        self.stop.since(self.start)
    }

    /// Whether the stop is reached.
    #[must_use]
    pub fn expired(&self, now: Tyme) -> bool {
        now >= self.stop
    }

    /// Time since the start, zero before it.
    #[must_use]
    pub const fn elapsed(&self, now: Tyme) -> Duration {
        now.since(self.start)
    }

    /// Time until the start, zero after it: what [`elapsed`](Self::elapsed) cannot say.
    #[must_use]
    pub const fn pending(&self, now: Tyme) -> Duration {
        self.start.since(now)
    }

    /// Time until the stop, zero after it.
    #[must_use]
    pub const fn remaining(&self, now: Tyme) -> Duration {
        self.stop.since(now)
    }

    /// Time since the stop, zero before it: what [`remaining`](Self::remaining) cannot say.
    #[must_use]
    pub const fn overdue(&self, now: Tyme) -> Duration {
        now.since(self.stop)
    }

    /// Starts anew at `now` with the same duration. This is how a timeout is refreshed.
    pub fn start(&mut self, now: Tyme) {
        *self = Self::new(now, self.duration());
    }

    /// Starts anew at `now` with another duration.
    pub fn start_for(&mut self, now: Tyme, duration: Duration) {
        *self = Self::new(now, duration);
    }

    /// Begins again at the old stop, expired or not, so that no time is lost between rounds.
    ///
    /// Not for timeouts: before the stop it pushes the end out (hio's defect T1).
    pub fn restart(&mut self) {
        *self = Self::new(self.stop, self.duration());
    }

    /// Begins again at the old stop with another duration.
    pub fn restart_for(&mut self, duration: Duration) {
        *self = Self::new(self.stop, duration);
    }
}
