//! The operating system's network. Read `table.rs` first: it holds what the rest works on.
//!
//! Readiness is told by edges, through one registration a socket, and kept as flags that are
//! hints: a read without the flag makes no system call, a read that comes back short clears the
//! flag, because the next byte will tell of itself by a new edge. The exception is a stream whose
//! end was announced (`READ_CLOSED`): no edge follows, so its flag stays until the end is read,
//! and a short read marks it.
//!
//! A Unix stream is registered for reading only until a write first finds no room; the reason is
//! at [`Socket::hears_room`](socket::Socket::hears_room).

mod adopt;
mod bells;
mod datagram;
mod entropy;
mod event;
mod names;
mod open;
mod resolver;
mod socket;
mod table;
#[cfg(unix)]
mod unix;
#[cfg(unix)]
mod wait;

use std::io::{self, ErrorKind, IoSlice};
#[cfg(unix)]
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use ::mio::{Events, Poll, Registry, Waker};

pub use self::adopt::StdSocket;
use self::bells::Bells;
use self::datagram::SendError;
use self::entropy::Entropy;
use self::event::{WAKER, readiness, sid_of, token};
use self::names::Names;
pub use self::resolver::ResolverOptions;
use self::socket::Socket;
use self::table::{
    CONNECTING, Entry, HEARS_ROOM, LISTENING, ONE_PEER, READ_CLOSED, READABLE, Table, WRITABLE,
};
use super::{
    Bell, ConnectOptions, Datagram, DatagramOptions, Endpoint, Group, Interrupt, ListenOptions,
    Lookup, Loose, Net, NetError, NetStats, Owner, Shutdown, Sid, SocketOption,
};
use crate::tyme::{Clock, SystemClock, Tyme};

/// The operating system's sockets, clock and entropy behind [`Net`].
///
/// Sockets are nonblocking, closed on exec, and polled by edges. No
/// operation blocks but [`poll`](Net::poll), no write raises SIGPIPE, and nothing is allocated in
/// a poll, a read or a write once the net has grown to its load. Dropping the net closes
/// everything and removes the files of its Unix listeners and datagram sockets.
///
/// # Precision
/// A wait ends at the system's next whole millisecond (epoll counts in those), never early; who
/// needs it finer gives it [something to wait by](Self::with_waiter). One poll takes at most 1024
/// events; the next one brings the others.
///
/// ```
/// use hio::net::{ConnectOptions, Endpoint, ListenOptions, MioNet, Net, Owner};
/// let mut net = MioNet::new()?;
/// let group = net.group(Owner::NONE);
/// let listener = net.listen(group, &Endpoint::host("127.0.0.1", 0), &ListenOptions::default())?;
/// let at = net.local(listener)?;
/// let client = net.connect(group, &at, &ConnectOptions::default())?;
/// while !net.connected(client)? {
///     let soon = net.now() + std::time::Duration::from_secs(1);
///     net.poll(soon)?;
/// }
/// assert_eq!(net.write(client, b"hello")?, 5);
/// # Ok::<(), hio::net::NetError>(())
/// ```
#[derive(Debug)]
pub struct MioNet {
    poll: Poll,
    events: Events,
    table: Table,
    clock: SystemClock,
    entropy: Entropy,
    names: Names,
    polls: u64,
    heard: u64,
    waker: Arc<Waker>,
    bells: Bells,
    /// What waits in place of the poll.
    #[cfg(unix)]
    waiter: Option<wait::Waiter>,
    /// What a listener's connections must be given when they are accepted, for listeners whose
    /// connections do not inherit it.
    handed_down: Vec<(Sid, ListenOptions)>,
    /// Where datagrams are received before they are cut.
    scratch: Vec<u8>,
    /// The files of open Unix listeners and datagram sockets.
    #[cfg(unix)]
    files: Vec<(Sid, unix::BoundFile)>,
}

