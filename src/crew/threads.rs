//! A crew on threads.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::crew::{Crew, CrewError, CrewHandle, NetMaker};
use super::recruit::Recruit;
use super::report::Report;
use super::roll::Roll;
use super::seat::Seat;
use crate::doing::{Fault, Outcome};
use crate::net::Draws;
use crate::tyme::{Clock, SystemClock, Tyme};

/// The roll, and who waits for a change of it.
pub(super) struct Board {
    roll: Mutex<Roll>,
    change: Condvar,
}

impl Board {
    pub(super) const fn new(roll: Roll) -> Self {
        Self {
            roll: Mutex::new(roll),
            change: Condvar::new(),
        }
    }

    /// The roll is whole whenever the lock is free.
    pub(super) fn roll(&self) -> MutexGuard<'_, Roll> {
        self.roll.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn changed(&self) {
        self.change.notify_all();
    }
}

impl fmt::Debug for Board {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Board")
    }
}

/// A crew whose threads run.
///
/// Dropped without [`wait`](Self::wait), it stops the crew and waits for it.
#[must_use = "dropping it stops the crew"]
pub struct Running {
    board: Arc<Board>,
    threads: Vec<(String, JoinHandle<()>)>,
    stop_limit: Duration,
}

impl Running {
    pub(super) fn start(crew: Crew) -> Result<Self, CrewError> {
        let members = crew.recruits.len();
        let clock = SystemClock::new();
        let mut running = Self {
            board: crew.board,
            threads: Vec::new(),
            stop_limit: crew.stop_limit,
        };
        for (index, (recruit, name)) in crew.recruits.into_iter().zip(crew.names).enumerate() {
            let station = Station {
                recruit,
                name: name.clone(),
                index,
                members,
                seed: crew.seed,
                nets: Arc::clone(&crew.nets),
                board: Arc::clone(&running.board),
                clock,
            };
            let builder = thread::Builder::new().name(name.clone());
            match builder.spawn(move || station.serve()) {
                Ok(thread) => running.threads.push((name, thread)),
                Err(e) => {
                    running.handle().stop();
                    for absent in index..members {
                        running.board.roll().may_begin(absent); // it is not to be
                    }
                    // Dropping what runs stops and joins it.
                    let why = e.kind();
                    return Err(CrewError::Thread { name, why });
                }
            }
        }
        Ok(running)
    }

    /// A handle to stop it with, from any thread.
    #[must_use]
    pub fn handle(&self) -> CrewHandle {
        CrewHandle(Arc::clone(&self.board))
    }

    /// Stops the crew in order and waits for it, within the limit.
    pub fn stop(self) -> Report {
        self.handle().stop();
        self.wait()
    }

    /// Waits until all members have ended. Once the crew is stopping, by whomever, this takes no
    /// longer than its limit.
    pub fn wait(mut self) -> Report {
        self.finish()
    }

    fn finish(&mut self) -> Report {
        let mut roll = self.watch();
        // Under one lock: what is reported as straggling is not joined, and all others are.
        let over: Vec<bool> = (0..self.threads.len()).map(|i| roll.is_over(i)).collect();
        let members = roll.report();
        drop(roll);
        let mut stragglers = Vec::new();
        for ((name, thread), over) in self.threads.drain(..).zip(over) {
            if !over {
                stragglers.push((name, thread));
            } else if thread.join().is_err() {
                log::error!("the thread of {name} panicked outside of its member");
            }
        }
        Report::new(members, stragglers)
    }

    /// Waits for the end of all, and keeps the limit: each member has its share of what is left.
    fn watch(&self) -> MutexGuard<'_, Roll> {
        let mut clock = SystemClock::new();
        let mut limit: Option<Tyme> = None;
        let mut share = Tyme::NEVER;
        let mut untold = usize::MAX;
        let mut roll = self.board.roll();
        while !roll.all_over() {
            if !roll.is_stopping() {
                let waited = self.board.change.wait(roll);
                roll = waited.unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let now = clock.now();
            let until = *limit.get_or_insert(now + self.stop_limit);
            if now >= until {
                while roll.untold() > 0 {
                    roll.tell_next(true);
                }
                break;
            }
            if now >= share && roll.untold() > 0 {
                roll.tell_next(true);
            }
            if roll.untold() != untold {
                // Another one was told: it has its share of the time from now on.
                untold = roll.untold();
                let shares = u32::try_from(untold + 1).unwrap_or(u32::MAX);
                share = now + until.since(now) / shares;
            }
            let wait = share.min(until).since(now).max(Duration::from_millis(1));
            let waited = self.board.change.wait_timeout(roll, wait);
            roll = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        roll
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.threads.is_empty() {
            self.handle().stop();
            drop(self.finish());
        }
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.threads.iter().map(|(name, _)| name);
        f.debug_list().entries(names).finish()
    }
}

/// What a member's thread works on.
struct Station {
    recruit: Box<dyn Recruit>,
    name: String,
    index: usize,
    members: usize,
    seed: u64,
    nets: NetMaker,
    board: Arc<Board>,
    clock: SystemClock,
}

impl Station {
    /// Runs the member until it has ended for good.
    fn serve(mut self) {
        let mut restarts = 0;
        while self.board.roll().may_begin(self.index) {
            let lived = catch_unwind(AssertUnwindSafe(|| self.live(restarts)));
            let lived = lived.unwrap_or_else(|panic| Err(Fault::panicked(&*panic)));
            if !self.tell(lived) {
                break;
            }
            restarts += 1;
        }
        self.board.changed();
    }

    /// Tells of its end, and says whether it is to go on.
    fn tell(&mut self, lived: Result<Outcome, Fault>) -> bool {
        let now = self.clock.now();
        let again = self.board.roll().ended(self.index, lived, now);
        self.board.changed();
        again
    }

    /// One life: a new net, a new Doist.
    fn live(&mut self, restarts: u32) -> Result<Outcome, Fault> {
        let mut net = (self.nets)(&self.name)?;
        let mut seat = Seat {
            net: &mut *net,
            name: &self.name,
            index: self.index,
            members: self.members,
            restarts,
            seed: seed_of(self.seed, &self.name, restarts),
            crew: CrewHandle(Arc::clone(&self.board)),
        };
        let (board, index) = (&self.board, self.index);
        self.recruit
            .run(&mut seat, &mut |stop| board.roll().began(index, stop))
    }
}

/// A member's seed: its own in each life.
fn seed_of(seed: u64, name: &str, restarts: u32) -> u64 {
    Draws::new(seed)
        .keyed_bytes(name.as_bytes())
        .keyed(restarts.into())
        .next_u64()
}
