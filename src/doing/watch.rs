use std::fmt;

use super::deeds::name_of;
use super::hub::{DoerId, Event, Hub, Kind};
use crate::tyme::Tyme;

/// Looks on while a [`Doist`](super::Doist) runs: given to it by
/// [`Doist::watch`](super::Doist::watch).
///
/// Hooks nest: a parent's recur has its children's inside it, so what began last is over first, also
/// after a panic. A doer that watchers have not heard of may recur, as they may come later than
/// it; its parents have begun before it even so, so their names make its path. A watcher that panics is shown
/// nothing more; the panic is returned when the run ends.
///
/// ```
/// use hio::doing::prelude::*;
/// use hio::doing::{Event, Seen, Watcher};
///
/// /// Prints the names of doers as they enter.
/// struct Roll;
///
/// impl Watcher for Roll {
///     fn begins(&mut self, doer: &Seen<'_>, hook: Event) {
///         if hook == Event::Enter {
///             println!("{} {}", doer.tyme(), doer.name());
///         }
///     }
/// }
///
/// let mut doist = Doist::new(()).with_pace(Pace::Asap);
/// doist.named("only").add(redo([Done(true)]));
/// doist.watch(Roll);
/// doist.run(&mut NullNet::default())?;
/// # Ok::<(), Fault>(())
/// ```
pub trait Watcher: Send {
    /// A hook of a doer is about to run.
    fn begins(&mut self, doer: &Seen<'_>, hook: Event) {
        let _ = (doer, hook);
    }

    /// The hook that began last is over, be it with a panic.
    fn ended(&mut self, tyme: Tyme, doer: DoerId, hook: Event) {
        let _ = (tyme, doer, hook);
    }

    /// The Doist begins a pass, or goes on with one that a budget cut.
    fn pass_begins(&mut self, tyme: Tyme, kind: Kind) {
        let _ = (tyme, kind);
    }

    /// The pass is over, or cut.
    fn pass_ended(&mut self, tyme: Tyme) {
        let _ = tyme;
    }
}

/// A doer as a [`Watcher`] sees it.
pub struct Seen<'a> {
    pub(super) tyme: Tyme,
    pub(super) id: DoerId,
    pub(super) place: u32,
    pub(super) label: &'a str,
    pub(super) hub: &'a Hub,
}

impl Seen<'_> {
    /// Where tyme stands.
    #[must_use]
    pub const fn tyme(&self) -> Tyme {
        self.tyme
    }

    /// Who it is.
    #[must_use]
    pub const fn id(&self) -> DoerId {
        self.id
    }

    /// Its name, without those of its parents. Makes a string.
    #[must_use]
    pub fn name(&self) -> String {
        name_of(self.hub, self.place, self.label)
    }
}

impl fmt::Debug for Seen<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seen")
            .field("id", &self.id)
            .field("tyme", &self.tyme)
            .finish_non_exhaustive()
    }
}
