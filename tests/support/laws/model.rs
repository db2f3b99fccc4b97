//! What the laws demand of a scenario: plain vectors and recursion, every doer looked at on every
//! tick. It knows nothing of the crate.
//!
//! A parking parent is computed as one that polls its children at every tick (law P3 says that
//! this is the same); its recurs leave no trace.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::scenario::{HostOp, Kind, On, Op, Policy, Scenario, Spec, When, Yield};

/// What can be seen of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Story {
    pub trace: Vec<Entry>,
    pub ended: BTreeMap<String, End>,
    pub tyme: u64,
    pub outcome: Outcome,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub tyme: u64,
    pub doer: Arc<str>,
    pub hook: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Never entered.
    Never,
    /// Still open.
    Open,
    Done(bool),
    Ceased,
    Aborted,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Done,
    Limit,
    Stopped,
    /// The fault that was returned, and what failed beside it in closing hooks.
    Fault(Flaw, Vec<Flaw>),
}

/// One failure: names from the root's child down to the doer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    pub path: Vec<String>,
    pub hook: &'static str,
    pub tyme: u64,
    pub text: String,
}

const ROOT: usize = 0;
const NEVER: u64 = u64::MAX;
/// A run that goes on longer than this is given up: so many events and so many more a doer.
const EVENTS_MAX: usize = 2000;
const EVENTS_EACH: usize = 50;
const PASSES_MAX: u64 = 20_000;

#[derive(Clone, Copy, Debug)]
enum Due {
    EveryTick,
    At(u64),
    Parked(u64),
}

#[derive(Debug)]
struct Deed {
    uid: u64,
    node: usize,
    due: Due,
    woken: bool,
    running: bool,
}

/// A doer in one of its lives: what an id of the crate names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Life(usize, u32);

#[derive(Debug)]
struct Request {
    target: usize,
    what: Asked,
}

#[derive(Debug)]
enum Asked {
    Extend(Vec<usize>),
    Remove(Vec<Life>),
    Stop,
}

enum Verdict {
    Rise,
    Drop,
    Restart,
}

#[derive(Debug)]
struct Node {
    spec: Arc<Spec>,
    name: Arc<str>,
    parent: usize,
    tock: u64,
    k: u32,
    life: u32,
    end: End,
    used: Vec<bool>,
    children: Vec<usize>,
    deeds: Vec<Deed>,
    asked: Vec<Request>,
    restarts: Vec<u64>,
    /// Woken in the course of its own enter.
    rewoken: bool,
}

/// The run of one scenario.
#[derive(Debug)]
pub struct Model {
    nodes: Vec<Node>,
    known: BTreeMap<String, Life>,
    trace: Vec<Entry>,
    collected: Vec<Flaw>,
    tyme: u64,
    anchor: u64,
    ticks: u64,
    tock: u64,
    stop: bool,
    uids: u64,
    /// In a wake pass only woken doers and their parked ancestors run.
    wake_pass: bool,
}

/// What the laws demand; none when the run has no end in sight.
pub fn expected(scenario: &Scenario) -> Option<Story> {
    Model::new(scenario).run(scenario)
}

impl Model {
    pub fn new(scenario: &Scenario) -> Self {
        let mut root = Spec::new("", Kind::DoDoer);
        root.policy = scenario.policy;
        let mut model = Self {
            nodes: Vec::new(),
            known: BTreeMap::new(),
            trace: Vec::new(),
            collected: Vec::new(),
            tyme: scenario.tyme,
            anchor: scenario.tyme,
            ticks: 0,
            tock: scenario.tock,
            stop: false,
            uids: 0,
            wake_pass: false,
        };
        model.build(&Arc::new(root), ROOT);
        let first = model.build_all(&scenario.doers, ROOT);
        model.nodes[ROOT].children = first;
        model
    }

    fn build(&mut self, spec: &Arc<Spec>, parent: usize) -> usize {
        let at = self.nodes.len();
        self.nodes.push(Node {
            spec: Arc::clone(spec),
            name: Arc::from(spec.name.as_str()),
            parent,
            tock: spec.tock,
            k: 0,
            life: 0,
            end: End::Never,
            used: vec![false; spec.acts.len()],
            children: Vec::new(),
            deeds: Vec::new(),
            asked: Vec::new(),
            restarts: Vec::new(),
            rewoken: false,
        });
        let children = self.build_all(&spec.children, at);
        self.nodes[at].children = children;
        at
    }

