//! Goal: bodies that a server reads by itself hold a bounded piece for each connection, delay nobody, arrive whole or
//! visibly cut, and are let go of however their request ends.
//! Method: sources that count what is read of them and who holds them, over sockets, in memory and in simulation; peers by
//! hand that read slowly, never, or go away.

#![cfg(feature = "http")]

mod support;

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hio::link::Limits;
use hio::net::{ListenOptions, NetError, Owner};
use hio::proto::http::{
    Answer, Handler, HttpServer, Length, Request, RequestId, Response, ResponseHead, SendError,
    Source,
};
use http::StatusCode;
use support::memory::MemoryNet;
use support::{Peer, World, everywhere, ms, pattern};

/// Bytes that a connection may hold of a source and the head before it, and that a service reads of all.
const PIECE: usize = 65 * 1024;
const SERVICE: usize = 4 * 1024 * 1024;

/// What is known of all sources of a test.
#[derive(Clone, Debug, Default)]
struct Known {
    read: Arc<AtomicUsize>,
    held: Arc<AtomicUsize>,
}

impl Known {
    fn read(&self) -> usize {
        self.read.load(Ordering::Relaxed)
    }

    fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// A source of these bytes, which are followed by an end or an error.
    fn source(&self, data: Vec<u8>, then: Option<io::ErrorKind>) -> Source {
        self.held.fetch_add(1, Ordering::Relaxed);
        Source::new(Counted {
            data: io::Cursor::new(data),
            then,
            read: Arc::clone(&self.read),
            held: Arc::clone(&self.held),
        })
    }
}

struct Counted {
    data: io::Cursor<Vec<u8>>,
    then: Option<io::ErrorKind>,
    read: Arc<AtomicUsize>,
    held: Arc<AtomicUsize>,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.held.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Read for Counted {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.data.read(buf)?;
        self.read.fetch_add(n, Ordering::Relaxed);
        match self.then {
            Some(why) if n == 0 && !buf.is_empty() => Err(why.into()),
            _ => Ok(n),
        }
    }
}

fn opened(world: &mut World) -> HttpServer {
    let at = world.at.clone();
    let mut server = HttpServer::new(at, ListenOptions::default(), Limits::default());
    server
        .open(world.net.as_mut(), Owner::NONE)
        .expect("an address");
    server
}

/// A peer that has asked, with a text of requests.
fn asked(
    world: &mut World,
    server: &mut HttpServer,
    handler: &mut dyn Handler,
    text: &str,
) -> Peer {
    let peer = world.peer(server.server());
    world.until("a connection", |tyme, net| {
        server.service(tyme, net, handler).expect("a listener");
        peer.connected(net)
    });
    peer.send(text.as_bytes(), world.net.as_mut());
    peer
}

fn ok() -> ResponseHead {
    ResponseHead::new(StatusCode::OK)
}

const GET: &str = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";

/// What follows the head.
fn body(got: &[u8]) -> &[u8] {
    let end = got.windows(4).position(|w| w == b"\r\n\r\n");
    &got[end.expect("a head") + 4..]
}

fn text(got: &[u8]) -> String {
    String::from_utf8_lossy(got).into_owned()
}

