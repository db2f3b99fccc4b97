//! Goal: a drain loses no request that was accepted: one that its client had sent whole before it
//! heard of the end gets its whole answer. Method: programs in the simulator with latency, over
//! many seeds (`DRAIN_SEEDS=A..B` for others), each drained at a moment of its own.

use std::collections::VecDeque;
use std::time::Duration;

use hio::doing::prelude::*;
use hio::link::{Client, CloseReason, Limits};
use hio::net::{ConnectOptions, Endpoint, ListenOptions};
use hio::proto::http::{Answer, HttpServer, Request, RequestId, Response};
use hio::sim::{Boot, Fault as Planned, NodeState, Sim};

const PORT: u16 = 80;
const LIMIT: Duration = Duration::from_secs(10);
const CLIENTS: usize = 6;

fn seeds() -> std::ops::Range<u64> {
    let text = std::env::var("DRAIN_SEEDS").unwrap_or_else(|_| "0..300".to_owned());
    let (from, to) = text.split_once("..").expect("A..B");
    from.parse().expect("a number")..to.parse().expect("a number")
}

fn any() -> Endpoint {
    format!(":{PORT}").parse().expect("an endpoint")
}

/// Runs a server and clients, drains the server at a moment that the seed says, and goes on until
/// all is over. Gives the server's end and what the clients say.
fn drained<A: Clone + Send + 'static>(
    seed: u64,
    server: fn(Boot) -> Doist,
    client: fn(Boot) -> Doist<A>,
) -> (NodeState, Duration, Vec<A>) {
    let link = "latency uniform 1ms 40ms".parse().expect("a law");
    let mut sim = Sim::new(seed).with_link(link);
    let web = sim.node("web", server);
    let clients: Vec<_> = (0..CLIENTS)
        .map(|n| sim.node(&format!("client{n}"), client))
        .collect();
    let at = Duration::from_micros(150_000 + seed * 7_919 % 1_500_000);
    sim.run_for(at).expect("no check fails");
    sim.fault(&Planned::Drain("web".to_owned(), LIMIT))
        .expect("there is such a node");
    let ended = |sim: &Sim| !matches!(sim.state(web), NodeState::Running);
    let began = sim.tyme();
    while !ended(&sim) && sim.tyme().since(began) < Duration::from_secs(60) {
        sim.step().expect("no check fails");
    }
    let took = sim.tyme().since(began);
    sim.run_for(Duration::from_secs(3)).expect("no check fails");
    let state = sim.state(web).clone();
    let told = clients
        .iter()
        .map(|id| sim.app::<A>(*id).expect("it runs").clone())
        .collect();
    (state, took, told)
}

/// What a client has seen.
#[derive(Clone, Debug, Default)]
struct Seen {
    answered: u64,
    /// Sent whole before the end was heard of, and not answered.
    lost: Vec<String>,
    /// Farewells: `Connection: close`, or an end without anything under way.
    ends: u64,
    /// Dialled while nobody listened any more.
    refused: u64,
}

// ---- HTTP

/// Answers at once, or later: a doer of a user's own that takes part in drains.
struct Web {
    server: HttpServer,
    later: VecDeque<(Tyme, RequestId, String)>,
}

impl Doer for Web {
    fn enter(&mut self, cx: &mut Cx<'_>) -> Result<Next, Fault> {
        self.server.open(cx.net, cx.ask.owner())?;
        cx.ask.join_drain();
        Ok(Park(Tyme::NEVER))
    }

    fn recur(&mut self, tyme: Tyme, cx: &mut Cx<'_>) -> Result<Next, Fault> {
        if cx.draining().is_some() {
            self.server.drain(cx.net);
        }
        let later = &mut self.later;
        let mut handler = |id: RequestId, request: Request| {
            let path = request.head.target.path().to_owned();
            let text = format!("{path} {}", request.body.len());
            if path.starts_with("/later") {
                later.push_back((tyme + Duration::from_millis(70), id, text));
                return Answer::Later;
            }
            Answer::Now(Response::ok("text/plain", text))
        };
        self.server.service(tyme, cx.net, &mut handler)?;
        while let Some((at, id, text)) = self.later.pop_front() {
            if at > tyme {
                self.later.push_front((at, id, text));
                break;
            }
            let response = Response::ok("text/plain", text);
            cx.always(
                self.server.answer(tyme, id, &response).is_ok(),
                "who waits for an answer is there",
            );
        }
        if cx.draining().is_some() && self.server.is_empty() {
            return Ok(Done(true));
        }
        let later = self.later.front().map_or(Tyme::NEVER, |(at, ..)| *at);
        Ok(Park(self.server.due(tyme).min(later)))
    }

    fn exit(&mut self, cx: &mut Cx<'_>) {
        self.server.close(cx.net);
    }
}

fn web(_: Boot) -> Doist {
    let server = HttpServer::new(any(), ListenOptions::default(), Limits::default());
    let mut doist = Doist::new(());
    doist.add(Web {
        server,
        later: VecDeque::new(),
    });
    doist
}

/// Asks one request after the other, or a few at once, with pauses, sometimes in two pieces; dials
/// again when a connection has ended.
struct Asks {
    client: Client,
    count: u64,
    /// What the answers to come must say.
    awaited: VecDeque<String>,
    /// The second piece of a request, and what it will be answered with.
    rest: Option<(Vec<u8>, String)>,
    next: Tyme,
    closing: bool,
    heard: bool,
}

