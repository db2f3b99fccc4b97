//! Goal: a campaign's parts, run by GNU parallel as processes of their own, are the whole campaign;
//! and what is found is in files.
//! Method: the `sim_cluster` example over a few seeds, whole and in three parts.
#![cfg(unix)]

#[expect(dead_code, reason = "other tests use the rest")]
mod programs;

use std::process::{Command, Output};

use programs::{example, scratch};

fn runs(out: &Output) -> u64 {
    let text = String::from_utf8_lossy(&out.stdout);
    let lines = text.lines().filter(|line| line.contains(" runs with "));
    lines
        .map(|line| {
            line.split(' ')
                .next()
                .and_then(|n| n.parse().ok())
                .unwrap_or(0)
        })
        .sum()
}

#[test]
fn parts_by_gnu_parallel_are_the_whole() {
    let there = Command::new("parallel").arg("--version").output();
    if !there.is_ok_and(|out| String::from_utf8_lossy(&out.stdout).starts_with("GNU parallel")) {
        println!("skipped: no GNU parallel here");
        return;
    }
    let program = example("sim_cluster");
    let dir = scratch("campaign");
    let cases = |name: &str| dir.join(name).display().to_string();
    let args = ["--campaign", "0..7", "--secs", "9", "--no-tls"];
    let whole = Command::new(&program)
        .args(args)
        .args(["--cases", &cases("whole")])
        .output()
        .expect("to run");
    assert!(whole.status.success(), "{whole:?}");
    assert_eq!(runs(&whole), 7);
    let line = format!(
        "HIO_SIM_SHARD={{}}/3 {} {} --cases {}-{{}}",
        program.display(),
        args.join(" "),
        cases("part")
    );
    let parts = Command::new("parallel")
        .args([
            "--will-cite",
            "--jobs",
            "2",
            "--halt",
            "now,fail=1",
            &line,
            ":::",
            "1",
            "2",
            "3",
        ])
        .output()
        .expect("to run");
    assert!(parts.status.success(), "{parts:?}");
    assert_eq!(runs(&parts), 7);
}

#[test]
fn a_bad_shard_runs_nothing() {
    let out = Command::new(example("sim_cluster"))
        .args(["--campaign", "0..7"])
        .env("HIO_SIM_SHARD", "4/3")
        .output()
        .expect("to run");
    assert_eq!(out.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&out.stderr).contains("is no shard"));
}
