use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

/// Which side of a connection to shut down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shutdown {
    /// No more is read.
    Receive,
    /// No more is sent: the peer sees the end of the stream.
    Send,
    /// Neither.
    Both,
}

/// How the system probes a silent connection. It counts in seconds; times are rounded up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keepalive {
    /// Silence before the first probe.
    pub idle: Duration,
    /// Time between probes.
    pub interval: Duration,
    /// Probes without an answer before the connection counts as lost.
    pub probes: u32,
}

impl Default for Keepalive {
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(60),
            interval: Duration::from_secs(10),
            probes: 6,
        }
    }
}

/// Options of a listening socket and of what it accepts. TCP's are ignored on Unix sockets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenOptions {
    /// Connections that may wait to be accepted. Default 1024; the system may cap it.
    pub backlog: u32,
    /// Send small segments at once (TCP_NODELAY) on accepted connections. On by default.
    pub nodelay: bool,
    /// Probe silent accepted connections. Off by default.
    pub keepalive: Option<Keepalive>,
    /// Bind although old connections linger in TIME_WAIT (SO_REUSEADDR). On by default.
    pub reuse_addr: bool,
    /// Share the port with other sockets that say so too (SO_REUSEPORT). Off by default.
    pub reuse_port: bool,
    /// An IPv6 socket takes no IPv4. Default: on, the same on every platform. Off, `[::]` takes both
    /// families, and IPv4 peers show as `::ffff:a.b.c.d`.
    pub v6_only: bool,
    /// At least so many bytes for the system's send buffer; 0 leaves the system's choice. A buffer
    /// that is larger already stays. On Linux a size of one's own ends the automatic growth.
    pub send_buffer: usize,
    /// At least so many bytes for the system's receive buffer; as for `send_buffer`.
    pub recv_buffer: usize,
    /// What `close` does with data the peer has not taken (SO_LINGER) on accepted connections.
    /// `Some(ZERO)` resets the connection; any other time would make `close` block and is
    /// [`NetError::Invalid`](super::NetError::Invalid). Default: the system sends it in the
    /// background.
    pub linger: Option<Duration>,
    /// Remove a Unix socket file at the path when nobody listens behind it. On by default; a
    /// file that is no socket, or one that is in use, is never touched.
    pub unlink_stale: bool,
}

impl Default for ListenOptions {
    fn default() -> Self {
        Self {
            backlog: 1024,
            nodelay: true,
            keepalive: None,
            reuse_addr: true,
            reuse_port: false,
            v6_only: true,
            send_buffer: 0,
            recv_buffer: 0,
            linger: None,
            unlink_stale: true,
        }
    }
}

/// Options of a dialled connection. TCP's are ignored on Unix sockets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectOptions {
    /// Send small segments at once (TCP_NODELAY). On by default.
    pub nodelay: bool,
    /// Probe when silent. Off by default.
    pub keepalive: Option<Keepalive>,
    /// At least so many bytes for the system's send buffer; 0 leaves the system's choice. A buffer
    /// that is larger already stays. On Linux a size of one's own ends the automatic growth.
    pub send_buffer: usize,
    /// At least so many bytes for the system's receive buffer; as for `send_buffer`.
    pub recv_buffer: usize,
    /// What `close` does with data the peer has not taken (SO_LINGER). `Some(ZERO)` resets; any
    /// other time is [`NetError::Invalid`](super::NetError::Invalid). Default: the system sends it
    /// in the background.
    pub linger: Option<Duration>,
    /// The address to dial from, of the same family; `None` leaves it to the system. A path to
    /// dial a Unix socket from is bound to a file, which stays for the caller to remove.
    pub from: Option<super::Endpoint>,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self {
            nodelay: true,
            keepalive: None,
            send_buffer: 0,
            recv_buffer: 0,
            linger: None,
            from: None,
        }
    }
}

/// An option that can be set on an open socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SocketOption {
    /// TCP_NODELAY.
    Nodelay(bool),
    /// Keepalive probes, or none.
    Keepalive(Option<Keepalive>),
    /// SO_LINGER: `Some(ZERO)` or `None`.
    Linger(Option<Duration>),
    /// At least so many bytes for the send buffer.
    SendBuffer(usize),
    /// At least so many bytes for the receive buffer.
    RecvBuffer(usize),
    /// How many routers a packet may pass (IP_TTL, IPV6_UNICAST_HOPS): TCP and UDP. 0 is refused.
    Ttl(u8),
    /// May send to broadcast addresses (SO_BROADCAST). This and what follows is UDP's;
    /// [`NetError::Invalid`](super::NetError::Invalid) on other sockets.
    Broadcast(bool),
    /// Take what is sent to a multicast group and arrives at an interface. Bind to the group's
    /// port. A socket may be in several groups, and leaves all of them when it is closed.
    /// [`NetError::AddrInUse`](super::NetError::AddrInUse) when it is in it already.
    JoinMulticast(IpAddr, Interface),
    /// Leave a multicast group, named as it was joined.
    /// [`NetError::AddrNotAvailable`](super::NetError::AddrNotAvailable) when it is not in it.
    LeaveMulticast(IpAddr, Interface),
    /// Whether members on this machine get what is sent to a group. On by default. On an IPv4
    /// socket it counts for the sender, on Windows for the receiver.
    MulticastLoop(bool),
    /// How many routers a multicast packet may pass. Default 1: it stays in the local network.
    MulticastTtl(u8),
    /// The interface that multicast leaves by. [`Interface::Index`] is IPv6's only.
    MulticastInterface(Interface),
}

/// A network interface, for multicast.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Interface {
    /// The system's choice.
    Any,
    /// The one that has this address: IPv4 only.
    Address(Ipv4Addr),
    /// The one of this number, as in `ip link`: IPv6, and IPv4 where the system can (not on
    /// NetBSD, OpenBSD and Solaris). 0 is the system's choice.
    Index(u32),
}

impl Interface {
    /// What IPv4 takes for it.
    pub(super) const fn address(self) -> Ipv4Addr {
        match self {
            Self::Address(address) => address,
            Self::Any | Self::Index(_) => Ipv4Addr::UNSPECIFIED,
        }
    }

    /// What IPv6 takes for it.
    pub(super) const fn index(self) -> u32 {
        match self {
            Self::Index(index) => index,
            Self::Any | Self::Address(_) => 0,
        }
    }
}
