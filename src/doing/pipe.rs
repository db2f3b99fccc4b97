use std::collections::VecDeque;

use super::cx::Ask;
use super::hub::DoerId;

/// A bounded queue between doers that wakes whoever waits at its other end.
///
/// It lives in the program's state. Who finds it empty (or full) is remembered and woken when it
/// moves, so `let Some(job) = cx.app.jobs.pop(&mut cx.ask) else { return Ok(Park(Tyme::NEVER)) }`
/// is all it takes to wait for it.
///
/// ```
/// use hio::doing::prelude::*;
/// use hio::doing::Pipe;
///
/// let mut doist = Doist::new(Pipe::new(2)).with_pace(Pace::Asap);
/// doist.add(doify(|_, cx: &mut Cx<'_, Pipe<u32>>| {
///     Ok(match cx.app.push(7, &mut cx.ask) {
///         Ok(()) => Done(true),
///         Err(_refused) => Park(Tyme::NEVER),
///     })
/// }));
/// doist.add(doify(|_, cx: &mut Cx<'_, Pipe<u32>>| {
///     let Some(seven) = cx.app.pop(&mut cx.ask) else { return Ok(Park(Tyme::NEVER)) };
///     Ok(Done(seven == 7))
/// }));
/// assert_eq!(doist.run(&mut NullNet::default())?, Outcome::Done);
/// # Ok::<(), Fault>(())
/// ```
#[derive(Clone, Debug)]
pub struct Pipe<T> {
    items: VecDeque<T>,
    capacity: usize,
    /// Who found it empty. Invariant: no id twice.
    readers: Vec<DoerId>,
    /// Who found it full. Invariant: no id twice.
    writers: Vec<DoerId>,
}

impl<T> Pipe<T> {
    /// A pipe for at most `capacity` items, at least one.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        let (readers, writers) = (Vec::new(), Vec::new());
        Self {
            items: VecDeque::new(),
            capacity: capacity.max(1),
            readers,
            writers,
        }
    }

    /// Puts an item in and wakes who waits for one.
    ///
    /// # Errors
    /// The item itself when the pipe is full; the asker is woken when there is room.
    pub fn push<A: ?Sized>(&mut self, item: T, ask: &mut Ask<'_, A>) -> Result<(), T> {
        if self.items.len() >= self.capacity {
            note(&mut self.writers, ask);
            return Err(item);
        }
        self.items.push_back(item);
        wake(&mut self.readers, ask);
        Ok(())
    }

    /// Takes the oldest item out and wakes who waits for room.
    ///
    /// With none there, the asker is woken when one comes.
    pub fn pop<A: ?Sized>(&mut self, ask: &mut Ask<'_, A>) -> Option<T> {
        let item = self.items.pop_front();
        if item.is_some() {
            wake(&mut self.writers, ask);
        } else {
            note(&mut self.readers, ask);
        }
        item
    }

    /// Looks at the oldest item.
    #[must_use]
    pub fn peek(&self) -> Option<&T> {
        self.items.front()
    }

    /// Items inside.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether nothing is inside.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Whether no more fits in.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.items.len() >= self.capacity
    }

    /// How many items it can hold.
    #[must_use]
    pub const fn capacity(&self) -> usize {
        self.capacity
    }
}

/// Remembers the asker. Those that have ended since are forgotten before the list grows, so it is
/// at most about twice as long as the most that ever waited at once.
fn note<A: ?Sized>(waiting: &mut Vec<DoerId>, ask: &Ask<'_, A>) {
    let me = ask.me();
    if waiting.contains(&me) {
        return;
    }
    if waiting.len() == waiting.capacity() {
        waiting.retain(|&id| ask.hub.is_open(id));
    }
    waiting.push(me);
}

fn wake<A: ?Sized>(waiting: &mut Vec<DoerId>, ask: &mut Ask<'_, A>) {
    for id in waiting.drain(..) {
        ask.wake(id);
    }
}
