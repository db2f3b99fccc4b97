//! What a link does to what passes over it, as data.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::draws::Draws;
use super::units::{self, Size, Span};

/// How long a packet takes, each one drawn anew.
#[derive(Clone, Debug, PartialEq)]
pub enum Latency {
    /// Always the same. As text `constant 1ms`.
    Constant(Duration),
    /// Anything between the two, each as likely. As text `uniform 1ms 5ms`.
    Uniform(Duration, Duration),
    /// At least so long, and so long in the mean: most are quick, a few very late. As text
    /// `exponential 1ms 3ms`.
    Exponential {
        /// The shortest.
        least: Duration,
        /// The mean of all.
        mean: Duration,
    },
    /// One of these, by weight. As text `table 1ms:90,20ms:9,1s:1`.
    Table(Vec<(Duration, u32)>),
}

impl Latency {
    /// One packet's latency.
    #[inline]
    pub(crate) fn draw(&self, draws: &mut Draws) -> Duration {
        match self {
            Self::Constant(span) => *span,
            Self::Uniform(least, most) => {
                let width = nanos(most.saturating_sub(*least)).saturating_add(1);
                least.saturating_add(Duration::from_nanos(draws.below(width)))
            }
            Self::Exponential { least, mean } => {
                let spread = mean.saturating_sub(*least).as_secs_f64() * draws.exponential();
                let spread = Duration::try_from_secs_f64(spread).unwrap_or(Duration::MAX);
                least.saturating_add(spread)
            }
            Self::Table(rows) => Self::draw_row(rows, draws),
        }
    }

    fn draw_row(rows: &[(Duration, u32)], draws: &mut Draws) -> Duration {
        let total = rows.iter().map(|(_, weight)| u64::from(*weight)).sum();
        let mut at = draws.below(total);
        for (span, weight) in rows {
            match at.checked_sub(u64::from(*weight)) {
                Some(rest) => at = rest,
                None => return *span,
            }
        }
        Duration::ZERO
    }

    /// The shortest that can be drawn.
    #[must_use]
    pub fn least(&self) -> Duration {
        match self {
            Self::Constant(span) => *span,
            Self::Uniform(least, _) | Self::Exponential { least, .. } => *least,
            Self::Table(rows) => {
                let possible = rows.iter().filter(|(_, weight)| *weight > 0);
                possible.map(|(span, _)| *span).min().unwrap_or_default()
            }
        }
    }
}

impl Default for Latency {
    fn default() -> Self {
        Self::Constant(Duration::ZERO)
    }
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant(span) => write!(f, "constant {}", Span(*span)),
            Self::Uniform(least, most) => write!(f, "uniform {} {}", Span(*least), Span(*most)),
            Self::Exponential { least, mean } => {
                write!(f, "exponential {} {}", Span(*least), Span(*mean))
            }
            Self::Table(rows) => {
                f.write_str("table ")?;
                for (n, (span, weight)) in rows.iter().enumerate() {
                    let comma = if n == 0 { "" } else { "," };
                    write!(f, "{comma}{}:{weight}", Span(*span))?;
                }
                Ok(())
            }
        }
    }
}