impl MioNet {
    /// A net without sockets, whose clock begins now.
    ///
    /// # Errors
    /// The system has no descriptor left to poll with.
    pub fn new() -> Result<Self, NetError> {
        let poll = Poll::new()?;
        // Made at once, as a poll takes one only, and later there may be no descriptor for it.
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        Ok(Self {
            poll,
            events: Events::with_capacity(EVENTS_MAX),
            table: Table::default(),
            clock: SystemClock::new(),
            entropy: Entropy::default(),
            names: Names::default(),
            polls: 0,
            heard: 0,
            bells: Bells::new(&waker),
            waker,
            #[cfg(unix)]
            waiter: None,
            handed_down: Vec::new(),
            scratch: Vec::new(),
            #[cfg(unix)]
            files: Vec::new(),
        })
    }

    /// Takes an open socket of the standard library, or another descriptor, into a group and makes
    /// it nonblocking.
    ///
    /// For sockets that a supervisor handed over, for socket pairs, for pipes, timers, serial lines
    /// and whatever else a doer is to serve ([`StdSocket::Descriptor`]). A stream must be connected. Options stay as they are; the file of an adopted
    /// Unix socket is left alone when it is closed.
    ///
    /// # Errors
    /// [`NetError::Stale`] when the group is closed, or the system refuses.
    pub fn adopt(&mut self, group: Group, socket: impl Into<StdSocket>) -> Result<Sid, NetError> {
        let socket = socket.into().nonblocking()?;
        let flags = match () {
            // Of these nobody knows whether a short read is the last one.
            () if socket.is_descriptor() => WRITABLE | READ_CLOSED,
            () if socket.is_listener() => LISTENING,
            () if socket.is_datagram() && socket.peer().is_ok() => WRITABLE | ONE_PEER,
            () => WRITABLE,
        };
        self.admit(group, socket, flags)
    }

    /// The descriptor of an open socket, to look at it or to set what [`SocketOption`] lacks.
    #[cfg(unix)]
    #[must_use]
    pub fn fd(&self, sid: Sid) -> Option<std::os::fd::BorrowedFd<'_>> {
        Some(self.table.get(sid).ok()?.socket.fd())
    }

    /// Registers a socket and takes it in. A socket that is refused is closed.
    fn admit(&mut self, group: Group, mut socket: Socket, flags: u8) -> Result<Sid, NetError> {
        self.table.check_group(group)?;
        let sid = self.table.next_sid()?;
        socket.register(self.poll.registry(), token(sid))?;
        let hears_room = if socket.hears_room() { HEARS_ROOM } else { 0 };
        self.table.insert(sid, group, socket, flags | hears_room);
        Ok(sid)
    }

    /// Waits by what was given for it, if anything, and takes what is ready.
    #[inline]
    fn wait_for(&mut self, wait: Option<Duration>) -> io::Result<()> {
        #[cfg(unix)]
        if let Some(waiter) = &mut self.waiter {
            if wait != Some(Duration::ZERO) {
                waiter.wait(self.poll.registry().as_fd(), wait)?;
            }
            return self.poll.poll(&mut self.events, Some(Duration::ZERO));
        }
        self.poll.poll(&mut self.events, wait)
    }

    /// How long to wait: `None` for ever, rounded up by the system.
    fn wait(&mut self, until: Tyme) -> Option<Duration> {
        match until {
            Tyme::ZERO => Some(Duration::ZERO),
            Tyme::NEVER => None,
            _ => Some(until.since(self.clock.now()).min(WAIT_MAX)),
        }
    }

    #[cfg(unix)]
    fn listen_unix(
        &mut self,
        group: Group,
        path: &std::path::Path,
        options: &ListenOptions,
    ) -> Result<Sid, NetError> {
        let (listener, file) = unix::listen(path, options)?;
        let admitted = self.admit(group, Socket::UnixListener(listener), LISTENING);
        match (admitted, file) {
            (Ok(sid), Some(file)) => self.files.push((sid, file)),
            (Err(_), Some(file)) => file.remove(),
            (_, None) => {}
        }
        if let Ok(sid) = admitted {
            // Unlike TCP's, Unix connections have buffers of their own from the start.
            let buffers = options.send_buffer > 0 || options.recv_buffer > 0;
            if buffers || !open::INHERITED {
                self.handed_down.push((sid, options.clone()));
            }
        }
        admitted
    }

    /// Removes the file of a Unix socket that was bound here.
    #[cfg(unix)]
    fn remove_file_of(&mut self, sid: Sid) {
        if let Some(at) = self.files.iter().position(|(bound, _)| *bound == sid) {
            self.files.swap_remove(at).1.remove();
        }
    }

    fn listen_tcp(
        &mut self,
        group: Group,
        at: std::net::SocketAddr,
        options: &ListenOptions,
    ) -> Result<Sid, NetError> {
        let listener = open::listen_tcp(at, options)?;
        let sid = self.admit(group, Socket::TcpListener(listener), LISTENING)?;
        if !open::INHERITED {
            self.handed_down.push((sid, options.clone()));
        }
        Ok(sid)
    }
}

