use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use super::deed::{Deed, Mounted, Plain};
use super::doer::Doer;
use super::hub::{DoerId, Hub, NOBODY, Options};
use super::rng::Rng;
use crate::net::{Net, Owner, Probe};
use crate::tyme::Tyme;

/// What a doer is handed: all it can touch of the world.
///
/// The fields are public so that the borrow checker can split them:
/// `for job in cx.app.jobs.drain(..) { cx.ask.extend(job); }` compiles.
pub struct Cx<'a, A: ?Sized = ()> {
    /// The program's own state.
    pub app: &'a mut A,
    /// The only door to the outside.
    pub net: &'a mut dyn Net,
    /// This doer's own stream of random numbers.
    pub rng: Rng<'a>,
    /// Who it is, and what it may ask of its schedulers.
    pub ask: Ask<'a, A>,
}

impl<A: ?Sized> Cx<'_, A> {
    /// Where tyme stands: in a recur the same that it is handed, in the other hooks the only way
    /// to know.
    #[must_use]
    pub fn tyme(&self) -> Tyme {
        self.ask.hub.tyme
    }

    /// Until when it may take at most, while the Doist is [asked to drain](Ask::drain): nothing new
    /// is to be begun, what was begun is to be brought to its end. `None` in all other times.
    #[must_use]
    pub fn draining(&self) -> Option<Tyme> {
        self.ask.hub.drain
    }

    /// hio's `temp`: whether this doer was added with it, so that it keeps nothing for good.
    /// Never inherited by siblings or children.
    #[must_use]
    pub fn temp(&self) -> bool {
        let me = self.ask.me.get() as usize;
        self.ask.hub.origins.get(me).is_some_and(|o| o.options.temp)
    }

    /// A named place where a simulation may make something fail: whether it is to fail now.
    ///
    /// Always `false` outside of a simulation, at the cost of one call.
    pub fn fault(&mut self, name: &str) -> bool {
        self.probe(Probe::Fault(name))
    }

    /// What must hold whenever this place is passed. A simulation fails where it does not;
    /// elsewhere nothing happens.
    pub fn always(&mut self, holds: bool, name: &str) {
        self.probe(Probe::Always(name, holds));
    }

    /// What should hold here at least once in a campaign of simulations.
    pub fn sometimes(&mut self, holds: bool, name: &str) {
        self.probe(Probe::Sometimes(name, holds));
    }

    /// A place that should be passed at least once in a campaign of simulations.
    pub fn reachable(&mut self, name: &str) {
        self.probe(Probe::Reachable(name));
    }

    /// Puts a line into the trace and the diagram of a simulation, such as `became leader`.
    pub fn note(&mut self, text: &str) {
        self.probe(Probe::Note(text));
    }

    fn probe(&mut self, probe: Probe<'_>) -> bool {
        let me = self.ask.owner();
        self.net.probe(me, probe)
    }
}

impl<A: ?Sized> fmt::Debug for Cx<'_, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cx")
            .field("me", &self.ask.me())
            .finish_non_exhaustive()
    }
}

/// Who a doer is, and what it may ask (law O4).
///
/// A request goes to the parent, or with [`root`](Self::root) to the Doist. It is carried out when
/// the recur of the target's own child returns, in the order asked. A failing recur drops its
/// requests; in closing hooks only [`stop`](Self::stop) and [`wake`](Self::wake) count.
pub struct Ask<'a, A: ?Sized> {
    pub(super) hub: &'a mut Hub,
    pub(super) queue: &'a mut Vec<Request<A>>,
    pub(super) me: &'a Cell<u32>,
}

impl<A: ?Sized> fmt::Debug for Ask<'_, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ask")
            .field("me", &self.me())
            .finish_non_exhaustive()
    }
}

/// The id of a doer that is not entered at all: asked for in a closing hook.
pub(super) const NEVER_OPEN: DoerId = DoerId {
    index: NOBODY,
    generation: NOBODY,
};

