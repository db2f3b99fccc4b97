//! What a communicator's server does with requests.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use http::header::{ALLOW, CONNECTION, CONTENT_LENGTH, COOKIE, DATE, SERVER};
use http::{HeaderName, HeaderValue, Method, StatusCode};

use super::super::super::Rejection;
use super::super::super::wire::{self, Reply};
use crate::link::Server;
use crate::proto::http::{
    Answer, Handler, Intake, ReasonPhrase, Request, RequestHead, RequestId, Response, date_text,
};

/// Takes requests in, answers what needs no receiver, and collects the packets.
#[derive(Debug, Default)]
pub(super) struct Desk {
    /// Time since 1970, for the field `Date`.
    pub(super) wall: Duration,
    /// Which of the servers is asking.
    pub(super) nth: usize,
    /// The ports of peers that are known by their address; none when it takes certificates.
    pub(super) ports: Option<Vec<String>>,
    /// Bytes that may be received at the same time.
    pub(super) inbox_bytes_max: usize,
    /// Packets that are being received, and how long they are.
    coming: BTreeMap<(usize, RequestId), usize>,
    pub(super) came: VecDeque<Came>,
}

/// A packet, not looked at yet.
#[derive(Debug)]
pub(super) struct Came {
    pub(super) nth: usize,
    pub(super) id: RequestId,
    pub(super) server_port: String,
    pub(super) request: Request,
}

impl Desk {
    /// A reply as it goes out.
    pub(super) fn response(&self, reply: &Reply) -> Response {
        let status = StatusCode::from_u16(reply.status);
        let mut response = Response::new(status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR));
        response.head.reason = reply.reason.as_deref().and_then(ReasonPhrase::new);
        response = response.with_body("text/plain; charset=utf-8", reply.body.as_bytes());
        let headers = &mut response.head.headers;
        if reply.status == 405 {
            headers.insert(ALLOW, HeaderValue::from_static("GET,HEAD,POST"));
        }
        if reply.closes {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        if let Ok(date) = HeaderValue::from_str(&date_text(self.wall)) {
            headers.insert(DATE, date);
        }
        headers.insert(SERVER, HeaderValue::from_static(PRODUCT));
        response
    }

    /// Forgets what was coming on connections that are gone.
    pub(super) fn tidy(&mut self, nth: usize, server: &Server) {
        self.coming
            .retain(|(at, id), _| *at != nth || server.get(id.remoter()).is_some());
    }

    fn post(&mut self, id: RequestId, head: &RequestHead) -> Result<(), Reply> {
        let length = head.headers.get(CONTENT_LENGTH);
        let length: Option<usize> = length.and_then(|value| value.to_str().ok()?.parse().ok());
        let length = length.ok_or_else(Reply::trouble)?;
        let port = cookie(head);
        // Nobody waits for a long body whose sender is unknown already.
        if let (true, Some(ports), Some(port)) = (length > LONG, &self.ports, port) {
            if !ports.contains(&port) {
                return Err(Reply::of(&Err(Rejection::UnknownSender)));
            }
        }
        let all: usize = self.coming.values().sum();
        if all > 0 && all + length > self.inbox_bytes_max {
            return Err(Reply {
                status: 503,
                ..Reply::trouble()
            });
        }
        self.coming.insert((self.nth, id), length);
        Ok(())
    }
}

impl Handler for Desk {
    fn head(&mut self, id: RequestId, head: &RequestHead) -> Intake {
        if head.method != Method::POST {
            return Intake::Collect;
        }
        match self.post(id, head) {
            Ok(()) => Intake::Collect,
            Err(reply) => Intake::Refuse(self.response(&reply)),
        }
    }

    fn request(&mut self, id: RequestId, request: Request) -> Answer {
        self.coming.remove(&(self.nth, id));
        let reply = match (&request.head.method, cookie(&request.head)) {
            (&Method::POST, Some(server_port)) => {
                self.came.push_back(Came {
                    nth: self.nth,
                    id,
                    server_port,
                    request,
                });
                return Answer::Later;
            }
            (&Method::POST, None) => Reply::bad_request(),
            (&Method::GET | &Method::HEAD, _) => Reply::text("Connection working (GET)"),
            _ => Reply::method_not_allowed(),
        };
        Answer::Now(self.response(&reply))
    }

    fn refuse(&mut self, status: StatusCode, why: &'static str) -> Response {
        let reply = Reply {
            status: status.as_u16(),
            body: format!("{}: {why}", status.as_u16()),
            ..Reply::trouble()
        };
        self.response(&reply)
    }
}

/// As Python's aiohttp, only the first field of that name is looked at.
fn cookie(head: &RequestHead) -> Option<String> {
    let field = head.headers.get(COOKIE)?;
    wire::server_port(field.to_str().ok()?)
}

/// How this library calls itself, in both directions.
pub(super) const PRODUCT: &str = concat!("hio/", env!("CARGO_PKG_VERSION"));
/// The field of a packet's id.
pub(super) const MESSAGE_ID: HeaderName = HeaderName::from_static("idempotency-key");
/// Bodies that are worth to be refused early.
const LONG: usize = 64 * 1024;
