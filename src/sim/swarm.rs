//! Random fault plans: each seed switches a random part of the families of faults on.

use std::time::Duration;

use super::fault::{Fault, FaultPlan};
use super::rng::{Purpose, stream};
use crate::net::{Conditions, Draws, Latency};
use crate::tyme::Tyme;

/// A family of faults, which a seed has or has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Family {
    /// Partitions: random halves, one node alone, one way.
    Partition,
    /// Links that let nothing through for a while and lose nothing.
    Clog,
    /// Links that hold everything back until it is released.
    Hold,
    /// The power of a node goes off, and comes on again.
    Crash,
    /// The program of a node dies, and is started again.
    Kill,
    /// A program stands still for a while.
    Pause,
    /// Clocks drift, and wall clocks jump.
    Clock,
    /// A node runs out of descriptors.
    Descriptors,
    /// Marks for nothing.
    Spurious,
    /// Short reads and writes.
    ShortIo,
    /// Connections are reset.
    Reset,
    /// Links become slow, lossy, thin.
    Link,
    /// Named fault points fire.
    Point,
    /// Bits are flipped. Never part of a swarm unless asked for by name: a program without
    /// checksums of its own cannot know.
    Flip,
}

impl Family {
    /// All but [`Flip`](Self::Flip).
    pub const USUAL: [Self; 13] = [
        Self::Partition,
        Self::Clog,
        Self::Hold,
        Self::Crash,
        Self::Kill,
        Self::Pause,
        Self::Clock,
        Self::Descriptors,
        Self::Spurious,
        Self::ShortIo,
        Self::Reset,
        Self::Link,
        Self::Point,
    ];

    /// Its name, as in `short-io`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Partition => "partition",
            Self::Clog => "clog",
            Self::Hold => "hold",
            Self::Crash => "crash",
            Self::Kill => "kill",
            Self::Pause => "pause",
            Self::Clock => "clock",
            Self::Descriptors => "descriptors",
            Self::Spurious => "spurious",
            Self::ShortIo => "short-io",
            Self::Reset => "reset",
            Self::Link => "link",
            Self::Point => "point",
            Self::Flip => "flip",
        }
    }

    /// The family that a fault is of; what mends is of the family of what it mends, and `heal` of
    /// partitions.
    #[must_use]
    pub const fn of(fault: &Fault) -> Self {
        match fault {
            Fault::Partition(_) | Fault::OneWay(..) | Fault::Isolate(_) => Self::Partition,
            Fault::Heal(None) => Self::Partition,
            Fault::Clog(..) | Fault::Heal(Some(_)) => Self::Clog,
            Fault::Hold(..) | Fault::Release(..) => Self::Hold,
            Fault::Crash(_) | Fault::Restart(_) => Self::Crash,
            Fault::Kill(_) | Fault::Drain(..) => Self::Kill,
            Fault::Pause(_) | Fault::Resume(_) => Self::Pause,
            Fault::Reset(..) => Self::Reset,
            Fault::Skew(..) | Fault::Step(..) | Fault::Drift(..) => Self::Clock,
            Fault::Descriptors(..) => Self::Descriptors,
            Fault::Spurious(_) => Self::Spurious,
            Fault::ShortIo(..) => Self::ShortIo,
            Fault::Flip(..) => Self::Flip,
            Fault::Point(..) => Self::Point,
            Fault::Link(..) | Fault::LinkOneWay(..) => Self::Link,
        }
    }
}

/// Makes fault plans: which families a seed has, and what of them happens when.
///
/// The plan is decided before the run from streams of its own, one for each family, so that no
/// draw of a program or of the network moves it, and a family more moves no other's faults.
/// What breaks is mended again within the horizon, each fault by itself.
///
/// ```
/// use hio::sim::Swarm;
/// use std::time::Duration;
/// let plan = Swarm::new(7).plan(&["a", "b", "c"], Duration::from_secs(60));
/// let again = Swarm::new(7).plan(&["a", "b", "c"], Duration::from_secs(60));
/// assert_eq!(plan, again);
/// assert_eq!(plan.to_string().parse(), Ok(plan));
/// ```
#[derive(Clone, Debug)]
pub struct Swarm {
    seed: u64,
    families: Vec<Family>,
    /// Things that go wrong, of each family, at most. Default 4. Each may be mended once.
    pub each_at_most: u32,
}

