//! Sends everything back.

use std::collections::VecDeque;

use hio::doing::prelude::*;
use hio::net::{Endpoint, MioNet, Net, ResolverOptions};
use hio::proto::communicator::{
    Bytes, CommunicatorError, CommunicatorEvent, CommunicatorState, DeliveryId, HttpCommunicator,
    HttpTransport, Object, Pool, PoolEvent, Rejection,
};

use super::common;
use super::options::Options;

/// Sends every packet back to its sender.
pub(crate) struct PacketEcho {
    communicator: HttpCommunicator,
    /// Packets that cannot be sent back yet: their senders wait.
    waiting: VecDeque<(DeliveryId, String, Bytes)>,
    ending: Ending,
}

/// How a communicator ends while its Doist drains, as `CommunicatorDoer` does it: when nothing is
/// under way, or when half of the time has passed.
#[derive(Default)]
struct Ending {
    patience: Option<Tyme>,
}

impl Ending {
    fn shuts_down(
        &mut self,
        limit: Option<Tyme>,
        communicator: &HttpCommunicator,
        tyme: Tyme,
    ) -> bool {
        let started = communicator.state() == CommunicatorState::Started;
        let Some(limit) = limit.filter(|_| started) else {
            return false;
        };
        let half = tyme + limit.since(tyme) / 2;
        let patience = *self.patience.get_or_insert(half);
        let rests = communicator.pending() == 0 && communicator.unanswered() == 0;
        rests || tyme >= patience
    }

    fn is_over(communicator: &HttpCommunicator) -> bool {
        communicator.state() == CommunicatorState::Stopped && !communicator.is_closing()
    }

    /// When to look again although nothing happens.
    fn due(&self, tyme: Tyme) -> Tyme {
        self.patience.filter(|at| *at > tyme).unwrap_or(Tyme::NEVER)
    }
}

impl PacketEcho {
    fn look(&mut self, tyme: Tyme, net: &mut dyn Net) -> Result<(), Fault> {
        let told: Vec<CommunicatorEvent> = self.communicator.events().collect();
        for event in told {
            match event {
                CommunicatorEvent::Received {
                    id, from, packet, ..
                } if packet.starts_with(b"FAIL") => {
                    log::info!("{from} asks for a failure");
                    let why = Rejection::failed("asked to fail");
                    self.communicator.reject(id, why, tyme, net)?;
                }
                CommunicatorEvent::Received {
                    id, from, packet, ..
                } => self.waiting.push_back((id, from, packet)),
                CommunicatorEvent::Failed { failure, .. } => log::warn!("{failure}"),
                _ => {}
            }
        }
        while let Some((id, from, packet)) = self.waiting.pop_front() {
            match self.communicator.send(&from, packet.clone()) {
                Ok(_) => self.communicator.acknowledge(id, tyme, net)?,
                Err(CommunicatorError::TooManyPending) => {
                    self.waiting.push_front((id, from, packet));
                    break;
                }
                Err(why) => return Err(why.into()),
            }
        }
        Ok(())
    }
}

impl Doer for PacketEcho {
    fn enter(&mut self, cx: &mut Cx<'_>) -> Result<Next, Fault> {
        let (tyme, owner) = (cx.tyme(), cx.ask.owner());
        self.communicator.initialize(tyme, cx.net, owner)?;
        cx.ask.join_drain();
        Ok(Park(Tyme::NEVER))
    }

    fn recur(&mut self, tyme: Tyme, cx: &mut Cx<'_>) -> Result<Next, Fault> {
        for _ in 0..TURNS {
            self.communicator.service(tyme, cx.net)?;
            self.look(tyme, cx.net)?;
            self.communicator.service_sends(tyme, cx.net);
            if self.communicator.due(tyme) > tyme {
                break;
            }
        }
        if self
            .ending
            .shuts_down(cx.draining(), &self.communicator, tyme)
        {
            self.communicator.shutdown(tyme, cx.net)?;
            self.communicator.service(tyme, cx.net)?;
        }
        if Ending::is_over(&self.communicator) {
            return Ok(Done(true));
        }
        Ok(Park(self.communicator.due(tyme).min(self.ending.due(tyme))))
    }

    fn exit(&mut self, cx: &mut Cx<'_>) {
        self.communicator.close(cx.net);
    }
}

