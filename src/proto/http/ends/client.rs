//! One connection of a client, with the requests that wait for it.

use std::collections::VecDeque;

use http::HeaderMap;

use super::exchange::{Exchange, ExchangeId, Failure, HttpClientEvent, Outgoing};
use crate::link::{Client, Limits, LimitsError};
use crate::net::{ConnectOptions, Endpoint, Net, Owner};
use crate::proto::http::{
    Connection, HttpError, HttpLimits, Incoming, Length, Misuse, RequestHead, SendError, State,
};
use crate::tyme::Tyme;

/// Sends requests on one connection, one after the other.
///
/// [`request`](Self::request) queues; [`service`](Self::service) connects when there is something
/// to send, and carries everything on; [`events`](Self::events) tell how it went. A response's
/// body waits to be [taken](Self::take_body), and the server with it.
///
/// A connection that the server closed between two requests is opened again. A request that was
/// under way when its connection was lost [fails](HttpClientEvent::Failed), and is not sent again:
/// whether that is safe is for the caller to say, see [`Failure::unsent`].
///
/// ```
/// use hio::link::Limits;
/// use hio::net::{ConnectOptions, Endpoint};
/// use hio::proto::http::{ClientConnection, Outgoing, RequestHead};
///
/// let to: Endpoint = "localhost:8080".parse()?;
/// let mut client = ClientConnection::new(to, ConnectOptions::default(), Limits::default());
/// let mut head = RequestHead::new(http::Method::GET, "/hello".parse()?);
/// head.headers.insert("host", "localhost:8080".parse()?);
/// let id = client.request(head, Outgoing::Nothing);
/// assert!(client.is_waiting(id));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ClientConnection {
    client: Client,
    connection: Connection,
    limits: HttpLimits,
    /// The exchange under way is the first one, once `begun`.
    queue: VecDeque<Exchange>,
    begun: bool,
    /// What the link had no room for.
    out: Vec<u8>,
    body: Vec<u8>,
    events: VecDeque<HttpClientEvent>,
    next: u64,
    owner: Owner,
    opened: bool,
    /// A piece of a body met a full queue.
    starved: Option<ExchangeId>,
    /// When the last exchange ended.
    idle_since: Tyme,
    /// The connection stood since it was opened last.
    stood: bool,
    /// The connection can carry no further message.
    doomed: bool,
    /// Received bytes wait for the body to be taken.
    full: bool,
}

/// Opening, closing, looking.
impl ClientConnection {
    /// A connection that is not open yet. Does no I/O.
    #[must_use]
    pub fn new(to: Endpoint, options: ConnectOptions, limits: Limits) -> Self {
        Self::over(Client::new(to, options, limits))
    }

    /// On a client of links, which may speak TLS.
    #[must_use]
    pub fn over(client: Client) -> Self {
        let limits = HttpLimits::default();
        Self {
            client: client.with_auto_close(false),
            connection: Connection::client(limits.clone()),
            limits,
            queue: VecDeque::new(),
            begun: false,
            out: Vec::new(),
            body: Vec::new(),
            events: VecDeque::new(),
            next: 0,
            owner: Owner::NONE,
            opened: false,
            starved: None,
            idle_since: Tyme::ZERO,
            stood: false,
            doomed: false,
            full: false,
        }
    }

    /// Sets the limits of messages.
    #[must_use]
    pub fn with_limits(mut self, limits: HttpLimits) -> Self {
        self.connection = Connection::client(limits.clone());
        self.limits = limits;
        self
    }

    /// Who is woken. Nothing is dialled before there is a request.
    pub const fn open(&mut self, owner: Owner) {
        self.owner = owner;
        self.opened = true;
    }

    /// Closes at once. What waits or is under way fails with [`Failure::Closed`].
    pub fn close(&mut self, net: &mut dyn Net) {
        self.opened = false;
        self.client.close(net);
        self.fail_all(&Failure::Closed);
        self.renew();
    }

    /// The link.
    #[must_use]
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// The link, for what a connection that speaks another protocol now is used for.
    pub const fn client_mut(&mut self) -> &mut Client {
        &mut self.client
    }

    /// Bytes that were queued and not taken by the system yet.
    #[must_use]
    pub fn unsent(&self) -> usize {
        self.out.len() + self.client.link().pending()
    }

