//! The protocol of one replica: messages and time in, messages out, no I/O.
//!
//! ```text
//!                 patience is over              a majority votes
//!   Follower ───────────────────────> Candidate ────────────────> Leader
//!      ^                                   │                         │
//!      └───────────── a newer term, or a leader of this one ─────────┘
//! ```
//!
//! **Terms.** At most one leader a term, because each replica votes once a term and keeps that on
//! its disk. A vote goes only to who holds at least what the voter holds.
//!
//! **Leases.** Who appends for a leader promises to vote for nobody for [`LEASE`], on its own
//! clock, from when it *received* the append. The leader counts its lease from when it *sent* the
//! append that a majority has answered, and ends it a [`MARGIN`] early, for clocks that run at
//! different speeds. So two leases never overlap, as long as clocks differ by less than the margin.
//! Clocks here are monotonic ones: a wall clock that is set makes no difference. A replica that was
//! down does not know what it promised, so that it promises anew when it boots.
//!
//! **The register.** A leader with a lease answers reads from memory. A write is an entry with the
//! next index; it is acknowledged when a majority holds it. A new leader first makes what it holds
//! an entry of its own term, and serves when a majority holds that.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use hio::tyme::Tyme;

use super::disk::{Disk, Entry, Record};
use super::wire::Message;

/// How long a promise lasts.
pub(crate) const LEASE: Duration = Duration::from_secs(2);
/// How much earlier a leader stops to rely on it: good for clocks that differ by a quarter.
pub(crate) const MARGIN: Duration = Duration::from_millis(500);
/// How often a leader appends, and a candidate asks those who have not answered.
pub(crate) const BEAT: Duration = Duration::from_millis(250);
/// Writes that wait for the one under way; further ones are sent elsewhere.
const WAITING_MAX: usize = 16;
/// Rounds of appends whose answers still count.
const ROUNDS_MAX: usize = 64;

/// A bug that can be planted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plant {
    /// A write is acknowledged when the leader itself holds it.
    EarlyAck,
    /// A leader counts its lease by the wall clock.
    WallLease,
    /// A follower says that it holds an entry before its disk does. Shows only when one replica
    /// has missed a write, another one crashes and forgets it, and the leader, which alone has it
    /// on its disk, is gone before it can tell it again.
    LazyDisk,
}

impl Plant {
    pub(crate) const ALL: [(&str, Self); 3] = [
        ("early-ack", Self::EarlyAck),
        ("wall-lease", Self::WallLease),
        ("lazy-disk", Self::LazyDisk),
    ];

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|one| one.0 == name).map(|one| one.1)
    }
}

impl fmt::Display for Plant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::ALL.iter().find(|one| one.1 == *self);
        f.write_str(name.map_or("", |one| one.0))
    }
}

/// The replica's clocks: the monotonic one, which counts from its boot, and the one on the wall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Now {
    pub(crate) clock: Tyme,
    pub(crate) wall: Duration,
}

/// What a replica wants sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// To another replica.
    Send { to: u8, message: Message },
    /// To the caller of this connection.
    Answer { caller: u64, message: Message },
    /// Worth a line in the trace.
    Leads { term: u64 },
}

#[derive(Debug)]
enum Role {
    Follower { leader: Option<u8> },
    Candidate { votes: Vec<u8>, next_ask: Tyme },
    Leader(Leader),
}

/// What only a leader knows.
#[derive(Debug)]
struct Leader {
    /// The rounds of appends under way, oldest first: number, when it was sent, what was appended.
    rounds: VecDeque<(u64, Now, Entry)>,
    /// What each replica has answered last.
    heard: Vec<Option<(Now, Entry)>>,
    /// The last entry that a majority holds; none of its own term at first.
    committed: Option<Entry>,
    /// The write under way.
    write: Option<Write>,
    waiting: VecDeque<Write>,
    next_beat: Tyme,
}

/// A write: whose, what it calls it, and what is to be written.
#[derive(Clone, Copy, Debug)]
struct Write {
    caller: u64,
    id: u64,
    value: u64,
}

