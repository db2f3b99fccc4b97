use std::cell::Cell;
use std::fmt;
use std::time::Duration;

use super::cx::{Ask, Cx, Id, Request};
use super::deed::{Deed, Mounted, Plain};
use super::deeds::{Deeds, Stair, name_of};
use super::doer::{Doer, Ended};
use super::fault::{Fault, Misuse};
use super::hub::{DoerId, Event, Hub, Life, NOBODY, Options};
use super::pace::{Overrun, Overruns, Pace, Pacer, StopHandle, Wake};
use super::rng::{Rng, Streams};
use super::stats::StatsHandle;
use super::supervise::Verdict;
use super::watch::Watcher;
use crate::net::{Net, Owner};
use crate::tyme::{Tyme, TymeError, Tymist, duration_from_secs};

/// hio's scheduler of doers: keeps tyme and runs what is due, tick by tick (law O9).
///
/// Either [`run`](Self::run) it and it sleeps in [`Net::poll`] until something is due or ready, or
/// embed it: [`enter`](Self::enter), then [`recur`](Self::recur),
/// [`recur_within`](Self::recur_within) or [`advance`](Self::advance) from your own loop, as long
/// as they say `More`, then [`exit`](Self::exit).
///
/// Doers are known to a net by their ids, which other Doists give out, too: one net serves one
/// Doist at a time.
///
/// `A` is the program's own state, `app`, that all doers are handed.
pub struct Doist<A: 'static = ()> {
    /// The program's own state.
    pub app: A,
    pub(super) deeds: Deeds<A>,
    pub(super) hub: Hub,
    pub(super) streams: Streams,
    pub(super) me: Cell<u32>,
    /// Where requests of the root's own scheduler would go; nothing stays in it.
    up: Vec<Request<A>>,
    pub(super) tymist: Tymist,
    pub(super) start: Tyme,
    pub(super) limit: Option<Duration>,
    pub(super) pace: Pace,
    pub(super) wake: Wake,
    pub(super) overrun: Overrun,
    pub(super) stop: StopHandle,
    /// Who may ask for its figures.
    pub(super) shown: Option<StatsHandle>,
    /// A drain that was asked for from outside and has not begun.
    pub(super) drain_asked: Option<Duration>,
    /// How tyme follows the clock, between two turns.
    pub(super) pacer: Option<Pacer>,
    pub(super) entered: bool,
    /// Doers were added since it was entered.
    pub(super) added: bool,
    /// A pass was cut by a budget.
    pub(super) cut: bool,
    /// Sockets that can be served between two ticks were ready after the last step.
    pub(super) left: bool,
    pub(super) owners: Vec<Owner>,
    /// Time handed to `advance` that is not yet a tock.
    pub(super) credit: Duration,
    pub(super) advance_at_most: Duration,
}

/// What one step of an embedded Doist came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The pass is complete and the tick taken; there is more to come.
    More,
    /// The budget cut the pass; the next step goes on with it.
    Cut,
    /// It is over and everything is closed.
    Ended(Outcome),
}

/// What [`Doist::turn`] came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// There is nothing to do until the net's clock reaches this or a socket is ready. A moment
    /// that has passed: there is more to do at once.
    Sleep(Tyme),
    /// It is over and everything is closed.
    Ended(Outcome),
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// No doer was left.
    Done,
    /// The limit was reached.
    Limit,
    /// Somebody asked it to stop.
    Stopped,
    /// Somebody asked it to drain, and all who take part came to their end in time.
    Drained,
    /// Somebody asked it to drain, and the limit of that was reached: what was left was cut off.
    DrainLimit,
}

/// When an embedded Doist wants its next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// The next tick has something to do, or a socket is ready already: [`Doist::advance`] at once
    /// serves what is ready, and takes the tick when it is time for it.
    Now,
    /// The first tick with something to do is the one that reaches this tyme.
    At(Tyme),
    /// Nothing is due until a socket is ready or somebody is woken.
    Idle,
}

