//! Names that resolve without asking anybody.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::net::{Lookup, NetError};

/// Most names that a table holds.
const NAMES_MAX: usize = 4096;

/// A table of names beside the literal addresses and `localhost`.
#[derive(Debug, Default)]
pub(super) struct Names(BTreeMap<String, Vec<IpAddr>>);

impl Names {
    pub(super) fn add(&mut self, name: &str, addresses: Vec<IpAddr>) -> Result<(), NetError> {
        let name = normal(name);
        if name.is_empty() || addresses.is_empty() {
            return Err(NetError::Invalid);
        }
        if self.0.len() >= NAMES_MAX && !self.0.contains_key(&name) {
            return Err(NetError::Exhausted);
        }
        self.0.insert(name, addresses);
        Ok(())
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.0.remove(&normal(name));
    }

    pub(super) fn resolve(&self, name: &str) -> Lookup {
        let bare = name
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            .unwrap_or(name);
        if let Ok(ip) = bare.parse() {
            return Lookup::Ready(vec![ip]);
        }
        let name = normal(name);
        if let Some(addresses) = self.0.get(&name) {
            return Lookup::Ready(addresses.clone());
        }
        // RFC 6761 §6.3: localhost and all below it are the loopback addresses.
        if name == "localhost" || name.ends_with(".localhost") {
            return Lookup::Ready(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
        }
        Lookup::Failed(NetError::Unresolvable)
    }
}

/// Names compare without case and without the root's dot (RFC 4343, RFC 1034 §3.1).
fn normal(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_table_and_localhost() {
        let mut names = Names::default();
        let ready = |ips: &[&str]| {
            Lookup::Ready(ips.iter().map(|ip| ip.parse().expect("literal")).collect())
        };
        let failed = Lookup::Failed(NetError::Unresolvable);
        assert_eq!(names.resolve("10.1.2.3"), ready(&["10.1.2.3"]));
        assert_eq!(names.resolve("[::1]"), ready(&["::1"]));
        assert_eq!(names.resolve("LocalHost."), ready(&["127.0.0.1", "::1"]));
        assert_eq!(names.resolve("a.localhost"), ready(&["127.0.0.1", "::1"]));
        assert_eq!(names.resolve("notlocalhost"), failed);
        names
            .add("Alpha.Test.", vec!["10.0.0.7".parse().expect("literal")])
            .expect("room");
        assert_eq!(names.resolve("alpha.tesT"), ready(&["10.0.0.7"]));
        names.remove("ALPHA.test");
        assert_eq!(names.resolve("alpha.test"), failed);
    }

    #[test]
    fn l1_the_table_is_bounded() {
        let mut names = Names::default();
        let ip = vec![IpAddr::from([10, 0, 0, 1])];
        assert_eq!(names.add("x", Vec::new()), Err(NetError::Invalid));
        assert_eq!(names.add(".", ip.clone()), Err(NetError::Invalid));
        for n in 0..NAMES_MAX {
            assert_eq!(names.add(&format!("host{n}"), ip.clone()), Ok(()));
        }
        assert_eq!(names.add("more", ip.clone()), Err(NetError::Exhausted));
        assert_eq!(names.add("host7", ip), Ok(()));
    }
}
