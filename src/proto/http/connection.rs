//! One end of one connection: the machine that the rest of the folder are parts of.

use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, Method, StatusCode, Version};

use super::body::{Length, Reader};
use super::chunked::Piece;
use super::error::{HttpError, Misuse};
use super::framing;
use super::head::{self, RequestHead, ResponseHead, Scan};
use super::limits::HttpLimits;
use super::state::{Role, Sides, State, Wish};
use super::write::{self, Future, Told};

/// One end of an HTTP/1.1 connection, without a socket.
///
/// Incoming: hand all received and not yet taken bytes to [`receive`](Self::receive), take as many
/// as it says, act on what it found, and call it again until it says
/// [`NeedMore`](Incoming::NeedMore). Outgoing: the `send_` methods append to a buffer of yours.
///
/// One message is under way in each direction. A server that was sent several requests gets to see
/// the next one when it has answered the one before ([`Paused`](Incoming::Paused)), so replies are
/// in order.
///
/// ```
/// use hio::proto::http::{Connection, HttpLimits, Incoming, Length, ResponseHead};
/// let mut server = Connection::server(HttpLimits::default());
/// let rx = b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n";
/// let (taken, Incoming::Request(head)) = server.receive(rx, false)? else { panic!() };
/// assert_eq!((taken, head.target.path()), (rx.len(), "/hello"));
/// assert!(matches!(server.receive(b"", false)?, (0, Incoming::End(_))));
///
/// let mut out = Vec::new();
/// let ok = ResponseHead::new(http::StatusCode::OK);
/// server.send_response(&ok, Length::Known(2), &mut out)?;
/// server.send_data(b"hi", &mut out)?;
/// server.send_end(&http::HeaderMap::new(), &mut out)?;
/// assert_eq!(out, b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi");
/// # Ok::<(), hio::proto::http::HttpError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Connection {
    role: Role,
    limits: HttpLimits,
    sides: Sides,
    scan: Scan,
    reader: Reader,
    /// What is left to be sent of our body.
    unsent: Length,
    /// What the request under way is about.
    asked: Method,
    /// The version that the client speaks.
    client_version: Version,
    /// The client asked for the connection to stay, which HTTP/1.0 does not by itself.
    client_stays: bool,
    requests: u64,
    /// Empty lines before a request.
    blank: bool,
}

/// What was found in the bytes that [`Connection::receive`] took.
#[derive(Clone, Debug)]
pub enum Incoming {
    /// Nothing more can be told: wait for more bytes, or for the end.
    NeedMore,
    /// A request begins.
    Request(RequestHead),
    /// A response begins; informational ones are followed by another one.
    Response(ResponseHead),
    /// So many bytes of the body: the last ones of those taken.
    Data(usize),
    /// The message is complete; with its trailers.
    End(HeaderMap),
    /// The peer's message is complete, and the next one waits until ours is.
    Paused,
    /// The connection speaks another protocol from here on; nothing was taken.
    Switched,
    /// The peer has ended the connection, where it may end.
    Closed,
}

impl Connection {
    /// The server's end.
    #[must_use]
    pub fn server(limits: HttpLimits) -> Self {
        Self::new(Role::Server, limits)
    }

    /// The client's end.
    #[must_use]
    pub fn client(limits: HttpLimits) -> Self {
        Self::new(Role::Client, limits)
    }

    fn new(role: Role, limits: HttpLimits) -> Self {
        Self {
            role,
            limits,
            sides: Sides::new(),
            scan: Scan::default(),
            reader: Reader::new(Length::Known(0)),
            unsent: Length::Known(0),
            asked: Method::GET,
            client_version: Version::HTTP_11,
            client_stays: true,
            requests: 0,
            blank: false,
        }
    }

    /// Where our side stands.
    #[must_use]
    pub const fn ours(&self) -> State {
        self.sides.of(self.role)
    }

    /// Where the peer's side stands.
    #[must_use]
    pub const fn theirs(&self) -> State {
        self.sides.of(self.peer())
    }

