use std::fmt;

/// Anything that a message may contain, whatever codec it travels in.
///
/// Equality is that of Rust: `NaN` is not itself, and the integer 1 is not the float 1.0.
///
/// ```
/// use hio::proto::channel::Value;
/// let call = Value::list(["echo".into(), Value::from(7)]);
/// assert_eq!(call.at(1), Some(&Value::Int(7)));
/// assert_eq!(call.to_string(), r#"["echo", 7]"#);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// Python's None.
    #[default]
    Nil,
    /// True or false.
    Bool(bool),
    /// An integer of 64 bits.
    Int(i64),
    /// An integer above `i64::MAX`; smaller ones are [`Int`](Self::Int).
    UInt(u64),
    /// An integer beyond 64 bits: its decimal digits without leading zeros, after `-` if it is
    /// negative. Only the JSON codec can carry it.
    Big(String),
    /// A number with a fraction.
    Float(f64),
    /// Text.
    Text(String),
    /// Bytes. The JSON codec cannot carry them.
    Bytes(Vec<u8>),
    /// Values in a row: Python's lists and tuples.
    List(Vec<Self>),
    /// Keys and values in the order in which they were put in, which is the order on the wire.
    Map(Vec<(Self, Self)>),
    /// A MessagePack extension. The JSON codec cannot carry it.
    Ext(Box<Ext>),
    /// An object of a registered type: see [`Types`](super::Types).
    Typed(Box<Typed>),
}

/// A MessagePack extension: an application's own kind of bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ext {
    /// Which kind: 0 to 127. The negative ones are MessagePack's own and refused, as Python's
    /// msgpack 0.5 does.
    pub kind: i8,
    /// The bytes.
    pub data: Vec<u8>,
}

/// An object of a registered type, as it travels: `{"__type__": [id, repr]}`.
#[derive(Clone, Debug, PartialEq)]
pub struct Typed {
    /// The how manieth registered type it is, from 0.
    pub id: u64,
    /// What its serializer made of it.
    pub repr: Value,
}

impl Value {
    /// A list.
    pub fn list(items: impl IntoIterator<Item = Self>) -> Self {
        Self::List(items.into_iter().collect())
    }

    /// A map in the order given.
    pub fn map<K: Into<Self>>(entries: impl IntoIterator<Item = (K, Self)>) -> Self {
        Self::Map(entries.into_iter().map(|(k, v)| (k.into(), v)).collect())
    }

    /// The text, if it is one.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The integer, if it is one and fits.
    #[must_use]
    pub const fn int(&self) -> Option<i64> {
        match self {
            Self::Int(n) => Some(*n),
            _ => None,
        }
    }

    /// The items, if it is a list.
    #[must_use]
    pub fn items(&self) -> Option<&[Self]> {
        match self {
            Self::List(items) => Some(items),
            _ => None,
        }
    }

    /// An item of a list.
    #[must_use]
    pub fn at(&self, index: usize) -> Option<&Self> {
        self.items()?.get(index)
    }

    /// What a map has for a key of text. O(n).
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Map(entries) => entries
                .iter()
                .find(|(k, _)| k.text() == Some(key))
                .map(|(_, v)| v),
            _ => None,
        }
    }

    /// An integer of any width in the variant that it belongs to.
    #[must_use]
    pub fn integer(n: i128) -> Self {
        match (i64::try_from(n), u64::try_from(n)) {
            (Ok(n), _) => Self::Int(n),
            (_, Ok(n)) => Self::UInt(n),
            _ => Self::Big(n.to_string()),
        }
    }

    /// What kind of value it is, in one word, for errors.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Nil => "nil",
            Self::Bool(_) => "bool",
            Self::Int(_) | Self::UInt(_) | Self::Big(_) => "integer",
            Self::Float(_) => "float",
            Self::Text(_) => "text",
            Self::Bytes(_) => "bytes",
            Self::List(_) => "list",
            Self::Map(_) => "map",
            Self::Ext(_) => "extension",
            Self::Typed(_) => "typed",
        }
    }
}

