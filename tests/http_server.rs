//! Goal: an HTTP server answers now, later or piece by piece, in order, within its limits.
//! Method: stories with a peer that is driven by hand, byte by byte where it matters, over TCP and Unix sockets
//! of the system and in memory.

#![cfg(feature = "http")]

mod support;

use std::sync::{Arc, Mutex};

use hio::link::Limits;
use hio::net::{ListenOptions, Net, Owner};
use hio::proto::http::{
    Answer, Handler, HttpLimits, HttpServer, HttpServerEvent, Intake, Length, Request, RequestHead,
    RequestId, Response, ResponseHead, SendError,
};
use hio::tyme::Tyme;
use http::{HeaderMap, HeaderValue, StatusCode};
use support::{Peer, World, everywhere, ms, pattern};

/// A server and one peer that speaks to it by hand.
struct Rig<'a> {
    world: &'a mut World,
    server: HttpServer,
    peer: Peer,
}

fn rig(world: &mut World, limits: HttpLimits) -> Rig<'_> {
    rig_with(world, limits, Limits::default())
}

fn rig_with(world: &mut World, limits: HttpLimits, links: Limits) -> Rig<'_> {
    let at = world.at.clone();
    let mut server = HttpServer::new(at, ListenOptions::default(), links).with_limits(limits);
    server
        .open(world.net.as_mut(), Owner::NONE)
        .expect("an address");
    let peer = dialled(world, &server);
    Rig {
        world,
        server,
        peer,
    }
}

/// A peer whose connection stands.
fn dialled(world: &mut World, server: &HttpServer) -> Peer {
    let peer = world.peer(server.server());
    world.until("a connection", |_, net| peer.connected(net));
    peer
}

impl Rig<'_> {
    fn say(&mut self, text: &str) {
        self.peer.send(text.as_bytes(), self.world.net.as_mut());
    }

    /// Serves until `done` says so; it sees what the peer has received.
    fn until(
        &mut self,
        handler: &mut dyn Handler,
        mut done: impl FnMut(&Peer, &mut HttpServer, Tyme) -> bool,
    ) {
        let Self {
            world,
            server,
            peer,
        } = self;
        world.until("http", |tyme, net| {
            server.service(tyme, net, handler).expect("a listener");
            peer.read(net);
            done(peer, server, tyme)
        });
    }

    fn hears(&mut self, handler: &mut dyn Handler, text: &str) {
        self.until(handler, |peer, _, _| peer.heard().contains(text));
    }

    /// Serves until the server has ended the connection, and says all that was heard.
    fn ended(&mut self, handler: &mut dyn Handler) -> String {
        self.until(handler, |peer, _, _| peer.over());
        self.peer.heard()
    }
}

trait Heard {
    fn heard(&self) -> String;
    fn over(&self) -> bool;
}

impl Heard for Peer {
    fn heard(&self) -> String {
        String::from_utf8_lossy(&self.got).into_owned()
    }
    fn over(&self) -> bool {
        self.ended.is_some()
    }
}

fn hello(_: RequestId, request: Request) -> Answer {
    let text = format!(
        "{} {} {}",
        request.head.method,
        request.head.target,
        request.body.len()
    );
    Answer::Now(Response::ok("text/plain", text))
}

const GET: &str = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";

