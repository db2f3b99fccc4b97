//! Goal: a drain stops a Doist when those who take part are through, at its limit at the latest,
//! and a stop is stronger. Method: doers that count, with a net without sockets.

use std::time::Duration;

use hio::doing::prelude::*;
use hio::doing::{Due, Step, Verdict};

const LIMIT: Duration = Duration::from_secs(10);

/// Takes part in drains, and needs so many turns once there is one.
struct Takes {
    turns: u32,
    seen: Option<Tyme>,
    exited: bool,
}

impl Takes {
    const fn turns(turns: u32) -> Self {
        Self {
            turns,
            seen: None,
            exited: false,
        }
    }
}

impl Doer for Takes {
    fn enter(&mut self, cx: &mut Cx<'_>) -> Result<Next, Fault> {
        cx.ask.join_drain();
        Ok(Park(Tyme::NEVER))
    }

    fn recur(&mut self, tyme: Tyme, cx: &mut Cx<'_>) -> Result<Next, Fault> {
        let Some(limit) = cx.draining() else {
            return Ok(Park(Tyme::NEVER));
        };
        cx.always(limit > tyme, "there is time");
        self.seen.get_or_insert(tyme);
        match self.turns.checked_sub(1) {
            None => Ok(Done(true)),
            Some(left) => {
                self.turns = left;
                Ok(After(Duration::from_secs(1)))
            }
        }
    }

    fn exit(&mut self, _: &mut Cx<'_>) {
        self.exited = true;
    }
}

/// Asks for a drain after a second; and again, so many seconds later, for what else is wanted.
fn asks(then: Option<fn(&mut Cx<'_>)>) -> impl Doer + Send {
    let mut then = then;
    let mut turn = 0;
    doify(move |_tyme, cx: &mut Cx<'_>| {
        turn += 1;
        match turn {
            1 => return Ok(After(Duration::from_secs(1))),
            2 => cx.ask.drain(LIMIT),
            _ => {
                if let Some(then) = then.take() {
                    then(cx);
                }
            }
        }
        Ok(After(Duration::from_secs(3)))
    })
}

fn doist() -> Doist {
    Doist::new(())
        .with_tock(Duration::from_millis(125))
        .with_pace(Pace::Asap)
}

fn run(doist: &mut Doist) -> (Outcome, Duration) {
    let outcome = doist.run(&mut NullNet::default()).unwrap();
    (outcome, doist.tyme().since(Tyme::ZERO))
}

