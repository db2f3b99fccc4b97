//! A control loop of 1 kHz: a cart on a rail is held at its target, an operator talks to it over TCP.
//!
//! ```text
//! cargo run --release --example control_loop -- --secs 10
//! cargo run --release --example control_loop -- --secs 600 --core 1 --fifo 50
//! cargo run --release --example control_loop -- --stall 5 --overrun skip
//! cargo run --release --example control_loop -- --wait epoll
//! ```
//!
//! The loop is the program's own: `turn` does what is due and says until when there is nothing more, the
//! loop waits until then, by the most exact means it has. How late each period began goes into a histogram
//! of 1 µs; every period that was missed is counted, and all of them must add up.
//!
//! How exact it is depends on the system more than on the program. Without anything Linux ends a sleep up
//! to 50 µs late (the timer slack of ordinary processes) and whenever the processor has nothing better to
//! do. `--fifo PRIO` starts the program anew under `chrt -f`, which needs the right to do so: then it goes before all
//! ordinary processes, and has no timer slack. `--core N` keeps it on one processor, which should have
//! nothing else to do (`isolcpus`, or a cpuset). `docs/embedding.md` has the rest.
//!
//! `rig.rs` has the doers, `operator.rs` the other end of the line, who verifies what it is told.

pub(crate) mod common;

#[path = "common/histogram.rs"]
mod histogram;
#[path = "control_loop/operator.rs"]
pub(crate) mod operator;
#[path = "control_loop/rig.rs"]
pub(crate) mod rig;

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};
use std::time::Duration;

use common::{Usage, say};
use hio::doers::SignalDoer;
use hio::doing::prelude::*;
use hio::doing::{Overrun, Overruns, Turn, Wake};
use hio::net::{Endpoint, MioNet};
use histogram::Histogram;
use lexopt::prelude::*;
use operator::Operator;
use rig::{Control, PERIOD, Rig, Telemetry};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

const HELP: &str = "\
Runs a control loop of 1 kHz for some seconds and prints how late its periods began.

    control_loop [OPTIONS]

    --secs S         how long (default: 5)
    --overrun HOW    what becomes of late periods: catch-up (default: 4 in a row), skip, or realign
    --wait HOW       sleep: until the next period, sockets are served in periods only (default);
                     poll: for sockets, too, to the nanosecond; epoll: in whole milliseconds, as
                     a Doist that runs by itself
    --stall MS       take so long in every 500th period
    --core N         stay on this processor
    --fifo PRIO      run under SCHED_FIFO, by chrt(1); 1 to 99
    --addr H:P       listen there for operators (default: 127.0.0.1:0)

It prints `listening on ADDR` and its figures, ends by itself, or in order on SIGINT and SIGTERM, and
fails when periods are unaccounted for or the operator was told something wrong.";

struct Options {
    secs: Duration,
    overrun: Overrun,
    wait: Wait,
    stall: Duration,
    core: Option<usize>,
    fifo: Option<u8>,
    at: Endpoint,
}

/// How the loop waits for the next period.
#[derive(Clone, Copy, PartialEq)]
enum Wait {
    Sleep,
    Poll,
    Epoll,
}

fn main() -> ExitCode {
    env_logger::init();
    common::run("control_loop", HELP, options(), control)
}

fn options() -> Result<Options, Usage> {
    let mut o = Options {
        secs: Duration::from_secs(5),
        overrun: Overrun::default(),
        wait: Wait::Sleep,
        stall: Duration::ZERO,
        core: None,
        fifo: None,
        at: Endpoint::host("127.0.0.1", 0),
    };
    let mut at = None;
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            Long("secs") => o.secs = common::secs(&args.value()?)?,
            Long("overrun") => {
                o.overrun = match args.value()?.string()?.as_str() {
                    "catch-up" => Overrun::default(),
                    "skip" => Overrun::Skip,
                    "realign" => Overrun::Realign,
                    other => return Err(Usage::wrong(format!("no overrun policy {other}"))),
                }
            }
            Long("wait") => {
                o.wait = match args.value()?.string()?.as_str() {
                    "sleep" => Wait::Sleep,
                    "poll" => Wait::Poll,
                    "epoll" => Wait::Epoll,
                    other => return Err(Usage::wrong(format!("no way to wait {other}"))),
                }
            }
            Long("stall") => o.stall = Duration::from_millis(args.value()?.parse()?),
            Long("core") => o.core = Some(args.value()?.parse()?),
            Long("fifo") => o.fifo = Some(args.value()?.parse()?),
            Long("addr") => common::once(&mut at, common::tcp(&args.value()?)?)?,
            Short('h') | Long("help") => return Err(Usage::Help),
            other => return Err(other.unexpected().into()),
        }
    }
    if o.fifo.is_some_and(|prio| !(1..=99).contains(&prio)) {
        return Err(Usage::wrong("--fifo takes 1 to 99"));
    }
    if o.stall > Duration::from_millis(400) {
        return Err(Usage::wrong("--stall takes at most 400 ms"));
    }
    o.at = at.unwrap_or(o.at);
    Ok(o)
}

