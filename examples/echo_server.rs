//! An echo server over TCP or a Unix socket, with TLS or without: every byte comes back.
//!
//! ```text
//! cargo run --release --example echo_server -- --addr 127.0.0.1:5000
//! cargo run --release --example echo_server -- --unix /tmp/echo.sock --tymeout 60 --max-conns 100
//! cargo run --release --example echo_server -- --addr :5001 --tls --cert server.pem --key server.key
//! ```
//!
//! It says `listening on ADDR` once it serves, sleeps while nothing happens, and ends in order on
//! SIGINT or SIGTERM.

mod common;

use std::path::PathBuf;
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
    --tls               speak TLS; needs --cert and --key
    --cert PEM          the server's certificate, and those that lead to a root
    --key PEM           its key
    --client-ca PEM     serve only clients with a certificate by one of these
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
        let at = common::plain(echo.server().ha());
        common::say(format_args!("listening on {at}"))?;
    }
    doist.run(&mut net)?;
    Ok(())
}

fn options() -> Result<Options, Usage> {
    let mut at = None;
    let mut limits = Limits::default();
    let (mut wanted, mut tls) = (false, Tls::default());
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            Long("addr") => common::once(&mut at, common::tcp(&args.value()?)?)?,
            Long("unix") => common::once(&mut at, common::unix(&args.value()?)?)?,
            Long("tls") => wanted = true,
            Long("cert") => tls.cert = Some(args.value()?.into()),
            Long("key") => tls.key = Some(args.value()?.into()),
            Long("client-ca") => tls.client_ca = Some(args.value()?.into()),
            Long("tymeout") => limits.tymeout = Some(seconds(args.value()?.parse()?)?),
            Long("max-conns") => limits.connections_max = args.value()?.parse()?,
            Short('h') | Long("help") => return Err(Usage::Help),
            other => return Err(other.unexpected().into()),
        }
    }
    limits.validate().map_err(Usage::wrong)?;
    let at = at.ok_or_else(|| Usage::wrong("--addr or --unix is wanted"))?;
    let tls = match (wanted, tls == Tls::default()) {
        (true, _) => Some(tls.build()?),
        (false, true) => None,
        (false, false) => return Err(Usage::wrong("--cert, --key and --client-ca are for --tls")),
    };
    Ok(Options { at, limits, tls })
}

/// The files of TLS.
#[derive(Default, PartialEq)]
struct Tls {
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
    client_ca: Option<PathBuf>,
}

impl Tls {
    fn build(self) -> Result<ServerTls, Usage> {
        let (Some(cert), Some(key)) = (self.cert, self.key) else {
            return Err(Usage::wrong("--tls needs --cert and --key"));
        };
        let mut builder = ServerTls::builder().certificate(cert).key(key);
        if let Some(ca) = self.client_ca {
            builder = builder.client_ca(ca);
        }
        let tls = builder.build().map_err(Usage::wrong)?;
        // An echo has no end that could be mistaken: whoever half-closes without TLS's own end, as
        // hio does, gets his last bytes back.
        Ok(tls.tolerate_missing_close_notify(true))
    }
}

fn seconds(secs: f64) -> Result<Duration, Usage> {
    duration_from_secs(secs).map_err(Usage::wrong)
}
