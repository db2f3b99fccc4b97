//! An echo server over TCP or a Unix socket, plain or with TLS: every byte comes back.
//!
//! ```text
//! cargo run --release --example echo_server -- --addr 127.0.0.1:5000
//! cargo run --release --example echo_server -- --unix /tmp/echo.sock --tymeout 60 --max-conns 100
//! cargo run --release --example echo_server -- --addr :5000 --tls --cert server.pem --key server.key
//! ```
//!
//! It says `listening on ADDR` once it serves, sleeps while nothing happens, and ends in order on
//! SIGINT or SIGTERM.

mod common;

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use common::Usage;
use hio::doers::{EchoServerDoer, SignalDoer};
use hio::doing::prelude::*;
use hio::link::tls::ServerTls;
use hio::link::{Limits, Server};
use hio::net::{Endpoint, ListenOptions, MioNet};
use hio::tyme::duration_from_secs;
use lexopt::prelude::*;

const HELP: &str = "\
Echoes what its clients send.

    echo_server --addr HOST:PORT | --unix PATH [OPTIONS]

    --addr HOST:PORT    listen on TCP; :PORT is all interfaces, port 0 picks one
    --unix PATH         listen on a Unix socket
    --tls               speak TLS 1.2 and 1.3, with
    --cert PEM              the server's certificate and those that lead to a root,
    --key PEM               its key,
    --client-ca PEM         and certificates of clients demanded from this authority
    --tymeout SECONDS   close connections without traffic for so long (default: never)
    --max-conns N       connections at once (default: 16384); further ones wait";

/// What the command line asks for.
struct Options {
    at: Endpoint,
    limits: Limits,
    tls: Option<ServerTls>,
}

fn main() -> ExitCode {
    env_logger::init();
    common::run("echo_server", HELP, options(), serve)
}

fn serve(options: Options) -> Result<(), Fault> {
    let mut net = MioNet::new()?;
    let mut doist = Doist::new(());
    let mut server = Server::new(options.at, ListenOptions::default(), options.limits);
    server.set_tls(options.tls);
    let echo = doist.named("echo").add(EchoServerDoer::new(server));
    doist.named("signals").add(SignalDoer::new(&mut net)?);
    doist.enter(&mut net)?;
    if let Some(echo) = doist.get(echo) {
        let mut out = io::stdout().lock();
        writeln!(out, "listening on {}", common::plain(echo.server().ha()))?;
        out.flush()?;
    }
    doist.run(&mut net)?;
    Ok(())
}

fn options() -> Result<Options, Usage> {
    let mut at = None;
    let mut limits = Limits::default();
    let mut files = common::TlsFiles::default();
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            Long("addr") => at = Some(common::tcp(&args.value()?)?),
            Long("unix") => at = Some(Endpoint::unix(args.value()?)),
            Long("tls") => files.wanted = true,
            Long("cert") => files.certificate = Some(args.value()?.into()),
            Long("key") => files.key = Some(args.value()?.into()),
            Long("client-ca") => files.ca = Some(args.value()?.into()),
            Long("tymeout") => limits.tymeout = Some(seconds(args.value()?.parse()?)?),
            Long("max-conns") => limits.connections_max = args.value()?.parse()?,
            Short('h') | Long("help") => return Err(Usage::Help),
            other => return Err(other.unexpected().into()),
        }
    }
    limits.validate().map_err(Usage::wrong)?;
    let at = at.ok_or_else(|| Usage::wrong("--addr or --unix is wanted"))?;
    let tls = files.server()?;
    Ok(Options { at, limits, tls })
}

fn seconds(secs: f64) -> Result<Duration, Usage> {
    duration_from_secs(secs).map_err(Usage::wrong)
}
