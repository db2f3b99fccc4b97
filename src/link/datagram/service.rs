//! What a service of a [`DatagramPeer`] does: receive, then send, within the limits.

use super::{DatagramEvent, DatagramPeer, Message};
use crate::net::{Endpoint, Net, NetError, Sid};
use crate::tyme::Tyme;

impl DatagramPeer {
    /// Receives what has come and sends what is queued. Look at [`recv`](Self::recv) and
    /// [`events`](Self::events) afterwards.
    pub fn service(&mut self, tyme: Tyme, net: &mut dyn Net) {
        if !std::mem::take(&mut self.unseen) {
            self.events.stale();
        }
        let Some((group, sid)) = self.socket else {
            return;
        };
        self.marks.clear();
        net.ready(group, &mut self.marks);
        let again = self.again <= tyme;
        self.again = Tyme::NEVER;
        if again || !self.marks.is_empty() {
            self.receive(sid, tyme, net);
        }
        self.transmit(sid, tyme, net);
    }

    /// Sends what is queued, without receiving. What is left over, and its events, wake the owner
    /// for a service.
    pub fn service_sends(&mut self, tyme: Tyme, net: &mut dyn Net) {
        if let Some((_, sid)) = self.socket {
            self.events.stale();
            self.transmit(sid, tyme, net);
            self.unseen |= self.events.fresh();
            if self.unseen || self.tx.len() > 0 {
                // A doer that parks knows nothing of a moment that was set here.
                net.mark(sid);
            }
        }
    }

    /// When a service is needed next although nothing is ready: `tyme` itself when something was
    /// queued since the last one or [`service_sends`](Self::service_sends) made events,
    /// [`Tyme::NEVER`] when only readiness counts.
    #[must_use]
    pub fn due(&self, tyme: Tyme) -> Tyme {
        match self.tx.waits_since() {
            _ if self.unseen || self.queued => tyme,
            None => self.again,
            Some(since) => self.again.min(since + self.limits.tx_stall),
        }
    }

    fn receive(&mut self, sid: Sid, tyme: Tyme, net: &mut dyn Net) {
        let mut came = 0;
        let mut left = self.limits.datagrams_per_service;
        let failure = loop {
            if left == 0 {
                net.mark(sid); // more may wait, and no edge tells of it
                break None;
            }
            left -= 1;
            match net.recv_from(sid, &mut self.buf) {
                Ok(None) => break None,
                Ok(Some(got)) => {
                    came += 1;
                    let data = self.buf[..got.len].to_vec();
                    self.take_in(Message {
                        from: got.from,
                        data,
                        truncated: got.truncated,
                    });
                }
                Err(NetError::Refused) => self.refused(),
                Err(why) => break Some(why),
            }
        };
        if came > 0 && self.rx.len() > 0 {
            self.tell(DatagramEvent::Received(came.min(self.rx.len())));
        }
        match failure {
            None => {}
            Some(NetError::Stale) => self.lost(NetError::Stale, net),
            Some(why) => {
                self.tell(DatagramEvent::Faltered(why));
                self.again = tyme + self.limits.retry;
            }
        }
    }

    fn take_in(&mut self, message: Message) {
        self.stats.received += 1;
        self.stats.received_bytes += message.data.len() as u64;
        if message.truncated {
            self.stats.truncated += 1;
            let from = message.from.clone();
            self.tell(DatagramEvent::Truncated { from });
        }
        let Self {
            rx,
            limits,
            stats,
            events,
            ..
        } = self;
        rx.push(message, limits, |gone| {
            stats.dropped += 1;
            let event = DatagramEvent::Dropped {
                from: gone.from,
                len: gone.data.len(),
            };
            events.push(event, limits.events_max, &mut stats.events_lost);
        });
    }

    /// Sends from the front on. Where only one receiver can be full, the others' datagrams go on;
    /// those to one address keep their order.
    fn transmit(&mut self, sid: Sid, tyme: Tyme, net: &mut dyn Net) {
        self.queued = false;
        self.tx.stamp(tyme);
        let one_way = self.options.to.is_some() || matches!(self.at, Endpoint::Udp(_));
        let mut full: Vec<Endpoint> = Vec::new();
        let mut left = self.limits.datagrams_per_service;
        let mut at = 0;
        while let Some(out) = self.tx.get_mut(at) {
            if out.to.as_ref().is_some_and(|to| full.contains(to)) {
                at += 1;
                continue;
            }
            if left == 0 {
                self.queued = true;
                break;
            }
            left -= 1;
            match net.send_to(sid, &out.data, out.to.as_ref()) {
                Ok(true) => {
                    self.stats.sent += 1;
                    self.stats.sent_bytes += out.data.len() as u64;
                    self.tx.remove(at);
                }
                // ENOBUFS and its like pass, and nothing tells when.
                told @ (Ok(false) | Err(NetError::Exhausted)) => {
                    self.waits = true;
                    let to = out.to.clone();
                    if out.since + self.limits.tx_stall <= tyme {
                        self.give_up(at, NetError::TimedOut);
                        continue;
                    }
                    if told.is_err() || !one_way {
                        self.again = self.again.min(tyme + self.limits.retry);
                    }
                    match to {
                        Some(to) if !one_way => full.push(to),
                        _ => break,
                    }
                }
                // A connected socket tells of an earlier datagram, and has not sent this one.
                Err(NetError::Refused) if out.to.is_none() && !out.again => {
                    out.again = true;
                    self.refused();
                }
                Err(NetError::Stale) => return self.lost(NetError::Stale, net),
                Err(why) => self.give_up(at, why),
            }
        }
        if self.tx.len() == 0 && std::mem::take(&mut self.waits) {
            self.tell(DatagramEvent::Drained);
        }
    }

    /// Drops a queued datagram.
    fn give_up(&mut self, at: usize, why: NetError) {
        if let Some(gone) = self.tx.remove(at) {
            self.stats.unsent += 1;
            self.tell(DatagramEvent::Unsent {
                to: gone.to,
                len: gone.data.len(),
                why,
            });
        }
    }

    fn refused(&mut self) {
        self.stats.refused += 1;
        self.tell(DatagramEvent::Refused);
    }

    fn lost(&mut self, why: NetError, net: &mut dyn Net) {
        self.close(net);
        self.tell(DatagramEvent::Lost(why));
    }

    fn tell(&mut self, event: DatagramEvent) {
        let (most, stats) = (self.limits.events_max, &mut self.stats);
        self.events.push(event, most, &mut stats.events_lost);
    }
}
