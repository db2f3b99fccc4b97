//! Datagram sockets: UDP and Unix.
//!
//! As with Unix streams, a socket is registered for reading only until a send first finds no room:
//! each datagram that leaves tells of room otherwise. A short read says nothing here, because a
//! datagram is as long as it is, so the readable flag stays until a receive finds none.

use std::io;
use std::net::{IpAddr, SocketAddr};

use ::mio::net::UdpSocket;
use socket2::{Domain, Protocol, SockAddr, SockRef, Type};

use super::open;
use super::socket::{NO_SIGNAL, Socket};
use crate::net::{DatagramOptions, Endpoint, Interface, NetError, SocketOption};

/// A datagram socket that was opened, what it leaves in the file system, and whether it talks to
/// one address only.
pub(super) struct Bound {
    pub(super) socket: Socket,
    #[cfg(unix)]
    pub(super) file: Option<super::unix::BoundFile>,
    pub(super) connected: bool,
}

/// Opens a datagram socket at `at`.
pub(super) fn bind(at: &Endpoint, options: &DatagramOptions) -> Result<Bound, NetError> {
    match at {
        Endpoint::Udp(at) => bind_udp(*at, options),
        #[cfg(unix)]
        Endpoint::UnixDatagram(path) => super::unix::bind(Some(path), options),
        #[cfg(unix)]
        Endpoint::Unnamed => super::unix::bind(None, options),
        #[cfg(not(unix))]
        Endpoint::UnixDatagram(_) | Endpoint::Unnamed => Err(NetError::Unsupported),
        Endpoint::Name(..) => Err(NetError::Unresolvable),
        Endpoint::Tcp(_) | Endpoint::Unix(_) => Err(NetError::Invalid),
    }
}

fn bind_udp(at: SocketAddr, options: &DatagramOptions) -> Result<Bound, NetError> {
    let domain = Domain::for_address(at);
    let socket = socket2::Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    if at.is_ipv6() {
        socket.set_only_v6(options.v6_only)?;
    }
    if options.reuse_addr {
        socket.set_reuse_address(true)?;
    }
    if options.reuse_port {
        open::share_port(&socket)?;
    }
    if options.broadcast {
        socket.set_broadcast(true)?;
    }
    open::raise_buffers(&socket, options.send_buffer, options.recv_buffer)?;
    socket.bind(&at.into())?;
    match &options.to {
        None => {}
        Some(Endpoint::Udp(to)) if to.is_ipv4() == at.is_ipv4() => socket.connect(&(*to).into())?,
        Some(Endpoint::Name(..)) => return Err(NetError::Unresolvable),
        Some(_) => return Err(NetError::Invalid),
    }
    Ok(Bound {
        socket: Socket::Udp(UdpSocket::from_std(socket.into())),
        #[cfg(unix)]
        file: None,
        connected: options.to.is_some(),
    })
}

/// Takes one datagram. What is longer than `buf` is noticed by one byte more in `scratch`, as the
/// system's own word for it (MSG_TRUNC) cannot be had without `unsafe`.
pub(super) fn recv(
    socket: &Socket,
    buf: &mut [u8],
    scratch: &mut Vec<u8>,
) -> io::Result<(usize, Endpoint, bool)> {
    let is_udp = matches!(socket, Socket::Udp(_));
    if is_udp && buf.len() >= UDP_MAX {
        let (len, from) = socket.recv_from(buf)?;
        return Ok((len, from, false));
    }
    // Where a datagram that does not fit is an error (Windows), all of it must.
    let room = if cfg!(windows) { UDP_MAX } else { 0 };
    let room = room.max(buf.len().saturating_add(1));
    if scratch.len() < room {
        scratch.resize(room, 0);
    }
    let (whole, from) = socket.recv_from(&mut scratch[..room])?;
    let len = whole.min(buf.len());
    buf[..len].copy_from_slice(&scratch[..len]);
    Ok((len, from, whole > len))
}

/// Sends one datagram, never raising SIGPIPE.
pub(super) fn send(socket: &Socket, data: &[u8], to: Option<&Endpoint>) -> Result<(), SendError> {
    let sender = socket.options();
    let took = match (to, socket) {
        (None, _) => sender.send_with_flags(data, NO_SIGNAL),
        (Some(Endpoint::Udp(to)), Socket::Udp(_)) => {
            sender.send_to_with_flags(data, &SockAddr::from(*to), NO_SIGNAL)
        }
        #[cfg(unix)]
        (Some(Endpoint::UnixDatagram(path)), Socket::UnixDatagram(_)) => {
            let to = super::unix::address(path).map_err(SendError::Ours)?;
            sender.send_to_with_flags(data, &to, NO_SIGNAL)
        }
        (Some(Endpoint::Name(..)), _) => return Err(SendError::Ours(NetError::Unresolvable)),
        (Some(_), _) => return Err(SendError::Ours(NetError::Invalid)),
    };
    took.map(drop).map_err(SendError::System)
}

