//! Goal: whatever happens on a channel, each request ends exactly once and in its place; whatever a codec is given, it
//! neither panics nor changes it.
//! Method: random programs of two machines over a stream split at random, random values, random bytes (proptest).

use std::collections::BTreeMap;
use std::time::Duration;

use hio::proto::channel::{
    Bounds, ChannelConfig, ChannelLimits, ChannelProtocol, Codec, ExtraInfo, Head, Json,
    MessageKind, MsgPack, Request, RequestId, Value,
};
use hio::tyme::Tyme;
use proptest::collection::vec;
use proptest::prelude::*;

const BOUNDS: Bounds = Bounds {
    depth_max: 128,
    items_max: 100_000,
    types: 0,
};

/// One step of a program; the flag says whose.
#[derive(Clone, Debug)]
enum Step {
    Send {
        timeout: Option<u8>,
    },
    Cancel(u8),
    /// So many bytes of what is on its way arrive.
    Deliver(u16),
    Answer(u8, How),
    Wait(u8),
}

#[derive(Clone, Copy, Debug)]
enum How {
    Reply,
    Fail,
    Drop,
}

fn step() -> impl Strategy<Value = (bool, Step)> {
    let how = prop_oneof![Just(How::Reply), Just(How::Fail), Just(How::Drop)];
    let step = prop_oneof![
        3 => proptest::option::weighted(0.3, any::<u8>()).prop_map(|timeout| Step::Send { timeout }),
        1 => any::<u8>().prop_map(Step::Cancel),
        4 => (0u16..200).prop_map(Step::Deliver),
        3 => (any::<u8>(), how).prop_map(|(which, how)| Step::Answer(which, how)),
        1 => any::<u8>().prop_map(Step::Wait),
    ];
    (any::<bool>(), step)
}

/// One side, and what it knows.
struct Side {
    machine: ChannelProtocol,
    /// Bytes on their way to it.
    wire: Vec<u8>,
    /// Requests that came and are not answered.
    open: Vec<Request>,
    /// The number that the next request to come must have.
    next: i128,
    sent: u64,
    ids: Vec<RequestId>,
    cancelled: Vec<u64>,
    ended: BTreeMap<u64, String>,
}

impl Side {
    fn new(config: &ChannelConfig) -> Self {
        let mut machine = ChannelProtocol::new(config);
        machine.connection_made(ExtraInfo::default());
        Self {
            machine,
            wire: Vec::new(),
            open: Vec::new(),
            next: 0,
            sent: 0,
            ids: Vec::new(),
            cancelled: Vec::new(),
            ended: BTreeMap::new(),
        }
    }

    fn look(&mut self) {
        while let Ok(Some(request)) = self.machine.recv() {
            assert_eq!(
                request.id(),
                self.next,
                "in the order of sending, none left out"
            );
            let said = request.value().unwrap().int().map(i128::from);
            assert_eq!(said, Some(self.next));
            self.next += 1;
            self.open.push(request);
        }
        while let Some(event) = self.machine.event() {
            let Some((id, outcome)) = event.outcome() else {
                continue;
            };
            let how = match outcome {
                // The answer belongs to the question.
                Ok(content) => content.value().unwrap().to_string(),
                Err(why) => why.to_string(),
            };
            if let Ok(n) = how.parse::<u64>() {
                assert_eq!(n, id.number() + 1000);
            }
            assert!(!self.cancelled.contains(&id.number()), "{id} was cancelled");
            assert!(
                self.ended.insert(id.number(), how).is_none(),
                "{id} ended twice"
            );
        }
    }

    fn answer(&mut self, which: u8, how: How) {
        if self.open.is_empty() {
            return;
        }
        let at = usize::from(which) % self.open.len();
        let mut request = self.open.swap_remove(at);
        let n = request.value().unwrap().int().unwrap();
        match how {
            How::Reply => drop(request.reply(&(n + 1000).into())),
            How::Fail => drop(request.fail("ValueError: on purpose")),
            How::Drop => {}
        }
    }
}

fn run(steps: &[(bool, Step)], json: bool, end: u8) {
    let limits = ChannelLimits {
        pending_max: 20,
        ..ChannelLimits::default()
    };
    let config = match json {
        true => ChannelConfig::with_codec(Json),
        false => ChannelConfig::default(),
    };
    let config = config.with_limits(limits);
    let mut sides = [Side::new(&config), Side::new(&config)];
    let mut tyme = Tyme::ZERO;
    for (who, step) in steps {
        let side = &mut sides[usize::from(*who)];
        match step {
            Step::Send { timeout } => {
                let due = timeout.map_or(Tyme::NEVER, |ms| tyme + Duration::from_millis(ms.into()));
                let n = i64::try_from(side.sent).unwrap();
                if let Ok(id) = side.machine.send_until(&n.into(), due) {
                    assert_eq!(id.number(), side.sent, "0, 1, 2 and so on");
                    side.sent += 1;
                    side.ids.push(id);
                }
            }
            Step::Cancel(which) => cancel(side, *which),
            Step::Deliver(n) => {
                let n = side.wire.len().min((*n).into());
                let bytes: Vec<u8> = side.wire.drain(..n).collect();
                side.machine.data_received(&bytes);
            }
            Step::Answer(which, how) => side.answer(*which, *how),
            Step::Wait(ms) => {
                tyme += Duration::from_millis((*ms).into());
                sides.iter_mut().for_each(|side| side.machine.expire(tyme));
            }
        }
        exchange(&mut sides);
    }
    finish(&mut sides, end);
    for side in &sides {
        let over = side.ended.len() + side.cancelled.len();
        assert_eq!(over as u64, side.sent, "every request ended, none twice");
        assert_eq!(side.machine.pending(), 0);
    }
}

