//! A short notation for stories: who does what, and the trace that must come of it.
//!
//! One second is one tick. A trace reads `0: +a +b a b | 1: a a. -a`: tyme, then what happened in
//! it: `+a` enter, `a` recur, `a.` clean, `a~` cease, `a!` abort, `-a` exit.

use std::fmt::Write as _;
use std::sync::Arc;

use super::compare::first_difference;
use super::generate::{Flavour, draw};
use super::harness::{self, Drive};
use super::model::{self, Flaw, Model, Outcome, Story};
use super::random::{Random, seed_and_count};
use super::scenario::{Act, HostAct, HostOp, Kind, On, Op, Policy, Scenario, Spec, When, Yield};
use super::shrink::shrink;

pub const SECOND: u64 = 1_000_000_000;

pub fn leaf(name: &str) -> Spec {
    Spec::new(name, Kind::Doer)
}

/// A parent that runs at each tick and is traced.
pub fn parent<const N: usize>(name: &str, children: [Spec; N]) -> Spec {
    with_children(Spec::new(name, Kind::DoDoer), children)
}

/// A parent that parks until its soonest child.
pub fn parking<const N: usize>(name: &str, children: [Spec; N]) -> Spec {
    with_children(Spec::new(name, Kind::Parking), children)
}

/// The crate's own DoDoer, invisible in the trace.
pub fn plain<const N: usize>(name: &str, children: [Spec; N]) -> Spec {
    with_children(Spec::new(name, Kind::Plain), children)
}

fn with_children<const N: usize>(mut spec: Spec, children: [Spec; N]) -> Spec {
    spec.children = children.into_iter().map(Arc::new).collect();
    spec
}

impl Spec {
    pub fn recurs(mut self, n: u32) -> Self {
        self.recurs = Some(n);
        self
    }
    pub fn ends_false(mut self) -> Self {
        (self.kind, self.result) = (Kind::Redoer, false);
        self
    }
    /// Its tock in seconds.
    pub fn every(mut self, secs: u64) -> Self {
        self.tock = secs * SECOND;
        self
    }
    pub fn always(mut self) -> Self {
        self.always = true;
        self
    }
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }
    pub fn yields<const N: usize>(mut self, yields: [Yield; N]) -> Self {
        self.yields = yields.to_vec();
        self
    }
    pub fn begins(mut self, with: Yield) -> Self {
        self.begin = with;
        self
    }
    /// Does something in its k-th recur.
    pub fn at(self, k: u32, what: Op) -> Self {
        self.on(When::Recur(k), what)
    }
    /// Does something in a hook.
    pub fn on(mut self, at: When, what: Op) -> Self {
        self.acts.push(Act { at, what });
        self
    }
}

pub fn extend<const N: usize>(on: On, doers: [Spec; N]) -> Op {
    let doers = doers.into_iter().map(Arc::new).collect();
    Op::Extend { on, doers }
}

pub fn remove<const N: usize>(on: On, names: [&str; N]) -> Op {
    let names = names.into_iter().map(str::to_owned).collect();
    Op::Remove { on, names }
}

pub fn wake(name: &str) -> Op {
    Op::Wake(name.to_owned())
}

pub fn after(secs: u64) -> Yield {
    Yield::After(secs * SECOND)
}

pub fn park(secs: u64) -> Yield {
    Yield::ParkFor(secs * SECOND)
}

/// A Doist with a tock of one second.
pub fn doist<const N: usize>(doers: [Spec; N]) -> Scenario {
    Scenario {
        name: "story".to_owned(),
        tyme: 0,
        tock: SECOND,
        limit: None,
        policy: Policy::Rise,
        doers: doers.into_iter().map(Arc::new).collect(),
        host: Vec::new(),
    }
}

impl Scenario {
    pub fn limit(mut self, secs: u64) -> Self {
        self.limit = Some(secs * SECOND);
        self
    }
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }
    /// What the host does before a pass; the first is number 1.
    pub fn host(mut self, before: u64, what: HostOp) -> Self {
        self.host.push(HostAct { before, what });
        self
    }
}

/// Every way to drive a Doist tells the same story: this trace and this end.
pub fn tells(scenario: &Scenario, trace: &str, end: &str) {
    let expected = model::expected(scenario).expect("the story has an end");
    assert_eq!(written(&expected), trace, "what the model of the laws says");
    assert_eq!(ending(&expected), end, "what the model of the laws says");
    all_drives(scenario, &expected);
}

/// The ways to drive a Doist that fit a scenario.
fn drives(scenario: &Scenario) -> Vec<Drive> {
    use Drive::{Advance, Asap, Hand, Observed, Real, Slices};
    let mut all = vec![Hand, Observed, Slices(1), Slices(2), Slices(5)];
    if !scenario
        .host
        .iter()
        .any(|a| matches!(a.what, HostOp::SetTock(_)))
    {
        all.push(Advance); // which must know how many ticks come of a call
    }
    if scenario.host.is_empty() {
        all.push(Asap); // nobody gets between its passes
        if scenario.tock != 0 {
            all.push(Real);
        }
    }
    all
}

