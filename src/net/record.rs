//! Recording a run. Read `record/log.rs` for the file, `record/codec.rs` for what is in it.

mod block;
mod bytes;
mod codec;
mod general;
mod head;
mod log;
mod op;
mod reader;
mod repeat;

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;
use std::io::{self, IoSlice, Write};
use std::net::IpAddr;
use std::time::Duration;

pub(super) use self::block::Block;
pub(super) use self::codec::State;
use self::log::{FLIGHT, Header, Log, SIMULATED};
pub(super) use self::op::{Answer, Kind, Op, Open, digest};
pub(super) use self::reader::Entry;
pub use self::reader::{RecordedRun, RecordingError};
use super::{
    ConnectOptions, Datagram, DatagramOptions, Endpoint, Group, Layer, ListenOptions, Lookup,
    Loose, Net, NetError, Owner, Probe, Shutdown, Sid, SocketOption, StdSocket, Tape, TraceHash,
};
use crate::tyme::Tyme;

/// Records what enters a run through the net below: a layer over any net.
///
/// Everything that the program was told is in the recording, whole; of what it wrote only a hash.
/// So a [`Replay`](super::Replay) can run the same program again, without sockets, and names the
/// first thing that the program does otherwise. Put it on top of all other layers.
///
/// **A recording holds what peers sent, and with a [`Tape`] the secrets of TLS.** Keep it as safe
/// as the keys.
///
/// # What it costs
/// An operation takes a few bytes, a turn of an idle loop none; nothing is allocated once the
/// buffers have grown. It is written in blocks of 64 KiB, or at the next look at the clock when a
/// second has passed; what was not written is lost when the process is killed. Writing blocks as
/// the file does. When it fails, as on a full disk, the recording ends, the run goes on, and
/// [`failure`](Self::failure) tells why.
///
/// Dropping it writes the end, as [`finish`](Self::finish) does.
///
/// ```
/// use hio::net::{MioNet, Net, Record, RecordedRun, Replay};
/// use std::fs::File;
///
/// let path = std::env::temp_dir().join(format!("hio-doc-{}.rec", std::process::id()));
/// let mut net = Record::new(MioNet::new()?, File::create(&path)?, "two looks at the clock");
/// let seen = [net.now(), net.now()];
/// let recorded = net.finish();
///
/// let mut replay = Replay::new(RecordedRun::open(File::open(&path)?)?)?;
/// assert_eq!([replay.now(), replay.now()], seen);
/// assert_eq!(replay.hash(), recorded.hash);
/// # std::fs::remove_file(path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Record<N> {
    net: N,
    /// Looking at a socket's address needs no `&mut`, and is recorded too.
    log: RefCell<Log>,
    saving: Option<Saving>,
}

type Saving = Box<dyn FnMut() -> io::Result<Box<dyn Write + Send>> + Send>;

/// What became of a recording.
#[derive(Debug)]
pub struct Recorded {
    /// Over all that was recorded; a replay comes to the same.
    pub hash: TraceHash,
    /// Bytes that were written; 0 for a flight recorder.
    pub bytes: u64,
    /// Operations that were not recorded any more, and entries of the tape that were dropped. If
    /// there are any, a replay ends where they began.
    pub lost: u64,
    /// Why it ended early.
    pub failure: Option<io::Error>,
}

impl<N: Net> Record<N> {
    /// Records into a file, or whatever it is. `about` is for whoever replays it: how to build the
    /// program again. It has at most 64 KiB; what is longer is cut.
    ///
    /// It writes in large pieces: a buffer of the file's own is of no use.
    pub fn new(net: N, to: impl Write + Send + 'static, about: &str) -> Self {
        let header = Header {
            flags: flags(&net),
            about,
        };
        let log = Log::to_file(Box::new(to), header);
        Self::with(net, log)
    }

