use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::tyme::{Clock, Tyme};

/// A simulation's own time, for who looks at it from outside: made by
/// [`Sim::clock`](super::Sim::clock). Nodes have clocks that drift; this one is right.
#[derive(Clone, Debug, Default)]
pub struct WorldClock {
    now: Arc<AtomicU64>,
    wall: Duration,
}

impl WorldClock {
    /// The same clock, with the wall time at simulated time zero.
    pub(super) fn beginning(&self, wall: Duration) -> Self {
        let now = Arc::clone(&self.now);
        Self { now, wall }
    }

    pub(super) fn set(&self, now: u64) {
        self.now.store(now, Ordering::Relaxed);
    }
}

impl Clock for WorldClock {
    fn now(&mut self) -> Tyme {
        Tyme::from_nanos(self.now.load(Ordering::Relaxed))
    }

    fn wall(&mut self) -> Duration {
        self.wall + Duration::from_nanos(self.now.load(Ordering::Relaxed))
    }
}
