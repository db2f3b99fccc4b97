//! Answers requests of aiomas' kind, over TCP or a Unix socket, with TLS or without.
//!
//! ```text
//! cargo run --release --example channel_server -- --addr 127.0.0.1:5555 --codec msgpack
//! cargo run --release --example channel_server -- --unix /tmp/channel.sock --codec json --rpc
//! ```
//!
//! It says `listening on ADDR` once it serves, and sleeps while nothing happens. On SIGINT or SIGTERM
//! it answers what has come and ends, within 10 s; a second one ends it at once. On SIGHUP it reads
//! its certificate anew. See `docs/drain.md`. A request is a list: an operation and what it needs. With `--rpc`, it is a
//! call of a function by path instead.

mod common;
#[path = "channel/options.rs"]
mod options;
#[path = "channel/service.rs"]
mod service;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use common::Usage;
use hio::doing::prelude::*;
use hio::link::tls::ServerTls;
use hio::net::MioNet;
use hio::proto::channel::rpc::RpcServer;
use hio::proto::channel::{
    Accepted, ChannelEvent, ChannelId, ChannelServer, Request, RequestId, Value,
};
use options::Options;
use service::Later;

const HELP: &str = "\
Answers requests of aiomas' kind.

    channel_server --addr HOST:PORT | --unix PATH --codec json|msgpack [OPTIONS]

    --addr HOST:PORT    listen on TCP; :PORT is all IPv4 interfaces, port 0 picks one
    --unix PATH         listen on a Unix socket
    --codec CODEC       json or msgpack: the same as the clients'
    --tls               speak TLS; needs --cert and --key
    --cert PEM          the server's certificate, and those that lead to a root
    --key PEM           its key
    --client-ca PEM     serve only clients with a certificate by one of these
    --rpc               serve calls of functions by path

