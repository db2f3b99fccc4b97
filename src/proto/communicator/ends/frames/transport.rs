use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use bytes::Bytes;

use super::super::super::{MessageId, Rejection};
use super::super::transport::{Attempt, Registered, Ticket, Transport, TransportEvent, World};
use super::inbound::{Came, Inbound};
use super::outbound::Outbound;
use super::{FrameConfig, FrameConnection};
use crate::link::{ListenerLost, OpenError, RemoterId, Server};
use crate::net::{Endpoint, Net};
use crate::tyme::Tyme;

/// Carries packets in length-prefixed frames, over TCP, TLS or Unix sockets.
///
/// Any number of packets may be under way on a connection. Packets are delivered in the order in
/// which they were sent, unless one is tried again.
#[derive(Debug)]
pub struct FrameTransport {
    config: FrameConfig,
    server: Option<Server>,
    /// By the place of their remoters.
    inbounds: Vec<Option<Inbound>>,
    tickets: BTreeMap<Ticket, (RemoterId, MessageId, usize)>,
    ticket: u64,
    /// Connections that wait for room, or may read on.
    again: BTreeSet<RemoterId>,
    early: Vec<TransportEvent>,
    closing: bool,
}

impl FrameTransport {
    /// A transport with this set-up. Does no I/O.
    #[must_use]
    pub const fn new(config: FrameConfig) -> Self {
        Self {
            config,
            server: None,
            inbounds: Vec::new(),
            tickets: BTreeMap::new(),
            ticket: 0,
            again: BTreeSet::new(),
            early: Vec::new(),
            closing: false,
        }
    }

    /// Where it listens; once it is initialized with the port that was picked.
    #[must_use]
    pub fn at(&self) -> &Endpoint {
        self.server
            .as_ref()
            .map_or(&self.config.at, |server| server.ha())
    }

    fn serve(
        &mut self,
        peers: &[Registered<FrameConnection>],
        world: &mut World<'_>,
        came: &mut Vec<Came>,
    ) -> Result<(), ListenerLost> {
        let Some(server) = &mut self.server else {
            return Ok(());
        };
        let (inbounds, again) = (&mut self.inbounds, &mut self.again);
        let max = world.limits.packet_bytes_max;
        for id in std::mem::take(again) {
            let inbound = inbounds.get_mut(id.place()).and_then(Option::as_mut);
            let inbound = inbound.filter(|inbound| inbound.id == id);
            if let (Some(inbound), Some(link)) = (inbound, server.get_mut(id)) {
                inbound.turn(link, peers, came);
                if inbound.spills() {
                    again.insert(id);
                }
            }
        }
        let served = server.service_each(world.tyme, world.net, |link| {
            let place = link.id().place();
            if place >= inbounds.len() {
                inbounds.resize_with(place + 1, || None);
            }
            let known = inbounds[place].as_ref().is_some_and(|i| i.id == link.id());
            if !known {
                inbounds[place] = None;
            }
            let inbound = inbounds[place].get_or_insert_with(|| Inbound::new(link.id(), max));
            if link.closed().is_none() {
                inbound.turn(link, peers, came);
                if inbound.spills() {
                    again.insert(link.id());
                }
            }
            if link.closed().is_some() {
                inbounds[place] = None;
            }
        });
        server.events().for_each(drop); // what they tell is seen by looking
        served
    }
}

impl fmt::Display for FrameTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, at) = (&self.config.name, self.at());
        write!(f, "FrameCommunicator(name={name}, at={at})")
    }
}

impl Transport for FrameTransport {
    type Connection = FrameConnection;

    fn init(
        &mut self,
        peers: &mut [Registered<FrameConnection>],
        world: &mut World<'_>,
    ) -> Result<(), OpenError> {
        let config = &self.config;
        let at = config.at.clone();
        let server = Server::new(at, config.listen.clone(), config.links.clone());
        #[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
        let server = match &config.server_tls {
            Some(tls) => server.with_tls(tls.clone()),
            None => server,
        };
        let mut server = server;
        server.open(world.net, world.owner)?;
        self.server = Some(server);
        for peer in peers {
            let out = Outbound::new(&peer.connection.to, &self.config);
            peer.connection.out = Some(Box::new(out));
        }
        Ok(())
    }

