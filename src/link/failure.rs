/// Why a TLS session failed. Part of [`CloseReason::Tls`](super::CloseReason::Tls).
///
/// Of the peer's certificate, each thing that can be wrong has a name of its own. Where the
/// verifier is not this crate's (a configuration made by hand), self-signed certificates and
/// broken chains are [`UnknownIssuer`](Self::UnknownIssuer), and wrong addresses
/// [`WrongName`](Self::WrongName).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum TlsFailure {
    /// The certificate's time is over.
    #[error("the peer's certificate has expired")]
    Expired,
    /// The certificate's time has not begun.
    #[error("the peer's certificate is not valid yet")]
    NotYetValid,
    /// The certificate is for other host names.
    #[error("the peer's certificate is for another name")]
    WrongName,
    /// An address was dialled by number, and the certificate does not list it.
    #[error("the peer's certificate is for another address")]
    WrongAddress,
    /// The certificate is not meant for this end of a connection.
    #[error("the peer's certificate is for another purpose")]
    WrongPurpose,
    /// The certificate vouches for itself only.
    #[error("the peer's certificate is signed by itself")]
    SelfSigned,
    /// Nobody who is trusted has issued the certificate.
    #[error("the peer's certificate was issued by nobody who is trusted")]
    UnknownIssuer,
    /// The certificates that were sent do not lead from one to the next.
    #[error("the peer's certificates are no chain")]
    BrokenChain,
    /// An issuer may not issue certificates for that name.
    #[error("the peer's certificate is for a name that its issuer may not vouch for")]
    NameConstraint,
    /// The certificate was called back by its issuer.
    #[error("the peer's certificate was revoked")]
    Revoked,
    /// Whether the certificate was revoked is not to be found out with the lists at hand.
    #[error("whether the peer's certificate was revoked is unknown")]
    RevocationUnknown,
    /// A certificate authority's certificate where one of an end was wanted.
    #[error("the peer's certificate is one of an authority, not of an end")]
    AuthorityAsEnd,
    /// A signature on a certificate, or by its key, is wrong.
    #[error("a signature of the peer is wrong")]
    BadSignature,
    /// A certificate that cannot be read, or is refused for a rarer reason.
    #[error("the peer's certificate is unusable")]
    BadCertificate,
    /// A certificate was demanded and none was sent.
    #[error("the peer sent no certificate")]
    NoCertificate,
    /// Both ends have no version, cipher or other property in common.
    #[error("both ends have nothing in common to speak")]
    Incompatible,
    /// Both ends have no application protocol in common.
    #[error("both ends have no application protocol in common")]
    NoProtocol,
    /// What came is no TLS, or breaks its rules.
    #[error("the peer broke the rules of TLS")]
    Misbehaved,
    /// What came was changed on its way.
    #[error("what the peer sent was changed on its way")]
    Tampered,
    /// The peer said why it gives up, by the number of RFC 8446 §6.
    #[error("the peer gave up with alert {0} ({name})", name = alert_name(*.0))]
    Alert(u8),
    /// The connection ended before the handshake had.
    #[error("the peer left during the handshake")]
    Left,
    /// The name to be verified is no host name and no address.
    #[error("not a name that a certificate could have")]
    BadName,
    /// The keys of this configuration follow from a seed and can be guessed: it is for simulated
    /// nets, and this one is not. Nothing was sent.
    #[error("keys that can be guessed are for simulated nets only")]
    Predictable,
    /// Anything else on this side: no entropy, no certificate for that name, a limit of the keys.
    #[error("TLS failed on this side")]
    Local,
}

/// RFC 8446 §6, and RFC 5246 §7.2 for the two that only TLS 1.2 has.
const fn alert_name(code: u8) -> &'static str {
    match code {
        0 => "close_notify",
        10 => "unexpected_message",
        20 => "bad_record_mac",
        22 => "record_overflow",
        40 => "handshake_failure",
        42 => "bad_certificate",
        43 => "unsupported_certificate",
        44 => "certificate_revoked",
        45 => "certificate_expired",
        46 => "certificate_unknown",
        47 => "illegal_parameter",
        48 => "unknown_ca",
        49 => "access_denied",
        50 => "decode_error",
        51 => "decrypt_error",
        70 => "protocol_version",
        71 => "insufficient_security",
        80 => "internal_error",
        86 => "inappropriate_fallback",
        90 => "user_canceled",
        100 => "no_renegotiation",
        109 => "missing_extension",
        110 => "unsupported_extension",
        112 => "unrecognized_name",
        113 => "bad_certificate_status_response",
        115 => "unknown_psk_identity",
        116 => "certificate_required",
        120 => "no_application_protocol",
        _ => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_is_shown_with_its_name() {
        let text = TlsFailure::Alert(48).to_string();
        assert_eq!(text, "the peer gave up with alert 48 (unknown_ca)");
        assert_eq!(alert_name(255), "unknown");
    }

    #[test]
    fn is_small() {
        assert_eq!(size_of::<TlsFailure>(), 2);
    }
}
