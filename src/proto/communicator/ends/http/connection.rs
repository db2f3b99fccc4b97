use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use super::identity;
#[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
use crate::link::tls::{Certificate, Source, TlsError};
use crate::net::{Endpoint, Group, Lookup, Net};
use crate::proto::http::{ConnectionPool, Dialling, Origin, PoolLimits};
use crate::tyme::Tyme;

/// How an [`HttpCommunicator`](super::HttpCommunicator) reaches a peer, and knows it when it sends.
///
/// Without a certificate a peer is known by its address and the port of its server; with one by the
/// issuer's common name and the serial number. A name is looked up when the communicator is
/// initialized, not here, and without blocking; until the answer is there the peer is not known.
///
/// ```
/// use hio::proto::communicator::HttpConnection;
/// let bob = HttpConnection::new("127.0.0.1", 8001);
/// assert_eq!(bob.to_string(), "HttpConnection(addr=127.0.0.1, port=8001)");
/// assert_eq!(bob.network_id(), "127.0.0.1:8001");
/// assert!(bob.session().is_err(), "there is none before the communicator is initialized");
/// ```
#[derive(Debug)]
pub struct HttpConnection {
    addr: String,
    port: u16,
    certified: Option<String>,
    /// Where its packets come from.
    ips: Vec<IpAddr>,
    /// A look-up is under way, or is tried again then.
    lookup: Option<Tyme>,
    pub(super) session: Option<ConnectionPool>,
}

impl HttpConnection {
    /// A peer that is known by its address. Does no I/O.
    #[must_use]
    pub fn new(addr: impl Into<String>, port: u16) -> Self {
        let addr = addr.into();
        let bare = addr.strip_prefix('[').and_then(|a| a.strip_suffix(']'));
        let literal: Result<IpAddr, _> = bare.unwrap_or(&addr).parse();
        let ips = match (&literal, addr.as_str()) {
            (Ok(ip), _) => vec![*ip],
            (_, "localhost") => vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
            _ => Vec::new(),
        };
        Self {
            lookup: ips.is_empty().then_some(Tyme::ZERO),
            addr,
            port,
            certified: None,
            ips,
            session: None,
        }
    }

    /// Knows the peer by its certificate, in a file or as bytes. PEM and DER tell themselves apart:
    /// there is no counterpart to `cert_type`.
    ///
    /// # Errors
    /// It cannot be read, or is no certificate.
    #[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
    pub fn with_cert(mut self, cert: impl Into<Source>) -> Result<Self, TlsError> {
        let der = cert.into().certificate()?;
        let read = Certificate::read(&der);
        self.certified = read.map(|certificate| identity::network_id(&certificate));
        Ok(self)
    }

    /// The host that is dialled.
    #[must_use]
    pub fn addr(&self) -> &str {
        &self.addr
    }

    /// The port that is dialled.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// By what it is known when it sends: `IP:PORT`, or `ISSUER:SERIAL` of its certificate. A name
    /// that is not looked up yet stands for its address.
    #[must_use]
    pub fn network_id(&self) -> String {
        if let Some(certified) = &self.certified {
            return certified.clone();
        }
        // Python's gethostbyname knows IPv4 only, so it comes first.
        let first = self.ips.iter().find(|ip| ip.is_ipv4()).or(self.ips.first());
        match first {
            Some(ip) => identity::plain_id(*ip, self.port),
            None => format!("{}:{}", self.addr, self.port),
        }
    }

    /// Its connections: how many there are, how many packets wait for one.
    ///
    /// # Errors
    /// There are none before the communicator is initialized, nor after it was shut down.
    pub const fn session(&self) -> Result<&ConnectionPool, SessionNotSet> {
        match &self.session {
            Some(session) => Ok(session),
            None => Err(SessionNotSet),
        }
    }

    #[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
    pub(super) fn certified_id(&self) -> Option<&str> {
        self.certified.as_deref()
    }

    pub(super) fn plain_ids(&self) -> impl Iterator<Item = String> + '_ {
        let ips = self.ips.iter().filter(|_| self.certified.is_none());
        ips.map(|ip| identity::plain_id(*ip, self.port))
    }

    pub(super) fn origin(&self, secure: bool) -> Origin {
        let bare = self
            .addr
            .strip_prefix('[')
            .and_then(|a| a.strip_suffix(']'));
        Origin {
            secure,
            host: bare.unwrap_or(&self.addr).to_ascii_lowercase(),
            port: self.port,
        }
    }

    /// `HOST:PORT` as in a request, an IPv6 address in brackets.
    pub(super) fn host(&self, secure: bool) -> String {
        let name = match Endpoint::host(&self.addr, self.port) {
            Endpoint::Tcp(at) if at.is_ipv6() => format!("[{}]", at.ip()),
            _ => self.addr.clone(),
        };
        match (secure, self.port) {
            (true, 443) | (false, 80) => name,
            (_, port) => format!("{name}:{port}"),
        }
    }

    /// tno's `setup`: there are connections from now on.
    pub(super) fn setup(&mut self, dialling: Dialling, limits: PoolLimits) -> &mut ConnectionPool {
        self.session.insert(ConnectionPool::new(dialling, limits))
    }

    /// tno's `close`.
    pub(super) fn close(&mut self, net: &mut dyn Net) {
        if let Some(mut session) = self.session.take() {
            session.close(net);
        }
    }

    /// Asks for the addresses of its name, if they are not known.
    pub(super) fn look_up(&mut self, tyme: Tyme, net: &mut dyn Net, group: Group) {
        if self.lookup.is_none_or(|at| at > tyme) || self.certified.is_some() {
            return;
        }
        match net.resolve(group, &self.addr) {
            Lookup::Pending => {}
            Lookup::Ready(ips) => {
                self.ips = ips;
                self.lookup = None;
            }
            Lookup::Failed(why) => {
                log::warn!("{self}: its name cannot be looked up: {why}");
                self.lookup = Some(tyme + LOOKUP_PAUSE);
            }
        }
    }

    /// When the name is asked for again.
    pub(super) fn due(&self, tyme: Tyme) -> Tyme {
        match self.lookup {
            Some(at) if at > tyme && self.certified.is_none() => at,
            _ => Tyme::NEVER, // the answer of a look-up is a mark of the group
        }
    }
}

impl fmt::Display for HttpConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HttpConnection(addr={}, port={})", self.addr, self.port)
    }
}

/// The communicator was not initialized, or is shut down: tno's `AttributeError`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Client session has not been set.")]
pub struct SessionNotSet;

/// After a look-up that failed.
const LOOKUP_PAUSE: Duration = Duration::from_secs(10);
