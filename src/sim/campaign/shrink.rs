//! Making a failing case small: by whole families of faults, by time, by single faults, by nodes.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Case, Failure, Scenario};
use crate::sim::fault::FaultPlan;
use crate::sim::swarm::Family;
use crate::tyme::Tyme;

/// The smallest case found that fails in the same way, and how many runs that took.
pub(super) fn shrink<S: Scenario + ?Sized>(
    scenario: &S,
    case: &Case,
    failure: &Failure,
    runs_max: usize,
) -> (Case, usize) {
    let mut shrinking = Shrinking {
        scenario,
        name: &failure.name,
        least: case.clone(),
        runs: 0,
        runs_max,
    };
    shrinking.cut_after(failure);
    loop {
        let before = shrinking.least.clone();
        shrinking.families();
        shrinking.faults();
        shrinking.nodes();
        shrinking.time();
        if shrinking.least == before || shrinking.runs >= runs_max {
            return (shrinking.least, shrinking.runs);
        }
    }
}

struct Shrinking<'a, S: ?Sized> {
    scenario: &'a S,
    name: &'a str,
    least: Case,
    runs: usize,
    runs_max: usize,
}

impl<S: Scenario + ?Sized> Shrinking<'_, S> {
    /// Takes a case when it fails in the same way.
    fn offer(&mut self, case: Case) -> bool {
        if self.runs >= self.runs_max {
            return false;
        }
        self.runs += 1;
        let run = super::guarded(self.scenario, &case);
        let same = run.failure.is_some_and(|failure| failure.name == self.name);
        if same {
            self.least = case;
        }
        same
    }

    /// What comes after the failure is of no use.
    fn cut_after(&mut self, failure: &Failure) {
        let mut case = self.least.clone();
        // A little later, or what is healed at that moment would come before the failure.
        let at = failure.at.since(Tyme::ZERO) + Duration::from_millis(1);
        if at <= case.time {
            (case.time, case.calm) = (at, Duration::ZERO);
            end(&mut case.faults, at);
            self.offer(case);
        }
    }

    fn families(&mut self) {
        let faults = &self.least.faults.faults;
        let families: BTreeSet<_> = faults.iter().map(|(_, fault)| Family::of(fault)).collect();
        for dropped in families {
            let mut case = self.least.clone();
            case.faults
                .faults
                .retain(|(_, fault)| Family::of(fault) != dropped);
            self.offer(case);
        }
    }

    /// Drops runs of faults, long ones first (Zeller and Hildebrandt, 2002).
    fn faults(&mut self) {
        let mut size = self.least.faults.faults.len().div_ceil(2);
        while size > 0 {
            let mut start = 0;
            while start < self.least.faults.faults.len() {
                let mut case = self.least.clone();
                let end = (start + size).min(case.faults.faults.len());
                case.faults.faults.drain(start..end);
                if !self.offer(case) {
                    start = end;
                }
            }
            size = match size {
                1 => 0,
                _ => size.div_ceil(2),
            };
        }
    }

    fn nodes(&mut self) {
        while let Some(fewer) = self.scenario.fewer_nodes(&self.least) {
            if !self.offer(fewer) {
                return;
            }
        }
    }

    /// Less time, in ever smaller steps.
    fn time(&mut self) {
        let mut step = self.least.time / 2;
        while step >= self.least.time / 32 && !step.is_zero() {
            let mut case = self.least.clone();
            case.time -= step.min(case.time);
            end(&mut case.faults, case.time);
            if !self.offer(case) {
                step /= 2;
            }
        }
    }
}

/// Drops what would come after the end.
fn end(plan: &mut FaultPlan, time: Duration) {
    plan.faults.retain(|(at, _)| at.since(Tyme::ZERO) <= time);
}
