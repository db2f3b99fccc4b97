//! The rows on requests and replies: contents of 64 B on one connection.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::Scale;
use crate::echo::built;
use crate::measure::median;
use crate::process::{LOAD_CORE, Served, pinned};
use crate::table::{Goal, Row, Table};

/// MessagePack by hand on mio, twice; hio as it is; hio when contents become values;
/// tarpc and Python's aiomas beside them.
const KINDS: [&str; 5] = ["mio-channel", "again", "tarpc", "hio-channel", "hio-values"];
const AIOMAS: &str = "aiomas";

/// Requests of the runs under valgrind.
const FEW: u64 = 1_000;
const MANY: u64 = 6_000;

/// All rows.
pub(crate) fn run(table: &mut Table, scale: Scale) -> Result<(), String> {
    let server = built("compare_server")?;
    for flying in [1, 1000] {
        rates(table, scale, &server, flying);
    }
    for flying in [1, 1000] {
        counts(table, &server, flying);
    }
    Ok(())
}

/// Figures of every round by the kind of server.
type Figures = BTreeMap<&'static str, Vec<f64>>;

fn rates(table: &mut Table, scale: Scale, server: &str, flying: u64) {
    let what = format!("requests of 64 B, {flying} in flight");
    let mut all: [Figures; 2] = Default::default();
    let python = python();
    for round in 0..scale.rounds() {
        let mut kinds = KINDS.to_vec();
        if python.is_some() && round < 4 {
            kinds.push(AIOMAS);
        }
        if round % 2 == 1 {
            kinds.reverse();
        }
        for kind in kinds {
            let command = command(server, kind, &python);
            match command.and_then(|c| once(&c, kind, flying, scale.seconds)) {
                Ok(figures) => {
                    for (all, figure) in all.iter_mut().zip(figures) {
                        all.entry(kind).or_default().push(figure);
                    }
                }
                Err(why) => return table.note(&what, &format!("{kind}: {why}")),
            }
        }
    }
    let [rates, cpu] = all;
    row(
        table,
        &format!("{what}: rate"),
        "/s",
        &rates,
        "hio-channel",
        Goal::RatioAtLeast(0.9),
    );
    row(
        table,
        &format!("{what}: rate, decoded"),
        "/s",
        &rates,
        "hio-values",
        Goal::None,
    );
    row(
        table,
        &format!("{what}: server CPU"),
        "µs",
        &cpu,
        "hio-channel",
        Goal::None,
    );
    times(
        table,
        &format!("{what}: hio as many times tarpc"),
        &rates,
        "tarpc",
        3.0,
    );
    match python {
        Some(_) => times(
            table,
            &format!("{what}: hio as many times aiomas"),
            &rates,
            AIOMAS,
            50.0,
        ),
        None => table.note(
            &format!("{what}: aiomas"),
            "AIOMAS_PYTHON names no Python with it",
        ),
    }
}

fn row(table: &mut Table, what: &str, unit: &str, all: &Figures, hio: &str, goal: Goal) {
    let of = |kind: &str| all.get(kind).cloned().unwrap_or_default();
    table.row(Row {
        what,
        unit,
        floor: &of("mio-channel"),
        again: &of("again"),
        tokio: &of("tarpc"),
        hio: &of(hio),
        goal,
        ..Row::default()
    });
}

/// The ratio to another server, which is the floor of this row.
fn times(table: &mut Table, what: &str, all: &Figures, other: &str, goal: f64) {
    let of = |kind: &str| all.get(kind).cloned().unwrap_or_default();
    let middle = [median(&of(other))];
    table.row(Row {
        what,
        unit: "/s",
        floor: &middle,
        hio: &[median(&of("hio-channel"))],
        goal: Goal::RatioAtLeast(goal),
        ..Row::default()
    });
}