/// What a link does to what passes over it in one direction: how late, how much of it, how fast.
///
/// The same data serve simulated links and real sockets behind a layer. As text, each part is a
/// word and its values, in any order; a part that is left out has its default:
/// ```text
/// latency uniform 1ms 5ms loss 0.01 burst 3 duplicate 0.001 reorder 0.01 by 10ms
/// bandwidth 1MB/s queue 64KiB mtu 1500
/// ```
/// Spans have a unit (`s`, `ms`, `us`, `ns`), sizes may have one (`B`, `kB`, `MB`, `GB`, `KiB`,
/// `MiB`, `GiB`), shares go from 0 to 1.
///
/// ```
/// use hio::net::Conditions;
/// let link: Conditions = "latency uniform 1ms 5ms loss 0.01 bandwidth 1MB/s".parse()?;
/// assert_eq!(link.loss, 0.01);
/// assert_eq!(link.to_string().parse::<Conditions>()?, link);
/// assert!("loss 2".parse::<Conditions>().is_err());
/// # Ok::<(), hio::net::ConditionsError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Conditions {
    /// How long a packet is under way. Default: no time.
    pub latency: Latency,
    /// The share of packets that are lost. A stream sends them again, which delays it; a datagram
    /// is gone. Default 0.
    pub loss: f64,
    /// How many packets are lost in a row, in the mean (Gilbert, 1960): from 1, where each is
    /// lost by itself. The share that is lost stays the same. Default 1.
    pub burst: f64,
    /// The share of datagrams that come twice. Default 0.
    pub duplicate: f64,
    /// The share of datagrams that are held back so that later ones overtake them. Default 0.
    pub reorder: f64,
    /// How long such a datagram is held back. Default 10 ms.
    pub reorder_by: Duration,
    /// Bytes a second; 0, the default, is without bound.
    pub bandwidth: u64,
    /// Bytes that may wait for the bandwidth; what comes on top is lost. Default 256 KiB.
    pub queue: u64,
    /// Bytes of the largest packet, headers included (IP and TCP or UDP, 40 or 28 bytes). Longer
    /// datagrams go in pieces and are lost when one piece is. At least 68 (RFC 791); default
    /// 1500.
    pub mtu: u32,
}

impl Conditions {
    /// A link that only takes time, the same for every packet.
    ///
    /// ```
    /// use hio::net::Conditions;
    /// use std::time::Duration;
    /// let link = Conditions::constant(Duration::from_millis(3));
    /// assert_eq!(link.to_string(), "latency constant 3ms");
    /// ```
    #[must_use]
    pub fn constant(latency: Duration) -> Self {
        Self {
            latency: Latency::Constant(latency),
            ..Self::default()
        }
    }

    /// How long the bandwidth needs for so many bytes.
    pub(crate) fn transmission(&self, bytes: u64) -> Duration {
        if self.bandwidth == 0 {
            return Duration::ZERO;
        }
        let nanos = u128::from(bytes) * 1_000_000_000 / u128::from(self.bandwidth);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// Whether the next packet is lost, `in_burst` telling whether the last one was. Draws nothing
    /// on a link without loss.
    #[inline]
    pub(crate) fn loses(&self, in_burst: &mut bool, draws: &mut Draws) -> bool {
        if self.loss <= 0.0 {
            return false;
        }
        // Two states; all packets of the bad one are lost. Leaving it has probability 1 / burst,
        // and entering it so that the share of time spent there is the loss.
        *in_burst = if self.loss >= 1.0 {
            true
        } else if self.burst <= 1.0 {
            draws.chance(self.loss)
        } else if *in_burst {
            !draws.chance(1.0 / self.burst)
        } else {
            draws.chance(self.loss / (self.burst * (1.0 - self.loss)))
        };
        *in_burst
    }
}

impl Default for Conditions {
    fn default() -> Self {
        Self {
            latency: Latency::default(),
            loss: 0.0,
            burst: 1.0,
            duplicate: 0.0,
            reorder: 0.0,
            reorder_by: Duration::from_millis(10),
            bandwidth: 0,
            queue: 256 << 10,
            mtu: 1500,
        }
    }
}

impl fmt::Display for Conditions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = Self::default();
        write!(f, "latency {}", self.latency)?;
        if self.loss != plain.loss {
            write!(f, " loss {}", self.loss)?;
        }
        if self.burst != plain.burst {
            write!(f, " burst {}", self.burst)?;
        }
        if self.duplicate != plain.duplicate {
            write!(f, " duplicate {}", self.duplicate)?;
        }
        if self.reorder != plain.reorder {
            write!(f, " reorder {}", self.reorder)?;
        }
        if self.reorder_by != plain.reorder_by {
            write!(f, " by {}", Span(self.reorder_by))?;
        }
        if self.bandwidth != plain.bandwidth {
            write!(f, " bandwidth {}/s", Size(self.bandwidth))?;
        }
        if self.queue != plain.queue {
            write!(f, " queue {}", Size(self.queue))?;
        }
        if self.mtu != plain.mtu {
            write!(f, " mtu {}", self.mtu)?;
        }
        Ok(())
    }
}

