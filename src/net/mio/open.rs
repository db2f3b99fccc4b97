//! Making sockets and setting their options.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use ::mio::net::{TcpListener, TcpStream};
use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};

use crate::net::{ConnectOptions, Endpoint, Keepalive, ListenOptions, NetError, SocketOption};

/// Whether accepted TCP sockets have the listener's options (nodelay, keepalive, linger, buffer
/// sizes), so that not one system call a connection goes into setting them.
pub(super) const INHERITED: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// What `connect` says when the answer has yet to come.
const IN_PROGRESS: i32 = if cfg!(any(target_os = "linux", target_os = "android")) {
    match () {
        () if cfg!(any(target_arch = "mips", target_arch = "mips64")) => 150,
        () if cfg!(any(target_arch = "sparc", target_arch = "sparc64")) => 36,
        () => 115,
    }
} else if cfg!(any(target_os = "solaris", target_os = "illumos")) {
    150
} else if cfg!(windows) {
    10035
} else {
    36
};

/// A bound, listening TCP socket.
pub(super) fn listen_tcp(at: SocketAddr, options: &ListenOptions) -> Result<TcpListener, NetError> {
    let socket = tcp_socket(at)?;
    if at.is_ipv6() {
        socket.set_only_v6(options.v6_only)?;
    }
    // On Windows the option would let others take over a port in use; not to set it does what it
    // means elsewhere.
    #[cfg(not(windows))]
    socket.set_reuse_address(options.reuse_addr)?;
    if options.reuse_port {
        share_port(&socket)?;
    }
    raise_buffers(&socket, options.send_buffer, options.recv_buffer)?;
    check_linger(options.linger)?;
    if INHERITED {
        set_accepted(&socket, options)?;
    }
    socket.bind(&at.into())?;
    socket.listen(backlog(options))?;
    Ok(TcpListener::from_std(socket.into()))
}

/// A TCP socket on its way to `to`.
pub(super) fn connect_tcp(to: SocketAddr, options: &ConnectOptions) -> Result<TcpStream, NetError> {
    let socket = tcp_socket(to)?;
    set_stream(&socket, options.nodelay, options.keepalive, options.linger)?;
    raise_buffers(&socket, options.send_buffer, options.recv_buffer)?;
    match &options.from {
        None => {}
        Some(Endpoint::Tcp(from)) if from.is_ipv4() == to.is_ipv4() => {
            // A port asked for may be in TIME_WAIT from the connection before.
            #[cfg(not(windows))]
            socket.set_reuse_address(from.port() != 0)?;
            socket.bind(&(*from).into())?;
        }
        Some(_) => return Err(NetError::Invalid),
    }
    match socket.connect(&to.into()) {
        Err(e) if !is_under_way(&e) => Err(e.into()),
        _ => Ok(TcpStream::from_std(socket.into())),
    }
}

/// Gives a fresh connection the options that it does not inherit from its listener.
pub(super) fn hand_down(
    socket: &super::socket::Socket,
    options: &ListenOptions,
) -> Result<(), NetError> {
    let connection = socket.options();
    #[cfg(target_vendor = "apple")]
    connection.set_nosigpipe(true)?;
    if socket.is_tcp() {
        set_accepted(&connection, options)?;
    }
    raise_buffers(&connection, options.send_buffer, options.recv_buffer)?;
    Ok(())
}

/// Options of an accepted TCP connection, or of a listener that hands them down.
fn set_accepted(socket: &Socket, options: &ListenOptions) -> Result<(), NetError> {
    set_stream(socket, options.nodelay, options.keepalive, options.linger)
}

fn set_stream(
    socket: &Socket,
    nodelay: bool,
    keepalive: Option<Keepalive>,
    linger: Option<Duration>,
) -> Result<(), NetError> {
    check_linger(linger)?;
    if nodelay {
        socket.set_tcp_nodelay(true)?;
    }
    if keepalive.is_some() {
        set_keepalive(socket, keepalive)?;
    }
    if linger.is_some() {
        socket.set_linger(linger)?;
    }
    Ok(())
}