/// Something asked of a scheduler further up.
pub(super) struct Request<A: ?Sized> {
    pub(super) root: bool,
    pub(super) what: What<A>,
}

pub(super) enum What<A: ?Sized> {
    Extend(Vec<New<A>>),
    Remove(Vec<DoerId>),
    Stop,
    Drain(Duration),
}

/// A doer that is to be entered.
pub(super) struct New<A: ?Sized> {
    pub(super) place: u32,
    /// Whose stream its own derives from, and its ordinal there.
    pub(super) parent: u32,
    pub(super) nth: u32,
    pub(super) deed: Box<dyn Deed<A>>,
}

impl<A: ?Sized> Ask<'_, A> {
    /// The doer that runs. It turns into the [`Owner`] for a group.
    #[must_use]
    pub fn me(&self) -> DoerId {
        self.hub.id(self.me.get())
    }

    /// The doer that runs, as the owner of a group of sockets.
    #[must_use]
    pub fn owner(&self) -> Owner {
        self.me().into()
    }

    /// Wakes a parked doer, whatever scheduler it is in, and all its parked ancestors (law P1).
    pub fn wake(&mut self, id: impl Into<DoerId>) {
        self.hub.wake(self.me.get(), id.into());
    }

    /// Asks the Doist to stop: no further doer of its pass runs, and all are closed (law O9).
    pub fn stop(&mut self) {
        if self.hub.closing > 0 {
            self.hub.stop = true;
            self.hub.attention = true;
        } else {
            self.push(Request {
                root: true,
                what: What::Stop,
            });
        }
    }

    /// Asks the Doist to drain: all who are parked are woken, and it stops when those who have
    /// [joined](Self::join_drain) are through, or when `limit` has passed. Asked again, the sooner
    /// limit counts.
    ///
    /// Everybody learns of it from [`Cx::draining`]. The rest is as with [`stop`](Self::stop).
    pub fn drain(&mut self, limit: Duration) {
        if self.hub.closing > 0 {
            let until = self.hub.tyme + limit;
            self.hub.drain(self.me.get(), until);
        } else {
            self.push(Request {
                root: true,
                what: What::Drain(limit),
            });
        }
    }

    /// Makes drains wait for this doer, until it has ended in whatever way or has
    /// [left](Self::leave_drain). Best said in enter: counts at once, also while a drain is under
    /// way.
    ///
    /// A doer that joins finishes what it has begun once [`Cx::draining`] tells of a drain, and then
    /// says `Done`.
    pub fn join_drain(&mut self) {
        self.hub.set_drains(self.me.get(), true);
    }

    /// Drains need not wait for this doer any more.
    pub fn leave_drain(&mut self) {
        self.hub.set_drains(self.me.get(), false);
        self.hub.attention = true;
    }

    pub(super) fn push(&mut self, request: Request<A>) {
        self.hub.attention = true;
        self.queue.push(request);
    }

    /// Drops what was asked from the given request on, and gives back the places that were meant
    /// for new doers.
    pub(super) fn forget(&mut self, from: usize) {
        while self.queue.len() > from {
            if let Some(Request {
                what: What::Extend(new),
                ..
            }) = self.queue.pop()
            {
                for New { place, .. } in &new {
                    self.hub.vacate(*place);
                }
            }
        }
    }
}

