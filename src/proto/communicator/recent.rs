//! What was received lately, so that duplicates are known.

use std::collections::{BTreeMap, VecDeque};

use super::{MessageId, Rejection};

/// The messages of one connection that are remembered.
#[derive(Debug)]
pub(super) struct Recent<T> {
    known: BTreeMap<MessageId, Fate<T>>,
    order: VecDeque<MessageId>,
}

#[derive(Debug)]
enum Fate<T> {
    /// Delivered and not answered yet; these wait for the same answer.
    Open(Vec<T>),
    Answered(Result<(), Rejection>),
}

/// What is known of a message that came.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// It is new.
    New,
    /// It is being handled: its answer will be the answer of this one, too.
    Waiting,
    /// It was answered like this.
    Answered(Result<(), Rejection>),
}

impl<T> Recent<T> {
    pub(super) const fn new() -> Self {
        Self {
            known: BTreeMap::new(),
            order: VecDeque::new(),
        }
    }

    /// Notes a message, of which at most `most` are remembered.
    pub(super) fn note(&mut self, id: MessageId, ticket: T, most: usize) -> Seen {
        match self.known.get_mut(&id) {
            Some(Fate::Open(waiting)) => {
                waiting.push(ticket);
                return Seen::Waiting;
            }
            Some(Fate::Answered(how)) => return Seen::Answered(how.clone()),
            None => {}
        }
        if self.order.len() < most || self.forget_one() {
            self.known.insert(id, Fate::Open(Vec::new()));
            self.order.push_back(id);
        }
        Seen::New
    }

    /// Forgets the oldest that is answered: for the others somebody may wait. False when there is
    /// none.
    fn forget_one(&mut self) -> bool {
        let answered = |id: &MessageId| matches!(self.known.get(id), Some(Fate::Answered(_)));
        let Some(place) = self.order.iter().position(answered) else {
            return false;
        };
        let oldest = self.order.remove(place);
        oldest.is_some_and(|id| self.known.remove(&id).is_some())
    }

    /// Notes the answer; gives those that wait for it.
    pub(super) fn answered(&mut self, id: MessageId, how: &Result<(), Rejection>) -> Vec<T> {
        let Some(fate) = self.known.get_mut(&id) else {
            return Vec::new();
        };
        match std::mem::replace(fate, Fate::Answered(how.clone())) {
            Fate::Open(waiting) => waiting,
            Fate::Answered(_) => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u64) -> MessageId {
        MessageId { run: 1, number }
    }

    #[test]
    fn duplicates_wait_for_the_first_and_share_its_answer() {
        let mut recent = Recent::new();
        assert_eq!(recent.note(id(1), 'a', 8), Seen::New);
        assert_eq!(recent.note(id(1), 'b', 8), Seen::Waiting);
        assert_eq!(recent.answered(id(1), &Ok(())), ['b']);
        assert_eq!(recent.note(id(1), 'c', 8), Seen::Answered(Ok(())));
        assert_eq!(recent.answered(id(1), &Ok(())), []);
    }

    #[test]
    fn only_so_many_are_remembered() {
        let mut recent = Recent::new();
        for number in 0..10 {
            assert_eq!(recent.note(id(number), (), 4), Seen::New);
            assert!(recent.answered(id(number), &Ok(())).is_empty());
        }
        assert_eq!(recent.known.len(), 4);
        assert_eq!(recent.note(id(9), (), 4), Seen::Answered(Ok(())));
        assert_eq!(recent.note(id(0), (), 4), Seen::New, "forgotten");
        for number in 10..20 {
            assert_eq!(recent.note(id(number), (), 4), Seen::New);
        }
        assert_eq!(recent.note(id(0), (), 4), Seen::Waiting, "not answered");
        assert_eq!(recent.known.len(), 4);
        let mut none = Recent::new();
        assert_eq!(none.note(id(1), (), 0), Seen::New);
        assert_eq!(none.note(id(1), (), 0), Seen::New);
    }
}
