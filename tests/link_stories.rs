//! Goal: what a connection does from accept to its end, the same on every kind of stream.
//! Method: stories over TCP v4 and v6 and Unix sockets of the system, and over a net in memory;
//! the other end is a `Client` or a peer that is driven by hand.

mod support;

use hio::link::{Client, ClientEvent, CloseReason, Event, Limits, Server, TxError};
use hio::net::{Net, Owner};
use hio::tyme::Tyme;
use support::{Peer, World, client_reasons, everywhere, ms, pattern, reasons};

fn echo(server: &mut Server, tyme: Tyme, net: &mut dyn Net) {
    server
        .service_each(tyme, net, |ix| {
            // A full queue keeps the rest received.
            let _ = ix.echo();
        })
        .unwrap();
}

/// Connects a peer by hand; the server has accepted it afterwards.
fn joined(world: &mut World, server: &mut Server) -> Peer {
    let peer = world.peer(server);
    let before = server.stats().opened;
    world.until("a peer joins", |tyme, net| {
        server.service(tyme, net).unwrap();
        peer.connected(net) && server.stats().opened > before
    });
    peer
}

#[test]
fn echo_in_both_forms() {
    everywhere(|world| {
        let mut server = world.server(Limits::default());
        let mut client = world.client(&server, Limits::default());
        client.tx(b"first").unwrap(); // before it is connected
        world.until("an echo, served each", |tyme, net| {
            echo(&mut server, tyme, net);
            client.service(tyme, net);
            client.rx() == b"first"
        });
        client.consume(5);
        client.tx(b"second").unwrap();
        world.until("an echo, hio's way", |tyme, net| {
            server.service(tyme, net).unwrap();
            for id in server.ready().to_vec() {
                server.get_mut(id).unwrap().echo().unwrap();
            }
            server.service_sends(tyme, net);
            client.service(tyme, net);
            client.rx() == b"second"
        });
        let events: Vec<_> = server.events().collect();
        let id = server.ids()[0];
        assert_eq!(events, [Event::Accepted(id), Event::Received(id)]);
        let at = server.eha();
        let events: Vec<_> = client.events().collect();
        assert_eq!(
            events[..2],
            [ClientEvent::Connected(at), ClientEvent::Received]
        );
        assert_eq!(server.get(id).unwrap().peer().addr().is_some(), world.tcp);
        client.close(world.net.as_mut());
        server.close(world.net.as_mut());
    });
}

#[test]
fn s12_s13_bulk_both_ways_within_the_caps() {
    everywhere(|world| {
        let limits = Limits {
            rx_cap: 100_000,
            tx_cap: 100_000,
            ..Limits::default()
        };
        let mut server = world.server(limits.clone());
        let mut client = world.client(&server, limits);
        let data = pattern(10 << 20);
        let (mut sent, mut got) = (0, 0);
        world.until("10 MiB come back", |tyme, net| {
            echo(&mut server, tyme, net);
            client.service(tyme, net);
            match client.tx(&data[sent..]) {
                Ok(()) => sent = data.len(),
                Err(TxError::Full { taken }) => sent += taken,
                Err(other) => panic!("{other}"),
            }
            assert!(client.link().pending() <= 100_000);
            assert!(client.rx().len() <= 100_000);
            assert!(server.remoters().all(|ix| ix.rx().len() <= 100_000));
            let n = client.rx().len();
            assert!(client.rx() == &data[got..got + n], "after {got}");
            client.consume(n);
            got += n;
            got == data.len()
        });
        assert_eq!(server.stats().received, 10 << 20);
        assert_eq!(server.stats().sent, 10 << 20);
    });
}

#[test]
fn s9_a_peer_that_ended_its_side_gets_its_answer_then_all_is_closed() {
    everywhere(|world| {
        let mut server = world.server(Limits::default());
        let mut peer = joined(world, &mut server);
        let data = pattern(3000);
        peer.send(&data, world.net.as_mut());
        peer.finish(world.net.as_mut());
        world.until("the answer and the end", |tyme, net| {
            echo(&mut server, tyme, net);
            peer.read(net);
            peer.ended.is_some()
        });
        assert_eq!((peer.got == data, peer.ended), (true, Some(Ok(()))));
        assert_eq!(reasons(&mut server), [CloseReason::PeerClosed]);
        assert!(server.is_empty());
    });
}

