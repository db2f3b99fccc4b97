//! Lets the crate play a scenario, driven in different ways, and tells what was seen.

use std::collections::BTreeMap;
use std::sync::{Arc, Once};
use std::time::Duration;

use hio::doing::prelude::*;
use hio::doing::{Batch, Budget, Cause, DoerState, Hook, Restarts, Step, Verdict};
use hio::net::Group;

use super::model::{End, Entry, Flaw, Outcome as Seen, Story, hook_name};
use super::scenario::{self, HostOp, Kind, On, Op, Policy, Scenario, Spec, When, Yield};
use super::wakenet::WakeNet;

/// After each step, the figures are compared with so long a trace: it takes time.
const LOOKS: usize = 60;
/// A run by hand that goes on longer than this has no end.
const PASSES_MAX: u64 = 100_000;

/// The program's state: what its doers wrote down.
#[derive(Debug, Default)]
pub struct App {
    pub trace: Vec<Entry>,
    /// The latest id of each name.
    pub ids: BTreeMap<String, DoerId>,
}

/// Who takes the Doist from pass to pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drive {
    /// `run`, as fast as possible, leaping over ticks on which nothing is due.
    Asap,
    /// `run` in real pacing on a clock that leaps to the end of each wait.
    Real,
    /// `recur` for each tick.
    Hand,
    /// `recur_within`, so many doers at a time.
    Slices(usize),
    /// `recur` for each tick, with an observer.
    Observed,
    /// `advance` by two thirds of a tock at a time.
    Advance,
}

pub fn play(scenario: &Scenario, drive: Drive) -> Story {
    quiet_panics();
    let mut doist = build(scenario);
    let mut net = WakeNet::patient();
    let outcome = match drive {
        Drive::Asap => doist.with_pace(Pace::Asap).run_kept(&mut net),
        Drive::Real => doist.with_pace(Pace::Real).run_kept(&mut net),
        Drive::Observed => {
            doist.observe(|_, _, _| {});
            by_hand(doist, &mut net, scenario, None)
        }
        Drive::Hand => by_hand(doist, &mut net, scenario, None),
        Drive::Advance => by_thirds(doist, &mut net, scenario),
        Drive::Slices(doers) => by_hand(doist, &mut net, scenario, Some(doers)),
    };
    let (doist, outcome) = outcome;
    story(&doist, outcome, scenario)
}

/// In real pacing on a scripted clock: at each of those moments the doer of that name is ready.
pub fn play_real(scenario: &Scenario, ready: &[(u64, String)]) -> Story {
    quiet_panics();
    let mut net = WakeNet::new(ready.iter().map(|(at, name)| (*at, group_of(name))));
    let (doist, outcome) = build(scenario).with_pace(Pace::Real).run_kept(&mut net);
    story(&doist, outcome, scenario)
}

/// The group of sockets that a doer of this name has.
pub fn group_of(name: &str) -> Group {
    let number = name
        .bytes()
        .fold(0u32, |n, b| n.wrapping_mul(131).wrapping_add(u32::from(b)));
    Group::new(number, 0)
}

trait RunKept {
    fn run_kept(self, net: &mut dyn Net) -> (Doist<App>, Result<Outcome, Fault>);
}

impl RunKept for Doist<App> {
    fn run_kept(mut self, net: &mut dyn Net) -> (Self, Result<Outcome, Fault>) {
        let outcome = self.run(net);
        (self, outcome)
    }
}

/// A Doist with the scenario's first list, not entered.
pub fn build(scenario: &Scenario) -> Doist<App> {
    let mut doist = Doist::new(App::default())
        .with_tyme(Tyme::from_nanos(scenario.tyme))
        .with_tock(Duration::from_nanos(scenario.tock));
    if let Some(limit) = scenario.limit {
        doist = doist.with_limit(Duration::from_nanos(limit));
    }
    if let Some(decide) = policy(scenario.policy) {
        doist.supervise(decide);
    }
    for spec in &scenario.doers {
        let adding = doist.named(spec.name.as_str());
        match body(spec) {
            Body::Leaf(leaf) => drop(adding.add(leaf)),
            Body::Branch(branch) => drop(adding.add(*branch)),
            Body::Plain(parent) => drop(adding.add(*parent)),
        }
    }
    doist
}