#[test]
fn c_a_source_arrives_whole_in_every_framing() {
    let data = pattern(3_000_000);
    everywhere(|world| {
        let mut server = opened(world);
        let known = Known::default();
        let (sources, all) = (known.clone(), data.clone());
        let mut handler = move |_: RequestId, request: Request| {
            let length = match request.head.target.path() {
                "/known" => Length::Known(all.len() as u64),
                "/more" => Length::Known(10),
                "/empty" => Length::Known(0),
                "/close" => Length::UntilClose,
                _ => Length::Chunked,
            };
            Answer::Read(ok(), length, sources.source(all.clone(), None))
        };
        // One after the other on one connection, sent at once; the last one ends with it.
        let paths = ["/known", "/more", "/empty", "/known", "/close"];
        let asks = paths.map(|path| format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"));
        let mut peer = asked(world, &mut server, &mut handler, &asks.concat());
        world.until("the end", |tyme, net| {
            server.service(tyme, net, &mut handler).expect("a listener");
            peer.read(net);
            peer.ended.is_some()
        });
        assert_eq!(peer.ended, Some(Ok(())));
        let mut rest = &peer.got[..];
        for wanted in [&data[..], &data[..10], &[], &data[..], &data[..]] {
            rest = body(rest);
            assert!(rest.starts_with(wanted), "{} bytes", wanted.len());
            rest = &rest[wanted.len()..];
        }
        assert!(rest.is_empty());
        let read = 3 * data.len() + 10;
        assert_eq!(known.read(), read, "{}: what is sent is read", world.name);
        // HEAD reads nothing; what HTTP/1.0 has no chunks for ends with the connection.
        let asks = "HEAD /known HTTP/1.1\r\nHost: x\r\n\r\nGET /chunks HTTP/1.0\r\n\r\n";
        let mut peer = asked(world, &mut server, &mut handler, asks);
        world.until("the end", |tyme, net| {
            server.service(tyme, net, &mut handler).expect("a listener");
            peer.read(net);
            peer.ended.is_some()
        });
        assert!(text(&peer.got[..60]).contains("content-length: 3000000\r\n\r\n"));
        assert!(body(body(&peer.got)) == data);
        assert_eq!(known.read(), read + data.len());
        // In chunks, as our own machine reads them.
        let mut peer = asked(world, &mut server, &mut handler, GET);
        world.until("the last chunk", |tyme, net| {
            server.service(tyme, net, &mut handler).expect("a listener");
            peer.read(net);
            peer.got.ends_with(b"\r\n0\r\n\r\n")
        });
        assert!(unchunked(&peer.got) == data);
        assert_eq!(known.held(), 0);
        server.close(world.net.as_mut());
    });
}

fn unchunked(mut got: &[u8]) -> Vec<u8> {
    use hio::proto::http::{Connection, HttpLimits, Incoming, RequestHead};
    let mut client = Connection::client(HttpLimits::default());
    let mut head = RequestHead::new(http::Method::GET, http::Uri::from_static("/a"));
    let host = http::HeaderValue::from_static("x");
    head.headers.insert(http::header::HOST, host);
    client
        .send_request(&head, Length::Known(0), &mut Vec::new())
        .expect("a request");
    let mut data = Vec::new();
    loop {
        let (taken, what) = client.receive(got, false).expect("a good response");
        match what {
            Incoming::Data(n) => data.extend_from_slice(&got[taken - n..taken]),
            Incoming::End(_) => return data,
            Incoming::NeedMore => panic!("it is complete"),
            _ => {}
        }
        got = &got[taken..];
    }
}

#[test]
fn l1_slow_readers_hold_a_piece_each_and_others_are_served_at_once() {
    const READERS: usize = 100;
    const SOCKET: usize = 4096;
    let mut memory = MemoryNet::default();
    memory.capacity = SOCKET;
    let mut world = World::of(Box::new(memory));
    let world = &mut world;
    let mut server = opened(world);
    let known = Known::default();
    let sources = known.clone();
    let mut handler = move |_: RequestId, request: Request| match request.head.target.path() {
        "/hello" => Answer::Now(Response::ok("text/plain", "hello")),
        _ => Answer::Read(
            ok(),
            Length::Known(2_000_000),
            sources.source(vec![b'x'; 2_000_000], None),
        ),
    };
    let mut readers: Vec<Peer> = (0..READERS)
        .map(|_| asked(world, &mut server, &mut handler, ""))
        .collect();
    // All of them at once: what they ask for is read over several services.
    for peer in &readers {
        peer.send(GET.as_bytes(), world.net.as_mut());
    }
    let mut before = known.read();
    let mut settled = 0;
    world.until("nothing more is read", |tyme, net| {
        server.service(tyme, net, &mut handler).expect("a listener");
        let read = known.read() - before;
        assert!(read <= SERVICE + PIECE, "{read} bytes in one service");
        before = known.read();
        settled = if read == 0 { settled + 1 } else { 0 };
        settled > 20
    });
    assert_eq!(known.held(), READERS);
    let most = READERS * (SOCKET + PIECE);
    assert!(known.read() <= most, "{} bytes are held", known.read());
    for remoter in server.server().remoters() {
        let pending = remoter.pending();
        assert!(pending <= PIECE, "{pending} bytes wait in a link");
    }
    // Nothing is due while they do not read: nobody looks at them again and again.
    let now = world.net.now();
    assert!(server.due(now) > now, "a busy loop");
    // A good one is served in as few services as without them.
    let mut good = asked(world, &mut server, &mut handler, "");
    good.send(
        b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n",
        world.net.as_mut(),
    );
    let mut services = 0;
    world.until("hello", |tyme, net| {
        server.service(tyme, net, &mut handler).expect("a listener");
        services += 1;
        good.read(net);
        good.got.ends_with(b"hello")
    });
    assert!(services <= 2, "{services} services");
    // Those that read on get all of it, and in turn: the first is not done before the last began.
    let mut done = 0;
    let mut first_done = None;
    world.until("all of it", |tyme, net| {
        server.service(tyme, net, &mut handler).expect("a listener");
        for peer in &mut readers {
            peer.read(net);
        }
        let bytes: Vec<usize> = readers.iter().map(|peer| peer.got.len()).collect();
        done = bytes.iter().filter(|n| **n > 2_000_000).count();
        if done > 0 && first_done.is_none() {
            first_done = Some(*bytes.iter().min().expect("many"));
        }
        done == READERS
    });
    let least = first_done.expect("one was first");
    assert!(least > 1_800_000, "somebody had only {least} bytes by then");
    assert_eq!(known.held(), 0);
}

#[test]
fn c_a_source_that_ends_early_or_fails_never_looks_complete() {
    let data = pattern(200_000);
    everywhere(|world| {
        let mut server = opened(world);
        for (length, version, then) in [
            (Length::Known(300_000), "1.1", None),
            (Length::Known(300_000), "1.0", None),
            (
                Length::Known(300_000),
                "1.1",
                Some(io::ErrorKind::InvalidData),
            ),
            (Length::Chunked, "1.1", Some(io::ErrorKind::InvalidData)),
            (Length::Chunked, "1.0", Some(io::ErrorKind::InvalidData)),
            (Length::UntilClose, "1.1", Some(io::ErrorKind::WouldBlock)),
        ] {
            let known = Known::default();
            let (sources, all) = (known.clone(), data.clone());
            let mut handler = move |_: RequestId, _: Request| {
                Answer::Read(ok(), length, sources.source(all.clone(), then))
            };
            let ask = format!("GET / HTTP/{version}\r\nHost: x\r\n\r\n");
            let mut peer = asked(world, &mut server, &mut handler, &ask);
            world.until("the end", |tyme, net| {
                server.service(tyme, net, &mut handler).expect("a listener");
                peer.read(net);
                peer.ended.is_some()
            });
            let how = format!("{}: {length:?} {version} {then:?}", world.name);
            let cut = match &peer.ended {
                Some(Err(why)) => {
                    let broken = matches!(why, NetError::Reset | NetError::BrokenPipe);
                    assert!(broken, "{how}: {why}");
                    true
                }
                // The bytes say it.
                _ => length == Length::Known(300_000) || !peer.got.ends_with(b"\r\n0\r\n\r\n"),
            };
            assert!(cut && peer.got.len() < 250_000, "{how}");
            let until_close = length == Length::UntilClose || version == "1.0";
            if world.tcp && until_close && length != Length::Known(300_000) {
                // Unix sockets know no reset: there nothing says it.
                let reset = matches!(peer.ended, Some(Err(_)));
                assert!(reset, "{how}: only a reset says that it is not all");
            }
            assert_eq!((known.held(), known.read()), (0, data.len()), "{how}");
        }
        server.close(world.net.as_mut());
    });
}

#[test]
fn l3_a_source_is_let_go_of_with_its_connection() {
    everywhere(|world| {
        let mut server = opened(world);
        let known = Known::default();
        let sources = known.clone();
        let mut handler = move |_: RequestId, _: Request| {
            Answer::Read(
                ok(),
                Length::Chunked,
                sources.source(vec![b'x'; 20_000_000], None),
            )
        };
        for reset in [true, false] {
            let peer = asked(world, &mut server, &mut handler, GET);
            world.until("a source", |tyme, net| {
                server.service(tyme, net, &mut handler).expect("a listener");
                known.held() == 1
            });
            match reset {
                true => peer.reset(world.net.as_mut()),
                false => peer.close(world.net.as_mut()),
            }
            world.until("it is let go of", |tyme, net| {
                server.service(tyme, net, &mut handler).expect("a listener");
                known.held() == 0
            });
        }
        asked(world, &mut server, &mut handler, GET);
        world.until("a source", |tyme, net| {
            server.service(tyme, net, &mut handler).expect("a listener");
            known.held() == 1
        });
        server.close(world.net.as_mut());
        assert_eq!(known.held(), 0);
    });
}

#[test]
fn a4_who_never_reads_is_reset_in_time() {
    everywhere(|world| {
        let links = Limits {
            write_stall: ms(300),
            ..Limits::default()
        };
        let at = world.at.clone();
        let mut server = HttpServer::new(at, ListenOptions::default(), links);
        server
            .open(world.net.as_mut(), Owner::NONE)
            .expect("an address");
        let known = Known::default();
        let sources = known.clone();
        let mut handler = move |_: RequestId, _: Request| {
            let endless = io::repeat(b'x').take(1 << 40);
            let counted = sources.source(Vec::new(), None);
            Answer::Read(
                ok(),
                Length::Known(1 << 40),
                Source::new(endless.chain(Kept(counted))),
            )
        };
        asked(world, &mut server, &mut handler, GET);
        world.until("it is gone", |tyme, net| {
            server.service(tyme, net, &mut handler).expect("a listener");
            known.held() == 0 && server.is_empty() && server.server().stats().opened > 0
        });
    });
}

/// A source behind another one: only there to be counted.
struct Kept(#[expect(dead_code, reason = "its life counts")] Source);

impl Read for Kept {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Ok(0)
    }
}

#[test]
fn c_an_answer_that_comes_later_may_be_read_from_a_source() {
    everywhere(|world| {
        let mut server = opened(world);
        let waiting: Arc<std::sync::Mutex<Option<RequestId>>> = Arc::default();
        let noted = Arc::clone(&waiting);
        let mut handler = move |id: RequestId, _: Request| {
            *noted.lock().expect("no panic") = Some(id);
            Answer::Later
        };
        let mut peer = asked(world, &mut server, &mut handler, GET);
        let known = Known::default();
        let data = pattern(300_000);
        world.until("all of it", |tyme, net| {
            server.service(tyme, net, &mut handler).expect("a listener");
            if let Some(id) = waiting.lock().expect("no panic").take() {
                let source = || known.source(data.clone(), None);
                let length = Length::Known(300_000);
                let mut begin = || server.begin_reading(tyme, id, &ok(), length, source());
                begin().expect("it waits");
                let twice = begin();
                assert!(matches!(twice, Err(SendError::Misuse(_))), "{twice:?}");
                assert!(server.due(tyme) <= tyme, "there is more to read");
            }
            peer.read(net);
            peer.got.len() > 300_000
        });
        assert!(body(&peer.got) == data);
        assert_eq!(known.held(), 0);
        server.close(world.net.as_mut());
    });
}

#[test]
fn c_one_service_goes_on_as_long_as_the_socket_takes_more() {
    let mut memory = MemoryNet::default();
    memory.capacity = 10_000_000;
    let mut world = World::of(Box::new(memory));
    let world = &mut world;
    let mut server = opened(world);
    let known = Known::default();
    let sources = known.clone();
    let mut handler = move |_: RequestId, _: Request| {
        let source = sources.source(vec![b'x'; 8_000_000], None);
        Answer::Read(ok(), Length::Known(8_000_000), source)
    };
    asked(world, &mut server, &mut handler, GET);
    let mut read = Vec::new();
    world.until("all of it", |tyme, net| {
        server.service(tyme, net, &mut handler).expect("a listener");
        read.push(known.read());
        known.read() == 8_000_000
    });
    // A tick is long: whoever had to wait for one after each piece would wait for minutes.
    read.retain(|n| *n > 0);
    assert!(read.len() <= 3, "{read:?}");
}
