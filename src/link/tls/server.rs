use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::server::{ServerSessionMemoryCache, WebPkiClientVerifier};
use rustls::{KeyLog, RootCertStore, ServerConfig};

use super::aside::Aside;
use super::asker::asking;
use super::taped::taped_source;
use super::verify::OfClients;
use super::{Randomness, Source, TlsError, Versions, identity, provider, refused_revocations};
use crate::net::Tape;

/// How a [`Server`](crate::link::Server) speaks TLS. Cheap to clone; clones share their sessions, and
/// what [`reload`](Self::reload) reads.
///
/// From [`builder`](Self::builder), or from an `Arc<rustls::ServerConfig>` of one's own, which is
/// used as it is: its time and provider are then one's own, too.
///
/// ```no_run
/// use hio::link::{Limits, Server, tls::{Certify, ServerTls}};
/// use hio::net::{Endpoint, ListenOptions};
/// let tls = ServerTls::builder()
///     .certificate("server.pem")
///     .key("server.key")
///     .client_ca("ca.pem")
///     .certify(Certify::Required)
///     .build()?;
/// let at: Endpoint = "127.0.0.1:5000".parse()?;
/// let server = Server::new(at, ListenOptions::default(), Limits::default()).with_tls(tls);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct ServerTls {
    current: Arc<Mutex<Current>>,
    /// None when it was made by hand.
    builder: Option<Arc<ServerTlsBuilder>>,
    pub(super) randomness: Randomness,
    pub(super) tolerant: bool,
    asks: Option<bool>,
}

/// What sessions are made of that begin now. Clones of a [`ServerTls`] share it.
#[derive(Clone)]
pub(super) struct Current {
    pub(super) config: Arc<ServerConfig>,
    pub(super) aside: Option<Arc<Aside>>,
}

/// Whether a server asks its clients for certificates: hio's `certify`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Certify {
    /// It does not.
    #[default]
    None,
    /// It does; those without one are served, too.
    Optional,
    /// It does; those without one are not served.
    Required,
}

impl ServerTls {
    /// What it needs is a certificate and its key.
    pub fn builder() -> ServerTlsBuilder {
        ServerTlsBuilder::default()
    }

    pub(super) fn current(&self) -> Current {
        self.held().clone()
    }

    fn held(&self) -> MutexGuard<'_, Current> {
        // It is replaced as a whole.
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the files it was built from anew, all of them, for sessions that begin from now on:
    /// those of its clones, too, and so of the servers that have one. Sessions that stand go on as
    /// they are; those to be resumed are forgotten. Blocks for as long as reading the files takes.
    ///
    /// On a tape, what is read is kept as in [`build`](ServerTlsBuilder::build).
    ///
    /// ```
    /// # fn renewed(tls: &hio::link::tls::ServerTls) {
    /// if let Err(why) = tls.reload() {
    ///     log::warn!("goes on with the old certificate: {why}");
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`build`](ServerTlsBuilder::build): then all stays as it was. Also when it was made by
    /// hand, from an `Arc<rustls::ServerConfig>`.
    pub fn reload(&self) -> Result<(), TlsError> {
        let by_hand = TlsError::Contradiction("what was made by hand has no files to be read anew");
        let builder = self.builder.as_ref().ok_or(by_hand)?;
        if let Some(tape) = self.randomness.tape() {
            // How it went comes before what was read: a replay reads nothing.
            let mut tried = Ok(());
            let untaped = || ServerTlsBuilder {
                randomness: Randomness::System,
                ..(**builder).clone()
            };
            let verdict = tape.take("reload", || {
                tried = untaped().build().map(|_| ());
                vec![u8::from(tried.is_ok())]
            });
            tried?;
            if verdict != Some(vec![1]) {
                return Err(TlsError::Refused(
                    "it failed when it was recorded".to_owned(),
                ));
            }
        }
        let new = (**builder).clone().build()?;
        *self.held() = new.current();
        Ok(())
    }

    /// Whether its keys can be guessed: it is for simulations.
    pub(in crate::link) const fn is_predictable(&self) -> bool {
        self.randomness.is_predictable()
    }

    /// Whether it asks its clients for certificates. Of a configuration that was made by hand it is
    /// not known.
    #[must_use]
    pub const fn asks_for_certificates(&self) -> Option<bool> {
        self.asks
    }

    /// Takes a FIN without a close_notify for an end like any other, as hio and others never send
    /// one. Without this it is [`Truncated`](crate::link::CloseReason::Truncated).
    #[must_use]
    pub const fn tolerate_missing_close_notify(mut self, on: bool) -> Self {
        self.tolerant = on;
        self
    }
}

impl From<Arc<ServerConfig>> for ServerTls {
    fn from(config: Arc<ServerConfig>) -> Self {
        Self {
            current: Arc::new(Mutex::new(Current {
                config,
                aside: None,
            })),
            builder: None,
            randomness: Randomness::System,
            tolerant: false,
            asks: None,
        }
    }
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerTls")
    }
}

/// Builds a [`ServerTls`]: hio's `initServerContext`.
///
/// Only TLS 1.2 and 1.3 with AEAD ciphers and forward secrecy are spoken, without renegotiation
/// and without early data. Sessions are resumed from memory, see
/// [`sessions`](Self::sessions); a resumed one has the identity of the first.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct ServerTlsBuilder {
    certificate: Option<Source>,
    key: Option<Source>,
    client_ca: Vec<Source>,
    revocations: Vec<Source>,
    certify: Option<Certify>,
    versions: Versions,
    alpn: Vec<Vec<u8>>,
    sessions: Option<usize>,
    key_log: Option<Arc<dyn KeyLog>>,
    randomness: Randomness,
}

