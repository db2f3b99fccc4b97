//! Requests and replies over one connection, byte-compatible with Python's aiomas.

mod codec;
mod config;
mod content;
mod ends;
mod error;
mod frame;
mod ledger;
mod limits;
mod protocol;
mod request;
pub mod rpc;
mod serde;
mod types;
mod value;

pub use self::serde::{from_value, to_value};
pub use codec::{Bounds, Codec, CodecError, Head, Json, MessageKind, MsgPack};
pub use config::{ChannelConfig, ExtraInfo, SocketName};
pub use content::Content;
pub use ends::{
    Accepted, Addr, Channel, ChannelId, ChannelServer, LocalQueue, Patience, ServerEvent,
};
pub use error::{ChannelError, ChannelEvent, RemoteException, RequestError};
pub use frame::{FrameTooLong, Frames, HEADER_BYTES};
pub use ledger::RequestId;
pub use limits::{ChannelLimits, ChannelLimitsError};
pub use protocol::ChannelProtocol;
pub use request::Request;
pub use types::Types;
pub use value::{Ext, Typed, Value};
