//! Goal: addresses as text: what parses prints so that it parses to the same again, and what is
//! no address says why.
//! Method: tables of good and bad text, and random endpoints and random text.

use std::net::{IpAddr, SocketAddr, SocketAddrV6};

use hio::net::Endpoint;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

#[test]
fn good_addresses() {
    for (text, printed) in [
        ("127.0.0.1:80", "127.0.0.1:80"),
        (":80", "0.0.0.0:80"),
        ("0.0.0.0:0", "0.0.0.0:0"),
        ("[::1]:80", "[::1]:80"),
        ("[::]:65535", "[::]:65535"),
        ("[0:0::1]:007", "[::1]:7"),
        ("[fe80::1%3]:80", "[fe80::1%3]:80"),
        ("example.org:443", "example.org:443"),
        ("a-b_c.example:1", "a-b_c.example:1"),
        ("1.example:1", "1.example:1"),
        ("localhost.:1", "localhost.:1"),
        ("unix:/run/x.sock", "unix:/run/x.sock"),
        ("unix:x", "unix:x"),
        ("unix:a:b c", "unix:a:b c"),
        ("unix:./(unnamed)", "unix:./(unnamed)"),
    ] {
        let at: Endpoint = text.parse().unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(at.to_string(), printed);
        assert_eq!(printed.parse(), Ok(at));
    }
}

#[test]
fn bad_addresses_say_why() {
    let long = format!("{}:1", "x".repeat(254));
    for (text, why) in [
        ("", "HOST:PORT"),
        ("nowhere", "HOST:PORT"),
        ("host:", "number"),
        ("host:+5", "number"),
        ("host:-5", "number"),
        ("host: 5", "number"),
        ("host:5x", "number"),
        ("host:\u{0665}", "number"),
        ("127.0.0.1:+5", "number"),
        ("host:65536", "65535"),
        ("host:99999999999999999999", "65535"),
        ("::1:80", "brackets"),
        ("a:b:80", "brackets"),
        ("[::1]", "number"),
        ("[]:80", "no IPv6 address"),
        ("[:80", "no IPv6 address"),
        ("[::1:80", "no IPv6 address"),
        ("[127.0.0.1]:80", "no IPv6 address"),
        ("[example.org]:80", "no IPv6 address"),
        ("exa mple:80", "character"),
        ("http://x:80", "brackets"),
        ("x/y:80", "character"),
        ("user@host:80", "character"),
        ("a\0b:80", "character"),
        ("a]:80", "character"),
        ("256.1.1.1:80", "neither"),
        ("1.2.3:80", "neither"),
        ("1.2.3.4.5:80", "neither"),
        ("77:80", "neither"),
        (&long, "253"),
        ("unix:", "empty"),
        ("unix:(unnamed)", "without a name"),
    ] {
        let e = text.parse::<Endpoint>().expect_err(text);
        assert!(e.to_string().contains(why), "{text:?}: {e}");
    }
}

#[test]
fn all_interfaces_are_dialled_on_the_loopback_one() {
    for (at, dialled) in [
        (":5", "127.0.0.1:5"),
        ("[::]:5", "[::1]:5"),
        ("10.1.1.1:5", "10.1.1.1:5"),
        ("x.test:5", "x.test:5"),
        ("unix:/x", "unix:/x"),
    ] {
        let at: Endpoint = at.parse().expect("an endpoint");
        assert_eq!(at.dialable().to_string(), dialled);
    }
    assert_eq!(Endpoint::Unnamed.port(), None);
    assert_eq!(Endpoint::host("x", 9).port(), Some(9));
    assert_eq!(Endpoint::host("::1", 9).addr(), "[::1]:9".parse().ok());
    assert_eq!(Endpoint::host("[::1]", 9), Endpoint::host("::1", 9));
    assert_eq!(Endpoint::host("x", 9).addr(), None);
}

fn endpoints() -> impl Strategy<Value = Endpoint> {
    let tcp = (any::<IpAddr>(), any::<u16>())
        .prop_map(|(ip, port)| Endpoint::Tcp(SocketAddr::new(ip, port)));
    let scoped = (any::<std::net::Ipv6Addr>(), any::<u16>(), any::<u32>())
        .prop_map(|(ip, port, scope)| Endpoint::Tcp(SocketAddrV6::new(ip, port, 0, scope).into()));
    let name = (
        "[a-z0-9_-]{1,20}(\\.[a-z0-9-]{1,10}){0,3}\\.[a-z]{1,9}",
        any::<u16>(),
    )
        .prop_map(|(host, port)| Endpoint::Name(host, port));
    let unix = "[^\0]{1,60}"
        .prop_filter("the one reserved", |path| path != "(unnamed)")
        .prop_map(Endpoint::unix);
    prop_oneof![tcp, scoped, name, unix]
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn printing_and_parsing_agree(at in endpoints()) {
        prop_assert_eq!(at.to_string().parse(), Ok(at));
    }

    #[test]
    fn what_parses_prints_to_the_same_again(text in ".{0,40}|[0-9a-f:.%\\[\\]]{0,30}:[0-9]{1,6}") {
        if let Ok(at) = text.parse::<Endpoint>() {
            prop_assert_eq!(at.to_string().parse(), Ok(at));
        }
    }
}
