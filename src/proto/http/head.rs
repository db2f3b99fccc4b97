//! Heads as they are received: where they end, and what is in them.

use std::io::BufRead as _;
use std::mem::MaybeUninit;

use bytes::Bytes;
use http::header::{CONNECTION, EXPECT, UPGRADE};
use http::uri::Authority;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, Version};

use super::error::HttpError;
use super::framing;
use super::limits::HttpLimits;
use super::said::{Field, Said};

/// The head of a request.
#[derive(Clone, Debug)]
pub struct RequestHead {
    /// What is to be done.
    pub method: Method,
    /// On what: a path with a query, a whole URI (to a proxy), an authority (CONNECT), or `*`.
    pub target: Uri,
    /// HTTP/1.0 or HTTP/1.1.
    pub version: Version,
    /// The fields, in order.
    pub headers: HeaderMap,
}

/// The head of a response.
#[derive(Clone, Debug)]
pub struct ResponseHead {
    /// How it went.
    pub status: StatusCode,
    /// The phrase after the status; `None` for the usual one.
    pub reason: Option<ReasonPhrase>,
    /// HTTP/1.0 or HTTP/1.1.
    pub version: Version,
    /// The fields, in order.
    pub headers: HeaderMap,
}

impl RequestHead {
    /// A request of HTTP/1.1 without fields.
    #[must_use]
    pub fn new(method: Method, target: Uri) -> Self {
        Self {
            method,
            target,
            version: Version::HTTP_11,
            headers: HeaderMap::new(),
        }
    }

    /// Whether the client waits for `100 Continue` before it sends the body (RFC 9110 §10.1.1).
    #[must_use]
    pub fn expects_continue(&self) -> bool {
        self.version == Version::HTTP_11 && self.headers.contains_key(EXPECT)
    }

    /// Whether the client would like another protocol (RFC 9110 §7.8).
    #[must_use]
    pub fn wants_upgrade(&self) -> bool {
        self.version == Version::HTTP_11
            && self.headers.contains_key(UPGRADE)
            && has_token(&self.headers, &CONNECTION, "upgrade")
    }
}

impl ResponseHead {
    /// A response of HTTP/1.1 without fields.
    #[must_use]
    pub fn new(status: StatusCode) -> Self {
        Self {
            status,
            reason: None,
            version: Version::HTTP_11,
            headers: HeaderMap::new(),
        }
    }
}

/// The text after a status: visible ASCII, spaces, tabs and obs-text (RFC 9112 §4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReasonPhrase(Bytes);

impl ReasonPhrase {
    /// A phrase of one's own; `None` when it has a line end or another control character.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let fine = text.bytes().all(|b| b == b'\t' || !b.is_ascii_control());
        fine.then(|| Self(Bytes::copy_from_slice(text.as_bytes())))
    }

    /// The bytes of the phrase.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// How far an unfinished head was looked at, so that no byte is looked at twice.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Scan {
    seen: usize,
    /// Where the line that is being looked at begins.
    line: usize,
}

impl Scan {
    /// Whether nothing of a head was looked at yet.
    pub(super) const fn is_fresh(&self) -> bool {
        self.seen == 0
    }

    /// Where the fields end: after the empty line. A line's end is CRLF and nothing else.
    pub(super) fn find_end(
        &mut self,
        rx: &[u8],
        limits: &HttpLimits,
    ) -> Result<Option<usize>, HttpError> {
        while let Some(next) = after_line(rx, self.seen) {
            let at = next - 1;
            if at == self.line || rx[at - 1] != b'\r' {
                return Err(HttpError::bad("a line that ends without a CR"));
            }
            let empty = at - 1 == self.line;
            (self.seen, self.line) = (next, next);
            if empty {
                *self = Self::default();
                return within(next, limits).map(|()| Some(next));
            }
        }
        self.seen = rx.len();
        within(rx.len(), limits).map(|()| None)
    }

    /// The same for a head, whose first line has a limit of its own.
    pub(super) fn find_head_end(
        &mut self,
        rx: &[u8],
        too_long: StatusCode,
        limits: &HttpLimits,
    ) -> Result<Option<usize>, HttpError> {
        let first = self.line == 0;
        let found = self.find_end(rx, limits);
        let most = limits.start_line_bytes_max + 2;
        if first && rx.len() > most && !rx[..most].contains(&b'\n') {
            return Err(HttpError::peer(too_long, "too long a first line"));
        }
        found
    }
}

/// Where the line that `from` lies in ends, after its LF. The standard library finds it many
/// bytes at a time.
fn after_line(rx: &[u8], from: usize) -> Option<usize> {
    let mut rest = &rx[from..];
    // Reading from memory never fails.
    let n = rest.skip_until(b'\n').unwrap_or_default();
    let next = from + n;
    (n > 0 && rx[next - 1] == b'\n').then_some(next)
}

fn within(bytes: usize, limits: &HttpLimits) -> Result<(), HttpError> {
    if bytes > limits.head_bytes_max {
        let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
        return Err(HttpError::peer(status, "too large a head"));
    }
    Ok(())
}

