//! An echo server over TCP or a Unix socket, with TLS or without: every byte comes back.
//!
//! ```text
//! cargo run --release --example echo_server -- --addr 127.0.0.1:5000
//! cargo run --release --example echo_server -- --unix /tmp/echo.sock --tymeout 60 --max-conns 100
//! cargo run --release --example echo_server -- --addr :5001 --tls --cert server.pem --key server.key
//! cargo run --release --example echo_server -- --addr :5000 --record echo.rec
//! ```
//!
//! With `--wirelog`, `--pcapng` and `--keylog` it shows what passes: see `docs/wire-log.md`; with
//! `--trace-events` what its doers do, and when: see `docs/seeing.md`.
//!
//! It says `listening on ADDR` once it serves, and sleeps while nothing happens. On SIGINT or SIGTERM
//! it echoes what has come and ends, within 10 s; a second one ends it at once. On SIGHUP it reads
//! its certificate anew. See `docs/drain.md`.

pub(crate) mod common;
#[path = "common/wire.rs"]
mod wire;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use common::Usage;
use hio::doers::EchoServerDoer;
use hio::doing::prelude::*;
use hio::link::tls::ServerTls;
use hio::link::{Limits, Server};
use hio::net::{Endpoint, ListenOptions, MioNet, Net, Tape};
use hio::tyme::duration_from_secs;
use lexopt::prelude::*;

const HELP: &str = "\
Echoes what its clients send.

    echo_server --addr HOST:PORT | --unix PATH [OPTIONS]

    --addr HOST:PORT    listen on TCP; :PORT is all IPv4 interfaces, port 0 picks one
    --unix PATH         listen on a Unix socket
    --tls               speak TLS; needs --cert and --key
    --cert PEM          the server's certificate, and those that lead to a root
    --key PEM           its key
    --client-ca PEM     serve only clients with a certificate by one of these
    --tymeout SECONDS   close connections without traffic for so long (default: never)
    --max-conns N       connections at once (default: 16384); further ones wait
    --record FILE       record the run, for the example `replay`; keep FILE as safe as the key
    --wirelog FILE      write what clients send and get, in plain also over TLS
    --pcapng FILE       capture what the sockets carry, for Wireshark
    --keylog FILE       write the keys of TLS, also into the capture: who has them can read all
    --trace-events FILE write what doers and sockets do, for ui.perfetto.dev; at most 64 MiB";

/// What the command line asks for.
pub(crate) struct Options {
    at: Endpoint,
    limits: Limits,
    pub(crate) tls: Option<ServerTls>,
    record: Option<PathBuf>,
    /// What enters beside the net goes through it.
    tape: Tape,
    logs: wire::Logs,
}

fn main() -> ExitCode {
    env_logger::init();
    let options = options(lexopt::Parser::from_env(), Tape::recording());
    let help = format!("{HELP}\n{}", common::SIGNALS);
    common::run("echo_server", &help, options, serve)
}

fn serve(options: Options) -> Result<(), Fault> {
    let net = MioNet::new()?;
    let mut net = options.logs.of_net(net);
    match options.record.clone() {
        None => run(options, net.as_mut()),
        Some(file) => common::record(net, &file, &options.tape.clone(), |net| run(options, net)),
    }
}

fn run(options: Options, net: &mut dyn Net) -> Result<(), Fault> {
    let tls = options.tls.clone();
    let (mut doist, echo) = doist(options);
    common::listen(&mut doist, net, tls.as_ref())?;
    doist.enter(net)?;
    if let Some(echo) = doist.get(echo) {
        let at = common::plain(echo.server().ha());
        common::say(format_args!("listening on {at}"))?;
    }
    doist.run(net)?;
    Ok(())
}

/// The server's doers; the example `replay` runs the same.
pub(crate) fn doist(options: Options) -> (Doist, Id<EchoServerDoer>) {
    let mut doist = Doist::new(());
    options.logs.of_doist(&mut doist);
    if let Some(doer) = options.logs.doer() {
        doist.add(doer);
    }
    let mut server = Server::new(options.at, ListenOptions::default(), options.limits);
    server.set_tls(options.tls);
    options.logs.of_server(&mut server);
    let echo = doist.named("echo").add(EchoServerDoer::new(server));
    (doist, echo)
}

/// Reads a command line.
pub(crate) fn options(mut args: lexopt::Parser, tape: Tape) -> Result<Options, Usage> {
    let mut at = None;
    let mut limits = Limits::default();
    let (mut wanted, mut tls) = (false, Tls::default());
    let mut record: Option<PathBuf> = None;
    let mut files = wire::Files::default();
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
            Long("record") => record = Some(args.value()?.into()),
            Long("wirelog") => files.wirelog = Some(args.value()?.into()),
            Long("pcapng") => files.pcapng = Some(args.value()?.into()),
            Long("keylog") => files.keylog = Some(args.value()?.into()),
            Long("trace-events") => files.trace = Some(args.value()?.into()),
            Short('h') | Long("help") => return Err(Usage::Help),
            other => return Err(other.unexpected().into()),
        }
    }
    limits.validate().map_err(Usage::wrong)?;
    let at = at.ok_or_else(|| Usage::wrong("--addr or --unix is wanted"))?;
    if files.keylog.is_some() && !wanted {
        return Err(Usage::wrong("--keylog is for --tls"));
    }
    if record.is_some() && files != wire::Files::default() {
        // A replay opens what the command line names, and would write it anew.
        return Err(Usage::wrong("--record goes without the other logs"));
    }
    let logs = files.open()?;
    let tls = match (wanted, tls == Tls::default()) {
        (true, _) => Some(tls.build(&logs, record.is_some().then_some(&tape))?),
        (false, true) => None,
        (false, false) => return Err(Usage::wrong("--cert, --key and --client-ca are for --tls")),
    };
    Ok(Options {
        at,
        limits,
        tls,
        record,
        tape,
        logs,
    })
}

/// The files of TLS.
#[derive(Default, PartialEq)]
struct Tls {
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
    client_ca: Option<PathBuf>,
}

impl Tls {
    /// With a tape, for a run that is recorded or replayed.
    fn build(self, logs: &wire::Logs, tape: Option<&Tape>) -> Result<ServerTls, Usage> {
        let (Some(cert), Some(key)) = (self.cert, self.key) else {
            return Err(Usage::wrong("--tls needs --cert and --key"));
        };
        let mut builder = logs.of_keys(ServerTls::builder().certificate(cert).key(key));
        if let Some(ca) = self.client_ca {
            builder = builder.client_ca(ca);
        }
        if let Some(tape) = tape {
            builder = builder.tape(tape);
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
