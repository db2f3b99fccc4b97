mod scan;
mod write;

use super::super::{Ext, Value};
use super::{Bounds, Codec, CodecError, DEPTH_DECODED, Head, object};

/// MessagePack as Python's msgpack writes it with `use_bin_type`: integers as short as they can
/// be, floats of 64 bits, text and bytes told apart. Reads every width. The default.
///
/// Refused as by msgpack: bytes that follow, the reserved byte 0xc1, text that is not UTF-8, maps
/// as keys, extensions of MessagePack's own (timestamps).
///
/// ```
/// use hio::proto::channel::{Codec, Head, MessageKind, MsgPack};
/// let head = Head { kind: MessageKind::Request, id: 5 };
/// let mut out = Vec::new();
/// MsgPack.encode(head, &"hi".into(), 128, &mut out)?;
/// assert_eq!(out, b"\x93\x00\x05\xa2hi");
/// # Ok::<(), hio::proto::channel::CodecError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MsgPack;

impl MsgPack {
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
    /// It is no MessagePack, more than one value, or breaks the bounds.
    pub fn decode_value(bytes: &[u8], bounds: &Bounds) -> Result<Value, CodecError> {
        let end = scan::value(bytes, 0, bounds)?;
        match end == bytes.len() {
            true => Self.decode(bytes),
            false => Err(CodecError::Trailing { at: end }),
        }
    }
}

impl Codec for MsgPack {
    fn name(&self) -> &'static str {
        "msgpack"
    }

    fn encode(
        &self,
        head: Head,
        content: &Value,
        depth_max: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), CodecError> {
        write::head(head, out);
        write::value(content, depth_max, out)
    }

    fn forward(&self, head: Head, content: &[u8], out: &mut Vec<u8>) {
        write::head(head, out);
        out.extend_from_slice(content);
    }

    fn open<'a>(&self, payload: &'a [u8], bounds: &Bounds) -> Result<(Head, &'a [u8]), CodecError> {
        let (head, begin) = scan::head(payload)?;
        let end = scan::value(payload, begin, bounds)?;
        match end == payload.len() {
            true => Ok((head, &payload[begin..])),
            false => Err(CodecError::Trailing { at: end }),
        }
    }

    fn is_text(&self, content: &[u8]) -> bool {
        matches!(content.first(), Some(0xa0..=0xbf | 0xd9..=0xdb))
    }

    fn decode(&self, content: &[u8]) -> Result<Value, CodecError> {
        let mut reader = Reader {
            bytes: content,
            at: 0,
        };
        let value = reader.value(DEPTH_DECODED)?;
        match reader.at == content.len() {
            true => Ok(value),
            false => Err(CodecError::Trailing { at: reader.at }),
        }
    }
}

/// Makes values of bytes that were checked before; it trusts them no more than any others, but
/// for their depth and number.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn value(&mut self, depth: usize) -> Result<Value, CodecError> {
        let token = scan::token(self.bytes, &mut self.at)?;
        Ok(match token {
            scan::Token::Nil => Value::Nil,
            scan::Token::Bool(b) => Value::Bool(b),
            scan::Token::Int(n) => Value::Int(n),
            scan::Token::UInt(n) => Value::from(n),
            scan::Token::Float(x) => Value::Float(x),
            scan::Token::Text(len) => {
                let text = std::str::from_utf8(self.take(len)?).map_err(|_| CodecError::Utf8)?;
                Value::Text(text.to_owned())
            }
            scan::Token::Bytes(len) => Value::Bytes(self.take(len)?.to_owned()),
            scan::Token::Ext(kind, len) => {
                let data = self.take(len)?.to_owned();
                Value::Ext(Box::new(Ext { kind, data }))
            }
            scan::Token::List(len) => Value::List(self.list(len, depth)?),
            scan::Token::Map(len) => self.map(len, depth)?,
        })
    }

    fn list(&mut self, len: usize, depth: usize) -> Result<Vec<Value>, CodecError> {
        let depth = down(depth)?;
        let mut items = Vec::with_capacity(self.plausible(len));
        for _ in 0..len {
            items.push(self.value(depth)?);
        }
        Ok(items)
    }

    fn map(&mut self, len: usize, depth: usize) -> Result<Value, CodecError> {
        let depth = down(depth)?;
        let mut entries = Vec::with_capacity(self.plausible(len));
        for _ in 0..len {
            let key = self.value(depth)?;
            entries.push((key, self.value(depth)?));
        }
        Ok(object(entries))
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], CodecError> {
        let rest = &self.bytes[self.at.min(self.bytes.len())..];
        let (taken, _) = rest.split_at_checked(len).ok_or(CodecError::Truncated)?;
        self.at += len;
        Ok(taken)
    }

    /// Every value takes a byte at least.
    fn plausible(&self, len: usize) -> usize {
        len.min(self.bytes.len().saturating_sub(self.at))
    }
}

fn down(depth: usize) -> Result<usize, CodecError> {
    depth
        .checked_sub(1)
        .ok_or(CodecError::TooDeep { max: DEPTH_DECODED })
}

#[cfg(test)]
mod tests;
