use std::fmt;

use super::{CodecError, FrameTooLong, RequestId, Value};

/// Why a channel, or something asked of it, came to nothing. As text it is what aiomas says,
/// where aiomas says anything.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChannelError {
    /// The peer has ended the connection: aiomas' ConnectionResetError, which has no text then.
    #[error("")]
    Eof,
    /// The connection is lost, or was closed by this side: aiomas' ConnectionResetError. With the
    /// reason, if one is known.
    #[error("Connection closed{}", because(.0.as_deref()))]
    Closed(Option<String>),
    /// The peer sent a message that is none.
    #[error("{0}")]
    Message(CodecError),
    /// The peer announced a frame that is too long.
    #[error("{0}")]
    Frame(#[from] FrameTooLong),
    /// The peer replied to a request that was never made, or is answered already: aiomas' KeyError.
    #[error("a reply to {0}, which is no request of ours that waits for one")]
    UnknownReply(i128),
    /// What was to be sent cannot be encoded: aiomas' SerializationError.
    #[error("{0}")]
    Encode(CodecError),
    /// What was to be sent is longer than a frame may be: aiomas' ValueError. The maximum is the
    /// limit that was set, or what four bytes can say.
    #[error("Serialized message is too long ({len}).  Maximum length is {max}.")]
    TooLong {
        /// Bytes that it has.
        len: usize,
        /// The most it may have.
        max: usize,
    },
    /// Too many requests wait for their replies.
    #[error("{max} requests are pending already")]
    TooManyPending {
        /// The limit.
        max: usize,
    },
    /// Too much is queued for the peer.
    #[error("{max} bytes are queued already")]
    Full {
        /// The limit.
        max: usize,
    },
    /// The request was answered before.
    #[error("Request reply already set.")]
    AlreadyAnswered,
}

fn because(why: Option<&str>) -> String {
    why.map_or_else(String::new, |why| format!(": {why}"))
}

impl ChannelError {
    /// Whether it is one of Python's ConnectionErrors: the connection is gone, and nobody broke a
    /// rule.
    #[must_use]
    pub const fn is_connection_error(&self) -> bool {
        matches!(self, Self::Eof | Self::Closed(_))
    }
}

/// A request failed on the other side, and this is what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteException {
    /// The peer, as aiomas names it: `('127.0.0.1', 5555)`, or nothing for a Unix socket.
    pub origin: String,
    /// What went wrong, in the words of the other side: mostly Python's traceback.
    pub remote_traceback: String,
}

impl fmt::Display for RemoteException {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Origin: {}\n{}", self.origin, self.remote_traceback)
    }
}

impl std::error::Error for RemoteException {}

/// How a request ended without a reply.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The other side says that it failed.
    #[error("{0}")]
    Remote(RemoteException),
    /// The channel ended before.
    #[error("{0}")]
    Connection(ChannelError),
    /// Its deadline came before.
    #[error("no reply in time")]
    Timeout,
}

/// What happened on a channel.
#[derive(Debug)]
#[non_exhaustive]
pub enum ChannelEvent {
    /// A request of ours was answered.
    Reply {
        /// Which one.
        id: RequestId,
        /// The answer.
        content: super::Content,
    },
    /// A request of ours failed on the other side.
    RemoteException {
        /// Which one.
        id: RequestId,
        /// What the other side says.
        exception: RemoteException,
    },
    /// The channel ended before a request of ours was answered.
    ConnectionError {
        /// Which one.
        id: RequestId,
        /// How it ended.
        error: ChannelError,
    },
    /// A request of ours was not answered in time. A later answer is swallowed.
    Timeout {
        /// Which one.
        id: RequestId,
    },
    /// Much is queued for the peer: more had better wait.
    WritingPaused,
    /// It has been sent.
    WritingResumed,
    /// The channel has ended. Every request of ours has had its event before; what the peer had
    /// requested can still be received.
    Lost(ChannelError),
}

impl ChannelEvent {
    /// How a request ended: its id, and its reply or why there is none. None for other events.
    #[must_use]
    pub fn outcome(self) -> Option<(RequestId, Result<super::Content, RequestError>)> {
        match self {
            Self::Reply { id, content } => Some((id, Ok(content))),
            Self::RemoteException { id, exception } => {
                Some((id, Err(RequestError::Remote(exception))))
            }
            Self::ConnectionError { id, error } => Some((id, Err(RequestError::Connection(error)))),
            Self::Timeout { id } => Some((id, Err(RequestError::Timeout))),
            Self::WritingPaused | Self::WritingResumed | Self::Lost(_) => None,
        }
    }
}

/// The text of a failure that came: mostly it is one.
pub(super) fn traceback(content: Value) -> String {
    match content {
        Value::Text(text) => text,
        other => other.to_string(),
    }
}
