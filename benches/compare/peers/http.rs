//! httparse by hand: the floor of the rows on HTTP. `GET /hello` and `POST /echo` are answered, a
//! length is believed, and what is not complete is kept.

use std::io::{self, ErrorKind, Write};

use super::App;

#[derive(Default)]
pub(super) struct Http {
    /// The beginning of a request that is not complete.
    kept: Vec<u8>,
    out: Vec<u8>,
}

impl App for Http {
    fn feed<'a>(&'a mut self, input: &'a [u8]) -> io::Result<&'a [u8]> {
        self.out.clear();
        if self.kept.is_empty() {
            let used = answers(input, &mut self.out)?;
            self.kept.extend_from_slice(&input[used..]);
        } else {
            self.kept.extend_from_slice(input);
            let used = answers(&self.kept, &mut self.out)?;
            self.kept.drain(..used);
        }
        Ok(&self.out)
    }
}

/// Answers all complete requests; gives the bytes that these were.
fn answers(data: &[u8], out: &mut Vec<u8>) -> io::Result<usize> {
    let mut used = 0;
    while let Some(len) = answer(&data[used..], out)? {
        used += len;
    }
    Ok(used)
}

fn answer(data: &[u8], out: &mut Vec<u8>) -> io::Result<Option<usize>> {
    if data.is_empty() {
        return Ok(None);
    }
    let mut fields = [httparse::EMPTY_HEADER; 32];
    let mut request = httparse::Request::new(&mut fields);
    let httparse::Status::Complete(head) = request.parse(data).map_err(io::Error::other)? else {
        return Ok(None);
    };
    let named = |field: &&httparse::Header<'_>| field.name.eq_ignore_ascii_case("content-length");
    let length = match request.headers.iter().find(named) {
        Some(field) => number(field.value).ok_or(ErrorKind::InvalidData)?,
        None => 0,
    };
    let Some(body) = data[head..].get(..length) else {
        return Ok(None);
    };
    match (request.method, request.path) {
        (Some("GET"), Some("/hello")) => respond("200 OK", "text/plain", b"hello", out)?,
        (Some("POST"), Some("/echo")) => {
            respond("200 OK", "application/octet-stream", body, out)?;
        }
        _ => respond("404 Not Found", "text/plain", b"", out)?,
    }
    Ok(Some(head + length))
}

fn number(digits: &[u8]) -> Option<usize> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn respond(status: &str, kind: &str, body: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
    for piece in ["HTTP/1.1 ", status, "\r\ncontent-type: ", kind] {
        out.extend_from_slice(piece.as_bytes());
    }
    write!(out, "\r\ncontent-length: {}\r\n\r\n", body.len())?;
    out.extend_from_slice(body);
    Ok(())
}