impl FromStr for Conditions {
    type Err = ConditionsError;

    fn from_str(text: &str) -> Result<Self, ConditionsError> {
        let mut words = text.split_whitespace();
        let mut read = Self::default();
        while let Some(word) = words.next() {
            let why = match read.part(word, &mut words) {
                Some(()) => continue,
                None => expected(word),
            };
            return Err(ConditionsError {
                text: text.to_owned(),
                why,
            });
        }
        Ok(read)
    }
}

impl Conditions {
    /// Reads one part: `word` and the values that follow it.
    fn part<'a>(&mut self, word: &str, words: &mut impl Iterator<Item = &'a str>) -> Option<()> {
        match word {
            "latency" => self.latency = latency(words)?,
            "loss" => self.loss = units::share(words.next()?)?,
            "burst" => self.burst = burst(words.next()?)?,
            "duplicate" => self.duplicate = units::share(words.next()?)?,
            "reorder" => self.reorder = units::share(words.next()?)?,
            "by" => self.reorder_by = units::span(words.next()?)?,
            "bandwidth" => self.bandwidth = units::size(words.next()?.strip_suffix("/s")?)?,
            "queue" => self.queue = units::size(words.next()?)?,
            "mtu" => self.mtu = units::count(words.next()?).filter(|mtu| *mtu >= MTU_MIN)?,
            _ => return None,
        }
        Some(())
    }
}

fn latency<'a>(words: &mut impl Iterator<Item = &'a str>) -> Option<Latency> {
    let law = words.next()?;
    let value = words.next()?;
    if law == "table" {
        return table(value);
    }
    let first = units::span(value)?;
    if law == "constant" {
        return Some(Latency::Constant(first));
    }
    let second = units::span(words.next()?).filter(|second| *second >= first)?;
    match law {
        "uniform" => Some(Latency::Uniform(first, second)),
        "exponential" => Some(Latency::Exponential {
            least: first,
            mean: second,
        }),
        _ => None,
    }
}

fn table(text: &str) -> Option<Latency> {
    let row = |row: &str| {
        let (span, weight) = row.split_once(':')?;
        Some((units::span(span)?, units::count(weight)?))
    };
    let rows: Vec<_> = text.split(',').map(row).collect::<Option<_>>()?;
    let possible = rows.iter().any(|(_, weight)| *weight > 0);
    (possible && rows.len() <= ROWS_MAX).then_some(Latency::Table(rows))
}

fn burst(text: &str) -> Option<f64> {
    let (whole, rest) = text.split_once('.').unwrap_or((text, "0"));
    units::count(whole)?;
    units::count(rest)?;
    text.parse().ok().filter(|burst| *burst >= 1.0)
}

