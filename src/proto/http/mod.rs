//! HTTP/1.1 (RFC 9110, RFC 9112), strict about where a message ends.
//!
//! [`Connection`] is one end of one connection, without a socket: it reads messages from received
//! bytes and writes messages as bytes to be sent, one after the other, on either side. Two things
//! that disagree about the length of a message are how requests are smuggled, so nothing here is
//! guessed: a message whose length is not told beyond doubt is refused.
//!
//! ```text
//! received bytes --> receive --> Head, Data..., End       heads are httparse's and http's,
//! bytes to send  <-- send_head, send_data, send_end       framing, limits and order are ours
//! ```
//! Read `state.rs` first: all states of both sides and the steps between them are in it.
//!
//! # What is refused
//! | what | answer |
//! |---|---|
//! | bare CR, bare LF, NUL, line folding, a space before a colon | 400 |
//! | `Content-Length` twice, as a list, with a sign, or beside `Transfer-Encoding` | 400 |
//! | `Transfer-Encoding` in HTTP/1.0, or with `chunked` not last or twice | 400 |
//! | a transfer coding other than `chunked` | 501 |
//! | `Host` missing in HTTP/1.1, twice, or no host | 400 |
//! | a target longer than [`HttpLimits::start_line_bytes_max`] | 414 |
//! | a head larger than [`HttpLimits::head_bytes_max`], or of more than [`HttpLimits::headers_max`] fields | 431 |
//! | an expectation other than `100-continue` | 417 |
//! | a version other than 1.0 and 1.1 | 505 |

mod body;
mod chunked;
mod connection;
mod ends;
mod error;
mod framing;
mod head;
mod limits;
mod state;
mod write;

pub use body::Length;
pub use connection::{Connection, Incoming};
#[cfg(feature = "communicator")]
pub(in crate::proto) use ends::date_text;
pub use ends::{
    Access, Answer, Ask, AskError, AskEvent, AskId, ClientConnection, ConnectionPool, Dialling,
    EventReader, EventSource, EventTooLarge, ExchangeId, Failure, Files, Handler, HttpClient,
    HttpClientEvent, HttpResponse, HttpServer, HttpServerEvent, Intake, Origin, Outgoing, Part,
    Persistence, PoolLimits, Pooled, PooledId, Request, RequestId, Response, Router, SendError,
    ServerSent, Source, SourceEvent,
};
pub use error::{HttpError, Misuse};
pub use head::{ReasonPhrase, RequestHead, ResponseHead};
pub use limits::HttpLimits;
pub use state::{Role, State};
