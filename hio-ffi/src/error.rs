//! Failures as a code and a text, and hio's errors as codes.

use hio::link::{CloseReason, LimitsError, OpenError, TlsFailure, TxError};
use hio::net::NetError;

use crate::abi::{hio_reason, hio_status, hio_tls_failure};

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Error {
    pub(crate) status: hio_status,
    pub(crate) text: String,
}

impl Error {
    pub(crate) fn new(status: hio_status, text: impl Into<String>) -> Self {
        let text = text.into();
        Self { status, text }
    }

    pub(crate) fn null(what: &str) -> Self {
        Self::new(hio_status::HIO_ERR_NULL, format!("{what} is null"))
    }

    pub(crate) fn argument(text: impl Into<String>) -> Self {
        Self::new(hio_status::HIO_ERR_ARGUMENT, text)
    }

    pub(crate) fn handle(what: &str, handle: u64) -> Self {
        let text = format!("{handle:#x} is no {what} of this loop, or no longer");
        Self::new(hio_status::HIO_ERR_HANDLE, text)
    }
}

impl From<LimitsError> for Error {
    fn from(why: LimitsError) -> Self {
        Self::new(hio_status::HIO_ERR_LIMITS, why.to_string())
    }
}

impl From<NetError> for Error {
    fn from(why: NetError) -> Self {
        Self::new(of_net(why), why.to_string())
    }
}

impl From<OpenError> for Error {
    fn from(why: OpenError) -> Self {
        let status = match &why {
            OpenError::Listen { why, .. } | OpenError::Bind { why, .. } => of_net(*why),
            OpenError::Pending { .. } => hio_status::HIO_ERR_PENDING,
            OpenError::Limits(_) => hio_status::HIO_ERR_LIMITS,
            OpenError::Tls(_) => hio_status::HIO_ERR_TLS,
            _ => hio_status::HIO_ERR_INVALID,
        };
        Self::new(status, why.to_string())
    }
}

impl From<TxError> for Error {
    fn from(why: TxError) -> Self {
        let status = match why {
            TxError::Shut => hio_status::HIO_ERR_SHUT,
            TxError::Full { .. } => hio_status::HIO_FULL,
            _ => hio_status::HIO_ERR_CLOSED,
        };
        Self::new(status, why.to_string())
    }
}

/// The code of an error of the net.
pub(crate) const fn of_net(why: NetError) -> hio_status {
    use hio_status as S;
    match why {
        NetError::AddrInUse => S::HIO_ERR_ADDR_IN_USE,
        NetError::AddrNotAvailable => S::HIO_ERR_ADDR_NOT_AVAILABLE,
        NetError::Refused => S::HIO_ERR_REFUSED,
        NetError::Reset => S::HIO_ERR_RESET,
        NetError::Aborted => S::HIO_ERR_ABORTED,
        NetError::TimedOut => S::HIO_ERR_TIMED_OUT,
        NetError::Unreachable => S::HIO_ERR_UNREACHABLE,
        NetError::BrokenPipe => S::HIO_ERR_BROKEN_PIPE,
        NetError::NotConnected => S::HIO_ERR_NOT_CONNECTED,
        NetError::Exhausted => S::HIO_ERR_EXHAUSTED,
        NetError::Denied => S::HIO_ERR_DENIED,
        NetError::NotFound => S::HIO_ERR_NOT_FOUND,
        NetError::PathTooLong { .. } => S::HIO_ERR_PATH_TOO_LONG,
        NetError::Unresolvable => S::HIO_ERR_UNRESOLVABLE,
        NetError::Invalid | NetError::TooLong | NetError::Stale | NetError::Diverged => {
            S::HIO_ERR_INVALID
        }
        NetError::Unsupported => S::HIO_ERR_UNSUPPORTED,
        NetError::Other(_) => S::HIO_ERR_SYSTEM,
    }
}

/// The code of a reason, and its detail.
pub(crate) const fn of_reason(reason: CloseReason) -> (hio_reason, i32) {
    use hio_reason as R;
    match reason {
        CloseReason::NotOpened => (R::HIO_REASON_NONE, 0),
        CloseReason::PeerClosed => (R::HIO_REASON_PEER_CLOSED, 0),
        CloseReason::Closed => (R::HIO_REASON_CLOSED, 0),
        CloseReason::Aborted => (R::HIO_REASON_ABORTED, 0),
        CloseReason::OwnerClosed => (R::HIO_REASON_OWNER_CLOSED, 0),
        CloseReason::Reset => (R::HIO_REASON_RESET, 0),
        CloseReason::IdleTimedOut => (R::HIO_REASON_IDLE_TIMED_OUT, 0),
        CloseReason::WriteStalled => (R::HIO_REASON_WRITE_STALLED, 0),
        CloseReason::DrainTimedOut => (R::HIO_REASON_DRAIN_TIMED_OUT, 0),
        CloseReason::LingerTimedOut => (R::HIO_REASON_LINGER_TIMED_OUT, 0),
        CloseReason::ConnectTimedOut => (R::HIO_REASON_CONNECT_TIMED_OUT, 0),
        CloseReason::ConnectFailed(why) => (R::HIO_REASON_CONNECT_FAILED, of_net(why) as i32),
        CloseReason::Lost(why) => (R::HIO_REASON_LOST, of_net(why) as i32),
        CloseReason::HandshakeTimedOut => (R::HIO_REASON_HANDSHAKE_TIMED_OUT, 0),
        CloseReason::Tls(why) => (R::HIO_REASON_TLS, of_tls(why)),
        CloseReason::Truncated => (R::HIO_REASON_TRUNCATED, 0),
        _ => (R::HIO_REASON_OTHER, 0),
    }
}

