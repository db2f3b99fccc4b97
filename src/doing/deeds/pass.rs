//! One pass: laws O1, O3, O4, O6, O10, P1 to P3.

use std::time::Duration;

use super::*;
use crate::doing::bits::Bits;
use crate::doing::cx::What;
use crate::doing::deed::Turn;
use crate::doing::doer::{Ended, Next};
use crate::doing::hub::{Event, Life, Sched};
use crate::tyme::Tyme;

/// Holes are closed when there are more of them than this, and more than open doers.
const HOLES: usize = 32;
/// Wheel entries that no longer count are swept out when there are more of them than this, and
/// more than a quarter of the slots.
const STALE: usize = 64;

/// A whole pass, as far as a slice may cut it.
pub(in crate::doing) struct Slice {
    /// How many doers may run.
    pub(in crate::doing) doers: usize,
    /// Until when on the net's clock more doers are begun.
    pub(in crate::doing) until: Tyme,
}

impl Slice {
    pub(in crate::doing) const WHOLE: Self = Self {
        doers: usize::MAX,
        until: Tyme::NEVER,
    };
}

impl<A: ?Sized + 'static> Deeds<A> {
    /// One pass over the children: what a parent does in its recur.
    ///
    /// Gives `Done(true)` when no child is left, else `Again`.
    ///
    /// # Errors
    /// The failure of a child that nobody supervises: the parent's own, by `?`.
    pub fn recur(&mut self, _tyme: Tyme, cx: &mut Cx<'_, A>) -> Result<Next, Fault> {
        self.pass(cx, &Slice::WHOLE)?;
        Ok(if self.open == 0 {
            Next::Done(true)
        } else {
            Next::Again
        })
    }

    /// A pass, or the next slice of one. Says whether it is complete.
    pub(in crate::doing) fn pass(
        &mut self,
        cx: &mut Cx<'_, A>,
        slice: &Slice,
    ) -> Result<bool, Fault> {
        if self.sched == NOBODY {
            return Err(Fault::misuse(Misuse::NotEntered));
        }
        if !self.walk.cut {
            if self.is_idle(cx.ask.hub) {
                return Ok(true);
            }
            self.sweep(cx.ask.hub);
        }
        let alone = cx.ask.hub.scheds[self.sched as usize].woken.single();
        // The attention of the pass above is kept for it, and whatever comes up here is its
        // business as well: a wake may be for one of its doers, a request may be for the root.
        let attention = std::mem::replace(&mut cx.ask.hub.attention, false);
        let me = cx.ask.me.get();
        let depth = cx.ask.hub.chain.len();
        if me != NOBODY {
            cx.ask.hub.chain.push(me);
        }
        let result = match alone {
            Some(index) if cx.ask.hub.kind == Kind::Wake && !self.walk.cut => {
                self.pass_for(index, me, cx)
            }
            _ => {
                if !std::mem::replace(&mut self.walk.cut, false) {
                    self.set_out(cx.ask.hub);
                }
                let Walk { cursor, end, .. } = self.walk;
                let Slice { doers: left, until } = *slice;
                self.walk = Walk {
                    cursor,
                    end,
                    left,
                    most: left,
                    until,
                    ..Walk::of(me, cx)
                };
                self.walk_on(cx)
            }
        };
        let hub = &mut *cx.ask.hub;
        hub.chain.truncate(depth);
        cx.ask.me.set(me);
        hub.attention |= attention | self.walk.attention;
        // A child that is still marked makes its parent due again (law P1).
        if me != NOBODY && !hub.scheds[self.sched as usize].woken.is_empty() {
            hub.places[me as usize].rewake = true;
            hub.attention = true;
        }
        result
    }

    /// A wake pass with one doer woken, which is what most messages are. The same as walking, in
    /// fewer steps, as long as the doer does nothing but park as before.
    fn pass_for(&mut self, index: usize, me: u32, cx: &mut Cx<'_, A>) -> Result<bool, Fault> {
        let (asked, collected) = (cx.ask.queue.len(), cx.ask.hub.collected.len());
        let depth = cx.ask.hub.chain.len();
        let turn = match catch_unwind(AssertUnwindSafe(|| self.run_one(index, cx))) {
            Ok(turn) => turn,
            Err(panic) => {
                cx.ask.hub.chain.truncate(depth);
                cx.ask.hub.torn(cx.ask.me.get());
                Turn::Failed(Fault::panicked(&*panic))
            }
        };
        self.walk.attention = false;
        if let Turn::Park(until) = turn {
            if self.slots[index].parks_as_before(until) && !cx.ask.hub.attention {
                return Ok(true);
            }
        }
        let (cursor, end, left) = (index + 1, self.slots.len(), usize::MAX);
        self.walk = Walk {
            cursor,
            end,
            left,
            asked,
            collected,
            ..Walk::of(me, cx)
        };
        self.after(index, turn, cx)?;
        self.walk.attention |= std::mem::replace(&mut cx.ask.hub.attention, false);
        self.walk_on(cx)
    }

    /// Walks on from the cursor. A panic is the failure of the doer in whose recur it happened.
    fn walk_on(&mut self, cx: &mut Cx<'_, A>) -> Result<bool, Fault> {
        let depth = cx.ask.hub.chain.len();
        loop {
            let panic = match catch_unwind(AssertUnwindSafe(|| self.walk(cx))) {
                Ok(result) => return result,
                Err(panic) => panic,
            };
            cx.ask.hub.chain.truncate(depth);
            let place = cx.ask.me.get();
            if place == self.walk.owner {
                // No hook was under way: a doer that was being dropped, or the like.
                return Err(Fault::panicked(&*panic));
            }
            cx.ask.hub.torn(place);
            let index = cx.ask.hub.places[place as usize].slot as usize;
            // In a row of tock-0 doers the cursor still stands at its begin.
            let ran = (index + 1).saturating_sub(self.walk.cursor);
            cx.ask.hub.totals.recurs += ran as u64;
            self.walk.cursor = index + 1;
            self.after(index, Turn::Failed(Fault::panicked(&*panic)), cx)?;
        }
    }

    /// Whether a pass would find nobody.
    fn is_idle(&self, hub: &Hub) -> bool {
        let sched = &hub.scheds[self.sched as usize];
        match hub.kind {
            Kind::Wake => sched.woken.is_empty(),
            Kind::Tick => sched.is_idle() && self.wheel.soonest() > hub.tyme,
        }
    }

    /// Closes the holes and clears out the wheel when that is worth it. Only between passes.
    #[inline]
    fn sweep(&mut self, hub: &mut Hub) {
        let holes = self.slots.len() - self.open;
        if holes > HOLES && holes > self.open {
            self.compact(hub);
        } else if self.wheel.len() - self.armed > STALE + self.slots.len() / 4 {
            self.rearm();
        }
    }

    /// The begin of a pass: fires what is due.
    fn set_out(&mut self, hub: &mut Hub) {
        self.walk.cursor = 0;
        self.walk.end = self.slots.len();
        if hub.kind == Kind::Wake {
            return;
        }
        let sched = &mut hub.scheds[self.sched as usize];
        sched.passes += 1;
        sched.passed = [hub.tyme, sched.passed[0]];
        if self.wheel.soonest() <= hub.tyme {
            let (slots, armed) = (&mut self.slots, &mut self.armed);
            let soon = &mut sched.soon;
            self.wheel.expire(hub.tyme, &mut |key, due| {
                let slot = &mut slots[key as usize];
                if slot.armed && slot.due == due {
                    slot.armed = false;
                    *armed -= 1;
                    if matches!(slot.state, State::Timed | State::Parked) {
                        soon.insert(key as usize);
                    }
                }
            });
        }
    }

    /// Walks on from the cursor to the end of the pass, or of the slice (`false`).
    fn walk(&mut self, cx: &mut Cx<'_, A>) -> Result<bool, Fault> {
        let whole = cx.ask.hub.kind == Kind::Tick;
        loop {
            let sched = &cx.ask.hub.scheds[self.sched as usize];
            if cx.ask.hub.stop && self.walk.owner == NOBODY {
                return Ok(true);
            }
            let found = next_due(sched, self.walk, whole);
            let Some((index, run)) = found else {
                self.walk.end = 0; // nobody is still to come in this pass
                return Ok(true);
            };
            if self.walk.left == 0 || (!self.walk.until.is_never() && self.spent(cx)) {
                self.walk.cut = true;
                return Ok(false);
            }
            let (index, turn) = if run > 0 && !cx.ask.hub.watched {
                let run = run.min(self.walk.left);
                self.walk.cursor = index;
                let stopped = self.run_dense(index, run, cx);
                cx.ask.hub.totals.recurs += (self.walk.cursor - index) as u64;
                match stopped {
                    Some(stopped) => stopped,
                    None => continue,
                }
            } else {
                self.walk.cursor = index + 1;
                (index, self.run_one(index, cx))
            };
            self.walk.cursor = index + 1;
            self.after(index, turn, cx)?;
            self.walk.attention |= std::mem::replace(&mut cx.ask.hub.attention, false);
        }
    }

    /// Whether the time of the slice is over. Not before one doer has run: with less and less time
    /// for it, a pass still comes to its end.
    fn spent(&self, cx: &mut Cx<'_, A>) -> bool {
        self.walk.left < self.walk.most && cx.net.now() >= self.walk.until
    }

    /// Runs `run` tock-0 doers in a row; stops at the first that needs a look afterwards.
    fn run_dense(&mut self, from: usize, run: usize, cx: &mut Cx<'_, A>) -> Option<(usize, Turn)> {
        let tyme = cx.ask.hub.tyme;
        let timed = !self.walk.until.is_never();
        let run = if timed { run.min(1) } else { run };
        let me = cx.ask.me;
        let mut slots = self.slots[from..from + run].iter_mut();
        while let Some(slot) = slots.next() {
            me.set(slot.place);
            let turn = slot.deed.recur(tyme, cx);
            if !matches!(turn, Turn::Tick) || cx.ask.hub.attention {
                let ran = run - slots.len(); // this one, too
                self.walk.left -= ran - 1;
                self.walk.cursor = from + ran;
                return Some((from + ran - 1, turn));
            }
        }
        self.walk.left -= run;
        self.walk.cursor = from + run;
        None
    }

    /// Runs the doer in one slot.
    fn run_one(&mut self, index: usize, cx: &mut Cx<'_, A>) -> Turn {
        let hub = &mut *cx.ask.hub;
        let sched = &mut hub.scheds[self.sched as usize];
        let woken = sched.woken.contains(index);
        sched.soon.remove(index);
        sched.woken.remove(index);
        let tyme = hub.tyme;
        let Slot { place, state, .. } = self.slots[index];
        if matches!(state, State::Timed | State::Parked) {
            hub.note_run(place, woken);
        }
        hub.totals.recurs += 1;
        cx.ask.me.set(place);
        if hub.watched {
            return self.run_watched(index, cx);
        }
        self.slots[index].deed.recur(tyme, cx)
    }

    /// The same with the observer told and the time taken.
    #[cold]
    fn run_watched(&mut self, index: usize, cx: &mut Cx<'_, A>) -> Turn {
        let tyme = cx.ask.hub.tyme;
        let slot = &mut self.slots[index];
        let (place, due, state) = (slot.place, slot.due, slot.state);
        let deed = &mut slot.deed;
        cx.ask.hub.begins(place, Event::Recur, deed.type_name());
        let measured = cx.ask.hub.busy.is_some();
        let begun = if measured { cx.net.now() } else { Tyme::ZERO };
        let turn = deed.recur(tyme, cx);
        cx.ask.hub.ended(place, Event::Recur);
        if measured {
            let busy = cx.net.now().since(begun);
            let missed = match (&turn, state) {
                (Turn::After(period), State::Timed) => {
                    u64::try_from(tyme.since(due).as_nanos() / u128::from(*period).max(1))
                        .unwrap_or(u64::MAX)
                }
                _ => 0,
            };
            cx.ask.hub.measure(place, busy, missed);
        }
        turn
    }

    /// What follows a recur: its next due time or its end, then what it asked for (law O4).
    fn after(&mut self, index: usize, turn: Turn, cx: &mut Cx<'_, A>) -> Result<(), Fault> {
        self.walk.left = self.walk.left.saturating_sub(1);
        cx.ask.me.set(self.walk.owner); // its recur has returned
        if cx.ask.hub.collected.len() > self.walk.collected {
            self.blame_collected(self.walk.collected, index, cx.ask.hub);
            self.walk.collected = cx.ask.hub.collected.len();
        }
        if matches!(turn, Turn::Tick | Turn::After(_) | Turn::Park(_)) {
            self.settle(index, turn, cx.ask.hub);
            if cx.ask.queue.len() == self.walk.asked {
                return Ok(());
            }
        } else if !self.conclude(index, turn, cx)? {
            return Ok(());
        }
        let result = self.carry_out(self.walk.asked, cx);
        self.walk.asked = cx.ask.queue.len();
        self.walk.collected = cx.ask.hub.collected.len();
        result
    }

    /// The end of a doer. Says whether what it asked for counts.
    fn conclude(&mut self, index: usize, turn: Turn, cx: &mut Cx<'_, A>) -> Result<bool, Fault> {
        let mut counts = true;
        if let Turn::Failed(fault) = turn {
            counts = false;
            cx.ask.forget(self.walk.asked);
            let fault = self.blame(index, Hook::Recur, fault, cx.ask.hub);
            if let Some(again) = self.give_up(index, fault, cx)? {
                self.begin(vec![again], cx, true)?;
            }
        } else {
            let done = matches!(turn, Turn::Done);
            self.end(index, Ended::Done(done), None, cx);
        }
        self.walk.collected = cx.ask.hub.collected.len();
        Ok(counts)
    }

    /// Notes when a doer is due next (law O3).
    pub(super) fn settle(&mut self, index: usize, turn: Turn, hub: &mut Hub) {
        let tyme = hub.tyme;
        let slot = &mut self.slots[index];
        let was = slot.state;
        let sched = &mut hub.scheds[self.sched as usize];
        if let Turn::Park(until) = turn {
            if slot.parks_as_before(until) && !hub.attention {
                return;
            }
        }
        let parks = matches!(turn, Turn::Park(_));
        if !parks && (was == State::Parked || hub.attention) {
            let known = &mut hub.places[slot.place as usize];
            known.life = Life::Open;
            known.rewake = false; // only a parked doer can be woken
        }
        match turn {
            Turn::After(span) => {
                let base = match was {
                    State::Fresh | State::Timed => slot.due,
                    State::Always | State::Parked | State::Gone => tyme,
                };
                slot.state = State::Timed;
                let due = base + Duration::from_nanos(span);
                self.wait_until(index, due, was, tyme, sched);
            }
            Turn::Park(until) => {
                slot.state = State::Parked;
                let known = &mut hub.places[slot.place as usize];
                known.life = Life::Parked;
                if std::mem::replace(&mut known.rewake, false) {
                    sched.woken.insert(index);
                }
                self.wait_until(index, until, was, tyme, sched);
            }
            Turn::Tick | Turn::Done | Turn::Undone | Turn::Failed(_) => {
                slot.state = State::Always;
                sched.always.insert(index);
            }
        }
        let Slot { place, state, .. } = self.slots[index];
        if was != state {
            hub.moved(place, was, state);
        }
    }

    fn wait_until(&mut self, index: usize, due: Tyme, was: State, tyme: Tyme, sched: &mut Sched) {
        if was == State::Always {
            sched.always.remove(index);
        }
        let slot = &mut self.slots[index];
        if slot.armed && slot.due == due {
            return;
        }
        self.armed -= usize::from(std::mem::take(&mut slot.armed));
        slot.due = due;
        if due <= tyme {
            sched.soon.insert(index); // late already: once per pass until it has caught up
        } else if !due.is_never() {
            slot.armed = true;
            self.armed += 1;
            #[expect(clippy::cast_possible_truncation, reason = "slots are numbered by u32")]
            self.wheel.insert(due, index as u32);
        }
    }

    /// Carries out what the children asked of this scheduler, the requests from `asked` on, and
    /// leaves there what is the root's.
    pub(super) fn carry_out(&mut self, asked: usize, cx: &mut Cx<'_, A>) -> Result<(), Fault> {
        if cx.ask.queue.len() == asked {
            return Ok(());
        }
        let is_root = cx.ask.hub.scheds[self.sched as usize].owner == NOBODY;
        let requests: Vec<_> = cx.ask.queue.drain(asked..).collect();
        cx.ask.hub.totals.requests += requests.len() as u64;
        let mut requests = requests.into_iter();
        while let Some(Request { root, what }) = requests.next() {
            if root && !is_root {
                cx.ask.hub.totals.requests -= 1; // the root's to count
                cx.ask.push(Request { root, what });
                continue;
            }
            match what {
                What::Extend(new) => {
                    if let Err(fault) = self.begin(new, cx, true) {
                        cx.ask.queue.extend(requests);
                        cx.ask.forget(asked);
                        return Err(fault);
                    }
                }
                What::Remove(ids) => self.remove(&ids, cx),
                What::Stop => cx.ask.hub.stop = true,
                What::Drain(limit) => {
                    let until = cx.ask.hub.tyme + limit;
                    cx.ask.hub.drain(cx.ask.me.get(), until);
                }
            }
        }
        Ok(())
    }

    /// Closes the holes. Only between passes.
    fn compact(&mut self, hub: &mut Hub) {
        self.slots.retain(Slot::is_open);
        let sched = &mut hub.scheds[self.sched as usize];
        let mut moved = Sched {
            owner: sched.owner,
            passes: sched.passes,
            passed: sched.passed,
            ..Default::default()
        };
        for (index, slot) in self.slots.iter().enumerate() {
            let known = &mut hub.places[slot.place as usize];
            let old = known.slot as usize;
            // unwrap: there are fewer slots than before.
            known.slot = u32::try_from(index).unwrap_or(NOBODY);
            let has = |bits: u64| bits >> (old % 64) & 1 == 1;
            if has(sched.always.word(old / 64)) {
                moved.always.insert(index);
            }
            if has(sched.soon.word(old / 64)) {
                moved.soon.insert(index);
            }
            if has(sched.woken.word(old / 64)) {
                moved.woken.insert(index);
            }
        }
        *sched = moved;
        self.rearm();
    }

    /// Fills the wheel anew with what still counts.
    pub(super) fn rearm(&mut self) {
        self.wheel.clear();
        for (index, slot) in (0u32..).zip(&self.slots) {
            if slot.armed {
                self.wheel.insert(slot.due, index);
            }
        }
    }
}

