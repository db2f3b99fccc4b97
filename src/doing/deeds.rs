//! The one scheduler type. Read `pass` first; `enter` and `close` are in files of their own.
//!
//! Slots stand in enter order and a doer that ended leaves a hole. Who is due is a bit in the
//! hub: in `always` (tock 0, the bit stays), `soon` (at the next tick) or `woken` (in the next
//! pass). A pass walks the bits upwards with a cursor, so whatever is set ahead of the cursor runs
//! in this pass and whatever is set behind it in the next (law P2), and nobody else is looked at
//! (law O10). Runs of tock-0 doers are a plain loop over a slice with one `Cx`. One `catch_unwind`
//! stands around the walk and is entered again after a panic.

mod close;
mod enter;
mod pass;

pub(super) use pass::Slice;

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::cx::{Batch, Cx, Id, NEVER_OPEN, New, Request};
use super::deed::{Deed, Gone, Mounted, Plain};
use super::doer::Doer;
use super::fault::{Fault, Hook, Misuse};
use super::hub::{DoerId, Hub, Kind, NOBODY, Options};
use super::supervise::{Supervisor, Verdict};
use crate::tyme::Tyme;
use crate::tyme::wheel::Wheel;

/// A scheduler: keeps doers in enter order and runs the due ones (laws O1 to O10).
///
/// A [`Doist`](super::Doist) and a [`DoDoer`](super::DoDoer) have one each; a parent of your own
/// has one too, and shows it to its scheduler by
/// [`Doer::deeds`].
///
/// Ids given out before the scheduler is entered for the first time, other than by a Doist, are
/// local to it: good for its own methods only.
pub struct Deeds<A: ?Sized + 'static = ()> {
    slots: Vec<Slot<A>>,
    /// Doers that are not open: the first list before its enter and after its end, and kept ones.
    shelf: Vec<Shelved<A>>,
    /// Places of the doers that were given local ids, once they have one.
    locals: Vec<u32>,
    wheel: Wheel,
    /// Entries of the wheel that still count.
    armed: usize,
    sched: u32,
    open: usize,
    born: u32,
    walk: Walk,
    supervisor: Option<Supervisor>,
}

/// How far a pass has come.
#[derive(Clone, Copy, Debug, Default)]
struct Walk {
    cursor: usize,
    /// Those behind it were entered meanwhile and wait for the next pass.
    end: usize,
    /// The pass was cut by a budget and goes on where it stopped.
    cut: bool,
    /// How many more doers may run in this slice.
    left: usize,
    /// How many may run in a whole slice.
    most: usize,
    /// When the slice ends on the net's clock.
    until: Tyme,
    /// How many faults had been collected before the doer that runs.
    collected: usize,
    /// How many requests there were before the doer that runs: those of the owner, and those that
    /// are on their way further up.
    asked: usize,
    /// The doer whose children these are.
    owner: u32,
    /// Something came up that the passes above must look at too.
    attention: bool,
}

struct Slot<A: ?Sized> {
    /// [`Gone`] once the doer has ended, so that the walk need not ask.
    deed: Box<dyn Deed<A>>,
    /// Timed: when it is due. Fresh: when it entered. Parked: when it is woken at the latest.
    due: Tyme,
    place: u32,
    state: State,
    /// Whether the wheel holds an entry for `due`.
    armed: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    /// Entered, not yet recurred: its base is its enter tyme (law O3).
    Fresh,
    /// Due at every tick.
    Always,
    Timed,
    Parked,
    Gone,
}

/// What there is to tell of an open doer beside what the hub knows.
pub(super) struct Standing {
    pub(super) state: State,
    pub(super) due: Tyme,
    /// Its turn in the pass that has begun is still to come.
    pub(super) waits: bool,
}

impl<A: ?Sized> Slot<A> {
    fn is_open(&self) -> bool {
        self.state != State::Gone
    }
}

struct Shelved<A: ?Sized> {
    /// `NOBODY` until there is a hub.
    place: u32,
    /// Its local id, `NOBODY` without.
    local: u32,
    ordinal: u32,
    name: Option<Box<str>>,
    options: Options,
    deed: Box<dyn Deed<A>>,
}

/// A step on the way down to a doer: its place and its slot there.
pub(super) type Stair = (u32, u32);

impl<A: ?Sized + 'static> fmt::Debug for Deeds<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deeds")
            .field("open", &self.open)
            .finish_non_exhaustive()
    }
}

