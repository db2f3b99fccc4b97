use core::fmt;
use core::ops::{Deref, DerefMut};
use core::time::Duration;

use super::Tyme;

/// Deadlines that are nested like the scopes that set them: of those that are open, the soonest
/// counts, which need not be the innermost.
///
/// There is no hidden stack: this value is handed to whatever is to keep to it. It is plain data on
/// tyme, so it means the same in simulation. [`scope`](Self::scope) sets one for as long as a guard
/// lives; [`push`](Self::push) and [`pop`](Self::pop) do it by hand, for state machines.
///
/// ```
/// use hio::tyme::{Deadlines, HasDeadlines, Tyme};
/// use std::time::Duration;
/// let mut deadlines = Deadlines::new();
/// let start = Tyme::from_secs(10);
/// let mut request = deadlines.scope("request", start, Duration::from_secs(2));
/// {
///     let read = request.scope("read", start, Duration::from_secs(5));
///     assert_eq!(read.soonest(), Tyme::from_secs(12)); // the outer one
/// }
/// assert_eq!(request.check(Tyme::from_secs(12)).unwrap_err().name, "request");
/// # let _ = request.cancel(start);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Deadlines {
    /// In the order they were set.
    open: Vec<Deadline>,
    next: u64,
}

#[derive(Clone, Copy, Debug)]
struct Deadline {
    id: DeadlineId,
    name: &'static str,
    at: Tyme,
}

/// One deadline of a [`Deadlines`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeadlineId(u64);

/// A deadline that has passed: which one, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("deadline {name:?} passed at {at}")]
pub struct Expired {
    /// Which one.
    pub id: DeadlineId,
    /// Its name.
    pub name: &'static str,
    /// When it passed.
    pub at: Tyme,
}

impl Deadlines {
    /// Without any.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            open: Vec::new(),
            next: 0,
        }
    }

    /// Sets a deadline, `within` from `tyme`. A duration that leads beyond the end of tyme never
    /// passes. Names are for errors and need not be unique.
    pub fn push(&mut self, name: &'static str, tyme: Tyme, within: Duration) -> DeadlineId {
        let id = DeadlineId(self.next);
        self.next += 1;
        let at = tyme + within;
        self.open.push(Deadline { id, name, at });
        id
    }

    /// Ends the scope of a deadline, passed or not, and of no other. False when it is not open.
    pub fn pop(&mut self, id: DeadlineId) -> bool {
        let before = self.open.len();
        self.open.retain(|deadline| deadline.id != id);
        self.open.len() < before
    }

    /// Takes a deadline away before its scope ends; all others stay. Again, or after its scope has
    /// ended, it does nothing.
    ///
    /// # Errors
    /// It had passed already: it stays, and goes on to fail what is done in its scope.
    pub fn cancel(&mut self, id: DeadlineId, tyme: Tyme) -> Result<(), Expired> {
        match self.open.iter().find(|deadline| deadline.id == id) {
            Some(deadline) if deadline.at <= tyme => Err(deadline.expired()),
            _ => {
                self.pop(id);
                Ok(())
            }
        }
    }

    /// When the next one passes: [`Tyme::NEVER`] without any.
    #[must_use]
    pub fn soonest(&self) -> Tyme {
        self.first().map_or(Tyme::NEVER, |deadline| deadline.at)
    }

    /// Looks whether all of them are still to come.
    ///
    /// # Errors
    /// The one that passed first; of several at that moment, the outermost.
    pub fn check(&self, tyme: Tyme) -> Result<(), Expired> {
        match self.first() {
            Some(deadline) if deadline.at <= tyme => Err(deadline.expired()),
            _ => Ok(()),
        }
    }

    /// How many are open.
    #[must_use]
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Whether none is open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    fn first(&self) -> Option<&Deadline> {
        self.open
            .iter()
            .filter(|deadline| !deadline.at.is_never())
            .min_by_key(|deadline| (deadline.at, deadline.id))
    }
}

impl Deadline {
    const fn expired(&self) -> Expired {
        Expired {
            id: self.id,
            name: self.name,
            at: self.at,
        }
    }
}

/// What keeps to deadlines, and can be given one for a scope.
pub trait HasDeadlines {
    /// The deadlines it keeps to.
    fn deadlines_mut(&mut self) -> &mut Deadlines;

    /// Sets a deadline until the guard is dropped. The guard stands for what it was made of, so
    /// scopes nest; each takes away its own deadline only.
    fn scope(
        &mut self,
        name: &'static str,
        tyme: Tyme,
        within: Duration,
    ) -> DeadlineScope<'_, Self> {
        let id = self.deadlines_mut().push(name, tyme, within);
        DeadlineScope { of: self, id }
    }
}

impl HasDeadlines for Deadlines {
    fn deadlines_mut(&mut self) -> &mut Deadlines {
        self
    }
}

/// A deadline that is open as long as this lives, on `T`, which it stands for.
///
/// Made by [`HasDeadlines::scope`].
#[must_use = "its deadline ends where it is dropped"]
pub struct DeadlineScope<'a, T: HasDeadlines + ?Sized> {
    of: &'a mut T,
    id: DeadlineId,
}

