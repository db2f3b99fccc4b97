use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use http::{HeaderMap, StatusCode};

use super::deadlines::Deadlines;
use super::message::{Access, Answer, Intake, Request, RequestId, Response};
use super::peer::{Peer, Turn};
use super::source::{Reading, Source};
use crate::link::{Event, Limits, ListenerLost, OpenError, Remoter, RemoterId, Server};
use crate::net::{Endpoint, ListenOptions, Net, Owner};
use crate::proto::http::{HttpLimits, Length, Misuse, RequestHead, ResponseHead};
use crate::tyme::Tyme;

/// What a server does with requests. A function `FnMut(RequestId, Request) -> Answer` is one.
pub trait Handler {
    /// A head is there: what to do with the body. By default it is collected.
    fn head(&mut self, id: RequestId, head: &RequestHead) -> Intake {
        let _ = (id, head);
        Intake::Collect
    }

    /// A request is complete; or its head, when its body is streamed.
    fn request(&mut self, id: RequestId, request: Request) -> Answer;

    /// What to say of something that is no request, or too large, or too late; the connection is
    /// closed after it. By default the status and its phrase.
    fn refuse(&mut self, status: StatusCode, why: &'static str) -> Response {
        let _ = why;
        Response::status(status)
    }

    /// A connection that speaks another protocol now, since a 101 or a 2xx to CONNECT, has news.
    fn switched(&mut self, id: RequestId, link: &mut Remoter) {
        let _ = (id, link);
    }
}

impl<F: FnMut(RequestId, Request) -> Answer> Handler for F {
    fn request(&mut self, id: RequestId, request: Request) -> Answer {
        self(id, request)
    }
}

/// What happened to requests that are not answered at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HttpServerEvent {
    /// More of a streamed body can be [taken](HttpServer::take_body).
    Data(RequestId),
    /// The streamed body is complete.
    End(RequestId),
    /// The peer has taken most of what was waiting: there is room again after a
    /// [`SendError::Full`].
    Drained(RequestId),
    /// The connection is over before the answer was complete.
    Gone(RequestId),
}

/// Why a piece of a body was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The connection has no room for more: [`HttpServerEvent::Drained`] tells when.
    #[error("the connection has room for {taken} bytes now")]
    Full {
        /// Bytes that were taken.
        taken: usize,
    },
    /// The request is over: answered, or its connection is gone.
    #[error("no such request waits for this")]
    Gone,
    /// It would make no message.
    #[error(transparent)]
    Misuse(#[from] Misuse),
}

/// The receiver of the access log.
pub(super) struct Log(Box<dyn FnMut(&Access<'_>) + Send>);

impl Log {
    pub(super) fn tell(&mut self, access: &Access<'_>) {
        (self.0)(access);
    }
}

/// Answers HTTP/1.1 requests on a [`Server`].
///
/// A [`Handler`] is asked within [`service`](Self::service) and answers at once, later
/// ([`answer`](Self::answer)) or piece by piece ([`begin`](Self::begin), [`send`](Self::send),
/// [`end`](Self::end)). Requests of one connection are answered in order; those of different ones
/// are independent. Everything is bounded by [`HttpLimits`] and the link's [`Limits`]; a
/// streamed body that is not taken makes its peer wait.
///
/// ```
/// use hio::link::Limits;
/// use hio::net::{Endpoint, ListenOptions, MioNet, Net, Owner};
/// use hio::proto::http::{Answer, HttpLimits, HttpServer, Request, RequestId, Response};
///
/// let at: Endpoint = "127.0.0.1:0".parse()?;
/// let mut server = HttpServer::new(at, ListenOptions::default(), Limits::default());
/// let mut net = MioNet::new()?;
/// server.open(&mut net, Owner(1))?;
/// let mut hello = |_id: RequestId, request: Request| {
///     let text = format!("hello from {}", request.head.target.path());
///     Answer::Now(Response::ok("text/plain", text))
/// };
/// let now = net.now();
/// server.service(now, &mut net, &mut hello)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct HttpServer {
    server: Server,
    limits: HttpLimits,
    /// By the place of their remoters.
    peers: Vec<Option<Box<Peer>>>,
    open: usize,
    deadlines: Deadlines,
    events: VecDeque<HttpServerEvent>,
    /// Scratch: kept for its storage.
    fresh: Vec<HttpServerEvent>,
    /// Connections whose request was answered while more waits to be read.
    waiting: Vec<RemoterId>,
    /// Requests whose answer met a full queue.
    starved: Vec<RequestId>,
    /// Connections that have more to send than their links have room for.
    spilling: Vec<RemoterId>,
    /// Bodies that are read from sources.
    reading: Reading,
    log: Option<Log>,
    draining: bool,
    /// While it drains: when to look for connections that are through.
    look_at: Tyme,
}

impl fmt::Debug for HttpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpServer")
            .field("server", &self.server)
            .field("open", &self.open)
            .finish_non_exhaustive()
    }
}

