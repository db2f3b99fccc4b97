//! Goal: byte for byte the packets, and field by field the requests and answers, of the real tno package.
//! Method: golden vectors from `tests/data`, or from the directory that `COMMUNICATOR_VECTORS` names: pool packets are packed
//! and unpacked, recorded requests are played to a communicator's server, and what a communicator sends is compared with
//! what was recorded; the number of cases is printed, and none is a failure.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use hio::link::{Client, Limits, Server};
use hio::net::{ConnectOptions, Endpoint, ListenOptions, MioNet, Net, Owner};
use hio::proto::channel::{Bounds, Json, Value};
use hio::proto::communicator::{
    BigInteger, CommunicatorEvent, HttpCommunicator, HttpConfig, HttpConnection, Object, Packer,
    Rejection, RetryPolicy,
};

const PATIENCE: Duration = Duration::from_secs(20);

/// Maps keep their order in these values, as Python's do.
fn load(file: &str) -> Value {
    let own = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data");
    let dir = std::env::var_os("COMMUNICATOR_VECTORS").map_or_else(|| own.into(), PathBuf::from);
    let path = dir.join(file);
    let text = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let bounds = Bounds {
        depth_max: 512,
        items_max: 50_000_000,
        types: 0,
    };
    Json::decode_value(&text, &bounds).unwrap_or_else(|e| panic!("{file}: {e}"))
}

fn cases(document: &Value, key: &str) -> Vec<Value> {
    let all = document.get(key).and_then(Value::items);
    all.unwrap_or_else(|| panic!("no list {key:?}")).to_vec()
}

fn field<'a>(case: &'a Value, key: &str) -> &'a Value {
    case.get(key)
        .unwrap_or_else(|| panic!("no {key:?} in {case}"))
}

fn text<'a>(case: &'a Value, key: &str) -> &'a str {
    field(case, key)
        .text()
        .unwrap_or_else(|| panic!("no text {key:?} in {case}"))
}

fn number(case: &Value, key: &str) -> i64 {
    field(case, key)
        .int()
        .unwrap_or_else(|| panic!("no number {key:?} in {case}"))
}

fn unhex(text: &str) -> Vec<u8> {
    let pair = |at| u8::from_str_radix(&text[at..at + 2], 16).expect("hex");
    (0..text.len()).step_by(2).map(pair).collect()
}

/// Latin-1, as the vectors have bytes.
fn bytes(text: &str) -> Vec<u8> {
    let byte = |c| u8::try_from(u32::from(c)).expect("latin-1");
    text.chars().map(byte).collect()
}

/// What a tagged value stands for; `None` for what the pool has no word for.
fn untag(value: &Value) -> Option<Object> {
    Some(match value {
        Value::Nil => Object::Nil,
        Value::Bool(b) => (*b).into(),
        Value::Int(n) => (*n).into(),
        Value::UInt(n) => (*n).into(),
        Value::Float(x) => (*x).into(),
        Value::Text(text) => text.as_str().into(),
        Value::List(items) => Object::List(untag_all(items)?),
        Value::Map(entries) => match entries.as_slice() {
            [(Value::Text(tag), inner)] if tag.starts_with('$') => return tagged(tag, inner),
            _ => {
                let entry = |(k, v): &(Value, Value)| Some((k.text()?.to_owned(), untag(v)?));
                Object::Map(entries.iter().map(entry).collect::<Option<_>>()?)
            }
        },
        other => panic!("a value of JSON, not {other}"),
    })
}

fn untag_all(items: &[Value]) -> Option<Vec<Object>> {
    items.iter().map(untag).collect()
}

