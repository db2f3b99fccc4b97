//! Messages that are nearly good: good ones, changed in the places where parsers are known to differ.

/// SplitMix64.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % n.max(1) as u64).expect("it is small")
    }

    pub(crate) fn of<'a, T: ?Sized>(&mut self, all: &[&'a T]) -> &'a T {
        all[self.below(all.len())]
    }
}

/// The seed of a run: `HTTP_SEED`, or a fixed one.
pub(crate) fn seed() -> u64 {
    let named = std::env::var("HTTP_SEED").ok();
    named
        .and_then(|text| text.parse().ok())
        .unwrap_or(20_261_120)
}

/// Messages of a run: `HTTP_MESSAGES`, or 100 000.
pub(crate) fn messages() -> usize {
    let named = std::env::var("HTTP_MESSAGES").ok();
    named.and_then(|text| text.parse().ok()).unwrap_or(100_000)
}

/// What a message that was not swallowed is followed by.
pub(crate) const NEXT: &[u8] = b"GET /next HTTP/1.1\r\nHost: next\r\n\r\n";
pub(crate) const NEXT_RESPONSE: &[u8] = b"HTTP/1.1 299 next\r\nContent-Length: 0\r\n\r\n";

const FRAMING: [&str; 34] = [
    "Content-Length: 5",
    "Content-Length: 0",
    "Content-Length: 05",
    "Content-Length: +5",
    "Content-Length: -1",
    "Content-Length: 5, 5",
    "Content-Length: 5,6",
    "Content-Length: 5 5",
    "Content-Length: 0x5",
    "Content-Length: 5_0",
    "Content-Length:",
    "Content-Length: 18446744073709551621",
    "Content-Length : 5",
    " Content-Length: 5",
    "Content-Length:\t5\t",
    "content-LENGTH: 3",
    "Content_Length: 9",
    "Transfer-Encoding: chunked",
    "Transfer-Encoding: Chunked",
    "Transfer-Encoding: identity",
    "Transfer-Encoding: gzip, chunked",
    "Transfer-Encoding: chunked, gzip",
    "Transfer-Encoding: chunked, chunked",
    "Transfer-Encoding: chunked,",
    "Transfer-Encoding: ,chunked",
    "Transfer-Encoding: \"chunked\"",
    "Transfer-Encoding: xchunked",
    "Transfer-Encoding:\u{b}chunked",
    "Transfer-Encoding : chunked",
    "Transfer-Encoding:\r\n chunked",
    "Transfer-Encoding: chunked;q=1",
    "Connection: close",
    "Connection: keep-alive",
    "X: y\r\n Content-Length: 7",
];
const BODIES: [&str; 15] = [
    "hello",
    "",
    "0\r\n\r\n",
    "5\r\nhello\r\n0\r\n\r\n",
    "5;a=b\r\nhello\r\n0\r\nT: v\r\n\r\n",
    "05\r\nhello\r\n00\r\n\r\n",
    "5 \r\nhello\r\n0\r\n\r\n",
    "5\nhello\n0\n\n",
    "0x5\r\nhello\r\n0\r\n\r\n",
    "-1\r\nhello\r\n0\r\n\r\n",
    "5\r\nhelloX\r\n0\r\n\r\n",
    "5\r\nhello0\r\n\r\n",
    "5;\nhello\r\n0\r\n\r\n",
    "10000000000000005\r\nhello\r\n0\r\n\r\n",
    "A\r\n0123456789\r\na\r\nabcdefghij\r\n0\r\n\r\n",
];
const BYTES: [u8; 18] = *b"\r\n\t :,;0159afAF+-\0";

/// A request and what follows it.
pub(crate) fn request(random: &mut Random) -> Vec<u8> {
    let method = random.of(&["GET", "POST", "PUT", "OPTIONS", "HEAD"]);
    let target = random.of(&["/", "/a?b", "*", "http://h/x", "/%41"]);
    let version = random.of(&["HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.0"]);
    let first = format!("{method} {target} {version}");
    message(random, &first, "Host: x", NEXT)
}

/// A response and what follows it.
pub(crate) fn response(random: &mut Random) -> Vec<u8> {
    let status = random.of(&[
        "200 OK",
        "204 No Content",
        "304 Not Modified",
        "404 Not Found",
        "200",
    ]);
    let version = random.of(&["HTTP/1.1", "HTTP/1.1", "HTTP/1.0"]);
    let first = format!("{version} {status}");
    message(random, &first, "Server: x", NEXT_RESPONSE)
}

