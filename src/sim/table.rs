//! The sockets and groups of one node, and which of them are marked.
//!
//! The same bookkeeping as the real net's: every step is O(1) or O(marks).

use slab::Slab;

use super::socket::Socket;
use crate::net::{Group, NetError, Owner, Sid};

/// In its group's list of marks.
pub(super) const MARKED: u8 = 1;
/// Closed by the program; the system still sends what was written before.
pub(super) const ORPHAN: u8 = 2;
/// In a listener's backlog: the program does not know of it yet.
pub(super) const QUEUED: u8 = 4;
/// A write found too little room, and room is to be told of.
pub(super) const WANTS_ROOM: u8 = 8;

/// An open socket.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) socket: Socket,
    group: u32,
    generation: u32,
    pub(super) flags: u8,
}

impl Entry {
    pub(super) const fn is(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

#[derive(Debug)]
struct Gathering {
    owner: Owner,
    generation: u32,
    listed: bool,
    /// Marks of open sockets, at most the length of `marks`.
    live: usize,
    /// An answer about a name is there: it counts as a mark.
    answered: bool,
    marks: Vec<Sid>,
}

impl Gathering {
    const fn is_marked(&self) -> bool {
        self.live > 0 || self.answered
    }
}

/// All sockets and groups of a node.
#[derive(Debug, Default)]
pub(super) struct Table {
    sockets: Slab<Entry>,
    generations: Vec<u32>,
    groups: Slab<Gathering>,
    group_generations: Vec<u32>,
    marked: Vec<u32>,
    /// Sockets that count against the limit of descriptors.
    open: usize,
}

impl Table {
    /// How many sockets the program has open.
    pub(super) const fn open(&self) -> usize {
        self.open
    }

    /// Takes a socket in.
    ///
    /// # Errors
    /// [`NetError::Stale`] when the group is closed.
    pub(super) fn insert(
        &mut self,
        group: Group,
        socket: Socket,
        flags: u8,
    ) -> Result<Sid, NetError> {
        self.check_group(group)?;
        let key = self.sockets.vacant_key();
        let index = u32::try_from(key).map_err(|_| NetError::Exhausted)?;
        let generation = next_generation(&mut self.generations, key);
        self.open += usize::from(flags & (QUEUED | ORPHAN) == 0);
        self.sockets.insert(Entry {
            socket,
            group: group.index(),
            generation,
            flags,
        });
        Ok(Sid::new(index, generation))
    }

    /// A socket as the program sees it.
    #[inline]
    pub(super) fn get(&self, sid: Sid) -> Result<&Entry, NetError> {
        match self.sockets.get(sid.index() as usize) {
            Some(e) if e.generation == sid.generation() && e.flags & (ORPHAN | QUEUED) == 0 => {
                Ok(e)
            }
            _ => Err(NetError::Stale),
        }
    }

    /// A socket as the program sees it.
    #[inline]
    pub(super) fn get_mut(&mut self, sid: Sid) -> Result<&mut Entry, NetError> {
        match self.sockets.get_mut(sid.index() as usize) {
            Some(e) if e.generation == sid.generation() && e.flags & (ORPHAN | QUEUED) == 0 => {
                Ok(e)
            }
            _ => Err(NetError::Stale),
        }
    }

    /// A socket as the system sees it: also one that the program has not accepted yet, or has
    /// closed already.
    #[inline]
    pub(super) fn any(&self, sid: Sid) -> Option<&Entry> {
        let entry = self.sockets.get(sid.index() as usize)?;
        (entry.generation == sid.generation()).then_some(entry)
    }

    /// As [`any`](Self::any), to be changed.
    #[inline]
    pub(super) fn any_mut(&mut self, sid: Sid) -> Option<&mut Entry> {
        let entry = self.sockets.get_mut(sid.index() as usize)?;
        (entry.generation == sid.generation()).then_some(entry)
    }

    /// Changes what the program knows of a socket.
    pub(super) fn set_flags(&mut self, sid: Sid, set: u8, clear: u8) {
        let Some(entry) = self.any_mut(sid) else {
            return;
        };
        let counted = |flags: u8| usize::from(flags & (QUEUED | ORPHAN) == 0);
        let before = counted(entry.flags);
        entry.flags = entry.flags & !clear | set;
        let (after, group) = (counted(entry.flags), entry.group);
        let unmark = set & ORPHAN != 0 && entry.is(MARKED);
        if unmark {
            entry.flags &= !MARKED;
        }
        self.open = self.open + after - before;
        if unmark {
            self.groups[group as usize].live -= 1;
        }
    }

    /// Hides a socket from its program, mark and all.
    pub(super) fn loosen(&mut self, sid: Sid) {
        self.set_flags(sid, QUEUED, 0);
        let Some(entry) = self.any_mut(sid).filter(|e| e.is(MARKED)) else {
            return;
        };
        entry.flags &= !MARKED;
        let group = entry.group;
        self.unmark(group);
    }

    /// The group and its owner of an open socket.
    pub(super) fn group_of(&self, sid: Sid) -> Option<(Group, Owner)> {
        let entry = self.any(sid)?;
        // A socket that was closed may outlive its group.
        let group = self.groups.get(entry.group as usize)?;
        Some((Group::new(entry.group, group.generation), group.owner))
    }

    /// Takes a socket out, and its mark with it.
    pub(super) fn remove(&mut self, sid: Sid) -> Option<Socket> {
        self.any(sid)?;
        let entry = self.sockets.remove(sid.index() as usize);
        self.open -= usize::from(entry.flags & (QUEUED | ORPHAN) == 0);
        if entry.is(MARKED) {
            self.unmark(entry.group);
        }
        Some(entry.socket)
    }

    fn unmark(&mut self, group: u32) {
        let Self {
            sockets, groups, ..
        } = self;
        let group = &mut groups[group as usize];
        group.live -= 1;
        if group.live * 2 < group.marks.len() {
            group.marks.retain(|sid| {
                let entry = sockets.get(sid.index() as usize);
                entry.is_some_and(|e| e.generation == sid.generation() && e.is(MARKED))
            });
        }
    }

    /// Puts a socket that the program knows in its group's list, once.
    #[inline]
    pub(super) fn mark(&mut self, sid: Sid) {
        let Ok(entry) = self.get_mut(sid) else {
            return;
        };
        if entry.is(MARKED) {
            return;
        }
        entry.flags |= MARKED;
        let index = entry.group;
        let group = &mut self.groups[index as usize];
        group.live += 1;
        group.marks.push(sid);
        if !group.listed {
            group.listed = true;
            self.marked.push(index);
        }
    }

    /// Tells a group that there is an answer about a name.
    pub(super) fn answer(&mut self, group: Group) {
        if let Some(gathering) = self.group_mut(group) {
            gathering.answered = true;
            if !gathering.listed {
                gathering.listed = true;
                self.marked.push(group.index());
            }
        }
    }

    pub(super) fn open_group(&mut self, owner: Owner) -> Group {
        let key = self.groups.vacant_key();
        let generation = next_generation(&mut self.group_generations, key);
        self.groups.insert(Gathering {
            owner,
            generation,
            listed: false,
            live: 0,
            answered: false,
            marks: Vec::new(),
        });
        #[expect(
            clippy::cast_possible_truncation,
            reason = "no program opens 2^32 groups"
        )]
        Group::new(key as u32, generation)
    }