    /// Requests begun on this connection.
    #[must_use]
    pub const fn requests(&self) -> u64 {
        self.requests
    }

    /// What is left to be sent of our body, as it was told: nothing after HEAD, or with 304.
    #[must_use]
    pub const fn unsent(&self) -> Length {
        self.unsent
    }

    /// Reads no more of the peer's message, which did not come in time: a server may still answer.
    pub fn give_up(&mut self) {
        self.broke();
    }

    /// No further message follows the one under way. A server says so to its client.
    pub const fn no_more(&mut self) {
        self.sides.last = true;
    }

    const fn peer(&self) -> Role {
        match self.role {
            Role::Client => Role::Server,
            Role::Server => Role::Client,
        }
    }
}

/// Incoming.
impl Connection {
    /// Looks at what was received, `ended` being whether that was all there will ever be: how many
    /// bytes to take from the front, and what they were.
    ///
    /// # Errors
    /// [`HttpError::Peer`] when the peer broke a rule: a server may still answer, with the status
    /// that the error names. [`HttpError::Truncated`] when the end came within a message. Nothing
    /// can be received after either.
    pub fn receive(&mut self, rx: &[u8], ended: bool) -> Result<(usize, Incoming), HttpError> {
        let found = match self.theirs() {
            State::Switched => Ok((0, Incoming::Switched)),
            State::Body => self.body(rx, ended),
            State::Closed => Ok((0, Incoming::Closed)),
            State::Broken => Err(HttpError::Truncated),
            State::Answer => self.head(rx, ended),
            State::Idle if rx.is_empty() && !ended => Ok((0, Incoming::NeedMore)),
            State::Idle if rx.is_empty() => Ok((0, self.closed())),
            State::Idle if self.role == Role::Server => self.head(rx, ended),
            State::Idle => Err(HttpError::bad("a response that nobody asked for")),
            State::Done | State::MustClose if rx.is_empty() => match ended {
                true => Ok((0, self.closed())),
                false => Ok((0, Incoming::NeedMore)),
            },
            State::Done => Ok((0, Incoming::Paused)),
            // RFC 9112 §9.6: what follows the last message is not looked at.
            State::MustClose => Ok((rx.len(), Incoming::NeedMore)),
        };
        if found.is_err() {
            self.broke();
        }
        found
    }

    fn closed(&mut self) -> Incoming {
        self.sides.close(self.peer());
        Incoming::Closed
    }

    /// There is no further message from the peer; a server may answer what it could not read.
    fn broke(&mut self) {
        self.sides.break_off(self.peer());
        if self.role == Role::Server && self.sides.server == State::Idle {
            self.sides.server = State::Answer;
        }
    }

    fn head(&mut self, rx: &[u8], ended: bool) -> Result<(usize, Incoming), HttpError> {
        let server = self.role == Role::Server;
        // RFC 9112 §2.2: old clients send an empty line after a body. One, and not more.
        if server && !self.blank && rx.starts_with(b"\r\n") {
            self.blank = true;
            // What of it came alone was looked at as the beginning of a head.
            self.scan = Scan::default();
            let (taken, found) = match &rx[2..] {
                [] if ended => (0, self.closed()),
                [] => (0, Incoming::NeedMore),
                rest => self.head(rest, ended)?,
            };
            return Ok((2 + taken, found));
        }
        let too_long = match server {
            true => StatusCode::URI_TOO_LONG,
            false => StatusCode::BAD_REQUEST,
        };
        let Some(end) = self.scan.find_head_end(rx, too_long, &self.limits)? else {
            return match ended {
                true => Err(HttpError::Truncated),
                false => Ok((0, Incoming::NeedMore)),
            };
        };
        let text = &rx[..end];
        let found = match server {
            true => self.request(head::request(text, &self.limits)?)?,
            false => self.response(head::response(text, &self.limits)?)?,
        };
        Ok((end, found))
    }