/// Rate and processor time of one run on a fresh server.
fn once(
    command: &[String],
    kind: &'static str,
    flying: u64,
    seconds: f64,
) -> Result<[f64; 2], String> {
    let served = Served::start(command, Duration::from_secs(10))?;
    let said = load(&served, kind, flying, seconds, None)?;
    served.stop();
    let figure = |key: &str| {
        let pairs = said
            .split_whitespace()
            .filter_map(|pair| pair.split_once('='));
        let found = pairs.into_iter().find(|(name, _)| *name == key);
        found
            .and_then(|(_, value)| value.parse().ok())
            .unwrap_or(f64::NAN)
    };
    Ok([figure("rate"), figure("cpu")])
}

fn load(
    served: &Served,
    kind: &str,
    flying: u64,
    seconds: f64,
    count: Option<u64>,
) -> Result<String, String> {
    let myself = std::env::current_exe().map_err(|e| e.to_string())?;
    let mut command = Command::new(myself);
    let format = if kind == "tarpc" { kind } else { "channel" };
    command.args(["--load", format, "--addr", &served.addr]);
    command.args(["--pid", &served.pid().to_string(), "--size", "64"]);
    command.args([
        "--pipeline",
        &flying.to_string(),
        "--load-secs",
        &seconds.to_string(),
    ]);
    if let Some(count) = count {
        command.args(["--count", &count.to_string()]);
    }
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = pinned(LOAD_CORE, || command.spawn()).map_err(|e| e.to_string())?;
    let out = child.wait_with_output().map_err(|e| e.to_string())?;
    match out.status.success() {
        true => Ok(String::from_utf8_lossy(&out.stdout).into_owned()),
        false => Err(String::from_utf8_lossy(&out.stderr).trim().to_owned()),
    }
}

fn command(server: &str, kind: &str, python: &Option<String>) -> Result<Vec<String>, String> {
    if let (AIOMAS, Some(python)) = (kind, python) {
        let script =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/compare/peers/aiomas_echo.py");
        return Ok(vec![python.clone(), script.display().to_string()]);
    }
    let kind = if kind == "again" { "mio-channel" } else { kind };
    Ok(vec![server.to_owned(), kind.to_owned()])
}

/// A Python with aiomas: named by `AIOMAS_PYTHON`.
fn python() -> Option<String> {
    std::env::var("AIOMAS_PYTHON").ok().filter(|python| {
        let mut command = Command::new(python);
        command
            .args(["-c", "import aiomas, msgpack"])
            .stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    })
}

/// User instructions of a request.
fn counts(table: &mut Table, server: &str, flying: u64) {
    let what = format!("requests of 64 B, {flying} in flight: instructions");
    let mut counted = Vec::new();
    for kind in ["mio-channel", "tarpc", "hio-channel", "hio-values"] {
        match instructions(server, kind, flying) {
            Ok(count) => counted.push(count),
            Err(why) => return table.note(&what, &format!("{kind}: {why}")),
        }
    }
    for (hio, text) in [(2, ""), (3, ", decoded")] {
        table.row(Row {
            what: &format!("{what}{text}"),
            floor: &counted[..1],
            tokio: &counted[1..2],
            hio: &counted[hio..=hio],
            goal: Goal::Figure(3_000.0),
            ..Row::default()
        });
    }
}

fn instructions(server: &str, kind: &str, flying: u64) -> Result<f64, String> {
    let log = std::env::temp_dir().join(format!("hio-compare-{}-valgrind", std::process::id()));
    let mut totals = Vec::new();
    for count in [FEW, MANY] {
        let tool = [
            "valgrind".to_owned(),
            "--tool=callgrind".to_owned(),
            "--callgrind-out-file=/dev/null".to_owned(),
            format!("--log-file={}", log.display()),
        ];
        let command = [&tool[..], &command(server, kind, &None)?].concat();
        let served = Served::start(&command, Duration::from_secs(60))?;
        load(&served, kind, flying, 600.0, Some(count))?;
        served.stop();
        let text = std::fs::read_to_string(&log).map_err(|e| e.to_string())?;
        let line = text.lines().find_map(|l| l.split_once("Collected :"));
        let total = line.and_then(|(_, n)| n.trim().parse::<f64>().ok());
        totals.push(total.ok_or("no count in the log")?);
    }
    drop(std::fs::remove_file(&log));
    Ok((totals[1] - totals[0]) / (MANY - FEW) as f64)
}
