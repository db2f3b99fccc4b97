//! hio in this program, so that other doers can stand beside the server.

use std::io;

use hio::doers::EchoServerDoer;
use hio::doing::prelude::*;
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

pub(crate) fn serve(addr: &str, doers: usize) -> io::Result<()> {
    let at: Endpoint = addr.parse().map_err(io::Error::other)?;
    let server = Server::new(at, ListenOptions::default(), Limits::default());
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
