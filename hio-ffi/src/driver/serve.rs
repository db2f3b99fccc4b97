//! Serving one server or client, and turning what happened into events.

use hio::link::{Client, ClientEvent, Event as ServerEvent, Pause, RemoterId};
use hio::net::Endpoint;
use hio::tyme::Tyme;

use super::Driver;
use crate::abi::hio_event_kind as Kind;
use crate::events::Event;
use crate::link_end::{Ended, LinkEnd, State};

impl Driver {
    /// Serves the server or dialled link of a handle; one that is gone is let go of.
    pub(super) fn serve(&mut self, handle: u64) {
        let (tyme, net) = (self.tyme, &mut self.net);
        if let Some(end) = self.servers.get_mut(handle) {
            let lost = end.server.service(tyme, net).err();
            self.look_at_server(handle);
            if let Some(lost) = lost {
                let event = Event::of_server(Kind::HIO_EVENT_LISTENER_LOST, handle);
                self.events.push(event.saying(lost.to_string()));
            }
        } else if let Some(client) = Self::client(&mut self.links, handle) {
            client.service(tyme, net);
            self.look_at_client(handle);
        }
    }

    pub(super) fn flush_one(&mut self, handle: u64) {
        let (tyme, net) = (self.tyme, &mut self.net);
        if let Some(end) = self.servers.get_mut(handle) {
            end.server.service_sends(tyme, net);
            self.look_at_server(handle);
        } else if let Some(client) = Self::client(&mut self.links, handle) {
            client.service_sends(tyme, net);
            self.look_at_client(handle);
        }
    }

    fn client(links: &mut crate::table::Table<LinkEnd>, handle: u64) -> Option<&mut Client> {
        match &mut links.get_mut(handle)?.state {
            State::Dialled(dialled) => Some(&mut dialled.client),
            _ => None,
        }
    }

    /// Takes a server's events over, ends it if it has drained, and sets its timer.
    pub(super) fn look_at_server(&mut self, handle: u64) {
        let Some(end) = self.servers.get_mut(handle) else {
            return;
        };
        let events: Vec<ServerEvent> = end.server.events().collect();
        for event in events {
            self.take_over(handle, event);
        }
        self.end_drained(handle);
        self.arm_server(handle);
    }

    /// A server that was asked to drain and has no link left is closed.
    fn end_drained(&mut self, handle: u64) {
        let Some(end) = self.servers.get_mut(handle) else {
            return;
        };
        if end.drains && end.server.is_empty() {
            end.drains = false;
            end.server.close(&mut self.net);
            let event = Event::of_server(Kind::HIO_EVENT_SERVER_CLOSED, handle);
            self.events.push(event);
        }
    }

    pub(super) fn arm_server(&mut self, handle: u64) {
        if let Some(end) = self.servers.get_mut(handle) {
            let due = end.server.due(self.tyme);
            Self::arm(&mut self.timers, &mut end.armed, due, handle);
        }
    }

    fn take_over(&mut self, server: u64, event: ServerEvent) {
        match event {
            ServerEvent::Accepted(id) => self.accepted(server, id),
            ServerEvent::Secured(id) => self.tell_link(server, id, Kind::HIO_EVENT_SECURED),
            ServerEvent::Received(id) => self.tell_link(server, id, Kind::HIO_EVENT_RECEIVED),
            ServerEvent::Drained(id) => self.tell_link(server, id, Kind::HIO_EVENT_DRAINED),
            ServerEvent::Cutoff(id) => self.tell_link(server, id, Kind::HIO_EVENT_CUTOFF),
            ServerEvent::Closed(id, reason) => self.closed(server, id, reason),
            ServerEvent::AcceptPaused(why) => {
                let event = Event::of_server(Kind::HIO_EVENT_ACCEPT_PAUSED, server);
                self.events.push(event.saying(match why {
                    Pause::Full => "as many connections are open as may be",
                    Pause::Exhausted => "out of descriptors or memory",
                }));
            }
            ServerEvent::AcceptResumed => {
                let event = Event::of_server(Kind::HIO_EVENT_ACCEPT_RESUMED, server);
                self.events.push(event);
            }
            // One that this crate was not written for is not news that it can pass on.
            _ => {}
        }
    }

    fn accepted(&mut self, server: u64, id: RemoterId) {
        let Some(end) = self.servers.get_mut(server) else {
            return;
        };
        let mut link = LinkEnd::new(server, end.tag, State::Accepted(id));
        let peer = end.server.get(id).map(|remoter| remoter.peer());
        link.peer = peer.as_ref().map(Endpoint::to_string).unwrap_or_default();
        let words = link.peer.clone();
        match self.links.insert(link) {
            Ok(handle) => {
                end.name(id, handle);
                let event = Event::of_link(Kind::HIO_EVENT_ACCEPTED, handle, server);
                self.events.push(event.saying(words));
            }
            // No handle is left for it: nobody could ever see it.
            Err(_) => {
                if let Some(remoter) = end.server.get_mut(id) {
                    remoter.abort();
                }
            }
        }
    }

