//! What a program asked of a net, and what it was told.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use crate::net::{Endpoint, Group, NetError, Owner, Probe, Shutdown, Sid};
use crate::tyme::Tyme;

/// An operation and its arguments. What was written is a hash of its taken part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::net) enum Op<'a> {
    Now,
    Wall,
    Entropy {
        len: usize,
    },
    Poll {
        until: Tyme,
    },
    Woken,
    Group {
        owner: Owner,
    },
    SetOwner {
        group: Group,
        owner: Owner,
    },
    CloseGroup {
        group: Group,
    },
    Ready {
        group: Group,
    },
    Mark {
        sid: Sid,
    },
    /// Opens a socket in a group: how, and the address and options as text.
    Open {
        how: Open,
        group: Group,
        what: Cow<'a, str>,
    },
    Accept {
        sid: Sid,
    },
    Connected {
        sid: Sid,
    },
    Read {
        sid: Sid,
        len: usize,
    },
    Write {
        sid: Sid,
        len: usize,
        hash: u32,
    },
    WriteVectored {
        sid: Sid,
        len: usize,
        hash: u32,
    },
    Shutdown {
        sid: Sid,
        how: Shutdown,
    },
    Close {
        sid: Sid,
    },
    RecvFrom {
        sid: Sid,
        len: usize,
    },
    SendTo {
        sid: Sid,
        len: usize,
        hash: u32,
        to: Option<Cow<'a, Endpoint>>,
    },
    Resolve {
        group: Group,
        name: Cow<'a, str>,
    },
    Local {
        sid: Sid,
    },
    Peer {
        sid: Sid,
    },
    BufferSizes {
        sid: Sid,
    },
    SetOption {
        sid: Sid,
        what: Cow<'a, str>,
    },
    Probe {
        who: Owner,
        kind: Kind,
        name: Cow<'a, str>,
        holds: bool,
    },
    /// No operation: an entry of the tape.
    Tape,
}

/// How a socket is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::net) enum Open {
    Listen,
    Connect,
    Bind,
    Adopt,
}

/// The kinds of [`Probe`], without their borrowed names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::net) enum Kind {
    Fault,
    Always,
    Sometimes,
    Reachable,
    Note,
    Stopped,
}

impl Kind {
    /// A probe's kind, its name, and whether what it says holds.
    pub(in crate::net) const fn of<'a>(probe: &Probe<'a>) -> (Self, &'a str, bool) {
        match *probe {
            Probe::Fault(name) => (Self::Fault, name, true),
            Probe::Always(name, holds) => (Self::Always, name, holds),
            Probe::Sometimes(name, holds) => (Self::Sometimes, name, holds),
            Probe::Reachable(name) => (Self::Reachable, name, true),
            Probe::Note(text) => (Self::Note, text, true),
            Probe::Stopped => (Self::Stopped, "", true),
        }
    }
}

