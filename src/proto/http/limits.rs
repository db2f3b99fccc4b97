use std::time::Duration;

/// How large and how slow the messages of a peer may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpLimits {
    /// Bytes of a request's or response's first line, without its end. Default 8 KiB.
    pub start_line_bytes_max: usize,
    /// Bytes of a head from the first line to the empty one, or of all trailers. Default 64 KiB.
    pub head_bytes_max: usize,
    /// Fields in a head or among trailers. Default 100.
    pub headers_max: usize,
    /// Bytes of chunk extensions in a message. Default 1 KiB.
    pub chunk_extension_bytes_max: usize,
    /// Bytes of a body that is collected; larger ones only as a stream. Default 1 MiB.
    pub body_bytes_max: usize,
    /// How long a head may take from its first byte, and a connection may wait for it at first.
    /// Default 10 s.
    pub head_time: Duration,
    /// How long a body may stand still. Default 30 s.
    pub body_idle: Duration,
    /// Bytes a second that a body which is collected must come with at least, averaged since its
    /// head and after [`body_idle`](Self::body_idle) for a start: a drip is no body. Zero counts
    /// as one. Default 128.
    pub body_rate_min: u64,
    /// How long a connection may wait between two messages. Default 60 s.
    pub keep_alive_idle: Duration,
    /// Requests on one connection; `None` for any number, which is the default.
    pub requests_max: Option<u64>,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            start_line_bytes_max: 8 * 1024,
            head_bytes_max: 64 * 1024,
            headers_max: 100,
            chunk_extension_bytes_max: 1024,
            body_bytes_max: 1024 * 1024,
            head_time: Duration::from_secs(10),
            body_idle: Duration::from_secs(30),
            body_rate_min: 128,
            keep_alive_idle: Duration::from_secs(60),
            requests_max: None,
        }
    }
}
