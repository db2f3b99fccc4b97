//! Streams as scripts and protocols like them: connect, read, write, take up TLS, close.
//!
//! [`NetworkStream`] is a [`Client`] with operations; `stream/operation.rs` has those, and
//! `stream/backend.rs` the blocking helper.

mod backend;
mod error;
mod info;
mod operation;

use std::fmt;

pub use backend::{NetworkBackend, OpenStream};
pub use error::{Phase, StreamError, StreamFailure};
pub use info::ExtraInfo;
#[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
pub use operation::StartTls;
pub use operation::{Close, Connect, Operation, Read, Write};

#[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
use super::tls::{ClientTls, TlsInfo};
use super::{Client, ClientEvent, CloseReason, Limits};
use crate::net::{ConnectOptions, Endpoint, Net, NetError, Owner, Sid};
use crate::tyme::{Deadlines, Tyme};

/// A stream to a server, with operations that are started, serviced and taken.
///
/// ```text
/// connect(..) -> Connect      read(max) -> Read       write(data) -> Write
/// start_tls(..) -> StartTls   close() -> Close
/// ```
/// Starting does nothing but note the wish. [`service`](Self::service) carries all on, without ever
/// waiting; [`take`](Self::take) gives the result of an operation once it is there. A read and a
/// write may be under way at the same time. A program that has nothing else to do while it waits
/// lets a [`NetworkBackend`] do this.
///
/// A peer that has ended its side can still be written to; the stream is closed by its user.
///
/// # Threads
/// There is no lock inside: every operation takes `&mut self`, so the compiler sees to it that one
/// thread at a time works on a stream.
///
/// # Scope
/// The socket belongs to the net. To drop a stream leaves the socket open until the net is dropped;
/// [`close`](Self::close) and [`abort`](Self::abort) end it, and an [`OpenStream`] does so at the
/// end of its scope.
///
/// ```
/// use hio::link::NetworkStream;
/// use hio::net::{MioNet, Net, Owner};
/// use hio::tyme::Deadlines;
/// # let server = std::net::TcpListener::bind("127.0.0.1:0")?;
/// # let port = server.local_addr()?.port();
/// let (mut net, deadlines) = (MioNet::new()?, Deadlines::new());
/// let mut stream = NetworkStream::to("localhost", port);
/// let mut connect = stream.connect(net.now(), &mut net, Owner::NONE)?;
/// loop {
///     let now = net.now();
///     stream.service(now, &mut net);
///     if let Some(connected) = stream.take(&mut connect, now, &deadlines) {
///         connected?;
///         break;
///     }
///     net.poll(stream.due(now).min(deadlines.soonest()))?;
/// }
/// assert_eq!(format!("{stream:?}"), format!("<NetworkStream [\"127.0.0.1:{port}\"]>"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct NetworkStream {
    client: Client,
    /// What connecting is at, or was when it ended.
    dialling: Phase,
    /// Our address, once the connection stood.
    local: Option<Endpoint>,
    /// The server's, likewise.
    peer: Option<Endpoint>,
    /// The socket, likewise, with its descriptor.
    socket: Option<(Sid, Option<i32>)>,
    secured: bool,
    /// An operation was not done when it was to be taken, in this turn.
    awaited: bool,
    /// After that, something was brought about that it may have waited for.
    untaken: bool,
    /// It was asked to close.
    closing: bool,
}

/// Opening and closing.
impl NetworkStream {
    /// A stream to that server, with default options and limits. Does no I/O.
    #[must_use]
    pub fn to(host: &str, port: u16) -> Self {
        Self::new(
            Endpoint::host(host, port),
            ConnectOptions::default(),
            Limits::default(),
        )
    }

    /// A stream that is not connected yet. Does no I/O.
    #[must_use]
    pub fn new(to: Endpoint, options: ConnectOptions, limits: Limits) -> Self {
        Self {
            client: Client::new(to, options, limits).with_auto_close(false),
            dialling: Phase::Connect,
            local: None,
            peer: None,
            socket: None,
            secured: false,
            awaited: false,
            untaken: false,
            closing: false,
        }
    }

    /// Begins with a TLS handshake, which is then part of connecting. The name to be verified is
    /// that of `tls`, else the dialled one.
    #[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
    #[must_use]
    pub fn with_tls(mut self, tls: ClientTls) -> Self {
        self.client = self.client.with_tls(tls);
        self
    }

