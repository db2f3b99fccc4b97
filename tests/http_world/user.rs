//! A client that asks for all that the site has, and listens to its events.

use std::collections::BTreeMap;
use std::time::Duration;

use hio::doers::HttpClientDoer;
use hio::doing::prelude::*;
use hio::net::Net;
use hio::proto::http::{
    Ask, AskError, AskEvent, AskId, Dialling, EventSource, Failure, HttpClient, HttpError,
    HttpResponse, Length, PoolLimits, SendError, SourceEvent,
};
use http::{HeaderMap, Uri};

use super::{EVENTS, REQUESTS, UPLOAD, pattern};

/// Between two looks at a body that is taken slowly.
const TAKE: Duration = Duration::from_millis(20);
/// A request has so long.
const WITHIN: Duration = Duration::from_secs(5);

/// What a request is about, as its answer is checked by.
#[derive(Clone, Debug, PartialEq)]
enum What {
    Double(usize),
    Count(String),
    Later(usize),
    File(usize),
    /// Taken slowly.
    Slow(usize),
    Sink,
    Moved(usize),
}

/// How a request ended.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum End {
    Good,
    Unreachable,
    Lost,
    Truncated,
    Late,
}

pub(crate) struct User {
    pub(crate) client: HttpClient,
    source: EventSource,
    name: String,
    base: String,
    asked: BTreeMap<AskId, What>,
    /// Bytes of bodies that are taken as they come, and of uploads that were sent.
    taken: BTreeMap<AskId, Vec<u8>>,
    sent: BTreeMap<AskId, usize>,
    /// How each ended, and the POSTs that were answered.
    pub(crate) ended: BTreeMap<AskId, End>,
    pub(crate) counted: Vec<String>,
    pub(crate) heard: u64,
    /// How often the stream of events began.
    pub(crate) opened: u32,
    /// What was found and holds or not.
    checks: Vec<(bool, &'static str)>,
    next: Tyme,
    take_at: Tyme,
    client_doer: Option<Id<HttpClientDoer>>,
}

impl User {
    pub(crate) fn asks(&self) -> usize {
        self.asked.len()
    }

    fn url(&self, path: &str) -> Uri {
        format!("{}{path}", self.base).parse().expect("a URL")
    }

    fn ask(&mut self, tyme: Tyme) {
        let n = self.asked.len();
        let (what, ask) = match n % 7 {
            0 => (What::Double(n), Ask::get(self.url(&format!("/double/{n}")))),
            1 => {
                let name = format!("{}-{n}", self.name);
                let ask = Ask::post(self.url(&format!("/count/{name}")));
                (What::Count(name), ask.bytes("text/plain", "x"))
            }
            2 => (What::Later(n), Ask::get(self.url(&format!("/later/{n}")))),
            3 => {
                let len = 100_000 + n;
                (What::File(len), Ask::get(self.url(&format!("/file/{len}"))))
            }
            4 => {
                let length = match n % 2 {
                    0 => Length::Known(UPLOAD as u64),
                    _ => Length::Chunked,
                };
                let ask = Ask::new(http::Method::PUT, self.url("/sink/x"));
                (What::Sink, ask.streaming_out(length))
            }
            5 => (What::Moved(n), Ask::get(self.url(&format!("/moved/{n}")))),
            _ => {
                let len = 300_000 + n;
                let ask = Ask::get(self.url(&format!("/file/{len}"))).streaming();
                (What::Slow(len), ask)
            }
        };
        let id = self.client.ask(tyme, ask.within(WITHIN));
        self.asked.insert(id, what);
    }

    /// Sends on an upload, as far as there is room.
    fn upload(&mut self, id: AskId) {
        let data = pattern(UPLOAD);
        let sent = self.sent.entry(id).or_default();
        while *sent < UPLOAD {
            let piece = &data[*sent..UPLOAD.min(*sent + 8192)];
            match self.client.send(id, piece) {
                Ok(()) => *sent += piece.len(),
                Err(SendError::Full { taken }) => {
                    *sent += taken;
                    return;
                }
                Err(_) => return,
            }
        }
        let _ = self.client.end(id, &HeaderMap::new());
    }

    fn done(&mut self, id: AskId, outcome: Result<Box<HttpResponse>, AskError>) {
        let end = match outcome {
            Ok(response) => {
                let right = self.is_right(id, *response);
                self.checks
                    .push((right, "an answer is the one to its request"));
                End::Good
            }
            Err(AskError::Failed { cause, .. }) => match cause {
                Failure::Unreachable(_) => End::Unreachable,
                Failure::Lost(_) => End::Lost,
                Failure::Http(HttpError::Truncated) => End::Truncated,
                Failure::TimedOut { .. } => End::Late,
                other => panic!("{other}"),
            },
            Err(other) => panic!("{other}"),
        };
        let first = self.ended.insert(id, end).is_none();
        self.checks.push((first, "a request ends once"));
    }