#[test]
fn c_answers_now_and_keeps_the_connection() {
    everywhere(|world| {
        let mut rig = rig(world, HttpLimits::default());
        rig.say(GET);
        rig.hears(&mut hello, "GET /a 0");
        rig.say("POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc");
        rig.hears(&mut hello, "POST /b 3");
        rig.say("HEAD /c HTTP/1.1\r\nHost: x\r\n\r\n");
        rig.hears(&mut hello, "content-length: 9\r\n\r\n");
        assert!(!rig.peer.over());
        rig.say("GET /d HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        let all = rig.ended(&mut hello);
        assert!(
            all.contains("connection: close") && all.ends_with("GET /d 0"),
            "{all}"
        );
    });
}

#[test]
fn c_pipelined_requests_are_answered_in_order() {
    everywhere(|world| {
        let mut rig = rig(world, HttpLimits::default());
        let asked = (0..20).map(|n| format!("GET /{n} HTTP/1.1\r\nHost: x\r\n\r\n"));
        let asked: String = asked.collect();
        rig.say(&asked);
        let later: Arc<Mutex<Vec<(RequestId, u32)>>> = Arc::default();
        let noted = Arc::clone(&later);
        let mut handler = move |id: RequestId, request: Request| {
            let n: u32 = request.head.target.path()[1..].parse().expect("a number");
            if n % 2 == 0 {
                noted.lock().expect("no panic").push((id, n));
                return Answer::Later;
            }
            Answer::Now(Response::ok("text/plain", format!("<{n}>")))
        };
        rig.until(&mut handler, |peer, server, tyme| {
            for (id, n) in later.lock().expect("no panic").drain(..) {
                let response = Response::ok("text/plain", format!("<{n}>"));
                server.answer(tyme, id, &response).expect("it waits");
                assert_eq!(server.answer(tyme, id, &response), Err(SendError::Gone));
            }
            peer.heard().contains("<19>")
        });
        let heard = rig.peer.heard();
        let places: Vec<_> = (0..20).map(|n| heard.find(&format!("<{n}>"))).collect();
        assert!(
            places.iter().all(Option::is_some) && places.is_sorted(),
            "{places:?}"
        );
    });
}

#[test]
fn c_a_body_is_sent_piece_by_piece_within_the_cap() {
    everywhere(|world| {
        let links = Limits {
            tx_cap: 64 * 1024,
            ..Limits::default()
        };
        let mut rig = rig_with(world, HttpLimits::default(), links);
        rig.say(GET);
        let data = pattern(rig.world.much());
        let id: Arc<Mutex<Option<RequestId>>> = Arc::default();
        let noted = Arc::clone(&id);
        let mut handler = move |id: RequestId, _: Request| {
            *noted.lock().expect("no panic") = Some(id);
            Answer::Begin(ResponseHead::new(StatusCode::OK), Length::Chunked)
        };
        let (mut sent, mut full, mut blocked) = (0, 0, false);
        let mut trailers = HeaderMap::new();
        trailers.insert("x-sum", HeaderValue::from_static("7"));
        let Rig {
            world,
            server,
            peer,
        } = &mut rig;
        world.until("all of it", |tyme, net| {
            server.service(tyme, net, &mut handler).expect("a listener");
            if full > 0 {
                peer.read(net); // not before the cap was met
            }
            blocked &= !server
                .events()
                .any(|e| matches!(e, HttpServerEvent::Drained(_)));
            let Some(id) = *id.lock().expect("no panic") else {
                return false;
            };
            while sent < data.len() && !blocked {
                match server.send(tyme, id, &data[sent..data.len().min(sent + 50_000)]) {
                    Ok(()) => sent = data.len().min(sent + 50_000),
                    Err(SendError::Full { taken }) => {
                        sent += taken;
                        full += 1;
                        blocked = true; // until it is told of
                    }
                    Err(why) => panic!("{why}"),
                }
                if sent == data.len() {
                    server.end(tyme, id, &trailers).expect("its end");
                }
            }
            peer.got.ends_with(b"0\r\nx-sum: 7\r\n\r\n")
        });
        assert!(full > 1, "the cap was met, and room was told of");
        let mut client = hio::proto::http::Connection::client(HttpLimits::default());
        let mut head = RequestHead::new(http::Method::GET, "/".parse().expect("a target"));
        head.headers.insert("host", HeaderValue::from_static("x"));
        client
            .send_request(&head, Length::Known(0), &mut Vec::new())
            .expect("a request");
        let (mut rest, mut body) = (&rig.peer.got[..], Vec::new());
        loop {
            let (taken, what) = client.receive(rest, false).expect("a good response");
            if let hio::proto::http::Incoming::Data(n) = what {
                body.extend_from_slice(&rest[taken - n..taken]);
            }
            rest = &rest[taken..];
            if let hio::proto::http::Incoming::End(trailers) = what {
                assert_eq!(trailers["x-sum"], "7");
                break;
            }
        }
        assert!(body == data, "every byte arrived");
    });
}

/// Streams bodies, and takes what comes only when it may.
struct Streaming(Option<RequestId>);

impl Handler for Streaming {
    fn head(&mut self, _: RequestId, _: &RequestHead) -> Intake {
        Intake::Stream
    }
    fn request(&mut self, id: RequestId, request: Request) -> Answer {
        assert!(request.body.is_empty());
        self.0 = Some(id);
        Answer::Later
    }
}

#[test]
fn l1_a_streamed_body_waits_until_it_is_taken() {
    everywhere(|world| {
        let mut rig = rig(world, HttpLimits::default());
        let data = pattern(rig.world.much());
        rig.say(&format!(
            "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n",
            data.len()
        ));
        let mut handler = Streaming(None);
        let (mut sent, mut idle) = (0, 0);
        let Rig {
            world,
            server,
            peer,
        } = &mut rig;
        world.until("a full server", |tyme, net| {
            server.service(tyme, net, &mut handler).expect("a listener");
            let n = net
                .write(peer.sid, &data[sent..])
                .expect("an open connection");
            sent += n;
            idle = if n == 0 { idle + 1 } else { 0 };
            idle > 50
        });
        assert!(
            sent < data.len(),
            "nobody took anything, and all was accepted"
        );
        let id = handler.0.expect("a request");
        let (mut body, mut ended) = (Vec::new(), false);
        world.until("all of it", |tyme, net| {
            server.service(tyme, net, &mut handler).expect("a listener");
            body.extend(server.take_body(id));
            ended |= server.events().any(|e| e == HttpServerEvent::End(id));
            sent += net
                .write(peer.sid, &data[sent..])
                .expect("an open connection");
            ended && body.len() == data.len()
        });
        assert!(body == data);
        let now = world.net.now();
        server
            .answer(now, id, &Response::status(StatusCode::CREATED))
            .expect("it waits");
        rig.hears(&mut handler, "201 Created");
    });
}

#[test]
fn l1_a_streamed_body_that_just_fills_what_is_held_ends_when_it_is_taken() {
    everywhere(|world| {
        let mut rig = rig(world, HttpLimits::default());
        // As much as is held; then not a byte follows that would tell of the end.
        let data = pattern(64 * 1024);
        let head = "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 65536\r\n\r\n";
        rig.say(head);
        let mut handler = Streaming(None);
        let Rig {
            world,
            server,
            peer,
        } = &mut rig;
        let (mut sent, mut idle) = (0, 0);
        world.until("all of it", |tyme, net| {
            server.service(tyme, net, &mut handler).expect("a listener");
            let taken = net.write(peer.sid, &data[sent..]);
            sent += taken.expect("an open connection");
            idle += usize::from(sent == data.len());
            idle > 50
        });
        let id = handler.0.expect("a request");
        let (mut body, mut ended) = (Vec::new(), false);
        world.until("its end", |tyme, net| {
            body.extend(server.take_body(id));
            assert!(body.len() < data.len() || ended || server.due(tyme) <= tyme);
            server.service(tyme, net, &mut handler).expect("a listener");
            ended |= server.events().any(|e| e == HttpServerEvent::End(id));
            ended
        });
        assert!(body == data);
        // Who takes again and again causes no turns.
        for _ in 0..3 {
            let tyme = world.wait(Tyme::NEVER);
            assert!(server.take_body(id).is_empty());
            server
                .service(tyme, world.net.as_mut(), &mut handler)
                .expect("a listener");
        }
        assert!(server.take_body(id).is_empty());
        let now = world.net.now();
        assert!(server.due(now) > now);
    });
}

#[test]
fn l1_bodies_that_are_too_large_are_refused() {
    let limits = || HttpLimits {
        body_bytes_max: 1000,
        ..HttpLimits::default()
    };
    everywhere(|world| {
        let mut rig = rig(world, limits());
        rig.say(
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\nExpect: 100-continue\r\n\r\n",
        );
        let all = rig.ended(&mut hello);
        assert!(all.starts_with("HTTP/1.1 413 "), "{all}");
        assert!(!all.contains("100 Continue"), "{all}");
    });
    everywhere(|world| {
        let mut rig = rig(world, limits());
        let chunk = format!("1f4\r\n{}\r\n", "a".repeat(500));
        let body = chunk.repeat(3);
        rig.say(&format!(
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{body}"
        ));
        let all = rig.ended(&mut hello);
        assert!(
            all.starts_with("HTTP/1.1 413 ") && all.contains("connection: close"),
            "{all}"
        );
    });
}

#[test]
fn c_who_waits_to_send_is_told_to_go_on() {
    everywhere(|world| {
        let mut rig = rig(world, HttpLimits::default());
        rig.say("POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
        rig.hears(&mut hello, "HTTP/1.1 100 Continue\r\n\r\n");
        rig.say("ab");
        rig.hears(&mut hello, "POST /x 2");
    });
}

#[test]
fn c_what_is_no_request_is_answered_and_closed() {
    everywhere(|world| {
        for (text, status) in [
            ("nonsense\r\n\r\n", "400"),
            ("GET / HTTP/1.1\r\n\r\n", "400"),
            ("GET / HTTP/3.0\r\nHost: x\r\n\r\n", "505"),
            (
                "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n",
                "501",
            ),
            ("POST / HTTP/1.1\r\nHost: x\r\nExpect: more\r\n\r\n", "417"),
            (
                &format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "x".repeat(300)),
                "414",
            ),
            (
                &format!(
                    "GET / HTTP/1.1\r\nHost: x\r\nA: {}\r\n\r\n",
                    "x".repeat(1000)
                ),
                "431",
            ),
            (
                &format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", "A: b\r\n".repeat(20)),
                "431",
            ),
        ] {
            let limits = HttpLimits {
                start_line_bytes_max: 200,
                head_bytes_max: 1000,
                headers_max: 10,
                ..HttpLimits::default()
            };
            let mut rig = rig(world, limits);
            rig.say(text);
            let all = rig.ended(&mut hello);
            assert!(
                all.starts_with(&format!("HTTP/1.1 {status} ")),
                "{text}: {all}"
            );
            rig.server.close(rig.world.net.as_mut());
        }
    });
}

#[test]
fn a4_slow_heads_slow_bodies_and_silence_end_in_time() {
    let limits = HttpLimits {
        head_time: ms(60),
        body_idle: ms(40),
        keep_alive_idle: ms(80),
        ..HttpLimits::default()
    };
    everywhere(|world| {
        let mut silent = rig(world, limits.clone());
        assert_eq!(silent.ended(&mut hello), "");
    });
    everywhere(|world| {
        let mut slow = rig(world, limits.clone());
        let begun = slow.world.net.now();
        let mut text = GET.bytes();
        slow.say("G");
        let _ = text.next();
        let Rig {
            world,
            server,
            peer,
        } = &mut slow;
        let mut next = begun;
        world.until("a head that comes too slowly", |tyme, net| {
            server.service(tyme, net, &mut hello).expect("a listener");
            peer.read(net);
            if tyme >= next && !peer.over() {
                next = tyme + ms(15); // each byte is traffic, and none of them helps
                if let Some(byte) = text.next() {
                    let _ = net.write(peer.sid, &[byte]);
                }
            }
            peer.over()
        });
        let all = slow.peer.heard();
        assert!(all.starts_with("HTTP/1.1 408 "), "{all}");
    });
    everywhere(|world| {
        let mut slow = rig(world, limits.clone());
        slow.say("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab");
        assert!(slow.ended(&mut hello).starts_with("HTTP/1.1 408 "));
    });
    everywhere(|world| {
        let mut idle = rig(world, limits.clone());
        idle.say(GET);
        let all = idle.ended(&mut hello);
        assert!(all.ends_with("GET /a 0"), "{all}");
    });
}

#[test]
fn a4_a_head_has_its_time_from_its_first_byte_on_a_kept_connection() {
    let limits = HttpLimits {
        head_time: ms(60),
        ..HttpLimits::default()
    };
    everywhere(|world| {
        let mut rig = rig(world, limits.clone());
        rig.say(GET);
        rig.hears(&mut hello, "GET /a 0");
        // It is idle for longer than a head may take; then one comes in two pieces.
        let wait = |rig: &mut Rig<'_>, span| {
            let until = rig.world.net.now() + span;
            rig.until(&mut hello, |_, _, tyme| tyme >= until);
        };
        wait(&mut rig, ms(100));
        rig.say("GET /second HTTP/1.1\r\n");
        wait(&mut rig, ms(20));
        rig.say("Host: x\r\n\r\n");
        rig.hears(&mut hello, "GET /second 0");
        // One that is not completed has no more than its time.
        wait(&mut rig, ms(100));
        rig.say("GET /third HTTP/1.1\r\n");
        let begun = rig.world.net.now();
        let all = rig.ended(&mut hello);
        assert!(rig.world.net.now().since(begun) >= ms(60));
        assert!(all.contains("HTTP/1.1 408 "), "{all}");
    });
}

