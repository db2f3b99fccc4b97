use std::time::Duration;

use crate::link::Limits;
#[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
use crate::link::tls::{ClientTls, ServerTls};
use crate::tyme::Tyme;

/// How long sending a packet may take: the five fields of the Python package's `ClientTimeout`.
///
/// Each attempt is measured on its own. [`total`](Self::total) ends the send; after the others it is
/// tried again.
///
/// ```
/// use hio::proto::communicator::HttpTimeout;
/// use std::time::Duration;
/// let patient = HttpTimeout { total: None, ..HttpTimeout::default() };
/// assert_eq!(HttpTimeout::default().total, Some(Duration::from_secs(300)));
/// assert_eq!(patient.ceil_threshold, Duration::from_secs(5));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HttpTimeout {
    /// All of it, from the wait for a connection to the answer. Default 300 s.
    pub total: Option<Duration>,
    /// The wait for a connection, one of the pool or a new one. Default none.
    pub connect: Option<Duration>,
    /// Silence of the peer once the packet is on its way as a whole. Default none.
    pub sock_read: Option<Duration>,
    /// Making a new connection, name look-up and TLS included. Default none.
    pub sock_connect: Option<Duration>,
    /// Longer ones end at a whole second of tyme, so that many of them end together. Default 5 s.
    pub ceil_threshold: Duration,
}

impl Default for HttpTimeout {
    fn default() -> Self {
        Self {
            total: Some(Duration::from_secs(300)),
            connect: None,
            sock_read: None,
            sock_connect: None,
            ceil_threshold: Duration::from_secs(5),
        }
    }
}

impl HttpTimeout {
    /// When a span that begins now ends; never when there is none.
    pub(super) fn deadline(&self, tyme: Tyme, span: Option<Duration>) -> Tyme {
        let Some(span) = span else {
            return Tyme::NEVER;
        };
        let exact = tyme + span;
        if span <= self.ceil_threshold || exact.is_never() {
            return exact;
        }
        Tyme::from_secs(exact.as_nanos().div_ceil(1_000_000_000))
    }

    /// How long making a connection may take.
    pub(super) fn connecting(&self, tyme: Tyme) -> Option<Duration> {
        let span = self.sock_connect.or(self.total)?;
        Some(self.deadline(tyme, Some(span)).since(tyme))
    }
}

/// How an [`HttpCommunicator`](super::HttpCommunicator) is set up.
#[derive(Clone, Debug)]
pub struct HttpConfig {
    /// Where to listen: a name or an address. `localhost`, the default, is both loopback addresses;
    /// nothing is all IPv4 interfaces.
    pub addr: String,
    /// The port; `None` for 443 with TLS and 80 without; 0 to have one picked. Default 80.
    pub port: Option<u16>,
    /// TLS as a server, for packets that come. The clients should have to show certificates.
    #[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
    pub ssl_server_context: Option<ServerTls>,
    /// TLS as a client, for packets that are sent.
    #[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
    pub ssl_client_context: Option<ClientTls>,
    /// How long sending may take.
    pub conn_timeout: HttpTimeout,
    /// Connections to each peer. Default 100.
    pub connections_max: usize,
    /// Whether packets carry their [`MessageId`](crate::proto::communicator::MessageId), in a field
    /// `Idempotency-Key` that the Python package does not look at. Default yes.
    pub message_ids: bool,
    /// Limits of the links, either way.
    pub links: Limits,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            addr: "localhost".to_owned(),
            port: Some(80),
            #[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
            ssl_server_context: None,
            #[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
            ssl_client_context: None,
            conn_timeout: HttpTimeout::default(),
            connections_max: 100,
            message_ids: true,
            links: Limits::default(),
        }
    }
}

impl HttpConfig {
    /// The defaults at this address.
    ///
    /// ```
    /// use hio::proto::communicator::HttpConfig;
    /// assert_eq!(HttpConfig::at("localhost", 8080).port, Some(8080));
    /// ```
    #[must_use]
    pub fn at(addr: impl Into<String>, port: u16) -> Self {
        Self {
            addr: addr.into(),
            port: Some(port),
            ..Self::default()
        }
    }

    /// The same with TLS, which takes both.
    #[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
    #[must_use]
    pub fn with_tls(mut self, server: ServerTls, client: ClientTls) -> Self {
        self.ssl_server_context = Some(server);
        self.ssl_client_context = Some(client);
        self
    }

    /// Whether TLS is spoken.
    ///
    /// # Errors
    /// Only one of the two contexts is there.
    pub(super) const fn secure(&self) -> Result<bool, HttpConfigError> {
        #[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
        match (&self.ssl_server_context, &self.ssl_client_context) {
            (None, None) => Ok(false),
            (Some(_), Some(_)) => Ok(true),
            _ => Err(HttpConfigError::OneContext),
        }
        #[cfg(not(any(feature = "tls", feature = "aws-lc-rs")))]
        Ok(false)
    }
}

/// What is wrong with an [`HttpConfig`]: tno's `ValueError`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HttpConfigError {
    /// One TLS context without the other.
    #[error("You must provide both the client and server SSL contexts when using SSL.")]
    OneContext,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_spans_end_at_whole_seconds() {
        let timeout = HttpTimeout::default();
        let now = Tyme::from_millis(1_250);
        let at = |span| timeout.deadline(now, Some(Duration::from_millis(span)));
        assert_eq!(at(5_000), Tyme::from_millis(6_250), "not above");
        assert_eq!(at(5_001), Tyme::from_secs(7));
        assert_eq!(at(300_000), Tyme::from_secs(302));
        assert_eq!(timeout.deadline(now, None), Tyme::NEVER);
        assert_eq!(
            timeout.deadline(now, Some(Duration::MAX)),
            Tyme::NEVER,
            "sums saturate"
        );
    }
}
