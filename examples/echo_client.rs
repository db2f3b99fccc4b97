//! Calls an echo server on many connections at once and verifies every byte that comes back.
//!
//! ```text
//! cargo run --release --example echo_client -- --addr 127.0.0.1:5000 --conns 50 --count 1000
//! cargo run --release --example echo_client -- --addr localhost:5001 --tls --ca ca.pem
//! ```
//!
//! Every message of every connection has content of its own. One JSON line tells how it went; the
//! exit code is 1 when a byte differed or a connection was lost.

mod common;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use common::Usage;
use hio::doing::prelude::*;
use hio::link::tls::ClientTls;
use hio::link::{Client, Limits, TxError};
use hio::net::{ConnectOptions, Endpoint, MioNet, Net, ResolverOptions};
use lexopt::prelude::*;

const HELP: &str = "\
Sends messages to an echo server and verifies what comes back.

    echo_client --addr HOST:PORT | --unix PATH [OPTIONS]

    --addr HOST:PORT    call over TCP
    --unix PATH         call over a Unix socket
    --tls               speak TLS; needs --ca
    --ca PEM            who may vouch for the server
    --name HOST         the name that the server's certificate must have (default: the dialled one)
    --cert PEM          the client's certificate, and those that lead to a root
    --key PEM           its key
    --conns C           connections at once (default: 1)
    --count N           messages on each, one after the other (default: 1)
    --size B            bytes of a message, at most 1073741824 (default: 64)

Prints one JSON line with messages (of all connections), bytes, mismatches, lost (connections),
seconds and rate (messages a second).";

/// Bytes of the largest message: it is held in memory as a whole.
const SIZE_MAX: usize = 1 << 30;

/// What the command line asks for.
pub(crate) struct Options {
    to: Endpoint,
    conns: u64,
    count: u64,
    size: usize,
    pub(crate) tls: Option<ClientTls>,
}

/// How it goes: the state that all callers share.
#[derive(Default)]
struct Totals {
    messages: u64,
    bytes: u64,
    mismatches: u64,
    lost: u64,
}

/// One connection: a message, its echo, the next message.
struct Caller {
    client: Client,
    number: u64,
    count: u64,
    /// Messages that have come back.
    done: u64,
    /// The message in flight, how much of it was queued, and how much has come back.
    message: Vec<u8>,
    queued: usize,
    back: usize,
    differs: bool,
}

impl Caller {
    /// Puts the next message into `message`.
    fn prepare(&mut self) {
        common::content(self.number, self.done, &mut self.message);
        (self.queued, self.back, self.differs) = (0, 0, false);
    }

    /// Queues as much of the message as there is room for.
    fn send(&mut self) {
        match self.client.tx(&self.message[self.queued..]) {
            Ok(()) => self.queued = self.message.len(),
            Err(TxError::Full { taken }) => self.queued += taken,
            Err(_) => {} // the connection's end tells why
        }
    }

    /// Compares what has come back.
    fn receive(&mut self, totals: &mut Totals) {
        let rx = self.client.rx();
        let len = rx.len().min(self.message.len() - self.back);
        self.differs |= rx[..len] != self.message[self.back..][..len];
        self.back += len;
        // More than was sent is as wrong as something else.
        self.differs |= rx.len() > len;
        totals.bytes += len as u64;
        let all = rx.len();
        self.client.consume(all);
        if self.back == self.message.len() {
            totals.messages += 1;
            totals.mismatches += u64::from(self.differs);
            self.done += 1;
            self.prepare();
        }
    }
}

impl Doer<Totals> for Caller {
    fn enter(&mut self, cx: &mut Cx<'_, Totals>) -> Result<Next, Fault> {
        self.prepare();
        self.client.open(cx.tyme(), cx.net, cx.ask.owner())?;
        Ok(Again)
    }

    fn recur(&mut self, tyme: Tyme, cx: &mut Cx<'_, Totals>) -> Result<Next, Fault> {
        self.client.service(tyme, cx.net);
        if !self.client.rx().is_empty() {
            self.receive(cx.app);
        }
        if self.done == self.count && self.client.connected() {
            if !self.client.link().secured() {
                return Ok(Done(true));
            }
            // TLS has an end of its own, and the server is to see it.
            self.client.drain();
            self.client.service_sends(tyme, cx.net);
        }
        if self.done == self.count && !self.client.opened() {
            return Ok(Done(true));
        }
        if self.client.connected() && self.queued < self.message.len() {
            self.send();
            self.client.service_sends(tyme, cx.net);
        }
        // Asked after sending: that may have been its end.
        if let Some(why) = self.client.closed() {
            eprintln!("connection {}: {why}", self.number);
            cx.app.lost += 1;
            return Ok(Done(false));
        }
        Ok(Park(self.client.due(tyme)))
    }

