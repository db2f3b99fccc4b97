use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::apply::Plans;
use super::checks::Checks;
use super::doerlog::DoerLog;
use super::error::SimError;
use super::fabric::Fabric;
use super::names::Names;
use super::node::{
    Boot, Booter, End, Ends, NetWatches, Node, NodeId, NodeState, OnFailure, booter,
};
use super::nodenet::NodeNet;
use super::rng::{Purpose, stream};
use super::trace::{NOBODY, Tag, Trace, put_text};
use super::wakes::Wakes;
use super::wire::{What, Wire};
use super::worldclock::WorldClock;
use crate::doing::{DoerId, Doist, Fault, Outcome, Turn};
use crate::net::{Conditions, NetWatch, Owner, TraceHash, Watched};
use crate::tyme::Tyme;

/// A world made up for a test: nodes that each run a Doist, and a network between them, where
/// time, network, faults and randomness repeat to the byte.
///
/// Nodes are added with a closure that boots them, and boots them again after a crash. Then the
/// world is stepped: each step leaps to the next moment at which anything happens, so time in
/// which nothing happens costs nothing. Everything that is random derives from the seed.
///
/// A `Sim` has no globals and is `Send`: as many as wanted run side by side.
///
/// ```
/// use hio::doing::prelude::*;
/// use hio::sim::Sim;
///
/// let mut sim = Sim::new(7);
/// let node = sim.node("a", |_boot| {
///     let mut doist = Doist::new(0u32);
///     doist.add(doify(|_tyme, cx: &mut Cx<'_, u32>| {
///         *cx.app += 1;
///         Ok(After(std::time::Duration::from_secs(1)))
///     }));
///     doist
/// });
/// sim.run_until(Tyme::from_secs(10))?;
/// assert_eq!(sim.app::<u32>(node), Some(&11));
/// # Ok::<(), hio::sim::SimError>(())
/// ```
pub struct Sim {
    pub(super) fabric: Fabric,
    pub(super) nodes: Vec<Node>,
    wakes: Wakes,
    /// The nodes that run in a step; empty between steps, its memory is used again.
    running: Vec<u32>,
    pub(super) plans: Plans,
    seed: u64,
    wall: Duration,
    clock: WorldClock,
    net_watches: Option<NetWatches>,
    on_failure: OnFailure,
    /// Why it stopped; it does not go on.
    stopped: Option<SimError>,
    steps: u64,
    /// Steps since time last moved.
    still: u32,
}

impl fmt::Debug for Sim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sim")
            .field("tyme", &self.tyme())
            .field("nodes", &self.nodes.len())
            .field("steps", &self.steps)
            .finish_non_exhaustive()
    }
}

// ---- making one up

