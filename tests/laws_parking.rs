//! Goal: the laws of parking, P1 to P5 of docs/LAWS.md, hold clause by clause.
//! Method: stories with their trace written out, random scenarios held against the executable
//! laws, and runs in real pacing on a net whose clock and marks are scripted.

#[path = "support/laws/mod.rs"]
#[expect(
    missing_docs,
    clippy::missing_panics_doc,
    reason = "support of the tests: it says what it is in the modules, and panics to fail"
)]
pub mod laws;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hio::doing::prelude::*;
use hio::doing::{Budget, Due, Event, Overrun, Overruns, Step, Wake};
use hio::net::Owner;

use laws::generate::{Flavour, PLAIN};
use laws::harness::group_of;
use laws::random::{Random, seed_and_count};
use laws::scenario::On::{Parent as Above, Root};
use laws::scenario::{HostOp, Op, Policy, Spec, When, Yield};
use laws::tell::{
    after, doist, extend, leaf, parent, park, parking, plain, random_real_scenarios,
    random_scenarios, remove, tells, tells_real, wake,
};
use laws::wakenet::WakeNet;

const MILLI: u64 = 1_000_000;

/// A leaf that parks for good after each recur.
fn sleeper(name: &str) -> Spec {
    leaf(name).yields([Yield::ParkNever])
}

// ---- P1

#[test]
fn p1_a_parked_doer_runs_at_the_first_tick_that_reaches_until() {
    tells(
        &doist([
            leaf("a").yields([Yield::ParkFor(2_500_000_000)]).recurs(3),
            leaf("b").begins(park(2)).recurs(1),
            leaf("c").yields([park(0)]).recurs(2),
            sleeper("d"),
        ])
        .limit(8),
        "0: +a +b +c +d a c d | 1: c c. -c | 2: b b. -b | 3: a | 6: a a. -a | 8: d~ -d",
        "limit @8",
    );
}

#[test]
fn p1_it_is_woken_by_id() {
    tells(
        &doist([leaf("a").at(3, wake("b")).recurs(4), sleeper("b").recurs(2)]),
        "0: +a +b a b | 1: a | 2: a b b. -b | 3: a a. -a",
        "done @4",
    );
    tells(
        &doist([sleeper("a").recurs(2)]).host(4, HostOp::Wake("a".to_owned())),
        "0: +a a | 3: a a. -a",
        "done @4",
    );
}

#[test]
fn p1_a_wake_of_a_timed_doer_is_dropped_for_good() {
    // b is timed when it is woken, and parks at 3: nothing of that wake is left then.
    tells(
        &doist([
            leaf("a").at(2, wake("b")).at(3, wake("c")).recurs(3),
            leaf("b").yields([after(3), Yield::ParkNever]),
            leaf("c").at(4, Op::Retock(0)).yields([
                Yield::Again,
                Yield::Again,
                Yield::Again,
                Yield::ParkNever,
            ]),
        ])
        .limit(6),
        "0: +a +b +c a b c | 1: a c | 2: a a. -a c | 3: b c | 6: c~ -c b~ -b",
        "limit @6",
    );
}

#[test]
fn p1_a_wake_of_a_running_doer_counts_once_its_recur_has_returned() {
    // It parks: due again in the next pass, once.
    tells(
        &doist([
            sleeper("a").at(2, wake("a")).recurs(3),
            leaf("b").at(2, wake("a")).recurs(4),
        ]),
        "0: +a +b a b | 1: b | 2: a b | 3: a a. -a b b. -b",
        "done @4",
    );
    // It does not park: dropped, also for when it parks later.
    tells(
        &doist([leaf("a")
            .at(1, wake("a"))
            .yields([after(2), Yield::ParkNever])])
        .limit(5),
        "0: +a a | 2: a | 5: a~ -a",
        "limit @5",
    );
}

#[test]
fn p1_a_wake_in_an_own_enter_counts_when_it_parks_there() {
    tells(
        &doist([
            sleeper("a")
                .begins(Yield::ParkNever)
                .on(When::Enter, wake("a"))
                .recurs(1),
            sleeper("b").on(When::Enter, wake("b")).recurs(2),
        ])
        .limit(3),
        "0: +a +b a a. -a b | 3: b~ -b",
        "limit @3",
    );
}

#[test]
fn p1_a_wake_marks_all_parked_ancestors() {
    type Kind = fn(&str, [Spec; 1]) -> Spec;
    let deep =
        |name: &str, kind: Kind| kind(name, [kind("q", [kind("r", [sleeper("s").recurs(2)])])]);
    for (kind, visible) in [(parking as Kind, true), (plain, false)] {
        let (enter, exit) = if visible {
            (" +p +q +r", " r. -r q. -q p. -p")
        } else {
            ("", "")
        };
        tells(
            &doist([leaf("a").at(3, wake("s")).recurs(4), deep("p", kind)]),
            &format!("0: +a{enter} +s a s | 1: a | 2: a s s. -s{exit} | 3: a a. -a"),
            "done @4",
        );
        tells(
            &doist([deep("p", kind), leaf("a").at(3, wake("s")).recurs(3)]),
            &format!("0:{enter} +s +a s a | 1: a | 2: a a. -a | 3: s s. -s{exit}"),
            "done @4",
        );
    }
}

