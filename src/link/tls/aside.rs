use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Duration;

use rustls::pki_types::UnixTime;
use rustls::time_provider::TimeProvider;

use super::asker;
use crate::link::TlsFailure;

/// What a session and its configuration tell each other past rustls: the time before a session is
/// fed, and after it, what was wrong with a certificate.
///
/// Both are said on one thread, within one call. Servers on several threads with one configuration
/// have, in real nets, one time; simulated sessions bring their own along, see `asker`.
#[derive(Debug, Default)]
pub(super) struct Aside {
    seconds: AtomicU64,
    /// At most one for each thread.
    finer: Mutex<Vec<(ThreadId, TlsFailure)>>,
}

impl Aside {
    /// Tells the time: [`Net::wall`](crate::net::Net::wall).
    pub(super) fn tell_time(&self, wall: Duration) {
        self.seconds.store(wall.as_secs(), Ordering::Relaxed);
    }

    /// Says what rustls's error has no word for.
    pub(super) fn tell_finer(&self, failure: TlsFailure) {
        self.take_finer();
        self.finer().push((thread::current().id(), failure));
    }

    /// What this thread's last verification knew better than its error, once.
    pub(super) fn take_finer(&self) -> Option<TlsFailure> {
        let me = thread::current().id();
        let mut all = self.finer();
        let at = all.iter().position(|(thread, _)| *thread == me)?;
        Some(all.swap_remove(at).1)
    }

    fn finer(&self) -> MutexGuard<'_, Vec<(ThreadId, TlsFailure)>> {
        self.finer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TimeProvider for Aside {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = || Duration::from_secs(self.seconds.load(Ordering::Relaxed));
        let time = asker::time().unwrap_or_else(seconds);
        Some(UnixTime::since_unix_epoch(time))
    }
}
