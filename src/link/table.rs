use slab::Slab;

use super::link::Link;
use super::remoter::{Remoter, RemoterId};
use crate::net::{Endpoint, Sid};
use crate::tyme::Tyme;
use crate::tyme::wheel::Wheel;

/// A server's connections: by place, by socket and by deadline.
#[derive(Debug)]
pub(super) struct Table {
    remoters: Slab<Remoter>,
    /// Place of the connection whose socket has that index, or `NONE`.
    by_index: Vec<u32>,
    /// Per place, used or not; it grows when there is something to arm.
    armed: Vec<Armed>,
    wheel: Wheel,
    fired: Vec<(u32, Tyme)>,
    sequence: u64,
    /// Connections that are not closed.
    open: usize,
}

/// The wheel's entries for a place. They cannot be taken back, so a place has at most one that
/// counts, which fires at the latest when it is needed, and is set anew from the deadline of who
/// is there then: refreshing a tymeout costs nothing, and neither it nor connections that come and
/// go make the wheel grow.
#[derive(Clone, Copy, Debug)]
struct Armed {
    /// The one that counts for idle tymeouts, which only move away.
    idle: Tyme,
    /// The one that counts for the state's deadline, which comes and goes.
    hard: Tyme,
}

const NONE: u32 = u32::MAX;
const UNARMED: Armed = Armed {
    idle: Tyme::NEVER,
    hard: Tyme::NEVER,
};

impl Table {
    pub(super) fn new(granule: std::time::Duration) -> Self {
        Self {
            remoters: Slab::new(),
            by_index: Vec::new(),
            armed: Vec::new(),
            wheel: Wheel::new(granule),
            fired: Vec::new(),
            sequence: 0,
            open: 0,
        }
    }
}

impl Table {
    /// Connections, those that are closed and not reaped included.
    pub(super) fn len(&self) -> usize {
        self.remoters.len()
    }

    pub(super) const fn open(&self) -> usize {
        self.open
    }

    pub(super) fn insert(&mut self, sid: Sid, peer: Endpoint, link: Link) -> RemoterId {
        let entry = self.remoters.vacant_entry();
        let place = entry.key();
        // unwrap: connections_max is at most 2^30
        #[expect(clippy::unwrap_used, reason = "see above")]
        let key = u32::try_from(place).unwrap();
        let id = RemoterId::new(self.sequence, key);
        entry.insert(Remoter::new(id, peer, link));
        let index = sid.index() as usize;
        if index >= self.by_index.len() {
            self.by_index.resize(index + 1, NONE);
        }
        self.by_index[index] = key;
        self.sequence += 1;
        self.open += 1;
        self.arm(key);
        id
    }

    pub(super) fn get(&self, id: RemoterId) -> Option<&Remoter> {
        let remoter = self.remoters.get(id.key() as usize)?;
        (remoter.id() == id).then_some(remoter)
    }

    pub(super) fn get_mut(&mut self, id: RemoterId) -> Option<&mut Remoter> {
        let remoter = self.remoters.get_mut(id.key() as usize)?;
        (remoter.id() == id).then_some(remoter)
    }

    /// The connection on a socket, unless it is closed.
    pub(super) fn on(&mut self, sid: Sid) -> Option<&mut Remoter> {
        let key = *self.by_index.get(sid.index() as usize)?;
        let remoter = self.remoters.get_mut(key as usize)?;
        (remoter.sid() == sid).then_some(remoter)
    }

    /// Notes that a connection is closed: its socket's id means nothing any more.
    pub(super) fn closed(&mut self, id: RemoterId) {
        if let Some(remoter) = self.get(id) {
            let index = remoter.sid().index() as usize;
            if self.by_index.get(index) == Some(&id.key()) {
                self.by_index[index] = NONE;
                self.open -= 1;
            }
        }
    }

