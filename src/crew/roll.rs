//! Who is there, who is to stop next, and what follows a failure: the crew's rules, without threads
//! and clocks, for real and simulated crews alike.

use crate::doing::{Fault, Outcome, Restarts, StopHandle, Verdict};
use crate::tyme::Tyme;

use super::crew::OnFailure;
use super::report::{Left, MemberReport};

/// The members of a crew, in order.
#[derive(Debug, Default)]
pub(super) struct Roll {
    members: Vec<Entry>,
    restarts: Option<Restarts>,
    /// A member that was stopped by its own doer stops the others.
    one_stops_all: bool,
    stopping: bool,
}

#[derive(Debug)]
struct Entry {
    name: String,
    state: State,
    /// It was told to stop.
    told: bool,
    restarts: u32,
}

#[derive(Debug)]
enum State {
    /// It is about to be built.
    Coming,
    Running(StopHandle),
    /// Simulated, and without power: it may come again or not.
    Down,
    Over(Left),
}

impl Entry {
    /// Whether a stop must wait for it.
    const fn is_up(&self) -> bool {
        matches!(self.state, State::Coming | State::Running(_))
    }
}

impl Roll {
    pub(super) fn call(&mut self, names: &[String], policy: OnFailure, one_stops_all: bool) {
        self.members = names
            .iter()
            .map(|name| Entry {
                name: name.clone(),
                state: State::Coming,
                told: false,
                restarts: 0,
            })
            .collect();
        self.restarts = match policy {
            OnFailure::Stop => None,
            OnFailure::Restart { most, within } => Some(Restarts::new(most, within)),
        };
        self.one_stops_all = one_stops_all;
        if self.stopping {
            self.tell_next(false);
        }
    }

    /// A member is about to be built. False: it is not to be.
    pub(super) fn may_begin(&mut self, index: usize) -> bool {
        if self.stopping {
            self.over(index, Left::Ended(Outcome::Stopped));
            return false;
        }
        self.members[index].state = State::Coming;
        true
    }

    /// A member is built and begins to run.
    pub(super) fn began(&mut self, index: usize, stop: StopHandle) {
        if self.members[index].told {
            stop.stop();
        }
        self.members[index].state = State::Running(stop);
    }

    /// A member has ended. True: it is to begin again.
    pub(super) fn ended(
        &mut self,
        index: usize,
        result: Result<Outcome, Fault>,
        now: Tyme,
    ) -> bool {
        let entry = &mut self.members[index];
        let mut fault = match result {
            Ok(outcome) => {
                let all = outcome == Outcome::Stopped && self.one_stops_all;
                self.over(index, Left::Ended(outcome));
                if all {
                    self.stop();
                }
                return false;
            }
            Err(fault) => fault,
        };
        fault.below(entry.name.clone());
        let verdict = match &mut self.restarts {
            Some(restarts) if !self.stopping => restarts.decide(now),
            _ => Verdict::Rise,
        };
        if verdict == Verdict::Restart {
            log::warn!("member {} is restarted: {fault}", entry.name);
            entry.restarts += 1;
            entry.state = State::Coming;
            return true;
        }
        log::warn!("member {} failed: {fault}", entry.name);
        self.over(index, Left::Failed(fault));
        self.stop();
        false
    }

    /// A simulated member lost its power.
    pub(super) fn went_down(&mut self, index: usize) {
        self.members[index].state = State::Down;
        self.members[index].restarts += 1;
        self.tell_on();
    }

    fn over(&mut self, index: usize, left: Left) {
        self.members[index].state = State::Over(left);
        self.tell_on();
    }

    fn tell_on(&mut self) {
        if self.stopping {
            self.tell_next(false);
        }
    }

    /// The last one is told to stop, then the one before it.
    pub(super) fn stop(&mut self) {
        if !self.stopping {
            self.stopping = true;
            self.tell_next(false);
        }
    }

    /// Tells the next member, unless one that was told is still up; `anyway`: even then.
    pub(super) fn tell_next(&mut self, anyway: bool) {
        if !anyway && self.members.iter().any(|m| m.told && m.is_up()) {
            return;
        }
        let next = self.members.iter_mut().rev().find(|m| !m.told && m.is_up());
        if let Some(entry) = next {
            entry.told = true;
            if let State::Running(stop) = &entry.state {
                stop.stop();
            }
        }
    }

