//! Keys that come twice in a map: as in Python, the last value counts, in the place of the first.

use std::cmp::Ordering;

use super::super::Value;

/// Keeps of equal keys the first place and the last value.
pub(super) fn last_counts(entries: &mut Vec<(Value, Value)>) {
    let distinct = match entries.len() {
        0 | 1 => return,
        few if few <= FEW => {
            (1..few).all(|i| entries[..i].iter().all(|(key, _)| key != &entries[i].0))
        }
        _ => false,
    };
    if !distinct {
        merge(entries);
    }
}

fn merge(entries: &mut Vec<(Value, Value)>) {
    let mut order: Vec<usize> = (0..entries.len()).collect();
    order.sort_by(|&a, &b| compare(&entries[a].0, &entries[b].0).then(a.cmp(&b)));
    let mut gone = vec![false; entries.len()];
    let mut i = 0;
    while i < order.len() {
        let first = order[i];
        let run = order[i..]
            .iter()
            .take_while(|&&at| {
                compare(&entries[at].0, &entries[first].0).is_eq() && !is_nan(&entries[at].0)
            })
            .count()
            .max(1);
        let last = order[i + run - 1];
        if last != first {
            entries[first].1 = std::mem::take(&mut entries[last].1);
            order[i + 1..i + run].iter().for_each(|&at| gone[at] = true);
        }
        i += run;
    }
    let mut at = 0;
    entries.retain(|_| {
        at += 1;
        !gone[at - 1]
    });
}

/// Python's NaN equals no key, itself included.
fn is_nan(key: &Value) -> bool {
    matches!(key, Value::Float(x) if x.is_nan())
}

/// Some total order in which equal keys, and only those, are equal. It recurs into lists, which
/// are as deep as the message may be.
fn compare(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::Int(a), Value::Int(b)) => a.cmp(b),
        (Value::UInt(a), Value::UInt(b)) => a.cmp(b),
        (Value::Big(a), Value::Big(b)) | (Value::Text(a), Value::Text(b)) => a.cmp(b),
        (Value::Float(a), Value::Float(b)) => (a + 0.0).total_cmp(&(b + 0.0)),
        (Value::Bytes(a), Value::Bytes(b)) => a.cmp(b),
        (Value::List(a), Value::List(b)) => {
            let differ = a.iter().zip(b).map(|(a, b)| compare(a, b));
            let differ = differ.into_iter().find(|order| order.is_ne());
            differ.unwrap_or_else(|| a.len().cmp(&b.len()))
        }
        (Value::Ext(a), Value::Ext(b)) => (a.kind, &a.data).cmp(&(b.kind, &b.data)),
        _ => rank(a).cmp(&rank(b)),
    }
}

const fn rank(value: &Value) -> u8 {
    match value {
        Value::Nil => 0,
        Value::Bool(_) => 1,
        Value::Int(_) => 2,
        Value::UInt(_) => 3,
        Value::Big(_) => 4,
        Value::Float(_) => 5,
        Value::Text(_) => 6,
        Value::Bytes(_) => 7,
        Value::List(_) => 8,
        Value::Ext(_) => 9,
        Value::Map(_) => 10,
        Value::Typed(_) => 11,
    }
}

/// Up to so many keys each is compared with each.
const FEW: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_value_counts_in_the_first_place() {
        for filler in [0, 20] {
            let mut entries: Vec<(Value, Value)> = vec![
                ("a".into(), 1.into()),
                (Value::Int(1), 2.into()),
                ("a".into(), 3.into()),
                ("b".into(), 4.into()),
                ("a".into(), 5.into()),
            ];
            entries.extend((0..filler).map(|i| (Value::Text(format!("f{i}")), i.into())));
            last_counts(&mut entries);
            assert_eq!(entries.len(), 3 + usize::try_from(filler).unwrap());
            assert_eq!(entries[0], ("a".into(), 5.into()));
            assert_eq!(entries[1], (Value::Int(1), 2.into()));
            assert_eq!(entries[2], ("b".into(), 4.into()));
        }
    }

    #[test]
    fn a_nan_is_no_other_nan_and_zero_is_minus_zero() {
        let mut entries = vec![
            (Value::Float(f64::NAN), 1.into()),
            (Value::Float(0.0), 2.into()),
            (Value::Float(f64::NAN), 3.into()),
            (Value::Float(-0.0), 4.into()),
        ];
        last_counts(&mut entries);
        assert_eq!(entries.len(), 3);
        assert_eq!(entries[1], (Value::Float(0.0), 4.into()));
    }
}
