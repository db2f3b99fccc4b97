use std::time::Duration;

use super::cx::Cx;
use super::deeds::Deeds;
use super::fault::Fault;
use crate::tyme::Tyme;

/// What a doer wants after a recur.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Again after the doer's own [`tock`](Doer::tock); at every tick when that is zero.
    Again,
    /// Again so long after it was due, this once. Zero means at every tick.
    After(Duration),
    /// When woken (a socket, a pipe, an id), or at the first tick that reaches the tyme.
    Park(Tyme),
    /// Never again: it has ended, with this result.
    Done(bool),
}

/// Something that is run tick by tick and touches the world only through what it is handed.
///
/// Its life (law O7): `enter`, then `recur` as often as it is due, then one of `clean` (it ended
/// by itself), `cease` (it was closed) or `abort` (it failed), then `exit`. Exit runs once per
/// enter in every path. A panic in a hook is a failure of that hook and is contained.
///
/// `A` is the program's own state, reached as [`Cx::app`].
///
/// ```
/// use hio::doing::prelude::*;
///
/// struct Countdown(u32);
///
/// impl Doer<Vec<u32>> for Countdown {
///     fn recur(&mut self, _tyme: Tyme, cx: &mut Cx<'_, Vec<u32>>) -> Result<Next, Fault> {
///         cx.app.push(self.0);
///         self.0 -= 1;
///         Ok(if self.0 == 0 { Done(true) } else { Again })
///     }
/// }
///
/// let mut doist = Doist::new(Vec::new()).with_pace(Pace::Asap);
/// let id = doist.add(Countdown(3));
/// assert_eq!(doist.run(&mut NullNet::default())?, Outcome::Done);
/// assert_eq!(doist.app, [3, 2, 1]);
/// assert_eq!(doist.ended(id), Some(Ended::Done(true)));
/// # Ok::<(), Fault>(())
/// ```
pub trait Doer<A: ?Sized = ()> {
    /// How long after it was due it is due again; zero (the default) is every tick.
    fn tock(&self) -> Duration {
        Duration::ZERO
    }

    /// Begins. `Again` (the default) is due in the scheduler's next pass, `After` that much
    /// later, `Park` when woken; `Done` ends it at once, with clean and exit.
    ///
    /// # Errors
    /// Any; the doer is aborted and the failure rises (law O8).
    fn enter(&mut self, _cx: &mut Cx<'_, A>) -> Result<Next, Fault> {
        Ok(Next::Again)
    }

    /// One turn. Never blocks.
    ///
    /// # Errors
    /// Any; the doer is aborted and the failure rises (law O8).
    fn recur(&mut self, tyme: Tyme, cx: &mut Cx<'_, A>) -> Result<Next, Fault>;

    /// It ended by itself.
    fn clean(&mut self, _cx: &mut Cx<'_, A>) {}

    /// It was closed.
    fn cease(&mut self, _cx: &mut Cx<'_, A>) {}

    /// It failed.
    fn abort(&mut self, _why: &Fault, _cx: &mut Cx<'_, A>) {}

    /// Its last hook in every path: gives back what `enter` took.
    fn exit(&mut self, _cx: &mut Cx<'_, A>) {}

    /// Its children, for a doer that is a parent of others. [`DoDoer`](super::DoDoer) is one.
    ///
    /// A parent of your own gives its [`Deeds`] here and in [`deeds_mut`](Self::deeds_mut), and
    /// calls `self.deeds.recur(tyme, cx)?` in its recur. The rest cannot be forgotten: the
    /// children are entered after its `enter` (unless that ends it) and closed, in reverse order,
    /// between its clean, cease or abort and its `exit` (law O5).
    ///
    /// ```
    /// use hio::doing::prelude::*;
    ///
    /// /// Runs its children until it has counted to three.
    /// #[derive(Default)]
    /// struct Thrice {
    ///     deeds: Deeds,
    ///     passes: u32,
    /// }
    ///
    /// impl Doer for Thrice {
    ///     fn deeds(&self) -> Option<&Deeds> {
    ///         Some(&self.deeds)
    ///     }
    ///     fn deeds_mut(&mut self) -> Option<&mut Deeds> {
    ///         Some(&mut self.deeds)
    ///     }
    ///     fn recur(&mut self, tyme: Tyme, cx: &mut Cx<'_>) -> Result<Next, Fault> {
    ///         self.deeds.recur(tyme, cx)?;
    ///         self.passes += 1;
    ///         Ok(if self.passes == 3 { Done(true) } else { Again })
    ///     }
    /// }
    ///
    /// let mut thrice = Thrice::default();
    /// thrice.deeds.add(doify(|_tyme, _cx: &mut Cx<'_>| Ok(Again)));
    /// let mut doist = Doist::new(()).with_pace(Pace::Asap);
    /// let id = doist.add(thrice);
    /// doist.run(&mut NullNet::default())?;
    /// assert_eq!(doist.get(id).map(|t| t.passes), Some(3));
    /// # Ok::<(), Fault>(())
    /// ```
    fn deeds(&self) -> Option<&Deeds<A>>
    where
        A: 'static,
    {
        None
    }

    /// Its children, to be changed. The same [`Deeds`] as in [`deeds`](Self::deeds).
    fn deeds_mut(&mut self) -> Option<&mut Deeds<A>>
    where
        A: 'static,
    {
        None
    }
}

/// How a doer's life ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// By itself, with its result.
    Done(bool),
    /// It was closed.
    Ceased,
    /// It failed.
    Aborted,
}

impl Ended {
    /// hio's `done`: true only for a doer that ended by itself with true.
    #[must_use]
    pub const fn done(self) -> bool {
        matches!(self, Self::Done(true))
    }
}