impl<A: ?Sized + 'static> Default for Deeds<A> {
    fn default() -> Self {
        Self::new()
    }
}

impl<A: ?Sized + 'static> Deeds<A> {
    /// A scheduler without doers.
    #[must_use]
    pub fn new() -> Self {
        Self {
            slots: Vec::new(),
            shelf: Vec::new(),
            locals: Vec::new(),
            wheel: Wheel::new(crate::tyme::Tymist::TOCK),
            armed: 0,
            sched: NOBODY,
            open: 0,
            born: 0,
            walk: Walk::default(),
            supervisor: None,
        }
    }

    /// Adds a doer to the first list, to be entered with the scheduler.
    pub fn add<D: Doer<A> + Send + 'static>(&mut self, doer: D) -> Id<D> {
        Id::new(self.list(Options::default(), None, Box::new(Plain(doer))))
    }

    /// Adds a doer with a name to the first list.
    pub fn add_named<D: Doer<A> + Send + 'static>(
        &mut self,
        name: impl Into<String>,
        doer: D,
    ) -> Id<D> {
        let name = Some(name.into().into_boxed_str());
        Id::new(self.list(Options::default(), name, Box::new(Plain(doer))))
    }

    /// Adds a doer with hio's `temp`, seen as [`Cx::temp`], to the first list.
    pub fn add_temp<D: Doer<A> + Send + 'static>(&mut self, doer: D) -> Id<D> {
        let options = Options {
            temp: true,
            ..Options::default()
        };
        Id::new(self.list(options, None, Box::new(Plain(doer))))
    }

    /// Adds a doer that lives on a part of the state to the first list.
    pub fn add_on<B, F, D>(&mut self, lens: F, doer: D) -> Id<D>
    where
        B: ?Sized + 'static,
        F: Fn(&mut A) -> &mut B + Send + Sync + 'static,
        D: Doer<B> + Send + 'static,
    {
        Id::new(self.list(Options::default(), None, Box::new(Mounted::new(lens, doer))))
    }

    /// Decides what becomes of children that fail. Without it every failure rises (law O8).
    pub fn supervise(&mut self, decide: impl FnMut(Tyme, &Fault) -> Verdict + Send + 'static) {
        self.supervisor = Some(Box::new(decide));
    }

    /// How many doers are open.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.open
    }

    /// Whether no doer is open.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.open == 0
    }

    /// A doer of this scheduler, open or kept after its end.
    #[must_use]
    pub fn get<D: 'static>(&self, id: Id<D>) -> Option<&D> {
        self.reach(&[self.stair(id.into())])?.downcast_ref()
    }

    /// A doer of this scheduler, open or kept after its end.
    #[must_use]
    pub fn get_mut<D: 'static>(&mut self, id: Id<D>) -> Option<&mut D> {
        self.reach_mut(&[self.stair(id.into())])?.downcast_mut()
    }

    /// Whether the turn of the doer in a slot is still to come in a tick's pass that has begun.
    fn waits(&self, index: usize, hub: &Hub) -> bool {
        hub.kind == Kind::Tick && (self.walk.cursor..self.walk.end).contains(&index)
    }

    /// When the next child is due: the moment itself when that is the next tick,
    /// [`Tyme::NEVER`] when all are parked for good.
    #[must_use]
    pub fn soonest(&self, cx: &Cx<'_, A>) -> Tyme {
        self.soonest_in(cx.ask.hub)
    }

    pub(super) fn soonest_in(&self, hub: &Hub) -> Tyme {
        match hub.scheds.get(self.sched as usize) {
            Some(sched) if !sched.is_idle() => hub.tyme,
            _ => self.wheel.soonest(),
        }
    }

    /// The wheel works best when it knows how far apart ticks are.
    pub(super) fn set_tock(&mut self, tock: std::time::Duration) {
        self.wheel = Wheel::new(tock);
        self.rearm();
    }

    /// The id for the place of a first-list doer, when this scheduler gave out a local one.
    fn local(&self, id: DoerId) -> u32 {
        if id.generation == 0 {
            self.locals
                .get(id.index as usize)
                .copied()
                .unwrap_or(NOBODY)
        } else {
            id.index
        }
    }

    /// The id that a Doist knows for one that this scheduler gave out before it was entered.
    #[must_use]
    pub fn id<D>(&self, id: Id<D>, cx: &Cx<'_, A>) -> Id<D> {
        let known: DoerId = id.into();
        if known.generation == 0 {
            Id::new(cx.ask.hub.id(self.local(known)))
        } else {
            id
        }
    }

    /// Adds to the first list without a hub.
    fn list(&mut self, options: Options, name: Option<Box<str>>, deed: Box<dyn Deed<A>>) -> DoerId {
        // unwrap: the list is in memory, so its length fits.
        let local = u32::try_from(self.locals.len()).unwrap_or(NOBODY);
        self.locals.push(NOBODY);
        self.shelve_new(NOBODY, local, options, name, deed);
        DoerId {
            index: local,
            generation: 0,
        }
    }

    /// Adds to the first list of a Doist's own scheduler.
    pub(super) fn list_in(
        &mut self,
        hub: &mut Hub,
        options: Options,
        name: Option<Box<str>>,
        deed: Box<dyn Deed<A>>,
    ) -> DoerId {
        let options = Options {
            first: true,
            ..options
        };
        let place = hub.settle(options, name);
        let ordinal = self.shelve_new(place, NOBODY, options, None, deed);
        hub.origins[place as usize].ordinal = ordinal;
        hub.id(place)
    }

    fn shelve_new(
        &mut self,
        place: u32,
        local: u32,
        options: Options,
        name: Option<Box<str>>,
        deed: Box<dyn Deed<A>>,
    ) -> u32 {
        let ordinal = self.born;
        self.born += 1;
        let options = Options {
            first: true,
            ..options
        };
        self.shelf.push(Shelved {
            place,
            local,
            ordinal,
            name,
            options,
            deed,
        });
        ordinal
    }
}

