//! Connections of a client, by where they lead.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use http::{HeaderMap, Uri};

use super::client::ClientConnection;
use super::exchange::{ExchangeId, Failure, HttpClientEvent, Outgoing};
use crate::link::{Client, Limits};
use crate::net::{ConnectOptions, Endpoint, Net, Owner};
use crate::proto::http::{HttpLimits, RequestHead, SendError};
use crate::tyme::Tyme;

/// Where a request goes: what connections are shared by.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Origin {
    /// Whether it is spoken to over TLS.
    pub secure: bool,
    /// A name or an address, without brackets, in lower case.
    pub host: String,
    /// The port, given or usual.
    pub port: u16,
}

impl Origin {
    /// The origin of an absolute `http` or `https` URI; `None` for any other.
    ///
    /// ```
    /// use hio::proto::http::Origin;
    /// let origin = Origin::of(&"https://Example.org/x".parse()?).ok_or("no origin")?;
    /// assert_eq!((origin.host.as_str(), origin.port), ("example.org", 443));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn of(uri: &Uri) -> Option<Self> {
        let secure = match uri.scheme_str()? {
            scheme if scheme.eq_ignore_ascii_case("http") => false,
            scheme if scheme.eq_ignore_ascii_case("https") => true,
            _ => return None,
        };
        let host = uri.host().filter(|host| !host.is_empty())?;
        let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
        Some(Self {
            secure,
            host: bare.unwrap_or(host).to_ascii_lowercase(),
            port: uri.port_u16().unwrap_or(if secure { 443 } else { 80 }),
        })
    }

    /// What is dialled.
    #[must_use]
    pub fn endpoint(&self) -> Endpoint {
        Endpoint::host(&self.host, self.port)
    }
}

/// How many connections a pool has, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolLimits {
    /// Connections to one origin. Default 6.
    pub per_origin_max: usize,
    /// Connections in all. Default 100.
    pub total_max: usize,
    /// Requests that wait for a connection. Default 1024.
    pub waiting_max: usize,
    /// How long a connection is kept without a request. Default 30 s: less than servers wait.
    pub idle: Duration,
}

impl Default for PoolLimits {
    fn default() -> Self {
        Self {
            per_origin_max: 6,
            total_max: 100,
            waiting_max: 1024,
            idle: Duration::from_secs(30),
        }
    }
}

/// How connections are made.
#[derive(Clone, Debug, Default)]
pub struct Dialling {
    /// Options of the sockets.
    pub options: ConnectOptions,
    /// Limits of the links.
    pub links: Limits,
    /// Limits of the messages.
    pub messages: HttpLimits,
    /// For `https`; without it such requests fail.
    #[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
    pub tls: Option<crate::link::tls::ClientTls>,
    /// Dials this in place of whatever the URI names, such as a Unix socket or a test's server.
    pub instead: Option<Endpoint>,
}

impl Dialling {
    fn connection(&self, origin: &Origin) -> Option<ClientConnection> {
        let to = self.instead.clone().unwrap_or_else(|| origin.endpoint());
        let client = Client::new(to, self.options.clone(), self.links.clone());
        let client = self.secured(client, origin)?;
        Some(ClientConnection::over(client).with_limits(self.messages.clone()))
    }

    #[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
    fn secured(&self, client: Client, origin: &Origin) -> Option<Client> {
        match (origin.secure, &self.tls) {
            (false, _) => Some(client),
            // The certificate must be of the origin, whatever is dialled in its place.
            (true, Some(tls)) if self.instead.is_some() => {
                let tls = tls.clone().with_name(&origin.host).ok()?;
                Some(client.with_tls(tls))
            }
            (true, Some(tls)) => Some(client.with_tls(tls.clone())),
            (true, None) => None,
        }
    }

    #[cfg(not(any(feature = "tls", feature = "aws-lc-rs")))]
    fn secured(&self, client: Client, origin: &Origin) -> Option<Client> {
        (!origin.secure).then_some(client)
    }
}

