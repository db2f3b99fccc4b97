//! Goal: the laws of time, T1 to T4 of docs/LAWS.md, hold clause by clause.
//! Method: stories, arithmetic held against wide integers, a look at the sources, and scenarios
//! with changing tocks held against the executable laws.

#[path = "support/laws/mod.rs"]
#[expect(
    missing_docs,
    clippy::missing_panics_doc,
    reason = "support of the tests: it says what it is in the modules, and panics to fail"
)]
pub mod laws;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hio::doing::prelude::*;
use hio::doing::{Step, Turn, Wake};
use hio::tyme::{Clock as _, SystemClock, TymeError, Tymist, duration_from_secs};

use laws::generate::{Flavour, PLAIN};
use laws::harness::{self, Drive};
use laws::model;
use laws::random::{Random, seed_and_count};
use laws::scenario::HostOp;
use laws::tell::{doist, leaf, parking, random_scenarios, tells, written};
use laws::wakenet::WakeNet;

fn nanos(n: u64) -> Duration {
    Duration::from_nanos(n)
}

// ---- T1

#[test]
fn t1_tyme_is_nanoseconds_since_the_origin_and_sums_saturate() {
    assert_eq!(Tyme::from_secs(3).as_nanos(), 3_000_000_000);
    assert_eq!(Tyme::from_millis(3), Tyme::ZERO + Duration::from_millis(3));
    assert_eq!(size_of::<Tyme>(), size_of::<u64>());
    assert_eq!(Tyme::NEVER.as_nanos(), u64::MAX);
    assert_eq!(Tyme::NEVER + nanos(1), Tyme::NEVER);
    assert_eq!(Tyme::from_nanos(u64::MAX - 1) + nanos(5), Tyme::NEVER);
    assert_eq!(Tyme::ZERO + Duration::MAX, Tyme::NEVER);
    assert_eq!(Tyme::from_secs(1) - Duration::from_secs(2), Tyme::ZERO);
    assert_eq!(Tyme::from_secs(1) - Tyme::from_secs(2), Duration::ZERO);
    assert_eq!(Tyme::from_secs(u64::MAX), Tyme::NEVER);
    assert_eq!(Tyme::from_millis(u64::MAX), Tyme::NEVER);
    assert!(Tyme::NEVER > Tyme::from_nanos(u64::MAX - 1) && Tyme::NEVER.is_never());
}

#[test]
fn t1_floats_are_for_display_and_checked_where_they_come_in() {
    assert_eq!(Tyme::from_nanos(1_500_000_000).to_string(), "1.5s");
    assert_eq!(Tyme::from_nanos(1).to_string(), "0.000000001s");
    assert_eq!(Tyme::NEVER.to_string(), "never");
    assert_eq!(duration_from_secs(0.25), Ok(Duration::from_millis(250)));
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert!(matches!(
            duration_from_secs(bad),
            Err(TymeError::NotFinite(_))
        ));
    }
    assert_eq!(duration_from_secs(-0.1), Err(TymeError::Negative(-0.1)));
    assert_eq!(duration_from_secs(1e12), Err(TymeError::TooLarge(1e12)));
    assert!(Doist::new(()).with_tock_secs(-1.0).is_err());
    // hio's tock 0.1 and limit 1.0 made 11 passes; whole nanoseconds make 10.
    let mut doist = Doist::new(0u32)
        .with_tock_secs(0.1)
        .expect("a tock")
        .with_limit(Duration::from_secs(1))
        .with_pace(Pace::Asap);
    doist.add(doify(|_, cx: &mut Cx<'_, u32>| {
        *cx.app += 1;
        Ok(Again)
    }));
    assert_eq!(
        doist.run(&mut NullNet::default()).expect("no fault"),
        Outcome::Limit
    );
    assert_eq!((doist.app, doist.tyme()), (10, Tyme::from_secs(1)));
}