/// A given name, or type and ordinal.
pub(super) fn name_of(hub: &Hub, place: u32, type_name: &str) -> String {
    if let Some(name) = hub.names.get(&place) {
        return name.to_string();
    }
    let bare = type_name.split('<').next().unwrap_or(type_name);
    let short = bare.rsplit("::").next().unwrap_or(bare);
    let ordinal = hub.origins.get(place as usize).map_or(0, |o| o.ordinal);
    format!("{short}{ordinal}")
}

/// Runs a closing hook. A panic in it is collected and goes no further (law O7).
///
/// The names of the doers it happened in are put to it on the way up.
pub(super) fn contain<A: ?Sized>(cx: &mut Cx<'_, A>, hook: Hook, f: impl FnOnce(&mut Cx<'_, A>)) {
    let me = cx.ask.me.get();
    let depth = cx.ask.hub.chain.len();
    let asked = cx.ask.queue.len();
    cx.ask.hub.closing += 1;
    let closing = cx.ask.hub.closing;
    let result = catch_unwind(AssertUnwindSafe(|| f(cx)));
    cx.ask.hub.closing = closing - 1;
    cx.ask.queue.truncate(asked);
    if let Err(panic) = result {
        cx.ask.me.set(me);
        cx.ask.hub.chain.truncate(depth);
        let fault = Fault::panicked(&*panic).during(hook, cx.ask.hub.tyme);
        cx.ask.hub.collect(fault);
    }
}

impl<A: ?Sized + 'static> Deeds<A> {
    fn held(&self, (place, slot): Stair) -> Option<&dyn Deed<A>> {
        match self.slots.get(slot as usize) {
            Some(open) if open.place == place && open.is_open() => Some(&*open.deed),
            _ => self
                .shelf
                .iter()
                .find(|s| s.place == place)
                .map(|s| &*s.deed),
        }
    }

    fn held_mut(&mut self, (place, slot): Stair) -> Option<&mut Box<dyn Deed<A>>> {
        match self.slots.get_mut(slot as usize) {
            Some(open) if open.place == place && open.is_open() => Some(&mut open.deed),
            _ => self
                .shelf
                .iter_mut()
                .find(|s| s.place == place)
                .map(|s| &mut s.deed),
        }
    }

    /// The way to a doer of this scheduler without the hub's help.
    fn stair(&self, id: DoerId) -> Stair {
        let place = self.local(id);
        let slot = self
            .slots
            .iter()
            .position(|s| s.place == place && s.is_open());
        (
            place,
            slot.and_then(|s| u32::try_from(s).ok()).unwrap_or(NOBODY),
        )
    }
}

