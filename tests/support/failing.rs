//! Programs on stations of a simulated world, driven by hand through a net in which the k-th call
//! of a kind fails.

use std::cell::Cell;
use std::time::Duration;

use hio::doing::{Doist, Fault, Turn};
use hio::net::{
    ConnectOptions, Endpoint, Group, Layer, ListenOptions, Net, NetError, Shutdown, Sid,
};
use hio::sim::{NodeId, Sim, Station};
use hio::tyme::Tyme;

/// The kinds of calls that can be made to fail, and how each may.
pub(crate) const CALLS: [(Call, &[NetError]); 7] = [
    (Call::Listen, &[NetError::AddrInUse, NetError::Exhausted]),
    (Call::Accept, &[NetError::Exhausted, NetError::Aborted]),
    (Call::Connect, &[NetError::Unreachable, NetError::Exhausted]),
    (Call::Connected, &[NetError::Refused, NetError::TimedOut]),
    (Call::Read, &[NetError::Reset]),
    (Call::Write, &[NetError::Reset, NetError::BrokenPipe]),
    (Call::Shutdown, &[NetError::NotConnected]),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Listen,
    Accept,
    Connect,
    Connected,
    Read,
    Write,
    Shutdown,
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

/// A net in which one call fails. The call is not made then.
pub(crate) struct Failing<'a> {
    pub(crate) net: Station<&'a mut Sim>,
    pub(crate) plan: &'a Plan,
}

impl<'a> Layer for Failing<'a> {
    type Below = Station<&'a mut Sim>;
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
        self.plan.hit(Call::Read)?;
        self.net.read(sid, buf)
    }
    fn write(&mut self, sid: Sid, data: &[u8]) -> Result<usize, NetError> {
        self.plan.hit(Call::Write)?;
        self.net.write(sid, data)
    }
    fn shutdown(&mut self, sid: Sid, how: Shutdown) -> Result<(), NetError> {
        self.plan.hit(Call::Shutdown)?;
        self.net.shutdown(sid, how)
    }
}

/// A program that is started again when it fails, as a service is.
pub(crate) struct Program<A: 'static> {
    pub(crate) node: NodeId,
    pub(crate) boot: Box<dyn Fn() -> Doist<A>>,
    pub(crate) doist: Option<Doist<A>>,
    pub(crate) due: Tyme,
}

impl<A> Program<A> {
    pub(crate) fn new(node: NodeId, boot: impl Fn() -> Doist<A> + 'static) -> Self {
        Self {
            node,
            boot: Box::new(boot),
            doist: None,
            due: Tyme::ZERO,
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
            Err(_) => (self.doist, self.due) = (None, now + Duration::from_millis(300)),
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
