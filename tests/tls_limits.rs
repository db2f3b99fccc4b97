//! Goal: with TLS, too, nobody takes more than the limits give, wherever the bytes are cut.
//! Method: nets in memory with a clock that leaps; streams that hold one byte, or are cut at every
//! position; peers that stall and peers that never read (A3, A5, B6).
#![cfg(any(feature = "tls", feature = "aws-lc-rs"))]

mod support;

use std::time::Duration;

use hio::link::tls::{ClientTls, ServerTls, Versions};
use hio::link::{Client, CloseReason, Event, Limits, Remoter, Server, TxError};
use hio::net::{ConnectOptions, Endpoint, ListenOptions, Net, Owner};
use hio::tyme::Tyme;
use support::memory::MemoryNet;
use support::pki::Pki;
use support::{ms, pattern, reasons};

fn open(net: &mut MemoryNet, tls: ServerTls, limits: Limits) -> Server {
    let at = Endpoint::host("127.0.0.1", 0);
    let mut server = Server::new(at, ListenOptions::default(), limits).with_tls(tls);
    server.open(net, Owner::NONE).unwrap();
    server
}

fn dial(net: &mut MemoryNet, server: &Server, tls: &ClientTls) -> Client {
    let limits = Limits::default();
    let mut client =
        Client::new(server.eha(), ConnectOptions::default(), limits).with_tls(tls.clone());
    let tyme = net.now();
    client.open(tyme, net, Owner::NONE).unwrap();
    client
}

fn echo(ix: &mut Remoter) {
    let _ = ix.echo();
}

fn pass(net: &mut MemoryNet) -> Tyme {
    let soon = net.now() + ms(1);
    net.poll(soon).unwrap();
    net.now()
}

/// A whole life: handshake, echo, close in order.
fn life(net: &mut MemoryNet, server: ServerTls, client: &ClientTls, len: usize, steps: usize) {
    let mut server = open(net, server, Limits::default());
    let mut client = dial(net, &server, client);
    let message = pattern(len);
    client.tx(&message).unwrap();
    for _ in 0..steps {
        let tyme = pass(net);
        client.service(tyme, net);
        server.service_each(tyme, net, echo).unwrap();
        if client.connected() && client.rx().len() == len {
            assert!(client.rx() == message);
            client.drain();
        }
        if !client.opened() && server.is_empty() {
            assert_eq!(client.closed(), Some(CloseReason::Closed));
            assert_eq!(reasons(&mut server), [CloseReason::PeerClosed]);
            server.close(net);
            return;
        }
    }
    panic!(
        "not over: {:?}, {} back",
        client.closed(),
        client.rx().len()
    );
}

/// Both sides show certificates, so that flights are as long as they get.
fn mutual(pki: &Pki, versions: Versions) -> (ServerTls, ClientTls) {
    let server = pki
        .server
        .server()
        .client_ca(pki.ca.as_bytes())
        .versions(versions);
    let client = pki.client.client(&pki.ca).name("localhost").sessions(0);
    (server.build().unwrap(), client.build().unwrap())
}

#[test]
fn b6_one_byte_at_a_time() {
    let pki = Pki::new();
    for versions in [Versions::Tls12, Versions::Tls13] {
        let (server, client) = mutual(&pki, versions);
        for capacity in [1, 2, 3, 7] {
            let mut net = MemoryNet::default();
            net.capacity = capacity;
            life(&mut net, server.clone(), &client, 300, 20_000);
        }
    }
}

#[test]
fn b6_cut_at_every_position() {
    let pki = Pki::new();
    for versions in [Versions::Tls12, Versions::Tls13] {
        let (server, client) = mutual(&pki, versions);
        for split in 1..2_500 {
            let mut net = MemoryNet::default();
            net.split = split;
            life(&mut net, server.clone(), &client, 200, 2_000);
        }
    }
}

