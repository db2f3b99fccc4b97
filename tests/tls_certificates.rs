//! Goal: no bad certificate is accepted, each has an error of its own, and mistakes of ours are
//! told by name before anything is served. Method: B1's ten kinds in both directions, judged at a
//! wall time that the net tells; every mistake that a builder can be handed.
#![cfg(any(feature = "tls", feature = "aws-lc-rs"))]

mod support;

use std::io::ErrorKind;
use std::time::Duration;

use hio::link::tls::{Certify, ClientTls, ClientTlsBuilder, ServerTls, TlsError, Versions};
use hio::link::{Client, CloseReason, Limits, Remoter, Server, TlsFailure};
use hio::net::{ConnectOptions, Endpoint, ListenOptions, Net, Owner};
use hio::tyme::Tyme;
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, GeneralSubtree, NameConstraints};
use rcgen::{SerialNumber, date_time_ymd};
use support::memory::MemoryNet;
use support::pki::{Authority, Identity, Pki, self_signed};
use support::{client_reasons, reasons};

/// How both sides saw a connection; None for one that was secured and echoed.
fn meet(server: ServerTls, client: ClientTls, epoch: Option<u64>) -> [Option<CloseReason>; 2] {
    let mut net = MemoryNet::default();
    if let Some(days) = epoch {
        net.epoch = Duration::from_secs(days * 86_400);
    }
    let at = Endpoint::host("127.0.0.1", 0);
    let mut server = Server::new(at, ListenOptions::default(), Limits::default()).with_tls(server);
    server.open(&mut net, Owner::NONE).unwrap();
    let mut client =
        Client::new(server.eha(), ConnectOptions::default(), Limits::default()).with_tls(client);
    client.open(Tyme::ZERO, &mut net, Owner::NONE).unwrap();
    client.tx(b"well?").unwrap();
    let (mut of_client, mut of_server) = (Vec::new(), Vec::new());
    for _ in 0..200 {
        let tyme = net.now();
        client.service(tyme, &mut net);
        let echo = |ix: &mut Remoter| {
            let _ = ix.echo();
        };
        server.service_each(tyme, &mut net, echo).unwrap();
        if client.rx() == b"well?" {
            return [None, None];
        }
        of_client.extend(client_reasons(&mut client));
        of_server.extend(reasons(&mut server));
        if let (Some(&of_client), Some(&of_server)) = (of_client.first(), of_server.first()) {
            return [Some(of_client), Some(of_server)];
        }
        net.poll(tyme + Duration::from_millis(50)).unwrap();
    }
    panic!("nothing came of it: {of_client:?} {of_server:?}");
}

const VERSIONS: [Versions; 2] = [Versions::Tls12, Versions::Tls13];

/// The client finds this wrong with the server's certificate, and says so by this alert.
fn refused_by_client(
    server: &Identity,
    client: impl Fn() -> ClientTlsBuilder,
    why: TlsFailure,
    alert: u8,
) {
    for versions in VERSIONS {
        let server = server.server().versions(versions).build().unwrap();
        let client = client().build().unwrap();
        let wanted = [why, TlsFailure::Alert(alert)]
            .map(CloseReason::Tls)
            .map(Some);
        assert_eq!(meet(server, client, None), wanted, "{versions:?}");
    }
}

/// The server finds this wrong with the client's certificate.
fn refused_by_server(
    pki: &Pki,
    client: &Identity,
    revocations: Option<&str>,
    why: TlsFailure,
    alert: u8,
) {
    for versions in VERSIONS {
        let mut server = pki.server.server().client_ca(pki.ca.as_bytes());
        if let Some(list) = revocations {
            server = server.revocations(list.as_bytes());
        }
        let server = server.versions(versions).build().unwrap();
        let client = client.client(&pki.ca).name("localhost").build().unwrap();
        let wanted = [TlsFailure::Alert(alert), why]
            .map(CloseReason::Tls)
            .map(Some);
        assert_eq!(meet(server, client, None), wanted, "{versions:?}");
    }
}

