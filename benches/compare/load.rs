//! The load: one thread, edge-triggered, every byte that comes back is verified.
//!
//! Runs as a process of its own on its own core and prints one line of `key=value` pairs.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, sockopt};

use crate::measure::{Histogram, Random, nanos_since, now};
use crate::process::{pause, resident, schedule};

/// What to do to a server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) conns: usize,
    pub(crate) size: usize,
    /// Messages in flight on each connection.
    pub(crate) pipeline: u64,
    pub(crate) kind: Kind,
    pub(crate) seconds: f64,
    /// Ends after so many operations instead, without a warm-up.
    pub(crate) count: Option<u64>,
    /// TLS sessions are resumed.
    pub(crate) resume: bool,
}

impl Default for Plan {
    /// One connection, one message of 64 bytes in flight.
    fn default() -> Self {
        Self {
            conns: 1,
            size: 64,
            pipeline: 1,
            kind: Kind::Echo,
            seconds: 0.5,
            count: None,
            resume: false,
        }
    }
}

/// What an operation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A message that comes back.
    Echo,
    /// Connect, one message, reset.
    Connect,
    /// Nothing on all connections, then messages on one of them.
    Idle,
    /// GET of HTTP, with a small answer.
    Get,
    /// POST of HTTP, which gets its body back.
    Post,
    /// A request that is answered.
    Channel,
    /// The same in tarpc's format.
    Tarpc,
}

/// Time for a server to get ready for the measured part.
pub(crate) const WARM_SECONDS: f64 = 0.15;
/// Length of the pattern: a prime, so that no two connections send the same for long.
pub(crate) const PATTERN: usize = 65_521;
/// Most bytes of one send or receive.
pub(crate) const CHUNK: usize = 256 << 10;

struct Conn {
    socket: OwnedFd,
    up: bool,
    born: u64,
    /// Where in the pattern its stream begins.
    base: usize,
    want: u64,
    sent: u64,
    received: u64,
    done: u64,
    /// When the messages in flight were sent.
    stamps: VecDeque<u64>,
}

struct Generator {
    plan: Plan,
    addr: SocketAddr,
    poll: OwnedFd,
    start: Instant,
    conns: Vec<Option<Conn>>,
    pattern: Vec<u8>,
    buffer: Vec<u8>,
    latency: Histogram,
    ops: u64,
}

/// Runs the plan against `addr`; `pid` is the server, 0 when it is not to be looked at.
pub(crate) fn run(plan: Plan, addr: &str, pid: u32) -> io::Result<()> {
    crate::process::raise_descriptors();
    let mut generator = Generator::new(plan, addr)?;
    let before = resident(pid);
    if generator.plan.kind != Kind::Connect {
        generator.bring_up()?;
    }
    match generator.plan.kind {
        Kind::Idle => generator.idle(pid, before),
        _ => generator.busy(pid),
    }
}

/// What is sent: a period and as much of the next as one chunk may need.
pub(crate) fn pattern() -> Vec<u8> {
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let period: Vec<u8> = (0..PATTERN)
        .map(|_| random.next().to_le_bytes()[0])
        .collect();
    period
        .iter()
        .copied()
        .cycle()
        .take(PATTERN + CHUNK)
        .collect()
}

impl Generator {
    fn new(plan: Plan, addr: &str) -> io::Result<Self> {
        Ok(Self {
            addr: addr.parse().map_err(io::Error::other)?,
            poll: epoll::create(CreateFlags::CLOEXEC)?,
            start: now(),
            conns: (0..plan.conns).map(|_| None).collect(),
            pattern: pattern(),
            buffer: vec![0; CHUNK],
            latency: Histogram::new(),
            ops: 0,
            plan,
        })
    }

    /// Opens all connections, 64 at a time, each with one message there and back.
    fn bring_up(&mut self) -> io::Result<()> {
        let (mut next, mut up) = (0, 0);
        while up < self.conns.len() {
            while next < self.conns.len() && next - up < 64 {
                self.open(next)?;
                next += 1;
            }
            self.turn(&mut |g, i, finished, came_up| {
                up += usize::try_from(finished).unwrap_or(0);
                if came_up { g.push(i, 1) } else { Ok(()) }
            })?;
            if nanos_since(self.start) > 60_000_000_000 {
                return Err(io::Error::other(format!("only {up} connections came up")));
            }
        }
        Ok(())
    }

