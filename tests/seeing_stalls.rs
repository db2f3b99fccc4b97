//! Goal: a doer that keeps all others waiting is named: when it returns, and while it does not.
//! Method: a clock that doers move by hand, so that nothing depends on how fast the machine is; for
//! the doer that does not return, a second thread that looks while it waits for that look.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hio::doing::prelude::*;
use hio::doing::{Event, Restarts, Stall, StallWatch};
use hio::tyme::Clock;

const MS: Duration = Duration::from_millis(1);

/// Stands where doers put it.
#[derive(Clone, Default)]
struct Hand(Arc<AtomicU64>);

impl Hand {
    fn pass(&self, span: Duration) {
        let nanos = u64::try_from(span.as_nanos()).unwrap();
        self.0.fetch_add(nanos, Ordering::SeqCst);
    }
}

impl Clock for Hand {
    fn now(&mut self) -> Tyme {
        Tyme::from_nanos(self.0.load(Ordering::SeqCst))
    }
    fn wall(&mut self) -> Duration {
        Duration::ZERO
    }
}

fn watched(clock: &Hand, told: &Arc<Mutex<Vec<Stall>>>) -> StallWatch<Hand> {
    let told = Arc::clone(told);
    StallWatch::new(clock.clone(), 50 * MS)
        .on_stall(move |stall| told.lock().unwrap().push(stall.clone()))
}

#[test]
fn the_slow_one_is_named_and_its_parents_are_not_blamed() {
    let (clock, told) = (Hand::default(), Arc::default());
    let mut doist = Doist::new(()).with_pace(Pace::Asap);
    let mut inner: DoDoer = DoDoer::new();
    let slow = clock.clone();
    inner.add_named(
        "slow",
        doify(move |tyme, _: &mut Cx<'_>| {
            slow.pass(if tyme == Tyme::ZERO { 49 * MS } else { 70 * MS });
            Ok(if tyme == Tyme::ZERO {
                Again
            } else {
                Done(true)
            })
        }),
    );
    let mut outer: DoDoer = DoDoer::new();
    outer.add_named("inner", inner);
    doist.named("outer").add(outer);
    doist.named("quick").add(redo([Again, Again, Done(true)]));
    let watch = watched(&clock, &told);
    let report = watch.report();
    doist.watch(watch);
    doist.run(&mut NullNet::default()).unwrap();

    let told = told.lock().unwrap();
    assert_eq!(told.len(), 1, "{told:?}");
    let stall = &told[0];
    assert_eq!(
        (stall.path.as_str(), stall.hook),
        ("outer/inner/slow", Event::Recur)
    );
    assert_eq!((stall.took, stall.since), (70 * MS, Tyme::from_millis(49)));
    assert_eq!(stall.tyme, Tyme::ZERO + doist.tock());
    let text = stall.to_string();
    assert!(
        text.starts_with("outer/inner/slow took 70.0ms in Recur at tyme "),
        "{text}"
    );
    assert_eq!((report.stalls(), report.longest()), (1, 70 * MS));
    assert_eq!(report.last().as_ref(), Some(stall));
    assert_eq!(report.running(), None);
}

#[test]
fn every_hook_is_watched_also_one_that_panics() {
    let (clock, told) = (Hand::default(), Arc::default());
    struct Slow(Hand);
    impl Doer for Slow {
        fn enter(&mut self, _: &mut Cx<'_>) -> Result<Next, Fault> {
            self.0.pass(60 * MS);
            Ok(Again)
        }
        fn recur(&mut self, _: Tyme, _: &mut Cx<'_>) -> Result<Next, Fault> {
            self.0.pass(61 * MS);
            panic!("not told");
        }
        fn abort(&mut self, _: &Fault, _: &mut Cx<'_>) {
            self.0.pass(62 * MS);
        }
        fn exit(&mut self, _: &mut Cx<'_>) {
            self.0.pass(63 * MS);
        }
    }
    let mut doist = Doist::new(()).with_pace(Pace::Asap);
    doist.supervise(Restarts::new(1, Duration::from_secs(60)).policy());
    doist.named("slow").add(Slow(clock.clone()));
    doist.watch(watched(&clock, &told));
    doist.run(&mut NullNet::default()).unwrap_err();
    let told = told.lock().unwrap();
    let hooks: Vec<_> = told.iter().map(|s| (s.hook, s.took)).collect();
    let life = [
        (Event::Enter, 60 * MS),
        (Event::Recur, 61 * MS),
        (Event::Abort, 62 * MS),
        (Event::Exit, 63 * MS),
    ];
    assert_eq!(hooks, [life, life].concat(), "it was restarted once");
    assert!(told.iter().all(|s| s.path == "slow"));
}

