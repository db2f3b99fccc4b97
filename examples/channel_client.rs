//! Makes requests of aiomas' kind to a server and checks every answer.
//!
//! ```text
//! cargo run --release --example channel_client -- --addr 127.0.0.1:5555 --codec msgpack \
//!     --requests 1000 --concurrency 16
//! ```
//!
//! It does what a tester of aiomas does: contents of every kind, failures, answers out of order,
//! many at once, long ones, being called back, and a loss. One JSON line tells how it went; the
//! exit code is 1 when a check failed.

#[path = "channel/caller.rs"]
mod caller;
#[path = "channel/calls.rs"]
mod calls;
#[path = "channel/checks.rs"]
mod checks;
mod common;
#[path = "channel/options.rs"]
mod options;

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use caller::{Caller, Checks};
use common::Usage;
use hio::doing::Fault;
use hio::net::{MioNet, Net};
use hio::proto::channel::{Channel, Json, Patience, Value};
use options::Options;

const HELP: &str = "\
Makes requests of aiomas' kind and checks the answers.

    channel_client --addr HOST:PORT | --unix PATH --codec json|msgpack [OPTIONS]

    --addr HOST:PORT    call over TCP
    --unix PATH         call over a Unix socket
    --codec CODEC       json or msgpack: the same as the server's
    --requests N        requests of the part with many at once (default: 200)
    --concurrency K     how many of them at once (default: 16)
    --longest B         bytes of the longest text (default: 1048576)
    --tls               speak TLS; needs --ca
    --ca PEM            who may vouch for the server
    --name HOST         the name that the server's certificate must have (default: the dialled one)
    --cert PEM          the client's certificate, and those that lead to a root
    --key PEM           its key
    --rpc               call functions by path

Prints one JSON line with ok, checks, failures, requests and seconds.";

fn main() -> ExitCode {
    env_logger::init();
    let options = options(lexopt::Parser::from_env());
    common::run("channel_client", HELP, options, |options| {
        call(&options, &mut MioNet::new()?, &mut io::stdout())
    })
}

/// Reads a command line.
pub(crate) fn options(args: lexopt::Parser) -> Result<Options, Usage> {
    Options::read(args, "ca", true)
}

/// Calls, and writes how it went.
pub(crate) fn call(options: &Options, net: &mut dyn Net, out: &mut dyn Write) -> Result<(), Fault> {
    let mut checks = Checks::default();
    let start = net.now();
    let mut caller = Caller::open(channel(options)?, options.rpc, net)?;
    let mut requests = options.requests as u64;
    let done = match options.rpc {
        true => calls::call(&mut caller, &mut checks, options.requests),
        false => {
            let done = checks::call(&mut caller, &mut checks, options);
            done.map(|sent| requests = sent)
        }
    };
    let info = caller.channel().extra_info();
    let (peer, cipher) = (info.by_key("peername"), info.by_key("cipher"));
    caller.close()?;
    let done = match options.rpc {
        true => done,
        false => done.and_then(|()| checks::loss(channel(options)?, &mut checks, net)),
    };
    if let Err(why) = &done {
        checks.check(false, || why.to_string());
    }
    let took = net.now() - start;
    let line = report(options, &checks, requests, took, [peer, cipher])?;
    common::say_to(out, line)?;
    match checks.failures.len() {
        0 => Ok(()),
        n => Err(Fault::msg(format!("{n} checks failed"))),
    }
}

/// The JSON line.
fn report(
    options: &Options,
    checks: &Checks,
    requests: u64,
    took: Duration,
    [peer, cipher]: [Option<Value>; 2],
) -> Result<String, Fault> {
    let failures = checks.failures.iter().take(10).map(|f| f.as_str().into());
    let line = Value::map([
        ("ok", checks.failures.is_empty().into()),
        (
            "mode",
            Value::from(if options.rpc { "rpc-call" } else { "call" }),
        ),
        ("codec", options.codec.as_deref().unwrap_or_default().into()),
        ("checks", checks.count.into()),
        ("failures", Value::list(failures)),
        ("requests", requests.into()),
        ("seconds", took.as_secs_f64().into()),
        ("peername", peer.unwrap_or_default()),
        ("cipher", cipher.unwrap_or_default()),
    ]);
    let mut text = Vec::new();
    Json::encode_value(&line, 16, &mut text)?;
    Ok(String::from_utf8(text)?)
}

fn channel(options: &Options) -> Result<Channel, Fault> {
    let usage = |why: Usage| Fault::msg(format!("{why:?}"));
    let to = options.at.clone().ok_or_else(|| Fault::msg("no address"))?;
    let config = options.config().map_err(usage)?;
    let mut channel = Channel::connect(to, &config)?;
    channel = channel.with_patience(Patience::For(Duration::from_secs(5)));
    if let Some(tls) = options.client_tls().map_err(usage)? {
        channel = channel.with_tls(tls);
    }
    Ok(channel)
}
