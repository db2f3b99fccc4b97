//! One TLS session of one link, or one on top of another. No sockets here but through `write`.
//!
//! ```text
//! wire -- feed --> [rustls] -- plaintext --> rx        tx -- encrypt --> [rustls] -- write --> wire
//! ```

use std::fmt;
use std::io::{self, BufRead, IoSlice, Read, Write};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, CommonState, Connection, ServerConnection};

use super::aside::Aside;
use super::asker::{Asker, asking};
use super::verify::failure;
use super::{ClientTls, ServerTls, TlsInfo};
use crate::link::pool::Pool;
use crate::link::{Buffer, TlsFailure};
use crate::net::{Endpoint, Net, NetError, Sid};
use crate::tyme::Tyme;

/// See the module.
pub(in crate::link) struct Session {
    conn: Connection,
    /// The session that this one's ciphertext travels in.
    below: Option<Box<Self>>,
    /// What was queued before this session began: it goes out first, as it is.
    before: Buffer,
    aside: Option<Arc<Aside>>,
    /// Who asks for randomness, where it is not the system's.
    asker: Option<Asker>,
    /// When the handshake has lasted too long: zero until a turn has set it, never once done.
    deadline: Tyme,
    /// Bytes of the user's that were queued, are no longer, and that the system has not taken yet:
    /// in ciphertext, or from before this session.
    flight: usize,
    /// Bytes of plaintext that the receive buffer had no room for.
    waiting: usize,
    /// Bytes of the wire that rustls had no room for.
    rest: Buffer,
    /// Bytes of the first flight received so far; no longer counted at `STARTED`.
    begun: usize,
    /// The peer's close_notify has come.
    closed: bool,
    /// Ours is queued.
    bye: bool,
    /// It has failed: there is nothing more but an alert.
    failed: Option<TlsFailure>,
    /// A FIN is as good as a close_notify.
    tolerant: bool,
}

/// Where plaintext goes.
pub(in crate::link) struct Fed<'a> {
    /// None to drop it.
    pub(in crate::link) rx: Option<&'a mut Buffer>,
    /// Bytes that `rx` may still take.
    pub(in crate::link) room: usize,
    pub(in crate::link) pool: &'a mut Pool,
}

/// Making.
impl Session {
    /// `seed` is there in simulated nets.
    pub(in crate::link) fn server(
        tls: &ServerTls,
        seed: Option<u64>,
    ) -> Result<Box<Self>, TlsFailure> {
        let mut asker = tls.randomness.asker(seed)?;
        let current = tls.current();
        let conn = asking(&mut asker, || ServerConnection::new(current.config));
        let conn = conn.map_err(|e| failure(&e))?.into();
        Ok(Self::new(conn, current.aside, asker, tls.tolerant))
    }

    /// To a server that was dialled as `to`.
    pub(in crate::link) fn client(
        tls: &ClientTls,
        to: &Endpoint,
        seed: Option<u64>,
    ) -> Result<Box<Self>, TlsFailure> {
        let name = match (&tls.name, to) {
            (Some(name), _) => name.clone(),
            (None, Endpoint::Tcp(addr)) => ServerName::from(addr.ip()),
            (None, Endpoint::Name(host, _)) => {
                ServerName::try_from(host.to_string()).map_err(|_| TlsFailure::BadName)?
            }
            _ => return Err(TlsFailure::BadName),
        };
        let mut asker = tls.randomness.asker(seed)?;
        let conn = asking(&mut asker, || {
            ClientConnection::new(tls.config.clone(), name)
        });
        let conn = conn.map_err(|e| failure(&e))?.into();
        let mut session = Self::new(conn, tls.aside.clone(), asker, tls.tolerant);
        session.begun = STARTED; // it is we who start it
        Ok(session)
    }

    fn new(
        mut conn: Connection,
        aside: Option<Arc<Aside>>,
        asker: Option<Asker>,
        tolerant: bool,
    ) -> Box<Self> {
        // What we encrypt at a time is bounded by `encrypt`.
        conn.set_buffer_limit(None);
        Box::new(Self {
            conn,
            below: None,
            before: Buffer::new(),
            aside,
            asker,
            deadline: Tyme::ZERO,
            flight: 0,
            waiting: 0,
            rest: Buffer::new(),
            begun: 0,
            closed: false,
            bye: false,
            failed: None,
            tolerant,
        })
    }

