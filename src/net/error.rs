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
    /// Out of descriptors, ports or memory, or a Unix listener's backlog is full; later it may
    /// work.
    #[error("out of descriptors, ports or memory")]
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
        /// Bytes in the path; 65 535 stands for more, too.
        len: u16,
        /// Bytes the system can hold.
        max: u16,
    },
    /// A datagram longer than any can be.
    #[error("message too long for a datagram")]
    TooLong,
    /// No address is known for the name, or an address is wanted where a name was given.
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
    /// A replay has no more to say: its recording is over, or the program differs from it.
    #[error("the run and its recording part here")]
    Diverged,
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
            // EAGAIN where there is no "not yet": a full backlog, no free port.
            K::OutOfMemory | K::StorageFull | K::WouldBlock => Self::Exhausted,
            K::ReadOnlyFilesystem => Self::Denied,
            K::NotADirectory => Self::NotFound,
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
        let Some(code) = code else {
            return Self::Other(0);
        };
        match code {
            _ if codes::EXHAUSTED.contains(&code) => Self::Exhausted,
            codes::TOO_LONG => Self::TooLong,
            _ if codes::UNREACHABLE.contains(&code) => Self::Unreachable,
            _ if codes::UNSUPPORTED.contains(&code) => Self::Unsupported,
            _ => Self::Other(code),
        }
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod codes {
    /// ENFILE, EMFILE, ENOBUFS.
    pub(super) const EXHAUSTED: [i32; 3] = [23, 24, 105];
    /// EMSGSIZE.
    pub(super) const TOO_LONG: i32 = 90;
    /// EHOSTDOWN, ENONET.
    pub(super) const UNREACHABLE: [i32; 2] = [112, 64];
    /// EPROTONOSUPPORT, EAFNOSUPPORT: such as IPv6 where it is switched off.
    pub(super) const UNSUPPORTED: [i32; 2] = [93, 97];
}

#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
mod codes {
    /// ENFILE, EMFILE, ENOBUFS of the BSDs and macOS.
    pub(super) const EXHAUSTED: [i32; 3] = [23, 24, 55];
    /// EMSGSIZE.
    pub(super) const TOO_LONG: i32 = 40;
    /// EHOSTDOWN.
    pub(super) const UNREACHABLE: [i32; 1] = [64];
    /// EPROTONOSUPPORT, EAFNOSUPPORT.
    pub(super) const UNSUPPORTED: [i32; 2] = [43, 47];
}

#[cfg(not(unix))]
mod codes {
    /// WSAEMFILE, WSAENOBUFS.
    pub(super) const EXHAUSTED: [i32; 2] = [10024, 10055];
    /// WSAEMSGSIZE.
    pub(super) const TOO_LONG: i32 = 10040;
    /// WSAEHOSTDOWN.
    pub(super) const UNREACHABLE: [i32; 1] = [10064];
    /// WSAEPROTONOSUPPORT, WSAEAFNOSUPPORT.
    pub(super) const UNSUPPORTED: [i32; 2] = [10043, 10047];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_small_enough_for_two_registers_with_a_count_beside_it() {
        assert_eq!(size_of::<NetError>(), 8);
        assert_eq!(size_of::<Result<Option<usize>, NetError>>(), 16);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a2_every_code_of_the_system_is_an_error_of_ours() {
        let of = |code| NetError::from(io::Error::from_raw_os_error(code));
        for code in 0..=200 {
            assert!(!of(code).to_string().is_empty());
        }
        let known = [
            (1, NetError::Denied),
            (2, NetError::NotFound),
            (11, NetError::Exhausted),
            (12, NetError::Exhausted),
            (13, NetError::Denied),
            (20, NetError::NotFound),
            (22, NetError::Invalid),
            (24, NetError::Exhausted),
            (28, NetError::Exhausted),
            (32, NetError::BrokenPipe),
            (97, NetError::Unsupported),
            (98, NetError::AddrInUse),
            (99, NetError::AddrNotAvailable),
            (101, NetError::Unreachable),
            (103, NetError::Aborted),
            (104, NetError::Reset),
            (105, NetError::Exhausted),
            (107, NetError::NotConnected),
            (110, NetError::TimedOut),
            (111, NetError::Refused),
            (113, NetError::Unreachable),
            (71, NetError::Other(71)),
            (90, NetError::TooLong),
        ];
        for (code, error) in known {
            assert_eq!(of(code), error, "errno {code}");
        }
    }

    #[test]
    fn an_error_without_a_code_is_other() {
        let e = io::Error::other("no code");
        assert_eq!(NetError::from(e), NetError::Other(0));
    }
}
