//! Goal: a warm frame of a host's loop allocates nothing of ours: with 100 peers that each say
//! something in it, plain and over TLS, and with peers that are silent. Method: a counting allocator
//! in a process with one test, the example's own doers; rustls by hand shows what is rustls's.

use std::alloc::System;
use std::sync::Arc;
use std::time::Duration;

use hio::doing::prelude::*;
use hio::link::tls::{ClientTls, ServerTls};
use hio::link::{Client, Limits, Server};
use hio::net::{ConnectOptions, Endpoint, ListenOptions, MioNet, Owner};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, Stats, StatsAlloc};

use arena::{Arena, Game, MESSAGE, Rules, numbers, put};

#[path = "../examples/game_loop/arena.rs"]
mod arena;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const PEERS: usize = 100;
const FRAMES: usize = 200;
const FRAME: Duration = Duration::from_nanos(16_666_667);

/// Calls of the allocator that take something.
fn calls(stats: &Stats) -> usize {
    stats.allocations + stats.reallocations
}

/// A server that is stepped by frames, and peers on a net of their own that are served between them.
struct World {
    doist: Doist<Game>,
    net: MioNet,
    peers: Vec<Client>,
    peers_net: MioNet,
    moves: i64,
}

impl World {
    fn new(tls: Option<(ServerTls, ClientTls)>) -> Self {
        let at = Endpoint::host("127.0.0.1", 0);
        let mut server = Server::new(at, ListenOptions::default(), Limits::default());
        server.set_tls(tls.as_ref().map(|(server, _)| server.clone()));
        let mut doist = Doist::new(Game::new(server, PEERS)).with_tock(FRAME);
        doist.add(Rules);
        doist.add(Arena);
        let (mut net, mut peers_net) = (MioNet::new().unwrap(), MioNet::new().unwrap());
        doist.enter(&mut net).unwrap();
        let at = doist.app.server.eha();
        let peers = (0..PEERS).map(|_| {
            let peer = Client::new(at.clone(), ConnectOptions::default(), Limits::default());
            let mut peer = match &tls {
                Some((_, tls)) => peer.with_tls(tls.clone()),
                None => peer,
            };
            peer.open(Tyme::ZERO, &mut peers_net, Owner::NONE).unwrap();
            peer
        });
        Self {
            peers: peers.collect(),
            doist,
            net,
            peers_net,
            moves: 0,
        }
    }

    /// All peers are connected, and the 10 s of tyme are over in which their handshakes had to be
    /// done: till then there are a hundred deadlines more than ever after.
    fn settle(&mut self) {
        for _ in 0..800 {
            self.frame();
            self.serve_peers();
        }
        assert!(self.peers.iter().all(|peer| peer.connected()));
    }

    fn serve_peers(&mut self) {
        let soon = self.peers_net.now() + Duration::from_millis(1);
        self.peers_net.poll(soon).unwrap();
        for peer in &mut self.peers {
            peer.service(Tyme::ZERO, &mut self.peers_net);
            assert!(peer.closed().is_none(), "{:?}", peer.closed());
        }
    }

    /// One frame; gives what it allocated.
    fn frame(&mut self) -> usize {
        let region = Region::new(ALLOCATOR);
        let advance = self.doist.advance(&mut self.net, FRAME).unwrap();
        let change = region.change();
        assert_eq!(advance.ticks, 1);
        calls(&change)
    }

    /// Every peer makes a move, then a frame that serves them all, then they look at their answers.
    fn busy_frame(&mut self) -> usize {
        self.moves += 1;
        for (who, peer) in (0..).zip(&mut self.peers) {
            let mut message = [0; MESSAGE];
            put(&mut message, &[who, self.moves, 1, 2], 0);
            peer.tx(&message).unwrap();
            peer.service_sends(Tyme::ZERO, &mut self.peers_net);
        }
        let before = self.doist.app.moves;
        let mut allocated = self.frame();
        for _ in 0..100 {
            if self.doist.app.moves - before == PEERS as u64 {
                break;
            }
            allocated += self.frame(); // what the system has not delivered at once
        }
        self.serve_peers();
        for (who, peer) in (0..).zip(&mut self.peers) {
            let message = *peer.rx().first_chunk().expect("an answer");
            let [id, n, _, x, y, ..] = numbers(&message);
            assert_eq!((id, n, x, y), (who, self.moves, self.moves, 2 * self.moves));
            peer.consume(MESSAGE);
        }
        allocated
    }
}

/// A certificate for both ends, in PEM.
fn certificate() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

