use std::collections::VecDeque;
use std::time::Duration;

use super::fault::Fault;
use crate::tyme::Tyme;

/// What becomes of a doer that failed (law O8). It has been aborted and exited already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Its failure is its parent's too.
    Rise,
    /// It is gone; the others go on.
    Drop,
    /// The same object is entered again at once, with a new id, last in order.
    Restart,
}

pub(super) type Supervisor = Box<dyn FnMut(Tyme, &Fault) -> Verdict + Send>;

/// The ready-made policy: restart, unless it happens too often.
///
/// ```
/// use hio::doing::{Deeds, Restarts};
/// let mut deeds: Deeds = Deeds::new();
/// deeds.supervise(Restarts::default().policy()); // 1 restart in 5 s of tyme, then it rises
/// ```
#[derive(Clone, Debug)]
pub struct Restarts {
    most: usize,
    within: Duration,
    recent: VecDeque<Tyme>,
}

impl Restarts {
    /// At most `most` restarts of any of the scheduler's doers within so much tyme.
    #[must_use]
    pub const fn new(most: usize, within: Duration) -> Self {
        Self {
            most,
            within,
            recent: VecDeque::new(),
        }
    }

    /// What to do about a failure at `tyme`.
    pub fn decide(&mut self, tyme: Tyme) -> Verdict {
        while self
            .recent
            .front()
            .is_some_and(|&t| tyme.since(t) >= self.within)
        {
            self.recent.pop_front();
        }
        if self.recent.len() >= self.most {
            return Verdict::Rise;
        }
        self.recent.push_back(tyme);
        Verdict::Restart
    }

    /// The policy in the form that `supervise` takes.
    pub fn policy(mut self) -> impl FnMut(Tyme, &Fault) -> Verdict + Send + 'static {
        move |tyme, _| self.decide(tyme)
    }
}

impl Default for Restarts {
    fn default() -> Self {
        Self::new(1, Duration::from_secs(5))
    }
}
