//! Many seeds, over as many threads as asked for, and what is to be done when one of them fails.
//!
//! A [`Scenario`] says what a seed means: which nodes, how long, which faults, and what must hold.
//! A [`Campaign`] runs it for many seeds, finds the first one that fails, and makes its case small.
//! What it reports does not depend on the number of jobs.

mod shard;
mod shrink;
mod store;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::fault::FaultPlan;
use crate::net::TraceHash;
use crate::tyme::Tyme;

pub use shard::{Shard, ShardError};
use store::Store;

/// Everything that a run depends on. The same case gives the same run.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// What everything random follows from.
    pub seed: u64,
    /// How many nodes there are.
    pub nodes: u32,
    /// How long things go wrong, in the simulation's time: what has to be safe is checked.
    pub time: Duration,
    /// How long it goes on then, with everything healed: what has to be live is checked.
    pub calm: Duration,
    /// What goes wrong.
    pub faults: FaultPlan,
}

/// What a run came to.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// The hash of its trace.
    pub hash: TraceHash,
    /// What did not hold.
    pub failure: Option<Failure>,
    /// The marks that the program named (`Cx::sometimes`, `Cx::reachable`), and whether they were
    /// met in this run.
    pub marks: BTreeMap<String, bool>,
}

/// How a run failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What failed, the same for all failures of this kind: a case counts as failing in the same
    /// way when this is the same.
    pub name: String,
    /// What exactly happened.
    pub detail: String,
    /// When, in the simulation's time.
    pub at: Tyme,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at {}: {}", self.at, self.detail)
    }
}

/// What a campaign runs. It is shared by all jobs.
pub trait Scenario: Sync {
    /// What a seed means: chosen by chance, but always the same for the same seed.
    fn case(&self, seed: u64) -> Case;

    /// Runs a case. A panic counts as a failure.
    fn run(&self, case: &Case) -> Run;

    /// The command line that runs a case again, its faults being in this file.
    fn command(&self, case: &Case, faults: &Path) -> String;

    /// The same case with fewer nodes, and without the faults of those that are gone; `None` when
    /// there cannot be fewer. That is so by default.
    fn fewer_nodes(&self, case: &Case) -> Option<Case> {
        let _ = case;
        None
    }
}

/// Many seeds of one scenario.
///
/// ```
/// use hio::sim::{Campaign, Case, FaultPlan, Run, Scenario};
/// use std::path::Path;
///
/// /// Nothing goes wrong here.
/// struct Quiet;
///
/// impl Scenario for Quiet {
///     fn case(&self, seed: u64) -> Case {
///         let time = std::time::Duration::from_secs(1);
///         Case { seed, nodes: 2, time, calm: time, faults: FaultPlan::new() }
///     }
///     fn run(&self, _case: &Case) -> Run {
///         Run::default() // a simulation would be built and run here
///     }
///     fn command(&self, case: &Case, faults: &Path) -> String {
///         format!("quiet --seed {} --faults {}", case.seed, faults.display())
///     }
/// }
/// let report = Campaign::new(0..100).with_jobs(2).run(&Quiet)?;
/// assert_eq!((report.runs, report.found.is_none()), (100, true));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Campaign {
    seeds: Range<u64>,
    jobs: usize,
    shard: Shard,
    store: Option<PathBuf>,
    plateau: Option<u64>,
    shrink_runs: usize,
}

/// Runs a scenario for many seeds over so many threads: [`Campaign`] with nothing else asked for.
///
/// # Errors
/// As [`Campaign::run`].
pub fn campaign<S: Scenario + ?Sized>(
    seeds: Range<u64>,
    jobs: usize,
    scenario: &S,
) -> io::Result<Report> {
    Campaign::new(seeds).with_jobs(jobs).run(scenario)
}