#[test]
fn s9_an_answer_may_take_its_time_when_held() {
    everywhere(|world| {
        let mut server = world.server(Limits::default()).with_auto_close(false);
        let mut peer = joined(world, &mut server);
        peer.send(b"question", world.net.as_mut());
        peer.finish(world.net.as_mut());
        world.until("the cut-off", |tyme, net| {
            server.service(tyme, net).unwrap();
            server
                .remoters()
                .any(|ix| ix.cutoff() && ix.rx() == b"question")
        });
        let id = server.ids()[0];
        server.get_mut(id).unwrap().clear_rx();
        for _ in 0..10 {
            let tyme = world.wait(Tyme::NEVER);
            server.service(tyme, world.net.as_mut()).unwrap();
        }
        assert_eq!(server.get(id).unwrap().closed(), None);
        server.transmit_ix(id, b"answer").unwrap();
        server.close_ix(id).unwrap();
        world.until("the answer", |tyme, net| {
            server.service(tyme, net).unwrap();
            peer.read(net);
            peer.ended.is_some()
        });
        assert_eq!(
            (peer.got.as_slice(), peer.ended),
            (&b"answer"[..], Some(Ok(())))
        );
        assert_eq!(reasons(&mut server), [CloseReason::Closed]);
    });
}

#[test]
fn s8_unconsumed_bytes_do_not_keep_a_dead_connection_for_ever() {
    everywhere(|world| {
        let limits = Limits {
            drain: ms(60),
            ..Limits::default()
        };
        let mut server = world.server(limits);
        let peer = joined(world, &mut server);
        peer.send(b"half a mess", world.net.as_mut());
        peer.finish(world.net.as_mut());
        let mut last = Vec::new();
        world.until("the end", |tyme, net| {
            server
                .service_each(tyme, net, |ix| {
                    if ix.closed().is_some() {
                        last = ix.rx().to_vec();
                    }
                })
                .unwrap();
            server.stats().closed == 1
        });
        assert_eq!(last, b"half a mess");
        assert_eq!(reasons(&mut server), [CloseReason::PeerClosed]);
    });
}

#[test]
fn graceful_close_delivers_everything() {
    everywhere(|world| {
        let mut server = world.server(Limits::default());
        let mut peer = joined(world, &mut server);
        let data = pattern(1 << 20);
        let id = server.ids()[0];
        server.transmit_ix(id, &data).unwrap();
        server.close_ix(id).unwrap();
        let refused = server.transmit_ix(id, b"more").unwrap_err();
        assert_eq!(refused.to_string(), "the connection is closed: closed");
        world.until("all of it", |tyme, net| {
            server.service(tyme, net).unwrap();
            peer.read(net);
            peer.ended.is_some()
        });
        assert!(peer.got == data);
        assert_eq!(peer.ended, Some(Ok(())));
        // What the peer still sends is dropped and does not reset anything.
        peer.send(b"late", world.net.as_mut());
        peer.finish(world.net.as_mut());
        world.until("the end", |tyme, net| {
            server.service(tyme, net).unwrap();
            server.stats().closed == 1
        });
        assert_eq!(reasons(&mut server), [CloseReason::Closed]);
    });
}

#[test]
fn close_while_the_peer_is_sending() {
    everywhere(|world| {
        let mut server = world.server(Limits::default());
        let mut client = world.client(&server, Limits::default());
        let data = pattern(1 << 20);
        let mut closing = false;
        world.until("both ends", |tyme, net| {
            server
                .service_each(tyme, net, |ix| {
                    if !closing && !ix.rx().is_empty() {
                        ix.tx(b"enough").unwrap();
                        ix.close();
                        closing = true;
                    }
                })
                .unwrap();
            let _ = client.tx(&data);
            client.service(tyme, net);
            if client.cutoff() && client.rx() == b"enough" {
                client.drain();
            }
            server.is_empty() && closing && !client.opened()
        });
        assert_eq!(reasons(&mut server), [CloseReason::Closed]);
        assert_eq!(client.rx(), b"enough");
        assert_eq!(client_reasons(&mut client), [CloseReason::Closed]);
    });
}

