//! Goal: none of hio's defects in `base` (`docs/DEFECTS.md`) is here.
//! Method: each story that went wrong in hio, told to a Doist whose doers note their hooks.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hio::doing::Hook;
use hio::doing::prelude::*;
use hio::net::Net;
use hio::tyme::{Tymer, duration_from_secs};

/// What the doers noted: `name.hook`.
type Notes = Vec<String>;

const TOCK: Duration = Duration::from_millis(10);

type Act = Box<dyn FnMut(u32, &mut Cx<'_, Notes>) -> Result<Next, Fault> + Send>;

/// A doer that notes its hooks and acts as told, by the number of its recur, counted from 1.
struct Probe {
    name: &'static str,
    count: u32,
    act: Act,
    fails: Option<&'static str>,
    alive: Option<Arc<AtomicUsize>>,
}

impl Probe {
    fn new(
        name: &'static str,
        act: impl FnMut(u32, &mut Cx<'_, Notes>) -> Result<Next, Fault> + Send + 'static,
    ) -> Self {
        Self {
            name,
            count: 0,
            act: Box::new(act),
            fails: None,
            alive: None,
        }
    }

    /// Runs at every tick for ever.
    fn endless(name: &'static str) -> Self {
        Self::new(name, |_, _| Ok(Again))
    }

    /// Panics in this hook.
    fn failing_in(mut self, hook: &'static str) -> Self {
        self.fails = Some(hook);
        self
    }

    fn note(&self, hook: &'static str, cx: &mut Cx<'_, Notes>) {
        cx.app.push(format!("{}.{hook}", self.name));
        assert!(self.fails != Some(hook), "{hook} was told to panic");
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        if let Some(alive) = &self.alive {
            alive.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Doer<Notes> for Probe {
    fn enter(&mut self, cx: &mut Cx<'_, Notes>) -> Result<Next, Fault> {
        cx.app.push(format!("{}.enter", self.name));
        if self.fails == Some("enter") {
            Err(Fault::msg("told to fail"))
        } else {
            Ok(Again)
        }
    }
    fn recur(&mut self, _tyme: Tyme, cx: &mut Cx<'_, Notes>) -> Result<Next, Fault> {
        self.count += 1;
        cx.app.push(format!("{}.recur", self.name));
        (self.act)(self.count, cx)
    }
    fn clean(&mut self, cx: &mut Cx<'_, Notes>) {
        self.note("clean", cx);
    }
    fn cease(&mut self, cx: &mut Cx<'_, Notes>) {
        self.note("cease", cx);
    }
    fn abort(&mut self, _why: &Fault, cx: &mut Cx<'_, Notes>) {
        self.note("abort", cx);
    }
    fn exit(&mut self, cx: &mut Cx<'_, Notes>) {
        self.note("exit", cx);
    }
}

fn doist() -> Doist<Notes> {
    Doist::new(Notes::new())
        .with_tock(TOCK)
        .with_pace(Pace::Asap)
}

/// Ends after so many recurs.
fn until(last: u32) -> impl FnMut(u32, &mut Cx<'_, Notes>) -> Result<Next, Fault> + Send {
    move |n, _| Ok(if n >= last { Done(true) } else { Again })
}

/// The notes without those of `recur` and `enter`.
fn endings(notes: &[String]) -> Vec<&str> {
    let is_ending = |n: &&str| !n.ends_with(".recur") && !n.ends_with(".enter");
    notes.iter().map(String::as_str).filter(is_ending).collect()
}

fn count(notes: &[String], note: &str) -> usize {
    notes.iter().filter(|n| *n == note).count()
}

#[test]
fn defect_d1_closing_after_a_failure_is_in_reverse_enter_order() {
    let mut doist = doist();
    doist.add(Probe::endless("a"));
    doist.add(Probe::new("b", |n, _| {
        if n == 2 {
            Err(Fault::msg("b fails"))
        } else {
            Ok(Again)
        }
    }));
    doist.add(Probe::endless("c"));
    let fault = doist.run(&mut NullNet::default()).unwrap_err();
    assert!(fault.to_string().contains("b fails"), "{fault}");
    let want = [
        "b.abort", "b.exit", "c.cease", "c.exit", "a.cease", "a.exit",
    ];
    assert_eq!(endings(&doist.app), want);
}

#[test]
fn defect_d1_removed_in_mid_pass_close_in_reverse_enter_order() {
    let mut doist = doist();
    let a = DoerId::from(doist.add(Probe::endless("a")));
    let c = Arc::new(std::sync::OnceLock::<DoerId>::new());
    let of_b = Arc::clone(&c);
    doist.add(Probe::new("b", move |n, cx| {
        if n == 2 {
            cx.ask.remove_all(&[a, *of_b.get().expect("c was added")]);
        }
        Ok(if n == 3 { Done(true) } else { Again })
    }));
    let id = DoerId::from(doist.add(Probe::endless("c")));
    c.set(id).expect("set once");
    assert_eq!(doist.run(&mut NullNet::default()).unwrap(), Outcome::Done);
    let want = [
        "c.cease", "c.exit", "a.cease", "a.exit", "b.clean", "b.exit",
    ];
    assert_eq!(endings(&doist.app), want);
}

#[test]
fn defect_d2_what_a_failing_extend_has_entered_is_closed() {
    let mut doist = doist();
    doist.add(Probe::new("asker", |n, cx| {
        if n == 1 {
            cx.ask.extend_all(|batch| {
                batch.add(Probe::endless("x"));
                batch.add(Probe::endless("y").failing_in("enter"));
            });
        }
        Ok(Again)
    }));
    let fault = doist.run(&mut NullNet::default()).unwrap_err();
    assert!(fault.to_string().contains("told to fail"), "{fault}");
    for hook in ["x.cease", "x.exit", "asker.cease", "asker.exit"] {
        assert_eq!(count(&doist.app, hook), 1, "{hook} in {:?}", doist.app);
    }
    assert_eq!(count(&doist.app, "x.recur"), 0);
}

#[test]
fn defect_d3_temp_is_of_one_doer() {
    let mut doist = Doist::new(Vec::<(u8, bool)>::new()).with_pace(Pace::Asap);
    let note = |n: u8| {
        doify(move |_tyme, cx: &mut Cx<'_, Vec<(u8, bool)>>| {
            let temp = cx.temp();
            cx.app.push((n, temp));
            Ok(Done(true))
        })
    };
    doist.add(note(1));
    doist.named("temporary").temp(true).add(note(2));
    doist.add(note(3));
    let mut children = DoDoer::new();
    children.add_temp(note(4));
    children.add(note(5));
    doist.named("parent").temp(true).add(children);
    doist.run(&mut NullNet::default()).unwrap();
    let seen = [(1, false), (2, true), (3, false), (4, true), (5, false)];
    assert_eq!(doist.app, seen);
}

#[test]
fn defect_d5_a_limit_of_zero_is_one_pass() {
    let mut doist = doist().with_limit(Duration::ZERO);
    doist.add(Probe::endless("a"));
    assert_eq!(doist.run(&mut NullNet::default()).unwrap(), Outcome::Limit);
    assert_eq!(count(&doist.app, "a.recur"), 1);
    assert!(
        duration_from_secs(-1.0).is_err(),
        "a negative limit is an error"
    );
}

#[test]
fn defect_d6_real_time_follows_a_changed_tock() {
    // NullNet's clock leaps to the end of each wait, so it tells how long a run waited.
    let mut net = NullNet::default();
    let mut doist = doist()
        .with_tock(Duration::from_secs(5))
        .with_pace(Pace::Real);
    doist.add(Probe::new("slow", until(3)));
    doist.run(&mut net).unwrap();
    let before = net.now();
    assert!(before >= Tyme::from_secs(10));
    doist.set_tock(TOCK);
    doist.add(Probe::new("fast", until(4)));
    doist.run(&mut net).unwrap();
    let took = net.now() - before;
    assert!(took >= 3 * TOCK && took <= 4 * TOCK, "{took:?}");
}

#[test]
fn defect_d8_a_tock_0_child_runs_at_every_recur_of_its_parent() {
    // hio skipped 7 of 16: the parent's tock is no multiple of the Doist's.
    let mut doist = doist().with_limit(Duration::from_millis(480));
    let mut parent = DoDoer::new().with_tock(Duration::from_millis(15));
    parent.add(Probe::endless("child"));
    let parent = doist.named("parent").add(parent);
    doist.run(&mut NullNet::default()).unwrap();
    let recurs = doist.stats_of(parent).expect("it is known").recurs;
    assert!(recurs > 20, "{recurs}");
    assert_eq!(count(&doist.app, "child.recur") as u64, recurs);
}

#[test]
fn defect_d11_doers_that_were_extended_are_dropped_at_their_end() {
    let alive = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&alive);
    let mut doist = doist();
    doist.add(Probe::new("spawner", move |n, cx| {
        assert!(seen.load(Ordering::Relaxed) <= 1, "the ended ones are gone");
        let mut one = Probe::new("one", until(1));
        one.alive = Some(Arc::clone(&seen));
        seen.fetch_add(1, Ordering::Relaxed);
        cx.ask.extend(one);
        Ok(if n == 201 { Done(true) } else { Again })
    }));
    assert_eq!(doist.run(&mut NullNet::default()).unwrap(), Outcome::Done);
    assert_eq!(count(&doist.app, "one.exit"), 201);
    assert_eq!(alive.load(Ordering::Relaxed), 0);
}

/// A parent of its own kind: it notes its hooks, and acts on its child by the number of its recur.
struct Family<F> {
    deeds: Deeds<Notes>,
    child: Id<Probe>,
    count: u32,
    act: F,
    /// The child's id as the Doist knows it.
    known: Option<DoerId>,
}

impl<F> Family<F> {
    fn new(child: Probe, act: F) -> Self {
        let mut deeds = Deeds::new();
        let child = deeds.add(child);
        Self {
            deeds,
            child,
            count: 0,
            act,
            known: None,
        }
    }
}

impl<F> Doer<Notes> for Family<F>
where
    F: FnMut(u32, DoerId, &mut Deeds<Notes>, &mut Cx<'_, Notes>),
{
    fn deeds(&self) -> Option<&Deeds<Notes>> {
        Some(&self.deeds)
    }
    fn deeds_mut(&mut self) -> Option<&mut Deeds<Notes>> {
        Some(&mut self.deeds)
    }
    fn recur(&mut self, tyme: Tyme, cx: &mut Cx<'_, Notes>) -> Result<Next, Fault> {
        self.count += 1;
        cx.app.push("parent.recur".to_owned());
        let child = DoerId::from(self.deeds.id(self.child, cx));
        self.known = Some(child);
        (self.act)(self.count, child, &mut self.deeds, cx);
        self.deeds.recur(tyme, cx)?;
        Ok(if self.count == 5 { Done(true) } else { Again })
    }
    fn exit(&mut self, cx: &mut Cx<'_, Notes>) {
        cx.app.push("parent.exit".to_owned());
    }
}

#[test]
fn defect_d12_removing_a_child_is_no_exit_of_the_parent() {
    let mut doist = doist();
    let remove_in_its_third = |n, child, deeds: &mut Deeds<Notes>, cx: &mut Cx<'_, Notes>| {
        if n == 3 {
            deeds.remove(&[child], cx);
        }
    };
    doist.add(Family::new(Probe::endless("child"), remove_in_its_third));
    assert_eq!(doist.run(&mut NullNet::default()).unwrap(), Outcome::Done);
    assert_eq!(
        endings(&doist.app),
        ["child.cease", "child.exit", "parent.exit"]
    );
    assert_eq!(count(&doist.app, "parent.recur"), 5);
    assert_eq!(count(&doist.app, "child.recur"), 2);
}

#[test]
fn defect_d13_a_doer_that_has_ended_can_be_entered_again() {
    let mut net = NullNet::default();
    let mut doist = doist();
    let first = doist.add(Probe::new("a", |_, _| Ok(Done(true))));
    doist.run(&mut net).unwrap();
    assert_eq!(doist.ended(first), Some(Ended::Done(true)));
    let again = doist.take(first).expect("it has ended and is given back");
    let second = doist.add(again);
    assert_eq!(doist.run(&mut net).unwrap(), Outcome::Done);
    assert_ne!(DoerId::from(first), DoerId::from(second));
    assert_eq!(count(&doist.app, "a.enter"), 2);
    assert_eq!(doist.ended(second), Some(Ended::Done(true)));
}

#[test]
fn defect_d14_an_interrupted_run_closes_all_and_says_so() {
    let mut doist = doist();
    let stop = doist.stop_handle();
    let a = doist.add(Probe::new("a", move |n, _| {
        if n == 3 {
            stop.stop();
        }
        Ok(Again)
    }));
    doist.add(Probe::endless("b"));
    assert_eq!(
        doist.run(&mut NullNet::default()).unwrap(),
        Outcome::Stopped
    );
    assert_eq!(
        endings(&doist.app),
        ["b.cease", "b.exit", "a.cease", "a.exit"]
    );
    assert_eq!(doist.ended(a), Some(Ended::Ceased));
}

#[test]
fn defect_d15_a_run_says_why_it_ended_and_how_each_doer_did() {
    let mut doist = doist();
    let done = doist.add(Probe::new("done", |_, _| Ok(Done(true))));
    let not = doist.add(Probe::new("not", |_, _| Ok(Done(false))));
    let failed = doist.add(Probe::new("failed", |n, _| {
        if n == 2 {
            Err(Fault::msg("no"))
        } else {
            Ok(Again)
        }
    }));
    let closed = doist.add(Probe::endless("closed"));
    let fault = doist.run(&mut NullNet::default()).unwrap_err();
    assert_eq!(fault.hook(), Some(Hook::Recur));
    assert_eq!(doist.ended(done), Some(Ended::Done(true)));
    assert_eq!(doist.ended(not), Some(Ended::Done(false)));
    assert_eq!(doist.ended(failed), Some(Ended::Aborted));
    assert_eq!(doist.ended(closed), Some(Ended::Ceased));
}

#[test]
fn defect_d16_no_tock_is_negative_or_no_number() {
    for bad in [-0.001, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert!(duration_from_secs(bad).is_err(), "{bad}");
        assert!(Tyme::from_secs_f64(bad).is_err(), "{bad}");
    }
}

#[test]
fn defect_d17_ten_tocks_of_a_tenth_are_one_second() {
    let tock = duration_from_secs(0.1).unwrap();
    let mut doist = doist().with_tock(tock).with_limit(Duration::from_secs(1));
    doist.add(Probe::endless("a"));
    assert_eq!(doist.run(&mut NullNet::default()).unwrap(), Outcome::Limit);
    assert_eq!(count(&doist.app, "a.recur"), 10, "hio: 11");
    assert_eq!(doist.tyme(), Tyme::from_secs(1), "hio: 1.0999999999999999");
}

/// Asks for a sibling in its enter.
struct Extender;

impl Doer<Notes> for Extender {
    fn enter(&mut self, cx: &mut Cx<'_, Notes>) -> Result<Next, Fault> {
        cx.ask.extend(Probe::new("late", until(2)));
        Ok(Again)
    }
    fn recur(&mut self, _tyme: Tyme, _cx: &mut Cx<'_, Notes>) -> Result<Next, Fault> {
        Ok(Done(true))
    }
}

#[test]
fn defect_d18_a_doer_extended_in_an_enter_is_entered_once() {
    let mut doist = doist();
    doist.add(Extender);
    doist.add(Probe::new("next", until(2)));
    assert_eq!(doist.run(&mut NullNet::default()).unwrap(), Outcome::Done);
    assert_eq!(count(&doist.app, "late.enter"), 1);
    assert_eq!(count(&doist.app, "late.exit"), 1);
    let entered = |n: &&String| n.ends_with(".enter");
    let order: Vec<&String> = doist.app.iter().filter(entered).collect();
    assert_eq!(order, ["next.enter", "late.enter"], "after the whole list");
}

#[test]
fn defect_d20_a_panic_while_closing_stops_no_other_closing() {
    let mut doist = doist().with_limit(TOCK);
    doist.add(Probe::endless("a"));
    doist.add(Probe::endless("b").failing_in("exit"));
    doist.add(Probe::endless("c").failing_in("cease"));
    let fault = doist.run(&mut NullNet::default()).unwrap_err();
    let want = [
        "c.cease", "c.exit", "b.cease", "b.exit", "a.cease", "a.exit",
    ];
    assert_eq!(endings(&doist.app), want);
    assert_eq!(fault.also().len() + 1, 2, "both are told: {fault}");
}

#[test]
fn defect_d21_a_childs_result_stays_readable() {
    let mut doist = doist();
    let nothing = |_, _, _: &mut Deeds<Notes>, _: &mut Cx<'_, Notes>| ();
    let failing = Probe::new("child", |_, _| Ok(Done(false)));
    let parent = doist.add(Family::new(failing, nothing));
    assert_eq!(doist.run(&mut NullNet::default()).unwrap(), Outcome::Done);
    assert_eq!(doist.ended(parent), Some(Ended::Done(true)));
    let child = doist
        .get(parent)
        .and_then(|p| p.known)
        .expect("the parent is kept");
    assert_eq!(doist.ended(child), Some(Ended::Done(false)));
}

#[test]
fn defect_d22_a_doer_that_removes_itself_ends() {
    let mut doist = doist();
    let a = doist.add(Probe::new("a", |n, cx| {
        if n == 2 {
            let me = cx.ask.me();
            cx.ask.remove(me);
        }
        Ok(Again)
    }));
    doist.add(Probe::new("b", until(5)));
    assert_eq!(doist.run(&mut NullNet::default()).unwrap(), Outcome::Done);
    assert_eq!(count(&doist.app, "a.recur"), 2);
    assert_eq!(&endings(&doist.app)[..2], ["a.cease", "a.exit"]);
    assert_eq!(doist.ended(a), Some(Ended::Ceased));
}

#[test]
fn defect_d23_a_real_run_does_not_wait_for_a_tick_that_has_no_work() {
    let mut net = NullNet::default();
    let mut doist = doist()
        .with_tock(Duration::from_secs(5))
        .with_pace(Pace::Real);
    doist.add(Probe::new("a", until(3)));
    assert_eq!(doist.run(&mut net).unwrap(), Outcome::Done);
    assert_eq!(
        net.now(),
        Tyme::from_secs(10),
        "two waits between three recurs"
    );
    assert_eq!(
        doist.tyme(),
        Tyme::from_secs(15),
        "tyme has its last tick (law O9)"
    );
}

#[test]
fn defect_t1_refreshing_a_tymer_counts_from_now() {
    let mut tymer = Tymer::new(Tyme::ZERO, Duration::from_secs(5));
    for _ in 0..100 {
        tymer.start(Tyme::from_secs(1));
    }
    assert_eq!(
        tymer.remaining(Tyme::from_secs(1)),
        Duration::from_secs(5),
        "hio: 505"
    );
}