    fn build_all(&mut self, specs: &[Arc<Spec>], parent: usize) -> Vec<usize> {
        specs.iter().map(|s| self.build(s, parent)).collect()
    }

    // ---- the run

    /// By hand: one pass and tick after another, the host's acts between them.
    pub fn run(mut self, scenario: &Scenario) -> Option<Story> {
        if let Err(flaw) = self.enter() {
            return Some(self.finish(scenario, Outcome::Fault(flaw, Vec::new())));
        }
        let stop_at = scenario.limit.map(|l| self.tyme.saturating_add(l));
        for pass in 1.. {
            for act in scenario.host.iter().filter(|a| a.before == pass) {
                self.host(&act.what);
            }
            if self.stop {
                return Some(self.finish(scenario, Outcome::Stopped));
            }
            if let Err(flaw) = self.one_pass(ROOT) {
                return Some(self.finish(scenario, Outcome::Fault(flaw, Vec::new())));
            }
            if self.stop {
                return Some(self.finish(scenario, Outcome::Stopped));
            }
            self.tick();
            if self.nodes[ROOT].deeds.is_empty() {
                return Some(self.finish(scenario, Outcome::Done));
            }
            if stop_at.is_some_and(|s| self.tyme >= s) {
                return Some(self.finish(scenario, Outcome::Limit));
            }
            if self.trace.len() > EVENTS_MAX + EVENTS_EACH * self.nodes.len()
                || self.ticks > PASSES_MAX
            {
                return None;
            }
        }
        None
    }

    /// Paced by a clock that begins with the run and on which `wakes` come, ascending: those
    /// between two ticks begin wake passes at the tyme reached.
    pub fn run_real(mut self, scenario: &Scenario, wakes: &[(u64, String)]) -> Option<Story> {
        if let Err(flaw) = self.enter() {
            return Some(self.finish(scenario, Outcome::Fault(flaw, Vec::new())));
        }
        let origin = self.tyme;
        let stop_at = scenario.limit.map(|l| self.tyme.saturating_add(l));
        let mut wakes = wakes.to_vec();
        wakes.reverse();
        loop {
            if self.stop {
                return Some(self.finish(scenario, Outcome::Stopped));
            }
            if let Err(flaw) = self.one_pass(ROOT) {
                return Some(self.finish(scenario, Outcome::Fault(flaw, Vec::new())));
            }
            while !self.stop && !self.nodes[ROOT].deeds.is_empty() {
                let Some(at) = wakes.last().map(|w| w.0) else {
                    break;
                };
                if at > self.tyme - origin + self.tock {
                    break;
                }
                let mut begins = false;
                while wakes.last().is_some_and(|w| w.0 == at) {
                    // unwrap: the line above has seen it.
                    let (_, name) = wakes.pop().unwrap();
                    self.wake(&name);
                    begins |= self.reaches_root(&name);
                }
                if !begins {
                    continue; // nobody is to run for it before the tick
                }
                if at == self.tyme - origin + self.tock {
                    break; // the tick is reached as well: its pass sees them
                }
                self.wake_pass = true;
                let passed = self.one_pass(ROOT);
                self.wake_pass = false;
                if let Err(flaw) = passed {
                    return Some(self.finish(scenario, Outcome::Fault(flaw, Vec::new())));
                }
            }
            if self.stop {
                return Some(self.finish(scenario, Outcome::Stopped));
            }
            self.tick();
            if self.nodes[ROOT].deeds.is_empty() {
                return Some(self.finish(scenario, Outcome::Done));
            }
            if stop_at.is_some_and(|s| self.tyme >= s) {
                return Some(self.finish(scenario, Outcome::Limit));
            }
            if self.trace.len() > EVENTS_MAX + EVENTS_EACH * self.nodes.len()
                || self.ticks > PASSES_MAX
            {
                return None;
            }
        }
    }

    fn enter(&mut self) -> Result<(), Flaw> {
        let first = self.nodes[ROOT].children.clone();
        self.enter_list(ROOT, &first, false)
    }