/// Names a request of a [`ConnectionPool`]. Never used again there.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PooledId(u64);

impl fmt::Debug for PooledId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PooledId({})", self.0)
    }
}

/// Sends requests over as many connections as its limits allow, and keeps those that are idle.
///
/// A request takes an idle connection to its origin, else a new one, else waits. Whether a
/// connection was used before is told with a failure ([`Pooled::reused`]), for whoever decides about
/// trying again.
#[derive(Debug)]
pub struct ConnectionPool {
    dialling: Dialling,
    limits: PoolLimits,
    slots: Vec<Slot>,
    waiting: VecDeque<Waiting>,
    events: VecDeque<Pooled>,
    /// Ends of bodies whose connection is free again.
    leftover: Vec<(PooledId, Vec<u8>)>,
    next: u64,
    owner: Owner,
}

#[derive(Debug)]
struct Slot {
    origin: Origin,
    connection: ClientConnection,
    /// The request that has it, by its name in the pool and on the connection.
    taken: Option<(PooledId, ExchangeId)>,
    /// Exchanges that it has carried.
    uses: u64,
}

#[derive(Debug)]
struct Waiting {
    id: PooledId,
    origin: Origin,
    head: RequestHead,
    outgoing: Outgoing,
    deadline: Tyme,
}

/// What happened to a request of a pool.
#[derive(Clone, Debug)]
pub struct Pooled {
    /// Which one.
    pub id: PooledId,
    /// What happened; the id in it is the connection's own.
    pub event: HttpClientEvent,
    /// The connection had carried another request before, so its loss may have been the server's
    /// idle timeout.
    pub reused: bool,
}

/// Asking, looking.
impl ConnectionPool {
    /// A pool without connections.
    #[must_use]
    pub const fn new(dialling: Dialling, limits: PoolLimits) -> Self {
        Self {
            dialling,
            limits,
            slots: Vec::new(),
            waiting: VecDeque::new(),
            events: VecDeque::new(),
            leftover: Vec::new(),
            next: 0,
            owner: Owner::NONE,
        }
    }

    /// Who is woken.
    pub const fn open(&mut self, owner: Owner) {
        self.owner = owner;
    }

    /// Closes all connections at once; each request that is not over fails.
    pub fn close(&mut self, net: &mut dyn Net) {
        for slot in &mut self.slots {
            slot.connection.close(net);
        }
        for nth in 0..self.slots.len() {
            self.collect(nth);
        }
        self.slots.clear();
        for waiting in std::mem::take(&mut self.waiting) {
            self.fail(waiting.id, Failure::Closed);
        }
    }

    /// Queues a request to an origin, to be given up at `deadline`.
    ///
    /// It fails at once, as an event, when too many wait or the origin cannot be spoken to.
    pub fn request(
        &mut self,
        origin: Origin,
        head: RequestHead,
        outgoing: Outgoing,
        deadline: Tyme,
    ) -> PooledId {
        let id = PooledId(self.next);
        self.next += 1;
        match self.waiting.len() >= self.limits.waiting_max {
            true => self.fail(id, Failure::Busy),
            false => self.waiting.push_back(Waiting {
                id,
                origin,
                head,
                outgoing,
                deadline,
            }),
        }
        id
    }

