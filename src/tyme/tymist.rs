use core::time::Duration;

use super::Tyme;
use super::tyme::nanos;

/// Keeps tyme for a scheduler: an anchor and a whole number of tocks since (law T4).
///
/// A *tock* is the span between two ticks. Tyme is always anchor + n x tock, so that it never
/// drifts; changing the tock or the tyme sets the anchor anew where tyme stands. A tock of zero
/// is allowed: tyme then stands still.
///
/// ```
/// use hio::tyme::{Tyme, Tymist};
/// use std::time::Duration;
/// let mut tymist = Tymist::new(Tyme::ZERO, Duration::from_millis(10));
/// tymist.tick();
/// tymist.tick();
/// assert_eq!(tymist.tyme(), Tyme::from_millis(20));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tymist {
    anchor: Tyme,
    ticks: u64,
    tock: u64,
    tyme: Tyme,
}

impl Tymist {
    /// hio's default tock: 1/32 s.
    pub const TOCK: Duration = Duration::from_nanos(31_250_000);

    /// A tymist that stands at `tyme`.
    #[must_use]
    pub fn new(tyme: Tyme, tock: Duration) -> Self {
        Self {
            anchor: tyme,
            ticks: 0,
            tock: nanos(tock),
            tyme,
        }
    }

    /// Where tyme stands.
    #[must_use]
    pub const fn tyme(&self) -> Tyme {
        self.tyme
    }

    /// The span between two ticks.
    #[must_use]
    pub const fn tock(&self) -> Duration {
        Duration::from_nanos(self.tock)
    }

    /// One tick; returns the tyme reached.
    pub fn tick(&mut self) -> Tyme {
        self.tick_by(1)
    }

    /// `n` ticks at once; returns the tyme reached.
    pub fn tick_by(&mut self, n: u64) -> Tyme {
        self.ticks = self.ticks.saturating_add(n);
        self.tyme = self.after(0);
        self.tyme
    }

    /// The tyme `n` ticks from now.
    #[must_use]
    pub fn after(&self, n: u64) -> Tyme {
        let span = self.tock.saturating_mul(self.ticks.saturating_add(n));
        Tyme::from_nanos(self.anchor.as_nanos().saturating_add(span))
    }

    /// Ticks from here to the first one at or after `tyme`; `None` when none ever gets there.
    #[must_use]
    pub fn ticks_to(&self, tyme: Tyme) -> Option<u64> {
        if tyme <= self.tyme {
            return Some(0);
        }
        let gap = tyme.as_nanos() - self.tyme.as_nanos();
        (self.tock > 0 && !tyme.is_never()).then(|| gap.div_ceil(self.tock))
    }

    /// Whole ticks that fit between here and `tyme`; none when the tock is zero.
    #[must_use]
    pub fn ticks_within(&self, tyme: Tyme) -> u64 {
        tyme.as_nanos()
            .saturating_sub(self.tyme.as_nanos())
            .checked_div(self.tock)
            .unwrap_or(0)
    }

    /// Changes the tock; ticks are counted anew from where tyme stands.
    pub fn set_tock(&mut self, tock: Duration) {
        *self = Self::new(self.tyme, tock);
    }

    /// Sets tyme itself; ticks are counted anew from there.
    pub fn set_tyme(&mut self, tyme: Tyme) {
        *self = Self::new(tyme, self.tock());
    }
}

impl Default for Tymist {
    fn default() -> Self {
        Self::new(Tyme::ZERO, Self::TOCK)
    }
}