    fn is_right(&mut self, id: AskId, response: HttpResponse) -> bool {
        let is = |n: usize| response.body == n.to_string().as_bytes();
        let fine = response.head.status.as_u16() == 200;
        let what = self.asked.get(&id).expect("it was asked");
        fine && match what {
            What::Double(n) => is(2 * n) && response.redirects == 0,
            What::Moved(n) => is(2 * n) && response.redirects == 1,
            What::Later(n) => is(*n),
            What::Sink => is(UPLOAD),
            What::File(len) => response.body == pattern(*len),
            What::Count(name) => {
                self.counted.push(name.clone());
                response.body == b"counted"
            }
            What::Slow(len) => {
                let mut body = self.taken.remove(&id).unwrap_or_default();
                body.extend(&response.body);
                body == pattern(*len)
            }
        }
    }

    /// Says whether there is something for the client to do.
    fn look(&mut self) -> bool {
        let events: Vec<AskEvent> = self.client.events().collect();
        let mut acted = false;
        for event in events {
            match event {
                AskEvent::MaySend(id) => {
                    self.upload(id);
                    acted = true;
                }
                AskEvent::Done(id, outcome) => self.done(id, outcome),
                AskEvent::Head(id, _) => drop(self.taken.insert(id, Vec::new())),
                _ => {}
            }
        }
        acted
    }

    /// Takes what came of the bodies that are taken slowly: whether one is under way, and whether
    /// there was something.
    fn take(&mut self) -> (bool, bool) {
        let (mut slow, mut some) = (false, false);
        for (id, body) in &mut self.taken {
            slow |= self.client.is_open(*id);
            let piece = self.client.take_body(*id);
            some |= !piece.is_empty();
            body.extend(piece);
        }
        (slow, some)
    }

    fn listen(&mut self, tyme: Tyme, net: &mut dyn Net) {
        self.source.service(tyme, net);
        for event in self.source.events() {
            match event {
                SourceEvent::Event(event) => {
                    let id = event.id.and_then(|id| id.parse::<u64>().ok());
                    let next = id == Some(self.heard + 1);
                    self.checks
                        .push((next, "no event is missed, and none comes twice"));
                    self.heard += 1;
                }
                SourceEvent::Open => self.opened += 1,
                SourceEvent::Lost => {}
                other => panic!("{other:?}"),
            }
        }
        if self.heard >= EVENTS && !self.source.is_over() {
            self.source.close(net);
        }
    }
}

/// The doer that is the user; the client is served by its own doer.
struct Using;

impl Doer<User> for Using {
    fn enter(&mut self, cx: &mut Cx<'_, User>) -> Result<Next, Fault> {
        cx.app.source.open(cx.ask.owner());
        Ok(Park(Tyme::ZERO))
    }

    fn recur(&mut self, tyme: Tyme, cx: &mut Cx<'_, User>) -> Result<Next, Fault> {
        let user = &mut *cx.app;
        let mut acted = user.look();
        // As often as it is woken, if not by the bytes themselves.
        let mut next = Tyme::NEVER;
        if user.take_at <= tyme {
            let (slow, some) = user.take();
            acted |= some;
            user.take_at = tyme + TAKE;
            next = if slow { user.take_at } else { next };
        } else if !user.taken.is_empty() {
            next = user.take_at;
        }
        user.listen(tyme, &mut *cx.net);
        if user.asks() < REQUESTS {
            if user.next <= tyme {
                user.ask(tyme);
                user.next = tyme + Duration::from_millis(cx.rng.range(1..500));
                acted = true;
            }
            next = next.min(user.next);
        }
        next = next.min(user.source.due(tyme));
        if let (true, Some(id)) = (acted, user.client_doer) {
            cx.ask.wake(id);
        }
        for (holds, name) in std::mem::take(&mut cx.app.checks) {
            cx.always(holds, name);
        }
        Ok(Park(next))
    }

    fn exit(&mut self, cx: &mut Cx<'_, User>) {
        cx.app.source.close(cx.net);
    }
}

/// The program of a user's node. `base` is the site's URL.
pub(crate) fn program(name: String, base: &str, dialling: &Dialling) -> Doist<User> {
    let mut listening = dialling.clone();
    // A stream that says nothing for so long is dead: events come more often.
    listening.links.tymeout = Some(Duration::from_secs(4));
    let url = format!("{base}/events").parse().expect("a URL");
    let mut doist = Doist::new(User {
        client: HttpClient::new(dialling.clone(), PoolLimits::default()),
        source: EventSource::new(listening, url),
        name,
        base: base.to_owned(),
        asked: BTreeMap::new(),
        taken: BTreeMap::new(),
        sent: BTreeMap::new(),
        ended: BTreeMap::new(),
        counted: Vec::new(),
        heard: 0,
        opened: 0,
        checks: Vec::new(),
        next: Tyme::ZERO,
        take_at: Tyme::ZERO,
        client_doer: None,
    });
    let client = doist.add_on(|user: &mut User| &mut user.client, HttpClientDoer::new());
    let using = doist.add(Using);
    doist.app.client_doer = Some(client);
    if let Some(doer) = doist.get_mut(client) {
        *doer = HttpClientDoer::new().waking(using);
    }
    doist
}
