use std::fmt;
use std::time::Duration;

use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::source::Source;
use crate::link::RemoterId;
use crate::net::Endpoint;
use crate::proto::http::{Length, RequestHead, ResponseHead};

/// Names a request of an [`HttpServer`](super::HttpServer). Never used again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId {
    pub(super) remoter: RemoterId,
    pub(super) nth: u64,
}

impl RequestId {
    /// The connection that it came on.
    #[must_use]
    pub const fn remoter(self) -> RemoterId {
        self.remoter
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.remoter, self.nth)
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RequestId({self})")
    }
}

/// A request as a handler gets it.
#[derive(Clone, Debug)]
pub struct Request {
    /// Method, target, version and fields.
    pub head: RequestHead,
    /// The whole body; empty when it comes as a stream.
    pub body: Vec<u8>,
    /// The fields after a chunked body.
    pub trailers: HeaderMap,
    /// Who sent it.
    pub peer: Endpoint,
}

/// What to do with the body of a request whose head is there.
#[derive(Clone, Debug)]
pub enum Intake {
    /// Collect it, up to [`HttpLimits::body_bytes_max`](super::super::HttpLimits::body_bytes_max); more is
    /// answered with 413.
    Collect,
    /// Hand the request over now, and the body piece by piece.
    Stream,
    /// Read none of it: answer at once, and close.
    Refuse(Response),
}

/// How a request is answered.
#[derive(Debug)]
pub enum Answer {
    /// With this.
    Now(Response),
    /// By [`HttpServer::answer`](super::HttpServer::answer) or [`begin`](super::HttpServer::begin), whenever it is known.
    Later,
    /// With this head now, and a body by [`HttpServer::send`](super::HttpServer::send).
    Begin(ResponseHead, Length),
    /// With this head now, and a body that the server reads as the peer takes it. After HEAD nothing
    /// is read.
    Read(ResponseHead, Length, Source),
}

/// A response with its whole body.
#[derive(Clone, Debug)]
pub struct Response {
    /// Status and fields. The length and the connection's future are said by the server.
    pub head: ResponseHead,
    /// The body. Not sent after HEAD, but counted.
    pub body: Vec<u8>,
}

impl Response {
    /// A response without a body.
    #[must_use]
    pub fn new(status: StatusCode) -> Self {
        Self {
            head: ResponseHead::new(status),
            body: Vec::new(),
        }
    }

    /// 200 with bytes of some type.
    ///
    /// ```
    /// use hio::proto::http::Response;
    /// let hello = Response::ok("text/plain; charset=utf-8", "hello");
    /// assert_eq!(hello.body, b"hello");
    /// ```
    #[must_use]
    pub fn ok(content_type: &'static str, body: impl Into<Vec<u8>>) -> Self {
        Self::new(StatusCode::OK).with_body(content_type, body)
    }

    /// A body of some type.
    #[must_use]
    pub fn with_body(mut self, content_type: &'static str, body: impl Into<Vec<u8>>) -> Self {
        let value = HeaderValue::from_static(content_type);
        self.head.headers.insert(CONTENT_TYPE, value);
        self.body = body.into();
        self
    }

    /// One more field.
    #[must_use]
    pub fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.head.headers.append(name, value);
        self
    }

    /// A status with its usual phrase as a line of text.
    #[must_use]
    pub fn status(status: StatusCode) -> Self {
        let phrase = status.canonical_reason().unwrap_or("Error");
        let text = format!("{} {phrase}\n", status.as_u16());
        Self::new(status).with_body("text/plain; charset=utf-8", text)
    }
}

/// A line of the access log: a request that was answered, or not.
#[derive(Clone, Debug)]
pub struct Access<'a> {
    /// Who asked.
    pub peer: &'a Endpoint,
    /// What was asked; `None` for bytes that were no request.
    pub request: Option<&'a RequestHead>,
    /// How it was answered; `None` when the peer was gone before.
    pub status: Option<StatusCode>,
    /// Bytes of the body that were queued.
    pub bytes: u64,
    /// From the head of the request to the end of the response.
    pub took: Duration,
}