/// How much of a pass [`Doist::recur_within`] may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    pub(super) doers: usize,
    pub(super) time: Option<Duration>,
}

impl Budget {
    /// A whole pass.
    pub const ALL: Self = Self {
        doers: usize::MAX,
        time: None,
    };

    /// At most so many of the Doist's own doers, at least one.
    #[must_use]
    pub const fn doers(doers: usize) -> Self {
        Self {
            doers: if doers == 0 { 1 } else { doers },
            time: None,
        }
    }

    /// No further doer once so much time of the net's clock has passed; at least one.
    #[must_use]
    pub const fn time(time: Duration) -> Self {
        Self {
            doers: usize::MAX,
            time: Some(time),
        }
    }
}

/// What [`Doist::advance`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advance {
    /// How it stands.
    pub step: Step,
    /// Ticks taken.
    pub ticks: u64,
    /// Time left over for the next call: less than a tock.
    pub remainder: Duration,
    /// Time thrown away because it was more than may be advanced at once.
    pub dropped: Duration,
}

impl<A: fmt::Debug + 'static> fmt::Debug for Doist<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Doist")
            .field("app", &self.app)
            .field("tyme", &self.tymist.tyme())
            .field("deeds", &self.deeds)
            .finish_non_exhaustive()
    }
}

// ---- making one up

impl<A: 'static> Doist<A> {
    /// A Doist at tyme zero with hio's tock of 1/32 s, no limit and real pace.
    #[must_use]
    pub fn new(app: A) -> Self {
        Self {
            app,
            deeds: Deeds::new(),
            hub: Hub::new(),
            streams: Streams::new(0),
            me: Cell::new(NOBODY),
            up: Vec::new(),
            tymist: Tymist::default(),
            start: Tyme::ZERO,
            limit: None,
            pace: Pace::default(),
            wake: Wake::default(),
            overrun: Overrun::default(),
            stop: StopHandle::default(),
            shown: None,
            drain_asked: None,
            pacer: None,
            entered: false,
            added: false,
            cut: false,
            left: false,
            owners: Vec::new(),
            credit: Duration::ZERO,
            advance_at_most: Duration::from_millis(250),
        }
    }

    /// Sets the span between two ticks. Zero: tyme stands still (not with a real pace).
    #[must_use]
    pub fn with_tock(mut self, tock: Duration) -> Self {
        self.set_tock(tock);
        self
    }

    /// Sets the tock in seconds.
    ///
    /// # Errors
    /// [`TymeError`] when it is negative, not finite or too large.
    pub fn with_tock_secs(self, tock: f64) -> Result<Self, TymeError> {
        Ok(self.with_tock(duration_from_secs(tock)?))
    }

    /// Sets where tyme begins.
    #[must_use]
    pub fn with_tyme(mut self, tyme: Tyme) -> Self {
        self.tymist.set_tyme(tyme);
        self
    }

    /// Ends the run when so much tyme has passed since enter. Zero: after the first pass.
    #[must_use]
    pub const fn with_limit(mut self, limit: Duration) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Sets the pace of [`run`](Self::run).
    #[must_use]
    pub const fn with_pace(mut self, pace: Pace) -> Self {
        self.pace = pace;
        self
    }

    /// Sets what is done when the clock runs ahead.
    #[must_use]
    pub const fn with_overrun(mut self, overrun: Overrun) -> Self {
        self.overrun = overrun;
        self
    }

    /// Sets what readiness does between two ticks.
    #[must_use]
    pub const fn with_wake(mut self, wake: Wake) -> Self {
        self.wake = wake;
        self
    }

    /// Sets the seed that all doers' random streams derive from. Default 0.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.streams = Streams::new(seed);
        self
    }

    /// Sets how much time [`advance`](Self::advance) takes at once; more is dropped. Default
    /// 250 ms, so that a debugger's pause is not caught up with.
    #[must_use]
    pub const fn with_advance_at_most(mut self, at_most: Duration) -> Self {
        self.advance_at_most = at_most;
        self
    }

    /// Asks it to drain, as [`Ask::drain`] does: for hosts that step it, and for tests. It begins with
    /// the next pass, when tyme is where the clock is. A recording does not see it, other than a
    /// signal. Before enter there is nothing to be drained.
    ///
    /// ```
    /// use hio::doing::prelude::*;
    /// use std::time::Duration;
    ///
    /// struct Work { left: u32 }
    /// impl Doer for Work {
    ///     fn enter(&mut self, cx: &mut Cx<'_>) -> Result<Next, Fault> {
    ///         cx.ask.join_drain();
    ///         Ok(Park(Tyme::NEVER))
    ///     }
    ///     fn recur(&mut self, _tyme: Tyme, cx: &mut Cx<'_>) -> Result<Next, Fault> {
    ///         if cx.draining().is_some() {
    ///             self.left -= 1; // finishes what it has, takes nothing new
    ///         }
    ///         Ok(if self.left == 0 { Done(true) } else { Again })
    ///     }
    /// }
    /// let mut doist = Doist::new(()).with_pace(Pace::Asap);
    /// doist.add(Work { left: 3 });
    /// let mut net = NullNet::default();
    /// doist.enter(&mut net)?;
    /// doist.drain(Duration::from_secs(10));
    /// assert_eq!(doist.run(&mut net)?, Outcome::Drained);
    /// # Ok::<(), Fault>(())
    /// ```
    pub fn drain(&mut self, limit: Duration) {
        if self.entered {
            let asked = self.drain_asked.map_or(limit, |asked| asked.min(limit));
            self.drain_asked = Some(asked);
        }
    }

    /// Until when it may drain at most, if it has begun to.
    #[must_use]
    pub const fn draining(&self) -> Option<Tyme> {
        self.hub.drain
    }

    /// Decides what becomes of the Doist's own doers that fail. Without it, a failure ends the run.
    pub fn supervise(&mut self, decide: impl FnMut(Tyme, &Fault) -> Verdict + Send + 'static) {
        self.deeds.supervise(decide);
    }

    /// Is told every step of every doer's life.
    pub fn observe(&mut self, observer: impl FnMut(Tyme, DoerId, Event) + Send + 'static) {
        self.hub.observer = Some(Box::new(observer));
        self.hub.watched = true;
    }

    /// Shows passes and the hooks of all doers to a [`Watcher`] from now on, beside those that
    /// watch already: a [`StallWatch`](super::StallWatch), or a trace. Costs some ten nanoseconds a
    /// recur and what the watcher does; nothing when there is none.
    pub fn watch(&mut self, watcher: impl Watcher + 'static) {
        self.hub.watchers.push(Box::new(watcher));
        self.hub.watched = true;
    }
}

