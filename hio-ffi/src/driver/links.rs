//! What a host asks of links.

use std::time::Duration;

use hio::link::{Client, CloseReason, Limits, Link, Reconnect, TxError};
use hio::net::{ConnectOptions, Endpoint, Owner};
use hio::tyme::Tyme;

use super::Driver;
use crate::abi::{self, hio_event_kind as Kind, hio_status};
use crate::error::Error;
use crate::link_end::{Dialled, LinkEnd, State};
use crate::tls;

/// How a link is to be dialled.
#[derive(Debug)]
pub(crate) struct Dial {
    pub(crate) to: Endpoint,
    pub(crate) options: ConnectOptions,
    pub(crate) limits: Limits,
    pub(crate) auto_close: bool,
    pub(crate) reconnect: Option<Reconnect>,
    pub(crate) tls: u64,
    pub(crate) tag: u64,
}

/// How a link stands.
#[derive(Debug)]
pub(crate) struct Look {
    pub(crate) flags: u32,
    pub(crate) reason: Option<CloseReason>,
    pub(crate) server: u64,
    pub(crate) tag: u64,
    pub(crate) received: usize,
    pub(crate) pending: usize,
    pub(crate) room: usize,
    pub(crate) tymeout: Duration,
}

impl Driver {
    pub(crate) fn connect(&mut self, now: Tyme, how: Dial) -> Result<u64, Error> {
        self.reach(now);
        let client = Client::new(how.to, how.options, how.limits).with_auto_close(how.auto_close);
        let client = match how.reconnect {
            Some(policy) => client.with_reconnect(policy),
            None => client,
        };
        let client = match how.tls {
            0 => client,
            tls => self.tls(tls)?.client(client)?,
        };
        let armed = Tyme::NEVER;
        let state = State::Dialled(Box::new(Dialled { client, armed }));
        let added = self.links.insert(LinkEnd::new(0, how.tag, state));
        let handle =
            added.map_err(|_| Error::new(hio_status::HIO_ERR_TOO_MANY, "no more links"))?;
        let (tyme, net) = (self.tyme, &mut self.net);
        if let Some(State::Dialled(dialled)) = self.links.get_mut(handle).map(|l| &mut l.state) {
            if let Err(why) = dialled.client.open(tyme, net, Owner(handle)) {
                self.links.remove(handle);
                return Err(why.into());
            }
        }
        self.look_at_client(handle);
        Ok(handle)
    }

    fn end(&self, handle: u64) -> Result<&LinkEnd, Error> {
        let found = self.links.get(handle);
        found.ok_or_else(|| Error::handle("link", handle))
    }

    /// The link of hio, if it is not over.
    fn living(&self, handle: u64) -> Result<Option<&Link>, Error> {
        let end = self.end(handle)?;
        Ok(match &end.state {
            State::Ended(_) => None,
            State::Dialled(dialled) => Some(dialled.client.link()),
            State::Accepted(id) => {
                let server = self.servers.get(end.server);
                server
                    .and_then(|s| s.server.get(*id))
                    .map(|remoter| &**remoter)
            }
        })
    }

