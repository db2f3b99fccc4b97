//! The requests of ours that wait for something.

use std::collections::{BTreeSet, VecDeque};
use std::fmt;

use crate::tyme::Tyme;

/// Names a request of ours on its channel: 0, 1, 2 and so on in the order in which they were sent,
/// as it travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub(super) u64);

impl RequestId {
    /// The number.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "request {}", self.0)
    }
}

/// What is known of each request, found by its id in a step or two: ids ascend, and most are
/// answered in order.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// Invariant: ids ascend; the first one is no longer [`State::Done`].
    rows: VecDeque<Row>,
    /// How many rows are [`State::Waiting`].
    waiting: usize,
    /// How many rows are [`State::Late`].
    late: usize,
    /// Deadlines of those that wait, soonest first.
    deadlines: BTreeSet<(Tyme, u64)>,
}

#[derive(Debug)]
struct Row {
    id: u64,
    deadline: Tyme,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    /// For its reply.
    Waiting,
    /// Given up by this side: a reply is swallowed.
    Late,
    /// For being removed.
    Done,
}

/// What a reply was for.
#[derive(Debug, PartialEq)]
pub(super) enum Answered {
    Waiting,
    Late,
    Unknown,
}

impl Ledger {
    pub(super) const fn waiting(&self) -> usize {
        self.waiting
    }

    pub(super) const fn late(&self) -> usize {
        self.late
    }

    /// Enters a request; ids must ascend.
    pub(super) fn enter(&mut self, id: u64, deadline: Tyme) {
        debug_assert!(self.rows.back().is_none_or(|row| row.id < id));
        if deadline < Tyme::NEVER {
            self.deadlines.insert((deadline, id));
        }
        let state = State::Waiting;
        self.rows.push_back(Row {
            id,
            deadline,
            state,
        });
        self.waiting += 1;
    }

    /// A reply has come.
    pub(super) fn answer(&mut self, id: u64) -> Answered {
        let Some(at) = self.find(id) else {
            return Answered::Unknown;
        };
        let row = &mut self.rows[at];
        let was = std::mem::replace(&mut row.state, State::Done);
        let deadline = row.deadline;
        let answered = match was {
            State::Waiting => {
                self.waiting -= 1;
                if deadline < Tyme::NEVER {
                    self.deadlines.remove(&(deadline, id));
                }
                Answered::Waiting
            }
            State::Late => {
                self.late -= 1;
                Answered::Late
            }
            State::Done => Answered::Unknown,
        };
        self.tidy();
        answered
    }

    /// Gives a request up. False when it does not wait.
    pub(super) fn give_up(&mut self, id: u64) -> bool {
        let Some(at) = self.find(id) else {
            return false;
        };
        let row = &mut self.rows[at];
        if row.state != State::Waiting {
            return false;
        }
        row.state = State::Late;
        let deadline = row.deadline;
        self.waiting -= 1;
        self.late += 1;
        if deadline < Tyme::NEVER {
            self.deadlines.remove(&(deadline, id));
        }
        true
    }

    /// The soonest deadline.
    pub(super) fn due(&self) -> Tyme {
        self.deadlines.first().map_or(Tyme::NEVER, |(due, _)| *due)
    }

    /// Gives up one request that is out of time.
    pub(super) fn expire(&mut self, tyme: Tyme) -> Option<u64> {
        let &(due, id) = self.deadlines.first()?;
        (due <= tyme && self.give_up(id)).then_some(id)
    }

    /// Forgets all, and gives the ids of those that wait, in order.
    pub(super) fn clear(&mut self) -> Vec<u64> {
        let all = std::mem::take(self);
        let waits = |row: &Row| row.state == State::Waiting;
        all.rows
            .into_iter()
            .filter(waits)
            .map(|row| row.id)
            .collect()
    }

    fn find(&self, id: u64) -> Option<usize> {
        // Where it is when none between was removed.
        let first = self.rows.front()?.id;
        let guess = usize::try_from(id.checked_sub(first)?).ok()?;
        if self.rows.get(guess).is_some_and(|row| row.id == id) {
            return Some(guess);
        }
        self.rows.binary_search_by_key(&id, |row| row.id).ok()
    }

    fn tidy(&mut self) {
        while self
            .rows
            .front()
            .is_some_and(|row| row.state == State::Done)
        {
            self.rows.pop_front();
        }
        // One that waits for ever must not keep all that came after it.
        if self.rows.len() > 2 * (self.waiting + self.late) + ROWS_KEPT {
            self.rows.retain(|row| row.state != State::Done);
        }
    }
}

/// Rows that may be done before it is worth while to remove them.
const ROWS_KEPT: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn at(ms: u64) -> Tyme {
        Tyme::ZERO + Duration::from_millis(ms)
    }

    #[test]
    fn each_is_answered_once() {
        let mut ledger = Ledger::default();
        (0..10).for_each(|id| ledger.enter(id, Tyme::NEVER));
        assert_eq!(ledger.answer(5), Answered::Waiting);
        assert_eq!(ledger.answer(5), Answered::Unknown);
        assert_eq!(ledger.answer(10), Answered::Unknown);
        assert!(ledger.give_up(6) && !ledger.give_up(6) && !ledger.give_up(5));
        assert_eq!(ledger.answer(6), Answered::Late);
        assert_eq!(ledger.answer(6), Answered::Unknown);
        (0..5).for_each(|id| assert_eq!(ledger.answer(id), Answered::Waiting));
        assert_eq!(ledger.rows.len(), 3, "the beginning is gone");
        assert_eq!(ledger.clear(), [7, 8, 9]);
        assert_eq!((ledger.waiting(), ledger.late()), (0, 0));
    }

    #[test]
    fn one_that_waits_for_ever_keeps_no_others() {
        let mut ledger = Ledger::default();
        ledger.enter(0, Tyme::NEVER);
        for id in 1..100_000 {
            ledger.enter(id, Tyme::NEVER);
            assert_eq!(ledger.answer(id), Answered::Waiting);
        }
        assert!(ledger.rows.len() <= 2 + ROWS_KEPT);
        assert_eq!(ledger.answer(0), Answered::Waiting);
    }

    #[test]
    fn deadlines_come_in_order() {
        let mut ledger = Ledger::default();
        ledger.enter(0, at(30));
        ledger.enter(1, Tyme::NEVER);
        ledger.enter(2, at(10));
        ledger.enter(3, at(20));
        assert_eq!(ledger.answer(3), Answered::Waiting);
        assert_eq!(ledger.due(), at(10));
        assert_eq!(ledger.expire(at(9)), None);
        assert_eq!(ledger.expire(at(99)), Some(2));
        assert_eq!(ledger.expire(at(99)), Some(0));
        assert_eq!(ledger.expire(at(99)), None);
        assert_eq!((ledger.due(), ledger.late()), (Tyme::NEVER, 2));
    }
}
