use std::time::Duration;

use super::{
    ConnectOptions, Endpoint, Group, ListenOptions, Lookup, Net, NetError, Owner, Shutdown, Sid,
    SocketOption,
};
use crate::tyme::{Clock, ManualClock, Tyme};

/// A net without sockets, for pure scheduling. Its clock leaps to the end of each wait.
///
/// Every socket operation is [`NetError::Unsupported`]. Its entropy is a fixed pattern.
///
/// ```
/// use hio::net::{Net, NullNet};
/// use hio::tyme::Tyme;
/// let mut net = NullNet::default();
/// net.poll(Tyme::from_secs(3))?;
/// assert_eq!(net.now(), Tyme::from_secs(3));
/// # Ok::<(), hio::net::NetError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct NullNet {
    /// The clock that waiting moves.
    pub clock: ManualClock,
    groups: u32,
}

impl Net for NullNet {
    fn now(&mut self) -> Tyme {
        self.clock.now()
    }
    fn wall(&mut self) -> Duration {
        self.clock.wall()
    }
    fn entropy(&mut self, out: &mut [u8]) {
        out.fill(0x5a);
    }
    /// Sets the clock to `until`. To wait for [`Tyme::NEVER`] is an error: nothing can end it.
    fn poll(&mut self, until: Tyme) -> Result<(), NetError> {
        if until.is_never() {
            return Err(NetError::Unsupported);
        }
        self.clock.set(until);
        Ok(())
    }
    fn woken(&mut self, _: &mut Vec<Owner>) {}
    fn group(&mut self, _: Owner) -> Group {
        self.groups += 1;
        Group::new(self.groups, 0)
    }
    fn set_owner(&mut self, _: Group, _: Owner) {}
    fn close_group(&mut self, _: Group) {}
    fn ready(&mut self, _: Group, _: &mut Vec<Sid>) {}
    fn mark(&mut self, _: Sid) {}
    fn listen(&mut self, _: Group, _: &Endpoint, _: &ListenOptions) -> Result<Sid, NetError> {
        Err(NetError::Unsupported)
    }
    fn accept(&mut self, _: Sid) -> Result<Option<(Sid, Endpoint)>, NetError> {
        Err(NetError::Stale)
    }
    fn connect(&mut self, _: Group, _: &Endpoint, _: &ConnectOptions) -> Result<Sid, NetError> {
        Err(NetError::Unsupported)
    }
    fn connected(&mut self, _: Sid) -> Result<bool, NetError> {
        Err(NetError::Stale)
    }
    fn read(&mut self, _: Sid, _: &mut [u8]) -> Result<Option<usize>, NetError> {
        Err(NetError::Stale)
    }
    fn write(&mut self, _: Sid, _: &[u8]) -> Result<usize, NetError> {
        Err(NetError::Stale)
    }
    fn shutdown(&mut self, _: Sid, _: Shutdown) -> Result<(), NetError> {
        Err(NetError::Stale)
    }
    fn close(&mut self, _: Sid) {}
    fn resolve(&mut self, _: Group, _: &str) -> Lookup {
        Lookup::Failed(NetError::Unresolvable)
    }
    fn local(&self, _: Sid) -> Result<Endpoint, NetError> {
        Err(NetError::Stale)
    }
    fn peer(&self, _: Sid) -> Result<Endpoint, NetError> {
        Err(NetError::Stale)
    }
    fn buffer_sizes(&self, _: Sid) -> Result<(usize, usize), NetError> {
        Err(NetError::Stale)
    }
    fn set_option(&mut self, _: Sid, _: SocketOption) -> Result<(), NetError> {
        Err(NetError::Stale)
    }
}