fn cancel(side: &mut Side, which: u8) {
    let Some(id) = side
        .ids
        .get(usize::from(which) % side.ids.len().max(1))
        .copied()
    else {
        return;
    };
    if side.machine.cancel(id) {
        assert!(!side.machine.cancel(id));
        side.cancelled.push(id.number());
    }
}

fn exchange(sides: &mut [Side; 2]) {
    let [a, b] = sides;
    b.wire.extend(a.machine.outgoing());
    a.wire.extend(b.machine.outgoing());
    a.look();
    b.look();
}

/// Either everything is answered, or the connection is lost.
fn finish(sides: &mut [Side; 2], end: u8) {
    match end % 3 {
        0 => {
            for _ in 0..1000 {
                for side in sides.iter_mut() {
                    let bytes = std::mem::take(&mut side.wire);
                    side.machine.data_received(&bytes);
                    while !side.open.is_empty() {
                        side.answer(0, How::Reply);
                    }
                }
                exchange(sides);
            }
        }
        1 => sides
            .iter_mut()
            .for_each(|side| side.machine.connection_lost(None)),
        _ => sides.iter_mut().for_each(|side| {
            let bytes = std::mem::take(&mut side.wire);
            side.machine.data_received(&bytes);
            side.machine.eof_received();
        }),
    }
    sides.iter_mut().for_each(Side::look);
}

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Nil),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        (-70_000i64..70_000).prop_map(Value::Int),
        ((1u64 << 63)..).prop_map(Value::UInt),
        any::<f64>()
            .prop_filter("NaN is not itself", |x| !x.is_nan())
            .prop_map(Value::Float),
        ".*".prop_map(Value::Text),
    ]
}

fn value(bytes: bool) -> impl Strategy<Value = Value> {
    let leaf = match bytes {
        true => prop_oneof![leaf(), vec(any::<u8>(), 0..300).prop_map(Value::Bytes)].boxed(),
        false => leaf().boxed(),
    };
    leaf.prop_recursive(5, 60, 8, |inner| {
        let entry = ("[a-z]{0,9}", inner.clone());
        prop_oneof![
            vec(inner, 0..20).prop_map(Value::List),
            vec(entry, 0..20).prop_map(|entries| {
                // Equal keys come out as one.
                let distinct: BTreeMap<String, Value> = entries.into_iter().collect();
                Value::map(distinct)
            }),
        ]
    })
}

fn there_and_back(codec: &dyn Codec, content: &Value, id: u64) {
    let head = Head {
        kind: MessageKind::Result,
        id: id.into(),
    };
    let mut out = Vec::new();
    codec.encode(head, content, 128, &mut out).unwrap();
    let (back, encoded) = codec.open(&out, &BOUNDS).unwrap();
    assert_eq!(back, head);
    assert_eq!(&codec.decode(encoded).unwrap(), content);
    let mut again = Vec::new();
    codec.forward(back, encoded, &mut again);
    assert_eq!(again, out);
    for len in [0, 1, out.len() / 2, out.len() - 1] {
        assert!(
            codec.open(&out[..len], &BOUNDS).is_err(),
            "a beginning of it is none"
        );
    }
}

/// What is let through can be decoded, and encoded again to something that decodes to the same.
fn judged(codec: &dyn Codec, bytes: &[u8]) {
    let Ok((head, encoded)) = codec.open(bytes, &BOUNDS) else {
        return;
    };
    let content = codec.decode(encoded).expect("it was checked");
    let mut out = Vec::new();
    if codec.encode(head, &content, 128, &mut out).is_ok() {
        let (_, encoded) = codec.open(&out, &BOUNDS).expect("our own");
        let again = codec.decode(encoded).expect("our own");
        assert_eq!(format!("{again:?}"), format!("{content:?}"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn each_request_ends_exactly_once(steps in vec(step(), 0..120), json: bool, end: u8) {
        run(&steps, json, end);
    }

    #[test]
    fn msgpack_gives_back_what_it_was_given(content in value(true), id: u64) {
        there_and_back(&MsgPack, &content, id);
    }

    #[test]
    fn json_gives_back_what_it_was_given(content in value(false), id: u64) {
        there_and_back(&Json, &content, id);
    }

    #[test]
    fn no_bytes_are_too_odd(bytes in vec(any::<u8>(), 0..200)) {
        judged(&MsgPack, &bytes);
        judged(&Json, &bytes);
        let with_head = [&b"\x93\x00\x01"[..], &bytes].concat();
        judged(&MsgPack, &with_head);
    }

    #[test]
    fn no_text_is_too_odd(text in "[\\[\\]{}\",:0-9eE.+\\-a-z_\\\\ ]{0,60}") {
        judged(&Json, text.as_bytes());
        judged(&Json, format!("[0, 1, {text}]").as_bytes());
    }

    #[test]
    fn a_changed_byte_does_no_harm(content in value(true), at: usize, to: u8, json: bool) {
        let codec: &dyn Codec = if json { &Json } else { &MsgPack };
        let mut out = Vec::new();
        let head = Head { kind: MessageKind::Request, id: 7 };
        if codec.encode(head, &content, 128, &mut out).is_ok() {
            let at = at % out.len();
            out[at] = to;
            judged(codec, &out);
        }
    }
}
