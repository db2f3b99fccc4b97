//! Two loops in one thread: a Doist inside calloop's, and then sources that are none of hio's inside a
//! Doist's.
//!
//! ```text
//! cargo run --release --example foreign_loop -- --secs 4
//! ```
//!
//! In the first half calloop owns the poll. A Doist with an echo server is one of its sources
//! (`source.rs`, to take along): calloop watches the net's descriptor, sleeps as long as the Doist's
//! `slack()` says, and serves its own timers and a client of its own beside it (`inside.rs`).
//!
//! In the second half the Doist owns the poll (`devices.rs`): a doer serves a pipe of mio's, another one a
//! timer of the system's, and both are woken by the net as if they had sockets.

pub(crate) mod common;

#[path = "foreign_loop/devices.rs"]
mod devices;
#[path = "foreign_loop/inside.rs"]
pub(crate) mod inside;
#[path = "foreign_loop/source.rs"]
mod source;

use std::process::ExitCode;
use std::time::Duration;

use common::Usage;
use hio::doing::{Fault, Outcome};
use lexopt::prelude::*;

const HELP: &str = "\
Runs a Doist inside calloop's loop, then foreign sources inside a Doist, and verifies both.

    foreign_loop [--secs S]

    --secs S    how long, each of the two half of it (default: 4)

It prints `listening on ADDR` and what came of both, ends by itself, or in order on SIGINT and
SIGTERM, and fails when an echo or a record is wrong or a loop spins.";

fn main() -> ExitCode {
    env_logger::init();
    common::run("foreign_loop", HELP, options(), both)
}

fn options() -> Result<Duration, Usage> {
    let mut secs = Duration::from_secs(4);
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            Long("secs") => secs = common::secs(&args.value()?)?,
            Short('h') | Long("help") => return Err(Usage::Help),
            other => return Err(other.unexpected().into()),
        }
    }
    Ok(secs)
}

fn both(secs: Duration) -> Result<(), Fault> {
    match inside::run(secs / 2)? {
        Outcome::Limit => devices::run(secs / 2),
        _ => Ok(()), // a signal
    }
}
