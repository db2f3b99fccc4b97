//! The second half of the tour: the same doers in a simulated world, with a partition and a crash.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use hio::doers::EchoServerDoer;
use hio::doing::prelude::*;
use hio::link::{Limits, Server};
use hio::net::{Endpoint, ListenOptions};
use hio::sim::{Boot, NodeId, Sim, tls, view};

use crate::cast::{App, Pace, Pinger};

/// How long it lasts there. Here it takes some milliseconds.
const LENGTH: Duration = Duration::from_secs(8);
const PORT: u16 = 5000;

/// What goes wrong, and when: as in the fault file of any simulation.
const FAULTS: &str = "\
at 0s link ann echo latency uniform 5ms 15ms
at 0s link bob echo latency uniform 20ms 40ms loss 0.02
at 2s partition echo | ann bob
at 3s heal
at 5s crash echo
at 5.5s restart echo
";

/// What there is to tell of it.
pub(crate) struct World {
    /// What happened to the clients, when.
    pub(crate) story: Vec<(Tyme, String)>,
    /// Messages that were echoed.
    pub(crate) messages: u64,
    /// Its `trace-hash HEX events N`, the same in every run.
    pub(crate) hash: String,
    /// The page with its diagram.
    pub(crate) page: PathBuf,
}

/// Runs the world twice, compares, and writes the diagram.
pub(crate) fn run() -> Result<World, Fault> {
    let (sim, clients) = simulate()?;
    let hash = sim.trace_hash().to_string();
    if simulate()?.0.trace_hash().to_string() != hash {
        return Err(Fault::msg("the second run of the same seed differs"));
    }
    let mut story: Vec<_> = FAULTS
        .lines()
        .skip(2)
        .map(|line| (moment(line), line.splitn(3, ' ').skip(2).collect()))
        .collect();
    let mut messages = 0;
    for client in clients {
        if let Some(app) = sim.app::<App>(client) {
            story.extend(app.story.iter().cloned());
            messages += app.links.iter().map(|link| link.messages).sum::<u64>();
        }
    }
    story.sort();
    let page = std::env::temp_dir().join("hio-tour.html");
    fs::write(&page, view::html("hio tour", sim.trace().text()))?;
    Ok(World {
        story,
        messages,
        hash,
        page,
    })
}

/// When a line of the fault file happens.
fn moment(fault: &str) -> Tyme {
    let word = fault.split(' ').nth(1).unwrap_or_default();
    let seconds = word.trim_end_matches('s').parse().unwrap_or(0.0);
    Tyme::ZERO + Duration::from_secs_f64(seconds)
}

fn simulate() -> Result<(Sim, [NodeId; 2]), Fault> {
    let mut sim = Sim::new(7).with_trace();
    sim.node("echo", |boot: Boot| {
        let mut doist = Doist::new(App::default());
        let at = Endpoint::Tcp((boot.v4, PORT).into());
        let server = Server::new(at, ListenOptions::default(), Limits::default());
        if let Ok(tls) = tls::server().build() {
            doist
                .named("echo")
                .add(EchoServerDoer::new(server.with_tls(tls)));
        }
        doist
    });
    let clients = ["ann", "bob"].map(|name| {
        sim.node(name, move |boot: Boot| {
            let mut doist = Doist::new(App::default());
            let pace = Pace::Every(Duration::from_millis(250));
            let tls = tls::client().name("server.sim").build();
            if let (Some(to), Ok(tls)) = (boot.tcp("echo", PORT), tls) {
                let pinger = Pinger::new(&mut doist.app, name, &to, pace);
                let pinger = pinger.with_tls(&mut doist.app, tls);
                doist.named("pinger").add(pinger);
            }
            doist
        })
    });
    let plan = FAULTS.parse().map_err(|why| Fault::msg(format!("{why}")))?;
    sim.plan(&plan)?;
    sim.run_for(LENGTH)?;
    Ok((sim, clients))
}