    /// All connections at work.
    fn busy(&mut self, pid: u32) -> io::Result<()> {
        for i in 0..self.conns.len() {
            match self.plan.kind {
                Kind::Connect => self.open(i)?,
                _ => self.push(i, self.plan.pipeline)?,
            }
        }
        if self.plan.count.is_none() {
            self.work(WARM_SECONDS, u64::MAX)?;
        }
        self.latency.clear();
        self.ops = 0;
        let me = std::process::id();
        let (server, own, start) = (schedule(pid), schedule(me), now());
        let until = self.plan.count.map_or(self.plan.seconds, |_| 600.0);
        self.work(until, self.plan.count.unwrap_or(u64::MAX))?;
        let seconds = nanos_since(start) as f64 / 1e9;
        let (server_end, own_end) = (schedule(pid), schedule(me));
        let lost = (server_end.waited - server.waited).max(own_end.waited - own.waited);
        let ops = self.ops.max(1) as f64;
        println!(
            "ops={} rate={} mib={} p50={} p99={} cpu={} lost={}",
            self.ops,
            ops / seconds,
            ops * self.plan.size as f64 / seconds / 1_048_576.0,
            self.latency.quantile_micros(0.5),
            self.latency.quantile_micros(0.99),
            (server_end.ran - server.ran) as f64 / 1e3 / ops,
            lost as f64 / 1e9 / seconds,
        );
        Ok(())
    }

    /// Holds the connections still and looks at the server, then uses one of them.
    fn idle(&mut self, pid: u32, before: u64) -> io::Result<()> {
        let bytes = (resident(pid) as f64 - before as f64) / self.conns.len() as f64;
        pause(Duration::from_millis(200));
        let (server, start) = (schedule(pid), now());
        pause(Duration::from_secs_f64(self.plan.seconds));
        let idle = (schedule(pid).ran - server.ran) as f64 / nanos_since(start) as f64;
        self.latency.clear();
        self.ops = 0;
        self.push(0, 1)?;
        self.work(WARM_SECONDS, u64::MAX)?;
        self.latency.clear();
        self.ops = 0;
        let (server, start) = (schedule(pid), now());
        self.work(self.plan.seconds, u64::MAX)?;
        let ops = self.ops.max(1) as f64;
        println!(
            "ops={} rate={} p50={} cpu={} bytes={bytes} idle={} lost=0",
            self.ops,
            ops / (nanos_since(start) as f64 / 1e9),
            self.latency.quantile_micros(0.5),
            (schedule(pid).ran - server.ran) as f64 / 1e3 / ops,
            idle * 100.0,
        );
        Ok(())
    }

    /// Keeps every connection busy for so long, or for so many operations.
    fn work(&mut self, seconds: f64, count: u64) -> io::Result<()> {
        let start = now();
        let kind = self.plan.kind;
        while (nanos_since(start) as f64) < seconds * 1e9 && self.ops < count {
            self.turn(&mut |g, i, finished, came_up| match kind {
                Kind::Connect if came_up => g.push(i, 1),
                Kind::Connect if finished > 0 => g.again(i),
                _ if finished > 0 => g.push(i, finished),
                _ => Ok(()),
            })?;
        }
        Ok(())
    }