/// Opening, closing, looking.
impl HttpServer {
    /// A server that is not open yet. Does no I/O.
    #[must_use]
    pub fn new(at: Endpoint, options: ListenOptions, limits: Limits) -> Self {
        Self::over(Server::new(at, options, limits))
    }

    /// On a server of links, which may speak TLS.
    #[must_use]
    pub fn over(server: Server) -> Self {
        Self {
            // A peer that has ended its side still waits for its answer.
            server: server.with_auto_close(false),
            limits: HttpLimits::default(),
            peers: Vec::new(),
            open: 0,
            deadlines: Deadlines::default(),
            events: VecDeque::new(),
            fresh: Vec::new(),
            waiting: Vec::new(),
            starved: Vec::new(),
            spilling: Vec::new(),
            reading: Reading::default(),
            log: None,
            draining: false,
            look_at: Tyme::NEVER,
        }
    }

    /// Sets the limits of messages.
    #[must_use]
    pub fn with_limits(mut self, limits: HttpLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Is told of each request that is over.
    #[must_use]
    pub fn with_log(mut self, log: impl FnMut(&Access<'_>) + Send + 'static) -> Self {
        self.log = Some(Log(Box::new(log)));
        self
    }

    /// Starts to listen.
    ///
    /// # Errors
    /// As [`Server::open`].
    pub fn open(&mut self, net: &mut dyn Net, owner: Owner) -> Result<(), OpenError> {
        self.forget();
        self.server.open(net, owner)
    }

    /// Closes everything at once.
    pub fn close(&mut self, net: &mut dyn Net) {
        self.server.close(net);
        self.forget();
    }

    fn forget(&mut self) {
        self.peers.clear();
        self.open = 0;
        self.deadlines = Deadlines::default();
        self.events.clear();
        self.waiting.clear();
        self.starved.clear();
        self.spilling.clear();
        self.reading = Reading::default();
        (self.draining, self.look_at) = (false, Tyme::NEVER);
    }

    /// Comes to its end in order: no request that has come is lost.
    ///
    /// Who waits at the listener is still accepted, then it listens no more. Requests that have come,
    /// in part or unread, are answered; the last of them on each connection with `Connection:
    /// close`. A connection on which nothing is under way is closed once it had no traffic for
    /// [`Limits::drain_quiet`] and one more read finds nothing: as its peer may just be about to ask,
    /// who then hears that it is the last time. All are closed in stages (RFC 9112 §9.6).
    ///
    /// Service on until [`is_empty`](Self::is_empty). Answers without end, such as events, are the
    /// program's to end; what is left at a [`close`](Self::close) is reset with
    /// [`CloseReason::DrainCut`](crate::link::CloseReason::DrainCut).
    pub fn drain(&mut self, net: &mut dyn Net) {
        if !std::mem::replace(&mut self.draining, true) {
            self.server.finish_listening(net);
            self.look_at = Tyme::ZERO;
        }
    }

    /// Whether there are no connections, and none waits at a listener that accepts its last ones.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.server.is_empty() && !(self.draining && self.server.listening())
    }

    /// The server of links.
    #[must_use]
    pub const fn server(&self) -> &Server {
        &self.server
    }

    /// The server of links, to look at a connection or to change its certificate.
    pub const fn server_mut(&mut self) -> &mut Server {
        &mut self.server
    }

    /// When a service is needed next although nothing is ready; as [`Server::due`].
    #[must_use]
    pub fn due(&self, tyme: Tyme) -> Tyme {
        match self.waiting.is_empty() && !self.reading.goes_on() {
            true => (self.server.due(tyme))
                .min(self.deadlines.soonest())
                .min(self.look_at),
            false => tyme,
        }
    }

    /// Takes the events that wait, oldest first.
    pub fn events(&mut self) -> impl Iterator<Item = HttpServerEvent> + '_ {
        self.events.drain(..)
    }

    fn peer(&self, id: RemoterId) -> Option<&Peer> {
        let peer = self.peers.get(id.place())?.as_deref()?;
        (peer.remoter() == id).then_some(peer)
    }
}

