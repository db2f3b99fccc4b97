//! Requests to URLs: over a pool, through redirects, with further attempts where they are safe.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use http::{HeaderMap, Method, StatusCode, Uri};

use super::ask::{Ask, Redirect, at_home};
use super::exchange::{Failure, HttpClientEvent, Outgoing};
use super::pool::{ConnectionPool, Dialling, Origin, PoolLimits, Pooled, PooledId};
use super::url;
use crate::net::{Net, Owner};
use crate::proto::http::{HttpError, ResponseHead, SendError};
use crate::tyme::Tyme;

/// Names a request of an [`HttpClient`]. Never used again there.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AskId(u64);

impl fmt::Debug for AskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AskId({})", self.0)
    }
}

/// A response with its whole body.
#[derive(Clone, Debug)]
pub struct HttpResponse {
    /// Status and fields.
    pub head: ResponseHead,
    /// The body; of one that was streamed, what was not taken.
    pub body: Vec<u8>,
    /// The fields after a chunked body.
    pub trailers: HeaderMap,
    /// Where it came from, after redirects.
    pub url: Uri,
    /// Redirects that were followed.
    pub redirects: u32,
}

/// Why a request has no response.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AskError {
    /// The connection or the exchange failed, after so many attempts.
    #[error("{cause} (after {attempts} attempts)")]
    Failed {
        /// The last failure.
        cause: Failure,
        /// How often it was tried.
        attempts: u32,
    },
    /// The URL is not absolute, or of a scheme other than `http` and `https`.
    #[error("no http or https URL")]
    BadUrl,
    /// The body is larger than what is collected.
    #[error("the body is larger than {0} bytes")]
    TooLarge(usize),
    /// More redirects than are followed.
    #[error("more than {0} redirects")]
    TooManyRedirects(u32),
    /// A redirect from `https` to `http`, to nowhere, or one that wants a body that is gone.
    #[error("a redirect that is not followed: {0}")]
    BadRedirect(&'static str),
}

/// What happened to a request. A response that is collected is one event.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum AskEvent {
    /// A streamed body may be sent now, or more of it.
    MaySend(AskId),
    /// The head of a response whose body is streamed.
    Head(AskId, ResponseHead),
    /// More of a streamed body can be [taken](HttpClient::take_body).
    Data(AskId),
    /// It is over.
    Done(AskId, Result<Box<HttpResponse>, AskError>),
}

/// How persistent an [`HttpClient`] is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Persistence {
    /// Redirects that are followed. Default 10.
    pub redirects_max: u32,
    /// Attempts in all, where another one is safe: nothing was sent, or the method is idempotent
    /// and the connection may have been closed by the server's idle timeout. Default 2.
    pub attempts_max: u32,
}

impl Default for Persistence {
    fn default() -> Self {
        Self {
            redirects_max: 10,
            attempts_max: 2,
        }
    }
}

/// A client for any number of URLs: the seed's `Client`, over a [`ConnectionPool`] and any net.
///
/// ```
/// use hio::proto::http::{Ask, Dialling, HttpClient, PoolLimits};
/// use hio::net::{MioNet, Net, Owner};
/// let mut net = MioNet::new()?;
/// let mut client = HttpClient::new(Dialling::default(), PoolLimits::default());
/// client.open(Owner(1));
/// let now = net.now();
/// let id = client.ask(now, Ask::get("http://127.0.0.1:9/".parse()?));
/// client.service(now, &mut net); // again whenever it is due, until there is an event for `id`
/// assert!(client.is_open(id));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct HttpClient {
    pool: ConnectionPool,
    persistence: Persistence,
    body_bytes_max: usize,
    asks: BTreeMap<AskId, Asking>,
    pooled: BTreeMap<PooledId, AskId>,
    events: VecDeque<AskEvent>,
    next: u64,
}

