use core::fmt;
use core::ops::{Add, AddAssign, Sub};
use core::time::Duration;

/// A moment in tyme: nanoseconds since the tymist's origin.
///
/// Sums saturate at [`Tyme::NEVER`], differences at zero (law T1). The range is 584 years.
///
/// ```
/// use hio::tyme::Tyme;
/// use std::time::Duration;
/// let t = Tyme::ZERO + Duration::from_millis(1500);
/// assert_eq!(t.to_string(), "1.5s");
/// assert_eq!(t - Tyme::from_secs(1), Duration::from_millis(500));
/// assert_eq!(Tyme::NEVER + Duration::from_secs(1), Tyme::NEVER);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Tyme(u64);

impl Tyme {
    /// The origin.
    pub const ZERO: Self = Self(0);
    /// The end of time: later than everything, reached by nothing.
    pub const NEVER: Self = Self(u64::MAX);

    /// A moment `nanos` nanoseconds after the origin.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// A moment `millis` milliseconds after the origin.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// A moment `secs` seconds after the origin.
    #[must_use]
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1_000_000_000))
    }

    /// A moment in seconds, for programs that hold time in floats.
    ///
    /// # Errors
    /// [`TymeError`] when `secs` is negative, not finite or beyond the range.
    pub fn from_secs_f64(secs: f64) -> Result<Self, TymeError> {
        Ok(Self::ZERO + duration_from_secs(secs)?)
    }

    /// Nanoseconds since the origin.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Seconds since the origin, for display.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        reason = "floats are for display (law T1)"
    )]
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// Time from `earlier` to this moment, zero when it lies ahead.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// Whether this is [`Tyme::NEVER`].
    #[must_use]
    pub const fn is_never(self) -> bool {
        self.0 == u64::MAX
    }
}

impl Add<Duration> for Tyme {
    type Output = Self;
    fn add(self, d: Duration) -> Self {
        Self(self.0.saturating_add(nanos(d)))
    }
}

impl AddAssign<Duration> for Tyme {
    fn add_assign(&mut self, d: Duration) {
        *self = *self + d;
    }
}

impl Sub<Duration> for Tyme {
    type Output = Self;
    fn sub(self, d: Duration) -> Self {
        Self(self.0.saturating_sub(nanos(d)))
    }
}

impl Sub for Tyme {
    type Output = Duration;
    fn sub(self, earlier: Self) -> Duration {
        self.since(earlier)
    }
}

impl fmt::Display for Tyme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_never() {
            return f.write_str("never");
        }
        let (secs, rest) = (self.0 / 1_000_000_000, self.0 % 1_000_000_000);
        if rest == 0 {
            return write!(f, "{secs}s");
        }
        let digits = format!("{rest:09}");
        write!(f, "{secs}.{}s", digits.trim_end_matches('0'))
    }
}

impl fmt::Debug for Tyme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tyme({self})")
    }
}

/// A time in floats that is no time.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TymeError {
    /// Not a number, or infinite.
    #[error("a time must be finite, not {0}")]
    NotFinite(f64),
    /// Before the origin, or a span that runs backwards.
    #[error("a time must not be negative: {0} s")]
    Negative(f64),
    /// More than 584 years.
    #[error("a time of {0} s is beyond the range of 584 years")]
    TooLarge(f64),
}

/// A span of seconds given as a float, checked.
///
/// # Errors
/// [`TymeError`] when `secs` is negative, not finite or beyond 584 years.
pub fn duration_from_secs(secs: f64) -> Result<Duration, TymeError> {
    if !secs.is_finite() {
        return Err(TymeError::NotFinite(secs));
    }
    if secs < 0.0 {
        return Err(TymeError::Negative(secs));
    }
    match Duration::try_from_secs_f64(secs) {
        Ok(d) if d.as_nanos() < u128::from(u64::MAX) => Ok(d),
        _ => Err(TymeError::TooLarge(secs)),
    }
}

/// Nanoseconds of a span, saturating.
pub(crate) fn nanos(d: Duration) -> u64 {
    d.as_secs()
        .saturating_mul(1_000_000_000)
        .saturating_add(u64::from(d.subsec_nanos()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t1_sums_saturate_and_floats_are_checked() {
        assert_eq!(Tyme::NEVER + Duration::MAX, Tyme::NEVER);
        assert_eq!(Tyme::from_secs(1) - Tyme::from_secs(2), Duration::ZERO);
        assert_eq!(Tyme::from_secs(1) - Duration::from_secs(2), Tyme::ZERO);
        assert_eq!(duration_from_secs(0.1), Ok(Duration::from_millis(100)));
        assert_eq!(duration_from_secs(-0.5), Err(TymeError::Negative(-0.5)));
        assert!(matches!(
            duration_from_secs(f64::NAN),
            Err(TymeError::NotFinite(_))
        ));
        assert!(matches!(
            Tyme::from_secs_f64(f64::INFINITY),
            Err(TymeError::NotFinite(_))
        ));
        assert!(matches!(
            duration_from_secs(1e30),
            Err(TymeError::TooLarge(_))
        ));
    }

    #[test]
    fn display_is_exact() {
        assert_eq!(Tyme::from_nanos(15_625_000).to_string(), "0.015625s");
        assert_eq!(Tyme::NEVER.to_string(), "never");
        assert_eq!(Tyme::ZERO.to_string(), "0s");
    }
}