#[test]
fn t1_random_sums_are_those_of_wide_integers() {
    let (seed, count) = seed_and_count("t1", 2000);
    for seed in (0..count).map(|n| seed.wrapping_add(n)) {
        let mut rng = Random::new(seed);
        let mut wide = || {
            let shift = rng.below(64);
            rng.draw() >> shift
        };
        let (a, b) = (wide(), wide());
        let sum = u64::try_from(u128::from(a) + u128::from(b)).unwrap_or(u64::MAX);
        let gap = a.saturating_sub(b);
        assert_eq!((Tyme::from_nanos(a) + nanos(b)).as_nanos(), sum);
        assert_eq!((Tyme::from_nanos(a) - nanos(b)).as_nanos(), gap);
        assert_eq!(Tyme::from_nanos(a) - Tyme::from_nanos(b), nanos(gap));
        assert_eq!(Tyme::from_nanos(a) < Tyme::from_nanos(b), a < b);
    }
}

// ---- T2

/// All Rust files below a folder.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// Lines of code that name one of `words`, as `path: line`.
fn naming(words: &[&str]) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    for file in sources(&root) {
        let text = fs::read_to_string(&file).expect("a text file");
        let path = file
            .strip_prefix(&root)
            .expect("below it")
            .display()
            .to_string();
        for line in text.lines() {
            let code = line.split("//").next().unwrap_or_default();
            if words.iter().any(|w| code.contains(w)) {
                found.push(format!("{path}: {}", code.trim()));
            }
        }
    }
    found
}

#[test]
fn t2_only_the_system_clock_and_the_mio_net_read_clock_or_entropy() {
    let clocks = naming(&[
        "Instant::now",
        "SystemTime::now",
        "thread::sleep",
        "UNIX_EPOCH",
    ]);
    assert!(
        clocks.len() >= 2,
        "the search is broken: it does not find the clock itself"
    );
    for line in &clocks {
        // A file has a time of its own, which is told from the same moment.
        let of_a_file = line.contains("UNIX_EPOCH") && line.contains("ends/files.rs");
        assert!(line.starts_with("tyme/clock.rs") || of_a_file, "{line}");
    }
    let entropy = naming(&[
        "getrandom",
        "urandom",
        "RandomState",
        "thread_rng",
        "DefaultHasher",
    ]);
    assert!(
        !entropy.is_empty(),
        "the search is broken: it does not find the net's entropy"
    );
    for line in &entropy {
        assert!(line.starts_with("net/mio"), "{line}");
    }
    for line in naming(&["SystemClock"]) {
        // Threads are nothing but the real world: the limit of their stop is the clock's.
        let threads = line.starts_with("crew/threads.rs");
        let tells = line.starts_with("tyme/") || line.starts_with("net/mio") || threads;
        assert!(tells, "{line}");
    }
}

#[test]
fn t2_a_doist_knows_no_time_but_what_it_is_told() {
    // The net's clock stands still however long this takes, so tyme does not move either.
    let mut net = NullNet::default();
    let mut doist = Doist::new(()).with_tock(Duration::from_secs(1));
    doist.add(doify(|_, _: &mut Cx<'_>| {
        Ok(After(Duration::from_secs(3600)))
    }));
    doist.enter(&mut net).expect("it enters");
    let before = SystemClock::new().now();
    assert_eq!(
        before.as_nanos() / 1_000_000_000,
        0,
        "zero where it was made"
    );
    assert_eq!(doist.recur(&mut net).expect("no fault"), Step::More);
    assert_eq!(doist.tyme(), Tyme::from_secs(1));
    assert_eq!(
        doist
            .advance(&mut net, Duration::ZERO)
            .expect("no fault")
            .ticks,
        0
    );
    assert_eq!(doist.tyme(), Tyme::from_secs(1));
    doist.exit(&mut net).expect("no fault");
}

// ---- T3

