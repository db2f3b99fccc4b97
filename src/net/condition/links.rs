//! Which conditions hold towards whom, and since when.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::lane::{Fate, Lane, Way};
use crate::net::conditions::{Conditions, ConditionsError};
use crate::net::units;
use crate::tyme::Tyme;

/// The links of this machine, and what they are to become.
#[derive(Debug)]
pub(super) struct Links {
    seed: u64,
    pub(super) default: Conditions,
    toward: BTreeMap<IpAddr, Conditions>,
    lanes: BTreeMap<(Option<IpAddr>, Way), Lane>,
    /// What is still to come, soonest last.
    plan: Vec<(Tyme, IpAddr, Conditions)>,
}

impl Links {
    pub(super) const fn new(seed: u64, default: Conditions) -> Self {
        Self {
            seed,
            default,
            toward: BTreeMap::new(),
            lanes: BTreeMap::new(),
            plan: Vec::new(),
        }
    }

    pub(super) fn set(&mut self, to: IpAddr, link: Conditions) {
        self.toward.insert(to, link);
    }

    /// Takes the lines of a fault file that begin a link between this node and one whose address
    /// is known. Gives how many there were.
    pub(super) fn plan(
        &mut self,
        text: &str,
        me: &str,
        addresses: &[(&str, IpAddr)],
    ) -> Result<usize, ConditionsError> {
        let mut planned = Vec::new();
        for line in text.lines() {
            let line = line.split('#').next().unwrap_or_default();
            let mut words = line.split_whitespace();
            let (Some("at"), Some(at), Some("link"), Some(a), Some(b)) = (
                words.next(),
                words.next(),
                words.next(),
                words.next(),
                words.next(),
            ) else {
                continue;
            };
            let other = match (a == me, b == me) {
                (true, false) => b,
                (false, true) => a,
                _ => continue,
            };
            let known = addresses.iter().find(|(name, _)| *name == other);
            let Some((_, ip)) = known else {
                continue;
            };
            let link: Conditions = words.collect::<Vec<_>>().join(" ").parse()?;
            let at = units::span(at).ok_or_else(|| ConditionsError::of_time(line))?;
            planned.push((Tyme::ZERO + at, *ip, link));
        }
        let count = planned.len();
        self.plan.extend(planned);
        // Stable, and read from the end: of two at one time the later line wins.
        self.plan.sort_by_key(|(at, ..)| *at);
        self.plan.reverse();
        Ok(count)
    }

    /// Puts into force what has come due.
    pub(super) fn advance(&mut self, now: Tyme) {
        while self.plan.last().is_some_and(|(at, ..)| *at <= now) {
            if let Some((_, to, link)) = self.plan.pop() {
                self.set(to, link);
            }
        }
    }

    fn with_lane<T>(
        &mut self,
        to: Option<IpAddr>,
        way: Way,
        f: impl FnOnce(&mut Lane, &Conditions) -> T,
    ) -> T {
        let link = to.and_then(|ip| self.toward.get(&ip));
        let link = link.unwrap_or(&self.default);
        let seed = self.seed;
        let lane = self.lanes.entry((to, way));
        f(lane.or_insert_with(|| Lane::new(seed, to, way)), link)
    }

    /// When bytes of a stream arrive.
    pub(super) fn stream(&mut self, to: Option<IpAddr>, way: Way, now: Tyme, bytes: usize) -> Tyme {
        self.with_lane(to, way, |lane, link| lane.stream(now, bytes, link))
    }

    /// What becomes of a datagram.
    pub(super) fn datagram(
        &mut self,
        to: Option<IpAddr>,
        way: Way,
        now: Tyme,
        bytes: usize,
    ) -> Fate {
        self.with_lane(to, way, |lane, link| lane.datagram(now, bytes, link))
    }

    /// Bytes that may be held for a socket in each direction.
    pub(super) fn queue(&self, to: Option<IpAddr>) -> usize {
        let link = to.and_then(|ip| self.toward.get(&ip));
        let queue = link.unwrap_or(&self.default).queue;
        usize::try_from(queue)
            .unwrap_or(usize::MAX)
            .clamp(QUEUE_MIN, QUEUE_MAX)
    }
}

/// Less would not even hold one read.
const QUEUE_MIN: usize = 16 * 1024;
/// Bounds what a socket can make this machine hold.
const QUEUE_MAX: usize = 16 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_files_links_come_into_force_at_their_time() {
        let plain = Conditions::default();
        let mut links = Links::new(1, plain);
        let text = "# a test\nat 0s link a b latency constant 1ms\nat 2s link b a latency constant \
                    9ms\nat 1s partition a | b\nat 1s link b c latency constant 5ms\n";
        let b: IpAddr = "10.0.0.2".parse().expect("an address");
        assert_eq!(links.plan(text, "a", &[("b", b)]), Ok(2));
        let at = |links: &mut Links, secs| {
            let now = Tyme::from_secs(secs);
            links.advance(now);
            links
                .stream(Some(b), Way::Out, now, 1)
                .since(now)
                .as_millis()
        };
        assert_eq!([0, 1, 2].map(|secs| at(&mut links, secs)), [1, 1, 9]);
        assert_eq!(links.stream(None, Way::Out, Tyme::ZERO, 1), Tyme::ZERO);
        assert!(
            links
                .plan("at 1s link a b loss 2", "a", &[("b", b)])
                .is_err()
        );
        assert!(
            links
                .plan("at noon link a b loss 0", "a", &[("b", b)])
                .is_err()
        );
    }
}
