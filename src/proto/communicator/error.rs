use super::CommunicatorState;
use crate::link::OpenError;

/// A use of a communicator that it refuses, in the words of the Python package.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommunicatorError {
    /// Not in this state: tno's `IllegalStateAction`. It is looked at before anything else.
    #[error("Illegal: Cannot perform '{action}' while state is {state}.")]
    IllegalState {
        /// What was asked for. `initialize` calls itself `start`, as in the Python package.
        action: &'static str,
        /// The state.
        state: CommunicatorState,
    },
    /// Nobody of that name was added: tno's `KeyError`.
    #[error("No connection registered with name '{0}'")]
    UnknownConnection(String),
    /// A connection of that name was added before: tno's `KeyError`.
    #[error("Connection with name '{0}' already registered!")]
    DuplicateName(String),
    /// There is nobody to receive: tno's `AttributeError`.
    #[error("The receive handler is not set.")]
    HandlerNotSet,
    /// The packet is longer than [`CommunicatorLimits::packet_bytes_max`](super::CommunicatorLimits::packet_bytes_max).
    #[error("a packet of {len} bytes is longer than the limit of {max}")]
    TooLarge {
        /// Bytes of the packet.
        len: usize,
        /// The limit.
        max: usize,
    },
    /// As many packets, or bytes of packets, wait for their outcome as may.
    #[error("too many packets wait for their outcome")]
    TooManyPending,
    /// The delivery was answered before, or its sender is gone.
    #[error("no such delivery waits for an answer")]
    NoSuchDelivery,
    /// It cannot listen.
    #[error(transparent)]
    Open(#[from] OpenError),
}
