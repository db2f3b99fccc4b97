//! A server that has much to say, for tests of peers that do not listen.
//!
//! Three kinds of requests, each a line: `feed N` is answered with N bytes, `last N` with N bytes
//! and an end in order, anything else with itself. On SIGTERM it says how many connections ended,
//! for each reason, and how many bytes were queued at most on one of them.

#[path = "../../examples/common/mod.rs"]
mod common;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use common::Usage;
use hio::doers::SignalDoer;
use hio::doing::prelude::*;
use hio::link::tls::ServerTls;
use hio::link::{Event, Limits, Remoter, RemoterId, Server, TxError};
use hio::net::{Endpoint, ListenOptions, MioNet, Net};
use hio::tyme::duration_from_secs;
use lexopt::prelude::*;

const HELP: &str = "\
Feeds its clients as much as they ask for.

    feed_server --addr HOST:PORT [OPTIONS]

    --cert PEM --key PEM    speak TLS
    --write-stall SECONDS   how long a peer may take nothing
    --handshake SECONDS     how long a TLS handshake may take
    --drain SECONDS         how long what is queued at the end may take
    --request SECONDS       how long a client may take to its first whole line
    --tx-cap BYTES          how much may be queued for one of them";

struct Options {
    at: Endpoint,
    limits: Limits,
    tls: Option<ServerTls>,
    request: Option<Duration>,
}

fn main() -> ExitCode {
    env_logger::init();
    common::run("feed_server", HELP, options(), serve)
}

fn options() -> Result<Options, Usage> {
    let (mut at, mut request) = (None, None);
    let mut limits = Limits::default();
    let (mut cert, mut key) = (None::<PathBuf>, None::<PathBuf>);
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            Long("addr") => common::once(&mut at, common::tcp(&args.value()?)?)?,
            Long("cert") => cert = Some(args.value()?.into()),
            Long("key") => key = Some(args.value()?.into()),
            Long("write-stall") => limits.write_stall = seconds(args.value()?.parse()?)?,
            Long("handshake") => limits.handshake = seconds(args.value()?.parse()?)?,
            Long("drain") => limits.drain = seconds(args.value()?.parse()?)?,
            Long("tx-cap") => limits.tx_cap = args.value()?.parse()?,
            Long("request") => request = Some(seconds(args.value()?.parse()?)?),
            Short('h') | Long("help") => return Err(Usage::Help),
            other => return Err(other.unexpected().into()),
        }
    }
    limits.validate().map_err(Usage::wrong)?;
    let at = at.ok_or_else(|| Usage::wrong("--addr is wanted"))?;
    let tls = match (cert, key) {
        (None, None) => None,
        (Some(cert), Some(key)) => {
            let tls = ServerTls::builder().certificate(cert).key(key).build();
            Some(tls.map_err(Usage::wrong)?)
        }
        _ => return Err(Usage::wrong("--cert and --key go together")),
    };
    Ok(Options {
        at,
        limits,
        tls,
        request,
    })
}

fn seconds(secs: f64) -> Result<Duration, Usage> {
    duration_from_secs(secs).map_err(Usage::wrong)
}

fn serve(options: Options) -> Result<(), Fault> {
    let mut net = MioNet::new()?;
    // What waits is to wait here and not in the system, whose buffers grow where they are not given
    // a size: 200 of those would take all the memory that it has for TCP, and it stalls.
    let small = ListenOptions {
        send_buffer: 128 * 1024,
        ..ListenOptions::default()
    };
    let mut server = Server::new(options.at, small, options.limits);
    server.set_tls(options.tls);
    let mut doist = Doist::new(());
    let feeder = doist.add(Feeder {
        server,
        request: options.request,
        ..Feeder::new()
    });
    doist.add(SignalDoer::new(&mut net)?);
    doist.enter(&mut net)?;
    if let Some(feeder) = doist.get(feeder) {
        let at = common::plain(feeder.server.ha());
        common::say(format_args!("listening on {at}"))?;
    }
    doist.run(&mut net)?;
    if let Some(feeder) = doist.get(feeder) {
        for (reason, count) in &feeder.ended {
            common::say(format_args!("{count} x {reason}"))?;
        }
        common::say(format_args!("queued at most {}", feeder.service.most))?;
    }
    Ok(())
}

/// Serves, and closes those who do not ask in time.
struct Feeder {
    server: Server,
    request: Option<Duration>,
    /// Who has not asked yet, and until when: those who came first come first.
    silent: BTreeMap<RemoterId, Tyme>,
    service: Service,
    ended: BTreeMap<String, usize>,
}

