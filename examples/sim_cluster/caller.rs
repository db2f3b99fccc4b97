//! A caller: writes and reads the register by turns, and tells what it asked and what it heard.

use std::time::Duration;

use hio::doers::ClientDoer;
use hio::doing::prelude::*;
use hio::link::Client;
use hio::net::Endpoint;

use super::member::dial;
use super::wire::Message;

/// How long a caller waits for an answer. Afterwards it does not know what has happened.
const PATIENCE: Duration = Duration::from_secs(1);
/// The longest pause between two calls.
const PAUSE_MS: u64 = 200;

/// What a caller did, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// It asks for a write of this value. Values are never written twice.
    Writes { id: u64, value: u64 },
    /// It asks for a read.
    Reads { id: u64 },
    /// The write was acknowledged.
    Stored { id: u64, index: u64 },
    /// That was read.
    Found { id: u64, index: u64, value: u64 },
    /// It was refused, or nobody answered: a write may have happened or may happen yet.
    GaveUp { id: u64 },
}

/// The state of a caller's program.
#[derive(Debug)]
pub(crate) struct Caller {
    pub(crate) links: Vec<Client>,
    /// What it did since somebody looked.
    pub(crate) told: Vec<Told>,
    me: u8,
    /// Whom it asks.
    leader: usize,
    calls: u64,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Pauses(Tyme),
    Waits { id: u64, until: Tyme },
}

/// A caller's Doist. Its number tells its values and its messages from those of others.
pub(crate) fn caller(
    me: u8,
    members: &[Endpoint],
    tls: Option<hio::link::tls::ClientTls>,
) -> Doist<Caller> {
    let links = members.iter().map(dial);
    let links = links.map(|link| match &tls {
        None => link,
        Some(tls) => link.with_tls(tls.clone()),
    });
    let app = Caller {
        links: links.collect(),
        told: Vec::new(),
        me,
        leader: usize::from(me) % members.len(),
        calls: 0,
        state: State::Pauses(Tyme::ZERO),
    };
    let mut doist = Doist::new(app).with_tock(Duration::from_millis(10));
    let mut links = Vec::new();
    for place in 0..members.len() {
        let name = format!("to {place}");
        let doer = ClientDoer::new();
        links.push(
            doist
                .named(name)
                .add_on(move |app| &mut app.links[place], doer),
        );
    }
    let untyped = links.iter().map(|link| link.untyped()).collect();
    let caller = doist.named("caller").add(CallerDoer { links: untyped });
    for link in links {
        if let Some(doer) = doist.get_mut(link) {
            *doer = ClientDoer::new().waking(caller);
        }
    }
    doist
}

struct CallerDoer {
    links: Vec<DoerId>,
}

impl Doer<Caller> for CallerDoer {
    fn recur(&mut self, tyme: Tyme, cx: &mut Cx<'_, Caller>) -> Result<Next, Fault> {
        for place in 0..cx.app.links.len() {
            while let Some(message) = answer(&mut cx.app.links[place])? {
                cx.app.hear(message, tyme, cx.rng.below(PAUSE_MS));
            }
        }
        match cx.app.state {
            State::Waits { id, until } if until <= tyme => {
                cx.app.told.push(Told::GaveUp { id });
                cx.app.try_another();
                cx.app.state = State::Pauses(tyme);
            }
            _ => {}
        }
        if matches!(cx.app.state, State::Pauses(until) if until <= tyme) {
            let write = cx.rng.chance(0.5);
            if cx.app.call(write, tyme) {
                cx.ask.wake(self.links[cx.app.leader]);
            }
        }
        Ok(Park(match cx.app.state {
            State::Pauses(until) | State::Waits { until, .. } => until,
        }))
    }
}

/// The next answer on a link.
fn answer(link: &mut Client) -> Result<Option<Message>, Fault> {
    let Some((_, message, len)) = Message::decode(link.rx())? else {
        return Ok(None);
    };
    link.consume(len);
    Ok(Some(message))
}

impl Caller {
    /// Asks whom it takes for the leader; says whether there is a link to them.
    fn call(&mut self, write: bool, tyme: Tyme) -> bool {
        let link = &mut self.links[self.leader];
        if !link.connected() {
            self.try_another();
            self.state = State::Pauses(tyme + Duration::from_millis(50));
            return false;
        }
        self.calls += 1;
        let id = self.calls;
        let value = u64::from(self.me) << 32 | id;
        let (message, told) = match write {
            true => (Message::Put { id, value }, Told::Writes { id, value }),
            false => (Message::Get { id }, Told::Reads { id }),
        };
        if link.tx(&message.encode(self.me)).is_err() {
            return false;
        }
        self.told.push(told);
        self.state = State::Waits {
            id,
            until: tyme + PATIENCE,
        };
        true
    }

    fn hear(&mut self, message: Message, tyme: Tyme, pause: u64) {
        let State::Waits { id: waits, .. } = self.state else {
            return; // an answer that came too late
        };
        let told = match message {
            Message::Stored { id, index } if id == waits => Told::Stored { id, index },
            Message::Found { id, index, value } if id == waits => Told::Found { id, index, value },
            Message::Elsewhere { id, leader } if id == waits => {
                match leader {
                    Some(leader) if usize::from(leader) < self.links.len() => {
                        self.leader = usize::from(leader);
                    }
                    _ => self.try_another(),
                }
                Told::GaveUp { id }
            }
            _ => return,
        };
        self.told.push(told);
        self.state = State::Pauses(tyme + Duration::from_millis(10 + pause));
    }

    fn try_another(&mut self) {
        self.leader = (self.leader + 1) % self.links.len();
    }
}
