//! What all schedulers of one Doist share, whatever their doers are made of: who is where, who is
//! woken, and what went wrong.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use super::bits::Bits;
use super::deed::Deed;
use super::doer::Ended;
use super::fault::Fault;
use super::stats::{Busy, Count, Totals};
use super::watch::{Seen, Watcher};
use crate::net::Owner;
use crate::tyme::Tyme;

/// No place: the Doist itself, or a doer that never was.
pub(super) const NOBODY: u32 = u32::MAX;
/// Results of doers that are gone stay readable until so many more have ended.
pub(super) const RESULTS_KEPT: usize = 1024;

/// A doer, for ever: ids are not reused. It turns into the [`Owner`] that a net wakes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DoerId {
    pub(super) index: u32,
    /// 0 marks an id that is local to the Deeds that gave it out before it was entered.
    pub(super) generation: u32,
}

impl fmt::Debug for DoerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DoerId({}.{})", self.index, self.generation)
    }
}

impl From<DoerId> for Owner {
    fn from(id: DoerId) -> Self {
        Self(u64::from(id.generation) << 32 | u64::from(id.index))
    }
}

impl From<Owner> for DoerId {
    #[expect(clippy::cast_possible_truncation, reason = "the halves of the number")]
    fn from(owner: Owner) -> Self {
        Self {
            index: owner.0 as u32,
            generation: (owner.0 >> 32) as u32,
        }
    }
}

/// What an observer is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// It is about to enter.
    Enter,
    /// It is about to recur.
    Recur,
    /// It ended by itself.
    Clean,
    /// It is being closed.
    Cease,
    /// It failed.
    Abort,
    /// Its last hook.
    Exit,
}

/// Where a doer is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    Unborn,
    Open,
    Parked,
    Ended(Ended),
}

/// What the hub must know of a doer to wake it: 16 bytes, so that a wake reads one cache line.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) generation: u32,
    pub(super) sched: u32,
    pub(super) slot: u32,
    pub(super) life: Life,
    /// Woken while it ran.
    pub(super) rewake: bool,
}

/// What else the hub knows of the doer at a place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin {
    /// How many doers came before it in its scheduler; part of its default name.
    pub(super) ordinal: u32,
    /// How many doers it brought in.
    pub(super) births: u32,
    pub(super) options: Options,
    /// A drain waits for its end.
    pub(super) drains: bool,
}

/// What was said of a doer when it was added.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Options {
    pub(super) keep: bool,
    pub(super) temp: bool,
    /// Belongs to the first list of its scheduler.
    pub(super) first: bool,
}

/// Who is due in one scheduler, by slot.
#[derive(Debug, Default)]
pub(super) struct Sched {
    /// The doer whose children these are.
    pub(super) owner: u32,
    /// At every tick.
    pub(super) always: Bits,
    /// At the next tick, once.
    pub(super) soon: Bits,
    /// In the next pass, once, whether a tick's or not.
    pub(super) woken: Bits,
    /// Passes of ticks that have begun, which is how often each doer has run that is due at every
    /// tick: see [`Count`].
    pub(super) passes: u64,
    /// When the last of them began, and the one before.
    pub(super) passed: [Tyme; 2],
}

impl Sched {
    pub(super) fn forget(&mut self, slot: usize) {
        self.always.remove(slot);
        self.soon.remove(slot);
        self.woken.remove(slot);
    }

    /// Whether nobody is due.
    #[inline]
    pub(super) fn is_idle(&self) -> bool {
        self.always.is_empty() && self.soon.is_empty() && self.woken.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.always.clear();
        self.soon.clear();
        self.woken.clear();
    }
}

/// What begins a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A tick: everyone who is due.
    Tick,
    /// Readiness between two ticks: only who is woken (law P4).
    Wake,
}

type Observer = Box<dyn FnMut(Tyme, DoerId, Event) + Send>;

