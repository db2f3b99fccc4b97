//! What is planned: outside events and faults, and how faults are done.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use slab::Slab;

use super::error::SimError;
use super::fabric::{Fabric, hash_text};
use super::fault::{Fault, FaultPlan};
use super::link::{CLOGGED, CUT, HELD};
use super::node::{End, NodeId, NodeState};
use super::rng::{Purpose, stream};
use super::sim::Sim;
use super::trace::{NOBODY, Tag, put_text};
use super::wire::What;
use crate::net::{Conditions, NetError};
use crate::tyme::nanos;

type Act = Box<dyn FnOnce(&mut Sim) -> Result<(), SimError> + Send>;

/// Something that is to happen from outside.
enum Planned {
    Act(Act),
    Fault(Fault),
}

/// What was planned and has not happened yet.
#[derive(Default)]
pub(super) struct Plans {
    planned: Slab<Planned>,
    /// The addresses of all nodes, as boots are told them.
    addresses: Arc<BTreeMap<String, (Ipv4Addr, Ipv6Addr)>>,
}

impl Plans {
    #[expect(clippy::cast_possible_truncation, reason = "memory ends long before")]
    pub(super) fn insert_act(&mut self, act: Act) -> u32 {
        self.planned.insert(Planned::Act(act)) as u32
    }

    #[expect(clippy::cast_possible_truncation, reason = "memory ends long before")]
    fn insert_fault(&mut self, fault: Fault) -> u32 {
        self.planned.insert(Planned::Fault(fault)) as u32
    }

    /// The addresses of all nodes, made anew when nodes were added.
    pub(super) fn addresses(
        &mut self,
        fabric: &Fabric,
    ) -> Arc<BTreeMap<String, (Ipv4Addr, Ipv6Addr)>> {
        if self.addresses.len() != fabric.hosts.len() {
            let names = fabric.wire.names.iter().map(ToString::to_string);
            let addresses = fabric.hosts.iter().map(|host| (host.v4, host.v6));
            self.addresses = Arc::new(names.zip(addresses).collect());
        }
        Arc::clone(&self.addresses)
    }
}

impl Sim {
    /// Plans faults. Those whose moment has passed come with the next step.
    ///
    /// # Errors
    /// [`SimError::NoSuchNode`] when one names a node that there is not; then none is planned.
    pub fn plan(&mut self, plan: &FaultPlan) -> Result<(), SimError> {
        for (_, fault) in &plan.faults {
            self.check_nodes(fault)?;
        }
        for (tyme, fault) in &plan.faults {
            let key = self.plans.insert_fault(fault.clone());
            self.fabric.wire.plan(tyme.as_nanos(), What::Planned(key));
        }
        Ok(())
    }

    /// Does a fault now.
    ///
    /// # Errors
    /// [`SimError::NoSuchNode`] when it names a node that there is not.
    pub fn fault(&mut self, fault: &Fault) -> Result<(), SimError> {
        self.check_nodes(fault)?;
        let tag = if fault.heals() { Tag::Heal } else { Tag::Fault };
        let shown = fault.to_string();
        self.fabric
            .tell(NOBODY, tag, None, [hash_text(&shown), 0], |out| {
                put_text(out, "what", &shown);
            });
        self.do_fault(fault);
        Ok(())
    }

    fn check_nodes(&self, fault: &Fault) -> Result<(), SimError> {
        let unknown = fault.nodes().into_iter().find(|n| self.find(n).is_none());
        match unknown {
            None => Ok(()),
            Some(name) => Err(SimError::NoSuchNode {
                name: name.to_owned(),
            }),
        }
    }

    /// Something planned is due.
    pub(super) fn planned(&mut self, key: u32) -> Result<(), SimError> {
        match self.plans.planned.remove(key as usize) {
            Planned::Act(act) => act(self),
            Planned::Fault(fault) => self.fault(&fault),
        }
    }

    /// Mends everything: links, clocks' drift, limits; what is paused goes on, and what is down
    /// boots again. What a liveness phase begins with.
    pub fn mend(&mut self) {
        let shown = "everything";
        let words = [hash_text(shown), 0];
        self.fabric.tell(NOBODY, Tag::Heal, None, words, |out| {
            put_text(out, "what", shown);
        });
        self.do_fault(&Fault::Heal(None));
        let wire = &mut self.fabric.wire;
        for (a, b) in wire.troubled() {
            wire.set_law(a, b, None);
            wire.set_flips(a, b, 0.0);
        }
        let now = wire.now;
        self.fabric.points.clear();
        for host in &mut self.fabric.hosts {
            host.clock.set_drift(now, 0);
            host.descriptors_max = usize::MAX;
            host.short_io = None;
        }
        for node in self.nodes() {
            match self.state(node) {
                NodeState::Paused => self.resume(node),
                NodeState::Crashed | NodeState::Failed(_) => self.restart(node),
                _ => {}
            }
        }
        self.rouse_all();
    }