fn control(options: Options) -> Result<(), Fault> {
    if let Some(prio) = options.fifo {
        return Err(anew_under_fifo(prio));
    }
    let mut net = net(options.wait)?;
    let wake = match options.wait {
        Wait::Sleep => Wake::OnTick,
        Wait::Poll | Wait::Epoll => Wake::Now,
    };
    let mut doist = doist(options.at, options.stall)
        .with_limit(options.secs)
        .with_overrun(options.overrun)
        .with_wake(wake);
    doist.named("signals").add(SignalDoer::new(&mut net)?);
    doist.enter(&mut net)?;
    let at = doist.app.server.eha();
    say(format_args!(
        "listening on {}",
        common::plain(doist.app.server.ha())
    ))?;
    let at = at.addr().ok_or_else(|| Fault::msg("it listens nowhere"))?;
    let operator = Operator::start(at);
    if let Some(core) = options.core {
        stay_on(core)?; // the operator does not
    }

    let begin = net.now();
    let (outcome, work) = periods(&mut doist, &mut net, options.wait)?;
    let end = net.now();
    let seen = operator.stop()?;
    report(&doist, &work)?;
    say(format_args!(
        "operator: {} states verified, {} targets reached",
        seen.states, seen.reached
    ))?;
    if let Some(why) = seen.wrong {
        return Err(Fault::msg(format!("the operator was told wrong: {why}")));
    }
    // It comes a little after the beginning, and may miss the very end.
    let told = doist.app.periods / rig::EVERY;
    if seen.states < told / 2 && outcome == Outcome::Limit && told >= 20 {
        let why = format!("the operator was told {} of {told} states", seen.states);
        return Err(Fault::msg(why));
    }
    let known = doist.app.periods + doist.overruns().missed;
    let within = [doist.app.due - begin, end - begin];
    periods_add_up(known, doist.overruns().realigned, within)
}

/// The rig and its line to operators, in periods.
pub(crate) fn doist(at: Endpoint, stall: Duration) -> Doist<Rig> {
    let mut doist = Doist::new(Rig::new(at)).with_tock(PERIOD);
    doist.named("control").add(Control { stall });
    doist.named("telemetry").add(Telemetry);
    doist
}

/// The loop. Gives how it ended, and how long its turns worked.
fn periods(
    doist: &mut Doist<Rig>,
    net: &mut MioNet,
    wait: Wait,
) -> Result<(Outcome, Histogram), Fault> {
    let mut work = Histogram::new();
    loop {
        let now = net.now();
        let turn = doist.turn(net)?;
        work.add(net.now() - now);
        match turn {
            Turn::Ended(outcome) => return Ok((outcome, work)),
            Turn::Sleep(until) => {
                doist.app.due = until;
                match wait {
                    Wait::Sleep => sleep(until - net.now()),
                    Wait::Poll | Wait::Epoll => net.poll(until)?,
                }
            }
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "here the loop waits, not the library"
)]
fn sleep(time: Duration) {
    // On Linux this is clock_nanosleep.
    std::thread::sleep(time);
}

/// With `Poll`, a net that waits by ppoll, which counts in nanoseconds.
fn net(wait: Wait) -> Result<MioNet, Fault> {
    let net = MioNet::new()?;
    if wait != Wait::Poll {
        return Ok(net);
    }
    Ok(net.with_waiter(|fd, time| {
        let time = time.map(|time| Timespec {
            tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: time.subsec_nanos().into(),
        });
        let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::IN)];
        poll(&mut fds, time.as_ref())?;
        Ok(())
    }))
}

fn report(doist: &Doist<Rig>, work: &Histogram) -> Result<(), Fault> {
    let rig = &doist.app;
    let Overruns {
        late,
        missed,
        realigned,
        ..
    } = doist.overruns();
    say(format_args!(
        "periods: {} run, {missed} missed, {late} caught up, {realigned} times realigned",
        rig.periods
    ))?;
    say(format_args!("late by: {}", rig.jitter.line()))?;
    for row in rig.jitter.rows() {
        say(row)?;
    }
    Ok(say(format_args!("work of a turn: {}", work.line()))?)
}

/// Every period that was due is known: it was run, or is counted as missed. The clock bounds them: no
/// fewer than were due before the last one, no more than have begun at the end. Where the rhythm is taken
/// up anew, a part of a period is let go of each time.
fn periods_add_up(known: u64, realigned: u64, within: [Duration; 2]) -> Result<(), Fault> {
    let periods = |span: Duration| u64::try_from(span.as_nanos() / PERIOD.as_nanos());
    let [due, begun] = [periods(within[0])?, periods(within[1])?];
    if known > begun + 1 || known + realigned + 1 < due {
        let why = format!("{known} known, of {due} to {begun} by the clock");
        return Err(Fault::msg(format!("periods do not add up: {why}")));
    }
    Ok(())
}

/// Keeps this thread on one processor, as `taskset -c N` does a process.
fn stay_on(core: usize) -> Result<(), Fault> {
    let mut set = rustix::thread::CpuSet::new();
    if core >= rustix::thread::CpuSet::MAX_CPU {
        return Err(Fault::msg(format!("there is no processor {core}")));
    }
    set.set(core);
    rustix::thread::sched_setaffinity(None, &set)
        .map_err(|why| Fault::msg(format!("cannot stay on processor {core}: {why}")))
}

/// Becomes the same program under `chrt -f`. The threads it starts are ordinary ones. Comes back only
/// with the reason why that failed.
fn anew_under_fifo(prio: u8) -> Fault {
    let mut args = vec!["-f".to_owned(), "-R".to_owned(), prio.to_string()];
    let program = match std::env::current_exe() {
        Ok(path) => path,
        Err(why) => return why.into(),
    };
    args.push(program.display().to_string());
    let mut given = std::env::args().skip(1);
    while let Some(arg) = given.next() {
        match arg.as_str() {
            "--fifo" => drop(given.next()),
            other if other.starts_with("--fifo=") => {}
            _ => args.push(arg),
        }
    }
    let why = Command::new("chrt").args(args).exec();
    Fault::msg(format!("chrt does not start: {why}"))
}
