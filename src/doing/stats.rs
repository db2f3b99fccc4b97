//! What a Doist and its doers have done, in plain numbers.
//!
//! Counting is always on, so it has to cost next to nothing. A doer that is due at every tick has
//! run as often as its scheduler has made passes of ticks, so nothing is counted in the loop over
//! those: [`Count`] holds the difference. Others are counted when they run.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::cx::Cx;
use super::deeds::{Standing, State};
use super::doer::Ended;
use super::doist::Doist;
use super::hub::{DoerId, Hub, Kind, Life};
use super::pace::Overruns;
use crate::net::{Interrupt, Net};
use crate::tyme::Tyme;

/// What a [`Doist`] has done since it was made. Counters only grow; the others say how it stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DoistStats {
    /// Where its tyme stands.
    pub tyme: Tyme,
    /// Ticks taken, those leapt over included.
    pub ticks: u64,
    /// Passes of ticks. One that a budget cut counts once.
    pub passes: u64,
    /// Passes between two ticks, for what became ready.
    pub wake_passes: u64,
    /// Recurs of all doers, those of DoDoers' children included.
    pub recurs: u64,
    /// Recurs of parked doers that were woken: by sockets, pipes and ids.
    pub wakes: u64,
    /// Requests of doers that were carried out: to extend, to remove, to stop.
    pub requests: u64,
    /// Doers that were entered; a restarted one counts anew.
    pub entered: u64,
    /// Doers that ended, for whatever reason.
    pub ended: u64,
    /// Of those, doers that failed.
    pub failed: u64,
    /// Failed doers that their supervisor had restarted.
    pub restarted: u64,
    /// Failed doers that their supervisor had dropped.
    pub dropped: u64,
    /// Ticks that were late or left out, and how often the rhythm was taken up anew.
    pub overruns: Overruns,
    /// Doers that are open now, those of DoDoers included.
    pub open: u64,
    /// Of those, doers that are parked.
    pub parked: u64,
    /// Of those, doers that wait for their tyme.
    pub timed: u64,
}

/// What a doer has done since it was entered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DoerStats {
    /// Where it is in its life.
    pub state: DoerState,
    /// How often it recurred.
    pub recurs: u64,
    /// How often it recurred because it was woken.
    pub wakes: u64,
    /// The tyme at which it recurred last; none before its first recur.
    pub last: Option<Tyme>,
    /// When it is due; a moment that is not after the Doist's tyme stands for the next tick. None
    /// when it is parked until it is woken, and when it is not open.
    pub due: Option<Tyme>,
    /// Time on the net's clock that its recurs took together, its children's included; zero unless
    /// it is [measured](Doist::measure).
    pub busy: Duration,
    /// The longest of them, measured the same way.
    pub longest: Duration,
    /// Whole periods by which its recurs came late, added up; measured the same way.
    pub missed: u64,
}

/// Where a doer is in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DoerState {
    /// It was added and is not entered yet.
    #[default]
    Added,
    /// It has entered and waits for its first recur.
    Fresh,
    /// It is due at every tick.
    Always,
    /// It waits for its tyme.
    Timed,
    /// It waits to be woken, or for its tyme.
    Parked,
    /// It has ended.
    Ended,
}

/// A doer in [`Doist::listing`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Listing {
    /// Its id.
    pub id: DoerId,
    /// Its name and its parents', from the Doist's child down.
    pub path: String,
    /// Whether it is parked.
    pub parked: bool,
    /// What it has done.
    pub stats: DoerStats,
}

/// All there is to see of a Doist at one moment: what a [`StatsHandle`] gives.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Snapshot {
    /// The whole.
    pub doist: DoistStats,
    /// All open doers, children after their parent.
    pub doers: Vec<Listing>,
}

impl<A: 'static> Doist<A> {
    /// What it has done so far. O(1).
    ///
    /// ```
    /// use hio::doing::prelude::*;
    /// let mut doist = Doist::new(()).with_pace(Pace::Asap);
    /// doist.add(redo([Again, Again, Done(true)]));
    /// doist.run(&mut NullNet::default())?;
    /// let stats = doist.stats();
    /// assert_eq!((stats.recurs, stats.passes, stats.ended), (3, 3, 1));
    /// # Ok::<(), Fault>(())
    /// ```
    #[must_use]
    pub fn stats(&self) -> DoistStats {
        self.hub.stats(self.tyme())
    }

    /// What a doer has done, as long as its result is remembered. O(its depth).
    #[must_use]
    pub fn stats_of(&self, id: impl Into<DoerId>) -> Option<DoerStats> {
        let id = id.into();
        let stairs = self.stairs(id)?;
        let standing = self.deeds.standing(&stairs, &self.hub);
        Some(self.hub.stats_of(id.index, standing))
    }

    /// Begins to measure how long recurs take, and how late they are. Costs two looks at the net's
    /// clock a recur; in a simulation, whose clock stands still in a recur, nothing is found.
    pub fn measure(&mut self) {
        self.hub.busy.get_or_insert_default();
        self.hub.watched = true;
    }

    /// All open doers with path and figures, children after their parent. O(doers known × depth).
    #[must_use]
    pub fn listing(&self) -> Vec<Listing> {
        let open = |life| matches!(life, Life::Open | Life::Parked);
        let mut all: Vec<(Vec<u32>, Listing)> = (0u32..)
            .zip(&self.hub.places)
            .filter(|(_, known)| open(known.life))
            .filter_map(|(place, known)| {
                let id = self.hub.id(place);
                let order = self.stairs(id)?.iter().map(|s| s.1).collect();
                let listing = Listing {
                    id,
                    path: self.path(id)?,
                    parked: known.life == Life::Parked,
                    stats: self.stats_of(id)?,
                };
                Some((order, listing))
            })
            .collect();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all.into_iter().map(|(_, listing)| listing).collect()
    }

    /// A handle by which a doer, or any thread, sees this Doist's figures while it runs.
    #[must_use]
    pub fn stats_handle(&mut self) -> StatsHandle {
        self.shown.get_or_insert_default().clone()
    }

    /// Fills in what was asked for by a handle. Between passes.
    #[cold]
    pub(super) fn show_stats(&self, handle: &StatsHandle) {
        let snapshot = Snapshot {
            doist: self.stats(),
            doers: self.listing(),
        };
        *handle.0.latest() = Some(Arc::new(snapshot));
    }
}

