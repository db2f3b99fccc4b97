//! Certificates made for a test: a root, an intermediate, and whoever they vouch for.

use hio::link::tls::{ClientTls, ClientTlsBuilder, ServerTls, ServerTlsBuilder};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams,
    SerialNumber, date_time_ymd,
};

/// Somebody who issues certificates.
pub(crate) struct Authority(pub(crate) CertifiedIssuer<'static, KeyPair>);

/// A certificate with its chain, and its key, in PEM.
#[derive(Clone)]
pub(crate) struct Identity {
    pub(crate) chain: String,
    pub(crate) key: String,
}

fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.use_authority_key_identifier_extension = true;
    params
}

impl Authority {
    pub(crate) fn root(name: &str) -> Self {
        Self::changed(name, |_| ())
    }

    /// A root that is changed as wished.
    pub(crate) fn changed(name: &str, change: impl FnOnce(&mut CertificateParams)) -> Self {
        let mut params = authority(name);
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    /// One that this one vouches for.
    pub(crate) fn below(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Self {
        let mut params = authority(name);
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::signed_by(params, key, &self.0).unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// Issues a certificate for both roles, for localhost and 127.0.0.1, changed as wished.
    pub(crate) fn issue(
        &self,
        name: &str,
        change: impl FnOnce(&mut CertificateParams),
    ) -> Identity {
        let params = end(name, change);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Identity {
            chain: certificate.pem(),
            key: key.serialize_pem(),
        }
    }

    /// A list that calls these numbers back.
    pub(crate) fn revoke(&self, numbers: &[u64]) -> String {
        let revoked = |&number: &u64| RevokedCertParams {
            serial_number: SerialNumber::from(number),
            revocation_time: date_time_ymd(2026, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(2026, 1, 1),
            next_update: date_time_ymd(2030, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: numbers.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.0).unwrap().pem().unwrap()
    }
}

pub(crate) fn end(name: &str, change: impl FnOnce(&mut CertificateParams)) -> CertificateParams {
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    params.use_authority_key_identifier_extension = true;
    change(&mut params);
    params
}

/// One that only vouches for itself.
pub(crate) fn self_signed(name: &str) -> Identity {
    let key = KeyPair::generate().unwrap();
    let certificate = end(name, |_| ()).self_signed(&key).unwrap();
    Identity {
        chain: certificate.pem(),
        key: key.serialize_pem(),
    }
}

impl Identity {
    /// With another certificate behind.
    pub(crate) fn with(mut self, pem: &str) -> Self {
        self.chain.push_str(pem);
        self
    }

    pub(crate) fn server(&self) -> ServerTlsBuilder {
        ServerTls::builder()
            .certificate(self.chain.as_bytes())
            .key(self.key.as_bytes())
    }

    pub(crate) fn client(&self, ca: &str) -> ClientTlsBuilder {
        ClientTls::builder()
            .ca(ca.as_bytes())
            .certificate(self.chain.as_bytes())
            .key(self.key.as_bytes())
    }
}

/// What most stories need.
pub(crate) struct Pki {
    pub(crate) root: Authority,
    pub(crate) ca: String,
    pub(crate) server: Identity,
    pub(crate) client: Identity,
}

impl Pki {
    pub(crate) fn new() -> Self {
        let root = Authority::root("root");
        Self {
            ca: root.pem(),
            server: root.issue("server", |_| ()),
            client: root.issue("client", |_| ()),
            root,
        }
    }

    pub(crate) fn server_tls(&self) -> ServerTls {
        self.server.server().build().unwrap()
    }

    pub(crate) fn client_tls(&self) -> ClientTls {
        self.trusting().build().unwrap()
    }

    pub(crate) fn trusting(&self) -> ClientTlsBuilder {
        ClientTls::builder()
            .ca(self.ca.as_bytes())
            .name("localhost")
    }
}
