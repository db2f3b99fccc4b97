use std::fmt;
use std::sync::Arc;

use rustls::client::danger::ServerCertVerifier;
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, KeyLog, RootCertStore};

use super::aside::Aside;
use super::asker::asking;
use super::taped::taped_source;
use super::verify::OfServers;
use super::{Randomness, Source, TlsError, Versions, identity, provider, refused_revocations};
use crate::net::Tape;

/// How a [`Client`](crate::link::Client) speaks TLS. Cheap to clone; clones share their sessions.
///
/// From [`builder`](Self::builder), or from an `Arc<rustls::ClientConfig>` of one's own, which is
/// used as it is: its time, trust and provider are then one's own, too.
///
/// ```no_run
/// use hio::link::{Client, Limits, tls::ClientTls};
/// use hio::net::{ConnectOptions, Endpoint};
/// let tls = ClientTls::builder().ca("ca.pem").name("example.org").build()?;
/// let to: Endpoint = "127.0.0.1:5000".parse()?;
/// let client = Client::new(to, ConnectOptions::default(), Limits::default()).with_tls(tls);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct ClientTls {
    pub(super) config: Arc<ClientConfig>,
    pub(super) aside: Option<Arc<Aside>>,
    pub(super) name: Option<ServerName<'static>>,
    pub(super) randomness: Randomness,
    pub(super) tolerant: bool,
}

impl ClientTls {
    /// What it needs is somebody to trust.
    pub fn builder() -> ClientTlsBuilder {
        ClientTlsBuilder::default()
    }

    /// The name that the server's certificate must have, where that is not the dialled one: hio's
    /// `certedhost`. A host name or an address.
    ///
    /// # Errors
    /// It is neither.
    pub fn with_name(mut self, name: &str) -> Result<Self, TlsError> {
        let parsed = ServerName::try_from(name).map_err(|_| TlsError::BadName(name.into()))?;
        self.name = Some(parsed.to_owned());
        Ok(self)
    }

    /// Takes a FIN without a close_notify for an end like any other, as hio and others never send
    /// one. Without this it is [`Truncated`](crate::link::CloseReason::Truncated).
    #[must_use]
    pub const fn tolerate_missing_close_notify(mut self, on: bool) -> Self {
        self.tolerant = on;
        self
    }
}

impl From<Arc<ClientConfig>> for ClientTls {
    fn from(config: Arc<ClientConfig>) -> Self {
        Self {
            config,
            aside: None,
            randomness: Randomness::System,
            name: None,
            tolerant: false,
        }
    }
}

impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientTls")
    }
}

/// Builds a [`ClientTls`].
///
/// The server is always verified; who wants something weaker hands in a configuration of his own.
/// Only TLS 1.2 and 1.3 with AEAD ciphers and forward secrecy are spoken, without early data.
/// Sessions are resumed when the server allows it.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct ClientTlsBuilder {
    trust: Option<Trust>,
    revocations: Vec<Source>,
    certificate: Option<Source>,
    key: Option<Source>,
    name: Option<String>,
    any_name: bool,
    versions: Versions,
    alpn: Vec<Vec<u8>>,
    sessions: Option<usize>,
    key_log: Option<Arc<dyn KeyLog>>,
    randomness: Randomness,
}

/// Who vouches for servers.
#[derive(Clone, Debug)]
enum Trust {
    Given(Vec<Source>),
    #[cfg(feature = "webpki-roots")]
    Bundled,
    #[cfg(feature = "platform-verifier")]
    Platform,
}

impl ClientTlsBuilder {
    /// Trusts these certificate authorities. May be called more than once.
    ///
    /// Without a word on trust, the platform's is used where the crate is built with
    /// `platform-verifier`, else the bundled one with `webpki-roots`; else building fails.
    pub fn ca(mut self, ca: impl Into<Source>) -> Self {
        match &mut self.trust {
            Some(Trust::Given(all)) => all.push(ca.into()),
            _ => self.trust = Some(Trust::Given(vec![ca.into()])),
        }
        self
    }

