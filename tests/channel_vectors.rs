//! Goal: byte for byte the frames, the judgements and the conversations of the real aiomas.
//! Method: golden vectors from `tests/data`, or from the directory that `CHANNEL_VECTORS` names, are encoded, decoded and
//! played against the machine in both roles; the number of cases is printed, and none is a failure.

use std::collections::BTreeMap;
use std::path::PathBuf;

use hio::proto::channel::{
    Bounds, ChannelConfig, ChannelEvent, ChannelLimits, ChannelProtocol, Codec, ExtraInfo, Frames,
    Head, Json, MessageKind, MsgPack, Request, Types, Value,
};

/// The vectors are about the format; aiomas has no limits, so ours are out of the way.
const BOUNDS: Bounds = Bounds {
    depth_max: 512,
    items_max: 50_000_000,
    types: 0,
};
const FRAME_MAX: usize = 1 << 30;

fn directory() -> PathBuf {
    let own = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data");
    std::env::var_os("CHANNEL_VECTORS").map_or_else(|| own.into(), PathBuf::from)
}

fn cases(file: &str, key: &str) -> Vec<Value> {
    let path = directory().join(file);
    let text = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let document = Json::decode_value(&text, &BOUNDS).unwrap_or_else(|e| panic!("{file}: {e}"));
    match document.get(key) {
        Some(Value::List(cases)) => cases.clone(),
        _ => panic!("{file} has no list {key:?}"),
    }
}

fn text<'a>(case: &'a Value, key: &str) -> &'a str {
    case.get(key)
        .and_then(Value::text)
        .unwrap_or_else(|| panic!("no text {key:?} in {case}"))
}

fn codec_of(case: &Value) -> Box<dyn Codec> {
    match text(case, "codec") {
        "json" => Box::new(Json),
        "msgpack" => Box::new(MsgPack),
        other => panic!("the codec {other}"),
    }
}

fn unhex(text: &str) -> Vec<u8> {
    assert!(text.len() % 2 == 0, "hex of half a byte");
    let pair = |at| u8::from_str_radix(&text[at..at + 2], 16).expect("hex");
    (0..text.len()).step_by(2).map(pair).collect()
}

/// Takes the tags of the vector files off; the head of `peers/vectorlib.py` explains them.
fn untag(value: &Value) -> Value {
    match value {
        Value::List(items) => Value::list(items.iter().map(untag)),
        Value::Map(entries) => match entries.as_slice() {
            [(Value::Text(tag), inner)] if tag.starts_with('$') => tagged(tag, inner),
            _ => Value::Map(entries.iter().map(|(k, v)| (k.clone(), untag(v))).collect()),
        },
        other => other.clone(),
    }
}

fn tagged(tag: &str, inner: &Value) -> Value {
    match (tag, inner) {
        ("$bytes", Value::Text(hex)) => Value::Bytes(unhex(hex)),
        ("$int", Value::Text(digits)) => integer(digits),
        ("$float", Value::Text(name)) => Value::Float(name.parse().expect("a float")),
        ("$tuple", Value::List(_)) => untag(inner),
        ("$map", Value::List(pairs)) => Value::Map(
            pairs
                .iter()
                .map(|pair| {
                    let (k, v) = (pair.at(0).expect("a key"), pair.at(1).expect("a value"));
                    (untag(k), untag(v))
                })
                .collect(),
        ),
        ("$repeat", Value::List(what)) => {
            let count = what.get(1).and_then(Value::int).expect("a count");
            let count = usize::try_from(count).expect("not negative");
            match untag(&what[0]) {
                Value::Text(t) => Value::Text(t.repeat(count)),
                Value::Bytes(b) => Value::Bytes(b.repeat(count)),
                Value::List(l) => {
                    let all = l.iter().cycle().take(l.len() * count);
                    Value::list(all.cloned())
                }
                other => panic!("repeated {other}"),
            }
        }
        _ => panic!("the tag {tag} of {inner}"),
    }
}

fn integer(digits: &str) -> Value {
    digits
        .parse()
        .map_or_else(|_| Value::Big(digits.to_owned()), Value::integer)
}

/// As the vectors say it: what a tuple was is a list, an extension Python's named tuple.
fn plain(value: Value) -> Value {
    match value {
        Value::List(items) => Value::list(items.into_iter().map(plain)),
        Value::Map(entries) => Value::Map(
            entries
                .into_iter()
                .map(|(k, v)| (plain(k), plain(v)))
                .collect(),
        ),
        Value::Ext(ext) => Value::list([i64::from(ext.kind).into(), ext.data.into()]),
        other => other,
    }
}

