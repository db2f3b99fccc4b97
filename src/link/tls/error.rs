use std::io;

use crate::link::TlsFailure;

/// A mistake in what TLS was to be set up with, found when it is built.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {what} {from}: {why}")]
    Unreadable {
        /// What it was to be.
        what: &'static str,
        /// Which file.
        from: String,
        /// What the system said.
        why: io::ErrorKind,
    },
    /// Nothing of the wanted kind is inside.
    #[error("there is no {what} in {from}")]
    Missing {
        /// What was wanted.
        what: &'static str,
        /// Where.
        from: String,
    },
    /// What is inside cannot be understood.
    #[error("bad {what} in {from}: {why}")]
    Bad {
        /// What it was to be.
        what: &'static str,
        /// Where.
        from: String,
        /// What is wrong with it.
        why: String,
    },
    /// The key is not that of the certificate.
    #[error("the key in {key} does not fit the certificate in {certificate}")]
    KeyMismatch {
        /// Where the key is from.
        key: String,
        /// Where the certificate is from.
        certificate: String,
    },
    /// Something that must be given was not.
    #[error("{what} is needed")]
    Needed {
        /// What.
        what: &'static str,
    },
    /// Two things were given that do not go together.
    #[error("{0}")]
    Contradiction(&'static str),
    /// A name to be verified that is neither a host name nor an address.
    #[error("{0:?} is neither a host name nor an address")]
    BadName(String),
    /// The platform's trust cannot be had.
    #[error("the platform's trusted certificates: {0}")]
    Platform(String),
    /// The TLS library refuses it otherwise.
    #[error("TLS cannot be set up: {0}")]
    Refused(String),
}

impl From<rustls::Error> for TlsError {
    fn from(why: rustls::Error) -> Self {
        Self::Refused(why.to_string())
    }
}

/// Why a connection cannot take up TLS now. It stays as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StartTlsError {
    /// Bytes were received and not consumed. They came unprotected; whoever sent them could have
    /// them taken for the peer's.
    #[error("{0} bytes that came before are not consumed")]
    LeftOver(usize),
    /// It is not open, or closing.
    #[error("the connection is not open")]
    NotOpen,
    /// The last handshake is not over.
    #[error("a handshake is under way")]
    Handshaking,
    /// This or the other side has ended its side.
    #[error("one side of the connection has ended")]
    HalfClosed,
    /// The session cannot be set up.
    #[error(transparent)]
    Failed(TlsFailure),
}
