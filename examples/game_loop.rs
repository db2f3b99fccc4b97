//! A game's loop that owns time, with 100 players over TLS in it: 60 frames a second.
//!
//! ```text
//! cargo run --release --example game_loop -- --secs 5
//! ```
//!
//! The loop is the game's, not the library's. Each frame hands the Doist the time that has passed
//! (`advance`), which takes as many ticks of 1/60 s as fit and keeps the rest for the next frame; then a
//! share of work that nobody waits for is done (`recur_within`, a budget of doers); then the frame
//! waits for its display. Half way through, the game stalls for 400 ms as if it loaded a level: what
//! is more than 250 ms is dropped instead of caught up with.
//!
//! `arena.rs` has the server's doers, `peers.rs` the players, who verify every answer, and `town.rs` the
//! work in slices.

pub(crate) mod common;

#[path = "game_loop/arena.rs"]
pub(crate) mod arena;
#[path = "common/histogram.rs"]
mod histogram;
#[path = "game_loop/peers.rs"]
pub(crate) mod peers;
#[path = "game_loop/town.rs"]
mod town;

use std::process::ExitCode;
use std::time::Duration;

use arena::{Arena, Game, Rules};
use common::{Usage, say};
use hio::doers::SignalDoer;
use hio::doing::prelude::*;
use hio::doing::{Advance, Step};
use hio::link::tls::{ClientTls, ServerTls};
use hio::link::{Limits, Server};
use hio::net::{Endpoint, ListenOptions, MioNet};
use histogram::Histogram;
use lexopt::prelude::*;
use peers::Peers;
use town::Town;

const HELP: &str = "\
Runs a game's frames with players over TLS for some seconds, verifies what they hear, and prints
how long the frames took.

    game_loop [OPTIONS]

    --secs S       how long to play once all players are there (default: 5)
    --peers N      players, each on a connection of its own (default: 100)
    --addr H:P     listen there (default: 127.0.0.1:0)

It prints `listening on ADDR` and its figures, ends by itself, or in order on SIGINT and SIGTERM,
and fails when an answer is wrong, a player is lost, or time does not add up.";

/// A frame, and a tick of the game: 1/60 s.
pub(crate) const FRAME: Duration = Duration::from_nanos(16_666_667);
/// What the game does for its display only.
const HITCH: Duration = Duration::from_millis(400);
/// All players must have joined by then.
const PATIENCE: Duration = Duration::from_secs(60);

struct Options {
    secs: Duration,
    peers: usize,
    at: Endpoint,
}

fn main() -> ExitCode {
    env_logger::init();
    common::run("game_loop", HELP, options(), game)
}

fn options() -> Result<Options, Usage> {
    let (mut secs, mut peers, mut at) = (Duration::from_secs(5), 100, None);
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            Long("secs") => secs = common::secs(&args.value()?)?,
            Long("peers") => peers = args.value()?.parse()?,
            Long("addr") => common::once(&mut at, common::tcp(&args.value()?)?)?,
            Short('h') | Long("help") => return Err(Usage::Help),
            other => return Err(other.unexpected().into()),
        }
    }
    if !(1..=10_000).contains(&peers) {
        return Err(Usage::wrong("--peers takes 1 to 10000"));
    }
    let at = at.unwrap_or_else(|| Endpoint::host("127.0.0.1", 0));
    Ok(Options { secs, peers, at })
}

fn game(options: Options) -> Result<(), Fault> {
    let mut net = MioNet::new()?;
    let (server_tls, client_tls) = tls()?;
    let server = Server::new(options.at, ListenOptions::default(), Limits::default());
    let mut doist = doist(server.with_tls(server_tls), options.peers);
    doist.named("signals").add(SignalDoer::new(&mut net)?);
    doist.enter(&mut net)?;
    let at = doist.app.server.eha();
    say(format_args!(
        "listening on {}",
        common::plain(doist.app.server.ha())
    ))?;

    let peers = Peers::start(options.peers, &at, &client_tls, FRAME);
    let mut town = Town::new(1_000, 200)?;
    let mut frames = Frames::new(net.now());
    let outcome = frames.run(&mut doist, &mut net, &mut town, &peers, options.secs)?;
    let (joined, tally) = (doist.app.joined, peers.stop()?);
    doist.exit(&mut net)?;

    frames.report(&doist.app)?;
    let slowest = tally.slowest.as_millis();
    let answers = tally.answers;
    say(format_args!(
        "players: {joined} joined, {answers} answers verified, slowest {slowest} ms"
    ))?;
    say(format_args!("town: {} passes in slices", town.passes))?;
    frames.time_adds_up()?;
    let unsliced = town.comes_to_the_same()?;
    match (tally.mismatches, tally.lost) {
        // Whoever ends it early by a signal cuts the players off.
        (0, _) if outcome.is_some() => {}
        (0, 0) if joined == options.peers => {}
        (wrong, lost) => {
            return Err(Fault::msg(format!(
                "{joined} players joined, {wrong} answers were wrong, {lost} lost"
            )));
        }
    }
    match unsliced {
        true => Ok(()),
        false => Err(Fault::msg("the town's slices do not come to its passes")),
    }
}