#[test]
fn a4_a_body_that_only_drips_ends_in_time() {
    let limits = HttpLimits {
        body_idle: ms(60),
        body_rate_min: 100,
        ..HttpLimits::default()
    };
    everywhere(|world| {
        let mut slow = rig(world, limits.clone());
        slow.say("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n");
        let begun = slow.world.net.now();
        let Rig {
            world,
            server,
            peer,
        } = &mut slow;
        let mut next = begun;
        world.until("a body that drips", |tyme, net| {
            server.service(tyme, net, &mut hello).expect("a listener");
            peer.read(net);
            if tyme >= next && !peer.over() {
                next = tyme + ms(20); // 50 bytes a second: it never stands still
                let _ = net.write(peer.sid, b"x");
            }
            peer.over()
        });
        let took = slow.world.net.now().since(begun);
        assert!(took >= ms(60) && took < ms(3000), "{took:?}");
        assert!(slow.peer.heard().starts_with("HTTP/1.1 408 "));
    });
}

#[test]
fn c_who_ends_its_side_still_gets_its_answer() {
    everywhere(|world| {
        let mut rig = rig(world, HttpLimits::default());
        rig.say(GET);
        rig.peer.finish(rig.world.net.as_mut());
        let asked: Arc<Mutex<Option<(RequestId, Tyme)>>> = Arc::default();
        let noted = Arc::clone(&asked);
        let mut handler = move |id: RequestId, _: Request| {
            *noted.lock().expect("no panic") = Some((id, Tyme::ZERO));
            Answer::Later
        };
        rig.until(&mut handler, |peer, server, tyme| {
            let mut asked = asked.lock().expect("no panic");
            if let Some((id, at)) = *asked {
                match at {
                    Tyme::ZERO => *asked = Some((id, tyme + ms(30))),
                    at if tyme >= at => {
                        server
                            .answer(tyme, id, &Response::ok("text/plain", "late"))
                            .expect("it waits");
                        *asked = None;
                    }
                    _ => {}
                }
            }
            peer.over()
        });
        assert!(rig.peer.heard().ends_with("late"), "{}", rig.peer.heard());
    });
}

