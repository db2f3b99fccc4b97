//! Makes a scenario that shows a difference smaller while it still shows one, and writes it short.

use std::fmt;
use std::sync::Arc;

use super::scenario::{Kind, Op, Policy, Scenario, Spec, Yield};

/// The smallest scenario found from `scenario` for which `differs` still says what differs.
pub fn shrink(
    scenario: Scenario,
    differs: &dyn Fn(&Scenario) -> Option<String>,
) -> (Scenario, Option<String>) {
    let mut best = scenario;
    let mut what = differs(&best);
    let mut tries = 0;
    'again: loop {
        for candidate in smaller(&best) {
            tries += 1;
            if tries > 4000 {
                break 'again;
            }
            if let Some(still) = differs(&candidate) {
                (best, what) = (candidate, Some(still));
                continue 'again;
            }
        }
        break;
    }
    (best, what)
}

fn smaller(scenario: &Scenario) -> Vec<Scenario> {
    let mut all = Vec::new();
    let mut with = |change: &dyn Fn(&mut Scenario)| {
        let mut candidate = scenario.clone();
        change(&mut candidate);
        all.push(candidate);
    };
    for i in 0..scenario.host.len() {
        with(&|s| drop(s.host.remove(i)));
    }
    if scenario.policy != Policy::Rise {
        with(&|s| s.policy = Policy::Rise);
    }
    if scenario.tyme != 0 {
        with(&|s| s.tyme = 0);
    }
    if let Some(limit) = scenario.limit.filter(|l| *l > scenario.tock) {
        with(&|s| s.limit = Some(limit - s.tock));
    }
    for doers in smaller_lists(&scenario.doers) {
        with(&|s| s.doers.clone_from(&doers));
    }
    all
}

fn smaller_lists(list: &[Arc<Spec>]) -> Vec<Vec<Arc<Spec>>> {
    let mut all = Vec::new();
    for i in 0..list.len() {
        let mut without = list.to_vec();
        let gone = without.remove(i);
        all.push(without.clone());
        if !gone.children.is_empty() {
            // Its children in its place.
            let mut flat = without;
            flat.splice(i..i, gone.children.iter().cloned());
            all.push(flat);
        }
    }
    for i in 0..list.len() {
        for spec in smaller_specs(&list[i]) {
            let mut other = list.to_vec();
            other[i] = Arc::new(spec);
            all.push(other);
        }
    }
    all
}

fn smaller_specs(spec: &Spec) -> Vec<Spec> {
    let mut all = Vec::new();
    let mut with = |change: &dyn Fn(&mut Spec)| {
        let mut candidate = spec.clone();
        change(&mut candidate);
        all.push(candidate);
    };
    for children in smaller_lists(&spec.children) {
        with(&|s| s.children.clone_from(&children));
    }
    for (i, act) in spec.acts.iter().enumerate() {
        with(&|s| drop(s.acts.remove(i)));
        match &act.what {
            Op::Extend { on, doers } => {
                for doers in smaller_lists(doers).into_iter().filter(|d| !d.is_empty()) {
                    with(&|s| {
                        let (on, doers) = (*on, doers.clone());
                        s.acts[i].what = Op::Extend { on, doers };
                    });
                }
            }
            Op::Remove { on, names } if names.len() > 1 => {
                for gone in 0..names.len() {
                    let (on, mut names) = (*on, names.clone());
                    names.remove(gone);
                    with(&|s| {
                        let names = names.clone();
                        s.acts[i].what = Op::Remove { on, names };
                    });
                }
            }
            _ => {}
        }
    }
    if !spec.yields.is_empty() {
        with(&|s| s.yields.clear());
        with(&|s| s.yields.truncate(1));
        with(&|s| s.yields.rotate_left(1));
    }
    if spec.begin != Yield::Again {
        with(&|s| s.begin = Yield::Again);
    }
    if spec.tock != 0 {
        with(&|s| s.tock = 0);
    }
    if spec.policy != Policy::Rise {
        with(&|s| s.policy = Policy::Rise);
    }
    if spec.always {
        with(&|s| s.always = false);
    }
    if spec.kind == Kind::Plain || spec.kind == Kind::Parking {
        with(&|s| s.kind = Kind::DoDoer);
    }
    if let Some(n) = spec.recurs.filter(|n| *n > 1) {
        with(&|s| s.recurs = Some(n - 1));
    }
    all
}

// ---- in few words

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "doist tyme {} tock {} limit {:?}",
            self.tyme, self.tock, self.limit
        )?;
        if self.policy != Policy::Rise {
            write!(f, " {:?}", self.policy)?;
        }
        for act in &self.host {
            write!(f, "\n  before pass {}: {:?}", act.before, act.what)?;
        }
        for doer in &self.doers {
            write_spec(f, doer, 1)?;
        }
        Ok(())
    }
}

fn write_spec(f: &mut fmt::Formatter<'_>, spec: &Spec, depth: usize) -> fmt::Result {
    write!(f, "\n{}{} {:?}", "  ".repeat(depth), spec.name, spec.kind)?;
    if spec.tock != 0 {
        write!(f, " tock {}", spec.tock)?;
    }
    if let Some(n) = spec.recurs {
        write!(f, " recurs {n}")?;
    }
    if spec.always {
        write!(f, " always")?;
    }
    if spec.begin != Yield::Again {
        write!(f, " begins {:?}", spec.begin)?;
    }
    if !spec.yields.is_empty() {
        write!(f, " yields {:?}", spec.yields)?;
    }
    if spec.policy != Policy::Rise {
        write!(f, " {:?}", spec.policy)?;
    }
    for act in &spec.acts {
        match &act.what {
            Op::Extend { on, doers } => {
                write!(f, " [{:?}: extend {on:?} by", act.at)?;
                for doer in doers {
                    write_spec(f, doer, depth + 3)?;
                }
                write!(f, "]")?;
            }
            other => write!(f, " [{:?}: {other:?}]", act.at)?,
        }
    }
    for child in &spec.children {
        write_spec(f, child, depth + 1)?;
    }
    Ok(())
}
