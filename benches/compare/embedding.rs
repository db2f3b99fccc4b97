//! Frames of a host's loop: what they allocate, and what one costs that has nothing to do.

use std::io::{Read, Write};
use std::time::Duration;

use hio::doers::EchoServerDoer;
use hio::doing::prelude::*;
use hio::link::tls::{ClientTls, ServerTls};
use hio::link::{Client, Limits, Server};
use hio::net::{ConnectOptions, Endpoint, ListenOptions, MioNet, Owner};
use mio::{Events, Poll};
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, ServerConnection};

use crate::measure::{nanos_since, now};
use crate::table::{Goal, Row, Table};
use crate::tls_config::{client_config, server_config, write_certificates};
use crate::{Scale, allocations, embedding_loop};

const PEERS: usize = 100;
const FRAME: Duration = Duration::from_nanos(16_666_667);
const MESSAGE: [u8; 64] = [7; 64];

pub(crate) fn run(table: &mut Table, scale: Scale) {
    if let Err(why) = frames(table, scale) {
        table.note("frames of 100 TLS peers", &why);
    }
    embedding_loop::run(table, scale);
}

fn frames(table: &mut Table, scale: Scale) -> Result<(), String> {
    let dir = std::env::temp_dir().join(format!("hio-frames-{}", std::process::id()));
    write_certificates(&dir)?;
    let count = if scale.quick() { 20 } else { 200 };
    let world = World::new(&dir).map_err(|e| e.to_string());
    let hand = by_hand(&dir, count * PEERS).map_err(|e| e.to_string());
    drop(std::fs::remove_dir_all(&dir));
    let (mut world, hand) = (world?, hand? as f64 / count as f64);
    world.settle()?;
    let mut allocated = 0;
    for _ in 0..count {
        allocated += world.busy_frame()?;
    }
    let ours = allocated as f64 / count as f64;
    table.row(Row {
        what: "a warm frame, 100 TLS peers, a message each (floor: rustls by hand): allocations",
        floor: &[hand],
        hio: &[ours],
        goal: Goal::Figure(0.0),
        ..Row::default()
    });
    table.row(Row {
        what: "the same: allocations beside those of rustls",
        hio: &[ours - hand],
        goal: Goal::Figure(0.0),
        ..Row::default()
    });
    let (mut bare, mut again, mut hio) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..scale.rounds() {
        bare.push(look()?);
        hio.push(world.idle_frame()?);
        again.push(look()?);
    }
    table.row(Row {
        what: "a frame with nothing to do, 100 TLS peers (floor: a look at epoll and the clock)",
        unit: "ns",
        floor: &bare,
        again: &again,
        hio: &hio,
        goal: Goal::Figure(2_000.0),
        ..Row::default()
    });
    Ok(())
}

/// Frames that are timed together.
const MANY: u32 = 10_000;

/// A look at epoll that finds nothing, and at the clock, in nanoseconds.
fn look() -> Result<f64, String> {
    let mut poll = Poll::new().map_err(|e| e.to_string())?;
    let mut events = Events::with_capacity(1024);
    let start = now();
    for _ in 0..MANY {
        let looked = poll.poll(&mut events, Some(Duration::ZERO));
        looked.map_err(|e| e.to_string())?;
        std::hint::black_box(now());
    }
    Ok(nanos_since(start) as f64 / f64::from(MANY))
}

/// A server that is stepped by frames, and peers on a net of their own, served between them.
struct World {
    doist: Doist,
    net: MioNet,
    peers: Vec<Client>,
    peers_net: MioNet,
}

impl World {
    fn new(certs: &std::path::Path) -> Result<Self, Fault> {
        let tls = ServerTls::builder()
            .certificate(certs.join("server.pem"))
            .key(certs.join("server.key"))
            .build()?;
        let at = Endpoint::host("127.0.0.1", 0);
        let server = Server::new(at, ListenOptions::default(), Limits::default()).with_tls(tls);
        let mut doist = Doist::new(()).with_tock(FRAME);
        let echo = doist.add(EchoServerDoer::new(server));
        let (mut net, mut peers_net) = (MioNet::new()?, MioNet::new()?);
        doist.enter(&mut net)?;
        let at = doist.get(echo).map(|echo| echo.server().eha());
        let at = at.ok_or_else(|| Fault::msg("no server"))?;
        let tls = ClientTls::builder()
            .ca(certs.join("ca.pem"))
            .name("localhost")
            .build()?;
        let mut peers = Vec::new();
        for _ in 0..PEERS {
            let peer = Client::new(at.clone(), ConnectOptions::default(), Limits::default());
            let mut peer = peer.with_tls(tls.clone());
            peer.open(Tyme::ZERO, &mut peers_net, Owner::NONE)?;
            peers.push(peer);
        }
        Ok(Self {
            doist,
            net,
            peers,
            peers_net,
        })
    }