/// What a campaign found out: of all its seeds, or up to the first one that failed.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Runs that count.
    pub runs: u64,
    /// A hash over the hashes of all runs, by their seeds.
    pub hash: TraceHash,
    /// Events in the traces of all runs.
    pub events: u64,
    /// Faults in all cases.
    pub faults: u64,
    /// The marks that were named, and in how many runs each was met: 0 is one to think about.
    pub marks: BTreeMap<String, u64>,
    /// It ended before its last seed because no new mark was met for long.
    pub plateau: bool,
    /// The first seed that failed.
    pub found: Option<Found>,
}

/// A seed that failed.
#[derive(Clone, Debug)]
pub struct Found {
    /// The case as the seed has it.
    pub case: Case,
    /// How it failed.
    pub failure: Failure,
    /// The smallest case found that fails in the same way.
    pub least: Case,
    /// Runs that it took to find that.
    pub shrink_runs: usize,
    /// The command line that runs the smallest case again.
    pub command: String,
}

impl Campaign {
    /// A campaign of these seeds: one job, the whole, nothing stored, and shrinking in at most
    /// 2 000 runs.
    #[must_use]
    pub const fn new(seeds: Range<u64>) -> Self {
        Self {
            seeds,
            jobs: 1,
            shard: Shard::WHOLE,
            store: None,
            plateau: None,
            shrink_runs: 2000,
        }
    }

    /// Starts so many threads; with one, the default, none is started.
    #[must_use]
    pub const fn with_jobs(mut self, jobs: usize) -> Self {
        self.jobs = jobs;
        self
    }

    /// Runs only a part of the seeds.
    #[must_use]
    pub const fn with_shard(mut self, shard: Shard) -> Self {
        self.shard = shard;
        self
    }

    /// Writes each case into a file of this folder before it runs, `seed-N.faults`, and removes it
    /// when the run went well: what is left there afterwards has failed, or has taken the process
    /// with it. The file is a fault file, with the command that runs the case in its first lines.
    /// What shrinking makes of it is in `seed-N.least.faults`.
    #[must_use]
    pub fn stored_in(mut self, folder: impl Into<PathBuf>) -> Self {
        self.store = Some(folder.into());
        self
    }

    /// Ends when so many seeds in a row have met no mark that had not been met before.
    #[must_use]
    pub const fn until_plateau(mut self, seeds: u64) -> Self {
        self.plateau = Some(seeds);
        self
    }

    /// Shrinks in at most so many runs; 0 leaves a failing case as it is.
    #[must_use]
    pub const fn with_shrink_runs(mut self, runs: usize) -> Self {
        self.shrink_runs = runs;
        self
    }

    /// Runs it. Returns after the last seed, after the first that failed and was made small, or at
    /// a plateau.
    ///
    /// # Errors
    /// A case cannot be stored.
    pub fn run<S: Scenario + ?Sized>(&self, scenario: &S) -> io::Result<Report> {
        let store = Store::open(self.store.as_deref())?;
        let first = self.seeds.start;
        let mine = self
            .seeds
            .clone()
            .filter(|seed| self.shard.has(seed - first));
        let work = Mutex::new(Work {
            seeds: mine.collect(),
            taken: 0,
            done: BTreeMap::new(),
            counted: 0,
            idle: 0,
            over: None,
            report: Report::default(),
        });
        if self.jobs <= 1 {
            self.job(scenario, &store, &work)?;
        } else {
            thread::scope(|scope| {
                let start = |_| scope.spawn(|| self.job(scenario, &store, &work));
                let jobs: Vec<_> = (0..self.jobs).map(start).collect();
                let mut ends = jobs.into_iter().map(|job| job.join());
                ends.try_for_each(|end| end.unwrap_or_else(|why| std::panic::resume_unwind(why)))
            })?;
        }
        let work = work.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut report = work.report;
        if let Some(Over::Failed(case, failure)) = work.over {
            report.found = Some(self.make_small(scenario, &store, case, failure)?);
        }
        Ok(report)
    }