    fn open(&mut self, i: usize) -> io::Result<()> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let family = match self.addr {
            SocketAddr::V4(_) => AddressFamily::INET,
            SocketAddr::V6(_) => AddressFamily::INET6,
        };
        let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
        sockopt::set_tcp_nodelay(&socket, true)?;
        if self.plan.kind == Kind::Connect {
            // A reset leaves no port waiting behind.
            sockopt::set_socket_linger(&socket, Some(Duration::ZERO))?;
        }
        match rustix::net::connect(&socket, &self.addr) {
            Ok(()) | Err(Errno::INPROGRESS) => {}
            Err(e) => return Err(e.into()),
        }
        let interest = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
        epoll::add(&self.poll, &socket, EventData::new_u64(i as u64), interest)?;
        self.conns[i] = Some(Conn {
            socket,
            up: false,
            born: nanos_since(self.start),
            base: (i * 7919) % PATTERN,
            want: 0,
            sent: 0,
            received: 0,
            done: 0,
            stamps: VecDeque::new(),
        });
        Ok(())
    }

    /// Ends a connection that has had its message, and opens the next.
    fn again(&mut self, i: usize) -> io::Result<()> {
        if let Some(conn) = self.conns[i].take() {
            self.latency.record(nanos_since(self.start) - conn.born);
        }
        self.open(i)
    }

    /// Sends further messages on a connection.
    fn push(&mut self, i: usize, messages: u64) -> io::Result<()> {
        let at = nanos_since(self.start);
        let size = self.plan.size as u64;
        if let Some(conn) = &mut self.conns[i] {
            conn.want += messages * size;
            conn.stamps.extend((0..messages).map(|_| at));
            conn.flush(&self.pattern)?;
        }
        Ok(())
    }

    /// One look at the poll; `tell` hears (connection, messages finished, it just came up).
    fn turn(
        &mut self,
        tell: &mut dyn FnMut(&mut Self, usize, u64, bool) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut events = Vec::with_capacity(1024);
        let wait = Timespec {
            tv_sec: 0,
            tv_nsec: 100_000_000,
        };
        match epoll::wait(&self.poll, spare_capacity(&mut events), Some(&wait)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
        for event in events {
            let (key, flags) = (event.data.u64(), event.flags);
            let i = usize::try_from(key).unwrap_or(usize::MAX);
            let Some(conn) = &mut self.conns[i] else {
                continue;
            };
            if flags.contains(EventFlags::ERR) {
                return Err(io::Error::other("a connection failed"));
            }
            let came_up = !conn.up && flags.contains(EventFlags::OUT);
            conn.up |= came_up;
            let finished = match flags.contains(EventFlags::IN) {
                true => self.drain(i, flags.contains(EventFlags::RDHUP))?,
                false => 0,
            };
            if came_up || finished > 0 {
                tell(self, i, finished, came_up)?;
            } else if let Some(conn) = &mut self.conns[i] {
                conn.flush(&self.pattern)?;
            }
        }
        Ok(())
    }

    /// Takes what has come; gives the number of messages that it completed.
    fn drain(&mut self, i: usize, closed: bool) -> io::Result<u64> {
        let at = nanos_since(self.start);
        let Some(conn) = &mut self.conns[i] else {
            return Ok(0);
        };
        loop {
            let got = match rustix::net::recv(&conn.socket, &mut *self.buffer, RecvFlags::empty()) {
                Ok((0, _)) => return Err(io::Error::other("the server closed a connection")),
                Ok((got, _)) => got,
                Err(Errno::AGAIN) => break,
                Err(e) => return Err(e.into()),
            };
            conn.verify(&self.buffer[..got], &self.pattern)?;
            if got < self.buffer.len() && !closed {
                break;
            }
        }
        let finished = conn.received / self.plan.size as u64 - conn.done;
        conn.done += finished;
        self.ops += finished;
        for _ in 0..finished {
            let sent = conn.stamps.pop_front().unwrap_or(at);
            self.latency.record(at.saturating_sub(sent));
        }
        Ok(finished)
    }
}

impl Conn {
    fn flush(&mut self, pattern: &[u8]) -> io::Result<()> {
        while self.sent < self.want {
            let from = self.offset(self.sent);
            let len = usize::try_from(self.want - self.sent)
                .unwrap_or(CHUNK)
                .min(CHUNK);
            match rustix::net::send(
                &self.socket,
                &pattern[from..from + len],
                SendFlags::NOSIGNAL,
            ) {
                Ok(sent) => self.sent += sent as u64,
                Err(Errno::AGAIN) => return Ok(()),
                Err(e) => return Err(e.into()),
            }
        }
        Ok(())
    }

    fn verify(&mut self, data: &[u8], pattern: &[u8]) -> io::Result<()> {
        let from = self.offset(self.received);
        if data != &pattern[from..from + data.len()] {
            return Err(io::Error::other(format!("byte {} differs", self.received)));
        }
        self.received += data.len() as u64;
        match self.received > self.want {
            true => Err(io::Error::other("more came back than was sent")),
            false => Ok(()),
        }
    }

    /// Where in the pattern a byte of the stream lies.
    fn offset(&self, at: u64) -> usize {
        let within = usize::try_from(at % PATTERN as u64).unwrap_or(0);
        (self.base + within) % PATTERN
    }
}
