//! hio beside the barest program that does the same work, mio by hand, tokio, and turmoil.
//!
//! ```text
//! cargo bench --bench compare                       everything, about twenty minutes
//! cargo bench --bench compare -- --quick            a look, about a minute
//! cargo bench --bench compare -- --only ticks,echo  parts: ticks timers echo idle connect counts
//!                                                   tls, http, simulation, channel, cores and
//!                                                   embedding
//! ```
//!
//! One table with ratios comes out. `docs/BENCH.md` says how the figures are taken.

mod channel;
mod channel_load;
mod cores;
mod counts;
mod echo;
mod embedding;
mod embedding_loop;
mod http;
mod http_load;
mod load;
mod measure;
mod process;
mod simulation;
mod table;
mod ticks;
mod timers;
mod tls;
mod tls_config;
mod tls_load;

use std::alloc::System;
use std::path::PathBuf;
use std::process::ExitCode;

use lexopt::prelude::*;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

use crate::load::{Kind, Plan};
use crate::table::Table;

/// Counts bytes, for the rows on memory. The servers are programs of their own, without it.
#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Calls of the allocator so far that took something.
fn allocations() -> usize {
    let stats = ALLOCATOR.stats();
    stats.allocations + stats.reallocations
}

/// Bytes that are allocated now.
fn allocated() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated - stats.bytes_deallocated
}

const HELP: &str = "\
Measures hio beside a floor, mio by hand and tokio; prints one table.

  --quick          few and short rounds: shows that it works, not how fast
  --only A,B       parts: ticks timers echo idle connect counts tls http simulation channel
                   cores embedding
  --rounds N       rounds (16)
  --secs S         seconds of each round (0.5)
  --write FILE     puts the table between the marks in this page, too
  --candidate CMD  another server than hio's example; gets `--addr HOST:PORT`, and for TLS
                   `--tls --cert PEM --key PEM`";

/// How much of everything.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Scale {
    quick: bool,
    rounds: usize,
    seconds: f64,
}

impl Scale {
    /// Numbers of doers.
    fn sizes(self) -> Vec<usize> {
        match self.quick {
            true => vec![1_000, 100_000],
            false => vec![1_000, 100_000, 1_000_000],
        }
    }

    fn largest(self) -> usize {
        self.sizes().last().copied().unwrap_or(1_000)
    }

    fn quick(self) -> bool {
        self.quick
    }

    fn rounds(self) -> usize {
        self.rounds
    }

    /// Runs of a doer in one round.
    fn runs(self) -> usize {
        match self.quick {
            true => 1_000_000,
            false => 10_000_000,
        }
    }
}

/// The parts that `--only` knows.
const PARTS: [&str; 12] = [
    "ticks",
    "timers",
    "echo",
    "idle",
    "connect",
    "counts",
    "tls",
    "http",
    "simulation",
    "channel",
    "cores",
    "embedding",
];

/// What the command line says.
#[derive(Debug, Default)]
struct Options {
    scale: Scale,
    only: Vec<String>,
    candidate: Option<String>,
    write: Option<String>,
    /// This process is the load,
    load: bool,
    /// or a simulation and nothing else, for an instrument that counts.
    simulate: Option<String>,
    addr: String,
    pid: u32,
    /// Where the certificates are, for TLS.
    certs: Option<PathBuf>,
    plan: Plan,
}

