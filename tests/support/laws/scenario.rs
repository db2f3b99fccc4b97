//! The language in which a scheduler run is told. All times are nanoseconds.

use std::sync::Arc;

/// A Doist and what is done to it.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub name: String,
    pub tyme: u64,
    pub tock: u64,
    pub limit: Option<u64>,
    pub policy: Policy,
    pub doers: Vec<Arc<Spec>>,
    pub host: Vec<HostAct>,
}

/// What the program that owns the Doist does before a pass; the first pass is number 1.
#[derive(Clone, Debug)]
pub struct HostAct {
    pub before: u64,
    pub what: HostOp,
}

#[derive(Clone, Debug)]
pub enum HostOp {
    Wake(String),
    SetTock(u64),
    Stop,
    Remove(String),
    Extend(Arc<Spec>),
}

/// What a doer is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A leaf that ends with true.
    Doer,
    /// A leaf that ends with its result.
    Redoer,
    /// A parent that traces and runs at each of its own dues.
    DoDoer,
    /// A parent that parks until its soonest child, unless it has a tock; its recurs are not
    /// traced.
    Parking,
    /// The crate's own parent, which does the same: nothing of it is traced and its id is known
    /// only from the request that brought it in.
    Plain,
}

impl Kind {
    /// Whether a parent of this kind is parked between its turns.
    pub fn parks(self, tock: u64) -> bool {
        matches!(self, Self::Parking | Self::Plain) && tock == 0
    }

    pub fn is_parent(self) -> bool {
        matches!(self, Self::DoDoer | Self::Parking | Self::Plain)
    }
}

#[derive(Clone, Debug)]
pub struct Spec {
    pub name: String,
    pub kind: Kind,
    pub tock: u64,
    /// A leaf ends in this recur; 0 in enter; none never.
    pub recurs: Option<u32>,
    pub result: bool,
    pub always: bool,
    pub children: Vec<Arc<Self>>,
    pub acts: Vec<Act>,
    /// What enter returns when it does not end the doer.
    pub begin: Yield,
    /// What the recurs return in turn, over and over; empty is `Again`.
    pub yields: Vec<Yield>,
    /// How a parent supervises its children.
    pub policy: Policy,
}

impl Spec {
    pub fn new(name: &str, kind: Kind) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            tock: 0,
            recurs: None,
            result: true,
            always: false,
            children: Vec::new(),
            acts: Vec::new(),
            begin: Yield::Again,
            yields: Vec::new(),
            policy: Policy::Rise,
        }
    }

    /// What the k-th recur returns unless the doer ends in it.
    pub fn yielded(&self, k: u32) -> Yield {
        if self.yields.is_empty() {
            return Yield::Again;
        }
        self.yields[(k.max(1) as usize - 1) % self.yields.len()]
    }
}

/// A hook, or one numbered recur.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    Enter,
    Recur(u32),
    Clean,
    Cease,
    Abort,
    Exit,
}

#[derive(Clone, Debug)]
pub struct Act {
    pub at: When,
    pub what: Op,
}

/// What a doer does in a hook. Extend and remove on itself act at once, before the pass.
#[derive(Clone, Debug)]
pub enum Op {
    Extend { on: On, doers: Vec<Arc<Spec>> },
    Remove { on: On, names: Vec<String> },
    Retock(u64),
    Wake(String),
    Stop,
    Fail,
    Panic,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    Itself,
    Parent,
    Root,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Yield {
    Again,
    After(u64),
    /// Park until this much later than now.
    ParkFor(u64),
    ParkNever,
}

/// How a scheduler answers the failure of a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    Rise,
    Drop,
    /// That many restarts in all, then it rises.
    Restart(u32),
    /// The ready-made policy: one restart in five seconds of tyme.
    Ready,
}

/// Every spec below, parents first.
pub fn each<'a>(list: &'a [Arc<Spec>], see: &mut dyn FnMut(&'a Arc<Spec>)) {
    for spec in list {
        see(spec);
        each(&spec.children, see);
        for act in &spec.acts {
            if let Op::Extend { doers, .. } = &act.what {
                each(doers, see);
            }
        }
    }
}

/// Names of all doers whose end is compared, those that may never be entered included.
pub fn names(scenario: &Scenario) -> Vec<String> {
    let mut all = specs(scenario);
    all.retain(|spec| spec.kind != Kind::Plain);
    all.iter().map(|spec| spec.name.clone()).collect()
}

/// All doers, those that come later included.
pub fn specs(scenario: &Scenario) -> Vec<Arc<Spec>> {
    let mut all = Vec::new();
    let mut see = |spec: &Arc<Spec>| all.push(Arc::clone(spec));
    each(&scenario.doers, &mut see);
    for act in &scenario.host {
        if let HostOp::Extend(spec) = &act.what {
            each(std::slice::from_ref(spec), &mut see);
        }
    }
    all
}