fn tagged(tag: &str, inner: &Value) -> Option<Object> {
    Some(match (tag, inner) {
        ("$bytes", Value::Text(hex)) => Object::Bytes(unhex(hex)),
        ("$int", Value::Text(digits)) => {
            let big: BigInteger = digits.parse().expect("digits");
            big.into()
        }
        ("$float", Value::Text(name)) => Object::Float(name.parse().expect("a float")),
        ("$tuple", Value::List(items)) => Object::Tuple(untag_all(items)?),
        ("$repeat", Value::List(what)) => {
            let count = usize::try_from(what[1].int()?).expect("a count");
            match untag(&what[0])? {
                Object::Text(text) => Object::Text(text.repeat(count)),
                Object::Bytes(bytes) => Object::Bytes(bytes.repeat(count)),
                Object::List(items) => {
                    let all = items.iter().cycle().take(items.len() * count);
                    Object::List(all.cloned().collect())
                }
                other => panic!("repeated {other:?}"),
            }
        }
        _ => return None, // a map whose keys are no texts
    })
}

fn packet(value: &Value) -> Vec<u8> {
    match untag(value) {
        Some(Object::Bytes(bytes)) => bytes,
        other => panic!("a packet is bytes, not {other:?}"),
    }
}

/// Equality by debug text, so that a NaN is like another.
fn same(a: &Object, b: &Object) -> bool {
    format!("{a:?}") == format!("{b:?}")
}

#[test]
fn pool_packets() {
    let packer = Packer::new().with_limits(1024, 10_000_000);
    let all = cases(&load("tno_pool.json"), "cases");
    let mut compared = 0;
    for case in &all {
        let id = text(case, "id");
        let Some(content) = untag(field(case, "content")) else {
            assert!(case.get("pack_error").is_some(), "{case}");
            compared += 1;
            continue;
        };
        if case.get("pack_error").is_some() {
            continue; // what Python has no serializer for: our types are others
        }
        let packed = packer
            .pack(&content, id)
            .unwrap_or_else(|e| panic!("{e}: {case}"));
        match case.get("packet").and_then(Value::text) {
            Some(hex) => assert!(packed == unhex(hex), "{case}"),
            None => {
                assert_eq!(i64::try_from(packed.len()), Ok(number(case, "packet_len")));
                assert!(packed.starts_with(&unhex(text(case, "packet_head"))));
            }
        }
        let unpacked = packer.unpack(&packed);
        if case.get("unpack_error").is_some() {
            assert!(unpacked.is_err(), "{case}: {unpacked:?}");
        } else {
            let (back_id, back) = unpacked.unwrap_or_else(|e| panic!("{e}: {case}"));
            let wanted = case.get("unpacked").and_then(untag).unwrap_or(content);
            assert_eq!(back_id, id);
            assert!(same(&back, &wanted), "{back:?} is not {wanted:?}");
        }
        compared += 1;
    }
    println!("compared {compared} cases");
    assert!(compared > 0, "no cases");
}

/// A head, its first line and its fields in lower case, without those that differ by nature.
fn head(text: &str) -> (String, BTreeMap<String, String>) {
    let mut lines = text.split("\r\n");
    let first = lines.next().unwrap_or_default().to_owned();
    let fields = lines.take_while(|line| !line.is_empty()).map(|line| {
        let (name, value) = line.split_once(':').expect("a field");
        (name.to_ascii_lowercase(), value.trim().to_owned())
    });
    let differ = [
        "date",
        "server",
        "user-agent",
        "host",
        "idempotency-key",
        // What ours could not read, it does not ask for; the answer's body is never looked at.
        "accept-encoding",
    ];
    let fields = fields.filter(|(name, _)| !differ.contains(&name.as_str()));
    (first, fields.collect())
}

/// Both ends in one loop.
struct World {
    net: MioNet,
    communicator: HttpCommunicator,
    delivered: std::sync::Arc<std::sync::Mutex<Vec<Vec<u8>>>>,
}

