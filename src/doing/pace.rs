//! How tyme follows the clock.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::fault::{Fault, Misuse};
use crate::net::{Interrupt, Net};
use crate::tyme::{Tyme, Tymist};

/// How fast tyme runs in [`Doist::run`](super::Doist::run).
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub enum Pace {
    /// One second of tyme a second of the net's clock, never ahead of it.
    #[default]
    Real,
    /// So many seconds of tyme a second of the net's clock.
    Scaled(f64),
    /// As fast as possible: nothing waits for the clock.
    Asap,
}

/// What readiness does between two ticks (law P4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Wake {
    /// It begins a wake pass at once: only the woken doers and their parked ancestors run.
    #[default]
    Now,
    /// It waits for the next tick, as in hio.
    OnTick,
}

/// What a paced Doist does when its clock is more than a tock ahead (law P5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overrun {
    /// Runs the late ticks one after the other without waiting, at most so many in a row; then
    /// lets go of the rest and takes the rhythm up anew from now.
    CatchUp {
        /// Late ticks in a row.
        at_most: u32,
    },
    /// Leaves the late ticks out: tyme leaps to the last tick that the clock has reached.
    Skip,
    /// Takes the rhythm up anew from now: tyme goes on tick by tick and stays behind the clock.
    Realign,
}

impl Default for Overrun {
    fn default() -> Self {
        Self::CatchUp { at_most: 4 }
    }
}

/// How often a paced Doist was late. Ticks on which nothing is due are never late.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Overruns {
    /// Ticks that ran more than a tock late.
    pub late: u64,
    /// Ticks that were left out or let go of.
    pub missed: u64,
    /// How often the rhythm was taken up anew.
    pub realigned: u64,
}

/// Asks a running Doist to stop, from any thread or from a signal handler.
#[derive(Clone, Debug, Default)]
pub struct StopHandle(Arc<StopFlag>);

#[derive(Debug, Default)]
struct StopFlag {
    stop: AtomicBool,
    interrupt: Mutex<Option<Interrupt>>,
}

impl StopHandle {
    /// The Doist stops before its next pass and closes its doers in order. Never blocks.
    pub fn stop(&self) {
        self.0.stop.store(true, Ordering::SeqCst);
        // Whoever holds the lock is a Doist on its way to look at the flag.
        if let Ok(guard) = self.0.interrupt.try_lock() {
            if let Some(interrupt) = &*guard {
                interrupt.fire();
            }
        }
    }

    pub(super) fn attach(&self, net: &mut dyn Net) {
        if let Ok(mut guard) = self.0.interrupt.lock() {
            *guard = net.interrupt();
        }
    }

    pub(super) fn is_set(&self) -> bool {
        self.0.stop.load(Ordering::Relaxed)
    }

    pub(super) fn take(&self) -> bool {
        self.0.stop.swap(false, Ordering::SeqCst)
    }
}

/// Where tyme stands against the clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pacer {
    pace: Pace,
    /// This moment of the clock is that moment of tyme.
    clock: Tyme,
    tyme: Tyme,
    /// Late ticks run in a row.
    behind: u32,
}

impl Pacer {
    pub(super) fn new(pace: Pace, clock: Tyme, tymist: &Tymist) -> Result<Self, Fault> {
        match pace {
            Pace::Scaled(speed) if !(speed.is_finite() && speed > 0.0) => {
                return Err(Fault::misuse(Misuse::BadPace));
            }
            Pace::Real | Pace::Scaled(_) if tymist.tock().is_zero() => {
                return Err(Fault::misuse(Misuse::ZeroTock));
            }
            _ => {}
        }
        Ok(Self {
            pace,
            clock,
            tyme: tymist.tyme(),
            behind: 0,
        })
    }

    pub(super) const fn is_asap(&self) -> bool {
        matches!(self.pace, Pace::Asap)
    }

    /// When the clock reaches a moment of tyme.
    pub(super) fn clock_at(&self, tyme: Tyme) -> Tyme {
        match self.pace {
            Pace::Real => shift(self.clock, self.tyme, tyme),
            Pace::Scaled(speed) => self.clock + scale(tyme.since(self.tyme), 1.0 / speed),
            Pace::Asap => Tyme::ZERO,
        }
    }

    /// Which tyme the clock has reached.
    pub(super) fn tyme_at(&self, clock: Tyme) -> Tyme {
        match self.pace {
            Pace::Real | Pace::Asap => shift(self.tyme, self.clock, clock),
            Pace::Scaled(speed) => self.tyme + scale(clock.since(self.clock), speed),
        }
    }

    /// How many ticks to take at `clock`, when the tick `ahead` is due and reached.
    pub(super) fn catch_up(
        &mut self,
        clock: Tyme,
        ahead: u64,
        tymist: &Tymist,
        overrun: Overrun,
        counts: &mut Overruns,
    ) -> u64 {
        if self.is_asap() {
            return ahead;
        }
        let tick = tymist.after(ahead);
        let late = tymist
            .ticks_within(self.tyme_at(clock))
            .saturating_sub(ahead);
        if late == 0 {
            self.behind = 0;
            return ahead;
        }
        match overrun {
            Overrun::CatchUp { at_most } if self.behind < at_most => {
                self.behind += 1;
                counts.late += 1;
            }
            Overrun::Skip => {
                counts.missed += late;
                return ahead + late;
            }
            Overrun::CatchUp { .. } | Overrun::Realign => {
                self.behind = 0;
                counts.missed += late;
                counts.realigned += 1;
                (self.clock, self.tyme) = (clock, tick);
            }
        }
        ahead
    }
}

/// As much after `base` as `to` is after `from`. In nanoseconds: a `Duration` in between costs
/// two divisions, at every message.
const fn shift(base: Tyme, from: Tyme, to: Tyme) -> Tyme {
    let span = to.as_nanos().saturating_sub(from.as_nanos());
    Tyme::from_nanos(base.as_nanos().saturating_add(span))
}

fn scale(span: Duration, by: f64) -> Duration {
    Duration::try_from_secs_f64(span.as_secs_f64() * by).unwrap_or(Duration::MAX)
}
