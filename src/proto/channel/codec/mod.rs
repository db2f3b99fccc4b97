//! How messages become bytes and back.

mod error;
mod json;
mod keys;
mod msgpack;

use std::fmt;

pub use error::CodecError;
pub use json::Json;
pub(super) use json::json_scalar;
pub use msgpack::MsgPack;

use super::Value;

/// What a message is: aiomas' `REQUEST`, `RESULT` and `EXCEPTION`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum MessageKind {
    /// A request, to be answered.
    Request = 0,
    /// The answer to a request.
    Result = 1,
    /// The failure of a request; its content is the remote traceback.
    Exception = 2,
}

impl MessageKind {
    /// The kind of that number.
    ///
    /// # Errors
    /// There is none; aiomas says so as a RuntimeError.
    pub fn from_number(n: i128) -> Result<Self, CodecError> {
        match n {
            0 => Ok(Self::Request),
            1 => Ok(Self::Result),
            2 => Ok(Self::Exception),
            other => Err(CodecError::Kind(other.to_string())),
        }
    }
}

/// What stands before the content of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// What it is.
    pub kind: MessageKind,
    /// The number of the request, counted by the side that sends it. Ours begin at 0; aiomas takes
    /// any integer of its peer.
    pub id: i128,
}

/// What is allowed in a message that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Lists and maps in each other.
    pub depth_max: usize,
    /// Values, those within values included.
    pub items_max: usize,
    /// Types that are registered: ids of others are refused.
    pub types: u64,
}

/// Turns messages into bytes and back. [`MsgPack`] and [`Json`] speak with aiomas; others are for
/// the user to write.
///
/// A codec has no state, so that one may serve any number of channels.
pub trait Codec: fmt::Debug + Send + Sync {
    /// Its name, for logs.
    fn name(&self) -> &'static str;

    /// Appends the message `[kind, id, content]`. On an error `out` may have a part of it.
    ///
    /// # Errors
    /// The content cannot be had in this format, or is deeper than `depth_max`.
    fn encode(
        &self,
        head: Head,
        content: &Value,
        depth_max: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), CodecError>;

    /// Appends a message whose content is encoded already, as [`open`](Self::open) gave it.
    fn forward(&self, head: Head, content: &[u8], out: &mut Vec<u8>);

    /// Checks a whole message and takes it apart, without decoding its content: everything that
    /// could be wrong with it is found here, in one walk that does not recur and allocates nothing
    /// that a peer could make large.
    ///
    /// # Errors
    /// It is no message, or breaks the bounds.
    fn open<'a>(&self, payload: &'a [u8], bounds: &Bounds) -> Result<(Head, &'a [u8]), CodecError>;

    /// Whether a content that [`open`](Self::open) has checked is a text, so that decoding it takes
    /// little more room than it has. Default: no.
    fn is_text(&self, content: &[u8]) -> bool {
        let _ = content;
        false
    }

    /// Decodes a content that [`open`](Self::open) has checked.
    ///
    /// # Errors
    /// It is not such a content.
    fn decode(&self, content: &[u8]) -> Result<Value, CodecError>;
}

/// The key that makes a map an object of a registered type.
const TYPE_KEY: &str = "__type__";

/// The most that [`Codec::decode`] goes down: what the limits allow at most, and a bit for the
/// message around it.
const DEPTH_DECODED: usize = 1100;

/// Makes of a decoded map what it stands for: the object of a registered type, if it has that key.
fn object(mut entries: Vec<(Value, Value)>) -> Value {
    keys::last_counts(&mut entries);
    let typed = entries
        .iter()
        .position(|(key, _)| key.text() == Some(TYPE_KEY));
    let Some(at) = typed else {
        return Value::Map(entries);
    };
    // aiomas drops what else is in the map.
    let (key, value) = entries.swap_remove(at);
    match typed_of(value) {
        Ok(typed) => Value::Typed(Box::new(typed)),
        Err(value) => Value::Map(vec![(key, value)]),
    }
}

fn typed_of(value: Value) -> Result<super::Typed, Value> {
    let Value::List(mut pair) = value else {
        return Err(value);
    };
    match (pair.len(), pair.first()) {
        (2, Some(Value::Int(id))) if *id >= 0 => {
            let id = id.unsigned_abs();
            let repr = pair.pop().unwrap_or_default();
            Ok(super::Typed { id, repr })
        }
        _ => Err(Value::List(pair)),
    }
}
