//! Goal: a connection takes up TLS when its programs agree to, even over TLS; sessions are resumed
//! with the identity they had; new certificates are served at once and cost no connection.
//! Method: a small protocol with a plain greeting; the same client again and again (B8, B9).
#![cfg(any(feature = "tls", feature = "aws-lc-rs"))]

mod support;

use hio::link::tls::{ClientTls, ServerTls, StartTlsError, Versions};
use hio::link::{Client, ClientEvent, CloseReason, Event, Limits, Remoter, Server};
use hio::net::{ConnectOptions, ListenOptions, Net, Owner};
use hio::tyme::Tyme;
use support::pki::Pki;
use support::{World, everywhere, pattern, reasons};

fn client(world: &mut World, to: &Server, tls: Option<&ClientTls>) -> Client {
    let mut client = Client::new(to.eha(), ConnectOptions::default(), Limits::default());
    if let Some(tls) = tls {
        client = client.with_tls(tls.clone());
    }
    let tyme = world.net.now();
    client.open(tyme, world.net.as_mut(), Owner::NONE).unwrap();
    client
}

fn server(world: &mut World, tls: Option<ServerTls>) -> Server {
    let mut server = Server::new(
        world.at.clone(),
        ListenOptions::default(),
        Limits::default(),
    );
    server.set_tls(tls);
    server.open(world.net.as_mut(), Owner::NONE).unwrap();
    server
}

/// Answers `starttls` with `go` and TLS, and echoes all else.
fn speak(ix: &mut Remoter, tls: &ServerTls) {
    if ix.rx() == b"starttls" {
        ix.clear_rx();
        ix.tx(b"go").unwrap();
        ix.start_tls(tls).unwrap();
    } else {
        let _ = ix.echo();
    }
}

struct Ends {
    server: Server,
    client: Client,
    tls: ServerTls,
}

impl Ends {
    fn until(&mut self, world: &mut World, mut done: impl FnMut(&mut Client) -> bool) {
        let Self {
            server,
            client,
            tls,
        } = self;
        world.until("that", |tyme, net| {
            client.service(tyme, net);
            server.service_each(tyme, net, |ix| speak(ix, tls)).unwrap();
            assert_eq!(client.closed(), None);
            done(client)
        });
    }

    fn says(&mut self, world: &mut World, say: &[u8], hear: &[u8]) {
        self.client.tx(say).unwrap();
        self.until(world, |client| client.rx().len() >= hear.len());
        assert!(self.client.rx() == hear);
        self.client.consume(usize::MAX);
    }

    fn upgrade(&mut self, world: &mut World, tls: &ClientTls) {
        self.says(world, b"starttls", b"go");
        self.client.start_tls(tls).unwrap();
        assert_eq!(self.client.start_tls(tls), Err(StartTlsError::Handshaking));
        self.until(world, |client| client.link().secured());
        let told = self.client.events().any(|e| e == ClientEvent::Secured);
        assert!(told);
    }
}

#[test]
fn start_tls_at_any_moment_also_over_tls() {
    let pki = Pki::new();
    everywhere(|world| {
        // With packets under way, the end of the innermost TLS meets a peer that still ends the outer
        // ones: which of the two is told of depends on who is first.
        if world.name == "simulated" {
            return;
        }
        let server = server(world, None);
        let client = client(world, &server, None);
        let mut ends = Ends {
            server,
            client,
            tls: pki.server_tls(),
        };
        ends.says(world, b"plain", b"plain");
        assert!(!ends.client.link().secured());
        for depth in 0..3 {
            let versions = match depth {
                1 => Versions::Tls12,
                _ => Versions::Both,
            };
            let tls = pki.trusting().versions(versions).build().unwrap();
            ends.upgrade(world, &tls);
            for len in [1, 20_000, 200_000] {
                let message = pattern(len);
                ends.says(world, &message, &message);
            }
        }
        // The close_notify of each, then the FIN.
        ends.client.drain();
        let mut all = Vec::new();
        world.until("the end", |tyme, net| {
            ends.client.service(tyme, net);
            ends.server
                .service_each(tyme, net, |ix| speak(ix, &ends.tls))
                .unwrap();
            all.extend(reasons(&mut ends.server));
            !ends.client.opened() && !all.is_empty()
        });
        assert_eq!(ends.client.closed(), Some(CloseReason::Closed));
        assert_eq!(all, [CloseReason::PeerClosed]);
        ends.server.close(world.net.as_mut());
    });
}

