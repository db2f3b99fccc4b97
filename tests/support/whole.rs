//! Whole programs in a simulated world in which the k-th call of a kind fails: servers that are
//! turned as services are, and a client that runs to its end on a net of its own.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hio::doing::Fault;
use hio::net::{Endpoint, ListenOptions};
use hio::net::{Group, Layer, Net, NetError, Sid, StdSocket};
use hio::sim::{NodeId, Sim, SocketState, Station};
use hio::tyme::Tyme;

use super::failing::{CALLS, Call, Failing, Plan, Program};

/// What fails beside [`CALLS`] where a run is short.
const ALSO: [(Call, &[NetError]); 2] = [
    (Call::Read, &[NetError::TimedOut]),
    (Call::Poll, &[NetError::Exhausted]),
];

/// Every kind of call, and how each may fail.
pub(crate) fn every_call() -> impl Iterator<Item = (Call, &'static [NetError])> {
    CALLS.into_iter().chain(ALSO)
}

/// Polls of one client before it counts as one that does not end.
const POLLS_MAX: u32 = 100_000;
/// After this a program has tried again what failed: a communicator looks a name up every 10 s.
const RECOVERED: Duration = Duration::from_secs(15);
/// Within this a server has forgotten a client that is gone: the longest idle time of any.
const FORGOTTEN: Duration = Duration::from_secs(150);

/// A program that is turned from outside.
pub(crate) trait Turns {
    fn node(&self) -> NodeId;
    fn turn(&mut self, sim: &mut Sim, plan: &Plan);
    fn due(&self) -> Tyme;
    fn end(&mut self, sim: &mut Sim, plan: &Plan);
    fn faults(&self) -> &[Fault];
}

impl<A> Turns for Program<A> {
    fn node(&self) -> NodeId {
        self.node
    }
    fn turn(&mut self, sim: &mut Sim, plan: &Plan) {
        Self::turn(self, sim, plan);
    }
    fn due(&self) -> Tyme {
        self.due
    }
    fn end(&mut self, sim: &mut Sim, plan: &Plan) {
        Self::end(self, sim, plan);
    }
    fn faults(&self) -> &[Fault] {
        &self.faults
    }
}

/// The net of a program that runs to its end by itself: each poll also turns the others.
pub(crate) struct Blocking<'a> {
    pub(crate) net: Failing<'a, &'a mut Sim>,
    others: &'a mut [Box<dyn Turns>],
    polls: u32,
    /// What stands for the socket that signals come from.
    signals: Option<Sid>,
    /// When a signal comes.
    pub(crate) signalled: Tyme,
}

impl<'a> Blocking<'a> {
    pub(crate) fn new(
        sim: &'a mut Sim,
        node: NodeId,
        plan: &'a Plan,
        others: &'a mut [Box<dyn Turns>],
    ) -> Self {
        let net = Station::new(sim, node);
        Self {
            net: Failing { net, plan },
            others,
            polls: 0,
            signals: None,
            signalled: Tyme::NEVER,
        }
    }
}

impl<'a> Layer for Blocking<'a> {
    type Below = Failing<'a, &'a mut Sim>;
    fn below(&self) -> &Self::Below {
        &self.net
    }
    fn below_mut(&mut self) -> &mut Self::Below {
        &mut self.net
    }
    fn poll(&mut self, until: Tyme) -> Result<(), NetError> {
        self.polls += 1;
        assert!(self.polls < POLLS_MAX, "it does not end");
        let plan = self.net.plan;
        let sim = &mut *self.net.net.sim;
        let next = turn_all(self.others, sim, plan).min(self.signalled);
        if let Err(why) = Net::poll(&mut self.net, until.min(next)) {
            assert!(
                why != NetError::Unsupported,
                "it waits for what can never come"
            );
            return Err(why);
        }
        if let (Some(sid), true) = (self.signals, self.net.net.now() >= self.signalled) {
            self.net.net.mark(sid);
        }
        Ok(())
    }
    /// Signals are no part of a simulation. Something stands for their socket.
    fn adopt(&mut self, group: Group, _: StdSocket) -> Result<Sid, NetError> {
        let at = Endpoint::host("127.0.0.1", 0);
        let sid = self.net.net.listen(group, &at, &ListenOptions::default())?;
        self.signals = Some(sid);
        Ok(sid)
    }
    fn read(&mut self, sid: Sid, buf: &mut [u8]) -> Result<Option<usize>, NetError> {
        match self.signals == Some(sid) {
            false => Net::read(&mut self.net, sid, buf),
            true if self.net.net.now() < self.signalled => Ok(None),
            true => {
                self.signalled = Tyme::NEVER;
                Ok(Some(1))
            }
        }
    }
}

/// A turn of each; when something is next to happen.
fn turn_all(programs: &mut [Box<dyn Turns>], sim: &mut Sim, plan: &Plan) -> Tyme {
    let mut next = sim.next();
    for program in programs {
        program.turn(sim, plan);
        next = next.min(program.due()).min(sim.next());
    }
    next.max(sim.tyme() + Duration::from_micros(1))
}

/// Where a client writes; the k-th write may fail, as into a pipe that nobody reads any more.
#[derive(Clone, Default)]
pub(crate) struct Out(Arc<Mutex<Written>>);

#[derive(Default)]
struct Written {
    bytes: Vec<u8>,
    left: Option<usize>,
    failed: bool,
}

impl Out {
    fn failing(left: Option<usize>) -> Self {
        let written = Written {
            left,
            ..Written::default()
        };
        Self(Arc::new(Mutex::new(written)))
    }
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("no panic").bytes.clone()).expect("text")
    }
    fn failed(&self) -> bool {
        self.0.lock().expect("no panic").failed
    }
}