#[test]
fn c_a_peer_that_goes_away_is_told_of() {
    everywhere(|world| {
        if !world.tcp {
            return; // a Unix socket has no reset
        }
        let mut rig = rig(world, HttpLimits::default());
        rig.say(GET);
        let mut handler = Streaming(None);
        rig.until(&mut handler, |_, server, _| !server.server().is_empty());
        let mut later = |_: RequestId, _: Request| Answer::Later;
        rig.until(&mut later, |_, server, _| {
            server.server().stats().received > 20
        });
        rig.peer.reset(rig.world.net.as_mut());
        let mut gone = None;
        rig.until(&mut later, |_, server, _| {
            gone = server
                .events()
                .find(|e| matches!(e, HttpServerEvent::Gone(_)));
            gone.is_some()
        });
        let Some(HttpServerEvent::Gone(id)) = gone else {
            unreachable!()
        };
        let now = rig.world.net.now();
        let response = Response::status(StatusCode::OK);
        assert_eq!(rig.server.answer(now, id, &response), Err(SendError::Gone));
        assert_eq!(rig.server.send(now, id, b"x"), Err(SendError::Gone));
        assert!(rig.server.take_body(id).is_empty());
    });
}

#[test]
fn c_a_drain_answers_what_is_under_way_and_closes_the_rest() {
    everywhere(|world| {
        let mut rig = rig(world, HttpLimits::default());
        rig.say(GET);
        let asked: Arc<Mutex<Option<RequestId>>> = Arc::default();
        let noted = Arc::clone(&asked);
        let mut handler = move |id: RequestId, _: Request| {
            *noted.lock().expect("no panic") = Some(id);
            Answer::Later
        };
        rig.until(&mut handler, |_, _, _| {
            asked.lock().expect("no panic").is_some()
        });
        let idle = dialled(rig.world, &rig.server);
        let mut turns = 0;
        rig.until(&mut handler, |_, server, _| {
            turns += 1;
            server.server().len() == 2 && turns > 3
        });
        rig.server.drain(rig.world.net.as_mut());
        let mut idle = idle;
        let Rig {
            world,
            server,
            peer,
        } = &mut rig;
        world.until("the idle one is closed", |tyme, net| {
            server
                .service(tyme, net, &mut handler)
                .expect("no listener is needed");
            idle.read(net);
            idle.over()
        });
        assert!(!peer.over());
        let now = world.net.now();
        let id = asked.lock().expect("no panic").expect("a request");
        server
            .answer(now, id, &Response::ok("text/plain", "done"))
            .expect("it waits");
        world.until("the answer, and then the end", |tyme, net| {
            server
                .service(tyme, net, &mut handler)
                .expect("no listener is needed");
            peer.read(net);
            if peer.over() {
                peer.close(net);
                idle.close(net);
            }
            peer.over() && server.is_empty()
        });
        assert!(peer.heard().ends_with("done"));
    });
}