#[test]
fn p1_a_nested_wake_from_inside_the_same_branch_is_not_lost() {
    // b wakes a, which is behind the cursor of their own parent: next pass, for both parents.
    tells(
        &doist([plain(
            "p",
            [plain(
                "q",
                [
                    sleeper("a").recurs(2),
                    leaf("b").every(1).at(3, wake("a")).recurs(3),
                ],
            )],
        )]),
        "0: +a +b a b | 1: b | 2: b b. -b | 3: a a. -a",
        "done @4",
    );
}

#[test]
fn p1_a_timed_parent_is_never_run_early() {
    tells(
        &doist([
            leaf("a").at(2, wake("s")).recurs(2),
            plain("g", [parent("p", [sleeper("s").recurs(2)]).every(4)]),
        ]),
        "0: +a +p +s a p s | 1: a a. -a | 4: p s s. -s p. -p",
        "done @5",
    );
    tells(
        &doist([
            leaf("a").at(2, wake("s")).recurs(2),
            plain("p", [sleeper("s").recurs(2)]).every(3),
        ]),
        "0: +a +s a s | 1: a a. -a | 3: s s. -s",
        "done @4",
    );
}

#[test]
fn p1_a_wake_of_nobody_is_ignored() {
    tells(
        &doist([
            sleeper("gone").recurs(1),
            leaf("a")
                .at(2, wake("gone"))
                .at(2, wake("nobody"))
                .recurs(3),
        ]),
        "0: +gone +a gone gone. -gone a | 1: a | 2: a a. -a",
        "done @3",
    );
}

#[test]
fn p1_a_pipe_wakes_its_other_end() {
    /// Pushes a number a tick, as long as there is room.
    struct Source(u64);
    /// Takes one number a turn, slowly.
    struct Sink(Duration);
    #[derive(Debug)]
    struct App {
        pipe: Pipe<u64>,
        got: Vec<(u64, u64)>,
        sink_runs: u32,
    }
    impl Doer<App> for Source {
        fn recur(&mut self, _: Tyme, cx: &mut Cx<'_, App>) -> Result<Next, Fault> {
            while self.0 < 6 {
                if cx.app.pipe.push(self.0, &mut cx.ask).is_err() {
                    return Ok(Park(Tyme::NEVER));
                }
                self.0 += 1;
            }
            Ok(Done(true))
        }
    }
    impl Doer<App> for Sink {
        fn recur(&mut self, tyme: Tyme, cx: &mut Cx<'_, App>) -> Result<Next, Fault> {
            cx.app.sink_runs += 1;
            match cx.app.pipe.pop(&mut cx.ask) {
                None => Ok(Park(Tyme::NEVER)),
                Some(5) => {
                    cx.app.got.push((tyme.as_nanos() / 1_000_000_000, 5));
                    Ok(Done(true))
                }
                Some(n) => {
                    cx.app.got.push((tyme.as_nanos() / 1_000_000_000, n));
                    Ok(After(self.0))
                }
            }
        }
    }
    let app = App {
        pipe: Pipe::new(2),
        got: Vec::new(),
        sink_runs: 0,
    };
    let mut doist = Doist::new(app)
        .with_tock(Duration::from_secs(1))
        .with_limit(Duration::from_secs(100))
        .with_pace(Pace::Asap);
    doist.add(Sink(Duration::from_secs(10)));
    doist.add(Source(0));
    assert_eq!(
        doist.run(&mut NullNet::default()).expect("no fault"),
        Outcome::Done
    );
    // The sink parks at 0; the source behind it fills the pipe, which wakes the sink for 1.
    let got = [(1, 0), (11, 1), (21, 2), (31, 3), (41, 4), (51, 5)];
    assert_eq!(doist.app.got, got);
    assert_eq!(doist.app.sink_runs, 7, "it ran for nothing only once");
}

#[test]
fn p1_random_scenarios() {
    let flavour = Flavour {
        deep: 40,
        park: 70,
        wake: 70,
        parking: 60,
        after: 20,
        dynamic: 15,
        host: 50,
        ..PLAIN
    };
    random_scenarios("p1", flavour);
}

// ---- P2

#[test]
fn p2_woken_doers_run_in_enter_order_within_the_pass() {
    tells(
        &doist([
            sleeper("a").recurs(2),
            leaf("b")
                .at(2, wake("d"))
                .at(2, wake("a"))
                .at(2, wake("c"))
                .recurs(3),
            sleeper("c").recurs(2),
            sleeper("d").recurs(2),
        ]),
        "0: +a +b +c +d a b c d | 1: b c c. -c d d. -d | 2: a a. -a b b. -b",
        "done @3",
    );
}

#[test]
fn p2_a_chain_of_wakes_runs_forward_in_one_pass_and_backward_in_the_next() {
    tells(
        &doist([
            sleeper("a").at(2, wake("b")).recurs(2),
            sleeper("b").at(2, wake("c")).recurs(2),
            sleeper("c").at(1, wake("a")).recurs(2),
        ]),
        "0: +a +b +c a b c | 1: a a. -a b b. -b c c. -c",
        "done @2",
    );
    tells(
        &doist([
            sleeper("a").recurs(2),
            sleeper("b").at(2, wake("a")).recurs(2),
            sleeper("c").at(2, wake("b")).recurs(2),
            leaf("d").at(1, wake("c")).recurs(1),
        ]),
        "0: +a +b +c +d a b c d d. -d | 1: c c. -c | 2: b b. -b | 3: a a. -a",
        "done @4",
    );
}