    /// Asks a link something, if it is not over. It has a turn in the next tick.
    fn ask<R>(
        &mut self,
        handle: u64,
        ask: impl FnOnce(Asked<'_>) -> R,
    ) -> Result<Option<R>, Error> {
        let found = self.links.get_mut(handle);
        let end = found.ok_or_else(|| Error::handle("link", handle))?;
        match &mut end.state {
            State::Ended(_) => Ok(None),
            State::Dialled(dialled) => {
                let answer = ask(Asked::Client(&mut dialled.client));
                let due = dialled.client.due(self.tyme);
                Self::arm(&mut self.timers, &mut dialled.armed, due, handle);
                Ok(Some(answer))
            }
            State::Accepted(id) => {
                let (id, server) = (*id, end.server);
                let found = self.servers.get_mut(server);
                let Some(remoter) = found.and_then(|end| end.server.get_mut(id)) else {
                    return Ok(None);
                };
                let answer = ask(Asked::Remoter(remoter));
                self.arm_server(server);
                Ok(Some(answer))
            }
        }
    }

    pub(crate) fn rx(&self, handle: u64) -> Result<&[u8], Error> {
        if let State::Ended(ended) = &self.end(handle)?.state {
            return Ok(ended.rx());
        }
        Ok(self.living(handle)?.map_or(&[], |link| link.rx()))
    }

    pub(crate) fn consume(&mut self, handle: u64, n: usize) -> Result<(), Error> {
        let there = self.rx(handle)?.len();
        if n > there {
            let text = format!("{n} bytes to consume, {there} are there");
            return Err(Error::argument(text));
        }
        if let Some(State::Ended(ended)) = self.links.get_mut(handle).map(|l| &mut l.state) {
            ended.consume(n);
            return Ok(());
        }
        self.ask(handle, |mut asked| asked.link().consume(n))
            .map(drop)
    }

    /// Queues bytes; says how many were taken.
    pub(crate) fn tx(&mut self, handle: u64, data: &[u8]) -> Result<usize, Error> {
        match self.ask(handle, |asked| asked.tx(data))? {
            Some(Ok(())) => Ok(data.len()),
            Some(Err(TxError::Full { taken })) => {
                self.note_full(handle);
                Ok(taken)
            }
            Some(Err(why)) => Err(why.into()),
            None => Err(self.over(handle)),
        }
    }

    fn note_full(&mut self, handle: u64) {
        if let Some(end) = self.links.get_mut(handle) {
            if !std::mem::replace(&mut end.full, true) {
                self.filled.push(handle);
            }
        }
    }

    /// Tells of room in links that were full and have sent all. hio's own event says that a queue
    /// was sent which the *socket* had not taken at once; here one that was full counts, too, as the
    /// host waits for it.
    pub(super) fn tell_of_room(&mut self) {
        for handle in std::mem::take(&mut self.filled) {
            match self.living(handle) {
                Ok(Some(link)) if link.pending() > 0 => {
                    self.filled.push(handle);
                    continue;
                }
                Ok(Some(_)) => self.tell(handle, Kind::HIO_EVENT_DRAINED),
                Ok(None) | Err(_) => {}
            }
            if let Some(end) = self.links.get_mut(handle) {
                end.full = false;
            }
        }
    }

    /// What is said of a link that is over.
    fn over(&self, handle: u64) -> Error {
        let reason = match self.end(handle).map(|end| &end.state) {
            Ok(State::Ended(ended)) => ended.reason,
            _ => CloseReason::Aborted,
        };
        TxError::Closed(reason).into()
    }

    pub(crate) fn shutdown(&mut self, handle: u64) -> Result<(), Error> {
        let asked = self.ask(handle, |mut asked| asked.link().shutdown_send())?;
        asked.ok_or_else(|| self.over(handle))
    }

    /// Closes in order; nothing to do for one that is over.
    pub(crate) fn close(&mut self, handle: u64) -> Result<(), Error> {
        self.ask(handle, |mut asked| asked.link().close()).map(drop)
    }

    /// Breaks off; nothing to do for one that is over.
    pub(crate) fn abort(&mut self, handle: u64) -> Result<(), Error> {
        self.ask(handle, |mut asked| asked.link().abort()).map(drop)
    }

    pub(crate) fn hold(&mut self, handle: u64, hold: bool) -> Result<(), Error> {
        let asked = self.ask(handle, |mut asked| asked.link().hold(hold))?;
        asked.ok_or_else(|| self.over(handle))
    }

    pub(crate) fn set_tag(&mut self, handle: u64, tag: u64) -> Result<(), Error> {
        let found = self.links.get_mut(handle);
        found.ok_or_else(|| Error::handle("link", handle))?.tag = tag;
        Ok(())
    }

    pub(crate) fn set_tymeout(
        &mut self,
        handle: u64,
        now: Tyme,
        tymeout: Duration,
    ) -> Result<(), Error> {
        self.reach(now);
        let tyme = self.tyme;
        let asked = self.ask(handle, |mut asked| {
            asked.link().set_tymeout(tyme, Some(tymeout));
        })?;
        asked.ok_or_else(|| self.over(handle))
    }

    pub(crate) fn refresh(&mut self, handle: u64, now: Tyme) -> Result<(), Error> {
        self.reach(now);
        let tyme = self.tyme;
        let asked = self.ask(handle, |mut asked| asked.link().refresh(tyme))?;
        asked.ok_or_else(|| self.over(handle))
    }

    pub(crate) fn peer(&self, handle: u64) -> Result<&str, Error> {
        Ok(&self.end(handle)?.peer)
    }

    pub(crate) fn look(&self, handle: u64) -> Result<Look, Error> {
        let end = self.end(handle)?;
        let link = self.living(handle)?;
        let (reason, cutoff) = match &end.state {
            State::Ended(ended) => (Some(ended.reason), ended.cutoff),
            _ => (None, link.is_some_and(|link| link.cutoff())),
        };
        let connected = link.is_some_and(|link| link.connected());
        let secure = link.and_then(tls::info).is_some();
        let dialled = end.server == 0;
        let flags = [
            (connected, abi::HIO_LINK_CONNECTED),
            (cutoff, abi::HIO_LINK_CUTOFF),
            (reason.is_some(), abi::HIO_LINK_CLOSED),
            (dialled, abi::HIO_LINK_DIALLED),
            (secure, abi::HIO_LINK_SECURE),
        ];
        Ok(Look {
            flags: flags
                .iter()
                .filter(|(on, _)| *on)
                .map(|(_, flag)| flag)
                .sum(),
            reason,
            server: end.server,
            tag: end.tag,
            received: self.rx(handle)?.len(),
            pending: link.map_or(0, |link| link.pending()),
            room: link.map_or(0, |link| link.room()),
            tymeout: link.and_then(|link| link.tymeout()).unwrap_or_default(),
        })
    }

    pub(crate) fn start_tls(&mut self, handle: u64, tls: u64) -> Result<(), Error> {
        let tls = self.tls(tls)?.clone();
        let asked = self.ask(handle, |asked| match asked {
            Asked::Client(client) => tls.start_client(client),
            Asked::Remoter(remoter) => tls.start_server(remoter),
        })?;
        asked.unwrap_or_else(|| Err(self.over(handle)))
    }

    /// With whom it speaks TLS, if it does and is not over.
    pub(crate) fn tls_info(&self, handle: u64) -> Result<Option<tls::Info<'_>>, Error> {
        Ok(self.living(handle)?.and_then(tls::info))
    }
}

/// Who is asked something.
enum Asked<'a> {
    Client(&'a mut Client),
    Remoter(&'a mut hio::link::Remoter),
}

impl Asked<'_> {
    fn link(&mut self) -> &mut Link {
        match self {
            Self::Client(client) => client.link_mut(),
            Self::Remoter(remoter) => remoter,
        }
    }

    fn tx(self, data: &[u8]) -> Result<(), TxError> {
        match self {
            Self::Client(client) => client.tx(data),
            Self::Remoter(remoter) => remoter.tx(data),
        }
    }
}
