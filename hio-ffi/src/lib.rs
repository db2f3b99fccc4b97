//! The C interface of [`hio`]. The header is `include/hio.h`, which is written from this crate; how
//! to build, link and use it is in the README beside it.
//!
//! ```text
//!   api/      the functions of C, each a few lines: pointers in, one call, pointers out
//!   raw       pointers to values and back: with api, the only `unsafe`
//!   registry  loops by number: one thread at a time, panics caught, nothing to dangle
//!   driver    a net, its servers and links, stepped by `tick` with the tyme that is handed in
//!   metered   the net with a budget: no more sockets are ready than a tick may serve
//!   events    what happened, in order, until the host takes it
//!   table     handles: numbers that are never used again
//! ```
//!
//! # Why there is no Doist inside
//! A [`Doist`](hio::doing::Doist) keeps tyme by its own tock: origin + n × tock. Here the host
//! has a clock and a loop, and the only things to be run are servers and links. So the driver does
//! by hand what hio's page on [`Server`](hio::link::Server) says for a loop of one's own: each has
//! an owner, those that the net has marks for or whose deadline has come are served, at the tyme
//! that is exactly the `now_ns` handed in. No tymeout looks at any other clock; the net's own is
//! used to sleep in `hio_wait` and, for certificates, to know the date.

#![cfg_attr(not(test), warn(clippy::unwrap_used, clippy::expect_used))]

pub mod abi;
mod api;
mod driver;
mod error;
mod events;
mod link_end;
mod metered;
mod raw;
mod registry;
mod server_end;
mod table;
#[cfg(feature = "tls")]
mod tls;
#[cfg(not(feature = "tls"))]
#[path = "tls_off.rs"]
mod tls;

pub use api::*;