    fn tick(&mut self) {
        self.ticks += 1;
        self.tyme = self
            .anchor
            .saturating_add(self.tock.saturating_mul(self.ticks));
    }

    fn host(&mut self, op: &HostOp) {
        match op {
            HostOp::Wake(name) => self.wake(name),
            HostOp::SetTock(tock) => {
                (self.anchor, self.ticks, self.tock) = (self.tyme, 0, *tock);
            }
            HostOp::Stop => self.stop = true,
            HostOp::Remove(name) => {
                let gone: Vec<Life> = self.known.get(name).copied().into_iter().collect();
                self.remove(ROOT, &gone);
            }
            HostOp::Extend(spec) => {
                let node = self.build(spec, ROOT);
                let _ = self.enter_list(ROOT, &[node], true);
            }
        }
    }

    fn finish(mut self, scenario: &Scenario, mut outcome: Outcome) -> Story {
        self.close_all(ROOT);
        let mut collected = std::mem::take(&mut self.collected);
        if !collected.is_empty() {
            outcome = match outcome {
                Outcome::Fault(flaw, _) => Outcome::Fault(flaw, collected),
                _ => {
                    let first = collected.remove(0);
                    Outcome::Fault(first, collected)
                }
            };
        }
        let mut ended: BTreeMap<String, End> = super::scenario::names(scenario)
            .into_iter()
            .map(|n| (n, End::Never))
            .collect();
        for node in &self.nodes[1..] {
            if let Some(end) = ended.get_mut(&*node.name) {
                *end = node.end;
            }
        }
        Story {
            trace: self.trace,
            ended,
            tyme: self.tyme,
            outcome,
        }
    }

    // ---- one pass of one scheduler

    fn one_pass(&mut self, s: usize) -> Result<(), Flaw> {
        let order: Vec<u64> = self.nodes[s].deeds.iter().map(|d| d.uid).collect();
        for uid in order {
            let Some(node) = self.due(s, uid) else {
                continue;
            };
            match self.recur(s, uid) {
                Ok(()) => {
                    let asked = std::mem::take(&mut self.nodes[node].asked);
                    self.route(s, asked)?;
                }
                Err(flaw) => {
                    self.drop_deed(s, uid);
                    match self.verdict(s, node) {
                        Verdict::Rise => return Err(flaw),
                        Verdict::Drop => {}
                        Verdict::Restart => self.enter_list(s, &[node], true)?,
                    }
                }
            }
            if s == ROOT && self.stop {
                break;
            }
        }
        Ok(())
    }

    /// The doer of a deed that is to run now.
    fn due(&self, s: usize, uid: u64) -> Option<usize> {
        let deed = self.nodes[s].deeds.iter().find(|d| d.uid == uid)?;
        let reached = |t: u64| t <= self.tyme && t != NEVER;
        let runs = if self.wake_pass {
            match deed.due {
                Due::Parked(_) => deed.woken,
                Due::EveryTick => self.has_woken(deed.node),
                Due::At(_) => false, // a parent's first turn is on a tick too
            }
        } else {
            match deed.due {
                Due::EveryTick => true,
                Due::At(t) => reached(t),
                Due::Parked(t) => deed.woken || reached(t),
            }
        };
        runs.then_some(deed.node)
    }

    /// Whether a parking parent has a woken doer below it, through parking parents alone.
    fn has_woken(&self, node: usize) -> bool {
        self.nodes[node].spec.kind.parks(self.nodes[node].tock)
            && self.nodes[node].deeds.iter().any(|d| match d.due {
                Due::Parked(_) => d.woken,
                Due::EveryTick => self.has_woken(d.node),
                Due::At(_) => false,
            })
    }

    /// Whether a doer is parked, and so are all parents above it.
    fn reaches_root(&self, name: &str) -> bool {
        let Some(&Life(node, life)) = self.known.get(name) else {
            return false;
        };
        let mut node = node;
        if self.nodes[node].life != life {
            return false;
        }
        while node != ROOT {
            let s = self.nodes[node].parent;
            let deed = self.nodes[s].deeds.iter().find(|d| d.node == node);
            let parked = deed.is_some_and(|d| match d.due {
                Due::Parked(_) => true,
                Due::EveryTick => {
                    let node = &self.nodes[node];
                    node.spec.kind.parks(node.tock)
                }
                Due::At(_) => false,
            });
            if !parked {
                return false;
            }
            node = s;
        }
        node == ROOT
    }