impl<T: HasDeadlines + ?Sized> DeadlineScope<'_, T> {
    /// Its deadline, to be cancelled from inside an inner scope.
    #[must_use]
    pub const fn id(&self) -> DeadlineId {
        self.id
    }

    /// As [`Deadlines::cancel`].
    ///
    /// # Errors
    /// It had passed already, and stays.
    pub fn cancel(&mut self, tyme: Tyme) -> Result<(), Expired> {
        self.of.deadlines_mut().cancel(self.id, tyme)
    }
}

impl<T: HasDeadlines + ?Sized> Deref for DeadlineScope<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        self.of
    }
}

impl<T: HasDeadlines + ?Sized> DerefMut for DeadlineScope<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.of
    }
}

impl<T: HasDeadlines + ?Sized> Drop for DeadlineScope<'_, T> {
    fn drop(&mut self) {
        self.of.deadlines_mut().pop(self.id);
    }
}

impl<T: HasDeadlines + fmt::Debug + ?Sized> fmt::Debug for DeadlineScope<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of: &T = self.of;
        f.debug_struct("DeadlineScope")
            .field("id", &self.id)
            .field("of", &of)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(secs: u64) -> Tyme {
        Tyme::from_secs(secs)
    }

    const fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn the_soonest_counts_wherever_it_is_nested() {
        let mut deadlines = Deadlines::new();
        assert_eq!(
            (deadlines.soonest(), deadlines.check(Tyme::NEVER)),
            (Tyme::NEVER, Ok(()))
        );
        for (outer, inner, name) in [(5, 9, "outer"), (9, 5, "inner"), (5, 5, "outer")] {
            let mut scope = deadlines.scope("outer", at(1), secs(outer));
            let scope = scope.scope("inner", at(1), secs(inner));
            assert_eq!(scope.soonest(), at(6));
            assert_eq!(scope.check(Tyme::from_nanos(at(6).as_nanos() - 1)), Ok(()));
            let why = scope.check(at(6)).unwrap_err();
            assert_eq!((why.name, why.at), (name, at(6)));
            assert_eq!(scope.check(at(100)), Err(why), "which one does not change");
        }
        assert!(deadlines.is_empty());
    }

    #[test]
    fn cancel_takes_away_only_its_own_and_once_is_enough() {
        let mut deadlines = Deadlines::new();
        let mut outer = deadlines.scope("outer", at(0), secs(3));
        let outer_id = outer.id();
        let mut inner = outer.scope("inner", at(0), secs(1));
        assert_eq!(inner.cancel(at(0)), Ok(()));
        assert_eq!((inner.cancel(at(0)), inner.cancel(at(9))), (Ok(()), Ok(())));
        assert_eq!(inner.soonest(), at(3));
        // An outer one leaves those inside it.
        let inmost = inner.deadlines_mut().push("inmost", at(0), secs(2));
        assert_eq!(inner.soonest(), at(2));
        let mut all = inner.deadlines_mut().clone();
        assert_eq!(all.cancel(outer_id, at(1)), Ok(()));
        assert_eq!(
            (all.soonest(), all.pop(inmost), all.len()),
            (at(2), true, 0)
        );
        assert!(inner.deadlines_mut().pop(inmost));
        // The outer one from inside: the inner is gone, nothing is left.
        assert_eq!(inner.deadlines_mut().cancel(outer_id, at(2)), Ok(()));
        assert_eq!(inner.len(), 0);
        drop(inner);
        drop(outer);
        assert!(!deadlines.pop(outer_id), "already gone");
    }

    #[test]
    fn what_has_passed_before_it_is_cancelled_stays_an_error() {
        let mut deadlines = Deadlines::new();
        let mut scope = deadlines.scope("late", at(0), secs(1));
        let why = scope.cancel(at(1)).unwrap_err();
        assert_eq!((why.name, scope.check(at(2))), ("late", Err(why)));
        assert_eq!(scope.cancel(at(2)), Err(why));
        assert_eq!(why.to_string(), "deadline \"late\" passed at 1s");
        drop(scope);
        assert_eq!(deadlines.check(at(2)), Ok(()), "the scope takes it along");
    }

    #[test]
    fn scopes_end_in_any_order_by_hand() {
        let mut deadlines = Deadlines::new();
        let ids = [4, 2, 3].map(|n| deadlines.push("x", at(0), secs(n)));
        assert_eq!(deadlines.soonest(), at(2));
        assert!(deadlines.pop(ids[1]));
        assert_eq!(deadlines.soonest(), at(3));
        assert!(deadlines.pop(ids[0]) && !deadlines.pop(ids[0]));
        assert_eq!((deadlines.soonest(), deadlines.len()), (at(3), 1));
    }

    #[test]
    fn one_beyond_the_end_of_tyme_never_passes() {
        let mut deadlines = Deadlines::new();
        deadlines.push("far", at(1), Duration::MAX);
        assert_eq!(deadlines.check(Tyme::NEVER), Ok(()));
        assert_eq!(deadlines.soonest(), Tyme::NEVER);
    }
}
