//! Reads the conformance vectors: scenarios with what is expected of them, and tymer cases.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::model::{End, Entry, Outcome, Story};
use super::scenario::{Act, Kind, On, Op, Scenario, Spec, When};

/// One scenario of the file and its `expect`.
#[derive(Clone, Debug)]
pub struct Case {
    pub scenario: Scenario,
    pub expect: Expect,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expect {
    pub trace: Vec<Entry>,
    /// hio's `done`: none for a doer that was never entered; `doist` is one of them.
    pub done: BTreeMap<String, Option<bool>>,
    pub tyme: u64,
    pub error: Option<String>,
}

/// A time in seconds that must be whole nanoseconds.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked to be exact"
)]
pub fn nanos(value: &Value) -> u64 {
    let secs = value.as_f64().expect("a time in seconds");
    let nanos = secs * 1e9;
    assert!(nanos >= 0.0 && nanos.fract() == 0.0, "{secs} is not exact");
    nanos as u64
}

pub fn case(value: &Value) -> Case {
    let doist = &value["doist"];
    let limit = doist["limit"].as_f64().filter(|l| *l != 0.0);
    let scenario = Scenario {
        name: text(&value["name"]),
        tyme: nanos(&doist["tyme"]),
        tock: nanos(&doist["tock"]),
        limit: limit.map(|_| nanos(&doist["limit"])),
        policy: super::scenario::Policy::Rise,
        doers: specs(&value["doers"]),
        host: Vec::new(),
    };
    Case {
        scenario,
        expect: expect(&value["expect"]),
    }
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

fn number(value: &Value) -> u32 {
    u32::try_from(value.as_u64().expect("a number")).expect("a small number")
}

fn specs(value: &Value) -> Vec<Arc<Spec>> {
    let list = value.as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter().map(|v| Arc::new(spec(v))).collect()
}

fn spec(value: &Value) -> Spec {
    let kind = match value["kind"].as_str() {
        Some("doer") => Kind::Doer,
        Some("redoer") => Kind::Redoer,
        Some("dodoer") => Kind::DoDoer,
        Some("parking") => Kind::Parking,
        other => panic!("kind {other:?}"),
    };
    let mut spec = Spec::new(&text(&value["name"]), kind);
    spec.tock = nanos(&value["tock"]);
    spec.recurs = (!value["recurs"].is_null()).then(|| number(&value["recurs"]));
    spec.result = value["result"].as_bool().unwrap_or(false);
    spec.always = value["always"].as_bool().unwrap_or(false);
    spec.children = specs(&value["children"]);
    spec.acts = acts(value);
    spec
}

/// In the order of FORMAT.md: extend, remove, retock, fail.
fn acts(value: &Value) -> Vec<Act> {
    let mut acts = Vec::new();
    let mut push = |at: &Value, what| {
        let at = When::Recur(number(at));
        acts.push(Act { at, what });
    };
    if let op @ Value::Object(_) = &value["extend"] {
        let (on, doers) = (on(&op["on"]), specs(&op["doers"]));
        push(&op["at"], Op::Extend { on, doers });
    }
    if let op @ Value::Object(_) = &value["remove"] {
        let on = on(&op["on"]);
        let names = op["doers"].as_array().expect("a list");
        let names = names.iter().map(text).collect();
        push(&op["at"], Op::Remove { on, names });
    }
    if let op @ Value::Object(_) = &value["retock"] {
        push(&op["at"], Op::Retock(nanos(&op["tock"])));
    }
    if let op @ Value::Object(_) = &value["fail"] {
        if op["context"] == "enter" {
            let (at, what) = (When::Enter, Op::Fail);
            acts.push(Act { at, what });
        } else {
            push(&op["at"], Op::Fail);
        }
    }
    acts
}

fn on(value: &Value) -> On {
    match value.as_str() {
        Some("self") => On::Itself,
        Some("parent") => On::Parent,
        Some("root") => On::Root,
        other => panic!("on {other:?}"),
    }
}

fn expect(value: &Value) -> Expect {
    let trace = value["trace"].as_array().expect("a trace");
    let trace = trace.iter().map(|e| Entry {
        tyme: nanos(&e["tyme"]),
        doer: Arc::from(e["doer"].as_str().expect("a name")),
        hook: hook(&e["context"]),
    });
    let done = value["done"].as_object().expect("done of each");
    Expect {
        trace: trace.collect(),
        done: done.iter().map(|(n, d)| (n.clone(), d.as_bool())).collect(),
        tyme: nanos(&value["final_tyme"]),
        error: value["error"].as_str().map(str::to_owned),
    }
}

fn hook(value: &Value) -> &'static str {
    let name = value.as_str().expect("a hook");
    let all = ["enter", "recur", "clean", "cease", "abort", "exit"];
    all.into_iter().find(|h| *h == name).expect("a known hook")
}

/// The first difference between what a vector demands and what was seen.
pub fn first_difference(expect: &Expect, seen: &Story) -> Option<String> {
    for i in 0..expect.trace.len().max(seen.trace.len()) {
        let (e, s) = (expect.trace.get(i), seen.trace.get(i));
        if e != s {
            return Some(format!("trace[{i}]: expected {e:?}, saw {s:?}"));
        }
    }
    for (name, done) in &expect.done {
        let other = if name == "doist" {
            Some(seen.outcome == Outcome::Done)
        } else {
            seen.ended.get(name).and_then(|e| hio_done(*e))
        };
        if other != *done {
            return Some(format!("done of {name}: expected {done:?}, saw {other:?}"));
        }
    }
    if expect.tyme != seen.tyme {
        let (e, s) = (expect.tyme, seen.tyme);
        return Some(format!("final tyme: expected {e}, saw {s}"));
    }
    let error = match &seen.outcome {
        Outcome::Fault(flaw, _) => Some(flaw.text.clone()),
        _ => None,
    };
    if error != expect.error {
        let e = &expect.error;
        return Some(format!("error: expected {e:?}, saw {error:?}"));
    }
    None
}

fn hio_done(end: End) -> Option<bool> {
    match end {
        End::Never => None,
        End::Done(done) => Some(done),
        End::Open | End::Ceased | End::Aborted => Some(false),
    }
}
