use std::io::IoSlice;
use std::net::{IpAddr, Ipv6Addr};
use std::path::PathBuf;

use super::name_cache::literal;
use super::{ConnectOptions, Endpoint, Group, Layer, Lookup, Net, NetError, Sid, normal_name};

/// Dials Unix sockets in place of TCP, for hosts given by name or address, or for all.
///
/// A host that has a Unix socket is not looked up: it resolves to a stand-in address of the range
/// 100::/64 (RFC 6666), which is routed nowhere, and dialling that leads to the path, whatever the
/// port. The first rule that fits counts. A certificate is still verified for the host's own name.
///
/// ```
/// use hio::net::{MioNet, UnixInstead};
/// let net = UnixInstead::new(MioNet::new()?).host("docker", "/run/docker.sock");
/// # let _ = net;
/// # Ok::<(), hio::net::NetError>(())
/// ```
#[derive(Debug)]
pub struct UnixInstead<N> {
    net: N,
    rules: Vec<(Hosts, PathBuf)>,
}

#[derive(Debug)]
enum Hosts {
    All,
    Name(String),
    Address(IpAddr),
}

impl<N> UnixInstead<N> {
    /// Without rules: everything goes to `net`.
    #[must_use]
    pub const fn new(net: N) -> Self {
        Self {
            net,
            rules: Vec::new(),
        }
    }

    /// Dials the socket at `path` where `host`, a name or an address, is wanted, on any port. Names
    /// compare without case and without a dot at the end; one that cannot be is never wanted.
    #[must_use]
    pub fn host(mut self, host: &str, path: impl Into<PathBuf>) -> Self {
        let hosts = match (literal(host), normal_name(host)) {
            (Some(ip), _) => Hosts::Address(ip),
            (_, Ok(name)) => Hosts::Name(name),
            (_, Err(_)) => return self,
        };
        self.rules.push((hosts, path.into()));
        self
    }

    /// Dials the socket at `path` whatever host is wanted, but those of earlier rules.
    #[must_use]
    pub fn all(mut self, path: impl Into<PathBuf>) -> Self {
        self.rules.push((Hosts::All, path.into()));
        self
    }

    /// The net below.
    pub fn into_below(self) -> N {
        self.net
    }

    /// The rule for a name.
    fn named(&self, name: &str) -> Option<usize> {
        let ip = literal(name);
        let name = normal_name(name).ok()?;
        self.rules.iter().position(|(hosts, _)| match hosts {
            Hosts::All => true,
            Hosts::Name(host) => *host == name,
            Hosts::Address(host) => Some(*host) == ip,
        })
    }

    /// The path to dial where this address is wanted.
    fn instead_of(&self, ip: IpAddr) -> Option<&PathBuf> {
        let stand_in = (0..self.rules.len()).find(|n| stand_in(*n) == ip);
        let fits = |hosts: &Hosts| match hosts {
            Hosts::All => true,
            Hosts::Name(_) => false,
            Hosts::Address(host) => *host == ip,
        };
        let rule = stand_in.or_else(|| self.rules.iter().position(|(hosts, _)| fits(hosts)))?;
        Some(&self.rules[rule].1)
    }
}

impl<N: Net> Layer for UnixInstead<N> {
    type Below = N;
    fn below(&self) -> &N {
        &self.net
    }
    fn below_mut(&mut self) -> &mut N {
        &mut self.net
    }
    fn write_vectored(&mut self, sid: Sid, pieces: &[IoSlice<'_>]) -> Result<usize, NetError> {
        self.net.write_vectored(sid, pieces)
    }
    fn resolve(&mut self, group: Group, name: &str) -> Lookup {
        match self.named(name) {
            Some(rule) => Lookup::Ready(vec![stand_in(rule)]),
            None => self.net.resolve(group, name),
        }
    }
    fn connect(
        &mut self,
        group: Group,
        to: &Endpoint,
        options: &ConnectOptions,
    ) -> Result<Sid, NetError> {
        let path = match to {
            Endpoint::Tcp(addr) => self.instead_of(addr.ip()),
            Endpoint::Name(name, _) => self.named(name).map(|rule| &self.rules[rule].1),
            _ => None,
        };
        let Some(path) = path else {
            return self.net.connect(group, to, options);
        };
        let to = Endpoint::Unix(path.clone());
        let mut options = options.clone();
        // An address of TCP to dial from has no meaning there.
        options.from = options
            .from
            .filter(|from| matches!(from, Endpoint::Unix(_)));
        self.net.connect(group, &to, &options)
    }
}

/// The address that stands for the path of a rule: 100:: and its number, in the discard-only range.
fn stand_in(rule: usize) -> IpAddr {
    let [a, b, c, d] = u32::try_from(rule).unwrap_or(u32::MAX).to_be_bytes();
    let pair = u16::from_be_bytes;
    Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, pair([a, b]), pair([c, d])).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rule_that_fits_counts() {
        let net = UnixInstead::new(())
            .host("Example.org.", "/one")
            .host("[::1]", "/two")
            .host("10.0.0.1", "/three")
            .host("a b", "/never");
        let path = |ip: &str| {
            net.instead_of(ip.parse().unwrap())
                .map(|p| p.display().to_string())
        };
        assert_eq!(net.named("EXAMPLE.org"), Some(0));
        assert_eq!((net.named("::1"), net.named("[::1]")), (Some(1), Some(1)));
        assert_eq!((net.named("10.0.0.1"), net.named("other")), (Some(2), None));
        assert_eq!(path("100::"), Some("/one".into()));
        assert_eq!(path("::1"), Some("/two".into()));
        assert_eq!(path("10.0.0.1"), Some("/three".into()));
        assert_eq!((path("10.0.0.2"), path("100::3")), (None, None));
        let all = net.all("/all");
        assert_eq!(
            (all.named("other"), all.named("example.org")),
            (Some(3), Some(0))
        );
        let path = all.instead_of([10, 0, 0, 2].into());
        assert_eq!(path.unwrap().to_str(), Some("/all"));
    }
}