    /// Until all have shaken hands, and the time is over in which they had to.
    fn settle(&mut self) -> Result<(), String> {
        for _ in 0..800 {
            self.frame()?;
            self.serve_peers()?;
        }
        for _ in 0..20 {
            self.busy_frame()?;
        }
        Ok(())
    }

    fn serve_peers(&mut self) -> Result<(), String> {
        let soon = self.peers_net.now() + Duration::from_millis(1);
        self.peers_net.poll(soon).map_err(|e| e.to_string())?;
        for peer in &mut self.peers {
            peer.service(Tyme::ZERO, &mut self.peers_net);
            if let Some(why) = peer.closed() {
                return Err(format!("a peer was closed: {why}"));
            }
        }
        Ok(())
    }

    /// One frame; gives how often it allocated.
    fn frame(&mut self) -> Result<usize, String> {
        let before = allocations();
        let advance = self.doist.advance(&mut self.net, FRAME);
        let after = allocations();
        advance.map_err(|e| e.to_string())?;
        Ok(after - before)
    }

    /// A frame in which all have said something, and every byte comes back.
    fn busy_frame(&mut self) -> Result<usize, String> {
        for peer in &mut self.peers {
            peer.tx(&MESSAGE).map_err(|e| e.to_string())?;
            peer.service_sends(Tyme::ZERO, &mut self.peers_net);
        }
        let mut allocated = 0;
        for _ in 0..100 {
            allocated += self.frame()?;
            self.serve_peers()?;
            if self.peers.iter().all(|peer| peer.rx() == MESSAGE) {
                self.peers
                    .iter_mut()
                    .for_each(|peer| peer.consume(MESSAGE.len()));
                return Ok(allocated);
            }
        }
        Err("not every echo came back".to_owned())
    }

    /// What a frame costs in which nobody says anything, in nanoseconds.
    fn idle_frame(&mut self) -> Result<f64, String> {
        let start = now();
        for _ in 0..MANY {
            let advance = self.doist.advance(&mut self.net, FRAME);
            advance.map_err(|e| e.to_string())?;
        }
        Ok(nanos_since(start) as f64 / f64::from(MANY))
    }
}

/// How often rustls allocates by itself on the server's side of so many warm exchanges, from memory.
fn by_hand(certs: &std::path::Path, exchanges: usize) -> std::io::Result<usize> {
    let wrong = std::io::Error::other::<rustls::Error>;
    let mut server = ServerConnection::new(server_config(certs)?).map_err(wrong)?;
    let name = ServerName::try_from("localhost").map_err(std::io::Error::other)?;
    let mut client = ClientConnection::new(client_config(certs, false)?, name).map_err(wrong)?;
    let (mut wire, mut answer) = (Vec::with_capacity(1 << 16), [0; 1 << 14]);
    let mut plain = [0; MESSAGE.len()];
    let mut allocated = 0;
    for n in 0..exchanges + 100 {
        if !client.is_handshaking() {
            client.writer().write_all(&MESSAGE)?;
        }
        wire.clear();
        while client.wants_write() {
            client.write_tls(&mut wire)?;
        }
        let mut from = &wire[..];
        let before = allocations();
        while !from.is_empty() {
            server.read_tls(&mut from)?;
            server.process_new_packets().map_err(wrong)?;
        }
        if let Ok(got) = server.reader().read(&mut plain) {
            server.writer().write_all(&plain[..got])?;
        }
        let mut out = &mut answer[..];
        while server.wants_write() {
            server.write_tls(&mut out)?;
        }
        let after = allocations();
        allocated += if n < 100 { 0 } else { after - before };
        let left = out.len();
        let mut back = &answer[..answer.len() - left];
        while !back.is_empty() {
            client.read_tls(&mut back)?;
            client.process_new_packets().map_err(wrong)?;
        }
        if n >= 100 && (client.reader().read(&mut plain)? != plain.len() || plain != MESSAGE) {
            return Err(std::io::Error::other("the echo differs"));
        }
    }
    Ok(allocated)
}