#[test]
fn linger_and_drain_are_bounded() {
    everywhere(|world| {
        let limits = Limits {
            linger: ms(40),
            drain: ms(80),
            ..Limits::default()
        };
        let mut server = world.server(limits);
        let quiet = joined(world, &mut server); // never ends its side
        let stuck = joined(world, &mut server); // never reads
        let ids = server.ids();
        server.close_ix(ids[0]).unwrap();
        let flood = pattern(1 << 20);
        while server.get(ids[1]).unwrap().room() == 1 << 20 {
            // Until the system takes no more.
            server.transmit_ix(ids[1], &flood).unwrap();
            let tyme = world.net.now();
            server.service_sends(tyme, world.net.as_mut());
        }
        server.close_ix(ids[1]).unwrap();
        let start = world.net.now();
        world.until("both are gone", |tyme, net| {
            server.service(tyme, net).unwrap();
            server.stats().closed == 2
        });
        let took = world.net.now().since(start);
        assert!(took >= ms(79) && took < ms(1000), "{took:?}");
        let why = [CloseReason::LingerTimedOut, CloseReason::DrainTimedOut];
        assert_eq!(reasons(&mut server), why);
        assert!(server.stats().unsent > 0);
        quiet.close(world.net.as_mut());
        stuck.close(world.net.as_mut());
    });
}

#[test]
fn abort_is_a_reset_at_the_peer() {
    everywhere(|world| {
        let mut server = world.server(Limits::default());
        let mut peer = joined(world, &mut server);
        let id = server.ids()[0];
        server.get_mut(id).unwrap().abort();
        world.until("the reset", |tyme, net| {
            server.service(tyme, net).unwrap();
            peer.read(net);
            peer.ended.is_some()
        });
        if world.tcp {
            assert_eq!(peer.ended, Some(Err(hio::net::NetError::Reset)));
        }
        assert_eq!(reasons(&mut server), [CloseReason::Aborted]);
    });
}

#[test]
fn s5_a_peer_that_is_gone_before_it_is_accepted() {
    everywhere(|world| {
        let mut server = world.server(Limits::default());
        let rude = world.peer(&server);
        let hasty = world.peer(&server);
        world.until("both stand", |_, net| {
            rude.connected(net) && hasty.connected(net)
        });
        rude.reset(world.net.as_mut());
        hasty.close(world.net.as_mut());
        let mut good = world.client(&server, Limits::default());
        good.tx(b"alive").unwrap();
        world.until("the next is served", |tyme, net| {
            echo(&mut server, tyme, net);
            good.service(tyme, net);
            good.rx() == b"alive" && server.len() == 1
        });
        let ended = reasons(&mut server);
        assert!(
            ended
                .iter()
                .all(|r| matches!(r, CloseReason::Reset | CloseReason::PeerClosed))
        );
    });
}

#[test]
fn s11_losses_are_reasons_and_what_came_before_stays_readable() {
    everywhere(|world| {
        let mut server = world.server(Limits::default());
        let peer = joined(world, &mut server);
        let id = server.ids()[0];
        peer.send(b"last words", world.net.as_mut());
        world.until("they come", |tyme, net| {
            server.service(tyme, net).unwrap();
            server.get(id).is_some_and(|ix| ix.rx() == b"last words")
        });
        peer.reset(world.net.as_mut());
        for _ in 0..3 {
            // hio#172: EPIPE and its like end in an error value at the latest.
            let _ = server.transmit_ix(id, b"x");
            let tyme = world.wait(Tyme::NEVER);
            server.service(tyme, world.net.as_mut()).unwrap();
            if server.stats().closed == 1 {
                break;
            }
        }
        let ix = server.get(id).expect("kept until the next service");
        let reason = ix.closed().unwrap();
        if world.tcp {
            assert_eq!(reason, CloseReason::Reset);
        }
        assert_eq!(ix.rx(), b"last words");
        let refused = server.get_mut(id).unwrap().tx(b"y").unwrap_err();
        assert_eq!(refused, TxError::Closed(reason));
        assert_eq!(
            server.due(Tyme::from_secs(9)),
            Tyme::from_secs(9),
            "to be reaped"
        );
        let tyme = world.net.now();
        server.service(tyme, world.net.as_mut()).unwrap();
        assert!(server.get(id).is_none());
        assert_eq!(server.due(tyme), Tyme::NEVER);
    });
}

