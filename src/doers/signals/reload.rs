use std::error::Error;
use std::fmt;

use signal_hook::consts::SIGHUP;

use super::heard::{Heard, Kind};
use crate::doing::{Cx, Doer, Fault, Next};
use crate::net::{Net, NetError, Owner};
use crate::tyme::Tyme;

/// Reads certificates, or whatever else, anew when the process is told to: SIGHUP.
///
/// What fails is logged as one warning and changes nothing; the program goes on with what it has.
/// Several signals in a row may come to one reload. No drain waits for this doer.
///
/// What it calls runs within a pass: reading a certificate and its key is a matter of a millisecond;
/// what takes longer belongs elsewhere.
///
/// On systems without signals of this kind `new` is [`NetError::Unsupported`].
///
/// ```
/// use hio::doers::ReloadDoer;
/// use hio::doing::prelude::*;
/// use hio::net::MioNet;
///
/// let mut net = MioNet::new()?;
/// let mut doist = Doist::new(());
/// let reload = doist.add(ReloadDoer::new(&mut net, || {
///     Ok(()) // read something
/// })?);
/// assert_eq!(doist.get(reload).map(ReloadDoer::reloads), Some(0));
/// # Ok::<(), hio::net::NetError>(())
/// ```
pub struct ReloadDoer {
    heard: Heard,
    reload: Box<Reload>,
    reloads: u64,
    failures: u64,
}

type Reload = dyn FnMut() -> Result<(), Box<dyn Error + Send + Sync>> + Send;

impl ReloadDoer {
    /// Calls `reload` whenever SIGHUP has come.
    ///
    /// # Errors
    /// The process is out of descriptors, or the system refuses the handler.
    /// [`NetError::Unsupported`] on a net that has no sockets of the system.
    pub fn new(
        net: &mut dyn Net,
        reload: impl FnMut() -> Result<(), Box<dyn Error + Send + Sync>> + Send + 'static,
    ) -> Result<Self, NetError> {
        Ok(Self {
            heard: Heard::new(net, &[SIGHUP], Kind::Tells)?,
            reload: Box::new(reload),
            reloads: 0,
            failures: 0,
        })
    }

    /// Reads the files of a server's TLS anew: connections from then on see the new certificate,
    /// those that stand go on as they are. See [`ServerTls::reload`](crate::link::tls::ServerTls::reload).
    ///
    /// # Errors
    /// As [`new`](Self::new).
    #[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
    pub fn of_tls(net: &mut dyn Net, tls: &crate::link::tls::ServerTls) -> Result<Self, NetError> {
        let tls = tls.clone();
        Self::new(net, move || Ok(tls.reload()?))
    }

    /// How often it went well.
    #[must_use]
    pub const fn reloads(&self) -> u64 {
        self.reloads
    }

    /// How often it failed.
    #[must_use]
    pub const fn failures(&self) -> u64 {
        self.failures
    }
}

impl fmt::Debug for ReloadDoer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReloadDoer")
            .field("reloads", &self.reloads)
            .field("failures", &self.failures)
            .finish_non_exhaustive()
    }
}

impl<A: ?Sized> Doer<A> for ReloadDoer {
    fn enter(&mut self, cx: &mut Cx<'_, A>) -> Result<Next, Fault> {
        self.heard.set_owner(cx.net, cx.ask.me().into());
        Ok(Next::Again)
    }

    fn recur(&mut self, _tyme: Tyme, cx: &mut Cx<'_, A>) -> Result<Next, Fault> {
        if self.heard.look(cx.net)? {
            match (self.reload)() {
                Ok(()) => {
                    self.reloads += 1;
                    log::info!("read anew");
                }
                Err(why) => {
                    self.failures += 1;
                    log::warn!("not read anew, all stays as it was: {why}");
                }
            }
        }
        Ok(Next::Park(Tyme::NEVER))
    }

    fn exit(&mut self, cx: &mut Cx<'_, A>) {
        self.heard.set_owner(cx.net, Owner::NONE);
    }
}
