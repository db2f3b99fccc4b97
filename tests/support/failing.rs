//! Programs on stations of a simulated world, driven by hand through a net in which the k-th call
//! of a kind fails.

use std::cell::Cell;
use std::time::Duration;

use hio::doing::{Doist, Fault, Turn};
use hio::net::{
    ConnectOptions, Endpoint, Group, Layer, ListenOptions, Lookup, Net, NetError, Shutdown, Sid,
    SocketOption,
};
use hio::sim::{NodeId, Sim, Station};
use hio::tyme::Tyme;

/// The kinds of calls that can be made to fail, and how each may.
pub(crate) const CALLS: [(Call, &[NetError]); 11] = [
    (Call::Resolve, &[NetError::Unresolvable, NetError::TimedOut]),
    (Call::Listen, &[NetError::AddrInUse, NetError::Exhausted]),
    (Call::Accept, &[NetError::Exhausted, NetError::Aborted]),
    (Call::Connect, &[NetError::Unreachable, NetError::Exhausted]),
    (Call::Connected, &[NetError::Refused, NetError::TimedOut]),
    (Call::Read, &[NetError::Reset]),
    (Call::Write, &[NetError::Reset, NetError::BrokenPipe]),
    (Call::Shutdown, &[NetError::NotConnected]),
    (Call::Local, &[NetError::Invalid]),
    (Call::Peer, &[NetError::NotConnected]),
    (Call::SetOption, &[NetError::Invalid]),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Resolve,
    Listen,
    Accept,
    Connect,
    Connected,
    Read,
    Write,
    Shutdown,
    Local,
    Peer,
    SetOption,
    Poll,
}

/// Which call fails.
pub(crate) struct Plan {
    pub(crate) kind: Call,
    pub(crate) why: NetError,
    /// Calls of the kind before the one that fails.
    pub(crate) left: Cell<usize>,
    pub(crate) failed: Cell<bool>,
}

impl Plan {
    /// The call of this kind after `nth` others fails.
    pub(crate) fn new(kind: Call, why: NetError, nth: usize) -> Self {
        Self {
            kind,
            why,
            left: Cell::new(nth),
            failed: Cell::new(false),
        }
    }

    pub(crate) fn hit(&self, kind: Call) -> Result<(), NetError> {
        if kind != self.kind || self.failed.get() {
            return Ok(());
        }
        match self.left.get() {
            0 => {
                self.failed.set(true);
                Err(self.why)
            }
            left => {
                self.left.set(left - 1);
                Ok(())
            }
        }
    }
}

/// A net in which one call fails. The call is not made then. `S` is the simulation or `&mut` it.
pub(crate) struct Failing<'a, S> {
    pub(crate) net: Station<S>,
    pub(crate) plan: &'a Plan,
}

impl<S: AsMut<Sim> + AsRef<Sim>> Failing<'_, S> {
    /// A connection whose call fails is lost: the other side sees a reset once it is closed, and no
    /// end in order.
    fn hit_open(&mut self, kind: Call, sid: Sid) -> Result<(), NetError> {
        let hit = self.plan.hit(kind);
        if hit.is_err() {
            let reset = SocketOption::Linger(Some(Duration::ZERO));
            // It may be one that has no such option, as what stands for signals.
            let _ = self.net.set_option(sid, reset);
        }
        hit
    }
}