fn both(pki: &Pki, bad: &Identity, why: TlsFailure, alert: u8) {
    refused_by_client(bad, || pki.trusting(), why, alert);
    refused_by_server(pki, bad, None, why, alert);
}

fn expired(params: &mut CertificateParams) {
    params.not_after = date_time_ymd(2026, 11, 19);
}

fn early(params: &mut CertificateParams) {
    params.not_before = date_time_ymd(2026, 11, 21);
}

#[test]
fn b1_good_ones_are_accepted() {
    let pki = Pki::new();
    let middle = pki.root.below("middle", |_| ());
    let long = middle.issue("long", |_| ()).with(&middle.pem());
    for identity in [&pki.server, &long] {
        for versions in VERSIONS {
            let server = identity.server().client_ca(pki.ca.as_bytes());
            let server = server.versions(versions).build().unwrap();
            let client = identity.client(&pki.ca);
            assert_eq!(
                meet(server.clone(), client.clone().build().unwrap(), None),
                [None, None]
            );
            let by_name = client.name("localhost").build().unwrap();
            assert_eq!(meet(server, by_name, None), [None, None]);
        }
    }
}

#[test]
fn b1_expired_and_not_yet_valid_by_the_nets_time() {
    let pki = Pki::new();
    let (old, new) = (pki.root.issue("old", expired), pki.root.issue("new", early));
    both(&pki, &old, TlsFailure::Expired, 45);
    // RFC 5246 §7.2.2 has one alert for both.
    both(&pki, &new, TlsFailure::NotYetValid, 45);
    let day = 1_795_132_800 / 86_400;
    for (identity, day) in [(&old, day - 2), (&new, day + 2)] {
        let server = identity.server().build().unwrap();
        assert_eq!(meet(server, pki.client_tls(), Some(day)), [None, None]);
    }
}

#[test]
fn b1_wrong_host_and_wrong_address() {
    let pki = Pki::new();
    let elsewhere = pki.root.issue("x", |params| {
        params.subject_alt_names =
            CertificateParams::new(["example.org".into(), "127.0.0.2".into()])
                .unwrap()
                .subject_alt_names;
    });
    refused_by_client(&elsewhere, || pki.trusting(), TlsFailure::WrongName, 42);
    let by_address = || ClientTls::builder().ca(pki.ca.as_bytes());
    refused_by_client(&elsewhere, by_address, TlsFailure::WrongAddress, 42);
    let any = by_address().any_name().build().unwrap();
    assert_eq!(
        meet(elsewhere.server().build().unwrap(), any, None),
        [None, None]
    );
    // Any name, but not anybody's.
    let any = || by_address().any_name();
    refused_by_client(&self_signed("me"), any, TlsFailure::SelfSigned, 48);
}

#[test]
fn b1_wrong_usage() {
    let pki = Pki::new();
    let only = |usage: ExtendedKeyUsagePurpose| {
        pki.root
            .issue("x", |params| params.extended_key_usages = vec![usage])
    };
    let of_client = only(ExtendedKeyUsagePurpose::ClientAuth);
    let wrong = TlsFailure::WrongPurpose;
    refused_by_client(&of_client, || pki.trusting(), wrong, 43);
    let of_server = only(ExtendedKeyUsagePurpose::ServerAuth);
    refused_by_server(&pki, &of_server, None, wrong, 43);
}

#[test]
fn b1_self_signed_unknown_authority_and_broken_chain() {
    let pki = Pki::new();
    both(&pki, &self_signed("me"), TlsFailure::SelfSigned, 48);
    let other = Authority::root("another root");
    let stranger = other.issue("stranger", |_| ());
    both(&pki, &stranger, TlsFailure::UnknownIssuer, 48);
    both(
        &pki,
        &stranger.with(&other.pem()),
        TlsFailure::UnknownIssuer,
        48,
    );
    let middle = pki.root.below("middle", |_| ());
    let unrelated = pki.root.below("unrelated", |_| ());
    let broken = middle.issue("broken", |_| ()).with(&unrelated.pem());
    both(&pki, &broken, TlsFailure::BrokenChain, 48);
}