    /// Puts it on top of what the link had till now: nothing or a session, and a queue that is to
    /// go out before, as it is.
    pub(in crate::link) fn over(&mut self, mut below: Option<Box<Self>>, before: Buffer) {
        self.flight = before.len() + below.as_mut().map_or(0, |below| below.landed());
        self.below = below;
        self.before = before;
    }
}

/// Looking.
impl Session {
    pub(in crate::link) fn handshaking(&self) -> bool {
        self.conn.is_handshaking()
    }

    /// When the handshake has lasted too long.
    pub(in crate::link) const fn deadline(&self) -> Tyme {
        self.deadline
    }

    /// Whether the handshake is one of those whose number in a service is limited, and waits.
    pub(in crate::link) const fn unstarted(&self) -> bool {
        self.begun < STARTED
    }

    /// Whether there is surely nothing to hand out or to tell of before the next byte comes.
    pub(in crate::link) fn quiet(&self) -> bool {
        self.waiting == 0 && !self.closed && self.rest.is_empty() && self.below.is_none()
    }

    /// Whether plaintext is there that was not handed out.
    pub(in crate::link) fn holds_plaintext(&self) -> bool {
        let below = || {
            self.below
                .as_ref()
                .is_some_and(|below| below.holds_plaintext())
        };
        self.waiting > 0 || (!self.closed && (!self.rest.is_empty() || below()))
    }

    /// Whether the peer has ended its side in order, and all it sent was handed out.
    pub(in crate::link) const fn ended(&self) -> bool {
        self.closed && self.waiting == 0
    }

    /// Whether a session below has ended while this one has not.
    pub(in crate::link) fn torn(&self) -> bool {
        let below = self.below.as_ref();
        !self.closed && below.is_some_and(|below| below.ended() || below.torn())
    }

    /// Whether an end of the wire without a close_notify is in order.
    pub(in crate::link) const fn tolerant(&self) -> bool {
        self.tolerant
    }

    pub(in crate::link) const fn failure(&self) -> Option<TlsFailure> {
        self.failed
    }

    /// Bytes of plaintext that came and were not handed out.
    pub(in crate::link) fn held(&self) -> usize {
        let below = self.below.as_ref().map_or(0, |below| below.held());
        self.waiting + below
    }

    /// Whether there is something to write to the wire.
    pub(in crate::link) fn wants_write(&self) -> bool {
        let below = || self.below.as_ref().is_some_and(|below| below.wants_write());
        self.conn.wants_write() || !self.before.is_empty() || below()
    }

    /// What was queued before this session began and is not sent yet.
    pub(in crate::link) fn before(&self) -> &[u8] {
        self.before.data()
    }

    /// Bytes of the user's that are in here and not taken by the system.
    pub(in crate::link) const fn pending(&self) -> usize {
        self.flight
    }

    pub(in crate::link) fn info(&self) -> Option<TlsInfo<'_>> {
        if self.handshaking() {
            return None;
        }
        let (state, name): (&CommonState, _) = match &self.conn {
            Connection::Client(conn) => (conn, None),
            Connection::Server(conn) => (conn, conn.server_name()),
        };
        Some(TlsInfo::new(state, name))
    }
}

/// Reading.
impl Session {
    /// Begins the handshake's time, if a turn has not done so.
    pub(in crate::link) fn begin(&mut self, deadline: Tyme) -> bool {
        let new = self.deadline == Tyme::ZERO;
        if new {
            self.deadline = deadline;
        }
        new
    }

    /// Takes in bytes of the wire; gives how many of plaintext came out.
    ///
    /// The caller feeds no more than there is room for, and nothing while plaintext is held: what
    /// is left over is a record's worth for each session.
    pub(in crate::link) fn feed(
        &mut self,
        wire: &[u8],
        wall: Option<Duration>,
        out: &mut Fed<'_>,
    ) -> Result<usize, TlsFailure> {
        if let (Some(wall), Some(aside)) = (wall, &self.aside) {
            aside.tell_time(wall);
        }
        if let (Some(wall), Some(asker)) = (wall, &mut self.asker) {
            asker.tell_time(wall);
        }
        self.begun = self.begun.saturating_add(wire.len());
        let fed = self.absorb(wire, out);
        self.failed = self.failed.or(fed.err());
        if !self.handshaking() {
            self.deadline = Tyme::NEVER;
        }
        fed
    }