#[test]
fn t3_a_tymer_is_plain_data_that_is_told_the_tyme() {
    let s = Tyme::from_secs;
    let secs = Duration::from_secs;
    let mut tymer = Tymer::new(s(10), secs(4));
    let copy = tymer; // Copy: the original goes on
    assert!(!tymer.expired(s(13)) && tymer.expired(s(14)) && tymer.expired(s(15)));
    assert_eq!(tymer.elapsed(s(12)), secs(2));
    assert_eq!(tymer.remaining(s(12)), secs(2));
    assert_eq!(
        (tymer.elapsed(s(9)), tymer.pending(s(9))),
        (secs(0), secs(1))
    );
    assert_eq!(
        (tymer.remaining(s(15)), tymer.overdue(s(15))),
        (secs(0), secs(1))
    );
    tymer.start(s(20));
    assert_eq!((tymer.start_tyme(), tymer.stop()), (s(20), s(24)));
    tymer.restart();
    assert_eq!(
        (tymer.start_tyme(), tymer.stop()),
        (s(24), s(28)),
        "from the old stop"
    );
    tymer.restart_for(secs(1));
    assert_eq!((tymer.start_tyme(), tymer.stop()), (s(28), s(29)));
    tymer.start_for(s(3), secs(9));
    assert_eq!(
        (tymer.start_tyme(), tymer.stop(), tymer.duration()),
        (s(3), s(12), secs(9))
    );
    assert_eq!((copy.start_tyme(), copy.stop()), (s(10), s(14)));
}

#[test]
fn t3_refreshing_is_start_and_restart_is_lossless() {
    // A timeout of 5 s that is refreshed a hundred times at one tyme is a timeout of 5 s.
    let mut tymer = Tymer::new(Tyme::ZERO, Duration::from_secs(5));
    for _ in 0..100 {
        tymer.start(Tyme::from_secs(1));
    }
    assert_eq!(tymer.remaining(Tyme::from_secs(1)), Duration::from_secs(5));
    // A rhythm of 5 s that is served late keeps its beat.
    let mut tymer = Tymer::new(Tyme::ZERO, Duration::from_secs(5));
    for beat in 1..=100 {
        assert!(tymer.expired(Tyme::from_secs(5 * beat) + Duration::from_millis(beat)));
        tymer.restart();
    }
    assert_eq!(tymer.stop(), Tyme::from_secs(505));
}

#[test]
fn t3_random_tymers() {
    let (seed, count) = seed_and_count("t3", 500);
    for seed in (0..count).map(|n| seed.wrapping_add(n)) {
        let mut rng = Random::new(seed);
        let top = *rng.pick(&[100, u64::MAX / 3]);
        let (mut start, mut span) = (rng.below(top), rng.below(top));
        let mut tymer = Tymer::new(Tyme::from_nanos(start), nanos(span));
        for _ in 0..20 {
            let (now, other) = (rng.below(top), rng.below(top));
            match rng.below(5) {
                0 => {
                    tymer.start(Tyme::from_nanos(now));
                    start = now;
                }
                1 => {
                    tymer.start_for(Tyme::from_nanos(now), nanos(other));
                    (start, span) = (now, other);
                }
                2 if start.saturating_add(span) < top => {
                    tymer.restart();
                    start += span;
                }
                3 if start.saturating_add(span) < top => {
                    tymer.restart_for(nanos(other));
                    (start, span) = (start + span, other);
                }
                _ => {}
            }
            let stop = start + span;
            let at = Tyme::from_nanos(now);
            assert_eq!(
                (tymer.stop().as_nanos(), tymer.duration()),
                (stop, nanos(span))
            );
            assert_eq!(tymer.expired(at), now >= stop);
            assert_eq!(tymer.elapsed(at), nanos(now.saturating_sub(start)));
            assert_eq!(tymer.pending(at), nanos(start.saturating_sub(now)));
            assert_eq!(tymer.remaining(at), nanos(stop.saturating_sub(now)));
            assert_eq!(tymer.overdue(at), nanos(now.saturating_sub(stop)));
        }
    }
}

// ---- T4

