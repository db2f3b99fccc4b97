//! A recorded run again, without sockets.

mod player;

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;
use std::io::IoSlice;
use std::time::Duration;

use self::player::Player;
use super::record::{
    Answer, Kind, Op, Open, RecordedRun, RecordingError, described, digest, digest_pieces,
    digest_taken, total,
};
use super::{
    Bell, ConnectOptions, Datagram, DatagramOptions, Endpoint, Group, ListenOptions, Lookup, Loose,
    Net, NetError, Owner, Probe, Shutdown, Sid, SocketOption, StdSocket, Tape, TraceHash,
};
use crate::tyme::Tyme;

/// A net that tells a program what a [`Record`](super::Record) wrote down, as fast as it asks.
///
/// The program must be the same, built in the same way. Each operation that it makes is compared
/// with the recorded one, arguments and written bytes included. At the first that differs the
/// replay ends: [`ended`](Self::ended) tells which, and every operation from there on says "not
/// yet" or [`NetError::Diverged`], [`poll`](Net::poll) before all, so that the run ends soon.
///
/// It starts no timers and waits for nothing: ten minutes take as long as the program needs to
/// compute. Signals are those of the recording, too.
///
/// A socket that the program adopts is dropped; there is no [`interrupt`](Net::interrupt) and no
/// [`poll_fd`](Net::poll_fd).
///
/// ```
/// use hio::net::{Net, NullNet, Record, RecordedRun, Replay, ReplayEnd};
/// use hio::tyme::Tyme;
/// use std::io::Cursor;
///
/// let mut net = Record::flight(NullNet::default(), 10_000, "");
/// net.poll(Tyme::from_secs(3))?;
/// let mut file = Vec::new();
/// net.dump(&mut file)?;
///
/// let mut replay = Replay::new(RecordedRun::open(Cursor::new(file))?)?;
/// assert!(replay.poll(Tyme::from_secs(4)).is_err(), "it was for three seconds");
/// let ReplayEnd::Diverged(at) = replay.finish() else { panic!() };
/// assert_eq!((at.event, at.found.as_str()), (0, "poll until 4s"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Replay {
    player: RefCell<Player>,
}

/// How a replay ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReplayEnd {
    /// The program did all that was recorded, and nothing else.
    Complete,
    /// The recording has no end, as after a crash of what wrote it. Up to here all was the same.
    CutOff {
        /// Events that were replayed.
        events: u64,
    },
    /// The recording cannot be read further, for this reason.
    Damaged(String),
    /// The program did something else.
    Diverged(Divergence),
}

/// The first operation that differs from its recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Divergence {
    /// The number of the event, from 0.
    pub event: u64,
    /// The net's clock when it was last read.
    pub tyme: Tyme,
    /// Whom the socket or group belongs to, or the one that was served last:
    /// `doist.path(owner)` is its name.
    pub owner: Owner,
    /// What was recorded, and what came of it.
    pub expected: String,
    /// What the program did.
    pub found: String,
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            event,
            tyme,
            expected,
            found,
            ..
        } = self;
        write!(
            f,
            "event {event} at {tyme}: expected {expected}; found {found}"
        )
    }
}

impl Replay {
    /// Plays a recording from its beginning.
    ///
    /// # Errors
    /// [`RecordingError::Flight`] when its beginning was dropped by a flight recorder; what reading
    /// gives when there is not even a first event.
    pub fn new(recording: RecordedRun) -> Result<Self, RecordingError> {
        Ok(Self {
            player: RefCell::new(Player::new(recording)?),
        })
    }

    /// Feeds a tape with what entered beside the net. Give it before the program is built, which
    /// may ask the tape for something at once.
    #[must_use]
    pub fn with_tape(mut self, tape: &Tape) -> Self {
        self.player.get_mut().begin_tape(tape);
        self
    }

