//! Sockets that others opened.

use std::io;
use std::net::{TcpListener, TcpStream};
#[cfg(unix)]
use std::os::unix::net::{UnixListener, UnixStream};

use ::mio::net;

use super::socket::Socket;

/// An open socket of the standard library, for [`MioNet::adopt`](super::MioNet::adopt).
#[derive(Debug)]
#[non_exhaustive]
pub enum StdSocket {
    /// A listening TCP socket.
    TcpListener(TcpListener),
    /// A connected TCP socket.
    TcpStream(TcpStream),
    /// A listening Unix socket.
    #[cfg(unix)]
    UnixListener(UnixListener),
    /// A connected Unix stream socket.
    #[cfg(unix)]
    UnixStream(UnixStream),
}

impl StdSocket {
    pub(super) fn nonblocking(self) -> io::Result<Socket> {
        Ok(match self {
            Self::TcpListener(listener) => {
                listener.set_nonblocking(true)?;
                Socket::TcpListener(net::TcpListener::from_std(listener))
            }
            Self::TcpStream(stream) => {
                stream.set_nonblocking(true)?;
                Socket::TcpStream(net::TcpStream::from_std(stream))
            }
            #[cfg(unix)]
            Self::UnixListener(listener) => {
                listener.set_nonblocking(true)?;
                Socket::UnixListener(net::UnixListener::from_std(listener))
            }
            #[cfg(unix)]
            Self::UnixStream(stream) => {
                stream.set_nonblocking(true)?;
                Socket::UnixStream(net::UnixStream::from_std(stream))
            }
        })
    }
}

impl From<TcpListener> for StdSocket {
    fn from(listener: TcpListener) -> Self {
        Self::TcpListener(listener)
    }
}

impl From<TcpStream> for StdSocket {
    fn from(stream: TcpStream) -> Self {
        Self::TcpStream(stream)
    }
}

#[cfg(unix)]
impl From<UnixListener> for StdSocket {
    fn from(listener: UnixListener) -> Self {
        Self::UnixListener(listener)
    }
}

#[cfg(unix)]
impl From<UnixStream> for StdSocket {
    fn from(stream: UnixStream) -> Self {
        Self::UnixStream(stream)
    }
}
