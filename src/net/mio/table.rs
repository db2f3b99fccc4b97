//! Which sockets there are, to which group they belong, and which of them are marked.
//!
//! Pure bookkeeping: every step is O(1) or O(marks), nothing is allocated once the lists have
//! grown to what the program needs.

use slab::Slab;

use super::socket::Socket;
use crate::net::{Group, NetError, NetStats, Owner, Sid};

/// A read may find something.
pub(super) const READABLE: u8 = 1;
/// A write may be taken.
pub(super) const WRITABLE: u8 = 2;
/// The peer has sent its last byte, or the connection broke: a short read is not the last one. Nor
/// is it ever for a descriptor that is no socket.
pub(super) const READ_CLOSED: u8 = 4;
/// In its group's list of marks.
pub(super) const MARKED: u8 = 8;
/// Dialled and not yet known to stand.
pub(super) const CONNECTING: u8 = 16;
/// Accepts, and neither reads nor writes.
pub(super) const LISTENING: u8 = 32;

/// Room for writing is told of; see [`Socket::hears_room`].
pub(super) const HEARS_ROOM: u8 = 64;
/// A datagram socket that talks to one address only.
pub(super) const ONE_PEER: u8 = 128;

/// An open socket and what is known of its readiness.
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

    pub(super) const fn clear(&mut self, flag: u8) {
        self.flags &= !flag;
    }
}

/// A group and its marks.
#[derive(Debug)]
struct Gathering {
    owner: Owner,
    generation: u32,
    /// Whether the table's list of marked groups has it.
    listed: bool,
    /// Marks of open sockets, which is at most the length of `marks`; one more when `answered`.
    live: usize,
    /// An answer of the resolver has come: a mark of no socket.
    answered: bool,
    /// Marked sockets in the order of their marks, and some that were closed since.
    marks: Vec<Sid>,
}

/// All sockets and groups of a net.
#[derive(Debug, Default)]
pub(super) struct Table {
    sockets: Slab<Entry>,
    /// How often each place in `sockets` was used before, also while it is vacant.
    generations: Vec<u32>,
    groups: Slab<Gathering>,
    group_generations: Vec<u32>,
    /// Groups that may have marks, each once; the others leave it in [`Table::woken`].
    marked: Vec<u32>,
    /// Sockets taken in so far.
    opened: u64,
}

impl Table {
    /// The id that [`Table::insert`] gives out next.
    ///
    /// # Errors
    /// [`NetError::Exhausted`] when all 2^32 - 1 places are taken.
    pub(super) fn next_sid(&mut self) -> Result<Sid, NetError> {
        let index = place(self.sockets.vacant_key())?;
        Ok(Sid::new(
            index,
            next_generation(&mut self.generations, index),
        ))
    }

    /// Takes a socket in under the id that [`Table::next_sid`] gave last.
    pub(super) fn insert(&mut self, sid: Sid, group: Group, socket: Socket, flags: u8) {
        self.generations[sid.index() as usize] = sid.generation();
        self.opened += 1;
        let index = self.sockets.insert(Entry {
            socket,
            group: group.index(),
            generation: sid.generation(),
            flags,
        });
        debug_assert_eq!(index, sid.index() as usize);
    }

    /// What there is to tell of sockets and groups.
    pub(super) fn stats(&self) -> NetStats {
        NetStats {
            opened: self.opened,
            sockets: self.sockets.len(),
            groups: self.groups.len(),
            ..NetStats::default()
        }
    }

    pub(super) fn get(&self, sid: Sid) -> Result<&Entry, NetError> {
        match self.sockets.get(sid.index() as usize) {
            Some(entry) if entry.generation == sid.generation() => Ok(entry),
            _ => Err(NetError::Stale),
        }
    }

    pub(super) fn get_mut(&mut self, sid: Sid) -> Result<&mut Entry, NetError> {
        match self.sockets.get_mut(sid.index() as usize) {
            Some(entry) if entry.generation == sid.generation() => Ok(entry),
            _ => Err(NetError::Stale),
        }
    }

    /// The group of an open socket.
    pub(super) fn group_of(&self, entry: &Entry) -> Group {
        // Closing a group closes its sockets, so the place holds the group it was entered with.
        Group::new(entry.group, self.groups[entry.group as usize].generation)
    }

