//! The network seam: everything a doer sees of the outside comes through one [`Net`].
//!
//! The net owns the sockets, callers hold ids. [`MioNet`] is the operating system's network,
//! [`NullNet`] has no sockets at all; decorators and simulators are further `impl Net`. Sockets
//! are gathered in [`Group`]s; a group with readiness *marks* wakes its [`Owner`].
//!
//! "Not yet" is data here, never an error: [`Net::read`] gives `None`, [`Net::write`] takes
//! nothing, [`Net::connected`] says `false`.

mod bell;
mod cached_names;
mod condition;
mod conditions;
mod datagram;
mod draws;
mod endpoint;
mod error;
mod ids;
mod layer;
mod loose;
mod mio;
mod name_cache;
mod null;
mod options;
mod probe;
mod record;
mod recording;
mod replay;
mod scripted;
mod stats;
mod tape;
mod trace_hash;
pub(crate) mod units;
mod unix_instead;
mod watched;

use std::fmt;
use std::io::IoSlice;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

pub use self::mio::{MioNet, ResolverOptions, StdSocket};
pub use bell::Bell;
pub use cached_names::NameCache;
pub use condition::Conditioned;
pub use conditions::{Conditions, ConditionsError, Latency};
pub use datagram::{Datagram, DatagramOptions};
pub(crate) use draws::Draws;
pub use endpoint::{Endpoint, EndpointError};
pub use error::NetError;
pub use ids::{Group, Owner, Sid};
pub use layer::Layer;
pub use loose::Loose;
pub use name_cache::{AnswerCache, CacheLimits, normal_name};
pub use null::NullNet;
pub use options::{ConnectOptions, Interface, Keepalive, ListenOptions, Shutdown, SocketOption};
pub use probe::Probe;
pub use record::{Record, Recorded, RecordedRun, RecordingError};
pub use recording::Recording;
pub use replay::{Divergence, Replay, ReplayEnd};
pub use scripted::{Script, Scripted, Unmet};
pub use stats::{NameStats, NetStats};
pub use tape::Tape;
pub use trace_hash::TraceHash;
pub use unix_instead::UnixInstead;
pub use watched::{Io, IoKind, NetWatch, Watched};

use crate::tyme::Tyme;

/// The only door to the outside: clock, entropy, names and sockets. Object safe.
///
/// # How a caller works with it
/// 1. Open a [`group`](Self::group), then sockets in it.
/// 2. [`poll`](Self::poll) collects readiness; [`ready`](Self::ready) hands over the sockets of a
///    group that have a mark and takes the marks away.
/// 3. Work on each of them until it says "not yet" or a read comes back short. Whoever stops
///    earlier (a budget, a full buffer) says [`mark`](Self::mark), or does not hear of that socket again before the peer
///    acts: readiness is told by edges.
///
/// A mark says: something may be read, or can be written *again*, or the connection broke, or a
/// started one stands or failed. It is a hint; an operation may still say "not yet". A mark that
/// is left alone is not told twice.
///
/// A [`Sid`] of a closed socket goes nowhere: operations on it give [`NetError::Stale`].
pub trait Net {
    /// The net's clock. In real nets it is monotonic and starts near zero.
    fn now(&mut self) -> Tyme;

    /// Wall time since 1970 UTC, for certificates and logs.
    fn wall(&mut self) -> Duration;

    /// Fills `out` with entropy.
    fn entropy(&mut self, out: &mut [u8]);

    /// Waits for readiness, at most until `until` on the net's clock, and marks what became ready.
    ///
    /// A moment that has passed means "look, do not wait"; [`Tyme::NEVER`] waits without end. May
    /// return early and with nothing. Marks that were there before do not end the wait.
    ///
    /// # Errors
    /// Only when polling itself is broken.
    fn poll(&mut self, until: Tyme) -> Result<(), NetError>;

    /// Appends the owners of all groups that have marks, ascending, each once. Takes no mark away.
    ///
    /// [`Owner::NONE`] is nobody and never among them.
    fn woken(&mut self, out: &mut Vec<Owner>);

    /// Opens a group of sockets.
    fn group(&mut self, owner: Owner) -> Group;

