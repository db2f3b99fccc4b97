//! One attempt to connect: all addresses of a name, in a staggered race (RFC 8305).
//!
//! The best address is dialled first. Another one follows after each
//! [`Limits::connect_stagger`](crate::link::Limits::connect_stagger), or at once when one fails,
//! while those before go on trying. The first to connect wins, and the others are closed. All is
//! decided by the net's answers and by tyme, so the same attempt in the same world goes the same.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use crate::link::CloseReason;
use crate::net::{ConnectOptions, Endpoint, Group, Net, NetError, Sid};
use crate::tyme::Tyme;

/// An attempt under way.
#[derive(Debug)]
pub(super) struct Dial {
    /// When the whole attempt is given up, look-up and all.
    deadline: Tyme,
    /// When the next address is dialled although those before may still answer.
    next: Tyme,
    stagger: Duration,
    left: VecDeque<Endpoint>,
    /// In the order they were dialled.
    under_way: Vec<(Sid, Endpoint)>,
    /// What tells most of those that failed.
    failure: Option<CloseReason>,
}

/// How an attempt stands after a turn.
#[derive(Debug)]
pub(super) enum Turnout {
    UnderWay,
    Stands(Sid, Endpoint),
    Failed(CloseReason),
}

/// What a dial needs of its client for a turn.
pub(super) struct World<'a> {
    pub(super) group: Group,
    pub(super) options: &'a ConnectOptions,
    pub(super) tyme: Tyme,
    pub(super) net: &'a mut dyn Net,
}

impl Dial {
    /// An attempt that ends at `deadline` and has no addresses yet.
    pub(super) const fn new(deadline: Tyme, stagger: Duration) -> Self {
        Self {
            deadline,
            next: Tyme::ZERO,
            stagger,
            left: VecDeque::new(),
            under_way: Vec::new(),
            failure: None,
        }
    }

    /// Says that there is one address.
    pub(super) fn at(&mut self, to: Endpoint) {
        self.left = VecDeque::from([to]);
    }

    /// Says which addresses there are, best first.
    pub(super) fn among(&mut self, ips: &[IpAddr], port: u16) {
        let addresses = interleaved(ips).into_iter().take(ADDRESSES_MAX);
        self.left = addresses
            .map(|ip| Endpoint::Tcp((ip, port).into()))
            .collect();
    }

    /// When the attempt is given up.
    pub(super) const fn deadline(&self) -> Tyme {
        self.deadline
    }

    /// When a turn is needed although nothing is marked.
    pub(super) fn due(&self) -> Tyme {
        match self.left.is_empty() {
            true => self.deadline,
            false => self.next.min(self.deadline),
        }
    }

    /// Looks how those with a mark are doing, and dials what is to be dialled.
    pub(super) fn turn(&mut self, marks: &[Sid], world: &mut World<'_>) -> Turnout {
        let marked = |sid: Sid| marks.contains(&sid);
        if let Some((sid, at)) = self.winner(marked, world) {
            return Turnout::Stands(sid, at);
        }
        if self.deadline <= world.tyme {
            if !self.under_way.is_empty() {
                self.failed(CloseReason::ConnectTimedOut);
            }
            self.close(world.net);
            return Turnout::Failed(self.failure.unwrap_or(CloseReason::ConnectTimedOut));
        }
        while self.under_way.is_empty() || self.next <= world.tyme {
            let Some(to) = self.left.pop_front() else {
                break;
            };
            match world.net.connect(world.group, &to, world.options) {
                Ok(dialled) => {
                    self.next = world.tyme + self.stagger;
                    self.under_way.push((dialled, to));
                    // Some connect at once and tell of nothing later.
                    if let Some((sid, at)) = self.winner(|sid| sid == dialled, world) {
                        return Turnout::Stands(sid, at);
                    }
                }
                Err(why) => self.failed(CloseReason::ConnectFailed(why)),
            }
        }
        match self.under_way.is_empty() {
            true => Turnout::Failed(self.failure.unwrap_or(NOWHERE)),
            false => Turnout::UnderWay,
        }
    }

