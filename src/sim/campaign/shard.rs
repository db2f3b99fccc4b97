use std::env;
use std::fmt;
use std::str::FromStr;

/// One of several parts of a campaign: the seeds whose number in the campaign leaves this
/// remainder. All parts together are the whole, and no seed is in two.
///
/// As text `i/n`, counted from 1: `1/4` to `4/4`.
///
/// ```
/// use hio::sim::Shard;
/// let second: Shard = "2/3".parse()?;
/// let seeds: Vec<u64> = (100..110).filter(|seed| second.has(seed - 100)).collect();
/// assert_eq!(seeds, [101, 104, 107]);
/// assert!("4/3".parse::<Shard>().is_err() && "0/3".parse::<Shard>().is_err());
/// # Ok::<(), hio::sim::ShardError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    index: u64,
    count: u64,
}

/// A shard that there cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no shard: I/N is wanted, with I from 1 to N")]
pub struct ShardError {
    /// What was given.
    pub text: String,
}

impl Shard {
    /// All seeds.
    pub const WHOLE: Self = Self { index: 0, count: 1 };

    /// The part that this process is to do, by its environment; the whole when that says nothing.
    ///
    /// In this order: `HIO_SIM_SHARD=i/n`; `JOB_COMPLETION_INDEX` (Kubernetes, from 0) with
    /// `HIO_SIM_SHARDS=n`; `SLURM_ARRAY_TASK_ID`, `_MIN` and `_COUNT` (Slurm).
    ///
    /// # Errors
    /// What it says is no shard: better no run than the same seeds on every machine.
    pub fn from_env() -> Result<Self, ShardError> {
        Self::from_vars(|name| env::var(name).ok())
    }

    /// The same with variables from elsewhere.
    ///
    /// # Errors
    /// As [`from_env`](Self::from_env).
    ///
    /// ```
    /// use hio::sim::Shard;
    /// let pod = |name: &str| match name {
    ///     "JOB_COMPLETION_INDEX" => Some("0".to_owned()),
    ///     "HIO_SIM_SHARDS" => Some("8".to_owned()),
    ///     _ => None,
    /// };
    /// assert_eq!(Shard::from_vars(pod), "1/8".parse());
    /// ```
    pub fn from_vars(var: impl Fn(&str) -> Option<String>) -> Result<Self, ShardError> {
        if let Some(text) = var("HIO_SIM_SHARD") {
            return text.parse();
        }
        if let Some(index) = var("JOB_COMPLETION_INDEX") {
            let count = var("HIO_SIM_SHARDS").unwrap_or_default();
            return Self::at(&index, "0", &count);
        }
        if let Some(index) = var("SLURM_ARRAY_TASK_ID") {
            let first = var("SLURM_ARRAY_TASK_MIN").unwrap_or_else(|| "0".to_owned());
            let count = var("SLURM_ARRAY_TASK_COUNT").unwrap_or_default();
            return Self::at(&index, &first, &count);
        }
        Ok(Self::WHOLE)
    }

    /// Whether the seed with this number in the campaign, from 0, belongs to it.
    #[must_use]
    pub const fn has(self, number: u64) -> bool {
        number % self.count == self.index
    }

    /// An index that is counted from `first`.
    fn at(index: &str, first: &str, count: &str) -> Result<Self, ShardError> {
        let made = || {
            let index = digits(index)?.checked_sub(digits(first)?)?;
            Self::of(index, digits(count)?)
        };
        made().ok_or_else(|| ShardError {
            text: format!("{index} from {first} of {count}"),
        })
    }

    fn of(index: u64, count: u64) -> Option<Self> {
        (index < count).then_some(Self { index, count })
    }
}

/// A number of digits only: `parse` takes a sign, too.
fn digits(text: &str) -> Option<u64> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok())?
}

impl FromStr for Shard {
    type Err = ShardError;

    fn from_str(text: &str) -> Result<Self, ShardError> {
        let made = || {
            let (index, count) = text.split_once('/')?;
            Self::of(digits(index)?.checked_sub(1)?, digits(count)?)
        };
        made().ok_or_else(|| ShardError {
            text: text.to_owned(),
        })
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index + 1, self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by(vars: &[(&str, &str)]) -> Result<String, ShardError> {
        let var = |name: &str| vars.iter().find(|v| v.0 == name).map(|v| v.1.to_owned());
        Shard::from_vars(var).map(|shard| shard.to_string())
    }

    #[test]
    fn the_environment_of_each_engine_is_understood() {
        assert_eq!(by(&[]).as_deref(), Ok("1/1"));
        let mine = ("HIO_SIM_SHARD", "3/4");
        assert_eq!(by(&[mine]).as_deref(), Ok("3/4"));
        // One's own word counts more than an engine's.
        let pod = [("JOB_COMPLETION_INDEX", "4"), ("HIO_SIM_SHARDS", "5")];
        assert_eq!(by(&[mine, pod[0], pod[1]]).as_deref(), Ok("3/4"));
        assert_eq!(by(&pod).as_deref(), Ok("5/5"));
        let slurm = [
            ("SLURM_ARRAY_TASK_ID", "12"),
            ("SLURM_ARRAY_TASK_MIN", "10"),
            ("SLURM_ARRAY_TASK_COUNT", "8"),
        ];
        assert_eq!(by(&slurm).as_deref(), Ok("3/8"));
    }

    #[test]
    fn what_is_no_shard_is_refused() {
        for bad in ["", "1", "0/1", "2/1", "1/0", "+1/2", "1/2/3", "a/b", "1/ 2"] {
            assert!(by(&[("HIO_SIM_SHARD", bad)]).is_err(), "{bad:?}");
        }
        assert!(by(&[("JOB_COMPLETION_INDEX", "1")]).is_err());
        assert!(by(&[("JOB_COMPLETION_INDEX", "2"), ("HIO_SIM_SHARDS", "2")]).is_err());
        let below = [
            ("SLURM_ARRAY_TASK_ID", "1"),
            ("SLURM_ARRAY_TASK_MIN", "2"),
            ("SLURM_ARRAY_TASK_COUNT", "2"),
        ];
        assert!(by(&below).is_err());
    }

    #[test]
    fn the_parts_are_the_whole() {
        for count in 1..9 {
            let parts: Vec<Shard> = (1..=count)
                .map(|i| format!("{i}/{count}").parse().expect("a shard"))
                .collect();
            for number in 0..100 {
                let have = parts.iter().filter(|part| part.has(number)).count();
                assert_eq!(have, 1);
            }
        }
    }
}
