//! How long a message is (RFC 9112 §6), and whether another one follows.

use http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE,
    COOKIE, EXPECT, HOST, SET_COOKIE, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderName, Method, StatusCode, Version};

use super::body::Length;
use super::error::HttpError;
use super::head::{RequestHead, ResponseHead, has_token, tokens};

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
pub(super) fn of_request(head: &RequestHead) -> Result<Length, HttpError> {
    Ok(told(&head.headers, head.version)?.unwrap_or(Length::Known(0)))
}

/// The length of a response's body, which depends on what was asked.
pub(super) fn of_response(head: &ResponseHead, asked: &Method) -> Result<Length, HttpError> {
    if has_no_body(head.status, asked) {
        return Ok(Length::Known(0));
    }
    Ok(told(&head.headers, head.version)?.unwrap_or(Length::UntilClose))
}

/// RFC 9112 §6.3, first and second case.
pub(super) fn has_no_body(status: StatusCode, asked: &Method) -> bool {
    let empty = [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED];
    let tunnel = *asked == Method::CONNECT && status.is_success();
    status.is_informational() || empty.contains(&status) || *asked == Method::HEAD || tunnel
}

/// What the fields say of the length.
fn told(headers: &HeaderMap, version: Version) -> Result<Option<Length>, HttpError> {
    let chunked = is_chunked(headers, version)?;
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    match (chunked, lengths.next(), lengths.next()) {
        (true, Some(_), _) => Err(HttpError::bad("Content-Length beside Transfer-Encoding")),
        (true, None, _) => Ok(Some(Length::Chunked)),
        (false, _, Some(_)) => Err(HttpError::bad("more than one Content-Length")),
        (false, Some(value), None) => match number(value.as_bytes()) {
            Some(n) => Ok(Some(Length::Known(n))),
            None => Err(HttpError::bad("a Content-Length that is no number")),
        },
        (false, None, None) => Ok(None),
    }
}

/// Whether the one transfer coding that we know is applied, once and last.
fn is_chunked(headers: &HeaderMap, version: Version) -> Result<bool, HttpError> {
    if !headers.contains_key(TRANSFER_ENCODING) {
        return Ok(false);
    }
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

/// Whether another message may follow this one (RFC 9112 §9.3).
pub(super) fn keeps_alive(headers: &HeaderMap, version: Version) -> bool {
    if has_token(headers, &CONNECTION, "close") {
        return false;
    }
    version == Version::HTTP_11 || has_token(headers, &CONNECTION, "keep-alive")
}

/// `uri-host [":" port]` (RFC 9110 §7.2), empty included.
pub(super) fn is_host(text: &[u8]) -> bool {
    let (host, port) = match text.iter().rposition(|b| *b == b':') {
        Some(at) if !text.ends_with(b"]") => (&text[..at], &text[at + 1..]),
        _ => (text, &text[..0]),
    };
    let digits = port.len() <= 5 && port.iter().all(u8::is_ascii_digit);
    let literal = host.strip_prefix(b"[").and_then(|h| h.strip_suffix(b"]"));
    let inside = |b: &u8| b.is_ascii_alphanumeric() || b"-._~!$&'()*+;=%".contains(b);
    digits
        && match literal {
            Some(inner) => !inner.is_empty() && inner.iter().all(|b| inside(b) || *b == b':'),
            None => host.iter().all(inside),
        }
}

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
