//! TLS as a state of the connection: a [`Server`](super::Server) or [`Client`](super::Client) is
//! given a [`ServerTls`] or [`ClientTls`], and what is received and queued is plain text as before.
//!
//! [`TlsInfo`] tells who the peer is and what was agreed. A connection that begins without TLS
//! takes it up with [`Remoter::start_tls`](super::Remoter::start_tls) or
//! [`Client::start_tls`](super::Client::start_tls), also over TLS.
//!
//! # Time, entropy, keys
//! Certificates are judged by [`Net::wall`](crate::net::Net::wall). The randoms of handshakes are
//! the provider's: ring, or aws-lc-rs where the crate is built with it. The provider is handed to
//! each configuration and never installed for the process. Keys are logged only to a
//! [`KeyLog`](rustls::KeyLog) that was asked for.
//!
//! # Memory
//! An established session holds about 8 KiB, most of it rustls's; while it receives or sends, up
//! to 64 KiB of ciphertext per connection besides its caps.

mod aside;
mod asker;
mod certificate;
mod client;
mod der;
mod error;
mod info;
#[cfg(feature = "sim-tls")]
mod seeded;
mod server;
mod session;
mod source;
mod taped;
mod verify;

use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::VerifierBuilderError;
use rustls::version::{TLS12, TLS13};
use rustls::{InconsistentKeys, SupportedProtocolVersion};

pub use certificate::{AltName, Attribute, Certificate, Name};
pub use client::{ClientTls, ClientTlsBuilder};
pub use error::{StartTlsError, TlsError};
pub use info::TlsInfo;
pub use server::{Certify, ServerTls, ServerTlsBuilder};
pub(super) use session::{Fed, Session};
pub use source::Source;

use self::asker::Asker;
use super::TlsFailure;
use crate::net::Tape;

/// The versions of TLS to speak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Versions {
    /// 1.3, and 1.2 with those who have no better.
    #[default]
    Both,
    /// Only 1.2.
    Tls12,
    /// Only 1.3.
    Tls13,
}

impl Versions {
    fn supported(self) -> &'static [&'static SupportedProtocolVersion] {
        const ALL: &[&SupportedProtocolVersion] = &[&TLS13, &TLS12];
        match self {
            Self::Both => ALL,
            Self::Tls13 => &ALL[..1],
            Self::Tls12 => &ALL[1..],
        }
    }
}

/// The cryptography: aws-lc-rs where it is built in, else ring.
fn provider() -> Arc<CryptoProvider> {
    #[cfg(feature = "aws-lc-rs")]
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    #[cfg(not(feature = "aws-lc-rs"))]
    let provider = rustls::crypto::ring::default_provider();
    Arc::new(provider)
}

/// Where a configuration's randomness comes from.
#[derive(Clone, Debug, Default)]
enum Randomness {
    #[default]
    System,
    /// The system's, which is kept or given back.
    Taped(Tape),
    /// A seed: whoever knows it knows the keys.
    #[cfg(feature = "sim-tls")]
    Seeded,
}

impl Randomness {
    fn provider(&self) -> Arc<CryptoProvider> {
        match self {
            Self::System => provider(),
            Self::Taped(_) => taped::taped_provider(),
            #[cfg(feature = "sim-tls")]
            Self::Seeded => seeded::seeded_provider(),
        }
    }

    const fn tape(&self) -> Option<&Tape> {
        match self {
            Self::Taped(tape) => Some(tape),
            _ => None,
        }
    }

    const fn is_predictable(&self) -> bool {
        match self {
            Self::System | Self::Taped(_) => false,
            #[cfg(feature = "sim-tls")]
            Self::Seeded => true,
        }
    }

    /// Who asks for it in a session; `seed` is what the net below the session gave for that, if it
    /// is simulated.
    #[cfg_attr(
        not(feature = "sim-tls"),
        expect(unused_variables, reason = "nothing is seeded")
    )]
    fn asker(&self, seed: Option<u64>) -> Result<Option<Asker>, TlsFailure> {
        match self {
            Self::System => Ok(None),
            Self::Taped(tape) => Ok(Some(Asker::Taped(tape.clone()))),
            #[cfg(feature = "sim-tls")]
            Self::Seeded => {
                let seed = seed.ok_or(TlsFailure::Predictable)?;
                let stream = seeded::Stream(seed);
                Ok(Some(Asker::Seeded(stream, std::time::Duration::ZERO)))
            }
        }
    }

    /// The private key, which a replay needs none of.
    fn key(&self, source: &Source) -> Result<PrivateKeyDer<'static>, TlsError> {
        match self.tape() {
            Some(tape) if tape.is_replaying() => Ok(PrivatePkcs8KeyDer::from(Vec::new()).into()),
            _ => source.key(),
        }
    }

    /// How many sessions a server keeps if nothing was said.
    const fn sessions(&self, otherwise: usize) -> usize {
        match self.is_predictable() {
            true => 0,
            false => otherwise,
        }
    }

    /// The same for clients; None for as many as rustls thinks fit.
    const fn client_sessions(&self) -> Option<usize> {
        match self.is_predictable() {
            true => Some(0),
            false => None,
        }
    }

    /// Who asks for it while a configuration is built. Keys are loaded then, and nothing is drawn.
    fn builder(&self) -> Option<Asker> {
        self.tape().cloned().map(Asker::Taped)
    }
}

/// What is wrong with a certificate and its key.
fn identity(why: rustls::Error, certificate: &Source, key: &Source) -> TlsError {
    match why {
        rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => TlsError::KeyMismatch {
            key: key.to_string(),
            certificate: certificate.to_string(),
        },
        rustls::Error::InvalidCertificate(why) => certificate.bad("certificate", why),
        why => key.bad("private key", why),
    }
}

/// What is wrong with what a verifier was to be made of.
fn refused_revocations(lists: &[Source], why: &VerifierBuilderError) -> TlsError {
    match (why, lists.first()) {
        (VerifierBuilderError::InvalidCrl(_), Some(list)) => list.bad("revocation list", why),
        _ => TlsError::Refused(why.to_string()),
    }
}
