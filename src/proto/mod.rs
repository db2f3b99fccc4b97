//! Protocols as machines without sockets: bytes and tyme go in; bytes, events and a deadline come
//! out.
//!
//! What carries a protocol over real or simulated connections stands beside its machine, in
//! `ends`.

#[cfg(feature = "channel")]
pub mod channel;
#[cfg(feature = "communicator")]
pub mod communicator;
#[cfg(feature = "http")]
pub mod http;
