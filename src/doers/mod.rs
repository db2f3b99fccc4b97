//! Ready-made doers: servers, clients, datagrams, HTTP, signals, wire logs.

#[cfg(feature = "channel")]
mod channel;
mod client;
#[cfg(feature = "communicator")]
mod communicator;
mod datagram;
#[cfg(feature = "http")]
mod http;
mod server;
#[cfg(feature = "signals")]
mod signals;
mod wirelog;

#[cfg(feature = "channel")]
pub use channel::{ChannelDoer, ChannelServerDoer};
pub use client::ClientDoer;
#[cfg(feature = "communicator")]
pub use communicator::{CommunicatorDoer, PoolDoer};
pub use datagram::DatagramDoer;
#[cfg(feature = "http")]
pub use http::{HttpClientDoer, HttpServerDoer};
pub use server::{EachServerDoer, EchoServerDoer, ServerDoer};
#[cfg(feature = "signals")]
pub use signals::{ReloadDoer, SignalDoer};
pub use wirelog::WireLogDoer;
