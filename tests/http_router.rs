//! Goal: a router finds by method and path, and says what else there is.
//! Method: raw requests to it, over sockets and in memory.

#![cfg(feature = "http")]

mod support;

use hio::link::Limits;
use hio::net::{ListenOptions, Owner};
use hio::proto::http::{Answer, HttpServer, Request, RequestId, Response, Router};
use support::{Peer, World, everywhere};

fn says(text: &'static str) -> impl FnMut(RequestId, Request) -> Answer + Send + 'static {
    move |_, _| Answer::Now(Response::ok("text/plain", text))
}

fn router() -> Router {
    Router::new()
        .get("/a", says("got"))
        .post("/a", says("posted"))
        .any("/any", says("any"))
        .get("/of/:name", says("of"))
        .get("/files/*", says("file"))
}

/// The whole answer to one request on a connection of its own.
fn answer(world: &mut World, server: &mut HttpServer, router: &mut Router, first: &str) -> String {
    let mut peer: Peer = world.peer(server.server());
    world.until("a connection", |_, net| peer.connected(net));
    let text = format!("{first} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    peer.send(text.as_bytes(), world.net.as_mut());
    world.until("an answer", |tyme, net| {
        server.service(tyme, net, router).expect("a listener");
        peer.read(net);
        peer.ended.is_some()
    });
    String::from_utf8(peer.got).expect("text")
}

#[test]
fn c_methods_and_paths_find_their_routes() {
    everywhere(|world| {
        let at = world.at.clone();
        let mut server = HttpServer::new(at, ListenOptions::default(), Limits::default());
        server
            .open(world.net.as_mut(), Owner::NONE)
            .expect("an address");
        let mut router = router();
        for (first, status, body) in [
            ("GET /a", 200, "got"),
            ("GET /a?b=c", 200, "got"),
            ("POST /a", 200, "posted"),
            ("DELETE /any", 200, "any"),
            ("GET /of/x", 200, "of"),
            ("GET /files/x/y", 200, "file"),
            ("GET /of/", 404, "404 Not Found\n"),
            ("GET /A", 404, "404 Not Found\n"),
            ("GET /a/", 404, "404 Not Found\n"),
            ("HEAD /nothing", 404, ""),
            ("HEAD /a", 200, ""),
            ("DELETE /a", 405, "405 Method Not Allowed\n"),
        ] {
            let said = answer(world, &mut server, &mut router, first);
            let (head, found) = said.split_once("\r\n\r\n").expect("a head");
            assert!(
                head.starts_with(&format!("HTTP/1.1 {status} ")),
                "{first}: {head}"
            );
            assert_eq!(found, body, "{first}");
            match (first, status) {
                ("HEAD /a", _) => assert!(head.contains("content-length: 3\r\n"), "{head}"),
                (_, 405) => assert!(head.contains("allow: GET, HEAD, POST\r\n"), "{head}"),
                _ => {}
            }
        }
    });
}