    /// The first of those to be looked at that stands. The others are closed then; those that
    /// failed are in any case.
    fn winner(
        &mut self,
        look_at: impl Fn(Sid) -> bool,
        world: &mut World<'_>,
    ) -> Option<(Sid, Endpoint)> {
        let mut at = 0;
        while let Some(&(sid, _)) = self.under_way.get(at) {
            match look_at(sid).then(|| world.net.connected(sid)) {
                None | Some(Ok(false)) => at += 1,
                Some(Ok(true)) => {
                    let won = self.under_way.remove(at);
                    self.close(world.net);
                    return Some(won);
                }
                Some(Err(why)) => {
                    self.under_way.remove(at);
                    world.net.close(sid);
                    self.failed(CloseReason::ConnectFailed(why));
                    self.next = world.tyme; // no use in waiting for this one
                }
            }
        }
        None
    }

    /// Closes what is under way.
    pub(super) fn close(&mut self, net: &mut dyn Net) {
        for (sid, _) in self.under_way.drain(..) {
            net.close(sid);
        }
    }

    fn failed(&mut self, why: CloseReason) {
        let news = self.failure.is_none_or(|known| tells(why) > tells(known));
        if news {
            self.failure = Some(why);
        }
    }
}

/// How much a failure tells of the other end: that somebody is there and refused tells more than
/// silence, and silence more than that this machine has no way to such addresses.
const fn tells(why: CloseReason) -> u8 {
    match why {
        CloseReason::ConnectFailed(NetError::Refused | NetError::Reset | NetError::Aborted) => 4,
        CloseReason::ConnectTimedOut | CloseReason::ConnectFailed(NetError::TimedOut) => 2,
        CloseReason::ConnectFailed(
            NetError::Unreachable | NetError::AddrNotAvailable | NetError::Unsupported,
        ) => 1,
        // A trouble of this machine, which is to be mended here.
        _ => 3,
    }
}

/// Addresses with the families in turn, beginning with the best one's (RFC 8305 §4).
fn interleaved(ips: &[IpAddr]) -> Vec<IpAddr> {
    let first = ips.first().is_some_and(IpAddr::is_ipv4);
    let family = |same: bool| ips.iter().filter(move |ip| (ip.is_ipv4() == first) == same);
    let (mut these, mut others) = (family(true), family(false));
    let mut mixed = Vec::with_capacity(ips.len());
    while mixed.len() < ips.len() {
        mixed.extend(these.next());
        mixed.extend(others.next());
    }
    mixed
}

/// Addresses of a name that are tried in one attempt; each may hold a descriptor until the end.
const ADDRESSES_MAX: usize = 32;
/// A name without addresses.
const NOWHERE: CloseReason = CloseReason::ConnectFailed(NetError::Unresolvable);

#[cfg(test)]
mod tests {
    use super::*;

    fn ips(list: &[&str]) -> Vec<IpAddr> {
        list.iter().map(|ip| ip.parse().expect("literal")).collect()
    }

    #[test]
    fn families_take_turns_from_the_best_on() {
        let cases: [(&[&str], &[&str]); 4] = [
            (&[], &[]),
            (&["10.0.0.1", "10.0.0.2"], &["10.0.0.1", "10.0.0.2"]),
            (
                &["fd::1", "fd::2", "fd::3", "10.0.0.1", "10.0.0.2"],
                &["fd::1", "10.0.0.1", "fd::2", "10.0.0.2", "fd::3"],
            ),
            (
                &["10.0.0.1", "fd::1", "fd::2"],
                &["10.0.0.1", "fd::1", "fd::2"],
            ),
        ];
        for (given, mixed) in cases {
            assert_eq!(interleaved(&ips(given)), ips(mixed));
        }
    }

    #[test]
    fn l1_so_many_addresses_and_no_more() {
        let many: Vec<IpAddr> = (0..100).map(|n| IpAddr::from([10, 0, 0, n])).collect();
        let mut dial = Dial::new(Tyme::NEVER, Duration::from_millis(250));
        dial.among(&many, 80);
        assert_eq!(dial.left.len(), ADDRESSES_MAX);
    }

    #[test]
    fn what_tells_most_is_kept() {
        let mut dial = Dial::new(Tyme::NEVER, Duration::from_millis(250));
        let failed = CloseReason::ConnectFailed;
        for (why, known) in [
            (failed(NetError::Unreachable), failed(NetError::Unreachable)),
            (failed(NetError::Unsupported), failed(NetError::Unreachable)),
            (CloseReason::ConnectTimedOut, CloseReason::ConnectTimedOut),
            (failed(NetError::Exhausted), failed(NetError::Exhausted)),
            (failed(NetError::Refused), failed(NetError::Refused)),
            (CloseReason::ConnectTimedOut, failed(NetError::Refused)),
        ] {
            dial.failed(why);
            assert_eq!(dial.failure, Some(known));
        }
    }
}
