//! Ticks: what it costs that a doer runs, that it does not, and that it is woken.

use std::hint::black_box;
use std::time::Duration;

use hio::doing::prelude::*;

use crate::measure::{Random, nanos_since, now};
use crate::table::{Goal, Row, Table, thousands};
use crate::{Scale, allocated};

/// The floor: the barest thing that runs every tick.
trait Task {
    fn recur(&mut self, tyme: u64) -> u64;
}

/// The body that floor and doer share: it counts.
struct Count(u64);

impl Task for Count {
    #[inline(never)]
    fn recur(&mut self, tyme: u64) -> u64 {
        self.0 += u64::from(tyme < u64::MAX);
        0
    }
}

impl Doer for Count {
    // Not kept from being inlined: the one call that each side makes is the virtual one. The floor
    // needs the attribute only so that its body is not taken out of the loop.
    fn recur(&mut self, tyme: Tyme, _cx: &mut Cx<'_>) -> Result<Next, Fault> {
        self.0 += u64::from(tyme < Tyme::NEVER);
        Ok(Again)
    }
}

/// Parked from the start, and again whenever it is woken.
struct Parked(u64);

impl Doer for Parked {
    fn enter(&mut self, _cx: &mut Cx<'_>) -> Result<Next, Fault> {
        Ok(Park(Tyme::NEVER))
    }

    fn recur(&mut self, _tyme: Tyme, _cx: &mut Cx<'_>) -> Result<Next, Fault> {
        self.0 += 1;
        Ok(Park(Tyme::NEVER))
    }
}

const TOCK: Duration = Duration::from_millis(1);

pub(crate) fn run(table: &mut Table, scale: Scale) {
    for n in scale.sizes() {
        every_tick(table, scale, n, false);
    }
    for n in scale.sizes() {
        every_tick(table, scale, n, true);
    }
    parked(table, scale);
}

/// Every doer runs every tick, in boxes as they were made, or scattered over memory.
fn every_tick(table: &mut Table, scale: Scale, n: usize, scattered: bool) {
    let mut floor = floor(n, scattered);
    let before = allocated();
    let mut doist = doist(n, scattered);
    let bytes = (allocated() - before) as f64 / n as f64;
    let mut net = NullNet::default();
    let ticks = (scale.runs() / n).max(2);
    let mut each = |ours: bool| {
        let start = now();
        for tick in 0..ticks {
            if ours {
                black_box(doist.recur(&mut net)).expect("no doer fails");
            } else {
                for task in &mut floor {
                    if task.recur(tick as u64) > 0 {
                        return f64::NAN;
                    }
                }
            }
        }
        nanos_since(start) as f64 / (n * ticks) as f64
    };
    let (ours, beside) = interleaved(scale.rounds(), &mut each);
    let (how, goal) = match scattered {
        true => (", scattered in memory", 1.6),
        false => ("", 1.25),
    };
    table.row(Row {
        what: &format!("a tick of {} doers{how}, each", thousands(n)),
        unit: "ns",
        floor: &beside,
        hio: &ours,
        goal: Goal::Ratio(goal),
        ..Row::default()
    });
    if !scattered {
        table.row(Row {
            what: &format!("memory beside the doer, {} doers, each", thousands(n)),
            unit: "B",
            // The doer itself is one word.
            hio: &[bytes - 8.0],
            goal: Goal::Figure(96.0),
            ..Row::default()
        });
    }
}

fn floor(n: usize, scattered: bool) -> Vec<Box<dyn Task>> {
    let _holes = scattered.then(|| Holes::of_two_words(n));
    (0..n as u64)
        .map(|i| Box::new(Count(i)) as Box<dyn Task>)
        .collect()
}

fn doist(n: usize, scattered: bool) -> Doist {
    let mut doist = Doist::new(()).with_tock(TOCK).with_pace(Pace::Asap);
    let _holes = scattered.then(|| Holes::of_two_words(n));
    for i in 0..n as u64 {
        doist.add(Count(i));
    }
    doist.enter(&mut NullNet::default()).expect("no doer fails");
    doist
}

/// Small holes in the heap in random order: what is allocated next falls into them, as after a
/// while of use. The walls between them keep the allocator from joining them up again.
#[expect(clippy::vec_box, reason = "each is to lie by itself on the heap")]
struct Holes {
    _walls: Vec<Box<[u64; 2]>>,
}

impl Holes {
    fn of_two_words(n: usize) -> Self {
        let mut holes = Vec::with_capacity(n);
        let mut walls = Vec::with_capacity(n);
        for i in 0..n as u64 {
            holes.push(Box::new([i; 2]));
            walls.push(Box::new([i; 2]));
        }
        Random(42).shuffle(&mut holes);
        for hole in holes {
            drop(black_box(hole));
        }
        Self { _walls: walls }
    }
}

/// Nothing due among many parked doers, and ticks that wake one of them.
fn parked(table: &mut Table, scale: Scale) {
    let n = scale.largest();
    let mut net = NullNet::default();
    let mut doist = Doist::new(()).with_tock(TOCK).with_pace(Pace::Asap);
    let ids: Vec<Id<Parked>> = (0..n as u64).map(|i| doist.add(Parked(i))).collect();
    doist.enter(&mut net).expect("no doer fails");
    let mut random = Random(7);
    let mut measure = |what: &str, goal: f64, ticks: usize, wake: &mut dyn FnMut(&mut Doist)| {
        let rounds: Vec<f64> = (0..scale.rounds())
            .map(|_| {
                let start = now();
                for _ in 0..ticks {
                    wake(&mut doist);
                    black_box(doist.recur(&mut net)).expect("no doer fails");
                }
                nanos_since(start) as f64 / ticks as f64
            })
            .collect();
        table.row(Row {
            what: &format!("a tick of {} parked doers, {what}", thousands(n)),
            unit: "ns",
            hio: &rounds,
            goal: Goal::Figure(goal),
            ..Row::default()
        });
    };
    measure("nothing due", 15.0, 200_000, &mut |_| {});
    measure("one woken, the same again", 50.0, 200_000, &mut |d| {
        d.wake(ids[n / 3])
    });
    measure("one woken, any of them", 300.0, 50_000, &mut |d| {
        d.wake(ids[random.index(n)]);
    });
}

/// Rounds of ours and the floor in turn, the order reversed in every other round.
pub(crate) fn interleaved(
    rounds: usize,
    each: &mut dyn FnMut(bool) -> f64,
) -> (Vec<f64>, Vec<f64>) {
    let (mut ours, mut floor) = (Vec::new(), Vec::new());
    each(true);
    each(false);
    for round in 0..rounds {
        let first = round % 2 == 0;
        for mine in [first, !first] {
            let nanos = each(mine);
            if mine { &mut ours } else { &mut floor }.push(nanos);
        }
    }
    (ours, floor)
}
