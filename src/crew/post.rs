use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Letter;
use crate::net::{Bell, Group, Net, NetError, Owner, Sid, Tape};

/// What the ends of a mailbox share.
pub(super) struct Shared<T> {
    pub(super) capacity: usize,
    /// Rung for each message, and heard at the mailbox.
    pub(super) bell: Bell,
    state: Mutex<State<T>>,
}

pub(super) struct State<T> {
    pub(super) queue: VecDeque<T>,
    /// Messages that were taken out: one more may be taken for each further ring.
    pub(super) taken: u64,
    pub(super) posts: usize,
    pub(super) mailboxes: usize,
    /// Bells of those who found it full.
    pub(super) waiting: Vec<Bell>,
}

impl<T> Shared<T> {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            capacity: capacity.max(1),
            bell: Bell::new(),
            state: Mutex::new(State {
                queue: VecDeque::new(),
                taken: 0,
                posts: 0,
                mailboxes: 1,
                waiting: Vec::new(),
            }),
        }
    }

    /// The queue is whole whenever the lock is free: nothing that may panic is done under it.
    pub(super) fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where messages for a [`Mailbox`](super::Mailbox) are handed in: by any member, or from outside.
///
/// It is made with [`Mailbox::post`](super::Mailbox::post), and may be cloned and sent to other
/// threads. Whoever may wait for room [`open`](Self::open)s it.
///
/// ```
/// use hio::crew::{Mailbox, Refused};
/// use hio::net::NullNet;
/// let mut mailbox = Mailbox::new(1);
/// let mut post = mailbox.post();
/// let net = &mut NullNet::default(); // a doer has its own: cx.net
/// assert!(post.send(net, "first").is_ok());
/// assert_eq!(post.send(net, "second"), Err(Refused::Full("second")));
/// assert_eq!(mailbox.take(net), Some("first"));
/// drop(mailbox);
/// assert_eq!(post.send(net, "third"), Err(Refused::Gone("third")));
/// ```
pub struct Post<T> {
    shared: Arc<Shared<T>>,
    /// Where room is told of.
    room: Option<(Group, Bell)>,
    /// It was refused and waits for room.
    waits: bool,
    tape: Option<Tape>,
    /// Kept for its storage.
    ready: Vec<Sid>,
}

/// A message that was not taken, to be used otherwise or sent again.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Refused<T> {
    /// There is no room now.
    Full(T),
    /// The mailbox is gone for good: its member has ended.
    Gone(T),
}

impl<T> Refused<T> {
    /// The message.
    pub fn into_inner(self) -> T {
        match self {
            Self::Full(message) | Self::Gone(message) => message,
        }
    }

    /// Whether it is worth while to try again.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        matches!(self, Self::Full(_))
    }
}

impl<T> Post<T> {
    pub(super) fn new(shared: &Arc<Shared<T>>) -> Self {
        shared.state().posts += 1;
        Self {
            shared: Arc::clone(shared),
            room: None,
            waits: false,
            tape: None,
            ready: Vec::new(),
        }
    }

    /// Hands a message in and wakes the mailbox's doer. Never blocks.
    ///
    /// Messages of one post arrive in order, and all messages in the order in which they were
    /// taken in. In a simulation they arrive 10 µs later. From outside of a Doist, any net will do,
    /// such as a [`NullNet`](crate::net::NullNet).
    ///
    /// # Errors
    /// The message itself, when there is no room or nobody to take it. When the post is open, its
    /// owner is woken when there is room: it sends again then, or [`forget`](Self::forget)s it.
    pub fn send(&mut self, net: &mut dyn Net, message: T) -> Result<(), Refused<T>> {
        self.forget(net);
        match self.offer(message) {
            Ok(()) => {
                net.ring(&self.shared.bell);
                Ok(())
            }
            Err(refused) => {
                self.waits = refused.is_full() && self.room.is_some();
                Err(refused)
            }
        }
    }

