//! What carries a channel: real and simulated connections by `Client` and `Server`, and queues
//! within one process.

mod addr;
mod client;
mod local;
mod pump;
mod rpc;
mod server;

pub use addr::Addr;
pub use client::{Channel, Patience};
pub use local::LocalQueue;
pub use rpc::{RpcClient, RpcServer};
pub use server::{Accepted, ChannelId, ChannelServer, ServerEvent};
