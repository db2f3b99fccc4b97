use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Tells one net from another: whoever rings it marks the group it hangs in.
///
/// A bell carries nothing but a count of its rings; what is told lies beside it, as in a
/// [`Mailbox`](crate::crew::Mailbox). It is rung through the ringer's own net
/// ([`Net::ring`](super::Net::ring)), so that a simulation decides when it is heard, and hangs in a
/// group of the hearer's net ([`Net::hang`](super::Net::hang)), whose owner it wakes. Clones are the
/// same bell.
///
/// ```
/// use hio::net::{Bell, MioNet, Net, NullNet, Owner};
/// use hio::tyme::Tyme;
/// let bell = Bell::new();
/// let mut net = MioNet::new()?;
/// let group = net.group(Owner(7));
/// net.hang(group, &bell)?;
/// let theirs = bell.clone();
/// std::thread::spawn(move || NullNet::default().ring(&theirs)).join().unwrap();
/// let mut woken = Vec::new();
/// net.poll(Tyme::NEVER)?;
/// net.woken(&mut woken);
/// assert_eq!((woken, bell.rung()), (vec![Owner(7)], 1));
/// # Ok::<(), hio::net::NetError>(())
/// ```
#[derive(Clone, Default)]
pub struct Bell(Arc<Inner>);

type Hook = Arc<dyn Fn() + Send + Sync>;

#[derive(Default)]
struct Inner {
    rung: AtomicU64,
    hook: Mutex<Option<Hook>>,
}

impl Bell {
    /// One that hangs nowhere: its rings are counted.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How often it was heard ringing.
    #[must_use]
    pub fn rung(&self) -> u64 {
        self.0.rung.load(Ordering::Acquire)
    }

    /// Whether they are the same bell.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// For implementors of [`Net`](super::Net): it sounds now, and calls what it hangs on. Never
    /// blocks for longer than that takes.
    pub fn sound(&self) {
        // Counted before: who is woken by it finds it counted.
        self.0.rung.fetch_add(1, Ordering::AcqRel);
        self.nudge();
    }

    /// Calls what it hangs on, at once and uncounted.
    pub(crate) fn nudge(&self) {
        let hook = self.hook().clone();
        if let Some(hook) = hook {
            hook();
        }
    }

    /// For implementors of [`Net`](super::Net): hangs it on what is called at each ring, in place
    /// of what it hung on before.
    pub fn hang_on(&self, hook: impl Fn() + Send + Sync + 'static) {
        *self.hook() = Some(Arc::new(hook));
    }

    /// Takes it down: it goes on counting.
    pub fn take_down(&self) {
        *self.hook() = None;
    }

    fn hook(&self) -> MutexGuard<'_, Option<Hook>> {
        // Whoever panicked left a hook or none: both are fine.
        self.0.hook.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Bell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bell")
            .field("rung", &self.rung())
            .field("hangs", &self.hook().is_some())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_counts_wherever_it_hangs_and_calls_the_last_hook_only() {
        let bell = Bell::new();
        let heard = Arc::new(AtomicU64::new(0));
        bell.sound();
        for factor in [100, 1] {
            let heard = Arc::clone(&heard);
            bell.hang_on(move || _ = heard.fetch_add(factor, Ordering::Relaxed));
        }
        bell.sound();
        bell.take_down();
        bell.clone().sound();
        assert_eq!((bell.rung(), heard.load(Ordering::Relaxed)), (3, 1));
    }
}
