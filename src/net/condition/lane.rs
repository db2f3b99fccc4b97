//! One direction of a link: when what goes in comes out.

use std::net::IpAddr;
use std::time::Duration;

use crate::net::conditions::Conditions;
use crate::net::draws::Draws;
use crate::tyme::Tyme;

/// Which way, seen from here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Way {
    In,
    Out,
}

/// A direction of a link, shared by all sockets that use it.
#[derive(Debug)]
pub(super) struct Lane {
    draws: Draws,
    in_burst: bool,
    /// When what waits for the bandwidth is through.
    free: Tyme,
}

/// What becomes of a datagram: when it arrives, and when once more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Fate {
    pub(super) arrives: Option<Tyme>,
    pub(super) again: Option<Tyme>,
}

impl Lane {
    /// Each lane has a random stream of its own (law D3).
    pub(super) fn new(seed: u64, to: Option<IpAddr>, way: Way) -> Self {
        let name = to.map_or_else(String::new, |ip| ip.to_string());
        Self {
            draws: Draws::new(seed)
                .keyed(way as u64)
                .keyed_bytes(name.as_bytes()),
            in_burst: false,
            free: Tyme::ZERO,
        }
    }

    /// When so many bytes of a stream arrive. A segment that is lost is sent again after a timeout
    /// that doubles, as RFC 6298 has it; so losses make it late, and all that follows.
    pub(super) fn stream(&mut self, now: Tyme, bytes: usize, link: &Conditions) -> Tyme {
        let payload = (link.mtu as usize).saturating_sub(TCP_HEADERS).max(1);
        let mut at = self.through(now, bytes, link) + link.latency.draw(&mut self.draws);
        for _ in 0..bytes.div_ceil(payload).max(1) {
            let mut timeout = TIMEOUT;
            while timeout <= TIMEOUT_MAX && link.loses(&mut self.in_burst, &mut self.draws) {
                at += timeout;
                timeout *= 2;
            }
        }
        at
    }

    /// What becomes of a datagram.
    pub(super) fn datagram(&mut self, now: Tyme, bytes: usize, link: &Conditions) -> Fate {
        if link.bandwidth > 0 {
            let waiting = self.free.since(now);
            if waiting > link.transmission(link.queue) {
                return Fate::default();
            }
        }
        let through = self.through(now, bytes, link);
        let piece = (link.mtu as usize).saturating_sub(UDP_HEADERS).max(1);
        let mut lost = false;
        for _ in 0..bytes.div_ceil(piece).max(1) {
            lost |= link.loses(&mut self.in_burst, &mut self.draws);
        }
        if lost {
            return Fate::default();
        }
        let mut arrival = || {
            let held = match self.draws.chance(link.reorder) {
                true => link.reorder_by,
                false => Duration::ZERO,
            };
            through + link.latency.draw(&mut self.draws) + held
        };
        let arrives = Some(arrival());
        let twice = self.draws.chance(link.duplicate);
        let again = twice.then(|| through + link.latency.draw(&mut self.draws));
        Fate { arrives, again }
    }

    /// When the last of these bytes is on its way, after those that wait already.
    fn through(&mut self, now: Tyme, bytes: usize, link: &Conditions) -> Tyme {
        self.free = self.free.max(now) + link.transmission(bytes as u64);
        self.free
    }
}

/// Bytes of IPv4's and TCP's headers without options.
const TCP_HEADERS: usize = 40;
/// Bytes of IPv4's and UDP's headers.
const UDP_HEADERS: usize = 28;
/// The first retransmission's timeout; Linux has the same least one.
const TIMEOUT: Duration = Duration::from_millis(200);
/// After that a segment gets through: a stream is late, and does not break.
const TIMEOUT_MAX: Duration = Duration::from_secs(3);

#[cfg(test)]
mod tests {
    use super::*;

    fn lane() -> Lane {
        Lane::new(1, None, Way::Out)
    }

    fn link(text: &str) -> Conditions {
        text.parse().expect(text)
    }

    #[test]
    fn bandwidth_is_shared_and_latency_comes_on_top() {
        let (mut lane, link) = (lane(), link("latency constant 5ms bandwidth 1MB/s"));
        let now = Tyme::from_millis(100);
        assert_eq!(lane.stream(now, 1000, &link), Tyme::from_millis(106));
        assert_eq!(lane.stream(now, 1000, &link), Tyme::from_millis(107));
        assert_eq!(
            lane.datagram(now, 1000, &link).arrives,
            Some(Tyme::from_millis(108))
        );
        let later = Tyme::from_millis(200);
        assert_eq!(lane.stream(later, 1000, &link), Tyme::from_millis(206));
    }

    #[test]
    fn a_stream_is_late_where_a_datagram_is_lost() {
        let (mut lane, link) = (lane(), link("loss 1"));
        assert_eq!(lane.datagram(Tyme::ZERO, 10, &link), Fate::default());
        // 200 + 400 + 800 + 1600 ms, then it gets through.
        assert_eq!(lane.stream(Tyme::ZERO, 10, &link), Tyme::from_millis(3000));
        assert_eq!(
            lane.stream(Tyme::ZERO, 2000, &link),
            Tyme::from_millis(6000)
        );
    }

    #[test]
    fn what_the_queue_does_not_hold_is_lost() {
        let (mut lane, link) = (lane(), link("bandwidth 1kB/s queue 2kB"));
        let sent = (0..10).filter(|_| lane.datagram(Tyme::ZERO, 1000, &link).arrives.is_some());
        assert_eq!(sent.count(), 3, "one on its way and two that wait");
    }

    #[test]
    fn datagrams_come_twice_and_late_ones_are_overtaken() {
        let mut lane = lane();
        let twice = lane.datagram(Tyme::ZERO, 9, &link("duplicate 1 latency constant 1ms"));
        assert_eq!(twice.again, Some(Tyme::from_millis(1)));
        let late = lane.datagram(Tyme::ZERO, 9, &link("reorder 1 by 7ms"));
        assert_eq!(late.arrives, Some(Tyme::from_millis(7)));
    }
}