#[test]
fn b1_an_impostor_of_the_root() {
    let pki = Pki::new();
    let impostor = Authority::root("root").issue("x", |_| ());
    let client = pki.trusting().build().unwrap();
    let [seen, _] = meet(impostor.server().build().unwrap(), client, None);
    let Some(CloseReason::Tls(TlsFailure::UnknownIssuer | TlsFailure::BadSignature)) = seen else {
        panic!("{seen:?}");
    };
}

#[test]
fn b1_name_constraint() {
    let pki = Pki::new();
    let middle = pki.root.below("middle", |params| {
        params.name_constraints = Some(NameConstraints {
            permitted_subtrees: vec![GeneralSubtree::DnsName("example.org".into())],
            excluded_subtrees: vec![],
        });
    });
    let outside = middle.issue("outside", |_| ()).with(&middle.pem());
    both(&pki, &outside, TlsFailure::NameConstraint, 46);
}

#[test]
fn b1_revoked() {
    let pki = Pki::new();
    let numbered = |number: u64| {
        pki.root.issue("x", |params| {
            params.serial_number = Some(SerialNumber::from(number))
        })
    };
    let (bad, good) = (numbered(7), numbered(8));
    let list = pki.root.revoke(&[7]);
    let asking = || pki.trusting().revocations(list.as_bytes());
    refused_by_client(&bad, asking, TlsFailure::Revoked, 44);
    refused_by_server(&pki, &bad, Some(&list), TlsFailure::Revoked, 44);
    let server = good.server().client_ca(pki.ca.as_bytes());
    let server = server.revocations(list.as_bytes()).build().unwrap();
    let client = good
        .client(&pki.ca)
        .name("localhost")
        .revocations(list.as_bytes());
    let client = client.build().unwrap();
    assert_eq!(meet(server.clone(), client.clone(), None), [None, None]);
    // A list that is out of date says nothing.
    let late = 1_900_000_000 / 86_400;
    let seen = meet(good.server().build().unwrap(), client, Some(late));
    assert_eq!(
        seen[0],
        Some(CloseReason::Tls(TlsFailure::RevocationUnknown))
    );
}

#[test]
fn an_authority_is_no_end() {
    let pki = Pki::new();
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = support::pki::end("x", |_| ());
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let chain = params.signed_by(&key, &pki.root.0).unwrap().pem();
    let key = key.serialize_pem();
    let [seen, _] = meet(
        Identity { chain, key }.server().build().unwrap(),
        pki.client_tls(),
        None,
    );
    assert_eq!(seen, Some(CloseReason::Tls(TlsFailure::AuthorityAsEnd)));
}

#[test]
fn versions_and_protocols_must_have_something_in_common() {
    let pki = Pki::new();
    let server = pki
        .server
        .server()
        .versions(Versions::Tls13)
        .build()
        .unwrap();
    let client = pki.trusting().versions(Versions::Tls12).build().unwrap();
    let seen = meet(server, client, None);
    let wanted = [TlsFailure::Alert(70), TlsFailure::Incompatible];
    assert_eq!(seen, wanted.map(CloseReason::Tls).map(Some));

    let server = pki.server.server().alpn(["h2"]).build().unwrap();
    let client = pki.trusting().alpn(["http/1.1"]).build().unwrap();
    let seen = meet(server.clone(), client, None);
    let wanted = [TlsFailure::Alert(120), TlsFailure::NoProtocol];
    assert_eq!(seen, wanted.map(CloseReason::Tls).map(Some));
    assert_eq!(meet(server, pki.client_tls(), None), [None, None]);
}

#[test]
fn a_name_that_is_none() {
    let pki = Pki::new();
    let wrong = pki.trusting().name("not a name").build();
    assert_eq!(wrong.unwrap_err(), TlsError::BadName("not a name".into()));
}

/// A file in a directory that is removed at the end.
struct Files(std::path::PathBuf);

impl Files {
    fn new() -> Self {
        Self(support::unix_path().0)
    }