    /// Starts to connect; a stream that was open is closed first. `owner` is woken when there is
    /// something to service.
    ///
    /// # Errors
    /// The limits cannot be kept.
    pub fn connect(
        &mut self,
        tyme: Tyme,
        net: &mut dyn Net,
        owner: Owner,
    ) -> Result<Connect, StreamError> {
        (self.local, self.peer, self.socket) = (None, None, None);
        (self.secured, self.closing) = (false, false);
        self.dialling = match self.client.to() {
            Endpoint::Name(..) => Phase::Resolve,
            _ => Phase::Connect,
        };
        self.client
            .open(tyme, net, owner)
            .map_err(|why| StreamError::new(Phase::Connect, why))?;
        self.look(net);
        Ok(Connect(()))
    }

    /// Starts to close in order. A stream that was closed before, or never open, is done with it at
    /// once.
    pub fn close(&mut self) -> Close {
        let was_closed = self.client.closed().is_some();
        self.closing = true;
        self.client.drain();
        Close { was_closed }
    }

    /// Breaks off at once: the peer sees a reset. Does nothing when closed.
    pub fn abort(&mut self, net: &mut dyn Net) {
        self.closing = true;
        self.client.abort(net);
    }
}

/// Reading, writing, TLS.
impl NetworkStream {
    /// Starts to read at most `max` bytes, or [`READ_MAX`]; zero gives an empty result at once.
    pub fn read(&self, max: impl Into<Option<usize>>) -> Read {
        let max = max.into().unwrap_or(READ_MAX);
        Read { max }
    }

    /// Starts to write all of `data`. One write at a time: those that overlap are mixed.
    pub fn write<D: AsRef<[u8]>>(&self, data: D) -> Write<D> {
        let before = (self.client.stats().sent, self.client.link().pending());
        Write {
            data,
            queued: 0,
            before,
        }
    }

    /// Starts a TLS handshake on the stream, also where there is TLS already. `hostname`, a name or
    /// an address, is what the server's certificate must be for, and what is asked for by SNI.
    ///
    /// # Errors
    /// Bytes that were received before and are not read: they came unprotected, and whoever put
    /// them there could have them taken for the server's. A name that is none. The stream is not
    /// open, or a handshake is under way. It goes on as it was.
    #[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
    pub fn start_tls(&mut self, tls: &ClientTls, hostname: &str) -> Result<StartTls, StreamError> {
        let failed = |why| StreamError::new(Phase::Handshake, why);
        if self.closing {
            return Err(self.after_close(Phase::Handshake));
        }
        let bare = hostname.strip_prefix('[');
        let bare = bare.and_then(|rest| rest.strip_suffix(']'));
        let named = tls.clone().with_name(bare.unwrap_or(hostname));
        let named = named.map_err(|why| failed(StreamFailure::Tls(why)))?;
        let started = self.client.start_tls(&named);
        started.map_err(|why| failed(StreamFailure::StartTls(why)))?;
        Ok(StartTls(()))
    }
}

/// Carrying on.
impl NetworkStream {
    /// Gives it to another owner, and says who had it.
    fn set_owner(&mut self, net: &mut dyn Net, owner: Owner) -> Owner {
        let before = self.client.owner();
        self.client.set_owner(net, owner);
        before
    }

    /// Does what can be done now: connects, sends, receives, closes. Bounded by its limits. Take
    /// all that is under way afterwards.
    pub fn service(&mut self, tyme: Tyme, net: &mut dyn Net) {
        (self.awaited, self.untaken) = (false, false);
        self.client.service(tyme, net);
        self.look(net);
    }

    /// Sends what operations have queued since, and does what else they asked for, so that it need
    /// not wait for the next turn of a doer. What that ended is due at once.
    pub fn service_sends(&mut self, tyme: Tyme, net: &mut dyn Net) {
        let before = self.state();
        self.client.service_sends(tyme, net);
        self.untaken |= self.awaited && before != self.state();
        self.look(net);
    }

    /// All that an operation may wait for.
    fn state(&self) -> (u64, u64, bool, bool, Option<CloseReason>) {
        let (stats, client) = (self.client.stats(), &self.client);
        let (connected, cutoff) = (client.connected(), client.cutoff());
        (
            stats.sent,
            stats.received,
            connected,
            cutoff,
            client.closed(),
        )
    }

    /// Gives the result of an operation, once it is there. Deadlines are those that are open now:
    /// they are looked at here, and nowhere else.
    pub fn take<O: Operation>(
        &mut self,
        operation: &mut O,
        tyme: Tyme,
        deadlines: &Deadlines,
    ) -> Option<Result<O::Output, StreamError>> {
        let result = operation.take(self, tyme, deadlines);
        self.awaited |= result.is_none();
        result
    }

