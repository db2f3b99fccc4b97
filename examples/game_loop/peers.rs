//! The players, in a thread of their own with a Doist of their own: each predicts what it must
//! hear, and notes what it heard instead.

use std::ops::Range;
use std::thread::JoinHandle;
use std::time::Duration;

use hio::doing::StopHandle;
use hio::doing::prelude::*;
use hio::link::tls::ClientTls;
use hio::link::{Client, Limits};
use hio::net::{ConnectOptions, Endpoint, MioNet};

use super::arena::{MESSAGE, numbers, put};

/// What came of all of them.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) answers: u64,
    pub(crate) mismatches: u64,
    pub(crate) lost: u64,
    /// The longest time from a move to its answer.
    pub(crate) slowest: Duration,
}

/// The thread with the players.
pub(crate) struct Peers {
    thread: JoinHandle<Result<Tally, String>>,
    stop: StopHandle,
}

impl Peers {
    /// Starts so many players of a server; each makes a move in every span, and waits for its answer.
    pub(crate) fn start(count: usize, at: &Endpoint, tls: &ClientTls, every: Duration) -> Self {
        let mut doist = players(0..count, at, Some(tls), every);
        let stop = doist.stop_handle();
        let thread = std::thread::spawn(move || {
            let mut net = MioNet::new().map_err(|e| e.to_string())?;
            doist.run(&mut net).map_err(|e| e.to_string())?;
            Ok(doist.app)
        });
        Self { thread, stop }
    }

    /// Whether they have given up.
    pub(crate) fn ended(&self) -> bool {
        self.thread.is_finished()
    }

    /// Lets them go home; gives what came of them.
    pub(crate) fn stop(self) -> Result<Tally, Fault> {
        self.stop.stop();
        let tally = self.thread.join();
        let tally = tally.map_err(|_| Fault::msg("the players' thread panicked"))?;
        tally.map_err(Fault::msg)
    }
}

/// These players of a server.
pub(crate) fn players(
    which: Range<usize>,
    at: &Endpoint,
    tls: Option<&ClientTls>,
    every: Duration,
) -> Doist<Tally> {
    let mut doist = Doist::new(Tally::default()).with_tock(Duration::from_millis(1));
    let count = which.len();
    for (place, who) in which.enumerate() {
        let client = Client::new(at.clone(), ConnectOptions::default(), Limits::default());
        let client = match tls {
            Some(tls) => client.with_tls(tls.clone()),
            None => client,
        };
        let part = u32::try_from(place).unwrap_or(0);
        // So that not all of them move at once.
        let first = every * part / u32::try_from(count).unwrap_or(1);
        doist.add(Peer::new(client, who, first, every));
    }
    doist
}

struct Peer {
    client: Client,
    who: i64,
    sequence: i64,
    /// Where it must be.
    expects: (i64, i64),
    /// The last tick it heard of.
    tick: i64,
    /// When the move in flight was made, on the net's clock.
    asked: Option<Tyme>,
    next: Tyme,
    every: Duration,
}

impl Peer {
    fn new(client: Client, who: usize, first: Duration, every: Duration) -> Self {
        Self {
            client,
            who: i64::try_from(who).unwrap_or(-1),
            sequence: 0,
            expects: (0, 0),
            tick: 0,
            asked: None,
            next: Tyme::ZERO + first,
            every,
        }
    }

    fn answer(&mut self, cx: &mut Cx<'_, Tally>) {
        let Some((message, _)) = self.client.rx().split_first_chunk() else {
            return;
        };
        let [who, sequence, tick, x, y, ..] = numbers(message);
        self.client.consume(MESSAGE);
        let fits = (who, sequence) == (self.who, self.sequence) && (x, y) == self.expects;
        let asked = self.asked.take();
        if fits && tick >= self.tick && asked.is_some() {
            cx.app.answers += 1;
        } else {
            cx.app.mismatches += 1;
        }
        self.tick = tick;
        if let Some(asked) = asked {
            cx.app.slowest = cx.app.slowest.max(cx.net.now() - asked);
        }
    }

    fn step(&mut self, tyme: Tyme, cx: &mut Cx<'_, Tally>) -> Result<(), Fault> {
        self.sequence += 1;
        let (dx, dy) = (i64::try_from(cx.rng.range(0..9))? - 4, 1);
        self.expects = (self.expects.0 + dx, self.expects.1 + dy);
        let mut message = [0; MESSAGE];
        put(&mut message, &[self.who, self.sequence, dx, dy], 0);
        self.client.tx(&message)?;
        self.client.service_sends(tyme, cx.net);
        self.asked = Some(cx.net.now());
        self.next = (self.next + self.every).max(tyme);
        Ok(())
    }
}

impl Doer<Tally> for Peer {
    fn enter(&mut self, cx: &mut Cx<'_, Tally>) -> Result<Next, Fault> {
        self.client.open(cx.tyme(), cx.net, cx.ask.owner())?;
        Ok(Again)
    }

    fn recur(&mut self, tyme: Tyme, cx: &mut Cx<'_, Tally>) -> Result<Next, Fault> {
        self.client.service(tyme, cx.net);
        if self.client.closed().is_some() || self.client.cutoff() {
            cx.app.lost += 1;
            return Ok(Done(false));
        }
        self.answer(cx);
        if self.client.connected() && self.asked.is_none() && self.next <= tyme {
            self.step(tyme, cx)?;
        }
        let next = match self.asked.is_some() || !self.client.connected() {
            true => Tyme::NEVER,
            false => self.next,
        };
        Ok(Park(self.client.due(tyme).min(next)))
    }

    fn exit(&mut self, cx: &mut Cx<'_, Tally>) {
        self.client.close(cx.net);
    }
}