impl Sim {
    /// A world without nodes. Links take 1 ms, and 10 µs within a node; wall time begins with the
    /// year 2026.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let between = Conditions::constant(Duration::from_millis(1));
        let mut within = Conditions::constant(Duration::from_micros(10));
        within.mtu = 65_535;
        Self {
            fabric: Fabric::new(Wire::new(seed, between, within)),
            nodes: Vec::new(),
            wakes: Wakes::default(),
            running: Vec::new(),
            plans: Plans::default(),
            seed,
            wall: Duration::from_secs(WALL_2026),
            clock: WorldClock::default(),
            net_watches: None,
            on_failure: OnFailure::default(),
            stopped: None,
            steps: 0,
            still: 0,
        }
    }

    /// Sets the conditions of links that have none of their own.
    #[must_use]
    pub fn with_link(mut self, conditions: Conditions) -> Self {
        self.fabric.wire.set_usual(super::wire::DEFAULT, conditions);
        self
    }

    /// Sets the conditions within each node.
    #[must_use]
    pub fn with_loopback(mut self, conditions: Conditions) -> Self {
        self.fabric
            .wire
            .set_usual(super::wire::LOOPBACK, conditions);
        self
    }

    /// Sets the wall time since 1970 at which the world begins, of nodes that are added later.
    #[must_use]
    pub const fn with_wall(mut self, wall: Duration) -> Self {
        self.wall = wall;
        self
    }

    /// Sets what is done when a node's program fails. Default: the run stops.
    #[must_use]
    pub const fn on_failure(mut self, policy: OnFailure) -> Self {
        self.on_failure = policy;
        self
    }

    /// Keeps the text of the trace in memory. Costs time and memory; the hash is kept anyway.
    #[must_use]
    pub fn with_trace(mut self) -> Self {
        self.fabric.wire.trace.keep_in_memory();
        self
    }

    /// Writes the text of the trace, a line of JSON for each event.
    #[must_use]
    pub fn with_trace_to(mut self, to: impl io::Write + Send + 'static) -> Self {
        self.fabric.wire.trace.write_to(Box::new(to));
        self
    }

    /// Adds a node. `boot` makes its program at the next step, and again at each restart; state
    /// that is to outlive a crash, as on a disk, is what the closure itself keeps.
    ///
    /// The Doist's seed and observer are the simulation's: what `boot` sets of them is replaced.
    ///
    /// # Panics
    /// When the name is taken, or is no name: empty, longer than 253 bytes, or with a space, a
    /// `#`, a `|` or `->` in it.
    pub fn node<A: Send + 'static>(
        &mut self,
        name: &str,
        boot: impl FnMut(Boot) -> Doist<A> + Send + 'static,
    ) -> NodeId {
        let booter = Some(booter(boot));
        self.add(name, booter)
    }

    /// Shows what programs do on their nets: at each boot of a node, `watch` is asked with its name
    /// for who is to be shown it, if anybody. It changes nothing in the run.
    pub fn watch_nets(
        &mut self,
        watch: impl FnMut(&str) -> Option<Box<dyn NetWatch>> + Send + 'static,
    ) {
        self.net_watches = Some(Box::new(watch));
    }

    /// The simulation's own time, also while it runs, for a trace or a watch.
    #[must_use]
    pub fn clock(&self) -> WorldClock {
        self.clock.beginning(self.wall)
    }

    /// Adds a node for a member of a crew, on the machine of the `first` one, whose members were
    /// all added right before it. `ends` is told of each end and says whether to boot again.
    pub(crate) fn member(
        &mut self,
        name: &str,
        first: Option<NodeId>,
        boot: Booter,
        ends: Ends,
    ) -> NodeId {
        let node = self.add(name, Some(boot));
        if let Some(first) = first {
            self.fabric.join(node.0, first.0);
        }
        self.nodes[node.index()].ends = Some(ends);
        node
    }

    /// Adds a node without a program, to be operated by hand through a
    /// [`Station`](super::Station). It is up at once.
    ///
    /// # Panics
    /// As [`node`](Self::node).
    pub fn station(&mut self, name: &str) -> NodeId {
        let node = self.add(name, None);
        let now = self.fabric.wire.now;
        self.fabric.hosts[node.index()].boot(now, self.seed, name);
        self.nodes[node.index()].state = NodeState::Running;
        node
    }

    fn add(&mut self, name: &str, boot: Option<Booter>) -> NodeId {
        let odd = |c: char| c.is_whitespace() || c.is_control() || c == '#' || c == '|';
        let good = !name.is_empty() && name.len() <= 253 && !name.contains(odd) && name != "->";
        assert!(good, "{name:?} is no name for a node");
        assert!(
            self.find(name).is_none(),
            "there is a node {name:?} already"
        );
        #[expect(clippy::cast_possible_truncation, reason = "2^24 nodes have addresses")]
        let number = self.nodes.len() as u32;
        assert!(number < NODES_MAX, "no address is left for a node");
        self.fabric.add_host(number, name, self.wall);
        self.wakes.grow();
        self.nodes.push(Node {
            state: NodeState::Booting,
            boot,
            program: None,
            ends: None,
            paths: std::collections::BTreeMap::new(),
            told: [0; 2],
            owed: false,
            fault: None,
            net_watch: None,
        });
        self.fabric.rouse(number);
        NodeId(number)
    }

    /// Does something to the simulation when it reaches `tyme`; at once in the next step when that
    /// has passed.
    ///
    /// ```
    /// use hio::sim::{Fault, Sim};
    /// use hio::tyme::Tyme;
    /// let mut sim = Sim::new(1);
    /// sim.at(Tyme::from_secs(3), |sim| sim.fault(&Fault::Heal(None)));
    /// sim.run_until(Tyme::from_secs(4))?;
    /// # Ok::<(), hio::sim::SimError>(())
    /// ```
    pub fn at<R>(&mut self, tyme: Tyme, act: impl FnOnce(&mut Self) -> R + Send + 'static)
    where
        R: IntoAct,
    {
        let act = Box::new(|sim: &mut Self| act(sim).into_act());
        let key = self.plans.insert_act(act);
        self.fabric.wire.plan(tyme.as_nanos(), What::Planned(key));
    }
}