impl<A: ?Sized + 'static> Ask<'_, A> {
    /// Asks the parent to enter a doer.
    pub fn extend<D: Doer<A> + Send + 'static>(&mut self, doer: D) -> Id<D> {
        self.adding().extend(doer)
    }

    /// Asks the parent to enter a doer that lives on a part of the state.
    pub fn extend_on<B, F, D>(&mut self, lens: F, doer: D) -> Id<D>
    where
        B: ?Sized + 'static,
        F: Fn(&mut A) -> &mut B + Send + Sync + 'static,
        D: Doer<B> + Send + 'static,
    {
        self.adding().extend_on(lens, doer)
    }

    /// Asks the parent to enter several doers as one request: when one of them fails in enter,
    /// those before it are closed again.
    pub fn extend_all(&mut self, fill: impl FnOnce(&mut Batch<'_, A>)) {
        self.asking(false).extend_all(fill);
    }

    /// Asks the parent to close a doer. One that is not open there is ignored.
    pub fn remove(&mut self, id: impl Into<DoerId>) {
        self.remove_all(&[id.into()]);
    }

    /// Asks the parent to close several doers as one request, in reverse enter order.
    pub fn remove_all(&mut self, ids: &[DoerId]) {
        self.asking(false).remove_all(ids);
    }

    /// The same requests, to the Doist itself.
    pub fn root(&mut self) -> Asking<'_, A> {
        self.asking(true)
    }

    fn asking(&mut self, root: bool) -> Asking<'_, A> {
        Asking {
            root,
            hub: self.hub,
            queue: self.queue,
            me: self.me.get(),
        }
    }

    /// Begins a request to enter a doer with a name or options.
    pub fn named(&mut self, name: impl Into<String>) -> Adding<'_, A> {
        self.adding().named(name)
    }

    fn adding(&mut self) -> Adding<'_, A> {
        self.asking(false).adding()
    }
}

/// Requests to one target: made by [`Ask::root`].
pub struct Asking<'a, A: ?Sized> {
    root: bool,
    hub: &'a mut Hub,
    queue: &'a mut Vec<Request<A>>,
    me: u32,
}

impl<A: ?Sized> fmt::Debug for Asking<'_, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asking")
            .field("root", &self.root)
            .finish_non_exhaustive()
    }
}

impl<'a, A: ?Sized + 'static> Asking<'a, A> {
    /// Asks to enter a doer.
    pub fn extend<D: Doer<A> + Send + 'static>(self, doer: D) -> Id<D> {
        self.adding().extend(doer)
    }

    /// Asks to enter a doer that lives on a part of the state.
    pub fn extend_on<B, F, D>(self, lens: F, doer: D) -> Id<D>
    where
        B: ?Sized + 'static,
        F: Fn(&mut A) -> &mut B + Send + Sync + 'static,
        D: Doer<B> + Send + 'static,
    {
        self.adding().extend_on(lens, doer)
    }

    /// Asks to enter several doers as one request.
    pub fn extend_all(self, fill: impl FnOnce(&mut Batch<'_, A>)) {
        let Self {
            root,
            hub,
            queue,
            me,
        } = self;
        let mut batch = Batch {
            hub,
            me,
            new: Vec::new(),
        };
        fill(&mut batch);
        let new = std::mem::take(&mut batch.new);
        if batch.hub.closing == 0 && !new.is_empty() {
            batch.hub.attention = true;
            queue.push(Request {
                root,
                what: What::Extend(new),
            });
        }
    }

    /// Asks to close a doer.
    pub fn remove(self, id: impl Into<DoerId>) {
        self.remove_all(&[id.into()]);
    }

    /// Asks to close several doers as one request, in reverse enter order.
    pub fn remove_all(self, ids: &[DoerId]) {
        if self.hub.closing == 0 {
            self.hub.attention = true;
            self.queue.push(Request {
                root: self.root,
                what: What::Remove(ids.to_vec()),
            });
        }
    }

    /// Begins a request to enter a doer with a name or options.
    pub fn named(self, name: impl Into<String>) -> Adding<'a, A> {
        self.adding().named(name)
    }

    fn adding(self) -> Adding<'a, A> {
        Adding {
            asking: self,
            options: Options::default(),
            name: None,
        }
    }
}

/// A request to enter a doer, being made up.
pub struct Adding<'a, A: ?Sized> {
    asking: Asking<'a, A>,
    options: Options,
    name: Option<Box<str>>,
}

