//! A replicated service in simulation: leader election with leases and a replicated register, its
//! invariants checked at every step, under every fault that a seed brings.
//!
//! ```text
//! cargo run --release --example sim_cluster -- --seed 7
//! cargo run --release --example sim_cluster -- --seed 7 --check --html seed7.html
//! cargo run --release --example sim_cluster -- --campaign 0..10000 --jobs 2
//! cargo run --release --example sim_cluster -- --campaign 0..10000 --plant lazy-disk
//! ```
//!
//! Read `sim_cluster/replica.rs` first, which is the protocol, then `sim_cluster/cluster.rs`,
//! which builds the world around it.

mod common;
#[path = "sim_cluster/mod.rs"]
mod sim_cluster;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use common::{Usage, say};
use hio::doing::Fault;
use hio::sim::{Campaign, Case, Failure, FaultPlan, Scenario, Shard, Trace, view};
use hio::tyme::duration_from_secs;
use lexopt::prelude::*;
use sim_cluster::cluster::{Cluster, REPLICAS_MAX, REPLICAS_MIN, World};
use sim_cluster::replica::Plant;

const HELP: &str = "\
Simulates a small replicated service under faults and checks that it keeps its promises.

    sim_cluster --seed N [OPTIONS]
    sim_cluster --campaign A..B [--jobs J] [OPTIONS]

    --seed N          run this seed
    --campaign A..B   run the seeds from A to B - 1, up to the first that fails; make its case small
    --jobs J          threads of the campaign (default: 1); what it finds does not depend on them
    --nodes N         replicas, 3 to 9 (default: 3); two callers come on top
    --secs S          simulated seconds (default: 30)
    --calm S          so many of these at the end are without faults (default: a third): all is
                      healed, and writes have to get through again
    --faults FILE     these faults instead of the seed's own
    --faults-most N   at most so many of the seed's own faults
    --plant NAME      plant a bug: early-ack, wall-lease or lazy-disk (which needs three faults)
    --check           run twice and compare the traces; in a campaign, each seed
    --tls             speak TLS between all nodes: this is the default
    --no-tls          do not
    --trace FILE      write the trace as JSON lines
    --html FILE       write a page to look at
    --cases DIR       where a campaign stores the cases it runs (default: sim-cases)
    --plateau N       end a campaign when N seeds in a row reach nothing new

HIO_SIM_SHARD=I/N makes a campaign run one of N parts. The last line is `trace-hash HEX events N`.
Exits with 1 when an invariant fails or the two runs of --check differ.";

/// What the command line asks for.
#[derive(Debug)]
struct Options {
    what: What,
    cluster: Cluster,
    faults: Option<PathBuf>,
    check: bool,
    html: Option<PathBuf>,
    trace: Option<PathBuf>,
    jobs: usize,
    cases: PathBuf,
    plateau: Option<u64>,
}

#[derive(Debug)]
enum What {
    Seed(u64),
    Campaign(u64, u64),
}

fn main() -> ExitCode {
    common::run("sim_cluster", HELP, options(), |options| {
        match options.what {
            What::Seed(seed) => run_seed(seed, &options),
            What::Campaign(first, end) => run_campaign(first, end, &options),
        }
    })
}

fn run_seed(seed: u64, options: &Options) -> Result<(), Fault> {
    let mut case = options.cluster.case(seed);
    if let Some(path) = &options.faults {
        case.faults = read(path)?;
    }
    let text = options.check || options.html.is_some() || options.trace.is_some();
    let (world, failure) = run(&case, options, text)?;
    say(format_args!(
        "seed {seed}: {} replicas, {:?}, {} faults; {} writes and {} reads answered in {} steps",
        case.nodes,
        case.time + case.calm,
        case.faults.faults.len(),
        world.checks.writes,
        world.checks.reads,
        world.sim.steps(),
    ))?;
    let trace = world.sim.trace();
    if let Some(path) = &options.trace {
        fs::write(path, trace.text())?;
    }
    if let Some(path) = &options.html {
        let title = format!("sim_cluster --seed {seed}");
        fs::write(path, view::html(&title, trace.text()))?;
    }
    if let Some(failure) = &failure {
        say(format_args!("broken {failure}"))?;
    }
    if options.check {
        let (again, _) = run(&case, options, true)?;
        compare(&world, &again)?;
    }
    say(trace.hash())?;
    match failure {
        None => Ok(()),
        Some(failure) => Err(Fault::msg(failure.to_string())),
    }
}

/// Runs a case to its end.
fn run(case: &Case, options: &Options, text: bool) -> Result<(World, Option<Failure>), Fault> {
    let mut world = World::new(&options.cluster, case, text)?;
    let failure = world.run();
    Ok((world, failure))
}

/// Names the first event in which two runs differ.
fn compare(one: &World, other: &World) -> Result<(), Fault> {
    let (one, other) = (one.sim.trace(), other.sim.trace());
    if one.hash() == other.hash() {
        return Ok(());
    }
    Err(match Trace::first_difference(one.text(), other.text()) {
        Some(difference) => Fault::msg(format!("two runs of one seed differ: {difference}")),
        None => Fault::msg("two runs of one seed differ in what has no line in the trace"),
    })
}

