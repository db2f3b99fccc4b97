//! Frames: four bytes of length, the most significant first, and so many bytes of payload.

use std::fmt;

/// Bytes of the length in front of a payload: aiomas' `Header.size`.
pub const HEADER_BYTES: usize = 4;

/// Cuts a stream into frames, however it is split.
///
/// A frame that lies whole in what was received is handed out where it lies. Only the beginning
/// of one that is still on its way is kept, and no more is allocated for it than has come of it
/// and 64 KiB. A length above the limit is refused as soon as it is seen.
///
/// ```
/// use hio::proto::channel::Frames;
/// let mut frames = Frames::new(1024);
/// let mut input = &b"\0\0\0\x02hi\0\0\0\x03yo"[..];
/// assert_eq!(frames.next(&mut input)?, Some(&b"hi"[..]));
/// assert_eq!(frames.next(&mut input)?, None);
/// assert_eq!(frames.next(&mut &b"u"[..])?, Some(&b"you"[..]));
/// # Ok::<(), hio::proto::channel::FrameTooLong>(())
/// ```
pub struct Frames {
    bytes_max: usize,
    /// The beginning of the frame that is on its way, with its length.
    partial: Vec<u8>,
    /// What is in `partial` was handed out whole.
    spent: bool,
}

/// A frame is longer than the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a frame of {len} bytes is longer than the limit of {max}")]
pub struct FrameTooLong {
    /// Bytes that the payload has, or would have.
    pub len: usize,
    /// The limit.
    pub max: usize,
}

impl Frames {
    /// A cutter for payloads of at most `bytes_max` bytes.
    #[must_use]
    pub const fn new(bytes_max: usize) -> Self {
        Self {
            bytes_max,
            partial: Vec::new(),
            spent: false,
        }
    }

    /// The payload of the next frame, if it is whole; what was used is taken off `input`, which is
    /// all of it when there is none.
    ///
    /// # Errors
    /// The frame is too long. The stream is of no more use then.
    #[inline]
    pub fn next<'s, 'd: 's>(
        &'s mut self,
        input: &mut &'d [u8],
    ) -> Result<Option<&'s [u8]>, FrameTooLong> {
        if self.spent {
            self.forget();
        }
        if input.is_empty() {
            return Ok(None);
        }
        if self.partial.is_empty() {
            if let Some((head, rest)) = input.split_first_chunk::<HEADER_BYTES>() {
                let len = self.length(*head)?;
                if let Some((payload, rest)) = rest.split_at_checked(len) {
                    *input = rest;
                    return Ok(Some(payload));
                }
            }
        }
        self.gather(input)
    }

    /// Bytes of a frame that is still on its way.
    #[must_use]
    pub fn held(&self) -> usize {
        match self.spent {
            true => 0,
            false => self.partial.len(),
        }
    }

    /// Collects the frame that does not lie whole in one piece.
    fn gather(&mut self, input: &mut &[u8]) -> Result<Option<&[u8]>, FrameTooLong> {
        let missing = HEADER_BYTES.saturating_sub(self.partial.len());
        self.take(missing, input);
        let Some(head) = self.partial.first_chunk::<HEADER_BYTES>() else {
            return Ok(None);
        };
        let whole = HEADER_BYTES + self.length(*head)?;
        self.take(whole - self.partial.len(), input);
        if self.partial.len() < whole {
            return Ok(None);
        }
        self.spent = true;
        Ok(Some(&self.partial[HEADER_BYTES..]))
    }

    /// Moves at most `want` bytes from the input to the held ones.
    fn take(&mut self, want: usize, input: &mut &[u8]) {
        let (taken, rest) = input.split_at(want.min(input.len()));
        let room = self.partial.capacity() - self.partial.len();
        if room < taken.len() {
            self.partial.reserve_exact(want.min(taken.len() + AHEAD));
        }
        self.partial.extend_from_slice(taken);
        *input = rest;
    }

    fn forget(&mut self) {
        self.spent = false;
        match self.partial.capacity() > AHEAD {
            true => self.partial = Vec::new(),
            false => self.partial.clear(),
        }
    }

    fn length(&self, head: [u8; HEADER_BYTES]) -> Result<usize, FrameTooLong> {
        let len = u32::from_be_bytes(head) as usize;
        match len > self.bytes_max {
            true => Err(FrameTooLong {
                len,
                max: self.bytes_max,
            }),
            false => Ok(len),
        }
    }
}

/// What peers send is not shown.
impl fmt::Debug for Frames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Frames({} bytes held)", self.held())
    }
}

/// How much may be allocated for a frame beyond what has come of it. Less than the promised
/// 64 KiB, as its length is held too.
const AHEAD: usize = 32 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(pieces: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut frames = Frames::new(100_000);
        let mut out = Vec::new();
        for piece in pieces {
            let mut input = *piece;
            while let Some(payload) = frames.next(&mut input).unwrap() {
                out.push(payload.to_vec());
            }
            assert!(input.is_empty(), "all is taken");
        }
        assert_eq!(frames.held(), 0);
        out
    }

    #[test]
    fn any_split_gives_the_same_frames() {
        let stream = b"\0\0\0\0\0\0\0\x01a\0\0\0\x05hello\0\0\0\0\0\0\0\x02xy";
        let whole = cut(&[stream]);
        assert_eq!(whole, [&b""[..], b"a", b"hello", b"", b"xy"]);
        for i in 0..=stream.len() {
            for j in i..=stream.len() {
                let pieces = [&stream[..i], &stream[i..j], &stream[j..]];
                assert_eq!(cut(&pieces), whole, "split at {i} and {j}");
            }
        }
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(cut(&bytes), whole);
    }

    #[test]
    fn a_long_length_is_refused_when_its_last_byte_comes() {
        let mut frames = Frames::new(16);
        assert_eq!(frames.next(&mut &b"\0\0\0"[..]), Ok(None));
        let refused = frames.next(&mut &b"\x11"[..]);
        assert_eq!(refused, Err(FrameTooLong { len: 17, max: 16 }));
        let mut frames = Frames::new(16);
        assert!(frames.next(&mut &b"\xff\xff\xff\xff"[..]).is_err());
        assert_eq!(frames.partial.capacity(), 0);
    }

    #[test]
    fn storage_follows_what_has_come() {
        let mut frames = Frames::new(1 << 20);
        assert_eq!(frames.next(&mut &b"\0\x10\0\0only this"[..]), Ok(None));
        assert!(frames.partial.capacity() <= 13 + 2 * AHEAD);
        let mut came = 9;
        while came < 1 << 20 {
            let piece = vec![7; (1 << 20).min(came + 5000) - came];
            came += piece.len();
            let whole = frames.next(&mut &piece[..]).unwrap().is_some();
            assert_eq!(whole, came == 1 << 20);
            assert!(frames.partial.capacity() <= came + 2 * AHEAD);
        }
        assert_eq!(frames.next(&mut &b""[..]), Ok(None));
        assert_eq!(
            frames.partial.capacity(),
            0,
            "a large storage is given back"
        );
    }
}