impl<A: ?Sized> fmt::Debug for Adding<'_, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Adding")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl<A: ?Sized + 'static> Adding<'_, A> {
    /// Its name, for faults and traces. Default: its type and ordinal.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into().into_boxed_str());
        self
    }

    /// Keeps the doer after its end, for `get` and `take`.
    #[must_use]
    pub const fn keep(mut self) -> Self {
        self.options.keep = true;
        self
    }

    /// hio's `temp`, seen as [`Cx::temp`].
    #[must_use]
    pub const fn temp(mut self, temp: bool) -> Self {
        self.options.temp = temp;
        self
    }

    /// Asks to enter it.
    pub fn extend<D: Doer<A> + Send + 'static>(self, doer: D) -> Id<D> {
        self.finish(Box::new(Plain(doer)))
    }

    /// Asks to enter it on a part of the state.
    pub fn extend_on<B, F, D>(self, lens: F, doer: D) -> Id<D>
    where
        B: ?Sized + 'static,
        F: Fn(&mut A) -> &mut B + Send + Sync + 'static,
        D: Doer<B> + Send + 'static,
    {
        self.finish(Box::new(Mounted::new(lens, doer)))
    }

    fn finish<D>(self, deed: Box<dyn Deed<A>>) -> Id<D> {
        let Self {
            asking,
            options,
            name,
        } = self;
        let mut id = NEVER_OPEN;
        asking.extend_all(|batch| id = batch.push(options, name, deed));
        Id::new(id)
    }
}

/// Several doers that are to be entered as one request.
pub struct Batch<'a, A: ?Sized> {
    pub(super) hub: &'a mut Hub,
    pub(super) me: u32,
    pub(super) new: Vec<New<A>>,
}

impl<A: ?Sized> fmt::Debug for Batch<'_, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch")
            .field("len", &self.new.len())
            .finish_non_exhaustive()
    }
}

impl<A: ?Sized + 'static> Batch<'_, A> {
    /// Adds a doer.
    pub fn add<D: Doer<A> + Send + 'static>(&mut self, doer: D) -> Id<D> {
        Id::new(self.push(Options::default(), None, Box::new(Plain(doer))))
    }

    /// Adds a doer with a name.
    pub fn add_named<D: Doer<A> + Send + 'static>(
        &mut self,
        name: impl Into<String>,
        doer: D,
    ) -> Id<D> {
        let name = Some(name.into().into_boxed_str());
        Id::new(self.push(Options::default(), name, Box::new(Plain(doer))))
    }

    /// Adds a doer that lives on a part of the state.
    pub fn add_on<B, F, D>(&mut self, lens: F, doer: D) -> Id<D>
    where
        B: ?Sized + 'static,
        F: Fn(&mut A) -> &mut B + Send + Sync + 'static,
        D: Doer<B> + Send + 'static,
    {
        Id::new(self.push(Options::default(), None, Box::new(Mounted::new(lens, doer))))
    }

    pub(super) fn push(
        &mut self,
        options: Options,
        name: Option<Box<str>>,
        deed: Box<dyn Deed<A>>,
    ) -> DoerId {
        if self.hub.closing > 0 {
            return NEVER_OPEN; // never open
        }
        let place = self.hub.settle(options, name);
        let nth = self.hub.birth(self.me);
        self.new.push(New {
            place,
            parent: self.me,
            nth,
            deed,
        });
        self.hub.id(place)
    }
}

/// The id of a doer of type `D`, for typed access.
pub struct Id<D> {
    id: DoerId,
    of: PhantomData<fn() -> D>,
}

impl<D> Id<D> {
    pub(super) const fn new(id: DoerId) -> Self {
        Self {
            id,
            of: PhantomData,
        }
    }

    /// The id without the type.
    #[must_use]
    pub const fn untyped(self) -> DoerId {
        self.id
    }
}

impl<D> From<Id<D>> for DoerId {
    fn from(id: Id<D>) -> Self {
        id.id
    }
}

impl<D> Clone for Id<D> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<D> Copy for Id<D> {}

impl<D> PartialEq for Id<D> {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl<D> Eq for Id<D> {}

impl<D> fmt::Debug for Id<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.id.fmt(f)
    }
}
