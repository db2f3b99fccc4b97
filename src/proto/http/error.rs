use http::StatusCode;

/// What is wrong with a message, by whose fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// The peer broke the rules: `why`, and the status that tells it so.
    #[error("bad message: {why}")]
    Peer {
        /// What a server answers.
        status: StatusCode,
        /// Which rule was broken.
        why: &'static str,
    },
    /// The peer closed the connection in the middle of a message.
    #[error("the connection ended in the middle of a message")]
    Truncated,
    /// The caller used the connection in a way that makes no message.
    #[error(transparent)]
    Caller(#[from] Misuse),
}

impl HttpError {
    pub(super) const fn bad(why: &'static str) -> Self {
        Self::Peer {
            status: StatusCode::BAD_REQUEST,
            why,
        }
    }

    pub(super) const fn peer(status: StatusCode, why: &'static str) -> Self {
        Self::Peer { status, why }
    }

    /// The status to answer with, when it is the peer's fault and an answer can still be given.
    #[must_use]
    pub const fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Peer { status, .. } => Some(*status),
            _ => None,
        }
    }
}

/// A use of a connection that would split, cut or confuse messages. Nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Misuse {
    /// Not in this state: the message before is not finished, or the connection is over.
    #[error("not possible in this state of the connection")]
    State,
    /// More data than the length that was told.
    #[error("more data than the length that the head told")]
    TooMuch,
    /// The message ended before the length that was told. The connection cannot be used again.
    #[error("less data than the length that the head told")]
    TooLittle,
    /// The head has a Content-Length or Transfer-Encoding that contradicts the body's length.
    #[error("the head's framing fields contradict the length of the body")]
    Framing,
    /// Such a message has no body: 1xx, 204, 304, or it answers a HEAD.
    #[error("such a message has no body")]
    NoBody,
    /// Chunks or trailers to a peer of HTTP/1.0, or trailers after a body that is not chunked.
    #[error("the peer or this body's coding has no trailers")]
    Trailers,
    /// The target, the Host or the reason phrase is none.
    #[error("the request's target, its Host or a reason phrase is malformed")]
    Head,
    /// A request needs a Host.
    #[error("a request needs a Host")]
    NoHost,
}