    /// Gives a group to another owner.
    fn set_owner(&mut self, group: Group, owner: Owner);

    /// Closes a group and every socket in it.
    fn close_group(&mut self, group: Group);

    /// Appends the marked sockets of a group in ascending order and takes their marks.
    fn ready(&mut self, group: Group, out: &mut Vec<Sid>);

    /// Marks a socket, as if it had just become ready: the next read or accept asks the system,
    /// whatever is known from the last poll.
    fn mark(&mut self, sid: Sid);

    /// Opens a listening socket. A Unix socket's file is removed again when it is closed.
    ///
    /// # Errors
    /// The address is in use, not to be had, or a path is too long or not permitted;
    /// [`NetError::Unresolvable`] for a name.
    fn listen(
        &mut self,
        group: Group,
        at: &Endpoint,
        options: &ListenOptions,
    ) -> Result<Sid, NetError>;

    /// Takes one waiting connection into the listener's group; `None` when none waits.
    ///
    /// The connection can be written at once and has no mark yet: the next [`poll`](Self::poll)
    /// marks it if there is something to read. Whoever accepts need not try to read before.
    ///
    /// # Errors
    /// [`NetError::Exhausted`] when the process is out of descriptors or the system out of
    /// memory; some systems say so although nobody waits. The listener lives on and keeps its
    /// readiness: no mark follows, so whoever accepts tries again after a pause. A connection that died while it waited is passed over;
    /// [`NetError::Aborted`] after many of those in a row, to be treated the same way.
    fn accept(&mut self, listener: Sid) -> Result<Option<(Sid, Endpoint)>, NetError>;

    /// Starts a connection; [`connected`](Self::connected) tells how it ended, and a mark when:
    /// at the next [`poll`](Self::poll) that knows, or at once.
    ///
    /// # Errors
    /// What can be said at once: no route, no descriptor, no such path, nobody listening there;
    /// [`NetError::Unresolvable`] for a name, which [`resolve`](Self::resolve) turns into
    /// addresses first; [`NetError::Exhausted`] when the backlog of a Unix listener is full, which
    /// may change soon.
    fn connect(
        &mut self,
        group: Group,
        to: &Endpoint,
        options: &ConnectOptions,
    ) -> Result<Sid, NetError>;

    /// Whether a started connection stands: `false` while it is under way.
    ///
    /// Until this has said `true` nothing can be read or written.
    ///
    /// # Errors
    /// Why it failed. The socket is then of no more use.
    fn connected(&mut self, sid: Sid) -> Result<bool, NetError>;

    /// Reads into `buf`: `None` when nothing is there yet, `Some(0)` at the end of the stream.
    ///
    /// An empty `buf` gives `None`, so that it is not taken for the end.
    ///
    /// A read that comes back short has taken all there is: when more can be had, the next byte
    /// or the end, the net marks the socket. So one read a message is enough.
    ///
    /// # Errors
    /// The connection is lost.
    fn read(&mut self, sid: Sid, buf: &mut [u8]) -> Result<Option<usize>, NetError>;

    /// Writes from `data` and says how much was taken; 0 when nothing can be taken yet.
    ///
    /// # Errors
    /// The connection is lost, or its sending side was shut down.
    fn write(&mut self, sid: Sid, data: &[u8]) -> Result<usize, NetError>;

