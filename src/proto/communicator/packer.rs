use std::collections::BTreeSet;

use super::{BigInteger, Object, Tagged};
use crate::proto::channel::{Bounds, CodecError, MsgPack, Value};

/// Makes packets of objects and their ids, and takes them apart: tno's `DefaultPacker`.
///
/// A packet is a MessagePack map `{"object": bytes, "id": text}`; the bytes are the MessagePack of the
/// object. What MessagePack does not have travels as `{"type": name, "data": ..}`: tuples, integers
/// beyond 64 bits, and what was [registered](Self::register).
///
/// ```
/// use hio::proto::communicator::{Object, Packer};
/// let packer = Packer::new();
/// let packet = packer.pack(&Object::Tuple(vec![]), "7")?;
/// assert_eq!(packer.unpack(&packet)?, ("7".to_owned(), Object::Tuple(vec![])));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Packer {
    names: BTreeSet<String>,
    depth_max: usize,
    items_max: usize,
}

impl Default for Packer {
    fn default() -> Self {
        Self::new()
    }
}

/// An object cannot be packed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PackError {
    /// It is too deep or too long for MessagePack.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// A [`Tagged`] object of a type that is not registered.
    #[error("the type {0:?} is not registered")]
    Unregistered(String),
}

/// A packet is none of a pool.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnpackError {
    /// It is no MessagePack, or breaks the limits.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// It is not a map of an object's bytes and an id.
    #[error("not a packet of an object and an id")]
    Packet,
    /// A map with the keys `type` and `data` names a type that is not registered.
    #[error("There is no deserialization function defined for {0} objects.")]
    Unregistered(String),
    /// A tuple without a list, or an integer without bytes.
    #[error("{0} with data of another kind")]
    Data(&'static str),
    /// A dict's key is no text.
    #[error("a key that is no text")]
    Key,
}

impl Packer {
    /// A packer that knows tuples and large integers. At most 128 lists and maps in each other, and a
    /// million values.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            names: BTreeSet::new(),
            depth_max: 128,
            items_max: 1_000_000,
        }
    }

    /// Sets how many lists and maps may be in each other, at most 1 024 (a tuple counts twice), and
    /// how many values may be in an object.
    #[must_use]
    pub const fn with_limits(mut self, depth_max: usize, items_max: usize) -> Self {
        let depth = if depth_max > 1024 { 1024 } else { depth_max };
        (self.depth_max, self.items_max) = (depth, items_max);
        self
    }

    /// Registers a type by its name, so that [`Tagged`] objects of it may come and go.
    #[must_use]
    pub fn register(mut self, name: impl Into<String>) -> Self {
        self.names.insert(name.into());
        self
    }

    /// The packet of an object.
    ///
    /// # Errors
    /// The object cannot be packed.
    pub fn pack(&self, object: &Object, id: &str) -> Result<Vec<u8>, PackError> {
        Ok(Self::with_id(self.pack_object(object)?, id)?)
    }

    /// The packets of one object with several ids.
    ///
    /// # Errors
    /// The object cannot be packed.
    pub fn pack_multiple<'a>(
        &self,
        object: &Object,
        ids: impl IntoIterator<Item = &'a str>,
    ) -> Result<Vec<Vec<u8>>, PackError> {
        let packed = self.pack_object(object)?;
        let all = ids.into_iter().map(|id| Self::with_id(packed.clone(), id));
        Ok(all.collect::<Result<_, _>>()?)
    }

    fn pack_object(&self, object: &Object) -> Result<Vec<u8>, PackError> {
        let value = self.native(object, self.depth_max)?;
        let mut out = Vec::new();
        MsgPack::encode_value(&value, self.depth_max, &mut out)?;
        Ok(out)
    }

    fn with_id(object: Vec<u8>, id: &str) -> Result<Vec<u8>, CodecError> {
        let mut out = Vec::with_capacity(object.len() + id.len() + 24);
        let packet = Value::map([("object", Value::Bytes(object)), ("id", id.into())]);
        MsgPack::encode_value(&packet, 2, &mut out)?;
        Ok(out)
    }

    /// Takes a packet apart: its id and the object.
    ///
    /// # Errors
    /// It is none.
    pub fn unpack(&self, packet: &[u8]) -> Result<(String, Object), UnpackError> {
        let packet = MsgPack::decode_value(packet, &self.bounds(2))?;
        let Value::Map(entries) = packet else {
            return Err(UnpackError::Packet);
        };
        let (mut object, mut id) = (None, None);
        for (key, value) in entries {
            match (key.text(), value) {
                (Some("object"), Value::Bytes(bytes)) => object = Some(bytes),
                (Some("id"), Value::Text(text)) => id = Some(text),
                _ => {} // tno looks at no others
            }
        }
        let (Some(object), Some(id)) = (object, id) else {
            return Err(UnpackError::Packet);
        };
        let value = MsgPack::decode_value(&object, &self.bounds(self.depth_max))?;
        Ok((id, self.object(value)?))
    }

    const fn bounds(&self, depth_max: usize) -> Bounds {
        Bounds {
            depth_max,
            items_max: self.items_max,
            types: 0,
        }
    }

    /// As MessagePack has it. It goes down as far as `depth` and no further.
    fn native(&self, object: &Object, depth: usize) -> Result<Value, PackError> {
        let max = self.depth_max;
        let down = || depth.checked_sub(1).ok_or(CodecError::TooDeep { max });
        Ok(match object {
            Object::Nil => Value::Nil,
            Object::Bool(b) => Value::Bool(*b),
            Object::Int(n) => Value::Int(*n),
            Object::UInt(n) => Value::from(*n),
            Object::Float(x) => Value::Float(*x),
            Object::Text(text) => Value::Text(text.clone()),
            Object::Bytes(bytes) => Value::Bytes(bytes.clone()),
            Object::List(items) => Value::List(self.natives(items, down()?)?),
            Object::Tuple(items) => tagged("tuple", Value::List(self.natives(items, down()?)?)),
            Object::Big(n) => match Object::integer(n.to_le_bytes()) {
                Object::Big(n) => tagged("int", Value::Bytes(n.to_le_bytes().to_vec())),
                small => self.native(&small, depth)?,
            },
            Object::Map(entries) => {
                let depth = down()?;
                let entry = |(key, value): &(String, Object)| {
                    Ok((key.as_str().into(), self.native(value, depth)?))
                };
                Value::Map(
                    entries
                        .iter()
                        .map(entry)
                        .collect::<Result<_, PackError>>()?,
                )
            }
            Object::Tagged(inner) if self.names.contains(&inner.name) => {
                tagged(&inner.name, self.native(&inner.data, down()?)?)
            }
            Object::Tagged(inner) => return Err(PackError::Unregistered(inner.name.clone())),
        })
    }

    fn natives(&self, items: &[Object], depth: usize) -> Result<Vec<Value>, PackError> {
        items.iter().map(|item| self.native(item, depth)).collect()
    }

    /// What a value stands for. It recurs as deep as the value is, which is bounded.
    fn object(&self, value: Value) -> Result<Object, UnpackError> {
        Ok(match value {
            Value::Nil => Object::Nil,
            Value::Bool(b) => Object::Bool(b),
            Value::Int(n) => Object::Int(n),
            Value::UInt(n) => Object::UInt(n),
            Value::Float(x) => Object::Float(x),
            Value::Text(text) => Object::Text(text),
            Value::Bytes(bytes) => Object::Bytes(bytes),
            Value::List(items) => Object::List(self.objects(items)?),
            Value::Map(entries) => self.map(entries)?,
            other => return Err(UnpackError::Unregistered(other.kind().to_owned())),
        })
    }

    fn objects(&self, items: Vec<Value>) -> Result<Vec<Object>, UnpackError> {
        items.into_iter().map(|item| self.object(item)).collect()
    }

    fn map(&self, entries: Vec<(Value, Value)>) -> Result<Object, UnpackError> {
        let at = |name| entries.iter().position(|(key, _)| key.text() == Some(name));
        let (Some(of_type), Some(of_data)) = (at("type"), at("data")) else {
            let entry = |(key, value)| match key {
                Value::Text(key) => Ok((key, self.object(value)?)),
                _ => Err(UnpackError::Key),
            };
            let all: Result<Vec<_>, _> = entries.into_iter().map(entry).collect();
            return Ok(Object::Map(all?));
        };
        let mut entries = entries;
        let name = std::mem::take(&mut entries[of_type].1);
        let data = std::mem::take(&mut entries[of_data].1);
        match (name, data) {
            (Value::Text(name), Value::List(items)) if name == "tuple" => {
                Ok(Object::Tuple(self.objects(items)?))
            }
            (Value::Text(name), Value::Bytes(bytes)) if name == "int" => {
                Ok(Object::integer(&bytes))
            }
            (Value::Text(name), _) if name == "tuple" => Err(UnpackError::Data("a tuple")),
            (Value::Text(name), _) if name == "int" => Err(UnpackError::Data("an integer")),
            (Value::Text(name), data) if self.names.contains(&name) => {
                let data = self.object(data)?;
                Ok(Object::Tagged(Box::new(Tagged { name, data })))
            }
            (Value::Text(name), _) => Err(UnpackError::Unregistered(name)),
            (other, _) => Err(UnpackError::Unregistered(other.to_string())),
        }
    }
}

