//! Goal: no message of a peer costs more memory or time than it has bytes (catalogue D): lengths, depths and counts that
//! promise more than they hold, recursive types, floods.
//! Method: a counting allocator in a process with one test; each bomb must end the channel with its own error.

use std::alloc::System;
use std::time::Duration;

use hio::net::{MioNet, Net};
use hio::proto::channel::{
    ChannelConfig, ChannelError, ChannelProtocol, CodecError, ExtraInfo, Json, MsgPack, from_value,
};
use serde::Deserialize;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const PATIENCE_A_KIB: Duration = Duration::from_millis(1);
const ALLOWANCE: usize = 64 * 1024;

struct Bomb {
    name: &'static str,
    json: bool,
    bytes: Vec<u8>,
    says: &'static str,
}

fn framed(payload: &[u8]) -> Vec<u8> {
    let len = u32::try_from(payload.len()).unwrap();
    [&len.to_be_bytes()[..], payload].concat()
}

fn message(json: bool, content: &[u8]) -> Vec<u8> {
    match json {
        true => framed(&[b"[0, 0, ", content, b"]"].concat()),
        false => framed(&[&b"\x93\x00\x00"[..], content].concat()),
    }
}

fn bomb(name: &'static str, json: bool, content: &[u8], says: &'static str) -> Bomb {
    let bytes = message(json, content);
    Bomb {
        name,
        json,
        bytes,
        says,
    }
}

fn bombs() -> Vec<Bomb> {
    let deep = "deeper than 128 levels";
    let many = "more than 1000000 values";
    let early = "the message ends too early";
    let raw = |name, bytes: &[u8], says| Bomb {
        name,
        json: false,
        bytes: bytes.to_vec(),
        says,
    };
    let ones = |n: usize| {
        [
            &b"\xdd"[..],
            &u32::try_from(n).unwrap().to_be_bytes(),
            &vec![1; n],
        ]
        .concat()
    };
    let keys = [&b"\xdf\x00\x0f\x42\x40"[..], &vec![0x00; 2_000_000]].concat();
    vec![
        raw(
            "a length of 4 GiB",
            b"\xff\xff\xff\xff",
            "is longer than the limit of 4194304",
        ),
        raw(
            "a length just too long",
            b"\x00\x40\x00\x01ab",
            "is longer than the limit",
        ),
        bomb("lists in lists", false, &[0x91; 4_000_000], deep),
        bomb("maps in maps", false, &b"\x81\xa1a".repeat(1_000_000), deep),
        bomb(
            "maps as keys",
            false,
            &[0x81; 4_000_000],
            "a map's key cannot be a map",
        ),
        bomb("lists in lists of JSON", true, &[b'['; 4_000_000], deep),
        bomb(
            "maps in maps of JSON",
            true,
            &b"{\"\":".repeat(1_000_000),
            deep,
        ),
        bomb("a count of 2^32", false, b"\xdd\xff\xff\xff\xff", many),
        bomb("a map of 2^32", false, b"\xdf\xff\xff\xff\xff", many),
        bomb("a text of 2^32", false, b"\xdb\xff\xff\xff\xffabc", early),
        bomb("bytes of 2^32", false, b"\xc6\xff\xff\xff\xffabc", early),
        bomb(
            "an extension of 2^32",
            false,
            b"\xc9\xff\xff\xff\xff\x01abc",
            early,
        ),
        bomb("many counts", false, &b"\xdc\xff\xff".repeat(100), early),
        bomb("two million", false, &ones(2_000_000), many),
        bomb("a million keys", false, &keys, many),
        bomb(
            "two million of JSON",
            true,
            &[b"[", &b"1,".repeat(1_999_999)[..], b"1]"].concat(),
            many,
        ),
        bomb(
            "a string without end",
            true,
            &[&b"\""[..], &vec![b'a'; 4_000_000]].concat(),
            early,
        ),
        bomb(
            "half escapes",
            true,
            &[&b"\""[..], &b"\\ud83d".repeat(600_000)].concat(),
            "surrogate",
        ),
        bomb(
            "an unknown type",
            false,
            b"\x81\xa8__type__\x92\xcf\xff\xff\xff\xff\xff\xff\xff\xff\xc0",
            "unknown type",
        ),
    ]
}

