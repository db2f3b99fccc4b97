//! Unix sockets: their addresses, and the files they leave behind.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use ::mio::net::{UnixDatagram, UnixListener, UnixStream};
use socket2::{Domain, SockAddr, Socket, Type};

use super::datagram::Bound;
use super::open;
use crate::net::{ConnectOptions, DatagramOptions, Endpoint, ListenOptions, NetError};

/// Bytes that fit into `sun_path` together with the closing NUL.
const PATH_MAX: u16 = if cfg!(any(target_os = "linux", target_os = "android")) {
    107
} else {
    103
};

/// The file that a socket of ours made, known again by its inode.
///
/// A mounted file system does not give the number of an inode to another file while a socket is
/// bound to it, so the file at the path is ours as long as the numbers agree and the socket is
/// open. That is why the file is removed first and the descriptor closed after.
#[derive(Debug)]
pub(super) struct BoundFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl BoundFile {
    fn of(path: &Path) -> Option<Self> {
        let found = socket_file(path)?;
        Some(Self {
            path: path.to_owned(),
            device: found.dev(),
            inode: found.ino(),
        })
    }

    /// Removes the file unless it is gone or has become somebody else's.
    pub(super) fn remove(&self) {
        let Some(found) = socket_file(&self.path) else {
            return;
        };
        if (found.dev(), found.ino()) == (self.device, self.inode) {
            remove_file(&self.path);
        }
    }
}

/// Binds and listens, over a stale socket file if need be.
///
/// Two processes that find the same stale file at the same moment may both remove it, and the
/// later one then takes the path from the earlier: a service that can be started twice at once
/// needs a lock of its own.
pub(super) fn listen(
    path: &Path,
    options: &ListenOptions,
) -> Result<(UnixListener, Option<BoundFile>), NetError> {
    let address = address(path)?;
    open::check_linger(options.linger)?;
    let socket = socket(Type::STREAM)?;
    open::raise_buffers(&socket, options.send_buffer, options.recv_buffer)?;
    bind_over(&socket, path, &address, options.unlink_stale)?;
    let file = BoundFile::of(path);
    if let Err(e) = socket.listen(open::backlog(options)) {
        if let Some(file) = file {
            file.remove();
        }
        return Err(e.into());
    }
    Ok((UnixListener::from_std(socket.into()), file))
}

/// Opens a datagram socket at a path, or one without a name.
pub(super) fn bind(path: Option<&PathBuf>, options: &DatagramOptions) -> Result<Bound, NetError> {
    let to = match &options.to {
        None => None,
        Some(Endpoint::UnixDatagram(to)) => Some(address(to)?),
        Some(_) => return Err(NetError::Invalid),
    };
    let socket = socket(Type::DGRAM)?;
    open::raise_buffers(&socket, options.send_buffer, options.recv_buffer)?;
    let mut file = None;
    if let Some(path) = path {
        bind_over(&socket, path, &address(path)?, options.unlink_stale)?;
        file = BoundFile::of(path);
    }
    if let Some(Err(e)) = to.as_ref().map(|to| socket.connect(to)) {
        if let Some(file) = file {
            file.remove();
        }
        return Err(super::datagram::error(&e));
    }
    let socket = UnixDatagram::from_std(socket.into());
    Ok(Bound {
        socket: super::socket::Socket::UnixDatagram(socket),
        file,
        connected: to.is_some(),
    })
}

/// Binds, over a stale socket file if need be.
fn bind_over(
    socket: &Socket,
    path: &Path,
    address: &SockAddr,
    unlink_stale: bool,
) -> Result<(), NetError> {
    match socket.bind(address) {
        Err(e) if in_use(&e) && unlink_stale && is_stale(path, address) => {
            fs::remove_file(path)?;
            Ok(socket.bind(address)?)
        }
        other => Ok(other?),
    }
}

