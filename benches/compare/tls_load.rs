//! The load of the rows on TLS: as `load.rs`, one thread, every byte that comes back is verified.

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, HandshakeKind};

use crate::load::{CHUNK, Kind, PATTERN, Plan, WARM_SECONDS, pattern};
use crate::measure::{nanos_since, now};
use crate::process::{pause, resident, schedule};

struct Conn {
    socket: TcpStream,
    tls: ClientConnection,
    /// Where in the pattern its stream begins.
    base: usize,
    sent: u64,
    received: u64,
    done: u64,
}

struct Generator {
    plan: Plan,
    addr: SocketAddr,
    config: Arc<ClientConfig>,
    poll: Poll,
    events: Option<Events>,
    conns: Vec<Option<Conn>>,
    pattern: Vec<u8>,
    wire: Vec<u8>,
    plain: Vec<u8>,
    ops: u64,
    resumed: u64,
}

/// Runs the plan against `addr`; `pid` is the server. An operation of [`Kind::Connect`] is:
/// connect, handshake, one message, reset.
pub(crate) fn run(plan: Plan, addr: &str, pid: u32, certs: &Path) -> io::Result<()> {
    crate::process::raise_descriptors();
    let mut generator = Generator {
        addr: addr.parse().map_err(io::Error::other)?,
        config: crate::tls_config::client_config(certs, plan.resume)?,
        poll: Poll::new()?,
        events: Some(Events::with_capacity(1024)),
        conns: (0..plan.conns).map(|_| None).collect(),
        pattern: pattern(),
        wire: vec![0; CHUNK],
        plain: vec![0; CHUNK],
        ops: 0,
        resumed: 0,
        plan,
    };
    let before = resident(pid);
    if plan.kind != Kind::Connect {
        generator.bring_up()?;
    }
    match plan.kind {
        Kind::Idle => generator.idle(pid, before),
        _ => generator.busy(pid),
    }
}

