//! Goal: the defects of hio's HTTP that no other story covers by itself are none here.
//! Method: the bytes that hio stumbles over, to both ends without a socket; each defect has its number.

#![cfg(feature = "http")]

use hio::proto::http::{
    Ask, Connection, HttpError, HttpLimits, Incoming, Length, RequestHead, ResponseHead,
};
use http::header::{HOST, SET_COOKIE};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};

/// The head of a request, or the status that it is refused with.
fn request(text: &str) -> Result<RequestHead, StatusCode> {
    let mut server = Connection::server(HttpLimits::default());
    match server.receive(text.as_bytes(), true) {
        Ok((_, Incoming::Request(head))) => Ok(head),
        Err(HttpError::Peer { status, .. }) => Err(status),
        other => panic!("{text:?}: {other:?}"),
    }
}

/// A client whose request is out, and the bytes of it.
fn asked(method: Method, length: Length) -> (Connection, Vec<u8>) {
    let mut client = Connection::client(HttpLimits::default());
    let mut head = RequestHead::new(method, Uri::from_static("/"));
    head.headers.insert(HOST, HeaderValue::from_static("x"));
    let mut out = Vec::new();
    client.send_request(&head, length, &mut out).unwrap();
    client.send_end(&HeaderMap::new(), &mut out).unwrap();
    (client, out)
}

#[test]
fn defect_h3_a_field_needs_no_space_after_its_colon() {
    let head = request("GET / HTTP/1.1\r\nHost:x\r\nA:b\r\nEmpty:\r\n\r\n").unwrap();
    assert_eq!(head.headers["a"], "b");
    assert_eq!(head.headers["empty"], "");
}

#[test]
fn defect_h5_a_bad_url_is_400() {
    for target in [
        "http://[::1",
        "http://x:port/",
        "http://[/",
        "//[",
        "[",
        "/a b",
        "/<\u{7f}>",
    ] {
        let text = format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n");
        let found = request(&text);
        let path = |head: &RequestHead| target == "//[" && head.target.path() == target;
        let fine = match &found {
            Ok(head) => path(head), // a path may hold anything but spaces and control characters
            Err(status) => *status == StatusCode::BAD_REQUEST,
        };
        assert!(fine, "{target}: {found:?}");
    }
}

#[test]
fn defect_h6_a_bad_method_is_400() {
    for method in ["", "G@T", "GET\t", "G:T"] {
        let found = request(&format!("{method} / HTTP/1.1\r\nHost: x\r\n\r\n"));
        assert_eq!(found.err(), Some(StatusCode::BAD_REQUEST), "{method:?}");
    }
}

#[test]
fn defect_h10_each_response_of_a_connection_says_its_length() {
    let mut server = Connection::server(HttpLimits::default());
    for _ in 0..3 {
        let text = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";
        let (taken, _) = server.receive(text, false).unwrap();
        assert_eq!(taken, text.len());
        assert!(matches!(
            server.receive(b"", false),
            Ok((0, Incoming::End(_)))
        ));
        let mut out = Vec::new();
        let ok = ResponseHead::new(StatusCode::OK);
        server
            .send_response(&ok, Length::Known(2), &mut out)
            .unwrap();
        server.send_data(b"hi", &mut out).unwrap();
        server.send_end(&HeaderMap::new(), &mut out).unwrap();
        assert_eq!(out, b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi");
    }
}

#[test]
fn defect_h14_repeated_fields_are_all_kept() {
    let head = request("GET / HTTP/1.1\r\nHost: x\r\nCookie: a\r\ncookie: b\r\n\r\n").unwrap();
    let all: Vec<_> = head.headers.get_all("cookie").iter().collect();
    assert_eq!(all, ["a", "b"]);

    let (mut client, _) = asked(Method::GET, Length::Known(0));
    let text = b"HTTP/1.1 200 OK\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nContent-Length: 0\r\n\r\n";
    let (_, Incoming::Response(head)) = client.receive(text, false).unwrap() else {
        panic!("a response");
    };
    let all: Vec<_> = head.headers.get_all(SET_COOKIE).iter().collect();
    assert_eq!(all, ["a", "b"]);

    let mut server = Connection::server(HttpLimits::default());
    server
        .receive(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", false)
        .unwrap();
    let mut out = Vec::new();
    server
        .send_response(&head, Length::Known(0), &mut out)
        .unwrap();
    let out = String::from_utf8(out).unwrap();
    assert!(out.contains("set-cookie: a\r\nset-cookie: b\r\n"), "{out}");
}

#[test]
fn defect_c4_no_body_follows_head_whatever_its_fields_say() {
    let (mut client, _) = asked(Method::HEAD, Length::Known(0));
    let text = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let (taken, _) = client.receive(text, false).unwrap();
    assert_eq!(taken, text.len());
    assert!(matches!(
        client.receive(b"", false),
        Ok((0, Incoming::End(_)))
    ));
}

#[test]
fn defect_c13_queries_are_taken_as_they_are() {
    for query in ["a", "a=b&c", "a=%26&b=+", "=&&=", "a?b"] {
        let url: Uri = format!("http://x/p?{query}").parse().unwrap();
        let ask = Ask::get(url);
        assert_eq!(ask.url.query(), Some(query));
    }
}

#[test]
fn defect_c14_an_empty_post_says_its_length() {
    let (_, out) = asked(Method::POST, Length::Known(0));
    let out = String::from_utf8(out).unwrap();
    assert!(out.contains("content-length: 0\r\n"), "{out}");
}