    /// Connections, idle ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there are no connections.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Requests that wait for a connection.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Takes the events that wait, oldest first.
    pub fn events(&mut self) -> impl Iterator<Item = Pooled> + '_ {
        self.events.drain(..)
    }

    /// When a service is needed next although nothing is ready.
    #[must_use]
    pub fn due(&self, tyme: Tyme) -> Tyme {
        let placed = self
            .waiting
            .iter()
            .any(|waiting| self.place(&waiting.origin).is_some());
        if placed || !self.events.is_empty() {
            return tyme;
        }
        let connections = self.slots.iter().map(|slot| {
            let idle = slot
                .connection
                .idle_since()
                .filter(|_| slot.taken.is_none());
            let expires = idle.map_or(Tyme::NEVER, |since| since + self.limits.idle);
            slot.connection.due(tyme).min(expires)
        });
        let deadlines = self.waiting.iter().map(|waiting| waiting.deadline);
        connections.chain(deadlines).min().unwrap_or(Tyme::NEVER)
    }

    /// Sends a piece of a streamed body; as [`ClientConnection::send`].
    ///
    /// # Errors
    /// As [`ClientConnection::send`].
    pub fn send(&mut self, id: PooledId, data: &[u8]) -> Result<(), SendError> {
        let (slot, exchange) = self.of(id).ok_or(SendError::Gone)?;
        slot.connection.send(exchange, data)
    }

    /// Ends a streamed body; as [`ClientConnection::end`].
    ///
    /// # Errors
    /// As [`ClientConnection::end`].
    pub fn end(&mut self, id: PooledId, trailers: &HeaderMap) -> Result<(), SendError> {
        let (slot, exchange) = self.of(id).ok_or(SendError::Gone)?;
        slot.connection.end(exchange, trailers)
    }

    /// Bytes of a request that was begun which the system has not taken yet.
    #[must_use]
    pub fn unsent(&self, id: PooledId) -> usize {
        let has = |slot: &&Slot| slot.taken.is_some_and(|(pooled, _)| pooled == id);
        let slot = self.slots.iter().find(has);
        slot.map_or(0, |slot| slot.connection.unsent())
    }

    /// Takes what has come of a response's body; empty when nothing has, or it is over.
    pub fn take_body(&mut self, id: PooledId) -> Vec<u8> {
        if let Some(place) = self.leftover.iter().position(|(left, _)| *left == id) {
            return self.leftover.swap_remove(place).1;
        }
        let taken = self.of(id).map(|(slot, _)| slot.connection.take_body());
        taken.unwrap_or_default()
    }

    /// Moves the deadline of a request; as [`ClientConnection::set_deadline`].
    pub fn set_deadline(&mut self, id: PooledId, deadline: Tyme) -> bool {
        let mut waiting = self.waiting.iter_mut();
        if let Some(waiting) = waiting.find(|waiting| waiting.id == id) {
            waiting.deadline = deadline;
            return true;
        }
        self.of(id)
            .is_some_and(|(slot, exchange)| slot.connection.set_deadline(exchange, deadline))
    }

    /// Gives a request up, without an event. Its connection, if it had one, is closed; its place
    /// in the pool is free again.
    pub fn cancel(&mut self, id: PooledId) {
        self.waiting.retain(|waiting| waiting.id != id);
        if let Some((slot, exchange)) = self.of(id) {
            slot.connection.cancel(exchange);
            slot.taken = None;
        }
        self.events.retain(|pooled| pooled.id != id);
        self.leftover.retain(|(left, _)| *left != id);
    }

    fn of(&mut self, id: PooledId) -> Option<(&mut Slot, ExchangeId)> {
        let has = |slot: &&mut Slot| slot.taken.is_some_and(|(pooled, _)| pooled == id);
        let slot = self.slots.iter_mut().find(has)?;
        let (_, exchange) = slot.taken?;
        Some((slot, exchange))
    }

    fn fail(&mut self, id: PooledId, why: Failure) {
        let event = HttpClientEvent::Failed(ExchangeId::NONE, why);
        self.events.push_back(Pooled {
            id,
            event,
            reused: false,
        });
    }
}

/// What a request may have.
enum Place {
    /// The connection at this place of the list.
    Idle(usize),
    New,
    /// A new one, in place of this idle one to somewhere else.
    Instead(usize),
}