/// What is out of the ordinary, kept out of the path of every message.
impl MioNet {
    /// A read that found the end or nothing, is not the last one, or failed.
    #[cold]
    fn read_rarely(&mut self, sid: Sid, got: io::Result<usize>) -> Result<Option<usize>, NetError> {
        match got {
            Ok(0) => Ok(Some(0)),
            Ok(n) => {
                // More will be read, and no edge tells of it.
                self.table.mark(sid);
                Ok(Some(n))
            }
            Err(e) => match e.kind() {
                ErrorKind::WouldBlock => {
                    self.table.get_mut(sid)?.clear(READABLE);
                    Ok(None)
                }
                // The next turn will do.
                ErrorKind::Interrupted => {
                    self.table.mark(sid);
                    Ok(None)
                }
                _ => Err(e.into()),
            },
        }
    }

    /// A write that was not taken as a whole, or failed.
    #[cold]
    fn write_rarely(&mut self, sid: Sid, took: io::Result<usize>) -> Result<usize, NetError> {
        let entry = self.table.get_mut(sid)?;
        match took {
            Ok(n) => {
                if SHORT_IS_LAST && await_room(entry, self.poll.registry(), sid).is_err() {
                    // Nothing will tell of room, so whoever writes is to try again.
                    self.table.mark(sid);
                }
                Ok(n)
            }
            Err(e) => match e.kind() {
                ErrorKind::WouldBlock => {
                    await_room(entry, self.poll.registry(), sid)?;
                    Ok(0)
                }
                // The next turn will do.
                ErrorKind::Interrupted => {
                    self.table.mark(sid);
                    Ok(0)
                }
                _ => Err(e.into()),
            },
        }
    }
}

impl Net for MioNet {
    fn now(&mut self) -> Tyme {
        self.clock.now()
    }

    fn wall(&mut self) -> Duration {
        self.clock.wall()
    }

    fn entropy(&mut self, out: &mut [u8]) {
        self.entropy.fill(out);
    }

    fn poll(&mut self, until: Tyme) -> Result<(), NetError> {
        let wait = self.wait(until);
        self.polls += 1;
        match self.wait_for(wait) {
            // A signal: whoever polls looks whether it is to stop.
            Err(e) if e.kind() == ErrorKind::Interrupted => return Ok(()),
            other => other?,
        }
        let mut interrupted = false;
        for event in &self.events {
            self.heard += 1;
            match sid_of(&self.table, event.token()) {
                Some(sid) => self.table.heard(sid, readiness(event), false),
                None => interrupted = true,
            }
        }
        if interrupted {
            self.collect_answers();
            for group in self.bells.take() {
                self.table.mark_group(group);
            }
        }
        Ok(())
    }