#[test]
fn c_each_request_is_in_the_access_log() {
    everywhere(|world| {
        let lines: Arc<Mutex<Vec<String>>> = Arc::default();
        let seen = Arc::clone(&lines);
        let mut rig = rig(world, HttpLimits::default());
        rig.server.close(rig.world.net.as_mut());
        let at = rig.world.at.clone();
        rig.server = HttpServer::new(at, ListenOptions::default(), Limits::default()).with_log(
            move |entry| {
                let target = entry.request.map(|head| head.target.to_string());
                let status = entry.status.map(|status| status.as_u16());
                seen.lock()
                    .expect("no panic")
                    .push(format!("{target:?} {status:?} {}", entry.bytes));
            },
        );
        rig.server
            .open(rig.world.net.as_mut(), Owner::NONE)
            .expect("an address");
        rig.peer = dialled(rig.world, &rig.server);
        rig.say(GET);
        rig.hears(&mut hello, "GET /a 0");
        rig.say("oops\r\n\r\n");
        rig.ended(&mut hello);
        let lines = lines.lock().expect("no panic").clone();
        assert_eq!(lines, ["Some(\"/a\") Some(200) 8", "None Some(400) 16"]);
    });
}

#[test]
fn c_what_has_no_body_is_followed_by_the_next_response_at_once() {
    everywhere(|world| {
        let mut rig = rig(world, HttpLimits::default());
        let mut handler = |_: RequestId, request: Request| {
            let status = match request.head.target.path() {
                "/204" => StatusCode::NO_CONTENT,
                "/304" => StatusCode::NOT_MODIFIED,
                _ => return Answer::Now(Response::ok("text/plain", "body")),
            };
            Answer::Now(Response::new(status))
        };
        rig.say("GET /204 HTTP/1.1\r\nHost: x\r\n\r\nGET /304 HTTP/1.1\r\nHost: x\r\n\r\n");
        rig.say("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n");
        rig.say("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        let all = rig.ended(&mut handler);
        let heads: Vec<&str> = all.split("\r\n\r\n").collect();
        let [none, unchanged, head, last, body] = heads[..] else {
            panic!("{all}");
        };
        assert!(none.starts_with("HTTP/1.1 204 ") && !none.contains("content-length"));
        assert!(unchanged.starts_with("HTTP/1.1 304 "), "{unchanged}");
        assert!(head.starts_with("HTTP/1.1 200 ") && head.contains("content-length: 4"));
        assert!(last.starts_with("HTTP/1.1 200 ") && last.contains("connection: close"));
        assert_eq!(body, "body");
    });
}

/// Switches to a protocol that says everything back.
#[derive(Default)]
struct Switching {
    switched: usize,
    over: bool,
}

impl Handler for Switching {
    fn request(&mut self, _: RequestId, request: Request) -> Answer {
        assert!(request.head.wants_upgrade());
        let mut head = ResponseHead::new(StatusCode::SWITCHING_PROTOCOLS);
        head.headers
            .insert("upgrade", HeaderValue::from_static("echo"));
        head.headers
            .insert("connection", HeaderValue::from_static("upgrade"));
        Answer::Begin(head, Length::Known(0))
    }

    fn switched(&mut self, _: RequestId, link: &mut hio::link::Remoter) {
        self.switched += 1;
        if link.cutoff() {
            self.over = true;
            return link.close();
        }
        let _ = link.echo();
    }
}

#[test]
fn c_an_upgrade_hands_the_link_over_with_what_came_already() {
    everywhere(|world| {
        let mut rig = rig(world, HttpLimits::default());
        let mut handler = Switching::default();
        // The first bytes of the other protocol come with the head.
        rig.say(
            "GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\nGET / is no request here",
        );
        rig.hears(&mut handler, "GET / is no request here");
        assert!(rig.peer.heard().starts_with("HTTP/1.1 101 "));
        rig.say("\r\n\r\nmore");
        rig.hears(&mut handler, "\r\n\r\nmore");
        rig.peer.finish(rig.world.net.as_mut());
        rig.ended(&mut handler);
        assert!(handler.over && handler.switched > 1);
        // Who did not ask for it gets an error in its place.
        let Rig { world, server, .. } = &mut rig;
        let peer = dialled(world, server);
        rig.peer = peer;
        rig.say(GET);
        let mut forced = |_: RequestId, _: Request| {
            let head = ResponseHead::new(StatusCode::SWITCHING_PROTOCOLS);
            Answer::Begin(head, Length::Known(0))
        };
        rig.hears(&mut forced, "HTTP/1.1 500 ");
    });
}
