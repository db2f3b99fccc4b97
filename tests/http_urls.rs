//! Goal: a client of URLs shares connections, follows redirects and tries again only where that is safe.
//! Method: it talks to our server over TCP and Unix sockets of the system and in memory, and to peers that close when they
//! should not; what the server saw is compared with what was asked.

#![cfg(feature = "http")]

mod support;

use std::sync::{Arc, Mutex};

use hio::link::Limits;
use hio::net::{Endpoint, ListenOptions, Net, NetError, Owner, Sid};
use hio::proto::http::{
    Answer, Ask, AskError, AskEvent, AskId, Dialling, Failure, HttpClient, HttpLimits,
    HttpResponse, HttpServer, Length, Part, Persistence, PoolLimits, Request, RequestId, Response,
    ResponseHead, SendError,
};
use hio::tyme::Tyme;
use http::header::{AUTHORIZATION, LOCATION};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use support::{World, everywhere, ms, pattern};

type Outcome = Result<Box<HttpResponse>, AskError>;

fn server(world: &mut World) -> HttpServer {
    let at = world.at.clone();
    let mut server = HttpServer::new(at, ListenOptions::default(), Limits::default());
    server
        .open(world.net.as_mut(), Owner::NONE)
        .expect("an address");
    server
}

/// A client that reaches `to`, whatever the URLs name.
fn client(to: &Endpoint, limits: PoolLimits) -> HttpClient {
    let dialling = Dialling {
        instead: Some(to.clone()),
        ..Dialling::default()
    };
    let mut client = HttpClient::new(dialling, limits);
    client.open(Owner::NONE);
    client
}

fn url(text: &str) -> http::Uri {
    text.parse().expect("a URL")
}

/// Answers by path, and notes what it saw.
#[derive(Clone, Default)]
struct Site(Arc<Mutex<Vec<String>>>);

impl Site {
    fn answer(&self, request: &Request) -> Answer {
        let head = &request.head;
        let told = |name| head.headers.contains_key(name);
        let seen = format!(
            "{} {} {}{}{}",
            head.method,
            head.target,
            head.headers["host"].to_str().expect("text"),
            if told(AUTHORIZATION) { " +key" } else { "" },
            if request.body.is_empty() {
                String::new()
            } else {
                format!(" {}B", request.body.len())
            },
        );
        self.0.lock().expect("no panic").push(seen);
        let to = |status: u16, at: &'static str| {
            let status = StatusCode::from_u16(status).expect("a status");
            Response::new(status).with(LOCATION, HeaderValue::from_static(at))
        };
        Answer::Now(match head.target.path() {
            "/301" => to(301, "/end"),
            "/303" => to(303, "end?x#y"),
            "/307" => to(307, "/end"),
            "/away" => to(302, "http://other:81/end"),
            "/down" => to(302, "http://a/end"),
            "/nowhere" => to(302, "mailto:x"),
            "/loop" => to(302, "/loop"),
            "/big" => Response::ok("text/plain", pattern(3_000_000)),
            _ => Response::ok("text/plain", request.body.clone()),
        })
    }
    fn seen(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().expect("no panic"))
    }
}

/// Serves until all of them are over.
fn outcomes(
    world: &mut World,
    server: &mut HttpServer,
    site: &Site,
    client: &mut HttpClient,
    ids: &[AskId],
) -> Vec<Outcome> {
    let mut all: Vec<Option<Outcome>> = ids.iter().map(|_| None).collect();
    world.until("outcomes", |tyme, net| {
        let mut handler = |_: RequestId, request: Request| site.answer(&request);
        server.service(tyme, net, &mut handler).expect("a listener");
        client.service(tyme, net);
        for event in client.events() {
            if let AskEvent::Done(id, outcome) = event {
                let nth = ids.iter().position(|i| *i == id).expect("one of those");
                assert!(all[nth].replace(outcome).is_none(), "each ends once");
            }
        }
        all.iter().all(Option::is_some)
    });
    all.into_iter().flatten().collect()
}

