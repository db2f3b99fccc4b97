//! Values as JSON, byte for byte as `json.dumps` writes them.

use std::io::Write;

use super::super::super::Value;
use super::super::{CodecError, Head, TYPE_KEY};

/// The beginning of `[kind, id, content]`.
pub(super) fn head(head: Head, out: &mut Vec<u8>) {
    out.extend_from_slice(&[b'[', b'0' + head.kind as u8, b',', b' ']);
    match u64::try_from(head.id) {
        Ok(id) => integer(id, out),
        Err(_) => show(head.id, out),
    }
    out.extend_from_slice(b", ");
}

/// Recurs as deep as `depth` says and no deeper.
pub(super) fn value(value: &Value, depth: usize, out: &mut Vec<u8>) -> Result<(), CodecError> {
    nested(value, depth, depth, out)
}

fn nested(value: &Value, depth: usize, max: usize, out: &mut Vec<u8>) -> Result<(), CodecError> {
    let too_deep = CodecError::TooDeep { max };
    match value {
        Value::Bytes(_) => return Err(CodecError::Unencodable("bytes")),
        Value::Ext(_) => return Err(CodecError::Unencodable("extension")),
        Value::List(items) => {
            let depth = depth.checked_sub(1).ok_or(too_deep)?;
            out.push(b'[');
            for (i, item) in items.iter().enumerate() {
                between(i, out);
                nested(item, depth, max, out)?;
            }
            out.push(b']');
        }
        Value::Map(entries) => {
            let depth = depth.checked_sub(1).ok_or(too_deep)?;
            out.push(b'{');
            for (i, (key, item)) in entries.iter().enumerate() {
                between(i, out);
                self::key(key, out)?;
                out.extend_from_slice(b": ");
                nested(item, depth, max, out)?;
            }
            out.push(b'}');
        }
        Value::Typed(typed) => {
            let depth = depth.checked_sub(2).ok_or(too_deep)?;
            out.push(b'{');
            text(TYPE_KEY, out);
            out.extend_from_slice(b": [");
            integer(typed.id, out);
            between(1, out);
            nested(&typed.repr, depth, max, out)?;
            out.extend_from_slice(b"]}");
        }
        other => scalar(other, out),
    }
    Ok(())
}

fn between(i: usize, out: &mut Vec<u8>) {
    if i > 0 {
        out.extend_from_slice(b", ");
    }
}

/// A value that has no others in it, and that JSON has.
pub(in super::super::super) fn scalar(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Int(n) => {
            if *n < 0 {
                out.push(b'-');
            }
            integer(n.unsigned_abs(), out);
        }
        Value::UInt(n) => integer(*n, out),
        Value::Big(digits) => out.extend_from_slice(digits.as_bytes()),
        Value::Float(x) => float(*x, out),
        Value::Text(t) => text(t, out),
        _ => out.extend_from_slice(b"null"),
    }
}

/// Python makes text of some keys, and refuses the others.
fn key(key: &Value, out: &mut Vec<u8>) -> Result<(), CodecError> {
    match key {
        Value::Text(t) => text(t, out),
        Value::Nil
        | Value::Bool(_)
        | Value::Int(_)
        | Value::UInt(_)
        | Value::Big(_)
        | Value::Float(_) => {
            out.push(b'"');
            scalar(key, out);
            out.push(b'"');
        }
        other => return Err(CodecError::Key(other.kind())),
    }
    Ok(())
}

fn text(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let mut rest = text;
    while !rest.is_empty() {
        let plain = |b: &u8| matches!(b, b' '..=b'~') && *b != b'"' && *b != b'\\';
        let run = rest.bytes().take_while(plain).count();
        out.extend_from_slice(&rest.as_bytes()[..run]);
        let mut chars = rest[run..].chars();
        if let Some(c) = chars.next() {
            escape(c, out);
        }
        rest = chars.as_str();
    }
    out.push(b'"');
}

fn escape(c: char, out: &mut Vec<u8>) {
    let short = match c {
        '"' => b'"',
        '\\' => b'\\',
        '\n' => b'n',
        '\r' => b'r',
        '\t' => b't',
        '\u{8}' => b'b',
        '\u{c}' => b'f',
        _ => {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                out.extend_from_slice(b"\\u");
                for shift in [12, 8, 4, 0] {
                    out.push(HEX[usize::from(*unit >> shift & 15)]);
                }
            }
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

fn integer(mut n: u64, out: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (n % 10).to_le_bytes()[0];
        n /= 10;
        if n == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// As Python's `repr`: the shortest digits that give the number back; in the plain form when the
/// exponent is at least -4 and below 16, else with an exponent of at least two digits and a sign.
fn float(x: f64, out: &mut Vec<u8>) {
    if !x.is_finite() {
        let word: &[u8] = match (x.is_nan(), x > 0.0) {
            (true, _) => b"NaN",
            (false, true) => b"Infinity",
            (false, false) => b"-Infinity",
        };
        return out.extend_from_slice(word);
    }
    let begin = out.len();
    show(format_args!("{x:e}"), out);
    let written = out.split_off(begin);
    let text = String::from_utf8_lossy(&written);
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", mantissa),
    };
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    out.extend_from_slice(sign.as_bytes());
    match exponent {
        0..16 => {
            let whole = usize::try_from(exponent).unwrap_or_default() + 1;
            let padded = format!("{digits:0<whole$}");
            let (before, after) = padded.split_at(whole);
            let after = if after.is_empty() { "0" } else { after };
            show(format_args!("{before}.{after}"), out);
        }
        -4..0 => {
            let zeros = usize::try_from(-1 - exponent).unwrap_or_default();
            show(format_args!("0.{:0<zeros$}{digits}", ""), out);
        }
        _ => {
            let (first, more) = digits.split_at(1);
            let point = if more.is_empty() { "" } else { "." };
            let sign = if exponent < 0 { '-' } else { '+' };
            let size = exponent.unsigned_abs();
            show(format_args!("{first}{point}{more}e{sign}{size:02}"), out);
        }
    }
}

fn show(what: impl std::fmt::Display, out: &mut Vec<u8>) {
    // A vector takes whatever is written.
    drop(write!(out, "{what}"));
}

const HEX: &[u8; 16] = b"0123456789abcdef";
