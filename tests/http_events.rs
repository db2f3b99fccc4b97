//! Goal: events reach a listener that comes again with the id of the last one, through every kind of end.
//! Method: a server that ends its streams in several ways, and an `EventSource`, over sockets and in memory.

#![cfg(feature = "http")]

mod support;

use hio::link::Limits;
use hio::net::{ListenOptions, Owner};
use hio::proto::http::{
    Answer, Dialling, EventSource, HttpServer, Length, Request, RequestId, Response, ServerSent,
    SourceEvent,
};
use http::{HeaderMap, StatusCode};
use support::{World, everywhere, ms};

fn server(world: &mut World) -> HttpServer {
    let at = world.at.clone();
    let mut server = HttpServer::new(at, ListenOptions::default(), Limits::default());
    server
        .open(world.net.as_mut(), Owner::NONE)
        .expect("an address");
    server
}

fn source(server: &HttpServer) -> EventSource {
    let dialling = Dialling {
        instead: Some(server.server().eha()),
        ..Dialling::default()
    };
    let mut source = EventSource::new(dialling, "http://a/events".parse().expect("a URL"));
    source.open(Owner::NONE);
    source
}

fn event(id: usize) -> String {
    let event = ServerSent {
        id: Some(id.to_string()),
        retry: Some(ms(20)),
        ..ServerSent::new(format!("event {id}"))
    };
    event.to_text()
}

#[test]
fn c_a_listener_comes_again_with_the_last_id() {
    everywhere(|world| {
        let mut server = server(world);
        let mut source = source(&server);
        let (mut ids, mut lost, mut opened) = (Vec::new(), 0, 0);
        let mut streams: Vec<(RequestId, usize)> = Vec::new();
        world.until("nine events", |tyme, net| {
            let mut begun = Vec::new();
            let mut handler = |id: RequestId, request: Request| {
                let last = request.head.headers.get("last-event-id");
                let last = last.map_or(0, |v| v.to_str().expect("text").parse().expect("ours"));
                begun.push((id, last));
                Answer::Begin(ServerSent::head(), Length::Chunked)
            };
            server.service(tyme, net, &mut handler).expect("a listener");
            streams.extend(begun);
            for (id, last) in streams.drain(..) {
                for n in last + 1..last + 4 {
                    server.send(tyme, id, event(n).as_bytes()).expect("room");
                }
                match last {
                    // In the middle of an event, and in order.
                    3 => {
                        server.send(tyme, id, b"id: 99\ndata: half").expect("room");
                        server.end(tyme, id, &HeaderMap::new()).expect("it stands");
                    }
                    _ => server.end(tyme, id, &HeaderMap::new()).expect("it stands"),
                }
            }
            source.service(tyme, net);
            for told in source.events() {
                match told {
                    SourceEvent::Open => opened += 1,
                    SourceEvent::Lost => lost += 1,
                    SourceEvent::Event(event) => {
                        let id: usize = event.id.expect("an id").parse().expect("ours");
                        assert_eq!(event.data, format!("event {id}"));
                        ids.push(id);
                    }
                    other => panic!("{other:?}"),
                }
            }
            ids.len() >= 9
        });
        assert_eq!(
            ids[..9],
            [1, 2, 3, 4, 5, 6, 7, 8, 9],
            "none twice, none left out"
        );
        assert!(opened >= 3 && lost >= 2);
        assert_eq!(source.last_id(), ids.len().to_string());
        source.close(world.net.as_mut());
        assert!(source.is_over());
    });
}

#[test]
fn c_an_answer_that_is_no_stream_ends_it() {
    everywhere(|world| {
        for status in [
            StatusCode::NO_CONTENT,
            StatusCode::NOT_FOUND,
            StatusCode::OK,
        ] {
            let mut server = server(world);
            let mut source = source(&server);
            let mut asked = 0;
            world.until("a refusal", |tyme, net| {
                let mut handler = |_: RequestId, _: Request| {
                    asked += 1;
                    let mut response = Response::new(status);
                    if status == StatusCode::OK {
                        response = response.with_body("text/plain", "no stream");
                    }
                    Answer::Now(response)
                };
                server.service(tyme, net, &mut handler).expect("a listener");
                source.service(tyme, net);
                let told: Vec<SourceEvent> = source.events().collect();
                assert!(told.is_empty() || told == [SourceEvent::Refused(status)]);
                source.is_over()
            });
            assert_eq!(asked, 1);
            server.close(world.net.as_mut());
        }
    });
}

#[test]
fn c_a_server_that_is_not_there_is_asked_again() {
    everywhere(|world| {
        let mut server = server(world);
        let mut source = source(&server);
        server.close(world.net.as_mut());
        let mut lost = 0;
        world.until("a loss", |tyme, net| {
            source.service(tyme, net);
            lost += source.events().filter(|e| *e == SourceEvent::Lost).count();
            lost == 1
        });
        let now = world.net.now();
        assert!(
            !source.is_over() && source.due(now) > now + ms(1000),
            "it waits"
        );
        source.close(world.net.as_mut());
    });
}