#[test]
fn c_redirects_are_followed_as_they_should() {
    everywhere(|world| {
        let (mut server, site) = (server(world), Site::default());
        let mut client = client(&server.server().eha(), PoolLimits::default());
        let key = HeaderValue::from_static("secret");
        for (method, target, seen, redirects) in [
            (Method::GET, "/301", "GET /end a:8 +key", 1),
            (Method::POST, "/301", "GET /end a:8 +key", 1),
            (Method::PUT, "/301", "PUT /end a:8 +key 2B", 1),
            (Method::POST, "/303", "GET /end?x a:8 +key", 1),
            (Method::PUT, "/303", "GET /end?x a:8 +key", 1),
            (Method::HEAD, "/303", "HEAD /end?x a:8 +key", 1),
            (Method::POST, "/307", "POST /end a:8 +key 2B", 1),
            (Method::GET, "/away", "GET /end other:81", 1),
            (Method::GET, "/end", "GET /end a:8 +key", 0),
        ] {
            let mut ask = Ask::new(method.clone(), url(&format!("http://a:8{target}")));
            if ![Method::GET, Method::HEAD].contains(&method) {
                ask = ask.bytes("text/plain", "hi");
            }
            let ask = ask.header(AUTHORIZATION, key.clone());
            let now = world.net.now();
            let id = client.ask(now, ask);
            let found = outcomes(world, &mut server, &site, &mut client, &[id])
                .remove(0)
                .expect("a response");
            assert_eq!(found.head.status, 200, "{method} {target}");
            assert_eq!(found.redirects, redirects);
            assert_eq!(
                site.seen().last().expect("a request"),
                seen,
                "{method} {target}"
            );
        }
    });
}

#[test]
fn c_redirects_that_are_not_followed() {
    everywhere(|world| {
        let (mut server, site) = (server(world), Site::default());
        let mut client =
            client(&server.server().eha(), PoolLimits::default()).with_persistence(Persistence {
                redirects_max: 3,
                ..Persistence::default()
            });
        let now = world.net.now();
        let looping = client.ask(now, Ask::get(url("http://a/loop")));
        let nowhere = client.ask(now, Ask::get(url("http://a/nowhere")));
        let gone = client.ask(
            now,
            Ask::post(url("http://a/307")).streaming_out(Length::Known(0)),
        );
        let bad = client.ask(now, Ask::get(url("ftp://a/")));
        let mut ended = false;
        let ids = [looping, nowhere, gone, bad];
        let mut all: Vec<Option<Outcome>> = vec![None, None, None, None];
        world.until("outcomes", |tyme, net| {
            let mut handler = |_: RequestId, request: Request| site.answer(&request);
            server.service(tyme, net, &mut handler).expect("a listener");
            client.service(tyme, net);
            let events: Vec<_> = client.events().collect();
            for event in events {
                match event {
                    AskEvent::MaySend(id) if !ended => {
                        ended = true;
                        client.end(id, &HeaderMap::new()).expect("an empty body");
                    }
                    AskEvent::Done(id, outcome) => {
                        all[ids.iter().position(|i| *i == id).expect("known")] = Some(outcome);
                    }
                    _ => {}
                }
            }
            all.iter().all(Option::is_some)
        });
        let all: Vec<AskError> = all.into_iter().flatten().filter_map(Result::err).collect();
        assert_eq!(all[0], AskError::TooManyRedirects(3));
        assert!(matches!(all[1], AskError::BadRedirect(_)));
        assert!(matches!(all[2], AskError::BadRedirect(_)));
        assert_eq!(all[3], AskError::BadUrl);
    });
}

#[test]
fn l1_the_pool_keeps_to_its_limits_and_drops_what_is_idle() {
    everywhere(|world| {
        let (mut server, site) = (server(world), Site::default());
        let limits = PoolLimits {
            per_origin_max: 2,
            total_max: 3,
            waiting_max: 20,
            idle: ms(50),
        };
        let mut client = client(&server.server().eha(), limits);
        let now = world.net.now();
        let ids: Vec<AskId> = (0..30)
            .map(|n| client.ask(now, Ask::get(url(&format!("http://h{}/{n}", n % 5)))))
            .collect();
        let all = outcomes(world, &mut server, &site, &mut client, &ids);
        let busy = all.iter().filter(|o| {
            matches!(
                o,
                Err(AskError::Failed {
                    cause: Failure::Busy,
                    ..
                })
            )
        });
        assert_eq!(busy.count(), 10);
        assert_eq!(all.iter().filter(|o| o.is_ok()).count(), 20);
        assert!(client.pool().len() <= 3);
        assert!(!client.pool().is_empty(), "idle ones are kept for a while");
        world.until("the pool is empty", |tyme, net| {
            client.service(tyme, net);
            client.pool().is_empty()
        });
    });
}

