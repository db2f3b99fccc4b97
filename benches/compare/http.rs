//! The rows on HTTP/1.1: 50 connections that stay, one request in flight on each.

use crate::Scale;
use crate::counts;
use crate::echo::{Bench, Peer, Runs, Speaks, pick, row};
use crate::load::{Kind, Plan};
use crate::table::{Goal, Row, Table};

/// The peers: httparse on mio by hand twice, hyper on tokio, hio.
const PEERS: [Peer; 4] = [Peer::Floor, Peer::Again, Peer::Tokio, Peer::Hio];

/// Connections.
const CONNS: usize = 50;

/// All rows, plain and with TLS.
pub(crate) fn run(table: &mut Table, scale: Scale, candidate: Option<&str>) -> Result<(), String> {
    cases(table, &Bench::http(scale, candidate)?, "HTTP");
    cases(
        table,
        &Bench::tls(scale, candidate, Speaks::Http)?,
        "HTTP over TLS",
    );
    Ok(())
}

fn cases(table: &mut Table, bench: &Bench, over: &str) {
    let get = bench.plan(CONNS, 5, 1, Kind::Get);
    let post = bench.plan(CONNS, 1024, 1, Kind::Post);
    for (what, plan) in [("GET", get), ("POST 1 KiB", post)] {
        let what = format!("{over} {what}, {CONNS} conns");
        rates(table, bench, &what, plan);
        let goals = [Goal::None; 2];
        counts::both(table, bench, &what, plan, (&PEERS, goals));
    }
}

fn rates(table: &mut Table, bench: &Bench, what: &str, plan: Plan) {
    let cases = PEERS.map(|peer| (peer, plan));
    let runs: Runs = match bench.rounds(&cases, bench.scale.rounds()) {
        Ok(runs) => runs,
        Err(why) => return table.note(what, &why),
    };
    let name = format!("{what}: rate");
    let goal = Goal::RatioAtLeast(0.95);
    row(table, &name, "/s", (&runs, "rate"), goal);
    table.row(Row {
        what: &format!("{what}: rate, floor: hyper"),
        unit: "/s",
        floor: &pick(&runs, Peer::Tokio, "rate"),
        hio: &pick(&runs, Peer::Hio, "rate"),
        goal: Goal::RatioAtLeast(1.0),
        ..Row::default()
    });
    let name = format!("{what}: server CPU");
    row(table, &name, "µs", (&runs, "cpu"), Goal::Ratio(1.08));
}
