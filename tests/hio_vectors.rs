//! Goal: the crate does with every conformance vector what its `expect` says, and with random
//! scenarios what the executable laws say.
//! Method: each scenario is played in every way a Doist can be driven; the laws' own model is held
//! against the same file first. `HIO_VECTORS` names another file, `HIO_FRESH` sets the number of
//! random scenarios, `HIO_SEED` their seed.

#[path = "support/laws/mod.rs"]
#[expect(
    missing_docs,
    clippy::missing_panics_doc,
    reason = "support of the tests: it says what it is in the modules, and panics to fail"
)]
pub mod laws;

use std::collections::BTreeMap;
use std::time::Duration;

use hio::tyme::{Tyme, Tymer, Tymist};
use serde_json::Value;

use laws::harness::{self, Drive};
use laws::random::{self, Random};
use laws::{generate, model, tell, vectors};

const DRIVES: [Drive; 7] = [
    Drive::Advance,
    Drive::Asap,
    Drive::Hand,
    Drive::Observed,
    Drive::Slices(1),
    Drive::Slices(3),
    Drive::Real,
];

fn cases() -> Vec<Value> {
    let ours = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/hio_vectors.jsonl");
    let file = std::env::var("HIO_VECTORS").unwrap_or_else(|_| ours.to_owned());
    let text = std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("{file}: {e}"));
    let line = |l| serde_json::from_str(l).expect("one JSON object a line");
    text.lines()
        .filter(|l| !l.trim().is_empty())
        .map(line)
        .collect()
}

/// The first difference of one case, however the Doist is driven.
fn difference(case: &Value, drives: &[Drive]) -> Option<String> {
    if case["kind"] == "tymer" {
        return tymer_difference(case);
    }
    let case = vectors::case(case);
    drives.iter().find_map(|&drive| {
        // Real pacing has no tock of zero.
        if drive == Drive::Real && case.scenario.tock == 0 {
            return None;
        }
        let seen = harness::play(&case.scenario, drive);
        let what = vectors::first_difference(&case.expect, &seen)?;
        Some(format!("{drive:?}: {what}"))
    })
}

#[test]
fn every_vector_is_met() {
    let cases = cases();
    let mut failed = 0;
    for case in &cases {
        if let Some(what) = difference(case, &DRIVES) {
            failed += 1;
            println!("FAIL {}: {what}", case["name"]);
        }
    }
    println!("compared {} cases", cases.len());
    assert_eq!(failed, 0, "{failed} of {} cases differ", cases.len());
}

#[test]
fn the_model_of_the_laws_meets_every_vector() {
    for case in cases().iter().filter(|c| c["kind"] != "tymer") {
        let case = vectors::case(case);
        let seen = model::expected(&case.scenario).expect("an end");
        let what = vectors::first_difference(&case.expect, &seen);
        assert_eq!(what, None, "{}", case.scenario.name);
    }
}

/// Changes one value somewhere in the `expect` of a case.
fn mutate(case: &mut Value, rng: &mut Random) {
    if case["kind"] == "tymer" {
        let snapshots = case["expect"].as_array_mut().expect("snapshots");
        let at = usize::try_from(rng.below(snapshots.len() as u64)).expect("an index");
        let duration = snapshots[at]["duration"].as_f64().expect("a duration");
        snapshots[at]["duration"] = Value::from(duration + 1.0);
        return;
    }
    let expect = &mut case["expect"];
    let entries = expect["trace"].as_array_mut().expect("a trace");
    let at = rng.below(entries.len().max(1) as u64);
    let entry = entries.get_mut(usize::try_from(at).expect("an index"));
    match (rng.below(6), entry) {
        (0, Some(entry)) => {
            let tyme = entry["tyme"].as_f64().expect("a tyme");
            entry["tyme"] = Value::from(tyme + 0.5);
        }
        (1, Some(entry)) => entry["doer"] = Value::from("somebody else"),
        (2, Some(entry)) => {
            let other = if entry["context"] == "recur" {
                "exit"
            } else {
                "recur"
            };
            entry["context"] = Value::from(other);
        }
        (3, Some(_)) => drop(entries.pop()),
        (4, _) => expect["error"] = Value::from("another error"),
        _ => {
            let done = expect["done"].as_object_mut().expect("done");
            let (_, first) = done.iter_mut().next().expect("the doist at least");
            *first = Value::from(!first.as_bool().unwrap_or(false));
        }
    }
}

#[test]
fn one_changed_value_makes_a_case_fail() {
    let mut rng = Random::new(2);
    for mut case in cases() {
        assert_eq!(difference(&case, &[Drive::Asap]), None, "{}", case["name"]);
        mutate(&mut case, &mut rng);
        assert_ne!(difference(&case, &[Drive::Asap]), None, "{}", case["name"]);
    }
}

