use std::fmt;
use std::ops::Deref;

use super::{NetworkStream, Operation, Phase, StreamError};
use crate::link::Limits;
#[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
use crate::link::tls::ClientTls;
use crate::net::{ConnectOptions, Endpoint, Net, Owner};
use crate::tyme::{DeadlineScope, Deadlines, HasDeadlines, Tyme};

/// A net that is driven until an operation ends: for scripts, examples and tests.
///
/// This is the one place where something waits, and it waits in [`Net::poll`] only, by the net's
/// clock. So it works as well on a net in memory. It is of no use inside a doer, which must return:
/// there, [`NetworkStream`] is serviced.
///
/// [`connect`](Self::connect) gives a stream for a scope, with the same operations in blocking
/// style. Who needs more than one at a time makes a [`NetworkStream`] of each and lets
/// [`run`](Self::run) drive them in turn.
///
/// Without a [`timeout`](Self::timeout) only the [`Limits`] bound a wait, and a read waits without
/// end.
///
/// ```
/// use hio::link::NetworkBackend;
/// use hio::net::MioNet;
/// use std::io::Write;
/// use std::time::Duration;
/// # let server = std::net::TcpListener::bind("127.0.0.1:0")?;
/// # let port = server.local_addr()?.port();
/// # std::thread::spawn(move || server.accept().map(|(mut stream, _)| stream.write_all(b"hello")));
/// let mut backend = NetworkBackend::new(MioNet::new()?);
/// let mut backend = backend.timeout("all", Duration::from_secs(5));
/// let mut stream = backend.connect("localhost", port)?;
/// assert_eq!(stream.read()?, b"hello");
/// assert_eq!(stream.read()?, b""); // the end
/// stream.close()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct NetworkBackend<N> {
    net: N,
    deadlines: Deadlines,
    options: ConnectOptions,
    limits: Limits,
    woken: Vec<Owner>,
}

impl<N: Net> NetworkBackend<N> {
    /// A backend on that net, with default options and limits.
    #[must_use]
    pub fn new(net: N) -> Self {
        Self {
            net,
            deadlines: Deadlines::new(),
            options: ConnectOptions::default(),
            limits: Limits::default(),
            woken: Vec::new(),
        }
    }

    /// Other limits for the streams that are connected from now on.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Other options for the streams that are connected from now on.
    #[must_use]
    pub fn with_options(mut self, options: ConnectOptions) -> Self {
        self.options = options;
        self
    }

    /// The net.
    #[must_use]
    pub const fn net(&self) -> &N {
        &self.net
    }

    /// The net, to be asked something.
    pub const fn net_mut(&mut self) -> &mut N {
        &mut self.net
    }

    /// The net, given back. What is open on it stays so.
    pub fn into_net(self) -> N {
        self.net
    }

    /// The net's clock.
    pub fn now(&mut self) -> Tyme {
        self.net.now()
    }

    /// Sets a deadline for all that is done before the guard is dropped; see [`Deadlines`].
    pub fn timeout(
        &mut self,
        name: &'static str,
        within: std::time::Duration,
    ) -> DeadlineScope<'_, Self> {
        let tyme = self.net.now();
        self.scope(name, tyme, within)
    }

    /// Connects, trying all addresses of the name.
    ///
    /// # Errors
    /// No connection came about, or a deadline passed.
    pub fn connect(&mut self, host: &str, port: u16) -> Result<OpenStream<'_, N>, StreamError> {
        self.connect_to(Endpoint::host(host, port))
    }

    /// Connects to an address of any kind.
    ///
    /// # Errors
    /// No connection came about, or a deadline passed.
    pub fn connect_to(&mut self, to: Endpoint) -> Result<OpenStream<'_, N>, StreamError> {
        let stream = NetworkStream::new(to, self.options.clone(), self.limits.clone());
        self.open(stream)
    }

    /// Connects a stream that was set up before, for a scope.
    ///
    /// # Errors
    /// No connection came about, or a deadline passed.
    pub fn open(&mut self, mut stream: NetworkStream) -> Result<OpenStream<'_, N>, StreamError> {
        let tyme = self.net.now();
        if let Err(expired) = self.deadlines.check(tyme) {
            return Err(StreamError::new(Phase::Connect, expired));
        }
        let connect = stream.connect(tyme, &mut self.net, Owner::NONE)?;
        match self.run(&mut stream, connect) {
            Ok(()) => Ok(OpenStream {
                stream,
                backend: self,
            }),
            Err(why) => {
                stream.abort(&mut self.net);
                Err(why)
            }
        }
    }

    /// Drives the stream until the operation ends. Meanwhile the net wakes nobody else for it.
    ///
    /// # Errors
    /// Those of the operation; or the net can wait no longer.
    pub fn run<O: Operation>(
        &mut self,
        stream: &mut NetworkStream,
        operation: O,
    ) -> Result<O::Output, StreamError> {
        // Of all streams only this one, or what waits on another would keep this one from waiting.
        let owner = stream.set_owner(&mut self.net, OWNER);
        let result = self.drive(stream, operation);
        stream.set_owner(&mut self.net, owner);
        result
    }

    fn drive<O: Operation>(
        &mut self,
        stream: &mut NetworkStream,
        mut operation: O,
    ) -> Result<O::Output, StreamError> {
        loop {
            let tyme = self.net.now();
            if let Some(result) = stream.take(&mut operation, tyme, &self.deadlines) {
                if result.is_err() {
                    stream.service(tyme, &mut self.net); // carries out what it asked for
                }
                return result;
            }
            stream.service(tyme, &mut self.net);
            if let Some(result) = stream.take(&mut operation, tyme, &self.deadlines) {
                return result;
            }
            let until = self.until(stream, tyme);
            let waited = self.net.poll(until);
            waited.map_err(|why| StreamError::new(stream.phase(), why))?;
        }
    }

    /// How long there is nothing to do. What a limit left over is told of by a mark only.
    fn until(&mut self, stream: &NetworkStream, tyme: Tyme) -> Tyme {
        self.woken.clear();
        self.net.woken(&mut self.woken);
        match self.woken.contains(&OWNER) {
            true => tyme,
            false => stream.due(tyme).min(self.deadlines.soonest()),
        }
    }
}