impl<A: ?Sized> Cx<'_, A> {
    /// What the Doist has done so far; recurs of the doers that are due at every tick may not be
    /// all in yet. O(1). For single doers see [`Doist::stats_handle`].
    #[must_use]
    pub fn stats(&self) -> DoistStats {
        self.ask.hub.stats(self.tyme())
    }
}

/// Shows a running [`Doist`]'s figures to doers and to other threads: made by
/// [`Doist::stats_handle`].
///
/// It costs nothing but a look at a flag after each pass as long as nobody asks. Who has
/// [asked](Self::ask) finds the [latest](Self::latest) figures as soon as the pass under way is over,
/// at once when the Doist sleeps. Making them is O(doers).
#[derive(Clone, Debug, Default)]
pub struct StatsHandle(Arc<Shown>);

#[derive(Debug, Default)]
struct Shown {
    asked: AtomicBool,
    latest: Mutex<Option<Arc<Snapshot>>>,
    interrupt: Mutex<Option<Interrupt>>,
}

impl Shown {
    fn latest(&self) -> std::sync::MutexGuard<'_, Option<Arc<Snapshot>>> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StatsHandle {
    /// Asks for new figures. Ends the Doist's sleep, so that it sees to it now; in a doer, what is
    /// asked for comes after this pass.
    pub fn ask(&self) {
        self.0.asked.store(true, Ordering::SeqCst);
        // Whoever holds the lock is a Doist on its way to look at the flag.
        if let Ok(guard) = self.0.interrupt.try_lock() {
            if let Some(interrupt) = &*guard {
                interrupt.fire();
            }
        }
    }

    /// The figures that were made last; none before the first were.
    #[must_use]
    pub fn latest(&self) -> Option<Arc<Snapshot>> {
        self.0.latest().clone()
    }

    pub(super) fn attach(&self, net: &mut dyn Net) {
        if let Ok(mut guard) = self.0.interrupt.lock() {
            *guard = net.interrupt();
        }
    }

    pub(super) fn is_asked(&self) -> bool {
        self.0.asked.load(Ordering::Relaxed) && self.0.asked.swap(false, Ordering::SeqCst)
    }
}

/// What is counted of all doers together.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Totals {
    ticks: u64,
    pub(super) overruns: Overruns,
    passes: u64,
    wake_passes: u64,
    pub(super) recurs: u64,
    wakes: u64,
    pub(super) requests: u64,
    entered: u64,
    ended: u64,
    failed: u64,
    pub(super) restarted: u64,
    pub(super) dropped: u64,
    parked: u64,
    timed: u64,
}

/// What is counted of one doer.
///
/// While it is fresh or due at every tick, `recurs` is what is to be added to its scheduler's
/// passes of ticks, modulo 2^64: zero for those that were there from the start.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Count {
    recurs: u64,
    wakes: u64,
    last: Tyme,
}

/// What recurs took.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Busy {
    pub(super) total: Duration,
    pub(super) longest: Duration,
    pub(super) missed: u64,
}

/// Whether the passes of its scheduler are the doer's recurs.
const fn by_passes(state: State) -> bool {
    matches!(state, State::Fresh | State::Always)
}

impl Hub {
    pub(super) fn note_ticks(&mut self, ticks: u64) {
        self.totals.ticks = self.totals.ticks.saturating_add(ticks);
    }

    /// A pass of the Doist's own scheduler begins.
    pub(super) fn note_pass(&mut self, kind: Kind) {
        match kind {
            Kind::Tick => self.totals.passes += 1,
            Kind::Wake => self.totals.wake_passes += 1,
        }
    }

    /// A parked or timed doer is about to recur, perhaps because it was woken.
    #[inline]
    pub(super) fn note_run(&mut self, place: u32, woken: bool) {
        let tyme = self.tyme;
        self.totals.wakes += u64::from(woken);
        let count = self.counted(place);
        count.recurs += 1;
        count.wakes += u64::from(woken);
        count.last = tyme;
    }