    /// Takes a socket out, and its mark with it.
    pub(super) fn remove(&mut self, sid: Sid) -> Option<Socket> {
        self.get(sid).ok()?;
        let entry = self.sockets.remove(sid.index() as usize);
        if entry.is(MARKED) {
            self.unmark(entry.group);
        }
        Some(entry.socket)
    }

    /// Counts one mark less; drops what is left of closed sockets once that is most of the list.
    fn unmark(&mut self, group: u32) {
        let Self {
            sockets, groups, ..
        } = self;
        let group = &mut groups[group as usize];
        group.live -= 1;
        if group.live * 2 < group.marks.len() {
            group.marks.retain(|&sid| is_marked(sockets, sid));
        }
    }

    /// Puts a socket in its group's list, once.
    pub(super) fn mark(&mut self, sid: Sid) {
        self.heard(sid, 0, true);
    }

    /// The same for whoever wants to look again. What is known may be older than what is there: so
    /// the next operation is to ask the system.
    pub(super) fn mark_again(&mut self, sid: Sid) {
        let may_ask = self.get(sid).is_ok_and(|entry| !entry.is(CONNECTING));
        self.heard(sid, if may_ask { READABLE } else { 0 }, true);
    }

    /// Takes in what the system says of a socket, and marks it when that is news for its owner or
    /// when it is to be marked in any case.
    ///
    /// News is all that can be read, and that writing is possible *again*. Every event tells of
    /// room for writing beside what caused it, and that must not wake anybody.
    #[inline]
    pub(super) fn heard(&mut self, sid: Sid, readiness: u8, in_any_case: bool) {
        let Some(entry) = self.sockets.get_mut(sid.index() as usize) else {
            return;
        };
        if entry.generation != sid.generation() {
            return;
        }
        let news = readiness & (READABLE | (WRITABLE & !entry.flags)) != 0 || in_any_case;
        entry.flags |= readiness;
        if !news || entry.is(MARKED) {
            return;
        }
        entry.flags |= MARKED;
        let group = &mut self.groups[entry.group as usize];
        group.live += 1;
        group.marks.push(sid);
        if !group.listed {
            group.listed = true;
            self.marked.push(entry.group);
        }
    }

    /// Marks a group itself, once.
    pub(super) fn mark_group(&mut self, group: Group) {
        let index = group.index();
        let Some(gathering) = self.group_mut(group).filter(|g| !g.answered) else {
            return;
        };
        gathering.answered = true;
        gathering.live += 1;
        if !gathering.listed {
            gathering.listed = true;
            self.marked.push(index);
        }
    }

    /// The id of whatever is open at a place.
    #[cfg(not(target_pointer_width = "64"))]
    pub(super) fn sid_at(&self, index: usize) -> Option<Sid> {
        let entry = self.sockets.get(index)?;
        Some(Sid::new(u32::try_from(index).ok()?, entry.generation))
    }

    pub(super) fn open_group(&mut self, owner: Owner) -> Group {
        let key = self.groups.vacant_key();
        // unwrap: each group takes more than 32 bytes, so 2^32 of them would be 128 GiB of groups.
        #[expect(clippy::unwrap_used, reason = "no program opens 2^32 groups")]
        let index = place(key).unwrap();
        let generation = next_generation(&mut self.group_generations, index);
        self.group_generations[key] = generation;
        self.groups.insert(Gathering {
            owner,
            generation,
            listed: false,
            live: 0,
            answered: false,
            marks: Vec::new(),
        });
        Group::new(index, generation)
    }

    fn group_mut(&mut self, group: Group) -> Option<&mut Gathering> {
        self.groups
            .get_mut(group.index() as usize)
            .filter(|g| g.generation == group.generation())
    }

    fn has_group(&self, group: Group) -> bool {
        self.groups
            .get(group.index() as usize)
            .is_some_and(|g| g.generation == group.generation())
    }

    /// # Errors
    /// [`NetError::Stale`] when the group is closed.
    pub(super) fn check_group(&self, group: Group) -> Result<(), NetError> {
        self.has_group(group).then_some(()).ok_or(NetError::Stale)
    }

    pub(super) fn set_owner(&mut self, group: Group, owner: Owner) {
        if let Some(group) = self.group_mut(group) {
            group.owner = owner;
        }
    }

    /// The sockets of a group, by a look at every open socket.
    pub(super) fn members(&self, group: Group) -> Vec<Sid> {
        if !self.has_group(group) {
            return Vec::new();
        }
        let members = self
            .sockets
            .iter()
            .filter(|(_, e)| e.group == group.index());
        members
            .filter_map(|(index, e)| Some(Sid::new(place(index).ok()?, e.generation)))
            .collect()
    }