/// What should have stood at and after a word.
const fn expected(word: &str) -> &'static str {
    match word.as_bytes() {
        b"latency" => {
            "latency: constant D, uniform D D, exponential LEAST MEAN or table D:WEIGHT,..."
        }
        b"loss" | b"duplicate" | b"reorder" => "a share from 0 to 1",
        b"burst" => "burst: a number from 1",
        b"by" => "by: a span with its unit, as in 10ms",
        b"bandwidth" => "bandwidth: a size each second, as in 1MB/s",
        b"queue" => "queue: a size, as in 64KiB",
        b"mtu" => "mtu: a number of bytes from 68",
        _ => "no such part of a link's conditions",
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

/// RFC 791 §3.2: every link can carry this.
const MTU_MIN: u32 = 68;
/// Rows of a table of latencies.
const ROWS_MAX: usize = 4096;

/// Text that is no [`Conditions`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("bad conditions of a link {text:?}: {why}")]
pub struct ConditionsError {
    text: String,
    why: &'static str,
}

impl ConditionsError {
    /// A line of a fault file whose time is none.
    pub(crate) fn of_time(line: &str) -> Self {
        Self {
            text: line.to_owned(),
            why: "at: a span with its unit, as in 1.5s",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn what_is_printed_is_read_again() {
        for text in [
            "latency constant 0s",
            "latency constant 1ms loss 0.5",
            "latency uniform 1ms 5ms loss 0.01 burst 2.5 duplicate 0.001 reorder 0.02 by 3ms \
             bandwidth 1MB/s queue 64KiB mtu 9000",
            "latency exponential 500us 3ms",
            "latency table 1ms:90,20ms:9,1s:1 queue 0B",
        ] {
            let read: Conditions = text.parse().expect(text);
            assert_eq!(read.to_string(), text);
            assert_eq!(read.to_string().parse(), Ok(read));
        }
        assert_eq!("".parse(), Ok(Conditions::default()));
        let any_order: Conditions = "queue 1KiB latency constant 1ms".parse().expect("fine");
        assert_eq!(any_order.to_string(), "latency constant 1ms queue 1KiB");
    }

    #[test]
    fn bad_text_is_told_what_should_stand_there() {
        for (text, why) in [
            ("loss", "share"),
            ("loss 1.5", "share"),
            ("loss -0.1", "share"),
            ("latency", "constant"),
            ("latency uniform 5ms 1ms", "uniform"),
            ("latency uniform 5ms", "uniform"),
            ("latency normal 5ms 6ms", "table"),
            ("latency table 1ms:0", "table"),
            ("latency table 1ms", "table"),
            ("bandwidth 1MB", "each second"),
            ("burst 0.5", "from 1"),
            ("burst +2", "from 1"),
            ("queue lots", "size"),
            ("mtu 67", "68"),
            ("colour blue", "no such part"),
        ] {
            let error = text.parse::<Conditions>().expect_err(text).to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn latencies_follow_their_law() {
        let mut draws = Draws::new(5);
        let mut mean = |law: &Latency, least: Duration, most: Duration| {
            let n = 20_000;
            let mut sum = Duration::ZERO;
            for _ in 0..n {
                let drawn = law.draw(&mut draws);
                assert!(least <= drawn && drawn <= most, "{law}: {drawn:?}");
                sum += drawn;
            }
            assert_eq!(law.least(), least);
            (sum / n).as_secs_f64() * 1000.0
        };
        assert_eq!(mean(&Latency::Constant(MS), MS, MS), 1.0);
        let uniform = mean(&Latency::Uniform(MS, 3 * MS), MS, 3 * MS);
        assert!((uniform - 2.0).abs() < 0.05, "{uniform}");
        let law = Latency::Exponential {
            least: MS,
            mean: 3 * MS,
        };
        let exponential = mean(&law, MS, 80 * MS);
        assert!((exponential - 3.0).abs() < 0.1, "{exponential}");
        let law = Latency::Table(vec![(MS, 9), (100 * MS, 0), (11 * MS, 1)]);
        let table = mean(&law, MS, 11 * MS);
        assert!((table - 2.0).abs() < 0.1, "{table}");
    }

    #[test]
    fn losses_come_in_bursts_with_the_same_share() {
        let share = |text: &str| {
            let link: Conditions = text.parse().expect(text);
            let (mut draws, mut in_burst) = (Draws::new(9), false);
            let (mut lost, mut bursts, n) = (0u32, 0u32, 200_000u32);
            for _ in 0..n {
                let before = in_burst;
                if link.loses(&mut in_burst, &mut draws) {
                    lost += 1;
                    bursts += u32::from(!before);
                }
            }
            let burst = f64::from(lost) / f64::from(bursts.max(1));
            (f64::from(lost) / f64::from(n), burst)
        };
        let (alone, _) = share("loss 0.1");
        assert!((alone - 0.1).abs() < 0.01, "{alone}");
        let (bursty, length) = share("loss 0.1 burst 8");
        assert!((bursty - 0.1).abs() < 0.01, "{bursty}");
        assert!((length - 8.0).abs() < 0.5, "{length}");
        assert_eq!(share("loss 1").0, 1.0);
        assert_eq!(share("").0, 0.0);
    }

    #[test]
    fn bandwidth_is_a_time_for_each_byte() {
        let link: Conditions = "bandwidth 1MB/s".parse().expect("fine");
        assert_eq!(link.transmission(1500), Duration::from_micros(1500));
        assert_eq!(Conditions::default().transmission(1 << 40), Duration::ZERO);
    }
}