    fn request(&mut self, head: RequestHead) -> Result<Incoming, HttpError> {
        let length = framing::of_request(&head)?;
        self.begin(&head);
        self.reader = Reader::new(length);
        Ok(Incoming::Request(head))
    }

    fn response(&mut self, head: ResponseHead) -> Result<Incoming, HttpError> {
        let switching = head.status == StatusCode::SWITCHING_PROTOCOLS;
        if switching && self.sides.wish != Some(Wish::Upgrade) {
            return Err(HttpError::bad("another protocol that nobody asked for"));
        }
        let length = framing::of_response(&head, &self.asked)?;
        let stays = framing::keeps_alive(&head.headers, head.version);
        self.sides
            .response(head.status, stays && length != Length::UntilClose);
        if self.sides.server == State::Body {
            self.reader = Reader::new(length);
        }
        Ok(Incoming::Response(head))
    }

    fn body(&mut self, rx: &[u8], ended: bool) -> Result<(usize, Incoming), HttpError> {
        let (taken, piece) = self.reader.read(rx, ended, &self.limits)?;
        let found = match piece {
            Piece::NeedMore => Incoming::NeedMore,
            Piece::Data(n) => Incoming::Data(n),
            Piece::End(trailers) => {
                self.sides.end(self.peer());
                Incoming::End(trailers)
            }
        };
        Ok((taken, found))
    }

    /// Notes what a request means for the connection.
    fn begin(&mut self, head: &RequestHead) {
        self.requests += 1;
        self.blank = false;
        self.asked = head.method.clone();
        self.client_version = head.version;
        self.client_stays = framing::keeps_alive(&head.headers, head.version);
        let enough = self
            .limits
            .requests_max
            .is_some_and(|most| self.requests >= most);
        let wish = match head.method {
            Method::CONNECT => Some(Wish::Tunnel),
            _ => head.wants_upgrade().then_some(Wish::Upgrade),
        };
        self.sides.request(self.client_stays && !enough, wish);
    }
}

/// Outgoing. Nothing is appended when an error is returned.
impl Connection {
    /// Begins a request.
    ///
    /// # Errors
    /// [`Misuse`]: not a client, the exchange before is not over, no Host, a target or framing
    /// that makes no message, or a body without a length.
    pub fn send_request(
        &mut self,
        head: &RequestHead,
        length: Length,
        out: &mut Vec<u8>,
    ) -> Result<(), Misuse> {
        if self.role != Role::Client || self.ours() != State::Idle || self.sides.last {
            return Err(Misuse::State);
        }
        let usual = [Method::POST, Method::PUT, Method::PATCH].contains(&head.method);
        let told = match length {
            Length::UntilClose => return Err(Misuse::Framing),
            Length::Chunked => Told::Chunked,
            // RFC 9110 §8.6: none is told where none is expected.
            Length::Known(0) if !usual && !head.headers.contains_key(CONTENT_LENGTH) => {
                Told::Silent
            }
            Length::Known(n) => Told::Known(n),
        };
        write::request(head, told, out)?;
        self.begin(head);
        self.unsent = length;
        Ok(())
    }

    /// Begins a response, or sends an informational one. What it says of its length and of the
    /// connection's future follows from `length` and from the request; a peer of HTTP/1.0 gets
    /// [`Length::UntilClose`] in place of chunks. After HEAD, `length` is what GET would give.
    ///
    /// # Errors
    /// [`Misuse`]: not a server, nothing to answer, a body where there is none, framing fields
    /// that say something else, or a 101 to a client that did not ask.
    pub fn send_response(
        &mut self,
        head: &ResponseHead,
        length: Length,
        out: &mut Vec<u8>,
    ) -> Result<(), Misuse> {
        if self.role != Role::Server || self.ours() != State::Answer {
            return Err(Misuse::State);
        }
        if head.status.is_informational() {
            return self.send_informational(head, out);
        }
        let old = self.client_version == Version::HTTP_10;
        let length = match length {
            Length::Chunked if old => Length::UntilClose,
            length => length,
        };
        let told = self.told(head, length)?;
        let empty = framing::has_no_body(head.status, &self.asked);
        let until_close = length == Length::UntilClose && !empty;
        let says = framing::keeps_alive(&head.headers, Version::HTTP_11);
        let stays = says && !until_close && !self.sides.last;
        let future = match (stays, old) {
            (false, _) => Future::Close,
            (true, true) => Future::KeepAlive,
            (true, false) => Future::Default,
        };
        write::response(head, told, future, out)?;
        self.sides.response(head.status, stays);
        self.unsent = match empty {
            true => Length::Known(0),
            false => length,
        };
        Ok(())
    }

