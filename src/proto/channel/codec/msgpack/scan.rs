//! Checks MessagePack in one walk, without recursion.

use super::super::{Bounds, CodecError, Head, MessageKind, TYPE_KEY};

/// One step through the format: a scalar, or what is to come.
#[derive(Clone, Copy)]
pub(super) enum Token {
    Nil,
    Bool(bool),
    Int(i64),
    UInt(u64),
    Float(f64),
    /// So many bytes of text follow.
    Text(usize),
    /// So many bytes follow.
    Bytes(usize),
    /// So many bytes of an extension follow.
    Ext(i8, usize),
    /// So many values follow.
    List(usize),
    /// So many keys and values follow.
    Map(usize),
}

/// What is open at some point of the walk.
struct Level {
    /// Values to come, keys counted, too.
    left: usize,
    kind: Kind,
    /// It is a part of a map's key.
    in_key: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    List,
    Map,
    /// A map whose next value is that of `__type__`.
    TypeNext,
    /// The list of an id and a repr.
    Pair,
}

/// The kind and id of a message, and where its content begins.
pub(super) fn head(payload: &[u8]) -> Result<(Head, usize), CodecError> {
    let mut at = 0;
    match token(payload, &mut at)? {
        Token::List(3) => {}
        _ => return Err(CodecError::NotAMessage),
    }
    let kind = match integer(token(payload, &mut at)?) {
        Some(n) => MessageKind::from_number(n)?,
        None => return Err(CodecError::Kind("that is no integer".to_owned())),
    };
    let id = integer(token(payload, &mut at)?).ok_or(CodecError::Id)?;
    Ok((Head { kind, id }, at))
}

fn integer(token: Token) -> Option<i128> {
    match token {
        Token::Int(n) => Some(n.into()),
        Token::UInt(n) => Some(n.into()),
        _ => None,
    }
}

/// Checks the value at `at`, and says where it ends.
pub(super) fn value(bytes: &[u8], at: usize, bounds: &Bounds) -> Result<usize, CodecError> {
    let mut end = at;
    let token = token(bytes, &mut end)?;
    match token {
        Token::List(_) | Token::Map(_) => walk(bytes, at, bounds),
        // One value is within any bounds that are.
        _ if bounds.items_max == 0 => Err(CodecError::TooManyItems { max: 0 }),
        _ => {
            scalar(token, bytes, &mut end)?;
            Ok(end)
        }
    }
}

/// Steps over what belongs to a value that has no others within.
#[inline]
fn scalar(token: Token, bytes: &[u8], at: &mut usize) -> Result<(), CodecError> {
    match token {
        Token::Text(len) => skip_text(bytes, at, len),
        Token::Bytes(len) | Token::Ext(_, len) => skip(bytes, at, len),
        _ => Ok(()),
    }
}

/// Checks a value with others within.
fn walk(bytes: &[u8], mut at: usize, bounds: &Bounds) -> Result<usize, CodecError> {
    let mut open: Vec<Level> = Vec::new();
    let mut items = 0;
    loop {
        let begin = at;
        let token = token(bytes, &mut at)?;
        items += 1;
        if items > bounds.items_max {
            return Err(CodecError::TooManyItems {
                max: bounds.items_max,
            });
        }
        let mut in_key = false;
        let mut kind = Kind::List;
        if let Some(level) = open.last_mut() {
            level.left -= 1;
            in_key = level.in_key;
            kind = before(level, token, &bytes[at..], bounds)?;
            in_key |= matches!(level.kind, Kind::Map | Kind::TypeNext) && level.left % 2 == 1;
        }
        let entered = match token {
            Token::List(left) => Some((left, kind)),
            Token::Map(_) if in_key => return Err(CodecError::Key("map")),
            Token::Map(len) => Some((len.saturating_mul(2), Kind::Map)),
            _ => {
                scalar(token, bytes, &mut at)?;
                None
            }
        };
        if let Some((left, kind)) = entered {
            enter(open.len(), left, bytes.len() - at, items, bounds)?;
            if left > 0 {
                open.push(Level { left, kind, in_key });
            }
        }
        debug_assert!(at > begin);
        while open.last().is_some_and(|level| level.left == 0) {
            open.pop();
        }
        if open.is_empty() {
            return Ok(at);
        }
    }
}

/// Looks at a value in its place, before it is walked: what a list in this place is. `left` of
/// the level counts what follows this value.
fn before(
    level: &mut Level,
    token: Token,
    rest: &[u8],
    bounds: &Bounds,
) -> Result<Kind, CodecError> {
    match level.kind {
        Kind::List => Ok(Kind::List),
        // A key: as many keys as values are left after its own value.
        Kind::Map if level.left % 2 == 1 => {
            if let Token::Text(len) = token {
                if rest.get(..len) == Some(TYPE_KEY.as_bytes()) {
                    level.kind = Kind::TypeNext;
                }
            }
            Ok(Kind::List)
        }
        Kind::Map => Ok(Kind::List),
        Kind::TypeNext => {
            level.kind = Kind::Map;
            match token {
                Token::List(2) => Ok(Kind::Pair),
                _ => Err(CodecError::UnknownType("that is no pair".to_owned())),
            }
        }
        Kind::Pair if level.left == 1 => match integer(token) {
            Some(id) if (0..i128::from(bounds.types)).contains(&id) => Ok(Kind::List),
            Some(id) => Err(CodecError::UnknownType(id.to_string())),
            None => Err(CodecError::UnknownType("that is no integer".to_owned())),
        },
        Kind::Pair => Ok(Kind::List),
    }
}