#[test]
fn c_streams_both_ways_and_what_is_too_large() {
    everywhere(|world| {
        let (mut server, site) = (server(world), Site::default());
        let mut client = client(&server.server().eha(), PoolLimits::default());
        let now = world.net.now();
        let large = client.ask(now, Ask::get(url("http://a/big")));
        let found = outcomes(world, &mut server, &site, &mut client, &[large]).remove(0);
        assert_eq!(
            found.err(),
            Some(AskError::TooLarge(HttpLimits::default().body_bytes_max))
        );

        let id = client.ask(now, Ask::get(url("http://a/big")).streaming());
        let (mut body, mut done) = (Vec::new(), false);
        world.until("all of it", |tyme, net| {
            let mut handler = |_: RequestId, request: Request| site.answer(&request);
            server.service(tyme, net, &mut handler).expect("a listener");
            client.service(tyme, net);
            let events: Vec<_> = client.events().collect();
            for event in events {
                match event {
                    AskEvent::Data(id) => body.append(&mut client.take_body(id)),
                    AskEvent::Done(_, outcome) => {
                        body.append(&mut outcome.expect("a response").body);
                        done = true;
                    }
                    _ => {}
                }
            }
            done
        });
        assert!(body == pattern(3_000_000));
        assert_eq!(client.send(id, b"x"), Err(SendError::Gone));

        // A stream under a deadline, given up half way.
        let id = client.ask(
            world.net.now(),
            Ask::get(url("http://a/big")).streaming().within(ms(5000)),
        );
        world.until("a part of it", |tyme, net| {
            let mut handler = |_: RequestId, request: Request| site.answer(&request);
            server.service(tyme, net, &mut handler).expect("a listener");
            client.service(tyme, net);
            client
                .events()
                .any(|event| matches!(event, AskEvent::Data(_)))
        });
        client.cancel(id);
        assert!(!client.is_open(id) && client.take_body(id).is_empty());
        let after = client.ask(world.net.now(), Ask::get(url("http://a/end")));
        let found = outcomes(world, &mut server, &site, &mut client, &[after]).remove(0);
        assert!(found.is_ok(), "a slot was free again");
    });
}

#[test]
fn c_deadlines_count_for_all_of_it() {
    everywhere(|world| {
        let server = server(world);
        let mut client = client(&server.server().eha(), PoolLimits::default());
        let now = world.net.now();
        let id = client.ask(now, Ask::get(url("http://a/")).within(ms(40)));
        let mut outcome = None;
        world.until("too late", |tyme, net| {
            client.service(tyme, net); // nobody serves the server
            outcome = client.events().next();
            outcome.is_some()
        });
        assert!(world.net.now() >= now + ms(40));
        let Some(AskEvent::Done(late, Err(why))) = outcome else {
            panic!("{outcome:?}")
        };
        assert_eq!(late, id);
        assert!(
            matches!(
                why,
                AskError::Failed {
                    cause: Failure::TimedOut { .. },
                    ..
                }
            ),
            "{why}"
        );
    });
}

/// httpx's example of streaming: a timeout for the connection and the head, cancelled before the body.
#[test]
fn c_a_deadline_that_is_cancelled_once_the_head_is_there_does_not_end_the_stream() {
    for cancels in [true, false] {
        everywhere(|world| {
            let mut server = server(world);
            let mut client = client(&server.server().eha(), PoolLimits::default());
            let begun = world.net.now();
            let ask = Ask::get(url("http://a/")).streaming().within(ms(300));
            let id = client.ask(begun, ask);
            let (mut body, mut done, mut asked, mut sent) = (Vec::new(), None, None, 0);
            world.until("an outcome", |tyme, net| {
                let mut handler = |id: RequestId, _: Request| {
                    asked = Some(id);
                    Answer::Begin(ResponseHead::new(StatusCode::OK), Length::Chunked)
                };
                server.service(tyme, net, &mut handler).expect("a listener");
                // The body takes longer than the deadline was.
                if let Some(asked) = asked.filter(|_| tyme >= begun + ms(100) * sent && sent < 6) {
                    sent += 1;
                    let _ = server.send(tyme, asked, b"piece");
                    if sent == 6 {
                        let _ = server.end(tyme, asked, &HeaderMap::new());
                    }
                }
                client.service(tyme, net);
                for event in client.events().collect::<Vec<_>>() {
                    match event {
                        AskEvent::Head(id, _) if cancels => {
                            assert!(client.set_deadline(id, Tyme::NEVER));
                            assert!(client.set_deadline(id, Tyme::NEVER), "twice is once");
                        }
                        AskEvent::Data(id) => body.append(&mut client.take_body(id)),
                        AskEvent::Done(_, outcome) => done = Some(outcome),
                        _ => {}
                    }
                }
                done.is_some()
            });
            assert!(!client.set_deadline(id, Tyme::NEVER), "it is over");
            let over = world.net.now();
            match done.expect("an outcome") {
                Ok(response) => {
                    body.extend(response.body);
                    assert!(cancels && over >= begun + ms(500));
                    assert_eq!(body, b"piece".repeat(6));
                }
                Err(AskError::Failed {
                    cause: Failure::TimedOut { unsent },
                    ..
                }) => assert!(!cancels && !unsent && over >= begun + ms(300)),
                Err(why) => panic!("{why}"),
            }
            client.close(world.net.as_mut());
            server.close(world.net.as_mut());
        });
    }
}

