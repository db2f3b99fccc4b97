//! Connections: [`Server`], [`Remoter`], [`Client`]; datagrams: [`DatagramPeer`].
//!
//! Both ends share one state machine, [`Link`]: a socket, what was received ([`Link::rx`]), what is
//! queued to be sent ([`Link::tx`]), tymeouts, and the [`CloseReason`] when it is over. A `Remoter`
//! is a link that a `Server` accepted, a `Client` one that dials, and again when it likes.
//!
//! Nothing here waits and nothing holds a net: each call is handed the tyme and the
//! [`Net`](crate::net::Net), does a bounded piece of work on what is ready, and returns. Dropping a
//! server or client therefore cannot close its sockets; `close(net)` does, and so does the net when
//! it is dropped itself.
//!
//! Read `link.rs` first: all transitions of a connection are in it. `server.rs` is the loop over
//! many of them.
//!
//! # What can be relied on
//! - A connection's errors are its own: they end it with a reason, and nothing else (law L2).
//! - What was received before a connection ended stays readable: in the last call that
//!   [`Server::service_each`] makes for it, or until the [`Server::service`] after the one that
//!   reported its end.
//! - A peer that has ended its side still gets its answer.
//! - Every buffer, queue and wait is bounded by [`Limits`].

mod accepts;
mod buffer;
mod client;
mod close;
mod datagram;
mod error;
mod events;
mod failure;
mod handed;
mod limits;
#[expect(
    clippy::module_inception,
    reason = "the layer is named after its first noun"
)]
mod link;
mod news;
mod pool;
mod reconnect;
mod remoter;
mod server;
mod stats;
mod stream;
mod table;
#[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
pub mod tls;
#[cfg(not(any(feature = "tls", feature = "aws-lc-rs")))]
#[path = "tls_off.rs"]
mod tls;
mod watch;

pub use buffer::Buffer;
pub use client::Client;
pub use close::CloseReason;
pub use datagram::{
    DatagramEvent, DatagramLimits, DatagramPeer, DatagramStats, DatagramTxError, Message, Overflow,
};
pub use error::{ListenerLost, OpenError, TransmitError, TxError, UnknownRemoter};
pub use events::{ClientEvent, Event, Pause};
pub use failure::TlsFailure;
pub use handed::{HandOverError, Handed, NotTaken};
pub use limits::{Limits, LimitsError};
pub use link::{Link, Received};
pub use reconnect::Reconnect;
pub use remoter::{Remoter, RemoterId};
pub use server::Server;
pub use stats::{Closes, LinkState, LinkStats, Load, Stats};
#[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
pub use stream::StartTls;
pub use stream::{
    Close, Connect, ExtraInfo, NetworkBackend, NetworkStream, OpenStream, Operation, Phase,
    READ_MAX, Read, StreamError, StreamFailure, Write,
};
pub use watch::{Seen, Watch, What};
