//! Spans of time, sizes and shares as text: exact both ways, numbers by digits only.

use std::fmt;
use std::time::Duration;

/// A span as text: `1.5s`, `30ms`, `250us`, `7ns`; the largest unit that needs no fraction, or
/// seconds.
pub(crate) struct Span(pub(crate) Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.as_nanos();
        for (name, unit) in SPANS {
            if nanos % unit == 0 && (nanos > 0 || *name == "s") {
                return write!(f, "{}{name}", nanos / unit);
            }
        }
        write!(f, "{nanos}ns")
    }
}

/// Reads a span: digits, at most one point, and a unit.
pub(crate) fn span(text: &str) -> Option<Duration> {
    let (number, unit) = split(text);
    let (_, unit) = SPANS.iter().find(|(name, _)| *name == unit)?;
    let nanos = u64::try_from(scaled(number, *unit)?).ok()?;
    Some(Duration::from_nanos(nanos))
}

/// A size as text: `64KiB`, `1500B`; the largest unit that needs no fraction.
pub(crate) struct Size(pub(crate) u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = u128::from(self.0);
        for (name, unit) in SIZES {
            if bytes % unit == 0 && bytes > 0 {
                return write!(f, "{}{name}", bytes / unit);
            }
        }
        write!(f, "{bytes}B")
    }
}

/// Reads a size in bytes: digits, at most one point, and a unit, or no unit for bytes.
pub(crate) fn size(text: &str) -> Option<u64> {
    let (number, unit) = split(text);
    let unit = if unit.is_empty() { "B" } else { unit };
    let (_, unit) = SIZES.iter().find(|(name, _)| *name == unit)?;
    u64::try_from(scaled(number, *unit)?).ok()
}

/// Reads a share of one: a decimal number from 0 to 1.
pub(crate) fn share(text: &str) -> Option<f64> {
    if !is_decimal(text) {
        return None;
    }
    text.parse()
        .ok()
        .filter(|share| (0.0..=1.0).contains(share))
}

/// Reads a count: digits only, as `parse` alone would take a sign.
pub(crate) fn count(text: &str) -> Option<u32> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// The number and the unit of a text.
fn split(text: &str) -> (&str, &str) {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    text.split_at(end)
}

fn is_decimal(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let points = text.bytes().filter(|b| *b == b'.').count();
    digits > 0 && points <= 1 && digits + points == text.len() && text.len() <= DIGITS_MAX
}

/// A decimal number times a unit; `None` when that is no whole number or too large.
fn scaled(number: &str, unit: u128) -> Option<u128> {
    if !is_decimal(number) {
        return None;
    }
    let (whole, rest) = number.split_once('.').unwrap_or((number, ""));
    let whole = match whole {
        "" => 0,
        digits => digits.parse::<u128>().ok()?.checked_mul(unit)?,
    };
    let rest = rest.trim_end_matches('0');
    if rest.is_empty() {
        return Some(whole);
    }
    let below = 10u128.checked_pow(u32::try_from(rest.len()).ok()?)?;
    let part = rest.parse::<u128>().ok()?.checked_mul(unit)?;
    (part % below == 0).then(|| whole.checked_add(part / below))?
}

/// More digits than any number that fits needs; it keeps the sums within their types.
const DIGITS_MAX: usize = 40;

/// Units of spans in nanoseconds, the largest first.
const SPANS: &[(&str, u128)] = &[
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

/// Units of sizes in bytes; those that are written first come first.
const SIZES: &[(&str, u128)] = &[
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("kB", 1_000),
    ("KB", 1_000),
    ("B", 1),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_exact_both_ways() {
        for text in ["0s", "3s", "1500ms", "30ms", "250us", "7ns", "1000001ns"] {
            let read = span(text).expect("a span");
            assert_eq!(Span(read).to_string(), text);
        }
        assert_eq!(span("1.5s"), Some(Duration::from_millis(1500)));
        assert_eq!(span(".5ms"), Some(Duration::from_micros(500)));
        assert_eq!(span("0.000000001s"), Some(Duration::from_nanos(1)));
        for wrong in [
            "",
            "s",
            "1",
            "-1s",
            "+1s",
            "1e3s",
            "1.2.3s",
            ".s",
            "1.5ns",
            "1 s",
            "1m",
            "18446744074s",
        ] {
            assert_eq!(span(wrong), None, "{wrong}");
        }
        assert_eq!(span(&format!("{}s", "9".repeat(50))), None);
    }

    #[test]
    fn sizes_are_exact_both_ways() {
        for text in ["0B", "64KiB", "1500B", "1MB", "3GiB", "2kB", "1MiB", "10GB"] {
            let read = size(text).expect("a size");
            assert_eq!(Size(read).to_string(), text);
        }
        assert_eq!(size("12"), Some(12));
        assert_eq!(size("1.5KiB"), Some(1536));
        for wrong in ["", "KiB", "-1B", "1.5B", "1TB", "99999999999GB"] {
            assert_eq!(size(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn shares_lie_between_none_and_all() {
        assert_eq!(share("0"), Some(0.0));
        assert_eq!(share("1"), Some(1.0));
        assert_eq!(share("0.25"), Some(0.25));
        for wrong in ["", "1.01", "-0.1", "+0.1", "nan", "inf", "1e-3", ".", "5%"] {
            assert_eq!(share(wrong), None, "{wrong}");
        }
        assert_eq!(count("17"), Some(17));
        assert_eq!(count("+17"), None);
        assert_eq!(count("99999999999"), None);
    }
}