    fn group_mut(&mut self, group: Group) -> Option<&mut Gathering> {
        let found = self.groups.get_mut(group.index() as usize);
        found.filter(|g| g.generation == group.generation())
    }

    /// # Errors
    /// [`NetError::Stale`] when the group is closed.
    pub(super) fn check_group(&self, group: Group) -> Result<(), NetError> {
        match self.groups.get(group.index() as usize) {
            Some(g) if g.generation == group.generation() => Ok(()),
            _ => Err(NetError::Stale),
        }
    }

    pub(super) fn set_owner(&mut self, group: Group, owner: Owner) {
        if let Some(group) = self.group_mut(group) {
            group.owner = owner;
        }
    }

    /// The sockets of a group that the program knows, ascending.
    pub(super) fn members(&self, group: Group) -> Vec<Sid> {
        if self.check_group(group).is_err() {
            return Vec::new();
        }
        let mut sids = self.sids();
        sids.retain(|sid| {
            let entry = self.get(*sid);
            entry.is_ok_and(|e| e.group == group.index())
        });
        sids
    }

    /// All sockets, ascending.
    pub(super) fn sids(&self) -> Vec<Sid> {
        #[expect(clippy::cast_possible_truncation, reason = "insert checks it")]
        let sid = |(key, e): (usize, &Entry)| Sid::new(key as u32, e.generation);
        self.sockets.iter().map(sid).collect()
    }