/// Serving.
impl HttpServer {
    /// Accepts, receives, asks the handler, sends, and ends what is out of time.
    ///
    /// # Errors
    /// The listener is lost. All else was done nevertheless.
    pub fn service(
        &mut self,
        tyme: Tyme,
        net: &mut dyn Net,
        handler: &mut dyn Handler,
    ) -> Result<(), ListenerLost> {
        if tyme < self.look_at || self.look_at.is_never() {
            return self.serve(tyme, net, handler);
        }
        let served = self.serve(tyme, net, handler);
        self.end_quiet(tyme, net);
        let step = self.server.limits().drain_quiet / LOOKS;
        self.look_at = match self.is_empty() {
            true => Tyme::NEVER,
            false => tyme + step.max(Duration::from_millis(1)),
        };
        served
    }

    /// Closes the connections on which nothing is under way, and was not for a while.
    fn end_quiet(&mut self, tyme: Tyme, net: &mut dyn Net) {
        let since = |remoter: &Remoter| remoter.active() + self.server.limits().drain_quiet;
        let mut ids = self.server.ids();
        ids.retain(|id| {
            let remoter = self.server.get(*id);
            remoter.is_some_and(|remoter| since(remoter) <= tyme && self.rests(remoter))
        });
        for id in ids {
            self.server.close_if_silent(id, tyme, net);
            // What came instead, or that it is over: nobody else looks.
            self.waiting.push(id);
        }
    }

    fn rests(&self, remoter: &Remoter) -> bool {
        let unasked = self.peer(remoter.id());
        let unasked = unasked.map_or(remoter.rx().is_empty(), |peer| peer.rests(remoter));
        unasked && remoter.connected() && remoter.pending() == 0
    }

    /// Serves all that is ready, and sources as long as their sockets take more.
    fn serve(
        &mut self,
        tyme: Tyme,
        net: &mut dyn Net,
        handler: &mut dyn Handler,
    ) -> Result<(), ListenerLost> {
        self.reading.begin();
        let mut served = self.round(tyme, net, handler);
        // As long as the sockets take what is read of sources: one that takes no more wakes us.
        while served.is_ok() && self.reading.goes_on_now() {
            served = self.round(tyme, net, handler);
        }
        self.expire(tyme, handler);
        self.events.extend(self.fresh.drain(..));
        let (server, open) = (&self.server, self.open);
        self.deadlines.tidy(open, |id| server.get(id).is_some());
        served
    }

    /// Serves all that is ready, once.
    fn round(
        &mut self,
        tyme: Tyme,
        net: &mut dyn Net,
        handler: &mut dyn Handler,
    ) -> Result<(), ListenerLost> {
        let mut turn = Turn {
            tyme,
            limits: &self.limits,
            handler,
            events: &mut self.fresh,
            log: &mut self.log,
            draining: self.draining,
            reading: &mut self.reading,
        };
        let mut table = Table {
            peers: &mut self.peers,
            open: &mut self.open,
            deadlines: &mut self.deadlines,
            spilling: &mut self.spilling,
        };
        for id in self.waiting.drain(..) {
            if let Some(remoter) = self.server.get_mut(id) {
                table.serve(remoter, &mut turn);
            }
        }
        while let Some(id) = turn.reading.next() {
            if let Some(remoter) = self.server.get_mut(id) {
                table.read(remoter, &mut turn);
            }
        }
        let served = self.server.service_each(tyme, net, |remoter| {
            table.serve(remoter, &mut turn);
        });
        self.hear(tyme);
        served
    }

    /// What the links tell beside what was received.
    fn hear(&mut self, tyme: Tyme) {
        let accepted = |event| match event {
            Event::Accepted(id) => Some(id),
            _ => None,
        };
        let accepted: Vec<RemoterId> = self.server.events().filter_map(accepted).collect();
        for id in accepted {
            // One that says nothing has a tymer, too.
            if let Some(remoter) = self.server.get(id) {
                let (peers, open) = (&mut self.peers, &mut self.open);
                let peer = peer_of(peers, open, remoter, tyme, &self.limits);
                arm(peer, remoter, &self.limits, &mut self.deadlines);
            }
        }
        let (server, peers) = (&self.server, &self.peers);
        let (fresh, waiting) = (&mut self.fresh, &mut self.waiting);
        // None when it is over, else whether most of what it can queue is taken.
        let waits = |id: RemoterId| {
            let remoter = server.get(id).filter(|remoter| remoter.closed().is_none());
            remoter.map(|remoter| remoter.pending() > remoter.room())
        };
        self.starved.retain(|id| match waits(id.remoter) {
            Some(false) => {
                fresh.push(HttpServerEvent::Drained(*id));
                false
            }
            other => other.is_some(),
        });
        self.spilling.retain(|id| {
            let peer = peers.get(id.place()).and_then(Option::as_deref);
            let spills = peer.is_some_and(|peer| peer.remoter() == *id && peer.spills());
            match waits(*id).filter(|_| spills) {
                Some(false) => {
                    waiting.push(*id); // nothing of the net will tell of the room there is
                    true
                }
                other => other.is_some(),
            }
        });
        let peers = &mut self.peers;
        self.reading.sort_out(|id| {
            let peer = peers.get_mut(id.place()).and_then(Option::as_deref_mut);
            let Some(peer) = peer.filter(|peer| peer.remoter() == id) else {
                return false;
            };
            let link = server.get(id).filter(|link| link.closed().is_none());
            let hungers = link.is_some_and(|link| peer.hungers(link));
            peer.set_reads(hungers);
            hungers
        });
    }