/// One replica.
#[derive(Debug)]
pub(crate) struct Replica {
    me: u8,
    size: u8,
    plant: Option<Plant>,
    disk: Disk,
    record: Record,
    role: Role,
    /// It votes for nobody before.
    promise: Tyme,
    /// It stands for election then, unless a leader is heard or its promise lasts longer.
    patience: Tyme,
    round: u64,
    chance: u64,
    /// The highest term that somebody asked a vote for.
    heard_of: u64,
    outputs: Vec<Output>,
}

impl Replica {
    /// Replica `me` of `size`, as it boots. `chance` makes replicas stand at different times.
    pub(crate) fn boot(
        me: u8,
        size: u8,
        disk: Disk,
        plant: Option<Plant>,
        chance: u64,
        now: Now,
    ) -> Self {
        let record = disk.read();
        let promise = now.clock + LEASE;
        let mut replica = Self {
            me,
            size,
            plant,
            disk,
            record,
            role: Role::Follower { leader: None },
            promise,
            patience: Tyme::ZERO,
            round: 0,
            chance,
            heard_of: 0,
            outputs: Vec::new(),
        };
        replica.be_patient(now);
        replica
    }

    /// When it wants to be called although nothing came in.
    pub(crate) fn due(&self) -> Tyme {
        match &self.role {
            Role::Leader(leader) => leader.next_beat,
            Role::Candidate { next_ask, .. } => self.stands_at().min(*next_ask),
            Role::Follower { .. } => self.stands_at(),
        }
    }

    /// Takes what it wants sent.
    pub(crate) fn outputs(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.outputs)
    }

    pub(crate) const fn term(&self) -> u64 {
        self.record.term
    }

    /// The index of the entry that it holds.
    pub(crate) const fn entry(&self) -> u64 {
        self.record.entry.index
    }

    /// Whether it may act as the one leader at this moment.
    pub(crate) fn holds_lease(&self, now: Now) -> bool {
        let Role::Leader(leader) = &self.role else {
            return false;
        };
        let mut heard: Vec<Now> = leader
            .heard
            .iter()
            .flatten()
            .map(|(sent, _)| *sent)
            .collect();
        heard.sort_unstable_by_key(|sent| std::cmp::Reverse(sent.clock));
        let Some(sent) = heard.get(self.majority() - 1) else {
            return false;
        };
        match self.plant {
            Some(Plant::WallLease) => now.wall < sent.wall + LEASE - MARGIN,
            _ => now.clock < sent.clock + (LEASE - MARGIN),
        }
    }

    /// Time has passed.
    pub(crate) fn tick(&mut self, now: Now) {
        match &self.role {
            Role::Leader(leader) if leader.next_beat <= now.clock => self.append(now),
            Role::Follower { .. } | Role::Candidate { .. } if self.stands_at() <= now.clock => {
                self.stand(now);
            }
            Role::Candidate { next_ask, .. } if *next_ask <= now.clock => self.ask(now),
            _ => {}
        }
    }

    /// Another replica says something.
    pub(crate) fn hear(&mut self, from: u8, message: Message, now: Now) {
        if from >= self.size || from == self.me {
            return;
        }
        match message {
            Message::Ask { term, holds } => self.on_ask(from, term, holds, now),
            Message::Vote { term, granted } => self.on_vote(from, term, granted, now),
            Message::Append { term, round, entry } => self.on_append(from, term, round, entry, now),
            Message::Appended { term, round, held } => {
                self.on_appended(from, term, round, held, now)
            }
            _ => {} // callers' messages do not come from replicas
        }
    }

    /// A caller asks something.
    pub(crate) fn call(&mut self, caller: u64, message: Message, now: Now) {
        let serves = self.holds_lease(now);
        let leader = self.leader();
        let answer = match (message, &mut self.role) {
            (
                Message::Get { id },
                Role::Leader(Leader {
                    committed: Some(entry),
                    ..
                }),
            ) if serves => Message::Found {
                id,
                index: entry.index,
                value: entry.value,
            },
            (Message::Put { id, value }, Role::Leader(lead))
                if serves && lead.committed.is_some() && lead.waiting.len() < WAITING_MAX =>
            {
                lead.waiting.push_back(Write { caller, id, value });
                return self.write_next(now);
            }
            (Message::Get { id } | Message::Put { id, .. }, _) => Message::Elsewhere { id, leader },
            _ => return, // no caller says such a thing
        };
        self.outputs.push(Output::Answer {
            caller,
            message: answer,
        });
    }
}