    /// What was asked in a recur of a child of `s`: for `s` itself at once, else further up.
    fn route(&mut self, s: usize, asked: Vec<Request>) -> Result<(), Flaw> {
        for request in asked {
            if request.target == s {
                self.carry_out(s, request.what)?;
            } else {
                self.nodes[s].asked.push(request);
            }
        }
        Ok(())
    }

    fn carry_out(&mut self, s: usize, what: Asked) -> Result<(), Flaw> {
        match what {
            Asked::Extend(nodes) => self.enter_list(s, &nodes, true),
            Asked::Remove(lives) => {
                self.remove(s, &lives);
                Ok(())
            }
            Asked::Stop => {
                self.stop = true;
                Ok(())
            }
        }
    }

    fn remove(&mut self, s: usize, lives: &[Life]) {
        let gone: Vec<(u64, usize)> = self.nodes[s]
            .deeds
            .iter()
            .filter(|d| lives.contains(&Life(d.node, self.nodes[d.node].life)))
            .map(|d| (d.uid, d.node))
            .collect();
        for (uid, node) in gone.into_iter().rev() {
            self.drop_deed(s, uid);
            self.close(node);
        }
    }

    fn drop_deed(&mut self, s: usize, uid: u64) {
        self.nodes[s].deeds.retain(|d| d.uid != uid);
    }

    fn deed(&mut self, s: usize, uid: u64) -> &mut Deed {
        let deed = self.nodes[s].deeds.iter_mut().find(|d| d.uid == uid);
        // unwrap: only closing takes a deed away, and a running doer is not closed.
        deed.unwrap()
    }

    // ---- a doer's turn

    fn recur(&mut self, s: usize, uid: u64) -> Result<(), Flaw> {
        let tyme = self.tyme;
        let deed = self.deed(s, uid);
        deed.woken = false;
        deed.running = true;
        let n = deed.node;
        let base = match deed.due {
            Due::At(t) => t,
            Due::EveryTick | Due::Parked(_) => tyme,
        };
        let node = &mut self.nodes[n];
        node.k += 1;
        node.asked.clear();
        let (k, spec) = (node.k, Arc::clone(&node.spec));
        if spec.kind != Kind::Parking {
            self.note(n, "recur");
        }
        let end = match self.turn(n, k, &spec) {
            Ok(end) => end,
            Err(flaw) => {
                self.nodes[n].asked.clear();
                self.abort(n);
                return Err(self.named(flaw, n));
            }
        };
        if let Some(done) = end {
            self.drop_deed(s, uid);
            self.clean(n, done);
            return Ok(());
        }
        let due = match spec.yielded(k) {
            Yield::Again => after(base, self.nodes[n].tock),
            Yield::After(d) => after(base, d),
            Yield::ParkFor(d) => Due::Parked(tyme.saturating_add(d)),
            Yield::ParkNever => Due::Parked(NEVER),
        };
        let deed = self.deed(s, uid);
        deed.due = due;
        deed.running = false;
        deed.woken &= matches!(due, Due::Parked(_));
        Ok(())
    }

    /// Acts, then the pass over the children; how it ended, if it did.
    fn turn(&mut self, n: usize, k: u32, spec: &Spec) -> Result<Option<bool>, Flaw> {
        self.acts(n, When::Recur(k))?;
        if spec.kind.is_parent() {
            self.one_pass(n)?;
            let left = !self.nodes[n].deeds.is_empty();
            return Ok((!left && !spec.always).then_some(true));
        }
        Ok(spec
            .recurs
            .is_some_and(|r| k >= r)
            .then_some(spec.kind == Kind::Doer || spec.result))
    }