    /// A flight recorder: keeps the last part of a run in memory, at most about so many bytes and
    /// a block of an eighth of them, until [`dump`](Self::dump) or [`saving`](Self::saving) writes
    /// it.
    ///
    /// It answers what happened before a fault: [`RecordedRun::next_line`] lists it. It cannot be
    /// replayed once its beginning was dropped, because the state of the program in the middle of
    /// a run is known to nobody.
    ///
    /// ```
    /// use hio::net::{Net, NullNet, Record, RecordedRun};
    /// use hio::tyme::Tyme;
    /// let mut net = Record::flight(NullNet::default(), 4096, "ticking");
    /// for n in 0..100_000 {
    ///     net.poll(Tyme::from_nanos(n * n))?;
    /// }
    /// let mut dump = Vec::new();
    /// net.dump(&mut dump)?;
    /// assert!(dump.len() < 5000);
    /// let mut recording = RecordedRun::open(std::io::Cursor::new(dump))?;
    /// assert!(recording.next_line()?.unwrap().contains("poll until"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn flight(net: N, bytes: usize, about: &str) -> Self {
        let header = Header {
            flags: flags(&net) | FLIGHT,
            about,
        };
        let log = Log::to_ring(bytes, header);
        Self::with(net, log)
    }

    fn with(net: N, log: Log) -> Self {
        Self {
            net,
            log: RefCell::new(log),
            saving: None,
        }
    }

    /// Records what enters beside the net, too: see [`Tape`].
    #[must_use]
    pub fn with_tape(mut self, tape: &Tape) -> Self {
        self.log.get_mut().tape = Some(tape.clone());
        self
    }

    /// Lets a flight recorder write itself on a fault: when a check fails
    /// ([`Cx::always`](crate::doing::Cx::always)), and when it is dropped without
    /// [`finish`](Self::finish), as by a panic or an early return. The last fault's file stays.
    #[must_use]
    pub fn saving<W: Write + Send + 'static>(
        mut self,
        mut open: impl FnMut() -> io::Result<W> + Send + 'static,
    ) -> Self {
        self.saving = Some(Box::new(move || Ok(Box::new(open()?))));
        self
    }

    /// The net below.
    #[must_use]
    pub const fn net(&self) -> &N {
        &self.net
    }

    /// The net below. What is done to it so is not recorded: a replay does without.
    pub const fn net_mut(&mut self) -> &mut N {
        &mut self.net
    }
}

impl<N> Record<N> {
    /// The hash of all that was recorded so far.
    #[must_use]
    pub fn hash(&self) -> TraceHash {
        self.log.borrow().hash()
    }

    /// Why recording ended early, if it did: once.
    pub fn failure(&mut self) -> Option<io::Error> {
        self.log.get_mut().failure.take()
    }

    /// Writes what is still in memory.
    pub fn flush(&mut self) {
        self.log.get_mut().flush();
    }

    /// Ends the recording: what is still in memory is written, and its end. The net goes on
    /// unrecorded. A flight recorder writes nothing.
    pub fn finish(&mut self) -> Recorded {
        self.saving = None;
        let log = self.log.get_mut();
        log.finish();
        Recorded {
            hash: log.hash(),
            bytes: log.bytes,
            lost: log.lost + log.tape.as_ref().map_or(0, Tape::lost),
            failure: log.failure.take(),
        }
    }

    /// Writes what a flight recorder has. It goes on.
    ///
    /// # Errors
    /// Whatever writing gives; [`io::ErrorKind::Unsupported`] when this is no flight recorder.
    pub fn dump(&mut self, mut to: impl Write) -> io::Result<()> {
        self.log.get_mut().dump(&mut to)
    }

    /// A fault: a flight recorder with a place to write to writes itself.
    #[cold]
    fn save(&mut self) {
        let Some(open) = &mut self.saving else {
            return;
        };
        let log = self.log.get_mut();
        let saved = open().and_then(|mut to| log.dump(&mut to));
        if let Err(why) = saved {
            ::log::warn!("the flight recorder cannot write: {why}");
            log.failure = Some(why);
        }
    }
}

fn flags(net: &impl Net) -> u8 {
    if net.is_simulated() { SIMULATED } else { 0 }
}

