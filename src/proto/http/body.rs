use super::chunked::{Chunks, Piece};
use super::error::HttpError;
use super::limits::HttpLimits;

/// How the end of a body is told (RFC 9112 §6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// So many bytes; zero is no body.
    Known(u64),
    /// In chunks, with a last one.
    Chunked,
    /// By the end of the connection: responses only.
    UntilClose,
}

/// Finds the end of a body that is received.
#[derive(Clone, Debug)]
pub(super) enum Reader {
    /// Bytes that are left.
    Known(u64),
    Chunked(Chunks),
    UntilClose,
}

impl Reader {
    pub(super) fn new(length: Length) -> Self {
        match length {
            Length::Known(n) => Self::Known(n),
            Length::Chunked => Self::Chunked(Chunks::default()),
            Length::UntilClose => Self::UntilClose,
        }
    }

    /// Looks at what was received: how many bytes to take, and what the last of them are.
    ///
    /// `Piece::Data` counts the bytes at the end of what is taken.
    pub(super) fn read(
        &mut self,
        rx: &[u8],
        ended: bool,
        limits: &HttpLimits,
    ) -> Result<(usize, Piece), HttpError> {
        let all = u64::try_from(rx.len()).unwrap_or(u64::MAX);
        let got = match self {
            Self::Known(0) => (0, Piece::End(http::HeaderMap::new())),
            Self::Known(_) | Self::UntilClose if !rx.is_empty() => {
                let taken = match self {
                    Self::Known(left) => {
                        let taken = all.min(*left);
                        *left -= taken;
                        taken
                    }
                    _ => all,
                };
                // unwrap: it is at most the length of a slice.
                let taken = usize::try_from(taken).unwrap_or(rx.len());
                (taken, Piece::Data(taken))
            }
            Self::UntilClose if ended => (0, Piece::End(http::HeaderMap::new())),
            Self::Known(_) | Self::UntilClose => (0, Piece::NeedMore),
            Self::Chunked(chunks) => chunks.read(rx, limits)?,
        };
        match got {
            (_, Piece::NeedMore) if ended => Err(HttpError::Truncated),
            got => Ok(got),
        }
    }
}
