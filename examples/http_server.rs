//! Answers HTTP/1.1: a greeting, an echo, a stream of events, and the files below a folder.
//!
//! ```text
//! cargo run --release --example http_server -- --addr 127.0.0.1:8080 --root docs
//! curl http://127.0.0.1:8080/hello
//! curl --data-binary @README.md http://127.0.0.1:8080/echo
//! curl -N http://127.0.0.1:8080/events
//! ```
//!
//! It says `listening on ADDR` once it serves, and sleeps while nothing happens. On SIGINT or SIGTERM
//! it answers what has come and ends, within 10 s; a second one ends it at once. On SIGHUP it reads
//! its certificate anew. See `docs/drain.md`. `RUST_LOG=http_server=info` prints an access log.

mod common;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use common::Usage;
use hio::doing::prelude::*;
use hio::link::tls::ServerTls;
use hio::link::{Limits, Server};
use hio::net::{Endpoint, ListenOptions, MioNet};
use hio::proto::http::{
    Access, Answer, Files, Handler, HttpLimits, HttpServer, HttpServerEvent, Length, Request,
    RequestId, Response, ServerSent,
};
use http::{Method, StatusCode};
use lexopt::prelude::*;

const HELP: &str = "\
Answers HTTP/1.1: GET /hello, POST /echo, GET /events, and files.

    http_server --addr HOST:PORT [OPTIONS]

    --addr HOST:PORT    listen on TCP; :PORT is all IPv4 interfaces, port 0 picks one
    --tls               speak TLS; needs --cert and --key
    --cert PEM          the server's certificate, and those that lead to a root
    --key PEM           its key
    --root DIR          serve the files below DIR
    --max-requests N    end in order after so many requests";

/// Bytes of the largest body that is echoed.
const ECHO_MAX: usize = 64 * 1024 * 1024;
/// How long the end after so many requests may take.
const LIMIT: Duration = Duration::from_secs(10);
/// Time between two events.
const BEAT: Duration = Duration::from_secs(1);

/// What the command line asks for.
pub(crate) struct Options {
    at: Endpoint,
    pub(crate) tls: Option<ServerTls>,
    files: Option<Files>,
    requests_max: Option<u64>,
}

fn main() -> ExitCode {
    env_logger::init();
    let options = options(lexopt::Parser::from_env());
    let help = format!("{HELP}\n{}", common::SIGNALS);
    common::run("http_server", &help, options, serve)
}

fn serve(options: Options) -> Result<(), Fault> {
    let mut net = MioNet::new()?;
    let tls = options.tls.clone();
    let (mut doist, web) = doist(options);
    common::listen(&mut doist, &mut net, tls.as_ref())?;
    doist.enter(&mut net)?;
    if let Some(web) = doist.get(web) {
        let at = common::plain(web.server.server().ha());
        common::say(format_args!("listening on {at}"))?;
    }
    doist.run(&mut net)?;
    Ok(())
}

/// The server's doers.
pub(crate) fn doist(options: Options) -> (Doist, Id<Web>) {
    let mut links = Server::new(options.at, ListenOptions::default(), Limits::default());
    links.set_tls(options.tls);
    let limits = HttpLimits {
        body_bytes_max: ECHO_MAX,
        ..HttpLimits::default()
    };
    let mut server = HttpServer::over(links).with_limits(limits);
    if log::log_enabled!(log::Level::Info) {
        server = server.with_log(told);
    }
    let mut doist = Doist::new(());
    let web = doist.named("web").add(Web {
        server,
        site: Site {
            files: options.files,
            listeners: Vec::new(),
            requests: 0,
        },
        requests_max: options.requests_max.unwrap_or(u64::MAX),
        beat: Tyme::ZERO,
        beats: 0,
    });
    (doist, web)
}

/// A line of the access log.
fn told(entry: &Access<'_>) {
    let (method, target) = match entry.request {
        Some(head) => (head.method.as_str(), head.target.to_string()),
        None => ("-", "-".to_owned()),
    };
    let status = entry.status.map_or(0, |status| status.as_u16());
    let (peer, bytes, took) = (entry.peer, entry.bytes, entry.took);
    log::info!("{peer} {method} {target} {status} {bytes}B {took:?}");
}

/// What is to be had.
struct Site {
    files: Option<Files>,
    /// Who listens to the events.
    listeners: Vec<RequestId>,
    requests: u64,
}

