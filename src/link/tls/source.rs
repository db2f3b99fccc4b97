use std::fmt;
use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};

use super::TlsError;

/// Where a key, certificates or revocation lists come from: a file or bytes, PEM or DER.
///
/// Texts are paths, bytes are content:
///
/// ```
/// use hio::link::tls::Source;
/// let file: Source = "server.pem".into();
/// assert_eq!(file.to_string(), "server.pem");
/// let content: Source = b"-----BEGIN CERTIFICATE-----".into();
/// assert_eq!(content.to_string(), "27 bytes");
/// ```
#[derive(Clone)]
pub enum Source {
    /// A file.
    Path(PathBuf),
    /// Its content.
    Bytes(Vec<u8>),
}

impl Source {
    pub(super) fn read(&self, what: &'static str) -> Result<Vec<u8>, TlsError> {
        match self {
            Self::Bytes(bytes) => Ok(bytes.clone()),
            Self::Path(path) => std::fs::read(path).map_err(|e| TlsError::Unreadable {
                what,
                from: self.to_string(),
                why: e.kind(),
            }),
        }
    }

    /// The first certificate inside, in DER.
    ///
    /// # Errors
    /// It cannot be read, or there is none.
    pub fn certificate(&self) -> Result<Vec<u8>, TlsError> {
        let found = self.certificates("certificate")?;
        let first = found.into_iter().next();
        first
            .map(|der| der.as_ref().to_vec())
            .ok_or_else(|| self.missing("certificate"))
    }

    /// All certificates inside, in order; at least one.
    pub(super) fn certificates(
        &self,
        what: &'static str,
    ) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        let found = self.items(what, CertificateDer::from)?;
        // DER is taken as it comes, and PEM may hold anything between its lines.
        for certificate in &found {
            rustls::server::ParsedCertificate::try_from(certificate)
                .map_err(|_| self.bad(what, "it is no X.509 certificate"))?;
        }
        Ok(found)
    }

    /// The first private key inside.
    pub(super) fn key(&self) -> Result<PrivateKeyDer<'static>, TlsError> {
        let what = "private key";
        let bytes = self.read(what)?;
        if is_pem(&bytes) {
            return PrivateKeyDer::from_pem_slice(&bytes).map_err(|e| match e {
                PemError::NoItemsFound if holds(&bytes, b"ENCRYPTED PRIVATE KEY") => {
                    self.bad(what, "it is encrypted")
                }
                PemError::NoItemsFound => self.missing(what),
                // The library's own words would quote the lines.
                _ => self.bad(what, "it is no PEM"),
            });
        }
        match bytes.is_empty() {
            true => Err(self.missing(what)),
            false => PrivateKeyDer::try_from(bytes).map_err(|why| self.bad(what, why)),
        }
    }

    /// All revocation lists inside; at least one.
    pub(super) fn revocations(
        &self,
    ) -> Result<Vec<CertificateRevocationListDer<'static>>, TlsError> {
        self.items("revocation list", CertificateRevocationListDer::from)
    }

    /// The trust in all certificates inside.
    pub(super) fn trust(&self, into: &mut RootCertStore) -> Result<(), TlsError> {
        let what = "CA certificate";
        for certificate in self.certificates(what)? {
            into.add(certificate).map_err(|e| self.bad(what, e))?;
        }
        Ok(())
    }

    fn items<T: PemObject>(
        &self,
        what: &'static str,
        of_der: impl FnOnce(Vec<u8>) -> T,
    ) -> Result<Vec<T>, TlsError> {
        let bytes = self.read(what)?;
        let found = match (is_pem(&bytes), bytes.is_empty()) {
            (true, _) => T::pem_slice_iter(&bytes)
                .collect::<Result<Vec<_>, _>>()
                .map_err(|e| self.bad(what, e))?,
            (false, true) => Vec::new(),
            (false, false) => vec![of_der(bytes)],
        };
        match found.is_empty() {
            true => Err(self.missing(what)),
            false => Ok(found),
        }
    }

    fn missing(&self, what: &'static str) -> TlsError {
        TlsError::Missing {
            what,
            from: self.to_string(),
        }
    }

    pub(super) fn bad(&self, what: &'static str, why: impl fmt::Display) -> TlsError {
        TlsError::Bad {
            what,
            from: self.to_string(),
            why: why.to_string(),
        }
    }
}

/// PEM may begin with other text, DER begins with a SEQUENCE and holds no such line.
fn is_pem(bytes: &[u8]) -> bool {
    holds(bytes, b"-----BEGIN ")
}

fn holds(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|window| window == what)
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => path.display().fmt(f),
            Self::Bytes(bytes) => write!(f, "{} bytes", bytes.len()),
        }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Never the content: it may be a key.
        write!(f, "Source({self})")
    }
}

impl From<&str> for Source {
    fn from(path: &str) -> Self {
        Self::Path(path.into())
    }
}

impl From<String> for Source {
    fn from(path: String) -> Self {
        Self::Path(path.into())
    }
}

impl From<&Path> for Source {
    fn from(path: &Path) -> Self {
        Self::Path(path.into())
    }
}

impl From<&PathBuf> for Source {
    fn from(path: &PathBuf) -> Self {
        Self::Path(path.into())
    }
}

impl From<PathBuf> for Source {
    fn from(path: PathBuf) -> Self {
        Self::Path(path)
    }
}

impl From<&[u8]> for Source {
    fn from(bytes: &[u8]) -> Self {
        Self::Bytes(bytes.into())
    }
}

impl<const N: usize> From<&[u8; N]> for Source {
    fn from(bytes: &[u8; N]) -> Self {
        Self::Bytes(bytes.into())
    }
}

impl From<Vec<u8>> for Source {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}
