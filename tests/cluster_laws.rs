//! Goal: the laws of simulation over the `sim_cluster` example, which has all there is: servers,
//! clients, TLS, timers, crashes and faults. The same seed is the same run; jobs do not matter;
//! dense is skip and park is poll; each planted bug breaks a rule and nothing breaks without one;
//! a leak of the outside into a program is found, and located.
//! Method: short runs, changed in one thing, compared by hash, by trace or by what callers heard.

#[path = "../examples/sim_cluster/mod.rs"]
#[expect(dead_code, reason = "the example uses the rest")]
mod sim_cluster;

use std::time::Duration;

use hio::doing::prelude::*;
use hio::sim::{Campaign, Case, FaultPlan, Scenario, Sim, Trace};
use sim_cluster::caller::Caller;
use sim_cluster::cluster::{Cluster, World};
use sim_cluster::member::Member;
use sim_cluster::replica::Plant;

fn short(tls: bool, plant: Option<Plant>) -> Cluster {
    Cluster {
        time: Duration::from_secs(8),
        calm: Duration::from_secs(10),
        tls,
        plant,
        ..Cluster::default()
    }
}

fn with(cluster: &Cluster, faults: &str) -> Case {
    let faults: FaultPlan = faults.parse().expect("a plan");
    Case {
        faults,
        ..cluster.case(1)
    }
}

#[test]
fn d1_a_seed_is_one_run_with_tls_and_faults() {
    let cluster = short(true, None);
    for seed in [4, 5] {
        let case = cluster.case(seed);
        assert!(!case.faults.faults.is_empty());
        let (one, two) = (cluster.run(&case), cluster.run(&case));
        assert_eq!(one.hash, two.hash);
        assert_eq!(one.failure, None);
    }
    let (one, two) = (cluster.run(&cluster.case(4)), cluster.run(&cluster.case(5)));
    assert_ne!(one.hash, two.hash);
}

#[test]
fn jobs_do_not_matter() {
    let cluster = short(false, None);
    let one = Campaign::new(0..6).run(&cluster).expect("no files");
    let three = Campaign::new(0..6)
        .with_jobs(3)
        .run(&cluster)
        .expect("no files");
    assert!(one.found.is_none());
    assert_eq!(
        (one.hash, one.runs, one.marks),
        (three.hash, three.runs, three.marks)
    );
}

/// The bugs and what shows them. The same without the bug is in order.
const SHOWN: [(Plant, &str); 3] = [
    (
        Plant::EarlyAck,
        "at 4s isolate a\nat 4s isolate b\nat 4s isolate c\nat 4500ms crash a\nat 4500ms crash b\nat 4600ms crash c\nat 4700ms restart b",
    ),
    (Plant::WallLease, "at 5s isolate a\nat 5s step a -3600s"),
    (
        Plant::LazyDisk,
        "at 5s partition a -> c\nat 5s partition c -> a\nat 6s crash b\nat 6200ms crash a\nat 6400ms restart b",
    ),
];

#[test]
fn nothing_breaks_without_a_plant() {
    for (_, faults) in SHOWN {
        let cluster = short(false, None);
        assert_eq!(
            cluster.run(&with(&cluster, faults)).failure,
            None,
            "{faults}"
        );
    }
}

/// Runs beside the doers of a node: at every tick, so that no time is leapt over, and wakes them
/// all if wanted, so that they run without need.
struct Beside {
    wakes: Vec<DoerId>,
}

impl<A> Doer<A> for Beside {
    fn recur(&mut self, _tyme: Tyme, cx: &mut Cx<'_, A>) -> Result<Next, Fault> {
        for id in &self.wakes {
            cx.ask.wake(*id);
        }
        Ok(Again)
    }
}

fn beside<A: Send + 'static>(sim: &mut Sim, name: &str, wake: bool) {
    let id = sim.find(name).expect("a node");
    let doist = sim.doist_mut::<A>(id).expect("it runs");
    let all = doist.listing().into_iter().map(|one| one.id);
    let wakes = if wake { all.collect() } else { Vec::new() };
    doist.named("beside").add(Beside { wakes });
    sim.rouse(id);
}

