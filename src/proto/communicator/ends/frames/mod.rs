//! Communicators over length-prefixed frames on TCP, TLS or Unix sockets.
//!
//! Each side dials the other to send; packets go one way on a connection, answers the other.

mod inbound;
mod outbound;
mod transport;

use std::fmt;
use std::time::Duration;

pub use transport::FrameTransport;

use self::outbound::Outbound;
use crate::link::Limits;
#[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
use crate::link::tls::{Certificate, ClientTls, ServerTls, Source, TlsError};
use crate::net::{ConnectOptions, Endpoint, ListenOptions};

/// How a [`FrameTransport`] is set up.
#[derive(Clone, Debug)]
pub struct FrameConfig {
    /// What it calls itself: peers know it by that.
    pub name: String,
    /// Where it listens.
    pub at: Endpoint,
    /// Options of the listening socket.
    pub listen: ListenOptions,
    /// Options of the sockets that dial.
    pub connect: ConnectOptions,
    /// TLS as a server.
    #[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
    pub server_tls: Option<ServerTls>,
    /// TLS as a client.
    #[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
    pub client_tls: Option<ClientTls>,
    /// How long an answer is waited for, from when a packet begins to go out; then its connection is
    /// broken off. Default 60 s.
    pub answer_time: Duration,
    /// Limits of the links, either way.
    pub links: Limits,
}

impl FrameConfig {
    /// The defaults, under a name and at an address.
    ///
    /// ```
    /// use hio::proto::communicator::{Communicator, FrameConfig, FrameTransport};
    /// let config = FrameConfig::at("alice", "127.0.0.1:0".parse()?);
    /// let alice = Communicator::new(FrameTransport::new(config));
    /// assert_eq!(alice.to_string(), "FrameCommunicator(name=alice, at=127.0.0.1:0)");
    /// # Ok::<(), hio::net::EndpointError>(())
    /// ```
    #[must_use]
    pub fn at(name: impl Into<String>, at: Endpoint) -> Self {
        Self {
            name: name.into(),
            at,
            listen: ListenOptions::default(),
            connect: ConnectOptions::default(),
            #[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
            server_tls: None,
            #[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
            client_tls: None,
            answer_time: Duration::from_secs(60),
            links: Limits::default(),
        }
    }

    /// The same with TLS.
    #[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
    #[must_use]
    pub fn with_tls(mut self, server: ServerTls, client: ClientTls) -> Self {
        self.server_tls = Some(server);
        self.client_tls = Some(client);
        self
    }
}

/// How a [`FrameTransport`] reaches a peer, and knows it when it sends.
///
/// A peer is known by what it calls itself. Without a certificate that is believed, as fits a
/// network that is trusted; with one, the connection must have shown the certificate.
#[derive(Debug)]
pub struct FrameConnection {
    to: Endpoint,
    name: String,
    certified: Option<String>,
    out: Option<Box<Outbound>>,
}

impl FrameConnection {
    /// The peer that calls itself `name` and listens there.
    ///
    /// ```
    /// use hio::proto::communicator::FrameConnection;
    /// let bob = FrameConnection::new("bob", "127.0.0.1:8001".parse()?);
    /// assert_eq!(bob.to_string(), "FrameConnection(name=bob, to=127.0.0.1:8001)");
    /// # Ok::<(), hio::net::EndpointError>(())
    /// ```
    #[must_use]
    pub fn new(name: impl Into<String>, to: Endpoint) -> Self {
        Self {
            to,
            name: name.into(),
            certified: None,
            out: None,
        }
    }

    /// Demands this certificate of the peer, by its issuer and serial number.
    ///
    /// # Errors
    /// It cannot be read, or is no certificate.
    #[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
    pub fn with_cert(mut self, cert: impl Into<Source>) -> Result<Self, TlsError> {
        let der = cert.into().certificate()?;
        let read = Certificate::read(&der);
        self.certified = read.map(|read| super::http::network_id(&read));
        Ok(self)
    }

    /// Where it is dialled.
    #[must_use]
    pub const fn to(&self) -> &Endpoint {
        &self.to
    }

    /// What the peer calls itself.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for FrameConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FrameConnection(name={}, to={})", self.name, self.to)
    }
}