/// As JSON, with bytes as lower-case hex in `<>`; cut where it is deeper than 128.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(self, 0, f)
    }
}

fn show(value: &Value, depth: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if depth > DEPTH_SHOWN {
        return f.write_str("...");
    }
    match value {
        Value::List(items) => {
            f.write_str("[")?;
            for (i, item) in items.iter().enumerate() {
                f.write_str(if i > 0 { ", " } else { "" })?;
                show(item, depth + 1, f)?;
            }
            f.write_str("]")
        }
        Value::Map(entries) => {
            f.write_str("{")?;
            for (i, (key, item)) in entries.iter().enumerate() {
                f.write_str(if i > 0 { ", " } else { "" })?;
                show(key, depth + 1, f)?;
                f.write_str(": ")?;
                show(item, depth + 1, f)?;
            }
            f.write_str("}")
        }
        Value::Bytes(bytes) => hex(bytes, f),
        Value::Ext(ext) => {
            write!(f, "ext {} ", ext.kind)?;
            hex(&ext.data, f)
        }
        Value::Typed(typed) => {
            write!(f, "type {} of ", typed.id)?;
            show(&typed.repr, depth + 1, f)
        }
        scalar => {
            let mut out = Vec::new();
            super::codec::json_scalar(scalar, &mut out);
            f.write_str(&String::from_utf8_lossy(&out))
        }
    }
}

fn hex(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str("<")?;
    for byte in bytes {
        write!(f, "{byte:02x}")?;
    }
    f.write_str(">")
}

/// How deep [`Value`]'s Display goes: a value of one's own may be deeper than any that came in.
const DEPTH_SHOWN: usize = 128;

impl From<()> for Value {
    fn from((): ()) -> Self {
        Self::Nil
    }
}

impl From<bool> for Value {
    fn from(b: bool) -> Self {
        Self::Bool(b)
    }
}

impl From<i64> for Value {
    fn from(n: i64) -> Self {
        Self::Int(n)
    }
}

impl From<i32> for Value {
    fn from(n: i32) -> Self {
        Self::Int(n.into())
    }
}

impl From<u32> for Value {
    fn from(n: u32) -> Self {
        Self::Int(n.into())
    }
}

impl From<u64> for Value {
    fn from(n: u64) -> Self {
        i64::try_from(n).map_or(Self::UInt(n), Self::Int)
    }
}

impl From<usize> for Value {
    fn from(n: usize) -> Self {
        Self::from(n as u64)
    }
}

impl From<f64> for Value {
    fn from(x: f64) -> Self {
        Self::Float(x)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Self {
        Self::Bytes(bytes.to_owned())
    }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<Vec<Self>> for Value {
    fn from(items: Vec<Self>) -> Self {
        Self::List(items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_small() {
        assert_eq!(size_of::<Value>(), 32);
    }

    #[test]
    fn integers_have_one_variant_each() {
        assert_eq!(Value::integer(-1), Value::Int(-1));
        assert_eq!(Value::integer(1 << 63), Value::UInt(1 << 63));
        assert_eq!(
            Value::integer(1 << 64),
            Value::Big("18446744073709551616".into())
        );
        assert_eq!(Value::from(u64::MAX), Value::UInt(u64::MAX));
    }

    #[test]
    fn is_shown_whatever_it_is() {
        let mut deep = Value::Nil;
        for _ in 0..300 {
            deep = Value::list([deep]);
        }
        assert!(deep.to_string().contains("..."));
        let all = Value::list([
            Value::Nil,
            true.into(),
            1.5.into(),
            vec![0u8, 255].into(),
            Value::map([("a", Value::from("b"))]),
        ]);
        assert_eq!(all.to_string(), r#"[null, true, 1.5, <00ff>, {"a": "b"}]"#);
    }
}