    /// Hands out plaintext that was left over.
    pub(in crate::link) fn take(&mut self, out: &mut Fed<'_>) -> Result<usize, TlsFailure> {
        let taken = self.take_all(out);
        self.failed = self.failed.or(taken.err());
        taken
    }

    fn take_all(&mut self, out: &mut Fed<'_>) -> Result<usize, TlsFailure> {
        let got = self.deliver(out) + self.draw(out)?;
        let rest = std::mem::take(self.rest());
        Ok(got + self.absorb(rest.data(), out)?)
    }

    /// Where bytes wait that the lowest session has no room for.
    fn rest(&mut self) -> &mut Buffer {
        match &mut self.below {
            None => &mut self.rest,
            Some(below) => below.rest(),
        }
    }

    /// What the wire's bytes say.
    fn absorb(&mut self, mut wire: &[u8], out: &mut Fed<'_>) -> Result<usize, TlsFailure> {
        let mut got = 0;
        while !wire.is_empty() && !self.closed {
            match self.step(&mut wire, out)? {
                Some(n) => got += n,
                None => {
                    self.rest().extend(wire);
                    break;
                }
            }
        }
        Ok(got)
    }

    /// Takes as many bytes of the wire as rustls does at a time. None when it has no room.
    fn step(&mut self, wire: &mut &[u8], out: &mut Fed<'_>) -> Result<Option<usize>, TlsFailure> {
        if let Some(below) = &mut self.below {
            let mut keep = Fed {
                rx: None,
                room: 0,
                pool: out.pool,
            };
            if below.step(wire, &mut keep)?.is_none() {
                return Ok(None);
            }
            return self.draw(out).map(Some);
        }
        match self.conn.read_tls(wire) {
            // A record that is too long, or what follows the close_notify.
            Ok(0) => match self.closed {
                true => *wire = &[],
                false => return Err(TlsFailure::Misbehaved),
            },
            Ok(_) => {}
            Err(e) if e.kind() == io::ErrorKind::Other => return Ok(None),
            Err(_) => return Err(TlsFailure::Misbehaved),
        }
        self.process(out).map(Some)
    }

    /// What the plaintext of the session below says.
    fn draw(&mut self, out: &mut Fed<'_>) -> Result<usize, TlsFailure> {
        let mut got = 0;
        while let Some(below) = self.below.as_mut().filter(|below| below.waiting > 0) {
            let mut reader = below.conn.reader();
            let Ok(mut chunk) = reader.fill_buf() else {
                break;
            };
            match self.conn.read_tls(&mut chunk) {
                Ok(n) if n > 0 => {
                    reader.consume(n);
                    below.waiting -= n;
                }
                // Closed, or full until there is room.
                _ => break,
            }
            got += self.process(out)?;
        }
        Ok(got)
    }

    fn process(&mut self, out: &mut Fed<'_>) -> Result<usize, TlsFailure> {
        match asking(&mut self.asker, || self.conn.process_new_packets()) {
            Ok(state) => {
                self.waiting = state.plaintext_bytes_to_read();
                self.closed |= state.peer_has_closed();
                Ok(self.deliver(out))
            }
            Err(error) => {
                log::debug!("TLS: {error}");
                let finer = self.aside.as_ref().and_then(|aside| aside.take_finer());
                Err(finer.unwrap_or_else(|| failure(&error)))
            }
        }
    }

    fn deliver(&mut self, out: &mut Fed<'_>) -> usize {
        let mut got = 0;
        while self.waiting > 0 && out.room > 0 {
            let most = self.waiting.min(out.room);
            let mut reader = self.conn.reader();
            let read = match &mut out.rx {
                Some(rx) => {
                    let read = reader.read(rx.space(most, out.pool)).unwrap_or(0);
                    rx.filled(read);
                    read
                }
                None => {
                    let read = reader.fill_buf().map_or(0, <[u8]>::len).min(most);
                    reader.consume(read);
                    read
                }
            };
            if read == 0 {
                debug_assert!(false, "rustls keeps what it says");
                self.waiting = 0;
            }
            self.waiting -= read.min(self.waiting);
            out.room -= read;
            got += read;
        }
        got
    }