fn by_hand(
    mut doist: Doist<App>,
    net: &mut WakeNet,
    scenario: &Scenario,
    slice: Option<usize>,
) -> (Doist<App>, Result<Outcome, Fault>) {
    if let Err(fault) = doist.enter(net) {
        return (doist, Err(fault));
    }
    for pass in 1..PASSES_MAX {
        for act in scenario.host.iter().filter(|a| a.before == pass) {
            host(&mut doist, net, &act.what);
        }
        let step = loop {
            let step = match slice {
                None => doist.recur(net),
                Some(doers) => doist.recur_within(net, Budget::doers(doers)),
            };
            match step {
                Ok(Step::Cut) => {}
                Ok(Step::More) => break None,
                Ok(Step::Ended(outcome)) => break Some(Ok(outcome)),
                Err(fault) => break Some(Err(fault)),
            }
            if doist.app.trace.len() < LOOKS {
                counts_agree(&doist, scenario);
            }
        };
        if let Some(outcome) = step {
            return (doist, outcome);
        }
    }
    panic!("no end after {PASSES_MAX} passes, though the laws' model knew one")
}

fn by_thirds(
    doist: Doist<App>,
    net: &mut WakeNet,
    scenario: &Scenario,
) -> (Doist<App>, Result<Outcome, Fault>) {
    let mut doist = doist.with_advance_at_most(Duration::from_secs(100));
    if let Err(fault) = doist.enter(net) {
        return (doist, Err(fault));
    }
    let mut passes = 0;
    let mut acted = 0;
    loop {
        while acted == passes {
            acted += 1;
            for act in scenario.host.iter().filter(|a| a.before == acted) {
                host(&mut doist, net, &act.what);
            }
        }
        assert!(passes < PASSES_MAX, "no end after {PASSES_MAX} passes");
        let dt = doist.tock() * 2 / 3;
        match doist.advance(net, dt) {
            Ok(advance) => {
                assert!(advance.ticks <= 1, "{advance:?}");
                passes += advance.ticks;
                if let Step::Ended(outcome) = advance.step {
                    return (doist, Ok(outcome));
                }
            }
            Err(fault) => return (doist, Err(fault)),
        }
    }
}

fn host(doist: &mut Doist<App>, net: &mut WakeNet, op: &HostOp) {
    match op {
        HostOp::Wake(name) => {
            if let Some(&id) = doist.app.ids.get(name) {
                doist.wake(id);
            }
        }
        HostOp::SetTock(tock) => doist.set_tock(Duration::from_nanos(*tock)),
        HostOp::Stop => doist.stop_handle().stop(),
        HostOp::Remove(name) => {
            if let Some(&id) = doist.app.ids.get(name) {
                doist.remove(net, id);
            }
        }
        HostOp::Extend(spec) => {
            let done = match body(spec) {
                Body::Leaf(leaf) => doist.extend(net, leaf).map(DoerId::from),
                Body::Branch(branch) => doist.extend(net, *branch).map(DoerId::from),
                Body::Plain(parent) => doist.extend(net, *parent).map(DoerId::from),
            };
            done.map(drop)
                .expect("the host extends by doers that enter");
        }
    }
}

/// What can be seen after the run.
pub fn story(doist: &Doist<App>, outcome: Result<Outcome, Fault>, scenario: &Scenario) -> Story {
    counts_agree(doist, scenario);
    let end = |name: &String| {
        let id = doist.app.ids.get(name)?;
        Some(match doist.ended(*id)? {
            Ended::Done(done) => End::Done(done),
            Ended::Ceased => End::Ceased,
            Ended::Aborted => End::Aborted,
        })
    };
    let names = scenario::names(scenario);
    Story {
        trace: doist.app.trace.clone(),
        ended: names
            .into_iter()
            .map(|n| {
                let end = end(&n).unwrap_or(End::Never);
                (n, end)
            })
            .collect(),
        tyme: doist.tyme().as_nanos(),
        outcome: match outcome {
            Ok(Outcome::Done) => Seen::Done,
            Ok(Outcome::Limit) => Seen::Limit,
            Ok(Outcome::Stopped) => Seen::Stopped,
            Ok(drained) => unreachable!("nobody asks for it here: {drained:?}"),
            Err(fault) => Seen::Fault(flaw(&fault), fault.also().iter().map(flaw).collect()),
        },
    }
}