    fn exit(&mut self, cx: &mut Cx<'_, Totals>) {
        self.client.close(cx.net);
    }
}

fn main() -> ExitCode {
    env_logger::init();
    let options = options(lexopt::Parser::from_env());
    common::run("echo_client", HELP, options, |options| {
        // A thread looks names up, if the address is one that needs it.
        let mut net = MioNet::new()?.with_resolver(ResolverOptions::default())?;
        call(options, &mut net, &mut io::stdout())
    })
}

/// Calls, and writes how it went.
pub(crate) fn call(options: Options, net: &mut dyn Net, out: &mut dyn Write) -> Result<(), Fault> {
    let mut doist = Doist::new(Totals::default());
    for number in 0..options.conns {
        let to = options.to.clone();
        let mut client = Client::new(to, ConnectOptions::default(), Limits::default());
        if let Some(tls) = &options.tls {
            client = client.with_tls(tls.clone());
        }
        doist.add(Caller {
            client,
            number,
            count: options.count,
            done: 0,
            message: vec![0; options.size],
            queued: 0,
            back: 0,
            differs: false,
        });
    }
    let start = net.now();
    doist.run(net)?;
    report(&doist.app, net.now() - start, out)
}

/// The JSON line, and an error when something was wrong.
fn report(t: &Totals, took: Duration, out: &mut dyn Write) -> Result<(), Fault> {
    let seconds = took.as_secs_f64();
    common::say_to(
        out,
        format_args!(
            "{{\"messages\":{},\"bytes\":{},\"mismatches\":{},\"lost\":{},\"seconds\":{seconds:.6},\"rate\":{:.1}}}",
            t.messages,
            t.bytes,
            t.mismatches,
            t.lost,
            t.messages as f64 / seconds.max(1e-9),
        ),
    )?;
    match (t.mismatches, t.lost) {
        (0, 0) => Ok(()),
        (0, lost) => Err(Fault::msg(format!("{lost} connections were lost"))),
        (wrong, _) => Err(Fault::msg(format!("{wrong} messages came back changed"))),
    }
}

/// Reads a command line.
pub(crate) fn options(mut args: lexopt::Parser) -> Result<Options, Usage> {
    let (mut to, mut conns, mut count, mut size) = (None, 1, 1, 64);
    let (mut wanted, mut tls) = (false, Tls::default());
    while let Some(arg) = args.next()? {
        match arg {
            Long("addr") => common::once(&mut to, common::tcp(&args.value()?)?)?,
            Long("unix") => common::once(&mut to, common::unix(&args.value()?)?)?,
            Long("tls") => wanted = true,
            Long("ca") => tls.ca = Some(args.value()?.into()),
            Long("name") => tls.name = Some(args.value()?.string()?),
            Long("cert") => tls.cert = Some(args.value()?.into()),
            Long("key") => tls.key = Some(args.value()?.into()),
            Long("conns") => conns = args.value()?.parse()?,
            Long("count") => count = args.value()?.parse()?,
            Long("size") => size = args.value()?.parse()?,
            Short('h') | Long("help") => return Err(Usage::Help),
            other => return Err(other.unexpected().into()),
        }
    }
    let to = to.ok_or_else(|| Usage::wrong("--addr or --unix is wanted"))?;
    if conns == 0 || size == 0 {
        return Err(Usage::wrong("--conns and --size must be at least 1"));
    }
    if size > SIZE_MAX {
        return Err(Usage::wrong(format!("--size must be at most {SIZE_MAX}")));
    }
    let tls = match (wanted, tls == Tls::default()) {
        (true, _) => Some(tls.build()?),
        (false, true) => None,
        (false, false) => return Err(Usage::wrong("--ca, --name, --cert and --key are for --tls")),
    };
    Ok(Options {
        to,
        conns,
        count,
        size,
        tls,
    })
}

/// The files of TLS, and a name.
#[derive(Default, PartialEq)]
struct Tls {
    ca: Option<PathBuf>,
    name: Option<String>,
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
}

impl Tls {
    fn build(self) -> Result<ClientTls, Usage> {
        let ca = self.ca.ok_or_else(|| Usage::wrong("--tls needs --ca"))?;
        let mut builder = ClientTls::builder().ca(ca);
        if let Some(cert) = self.cert {
            builder = builder.certificate(cert);
        }
        if let Some(key) = self.key {
            builder = builder.key(key);
        }
        if let Some(name) = self.name {
            builder = builder.name(name);
        }
        builder.build().map_err(Usage::wrong)
    }
}
