//! A node that is operated by hand, from outside of any Doist.

use std::time::Duration;

use super::node::NodeId;
use super::nodenet::NodeNet;
use super::sim::Sim;
use crate::net::{
    Bell, ConnectOptions, Datagram, DatagramOptions, Endpoint, Group, Interrupt, ListenOptions,
    Lookup, Loose, Net, NetError, Owner, Probe, Shutdown, Sid, SocketOption,
};
use crate::tyme::Tyme;

/// A node's [`Net`] whose [`poll`](Net::poll) runs the whole simulation: what a test operates by
/// hand, exactly as it would a [`MioNet`](crate::net::MioNet).
///
/// `S` is the simulation itself or `&mut` it. The node is best one of [`Sim::station`], which has
/// no program; one that has is served by both.
///
/// ```
/// use hio::net::{ConnectOptions, Endpoint, ListenOptions, Net, Owner};
/// use hio::sim::{Sim, Station};
/// use std::time::Duration;
/// let mut sim = Sim::new(1);
/// let node = sim.station("a");
/// let mut net = Station::new(sim, node);
/// let group = net.group(Owner::NONE);
/// let listener = net.listen(group, &Endpoint::host("127.0.0.1", 0), &ListenOptions::default())?;
/// let at = net.local(listener)?;
/// let client = net.connect(group, &at, &ConnectOptions::default())?;
/// while !net.connected(client)? {
///     let soon = net.now() + Duration::from_secs(1);
///     net.poll(soon)?;
/// }
/// assert_eq!(net.write(client, b"hello")?, 5);
/// # Ok::<(), hio::net::NetError>(())
/// ```
#[derive(Debug)]
pub struct Station<S> {
    /// The simulation.
    pub sim: S,
    node: NodeId,
}

impl<S: AsMut<Sim> + AsRef<Sim>> Station<S> {
    /// A door to a node of a simulation.
    pub const fn new(sim: S, node: NodeId) -> Self {
        Self { sim, node }
    }

    fn door<T>(&mut self, act: impl FnOnce(&mut NodeNet<'_>) -> T) -> T {
        let sim = self.sim.as_mut();
        let mut net = NodeNet {
            fabric: &mut sim.fabric,
            node: self.node.0,
            violated: None,
        };
        let result = act(&mut net);
        if let Some((name, _)) = net.violated.take() {
            sim.stop(format!("`{name}` does not hold"));
        }
        result
    }

    fn host(&self) -> &super::host::Host {
        &self.sim.as_ref().fabric.hosts[self.node.index()]
    }
}

impl AsRef<Self> for Sim {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl AsMut<Self> for Sim {
    fn as_mut(&mut self) -> &mut Self {
        self
    }
}

impl<S: AsMut<Sim> + AsRef<Sim>> Net for Station<S> {
    fn now(&mut self) -> Tyme {
        self.door(|net| net.now())
    }
    fn wall(&mut self) -> Duration {
        self.door(|net| net.wall())
    }
    fn entropy(&mut self, out: &mut [u8]) {
        self.door(|net| net.entropy(out));
    }

