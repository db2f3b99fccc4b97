//! How long a message is (RFC 9112 §6), and whether another one follows.

use http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE,
    COOKIE, EXPECT, HOST, SET_COOKIE, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderName, Method, StatusCode, Version};

use super::body::Length;
use super::error::HttpError;
use super::head::{RequestHead, ResponseHead, tokens};
use super::said::{Field, Said};

/// Fields that frame, route or guard a message, or say what it is (RFC 9110 §6.5.1).
pub(super) const NOT_IN_TRAILERS: [HeaderName; 14] = [
    AUTHORIZATION,
    CONNECTION,
    CONTENT_ENCODING,
    CONTENT_LENGTH,
    CONTENT_RANGE,
    CONTENT_TYPE,
    COOKIE,
    EXPECT,
    HOST,
    SET_COOKIE,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// The length of a request's body: told, or there is none.
pub(super) fn of_request(head: &RequestHead, said: &Said<'_>) -> Result<Length, HttpError> {
    Ok(told(said, &head.headers, head.version)?.unwrap_or(Length::Known(0)))
}

/// The length of a response's body, which depends on what was asked.
pub(super) fn of_response(
    head: &ResponseHead,
    said: &Said<'_>,
    asked: &Method,
) -> Result<Length, HttpError> {
    if has_no_body(head.status, asked) {
        return Ok(Length::Known(0));
    }
    Ok(told(said, &head.headers, head.version)?.unwrap_or(Length::UntilClose))
}

/// RFC 9112 §6.3, first and second case.
pub(super) fn has_no_body(status: StatusCode, asked: &Method) -> bool {
    let empty = [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED];
    let tunnel = *asked == Method::CONNECT && status.is_success();
    status.is_informational() || empty.contains(&status) || *asked == Method::HEAD || tunnel
}

/// What the fields say of the length.
fn told(
    said: &Said<'_>,
    headers: &HeaderMap,
    version: Version,
) -> Result<Option<Length>, HttpError> {
    let chunked = said.coding.is_there() && is_chunked(headers, version)?;
    match (chunked, said.length) {
        (false, Field::None) => Ok(None),
        (true, Field::None) => Ok(Some(Length::Chunked)),
        (true, _) => Err(HttpError::bad("Content-Length beside Transfer-Encoding")),
        (false, Field::Many) => Err(HttpError::bad("more than one Content-Length")),
        (false, Field::One(value)) => match number(value) {
            Some(n) => Ok(Some(Length::Known(n))),
            None => Err(HttpError::bad("a Content-Length that is no number")),
        },
    }
}

/// Whether the transfer coding, as there is one, is the one that we know, applied once and last.
fn is_chunked(headers: &HeaderMap, version: Version) -> Result<bool, HttpError> {
    // RFC 9112 §6.1: whoever sends this does not know what it says.
    if version == Version::HTTP_10 {
        return Err(HttpError::bad("Transfer-Encoding in HTTP/1.0"));
    }
    let chunked = |token: &[u8]| token.eq_ignore_ascii_case(b"chunked");
    let all: Vec<&[u8]> = tokens(headers, &TRANSFER_ENCODING).collect();
    match all[..] {
        [] => Err(HttpError::bad("an empty Transfer-Encoding")),
        [one] if chunked(one) => Ok(true),
        [.., last] if !chunked(last) && all.iter().any(|token| chunked(token)) => {
            Err(HttpError::bad("chunked is not the last transfer coding"))
        }
        _ if all.iter().filter(|token| chunked(token)).count() > 1 => {
            Err(HttpError::bad("chunked twice"))
        }
        _ => Err(HttpError::peer(
            StatusCode::NOT_IMPLEMENTED,
            "a transfer coding other than chunked",
        )),
    }
}

/// Digits and nothing else: `parse` alone would take a sign.
fn number(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0u64, |n, digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        n.checked_mul(10)?.checked_add(digit)
    })
}

/// `uri-host [":" port]` (RFC 9110 §7.2), empty included.
pub(super) fn is_host(text: &[u8]) -> bool {
    let inside = |b: &u8| IN_HOST[usize::from(*b)];
    text.iter().all(inside) || is_host_with_more(text)
}

/// The same where there is a port, or an address in brackets.
fn is_host_with_more(text: &[u8]) -> bool {
    let (host, port) = match text.iter().rposition(|b| *b == b':') {
        Some(at) if !text.ends_with(b"]") => (&text[..at], &text[at + 1..]),
        _ => (text, &text[..0]),
    };
    let digits = port.len() <= 5 && port.iter().all(u8::is_ascii_digit);
    let literal = host.strip_prefix(b"[").and_then(|h| h.strip_suffix(b"]"));
    let inside = |b: &u8| IN_HOST[usize::from(*b)];
    digits
        && match literal {
            Some(inner) => !inner.is_empty() && inner.iter().all(|b| inside(b) || *b == b':'),
            None => host.iter().all(inside),
        }
}

/// The bytes of a registered name (RFC 3986 §3.2.2).
const IN_HOST: [bool; 256] = {
    let (mut table, mut i) = ([false; 256], 0);
    let others = b"-._~!$&'()*+;=%";
    while i < 256 {
        #[expect(clippy::cast_possible_truncation, reason = "i is below 256")]
        let byte = i as u8;
        table[i] = byte.is_ascii_alphanumeric();
        i += 1;
    }
    i = 0;
    while i < others.len() {
        table[others[i] as usize] = true;
        i += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_digits_that_fit() {
        for (text, value) in [("0", Some(0)), ("18446744073709551615", Some(u64::MAX))] {
            assert_eq!(number(text.as_bytes()), value);
        }
        for text in [
            "",
            "+5",
            "-0",
            "5 ",
            "0x5",
            "18446744073709551616",
            "1_0",
            "5,5",
        ] {
            assert_eq!(number(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn hosts() {
        for host in [
            "",
            "a",
            "a.b:80",
            "[::1]",
            "[::1]:8080",
            "127.0.0.1:1",
            "a:",
            "ex_ample",
        ] {
            assert!(is_host(host.as_bytes()), "{host}");
        }
        for host in [
            "a b", "a,b", "a@b", "a/b", "::1", "[::1", "a:b", "a:123456", "[]", "a\x7f",
        ] {
            assert!(!is_host(host.as_bytes()), "{host}");
        }
    }
}
