//! Where there are no such signals: the doers are there, and making one says so.

use std::convert::Infallible;
use std::error::Error;
use std::time::Duration;

use crate::doing::{Cx, Doer, Fault, Next};
use crate::net::{Net, NetError};
use crate::tyme::Tyme;

/// Ends the Doist on SIGINT and SIGTERM, on systems that have them.
#[derive(Debug)]
pub struct SignalDoer(Infallible);

impl SignalDoer {
    /// There is none.
    ///
    /// # Errors
    /// [`NetError::Unsupported`], always.
    pub fn new(_net: &mut dyn Net) -> Result<Self, NetError> {
        Err(NetError::Unsupported)
    }

    /// There is none.
    ///
    /// # Errors
    /// [`NetError::Unsupported`], always.
    pub fn watching(_net: &mut dyn Net, _signals: &[i32]) -> Result<Self, NetError> {
        Err(NetError::Unsupported)
    }

    /// Sets how long the drain may take.
    #[must_use]
    pub fn with_limit(self, _limit: Duration) -> Self {
        match self.0 {}
    }
}

impl<A: ?Sized> Doer<A> for SignalDoer {
    fn recur(&mut self, _tyme: Tyme, _cx: &mut Cx<'_, A>) -> Result<Next, Fault> {
        match self.0 {}
    }
}

/// Reads certificates anew on SIGHUP, on systems that have it.
#[derive(Debug)]
pub struct ReloadDoer(Infallible);

impl ReloadDoer {
    /// There is none.
    ///
    /// # Errors
    /// [`NetError::Unsupported`], always.
    pub fn new(
        _net: &mut dyn Net,
        _reload: impl FnMut() -> Result<(), Box<dyn Error + Send + Sync>> + Send + 'static,
    ) -> Result<Self, NetError> {
        Err(NetError::Unsupported)
    }

    /// There is none.
    ///
    /// # Errors
    /// [`NetError::Unsupported`], always.
    #[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
    pub fn of_tls(_: &mut dyn Net, _: &crate::link::tls::ServerTls) -> Result<Self, NetError> {
        Err(NetError::Unsupported)
    }

    /// How often it went well.
    #[must_use]
    pub const fn reloads(&self) -> u64 {
        match self.0 {}
    }

    /// How often it failed.
    #[must_use]
    pub const fn failures(&self) -> u64 {
        match self.0 {}
    }
}

impl<A: ?Sized> Doer<A> for ReloadDoer {
    fn recur(&mut self, _tyme: Tyme, _cx: &mut Cx<'_, A>) -> Result<Next, Fault> {
        match self.0 {}
    }
}
