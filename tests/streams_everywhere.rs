//! Goal: streams, their deadlines and their TLS are the same on every net (SEEDS 6c).
//! Method: the same stories, as data, over memory, TCP v4 and v6 and Unix sockets; what is told must
//! be the same, word for word.

mod support;

use hio::link::{Limits, NetworkStream, Remoter, Server};
use hio::net::{ConnectOptions, ListenOptions, Owner};
use hio::tyme::Deadlines;
use support::stream_stories::{Story, plain};
use support::streams::{Host, Manner, Player, pattern};
use support::{World, everywhere};

/// Plays one story in one world.
fn play(world: &mut World, story: &Story, host: Host, player: impl FnOnce(&Host) -> Player) {
    let mut host = host;
    host.open(world.net.as_mut(), Owner::NONE);
    let mut player = player(&host);
    world.until(story.name, |tyme, net| {
        host.service(tyme, net);
        player.step(tyme, net)
    });
    assert_eq!(player.told, story.told, "{}: {}", world.name, story.name);
    player.stream.abort(world.net.as_mut());
    host.server.close(world.net.as_mut());
}

#[test]
fn plain_streams_tell_the_same_everywhere() {
    everywhere(|world| {
        for story in plain() {
            // A Unix socket that is reset after all was read looks like one that has ended.
            if story.manner == Manner::Reset && !world.tcp {
                continue;
            }
            let host = Host::new(world.at.clone(), story.manner);
            play(world, &story, host, |host| {
                Player::new(host.server.eha(), &story.acts)
            });
        }
    });
}

#[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
#[test]
fn secure_streams_tell_the_same_everywhere() {
    let pki = support::pki::Pki::new();
    everywhere(|world| {
        for story in support::stream_stories::secure() {
            let host = Host::new(world.at.clone(), story.manner);
            let host = match story.manner {
                Manner::StartTls => host.with_tls(pki.server_tls()),
                _ => host,
            };
            play(world, &story, host, |host| {
                let tls = hio::link::tls::ClientTls::builder().ca(pki.ca.as_bytes());
                Player::new(host.server.eha(), &story.acts).with_tls(tls.build().unwrap())
            });
        }
    });
}

/// With TLS what is encrypted counts as sent: nothing is lost and nothing comes twice.
#[test]
fn a_write_that_was_cut_goes_on_where_it_was() {
    for secure in [false, cfg!(any(feature = "tls", feature = "aws-lc-rs"))] {
        everywhere(|world| {
            let limits = Limits {
                rx_cap: 64 * 1024,
                ..Limits::default()
            };
            let small = ListenOptions {
                recv_buffer: 64 * 1024,
                ..ListenOptions::default()
            };
            let mut server = Server::new(world.at.clone(), small, limits);
            #[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
            let pki = support::pki::Pki::new();
            #[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
            server.set_tls(secure.then(|| pki.server_tls()));
            server.open(world.net.as_mut(), Owner::NONE).unwrap();
            let options = ConnectOptions {
                send_buffer: 64 * 1024,
                ..ConnectOptions::default()
            };
            let mut stream = NetworkStream::new(server.eha(), options, Limits::default());
            #[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
            if secure {
                stream = stream.with_tls(pki.client_tls());
            }
            let data = pattern(2_000_000);
            let start = world.net.now();
            let mut connect = stream
                .connect(start, world.net.as_mut(), Owner::NONE)
                .unwrap();
            let mut deadlines = Deadlines::new();
            let (mut write, mut sent, mut got) = (None, None, Vec::new());
            world.until("all has come", |tyme, net| {
                stream.service(tyme, net);
                if write.is_none() {
                    if let Some(connected) = stream.take(&mut connect, tyme, &deadlines) {
                        connected.unwrap();
                        deadlines.push("cut", tyme, support::ms(100));
                        write = Some(stream.write(data.clone()));
                    }
                } else if let Some(op) = &mut write {
                    match stream.take(op, tyme, &deadlines) {
                        Some(Err(why)) => {
                            assert_eq!((sent, why.is_timeout()), (None, true), "{why}");
                            assert!(why.written > 0 && why.written < data.len(), "{why}");
                            sent = Some(why.written);
                            write = Some(stream.write(data[why.written..].to_vec()));
                            deadlines = Deadlines::new();
                        }
                        Some(Ok(())) => assert!(sent.is_some(), "it was cut before"),
                        None => {}
                    }
                }
                stream.service_sends(tyme, net);
                // It reads only once the write was cut.
                let reads = sent.is_some();
                let take = |ix: &mut Remoter| {
                    if reads {
                        got.extend_from_slice(ix.rx());
                        ix.clear_rx();
                    }
                };
                server.service_each(tyme, net, take).unwrap();
                if reads {
                    for id in server.ids() {
                        let ix = server.get_mut(id).unwrap();
                        got.extend_from_slice(ix.rx());
                        ix.clear_rx();
                    }
                }
                got.len() >= data.len()
            });
            assert!(
                got == data,
                "{}: something is lost or comes twice",
                world.name
            );
            stream.abort(world.net.as_mut());
            server.close(world.net.as_mut());
        });
    }
}