#[test]
fn what_is_queued_before_goes_out_plain_and_what_comes_after_does_not() {
    let pki = Pki::new();
    let mut world = support::worlds().remove(0);
    let mut server = server(&mut world, None);
    let peer_sees = {
        let mut peer = world.peer(&server);
        let mut sent = false;
        world.until("a greeting", |tyme, net| {
            if !sent && peer.connected(net) {
                peer.send(b"starttls", net);
                sent = true;
            }
            let tls = pki.server_tls();
            let each = |ix: &mut Remoter| {
                if ix.rx() == b"starttls" {
                    ix.clear_rx();
                    ix.tx(b"go").unwrap();
                    ix.start_tls(&tls).unwrap();
                    ix.tx(b"secret").unwrap();
                }
            };
            server.service_each(tyme, net, each).unwrap();
            peer.read(net);
            !peer.got.is_empty()
        });
        for _ in 0..10 {
            let tyme = world.wait(Tyme::NEVER);
            server.service(tyme, world.net.as_mut()).unwrap();
            peer.read(world.net.as_mut());
        }
        peer.got
    };
    assert_eq!(peer_sees, b"go");
    // What waits for the handshake is lost with it, and counted.
    server.close(world.net.as_mut());
    assert_eq!((server.stats().sent, server.stats().unsent), (2, 6));
}

#[test]
fn left_over_plaintext_is_an_error() {
    let pki = Pki::new();
    let mut world = support::worlds().remove(0);
    let mut server = server(&mut world, None);
    let mut client = client(&mut world, &server, None);
    client.tx(b"starttls and a smuggled command").unwrap();
    let mut refused = None;
    world.until("bytes", |tyme, net| {
        client.service(tyme, net);
        let each = |ix: &mut Remoter| {
            ix.consume(8);
            refused = Some(ix.start_tls(&pki.server_tls()));
        };
        server.service_each(tyme, net, each).unwrap();
        refused.is_some()
    });
    assert_eq!(refused, Some(Err(StartTlsError::LeftOver(23))));
    // It goes on as it was.
    client.shutdown();
    let mut heard = Vec::new();
    world.until("more", |tyme, net| {
        client.service(tyme, net);
        let each = |ix: &mut Remoter| {
            if ix.cutoff() && ix.closed().is_none() {
                heard.extend_from_slice(ix.rx());
                ix.clear_rx();
                assert_eq!(
                    ix.start_tls(&pki.server_tls()),
                    Err(StartTlsError::HalfClosed)
                );
            }
        };
        server.service_each(tyme, net, each).unwrap();
        !heard.is_empty()
    });
    assert_eq!(heard, b" and a smuggled command");
    let mut unopened = Client::new(server.eha(), ConnectOptions::default(), Limits::default());
    assert_eq!(
        unopened.start_tls(&pki.client_tls()),
        Err(StartTlsError::NotOpen)
    );
}

trait Finish {
    fn shutdown(&mut self);
}

impl Finish for Client {
    fn shutdown(&mut self) {
        self.link_mut().shutdown_send();
    }
}

/// Connects, echoes, closes; (resumed, who the server saw).
fn visit(world: &mut World, server: &mut Server, tls: &ClientTls) -> (bool, Option<String>) {
    let mut client = client(world, server, Some(tls));
    client.tx(b"x").unwrap();
    let mut seen = None;
    let mut both = Vec::new();
    world.until("an echo", |tyme, net| {
        client.service(tyme, net);
        let each = |ix: &mut Remoter| {
            if let Some(info) = ix.tls() {
                both.push(info.resumed());
                seen = info.peer().and_then(|peer| peer.subject().common_name());
            }
            let _ = ix.echo();
        };
        server.service_each(tyme, net, each).unwrap();
        assert_eq!(client.closed(), None);
        client.rx() == b"x"
    });
    let resumed = client.link().tls().unwrap().resumed();
    assert!(both.iter().all(|&b| b == resumed));
    client.drain();
    world.until("the end", |tyme, net| {
        client.service(tyme, net);
        server.service(tyme, net).unwrap();
        !client.opened() && server.is_empty()
    });
    (resumed, seen)
}

