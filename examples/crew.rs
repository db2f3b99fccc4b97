//! An echo server on many cores, whose every message costs some hashing: a crew of members, each a
//! Doist on a thread of its own, that share a port.
//!
//! ```text
//! cargo run --release --example crew -- --members 2 --addr 127.0.0.1:5000
//! cargo run --release --example crew -- --members 4 --by-hand --rounds 500
//! ```
//!
//! It says `listening on ADDR` once it serves, and ends in order on SIGINT or SIGTERM: a signal to
//! one member stops the crew. Then each member tells how many messages it served.

mod common;
#[path = "common/hashing.rs"]
mod hashing;

use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::Usage;
use hio::crew::{AcceptorDoer, Crew, Handed, HandedDoer, Mailbox, Post, Seat};
use hio::doers::{EachServerDoer, SignalDoer};
use hio::doing::prelude::*;
use hio::link::{Limits, Remoter, Server};
use hio::net::{Endpoint, ListenOptions, MioNet, Net, Owner};
use hio::tyme::duration_from_secs;
use lexopt::prelude::*;

const HELP: &str = "\
Echoes what its clients send, on many cores; every message is hashed first.

    crew [OPTIONS]

    --members N         threads that serve (default: one for each core)
    --addr HOST:PORT    listen on TCP (default: 127.0.0.1:0, which picks a port)
    --secs S            end after so many seconds (default: never)
    --by-hand           one more member accepts and hands connections to the others in turn,
                        instead of a port that all share
    --size B            bytes of a message (default: 64)
    --rounds R          how often each message is hashed (default: 100)";

#[derive(Clone, Debug)]
pub(crate) struct Options {
    members: usize,
    at: Endpoint,
    limit: Option<Duration>,
    by_hand: bool,
    size: usize,
    rounds: u32,
}

fn main() -> ExitCode {
    env_logger::init();
    let options = options(lexopt::Parser::from_env());
    common::run("crew", HELP, options, serve)
}

pub(crate) fn options(mut args: lexopt::Parser) -> Result<Options, Usage> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let (mut members, mut at, mut size) = (cores, Endpoint::host("127.0.0.1", 0), 64);
    let (mut limit, mut by_hand, mut rounds) = (None, false, 100);
    while let Some(arg) = args.next()? {
        match arg {
            Long("members") => members = args.value()?.parse()?,
            Long("addr") => at = common::tcp(&args.value()?)?,
            Long("secs") => {
                let secs = args.value()?.parse()?;
                limit = Some(duration_from_secs(secs).map_err(Usage::wrong)?);
            }
            Long("by-hand") => by_hand = true,
            Long("size") => size = args.value()?.parse()?,
            Long("rounds") => rounds = args.value()?.parse()?,
            Short('h') | Long("help") => return Err(Usage::Help),
            other => return Err(other.unexpected().into()),
        }
    }
    if !(1..=1024).contains(&members) || !(1..=65_536).contains(&size) {
        let why = "--members is 1 to 1024, --size 1 to 65536";
        return Err(Usage::wrong(why));
    }
    Ok(Options {
        members,
        at,
        limit,
        by_hand,
        size,
        rounds,
    })
}

/// What a member did, for the last lines.
pub(crate) type Served = Arc<Mutex<(u64, u64)>>;

fn serve(mut options: Options) -> Result<(), Fault> {
    if !options.by_hand {
        options.at = known_port(&options.at)?;
    }
    let (boxes, mut posts) = (mailboxes(options.members), Vec::new());
    let mut served = Vec::new();
    let ready = Mailbox::new(options.members + 1);
    let mut crew = Crew::new();
    for (n, mailbox) in boxes.into_iter().enumerate() {
        posts.push(mailbox.post());
        let (options, tally) = (options.clone(), Served::default());
        served.push((format!("member-{n}"), Arc::clone(&tally)));
        let ready = ready.post();
        crew = crew.member(&format!("member-{n}"), move |seat| {
            member(seat, &options, &mailbox, &tally, ready.clone())
        });
    }
    let (told, by_hand) = (ready.post(), options.by_hand);
    if by_hand {
        let (options, posts) = (options.clone(), posts.clone());
        crew = crew.member("acceptor", move |seat| {
            acceptor(seat, &options, &posts, &told)
        });
    }
    let wait = if by_hand { 1 } else { options.members };
    let report = crew
        .member("usher", move |seat| usher(seat, ready.clone(), wait))
        .run();
    let report = report.map_err(|why| Fault::msg(why.to_string()))?;
    for (name, tally) in served {
        let (messages, digest) = *tally.lock().map_err(|_| Fault::msg("a member panicked"))?;
        common::say(format_args!(
            "{name}: {messages} messages, digest {digest:016x}"
        ))?;
    }
    report.into_result()
}

