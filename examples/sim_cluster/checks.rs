//! What must hold at every step, as somebody sees it who sees all nodes at once.

use std::collections::BTreeMap;
use std::fmt;

use super::caller::Told;
use super::replica::{Now, Replica};

/// What has been broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// Two replicas may act as the leader at one moment.
    TwoLeases { one: u8, other: u8 },
    /// A replica has gone back to an older term.
    OlderTerm { replica: u8, was: u64, is: u64 },
    /// An acknowledged write has the place of another one, or something else was read there.
    Lost { index: u64, was: u64, is: u64 },
    /// What was answered is older than what had been answered when it was asked.
    Stale { index: u64, known: u64 },
    /// Nothing was written although everything had been healed.
    NoProgress,
}

impl Broken {
    /// What is broken, the same for all cases of it.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::TwoLeases { .. } => "two leases",
            Self::OlderTerm { .. } => "older term",
            Self::Lost { .. } => "lost write",
            Self::Stale { .. } => "stale answer",
            Self::NoProgress => "no progress",
        }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TwoLeases { one, other } => {
                write!(
                    f,
                    "two lease holders at one moment: replicas {one} and {other}"
                )
            }
            Self::OlderTerm { replica, was, is } => {
                write!(f, "replica {replica} went from term {was} back to {is}")
            }
            Self::Lost { index, was, is } => write!(
                f,
                "an acknowledged write is lost: entry {index} was {was:#x} and is {is:#x}"
            ),
            Self::Stale { index, known } => {
                write!(
                    f,
                    "answered with entry {index} although {known} had been answered before"
                )
            }
            Self::NoProgress => {
                f.write_str("no write was acknowledged after everything was healed")
            }
        }
    }
}

/// What was seen so far.
#[derive(Debug, Default)]
pub(crate) struct Checks {
    /// The last term of each replica.
    terms: BTreeMap<u8, u64>,
    /// The value of each entry that somebody was told of.
    values: BTreeMap<u64, u64>,
    /// The newest entry that somebody was told of.
    newest: u64,
    /// Calls under way: whether it writes, what, and the newest entry when it was asked.
    calls: BTreeMap<(u8, u64), (Option<u64>, u64)>,
    /// Acknowledged writes.
    pub(crate) writes: u64,
    pub(crate) reads: u64,
}

impl Checks {
    /// Looks at all replicas that are up, each with its own clocks.
    pub(crate) fn replicas<'a>(
        &mut self,
        all: impl Iterator<Item = (u8, &'a Replica, Now)>,
    ) -> Result<(), Broken> {
        let mut holder = None;
        for (number, replica, now) in all {
            let was = self.terms.insert(number, replica.term()).unwrap_or(0);
            if replica.term() < was {
                let is = replica.term();
                return Err(Broken::OlderTerm {
                    replica: number,
                    was,
                    is,
                });
            }
            if replica.holds_lease(now) {
                if let Some(one) = holder.replace(number) {
                    return Err(Broken::TwoLeases { one, other: number });
                }
            }
        }
        Ok(())
    }

    /// Takes in what a caller did in this step.
    pub(crate) fn caller(&mut self, caller: u8, told: Told) -> Result<(), Broken> {
        match told {
            Told::Writes { id, value } => {
                self.calls.insert((caller, id), (Some(value), self.newest));
            }
            Told::Reads { id } => {
                self.calls.insert((caller, id), (None, self.newest));
            }
            Told::GaveUp { id } => {
                self.calls.remove(&(caller, id));
            }
            Told::Stored { id, index } => {
                let Some((Some(value), known)) = self.calls.remove(&(caller, id)) else {
                    return Ok(());
                };
                self.writes += 1;
                // A write is newer than everything that was known before.
                self.answered(index, value, known + 1)?;
            }
            Told::Found { id, index, value } => {
                let Some((None, known)) = self.calls.remove(&(caller, id)) else {
                    return Ok(());
                };
                self.reads += 1;
                self.answered(index, value, known)?;
            }
        }
        Ok(())
    }

    /// An answer came: its entry is at least `least`, and what it was for all others.
    fn answered(&mut self, index: u64, value: u64, least: u64) -> Result<(), Broken> {
        if index < least {
            return Err(Broken::Stale {
                index,
                known: least,
            });
        }
        let was = *self.values.entry(index).or_insert(value);
        if was != value {
            return Err(Broken::Lost {
                index,
                was,
                is: value,
            });
        }
        self.newest = self.newest.max(index);
        Ok(())
    }
}