impl<A: ?Sized> Slot<A> {
    /// Whether nothing changes when it parks until then, unless something was asked or woken.
    #[inline]
    fn parks_as_before(&self, until: Tyme) -> bool {
        let armed = self.armed || until.is_never();
        self.state == State::Parked && self.due == until && armed
    }
}

impl Walk {
    /// The walk of a scheduler's owner, not yet on its way.
    fn of<A: ?Sized>(owner: u32, cx: &Cx<'_, A>) -> Self {
        Self {
            cursor: 0,
            end: 0,
            left: 0,
            most: 0,
            until: Tyme::NEVER,
            cut: false,
            attention: false,
            asked: cx.ask.queue.len(),
            collected: cx.ask.hub.collected.len(),
            owner,
        }
    }
}

/// The next due slot, and how many tock-0 slots stand there in a row that nothing else is due
/// for.
#[inline]
fn next_due(sched: &Sched, walk: Walk, whole: bool) -> Option<(usize, usize)> {
    if !whole || (sched.always.is_empty() && sched.soon.is_empty()) {
        return next_in(&sched.woken, walk);
    }
    if sched.always.is_empty() && sched.woken.is_empty() {
        return next_in(&sched.soon, walk);
    }
    next_of_all(sched, walk)
}

/// The next slot that is in one set, when no other counts.
#[inline]
fn next_in(bits: &Bits, walk: Walk) -> Option<(usize, usize)> {
    if bits.is_empty() || walk.cursor >= walk.end {
        return None;
    }
    let mut word = walk.cursor / 64;
    let mut due = bits.word(word) & u64::MAX << (walk.cursor % 64);
    if due == 0 {
        word = bits.next_word(word + 1)?;
        due = bits.word(word);
    }
    let index = word * 64 + due.trailing_zeros() as usize;
    (index < walk.end).then_some((index, 0))
}

