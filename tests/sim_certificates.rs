//! Goal: the certificates of simulations are what their page says. Method: their bytes are looked
//! at; an ignored test makes new ones.
#![cfg(feature = "sim-tls")]

use hio::link::tls::{AltName, Certificate};
use hio::sim::tls;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, PKCS_ED25519, date_time_ymd,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

fn params(name: &str, names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|&name| name.into()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(1970, 1, 1);
    params.not_after = date_time_ymd(9999, 12, 31);
    params
}

fn key() -> KeyPair {
    KeyPair::generate_for(&PKCS_ED25519).unwrap()
}

#[test]
#[ignore = "writes new certificates below src/sim/certs"]
fn make_new_ones() {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/src/sim/certs");
    let write = |name: &str, pem: String| std::fs::write(format!("{dir}/{name}"), pem).unwrap();
    let mut ca = params("hio simulation CA", &[]);
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let ca = CertifiedIssuer::self_signed(ca, key()).unwrap();
    write("ca.pem", ca.pem());

    let both = [
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    let names = ["server.sim", "*.sim", "localhost", "127.0.0.1", "::1"];
    let mut server = params("server.sim", &names);
    server.extended_key_usages = both.to_vec();
    let mut client = params("client.sim", &["client.sim"]);
    client.extended_key_usages = both[1..].to_vec();
    for (name, params) in [("server", server), ("client", client)] {
        let key = key();
        let certificate = params.signed_by(&key, &ca).unwrap();
        write(&format!("{name}.pem"), certificate.pem());
        write(&format!("{name}.key"), key.serialize_pem());
    }
}

fn der(pem: &[u8]) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem).unwrap()
}

/// The object identifier of Ed25519: RFC 8410 §3.
const ED25519: &[u8] = &[0x06, 0x03, 0x2b, 0x65, 0x70];

#[test]
fn the_shipped_ones_are_ed25519_and_valid_for_all_of_simulated_time() {
    for pem in [tls::CA, tls::SERVER, tls::CLIENT] {
        let der = der(pem);
        let has = |what: &[u8]| der.windows(what.len()).any(|window| window == what);
        assert!(has(b"700101000000Z") && has(b"99991231000000Z"));
        assert_eq!(
            der.windows(5).filter(|window| *window == ED25519).count(),
            3,
            "the key, and the signature's algorithm twice"
        );
    }
    let server = der(tls::SERVER);
    let server = Certificate::read(&server).unwrap();
    assert_eq!(server.issuer().to_string(), "CN=hio simulation CA");
    let names: Vec<AltName> = server.alt_names().collect();
    for name in ["server.sim", "*.sim", "localhost"] {
        assert!(names.contains(&AltName::Dns(name.into())), "{name}");
    }
    let client = der(tls::CLIENT);
    let client = Certificate::read(&client).unwrap();
    assert_eq!(client.subject().to_string(), "CN=client.sim");
}