impl<N> Drop for Record<N> {
    fn drop(&mut self) {
        if self.log.get_mut().is_flight() {
            self.save();
        } else {
            self.log.get_mut().finish();
        }
    }
}

impl<N: fmt::Debug> fmt::Debug for Record<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("net", &self.net)
            .field("log", &self.log)
            .finish_non_exhaustive()
    }
}

/// What an operation gave, as an entry has it.
fn answer<'a, T>(result: &Result<T, NetError>, ok: impl FnOnce(&T) -> Answer<'a>) -> Answer<'a> {
    match result {
        Ok(value) => ok(value),
        Err(why) => Answer::Error(*why),
    }
}

/// The pieces that a vectored write took.
pub(super) fn digest_pieces(pieces: &[IoSlice<'_>], taken: usize) -> u32 {
    let mut left = taken;
    let mut hash = 0u32;
    for piece in pieces {
        if left == 0 {
            break;
        }
        let part = &piece[..piece.len().min(left)];
        left -= part.len();
        hash = hash.rotate_left(7) ^ digest(part);
    }
    hash
}

/// What was taken of a write; 0 when nothing was.
pub(super) fn digest_taken(data: &[u8], taken: usize) -> u32 {
    match data.get(..taken) {
        None | Some([]) => 0,
        Some(part) => digest(part),
    }
}

/// How many bytes of a write were taken.
const fn taken<'a>(n: usize) -> Answer<'a> {
    match n {
        0 => Answer::NotYet,
        n => Answer::Count(n),
    }
}

pub(super) fn total(pieces: &[IoSlice<'_>]) -> usize {
    pieces.iter().map(|piece| piece.len()).sum()
}

/// An address and options as an entry has them.
pub(super) fn described(at: &Endpoint, options: &impl fmt::Debug) -> Cow<'static, str> {
    Cow::Owned(format!("{at} {options:?}"))
}

impl<N: Net> Record<N> {
    #[inline]
    fn log(&mut self, op: &Op<'_>, answer: &Answer<'_>) {
        self.log.get_mut().log(op, answer);
    }

    /// A socket that was opened.
    fn opened(
        &mut self,
        how: Open,
        group: Group,
        what: Cow<'_, str>,
        opened: Result<Sid, NetError>,
    ) -> Result<Sid, NetError> {
        let op = Op::Open { how, group, what };
        self.log(&op, &answer(&opened, |sid| Answer::Sid(*sid)));
        opened
    }
}

impl<N: Net> Layer for Record<N> {
    type Below = N;

    fn below(&self) -> &N {
        &self.net
    }

    fn below_mut(&mut self) -> &mut N {
        &mut self.net
    }

    fn now(&mut self) -> Tyme {
        let now = self.net.now();
        self.log.get_mut().now(now);
        now
    }

    fn wall(&mut self) -> Duration {
        let wall = self.net.wall();
        self.log(&Op::Wall, &Answer::Span(wall));
        wall
    }

    fn entropy(&mut self, out: &mut [u8]) {
        self.net.entropy(out);
        self.log(&Op::Entropy { len: out.len() }, &Answer::Bytes(out));
    }

    fn poll(&mut self, until: Tyme) -> Result<(), NetError> {
        let polled = self.net.poll(until);
        match polled {
            Ok(()) => self.log.get_mut().poll(until),
            Err(why) => self.log(&Op::Poll { until }, &Answer::Error(why)),
        }
        polled
    }

    fn woken(&mut self, out: &mut Vec<Owner>) {
        let start = out.len();
        self.net.woken(out);
        self.log.get_mut().woken(&out[start..]);
    }

    fn group(&mut self, owner: Owner) -> Group {
        let group = self.net.group(owner);
        self.log(&Op::Group { owner }, &Answer::Group(group));
        group
    }

    fn set_owner(&mut self, group: Group, owner: Owner) {
        self.net.set_owner(group, owner);
        self.log(&Op::SetOwner { group, owner }, &Answer::Done);
    }

    fn close_group(&mut self, group: Group) {
        self.net.close_group(group);
        self.log(&Op::CloseGroup { group }, &Answer::Done);
    }

    fn ready(&mut self, group: Group, out: &mut Vec<Sid>) {
        let start = out.len();
        self.net.ready(group, out);
        self.log.get_mut().ready(group, &out[start..]);
    }

    fn mark(&mut self, sid: Sid) {
        self.net.mark(sid);
        self.log(&Op::Mark { sid }, &Answer::Done);
    }

    fn listen(
        &mut self,
        group: Group,
        at: &Endpoint,
        options: &ListenOptions,
    ) -> Result<Sid, NetError> {
        let opened = self.net.listen(group, at, options);
        self.opened(Open::Listen, group, described(at, options), opened)
    }

    fn accept(&mut self, listener: Sid) -> Result<Option<(Sid, Endpoint)>, NetError> {
        let accepted = self.net.accept(listener);
        let answer = match &accepted {
            Ok(Some((sid, peer))) => Answer::Accepted(*sid, Cow::Borrowed(peer)),
            Ok(None) => Answer::NotYet,
            Err(why) => Answer::Error(*why),
        };
        self.log
            .get_mut()
            .log(&Op::Accept { sid: listener }, &answer);
        accepted
    }

    fn connect(
        &mut self,
        group: Group,
        to: &Endpoint,
        options: &ConnectOptions,
    ) -> Result<Sid, NetError> {
        let opened = self.net.connect(group, to, options);
        self.opened(Open::Connect, group, described(to, options), opened)
    }

    fn connected(&mut self, sid: Sid) -> Result<bool, NetError> {
        let stands = self.net.connected(sid);
        self.log(
            &Op::Connected { sid },
            &answer(&stands, |is| Answer::Flag(*is)),
        );
        stands
    }

    fn read(&mut self, sid: Sid, buf: &mut [u8]) -> Result<Option<usize>, NetError> {
        let got = self.net.read(sid, buf);
        let (len, log) = (buf.len(), self.log.get_mut());
        match got {
            Ok(Some(n)) => log.read(sid, len, Some(&buf[..n])),
            Ok(None) => log.read(sid, len, None),
            Err(why) => log.log(&Op::Read { sid, len }, &Answer::Error(why)),
        }
        got
    }

    fn write(&mut self, sid: Sid, data: &[u8]) -> Result<usize, NetError> {
        let took = self.net.write(sid, data);
        let (len, log) = (data.len(), self.log.get_mut());
        match took {
            Ok(n) => log.write(sid, len, n, digest_taken(data, n)),
            Err(why) => {
                let op = Op::Write { sid, len, hash: 0 };
                log.log(&op, &Answer::Error(why));
            }
        }
        took
    }

    fn write_vectored(&mut self, sid: Sid, pieces: &[IoSlice<'_>]) -> Result<usize, NetError> {
        let took = self.net.write_vectored(sid, pieces);
        let op = Op::WriteVectored {
            sid,
            len: total(pieces),
            hash: digest_pieces(pieces, took.unwrap_or(0)),
        };
        self.log(&op, &answer(&took, |n| taken(*n)));
        took
    }

    fn shutdown(&mut self, sid: Sid, how: Shutdown) -> Result<(), NetError> {
        let done = self.net.shutdown(sid, how);
        self.log(
            &Op::Shutdown { sid, how },
            &answer(&done, |()| Answer::Done),
        );
        done
    }

    fn close(&mut self, sid: Sid) {
        self.net.close(sid);
        self.log(&Op::Close { sid }, &Answer::Done);
    }

    fn bind(
        &mut self,
        group: Group,
        at: &Endpoint,
        options: &DatagramOptions,
    ) -> Result<Sid, NetError> {
        let opened = self.net.bind(group, at, options);
        self.opened(Open::Bind, group, described(at, options), opened)
    }

    fn recv_from(&mut self, sid: Sid, buf: &mut [u8]) -> Result<Option<Datagram>, NetError> {
        let got = self.net.recv_from(sid, buf);
        let answer = match &got {
            Ok(Some(datagram)) => Answer::Datagram {
                bytes: &buf[..datagram.len],
                from: Cow::Borrowed(&datagram.from),
                truncated: datagram.truncated,
            },
            Ok(None) => Answer::NotYet,
            Err(why) => Answer::Error(*why),
        };
        let len = buf.len();
        self.log.get_mut().log(&Op::RecvFrom { sid, len }, &answer);
        got
    }

    fn send_to(&mut self, sid: Sid, data: &[u8], to: Option<&Endpoint>) -> Result<bool, NetError> {
        let sent = self.net.send_to(sid, data, to);
        let op = Op::SendTo {
            sid,
            len: data.len(),
            hash: digest(data),
            to: to.map(Cow::Borrowed),
        };
        self.log(&op, &answer(&sent, |is| Answer::Flag(*is)));
        sent
    }

    fn resolve(&mut self, group: Group, name: &str) -> Lookup {
        let looked = self.net.resolve(group, name);
        let answer = match &looked {
            Lookup::Pending => Answer::NotYet,
            Lookup::Ready(addresses) => Answer::Addresses(Cow::Borrowed::<[IpAddr]>(addresses)),
            Lookup::Failed(why) => Answer::Error(*why),
        };
        let name = Cow::Borrowed(name);
        self.log
            .get_mut()
            .log(&Op::Resolve { group, name }, &answer);
        looked
    }

    fn adopt(&mut self, group: Group, socket: StdSocket) -> Result<Sid, NetError> {
        let opened = self.net.adopt(group, socket);
        self.opened(Open::Adopt, group, Cow::Borrowed("a socket"), opened)
    }

    /// To whoever looks at the recording, it is closed.
    fn let_go(&mut self, sid: Sid) -> Result<Loose, NetError> {
        let gone = self.net.let_go(sid);
        self.log(&Op::Close { sid }, &answer(&gone, |_| Answer::Done));
        gone
    }

    fn take_in(&mut self, group: Group, loose: Loose) -> Result<Sid, NetError> {
        let opened = self.net.take_in(group, loose);
        self.opened(Open::Adopt, group, Cow::Borrowed("a connection"), opened)
    }

    fn local(&self, sid: Sid) -> Result<Endpoint, NetError> {
        let at = self.net.local(sid);
        let answer = at.as_ref().map_or_else(|why| Answer::Error(*why), endpoint);
        self.log.borrow_mut().log(&Op::Local { sid }, &answer);
        at
    }

    fn peer(&self, sid: Sid) -> Result<Endpoint, NetError> {
        let at = self.net.peer(sid);
        let answer = at.as_ref().map_or_else(|why| Answer::Error(*why), endpoint);
        self.log.borrow_mut().log(&Op::Peer { sid }, &answer);
        at
    }

    fn buffer_sizes(&self, sid: Sid) -> Result<(usize, usize), NetError> {
        let sizes = self.net.buffer_sizes(sid);
        let answer = answer(&sizes, |(send, receive)| Answer::Sizes(*send, *receive));
        self.log.borrow_mut().log(&Op::BufferSizes { sid }, &answer);
        sizes
    }

    fn set_option(&mut self, sid: Sid, option: SocketOption) -> Result<(), NetError> {
        let set = self.net.set_option(sid, option);
        let what = Cow::Owned(format!("{option:?}"));
        let op = Op::SetOption { sid, what };
        self.log(&op, &answer(&set, |()| Answer::Done));
        set
    }

    fn probe(&mut self, who: Owner, probe: Probe<'_>) -> bool {
        let fires = self.net.probe(who, probe);
        let (kind, name, holds) = Kind::of(&probe);
        let name = Cow::Borrowed(name);
        let op = Op::Probe {
            who,
            kind,
            name,
            holds,
        };
        self.log(&op, &Answer::Flag(fires));
        if matches!(probe, Probe::Always(_, false)) {
            self.save();
        }
        fires
    }
}

fn endpoint(at: &Endpoint) -> Answer<'_> {
    Answer::Endpoint(Cow::Borrowed(at))
}
