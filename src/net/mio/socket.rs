//! One socket of whatever kind, with the system calls that the net makes on it.

#[cfg(unix)]
use std::fs::File;
use std::io::{self, IoSlice, Read, Write};
#[cfg(unix)]
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use ::mio::event::Source;
use ::mio::net::{TcpListener, TcpStream, UdpSocket};
#[cfg(unix)]
use ::mio::net::{UnixDatagram, UnixListener, UnixStream};
#[cfg(unix)]
use ::mio::unix::SourceFd;
use ::mio::{Interest, Registry, Token};
use socket2::SockRef;

use super::adopt::StdSocket;
use crate::net::{Endpoint, Shutdown};

/// A listening, connected or datagram socket, or another descriptor.
#[derive(Debug)]
pub(super) enum Socket {
    TcpListener(TcpListener),
    TcpStream(TcpStream),
    #[cfg(unix)]
    UnixListener(UnixListener),
    #[cfg(unix)]
    UnixStream(UnixStream),
    Udp(UdpSocket),
    #[cfg(unix)]
    UnixDatagram(UnixDatagram),
    /// What is no socket: told of, read and written.
    #[cfg(unix)]
    Descriptor(File),
}

impl Socket {
    pub(super) const fn is_listener(&self) -> bool {
        match self {
            Self::TcpListener(_) => true,
            #[cfg(unix)]
            Self::UnixListener(_) => true,
            _ => false,
        }
    }

    pub(super) const fn is_datagram(&self) -> bool {
        match self {
            Self::Udp(_) => true,
            #[cfg(unix)]
            Self::UnixDatagram(_) => true,
            _ => false,
        }
    }

    pub(super) const fn is_stream(&self) -> bool {
        !self.is_listener() && !self.is_datagram()
    }

    /// Whether it is no socket, but a stream of some other kind.
    pub(super) const fn is_descriptor(&self) -> bool {
        #[cfg(unix)]
        return matches!(self, Self::Descriptor(_));
        #[cfg(not(unix))]
        false
    }

    pub(super) const fn is_tcp(&self) -> bool {
        matches!(self, Self::TcpListener(_) | Self::TcpStream(_))
    }

    /// Whether the socket is told of room for writing from the start.
    ///
    /// TCP tells of it only after a write found none. A Unix socket tells of it whenever its peer
    /// has read, which would end a wait at every message.
    pub(super) const fn hears_room(&self) -> bool {
        matches!(self, Self::TcpStream(_))
    }