    fn do_fault(&mut self, fault: &Fault) {
        match fault {
            Fault::Partition(parts) => self.partition(parts),
            Fault::OneWay(a, b) => self.wrong(a, b, CUT, 0),
            Fault::Isolate(a) => self.isolate(a),
            Fault::Clog(a, b) => {
                self.wrong(a, b, CLOGGED, 0);
                self.wrong(b, a, CLOGGED, 0);
            }
            Fault::Hold(a, b) => self.wrong(a, b, HELD, 0),
            Fault::Release(a, b) => self.wrong(a, b, 0, HELD),
            Fault::Heal(None) => {
                for (a, b) in self.fabric.wire.troubled() {
                    self.fabric.wire.set_wrong(a, b, 0, CUT | CLOGGED | HELD);
                }
            }
            Fault::Heal(Some((a, b))) => {
                self.wrong(a, b, 0, CUT | CLOGGED | HELD);
                self.wrong(b, a, 0, CUT | CLOGGED | HELD);
            }
            Fault::Reset(a, b) => self.reset(a, b),
            Fault::Flip(a, b, share) => {
                if let Some((a, b)) = self.pair(a, b) {
                    self.fabric.wire.set_flips(a, b, *share);
                }
            }
            Fault::Link(a, b, conditions) => {
                self.law(a, b, conditions);
                self.law(b, a, conditions);
            }
            Fault::LinkOneWay(a, b, conditions) => self.law(a, b, conditions),
            of_one => {
                let node = of_one.nodes().first().and_then(|name| self.find(name));
                if let Some(node) = node {
                    self.do_fault_of(node, of_one);
                }
            }
        }
    }

    /// A fault of one node.
    fn do_fault_of(&mut self, node: NodeId, fault: &Fault) {
        let now = self.fabric.wire.now;
        let name = self.name(node).to_owned();
        let seed = self.seed();
        let host = &mut self.fabric.hosts[node.index()];
        match fault {
            Fault::Crash(_) => self.crash(node),
            Fault::Kill(_) => self.kill(node),
            Fault::Restart(_) => self.restart(node),
            Fault::Drain(_, limit) => self.drain(node, *limit),
            Fault::Pause(_) => self.pause(node),
            Fault::Resume(_) => self.resume(node),
            Fault::Skew(_, by) | Fault::Step(_, by) => host.clock.step(*by),
            Fault::Drift(_, ppm) => {
                host.clock.set_drift(now, *ppm);
                self.fabric.rouse(node.0); // its next wake comes at another moment
            }
            Fault::Descriptors(_, most) => {
                host.descriptors_max = most.map_or(usize::MAX, |most| most as usize);
                self.retry_accepts(node);
            }
            Fault::Spurious(_) => self.spurious(node),
            Fault::ShortIo(_, share) if *share <= 0.0 => host.short_io = None,
            Fault::ShortIo(_, share) => {
                let fresh = || stream(seed, Purpose::ShortIo, &[name.as_bytes()]);
                let draws = host.short_io.take().map_or_else(fresh, |(_, draws)| draws);
                host.short_io = Some((*share, draws));
            }
            Fault::Point(_, share, point) => self.point(node, *share, point.as_deref()),
            _ => {}
        }
    }

    fn pair(&self, a: &str, b: &str) -> Option<(u32, u32)> {
        Some((self.find(a)?.0, self.find(b)?.0))
    }

    fn wrong(&mut self, a: &str, b: &str, set: u8, clear: u8) {
        if let Some((a, b)) = self.pair(a, b) {
            self.fabric.wire.set_wrong(a, b, set, clear);
        }
    }

    fn law(&mut self, a: &str, b: &str, conditions: &Conditions) {
        if let Some((a, b)) = self.pair(a, b) {
            self.fabric.wire.set_law(a, b, Some(conditions.clone()));
        }
    }

    fn partition(&mut self, parts: &[Vec<String>]) {
        for (n, part) in parts.iter().enumerate() {
            for other in &parts[n + 1..] {
                for (a, b) in part.iter().flat_map(|a| other.iter().map(move |b| (a, b))) {
                    if a != b {
                        self.wrong(a, b, CUT, 0);
                        self.wrong(b, a, CUT, 0);
                    }
                }
            }
        }
    }

    fn isolate(&mut self, name: &str) {
        let Some(node) = self.find(name) else {
            return;
        };
        for other in self.nodes().filter(|other| *other != node) {
            self.fabric.wire.set_wrong(node.0, other.0, CUT, 0);
            self.fabric.wire.set_wrong(other.0, node.0, CUT, 0);
        }
    }

    fn reset(&mut self, a: &str, b: &str) {
        let Some((a, b)) = self.pair(a, b) else {
            return;
        };
        for (node, other) in [(a, b), (b, a)] {
            for sid in self.fabric.peers_of(node, other) {
                self.fabric.break_stream(node, sid, NetError::Reset);
            }
        }
    }

