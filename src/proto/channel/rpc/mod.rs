//! Calls of functions by path over a channel, wire-compatible with `aiomas.rpc`.
//!
//! A [`Service`] has functions and further services; an [`Rpc`] answers what the peer calls and
//! calls the peer. Both sides may do both at once on one connection:
//!
//! ```
//! use hio::proto::channel::rpc::{Call, Failure, Proxy, Rpc, Service};
//! use hio::proto::channel::{ChannelConfig, ChannelProtocol, ExtraInfo, Value};
//! use hio::tyme::Tyme;
//!
//! let mut config = ChannelConfig::default();
//! Proxy::register(&mut config.types)?; // services may travel, too
//! let mut service = Service::new("demo.Root").expose("add", |total: &mut i64, call: &Call| {
//!     let [x, y] = call.bind([("x", None), ("y", Some(10.into()))])?;
//!     *total += 1;
//!     match (x.int(), y.int()) {
//!         (Some(x), Some(y)) => Ok((x + y).into()),
//!         _ => Err(Failure::new("TypeError", "numbers are wanted")),
//!     }
//! });
//! let (mut there, mut here) = (ChannelProtocol::new(&config), ChannelProtocol::new(&config));
//! there.connection_made(ExtraInfo::default());
//! here.connection_made(ExtraInfo::default());
//! let (mut peer, mut rpc, mut total) = (Rpc::new(), Rpc::<()>::new(), 0);
//! let id = rpc.call(&mut here, "add", vec![1.into()], vec![])?;
//! there.data_received(&here.outgoing());
//! peer.service(&mut service, &mut total, Tyme::ZERO, &mut there);
//! here.data_received(&there.outgoing());
//! let (of, sum) = here.event().and_then(|e| e.outcome()).expect("an answer");
//! assert_eq!((of, sum?.value()?, total), (id, Value::from(11), 1));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod call;
mod peer;
mod service;

pub use super::ends::{RpcClient, RpcServer};
pub use call::{Call, Failure};
pub use peer::{Outcome, Proxy, Rpc, RpcCx};
pub use service::Service;

#[cfg(test)]
mod tests;