/// The code of a failure of TLS; an alert's number is added.
const fn of_tls(why: TlsFailure) -> i32 {
    use hio_tls_failure as T;
    let known = match why {
        TlsFailure::Alert(number) => return T::HIO_TLS_ALERT as i32 + number as i32,
        TlsFailure::Expired => T::HIO_TLS_EXPIRED,
        TlsFailure::NotYetValid => T::HIO_TLS_NOT_YET_VALID,
        TlsFailure::WrongName => T::HIO_TLS_WRONG_NAME,
        TlsFailure::WrongAddress => T::HIO_TLS_WRONG_ADDRESS,
        TlsFailure::WrongPurpose => T::HIO_TLS_WRONG_PURPOSE,
        TlsFailure::SelfSigned => T::HIO_TLS_SELF_SIGNED,
        TlsFailure::UnknownIssuer => T::HIO_TLS_UNKNOWN_ISSUER,
        TlsFailure::BrokenChain => T::HIO_TLS_BROKEN_CHAIN,
        TlsFailure::NameConstraint => T::HIO_TLS_NAME_CONSTRAINT,
        TlsFailure::Revoked => T::HIO_TLS_REVOKED,
        TlsFailure::RevocationUnknown => T::HIO_TLS_REVOCATION_UNKNOWN,
        TlsFailure::AuthorityAsEnd => T::HIO_TLS_AUTHORITY_AS_END,
        TlsFailure::BadSignature => T::HIO_TLS_BAD_SIGNATURE,
        TlsFailure::BadCertificate => T::HIO_TLS_BAD_CERTIFICATE,
        TlsFailure::NoCertificate => T::HIO_TLS_NO_CERTIFICATE,
        TlsFailure::Incompatible => T::HIO_TLS_INCOMPATIBLE,
        TlsFailure::NoProtocol => T::HIO_TLS_NO_PROTOCOL,
        TlsFailure::Misbehaved => T::HIO_TLS_MISBEHAVED,
        TlsFailure::Tampered => T::HIO_TLS_TAMPERED,
        TlsFailure::Left => T::HIO_TLS_LEFT,
        TlsFailure::BadName => T::HIO_TLS_BAD_NAME,
        TlsFailure::Local => T::HIO_TLS_LOCAL,
        _ => T::HIO_TLS_OTHER,
    };
    known as i32
}

/// What a code means, as a text of C.
pub(crate) const fn status_text(status: i32) -> &'static std::ffi::CStr {
    match status {
        0 => c"done",
        1 => c"done: the budget is used up, and more is ready",
        2 => c"no event waits",
        3 => c"the transmit queue is full: not all bytes were taken",
        4 => c"too many events wait: take them first",
        -1 => c"a pointer is null",
        -2 => c"an argument is out of its range",
        -3 => c"a text is not UTF-8",
        -4 => c"not an address",
        -5 => c"the handle names nothing, or no longer",
        -6 => c"another thread is inside a call on that loop",
        -7 => c"the library panicked: the loop can only be freed",
        -8 => c"a limit that cannot be kept",
        -9 => c"no more loops or handles can be had",
        -10 => c"the buffer is too small",
        -11 => c"not supported by this platform or build",
        -12 => c"TLS: keys, certificates or trust do not do",
        -13 => c"the link is closed or closing",
        -14 => c"the sending side is shut down",
        -15 => c"not in this state of the link",
        -16 => c"the name is being looked up: try again later",
        -32 => c"address already in use",
        -33 => c"address not available on this machine",
        -34 => c"connection refused",
        -35 => c"connection reset by peer",
        -36 => c"connection aborted",
        -37 => c"timed out",
        -38 => c"host or network unreachable",
        -39 => c"broken pipe: the sending side is closed",
        -40 => c"not connected",
        -41 => c"out of descriptors, ports or memory",
        -42 => c"permission denied",
        -43 => c"no such file or directory",
        -44 => c"socket path is too long",
        -45 => c"name cannot be resolved",
        -46 => c"invalid operation or argument",
        -47 => c"system error",
        _ => c"unknown status",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_of_the_header_has_a_text_of_its_own() {
        let abi = include_str!("abi.rs");
        let all = abi.split("pub enum hio_status {").nth(1).unwrap();
        let all = all.split("\n}").next().unwrap();
        let codes: Vec<i32> = all
            .lines()
            .filter_map(|line| {
                line.trim()
                    .strip_suffix(',')?
                    .split(" = ")
                    .nth(1)?
                    .parse()
                    .ok()
            })
            .collect();
        assert_eq!(codes.len(), 37);
        let mut texts: Vec<_> = codes.iter().map(|code| status_text(*code)).collect();
        assert!(!texts.contains(&status_text(-99)));
        texts.sort_unstable();
        texts.dedup();
        assert_eq!(texts.len(), codes.len());
    }

    #[test]
    fn reasons_keep_what_they_are_about() {
        let refused = CloseReason::ConnectFailed(NetError::Refused);
        let code = hio_status::HIO_ERR_REFUSED as i32;
        assert_eq!(
            of_reason(refused),
            (hio_reason::HIO_REASON_CONNECT_FAILED, code)
        );
        let alert = CloseReason::Tls(TlsFailure::Alert(48));
        assert_eq!(of_reason(alert), (hio_reason::HIO_REASON_TLS, 256 + 48));
    }
}