#[test]
fn p2_who_is_closed_while_woken_does_not_run() {
    tells(
        &doist([
            leaf("a")
                .at(2, wake("b"))
                .at(2, remove(Above, ["b"]))
                .recurs(3),
            sleeper("b"),
            leaf("c")
                .at(
                    1,
                    extend(Root, [sleeper("x").begins(Yield::ParkNever).recurs(1)]),
                )
                .at(3, wake("x"))
                .recurs(3),
        ]),
        "0: +a +b +c a b c +x | 1: a b~ -b c | 2: a a. -a c c. -c x x. -x",
        "done @3",
    );
}

#[test]
fn p2_random_scenarios() {
    let flavour = Flavour {
        deep: 30,
        park: 90,
        wake: 95,
        parking: 70,
        ..PLAIN
    };
    random_scenarios("p2", flavour);
}

// ---- P3

/// Letters between doers: everybody has a box, and who finds letters in it writes to others.
#[derive(Debug, Default)]
struct Post {
    boxes: Vec<u32>,
    ids: Vec<Option<DoerId>>,
    /// Who answered letters when, and how many.
    seen: Vec<(u64, usize, u32)>,
    polls: u64,
}

/// Answers its letters by writing to two others, a few times; may have a rhythm of its own.
struct Clerk {
    me: usize,
    to: [usize; 2],
    letters: u32,
    rhythm: Option<Duration>,
    parks: bool,
}

impl Clerk {
    fn next(&self, now: Tyme) -> Next {
        match (self.parks, self.rhythm) {
            (true, Some(rhythm)) => Park(now + rhythm),
            (true, None) => Park(Tyme::NEVER),
            (false, _) => Again,
        }
    }
}

impl Doer<Post> for Clerk {
    fn enter(&mut self, cx: &mut Cx<'_, Post>) -> Result<Next, Fault> {
        cx.app.ids[self.me] = Some(cx.ask.me());
        Ok(Again)
    }
    fn recur(&mut self, tyme: Tyme, cx: &mut Cx<'_, Post>) -> Result<Next, Fault> {
        cx.app.polls += 1;
        let letters = std::mem::take(&mut cx.app.boxes[self.me]);
        if letters > 0 {
            cx.app.seen.push((tyme.as_nanos(), self.me, letters));
            for to in self.to {
                if self.letters > 0 {
                    self.letters -= 1;
                    cx.app.boxes[to] += 1;
                    if let Some(id) = cx.app.ids[to] {
                        cx.ask.wake(id);
                    }
                }
            }
        }
        Ok(self.next(tyme))
    }
}

/// A group of clerks and groups: the crate's parking parent, or one that polls its children.
enum Office {
    Parks(DoDoer<Post>),
    Polls(Deeds<Post>),
}

impl Office {
    fn add<D: Doer<Post> + Send + 'static>(&mut self, doer: D) {
        match self {
            Self::Parks(parent) => drop(parent.add(doer)),
            Self::Polls(deeds) => drop(deeds.add(doer)),
        }
    }
}

impl Doer<Post> for Office {
    fn deeds(&self) -> Option<&Deeds<Post>> {
        match self {
            Self::Parks(parent) => parent.deeds(),
            Self::Polls(deeds) => Some(deeds),
        }
    }
    fn deeds_mut(&mut self) -> Option<&mut Deeds<Post>> {
        match self {
            Self::Parks(parent) => parent.deeds_mut(),
            Self::Polls(deeds) => Some(deeds),
        }
    }
    fn recur(&mut self, tyme: Tyme, cx: &mut Cx<'_, Post>) -> Result<Next, Fault> {
        match self {
            Self::Parks(parent) => parent.recur(tyme, cx),
            Self::Polls(deeds) => deeds.recur(tyme, cx).map(|_| Again),
        }
    }
}

/// The same random office of clerks twice over: parked or polling. What is seen of it, and how
/// often a clerk was run.
fn post(seed: u64, parks: bool, pace: Pace) -> (Vec<(u64, usize, u32)>, u64) {
    let mut doist = post_office(seed, parks).with_pace(pace);
    let outcome = doist.run(&mut NullNet::default()).expect("no fault");
    assert_eq!(outcome, Outcome::Limit);
    (doist.app.seen, doist.app.polls)
}

fn post_office(seed: u64, parks: bool) -> Doist<Post> {
    let mut rng = Random::new(seed);
    let mut left = rng.from(3, 14);
    let count = usize::try_from(left).expect("small");
    let mut doist = Doist::new(Post {
        boxes: (0..count).map(|_| u32::from(rng.percent(30))).collect(),
        ids: vec![None; count],
        ..Post::default()
    })
    .with_tock(Duration::from_millis(10))
    .with_limit(Duration::from_millis(1500));
    while left > 0 {
        if rng.percent(40) {
            let office = office(&mut rng, &mut left, count, parks, 0);
            doist.add(office);
        } else {
            let clerk = clerk(&mut rng, &mut left, count, parks);
            doist.add(clerk);
        }
    }
    // Somebody writes letters from outside now and then.
    let whom = usize::try_from(rng.below(count as u64)).expect("small");
    doist.add(doify(move |_, cx: &mut Cx<'_, Post>| {
        cx.app.boxes[whom] += 1;
        if let Some(id) = cx.app.ids[whom] {
            cx.ask.wake(id);
        }
        Ok(After(Duration::from_millis(170)))
    }));
    doist
}

