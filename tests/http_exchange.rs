//! Goal: what one end sends, the other end reads, and nothing is sent that would not be one message.
//! Method: two ends talk over a byte pipe that is cut anywhere, for whatever messages are drawn; each
//! refusal of the sending side is provoked, and must leave the output as it was.

#![cfg(feature = "http")]

use hio::proto::http::{
    Connection, HttpLimits, Incoming, Length, Misuse, ReasonPhrase, RequestHead, ResponseHead,
    State,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use proptest::prelude::*;

fn request(method: Method, target: &str) -> RequestHead {
    let mut head = RequestHead::new(method, target.parse().expect("a target"));
    head.headers.insert("host", HeaderValue::from_static("a"));
    head
}

fn status(code: u16) -> ResponseHead {
    ResponseHead::new(StatusCode::from_u16(code).expect("a status"))
}

/// A server that has read this request, and all of it.
fn asked(rx: &str) -> Connection {
    let mut server = Connection::server(HttpLimits::default());
    let mut rest = rx.as_bytes();
    loop {
        match server.receive(rest, false).expect("a good request") {
            (_, Incoming::NeedMore | Incoming::Paused) => return server,
            (taken, _) => rest = &rest[taken..],
        }
    }
}

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

fn answer(rx: &str, head: &ResponseHead, length: Length, body: &[u8]) -> (String, State) {
    let (mut server, mut out) = (asked(rx), Vec::new());
    server
        .send_response(head, length, &mut out)
        .expect("a response");
    server.send_data(body, &mut out).expect("its body");
    server
        .send_end(&HeaderMap::new(), &mut out)
        .expect("its end");
    (String::from_utf8(out).expect("text"), server.ours())
}

#[test]
fn c_what_is_said_of_length_and_future() {
    let old = "GET / HTTP/1.0\r\n\r\n";
    let old_stays = "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
    let close = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let head = "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n";
    let ok = "HTTP/1.1 200 OK\r\n";
    for (rx, code, length, body, sent, state) in [
        (
            GET,
            200,
            Length::Known(2),
            "hi",
            "content-length: 2\r\n\r\nhi",
            State::Idle,
        ),
        (
            GET,
            200,
            Length::Known(0),
            "",
            "content-length: 0\r\n\r\n",
            State::Idle,
        ),
        (
            GET,
            200,
            Length::Chunked,
            "hi",
            "transfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
            State::Idle,
        ),
        (
            GET,
            200,
            Length::UntilClose,
            "hi",
            "connection: close\r\n\r\nhi",
            State::MustClose,
        ),
        (
            close,
            200,
            Length::Known(2),
            "hi",
            "content-length: 2\r\nconnection: close\r\n\r\nhi",
            State::MustClose,
        ),
        (
            old,
            200,
            Length::Known(2),
            "hi",
            "content-length: 2\r\nconnection: close\r\n\r\nhi",
            State::MustClose,
        ),
        (
            old,
            200,
            Length::Chunked,
            "hi",
            "connection: close\r\n\r\nhi",
            State::MustClose,
        ),
        (
            old_stays,
            200,
            Length::Known(2),
            "hi",
            "content-length: 2\r\nconnection: keep-alive\r\n\r\nhi",
            State::Idle,
        ),
        (
            head,
            200,
            Length::Known(2),
            "",
            "content-length: 2\r\n\r\n",
            State::Idle,
        ),
        (
            head,
            200,
            Length::Chunked,
            "",
            "transfer-encoding: chunked\r\n\r\n",
            State::Idle,
        ),
        (head, 200, Length::UntilClose, "", "\r\n", State::Idle),
    ] {
        let (text, ended) = answer(rx, &status(code), length, body.as_bytes());
        assert_eq!(text, format!("{ok}{sent}"), "{rx}");
        assert_eq!(ended, state, "{rx}");
    }
    for code in [204, 304] {
        let (text, ended) = answer(GET, &status(code), Length::Known(0), b"");
        assert!(
            text.ends_with("\r\n\r\n") && !text.contains("content-length"),
            "{text}"
        );
        assert_eq!(ended, State::Idle);
    }
    let mut own = status(401);
    own.reason = ReasonPhrase::new("Server did not recognize sender.");
    let (text, _) = answer(GET, &own, Length::Known(0), b"");
    assert!(
        text.starts_with("HTTP/1.1 401 Server did not recognize sender.\r\n"),
        "{text}"
    );
    assert_eq!(ReasonPhrase::new("a\r\nX: b"), None);
}

#[test]
fn c_a_response_that_is_no_message_is_refused_whole() {
    let with = |code, name: &'static str, value: &'static str| {
        let mut head = status(code);
        head.headers.append(name, HeaderValue::from_static(value));
        head
    };
    let twice = {
        let mut head = with(200, "content-length", "2");
        head.headers
            .append("content-length", HeaderValue::from_static("2"));
        head
    };
    for (why, head, length) in [
        (
            Misuse::Framing,
            with(200, "content-length", "3"),
            Length::Known(2),
        ),
        (
            Misuse::Framing,
            with(200, "content-length", "02"),
            Length::Known(2),
        ),
        (Misuse::Framing, twice, Length::Known(2)),
        (
            Misuse::Framing,
            with(200, "content-length", "2"),
            Length::Chunked,
        ),
        (
            Misuse::Framing,
            with(200, "transfer-encoding", "gzip"),
            Length::Chunked,
        ),
        (
            Misuse::Framing,
            with(200, "transfer-encoding", "chunked"),
            Length::Known(2),
        ),
        (
            Misuse::Framing,
            with(204, "content-length", "0"),
            Length::Known(0),
        ),
        (Misuse::NoBody, status(204), Length::Known(2)),
        (Misuse::NoBody, status(304), Length::Chunked),
        (Misuse::State, status(101), Length::Known(0)),
    ] {
        let (mut server, mut out) = (asked(GET), b"before".to_vec());
        assert_eq!(
            server.send_response(&head, length, &mut out),
            Err(why),
            "{head:?}"
        );
        assert_eq!(out, b"before");
        let fine = server.send_response(&status(200), Length::Known(0), &mut out);
        assert_eq!(fine, Ok(()), "the connection is still of use");
    }
}

#[test]
fn c_a_request_that_is_no_message_is_refused_whole() {
    let named = |method: Method, target: &str, hosts: &[&'static str]| {
        let mut head = RequestHead::new(method, target.parse().expect("a target"));
        for host in hosts {
            head.headers.append("host", HeaderValue::from_static(host));
        }
        head
    };
    let nothing = Length::Known(0);
    for (why, head, length) in [
        (Misuse::NoHost, named(Method::GET, "/", &[]), nothing),
        (Misuse::Head, named(Method::GET, "/", &["a", "a"]), nothing),
        (Misuse::Head, named(Method::GET, "/", &["a b"]), nothing),
        (Misuse::Head, named(Method::GET, "*", &["a"]), nothing),
        (Misuse::Head, named(Method::GET, "a:80", &["a"]), nothing),
        (Misuse::Head, named(Method::CONNECT, "/x", &["a"]), nothing),
        (
            Misuse::Framing,
            named(Method::POST, "/", &["a"]),
            Length::UntilClose,
        ),
    ] {
        let (mut client, mut out) = (Connection::client(HttpLimits::default()), Vec::new());
        assert_eq!(
            client.send_request(&head, length, &mut out),
            Err(why),
            "{head:?}"
        );
        assert!(out.is_empty());
    }
}

#[test]
fn c_bodies_keep_to_what_was_told() {
    let none = HeaderMap::new();
    let mut trailers = HeaderMap::new();
    trailers.insert("x", HeaderValue::from_static("y"));
    let begun = |length| {
        let (mut server, mut out) = (asked(GET), Vec::new());
        server
            .send_response(&status(200), length, &mut out)
            .expect("a response");
        (server, out)
    };
    let (mut server, mut out) = begun(Length::Known(2));
    assert_eq!(server.send_data(b"abc", &mut out), Err(Misuse::TooMuch));
    assert_eq!(server.send_data(b"a", &mut out), Ok(()));
    assert_eq!(server.send_end(&trailers, &mut out), Err(Misuse::Trailers));
    assert_eq!(server.send_end(&none, &mut out), Err(Misuse::TooLittle));
    assert_eq!(server.ours(), State::Broken);
    assert_eq!(server.send_data(b"b", &mut out), Err(Misuse::State));

    let (mut server, mut out) = begun(Length::Chunked);
    let len = out.len();
    assert_eq!(server.send_data(b"", &mut out), Ok(()));
    assert_eq!(out.len(), len, "an empty chunk would end the body");
    let mut bad = HeaderMap::new();
    bad.insert("content-length", HeaderValue::from_static("5"));
    assert_eq!(server.send_end(&bad, &mut out), Err(Misuse::Framing));
    assert_eq!(server.send_end(&trailers, &mut out), Ok(()));
    assert!(out.ends_with(b"0\r\nx: y\r\n\r\n"));
    assert_eq!(server.send_end(&none, &mut out), Err(Misuse::State));
    assert_eq!(
        server.send_response(&status(200), Length::Chunked, &mut out),
        Err(Misuse::State)
    );
}

#[test]
fn c_a_bad_request_is_answered_and_the_last() {
    let mut server = Connection::server(HttpLimits::default());
    let error = server
        .receive(b"GET / HTTP/1.1\r\n\r\n", false)
        .expect_err("no Host");
    let mut out = Vec::new();
    let head = ResponseHead::new(error.status().expect("the peer's fault"));
    server
        .send_response(&head, Length::Known(0), &mut out)
        .expect("an answer");
    server
        .send_end(&HeaderMap::new(), &mut out)
        .expect("its end");
    let text = String::from_utf8(out).expect("text");
    assert!(text.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{text}");
    assert!(text.contains("connection: close"), "{text}");
    assert_eq!(server.ours(), State::MustClose);
    assert!(
        server
            .receive(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", false)
            .is_err()
    );
}

#[test]
fn l1_requests_on_a_connection_are_limited() {
    let limits = HttpLimits {
        requests_max: Some(2),
        ..HttpLimits::default()
    };
    let (mut server, mut out) = (Connection::server(limits), Vec::new());
    for state in [State::Idle, State::MustClose] {
        let (taken, _) = server.receive(GET.as_bytes(), false).expect("a request");
        assert_eq!(taken, GET.len());
        assert!(matches!(
            server.receive(b"", false),
            Ok((0, Incoming::End(_)))
        ));
        server
            .send_response(&status(200), Length::Known(0), &mut out)
            .expect("an answer");
        server
            .send_end(&HeaderMap::new(), &mut out)
            .expect("its end");
        assert_eq!(server.ours(), state);
    }
    assert!(String::from_utf8_lossy(&out).ends_with("connection: close\r\n\r\n"));
}

#[test]
fn c_upgrades_hand_the_connection_over() {
    let rx = "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n";
    let (mut server, mut out) = (asked(rx), Vec::new());
    server
        .send_response(&status(101), Length::Known(0), &mut out)
        .expect("granted");
    assert_eq!(server.ours(), State::Switched);
    assert!(matches!(
        server.receive(b"not http", false),
        Ok((0, Incoming::Switched))
    ));
    assert_eq!(server.send_data(b"x", &mut out), Err(Misuse::State));
}

/// A message of either side: its length as it is told, its body in pieces, its trailer.
#[derive(Clone, Debug)]
struct Message {
    chunked: bool,
    pieces: Vec<Vec<u8>>,
    trailer: bool,
}

fn message() -> impl Strategy<Value = Message> {
    let piece = proptest::collection::vec(any::<u8>(), 0..300);
    let pieces = proptest::collection::vec(piece, 0..4);
    (any::<bool>(), pieces, any::<bool>()).prop_map(|(chunked, pieces, trailer)| Message {
        chunked,
        pieces,
        trailer: trailer && chunked,
    })
}

impl Message {
    fn length(&self) -> Length {
        match self.chunked {
            true => Length::Chunked,
            false => Length::Known(self.body().len() as u64),
        }
    }
    fn body(&self) -> Vec<u8> {
        self.pieces.concat()
    }
    fn send(&self, from: &mut Connection, out: &mut Vec<u8>) {
        for piece in &self.pieces {
            from.send_data(piece, out).expect("a piece");
        }
        let mut trailers = HeaderMap::new();
        if self.trailer {
            trailers.insert("x-sum", HeaderValue::from_static("1"));
        }
        from.send_end(&trailers, out).expect("the end");
    }
}

/// Takes one message off the front of `rx`, which grows by pieces of `step` bytes.
fn take(to: &mut Connection, wire: &mut Vec<u8>, step: usize) -> (Vec<u8>, bool) {
    let (mut rx, mut body) = (Vec::new(), Vec::new());
    loop {
        let (taken, what) = to.receive(&rx, false).expect("a good message");
        if let Incoming::Data(n) = what {
            body.extend_from_slice(&rx[taken - n..taken]);
        }
        rx.drain(..taken);
        match what {
            Incoming::End(trailers) => {
                rx.append(wire); // what follows belongs to the next one
                *wire = rx;
                return (body, trailers.contains_key("x-sum"));
            }
            Incoming::NeedMore => {
                assert!(!wire.is_empty(), "the message did not end");
                rx.extend(wire.drain(..step.min(wire.len())));
            }
            _ => {}
        }
    }
}

proptest! {
    #[test]
    fn c_what_is_sent_is_what_is_read(
        exchanges in proptest::collection::vec((message(), message()), 1..4),
        step in 1usize..600,
    ) {
        let mut client = Connection::client(HttpLimits::default());
        let mut server = Connection::server(HttpLimits::default());
        let (mut up, mut down) = (Vec::new(), Vec::new());
        for (asks, answers) in &exchanges {
            let head = request(Method::POST, "/x?y");
            client.send_request(&head, asks.length(), &mut up).expect("a request");
            asks.send(&mut client, &mut up);
            prop_assert_eq!(take(&mut server, &mut up, step), (asks.body(), asks.trailer));
            server.send_response(&status(200), answers.length(), &mut down).expect("a response");
            answers.send(&mut server, &mut down);
            prop_assert_eq!(take(&mut client, &mut down, step), (answers.body(), answers.trailer));
            prop_assert_eq!(client.ours(), State::Idle);
        }
        prop_assert_eq!(server.requests(), exchanges.len() as u64);
    }

    #[test]
    fn l1_no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400), client in any::<bool>()) {
        let mut end = match client {
            false => Connection::server(HttpLimits::default()),
            true => {
                let mut end = Connection::client(HttpLimits::default());
                let mut out = Vec::new();
                end.send_request(&request(Method::GET, "/"), Length::Known(0), &mut out).expect("a request");
                end
            }
        };
        let mut rest = &bytes[..];
        while let Ok((taken, what)) = end.receive(rest, true) {
            prop_assert!(taken <= rest.len());
            rest = &rest[taken..];
            if taken == 0 && !matches!(what, Incoming::End(_) | Incoming::Response(_)) {
                break;
            }
        }
    }
}