Requests: [\"echo\", x]  [\"fail\", text]  [\"slow\", ms, x]  [\"size\", n]  [\"len\", text]
[\"bad-reply\"]  [\"callback\", x]  [\"ids\"]  [\"drop\"]  [\"hang\"]";

/// What is known of one client.
#[derive(Default)]
struct Peer {
    /// The numbers of its requests so far.
    ids: Vec<i64>,
    /// Requests that wait for the peer to answer one of ours.
    called: BTreeMap<RequestId, Request>,
    /// Requests that are never answered.
    hung: Vec<Request>,
}

/// Serves the requests that `aiomas_peer.py call` makes.
pub(crate) struct Answerer {
    server: ChannelServer,
    desk: Desk,
}

/// What is known of all clients.
#[derive(Default)]
struct Desk {
    peers: BTreeMap<ChannelId, Peer>,
    /// Requests to be answered later, by when and in which order.
    slow: BTreeMap<(Tyme, u64), (Request, Value)>,
    count: u64,
}

impl Desk {
    fn answer(&mut self, request: Request, tyme: Tyme, channel: &mut Accepted) {
        // Who asked may be gone when the answer is ready: it is nobody's loss.
        let peer = self.peers.entry(channel.id()).or_default();
        peer.ids.push(i64::try_from(request.id()).unwrap_or(-1));
        let mut request = request;
        let content = request.value().unwrap_or_default();
        let operation = content.at(0).and_then(Value::text).unwrap_or_default();
        let (first, second) = (content.at(1), content.at(2));
        let answered = match (operation, first, second) {
            ("echo", Some(x), _) => request.reply(x),
            ("fail", Some(Value::Text(text)), _) => request.fail(&format!("ValueError: {text}")),
            ("slow", Some(Value::Int(ms)), Some(x)) => {
                let pause = Duration::from_millis(u64::try_from(*ms).unwrap_or(0));
                self.count += 1;
                self.slow
                    .insert((tyme + pause, self.count), (request, x.clone()));
                return;
            }
            ("size", Some(Value::Int(n)), _) => match usize::try_from(*n) {
                Ok(n) if n <= SIZE_MAX => request.reply(&"x".repeat(n).into()),
                _ => request.fail("ValueError: too long"),
            },
            ("len", Some(Value::Text(text)), _) => request.reply(&text.chars().count().into()),
            ("bad-reply", ..) => request.reply(&too_deep()),
            ("callback", Some(x), _) => {
                match channel.send(&Value::list(["echo".into(), x.clone()])) {
                    Ok(id) => {
                        peer.called.insert(id, request);
                        return;
                    }
                    Err(why) => request.fail(&format!("ConnectionError: {why}")),
                }
            }
            ("ids", ..) => {
                let ids = peer.ids.iter().map(|id| Value::Int(*id));
                request.reply(&Value::list(ids))
            }
            ("drop", ..) => {
                channel.close();
                return;
            }
            ("hang", ..) => {
                peer.hung.push(request);
                return;
            }
            _ => request.fail(&format!("LookupError: unknown request '{operation}'")),
        };
        drop(answered);
    }

    fn look(&mut self, tyme: Tyme, channel: &mut Accepted) {
        while let Ok(Some(request)) = channel.recv() {
            self.answer(request, tyme, channel);
        }
        while let Some(event) = channel.event() {
            if let ChannelEvent::Lost(_) = event {
                self.peers.remove(&channel.id());
            }
            let Some((id, outcome)) = event.outcome() else {
                continue;
            };
            let peer = self.peers.get_mut(&channel.id());
            let asked = peer.and_then(|peer| peer.called.remove(&id));
            if let Some(mut request) = asked {
                drop(match outcome.map(|content| content.value()) {
                    Ok(Ok(x)) => request.reply(&Value::list([x, "called back".into()])),
                    Ok(Err(why)) => request.fail(&format!("ValueError: {why}")),
                    Err(why) => request.fail(&format!("RemoteException: {why}")),
                });
            }
        }
    }
}

impl Desk {
    /// Answers what is due.
    fn answer_slow(&mut self, tyme: Tyme) {
        while let Some(entry) = self.slow.first_entry() {
            if entry.key().0 > tyme {
                break;
            }
            let (mut request, x) = entry.remove();
            drop(request.reply(&x));
        }
    }

    /// Requests that are never answered would keep the server for ever: they fail.
    fn drop_hung(&mut self) {
        for peer in self.peers.values_mut() {
            peer.hung.clear();
        }
    }

    fn due(&self) -> Tyme {
        let first = self.slow.first_key_value();
        first.map_or(Tyme::NEVER, |((due, _), _)| *due)
    }
}

/// Bytes of the longest answer to `size`: as long as a frame may be.
const SIZE_MAX: usize = 4 << 20;

/// Something that no codec encodes.
fn too_deep() -> Value {
    (0..200).fold(Value::Nil, |inner, _| Value::list([inner]))
}

impl Doer for Answerer {
    fn enter(&mut self, cx: &mut Cx<'_>) -> Result<Next, Fault> {
        self.server.open(cx.net, cx.ask.owner())?;
        cx.ask.join_drain();
        Ok(Park(Tyme::NEVER))
    }

    fn recur(&mut self, tyme: Tyme, cx: &mut Cx<'_>) -> Result<Next, Fault> {
        let desk = &mut self.desk;
        if cx.draining().is_some() {
            desk.drop_hung();
            self.server.drain(cx.net);
        }
        desk.answer_slow(tyme);
        self.server
            .service_each(tyme, cx.net, |channel| desk.look(tyme, channel))?;
        if cx.draining().is_some() && self.server.is_empty() {
            return Ok(Done(true));
        }
        Ok(Park(self.server.due(tyme).min(desk.due())))
    }

    fn exit(&mut self, cx: &mut Cx<'_>) {
        self.server.close(cx.net);
    }
}

/// Serves calls of functions by path.
pub(crate) struct Caller {
    server: RpcServer<Later>,
    later: Later,
}

impl Doer for Caller {
    fn enter(&mut self, cx: &mut Cx<'_>) -> Result<Next, Fault> {
        self.server.open(cx.net, cx.ask.owner())?;
        cx.ask.join_drain();
        Ok(Park(Tyme::NEVER))
    }

    fn recur(&mut self, tyme: Tyme, cx: &mut Cx<'_>) -> Result<Next, Fault> {
        if cx.draining().is_some() {
            self.server.channels.drain(cx.net);
        }
        self.later.answer(tyme);
        self.server.serve(&mut self.later, tyme, cx.net)?;
        if cx.draining().is_some() && self.server.channels.is_empty() {
            return Ok(Done(true));
        }
        Ok(Park(self.server.channels.due(tyme).min(self.later.due())))
    }

    fn exit(&mut self, cx: &mut Cx<'_>) {
        self.server.channels.close(cx.net);
    }
}

fn main() -> ExitCode {
    env_logger::init();
    let asked = asked(lexopt::Parser::from_env());
    let help = format!("{HELP}\n{}", common::SIGNALS);
    common::run("channel_server", &help, asked, serve)
}

/// The server that a command line asks for, its TLS, and whether it serves calls.
pub(crate) fn asked(args: lexopt::Parser) -> Result<Asked, Usage> {
    let options = Options::read(args, "client-ca", false)?;
    let config = options.config()?;
    let at = options.at.clone().ok_or(Usage::Help)?;
    let mut server = ChannelServer::bind(at, &config).map_err(Usage::wrong)?;
    let tls = options.server_tls()?;
    if let Some(tls) = &tls {
        server = server.with_tls(tls.clone());
    }
    Ok((server, tls, options.rpc))
}

pub(crate) type Asked = (ChannelServer, Option<ServerTls>, bool);

fn serve((server, tls, rpc): Asked) -> Result<(), Fault> {
    match rpc {
        true => run(calls(server), tls, |doer| &doer.server.channels),
        false => run(answers(server), tls, |doer| &doer.server),
    }
}

/// The doers that answer requests.
pub(crate) fn answers(server: ChannelServer) -> (Doist, Id<Answerer>) {
    let mut doist = Doist::new(());
    let desk = Desk::default();
    let id = doist.named("answers").add(Answerer { server, desk });
    (doist, id)
}

/// The doers that serve calls.
pub(crate) fn calls(server: ChannelServer) -> (Doist, Id<Caller>) {
    let mut doist = Doist::new(());
    let server = RpcServer::new(server, service::root());
    let later = Later::default();
    let id = doist.named("calls").add(Caller { server, later });
    (doist, id)
}

fn run<D: Doer + 'static>(
    (mut doist, id): (Doist, Id<D>),
    tls: Option<ServerTls>,
    channels: fn(&D) -> &ChannelServer,
) -> Result<(), Fault> {
    let mut net = MioNet::new()?;
    common::listen(&mut doist, &mut net, tls.as_ref())?;
    doist.enter(&mut net)?;
    let listens = doist.get(id).and_then(|doer| channels(doer).server());
    if let Some(server) = listens {
        let at = common::plain(server.ha());
        common::say(format_args!("listening on {at}"))?;
    }
    doist.run(&mut net)?;
    Ok(())
}