    fn acts(&mut self, n: usize, at: When) -> Result<(), Flaw> {
        let spec = Arc::clone(&self.nodes[n].spec);
        for (i, act) in spec.acts.iter().enumerate().filter(|(_, a)| a.at == at) {
            match &act.what {
                Op::Extend { on, doers } => {
                    if std::mem::replace(&mut self.nodes[n].used[i], true) {
                        continue; // the doers it had to give are gone
                    }
                    let target = self.target(n, *on);
                    let nodes = self.build_all(doers, target);
                    if target == n {
                        self.enter_list(n, &nodes, true)?;
                        continue;
                    }
                    for (&node, spec) in nodes.iter().zip(doers) {
                        self.known.insert(spec.name.clone(), Life(node, 1));
                    }
                    self.ask(n, target, Asked::Extend(nodes));
                }
                Op::Remove { on, names } => {
                    let known = names.iter().filter_map(|x| self.known.get(x).copied());
                    let lives: Vec<Life> = known.collect();
                    let target = self.target(n, *on);
                    if target == n {
                        self.remove(n, &lives);
                    } else {
                        self.ask(n, target, Asked::Remove(lives));
                    }
                }
                Op::Retock(tock) => self.nodes[n].tock = *tock,
                Op::Wake(name) => self.wake(name),
                Op::Stop => self.ask(n, ROOT, Asked::Stop),
                Op::Fail => return Err(self.flaw(n, at, "fail")),
                Op::Panic => return Err(self.flaw(n, at, "panic")),
            }
        }
        Ok(())
    }

    fn target(&self, n: usize, on: On) -> usize {
        match on {
            On::Itself => n,
            On::Parent => self.nodes[n].parent,
            On::Root => ROOT,
        }
    }

    fn ask(&mut self, n: usize, target: usize, what: Asked) {
        self.nodes[n].asked.push(Request { target, what });
    }

    /// Only a parked doer can be woken, or one whose recur has not returned yet.
    fn wake(&mut self, name: &str) {
        let Some(&Life(n, life)) = self.known.get(name) else {
            return;
        };
        if self.nodes[n].life != life {
            return;
        }
        let s = self.nodes[n].parent;
        if let Some(deed) = self.nodes[s].deeds.iter_mut().find(|d| d.node == n) {
            deed.woken |= deed.running || matches!(deed.due, Due::Parked(_));
        } else if self.nodes[n].end == End::Open {
            self.nodes[n].rewoken = true;
        }
    }

    // ---- the beginning of a life

    /// Enters doers in order, then carries out what they asked in their enters. When one fails
    /// while the scheduler runs, those entered by this call are closed again; when the scheduler
    /// is itself being entered, its own abort closes them.
    fn enter_list(&mut self, s: usize, nodes: &[usize], running: bool) -> Result<(), Flaw> {
        let mut begun = Vec::new();
        let mut asked = Vec::new();
        for &n in nodes {
            loop {
                match self.enter_one(s, n) {
                    Ok(uid) => {
                        begun.extend(uid);
                        asked.append(&mut self.nodes[n].asked);
                        break;
                    }
                    Err(flaw) => match self.verdict(s, n) {
                        Verdict::Restart => {}
                        Verdict::Drop => break,
                        Verdict::Rise => {
                            if running {
                                self.close_again(s, begun);
                            }
                            return Err(flaw);
                        }
                    },
                }
            }
        }
        self.route(s, asked)
    }

    fn enter_one(&mut self, s: usize, n: usize) -> Result<Option<u64>, Flaw> {
        let node = &mut self.nodes[n];
        node.life = node.life.max(1);
        node.k = 0;
        node.end = End::Open;
        node.rewoken = false;
        node.asked.clear();
        let (life, name, spec) = (node.life, node.name.to_string(), Arc::clone(&node.spec));
        if spec.kind != Kind::Plain {
            self.known.insert(name, Life(n, life));
        }
        self.note(n, "enter");
        let begun = self.acts(n, When::Enter).and_then(|()| {
            let children = self.nodes[n].children.clone();
            self.enter_list(n, &children, false)
        });
        if let Err(flaw) = begun {
            self.nodes[n].asked.clear();
            self.abort(n);
            return Err(self.named(flaw, n));
        }
        if !spec.kind.is_parent() && spec.recurs == Some(0) {
            self.clean(n, spec.kind == Kind::Doer || spec.result);
            return Ok(None);
        }
        let due = match spec.begin {
            Yield::Again => Due::At(self.tyme),
            Yield::After(d) => Due::At(self.tyme.saturating_add(d)),
            Yield::ParkFor(d) => Due::Parked(self.tyme.saturating_add(d)),
            Yield::ParkNever => Due::Parked(NEVER),
        };
        self.uids += 1;
        let (uid, running) = (self.uids, false);
        let woken = self.nodes[n].rewoken && matches!(due, Due::Parked(_));
        let deed = Deed {
            uid,
            node: n,
            due,
            woken,
            running,
        };
        self.nodes[s].deeds.push(deed);
        Ok(Some(uid))
    }