    /// What to call where the recorded run was asked to stop from outside: the stop of the
    /// [`StopHandle`](crate::doing::StopHandle) of the Doist that is replayed.
    #[must_use]
    pub fn on_stop(mut self, stop: impl FnMut() + Send + 'static) -> Self {
        self.player.get_mut().begin_stop(Box::new(stop));
        self
    }

    /// What the recorder said of the run.
    #[must_use]
    pub fn about(&self) -> String {
        self.player.borrow().about().to_owned()
    }

    /// Over all that the program did up to here. When it is [`Complete`](ReplayEnd::Complete), it is
    /// the same as the recorder's.
    #[must_use]
    pub fn hash(&self) -> TraceHash {
        self.player.borrow().hash()
    }

    /// How it ended; `None` while there is more to replay.
    #[must_use]
    pub fn ended(&self) -> Option<ReplayEnd> {
        self.player.borrow().ended().cloned()
    }

    /// The program is over: how the replay ended. That there is more to replay is a difference.
    pub fn finish(&mut self) -> ReplayEnd {
        self.player.get_mut().finish()
    }
}

impl fmt::Debug for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replay")
            .field("hash", &self.hash())
            .field("ended", &self.ended())
            .finish_non_exhaustive()
    }
}

/// What an operation that can fail gives once the replay is over.
const OVER: NetError = NetError::Diverged;

impl Replay {
    /// One operation: `take` gives its result if the answer is one of its kind.
    fn play<T>(&mut self, op: &Op<'_>, take: impl FnOnce(&Answer<'_>) -> Option<T>) -> Option<T> {
        let player = self.player.get_mut();
        player.play(|_| op.clone(), take)
    }

    /// One that may fail.
    fn try_play<T>(
        &mut self,
        op: &Op<'_>,
        take: impl FnOnce(&Answer<'_>) -> Option<T>,
    ) -> Result<T, NetError> {
        self.play(op, |answer| fallible(answer, take))
            .unwrap_or(Err(OVER))
    }

    /// One that may fail and whose arguments depend on how much of a write was taken.
    fn write_with<'a>(&mut self, op: impl FnOnce(usize) -> Op<'a>) -> Result<usize, NetError> {
        let written = self.player.get_mut().play(
            |answer| op(answer.taken()),
            |answer| {
                fallible(answer, |answer| match answer {
                    Answer::Count(n) => Some(*n),
                    Answer::NotYet => Some(0),
                    _ => None,
                })
            },
        );
        written.unwrap_or(Err(OVER))
    }

    /// One that only looks.
    fn look<T>(
        &self,
        op: &Op<'_>,
        take: impl FnOnce(&Answer<'_>) -> Option<T>,
    ) -> Result<T, NetError> {
        let mut player = self.player.borrow_mut();
        player
            .play(|_| op.clone(), |answer| fallible(answer, take))
            .unwrap_or(Err(OVER))
    }

    fn open(&mut self, how: Open, group: Group, what: Cow<'_, str>) -> Result<Sid, NetError> {
        self.try_play(&Op::Open { how, group, what }, |answer| match answer {
            Answer::Sid(sid) => Some(*sid),
            _ => None,
        })
    }
}

