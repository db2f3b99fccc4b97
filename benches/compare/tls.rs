//! The rows on TLS 1.3: P-256 certificate, X25519, the same provider for all.

use crate::echo::{Bench, Peer, Runs, row};
use crate::load::{Kind, Plan};
use crate::table::{Goal, Table, thousands};

/// The peers: mio and rustls by hand twice, tokio-rustls, hio.
const PEERS: [Peer; 4] = [Peer::Floor, Peer::Again, Peer::Tokio, Peer::Hio];

#[cfg(feature = "aws-lc-rs")]
const PROVIDER: &str = "aws-lc-rs";
#[cfg(not(feature = "aws-lc-rs"))]
const PROVIDER: &str = "ring";

/// All rows.
pub(crate) fn run(table: &mut Table, bench: &Bench) {
    let echo = bench.plan(50, 64, 1, Kind::Echo);
    let (rate, cpu) = (Goal::RatioAtLeast(0.98), Goal::Ratio(1.03));
    let goals = (rate, Goal::None);
    busy(table, bench, "echo of 64 B, 50 conns", echo, goals);
    let bulk = bench.plan(8, 64 << 10, 2, Kind::Echo);
    let goals = (Goal::None, cpu);
    busy(table, bench, "echo of 64 KiB, 8 conns", bulk, goals);
    let full = bench.plan(16, 64, 1, Kind::Connect);
    busy(table, bench, "full handshake, one echo", full, goals);
    let resumed = Plan {
        resume: true,
        ..full
    };
    busy(table, bench, "resumed handshake, one echo", resumed, goals);
    idle(table, bench);
}

fn named(what: &str) -> String {
    format!("TLS ({PROVIDER}) {what}")
}

fn runs(bench: &Bench, plan: Plan, rounds: usize) -> Result<Runs, String> {
    bench.rounds(&PEERS.map(|peer| (peer, plan)), rounds)
}

/// Two rows: the rate and the processor time, with a goal each.
fn busy(table: &mut Table, bench: &Bench, what: &str, plan: Plan, goals: (Goal, Goal)) {
    let what = named(what);
    let runs = match runs(bench, plan, bench.scale.rounds()) {
        Ok(runs) => runs,
        Err(why) => return table.note(&what, &why),
    };
    let (rate, unit) = match plan.size {
        64 => ("rate", "/s"),
        _ => ("mib", "MiB/s"),
    };
    let name = format!("{what}: rate");
    row(table, &name, unit, (&runs, rate), goals.0);
    let name = format!("{what}: server CPU");
    row(table, &name, "µs", (&runs, "cpu"), goals.1);
}

fn idle(table: &mut Table, bench: &Bench) {
    let conns = if bench.scale.quick() { 500 } else { 5_000 };
    let plan = bench.plan(conns, 64, 1, Kind::Idle);
    let name = named(&format!("{} idle conns", thousands(conns)));
    let runs = match runs(bench, plan, bench.scale.rounds().div_ceil(4)) {
        Ok(runs) => runs,
        Err(why) => return table.note(&name, &why),
    };
    let what = format!("{name}: memory, each");
    row(table, &what, "B", (&runs, "bytes"), Goal::Figure(8_600.0));
    let what = format!("{name}: CPU");
    row(table, &what, "%", (&runs, "idle"), Goal::Figure(0.004));
}
