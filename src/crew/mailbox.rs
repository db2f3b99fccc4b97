use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use super::Letter;
use super::post::{Post, Shared};
use crate::doing::{Cx, Doer, Fault, Next};
use crate::net::{Group, Net, NetError, Owner, Sid, Tape};
use crate::tyme::Tyme;

/// A bounded queue of messages from other members, or from outside of the crew.
///
/// It is made before the crew runs; each sender gets a [`Post`], the receiver's builder the mailbox.
/// A builder that may run again, after a failure, gives its Doist a clone: clones are the same
/// mailbox, what waits in it is kept, and the one that was opened last is woken.
///
/// A doer [opens](Self::open) it in enter, takes messages until there are none and parks: it is
/// woken when one comes. [`MailDoer`] does just that.
///
/// Its capacity counts messages, not bytes. It is gone for good when its last clone is dropped: then
/// posts say so. Who sends learns nothing of what became of a message that was taken in.
///
/// ```
/// use hio::crew::{Crew, MailDoer, Mailbox};
/// use hio::doing::prelude::*;
///
/// let words = Mailbox::new(8);
/// let post = words.post();
/// let report = Crew::new()
///     .member("reader", move |_seat| {
///         let mut doist = Doist::new(Vec::new());
///         doist.add(MailDoer::new(words.clone(), |word, cx: &mut Cx<'_, Vec<String>>| {
///             cx.app.push(word);
///             Ok(())
///         }));
///         Ok(doist)
///     })
///     .member("writer", move |_seat| {
///         let mut post = post.clone();
///         let mut doist = Doist::new(());
///         doist.add(doify(move |_, cx: &mut Cx<'_>| {
///             Ok(Done(post.send(cx.net, "hello".to_owned()).is_ok()))
///         }));
///         Ok(doist)
///     })
///     .run()?;
/// assert!(report.is_well()); // the reader ended when no post was left
/// # Ok::<(), hio::crew::CrewError>(())
/// ```
pub struct Mailbox<T> {
    shared: Arc<Shared<T>>,
    group: Option<Group>,
    tape: Option<Taped<T>>,
    /// Kept for its storage.
    ready: Vec<Sid>,
}

/// A tape, and how messages are written on it.
struct Taped<T> {
    tape: Tape,
    write: fn(&T, &mut Vec<u8>),
    read: fn(&[u8]) -> Option<T>,
}

impl<T> Mailbox<T> {
    /// One for at most `capacity` messages, at least one.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            shared: Arc::new(Shared::new(capacity)),
            group: None,
            tape: None,
            ready: Vec::new(),
        }
    }

    /// Where messages for it are handed in. As many as wanted.
    #[must_use]
    pub fn post(&self) -> Post<T> {
        Post::new(&self.shared)
    }

    /// Has `owner` woken when messages come, and at once for those that came before. What a doer
    /// says in its enter: `mailbox.open(cx.net, cx.ask.owner())`.
    ///
    /// # Errors
    /// [`NetError::Unsupported`] on a net that wakes nobody.
    pub fn open(&mut self, net: &mut dyn Net, owner: Owner) -> Result<(), NetError> {
        self.close(net);
        let group = net.group(owner);
        if let Err(why) = net.hang(group, &self.shared.bell) {
            net.close_group(group);
            return Err(why);
        }
        self.group = Some(group);
        Ok(())
    }

    /// Wakes nobody any more; what comes waits. Does nothing when it is not open.
    pub fn close(&mut self, net: &mut dyn Net) {
        if let Some(group) = self.group.take() {
            self.shared.bell.take_down();
            net.close_group(group);
        }
    }

    /// Takes the oldest message out; `None` when there is none, and then its owner is woken when
    /// one comes. Take until `None`.
    pub fn take(&mut self, net: &mut dyn Net) -> Option<T> {
        let message = self.pop(net);
        if message.is_some() || self.group.is_none() {
            return message;
        }
        // The mark first: what comes now makes another one.
        self.leave(net);
        self.pop(net)
    }

    /// Leaves what is there for later: its owner is woken only for what comes from now on. Who is
    /// woken and cannot take says so, or is woken again and again; and takes when it can.
    pub fn leave(&mut self, net: &mut dyn Net) {
        if let Some(group) = self.group {
            self.ready.clear();
            net.ready(group, &mut self.ready);
        }
    }

    /// Takes one out if there is one. What it is, and whether, is input: it is on the tape.
    fn pop(&self, net: &mut dyn Net) -> Option<T> {
        let Some(Taped { tape, write, read }) = &self.tape else {
            return self.pop_now(net);
        };
        let mut message = None;
        let mut asked = false;
        let kept = tape.take("mail", || {
            asked = true;
            message = self.pop_now(net);
            let mut bytes = Vec::new();
            if let Some(message) = &message {
                bytes.push(1);
                write(message, &mut bytes);
            }
            bytes
        });
        match kept.as_deref() {
            Some([1, bytes @ ..]) if !asked => read(bytes),
            _ => message,
        }
    }

    fn pop_now(&self, net: &mut dyn Net) -> Option<T> {
        let (message, waiting) = {
            let mut state = self.shared.state();
            // In a simulation, what was put in and not rung for yet is still under way.
            if state.taken >= self.shared.bell.rung() {
                return None;
            }
            let message = state.queue.pop_front()?;
            state.taken += 1;
            (message, std::mem::take(&mut state.waiting))
        };
        for bell in waiting {
            net.ring(&bell);
        }
        Some(message)
    }

    /// Whether nothing waits and no post is left: nothing will ever come, unless
    /// [`post`](Self::post) makes another one. The last post's end wakes the owner.
    #[must_use]
    pub fn is_over(&self) -> bool {
        let over = || {
            let state = self.shared.state();
            state.posts == 0 && state.queue.is_empty()
        };
        match &self.tape {
            None => over(),
            Some(Taped { tape, .. }) => {
                let kept = tape.take("mailbox over", || vec![u8::from(over())]);
                kept.as_deref() == Some(&[1])
            }
        }
    }

    /// How many messages are in it, those under way included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shared.state().queue.len()
    }

    /// Whether no message is in it or under way.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many messages wait at most.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.shared.capacity
    }
}