impl Asks {
    fn ask(&mut self, tyme: Tyme, cx: &mut Cx<'_, Seen>) {
        if let Some((rest, answer)) = self.rest.take() {
            if self.client.tx(&rest).is_ok() {
                self.awaited.push_back(answer);
            }
            return;
        }
        let many = if cx.rng.chance(0.2) { 3 } else { 1 };
        for _ in 0..many {
            self.count += 1;
            let kind = if cx.rng.chance(0.2) { "later" } else { "now" };
            let size = if cx.rng.chance(0.2) { 30_000 } else { 5 };
            let path = format!("/{kind}/{}", self.count);
            let answer = format!("{path} {size}");
            let head =
                format!("POST {path} HTTP/1.1\r\nHost: web\r\nContent-Length: {size}\r\n\r\n");
            let mut request = head.into_bytes();
            request.resize(request.len() + size, b'x');
            let cut = cx.rng.chance(0.2).then_some(request.len() / 2);
            if let (Some(cut), 1) = (cut, many) {
                let rest = request.split_off(cut);
                self.rest = Some((rest, answer));
                let _ = self.client.tx(&request);
                self.next = tyme + Duration::from_millis(cx.rng.below(100));
                return;
            }
            if self.client.tx(&request).is_ok() {
                self.awaited.push_back(answer);
            }
        }
        self.next = Tyme::NEVER; // until all is answered
    }

    fn read(&mut self, tyme: Tyme, cx: &mut Cx<'_, Seen>) {
        loop {
            let text = String::from_utf8_lossy(self.client.rx()).into_owned();
            let Some(head) = text.find("\r\n\r\n").map(|at| at + 4) else {
                return;
            };
            let (first, lower) = (&text[..head], text[..head].to_ascii_lowercase());
            let length = lower.split("content-length: ").nth(1).and_then(|rest| {
                let digits = rest.split("\r\n").next()?;
                digits.parse::<usize>().ok()
            });
            let length = length.expect("all answers have a length");
            if text.len() < head + length {
                return;
            }
            cx.always(first.starts_with("HTTP/1.1 200"), "all are answered well");
            let awaited = self.awaited.pop_front();
            cx.always(
                awaited.as_deref() == Some(&text[head..head + length]),
                "answers come in order",
            );
            self.client.consume(head + length);
            cx.app.answered += 1;
            self.heard = true;
            if lower.contains("connection: close") {
                // What follows was sent before this was heard; that it is not answered is told.
                self.closing = true;
                self.awaited.clear();
                self.rest = None;
            }
            if self.awaited.is_empty() {
                self.next = tyme + Duration::from_millis(cx.rng.below(60));
            }
        }
    }

    /// The connection has ended: what is missing?
    fn over(&mut self, why: Option<CloseReason>, tyme: Tyme, cx: &mut Cx<'_, Seen>) {
        if matches!(why, Some(CloseReason::ConnectFailed(_))) {
            cx.app.refused += 1;
        } else if self.awaited.is_empty() {
            cx.app.ends += 1;
        } else if !self.heard && why == Some(CloseReason::Reset) {
            // It came while the listener went: the handshake was not over at the server's side.
            cx.app.refused += 1;
        } else {
            let lost = format!("{tyme} {:?} {why:?}", self.awaited);
            cx.app.lost.push(lost);
        }
        self.client.close(cx.net);
        self.awaited.clear();
        (self.rest, self.closing, self.heard) = (None, false, false);
        self.next = tyme + Duration::from_millis(100);
        self.client
            .open(tyme, cx.net, cx.ask.owner())
            .expect("good limits");
    }
}

impl Doer<Seen> for Asks {
    fn enter(&mut self, cx: &mut Cx<'_, Seen>) -> Result<Next, Fault> {
        self.client.open(cx.tyme(), cx.net, cx.ask.owner())?;
        Ok(Park(Tyme::ZERO))
    }

    fn recur(&mut self, tyme: Tyme, cx: &mut Cx<'_, Seen>) -> Result<Next, Fault> {
        self.client.service(tyme, cx.net);
        self.read(tyme, cx);
        let why = self.client.closed();
        if why.is_some() || self.client.cutoff() {
            self.over(why, tyme, cx);
            return Ok(After(Duration::from_millis(20)));
        }
        if self.client.connected() && !self.closing && self.next <= tyme {
            self.ask(tyme, cx);
            self.client.service(tyme, cx.net);
        }
        Ok(Park(self.client.due(tyme).min(self.next.max(tyme + TICK))))
    }

    fn exit(&mut self, cx: &mut Cx<'_, Seen>) {
        self.client.close(cx.net);
    }
}

const TICK: Duration = Duration::from_millis(1);

fn asks(boot: Boot) -> Doist<Seen> {
    let to = boot.tcp("web", PORT).expect("there is a web");
    let client = Client::new(to, ConnectOptions::default(), Limits::default());
    let mut doist = Doist::new(Seen::default()).with_tock(TICK);
    doist.add(Asks {
        client,
        count: 0,
        awaited: VecDeque::new(),
        rest: None,
        next: Tyme::ZERO,
        closing: false,
        heard: false,
    });
    doist
}

#[test]
fn http_loses_no_request_that_was_accepted() {
    let (mut answered, mut refused, mut ends) = (0, 0, 0);
    for seed in seeds() {
        let (state, took, seen) = drained(seed, web, asks);
        assert_eq!(state, NodeState::Ended(Outcome::Drained), "seed {seed}");
        assert!(took < Duration::from_secs(5), "seed {seed}: {took:?}");
        for seen in seen {
            assert!(seen.lost.is_empty(), "seed {seed}: {seen:?}");
            answered += seen.answered;
            refused += seen.refused;
            ends += seen.ends;
        }
    }
    println!("{answered} answered, {ends} ends, {refused} refused");
    assert!(
        answered > 1000 && refused > 100 && ends > 100,
        "it is a test"
    );
}
