//! Goal: TLS changes nothing about a connection but that its bytes are protected, and tells who
//! the peer is. Method: the same short stories over every kind of socket, both versions.
#![cfg(any(feature = "tls", feature = "aws-lc-rs"))]

mod support;

use hio::link::tls::{AltName, Certify, ClientTls, ServerTls, Versions};
use hio::link::{Client, ClientEvent, CloseReason, Event, Limits, Remoter, Server, TlsFailure};
use hio::net::{ConnectOptions, Endpoint, ListenOptions, Lookup, Net, Owner};
use hio::tyme::Tyme;
use support::memory::MemoryNet;
use support::pki::Pki;
use support::{World, client_reasons, everywhere, ms, pattern, reasons};

fn server(world: &mut World, tls: ServerTls, limits: Limits) -> Server {
    let mut server = Server::new(world.at.clone(), ListenOptions::default(), limits).with_tls(tls);
    server.open(world.net.as_mut(), Owner::NONE).unwrap();
    server
}

fn client(world: &mut World, to: &Server, tls: ClientTls, limits: Limits) -> Client {
    let mut client = Client::new(to.eha(), ConnectOptions::default(), limits).with_tls(tls);
    let tyme = world.net.now();
    client.open(tyme, world.net.as_mut(), Owner::NONE).unwrap();
    client
}

fn echo(remoter: &mut Remoter) {
    let _ = remoter.echo();
}

fn serve(server: &mut Server, tyme: Tyme, net: &mut dyn Net) {
    server.service_each(tyme, net, echo).unwrap();
}

/// Sends a message and takes it back.
fn echoed(world: &mut World, server: &mut Server, client: &mut Client, len: usize) {
    let message = pattern(len);
    let mut sent = 0;
    let mut back = Vec::new();
    world.until("the echo", |tyme, net| {
        if sent < len {
            match client.tx(&message[sent..]) {
                Ok(()) => sent = len,
                Err(hio::link::TxError::Full { taken }) => sent += taken,
                Err(e) => panic!("{e}"),
            }
        }
        client.service(tyme, net);
        back.extend_from_slice(client.rx());
        client.consume(usize::MAX);
        serve(server, tyme, net);
        assert_eq!(client.closed(), None);
        back.len() >= len
    });
    assert!(back == message);
}

#[test]
fn an_echo_of_every_size_in_both_versions() {
    let pki = Pki::new();
    everywhere(|world| {
        for versions in [Versions::Tls12, Versions::Tls13, Versions::Both] {
            let mut server = server(world, pki.server_tls(), Limits::default());
            let tls = pki.trusting().versions(versions).build().unwrap();
            let mut client = client(world, &server, tls, Limits::default());
            for len in [1, 5, 16_384, 16_385, 70_000, 3_000_000] {
                echoed(world, &mut server, &mut client, len);
            }
            let info = client.link().tls().unwrap();
            let wanted = match versions {
                Versions::Tls12 => "TLSv1.2",
                _ => "TLSv1.3",
            };
            assert_eq!(info.version_name(), wanted);
            assert!(info.cipher().is_some() && info.group().is_some());
            assert!(client.stats().received == server.stats().received);
            assert!(client.stats().sent == server.stats().sent);

            client.drain();
            world.until("the end", |tyme, net| {
                client.service(tyme, net);
                serve(&mut server, tyme, net);
                !client.opened() && server.is_empty()
            });
            assert_eq!(client_reasons(&mut client), [CloseReason::Closed]);
            assert_eq!(reasons(&mut server), [CloseReason::PeerClosed]);
            server.close(world.net.as_mut());
        }
    });
}

#[test]
fn events_tell_when_it_is_secured() {
    let pki = Pki::new();
    everywhere(|world| {
        let mut server = server(world, pki.server_tls(), Limits::default());
        let mut client = client(world, &server, pki.client_tls(), Limits::default());
        let (mut of_server, mut of_client) = (Vec::new(), Vec::new());
        client.tx(b"hello").unwrap();
        assert!(!client.connected());
        world.until("both sides", |tyme, net| {
            client.service(tyme, net);
            server.service(tyme, net).unwrap();
            of_server.extend(server.events());
            of_client.extend(client.events());
            of_server.len() >= 3
        });
        assert!(matches!(
            of_server[..],
            [Event::Accepted(a), Event::Secured(b), Event::Received(c)] if a == b && b == c
        ));
        assert!(matches!(
            of_client[..],
            [ClientEvent::Connected(_), ClientEvent::Secured, ..]
        ));
        assert!(client.connected());
        let id = server.ids()[0];
        assert_eq!(server.get(id).unwrap().rx(), b"hello");
        server.close(world.net.as_mut());
    });
}

#[test]
fn an_address_is_a_name_and_a_path_is_none() {
    let pki = Pki::new();
    everywhere(|world| {
        let mut server = server(world, pki.server_tls(), Limits::default());
        let unnamed = ClientTls::builder().ca(pki.ca.as_bytes()).build().unwrap();
        let mut client = client(world, &server, unnamed, Limits::default());
        let _ = client.tx(b"x"); // a Unix socket may have connected already, in vain
        let mut ends = Vec::new();
        world.until("an echo or an end", |tyme, net| {
            client.service(tyme, net);
            serve(&mut server, tyme, net);
            ends.extend(client_reasons(&mut client));
            client.rx() == b"x" || !ends.is_empty()
        });
        let wanted = match (world.tcp, world.name) {
            (false, _) => Some(CloseReason::Tls(TlsFailure::BadName)),
            (true, "tcp v6") => Some(CloseReason::Tls(TlsFailure::WrongAddress)),
            _ => None,
        };
        assert_eq!(ends.first().copied(), wanted);
        client.close(world.net.as_mut());
        server.close(world.net.as_mut());
    });
}