#[test]
fn b8_resumption_keeps_the_clients_identity() {
    let pki = Pki::new();
    for versions in [Versions::Tls12, Versions::Tls13] {
        let mut world = support::worlds().remove(0);
        let tls = pki.server.server().client_ca(pki.ca.as_bytes());
        let mut server = server(&mut world, Some(tls.versions(versions).build().unwrap()));
        let tls = pki
            .client
            .client(&pki.ca)
            .name("localhost")
            .build()
            .unwrap();
        let who = Some("client".to_owned());
        assert_eq!(visit(&mut world, &mut server, &tls), (false, who.clone()));
        for _ in 0..5 {
            assert_eq!(visit(&mut world, &mut server, &tls), (true, who.clone()));
        }
        // Somebody else has a session of his own.
        let other = pki.root.issue("other", |_| ());
        let other = other.client(&pki.ca).name("localhost").build().unwrap();
        let who = Some("other".to_owned());
        assert_eq!(visit(&mut world, &mut server, &other), (false, who));
    }
}

#[test]
fn resumption_can_be_switched_off() {
    let pki = Pki::new();
    let mut world = support::worlds().remove(0);
    let mut server = server(
        &mut world,
        Some(pki.server.server().sessions(0).build().unwrap()),
    );
    let tls = pki.client_tls();
    for _ in 0..3 {
        assert_eq!(visit(&mut world, &mut server, &tls), (false, None));
    }
}

#[test]
fn b9_new_certificates_while_serving() {
    let pki = Pki::new();
    everywhere(|world| {
        let mut server = server(world, Some(pki.server_tls()));
        let tls = pki.trusting().sessions(0).build().unwrap();
        let mut all: Vec<Client> = Vec::new();
        for generation in 0..10_u64 {
            let fresh = pki.root.issue(&format!("server {generation}"), |_| ());
            server.set_tls(Some(fresh.server().build().unwrap()));
            for _ in 0..3 {
                all.push(client(world, &server, Some(&tls)));
            }
            for client in &mut all {
                client.tx(b"still here").unwrap();
            }
            world.until("echoes", |tyme, net| {
                all.iter_mut().for_each(|c| c.service(tyme, net));
                let each = |ix: &mut Remoter| {
                    let _ = ix.echo();
                };
                server.service_each(tyme, net, each).unwrap();
                all.iter().all(|c| c.rx().len() == 10)
            });
            for (i, client) in all.iter_mut().enumerate() {
                assert_eq!(client.rx(), b"still here");
                client.consume(usize::MAX);
                let peer = client.link().tls().unwrap().peer().unwrap();
                let name = format!("server {}", i / 3);
                assert_eq!(peer.subject().common_name(), Some(name));
            }
        }
        let over = |e| matches!(e, Event::Closed(..));
        assert_eq!(server.events().filter(|&e| over(e)).count(), 0);
        server.close(world.net.as_mut());
    });
}

#[test]
fn alpn_and_server_name_are_seen() {
    let pki = Pki::new();
    let mut world = support::worlds().remove(0);
    let tls = pki.server.server().alpn(["x/2", "x/1"]).build().unwrap();
    let mut server = server(&mut world, Some(tls));
    let tls = pki.trusting().alpn(["x/1", "x/2"]).build().unwrap();
    let mut client = client(&mut world, &server, Some(&tls));
    client.tx(b"x").unwrap();
    let mut seen = None;
    world.until("an echo", |tyme, net: &mut dyn Net| {
        client.service(tyme, net);
        let each = |ix: &mut Remoter| {
            let info = ix.tls().unwrap();
            let name = info.server_name().map(str::to_owned);
            seen = Some((info.alpn().map(<[u8]>::to_vec), name));
            let _ = ix.echo();
        };
        server.service_each(tyme, net, each).unwrap();
        client.rx() == b"x"
    });
    let seen = seen.unwrap();
    assert_eq!(seen, (Some(b"x/2".to_vec()), Some("localhost".into())));
    assert_eq!(client.link().tls().unwrap().alpn(), Some(&b"x/2"[..]));
    assert_eq!(client.link().tls().unwrap().chain().count(), 1);
}