impl Write for Out {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let mut written = self.0.lock().expect("no panic");
        match written.left {
            Some(0) => {
                (written.left, written.failed) = (None, true);
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            Some(left) => written.left = Some(left - 1),
            None => {}
        }
        written.bytes.extend(buf);
        Ok(buf.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An example program and who serves it.
pub(crate) struct Example<'a> {
    pub(crate) name: &'a str,
    /// The server, at the node `server`.
    pub(crate) server: &'a dyn Fn(NodeId) -> Box<dyn Turns>,
    /// The client, at the node `client`.
    pub(crate) client: &'a dyn Fn(&mut dyn Net, Out) -> Result<(), Fault>,
    /// Whether that is all it is to write.
    pub(crate) whole: &'a dyn Fn(&str) -> bool,
}

/// How many calls of each kind were made to fail.
pub(crate) type Counts = Vec<(Call, usize)>;

impl Example<'_> {
    /// Fails every call of every kind in every way. A client ends with a fault that says why, or has
    /// done all its work; the server goes on, forgets it, and serves the next one.
    pub(crate) fn torture(&self) -> Counts {
        // Without any failure it does all there is to do.
        assert!(!self.story(&Plan::new(Call::Read, NetError::Reset, usize::MAX)));
        let mut counts = Counts::new();
        for (kind, whys) in every_call() {
            let each = whys.iter().map(|why| {
                let all = (0..).take_while(|nth| self.story(&Plan::new(kind, *why, *nth)));
                all.count()
            });
            counts.push((kind, each.sum()));
        }
        let outs = self.broken_pipes();
        let all: usize = counts.iter().map(|(_, count)| count).sum();
        println!(
            "{}: {all} calls failed {counts:?}, {outs} writes of output",
            self.name
        );
        counts
    }

    /// True if the call was reached.
    fn story(&self, plan: &Plan) -> bool {
        let (mut sim, server, client) = world();
        let mut others = [(self.server)(server)];
        // It serves before anybody comes, if it can.
        turn_all(&mut others, &mut sim, plan);
        self.settle(&mut sim, plan, &mut others);
        for _ in 0..3 {
            let failed = plan.failed.get();
            let out = Out::default();
            let mut net = Blocking::new(&mut sim, client, plan, &mut others);
            let done = (self.client)(&mut net, out.clone());
            match done {
                Ok(()) => assert!(
                    (self.whole)(&out.text()),
                    "{}",
                    self.told(plan, &out.text())
                ),
                Err(why) => {
                    assert!(!why.to_string().is_empty(), "a fault has a name");
                    // Whoever comes after the failure is served as if there had been none.
                    let now = plan.failed.get() && !failed;
                    assert!(now, "{}", self.told(plan, &why.to_string()));
                }
            }
            let left = sim.sockets(client);
            assert!(left.is_empty(), "{}", self.told(plan, &format!("{left:?}")));
            self.settle(&mut sim, plan, &mut others);
            if failed || !plan.failed.get() {
                break;
            }
        }
        for server in &mut others {
            server.end(&mut sim, plan);
            self.blame(plan, server.faults());
        }
        plan.failed.get()
    }

    /// Turns until only listeners are open: who is gone is forgotten, what failed is tried again.
    fn settle(&self, sim: &mut Sim, plan: &Plan, others: &mut [Box<dyn Turns>]) {
        let start = sim.tyme();
        loop {
            let next = turn_all(others, sim, plan);
            let open = others.iter().map(|server| sim.sockets(server.node()));
            let open: Vec<_> = open.flatten().collect();
            let listens = |socket: &SocketState| *socket == SocketState::Listening;
            let quiet = !open.is_empty() && open.iter().all(|socket| listens(&socket.state));
            if quiet && (!plan.failed.get() || sim.tyme() >= start + RECOVERED) {
                return;
            }
            assert!(
                sim.tyme() < start + FORGOTTEN,
                "{}",
                self.told(plan, &format!("{open:?}"))
            );
            let next = next.min(sim.tyme() + RECOVERED);
            sim.run_until(next).expect("nothing goes wrong");
        }
    }

    /// Only a server that cannot listen or wait has a reason to end.
    fn blame(&self, plan: &Plan, faults: &[Fault]) {
        let told: Vec<String> = faults.iter().map(Fault::to_string).collect();
        let fine = match &told[..] {
            [] => true,
            [why] => plan.kind == Call::Poll || why.contains("cannot listen"),
            _ => false,
        };
        assert!(fine, "{}", self.told(plan, &format!("{faults:?}")));
    }

    /// Every write of the client's output fails once; how many there are.
    fn broken_pipes(&self) -> usize {
        let plan = Plan::new(Call::Read, NetError::Reset, usize::MAX);
        let all = (0..).take_while(|nth| {
            let (mut sim, server, client) = world();
            let mut others = [(self.server)(server)];
            turn_all(&mut others, &mut sim, &plan);
            let out = Out::failing(Some(*nth));
            let mut net = Blocking::new(&mut sim, client, &plan, &mut others);
            let done = (self.client)(&mut net, out.clone());
            assert_eq!(done.is_err(), out.failed(), "it says that nobody reads");
            assert_eq!(sim.sockets(client).len(), 0, "a leak");
            out.failed()
        });
        all.count()
    }

    fn told(&self, plan: &Plan, what: &str) -> String {
        let (kind, why, failed) = (plan.kind, plan.why, plan.failed.get());
        format!("{}: {kind:?} {why:?} {failed}: {what}", self.name)
    }
}

/// A world with a server's node and a client's.
pub(crate) fn world() -> (Sim, NodeId, NodeId) {
    let mut sim = Sim::new(1);
    let [server, client] = ["server.sim", "client"].map(|name| sim.station(name));
    (sim, server, client)
}