fn ends((certificate, key): &(String, String)) -> (ServerTls, ClientTls) {
    let server = ServerTls::builder()
        .certificate(certificate.as_bytes())
        .key(key.as_bytes());
    let client = ClientTls::builder().ca(certificate.as_bytes());
    (server.build().unwrap(), client.build().unwrap())
}

/// What rustls by hand allocates on the server's side of so many exchanges like ours, when warm.
fn by_hand((certificate, key): &(String, String), exchanges: usize) -> usize {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let chain = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(chain.clone()).unwrap();
    let config = ServerConfig::builder_with_provider(provider.clone());
    let config = config.with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth();
    let config = config.with_single_cert(vec![chain], key).unwrap();
    let mut server = ServerConnection::new(Arc::new(config)).unwrap();
    let config = ClientConfig::builder_with_provider(provider);
    let config = config.with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(roots).with_no_client_auth();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let mut client = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut wire = Vec::with_capacity(1 << 16);
    let mut allocated = 0;
    for n in 0..exchanges + 100 {
        let handshaking = client.is_handshaking() || server.is_handshaking();
        if !handshaking {
            std::io::Write::write_all(&mut client.writer(), &[7; MESSAGE]).unwrap();
        }
        wire.clear();
        while client.wants_write() {
            client.write_tls(&mut wire).unwrap();
        }
        let (mut from, mut plain, mut to) = (&wire[..], [0; MESSAGE], [0; 1 << 14]);
        let region = Region::new(ALLOCATOR);
        while !from.is_empty() {
            server.read_tls(&mut from).unwrap();
            server.process_new_packets().unwrap();
        }
        if let Ok(got) = std::io::Read::read(&mut server.reader(), &mut plain) {
            std::io::Write::write_all(&mut server.writer(), &plain[..got]).unwrap();
        }
        let mut out = &mut to[..];
        while server.wants_write() {
            server.write_tls(&mut out).unwrap();
        }
        if n >= 100 {
            allocated += calls(&region.change());
        }
        let left = out.len();
        let mut back = &to[..to.len() - left];
        while !back.is_empty() {
            client.read_tls(&mut back).unwrap();
            client.process_new_packets().unwrap();
        }
        if !handshaking && n >= 100 {
            assert_eq!(
                std::io::Read::read(&mut client.reader(), &mut plain).unwrap(),
                MESSAGE
            );
        }
    }
    allocated
}

fn warm(world: &mut World) {
    for _ in 0..20 {
        world.busy_frame();
    }
}

/// So many doers sleep and wake together that the timers are now few, now many.
fn crowd() -> usize {
    let mut net = NullNet::default();
    let mut doist = Doist::new(()).with_tock(FRAME);
    for _ in 0..20 {
        doist.add(doify(|_, _: &mut Cx<'_>| Ok(After(3 * FRAME))));
    }
    doist.enter(&mut net).unwrap();
    let mut frames = |count: usize| -> usize {
        let region = Region::new(ALLOCATOR);
        for _ in 0..count {
            doist.advance(&mut net, FRAME).unwrap();
        }
        calls(&region.change())
    };
    frames(300);
    frames(FRAMES)
}

#[test]
fn a_warm_frame_allocates_nothing_of_ours() {
    assert_eq!(crowd(), 0, "timers");
    let mut plain = World::new(None);
    plain.settle();
    warm(&mut plain);
    let allocated: usize = (0..FRAMES).map(|_| plain.busy_frame()).sum();
    assert_eq!(allocated, 0, "plain, {FRAMES} frames of {PEERS} exchanges");
    drop(plain);

    let pem = certificate();
    let mut secure = World::new(Some(ends(&pem)));
    secure.settle();
    warm(&mut secure);
    let silent: usize = (0..FRAMES).map(|_| secure.frame()).sum();
    assert_eq!(silent, 0, "TLS, {FRAMES} frames without traffic");
    let allocated: usize = (0..FRAMES).map(|_| secure.busy_frame()).sum();
    let exchanges = FRAMES * PEERS;
    let rustls = by_hand(&pem, exchanges);
    let (each, theirs) = (
        allocated as f64 / exchanges as f64,
        rustls as f64 / exchanges as f64,
    );
    println!("allocations in an exchange over TLS: {each} in a frame, {theirs} by rustls alone");
    assert!(rustls > 0, "the instrument counts");
    assert_eq!(
        allocated, rustls,
        "in {exchanges} exchanges: what is not rustls's is ours"
    );
}
