//! Named peers that send each other packets, byte-compatible with the Python package
//! `tno.mpc.communication`.
//!
//! A [`Communicator`] knows its peers by name. It is made, given [connections](Communicator::add_connection),
//! [initialized](Communicator::initialize), used and [shut down](Communicator::shutdown); what it may do in
//! which of these [states](CommunicatorState) is that of the Python package, with its messages.
//! [`send`](Communicator::send) gives an id at once, and the outcome comes as an
//! [event](CommunicatorEvent), exactly once for each id. A packet counts as sent when the receiver's
//! handler has returned.
//!
//! ```text
//!                 Pool          objects with ids, waiting receive, counters
//!                   |
//!             Communicator      life cycle, names, retries, duplicates
//!                   |
//!               Transport       one attempt to send, packets that came
//!          /        |        \
//!  LocalTransport FrameTransport HttpTransport
//!  in this process, over TCP or TLS, HTTP POST as tno does
//! ```
//!
//! # Once, twice, or not at all
//! The caller chooses, in [`RetryPolicy::delivery`]. [`Delivery::AtLeastOnce`], the default and what the
//! Python package does, sends again when a connection was lost before the answer came: the packet may
//! arrive twice. [`Delivery::AtMostOnce`] lets the send fail instead: the packet may have arrived.
//! Every packet has a [`MessageId`], the same in each attempt, so that a receiver of this library
//! knows a [duplicate](Duplicates) and by default does not deliver it again.
//!
//! Packets that are sent at the same time may arrive in any order.

mod ends;
mod error;
mod frame;
mod limits;
mod object;
mod outcome;
mod packer;
mod recent;
mod state;
mod wire;

pub use bytes::Bytes;
pub use ends::{
    Again, Attempt, Communicator, FrameConfig, FrameConnection, FrameTransport, Handler,
    HttpCommunicator, HttpConfig, HttpConfigError, HttpConnection, HttpTimeout, HttpTransport,
    LocalConnection, LocalNetwork, LocalTransport, Pool, PoolCounters, PoolError, PoolEvent,
    PoolSendError, ReceiveId, Registered, SessionNotSet, Ticket, Transport, TransportEvent, World,
};
pub use error::CommunicatorError;
pub use limits::{CommunicatorLimits, Delivery, Duplicates, RetryPolicy};
pub use object::{BigInteger, BigIntegerError, Object, Tagged};
pub use outcome::{
    Cause, CommunicatorEvent, DeliveryId, MessageId, Rejection, SendFailure, SendId,
};
pub use packer::{PackError, Packer, UnpackError};
pub use state::CommunicatorState;