    pub(super) fn remove(&mut self, id: RemoterId) -> Option<Remoter> {
        self.closed(id);
        self.get(id)?;
        self.remoters.try_remove(id.key() as usize)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Remoter> {
        self.remoters.iter().map(|(_, remoter)| remoter)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Remoter> {
        self.remoters.iter_mut().map(|(_, remoter)| remoter)
    }

    /// Empties the table. Ids go on, so that none is used again.
    pub(super) fn clear(&mut self) {
        self.remoters.clear();
        self.by_index.clear();
        self.armed.clear();
        self.wheel.clear();
        self.open = 0;
    }

    /// When the next deadline may be reached.
    pub(super) const fn due(&self) -> Tyme {
        self.wheel.soonest()
    }

    /// Sees to it that the wheel fires at the latest at the link's deadlines.
    pub(super) fn arm(&mut self, key: u32) {
        let Some(remoter) = self.remoters.get_mut(key as usize) else {
            return;
        };
        if !remoter.needs_arming() {
            return;
        }
        remoter.armed();
        let (idle, hard) = remoter.deadlines();
        if idle.is_never() && hard.is_never() {
            return;
        }
        if self.armed.len() <= key as usize {
            self.armed.resize(key as usize + 1, UNARMED);
        }
        let armed = &mut self.armed[key as usize];
        if idle < armed.idle {
            armed.idle = idle;
            self.wheel.insert(idle, key << 1);
        }
        if hard < armed.hard {
            armed.hard = hard;
            self.wheel.insert(hard, key << 1 | 1);
        }
    }

    /// Appends the connections with a deadline at or before `tyme`, in the order of the moments
    /// at which the wheel fires.
    pub(super) fn expired(&mut self, tyme: Tyme, out: &mut Vec<RemoterId>) {
        if tyme < self.wheel.soonest() {
            return;
        }
        let mut fired = std::mem::take(&mut self.fired);
        self.wheel
            .expire(tyme, &mut |key, due| fired.push((key, due)));
        fired.sort_unstable_by_key(|&(key, due)| (due, key));
        for (key, due) in fired.drain(..) {
            let armed = &mut self.armed[key as usize >> 1];
            let counts = if key & 1 == 0 {
                &mut armed.idle
            } else {
                &mut armed.hard
            };
            if *counts != due {
                continue;
            }
            *counts = Tyme::NEVER;
            let Some(remoter) = self.remoters.get_mut(key as usize >> 1) else {
                continue;
            };
            remoter.disarmed();
            let (idle, hard) = remoter.deadlines();
            if idle.min(hard) <= tyme {
                out.push(remoter.id());
            } else {
                self.arm(key >> 1);
            }
        }
        self.fired = fired;
    }

    /// Entries in the wheel.
    #[cfg(test)]
    pub(super) fn armed_len(&self) -> usize {
        self.wheel.len()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::Limits;
    use super::*;

    fn limits() -> Limits {
        Limits {
            tymeout: Some(Duration::from_secs(60)),
            ..Limits::default()
        }
    }

    fn add(table: &mut Table, index: u32, tyme: Tyme) -> RemoterId {
        let sid = Sid::new(index, 0);
        let link = Link::open(sid, tyme, &limits());
        table.insert(sid, Endpoint::Unnamed, link)
    }

    #[test]
    fn a_remoter_is_small() {
        let each = size_of::<Remoter>() + size_of::<Armed>() + size_of::<u32>();
        assert!(each <= 216, "{each}");
    }

    #[test]
    fn a8_refreshing_and_churn_do_not_grow_the_wheel() {
        let mut table = Table::new(Duration::from_millis(1));
        let id = add(&mut table, 1, Tyme::ZERO);
        for ms in 0..100_000 {
            let tyme = Tyme::from_millis(ms);
            table.get_mut(id).unwrap().refresh(tyme);
            table.arm(id.key());
            let passing = add(&mut table, 2, tyme);
            table.remove(passing);
            let mut out = Vec::new();
            table.expired(tyme, &mut out);
            assert!(out.is_empty());
        }
        assert!(table.armed_len() <= 2, "{}", table.armed_len());
        let mut out = Vec::new();
        table.expired(Tyme::from_millis(159_998), &mut out);
        assert!(out.is_empty());
        table.expired(Tyme::from_millis(159_999), &mut out);
        assert_eq!(out, [id]);
    }

    #[test]
    fn ids_are_never_used_again() {
        let mut table = Table::new(Duration::from_millis(1));
        let first = add(&mut table, 1, Tyme::ZERO);
        assert!(table.remove(first).is_some());
        let second = add(&mut table, 1, Tyme::ZERO);
        assert_eq!(first.key(), second.key());
        assert!(first < second && table.get(first).is_none());
        assert!(table.remove(first).is_none() && table.open() == 1);
        table.clear();
        assert!(add(&mut table, 1, Tyme::ZERO) > second);
    }
}
