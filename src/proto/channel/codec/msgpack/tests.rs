use super::super::MessageKind;
use super::*;

const BOUNDS: Bounds = Bounds {
    depth_max: 128,
    items_max: 1000,
    types: 1,
};

fn round(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    MsgPack::encode_value(value, 128, &mut out).unwrap();
    let back = MsgPack::decode_value(&out, &BOUNDS).unwrap();
    assert_eq!(&back, value);
    out
}

fn refused(bytes: &[u8]) -> CodecError {
    MsgPack::decode_value(bytes, &BOUNDS).unwrap_err()
}

#[test]
fn integers_are_as_short_as_they_can_be() {
    for (n, len) in [
        (0, 1),
        (127, 1),
        (128, 2),
        (255, 2),
        (256, 3),
        (65_535, 3),
        (65_536, 5),
        (u32::MAX.into(), 5),
        (1 << 32, 9),
        (i64::MAX.into(), 9),
        (u64::MAX.into(), 9),
        (-1, 1),
        (-32, 1),
        (-33, 2),
        (-128, 2),
        (-129, 3),
        (-32_768, 3),
        (-32_769, 5),
        (i32::MIN.into(), 5),
        (i128::from(i32::MIN) - 1, 9),
        (i64::MIN.into(), 9),
    ] {
        assert_eq!(round(&Value::integer(n)).len(), len, "{n}");
    }
}

#[test]
fn everything_goes_there_and_back() {
    for len in [0, 1, 31, 32, 255, 256, 65_535, 65_536] {
        round(&Value::Text("x".repeat(len)));
        round(&Value::Bytes(vec![9; len]));
        let data = vec![1; len];
        round(&Value::Ext(Box::new(Ext { kind: 5, data })));
    }
    for len in [0, 1, 2, 4, 8, 16, 15, 17] {
        round(&Value::Ext(Box::new(Ext {
            kind: 0,
            data: vec![1; len],
        })));
        round(&Value::List(vec![Value::Nil; len]));
        let key = |i| (Value::Int(i), Value::Bool(i % 2 == 0));
        round(&Value::Map(
            (0..i64::try_from(len).unwrap()).map(key).collect(),
        ));
    }
    round(&Value::Float(-0.5));
    let repr = Value::list(["a".into(), 1.into()]);
    round(&Value::Typed(Box::new(super::super::super::Typed {
        id: 0,
        repr,
    })));
}

#[test]
fn every_beginning_of_a_message_is_too_short() {
    let content = Value::map([
        ("text", Value::from("t".repeat(40))),
        (
            "more",
            Value::list([Value::Float(1.0), vec![1u8; 300].into(), u64::MAX.into()]),
        ),
    ]);
    let head = Head {
        kind: MessageKind::Result,
        id: 70_000,
    };
    let mut out = Vec::new();
    MsgPack.encode(head, &content, 128, &mut out).unwrap();
    let (back, encoded) = MsgPack.open(&out, &BOUNDS).unwrap();
    assert_eq!((back, MsgPack.decode(encoded).unwrap()), (head, content));
    for len in 0..out.len() {
        assert_eq!(
            MsgPack.open(&out[..len], &BOUNDS),
            Err(CodecError::Truncated),
            "{len}"
        );
    }
    out.push(0);
    assert!(matches!(
        MsgPack.open(&out, &BOUNDS),
        Err(CodecError::Trailing { .. })
    ));
}

#[test]
fn what_python_refuses_is_refused() {
    assert!(matches!(refused(b"\xc1"), CodecError::Syntax { at: 0, .. }));
    assert!(
        matches!(refused(b"\xd4\xff\x00"), CodecError::Syntax { .. }),
        "a timestamp"
    );
    assert_eq!(refused(b"\xa2\xff\xfe"), CodecError::Utf8);
    assert_eq!(refused(b"\x81\x80\x01"), CodecError::Key("map"));
    assert_eq!(refused(b"\x81\x91\x80\x01"), CodecError::Key("map"));
    assert_eq!(
        refused(b"\x81\xa8__type__\x92\x01\x01"),
        CodecError::UnknownType("1".into())
    );
    for odd in [
        &b"\x81\xa8__type__\x05"[..],
        b"\x81\xa8__type__\x93\x00\x00\x00",
    ] {
        assert_eq!(
            refused(odd),
            CodecError::UnknownType("that is no pair".into())
        );
    }
    assert!(MsgPack::decode_value(b"\x81\x91\x80\x01", &Bounds { types: 9, ..BOUNDS }).is_err());
    assert!(
        MsgPack::decode_value(b"\x81\x91\x01\x80", &BOUNDS).is_ok(),
        "a map as a value"
    );
    let head = |bytes| MsgPack.open(bytes, &BOUNDS).unwrap_err();
    assert_eq!(head(b"\x92\x00\x01"), CodecError::NotAMessage);
    assert_eq!(head(b"\x05"), CodecError::NotAMessage);
    assert_eq!(
        head(b"\x93\x03\x00\x00").to_string(),
        "Invalid message type 3"
    );
    assert_eq!(head(b"\x93\x00\xc0\x00"), CodecError::Id);
}

#[test]
fn bombs_are_refused_at_sight() {
    assert_eq!(refused(&[0x91; 1000]), CodecError::TooDeep { max: 128 });
    let mut fits = vec![0x91; 127];
    fits.push(0x90);
    assert!(MsgPack::decode_value(&fits, &BOUNDS).is_ok());
    assert_eq!(
        refused(b"\xdd\xff\xff\xff\xff"),
        CodecError::TooManyItems { max: 1000 }
    );
    assert_eq!(refused(b"\xdc\x03\x00\x01"), CodecError::Truncated);
    let many = [&b"\xdc\x03\xe8"[..], &[1; 1000]].concat();
    assert_eq!(refused(&many), CodecError::TooManyItems { max: 1000 });
    assert_eq!(refused(b"\xdb\xff\xff\xff\xffabc"), CodecError::Truncated);
}

#[test]
fn one_of_ones_own_that_is_too_deep_is_refused() {
    let mut deep = Value::Nil;
    for _ in 0..129 {
        deep = Value::list([deep]);
    }
    let mut out = Vec::new();
    let refused = MsgPack::encode_value(&deep, 128, &mut out);
    assert_eq!(refused, Err(CodecError::TooDeep { max: 128 }));
    let big = MsgPack::encode_value(&Value::integer(1 << 64), 128, &mut out);
    assert!(matches!(big, Err(CodecError::Unencodable(_))));
}
