//! Who asks, when rustls asks its provider.
//!
//! rustls reaches its sources of randomness and keys through `&'static` objects, which are shared
//! by all configurations and are told nothing. So whoever calls rustls for a session whose keys are
//! not the system's lays down who asks, in a slot of the thread, for the time of that one call, and
//! takes it back. Between calls the slot is empty and the state is the session's own: simulations
//! run on many threads without disturbing each other, and one may go on on another thread.
//!
//! The other ways were weighed: one leaked provider for each configuration grows with every node
//! that a simulation starts; one shared table by thread makes all of them wait for its lock.

use std::cell::RefCell;
use std::time::Duration;

use crate::net::Tape;

/// What stands in for the system's randomness.
#[derive(Debug)]
pub(super) enum Asker {
    /// The system's, which is kept or given back.
    Taped(Tape),
    /// Numbers that follow from a seed, and the simulated time.
    #[cfg(feature = "sim-tls")]
    Seeded(super::seeded::Stream, Duration),
}

impl Asker {
    /// Tells the time that certificates are judged by, where it is the session's own.
    #[cfg_attr(
        not(feature = "sim-tls"),
        expect(clippy::needless_pass_by_ref_mut, reason = "tapes have no time")
    )]
    pub(super) const fn tell_time(&mut self, wall: Duration) {
        match self {
            Self::Taped(_) => {
                let _ = wall;
            }
            #[cfg(feature = "sim-tls")]
            Self::Seeded(_, time) => *time = wall,
        }
    }
}

thread_local! {
    /// Invariant: filled only within `asking`.
    static SLOT: RefCell<Option<Asker>> = const { RefCell::new(None) };
}

/// Calls rustls while `asker` is the one who asks; nobody is, without one.
pub(super) fn asking<R>(asker: &mut Option<Asker>, call: impl FnOnce() -> R) -> R {
    if asker.is_none() {
        return call();
    }
    let outer = SLOT.replace(asker.take());
    let _scope = Scope { asker, outer };
    call()
}

/// Gives what it was lent back to both, also when the call panics.
struct Scope<'a> {
    asker: &'a mut Option<Asker>,
    outer: Option<Asker>,
}

impl Drop for Scope<'_> {
    fn drop(&mut self) {
        *self.asker = SLOT.replace(self.outer.take());
    }
}

/// The tape of the one who asks.
pub(super) fn tape() -> Option<Tape> {
    SLOT.with_borrow(|slot| match slot {
        Some(Asker::Taped(tape)) => Some(tape.clone()),
        _ => None,
    })
}

/// Fills `out` with the next numbers of the one who asks. False when it has none: then nothing was
/// filled.
#[cfg(feature = "sim-tls")]
pub(super) fn fill(out: &mut [u8]) -> bool {
    SLOT.with_borrow_mut(|slot| match slot {
        Some(Asker::Seeded(stream, _)) => {
            stream.fill(out);
            true
        }
        _ => false,
    })
}

/// The time of the one who asks, where it has its own.
pub(super) fn time() -> Option<Duration> {
    SLOT.with_borrow(|slot| match slot {
        #[cfg(feature = "sim-tls")]
        Some(Asker::Seeded(_, time)) => Some(*time),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    #[test]
    fn the_slot_is_filled_for_one_call() {
        let mut asker = Some(Asker::Taped(Tape::recording()));
        assert!(tape().is_none());
        asking(&mut asker, || {
            assert!(tape().is_some());
            // A session inside another's call, and one without an asker.
            let mut inner = Some(Asker::Taped(Tape::replaying()));
            asking(&mut inner, || assert!(tape().unwrap().is_replaying()));
            assert!(!tape().unwrap().is_replaying());
        });
        assert!(tape().is_none() && asker.is_some());
        let call = || asking(&mut asker, || panic!("as a library may"));
        catch_unwind(AssertUnwindSafe(call)).unwrap_err();
        assert!(tape().is_none() && asker.is_some());
    }
}
