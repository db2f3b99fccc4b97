//! Communicators over HTTP, as tno's `HttpCommunicator`.

mod config;
mod connection;
mod desk;
mod identity;
mod job;
mod transport;

pub use config::{HttpConfig, HttpConfigError, HttpTimeout};
pub use connection::{HttpConnection, SessionNotSet};
#[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
pub(super) use identity::network_id;
pub use transport::{HttpCommunicator, HttpTransport};