/// Serving.
impl ConnectionPool {
    /// Gives connections to those that wait, carries all of them on, closes those idle for long.
    pub fn service(&mut self, tyme: Tyme, net: &mut dyn Net) {
        self.expire(tyme);
        self.assign(net);
        for nth in 0..self.slots.len() {
            let slot = &mut self.slots[nth];
            if let Err(why) = slot.connection.service(tyme, net) {
                log::error!("http: {}:{}: {why}", slot.origin.host, slot.origin.port);
            }
            self.collect(nth);
        }
        let idle = self.limits.idle;
        self.slots.retain_mut(|slot| {
            let since = slot.connection.idle_since();
            let keep = slot.taken.is_some() || since.is_some_and(|since| tyme < since + idle);
            if !keep {
                slot.connection.close(net);
            }
            keep
        });
    }

    fn expire(&mut self, tyme: Tyme) {
        let late = |waiting: &Waiting| waiting.deadline <= tyme;
        let all = self.waiting.iter().filter(|w| late(w)).map(|w| w.id);
        let all: Vec<PooledId> = all.collect();
        self.waiting.retain(|waiting| !late(waiting));
        for id in all {
            self.fail(id, Failure::TimedOut { unsent: true });
        }
    }

    fn assign(&mut self, net: &mut dyn Net) {
        let mut kept = VecDeque::new();
        while let Some(waiting) = self.waiting.pop_front() {
            let nth = match self.place(&waiting.origin) {
                Some(Place::Idle(nth)) => nth,
                Some(Place::New) => self.slots.len(),
                Some(Place::Instead(nth)) => {
                    self.slots.remove(nth).connection.close(net);
                    self.slots.len()
                }
                None => {
                    kept.push_back(waiting);
                    continue;
                }
            };
            if nth == self.slots.len() {
                let Some(mut connection) = self.dialling.connection(&waiting.origin) else {
                    self.fail(waiting.id, Failure::NoTls);
                    continue;
                };
                connection.open(self.owner);
                self.slots.push(Slot {
                    origin: waiting.origin,
                    connection,
                    taken: None,
                    uses: 0,
                });
            }
            let slot = &mut self.slots[nth];
            let (head, outgoing) = (waiting.head, waiting.outgoing);
            let exchange = slot
                .connection
                .request_until(head, outgoing, waiting.deadline);
            slot.taken = Some((waiting.id, exchange));
            slot.uses += 1;
        }
        self.waiting = kept;
    }

    fn place(&self, origin: &Origin) -> Option<Place> {
        let free = |slot: &Slot| slot.taken.is_none() && slot.connection.idle_since().is_some();
        let same = |slot: &&Slot| slot.origin == *origin;
        // The one that was used last is the least likely to be closed by its server.
        let idle = self
            .slots
            .iter()
            .enumerate()
            .filter(|(_, slot)| same(slot) && free(slot));
        if let Some((nth, _)) = idle.max_by_key(|(_, slot)| slot.connection.idle_since()) {
            return Some(Place::Idle(nth));
        }
        if self.slots.iter().filter(same).count() >= self.limits.per_origin_max {
            return None;
        }
        if self.slots.len() < self.limits.total_max {
            return Some(Place::New);
        }
        self.slots.iter().position(free).map(Place::Instead)
    }

    /// Takes over what a connection tells.
    fn collect(&mut self, nth: usize) {
        let slot = &mut self.slots[nth];
        let events: Vec<HttpClientEvent> = slot.connection.events().collect();
        for event in events {
            let Some((id, _)) = slot.taken else { return };
            let over = matches!(
                event,
                HttpClientEvent::Failed(..) | HttpClientEvent::End(..)
            );
            if over {
                slot.taken = None;
                let rest = slot.connection.take_body();
                if !rest.is_empty() {
                    self.leftover.push((id, rest));
                }
            }
            self.events.push_back(Pooled {
                id,
                event,
                reused: slot.uses > 1,
            });
        }
    }
}
