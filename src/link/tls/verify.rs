//! The verifiers: webpki's, or the platform's, and a finer word for what they found wrong.
//!
//! rustls turns what a verifier says into the alert that the peer gets, so those words cannot be
//! changed without sending worse alerts. What we know better goes beside it: the session takes it
//! up when the handshake has failed.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};

use super::Certificate;
use super::aside::Aside;
use crate::link::TlsFailure;

/// Verifies servers.
#[derive(Debug)]
pub(super) struct OfServers {
    pub(super) inner: Arc<dyn ServerCertVerifier>,
    /// Any name will do, if only the chain is good.
    pub(super) any_name: bool,
    pub(super) aside: Arc<Aside>,
}

/// Verifies clients.
#[derive(Debug)]
pub(super) struct OfClients {
    pub(super) inner: Arc<dyn ClientCertVerifier>,
    pub(super) aside: Arc<Aside>,
}

impl ServerCertVerifier for OfServers {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self.inner.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        let error = match verified {
            Ok(verified) => return Ok(verified),
            // The name is looked at last, so all else is good.
            Err(e) if self.any_name && is_name(&e) => {
                return Ok(ServerCertVerified::assertion());
            }
            Err(error) => error,
        };
        let finer = match is_name(&error) && matches!(server_name, ServerName::IpAddress(_)) {
            true => Some(TlsFailure::WrongAddress),
            false => finer(&error, end_entity, intermediates),
        };
        if let Some(finer) = finer {
            self.aside.tell_finer(finer);
        }
        Err(error)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

impl ClientCertVerifier for OfClients {
    fn offer_client_auth(&self) -> bool {
        self.inner.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.inner.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.inner.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self
            .inner
            .verify_client_cert(end_entity, intermediates, now);
        if let Err(error) = &verified {
            if let Some(finer) = finer(error, end_entity, intermediates) {
                self.aside.tell_finer(finer);
            }
        }
        verified
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

fn is_name(error: &Error) -> bool {
    matches!(
        error,
        Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }
        )
    )
}

/// Tells the ways apart in which an issuer can be unknown.
fn finer(
    error: &Error,
    end_entity: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
) -> Option<TlsFailure> {
    let leaf = Certificate::read(end_entity)?;
    let own = leaf.issuer().der() == leaf.subject().der();
    match error {
        // A self-signed certificate is mostly an authority's, too.
        Error::InvalidCertificate(CertificateError::UnknownIssuer) if own => {
            return Some(TlsFailure::SelfSigned);
        }
        Error::InvalidCertificate(CertificateError::Other(_)) if own => {
            return Some(TlsFailure::SelfSigned);
        }
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => {}
        _ => return None,
    }
    let issued = |der: &CertificateDer<'_>| {
        Certificate::read(der).is_some_and(|c| c.subject().der() == leaf.issuer().der())
    };
    Some(
        match intermediates.is_empty() || intermediates.iter().any(issued) {
            true => TlsFailure::UnknownIssuer,
            false => TlsFailure::BrokenChain,
        },
    )
}

/// What a session's error is called here. `Alert` and the certificate's faults are the peer's
/// doing, all else is a broken rule or ours.
pub(super) fn failure(error: &Error) -> TlsFailure {
    match error {
        Error::InvalidCertificate(why) => certificate(why),
        Error::InvalidCertRevocationList(_) => TlsFailure::RevocationUnknown,
        Error::NoCertificatesPresented => TlsFailure::NoCertificate,
        Error::AlertReceived(alert) => TlsFailure::Alert((*alert).into()),
        Error::PeerIncompatible(_) => TlsFailure::Incompatible,
        Error::NoApplicationProtocol => TlsFailure::NoProtocol,
        Error::DecryptError => TlsFailure::Tampered,
        Error::InappropriateMessage { .. }
        | Error::InappropriateHandshakeMessage { .. }
        | Error::InvalidMessage(_)
        | Error::PeerMisbehaved(_)
        | Error::PeerSentOversizedRecord => TlsFailure::Misbehaved,
        Error::UnsupportedNameType => TlsFailure::BadName,
        _ => TlsFailure::Local,
    }
}

fn certificate(why: &CertificateError) -> TlsFailure {
    use CertificateError as C;
    match why {
        C::Expired | C::ExpiredContext { .. } => TlsFailure::Expired,
        C::NotValidYet | C::NotValidYetContext { .. } => TlsFailure::NotYetValid,
        C::NotValidForName | C::NotValidForNameContext { .. } => TlsFailure::WrongName,
        C::InvalidPurpose | C::InvalidPurposeContext { .. } => TlsFailure::WrongPurpose,
        C::UnknownIssuer => TlsFailure::UnknownIssuer,
        C::Revoked => TlsFailure::Revoked,
        C::UnknownRevocationStatus
        | C::ExpiredRevocationList
        | C::ExpiredRevocationListContext { .. } => TlsFailure::RevocationUnknown,
        C::BadSignature => TlsFailure::BadSignature,
        // webpki's rarer errors have no variant of rustls's; their names are their text.
        C::Other(other) => match other.0.to_string().as_str() {
            "NameConstraintViolation" => TlsFailure::NameConstraint,
            "CaUsedAsEndEntity" => TlsFailure::AuthorityAsEnd,
            _ => TlsFailure::BadCertificate,
        },
        _ => TlsFailure::BadCertificate,
    }
}