impl Swarm {
    /// The swarm of a seed: each of the usual families with probability one half.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut families = Vec::new();
        for family in Family::USUAL {
            if Self::stream_of(seed, family).chance(0.5) {
                families.push(family);
            }
        }
        Self {
            seed,
            families,
            each_at_most: 4,
        }
    }

    /// Exactly these families.
    #[must_use]
    pub fn with_families(mut self, families: &[Family]) -> Self {
        self.families = families.to_vec();
        self
    }

    /// The families that it has.
    #[must_use]
    pub fn families(&self) -> &[Family] {
        &self.families
    }

    /// The faults for these nodes, from the start to `horizon`, in order of time.
    #[must_use]
    pub fn plan(&self, nodes: &[&str], horizon: Duration) -> FaultPlan {
        let mut faults = Vec::new();
        if nodes.is_empty() {
            return FaultPlan::new();
        }
        for family in &self.families {
            let mut draws = Self::stream_of(self.seed, *family);
            draws.next_u64(); // the one that decided whether the family is there
            let mut maker = Maker {
                draws,
                nodes,
                horizon,
                faults: &mut faults,
            };
            for _ in 0..=maker.draws.below(self.each_at_most.into()) {
                maker.one(*family);
            }
        }
        // Stable: of one moment, the families' order.
        faults.sort_by_key(|(tyme, _)| *tyme);
        FaultPlan { faults }
    }

    fn stream_of(seed: u64, family: Family) -> Draws {
        stream(seed, Purpose::Swarm, &[family.name().as_bytes()])
    }
}

/// Makes the faults of one family.
struct Maker<'a> {
    draws: Draws,
    nodes: &'a [&'a str],
    horizon: Duration,
    faults: &'a mut Vec<(Tyme, Fault)>,
}

