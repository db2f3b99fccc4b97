use std::fmt;

use super::{RemoterId, Server};
use crate::net::{Endpoint, Loose, Net, NetError, Sid};
use crate::tyme::Tyme;

/// A connection on its way from one net to another: what the peer sent goes with it.
///
/// An acceptor makes it of a connection that waits ([`accept`](Self::accept)), a server of one of
/// its remoters ([`Server::hand_over`]); another server takes it ([`Server::take_over`]). It may go
/// to another thread. Dropped, the connection is closed.
#[derive(Debug)]
pub struct Handed {
    loose: Loose,
    peer: Endpoint,
    rx: Vec<u8>,
}

/// Why a connection cannot be handed over. It goes on as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HandOverError {
    /// There is no such connection.
    #[error("there is no connection {0}")]
    Unknown(RemoterId),
    /// It speaks TLS, or begins to: the session's state belongs to its server.
    #[error("it speaks TLS")]
    Tls,
    /// Bytes are queued that were not sent, or it was asked to close, or our side has ended.
    #[error("it still sends, or closes")]
    Busy,
    /// The net cannot let it go.
    #[error("the net cannot let it go: {0}")]
    Net(#[from] NetError),
}

/// A connection that a server did not take.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum NotTaken {
    /// The server has as many connections as it may, or is not open. It may be given to another.
    #[error("the server takes no more connections")]
    Full(Handed),
    /// The server speaks TLS, and some of what the peer sent was received before. It may be given to
    /// another.
    #[error("bytes were received before the TLS handshake")]
    Early(Handed),
    /// The net refused it, and it is closed.
    #[error("the net refused it: {0}")]
    Net(NetError),
}

impl fmt::Debug for NotTaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl NotTaken {
    /// The connection, unless it is closed.
    #[must_use]
    pub fn into_inner(self) -> Option<Handed> {
        match self {
            Self::Full(handed) | Self::Early(handed) => Some(handed),
            Self::Net(_) => None,
        }
    }
}

impl Handed {
    pub(super) const fn new(loose: Loose, peer: Endpoint, rx: Vec<u8>) -> Self {
        Self { loose, peer, rx }
    }

    /// Takes a connection that waits at a listener, without reading from it; `None` when none waits.
    ///
    /// # Errors
    /// As [`Net::accept`], and as [`Net::let_go`], which closes the connection.
    pub fn accept(net: &mut dyn Net, listener: Sid) -> Result<Option<Self>, NetError> {
        let Some((sid, peer)) = net.accept(listener)? else {
            return Ok(None);
        };
        match net.let_go(sid) {
            Ok(loose) => Ok(Some(Self::new(loose, peer, Vec::new()))),
            Err(why) => {
                net.close(sid);
                Err(why)
            }
        }
    }

    /// The other side.
    #[must_use]
    pub const fn peer(&self) -> &Endpoint {
        &self.peer
    }

    /// What was received and not consumed. Most of what the peer sent is still in the system.
    #[must_use]
    pub fn rx(&self) -> &[u8] {
        &self.rx
    }

    /// What is known of it without its socket, for a replay.
    pub(crate) fn replayed(peer: Endpoint, rx: Vec<u8>) -> Self {
        Self::new(Loose::nothing(), peer, rx)
    }
}

/// Handing connections over, and taking them.
impl Server {
    /// Lets a connection go, to be taken by another server, on another net. What was received and
    /// not consumed goes with it. Here it is forgotten: no event follows.
    ///
    /// Between services, or after [`service`](Self::service); not in the closure of
    /// [`service_each`](Self::service_each).
    ///
    /// # Errors
    /// It cannot be handed over now; it goes on.
    pub fn hand_over(
        &mut self,
        id: RemoterId,
        tyme: Tyme,
        net: &mut dyn Net,
    ) -> Result<Handed, HandOverError> {
        let remoter = self.table.get_mut(id).ok_or(HandOverError::Unknown(id))?;
        remoter.may_leave()?;
        let loose = net.let_go(remoter.sid())?;
        let (peer, rx) = (remoter.peer(), remoter.rx().to_vec());
        self.forget_handed(id, tyme, net);
        Ok(Handed::new(loose, peer, rx))
    }

    /// Takes a connection that was handed over, as if it had been accepted here: it is told of by
    /// an event, and begins with a TLS handshake if this server's do. What was received before is
    /// shown in the next service.
    ///
    /// # Errors
    /// It takes no more connections; the connection is in the error.
    pub fn take_over(
        &mut self,
        handed: Handed,
        tyme: Tyme,
        net: &mut dyn Net,
    ) -> Result<RemoterId, NotTaken> {
        let Some(group) = self.group else {
            return Err(NotTaken::Full(handed));
        };
        if self.table.open() >= self.shared.limits.connections_max {
            return Err(NotTaken::Full(handed));
        }
        if self.speaks_tls() && !handed.rx.is_empty() {
            return Err(NotTaken::Early(handed));
        }
        let sid = net.take_in(group, handed.loose).map_err(NotTaken::Net)?;
        let id = self.welcome(sid, handed.peer, tyme, net);
        if !handed.rx.is_empty() {
            if let Some(remoter) = self.table.get_mut(id) {
                remoter.inherit(&handed.rx);
                if remoter.touch() {
                    self.asked.push(id);
                }
            }
        }
        Ok(id)
    }
}
