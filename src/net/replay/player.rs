//! Compares what a program does with what was recorded, entry by entry.

use std::collections::BTreeMap;

use super::{Divergence, ReplayEnd};
use crate::net::record::{Answer, Block, Entry, Kind, Op, RecordedRun, RecordingError, State};
use crate::net::{Group, Owner, Sid, Tape, TraceHash};
use crate::tyme::Tyme;

/// Plays a recording.
///
/// An operation is encoded as the recorder did it, with the recorded answer, and must come to the
/// same bytes: so nothing can be forgotten in comparing. The hash is over what was encoded here.
pub(super) struct Player {
    recording: RecordedRun,
    state: State,
    head: Vec<u8>,
    /// What was done in the block that is being read, as the recorder would have it.
    block: Block,
    /// Over the blocks before.
    hash: TraceHash,
    now: Tyme,
    tape: Option<Tape>,
    stop: Option<Box<dyn FnMut() + Send>>,
    who: Who,
    end: Option<ReplayEnd>,
}

impl Player {
    pub(super) fn new(mut recording: RecordedRun) -> Result<Self, RecordingError> {
        let first = recording.upcoming()?;
        if first > 0 {
            return Err(RecordingError::Flight(first));
        }
        let mut player = Self {
            recording,
            state: State::default(),
            head: Vec::new(),
            block: Block::default(),
            hash: TraceHash::default(),
            now: Tyme::ZERO,
            tape: None,
            stop: None,
            who: Who::default(),
            end: None,
        };
        player.block.begin(0);
        player.settle();
        Ok(player)
    }

    pub(super) fn begin_tape(&mut self, tape: &Tape) {
        self.tape = Some(tape.clone());
        self.settle();
    }

    pub(super) fn begin_stop(&mut self, stop: Box<dyn FnMut() + Send>) {
        self.stop = Some(stop);
        self.settle();
    }

    pub(super) fn about(&self) -> &str {
        self.recording.about()
    }

    pub(super) const fn is_simulated(&self) -> bool {
        self.recording.is_simulated()
    }

    pub(super) fn hash(&self) -> TraceHash {
        self.block.hash_with(self.hash)
    }

    pub(super) const fn now(&self) -> Tyme {
        self.now
    }

    pub(super) const fn ended(&self) -> Option<&ReplayEnd> {
        self.end.as_ref()
    }

