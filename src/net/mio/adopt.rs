//! Sockets and other descriptors that others opened.

use std::io;
use std::net::{TcpListener, TcpStream, UdpSocket};
#[cfg(unix)]
use std::os::fd::OwnedFd;
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
    /// Any other descriptor that the system can poll: a pipe, a serial line, a timer, what watches
    /// files, the descriptor of another library's loop or a source of mio's.
    ///
    /// Its mark says that there is something, and every event of it makes one. It is read
    /// and written as a stream, and has no address: read until `None`, as a short read says nothing
    /// here. Or leave the reading to the library it belongs to, and adopt a
    /// [clone](std::os::fd::BorrowedFd::try_clone_to_owned) of the descriptor, to be told only; then
    /// take all there is, as events are told by edges. All clones become nonblocking.
    ///
    /// A file on disk cannot be polled and is refused. A write into a pipe that nobody reads raises
    /// SIGPIPE in processes that do not ignore it, as Rust's runtime does.
    #[cfg(unix)]
    Descriptor(OwnedFd),
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
            #[cfg(unix)]
            Self::Descriptor(fd) => {
                socket2::SockRef::from(&fd).set_nonblocking(true)?;
                Socket::Descriptor(fd.into())
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

#[cfg(unix)]
impl From<OwnedFd> for StdSocket {
    fn from(descriptor: OwnedFd) -> Self {
        Self::Descriptor(descriptor)
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
