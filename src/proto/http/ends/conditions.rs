//! Which version of something is wanted, and which part of it: conditions and ranges (RFC 9110 §13, §14).

use std::time::Duration;

use http::header::{
    HeaderMap, HeaderName, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE,
    IF_UNMODIFIED_SINCE,
};

use super::date;

/// Whether the file is not the one that is wanted (RFC 9110 §13.1.1, §13.1.4).
pub(super) fn is_another(asked: &HeaderMap, tag: &str, modified: Option<Duration>) -> bool {
    if asked.contains_key(IF_MATCH) {
        let mut tags = tags(asked, IF_MATCH);
        return !tags.any(|one| one == b"*" || one == tag.as_bytes());
    }
    let since = asked
        .get(IF_UNMODIFIED_SINCE)
        .and_then(|v| date::parse(v.to_str().ok()?));
    let (Some(since), Some(modified)) = (since, modified) else {
        return false;
    };
    modified.as_secs() > since.as_secs()
}

/// The entity tags of a field, as they are written.
fn tags(asked: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &[u8]> {
    let values = asked.get_all(name).iter();
    values.flat_map(|v| v.as_bytes().split(|b| *b == b',').map(<[u8]>::trim_ascii))
}

/// RFC 9110 §13.2.2: a tag counts more than a date.
pub(super) fn is_unchanged(asked: &HeaderMap, tag: &str, modified: Option<Duration>) -> bool {
    if asked.contains_key(IF_NONE_MATCH) {
        return tags(asked, IF_NONE_MATCH)
            .any(|one| one == b"*" || one.strip_prefix(b"W/").unwrap_or(one) == tag.as_bytes());
    }
    let since = asked
        .get(IF_MODIFIED_SINCE)
        .and_then(|v| date::parse(v.to_str().ok()?));
    let (Some(since), Some(modified)) = (since, modified) else {
        return false;
    };
    modified.as_secs() <= since.as_secs()
}

/// RFC 9110 §13.1.5: a range of another version is of no use.
pub(super) fn may_be_partial(asked: &HeaderMap, tag: &str, modified: Option<Duration>) -> bool {
    let Some(condition) = asked.get(IF_RANGE) else {
        return true;
    };
    let Ok(text) = condition.to_str() else {
        return false;
    };
    match date::parse(text) {
        Some(at) => modified.is_some_and(|modified| modified.as_secs() == at.as_secs()),
        None => text == tag,
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Range {
    Part { from: u64, len: u64 },
    Unsatisfiable,
}

/// One range of bytes (RFC 9110 §14.1.2); `None` for several, or what is none: then the whole is
/// sent.
pub(super) fn parse_range(text: &str, len: u64) -> Option<Range> {
    let (first, last) = text.strip_prefix("bytes=")?.trim().split_once('-')?;
    let number = |text: &str| -> Option<u64> {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| text.parse().unwrap_or(u64::MAX))
    };
    let (from, end) = match (number(first), last) {
        (None, last) if first.is_empty() => {
            let wanted = number(last)?;
            (len - wanted.min(len), if wanted == 0 { 0 } else { len })
        }
        (Some(from), "") => (from, len),
        (Some(from), last) => {
            let last = number(last)?;
            if last < from {
                return None;
            }
            (from, last.saturating_add(1).min(len))
        }
        (None, _) => return None,
    };
    match from < end {
        true => Some(Range::Part {
            from,
            len: end - from,
        }),
        false => Some(Range::Unsatisfiable),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        let part = |from, len| Some(Range::Part { from, len });
        for (text, wanted) in [
            ("bytes=0-4", part(0, 5)),
            ("bytes=2-", part(2, 8)),
            ("bytes=-3", part(7, 3)),
            ("bytes=-30", part(0, 10)),
            ("bytes=5-50", part(5, 5)),
            ("bytes=9-9", part(9, 1)),
            ("bytes=10-", Some(Range::Unsatisfiable)),
            ("bytes=-0", Some(Range::Unsatisfiable)),
            ("bytes=4-2", None),
            ("bytes=1-2,4-5", None),
            ("bytes=+1-2", None),
            ("bytes=-", None),
            ("lines=1-2", None),
            ("bytes=99999999999999999999-", Some(Range::Unsatisfiable)),
        ] {
            assert_eq!(parse_range(text, 10), wanted, "{text}");
        }
        assert_eq!(parse_range("bytes=0-0", 0), Some(Range::Unsatisfiable));
    }
}
