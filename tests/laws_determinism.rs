//! Goal: the laws of determinism: D1, the same seed gives the same trace; D3, a draw moves no other. D2 is
//! kept in `tests/tidy.rs`.
//! Method: a small program with random waits and an extended doer, its whole trace and all draws compared.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use hio::doing::Event;
use hio::doing::prelude::*;

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