/// Access to doers further down.
impl<A: ?Sized + 'static> Deeds<A> {
    pub(super) fn reach(&self, line: &[Stair]) -> Option<&dyn Any> {
        let (&stair, rest) = line.split_first()?;
        self.held(stair)?.reach(rest)
    }

    pub(super) fn reach_mut(&mut self, line: &[Stair]) -> Option<&mut dyn Any> {
        let (&stair, rest) = line.split_first()?;
        self.held_mut(stair)?.reach_mut(rest)
    }

    /// Takes a doer that is not open off the shelf.
    pub(super) fn take(&mut self, line: &[Stair]) -> Option<Box<dyn Any>> {
        let (&stair, rest) = line.split_first()?;
        if !rest.is_empty() {
            return self.held_mut(stair)?.take(rest);
        }
        let index = self.shelf.iter().position(|s| s.place == stair.0)?;
        Some(self.shelf.remove(index).deed.into_doer())
    }

    pub(super) fn label(&self, line: &[Stair]) -> Option<&'static str> {
        let (&stair, rest) = line.split_first()?;
        self.held(stair)?.label(rest)
    }

    /// How an open doer stands.
    pub(super) fn standing(&self, line: &[Stair], hub: &Hub) -> Option<Standing> {
        let (&stair, rest) = line.split_first()?;
        if !rest.is_empty() {
            return self.held(stair)?.standing(rest, hub);
        }
        let slot = self.slots.get(stair.1 as usize)?;
        (slot.place == stair.0 && slot.is_open()).then(|| Standing {
            state: slot.state,
            due: slot.due,
            waits: self.waits(stair.1 as usize, hub),
        })
    }
}

impl<A: ?Sized + 'static> Deeds<A> {
    /// Enters doers at once, as one step: when one fails, those before it are closed again.
    ///
    /// # Errors
    /// The failure of an enter; whether it rises is up to the caller.
    pub fn extend_all(
        &mut self,
        cx: &mut Cx<'_, A>,
        fill: impl FnOnce(&mut Batch<'_, A>),
    ) -> Result<(), Fault> {
        if self.sched == NOBODY && cx.ask.hub.closing == 0 {
            return Err(Fault::misuse(Misuse::NotEntered));
        }
        let me = cx.ask.me.get();
        let mut batch = Batch {
            hub: &mut *cx.ask.hub,
            me,
            new: Vec::new(),
        };
        fill(&mut batch);
        let new = batch.new;
        self.begin(new, cx, true)
    }

    /// Enters a doer at once; its first recur is in the next pass to begin.
    ///
    /// # Errors
    /// The failure of its enter; whether it rises is up to the caller.
    pub fn extend<D: Doer<A> + Send + 'static>(
        &mut self,
        doer: D,
        cx: &mut Cx<'_, A>,
    ) -> Result<Id<D>, Fault> {
        let mut id = Id::new(NEVER_OPEN);
        self.extend_all(cx, |batch| id = batch.add(doer))?;
        Ok(id)
    }

    /// Closes doers at once, in reverse enter order. Ids not open here are ignored.
    pub fn remove(&mut self, ids: &[DoerId], cx: &mut Cx<'_, A>) {
        let mut slots: Vec<usize> = ids
            .iter()
            .filter_map(|&id| {
                let place = cx.ask.hub.places.get(self.local(id) as usize)?;
                let known = id.generation == 0 || place.generation == id.generation;
                let slot = place.slot as usize;
                let here = known && place.sched == self.sched && slot < self.slots.len();
                (here && self.slots[slot].place == self.local(id)).then_some(slot)
            })
            .filter(|&slot| self.slots[slot].is_open())
            .collect();
        slots.sort_unstable();
        slots.dedup();
        for slot in slots.into_iter().rev() {
            self.cease(slot, cx);
        }
    }

    /// The ordinal of a doer that comes in for the first time.
    fn count_in(&mut self, place: u32, hub: &mut Hub) {
        let known = &mut hub.origins[place as usize];
        if known.ordinal == NOBODY {
            known.ordinal = self.born;
            self.born += 1;
        }
    }

    /// Brings a shelved doer into the shape of a new one, giving it a place when it has none.
    fn unshelve(&mut self, shelved: Shelved<A>, hub: &mut Hub, me: u32) -> New<A> {
        let Shelved {
            mut place,
            local,
            ordinal,
            name,
            options,
            deed,
        } = shelved;
        if place == NOBODY {
            place = hub.settle(options, name);
            hub.origins[place as usize].ordinal = ordinal;
            if let Some(known) = self.locals.get_mut(local as usize) {
                *known = place;
            }
        }
        New {
            place,
            parent: me,
            nth: hub.birth(me),
            deed,
        }
    }
}