fn tagged(name: &str, data: Value) -> Value {
    Value::map([("type", name.into()), ("data", data)])
}

impl From<BigInteger> for Object {
    fn from(n: BigInteger) -> Self {
        Self::integer(n.to_le_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_refused() {
        let packer = Packer::new();
        let lookalike = Object::map([("type", "x".into()), ("data", 1.into())]);
        let packet = packer.pack(&lookalike, "1").unwrap();
        let refused = packer.unpack(&packet);
        assert_eq!(refused, Err(UnpackError::Unregistered("x".to_owned())));
        let knows = Packer::new().register("x");
        let (_, object) = knows.unpack(&packet).unwrap();
        assert_eq!(knows.pack(&object, "1").unwrap(), packet);
        assert!(matches!(
            packer.pack(&object, "1"),
            Err(PackError::Unregistered(_))
        ));
        for wrong in [&b""[..], b"\xc0", b"\x80", b"\x81\xa2id\xa11", b"\xff\xff"] {
            assert!(packer.unpack(wrong).is_err());
        }
        for data in [Object::Nil, "x".into()] {
            for name in ["int", "tuple"] {
                let bad = Object::map([("type", name.into()), ("data", data.clone())]);
                let packet = packer.pack(&bad, "1").unwrap();
                assert!(matches!(packer.unpack(&packet), Err(UnpackError::Data(_))));
            }
        }
    }

    #[test]
    fn depth_is_bounded_either_way() {
        let packer = Packer::new().with_limits(4, 100);
        let nested = |n| (0..n).fold(Object::Nil, |inner, _| Object::List(vec![inner]));
        let packet = packer.pack(&nested(4), "1").unwrap();
        assert!(packer.unpack(&packet).is_ok());
        assert!(packer.pack(&nested(5), "1").is_err());
        let deep = Packer::new().pack(&nested(5), "1").unwrap();
        assert!(packer.unpack(&deep).is_err());
        let wide = Object::List(vec![Object::Nil; 200]);
        assert!(
            packer
                .unpack(&Packer::new().pack(&wide, "1").unwrap())
                .is_err()
        );
    }
}