/// A request that is not over.
#[derive(Debug)]
struct Asking {
    ask: Ask,
    deadline: Tyme,
    pooled: PooledId,
    attempts: u32,
    redirects: u32,
    head: Option<ResponseHead>,
    body: Vec<u8>,
    /// It is redirected, to there; the rest of this response is of no interest.
    leaves_for: Option<Uri>,
}

/// Asking, looking.
impl HttpClient {
    /// A client that is not open yet.
    #[must_use]
    pub fn new(dialling: Dialling, limits: PoolLimits) -> Self {
        Self {
            body_bytes_max: dialling.messages.body_bytes_max,
            pool: ConnectionPool::new(dialling, limits),
            persistence: Persistence::default(),
            asks: BTreeMap::new(),
            pooled: BTreeMap::new(),
            events: VecDeque::new(),
            next: 0,
        }
    }

    /// Sets how persistent it is.
    #[must_use]
    pub const fn with_persistence(mut self, persistence: Persistence) -> Self {
        self.persistence = persistence;
        self
    }

    /// Who is woken.
    pub const fn open(&mut self, owner: Owner) {
        self.pool.open(owner);
    }

    /// Closes everything at once; what is not over fails.
    pub fn close(&mut self, net: &mut dyn Net) {
        self.pool.close(net);
        self.collect();
    }

    /// The connections.
    #[must_use]
    pub const fn pool(&self) -> &ConnectionPool {
        &self.pool
    }

    /// Starts a request.
    pub fn ask(&mut self, tyme: Tyme, ask: Ask) -> AskId {
        let id = AskId(self.next);
        self.next += 1;
        let deadline = ask.within.map_or(Tyme::NEVER, |span| tyme + span);
        let Some(origin) = Origin::of(&ask.url) else {
            self.events
                .push_back(AskEvent::Done(id, Err(AskError::BadUrl)));
            return id;
        };
        let pooled = self
            .pool
            .request(origin, ask.head(), ask.body.clone(), deadline);
        self.pooled.insert(pooled, id);
        self.asks.insert(
            id,
            Asking {
                ask,
                deadline,
                pooled,
                attempts: 1,
                redirects: 0,
                head: None,
                body: Vec::new(),
                leaves_for: None,
            },
        );
        id
    }

    /// Whether a request is not over.
    #[must_use]
    pub fn is_open(&self, id: AskId) -> bool {
        self.asks.contains_key(&id)
    }

    /// Sends a piece of a streamed body.
    ///
    /// # Errors
    /// As [`ClientConnection::send`](super::ClientConnection::send).
    pub fn send(&mut self, id: AskId, data: &[u8]) -> Result<(), SendError> {
        let asking = self.asks.get(&id).ok_or(SendError::Gone)?;
        self.pool.send(asking.pooled, data)
    }

    /// Ends a streamed body.
    ///
    /// # Errors
    /// As [`ClientConnection::end`](super::ClientConnection::end).
    pub fn end(&mut self, id: AskId, trailers: &HeaderMap) -> Result<(), SendError> {
        let asking = self.asks.get(&id).ok_or(SendError::Gone)?;
        self.pool.end(asking.pooled, trailers)
    }

    /// Takes what has come of a streamed body.
    pub fn take_body(&mut self, id: AskId) -> Vec<u8> {
        let Some(asking) = self.asks.get_mut(&id) else {
            return Vec::new();
        };
        let mut body = std::mem::take(&mut asking.body);
        body.append(&mut self.pool.take_body(asking.pooled));
        body
    }

    /// Moves the deadline of a request, further attempts included: [`Tyme::NEVER`] takes it away, as for a
    /// stream that may last once its head is there. False for a request that is over.
    pub fn set_deadline(&mut self, id: AskId, deadline: Tyme) -> bool {
        let Some(asking) = self.asks.get_mut(&id) else {
            return false;
        };
        asking.deadline = deadline;
        self.pool.set_deadline(asking.pooled, deadline);
        true
    }