impl World {
    fn new(config: HttpConfig, peer: HttpConnection) -> Self {
        let mut net = MioNet::new().expect("a net");
        let retry = RetryPolicy {
            attempts_max: 1,
            ..RetryPolicy::default()
        };
        let mut communicator = HttpCommunicator::http(config)
            .expect("no TLS")
            .with_retry(retry);
        let delivered = std::sync::Arc::default();
        let keep: std::sync::Arc<std::sync::Mutex<Vec<Vec<u8>>>> =
            std::sync::Arc::clone(&delivered);
        communicator.set_receive_handler(move |_: &str, packet: &[u8]| {
            keep.lock().expect("one thread").push(packet.to_vec());
            match packet.strip_prefix(b"FAIL") {
                Some(why) => Err(Rejection::failed(String::from_utf8_lossy(why).trim())),
                None => Ok(()),
            }
        });
        communicator
            .add_connection("peer", peer)
            .expect("a first one");
        let now = net.now();
        communicator
            .initialize(now, &mut net, Owner(1))
            .expect("it listens");
        Self {
            net,
            communicator,
            delivered,
        }
    }

    fn turn(&mut self, more: impl FnOnce(hio::tyme::Tyme, &mut MioNet)) {
        let now = self.net.now();
        self.communicator
            .service(now, &mut self.net)
            .expect("it listens on");
        more(now, &mut self.net);
        let mut marked = Vec::new();
        self.net.woken(&mut marked);
        let pause = Duration::from_millis(if marked.is_empty() { 5 } else { 0 });
        self.net.poll(now + pause).expect("polling works");
    }
}

/// A port of loopback that nobody has now, for a test that must know it beforehand.
fn config() -> HttpConfig {
    HttpConfig::at("127.0.0.1", 0)
}

#[test]
fn requests_are_answered_as_recorded() {
    let document = load("tno_http.json");
    let all = cases(&document, "answered");
    for case in &all {
        let known = u16::try_from(number(case, "known_sender_port")).expect("one");
        let mut world = World::new(config(), HttpConnection::new("localhost", known));
        let at = world.communicator.transport().listening().next().cloned();
        let to: Endpoint = at.expect("it listens");
        let mut client = Client::new(to, ConnectOptions::default(), Limits::default());
        client = client.with_auto_close(false);
        let start = world.net.now();
        client
            .open(start, &mut world.net, Owner(2))
            .expect("limits");
        client.tx(&bytes(text(case, "request"))).expect("room");
        let wanted = text(case, "response");
        let mut got = Vec::new();
        let closes = *field(case, "closed_by_receiver") == Value::Bool(true);
        loop {
            world.turn(|now, net| client.service(now, net));
            got.extend_from_slice(client.rx());
            client.consume(client.rx().len());
            let whole = got.len() >= wanted.len().min(40) && settled(&got, wanted);
            if whole && (!closes || client.cutoff() || !client.connected()) {
                break;
            }
            let late = world.net.now() > start + PATIENCE;
            assert!(
                !late,
                "{}: {:?}",
                text(case, "name"),
                String::from_utf8_lossy(&got)
            );
        }
        let got: String = got.iter().map(|&b| char::from(b)).collect();
        compare_responses(text(case, "name"), &got, wanted);
        let delivered: Vec<Vec<u8>> = cases(case, "delivered").iter().map(packet).collect();
        assert_eq!(
            *world.delivered.lock().expect("one thread"),
            delivered,
            "{case}"
        );
        assert_eq!(client.cutoff() || !client.connected(), closes, "{case}");
    }
    println!("compared {} cases", all.len());
    assert!(!all.is_empty(), "no cases");
}

/// Whether as many responses are there as were recorded.
fn settled(got: &[u8], wanted: &str) -> bool {
    let got: String = got.iter().map(|&b| char::from(b)).collect();
    responses(&got).len() == responses(wanted).len()
}

/// Whole responses: head and body.
fn responses(mut text: &str) -> Vec<(String, String)> {
    let mut all = Vec::new();
    while let Some((head, rest)) = text.split_once("\r\n\r\n") {
        let length = head.to_ascii_lowercase();
        let length = length.split("content-length: ").nth(1);
        let length = length.and_then(|l| l.lines().next()?.parse::<usize>().ok());
        // The answer to HEAD has a length and no body.
        let length = length.unwrap_or(0).min(rest.len());
        all.push((head.to_owned(), rest[..length].to_owned()));
        text = &rest[length..];
    }
    all
}

