//! What is in the frames of a [`FrameTransport`](super::FrameTransport): the length prefix is the
//! channel's.
//!
//! ```text
//! hello     0, 1 (the version), name            first on a connection, by who dialled
//! packet    1, message id (16 bytes), bytes     by who dialled
//! accepted  2, message id                       by who listens, as the others below
//! failed    3, message id, text
//! unknown   4, message id
//! ```
//! Numbers have their most significant byte first, texts are UTF-8.

use super::{MessageId, Rejection};

/// A frame, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Message<'a> {
    Hello(&'a str),
    Packet(MessageId, &'a [u8]),
    Answer(MessageId, Result<(), Rejection>),
}

impl<'a> Message<'a> {
    /// Reads a frame's payload. `None` when it is none of these.
    pub(super) fn read(payload: &'a [u8]) -> Option<Self> {
        let (kind, rest) = payload.split_first()?;
        if *kind == HELLO {
            let name = rest.strip_prefix(&[VERSION])?;
            return Some(Self::Hello(std::str::from_utf8(name).ok()?));
        }
        let (run, rest) = rest.split_first_chunk::<8>()?;
        let (number, rest) = rest.split_first_chunk::<8>()?;
        let id = MessageId {
            run: u64::from_be_bytes(*run),
            number: u64::from_be_bytes(*number),
        };
        match *kind {
            PACKET => Some(Self::Packet(id, rest)),
            ACCEPTED if rest.is_empty() => Some(Self::Answer(id, Ok(()))),
            FAILED => {
                let text = std::str::from_utf8(rest).ok()?;
                Some(Self::Answer(id, Err(Rejection::failed(text))))
            }
            UNKNOWN if rest.is_empty() => Some(Self::Answer(id, Err(Rejection::UnknownSender))),
            _ => None,
        }
    }
}

/// A whole frame with a greeting.
pub(super) fn hello(name: &str) -> Vec<u8> {
    let mut out = Vec::new();
    framed(&[&[HELLO, VERSION], name.as_bytes()], &mut out);
    out
}

/// A whole frame with an answer; of a long text the beginning.
pub(super) fn answer(id: MessageId, how: &Result<(), Rejection>, out: &mut Vec<u8>) {
    let (kind, text) = match how {
        Ok(()) => (ACCEPTED, ""),
        Err(Rejection::Failed(text)) => (FAILED, cut(text)),
        Err(Rejection::UnknownSender) => (UNKNOWN, ""),
    };
    framed(&[&[kind], &id_bytes(id), text.as_bytes()], out);
}

/// The beginning of a frame with a packet of so many bytes, which follow.
pub(super) fn packet_head(id: MessageId, len: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(4 + PACKET_HEAD);
    let all = u32::try_from(PACKET_HEAD + len).unwrap_or(u32::MAX);
    out.extend_from_slice(&all.to_be_bytes());
    out.push(PACKET);
    out.extend_from_slice(&id_bytes(id));
    out
}

fn framed(parts: &[&[u8]], out: &mut Vec<u8>) {
    let len: usize = parts.iter().map(|part| part.len()).sum();
    let len = u32::try_from(len).unwrap_or(u32::MAX);
    out.extend_from_slice(&len.to_be_bytes());
    parts.iter().for_each(|part| out.extend_from_slice(part));
}

fn id_bytes(id: MessageId) -> [u8; 16] {
    let all = u128::from(id.run) << 64 | u128::from(id.number);
    all.to_be_bytes()
}

fn cut(text: &str) -> &str {
    let mut end = text.len().min(TEXT_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

const HELLO: u8 = 0;
const PACKET: u8 = 1;
const ACCEPTED: u8 = 2;
const FAILED: u8 = 3;
const UNKNOWN: u8 = 4;
const VERSION: u8 = 1;
/// Bytes of a frame before the packet, its length not counted.
pub(super) const PACKET_HEAD: usize = 17;
/// Bytes of a failure's text.
const TEXT_MAX: usize = 4096;
/// Bytes of the longest answer.
pub(super) const ANSWER_MAX: usize = PACKET_HEAD + TEXT_MAX;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ID: MessageId = MessageId {
        run: 0x0102_0304_0506_0708,
        number: 9,
    };

    #[test]
    fn there_and_back() {
        let greeting = hello("älice");
        assert_eq!(Message::read(&greeting[4..]), Some(Message::Hello("älice")));
        for how in [
            Ok(()),
            Err(Rejection::UnknownSender),
            Err(Rejection::failed("no good")),
        ] {
            let mut out = Vec::new();
            answer(ID, &how, &mut out);
            assert_eq!(
                out[..4],
                u32::try_from(out.len() - 4).unwrap().to_be_bytes()
            );
            assert_eq!(Message::read(&out[4..]), Some(Message::Answer(ID, how)));
        }
        let mut frame = packet_head(ID, 2);
        frame.extend_from_slice(b"hi");
        assert_eq!(frame[..6], [0, 0, 0, 19, 1, 1]);
        assert_eq!(Message::read(&frame[4..]), Some(Message::Packet(ID, b"hi")));
        let mut long = Vec::new();
        answer(ID, &Err(Rejection::failed("ä".repeat(5000))), &mut long);
        assert_eq!(long.len(), 4 + ANSWER_MAX);
        for wrong in [
            &b""[..],
            &[0],
            &[0, 2, b'x'],
            &[0, 1, 0xff],
            &[1; 16],
            &[5; 40],
        ] {
            assert_eq!(Message::read(wrong), None);
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = Message::read(&bytes);
        }
    }
}
