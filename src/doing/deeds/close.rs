//! How doers go: laws O5 to O8.

use super::*;
use crate::doing::doer::Ended;
use crate::doing::hub::{Event, Life, Origin};

impl<A: ?Sized + 'static> Deeds<A> {
    /// Closes all children in reverse enter order. Where the scheduler's owner is closed.
    ///
    /// Panics in their hooks are collected and never stop the closing of the others (law O7).
    pub fn close(&mut self, cx: &mut Cx<'_, A>) {
        for slot in (0..self.slots.len()).rev() {
            self.cease(slot, cx);
        }
        self.slots.clear();
        self.wheel.clear();
        self.armed = 0;
        self.walk = Walk::default();
        if self.sched != NOBODY {
            cx.ask.hub.close_sched(self.sched);
            self.sched = NOBODY;
        }
    }

    pub(super) fn cease(&mut self, index: usize, cx: &mut Cx<'_, A>) {
        self.end(index, Ended::Ceased, None, cx);
    }

    /// Ends the life of the doer in a slot: its hooks, its result, its place.
    pub(super) fn end(
        &mut self,
        index: usize,
        how: Ended,
        why: Option<&Fault>,
        cx: &mut Cx<'_, A>,
    ) {
        if let Some(deed) = self.dismiss(index, how, why, cx) {
            self.lay_down(self.slots[index].place, deed, cx);
        }
    }

    /// Runs the last hooks of the doer in a slot and hands it over.
    fn dismiss(
        &mut self,
        index: usize,
        how: Ended,
        why: Option<&Fault>,
        cx: &mut Cx<'_, A>,
    ) -> Option<Box<dyn Deed<A>>> {
        let slot = &mut self.slots[index];
        if !slot.is_open() {
            return None;
        }
        let mut deed = std::mem::replace(&mut slot.deed, Box::new(Gone));
        let state = std::mem::replace(&mut slot.state, State::Gone);
        let (place, armed) = (slot.place, std::mem::take(&mut slot.armed));
        self.armed -= usize::from(armed);
        self.open -= 1;
        let me = cx.ask.me.replace(place);
        cx.ask.hub.chain.push(me);
        cx.ask.hub.scheds[self.sched as usize].forget(index);
        let waits = self.waits(index, cx.ask.hub);
        cx.ask.hub.note_end(place, state, waits, how);
        let (hook, event) = match how {
            Ended::Done(_) => (Hook::Clean, Event::Clean),
            Ended::Ceased => (Hook::Cease, Event::Cease),
            Ended::Aborted => (Hook::Abort, Event::Abort),
        };
        cx.ask.hub.tell(place, event, &*deed);
        let collected = cx.ask.hub.collected.len();
        contain(cx, hook, |cx| match (how, why) {
            (Ended::Done(_), _) => deed.clean(cx),
            (Ended::Aborted, Some(why)) => deed.abort(why, cx),
            _ => deed.cease(cx),
        });
        cx.ask.hub.over(place, event);
        cx.ask.hub.tell(place, Event::Exit, &*deed);
        contain(cx, Hook::Exit, |cx| deed.exit(cx));
        cx.ask.hub.over(place, Event::Exit);
        cx.ask
            .hub
            .blame_collected(collected, place, deed.type_name());
        cx.ask.hub.chain.pop();
        cx.ask.hub.places[place as usize].life = Life::Ended(how);
        cx.ask.hub.set_drains(place, false);
        cx.ask.me.set(me);
        Some(deed)
    }

    /// Keeps a doer that has ended, or drops it.
    fn lay_down(&mut self, place: u32, deed: Box<dyn Deed<A>>, cx: &mut Cx<'_, A>) {
        let Origin {
            options, ordinal, ..
        } = cx.ask.hub.origins[place as usize];
        if options.first || options.keep {
            let (name, local) = (None, NOBODY);
            self.shelf.push(Shelved {
                place,
                local,
                ordinal,
                name,
                options,
                deed,
            });
        } else {
            cx.ask.hub.vacate(place);
            let (label, collected) = (deed.type_name(), cx.ask.hub.collected.len());
            contain(cx, Hook::Drop, |_| drop(deed));
            cx.ask.hub.blame_collected(collected, place, label);
        }
    }

    /// Aborts the doer in a slot and lets the supervisor decide.
    ///
    /// `Some` is the same doer, to be entered again; an error rises.
    pub(super) fn give_up(
        &mut self,
        index: usize,
        fault: Fault,
        cx: &mut Cx<'_, A>,
    ) -> Result<Option<New<A>>, Fault> {
        let deed = self.dismiss(index, Ended::Aborted, Some(&fault), cx);
        let place = self.slots[index].place;
        let tyme = cx.ask.hub.tyme;
        let verdict = match &mut self.supervisor {
            None => Verdict::Rise,
            // It is the program's own code: when it panics, nobody has saved the doer.
            Some(decide) => match catch_unwind(AssertUnwindSafe(|| decide(tyme, &fault))) {
                Ok(verdict) => verdict,
                Err(panic) => {
                    cx.ask.hub.collect(Fault::panicked(&*panic));
                    Verdict::Rise
                }
            },
        };
        let Some(deed) = deed else { return Err(fault) };
        if verdict == Verdict::Restart {
            cx.ask.hub.totals.restarted += 1;
            log::warn!("restarted: {fault}");
            return Ok(Some(self.reborn(place, deed, cx)));
        }
        self.lay_down(place, deed, cx);
        if verdict == Verdict::Drop {
            cx.ask.hub.totals.dropped += 1;
            log::warn!("dropped: {fault}");
            return Ok(None);
        }
        Err(fault)
    }

    /// The same doer in a new place.
    fn reborn(&mut self, old: u32, deed: Box<dyn Deed<A>>, cx: &mut Cx<'_, A>) -> New<A> {
        let hub = &mut *cx.ask.hub;
        let Origin {
            options, ordinal, ..
        } = hub.origins[old as usize];
        let name = hub.names.get(&old).cloned();
        let place = hub.settle(options, name);
        hub.origins[place as usize].ordinal = ordinal;
        for local in self.locals.iter_mut().filter(|l| **l == old) {
            *local = place;
        }
        hub.vacate(old);
        let parent = hub.chain.last().copied().unwrap_or(NOBODY);
        New {
            place,
            parent,
            nth: hub.birth(parent),
            deed,
        }
    }

    /// Says where a fault happened.
    pub(super) fn blame(&self, index: usize, hook: Hook, fault: Fault, hub: &Hub) -> Fault {
        let slot = &self.slots[index];
        let label = slot.deed.type_name();
        let mut fault = fault.during(hook, hub.tyme);
        fault.below(name_of(hub, slot.place, label));
        fault
    }

    /// Names the doer in a slot as the place of what was collected while it ran.
    pub(super) fn blame_collected(&self, from: usize, index: usize, hub: &mut Hub) {
        let slot = &self.slots[index];
        hub.blame_collected(from, slot.place, slot.deed.type_name());
    }
}