fn compare_responses(name: &str, got: &str, wanted: &str) {
    let (got, wanted) = (responses(got), responses(wanted));
    assert_eq!(got.len(), wanted.len(), "{name}");
    for ((head_got, body_got), (head_wanted, body_wanted)) in got.iter().zip(&wanted) {
        let ((first, mut fields), (first_wanted, mut wanted)) = (head(head_got), head(head_wanted));
        // We say HTTP/1.1 whatever we were asked in (RFC 9110 §2.5), and say what that means.
        let version = |line: &str| line.replacen("HTTP/1.0", "HTTP/1.1", 1);
        assert_eq!(version(&first), version(&first_wanted), "{name}");
        if first_wanted.starts_with("HTTP/1.0") {
            fields.remove("connection");
            wanted.remove("connection");
        }
        assert_eq!(fields, wanted, "{name}");
        assert_eq!(body_got, body_wanted, "{name}");
    }
}

#[test]
fn packets_are_sent_as_recorded() {
    let all = cases(&load("tno_http.json"), "sent");
    for case in &all {
        let mut place = Server::new(
            "127.0.0.1:0".parse().expect("an endpoint"),
            ListenOptions::default(),
            Limits::default(),
        );
        // The recorded port is the sender's; ours has another, which is put in its place.
        let mut probe = MioNet::new().expect("a net");
        place.open(&mut probe, Owner(9)).expect("it listens");
        let port = place.ha().port().expect("a port");
        place.close(&mut probe);
        let mut world = World::new(config(), HttpConnection::new("127.0.0.1", port));
        let own = world.communicator.transport().port();
        let mut server = Server::new(
            Endpoint::host("127.0.0.1", port),
            ListenOptions::default(),
            Limits::default(),
        );
        server.open(&mut world.net, Owner(2)).expect("it listens");
        let sent = packet(field(case, "packet"));
        let id = world
            .communicator
            .send("peer", sent.clone())
            .expect("started");
        let start = world.net.now();
        let mut request = Vec::new();
        let outcome = loop {
            world.turn(|now, net| {
                let answer = bytes(text(case, "response"));
                server
                    .service_each(now, net, |link| {
                        request.extend_from_slice(link.rx());
                        link.clear_rx();
                        let body = request.windows(4).position(|w| w == b"\r\n\r\n");
                        let whole = body.is_some_and(|at| request.len() == at + 4 + sent.len());
                        if whole && link.pending() == 0 {
                            link.tx(&answer).expect("room");
                        }
                    })
                    .expect("it listens on");
            });
            if let Some(event) = world.communicator.events().next() {
                break event;
            }
            assert!(world.net.now() < start + PATIENCE, "{case}");
        };
        let (got_head, got_body) = request.split_at(request.len() - sent.len());
        assert_eq!(got_body, sent, "{case}");
        let ours = String::from_utf8(got_head.to_vec()).expect("text");
        let recorded = number(case, "sender_server_port");
        let wanted = text(case, "head").replace(
            &format!("server_port={recorded}"),
            &format!("server_port={own}"),
        );
        assert_eq!(head(&ours), head(&wanted), "{case}");
        assert!(
            ours.contains(&format!("host: 127.0.0.1:{port}\r\n")),
            "{ours}"
        );
        let outcome = match outcome {
            CommunicatorEvent::Sent { id: of, .. } if of == id => "ok".to_owned(),
            CommunicatorEvent::Failed { id: of, failure } if of == id => {
                format!("CommunicationError: {failure}")
            }
            other => panic!("{other:?}"),
        };
        let wanted = text(case, "outcome").replace("%RECEIVER%", &port.to_string());
        assert_eq!(outcome, wanted);
    }
    println!("compared {} cases", all.len());
    assert!(!all.is_empty(), "no cases");
}
