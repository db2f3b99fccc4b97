//! The first difference between two stories, in words.

use super::model::Story;

pub fn first_difference(expected: &Story, seen: &Story) -> Option<String> {
    let ends = expected.trace.len().max(seen.trace.len());
    for i in 0..ends {
        let (e, s) = (expected.trace.get(i), seen.trace.get(i));
        if e != s {
            return Some(format!("trace[{i}]: expected {e:?}, saw {s:?}"));
        }
    }
    for (name, end) in &expected.ended {
        let other = seen.ended.get(name);
        if other != Some(end) {
            return Some(format!("ended of {name}: expected {end:?}, saw {other:?}"));
        }
    }
    if expected.outcome != seen.outcome {
        let (e, s) = (&expected.outcome, &seen.outcome);
        return Some(format!("outcome: expected {e:?}, saw {s:?}"));
    }
    if expected.tyme != seen.tyme {
        let (e, s) = (expected.tyme, seen.tyme);
        return Some(format!("final tyme: expected {e}, saw {s}"));
    }
    (expected.ended.len() != seen.ended.len()).then(|| "ended: other doers".to_owned())
}