    /// Turns the power of a node off: its memory is gone, its peers are not told. Nothing when it
    /// is off already.
    pub fn crash(&mut self, node: NodeId) {
        if *self.state(node) == NodeState::Crashed && !self.fabric.hosts[node.index()].up {
            return;
        }
        // A killed program's end was told already; what follows is its system's.
        if *self.state(node) != NodeState::Crashed {
            self.fabric.tell(node.0, Tag::Crash, None, [0; 2], |_| {});
        }
        let state = &mut self.nodes[node.index()];
        let ran = matches!(state.state, NodeState::Running | NodeState::Paused);
        (state.program, state.state) = (None, NodeState::Crashed);
        self.forget_wake(node.0);
        self.fabric.crash(node.0);
        if ran {
            self.tell_end(node.0, End::Crashed);
        }
    }

    /// Kills the program of a node without any hook of it; its system closes the sockets.
    pub fn kill(&mut self, node: NodeId) {
        let state = &mut self.nodes[node.index()];
        if state.program.take().is_none() {
            return;
        }
        state.state = NodeState::Crashed;
        self.leave(node.0);
        self.fabric.tell(node.0, Tag::Crash, None, [1, 0], |_| {});
        self.tell_end(node.0, End::Crashed);
    }

    /// Boots a node in the next step, after a crash when it runs.
    pub fn restart(&mut self, node: NodeId) {
        if *self.state(node) == NodeState::Booting {
            return;
        }
        self.crash(node);
        self.fabric.tell(node.0, Tag::Restart, None, [0; 2], |_| {});
        self.nodes[node.index()].state = NodeState::Booting;
        self.fabric.rouse(node.0);
    }

    /// Asks the program of a node to drain within `limit`, as its first SIGTERM would, and stops it
    /// when it drains already, as the second. One that does not run does not hear of it.
    pub fn drain(&mut self, node: NodeId, limit: Duration) {
        let state = &mut self.nodes[node.index()];
        let runs = state.state == NodeState::Running;
        if let Some(program) = state.program.as_mut().filter(|_| runs) {
            program.drain(limit);
            self.fabric
                .tell(node.0, Tag::Drain, None, [nanos(limit), 0], |_| {});
            self.fabric.rouse(node.0);
        }
    }

    /// Lets the program of a node stand still. Its system goes on taking packets in.
    pub fn pause(&mut self, node: NodeId) {
        let state = &mut self.nodes[node.index()];
        if state.state == NodeState::Running {
            (state.state, state.owed) = (NodeState::Paused, false);
            self.fabric.tell(node.0, Tag::Pause, None, [0; 2], |_| {});
        }
    }

    /// Lets a program that stands still go on.
    pub fn resume(&mut self, node: NodeId) {
        let state = &mut self.nodes[node.index()];
        if state.state == NodeState::Paused {
            state.state = NodeState::Running;
            let owed = std::mem::take(&mut state.owed);
            self.fabric.tell(node.0, Tag::Resume, None, [0; 2], |_| {});
            if owed {
                self.fabric.rouse(node.0);
            }
        }
    }

    /// Marks a random half of a node's sockets.
    fn spurious(&mut self, node: NodeId) {
        let name = self.name(node).to_owned();
        let now = self.fabric.wire.now.to_le_bytes();
        let keys = [name.as_bytes(), &now];
        let mut draws = stream(self.seed(), Purpose::Spurious, &keys);
        for sid in self.fabric.hosts[node.index()].table.sids() {
            if draws.chance(0.5) {
                self.fabric.mark(node.0, sid);
            }
        }
        self.fabric.rouse(node.0);
    }

    /// Marks listeners that may accept again.
    fn retry_accepts(&mut self, node: NodeId) {
        let listeners: Vec<_> = self.fabric.hosts[node.index()]
            .listeners
            .values()
            .flatten()
            .copied()
            .collect();
        for sid in listeners {
            self.fabric.mark(node.0, sid);
        }
    }

    fn point(&mut self, node: NodeId, share: f64, point: Option<&str>) {
        let point = point.unwrap_or_default();
        let keys = [self.name(node).as_bytes(), point.as_bytes()];
        let draws = stream(self.seed(), Purpose::Point, &keys);
        let key = (node.0, point.to_owned());
        let entry = self.fabric.points.entry(key).or_insert((share, draws));
        entry.0 = share;
    }

    fn rouse_all(&mut self) {
        for node in self.nodes() {
            self.fabric.rouse(node.0);
        }
    }
}

impl Fabric {
    /// A node's power goes off.
    fn crash(&mut self, node: u32) {
        for sid in self.hosts[node as usize].table.sids() {
            self.drop_received(node, sid);
        }
        self.hosts[node as usize].crash();
    }

    /// Lets go of what a socket received.
    fn drop_received(&mut self, node: u32, sid: crate::net::Sid) {
        use super::socket::Socket;
        let Some(entry) = self.hosts[node as usize].table.any_mut(sid) else {
            return;
        };
        let waiting = match &mut entry.socket {
            Socket::Stream(stream) => std::mem::take(&mut stream.rx),
            Socket::Mailbox(mailbox) => std::mem::take(&mut mailbox.waiting),
            Socket::Listener(_) => return,
        };
        for id in waiting {
            self.wire.free(id);
        }
    }

    /// A program is gone: its system closes all it had open.
    pub(super) fn close_all(&mut self, node: u32) {
        for sid in self.hosts[node as usize].table.sids() {
            self.close(node, sid);
        }
    }
}
