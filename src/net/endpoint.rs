use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Where a stream begins or ends, or datagrams come from and go to.
///
/// As text: `127.0.0.1:80`, `[::1]:80`, `example.org:80`, `:80` (all IPv4 interfaces) and
/// `unix:/run/x.sock`; with datagrams `udp:127.0.0.1:53` and `unixgram:/run/x.sock`. What parses is printed so that it parses to the same again.
///
/// ```
/// use hio::net::Endpoint;
/// let at: Endpoint = ":5000".parse()?;
/// assert_eq!(at.to_string(), "0.0.0.0:5000");
/// assert_eq!(at.dialable().to_string(), "127.0.0.1:5000");
/// assert!("nowhere".parse::<Endpoint>().is_err());
/// # Ok::<(), hio::net::EndpointError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Endpoint {
    /// TCP over IPv4 or IPv6.
    Tcp(SocketAddr),
    /// A host name that has yet to be resolved, and a TCP port.
    Name(String, u16),
    /// A Unix stream socket in the file system.
    Unix(PathBuf),
    /// UDP over IPv4 or IPv6.
    Udp(SocketAddr),
    /// A Unix datagram socket in the file system.
    UnixDatagram(PathBuf),
    /// A Unix socket without a name, as most that dial are.
    Unnamed,
}

impl Endpoint {
    /// A Unix socket at `path`.
    pub fn unix(path: impl AsRef<Path>) -> Self {
        Self::Unix(path.as_ref().to_path_buf())
    }

    /// A host and a port. An empty host means all IPv4 interfaces, a literal address itself; what
    /// else it may be is not checked here. For all interfaces of both families, listen on `[::]`
    /// with [`v6_only`](super::ListenOptions::v6_only) off.
    #[must_use]
    pub fn host(host: &str, port: u16) -> Self {
        if host.is_empty() {
            return Self::Tcp(SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port));
        }
        let bare = host
            .strip_prefix('[')
            .and_then(|h| h.strip_suffix(']'))
            .unwrap_or(host);
        bare.parse::<IpAddr>().map_or_else(
            |_| Self::Name(host.to_owned(), port),
            |ip| Self::Tcp(SocketAddr::new(ip, port)),
        )
    }

    /// The port, where there is one.
    #[must_use]
    pub const fn port(&self) -> Option<u16> {
        match self {
            Self::Tcp(addr) | Self::Udp(addr) => Some(addr.port()),
            Self::Name(_, port) => Some(*port),
            Self::Unix(_) | Self::UnixDatagram(_) | Self::Unnamed => None,
        }
    }

    /// The TCP or UDP address, where it is known.
    #[must_use]
    pub const fn addr(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(addr) | Self::Udp(addr) => Some(*addr),
            _ => None,
        }
    }

    /// What a client on this machine dials to get here: hio's `eha`. All interfaces become the
    /// loopback one of the same family.
    #[must_use]
    pub fn dialable(&self) -> Self {
        match self {
            Self::Tcp(addr) => Self::Tcp(loopback_for_all(*addr)),
            Self::Udp(addr) => Self::Udp(loopback_for_all(*addr)),
            other => other.clone(),
        }
    }
}

impl From<SocketAddr> for Endpoint {
    fn from(addr: SocketAddr) -> Self {
        Self::Tcp(addr)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(addr) => write!(f, "{addr}"),
            Self::Name(host, port) => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Udp(addr) => write!(f, "udp:{addr}"),
            Self::UnixDatagram(path) => write!(f, "unixgram:{}", path.display()),
            Self::Unnamed => write!(f, "unix:{UNNAMED}"),
        }
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let wrong = |why| EndpointError {
            text: text.to_owned(),
            why,
        };
        for (prefix, datagrams) in [("unix:", false), ("unixgram:", true)] {
            match (text.strip_prefix(prefix), datagrams) {
                (None, _) => {}
                (Some(""), _) => return Err(wrong("the path is empty")),
                (Some(UNNAMED), _) => {
                    return Err(wrong("a socket without a name cannot be reached"));
                }
                (Some(path), false) => return Ok(Self::unix(path)),
                (Some(path), true) => return Ok(Self::UnixDatagram(path.into())),
            }
        }
        if let Some(addr) = text.strip_prefix("udp:") {
            return match addr.parse() {
                Ok(Self::Tcp(addr)) => Ok(Self::Udp(addr)),
                _ => Err(wrong("an address of UDP is IP:PORT, without a name")),
            };
        }
        // An address with a scope, as in [fe80::1%2]:80, is known to the standard parser only.
        if let Ok(addr) = text.parse() {
            return Ok(Self::Tcp(addr));
        }
        let (host, port) = text
            .rsplit_once(':')
            .ok_or_else(|| wrong("HOST:PORT is wanted"))?;
        // Digits only: `parse` alone would take a sign.
        if port.is_empty() || !port.bytes().all(|b| b.is_ascii_digit()) {
            return Err(wrong("the port must be a number"));
        }
        let port = port
            .parse()
            .map_err(|_| wrong("the port must be at most 65535"))?;
        check_host(host).map_err(wrong)?;
        Ok(Self::host(host, port))
    }
}

/// The loopback address of the same family in place of "all interfaces".
const fn loopback_for_all(addr: SocketAddr) -> SocketAddr {
    let ip = match addr.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        _ => return addr,
    };
    SocketAddr::new(ip, addr.port())
}

/// Whether `host` is empty, a literal address or may be a name; if not, why.
fn check_host(host: &str) -> Result<(), &'static str> {
    if let Some(inner) = host.strip_prefix('[') {
        let inner = inner.strip_suffix(']').unwrap_or_default();
        return match inner.parse::<Ipv6Addr>() {
            Ok(_) => Ok(()),
            Err(_) => Err("no IPv6 address between the brackets"),
        };
    }
    if host.contains(':') {
        return Err("an IPv6 address needs brackets, as in [::1]:80");
    }
    let foreign = |c: char| c.is_whitespace() || c.is_control() || "/\\[]@?#%".contains(c);
    if host.contains(foreign) {
        return Err("the host name has a character that names cannot have");
    }
    if host.len() > NAME_MAX {
        return Err("the host name is longer than 253 bytes");
    }
    let last = host.rsplit('.').next().unwrap_or_default();
    let number = !last.is_empty() && last.bytes().all(|b| b.is_ascii_digit());
    if number && host.parse::<Ipv4Addr>().is_err() {
        return Err("neither an IPv4 address nor a name");
    }
    Ok(())
}

/// Bytes of the longest host name (RFC 1035 §2.3.4, less the root's dot and length bytes).
const NAME_MAX: usize = 253;
/// What stands for the path of a socket without one. A file of that name is `unix:./(unnamed)`.
const UNNAMED: &str = "(unnamed)";

/// Text that is no [`Endpoint`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("bad address {text:?}: {why}")]
pub struct EndpointError {
    text: String,
    why: &'static str,
}
