use super::*;

#[test]
fn every_fault_is_printed_and_read_again() {
    let text = "\
at 1500ms partition a | b c
at 2s partition a -> b
at 2s isolate a
at 1s clog a b
at 2s hold a -> b
at 2s release a -> b
at 3s heal
at 3s heal a b
at 4s crash b
at 4s kill b
at 5s restart b
at 5s pause b
at 6s resume b
at 7s reset a b
at 1s skew a 30ms
at 1s skew a -30ms
at 1s drift a 50ppm
at 1s drift a -50ppm
at 1s step a -2s
at 1s drain a 10s
at 1s descriptors a 10
at 1s descriptors a all
at 5s spurious a
at 5s short-io a 0.2
at 5s flip a -> b 0.001
at 5s point a 0.1
at 5s point a 0.1 disk full
at 0s link a b latency uniform 1ms 5ms loss 0.01 bandwidth 1MB/s queue 64KiB
at 0s link a -> b latency constant 1ms
";
    let plan: FaultPlan = text.parse().expect("all are well formed");
    assert_eq!(plan.to_string(), text);
    for (_, fault) in &plan.faults {
        assert_eq!(fault.to_string().parse::<Fault>().as_ref(), Ok(fault));
        assert!(fault.nodes().iter().all(|n| ["a", "b", "c"].contains(n)));
    }
    let healing = plan.faults.iter().filter(|(_, f)| f.heals()).count();
    assert_eq!(healing, 6);
}

#[test]
fn comments_and_empty_lines_are_left_out() {
    let text = "# all of it\n\n  at 1.5s   heal   a  b # mends\n";
    let plan: FaultPlan = text.parse().expect("well formed");
    assert_eq!(plan.to_string(), "at 1500ms heal a b\n");
    assert_eq!("".parse(), Ok(FaultPlan::new()));
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    for (text, why) in [
        ("heal", "begins with its moment"),
        ("at heal", "begins with its moment"),
        ("at 1 heal", "begins with its moment"),
        ("at 1s", "no such fault"),
        ("at 1s explode a", "no such fault"),
        ("at 1s partition a b", "parts are wanted"),
        ("at 1s partition a |", "parts are wanted"),
        ("at 1s partition a -> b c", "direction"),
        ("at 1s partition -> | a", "direction"),
        ("at 1s heal a", "two nodes"),
        ("at 1s crash", "one node"),
        ("at 1s crash |", "name is wanted"),
        ("at 1s hold a b", "direction"),
        ("at 1s skew a", "a node and a value"),
        ("at 1s skew a 5", "a time"),
        ("at 1s drift a 5", "ppm"),
        ("at 1s drift a 100001ppm", "ppm"),
        ("at 1s drift a +5ppm", "ppm"),
        ("at 1s descriptors a few", "a number"),
        ("at 1s short-io a 2", "share"),
        ("at 1s flip a b 0.1", "direction"),
        ("at 1s link a", "a link"),
        ("at 1s link a b latency", "a link"),
    ] {
        let error = format!("at 0s heal\n{text}").parse::<FaultPlan>();
        let error = error.expect_err(text);
        assert_eq!(error.line, 2, "{text}");
        assert!(error.to_string().contains(why), "{text}: {error}");
    }
    let long = format!("at 1s crash {}", "x".repeat(300));
    assert!(long.parse::<FaultPlan>().is_err());
}
