//! Goal: whichever call to the net fails, and however, the doers that serve and dial go on: requests
//! of channels and of HTTP are answered again and several links under one program echoed to, also
//! for a client that comes only then; nothing panics, nothing leaks, and all in bounded turns.
//! Method: their doers on stations of a simulated world, driven by hand through a net in which the
//! k-th call of a kind fails, for every k that is reached, with TLS and without.

#![cfg(all(feature = "channel", feature = "http"))]

#[path = "support/failing.rs"]
mod failing;

use std::time::Duration;

use failing::{CALLS, Call, Plan, Program};
use hio::doers::{
    ChannelDoer, ChannelServerDoer, ClientDoer, EchoServerDoer, HttpClientDoer, HttpServerDoer,
};
use hio::doing::prelude::*;
use hio::link::{Client, Limits, Reconnect, Server};
use hio::net::{ConnectOptions, Endpoint, ListenOptions, NetError};
use hio::proto::channel::{
    Accepted, Channel, ChannelConfig, ChannelEvent, ChannelServer, Patience,
};
use hio::proto::http::{
    Answer, Ask, AskEvent, Dialling, HttpClient, HttpServer, PoolLimits, Request, RequestId,
    Response, Router,
};
use hio::sim::{NodeId, Sim, tls};

const PORT: u16 = 7000;
/// Between an answer and the next request.
const PAUSE: Duration = Duration::from_millis(50);
/// A request without an answer is over after this.
const PATIENCE: Duration = Duration::from_secs(2);
/// Bytes of a body and of a message: more than one read.
const SIZE: usize = 20_000;

/// A server, those who call it, and how often one of them was answered.
struct Cast<S: 'static, C: 'static> {
    server: fn(NodeId, bool) -> Program<S>,
    client: fn(NodeId, bool) -> Program<C>,
    answers: fn(&C) -> u64,
}

impl<S, C> Cast<S, C> {
    fn count(&self, client: &Program<C>) -> u64 {
        let doist = client.doist.as_ref();
        doist.map_or(0, |doist| (self.answers)(&doist.app))
    }

    /// A client is answered; after the failure it is again, and so is one that comes only then.
    /// Says whether the call was reached.
    fn story(&self, secure: bool, plan: &Plan) -> bool {
        let mut sim = Sim::new(1);
        let nodes = ["s", "c", "d"].map(|name| sim.station(name));
        let mut serves = (self.server)(nodes[0], secure);
        let [mut calls, mut late] = [nodes[1], nodes[2]].map(|node| (self.client)(node, secure));
        let (mut before, mut is_late) = (0, false);
        for _ in 0..20_000 {
            serves.turn(&mut sim, plan);
            calls.turn(&mut sim, plan);
            let mut next = serves.due.min(calls.due).min(sim.next());
            if is_late {
                late.turn(&mut sim, plan);
                next = next.min(late.due);
            } else if plan.failed.get() || self.count(&calls) >= 3 {
                // A client that failed begins to count anew.
                (before, is_late) = (self.count(&calls), true);
                next = sim.tyme();
            }
            if self.count(&calls) >= before + 2 && self.count(&late) >= 2 {
                serves.end(&mut sim, plan);
                calls.end(&mut sim, plan);
                late.end(&mut sim, plan);
                let bound = if plan.failed.get() { 60 } else { 1 };
                assert!(sim.tyme() < Tyme::from_secs(bound), "{}", sim.tyme());
                return plan.failed.get();
            }
            // One that was accepted may have bytes already: a host that waits would turn at once.
            let soon = sim.tyme() + Duration::from_millis(5);
            let next = next.min(soon).max(sim.tyme() + Duration::from_micros(1));
            sim.run_until(next).expect("nothing goes wrong");
        }
        let (kind, why, left) = (plan.kind, plan.why, plan.left.get());
        panic!("{kind:?} {why:?}, {left} left, TLS {secure}: no answers any more");
    }

    /// Every call of a kind and every way for it to fail; how many were reached.
    fn every(&self, kind: Call, whys: &[NetError], secure: bool) -> usize {
        let mut reached = 0;
        for why in whys {
            let all = (0..).take_while(|nth| self.story(secure, &Plan::new(kind, *why, *nth)));
            let failed = all.count();
            println!("TLS {secure}, {kind:?} {why:?}: {failed}");
            reached += failed;
        }
        reached
    }

    fn torture(&self) -> usize {
        let kinds = |secure| CALLS.map(|(kind, whys)| self.every(kind, whys, secure));
        let reached: [[usize; CALLS.len()]; 2] = [false, true].map(kinds);
        reached.iter().flatten().sum()
    }
}

