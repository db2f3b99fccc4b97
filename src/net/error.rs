use std::io;

/// Why a network operation failed: the same closed list on every platform and in simulation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum NetError {
    /// Another socket listens there.
    #[error("address already in use")]
    AddrInUse,
    /// The address is none of this machine's.
    #[error("address not available on this machine")]
    AddrNotAvailable,
    /// Nobody listens at the other end.
    #[error("connection refused")]
    Refused,
    /// The other side broke the connection.
    #[error("connection reset by peer")]
    Reset,
    /// The connection was given up by the system.
    #[error("connection aborted")]
    Aborted,
    /// The system waited too long for the other side.
    #[error("timed out")]
    TimedOut,
    /// There is no way to that host or network.
    #[error("host or network unreachable")]
    Unreachable,
    /// The sending side is closed.
    #[error("broken pipe: the sending side is closed")]
    BrokenPipe,
    /// There is no connection yet, or no longer.
    #[error("not connected")]
    NotConnected,
    /// Out of descriptors, ports or memory; later it may work.
    #[error("out of descriptors or memory")]
    Exhausted,
    /// The system does not allow it.
    #[error("permission denied")]
    Denied,
    /// There is no such path.
    #[error("no such file or directory")]
    NotFound,
    /// A Unix socket path that the system cannot hold.
    #[error("socket path of {len} bytes is too long: at most {max}")]
    PathTooLong {
        /// Bytes in the path.
        len: usize,
        /// Bytes the system can hold.
        max: usize,
    },
    /// No address is known for the name.
    #[error("name cannot be resolved")]
    Unresolvable,
    /// The id is of a socket or group that is closed.
    #[error("stale id: the socket is closed")]
    Stale,
    /// The operation makes no sense on this socket or with these arguments.
    #[error("invalid operation or argument")]
    Invalid,
    /// This platform or this net cannot do it.
    #[error("not supported here")]
    Unsupported,
    /// Anything else, with the system's error code.
    #[error("system error {0}")]
    Other(i32),
}

impl NetError {
    /// Whether the other side ended the connection, however rudely.
    #[must_use]
    pub const fn is_cutoff(self) -> bool {
        matches!(
            self,
            Self::Reset | Self::Aborted | Self::TimedOut | Self::BrokenPipe | Self::NotConnected
        )
    }
}

impl From<&io::Error> for NetError {
    fn from(e: &io::Error) -> Self {
        use io::ErrorKind as K;
        match e.kind() {
            K::AddrInUse => Self::AddrInUse,
            K::AddrNotAvailable => Self::AddrNotAvailable,
            K::ConnectionRefused => Self::Refused,
            K::ConnectionReset => Self::Reset,
            K::ConnectionAborted => Self::Aborted,
            K::TimedOut => Self::TimedOut,
            K::HostUnreachable | K::NetworkUnreachable | K::NetworkDown => Self::Unreachable,
            K::BrokenPipe => Self::BrokenPipe,
            K::NotConnected => Self::NotConnected,
            K::PermissionDenied => Self::Denied,
            K::NotFound => Self::NotFound,
            K::OutOfMemory => Self::Exhausted,
            K::InvalidInput => Self::Invalid,
            K::Unsupported => Self::Unsupported,
            _ => Self::from_code(e.raw_os_error()),
        }
    }
}

impl From<io::Error> for NetError {
    fn from(e: io::Error) -> Self {
        Self::from(&e)
    }
}

impl NetError {
    /// Codes that `io::ErrorKind` has no stable name for.
    fn from_code(code: Option<i32>) -> Self {
        #[cfg(unix)]
        const EXHAUSTED: [i32; 4] = [23, 24, 105, 55]; // ENFILE EMFILE ENOBUFS (Linux, BSD)
        #[cfg(not(unix))]
        const EXHAUSTED: [i32; 2] = [10024, 10055]; // WSAEMFILE WSAENOBUFS
        match code {
            Some(c) if EXHAUSTED.contains(&c) => Self::Exhausted,
            Some(c) => Self::Other(c),
            None => Self::Other(0),
        }
    }
}