/// The state that all schedulers of one Doist share.
pub(super) struct Hub {
    /// Something happened that the running passes must look at: a request, a wake, a stop.
    pub(super) attention: bool,
    pub(super) stop: bool,
    /// A drain is under way, until this tyme at most.
    pub(super) drain: Option<Tyme>,
    /// Open doers that a drain waits for. Invariant: as many as have `drains`.
    pub(super) drainers: u32,
    pub(super) kind: Kind,
    pub(super) tyme: Tyme,
    /// How many closing hooks are under way: in them only stop and wake count (law O4).
    pub(super) closing: u32,
    /// The doers whose recur or enter is under way, without the innermost.
    pub(super) chain: Vec<u32>,
    pub(super) places: Vec<Place>,
    /// Invariant: one for each place.
    pub(super) origins: Vec<Origin>,
    free: VecDeque<u32>,
    pub(super) scheds: Vec<Sched>,
    free_scheds: Vec<u32>,
    pub(super) names: BTreeMap<u32, Box<str>>,
    /// How many doers the Doist itself brought in.
    pub(super) births: u32,
    /// Failures of closing hooks; the run returns them when it ends (law O7).
    pub(super) collected: Vec<Fault>,
    /// Whether each recur is observed or measured.
    pub(super) watched: bool,
    pub(super) observer: Option<Observer>,
    pub(super) watchers: Vec<Box<dyn Watcher>>,
    /// What recurs took, by place, if that is measured.
    pub(super) busy: Option<Vec<Busy>>,
    /// By place, as far as there is something to note.
    pub(super) counts: Vec<Count>,
    pub(super) totals: Totals,
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub")
            .field("tyme", &self.tyme)
            .finish_non_exhaustive()
    }
}

impl Hub {
    pub(super) fn new() -> Self {
        Self {
            attention: false,
            stop: false,
            drain: None,
            drainers: 0,
            kind: Kind::Tick,
            tyme: Tyme::ZERO,
            closing: 0,
            chain: Vec::new(),
            places: Vec::new(),
            origins: Vec::new(),
            free: VecDeque::new(),
            scheds: Vec::new(),
            free_scheds: Vec::new(),
            names: BTreeMap::new(),
            births: 0,
            collected: Vec::new(),
            watched: false,
            observer: None,
            watchers: Vec::new(),
            busy: None,
            counts: Vec::new(),
            totals: Totals::default(),
        }
    }

    // ---- who is who

    /// A place for a doer that is not entered yet.
    pub(super) fn settle(&mut self, options: Options, name: Option<Box<str>>) -> u32 {
        let mut place = Place {
            generation: 1,
            sched: NOBODY,
            slot: 0,
            life: Life::Unborn,
            rewake: false,
        };
        let origin = Origin {
            ordinal: NOBODY,
            births: 0,
            options,
            drains: false,
        };
        let index = if self.free.len() > RESULTS_KEPT {
            self.free.pop_front()
        } else {
            None
        };
        let index = if let Some(index) = index {
            let old = &mut self.places[index as usize];
            place.generation = old.generation.wrapping_add(1).max(1);
            *old = place;
            self.origins[index as usize] = origin;
            self.names.remove(&index);
            index
        } else {
            self.places.push(place);
            self.origins.push(origin);
            // unwrap: 2^32 places of 32 bytes are more memory than a process has.
            u32::try_from(self.places.len() - 1).unwrap_or(NOBODY)
        };
        if let Some(busy) = self.busy.as_mut().and_then(|b| b.get_mut(index as usize)) {
            *busy = Busy::default();
        }
        if let Some(count) = self.counts.get_mut(index as usize) {
            *count = Count::default();
        }
        if let Some(name) = name {
            self.names.insert(index, name);
        }
        index
    }

    /// Gives a place back: the doer is gone, only its result stays for a while.
    pub(super) fn vacate(&mut self, place: u32) {
        self.free.push_back(place);
    }

    pub(super) fn id(&self, place: u32) -> DoerId {
        let generation = self
            .places
            .get(place as usize)
            .map_or(u32::MAX, |p| p.generation);
        DoerId {
            index: place,
            generation,
        }
    }

    /// The place of an id that is still remembered.
    pub(super) fn place(&self, id: DoerId) -> Option<&Place> {
        self.places
            .get(id.index as usize)
            .filter(|p| p.generation == id.generation)
    }

