use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};

use super::heard::{Heard, Kind};
use crate::doing::{Cx, Doer, Fault, Next};
use crate::net::{Net, NetError, Owner};
use crate::tyme::Tyme;

/// Ends the Doist in order when the process is asked to: SIGINT or SIGTERM.
///
/// The *first* signal [drains](crate::doing::Ask::drain) the Doist, within ten seconds unless
/// [`with_limit`](Self::with_limit) says otherwise: servers answer what has come and take nothing
/// new. Where nobody takes part in drains it stops at once. A *second* one
/// [stops](crate::doing::Ask::stop) it at once. The one after that, or any that finds this doer
/// not having looked at the one before, ends the process as it would have without this doer: so a
/// program that hangs can be ended, too.
///
/// It costs nothing while it waits: the handler writes one byte into a socket pair whose other
/// end lives in the net, so a signal wakes the Doist as any other traffic does, and is recorded
/// and replayed with it. There is no thread, and no moment at which a signal goes unnoticed: one
/// that comes before the Doist has entered stays in the pair and is seen in its first pass. That
/// holds for embedded loops too, as the pair counts in [`Net::poll_fd`].
///
/// It never ends by itself, and no drain waits for it: a Doist that has one runs until its limit, a
/// signal or a doer's [`stop`](crate::doing::Ask::stop). When the last of these doers was dropped, a
/// signal does again what it does by default. With several of them, each ends its own Doist.
///
/// On systems without signals of this kind `new` is [`NetError::Unsupported`].
///
/// ```
/// use hio::doers::SignalDoer;
/// use hio::doing::prelude::*;
/// use hio::net::MioNet;
/// use std::time::Duration;
///
/// let mut net = MioNet::new()?;
/// let mut doist = Doist::new(());
/// doist.add(SignalDoer::new(&mut net)?.with_limit(Duration::from_secs(30)));
/// doist.add(doify(|_tyme, cx: &mut Cx<'_>| {
///     cx.ask.drain(Duration::from_secs(30)); // what a signal does
///     Ok(Again)
/// }));
/// assert_eq!(doist.run(&mut net)?, Outcome::Drained);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct SignalDoer {
    heard: Heard,
    limit: Duration,
}

impl SignalDoer {
    /// Listens for SIGINT and SIGTERM from now on.
    ///
    /// # Errors
    /// The process is out of descriptors, or the system refuses the handlers.
    /// [`NetError::Unsupported`] on a net that has no sockets of the system.
    pub fn new(net: &mut dyn Net) -> Result<Self, NetError> {
        Self::watching(net, &[SIGINT, SIGTERM])
    }

    /// Listens for other signals, such as SIGQUIT, by their numbers.
    ///
    /// # Errors
    /// As [`new`](Self::new); also for a signal that cannot be handled, as SIGKILL.
    pub fn watching(net: &mut dyn Net, signals: &[i32]) -> Result<Self, NetError> {
        Ok(Self {
            heard: Heard::new(net, signals, Kind::Ends)?,
            limit: DRAIN,
        })
    }

    /// Sets how long the drain may take. Zero: the first signal stops at once.
    #[must_use]
    pub const fn with_limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }
}

impl<A: ?Sized> Doer<A> for SignalDoer {
    fn enter(&mut self, cx: &mut Cx<'_, A>) -> Result<Next, Fault> {
        self.heard.set_owner(cx.net, cx.ask.me().into());
        Ok(Next::Again)
    }

    fn recur(&mut self, _tyme: Tyme, cx: &mut Cx<'_, A>) -> Result<Next, Fault> {
        if self.heard.look(cx.net)? {
            if self.limit.is_zero() || cx.draining().is_some() {
                log::info!("a signal: stops at once");
                cx.ask.stop();
            } else {
                log::info!(
                    "a signal: drains within {:?}, the next one forces",
                    self.limit
                );
                self.heard.attended();
                cx.ask.drain(self.limit);
            }
        }
        Ok(Next::Park(Tyme::NEVER))
    }

    fn exit(&mut self, cx: &mut Cx<'_, A>) {
        self.heard.set_owner(cx.net, Owner::NONE);
    }
}

/// How long a drain may take unless said otherwise.
const DRAIN: Duration = Duration::from_secs(10);
