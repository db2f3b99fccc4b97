//! Runs again what `echo_server --record FILE` recorded: the same doers, no sockets, no waiting.
//!
//! ```text
//! cargo run --release --example echo_server -- --addr 127.0.0.1:5000 --record echo.rec
//! cargo run --release --example replay -- echo.rec
//! cargo run --release --example replay -- --print echo.rec | less
//! ```
//!
//! Its last line is `trace-hash HEX events N`: the same as the recorder's when the server does now
//! what it did then. At the first difference it says where and which, and ends with exit code 1.
//! Certificates of a TLS server come from the recording; no file is read and no key is needed.

#[path = "echo_server.rs"]
#[expect(dead_code, reason = "its main and its recording are of no use here")]
pub(crate) mod echo_server;

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use echo_server::common::{self, Usage};
use hio::doing::{DoerId, Fault};
use hio::net::{RecordedRun, Replay, ReplayEnd, Tape};
use lexopt::prelude::*;

const HELP: &str = "\
Runs a recorded echo server again.

    replay [--print] FILE

    --print     list the recording instead, one operation a line: number, clock, what, result";

/// What the command line asks for.
struct Options {
    file: PathBuf,
    print: bool,
}

fn main() -> ExitCode {
    env_logger::init();
    common::run("replay", HELP, options(), |options| {
        let recording = RecordedRun::open(File::open(&options.file)?)?;
        match options.print {
            true => print(recording, &mut io::BufWriter::new(io::stdout().lock())),
            false => replay(recording, &mut io::stdout()),
        }
    })
}

/// Runs it again, and writes the hash.
pub(crate) fn replay(recording: RecordedRun, out: &mut dyn Write) -> Result<(), Fault> {
    let tape = Tape::replaying();
    let args: Vec<String> = recording.about().lines().map(str::to_owned).collect();
    let mut net = Replay::new(recording)?.with_tape(&tape);
    let args = lexopt::Parser::from_args(args);
    let server = echo_server::options(args, tape)
        .map_err(|_| Fault::msg("not the recording of an echo_server"))?;
    let tls = server.tls.clone();
    let (mut doist, _) = echo_server::doist(server);
    common::listen(&mut doist, &mut net, tls.as_ref())?;
    let stop = doist.stop_handle();
    net = net.on_stop(move || stop.stop());
    let ran = doist.run(&mut net);
    let end = net.finish();
    if let ReplayEnd::CutOff { events } = &end {
        eprintln!("the recording is cut off after event {events}; up to there all was the same");
    }
    let told = match end {
        ReplayEnd::Diverged(at) => {
            let doer = doist.path(DoerId::from(at.owner));
            let doer = doer.unwrap_or_else(|| "nobody".to_owned());
            Err(Fault::msg(format!("the run differs, in doer {doer}: {at}")))
        }
        ReplayEnd::Damaged(why) => Err(Fault::msg(why)),
        ReplayEnd::Complete => ran.map(|_| ()),
        _ => Ok(()),
    };
    told.and(common::say_to(out, net.hash()).map_err(Fault::from))
}

/// Lists it.
pub(crate) fn print(mut recording: RecordedRun, out: &mut dyn Write) -> Result<(), Fault> {
    for arg in recording.about().lines() {
        writeln!(out, "# {arg}")?;
    }
    while let Some(line) = recording.next_line()? {
        match writeln!(out, "{line}") {
            Err(why) if why.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            other => other?,
        }
    }
    Ok(())
}

fn options() -> Result<Options, Usage> {
    let (mut file, mut print) = (None, false);
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            Long("print") => print = true,
            Value(path) if file.is_none() => file = Some(path.into()),
            Short('h') | Long("help") => return Err(Usage::Help),
            other => return Err(other.unexpected().into()),
        }
    }
    let file = file.ok_or_else(|| Usage::wrong("a FILE is wanted"))?;
    Ok(Options { file, print })
}