fn clerk(rng: &mut Random, left: &mut u64, count: usize, parks: bool) -> Clerk {
    *left -= 1;
    let me = count - 1 - usize::try_from(*left).expect("small");
    let mut other = || usize::try_from(rng.below(count as u64)).expect("small");
    let to = [other(), other()];
    let letters = u32::try_from(rng.from(2, 12)).expect("small");
    let rhythm = rng
        .percent(30)
        .then(|| Duration::from_millis(rng.from(1, 80)));
    Clerk {
        me,
        to,
        letters,
        rhythm,
        parks,
    }
}

fn office(rng: &mut Random, left: &mut u64, count: usize, parks: bool, depth: u32) -> Office {
    let mut office = if parks {
        Office::Parks(DoDoer::new())
    } else {
        Office::Polls(Deeds::new())
    };
    for _ in 0..rng.from(1, 4) {
        if *left == 0 {
            break;
        }
        if depth < 3 && rng.percent(35) {
            office.add(self::office(rng, left, count, parks, depth + 1));
        } else {
            office.add(clerk(rng, left, count, parks));
        }
    }
    office
}

#[test]
fn p3_parking_is_as_good_as_polling() {
    let (seed, count) = seed_and_count("p3 park = poll", 150);
    let (mut parked, mut polled) = (0, 0);
    for seed in (0..count).map(|n| seed.wrapping_add(n)) {
        let (seen, runs) = post(seed, true, Pace::Asap);
        let (expected, all_runs) = post(seed, false, Pace::Asap);
        assert_eq!(seen, expected, "HIO_SEED={seed} HIO_FRESH=1");
        assert!(runs <= all_runs);
        parked += runs;
        polled += all_runs;
    }
    assert!(
        parked * 4 < polled,
        "parking saved nothing: {parked} of {polled} runs"
    );
}

#[test]
fn p3_a_run_without_need_has_no_visible_effect() {
    // Waking everybody before each tick changes nothing of what is seen.
    let (seed, count) = seed_and_count("p3 idle runs", 50);
    let (mut few, mut many) = (0, 0);
    for seed in (0..count).map(|n| seed.wrapping_add(n)) {
        let (expected, polls) = post(seed, true, Pace::Asap);
        few += polls;
        let (mut net, mut doist) = (NullNet::default(), post_office(seed, true));
        doist.enter(&mut net).expect("all enter");
        while doist.recur(&mut net).expect("no fault") == Step::More {
            for id in doist.app.ids.clone().into_iter().flatten() {
                doist.wake(id);
            }
        }
        assert_eq!(doist.app.seen, expected, "HIO_SEED={seed} HIO_FRESH=1");
        many += doist.app.polls;
        let (seen, _) = post(seed, true, Pace::Real);
        assert_eq!(seen, expected, "HIO_SEED={seed} HIO_FRESH=1, real pacing");
    }
    assert!(
        few * 4 < many,
        "they were run for nothing: {many} times, else {few}"
    );
}

#[test]
fn p3_leaping_over_empty_ticks_or_taking_them_is_the_same() {
    let scenario = doist([
        leaf("a").every(1000).recurs(3),
        parking("p", [sleeper("b"), leaf("c").yields([park(700)]).recurs(3)]),
    ]);
    tells(
        &scenario.clone().limit(2500),
        "0: +a +p +b +c a b c | 700: c | 1000: a | 1400: c c. -c | 2000: a a. -a \
         | 2500: p~ b~ -b -p",
        "limit @2500",
    );
    // And it does leap: a tick a nanosecond for three seconds, were each taken, would take hours.
    let mut doist = Doist::new(0u32)
        .with_tock(Duration::from_nanos(1))
        .with_pace(Pace::Asap);
    doist.add(doify(|tyme, cx: &mut Cx<'_, u32>| {
        *cx.app += 1;
        Ok(if tyme >= Tyme::from_secs(3600) {
            Done(true)
        } else {
            After(Duration::from_secs(600))
        })
    }));
    assert_eq!(
        doist.run(&mut NullNet::default()).expect("no fault"),
        Outcome::Done
    );
    assert_eq!(doist.app, 7);
    assert_eq!(doist.tyme(), Tyme::from_nanos(3_600_000_000_001));
}

#[test]
fn p3_a_plain_dodoer_parks_itself_until_its_soonest_child() {
    let runs = Arc::new(AtomicU64::new(0));
    let mut doist = Doist::new(())
        .with_tock(Duration::from_secs(1))
        .with_pace(Pace::Asap);
    let mut group: DoDoer = DoDoer::new();
    group.add(redo([After(Duration::from_secs(10)), Done(true)]));
    group.add(redo([Park(Tyme::from_secs(25)), Done(true)]));
    let id = doist.add(group);
    doist.add(redo([After(Duration::from_secs(40)), Done(true)]));
    let count = Arc::clone(&runs);
    doist.observe(move |tyme, who, event| {
        if who == id.untyped() && event == Event::Recur {
            let nth = count.fetch_add(1, Ordering::SeqCst);
            assert_eq!(
                tyme,
                Tyme::from_secs([0, 10, 25][usize::try_from(nth).expect("small")])
            );
        }
    });
    assert_eq!(
        doist.run(&mut NullNet::default()).expect("no fault"),
        Outcome::Done
    );
    assert_eq!(runs.load(Ordering::SeqCst), 3);
    assert_eq!(doist.tyme(), Tyme::from_secs(41));
}