/// What a closure of [`Sim::at`] may give: nothing, or an error that stops the run.
pub trait IntoAct {
    /// As a result.
    ///
    /// # Errors
    /// What stops the run.
    fn into_act(self) -> Result<(), SimError>;
}

impl IntoAct for () {
    fn into_act(self) -> Result<(), SimError> {
        Ok(())
    }
}

impl IntoAct for Result<(), SimError> {
    fn into_act(self) -> Self {
        self
    }
}

// ---- running

impl Sim {
    /// Goes on to the next moment at which anything happens, and does all that happens then.
    /// `false` when nothing ever will.
    ///
    /// All packets of that moment arrive before any node runs; then those run that have something
    /// to do, in the order they were added.
    ///
    /// # Errors
    /// Why the run stops. It does not go on after that: each further step gives the same error.
    pub fn step(&mut self) -> Result<bool, SimError> {
        if let Some(why) = &self.stopped {
            return Err(why.clone());
        }
        let at = self.soonest();
        if at == u64::MAX {
            return Ok(false);
        }
        if let Err(why) = self.advance(at) {
            self.stopped = Some(why.clone());
            return Err(why);
        }
        Ok(true)
    }

    fn soonest(&self) -> u64 {
        if !self.fabric.roused.is_empty() || self.fabric.calls.any() {
            return self.fabric.wire.now;
        }
        self.fabric.wire.soonest().min(self.wakes.soonest())
    }

    fn advance(&mut self, at: u64) -> Result<(), SimError> {
        self.steps += 1;
        if at > self.fabric.wire.now {
            self.fabric.wire.now = at;
            self.clock.set(at);
            self.still = 0;
        } else {
            self.still += 1;
            if self.still > STILL_MAX {
                return Err(SimError::Livelock { tyme: self.tyme() });
            }
        }
        self.fabric.hear_calls();
        while let Some(what) = self.fabric.wire.take_due(at) {
            match what {
                What::Planned(key) => self.planned(key)?,
                other => self.fabric.happen(other),
            }
        }
        let Self { wakes, fabric, .. } = self;
        wakes.due(at, &mut |node| fabric.rouse(node));
        // Who is roused meanwhile runs in the next step, at the same moment.
        let next = std::mem::take(&mut self.running);
        let mut roused = std::mem::replace(&mut self.fabric.roused, next);
        if roused.len() > 1 {
            roused.sort_unstable();
        }
        let mut result = Ok(());
        for node in &roused {
            self.fabric.hosts[*node as usize].roused = false;
            result = self.turn(*node);
            self.fabric.hear_calls();
            if result.is_err() {
                break;
            }
        }
        roused.clear();
        self.running = roused;
        if self.fabric.wire.trace.is_text() {
            self.write_trace()?;
        }
        result
    }

    /// One turn of a node, if it runs.
    fn turn(&mut self, number: u32) -> Result<(), SimError> {
        let node = &mut self.nodes[number as usize];
        match node.state {
            NodeState::Running => {}
            NodeState::Booting => {
                if !self.boot(number)? {
                    return Ok(());
                }
            }
            NodeState::Paused => {
                node.owed = true;
                self.wakes.set(number, u64::MAX);
                return Ok(());
            }
            NodeState::Crashed | NodeState::Ended(_) | NodeState::Failed(_) => {
                self.wakes.set(number, u64::MAX);
                return Ok(());
            }
        }
        let node = &mut self.nodes[number as usize];
        let Some(program) = &mut node.program else {
            return Ok(());
        };
        let mut net = NodeNet {
            fabric: &mut self.fabric,
            node: number,
            violated: None,
        };
        let turned = match &mut node.net_watch {
            None => program.turn(&mut net),
            Some(watch) => program.turn(&mut Watched::new(&mut net, watch)),
        };
        let violated = net.violated.take();
        self.tell_doers(number);
        if let Some((name, who)) = violated {
            return Err(self.violation(number, name, who));
        }
        match turned {
            Ok(Turn::Sleep(until)) => {
                let host = &self.fabric.hosts[number as usize];
                let at = host.clock.global_at(until.as_nanos());
                let rests = at > self.fabric.wire.now;
                self.wakes.set(number, if rests { at } else { u64::MAX });
                if !rests {
                    self.fabric.rouse(number);
                }
                Ok(())
            }
            Ok(Turn::Ended(outcome)) => {
                self.ended(number, outcome);
                Ok(())
            }
            Err(fault) => self.failed(number, fault),
        }
    }