#[test]
fn t4_tyme_is_origin_and_a_whole_number_of_tocks() {
    let mut tymist = Tymist::new(Tyme::from_nanos(11), nanos(7));
    for n in 1..=1000 {
        assert_eq!(tymist.tick(), Tyme::from_nanos(11 + 7 * n));
    }
    assert_eq!(
        tymist.tick_by(1_000_000),
        Tyme::from_nanos(11 + 7 * 1_001_000)
    );
    tymist.set_tock(nanos(3));
    assert_eq!(tymist.tick(), Tyme::from_nanos(11 + 7 * 1_001_000 + 3));
    // A third of a second, for as long as it takes to drift in floats.
    let mut doist = Doist::new(())
        .with_tock(nanos(333_333_333))
        .with_pace(Pace::Asap);
    doist.add(redo([After(Duration::from_secs(400 * 86_400)), Done(true)]));
    doist.run(&mut NullNet::default()).expect("no fault");
    assert_eq!(doist.tyme().as_nanos() % 333_333_333, 0);
    assert!(doist.tyme() > Tyme::from_secs(400 * 86_400));
}

#[test]
fn t4_a_changed_tock_counts_anew_from_where_tyme_stands() {
    tells(
        &doist([
            leaf("t").recurs(6),
            leaf("a").every(2).recurs(4),
            parking("p", [leaf("b").every(3).recurs(3)]),
        ])
        .host(3, HostOp::SetTock(250_000_000))
        .host(4, HostOp::SetTock(3_000_000_000)),
        "0: +t +a +p +b t a b | 1: t | 2: t a | 2.25: t | 5.25: t a b | 8.25: t t. -t a a. -a b \
         b. -b p. -p",
        "done @11.25",
    );
}

#[test]
fn t4_random_tocks() {
    let flavour = Flavour {
        host: 100,
        deep: 30,
        after: 30,
        offgrid: 50,
        park: 30,
        ..PLAIN
    };
    random_scenarios("t4", flavour);
}

#[test]
fn t4_in_real_pacing_tyme_is_never_ahead_of_the_clock_nor_a_tock_behind() {
    let (seed, count) = seed_and_count("t4 real", 60);
    for seed in (0..count).map(|n| seed.wrapping_add(n)) {
        let mut rng = Random::new(seed);
        let tock = rng.from(1, 2_000_000_000);
        let origin = rng.below(1 << 40);
        let mut net = WakeNet::new([]);
        let begin = rng.below(1 << 40);
        net.clock().store(begin, Ordering::SeqCst);
        let mut doist = Doist::new(0u32)
            .with_tyme(Tyme::from_nanos(origin))
            .with_tock(nanos(tock))
            .with_limit(nanos(tock * 50));
        for _ in 0..rng.from(1, 4) {
            let every = rng.below(5 * tock);
            doist.add(doify(move |tyme: Tyme, cx: &mut Cx<'_, u32>| {
                *cx.app += 1;
                let (gone, clock) = (tyme.as_nanos() - origin, cx.net.now().as_nanos() - begin);
                assert_eq!(gone % tock, 0);
                assert_eq!(gone, clock, "nobody took any time, so tyme is the clock's");
                Ok(After(nanos(every)))
            }));
        }
        assert_eq!(
            doist.run(&mut net).expect("no fault"),
            Outcome::Limit,
            "HIO_SEED={seed}"
        );
        assert!(doist.app > 0);
        assert_eq!(doist.tyme().as_nanos(), origin + 50 * tock);
    }
}

#[test]
fn t4_ticks_on_which_nothing_is_due_are_leapt_over() {
    // A tock of a nanosecond, three days: six runs, and one wait for each and for the limit.
    let mut net = WakeNet::new([]);
    let mut doist = Doist::new(0u32)
        .with_tock(nanos(1))
        .with_limit(Duration::from_secs(3 * 86_400));
    doist.add(doify(|_, cx: &mut Cx<'_, u32>| {
        *cx.app += 1;
        Ok(After(Duration::from_secs(86_400 / 2)))
    }));
    assert_eq!(doist.run(&mut net).expect("no fault"), Outcome::Limit);
    assert_eq!((doist.app, net.polls.len()), (6, 6));
    assert_eq!(doist.tyme(), Tyme::from_secs(3 * 86_400));
}

