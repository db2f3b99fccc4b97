//! The connection to one peer: packets go out, answers come in.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use super::super::super::frame::{self, Message};
use super::super::super::{Cause, MessageId, SendId};
use super::super::transport::{Again, Attempt, TransportEvent, World};
use super::FrameConfig;
use crate::link::{Client, CloseReason, TlsFailure, TxError};
use crate::net::{Endpoint, Net};
use crate::proto::channel::Frames;
use crate::tyme::Tyme;

/// See the module.
#[derive(Debug)]
pub(super) struct Outbound {
    client: Client,
    frames: Frames,
    /// Attempts of which nothing went out.
    queue: VecDeque<Attempt>,
    /// Attempts that went out, and when their answers are late.
    asked: BTreeMap<MessageId, (SendId, Tyme)>,
    /// What goes out now.
    out: VecDeque<Bytes>,
    greeted: bool,
    stood: bool,
}

impl Outbound {
    pub(super) fn new(to: &Endpoint, config: &FrameConfig) -> Self {
        let client = Client::new(to.clone(), config.connect.clone(), config.links.clone());
        #[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
        let client = match &config.client_tls {
            Some(tls) => client.with_tls(tls.clone()),
            None => client,
        };
        Self {
            client,
            frames: Frames::new(frame::ANSWER_MAX),
            queue: VecDeque::new(),
            asked: BTreeMap::new(),
            out: VecDeque::new(),
            greeted: false,
            stood: false,
        }
    }

    pub(super) fn queue(&mut self, attempt: Attempt) {
        self.queue.push_back(attempt);
    }

    /// Carries everything on.
    pub(super) fn service(
        &mut self,
        config: &FrameConfig,
        world: &mut World<'_>,
        events: &mut Vec<TransportEvent>,
    ) {
        if !self.queue.is_empty() && !self.client.opened() {
            self.renew();
            if let Err(why) = self.client.open(world.tyme, world.net, world.owner) {
                log::error!("{}: {why}", config.name);
                return self.fail(CloseReason::NotOpened, events);
            }
        }
        self.client.service(world.tyme, world.net);
        self.stood |= self.client.connected();
        self.take_in(events);
        self.client.events().for_each(drop); // what they tell is seen by looking
        let late = self.asked.values().any(|(_, by)| *by <= world.tyme);
        if late {
            let timed = |(id, by): &(SendId, Tyme)| (*by <= world.tyme).then_some(*id);
            let ids: Vec<SendId> = self.asked.values().filter_map(timed).collect();
            self.asked.retain(|_, (_, by)| *by > world.tyme);
            let failed = |id| told(id, Cause::ReadTimedOut, Again::Uncertain);
            events.extend(ids.into_iter().map(failed));
            self.client.abort(world.net);
        }
        if !self.client.opened() {
            let reason = self.client.closed().unwrap_or(CloseReason::NotOpened);
            return self.fail(reason, events);
        }
        self.push(config, world);
    }

    /// Writes as much as there is room for.
    pub(super) fn push(&mut self, config: &FrameConfig, world: &mut World<'_>) {
        while self.client.connected() {
            if !self.greeted {
                self.greeted = true;
                self.out.push_back(frame::hello(&config.name).into());
            }
            if self.out.is_empty() {
                let Some(attempt) = self.queue.pop_front() else {
                    break;
                };
                let by = world.tyme + config.answer_time;
                self.asked.insert(attempt.message, (attempt.id, by));
                let head = frame::packet_head(attempt.message, attempt.packet.len());
                self.out.extend([head.into(), attempt.packet]);
            }
            if !self.write() {
                let room = self.client.link().room();
                self.client.service_sends(world.tyme, world.net);
                if self.client.link().room() <= room {
                    break;
                }
            }
        }
        self.client.service_sends(world.tyme, world.net);
    }

    /// Hands over what goes out now. False when there is no more room.
    fn write(&mut self) -> bool {
        while let Some(piece) = self.out.front_mut() {
            match self.client.tx(piece) {
                Ok(()) => drop(self.out.pop_front()),
                Err(TxError::Full { taken }) => {
                    drop(piece.split_to(taken));
                    return false;
                }
                Err(_) => return false, // the link is over, and tells of it
            }
        }
        true
    }

    fn take_in(&mut self, events: &mut Vec<TransportEvent>) {
        let mut input = self.client.rx();
        let all = input.len();
        let fine = loop {
            match self.frames.next(&mut input) {
                Ok(None) => break true,
                Err(_) => break false,
                Ok(Some(payload)) => match Message::read(payload) {
                    Some(Message::Answer(message, how)) => {
                        // One that nobody waits for is of an attempt that was given up.
                        if let Some((id, _)) = self.asked.remove(&message) {
                            events.push(match how {
                                Ok(()) => TransportEvent::Sent(id),
                                Err(why) => told(id, Cause::Rejected(why), Again::Never),
                            });
                        }
                    }
                    _ => break false,
                },
            }
        };
        if all > 0 {
            self.client.consume(all);
        }
        if !fine {
            log::debug!("{}: what it answers is no answer", self.client.to());
            self.client.link_mut().abort();
        }
    }

    /// The connection is over, or did not come about.
    fn fail(&mut self, reason: CloseReason, events: &mut Vec<TransportEvent>) {
        let asked = std::mem::take(&mut self.asked).into_values();
        let ours = match reason {
            CloseReason::Tls(why) if !matches!(why, TlsFailure::Alert(_) | TlsFailure::Left) => {
                Some(why)
            }
            _ => None,
        };
        events.extend(asked.map(|(id, _)| told(id, Cause::Lost(reason), Again::Uncertain)));
        // Those of which nothing went out wait for the next connection, unless there was none.
        if !self.stood {
            for attempt in std::mem::take(&mut self.queue) {
                events.push(match ours {
                    Some(why) => told(attempt.id, Cause::Tls(why), Again::Never),
                    None => told(attempt.id, Cause::Unreachable(reason), Again::Safe),
                });
            }
        }
        self.renew();
    }

    fn renew(&mut self) {
        self.frames = Frames::new(frame::ANSWER_MAX);
        self.out.clear();
        (self.greeted, self.stood) = (false, false);
    }

    pub(super) fn due(&self, tyme: Tyme) -> Tyme {
        let (opened, connected) = (self.client.opened(), self.client.connected());
        let begins = !opened || (connected && self.out.is_empty());
        if !self.queue.is_empty() && begins {
            return tyme;
        }
        let late = self.asked.values().map(|(_, by)| *by).min();
        self.client.due(tyme).min(late.unwrap_or(Tyme::NEVER))
    }

    pub(super) fn close(&mut self, net: &mut dyn Net) {
        self.client.close(net);
        self.queue.clear();
        self.asked.clear();
        self.renew();
    }
}

const fn told(id: SendId, cause: Cause, again: Again) -> TransportEvent {
    TransportEvent::Failed { id, cause, again }
}
