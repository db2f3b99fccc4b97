//! What the examples share: their command lines and how they end.
#![expect(dead_code, reason = "each example uses what it needs")]

use std::ffi::OsStr;
use std::fmt;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use hio::doers::{ReloadDoer, SignalDoer};
use hio::doing::{Doist, Fault};
use hio::link::tls::ServerTls;
use hio::net::{Endpoint, Net, NetError, Record, Tape};
use hio::tyme::duration_from_secs;

/// Why a program does not start.
#[derive(Debug)]
pub(crate) enum Usage {
    /// It was asked to explain itself.
    Help,
    /// The command line makes no sense.
    Wrong(String),
}

impl Usage {
    /// The command line makes no sense, for this reason.
    pub(crate) fn wrong(why: impl fmt::Display) -> Self {
        Self::Wrong(why.to_string())
    }
}

impl From<lexopt::Error> for Usage {
    fn from(why: lexopt::Error) -> Self {
        Self::wrong(why)
    }
}

/// What `--help` of the servers says of signals.
pub(crate) const SIGNALS: &str = "
SIGINT or SIGTERM: answers what has come and ends, within 10 s; a second one ends it at once.
SIGHUP: reads the files of TLS anew; when one is bad, the old ones stay.";

/// Runs a program: 0 when it went well or explained itself, 1 when it failed, 2 when its command
/// line makes no sense.
pub(crate) fn run<O>(
    name: &str,
    help: &str,
    options: Result<O, Usage>,
    program: impl FnOnce(O) -> Result<(), Fault>,
) -> ExitCode {
    match options.map(program) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(fault)) => {
            eprintln!("{name}: {fault}");
            ExitCode::FAILURE
        }
        Err(Usage::Help) => {
            // Who looks no longer needs no help.
            drop(say(help));
            ExitCode::SUCCESS
        }
        Err(Usage::Wrong(why)) => {
            eprintln!("{name}: {why}\n\n{help}");
            ExitCode::from(2)
        }
    }
}

/// Runs a program on a net that is recorded into a file, which only its owner may read. The
/// command line goes along, for `replay`; at the end the hash is printed that a replay comes to.
pub(crate) fn record<N: Net>(
    net: N,
    file: &Path,
    tape: &Tape,
    program: impl FnOnce(&mut dyn Net) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut net = Record::new(net, options.open(file)?, &args.join("\n")).with_tape(tape);
    let ran = program(&mut net);
    let recorded = net.finish();
    if let Some(why) = recorded.failure {
        eprintln!("the recording ended early: {why}");
    }
    say(format_args!("recorded {}", recorded.hash))?;
    ran
}

/// Listens for signals where there are any: on other systems the program runs until it is killed.
pub(crate) fn listen<A>(
    doist: &mut Doist<A>,
    net: &mut dyn Net,
    tls: Option<&ServerTls>,
) -> Result<(), Fault> {
    match SignalDoer::new(net) {
        Ok(doer) => drop(doist.named("signals").add(doer)),
        Err(NetError::Unsupported) => return Ok(()),
        Err(why) => return Err(why.into()),
    }
    if let Some(tls) = tls {
        let doer = ReloadDoer::of_tls(net, tls)?;
        doist.named("reload").add(doer);
    }
    Ok(())
}

/// Prints a line. Unlike `println!`, it does not panic when nobody reads it.
pub(crate) fn say(line: impl fmt::Display) -> io::Result<()> {
    say_to(&mut io::stdout().lock(), line)
}

/// Writes a line, to be seen at once.
pub(crate) fn say_to(out: &mut dyn Write, line: impl fmt::Display) -> io::Result<()> {
    writeln!(out, "{line}")?;
    out.flush()
}

/// `HOST:PORT`.
pub(crate) fn tcp(text: &OsStr) -> Result<Endpoint, Usage> {
    let text = text
        .to_str()
        .ok_or_else(|| Usage::wrong("--addr is no text"))?;
    let at: Endpoint = text.parse().map_err(Usage::wrong)?;
    match at {
        Endpoint::Tcp(_) | Endpoint::Name(..) => Ok(at),
        _ => Err(Usage::wrong(
            "--addr takes HOST:PORT; for a path use --unix",
        )),
    }
}

/// A path.
pub(crate) fn unix(path: &OsStr) -> Result<Endpoint, Usage> {
    match path.is_empty() {
        true => Err(Usage::wrong("--unix takes a path, not nothing")),
        false => Ok(Endpoint::unix(path)),
    }
}

/// `--secs S`: more than nothing.
pub(crate) fn secs(value: &OsStr) -> Result<Duration, Usage> {
    let secs = value.to_str().and_then(|text| text.parse().ok());
    match secs.map(duration_from_secs) {
        Some(Ok(span)) if !span.is_zero() => Ok(span),
        _ => Err(Usage::wrong("--secs takes seconds, more than 0")),
    }
}

/// Notes the one address: a second one would be left out silently.
pub(crate) fn once(to: &mut Option<Endpoint>, at: Endpoint) -> Result<(), Usage> {
    match to.replace(at) {
        None => Ok(()),
        Some(_) => Err(Usage::wrong("one --addr or one --unix is wanted, not two")),
    }
}

/// An address as command lines take it: `HOST:PORT`, or the path.
pub(crate) fn plain(at: &Endpoint) -> String {
    match at {
        Endpoint::Unix(path) => path.display().to_string(),
        other => other.to_string(),
    }
}

/// Fills `out` with the content of one message of one connection: the same for the same two
/// numbers, different for all others.
pub(crate) fn content(connection: u64, message: u64, out: &mut [u8]) {
    let mut state = connection.wrapping_mul(0xD134_2543_DE82_EF95) ^ message.wrapping_add(1);
    for chunk in out.chunks_mut(8) {
        // SplitMix64.
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let bytes = (z ^ (z >> 31)).to_le_bytes();
        chunk.copy_from_slice(&bytes[..chunk.len()]);
    }
}
