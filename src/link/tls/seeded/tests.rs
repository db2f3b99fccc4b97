//! What makes transcripts differ, planted one at a time: each is found by comparing bytes.

use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::time_provider::TimeProvider;
use rustls::version::{TLS12, TLS13};
use rustls::{
    ClientConfig, ClientConnection, Connection, RootCertStore, ServerConfig, ServerConnection,
    SupportedProtocolVersion,
};

use super::super::asker::{Asker, asking};
use super::*;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Leak {
    None,
    EcdsaCertificate,
    Ticketer,
    KeyShareOfServer,
    KeyShareOfClient,
    RandomOfServer,
    RandomOfClient,
}

#[derive(Debug)]
struct Noon;

impl TimeProvider for Noon {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(std::time::Duration::from_secs(
            1_795_132_800,
        )))
    }
}

fn identity(leak: Leak) -> (Vec<u8>, CertificateDer<'static>, PrivateKeyDer<'static>) {
    if leak == Leak::EcdsaCertificate {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(vec!["server.sim".into()]).unwrap();
        let der = params.self_signed(&key).unwrap().der().clone();
        let private = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        return (der.to_vec(), der, private);
    }
    let pem = include_bytes!("../../../sim/certs/server.pem");
    let key = include_bytes!("../../../sim/certs/server.key");
    let ca = include_bytes!("../../../sim/certs/ca.pem");
    let ca = CertificateDer::from_pem_slice(ca).unwrap();
    let der = CertificateDer::from_pem_slice(pem).unwrap();
    (
        ca.to_vec(),
        der,
        PrivateKeyDer::from_pem_slice(key).unwrap(),
    )
}

/// The seeded provider with a part of the ordinary one.
fn with(random: bool, share: bool, keys: bool) -> Arc<CryptoProvider> {
    let (mut mixed, ordinary) = ((*seeded_provider()).clone(), provider());
    if random {
        mixed.secure_random = ordinary.secure_random;
    }
    if share {
        let x25519 = |g: &&&dyn SupportedKxGroup| g.name() == NamedGroup::X25519;
        mixed.kx_groups = vec![*ordinary.kx_groups.iter().find(x25519).unwrap()];
    }
    if keys {
        mixed.key_provider = ordinary.key_provider;
    }
    Arc::new(mixed)
}

struct Identity {
    root: Vec<u8>,
    chain: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
}

/// A handshake and a word each way: all bytes that went over.
fn transcript(
    id: &Identity,
    leak: Leak,
    version: &'static SupportedProtocolVersion,
) -> Result<Vec<u8>, Error> {
    let crypto = with(
        leak == Leak::RandomOfServer,
        leak == Leak::KeyShareOfServer,
        leak == Leak::EcdsaCertificate,
    );
    let mut config = ServerConfig::builder_with_details(crypto, Arc::new(Noon))
        .with_protocol_versions(&[version])?
        .with_no_client_auth()
        .with_single_cert(vec![id.chain.clone()], id.key.clone_key())?;
    if leak == Leak::Ticketer {
        config.ticketer = rustls::crypto::ring::Ticketer::new()?;
    }
    let mut roots = RootCertStore::empty();
    roots.add(id.root.clone().into())?;
    let crypto = with(
        leak == Leak::RandomOfClient,
        leak == Leak::KeyShareOfClient,
        false,
    );
    let client = ClientConfig::builder_with_details(crypto, Arc::new(Noon))
        .with_protocol_versions(&[version])?
        .with_root_certificates(roots)
        .with_no_client_auth();

    let mut askers = [1, 2].map(|seed| Some(Asker::Seeded(Stream(seed), Default::default())));
    let name = ServerName::try_from("server.sim").unwrap();
    let client = asking(&mut askers[0], || {
        ClientConnection::new(Arc::new(client), name)
    })?;
    let server = asking(&mut askers[1], || ServerConnection::new(Arc::new(config)))?;
    let mut ends: [Connection; 2] = [client.into(), server.into()];
    let mut wire = Vec::new();
    for end in &mut ends {
        use std::io::Write;
        end.writer().write_all(b"a word").unwrap();
    }
    for turn in 0..10 {
        let (from, to) = (turn % 2, (turn + 1) % 2);
        let mut flight = Vec::new();
        while ends[from].wants_write() {
            ends[from].write_tls(&mut flight).unwrap();
        }
        wire.extend(&flight);
        let mut rest = &flight[..];
        while !rest.is_empty() {
            ends[to].read_tls(&mut rest).unwrap();
            asking(&mut askers[to], || ends[to].process_new_packets())?;
        }
    }
    assert!(ends.iter().all(|end| !end.is_handshaking()));
    Ok(wire)
}

#[test]
fn d1_each_planted_leak_is_found() {
    use Leak::*;
    for version in [&TLS12, &TLS13] {
        for leak in [
            None,
            EcdsaCertificate,
            Ticketer,
            KeyShareOfServer,
            KeyShareOfClient,
            RandomOfServer,
            RandomOfClient,
        ] {
            let (root, chain, key) = identity(leak);
            let id = Identity { root, chain, key };
            let run = || transcript(&id, leak, version).unwrap();
            let same = run() == run();
            assert_eq!(same, leak == None, "{leak:?} in {:?}", version.version);
        }
    }
}

#[test]
fn outside_of_a_session_nothing_is_drawn() {
    let mut out = [1; 4];
    assert!(Random.fill(&mut out).is_err());
    assert!(X25519.start().is_err());
}

#[test]
fn the_group_agrees_with_the_ordinary_one() {
    let all = provider();
    let x25519 = |g: &&&dyn SupportedKxGroup| g.name() == NamedGroup::X25519;
    let ordinary = all.kx_groups.iter().find(x25519).unwrap();
    let mut asker = Some(Asker::Seeded(Stream(1), Default::default()));
    asking(&mut asker, || {
        let (ours, theirs) = (X25519.start().unwrap(), ordinary.start().unwrap());
        let (our_key, their_key) = (ours.pub_key().to_vec(), theirs.pub_key().to_vec());
        let ours = ours.complete(&their_key).unwrap();
        let theirs = theirs.complete(&our_key).unwrap();
        assert_eq!(ours.secret_bytes(), theirs.secret_bytes());
    });
}

#[test]
fn keys_of_small_order_and_of_other_lengths_are_refused() {
    let mut asker = Some(Asker::Seeded(Stream(1), Default::default()));
    asking(&mut asker, || {
        for bad in [vec![0; 32], vec![], vec![9; 31], vec![9; 33]] {
            let secret = X25519.start().unwrap().complete(&bad);
            assert!(secret.is_err(), "{bad:?}");
        }
    });
}