    pub(super) fn is_open(&self, id: DoerId) -> bool {
        let life = self.place(id).map(|p| p.life);
        matches!(life, Some(Life::Open | Life::Parked))
    }

    /// The doers from the root's child down to `place`.
    pub(super) fn lineage(&self, place: u32) -> Vec<u32> {
        let mut line = vec![place];
        let mut above = self.owner_of(place);
        while let Some(place) = above {
            line.push(place);
            above = self.owner_of(place);
        }
        line.reverse();
        line
    }

    fn owner_of(&self, place: u32) -> Option<u32> {
        let sched = self.places.get(place as usize)?.sched;
        let owner = self.scheds.get(sched as usize)?.owner;
        (owner != NOBODY).then_some(owner)
    }

    /// The next ordinal below a doer, or below the Doist.
    pub(super) fn birth(&mut self, parent: u32) -> u32 {
        let births = match self.origins.get_mut(parent as usize) {
            Some(origin) => &mut origin.births,
            None => &mut self.births,
        };
        *births += 1;
        *births - 1
    }

    pub(super) fn open_sched(&mut self, owner: u32) -> u32 {
        if let Some(sched) = self.free_scheds.pop() {
            self.scheds[sched as usize].owner = owner;
            self.scheds[sched as usize].passes = 0;
            return sched;
        }
        self.scheds.push(Sched {
            owner,
            ..Sched::default()
        });
        // unwrap: as for places.
        u32::try_from(self.scheds.len() - 1).unwrap_or(NOBODY)
    }

    pub(super) fn close_sched(&mut self, sched: u32) {
        self.scheds[sched as usize].clear();
        self.free_scheds.push(sched);
    }

    // ---- waking

    /// Wakes a doer: `me` is the one that runs. Only a parked one can be woken (law P1).
    /// Says whether the Doist's own scheduler has somebody to run for it between two ticks.
    pub(super) fn wake(&mut self, me: u32, id: DoerId) -> bool {
        let runs = self.runs(me, id.index);
        let Some(place) = self.places.get_mut(id.index as usize) else {
            return false;
        };
        if place.generation != id.generation {
            return false;
        }
        if runs {
            place.rewake = true; // counts once its recur has returned
            self.attention = true;
            false
        } else {
            place.life == Life::Parked && self.mark(me, id.index)
        }
    }

    /// Whether the recur or enter of a doer is under way.
    #[inline]
    fn runs(&self, me: u32, place: u32) -> bool {
        place == me || (!self.chain.is_empty() && self.chain.contains(&place))
    }

    /// Marks a parked doer and all its parked ancestors (law P1). Says whether the Doist's own
    /// scheduler can run it for that between two ticks.
    ///
    /// Below an ancestor that is not parked it waits until that one is due. Those further up are
    /// told once: as long as a socket is ready it is marked again and again, and running them for
    /// nothing each time would be a busy loop.
    pub(super) fn mark(&mut self, me: u32, place: u32) -> bool {
        self.attention = true;
        let (mut place, mut reaches) = (place, true);
        let Place { sched, slot, .. } = self.places[place as usize];
        let again = self.scheds[sched as usize].woken.contains(slot as usize);
        loop {
            let Place {
                sched, slot, life, ..
            } = self.places[place as usize];
            if self.runs(me, place) {
                return false; // and so are all above it
            }
            reaches &= life == Life::Parked;
            let sched = &mut self.scheds[sched as usize];
            if life == Life::Parked && (reaches || !again) {
                sched.woken.insert(slot as usize);
            }
            if sched.owner == NOBODY {
                return reaches;
            }
            place = sched.owner;
        }
    }

    // ---- draining

    /// Begins a drain, or brings the limit of the one under way nearer. Everybody who is parked is
    /// woken once: `me` is the one that runs.
    pub(super) fn drain(&mut self, me: u32, until: Tyme) {
        let under_way = self.drain;
        self.drain = Some(under_way.map_or(until, |limit| limit.min(until)));
        self.attention = true;
        if under_way.is_none() {
            for place in 0..self.places.len() {
                let place = u32::try_from(place).unwrap_or(NOBODY);
                self.wake(me, self.id(place));
            }
        }
    }