    /// What became of it is input, so it is on the tape.
    fn offer(&self, message: T) -> Result<(), Refused<T>> {
        let Some(tape) = &self.tape else {
            return self.put(message);
        };
        let mut message = Some(message);
        let mut result = None;
        let kept = tape.take("post", || {
            // unwrap: it is called once at most.
            let put = message.take().map_or(Ok(()), |m| self.put(m));
            let code = match &put {
                Ok(()) => TAKEN,
                Err(Refused::Full(_)) => FULL,
                Err(Refused::Gone(_)) => GONE,
            };
            result = Some(put);
            vec![code]
        });
        match (result, message, kept.as_deref()) {
            (Some(result), ..) => result,
            // A replay: nobody is there to take it.
            (None, Some(message), Some([FULL])) => Err(Refused::Full(message)),
            (None, Some(_), Some([TAKEN])) => Ok(()),
            (None, Some(message), _) => Err(Refused::Gone(message)),
            (None, None, _) => Ok(()),
        }
    }

    fn put(&self, message: T) -> Result<(), Refused<T>> {
        let mut state = self.shared.state();
        if state.mailboxes == 0 {
            return Err(Refused::Gone(message));
        }
        if state.queue.len() >= self.shared.capacity {
            if let Some((_, bell)) = &self.room {
                if !state.waiting.iter().any(|other| other.is(bell)) {
                    state.waiting.push(bell.clone());
                }
            }
            return Err(Refused::Full(message));
        }
        state.queue.push_back(message);
        Ok(())
    }

    /// Has `owner` woken when there is room again after a message was refused. What a doer says in
    /// its enter: `post.open(cx.net, cx.ask.owner())`.
    ///
    /// # Errors
    /// [`NetError::Unsupported`] on a net that wakes nobody.
    pub fn open(&mut self, net: &mut dyn Net, owner: Owner) -> Result<(), NetError> {
        self.close(net);
        let (group, bell) = (net.group(owner), Bell::new());
        if let Err(why) = net.hang(group, &bell) {
            net.close_group(group);
            return Err(why);
        }
        self.room = Some((group, bell));
        self.forget(net); // the mark that it begins with
        Ok(())
    }

    /// Wakes nobody any more. Does nothing when it is not open.
    pub fn close(&mut self, net: &mut dyn Net) {
        if let Some((group, bell)) = self.room.take() {
            bell.take_down();
            self.shared.state().waiting.retain(|other| !other.is(&bell));
            net.close_group(group);
        }
        self.waits = false;
    }

    /// No longer waits for room. Who is woken for room and has nothing more to send says so, or is
    /// woken again and again.
    pub fn forget(&mut self, net: &mut dyn Net) {
        let Some((group, bell)) = &self.room else {
            return;
        };
        if std::mem::take(&mut self.waits) {
            self.shared.state().waiting.retain(|other| !other.is(bell));
        }
        // Always: a ring may have been under way when it was last forgotten.
        self.ready.clear();
        net.ready(*group, &mut self.ready);
    }

    /// How many messages wait at most.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.shared.capacity
    }
}

impl<T: Letter> Post<T> {
    /// Puts on a tape what becomes of each message, so that the sender's run can be recorded and
    /// replayed. In a replay, the messages go nowhere.
    #[must_use]
    pub fn with_tape(mut self, tape: &Tape) -> Self {
        self.tape = Some(tape.clone());
        self
    }
}

impl<T> Clone for Post<T> {
    /// Another one to the same mailbox. It is not open.
    fn clone(&self) -> Self {
        let mut post = Self::new(&self.shared);
        post.tape = self.tape.clone();
        post
    }
}

impl<T> Drop for Post<T> {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        if let Some((_, bell)) = &self.room {
            bell.take_down();
            state.waiting.retain(|other| !other.is(bell));
        }
        state.posts -= 1;
        let last = state.posts == 0;
        drop(state);
        if last {
            self.shared.bell.nudge(); // no more comes
        }
    }
}

impl<T> fmt::Debug for Post<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Post")
            .field("capacity", &self.shared.capacity)
            .field("open", &self.room.is_some())
            .finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Refused<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "Full(..)",
            Self::Gone(_) => "Gone(..)",
        })
    }
}

impl<T> fmt::Display for Refused<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "the mailbox is full",
            Self::Gone(_) => "the mailbox is gone: its member has ended",
        })
    }
}

impl<T> std::error::Error for Refused<T> {}

const TAKEN: u8 = 0;
const FULL: u8 = 1;
const GONE: u8 = 2;