#[test]
fn p3_a_parking_parent_runs_on_the_next_tick_for_a_child_that_is_late() {
    let mut late = leaf("a").recurs(4);
    late.tock = 500_000_000;
    let story = |kind: fn(&str, [Spec; 2]) -> Spec| {
        let sleepy = leaf("b").yields([after(7)]).recurs(2);
        doist([kind("p", [late.clone(), sleepy])])
    };
    tells(
        &story(plain),
        "0: +a +b a b | 1: a | 2: a | 3: a a. -a | 7: b b. -b",
        "done @8",
    );
    tells(
        &story(parking),
        "0: +p +a +b a b | 1: a | 2: a | 3: a a. -a | 7: b b. -b p. -p",
        "done @8",
    );
}

#[test]
fn p3_random_scenarios() {
    let flavour = Flavour {
        deep: 50,
        park: 50,
        wake: 30,
        parking: 90,
        after: 40,
        dynamic: 20,
        fail: 4,
        supervise: 30,
        offgrid: 30,
        ..PLAIN
    };
    random_scenarios("p3", flavour);
}

// ---- P4

#[test]
fn p4_readiness_between_two_ticks_begins_a_wake_pass() {
    // At the tyme reached, only who is ready and its parked ancestors, no tick; the tock-0 doer
    // runs on ticks only.
    tells_real(
        &doist([
            leaf("t").recurs(4),
            sleeper("a"),
            plain("p", [sleeper("b"), sleeper("c"), leaf("d").every(1)]),
        ])
        .limit(3),
        [(1300, "b"), (1600, "a"), (1600, "c"), (2500, "nobody")],
        "0: +t +a +b +c +d t a b c d | 1: t d b a c | 2: t d | 3: d~ -d c~ -c b~ -b a~ -a t~ -t",
        "limit @3",
    );
}

#[test]
fn p4_readiness_on_the_tick_belongs_to_its_pass() {
    tells_real(
        &doist([sleeper("a").recurs(2), leaf("t").recurs(3)]),
        [(1000, "a")],
        "0: +a +t a t | 1: a a. -a t | 2: t t. -t",
        "done @3",
    );
}

#[test]
fn p4_a_leap_that_is_cut_short_stands_on_the_last_tick_reached() {
    tells_real(
        &doist([sleeper("a"), leaf("t").every(100).recurs(2)]).limit(101),
        [(7300, "a"), (7400, "a"), (50_000, "a")],
        "0: +a +t a t | 7: a a | 50: a | 100: t t. -t | 101: a~ -a",
        "limit @101",
    );
}

#[test]
fn p4_a_doer_can_end_and_be_followed_in_a_wake_pass() {
    // The new one enters at once; its first recur is on the next tick, as it was not woken.
    tells_real(
        &doist([
            sleeper("a")
                .at(2, extend(Above, [leaf("x").recurs(1)]))
                .recurs(2),
            leaf("t").recurs(3),
        ]),
        [(1500, "a")],
        "0: +a +t a t | 1: t a a. -a +x | 2: t t. -t x x. -x",
        "done @3",
    );
}

#[test]
fn p4_a_timed_parent_is_not_run_by_readiness_below_it() {
    // Nor does anything spin meanwhile.
    tells_real(
        &doist([plain("g", [parent("p", [sleeper("a").recurs(2)]).every(5)])]),
        [(1300, "a")],
        "0: +p +a p a | 5: p a a. -a p. -p",
        "done @6",
    );
}

#[test]
fn p4_stop_and_faults_end_a_wake_pass_too() {
    tells_real(
        &doist([sleeper("a").at(2, Op::Stop), sleeper("b"), leaf("t")]),
        [(2500, "a"), (2500, "b")],
        "0: +a +b +t a b t | 1: t | 2: t a t~ -t b~ -b a~ -a",
        "stopped @2",
    );
    tells_real(
        &doist([
            sleeper("a").at(2, Op::Fail).recurs(4),
            sleeper("b").recurs(2),
            leaf("t").recurs(4),
        ])
        .policy(Policy::Restart(1)),
        [(1500, "a"), (1500, "b"), (2500, "a")],
        "0: +a +b +t a b t | 1: t a a! -a +a b b. -b | 2: t a a a! -a t~ -t",
        "a fail:a:recur:2 @2",
    );
}

/// A doer that notes when it runs, by tyme and by the clock, and takes its time.
struct Slow {
    clock: Arc<AtomicU64>,
    /// How long it takes at which tyme, in milliseconds both.
    takes: Vec<(u64, u64)>,
    next: Next,
}