    /// Makes a node's program. Says whether there is one to run.
    fn boot(&mut self, number: u32) -> Result<bool, SimError> {
        let now = self.fabric.wire.now;
        let name = self.fabric.wire.name(number).to_owned();
        let host = &mut self.fabric.hosts[number as usize];
        host.boot(now, self.seed, &name);
        let (v4, v6, restarts) = (host.v4, host.v6, host.boots - 1);
        let addresses = self.plans.addresses(&self.fabric);
        let boots = restarts.to_le_bytes();
        let seed = stream(self.seed, Purpose::Node, &[name.as_bytes(), &boots]).next_u64();
        let log = DoerLog::new(self.fabric.wire.trace.is_text());
        self.fabric.logs[number as usize] = Arc::clone(&log);
        let told = Boot {
            name,
            restarts,
            tyme: Tyme::from_nanos(now),
            v4,
            v6,
            addresses,
        };
        let watch = self.net_watches.as_mut();
        let watch = watch.and_then(|watch| watch(&told.name));
        let node = &mut self.nodes[number as usize];
        node.net_watch = watch;
        node.state = NodeState::Running;
        (node.told, node.owed, node.fault) = ([0; 2], false, None);
        node.paths.clear();
        let Some(boot) = node.boot.as_mut() else {
            return Ok(false);
        };
        self.fabric
            .tell(number, Tag::Boot, None, [restarts.into(), seed], |_| {});
        let mut net = NodeNet {
            fabric: &mut self.fabric,
            node: number,
            violated: None,
        };
        let program = boot(told, &mut net, seed, log);
        match program {
            Ok(Some(program)) => {
                self.nodes[number as usize].program = Some(program);
                Ok(true)
            }
            Ok(None) => {
                self.ended(number, Outcome::Stopped);
                Ok(false)
            }
            Err(fault) => self.failed(number, fault).map(|()| false),
        }
    }

    /// Takes what a node's doers did in a turn into the trace.
    fn tell_doers(&mut self, number: u32) {
        let state = self.fabric.logs[number as usize].state();
        let node = &mut self.nodes[number as usize];
        if state != node.told {
            node.told = state;
            let wire = &mut self.fabric.wire;
            wire.trace.hash_in(wire.now, Tag::Doers, number, state, b"");
            if wire.trace.is_text() {
                self.fabric.tell_doers(number);
                self.flush_trace(number);
            }
        }
    }

    /// Writes the lines of a node's turn, now that the paths of its doers can be looked up.
    fn flush_trace(&mut self, number: u32) {
        let node = &mut self.nodes[number as usize];
        let (paths, program) = (&mut node.paths, node.program.as_ref());
        self.fabric.wire.trace.flush(|id| {
            if let Some(path) = paths.get(&id) {
                return Some(path.clone());
            }
            let path = program?.path(id)?;
            paths.insert(id, path.clone());
            Some(path)
        });
    }

    fn write_trace(&mut self) -> Result<(), SimError> {
        self.fabric.wire.trace.flush(|_| None);
        match self.fabric.wire.trace.take_failure() {
            Some(kind) => Err(SimError::Trace(kind)),
            None => Ok(()),
        }
    }

    fn violation(&self, number: u32, name: String, who: Owner) -> SimError {
        let program = self.nodes[number as usize].program.as_ref();
        let path = program.and_then(|p| p.path(DoerId::from(who)));
        SimError::Violated {
            name,
            node: self.fabric.wire.name(number).to_owned(),
            path: path.unwrap_or_default(),
            tyme: self.tyme(),
        }
    }

