//! Bells that hang in groups of this net, rung from any thread.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ::mio::Waker;

use crate::net::{Bell, Group};

/// Which groups were rung for since the last poll.
#[derive(Debug)]
pub(super) struct Bells(Arc<Rung>);

#[derive(Debug)]
struct Rung {
    groups: Mutex<Vec<Group>>,
    waker: Arc<Waker>,
}

impl Bells {
    pub(super) fn new(waker: &Arc<Waker>) -> Self {
        Self(Arc::new(Rung {
            groups: Mutex::default(),
            waker: Arc::clone(waker),
        }))
    }

    /// A bell that outlives its net keeps nothing of it open.
    pub(super) fn hang(&self, group: Group, bell: &Bell) {
        let rung = Arc::downgrade(&self.0);
        bell.hang_on(move || {
            if let Some(rung) = rung.upgrade() {
                rung.note(group);
            }
        });
    }

    /// The groups that were rung for, each once. From now on a ring wakes the poll again.
    pub(super) fn take(&self) -> Vec<Group> {
        std::mem::take(&mut self.0.lock())
    }
}

impl Rung {
    /// Only the first ring since the last look ends the poll: the others are found with it.
    fn note(&self, group: Group) {
        let mut groups = self.lock();
        if groups.contains(&group) {
            return;
        }
        groups.push(group);
        if groups.len() == 1 {
            // A waker that fails has no poll left to end.
            drop(self.waker.wake());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Group>> {
        // A list is as good after a panic elsewhere as before.
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