impl Doer<Vec<(u64, u64)>> for Slow {
    fn recur(&mut self, tyme: Tyme, cx: &mut Cx<'_, Vec<(u64, u64)>>) -> Result<Next, Fault> {
        let (tyme, clock) = (tyme.as_nanos() / MILLI, cx.net.now().as_nanos() / MILLI);
        cx.app.push((tyme, clock));
        let takes = self.takes.iter().find(|t| t.0 == tyme).map_or(0, |t| t.1);
        self.clock.fetch_add(takes * MILLI, Ordering::SeqCst);
        Ok(self.next)
    }
}

type Times = Vec<(u64, u64)>;

/// Runs a [`Slow`] doer with a tock of a second for seven ticks.
fn paced(
    overrun: Overrun,
    pace: Pace,
    takes: &[(u64, u64)],
    next: Next,
) -> (Times, Overruns, Vec<(u64, u64)>) {
    let mut net = WakeNet::new([]);
    let mut doist = Doist::new(Vec::new())
        .with_tock(Duration::from_secs(1))
        .with_limit(Duration::from_secs(7))
        .with_overrun(overrun)
        .with_pace(pace);
    doist.add(Slow {
        clock: net.clock(),
        takes: takes.to_vec(),
        next,
    });
    assert_eq!(doist.run(&mut net).expect("no fault"), Outcome::Limit);
    let polls = net
        .polls
        .iter()
        .map(|(from, until)| (from / MILLI, until / MILLI))
        .collect();
    (doist.app.clone(), doist.overruns(), polls)
}

#[test]
fn p4_the_doist_sleeps_in_poll_until_the_next_due_tick() {
    let every_3 = After(Duration::from_secs(3));
    let (times, _, polls) = paced(Overrun::default(), Pace::Real, &[], every_3);
    assert_eq!(times, [(0, 0), (3000, 3000), (6000, 6000)]);
    assert_eq!(
        polls,
        [(0, 3000), (3000, 6000), (6000, 7000)],
        "one wait for each"
    );
    // The time that doers take is part of the wait.
    let (times, _, polls) = paced(Overrun::default(), Pace::Real, &[(3000, 800)], every_3);
    assert_eq!(times, [(0, 0), (3000, 3000), (6000, 6000)]);
    assert_eq!(polls, [(0, 3000), (3800, 6000), (6000, 7000)]);
    // Twice as fast.
    let (times, _, _) = paced(Overrun::default(), Pace::Scaled(2.0), &[], every_3);
    assert_eq!(times, [(0, 0), (3000, 1500), (6000, 3000)]);
    let source = include_str!("../src/doing/run.rs");
    assert!(!source.contains("sleep("), "the wait is Net::poll");
}

#[test]
fn p4_by_hand_recur_is_one_ticks_pass_and_at_once_the_tick() {
    let mut net = WakeNet::new([(1, group_of("a"))]);
    let mut doist = Doist::new(0u32).with_tock(Duration::from_secs(1));
    doist.add(doify(|_, cx: &mut Cx<'_, u32>| {
        *cx.app += 1;
        Ok(After(Duration::from_secs(3)))
    }));
    doist.enter(&mut net).expect("it enters");
    for n in 1..=10u64 {
        assert_eq!(doist.recur(&mut net).expect("no fault"), Step::More);
        assert_eq!(doist.tyme(), Tyme::from_secs(n));
    }
    assert_eq!(doist.app, 4, "at 0, 3, 6 and 9");
    assert_eq!(doist.due(), Due::At(Tyme::from_secs(12)));
    doist.exit(&mut net).expect("no fault");
    assert_eq!(doist.due(), Due::Idle);
}

