//! One direction between two nodes: what it does to packets, and what is wrong with it.

use std::time::Duration;

use super::rng::{Purpose, stream};
use crate::net::{Conditions, Draws, Latency};

/// Packets vanish.
pub(super) const CUT: u8 = 1;
/// Packets wait until the link is healed; what does not fit into the queue is lost.
pub(super) const CLOGGED: u8 = 2;
/// Packets wait until they are released, as many as come.
pub(super) const HELD: u8 = 4;
/// Bits of what passes may be flipped.
pub(super) const FLIPS: u8 = 8;

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It arrives then.
    Arrives(u64),
    /// It waits for the link to be released.
    Waits,
    /// It is lost, for this reason.
    Lost(&'static str),
}

/// The state of one direction between two nodes, made when the first packet takes it.
#[derive(Debug)]
pub(super) struct Link {
    /// Which of the wire's conditions hold here.
    pub(super) law: u32,
    pub(super) flags: u8,
    /// The last packet was lost: it may be a burst.
    in_burst: bool,
    draws: Draws,
    /// Until then the bandwidth is taken.
    busy_until: u64,
    /// No packet of a stream arrives before this.
    pub(super) floor: u64,
    /// Bytes that wait while it is clogged or held.
    pub(super) waiting: u64,
}

impl Link {
    pub(super) fn new(seed: u64, names: (&str, &str)) -> Self {
        let keys = [names.0.as_bytes(), names.1.as_bytes()];
        Self {
            law: 0,
            flags: 0,
            in_burst: false,
            draws: stream(seed, Purpose::Link, &keys),
            busy_until: 0,
            floor: 0,
            waiting: 0,
        }
    }

    /// Decides what becomes of a packet of so many bytes, headers included.
    #[inline]
    pub(super) fn fate(&mut self, now: u64, law: &Law, bytes: u64) -> Fate {
        if self.flags & (CUT | CLOGGED | HELD) != 0 {
            return self.faulty(law, bytes);
        }
        match law.plain {
            Some(latency) => Fate::Arrives(now + latency),
            None => self.drawn(now, &law.conditions, bytes),
        }
    }

    #[cold]
    fn faulty(&mut self, law: &Law, bytes: u64) -> Fate {
        if self.flags & CUT != 0 {
            return Fate::Lost("partition");
        }
        if self.flags & HELD == 0 && self.waiting + bytes > law.conditions.queue {
            return Fate::Lost("clog");
        }
        self.waiting += bytes;
        Fate::Waits
    }

    fn drawn(&mut self, now: u64, law: &Conditions, bytes: u64) -> Fate {
        let whole = u64::from(law.mtu);
        let pieces = bytes.div_ceil(whole.max(1)).max(1);
        let mut leaves = now;
        if law.bandwidth > 0 {
            let begins = self.busy_until.max(now);
            let waiting = u128::from(begins - now) * u128::from(law.bandwidth) / 1_000_000_000;
            if waiting + u128::from(bytes) > u128::from(law.queue.max(bytes)) {
                return Fate::Lost("queue");
            }
            leaves = begins.saturating_add(nanos(law.transmission(bytes)));
            self.busy_until = leaves;
        }
        // A packet in pieces is lost when one piece is, and as late as its last one.
        let mut latency = Duration::ZERO;
        for _ in 0..pieces {
            if law.loses(&mut self.in_burst, &mut self.draws) {
                return Fate::Lost("loss");
            }
            latency = latency.max(law.latency.draw(&mut self.draws));
        }
        Fate::Arrives(leaves.saturating_add(nanos(latency)))
    }

    /// Whether a datagram comes twice, and how much later the second one.
    pub(super) fn duplicates(&mut self, law: &Conditions) -> Option<u64> {
        if !self.draws.chance(law.duplicate) {
            return None;
        }
        Some(nanos(law.latency.draw(&mut self.draws)).max(1))
    }

    /// How much longer a datagram is held back, so that later ones overtake it.
    pub(super) fn holds_back(&mut self, law: &Conditions) -> u64 {
        match self.draws.chance(law.reorder) {
            true => nanos(law.reorder_by),
            false => 0,
        }
    }
}

/// Conditions with what every packet asks of them worked out.
#[derive(Debug)]
pub(super) struct Law {
    pub(super) conditions: Conditions,
    /// The latency, when it is all there is.
    plain: Option<u64>,
    /// Bytes of data in the largest packet of a stream.
    pub(super) segment: usize,
    /// Whether datagrams may come twice or late.
    pub(super) shuffles: bool,
}

impl Law {
    pub(super) fn new(conditions: Conditions) -> Self {
        let plain = match conditions.latency {
            Latency::Constant(latency) if conditions.loss <= 0.0 && conditions.bandwidth == 0 => {
                Some(nanos(latency))
            }
            _ => None,
        };
        let segment = conditions.mtu.saturating_sub(STREAM_HEADER) as usize;
        Self {
            plain,
            segment: segment.max(1),
            shuffles: conditions.duplicate > 0.0 || conditions.reorder > 0.0,
            conditions,
        }
    }
}

/// Bytes of the headers of IP and TCP.
pub(super) const STREAM_HEADER: u32 = 40;
/// Bytes of the headers of IP and UDP.
pub(super) const DATAGRAM_HEADER: u32 = 28;

pub(super) fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link() -> Link {
        Link::new(1, ("a", "b"))
    }

    fn law(text: &str) -> Law {
        Law::new(text.parse().expect(text))
    }

    #[test]
    fn bandwidth_and_queue_delay_and_then_lose() {
        let law = law("latency constant 1ms bandwidth 1MB/s queue 2kB");
        let mut link = link();
        assert_eq!(link.fate(0, &law, 1000), Fate::Arrives(2_000_000));
        assert_eq!(link.fate(0, &law, 1000), Fate::Arrives(3_000_000));
        assert_eq!(link.fate(0, &law, 1000), Fate::Lost("queue"));
        assert_eq!(link.fate(2_000_000, &law, 1000), Fate::Arrives(4_000_000));
    }

    #[test]
    fn a_clogged_link_keeps_what_fits_and_a_held_one_all() {
        let law = law("queue 2kB");
        let mut link = link();
        link.flags = CLOGGED;
        assert_eq!(link.fate(0, &law, 1500), Fate::Waits);
        assert_eq!(link.fate(0, &law, 1500), Fate::Lost("clog"));
        link.flags = HELD;
        assert_eq!(link.fate(0, &law, 1500), Fate::Waits);
        link.flags = HELD | CUT;
        assert_eq!(link.fate(0, &law, 1500), Fate::Lost("partition"));
    }

    #[test]
    fn a_datagram_in_pieces_is_lost_more_often() {
        let law = law("latency constant 1ms loss 0.1");
        let lost = |bytes: u64| {
            let mut link = link();
            let lost = |_: &u32| link.fate(0, &law, bytes) == Fate::Lost("loss");
            (0..10_000).filter(lost).count()
        };
        assert!((900..1100).contains(&lost(1500)));
        // 1 - 0.9^10
        assert!((6300..6700).contains(&lost(15_000)));
    }
}