    pub(super) fn remove_group(&mut self, group: Group) {
        if self.check_group(group).is_ok() {
            self.groups.remove(group.index() as usize);
            self.marked.retain(|&index| index != group.index());
        }
    }

    /// Appends the marked sockets of a group, ascending, and takes their marks.
    #[inline]
    pub(super) fn ready(&mut self, group: Group, out: &mut Vec<Sid>) {
        let Self {
            sockets,
            groups,
            marked,
            ..
        } = self;
        let Some(gathering) = groups
            .get_mut(group.index() as usize)
            .filter(|g| g.generation == group.generation())
        else {
            return;
        };
        let start = out.len();
        for &sid in &gathering.marks {
            if let Some(entry) = sockets.get_mut(sid.index() as usize) {
                if entry.generation == sid.generation() && entry.is(MARKED) {
                    entry.flags &= !MARKED;
                    out.push(sid);
                }
            }
        }
        gathering.marks.clear();
        gathering.live = 0;
        gathering.answered = false;
        if marked.last() == Some(&group.index()) {
            marked.pop();
            gathering.listed = false;
        }
        if out.len() - start > 1 {
            out[start..].sort_unstable();
        }
    }

    /// Appends the owners of groups with marks, ascending, each once.
    #[inline]
    pub(super) fn woken(&mut self, out: &mut Vec<Owner>) {
        if let [one] = *self.marked {
            // Mostly it is the only one; it stays listed until it is taken.
            let group = &self.groups[one as usize];
            if group.is_marked() && group.owner != Owner::NONE {
                out.push(group.owner);
            }
        } else if !self.marked.is_empty() {
            self.woken_of_many(out);
        }
    }

    #[cold]
    fn woken_of_many(&mut self, out: &mut Vec<Owner>) {
        let Self { groups, marked, .. } = self;
        let start = out.len();
        marked.retain(|&index| {
            let group = &mut groups[index as usize];
            group.listed = group.is_marked();
            if group.listed && group.owner != Owner::NONE {
                out.push(group.owner);
            }
            group.listed
        });
        if out.len() - start > 1 {
            let mut rest = out.split_off(start);
            rest.sort_unstable();
            rest.dedup();
            out.append(&mut rest);
        }
    }

    /// Takes every socket and group away, as a crash does. Their ids are never given out again.
    pub(super) fn clear(&mut self) {
        self.sockets.clear();
        self.groups.clear();
        self.marked.clear();
        self.open = 0;
    }
}

/// The generation of the next use of a place: 0, then one more each time.
fn next_generation(generations: &mut Vec<u32>, key: usize) -> u32 {
    if key >= generations.len() {
        generations.resize(key + 1, u32::MAX);
    }
    generations[key] = generations[key].wrapping_add(1);
    generations[key]
}