/// Every figure of the Doist is what its doers wrote down, at any moment between two steps.
pub fn counts_agree(doist: &Doist<App>, scenario: &Scenario) {
    let specs = scenario::specs(scenario);
    let tells = |kind| !matches!(kind, Kind::Plain | Kind::Parking);
    let trace = &doist.app.trace;
    let told = |hook: &str| trace.iter().filter(|e| e.hook == hook).count() as u64;
    let stats = doist.stats();
    let listing = doist.listing();
    let open = |state| listing.iter().filter(|l| l.stats.state == state).count() as u64;
    assert_eq!(stats.open, listing.len() as u64);
    assert_eq!(stats.parked, open(DoerState::Parked));
    assert_eq!(stats.timed, open(DoerState::Timed));
    if specs.iter().all(|spec| tells(spec.kind)) {
        assert_eq!(stats.recurs, told("recur"), "{:?}", doist.stats());
        assert_eq!((stats.entered, stats.ended), (told("enter"), told("exit")));
        assert_eq!(stats.failed, told("abort"));
    }
    let mut wakes = 0;
    for spec in specs.iter().filter(|spec| tells(spec.kind)) {
        let known = doist.app.ids.get(&spec.name).copied();
        let Some(stats) = known.and_then(|id| doist.stats_of(id)) else {
            continue;
        };
        let mine: Vec<&Entry> = trace.iter().filter(|e| *e.doer == *spec.name).collect();
        let entered = mine.iter().rposition(|e| e.hook == "enter");
        // Its latest id may be of one that was asked for and has not entered.
        let mine = match (stats.state, entered) {
            (DoerState::Added, _) | (_, None) => &[],
            (_, Some(at)) => &mine[at..],
        };
        let recurs = || mine.iter().filter(|e| e.hook == "recur");
        let (name, last) = (&spec.name, recurs().next_back());
        assert_eq!(stats.recurs, recurs().count() as u64, "{name} {stats:?}");
        let last = last.map(|e| Tyme::from_nanos(e.tyme));
        assert_eq!(stats.last, last, "{name} {stats:?}");
        wakes += stats.wakes;
    }
    assert!(wakes <= stats.wakes);
}

/// What can be seen of a fault.
pub fn flaw(fault: &Fault) -> Flaw {
    let hook = match fault.hook() {
        Some(Hook::Enter) => "enter",
        Some(Hook::Recur) => "recur",
        Some(Hook::Clean) => "clean",
        Some(Hook::Cease) => "cease",
        Some(Hook::Abort) => "abort",
        Some(Hook::Exit) => "exit",
        Some(Hook::Drop) => "drop",
        None => "",
    };
    Flaw {
        path: fault.path().map(str::to_owned).collect(),
        hook,
        tyme: fault.tyme().as_nanos(),
        text: match fault.cause() {
            Cause::Panicked(text) => text.clone(),
            cause => cause.to_string(),
        },
    }
}

type Decide = Box<dyn FnMut(Tyme, &Fault) -> Verdict + Send>;

fn policy(policy: Policy) -> Option<Decide> {
    match policy {
        Policy::Rise => None,
        Policy::Drop => Some(Box::new(|_, _| Verdict::Drop)),
        Policy::Ready => Some(Box::new(Restarts::default().policy())),
        Policy::Restart(most) => {
            let mut left = most;
            Some(Box::new(move |_, _| {
                if left == 0 {
                    return Verdict::Rise;
                }
                left -= 1;
                Verdict::Restart
            }))
        }
    }
}

// ---- the doers

enum Body {
    Leaf(Leaf),
    Branch(Box<Branch>),
    Plain(Box<DoDoer<App>>),
}

fn body(spec: &Arc<Spec>) -> Body {
    match spec.kind {
        Kind::Doer | Kind::Redoer => Body::Leaf(Leaf(Script::new(spec))),
        Kind::DoDoer | Kind::Parking => Body::Branch(Box::new(Branch::new(spec))),
        Kind::Plain => Body::Plain(Box::new(plain(spec))),
    }
}

fn add_to_batch(batch: &mut Batch<'_, App>, spec: &Arc<Spec>) -> DoerId {
    match body(spec) {
        Body::Leaf(leaf) => batch.add_named(spec.name.as_str(), leaf).into(),
        Body::Branch(branch) => batch.add_named(spec.name.as_str(), *branch).into(),
        Body::Plain(parent) => batch.add_named(spec.name.as_str(), *parent).into(),
    }
}

/// What leaves and branches have in common.
#[derive(Debug)]
struct Script {
    spec: Arc<Spec>,
    name: Arc<str>,
    tock: Duration,
    k: u32,
    used: Vec<bool>,
}

impl Script {
    fn new(spec: &Arc<Spec>) -> Self {
        Self {
            spec: Arc::clone(spec),
            name: Arc::from(spec.name.as_str()),
            tock: Duration::from_nanos(spec.tock),
            k: 0,
            used: vec![false; spec.acts.len()],
        }
    }

    fn note(&self, cx: &mut Cx<'_, App>, hook: &'static str) {
        let tyme = cx.tyme().as_nanos();
        let doer = Arc::clone(&self.name);
        cx.app.trace.push(Entry { tyme, doer, hook });
    }