/// Why a datagram was not sent.
pub(super) enum SendError {
    /// The system was not asked.
    Ours(NetError),
    /// The system's word, which may be "not now".
    System(io::Error),
}

/// What the system says of one datagram. Windows calls a refusal a reset; the code is that of a
/// Unix path where a stream socket is bound.
pub(super) fn error(e: &io::Error) -> NetError {
    let of_linux = cfg!(any(target_os = "linux", target_os = "android"));
    match NetError::from(e) {
        NetError::Reset => NetError::Refused,
        NetError::Other(EPROTOTYPE) if of_linux => NetError::Refused,
        // An address of the wrong family.
        NetError::Unsupported => NetError::Invalid,
        other => other,
    }
}

/// Sets an option that only datagram sockets have; `v6` is the family that the socket is of.
pub(super) fn set_option(
    socket: &SockRef<'_>,
    v6: bool,
    option: SocketOption,
) -> Result<(), NetError> {
    match option {
        SocketOption::Broadcast(on) => socket.set_broadcast(on)?,
        SocketOption::MulticastLoop(on) if v6 => socket.set_multicast_loop_v6(on)?,
        SocketOption::MulticastLoop(on) => socket.set_multicast_loop_v4(on)?,
        SocketOption::MulticastTtl(hops) if v6 => socket.set_multicast_hops_v6(hops.into())?,
        SocketOption::MulticastTtl(hops) => socket.set_multicast_ttl_v4(hops.into())?,
        SocketOption::MulticastInterface(from) => leave_by(socket, v6, from)?,
        SocketOption::JoinMulticast(group, on) => member(socket, group, on, true)?,
        SocketOption::LeaveMulticast(group, on) => member(socket, group, on, false)?,
        _ => return Err(NetError::Invalid),
    }
    Ok(())
}

/// Joins or leaves a multicast group.
fn member(socket: &SockRef<'_>, group: IpAddr, on: Interface, join: bool) -> Result<(), NetError> {
    let done = match (group, on) {
        _ if !group.is_multicast() => return Err(NetError::Invalid),
        (IpAddr::V6(_), Interface::Address(_)) => return Err(NetError::Invalid),
        (IpAddr::V6(group), Interface::Any | Interface::Index(_)) => match join {
            true => socket.join_multicast_v6(&group, on.index()),
            false => socket.leave_multicast_v6(&group, on.index()),
        },
        (IpAddr::V4(group), Interface::Any | Interface::Address(_)) => match join {
            true => socket.join_multicast_v4(&group, &on.address()),
            false => socket.leave_multicast_v4(&group, &on.address()),
        },
        (IpAddr::V4(group), Interface::Index(index)) => {
            return member_by_index(socket, group, index, join);
        }
    };
    done.map_err(|e| of_interface(&e))
}

#[cfg(any(
    target_os = "linux",
    target_os = "android",
    target_os = "freebsd",
    target_vendor = "apple",
    windows
))]
fn member_by_index(
    socket: &SockRef<'_>,
    group: std::net::Ipv4Addr,
    index: u32,
    join: bool,
) -> Result<(), NetError> {
    let on = socket2::InterfaceIndexOrAddress::Index(index);
    let done = match join {
        true => socket.join_multicast_v4_n(&group, &on),
        false => socket.leave_multicast_v4_n(&group, &on),
    };
    done.map_err(|e| of_interface(&e))
}

#[cfg(not(any(
    target_os = "linux",
    target_os = "android",
    target_os = "freebsd",
    target_vendor = "apple",
    windows
)))]
fn member_by_index(
    _: &SockRef<'_>,
    _: std::net::Ipv4Addr,
    _: u32,
    _: bool,
) -> Result<(), NetError> {
    Err(NetError::Unsupported)
}

/// Says which interface multicast leaves by.
fn leave_by(socket: &SockRef<'_>, v6: bool, from: Interface) -> Result<(), NetError> {
    let done = match (v6, from) {
        (true, Interface::Any | Interface::Index(_)) => socket.set_multicast_if_v6(from.index()),
        (false, Interface::Any | Interface::Address(_)) => {
            socket.set_multicast_if_v4(&from.address())
        }
        (true, Interface::Address(_)) => return Err(NetError::Invalid),
        (false, Interface::Index(_)) => return Err(NetError::Unsupported),
    };
    done.map_err(|e| of_interface(&e))
}

/// ENODEV and ENXIO have the same number everywhere: there is no such interface.
fn of_interface(e: &io::Error) -> NetError {
    match e.raw_os_error() {
        Some(6 | 19) => NetError::AddrNotAvailable,
        _ => e.into(),
    }
}

/// Bytes of the longest UDP datagram: its length field has 16 bits (RFC 768), headers included.
const UDP_MAX: usize = 65_535;
/// Of Linux.
const EPROTOTYPE: i32 = 91;
