//! Sockets that others opened.

use std::io;
use std::net::{TcpListener, TcpStream, UdpSocket};
#[cfg(unix)]
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};

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
    /// A UDP socket, connected or not.
    UdpSocket(UdpSocket),
    /// A Unix datagram socket, connected or not.
    #[cfg(unix)]
    UnixDatagram(UnixDatagram),
}

impl StdSocket {
    /// Whether it listens.
    pub(crate) const fn is_listener(&self) -> bool {
        match self {
            Self::TcpListener(_) => true,
            #[cfg(unix)]
            Self::UnixListener(_) => true,
            _ => false,
        }
    }

    /// Whether it sends and receives datagrams.
    pub(crate) const fn is_datagram(&self) -> bool {
        match self {
            Self::UdpSocket(_) => true,
            #[cfg(unix)]
            Self::UnixDatagram(_) => true,
            _ => false,
        }
    }

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
            Self::UdpSocket(socket) => {
                socket.set_nonblocking(true)?;
                Socket::Udp(net::UdpSocket::from_std(socket))
            }
            #[cfg(unix)]
            Self::UnixDatagram(socket) => {
                socket.set_nonblocking(true)?;
                Socket::UnixDatagram(net::UnixDatagram::from_std(socket))
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

impl From<UdpSocket> for StdSocket {
    fn from(socket: UdpSocket) -> Self {
        Self::UdpSocket(socket)
    }
}

#[cfg(unix)]
impl From<UnixDatagram> for StdSocket {
    fn from(socket: UnixDatagram) -> Self {
        Self::UnixDatagram(socket)
    }
}
