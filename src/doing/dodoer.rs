use std::fmt;
use std::time::Duration;

use super::cx::{Cx, Id};
use super::deeds::Deeds;
use super::doer::{Doer, Next};
use super::fault::Fault;
use super::supervise::Verdict;
use crate::tyme::Tyme;

/// hio's doer of doers: runs its children at its own tock and ends with the last of them.
///
/// With a tock of zero it parks until its soonest child, so that idle children cost nothing.
///
/// ```
/// use hio::doing::prelude::*;
/// let mut pair: DoDoer = DoDoer::new();
/// pair.add(redo([Again, Done(true)]));
/// pair.add(redo([Again, Again, Done(true)]));
/// let mut doist = Doist::new(()).with_pace(Pace::Asap);
/// doist.add(pair);
/// assert_eq!(doist.run(&mut NullNet::default())?, Outcome::Done);
/// # Ok::<(), Fault>(())
/// ```
pub struct DoDoer<A: ?Sized + 'static = ()> {
    deeds: Deeds<A>,
    tock: Duration,
    always: bool,
}

impl<A: ?Sized + 'static> fmt::Debug for DoDoer<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DoDoer")
            .field("deeds", &self.deeds)
            .field("tock", &self.tock)
            .finish()
    }
}

impl<A: ?Sized + 'static> Default for DoDoer<A> {
    fn default() -> Self {
        Self::new()
    }
}

impl<A: ?Sized + 'static> DoDoer<A> {
    /// One without children.
    #[must_use]
    pub fn new() -> Self {
        Self {
            deeds: Deeds::new(),
            tock: Duration::ZERO,
            always: false,
        }
    }

    /// Runs its children only so often.
    #[must_use]
    pub const fn with_tock(mut self, tock: Duration) -> Self {
        self.tock = tock;
        self
    }

    /// Goes on when no child is left, for those that are extended later.
    #[must_use]
    pub const fn always(mut self) -> Self {
        self.always = true;
        self
    }

    /// Decides what becomes of children that fail.
    #[must_use]
    pub fn supervised(
        mut self,
        decide: impl FnMut(Tyme, &Fault) -> Verdict + Send + 'static,
    ) -> Self {
        self.deeds.supervise(decide);
        self
    }

    /// Adds a child to the first list.
    pub fn add<D: Doer<A> + Send + 'static>(&mut self, doer: D) -> Id<D> {
        self.deeds.add(doer)
    }

    /// Adds a child with a name to the first list.
    pub fn add_named<D: Doer<A> + Send + 'static>(
        &mut self,
        name: impl Into<String>,
        doer: D,
    ) -> Id<D> {
        self.deeds.add_named(name, doer)
    }

    /// Adds a child with hio's `temp`, seen as [`Cx::temp`], to the first list.
    pub fn add_temp<D: Doer<A> + Send + 'static>(&mut self, doer: D) -> Id<D> {
        self.deeds.add_temp(doer)
    }

    /// Adds a child that lives on a part of the state to the first list.
    pub fn add_on<B, F, D>(&mut self, lens: F, doer: D) -> Id<D>
    where
        B: ?Sized + 'static,
        F: Fn(&mut A) -> &mut B + Send + Sync + 'static,
        D: Doer<B> + Send + 'static,
    {
        self.deeds.add_on(lens, doer)
    }
}

impl<A: ?Sized + 'static> Doer<A> for DoDoer<A> {
    fn deeds(&self) -> Option<&Deeds<A>> {
        Some(&self.deeds)
    }

    fn deeds_mut(&mut self) -> Option<&mut Deeds<A>> {
        Some(&mut self.deeds)
    }

    fn tock(&self) -> Duration {
        self.tock
    }

    fn recur(&mut self, tyme: Tyme, cx: &mut Cx<'_, A>) -> Result<Next, Fault> {
        let next = self.deeds.recur(tyme, cx)?;
        Ok(match next {
            Next::Done(_) if !self.always => next,
            _ if !self.tock.is_zero() => Next::Again,
            _ => Next::Park(self.deeds.soonest(cx)),
        })
    }
}
