use super::TlsFailure;
use crate::net::NetError;

/// Why a connection ended (law L3): in its last event, in [`Link::closed`](super::Link::closed)
/// and in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum CloseReason {
    /// It was never opened.
    #[error("not opened")]
    NotOpened,
    /// The peer ended it in order.
    #[error("closed by the peer")]
    PeerClosed,
    /// This side ended it in order, all that was queued was sent, and the peer ended it too.
    #[error("closed")]
    Closed,
    /// This side broke it off.
    #[error("aborted")]
    Aborted,
    /// The server or client it belonged to was closed.
    #[error("its owner was closed")]
    OwnerClosed,
    /// Its server drained, and was closed before this connection had come to its end.
    #[error("cut off by the end of a drain")]
    DrainCut,
    /// The peer broke it off.
    #[error("reset by the peer")]
    Reset,
    /// No traffic in either direction for too long.
    #[error("idle for too long")]
    IdleTimedOut,
    /// The peer took none of the queued bytes for too long.
    #[error("the peer took no data for too long")]
    WriteStalled,
    /// Closing: what was queued could not be sent in time.
    #[error("could not send what was queued before closing")]
    DrainTimedOut,
    /// Closing: all was sent, but the peer did not end its side in time.
    #[error("closed, the peer did not end its side in time")]
    LingerTimedOut,
    /// No connection came about in time.
    #[error("connecting took too long")]
    ConnectTimedOut,
    /// No connection came about.
    #[error("cannot connect: {0}")]
    ConnectFailed(NetError),
    /// The system gave the connection up.
    #[error("connection lost: {0}")]
    Lost(NetError),
    /// The TLS handshake was not over in time.
    #[error("the TLS handshake took too long")]
    HandshakeTimedOut,
    /// TLS failed, in the handshake or later.
    #[error("{0}")]
    Tls(TlsFailure),
    /// The connection ended without the peer's close_notify: it was cut, perhaps by somebody in
    /// between, and what was received may not be all (law L4).
    #[error("cut off: TLS was not ended in order")]
    Truncated,
}

impl CloseReason {
    /// Every reason's name.
    pub(super) const NAMES: [&'static str; 17] = [
        "not_opened",
        "peer_closed",
        "closed",
        "aborted",
        "owner_closed",
        "reset",
        "idle_timed_out",
        "write_stalled",
        "drain_timed_out",
        "linger_timed_out",
        "connect_timed_out",
        "connect_failed",
        "lost",
        "handshake_timed_out",
        "tls",
        "truncated",
        "drain_cut",
    ];

    /// One word for tables and labels of metrics, without what the reason carries: `peer_closed`,
    /// `idle_timed_out`.
    ///
    /// ```
    /// assert_eq!(hio::link::CloseReason::WriteStalled.name(), "write_stalled");
    /// ```
    #[must_use]
    pub const fn name(self) -> &'static str {
        Self::NAMES[self.number()]
    }

    /// Its place among the names.
    pub(super) const fn number(self) -> usize {
        match self {
            Self::NotOpened => 0,
            Self::PeerClosed => 1,
            Self::Closed => 2,
            Self::Aborted => 3,
            Self::OwnerClosed => 4,
            Self::Reset => 5,
            Self::IdleTimedOut => 6,
            Self::WriteStalled => 7,
            Self::DrainTimedOut => 8,
            Self::LingerTimedOut => 9,
            Self::ConnectTimedOut => 10,
            Self::ConnectFailed(_) => 11,
            Self::Lost(_) => 12,
            Self::HandshakeTimedOut => 13,
            Self::Tls(_) => 14,
            Self::Truncated => 15,
            Self::DrainCut => 16,
        }
    }

    /// One sentence for a person: what happened and what it means for the data.
    #[must_use]
    pub const fn explain(self) -> &'static str {
        match self {
            Self::NotOpened => "The connection has not been opened yet.",
            Self::PeerClosed => {
                "The peer ended the connection; everything that was queued had been handed over."
            }
            Self::Closed => {
                "This side ended the connection, everything queued was sent, the peer agreed."
            }
            Self::Aborted => {
                "This side broke the connection off; what was queued may not have arrived."
            }
            Self::OwnerClosed => {
                "The server or client was closed; what was queued may not have arrived."
            }
            Self::DrainCut => {
                "The server ended before the connection did; it was reset, data may be lost."
            }
            Self::Reset => {
                "The peer broke the connection off; what was sent last may not have arrived."
            }
            Self::IdleTimedOut => "Neither side sent anything for the whole idle tymeout.",
            Self::WriteStalled => {
                "The peer stopped reading; the connection was reset and queued data dropped."
            }
            Self::DrainTimedOut => {
                "The peer read too slowly while closing; the connection was reset, data dropped."
            }
            Self::LingerTimedOut => {
                "Everything queued was sent, but the peer left its side open; it was closed anyway."
            }
            Self::ConnectTimedOut => "The other end did not answer in time.",
            Self::ConnectFailed(_) => "The other end cannot be reached or refused the connection.",
            Self::HandshakeTimedOut => "The peer did not complete the TLS handshake in time.",
            Self::Tls(_) => "TLS failed; what was queued was not sent.",
            Self::Truncated => {
                "The connection ended without TLS's own end; what was received may not be all."
            }
            Self::Lost(_) => {
                "The system gave the connection up; what was sent last may not have arrived."
            }
        }
    }

    /// Whether both sides ended it in order, so that nothing was lost.
    #[must_use]
    pub const fn is_clean(self) -> bool {
        matches!(
            self,
            Self::PeerClosed | Self::Closed | Self::LingerTimedOut | Self::NotOpened
        )
    }

    /// How an error on a connection that stood is reported.
    pub(super) const fn from_loss(why: NetError) -> Self {
        match why {
            NetError::Reset | NetError::BrokenPipe | NetError::Aborted | NetError::NotConnected => {
                Self::Reset
            }
            other => Self::Lost(other),
        }
    }
}