#[test]
fn t4_near_the_end_of_time_nothing_overflows() {
    let top = u64::MAX;
    let mut scenario = doist([leaf("a").recurs(6), leaf("b").recurs(9)]);
    (scenario.tyme, scenario.tock) = (top - 10, 4);
    let [a, b] = &mut scenario.doers[..] else {
        unreachable!("two")
    };
    Arc::make_mut(a).tock = 0;
    Arc::make_mut(b).tock = 3;
    scenario.limit = Some(1000);
    let expected = model::expected(&scenario).expect("it reaches its limit, the end of time");
    assert_eq!(expected.tyme, top);
    for drive in [Drive::Hand, Drive::Observed, Drive::Slices(1)] {
        let seen = harness::play(&scenario, drive);
        assert_eq!(written(&seen), written(&expected), "{drive:?}");
        assert_eq!(seen, expected, "{drive:?}");
    }
    // Due times and limits beyond the end are never reached, by leaps neither.
    let mut doist = Doist::new(0u32)
        .with_tyme(Tyme::from_nanos(top - 1_000_000))
        .with_tock(nanos(999))
        .with_pace(Pace::Asap);
    doist.add(doify(|_, cx: &mut Cx<'_, u32>| {
        *cx.app += 1;
        Ok(After(nanos(300_000)))
    }));
    let fault = doist
        .run(&mut NullNet::default())
        .expect_err("nothing is due any more");
    assert!(fault.to_string().contains("never end"), "{fault}");
    assert_eq!(doist.app, 4);
}

#[test]
fn t4_a_small_tock_costs_nothing_beside_a_large_one() {
    let polls = Arc::new(AtomicU64::new(0));
    let count = |tock: Duration| {
        let seen = Arc::clone(&polls);
        seen.store(0, Ordering::SeqCst);
        let mut doist = Doist::new(())
            .with_tock(tock)
            .with_limit(Duration::from_secs(10));
        doist.observe(move |_, _, _| {
            seen.fetch_add(1, Ordering::SeqCst);
        });
        doist.add(doify(|_, _: &mut Cx<'_>| Ok(After(Duration::from_secs(1)))));
        let mut net = WakeNet::new([]);
        doist.run(&mut net).expect("no fault");
        (polls.load(Ordering::SeqCst), net.polls.len())
    };
    assert_eq!(
        count(Duration::from_secs(1)),
        count(Duration::from_micros(1))
    );
}

/// Runs the same doers by `run` or turn by turn, and tells all that happened and when.
fn told(by_turns: bool, pace: Pace, wake: Wake) -> (Vec<String>, Outcome, Tyme) {
    let log = Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = Arc::clone(&log);
    let mut doist = Doist::new(0u32)
        .with_tock(Duration::from_millis(10))
        .with_limit(Duration::from_secs(2))
        .with_pace(pace)
        .with_wake(wake);
    doist.observe(move |tyme, id, event| {
        seen.lock()
            .unwrap()
            .push(format!("{tyme} {id:?} {event:?}"));
    });
    for (nth, span) in [0, 35, 70, 410].into_iter().enumerate() {
        let mut left = 3 + nth;
        doist.add(doify(move |_, cx: &mut Cx<'_, u32>| {
            *cx.app += 1;
            left -= 1;
            Ok(match left {
                0 => Done(true),
                _ if nth == 2 => Park(cx.tyme() + Duration::from_millis(span)),
                _ => After(Duration::from_millis(span)),
            })
        }));
    }
    let mut net = NullNet::default();
    let outcome = match by_turns {
        false => doist.run(&mut net).unwrap(),
        true => loop {
            match doist.turn(&mut net).unwrap() {
                Turn::Sleep(until) => net.poll(until).unwrap(),
                Turn::Ended(outcome) => break outcome,
            }
        },
    };
    let log = log.lock().unwrap().clone();
    (log, outcome, doist.tyme())
}

#[test]
fn p4_turn_by_turn_is_the_same_run() {
    for pace in [Pace::Real, Pace::Scaled(3.0), Pace::Asap] {
        for wake in [Wake::Now, Wake::OnTick] {
            let (log, outcome, tyme) = told(false, pace, wake);
            assert!(log.len() > 20, "{log:?}");
            assert_eq!(told(true, pace, wake), (log, outcome, tyme), "{pace:?}");
        }
    }
}