/// Sets one option on an open socket; TCP's do nothing on other sockets.
pub(super) fn set_option(of: &super::socket::Socket, option: SocketOption) -> Result<(), NetError> {
    let (socket, tcp) = (&of.options(), of.is_tcp());
    match option {
        SocketOption::Nodelay(_) | SocketOption::Keepalive(_) if !tcp => {}
        SocketOption::Nodelay(on) => socket.set_tcp_nodelay(on)?,
        SocketOption::Keepalive(keepalive) => set_keepalive(socket, keepalive)?,
        SocketOption::Linger(linger) => {
            check_linger(linger)?;
            if tcp {
                socket.set_linger(linger)?;
            }
        }
        SocketOption::SendBuffer(bytes) => raise_buffers(socket, bytes, 0)?,
        SocketOption::RecvBuffer(bytes) => raise_buffers(socket, 0, bytes)?,
        for_ip => {
            let at = of.local()?.addr().ok_or(NetError::Invalid)?;
            return set_ip_option(of, at.is_ipv6(), for_ip);
        }
    }
    Ok(())
}

fn set_ip_option(
    of: &super::socket::Socket,
    v6: bool,
    option: SocketOption,
) -> Result<(), NetError> {
    let socket = &of.options();
    match option {
        SocketOption::Ttl(0) => Err(NetError::Invalid),
        SocketOption::Ttl(hops) if v6 => Ok(socket.set_unicast_hops_v6(hops.into())?),
        SocketOption::Ttl(hops) => Ok(socket.set_ttl_v4(hops.into())?),
        other if of.is_datagram() => super::datagram::set_option(socket, v6, other),
        _ => Err(NetError::Invalid),
    }
}

/// Raises buffers that are smaller than wanted; 0 wants nothing.
pub(super) fn raise_buffers(socket: &Socket, send: usize, recv: usize) -> io::Result<()> {
    if send > 0 && socket.send_buffer_size()? < send {
        socket.set_send_buffer_size(send)?;
    }
    if recv > 0 && socket.recv_buffer_size()? < recv {
        socket.set_recv_buffer_size(recv)?;
    }
    Ok(())
}

pub(super) fn backlog(options: &ListenOptions) -> i32 {
    i32::try_from(options.backlog).unwrap_or(i32::MAX)
}

/// A nonblocking TCP socket, closed on exec, of the address's family.
fn tcp_socket(address: SocketAddr) -> io::Result<Socket> {
    let domain = Domain::for_address(address);
    let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

#[cfg(all(unix, not(any(target_os = "solaris", target_os = "illumos"))))]
pub(super) fn share_port(socket: &Socket) -> Result<(), NetError> {
    Ok(socket.set_reuse_port(true)?)
}

#[cfg(not(all(unix, not(any(target_os = "solaris", target_os = "illumos")))))]
pub(super) fn share_port(_: &Socket) -> Result<(), NetError> {
    Err(NetError::Unsupported)
}

fn set_keepalive(socket: &Socket, keepalive: Option<Keepalive>) -> io::Result<()> {
    let Some(keepalive) = keepalive else {
        return socket.set_keepalive(false);
    };
    let probing = TcpKeepalive::new().with_time(whole_seconds(keepalive.idle));
    #[cfg(any(
        target_os = "linux",
        target_os = "android",
        target_os = "freebsd",
        target_vendor = "apple"
    ))]
    let probing = probing
        .with_interval(whole_seconds(keepalive.interval))
        .with_retries(keepalive.probes);
    socket.set_tcp_keepalive(&probing)
}

/// Whole seconds, which is what the system counts in, rounded up.
fn whole_seconds(d: Duration) -> Duration {
    let more = u64::from(d.subsec_nanos() > 0);
    Duration::from_secs(d.as_secs().saturating_add(more))
}

/// A time to linger would block in `close`, on Linux even on nonblocking sockets.
pub(super) fn check_linger(linger: Option<Duration>) -> Result<(), NetError> {
    match linger {
        Some(time) if !time.is_zero() => Err(NetError::Invalid),
        _ => Ok(()),
    }
}

/// Whether a connect goes on in the background; one that a signal interrupted does, too.
fn is_under_way(e: &io::Error) -> bool {
    e.raw_os_error() == Some(IN_PROGRESS) || e.kind() == io::ErrorKind::Interrupted
}
