//! Goal: a client's requests are answered in order, and each ends exactly once, with a response or a named
//! failure. Method: it talks to our server, and to peers that are driven by hand and misbehave, over TCP and Unix
//! sockets of the system and in memory.

#![cfg(feature = "http")]

mod support;

use hio::link::{CloseReason, Limits};
use hio::net::{ConnectOptions, ListenOptions, Net, NetError, Owner, Sid};
use hio::proto::http::{
    Answer, ClientConnection, ExchangeId, Failure, HttpClientEvent, HttpLimits, HttpServer, Length,
    Outgoing, Request, RequestHead, RequestId, Response, SendError,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use support::{World, everywhere, ms, pattern};

fn head(method: Method, target: &str) -> RequestHead {
    let mut head = RequestHead::new(method, target.parse().expect("a target"));
    head.headers.insert("host", HeaderValue::from_static("x"));
    head
}

fn get(target: &str) -> RequestHead {
    head(Method::GET, target)
}

/// What became of one request.
#[derive(Debug, Default, PartialEq)]
struct Outcome {
    status: u16,
    body: Vec<u8>,
    trailers: usize,
    failed: Option<Failure>,
}

/// Takes in what happened to the requests.
fn note(client: &mut ClientConnection, all: &mut Vec<(ExchangeId, Outcome)>) {
    let events: Vec<_> = client.events().collect();
    for event in events {
        let last = all.last_mut();
        match event {
            HttpClientEvent::Response(id, head) => {
                all.push((
                    id,
                    Outcome {
                        status: head.status.as_u16(),
                        ..Outcome::default()
                    },
                ));
            }
            HttpClientEvent::Data(id) => {
                let (known, outcome) = last.expect("a head came before");
                assert_eq!(*known, id);
                outcome.body.extend(client.take_body());
            }
            HttpClientEvent::End(id, trailers) => {
                let (known, outcome) = last.expect("a head came before");
                assert_eq!(*known, id);
                outcome.trailers = trailers.len();
            }
            HttpClientEvent::Failed(id, why) => match last {
                Some((known, outcome)) if *known == id => outcome.failed = Some(why),
                _ => all.push((
                    id,
                    Outcome {
                        failed: Some(why),
                        ..Outcome::default()
                    },
                )),
            },
            _ => {}
        }
    }
}

fn server(world: &mut World) -> HttpServer {
    let at = world.at.clone();
    let mut server = HttpServer::new(at, ListenOptions::default(), Limits::default());
    server
        .open(world.net.as_mut(), Owner::NONE)
        .expect("an address");
    server
}

fn client(to: hio::net::Endpoint) -> ClientConnection {
    let mut client = ClientConnection::new(to, ConnectOptions::default(), Limits::default());
    client.open(Owner::NONE);
    client
}

fn echo(_: RequestId, request: Request) -> Answer {
    let mut response = Response::ok("text/plain", request.body);
    match request.head.target.path() {
        "/close" => {
            response
                .head
                .headers
                .insert("connection", HeaderValue::from_static("close"));
        }
        "/gone" => response = Response::status(StatusCode::GONE),
        _ => {}
    }
    Answer::Now(response)
}

#[test]
fn c_requests_are_answered_in_order_over_one_connection_and_then_another() {
    everywhere(|world| {
        let mut server = server(world);
        let mut client = client(server.server().eha());
        let mut wanted = Vec::new();
        for n in 0..30usize {
            let target = match n % 10 {
                7 => "/close",
                8 => "/gone",
                _ => "/",
            };
            let body = pattern(n * n * 40);
            let outgoing = match n {
                0 => Outgoing::Nothing,
                _ => Outgoing::Bytes(body.clone()),
            };
            let id = client.request(head(Method::POST, target), outgoing);
            wanted.push((id, if target == "/gone" { 410 } else { 200 }, body));
        }
        let mut all = Vec::new();
        world.until("all answers", |tyme, net| {
            server.service(tyme, net, &mut echo).expect("a listener");
            client.service(tyme, net).expect("limits");
            note(&mut client, &mut all);
            client.is_empty()
        });
        assert_eq!(all.len(), wanted.len());
        for ((id, outcome), (wanted, status, body)) in all.iter().zip(&wanted) {
            assert_eq!(
                (id, outcome.status, &outcome.failed),
                (wanted, *status, &None)
            );
            assert!(*status == 410 || outcome.body == *body);
        }
        assert!(server.server().stats().opened >= 4, "three said close");
    });
}

#[test]
fn c_a_streamed_body_goes_out_within_the_cap() {
    everywhere(|world| {
        let limits = HttpLimits {
            body_bytes_max: 40_000_000,
            ..HttpLimits::default()
        };
        let at = world.at.clone();
        let mut server =
            HttpServer::new(at, ListenOptions::default(), Limits::default()).with_limits(limits);
        server
            .open(world.net.as_mut(), Owner::NONE)
            .expect("an address");
        let mut client = client(server.server().eha());
        let data = pattern(5_000_000);
        let id = client.request(head(Method::PUT, "/"), Outgoing::Stream(Length::Chunked));
        assert_eq!(client.send(id, b"too early"), Err(SendError::Gone));
        let (mut sent, mut going, mut ended, mut full) = (0, false, false, 0);
        let mut size = |_: RequestId, request: Request| {
            Answer::Now(Response::ok(
                "text/plain",
                format!("{} {}", request.body.len(), request.trailers.len()),
            ))
        };
        let (mut said, mut done) = (Vec::new(), false);
        world.until("an answer", |tyme, net| {
            server.service(tyme, net, &mut size).expect("a listener");
            client.service(tyme, net).expect("limits");
            let events: Vec<_> = client.events().collect();
            for event in events {
                match event {
                    HttpClientEvent::Sending(_) | HttpClientEvent::Drained(_) => going = true,
                    HttpClientEvent::Data(_) => said.extend(client.take_body()),
                    HttpClientEvent::End(..) => done = true,
                    HttpClientEvent::Failed(_, why) => panic!("{why}"),
                    _ => {}
                }
            }
            while going && sent < data.len() {
                match client.send(id, &data[sent..]) {
                    Ok(()) => sent = data.len(),
                    Err(SendError::Full { taken }) => {
                        (sent, going, full) = (sent + taken, false, full + 1);
                    }
                    Err(why) => panic!("{why}"),
                }
            }
            if sent == data.len() && !ended {
                ended = true;
                let mut trailers = HeaderMap::new();
                trailers.insert("x-sum", HeaderValue::from_static("1"));
                client.end(id, &trailers).expect("its end");
            }
            done
        });
        assert!(full > 0);
        assert_eq!(said, b"5000000 1");
    });
}

/// A listener that is driven by hand.
struct Hand {
    listener: Sid,
    group: hio::net::Group,
    sid: Option<Sid>,
    got: Vec<u8>,
}

fn hand(world: &mut World) -> (Hand, hio::net::Endpoint) {
    let group = world.net.group(Owner::NONE);
    let listener = world
        .net
        .listen(group, &world.at.clone(), &ListenOptions::default());
    let listener = listener.expect("an address");
    let at = world.net.local(listener).expect("bound");
    let hand = Hand {
        listener,
        group,
        sid: None,
        got: Vec::new(),
    };
    (hand, at)
}

impl Hand {
    /// Accepts and reads; once a request is complete, says `answer` and ends the connection.
    fn answer(&mut self, answer: &[u8], net: &mut dyn Net) {
        let mut marks = Vec::new();
        net.ready(self.group, &mut marks);
        if self.sid.is_none() {
            self.sid = net.accept(self.listener).ok().flatten().map(|(sid, _)| sid);
        }
        let Some(sid) = self.sid else { return };
        let mut buf = [0; 1000];
        if let Ok(Some(n)) = net.read(sid, &mut buf) {
            self.got.extend_from_slice(&buf[..n]);
        }
        if self.got.ends_with(b"\r\n\r\n") {
            self.got.clear();
            assert_eq!(net.write(sid, answer), Ok(answer.len()));
            net.close(sid);
            self.sid = None;
        }
    }
}

#[test]
fn c_each_request_that_fails_says_how() {
    let ok = "HTTP/1.1 200 OK\r\n";
    for (answer, status, body, failed) in [
        ("", 0, "", true),
        ("HTTP/1.1 2", 0, "", true),
        ("nonsense\r\n\r\n", 0, "", true),
        (&format!("{ok}content-length: 5\r\n\r\nab"), 200, "ab", true),
        (
            &format!("{ok}transfer-encoding: chunked\r\n\r\n2\r\nab\r\n"),
            200,
            "ab",
            true,
        ),
        (
            &format!("{ok}content-length: 2\r\ncontent-length: 2\r\n\r\nab"),
            0,
            "",
            true,
        ),
        (&format!("{ok}\r\nab"), 200, "ab", false),
        (
            &format!("HTTP/1.1 103 Early\r\n\r\n{ok}content-length: 2\r\n\r\nab"),
            200,
            "ab",
            false,
        ),
    ] {
        everywhere(|world| {
            let (mut hand, at) = hand(world);
            let mut client = client(at);
            let id = client.request(get("/"), Outgoing::Nothing);
            let mut all = Vec::new();
            world.until("an outcome", |tyme, net| {
                hand.answer(answer.as_bytes(), net);
                client.service(tyme, net).expect("limits");
                note(&mut client, &mut all);
                client.is_empty()
            });
            assert_eq!(all.len(), 1, "{answer:?}: {all:?}");
            assert_eq!(
                (all[0].0, all[0].1.status),
                (id, status),
                "{answer:?}: {all:?}"
            );
            assert_eq!(String::from_utf8_lossy(&all[0].1.body), body, "{answer:?}");
            assert_eq!(all[0].1.failed.is_some(), failed, "{answer:?}: {all:?}");
            assert!(!all[0].1.failed.as_ref().is_some_and(Failure::unsent));
        });
    }
}

#[test]
fn c_what_a_server_says_unasked_is_never_an_answer() {
    everywhere(|world| {
        let (mut hand, at) = hand(world);
        let mut client = client(at);
        client.request(get("/1"), Outgoing::Nothing);
        let two = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\nHTTP/1.1 201 Evil\r\ncontent-length: 0\r\n\r\n";
        let mut all = Vec::new();
        world.until("the first", |tyme, net| {
            hand.answer(two.as_bytes(), net);
            client.service(tyme, net).expect("limits");
            note(&mut client, &mut all);
            client.is_empty()
        });
        client.request(get("/2"), Outgoing::Nothing);
        world.until("the second", |tyme, net| {
            hand.answer(b"HTTP/1.1 202 Good\r\ncontent-length: 0\r\n\r\n", net);
            client.service(tyme, net).expect("limits");
            note(&mut client, &mut all);
            client.is_empty()
        });
        let statuses: Vec<u16> = all.iter().map(|(_, outcome)| outcome.status).collect();
        assert_eq!(statuses, [200, 202]);
    });
}

#[test]
fn c_nobody_there_deadlines_and_cancels() {
    everywhere(|world| {
        let (hand, at) = hand(world);
        let mut client = client(at.clone());
        let now = world.net.now();
        let late = client.request_until(get("/"), Outgoing::Nothing, now + ms(40));
        let later = client.request_until(get("/"), Outgoing::Nothing, now + ms(60));
        let never = client.request(get("/"), Outgoing::Nothing);
        client.cancel(never);
        let mut all = Vec::new();
        world.until("both are late", |tyme, net| {
            client.service(tyme, net).expect("limits");
            note(&mut client, &mut all);
            client.is_empty()
        });
        assert_eq!(all[0].0, late);
        assert_eq!(all[0].1.failed, Some(Failure::TimedOut { unsent: false }));
        assert_eq!(all[1].0, later);
        assert!(matches!(all[1].1.failed, Some(Failure::TimedOut { .. })));
        assert_eq!(all.len(), 2, "a cancelled one is not told of");

        world.net.close_group(hand.group);
        let refused = client.request(get("/"), Outgoing::Nothing);
        let also = client.request(get("/"), Outgoing::Nothing);
        all.clear();
        world.until("nobody is there", |tyme, net| {
            client.service(tyme, net).expect("limits");
            note(&mut client, &mut all);
            client.is_empty()
        });
        assert_eq!([all[0].0, all[1].0], [refused, also]);
        assert!(
            all.iter()
                .all(|(_, o)| o.failed.as_ref().is_some_and(Failure::unsent)),
            "{all:?}"
        );
        let gone = [NetError::Refused, NetError::NotFound].map(CloseReason::ConnectFailed);
        assert!(
            matches!(&all[0].1.failed, Some(Failure::Unreachable(why)) if gone.contains(why)),
            "{all:?}"
        );

        let open = client.request(get("/"), Outgoing::Nothing);
        client.close(world.net.as_mut());
        all.clear();
        note(&mut client, &mut all);
        assert_eq!(all[0].0, open);
        assert_eq!(all[0].1.failed, Some(Failure::Closed));
    });
}

#[test]
fn c_a_request_that_is_none_fails_alone() {
    everywhere(|world| {
        let mut server = server(world);
        let mut client = client(server.server().eha());
        let mut no_host = get("/");
        no_host.headers.clear();
        let bad = client.request(no_host, Outgoing::Nothing);
        let good = client.request(get("/"), Outgoing::Nothing);
        let mut all = Vec::new();
        world.until("both", |tyme, net| {
            server.service(tyme, net, &mut echo).expect("a listener");
            client.service(tyme, net).expect("limits");
            note(&mut client, &mut all);
            client.is_empty()
        });
        assert_eq!([all[0].0, all[1].0], [bad, good]);
        assert!(matches!(all[0].1.failed, Some(Failure::Http(_))));
        assert_eq!(all[1].1.status, 200);
    });
}