fn main() -> ExitCode {
    let options = match options() {
        Ok(options) => options,
        Err(why) => {
            eprintln!("compare: {why}\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    let (plan, addr, pid) = (options.plan, &options.addr, options.pid);
    let certs = options.certs.as_deref();
    let done = match plan.kind {
        _ if options.simulate.is_some() => {
            let what = options.simulate.as_deref().unwrap_or_default();
            simulation::bare(what, plan.conns, plan.count.unwrap_or(1))
        }
        _ if !options.load => compare(&options),
        Kind::Get | Kind::Post => http_load::run(plan, addr, pid, certs).map_err(|e| e.to_string()),
        Kind::Channel | Kind::Tarpc => {
            channel_load::run(plan, addr, pid).map_err(|e| e.to_string())
        }
        Kind::Echo | Kind::Connect | Kind::Idle => match certs {
            Some(certs) => tls_load::run(plan, addr, pid, certs).map_err(|e| e.to_string()),
            None => load::run(plan, addr, pid).map_err(|e| e.to_string()),
        },
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("compare: {why}");
            ExitCode::FAILURE
        }
    }
}

fn compare(options: &Options) -> Result<(), String> {
    let wanted = |part: &str| options.only.is_empty() || options.only.iter().any(|o| o == part);
    process::raise_descriptors();
    let mut table = Table::default();
    let scale = options.scale;
    if wanted("ticks") {
        ticks::run(&mut table, scale);
    }
    if wanted("timers") {
        timers::run(&mut table, scale);
    }
    if wanted("embedding") {
        embedding::run(&mut table, scale);
    }
    if wanted("simulation") {
        simulation::run(&mut table, scale);
    }
    if ["echo", "idle", "connect", "counts"]
        .iter()
        .any(|p| wanted(p))
    {
        let bench = echo::Bench::new(scale, options.candidate.as_deref())?;
        if wanted("echo") {
            bench.echo(&mut table);
        }
        if wanted("idle") {
            bench.idle(&mut table);
        }
        if wanted("connect") {
            bench.connect(&mut table);
        }
        if wanted("counts") {
            counts::run(&mut table, &bench);
        }
    }
    if wanted("tls") {
        let bench = echo::Bench::tls(scale, options.candidate.as_deref(), echo::Speaks::Echo)?;
        tls::run(&mut table, &bench);
    }
    if wanted("http") {
        http::run(&mut table, scale, options.candidate.as_deref())?;
    }
    if wanted("channel") {
        channel::run(&mut table, scale)?;
    }
    if wanted("cores") {
        cores::run(&mut table, scale)?;
    }
    table.end();
    if let Some(page) = &options.write {
        table.write(page)?;
    }
    Ok(())
}

fn options() -> Result<Options, lexopt::Error> {
    let mut o = Options {
        addr: "127.0.0.1:0".to_owned(),
        ..Options::default()
    };
    let (mut rounds, mut seconds) = (None, None);
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            Long("quick") => o.scale.quick = true,
            Long("only") => o.only = args.value()?.parse_with(names)?,
            Long("rounds") => rounds = Some(args.value()?.parse()?),
            Long("secs") => seconds = Some(args.value()?.parse()?),
            Long("candidate") => o.candidate = Some(args.value()?.string()?),
            Long("write") => o.write = Some(args.value()?.string()?),
            Long("bench") => {} // cargo says so
            Long("help") => {
                println!("{HELP}");
                std::process::exit(0);
            }
            // What the processes below this one are told.
            Long("load") => (o.load, o.plan.kind) = (true, args.value()?.parse_with(kind)?),
            Long("simulate") => o.simulate = Some(args.value()?.string()?),
            Long("addr") => o.addr = args.value()?.string()?,
            Long("pid") => o.pid = args.value()?.parse()?,
            Long("certs") => o.certs = Some(args.value()?.into()),
            Long("resume") => o.plan.resume = true,
            Long("conns") => o.plan.conns = args.value()?.parse()?,
            Long("size") => o.plan.size = args.value()?.parse()?,
            Long("pipeline") => o.plan.pipeline = args.value()?.parse()?,
            Long("load-secs") => o.plan.seconds = args.value()?.parse()?,
            Long("count") => o.plan.count = Some(args.value()?.parse()?),
            _ => return Err(arg.unexpected()),
        }
    }
    let quick = o.scale.quick;
    o.scale.rounds = rounds.unwrap_or(if quick { 2 } else { 16 });
    o.scale.seconds = seconds.unwrap_or(if quick { 0.1 } else { 0.5 });
    Ok(o)
}

/// Names with commas between them.
fn names(text: &str) -> Result<Vec<String>, String> {
    let names: Vec<String> = text.split(',').map(str::to_owned).collect();
    match names.iter().find(|n| !PARTS.contains(&n.as_str())) {
        Some(other) => Err(format!("no part {other}; parts: {}", PARTS.join(" "))),
        None => Ok(names),
    }
}

fn kind(text: &str) -> Result<Kind, String> {
    match text {
        "echo" => Ok(Kind::Echo),
        "connect" => Ok(Kind::Connect),
        "idle" => Ok(Kind::Idle),
        "get" => Ok(Kind::Get),
        "post" => Ok(Kind::Post),
        "channel" => Ok(Kind::Channel),
        "tarpc" => Ok(Kind::Tarpc),
        _ => Err(format!("no load {text}")),
    }
}
