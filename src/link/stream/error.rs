use std::fmt;
use std::io;

#[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
use crate::link::tls::{StartTlsError, TlsError};
use crate::link::{CloseReason, LimitsError};
use crate::net::NetError;
use crate::tyme::Expired;

/// What a [`NetworkStream`](super::NetworkStream) was doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Looking the host name up.
    Resolve,
    /// Connecting to an address.
    Connect,
    /// The TLS handshake.
    Handshake,
    /// Reading.
    Read,
    /// Writing.
    Write,
    /// Closing.
    Close,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Resolve => "looking the name up",
            Self::Connect => "connecting",
            Self::Handshake => "in the TLS handshake",
            Self::Read => "reading",
            Self::Write => "writing",
            Self::Close => "closing",
        })
    }
}

/// Why an operation on a [`NetworkStream`](super::NetworkStream) failed, and in what phase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamError {
    /// What it was doing.
    pub phase: Phase,
    /// Why it failed.
    pub why: StreamFailure,
    /// Bytes that a write had sent; zero for all else. They are not sent again by a write that
    /// goes on after them.
    pub written: usize,
}

/// See [`StreamError::why`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StreamFailure {
    /// One of the program's own deadlines passed: this one.
    #[error(transparent)]
    Deadline(#[from] Expired),
    /// The connection ended, did not come about, or is closed.
    #[error("{0}")]
    Closed(CloseReason),
    /// It cannot take up TLS now; it goes on as it was.
    #[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
    #[error(transparent)]
    StartTls(#[from] StartTlsError),
    /// What TLS was given makes no sense.
    #[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The limits cannot be kept.
    #[error(transparent)]
    Limits(#[from] LimitsError),
    /// The net cannot wait.
    #[error("the net: {0}")]
    Net(#[from] NetError),
}

impl StreamError {
    pub(super) fn new(phase: Phase, why: impl Into<StreamFailure>) -> Self {
        Self {
            phase,
            why: why.into(),
            written: 0,
        }
    }

    pub(super) const fn closed(phase: Phase, reason: CloseReason) -> Self {
        Self {
            phase,
            why: StreamFailure::Closed(reason),
            written: 0,
        }
    }

    /// Whether time ran out: a deadline of the program's, or one of
    /// [`Limits`](crate::link::Limits).
    #[must_use]
    pub const fn is_timeout(&self) -> bool {
        match self.why {
            StreamFailure::Deadline(_) => true,
            StreamFailure::Closed(reason) => matches!(
                reason,
                CloseReason::IdleTimedOut
                    | CloseReason::WriteStalled
                    | CloseReason::DrainTimedOut
                    | CloseReason::LingerTimedOut
                    | CloseReason::ConnectTimedOut
                    | CloseReason::HandshakeTimedOut
                    | CloseReason::ConnectFailed(NetError::TimedOut)
                    | CloseReason::Lost(NetError::TimedOut)
            ),
            _ => false,
        }
    }

    /// The program's own deadline that passed, if that was it.
    #[must_use]
    pub const fn deadline(&self) -> Option<Expired> {
        match self.why {
            StreamFailure::Deadline(expired) => Some(expired),
            _ => None,
        }
    }
}

impl fmt::Display for StreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.phase, self.why)?;
        match self.phase {
            Phase::Write => write!(f, " ({} bytes written)", self.written),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for StreamError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.why)
    }
}

impl From<StreamError> for io::Error {
    fn from(why: StreamError) -> Self {
        use io::ErrorKind as K;
        let kind = match &why.why {
            _ if why.is_timeout() => K::TimedOut,
            StreamFailure::Closed(reason) => match reason {
                CloseReason::Reset => K::ConnectionReset,
                CloseReason::Truncated => K::UnexpectedEof,
                CloseReason::ConnectFailed(NetError::Refused) => K::ConnectionRefused,
                CloseReason::Tls(_) => K::InvalidData,
                _ => K::NotConnected,
            },
            _ => K::Other,
        };
        Self::new(kind, why)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::tyme::{Deadlines, Tyme};

    #[test]
    fn errors_name_the_phase_and_the_deadline() {
        let mut deadlines = Deadlines::new();
        deadlines.push("request", Tyme::ZERO, Duration::from_secs(2));
        let expired = deadlines.check(Tyme::from_secs(2)).unwrap_err();
        let mut why = StreamError::new(Phase::Write, expired);
        why.written = 12;
        let text = "writing: deadline \"request\" passed at 2s (12 bytes written)";
        assert_eq!(why.to_string(), text);
        assert_eq!((why.is_timeout(), why.deadline()), (true, Some(expired)));
        assert_eq!(io::Error::from(why).kind(), io::ErrorKind::TimedOut);
        let reset = StreamError::closed(Phase::Read, CloseReason::Reset);
        assert_eq!(reset.to_string(), "reading: reset by the peer");
        assert_eq!((reset.is_timeout(), reset.deadline()), (false, None));
        assert_eq!(
            io::Error::from(reset).kind(),
            io::ErrorKind::ConnectionReset
        );
    }
}
