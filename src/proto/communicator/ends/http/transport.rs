use std::collections::BTreeMap;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use bytes::Bytes;

use super::config::{HttpConfig, HttpConfigError};
use super::connection::HttpConnection;
use super::desk::{Came, Desk, MESSAGE_ID};
use super::identity::Sender;
use super::job::{self, Job};
use crate::link::{Limits, ListenerLost, OpenError, Server};
use crate::net::{Endpoint, Group, ListenOptions, Net, NetError, Sid};
use crate::proto::communicator::wire::Reply;
use crate::proto::communicator::{
    Again, Attempt, Cause, Communicator, MessageId, Registered, Rejection, SendId, Ticket,
    Transport, TransportEvent, World,
};
use crate::proto::http::{
    Dialling, HttpClientEvent, HttpLimits, HttpServer, HttpServerEvent, PoolLimits, Pooled,
    PooledId, RequestId,
};
use crate::tyme::Tyme;

/// A communicator over HTTP, which speaks with tno's `HttpCommunicator`.
///
/// A packet is the body of a POST; the answer comes when the receiver's handler has returned. Who
/// sent it is told by its address and a cookie, or with TLS by its certificate: see
/// [`HttpConnection`].
pub type HttpCommunicator = Communicator<HttpTransport>;

impl HttpCommunicator {
    /// A communicator with this set-up. Does no I/O.
    ///
    /// # Errors
    /// One TLS context without the other.
    ///
    /// ```
    /// use hio::proto::communicator::{HttpCommunicator, HttpConfig, HttpConnection};
    /// let mut alice = HttpCommunicator::http(HttpConfig::at("localhost", 8000))?;
    /// alice.add_connection("bob", HttpConnection::new("localhost", 8001))?;
    /// assert_eq!(alice.to_string(), "HttpCommunicator(addr=localhost, port=8000)");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn http(config: HttpConfig) -> Result<Self, HttpConfigError> {
        Ok(Self::new(HttpTransport::new(config)?))
    }
}

/// Carries packets as HTTP requests.
#[derive(Debug)]
pub struct HttpTransport {
    config: HttpConfig,
    secure: bool,
    port: u16,
    servers: Vec<HttpServer>,
    desk: Desk,
    tickets: BTreeMap<Ticket, (usize, RequestId)>,
    ticket: u64,
    jobs: BTreeMap<SendId, Job>,
    /// The same by their names in the pools.
    pooled: BTreeMap<(usize, PooledId), SendId>,
    /// What came of them between two services.
    early: Vec<TransportEvent>,
    /// For look-ups.
    group: Option<Group>,
    marks: Vec<Sid>,
}

/// Making and looking.
impl HttpTransport {
    /// A transport with this set-up. Does no I/O.
    ///
    /// # Errors
    /// One TLS context without the other.
    ///
    /// ```
    /// use hio::proto::communicator::{HttpConfig, HttpTransport};
    /// let config = HttpConfig { port: None, ..HttpConfig::default() };
    /// assert_eq!(HttpTransport::new(config)?.port(), 80);
    /// # Ok::<(), hio::proto::communicator::HttpConfigError>(())
    /// ```
    pub fn new(config: HttpConfig) -> Result<Self, HttpConfigError> {
        let secure = config.secure()?;
        let usual = if secure { 443 } else { 80 };
        Ok(Self {
            port: config.port.unwrap_or(usual),
            secure,
            config,
            servers: Vec::new(),
            desk: Desk::default(),
            tickets: BTreeMap::new(),
            ticket: 0,
            jobs: BTreeMap::new(),
            pooled: BTreeMap::new(),
            early: Vec::new(),
            group: None,
            marks: Vec::new(),
        })
    }

    /// The host that it listens on.
    #[must_use]
    pub fn addr(&self) -> &str {
        &self.config.addr
    }

    /// The port that it listens on; once it is initialized the one that was picked.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The set-up.
    #[must_use]
    pub const fn config(&self) -> &HttpConfig {
        &self.config
    }

    /// Where it listens.
    pub fn listening(&self) -> impl Iterator<Item = &Endpoint> {
        let open = self.servers.iter().map(HttpServer::server);
        open.filter(|server| server.listening()).map(Server::ha)
    }
}

impl fmt::Display for HttpTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (addr, port) = (&self.config.addr, self.port);
        write!(f, "HttpCommunicator(addr={addr}, port={port})")
    }
}

