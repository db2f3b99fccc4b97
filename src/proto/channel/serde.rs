//! Between [`Value`]s and the user's own types, by serde.
//!
//! Every limit has been checked on the bytes before a value is made of them, so serde only ever
//! walks values of a known depth and size; on the way out it stops where a value gets too deep.

mod de;
mod ser;

use ::serde::Serialize;
use ::serde::de::DeserializeOwned;

use super::{CodecError, Value};

/// Makes a value of anything that serde can serialize. Structs become maps, as aiomas' own
/// serializers make them; enum variants with data maps of one entry.
///
/// ```
/// use hio::proto::channel::{Value, to_value};
/// assert_eq!(to_value(&("add", [1, 2]))?, Value::list(["add".into(), Value::list([1.into(), 2.into()])]));
/// # Ok::<(), hio::proto::channel::CodecError>(())
/// ```
///
/// # Errors
/// The type refuses, or it is deeper than 1 024 levels.
pub fn to_value<T: Serialize + ?Sized>(from: &T) -> Result<Value, CodecError> {
    from.serialize(ser::Maker { depth: DEPTH_MADE })
}

/// Makes anything that serde can deserialize of a value.
///
/// ```
/// use hio::proto::channel::{Value, from_value};
/// let pair: (String, u8) = from_value(Value::list(["a".into(), 7.into()]))?;
/// assert_eq!(pair, ("a".to_owned(), 7));
/// # Ok::<(), hio::proto::channel::CodecError>(())
/// ```
///
/// # Errors
/// The value is not of that type.
pub fn from_value<T: DeserializeOwned>(value: Value) -> Result<T, CodecError> {
    T::deserialize(value)
}

/// As deep as any codec lets values be.
const DEPTH_MADE: usize = 1024;

#[cfg(test)]
mod tests;
