//! Connecting, and what becomes of a client when a connection fails or is over.

use super::dial::{Dial, Turnout, World};
use super::{Client, Phase};
use crate::link::link::Turn;
use crate::link::reconnect::Chance;
#[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
use crate::link::tls::Session;
use crate::link::{ClientEvent, CloseReason};
use crate::net::{Endpoint, Lookup, Net, Sid};
use crate::tyme::Tyme;

impl Client {
    /// Begins an attempt.
    pub(super) fn attempt(&mut self, tyme: Tyme, net: &mut dyn Net) {
        if !self.link.connecting() {
            self.link.begin(tyme, &self.shared.limits);
            self.link.keep_open(!self.auto_close);
        }
        let limits = &self.shared.limits;
        let mut dial = Dial::new(tyme + limits.connect, limits.connect_stagger);
        if let Endpoint::Name(..) = &self.to {
            self.phase = Phase::Resolving(dial);
            self.resolve(tyme, net);
        } else {
            dial.at(self.to.clone());
            self.phase = Phase::Dialling(dial);
            self.dialling(tyme, net);
        }
    }

    pub(super) fn resolve(&mut self, tyme: Tyme, net: &mut dyn Net) {
        let (Endpoint::Name(host, port), Some(group)) = (&self.to, self.group) else {
            return;
        };
        let found = net.resolve(group, host);
        let Phase::Resolving(dial) = &mut self.phase else {
            return;
        };
        match found {
            Lookup::Pending if tyme < dial.deadline() => {}
            Lookup::Pending => self.failed(CloseReason::ConnectTimedOut, tyme, net),
            Lookup::Ready(ips) => {
                dial.among(&ips, *port);
                // The phase is left for good, so its dial may be taken along.
                if let Phase::Resolving(dial) = std::mem::replace(&mut self.phase, Phase::Closed) {
                    self.phase = Phase::Dialling(dial);
                }
                self.dialling(tyme, net);
            }
            Lookup::Failed(why) => self.failed(CloseReason::ConnectFailed(why), tyme, net),
        }
    }

    /// Carries the race of the addresses on.
    pub(super) fn dialling(&mut self, tyme: Tyme, net: &mut dyn Net) {
        let (Phase::Dialling(dial), Some(group)) = (&mut self.phase, self.group) else {
            return;
        };
        let mut world = World {
            group,
            options: &self.options,
            tyme,
            net,
        };
        match dial.turn(&self.marks, &mut world) {
            Turnout::UnderWay => {}
            Turnout::Stands(sid, at) => self.stands(sid, at, tyme, net),
            Turnout::Failed(reason) => self.failed(reason, tyme, net),
        }
    }

    fn stands(&mut self, sid: Sid, at: Endpoint, tyme: Tyme, net: &mut dyn Net) {
        let unread = self.link.rx().len();
        if unread > 0 {
            self.link.clear_rx();
            self.tell(ClientEvent::Dropped { unsent: 0, unread });
        }
        self.phase = Phase::Standing;
        self.link.stand(sid, tyme);
        self.link.draw_seed(net);
        #[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
        if let Some(tls) = &self.tls {
            let deadline = tyme + self.shared.limits.handshake;
            let session = Session::client(tls, &self.to, self.link.next_seed());
            self.link
                .begin_secure(session, deadline, &mut self.shared.stats);
        }
        self.link.touch(); // what was queued meanwhile
        net.mark(sid); // and what was sent to us meanwhile
        self.shared.stats.opened += 1;
        self.stood = (tyme, self.shared.stats.received);
        log::debug!("connected to {at}");
        self.peer = Some(at.clone());
        self.tell(ClientEvent::Connected(at));
    }

    /// A connection that stood is over.
    pub(super) fn lost(&mut self, reason: CloseReason, tyme: Tyme, net: &mut dyn Net) {
        log::debug!("connection to {}: {reason}", self.to);
        self.tell(ClientEvent::Closed(reason));
        self.tell_unsent();
        let (since, received) = self.stood;
        let long = self.reconnect.is_some_and(|r| tyme.since(since) >= r.max);
        if long || self.shared.stats.received > received {
            self.attempts = 0;
        }
        let wished = matches!(
            reason,
            CloseReason::Closed
                | CloseReason::Aborted
                | CloseReason::DrainTimedOut
                | CloseReason::LingerTimedOut
        );
        match wished {
            true => self.shut(net),
            false => self.again(reason, tyme, net),
        }
    }

    /// An attempt failed.
    fn failed(&mut self, reason: CloseReason, tyme: Tyme, net: &mut dyn Net) {
        log::debug!("{}: {reason}", self.to);
        self.tell(ClientEvent::Closed(reason));
        self.again(reason, tyme, net);
    }

    /// Waits for the next attempt, if there is to be one.
    fn again(&mut self, reason: CloseReason, tyme: Tyme, net: &mut dyn Net) {
        self.attempts = self.attempts.saturating_add(1);
        let attempts = self.attempts;
        let chance = self.chance.get_or_insert(Chance(0));
        match self.reconnect.and_then(|r| r.wait(attempts, chance)) {
            Some(wait) => {
                if !self.link.connecting() {
                    self.link.begin(tyme, &self.shared.limits);
                    self.link.keep_open(!self.auto_close);
                }
                let at = tyme + wait;
                self.phase = Phase::Waiting(at);
                self.tell(ClientEvent::Retrying { at, attempts });
            }
            None => {
                let shared = &mut self.shared;
                self.link.end(reason, &mut Turn { tyme, net, shared });
                self.tell_unsent();
                self.shut(net);
            }
        }
    }

    /// Ends an attempt or a wait, at the user's wish.
    pub(super) fn give_up(&mut self, reason: CloseReason, net: &mut dyn Net) {
        let shared = &mut self.shared;
        let tyme = Tyme::ZERO; // ends look at no tyme
        self.link.end(reason, &mut Turn { tyme, net, shared });
        self.tell(ClientEvent::Closed(reason));
        self.tell_unsent();
        self.shut(net);
    }

    pub(super) fn stop(&mut self, reason: CloseReason, net: &mut dyn Net) {
        if self.group.is_some() {
            let reason = self.link.closed().unwrap_or(reason);
            self.give_up(reason, net);
        }
    }

    /// Lets go of the net.
    fn shut(&mut self, net: &mut dyn Net) {
        self.phase = Phase::Closed;
        if let Some(group) = self.group.take() {
            net.close_group(group);
        }
    }

    /// Tells of queued bytes that were dropped.
    fn tell_unsent(&mut self) {
        let unsent = self.shared.stats.unsent;
        let dropped = usize::try_from(unsent - self.told).unwrap_or(usize::MAX);
        self.told = unsent;
        if dropped > 0 {
            self.tell(ClientEvent::Dropped {
                unsent: dropped,
                unread: 0,
            });
        }
    }
}
