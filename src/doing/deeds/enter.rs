//! How doers come in: laws O2, O4 and O8.

use super::*;
use crate::doing::deed::Turn;
use crate::doing::doer::Ended;
use crate::doing::hub::{Event, Life, Origin};

impl<A: ?Sized + 'static> Deeds<A> {
    /// Enters the first list. Where the scheduler's owner is entered.
    ///
    /// # Errors
    /// The failure of an enter. Doers entered before it are still open: closing them is part of
    /// the owner's abort, which the scheduler above sees to.
    pub fn enter(&mut self, cx: &mut Cx<'_, A>) -> Result<(), Fault> {
        if self.sched != NOBODY {
            return Err(Fault::misuse(Misuse::EnteredTwice));
        }
        let me = cx.ask.me.get();
        self.sched = cx.ask.hub.open_sched(me);
        self.enter_shelved(cx, false)
    }

    /// Enters what lies on the shelf for it: the first list, or what was added to it since.
    pub(in crate::doing) fn enter_shelved(
        &mut self,
        cx: &mut Cx<'_, A>,
        running: bool,
    ) -> Result<(), Fault> {
        let me = cx.ask.me.get();
        let (mut first, kept): (Vec<_>, Vec<_>) = std::mem::take(&mut self.shelf)
            .into_iter()
            .partition(|s| s.options.first && (!running || self.unborn(s, cx.ask.hub)));
        self.shelf = kept;
        first.sort_by_key(|s| s.ordinal);
        self.slots.reserve(first.len());
        let hub = &mut *cx.ask.hub;
        let new = first
            .into_iter()
            .map(|s| self.unshelve(s, hub, me))
            .collect();
        self.begin(new, cx, running)
    }

    fn unborn(&self, shelved: &Shelved<A>, hub: &Hub) -> bool {
        let known = hub.places.get(shelved.place as usize);
        known.is_none_or(|p| p.life == Life::Unborn)
    }

    /// Enters `new` in order, then carries out what they asked for.
    ///
    /// When one fails while the scheduler is `running`, those of this call are closed again; when
    /// it is itself being entered, its owner's abort closes them.
    pub(super) fn begin(
        &mut self,
        new: Vec<New<A>>,
        cx: &mut Cx<'_, A>,
        running: bool,
    ) -> Result<(), Fault> {
        let (from, asked) = (self.slots.len(), cx.ask.queue.len());
        let me = cx.ask.me.get();
        cx.ask.hub.chain.push(me);
        let result = self.begin_each(new, cx);
        cx.ask.hub.chain.pop();
        cx.ask.me.set(me);
        if let Err(fault) = result {
            cx.ask.forget(asked);
            if running {
                for slot in (from..self.slots.len()).rev() {
                    self.cease(slot, cx);
                }
            }
            return Err(fault);
        }
        self.carry_out(asked, cx)
    }

    fn begin_each(&mut self, new: Vec<New<A>>, cx: &mut Cx<'_, A>) -> Result<(), Fault> {
        let mut new = new.into_iter();
        while let Some(mut next) = new.next() {
            loop {
                // A restart comes back here as the same doer in a new place.
                match self.begin_one(next, cx) {
                    Ok(Some(again)) => next = again,
                    Ok(None) => break,
                    Err(fault) => {
                        self.put_back(new, cx.ask.hub);
                        return Err(fault);
                    }
                }
            }
        }
        Ok(())
    }

    /// The rest of a list whose enter failed: the first list keeps its doers, as it may be
    /// entered again when the scheduler's owner is restarted.
    fn put_back(&mut self, rest: impl Iterator<Item = New<A>>, hub: &mut Hub) {
        for New { place, deed, .. } in rest {
            let Origin {
                options, ordinal, ..
            } = hub.origins[place as usize];
            if options.first {
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
                hub.vacate(place);
            }
        }
    }

    /// Enters one doer. `Some` when it failed and its supervisor wants it entered once more.
    fn begin_one(&mut self, new: New<A>, cx: &mut Cx<'_, A>) -> Result<Option<New<A>>, Fault> {
        let New {
            place,
            parent,
            nth,
            deed,
        } = new;
        let index = self.slots.len();
        let hub = &mut *cx.ask.hub;
        self.count_in(place, hub);
        cx.rng.streams.derive(place, parent, nth);
        let known = &mut hub.places[place as usize];
        known.sched = self.sched;
        // unwrap: slots are in memory, so their number fits.
        known.slot = u32::try_from(index).unwrap_or(NOBODY);
        known.life = Life::Open;
        known.rewake = false;
        let due = hub.tyme;
        let state = State::Fresh;
        self.slots.push(Slot {
            deed,
            due,
            place,
            state,
            armed: false,
        });
        self.open += 1;
        hub.note_enter(place, self.sched);
        hub.tell(place, Event::Enter, &*self.slots[index].deed);
        let (depth, collected) = (hub.chain.len(), hub.collected.len());
        cx.ask.me.set(place);
        let slot = &mut self.slots[index];
        let asked = cx.ask.queue.len();
        let turn = catch_unwind(AssertUnwindSafe(|| slot.deed.enter(cx)));
        self.blame_collected(collected, index, cx.ask.hub);
        cx.ask.hub.over(place, Event::Enter);
        match turn {
            Ok(Turn::Failed(fault)) => self.failed_enter(index, asked, fault, cx),
            Ok(turn) => {
                self.entered(index, turn, cx);
                Ok(None)
            }
            Err(panic) => {
                cx.ask.hub.chain.truncate(depth);
                self.failed_enter(index, asked, Fault::panicked(&*panic), cx)
            }
        }
    }

    fn entered(&mut self, index: usize, turn: Turn, cx: &mut Cx<'_, A>) {
        match turn {
            Turn::Tick => {
                let hub = &mut *cx.ask.hub;
                // A wake in its own enter counts only when it parks there (law P1).
                hub.places[self.slots[index].place as usize].rewake = false;
                hub.scheds[self.sched as usize].soon.insert(index);
            }
            Turn::Done => self.end(index, Ended::Done(true), None, cx),
            Turn::Undone => self.end(index, Ended::Done(false), None, cx),
            turn => self.settle(index, turn, cx.ask.hub),
        }
    }

    fn failed_enter(
        &mut self,
        index: usize,
        asked: usize,
        fault: Fault,
        cx: &mut Cx<'_, A>,
    ) -> Result<Option<New<A>>, Fault> {
        cx.ask.forget(asked); // it failed: what it asked for is dropped
        let fault = self.blame(index, Hook::Enter, fault, cx.ask.hub);
        self.give_up(index, fault, cx)
    }
}