    fn woken(&mut self, out: &mut Vec<Owner>) {
        self.table.woken(out);
    }

    fn group(&mut self, owner: Owner) -> Group {
        self.table.open_group(owner)
    }

    fn set_owner(&mut self, group: Group, owner: Owner) {
        self.table.set_owner(group, owner);
    }

    /// Looks at every socket of the net once.
    fn close_group(&mut self, group: Group) {
        for sid in self.table.members(group) {
            self.close(sid);
        }
        self.names.forget_group(group);
        self.table.remove_group(group);
    }

    fn ready(&mut self, group: Group, out: &mut Vec<Sid>) {
        self.table.ready(group, out);
    }

    fn mark(&mut self, sid: Sid) {
        self.table.mark_again(sid);
    }

    fn listen(
        &mut self,
        group: Group,
        at: &Endpoint,
        options: &ListenOptions,
    ) -> Result<Sid, NetError> {
        self.table.check_group(group)?;
        match at {
            Endpoint::Tcp(addr) => self.listen_tcp(group, *addr, options),
            #[cfg(unix)]
            Endpoint::Unix(path) => self.listen_unix(group, path, options),
            #[cfg(not(unix))]
            Endpoint::Unix(_) => Err(NetError::Unsupported),
            Endpoint::Name(..) => Err(NetError::Unresolvable),
            Endpoint::Udp(_) | Endpoint::UnixDatagram(_) | Endpoint::Unnamed => {
                Err(NetError::Invalid)
            }
        }
    }