    /// Trusts Mozilla's list, as it was when `webpki-roots` was published.
    #[cfg(feature = "webpki-roots")]
    pub fn bundled_trust(mut self) -> Self {
        self.trust = Some(Trust::Bundled);
        self
    }

    /// Trusts what the operating system trusts.
    #[cfg(feature = "platform-verifier")]
    pub fn platform_trust(mut self) -> Self {
        self.trust = Some(Trust::Platform);
        self
    }

    /// Revocation lists for servers' certificates. May be called more than once. Every certificate
    /// of a chain but the root's is looked up then, and a list that is missing or out of date
    /// refuses the server.
    pub fn revocations(mut self, list: impl Into<Source>) -> Self {
        self.revocations.push(list.into());
        self
    }

    /// The client's own certificate, followed by those that lead to a root.
    pub fn certificate(mut self, chain: impl Into<Source>) -> Self {
        self.certificate = Some(chain.into());
        self
    }

    /// The certificate's key: PKCS #8, PKCS #1 or SEC 1.
    pub fn key(mut self, key: impl Into<Source>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// The name that the server's certificate must have, where that is not the dialled one: hio's
    /// `certedhost`. A host name or an address; needed over Unix sockets.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Accepts any name, if only the certificate was issued by who is trusted: hio's `hostify` off.
    pub const fn any_name(mut self) -> Self {
        self.any_name = true;
        self
    }

    /// The versions to speak. By default both.
    pub const fn versions(mut self, versions: Versions) -> Self {
        self.versions = versions;
        self
    }

    /// Application protocols, best first.
    pub fn alpn<P: Into<Vec<u8>>>(mut self, protocols: impl IntoIterator<Item = P>) -> Self {
        self.alpn = protocols.into_iter().map(Into::into).collect();
        self
    }

    /// How many servers' sessions are kept to be resumed; 0 for none. Default 256.
    pub const fn sessions(mut self, most: usize) -> Self {
        self.sessions = Some(most);
        self
    }

    /// Logs the keys of all sessions, so that recorded traffic can be read. Off by default.
    pub fn key_log(mut self, log: Arc<dyn KeyLog>) -> Self {
        self.key_log = Some(log);
        self
    }

    /// Keeps what the cryptography draws and signs on a tape, for the recorder of the net that this
    /// is used with; or, with a tape that is replayed, gives it back. The certificates that are
    /// given here are kept, too; in replay no file is read, and no private key is needed.
    ///
    /// **Such a recording holds the secrets of its sessions**: who has it can read them.
    ///
    /// In replay, make it with the same calls in the same order, after the replay was opened.
    pub fn tape(mut self, tape: &Tape) -> Self {
        self.randomness = Randomness::Taped(tape.clone());
        self
    }

    /// Takes all that is random from the simulated net's entropy, so that the same seed sends the
    /// same bytes. The key must be one of Ed25519: others sign differently each time. Sessions are
    /// not resumed unless [`sessions`](Self::sessions) says so: what is remembered would go from
    /// one simulation to the next where both are given clones.
    ///
    /// **Such keys can be guessed.** Nets that are not simulated refuse them:
    /// [`TlsFailure::Predictable`](crate::link::TlsFailure::Predictable).
    #[cfg(feature = "sim-tls")]
    pub fn simulated(mut self) -> Self {
        self.randomness = Randomness::Seeded;
        self
    }

    /// Reads the files and checks that everything fits together.
    ///
    /// # Errors
    /// A file that cannot be read or holds something else, a key that is not the certificate's,
    /// nobody to trust, or a name that is none.
    pub fn build(mut self) -> Result<ClientTls, TlsError> {
        self.play()?;
        let aside = Arc::new(Aside::default());
        let verifier = OfServers {
            inner: self.verifier()?,
            any_name: self.any_name,
            aside: aside.clone(),
        };
        let builder = ClientConfig::builder_with_details(self.randomness.provider(), aside.clone())
            .with_protocol_versions(self.versions.supported())?
            .dangerous() // is what rustls calls every verifier that is not its own
            .with_custom_certificate_verifier(Arc::new(verifier));
        let mut config = match (&self.certificate, &self.key) {
            (Some(certificate), Some(key)) => {
                let chain = certificate.certificates("certificate")?;
                let private = self.randomness.key(key)?;
                let load = || builder.with_client_auth_cert(chain, private);
                asking(&mut self.randomness.builder(), load)
                    .map_err(|e| identity(e, certificate, key))?
            }
            (None, None) => builder.with_no_client_auth(),
            (Some(_), None) => {
                let what = "the private key of the client's certificate";
                return Err(TlsError::Needed { what });
            }
            (None, Some(_)) => {
                let what = "the certificate of the client's private key";
                return Err(TlsError::Needed { what });
            }
        };
        config.alpn_protocols = self.alpn;
        match self.sessions.or(self.randomness.client_sessions()) {
            None => {}
            Some(0) => config.resumption = Resumption::disabled(),
            Some(most) => config.resumption = Resumption::in_memory_sessions(most),
        }
        if let Some(log) = self.key_log {
            config.key_log = log;
        }
        let tls = ClientTls {
            config: Arc::new(config),
            aside: Some(aside),
            randomness: self.randomness,
            name: None,
            tolerant: false,
        };
        match &self.name {
            Some(name) => tls.with_name(name),
            None => Ok(tls),
        }
    }

    /// Passes what is read through the tape, if there is one.
    fn play(&mut self) -> Result<(), TlsError> {
        let tape = self.randomness.tape();
        let trusted = match &mut self.trust {
            Some(Trust::Given(all)) => all.as_mut_slice(),
            #[cfg(any(feature = "webpki-roots", feature = "platform-verifier"))]
            Some(_) => &mut [],
            None => &mut [],
        };
        for (what, sources) in [
            ("certificate", self.certificate.as_mut_slice()),
            ("CA certificate", trusted),
            ("revocation list", &mut self.revocations),
        ] {
            for source in sources {
                *source = taped_source(tape, what, source)?;
            }
        }
        Ok(())
    }

    fn verifier(&self) -> Result<Arc<dyn ServerCertVerifier>, TlsError> {
        let mut roots = RootCertStore::empty();
        match self.trust.clone().or(DEFAULT_TRUST) {
            None => {
                let what = "a CA to trust";
                return Err(TlsError::Needed { what });
            }
            Some(Trust::Given(all)) => {
                for ca in all {
                    ca.trust(&mut roots)?;
                }
            }
            #[cfg(feature = "webpki-roots")]
            Some(Trust::Bundled) => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
            #[cfg(feature = "platform-verifier")]
            Some(Trust::Platform) if self.revocations.is_empty() => {
                return rustls_platform_verifier::Verifier::new(provider())
                    .map(|verifier| Arc::new(verifier) as _)
                    .map_err(|e| TlsError::Platform(e.to_string()));
            }
            #[cfg(feature = "platform-verifier")]
            Some(Trust::Platform) => {
                return Err(TlsError::Contradiction(
                    "revocation lists are given, but the platform's verifier has its own",
                ));
            }
        }
        let mut builder = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider());
        for list in &self.revocations {
            builder = builder.with_crls(list.revocations()?);
        }
        if !self.revocations.is_empty() {
            builder = builder.enforce_revocation_expiration();
        }
        let verifier = builder.build();
        let verifier = verifier.map_err(|e| refused_revocations(&self.revocations, &e))?;
        Ok(verifier)
    }
}

#[cfg(feature = "platform-verifier")]
const DEFAULT_TRUST: Option<Trust> = Some(Trust::Platform);
#[cfg(all(feature = "webpki-roots", not(feature = "platform-verifier")))]
const DEFAULT_TRUST: Option<Trust> = Some(Trust::Bundled);
#[cfg(not(any(feature = "webpki-roots", feature = "platform-verifier")))]
const DEFAULT_TRUST: Option<Trust> = None;
