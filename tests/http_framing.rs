//! Goal: HTTP messages are framed strictly, and the same however their bytes arrive.
//! Method: the rows of `tests/data/http_framing.jsonl` are read whole, a byte at a time and split at every
//! place; what is found must be what the row says. Characters of a row are bytes (Latin-1).

#![cfg(feature = "http")]

use std::fs;

use hio::proto::http::{Connection, HttpError, HttpLimits, Incoming, Length, RequestHead};
use http::{HeaderMap, HeaderValue, Method};

struct Row {
    name: String,
    asked: Option<Method>,
    rx: Vec<u8>,
    ended: bool,
    want: Vec<String>,
}

fn rows() -> Vec<Row> {
    let text = fs::read_to_string("tests/data/http_framing.jsonl").expect("the rows");
    let row = |line: &str| {
        let json: serde_json::Value = serde_json::from_str(line).expect("a row is JSON");
        let text = |key: &str| json[key].as_str().unwrap_or_default().to_owned();
        let bytes = |c: char| u8::try_from(u32::from(c)).expect("a byte");
        let asked = (text("role") == "client").then(|| text("asked").parse().expect("a method"));
        Row {
            name: format!("{}: {}", text("role"), text("name")),
            asked,
            rx: text("rx").chars().map(bytes).collect(),
            ended: json["ended"].as_bool().unwrap_or(false),
            want: json["want"]
                .as_array()
                .expect("what is wanted")
                .iter()
                .map(|w| w.as_str().expect("text").to_owned())
                .collect(),
        }
    };
    text.lines().map(row).collect()
}

fn connection(asked: Option<&Method>) -> Connection {
    let limits = HttpLimits::default();
    let Some(method) = asked else {
        return Connection::server(limits);
    };
    let mut client = Connection::client(limits);
    let target = if *method == Method::CONNECT {
        "a:443"
    } else {
        "/"
    };
    let mut head = RequestHead::new(method.clone(), target.parse().expect("a target"));
    head.headers.insert("host", HeaderValue::from_static("a"));
    let mut out = Vec::new();
    client
        .send_request(&head, Length::Known(0), &mut out)
        .expect("a request");
    client
        .send_end(&HeaderMap::new(), &mut out)
        .expect("its end");
    client
}

/// All that is found when the bytes come in these pieces.
fn found(row: &Row, pieces: &[&[u8]]) -> Vec<String> {
    let mut connection = connection(row.asked.as_ref());
    let (mut told, mut rx, mut data) = (Vec::new(), Vec::new(), Vec::new());
    for (nth, piece) in pieces.iter().enumerate() {
        rx.extend_from_slice(piece);
        let ended = row.ended && nth + 1 == pieces.len();
        loop {
            let got = connection.receive(&rx, ended);
            let (taken, what) = match got {
                Ok((taken, Incoming::NeedMore)) => {
                    rx.drain(..taken);
                    break;
                }
                Ok((taken, Incoming::Data(n))) => {
                    assert!(n > 0 && n <= taken);
                    data.extend_from_slice(&rx[taken - n..taken]);
                    rx.drain(..taken);
                    continue;
                }
                Ok((taken, what)) => (taken, tell(what)),
                Err(HttpError::Peer { status, .. }) => (0, format!("error {}", status.as_u16())),
                Err(HttpError::Truncated) => (0, "truncated".to_owned()),
                Err(other) => panic!("{other}"),
            };
            rx.drain(..taken);
            flush(&mut data, &mut told);
            let over = ["error", "truncated", "paused", "switched", "closed"];
            let over = over.iter().any(|word| what.starts_with(word));
            if told.last() != Some(&what) || !over {
                told.push(what);
            }
            if over {
                break;
            }
        }
    }
    flush(&mut data, &mut told);
    told.retain(|word| word != "closed");
    told.dedup_by(|b, a| b == "truncated" && a.starts_with("error"));
    told
}

fn flush(data: &mut Vec<u8>, told: &mut Vec<String>) {
    if !data.is_empty() {
        told.push(format!("data {}", String::from_utf8_lossy(data)));
        data.clear();
    }
}

fn tell(what: Incoming) -> String {
    match what {
        Incoming::Request(head) => {
            let marks = [
                (head.expects_continue(), " continue"),
                (head.wants_upgrade(), " upgrade"),
            ];
            let marks = marks
                .iter()
                .filter(|m| m.0)
                .map(|m| m.1)
                .collect::<String>();
            format!("request {} {}{marks}", head.method, head.target)
        }
        Incoming::Response(head) => {
            let reason = head
                .reason
                .as_ref()
                .map(|r| String::from_utf8_lossy(r.as_bytes()));
            let reason = reason.map(|r| format!(" {r}")).unwrap_or_default();
            format!("response {}{reason}", head.status.as_u16())
        }
        Incoming::End(trailers) => {
            let one = |(name, value): (&http::HeaderName, &HeaderValue)| {
                format!(" {name}={}", value.to_str().expect("text"))
            };
            format!("end{}", trailers.iter().map(one).collect::<String>())
        }
        Incoming::Paused => "paused".to_owned(),
        Incoming::Switched => "switched".to_owned(),
        Incoming::Closed => "closed".to_owned(),
        Incoming::NeedMore | Incoming::Data(_) => unreachable!(),
    }
}

#[test]
fn c_every_row_is_framed_as_it_says() {
    let rows = rows();
    assert!(rows.len() >= 150, "{} rows", rows.len());
    let wrong: Vec<String> = rows
        .iter()
        .map(|row| (row, found(row, &[&row.rx])))
        .filter(|(row, got)| row.want != *got)
        .map(|(row, got)| format!("{}: wants {:?}, got {got:?}", row.name, row.want))
        .collect();
    assert!(
        wrong.is_empty(),
        "{} rows:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn c_every_split_gives_the_same() {
    for row in rows() {
        let bytes: Vec<&[u8]> = row.rx.chunks(1).collect();
        let whole = found(&row, &[&row.rx]);
        if !row.rx.is_empty() {
            assert_eq!(found(&row, &bytes), whole, "{}: byte by byte", row.name);
        }
        if row.rx.len() > 2000 {
            continue;
        }
        for at in 0..row.rx.len() {
            let (a, b) = row.rx.split_at(at);
            assert_eq!(found(&row, &[a, b]), whole, "{} split at {at}", row.name);
        }
    }
}