// ---- its doers

impl<A: 'static> Doist<A> {
    /// Adds a doer to the first list. After enter, it is entered before the next tick's pass.
    pub fn add<D: Doer<A> + Send + 'static>(&mut self, doer: D) -> Id<D> {
        Id::new(self.list(Options::default(), None, Box::new(Plain(doer))))
    }

    /// Adds a doer that lives on a part of the state: `doist.add_on(|app| &mut app.server, doer)`.
    pub fn add_on<B, F, D>(&mut self, lens: F, doer: D) -> Id<D>
    where
        B: ?Sized + 'static,
        F: Fn(&mut A) -> &mut B + Send + Sync + 'static,
        D: Doer<B> + Send + 'static,
    {
        Id::new(self.list(Options::default(), None, Box::new(Mounted::new(lens, doer))))
    }

    /// Begins to add a doer with a name or options.
    pub fn named(&mut self, name: impl Into<String>) -> Joining<'_, A> {
        let name = Some(name.into().into_boxed_str());
        Joining {
            doist: self,
            options: Options::default(),
            name,
        }
    }

    /// Begins to add a doer with hio's `temp`, seen as [`Cx::temp`].
    pub fn temp(&mut self) -> Joining<'_, A> {
        Joining {
            doist: self,
            options: Options {
                temp: true,
                ..Options::default()
            },
            name: None,
        }
    }

    fn list(&mut self, o: Options, name: Option<Box<str>>, deed: Box<dyn Deed<A>>) -> DoerId {
        self.added |= self.entered;
        self.deeds.list_in(&mut self.hub, o, name, deed)
    }

    /// Enters a doer at once; its first recur is in the next tick's pass.
    ///
    /// # Errors
    /// The failure of its enter. The Doist goes on as if it had not been tried.
    pub fn extend<D>(&mut self, net: &mut dyn Net, doer: D) -> Result<Id<D>, Fault>
    where
        D: Doer<A> + Send + 'static,
    {
        if !self.entered {
            return Err(Fault::misuse(Misuse::NotEntered));
        }
        let (deeds, mut cx) = self.split(net);
        deeds.extend(doer, &mut cx)
    }

    /// Closes a doer of the Doist's own at once. One that is not open is ignored.
    pub fn remove(&mut self, net: &mut dyn Net, id: impl Into<DoerId>) {
        let (deeds, mut cx) = self.split(net);
        deeds.remove(&[id.into()], &mut cx);
    }

    /// Wakes a parked doer, wherever it is, and all its parked ancestors.
    pub fn wake(&mut self, id: impl Into<DoerId>) {
        self.hub.wake(NOBODY, id.into());
    }

    /// How many of the Doist's own doers are open.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.deeds.len()
    }

    /// Whether none of the Doist's own doers is open.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.deeds.is_empty()
    }

    /// A doer: while it is open, and after its end when it belongs to a first list or is kept.
    #[must_use]
    pub fn get<D: 'static>(&self, id: Id<D>) -> Option<&D> {
        self.deeds.reach(&self.stairs(id.into())?)?.downcast_ref()
    }

    /// A doer: while it is open, and after its end when it belongs to a first list or is kept.
    pub fn get_mut<D: 'static>(&mut self, id: Id<D>) -> Option<&mut D> {
        let stairs = self.stairs(id.into())?;
        self.deeds.reach_mut(&stairs)?.downcast_mut()
    }

    /// Takes out a doer that is not open.
    pub fn take<D: 'static>(&mut self, id: Id<D>) -> Option<D> {
        let stairs = self.stairs(id.into())?;
        let doer = self.deeds.take(&stairs)?;
        self.hub.vacate(DoerId::from(id).index);
        doer.downcast().ok().map(|doer| *doer)
    }

    /// How a doer ended. First-list and kept doers' results stay, of others the last 1024.
    #[must_use]
    pub fn ended(&self, id: impl Into<DoerId>) -> Option<Ended> {
        match self.hub.place(id.into())?.life {
            Life::Ended(how) => Some(how),
            _ => None,
        }
    }

    /// Whether a doer is open.
    #[must_use]
    pub fn is_open(&self, id: impl Into<DoerId>) -> bool {
        self.hub.is_open(id.into())
    }

    /// The names from the Doist's child down to a doer, with slashes between them.
    #[must_use]
    pub fn path(&self, id: impl Into<DoerId>) -> Option<String> {
        let stairs = self.stairs(id.into())?;
        let names = (1..=stairs.len()).map(|depth| {
            let label = self.deeds.label(&stairs[..depth])?;
            Some(name_of(&self.hub, stairs[depth - 1].0, label))
        });
        Some(names.collect::<Option<Vec<_>>>()?.join("/"))
    }

    pub(super) fn stairs(&self, id: DoerId) -> Option<Vec<Stair>> {
        self.hub.place(id)?;
        let line = self.hub.lineage(id.index);
        Some(
            line.into_iter()
                .map(|p| (p, self.hub.places[p as usize].slot))
                .collect(),
        )
    }
}

