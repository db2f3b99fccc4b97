//! Operations and answers in the general form: a code, the arguments; a code, the answer.

use std::borrow::Cow;

use super::bytes::{
    Bytes, put_endpoint, put_error, put_group, put_ip, put_number, put_owner, put_sid, put_span,
    put_text,
};
use super::op::{Answer, Kind, Op, Open};
use crate::net::{Group, Shutdown, Sid};
use crate::tyme::Tyme;

const PROBE: u8 = 0x29;
const TAPE: u8 = 0x2a;

/// Whether an entry with this tag is a probe or of the tape.
#[inline]
pub(super) const fn is_rare(tag: u8) -> bool {
    matches!(tag, PROBE | TAPE)
}

/// Appends an operation. The codes are the format.
pub(super) fn put_op(op: &Op<'_>, out: &mut Vec<u8>) {
    match op {
        Op::Now => out.push(0x10),
        Op::Wall => out.push(0x11),
        Op::Entropy { len } => put_sized(0x12, *len as u64, out),
        Op::Poll { until } => put_sized(0x13, until.as_nanos(), out),
        Op::Woken => out.push(0x14),
        Op::Group { owner } => {
            out.push(0x15);
            put_owner(out, *owner);
        }
        Op::SetOwner { group, owner } => {
            put_of_group(0x16, *group, out);
            put_owner(out, *owner);
        }
        Op::CloseGroup { group } => put_of_group(0x17, *group, out),
        Op::Ready { group } => put_of_group(0x18, *group, out),
        Op::Open { how, group, what } => {
            out.extend_from_slice(&[0x1a, *how as u8]);
            put_group(out, *group);
            put_text(out, what);
        }
        Op::Resolve { group, name } => {
            put_of_group(0x24, *group, out);
            put_text(out, name);
        }
        Op::Probe {
            who,
            kind,
            name,
            holds,
        } => {
            out.extend_from_slice(&[PROBE, *kind as u8, u8::from(*holds)]);
            put_owner(out, *who);
            put_text(out, name);
        }
        Op::Tape => out.push(TAPE),
        _ => put_op_of(op, out),
    }
}

/// An operation on a socket.
fn put_op_of(op: &Op<'_>, out: &mut Vec<u8>) {
    match op {
        Op::Mark { sid } => put_of(0x19, *sid, out),
        Op::Accept { sid } => put_of(0x1b, *sid, out),
        Op::Connected { sid } => put_of(0x1c, *sid, out),
        Op::Read { sid, len } => put_of_len(0x1d, *sid, *len, out),
        Op::Write { sid, len, hash } => {
            put_of_len(0x1e, *sid, *len, out);
            out.extend_from_slice(&hash.to_le_bytes());
        }
        Op::WriteVectored { sid, len, hash } => {
            put_of_len(0x1f, *sid, *len, out);
            out.extend_from_slice(&hash.to_le_bytes());
        }
        Op::Shutdown { sid, how } => {
            put_of(0x20, *sid, out);
            out.push(match how {
                Shutdown::Receive => 0,
                Shutdown::Send => 1,
                Shutdown::Both => 2,
            });
        }
        Op::Close { sid } => put_of(0x21, *sid, out),
        Op::RecvFrom { sid, len } => put_of_len(0x22, *sid, *len, out),
        Op::SendTo { sid, len, hash, to } => {
            put_of_len(0x23, *sid, *len, out);
            out.extend_from_slice(&hash.to_le_bytes());
            out.push(u8::from(to.is_some()));
            if let Some(to) = to {
                put_endpoint(out, to);
            }
        }
        Op::Local { sid } => put_of(0x25, *sid, out),
        Op::Peer { sid } => put_of(0x26, *sid, out),
        Op::BufferSizes { sid } => put_of(0x27, *sid, out),
        Op::SetOption { sid, what } => {
            put_of(0x28, *sid, out);
            put_text(out, what);
        }
        _ => debug_assert!(false, "{op} is on no socket"),
    }
}