#[test]
fn b2_client_certificates_none_optional_required() {
    let pki = Pki::new();
    let mut worlds = support::worlds();
    let world = &mut worlds[0];
    for versions in [Versions::Tls12, Versions::Tls13] {
        for certify in [Certify::None, Certify::Optional, Certify::Required] {
            for shows in [false, true] {
                let mut builder = pki.server.server().certify(certify).versions(versions);
                if certify != Certify::None {
                    builder = builder.client_ca(pki.ca.as_bytes());
                }
                let mut server = server(world, builder.build().unwrap(), Limits::default());
                let tls = match shows {
                    true => pki.client.client(&pki.ca).name("localhost"),
                    false => pki.trusting(),
                };
                let tls = tls.build().unwrap();
                let mut client = client(world, &server, tls, Limits::default());
                client.tx(b"x").unwrap();
                let mut seen = None;
                let mut closed = Vec::new();
                world.until("an answer", |tyme, net| {
                    client.service(tyme, net);
                    let look = |ix: &mut Remoter| {
                        if let Some(info) = ix.tls() {
                            seen = Some(info.peer().map(|peer| {
                                (
                                    peer.subject().common_name(),
                                    peer.issuer().to_string(),
                                    peer.alt_names().next(),
                                )
                            }));
                        }
                        echo(ix);
                    };
                    server.service_each(tyme, net, look).unwrap();
                    closed.extend(client_reasons(&mut client));
                    client.rx() == b"x" || !closed.is_empty() && server.is_empty()
                });
                let what = format!("{versions:?} {certify:?} {shows}");
                match (certify, shows) {
                    (Certify::Required, false) => {
                        assert_eq!(closed.len(), 1, "{what}");
                        let alert = TlsFailure::Alert(116);
                        let twelve = TlsFailure::Alert(40);
                        assert!(
                            [CloseReason::Tls(alert), CloseReason::Tls(twelve)]
                                .contains(&closed[0]),
                            "{what}: {closed:?}"
                        );
                        let none = CloseReason::Tls(TlsFailure::NoCertificate);
                        assert_eq!(reasons(&mut server), [none], "{what}");
                    }
                    (Certify::None, _) | (_, false) => assert_eq!(seen, Some(None), "{what}"),
                    (_, true) => {
                        let name = Some("client".to_owned());
                        let dns = AltName::Dns("localhost".into());
                        let peer = (name, "CN=root".to_owned(), Some(dns));
                        assert_eq!(seen, Some(Some(peer)), "{what}");
                    }
                }
                client.close(world.net.as_mut());
                server.close(world.net.as_mut());
            }
        }
    }
}

#[test]
fn idle_connections_end_at_the_same_tyme_as_plain_ones() {
    let pki = Pki::new();
    let mut worlds = support::worlds();
    let world = &mut worlds[0];
    let limits = Limits {
        tymeout: Some(ms(500)),
        ..Limits::default()
    };
    let mut spans = Vec::new();
    for secure in [false, true] {
        let mut server = match secure {
            true => server(world, pki.server_tls(), limits.clone()),
            false => world.server(limits.clone()),
        };
        let mut client = match secure {
            true => client(world, &server, pki.client_tls(), Limits::default()),
            false => world.client(&server, Limits::default()),
        };
        for _ in 0..3 {
            echoed(world, &mut server, &mut client, 10);
        }
        let begun = world.net.now();
        let mut last = begun;
        world.until("the tymeout", |tyme, net| {
            client.service(tyme, net);
            serve(&mut server, tyme, net);
            last = tyme;
            server.is_empty()
        });
        assert_eq!(reasons(&mut server), [CloseReason::IdleTimedOut]);
        spans.push(last.since(begun));
        // The good-bye was missing, and that shows.
        let wanted = match secure {
            true => CloseReason::Truncated,
            false => CloseReason::PeerClosed,
        };
        world.until("the client", |tyme, net| {
            client.service(tyme, net);
            !client.opened()
        });
        assert_eq!(client_reasons(&mut client), [wanted]);
        server.close(world.net.as_mut());
    }
    let apart = spans[0].abs_diff(spans[1]);
    assert!(apart < ms(10), "{spans:?}");
}

/// What was queued before left in plain text when no session could be made.
#[test]
fn what_was_to_be_protected_never_leaves_unprotected() {
    let pki = Pki::new();
    let tls = ClientTls::builder().ca(pki.ca.as_bytes()).build().unwrap();
    let mut net = MemoryNet::default();
    let address = "127.0.0.1".parse().unwrap();
    // Dialled by a name that no certificate can have.
    let known = (ms(20), Lookup::Ready(vec![address]));
    net.names.insert("no name".into(), known);
    let mut world = World::of(Box::new(net));
    let mut server = world.server(Limits::default());
    let to = Endpoint::host("no name", server.ha().addr().unwrap().port());
    let mut client = Client::new(to, ConnectOptions::default(), Limits::default()).with_tls(tls);
    let tyme = world.net.now();
    client.open(tyme, world.net.as_mut(), Owner::NONE).unwrap();
    client.tx(b"secret").unwrap();
    let (mut came, mut ends) = (Vec::new(), Vec::new());
    world.until("the end", |tyme, net| {
        client.service(tyme, net);
        let look = |remoter: &mut Remoter| came.extend_from_slice(remoter.rx());
        server.service_each(tyme, net, look).unwrap();
        ends.extend(reasons(&mut server));
        !ends.is_empty() && client.closed().is_some()
    });
    let unnamed = CloseReason::Tls(TlsFailure::BadName);
    assert_eq!(client.closed(), Some(unnamed));
    assert_eq!(client.stats().unsent, 6);
    assert!(came.is_empty(), "{came:?}");
}