/// A doer on its way into a Doist: made by [`Doist::named`].
pub struct Joining<'a, A: 'static> {
    doist: &'a mut Doist<A>,
    options: Options,
    name: Option<Box<str>>,
}

impl<A: 'static> fmt::Debug for Joining<'_, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Joining")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl<A: 'static> Joining<'_, A> {
    /// Gives it a name, for faults and traces. Default: its type and ordinal.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into().into_boxed_str());
        self
    }

    /// hio's `temp`, seen as [`Cx::temp`].
    #[must_use]
    pub const fn temp(mut self, temp: bool) -> Self {
        self.options.temp = temp;
        self
    }

    /// Adds it.
    #[expect(
        clippy::should_implement_trait,
        reason = "hio adds doers; nothing is summed up"
    )]
    pub fn add<D: Doer<A> + Send + 'static>(self, doer: D) -> Id<D> {
        Id::new(
            self.doist
                .list(self.options, self.name, Box::new(Plain(doer))),
        )
    }

    /// Adds it on a part of the state.
    pub fn add_on<B, F, D>(self, lens: F, doer: D) -> Id<D>
    where
        B: ?Sized + 'static,
        F: Fn(&mut A) -> &mut B + Send + Sync + 'static,
        D: Doer<B> + Send + 'static,
    {
        Id::new(
            self.doist
                .list(self.options, self.name, Box::new(Mounted::new(lens, doer))),
        )
    }
}

