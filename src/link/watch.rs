//! Being shown what connections carry.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::net::{Endpoint, Net, NetError, Sid};
use crate::tyme::Tyme;

/// Is shown what passes, and may neither change nor stop it: a wire log, a capture.
///
/// A [`Server`](super::Server) or [`Client`](super::Client) that was
/// [given one](super::Server::set_watch) shows it what its program sends and receives: plaintext,
/// also when TLS carries it. What a closing connection still gets and drops is not shown. `wire::Tap` shows what passes a net: ciphertext then.
///
/// It is called in the middle of a service, so it is to be quick, and it has nobody to return an
/// error to: what goes wrong it counts and logs.
///
/// ```
/// use hio::link::{Seen, Watch, What};
///
/// #[derive(Debug, Default)]
/// struct Counter(usize);
/// impl Watch for Counter {
///     fn see(&mut self, seen: &Seen<'_>) {
///         if let What::Received(data) = seen.what {
///             self.0 += data.len();
///         }
///     }
/// }
/// ```
pub trait Watch: fmt::Debug + Send {
    /// Something has happened.
    fn see(&mut self, seen: &Seen<'_>);

    /// Hands what it has kept back to where it is to go. Nothing by default.
    fn flush(&mut self) {}
}

/// Something that happened to a socket.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// When, in the tyme of the service, or by the net's clock in a tap.
    pub tyme: Tyme,
    /// When, since 1970 UTC.
    pub wall: Duration,
    /// The socket.
    pub sid: Sid,
    /// Whether this side has dialled.
    pub dialled: bool,
    /// This side.
    pub local: &'a Endpoint,
    /// The other side; of a datagram, where it came from or goes to.
    pub peer: &'a Endpoint,
    /// What.
    pub what: What<'a>,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum What<'a> {
    /// The connection stands. A watch that was given later than that is not shown it.
    Opened,
    /// It did not come about.
    Failed(NetError),
    /// These bytes came.
    Received(&'a [u8]),
    /// The system has taken these bytes; with TLS, the session has.
    Sent(&'a [u8]),
    /// The peer has ended its side.
    PeerEnded,
    /// This side was ended.
    Ended,
    /// The connection was lost.
    Lost(NetError),
    /// The socket was closed: nothing more is shown of it.
    Closed {
        /// The peer was sent a reset.
        reset: bool,
    },
    /// A datagram came, or as much of it as was asked for.
    DatagramReceived(&'a [u8]),
    /// A datagram was sent.
    DatagramSent(&'a [u8]),
}

/// The watch of one server or client, with what it has to be told about each connection.
#[derive(Debug)]
pub(super) struct Watched {
    watch: Box<dyn Watch>,
    dialled: bool,
    /// Both sides of the connections that were shown: asking the net costs system calls, and of a
    /// connection that broke it no longer knows.
    ends: BTreeMap<Sid, (Endpoint, Endpoint)>,
}

impl Watched {
    pub(super) fn new(watch: Box<dyn Watch>, dialled: bool) -> Box<Self> {
        let ends = BTreeMap::new();
        Box::new(Self {
            watch,
            dialled,
            ends,
        })
    }

    #[cold]
    pub(super) fn see(&mut self, sid: Sid, what: What<'_>, tyme: Tyme, net: &mut dyn Net) {
        let over = matches!(what, What::Closed { .. });
        let known = self.ends.contains_key(&sid);
        if !known && (over || matches!(what, What::Lost(_))) {
            return; // it carried nothing
        }
        if !known {
            let of = |end: Result<_, _>| end.unwrap_or(Endpoint::Unnamed);
            let ends = (of(net.local(sid)), of(net.peer(sid)));
            self.ends.insert(sid, ends);
            self.tell(sid, What::Opened, tyme, net.wall());
        }
        self.tell(sid, what, tyme, net.wall());
        if over {
            self.ends.remove(&sid);
        }
    }

    fn tell(&mut self, sid: Sid, what: What<'_>, tyme: Tyme, wall: Duration) {
        if let Some((local, peer)) = self.ends.get(&sid) {
            self.watch.see(&Seen {
                tyme,
                wall,
                sid,
                dialled: self.dialled,
                local,
                peer,
                what,
            });
        }
    }
}