    /// Writes several pieces in a row, as [`write`](Self::write) would one after the other, and
    /// says how much of all was taken. Nets that can do it in one go should: TLS makes a piece of
    /// every 16 KiB.
    ///
    /// # Errors
    /// As [`write`](Self::write), and only when nothing was taken.
    fn write_vectored(&mut self, sid: Sid, pieces: &[IoSlice<'_>]) -> Result<usize, NetError> {
        write_pieces(pieces, |piece| self.write(sid, piece))
    }

    /// Shuts down one side or both.
    ///
    /// On a listener, [`Shutdown::Receive`] lets no further connection come about, while those that
    /// wait can still be accepted: so none is lost between the last accept and the close. On Linux
    /// it does, and for Unix sockets everywhere; else it is [`NetError::Invalid`], and nothing
    /// happens.
    ///
    /// # Errors
    /// The connection is gone already; a listener of which the system cannot do it.
    fn shutdown(&mut self, sid: Sid, how: Shutdown) -> Result<(), NetError>;

    /// Closes a socket at once. A stale id is ignored.
    fn close(&mut self, sid: Sid);

    /// Opens a datagram socket bound to `at`: [`Endpoint::Udp`] or [`Endpoint::UnixDatagram`], or
    /// [`Endpoint::Unnamed`] for a Unix one that only sends. It has no mark before something comes.
    ///
    /// # Errors
    /// As [`listen`](Self::listen); [`NetError::Unsupported`] where there are no datagrams.
    fn bind(
        &mut self,
        group: Group,
        at: &Endpoint,
        options: &DatagramOptions,
    ) -> Result<Sid, NetError> {
        let _ = (group, at, options);
        Err(NetError::Unsupported)
    }

    /// Takes one datagram into `buf`: `None` when none waits. What does not fit is lost, and told.
    /// Datagrams may be empty. Read until `None`: here a short read says nothing.
    ///
    /// # Errors
    /// [`NetError::Refused`] when an earlier datagram found nobody (ICMP says so to connected
    /// sockets). An error is about one datagram: the socket lives on, and more may wait.
    /// [`NetError::Invalid`] on a socket that is not of [`bind`](Self::bind).
    fn recv_from(&mut self, sid: Sid, buf: &mut [u8]) -> Result<Option<Datagram>, NetError> {
        let _ = (sid, buf);
        Err(NetError::Unsupported)
    }

    /// Sends one datagram, whole or not at all: `false` when there is no room now, and a mark tells
    /// of room. None does when the queue of a Unix socket at `to` is full: try again after a while.
    /// `to` is `None` on a connected socket, and only there.
    ///
    /// # Errors
    /// [`NetError::TooLong`] when no datagram can be that long; [`NetError::Refused`] when nobody is
    /// there, which a connected UDP socket learns after an earlier datagram: this one was not sent
    /// then and may be sent again. [`NetError::NotConnected`] without `to` on a socket that is not
    /// connected; [`NetError::Invalid`] with `to` on one that is, or when it is of another kind.
    /// An error is about one datagram: the socket lives on.
    fn send_to(&mut self, sid: Sid, data: &[u8], to: Option<&Endpoint>) -> Result<bool, NetError> {
        let _ = (sid, data, to);
        Err(NetError::Unsupported)
    }

    /// Looks a host name up, without ever blocking.
    ///
    /// While it is [`Pending`](Lookup::Pending), ask again: the answer counts as a mark of `group`,
    /// which wakes its owner and is taken by the next [`ready`](Self::ready), that lists no socket
    /// for it. Any number of groups may wait for one name.
    fn resolve(&mut self, group: Group, name: &str) -> Lookup;

    /// Takes a socket into a group that the program opened itself, as
    /// [`MioNet::adopt`](MioNet::adopt) does: one for signals, or one from a supervisor.
    ///
    /// # Errors
    /// [`NetError::Unsupported`] where sockets are made up; [`NetError::Stale`] when the group is
    /// closed, or the system refuses.
    fn adopt(&mut self, group: Group, socket: StdSocket) -> Result<Sid, NetError> {
        let _ = (group, socket);
        Err(NetError::Unsupported)
    }

    /// Lets a connected stream go without closing it, to be taken in by another net: what was not
    /// read, and what the peer sends meanwhile, goes with it. Its id here is stale from now on.
    ///
    /// # Errors
    /// [`NetError::Unsupported`] where there is nothing to let go; [`NetError::Invalid`] for what is
    /// no stream that stands; [`NetError::Stale`] when the socket is closed, or the system refuses.
    /// Unless it says so, the socket is as it was.
    fn let_go(&mut self, sid: Sid) -> Result<Loose, NetError> {
        let _ = sid;
        Err(NetError::Unsupported)
    }

    /// Takes a connection that another net let go into a group. It is marked at the next
    /// [`poll`](Self::poll) if there is something to read, as one that was accepted.
    ///
    /// # Errors
    /// [`NetError::Unsupported`] for one from another world, [`NetError::Aborted`] when it is gone;
    /// [`NetError::Stale`] when the group is closed, [`NetError::Exhausted`] when there is no room.
    /// The connection is closed then.
    fn take_in(&mut self, group: Group, loose: Loose) -> Result<Sid, NetError> {
        let _ = (group, loose);
        Err(NetError::Unsupported)
    }

    /// Hangs a bell in a group: each ring counts as a mark of the group, which wakes its owner and
    /// is taken by the next [`ready`](Self::ready), that lists no socket for it. It begins with such
    /// a mark, for what was rung before. A bell hangs in one place at a time.
    ///
    /// # Errors
    /// [`NetError::Unsupported`] where nothing wakes; [`NetError::Stale`] when the group is closed.
    fn hang(&mut self, group: Group, bell: &Bell) -> Result<(), NetError> {
        let _ = (group, bell);
        Err(NetError::Unsupported)
    }

    /// Rings a bell, wherever it hangs: at once here, and after a while in a simulation.
    fn ring(&mut self, bell: &Bell) {
        bell.sound();
    }

    /// The address a socket is bound to.
    ///
    /// # Errors
    /// The socket is gone.
    fn local(&self, sid: Sid) -> Result<Endpoint, NetError>;

    /// The address of the other side.
    ///
    /// # Errors
    /// The socket is gone or not connected.
    fn peer(&self, sid: Sid) -> Result<Endpoint, NetError>;

    /// The actual sizes of the socket's (send, receive) buffers in bytes.
    ///
    /// # Errors
    /// The socket is gone.
    fn buffer_sizes(&self, sid: Sid) -> Result<(usize, usize), NetError>;

    /// Sets an option on an open socket.
    ///
    /// # Errors
    /// The socket is gone, or the system refuses.
    fn set_option(&mut self, sid: Sid, option: SocketOption) -> Result<(), NetError>;

    /// A fault point or a check that the program came by, with the doer that did. Says whether the
    /// fault is to happen: never, but in a simulation.
    fn probe(&mut self, who: Owner, probe: Probe<'_>) -> bool {
        let _ = (who, probe);
        false
    }

    /// What was done so far, where that is counted; layers say what the net below them says.
    fn stats(&self) -> NetStats {
        NetStats::default()
    }

    /// Whether this is a world made up for a test. Keys that can be guessed are refused in any
    /// other. Layers say what the net below them says.
    fn is_simulated(&self) -> bool {
        false
    }

    /// Makes a handle that ends a [`poll`](Self::poll) from another thread, where there is one.
    fn interrupt(&mut self) -> Option<Interrupt> {
        None
    }

    /// The descriptor of a socket, to look at and to set options on, where there is one. Who reads,
    /// writes or closes it by hand leaves the net without knowledge of it.
    #[cfg(unix)]
    fn descriptor(&self, sid: Sid) -> Option<std::os::fd::RawFd> {
        let _ = sid;
        None
    }

    /// The descriptor to watch for readiness in a foreign loop, where there is one.
    #[cfg(unix)]
    fn poll_fd(&self) -> Option<std::os::fd::RawFd> {
        None
    }
}

/// Writes pieces one after the other until one is not taken whole.
fn write_pieces(
    pieces: &[IoSlice<'_>],
    mut write: impl FnMut(&[u8]) -> Result<usize, NetError>,
) -> Result<usize, NetError> {
    let mut total = 0;
    for piece in pieces {
        match write(piece) {
            Ok(n) => {
                total += n;
                if n < piece.len() {
                    break;
                }
            }
            Err(_) if total > 0 => break, // it will come again
            Err(why) => return Err(why),
        }
    }
    Ok(total)
}

/// How a name look-up stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// Under way: ask again after the next poll.
    Pending,
    /// The addresses, best first; never empty.
    Ready(Vec<IpAddr>),
    /// There are none.
    Failed(NetError),
}

/// Ends a net's poll early, from any thread. Safe to call in a signal handler.
#[derive(Clone)]
pub struct Interrupt(Arc<dyn Fn() + Send + Sync>);

impl Interrupt {
    /// Wraps what ends the poll.
    pub fn new(fire: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Arc::new(fire))
    }

    /// Ends the poll under way, or else the next one.
    pub fn fire(&self) {
        (self.0)();
    }
}

impl fmt::Debug for Interrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Interrupt")
    }
}