/// Opening.
impl HttpTransport {
    fn open(&mut self, world: &mut World<'_>) -> Result<(), OpenError> {
        let both = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        if self.config.addr != "localhost" {
            let at = Endpoint::host(&self.config.addr, self.port);
            return self.listen(at, world);
        }
        let picked = self.port == 0;
        for attempt in 1.. {
            let [v4, v6] = both.map(|ip| std::net::SocketAddr::new(ip, self.port));
            self.listen(v4.into(), world)?;
            let v6 = Endpoint::from(std::net::SocketAddr::new(v6.ip(), self.port));
            match self.listen(v6, world) {
                Err(OpenError::Listen { why, .. }) if is_missing(why) => break, // no IPv6 here
                Err(why) if !picked || attempt == PICKS_MAX => return Err(why),
                // The port that was picked is free only there.
                Err(_) => {
                    self.close_servers(world.net);
                    self.port = 0;
                }
                Ok(()) => break,
            }
        }
        Ok(())
    }

    fn listen(&mut self, at: Endpoint, world: &mut World<'_>) -> Result<(), OpenError> {
        let links = self.config.links.clone();
        let server = self.secured(Server::new(at, ListenOptions::default(), links));
        let mut server = HttpServer::over(server).with_limits(HttpLimits {
            body_bytes_max: world.limits.packet_bytes_max,
            ..HttpLimits::default()
        });
        server.open(world.net, world.owner)?;
        self.port = server.server().ha().port().unwrap_or(self.port);
        self.servers.push(server);
        Ok(())
    }

    #[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
    fn secured(&self, server: Server) -> Server {
        match &self.config.ssl_server_context {
            Some(tls) => {
                if tls.asks_for_certificates() == Some(false) {
                    log::warn!("{self}: no client is asked for a certificate, none will be known");
                }
                server.with_tls(tls.clone())
            }
            None => server,
        }
    }

    #[cfg(not(any(feature = "tls", feature = "aws-lc-rs")))]
    const fn secured(&self, server: Server) -> Server {
        server
    }

    fn dialling(&self, tyme: Tyme) -> Dialling {
        let links = &self.config.links;
        let timeout = self.config.conn_timeout.connecting(tyme);
        Dialling {
            links: Limits {
                connect: timeout.unwrap_or(links.connect),
                handshake: timeout.unwrap_or(links.handshake),
                ..links.clone()
            },
            #[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
            tls: self.config.ssl_client_context.clone(),
            ..Dialling::default()
        }
    }

    fn close_servers(&mut self, net: &mut dyn Net) {
        for server in &mut self.servers {
            server.close(net);
        }
        self.servers.clear();
    }
}

/// Sending.
impl HttpTransport {
    /// Carries the connections to one peer on.
    fn serve_peer(
        &mut self,
        nth: usize,
        peers: &mut [Registered<HttpConnection>],
        tyme: Tyme,
        net: &mut dyn Net,
    ) {
        let Some(pool) = peers[nth].connection.session.as_mut() else {
            return;
        };
        // What is written on an event goes out with the next service of the pool.
        for _ in 0..ROUNDS {
            pool.service(tyme, net);
            let told: Vec<Pooled> = pool.events().collect();
            if told.is_empty() {
                break;
            }
            for Pooled { id, event, .. } in told {
                let Some(&send) = self.pooled.get(&(nth, id)) else {
                    drop(pool.take_body(id)); // of an answer that was judged by its head
                    continue;
                };
                let Some(job) = self.jobs.get_mut(&send) else {
                    continue;
                };
                let outcome = match event {
                    HttpClientEvent::Sending(_) => {
                        job.begin();
                        job.push(pool);
                        continue;
                    }
                    HttpClientEvent::Drained(_) => {
                        job.push(pool);
                        continue;
                    }
                    HttpClientEvent::Response(_, head) => {
                        job::judge(&head).map_err(|cause| (cause, Again::Never))
                    }
                    HttpClientEvent::Failed(_, why) => Err(job::blame(why)),
                    _ => {
                        job.hear(tyme, &self.config.conn_timeout);
                        continue;
                    }
                };
                self.jobs.remove(&send);
                self.pooled.remove(&(nth, id));
                self.early.push(told_of(send, outcome));
            }
        }
    }