fn at() -> Endpoint {
    Endpoint::host("10.0.0.1", PORT)
}

fn listening(secure: bool) -> Server {
    let at = Endpoint::host("0.0.0.0", PORT);
    let mut server = Server::new(at, ListenOptions::default(), Limits::default());
    if secure {
        server.set_tls(Some(tls::server().build().expect("certificates")));
    }
    server
}

fn echo(channel: &mut Accepted) {
    while let Ok(Some(mut request)) = channel.recv() {
        // Who asked may be gone.
        drop(request.echo());
    }
    while channel.event().is_some() {}
}

fn channel_server(node: NodeId, secure: bool) -> Program<ChannelServer> {
    Program::new(node, move || {
        let at = Endpoint::host("0.0.0.0", PORT);
        let mut server = ChannelServer::bind(at, &ChannelConfig::default()).expect("good limits");
        if secure {
            server = server.with_tls(tls::server().build().expect("certificates"));
        }
        let mut doist = Doist::new(server);
        doist.add(ChannelServerDoer::new().each(echo));
        doist
    })
}

struct Talk {
    channel: Channel,
    answers: u64,
    /// When the next request is due; never while one waits.
    next: Tyme,
}

/// Takes answers and asks again. It fails when the channel is over, as a program without a
/// second channel does.
struct Talker(Id<ChannelDoer>);

impl Doer<Talk> for Talker {
    fn recur(&mut self, tyme: Tyme, cx: &mut Cx<'_, Talk>) -> Result<Next, Fault> {
        let talk = &mut *cx.app;
        while let Some(event) = talk.channel.event() {
            match event {
                ChannelEvent::Reply { content, .. } => {
                    assert_eq!(content.value()?.int(), i64::try_from(talk.answers).ok());
                    talk.answers += 1;
                    talk.next = tyme + PAUSE;
                }
                other => return Err(Fault::msg(format!("{other:?}"))),
            }
        }
        if talk.next <= tyme {
            let number = i64::try_from(talk.answers)?;
            talk.channel.send_within(&number.into(), tyme, PATIENCE)?;
            talk.next = Tyme::NEVER;
            if number % 2 == 1 {
                cx.app.channel.service_sends(tyme, cx.net);
            }
            cx.ask.wake(self.0);
        }
        Ok(Park(cx.app.next))
    }
}

fn channel_client(node: NodeId, secure: bool) -> Program<Talk> {
    Program::new(node, move || {
        let mut channel = Channel::connect(at(), &ChannelConfig::default()).expect("good limits");
        if secure {
            channel = channel.with_tls(tls::client().build().expect("certificates"));
        }
        channel = channel.with_patience(Patience::For(PATIENCE));
        // From now on only the channel's doer says that there is something to do.
        channel.send(&0.into()).expect("it is encoded");
        let mut doist = Doist::new(Talk {
            channel,
            answers: 0,
            next: Tyme::NEVER,
        });
        let serves = doist.add_on(|talk: &mut Talk| &mut talk.channel, ChannelDoer::new());
        let talker = doist.add(Talker(serves));
        if let Some(doer) = doist.get_mut(serves) {
            *doer = ChannelDoer::new().waking(talker);
        }
        doist
    })
}

#[test]
fn a2_whichever_call_fails_channels_are_answered_again() {
    let cast = Cast {
        server: channel_server,
        client: channel_client,
        answers: |talk: &Talk| talk.answers,
    };
    let reached = cast.torture();
    assert!(reached > 60, "{reached}");
}

fn http_server(node: NodeId, secure: bool) -> Program<()> {
    Program::new(node, move || {
        let server = HttpServer::over(listening(secure));
        let router = Router::new().post("/echo", |_: RequestId, request: Request| {
            Answer::Now(Response::ok("text/plain", request.body))
        });
        let mut doist = Doist::new(());
        doist.add(HttpServerDoer::new(server, router));
        doist
    })
}

struct Web {
    client: HttpClient,
    scheme: &'static str,
    answers: u64,
    /// When the next request is due; never while one waits.
    next: Tyme,
}

/// Takes outcomes and asks again.
struct Fetcher(Id<HttpClientDoer>);