impl<T: Letter> Mailbox<T> {
    /// Puts the messages on a tape as they are taken, so that the receiver's run can be recorded
    /// and replayed: give the same tape to its [`Record`](crate::net::Record), and in replay to its
    /// [`Replay`](crate::net::Replay). Without a tape a replay ends at the first message.
    #[must_use]
    pub fn with_tape(mut self, tape: &Tape) -> Self {
        self.tape = Some(Taped {
            tape: tape.clone(),
            write: T::write,
            read: T::read,
        });
        self
    }
}

impl<T> Clone for Mailbox<T> {
    /// The same mailbox, not opened by this clone.
    fn clone(&self) -> Self {
        self.shared.state().mailboxes += 1;
        let tape = self.tape.as_ref().map(|taped| Taped {
            tape: taped.tape.clone(),
            write: taped.write,
            read: taped.read,
        });
        Self {
            shared: Arc::clone(&self.shared),
            group: None,
            tape,
            ready: Vec::new(),
        }
    }
}

impl<T> Drop for Mailbox<T> {
    /// With the last one, what waited in it is dropped, and those who wait for room are told.
    fn drop(&mut self) {
        let mut state = self.shared.state();
        state.mailboxes -= 1;
        if state.mailboxes > 0 {
            return;
        }
        let waiting = std::mem::take(&mut state.waiting);
        let left = std::mem::take(&mut state.queue);
        drop(state);
        self.shared.bell.take_down();
        waiting.iter().for_each(crate::net::Bell::nudge);
        drop(left);
    }
}

impl<T> fmt::Debug for Mailbox<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailbox")
            .field("len", &self.len())
            .field("capacity", &self.shared.capacity)
            .field("open", &self.group.is_some())
            .finish_non_exhaustive()
    }
}

/// Calls a closure with each message of a [`Mailbox`], and is done when none will ever come.
///
/// It parks. At most 64 messages a turn are taken, so that others get theirs.
pub struct MailDoer<T, F> {
    mailbox: Mailbox<T>,
    each: F,
    message: PhantomData<fn(T)>,
}

impl<T, F> MailDoer<T, F> {
    /// Opens a mailbox in enter and closes it in exit. A failure of the closure is the doer's.
    ///
    /// ```
    /// use hio::crew::{MailDoer, Mailbox};
    /// use hio::doing::prelude::*;
    /// let mailbox = Mailbox::new(8);
    /// let mut post = mailbox.post();
    /// let mut doist = Doist::new(0);
    /// doist.add(MailDoer::new(mailbox, |n: u32, cx: &mut Cx<'_, u32>| {
    ///     cx.app.add_assign(n);
    ///     Ok(())
    /// }));
    /// let mut net = hio::net::MioNet::new()?;
    /// post.send(&mut net, 20)?;
    /// post.send(&mut net, 3)?;
    /// drop(post);
    /// doist.run(&mut net)?;
    /// assert_eq!(doist.app, 23);
    /// # use std::ops::AddAssign;
    /// # Ok::<(), Fault>(())
    /// ```
    pub const fn new<A: ?Sized>(mailbox: Mailbox<T>, each: F) -> Self
    where
        F: FnMut(T, &mut Cx<'_, A>) -> Result<(), Fault>,
    {
        Self {
            mailbox,
            each,
            message: PhantomData,
        }
    }
}

impl<A: ?Sized, T, F> Doer<A> for MailDoer<T, F>
where
    F: FnMut(T, &mut Cx<'_, A>) -> Result<(), Fault>,
{
    fn enter(&mut self, cx: &mut Cx<'_, A>) -> Result<Next, Fault> {
        self.mailbox.open(cx.net, cx.ask.owner())?;
        Ok(Next::Park(Tyme::NEVER))
    }

    fn recur(&mut self, _tyme: Tyme, cx: &mut Cx<'_, A>) -> Result<Next, Fault> {
        for _ in 0..EACH_TURN {
            let Some(message) = self.mailbox.take(cx.net) else {
                return Ok(match self.mailbox.is_over() {
                    true => Next::Done(true),
                    false => Next::Park(Tyme::NEVER),
                });
            };
            (self.each)(message, cx)?;
        }
        // The mark was not taken, or another one is to come: it is woken for the rest.
        Ok(Next::Park(Tyme::NEVER))
    }

    fn exit(&mut self, cx: &mut Cx<'_, A>) {
        self.mailbox.close(cx.net);
    }
}

impl<T, F> fmt::Debug for MailDoer<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MailDoer")
            .field("mailbox", &self.mailbox)
            .finish_non_exhaustive()
    }
}

/// Messages taken in one turn.
const EACH_TURN: usize = 64;
