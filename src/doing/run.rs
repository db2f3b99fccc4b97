//! How a Doist runs: by itself, paced, or step by step from somebody else's loop.

use std::time::Duration;

use super::deeds::Slice;
use super::doist::{Advance, Budget, Doist, Outcome, Step, Turn};
use super::fault::{Cause, Fault, Misuse};
use super::hub::{Kind, NOBODY};
use super::pace::{Pacer, Wake};
use crate::net::{Net, NetError, Owner, Probe};
use crate::tyme::Tyme;

impl<A: 'static> Doist<A> {
    /// Enters all doers in order.
    ///
    /// # Errors
    /// [`Misuse::EnteredTwice`], or the first failure; then everything is closed again.
    pub fn enter(&mut self, net: &mut dyn Net) -> Result<(), Fault> {
        if self.entered {
            return Err(Fault::misuse(Misuse::EnteredTwice));
        }
        self.entered = true;
        self.added = false;
        self.cut = false;
        self.left = false;
        self.hub.stop = false;
        (self.hub.drain, self.hub.drainers, self.drain_asked) = (None, 0, None);
        self.hub.attention = false;
        self.start = self.tyme();
        self.credit = Duration::ZERO;
        self.pacer = None;
        self.attach(net);
        let (deeds, mut cx) = self.split(net);
        match deeds.enter(&mut cx) {
            Ok(()) => Ok(()),
            Err(fault) => self.fail(fault, net),
        }
    }

    /// One tick's pass and, at once, the tick. Never blocks.
    ///
    /// # Errors
    /// The failure of a doer that nobody supervises; then everything is closed.
    /// [`Misuse::NotEntered`] before enter or after the end.
    pub fn recur(&mut self, net: &mut dyn Net) -> Result<Step, Fault> {
        self.recur_within(net, Budget::ALL)
    }

    /// A slice of a tick's pass, cut between the Doist's own doers when the budget is spent. The
    /// tick is taken when the pass is complete. Any slicing gives the same trace. Never blocks.
    ///
    /// # Errors
    /// As [`recur`](Self::recur).
    pub fn recur_within(&mut self, net: &mut dyn Net, budget: Budget) -> Result<Step, Fault> {
        if !self.entered {
            return Err(Fault::misuse(Misuse::NotEntered));
        }
        let until = budget.time.map_or(Tyme::NEVER, |time| net.now() + time);
        if !self.cut {
            if self.stopped(net) {
                return self.finish(Outcome::Stopped, net).map(Step::Ended);
            }
            if let Err(error) = net.poll(Tyme::ZERO) {
                return self.fail(lost(error), net);
            }
            self.hear(net);
        }
        if !self.pass(
            Kind::Tick,
            &Slice {
                doers: budget.doers,
                until,
            },
            net,
        )? {
            return Ok(Step::Cut);
        }
        match self.tick(1) {
            Some(outcome) => self.finish(outcome, net).map(Step::Ended),
            None => {
                self.left = self.hear(net); // what a budget left over: no event of the net will tell of it
                Ok(Step::More)
            }
        }
    }

    /// Takes so many ticks as fit into `dt` and what was left over before, for loops that know
    /// how much time has passed. Readiness is served even when no tick is due. Never blocks.
    ///
    /// # Errors
    /// As [`recur`](Self::recur).
    pub fn advance(&mut self, net: &mut dyn Net, dt: Duration) -> Result<Advance, Fault> {
        if !self.entered {
            return Err(Fault::misuse(Misuse::NotEntered));
        }
        let dropped = dt.saturating_sub(self.advance_at_most);
        self.credit = self.credit.saturating_add(dt - dropped);
        let mut step = Step::More;
        let mut ticks = 0;
        while step == Step::More && self.credit >= self.tock() {
            if self.tock().is_zero() && ticks > 0 {
                break; // tyme stands still: one pass a call
            }
            self.credit -= self.tock();
            ticks += 1;
            step = self.recur(net)?;
        }
        if ticks == 0 && self.wake == Wake::Now {
            step = self.between(net)?;
        }
        Ok(Advance {
            step,
            ticks,
            remainder: self.credit,
            dropped,
        })
    }

    /// How long a host that steps with [`advance`](Self::advance) may sleep before the next call,
    /// if it watches the net's [`poll_fd`](Net::poll_fd) meanwhile; `None` is until that is ready.
    ///
    /// Zero when a socket is ready already, and never more than `advance` takes at once. What is due at a tick is run when there is credit for
    /// that tick, a tock after the tick before, and not earlier: so [`due`](Self::due) alone does
    /// not tell.
    #[must_use]
    pub fn slack(&self) -> Option<Duration> {
        if !self.entered {
            return None;
        }
        let asked = self.stop.is_set() || self.drain_asked.is_some();
        if asked || (self.left && self.wake == Wake::Now) {
            return Some(Duration::ZERO);
        }
        let doers = match self.added || self.cut {
            true => Some(1),
            false => {
                let soonest = self.deeds.soonest_in(&self.hub);
                self.tymist.ticks_to(soonest).map(|n| n.saturating_add(1))
            }
        };
        let limit = Some(self.latest()).filter(|limit| !limit.is_never());
        let limit = limit.and_then(|limit| self.tymist.ticks_to(limit));
        let ticks = doers.into_iter().chain(limit.map(|n| n.max(1))).min()?;
        let span = self.tymist.after(ticks) - self.tyme();
        Some(span.saturating_sub(self.credit).min(self.advance_at_most))
    }

    /// A wake pass, when something is ready between two ticks.
    fn between(&mut self, net: &mut dyn Net) -> Result<Step, Fault> {
        if self.stopped(net) {
            return self.finish(Outcome::Stopped, net).map(Step::Ended);
        }
        if let Err(error) = net.poll(Tyme::ZERO) {
            return self.fail(lost(error), net);
        }
        if self.hear(net) && !self.cut {
            self.pass(Kind::Wake, &Slice::WHOLE, net)?;
            if let Some(outcome) = self.over() {
                return self.finish(outcome, net).map(Step::Ended);
            }
            self.left = self.hear(net); // as after a tick's pass
        } else {
            self.left = false;
        }
        Ok(Step::More)
    }

    /// Runs until no doer is left, the limit is reached or somebody asks it to stop. Enters first
    /// unless that was done; everything is closed in the end.
    ///
    /// # Errors
    /// The failure of a doer that nobody supervises, or what closing hooks collected.
    /// [`Misuse`] for a pace that cannot be kept; [`Misuse::Stuck`] when nothing can ever happen.
    pub fn run(&mut self, net: &mut dyn Net) -> Result<Outcome, Fault> {
        Pacer::new(self.pace, Tyme::ZERO, &self.tymist)?;
        if !self.entered {
            self.enter(net)?;
        }
        self.attach(net);
        let mut pacer = Pacer::new(self.pace, net.now(), &self.tymist)?;
        if self.stopped(net) {
            return self.finish(Outcome::Stopped, net);
        }
        loop {
            if pacer.is_asap() {
                if let Err(error) = net.poll(Tyme::ZERO) {
                    return self.fail(lost(error), net);
                }
                self.hear(net);
                if self.stopped(net) {
                    return self.finish(Outcome::Stopped, net);
                }
            }
            self.pass(Kind::Tick, &Slice::WHOLE, net)?;
            if let Some(outcome) = self.over() {
                return self.finish(outcome, net);
            }
            if let Some(outcome) = self.wait(&mut pacer, net)? {
                return self.finish(outcome, net);
            }
        }
    }

    /// Closes what is open, at the tyme that was reached. Does nothing when nothing is.
    ///
    /// # Errors
    /// What closing hooks collected.
    pub fn exit(&mut self, net: &mut dyn Net) -> Result<(), Fault> {
        if !self.entered {
            return Ok(());
        }
        self.finish(Outcome::Stopped, net).map(|_| ())
    }

    /// Does what is due by the net's clock, a pass at most, and says until when there is nothing
    /// more: for hosts that wait by themselves, and for simulations. Never blocks.
    ///
    /// It is [`run`](Self::run) taken apart: enters first unless that was done, keeps the same
    /// pace, and gives the same trace when it is called again at the moment it names or as soon
    /// as a socket is ready, whatever comes first.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn turn(&mut self, net: &mut dyn Net) -> Result<Turn, Fault> {
        let mut ticked = false;
        let mut pacer = match self.pacer {
            Some(pacer) => pacer,
            None => {
                let pacer = Pacer::new(self.pace, net.now(), &self.tymist)?;
                if !self.entered {
                    self.enter(net)?;
                }
                ticked = true;
                pacer
            }
        };
        if self.stopped(net) {
            return self.finish(Outcome::Stopped, net).map(Turn::Ended);
        }
        if !ticked {
            match self.look(&mut pacer, false, net)? {
                Look::Waits(until) => {
                    self.pacer = Some(pacer);
                    return Ok(Turn::Sleep(until));
                }
                Look::Served => {}
                Look::Ticked => ticked = true,
                Look::Over(outcome) => return self.finish(outcome, net).map(Turn::Ended),
            }
        }
        if ticked {
            if pacer.is_asap() {
                if let Err(error) = net.poll(Tyme::ZERO) {
                    return self.fail(lost(error), net);
                }
                self.hear(net);
            }
            self.pass(Kind::Tick, &Slice::WHOLE, net)?;
            if let Some(outcome) = self.over() {
                return self.finish(outcome, net).map(Turn::Ended);
            }
        }
        self.pacer = Some(pacer);
        if self.wake == Wake::Now && self.hear(net) {
            return Ok(Turn::Sleep(Tyme::ZERO)); // a budget left something
        }
        let ahead = self.ticks_ahead();
        let until = ahead.map_or(Tyme::NEVER, |n| pacer.clock_at(self.tymist.after(n)));
        Ok(Turn::Sleep(until))
    }

    /// Waits for the next tick that has something to do, and takes it. Serves what becomes ready
    /// meanwhile in wake passes (law P4). `Some` when the run is over.
    fn wait(&mut self, pacer: &mut Pacer, net: &mut dyn Net) -> Result<Option<Outcome>, Fault> {
        loop {
            match self.look(pacer, true, net)? {
                Look::Waits(_) | Look::Served => {}
                Look::Ticked => return Ok(None),
                Look::Over(outcome) => return Ok(Some(outcome)),
            }
        }
    }

    /// Polls once, and does the wake pass or takes the tick that it is time for. Without `waits` it
    /// polls for what is there already.
    #[inline]
    fn look(&mut self, pacer: &mut Pacer, waits: bool, net: &mut dyn Net) -> Result<Look, Fault> {
        let ahead = self.ticks_ahead();
        let target = ahead.map_or(Tyme::NEVER, |n| pacer.clock_at(self.tymist.after(n)));
        let wakes = self.wake == Wake::Now;
        let mut clock = Tyme::ZERO; // is of no interest when nothing waits for it
        if !(pacer.is_asap() && ahead.is_some()) {
            // What was left unfinished is looked at now, anything else may sleep. Who does not
            // wait hears of it after the poll.
            let ready = waits && wakes && self.hear(net);
            let until = if ready || !waits { Tyme::ZERO } else { target };
            match net.poll(until) {
                Ok(()) => {}
                Err(NetError::Unsupported) if until.is_never() => {
                    return self.fail(Fault::misuse(Misuse::Stuck), net);
                }
                Err(error) => return self.fail(lost(error), net),
            }
            self.serve_stats();
            if self.stopped(net) {
                return Ok(Look::Over(Outcome::Stopped));
            }
            let ready = self.hear(net) | ready;
            clock = net.now();
            if clock < target {
                // By hand-woken doers and lockstep, a tick is wanted as soon as it comes.
                if !(ready && (wakes || ahead.is_none())) {
                    return Ok(Look::Waits(target));
                }
                let leap = self.tymist.ticks_within(pacer.tyme_at(clock));
                let leap = leap.min(ahead.map_or(u64::MAX, |n| n - 1));
                if leap > 0 {
                    self.take_ticks(leap);
                }
                self.pass(Kind::Wake, &Slice::WHOLE, net)?;
                return Ok(self.over().map_or(Look::Served, Look::Over));
            }
        }
        let Some(ahead) = ahead else {
            return Ok(Look::Waits(target));
        };
        let (overrun, tymist) = (self.overrun, &self.tymist);
        let overruns = &mut self.hub.totals.overruns;
        let ticks = pacer.catch_up(clock, ahead, tymist, overrun, overruns);
        Ok(self.tick(ticks).map_or(Look::Ticked, Look::Over))
    }

    /// Lets handles end the sleep in this net.
    fn attach(&self, net: &mut dyn Net) {
        self.stop.attach(net);
        if let Some(handle) = &self.shown {
            handle.attach(net);
        }
    }

    fn take_ticks(&mut self, ticks: u64) {
        self.hub.note_ticks(ticks);
        self.tymist.tick_by(ticks);
    }

    /// Shows its figures to whom asked for them.
    #[inline]
    fn serve_stats(&self) {
        if let Some(handle) = &self.shown {
            if handle.is_asked() {
                self.show_stats(handle);
            }
        }
    }

    /// Whether somebody asked it to stop; tells the net, for a recording.
    fn stopped(&self, net: &mut dyn Net) -> bool {
        let stopped = self.stop.is_set();
        if stopped {
            net.probe(Owner::NONE, Probe::Stopped);
        }
        stopped
    }

    /// Ticks from here to the next one that has something to do; `None` when none ever has.
    fn ticks_ahead(&self) -> Option<u64> {
        if self.added {
            return Some(1);
        }
        let soonest = self.hub_soonest()?;
        if soonest <= self.tyme() {
            return Some(1);
        }
        self.tymist.ticks_to(soonest)
    }

    /// Wakes the owners of everything that is ready. Says whether somebody is to run for it.
    fn hear(&mut self, net: &mut dyn Net) -> bool {
        net.woken(&mut self.owners);
        let mut ready = self.drain_asked.is_some();
        for owner in self.owners.drain(..) {
            ready |= self.hub.wake(NOBODY, owner.into());
        }
        ready
    }

    /// A pass over the Doist's own doers. Says whether it is complete.
    fn pass(&mut self, kind: Kind, slice: &Slice, net: &mut dyn Net) -> Result<bool, Fault> {
        self.hub.kind = kind;
        if !self.cut {
            self.hub.note_pass(kind);
        }
        if let Some(limit) = self.drain_asked.take() {
            self.hub.drain(NOBODY, self.tymist.tyme() + limit);
        }
        let enters = kind == Kind::Tick && !self.cut && std::mem::take(&mut self.added);
        if self.hub.watched {
            self.hub.pass_begins(self.tymist.tyme());
        }
        let (deeds, mut cx) = self.split(net);
        let mut result = Ok(true);
        if enters {
            result = deeds.enter_shelved(&mut cx, true).map(|()| true);
        }
        if result.is_ok() {
            result = deeds.pass(&mut cx, slice);
        }
        match result {
            Ok(complete) => {
                self.hub.attention = false;
                self.cut = !complete;
                if self.hub.watched | self.shown.is_some() {
                    self.tell_pass();
                }
                Ok(complete)
            }
            Err(fault) => {
                self.tell_pass();
                self.fail(fault, net)
            }
        }
    }

    /// After a pass that somebody watches, or may have asked for its figures.
    #[cold]
    fn tell_pass(&mut self) {
        if self.hub.watched {
            self.hub.pass_ended();
        }
        self.serve_stats();
    }

    /// Whether a pass ended the run: stopped, or no doer left. The last tick is taken at once.
    fn over(&mut self) -> Option<Outcome> {
        if let Some(asked) = self.asked() {
            return Some(asked);
        }
        if self.deeds.is_empty() && !self.added {
            self.take_ticks(1);
            return Some(Outcome::Done);
        }
        None
    }

    /// Whether somebody asked for an end that is there: of a stop, or of a drain that is over.
    const fn asked(&self) -> Option<Outcome> {
        match self.hub.stop {
            true => Some(Outcome::Stopped),
            false if self.hub.is_drained() => Some(Outcome::Drained),
            false => None,
        }
    }

    /// Takes ticks; says whether the run is over.
    fn tick(&mut self, ticks: u64) -> Option<Outcome> {
        if let Some(asked) = self.asked() {
            return Some(asked);
        }
        self.take_ticks(ticks);
        if self.deeds.is_empty() && !self.added {
            return Some(Outcome::Done);
        }
        let reached = |limit| self.tyme() >= limit;
        match self.limit {
            Some(limit) if reached(self.start + limit) => Some(Outcome::Limit),
            _ => self
                .hub
                .drain
                .is_some_and(reached)
                .then_some(Outcome::DrainLimit),
        }
    }

    fn close_all(&mut self, net: &mut dyn Net) {
        self.entered = false;
        self.cut = false;
        self.pacer = None;
        let (deeds, mut cx) = self.split(net);
        deeds.close(&mut cx);
        self.stop.take();
        (self.hub.drain, self.drain_asked) = (None, None);
        self.hub.chain.clear();
        self.hub.attention = false;
        self.me.set(NOBODY);
    }

    fn finish(&mut self, outcome: Outcome, net: &mut dyn Net) -> Result<Outcome, Fault> {
        self.close_all(net);
        let mut collected = std::mem::take(&mut self.hub.collected).into_iter();
        match collected.next() {
            None => Ok(outcome),
            Some(mut fault) => {
                fault.and(collected);
                Err(fault)
            }
        }
    }

    fn fail<T>(&mut self, mut fault: Fault, net: &mut dyn Net) -> Result<T, Fault> {
        self.close_all(net);
        fault.and(std::mem::take(&mut self.hub.collected));
        Err(fault)
    }
}

/// What one look at the net and the clock came to.
enum Look {
    /// There is nothing to do before this moment of the clock.
    Waits(Tyme),
    /// A wake pass was made.
    Served,
    /// A tick was taken: its pass is to follow.
    Ticked,
    /// The run is over.
    Over(Outcome),
}

fn lost(error: NetError) -> Fault {
    Fault::new(Cause::Net(error))
}