impl Maker<'_> {
    fn one(&mut self, family: Family) {
        let (from, to) = self.span();
        let node = self.node();
        let two = self.two();
        match family {
            Family::Partition => self.partition(from, to),
            Family::Clock => self.clock(from, to),
            Family::Spurious => self.put(from, Fault::Spurious(node)),
            Family::Crash => {
                self.put(from, Fault::Crash(node.clone()));
                self.put(to, Fault::Restart(node));
            }
            Family::Kill => {
                self.put(from, Fault::Kill(node.clone()));
                self.put(to, Fault::Restart(node));
            }
            Family::Pause => {
                self.put(from, Fault::Pause(node.clone()));
                self.put(to, Fault::Resume(node));
            }
            Family::Descriptors => {
                let most = u32::try_from(self.draws.below(8)).unwrap_or(0);
                self.put(from, Fault::Descriptors(node.clone(), Some(most)));
                self.put(to, Fault::Descriptors(node, None));
            }
            Family::ShortIo => {
                let share = self.share(&[0.05, 0.2, 0.9]);
                self.put(from, Fault::ShortIo(node.clone(), share));
                self.put(to, Fault::ShortIo(node, 0.0));
            }
            Family::Point => {
                let share = self.share(&[0.001, 0.02, 0.2]);
                self.put(from, Fault::Point(node.clone(), share, None));
                self.put(to, Fault::Point(node, 0.0, None));
            }
            Family::Clog | Family::Hold | Family::Reset | Family::Link | Family::Flip => {
                if let Some(pair) = two {
                    self.between(family, pair, (from, to));
                }
            }
        }
    }

    /// A fault between two nodes.
    fn between(&mut self, family: Family, (a, b): (String, String), (from, to): (Tyme, Tyme)) {
        match family {
            Family::Clog => {
                self.put(from, Fault::Clog(a.clone(), b.clone()));
                self.put(to, Fault::Heal(Some((a, b))));
            }
            Family::Hold => {
                self.put(from, Fault::Hold(a.clone(), b.clone()));
                self.put(to, Fault::Release(a, b));
            }
            Family::Flip => {
                let share = self.share(&[0.001, 0.01, 0.1]);
                self.put(from, Fault::Flip(a.clone(), b.clone(), share));
                self.put(to, Fault::Flip(a, b, 0.0));
            }
            Family::Link => {
                let bad = self.conditions();
                let good = Conditions::constant(Duration::from_millis(1));
                self.put(from, Fault::Link(a.clone(), b.clone(), bad));
                self.put(to, Fault::Link(a, b, good));
            }
            _ => self.put(from, Fault::Reset(a, b)),
        }
    }

    fn partition(&mut self, from: Tyme, to: Tyme) {
        let node = self.node();
        let fault = match (self.draws.below(3), self.two()) {
            (_, None) => return,
            (0, Some((a, b))) => Fault::OneWay(a, b),
            (1, _) => Fault::Isolate(node),
            (_, Some((a, b))) => {
                // Random halves, none of them empty.
                let (mut left, mut right) = (vec![a.clone()], vec![b.clone()]);
                for other in self.nodes.iter().filter(|n| **n != a && **n != b) {
                    let half = match self.draws.chance(0.5) {
                        true => &mut left,
                        false => &mut right,
                    };
                    half.push((*other).to_owned());
                }
                Fault::Partition(vec![left, right])
            }
        };
        self.put(from, fault);
        self.put(to, Fault::Heal(None));
    }

    fn clock(&mut self, from: Tyme, to: Tyme) {
        let node = self.node();
        let sign = if self.draws.chance(0.5) { 1 } else { -1 };
        if self.draws.chance(0.5) {
            let most = 5_000_000_000;
            let by = sign * i64::try_from(self.draws.below(most)).unwrap_or(0);
            return self.put(from, Fault::Step(node, by));
        }
        let sign = i32::try_from(sign).unwrap_or(1);
        let ppm = [20, 200, 20_000];
        let ppm = sign * ppm[self.below(ppm.len())];
        self.put(from, Fault::Drift(node.clone(), ppm));
        self.put(to, Fault::Drift(node, 0));
    }

    fn conditions(&mut self) -> Conditions {
        let millis = |n: u64| Duration::from_millis(n);
        let mut bad = Conditions::constant(millis(1));
        match self.draws.below(4) {
            0 => {
                bad.latency = Latency::Exponential {
                    least: millis(1),
                    mean: millis(5 + self.draws.below(100)),
                }
            }
            1 => bad.latency = Latency::Uniform(millis(1), millis(2 + self.draws.below(500))),
            2 => bad.bandwidth = 10_000 << self.draws.below(8),
            _ => {}
        }
        bad.loss = self.share(&[0.0, 0.01, 0.1, 0.3]);
        bad.burst = self.share(&[1.0, 1.0, 5.0]);
        bad.duplicate = self.share(&[0.0, 0.01, 0.1]);
        bad.reorder = self.share(&[0.0, 0.01, 0.1]);
        bad
    }

    fn share(&mut self, of: &[f64]) -> f64 {
        of[self.below(of.len())]
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.draws.below(end as u64)).unwrap_or(0)
    }

    fn node(&mut self) -> String {
        let at = self.below(self.nodes.len());
        self.nodes[at].to_owned()
    }

    fn two(&mut self) -> Option<(String, String)> {
        let (a, b) = (self.node(), self.node());
        (a != b).then_some((a, b))
    }

    /// When a fault begins and when it is mended, in whole milliseconds.
    fn span(&mut self) -> (Tyme, Tyme) {
        let horizon = u64::try_from(self.horizon.as_millis()).unwrap_or(u64::MAX);
        let from = self.draws.below(horizon.max(1));
        let long = match self.draws.chance(0.5) {
            true => horizon / 4,
            false => horizon / 40,
        };
        let to = from + 1 + self.draws.below(long.max(1));
        (Tyme::from_millis(from), Tyme::from_millis(to.min(horizon)))
    }

    fn put(&mut self, at: Tyme, fault: Fault) {
        self.faults.push((at, fault));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODES: [&str; 4] = ["a", "b", "c", "d"];
    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn d3_a_family_more_moves_no_other_familys_faults() {
        for seed in 0..50 {
            let alone = Swarm::new(seed).with_families(&[Family::Crash]);
            let both = Swarm::new(seed).with_families(&[Family::Partition, Family::Crash]);
            let crashes = |plan: FaultPlan| {
                let mut faults = plan.faults;
                faults.retain(|(_, fault)| Family::of(fault) == Family::Crash);
                faults
            };
            let alone = crashes(alone.plan(&NODES, MINUTE));
            assert!(!alone.is_empty());
            assert_eq!(alone, crashes(both.plan(&NODES, MINUTE)));
        }
    }

    #[test]
    fn every_family_comes_up_and_every_plan_is_bounded_and_printable() {
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..200 {
            let swarm = Swarm::new(seed);
            seen.extend(swarm.families().iter().copied());
            let plan = swarm.plan(&NODES, MINUTE);
            assert!(plan.faults.len() <= 13 * 4 * 2);
            assert!(plan.faults.is_sorted_by_key(|(tyme, _)| *tyme));
            assert!(plan.faults.iter().all(|(t, _)| *t <= Tyme::from_secs(60)));
            assert_eq!(plan.to_string().parse().as_ref(), Ok(&plan));
        }
        assert!(seen.into_iter().eq(Family::USUAL));
        let flips = Swarm::new(1).with_families(&[Family::Flip]);
        assert!(!flips.plan(&NODES, MINUTE).faults.is_empty());
        assert_eq!(Swarm::new(1).plan(&[], MINUTE), FaultPlan::new());
        let one = Swarm::new(3)
            .with_families(&Family::USUAL)
            .plan(&["a"], MINUTE);
        assert!(
            one.faults
                .iter()
                .all(|(_, f)| f.nodes().iter().all(|n| *n == "a"))
        );
    }
}