    fn ended(&mut self, number: u32, outcome: Outcome) {
        let shown = format!("{outcome:?}").to_ascii_lowercase();
        let words = [super::fabric::hash_text(&shown), 0];
        self.fabric.tell(number, Tag::Ended, None, words, |out| {
            put_text(out, "outcome", &shown);
        });
        self.nodes[number as usize].state = NodeState::Ended(outcome);
        self.leave(number);
        self.tell_end(number, End::Ended(outcome));
    }

    /// Tells whoever wants to know of a node's end, after which nothing is left of its program. Says
    /// whether it boots again.
    pub(super) fn tell_end(&mut self, number: u32, end: End<'_>) -> Option<bool> {
        let tyme = self.tyme();
        let node = &mut self.nodes[number as usize];
        let again = node.ends.as_mut()?(tyme, end);
        node.program = None;
        if again {
            self.at(tyme, move |sim: &mut Self| sim.restart(NodeId(number)));
        }
        self.fabric.hear_calls();
        Some(again)
    }

    /// A program is gone: its system closes its sockets.
    pub(super) fn leave(&mut self, number: u32) {
        self.wakes.set(number, u64::MAX);
        self.fabric.close_all(number);
    }

    /// The power of a node is off: nothing of it wants to run.
    pub(super) fn forget_wake(&mut self, number: u32) {
        self.wakes.set(number, u64::MAX);
    }

    fn failed(&mut self, number: u32, fault: Fault) -> Result<(), SimError> {
        let why = fault.to_string();
        let words = [super::fabric::hash_text(&why), 0];
        self.fabric.tell(number, Tag::Failed, None, words, |out| {
            put_text(out, "why", &why);
        });
        let node = &mut self.nodes[number as usize];
        node.state = NodeState::Failed(why.clone());
        self.leave(number);
        let told = self.tell_end(number, End::Failed(&fault));
        self.nodes[number as usize].fault = Some(fault);
        if told.is_some() {
            return Ok(());
        }
        match self.on_failure {
            OnFailure::StayDown => Ok(()),
            OnFailure::Restart(after) => {
                let at = self.tyme() + after;
                self.at(at, move |sim: &mut Self| sim.restart(NodeId(number)));
                Ok(())
            }
            OnFailure::Stop => Err(SimError::Failed {
                node: self.fabric.wire.name(number).to_owned(),
                why,
                tyme: self.tyme(),
            }),
        }
    }

    /// Runs until the simulation's tyme is `tyme`, all that happens then included.
    ///
    /// # Errors
    /// As [`step`](Self::step).
    pub fn run_until(&mut self, tyme: Tyme) -> Result<(), SimError> {
        while self.soonest() <= tyme.as_nanos() && self.step()? {}
        if let Some(why) = &self.stopped {
            return Err(why.clone());
        }
        if !tyme.is_never() {
            self.fabric.wire.now = self.fabric.wire.now.max(tyme.as_nanos());
            self.clock.set(self.fabric.wire.now);
        }
        Ok(())
    }

    /// Runs for so long.
    ///
    /// # Errors
    /// As [`step`](Self::step).
    pub fn run_for(&mut self, span: Duration) -> Result<(), SimError> {
        self.run_until(self.tyme() + span)
    }

    /// Runs until what is asked for holds after a step, or `limit` is reached, or nothing happens
    /// any more. Says whether it holds.
    ///
    /// # Errors
    /// As [`step`](Self::step).
    pub fn run_to(
        &mut self,
        limit: Tyme,
        mut holds: impl FnMut(&Self) -> bool,
    ) -> Result<bool, SimError> {
        while !holds(self) {
            if self.soonest() > limit.as_nanos() || !self.step()? {
                self.run_until(limit)?;
                return Ok(holds(self));
            }
        }
        Ok(true)
    }

    /// Stops the run because a test's own check does not hold: the next step fails with this, and
    /// the trace ends with it.
    pub fn stop(&mut self, why: impl Into<String>) -> SimError {
        let shown = why.into();
        let words = [super::fabric::hash_text(&shown), 0];
        self.fabric.tell(NOBODY, Tag::Always, None, words, |out| {
            put_text(out, "name", &shown);
        });
        self.fabric.wire.trace.flush(|_| None);
        let why = SimError::Stopped {
            why: shown,
            tyme: self.tyme(),
        };
        self.stopped.get_or_insert(why).clone()
    }
}

