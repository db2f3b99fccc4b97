//! The doers of the tour.

use std::time::Duration;

use hio::doing::prelude::*;
use hio::link::tls::ClientTls;
use hio::link::{Client, ClientEvent, Limits, Reconnect, Server};
use hio::net::{ConnectOptions, Endpoint, ListenOptions};

/// What all doers share: what there is to see of them.
#[derive(Debug, Default)]
pub(crate) struct App {
    /// One for each client.
    pub(crate) links: Vec<Seen>,
    /// What happened, when.
    pub(crate) story: Vec<(Tyme, String)>,
    /// How often the clumsy one was restarted.
    pub(crate) restarts: u32,
}

impl App {
    fn tell(&mut self, tyme: Tyme, what: impl Into<String>) {
        self.story.push((tyme, what.into()));
    }
}

/// What there is to see of a link.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) name: &'static str,
    pub(crate) peer: String,
    pub(crate) state: State,
    pub(crate) messages: u64,
    pub(crate) received: u64,
    pub(crate) sent: u64,
    /// Time that the messages since the last picture took, and how many they were.
    pub(crate) waited: Duration,
    pub(crate) fresh: u64,
}

/// How a link stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Dialling,
    Open,
    /// The next attempt is due then, and is the how manieth.
    Retrying(Tyme, u32),
}

/// How often a client calls.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pace {
    /// As soon as the last answer is there, with messages of so many bytes.
    Rush { size: usize },
    /// After a pause.
    Every(Duration),
    /// Once, and then never again.
    Once,
}

/// Waits that grow, in a hurry: a tour is short.
const RECONNECT: Reconnect = Reconnect {
    first: Duration::from_millis(150),
    factor: 2,
    max: Duration::from_secs(1),
    jitter_percent: 20,
    attempts_max: None,
};

/// A client that sends a message, verifies the answer, and so on; it dials again when it is cut.
pub(crate) struct Pinger {
    client: Client,
    seen: usize,
    pace: Pace,
    message: Vec<u8>,
    /// When the message in flight was sent, on the net's clock.
    asked: Option<Tyme>,
    /// When the next one is due.
    next: Tyme,
}

impl Pinger {
    pub(crate) fn new(app: &mut App, name: &'static str, to: &Endpoint, pace: Pace) -> Self {
        app.links.push(Seen {
            name,
            peer: to.to_string(),
            state: State::Dialling,
            messages: 0,
            received: 0,
            sent: 0,
            waited: Duration::ZERO,
            fresh: 0,
        });
        let size = match pace {
            Pace::Rush { size } => size,
            _ => 64,
        };
        let client = Client::new(to.clone(), ConnectOptions::default(), Limits::default());
        Self {
            client: client.with_reconnect(RECONNECT),
            seen: app.links.len() - 1,
            pace,
            message: (0..size).map(|i| i.to_le_bytes()[0]).collect(),
            asked: None,
            next: Tyme::ZERO,
        }
    }

    /// Calls over TLS.
    pub(crate) fn with_tls(mut self, app: &mut App, tls: ClientTls) -> Self {
        app.links[self.seen].peer.push_str(" TLS");
        self.client = self.client.with_tls(tls);
        self
    }

    /// Tells what happened to the connection.
    fn news(&mut self, tyme: Tyme, app: &mut App) {
        let name = app.links[self.seen].name;
        for event in self.client.events() {
            match event {
                ClientEvent::Connected(_) => {
                    if matches!(app.links[self.seen].state, State::Retrying(..)) {
                        app.tell(tyme, format!("{name} is connected again"));
                    }
                    app.links[self.seen].state = State::Open;
                    self.asked = None; // what was in flight went with the old connection
                }
                ClientEvent::Closed(why) if app.links[self.seen].state == State::Open => {
                    app.tell(tyme, format!("{name} is cut: {why}"));
                }
                ClientEvent::Retrying { at, attempts } => {
                    app.links[self.seen].state = State::Retrying(at, attempts);
                }
                _ => {}
            }
        }
    }