    /// Forgets a group whose sockets are closed.
    pub(super) fn remove_group(&mut self, group: Group) {
        if self.has_group(group) {
            debug_assert!(self.members(group).is_empty());
            self.groups.remove(group.index() as usize);
            self.marked.retain(|&index| index != group.index());
        }
    }

    /// Appends the marked sockets of a group, ascending, and takes their marks.
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
        out.reserve(gathering.marks.len());
        for &sid in &gathering.marks {
            if let Some(entry) = sockets.get_mut(sid.index() as usize) {
                if entry.generation == sid.generation() {
                    entry.clear(MARKED);
                    out.push(sid);
                }
            }
        }
        gathering.marks.clear();
        gathering.live = 0;
        gathering.answered = false;
        if marked.last() == Some(&group.index()) {
            // Mostly it is the only one; the others leave the list later.
            marked.pop();
            gathering.listed = false;
        }
        if out.len() - start > 1 {
            sort(&mut out[start..]);
        }
    }

    /// Appends the owners of groups with marks, ascending, each once; [`Owner::NONE`] is nobody.
    #[inline]
    pub(super) fn woken(&mut self, out: &mut Vec<Owner>) {
        if let [one] = *self.marked {
            let group = &self.groups[one as usize];
            if group.live > 0 && group.owner != Owner::NONE {
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
            group.listed = group.live > 0;
            if group.listed && group.owner != Owner::NONE {
                out.push(group.owner);
            }
            group.listed
        });
        out[start..].sort_unstable();
        dedup_from(out, start);
    }
}

/// Out of line: with one mark, as mostly, there is nothing to sort.
#[inline(never)]
fn sort(marks: &mut [Sid]) {
    marks.sort_unstable();
}

/// Removes repeated neighbours from `start` on.
fn dedup_from(out: &mut Vec<Owner>, start: usize) {
    let mut kept = start;
    for next in start..out.len() {
        if kept == start || out[kept - 1] != out[next] {
            out[kept] = out[next];
            kept += 1;
        }
    }
    out.truncate(kept);
}

fn is_marked(sockets: &Slab<Entry>, sid: Sid) -> bool {
    let entry = sockets.get(sid.index() as usize);
    entry.is_some_and(|e| e.generation == sid.generation() && e.is(MARKED))
}

/// A slab key as an id's index. The last one is never given out: it is the waker's token.
fn place(key: usize) -> Result<u32, NetError> {
    match u32::try_from(key) {
        Ok(index) if index < u32::MAX => Ok(index),
        _ => Err(NetError::Exhausted),
    }
}

/// The generation of the next use of a place: 0, then one more each time, for ever in practice.
fn next_generation(generations: &mut Vec<u32>, index: u32) -> u32 {
    match generations.get(index as usize) {
        Some(last) => last.wrapping_add(1),
        None => {
            // The slab's vacant place is at most one beyond those used so far. The first use gets
            // generation 0 because the place starts one before it.
            generations.push(u32::MAX);
            0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_socket_costs_little_memory() {
        // One place in the slab, one generation. Debug builds of mio hold more.
        let each = size_of::<Entry>().next_multiple_of(8) + 8 + size_of::<u32>();
        let most = if cfg!(debug_assertions) { 60 } else { 36 };
        assert!(each <= most, "{each} bytes");
    }

    #[test]
    fn a_place_is_used_again_under_another_generation() {
        let mut generations = Vec::new();
        for n in 0..3 {
            let generation = next_generation(&mut generations, 0);
            assert_eq!(generation, n);
            // Asked twice without use, the answer is the same.
            assert_eq!(next_generation(&mut generations, 0), n);
            generations[0] = generation;
        }
        assert_eq!(next_generation(&mut generations, 1), 0);
        assert_eq!(place(7), Ok(7));
        assert_eq!(place(u32::MAX as usize), Err(NetError::Exhausted));
    }

    #[test]
    fn owners_are_told_once_each_after_what_was_there() {
        let mut out = [9, 1, 1, 2, 3, 3, 3].map(Owner).to_vec();
        dedup_from(&mut out, 1);
        assert_eq!(out, [9, 1, 2, 3].map(Owner));
        dedup_from(&mut out, 4);
        assert_eq!(out.len(), 4);
    }
}
