//! What does not depend on the machine's mood: user instructions and system calls of an operation.
//!
//! Each server runs under valgrind and under strace with two numbers of operations; the
//! difference is what the operations cost.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use crate::echo::{ALL, Bench, Peer};
use crate::load::{Kind, Plan};
use crate::process::Served;
use crate::table::{Goal, Row, Table};

/// Numbers of operations, and how many of them less for a quick look.
const FEW: u64 = 1_000;
const MANY: u64 = 6_000;
const QUICK: u64 = 4;

/// A load, and what it may cost.
struct Case {
    what: &'static str,
    conns: usize,
    kind: Kind,
    instructions: f64,
    calls: f64,
}

const CASES: [Case; 3] = [
    Case {
        what: "echo, 50 conns",
        conns: 50,
        kind: Kind::Echo,
        instructions: 300.0,
        calls: 2.05,
    },
    Case {
        what: "echo, 1 conn",
        conns: 1,
        kind: Kind::Echo,
        instructions: 450.0,
        calls: 3.0,
    },
    Case {
        what: "connect, one echo, close",
        conns: 1,
        kind: Kind::Connect,
        instructions: 1_500.0,
        calls: 10.0,
    },
];

pub(crate) fn run(table: &mut Table, bench: &Bench) {
    for case in &CASES {
        let plan = Plan {
            conns: case.conns,
            kind: case.kind,
            ..Plan::default()
        };
        // A last retry or wake-up of the tool itself is not the server's.
        let goals = [case.instructions, case.calls].map(|most| Goal::Figure(most + 0.005));
        both(table, bench, case.what, plan, (&ALL, goals));
    }
}

/// Two rows: instructions and system calls of an operation of `plan`.
pub(crate) fn both(
    table: &mut Table,
    bench: &Bench,
    what: &str,
    plan: Plan,
    (peers, goals): (&[Peer], [Goal; 2]),
) {
    let dir = std::env::temp_dir().join(format!("hio-compare-{}-counts", std::process::id()));
    if let Err(why) = std::fs::create_dir_all(&dir) {
        return table.note(what, &why.to_string());
    }
    let name = format!("{what}: instructions");
    row(table, &name, "valgrind", peers, goals[0], |peer| {
        instructions(bench, plan, peer, &dir)
    });
    let name = format!("{what}: system calls");
    row(table, &name, "strace", peers, goals[1], |peer| {
        calls(bench, plan, peer, &dir)
    });
    drop(std::fs::remove_dir_all(&dir));
}

fn row(
    table: &mut Table,
    what: &str,
    tool: &str,
    peers: &[Peer],
    goal: Goal,
    count: impl Fn(Peer) -> Result<f64, String>,
) {
    let mut counts = BTreeMap::new();
    // The floor is counted once: counts have no noise to show.
    for &peer in peers.iter().filter(|p| **p != Peer::Again) {
        match count(peer) {
            Ok(figure) => counts.insert(peer, vec![figure]),
            Err(why) => return table.note(what, &format!("{peer:?} under {tool}: {why}")),
        };
    }
    let of = |peer| counts.get(&peer).map_or(&[][..], |all| &all[..]);
    table.row(Row {
        what,
        floor: of(Peer::Floor),
        mio: of(Peer::Mio),
        tokio: of(Peer::Tokio),
        hio: of(Peer::Hio),
        goal,
        ..Row::default()
    });
}

/// User instructions of an operation.
fn instructions(bench: &Bench, plan: Plan, peer: Peer, dir: &Path) -> Result<f64, String> {
    let log = dir.join("valgrind");
    let tool = [
        "valgrind".to_owned(),
        "--tool=callgrind".to_owned(),
        "--callgrind-out-file=/dev/null".to_owned(),
        format!("--log-file={}", log.display()),
    ];
    difference(bench, plan, peer, &tool, |served| {
        served.stop();
        let text = std::fs::read_to_string(&log).map_err(|e| e.to_string())?;
        let line = text.lines().find_map(|l| l.split_once("Collected :"));
        line.and_then(|(_, n)| n.trim().parse().ok())
            .ok_or_else(|| "no count in the log".to_owned())
    })
}

/// System calls of an operation.
fn calls(bench: &Bench, plan: Plan, peer: Peer, dir: &Path) -> Result<f64, String> {
    let log = dir.join("strace");
    let tool = ["strace", "-f", "-c", "-o"].map(str::to_owned);
    let tool = [&tool[..], &[log.display().to_string()]].concat();
    difference(bench, plan, peer, &tool, |served| {
        served.stop_traced();
        let text = std::fs::read_to_string(&log).map_err(|e| e.to_string())?;
        Ok(text.lines().filter_map(calls_of_line).sum())
    })
}

/// The fourth column of a line that counts one system call.
fn calls_of_line(line: &str) -> Option<f64> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let counts = fields.len() >= 5 && fields.last() != Some(&"total");
    fields[..].first()?.parse::<f64>().ok()?;
    counts.then(|| fields[3].parse().ok()).flatten()
}

/// What the operations beyond the first few cost, each.
fn difference(
    bench: &Bench,
    plan: Plan,
    peer: Peer,
    tool: &[String],
    end: impl Fn(Served) -> Result<f64, String>,
) -> Result<f64, String> {
    let less = if bench.scale.quick { QUICK } else { 1 };
    let mut totals = Vec::new();
    for count in [FEW / less, MANY / less] {
        let command = [tool, &bench.command(peer)].concat();
        let served = Served::start(&command, Duration::from_secs(60))?;
        let plan = Plan {
            count: Some(count),
            ..plan
        };
        bench.load(&served, plan, false)?;
        totals.push(end(served)?);
    }
    Ok((totals[1] - totals[0]) / ((MANY - FEW) / less) as f64)
}
