//! HTTP over links: [`HttpServer`]; [`ClientConnection`], [`ConnectionPool`] over many of those, and
//! [`HttpClient`] for URLs.

mod ask;
mod client;
mod conditions;
mod date;
mod deadlines;
mod event_source;
mod events;
mod exchange;
mod files;
mod http_client;
mod message;
mod peer;
mod pool;
mod router;
mod server;
mod source;
mod url;

pub use ask::{Ask, Part};
pub use client::ClientConnection;
#[cfg(feature = "communicator")]
pub(in crate::proto) use date::to_text as date_text;
pub use event_source::{EventSource, SourceEvent};
pub use events::{EventReader, EventTooLarge, ServerSent};
pub use exchange::{ExchangeId, Failure, HttpClientEvent, Outgoing};
pub use files::Files;
pub use http_client::{AskError, AskEvent, AskId, HttpClient, HttpResponse, Persistence};
pub use message::{Access, Answer, Intake, Request, RequestId, Response};
pub use pool::{ConnectionPool, Dialling, Origin, PoolLimits, Pooled, PooledId};
pub use router::Router;
pub use server::{Handler, HttpServer, HttpServerEvent, SendError};
pub use source::Source;
