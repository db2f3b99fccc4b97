//! Who sent a packet.

use std::net::IpAddr;

use super::super::super::wire;
use super::connection::HttpConnection;
use crate::net::Endpoint;
use crate::proto::communicator::Registered;

/// By what a sender is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Sender {
    /// Without TLS: its address and what its cookie says.
    At(String),
    /// With TLS: what its certificate says, as read here and as the Python package reads it.
    #[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
    Certified(Vec<String>),
    /// With TLS, and without a certificate.
    #[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
    Nobody,
}

impl Sender {
    pub(super) fn at(peer: &Endpoint, server_port: &str) -> Self {
        let ip = match peer {
            Endpoint::Tcp(addr) => addr.ip().to_canonical().to_string(),
            other => other.to_string(),
        };
        Self::At(format!("{ip}:{server_port}"))
    }

    /// The how manieth of the connections it is.
    pub(super) fn among(&self, peers: &[Registered<HttpConnection>]) -> Option<usize> {
        peers.iter().position(|peer| {
            let known = &peer.connection;
            match self {
                Self::At(id) => known.plain_ids().any(|own| wire::same_peer(&own, id)),
                #[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
                Self::Certified(ids) => known
                    .certified_id()
                    .is_some_and(|own| ids.iter().any(|id| id == own)),
                #[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
                Self::Nobody => false,
            }
        })
    }
}

pub(super) fn plain_id(ip: IpAddr, port: u16) -> String {
    format!("{}:{port}", ip.to_canonical())
}

#[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
mod certified {
    use super::Sender;
    use crate::link::Link;
    use crate::link::tls::Certificate;

    impl Sender {
        pub(in super::super) fn certified(link: &Link) -> Self {
            let peer = link.tls().and_then(|tls| tls.peer());
            peer.map_or(Self::Nobody, |peer| {
                Self::Certified(vec![network_id(&peer), tno_id(&peer)])
            })
        }
    }

    /// The issuer's common name and the serial number: tno's id of a certificate in a file.
    pub(in crate::proto::communicator::ends) fn network_id(
        certificate: &Certificate<'_>,
    ) -> String {
        let issuer = certificate.issuer().common_name();
        let issuer = issuer.unwrap_or_else(|| "None".to_owned());
        format!("{issuer}:{}", certificate.serial_decimal())
    }

    /// The same as tno's receiver reads it off a connection: with the first attribute of the
    /// issuer's name, whatever it is.
    fn tno_id(certificate: &Certificate<'_>) -> String {
        let first = certificate.issuer().attributes().next();
        let first = first.map(|attribute| attribute.value).unwrap_or_default();
        format!("{first}:{}", certificate.serial_decimal())
    }
}

#[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
pub(in crate::proto::communicator::ends) use certified::network_id;