    /// Requests that wait or are under way.
    #[must_use]
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether no request waits or is under way.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Since when it stands open with nothing to do; `None` when it does not.
    #[must_use]
    pub fn idle_since(&self) -> Option<Tyme> {
        let idle = self.queue.is_empty() && self.client.connected() && !self.client.cutoff();
        idle.then_some(self.idle_since)
    }

    /// Whether a request waits to be sent or is under way.
    #[must_use]
    pub fn is_waiting(&self, id: ExchangeId) -> bool {
        self.queue.iter().any(|exchange| exchange.id == id)
    }

    /// Takes the events that wait, oldest first.
    pub fn events(&mut self) -> impl Iterator<Item = HttpClientEvent> + '_ {
        self.events.drain(..)
    }

    /// When a service is needed next although nothing is ready; as [`Client::due`].
    #[must_use]
    pub fn due(&self, tyme: Tyme) -> Tyme {
        let unsent = self.opened && !self.begun && !self.queue.is_empty() && self.body.is_empty();
        let starts = unsent && (self.client.connected() || !self.client.opened());
        let takes = self.full && self.body.len() < BODY_BYTES_MAX;
        if starts || takes || self.doomed {
            return tyme;
        }
        let deadlines = self.queue.iter().map(|exchange| exchange.deadline);
        let soonest = deadlines.min().unwrap_or(Tyme::NEVER);
        self.client.due(tyme).min(soonest)
    }
}

/// Asking.
impl ClientConnection {
    /// Queues a request. What it is refused for is told as [`HttpClientEvent::Failed`].
    pub fn request(&mut self, head: RequestHead, outgoing: Outgoing) -> ExchangeId {
        self.request_until(head, outgoing, Tyme::NEVER)
    }

    /// The same, given up at `deadline`.
    pub fn request_until(
        &mut self,
        head: RequestHead,
        outgoing: Outgoing,
        deadline: Tyme,
    ) -> ExchangeId {
        let id = ExchangeId(self.next);
        self.next += 1;
        self.queue.push_back(Exchange {
            id,
            head,
            outgoing,
            deadline,
        });
        id
    }

    /// Sends a piece of the body of the request under way, whose head went out with
    /// [`Outgoing::Stream`].
    ///
    /// # Errors
    /// [`SendError::Full`] with how much was taken; [`HttpClientEvent::Drained`] tells of room.
    /// [`SendError::Gone`] when this request is not under way, or more than was told.
    pub fn send(&mut self, id: ExchangeId, data: &[u8]) -> Result<(), SendError> {
        self.check_current(id)?;
        self.flush();
        let room = match self.out.is_empty() {
            true => self.client.link().room().saturating_sub(CHUNK_FRAME),
            false => 0,
        };
        let fits = room.min(data.len());
        self.connection.send_data(&data[..fits], &mut self.out)?;
        self.flush();
        if fits == data.len() {
            return Ok(());
        }
        self.starved = Some(id);
        Err(SendError::Full { taken: fits })
    }

    /// Ends the body.
    ///
    /// # Errors
    /// [`SendError::Gone`] when this request is not under way, or less than was told.
    pub fn end(&mut self, id: ExchangeId, trailers: &HeaderMap) -> Result<(), SendError> {
        self.check_current(id)?;
        let ended = self.connection.send_end(trailers, &mut self.out);
        self.flush();
        if ended == Err(Misuse::TooLittle) {
            self.client.link_mut().abort();
        }
        Ok(ended?)
    }

    /// Takes what has come of the body of the last response; empty when nothing has. The next
    /// request goes out when all of it was taken.
    pub fn take_body(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.body)
    }

    /// Moves the deadline of a request that waits or is under way; [`Tyme::NEVER`] takes it away.
    /// Says whether there is such a request.
    pub fn set_deadline(&mut self, id: ExchangeId, deadline: Tyme) -> bool {
        let exchange = self.queue.iter_mut().find(|exchange| exchange.id == id);
        exchange
            .map(|exchange| exchange.deadline = deadline)
            .is_some()
    }

    /// Gives a request up: one that waits is forgotten, one that is under way takes its
    /// connection with it. There is no event for it.
    pub fn cancel(&mut self, id: ExchangeId) {
        let Some(place) = self.queue.iter().position(|exchange| exchange.id == id) else {
            return;
        };
        self.queue.remove(place);
        if place == 0 && self.begun {
            self.begun = false;
            self.body.clear();
            self.doomed = true;
        }
    }

    fn check_current(&self, id: ExchangeId) -> Result<(), SendError> {
        let first = self.queue.front().map(|exchange| exchange.id);
        match self.begun && first == Some(id) {
            true => Ok(()),
            false => Err(SendError::Gone),
        }
    }
}