    /// One operation of the program, which may be made up only when the answer is known.
    pub(super) fn play<'a, T>(
        &mut self,
        op: impl FnOnce(&Answer<'_>) -> Op<'a>,
        take: impl FnOnce(&Answer<'_>) -> Option<T>,
    ) -> Option<T> {
        if self.end.is_some() {
            if self.end == Some(ReplayEnd::Complete) {
                let found = op(&Answer::Done);
                self.diverge(&found, "the end of the recording".to_owned(), None);
            }
            return None;
        }
        if self.tape_differs() {
            return None;
        }
        self.turn_block();
        let entry = match self.recording.next() {
            Ok(Some(entry)) => entry,
            // The end was noticed when the last operation was done.
            Ok(None) => return None,
            Err(why) => {
                self.end = Some(unreadable(&why, self.block.next()));
                return None;
            }
        };
        let op = op(&entry.answer);
        match same(&mut self.head, self.state, &op, &entry) {
            Some(state) => self.state = state,
            None => {
                let expected = format!("{}: {}", entry.op, entry.answer);
                let theirs = self.who.of(&entry.op);
                self.diverge(&op, expected, theirs);
                return None;
            }
        }
        self.block.push_bytes(&self.head, entry.answer.payload());
        if let Answer::Tyme(now) = entry.answer {
            self.now = now;
        }
        self.who.note(&op, &entry.answer);
        let taken = take(&entry.answer);
        self.settle();
        taken
    }

    /// Deals with what follows an operation that is no operation itself.
    fn settle(&mut self) {
        while self.end.is_none() {
            let events = self.block.next();
            match self.recording.peek_rare() {
                Ok(Some(false)) => return,
                Ok(Some(true)) => {}
                Ok(None) => {
                    self.complete();
                    return;
                }
                Err(why) => {
                    self.end = Some(unreadable(&why, events));
                    return;
                }
            }
            if !self.settle_one() {
                return;
            }
        }
    }

    /// A rare entry that is next: of the tape, which is passed, or a stop. False when the program
    /// is to go on.
    fn settle_one(&mut self) -> bool {
        match self.recording.peek() {
            Ok(Some(Entry {
                op:
                    Op::Probe {
                        kind: Kind::Stopped,
                        ..
                    },
                ..
            })) => {
                if let Some(stop) = &mut self.stop {
                    stop();
                }
                return false;
            }
            Ok(Some(Entry { op: Op::Tape, .. })) if self.tape.is_some() => {}
            _ => return false,
        }
        self.turn_block();
        let Ok(Some(entry)) = self.recording.next() else {
            return false;
        };
        if let Some(state) = same(&mut self.head, self.state, &Op::Tape, &entry) {
            self.state = state;
        }
        let payload = entry.answer.payload();
        self.block.push_bytes(&self.head, payload);
        if let Some(tape) = &self.tape {
            tape.feed(payload.to_vec());
        }
        true
    }

    /// Ends the block where the recorder did.
    fn turn_block(&mut self) {
        if self.recording.is_fresh() {
            self.block.seal(&mut self.hash);
            self.block.begin(self.hash.events());
            self.state = State::default();
        }
    }

    /// The recording's end is reached.
    fn complete(&mut self) {
        let hash = self.hash();
        let agrees = self.recording.end().is_some_and(|end| end.agrees(&hash));
        self.end = Some(match agrees {
            true => ReplayEnd::Complete,
            false => ReplayEnd::Damaged("its hash is another".to_owned()),
        });
    }

    /// Whether the program asked the tape for something else than what was recorded, or for less.
    fn tape_differs(&mut self) -> bool {
        let Some(tape) = &self.tape else {
            return false;
        };
        let difference = match (tape.take_missed(), tape.peek()) {
            (Some(missed), _) => ("what the tape has".to_owned(), missed),
            (None, Some(left)) => (
                format!("{left} from the tape"),
                "another operation".to_owned(),
            ),
            (None, None) => return false,
        };
        let (expected, found) = difference;
        self.end = Some(ReplayEnd::Diverged(Divergence {
            event: self.block.next(),
            tyme: self.now,
            owner: self.who.last,
            expected,
            found,
        }));
        true
    }

    fn diverge(&mut self, found: &Op<'_>, expected: String, theirs: Option<Owner>) {
        let owner = self.who.of(found).or(theirs).unwrap_or(self.who.last);
        self.end = Some(ReplayEnd::Diverged(Divergence {
            event: self.block.next(),
            tyme: self.now,
            owner,
            expected,
            found: found.to_string(),
        }));
    }

    pub(super) fn finish(&mut self) -> ReplayEnd {
        if self.end.is_none() && !self.tape_differs() {
            let expected = match self.recording.peek() {
                Ok(Some(entry)) => format!("{}: {}", entry.op, entry.answer),
                _ => "more".to_owned(),
            };
            self.end = Some(ReplayEnd::Diverged(Divergence {
                event: self.block.next(),
                tyme: self.now,
                owner: self.who.last,
                expected,
                found: "the end of the program".to_owned(),
            }));
        }
        self.end.clone().unwrap_or(ReplayEnd::Complete)
    }
}

/// Encodes an operation with the recorded answer. The state after it when it comes to the same.
fn same(head: &mut Vec<u8>, mut state: State, op: &Op<'_>, entry: &Entry<'_>) -> Option<State> {
    head.clear();
    state.encode(op, &entry.answer, head);
    let split = entry.bytes.split_at_checked(head.len())?;
    (split.0 == head && split.1 == entry.answer.payload()).then_some(state)
}

fn unreadable(why: &RecordingError, events: u64) -> ReplayEnd {
    match why {
        RecordingError::CutOff(_) => ReplayEnd::CutOff { events },
        other => ReplayEnd::Damaged(other.to_string()),
    }
}

/// Whose sockets and groups are whose, to name who differs.
struct Who {
    owners: BTreeMap<Group, Owner>,
    groups: BTreeMap<Sid, Group>,
    last: Owner,
}

impl Default for Who {
    fn default() -> Self {
        Self {
            owners: BTreeMap::new(),
            groups: BTreeMap::new(),
            last: Owner::NONE,
        }
    }
}

impl Who {
    fn note(&mut self, op: &Op<'_>, answer: &Answer<'_>) {
        match (op, answer) {
            (Op::Group { owner }, Answer::Group(group)) => {
                self.owners.insert(*group, *owner);
            }
            (Op::SetOwner { group, owner }, _) => {
                self.owners.insert(*group, *owner);
            }
            (Op::CloseGroup { group }, _) => {
                self.owners.remove(group);
                self.groups.retain(|_, of| of != group);
            }
            (Op::Open { group, .. }, Answer::Sid(sid)) => {
                self.groups.insert(*sid, *group);
            }
            (Op::Accept { sid: listener }, Answer::Accepted(sid, _)) => {
                if let Some(group) = self.groups.get(listener).copied() {
                    self.groups.insert(*sid, group);
                }
            }
            (Op::Close { sid }, _) => {
                self.groups.remove(sid);
            }
            (Op::Ready { group }, Answer::Sids(_)) => {
                self.last = self.owners.get(group).copied().unwrap_or(Owner::NONE);
            }
            _ => {}
        }
    }

    /// Whom an operation belongs to.
    fn of(&self, op: &Op<'_>) -> Option<Owner> {
        let group = match op {
            Op::Group { owner } | Op::Probe { who: owner, .. } => return Some(*owner),
            Op::SetOwner { group, .. }
            | Op::CloseGroup { group }
            | Op::Ready { group }
            | Op::Open { group, .. }
            | Op::Resolve { group, .. } => *group,
            Op::Mark { sid }
            | Op::Accept { sid }
            | Op::Connected { sid }
            | Op::Read { sid, .. }
            | Op::Write { sid, .. }
            | Op::WriteVectored { sid, .. }
            | Op::Shutdown { sid, .. }
            | Op::Close { sid }
            | Op::RecvFrom { sid, .. }
            | Op::SendTo { sid, .. }
            | Op::Local { sid }
            | Op::Peer { sid }
            | Op::BufferSizes { sid }
            | Op::SetOption { sid, .. } => *self.groups.get(sid)?,
            Op::Now | Op::Wall | Op::Entropy { .. } | Op::Poll { .. } | Op::Woken | Op::Tape => {
                return None;
            }
        };
        self.owners.get(&group).copied()
    }
}