/// What is owed to whom.
struct Service {
    food: Vec<u8>,
    owed: BTreeMap<RemoterId, (usize, bool)>,
    /// Bytes queued on one connection at most.
    most: usize,
    /// Who has asked since the last look.
    asked: Vec<RemoterId>,
}

impl Feeder {
    fn new() -> Self {
        let at = Endpoint::host("127.0.0.1", 0);
        Self {
            server: Server::new(at, ListenOptions::default(), Limits::default()),
            request: None,
            silent: BTreeMap::new(),
            service: Service {
                food: vec![b'x'; 1 << 20],
                owed: BTreeMap::new(),
                most: 0,
                asked: Vec::new(),
            },
            ended: BTreeMap::new(),
        }
    }

    /// Fills up the queues that the system has just taken from: nothing tells of that while
    /// they have not been full to it.
    fn feed(&mut self, tyme: Tyme, net: &mut dyn Net) {
        loop {
            let hungry = self.service.owed.iter().filter(|(_, (owed, _))| *owed > 0);
            let hungry: Vec<RemoterId> = hungry.map(|(id, _)| *id).collect();
            let mut fed = false;
            for id in hungry {
                if self.server.get(id).is_some_and(|ix| ix.room() > 0) {
                    let ix = self.server.get_mut(id);
                    fed |= ix.is_some_and(|ix| self.service.feed(ix));
                }
            }
            if !fed {
                return;
            }
            self.server.service_sends(tyme, net);
        }
    }

    /// Looks at who came, who asked and who went.
    fn note(&mut self, tyme: Tyme) {
        for event in self.server.events() {
            match event {
                Event::Accepted(id) => {
                    if let Some(request) = self.request {
                        self.silent.insert(id, tyme + request);
                    }
                }
                Event::Closed(id, reason) => {
                    self.silent.remove(&id);
                    self.service.owed.remove(&id);
                    *self.ended.entry(reason.to_string()).or_default() += 1;
                }
                _ => {}
            }
        }
        for id in self.service.asked.drain(..) {
            self.silent.remove(&id);
        }
        while let Some(late) = self.silent.first_entry() {
            if *late.get() > tyme {
                break;
            }
            if let Some(ix) = self.server.get_mut(*late.key()) {
                ix.abort();
            }
            late.remove();
        }
    }
}

impl Service {
    fn each(&mut self, ix: &mut Remoter) {
        if let Some(end) = ix.rx().iter().position(|&b| b == b'\n') {
            self.asked.push(ix.id());
            let line = String::from_utf8_lossy(&ix.rx()[..end]).into_owned();
            let number = |word: &str| word.parse::<usize>().ok();
            match line.split_once(' ') {
                Some(("feed", n)) => self.owe(ix, number(n), false, end),
                Some(("last", n)) => self.owe(ix, number(n), true, end),
                _ => drop(ix.echo()),
            }
        }
        self.feed(ix);
    }

    /// Queues what is owed, as far as there is room. Whether anything was.
    fn feed(&mut self, ix: &mut Remoter) -> bool {
        let Some((owed, last)) = self.owed.get_mut(&ix.id()) else {
            return false;
        };
        let before = *owed;
        while *owed > 0 {
            let piece = &self.food[..self.food.len().min(*owed)];
            match ix.tx(piece) {
                Ok(()) => *owed -= piece.len(),
                Err(TxError::Full { taken }) => {
                    *owed -= taken;
                    break;
                }
                Err(_) => *owed = 0,
            }
        }
        if *owed == 0 && *last {
            ix.close();
        }
        self.most = self.most.max(ix.pending());
        before > *owed
    }

    fn owe(&mut self, ix: &mut Remoter, count: Option<usize>, last: bool, end: usize) {
        ix.consume(end + 1);
        self.owed.insert(ix.id(), (count.unwrap_or(0), last));
    }
}

impl<A: ?Sized> Doer<A> for Feeder {
    fn enter(&mut self, cx: &mut Cx<'_, A>) -> Result<Next, Fault> {
        self.server.open(cx.net, cx.ask.owner())?;
        Ok(Park(Tyme::NEVER))
    }

    fn recur(&mut self, tyme: Tyme, cx: &mut Cx<'_, A>) -> Result<Next, Fault> {
        let service = &mut self.service;
        self.server
            .service_each(tyme, cx.net, |ix| service.each(ix))?;
        self.feed(tyme, cx.net);
        self.note(tyme);
        let soonest = self.silent.values().next().copied().unwrap_or(Tyme::NEVER);
        Ok(Park(self.server.due(tyme).min(soonest)))
    }

    fn exit(&mut self, cx: &mut Cx<'_, A>) {
        self.server.close(cx.net);
    }
}