/// What an operation gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::net) enum Answer<'a> {
    Done,
    /// Nothing there yet.
    NotYet,
    Tyme(Tyme),
    Span(Duration),
    Count(usize),
    Flag(bool),
    Bytes(&'a [u8]),
    Owners(Cow<'a, [Owner]>),
    Sids(Cow<'a, [Sid]>),
    Group(Group),
    Sid(Sid),
    Accepted(Sid, Cow<'a, Endpoint>),
    Datagram {
        bytes: &'a [u8],
        from: Cow<'a, Endpoint>,
        truncated: bool,
    },
    Addresses(Cow<'a, [IpAddr]>),
    Endpoint(Cow<'a, Endpoint>),
    Sizes(usize, usize),
    Error(NetError),
}

impl Answer<'_> {
    /// The bytes that were handed over, which lie behind an entry's head in a recording.
    #[inline]
    pub(in crate::net) const fn payload(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) | Self::Datagram { bytes, .. } => bytes,
            _ => &[],
        }
    }

    /// Bytes that a write took.
    pub(in crate::net) const fn taken(&self) -> usize {
        match self {
            Self::Count(n) => *n,
            _ => 0,
        }
    }
}

/// A hash of what was written.
pub(in crate::net) fn digest(bytes: &[u8]) -> u32 {
    let mut hash = crate::net::TraceHash::default();
    hash.event(&[], bytes);
    let value = hash.value();
    #[expect(clippy::cast_possible_truncation, reason = "the halves are mixed")]
    let mixed = (value ^ value >> 32) as u32;
    mixed
}

impl fmt::Display for Op<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Now => f.write_str("now"),
            Self::Wall => f.write_str("wall"),
            Self::Entropy { len } => write!(f, "entropy of {len} bytes"),
            Self::Poll { until } if until.is_never() => f.write_str("poll without end"),
            Self::Poll { until } => write!(f, "poll until {until}"),
            Self::Woken => f.write_str("woken"),
            Self::Group { owner } => write!(f, "group of {}", Name(*owner)),
            Self::SetOwner { group, owner } => {
                write!(f, "set_owner {group:?} to {}", Name(*owner))
            }
            Self::CloseGroup { group } => write!(f, "close_group {group:?}"),
            Self::Ready { group } => write!(f, "ready {group:?}"),
            Self::Mark { sid } => write!(f, "mark {sid:?}"),
            Self::Open { how, group, what } => write!(f, "{how:?} in {group:?} {what}"),
            Self::Accept { sid } => write!(f, "accept {sid:?}"),
            Self::Connected { sid } => write!(f, "connected {sid:?}"),
            Self::Read { sid, len } => write!(f, "read {sid:?} into {len} bytes"),
            Self::Write { sid, len, hash } => {
                write!(f, "write {sid:?} {len} bytes, taken ones {hash:08x}")
            }
            Self::WriteVectored { sid, len, hash } => {
                write!(
                    f,
                    "write_vectored {sid:?} {len} bytes, taken ones {hash:08x}"
                )
            }
            Self::Shutdown { sid, how } => write!(f, "shutdown {sid:?} {how:?}"),
            Self::Close { sid } => write!(f, "close {sid:?}"),
            Self::RecvFrom { sid, len } => write!(f, "recv_from {sid:?} into {len} bytes"),
            Self::SendTo { sid, len, hash, to } => {
                write!(f, "send_to {sid:?} {len} bytes {hash:08x}")?;
                to.as_ref().map_or(Ok(()), |to| write!(f, " to {to}"))
            }
            Self::Resolve { group, name } => write!(f, "resolve {name} for {group:?}"),
            Self::Local { sid } => write!(f, "local {sid:?}"),
            Self::Peer { sid } => write!(f, "peer {sid:?}"),
            Self::BufferSizes { sid } => write!(f, "buffer_sizes {sid:?}"),
            Self::SetOption { sid, what } => write!(f, "set_option {sid:?} {what}"),
            Self::Probe {
                kind, name, holds, ..
            } => write!(f, "probe {kind:?} {name:?} {holds}"),
            Self::Tape => f.write_str("tape"),
        }
    }
}

impl fmt::Display for Answer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done => f.write_str("done"),
            Self::NotYet => f.write_str("not yet"),
            Self::Tyme(tyme) => write!(f, "{tyme}"),
            Self::Span(span) => write!(f, "{span:?}"),
            Self::Count(n) => write!(f, "{n}"),
            Self::Flag(flag) => write!(f, "{flag}"),
            Self::Bytes(bytes) => write!(f, "{} bytes", bytes.len()),
            Self::Owners(owners) => {
                let names = owners.iter().map(|o| Name(*o).to_string());
                write!(f, "[{}]", names.collect::<Vec<_>>().join(", "))
            }
            Self::Sids(sids) => write!(f, "{sids:?}"),
            Self::Group(group) => write!(f, "{group:?}"),
            Self::Sid(sid) => write!(f, "{sid:?}"),
            Self::Accepted(sid, peer) => write!(f, "{sid:?} from {peer}"),
            Self::Datagram {
                bytes,
                from,
                truncated,
            } => {
                let cut = if *truncated { ", cut off" } else { "" };
                write!(f, "{} bytes from {from}{cut}", bytes.len())
            }
            Self::Addresses(addresses) => write!(f, "{addresses:?}"),
            Self::Endpoint(at) => write!(f, "{at}"),
            Self::Sizes(send, receive) => write!(f, "{send} and {receive} bytes"),
            Self::Error(why) => write!(f, "error: {why}"),
        }
    }
}

/// An owner as doers' ids are written.
struct Name(Owner);

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Owner::NONE => f.write_str("nobody"),
            Owner(n) => write!(f, "owner {}.{}", n & 0xffff_ffff, n >> 32),
        }
    }
}