    /// Runs seed after seed until there is none left that counts.
    fn job<S: Scenario + ?Sized>(
        &self,
        scenario: &S,
        store: &Store,
        work: &Mutex<Work>,
    ) -> io::Result<()> {
        loop {
            let Some((number, seed)) = lock(work).take() else {
                return Ok(());
            };
            let case = scenario.case(seed);
            store.before(scenario, &case)?;
            let run = guarded(scenario, &case);
            if run.failure.is_none() {
                store.passed(seed)?;
            }
            lock(work).done(number, case, run, self.plateau);
        }
    }

    fn make_small<S: Scenario + ?Sized>(
        &self,
        scenario: &S,
        store: &Store,
        case: Case,
        failure: Failure,
    ) -> io::Result<Found> {
        let (least, shrink_runs) = match self.shrink_runs {
            0 => (case.clone(), 0),
            most => shrink::shrink(scenario, &case, &failure, most),
        };
        let command = store.least(scenario, &least)?;
        Ok(Found {
            case,
            failure,
            least,
            shrink_runs,
            command,
        })
    }
}

/// Runs a case; a panic is a failure of its own kind.
fn guarded<S: Scenario + ?Sized>(scenario: &S, case: &Case) -> Run {
    match catch_unwind(AssertUnwindSafe(|| scenario.run(case))) {
        Ok(run) => run,
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            let detail = format!(
                "panicked: {}",
                text.unwrap_or("with something that is no text")
            );
            Run {
                failure: Some(Failure {
                    name: "panic".to_owned(),
                    detail,
                    at: Tyme::ZERO + (case.time + case.calm),
                }),
                ..Run::default()
            }
        }
    }
}

/// What all jobs share. Runs end in any order and are counted in the order of their seeds, so that
/// what is counted does not depend on who was faster.
struct Work {
    seeds: Vec<u64>,
    taken: usize,
    /// Runs that ended before one with a smaller seed did.
    done: BTreeMap<usize, (Case, Run)>,
    counted: usize,
    /// Seeds in a row without a new mark.
    idle: u64,
    over: Option<Over>,
    report: Report,
}

enum Over {
    Failed(Case, Failure),
    Plateau,
}

impl Work {
    fn take(&mut self) -> Option<(usize, u64)> {
        let number = self.taken;
        // A failure further on does not count before all smaller seeds have ended.
        let needed = self.over.is_none() && !self.fails_before(number);
        let seed = self.seeds.get(number).filter(|_| needed)?;
        self.taken += 1;
        Some((number, *seed))
    }

    fn fails_before(&self, number: usize) -> bool {
        let mut done = self.done.range(..number);
        done.any(|(_, (_, run))| run.failure.is_some())
    }

    fn done(&mut self, number: usize, case: Case, run: Run, plateau: Option<u64>) {
        self.done.insert(number, (case, run));
        while self.over.is_none() {
            let Some((case, run)) = self.done.remove(&self.counted) else {
                return;
            };
            self.counted += 1;
            self.count(case, run, plateau);
        }
    }

    fn count(&mut self, case: Case, run: Run, plateau: Option<u64>) {
        let report = &mut self.report;
        report.runs += 1;
        report.events += run.hash.events();
        report.faults += case.faults.faults.len() as u64;
        report.hash.event(&[case.seed, run.hash.value()], b"");
        self.idle += 1;
        for (name, met) in run.marks {
            let runs = report.marks.entry(name).or_default();
            if met {
                if *runs == 0 {
                    self.idle = 0;
                }
                *runs += 1;
            }
        }
        if let Some(failure) = run.failure {
            self.over = Some(Over::Failed(case, failure));
        } else if plateau.is_some_and(|seeds| self.idle >= seeds) {
            report.plateau = true;
            self.over = Some(Over::Plateau);
        }
    }
}

fn lock(work: &Mutex<Work>) -> std::sync::MutexGuard<'_, Work> {
    // A job that panicked has not held it: what runs between is guarded.
    work.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