    /// Gives up what is out of time.
    fn expire(&mut self, peers: &mut [Registered<HttpConnection>], tyme: Tyme) {
        let mut late = Vec::new();
        for (id, job) in &mut self.jobs {
            if let Some(pool) = &peers[job.to].connection.session {
                job.look(tyme, pool, &self.config.conn_timeout);
            }
            if let Some(why) = job.late(tyme) {
                late.push((*id, why));
            }
        }
        for (id, why) in late {
            let Some(job) = self.jobs.remove(&id) else {
                continue;
            };
            self.pooled.remove(&(job.to, job.pooled));
            if let Some(pool) = &mut peers[job.to].connection.session {
                pool.cancel(job.pooled);
            }
            self.early.push(told_of(id, Err(why)));
        }
    }
}

/// Receiving.
impl HttpTransport {
    fn serve(
        &mut self,
        peers: &[Registered<HttpConnection>],
        world: &mut World<'_>,
        events: &mut Vec<TransportEvent>,
    ) -> Result<(), ListenerLost> {
        let mut served = Ok(());
        self.desk.wall = world.net.wall();
        for (nth, server) in self.servers.iter_mut().enumerate() {
            self.desk.nth = nth;
            let one = server.service(world.tyme, world.net, &mut self.desk);
            served = served.and(one);
            for event in server.events() {
                if let HttpServerEvent::Gone(id) = event {
                    self.tickets.retain(|_, asked| *asked != (nth, id));
                }
            }
            self.desk.tidy(nth, server.server());
        }
        while let Some(came) = self.desk.came.pop_front() {
            self.receive(came, peers, world.tyme, events);
        }
        served
    }

    fn receive(
        &mut self,
        came: Came,
        peers: &[Registered<HttpConnection>],
        tyme: Tyme,
        events: &mut Vec<TransportEvent>,
    ) {
        let Came {
            nth,
            id,
            server_port,
            request,
        } = came;
        let Some(sender) = self.sender(nth, id, &request.peer, &server_port) else {
            return;
        };
        let Some(from) = sender.among(peers) else {
            log::info!("{self}: a packet from unknown {sender:?}");
            let reply = match sender {
                #[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
                Sender::Nobody => Reply::trouble(),
                _ => Reply::of(&Err(Rejection::UnknownSender)),
            };
            return self.reply(nth, id, &reply, tyme);
        };
        let ticket = Ticket(self.ticket);
        self.ticket += 1;
        self.tickets.insert(ticket, (nth, id));
        let message = request.head.headers.get(MESSAGE_ID);
        events.push(TransportEvent::Received {
            ticket,
            from,
            packet: Bytes::from(request.body),
            message: message.and_then(|value| MessageId::parse(value.to_str().ok()?)),
        });
    }

    /// Who sent a request; nobody can be told when the connection is gone.
    #[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
    fn sender(&self, nth: usize, id: RequestId, peer: &Endpoint, port: &str) -> Option<Sender> {
        match self.secure {
            true => {
                let link = self.servers[nth].server().get(id.remoter())?;
                Some(Sender::certified(link))
            }
            false => Some(Sender::at(peer, port)),
        }
    }

    #[cfg(not(any(feature = "tls", feature = "aws-lc-rs")))]
    #[expect(clippy::unnecessary_wraps, reason = "with TLS there may be nobody")]
    fn sender(&self, _: usize, _: RequestId, peer: &Endpoint, port: &str) -> Option<Sender> {
        Some(Sender::at(peer, port))
    }

    fn reply(&mut self, nth: usize, id: RequestId, reply: &Reply, tyme: Tyme) {
        let response = self.desk.response(reply);
        // That the sender is gone is no loss of ours.
        if let Err(why) = self.servers[nth].answer(tyme, id, &response) {
            log::debug!("{self}: {id}: {why}");
        }
    }
}

impl Transport for HttpTransport {
    type Connection = HttpConnection;

    fn init(
        &mut self,
        peers: &mut [Registered<HttpConnection>],
        world: &mut World<'_>,
    ) -> Result<(), OpenError> {
        let wanted = self.port;
        if let Err(why) = self.open(world) {
            self.close_servers(world.net);
            self.port = wanted;
            return Err(why);
        }
        let group = world.net.group(world.owner);
        self.group = Some(group);
        let ports = peers.iter().map(|peer| peer.connection.port().to_string());
        self.desk.ports = (!self.secure).then(|| ports.collect());
        self.desk.inbox_bytes_max = world.limits.inbox_bytes_max;
        for peer in peers {
            let limits = PoolLimits {
                per_origin_max: self.config.connections_max,
                total_max: self.config.connections_max,
                waiting_max: world.limits.pending_max,
                ..PoolLimits::default()
            };
            let dialling = self.dialling(world.tyme);
            peer.connection.setup(dialling, limits).open(world.owner);
            peer.connection.look_up(world.tyme, world.net, group);
        }
        Ok(())
    }