fn fallible<T>(
    answer: &Answer<'_>,
    take: impl FnOnce(&Answer<'_>) -> Option<T>,
) -> Option<Result<T, NetError>> {
    match answer {
        Answer::Error(why) => Some(Err(*why)),
        other => take(other).map(Ok),
    }
}

fn done(answer: &Answer<'_>) -> Option<()> {
    matches!(answer, Answer::Done).then_some(())
}

fn flag(answer: &Answer<'_>) -> Option<bool> {
    match answer {
        Answer::Flag(flag) => Some(*flag),
        _ => None,
    }
}

fn endpoint(answer: &Answer<'_>) -> Option<Endpoint> {
    match answer {
        Answer::Endpoint(at) => Some(at.clone().into_owned()),
        _ => None,
    }
}

/// Copies what was read into the caller's buffer.
fn fill(buf: &mut [u8], bytes: &[u8]) -> Option<usize> {
    buf.get_mut(..bytes.len())?.copy_from_slice(bytes);
    Some(bytes.len())
}

impl Net for Replay {
    fn now(&mut self) -> Tyme {
        let now = self.play(&Op::Now, |answer| match answer {
            Answer::Tyme(now) => Some(*now),
            _ => None,
        });
        now.unwrap_or_else(|| self.player.get_mut().now())
    }

    fn wall(&mut self) -> Duration {
        let wall = self.play(&Op::Wall, |answer| match answer {
            Answer::Span(wall) => Some(*wall),
            _ => None,
        });
        wall.unwrap_or_default()
    }

    fn entropy(&mut self, out: &mut [u8]) {
        let op = Op::Entropy { len: out.len() };
        let filled = self.play(&op, |answer| match answer {
            Answer::Bytes(bytes) => fill(out, bytes),
            _ => None,
        });
        if filled.is_none() {
            out.fill(0);
        }
    }

    fn poll(&mut self, until: Tyme) -> Result<(), NetError> {
        self.try_play(&Op::Poll { until }, done)
    }

    fn woken(&mut self, out: &mut Vec<Owner>) {
        self.play(&Op::Woken, |answer| match answer {
            Answer::Owners(owners) => {
                out.extend_from_slice(owners);
                Some(())
            }
            _ => None,
        });
    }

    fn group(&mut self, owner: Owner) -> Group {
        let group = self.play(&Op::Group { owner }, |answer| match answer {
            Answer::Group(group) => Some(*group),
            _ => None,
        });
        group.unwrap_or(Group::new(u32::MAX, u32::MAX))
    }

    fn set_owner(&mut self, group: Group, owner: Owner) {
        self.play(&Op::SetOwner { group, owner }, done);
    }

    fn close_group(&mut self, group: Group) {
        self.play(&Op::CloseGroup { group }, done);
    }

    fn ready(&mut self, group: Group, out: &mut Vec<Sid>) {
        self.play(&Op::Ready { group }, |answer| match answer {
            Answer::Sids(sids) => {
                out.extend_from_slice(sids);
                Some(())
            }
            _ => None,
        });
    }

    fn mark(&mut self, sid: Sid) {
        self.play(&Op::Mark { sid }, done);
    }

    fn listen(
        &mut self,
        group: Group,
        at: &Endpoint,
        options: &ListenOptions,
    ) -> Result<Sid, NetError> {
        self.open(Open::Listen, group, described(at, options))
    }

    fn accept(&mut self, listener: Sid) -> Result<Option<(Sid, Endpoint)>, NetError> {
        self.try_play(&Op::Accept { sid: listener }, |answer| match answer {
            Answer::Accepted(sid, peer) => Some(Some((*sid, peer.clone().into_owned()))),
            Answer::NotYet => Some(None),
            _ => None,
        })
    }

    fn connect(
        &mut self,
        group: Group,
        to: &Endpoint,
        options: &ConnectOptions,
    ) -> Result<Sid, NetError> {
        self.open(Open::Connect, group, described(to, options))
    }

    fn connected(&mut self, sid: Sid) -> Result<bool, NetError> {
        self.try_play(&Op::Connected { sid }, flag)
    }

    fn read(&mut self, sid: Sid, buf: &mut [u8]) -> Result<Option<usize>, NetError> {
        let len = buf.len();
        self.try_play(&Op::Read { sid, len }, |answer| match answer {
            Answer::Bytes(bytes) => fill(buf, bytes).map(Some),
            Answer::NotYet => Some(None),
            _ => None,
        })
    }

    fn write(&mut self, sid: Sid, data: &[u8]) -> Result<usize, NetError> {
        self.write_with(|taken| Op::Write {
            sid,
            len: data.len(),
            hash: digest_taken(data, taken),
        })
    }

    fn write_vectored(&mut self, sid: Sid, pieces: &[IoSlice<'_>]) -> Result<usize, NetError> {
        self.write_with(|taken| Op::WriteVectored {
            sid,
            len: total(pieces),
            hash: digest_pieces(pieces, taken),
        })
    }

    fn shutdown(&mut self, sid: Sid, how: Shutdown) -> Result<(), NetError> {
        self.try_play(&Op::Shutdown { sid, how }, done)
    }

    fn close(&mut self, sid: Sid) {
        self.play(&Op::Close { sid }, done);
    }

    fn bind(
        &mut self,
        group: Group,
        at: &Endpoint,
        options: &DatagramOptions,
    ) -> Result<Sid, NetError> {
        self.open(Open::Bind, group, described(at, options))
    }

    fn recv_from(&mut self, sid: Sid, buf: &mut [u8]) -> Result<Option<Datagram>, NetError> {
        let len = buf.len();
        self.try_play(&Op::RecvFrom { sid, len }, |answer| match answer {
            Answer::Datagram {
                bytes,
                from,
                truncated,
            } => Some(Some(Datagram {
                len: fill(buf, bytes)?,
                from: from.clone().into_owned(),
                truncated: *truncated,
            })),
            Answer::NotYet => Some(None),
            _ => None,
        })
    }

    fn send_to(&mut self, sid: Sid, data: &[u8], to: Option<&Endpoint>) -> Result<bool, NetError> {
        let op = Op::SendTo {
            sid,
            len: data.len(),
            hash: digest(data),
            to: to.map(Cow::Borrowed),
        };
        self.try_play(&op, flag)
    }

    fn resolve(&mut self, group: Group, name: &str) -> Lookup {
        let name = Cow::Borrowed(name);
        let looked = self.play(&Op::Resolve { group, name }, |answer| match answer {
            Answer::NotYet => Some(Lookup::Pending),
            Answer::Addresses(all) => Some(Lookup::Ready(all.clone().into_owned())),
            Answer::Error(why) => Some(Lookup::Failed(*why)),
            _ => None,
        });
        looked.unwrap_or(Lookup::Failed(OVER))
    }

    fn adopt(&mut self, group: Group, _: StdSocket) -> Result<Sid, NetError> {
        self.open(Open::Adopt, group, Cow::Borrowed("a socket"))
    }

    fn let_go(&mut self, sid: Sid) -> Result<Loose, NetError> {
        self.try_play(&Op::Close { sid }, done)
            .map(|()| Loose::nothing())
    }

    fn take_in(&mut self, group: Group, _: Loose) -> Result<Sid, NetError> {
        self.open(Open::Adopt, group, Cow::Borrowed("a connection"))
    }

    /// Nobody rings: whom it woke is in the recording.
    fn hang(&mut self, _: Group, _: &Bell) -> Result<(), NetError> {
        Ok(())
    }

    fn local(&self, sid: Sid) -> Result<Endpoint, NetError> {
        self.look(&Op::Local { sid }, endpoint)
    }

    fn peer(&self, sid: Sid) -> Result<Endpoint, NetError> {
        self.look(&Op::Peer { sid }, endpoint)
    }

    fn buffer_sizes(&self, sid: Sid) -> Result<(usize, usize), NetError> {
        self.look(&Op::BufferSizes { sid }, |answer| match answer {
            Answer::Sizes(send, receive) => Some((*send, *receive)),
            _ => None,
        })
    }

    fn set_option(&mut self, sid: Sid, option: SocketOption) -> Result<(), NetError> {
        let what = Cow::Owned(format!("{option:?}"));
        self.try_play(&Op::SetOption { sid, what }, done)
    }

    fn probe(&mut self, who: Owner, probe: Probe<'_>) -> bool {
        let (kind, name, holds) = Kind::of(&probe);
        let name = Cow::Borrowed(name);
        let op = Op::Probe {
            who,
            kind,
            name,
            holds,
        };
        self.play(&op, flag).unwrap_or(false)
    }

    fn is_simulated(&self) -> bool {
        self.player.borrow().is_simulated()
    }
}
