use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustls::pki_types::UnixTime;
use rustls::time_provider::TimeProvider;

/// The time that certificates are judged by: that of the net, told by whoever feeds a session.
///
/// It is told right before a session is fed, on the same thread, so configurations that several
/// servers or simulated machines share see the time of the one that asks. Servers on several
/// threads with one configuration have, in real nets, one time anyway.
#[derive(Debug, Default)]
pub(super) struct WallClock {
    seconds: AtomicU64,
}

impl WallClock {
    /// Tells the time: [`Net::wall`](crate::net::Net::wall).
    pub(super) fn tell(&self, wall: Duration) {
        self.seconds.store(wall.as_secs(), Ordering::Relaxed);
    }
}

impl TimeProvider for WallClock {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = self.seconds.load(Ordering::Relaxed);
        Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}
