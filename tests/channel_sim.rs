//! Goal: under loss, resets, partitions and crashes every request ends exactly once, with its own reply or a named error;
//! the same programs, the same seed, the same trace.
//! Method: a server and two clients that dial again when a channel is lost, in the simulator, over many seeds.

use std::collections::BTreeMap;
use std::time::Duration;

use hio::doers::ChannelServerDoer;
use hio::doing::prelude::*;
use hio::net::Endpoint;
use hio::proto::channel::{
    Accepted, Channel, ChannelConfig, ChannelError, ChannelServer, Patience, RequestError,
};
use hio::sim::{Boot, FaultPlan, Sim};

const PORT: u16 = 5555;
const REQUESTS: usize = 60;
const TIMEOUT: Duration = Duration::from_secs(4);

/// Answers with the double, and asks back now and then.
fn answer(channel: &mut Accepted) {
    while let Ok(Some(mut request)) = channel.recv() {
        let n = request
            .value()
            .ok()
            .and_then(|value| value.int())
            .unwrap_or(0);
        let _ = match n % 7 {
            0 => request.fail("ValueError: a seventh"),
            _ => request.reply(&(2 * n).into()),
        };
        if n % 5 == 0 {
            let _ = channel.send(&n.into());
        }
    }
    while channel.event().is_some() {}
}

fn server(_: Boot) -> Doist<ChannelServer> {
    let at: Endpoint = format!(":{PORT}").parse().expect("an endpoint");
    let server = ChannelServer::bind(at, &ChannelConfig::default()).expect("good limits");
    let mut doist = Doist::new(server);
    doist.add(ChannelServerDoer::new().each(answer));
    doist
}

/// How each request ended, by the channel and its number there.
#[derive(Default)]
struct Log {
    sent: BTreeMap<(u64, u64), i64>,
    ended: BTreeMap<(u64, u64), Result<i64, String>>,
    asked: u64,
    channels: u64,
}

struct Client {
    to: Endpoint,
    channel: Channel,
    next: Tyme,
}

fn dial(to: &Endpoint) -> Channel {
    let channel = Channel::connect(to.clone(), &ChannelConfig::default()).expect("good limits");
    channel.with_patience(Patience::Forever)
}

impl Client {
    fn look(&mut self, cx: &mut Cx<'_, Log>) {
        while let Ok(Some(mut request)) = self.channel.recv() {
            cx.app.asked += 1;
            let _ = request.echo();
        }
        while let Some(event) = self.channel.event() {
            let Some((id, outcome)) = event.outcome() else {
                continue;
            };
            let how = match outcome {
                Ok(content) => Ok(content.value().expect("checked").int().expect("a number")),
                Err(RequestError::Remote(why)) => Err(why.remote_traceback),
                Err(RequestError::Connection(why)) => {
                    assert!(why.is_connection_error(), "{why}");
                    Err("connection".to_owned())
                }
                Err(RequestError::Timeout) => Err("timeout".to_owned()),
                Err(other) => panic!("{other}"),
            };
            let old = cx.app.ended.insert((cx.app.channels, id.number()), how);
            cx.always(old.is_none(), "a request ends once");
        }
    }
}

impl Doer<Log> for Client {
    fn enter(&mut self, cx: &mut Cx<'_, Log>) -> Result<Next, Fault> {
        self.channel.open(cx.tyme(), cx.net, cx.ask.owner())?;
        Ok(Park(Tyme::ZERO))
    }

    fn recur(&mut self, tyme: Tyme, cx: &mut Cx<'_, Log>) -> Result<Next, Fault> {
        self.channel.service(tyme, cx.net);
        self.look(cx);
        if self.channel.lost().is_some() && !self.channel.opened() {
            cx.app.channels += 1;
            self.channel = dial(&self.to);
            self.channel.open(tyme, cx.net, cx.ask.owner())?;
        }
        while self.next <= tyme && cx.app.sent.len() < REQUESTS {
            let n = i64::try_from(cx.app.sent.len())?;
            match self.channel.send_within(&n.into(), tyme, TIMEOUT) {
                Ok(id) => drop(cx.app.sent.insert((cx.app.channels, id.number()), n)),
                Err(ChannelError::TooManyPending { .. } | ChannelError::Full { .. }) => {}
                Err(why) if why.is_connection_error() => break,
                Err(why) => return Err(why.into()),
            }
            self.next = tyme + Duration::from_millis(cx.rng.range(1..250));
        }
        self.channel.service_sends(tyme, cx.net);
        self.look(cx);
        let idle = cx.app.sent.len() == REQUESTS;
        let next = if idle {
            Tyme::NEVER
        } else {
            self.next.max(tyme + Duration::from_millis(1))
        };
        Ok(Park(self.channel.due(tyme).min(next)))
    }

