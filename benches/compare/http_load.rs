//! The load of the rows on HTTP: one thread, edge-triggered, plain or TLS.
//!
//! The first response is read with httparse: it must be a 200 with the right length and a type.
//! From then on every byte is known, and every byte of every response is verified.

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};

use crate::load::{CHUNK, Kind, PATTERN, Plan, WARM_SECONDS, pattern};
use crate::measure::{nanos_since, now};
use crate::process::schedule;

const GET: &[u8] = b"GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n";
const HELLO: &[u8] = b"hello";

struct Conn {
    socket: TcpStream,
    tls: Option<ClientConnection>,
    /// What the socket has not taken yet.
    out: Vec<u8>,
    /// Where in the pattern the body under way begins.
    from: usize,
    /// Bytes of the response that have come.
    got: usize,
    waits: bool,
}

/// What a response looks like.
struct Right {
    /// Empty until the first response was read.
    head: Vec<u8>,
    /// The first response, as far as it has come.
    first: Vec<u8>,
    kind: Kind,
    size: usize,
    pattern: Vec<u8>,
}

struct Generator {
    plan: Plan,
    addr: SocketAddr,
    config: Option<Arc<ClientConfig>>,
    poll: Poll,
    conns: Vec<Conn>,
    request: Vec<u8>,
    right: Right,
    wire: Vec<u8>,
    plain: Vec<u8>,
    ops: u64,
}

/// Runs the plan against `addr`; `pid` is the server.
pub(crate) fn run(plan: Plan, addr: &str, pid: u32, certs: Option<&Path>) -> io::Result<()> {
    let config = certs.map(|certs| crate::tls_config::client_config(certs, false));
    let size = plan.size;
    let mut generator = Generator {
        addr: addr.parse().map_err(io::Error::other)?,
        config: config.transpose()?,
        poll: Poll::new()?,
        conns: Vec::new(),
        request: match plan.kind {
            Kind::Post => {
                format!("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: {size}\r\n\r\n")
                    .into_bytes()
            }
            _ => GET.to_vec(),
        },
        right: Right {
            head: Vec::new(),
            first: Vec::new(),
            kind: plan.kind,
            size,
            pattern: pattern(),
        },
        wire: vec![0; CHUNK],
        plain: vec![0; CHUNK],
        ops: 0,
        plan,
    };
    generator.bring_up()?;
    generator.busy(pid)
}

impl Generator {
    /// Opens all connections, one after the other, each with one request and its response.
    fn bring_up(&mut self) -> io::Result<()> {
        let start = now();
        let mut events = Events::with_capacity(16);
        for i in 0..self.plan.conns {
            self.open(i)?;
            while self.ops <= i as u64 {
                self.turn(&mut events, false)?;
                if nanos_since(start) > 120_000_000_000 {
                    return Err(io::Error::other(format!("only {i} connections came up")));
                }
            }
        }
        Ok(())
    }

    fn open(&mut self, i: usize) -> io::Result<()> {
        let mut socket = TcpStream::connect(self.addr)?;
        socket.set_nodelay(true)?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll
            .registry()
            .register(&mut socket, Token(i), interest)?;
        let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
        let session = |config: &Arc<ClientConfig>| ClientConnection::new(config.clone(), name);
        let tls = self.config.as_ref().map(session).transpose();
        self.conns.push(Conn {
            socket,
            tls: tls.map_err(io::Error::other)?,
            out: Vec::new(),
            from: (i * 7919) % PATTERN,
            got: 0,
            waits: false,
        });
        self.ask(i)
    }