/// The first difference from the laws' model over all ways to drive a Doist.
fn difference(scenario: &Scenario, expected: &Story) -> Option<String> {
    drives(scenario).into_iter().find_map(|drive| {
        let seen = harness::play(scenario, drive);
        let what = first_difference(expected, &seen)?;
        let (e, s) = (written(expected), written(&seen));
        Some(format!("{drive:?}: {what}\nexpected {e}\n     saw {s}"))
    })
}

/// Plays a scenario in every way a Doist can be driven and holds each against the model. A
/// difference is shown on the smallest scenario that still has one.
pub fn all_drives(scenario: &Scenario, expected: &Story) {
    if difference(scenario, expected).is_none() {
        return;
    }
    let differs = |s: &Scenario| difference(s, &model::expected(s)?);
    let (small, what) = shrink(scenario.clone(), &differs);
    panic!("{}\n{}\n{small}", scenario.name, what.unwrap_or_default());
}

pub fn written(story: &Story) -> String {
    let mut text = String::new();
    let mut tyme = None;
    for entry in &story.trace {
        if tyme != Some(entry.tyme) {
            let bar = if tyme.is_some() { " | " } else { "" };
            let _ = write!(text, "{bar}{}:", seconds(entry.tyme));
            tyme = Some(entry.tyme);
        }
        let name = &entry.doer;
        let _ = match entry.hook {
            "enter" => write!(text, " +{name}"),
            "recur" => write!(text, " {name}"),
            "clean" => write!(text, " {name}."),
            "cease" => write!(text, " {name}~"),
            "abort" => write!(text, " {name}!"),
            _ => write!(text, " -{name}"),
        };
    }
    text
}

fn seconds(nanos: u64) -> String {
    if nanos % SECOND == 0 {
        return (nanos / SECOND).to_string();
    }
    let digits = format!("{:09}", nanos % SECOND);
    format!("{}.{}", nanos / SECOND, digits.trim_end_matches('0'))
}

/// `done @3`, or the fault: `a/b recur fail:b:recur:2 @1`, with what was collected behind it.
pub fn ending(story: &Story) -> String {
    let how = match &story.outcome {
        Outcome::Done => "done".to_owned(),
        Outcome::Limit => "limit".to_owned(),
        Outcome::Stopped => "stopped".to_owned(),
        Outcome::Fault(flaw, also) => {
            let mut text = flaw_text(flaw);
            for more in also {
                let _ = write!(text, " also {}", flaw_text(more));
            }
            text
        }
    };
    format!("{how} @{}", seconds(story.tyme))
}

fn flaw_text(flaw: &Flaw) -> String {
    format!("{} {}", flaw.path.join("/"), flaw.text)
}

/// Random scenarios of one flavour, each played in every way and held against the laws.
pub fn random_scenarios(title: &str, flavour: Flavour) {
    let (seed, count) = seed_and_count(title, 60);
    for n in 0..count {
        let seed = seed.wrapping_add(n);
        let mut rng = Random::new(seed);
        let name = format!("{title} HIO_SEED={seed} HIO_FRESH=1");
        let (scenario, expected) = draw(&mut rng, &name, flavour);
        all_drives(&scenario, &expected);
    }
}

/// Random scenarios in real pacing, with readiness between the ticks.
pub fn random_real_scenarios(title: &str, flavour: Flavour) {
    let (seed, count) = seed_and_count(title, 100);
    for n in 0..count {
        let seed = seed.wrapping_add(n);
        let mut rng = Random::new(seed);
        let name = format!("{title} HIO_SEED={seed} HIO_FRESH=1");
        let (scenario, _) = draw(&mut rng, &name, flavour);
        let tock = scenario.tock;
        let mut ready: Vec<(u64, String)> = Vec::new();
        for _ in 0..rng.from(1, 12) {
            let off_tick = if rng.percent(80) { rng.below(tock) } else { 0 };
            let at = rng.below(20) * tock + off_tick;
            ready.push((at.max(1), format!("d{}", rng.from(1, 14))));
        }
        ready.sort();
        let differs = |s: &Scenario| {
            let expected = Model::new(s).run_real(s, &ready)?;
            let seen = harness::play_real(s, &ready);
            let what = first_difference(&expected, &seen)?;
            let (e, s) = (written(&expected), written(&seen));
            Some(format!(
                "{what}\nready {ready:?}\nexpected {e}\n     saw {s}"
            ))
        };
        if differs(&scenario).is_some() {
            let (small, what) = shrink(scenario, &differs);
            panic!("{name}\n{}\n{small}", what.unwrap_or_default());
        }
    }
}

/// One story in real pacing, with who is ready when (in milliseconds).
pub fn tells_real<const N: usize>(
    scenario: &Scenario,
    ready: [(u64, &str); N],
    trace: &str,
    end: &str,
) {
    let ready = ready.map(|(at, name)| (at * 1_000_000, name.to_owned()));
    let expected = Model::new(scenario)
        .run_real(scenario, &ready)
        .expect("an end");
    assert_eq!(written(&expected), trace, "what the model of the laws says");
    assert_eq!(ending(&expected), end, "what the model of the laws says");
    let seen = harness::play_real(scenario, &ready);
    assert_eq!(written(&seen), trace, "what the crate did");
    assert_eq!(first_difference(&expected, &seen), None);
}