/// Elections.
impl Replica {
    fn stand(&mut self, now: Now) {
        debug_assert!(now.clock >= self.promise, "a vote for oneself is a vote");
        // Above all terms that were heard of, or the one who asked for the highest would depose
        // whoever is elected now.
        self.record.term = self.record.term.max(self.heard_of).saturating_add(1);
        self.record.vote = Some(self.me);
        self.save();
        self.role = Role::Candidate {
            votes: vec![self.me],
            next_ask: now.clock,
        };
        self.be_patient(now);
        self.ask(now);
        self.count_votes(now);
    }

    /// Asks for the votes that it has not got: what it asked before may be lost, and who had
    /// promised may be free by now.
    fn ask(&mut self, now: Now) {
        let (term, holds) = (self.record.term, self.record.entry);
        let Role::Candidate { votes, next_ask } = &mut self.role else {
            return;
        };
        *next_ask = now.clock + BEAT;
        for to in (0..self.size).filter(|to| !votes.contains(to)) {
            let message = Message::Ask { term, holds };
            self.outputs.push(Output::Send { to, message });
        }
    }

    fn on_ask(&mut self, from: u8, term: u64, holds: Entry, now: Now) {
        self.heard_of = self.heard_of.max(term);
        // Who has promised does not take over the term: a candidate that hears nobody would
        // otherwise take the leader down whenever it comes back.
        let granted = now.clock >= self.promise && {
            self.catch_up(term);
            term == self.record.term
                && holds >= self.record.entry
                && self.record.vote.is_none_or(|vote| vote == from)
        };
        if granted {
            self.record.vote = Some(from);
            self.save();
            self.be_patient(now);
        }
        let term = self.record.term;
        self.send(from, Message::Vote { term, granted });
    }

    fn on_vote(&mut self, from: u8, term: u64, granted: bool, now: Now) {
        self.catch_up(term);
        if let (Role::Candidate { votes, .. }, true) =
            (&mut self.role, granted && term == self.record.term)
        {
            if !votes.contains(&from) {
                votes.push(from);
            }
            self.count_votes(now);
        }
    }

    fn count_votes(&mut self, now: Now) {
        let Role::Candidate { votes, .. } = &self.role else {
            return;
        };
        if votes.len() < self.majority() {
            return;
        }
        self.role = Role::Leader(Leader {
            rounds: VecDeque::new(),
            heard: vec![None; usize::from(self.size)],
            committed: None,
            write: None,
            waiting: VecDeque::new(),
            next_beat: now.clock,
        });
        self.outputs.push(Output::Leads {
            term: self.record.term,
        });
        // What was committed by others is committed by this one once it is of this term.
        self.hold(self.record.entry.value);
        self.append(now);
    }

    /// A newer term ends whatever one was.
    fn catch_up(&mut self, term: u64) {
        if term > self.record.term {
            self.record.term = term;
            self.record.vote = None;
            self.save();
            self.follow(None);
        }
    }

    fn follow(&mut self, leader: Option<u8>) {
        let was = std::mem::replace(&mut self.role, Role::Follower { leader });
        if let Role::Leader(was) = was {
            for write in was.write.into_iter().chain(was.waiting) {
                let message = Message::Elsewhere {
                    id: write.id,
                    leader,
                };
                self.outputs.push(Output::Answer {
                    caller: write.caller,
                    message,
                });
            }
        }
    }

    /// When it stands for election. A leader that has stepped down may have promised more than it
    /// has patience for.
    fn stands_at(&self) -> Tyme {
        self.patience.max(self.promise)
    }

    /// Waits for a leader: at least until its own promise is over, and not as long as others.
    fn be_patient(&mut self, now: Now) {
        // SplitMix64, as chance need not be good here.
        self.chance = self.chance.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.chance;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let spread = Duration::from_millis((z >> 32) % 1000);
        self.patience = self.promise.max(now.clock + BEAT * 2) + spread;
    }
}

