//! Ready-made doers: servers, clients, signals.

mod client;
mod server;
#[cfg(all(unix, feature = "signals"))]
mod signal;

pub use client::ClientDoer;
pub use server::{EachServerDoer, EchoServerDoer, ServerDoer};
#[cfg(all(unix, feature = "signals"))]
pub use signal::SignalDoer;
