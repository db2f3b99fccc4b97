//! Doers made from closures and iterators.

use std::fmt;

use super::cx::Cx;
use super::doer::{Doer, Next};
use super::fault::Fault;
use crate::tyme::Tyme;

/// A doer made from a closure, which is its recur: hio's `doify`.
///
/// ```
/// use hio::doing::prelude::*;
/// let mut doist = Doist::new(0u32).with_pace(Pace::Asap);
/// doist.add(doify(|_tyme, cx: &mut Cx<'_, u32>| {
///     *cx.app += 1;
///     Ok(if *cx.app == 5 { Done(true) } else { Again })
/// }));
/// doist.run(&mut NullNet::default())?;
/// assert_eq!(doist.app, 5);
/// # Ok::<(), Fault>(())
/// ```
pub const fn doify<F>(recur: F) -> Doify<F> {
    Doify { recur }
}

/// What [`doify`] makes.
pub struct Doify<F> {
    recur: F,
}

impl<F> fmt::Debug for Doify<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Doify")
    }
}

impl<A, F> Doer<A> for Doify<F>
where
    A: ?Sized,
    F: FnMut(Tyme, &mut Cx<'_, A>) -> Result<Next, Fault>,
{
    fn recur(&mut self, tyme: Tyme, cx: &mut Cx<'_, A>) -> Result<Next, Fault> {
        (self.recur)(tyme, cx)
    }
}

/// A doer made from an iterator of [`Next`], for hio's generator doers (ReDoer).
///
/// Each item is what one recur says. When the iterator ends without a `Done`, the doer ends with
/// true. It can be entered once: a second enter is an error, as iterators do not rewind.
pub fn redo<I>(steps: I) -> Redo<I::IntoIter>
where
    I: IntoIterator<Item = Next>,
{
    Redo {
        steps: steps.into_iter(),
        entered: false,
    }
}

/// What [`redo`] makes.
#[derive(Debug)]
pub struct Redo<I> {
    steps: I,
    entered: bool,
}

impl<A: ?Sized, I: Iterator<Item = Next>> Doer<A> for Redo<I> {
    fn enter(&mut self, _cx: &mut Cx<'_, A>) -> Result<Next, Fault> {
        if std::mem::replace(&mut self.entered, true) {
            return Err(Fault::msg(
                "a doer made from an iterator can be entered only once",
            ));
        }
        Ok(Next::Again)
    }

    fn recur(&mut self, _tyme: Tyme, _cx: &mut Cx<'_, A>) -> Result<Next, Fault> {
        Ok(self.steps.next().unwrap_or(Next::Done(true)))
    }
}