    fn exit(&mut self, cx: &mut Cx<'_, Log>) {
        self.channel.abort(cx.net);
        self.look(cx);
    }
}

fn client(boot: Boot) -> Doist<Log> {
    let to = boot.tcp("server", PORT).expect("a node");
    let mut doist = Doist::new(Log::default());
    doist.add(Client {
        channel: dial(&to),
        to,
        next: Tyme::ZERO,
    });
    doist
}

/// How many requests ended with a reply, with a failure, with an error.
#[derive(Debug, Default, PartialEq)]
struct Tally {
    replies: usize,
    failures: usize,
    lost: usize,
    late: usize,
}

fn run(seed: u64, link: &str, faults: &str) -> (Tally, u64) {
    let mut sim = Sim::new(seed).with_link(link.parse().expect("conditions"));
    sim.node("server", server);
    let clients = ["a", "b"].map(|name| sim.node(name, client));
    let plan: FaultPlan = faults.parse().expect("a plan");
    sim.plan(&plan).expect("known nodes");
    sim.run_until(Tyme::from_secs(30)).expect("no violation");
    sim.mend();
    sim.run_for(Duration::from_secs(120)).expect("no violation");
    let mut tally = Tally::default();
    for client in clients {
        let log = sim.app::<Log>(client).expect("its app");
        assert_eq!(log.sent.len(), REQUESTS, "seed {seed}: all were sent");
        let known = log.ended.keys().all(|key| log.sent.contains_key(key));
        assert!(known, "seed {seed}: what ended was sent");
        for (key, n) in &log.sent {
            let how = log.ended.get(key);
            match how.unwrap_or_else(|| panic!("seed {seed}: {key:?} did not end")) {
                Ok(double) => {
                    assert_eq!(*double, 2 * n, "seed {seed}: its own reply");
                    tally.replies += 1;
                }
                Err(why) if why == "connection" => tally.lost += 1,
                Err(why) if why == "timeout" => tally.late += 1,
                Err(why) => {
                    assert_eq!((n % 7, why.as_str()), (0, "ValueError: a seventh\n"));
                    tally.failures += 1;
                }
            }
        }
    }
    let hash = sim.trace_hash().to_string();
    let hash = hash
        .bytes()
        .fold(0u64, |h, b| h.wrapping_mul(31).wrapping_add(b.into()));
    (tally, hash)
}

#[test]
fn a_calm_network_answers_everything() {
    let (tally, _) = run(1, "latency uniform 1ms 5ms", "");
    let failures = 2 * REQUESTS.div_ceil(7);
    let replies = 2 * REQUESTS - failures;
    assert_eq!(
        tally,
        Tally {
            replies,
            failures,
            lost: 0,
            late: 0
        }
    );
}

#[test]
fn loss_delays_and_loses_nothing() {
    for seed in 0..20 {
        let (tally, _) = run(seed, "latency uniform 1ms 20ms loss 0.1", "");
        assert_eq!(tally.lost, 0, "seed {seed}: {tally:?}");
        assert!(tally.replies > REQUESTS, "seed {seed}: {tally:?}");
    }
}

const STORM: &str = "\
at 0.5s reset a server
at 1s partition a | server b
at 1.5s reset b server
at 3s heal
at 3.5s reset a server
at 4s partition a b | server
at 9s heal
at 10s crash server
at 11s restart server
at 12s reset b server
at 13s clog a server
at 14s heal
";

#[test]
fn resets_partitions_and_crashes_end_every_request_once() {
    let mut all = Tally::default();
    for seed in 0..40 {
        let (tally, _) = run(seed, "latency uniform 1ms 20ms loss 0.02", STORM);
        all.replies += tally.replies;
        all.lost += tally.lost;
        all.late += tally.late;
    }
    assert!(
        all.replies > 0 && all.lost > 0 && all.late > 0,
        "each of them happens: {all:?}"
    );
}

#[test]
fn the_same_seed_gives_the_same_story() {
    let link = "latency uniform 1ms 20ms loss 0.05";
    let first = run(7, link, STORM);
    assert_eq!(first, run(7, link, STORM));
    assert_ne!(first.1, run(8, link, STORM).1);
}