fn run_campaign(first: u64, end: u64, options: &Options) -> Result<(), Fault> {
    let mut campaign = Campaign::new(first..end)
        .with_jobs(options.jobs)
        .with_shard(Shard::from_env()?)
        .stored_in(&options.cases);
    if let Some(seeds) = options.plateau {
        campaign = campaign.until_plateau(seeds);
    }
    let cluster = Cluster {
        check: options.check,
        ..options.cluster.clone()
    };
    let report = campaign.run(&cluster)?;
    let plateau = if report.plateau {
        ", where nothing new was met any more"
    } else {
        ""
    };
    say(format_args!(
        "{} runs with {} faults{plateau}",
        report.runs, report.faults
    ))?;
    for (mark, runs) in &report.marks {
        say(format_args!("{runs:>7} runs: {mark}"))?;
    }
    if let Some(found) = &report.found {
        say(format_args!(
            "seed {} breaks {}",
            found.case.seed, found.failure
        ))?;
        say(format_args!(
            "left of {} faults: {}, {} nodes and {:?}, after {} runs",
            found.case.faults.faults.len(),
            found.least.faults.faults.len(),
            found.least.nodes,
            found.least.time,
            found.shrink_runs,
        ))?;
        let faults = found.least.faults.to_string();
        say(faults.trim_end())?;
        say(format_args!("again: {}", found.command))?;
    }
    say(report.hash)?;
    match report.found {
        None => Ok(()),
        Some(found) => Err(Fault::msg(found.failure.to_string())),
    }
}

fn read(path: &Path) -> Result<FaultPlan, Fault> {
    let told = |why: &dyn std::fmt::Display| Fault::msg(format!("{}: {why}", path.display()));
    let text = fs::read_to_string(path).map_err(|why| told(&why))?;
    text.parse().map_err(|why| told(&why))
}

fn options() -> Result<Options, Usage> {
    let mut options = Options {
        what: What::Seed(0),
        cluster: Cluster::default(),
        faults: None,
        check: false,
        html: None,
        trace: None,
        jobs: 1,
        cases: PathBuf::from("sim-cases"),
        plateau: None,
    };
    let mut what = None;
    let (mut secs, mut calm) = (Duration::from_secs(30), None);
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            Long("seed") => ask(&mut what, What::Seed(args.value()?.parse()?))?,
            Long("campaign") => ask(&mut what, args.value()?.parse_with(seeds)?)?,
            Long("jobs") => options.jobs = args.value()?.parse()?,
            Long("nodes") => options.cluster.replicas = args.value()?.parse_with(replicas)?,
            Long("secs") => secs = args.value()?.parse_with(seconds)?,
            Long("calm") => calm = Some(args.value()?.parse_with(seconds)?),
            Long("faults") => options.faults = Some(args.value()?.into()),
            Long("faults-most") => options.cluster.faults = Some(args.value()?.parse()?),
            Long("plant") => options.cluster.plant = Some(args.value()?.parse_with(plant)?),
            Long("check") => options.check = true,
            Long("tls") => options.cluster.tls = true,
            Long("no-tls") => options.cluster.tls = false,
            Long("trace") => options.trace = Some(args.value()?.into()),
            Long("html") => options.html = Some(args.value()?.into()),
            Long("cases") => options.cases = args.value()?.into(),
            Long("plateau") => options.plateau = Some(args.value()?.parse()?),
            Short('h') | Long("help") => return Err(Usage::Help),
            other => return Err(other.unexpected().into()),
        }
    }
    let calm = calm.unwrap_or(secs / 3).min(secs);
    (options.cluster.time, options.cluster.calm) = (secs - calm, calm);
    options.what = what.ok_or_else(|| Usage::wrong("--seed or --campaign is wanted"))?;
    Ok(options)
}

fn ask(what: &mut Option<What>, asked: What) -> Result<(), Usage> {
    match what.replace(asked) {
        None => Ok(()),
        Some(_) => Err(Usage::wrong("one --seed or one --campaign is wanted")),
    }
}

/// `A..B`.
fn seeds(text: &str) -> Result<What, String> {
    let wrong = || format!("{text:?} is no range of seeds: A..B is wanted, with A below B");
    let (first, end) = text.split_once("..").ok_or_else(wrong)?;
    let (first, end) = (
        first.parse().map_err(|_| wrong())?,
        end.parse().map_err(|_| wrong())?,
    );
    match first < end {
        true => Ok(What::Campaign(first, end)),
        false => Err(wrong()),
    }
}

fn replicas(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(n) if (REPLICAS_MIN..=REPLICAS_MAX).contains(&n) => Ok(n),
        _ => Err(format!(
            "{REPLICAS_MIN} to {REPLICAS_MAX} replicas are possible, not {text:?}"
        )),
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let secs = text.parse().map_err(|_| format!("{text:?} is no number"))?;
    duration_from_secs(secs).map_err(|why| why.to_string())
}

fn plant(name: &str) -> Result<Plant, String> {
    Plant::named(name).ok_or_else(|| format!("there is no bug {name:?} to plant"))
}
