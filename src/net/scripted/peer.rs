//! One connection to a scripted peer.

use std::collections::VecDeque;

use super::script::{Script, Step};
use crate::net::{Endpoint, Group, NetError};
use crate::tyme::Tyme;

/// How far a script is.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) group: Group,
    pub(super) to: Endpoint,
    pub(super) local: Endpoint,
    /// Which of the net's scripts it follows, from 1.
    pub(super) number: usize,
    refusal: Option<NetError>,
    steps: VecDeque<Step>,
    /// Steps that are done.
    done: usize,
    /// When the step before was done.
    reached: Tyme,
    /// When something happens by itself; never when the program is awaited.
    pub(super) next: Tyme,
    stands: bool,
    inbox: VecDeque<u8>,
    ended: bool,
    failure: Option<NetError>,
    /// Written, and not taken by an expectation.
    written: VecDeque<u8>,
    holds: usize,
    /// A write found no room.
    blocked: bool,
    /// The program has ended its side.
    shut: bool,
    /// The program has closed it.
    pub(super) closed: bool,
    pub(super) marked: bool,
    /// What was written that was not expected.
    pub(super) wrong: Option<String>,
}

impl Peer {
    pub(super) fn new(
        number: usize,
        script: &Script,
        group: Group,
        local: Endpoint,
        now: Tyme,
    ) -> Self {
        Self {
            group,
            to: script.to.clone(),
            local,
            number,
            refusal: script.refusal,
            steps: script.steps.iter().cloned().collect(),
            done: 0,
            reached: now + script.connects_after,
            next: now + script.connects_after,
            stands: false,
            inbox: VecDeque::new(),
            ended: false,
            failure: None,
            written: VecDeque::new(),
            holds: usize::MAX,
            blocked: false,
            shut: false,
            closed: false,
            marked: false,
            wrong: None,
        }
    }

    /// Carries the script on as far as it goes at `now`. True when the program is to look.
    pub(super) fn step(&mut self, now: Tyme) -> bool {
        if !self.stands {
            // What never happens does not happen at the end of tyme either.
            if self.reached > now || self.reached.is_never() {
                return false;
            }
            (self.stands, self.next) = (true, Tyme::NEVER);
            self.marked = true;
            if self.refusal.is_some() {
                return true;
            }
            self.follow(now);
            return true;
        }
        match self.refusal {
            Some(_) => false,
            None => self.follow(now),
        }
    }

    fn follow(&mut self, now: Tyme) -> bool {
        let mut news = false;
        while let Some(step) = self.steps.front() {
            self.next = Tyme::NEVER;
            match step {
                Step::Wait(time) => {
                    let until = self.reached + *time;
                    if until > now || until.is_never() {
                        self.next = until;
                        break;
                    }
                    self.reached = until;
                }
                Step::Expect(bytes) => {
                    let same = |(i, byte): (usize, &u8)| self.written.get(i) == Some(byte);
                    let fits = bytes.iter().enumerate().take_while(|b| same(*b)).count();
                    if fits < bytes.len().min(self.written.len()) {
                        self.refuse(format!("{step}, but byte {fits} was another one"));
                        return true;
                    }
                    if fits < bytes.len() {
                        break;
                    }
                    self.written.drain(..fits);
                    self.reached = now;
                    news |= self.has_room();
                }
                Step::Skip(count) => {
                    if self.written.len() < *count {
                        break;
                    }
                    self.written.drain(..*count);
                    self.reached = now;
                    news |= self.has_room();
                }
                Step::ExpectEnd => {
                    if !self.written.is_empty() {
                        let more = self.written.len();
                        self.refuse(format!("{step}, but {more} more bytes were written"));
                        return true;
                    }
                    if !self.shut {
                        break;
                    }
                    self.reached = now;
                }
                Step::Send(bytes) => {
                    self.inbox.extend(bytes);
                    news = true;
                }
                Step::End => (self.ended, news) = (true, true),
                Step::Fail(why) => (self.failure, news) = (Some(*why), true),
                Step::Hold(bytes) => {
                    self.holds = *bytes;
                    news |= self.has_room();
                }
            }
            self.steps.pop_front();
            self.done += 1;
        }
        self.marked |= news;
        news
    }

    /// Whether a write that had found no room would find some.
    fn has_room(&mut self) -> bool {
        let room = self.written.len() < self.holds;
        room && std::mem::take(&mut self.blocked)
    }

    fn refuse(&mut self, what: String) {
        self.wrong = Some(format!("{}: {what}", self.place()));
        self.steps.clear();
        self.inbox.clear();
        self.failure = Some(NetError::Reset);
        (self.marked, self.next) = (true, Tyme::NEVER);
    }

    fn place(&self) -> String {
        let (number, to, step) = (self.number, &self.to, self.done + 1);
        format!("script {number} to {to}, step {step}")
    }

    /// What is left to be expected.
    pub(super) fn unmet(&self) -> Option<String> {
        let next = self.steps.iter().find(|step| step.is_expectation());
        let written: Vec<u8> = self.written.iter().copied().collect();
        let shown = written[..written.len().min(SHOWN_MAX)].escape_ascii();
        match (&self.wrong, next) {
            (Some(_), _) => None,
            (None, Some(step)) => Some(format!(
                "{}: {step}, and {} bytes are written: \"{shown}\"",
                self.place(),
                written.len()
            )),
            (None, None) if written.is_empty() => None,
            (None, None) => Some(format!(
                "{}: nothing more was expected, and {} bytes are written: \"{shown}\"",
                self.place(),
                written.len()
            )),
        }
    }

    pub(super) const fn connected(&self) -> Result<bool, NetError> {
        match (self.stands, self.refusal) {
            (true, Some(why)) => Err(why),
            (stands, _) => Ok(stands),
        }
    }

    pub(super) fn read(&mut self, buf: &mut [u8]) -> Result<Option<usize>, NetError> {
        if !self.stands || buf.is_empty() {
            return Ok(None);
        }
        let n = buf.len().min(self.inbox.len());
        for (to, from) in buf.iter_mut().zip(self.inbox.drain(..n)) {
            *to = from;
        }
        match (n, self.failure) {
            (0, Some(why)) => Err(why),
            (0, None) => Ok(self.ended.then_some(0)),
            _ => {
                // What ends it follows in a read of its own.
                self.marked |= n < buf.len() && (self.ended || self.failure.is_some());
                Ok(Some(n))
            }
        }
    }

    pub(super) fn write(&mut self, data: &[u8], now: Tyme) -> Result<usize, NetError> {
        match (self.stands, self.shut, self.failure) {
            (false, ..) => return Ok(0),
            (_, true, _) => return Err(NetError::BrokenPipe),
            (_, _, Some(why)) => return Err(why),
            _ => {}
        }
        let mut took = 0;
        while took < data.len() {
            let room = self.holds.saturating_sub(self.written.len());
            let n = room.min(data.len() - took);
            if n == 0 {
                self.blocked = true;
                break;
            }
            self.written.extend(&data[took..took + n]);
            took += n;
            self.follow(now); // takes it in, perhaps
            if self.failure.is_some() {
                break;
            }
        }
        Ok(took)
    }

    pub(super) fn shut(&mut self, now: Tyme) {
        self.shut = true;
        if self.stands && self.refusal.is_none() {
            self.follow(now);
        }
    }
}

/// Bytes of unexpected data that a report shows.
const SHOWN_MAX: usize = 64;