fn machine(json: bool) -> ChannelProtocol {
    let config = match json {
        true => ChannelConfig::with_codec(Json),
        false => ChannelConfig::with_codec(MsgPack),
    };
    let mut machine = ChannelProtocol::new(&config);
    machine.connection_made(ExtraInfo::default());
    machine
}

/// What was allocated in all, and how long it took.
fn cost(clock: &mut MioNet, work: impl FnOnce()) -> (usize, Duration) {
    let (region, start) = (Region::new(ALLOCATOR), clock.now());
    work();
    let took = clock.now() - start;
    // What a reallocation adds is in it.
    (region.change().bytes_allocated, took)
}

fn goes_off(bomb: &Bomb, pieces: usize, clock: &mut MioNet) {
    let mut machine = machine(bomb.json);
    let (allocated, took) = cost(clock, || {
        for piece in bomb.bytes.chunks(pieces) {
            machine.data_received(piece);
        }
    });
    let (name, len) = (bomb.name, bomb.bytes.len());
    let why = machine
        .lost()
        .unwrap_or_else(|| panic!("{name}: not refused"));
    let refused = matches!(why, ChannelError::Message(_) | ChannelError::Frame(_));
    assert!(
        refused && why.to_string().contains(bomb.says),
        "{name}: {why}"
    );
    assert!(
        allocated <= len + ALLOWANCE,
        "{name}: {allocated} for {len} bytes"
    );
    let kibs = u32::try_from(len.div_ceil(1024)).unwrap();
    assert!(
        took <= PATIENCE_A_KIB * kibs.max(4),
        "{name}: {took:?} for {kibs} KiB"
    );
}

/// A user's type that has itself inside.
#[derive(Debug, Deserialize)]
struct Tree(#[expect(dead_code, reason = "only its depth counts")] Vec<Self>);

/// The deepest and the largest messages that are allowed do no harm either.
fn the_largest_that_are_allowed(clock: &mut MioNet) {
    let mut deepest = vec![0x91; 127];
    deepest.push(0x90);
    let mut receiver = machine(false);
    receiver.data_received(&message(false, &deepest));
    let request = receiver.recv().unwrap().unwrap();
    assert!(request.content().to::<Tree>().is_ok());
    drop(request);
    // As many values as may be, and undecoded they take what they took on the wire.
    let bytes = message(
        false,
        &[&b"\xdd\x00\x0f\x42\x3f"[..], &vec![1; 999_999]].concat(),
    );
    let (allocated, _) = cost(clock, || receiver.data_received(&bytes));
    assert!(
        allocated <= bytes.len() + ALLOWANCE,
        "{allocated} for {} bytes",
        bytes.len()
    );
    let request = receiver.recv().unwrap().unwrap();
    assert_eq!(
        request.value().unwrap().items().map(<[_]>::len),
        Some(999_999)
    );
    drop(request);
    // A frame that is announced and comes byte by byte is not allocated before it has come.
    let mut slow = machine(false);
    let announced = (4u32 << 20).to_be_bytes();
    let (allocated, _) = cost(clock, || {
        slow.data_received(&announced);
        (0..1000).for_each(|_| slow.data_received(&[0x91]));
    });
    assert!(allocated <= 1004 + ALLOWANCE, "{allocated} for 1004 bytes");
}

/// A type that recurs without end in its value is refused by its depth, not by the stack.
fn a_value_of_ones_own() {
    let mut value = hio::proto::channel::Value::Nil;
    for _ in 0..1000 {
        value = hio::proto::channel::Value::list([value]);
    }
    let mut sender = machine(false);
    let refused = sender.send(&value);
    assert_eq!(
        refused,
        Err(ChannelError::Encode(CodecError::TooDeep { max: 128 }))
    );
    assert!(from_value::<u8>(value).is_err());
}

#[test]
fn bombs_cost_no_more_than_they_have_bytes() {
    let mut clock = MioNet::new().unwrap();
    for bomb in bombs() {
        for pieces in [usize::MAX, 1500] {
            goes_off(&bomb, pieces.min(bomb.bytes.len()), &mut clock);
        }
    }
    the_largest_that_are_allowed(&mut clock);
    a_value_of_ones_own();
}