    /// Gives a request up, without an event.
    pub fn cancel(&mut self, id: AskId) {
        if let Some(asking) = self.asks.remove(&id) {
            self.pooled.remove(&asking.pooled);
            self.pool.cancel(asking.pooled);
        }
        self.events.retain(|event| match event {
            AskEvent::MaySend(of) | AskEvent::Head(of, _) | AskEvent::Data(of) => *of != id,
            AskEvent::Done(of, _) => *of != id,
        });
    }

    /// Takes the events that wait, oldest first.
    pub fn events(&mut self) -> impl Iterator<Item = AskEvent> + '_ {
        self.events.drain(..)
    }

    /// When a service is needed next although nothing is ready.
    #[must_use]
    pub fn due(&self, tyme: Tyme) -> Tyme {
        self.pool.due(tyme)
    }
}

/// Serving.
impl HttpClient {
    /// Carries everything on.
    pub fn service(&mut self, tyme: Tyme, net: &mut dyn Net) {
        self.pool.service(tyme, net);
        self.collect();
    }

    fn collect(&mut self) {
        let events: Vec<Pooled> = self.pool.events().collect();
        for Pooled { id, event, reused } in events {
            if let Some(id) = self.pooled.get(&id).copied() {
                self.take_in(id, event, reused);
            }
        }
    }

    fn take_in(&mut self, id: AskId, event: HttpClientEvent, reused: bool) {
        let Some(asking) = self.asks.get_mut(&id) else {
            return;
        };
        let streams_out = matches!(asking.ask.body, Outgoing::Stream(_));
        match event {
            HttpClientEvent::Sending(_) | HttpClientEvent::Drained(_) if streams_out => {
                self.events.push_back(AskEvent::MaySend(id));
            }
            HttpClientEvent::Response(_, head) => self.head(id, head),
            HttpClientEvent::Data(_) => self.data(id),
            HttpClientEvent::End(_, trailers) => self.end_of(id, trailers),
            HttpClientEvent::Failed(_, cause) => self.failed(id, cause, reused),
            HttpClientEvent::Switched(_) => {
                let why = "another protocol is not what was asked for";
                self.done(id, Err(AskError::BadRedirect(why)));
            }
            _ => {}
        }
    }

    fn head(&mut self, id: AskId, head: ResponseHead) {
        let most = self.body_bytes_max;
        let Some(asking) = self.asks.get_mut(&id) else {
            return;
        };
        match asking.leads_to(&head, self.persistence.redirects_max) {
            Err(why) => return self.done(id, Err(why)),
            Ok(Some(url)) => asking.leaves_for = Some(url),
            Ok(None) if asking.ask.streams => {
                self.events.push_back(AskEvent::Head(id, head.clone()));
            }
            Ok(None) => {
                let told = head
                    .headers
                    .get(CONTENT_LENGTH)
                    .and_then(|v| v.to_str().ok());
                let told = told.and_then(|text| text.parse::<u64>().ok());
                let body = asking.ask.method != Method::HEAD;
                if body && told.is_some_and(|n| n > most as u64) {
                    return self.done(id, Err(AskError::TooLarge(most)));
                }
            }
        }
        asking.head = Some(head);
    }

    fn data(&mut self, id: AskId) {
        let most = self.body_bytes_max;
        let Some(asking) = self.asks.get_mut(&id) else {
            return;
        };
        if asking.leaves_for.is_some() {
            self.pool.take_body(asking.pooled);
        } else if asking.ask.streams {
            self.events.push_back(AskEvent::Data(id));
        } else {
            asking.body.append(&mut self.pool.take_body(asking.pooled));
            if asking.body.len() > most {
                self.done(id, Err(AskError::TooLarge(most)));
            }
        }
    }

    fn end_of(&mut self, id: AskId, trailers: HeaderMap) {
        let Some(asking) = self.asks.get_mut(&id) else {
            return;
        };
        if let Some(url) = asking.leaves_for.take() {
            self.pool.take_body(asking.pooled);
            asking.redirects += 1;
            asking.attempts = 0;
            asking
                .ask
                .follow(url, asking.head.take().map(|head| head.status));
            return self.again(id);
        }
        let mut body = std::mem::take(&mut asking.body);
        body.append(&mut self.pool.take_body(asking.pooled));
        let Some(head) = asking.head.take() else {
            return;
        };
        let response = HttpResponse {
            head,
            body,
            trailers,
            url: asking.ask.url.clone(),
            redirects: asking.redirects,
        };
        self.done(id, Ok(Box::new(response)));
    }