    fn close_again(&mut self, s: usize, begun: Vec<u64>) {
        for uid in begun.into_iter().rev() {
            let node = self.deed(s, uid).node;
            self.drop_deed(s, uid);
            self.close(node);
        }
    }

    /// What the scheduler `s` makes of the failure of its child `n`, which has been aborted.
    fn verdict(&mut self, s: usize, n: usize) -> Verdict {
        let (tyme, restarts) = (self.tyme, &self.nodes[s].restarts);
        let restart = match self.nodes[s].spec.policy {
            Policy::Rise => false,
            Policy::Drop => return Verdict::Drop,
            Policy::Restart(most) => restarts.len() < most as usize,
            Policy::Ready => restarts.iter().all(|t| tyme - t >= 5_000_000_000),
        };
        if !restart {
            return Verdict::Rise;
        }
        self.nodes[s].restarts.push(tyme);
        self.nodes[n].life += 1; // a new id; children that enter again keep theirs
        Verdict::Restart
    }

    // ---- the end of a life

    fn close(&mut self, n: usize) {
        self.end(n, When::Cease, "cease", End::Ceased);
    }

    fn abort(&mut self, n: usize) {
        self.end(n, When::Abort, "abort", End::Aborted);
    }

    fn clean(&mut self, n: usize, done: bool) {
        self.end(n, When::Clean, "clean", End::Done(done));
    }

    fn end(&mut self, n: usize, at: When, hook: &'static str, end: End) {
        self.closing(n, at, hook);
        self.close_all(n);
        self.closing(n, When::Exit, "exit");
        self.nodes[n].end = end;
    }

    fn close_all(&mut self, s: usize) {
        while let Some(deed) = self.nodes[s].deeds.pop() {
            self.close(deed.node);
        }
    }

    /// A closing hook: only stop, wake and a panic have an effect.
    fn closing(&mut self, n: usize, at: When, hook: &'static str) {
        self.note(n, hook);
        let spec = Arc::clone(&self.nodes[n].spec);
        for act in spec.acts.iter().filter(|a| a.at == at) {
            match &act.what {
                Op::Wake(name) => self.wake(name),
                Op::Stop => self.stop = true,
                Op::Panic => {
                    let mut flaw = self.flaw(n, at, "panic");
                    let mut up = n;
                    while up != ROOT {
                        flaw = self.named(flaw, up);
                        up = self.nodes[up].parent;
                    }
                    self.collected.push(flaw);
                    return;
                }
                _ => {}
            }
        }
    }

    // ---- telling

    fn note(&mut self, n: usize, hook: &'static str) {
        if self.nodes[n].spec.kind == Kind::Plain {
            return;
        }
        let (tyme, doer) = (self.tyme, Arc::clone(&self.nodes[n].name));
        self.trace.push(Entry { tyme, doer, hook });
    }

    fn flaw(&self, n: usize, at: When, what: &str) -> Flaw {
        let hook = hook_name(at);
        let Node { name, spec, .. } = &self.nodes[n];
        // How often a parking parent ran is its own affair.
        let k = if spec.kind == Kind::Parking {
            0
        } else {
            self.nodes[n].k
        };
        Flaw {
            path: Vec::new(),
            hook,
            tyme: self.tyme,
            text: format!("{what}:{name}:{hook}:{k}"),
        }
    }

    fn named(&self, mut flaw: Flaw, n: usize) -> Flaw {
        flaw.path.insert(0, self.nodes[n].name.to_string());
        flaw
    }
}

fn after(base: u64, yielded: u64) -> Due {
    match yielded {
        0 => Due::EveryTick,
        y => Due::At(base.saturating_add(y)),
    }
}

pub fn hook_name(at: When) -> &'static str {
    match at {
        When::Enter => "enter",
        When::Recur(_) => "recur",
        When::Clean => "clean",
        When::Cease => "cease",
        When::Abort => "abort",
        When::Exit => "exit",
    }
}