    fn send(
        &mut self,
        peers: &mut [Registered<HttpConnection>],
        attempt: Attempt,
        world: &mut World<'_>,
    ) {
        let Attempt {
            id,
            to,
            message,
            packet,
        } = attempt;
        let connection = &mut peers[to].connection;
        let (host, origin) = (connection.host(self.secure), connection.origin(self.secure));
        let Some(pool) = &mut connection.session else {
            return;
        };
        let timeout = &self.config.conn_timeout;
        let deadline = timeout.deadline(world.tyme, timeout.total);
        let head = job::head(&host, self.port, self.config.message_ids.then_some(message));
        let pooled = pool.request(origin, head, job::outgoing(&packet), deadline);
        let job = Job::new(to, pooled, packet, world.tyme, timeout);
        self.pooled.insert((to, pooled), id);
        self.jobs.insert(id, job);
    }

    fn answer(&mut self, ticket: Ticket, how: &Result<(), Rejection>, world: &mut World<'_>) {
        if let Some((nth, id)) = self.tickets.remove(&ticket) {
            self.reply(nth, id, &Reply::of(how), world.tyme);
        }
    }

    fn service(
        &mut self,
        peers: &mut [Registered<HttpConnection>],
        world: &mut World<'_>,
        events: &mut Vec<TransportEvent>,
    ) -> Result<(), ListenerLost> {
        if let Some(group) = self.group {
            world.net.ready(group, &mut self.marks);
            self.marks.clear();
            for peer in &mut *peers {
                peer.connection.look_up(world.tyme, world.net, group);
            }
        }
        let served = self.serve(peers, world, events);
        self.flush(peers, world);
        events.append(&mut self.early);
        served
    }

    fn flush(&mut self, peers: &mut [Registered<HttpConnection>], world: &mut World<'_>) {
        for server in &mut self.servers {
            server.server_mut().service_sends(world.tyme, world.net);
        }
        for nth in 0..peers.len() {
            self.serve_peer(nth, peers, world.tyme, world.net);
        }
        self.expire(peers, world.tyme);
    }

    fn due(&self, peers: &[Registered<HttpConnection>], tyme: Tyme) -> Tyme {
        if !self.early.is_empty() {
            return tyme;
        }
        let servers = self.servers.iter().map(|server| server.due(tyme));
        let pools = peers.iter().filter_map(|p| p.connection.session.as_ref());
        let pools = pools.map(|pool| pool.due(tyme));
        let names = peers.iter().map(|peer| peer.connection.due(tyme));
        let jobs = self.jobs.values().map(Job::deadline);
        let all = servers.chain(pools).chain(names).chain(jobs);
        all.min().unwrap_or(Tyme::NEVER)
    }

    fn shutdown(&mut self, peers: &mut [Registered<HttpConnection>], world: &mut World<'_>) {
        for peer in peers {
            peer.connection.close(world.net);
        }
        self.jobs.clear();
        self.pooled.clear();
        for server in &mut self.servers {
            server.drain(world.net);
        }
    }

    fn is_idle(&self) -> bool {
        self.servers.iter().all(HttpServer::is_empty)
    }

    fn close(&mut self, peers: &mut [Registered<HttpConnection>], net: &mut dyn Net) {
        for peer in peers {
            peer.connection.close(net);
        }
        self.close_servers(net);
        self.tickets.clear();
        self.jobs.clear();
        self.pooled.clear();
        self.early.clear();
        if let Some(group) = self.group.take() {
            net.close_group(group);
        }
    }

    fn network_id(&self, connection: &HttpConnection) -> String {
        connection.network_id()
    }
}

fn told_of(id: SendId, outcome: Result<(), (Cause, Again)>) -> TransportEvent {
    match outcome {
        Ok(()) => TransportEvent::Sent(id),
        Err((cause, again)) => TransportEvent::Failed { id, cause, again },
    }
}

/// Whether a machine has no such address.
const fn is_missing(why: NetError) -> bool {
    matches!(
        why,
        NetError::AddrNotAvailable | NetError::Unsupported | NetError::Unreachable
    )
}

/// How often a port is picked that should be free on both loopback addresses.
const PICKS_MAX: usize = 8;
/// Services of a peer's connections in one of ours.
const ROUNDS: usize = 4;
