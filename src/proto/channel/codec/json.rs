mod lex;
mod scan;
mod write;

use super::super::Value;
use super::{Bounds, Codec, CodecError, DEPTH_DECODED, Head, object};
use lex::{Lexer, Number};
pub(in super::super) use write::scalar as json_scalar;

/// JSON as Python's `json.dumps` writes it: `", "` and `": "` between things, ASCII only, floats
/// by their shortest digits as `repr` lays them out, the words NaN, Infinity and -Infinity,
/// integers of any size, keys made text. It has no bytes.
///
/// Reads strict JSON with the three words; white space and escapes as anyone may write them; of
/// equal keys the last counts. Refused, unlike by Python: half of a surrogate pair, which is no
/// text here.
///
/// ```
/// use hio::proto::channel::{Codec, Head, Json, MessageKind};
/// let head = Head { kind: MessageKind::Result, id: 5 };
/// let mut out = Vec::new();
/// Json.encode(head, &1e16.into(), 128, &mut out)?;
/// assert_eq!(out, b"[1, 5, 1e+16]");
/// # Ok::<(), hio::proto::channel::CodecError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Json;

impl Json {
    /// Encodes a value alone, without a message around it.
    ///
    /// # Errors
    /// It cannot be had in this format, or is deeper than `depth_max`.
    pub fn encode_value(
        value: &Value,
        depth_max: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), CodecError> {
        write::value(value, depth_max, out)
    }

    /// Checks and decodes a value alone, as [`Codec::open`] does for a message.
    ///
    /// # Errors
    /// It is no JSON, more than one value, or breaks the bounds.
    pub fn decode_value(bytes: &[u8], bounds: &Bounds) -> Result<Value, CodecError> {
        let text = std::str::from_utf8(bytes).map_err(|_| CodecError::Utf8)?;
        let mut lexer = Lexer::new(text);
        scan::value(&mut lexer, bounds)?;
        lexer.end()?;
        Self.decode(bytes)
    }
}

impl Codec for Json {
    fn name(&self) -> &'static str {
        "json"
    }

    fn encode(
        &self,
        head: Head,
        content: &Value,
        depth_max: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), CodecError> {
        write::head(head, out);
        write::value(content, depth_max, out)?;
        out.push(b']');
        Ok(())
    }

    fn forward(&self, head: Head, content: &[u8], out: &mut Vec<u8>) {
        write::head(head, out);
        out.extend_from_slice(content);
        out.push(b']');
    }

    fn open<'a>(&self, payload: &'a [u8], bounds: &Bounds) -> Result<(Head, &'a [u8]), CodecError> {
        let text = std::str::from_utf8(payload).map_err(|_| CodecError::Utf8)?;
        let mut lexer = Lexer::new(text);
        let head = scan::head(&mut lexer)?;
        lexer.space();
        let begin = lexer.at();
        scan::value(&mut lexer, bounds)?;
        let content = &payload[begin..lexer.at()];
        lexer.space();
        match lexer.next()? {
            b']' => {}
            b',' => return Err(CodecError::NotAMessage),
            _ => return Err(lexer.wrong("a , or ] is wanted")),
        }
        lexer.end()?;
        Ok((head, content))
    }

    fn is_text(&self, content: &[u8]) -> bool {
        content.first() == Some(&b'"')
    }

    fn decode(&self, content: &[u8]) -> Result<Value, CodecError> {
        let text = std::str::from_utf8(content).map_err(|_| CodecError::Utf8)?;
        let mut lexer = Lexer::new(text);
        let value = value(&mut lexer, DEPTH_DECODED)?;
        lexer.end()?;
        Ok(value)
    }
}

/// Makes a value of text that was checked before; it trusts it no more than any other, but for
/// its depth and number of values.
fn value(lexer: &mut Lexer<'_>, depth: usize) -> Result<Value, CodecError> {
    lexer.space();
    match lexer.peek()? {
        b'{' => map(lexer, down(depth)?),
        b'[' => list(lexer, down(depth)?),
        b'"' => Ok(Value::Text(lexer.string()?.text()?)),
        b't' => lexer.word("true").map(|()| Value::Bool(true)),
        b'f' => lexer.word("false").map(|()| Value::Bool(false)),
        b'n' => lexer.word("null").map(|()| Value::Nil),
        _ => lexer.number().map(number),
    }
}

fn list(lexer: &mut Lexer<'_>, depth: usize) -> Result<Value, CodecError> {
    let mut items = Vec::new();
    lexer.next()?;
    lexer.space();
    if lexer.peek()? == b']' {
        lexer.next()?;
        return Ok(Value::List(items));
    }
    loop {
        items.push(value(lexer, depth)?);
        lexer.space();
        match lexer.next()? {
            b',' => {}
            b']' => return Ok(Value::List(items)),
            _ => return Err(lexer.wrong("a , or ] is wanted")),
        }
    }
}

fn map(lexer: &mut Lexer<'_>, depth: usize) -> Result<Value, CodecError> {
    let mut entries = Vec::new();
    lexer.next()?;
    lexer.space();
    if lexer.peek()? == b'}' {
        lexer.next()?;
        return Ok(Value::Map(entries));
    }
    loop {
        lexer.space();
        let key = Value::Text(lexer.string()?.text()?);
        lexer.space();
        lexer.expect(b':')?;
        entries.push((key, value(lexer, depth)?));
        lexer.space();
        match lexer.next()? {
            b',' => {}
            b'}' => return Ok(object(entries)),
            _ => return Err(lexer.wrong("a , or } is wanted")),
        }
    }
}

/// A number has the value that Python gives it.
fn number(number: Number<'_>) -> Value {
    match number {
        Number::Word(x) => Value::Float(x),
        // What the lexer lets through, Rust reads; what is too large is infinite, as in Python.
        Number::Float(text) => Value::Float(text.parse().unwrap_or(f64::NAN)),
        Number::Integer(text) => match (text.len() <= I128_DIGITS, text.parse::<i128>()) {
            (true, Ok(n)) => Value::integer(n),
            _ => Value::Big(text.to_owned()),
        },
    }
}

fn down(depth: usize) -> Result<usize, CodecError> {
    depth
        .checked_sub(1)
        .ok_or(CodecError::TooDeep { max: DEPTH_DECODED })
}

/// Digits, with a sign, that an `i128` has room for in any case.
const I128_DIGITS: usize = 38;

#[cfg(test)]
mod tests;
