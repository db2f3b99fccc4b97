use std::time::Duration;

use crate::doing::{Cx, Doer, Fault, Next};
use crate::link::Watch;
use crate::tyme::Tyme;

/// Flushes wire logs and captures every so often, so that somebody can read along, and when it
/// ends: hio's WireLogDoer.
///
/// Add it before the doers whose traffic is logged: closing goes the other way round, so that it
/// sees the last of it. Without it they are written whenever 64 KiB have gathered, and when the last of their clones is
/// dropped. With it an idle program wakes once in a `tock` for that.
///
/// ```
/// use hio::doers::WireLogDoer;
/// use hio::doing::prelude::*;
/// use hio::wire::WireLog;
/// use std::time::Duration;
///
/// let log = WireLog::memory();
/// let mut doist = Doist::new(()).with_limit(Duration::from_secs(3)).with_pace(Pace::Asap);
/// doist.add(WireLogDoer::new(Duration::from_secs(1)).with(log.clone()));
/// doist.run(&mut NullNet::default())?;
/// # Ok::<(), Fault>(())
/// ```
#[derive(Debug)]
pub struct WireLogDoer {
    tock: Duration,
    watches: Vec<Box<dyn Watch>>,
}

impl WireLogDoer {
    /// Flushes every `tock`, nothing yet.
    #[must_use]
    pub const fn new(tock: Duration) -> Self {
        Self {
            tock,
            watches: Vec::new(),
        }
    }

    /// Flushes this one, too: a clone of what is given to a server or a tap.
    #[must_use]
    pub fn with(mut self, watch: impl Watch + 'static) -> Self {
        self.watches.push(Box::new(watch));
        self
    }

    fn flush(&mut self) {
        self.watches.iter_mut().for_each(|watch| watch.flush());
    }
}

impl<A: ?Sized> Doer<A> for WireLogDoer {
    fn tock(&self) -> Duration {
        self.tock
    }

    fn recur(&mut self, _tyme: Tyme, _cx: &mut Cx<'_, A>) -> Result<Next, Fault> {
        self.flush();
        Ok(Next::Again)
    }

    fn exit(&mut self, _cx: &mut Cx<'_, A>) {
        self.flush();
    }
}