    pub(super) fn note_enter(&mut self, place: u32, sched: u32) {
        self.totals.entered += 1;
        let passes = self.scheds[sched as usize].passes;
        // A doer of a first list may be entered again in its old place.
        if passes > 0 || (place as usize) < self.counts.len() {
            *self.counted(place) = Count {
                recurs: passes.wrapping_neg(),
                ..Count::default()
            };
        }
    }

    /// A doer has taken another state after its recur, or after its enter.
    pub(super) fn moved(&mut self, place: u32, was: State, now: State) {
        self.tally(was, now);
        let known = &self.places[place as usize];
        let sched = &self.scheds[known.sched as usize];
        let (passes, passed) = (sched.passes, sched.passed[0]);
        match (by_passes(was), by_passes(now)) {
            (true, false) => {
                let count = self.counted(place);
                count.recurs = count.recurs.wrapping_add(passes);
                if count.recurs > 0 {
                    count.last = passed;
                }
            }
            (false, true) => {
                let count = self.counted(place);
                count.recurs = count.recurs.wrapping_sub(passes);
            }
            _ => {}
        }
    }

    /// A doer ends; `waits` when its turn in a tick's pass was still to come.
    pub(super) fn note_end(&mut self, place: u32, was: State, waits: bool, how: Ended) {
        self.totals.ended += 1;
        self.totals.failed += u64::from(how == Ended::Aborted);
        self.tally(was, State::Gone);
        let standing = Standing {
            state: was,
            due: Tyme::NEVER,
            waits,
        };
        let stats = self.stats_of(place, Some(standing));
        if let Some(last) = stats.last {
            let count = self.counted(place);
            (count.recurs, count.last) = (stats.recurs, last);
        } else if let Some(count) = self.counts.get_mut(place as usize) {
            count.recurs = 0;
        }
    }

    fn tally(&mut self, was: State, now: State) {
        let totals = &mut self.totals;
        let mut add = |state: State, n: u64| match state {
            State::Parked => totals.parked = totals.parked.wrapping_add(n),
            State::Timed => totals.timed = totals.timed.wrapping_add(n),
            State::Fresh | State::Always | State::Gone => {}
        };
        add(now, 1);
        add(was, u64::MAX); // one less
    }

    #[inline]
    fn counted(&mut self, place: u32) -> &mut Count {
        let place = place as usize;
        if place >= self.counts.len() {
            self.grow_counts(place);
        }
        &mut self.counts[place]
    }

    #[cold]
    fn grow_counts(&mut self, place: usize) {
        // As far as there are doers, so that it is done once for many.
        let len = self.places.len().max(place + 1);
        self.counts.resize(len, Count::default());
    }

    fn stats(&self, tyme: Tyme) -> DoistStats {
        let totals = &self.totals;
        DoistStats {
            tyme,
            ticks: totals.ticks,
            passes: totals.passes,
            wake_passes: totals.wake_passes,
            recurs: totals.recurs,
            wakes: totals.wakes,
            requests: totals.requests,
            entered: totals.entered,
            ended: totals.ended,
            failed: totals.failed,
            restarted: totals.restarted,
            dropped: totals.dropped,
            overruns: totals.overruns,
            open: totals.entered - totals.ended,
            parked: totals.parked,
            timed: totals.timed,
        }
    }

    /// One doer; `standing` when it is open.
    fn stats_of(&self, place: u32, standing: Option<Standing>) -> DoerStats {
        let known = &self.places[place as usize];
        let of = |all: &[Count]| all.get(place as usize).copied().unwrap_or_default();
        let Count {
            mut recurs,
            wakes,
            mut last,
        } = of(&self.counts);
        let (mut state, mut due) = (DoerState::Ended, None);
        if let Some(standing) = standing {
            let sched = &self.scheds[known.sched as usize];
            if by_passes(standing.state) {
                let waits = u64::from(standing.waits);
                recurs = recurs.wrapping_add(sched.passes).wrapping_sub(waits);
                last = sched.passed[usize::from(standing.waits)];
            }
            due = match standing.state {
                State::Fresh | State::Always => Some(self.tyme),
                State::Timed | State::Parked => Some(standing.due),
                State::Gone => None,
            };
            state = DoerState::of(standing.state);
        } else if known.life == Life::Unborn {
            state = DoerState::Added;
        }
        let busy = self.busy.as_ref().and_then(|b| b.get(place as usize));
        let Busy {
            total,
            longest,
            missed,
        } = busy.copied().unwrap_or_default();
        DoerStats {
            state,
            recurs,
            wakes,
            last: (recurs > 0).then_some(last),
            due: due.filter(|due| !due.is_never()),
            busy: total,
            longest,
            missed,
        }
    }
}

impl DoerState {
    const fn of(state: State) -> Self {
        match state {
            State::Fresh => Self::Fresh,
            State::Always => Self::Always,
            State::Timed => Self::Timed,
            State::Parked => Self::Parked,
            State::Gone => Self::Ended,
        }
    }
}