fn put_of_group(code: u8, group: Group, out: &mut Vec<u8>) {
    out.push(code);
    put_group(out, group);
}

fn put_of_len(code: u8, sid: Sid, len: usize, out: &mut Vec<u8>) {
    put_of(code, sid, out);
    put_number(out, len as u64);
}

fn put_of(code: u8, sid: Sid, out: &mut Vec<u8>) {
    out.push(code);
    put_sid(out, sid);
}

pub(super) fn take_op<'a>(code: u8, bytes: &mut Bytes<'a>) -> Option<Op<'a>> {
    Some(match code {
        0x10 => Op::Now,
        0x11 => Op::Wall,
        0x12 => Op::Entropy { len: bytes.size()? },
        0x13 => Op::Poll {
            until: Tyme::from_nanos(bytes.number()?),
        },
        0x14 => Op::Woken,
        0x15 => Op::Group {
            owner: bytes.owner()?,
        },
        0x16 => Op::SetOwner {
            group: bytes.group()?,
            owner: bytes.owner()?,
        },
        0x17 => Op::CloseGroup {
            group: bytes.group()?,
        },
        0x18 => Op::Ready {
            group: bytes.group()?,
        },
        0x1a => Op::Open {
            how: *OPENS.get(usize::from(bytes.byte()?))?,
            group: bytes.group()?,
            what: Cow::Borrowed(bytes.text()?),
        },
        0x24 => Op::Resolve {
            group: bytes.group()?,
            name: Cow::Borrowed(bytes.text()?),
        },
        PROBE => {
            let (kind, holds) = (*KINDS.get(usize::from(bytes.byte()?))?, flag(bytes)?);
            Op::Probe {
                who: bytes.owner()?,
                kind,
                name: Cow::Borrowed(bytes.text()?),
                holds,
            }
        }
        TAPE => Op::Tape,
        0x19..=0x28 => take_op_of(code, bytes.sid()?, bytes)?,
        _ => return None,
    })
}

/// An operation on a socket.
fn take_op_of<'a>(code: u8, sid: Sid, bytes: &mut Bytes<'a>) -> Option<Op<'a>> {
    Some(match code {
        0x19 => Op::Mark { sid },
        0x1b => Op::Accept { sid },
        0x1c => Op::Connected { sid },
        0x1d => Op::Read {
            sid,
            len: bytes.size()?,
        },
        0x1e => Op::Write {
            sid,
            len: bytes.size()?,
            hash: u32::from_le_bytes(bytes.array()?),
        },
        0x1f => Op::WriteVectored {
            sid,
            len: bytes.size()?,
            hash: u32::from_le_bytes(bytes.array()?),
        },
        0x20 => Op::Shutdown {
            sid,
            how: match bytes.byte()? {
                0 => Shutdown::Receive,
                1 => Shutdown::Send,
                2 => Shutdown::Both,
                _ => return None,
            },
        },
        0x21 => Op::Close { sid },
        0x22 => Op::RecvFrom {
            sid,
            len: bytes.size()?,
        },
        0x23 => Op::SendTo {
            sid,
            len: bytes.size()?,
            hash: u32::from_le_bytes(bytes.array()?),
            to: match flag(bytes)? {
                true => Some(Cow::Owned(bytes.endpoint()?)),
                false => None,
            },
        },
        0x25 => Op::Local { sid },
        0x26 => Op::Peer { sid },
        0x27 => Op::BufferSizes { sid },
        0x28 => Op::SetOption {
            sid,
            what: Cow::Borrowed(bytes.text()?),
        },
        _ => return None,
    })
}

