//! Communicators over links, over HTTP and within a process, and pools above them.

mod communicator;
mod frames;
mod http;
mod local;
mod pool;
mod transport;

pub use communicator::{Communicator, Handler};
pub use frames::{FrameConfig, FrameConnection, FrameTransport};
pub use http::{
    HttpCommunicator, HttpConfig, HttpConfigError, HttpConnection, HttpTimeout, HttpTransport,
    SessionNotSet,
};
pub use local::{LocalConnection, LocalNetwork, LocalTransport};
pub use pool::{Pool, PoolCounters, PoolError, PoolEvent, PoolSendError, ReceiveId};
pub use transport::{Again, Attempt, Registered, Ticket, Transport, TransportEvent, World};
