use std::time::Duration;

use super::LimitsError;

/// When a [`Client`](super::Client) dials again after a loss or a failure: waits that grow.
///
/// The wait before attempt n is `first` × `factor`ⁿ, at most `max`, less a random share of at most
/// `jitter_percent` of it, so that the clients of a server that comes back do not come all at once.
/// It begins at `first` again once a connection has received something or has stood for `max`.
///
/// ```
/// use hio::link::Reconnect;
/// let twice = Reconnect { attempts_max: Some(2), ..Reconnect::default() };
/// assert!(twice.validate().is_ok());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reconnect {
    /// The first wait. Default 500 ms.
    pub first: Duration,
    /// How the wait grows with each attempt in vain. Default 2.
    pub factor: u32,
    /// The longest wait. Default 30 s.
    pub max: Duration,
    /// How much of a wait chance may take away, in percent: 0 to 100. Default 50.
    pub jitter_percent: u32,
    /// Attempts in a row before it gives up; the first dial is not counted. Default: never.
    pub attempts_max: Option<u32>,
}

impl Default for Reconnect {
    fn default() -> Self {
        Self {
            first: Duration::from_millis(500),
            factor: 2,
            max: Duration::from_secs(30),
            jitter_percent: 50,
            attempts_max: None,
        }
    }
}

impl Reconnect {
    /// Checks that it makes sense. Opening a client does it.
    ///
    /// # Errors
    /// A wait or factor of zero, or more jitter than there is wait.
    pub fn validate(&self) -> Result<(), LimitsError> {
        for (field, zero) in [
            ("reconnect.first", self.first.is_zero()),
            ("reconnect.max", self.max.is_zero()),
            ("reconnect.factor", self.factor == 0),
        ] {
            if zero {
                return Err(LimitsError::Zero { field });
            }
        }
        match self.jitter_percent > 100 {
            true => Err(LimitsError::TooLarge {
                field: "reconnect.jitter_percent",
                max: 100,
            }),
            false => Ok(()),
        }
    }

    /// The wait after `failed` attempts in a row, which is at least 1; None to give up.
    pub(super) fn wait(&self, failed: u32, chance: &mut Chance) -> Option<Duration> {
        if self.attempts_max.is_some_and(|most| failed > most) {
            return None;
        }
        let growth = self.factor.checked_pow(failed.saturating_sub(1));
        let wait = growth.and_then(|g| self.first.checked_mul(g));
        let wait = wait.unwrap_or(self.max).min(self.max);
        // In parts of 2^16 of a percent, so that a short wait is spread, too.
        let share = chance.below(u64::from(self.jitter_percent) << 16);
        let less = wait.as_nanos() * u128::from(share) / (100 << 16);
        Some(wait - Duration::from_nanos(u64::try_from(less).unwrap_or(u64::MAX)).min(wait))
    }
}

/// A small generator for jitter: SplitMix64 (Steele, Lea, Flood 2014). No use for secrets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chance(pub(super) u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`; 0 for 0. The bias is below n / 2^64.
    fn below(&mut self, n: u64) -> u64 {
        self.next().checked_rem(n).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_longest_and_end() {
        let steady = Reconnect {
            first: Duration::from_secs(1),
            max: Duration::from_secs(5),
            jitter_percent: 0,
            attempts_max: Some(5),
            ..Reconnect::default()
        };
        let waits: Vec<_> = (1..=6).map(|n| steady.wait(n, &mut Chance(1))).collect();
        let secs = |s| Some(Duration::from_secs(s));
        assert_eq!(waits, [secs(1), secs(2), secs(4), secs(5), secs(5), None]);
        let endless = Reconnect::default();
        assert!(endless.wait(u32::MAX, &mut Chance(1)).unwrap() <= endless.max);
    }

    #[test]
    fn jitter_takes_at_most_its_share_and_comes_from_the_seed() {
        let policy = Reconnect::default();
        let draw = |seed| policy.wait(1, &mut Chance(seed)).unwrap();
        let waits: Vec<_> = (0..1000).map(draw).collect();
        assert!(
            waits
                .iter()
                .all(|w| *w > policy.first / 2 && *w <= policy.first)
        );
        assert!(waits.iter().any(|w| *w < policy.first * 6 / 10));
        assert!(waits.iter().any(|w| *w > policy.first * 9 / 10));
        assert_eq!(draw(7), draw(7));
    }

    #[test]
    fn nonsense_is_refused() {
        type Set = fn(&mut Reconnect);
        let cases: [(&str, Set); 4] = [
            ("reconnect.first must not be zero", |r| {
                r.first = Duration::ZERO
            }),
            ("reconnect.max must not be zero", |r| r.max = Duration::ZERO),
            ("reconnect.factor must not be zero", |r| r.factor = 0),
            ("reconnect.jitter_percent must be at most 100", |r| {
                r.jitter_percent = 101
            }),
        ];
        for (message, set) in cases {
            let mut policy = Reconnect::default();
            set(&mut policy);
            assert_eq!(policy.validate().unwrap_err().to_string(), message);
        }
    }
}