    /// Registers once and for all: closing the descriptor ends it.
    pub(super) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        let both = Interest::READABLE | Interest::WRITABLE;
        match self {
            Self::TcpListener(l) => l.register(registry, token, Interest::READABLE),
            Self::TcpStream(s) => s.register(registry, token, both),
            #[cfg(unix)]
            Self::UnixListener(l) => l.register(registry, token, Interest::READABLE),
            #[cfg(unix)]
            Self::UnixStream(s) => s.register(registry, token, Interest::READABLE),
            Self::Udp(s) => s.register(registry, token, Interest::READABLE),
            #[cfg(unix)]
            Self::UnixDatagram(s) => s.register(registry, token, Interest::READABLE),
            #[cfg(unix)]
            Self::Descriptor(f) => {
                SourceFd(&f.as_raw_fd()).register(registry, token, Interest::READABLE)
            }
        }
    }

    /// Takes a stream out of its poll: it may go to another one.
    pub(super) fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        match self {
            Self::TcpStream(s) => s.deregister(registry),
            #[cfg(unix)]
            Self::UnixStream(s) => s.deregister(registry),
            _ => Err(invalid()),
        }
    }

    /// A stream as the standard library has it.
    pub(super) fn into_std(self) -> Option<StdSocket> {
        match self {
            Self::TcpStream(s) => Some(StdSocket::TcpStream(s.into())),
            #[cfg(unix)]
            Self::UnixStream(s) => Some(StdSocket::UnixStream(s.into())),
            _ => None,
        }
    }

    /// Registers a stream or datagram socket for room as well, which it tells of at once if there is some.
    pub(super) fn hear_room(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        let both = Interest::READABLE | Interest::WRITABLE;
        match self {
            Self::TcpListener(_) => Ok(()),
            Self::TcpStream(s) => s.reregister(registry, token, both),
            #[cfg(unix)]
            Self::UnixListener(_) => Ok(()),
            #[cfg(unix)]
            Self::UnixStream(s) => s.reregister(registry, token, both),
            Self::Udp(s) => s.reregister(registry, token, both),
            #[cfg(unix)]
            Self::UnixDatagram(s) => s.reregister(registry, token, both),
            #[cfg(unix)]
            Self::Descriptor(f) => SourceFd(&f.as_raw_fd()).reregister(registry, token, both),
        }
    }

    /// Takes a descriptor out of the poll before it is closed: its clones would keep it there.
    pub(super) fn forget(&self, registry: &Registry) {
        #[cfg(unix)]
        if let Self::Descriptor(f) = self {
            // One that is registered can be taken out.
            drop(SourceFd(&f.as_raw_fd()).deregister(registry));
        }
        #[cfg(not(unix))]
        let _ = registry;
    }

    /// Takes a waiting connection, nonblocking and closed on exec, in one system call.
    pub(super) fn accept(&self) -> io::Result<(Self, Endpoint)> {
        match self {
            Self::TcpListener(l) => {
                let (stream, peer) = l.accept()?;
                Ok((Self::TcpStream(stream), Endpoint::Tcp(peer)))
            }
            #[cfg(unix)]
            Self::UnixListener(l) => {
                let (stream, peer) = super::unix::accept(l)?;
                Ok((Self::UnixStream(stream), peer))
            }
            _ => Err(invalid()),
        }
    }

    /// Takes one datagram, which is cut to the buffer.
    pub(super) fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, Endpoint)> {
        match self {
            Self::Udp(s) => s
                .recv_from(buf)
                .map(|(len, from)| (len, Endpoint::Udp(from))),
            #[cfg(unix)]
            Self::UnixDatagram(s) => s
                .recv_from(buf)
                .map(|(len, from)| (len, super::unix::datagram_endpoint(&from))),
            _ => Err(invalid()),
        }
    }

    #[inline]
    pub(super) fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::TcpStream(s) => s.read(buf),
            #[cfg(unix)]
            Self::UnixStream(s) => s.read(buf),
            #[cfg(unix)]
            Self::Descriptor(f) => f.read(buf),
            _ => Err(invalid()),
        }
    }

    /// Writes without ever raising SIGPIPE.
    #[inline]
    pub(super) fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        match self {
            Self::TcpStream(s) => s.write(data),
            #[cfg(unix)]
            Self::UnixStream(s) => super::unix::write(s, data),
            #[cfg(unix)]
            Self::Descriptor(f) => f.write(data),
            _ => Err(invalid()),
        }
    }

    /// As [`write`](Self::write), several pieces in one system call.
    pub(super) fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        let socket = match self {
            Self::TcpStream(s) => SockRef::from(&*s),
            #[cfg(unix)]
            Self::UnixStream(s) => SockRef::from(&*s),
            #[cfg(unix)]
            Self::Descriptor(f) => return f.write_vectored(pieces),
            _ => return Err(invalid()),
        };
        socket.send_vectored_with_flags(pieces, NO_SIGNAL)
    }

    pub(super) fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        if let (Self::TcpListener(listener), Shutdown::Receive) = (self, how) {
            return Self::refuse_new(listener);
        }
        let how = match how {
            Shutdown::Receive => std::net::Shutdown::Read,
            Shutdown::Send => std::net::Shutdown::Write,
            Shutdown::Both => std::net::Shutdown::Both,
        };
        match self {
            Self::TcpStream(s) => s.shutdown(how),
            #[cfg(unix)]
            Self::UnixStream(s) => s.shutdown(how),
            _ => Err(invalid()),
        }
    }

    /// Drops what would begin a connection from now on; those under way still come about.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn refuse_new(listener: &TcpListener) -> io::Result<()> {
        use socket2::SockFilter;
        // The program sees a segment from its TCP header on. A first one has SYN without ACK.
        const FLAGS_AT: u32 = 13;
        const SYN: u32 = 0x02;
        const SYN_ACK: u32 = 0x12;
        SockRef::from(listener).attach_filter(&[
            SockFilter::new(0x30, 0, 0, FLAGS_AT), // load the byte
            SockFilter::new(0x54, 0, 0, SYN_ACK),  // and
            SockFilter::new(0x15, 0, 1, SYN),      // equal: the next, else the one after
            SockFilter::new(0x06, 0, 0, 0),        // drop
            SockFilter::new(0x06, 0, 0, u32::MAX), // take
        ])
    }

    pub(super) fn local(&self) -> io::Result<Endpoint> {
        match self {
            Self::TcpListener(l) => l.local_addr().map(Endpoint::Tcp),
            Self::TcpStream(s) => s.local_addr().map(Endpoint::Tcp),
            #[cfg(unix)]
            Self::UnixListener(l) => l.local_addr().map(|a| super::unix::endpoint(&a)),
            #[cfg(unix)]
            Self::UnixStream(s) => s.local_addr().map(|a| super::unix::endpoint(&a)),
            Self::Udp(s) => s.local_addr().map(Endpoint::Udp),
            #[cfg(unix)]
            Self::UnixDatagram(s) => s.local_addr().map(|a| super::unix::datagram_endpoint(&a)),
            #[cfg(unix)]
            Self::Descriptor(_) => Ok(Endpoint::Unnamed),
        }
    }

    pub(super) fn peer(&self) -> io::Result<Endpoint> {
        match self {
            Self::TcpStream(s) => s.peer_addr().map(Endpoint::Tcp),
            #[cfg(unix)]
            Self::UnixStream(s) => s.peer_addr().map(|a| super::unix::endpoint(&a)),
            Self::Udp(s) => s.peer_addr().map(Endpoint::Udp),
            #[cfg(unix)]
            Self::UnixDatagram(s) => s.peer_addr().map(|a| super::unix::datagram_endpoint(&a)),
            #[cfg(unix)]
            Self::Descriptor(_) => Ok(Endpoint::Unnamed),
            _ => Err(invalid()),
        }
    }

    /// The socket as `socket2` sees it, for options and errors.
    pub(super) fn options(&self) -> SockRef<'_> {
        match self {
            Self::TcpListener(l) => SockRef::from(l),
            Self::TcpStream(s) => SockRef::from(s),
            #[cfg(unix)]
            Self::UnixListener(l) => SockRef::from(l),
            #[cfg(unix)]
            Self::UnixStream(s) => SockRef::from(s),
            Self::Udp(s) => SockRef::from(s),
            #[cfg(unix)]
            Self::UnixDatagram(s) => SockRef::from(s),
            #[cfg(unix)]
            Self::Descriptor(f) => SockRef::from(f),
        }
    }

    #[cfg(unix)]
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::TcpListener(l) => l.as_fd(),
            Self::TcpStream(s) => s.as_fd(),
            Self::UnixListener(l) => l.as_fd(),
            Self::UnixStream(s) => s.as_fd(),
            Self::Udp(s) => s.as_fd(),
            Self::UnixDatagram(s) => s.as_fd(),
            Self::Descriptor(f) => f.as_fd(),
        }
    }
}

/// What a listener says to a read, a stream to an accept, and both to a datagram.
fn invalid() -> io::Error {
    io::ErrorKind::InvalidInput.into()
}

/// `MSG_NOSIGNAL`: the standard library's own vectored write would raise SIGPIPE. Elsewhere the
/// sockets are made so that they never do.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) const NO_SIGNAL: i32 = 0x4000;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) const NO_SIGNAL: i32 = 0;
