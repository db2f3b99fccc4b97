//! Ready-made doers: servers, clients, signals.

#[cfg(all(unix, feature = "signals"))]
mod signal;

#[cfg(all(unix, feature = "signals"))]
pub use signal::SignalDoer;
mod server;
pub use server::EchoServerDoer;
