use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::link::RemoterId;
use crate::tyme::Tyme;

/// When connections want to be looked at although nothing comes.
///
/// An entry may be earlier than what is wanted by now: whoever it names is looked at, and armed
/// anew. So moving a deadline away, which each request does, costs nothing.
#[derive(Debug, Default)]
pub(super) struct Deadlines(BinaryHeap<Reverse<(Tyme, RemoterId)>>);

impl Deadlines {
    /// Wants `id` to be looked at, at `at`; `armed` is the earliest entry it has already.
    pub(super) fn arm(&mut self, id: RemoterId, at: Tyme, armed: &mut Tyme) {
        if at < *armed {
            *armed = at;
            self.0.push(Reverse((at, id)));
        }
    }

    /// The next connection that is to be looked at by now.
    pub(super) fn next(&mut self, tyme: Tyme) -> Option<RemoterId> {
        let Reverse((at, id)) = *self.0.peek()?;
        (at <= tyme).then(|| {
            self.0.pop();
            id
        })
    }

    pub(super) fn soonest(&self) -> Tyme {
        self.0.peek().map_or(Tyme::NEVER, |Reverse((at, _))| *at)
    }

    /// Drops entries of connections that are gone, once they are most of all.
    pub(super) fn tidy(&mut self, open: usize, lives: impl Fn(RemoterId) -> bool) {
        if self.0.len() > 64 + 3 * open {
            self.0.retain(|Reverse((_, id))| lives(*id));
        }
    }
}