pub(super) fn put_answer(answer: &Answer<'_>, out: &mut Vec<u8>) {
    match answer {
        Answer::Done => out.push(0),
        Answer::NotYet => out.push(1),
        Answer::Tyme(tyme) => put_sized(2, tyme.as_nanos(), out),
        Answer::Span(span) => {
            out.push(3);
            put_span(out, *span);
        }
        Answer::Count(n) => put_sized(4, *n as u64, out),
        Answer::Flag(flag) => out.extend_from_slice(&[5, u8::from(*flag)]),
        Answer::Bytes(bytes) => put_sized(6, bytes.len() as u64, out),
        Answer::Owners(owners) => {
            put_sized(7, owners.len() as u64, out);
            owners.iter().for_each(|owner| put_owner(out, *owner));
        }
        Answer::Sids(sids) => {
            put_sized(8, sids.len() as u64, out);
            sids.iter().for_each(|sid| put_sid(out, *sid));
        }
        Answer::Group(group) => {
            out.push(9);
            put_group(out, *group);
        }
        Answer::Sid(sid) => put_of(10, *sid, out),
        Answer::Accepted(sid, peer) => {
            put_of(11, *sid, out);
            put_endpoint(out, peer);
        }
        Answer::Datagram {
            bytes,
            from,
            truncated,
        } => {
            out.extend_from_slice(&[12, u8::from(*truncated)]);
            put_endpoint(out, from);
            put_number(out, bytes.len() as u64);
        }
        Answer::Addresses(addresses) => {
            put_sized(13, addresses.len() as u64, out);
            addresses.iter().for_each(|ip| put_ip(out, *ip));
        }
        Answer::Endpoint(at) => {
            out.push(14);
            put_endpoint(out, at);
        }
        Answer::Sizes(send, receive) => {
            put_sized(15, *send as u64, out);
            put_number(out, *receive as u64);
        }
        Answer::Error(why) => {
            out.push(16);
            put_error(out, *why);
        }
    }
}

fn put_sized(code: u8, n: u64, out: &mut Vec<u8>) {
    out.push(code);
    put_number(out, n);
}

pub(super) fn take_answer<'a>(bytes: &mut Bytes<'a>) -> Option<Answer<'a>> {
    Some(match bytes.byte()? {
        0 => Answer::Done,
        1 => Answer::NotYet,
        2 => Answer::Tyme(Tyme::from_nanos(bytes.number()?)),
        3 => Answer::Span(bytes.span()?),
        4 => Answer::Count(bytes.size()?),
        5 => Answer::Flag(flag(bytes)?),
        6 => {
            let len = bytes.size()?;
            Answer::Bytes(bytes.take(len)?)
        }
        7 => Answer::Owners(list(bytes, Bytes::owner)?.into()),
        8 => Answer::Sids(list(bytes, Bytes::sid)?.into()),
        9 => Answer::Group(bytes.group()?),
        10 => Answer::Sid(bytes.sid()?),
        11 => Answer::Accepted(bytes.sid()?, Cow::Owned(bytes.endpoint()?)),
        12 => {
            let (truncated, from) = (flag(bytes)?, bytes.endpoint()?);
            let len = bytes.size()?;
            Answer::Datagram {
                bytes: bytes.take(len)?,
                from: Cow::Owned(from),
                truncated,
            }
        }
        13 => Answer::Addresses(list(bytes, Bytes::ip)?.into()),
        14 => Answer::Endpoint(Cow::Owned(bytes.endpoint()?)),
        15 => Answer::Sizes(bytes.size()?, bytes.size()?),
        16 => Answer::Error(bytes.error()?),
        _ => return None,
    })
}

fn flag(bytes: &mut Bytes<'_>) -> Option<bool> {
    match bytes.byte()? {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    }
}

fn list<'a, T>(
    bytes: &mut Bytes<'a>,
    item: impl Fn(&mut Bytes<'a>) -> Option<T>,
) -> Option<Vec<T>> {
    let count = bytes.count()?;
    (0..count).map(|_| item(bytes)).collect()
}

const OPENS: [Open; 4] = [Open::Listen, Open::Connect, Open::Bind, Open::Adopt];
const KINDS: [Kind; 6] = [
    Kind::Fault,
    Kind::Always,
    Kind::Sometimes,
    Kind::Reachable,
    Kind::Note,
    Kind::Stopped,
];
