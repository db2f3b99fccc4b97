use std::fmt;
use std::net::{SocketAddr, SocketAddrV4};
use std::ops::{Deref, DerefMut};

use super::Link;
use crate::net::Endpoint;

/// A connection that a [`Server`](super::Server) accepted: a [`Link`] with an id and a peer.
#[derive(Debug)]
pub struct Remoter {
    id: RemoterId,
    peer: Peer,
    link: Link,
}

/// An endpoint in 16 bytes: there is one for every connection.
#[derive(Debug)]
enum Peer {
    V4(SocketAddrV4),
    Unnamed,
    Other(Box<Endpoint>),
}

impl Remoter {
    pub(super) fn new(id: RemoterId, peer: Endpoint, link: Link) -> Self {
        let peer = match peer {
            Endpoint::Tcp(SocketAddr::V4(addr)) => Peer::V4(addr),
            Endpoint::Unnamed => Peer::Unnamed,
            other => Peer::Other(Box::new(other)),
        };
        Self { id, peer, link }
    }

    /// Its id, never used again in its server.
    #[must_use]
    pub const fn id(&self) -> RemoterId {
        self.id
    }

    /// The other side: hio's `ca`. Unix peers are mostly unnamed.
    #[must_use]
    pub fn peer(&self) -> Endpoint {
        match &self.peer {
            Peer::V4(addr) => Endpoint::Tcp(SocketAddr::V4(*addr)),
            Peer::Unnamed => Endpoint::Unnamed,
            Peer::Other(endpoint) => (**endpoint).clone(),
        }
    }
}

/// TLS.
#[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
impl Remoter {
    /// Begins a TLS handshake on this connection, plain or not, in which this side is the server.
    /// What is queued goes out before; what is queued from now on is sent when it is over.
    ///
    /// # Errors
    /// The connection does not stand, or is half closed; a handshake is under way; or received
    /// bytes are not consumed. It goes on as it was.
    pub fn start_tls(
        &mut self,
        tls: &super::tls::ServerTls,
    ) -> Result<(), super::tls::StartTlsError> {
        self.link
            .start_tls(|seed| super::tls::Session::server(tls, seed))
    }
}

impl Deref for Remoter {
    type Target = Link;

    fn deref(&self) -> &Link {
        &self.link
    }
}

impl DerefMut for Remoter {
    fn deref_mut(&mut self) -> &mut Link {
        &mut self.link
    }
}

/// Names a [`Remoter`]. Ids are ordered as the connections were accepted, and never used again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RemoterId {
    /// The how manieth accepted connection it is; also tells users of one place apart.
    sequence: u64,
    /// The place in the server's table.
    key: u32,
}

impl RemoterId {
    pub(super) const fn new(sequence: u64, key: u32) -> Self {
        Self { sequence, key }
    }

    /// How many connections its server had accepted before.
    #[must_use]
    pub const fn sequence(self) -> u64 {
        self.sequence
    }

    /// Its place in its server's table: small numbers, used again by later connections.
    #[must_use]
    pub const fn place(self) -> usize {
        self.key as usize
    }

    pub(super) const fn key(self) -> u32 {
        self.key
    }
}

impl fmt::Display for RemoterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.sequence)
    }
}

impl fmt::Debug for RemoterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RemoterId({self})")
    }
}
