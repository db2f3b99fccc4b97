use super::*;
use crate::sim::fault::Fault;
use std::fs;

/// Scenarios without a simulator: whether a case fails is decided by its faults.
struct Made {
    /// How many faults a case has.
    faults: u64,
    /// All of these have to be there for it to fail.
    needed: Vec<&'static str>,
    /// Seeds that fail, if they have what is needed.
    fails: fn(u64) -> bool,
}

fn never(_: u64) -> bool {
    false
}

impl Scenario for Made {
    fn case(&self, seed: u64) -> Case {
        let nth = |n: u64| {
            let (at, node) = (10 + n * 25, (n * 7 + seed) % 5);
            let what =
                ["crash", "restart", "pause", "resume"][usize::try_from(n % 4).expect("small")];
            fault(&format!("at {at}ms {what} n{node}"))
        };
        let mut faults = FaultPlan::new();
        faults.faults.extend((0..self.faults).map(nth));
        faults
            .faults
            .extend(self.needed.iter().map(|text| fault(text)));
        faults.faults.sort_by_key(|(at, _)| *at);
        Case {
            seed,
            nodes: 5,
            time: Duration::from_secs(20),
            calm: Duration::from_secs(10),
            faults,
        }
    }

    fn run(&self, case: &Case) -> Run {
        let wanted = |text: &&str| {
            let (at, _) = fault(text);
            case.faults.faults.contains(&fault(text)) && at.since(Tyme::ZERO) <= case.time
        };
        let mut run = Run::default();
        run.hash.event(&[case.seed], b"");
        run.marks.insert("ran".to_owned(), true);
        run.marks.insert("seldom".to_owned(), case.seed % 10 == 7);
        run.marks.insert("not to be met".to_owned(), false);
        if (self.fails)(case.seed) && self.needed.iter().all(wanted) {
            run.failure = Some(Failure {
                name: "made to fail".to_owned(),
                detail: "it was".to_owned(),
                at: Tyme::from_secs(8),
            });
        }
        run
    }

    fn command(&self, case: &Case, faults: &Path) -> String {
        format!("run --seed {} --faults {}", case.seed, faults.display())
    }

    fn fewer_nodes(&self, case: &Case) -> Option<Case> {
        let mut case = case.clone();
        case.nodes = case.nodes.checked_sub(1).filter(|nodes| *nodes >= 3)?;
        let gone = format!("n{}", case.nodes);
        case.faults
            .faults
            .retain(|(_, fault)| !fault.nodes().contains(&gone.as_str()));
        Some(case)
    }
}

/// A line of a plan.
fn fault(text: &str) -> (Tyme, Fault) {
    let plan: FaultPlan = text.parse().expect("a fault");
    plan.faults[0].clone()
}

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("hio-campaign-{}-{name}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    folder
}

#[test]
fn jobs_do_not_matter() {
    for fails in [never, |seed| seed == 61 || seed == 40 || seed == 41] {
        let made = Made {
            faults: 3,
            needed: vec!["at 1s crash n0"],
            fails,
        };
        let one = Campaign::new(0..80).run(&made).expect("no files");
        for jobs in [2, 3, 8] {
            let many = campaign(0..80, jobs, &made).expect("no files");
            assert_eq!(
                (one.runs, one.hash, one.faults, &one.marks),
                (many.runs, many.hash, many.faults, &many.marks)
            );
            let found = |report: &Report| {
                let found = report.found.as_ref()?;
                Some((found.case.clone(), found.least.clone(), found.shrink_runs))
            };
            assert_eq!(found(&one), found(&many));
        }
        let first = one.found.map(|found| found.case.seed);
        assert_eq!(first, fails(40).then_some(40));
    }
}

#[test]
fn three_faults_are_left_of_four_hundred() {
    let needed = vec![
        "at 2s step n1 1500ms",
        "at 3s partition n0 | n1",
        "at 7s crash n2",
    ];
    let made = Made {
        faults: 397,
        needed: needed.clone(),
        fails: |_| true,
    };
    let report = campaign(9..10, 1, &made).expect("no files");
    assert_eq!(report.faults, 400);
    let found = report.found.expect("it fails");
    let wanted: Vec<_> = needed.iter().map(|text| fault(text)).collect();
    assert_eq!(found.least.faults.faults, wanted);
    assert_eq!(found.least.nodes, 3);
    let time = found.least.time;
    assert!(
        time >= Duration::from_secs(7) && time < Duration::from_secs(8),
        "{time:?}"
    );
    assert!(found.shrink_runs < 150, "{}", found.shrink_runs);
}

