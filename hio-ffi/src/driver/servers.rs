//! What a host asks of servers.

use hio::link::{CloseReason, Limits, Server, Stats};
use hio::net::{Endpoint, ListenOptions, Owner};
use hio::tyme::Tyme;

use super::Driver;
use crate::abi::hio_status;
use crate::error::Error;
use crate::link_end::{Ended, State};
use crate::server_end::ServerEnd;
use crate::tls::Tls;

/// How a server is to be.
#[derive(Debug)]
pub(crate) struct Listening {
    pub(crate) at: Endpoint,
    pub(crate) options: ListenOptions,
    pub(crate) limits: Limits,
    pub(crate) auto_close: bool,
    pub(crate) tls: u64,
    pub(crate) tag: u64,
}

impl Driver {
    pub(crate) fn listen(&mut self, how: Listening) -> Result<u64, Error> {
        let server = Server::new(how.at, how.options, how.limits).with_auto_close(how.auto_close);
        let server = match how.tls {
            0 => server,
            tls => self.tls(tls)?.server(server)?,
        };
        let handle = self
            .servers
            .insert(ServerEnd::new(server, how.tag))
            .map_err(|_| Error::new(hio_status::HIO_ERR_TOO_MANY, "no more servers"))?;
        let (net, end) = (&mut self.net, self.servers.get_mut(handle));
        let opened = end.map_or(Ok(()), |end| end.server.open(net, Owner(handle)));
        if let Err(why) = opened {
            self.servers.remove(handle);
            return Err(why.into());
        }
        self.arm_server(handle);
        Ok(handle)
    }

    fn server(&self, handle: u64) -> Result<&ServerEnd, Error> {
        let found = self.servers.get(handle);
        found.ok_or_else(|| Error::handle("server", handle))
    }

    fn server_mut(&mut self, handle: u64) -> Result<&mut ServerEnd, Error> {
        let found = self.servers.get_mut(handle);
        found.ok_or_else(|| Error::handle("server", handle))
    }

    pub(crate) fn address(&self, handle: u64) -> Result<&Endpoint, Error> {
        Ok(self.server(handle)?.server.ha())
    }

    /// Statistics, and how many links there are.
    pub(crate) fn stats(&self, handle: u64) -> Result<(Stats, usize), Error> {
        let server = &self.server(handle)?.server;
        Ok((server.stats(), server.len()))
    }

    pub(crate) fn stop_listening(&mut self, handle: u64) -> Result<(), Error> {
        let found = self.servers.get_mut(handle);
        let end = found.ok_or_else(|| Error::handle("server", handle))?;
        end.server.stop_listening(&mut self.net);
        self.arm_server(handle);
        Ok(())
    }

    pub(crate) fn drain(&mut self, handle: u64) -> Result<(), Error> {
        let found = self.servers.get_mut(handle);
        let end = found.ok_or_else(|| Error::handle("server", handle))?;
        if end.server.opened() {
            end.server.stop_listening(&mut self.net);
            end.server.close_all_ix();
            end.drains = true;
            // One without links says so in the next tick, like any other.
            Self::arm(&mut self.timers, &mut end.armed, Tyme::ZERO, handle);
        }
        Ok(())
    }

    /// Closes a server at once. Its links are over; what they had received is kept.
    pub(crate) fn close_server(&mut self, handle: u64) -> Result<(), Error> {
        let end = self.server(handle)?;
        for link in end.handles() {
            let Some(link) = self.links.get_mut(link) else {
                continue;
            };
            let State::Accepted(id) = link.state else {
                continue;
            };
            let left = self.servers.get(handle).and_then(|end| end.server.get(id));
            let rx = left.map_or(&[][..], |remoter| remoter.rx());
            let cutoff = left.is_some_and(|remoter| remoter.cutoff());
            link.state = State::Ended(Ended::new(rx, CloseReason::OwnerClosed, cutoff));
        }
        if let Some(end) = self.servers.get_mut(handle) {
            end.drains = false;
            end.server.close(&mut self.net);
        }
        self.look_at_server(handle);
        self.servers.remove(handle);
        Ok(())
    }

    pub(crate) fn set_server_tls(&mut self, handle: u64, tls: u64) -> Result<(), Error> {
        self.server(handle)?;
        let tls = match tls {
            0 => None,
            tls => Some(self.tls(tls)?.clone()),
        };
        Tls::set_server(&mut self.server_mut(handle)?.server, tls)
    }
}

/// TLS.
impl Driver {
    pub(crate) fn add_tls(&mut self, tls: Tls) -> Result<u64, Error> {
        let added = self.tls.insert(tls);
        added.map_err(|_| Error::new(hio_status::HIO_ERR_TOO_MANY, "no more TLS handles"))
    }

    /// Links that speak it already go on.
    pub(crate) fn free_tls(&mut self, handle: u64) -> Result<(), Error> {
        let removed = self.tls.remove(handle);
        removed
            .map(drop)
            .ok_or_else(|| Error::handle("TLS", handle))
    }

    pub(super) fn tls(&self, handle: u64) -> Result<&Tls, Error> {
        self.tls
            .get(handle)
            .ok_or_else(|| Error::handle("TLS", handle))
    }
}
