//! Values as MessagePack, each as short as it can be.

use super::super::super::Value;
use super::super::{CodecError, Head, TYPE_KEY};

/// The beginning of `[kind, id, content]`.
#[inline]
pub(super) fn head(head: Head, out: &mut Vec<u8>) {
    out.extend_from_slice(&[0x93, head.kind as u8]);
    match (u64::try_from(head.id), i64::try_from(head.id)) {
        (Ok(id), _) => unsigned(id, out),
        (_, Ok(id)) => signed(id, out),
        // Ids that came in another format are no longer than this one's: it has no others.
        _ => out.push(NIL),
    }
}

/// Recurs as deep as `depth` says and no deeper.
pub(super) fn value(value: &Value, depth: usize, out: &mut Vec<u8>) -> Result<(), CodecError> {
    nested(value, depth, depth, out)
}

fn nested(value: &Value, depth: usize, max: usize, out: &mut Vec<u8>) -> Result<(), CodecError> {
    match value {
        Value::Nil => out.push(NIL),
        Value::Bool(b) => out.push(0xc2 + u8::from(*b)),
        Value::Int(n) => match u64::try_from(*n) {
            Ok(n) => unsigned(n, out),
            Err(_) => signed(*n, out),
        },
        Value::UInt(n) => unsigned(*n, out),
        Value::Big(_) => return Err(CodecError::Unencodable("integer beyond 64 bits")),
        Value::Float(x) => {
            out.push(0xcb);
            out.extend_from_slice(&x.to_be_bytes());
        }
        Value::Text(text) => {
            self::text(text, out)?;
        }
        Value::Bytes(bytes) => {
            length(bytes.len(), &[(0xc4, 1), (0xc5, 2), (0xc6, 4)], out)?;
            out.extend_from_slice(bytes);
        }
        Value::List(items) => {
            let depth = depth.checked_sub(1).ok_or(CodecError::TooDeep { max })?;
            list(items.len(), out)?;
            for item in items {
                nested(item, depth, max, out)?;
            }
        }
        Value::Map(entries) => {
            let depth = depth.checked_sub(1).ok_or(CodecError::TooDeep { max })?;
            match u8::try_from(entries.len()) {
                Ok(len @ 0..=15) => out.push(0x80 + len),
                _ => length(entries.len(), &[(0xde, 2), (0xdf, 4)], out)?,
            }
            for (key, item) in entries {
                nested(key, depth, max, out)?;
                nested(item, depth, max, out)?;
            }
        }
        Value::Ext(ext) => self::ext(ext.kind, &ext.data, out)?,
        Value::Typed(typed) => {
            let depth = depth.checked_sub(2).ok_or(CodecError::TooDeep { max })?;
            out.push(0x81);
            text(TYPE_KEY, out)?;
            out.push(0x92);
            unsigned(typed.id, out);
            nested(&typed.repr, depth, max, out)?;
        }
    }
    Ok(())
}

fn unsigned(n: u64, out: &mut Vec<u8>) {
    let bytes = n.to_be_bytes();
    match n {
        0..=0x7f => out.push(bytes[7]),
        0x80..=0xff => out.extend_from_slice(&[0xcc, bytes[7]]),
        0x100..=0xffff => out.extend_from_slice(&[0xcd, bytes[6], bytes[7]]),
        0x1_0000..=0xffff_ffff => {
            out.push(0xce);
            out.extend_from_slice(&bytes[4..]);
        }
        _ => {
            out.push(0xcf);
            out.extend_from_slice(&bytes);
        }
    }
}

/// A negative number.
fn signed(n: i64, out: &mut Vec<u8>) {
    let bytes = n.to_be_bytes();
    match n {
        -0x20.. => out.push(bytes[7]),
        -0x80..-0x20 => out.extend_from_slice(&[0xd0, bytes[7]]),
        -0x8000..-0x80 => out.extend_from_slice(&[0xd1, bytes[6], bytes[7]]),
        -0x8000_0000..-0x8000 => {
            out.push(0xd2);
            out.extend_from_slice(&bytes[4..]);
        }
        _ => {
            out.push(0xd3);
            out.extend_from_slice(&bytes);
        }
    }
}

fn text(text: &str, out: &mut Vec<u8>) -> Result<(), CodecError> {
    match u8::try_from(text.len()) {
        Ok(len @ 0..=31) => out.push(0xa0 + len),
        _ => length(text.len(), &[(0xd9, 1), (0xda, 2), (0xdb, 4)], out)?,
    }
    out.extend_from_slice(text.as_bytes());
    Ok(())
}

fn list(len: usize, out: &mut Vec<u8>) -> Result<(), CodecError> {
    match u8::try_from(len) {
        Ok(len @ 0..=15) => {
            out.push(0x90 + len);
            Ok(())
        }
        _ => length(len, &[(0xdc, 2), (0xdd, 4)], out),
    }
}

fn ext(kind: i8, data: &[u8], out: &mut Vec<u8>) -> Result<(), CodecError> {
    if kind < 0 {
        return Err(CodecError::Unencodable("extension of a negative kind"));
    }
    match data.len() {
        1 => out.push(0xd4),
        2 => out.push(0xd5),
        4 => out.push(0xd6),
        8 => out.push(0xd7),
        16 => out.push(0xd8),
        len => length(len, &[(0xc7, 1), (0xc8, 2), (0xc9, 4)], out)?,
    }
    out.push(kind.unsigned_abs());
    out.extend_from_slice(data);
    Ok(())
}

/// The first of the forms, each a byte and so many bytes of length, that has room for `len`.
fn length(len: usize, forms: &[(u8, usize)], out: &mut Vec<u8>) -> Result<(), CodecError> {
    let narrow = u32::try_from(len).map_err(|_| CodecError::Unencodable("more than 4 GiB"))?;
    let bytes = narrow.to_be_bytes();
    for &(byte, width) in forms {
        if width == 4 || len < 1 << (8 * width) {
            out.push(byte);
            out.extend_from_slice(&bytes[4 - width..]);
            break;
        }
    }
    Ok(())
}

const NIL: u8 = 0xc0;