    fn busy(&mut self, pid: u32) -> io::Result<()> {
        (0..self.conns.len()).try_for_each(|i| self.ask(i))?;
        self.ops = 0;
        if self.plan.count.is_none() {
            self.work(WARM_SECONDS, u64::MAX)?;
        }
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
            "ops={} rate={} cpu={} lost={}",
            self.ops,
            ops / seconds,
            (server_end.ran - server.ran) as f64 / 1e3 / ops,
            lost as f64 / 1e9 / seconds,
        );
        Ok(())
    }

    /// Keeps every connection busy for so long, or for so many requests.
    fn work(&mut self, seconds: f64, count: u64) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        let start = now();
        while (nanos_since(start) as f64) < seconds * 1e9 && self.ops < count {
            self.turn(&mut events, true)?;
        }
        Ok(())
    }

    /// Sends the next request of a connection.
    fn ask(&mut self, i: usize) -> io::Result<()> {
        let conn = &mut self.conns[i];
        conn.from = (conn.from + self.right.size) % PATTERN;
        conn.waits = true;
        conn.out.extend_from_slice(&self.request);
        if self.right.kind == Kind::Post {
            conn.out.extend_from_slice(self.right.body(conn.from));
        }
        if let Some(tls) = &mut conn.tls {
            tls.writer().write_all(&conn.out)?;
            conn.out.clear();
        }
        conn.flush()
    }

    /// One look at the poll. With `again`, what was answered is asked anew.
    fn turn(&mut self, events: &mut Events, again: bool) -> io::Result<()> {
        match self.poll.poll(events, Some(Duration::from_millis(100))) {
            Err(e) if e.kind() == ErrorKind::Interrupted => return Ok(()),
            done => done?,
        }
        for event in &*events {
            let i = event.token().0;
            if event.is_error() {
                return Err(io::Error::other("a connection failed"));
            }
            let answered = event.is_readable() && self.drain(i, event.is_read_closed())?;
            if answered && again {
                self.ask(i)?;
            } else {
                self.conns[i].flush()?;
            }
        }
        Ok(())
    }

    /// Takes what has come; says whether it completed the response.
    fn drain(&mut self, i: usize, closed: bool) -> io::Result<bool> {
        let conn = &mut self.conns[i];
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
            match &mut conn.tls {
                None => conn.got += self.right.verify(conn.got, conn.from, wire)?,
                Some(tls) => {
                    while !wire.is_empty() {
                        tls.read_tls(&mut wire)?;
                        tls.process_new_packets().map_err(io::Error::other)?;
                        while let Some(plain) = plaintext(tls, &mut self.plain)? {
                            conn.got += self.right.verify(conn.got, conn.from, plain)?;
                        }
                    }
                }
            }
            if conn.got > 0 && !conn.waits {
                return Err(io::Error::other("a response that nobody asked for"));
            }
            if got < self.wire.len() && !closed {
                break;
            }
        }
        if conn.got == 0 || conn.got < self.right.len() {
            return Ok(false);
        }
        (conn.got, conn.waits) = (0, false);
        self.ops += 1;
        Ok(true)
    }
}

impl Conn {
    fn flush(&mut self) -> io::Result<()> {
        let blocked =
            |e: &io::Error| matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected);
        if let Some(tls) = &mut self.tls {
            while tls.wants_write() {
                match tls.write_tls(&mut self.socket) {
                    Err(e) if blocked(&e) => return Ok(()),
                    done => done?,
                };
            }
        }
        while !self.out.is_empty() {
            match self.socket.write(&self.out) {
                Ok(sent) => drop(self.out.drain(..sent)),
                Err(e) if blocked(&e) => return Ok(()),
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }
}

/// What the session has deciphered; `None` when that is all.
fn plaintext<'a>(tls: &mut ClientConnection, into: &'a mut [u8]) -> io::Result<Option<&'a [u8]>> {
    match tls.reader().read(into) {
        Ok(0) => Err(io::Error::other("the server closed a session")),
        Ok(got) => Ok(Some(&into[..got])),
        Err(e) if e.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(e) => Err(e),
    }
}

impl Right {
    fn body(&self, from: usize) -> &[u8] {
        match self.kind {
            Kind::Post => &self.pattern[from..from + self.size],
            _ => HELLO,
        }
    }

    /// Bytes of a response; those of its body while the head is not known.
    fn len(&self) -> usize {
        self.head.len() + self.size
    }

    /// Compares what came at place `at` of a response with what must be there; gives how much of
    /// the response it was. Only the first response of all is looked at with other eyes.
    fn verify(&mut self, at: usize, from: usize, data: &[u8]) -> io::Result<usize> {
        if !self.head.is_empty() {
            return self.compare(at, from, data);
        }
        self.first.extend_from_slice(data);
        let first = std::mem::take(&mut self.first);
        match head_len(&first, self.size)? {
            None => {
                self.first = first;
                Ok(0)
            }
            Some(len) => {
                self.head = first[..len].to_vec();
                self.compare(0, from, &first)
            }
        }
    }

    fn compare(&self, at: usize, from: usize, data: &[u8]) -> io::Result<usize> {
        let of_head = self.head.get(at..).unwrap_or_default();
        let (head, body) = data.split_at(data.len().min(of_head.len()));
        let place = at.saturating_sub(self.head.len());
        let right = self.body(from).get(place..place + body.len());
        match of_head.starts_with(head) && right == Some(body) {
            true => Ok(data.len()),
            false => Err(io::Error::other("a wrong response")),
        }
    }
}

/// Reads a head that stands for all: its length, when it is complete.
fn head_len(data: &[u8], size: usize) -> io::Result<Option<usize>> {
    let mut fields = [httparse::EMPTY_HEADER; 16];
    let mut response = httparse::Response::new(&mut fields);
    let httparse::Status::Complete(len) = response.parse(data).map_err(io::Error::other)? else {
        return Ok(None);
    };
    let value = |name: &str| {
        let mut all = response.headers.iter();
        let found = all.find(|field| field.name.eq_ignore_ascii_case(name));
        found.and_then(|field| std::str::from_utf8(field.value).ok())
    };
    let fine = (response.version, response.code) == (Some(1), Some(200))
        && value("content-length") == Some(&size.to_string())
        && value("content-type").is_some()
        && response.headers.len() == 2;
    match fine {
        true => Ok(Some(len)),
        false => Err(io::Error::other(format!(
            "an unexpected head: {response:?}"
        ))),
    }
}
