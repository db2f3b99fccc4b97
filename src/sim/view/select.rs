use super::event::{Event, Weight};

/// What of a trace is shown.
#[derive(Debug, Default)]
pub(super) struct Shown {
    /// Ascending.
    pub(super) indices: Vec<usize>,
    /// From when to when messages and doers are shown, where not all are.
    pub(super) window: Option<(u64, u64)>,
}

/// At most `most` events: all that tell the story come first, then what nodes said to each other,
/// then the beat of doers, the nearest to the first violation, or else to the first fault, or the
/// beginning.
pub(super) fn shown(events: &[Event<'_>], most: usize) -> Shown {
    if events.len() <= most {
        return Shown {
            indices: (0..events.len()).collect(),
            window: None,
        };
    }
    let of = |weight| -> Vec<usize> {
        let heavy = |(_, event): &(usize, &Event<'_>)| event.weight() == weight;
        let all = events.iter().enumerate().filter(heavy);
        all.map(|(index, _)| index).collect()
    };
    let violation = events.iter().position(Event::is_violation);
    let fault = || events.iter().position(|event| event.kind == "fault");
    let focus = violation.or_else(fault).unwrap_or(0);
    let story = around(&of(Weight::Story), focus, most);
    let left = most - story.len();
    let all_talk = of(Weight::Talk);
    // When the talk alone is too much, a part is kept for the beat that goes with it.
    let share = match all_talk.len() <= left {
        true => left,
        false => left - left / 4,
    };
    let talk = around(&all_talk, focus, share);
    let beat = around(&of(Weight::Beat), focus, left - talk.len());
    let first = talk.iter().chain(&beat).min();
    let last = talk.iter().chain(&beat).max();
    let window = first.zip(last);
    let window = window.map(|(&first, &last)| (events[first].tyme, events[last].tyme));
    let mut indices = [story, talk, beat].concat();
    indices.sort_unstable();
    Shown { indices, window }
}

/// A run of at most `most` of them, mostly before `focus`, as causes come before effects.
fn around(indices: &[usize], focus: usize, most: usize) -> Vec<usize> {
    let at = indices.partition_point(|&index| index <= focus);
    let behind = (indices.len() - at).min(most / 5);
    let start = (at + behind).saturating_sub(most);
    let end = (start + most).min(indices.len());
    indices[start..end].to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(kinds: &[(&str, usize)]) -> Vec<String> {
        let all = kinds.iter().flat_map(|&(kind, n)| vec![kind; n]);
        all.enumerate()
            .map(|(i, kind)| format!(r#"{{"tyme":{i},"event":"{kind}"}}"#))
            .collect()
    }

    fn of(lines: &[String], most: usize) -> Shown {
        let events: Vec<_> = lines.iter().map(|l| Event::read(l).unwrap()).collect();
        shown(&events, most)
    }

    #[test]
    fn all_of_a_short_trace() {
        let shown = of(&trace(&[("send", 5), ("recur", 5)]), 10);
        assert_eq!(shown.indices, (0..10).collect::<Vec<_>>());
        assert_eq!(shown.window, None);
    }

    #[test]
    fn the_story_is_whole_and_the_rest_is_near_the_violation() {
        let kinds = [
            ("fault", 5),
            ("recur", 500),
            ("send", 500),
            ("always", 1),
            ("send", 500),
        ];
        let shown = of(&trace(&kinds), 100);
        assert_eq!(shown.indices.len(), 100);
        assert!(shown.indices.starts_with(&[0, 1, 2, 3, 4]));
        assert!(shown.indices.contains(&1005), "the violation");
        let (from, to) = shown.window.unwrap();
        assert!(from < 1005 && 1005 < to && to < 1030, "{from} {to}");
        assert!(shown.indices.is_sorted());
    }

    #[test]
    fn without_a_violation_the_first_fault_or_the_beginning_is_shown() {
        let shown = of(&trace(&[("send", 1000), ("fault", 1), ("send", 1000)]), 100);
        assert!(shown.indices.contains(&999) && shown.indices.contains(&1010));
        let shown = of(&trace(&[("send", 1000)]), 100);
        assert_eq!(shown.indices[0], 0);
        assert!(shown.indices.len() <= 100);
    }

    #[test]
    fn a_story_that_is_too_long_is_cut_around_the_violation() {
        let shown = of(&trace(&[("note", 500), ("always", 1), ("note", 500)]), 50);
        assert_eq!(shown.indices.len(), 50);
        assert!(shown.indices.contains(&500));
    }
}