    /// What a final response says of its length.
    fn told(&self, head: &ResponseHead, length: Length) -> Result<Told, Misuse> {
        let framed = head.headers.contains_key(CONTENT_LENGTH)
            || head.headers.contains_key(TRANSFER_ENCODING);
        let tunnel = self.asked == Method::CONNECT && head.status.is_success();
        if !write::tells_length(head.status) || tunnel {
            let empty = length == Length::Known(0);
            return match (empty, framed) {
                (false, _) => Err(Misuse::NoBody),
                (true, true) => Err(Misuse::Framing),
                (true, false) => Ok(Told::Silent),
            };
        }
        let unchanged = head.status == StatusCode::NOT_MODIFIED;
        match length {
            Length::Known(0) if unchanged && !framed => Ok(Told::Silent),
            Length::Known(n) => Ok(Told::Known(n)),
            _ if unchanged => Err(Misuse::NoBody),
            Length::Chunked => Ok(Told::Chunked),
            Length::UntilClose => Ok(Told::Silent),
        }
    }

    fn send_informational(&mut self, head: &ResponseHead, out: &mut Vec<u8>) -> Result<(), Misuse> {
        let switching = head.status == StatusCode::SWITCHING_PROTOCOLS;
        let unasked = switching && self.sides.wish != Some(Wish::Upgrade);
        // RFC 9110 §15.2: HTTP/1.0 knows none of them.
        if unasked || self.client_version == Version::HTTP_10 {
            return Err(Misuse::State);
        }
        write::response(head, Told::Silent, Future::Default, out)?;
        self.sides.response(head.status, true);
        Ok(())
    }

    /// Sends a piece of the body; an empty one is nothing.
    ///
    /// # Errors
    /// [`Misuse::State`] when no body is under way, [`Misuse::TooMuch`] beyond its length.
    pub fn send_data(&mut self, data: &[u8], out: &mut Vec<u8>) -> Result<(), Misuse> {
        if self.ours() != State::Body {
            return Err(Misuse::State);
        }
        match &mut self.unsent {
            Length::Known(left) => {
                let rest = left.checked_sub(data.len() as u64);
                *left = rest.ok_or(Misuse::TooMuch)?;
                out.extend_from_slice(data);
            }
            Length::Chunked if data.is_empty() => {}
            Length::Chunked => write::chunk(data, out),
            Length::UntilClose => out.extend_from_slice(data),
        }
        Ok(())
    }

    /// Ends the message. Without trailers, `trailers` is empty.
    ///
    /// # Errors
    /// [`Misuse::State`] when no message is under way, [`Misuse::Trailers`] where none can be,
    /// [`Misuse::Framing`] for a field that is no trailer. [`Misuse::TooLittle`] when the length
    /// was told and is not reached: then the connection is broken, and closing it is all that
    /// is left.
    pub fn send_end(&mut self, trailers: &HeaderMap, out: &mut Vec<u8>) -> Result<(), Misuse> {
        if self.ours() != State::Body {
            return Err(Misuse::State);
        }
        match self.unsent {
            Length::Chunked => write::last_chunk(trailers, out)?,
            _ if !trailers.is_empty() => return Err(Misuse::Trailers),
            Length::Known(0) | Length::UntilClose => {}
            Length::Known(_) => {
                self.sides.break_off(self.role);
                return Err(Misuse::TooLittle);
            }
        }
        self.sides.end(self.role);
        Ok(())
    }
}
