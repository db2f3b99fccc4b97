use rustls::{CipherSuite, CommonState, HandshakeKind, ProtocolVersion};

use super::Certificate;

/// Who the peer of a TLS connection is, and what was agreed with it. See
/// [`Link::tls`](crate::link::Link::tls).
#[derive(Clone, Copy)]
pub struct TlsInfo<'a> {
    state: &'a CommonState,
    server_name: Option<&'a str>,
}

impl<'a> TlsInfo<'a> {
    pub(super) const fn new(state: &'a CommonState, server_name: Option<&'a str>) -> Self {
        Self { state, server_name }
    }

    /// The version: 1.2 as `0x0303`, 1.3 as `0x0304`.
    #[must_use]
    pub fn version(&self) -> u16 {
        self.state.protocol_version().map_or(0, u16::from)
    }

    /// The version as people write it: `TLSv1.2` or `TLSv1.3`.
    #[must_use]
    pub fn version_name(&self) -> &'static str {
        match self.state.protocol_version() {
            Some(ProtocolVersion::TLSv1_3) => "TLSv1.3",
            Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
            _ => "none",
        }
    }

    /// The cipher suite by its name in the IANA registry.
    #[must_use]
    pub fn cipher(&self) -> Option<&'static str> {
        match self.state.negotiated_cipher_suite()?.suite() {
            // rustls names these after the version.
            CipherSuite::TLS13_AES_128_GCM_SHA256 => Some("TLS_AES_128_GCM_SHA256"),
            CipherSuite::TLS13_AES_256_GCM_SHA384 => Some("TLS_AES_256_GCM_SHA384"),
            CipherSuite::TLS13_CHACHA20_POLY1305_SHA256 => Some("TLS_CHACHA20_POLY1305_SHA256"),
            other => other.as_str(),
        }
    }

    /// The group of the key exchange by its name in the IANA registry, not minding case. A session of TLS 1.2 that
    /// was resumed has none.
    #[must_use]
    pub fn group(&self) -> Option<&'static str> {
        self.state.negotiated_key_exchange_group()?.name().as_str()
    }

    /// The application protocol, if one was agreed.
    #[must_use]
    pub fn alpn(&self) -> Option<&'a [u8]> {
        self.state.alpn_protocol()
    }

    /// The host name that the client asked for; known to servers only.
    #[must_use]
    pub const fn server_name(&self) -> Option<&'a str> {
        self.server_name
    }

    /// Whether an earlier session was resumed.
    #[must_use]
    pub fn resumed(&self) -> bool {
        self.state.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// The peer's certificate, if it showed one. It was verified in the handshake, or in that of
    /// the session that was resumed.
    #[must_use]
    pub fn peer(&self) -> Option<Certificate<'a>> {
        Certificate::read(self.state.peer_certificates()?.first()?)
    }

    /// The peer's certificate and those it sent with it, in DER.
    pub fn chain(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let all = self.state.peer_certificates().unwrap_or_default();
        all.iter().map(|der| der.as_ref())
    }
}

impl std::fmt::Debug for TlsInfo<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsInfo")
            .field("version", &self.version_name())
            .field("cipher", &self.cipher())
            .field("group", &self.group())
            .field("resumed", &self.resumed())
            .field("peer", &self.peer().map(|peer| peer.subject()))
            .finish()
    }
}