#[test]
fn random_scenarios_go_as_the_laws_say() {
    let (seed, count) = random::seed_and_count("all laws", 500);
    for n in 0..count {
        let seed = seed.wrapping_add(n);
        let mut rng = Random::new(seed);
        let flavour = generate::some_of_all(&mut rng);
        let name = format!("HIO_SEED={seed} HIO_FRESH=1");
        let (scenario, expected) = generate::draw(&mut rng, &name, flavour);
        tell::all_drives(&scenario, &expected);
    }
}

// ---- tymers

/// A tymer case: what hio's Tymer told after each operation, told by [`Tymer`] and [`Tymist`].
fn tymer_difference(case: &Value) -> Option<String> {
    let mut world = Tymers::new(case);
    let ops = case["ops"].as_array().expect("ops");
    let snapshots = case["expect"].as_array().expect("snapshots");
    for (i, expected) in snapshots.iter().enumerate() {
        if i > 0 {
            world.apply(&ops[i - 1]);
        }
        for (key, value) in world.snapshot() {
            if expected[key] != value {
                let expected = &expected[key];
                return Some(format!(
                    "after op {i}: {key} expected {expected}, saw {value}"
                ));
            }
        }
    }
    (snapshots.len() != ops.len() + 1).then(|| "snapshots and ops do not fit".to_owned())
}

struct Tymers {
    tymists: Vec<Tymist>,
    wound: Option<usize>,
    tymer: Tymer,
}

impl Tymers {
    fn new(case: &Value) -> Self {
        let tymists = case["tymists"].as_array().expect("tymists");
        let tymists: Vec<Tymist> = tymists
            .iter()
            .map(|t| Tymist::new(tyme(&t["tyme"]), span(&t["tock"])))
            .collect();
        let made = &case["tymer"];
        let wound = made["tymist"].as_u64().map(index);
        let now = wound.map_or(Tyme::ZERO, |w| tymists[w].tyme());
        let start = if made["start"].is_null() {
            now
        } else {
            tyme(&made["start"])
        };
        let tymer = Tymer::new(start, optional(&made["duration"]).unwrap_or_default());
        Self {
            tymists,
            wound,
            tymer,
        }
    }

    fn now(&self) -> Option<Tyme> {
        self.wound.map(|w| self.tymists[w].tyme())
    }

    fn apply(&mut self, op: &Value) {
        let tymist = op["tymist"].as_u64().map(index);
        match (op["op"].as_str().expect("an op"), tymist) {
            ("tick", Some(at)) => {
                let tymist = &mut self.tymists[at];
                match optional(&op["tock"]) {
                    Some(tock) => tymist.set_tyme(tymist.tyme() + tock),
                    None => drop(tymist.tick()),
                }
            }
            ("tyme", Some(at)) => self.tymists[at].set_tyme(tyme(&op["tyme"])),
            ("tock", Some(at)) => self.tymists[at].set_tock(span(&op["tock"])),
            ("wind", Some(at)) => {
                self.wound = Some(at);
                self.tymer.start(self.tymists[at].tyme());
            }
            ("start", None) => {
                let now = self.now().unwrap_or_default();
                let start = if op["start"].is_null() {
                    now
                } else {
                    tyme(&op["start"])
                };
                match optional(&op["duration"]) {
                    Some(duration) => self.tymer.start_for(start, duration),
                    None => self.tymer.start(start),
                }
            }
            ("restart", None) => match optional(&op["duration"]) {
                Some(duration) => self.tymer.restart_for(duration),
                None => self.tymer.restart(),
            },
            (other, _) => panic!("op {other}"),
        }
    }

    fn snapshot(&self) -> BTreeMap<&'static str, Value> {
        let signed = |ahead: Duration, behind: Duration| {
            Value::from(ahead.as_secs_f64() - behind.as_secs_f64())
        };
        let tymer = self.tymer;
        let told = |f: &dyn Fn(Tyme) -> Value| self.now().map_or(Value::Null, f);
        BTreeMap::from([
            ("duration", Value::from(tymer.duration().as_secs_f64())),
            ("tyme", told(&|t| Value::from(t.as_secs_f64()))),
            (
                "elapsed",
                told(&|t| signed(tymer.elapsed(t), tymer.pending(t))),
            ),
            (
                "remaining",
                told(&|t| signed(tymer.remaining(t), tymer.overdue(t))),
            ),
            ("expired", told(&|t| Value::from(tymer.expired(t)))),
        ])
    }
}

fn index(number: u64) -> usize {
    usize::try_from(number).expect("an index")
}

fn tyme(value: &Value) -> Tyme {
    Tyme::from_nanos(vectors::nanos(value))
}

fn span(value: &Value) -> Duration {
    Duration::from_nanos(vectors::nanos(value))
}

fn optional(value: &Value) -> Option<Duration> {
    (!value.is_null()).then(|| span(value))
}