#[test]
fn one_that_does_not_return_is_seen_from_another_thread() {
    let clock = Hand::default();
    let watch = StallWatch::new(clock.clone(), 50 * MS);
    let report = watch.report();
    let (seen, waits) = std::sync::mpsc::channel();
    let mut doist = Doist::new(()).with_pace(Pace::Asap);
    let hand = clock.clone();
    let mut parent: DoDoer = DoDoer::new();
    parent.add_named(
        "hangs",
        doify(move |_, _: &mut Cx<'_>| {
            hand.pass(9 * MS);
            // It hangs until it was seen to: bounded, so that a failure is not a hang itself.
            match waits.recv_timeout(Duration::from_secs(10)) {
                Ok(()) => Ok(Done(true)),
                Err(_) => Err(Fault::msg("nobody saw it")),
            }
        }),
    );
    doist.named("parent").add(parent);
    doist.watch(watch);
    let looker = std::thread::spawn(move || {
        loop {
            if let Some(running) = report.running().filter(|r| r.path.ends_with("hangs")) {
                seen.send(()).unwrap();
                return running;
            }
            std::thread::yield_now();
        }
    });
    doist.run(&mut NullNet::default()).unwrap();
    let running = looker.join().unwrap();
    assert_eq!(running.path, "parent/hangs");
    assert_eq!((running.hook, running.since), (Event::Recur, Tyme::ZERO));
    assert_eq!(running.tyme, Tyme::ZERO);
}

/// What the log was told, at which level.
static LOG: Mutex<Vec<(log::Level, String)>> = Mutex::new(Vec::new());

struct Log;

impl log::Log for Log {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }
    fn log(&self, record: &log::Record<'_>) {
        let text = record.args().to_string();
        if text.starts_with("stall: often") {
            LOG.lock().unwrap().push((record.level(), text));
        }
    }
    fn flush(&self) {}
}

#[test]
fn the_log_has_a_line_a_second_at_most() {
    log::set_logger(&Log).unwrap();
    log::set_max_level(log::LevelFilter::Trace);
    let (clock, told) = (Hand::default(), Arc::default());
    let mut doist = Doist::new(()).with_pace(Pace::Asap);
    let hand = clock.clone();
    let mut left = 30;
    doist.named("often").add(doify(move |_, _: &mut Cx<'_>| {
        hand.pass(100 * MS);
        left -= 1;
        Ok(if left > 0 { Again } else { Done(true) })
    }));
    doist.watch(watched(&clock, &told));
    doist.run(&mut NullNet::default()).unwrap();
    assert_eq!(told.lock().unwrap().len(), 30, "each is handed over");
    let log = LOG.lock().unwrap();
    assert_eq!(log.len(), 3, "{log:?}");
    assert!(log.iter().all(|(level, _)| *level == log::Level::Warn));
    assert!(
        log[1].1.ends_with("; 9 more since the last line"),
        "{log:?}"
    );
}

#[test]
fn a_watch_that_comes_late_names_whom_it_sees() {
    let (clock, told) = (Hand::default(), Arc::default());
    let mut doist = Doist::new(());
    let hand = clock.clone();
    let mut parent: DoDoer = DoDoer::new();
    parent.add_named(
        "slow",
        doify(move |_, _: &mut Cx<'_>| {
            hand.pass(80 * MS);
            Ok(Again)
        }),
    );
    doist.named("parent").add(parent);
    let mut net = NullNet::default();
    doist.enter(&mut net).unwrap();
    doist.recur(&mut net).unwrap();
    doist.watch(watched(&clock, &told));
    doist.recur(&mut net).unwrap();
    doist.exit(&mut net).unwrap();
    let told = told.lock().unwrap();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].path, "parent/slow");
}