/// Fields whose places are noted on the stack.
const USUAL: usize = 32;

/// A request's head, `text` being all of it; `said` is what it says to the connection.
pub(super) fn request<'a>(
    text: &'a [u8],
    limits: &HttpLimits,
    said: &mut Said<'a>,
) -> Result<RequestHead, HttpError> {
    let mut fields = vec![httparse::EMPTY_HEADER; limits.headers_max];
    let mut parsed = httparse::Request::new(&mut fields);
    done(parsed.parse(text), text)?;
    request_of(&parsed, said)
}

/// The same for a head that came whole, with at most [`USUAL`] fields, at the beginning of `rx`:
/// where it ends, too. None says nothing: the careful way, line by line, says what there is.
pub(super) fn whole_request<'a>(
    rx: &'a [u8],
    limits: &HttpLimits,
    said: &mut Said<'a>,
) -> Option<(usize, Result<RequestHead, HttpError>)> {
    let mut fields = [const { MaybeUninit::uninit() }; USUAL];
    let mut parsed = httparse::Request::new(&mut []);
    let most = limits.headers_max.min(USUAL);
    let parsing = parsed.parse_with_uninit_headers(rx, &mut fields[..most]);
    let Ok(httparse::Status::Complete(end)) = parsing else {
        return None;
    };
    let text = &rx[..end];
    // httparse takes a bare LF for a line's end, and empty lines before the first.
    let place = |piece: &str| piece.as_ptr() as usize - text.as_ptr() as usize;
    let strict = |field: &httparse::Header<'_>| text[..place(field.name)].ends_with(b"\r\n");
    let first = place(parsed.path?) + parsed.path?.len() + b" HTTP/1.1".len();
    let fine = text.ends_with(b"\r\n\r\n")
        && place(parsed.method?) == 0
        && first <= limits.start_line_bytes_max
        && end <= limits.head_bytes_max
        && parsed.headers.iter().all(strict);
    fine.then(|| (end, request_of(&parsed, said)))
}

#[inline]
fn request_of<'a>(
    parsed: &httparse::Request<'_, 'a>,
    said: &mut Said<'a>,
) -> Result<RequestHead, HttpError> {
    let method = parsed.method.unwrap_or_default();
    let method = Method::from_bytes(method.as_bytes()).map_err(|_| HttpError::bad("no method"))?;
    let target = target(&method, parsed.path.unwrap_or_default().as_bytes())?;
    let headers = headers(parsed.headers, said)?;
    let version = version(parsed.version);
    check_host(said, version)?;
    check_expectation(&headers, said)?;
    Ok(RequestHead {
        method,
        target,
        version,
        headers,
    })
}

/// A response's head, `text` being all of it; `said` is what it says to the connection.
pub(super) fn response<'a>(
    text: &'a [u8],
    limits: &HttpLimits,
    said: &mut Said<'a>,
) -> Result<ResponseHead, HttpError> {
    let mut fields = vec![httparse::EMPTY_HEADER; limits.headers_max];
    let mut parsed = httparse::Response::new(&mut fields);
    done(parsed.parse(text), text)?;
    let status = StatusCode::from_u16(parsed.code.unwrap_or_default())
        .map_err(|_| HttpError::bad("no status"))?;
    // httparse gives nothing for a phrase with bytes beyond ASCII: it stands between here.
    let reason = parsed.reason.unwrap_or_default();
    let usual = status.canonical_reason().unwrap_or_default();
    let own = reason != usual && !reason.is_empty();
    Ok(ResponseHead {
        status,
        reason: own.then(|| ReasonPhrase(Bytes::copy_from_slice(reason.as_bytes()))),
        version: version(parsed.version),
        headers: headers(parsed.headers, said)?,
    })
}

/// The fields after a chunked body, `text` being all of them with the empty line.
pub(super) fn trailers(text: &[u8], limits: &HttpLimits) -> Result<HeaderMap, HttpError> {
    if text == b"\r\n" {
        return Ok(HeaderMap::new());
    }
    let mut fields = vec![httparse::EMPTY_HEADER; limits.headers_max];
    let parsed = match httparse::parse_headers(text, &mut fields) {
        Ok(httparse::Status::Complete((_, parsed))) => parsed,
        Ok(httparse::Status::Partial) => return Err(HttpError::bad("a trailer broke off")),
        Err(why) => return Err(malformed(why)),
    };
    let trailers = headers(parsed, &mut Said::default())?;
    // RFC 9110 §6.5.1: what frames or routes a message cannot come after it.
    match trailers
        .keys()
        .any(|name| framing::NOT_IN_TRAILERS.contains(name))
    {
        true => Err(HttpError::bad("a field that cannot be a trailer")),
        false => Ok(trailers),
    }
}

fn done(
    parsed: Result<httparse::Status<usize>, httparse::Error>,
    text: &[u8],
) -> Result<(), HttpError> {
    match parsed {
        Ok(httparse::Status::Complete(n)) if n == text.len() => Ok(()),
        Err(httparse::Error::Version) if !names_version(text) => {
            Err(HttpError::bad("a malformed first line"))
        }
        Ok(_) => Err(HttpError::bad("an empty line where none may be")),
        Err(why) => Err(malformed(why)),
    }
}