/// Starts a connection. Unlike TCP's it stands at once or not at all.
///
/// # Errors
/// [`NetError::Exhausted`] when the listener's backlog is full: it may work later.
pub(super) fn connect(path: &Path, options: &ConnectOptions) -> Result<UnixStream, NetError> {
    let address = address(path)?;
    open::check_linger(options.linger)?;
    let socket = socket(Type::STREAM)?;
    open::raise_buffers(&socket, options.send_buffer, options.recv_buffer)?;
    match &options.from {
        None => {}
        Some(Endpoint::Unix(from)) => socket.bind(&self::address(from)?)?,
        Some(_) => return Err(NetError::Invalid),
    }
    socket.connect(&address)?;
    Ok(UnixStream::from_std(socket.into()))
}

/// Accepts by way of `socket2`: a peer bound to a path that fills `sun_path` without a closing
/// NUL makes Linux report a length beyond the structure, and mio 1.2 panics on that.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn accept(listener: &UnixListener) -> io::Result<(UnixStream, Endpoint)> {
    let stream: i32 = Type::STREAM.into();
    let with_flags: i32 = Type::STREAM.nonblocking().cloexec().into();
    let (socket, peer) = socket2::SockRef::from(listener).accept4(with_flags & !stream)?;
    let peer = peer.as_pathname().map_or(Endpoint::Unnamed, Endpoint::unix);
    Ok((UnixStream::from_std(socket.into()), peer))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn accept(listener: &UnixListener) -> io::Result<(UnixStream, Endpoint)> {
    let (stream, peer) = listener.accept()?;
    let peer = peer.as_pathname().map_or(Endpoint::Unnamed, Endpoint::unix);
    Ok((stream, peer))
}

/// Writes with MSG_NOSIGNAL, which the standard library of Rust 1.85 leaves out on Unix sockets.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn write(stream: &UnixStream, data: &[u8]) -> io::Result<usize> {
    const MSG_NOSIGNAL: i32 = 0x4000;
    socket2::SockRef::from(stream).send_with_flags(data, MSG_NOSIGNAL)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn write(mut stream: &UnixStream, data: &[u8]) -> io::Result<usize> {
    io::Write::write(&mut stream, data)
}

pub(super) fn endpoint(address: &std::os::unix::net::SocketAddr) -> Endpoint {
    address
        .as_pathname()
        .map_or(Endpoint::Unnamed, Endpoint::unix)
}

pub(super) fn datagram_endpoint(address: &std::os::unix::net::SocketAddr) -> Endpoint {
    let path = address.as_pathname();
    path.map_or(Endpoint::Unnamed, |path| {
        Endpoint::UnixDatagram(path.to_owned())
    })
}

/// A path as an address.
///
/// # Errors
/// [`NetError::PathTooLong`]; [`NetError::Invalid`] for an empty path or one with a NUL, which
/// would mean an abstract name.
pub(super) fn address(path: &Path) -> Result<SockAddr, NetError> {
    let bytes = path.as_os_str().as_bytes();
    if bytes.is_empty() || bytes.contains(&0) {
        return Err(NetError::Invalid);
    }
    if bytes.len() > PATH_MAX.into() {
        return Err(NetError::PathTooLong {
            len: u16::try_from(bytes.len()).unwrap_or(u16::MAX),
            max: PATH_MAX,
        });
    }
    Ok(SockAddr::unix(path)?)
}

fn socket(kind: Type) -> io::Result<Socket> {
    let socket = Socket::new(Domain::UNIX, kind, None)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn in_use(e: &io::Error) -> bool {
    e.kind() == io::ErrorKind::AddrInUse
}

/// Whether the path is a socket that nobody is bound behind, of whatever kind: a probe of the
/// wrong kind is told so before it is refused.
fn is_stale(path: &Path, address: &SockAddr) -> bool {
    let refused = |e: io::Error| e.kind() == io::ErrorKind::ConnectionRefused;
    socket_file(path).is_some()
        && [Type::STREAM, Type::DGRAM]
            .into_iter()
            .all(|kind| socket(kind).is_ok_and(|probe| probe.connect(address).is_err_and(refused)))
}

/// The file at `path` if it is a socket itself; symbolic links are not followed.
fn socket_file(path: &Path) -> Option<Metadata> {
    let found = fs::symlink_metadata(path).ok()?;
    found.file_type().is_socket().then_some(found)
}

fn remove_file(path: &Path) {
    if let Err(e) = fs::remove_file(path) {
        log::warn!("the socket file {} stays behind: {e}", path.display());
    }
}