fn message(random: &mut Random, first: &str, field: &str, next: &[u8]) -> Vec<u8> {
    let mut lines = vec![field.to_owned()];
    for _ in 0..random.below(3) {
        let at = random.below(lines.len() + 1);
        lines.insert(at, random.of(&FRAMING).to_owned());
    }
    let good = random.below(2) == 0;
    let body = match good {
        false => random.of(&BODIES).to_owned(),
        true if random.below(2) == 0 => {
            lines.push("Content-Length: 5".to_owned());
            "hello".to_owned()
        }
        true => {
            lines.push("Transfer-Encoding: chunked".to_owned());
            random.of(&BODIES[2..6]).to_owned()
        }
    };
    let mut text = format!("{first}\r\n{}\r\n\r\n{body}", lines.join("\r\n")).into_bytes();
    for _ in 0..random.below(4) {
        change(random, &mut text);
    }
    text.extend_from_slice(next);
    text
}

fn change(random: &mut Random, text: &mut Vec<u8>) {
    let at = random.below(text.len());
    let byte = BYTES[random.below(BYTES.len())];
    match random.below(6) {
        0 => text[at] = byte,
        1 => text.insert(at, byte),
        2 => drop(text.remove(at)),
        3 => text[at] ^= 1 << random.below(8),
        4 => {
            let end = (at + random.below(12)).min(text.len());
            let piece = text[at..end].to_vec();
            let to = random.below(text.len());
            text.splice(to..to, piece);
        }
        _ => {
            let end = (at + random.below(4)).min(text.len());
            drop(text.drain(at..end));
        }
    }
    if text.is_empty() {
        text.push(byte);
    }
}

/// One message as a parser took it: what it was, and its body.
pub(crate) type Taken = (String, Vec<u8>);

/// How two parsers judged the same bytes.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) same: usize,
    pub(crate) we_refuse: usize,
    pub(crate) they_refuse: usize,
}

impl Tally {
    /// Compares what both took; whatever both took must be the same.
    pub(crate) fn compare(&mut self, text: &[u8], ours: &[Taken], theirs: &[Taken], seed: u64) {
        let both = ours.len().min(theirs.len());
        assert!(
            ours[..both] == theirs[..both],
            "seed {seed}: {:?}\nours   {ours:?}\ntheirs {theirs:?}",
            String::from_utf8_lossy(text)
        );
        match ours.len().cmp(&theirs.len()) {
            std::cmp::Ordering::Equal => self.same += 1,
            std::cmp::Ordering::Less => self.we_refuse += 1,
            std::cmp::Ordering::Greater => self.they_refuse += 1,
        }
    }
}

use hio::proto::http::{Connection, HttpLimits, Incoming, Length, RequestHead, ResponseHead};

/// The requests that we take, the connection being answered after each.
pub(crate) fn our_requests(pieces: &[&[u8]]) -> Vec<Taken> {
    let mut server = Connection::server(HttpLimits::default());
    let ok = ResponseHead::new(http::StatusCode::OK);
    let answer = |server: &mut Connection| {
        let mut out = Vec::new();
        let begun = server.send_response(&ok, Length::Known(0), &mut out);
        // After HEAD it is complete already.
        let _ = begun.and_then(|()| server.send_end(&http::HeaderMap::new(), &mut out));
    };
    ours(&mut server, pieces, answer)
}

/// The responses to GET that we take.
pub(crate) fn our_responses(pieces: &[&[u8]]) -> Vec<Taken> {
    let mut client = Connection::client(HttpLimits::default());
    let ask = |client: &mut Connection| {
        let mut head = RequestHead::new(http::Method::GET, http::Uri::from_static("/"));
        let host = http::HeaderValue::from_static("x");
        head.headers.insert(http::header::HOST, host);
        let mut out = Vec::new();
        // It fails when the connection is to be closed: then nothing more is taken either.
        let asked = client.send_request(&head, Length::Known(0), &mut out);
        let _ = asked.and_then(|()| client.send_end(&http::HeaderMap::new(), &mut out));
    };
    ask(&mut client);
    ours(&mut client, pieces, ask)
}

fn ours(
    connection: &mut Connection,
    pieces: &[&[u8]],
    mut over: impl FnMut(&mut Connection),
) -> Vec<Taken> {
    let (mut all, mut taken) = (Vec::new(), Vec::new());
    let (mut head, mut body) = (None, Vec::new());
    for (nth, piece) in pieces.iter().enumerate() {
        all.extend_from_slice(piece);
        let ended = nth + 1 == pieces.len();
        loop {
            let Ok((n, what)) = connection.receive(&all, ended) else {
                return taken;
            };
            if let Incoming::Data(len) = what {
                body.extend_from_slice(&all[n - len..n]);
            }
            all.drain(..n);
            match what {
                Incoming::Request(found) => {
                    head = Some(format!("{} {}", found.method, found.target))
                }
                Incoming::Response(found) if !found.status.is_informational() => {
                    head = Some(found.status.as_str().to_owned());
                }
                Incoming::End(_) => {
                    taken.push((head.take().expect("a head"), std::mem::take(&mut body)));
                    over(connection);
                }
                Incoming::Response(_) | Incoming::Data(_) => {}
                Incoming::NeedMore if n > 0 => {}
                Incoming::NeedMore => break,
                _ => return taken,
            }
        }
    }
    taken
}