/// What a run without crashes comes to: how many answers, and all that went over the wire.
fn packets(beside_them: Option<bool>) -> (u64, u64, Vec<String>) {
    let cluster = short(false, None);
    let case = with(
        &cluster,
        "at 5s partition a -> b\nat 6s heal\nat 6s drift c 2000ppm",
    );
    let mut world = World::new(&cluster, &case, true).expect("a world");
    world.sim.step().expect("they boot");
    if let Some(wake) = beside_them {
        for name in ["a", "b", "c"] {
            beside::<Member>(&mut world.sim, name, wake);
        }
        for name in ["x", "y"] {
            beside::<Caller>(&mut world.sim, name, wake);
        }
    }
    assert_eq!(world.run(), None);
    let text = world.sim.trace().text();
    let wire = text
        .lines()
        .filter(|line| line.contains("\"event\":\"recv\""));
    // Without the running number, which counts the turns of doers, too.
    let wire = wire.map(|line| {
        let (tyme, rest) = line.split_once(",\"seq\":").expect("a number");
        let (_, rest) = rest.split_once(',').expect("more");
        format!("{tyme},{rest}")
    });
    (world.checks.writes, world.checks.reads, wire.collect())
}

#[test]
fn p3_dense_is_skip_and_park_is_poll() {
    let plain = packets(None);
    assert!(plain.0 > 10 && plain.1 > 10 && plain.2.len() > 500);
    for wake in [false, true] {
        let other = packets(Some(wake));
        assert_eq!((plain.0, plain.1), (other.0, other.1), "woken: {wake}");
        let differ = plain.2.iter().zip(&other.2).find(|(a, b)| a != b);
        assert_eq!(differ, None, "woken: {wake}");
        assert_eq!(plain.2.len(), other.2.len());
    }
}

/// The outside, leaking into a program.
#[derive(Clone, Copy, Debug)]
enum Leak {
    Nothing,
    HashOrder,
    Clock,
    Random,
}

#[expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the leaks that are to be found"
)]
fn leaked(leak: Leak) -> u64 {
    use std::hash::{BuildHasher, RandomState};
    match leak {
        Leak::Nothing => 7,
        Leak::HashOrder => {
            let all: std::collections::HashSet<u64> = (0..1000).collect();
            all.into_iter().next().expect("a thousand")
        }
        Leak::Clock => {
            let start = std::time::Instant::now();
            let spent = (0..1000_u64).fold(0, |a, b| a ^ b.wrapping_mul(a | 1));
            u64::try_from(start.elapsed().as_nanos()).expect("short") + spent % 2
        }
        Leak::Random => RandomState::new().hash_one(7),
    }
}

/// Two nodes; the second doer of `b` lets the outside in after 3 s.
fn leaking(leak: Leak) -> Sim {
    let mut sim = Sim::new(1).with_trace();
    for name in ["a", "b"] {
        sim.node(name, move |_| {
            let mut doist = Doist::new(());
            doist
                .named("sound")
                .add(doify(|_, _: &mut Cx<'_>| Ok(After(Duration::from_secs(1)))));
            let leak = if name == "b" { leak } else { Leak::Nothing };
            doist
                .named("leaky")
                .add(doify(move |tyme, cx: &mut Cx<'_>| {
                    if tyme >= Tyme::from_secs(3) {
                        cx.note(&format!("drew {}", leaked(leak)));
                    }
                    Ok(After(Duration::from_millis(250)))
                }));
            doist
        });
    }
    sim.run_until(Tyme::from_secs(5))
        .expect("nothing goes wrong");
    sim
}

#[test]
fn a_leak_of_the_outside_is_found_and_located() {
    let same = (leaking(Leak::Nothing), leaking(Leak::Nothing));
    assert_eq!(same.0.trace_hash(), same.1.trace_hash());
    for leak in [Leak::HashOrder, Leak::Clock, Leak::Random] {
        let (one, two) = (leaking(leak), leaking(leak));
        assert_ne!(one.trace_hash(), two.trace_hash(), "{leak:?}");
        let (one, two) = (one.trace().text(), two.trace().text());
        let first = Trace::first_difference(one, two)
            .expect("a difference")
            .to_string();
        for named in ["\"b\"", "leaky", "drew "] {
            assert!(first.contains(named), "{leak:?}: {first}");
        }
    }
}