    fn enter(&mut self, cx: &mut Cx<'_, App>, deeds: Option<&mut Deeds<App>>) -> Result<(), Fault> {
        self.k = 0;
        cx.app.ids.insert(self.spec.name.clone(), cx.ask.me());
        cx.net.set_owner(group_of(&self.name), cx.ask.owner());
        self.serve(cx);
        self.note(cx, "enter");
        self.acts(When::Enter, cx, deeds)
    }

    /// Takes the marks of its sockets, as every doer does that has some.
    fn serve(&self, cx: &mut Cx<'_, App>) {
        cx.net.ready(group_of(&self.name), &mut Vec::new());
    }

    fn closing(&mut self, at: When, cx: &mut Cx<'_, App>) {
        self.note(cx, hook_name(at));
        // A failure is not told in closing hooks; a panic is.
        let _ = self.acts(at, cx, None);
    }

    fn acts(
        &mut self,
        at: When,
        cx: &mut Cx<'_, App>,
        mut deeds: Option<&mut Deeds<App>>,
    ) -> Result<(), Fault> {
        let spec = Arc::clone(&self.spec);
        let closing = !matches!(at, When::Enter | When::Recur(_));
        for (i, act) in spec.acts.iter().enumerate().filter(|(_, a)| a.at == at) {
            match &act.what {
                Op::Extend { on, doers } => {
                    if std::mem::replace(&mut self.used[i], true) {
                        continue;
                    }
                    if let (On::Itself, Some(deeds)) = (on, deeds.as_deref_mut()) {
                        deeds.extend_all(cx, |batch| {
                            for spec in doers {
                                add_to_batch(batch, spec);
                            }
                        })?;
                        continue;
                    }
                    let mut ids = Vec::new();
                    let fill = |batch: &mut Batch<'_, App>| {
                        ids.extend(doers.iter().map(|spec| add_to_batch(batch, spec)));
                    };
                    match on {
                        On::Root => cx.ask.root().extend_all(fill),
                        _ => cx.ask.extend_all(fill),
                    }
                    if !closing {
                        let names = doers.iter().map(|s| s.name.clone());
                        cx.app.ids.extend(names.zip(ids));
                    }
                }
                Op::Remove { on, names } => {
                    let known = names.iter().filter_map(|n| cx.app.ids.get(n).copied());
                    let ids: Vec<DoerId> = known.collect();
                    match (on, deeds.as_deref_mut()) {
                        (On::Itself, Some(deeds)) => deeds.remove(&ids, cx),
                        (On::Root, _) => cx.ask.root().remove_all(&ids),
                        _ => cx.ask.remove_all(&ids),
                    }
                }
                Op::Retock(tock) => self.tock = Duration::from_nanos(*tock),
                Op::Wake(name) => {
                    if let Some(&id) = cx.app.ids.get(name) {
                        cx.ask.wake(id);
                    }
                }
                Op::Stop => cx.ask.stop(),
                Op::Fail => return Err(Fault::msg(self.words("fail", at))),
                Op::Panic => panic!("{}", self.words("panic", at)),
            }
        }
        Ok(())
    }

    fn words(&self, what: &str, at: When) -> String {
        let name = &self.name;
        // How often a parking parent ran is its own affair.
        let k = if self.spec.kind == Kind::Parking {
            0
        } else {
            self.k
        };
        format!("{what}:{name}:{}:{k}", hook_name(at))
    }

    fn begin(&self, now: Tyme) -> Next {
        next(self.spec.begin, now)
    }
}

fn next(yielded: Yield, now: Tyme) -> Next {
    match yielded {
        Yield::Again => Again,
        Yield::After(d) => After(Duration::from_nanos(d)),
        Yield::ParkFor(d) => Park(now + Duration::from_nanos(d)),
        Yield::ParkNever => Park(Tyme::NEVER),
    }
}

/// A doer without children.
#[derive(Debug)]
pub struct Leaf(Script);