/// Sends every object back under its id with `re:` before it.
pub(crate) struct ObjectEcho {
    pool: Pool<HttpTransport>,
    waiting: VecDeque<(String, String, Object)>,
    ending: Ending,
}

impl ObjectEcho {
    fn look(&mut self, tyme: Tyme) -> Result<(), Fault> {
        let told: Vec<PoolEvent> = self.pool.events().collect();
        for event in told {
            match event {
                PoolEvent::Arrived { from, message_id } => {
                    self.pool.recv(&from, Some(&message_id), None, tyme)?;
                }
                PoolEvent::Received {
                    from,
                    message_id,
                    object,
                    ..
                } => self.waiting.push_back((from, message_id, object)),
                PoolEvent::Failed(_, failure) => log::warn!("{failure}"),
                _ => {}
            }
        }
        while let Some((from, id, object)) = self.waiting.front() {
            if self.pool.communicator().pending() >= self.pool.communicator().limits().pending_max {
                break;
            }
            self.pool.send(from, object, Some(&format!("re:{id}")))?;
            self.waiting.pop_front();
        }
        Ok(())
    }
}

impl Doer for ObjectEcho {
    fn enter(&mut self, cx: &mut Cx<'_>) -> Result<Next, Fault> {
        let (tyme, owner) = (cx.tyme(), cx.ask.owner());
        self.pool.initialize(tyme, cx.net, owner)?;
        cx.ask.join_drain();
        Ok(Park(Tyme::NEVER))
    }

    fn recur(&mut self, tyme: Tyme, cx: &mut Cx<'_>) -> Result<Next, Fault> {
        for _ in 0..TURNS {
            self.pool.service(tyme, cx.net)?;
            while self.pool.has_news() {
                self.look(tyme)?;
            }
            self.pool.service_sends(tyme, cx.net);
            if self.pool.due(tyme) > tyme {
                break;
            }
        }
        let communicator = self.pool.communicator();
        if self.ending.shuts_down(cx.draining(), communicator, tyme) {
            self.pool.shutdown(tyme, cx.net)?;
            self.pool.service(tyme, cx.net)?;
        }
        if Ending::is_over(self.pool.communicator()) && !self.pool.is_closing() {
            return Ok(Done(true));
        }
        Ok(Park(self.pool.due(tyme).min(self.ending.due(tyme))))
    }

    fn exit(&mut self, cx: &mut Cx<'_>) {
        self.pool.close(cx.net);
    }
}

/// Services in one recur, while there is work to do at once.
const TURNS: usize = 16;

/// A doer, and where it listens.
pub(crate) type Serving<D> = (D, fn(&D) -> Option<Endpoint>);

/// What sends packets back.
pub(crate) fn packets(options: &Options) -> Result<Serving<PacketEcho>, Fault> {
    let mut communicator = options.communicator()?;
    communicator.receive_events();
    for peer in &options.peers {
        communicator.add_connection(peer.name.as_str(), options.connection(peer)?)?;
    }
    let echo = PacketEcho {
        communicator,
        waiting: VecDeque::new(),
        ending: Ending::default(),
    };
    Ok((echo, |echo| first(echo.communicator.transport())))
}

/// What sends objects back.
pub(crate) fn objects(options: &Options) -> Result<Serving<ObjectEcho>, Fault> {
    let mut pool = Pool::new("echo", options.communicator()?);
    for peer in &options.peers {
        pool.add_client(peer.name.as_str(), options.connection(peer)?)?;
    }
    let echo = ObjectEcho {
        pool,
        waiting: VecDeque::new(),
        ending: Ending::default(),
    };
    Ok((echo, |echo| first(echo.pool.communicator().transport())))
}

fn first(transport: &HttpTransport) -> Option<Endpoint> {
    transport.listening().next().cloned()
}

/// Serves until a signal comes.
pub(crate) fn serve<D: Doer + Send + 'static>((echo, listens): Serving<D>) -> Result<(), Fault> {
    let mut net = MioNet::new()?;
    net.start_resolver(ResolverOptions::default())?;
    let mut doist = Doist::new(());
    let id = doist.named("echo").add(echo);
    common::listen(&mut doist, &mut net, None)?;
    doist.enter(&mut net)?;
    if let Some(at) = doist.get(id).and_then(listens) {
        common::say(format_args!("listening on {}", common::plain(&at)))?;
    }
    doist.run(&mut net)?;
    Ok(())
}