    fn expire(&mut self, tyme: Tyme, handler: &mut dyn Handler) {
        while let Some(id) = self.deadlines.next(tyme) {
            let Some(peer) = self
                .peers
                .get_mut(id.place())
                .and_then(Option::as_deref_mut)
            else {
                continue;
            };
            if peer.remoter() != id {
                continue;
            }
            peer.armed = Tyme::NEVER;
            let Some(remoter) = self.server.get(id) else {
                continue;
            };
            match peer.deadline(remoter, &self.limits) {
                Some((at, late)) if at <= tyme => {
                    let mut turn = Turn {
                        tyme,
                        limits: &self.limits,
                        handler,
                        events: &mut self.fresh,
                        log: &mut self.log,
                        draining: self.draining,
                        reading: &mut self.reading,
                    };
                    if let Some(remoter) = self.server.get_mut(id) {
                        peer.late(late, remoter, &mut turn);
                    }
                }
                Some((at, _)) => self.deadlines.arm(id, at, &mut peer.armed),
                None => {}
            }
        }
    }
}

/// What serving one connection changes.
struct Table<'a> {
    peers: &'a mut Vec<Option<Box<Peer>>>,
    open: &'a mut usize,
    deadlines: &'a mut Deadlines,
    spilling: &'a mut Vec<RemoterId>,
}

impl Table<'_> {
    /// One connection has news.
    fn serve(&mut self, remoter: &mut Remoter, turn: &mut Turn<'_>) {
        let over = remoter.closed().is_some();
        let peer = peer_of(self.peers, self.open, remoter, turn.tyme, turn.limits);
        let spilled = peer.spills();
        peer.turn(remoter, turn);
        if over {
            self.peers[remoter.id().place()] = None;
            *self.open -= 1;
            return;
        }
        if peer.spills() && !spilled {
            self.spilling.push(remoter.id());
        }
        arm(peer, remoter, turn.limits, self.deadlines);
    }
}

impl Table<'_> {
    /// It is the turn of one whose body is read from a source.
    fn read(&mut self, remoter: &mut Remoter, turn: &mut Turn<'_>) {
        let peer = self.peers.get_mut(remoter.id().place());
        if let Some(peer) = peer.and_then(Option::as_deref_mut) {
            peer.set_reads(false);
        }
        self.serve(remoter, turn);
    }
}

/// The peer of a connection, made when it is seen first.
fn peer_of<'a>(
    peers: &'a mut Vec<Option<Box<Peer>>>,
    open: &mut usize,
    remoter: &Remoter,
    tyme: Tyme,
    limits: &HttpLimits,
) -> &'a mut Peer {
    let place = remoter.id().place();
    if place >= peers.len() {
        peers.resize_with(place + 1, || None);
    }
    let known = peers[place]
        .as_ref()
        .is_some_and(|peer| peer.remoter() == remoter.id());
    if !known {
        *open += usize::from(peers[place].is_none());
        peers[place] = None;
    }
    peers[place].get_or_insert_with(|| Box::new(Peer::new(remoter, tyme, limits)))
}

fn arm(peer: &mut Peer, remoter: &Remoter, limits: &HttpLimits, deadlines: &mut Deadlines) {
    if let Some((at, _)) = peer.deadline(remoter, limits) {
        let id = peer.remoter();
        deadlines.arm(id, at, &mut peer.armed);
    }
}