/// Whether a list or map with `left` values may be entered: each takes a byte at least.
fn enter(
    depth: usize,
    left: usize,
    rest: usize,
    items: usize,
    bounds: &Bounds,
) -> Result<(), CodecError> {
    if depth >= bounds.depth_max {
        return Err(CodecError::TooDeep {
            max: bounds.depth_max,
        });
    }
    if left > bounds.items_max - items {
        return Err(CodecError::TooManyItems {
            max: bounds.items_max,
        });
    }
    match left > rest {
        true => Err(CodecError::Truncated),
        false => Ok(()),
    }
}

fn skip_text(bytes: &[u8], at: &mut usize, len: usize) -> Result<(), CodecError> {
    let text = &bytes[*at..];
    let text = text.get(..len).ok_or(CodecError::Truncated)?;
    // Most are ASCII, which is seen faster than checked.
    if !text.is_ascii() && std::str::from_utf8(text).is_err() {
        return Err(CodecError::Utf8);
    }
    *at += len;
    Ok(())
}

fn skip(bytes: &[u8], at: &mut usize, len: usize) -> Result<(), CodecError> {
    match bytes.len() - *at < len {
        true => Err(CodecError::Truncated),
        false => {
            *at += len;
            Ok(())
        }
    }
}

/// The next step. Invariant: `at` is within `bytes`, before and after.
#[inline]
pub(super) fn token(bytes: &[u8], at: &mut usize) -> Result<Token, CodecError> {
    let &byte = bytes.get(*at).ok_or(CodecError::Truncated)?;
    *at += 1;
    Ok(match byte {
        0x00..=0x7f => Token::Int(byte.into()),
        0x80..=0x8f => Token::Map(usize::from(byte & 15)),
        0x90..=0x9f => Token::List(usize::from(byte & 15)),
        0xa0..=0xbf => Token::Text(usize::from(byte & 31)),
        0xe0..=0xff => Token::Int(i8::from_be_bytes([byte]).into()),
        _ => return longer(byte, bytes, at),
    })
}

#[inline]
fn longer(byte: u8, bytes: &[u8], at: &mut usize) -> Result<Token, CodecError> {
    Ok(match byte {
        0xc0 => Token::Nil,
        0xc2 => Token::Bool(false),
        0xc3 => Token::Bool(true),
        0xc4 => Token::Bytes(u8::from_be_bytes(fixed(bytes, at)?).into()),
        0xc5 => Token::Bytes(u16::from_be_bytes(fixed(bytes, at)?).into()),
        0xc6 => Token::Bytes(wide(bytes, at)?),
        0xc7 => {
            let len = u8::from_be_bytes(fixed(bytes, at)?).into();
            ext(len, bytes, at)?
        }
        0xc8 => {
            let len = u16::from_be_bytes(fixed(bytes, at)?).into();
            ext(len, bytes, at)?
        }
        0xc9 => {
            let len = wide(bytes, at)?;
            ext(len, bytes, at)?
        }
        0xca => Token::Float(f32::from_be_bytes(fixed(bytes, at)?).into()),
        0xcb => Token::Float(f64::from_be_bytes(fixed(bytes, at)?)),
        0xcc => Token::UInt(u8::from_be_bytes(fixed(bytes, at)?).into()),
        0xcd => Token::UInt(u16::from_be_bytes(fixed(bytes, at)?).into()),
        0xce => Token::UInt(u32::from_be_bytes(fixed(bytes, at)?).into()),
        0xcf => Token::UInt(u64::from_be_bytes(fixed(bytes, at)?)),
        0xd0 => Token::Int(i8::from_be_bytes(fixed(bytes, at)?).into()),
        0xd1 => Token::Int(i16::from_be_bytes(fixed(bytes, at)?).into()),
        0xd2 => Token::Int(i32::from_be_bytes(fixed(bytes, at)?).into()),
        0xd3 => Token::Int(i64::from_be_bytes(fixed(bytes, at)?)),
        0xd4..=0xd8 => ext(1 << (byte - 0xd4), bytes, at)?,
        0xd9 => Token::Text(u8::from_be_bytes(fixed(bytes, at)?).into()),
        0xda => Token::Text(u16::from_be_bytes(fixed(bytes, at)?).into()),
        0xdb => Token::Text(wide(bytes, at)?),
        0xdc => Token::List(u16::from_be_bytes(fixed(bytes, at)?).into()),
        0xdd => Token::List(wide(bytes, at)?),
        0xde => Token::Map(u16::from_be_bytes(fixed(bytes, at)?).into()),
        0xdf => Token::Map(wide(bytes, at)?),
        _ => return Err(wrong(*at - 1, "the byte 0xc1 is reserved")),
    })
}

fn ext(len: usize, bytes: &[u8], at: &mut usize) -> Result<Token, CodecError> {
    let kind = i8::from_be_bytes(fixed(bytes, at)?);
    match kind < 0 {
        true => Err(wrong(*at - 1, "an extension of a negative kind")),
        false => Ok(Token::Ext(kind, len)),
    }
}

fn wide(bytes: &[u8], at: &mut usize) -> Result<usize, CodecError> {
    Ok(u32::from_be_bytes(fixed(bytes, at)?) as usize)
}

#[inline]
fn fixed<const N: usize>(bytes: &[u8], at: &mut usize) -> Result<[u8; N], CodecError> {
    let found = bytes[*at..].first_chunk::<N>();
    *at += N;
    found.copied().ok_or(CodecError::Truncated)
}

const fn wrong(at: usize, why: &'static str) -> CodecError {
    CodecError::Syntax {
        format: "msgpack",
        at,
        why,
    }
}
