//! What all peers with TLS share: provider, certificate, settings.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, SupportedKxGroup};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::ServerSessionMemoryCache;
use rustls::version::TLS13;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

/// The provider that hio uses in this build, so that all have the same cryptography.
#[cfg(feature = "aws-lc-rs")]
use rustls::crypto::aws_lc_rs as chosen;
#[cfg(not(feature = "aws-lc-rs"))]
use rustls::crypto::ring as chosen;

/// Makes the certificates of a run: P-256, of a root made for it.
pub(crate) fn write_certificates(dir: &Path) -> Result<(), String> {
    let wrong = |e: rcgen::Error| e.to_string();
    let mut root = rcgen::CertificateParams::default();
    root.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let root_key = rcgen::KeyPair::generate().map_err(wrong)?;
    let root = rcgen::CertifiedIssuer::self_signed(root, root_key).map_err(wrong)?;
    let key = rcgen::KeyPair::generate().map_err(wrong)?;
    let leaf = rcgen::CertificateParams::new(["localhost".to_owned()]).map_err(wrong)?;
    let leaf = leaf.signed_by(&key, &root).map_err(wrong)?;
    std::fs::create_dir_all(dir).map_err(|e| e.to_string())?;
    for (name, content) in [
        ("ca.pem", root.pem()),
        ("server.pem", leaf.pem()),
        ("server.key", key.serialize_pem()),
    ] {
        std::fs::write(dir.join(name), content).map_err(|e| e.to_string())?;
    }
    Ok(())
}

/// A server's configuration by hand, with the session cache that hio's has.
pub(crate) fn server_config(certs: &Path) -> io::Result<Arc<ServerConfig>> {
    let chain =
        CertificateDer::from_pem_file(certs.join("server.pem")).map_err(io::Error::other)?;
    let key = PrivateKeyDer::from_pem_file(certs.join("server.key")).map_err(io::Error::other)?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(chosen::default_provider()))
        .with_protocol_versions(&[&TLS13])
        .and_then(|builder| {
            builder
                .with_no_client_auth()
                .with_single_cert(vec![chain], key)
        })
        .map_err(io::Error::other)?;
    config.session_storage = ServerSessionMemoryCache::new(1024);
    Ok(Arc::new(config))
}

/// The load's configuration: TLS 1.3 and X25519 only, whatever the server would like better.
pub(crate) fn client_config(certs: &Path, resume: bool) -> io::Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    let ca = CertificateDer::from_pem_file(certs.join("ca.pem")).map_err(io::Error::other)?;
    roots.add(ca).map_err(io::Error::other)?;
    let group: &'static dyn SupportedKxGroup = chosen::kx_group::X25519;
    let provider = CryptoProvider {
        kx_groups: vec![group],
        ..chosen::default_provider()
    };
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&TLS13])
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    if !resume {
        config.resumption = rustls::client::Resumption::disabled();
    }
    Ok(Arc::new(config))
}
