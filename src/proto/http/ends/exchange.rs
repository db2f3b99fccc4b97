use std::fmt;

use http::HeaderMap;

use crate::link::CloseReason;
use crate::proto::http::{HttpError, Length, RequestHead, ResponseHead};
use crate::tyme::Tyme;

/// Names a request of a [`ClientConnection`](super::ClientConnection). Never used again there.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExchangeId(pub(super) u64);

impl ExchangeId {
    /// Of a request that never got a connection.
    pub(super) const NONE: Self = Self(u64::MAX);
}

impl fmt::Debug for ExchangeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ExchangeId({})", self.0)
    }
}

/// The body of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outgoing {
    /// There is none.
    Nothing,
    /// These bytes.
    Bytes(Vec<u8>),
    /// It is sent piece by piece, by [`ClientConnection::send`](super::ClientConnection::send) and
    /// [`end`](super::ClientConnection::end), once the request is [under
    /// way](HttpClientEvent::Sending).
    Stream(Length),
}

/// A request and its response.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) id: ExchangeId,
    pub(super) head: RequestHead,
    pub(super) outgoing: Outgoing,
    pub(super) deadline: Tyme,
}

/// What happened to a request.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum HttpClientEvent {
    /// Its head goes out: a body that is streamed may be sent now.
    Sending(ExchangeId),
    /// There is room again after a [`SendError::Full`](super::SendError::Full).
    Drained(ExchangeId),
    /// A response before the response (1xx).
    Informational(ExchangeId, ResponseHead),
    /// The head of the response.
    Response(ExchangeId, ResponseHead),
    /// More of the body can be [taken](super::ClientConnection::take_body).
    Data(ExchangeId),
    /// The response is complete; with its trailers.
    End(ExchangeId, HeaderMap),
    /// The connection speaks another protocol now.
    Switched(ExchangeId),
    /// There will be no (further) response.
    Failed(ExchangeId, Failure),
}

/// Why a request failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// No connection came about; nothing was sent.
    #[error("no connection: {0}")]
    Unreachable(CloseReason),
    /// The connection was lost while the request was under way: it may have been acted on.
    #[error("the connection was lost: {0}")]
    Lost(CloseReason),
    /// One of the two sides broke the rules of HTTP.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// It took longer than it was given.
    #[error("timed out")]
    TimedOut {
        /// It was still waiting: nothing of it was sent.
        unsent: bool,
    },
    /// The client was closed.
    #[error("the client was closed")]
    Closed,
    /// Too many requests wait already.
    #[error("too many requests wait for a connection")]
    Busy,
    /// It is for `https`, and there is no TLS configuration, or the host is no name for one.
    #[error("no TLS for this origin")]
    NoTls,
}

impl Failure {
    /// Whether the server certainly never saw the request.
    #[must_use]
    pub const fn unsent(&self) -> bool {
        matches!(
            self,
            Self::Unreachable(_) | Self::TimedOut { unsent: true } | Self::Busy | Self::NoTls
        )
    }
}