/// Whether the first line has a version where it belongs, whichever.
fn names_version(text: &[u8]) -> bool {
    let line = text.split(|b| *b == b'\r').next().unwrap_or_default();
    let words: Vec<&[u8]> = line.split(|b| *b == b' ').collect();
    let is_version = |word: &[u8]| match word.strip_prefix(b"HTTP/") {
        Some([major, b'.', minor]) => major.is_ascii_digit() && minor.is_ascii_digit(),
        _ => false,
    };
    match words[..] {
        [first, _, ..] if is_version(first) => true,
        [_, _, last] => is_version(last),
        _ => false,
    }
}

const fn malformed(why: httparse::Error) -> HttpError {
    use httparse::Error as E;
    match why {
        E::HeaderName => HttpError::bad("a malformed field name"),
        E::HeaderValue => HttpError::bad("a malformed field value"),
        E::NewLine => HttpError::bad("a malformed line end"),
        E::Status => HttpError::bad("a malformed status"),
        E::Token => HttpError::bad("a malformed first line"),
        E::TooManyHeaders => HttpError::peer(
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            "too many fields",
        ),
        E::Version => HttpError::peer(
            StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            "a version other than HTTP/1.0 and HTTP/1.1",
        ),
    }
}

const fn version(minor: Option<u8>) -> Version {
    match minor {
        Some(0) => Version::HTTP_10,
        _ => Version::HTTP_11,
    }
}

/// Each value is a copy of its own: as shares of one copy they would cost a count that is kept
/// atomically for each, which is no less, and one of them would hold all.
fn headers<'a>(
    parsed: &[httparse::Header<'a>],
    said: &mut Said<'a>,
) -> Result<HeaderMap, HttpError> {
    let mut map = HeaderMap::with_capacity(parsed.len());
    for field in parsed {
        let name = HeaderName::from_bytes(field.name.as_bytes())
            .map_err(|_| HttpError::bad("a malformed field name"))?;
        let value = HeaderValue::from_bytes(field.value)
            .map_err(|_| HttpError::bad("a malformed field value"))?;
        said.note(&name, field.value);
        map.append(name, value);
    }
    Ok(map)
}

/// The forms that a target may have (RFC 9112 §3.2).
fn target(method: &Method, text: &[u8]) -> Result<Uri, HttpError> {
    // A fragment is never sent, and `Uri` would drop it silently.
    let fine = text.iter().all(|b| b.is_ascii_graphic() && *b != b'#');
    let origin = text.first() == Some(&b'/');
    let star = text == b"*";
    let uri = Uri::try_from(text).ok().filter(|_| fine);
    let uri = uri.ok_or(HttpError::bad("a malformed target"))?;
    if origin && *method != Method::CONNECT {
        return Ok(uri);
    }
    let whole = uri.scheme().is_some() && uri.authority().is_some();
    let authority = uri.scheme().is_none() && uri.port_u16().is_some();
    let right = match *method {
        Method::CONNECT => authority,
        Method::OPTIONS => star || whole,
        _ => whole,
    };
    // RFC 9110 §4.2.4: user information has no place there either.
    let reaches = |authority: &Authority| framing::is_host(authority.as_str().as_bytes());
    if !uri.authority().is_none_or(reaches) {
        return Err(HttpError::bad("a malformed authority"));
    }
    match right {
        true => Ok(uri),
        false => Err(HttpError::bad(
            "a target of a form that the method does not have",
        )),
    }
}

/// RFC 9112 §3.2: exactly one Host in HTTP/1.1, and a valid one wherever it is.
fn check_host(said: &Said<'_>, version: Version) -> Result<(), HttpError> {
    match said.host {
        Field::None if version == Version::HTTP_11 => Err(HttpError::bad("no Host")),
        Field::Many => Err(HttpError::bad("more than one Host")),
        Field::One(host) if !framing::is_host(host) => Err(HttpError::bad("a malformed Host")),
        _ => Ok(()),
    }
}

/// RFC 9110 §10.1.1: `100-continue` is the only expectation there is.
fn check_expectation(headers: &HeaderMap, said: &Said<'_>) -> Result<(), HttpError> {
    let known = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"100-continue");
    match !said.expects || headers.get_all(EXPECT).iter().all(known) {
        true => Ok(()),
        false => Err(HttpError::peer(
            StatusCode::EXPECTATION_FAILED,
            "an expectation that is not known",
        )),
    }
}

/// Whether a list field has a token, compared without case.
pub(super) fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    tokens(headers, name).any(|t| t.eq_ignore_ascii_case(token.as_bytes()))
}

/// The members of a list field (RFC 9110 §5.6.1), trimmed, without the empty ones.
pub(super) fn tokens<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> impl Iterator<Item = &'a [u8]> {
    let values = headers.get_all(name).into_iter();
    values
        .flat_map(|value| value.as_bytes().split(|b| *b == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|token| !token.is_empty())
}
