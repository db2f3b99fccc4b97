use std::collections::BTreeMap;

use ::serde::{Deserialize, Serialize};

use super::super::{Bounds, Ext, MsgPack, Typed};
use super::*;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Dot,
    Circle(f64),
    Box(u32, u32),
    Named {
        name: String,
        inner: Option<Box<Self>>,
    },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Order {
    id: u64,
    note: Option<String>,
    shapes: Vec<Shape>,
    prices: BTreeMap<String, f32>,
    unit: (),
}

#[test]
fn types_go_there_and_back() {
    let inner = Some(Box::new(Shape::Dot));
    let order = Order {
        id: u64::MAX,
        note: None,
        shapes: vec![
            Shape::Dot,
            Shape::Circle(1.5),
            Shape::Box(1, 2),
            Shape::Named {
                name: "n".into(),
                inner,
            },
        ],
        prices: BTreeMap::from([("a".into(), 0.5)]),
        unit: (),
    };
    let value = to_value(&order).unwrap();
    assert_eq!(value.get("id"), Some(&Value::UInt(u64::MAX)));
    assert_eq!(from_value::<Order>(value).unwrap(), order);
}

#[test]
fn a_wrong_type_is_refused() {
    assert!(from_value::<u8>(300.into()).is_err());
    assert!(from_value::<u8>("a".into()).is_err());
    assert!(from_value::<Shape>("Square".into()).is_err());
    assert!(from_value::<(u8, u8)>(Value::list([1.into(), 2.into(), 3.into()])).is_err());
    assert!(from_value::<Order>(Value::map([("id", 1.into())])).is_err());
}

#[test]
fn values_are_serde_types_too() {
    let all = Value::list([
        Value::Nil,
        true.into(),
        Value::Int(-1),
        Value::UInt(u64::MAX),
        Value::integer(1 << 70),
        1.5.into(),
        "t".into(),
        Value::Map(vec![(Value::Int(1), Value::List(vec![]))]),
    ]);
    assert_eq!(to_value(&all).unwrap(), all);
    assert_eq!(from_value::<Value>(all.clone()).unwrap(), all);
    let typed = Value::Typed(Box::new(Typed {
        id: 3,
        repr: 1.into(),
    }));
    let pair = Value::list([3.into(), 1.into()]);
    assert_eq!(to_value(&typed).unwrap(), Value::map([("__type__", pair)]));
    let ext = Value::Ext(Box::new(Ext {
        kind: 1,
        data: vec![2],
    }));
    let pair = Value::list([1.into(), vec![2u8].into()]);
    assert_eq!(to_value(&ext).unwrap(), pair);
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Chain(Option<Box<Self>>);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Tree(Vec<Self>);

#[test]
fn a_recursive_type_ends_as_an_error() {
    // From the peer: refused on the bytes, before serde sees it.
    let bounds = Bounds {
        depth_max: 128,
        items_max: 1_000_000,
        types: 0,
    };
    let bomb = vec![0x91; 100_000];
    assert!(MsgPack::decode_value(&bomb, &bounds).is_err());
    let mut deepest = vec![0x91; 127];
    deepest.push(0x90);
    let tree = from_value::<Tree>(MsgPack::decode_value(&deepest, &bounds).unwrap());
    assert!(tree.is_ok());
    // Of our own.
    let mut chain = Chain::default();
    for _ in 0..2000 {
        chain = Chain(Some(Box::new(chain)));
    }
    assert_eq!(to_value(&chain), Err(CodecError::TooDeep { max: 1024 }));
}
