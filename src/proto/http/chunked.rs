//! The chunked transfer coding (RFC 9112 §7.1), received.
//!
//! ```text
//! Size --line--> Data --all of it--> Gap --CRLF--> Size ... --size 0--> Trailers --empty line--> end
//! ```
//! Stricter than the grammar where receivers are known to disagree: no white space around a size,
//! no line end but CRLF, no control character in an extension.

use http::HeaderMap;

use super::error::HttpError;
use super::head;
use super::limits::HttpLimits;

/// What a body's reader came by.
#[derive(Clone, Debug)]
pub(super) enum Piece {
    /// Nothing that can be handed on yet.
    NeedMore,
    /// So many bytes of the body.
    Data(usize),
    /// The body is complete; with its trailers.
    End(HeaderMap),
}

/// Where a chunked body stands.
#[derive(Clone, Debug, Default)]
pub(super) struct Chunks {
    at: At,
    /// Bytes of extensions so far.
    extensions: usize,
    /// Bytes of an unfinished line that were looked at.
    scan: head::Scan,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum At {
    #[default]
    Size,
    Data(u64),
    Gap,
    Trailers,
}

impl Chunks {
    /// Takes in as much as makes one piece: how many bytes, and what the last of them are.
    pub(super) fn read(
        &mut self,
        rx: &[u8],
        limits: &HttpLimits,
    ) -> Result<(usize, Piece), HttpError> {
        let mut taken = 0;
        loop {
            let rest = &rx[taken..];
            match self.at {
                At::Size => {
                    let Some(line) = self.line(rest, limits)? else {
                        return Ok((taken, Piece::NeedMore));
                    };
                    let size = self.size(&rest[..line], limits)?;
                    taken += line + 2;
                    self.at = if size == 0 {
                        At::Trailers
                    } else {
                        At::Data(size)
                    };
                }
                At::Data(left) => {
                    let n = left.min(rest.len() as u64);
                    // unwrap: it is at most the length of a slice.
                    let len = usize::try_from(n).unwrap_or(rest.len());
                    if len == 0 {
                        return Ok((taken, Piece::NeedMore));
                    }
                    self.at = if n == left {
                        At::Gap
                    } else {
                        At::Data(left - n)
                    };
                    return Ok((taken + len, Piece::Data(len)));
                }
                At::Gap => match rest {
                    [b'\r', b'\n', ..] => {
                        taken += 2;
                        self.at = At::Size;
                    }
                    [] | [b'\r'] => return Ok((taken, Piece::NeedMore)),
                    _ => return Err(HttpError::bad("a chunk is longer than its size says")),
                },
                At::Trailers => {
                    let Some(end) = self.scan.find_end(rest, limits)? else {
                        return Ok((taken, Piece::NeedMore));
                    };
                    let trailers = head::trailers(&rest[..end], limits)?;
                    return Ok((taken + end, Piece::End(trailers)));
                }
            }
        }
    }

    /// The length of the line that holds a chunk's size, without its end.
    fn line(&self, rest: &[u8], limits: &HttpLimits) -> Result<Option<usize>, HttpError> {
        let most = SIZE_DIGITS_MAX + limits.chunk_extension_bytes_max;
        let shown = &rest[..rest.len().min(most + 2)];
        match shown.iter().position(|b| *b == b'\n') {
            Some(0) => Err(HttpError::bad("a chunk without a size")),
            Some(at) if shown[at - 1] == b'\r' => Ok(Some(at - 1)),
            Some(_) => Err(HttpError::bad("a line that ends without a CR")),
            None if shown.len() == most + 2 => Err(HttpError::bad("too long a chunk extension")),
            None => Ok(None),
        }
    }

    fn size(&mut self, line: &[u8], limits: &HttpLimits) -> Result<u64, HttpError> {
        let digits = line.iter().take_while(|b| b.is_ascii_hexdigit()).count();
        if digits == 0 || digits > SIZE_DIGITS_MAX {
            return Err(HttpError::bad(
                "a chunk size is one to sixteen hexadecimal digits",
            ));
        }
        let mut size = 0u64;
        for digit in &line[..digits] {
            let digit = char::from(*digit).to_digit(16).unwrap_or(0);
            size = size << 4 | u64::from(digit);
        }
        let extension = &line[digits..];
        if !extension.is_empty() && extension[0] != b';' {
            return Err(HttpError::bad("a chunk size is followed by something else"));
        }
        if extension
            .iter()
            .any(|b| b.is_ascii_control() && *b != b'\t')
        {
            return Err(HttpError::bad("a control character in a chunk extension"));
        }
        self.extensions += extension.len();
        if self.extensions > limits.chunk_extension_bytes_max {
            return Err(HttpError::bad("too many chunk extensions"));
        }
        Ok(size)
    }
}

/// Digits of the largest chunk: 2^64 - 1 bytes.
const SIZE_DIGITS_MAX: usize = 16;
