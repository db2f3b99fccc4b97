//! An echo server over TCP or a Unix socket: every byte comes back.
//!
//! ```text
//! cargo run --release --example echo_server -- --addr 127.0.0.1:5000
//! cargo run --release --example echo_server -- --unix /tmp/echo.sock --tymeout 60 --max-conns 100
//! ```
//!
//! It says `listening on ADDR` once it serves, sleeps while nothing happens, and ends in order on
//! SIGINT or SIGTERM.

mod common;

use std::process::ExitCode;
use std::time::Duration;

use common::Usage;
use hio::doers::{EchoServerDoer, SignalDoer};
use hio::doing::prelude::*;
use hio::link::{Limits, Server};
use hio::net::{Endpoint, ListenOptions, MioNet};
use hio::tyme::duration_from_secs;
use lexopt::prelude::*;

const HELP: &str = "\
Echoes what its clients send.

    echo_server --addr HOST:PORT | --unix PATH [OPTIONS]

    --addr HOST:PORT    listen on TCP; :PORT is all interfaces, port 0 picks one
    --unix PATH         listen on a Unix socket
    --tymeout SECONDS   close connections without traffic for so long (default: never)
    --max-conns N       connections at once (default: 16384); further ones wait";

/// What the command line asks for.
struct Options {
    at: Endpoint,
    limits: Limits,
}

fn main() -> ExitCode {
    env_logger::init();
    common::run("echo_server", HELP, options(), serve)
}

fn serve(options: Options) -> Result<(), Fault> {
    let mut net = MioNet::new()?;
    let mut doist = Doist::new(());
    let server = Server::new(options.at, ListenOptions::default(), options.limits);
    let echo = doist.named("echo").add(EchoServerDoer::new(server));
    doist.named("signals").add(SignalDoer::new(&mut net)?);
    doist.enter(&mut net)?;
    if let Some(echo) = doist.get(echo) {
        let at = common::plain(echo.server().ha());
        common::say(format_args!("listening on {at}"))?;
    }
    doist.run(&mut net)?;
    Ok(())
}

fn options() -> Result<Options, Usage> {
    let mut at = None;
    let mut limits = Limits::default();
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            Long("addr") => common::once(&mut at, common::tcp(&args.value()?)?)?,
            Long("unix") => common::once(&mut at, common::unix(&args.value()?)?)?,
            Long("tymeout") => limits.tymeout = Some(seconds(args.value()?.parse()?)?),
            Long("max-conns") => limits.connections_max = args.value()?.parse()?,
            Short('h') | Long("help") => return Err(Usage::Help),
            other => return Err(other.unexpected().into()),
        }
    }
    limits.validate().map_err(Usage::wrong)?;
    let at = at.ok_or_else(|| Usage::wrong("--addr or --unix is wanted"))?;
    Ok(Options { at, limits })
}

fn seconds(secs: f64) -> Result<Duration, Usage> {
    duration_from_secs(secs).map_err(Usage::wrong)
}
