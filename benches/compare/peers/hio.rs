//! hio in this program, so that other doers can stand beside the server.

use std::io;
use std::path::Path;

use hio::doers::EchoServerDoer;
use hio::doing::prelude::*;
use hio::link::tls::ServerTls;
use hio::link::{Limits, Server};
use hio::net::{Endpoint, ListenOptions, MioNet};

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

pub(crate) fn serve_tls(addr: &str, certs: &Path) -> io::Result<()> {
    let tls = ServerTls::builder()
        .certificate(certs.join("server.pem"))
        .key(certs.join("server.key"))
        .build()
        .map_err(io::Error::other)?;
    run(server(addr)?.with_tls(tls), 0)
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
