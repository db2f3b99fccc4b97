//! hio in a headless Bevy app: players over TCP walk about as entities of its world.
//!
//! ```text
//! cargo run --release --manifest-path examples/bevy/Cargo.toml -- --secs 5
//! ```
//!
//! The app has the loop, 60 frames a second. A plugin (`plugin.rs`) owns a Doist with its net and advances
//! it by the time of each frame; doers (`network.rs`) bring in what players send, systems of Bevy move the
//! entities and answer. `players.rs` has the players: they verify every answer.

mod network;
mod players;
mod plugin;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use bevy_app::{App, AppExit, ScheduleRunnerPlugin, TaskPoolPlugin, Update};
use bevy_ecs::prelude::*;
use bevy_time::{Real, Time, TimePlugin};
use hio::doers::SignalDoer;
use hio::doing::prelude::*;
use hio::net::{Endpoint, MioNet};
use network::{Bring, Said, Wire};
use players::Players;
use plugin::{Hio, HioPlugin};

const HELP: &str = "\
Runs a headless Bevy app with players over TCP for some seconds, and verifies what they hear.

    hio-bevy [OPTIONS]

    --secs S       how long (default: 3)
    --players N    players, each in a thread (default: 8)

It prints `listening on ADDR` and its figures, ends by itself, or in order on SIGINT and SIGTERM, and
fails when a player was told wrong.";

const FRAME: Duration = Duration::from_nanos(16_666_667);

/// Where an entity is.
#[derive(Component, Default)]
struct Place(i64);

/// Which entity is whose.
#[derive(Resource, Default)]
struct Roster(BTreeMap<(usize, u64), Entity>);

/// What came of it.
#[derive(Resource, Default)]
struct Tally {
    frames: u64,
    joined: u64,
    left: u64,
    walks: u64,
}

/// How long it is to run.
#[derive(Resource)]
struct Length(Duration);

/// The players, when they are to be waited for.
struct Bots(Option<Players>);

fn main() -> ExitCode {
    let (secs, players) = match options() {
        Ok(Some(options)) => options,
        Ok(None) => {
            println!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(why) => {
            eprintln!("hio-bevy: {why}\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    match run(secs, players) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("hio-bevy: {why}");
            ExitCode::FAILURE
        }
    }
}

/// `None` to explain itself.
fn options() -> Result<Option<(Duration, i64)>, lexopt::Error> {
    use lexopt::prelude::*;
    let (mut secs, mut players) = (3.0, 8);
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            Long("secs") => secs = args.value()?.parse()?,
            Long("players") => players = args.value()?.parse()?,
            Short('h') | Long("help") => return Ok(None),
            other => return Err(other.unexpected()),
        }
    }
    let secs = Duration::try_from_secs_f64(secs).map_err(|e| e.to_string())?;
    match secs.is_zero() || !(1..=1000).contains(&players) {
        true => Err("--secs takes more than 0, --players 1 to 1000".into()),
        false => Ok(Some((secs, players))),
    }
}

fn run(secs: Duration, players: i64) -> Result<(), Fault> {
    let mut net = MioNet::new()?;
    let mut doist = Doist::new(Wire::new(Endpoint::host("127.0.0.1", 0))).with_tock(FRAME / 2);
    doist.add(SignalDoer::new(&mut net)?);
    doist.add(Bring::new());
    doist.add(network::Send);
    doist.enter(&mut net)?;
    let at = doist.app.server.eha();
    let at = at.addr().ok_or_else(|| Fault::msg("it listens nowhere"))?;
    println!("listening on {at}");

    let mut app = App::new();
    app.add_plugins((
        TaskPoolPlugin::default(),
        TimePlugin,
        ScheduleRunnerPlugin::run_loop(FRAME),
        HioPlugin::<Wire>::default(),
    ));
    app.insert_non_send(Hio::new(doist, net));
    app.insert_non_send(Bots(Some(Players::start(players, at))));
    app.insert_resource(Length(secs));
    app.init_resource::<Roster>().init_resource::<Tally>();
    app.add_systems(Update, (play, end).chain());
    // The runner takes the app away: what is left of it is put where it can be looked at.
    let (report, reported) = std::sync::mpsc::channel();
    app.insert_non_send(report);
    let exit = app.run();
    let Report {
        tally,
        verified,
        ended,
    } = reported.recv()?;
    println!(
        "{} frames, {} players joined, {} left, {} walks",
        tally.frames, tally.joined, tally.left, tally.walks
    );
    if let Some(Err(why)) = ended {
        return Err(Fault::msg(why));
    }
    let stopped = ended.is_some();
    match verified {
        Ok(each) => {
            println!("players: {} answers verified", each.iter().sum::<u64>());
            if !stopped && each.contains(&0) {
                return Err(Fault::msg("a player was never answered"));
            }
        }
        Err(_) if stopped => {} // whoever ends it by a signal cuts the players off
        Err(why) => return Err(Fault::msg(why)),
    }
    match exit {
        AppExit::Success => Ok(()),
        AppExit::Error(code) => Err(Fault::msg(format!("the app ended with {code}"))),
    }
}

/// Moves entities as their players want, and answers.
fn play(
    mut hio: NonSendMut<Hio<Wire>>,
    mut commands: Commands,
    mut roster: ResMut<Roster>,
    mut tally: ResMut<Tally>,
    mut places: Query<&mut Place>,
) {
    tally.frames += 1;
    let Wire { inbox, outbox, .. } = &mut hio.doist.app;
    // One who came in this frame has no entity before the commands are carried out: its first steps
    // stay in the inbox for the next one.
    let mut fresh = Vec::new();
    inbox.retain(|&(id, said)| {
        let key = (id.place(), id.sequence());
        match said {
            Said::Joined => {
                roster.0.insert(key, commands.spawn(Place::default()).id());
                fresh.push(id);
                tally.joined += 1;
            }
            Said::Walk(_) | Said::Left if fresh.contains(&id) => return true,
            Said::Walk(far) => {
                let entity = roster.0.get(&key);
                if let Some(mut place) = entity.and_then(|at| places.get_mut(*at).ok()) {
                    place.0 += far;
                    outbox.push((id, place.0));
                    tally.walks += 1;
                }
            }
            Said::Left => {
                if let Some(entity) = roster.0.remove(&key) {
                    commands.entity(entity).despawn();
                    tally.left += 1;
                }
            }
        }
        false
    });
}

struct Report {
    tally: Tally,
    verified: Result<Vec<u64>, String>,
    ended: Option<Result<Outcome, String>>,
}

/// Ends the app when its time is over and the players have finished, or when the Doist has ended.
fn end(
    mut hio: NonSendMut<Hio<Wire>>,
    mut bots: NonSendMut<Bots>,
    report: NonSend<std::sync::mpsc::Sender<Report>>,
    mut tally: ResMut<Tally>,
    length: Res<Length>,
    time: Res<Time<Real>>,
    mut exits: MessageWriter<AppExit>,
) {
    let over = time.elapsed() >= length.0 || hio.ended.is_some();
    let Some(players) = bots.0.take_if(|players| {
        if over {
            players.stop();
        }
        over && (players.finished() || hio.ended.is_some())
    }) else {
        return;
    };
    let mut ended = hio.ended.take();
    if let Err(fault) = hio.exit() {
        ended = Some(Err(fault.to_string()));
    }
    let report = report.send(Report {
        tally: std::mem::take(&mut tally),
        verified: players.join(),
        ended,
    });
    exits.write(match report {
        Ok(()) => AppExit::Success,
        Err(_) => AppExit::error(),
    });
}