    fn accept(&mut self, listener: Sid) -> Result<Option<(Sid, Endpoint)>, NetError> {
        let entry = self.table.get_mut(listener)?;
        if !entry.is(LISTENING) {
            return Err(NetError::Invalid);
        }
        if !entry.is(READABLE) {
            return Ok(None);
        }
        for _ in 0..DEAD_MAX {
            match entry.socket.accept() {
                Ok((socket, peer)) => {
                    let options = self.handed_down.iter().find(|(sid, _)| *sid == listener);
                    if options.is_some_and(|(_, o)| open::hand_down(&socket, o).is_err()) {
                        // Only a connection that broke meanwhile refuses its options.
                        continue;
                    }
                    let group = self.table.group_of(self.table.get(listener)?);
                    return Ok(Some((self.admit(group, socket, WRITABLE)?, peer)));
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => {
                    entry.clear(READABLE);
                    return Ok(None);
                }
                Err(e) if died_waiting(&e) => {}
                // The flag stays: no edge tells of those who wait already.
                Err(e) => return Err(e.into()),
            }
        }
        Err(NetError::Aborted)
    }

    fn connect(
        &mut self,
        group: Group,
        to: &Endpoint,
        options: &ConnectOptions,
    ) -> Result<Sid, NetError> {
        self.table.check_group(group)?;
        match to {
            Endpoint::Tcp(addr) => {
                let stream = open::connect_tcp(*addr, options)?;
                self.admit(group, Socket::TcpStream(stream), CONNECTING)
            }
            #[cfg(unix)]
            Endpoint::Unix(path) => {
                let stream = unix::connect(path, options)?;
                let sid = self.admit(group, Socket::UnixStream(stream), WRITABLE)?;
                // It stands already; no event tells of it.
                self.table.mark(sid);
                Ok(sid)
            }
            #[cfg(not(unix))]
            Endpoint::Unix(_) => Err(NetError::Unsupported),
            Endpoint::Name(..) => Err(NetError::Unresolvable),
            Endpoint::Udp(_) | Endpoint::UnixDatagram(_) | Endpoint::Unnamed => {
                Err(NetError::Invalid)
            }
        }
    }

    fn connected(&mut self, sid: Sid) -> Result<bool, NetError> {
        let entry = self.table.get_mut(sid)?;
        if !entry.socket.is_stream() {
            return Err(NetError::Invalid);
        }
        if !entry.is(CONNECTING) {
            return Ok(true);
        }
        if !entry.is(WRITABLE) {
            return Ok(false);
        }
        if entry.socket.peer().is_ok() {
            entry.clear(CONNECTING);
            // What came with the answer was marked while it could not be read.
            if entry.is(READABLE) {
                self.table.mark(sid);
            }
            return Ok(true);
        }
        if let Some(e) = entry.socket.options().take_error()? {
            return Err(e.into());
        }
        if entry.is(READ_CLOSED) {
            return Err(NetError::NotConnected);
        }
        entry.clear(WRITABLE);
        Ok(false)
    }

    fn read(&mut self, sid: Sid, buf: &mut [u8]) -> Result<Option<usize>, NetError> {
        let entry = self.table.get_mut(sid)?;
        if entry.flags & (READABLE | CONNECTING | LISTENING) != READABLE || buf.is_empty() {
            return not_now(&entry.socket).map(|()| None);
        }
        match entry.socket.read(buf) {
            Ok(n) if n == buf.len() => Ok(Some(n)),
            Ok(n) if n > 0 && SHORT_IS_LAST && !entry.is(READ_CLOSED) => {
                entry.clear(READABLE);
                Ok(Some(n))
            }
            rare => self.read_rarely(sid, rare),
        }
    }

    fn write(&mut self, sid: Sid, data: &[u8]) -> Result<usize, NetError> {
        let entry = self.table.get_mut(sid)?;
        if entry.flags & (WRITABLE | CONNECTING | LISTENING) != WRITABLE || data.is_empty() {
            return not_now(&entry.socket).map(|()| 0);
        }
        match entry.socket.write(data) {
            Ok(n) if n == data.len() => Ok(n),
            rare => self.write_rarely(sid, rare),
        }
    }

    fn write_vectored(&mut self, sid: Sid, pieces: &[IoSlice<'_>]) -> Result<usize, NetError> {
        let entry = self.table.get_mut(sid)?;
        let len: usize = pieces.iter().map(|piece| piece.len()).sum();
        if entry.flags & (WRITABLE | CONNECTING | LISTENING) != WRITABLE || len == 0 {
            return not_now(&entry.socket).map(|()| 0);
        }
        match entry.socket.write_vectored(pieces) {
            Ok(n) if n == len => Ok(n),
            rare => self.write_rarely(sid, rare),
        }
    }

    fn shutdown(&mut self, sid: Sid, how: Shutdown) -> Result<(), NetError> {
        #[cfg(unix)]
        if let (Socket::UnixListener(_), Shutdown::Receive) = (&self.table.get(sid)?.socket, how) {
            self.remove_file_of(sid);
            return Ok(());
        }
        Ok(self.table.get(sid)?.socket.shutdown(how)?)
    }

    /// A Unix socket's file goes first, while its inode still tells that it is ours.
    fn close(&mut self, sid: Sid) {
        let Some(socket) = self.table.remove(sid) else {
            return;
        };
        if !socket.is_stream() {
            self.handed_down.retain(|(listener, _)| *listener != sid);
            #[cfg(unix)]
            self.remove_file_of(sid);
        }
        socket.forget(self.poll.registry());
    }

    /// Where the system has no room, a mark tells of it; but not of room at the end of a Unix
    /// socket that is not connected to it.
    fn bind(
        &mut self,
        group: Group,
        at: &Endpoint,
        options: &DatagramOptions,
    ) -> Result<Sid, NetError> {
        self.table.check_group(group)?;
        let bound = datagram::bind(at, options)?;
        let flags = if bound.connected { ONE_PEER } else { 0 };
        let admitted = self.admit(group, bound.socket, WRITABLE | flags);
        #[cfg(unix)]
        match (admitted, bound.file) {
            (Ok(sid), Some(file)) => self.files.push((sid, file)),
            (Err(_), Some(file)) => file.remove(),
            (_, None) => {}
        }
        admitted
    }

    fn recv_from(&mut self, sid: Sid, buf: &mut [u8]) -> Result<Option<Datagram>, NetError> {
        let entry = self.table.get_mut(sid)?;
        if !entry.socket.is_datagram() {
            return Err(NetError::Invalid);
        }
        if !entry.is(READABLE) {
            return Ok(None);
        }
        match datagram::recv(&entry.socket, buf, &mut self.scratch) {
            Ok((len, from, truncated)) => Ok(Some(Datagram {
                len,
                from,
                truncated,
            })),
            Err(e) if e.kind() == ErrorKind::WouldBlock => {
                entry.clear(READABLE);
                Ok(None)
            }
            Err(e) if e.kind() == ErrorKind::Interrupted => {
                self.table.mark(sid); // the next turn will do
                Ok(None)
            }
            Err(e) => Err(datagram::error(&e)),
        }
    }

    fn send_to(&mut self, sid: Sid, data: &[u8], to: Option<&Endpoint>) -> Result<bool, NetError> {
        let entry = self.table.get_mut(sid)?;
        match (entry.socket.is_datagram(), entry.is(ONE_PEER), to) {
            (false, ..) | (_, true, Some(_)) => return Err(NetError::Invalid),
            (_, false, None) => return Err(NetError::NotConnected),
            _ if !entry.is(WRITABLE) => return Ok(false),
            _ => {}
        }
        let e = match datagram::send(&entry.socket, data, to) {
            Ok(()) => return Ok(true),
            Err(SendError::Ours(why)) => return Err(why),
            Err(SendError::System(e)) => e,
        };
        match e.kind() {
            // The other end's queue is full, and no edge tells of its room: others may have some.
            ErrorKind::WouldBlock if matches!(to, Some(Endpoint::UnixDatagram(_))) => Ok(false),
            ErrorKind::WouldBlock => {
                await_room(entry, self.poll.registry(), sid)?;
                Ok(false)
            }
            ErrorKind::Interrupted => {
                self.table.mark(sid); // the next turn will do
                Ok(false)
            }
            _ => Err(datagram::error(&e)),
        }
    }

    /// Knows literal addresses, the names that [`MioNet::add_name`] gave, and `localhost`. Other
    /// names are looked up if [`MioNet::start_resolver`] was called, else they fail.
    ///
    /// [`NetError::Invalid`] is for names that cannot be: longer than 253 bytes, or with a part of
    /// none or more than 63. [`NetError::Exhausted`] is for more names at once than are allowed.
    fn resolve(&mut self, group: Group, name: &str) -> Lookup {
        if let Err(why) = self.table.check_group(group) {
            return Lookup::Failed(why);
        }
        self.collect_answers();
        let tyme = self.clock.now();
        self.names.resolve(group, name, tyme)
    }

    fn adopt(&mut self, group: Group, socket: StdSocket) -> Result<Sid, NetError> {
        Self::adopt(self, group, socket)
    }

    fn let_go(&mut self, sid: Sid) -> Result<Loose, NetError> {
        let entry = self.table.get_mut(sid)?;
        if !entry.socket.is_stream() || entry.is(CONNECTING) {
            return Err(NetError::Invalid);
        }
        entry.socket.deregister(self.poll.registry())?;
        let socket = self.table.remove(sid).ok_or(NetError::Stale)?;
        socket
            .into_std()
            .map(Loose::system)
            .ok_or(NetError::Invalid)
    }

    fn take_in(&mut self, group: Group, loose: Loose) -> Result<Sid, NetError> {
        let socket = loose.into_system().ok_or(NetError::Unsupported)?;
        Self::adopt(self, group, socket)
    }

    fn hang(&mut self, group: Group, bell: &Bell) -> Result<(), NetError> {
        self.table.check_group(group)?;
        self.bells.hang(group, bell);
        self.table.mark_group(group);
        Ok(())
    }

    fn local(&self, sid: Sid) -> Result<Endpoint, NetError> {
        Ok(self.table.get(sid)?.socket.local()?)
    }

    fn peer(&self, sid: Sid) -> Result<Endpoint, NetError> {
        Ok(self.table.get(sid)?.socket.peer()?)
    }

    fn buffer_sizes(&self, sid: Sid) -> Result<(usize, usize), NetError> {
        let socket = self.table.get(sid)?.socket.options();
        Ok((socket.send_buffer_size()?, socket.recv_buffer_size()?))
    }

    fn set_option(&mut self, sid: Sid, option: SocketOption) -> Result<(), NetError> {
        open::set_option(&self.table.get(sid)?.socket, option)
    }

    fn stats(&self) -> NetStats {
        NetStats {
            polls: self.polls,
            events: self.heard,
            names: self.names.stats(),
            ..self.table.stats()
        }
    }

    fn interrupt(&mut self) -> Option<Interrupt> {
        let waker = Arc::clone(&self.waker);
        // A waker that fails has no poll left to end.
        Some(Interrupt::new(move || drop(waker.wake())))
    }

    #[cfg(unix)]
    fn descriptor(&self, sid: Sid) -> Option<std::os::fd::RawFd> {
        use std::os::fd::AsRawFd;
        Some(self.table.get(sid).ok()?.socket.fd().as_raw_fd())
    }

    #[cfg(unix)]
    fn poll_fd(&self) -> Option<std::os::fd::RawFd> {
        use std::os::fd::AsRawFd;
        Some(self.poll.as_raw_fd())
    }
}

#[cfg(unix)]
impl Drop for MioNet {
    fn drop(&mut self) {
        for (_, file) in &self.files {
            file.remove();
        }
    }
}

/// Notes that a write found no room, and sees to it that room is told of.
fn await_room(entry: &mut Entry, registry: &Registry, sid: Sid) -> io::Result<()> {
    if !entry.is(HEARS_ROOM) {
        entry.socket.hear_room(registry, token(sid))?;
        entry.flags |= HEARS_ROOM;
    }
    entry.clear(WRITABLE);
    Ok(())
}

/// Why nothing can be read or written: a stream cannot yet, others never.
const fn not_now(socket: &Socket) -> Result<(), NetError> {
    if socket.is_stream() {
        Ok(())
    } else {
        Err(NetError::Invalid)
    }
}

/// Whether an error of `accept` is about one connection that died while it waited, or none at
/// all, and the next may be well. The codes are EPROTO, ENOPROTOOPT, EHOSTDOWN, ENONET and
/// EOPNOTSUPP, which Linux passes on from the connection (accept(2)).
fn died_waiting(e: &io::Error) -> bool {
    use ErrorKind as K;
    const LINUX: [i32; 5] = [71, 92, 112, 64, 95];
    let of_linux = cfg!(any(target_os = "linux", target_os = "android"));
    match e.kind() {
        K::Interrupted | K::ConnectionAborted | K::ConnectionReset | K::TimedOut => true,
        K::HostUnreachable | K::NetworkUnreachable | K::NetworkDown => true,
        // A firewall's rule.
        K::PermissionDenied => true,
        _ => of_linux && e.raw_os_error().is_some_and(|code| LINUX.contains(&code)),
    }
}

/// Whether a short read or write means that a new edge will tell of more: so with epoll and
/// kqueue. Elsewhere only an operation that would block arms the next event.
const SHORT_IS_LAST: bool = cfg!(any(
    target_os = "linux",
    target_os = "android",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd",
    target_os = "dragonfly",
    target_vendor = "apple",
));
/// Events that one poll takes.
const EVENTS_MAX: usize = 1024;
/// Longest single wait; polls may return early.
const WAIT_MAX: Duration = Duration::from_secs(3600);
/// Dead connections that one accept passes over before it gives up for now.
const DEAD_MAX: usize = 64;
