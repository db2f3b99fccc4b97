use std::fmt;
use std::thread::JoinHandle;

use crate::doing::{Fault, Outcome};

/// How a crew ended: each member in turn.
#[must_use = "that members failed is told nowhere else"]
pub struct Report {
    members: Vec<MemberReport>,
    /// Threads that had not ended when the limit was reached.
    stragglers: Vec<(String, JoinHandle<()>)>,
}

/// How one member ended.
#[derive(Debug)]
#[non_exhaustive]
pub struct MemberReport {
    /// Its name.
    pub name: String,
    /// How often it was restarted.
    pub restarts: u32,
    /// How it was left.
    pub left: Left,
}

/// How a member was left.
#[derive(Debug)]
#[non_exhaustive]
pub enum Left {
    /// Its Doist ended so.
    Ended(Outcome),
    /// It failed for the last time. The fault's path begins with its name.
    Failed(Fault),
    /// It had not ended when the limit was reached.
    Straggling,
    /// Only in a simulation: its power was off.
    Down,
}

impl Report {
    pub(super) const fn new(
        members: Vec<MemberReport>,
        stragglers: Vec<(String, JoinHandle<()>)>,
    ) -> Self {
        Self {
            members,
            stragglers,
        }
    }

    /// The members, in the order they were added.
    #[must_use]
    pub fn members(&self) -> &[MemberReport] {
        &self.members
    }

    /// The member of that name.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<&MemberReport> {
        self.members.iter().find(|member| member.name == name)
    }

    /// Whether every member ended, and none failed for good.
    #[must_use]
    pub fn is_well(&self) -> bool {
        let ended = |m: &MemberReport| matches!(m.left, Left::Ended(_));
        self.members.iter().all(ended)
    }

    /// The first failure, the others with it; stragglers count as failures.
    ///
    /// # Errors
    /// That failure.
    pub fn into_result(mut self) -> Result<(), Fault> {
        let mut faults = Vec::new();
        for member in std::mem::take(&mut self.members) {
            match member.left {
                Left::Ended(_) => {}
                Left::Failed(fault) => faults.push(fault),
                Left::Straggling => {
                    faults.push(Fault::msg(format!("{} did not stop", member.name)));
                }
                Left::Down => faults.push(Fault::msg(format!("{} is down", member.name))),
            }
        }
        let mut faults = faults.into_iter();
        match faults.next() {
            None => Ok(()),
            Some(mut first) => {
                first.and(faults);
                Err(first)
            }
        }
    }

    /// Waits for the threads that had not ended, for as long as that takes. A report that is dropped
    /// without leaves them running and says so in the log.
    pub fn join_stragglers(&mut self) {
        for (name, thread) in self.stragglers.drain(..) {
            if thread.join().is_err() {
                log::error!("the thread of {name} panicked outside of its member");
            }
        }
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        for (name, thread) in &self.stragglers {
            if !thread.is_finished() {
                log::error!("member {name} did not stop within the limit; its thread is left");
            }
        }
    }
}

impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.members).finish()
    }
}

impl fmt::Display for Report {
    /// A line for each member.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, member) in self.members.iter().enumerate() {
            let end = if n > 0 { "\n" } else { "" };
            write!(f, "{end}{}: ", member.name)?;
            match &member.left {
                Left::Ended(outcome) => write!(f, "{}", format!("{outcome:?}").to_lowercase())?,
                Left::Failed(fault) => write!(f, "failed: {fault}")?,
                Left::Straggling => f.write_str("did not stop within the limit")?,
                Left::Down => f.write_str("down")?,
            }
            if member.restarts > 0 {
                write!(f, " (restarts: {})", member.restarts)?;
            }
        }
        Ok(())
    }
}