impl ServerTlsBuilder {
    /// The server's certificate, followed by those that lead to a root.
    pub fn certificate(mut self, chain: impl Into<Source>) -> Self {
        self.certificate = Some(chain.into());
        self
    }

    /// The certificate's key: PKCS #8, PKCS #1 or SEC 1.
    pub fn key(mut self, key: impl Into<Source>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Who may issue certificates for clients. May be called more than once. Clients must then
    /// have one, unless [`certify`](Self::certify) says otherwise.
    pub fn client_ca(mut self, ca: impl Into<Source>) -> Self {
        self.client_ca.push(ca.into());
        self
    }

    /// Whether clients are asked for certificates.
    pub const fn certify(mut self, certify: Certify) -> Self {
        self.certify = Some(certify);
        self
    }

    /// Revocation lists for clients' certificates. May be called more than once. Every certificate
    /// of a chain but the root's is looked up then, and a list that is missing or out of date
    /// refuses the client.
    pub fn revocations(mut self, list: impl Into<Source>) -> Self {
        self.revocations.push(list.into());
        self
    }

    /// The versions to speak. By default both.
    pub const fn versions(mut self, versions: Versions) -> Self {
        self.versions = versions;
        self
    }

    /// Application protocols, best first. A client that offers others only is refused; one that
    /// offers none is not.
    pub fn alpn<P: Into<Vec<u8>>>(mut self, protocols: impl IntoIterator<Item = P>) -> Self {
        self.alpn = protocols.into_iter().map(Into::into).collect();
        self
    }

    /// How many sessions are kept to be resumed; 0 for none. Default 1024, of about 1 KiB each,
    /// more with client certificates.
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
    /// or settings that contradict each other.
    pub fn build(mut self) -> Result<ServerTls, TlsError> {
        let again = Arc::new(self.clone());
        self.play()?;
        let need = |what| move || TlsError::Needed { what };
        let certificate = self
            .certificate
            .as_ref()
            .ok_or_else(need("a certificate"))?;
        let key = self.key.as_ref().ok_or_else(need("a private key"))?;
        let chain = certificate.certificates("certificate")?;
        let private = self.randomness.key(key)?;
        let aside = Arc::new(Aside::default());
        let builder = ServerConfig::builder_with_details(self.randomness.provider(), aside.clone())
            .with_protocol_versions(self.versions.supported())?;
        let verifier = self.verifier(&aside)?;
        let asks = verifier.is_some();
        let builder = match verifier {
            None => builder.with_no_client_auth(),
            Some(verifier) => builder.with_client_cert_verifier(Arc::new(verifier)),
        };
        let load = || builder.with_single_cert(chain, private);
        let mut config = asking(&mut self.randomness.builder(), load)
            .map_err(|e| identity(e, certificate, key))?;
        config.alpn_protocols = self.alpn;
        match self.sessions.unwrap_or(self.randomness.sessions(SESSIONS)) {
            0 => {
                config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
                config.send_tls13_tickets = 0;
            }
            most => config.session_storage = ServerSessionMemoryCache::new(most),
        }
        if let Some(log) = self.key_log {
            config.key_log = log;
        }
        Ok(ServerTls {
            current: Arc::new(Mutex::new(Current {
                config: Arc::new(config),
                aside: Some(aside),
            })),
            builder: Some(again),
            randomness: self.randomness,
            tolerant: false,
            asks: Some(asks),
        })
    }

    /// Passes what is read through the tape, if there is one.
    fn play(&mut self) -> Result<(), TlsError> {
        let tape = self.randomness.tape();
        for (what, sources) in [
            ("certificate", self.certificate.as_mut_slice()),
            ("client CA", &mut self.client_ca),
            ("revocation list", &mut self.revocations),
        ] {
            for source in sources {
                *source = taped_source(tape, what, source)?;
            }
        }
        Ok(())
    }

    fn verifier(&self, aside: &Arc<Aside>) -> Result<Option<OfClients>, TlsError> {
        let certify = self.certify.unwrap_or(match self.client_ca.is_empty() {
            true => Certify::None,
            false => Certify::Required,
        });
        match (certify, self.client_ca.is_empty()) {
            (Certify::None, true) if self.revocations.is_empty() => return Ok(None),
            (Certify::None, true) => {
                return Err(TlsError::Contradiction(
                    "revocation lists are given, but clients are not asked for certificates",
                ));
            }
            (Certify::None, false) => {
                return Err(TlsError::Contradiction(
                    "a client CA is given, but clients are not to be asked for certificates",
                ));
            }
            (_, true) => {
                let what = "a CA for the clients' certificates";
                return Err(TlsError::Needed { what });
            }
            (_, false) => {}
        }
        let mut roots = RootCertStore::empty();
        for ca in &self.client_ca {
            ca.trust(&mut roots)?;
        }
        let mut builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
        for list in &self.revocations {
            builder = builder.with_crls(list.revocations()?);
        }
        if !self.revocations.is_empty() {
            builder = builder.enforce_revocation_expiration();
        }
        if certify == Certify::Optional {
            builder = builder.allow_unauthenticated();
        }
        let verifier = builder.build();
        let verifier = verifier.map_err(|e| refused_revocations(&self.revocations, &e))?;
        Ok(Some(OfClients {
            inner: verifier,
            aside: aside.clone(),
        }))
    }
}

/// Sessions kept by default.
const SESSIONS: usize = 1024;
