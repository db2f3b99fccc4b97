//! hio in this program, so that other doers can stand beside the server.

use std::io;
use std::path::Path;

use ::http::StatusCode;
use hio::doers::{EchoServerDoer, HttpServerDoer};
use hio::doing::prelude::*;
use hio::link::tls::ServerTls;
use hio::link::{Limits, Server};
use hio::net::{Endpoint, ListenOptions, MioNet};
use hio::proto::http::{Answer, HttpServer, Request, RequestId, Response};

/// Runs at every tick of 1/32 s.
struct Ticker(u64);

impl Doer for Ticker {
    fn recur(&mut self, _tyme: Tyme, _cx: &mut Cx<'_>) -> Result<Next, Fault> {
        self.0 += 1;
        Ok(Again)
    }
}

fn server(addr: &str) -> io::Result<Server> {
    let at: Endpoint = addr.parse().map_err(io::Error::other)?;
    Ok(Server::new(at, ListenOptions::default(), Limits::default()))
}

fn secured(server: Server, certs: &Path) -> io::Result<Server> {
    let tls = ServerTls::builder()
        .certificate(certs.join("server.pem"))
        .key(certs.join("server.key"))
        .build()
        .map_err(io::Error::other)?;
    Ok(server.with_tls(tls))
}

pub(crate) fn serve_tls(addr: &str, certs: &Path) -> io::Result<()> {
    run(secured(server(addr)?, certs)?, 0)
}

pub(crate) fn serve(addr: &str, doers: usize) -> io::Result<()> {
    run(server(addr)?, doers)
}

fn run(server: Server, doers: usize) -> io::Result<()> {
    let mut net = MioNet::new().map_err(io::Error::other)?;
    let mut doist = Doist::new(());
    let echo = doist.add(EchoServerDoer::new(server));
    for i in 0..doers as u64 {
        doist.add(Ticker(i));
    }
    let failed = |fault: Fault| io::Error::other(fault.to_string());
    doist.enter(&mut net).map_err(failed)?;
    if let Some(echo) = doist.get(echo) {
        super::announce(&echo.server().ha().to_string())?;
    }
    doist.run(&mut net).map_err(failed)?;
    Ok(())
}

/// `GET /hello` and `POST /echo`, with all limits as they are by default.
pub(crate) fn serve_http(addr: &str, certs: Option<&Path>) -> io::Result<()> {
    let server = match certs {
        Some(certs) => secured(server(addr)?, certs)?,
        None => server(addr)?,
    };
    let mut net = MioNet::new().map_err(io::Error::other)?;
    let mut doist = Doist::new(());
    let web = doist.add(HttpServerDoer::new(HttpServer::over(server), answer));
    let failed = |fault: Fault| io::Error::other(fault.to_string());
    doist.enter(&mut net).map_err(failed)?;
    if let Some(web) = doist.get(web) {
        super::announce(&web.server().server().ha().to_string())?;
    }
    doist.run(&mut net).map_err(failed)?;
    Ok(())
}

fn answer(_: RequestId, request: Request) -> Answer {
    let (method, path) = (&request.head.method, request.head.target.path());
    Answer::Now(match (method.as_str(), path) {
        ("GET", "/hello") => Response::ok("text/plain", "hello"),
        ("POST", "/echo") => Response::ok("application/octet-stream", request.body),
        _ => Response::new(StatusCode::NOT_FOUND).with_body("text/plain", ""),
    })
}
