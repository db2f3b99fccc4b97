//! Bytes between a link and a machine.

use super::super::config::SocketName;
use super::super::{ChannelProtocol, ExtraInfo};
use crate::link::{Client, Link, TxError};
use crate::net::{Endpoint, Net, Sid};

/// What came, into the machine.
pub(super) fn inward(link: &mut Link, protocol: &mut ChannelProtocol) {
    if !link.rx().is_empty() {
        let taken = protocol.take_in(link.rx());
        if taken > 0 {
            link.consume(taken);
        }
    }
    // All that came before the end is delivered, wanted or not.
    let closed = link.closed();
    if (closed.is_some() || link.cutoff()) && protocol.lost().is_none() {
        protocol.data_received(link.rx());
        link.clear_rx();
        match closed {
            None => protocol.eof_received(),
            Some(reason) if reason.is_clean() => protocol.eof_received(),
            Some(reason) => protocol.connection_lost(Some(reason.to_string())),
        }
    }
    if closed.is_some() {
        protocol.connection_lost(None);
    }
}

/// What is queued, out of the machine.
pub(super) fn outward(link: &mut Link, protocol: &mut ChannelProtocol) {
    protocol.send_off(|bytes| taken(bytes, link.tx(bytes)));
    if protocol.wants_close() && protocol.queued() == 0 {
        link.close();
    }
}

/// The same for a client, which has storage to lend.
pub(super) fn outward_of(client: &mut Client, protocol: &mut ChannelProtocol) {
    if protocol.made() {
        protocol.send_off(|bytes| taken(bytes, client.tx(bytes)));
        outward(client.link_mut(), protocol);
    }
}

fn taken(bytes: &[u8], tried: Result<(), TxError>) -> usize {
    match tried {
        Ok(()) => bytes.len(),
        Err(TxError::Full { taken }) => taken,
        // It is closing: nobody will ever read it.
        Err(_) => bytes.len(),
    }
}

/// What is known of a connection that stands.
pub(super) fn info(link: &Link, peer: &Endpoint) -> ExtraInfo {
    let mut info = ExtraInfo {
        peername: Some(name(peer)),
        socket: Some(u64::from(link.sid().index())),
        ..ExtraInfo::default()
    };
    identity(link, &mut info);
    info
}

#[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
fn identity(link: &Link, info: &mut ExtraInfo) {
    if let Some(tls) = link.tls() {
        let version = tls.version_name().to_owned();
        info.cipher = tls.cipher().map(|suite| (suite.to_owned(), version));
        info.peercert = tls.chain().next().map(<[u8]>::to_vec);
    }
}

#[cfg(not(any(feature = "tls", feature = "aws-lc-rs")))]
const fn identity(_: &Link, _: &mut ExtraInfo) {}

/// The address on this side, which only the net knows.
pub(super) fn sockname(sid: Sid, net: &dyn Net, protocol: &mut ChannelProtocol) {
    if let Ok(local) = net.local(sid) {
        protocol.info_mut().sockname = Some(name(&local));
    }
}

fn name(at: &Endpoint) -> SocketName {
    match at {
        Endpoint::Tcp(addr) | Endpoint::Udp(addr) => {
            SocketName::Tcp(addr.ip().to_string(), addr.port())
        }
        Endpoint::Name(host, port) => SocketName::Tcp(host.clone(), *port),
        Endpoint::Unix(path) | Endpoint::UnixDatagram(path) => {
            SocketName::Unix(path.display().to_string())
        }
        Endpoint::Unnamed => SocketName::Unix(String::new()),
    }
}