impl<N> HasDeadlines for NetworkBackend<N> {
    fn deadlines_mut(&mut self) -> &mut Deadlines {
        &mut self.deadlines
    }
}

/// `<NetworkBackend [poll]>`
impl<N> fmt::Debug for NetworkBackend<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<NetworkBackend [poll]>")
    }
}

/// A connected stream with the net it is on: closed in order where its scope ends.
///
/// Leaving the scope closes as [`close`](Self::close) does and drops its error, so it may wait as
/// long as [`Limits::drain`] and [`Limits::linger`] allow, less where a deadline is sooner. While
/// panicking it is broken off at once.
///
/// It stands for its [`NetworkStream`] where something is to be looked at.
pub struct OpenStream<'a, N: Net> {
    stream: NetworkStream,
    backend: &'a mut NetworkBackend<N>,
}

impl<N: Net> OpenStream<'_, N> {
    /// Reads what comes next, at most [`READ_MAX`](super::READ_MAX) bytes: empty at the end.
    ///
    /// # Errors
    /// The connection is lost or closed, or a deadline passed.
    pub fn read(&mut self) -> Result<Vec<u8>, StreamError> {
        self.read_max(super::READ_MAX)
    }

    /// Reads what comes next, at most `max` bytes.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_max(&mut self, max: usize) -> Result<Vec<u8>, StreamError> {
        let read = self.stream.read(max);
        self.backend.run(&mut self.stream, read)
    }

    /// Reads until the end, but no more than `most` bytes.
    ///
    /// # Errors
    /// As [`read`](Self::read); what came before is lost then.
    pub fn read_to_end(&mut self, most: usize) -> Result<Vec<u8>, StreamError> {
        let mut all = Vec::new();
        while all.len() < most {
            let some = self.read_max((most - all.len()).min(super::READ_MAX))?;
            if some.is_empty() {
                break;
            }
            all.extend(some);
        }
        Ok(all)
    }

    /// Writes all of `data`.
    ///
    /// # Errors
    /// The connection is lost or closed, or a deadline passed: with the count written.
    pub fn write(&mut self, data: &[u8]) -> Result<(), StreamError> {
        let write = self.stream.write(data);
        self.backend.run(&mut self.stream, write)
    }

    /// Drives an operation of one's own on this stream.
    ///
    /// # Errors
    /// Those of the operation.
    pub fn run<O: Operation>(&mut self, operation: O) -> Result<O::Output, StreamError> {
        self.backend.run(&mut self.stream, operation)
    }

    /// Takes up TLS, also over TLS; see [`NetworkStream::start_tls`].
    ///
    /// # Errors
    /// It cannot be taken up now, the handshake failed, or a deadline passed.
    #[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
    pub fn start_tls(&mut self, tls: &ClientTls, hostname: &str) -> Result<(), StreamError> {
        let tyme = self.backend.net.now();
        // What has come already is to be seen as left over.
        self.stream.service(tyme, &mut self.backend.net);
        let start = self.stream.start_tls(tls, hostname)?;
        self.backend.run(&mut self.stream, start)
    }

    /// Closes in order. Closing again does nothing.
    ///
    /// # Errors
    /// What was written could not all be sent, or a deadline passed.
    pub fn close(&mut self) -> Result<(), StreamError> {
        let close = self.stream.close();
        self.backend.run(&mut self.stream, close)
    }

    /// Breaks off at once. Does nothing when closed.
    pub fn abort(&mut self) {
        self.stream.abort(&mut self.backend.net);
    }

    /// Sets a deadline for all that is done before the guard is dropped.
    pub fn timeout(
        &mut self,
        name: &'static str,
        within: std::time::Duration,
    ) -> DeadlineScope<'_, Self> {
        let tyme = self.backend.net.now();
        self.scope(name, tyme, within)
    }

    /// The backend.
    pub const fn backend(&mut self) -> &mut NetworkBackend<N> {
        self.backend
    }
}

impl<N: Net> HasDeadlines for OpenStream<'_, N> {
    fn deadlines_mut(&mut self) -> &mut Deadlines {
        &mut self.backend.deadlines
    }
}

impl<N: Net> Deref for OpenStream<'_, N> {
    type Target = NetworkStream;
    fn deref(&self) -> &NetworkStream {
        &self.stream
    }
}

impl<N: Net> Drop for OpenStream<'_, N> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.abort();
        } else if let Err(why) = self.close() {
            log::debug!("{:?}: {why}", self.stream);
        }
    }
}

impl<N: Net> fmt::Debug for OpenStream<'_, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.stream.fmt(f)
    }
}

/// Of the stream that is driven, so that the net tells of marks that are left over.
const OWNER: Owner = Owner(u64::MAX - 1);