impl Doer<App> for Leaf {
    fn tock(&self) -> Duration {
        self.0.tock
    }
    fn enter(&mut self, cx: &mut Cx<'_, App>) -> Result<Next, Fault> {
        self.0.enter(cx, None)?;
        let spec = &self.0.spec;
        if spec.recurs == Some(0) {
            return Ok(Done(spec.kind == Kind::Doer || spec.result));
        }
        Ok(self.0.begin(cx.tyme()))
    }
    fn recur(&mut self, tyme: Tyme, cx: &mut Cx<'_, App>) -> Result<Next, Fault> {
        self.0.k += 1;
        let k = self.0.k;
        assert_eq!(tyme, cx.tyme(), "one tyme, told twice");
        self.0.serve(cx);
        self.0.note(cx, "recur");
        self.0.acts(When::Recur(k), cx, None)?;
        let spec = &self.0.spec;
        if spec.recurs.is_some_and(|r| k >= r) {
            return Ok(Done(spec.kind == Kind::Doer || spec.result));
        }
        Ok(next(spec.yielded(k), tyme))
    }
    fn clean(&mut self, cx: &mut Cx<'_, App>) {
        self.0.closing(When::Clean, cx);
    }
    fn cease(&mut self, cx: &mut Cx<'_, App>) {
        self.0.closing(When::Cease, cx);
    }
    fn abort(&mut self, _: &Fault, cx: &mut Cx<'_, App>) {
        self.0.closing(When::Abort, cx);
    }
    fn exit(&mut self, cx: &mut Cx<'_, App>) {
        self.0.closing(When::Exit, cx);
    }
}

/// A parent: one that runs at its own dues, or one that parks as the plain DoDoer does.
#[derive(Debug)]
pub struct Branch {
    script: Script,
    deeds: Deeds<App>,
}

impl Branch {
    fn new(spec: &Arc<Spec>) -> Self {
        let mut deeds = Deeds::new();
        if let Some(decide) = policy(spec.policy) {
            deeds.supervise(decide);
        }
        for child in &spec.children {
            match body(child) {
                Body::Leaf(leaf) => drop(deeds.add_named(child.name.as_str(), leaf)),
                Body::Branch(branch) => drop(deeds.add_named(child.name.as_str(), *branch)),
                Body::Plain(parent) => drop(deeds.add_named(child.name.as_str(), *parent)),
            }
        }
        let script = Script::new(spec);
        Self { script, deeds }
    }
}

impl Doer<App> for Branch {
    fn deeds(&self) -> Option<&Deeds<App>> {
        Some(&self.deeds)
    }
    fn deeds_mut(&mut self) -> Option<&mut Deeds<App>> {
        Some(&mut self.deeds)
    }
    fn tock(&self) -> Duration {
        self.script.tock
    }
    fn enter(&mut self, cx: &mut Cx<'_, App>) -> Result<Next, Fault> {
        self.script.enter(cx, None)?;
        Ok(self.script.begin(cx.tyme()))
    }
    fn recur(&mut self, tyme: Tyme, cx: &mut Cx<'_, App>) -> Result<Next, Fault> {
        self.script.k += 1;
        let k = self.script.k;
        let parks = self.script.spec.kind == Kind::Parking;
        if !parks {
            self.script.note(cx, "recur");
        }
        self.script.serve(cx);
        self.script
            .acts(When::Recur(k), cx, Some(&mut self.deeds))?;
        let passed = self.deeds.recur(tyme, cx)?;
        Ok(match passed {
            Done(_) if !self.script.spec.always => passed,
            _ if !parks => next(self.script.spec.yielded(k), tyme),
            _ if !self.script.tock.is_zero() => Again,
            _ => Park(self.deeds.soonest(cx)),
        })
    }
    fn clean(&mut self, cx: &mut Cx<'_, App>) {
        self.script.closing(When::Clean, cx);
    }
    fn cease(&mut self, cx: &mut Cx<'_, App>) {
        self.script.closing(When::Cease, cx);
    }
    fn abort(&mut self, _: &Fault, cx: &mut Cx<'_, App>) {
        self.script.closing(When::Abort, cx);
    }
    fn exit(&mut self, cx: &mut Cx<'_, App>) {
        self.script.closing(When::Exit, cx);
    }
}

/// The crate's own parent, without a hook of ours: nothing of it is traced, nobody knows its id.
fn plain(spec: &Arc<Spec>) -> DoDoer<App> {
    let mut parent = DoDoer::new().with_tock(Duration::from_nanos(spec.tock));
    if spec.always {
        parent = parent.always();
    }
    if let Some(decide) = policy(spec.policy) {
        parent = parent.supervised(decide);
    }
    for child in &spec.children {
        let name = child.name.as_str();
        match body(child) {
            Body::Leaf(leaf) => drop(parent.add_named(name, leaf)),
            Body::Branch(branch) => drop(parent.add_named(name, *branch)),
            Body::Plain(inner) => drop(parent.add_named(name, *inner)),
        }
    }
    parent
}

/// Panics that a scenario asks for are not printed.
fn quiet_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let loud = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let text = info.payload().downcast_ref::<String>();
            if !text.is_some_and(|t| t.starts_with("panic:")) {
                loud(info);
            }
        }));
    });
}
