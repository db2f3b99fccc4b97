//! What becomes of packets: ids, causes, events.

use std::error::Error;
use std::fmt;

use bytes::Bytes;

use crate::link::{CloseReason, TlsFailure};

/// Names a packet that was sent. Counts from 0; never used again by its communicator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SendId(pub(super) u64);

impl SendId {
    /// The how manieth packet it is, from 0.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }
}

/// Names a packet that was received and waits for its acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryId(pub(super) u64);

/// Names a packet wherever it travels, the same in every attempt: so duplicates are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId {
    /// A number drawn when the sender was initialized.
    pub run: u64,
    /// Counted by the sender.
    pub number: u64,
}

/// 32 digits in hexadecimal.
impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}{:016x}", self.run, self.number)
    }
}

impl MessageId {
    /// Reads what Display wrote.
    ///
    /// ```
    /// use hio::proto::communicator::MessageId;
    /// let id = MessageId { run: 7, number: 1 };
    /// assert_eq!(MessageId::parse(&id.to_string()), Some(id));
    /// assert_eq!(MessageId::parse("1"), None);
    /// ```
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
        let half = |part: &str| u64::from_str_radix(part, 16).ok();
        Some(Self {
            run: half(text.get(..16).filter(|_| digits)?)?,
            number: half(text.get(16..)?)?,
        })
    }
}

/// Why a packet is refused by whoever received it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The handler failed; the sender is told this text (tno: any exception).
    #[error("{0}")]
    Failed(String),
    /// The handler does not know the sender (tno: a `KeyError`).
    #[error("Server did not recognize sender.")]
    UnknownSender,
}

impl Rejection {
    /// The handler failed for this reason.
    #[must_use]
    pub fn failed(why: impl fmt::Display) -> Self {
        Self::Failed(why.to_string())
    }
}

/// Why a packet could not be sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Cause {
    /// No connection came about. Tried again.
    #[error("no connection: {0}")]
    Unreachable(CloseReason),
    /// The connection was lost before the answer came. Tried again if [`Delivery::AtLeastOnce`](super::Delivery::AtLeastOnce).
    #[error("the connection was lost: {0}")]
    Lost(CloseReason),
    /// No connection came about in the time for that ([`HttpTimeout::connect`](super::HttpTimeout::connect)). Tried again.
    #[error("no connection in time")]
    ConnectTimedOut,
    /// Nothing came for too long ([`HttpTimeout::sock_read`](super::HttpTimeout::sock_read)). Tried again as after a loss.
    #[error("the peer was silent for too long")]
    ReadTimedOut,
    /// All of it took too long ([`HttpTimeout::total`](super::HttpTimeout::total)).
    #[error("timed out")]
    TimedOut,
    /// The receiver answered, and not with 200.
    #[error("status {status}: {reason}")]
    Status {
        /// The number.
        status: u16,
        /// The words after it.
        reason: String,
    },
    /// The receiver refused it.
    #[error("refused: {0}")]
    Rejected(Rejection),
    /// TLS failed on this side: the peer is not who it should be.
    #[error("{0}")]
    Tls(TlsFailure),
    /// What the peer answered is not of the protocol.
    #[error("bad answer: {0}")]
    Protocol(String),
    /// The communicator was shut down.
    #[error("the communicator was shut down")]
    Shutdown,
}

/// A packet that was not sent, or of which it is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendFailure {
    /// The name of the recipient.
    pub recipient: String,
    /// The connection as it is shown.
    pub connection: String,
    /// Its network id.
    pub network_id: String,
    /// How often it was tried.
    pub attempts: u32,
    /// Why the last attempt failed.
    pub cause: Cause,
}

/// The messages of tno's `CommunicationError`; the cause is the error's source.
impl fmt::Display for SendFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            Cause::Unreachable(_)
            | Cause::Lost(_)
            | Cause::ConnectTimedOut
            | Cause::ReadTimedOut => write!(
                f,
                "Failed to send a message to {} (after {} attempts).",
                self.connection, self.attempts
            ),
            Cause::Status { status, reason } => write!(
                f,
                "Received status code {status} from client ({}). Reason: {reason}",
                self.network_id
            ),
            other => other.fmt(f),
        }
    }
}

impl Error for SendFailure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.cause)
    }
}

/// What happened in a communicator.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CommunicatorEvent {
    /// The packet was delivered, and acknowledged by the receiver's handler.
    Sent {
        /// Which one.
        id: SendId,
        /// How often it was tried.
        attempts: u32,
    },
    /// It was not, or it is not known whether it was.
    Failed {
        /// Which one.
        id: SendId,
        /// Why.
        failure: SendFailure,
    },
    /// A packet came. Only where packets are [taken as events](super::Communicator::receive_events).
    Received {
        /// To be given to [`acknowledge`](super::Communicator::acknowledge) or
        /// [`reject`](super::Communicator::reject): the sender waits for that.
        id: DeliveryId,
        /// The name of the connection.
        from: String,
        /// The packet.
        packet: Bytes,
        /// Whether it was delivered before.
        duplicate: bool,
    },
}
