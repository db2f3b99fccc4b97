//! Goal: a TLS connection ends as it should or says that it did not, and what reading produces
//! leaves at once. Method: rustls by hand at the other end of a socket in memory, which can be as
//! rude as one likes (B3, B4, B5, B8, law L4).
#![cfg(any(feature = "tls", feature = "aws-lc-rs"))]

mod support;

use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Duration;

use hio::link::tls::{ServerTls, Versions};
use hio::link::{CloseReason, Limits, Server, TlsFailure};
use hio::net::{Endpoint, ListenOptions, Net, Owner};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use support::memory::MemoryNet;
use support::pki::Pki;
use support::{Peer, World, everywhere, ms, reasons};

/// A client by hand.
struct Hand {
    peer: Peer,
    tls: ClientConnection,
    /// Bytes of `peer.got` that rustls has seen.
    seen: usize,
    got: Vec<u8>,
    /// The server's close_notify came.
    bye: bool,
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    #[cfg(feature = "tls")]
    let provider = rustls::crypto::ring::default_provider();
    #[cfg(not(feature = "tls"))]
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    Arc::new(provider)
}

fn config(pki: &Pki, version: Option<&'static rustls::SupportedProtocolVersion>) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(pki.ca.as_bytes()).unwrap())
        .unwrap();
    let versions = version.map_or(rustls::ALL_VERSIONS.to_vec(), |v| vec![v]);
    ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

impl Hand {
    fn new(peer: Peer, config: ClientConfig) -> Self {
        let name = ServerName::try_from("localhost").unwrap();
        Self {
            peer,
            tls: ClientConnection::new(Arc::new(config), name).unwrap(),
            seen: 0,
            got: Vec::new(),
            bye: false,
        }
    }

    fn write(&mut self, net: &mut dyn Net) {
        let mut out = Vec::new();
        while self.tls.wants_write() {
            self.tls.write_tls(&mut out).unwrap();
        }
        if !out.is_empty() {
            self.peer.send(&out, net);
        }
    }

    fn read(&mut self, net: &mut dyn Net) {
        self.peer.read(net);
        while self.seen < self.peer.got.len() {
            let mut rest = &self.peer.got[self.seen..];
            match self.tls.read_tls(&mut rest).unwrap() {
                0 => break,
                n => self.seen += n,
            }
            let state = self.tls.process_new_packets().unwrap();
            let mut some = vec![0; state.plaintext_bytes_to_read()];
            self.tls.reader().read_exact(&mut some).unwrap();
            self.got.extend(some);
            self.bye |= state.peer_has_closed();
        }
    }

    fn step(&mut self, net: &mut dyn Net) {
        if !self.peer.connected(net) {
            return;
        }
        self.write(net);
        self.read(net);
        self.write(net);
    }
}

fn server(world: &mut World, tls: ServerTls, limits: Limits) -> Server {
    let mut server = Server::new(world.at.clone(), ListenOptions::default(), limits).with_tls(tls);
    server.open(world.net.as_mut(), Owner::NONE).unwrap();
    server
}

/// A secured connection: the client by hand, the server has echoed `hello`.
fn met(world: &mut World, pki: &Pki, tls: ServerTls, limits: Limits) -> (Server, Hand) {
    let mut server = server(world, tls, limits);
    let mut hand = Hand::new(world.peer(&server), config(pki, None));
    hand.tls.writer().write_all(b"hello").unwrap();
    world.until("a handshake", |tyme, net| {
        hand.step(net);
        let echo = |ix: &mut hio::link::Remoter| {
            let _ = ix.echo();
        };
        server.service_each(tyme, net, echo).unwrap();
        hand.got.starts_with(b"hello")
    });
    (server, hand)
}

#[test]
fn l4_b3_a_fin_without_close_notify_is_truncation() {
    let pki = Pki::new();
    everywhere(|world| {
        for tolerant in [false, true] {
            let tls = pki.server_tls().tolerate_missing_close_notify(tolerant);
            let (mut server, mut hand) = met(world, &pki, tls, Limits::default());
            hand.tls.writer().write_all(b"last words").unwrap();
            hand.step(world.net.as_mut());
            hand.peer.finish(world.net.as_mut());
            let mut heard = Vec::new();
            let mut all = Vec::new();
            world.until("the end", |tyme, net| {
                server
                    .service_each(tyme, net, |ix| {
                        heard.extend_from_slice(ix.rx());
                        ix.clear_rx();
                    })
                    .unwrap();
                all.extend(reasons(&mut server));
                !all.is_empty()
            });
            let wanted = match tolerant {
                true => CloseReason::PeerClosed,
                false => CloseReason::Truncated,
            };
            assert_eq!(all, [wanted]);
            assert!(heard.ends_with(b"last words"));
            server.close(world.net.as_mut());
        }
    });
}

#[test]
fn l4_b3_a_reset_is_a_reset_whatever_the_policy() {
    let pki = Pki::new();
    let mut world = support::worlds().remove(0);
    let tls = pki.server_tls().tolerate_missing_close_notify(true);
    let (mut server, hand) = met(&mut world, &pki, tls, Limits::default());
    hand.peer.reset(world.net.as_mut());
    let mut all = Vec::new();
    world.until("the end", |tyme, net| {
        server.service(tyme, net).unwrap();
        all.extend(reasons(&mut server));
        !all.is_empty()
    });
    assert_eq!(all, [CloseReason::Reset]);
}

#[test]
fn b4_last_data_then_close_notify_then_fin() {
    let pki = Pki::new();
    let mut worlds = support::worlds();
    let mut seen = 0;
    for run in 0..1_000_usize {
        // Most in memory; sockets of the system now and then.
        let at = if run % 50 == 0 { 1 + (run / 50) % 2 } else { 0 };
        let world = &mut worlds[at];
        let (mut server, mut hand) = met(world, &pki, pki.server_tls(), Limits::default());
        let last = support::pattern(1 + run * 37 % 40_000);
        let id = server.ids()[0];
        let ix = server.get_mut(id).unwrap();
        ix.tx(&last).unwrap();
        ix.close();
        world.until("the end", |tyme, net| {
            server.service(tyme, net).unwrap();
            hand.read(net);
            hand.peer.ended.is_some()
        });
        assert_eq!(hand.peer.ended, Some(Ok(())), "a FIN");
        assert!(hand.bye, "a close_notify before it");
        assert!(hand.got[5..] == last, "all data before that");
        hand.tls.send_close_notify();
        hand.write(world.net.as_mut());
        hand.peer.finish(world.net.as_mut());
        world.until("the server's end", |tyme, net| {
            server.service(tyme, net).unwrap();
            server.is_empty()
        });
        assert_eq!(reasons(&mut server), [CloseReason::Closed]);
        server.close(world.net.as_mut());
        seen += 1;
    }
    assert_eq!(seen, 1_000);
}

#[test]
fn half_closed_by_close_notify_the_peer_still_gets_its_answer() {
    let pki = Pki::new();
    everywhere(|world| {
        let (mut server, mut hand) = met(world, &pki, pki.server_tls(), Limits::default());
        hand.tls.writer().write_all(b"question").unwrap();
        hand.tls.send_close_notify();
        hand.step(world.net.as_mut());
        let mut all = Vec::new();
        world.until("the end", |tyme, net| {
            server
                .service_each(tyme, net, |ix| {
                    if ix.cutoff() && !ix.rx().is_empty() {
                        assert_eq!(ix.rx(), b"question");
                        ix.clear_rx();
                        ix.tx(b"answer").unwrap();
                    }
                })
                .unwrap();
            hand.read(net);
            all.extend(reasons(&mut server));
            hand.peer.ended.is_some() && !all.is_empty()
        });
        assert_eq!(hand.got, b"helloanswer");
        assert!(hand.bye);
        assert_eq!(all, [CloseReason::PeerClosed]);
        server.close(world.net.as_mut());
    });
}

#[test]
fn b5_the_answer_to_a_key_update_leaves_in_the_same_service() {
    let pki = Pki::new();
    let mut world = support::worlds().remove(0);
    let (mut server, mut hand) = met(&mut world, &pki, pki.server_tls(), Limits::default());
    let net = world.net.as_mut();
    hand.read(net);
    for _ in 0..10 {
        let before = hand.peer.got.len();
        hand.tls.refresh_traffic_keys().unwrap();
        hand.write(net);
        let now = net.now() + ms(1);
        net.poll(now).unwrap();
        server.service(now, net).unwrap();
        net.poll(now + ms(1)).unwrap();
        hand.read(net);
        assert!(hand.peer.got.len() > before, "the answer is here");
        // New keys both ways, and data still flows.
        hand.tls.writer().write_all(b"x").unwrap();
        hand.write(net);
        let now = net.now() + ms(1);
        net.poll(now).unwrap();
        let echo = |ix: &mut hio::link::Remoter| {
            let _ = ix.echo();
        };
        server.service_each(now, net, echo).unwrap();
        net.poll(now + ms(1)).unwrap();
        hand.read(net);
    }
    assert_eq!(hand.got, b"helloxxxxxxxxxx");
}

#[test]
fn b5_tickets_leave_with_the_handshake() {
    let pki = Pki::new();
    let mut world = support::worlds().remove(0);
    let mut server = server(&mut world, pki.server_tls(), Limits::default());
    let mut hand = Hand::new(world.peer(&server), config(&pki, None));
    world.until("tickets", |tyme, net| {
        hand.step(net);
        server.service(tyme, net).unwrap();
        hand.read(net);
        hand.tls.tls13_tickets_received() == 2
    });
}

#[test]
fn b5_an_alert_leaves_before_the_end() {
    let pki = Pki::new();
    everywhere(|world| {
        let mut server = server(world, pki.server_tls(), Limits::default());
        let mut peer = world.peer(&server);
        let mut sent = false;
        let mut all = Vec::new();
        world.until("the end", |tyme, net| {
            if !sent && peer.connected(net) {
                peer.send(b"GET / HTTP/1.1\r\nHost: not TLS at all\r\n\r\n", net);
                sent = true;
            }
            peer.read(net);
            if peer.ended.is_some() {
                peer.close(net);
            }
            server.service(tyme, net).unwrap();
            all.extend(reasons(&mut server));
            !all.is_empty()
        });
        // RFC 8446 §6: an alert of level fatal.
        assert!(
            matches!(peer.got[..], [21, 3, _, 0, 2, 2, _]),
            "{:?}",
            peer.got
        );
        assert_eq!(peer.ended, Some(Ok(())));
        assert_eq!(all, [CloseReason::Tls(TlsFailure::Misbehaved)]);
        server.close(world.net.as_mut());
    });
}

#[test]
fn tampering_is_found() {
    let pki = Pki::new();
    let mut world = support::worlds().remove(0);
    let (mut server, mut hand) = met(&mut world, &pki, pki.server_tls(), Limits::default());
    hand.tls.writer().write_all(b"pay 1").unwrap();
    let mut out = Vec::new();
    hand.tls.write_tls(&mut out).unwrap();
    let last = out.len() - 1;
    out[last] ^= 1;
    hand.peer.send(&out, world.net.as_mut());
    let mut all = Vec::new();
    let mut heard = 0;
    world.until("the end", |tyme, net| {
        server
            .service_each(tyme, net, |ix| heard += ix.rx().len())
            .unwrap();
        hand.peer.read(net);
        all.extend(reasons(&mut server));
        !all.is_empty()
    });
    assert_eq!(
        (all, heard),
        (vec![CloseReason::Tls(TlsFailure::Tampered)], 0)
    );
}

#[test]
fn a_peer_that_leaves_during_the_handshake_is_told_of_as_such() {
    let pki = Pki::new();
    everywhere(|world| {
        let mut server = server(world, pki.server_tls(), Limits::default());
        let peer = world.peer(&server);
        let mut left = false;
        let mut all = Vec::new();
        world.until("the end", |tyme, net| {
            if !left && peer.connected(net) {
                peer.send(&[22, 3, 1], net);
                peer.finish(net);
                left = true;
            }
            server.service(tyme, net).unwrap();
            all.extend(reasons(&mut server));
            !all.is_empty()
        });
        assert_eq!(all, [CloseReason::Tls(TlsFailure::Left)]);
        server.close(world.net.as_mut());
    });
}

/// What a version's session has in common with what this one has.
fn speaks(pki: &Pki, version: &'static rustls::SupportedProtocolVersion) -> String {
    let mut world = support::worlds().remove(0);
    let mut server = server(&mut world, pki.server_tls(), Limits::default());
    let mut hand = Hand::new(world.peer(&server), config(pki, Some(version)));
    world.until("a handshake", |tyme, net| {
        hand.step(net);
        server.service(tyme, net).unwrap();
        !hand.tls.is_handshaking()
    });
    let suite = hand.tls.negotiated_cipher_suite().unwrap().suite();
    format!("{suite:?}")
}

#[test]
fn b8_ciphers_are_aead_with_forward_secrecy() {
    let pki = Pki::new();
    let twelve = speaks(&pki, &rustls::version::TLS12);
    assert!(twelve.starts_with("TLS_ECDHE_ECDSA_WITH_"), "{twelve}");
    assert!(
        twelve.contains("GCM") || twelve.contains("POLY1305"),
        "{twelve}"
    );
    assert!(speaks(&pki, &rustls::version::TLS13).starts_with("TLS13_"));
}

#[test]
fn b8_renegotiation_is_refused() {
    let pki = Pki::new();
    let mut world = support::worlds().remove(0);
    let tls = pki.server.server().versions(Versions::Tls12);
    let (mut server, mut hand) = met(&mut world, &pki, tls.build().unwrap(), Limits::default());
    // A ClientHello in the clear on a connection that has keys.
    let mut again = Vec::new();
    let name = ServerName::try_from("localhost").unwrap();
    let config = Arc::new(config(&pki, Some(&rustls::version::TLS12)));
    let mut other = ClientConnection::new(config, name).unwrap();
    other.write_tls(&mut again).unwrap();
    hand.peer.send(&again, world.net.as_mut());
    let mut all = Vec::new();
    world.until("the end", |tyme, net| {
        server.service(tyme, net).unwrap();
        hand.peer.read(net);
        all.extend(reasons(&mut server));
        !all.is_empty()
    });
    assert!(matches!(all[..], [CloseReason::Tls(_)]), "{all:?}");
}

#[test]
fn b8_old_versions_are_refused_with_their_alert() {
    let pki = Pki::new();
    let mut world = support::worlds().remove(0);
    // A ClientHello of TLS 1.1: RFC 4346 §7.4.1.2, with one cipher and no compression.
    let mut hello = vec![22, 3, 1, 0, 0, 1, 0, 0, 0, 3, 2];
    hello.extend([7; 32]);
    hello.extend([0, 0, 2, 0xc0, 0x14, 1, 0]);
    hello.extend([0, 16, 0, 10, 0, 4, 0, 2, 0, 29, 0, 13, 0, 4, 0, 2, 4, 3]);
    let len = u16::try_from(hello.len() - 5).unwrap();
    hello[3..5].copy_from_slice(&len.to_be_bytes());
    hello[7..9].copy_from_slice(&(len - 4).to_be_bytes());
    let mut server = server(&mut world, pki.server_tls(), Limits::default());
    let mut peer = world.peer(&server);
    let mut sent = false;
    world.until("an alert", |tyme, net| {
        if !sent && peer.connected(net) {
            peer.send(&hello, net);
            sent = true;
        }
        peer.read(net);
        server.service(tyme, net).unwrap();
        peer.got.len() >= 7
    });
    // protocol_version
    assert_eq!((peer.got[0], &peer.got[5..7]), (21, &[2, 70][..]));
}

#[test]
fn a_lost_session_takes_what_was_queued_into_account() {
    let pki = Pki::new();
    let mut net = MemoryNet::default();
    net.capacity = 4096;
    let at = Endpoint::host("127.0.0.1", 0);
    let mut server =
        Server::new(at, ListenOptions::default(), Limits::default()).with_tls(pki.server_tls());
    server.open(&mut net, Owner::NONE).unwrap();
    let mut world = World::of(Box::new(net));
    let mut hand = Hand::new(world.peer(&server), config(&pki, None));
    world.until("a handshake", |tyme, net| {
        hand.step(net);
        server.service(tyme, net).unwrap();
        !hand.tls.is_handshaking()
            && server
                .ids()
                .iter()
                .all(|&id| server.get(id).unwrap().secured())
    });
    hand.read(world.net.as_mut());
    let id = server.ids()[0];
    let ix = server.get_mut(id).unwrap();
    ix.tx(&[1; 300_000]).unwrap();
    assert_eq!(ix.pending(), 300_000);
    for _ in 0..3 {
        let tyme = world.wait(hio::tyme::Tyme::NEVER);
        server.service(tyme, world.net.as_mut()).unwrap();
    }
    let ix = server.get(id).unwrap();
    let pending = ix.pending();
    assert!((200_000..=300_000).contains(&pending), "{pending}");
    assert_eq!(ix.room(), Limits::default().tx_cap - pending);
    let tyme = world.net.now() + Duration::from_secs(1);
    server.remove_ix(id, tyme, world.net.as_mut()).unwrap();
    assert_eq!(server.stats().unsent, pending as u64);
    assert_eq!(server.stats().sent + server.stats().unsent, 300_000);
}