    fn send(
        &mut self,
        peers: &mut [Registered<FrameConnection>],
        attempt: Attempt,
        _: &mut World<'_>,
    ) {
        if let Some(out) = &mut peers[attempt.to].connection.out {
            out.queue(attempt);
        }
    }

    fn answer(&mut self, ticket: Ticket, how: &Result<(), Rejection>, _: &mut World<'_>) {
        let (Some((id, message, len)), Some(server)) =
            (self.tickets.remove(&ticket), &mut self.server)
        else {
            return;
        };
        let inbound = self.inbounds.get_mut(id.place()).and_then(Option::as_mut);
        let inbound = inbound.filter(|inbound| inbound.id == id);
        if let (Some(inbound), Some(link)) = (inbound, server.get_mut(id)) {
            inbound.answer(message, len, how, link);
            if inbound.spills() || !link.rx().is_empty() {
                self.again.insert(id);
            }
        }
    }

    fn service(
        &mut self,
        peers: &mut [Registered<FrameConnection>],
        world: &mut World<'_>,
        events: &mut Vec<TransportEvent>,
    ) -> Result<(), ListenerLost> {
        let mut came = Vec::new();
        let served = self.serve(peers, world, &mut came);
        for Came {
            id,
            from,
            message,
            packet,
        } in came
        {
            let ticket = Ticket(self.ticket);
            self.ticket += 1;
            self.tickets.insert(ticket, (id, message, packet.len()));
            events.push(TransportEvent::Received {
                ticket,
                from,
                packet: Bytes::from(packet),
                message: Some(message),
            });
        }
        self.flush(peers, world);
        events.append(&mut self.early);
        served
    }

    fn flush(&mut self, peers: &mut [Registered<FrameConnection>], world: &mut World<'_>) {
        if let Some(server) = &mut self.server {
            server.service_sends(world.tyme, world.net);
        }
        for peer in peers {
            if let Some(out) = &mut peer.connection.out {
                out.service(&self.config, world, &mut self.early);
            }
        }
    }

    fn due(&self, peers: &[Registered<FrameConnection>], tyme: Tyme) -> Tyme {
        if !self.early.is_empty() {
            return tyme;
        }
        let outs = peers.iter().filter_map(|p| p.connection.out.as_ref());
        let outs = outs.map(|out| out.due(tyme)).min();
        let server = self.server.as_ref().map(|server| server.due(tyme));
        outs.into_iter().chain(server).min().unwrap_or(Tyme::NEVER)
    }

    fn shutdown(&mut self, peers: &mut [Registered<FrameConnection>], world: &mut World<'_>) {
        self.closing = true;
        for peer in peers {
            if let Some(mut out) = peer.connection.out.take() {
                out.close(world.net);
            }
        }
        if let Some(server) = &mut self.server {
            server.stop_listening(world.net);
        }
    }

    fn is_idle(&self) -> bool {
        let sent = |server: &Server| server.remoters().all(|remoter| remoter.pending() == 0);
        let spills = self.inbounds.iter().flatten().any(Inbound::spills);
        self.tickets.is_empty() && !spills && self.server.as_ref().is_none_or(sent)
    }

    fn close(&mut self, peers: &mut [Registered<FrameConnection>], net: &mut dyn Net) {
        for peer in peers {
            if let Some(mut out) = peer.connection.out.take() {
                out.close(net);
            }
        }
        if let Some(mut server) = self.server.take() {
            server.close(net);
        }
        self.inbounds.clear();
        self.tickets.clear();
        self.again.clear();
        self.early.clear();
    }

    fn network_id(&self, connection: &FrameConnection) -> String {
        let certified = connection.certified.clone();
        certified.unwrap_or_else(|| connection.name.clone())
    }
}