#[test]
fn p4_wake_on_tick_switches_wake_passes_off() {
    for (wake, expected) in [
        (Wake::Now, vec![(0, 0), (1000, 1300), (2000, 2600)]),
        (Wake::OnTick, vec![(0, 0), (2000, 2000), (3000, 3000)]),
    ] {
        let ready = [(1300 * MILLI, group_of("s")), (2600 * MILLI, group_of("s"))];
        let mut net = WakeNet::new(ready);
        let mut doist = Doist::new(Vec::new())
            .with_tock(Duration::from_secs(1))
            .with_limit(Duration::from_secs(4))
            .with_wake(wake);
        doist.add(Served);
        doist.add(doify(|_, _: &mut Cx<'_, Times>| Ok(Again)));
        assert_eq!(doist.run(&mut net).expect("no fault"), Outcome::Limit);
        assert_eq!(doist.app, expected, "{wake:?}");
        assert!(!net.busy_loop);
    }
}

/// Parks until its group is ready.
struct Served;

impl Doer<Times> for Served {
    fn enter(&mut self, cx: &mut Cx<'_, Times>) -> Result<Next, Fault> {
        cx.net.set_owner(group_of("s"), cx.ask.owner());
        Ok(Again)
    }
    fn recur(&mut self, tyme: Tyme, cx: &mut Cx<'_, Times>) -> Result<Next, Fault> {
        cx.net.ready(group_of("s"), &mut Vec::new());
        cx.app
            .push((tyme.as_nanos() / MILLI, cx.net.now().as_nanos() / MILLI));
        Ok(Park(Tyme::NEVER))
    }
}

#[test]
fn p4_an_idle_doist_waits_for_readiness_without_end() {
    let mut net = WakeNet::new([(90_000_500 * MILLI, group_of("s"))]);
    let mut doist = Doist::new(Vec::new()).with_tock(Duration::from_secs(1));
    doist.add(Served);
    let fault = doist.run(&mut net).expect_err("nothing more to wait for");
    assert!(fault.to_string().contains("never end"), "{fault}");
    assert_eq!(doist.app, [(0, 0), (90_000_000, 90_000_500)]);
    assert_eq!(net.polls.len(), 2, "{:?}", net.polls);
}

#[test]
fn p4_random_scenarios_in_real_pacing() {
    let flavour = Flavour {
        deep: 40,
        park: 70,
        wake: 40,
        parking: 70,
        after: 20,
        dynamic: 20,
        fail: 3,
        supervise: 30,
        ..PLAIN
    };
    random_real_scenarios("p4", flavour);
}

// ---- P5

#[test]
fn p5_catch_up_runs_the_late_ticks_in_a_row() {
    let (times, overruns, _) = paced(Overrun::default(), Pace::Real, &[(1000, 3500)], Again);
    let expected = [
        (0, 0),
        (1000, 1000),
        (2000, 4500),
        (3000, 4500),
        (4000, 4500),
        (5000, 5000),
        (6000, 6000),
    ];
    assert_eq!(times, expected);
    // The ticks of 2 and 3 were more than a tock late.
    assert_eq!(
        overruns,
        Overruns {
            late: 2,
            missed: 0,
            realigned: 0
        }
    );
}

#[test]
fn p5_catch_up_takes_at_most_so_many_then_realigns() {
    let (times, overruns, _) = paced(
        Overrun::CatchUp { at_most: 1 },
        Pace::Real,
        &[(1000, 3500)],
        Again,
    );
    let expected = [
        (0, 0),
        (1000, 1000),
        (2000, 4500),
        (3000, 4500),
        (4000, 5500),
        (5000, 6500),
        (6000, 7500),
    ];
    assert_eq!(times, expected);
    assert_eq!(
        overruns,
        Overruns {
            late: 1,
            missed: 1,
            realigned: 1
        }
    );
    assert_eq!(Overrun::default(), Overrun::CatchUp { at_most: 4 });
    let (times, overruns, _) = paced(Overrun::default(), Pace::Real, &[(0, 10_500)], Again);
    let late = [
        (0, 0),
        (1000, 10_500),
        (2000, 10_500),
        (3000, 10_500),
        (4000, 10_500),
    ];
    assert_eq!(times[..5], late);
    assert_eq!(times[5..], [(5000, 10_500), (6000, 11_500)]);
    assert_eq!(
        overruns,
        Overruns {
            late: 4,
            missed: 5,
            realigned: 1
        }
    );
}

#[test]
fn p5_skip_leaves_the_late_ticks_out() {
    let (times, overruns, _) = paced(Overrun::Skip, Pace::Real, &[(1000, 3500)], Again);
    assert_eq!(
        times,
        [
            (0, 0),
            (1000, 1000),
            (4000, 4500),
            (5000, 5000),
            (6000, 6000)
        ]
    );
    assert_eq!(
        overruns,
        Overruns {
            late: 0,
            missed: 2,
            realigned: 0
        }
    );
}

#[test]
fn p5_realign_goes_on_from_now() {
    let (times, overruns, _) = paced(Overrun::Realign, Pace::Real, &[(1000, 3500)], Again);
    let expected = [
        (0, 0),
        (1000, 1000),
        (2000, 4500),
        (3000, 5500),
        (4000, 6500),
        (5000, 7500),
        (6000, 8500),
    ];
    assert_eq!(times, expected);
    assert_eq!(
        overruns,
        Overruns {
            late: 0,
            missed: 2,
            realigned: 1
        }
    );
}

#[test]
fn p5_less_than_a_tock_late_is_no_overrun() {
    for overrun in [Overrun::default(), Overrun::Skip, Overrun::Realign] {
        let (times, overruns, _) = paced(overrun, Pace::Real, &[(1000, 1900)], Again);
        let expected = [
            (0, 0),
            (1000, 1000),
            (2000, 2900),
            (3000, 3000),
            (4000, 4000),
            (5000, 5000),
            (6000, 6000),
        ];
        assert_eq!(times, expected, "{overrun:?}");
        assert_eq!(overruns, Overruns::default(), "{overrun:?}");
    }
}

/// What the law says of one overrun, for any lateness: naive, tick by tick.
fn paced_by_the_law(overrun: Overrun, takes: &[(u64, u64)], ticks: u64) -> (Times, Overruns) {
    let (mut times, mut counts) = (Vec::new(), Overruns::default());
    let (mut clock, mut tyme, mut shift, mut row) = (0u64, 0u64, 0u64, 0u32);
    while tyme < ticks * 1000 {
        times.push((tyme, clock));
        clock += takes.iter().find(|t| t.0 == tyme).map_or(0, |t| t.1);
        // The clock moment of the next tick, and how many ticks more have been reached as well.
        let next = tyme + 1000 + shift;
        clock = clock.max(next);
        let late = (clock - next) / 1000;
        tyme += 1000;
        match overrun {
            _ if late == 0 => row = 0,
            Overrun::CatchUp { at_most } if row < at_most => {
                row += 1;
                counts.late += 1;
            }
            Overrun::Skip => {
                tyme += late * 1000;
                counts.missed += late;
            }
            Overrun::CatchUp { .. } | Overrun::Realign => {
                shift = clock - tyme;
                row = 0;
                counts.missed += late;
                counts.realigned += 1;
            }
        }
    }
    (times, counts)
}

#[test]
fn p5_random_overruns() {
    let (seed, count) = seed_and_count("p5", 300);
    for seed in (0..count).map(|n| seed.wrapping_add(n)) {
        let mut rng = Random::new(seed);
        let mut takes = Vec::new();
        for tick in 0..7 {
            if rng.percent(40) {
                takes.push((tick * 1000, rng.below(9000)));
            }
        }
        let at_most = u32::try_from(rng.below(6)).expect("small");
        let policy = *rng.pick(&[
            Overrun::CatchUp { at_most },
            Overrun::Skip,
            Overrun::Realign,
        ]);
        let (times, overruns, _) = paced(policy, Pace::Real, &takes, Again);
        let expected = paced_by_the_law(policy, &takes, 7);
        assert_eq!(
            (times, overruns),
            expected,
            "HIO_SEED={seed} {policy:?} {takes:?}"
        );
    }
}

// ---- slices, which parking must survive

#[test]
fn p2_a_slice_by_time_gives_the_same_order() {
    /// Takes a millisecond of the clock.
    struct Milli(u32, Arc<AtomicU64>, Option<DoerId>);
    impl Doer<Vec<u32>> for Milli {
        fn recur(&mut self, _: Tyme, cx: &mut Cx<'_, Vec<u32>>) -> Result<Next, Fault> {
            cx.app.push(self.0);
            self.1.fetch_add(MILLI, Ordering::SeqCst);
            match self.2 {
                Some(other) => {
                    cx.ask.wake(other);
                    Ok(Again)
                }
                None => Ok(Park(Tyme::NEVER)),
            }
        }
    }
    let mut net = WakeNet::new([]);
    let clock = net.clock();
    let mut doist = Doist::new(Vec::new());
    let first = doist.add(Milli(0, Arc::clone(&clock), None));
    doist.add(Milli(1, Arc::clone(&clock), Some(first.into())));
    for n in 2..6 {
        doist.add(Milli(n, Arc::clone(&clock), None));
    }
    doist.enter(&mut net).expect("all enter");
    let budget = Budget::time(Duration::from_micros(2500));
    let mut steps = Vec::new();
    while doist.app.len() < 10 {
        steps.push(doist.recur_within(&mut net, budget).expect("no fault"));
    }
    assert_eq!(doist.app, [0, 1, 2, 3, 4, 5, 0, 1, 0, 1]);
    let (cut, more) = (Step::Cut, Step::More);
    assert_eq!(
        steps,
        [cut, more, more, more],
        "three doers fit into 2.5 ms, as none is cut short"
    );
    doist.exit(&mut net).expect("no fault");
}

/// Runs its children when it is run, notes when, and parks for good.
struct Grandparent {
    deeds: Deeds<Vec<u64>>,
}

impl Doer<Vec<u64>> for Grandparent {
    fn deeds(&self) -> Option<&Deeds<Vec<u64>>> {
        Some(&self.deeds)
    }
    fn deeds_mut(&mut self) -> Option<&mut Deeds<Vec<u64>>> {
        Some(&mut self.deeds)
    }
    fn recur(&mut self, tyme: Tyme, cx: &mut Cx<'_, Vec<u64>>) -> Result<Next, Fault> {
        cx.app.push(tyme.as_nanos() / 1_000_000_000);
        self.deeds.recur(tyme, cx)?;
        Ok(Park(Tyme::NEVER))
    }
}

/// Notes who it is, and parks for good.
struct Sleeping;

impl Doer<Vec<u64>> for Sleeping {
    fn enter(&mut self, cx: &mut Cx<'_, Vec<u64>>) -> Result<Next, Fault> {
        let Owner(me) = cx.ask.owner();
        cx.app.push(me);
        Ok(Park(Tyme::NEVER))
    }
    fn recur(&mut self, _: Tyme, cx: &mut Cx<'_, Vec<u64>>) -> Result<Next, Fault> {
        cx.app.push(u64::MAX);
        Ok(Park(Tyme::NEVER))
    }
}

#[test]
fn p1_a_wake_marks_the_parked_ancestors_above_a_timed_parent_too() {
    let mut timed = DoDoer::new().with_tock(Duration::from_secs(100));
    timed.add(Sleeping);
    let mut grandparent = Grandparent {
        deeds: Deeds::new(),
    };
    grandparent.deeds.add(timed);
    let mut doist = Doist::new(Vec::new()).with_tock(Duration::from_secs(1));
    doist.add(grandparent);
    let mut net = NullNet::default();
    doist.enter(&mut net).unwrap();
    let sleeper = DoerId::from(Owner(doist.app.remove(0)));
    doist.recur(&mut net).unwrap();
    doist.recur(&mut net).unwrap();
    assert_eq!(doist.app, [0], "parked");
    for _ in 0..3 {
        doist.wake(sleeper);
    }
    doist.recur(&mut net).unwrap();
    doist.recur(&mut net).unwrap();
    // It ran for the wake, once; the timed parent between them never runs early, so neither does
    // the sleeper.
    assert_eq!(doist.app, [0, 2]);
}
