//! Goal: the laws of time (T1, T3, T4) and of determinism (D1, D3) hold. T2 and D2 are kept in `tests/tidy.rs`.
//! Method: properties over random spans, tocks and seeds; whole traces are compared.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use hio::doing::Event;
use hio::doing::prelude::*;
use hio::tyme::Tymist;
use proptest::prelude::*;

fn nanos() -> impl Strategy<Value = u64> {
    prop_oneof![
        0..10_000_000_000_u64,
        Just(u64::MAX),
        Just(u64::MAX - 1),
        any::<u64>()
    ]
}

proptest! {
    #[test]
    fn t1_sums_and_differences_saturate(at in nanos(), span in nanos()) {
        let (tyme, d) = (Tyme::from_nanos(at), Duration::from_nanos(span));
        prop_assert_eq!((tyme + d).as_nanos(), at.saturating_add(span));
        prop_assert_eq!((tyme - d).as_nanos(), at.saturating_sub(span));
        prop_assert_eq!(Tyme::from_nanos(span).since(tyme), Duration::from_nanos(span.saturating_sub(at)));
        prop_assert!(tyme + d <= Tyme::NEVER);
        prop_assert_eq!(Tyme::NEVER + d, Tyme::NEVER);
    }

    #[test]
    fn t3_a_tymer_is_told_the_tyme(start in 0..1_000_u64, span in 0..1_000_u64, now in 0..3_000_u64) {
        let (start, span, now) = (Tyme::from_nanos(start), Duration::from_nanos(span), Tyme::from_nanos(now));
        let tymer = Tymer::new(start, span);
        prop_assert_eq!(tymer.expired(now), now >= start + span);
        prop_assert_eq!(tymer.elapsed(now), now.since(start));
        prop_assert_eq!(tymer.remaining(now), (start + span).since(now));
        let mut refreshed = tymer;
        refreshed.start(now);
        prop_assert_eq!(refreshed, Tymer::new(now, span), "a refresh counts from now");
        let mut next = tymer;
        next.restart();
        prop_assert_eq!(next, Tymer::new(start + span, span), "a restart loses nothing");
    }

    #[test]
    fn t4_tyme_is_origin_and_whole_tocks(
        origin in 0..1_000_000_u64,
        parts in prop::collection::vec((1..1_000_000_u64, 0..50_u64), 1..8),
    ) {
        let mut tymist = Tymist::new(Tyme::from_nanos(origin), Duration::ZERO);
        let mut want = origin;
        for (tock, ticks) in parts {
            tymist.set_tock(Duration::from_nanos(tock));
            for n in 1..=ticks {
                prop_assert_eq!(tymist.tick().as_nanos(), want + n * tock);
            }
            want += ticks * tock;
        }
    }

    #[test]
    fn t4_in_real_pace_tyme_is_never_ahead_of_the_clock(
        tock in 1..40_u64,
        dues in prop::collection::vec(0..200_u64, 1..6),
    ) {
        let mut net = NullNet::default();
        let mut doist = Doist::new(Vec::new()).with_tock(Duration::from_millis(tock));
        for due in dues {
            let mut left = 5;
            doist.add(doify(move |tyme, cx: &mut Cx<'_, Vec<(Tyme, Tyme)>>| {
                cx.app.push((tyme, cx.net.now()));
                left -= 1;
                Ok(if left == 0 { Done(true) } else { After(Duration::from_millis(due)) })
            }));
        }
        prop_assert_eq!(doist.run(&mut net).unwrap(), Outcome::Done);
        let tock = u64::try_from(doist.tock().as_nanos()).unwrap();
        for (tyme, clock) in doist.app {
            prop_assert!(tyme <= clock, "{tyme} is ahead of {clock}");
            prop_assert_eq!(tyme.as_nanos() % tock, 0, "off the grid");
        }
    }
}

/// A leap over a year of ticks on which nothing is due costs nothing.
#[test]
fn t4_ticks_without_work_are_leapt_over() {
    let mut doist = Doist::new(0_u32)
        .with_tock(Duration::from_nanos(1))
        .with_pace(Pace::Asap);
    doist.add(doify(|_tyme, cx: &mut Cx<'_, u32>| {
        *cx.app += 1;
        Ok(if *cx.app == 3 {
            Done(true)
        } else {
            After(Duration::from_secs(15_000_000))
        })
    }));
    assert_eq!(doist.run(&mut NullNet::default()).unwrap(), Outcome::Done);
    assert_eq!(
        doist.tyme(),
        Tyme::from_secs(30_000_000) + Duration::from_nanos(1)
    );
}

/// What a program did and drew, as one text.
fn trace(seed: u64, draws_of_the_second: u32) -> (Vec<String>, Vec<Vec<u64>>) {
    type Draws = Vec<Vec<u64>>;
    let notes = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&notes);
    let mut doist = Doist::new(vec![Vec::new(); 4])
        .with_pace(Pace::Asap)
        .with_seed(seed);
    doist.observe(move |tyme, id, event: Event| {
        told.lock()
            .unwrap()
            .push(format!("{tyme} {id:?} {event:?}"));
    });
    for who in 0..3_usize {
        let draws = if who == 1 { draws_of_the_second } else { 2 };
        let mut left = 20;
        doist.add(doify(move |_tyme, cx: &mut Cx<'_, Draws>| {
            for _ in 0..draws {
                cx.app[who].push(cx.rng.next_u64());
            }
            if who == 2 && left == 10 {
                cx.ask.extend(doify(|_tyme, cx: &mut Cx<'_, Draws>| {
                    cx.app[3].push(cx.rng.next_u64());
                    Ok(Done(true))
                }));
            }
            left -= 1;
            // How long it waits is drawn too, but not by the one whose draws are varied.
            let wait = if who == 1 { 3 } else { cx.rng.below(7) };
            Ok(if left == 0 {
                Done(true)
            } else {
                After(Duration::from_millis(40 * wait))
            })
        }));
    }
    doist.run(&mut NullNet::default()).unwrap();
    let app = std::mem::take(&mut doist.app);
    drop(doist);
    (Arc::into_inner(notes).unwrap().into_inner().unwrap(), app)
}

#[test]
fn d1_the_same_seed_gives_the_same_trace() {
    for seed in [0, 1, 77, u64::MAX] {
        assert_eq!(trace(seed, 2), trace(seed, 2));
    }
    assert_ne!(trace(1, 2), trace(2, 2), "the seed counts");
}

#[test]
fn d3_a_draw_of_one_doer_moves_no_other() {
    for seed in 0..20 {
        let (few, many) = (trace(seed, 1).1, trace(seed, 9).1);
        assert_ne!(few[1], many[1]);
        for other in [0, 2, 3] {
            assert_eq!(few[other], many[other], "doer {other}");
        }
        assert_ne!(few[0], few[2], "each doer has a stream of its own");
    }
}