/// A peer that answers one request on each connection, and closes when it sees the second.
fn fickle(
    sids: &mut Vec<(Sid, u32)>,
    listener: Sid,
    group: hio::net::Group,
    net: &mut dyn Net,
) -> u32 {
    let mut marks = Vec::new();
    net.ready(group, &mut marks);
    while let Ok(Some((sid, _))) = net.accept(listener) {
        sids.push((sid, 0));
    }
    let mut seen = 0;
    for (sid, count) in sids.iter_mut() {
        let mut buf = [0; 1000];
        if let Ok(Some(n)) = net.read(*sid, &mut buf) {
            if n == 0 {
                continue;
            }
            seen += 1;
            *count += 1;
            match *count {
                1 => {
                    let ok = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
                    assert_eq!(net.write(*sid, ok), Ok(ok.len()));
                }
                _ => net.close(*sid),
            }
        }
    }
    seen
}

#[test]
fn c_again_only_where_it_is_safe() {
    for (method, tries) in [(Method::GET, 3), (Method::PUT, 3), (Method::POST, 2)] {
        everywhere(|world| {
            let group = world.net.group(Owner::NONE);
            let listener = world
                .net
                .listen(group, &world.at.clone(), &ListenOptions::default());
            let listener = listener.expect("an address");
            let at = world.net.local(listener).expect("bound");
            let mut client = client(&at, PoolLimits::default());
            let (mut sids, mut seen) = (Vec::new(), 0);
            for nth in 0..2 {
                let now = world.net.now();
                let ask = Ask::new(method.clone(), url("http://a/"));
                client.ask(now, ask);
                let mut outcome = None;
                world.until("an outcome", |tyme, net| {
                    seen += fickle(&mut sids, listener, group, net);
                    client.service(tyme, net);
                    outcome = client.events().find_map(|event| match event {
                        AskEvent::Done(_, outcome) => Some(outcome),
                        _ => None,
                    });
                    outcome.is_some()
                });
                let fine = outcome.is_some_and(|outcome| outcome.is_ok());
                assert_eq!(fine, nth == 0 || tries == 3, "{method}");
            }
            assert_eq!(seen, tries, "{method}: requests that the peer saw");
        });
    }
}

#[test]
fn c_nobody_there_is_tried_as_often_as_allowed() {
    everywhere(|world| {
        let group = world.net.group(Owner::NONE);
        let listener = world
            .net
            .listen(group, &world.at.clone(), &ListenOptions::default());
        let listener = listener.expect("an address");
        let at = world.net.local(listener).expect("bound");
        world.net.close_group(group);
        let mut client = client(&at, PoolLimits::default());
        let now = world.net.now();
        client.ask(now, Ask::post(url("http://a/")));
        let mut outcome = None;
        world.until("an outcome", |tyme, net| {
            client.service(tyme, net);
            outcome = client.events().next();
            outcome.is_some()
        });
        let Some(AskEvent::Done(_, Err(AskError::Failed { cause, attempts }))) = outcome else {
            panic!("{outcome:?}")
        };
        assert!(cause.unsent(), "{cause}");
        assert_eq!(attempts, 2);
        let _ = NetError::Refused;
    });
}

#[test]
fn c_bodies_of_forms_and_parts() {
    let form = Ask::post(url("http://a/")).form(&[("a", "1 2"), ("b", "&")]);
    assert_eq!(
        form.headers["content-type"],
        "application/x-www-form-urlencoded"
    );
    assert_eq!(
        form.body,
        hio::proto::http::Outgoing::Bytes(b"a=1+2&b=%26".to_vec())
    );
    let parts = [
        Part {
            name: "a\"b",
            file: None,
            content_type: None,
            data: b"1",
        },
        Part {
            name: "f",
            file: Some("x\r\n.txt"),
            content_type: Some("text/plain\r\nX: y"),
            data: b"2",
        },
    ];
    let ask = Ask::post(url("http://a/")).multipart("XYZ", &parts);
    assert_eq!(
        ask.headers["content-type"],
        "multipart/form-data; boundary=XYZ"
    );
    let hio::proto::http::Outgoing::Bytes(body) = ask.body else {
        panic!()
    };
    let wanted = "--XYZ\r\nContent-Disposition: form-data; name=\"a%22b\"\r\n\r\n1\r\n\
                  --XYZ\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x%0D%0A.txt\"\r\n\
                  Content-Type: text/plainX: y\r\n\r\n2\r\n--XYZ--\r\n";
    assert_eq!(String::from_utf8_lossy(&body), wanted);
}
