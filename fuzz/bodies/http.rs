//! What the fuzz targets of HTTP do with their bytes.

use hio::proto::http::{
    Ask, Connection, EventReader, HttpLimits, Incoming, Length, Origin, RequestHead, ResponseHead,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};

/// Requests: the first byte says where the rest is split; whole or in two pieces, the same is taken.
pub(crate) fn request(data: &[u8]) {
    split(data, || Connection::server(HttpLimits::default()));
}

/// The same as responses to GET.
pub(crate) fn response(data: &[u8]) {
    split(data, asked);
}

/// The same as a chunked body.
pub(crate) fn chunked(data: &[u8]) {
    let head = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    split(data, || {
        let mut server = Connection::server(HttpLimits::default());
        let begun = server.receive(head, false).expect("a good head");
        assert!(matches!(begun, (n, Incoming::Request(_)) if n == head.len()));
        server
    });
}

/// A URL: what names an origin can be asked for, and the head of that can be sent and is read again.
pub(crate) fn url(data: &[u8]) {
    let text = std::str::from_utf8(data).unwrap_or_default();
    let Ok(url) = text.parse::<Uri>() else {
        return;
    };
    let known = Origin::of(&url).is_some();
    let Some(authority) = url.authority().filter(|_| known) else {
        return;
    };
    let _ = Ask::get(url.clone());
    let path = url.path_and_query().map_or("/", |path| path.as_str());
    let Ok(target) = path.parse::<Uri>() else {
        return;
    };
    let mut head = RequestHead::new(Method::GET, target);
    let Ok(host) = HeaderValue::from_str(authority.as_str()) else {
        return;
    };
    head.headers.insert(http::header::HOST, host);
    let mut out = Vec::new();
    let mut client = Connection::client(HttpLimits::default());
    if client
        .send_request(&head, Length::Known(0), &mut out)
        .is_err()
    {
        return; // user information has no place there
    }
    let mut server = Connection::server(HttpLimits::default());
    let (taken, found) = server.receive(&out, false).expect("our own");
    assert_eq!(taken, out.len());
    assert!(matches!(found, Incoming::Request(again) if again.target == head.target));
}

/// A stream of events, whole and in two pieces.
pub(crate) fn events(data: &[u8]) {
    let Some((&at, stream)) = data.split_first() else {
        return;
    };
    let (a, b) = stream.split_at(usize::from(at) * stream.len() / 255);
    let mut whole = EventReader::default();
    let mut halves = EventReader::default();
    let all = whole.feed(stream);
    let first = halves.feed(a);
    let (Ok(all), Ok(mut first)) = (all, first) else {
        return;
    };
    first.extend(halves.feed(b).expect("the whole was small enough"));
    assert_eq!(all, first);
    assert_eq!(whole.last_id(), halves.last_id());
}

fn asked() -> Connection {
    let mut client = Connection::client(HttpLimits::default());
    let mut head = RequestHead::new(Method::GET, Uri::from_static("/"));
    let host = HeaderValue::from_static("x");
    head.headers.insert(http::header::HOST, host);
    let mut out = Vec::new();
    client
        .send_request(&head, Length::Known(0), &mut out)
        .and_then(|()| client.send_end(&HeaderMap::new(), &mut out))
        .expect("a good request");
    client
}

fn split(data: &[u8], connection: impl Fn() -> Connection) {
    let Some((&at, stream)) = data.split_first() else {
        return;
    };
    let (a, b) = stream.split_at(usize::from(at) * stream.len() / 255);
    assert_eq!(story(connection(), &[stream]), story(connection(), &[a, b]));
}

/// What is taken, as text; pieces of a body are one.
fn story(mut connection: Connection, pieces: &[&[u8]]) -> (String, Vec<u8>) {
    let (mut all, mut told, mut body) = (Vec::new(), String::new(), Vec::new());
    for (nth, piece) in pieces.iter().enumerate() {
        all.extend_from_slice(piece);
        let ended = nth + 1 == pieces.len();
        loop {
            let (taken, what) = match connection.receive(&all, ended) {
                Ok(found) => found,
                Err(why) => {
                    told.push_str(&format!("{why:?}"));
                    return (told, body);
                }
            };
            if let Incoming::Data(n) = what {
                body.extend_from_slice(&all[taken - n..taken]);
            }
            all.drain(..taken);
            match what {
                Incoming::NeedMore if taken == 0 => break,
                Incoming::NeedMore | Incoming::Data(_) => {}
                Incoming::Paused | Incoming::Switched | Incoming::Closed => return (told, body),
                Incoming::End(trailers) => {
                    told.push_str(&format!("{} {trailers:?}", body.len()));
                    let mut out = Vec::new();
                    let ok = ResponseHead::new(StatusCode::OK);
                    let _ = connection
                        .send_response(&ok, Length::Known(0), &mut out)
                        .and_then(|()| connection.send_end(&HeaderMap::new(), &mut out));
                }
                other => told.push_str(&format!("{other:?}")),
            }
        }
    }
    (told, body)
}