/// Appending, committing and leases.
impl Replica {
    /// Sends what it holds to all, as a heartbeat and as a write.
    fn append(&mut self, now: Now) {
        self.round += 1;
        let (me, round, entry) = (usize::from(self.me), self.round, self.record.entry);
        // A leader answers itself, and promises as the others do.
        self.make_promise(now);
        let Role::Leader(leader) = &mut self.role else {
            return;
        };
        leader.rounds.push_back((round, now, entry));
        if leader.rounds.len() > ROUNDS_MAX {
            leader.rounds.pop_front();
        }
        leader.heard[me] = Some((now, entry));
        leader.next_beat = now.clock + BEAT;
        let term = self.record.term;
        self.send_all(Message::Append { term, round, entry });
        self.commit(now);
    }

    fn on_append(&mut self, from: u8, term: u64, round: u64, entry: Entry, now: Now) {
        self.catch_up(term);
        let held = term == self.record.term;
        if held {
            self.follow(Some(from));
            self.make_promise(now);
            self.be_patient(now);
            // A message of an older connection may come late: what is held is never older.
            if entry > self.record.entry {
                self.record.entry = entry;
                if self.plant != Some(Plant::LazyDisk) {
                    self.save();
                }
            }
        }
        let term = self.record.term;
        self.send(from, Message::Appended { term, round, held });
    }

    fn on_appended(&mut self, from: u8, term: u64, round: u64, held: bool, now: Now) {
        self.catch_up(term);
        let (true, Role::Leader(leader)) = (held && term == self.record.term, &mut self.role)
        else {
            return;
        };
        let answered = leader.rounds.iter().find(|(number, ..)| *number == round);
        let Some(&(_, sent, entry)) = answered else {
            return;
        };
        let heard = &mut leader.heard[usize::from(from)];
        if heard.is_none_or(|(last, _)| last.clock < sent.clock) {
            *heard = Some((sent, entry));
        }
        self.commit(now);
    }

    /// Acknowledges what a majority holds.
    fn commit(&mut self, now: Now) {
        let majority = match self.plant {
            Some(Plant::EarlyAck) => 1,
            _ => self.majority(),
        };
        let entry = self.record.entry;
        let Role::Leader(leader) = &mut self.role else {
            return;
        };
        let holders = leader
            .heard
            .iter()
            .flatten()
            .filter(|(_, held)| *held == entry);
        // A new leader's first entry has to be held by a majority even with an early ack.
        let enough = if leader.committed.is_none() {
            usize::from(self.size) / 2 + 1
        } else {
            majority
        };
        if holders.count() < enough || leader.committed == Some(entry) {
            return;
        }
        leader.committed = Some(entry);
        if let Some(Write { caller, id, .. }) = leader.write.take() {
            let message = Message::Stored {
                id,
                index: entry.index,
            };
            self.outputs.push(Output::Answer { caller, message });
        }
        self.write_next(now);
    }

    /// Begins the next write, unless one is under way.
    fn write_next(&mut self, now: Now) {
        let Role::Leader(leader) = &mut self.role else {
            return;
        };
        if leader.write.is_some() {
            return;
        }
        leader.write = leader.waiting.pop_front();
        if let Some(write) = leader.write {
            self.hold(write.value);
            self.append(now);
        }
    }

    /// Makes a value the next entry.
    fn hold(&mut self, value: u64) {
        let index = self.record.entry.index.saturating_add(1);
        self.record.entry = Entry {
            term: self.record.term,
            index,
            value,
        };
        self.save();
    }

    fn make_promise(&mut self, now: Now) {
        self.promise = now.clock + LEASE;
    }
}

impl Replica {
    fn leader(&self) -> Option<u8> {
        match self.role {
            Role::Follower { leader } => leader,
            _ => None,
        }
    }

    fn majority(&self) -> usize {
        usize::from(self.size) / 2 + 1
    }

    fn save(&self) {
        self.disk.write(self.record);
    }

    fn send(&mut self, to: u8, message: Message) {
        self.outputs.push(Output::Send { to, message });
    }

    fn send_all(&mut self, message: Message) {
        for to in (0..self.size).filter(|to| *to != self.me) {
            self.outputs.push(Output::Send { to, message });
        }
    }
}
