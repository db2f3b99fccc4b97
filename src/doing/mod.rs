//! Doers and their scheduler.
//!
//! A [`Doist`] runs [`Doer`]s tick by tick, a [`DoDoer`] runs doers as a doer, and both use the
//! one scheduler type [`Deeds`]. Knows tyme, and the net only as the door it passes along.

mod bits;
mod cx;
mod deed;
mod deeds;
mod dodoer;
mod doer;
mod doist;
mod fault;
mod hub;
mod make;
mod pace;
mod pipe;
mod rng;
mod run;
mod stall;
mod stats;
mod supervise;
mod watch;

pub use cx::{Adding, Ask, Asking, Batch, Cx, Id};
pub use deeds::Deeds;
pub use dodoer::DoDoer;
pub use doer::{Doer, Ended, Next};
pub use doist::{Advance, Budget, Doist, Due, Joining, Outcome, Step, Turn};
pub use fault::{Cause, Fault, Hook, Misuse};
pub use hub::{DoerId, Event, Kind as PassKind};
pub use make::{Doify, Redo, doify, redo};
pub use pace::{Overrun, Overruns, Pace, StopHandle, Wake};
pub use pipe::Pipe;
pub use rng::Rng;
pub use stall::{Running, Stall, StallReport, StallWatch};
pub use stats::{DoerState, DoerStats, DoistStats, Listing, Snapshot, StatsHandle};
pub use supervise::{Restarts, Verdict};
pub use watch::{Seen, Watcher};

/// What most programs with doers need.
pub mod prelude {
    pub use super::Next::{self, *};
    pub use super::{
        Cx, Deeds, DoDoer, Doer, DoerId, Doist, Ended, Fault, Id, Outcome, Pace, Pipe, doify, redo,
    };
    pub use crate::net::{Net, NullNet};
    pub use crate::tyme::{Tyme, Tymer};
}