impl Handler for Site {
    fn request(&mut self, id: RequestId, request: Request) -> Answer {
        self.requests += 1;
        let (method, path) = (&request.head.method, request.head.target.path());
        match (method, path) {
            (&Method::GET | &Method::HEAD, "/hello") => {
                Answer::Now(Response::ok("text/plain; charset=utf-8", "hello\n"))
            }
            (&Method::POST, "/echo") => {
                Answer::Now(Response::ok("application/octet-stream", request.body))
            }
            (&Method::GET, "/events") => {
                self.listeners.push(id);
                Answer::Begin(ServerSent::head(), Length::Chunked)
            }
            (_, "/hello" | "/echo" | "/events") => {
                Answer::Now(Response::status(StatusCode::METHOD_NOT_ALLOWED))
            }
            _ => match &self.files {
                Some(files) => files.answer(&request),
                None => Answer::Now(Response::status(StatusCode::NOT_FOUND)),
            },
        }
    }
}

/// Serves, and sends the events.
pub(crate) struct Web {
    server: HttpServer,
    site: Site,
    requests_max: u64,
    /// When the next event is due.
    beat: Tyme,
    beats: u64,
}

impl Web {
    fn send_events(&mut self, tyme: Tyme) {
        self.beats += 1;
        let text = ServerSent {
            id: Some(self.beats.to_string()),
            ..ServerSent::new(format!("{tyme}"))
        };
        let text = text.to_text();
        let server = &mut self.server;
        // Whoever does not keep up misses events, and whoever is gone is forgotten.
        self.site.listeners.retain(|id| {
            use hio::proto::http::SendError;
            !matches!(
                server.send(tyme, *id, text.as_bytes()),
                Err(SendError::Gone)
            )
        });
    }
}

impl Doer for Web {
    fn enter(&mut self, cx: &mut Cx<'_>) -> Result<Next, Fault> {
        self.server.open(cx.net, cx.ask.owner())?;
        cx.ask.join_drain();
        Ok(Park(Tyme::NEVER))
    }

    fn recur(&mut self, tyme: Tyme, cx: &mut Cx<'_>) -> Result<Next, Fault> {
        if cx.draining().is_some() {
            self.end_events(tyme);
            self.server.drain(cx.net);
        }
        self.server.service(tyme, cx.net, &mut self.site)?;
        for event in self.server.events() {
            if let HttpServerEvent::Gone(id) = event {
                self.site.listeners.retain(|listener| *listener != id);
            }
        }
        if tyme >= self.beat && !self.site.listeners.is_empty() {
            self.beat = tyme + BEAT;
            self.send_events(tyme);
        }
        if self.site.requests >= self.requests_max {
            cx.ask.drain(LIMIT);
        }
        if cx.draining().is_some() && self.server.is_empty() {
            return Ok(Done(true));
        }
        let due = self.server.due(tyme);
        Ok(Park(match self.site.listeners.is_empty() {
            true => due,
            false => due.min(self.beat),
        }))
    }

    fn exit(&mut self, cx: &mut Cx<'_>) {
        self.server.close(cx.net);
    }
}

impl Web {
    /// A stream without end would never let the server end.
    fn end_events(&mut self, tyme: Tyme) {
        for id in self.site.listeners.drain(..) {
            // It may be gone already.
            let _ = self.server.end(tyme, id, &http::HeaderMap::new());
        }
    }
}

/// Reads a command line.
pub(crate) fn options(mut args: lexopt::Parser) -> Result<Options, Usage> {
    let (mut at, mut wanted, mut files, mut requests_max) = (None, false, None, None);
    let (mut cert, mut key) = (None::<PathBuf>, None::<PathBuf>);
    while let Some(arg) = args.next()? {
        match arg {
            Long("addr") => common::once(&mut at, common::tcp(&args.value()?)?)?,
            Long("tls") => wanted = true,
            Long("cert") => cert = Some(args.value()?.into()),
            Long("key") => key = Some(args.value()?.into()),
            Long("root") => {
                let root: PathBuf = args.value()?.into();
                let found = Files::below(&root);
                files = Some(found.map_err(|why| Usage::wrong(format!("--root: {why}")))?);
            }
            Long("max-requests") => requests_max = Some(args.value()?.parse()?),
            Short('h') | Long("help") => return Err(Usage::Help),
            other => return Err(other.unexpected().into()),
        }
    }
    let tls = match (wanted, cert, key) {
        (true, Some(cert), Some(key)) => {
            let tls = ServerTls::builder().certificate(cert).key(key).build();
            Some(tls.map_err(Usage::wrong)?)
        }
        (true, ..) => return Err(Usage::wrong("--tls needs --cert and --key")),
        (false, None, None) => None,
        (false, ..) => return Err(Usage::wrong("--cert and --key are for --tls")),
    };
    Ok(Options {
        at: at.ok_or_else(|| Usage::wrong("--addr is wanted"))?,
        tls,
        files,
        requests_max,
    })
}