/// The game for so many players, a tick a frame.
pub(crate) fn doist(server: Server, players: usize) -> Doist<Game> {
    let mut doist = Doist::new(Game::new(server, players)).with_tock(FRAME);
    doist.named("rules").add(Rules);
    doist.named("arena").add(Arena);
    doist
}

/// A certificate that lives as long as this program, for both ends.
fn tls() -> Result<(ServerTls, ClientTls), Fault> {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned(), "::1".to_owned()])?;
    let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let server = ServerTls::builder()
        .certificate(certificate.as_bytes())
        .key(key.as_bytes())
        .build()?;
    let client = ClientTls::builder().ca(certificate.as_bytes()).build()?;
    Ok((server, client))
}

/// The game's loop and what it notes.
struct Frames {
    /// When the first frame began, and the last one, on the net's clock.
    first: Tyme,
    last: Tyme,
    /// The sums of what the frames came to.
    sum: Advance,
    /// Busy time of frames while the players come, and after that.
    joining: Histogram,
    warm: Histogram,
    /// Frames that took longer than a frame.
    over: u32,
    stalled: bool,
}

impl Frames {
    fn new(now: Tyme) -> Self {
        Self {
            first: now,
            last: now,
            sum: Advance {
                step: Step::More,
                ticks: 0,
                remainder: Duration::ZERO,
                dropped: Duration::ZERO,
            },
            joining: Histogram::new(),
            warm: Histogram::new(),
            over: 0,
            stalled: false,
        }
    }

    /// Plays until the time is over: `None`, or somebody ended it.
    fn run(
        &mut self,
        doist: &mut Doist<Game>,
        net: &mut MioNet,
        town: &mut Town,
        peers: &Peers,
        secs: Duration,
    ) -> Result<Option<Outcome>, Fault> {
        let mut began = None;
        let mut display = net.now();
        loop {
            let now = net.now();
            let advance = doist.advance(net, now - self.last)?;
            town.frame()?;
            // Here a game would draw, between two ticks: `remainder / tock` of the way.
            self.note(now, net.now() - now, advance, began.is_some());
            if let Step::Ended(outcome) = advance.step {
                return Ok(Some(outcome));
            }
            if began.is_none() && doist.app.joined == doist.app.players.len() {
                began = Some(now);
            }
            match began {
                Some(began) if now - began >= secs => return Ok(None),
                Some(began) if !self.stalled && now - began >= secs / 2 => {
                    self.stalled = true;
                    until(net, now + HITCH);
                }
                None if now - self.first > PATIENCE || peers.ended() => return Ok(None),
                _ => {}
            }
            display += FRAME;
            let now = net.now();
            match display > now {
                true => until(net, display),
                false => display = now, // frames that were missed are not shown later
            }
        }
    }

    fn note(&mut self, now: Tyme, busy: Duration, advance: Advance, warm: bool) {
        self.last = now;
        self.sum.ticks += advance.ticks;
        self.sum.dropped += advance.dropped;
        self.sum.remainder = advance.remainder;
        self.over += u32::from(busy > FRAME);
        match warm {
            true => self.warm.add(busy),
            false => self.joining.add(busy),
        }
    }

    fn report(&self, game: &Game) -> Result<(), Fault> {
        let Advance { ticks, dropped, .. } = self.sum;
        let frames = self.joining.count() + self.warm.count();
        say(format_args!(
            "frames: {frames} ({} over budget), ticks: {ticks}, dropped {} ms, moves: {}, refused: {}",
            self.over,
            dropped.as_millis(),
            game.moves,
            game.refused
        ))?;
        say(format_args!(
            "busy while players join: {}",
            self.joining.line()
        ))?;
        say(format_args!(
            "busy in a warm frame:    {}",
            self.warm.line()
        ))?;
        Ok(())
    }

    /// Every nanosecond that was handed in is a tick's, left over, or dropped.
    fn time_adds_up(&self) -> Result<(), Fault> {
        let ticks = FRAME * u32::try_from(self.sum.ticks)?;
        let known = ticks + self.sum.remainder + self.sum.dropped;
        if known != self.last - self.first {
            let why = format!("{known:?} of {:?}", self.last - self.first);
            return Err(Fault::msg(format!("time does not add up: {why}")));
        }
        if self.stalled && self.sum.dropped.is_zero() {
            return Err(Fault::msg("the stall was not dropped"));
        }
        Ok(())
    }
}

/// The display's turn: nobody else has anything to do on this thread.
#[expect(
    clippy::disallowed_methods,
    reason = "here the game waits, not the library"
)]
fn until(net: &mut MioNet, moment: Tyme) {
    std::thread::sleep(moment - net.now());
}