/// Serving.
impl ClientConnection {
    /// Connects, sends, receives, ends what is out of time.
    ///
    /// # Errors
    /// The link's limits cannot be kept. Nothing was done.
    pub fn service(&mut self, tyme: Tyme, net: &mut dyn Net) -> Result<(), LimitsError> {
        if !self.opened {
            return Ok(());
        }
        self.expire(tyme);
        // RFC 9112 §9.5: the server may close an idle connection whenever it likes.
        // What it says unasked would be taken for the answer to the next request.
        let over = self.client.cutoff() || !self.client.rx().is_empty();
        let left = !self.begun && self.client.opened() && over;
        if left || self.doomed {
            self.hang_up(net);
        }
        if !self.queue.is_empty() && !self.client.opened() {
            self.client.open(tyme, net, self.owner)?;
        }
        self.client.service(tyme, net);
        self.stood |= self.client.connected();
        self.begin(tyme);
        self.flush();
        while self.step(tyme) {}
        self.client.events().for_each(drop); // what they tell is seen by looking
        match (self.doomed, self.client.opened()) {
            (true, _) => self.hang_up(net),
            (false, false) => self.lost(),
            (false, true) => {
                self.begin(tyme);
                self.send_out(tyme, net);
            }
        }
        self.feed_the_starved();
        Ok(())
    }

    /// Closes the connection, on which nothing is under way. The next request opens another one.
    fn hang_up(&mut self, net: &mut dyn Net) {
        self.client.close(net);
        self.renew();
    }

    fn expire(&mut self, tyme: Tyme) {
        while let Some(late) = self.queue.iter().position(|e| e.deadline <= tyme) {
            let unsent = late > 0 || !self.begun;
            if let Some(exchange) = self.queue.remove(late) {
                self.fail(exchange.id, Failure::TimedOut { unsent });
            }
            if !unsent {
                self.begun = false;
                self.doomed = true;
            }
        }
    }

    /// The next request goes out, if it may.
    fn begin(&mut self, tyme: Tyme) {
        // A body that was not taken would be mixed with the next one.
        let clean = self.client.rx().is_empty() && self.body.is_empty();
        let idle = self.client.connected() && clean;
        while idle && !self.begun && self.connection.ours() == State::Idle {
            let Some(exchange) = self.queue.front_mut() else {
                return;
            };
            let (length, whole) = match &exchange.outgoing {
                Outgoing::Nothing => (Length::Known(0), Some(&[][..])),
                Outgoing::Bytes(bytes) => (Length::Known(bytes.len() as u64), Some(&bytes[..])),
                Outgoing::Stream(length) => (*length, None),
            };
            let sent = self
                .connection
                .send_request(&exchange.head, length, &mut self.out);
            let sent = sent.and_then(|()| match whole {
                Some(bytes) => {
                    self.connection.send_data(bytes, &mut self.out)?;
                    self.connection.send_end(&HeaderMap::new(), &mut self.out)
                }
                None => Ok(()),
            });
            let id = exchange.id;
            match sent {
                Ok(()) => {
                    self.begun = true;
                    self.idle_since = tyme;
                    self.events.push_back(HttpClientEvent::Sending(id));
                }
                Err(why) => {
                    self.queue.pop_front();
                    self.fail(id, Failure::Http(why.into()));
                }
            }
        }
    }

