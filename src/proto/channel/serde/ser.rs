//! Values out of types.

use ::serde::ser::{
    Error, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant,
    SerializeTuple, SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

use super::super::{CodecError, Value};

/// Makes one value, and those within it `depth` levels down.
#[derive(Clone, Copy)]
pub(super) struct Maker {
    pub(super) depth: usize,
}

impl Maker {
    fn down(self) -> Result<Self, CodecError> {
        let depth = self.depth.checked_sub(1);
        let depth = depth.ok_or(CodecError::TooDeep {
            max: super::DEPTH_MADE,
        })?;
        Ok(Self { depth })
    }

    fn list(self, variant: Option<&'static str>) -> Result<Making, CodecError> {
        Ok(Making {
            maker: self.down()?,
            variant,
            items: Vec::new(),
            entries: Vec::new(),
            key: None,
        })
    }
}

/// A list or a map that is being made.
pub(super) struct Making {
    maker: Maker,
    variant: Option<&'static str>,
    items: Vec<Value>,
    entries: Vec<(Value, Value)>,
    key: Option<Value>,
}

impl Making {
    fn item<T: Serialize + ?Sized>(&mut self, item: &T) -> Result<(), CodecError> {
        self.items.push(item.serialize(self.maker)?);
        Ok(())
    }

    fn field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        item: &T,
    ) -> Result<(), CodecError> {
        let item = item.serialize(self.maker)?;
        self.entries.push((Value::from(name), item));
        Ok(())
    }

    fn list(self) -> Value {
        tagged(self.variant, Value::List(self.items))
    }

    fn map(self) -> Value {
        tagged(self.variant, Value::Map(self.entries))
    }
}

fn tagged(variant: Option<&'static str>, value: Value) -> Value {
    match variant {
        None => value,
        Some(variant) => Value::map([(variant, value)]),
    }
}

macro_rules! numbers {
    ($($method:ident $kind:ty),*) => {$(
        fn $method(self, n: $kind) -> Result<Value, CodecError> {
            Ok(Value::integer(n.into()))
        }
    )*};
}

impl Serializer for Maker {
    type Ok = Value;
    type Error = CodecError;
    type SerializeSeq = Making;
    type SerializeTuple = Making;
    type SerializeTupleStruct = Making;
    type SerializeTupleVariant = Making;
    type SerializeMap = Making;
    type SerializeStruct = Making;
    type SerializeStructVariant = Making;

    numbers!(serialize_i8 i8, serialize_i16 i16, serialize_i32 i32, serialize_i64 i64,
        serialize_i128 i128, serialize_u8 u8, serialize_u16 u16, serialize_u32 u32,
        serialize_u64 u64);

    fn serialize_u128(self, n: u128) -> Result<Value, CodecError> {
        Ok(match i128::try_from(n) {
            Ok(n) => Value::integer(n),
            Err(_) => Value::Big(n.to_string()),
        })
    }

    fn serialize_bool(self, b: bool) -> Result<Value, CodecError> {
        Ok(Value::Bool(b))
    }

    fn serialize_f32(self, x: f32) -> Result<Value, CodecError> {
        Ok(Value::Float(x.into()))
    }

    fn serialize_f64(self, x: f64) -> Result<Value, CodecError> {
        Ok(Value::Float(x))
    }

    fn serialize_char(self, c: char) -> Result<Value, CodecError> {
        Ok(Value::Text(c.into()))
    }

    fn serialize_str(self, text: &str) -> Result<Value, CodecError> {
        Ok(Value::from(text))
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<Value, CodecError> {
        Ok(Value::from(bytes))
    }

    fn serialize_none(self) -> Result<Value, CodecError> {
        Ok(Value::Nil)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, inner: &T) -> Result<Value, CodecError> {
        inner.serialize(self)
    }

    fn serialize_unit(self) -> Result<Value, CodecError> {
        Ok(Value::Nil)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<Value, CodecError> {
        Ok(Value::Nil)
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<Value, CodecError> {
        Ok(Value::from(variant))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        inner: &T,
    ) -> Result<Value, CodecError> {
        // A recursive type may consist of nothing else.
        inner.serialize(self.down()?)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        inner: &T,
    ) -> Result<Value, CodecError> {
        let inner = inner.serialize(self.down()?)?;
        Ok(tagged(Some(variant), inner))
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Making, CodecError> {
        self.list(None)
    }

    fn serialize_tuple(self, _: usize) -> Result<Making, CodecError> {
        self.list(None)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Making, CodecError> {
        self.list(None)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Making, CodecError> {
        self.down()?.list(Some(variant))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Making, CodecError> {
        self.list(None)
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Making, CodecError> {
        self.list(None)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Making, CodecError> {
        self.down()?.list(Some(variant))
    }
}

macro_rules! rows {
    ($($family:ident $method:ident),*) => {$(
        impl $family for Making {
            type Ok = Value;
            type Error = CodecError;

            fn $method<T: Serialize + ?Sized>(&mut self, item: &T) -> Result<(), CodecError> {
                self.item(item)
            }

            fn end(self) -> Result<Value, CodecError> {
                Ok(self.list())
            }
        }
    )*};
}

rows!(SerializeSeq serialize_element, SerializeTuple serialize_element,
    SerializeTupleStruct serialize_field, SerializeTupleVariant serialize_field);

macro_rules! records {
    ($($family:ident),*) => {$(
        impl $family for Making {
            type Ok = Value;
            type Error = CodecError;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                item: &T,
            ) -> Result<(), CodecError> {
                self.field(name, item)
            }

            fn end(self) -> Result<Value, CodecError> {
                Ok(self.map())
            }
        }
    )*};
}

records!(SerializeStruct, SerializeStructVariant);

impl SerializeMap for Making {
    type Ok = Value;
    type Error = CodecError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), CodecError> {
        self.key = Some(key.serialize(self.maker)?);
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), CodecError> {
        let key = self.key.take();
        let key = key.ok_or_else(|| CodecError::custom("a value without a key"))?;
        let value = value.serialize(self.maker)?;
        self.entries.push((key, value));
        Ok(())
    }

    fn end(self) -> Result<Value, CodecError> {
        Ok(self.map())
    }
}

/// In any format; an object of a registered type is the map that it travels as, an extension the
/// list of its kind and bytes.
impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Nil => serializer.serialize_unit(),
            Self::Bool(b) => serializer.serialize_bool(*b),
            Self::Int(n) => serializer.serialize_i64(*n),
            Self::UInt(n) => serializer.serialize_u64(*n),
            Self::Big(digits) => match digits.parse::<i128>() {
                Ok(n) => serializer.serialize_i128(n),
                Err(_) => Err(S::Error::custom("an integer beyond 128 bits")),
            },
            Self::Float(x) => serializer.serialize_f64(*x),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Bytes(bytes) => serializer.serialize_bytes(bytes),
            Self::List(items) => serializer.collect_seq(items),
            Self::Map(entries) => serializer.collect_map(entries.iter().map(|(k, v)| (k, v))),
            Self::Ext(ext) => {
                let mut pair = serializer.serialize_tuple(2)?;
                pair.serialize_element(&ext.kind)?;
                pair.serialize_element(&Self::Bytes(ext.data.clone()))?;
                pair.end()
            }
            Self::Typed(typed) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("__type__", &(typed.id, &typed.repr))?;
                map.end()
            }
        }
    }
}