    /// Says whether a drain waits for the end of a doer.
    pub(super) fn set_drains(&mut self, place: u32, on: bool) {
        let Some(origin) = self.origins.get_mut(place as usize) else {
            return;
        };
        match (std::mem::replace(&mut origin.drains, on), on) {
            (false, true) => self.drainers += 1,
            (true, false) => self.drainers -= 1,
            _ => {}
        }
    }

    /// Whether a drain is over: nobody is left for whom it waits.
    pub(super) const fn is_drained(&self) -> bool {
        self.drain.is_some() && self.drainers == 0
    }

    // ---- telling

    /// Keeps a failure that must not rise, for the end of the run.
    pub(super) fn collect(&mut self, fault: Fault) {
        log::error!("{fault}");
        self.collected.push(fault);
        self.attention = true;
    }

    /// Names a doer as the place of what was collected since there were `from`.
    pub(super) fn blame_collected(&mut self, from: usize, place: u32, label: &str) {
        if self.collected.len() > from {
            let name = super::deeds::name_of(self, place, label);
            for fault in &mut self.collected[from..] {
                fault.below(name.clone());
            }
        }
    }

    /// A hook of a doer is about to run.
    pub(super) fn tell<A: ?Sized>(&mut self, place: u32, hook: Event, deed: &dyn Deed<A>) {
        if self.watched {
            self.begins(place, hook, deed.type_name());
        }
    }

    /// The hook of a doer that began last is over.
    pub(super) fn over(&mut self, place: u32, hook: Event) {
        if self.watched {
            self.ended(place, hook);
        }
    }

    /// A recur ended with a panic.
    pub(super) fn torn(&mut self, place: u32) {
        self.over(place, Event::Recur);
    }

    /// As [`tell`](Self::tell), when somebody watches; `label` is the type of the doer.
    #[cold]
    pub(super) fn begins(&mut self, place: u32, hook: Event, label: &str) {
        let (tyme, id) = (self.tyme, self.id(place));
        if let Some(mut observer) = self.observer.take() {
            match catch_unwind(AssertUnwindSafe(|| observer(tyme, id, hook))) {
                Ok(()) => self.observer = Some(observer),
                // It is the program's own code, and no reason to leave doers open.
                Err(panic) => self.collect(Fault::panicked(&*panic)),
            }
        }
        self.show(|watcher, hub| {
            let seen = Seen {
                tyme,
                id,
                place,
                label,
                hub,
            };
            watcher.begins(&seen, hook);
        });
    }

    /// As [`over`](Self::over), when somebody watches.
    #[cold]
    pub(super) fn ended(&mut self, place: u32, hook: Event) {
        let (tyme, id) = (self.tyme, self.id(place));
        self.show(|watcher, _| watcher.ended(tyme, id, hook));
    }

    #[cold]
    pub(super) fn pass_begins(&mut self, tyme: Tyme) {
        let kind = self.kind;
        self.show(|watcher, _| watcher.pass_begins(tyme, kind));
    }

    #[cold]
    pub(super) fn pass_ended(&mut self) {
        let tyme = self.tyme;
        self.show(|watcher, _| watcher.pass_ended(tyme));
    }

    /// Shows something to all watchers. One that panics is shown nothing more.
    fn show(&mut self, mut show: impl FnMut(&mut dyn Watcher, &Self)) {
        let mut watchers = std::mem::take(&mut self.watchers);
        watchers.retain_mut(|watcher| {
            match catch_unwind(AssertUnwindSafe(|| show(&mut **watcher, self))) {
                Ok(()) => true,
                Err(panic) => {
                    self.collect(Fault::panicked(&*panic));
                    false
                }
            }
        });
        self.watchers = watchers;
    }

    /// Notes what a recur took.
    pub(super) fn measure(&mut self, place: u32, took: Duration, missed: u64) {
        let Some(all) = &mut self.busy else { return };
        let place = place as usize;
        if place >= all.len() {
            all.resize(place + 1, Busy::default());
        }
        let of = &mut all[place];
        of.total += took;
        of.longest = of.longest.max(took);
        of.missed += missed;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_quarter_of_a_cache_line() {
        assert_eq!(size_of::<Place>(), 16);
    }
}