#[test]
fn o9_a_drain_wakes_who_is_parked_and_waits_for_who_has_joined() {
    let mut doist = doist();
    let ids = [0, 2, 5].map(|turns| doist.add(Takes::turns(turns)));
    doist.add(asks(None));
    doist.add(doify(|_tyme, _cx: &mut Cx<'_>| Ok(Park(Tyme::NEVER)))); // who takes no part
    let (outcome, took) = run(&mut doist);
    assert_eq!(outcome, Outcome::Drained);
    // Asked at 1 s, seen by those before the asker in the next pass, the last needs 5 s more.
    assert_eq!(took, Duration::from_millis(6125));
    for id in ids {
        let doer = doist.get(id).unwrap();
        assert_eq!(doer.seen, Some(Tyme::from_millis(1125)));
        assert!(doer.exited);
        assert_eq!(doist.ended(id), Some(Ended::Done(true)));
    }
}

#[test]
fn o9_a_drain_without_anybody_ends_at_once() {
    let mut doist = doist();
    doist.add(asks(None));
    assert_eq!(
        run(&mut doist),
        (Outcome::Drained, Duration::from_secs(1)),
        "no tick is taken"
    );
}

#[test]
fn o9_at_its_limit_a_drain_is_over_whoever_is_left() {
    let mut doist = doist();
    let id = doist.add(Takes::turns(100));
    doist.add(asks(None));
    assert_eq!(
        run(&mut doist),
        (Outcome::DrainLimit, Duration::from_secs(11))
    );
    assert_eq!(doist.ended(id), Some(Ended::Ceased));
    assert!(doist.get(id).unwrap().exited);
    assert_eq!(doist.draining(), None, "a new run begins without");
}

#[test]
fn o9_a_stop_ends_a_drain_at_once() {
    let mut doist = doist();
    let id = doist.add(Takes::turns(100));
    doist.add(asks(Some(|cx| cx.ask.stop())));
    assert_eq!(run(&mut doist), (Outcome::Stopped, Duration::from_secs(4)));
    assert_eq!(doist.ended(id), Some(Ended::Ceased));
}

#[test]
fn o9_of_two_drains_the_sooner_limit_counts() {
    for (second, end) in [(2, 6), (100, 11)] {
        let mut doist = doist();
        doist.add(Takes::turns(100));
        doist.add(asks(Some(match second {
            2 => |cx| cx.ask.drain(Duration::from_secs(2)),
            _ => |cx| cx.ask.drain(Duration::from_secs(100)),
        })));
        assert_eq!(
            run(&mut doist),
            (Outcome::DrainLimit, Duration::from_secs(end))
        );
    }
}

#[test]
fn o9_a_drain_from_outside_and_one_that_is_left() {
    struct Leaves;
    impl Doer for Leaves {
        fn enter(&mut self, cx: &mut Cx<'_>) -> Result<Next, Fault> {
            cx.ask.join_drain();
            cx.ask.join_drain(); // once is enough, and twice is once
            Ok(Park(Tyme::NEVER))
        }
        fn recur(&mut self, _tyme: Tyme, cx: &mut Cx<'_>) -> Result<Next, Fault> {
            cx.ask.leave_drain();
            Ok(Park(Tyme::NEVER))
        }
    }
    let mut doist = doist();
    doist.drain(LIMIT); // not entered: nothing to be drained
    assert_eq!(doist.draining(), None);
    doist.add(Leaves);
    let mut net = NullNet::default();
    doist.enter(&mut net).unwrap();
    assert_eq!(doist.due(), Due::Idle);
    doist.drain(LIMIT);
    assert_eq!(doist.due(), Due::Now);
    let step = doist.recur(&mut net).unwrap();
    assert_eq!(step, Step::Ended(Outcome::Drained));
}

#[test]
fn o9_who_fails_or_is_removed_is_not_waited_for() {
    let mut doist = doist();
    let removed = doist.add(Takes::turns(100));
    let failing = doist.add(doify({
        let mut entered = false;
        move |_tyme, cx: &mut Cx<'_>| {
            if !std::mem::replace(&mut entered, true) {
                cx.ask.join_drain();
                return Ok(Park(Tyme::NEVER));
            }
            Err(Fault::msg("no"))
        }
    }));
    doist.supervise(|_, _| Verdict::Drop);
    let mut net = NullNet::default();
    doist.enter(&mut net).unwrap();
    doist.recur(&mut net).unwrap();
    doist.drain(LIMIT);
    assert_eq!(doist.recur(&mut net).unwrap(), Step::More, "one is left");
    assert_eq!(doist.ended(failing), Some(Ended::Aborted));
    doist.remove(&mut net, removed);
    let step = doist.recur(&mut net).unwrap();
    assert_eq!(step, Step::Ended(Outcome::Drained));
}

#[test]
fn o9_an_embedded_doist_is_told_of_a_drain() {
    let mut doist = doist();
    doist.add(Takes::turns(2));
    let mut net = NullNet::default();
    doist.enter(&mut net).unwrap();
    doist.drain(LIMIT);
    assert_eq!(doist.slack(), Some(Duration::ZERO));
    let mut steps = 0;
    let outcome = loop {
        steps += 1;
        let advance = doist.advance(&mut net, doist.tock()).unwrap();
        if let Step::Ended(outcome) = advance.step {
            break outcome;
        }
        assert!(steps < 100);
    };
    assert_eq!((outcome, steps), (Outcome::Drained, 17));
}