    /// Queues what reading has produced and rustls holds back until the next data: the answer to
    /// a KeyUpdate (RFC 8446 §4.6.3). Not while ciphertext waits, or a peer that does not read
    /// could have us queue without end.
    pub(in crate::link) fn answer(&mut self) {
        if self.failed.is_none() && !self.bye && !self.conn.wants_write() && !self.handshaking() {
            // Nothing is queued by writing nothing but the answer.
            let _ = self.conn.writer().write(&[]);
        }
        if let Some(below) = &mut self.below {
            below.answer();
        }
    }
}

/// Writing.
impl Session {
    /// Encrypts a piece at the front of `data`; gives its length, 0 when keys are used up. The
    /// caller has written everything before, so that not more than a piece is ever in here.
    pub(in crate::link) fn encrypt(&mut self, data: &[u8]) -> usize {
        let piece = &data[..data.len().min(PIECE)];
        let taken = self.conn.writer().write(piece).unwrap_or(0);
        self.flight += taken;
        taken
    }

    /// Writes to the wire what there is. 0 when the system takes nothing now.
    pub(in crate::link) fn write(
        &mut self,
        sid: Sid,
        net: &mut dyn Net,
    ) -> Result<usize, NetError> {
        let Some(mut below) = self.below.take() else {
            return self.write_wire(sid, net);
        };
        let written = self.write_below(&mut below, sid, net);
        self.below = Some(below);
        written
    }

    fn write_wire(&mut self, sid: Sid, net: &mut dyn Net) -> Result<usize, NetError> {
        if !self.before.is_empty() {
            let n = net.write(sid, self.before.data())?;
            self.before.consume(n);
            return Ok(n);
        }
        let mut wire = Wire {
            sid,
            net,
            error: None,
        };
        match self.conn.write_tls(&mut wire) {
            Ok(n) => Ok(n),
            Err(_) => wire.error.map_or(Ok(0), Err),
        }
    }

    fn write_below(
        &mut self,
        below: &mut Self,
        sid: Sid,
        net: &mut dyn Net,
    ) -> Result<usize, NetError> {
        let mut total = 0;
        loop {
            while below.wants_write() {
                match below.write(sid, net)? {
                    0 => return Ok(total),
                    n => total += n,
                }
            }
            below.flight = 0;
            let moved = if self.before.is_empty() {
                self.conn.write_tls(&mut below.conn.writer()).unwrap_or(0)
            } else {
                let moved = below.encrypt(self.before.data());
                self.before.consume(moved);
                moved
            };
            if moved == 0 {
                return Ok(total);
            }
        }
    }

    /// Everything was written: gives how many bytes of the user's those were.
    pub(in crate::link) fn landed(&mut self) -> usize {
        std::mem::take(&mut self.flight)
    }

    /// Queues the close_notify, of the sessions below once that of this one is written. True when
    /// none is missing.
    pub(in crate::link) fn farewell(&mut self) -> bool {
        if !self.bye {
            self.bye = true;
            self.conn.send_close_notify();
        }
        let own = self.conn.wants_write() || !self.before.is_empty();
        match &mut self.below {
            None => true,
            Some(below) => !own && below.farewell(),
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.info() {
            Some(info) => info.fmt(f),
            None => f.write_str("handshaking"),
        }
    }
}

/// The wire as rustls wants it.
struct Wire<'a> {
    sid: Sid,
    net: &'a mut dyn Net,
    error: Option<NetError>,
}

impl Wire<'_> {
    fn result(&mut self, written: Result<usize, NetError>) -> io::Result<usize> {
        match written {
            Ok(0) => Err(io::ErrorKind::WouldBlock.into()),
            Ok(n) => Ok(n),
            Err(why) => {
                self.error = Some(why);
                Err(io::ErrorKind::ConnectionAborted.into())
            }
        }
    }
}

impl Write for Wire<'_> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let written = self.net.write(self.sid, data);
        self.result(written)
    }

    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        let written = match pieces {
            [one] => self.net.write(self.sid, one),
            all => self.net.write_vectored(self.sid, all),
        };
        self.result(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Plaintext encrypted at a time: four full records.
const PIECE: usize = 64 * 1024;

/// Bytes that make a handshake count as started: no ClientHello is shorter, and none of those who
/// drip take a place in the limit.
const STARTED: usize = 64;