#[test]
fn s6_a_storm_of_resets_leaves_the_good_alone() {
    everywhere(|world| {
        let mut server = world.server(Limits::default());
        let mut good = world.client(&server, Limits::default());
        for round in 0..20 {
            let peers: Vec<_> = (0..20).map(|_| world.peer(&server)).collect();
            world.until("they stand", |tyme, net| {
                echo(&mut server, tyme, net);
                peers.iter().all(|p| p.connected(net))
            });
            for (i, peer) in peers.iter().enumerate() {
                peer.send(b"boo", world.net.as_mut());
                match i % 3 {
                    0 => peer.reset(world.net.as_mut()),
                    1 => peer.close(world.net.as_mut()),
                    _ => {
                        peer.finish(world.net.as_mut());
                        peer.close(world.net.as_mut());
                    }
                }
            }
            good.tx(&[round]).unwrap();
            world.until("the good one is served", |tyme, net| {
                echo(&mut server, tyme, net);
                good.service(tyme, net);
                good.rx() == [round]
            });
            good.consume(1);
        }
        world.until("the storm is over", |tyme, net| {
            echo(&mut server, tyme, net);
            server.len() == 1
        });
        assert_eq!(server.stats().opened, server.stats().closed + 1);
    });
}

#[test]
fn shutdown_of_either_side() {
    everywhere(|world| {
        let mut server = world.server(Limits::default());
        let mut peer = joined(world, &mut server);
        let id = server.ids()[0];
        server.transmit_ix(id, b"bye").unwrap();
        let how = hio::net::Shutdown::Send;
        server.shutdown_ix(id, how, world.net.as_mut()).unwrap();
        world.until("our end", |tyme, net| {
            server.service(tyme, net).unwrap();
            peer.read(net);
            peer.ended.is_some()
        });
        assert_eq!(
            (peer.got.as_slice(), peer.ended),
            (&b"bye"[..], Some(Ok(())))
        );
        let refused = server.get_mut(id).unwrap().tx(b"x").unwrap_err();
        assert_eq!(refused, TxError::Shut);
        peer.send(b"still here", world.net.as_mut());
        world.until("receiving goes on", |tyme, net| {
            server.service(tyme, net).unwrap();
            server.get(id).unwrap().rx() == b"still here"
        });
        server.get_mut(id).unwrap().clear_rx();
        let how = hio::net::Shutdown::Receive;
        server.shutdown_ix(id, how, world.net.as_mut()).unwrap();
        world.until("both sides", |tyme, net| {
            server.service(tyme, net).unwrap();
            server.stats().closed == 1
        });
        assert_eq!(reasons(&mut server), [CloseReason::PeerClosed]);
        let tyme = world.net.now();
        server.service(tyme, world.net.as_mut()).unwrap();
        let unknown = server.close_ix(id).unwrap_err();
        assert_eq!(unknown.to_string(), "no connection #0");
        assert!(server.remove_ix(id, tyme, world.net.as_mut()).is_err());
        assert!(server.receive_ix(id, tyme, world.net.as_mut()).is_err());
        assert!(server.send_ix(id, tyme, world.net.as_mut()).is_err());
        assert!(server.transmit_ix(id, b"x").is_err());
        assert!(server.shutdown_ix(id, how, world.net.as_mut()).is_err());
    });
}

#[test]
fn single_connections_by_id() {
    everywhere(|world| {
        use hio::link::Received;
        let mut server = world.server(Limits::default());
        let mut peer = joined(world, &mut server);
        let id = server.ids()[0];
        let tyme = world.net.now();
        let nothing = server.receive_ix(id, tyme, world.net.as_mut()).unwrap();
        assert_eq!(nothing, Received::Nothing);
        peer.send(b"abc", world.net.as_mut());
        world.until("data", |tyme, net| {
            server.receive_ix(id, tyme, net).unwrap() == Received::Data(3)
        });
        server.transmit_ix(id, b"xyz").unwrap();
        let tyme = world.net.now();
        server.send_ix(id, tyme, world.net.as_mut()).unwrap();
        assert_eq!(server.due(tyme), Tyme::NEVER);
        world.until("the answer", |_, net| {
            peer.read(net);
            peer.got == b"xyz"
        });
        peer.finish(world.net.as_mut());
        world.until("the end", |tyme, net| {
            server.receive_ix(id, tyme, net).unwrap() == Received::Closed
        });
        if world.tcp {
            let addr = world.net.local(peer.sid).unwrap().addr().unwrap();
            assert_eq!(server.id_of(&addr), Some(id));
        }
        let tyme = world.net.now();
        let removed = server.remove_ix(id, tyme, world.net.as_mut()).unwrap();
        assert_eq!(removed.rx(), b"abc");
        assert_eq!(reasons(&mut server), [CloseReason::Aborted]);
    });
}