    /// Runs the simulation until something happens at a socket of this node, at most until the
    /// node's clock shows `until`.
    ///
    /// # Errors
    /// [`NetError::Unsupported`] when nothing can ever end the wait; [`NetError::Aborted`] when the
    /// simulation stopped, which tells why when it is stepped.
    fn poll(&mut self, until: Tyme) -> Result<(), NetError> {
        // What the node's own calls brought about is told by this poll, at once.
        let told = !self.host().later.is_empty();
        let until = if told { Tyme::ZERO } else { until };
        self.door(|net| net.poll(until))?;
        let (node, before) = (self.node.index(), self.host().rouses);
        let until = self.host().clock.global_at(until.as_nanos());
        let sim = self.sim.as_mut();
        while sim.fabric.hosts[node].rouses == before {
            let next = sim.next().as_nanos();
            if next > until.max(sim.fabric.wire.now) {
                break;
            }
            match sim.step() {
                Ok(true) => {}
                Ok(false) => return Err(NetError::Unsupported),
                Err(_) => return Err(NetError::Aborted),
            }
        }
        if sim.fabric.hosts[node].rouses == before {
            let until = Tyme::from_nanos(until);
            sim.run_until(until).map_err(|_| NetError::Aborted)?;
        }
        Ok(())
    }
    fn woken(&mut self, out: &mut Vec<Owner>) {
        self.door(|net| net.woken(out));
    }
    fn group(&mut self, owner: Owner) -> Group {
        self.door(|net| net.group(owner))
    }
    fn set_owner(&mut self, group: Group, owner: Owner) {
        self.door(|net| net.set_owner(group, owner));
    }
    fn close_group(&mut self, group: Group) {
        self.door(|net| net.close_group(group));
    }
    fn ready(&mut self, group: Group, out: &mut Vec<Sid>) {
        self.door(|net| net.ready(group, out));
    }
    fn mark(&mut self, sid: Sid) {
        self.door(|net| net.mark(sid));
    }
    fn listen(
        &mut self,
        group: Group,
        at: &Endpoint,
        options: &ListenOptions,
    ) -> Result<Sid, NetError> {
        self.door(|net| net.listen(group, at, options))
    }
    fn accept(&mut self, listener: Sid) -> Result<Option<(Sid, Endpoint)>, NetError> {
        self.door(|net| net.accept(listener))
    }
    fn connect(
        &mut self,
        group: Group,
        to: &Endpoint,
        options: &ConnectOptions,
    ) -> Result<Sid, NetError> {
        self.door(|net| net.connect(group, to, options))
    }
    fn connected(&mut self, sid: Sid) -> Result<bool, NetError> {
        self.door(|net| net.connected(sid))
    }
    fn read(&mut self, sid: Sid, buf: &mut [u8]) -> Result<Option<usize>, NetError> {
        self.door(|net| net.read(sid, buf))
    }
    fn write(&mut self, sid: Sid, data: &[u8]) -> Result<usize, NetError> {
        self.door(|net| net.write(sid, data))
    }
    fn shutdown(&mut self, sid: Sid, how: Shutdown) -> Result<(), NetError> {
        self.door(|net| net.shutdown(sid, how))
    }
    fn close(&mut self, sid: Sid) {
        self.door(|net| net.close(sid));
    }
    fn bind(
        &mut self,
        group: Group,
        at: &Endpoint,
        options: &DatagramOptions,
    ) -> Result<Sid, NetError> {
        self.door(|net| net.bind(group, at, options))
    }
    fn recv_from(&mut self, sid: Sid, buf: &mut [u8]) -> Result<Option<Datagram>, NetError> {
        self.door(|net| net.recv_from(sid, buf))
    }
    fn send_to(&mut self, sid: Sid, data: &[u8], to: Option<&Endpoint>) -> Result<bool, NetError> {
        self.door(|net| net.send_to(sid, data, to))
    }
    fn resolve(&mut self, group: Group, name: &str) -> Lookup {
        self.door(|net| net.resolve(group, name))
    }
    fn let_go(&mut self, sid: Sid) -> Result<Loose, NetError> {
        self.door(|net| net.let_go(sid))
    }
    fn take_in(&mut self, group: Group, loose: Loose) -> Result<Sid, NetError> {
        self.door(|net| net.take_in(group, loose))
    }
    fn hang(&mut self, group: Group, bell: &Bell) -> Result<(), NetError> {
        self.door(|net| net.hang(group, bell))
    }
    fn ring(&mut self, bell: &Bell) {
        self.door(|net| net.ring(bell));
    }
    fn interrupt(&mut self) -> Option<Interrupt> {
        self.door(|net| net.interrupt())
    }
    fn local(&self, sid: Sid) -> Result<Endpoint, NetError> {
        self.sim.as_ref().fabric.local(self.node.0, sid)
    }
    fn peer(&self, sid: Sid) -> Result<Endpoint, NetError> {
        self.sim.as_ref().fabric.peer(self.node.0, sid)
    }
    fn buffer_sizes(&self, sid: Sid) -> Result<(usize, usize), NetError> {
        self.sim.as_ref().fabric.buffer_sizes(self.node.0, sid)
    }
    fn set_option(&mut self, sid: Sid, option: SocketOption) -> Result<(), NetError> {
        self.door(|net| net.set_option(sid, option))
    }
    fn probe(&mut self, who: Owner, probe: Probe<'_>) -> bool {
        self.door(|net| net.probe(who, probe))
    }
    fn is_simulated(&self) -> bool {
        true
    }
}