// ---- where it stands

impl<A: 'static> Doist<A> {
    /// Where tyme stands.
    #[must_use]
    pub const fn tyme(&self) -> Tyme {
        self.tymist.tyme()
    }

    /// The span between two ticks.
    #[must_use]
    pub const fn tock(&self) -> Duration {
        self.tymist.tock()
    }

    /// Changes the tock. Ticks are counted anew from where tyme stands (law T4).
    pub fn set_tock(&mut self, tock: Duration) {
        self.tymist.set_tock(tock);
        self.deeds.set_tock(tock);
    }

    /// How often it was late.
    #[must_use]
    pub const fn overruns(&self) -> Overruns {
        self.hub.totals.overruns
    }

    /// A handle to stop it with, from any thread.
    #[must_use]
    pub fn stop_handle(&self) -> StopHandle {
        self.stop.clone()
    }

    /// When it wants its next step, in tyme. Loops of your own that step with
    /// [`recur`](Self::recur) may sleep so long, provided they watch the net's
    /// [`poll_fd`](Net::poll_fd) meanwhile; those that step with [`advance`](Self::advance) ask
    /// [`slack`](Self::slack).
    #[must_use]
    pub fn due(&self) -> Due {
        if !self.entered {
            return Due::Idle;
        }
        if self.cut || self.added || self.stop.is_set() || self.drain_asked.is_some() {
            return Due::Now;
        }
        // A pass takes its tick at once, so anything due at every tick is due now.
        self.hub_soonest().map_or(Due::Idle, |soonest| {
            if soonest <= self.tyme() {
                Due::Now
            } else {
                Due::At(soonest)
            }
        })
    }

    /// When something is due at the latest, the limit included. A moment that has passed stands
    /// for the next tick.
    pub(super) fn hub_soonest(&self) -> Option<Tyme> {
        let soonest = self.deeds.soonest_in(&self.hub);
        if self.hub.is_drained() {
            return Some(self.tyme());
        }
        let soonest = soonest.min(self.latest());
        (!soonest.is_never()).then_some(soonest)
    }

    /// When it ends at the latest: its own limit, or that of a drain.
    pub(super) fn latest(&self) -> Tyme {
        let limit = self.limit.map_or(Tyme::NEVER, |limit| self.start + limit);
        limit.min(self.hub.drain.unwrap_or(Tyme::NEVER))
    }

    /// The scheduler and what it works with.
    pub(super) fn split<'a>(&'a mut self, net: &'a mut dyn Net) -> (&'a mut Deeds<A>, Cx<'a, A>) {
        self.hub.tyme = self.tymist.tyme();
        let cx = Cx {
            app: &mut self.app,
            net,
            rng: Rng {
                streams: &mut self.streams,
                me: &self.me,
            },
            ask: Ask {
                hub: &mut self.hub,
                queue: &mut self.up,
                me: &self.me,
            },
        };
        (&mut self.deeds, cx)
    }
}
