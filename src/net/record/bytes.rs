//! Numbers, ids, addresses and errors as bytes, and back.
//!
//! Reading gives `None` for whatever is cut off or makes no sense: recordings come from files.

use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::time::Duration;

use crate::net::{Endpoint, Group, NetError, Owner, Sid};

/// Appends 7 bits a byte, low ones first; the last byte has no high bit.
#[inline]
pub(super) fn put_number(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push(n.to_le_bytes()[0] | 0x80);
        n >>= 7;
    }
    out.push(n.to_le_bytes()[0]);
}

pub(super) fn put_text(out: &mut Vec<u8>, text: &str) {
    put_number(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

#[inline]
pub(super) fn put_sid(out: &mut Vec<u8>, sid: Sid) {
    put_number(out, sid.index().into());
    put_number(out, sid.generation().into());
}

#[inline]
pub(super) fn put_group(out: &mut Vec<u8>, group: Group) {
    put_number(out, group.index().into());
    put_number(out, group.generation().into());
}

/// One more than the number, so that nobody is 0.
#[inline]
pub(super) fn put_owner(out: &mut Vec<u8>, owner: Owner) {
    put_number(out, owner.0.wrapping_add(1));
}

pub(super) fn put_span(out: &mut Vec<u8>, span: Duration) {
    put_number(out, span.as_secs());
    put_number(out, span.subsec_nanos().into());
}

pub(super) fn put_ip(out: &mut Vec<u8>, ip: IpAddr) {
    match ip {
        IpAddr::V4(ip) => {
            out.push(4);
            out.extend_from_slice(&ip.octets());
        }
        IpAddr::V6(ip) => {
            out.push(6);
            out.extend_from_slice(&ip.octets());
        }
    }
}

fn put_addr(out: &mut Vec<u8>, addr: &SocketAddr) {
    put_ip(out, addr.ip());
    out.extend_from_slice(&addr.port().to_le_bytes());
    if let SocketAddr::V6(v6) = addr {
        put_number(out, v6.flowinfo().into());
        put_number(out, v6.scope_id().into());
    }
}

pub(super) fn put_endpoint(out: &mut Vec<u8>, at: &Endpoint) {
    match at {
        Endpoint::Tcp(addr) => {
            out.push(0);
            put_addr(out, addr);
        }
        Endpoint::Udp(addr) => {
            out.push(1);
            put_addr(out, addr);
        }
        Endpoint::Name(name, port) => {
            out.push(2);
            put_text(out, name);
            out.extend_from_slice(&port.to_le_bytes());
        }
        Endpoint::Unix(path) => {
            out.push(3);
            put_path(out, path);
        }
        Endpoint::UnixDatagram(path) => {
            out.push(4);
            put_path(out, path);
        }
        Endpoint::Unnamed => out.push(5),
    }
}

fn put_path(out: &mut Vec<u8>, path: &std::path::Path) {
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        let bytes = path.as_os_str().as_bytes();
        put_number(out, bytes.len() as u64);
        out.extend_from_slice(bytes);
    }
    #[cfg(not(unix))]
    put_text(out, &path.to_string_lossy());
}

pub(super) fn put_error(out: &mut Vec<u8>, why: NetError) {
    match why {
        NetError::PathTooLong { len, max } => {
            out.push(PATH_TOO_LONG);
            put_number(out, len.into());
            put_number(out, max.into());
        }
        NetError::Other(code) => {
            out.push(OTHER);
            out.extend_from_slice(&code.to_le_bytes());
        }
        plain => out.push(code(plain)),
    }
}

/// Where an error without fields stands in [`PLAIN`]: a match, so that a new one is not forgotten.
const fn code(why: NetError) -> u8 {
    match why {
        NetError::AddrInUse => 0,
        NetError::AddrNotAvailable => 1,
        NetError::Refused => 2,
        NetError::Reset => 3,
        NetError::Aborted => 4,
        NetError::TimedOut => 5,
        NetError::Unreachable => 6,
        NetError::BrokenPipe => 7,
        NetError::NotConnected => 8,
        NetError::Exhausted => 9,
        NetError::Denied => 10,
        NetError::NotFound => 11,
        NetError::TooLong => 12,
        NetError::Unresolvable => 13,
        NetError::Stale => 14,
        NetError::Invalid => 15,
        NetError::Unsupported => 16,
        NetError::Diverged => 17,
        NetError::PathTooLong { .. } => PATH_TOO_LONG,
        NetError::Other(_) => OTHER,
    }
}

/// Bytes that are read from the front.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bytes<'a>(pub(super) &'a [u8]);

impl<'a> Bytes<'a> {
    #[inline]
    pub(super) fn byte(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    #[inline]
    pub(super) fn number(&mut self) -> Option<u64> {
        let mut n = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if bits << shift >> shift != bits {
                return None;
            }
            n |= bits << shift;
            if byte < 0x80 {
                // The shortest form only: equal entries are equal bytes.
                return (byte != 0 || shift == 0).then_some(n);
            }
        }
        None
    }

    pub(super) fn size(&mut self) -> Option<usize> {
        usize::try_from(self.number()?).ok()
    }

    /// How many items follow, each of which takes at least a byte.
    pub(super) fn count(&mut self) -> Option<usize> {
        self.size().filter(|n| *n <= self.0.len())
    }

    fn half(&mut self) -> Option<u32> {
        u32::try_from(self.number()?).ok()
    }

    #[inline]
    pub(super) fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        if len > self.0.len() {
            return None;
        }
        let (taken, rest) = self.0.split_at(len);
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub(super) fn text(&mut self) -> Option<&'a str> {
        let len = self.size()?;
        std::str::from_utf8(self.take(len)?).ok()
    }

    pub(super) fn sid(&mut self) -> Option<Sid> {
        Some(Sid::new(self.half()?, self.half()?))
    }

    pub(super) fn group(&mut self) -> Option<Group> {
        Some(Group::new(self.half()?, self.half()?))
    }

    pub(super) fn owner(&mut self) -> Option<Owner> {
        Some(Owner(self.number()?.wrapping_sub(1)))
    }

    pub(super) fn span(&mut self) -> Option<Duration> {
        let (secs, nanos) = (self.number()?, self.half()?);
        (nanos < 1_000_000_000).then(|| Duration::new(secs, nanos))
    }

    pub(super) fn ip(&mut self) -> Option<IpAddr> {
        match self.byte()? {
            4 => Some(IpAddr::from(self.array::<4>()?)),
            6 => Some(IpAddr::from(self.array::<16>()?)),
            _ => None,
        }
    }

    fn port(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    fn addr(&mut self) -> Option<SocketAddr> {
        match (self.ip()?, self.port()?) {
            (IpAddr::V6(ip), port) => {
                let (flow, scope) = (self.half()?, self.half()?);
                Some(SocketAddrV6::new(ip, port, flow, scope).into())
            }
            (ip, port) => Some(SocketAddr::new(ip, port)),
        }
    }

    pub(super) fn endpoint(&mut self) -> Option<Endpoint> {
        Some(match self.byte()? {
            0 => Endpoint::Tcp(self.addr()?),
            1 => Endpoint::Udp(self.addr()?),
            2 => Endpoint::Name(self.text()?.to_owned(), self.port()?),
            3 => Endpoint::Unix(self.path()?),
            4 => Endpoint::UnixDatagram(self.path()?),
            5 => Endpoint::Unnamed,
            _ => return None,
        })
    }

    fn path(&mut self) -> Option<std::path::PathBuf> {
        #[cfg(unix)]
        {
            use std::os::unix::ffi::OsStrExt;
            let len = self.size()?;
            Some(std::ffi::OsStr::from_bytes(self.take(len)?).into())
        }
        #[cfg(not(unix))]
        Some(self.text()?.into())
    }

    pub(super) fn error(&mut self) -> Option<NetError> {
        match self.byte()? {
            PATH_TOO_LONG => Some(NetError::PathTooLong {
                len: u16::try_from(self.number()?).ok()?,
                max: u16::try_from(self.number()?).ok()?,
            }),
            OTHER => self.array().map(i32::from_le_bytes).map(NetError::Other),
            plain => PLAIN.get(usize::from(plain)).copied(),
        }
    }
}

/// Errors without fields. Their order is the format.
const PLAIN: [NetError; 18] = [
    NetError::AddrInUse,
    NetError::AddrNotAvailable,
    NetError::Refused,
    NetError::Reset,
    NetError::Aborted,
    NetError::TimedOut,
    NetError::Unreachable,
    NetError::BrokenPipe,
    NetError::NotConnected,
    NetError::Exhausted,
    NetError::Denied,
    NetError::NotFound,
    NetError::TooLong,
    NetError::Unresolvable,
    NetError::Stale,
    NetError::Invalid,
    NetError::Unsupported,
    NetError::Diverged,
];
const PATH_TOO_LONG: u8 = 253;
const OTHER: u8 = 254;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_and_have_one_form() {
        for n in [0, 1, 127, 128, 300, 1 << 35, u64::MAX - 1, u64::MAX] {
            let mut out = Vec::new();
            put_number(&mut out, n);
            let mut bytes = Bytes(&out);
            assert_eq!((bytes.number(), bytes.0.len()), (Some(n), 0));
            assert_eq!(Bytes(&out[..out.len() - 1]).number(), None, "cut off");
        }
        assert_eq!(Bytes(&[0x80, 0x00]).number(), None, "a longer form of 0");
        assert_eq!(Bytes(&[0xff; 10]).number(), None, "more than 64 bits");
    }

    #[test]
    fn addresses_and_errors_come_back() {
        for text in [
            "127.0.0.1:80",
            "[fe80::1%2]:80",
            "a.example:1",
            "unix:/x",
            "udp:[::1]:5",
        ] {
            let at: Endpoint = text.parse().expect(text);
            let mut out = Vec::new();
            put_endpoint(&mut out, &at);
            assert_eq!(Bytes(&out).endpoint(), Some(at));
            for len in 0..out.len() {
                assert_eq!(Bytes(&out[..len]).endpoint(), None, "{text} to {len}");
            }
        }
        let fields = [
            NetError::Other(-7),
            NetError::PathTooLong { len: 300, max: 107 },
        ];
        for why in PLAIN.into_iter().chain(fields) {
            let mut out = Vec::new();
            put_error(&mut out, why);
            assert_eq!(Bytes(&out).error(), Some(why));
        }
    }

    #[test]
    fn counts_never_exceed_what_is_there() {
        assert_eq!(Bytes(&[3, 0, 0]).count(), None);
        assert_eq!(Bytes(&[2, 0, 0]).count(), Some(2));
    }
}
