//! Torture: a net whose k-th call of a kind fails.

use std::cell::Cell;
use std::time::Duration;

use hio::net::{
    ConnectOptions, Endpoint, Group, ListenOptions, Lookup, Net, NetError, Owner, Shutdown, Sid,
    SocketOption,
};
use hio::tyme::Tyme;

/// The kinds of calls that can be made to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Listen,
    Accept,
    Connect,
    Connected,
    Read,
    Write,
    Shutdown,
    Local,
    SetOption,
}

impl Call {
    pub(crate) const ALL: [Self; 9] = [
        Self::Listen,
        Self::Accept,
        Self::Connect,
        Self::Connected,
        Self::Read,
        Self::Write,
        Self::Shutdown,
        Self::Local,
        Self::SetOption,
    ];
}

/// A net around another, in which one call fails. The call is not made then.
#[derive(Debug)]
pub(crate) struct Faulty<N> {
    pub(crate) inner: N,
    kind: Call,
    /// Calls of the kind until the one that fails.
    left: Cell<usize>,
    /// How many fail from there on.
    times: Cell<usize>,
    why: NetError,
    /// Whether it came to it.
    pub(crate) failed: Cell<usize>,
}

impl<N> Faulty<N> {
    pub(crate) fn new(inner: N, kind: Call, nth: usize, times: usize, why: NetError) -> Self {
        Self {
            inner,
            kind,
            left: Cell::new(nth),
            times: Cell::new(times),
            why,
            failed: Cell::new(0),
        }
    }

    fn hit(&self, kind: Call) -> Result<(), NetError> {
        if kind != self.kind || self.times.get() == 0 {
            return Ok(());
        }
        if self.left.get() > 0 {
            self.left.set(self.left.get() - 1);
            return Ok(());
        }
        self.times.set(self.times.get() - 1);
        self.failed.set(self.failed.get() + 1);
        Err(self.why)
    }
}

impl<N: Net> Net for Faulty<N> {
    fn now(&mut self) -> Tyme {
        self.inner.now()
    }
    fn wall(&mut self) -> Duration {
        self.inner.wall()
    }
    fn entropy(&mut self, out: &mut [u8]) {
        self.inner.entropy(out);
    }
    fn poll(&mut self, until: Tyme) -> Result<(), NetError> {
        self.inner.poll(until)
    }
    fn woken(&mut self, out: &mut Vec<Owner>) {
        self.inner.woken(out);
    }
    fn group(&mut self, owner: Owner) -> Group {
        self.inner.group(owner)
    }
    fn set_owner(&mut self, group: Group, owner: Owner) {
        self.inner.set_owner(group, owner);
    }
    fn close_group(&mut self, group: Group) {
        self.inner.close_group(group);
    }
    fn ready(&mut self, group: Group, out: &mut Vec<Sid>) {
        self.inner.ready(group, out);
    }
    fn mark(&mut self, sid: Sid) {
        self.inner.mark(sid);
    }
    fn listen(&mut self, g: Group, at: &Endpoint, o: &ListenOptions) -> Result<Sid, NetError> {
        self.hit(Call::Listen)?;
        self.inner.listen(g, at, o)
    }
    fn accept(&mut self, listener: Sid) -> Result<Option<(Sid, Endpoint)>, NetError> {
        self.hit(Call::Accept)?;
        self.inner.accept(listener)
    }
    fn connect(&mut self, g: Group, to: &Endpoint, o: &ConnectOptions) -> Result<Sid, NetError> {
        self.hit(Call::Connect)?;
        self.inner.connect(g, to, o)
    }
    fn connected(&mut self, sid: Sid) -> Result<bool, NetError> {
        self.hit(Call::Connected)?;
        self.inner.connected(sid)
    }
    fn read(&mut self, sid: Sid, buf: &mut [u8]) -> Result<Option<usize>, NetError> {
        self.hit(Call::Read)?;
        self.inner.read(sid, buf)
    }
    fn write(&mut self, sid: Sid, data: &[u8]) -> Result<usize, NetError> {
        self.hit(Call::Write)?;
        self.inner.write(sid, data)
    }
    fn shutdown(&mut self, sid: Sid, how: Shutdown) -> Result<(), NetError> {
        self.hit(Call::Shutdown)?;
        self.inner.shutdown(sid, how)
    }
    fn close(&mut self, sid: Sid) {
        self.inner.close(sid);
    }
    fn resolve(&mut self, group: Group, name: &str) -> Lookup {
        self.inner.resolve(group, name)
    }
    fn local(&self, sid: Sid) -> Result<Endpoint, NetError> {
        self.hit(Call::Local)?;
        self.inner.local(sid)
    }
    fn peer(&self, sid: Sid) -> Result<Endpoint, NetError> {
        self.inner.peer(sid)
    }
    fn buffer_sizes(&self, sid: Sid) -> Result<(usize, usize), NetError> {
        self.inner.buffer_sizes(sid)
    }
    fn set_option(&mut self, sid: Sid, option: SocketOption) -> Result<(), NetError> {
        self.hit(Call::SetOption)?;
        self.inner.set_option(sid, option)
    }
}