    pub(super) const fn is_stopping(&self) -> bool {
        self.stopping
    }

    /// Members that are up and were not told to stop.
    pub(super) fn untold(&self) -> usize {
        self.members.iter().filter(|m| !m.told && m.is_up()).count()
    }

    pub(super) fn all_over(&self) -> bool {
        !self.members.iter().any(Entry::is_up)
    }

    pub(super) fn is_over(&self, index: usize) -> bool {
        matches!(self.members[index].state, State::Over(_))
    }

    /// How a member stands, for good: it is asked once.
    pub(super) fn report(&mut self) -> Vec<MemberReport> {
        let members = self.members.iter_mut();
        let report = members.map(|entry| MemberReport {
            name: entry.name.clone(),
            restarts: entry.restarts,
            left: match &mut entry.state {
                State::Over(left) => std::mem::replace(left, Left::Ended(Outcome::Stopped)),
                State::Down => Left::Down,
                State::Coming | State::Running(_) => Left::Straggling,
            },
        });
        report.collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn roll(policy: OnFailure) -> Roll {
        let names = ["a", "b", "c"].map(str::to_owned);
        let mut roll = Roll::default();
        roll.call(&names, policy, true);
        for index in 0..3 {
            assert!(roll.may_begin(index));
            roll.began(index, StopHandle::default());
        }
        roll
    }

    fn told(roll: &Roll) -> String {
        let told = roll.members.iter().filter(|m| m.told);
        told.map(|m| m.name.as_str()).collect()
    }

    #[test]
    fn the_last_is_told_first_and_the_next_when_it_has_ended() {
        let mut roll = roll(OnFailure::default());
        roll.stop();
        roll.stop();
        assert_eq!(told(&roll), "c");
        assert!(!roll.ended(2, Ok(Outcome::Stopped), Tyme::ZERO));
        assert_eq!(told(&roll), "bc");
        roll.tell_next(true);
        assert_eq!(told(&roll), "abc", "without patience");
        assert!(!roll.all_over());
        roll.ended(0, Ok(Outcome::Stopped), Tyme::ZERO);
        assert_eq!(roll.untold(), 0);
        let left = roll.report();
        assert!(matches!(left[1].left, Left::Straggling));
        assert!(matches!(left[2].left, Left::Ended(Outcome::Stopped)));
    }

    #[test]
    fn failures_are_counted_over_all_and_then_stop_the_crew() {
        let mut roll = roll(OnFailure::default());
        let fail = || Err(Fault::msg("no"));
        assert!(roll.ended(0, fail(), Tyme::ZERO), "one restart");
        assert!(roll.may_begin(0));
        assert!(roll.ended(1, fail(), Tyme::from_secs(5)), "5 s later");
        assert!(!roll.ended(2, fail(), Tyme::from_secs(9)));
        assert!(roll.is_stopping());
        assert_eq!(told(&roll), "b", "who comes is told as well");
        assert!(!roll.may_begin(1), "and does not begin");
        assert_eq!(told(&roll), "ab");
        let left = roll.report();
        let Left::Failed(fault) = &left[2].left else {
            panic!("{left:?}")
        };
        assert_eq!(fault.path().collect::<Vec<_>>(), ["c"]);
        assert_eq!([left[0].restarts, left[1].restarts], [1, 1]);
    }

    #[test]
    fn a_failure_stops_at_once_without_restarts_and_an_end_stops_nobody() {
        let mut roll = roll(OnFailure::Stop);
        assert!(!roll.ended(2, Ok(Outcome::Done), Tyme::ZERO));
        assert!(!roll.is_stopping());
        assert!(!roll.ended(1, Err(Fault::msg("no")), Tyme::ZERO));
        assert_eq!(told(&roll), "a");
    }

    #[test]
    fn who_has_no_power_is_not_waited_for() {
        let mut roll = roll(OnFailure::Restart {
            most: 9,
            within: Duration::MAX,
        });
        roll.stop();
        roll.went_down(2);
        assert_eq!(told(&roll), "bc");
        roll.went_down(1);
        assert!(!roll.may_begin(1), "it came again, too late");
        roll.ended(0, Ok(Outcome::Stopped), Tyme::ZERO);
        assert!(roll.all_over());
    }
}