    /// Verifies an answer that is complete.
    fn answer(&mut self, tyme: Tyme, cx: &mut Cx<'_, App>) -> Result<(), Fault> {
        let size = self.message.len();
        if self.client.rx().len() < size {
            return Ok(());
        }
        if self.client.rx() != self.message {
            return Err(Fault::msg("the echo differs from what was sent"));
        }
        self.client.consume(size);
        let seen = &mut cx.app.links[self.seen];
        seen.messages += 1;
        seen.fresh += 1;
        seen.received += size as u64;
        if let Some(asked) = self.asked.take() {
            seen.waited += cx.net.now() - asked;
        }
        self.next = match self.pace {
            Pace::Rush { .. } => tyme,
            Pace::Every(pause) => tyme + pause,
            Pace::Once => Tyme::NEVER,
        };
        Ok(())
    }
}

impl Doer<App> for Pinger {
    fn enter(&mut self, cx: &mut Cx<'_, App>) -> Result<Next, Fault> {
        self.client.open(cx.tyme(), cx.net, cx.ask.owner())?;
        Ok(Again)
    }

    fn recur(&mut self, tyme: Tyme, cx: &mut Cx<'_, App>) -> Result<Next, Fault> {
        self.client.service(tyme, cx.net);
        self.news(tyme, cx.app);
        self.answer(tyme, cx)?;
        if self.client.connected() && self.asked.is_none() && self.next <= tyme {
            self.asked = Some(cx.net.now());
            self.client.tx(&self.message)?;
            self.client.service_sends(tyme, cx.net);
            cx.app.links[self.seen].sent += self.message.len() as u64;
        }
        let next = if self.asked.is_some() {
            Tyme::NEVER
        } else {
            self.next
        };
        Ok(Park(self.client.due(tyme).min(next)))
    }

    fn exit(&mut self, cx: &mut Cx<'_, App>) {
        self.client.close(cx.net);
    }
}

/// An echo server that goes away for a while: a server in a doer of one's own.
pub(crate) struct Flaky {
    server: Server,
    /// When it goes or comes next.
    turn: Tyme,
}

/// It goes, and it comes back.
const GOES: Tyme = Tyme::from_millis(2_500);
const COMES: Tyme = Tyme::from_millis(4_300);

impl Flaky {
    pub(crate) fn new(at: Endpoint) -> Self {
        Self {
            server: Server::new(at, ListenOptions::default(), Limits::default()),
            turn: GOES,
        }
    }

    pub(crate) fn server(&self) -> &Server {
        &self.server
    }

    fn take_turn(&mut self, tyme: Tyme, cx: &mut Cx<'_, App>) -> Result<(), Fault> {
        if self.server.opened() {
            self.server.close(cx.net);
            cx.app.tell(tyme, "the flaky server goes away");
            self.turn = COMES;
        } else {
            self.server.reopen(cx.net)?;
            cx.app.tell(tyme, "the flaky server is back");
            self.turn = Tyme::NEVER;
        }
        Ok(())
    }
}

impl Doer<App> for Flaky {
    fn enter(&mut self, cx: &mut Cx<'_, App>) -> Result<Next, Fault> {
        self.server.open(cx.net, cx.ask.owner())?;
        Ok(Again)
    }

    fn recur(&mut self, tyme: Tyme, cx: &mut Cx<'_, App>) -> Result<Next, Fault> {
        if tyme >= self.turn {
            self.take_turn(tyme, cx)?;
        }
        // What does not fit now stays received, and the peer waits.
        self.server.service_each(tyme, cx.net, |ix| _ = ix.echo())?;
        Ok(Park(self.server.due(tyme).min(self.turn)))
    }

    fn exit(&mut self, cx: &mut Cx<'_, App>) {
        self.server.close(cx.net);
    }
}

/// Carries plates ten times a second and drops one now and then. Its supervisor restarts it.
#[derive(Default)]
pub(crate) struct Clumsy {
    carried: u32,
    at: Tyme,
}

impl Doer<App> for Clumsy {
    fn tock(&self) -> Duration {
        Duration::from_millis(100)
    }

    fn enter(&mut self, cx: &mut Cx<'_, App>) -> Result<Next, Fault> {
        if self.carried > 0 {
            cx.app.restarts += 1;
        }
        Ok(Again)
    }

    fn recur(&mut self, tyme: Tyme, _cx: &mut Cx<'_, App>) -> Result<Next, Fault> {
        self.carried += 1;
        self.at = tyme;
        match self.carried {
            15 | 55 => Err(Fault::msg(format!("plate {} fell", self.carried))),
            _ => Ok(Again),
        }
    }

    fn abort(&mut self, why: &Fault, cx: &mut Cx<'_, App>) {
        let what = format!("{why}; supervision restarts it");
        cx.app.tell(self.at, what);
    }
}