    fn failed(&mut self, id: AskId, cause: Failure, reused: bool) {
        let attempts_max = self.persistence.attempts_max;
        let Some(asking) = self.asks.get(&id) else {
            return;
        };
        let attempts = asking.attempts;
        let whole = !matches!(asking.ask.body, Outgoing::Stream(_));
        let lost = matches!(
            cause,
            Failure::Lost(_) | Failure::Http(HttpError::Truncated)
        );
        let stale = reused && lost && asking.head.is_none();
        let safe = match &cause {
            Failure::Unreachable(_) => true,
            _ => stale && asking.ask.method.is_idempotent() && whole,
        };
        match safe && attempts < attempts_max {
            true => self.again(id),
            false => self.done(id, Err(AskError::Failed { cause, attempts })),
        }
    }

    /// Asks once more, here or elsewhere.
    fn again(&mut self, id: AskId) {
        let Some(asking) = self.asks.get_mut(&id) else {
            return;
        };
        let Some(origin) = Origin::of(&asking.ask.url) else {
            return self.done(id, Err(AskError::BadUrl));
        };
        let (head, body) = (asking.ask.head(), asking.ask.body.clone());
        self.pooled.remove(&asking.pooled);
        asking.attempts += 1;
        asking.pooled = self.pool.request(origin, head, body, asking.deadline);
        self.pooled.insert(asking.pooled, id);
    }

    fn done(&mut self, id: AskId, result: Result<Box<HttpResponse>, AskError>) {
        if let Some(asking) = self.asks.remove(&id) {
            self.pooled.remove(&asking.pooled);
            self.pool.cancel(asking.pooled);
        }
        self.events.push_back(AskEvent::Done(id, result));
    }
}

impl Asking {
    /// Where a response sends the request, if anywhere.
    fn leads_to(&self, head: &ResponseHead, most: u32) -> Result<Option<Uri>, AskError> {
        let kind = Redirect::of(head.status, &self.ask.method);
        let location = head.headers.get(LOCATION);
        let (Some(location), false) = (location, kind == Redirect::No) else {
            return Ok(None);
        };
        if self.redirects >= most {
            return Err(AskError::TooManyRedirects(most));
        }
        if kind == Redirect::Same && matches!(self.ask.body, Outgoing::Stream(_)) {
            return Err(AskError::BadRedirect("the body was streamed and is gone"));
        }
        let text = location.to_str().unwrap_or("\n");
        let url = url::resolve(&self.ask.url, text);
        let url = url.ok_or(AskError::BadRedirect("to nowhere"))?;
        let (from, to) = (Origin::of(&self.ask.url), Origin::of(&url));
        let to = to.ok_or(AskError::BadRedirect("to another scheme"))?;
        match from.is_some_and(|from| from.secure) && !to.secure {
            true => Err(AskError::BadRedirect("from https to http")),
            false => Ok(Some(url)),
        }
    }
}

impl Ask {
    /// Goes where it was sent: what was meant for the old origin stays there.
    fn follow(&mut self, url: Uri, status: Option<StatusCode>) {
        if Origin::of(&self.url) != Origin::of(&url) {
            for name in at_home() {
                self.headers.remove(name);
            }
        }
        let kind = status.map_or(Redirect::Same, |s| Redirect::of(s, &self.method));
        if kind == Redirect::Get {
            self.method = Method::GET;
            self.body = Outgoing::Nothing;
            for name in [CONTENT_TYPE, CONTENT_LENGTH, CONTENT_ENCODING] {
                self.headers.remove(name);
            }
        }
        self.url = url;
    }
}
