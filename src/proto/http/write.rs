//! Heads as they are sent. Nothing is written unless the whole head makes one message.

use std::io::Write as _;

use http::header::CONNECTION;
use http::{HeaderMap, Method, StatusCode, Uri};

use super::error::Misuse;
use super::framing;
use super::head::{RequestHead, ResponseHead};
use super::said::{Field, Said};

/// How the head says how long the body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// By nothing: there is none, or it goes on until the end of the connection.
    Silent,
    Known(u64),
    Chunked,
}

/// What is said of the connection's future.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Future {
    /// Nothing: what the version means.
    Default,
    Close,
    KeepAlive,
}

pub(super) fn request(
    head: &RequestHead,
    said: &Said<'_>,
    told: Told,
    out: &mut Vec<u8>,
) -> Result<(), Misuse> {
    let target = target(&head.method, &head.target)?;
    match said.host {
        Field::None => return Err(Misuse::NoHost),
        Field::One(host) if framing::is_host(host) => {}
        _ => return Err(Misuse::Head),
    }
    agree(said, told)?;
    out.extend_from_slice(head.method.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(target.as_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\n");
    fields(&head.headers, out);
    length(said, told, out);
    out.extend_from_slice(b"\r\n");
    Ok(())
}

pub(super) fn response(
    head: &ResponseHead,
    said: &Said<'_>,
    told: Told,
    future: Future,
    out: &mut Vec<u8>,
) -> Result<(), Misuse> {
    agree(said, told)?;
    match (&head.reason, head.status) {
        (None, StatusCode::OK) => out.extend_from_slice(b"HTTP/1.1 200 OK\r\n"),
        (reason, status) => {
            let usual = status.canonical_reason().unwrap_or_default();
            let phrase = reason.as_ref().map_or(usual.as_bytes(), |r| r.as_bytes());
            out.extend_from_slice(b"HTTP/1.1 ");
            out.extend_from_slice(status.as_str().as_bytes());
            out.push(b' ');
            out.extend_from_slice(phrase);
            out.extend_from_slice(b"\r\n");
        }
    }
    fields(&head.headers, out);
    length(said, told, out);
    match future {
        Future::Close if !said.connection || !says_close(&head.headers) => {
            out.extend_from_slice(b"connection: close\r\n");
        }
        Future::KeepAlive if !said.connection => {
            out.extend_from_slice(b"connection: keep-alive\r\n");
        }
        _ => {}
    }
    out.extend_from_slice(b"\r\n");
    Ok(())
}

/// The last chunk and the trailers after it.
pub(super) fn last_chunk(trailers: &HeaderMap, out: &mut Vec<u8>) -> Result<(), Misuse> {
    if trailers
        .keys()
        .any(|name| framing::NOT_IN_TRAILERS.contains(name))
    {
        return Err(Misuse::Framing);
    }
    out.extend_from_slice(b"0\r\n");
    fields(trailers, out);
    out.extend_from_slice(b"\r\n");
    Ok(())
}

pub(super) fn chunk(data: &[u8], out: &mut Vec<u8>) {
    // Writing into a Vec never fails.
    let _ = write!(out, "{:x}\r\n", data.len());
    out.extend_from_slice(data);
    out.extend_from_slice(b"\r\n");
}

/// `http`'s names and values hold no line end, so a field cannot become two.
fn fields(headers: &HeaderMap, out: &mut Vec<u8>) {
    for (name, value) in headers {
        out.extend_from_slice(name.as_str().as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
}

fn length(said: &Said<'_>, told: Told, out: &mut Vec<u8>) {
    match told {
        Told::Known(n) if !said.length.is_there() => {
            out.extend_from_slice(b"content-length: ");
            decimal(n, out);
            out.extend_from_slice(b"\r\n");
        }
        Told::Chunked if !said.coding.is_there() => {
            out.extend_from_slice(b"transfer-encoding: chunked\r\n");
        }
        _ => {}
    }
}

/// Digits, without the detour over the formatter, which costs more than the rest of a head.
fn decimal(mut n: u64, out: &mut Vec<u8>) {
    let mut digits = [b'0'; 20];
    let mut first = digits.len();
    loop {
        first -= 1;
        digits[first] += u8::try_from(n % 10).unwrap_or(0);
        n /= 10;
        if n == 0 {
            return out.extend_from_slice(&digits[first..]);
        }
    }
}

/// Whether framing fields of the caller's own, if any, say what is going to be sent.
fn agree(said: &Said<'_>, told: Told) -> Result<(), Misuse> {
    let right_length = match (said.length, told) {
        (Field::None, _) => true,
        (Field::One(value), Told::Known(n)) => value == n.to_string().as_bytes(),
        _ => false,
    };
    let right_coding = match (said.coding, told) {
        (Field::None, _) => true,
        (Field::One(value), Told::Chunked) => value.eq_ignore_ascii_case(b"chunked"),
        _ => false,
    };
    (right_length && right_coding)
        .then_some(())
        .ok_or(Misuse::Framing)
}

fn says_close(headers: &HeaderMap) -> bool {
    super::head::has_token(headers, &CONNECTION, "close")
}

/// The target in the form that goes with the method (RFC 9112 §3.2).
fn target(method: &Method, uri: &Uri) -> Result<String, Misuse> {
    let text = match (method, uri.authority()) {
        (&Method::CONNECT, Some(authority)) if uri.scheme().is_none() => authority.to_string(),
        (&Method::CONNECT, _) => return Err(Misuse::Head),
        (_, Some(_)) if uri.scheme().is_some() => uri.to_string(),
        (_, Some(_)) => return Err(Misuse::Head),
        (_, None) => uri
            .path_and_query()
            .map(ToString::to_string)
            .unwrap_or_default(),
    };
    let star = text == "*" && *method == Method::OPTIONS;
    let form = star || text.starts_with('/') || uri.authority().is_some();
    let fine = form && text.bytes().all(|b| b.is_ascii_graphic() && b != b'#');
    fine.then_some(text).ok_or(Misuse::Head)
}

/// Whether a status may have a length in its head (RFC 9110 §8.6).
pub(super) fn tells_length(status: StatusCode) -> bool {
    !status.is_informational() && status != StatusCode::NO_CONTENT
}