/// By their text, so that NaN is NaN.
#[track_caller]
fn same(a: &Value, b: &Value, about: &Value) {
    let (a, b) = (format!("{a:?}"), format!("{b:?}"));
    assert!(a == b, "{a:.300}\nis not\n{b:.300}\nin {about:.300}");
}

fn number(case: &Value, key: &str) -> i128 {
    let inner = case.get(key).map(untag);
    match inner {
        Some(Value::Int(n)) => n.into(),
        Some(Value::UInt(n)) => n.into(),
        other => panic!("{key} is {other:?}"),
    }
}

fn head_of(case: &Value) -> Head {
    let kind = MessageKind::from_number(number(case, "msg_type")).expect("a kind");
    Head {
        kind,
        id: number(case, "msg_id"),
    }
}

/// The one payload of a frame, which must come out the same wherever the frame is split.
fn payload_of(frame: &[u8]) -> Vec<u8> {
    let splits = [
        0,
        1,
        2,
        3,
        4,
        5,
        frame.len() / 2,
        frame.len() - 1,
        frame.len(),
    ];
    let mut found = None;
    for at in splits.into_iter().filter(|at| *at <= frame.len()) {
        let mut frames = Frames::new(FRAME_MAX);
        let (mut first, mut second) = frame.split_at(at);
        let mut got: Vec<Vec<u8>> = Vec::new();
        for input in [&mut first, &mut second] {
            while let Some(payload) = frames.next(input).expect("within the limit") {
                got.push(payload.to_vec());
            }
        }
        let [payload] = got.as_slice() else {
            panic!("{} frames when split at {at}", got.len());
        };
        assert!(found.as_ref().is_none_or(|other| other == payload));
        found = Some(payload.clone());
    }
    found.expect("at least one split")
}

fn framed(payload: &[u8]) -> Vec<u8> {
    let len = u32::try_from(payload.len()).expect("a short one");
    [&len.to_be_bytes()[..], payload].concat()
}

/// What the library encodes, and what it decodes that to.
fn frame_case(case: &Value) {
    let codec = codec_of(case);
    let content = untag(case.get("content").expect("a content"));
    let mut payload = Vec::new();
    let encoded = codec.encode(head_of(case), &content, BOUNDS.depth_max, &mut payload);
    if case.get("encode_error").is_some() {
        assert!(encoded.is_err(), "it was encoded: {case:.300}");
        return;
    }
    encoded.unwrap_or_else(|why| panic!("{why}: {case:.300}"));
    let frame = framed(&payload);
    match case.get("frame") {
        Some(Value::Text(hex)) => {
            assert!(
                frame == unhex(hex),
                "{case:.300}: {}",
                String::from_utf8_lossy(&frame)
            );
        }
        _ => {
            assert_eq!(
                frame.len() as i128,
                number(case, "frame_len"),
                "{case:.300}"
            );
            assert!(
                frame.starts_with(&unhex(text(case, "frame_head"))),
                "{case:.300}"
            );
            assert_eq!(sha256(&frame), text(case, "frame_sha256"), "{case:.300}");
        }
    }
    let payload = payload_of(&frame);
    let (head, encoded) = codec.open(&payload, &BOUNDS).expect("a message");
    assert_eq!(head, head_of(case), "{case:.300}");
    let decoded = codec.decode(encoded).expect("it was checked");
    let expected = case.get("decoded").map_or(content, untag);
    same(&decoded, &expected, case);
    let mut again = Vec::new();
    codec.forward(head, encoded, &mut again);
    assert!(again == payload, "forwarded: {case:.300}");
}

/// What the library accepts or refuses.
fn decode_case(case: &Value) {
    let codec = codec_of(case);
    let frame = unhex(text(case, "frame"));
    let payload = payload_of(&frame);
    assert_eq!(payload, unhex(text(case, "payload")));
    let opened = codec.open(&payload, &BOUNDS);
    let accepted = case.get("ok") == Some(&Value::Bool(true));
    let odd_id = case.get("unusual_id").is_some();
    match opened {
        Ok((head, encoded)) => {
            assert!(accepted, "it was accepted: {case}");
            assert_eq!(head, head_of(case), "{case}");
            let decoded = plain(codec.decode(encoded).expect("it was checked"));
            same(
                &decoded,
                &untag(case.get("content").expect("a content")),
                case,
            );
        }
        // An id that is no integer is an id for aiomas; nobody sends one.
        Err(why) => assert!(!accepted || odd_id, "{why}: {case}"),
    }
    if !accepted {
        // And the machine drops the connection, as aiomas does.
        let mut machine = machine(text(case, "codec"), 0);
        machine.data_received(&frame);
        assert!(machine.lost().is_some() && machine.wants_close(), "{case}");
    }
}

