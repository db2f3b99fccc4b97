//! Timers: doers that sleep 100 ms to 10 s of tyme again and again, at ticks of 1 ms.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use hierarchical_hash_wheel_timer::wheels::quad_wheel::{QuadWheelWithOverflow, no_prune};
use hio::doing::prelude::*;

use crate::Scale;
use crate::measure::{Random, median, nanos_since, now};
use crate::table::{Goal, Row, Table, thousands};

/// The body that all share: it counts, and says how many milliseconds it wants to sleep.
struct Sleeper {
    fired: u64,
    random: Random,
}

impl Sleeper {
    fn new(seed: u64) -> Self {
        Self {
            fired: 0,
            random: Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1),
        }
    }

    fn fire(&mut self) -> u64 {
        self.fired += 1;
        self.random.range(100, 10_000)
    }
}

/// The floor calls its sleepers as a scheduler would.
trait Task {
    fn recur(&mut self, tyme: u64) -> u64;
}

impl Task for Sleeper {
    #[inline(never)]
    fn recur(&mut self, _tyme: u64) -> u64 {
        self.fire()
    }
}

impl Doer<u64> for Sleeper {
    fn enter(&mut self, _cx: &mut Cx<'_, u64>) -> Result<Next, Fault> {
        Ok(After(Duration::from_millis(self.fire())))
    }

    #[inline(never)]
    fn recur(&mut self, _tyme: Tyme, cx: &mut Cx<'_, u64>) -> Result<Next, Fault> {
        *cx.app += 1;
        Ok(After(Duration::from_millis(self.fire())))
    }
}

/// One tick of a scheduler under test; gives how many fired.
type Tick = Box<dyn FnMut() -> u64>;

pub(crate) fn run(table: &mut Table, scale: Scale) {
    for n in scale.sizes() {
        let ticks = (scale.runs() / n * 20).clamp(200, 50_000);
        let mut peers = [ours(n), heap(n), wheel(n)];
        let mut nanos = [Vec::new(), Vec::new(), Vec::new()];
        for round in 0..scale.rounds() + 1 {
            for which in 0..peers.len() {
                let which = if round % 2 == 0 { which } else { 2 - which };
                let spent = firing(&mut peers[which], ticks);
                // The first round only mixes the due times.
                if round > 0 {
                    nanos[which].push(spent);
                }
            }
        }
        let [ours, heap, wheel] = nanos;
        let (name, floor) = match median(&heap) < median(&wheel) {
            true => ("binary heap", heap),
            false => ("hierarchical wheel", wheel),
        };
        table.row(Row {
            what: &format!("a timer that fires, among {} (floor: {name})", thousands(n)),
            unit: "ns",
            floor: &floor,
            hio: &ours,
            goal: Goal::Ratio(1.5),
            ..Row::default()
        });
    }
}

/// Nanoseconds of each firing over so many ticks, empty ticks included.
fn firing(tick: &mut Tick, ticks: usize) -> f64 {
    let start = now();
    let fired: u64 = (0..ticks).map(|_| tick()).sum();
    nanos_since(start) as f64 / fired.max(1) as f64
}

fn ours(n: usize) -> Tick {
    let mut net = NullNet::default();
    let mut doist = Doist::new(0)
        .with_tock(Duration::from_millis(1))
        .with_pace(Pace::Asap);
    for i in 0..n as u64 {
        doist.add(Sleeper::new(i));
    }
    doist.enter(&mut net).expect("no doer fails");
    Box::new(move || {
        let before = doist.app;
        doist.recur(&mut net).expect("no doer fails");
        doist.app - before
    })
}

fn tasks(n: usize) -> Vec<Box<dyn Task>> {
    (0..n as u64)
        .map(|i| Box::new(Sleeper::new(i)) as Box<dyn Task>)
        .collect()
}

fn heap(n: usize) -> Tick {
    let mut tasks = tasks(n);
    let mut heap: BinaryHeap<Reverse<(u64, u32)>> = (0u32..)
        .zip(&mut tasks)
        .map(|(i, task)| Reverse((task.recur(0), i)))
        .collect();
    let mut tyme = 0;
    Box::new(move || {
        tyme += 1;
        let mut fired = 0;
        while let Some(mut top) = heap.peek_mut() {
            let Reverse((due, i)) = *top;
            if due > tyme {
                break;
            }
            *top = Reverse((tyme + tasks[i as usize].recur(tyme), i));
            drop(top); // sifts it down
            fired += 1;
        }
        fired
    })
}

fn wheel(n: usize) -> Tick {
    let mut tasks = tasks(n);
    let mut wheel: QuadWheelWithOverflow<u32> = QuadWheelWithOverflow::new(no_prune);
    let mut tyme = 0;
    for (i, task) in (0u32..).zip(&mut tasks) {
        let delay = Duration::from_millis(task.recur(0));
        wheel.insert_with_delay(i, delay).expect("within the wheel");
    }
    Box::new(move || {
        tyme += 1;
        let mut fired = 0;
        for i in wheel.tick() {
            let delay = Duration::from_millis(tasks[i as usize].recur(tyme));
            wheel.insert_with_delay(i, delay).expect("within the wheel");
            fired += 1;
        }
        fired
    })
}