impl<S: AsMut<Sim> + AsRef<Sim>> Layer for Failing<'_, S> {
    type Below = Station<S>;
    fn below(&self) -> &Self::Below {
        &self.net
    }
    fn below_mut(&mut self) -> &mut Self::Below {
        &mut self.net
    }
    fn listen(&mut self, g: Group, at: &Endpoint, o: &ListenOptions) -> Result<Sid, NetError> {
        self.plan.hit(Call::Listen)?;
        self.net.listen(g, at, o)
    }
    fn accept(&mut self, listener: Sid) -> Result<Option<(Sid, Endpoint)>, NetError> {
        self.plan.hit(Call::Accept)?;
        self.net.accept(listener)
    }
    fn connect(&mut self, g: Group, to: &Endpoint, o: &ConnectOptions) -> Result<Sid, NetError> {
        self.plan.hit(Call::Connect)?;
        self.net.connect(g, to, o)
    }
    fn connected(&mut self, sid: Sid) -> Result<bool, NetError> {
        self.plan.hit(Call::Connected)?;
        self.net.connected(sid)
    }
    fn read(&mut self, sid: Sid, buf: &mut [u8]) -> Result<Option<usize>, NetError> {
        self.hit_open(Call::Read, sid)?;
        self.net.read(sid, buf)
    }
    fn write(&mut self, sid: Sid, data: &[u8]) -> Result<usize, NetError> {
        self.hit_open(Call::Write, sid)?;
        self.net.write(sid, data)
    }
    fn shutdown(&mut self, sid: Sid, how: Shutdown) -> Result<(), NetError> {
        self.plan.hit(Call::Shutdown)?;
        self.net.shutdown(sid, how)
    }
    fn resolve(&mut self, group: Group, name: &str) -> Lookup {
        match self.plan.hit(Call::Resolve) {
            Ok(()) => self.net.resolve(group, name),
            Err(why) => Lookup::Failed(why),
        }
    }
    fn local(&self, sid: Sid) -> Result<Endpoint, NetError> {
        self.plan.hit(Call::Local)?;
        self.net.local(sid)
    }
    fn peer(&self, sid: Sid) -> Result<Endpoint, NetError> {
        self.plan.hit(Call::Peer)?;
        self.net.peer(sid)
    }
    fn set_option(&mut self, sid: Sid, option: SocketOption) -> Result<(), NetError> {
        self.plan.hit(Call::SetOption)?;
        self.net.set_option(sid, option)
    }
    fn poll(&mut self, until: Tyme) -> Result<(), NetError> {
        self.plan.hit(Call::Poll)?;
        self.net.poll(until)
    }
}

/// A program that is started again when it fails, as a service is.
pub(crate) struct Program<A: 'static> {
    pub(crate) node: NodeId,
    pub(crate) boot: Box<dyn Fn() -> Doist<A>>,
    pub(crate) doist: Option<Doist<A>>,
    pub(crate) due: Tyme,
    /// Why it was started again.
    pub(crate) faults: Vec<Fault>,
}

impl<A> Program<A> {
    pub(crate) fn new(node: NodeId, boot: impl Fn() -> Doist<A> + 'static) -> Self {
        Self {
            node,
            boot: Box::new(boot),
            doist: None,
            due: Tyme::ZERO,
            faults: Vec::new(),
        }
    }

    pub(crate) fn turn(&mut self, sim: &mut Sim, plan: &Plan) {
        let now = sim.tyme();
        if self.doist.is_none() && self.due > now {
            return;
        }
        let doist = self
            .doist
            .get_or_insert_with(|| (self.boot)().with_tyme(now));
        let net = Station::new(&mut *sim, self.node);
        let turned: Result<Turn, Fault> = doist.turn(&mut Failing { net, plan });
        match turned {
            Ok(Turn::Sleep(until)) => self.due = until,
            Ok(Turn::Ended(outcome)) => panic!("ended: {outcome:?}"),
            Err(why) => {
                self.faults.push(why);
                (self.doist, self.due) = (None, now + Duration::from_millis(300));
            }
        }
    }

    /// Ends it: nothing of it may stay open.
    pub(crate) fn end(&mut self, sim: &mut Sim, plan: &Plan) {
        if let Some(mut doist) = self.doist.take() {
            let net = Station::new(&mut *sim, self.node);
            // What closing hooks tell is what failed, which the story knows.
            drop(doist.exit(&mut Failing { net, plan }));
        }
        assert_eq!(sim.sockets(self.node).len(), 0, "a leak");
    }
}