#[test]
fn s10_close_and_reopen() {
    everywhere(|world| {
        let mut server = world.server(Limits::default());
        let mut peer = joined(world, &mut server);
        let (ha, first) = (server.ha().clone(), server.ids()[0]);
        assert!(server.buffer_sizes(world.net.as_ref()).1 > 0);
        server.close(world.net.as_mut());
        server.close(world.net.as_mut());
        assert_eq!(server.buffer_sizes(world.net.as_ref()), (0, 0));
        assert!(!server.opened() && server.is_empty());
        let tyme = world.net.now();
        server.service(tyme, world.net.as_mut()).unwrap();
        assert_eq!(reasons(&mut server), [CloseReason::OwnerClosed]);
        world.until("the peer sees it", |_, net| {
            peer.read(net);
            peer.ended.is_some()
        });
        peer.close(world.net.as_mut());
        server.reopen(world.net.as_mut()).unwrap();
        assert_eq!(server.ha(), &ha);
        server.reopen(world.net.as_mut()).unwrap();
        let _second = joined(world, &mut server);
        assert!(server.ids()[0] > first);
        assert!(server.get(first).is_none());
    });
}

#[test]
fn draining_a_server() {
    everywhere(|world| {
        let mut server = world.server(Limits::default());
        let mut clients: Vec<Client> = (0..3)
            .map(|_| world.client(&server, Limits::default()))
            .collect();
        world.until("all are there", |tyme, net| {
            echo(&mut server, tyme, net);
            clients.iter_mut().for_each(|c| c.service(tyme, net));
            server.len() == 3 && clients.iter().all(Client::connected)
        });
        for id in server.ids() {
            server.transmit_ix(id, b"last").unwrap();
        }
        server.drain(world.net.as_mut());
        assert!(server.opened());
        world.until("all are gone", |tyme, net| {
            echo(&mut server, tyme, net);
            clients.iter_mut().for_each(|c| c.service(tyme, net));
            clients
                .iter_mut()
                .filter(|c| c.cutoff())
                .for_each(|c| c.consume(9));
            assert!(!server.listening());
            server.is_drained()
        });
        assert_eq!(reasons(&mut server), [CloseReason::Closed; 3]);
        server.close(world.net.as_mut());
        assert!(clients.iter().all(|c| c.stats().received == 4));
    });
}

#[test]
fn order_of_acceptance() {
    everywhere(|world| {
        let mut server = world.server(Limits::default());
        let peers: Vec<_> = (0..5).map(|_| joined(world, &mut server)).collect();
        let ids = server.ids();
        let tyme = world.net.now();
        server.remove_ix(ids[1], tyme, world.net.as_mut()).unwrap();
        let _late = joined(world, &mut server); // in the place that became free
        let order: Vec<_> = server.remoters().map(|ix| ix.id().sequence()).collect();
        assert_eq!(order, [0, 2, 3, 4, 5]);
        assert!(server.get(ids[1]).is_none());
        drop(peers);
    });
}

#[test]
fn s7_open_fails_with_the_cause() {
    everywhere(|world| {
        let first = world.server(Limits::default());
        let mut second = Server::new(first.ha().clone(), Default::default(), Limits::default());
        let error = second.open(world.net.as_mut(), Owner::NONE).unwrap_err();
        let message = format!("cannot listen on {}: address already in use", first.ha());
        assert_eq!(error.to_string(), message);
        assert!(!second.opened());
        let none = Limits {
            rx_cap: 0,
            ..Limits::default()
        };
        let mut none = Server::new(world.at.clone(), Default::default(), none);
        let error = none.open(world.net.as_mut(), Owner::NONE).unwrap_err();
        assert_eq!(error.to_string(), "bad limits: rx_cap must not be zero");
    });
}

#[test]
fn s7_a_path_that_is_too_long() {
    everywhere(|world| {
        let long = hio::net::Endpoint::unix("/tmp/".to_owned() + &"x".repeat(120));
        let mut server = Server::new(long, Default::default(), Limits::default());
        let error = server.open(world.net.as_mut(), Owner::NONE).unwrap_err();
        assert!(
            error.to_string().contains("125 bytes is too long"),
            "{error}"
        );
    });
}