fn next_of_all(sched: &Sched, walk: Walk) -> Option<(usize, usize)> {
    let Walk { cursor, end, .. } = walk;
    let mut word = cursor / 64;
    let mut mask = u64::MAX << (cursor % 64);
    while word * 64 < end {
        let once = sched.woken.word(word) | sched.soon.word(word);
        let always = sched.always.word(word);
        let due = (once | always) & mask;
        if due == 0 {
            word = next_word(sched, word + 1)?;
            mask = u64::MAX;
            continue;
        }
        let bit = due.trailing_zeros() as usize;
        let index = word * 64 + bit;
        if index >= end {
            return None;
        }
        let mut run = ((always & !once) >> bit).trailing_ones() as usize;
        if bit + run == 64 {
            run += full_words(sched, word + 1) * 64;
        }
        return Some((index, run.min(end - index)));
    }
    None
}

/// The first word at or after `from` in which somebody is due.
fn next_word(sched: &Sched, from: usize) -> Option<usize> {
    let next = |bits: &Bits| bits.next_word(from).unwrap_or(usize::MAX);
    let next = next(&sched.woken)
        .min(next(&sched.soon))
        .min(next(&sched.always));
    (next != usize::MAX).then_some(next)
}

/// How many whole words of tock-0 doers that nothing else is due for begin at `word`.
fn full_words(sched: &Sched, from: usize) -> usize {
    let mut word = from;
    while sched.always.word(word) == u64::MAX && sched.soon.word(word) | sched.woken.word(word) == 0
    {
        word += 1;
    }
    word - from
}
