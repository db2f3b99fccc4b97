//! The load of requests: one connection, a number of them in flight, every reply verified. It is
//! written by hand in both formats, so that it costs as little as it can.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::TcpStream;

use crate::load::{Kind, PATTERN, Plan, WARM_SECONDS, pattern};
use crate::measure::{Histogram, nanos_since, now};
use crate::process::schedule;

struct Load {
    plan: Plan,
    format: Format,
    socket: TcpStream,
    pattern: Vec<u8>,
    out: Vec<u8>,
    /// What the next reply must be. The servers here answer in order.
    right: Vec<u8>,
    buffer: Vec<u8>,
    /// Bytes in the buffer.
    have: usize,
    next: u64,
    /// When each of those in flight was sent, the oldest first.
    stamps: VecDeque<u64>,
    latency: Histogram,
    start: std::time::Instant,
}

/// Runs the plan against `addr`; `pid` is the server.
pub(crate) fn run(plan: Plan, addr: &str, pid: u32) -> io::Result<()> {
    let socket = TcpStream::connect(addr)?;
    socket.set_nodelay(true)?;
    let mut load = Load {
        plan,
        format: match plan.kind {
            Kind::Tarpc => TARPC,
            _ => MSGPACK,
        },
        socket,
        pattern: pattern(),
        out: Vec::new(),
        right: Vec::new(),
        buffer: vec![0; 256 << 10],
        have: 0,
        next: 0,
        stamps: VecDeque::new(),
        latency: Histogram::new(),
        start: now(),
    };
    (0..plan.pipeline).for_each(|_| load.request());
    if plan.count.is_none() {
        load.work(WARM_SECONDS, u64::MAX)?;
    }
    load.latency.clear();
    let me = std::process::id();
    let (server, own, start) = (schedule(pid), schedule(me), now());
    let until = plan.count.map_or(plan.seconds, |_| 600.0);
    let ops = load.work(until, plan.count.unwrap_or(u64::MAX))?.max(1);
    let seconds = nanos_since(start) as f64 / 1e9;
    let (server_end, own_end) = (schedule(pid), schedule(me));
    let lost = (server_end.waited - server.waited).max(own_end.waited - own.waited);
    println!(
        "ops={ops} rate={} p50={} cpu={} lost={}",
        ops as f64 / seconds,
        load.latency.quantile_micros(0.5),
        (server_end.ran - server.ran) as f64 / 1e3 / ops as f64,
        lost as f64 / 1e9 / seconds,
    );
    Ok(())
}

impl Load {
    /// Queues the next request.
    fn request(&mut self) {
        let id = self.next;
        self.next += 1;
        let begin = self.out.len();
        self.out.extend_from_slice(&[0; 4]);
        let content = content(&self.pattern, id, self.plan.size);
        self.format
            .request
            .push(self.format.id, id, content, &mut self.out);
        let len = u32::try_from(self.out.len() - begin - 4).unwrap_or(0);
        self.out[begin..begin + 4].copy_from_slice(&len.to_be_bytes());
        self.stamps.push_back(nanos_since(self.start));
    }

    /// Replies for so long, or so many of them; a request for each.
    fn work(&mut self, seconds: f64, count: u64) -> io::Result<u64> {
        let begin = now();
        let mut done = 0;
        while done < count && (nanos_since(begin) as f64) < seconds * 1e9 {
            self.socket.write_all(&self.out)?;
            self.out.clear();
            let got = self.socket.read(&mut self.buffer[self.have..])?;
            if got == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.have += got;
            done += self.replies()?;
        }
        Ok(done)
    }

    /// Verifies the replies in the buffer.
    fn replies(&mut self) -> io::Result<u64> {
        let (mut used, mut done) = (0, 0);
        while let Some((head, rest)) = self.buffer[used..self.have].split_first_chunk::<4>() {
            let len = u32::from_be_bytes(*head) as usize;
            let Some(payload) = rest.get(..len) else {
                break;
            };
            let id = self.next - self.stamps.len() as u64;
            let content = content(&self.pattern, id, self.plan.size);
            self.right.clear();
            self.format
                .reply
                .push(self.format.id, id, content, &mut self.right);
            if payload != self.right {
                return Err(io::Error::other(format!("a wrong reply to {id}")));
            }
            used += 4 + len;
            done += 1;
            let sent = self.stamps.pop_front().unwrap_or(0);
            self.latency.record(nanos_since(self.start) - sent);
            self.request();
        }
        self.buffer.copy_within(used..self.have, 0);
        self.have -= used;
        Ok(done)
    }
}

fn content(pattern: &[u8], id: u64, size: usize) -> &[u8] {
    let at = usize::try_from(id).unwrap_or(0) % PATTERN;
    &pattern[at..at + size]
}

/// What stands around ids and contents.
#[derive(Clone, Copy)]
struct Format {
    id: fn(u64, &mut Vec<u8>),
    request: Around,
    reply: Around,
}

/// Bytes before the id, and those between it and the content, whose length is the last byte.
#[derive(Clone, Copy)]
struct Around {
    before: &'static [u8],
    between: &'static [u8],
}

/// `[0, id, bytes]` and `[1, id, bytes]`.
const MSGPACK: Format = Format {
    id: msgpack_id,
    request: Around {
        before: &[0x93, 0],
        between: &[0xc4],
    },
    reply: Around {
        before: &[0x93, 1],
        between: &[0xc4],
    },
};

/// tarpc's `ClientMessage::Request` and `Response` in bincode: a deadline of ten seconds, a trace
/// that is not sampled, the only function there is.
const TARPC: Format = Format {
    id: bincode_id,
    request: Around {
        before: &[
            0, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
        ],
        between: &[0],
    },
    reply: Around {
        before: &[],
        between: &[0, 0],
    },
};

impl Around {
    fn push(self, id_of: fn(u64, &mut Vec<u8>), id: u64, content: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(self.before);
        id_of(id, out);
        out.extend_from_slice(self.between);
        out.push(u8::try_from(content.len()).unwrap_or(u8::MAX));
        out.extend_from_slice(content);
    }
}

fn bincode_id(id: u64, out: &mut Vec<u8>) {
    let bytes = id.to_le_bytes();
    match id {
        0..=250 => out.push(bytes[0]),
        251..=0xffff => out.extend_from_slice(&[251, bytes[0], bytes[1]]),
        0x1_0000..=0xffff_ffff => {
            out.push(252);
            out.extend_from_slice(&bytes[..4]);
        }
        _ => {
            out.push(253);
            out.extend_from_slice(&bytes);
        }
    }
}

fn msgpack_id(id: u64, out: &mut Vec<u8>) {
    let bytes = id.to_be_bytes();
    match id {
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