    /// When a service is needed next although nothing is ready: `tyme` itself when there is work
    /// to do now. The soonest deadline is besides, as long as an operation is under way.
    #[must_use]
    pub fn due(&self, tyme: Tyme) -> Tyme {
        match self.untaken {
            true => tyme,
            false => self.client.due(tyme),
        }
    }

    /// Notes what the last service has brought.
    fn look(&mut self, net: &dyn Net) {
        let sid = self.client.link().sid();
        for event in self.client.events() {
            match event {
                ClientEvent::Connected(at) => {
                    self.local = net.local(sid).ok();
                    self.peer = net.peer(sid).ok().or(Some(at));
                    self.socket = Some((sid, descriptor(net, sid)));
                }
                ClientEvent::Secured => self.secured = true,
                _ => {}
            }
        }
        self.dialling = match self.client.closed() {
            Some(CloseReason::HandshakeTimedOut | CloseReason::Tls(_)) => Phase::Handshake,
            Some(CloseReason::ConnectFailed(NetError::Refused)) => Phase::Connect,
            Some(_) => self.dialling,
            None if self.client.resolving() => Phase::Resolve,
            None if self.client.link().handshaking() => Phase::Handshake,
            None if self.peer.is_none() => Phase::Connect,
            None => self.dialling,
        };
    }
}

/// Looking.
impl NetworkStream {
    /// Our address, once the connection stood.
    #[must_use]
    pub const fn client_addr(&self) -> Option<&Endpoint> {
        self.local.as_ref()
    }

    /// The server's address, likewise: the one that was dialled in the end.
    #[must_use]
    pub const fn server_addr(&self) -> Option<&Endpoint> {
        self.peer.as_ref()
    }

    /// Version, cipher, application protocol and the server's certificates, once the handshake is
    /// over.
    #[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
    #[must_use]
    pub fn tls(&self) -> Option<TlsInfo<'_>> {
        self.client.link().tls()
    }

    /// The descriptor, as long as the connection stands and where the net has descriptors.
    #[must_use]
    pub fn descriptor(&self) -> Option<i32> {
        let (_, descriptor) = self.socket.filter(|_| self.client.closed().is_none())?;
        descriptor
    }

    /// What is known under a key of httpx's backends: `client_addr`, `server_addr`, `ssl_object`,
    /// `socket`. None for another key, and where there is nothing of the kind.
    #[must_use]
    pub fn extra_info(&self, key: &str) -> Option<ExtraInfo<'_>> {
        match key {
            "client_addr" => self.client_addr().map(ExtraInfo::Address),
            "server_addr" => self.server_addr().map(ExtraInfo::Address),
            #[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
            "ssl_object" => self.tls().map(ExtraInfo::Tls),
            "socket" => {
                let (sid, descriptor) = self.socket.filter(|_| self.client.closed().is_none())?;
                Some(ExtraInfo::Socket { sid, descriptor })
            }
            _ => None,
        }
    }

    /// Why the connection ended, once it has.
    #[must_use]
    pub const fn closed(&self) -> Option<CloseReason> {
        self.client.closed()
    }

    /// The connection underneath.
    #[must_use]
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// What it is at, as far as it knows: reads and writes are not told apart.
    const fn phase(&self) -> Phase {
        match (self.closing, self.client.connected()) {
            (true, _) => Phase::Close,
            (false, true) => Phase::Read,
            (false, false) => self.dialling,
        }
    }

    fn after_close(&self, phase: Phase) -> StreamError {
        StreamError::closed(phase, self.client.closed().unwrap_or(CloseReason::Closed))
    }
}

/// `<NetworkStream ["168.0.0.1:443" TLS CLOSED]>`
impl fmt::Debug for NetworkStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let to = self.peer.as_ref().unwrap_or_else(|| self.client.to());
        let tls = if self.secured { " TLS" } else { "" };
        let opened = self.client.opened() || self.client.closed() == Some(CloseReason::NotOpened);
        let closed = if opened { "" } else { " CLOSED" };
        write!(f, "<NetworkStream [\"{to}\"{tls}{closed}]>")
    }
}

#[cfg(unix)]
fn descriptor(net: &dyn Net, sid: Sid) -> Option<i32> {
    net.descriptor(sid)
}

#[cfg(not(unix))]
const fn descriptor(_: &dyn Net, _: Sid) -> Option<i32> {
    None
}

/// The default of [`NetworkStream::read`]: 64 KiB.
pub const READ_MAX: usize = 64 * 1024;