    /// One piece of what came. Says whether there may be another.
    fn step(&mut self, tyme: Tyme) -> bool {
        self.full = self.begun && self.body.len() >= BODY_BYTES_MAX;
        if !self.begun || self.full {
            return false;
        }
        let Some(id) = self.queue.front().map(|exchange| exchange.id) else {
            return false;
        };
        let (rx, ended) = (self.client.rx(), self.client.cutoff());
        let (taken, what) = match self.connection.receive(rx, ended) {
            Ok(found) => found,
            // A connection that was lost tells why by itself.
            Err(HttpError::Truncated) if self.client.closed().is_some() => return false,
            Err(why) => {
                self.finish(tyme);
                self.fail(id, Failure::Http(why));
                self.doomed = true;
                return false;
            }
        };
        if let Incoming::Data(n) = what {
            self.body.extend_from_slice(&rx[taken - n..taken]);
        }
        if taken > 0 {
            self.client.consume(taken);
        }
        let event = match what {
            Incoming::NeedMore | Incoming::Paused | Incoming::Request(_) => return false,
            Incoming::Closed => return false,
            Incoming::Response(head) if head.status.is_informational() => {
                HttpClientEvent::Informational(id, head)
            }
            Incoming::Response(head) => HttpClientEvent::Response(id, head),
            Incoming::Data(_) => HttpClientEvent::Data(id),
            Incoming::End(trailers) => {
                self.finish(tyme);
                HttpClientEvent::End(id, trailers)
            }
            Incoming::Switched => {
                self.finish(tyme);
                HttpClientEvent::Switched(id)
            }
        };
        let over = matches!(event, HttpClientEvent::Switched(_));
        self.tell(event);
        if !self.begun && !over && self.connection.ours() != State::Idle {
            self.doomed = true;
        }
        !over
    }

    /// Several pieces of one body are one event.
    fn tell(&mut self, event: HttpClientEvent) {
        let again = matches!(
            (&event, self.events.back()),
            (HttpClientEvent::Data(a), Some(HttpClientEvent::Data(b))) if a == b
        );
        if !again {
            self.events.push_back(event);
        }
    }

    /// The exchange under way is over.
    fn finish(&mut self, tyme: Tyme) {
        self.queue.pop_front();
        self.begun = false;
        self.idle_since = tyme;
    }

    /// The connection is over, or did not come about.
    fn lost(&mut self) {
        let stood = self.stood;
        self.renew();
        let Some(reason) = self.client.closed() else {
            return;
        };
        if std::mem::take(&mut self.begun) {
            if let Some(exchange) = self.queue.pop_front() {
                self.fail(exchange.id, Failure::Lost(reason));
            }
        } else if !stood {
            // Nobody was reached: whoever waits for this server waits in vain.
            self.fail_all(&Failure::Unreachable(reason));
        }
    }

    fn fail(&mut self, id: ExchangeId, why: Failure) {
        self.events.push_back(HttpClientEvent::Failed(id, why));
    }

    fn fail_all(&mut self, why: &Failure) {
        let all: Vec<Exchange> = self.queue.drain(..).collect();
        for exchange in all {
            self.fail(exchange.id, why.clone());
        }
        self.begun = false;
    }

    /// A fresh start of the machine, for the next connection.
    fn renew(&mut self) {
        self.connection = Connection::client(self.limits.clone());
        self.out = Vec::new();
        self.starved = None;
        (self.stood, self.doomed, self.full) = (false, false, false);
    }

    fn flush(&mut self) {
        if self.out.is_empty() {
            return;
        }
        match self.client.tx(&self.out) {
            Ok(()) => self.out.clear(),
            Err(crate::link::TxError::Full { taken }) => drop(self.out.drain(..taken)),
            Err(_) => self.out.clear(), // the link is over, and tells of it
        }
    }

    /// Sends until nothing is left, or the system takes no more.
    fn send_out(&mut self, tyme: Tyme, net: &mut dyn Net) {
        loop {
            self.flush();
            self.client.service_sends(tyme, net);
            if self.out.is_empty() || self.client.link().pending() > 0 || !self.client.connected() {
                return;
            }
        }
    }

    fn feed_the_starved(&mut self) {
        let link = self.client.link();
        if let (Some(id), true) = (self.starved, link.room() >= link.pending()) {
            self.starved = None;
            self.events.push_back(HttpClientEvent::Drained(id));
        }
    }
}

/// Bytes of a response's body that are held before reading stops.
const BODY_BYTES_MAX: usize = 256 * 1024;
/// Bytes around a chunk.
const CHUNK_FRAME: usize = 20;