fn mailboxes(members: usize) -> Vec<Mailbox<Handed>> {
    (0..members).map(|_| Mailbox::new(64)).collect()
}

/// A port that all can listen on: the system's choice is asked for once.
fn known_port(at: &Endpoint) -> Result<Endpoint, Fault> {
    let mut net = MioNet::new()?;
    let group = net.group(Owner::NONE);
    let listener = net.listen(group, at, &sharing())?;
    Ok(net.local(listener)?)
}

fn sharing() -> ListenOptions {
    ListenOptions {
        reuse_port: true,
        ..ListenOptions::default()
    }
}

/// A member: what serves in it, until a signal comes or its time is over.
fn member(
    seat: &mut Seat<'_>,
    options: &Options,
    mailbox: &Mailbox<Handed>,
    tally: &Served,
    ready: Post<Endpoint>,
) -> Result<Doist<()>, Fault> {
    let mut doist = Doist::new(());
    doist.named("signals").add(SignalDoer::new(seat.net)?);
    if let Some(limit) = options.limit {
        doist = doist.with_limit(limit);
    }
    serves(&mut doist, options, mailbox, tally, ready);
    Ok(doist)
}

/// Its own server on the port of all, or one that gets its connections by mail.
pub(crate) fn serves(
    doist: &mut Doist<()>,
    options: &Options,
    mailbox: &Mailbox<Handed>,
    tally: &Served,
    mut ready: Post<Endpoint>,
) {
    let (size, rounds, tally) = (options.size, options.rounds, Arc::clone(tally));
    let each = move |ix: &mut Remoter| echo(ix, size, rounds, &tally);
    if options.by_hand {
        let server = Server::new(options.at.clone(), sharing(), Limits::default());
        doist
            .named("server")
            .add(HandedDoer::new(server, mailbox.clone(), each));
    } else {
        let server = Server::new(options.at.clone(), sharing(), Limits::default());
        doist.named("server").add(EachServerDoer::new(server, each));
        // Runs when the server has entered: it listens.
        let at = options.at.clone();
        doist.named("ready").add(doify(move |_, cx: &mut Cx<'_>| {
            Ok(Done(ready.send(cx.net, at.clone()).is_ok()))
        }));
    }
}

/// Hashes and sends back every whole message.
fn echo(ix: &mut Remoter, size: usize, rounds: u32, tally: &Served) {
    let whole = ix.rx().len().min(ix.room()) / size * size;
    let (mut messages, mut digest) = (0, 0);
    for message in ix.rx()[..whole].chunks(size) {
        digest ^= hashing::hash(message, rounds);
        messages += 1;
    }
    if messages == 0 {
        return; // what does not fit waits until the queue has drained
    }
    let answer = ix.rx()[..whole].to_vec();
    ix.consume(whole);
    if ix.tx(&answer).is_err() {
        ix.abort(); // it is closing
    }
    if let Ok(mut tally) = tally.lock() {
        tally.0 += messages;
        tally.1 ^= digest;
    }
}

/// The member that accepts for the others.
fn acceptor(
    seat: &mut Seat<'_>,
    options: &Options,
    posts: &[Post<Handed>],
    told: &Post<Endpoint>,
) -> Result<Doist<()>, Fault> {
    let mut doist = Doist::new(());
    doist.named("signals").add(SignalDoer::new(seat.net)?);
    if let Some(limit) = options.limit {
        doist = doist.with_limit(limit);
    }
    accepts(&mut doist, options, posts, told.clone());
    Ok(doist)
}

/// Accepts, and hands to each in turn.
pub(crate) fn accepts(
    doist: &mut Doist<()>,
    options: &Options,
    posts: &[Post<Handed>],
    mut told: Post<Endpoint>,
) {
    let doer = AcceptorDoer::new(options.at.clone(), ListenOptions::default(), posts.to_vec());
    doist.named("acceptor").add(doer.on_open(move |at| {
        // From outside of a doer, any net will do.
        let _ = told.send(&mut NullNet::default(), at.clone());
    }));
}

/// Says where they listen once all do, and ends.
fn usher(
    _seat: &mut Seat<'_>,
    mut ready: Mailbox<Endpoint>,
    mut wait: usize,
) -> Result<Doist<()>, Fault> {
    let mut doist = Doist::new(());
    let mut opened = false;
    doist.add(doify(move |_, cx: &mut Cx<'_>| {
        if !std::mem::replace(&mut opened, true) {
            ready.open(cx.net, cx.ask.owner())?;
        }
        while let Some(at) = ready.take(cx.net) {
            wait -= 1;
            if wait == 0 {
                common::say(format_args!("listening on {}", common::plain(&at)))?;
                return Ok(Done(true));
            }
        }
        Ok(Park(Tyme::NEVER))
    }));
    Ok(doist)
}
