use super::*;

fn of(lines: &[&str]) -> String {
    let events: Vec<_> = lines.iter().map(|l| Event::read(l).unwrap()).collect();
    let shown = super::super::select::shown(&events, 100);
    summary(&events, &shown, 0)
}

fn fault(tyme: u64, what: &str) -> String {
    format!(r#"{{"tyme":{tyme},"event":"fault","what":"{what}"}}"#)
}

#[test]
fn a_good_run() {
    let text = of(&[
        r#"{"tyme":0,"node":"a","event":"boot"}"#,
        r#"{"tyme":1000000000,"node":"a","event":"send","id":1,"to":"b","kind":"data","bytes":1}"#,
        r#"{"tyme":2500000000,"node":"b","event":"drop","id":1,"why":"loss"}"#,
    ]);
    assert!(text.contains("No check was violated"), "{text}");
    let numbers = "2 nodes over 2.500 s, 3 events; 1 message sent, 1 lost (1 by loss).";
    assert!(text.contains(numbers), "{text}");
    assert!(!text.contains("cut"), "{text}");
}

#[test]
fn a_failing_run_names_the_check_and_the_faults_in_force() {
    let text = of(&[
        &fault(1_000_000_000, "partition a | b c"),
        &fault(1_100_000_000, "clog a b"),
        r#"{"tyme":1200000000,"node":"c","event":"crash"}"#,
        r#"{"tyme":1300000000,"node":"c","event":"restart"}"#,
        r#"{"tyme":1400000000,"node":"b","event":"pause"}"#,
        r#"{"tyme":1450000000,"event":"heal","what":"heal a b"}"#,
        r#"{"tyme":1500000000,"node":"a","event":"note","text":"leader of term 4"}"#,
        r#"{"tyme":1600000000,"node":"a","path":"election","event":"always","name":"one leader"}"#,
        r#"{"tyme":1700000000,"node":"b","event":"always","name":"one leader"}"#,
    ]);
    for wanted in [
        "The check <q>one leader</q> did not hold on node <q>a</q>, seen by <q>election</q>",
        "at 1.600 s",
        "It was the first of 2.",
        "data-jump=\"1600000000\"",
        "b: paused",
        "leader of term 4",
    ] {
        assert!(text.contains(wanted), "{wanted}\n{text}");
    }
    assert!(!text.contains("crashed"), "it was restarted\n{text}");
    assert!(!text.contains("clog"), "it was healed\n{text}");
}

#[test]
fn heals_end_what_they_name() {
    for (event, fault, wanted) in [
        ("", "partition a | b c", true),
        ("heal", "clog a b", true),
        ("heal", "hold a -> b", true),
        ("heal", "isolate a", true),
        ("heal", "skew a 30ms", false),
        ("heal a b", "clog a b", true),
        ("heal a b", "clog a c", false),
        ("heal a b", "partition a -> b", true),
        ("heal a b", "partition a | b c", false),
        ("partition a | b c", "partition a | b c", true),
        ("partition a | b c", "partition a b | c", false),
        ("release a -> b", "hold a -> b", true),
        ("release a -> b", "hold b -> a", false),
        ("skew a 10ms", "skew a 30ms", true),
        ("drift a 0ppm", "drift a 50ppm", true),
        ("drift b 0ppm", "drift a 50ppm", false),
        ("flip a -> b 0", "flip a -> b 0.5", true),
        ("flip a -> b 0", "flip a -> c 0.5", false),
        ("descriptors a all", "descriptors a 10", true),
        ("everything", "short-io a 0.2", true),
        ("resume a", "clog a b", false),
    ] {
        assert_eq!(ends(event, fault), wanted, "{event:?} {fault:?}");
    }
}

#[test]
fn long_sides_are_short() {
    let all = "b c d e f g h";
    assert_eq!(
        brief(&format!("partition a | {all}")),
        "partition a | b c … h (7 nodes)"
    );
    assert_eq!(brief("partition a | b c"), "partition a | b c");
    assert_eq!(brief("clog a b"), "clog a b");
}

#[test]
fn nothing_is_markup() {
    let text = of(&[
        r#"{"tyme":1,"node":"<b>","event":"note","text":"<img src=x>"}"#,
        r#"{"tyme":2,"node":"<i>","path":"&","event":"always","name":"</p><script>"}"#,
        r#"{"tyme":3,"node":"a","event":"drop","why":"<u>"}"#,
    ]);
    for bad in ["<b>:", "<img", "<i>", "<script", "<u>"] {
        assert!(!text.contains(bad), "{bad}\n{text}");
    }
}

#[test]
fn times_are_short() {
    for (nanos, text) in [
        (0, "0 s"),
        (1_500, "1.500 µs"),
        (1_000_000, "0.001 s"),
        (61_234_567_890, "61.234 s"),
    ] {
        assert_eq!(seconds(nanos), text);
    }
}
