//! The network's side: doers that bring in what players send, and send what the game answers.

use hio::doing::prelude::*;
use hio::link::{Event, Limits, RemoterId, Server};
use hio::net::{Endpoint, ListenOptions};

/// What doers and systems share.
pub struct Wire {
    /// The players' connections.
    pub server: Server,
    /// What came in since the game looked last.
    pub inbox: Vec<(RemoterId, Said)>,
    /// What the game answers.
    pub outbox: Vec<(RemoterId, i64)>,
}

/// What is known of a player.
#[derive(Clone, Copy, Debug)]
pub enum Said {
    /// Somebody has come.
    Joined,
    /// Wants to go so far.
    Walk(i64),
    /// Has gone.
    Left,
}

/// Bytes of a message in either direction: a number.
pub const MESSAGE: usize = 8;

impl Wire {
    /// Listens there, once entered.
    pub fn new(at: Endpoint) -> Self {
        Self {
            server: Server::new(at, ListenOptions::default(), Limits::default()),
            inbox: Vec::new(),
            outbox: Vec::new(),
        }
    }
}

/// Serves the connections; parked while nothing comes.
pub struct Bring {
    /// Kept, so that nothing is allocated in a warm frame.
    news: Vec<Event>,
}

impl Bring {
    /// One that has heard nothing.
    pub fn new() -> Self {
        Self { news: Vec::new() }
    }
}

impl Doer<Wire> for Bring {
    fn enter(&mut self, cx: &mut Cx<'_, Wire>) -> Result<Next, Fault> {
        cx.app.server.open(cx.net, cx.ask.owner())?;
        Ok(Park(Tyme::NEVER))
    }

    fn recur(&mut self, tyme: Tyme, cx: &mut Cx<'_, Wire>) -> Result<Next, Fault> {
        let Wire { server, inbox, .. } = &mut *cx.app;
        server.service(tyme, cx.net)?;
        self.news.extend(server.events());
        for event in self.news.drain(..) {
            match event {
                Event::Accepted(id) => inbox.push((id, Said::Joined)),
                Event::Closed(id, _) => inbox.push((id, Said::Left)),
                Event::Received(id) => {
                    let Some(ix) = server.get_mut(id) else {
                        continue;
                    };
                    while let Some((number, _)) = ix.rx().split_first_chunk() {
                        inbox.push((id, Said::Walk(i64::from_le_bytes(*number))));
                        ix.consume(MESSAGE);
                    }
                }
                _ => {}
            }
        }
        Ok(Park(server.due(tyme)))
    }

    fn exit(&mut self, cx: &mut Cx<'_, Wire>) {
        cx.app.server.close(cx.net);
    }
}

/// Sends what the game has answered since the last tick.
pub struct Send;

impl Doer<Wire> for Send {
    fn recur(&mut self, tyme: Tyme, cx: &mut Cx<'_, Wire>) -> Result<Next, Fault> {
        let Wire { server, outbox, .. } = &mut *cx.app;
        if outbox.is_empty() {
            return Ok(Again);
        }
        for (id, place) in outbox.drain(..) {
            // Who has gone meanwhile, or does not read, misses it.
            if server.transmit_ix(id, &place.to_le_bytes()).is_err() {
                let _ = server.close_ix(id);
            }
        }
        server.service_sends(tyme, cx.net);
        Ok(Again)
    }
}