/// Answers that come later.
impl HttpServer {
    /// Answers a request as a whole. It is sent with the next service.
    ///
    /// # Errors
    /// [`SendError::Gone`], or a response that makes no message.
    pub fn answer(
        &mut self,
        tyme: Tyme,
        id: RequestId,
        response: &Response,
    ) -> Result<(), SendError> {
        self.with(tyme, id, |peer, remoter, turn| {
            peer.farewell(remoter, turn);
            let done = peer.answer(response);
            peer.after_answer(remoter, turn);
            Ok(done?)
        })
    }

    /// Begins an answer whose body is sent piece by piece.
    ///
    /// # Errors
    /// [`SendError::Gone`], or a response that makes no message.
    pub fn begin(
        &mut self,
        tyme: Tyme,
        id: RequestId,
        head: &ResponseHead,
        length: Length,
    ) -> Result<(), SendError> {
        self.with(tyme, id, |peer, remoter, turn| {
            peer.farewell(remoter, turn);
            let done = peer.start(head, length);
            peer.after_answer(remoter, turn);
            Ok(done?)
        })
    }

    /// Answers with a body that the server reads as the peer takes it.
    ///
    /// # Errors
    /// [`SendError::Gone`], or a response that makes no message.
    pub fn begin_reading(
        &mut self,
        tyme: Tyme,
        id: RequestId,
        head: &ResponseHead,
        length: Length,
        source: Source,
    ) -> Result<(), SendError> {
        self.with(tyme, id, |peer, remoter, turn| {
            peer.farewell(remoter, turn);
            let done = peer.start_reading(head, length, source);
            peer.read_on(remoter, turn);
            peer.after_answer(remoter, turn);
            Ok(done?)
        })
    }

    /// Sends a piece of the body.
    ///
    /// # Errors
    /// [`SendError::Full`] with how much was taken, [`SendError::Gone`], or more than was told.
    pub fn send(&mut self, tyme: Tyme, id: RequestId, data: &[u8]) -> Result<(), SendError> {
        let sent = self.with(tyme, id, |peer, remoter, _| peer.send(data, remoter));
        if let (Err(SendError::Full { .. }), false) = (sent, self.starved.contains(&id)) {
            self.starved.push(id);
        }
        sent
    }

    /// Ends the body, with trailers if it is chunked.
    ///
    /// # Errors
    /// [`SendError::Gone`], or less than was told: the connection is broken off then.
    pub fn end(
        &mut self,
        tyme: Tyme,
        id: RequestId,
        trailers: &HeaderMap,
    ) -> Result<(), SendError> {
        self.with(tyme, id, |peer, remoter, turn| {
            Ok(peer.end(trailers, remoter, turn)?)
        })
    }

    /// Takes what has come of a streamed body; empty when nothing has.
    pub fn take_body(&mut self, id: RequestId) -> Vec<u8> {
        // To take nothing is no reason for a turn.
        if !self.peer(id.remoter()).is_some_and(Peer::has_body) {
            return Vec::new();
        }
        let taken = self.with(Tyme::ZERO, id, |peer, _, _| Ok(peer.take_body()));
        taken.unwrap_or_default()
    }

    /// The fields after a streamed body, once it is complete.
    #[must_use]
    pub fn trailers(&self, id: RequestId) -> Option<&HeaderMap> {
        let peer = self.peer(id.remoter()).filter(|peer| peer.is(id))?;
        Some(peer.trailers())
    }

    fn with<T>(
        &mut self,
        tyme: Tyme,
        id: RequestId,
        act: impl FnOnce(&mut Peer, &mut Remoter, &mut Turn<'_>) -> Result<T, SendError>,
    ) -> Result<T, SendError> {
        let peer = self
            .peers
            .get_mut(id.remoter().place())
            .and_then(Option::as_deref_mut);
        let peer = peer.filter(|peer| peer.remoter() == id.remoter() && peer.is(id));
        let (Some(peer), Some(remoter)) = (peer, self.server.get_mut(id.remoter())) else {
            return Err(SendError::Gone);
        };
        let mut turn = Turn {
            tyme,
            limits: &self.limits,
            handler: &mut nobody,
            events: &mut self.fresh,
            log: &mut self.log,
            draining: self.draining,
            reading: &mut self.reading,
        };
        let done = act(peer, remoter, &mut turn);
        if peer.wants_turn(remoter) {
            self.waiting.push(id.remoter());
        }
        if peer.spills() && !self.spilling.contains(&id.remoter()) {
            self.spilling.push(id.remoter());
        }
        self.events.extend(self.fresh.drain(..));
        done
    }
}

/// Looks for quiet connections in the time that counts as quiet.
const LOOKS: u32 = 4;

/// Stands in for a handler where none is asked.
fn nobody(_: RequestId, _: Request) -> Answer {
    Answer::Later
}