// ---- looking

impl Sim {
    /// Where the simulation's time stands.
    #[must_use]
    pub const fn tyme(&self) -> Tyme {
        Tyme::from_nanos(self.fabric.wire.now)
    }

    /// When the next thing happens; [`Tyme::NEVER`] when nothing ever will.
    #[must_use]
    pub fn next(&self) -> Tyme {
        Tyme::from_nanos(self.soonest())
    }

    /// How many steps were taken.
    #[must_use]
    pub const fn steps(&self) -> u64 {
        self.steps
    }

    /// The seed.
    #[must_use]
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// The nodes, in the order they were added.
    pub fn nodes(&self) -> impl Iterator<Item = NodeId> + use<> {
        (0..u32::try_from(self.nodes.len()).unwrap_or(0)).map(NodeId)
    }

    /// The node of that name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<NodeId> {
        let number = self.fabric.numbers.get(&super::names::normal(name))?;
        (self.fabric.wire.name(*number) == name).then_some(NodeId(*number))
    }

    /// Whether a node's name is this one but for case: it cannot be added.
    pub(crate) fn find_any_case(&self, name: &str) -> bool {
        let known = &self.fabric.numbers;
        known.contains_key(&super::names::normal(name))
    }

    /// The name of a node.
    #[must_use]
    pub fn name(&self, node: NodeId) -> &str {
        self.fabric.wire.name(node.0)
    }

    /// How a node stands.
    #[must_use]
    pub fn state(&self, node: NodeId) -> &NodeState {
        &self.nodes[node.index()].state
    }

    /// The fault that a node's program failed with.
    #[must_use]
    pub fn fault_of(&self, node: NodeId) -> Option<&Fault> {
        self.nodes[node.index()].fault.as_ref()
    }

    /// The application of a node, also after its end; `None` before it booted, after a crash, and
    /// when it is of another type.
    #[must_use]
    pub fn app<A: 'static>(&self, node: NodeId) -> Option<&A> {
        self.nodes[node.index()]
            .program
            .as_ref()?
            .app()
            .downcast_ref()
    }

    /// The application of a node, to be changed from outside. What that changes for its doers they
    /// see when they run next: [`rouse`](Self::rouse) makes them.
    pub fn app_mut<A: 'static>(&mut self, node: NodeId) -> Option<&mut A> {
        self.nodes[node.index()]
            .program
            .as_mut()?
            .app_mut()
            .downcast_mut()
    }

    /// The Doist of a node.
    #[must_use]
    pub fn doist<A: 'static>(&self, node: NodeId) -> Option<&Doist<A>> {
        self.nodes[node.index()]
            .program
            .as_ref()?
            .doist()
            .downcast_ref()
    }

    /// The Doist of a node, to wake doers of it or to add some.
    pub fn doist_mut<A: 'static>(&mut self, node: NodeId) -> Option<&mut Doist<A>> {
        self.nodes[node.index()]
            .program
            .as_mut()?
            .doist_mut()
            .downcast_mut()
    }

    /// Lets a node run a turn at this moment, for what was changed from outside.
    pub fn rouse(&mut self, node: NodeId) {
        self.fabric.rouse(node.0);
    }

    /// The names that nodes look up.
    pub fn names(&mut self) -> &mut Names {
        &mut self.fabric.names
    }

    /// What programs said of themselves so far.
    #[must_use]
    pub const fn checks(&self) -> &Checks {
        &self.fabric.checks
    }

    /// The trace: its hash, and its text when it is kept in memory.
    #[must_use]
    pub const fn trace(&self) -> &Trace {
        &self.fabric.wire.trace
    }

    /// The rolling hash of all that happened: equal for equal runs.
    #[must_use]
    pub const fn trace_hash(&self) -> TraceHash {
        self.fabric.wire.trace.hash()
    }
}

/// 2026-01-01T00:00:00Z.
const WALL_2026: u64 = 1_767_225_600;
/// 10.0.0.0/8 has addresses for so many.
const NODES_MAX: u32 = (1 << 24) - 2;
/// Steps at one moment after which something is wrong.
const STILL_MAX: u32 = 100_000;