impl Generator {
    /// Opens all connections, 16 at a time, each with one message there and back.
    fn bring_up(&mut self) -> io::Result<()> {
        let (mut next, start) = (0, now());
        while self.ops < self.conns.len() as u64 {
            while next < self.conns.len() && (next as u64) < self.ops + 16 {
                self.open(next)?;
                next += 1;
            }
            self.turn(&mut |_, _, _| Ok(()))?;
            if nanos_since(start) > 120_000_000_000 {
                let up = self.ops;
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
        (self.ops, self.resumed) = (0, 0);
        let me = std::process::id();
        let (server, own, start) = (schedule(pid), schedule(me), now());
        let until = self.plan.count.map_or(self.plan.seconds, |_| 600.0);
        self.work(until, self.plan.count.unwrap_or(u64::MAX))?;
        let seconds = nanos_since(start) as f64 / 1e9;
        let (server_end, own_end) = (schedule(pid), schedule(me));
        let lost = (server_end.waited - server.waited).max(own_end.waited - own.waited);
        self.check_resumed()?;
        let ops = self.ops.max(1) as f64;
        println!(
            "ops={} rate={} mib={} cpu={} lost={}",
            self.ops,
            ops / seconds,
            ops * self.plan.size as f64 / seconds / 1_048_576.0,
            (server_end.ran - server.ran) as f64 / 1e3 / ops,
            lost as f64 / 1e9 / seconds,
        );
        Ok(())
    }

    /// What was to be a resumption must have been one, and the other way round.
    fn check_resumed(&self) -> io::Result<()> {
        let wanted = if self.plan.resume { self.ops } else { 0 };
        // A ticket is for one use, and two connections may want the last one.
        if self.plan.kind == Kind::Connect && self.resumed.abs_diff(wanted) * 100 > self.ops {
            let (resumed, ops) = (self.resumed, self.ops);
            return Err(io::Error::other(format!("{resumed} of {ops} were resumed")));
        }
        Ok(())
    }

    /// Holds the connections still and looks at the server.
    fn idle(&self, pid: u32, before: u64) -> io::Result<()> {
        let bytes = (resident(pid) as f64 - before as f64) / self.conns.len() as f64;
        pause(Duration::from_millis(200));
        let (server, start) = (schedule(pid), now());
        pause(Duration::from_secs_f64(self.plan.seconds));
        let idle = (schedule(pid).ran - server.ran) as f64 / nanos_since(start) as f64;
        println!("bytes={bytes} idle={} lost=0", idle * 100.0);
        Ok(())
    }

    /// Keeps every connection busy for so long, or for so many operations.
    fn work(&mut self, seconds: f64, count: u64) -> io::Result<()> {
        let start = now();
        let kind = self.plan.kind;
        while (nanos_since(start) as f64) < seconds * 1e9 && self.ops < count {
            self.turn(&mut |g, i, finished| match kind {
                Kind::Connect => g.open(i),
                _ => g.push(i, finished),
            })?;
        }
        Ok(())
    }

    /// Opens a connection, in place of the one that was there, and begins its first message.
    fn open(&mut self, i: usize) -> io::Result<()> {
        if let Some(conn) = self.conns[i].take() {
            // A reset leaves no port waiting behind.
            socket2::SockRef::from(&conn.socket).set_linger(Some(Duration::ZERO))?;
        }
        let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
        let mut tls = ClientConnection::new(self.config.clone(), name).map_err(io::Error::other)?;
        tls.set_buffer_limit(None);
        let mut socket = TcpStream::connect(self.addr)?;
        socket.set_nodelay(true)?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll
            .registry()
            .register(&mut socket, Token(i), interest)?;
        self.conns[i] = Some(Conn {
            socket,
            tls,
            base: (i * 7919) % PATTERN,
            sent: 0,
            received: 0,
            done: 0,
        });
        self.push(i, 1)
    }

    /// Sends further messages on a connection.
    fn push(&mut self, i: usize, messages: u64) -> io::Result<()> {
        let Some(conn) = &mut self.conns[i] else {
            return Ok(());
        };
        for _ in 0..messages {
            let from = conn.offset(conn.sent);
            let message = &self.pattern[from..from + self.plan.size];
            conn.tls.writer().write_all(message)?;
            conn.sent += self.plan.size as u64;
        }
        conn.flush()
    }

    /// One look at the poll; `tell` hears (connection, messages finished).
    fn turn(
        &mut self,
        tell: &mut dyn FnMut(&mut Self, usize, u64) -> io::Result<()>,
    ) -> io::Result<()> {
        let Some(mut events) = self.events.take() else {
            return Ok(());
        };
        let wait = Some(Duration::from_millis(100));
        match self.poll.poll(&mut events, wait) {
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            done => done?,
        }
        for event in &events {
            let i = event.token().0;
            if event.is_error() {
                return Err(io::Error::other("a connection failed"));
            }
            let finished = self.drain(i, event.is_read_closed())?;
            if let Some(conn) = &mut self.conns[i] {
                conn.flush()?;
            }
            if finished > 0 {
                tell(self, i, finished)?;
            }
        }
        self.events = Some(events);
        Ok(())
    }

    /// Takes what has come; gives the number of messages that it completed.
    fn drain(&mut self, i: usize, closed: bool) -> io::Result<u64> {
        let Some(conn) = &mut self.conns[i] else {
            return Ok(0);
        };
        loop {
            let got = match conn.socket.read(&mut self.wire) {
                Ok(0) => return Err(io::Error::other("the server closed a connection")),
                Ok(got) => got,
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => {
                    break;
                }
                Err(e) => return Err(e),
            };
            let mut wire = &self.wire[..got];
            while !wire.is_empty() {
                conn.tls.read_tls(&mut wire)?;
                conn.tls.process_new_packets().map_err(io::Error::other)?;
                conn.take(&mut self.plain, &self.pattern)?;
            }
            if got < self.wire.len() && !closed {
                break;
            }
        }
        let finished = conn.received / self.plan.size as u64 - conn.done;
        conn.done += finished;
        self.ops += finished;
        if finished > 0 && conn.tls.handshake_kind() == Some(HandshakeKind::Resumed) {
            self.resumed += 1;
        }
        Ok(finished)
    }
}

impl Conn {
    /// Verifies the plaintext that has come.
    fn take(&mut self, plain: &mut [u8], pattern: &[u8]) -> io::Result<()> {
        loop {
            let got = match self.tls.reader().read(plain) {
                Ok(0) => return Err(io::Error::other("the server closed a session")),
                Ok(got) => got,
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(e) => return Err(e),
            };
            let from = self.offset(self.received);
            if plain[..got] != pattern[from..from + got] {
                return Err(io::Error::other(format!("byte {} differs", self.received)));
            }
            self.received += got as u64;
            if self.received > self.sent {
                return Err(io::Error::other("more came back than was sent"));
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        while self.tls.wants_write() {
            match self.tls.write_tls(&mut self.socket) {
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => {
                    return Ok(());
                }
                done => done?,
            };
        }
        Ok(())
    }

    /// Where in the pattern a byte of the stream lies.
    fn offset(&self, at: u64) -> usize {
        let within = usize::try_from(at % PATTERN as u64).unwrap_or(0);
        (self.base + within) % PATTERN
    }
}