    fn tell_link(&mut self, server: u64, id: RemoterId, kind: Kind) {
        let Some(handle) = self.servers.get(server).and_then(|end| end.handle(id)) else {
            return;
        };
        self.tell(handle, kind);
    }

    /// An event of a link. Of those that only say "look", one waits at a time.
    pub(super) fn tell(&mut self, handle: u64, kind: Kind) {
        let Some(link) = self.links.get_mut(handle) else {
            return;
        };
        let waits = match kind {
            Kind::HIO_EVENT_RECEIVED => &mut link.received_waits,
            Kind::HIO_EVENT_DRAINED => &mut link.drained_waits,
            _ => &mut false,
        };
        if !std::mem::replace(waits, true) {
            let event = Event::of_link(kind, handle, link.server);
            self.events.push(event);
        }
    }

    /// A server's connection is over: what it had received is kept.
    fn closed(&mut self, server: u64, id: RemoterId, reason: hio::link::CloseReason) {
        let Some(end) = self.servers.get_mut(server) else {
            return;
        };
        let Some(handle) = end.handle(id) else {
            return;
        };
        end.forget(id);
        let Some(link) = self.links.get_mut(handle) else {
            return;
        };
        // After a close of the whole server it was ended before.
        if let State::Accepted(_) = link.state {
            let left = end.server.get(id);
            let rx = left.map_or(&[][..], |remoter| remoter.rx());
            let cutoff = left.is_some_and(|remoter| remoter.cutoff());
            link.state = State::Ended(Ended::new(rx, reason, cutoff));
        }
        let event = Event::of_link(Kind::HIO_EVENT_CLOSED, handle, server);
        self.events.push(event.because(reason));
    }

    /// Takes a client's events over, keeps what is left of it when it is over, and sets its timer.
    pub(super) fn look_at_client(&mut self, handle: u64) {
        let Some(link) = self.links.get_mut(handle) else {
            return;
        };
        let State::Dialled(dialled) = &mut link.state else {
            return;
        };
        let over = !dialled.client.opened();
        let due = match over {
            true => Tyme::NEVER,
            false => dialled.client.due(self.tyme),
        };
        Self::arm(&mut self.timers, &mut dialled.armed, due, handle);
        let mut events: Vec<ClientEvent> = dialled.client.events().collect();
        // What it was over for is told last, after what was dropped.
        let last = events
            .iter()
            .rposition(|e| matches!(e, ClientEvent::Closed(_)));
        let end = last.filter(|_| over).map(|at| events.remove(at));
        for at in 0..events.len() {
            self.take_over_client(handle, &events[at..]);
        }
        if let Some(ClientEvent::Closed(reason)) = end {
            self.client_over(handle, reason);
        }
    }

    /// The first of some events of a client.
    fn take_over_client(&mut self, handle: u64, events: &[ClientEvent]) {
        let event = |kind| Event::of_link(kind, handle, 0);
        match &events[0] {
            ClientEvent::Connected(at) => {
                let words = at.to_string();
                if let Some(link) = self.links.get_mut(handle) {
                    link.peer.clone_from(&words);
                }
                self.events
                    .push(event(Kind::HIO_EVENT_CONNECTED).saying(words));
            }
            ClientEvent::Secured => self.tell(handle, Kind::HIO_EVENT_SECURED),
            ClientEvent::Received => self.tell(handle, Kind::HIO_EVENT_RECEIVED),
            ClientEvent::Drained => self.tell(handle, Kind::HIO_EVENT_DRAINED),
            ClientEvent::Cutoff => self.tell(handle, Kind::HIO_EVENT_CUTOFF),
            ClientEvent::Dropped { unsent, unread } => self.events.push(Event {
                unsent: *unsent as u64,
                unread: *unread as u64,
                ..event(Kind::HIO_EVENT_DROPPED)
            }),
            ClientEvent::Closed(reason) => {
                // One that does not end the client is followed by when it dials again.
                let again = events.iter().find_map(|event| match event {
                    ClientEvent::Retrying { at, attempts } => Some((*at, *attempts)),
                    _ => None,
                });
                let (at, attempts) = again.unwrap_or((self.tyme, 0));
                let wait = at.since(self.tyme).as_nanos();
                self.events.push(Event {
                    attempts,
                    wait: u64::try_from(wait).unwrap_or(u64::MAX),
                    ..event(Kind::HIO_EVENT_RETRYING).because(*reason)
                });
            }
            // Told with the reason; and what this crate was not written for it cannot pass on.
            _ => {}
        }
    }

    fn client_over(&mut self, handle: u64, reason: hio::link::CloseReason) {
        if let Some(link) = self.links.get_mut(handle) {
            if let State::Dialled(dialled) = &link.state {
                let (rx, cutoff) = (dialled.client.rx(), dialled.client.cutoff());
                link.state = State::Ended(Ended::new(rx, reason, cutoff));
            }
            let event = Event::of_link(Kind::HIO_EVENT_CLOSED, handle, 0);
            self.events.push(event.because(reason));
        }
    }
}
