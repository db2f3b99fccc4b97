//! hio's TLS beside mio and rustls by hand, with the same provider and certificate.
//!
//! ```text
//! cargo bench --bench tls                                  about two minutes
//! cargo bench --bench tls -- --rounds 1 --secs 0.2         a look
//! cargo bench --bench tls --no-default-features --features aws-lc-rs
//! ```
//!
//! TLS 1.3, a P-256 certificate, X25519. Each server runs in a process of its own, the floor twice:
//! what the two differ by is noise. Ratios are medians of rounds; below 1 hio takes less.

mod hand;
mod load;

use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;

use hio::doers::EchoServerDoer;
use hio::doing::prelude::*;
use hio::link::tls::ServerTls;
use hio::link::{Limits, Server};
use hio::net::{Endpoint, ListenOptions, MioNet};
use load::{Case, Figures};
use rustls::crypto::CryptoProvider;

const HELP: &str = "  --rounds N  rounds (7)\n  --secs S    seconds of each (0.5)";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("tls: {why}\n\n{HELP}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    use lexopt::prelude::*;
    let (mut rounds, mut seconds) = (7, 0.5);
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            Long("rounds") => rounds = args.value()?.parse()?,
            Long("secs") => seconds = args.value()?.parse()?,
            Long("serve") => return Ok(serve(&args.value()?.string()?)?),
            Long("bench") => {} // cargo says so
            other => return Err(other.unexpected().into()),
        }
    }
    println!(
        "{:<22} {:>10} {:>10} {:>10} {:>8} {:>8}",
        "", "floor", "hio", "unit", "ratio", "noise"
    );
    for case in load::CASES {
        compare(case, rounds, seconds)?;
    }
    Ok(())
}

/// Measures one case on all servers in turn, and prints its rows.
fn compare(case: Case, rounds: usize, seconds: f64) -> io::Result<()> {
    let mut all: [Vec<Figures>; 3] = Default::default();
    for _ in 0..rounds {
        for (kind, figures) in ["hand", "hio", "hand"].iter().zip(&mut all) {
            let served = Served::start(kind)?;
            figures.push(load::run(case, &served.addr, served.child.id(), seconds)?);
        }
    }
    for (at, unit) in case.units().iter().enumerate() {
        let of = |figures: &[Figures]| median(figures.iter().map(|f| f.0[at]).collect());
        let (floor, hio, again) = (of(&all[0]), of(&all[1]), of(&all[2]));
        let base = (floor + again) / 2.0;
        println!(
            "{:<22} {base:>10.3} {hio:>10.3} {unit:>10} {:>8.3} {:>8.3}",
            case.name,
            hio / base,
            floor / again
        );
    }
    Ok(())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The provider that hio was built with.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    #[cfg(not(feature = "aws-lc-rs"))]
    let mut provider = rustls::crypto::ring::default_provider();
    #[cfg(feature = "aws-lc-rs")]
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    // The same group for all: the hybrid one costs a fifth of a handshake.
    provider
        .kx_groups
        .retain(|group| group.name() == rustls::NamedGroup::X25519);
    Arc::new(provider)
}

/// A server in a process of its own.
struct Served {
    child: Child,
    addr: String,
}

impl Served {
    fn start(kind: &str) -> io::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["--serve", kind])
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        if let Some(out) = child.stdout.take() {
            BufReader::new(out).read_line(&mut line)?;
        }
        let addr = line.trim().to_owned();
        Ok(Self { child, addr })
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn announce(addr: impl std::fmt::Display) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{addr}")?;
    out.flush()
}

fn serve(kind: &str) -> io::Result<()> {
    let config = hand::config().map_err(io::Error::other)?;
    match kind {
        "hand" => hand::serve(config),
        _ => serve_hio(config.into()).map_err(|fault| io::Error::other(fault.to_string())),
    }
}

fn serve_hio(tls: ServerTls) -> Result<(), Fault> {
    let mut net = MioNet::new()?;
    let mut doist = Doist::new(());
    let at = Endpoint::host("127.0.0.1", 0);
    let limits = Limits::default();
    let server = Server::new(at, ListenOptions::default(), limits).with_tls(tls);
    let echo = doist.add(EchoServerDoer::new(server));
    doist.enter(&mut net)?;
    if let Some(echo) = doist.get(echo) {
        announce(echo.server().ha())?;
    }
    doist.run(&mut net)?;
    Ok(())
}