fn machine(codec: &str, types: u64) -> ChannelProtocol {
    let limits = ChannelLimits {
        frame_bytes_max: FRAME_MAX,
        depth_max: BOUNDS.depth_max,
        items_max: BOUNDS.items_max,
        inbox_bytes_max: FRAME_MAX,
        ..ChannelLimits::default()
    };
    let config = match codec {
        "json" => ChannelConfig::with_codec(Json),
        _ => ChannelConfig::with_codec(MsgPack),
    };
    let mut registered = Types::new();
    if types > 0 {
        let service = |_: &()| Ok(Value::Nil);
        registered
            .add_serializer(service, |_| Ok(()))
            .expect("the first");
    }
    let mut machine = ChannelProtocol::new(&config.with_limits(limits).with_types(registered));
    machine.connection_made(ExtraInfo::default());
    machine
}

/// One end of a recorded conversation, which must say on its own what was recorded.
struct Actor {
    machine: ChannelProtocol,
    codec: Box<dyn Codec>,
    /// Cuts what this end is to say.
    script: Frames,
    said: Vec<u8>,
    requests: BTreeMap<i128, Request>,
    outcomes: BTreeMap<u64, Result<Value, String>>,
}

impl Actor {
    fn new(session: &Value) -> Self {
        let types = u64::from(text(session, "what") == "rpc");
        Self {
            machine: machine(text(session, "codec"), types),
            codec: codec_of(session),
            script: Frames::new(FRAME_MAX),
            said: Vec::new(),
            requests: BTreeMap::new(),
            outcomes: BTreeMap::new(),
        }
    }

    fn hear(&mut self, bytes: &[u8]) {
        self.machine.data_received(bytes);
        while let Ok(Some(request)) = self.machine.recv() {
            assert!(self.requests.insert(request.id(), request).is_none());
        }
        while let Some(event) = self.machine.event() {
            let event = match event {
                ChannelEvent::RemoteException { id, exception } => {
                    let old = self
                        .outcomes
                        .insert(id.number(), Err(exception.remote_traceback));
                    assert!(old.is_none(), "{id} ended twice");
                    continue;
                }
                other => other,
            };
            let (id, outcome) = event.outcome().expect("no loss");
            let value = outcome.expect("a reply").value().expect("it was checked");
            assert!(self.outcomes.insert(id.number(), Ok(value)).is_none());
        }
        assert_eq!(self.machine.lost(), None);
    }

    /// Says what was recorded, by the machine's own means.
    fn say(&mut self, bytes: &[u8]) {
        let mut input = bytes;
        while let Some(payload) = self.script.next(&mut input).expect("a frame") {
            let bounds = Bounds { types: 1, ..BOUNDS };
            let (head, encoded) = self.codec.open(payload, &bounds).expect("a message");
            let content = self.codec.decode(encoded).expect("it was checked");
            match head.kind {
                MessageKind::Request => {
                    let id = self.machine.send(&content).expect("sent");
                    assert_eq!(i128::from(id.number()), head.id);
                }
                MessageKind::Result => {
                    let mut request = self.requests.remove(&head.id).expect("it was asked");
                    request.reply(&content).expect("replied");
                }
                MessageKind::Exception => {
                    let mut request = self.requests.remove(&head.id).expect("it was asked");
                    request
                        .fail(content.text().expect("a text"))
                        .expect("failed");
                }
            }
            self.said.extend(framed(payload));
            assert!(
                self.machine.outgoing() == framed(payload),
                "said {content:.200}"
            );
        }
    }
}

/// A whole conversation, with the machine at either end.
fn session_case(session: &Value) {
    let (mut client, mut server) = (Actor::new(session), Actor::new(session));
    let mut spoken = [Vec::new(), Vec::new()];
    for step in session.get("steps").and_then(Value::items).expect("steps") {
        let bytes = unhex(text(step, "hex"));
        let (speaker, hearer, all) = match text(step, "dir") {
            "c2s" => (&mut client, &mut server, &mut spoken[0]),
            "s2c" => (&mut server, &mut client, &mut spoken[1]),
            other => panic!("the direction {other}"),
        };
        speaker.say(&bytes);
        hearer.hear(&bytes);
        all.extend(bytes);
    }
    assert_eq!(client.said, spoken[0], "all that the client said");
    assert_eq!(server.said, spoken[1], "all that the server said");
    assert_eq!((client.machine.pending(), server.machine.pending()), (0, 0));
    let none = Vec::new();
    let expected = match session.get("requests") {
        Some(Value::List(expected)) => expected,
        _ => &none,
    };
    for (id, expected) in (0..).zip(expected) {
        match (&client.outcomes[&id], expected.get("result")) {
            (Ok(value), Some(result)) => same(value, &untag(result), expected),
            (Err(failure), None) => assert_eq!(failure, text(expected, "failure")),
            other => panic!("{other:?} for {expected}"),
        }
    }
}

