use std::fmt;

use crate::link::{Seen, Watch};

/// Shows a watch only a part of what there is: one connection's, or one kind.
///
/// ```
/// use hio::link::What;
/// use hio::wire::{Only, WireLog};
///
/// let log = WireLog::memory();
/// let of_one_port = Only::new(log.clone(), |seen| seen.peer.port() == Some(5000));
/// let no_payload = Only::new(log, |seen| !matches!(seen.what, What::Received(_) | What::Sent(_)));
/// # drop((of_one_port, no_payload));
/// ```
pub struct Only<W, F> {
    watch: W,
    wanted: F,
}

impl<W: Watch, F: FnMut(&Seen<'_>) -> bool + Send> Only<W, F> {
    /// Shows what `wanted` says.
    pub const fn new(watch: W, wanted: F) -> Self {
        Self { watch, wanted }
    }
}

impl<W: Watch, F: FnMut(&Seen<'_>) -> bool + Send> Watch for Only<W, F> {
    fn see(&mut self, seen: &Seen<'_>) {
        if (self.wanted)(seen) {
            self.watch.see(seen);
        }
    }

    fn flush(&mut self) {
        self.watch.flush();
    }
}

impl<W: fmt::Debug, F> fmt::Debug for Only<W, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Only").field(&self.watch).finish()
    }
}