#[test]
fn a_small_receive_cap_is_kept_and_nothing_is_lost() {
    let pki = Pki::new();
    for cap in [1, 100, 5_000, 20_000] {
        let mut net = MemoryNet::default();
        let limits = Limits {
            rx_cap: cap,
            ..Limits::default()
        };
        let mut server = open(&mut net, pki.server_tls(), limits);
        let mut client = dial(&mut net, &server, &pki.client_tls());
        let len = if cap == 1 { 2_000 } else { 100_000 };
        let message = pattern(len);
        client.tx(&message).unwrap();
        let mut heard = Vec::new();
        for _ in 0..30_000 {
            let tyme = pass(&mut net);
            client.service(tyme, &mut net);
            // hio's way, every other time, so that the buffer fills up.
            server.service(tyme, &mut net).unwrap();
            for id in server.ids() {
                let ix = server.get_mut(id).unwrap();
                assert!(ix.rx().len() <= cap, "{} of {cap}", ix.rx().len());
                heard.extend_from_slice(ix.rx());
                ix.clear_rx();
            }
            if heard.len() >= len {
                break;
            }
        }
        assert!(
            heard == message,
            "{} of {len} with a cap of {cap}",
            heard.len()
        );
    }
}

#[test]
fn plaintext_left_behind_is_served_without_a_new_edge() {
    let pki = Pki::new();
    let mut net = MemoryNet::default();
    let limits = Limits {
        rx_cap: 10,
        ..Limits::default()
    };
    let mut server = open(&mut net, pki.server_tls(), limits);
    let mut client = dial(&mut net, &server, &pki.client_tls());
    client.tx(&pattern(1_000)).unwrap();
    let mut first = None;
    for _ in 0..1_000 {
        let tyme = pass(&mut net);
        client.service(tyme, &mut net);
        server.service(tyme, &mut net).unwrap();
        let id = server.ids().first().copied();
        first = id.filter(|&id| server.get(id).unwrap().rx().len() == 10);
        if first.is_some() {
            break;
        }
    }
    let id = first.expect("a full buffer");
    // The client is silent from now on. What is left comes as it is consumed.
    let mut heard = 0;
    for _ in 0..400 {
        let ix = server.get_mut(id).unwrap();
        heard += ix.rx().len();
        ix.clear_rx();
        let tyme = pass(&mut net);
        server.service(tyme, &mut net).unwrap();
    }
    assert_eq!(heard, 1_000);
}

#[test]
fn a5_five_hundred_stalled_handshakes_are_gone_at_their_deadline() {
    let pki = Pki::new();
    let mut net = MemoryNet::default();
    let mut server = open(&mut net, pki.server_tls(), Limits::default());
    let group = net.group(Owner::NONE);
    let options = ConnectOptions::default();
    let stalled: Vec<_> = (0..500)
        .map(|_| net.connect(group, &server.eha(), &options).unwrap())
        .collect();
    // A ClientHello, a byte a second.
    let hello = [22, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3, 1, 2, 3, 4, 5];
    let mut good: Option<(Client, Tyme)> = None;
    let mut slowest = Duration::ZERO;
    let mut served = 0;
    let (mut all, mut accepted) = (Vec::new(), Tyme::ZERO);
    let mut ended = None;
    let tls = pki.trusting().sessions(0).build().unwrap();
    for tick in 0..24_000_u64 {
        net.advance(Duration::from_micros(500));
        let tyme = net.now();
        net.poll(tyme).unwrap();
        if tick % 2_000 == 1 {
            for &sid in &stalled {
                // Those that are gone refuse it.
                let at = usize::try_from(tick / 2_000).unwrap();
                let _ = net.write(sid, &hello[at..=at]);
            }
        }
        // A good client every tenth of a second.
        if good.is_none() && tick % 200 == 50 {
            let mut client = dial(&mut net, &server, &tls);
            client.tx(b"hi").unwrap();
            good = Some((client, tyme));
        }
        server.service_each(tyme, &mut net, echo).unwrap();
        if let Some((mut client, since)) = good.take() {
            client.service(tyme, &mut net);
            if client.rx() == b"hi" {
                slowest = slowest.max(tyme.since(since));
                served += 1;
                client.close(&mut net);
            } else {
                assert_eq!(client.closed(), None);
                good = Some((client, since));
            }
        }
        for event in server.events() {
            match event {
                Event::Accepted(_) if tick < 40 => accepted = tyme,
                Event::Closed(_, reason) if reason != CloseReason::Truncated => {
                    assert_eq!(reason, CloseReason::HandshakeTimedOut);
                    all.push(reason);
                    ended = Some(tyme);
                }
                _ => {}
            }
        }
        if all.len() == 500 {
            break;
        }
    }
    assert_eq!(all.len(), 500);
    let lasted = ended.unwrap().since(accepted);
    assert!((ms(9_990)..ms(10_010)).contains(&lasted), "{lasted:?}");
    assert!(served > 80, "{served}");
    assert!(slowest < ms(50), "{slowest:?}");
}

