//! A net whose clock and marks are scripted, so that runs in real pacing are the same every time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hio::net::{
    ConnectOptions, Endpoint, Group, ListenOptions, Lookup, Net, NetError, Owner, Shutdown, Sid,
    SocketOption,
};
use hio::tyme::Tyme;

/// Polls in a row that leave the clock where it is, before the net gives up: a busy loop.
const IDLE_POLLS_MAX: u32 = 100;
/// Polls in all, before the net gives up: a run without end.
const POLLS_MAX: usize = 100_000;

/// Waiting moves its clock to the next scripted mark, or to the end of the wait.
#[derive(Debug, Default)]
pub struct WakeNet {
    clock: Arc<AtomicU64>,
    /// When which group is marked, ascending.
    script: VecDeque<(u64, Group)>,
    marks: BTreeSet<Group>,
    owners: BTreeMap<Group, Owner>,
    groups: u32,
    /// Each wait: when it began and until when it was to last.
    pub polls: Vec<(u64, u64)>,
    idle: u32,
    idle_max: u32,
    pub busy_loop: bool,
}

impl WakeNet {
    pub fn new(script: impl IntoIterator<Item = (u64, Group)>) -> Self {
        let mut script: Vec<_> = script.into_iter().collect();
        script.sort_by_key(|s| s.0);
        let script = script.into();
        // Groups made by `group` begin where scripts do not reach.
        Self {
            script,
            groups: 1_000_000,
            idle_max: IDLE_POLLS_MAX,
            ..Self::default()
        }
    }

    /// For runs that do not wait: only their number bounds the polls.
    pub fn patient() -> Self {
        Self {
            idle_max: u32::MAX,
            ..Self::new([])
        }
    }

    /// The clock in nanoseconds: a doer that takes its time adds to it.
    pub fn clock(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.clock)
    }

    fn time(&self) -> u64 {
        self.clock.load(Ordering::SeqCst)
    }

    fn mark_due(&mut self) {
        let now = self.time();
        while self.script.front().is_some_and(|s| s.0 <= now) {
            if let Some((_, group)) = self.script.pop_front() {
                self.marks.insert(group);
            }
        }
    }
}

impl Net for WakeNet {
    fn now(&mut self) -> Tyme {
        Tyme::from_nanos(self.time())
    }
    fn wall(&mut self) -> Duration {
        Duration::from_nanos(self.time())
    }
    fn entropy(&mut self, out: &mut [u8]) {
        out.fill(7);
    }
    fn poll(&mut self, until: Tyme) -> Result<(), NetError> {
        let (now, until) = (self.time(), until.as_nanos());
        self.polls.push((now, until));
        let next = self.script.front().map_or(u64::MAX, |s| s.0);
        let end = until.min(next);
        if end == u64::MAX {
            return Err(NetError::Unsupported);
        }
        self.idle = if end > now { 0 } else { self.idle + 1 };
        if self.idle > self.idle_max || self.polls.len() > POLLS_MAX {
            self.busy_loop = true;
            return Err(NetError::Exhausted);
        }
        self.clock.fetch_max(end, Ordering::SeqCst);
        self.mark_due();
        Ok(())
    }
    fn woken(&mut self, out: &mut Vec<Owner>) {
        let owners = self.marks.iter().filter_map(|g| self.owners.get(g));
        let owners: BTreeSet<Owner> = owners.copied().filter(|o| *o != Owner::NONE).collect();
        out.extend(owners);
    }
    fn group(&mut self, owner: Owner) -> Group {
        self.groups += 1;
        let group = Group::new(self.groups, 0);
        self.owners.insert(group, owner);
        group
    }
    fn set_owner(&mut self, group: Group, owner: Owner) {
        self.owners.insert(group, owner);
    }
    fn close_group(&mut self, group: Group) {
        self.owners.remove(&group);
        self.marks.remove(&group);
    }
    fn ready(&mut self, group: Group, out: &mut Vec<Sid>) {
        if self.marks.remove(&group) {
            out.push(Sid::new(group.index(), 0));
        }
    }
    fn mark(&mut self, sid: Sid) {
        self.marks.insert(Group::new(sid.index(), 0));
    }
    fn listen(&mut self, _: Group, _: &Endpoint, _: &ListenOptions) -> Result<Sid, NetError> {
        Err(NetError::Unsupported)
    }
    fn accept(&mut self, _: Sid) -> Result<Option<(Sid, Endpoint)>, NetError> {
        Err(NetError::Stale)
    }
    fn connect(&mut self, _: Group, _: &Endpoint, _: &ConnectOptions) -> Result<Sid, NetError> {
        Err(NetError::Unsupported)
    }
    fn connected(&mut self, _: Sid) -> Result<bool, NetError> {
        Err(NetError::Stale)
    }
    fn read(&mut self, _: Sid, _: &mut [u8]) -> Result<Option<usize>, NetError> {
        Err(NetError::Stale)
    }
    fn write(&mut self, _: Sid, _: &[u8]) -> Result<usize, NetError> {
        Err(NetError::Stale)
    }
    fn shutdown(&mut self, _: Sid, _: Shutdown) -> Result<(), NetError> {
        Err(NetError::Stale)
    }
    fn close(&mut self, _: Sid) {}
    fn resolve(&mut self, _: Group, _: &str) -> Lookup {
        Lookup::Failed(NetError::Unresolvable)
    }
    fn local(&self, _: Sid) -> Result<Endpoint, NetError> {
        Err(NetError::Stale)
    }
    fn peer(&self, _: Sid) -> Result<Endpoint, NetError> {
        Err(NetError::Stale)
    }
    fn buffer_sizes(&self, _: Sid) -> Result<(usize, usize), NetError> {
        Err(NetError::Stale)
    }
    fn set_option(&mut self, _: Sid, _: SocketOption) -> Result<(), NetError> {
        Err(NetError::Stale)
    }
}