#[test]
fn shrinking_stops_when_it_may_run_no_more() {
    let made = Made {
        faults: 100,
        needed: vec!["at 1s crash n0"],
        fails: |_| true,
    };
    for runs in [0, 1, 5] {
        let report = Campaign::new(0..1).with_shrink_runs(runs).run(&made);
        let found = report.expect("no files").found.expect("it fails");
        assert!(found.shrink_runs <= runs);
        assert_eq!(found.case.faults.faults.len(), 101);
    }
}

#[test]
fn a_case_is_on_disk_while_it_runs_and_stays_there_when_it_fails() {
    /// Looks at the folder from inside of a run.
    struct Looks(Made, PathBuf);
    impl Scenario for Looks {
        fn case(&self, seed: u64) -> Case {
            self.0.case(seed)
        }
        fn run(&self, case: &Case) -> Run {
            let path = self.1.join(format!("seed-{}.faults", case.seed));
            let on_disk = fs::read_to_string(&path).is_ok_and(|text| {
                text.parse().as_ref() == Ok(&case.faults) && text.contains("# run --seed")
            });
            let mut run = self.0.run(case);
            run.marks.insert("on disk".to_owned(), on_disk);
            run
        }
        fn command(&self, case: &Case, faults: &Path) -> String {
            self.0.command(case, faults)
        }
    }
    let folder = folder("disk");
    let made = Made {
        faults: 5,
        needed: vec!["at 1s crash n0"],
        fails: |seed| seed == 12,
    };
    let report = Campaign::new(0..20)
        .stored_in(&folder)
        .run(&Looks(made, folder.clone()))
        .expect("to write");
    assert_eq!(report.marks["on disk"], 13);
    let found = report.found.expect("it fails");
    let mut left: Vec<_> = fs::read_dir(&folder)
        .expect("a folder")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .into_string()
                .expect("UTF-8")
        })
        .collect();
    left.sort();
    assert_eq!(left, ["seed-12.faults", "seed-12.least.faults"]);
    let least = folder.join("seed-12.least.faults");
    assert_eq!(
        found.command,
        format!("run --seed 12 --faults {}", least.display())
    );
    let _ = fs::remove_dir_all(&folder);
}

#[test]
fn a_panic_is_a_failure() {
    struct Panics;
    impl Scenario for Panics {
        fn case(&self, seed: u64) -> Case {
            Case {
                seed,
                nodes: 1,
                time: Duration::from_secs(1),
                calm: Duration::ZERO,
                faults: FaultPlan::new(),
            }
        }
        fn run(&self, case: &Case) -> Run {
            assert!(case.seed < 3, "seed {} is too much", case.seed);
            Run::default()
        }
        fn command(&self, _case: &Case, _faults: &Path) -> String {
            String::new()
        }
    }
    for jobs in [1, 2] {
        let found = campaign(0..9, jobs, &Panics)
            .expect("no files")
            .found
            .expect("it fails");
        assert_eq!((found.case.seed, found.failure.name.as_str()), (3, "panic"));
        assert!(found.failure.detail.contains("seed 3 is too much"));
    }
}

#[test]
fn a_campaign_ends_where_nothing_new_is_met() {
    let made = Made {
        faults: 0,
        needed: Vec::new(),
        fails: never,
    };
    for jobs in [1, 4] {
        let report = Campaign::new(0..1000)
            .with_jobs(jobs)
            .until_plateau(50)
            .run(&made);
        let report = report.expect("no files");
        // "seldom" is met at seed 7 for the first time.
        assert!(report.plateau && report.runs == 58, "{}", report.runs);
        assert_eq!(report.marks["ran"], 58);
        assert_eq!(report.marks["not to be met"], 0);
    }
}

#[test]
fn the_parts_of_a_campaign_are_the_whole() {
    let made = Made {
        faults: 2,
        needed: Vec::new(),
        fails: never,
    };
    let whole = campaign(5..105, 1, &made).expect("no files");
    let mut runs = 0;
    for part in ["1/3", "2/3", "3/3"] {
        let shard = part.parse().expect("a shard");
        runs += Campaign::new(5..105)
            .with_shard(shard)
            .run(&made)
            .expect("no files")
            .runs;
    }
    assert_eq!(runs, whole.runs);
}