#[test]
fn handshakes_started_in_one_service_are_few() {
    let pki = Pki::new();
    let mut net = MemoryNet::default();
    let limits = Limits {
        handshakes_per_service: 4,
        ..Limits::default()
    };
    let mut server = open(&mut net, pki.server_tls(), limits);
    let mut clients: Vec<_> = (0..30)
        .map(|_| dial(&mut net, &server, &pki.client_tls()))
        .collect();
    for _ in 0..3 {
        let tyme = pass(&mut net);
        clients.iter_mut().for_each(|c| c.service(tyme, &mut net));
    }
    // All hellos are there; each service answers four.
    let mut steps = Vec::new();
    for _ in 0..10 {
        let tyme = pass(&mut net);
        server.service(tyme, &mut net).unwrap();
        let answered = clients
            .iter()
            .filter(|c| net.has_bytes(c.link().sid()))
            .count();
        steps.push(answered);
    }
    assert_eq!(steps[..8], [4, 8, 12, 16, 20, 24, 28, 30]);
}

#[test]
fn a3_peers_that_never_read_are_capped_and_closed_and_delay_nobody() {
    let pki = Pki::new();
    let mut net = MemoryNet::default();
    let limits = Limits {
        tx_cap: 64 * 1024,
        ..Limits::default()
    };
    let mut server = open(&mut net, pki.server_tls(), limits);
    let tls = pki.client_tls();
    let mut deaf: Vec<_> = (0..200).map(|_| dial(&mut net, &server, &tls)).collect();
    let mut good = dial(&mut net, &server, &tls);
    good.tx(b"first").unwrap();
    for _ in 0..200 {
        let tyme = pass(&mut net);
        deaf.iter_mut().for_each(|c| c.service(tyme, &mut net));
        good.service(tyme, &mut net);
        server.service(tyme, &mut net).unwrap();
    }
    let well = server.remoters().filter(|ix| ix.secured()).count();
    assert_eq!(well, 201);
    // Ten MiB for each, as fast as they are taken.
    let begun = net.now();
    let much = vec![7; 10 << 20];
    let (mut asked, mut waits, mut slowest) = (true, 0, 0);
    let mut all = Vec::new();
    for _ in 0..70 {
        net.advance(ms(500));
        let tyme = net.now();
        net.poll(tyme).unwrap();
        good.service(tyme, &mut net);
        if good.rx().is_empty() {
            waits += 1;
        } else {
            slowest = slowest.max(waits);
            good.consume(usize::MAX);
            (asked, waits) = (true, 0);
        }
        if asked {
            good.tx(b"quick").unwrap();
            good.service_sends(tyme, &mut net);
            asked = false;
        }
        server.service(tyme, &mut net).unwrap();
        for id in server.ids() {
            let ix = server.get_mut(id).unwrap();
            if ix.rx().is_empty() {
                if ix.connected() {
                    assert!(matches!(ix.tx(&much), Err(TxError::Full { .. })));
                }
                assert!(ix.pending() <= 64 * 1024);
            } else {
                echo(ix);
            }
        }
        server.service_sends(tyme, &mut net);
        all.extend(reasons(&mut server));
        if all.len() == 200 {
            let lasted = tyme.since(begun);
            assert!((ms(29_000)..ms(33_000)).contains(&lasted), "{lasted:?}");
            break;
        }
    }
    assert_eq!(all, [CloseReason::WriteStalled; 200]);
    assert!(slowest <= 2, "{slowest} ticks");
}
