use std::time::Duration;

use super::events::Pause;
use crate::net::NetError;
use crate::tyme::Tyme;

/// When a server may accept.
///
/// Out of descriptors, a listener stays readable and each accept fails: trying on would burn the
/// processor, and with edges as readiness, waiting for the next one would leave clients in the
/// backlog for ever. So failing makes a pause, at most 20 of them a second, after which, or when a
/// connection of the server closes, it is tried again.
#[derive(Debug)]
pub(super) struct Accepts {
    pause: Option<Pause>,
    /// When to try again after a failure.
    retry: Tyme,
    /// Failures in the second that began at `since`.
    failures: u32,
    since: Tyme,
    /// Failures that no log line has told of yet.
    untold: u64,
    told: Tyme,
}

/// Failed accepts in a second, at most.
const FAILURES_MAX: u32 = 20;
const SECOND: Duration = Duration::from_secs(1);

impl Default for Accepts {
    fn default() -> Self {
        Self {
            pause: None,
            retry: Tyme::NEVER,
            failures: 0,
            since: Tyme::ZERO,
            untold: 0,
            told: Tyme::NEVER,
        }
    }
}

impl Accepts {
    /// When accepting goes on without readiness.
    pub(super) const fn due(&self) -> Tyme {
        self.retry
    }

    /// Whether accepting waits for a place, or for the system.
    pub(super) const fn paused(&self) -> bool {
        self.pause.is_some()
    }

    /// Whether to look at the listener now: it is `ready`, or a pause is over.
    pub(super) fn wanted(&self, tyme: Tyme, ready: bool) -> bool {
        match self.pause {
            None => ready,
            // What waits is still there when a place is free: the server marks the listener.
            Some(Pause::Full) => ready,
            Some(Pause::Exhausted) => tyme >= self.retry,
        }
    }

    /// A connection closed: true when the listener should be looked at because of it.
    pub(super) fn freed(&mut self, tyme: Tyme) -> bool {
        match self.pause {
            None => false,
            Some(Pause::Full) => true,
            Some(Pause::Exhausted) => {
                let may = self.failures < FAILURES_MAX || tyme >= self.since + SECOND;
                if may {
                    self.retry = tyme;
                }
                may
            }
        }
    }

    /// The server has as many connections as it may. True when this is new.
    pub(super) fn full(&mut self) -> bool {
        self.retry = Tyme::NEVER;
        self.pause.replace(Pause::Full) != Some(Pause::Full)
    }

    /// An accept failed. True when this is new.
    pub(super) fn failed(&mut self, tyme: Tyme, why: NetError, pause: Duration) -> bool {
        if self.failures == 0 || tyme >= self.since + SECOND {
            (self.since, self.failures) = (tyme, 0);
        }
        self.failures += 1;
        self.retry = match self.failures < FAILURES_MAX {
            true => tyme + pause,
            false => (self.since + SECOND).max(tyme + pause),
        };
        self.tell(tyme, why);
        self.pause.replace(Pause::Exhausted) != Some(Pause::Exhausted)
    }

    /// An accept went well. True when it ends a pause.
    pub(super) fn worked(&mut self) -> bool {
        self.retry = Tyme::NEVER;
        self.pause.take().is_some()
    }

    /// One line a second.
    fn tell(&mut self, tyme: Tyme, why: NetError) {
        self.untold += 1;
        if self.told.is_never() || tyme >= self.told + SECOND {
            log::warn!("accept failed {} times: {why}", self.untold);
            (self.told, self.untold) = (tyme, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s6_at_most_20_failures_a_second_even_when_connections_close_all_the_time() {
        let mut accepts = Accepts::default();
        let pause = Duration::from_millis(60);
        let mut failures = 0;
        for ms in 0..10_000 {
            let tyme = Tyme::from_millis(ms);
            accepts.freed(tyme);
            if accepts.wanted(tyme, true) {
                accepts.failed(tyme, NetError::Exhausted, pause);
                failures += 1;
            }
        }
        assert!((150..=200).contains(&failures), "{failures} in 10 s");
        assert!(accepts.worked());
        assert!(accepts.wanted(Tyme::from_secs(10), true));
    }

    #[test]
    fn s6_a_retry_comes_within_100_ms_without_readiness() {
        let mut accepts = Accepts::default();
        assert!(accepts.failed(Tyme::ZERO, NetError::Exhausted, Duration::from_millis(60)));
        assert_eq!(accepts.due(), Tyme::from_millis(60));
        assert!(!accepts.wanted(Tyme::from_millis(59), true));
        assert!(accepts.wanted(Tyme::from_millis(60), false));
        assert!(accepts.freed(Tyme::from_millis(1)));
        assert!(accepts.wanted(Tyme::from_millis(1), false), "at once");
    }
}