#[test]
fn golden_vectors_of_aiomas() {
    let mut compared = 0;
    for (file, key, judge) in [
        ("aiomas_frames.json", "cases", frame_case as fn(&Value)),
        ("aiomas_decode.json", "cases", decode_case),
        ("aiomas_sessions.json", "sessions", session_case),
    ] {
        let all = cases(file, key);
        assert!(!all.is_empty(), "{file} has no cases");
        all.iter().for_each(judge);
        compared += all.len();
    }
    println!("compared {compared} cases");
    assert!(compared > 0);
}

#[test]
fn a_changed_byte_is_seen() {
    let good = cases("aiomas_frames.json", "cases");
    let case = good
        .iter()
        .find(|case| case.get("frame").is_some())
        .expect("one");
    let Value::Map(mut entries) = case.clone() else {
        panic!("a case is a map");
    };
    for (key, value) in &mut entries {
        if key.text() == Some("frame") {
            let hex = value.text().expect("hex");
            *value = Value::Text(format!("{}ff", &hex[..hex.len() - 2]));
        }
    }
    let changed = Value::Map(entries);
    assert!(std::panic::catch_unwind(|| frame_case(&changed)).is_err());
}

/// FIPS 180-4, for the long frames.
fn sha256(data: &[u8]) -> String {
    let mut state: [u32; 8] = [
        0x6a09_e667,
        0xbb67_ae85,
        0x3c6e_f372,
        0xa54f_f53a,
        0x510e_527f,
        0x9b05_688c,
        0x1f83_d9ab,
        0x5be0_cd19,
    ];
    let mut padded = data.to_vec();
    padded.push(0x80);
    while padded.len() % 64 != 56 {
        padded.push(0);
    }
    padded.extend((data.len() as u64 * 8).to_be_bytes());
    let constants = round_constants();
    for block in padded.chunks(64) {
        let mut w = [0u32; 64];
        for (word, bytes) in w.iter_mut().zip(block.chunks(4)) {
            *word = u32::from_be_bytes(bytes.try_into().expect("four"));
        }
        for i in 16..64 {
            let s0 = w[i - 15].rotate_right(7) ^ w[i - 15].rotate_right(18) ^ (w[i - 15] >> 3);
            let s1 = w[i - 2].rotate_right(17) ^ w[i - 2].rotate_right(19) ^ (w[i - 2] >> 10);
            w[i] = w[i - 16]
                .wrapping_add(s0)
                .wrapping_add(w[i - 7])
                .wrapping_add(s1);
        }
        let mut v = state;
        for i in 0..64 {
            let s1 = v[4].rotate_right(6) ^ v[4].rotate_right(11) ^ v[4].rotate_right(25);
            let ch = (v[4] & v[5]) ^ (!v[4] & v[6]);
            let t1 = v[7].wrapping_add(s1).wrapping_add(ch);
            let t1 = t1.wrapping_add(constants[i]).wrapping_add(w[i]);
            let s0 = v[0].rotate_right(2) ^ v[0].rotate_right(13) ^ v[0].rotate_right(22);
            let t2 = s0.wrapping_add((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
            v.rotate_right(1);
            v[4] = v[4].wrapping_add(t1);
            v[0] = t1.wrapping_add(t2);
        }
        for (s, v) in state.iter_mut().zip(v) {
            *s = s.wrapping_add(v);
        }
    }
    state.iter().map(|word| format!("{word:08x}")).collect()
}

/// The first 32 bits of the fractions of the cube roots of the first 64 primes.
fn round_constants() -> Vec<u32> {
    let is_prime = |n: &u64| (2..*n).take_while(|d| d * d <= *n).all(|d| n % d != 0);
    let root = |n: u64| {
        // floor(cbrt(n) * 2^32), by bisection in whole numbers.
        let cube = u128::from(n) << 96;
        let (mut low, mut high) = (0u128, 1 << 36);
        while low + 1 < high {
            let middle = (low + high) / 2;
            match middle * middle * middle <= cube {
                true => low = middle,
                false => high = middle,
            }
        }
        u32::try_from(low & 0xffff_ffff).expect("32 bits")
    };
    (2..).filter(is_prime).take(64).map(root).collect()
}

#[test]
fn the_hash_is_sha256() {
    let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(sha256(b"abc"), abc);
}
