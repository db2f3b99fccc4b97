use super::super::MessageKind;
use super::*;

const BOUNDS: Bounds = Bounds {
    depth_max: 128,
    items_max: 1000,
    types: 1,
};

fn written(value: &Value) -> String {
    let mut out = Vec::new();
    Json::encode_value(value, 128, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn read(text: &str) -> Result<Value, CodecError> {
    Json::decode_value(text.as_bytes(), &BOUNDS)
}

#[test]
fn floats_are_laid_out_as_pythons_repr() {
    for (x, text) in [
        (0.0, "0.0"),
        (-0.0, "-0.0"),
        (1.0, "1.0"),
        (-2.25, "-2.25"),
        (0.1, "0.1"),
        (1e15, "1000000000000000.0"),
        (1e16, "1e+16"),
        (123_456_789_012_345_680.0, "1.2345678901234568e+17"),
        (1e22, "1e+22"),
        (1e-4, "0.0001"),
        (0.000_123, "0.000123"),
        (1e-5, "1e-05"),
        (1.5e-7, "1.5e-07"),
        (1e300, "1e+300"),
        (5e-324, "5e-324"),
        (f64::MAX, "1.7976931348623157e+308"),
        (9_007_199_254_740_993.0, "9007199254740992.0"),
        (f64::INFINITY, "Infinity"),
        (f64::NEG_INFINITY, "-Infinity"),
        (f64::NAN, "NaN"),
    ] {
        assert_eq!(written(&Value::Float(x)), text);
        let back = read(text).unwrap();
        assert_eq!(format!("{back:?}"), format!("{:?}", Value::Float(x)));
    }
}

#[test]
fn text_is_ascii_with_pythons_escapes() {
    let text = Value::from("\"\\/\u{8}\u{c}\n\r\t\0\u{7f}é\u{2028}\u{ffff}\u{1f600}~ ");
    let shown = r#""\"\\/\b\f\n\r\t\u0000\u007f\u00e9\u2028\uffff\ud83d\ude00~ ""#;
    assert_eq!(written(&text), shown);
    assert_eq!(read(shown).unwrap(), text);
    assert_eq!(read(r#""\/\u00E9""#).unwrap(), Value::from("/é"));
}

#[test]
fn keys_become_text() {
    let map = Value::Map(vec![
        (Value::Int(-1), 1.into()),
        (Value::Nil, 2.into()),
        (Value::Bool(true), 3.into()),
        (Value::Float(1e16), 4.into()),
    ]);
    assert_eq!(
        written(&map),
        r#"{"-1": 1, "null": 2, "true": 3, "1e+16": 4}"#
    );
    let mut out = Vec::new();
    let listed = Value::Map(vec![(Value::List(vec![]), 1.into())]);
    let refused = Json::encode_value(&listed, 128, &mut out);
    assert_eq!(refused, Err(CodecError::Key("list")));
    let bytes = Json::encode_value(&vec![1u8].into(), 128, &mut out);
    assert_eq!(bytes, Err(CodecError::Unencodable("bytes")));
}

#[test]
fn integers_of_any_size() {
    let digits = "-123456789012345678901234567890123456789012345678901234567890";
    assert_eq!(read(digits).unwrap(), Value::Big(digits.into()));
    assert_eq!(written(&Value::Big(digits.into())), digits);
    for n in [0, -1, i128::from(i64::MIN), i128::from(u64::MAX), 1 << 64] {
        assert_eq!(read(&n.to_string()).unwrap(), Value::integer(n));
        assert_eq!(written(&Value::integer(n)), n.to_string());
    }
    assert_eq!(read("-0").unwrap(), Value::Int(0));
}

#[test]
fn what_python_refuses_is_refused() {
    for text in [
        "",
        " ",
        "01",
        "1.",
        ".5",
        "+1",
        "-",
        "1e",
        "1e+",
        "--1",
        "nul",
        "Nan",
        "-NaN",
        "tru",
        "\"",
        "\"\\",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"a\nb\"",
        "\"\u{1}\"",
        "[",
        "[1",
        "[1,",
        "[1,]",
        "[,1]",
        "[1 2]",
        "{",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":1",
        "{\"a\":1,",
        "{\"a\":1,}",
        "{a:1}",
        "{1:1}",
        "]",
        "}",
        "[}",
        "{]",
        "1 2",
        "[] x",
        "\u{feff}1",
        "'a'",
        "\u{a0}1",
        "\"\\ud800\"",
        "\"\\ud800x\"",
        "\"\\ud800\\u0041\"",
        "\"\\udc00\"",
    ] {
        assert!(read(text).is_err(), "{text:?}");
    }
    assert_eq!(
        Json::decode_value(b"\"\xff\"", &BOUNDS),
        Err(CodecError::Utf8)
    );
}

#[test]
fn white_space_is_where_it_may_be() {
    let value = read(" \t\r\n{ \"a\" : [ 1 , { } , [ ] ] }\n").unwrap();
    let empty = || Value::Map(vec![]);
    let list = Value::list([1.into(), empty(), Value::List(vec![])]);
    assert_eq!(value, Value::map([("a", list)]));
}

#[test]
fn objects_of_types_are_seen_however_they_are_written() {
    let typed = |repr: Value| Value::Typed(Box::new(super::super::super::Typed { id: 0, repr }));
    let own = typed(Value::list([1.into()]));
    assert_eq!(written(&own), r#"{"__type__": [0, [1]]}"#);
    assert_eq!(read(r#"{"__type__": [0, [1]]}"#).unwrap(), own);
    assert_eq!(read(r#"{"\u005f_type__": [0, [1]]}"#).unwrap(), own);
    assert_eq!(read(r#"{"x": 1, "__type__": [0, [1]]}"#).unwrap(), own);
    for odd in [
        r#"{"__type__": [1, 1]}"#,
        r#"{"__type__": [-1, 1]}"#,
        r#"{"__type__": [0]}"#,
        r#"{"__type__": [0, 1, 2]}"#,
        r#"{"__type__": []}"#,
        r#"{"__type__": 5}"#,
        r#"{"__type__": ["a", 1]}"#,
        r#"{"__type__": [0.0, 1]}"#,
        r#"[{"a": {"\u005f_type__": [7, 1]}}]"#,
    ] {
        assert!(
            matches!(read(odd), Err(CodecError::UnknownType(_))),
            "{odd}"
        );
    }
}

#[test]
fn a_message_has_three_items() {
    let open = |text: &'static str| Json.open(text.as_bytes(), &BOUNDS);
    let (head, content) = open(" [ 0 ,\t7 , [ 1 ] ]\r\n").unwrap();
    assert_eq!(
        (head.kind, head.id, content),
        (MessageKind::Request, 7, &b"[ 1 ]"[..])
    );
    assert_eq!(open("[1, -5, 1]").unwrap().0.id, -5);
    for odd in [
        "[0, 1]",
        "[0, 1, 2, 3]",
        "[]",
        "[0]",
        "7",
        "{}",
        "\"abc\"",
        "null",
    ] {
        assert_eq!(open(odd), Err(CodecError::NotAMessage), "{odd}");
    }
    assert!(matches!(open("[3, 0, 0]"), Err(CodecError::Kind(_))));
    assert!(matches!(open("[\"0\", 0, 0]"), Err(CodecError::Kind(_))));
    assert_eq!(open("[0, \"0\", 0]"), Err(CodecError::Id));
    assert_eq!(open("[0, 1.5, 0]"), Err(CodecError::Id));
    assert!(matches!(
        open("[0, 1, 2] x"),
        Err(CodecError::Trailing { .. })
    ));
    assert!(matches!(open("[0, 1, 2"), Err(CodecError::Truncated)));
    let out = {
        let mut out = Vec::new();
        Json.forward(head, content, &mut out);
        out
    };
    assert_eq!(out, b"[0, 7, [ 1 ]]");
}

#[test]
fn bombs_are_refused_at_sight() {
    assert_eq!(
        read(&"[".repeat(1000)),
        Err(CodecError::TooDeep { max: 128 })
    );
    assert_eq!(
        read(&"{\"a\":".repeat(1000)),
        Err(CodecError::TooDeep { max: 128 })
    );
    let fits = format!("{}{}", "[".repeat(128), "]".repeat(128));
    assert!(read(&fits).is_ok());
    let many = format!("[{}1]", "1,".repeat(1000));
    assert_eq!(read(&many), Err(CodecError::TooManyItems { max: 1000 }));
}