    fn with(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn mistakes_are_told_with_the_file_and_the_reason() {
    let (pki, files) = (Pki::new(), Files::new());
    let certificate = files.with("server.pem", &pki.server.chain);
    let key = files.with("server.key", &pki.server.key);
    let other = files.with("other.key", &pki.client.key);
    let empty = files.with("empty.pem", "");
    let noise = files.with("noise.pem", [7; 100]);
    let broken = files.with(
        "broken.pem",
        "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n",
    );
    let ca = files.with("ca.pem", &pki.ca);
    let gone = files.0.join("gone.pem").to_str().unwrap().to_owned();

    let server = |certificate: &str, key: &str| {
        let builder = ServerTls::builder().certificate(certificate).key(key);
        builder.build().unwrap_err().to_string()
    };
    let ends = |text: String, what: &str| assert!(text.ends_with(what), "{text}");
    assert!(
        ServerTls::builder()
            .certificate(&*certificate)
            .key(&*key)
            .build()
            .is_ok()
    );
    ends(
        server(&certificate, &other),
        &format!("the key in {other} does not fit the certificate in {certificate}"),
    );
    ends(
        server(&gone, &key),
        &format!("cannot read certificate {gone}: entity not found"),
    );
    ends(
        server(&certificate, &gone),
        &format!("cannot read private key {gone}: entity not found"),
    );
    ends(
        server(&empty, &key),
        &format!("there is no certificate in {empty}"),
    );
    ends(
        server(&certificate, &empty),
        &format!("there is no private key in {empty}"),
    );
    ends(
        server(&key, &key),
        &format!("there is no certificate in {key}"),
    );
    ends(
        server(&certificate, &certificate),
        &format!("there is no private key in {certificate}"),
    );
    ends(
        server(&noise, &key),
        &format!("bad certificate in {noise}: it is no X.509 certificate"),
    );
    assert!(server(&broken, &key).starts_with(&format!("bad certificate in {broken}: ")));
    assert!(server(&certificate, &noise).starts_with(&format!("bad private key in {noise}: ")));

    let client = |ca: &str| ClientTls::builder().ca(ca).build().unwrap_err().to_string();
    assert!(ClientTls::builder().ca(&*ca).build().is_ok());
    ends(
        client(&empty),
        &format!("there is no CA certificate in {empty}"),
    );
    ends(
        client(&gone),
        &format!("cannot read CA certificate {gone}: entity not found"),
    );
    assert!(client(&noise).starts_with(&format!("bad CA certificate in {noise}: ")));
    let list = ClientTls::builder()
        .ca(&*ca)
        .revocations(&*noise)
        .build()
        .unwrap_err();
    assert!(
        list.to_string()
            .starts_with(&format!("bad revocation list in {noise}: ")),
        "{list}"
    );
    let alone = ClientTls::builder()
        .ca(&*ca)
        .certificate(&*certificate)
        .build()
        .unwrap_err();
    ends(
        alone.to_string(),
        "the private key of the client's certificate is needed",
    );

    let unreadable = ServerTls::builder().certificate(&*gone).key(&*key).build();
    let Err(TlsError::Unreadable {
        why: ErrorKind::NotFound,
        ..
    }) = unreadable
    else {
        panic!("{unreadable:?}");
    };
    ends(
        ServerTls::builder().build().unwrap_err().to_string(),
        "a certificate is needed",
    );
    let asking = pki
        .server
        .server()
        .certify(Certify::Required)
        .build()
        .unwrap_err();
    ends(
        asking.to_string(),
        "a CA for the clients' certificates is needed",
    );
    let both = pki
        .server
        .server()
        .client_ca(&*ca)
        .certify(Certify::None)
        .build();
    assert!(matches!(both, Err(TlsError::Contradiction(_))));
}

#[test]
fn keys_and_certificates_may_be_der_too() {
    let key = rcgen::KeyPair::generate().unwrap();
    let root = Authority::root("root");
    let certificate = support::pki::end("x", |_| ())
        .signed_by(&key, &root.0)
        .unwrap();
    let server = ServerTls::builder()
        .certificate(certificate.der().to_vec())
        .key(key.serialize_der());
    let client = ClientTls::builder().ca(root.0.der().to_vec());
    let (server, client) = (server.build().unwrap(), client.build().unwrap());
    assert_eq!(meet(server, client, None), [None, None]);
}