impl Doer<Web> for Fetcher {
    fn recur(&mut self, tyme: Tyme, cx: &mut Cx<'_, Web>) -> Result<Next, Fault> {
        let web = &mut *cx.app;
        for event in web.client.events() {
            let AskEvent::Done(_, outcome) = event else {
                continue;
            };
            web.next = tyme + PAUSE;
            // A failure is an outcome, too.
            if let Ok(response) = outcome {
                assert!(
                    response.body == [b'x'; SIZE],
                    "no half counts as a response"
                );
                web.answers += 1;
            }
        }
        if web.next <= tyme {
            let url = format!("{}://10.0.0.1:{PORT}/echo", web.scheme).parse()?;
            let ask = Ask::post(url).bytes("text/plain", [b'x'; SIZE]);
            web.client.ask(tyme, ask.within(PATIENCE));
            web.next = Tyme::NEVER;
            cx.ask.wake(self.0);
        }
        Ok(Park(cx.app.next))
    }
}

fn http_client(node: NodeId, secure: bool) -> Program<Web> {
    Program::new(node, move || {
        let tls = secure.then(|| tls::client().build().expect("certificates"));
        let dialling = Dialling {
            tls,
            ..Dialling::default()
        };
        let mut doist = Doist::new(Web {
            client: HttpClient::new(dialling, PoolLimits::default()),
            scheme: if secure { "https" } else { "http" },
            answers: 0,
            next: Tyme::ZERO,
        });
        let serves = doist.add_on(|web: &mut Web| &mut web.client, HttpClientDoer::new());
        let fetcher = doist.add(Fetcher(serves));
        if let Some(doer) = doist.get_mut(serves) {
            *doer = HttpClientDoer::new().waking(fetcher);
        }
        doist
    })
}

#[test]
fn a2_whichever_call_fails_http_is_answered_again() {
    let cast = Cast {
        server: http_server,
        client: http_client,
        answers: |web: &Web| web.answers,
    };
    let reached = cast.torture();
    assert!(reached > 60, "{reached}");
}

fn echo_server(node: NodeId, secure: bool) -> Program<()> {
    Program::new(node, move || {
        let mut doist = Doist::new(());
        doist.add(EchoServerDoer::new(listening(secure)));
        doist
    })
}

/// A link and what it has sent and got back.
struct Line {
    client: Client,
    answers: u64,
    /// When the next message is due; never while one is under way.
    next: Tyme,
    stands: bool,
}

impl Line {
    fn new(secure: bool) -> Self {
        let client = Client::new(at(), ConnectOptions::default(), Limits::default());
        let mut client = client.with_reconnect(Reconnect::default());
        if secure {
            client = client.with_tls(tls::client().build().expect("certificates"));
        }
        Self {
            client,
            answers: 0,
            next: Tyme::NEVER,
            stands: false,
        }
    }

    /// Takes an echo. Says whether a message was queued.
    fn look(&mut self, tyme: Tyme) -> bool {
        if self.stands != self.client.connected() {
            // What was under way on a lost connection is lost as well.
            self.stands = !self.stands;
            self.next = if self.stands { tyme } else { Tyme::NEVER };
        }
        if self.stands && self.client.rx().len() == SIZE {
            assert!(self.client.rx() == [b'x'; SIZE], "an echo is what was sent");
            self.client.consume(SIZE);
            self.answers += 1;
            self.next = tyme + PAUSE;
        }
        if self.next > tyme {
            return false;
        }
        self.next = Tyme::NEVER;
        self.client.tx(&[b'x'; SIZE]).is_ok()
    }
}

/// Looks after one line of several.
struct Echoed(usize, Id<ClientDoer>);

impl Doer<Vec<Line>> for Echoed {
    fn recur(&mut self, tyme: Tyme, cx: &mut Cx<'_, Vec<Line>>) -> Result<Next, Fault> {
        if cx.app[self.0].look(tyme) {
            cx.ask.wake(self.1);
        }
        Ok(Park(cx.app[self.0].next))
    }
}

fn echo_client(node: NodeId, secure: bool) -> Program<Vec<Line>> {
    Program::new(node, move || {
        let mut doist = Doist::new((0..3).map(|_| Line::new(secure)).collect());
        for n in 0..3 {
            let serves = doist.add_on(
                move |lines: &mut Vec<Line>| &mut lines[n].client,
                ClientDoer::new(),
            );
            let echoed = doist.add(Echoed(n, serves));
            if let Some(doer) = doist.get_mut(serves) {
                *doer = ClientDoer::new().waking(echoed);
            }
        }
        doist
    })
}

#[test]
fn a2_whichever_call_fails_all_of_several_links_are_echoed_to_again() {
    let cast = Cast {
        server: echo_server,
        client: echo_client,
        // The one that is worst off.
        answers: |lines: &Vec<Line>| lines.iter().map(|line| line.answers).min().unwrap_or(0),
    };
    let reached = cast.torture();
    assert!(reached > 60, "{reached}");
}
