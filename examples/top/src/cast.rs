//! The program that is looked at.

use std::time::Duration;

use hio::doing::prelude::*;
use hio::link::{Client, Limits, Server};
use hio::net::{ConnectOptions, Endpoint};

pub(crate) struct App {
    pub(crate) server: Server,
}

/// Serves the app's server: every byte comes back.
pub(crate) struct Echo;

impl Doer<App> for Echo {
    fn enter(&mut self, cx: &mut Cx<'_, App>) -> Result<Next, Fault> {
        cx.app.server.open(cx.net, cx.ask.owner())?;
        Ok(Again)
    }

    fn recur(&mut self, tyme: Tyme, cx: &mut Cx<'_, App>) -> Result<Next, Fault> {
        cx.app.server.service_each(tyme, cx.net, |ix| {
            if ix.echo().is_err() {
                ix.abort();
            }
        })?;
        Ok(Park(cx.app.server.due(tyme)))
    }

    fn exit(&mut self, cx: &mut Cx<'_, App>) {
        cx.app.server.close(cx.net);
    }
}

/// Sends a message, waits for it to come back, and so on: some in a hurry, some at leisure.
pub(crate) struct Caller {
    client: Client,
    message: Vec<u8>,
    pause: Duration,
    waits: bool,
    next: Tyme,
}

impl Caller {
    pub(crate) fn new(to: Endpoint, nth: usize) -> Self {
        Self {
            client: Client::new(to, ConnectOptions::default(), Limits::default()),
            message: vec![b'x'; 64 << (nth % 4 * 2)],
            pause: Duration::from_millis(2 << (nth % 8)),
            waits: false,
            next: Tyme::ZERO,
        }
    }
}

impl Doer<App> for Caller {
    fn enter(&mut self, cx: &mut Cx<'_, App>) -> Result<Next, Fault> {
        self.client.open(cx.tyme(), cx.net, cx.ask.owner())?;
        Ok(Again)
    }

    fn recur(&mut self, tyme: Tyme, cx: &mut Cx<'_, App>) -> Result<Next, Fault> {
        self.client.service(tyme, cx.net);
        if self.waits && self.client.rx().len() >= self.message.len() {
            self.client.consume(self.message.len());
            (self.waits, self.next) = (false, tyme + self.pause);
        }
        if !self.waits && self.next <= tyme && self.client.connected() {
            self.client.tx(&self.message)?;
            self.client.service_sends(tyme, cx.net);
            self.waits = true;
        }
        let next = if self.waits { Tyme::NEVER } else { self.next };
        Ok(Park(self.client.due(tyme).min(next)))
    }

    fn exit(&mut self, cx: &mut Cx<'_, App>) {
        self.client.close(cx.net);
    }
}

/// Computes for too long now and then: what a stall report is for.
#[derive(Default)]
pub(crate) struct Clumsy(u64);

impl Doer<App> for Clumsy {
    fn tock(&self) -> Duration {
        Duration::from_millis(100)
    }

    fn recur(&mut self, _tyme: Tyme, cx: &mut Cx<'_, App>) -> Result<Next, Fault> {
        self.0 += 1;
        let long = if self.0.is_multiple_of(10) { 40 } else { 1 };
        let until = cx.net.now() + Duration::from_millis(long);
        while cx.net.now() < until {}
        Ok(Again)
    }
}
