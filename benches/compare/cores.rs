//! Many cores: what a second member of a crew brings when every message costs 50 µs of hashing.
//!
//! The server is the example `crew`, once with one member and once with two; the load keeps 32
//! messages in flight on each of 16 connections and checks every byte that comes back. Nothing is
//! pinned: the two members and the load share what cores there are.

use std::hint::black_box;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::echo::Figures;
use crate::measure::{nanos_since, now};
use crate::process::Served;
use crate::table::{Goal, Row, Table};
use crate::{Scale, echo};

#[path = "../../examples/common/hashing.rs"]
mod hashing;

const SIZE: usize = 64;
const CONNS: &str = "16";
const PIPELINE: &str = "32";
/// What the hashing of one message costs.
const MICROS: f64 = 50.0;

pub(crate) fn run(table: &mut Table, scale: Scale) -> Result<(), String> {
    let myself = std::env::current_exe().map_err(|e| e.to_string())?;
    let server = echo::built("crew")?;
    let (mut one, mut again, mut two) = (Vec::new(), Vec::new(), Vec::new());
    let (mut lost, mut cpu_one, mut cpu_two) = (Vec::new(), Vec::new(), Vec::new());
    let rounds = calibrated();
    for _ in 0..scale.rounds() {
        let figure = |members: &str| -> Result<Figures, String> {
            let command = [
                &server,
                "--members",
                members,
                "--rounds",
                &rounds.to_string(),
            ];
            once(&myself, &command.map(ToString::to_string), scale)
        };
        let of = |figures: &Figures, name: &str| figures.get(name).copied().unwrap_or(f64::NAN);
        let (first, second, third) = (figure("1")?, figure("2")?, figure("1")?);
        one.push(of(&first, "rate"));
        two.push(of(&second, "rate"));
        again.push(of(&third, "rate"));
        cpu_one.push(of(&first, "cpu"));
        cpu_two.push(of(&second, "cpu"));
        lost.push(of(&second, "lost"));
    }
    table.row(Row {
        what: "cores: echo with 50 µs of hashing a message, two members (floor: one)",
        unit: "/s",
        floor: &one,
        again: &again,
        hio: &two,
        goal: Goal::RatioAtLeast(1.8),
        ..Row::default()
    });
    table.row(Row {
        what: "cores: the same, server CPU a message, which others on the machine hardly move",
        unit: "µs",
        floor: &cpu_one,
        hio: &cpu_two,
        ..Row::default()
    });
    table.row(Row {
        what: "cores: time that the two members waited for a core",
        unit: "s/s",
        hio: &lost,
        ..Row::default()
    });
    Ok(())
}

/// How many rounds cost [`MICROS`]: by the quickest of several tries, which nobody disturbed.
fn calibrated() -> u32 {
    const TRY: u32 = 20_000;
    let message = [7; SIZE];
    let tries = (0..20).map(|_| {
        let start = now();
        black_box(hashing::hash(black_box(&message), TRY));
        nanos_since(start)
    });
    let nanos = tries.min().unwrap_or(1).max(1) as f64;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a small number"
    )]
    let rounds = (MICROS * 1000.0 * f64::from(TRY) / nanos).round() as u32;
    rounds.max(1)
}

/// One run on a fresh server, taken again when others disturbed it.
fn once(myself: &Path, command: &[String], scale: Scale) -> Result<Figures, String> {
    let mut best: Option<Figures> = None;
    let lost = |f: &Figures| f.get("lost").copied().unwrap_or(0.0);
    for _ in 0..if scale.quick() { 1 } else { 4 } {
        let served = Served::unpinned(command, Duration::from_secs(10))?;
        let figures = load(myself, &served, scale.seconds)?;
        served.stop();
        if best.as_ref().is_none_or(|b| lost(&figures) < lost(b)) {
            best = Some(figures);
        }
        if best.as_ref().is_some_and(|b| lost(b) <= echo::LOST_AT_MOST) {
            break;
        }
    }
    best.ok_or_else(|| "no run".to_owned())
}

fn load(myself: &Path, served: &Served, seconds: f64) -> Result<Figures, String> {
    let out = Command::new(myself)
        .args(["--load", "echo", "--addr", &served.addr])
        .args(["--size", &SIZE.to_string()])
        .args(["--conns", CONNS, "--pipeline", PIPELINE])
        .args(["--pid", &served.pid().to_string()])
        .args(["--load-secs", &seconds.to_string()])
        .stderr(Stdio::inherit())
        .output()
        .map_err(|e| e.to_string())?;
    match out.status.success() {
        true => Ok(echo::figures(&String::from_utf8_lossy(&out.stdout))),
        false => Err(format!("the load failed: {}", out.status)),
    }
}
