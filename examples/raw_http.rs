//! Asks a server for its front page with a request written by hand, and prints what comes back.
//!
//! ```text
//! cargo run --release --example raw_http -- localhost:8080
//! cargo run --release --example raw_http -- localhost:8443 --tls --ca ca.pem
//! ```
//!
//! It shows a stream in blocking style: connect, take up TLS, write, read to the end, each within
//! one deadline. The exit code is 1 when the server cannot be reached, does not answer, or breaks
//! off. Without TLS an answer that stops halfway in order looks like a whole one: nothing here
//! reads its length.

mod common;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use common::Usage;
use hio::doing::Fault;
use hio::link::NetworkBackend;
use hio::link::tls::ClientTls;
use hio::net::{Endpoint, MioNet, Net, ResolverOptions};
use lexopt::prelude::*;

const HELP: &str = "\
Sends a raw HTTP request over a stream and prints the answer as it comes.

    raw_http HOST:PORT [OPTIONS]

    --tls               speak TLS; needs --ca
    --ca PEM            who may vouch for the server

Gives up after 30 seconds in all.";

/// How long everything may take.
const ALL: Duration = Duration::from_secs(30);

/// What the command line asks for.
pub(crate) struct Options {
    to: Endpoint,
    host: String,
    pub(crate) tls: Option<ClientTls>,
}

fn main() -> ExitCode {
    let options = options(lexopt::Parser::from_env());
    common::run("raw_http", HELP, options, |options| {
        let net = MioNet::new()?.with_resolver(ResolverOptions::default())?;
        fetch(options, net, &mut io::stdout().lock())
    })
}

/// Asks, and writes the answer.
pub(crate) fn fetch(options: Options, net: impl Net, out: &mut dyn Write) -> Result<(), Fault> {
    let Options { to, host, tls } = options;
    let request = format!("GET / HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\n\r\n");
    let mut backend = NetworkBackend::new(net);
    let mut backend = backend.timeout("30 seconds", ALL);
    let mut stream = backend.connect_to(to)?;
    if let Some(tls) = tls {
        stream.start_tls(&tls, &host)?;
    }
    stream.write(request.as_bytes())?;
    let mut bytes = 0;
    loop {
        let some = stream.read()?;
        if some.is_empty() {
            break;
        }
        bytes += some.len();
        out.write_all(&some)?;
    }
    out.flush()?;
    if bytes == 0 {
        return Err(Fault::msg("the server closed without an answer"));
    }
    stream.close()?;
    Ok(())
}

/// Reads a command line.
pub(crate) fn options(mut args: lexopt::Parser) -> Result<Options, Usage> {
    let (mut to, mut wanted, mut ca) = (None, false, None::<PathBuf>);
    while let Some(arg) = args.next()? {
        match arg {
            Value(at) if to.is_none() => to = Some(at.string()?),
            Long("tls") => wanted = true,
            Long("ca") => ca = Some(args.value()?.into()),
            Short('h') | Long("help") => return Err(Usage::Help),
            other => return Err(other.unexpected().into()),
        }
    }
    let text = to.ok_or_else(|| Usage::wrong("HOST:PORT is wanted"))?;
    let to: Endpoint = text.parse().map_err(Usage::wrong)?;
    if !matches!(to, Endpoint::Tcp(_) | Endpoint::Name(..)) {
        return Err(Usage::wrong("HOST:PORT is wanted"));
    }
    let host = text.rsplit_once(':').map_or("", |(host, _)| host);
    if host.is_empty() {
        return Err(Usage::wrong("a host is wanted before the port"));
    }
    let tls = match (wanted, ca) {
        (true, Some(ca)) => Some(ClientTls::builder().ca(ca).build().map_err(Usage::wrong)?),
        (true, None) => return Err(Usage::wrong("--tls needs --ca")),
        (false, Some(_)) => return Err(Usage::wrong("--ca is for --tls")),
        (false, None) => None,
    };
    Ok(Options {
        to,
        host: host.to_owned(),
        tls,
    })
}
