//! Goal: the examples that have a loop of their own do what they say, end in order, and tell a bad
//! command line. Method: the programs as processes, for a second or so each.
#![cfg(target_os = "linux")]

#[expect(dead_code, reason = "tests/scale.rs uses the rest")]
mod programs;

use std::io::{Read, Write};
use std::process::{Command, Output};
use std::time::Duration;

use programs::{Served, example};
use rustix::process::Signal;

fn run(name: &str, args: &[&str]) -> Output {
    Command::new(example(name)).args(args).output().unwrap()
}

/// What a program prints that ends well.
fn printed(name: &str, args: &[&str]) -> String {
    let out = run(name, args);
    let text = String::from_utf8(out.stdout).unwrap();
    let why = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{name} {args:?}: {text}{why}");
    assert!(text.starts_with("listening on 127.0.0.1:"), "{text}");
    text
}

/// The number before a word.
fn before(text: &str, word: &str) -> u64 {
    let words: Vec<&str> = text.split([' ', '\n', '(']).collect();
    let at = words
        .iter()
        .position(|w| w.trim_matches(&[',', ':'][..]) == word);
    let at = at.unwrap_or_else(|| panic!("{word} is missing: {text}"));
    words[at - 1].parse().unwrap()
}

/// The number after a word.
fn after(text: &str, word: &str) -> u64 {
    let rest = text
        .split_once(word)
        .unwrap_or_else(|| panic!("{word} is missing: {text}"))
        .1;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}

#[test]
fn the_game_verifies_its_players_and_drops_a_stall() {
    let text = printed("game_loop", &["--secs", "1", "--peers", "20"]);
    assert_eq!(before(&text, "joined"), 20, "{text}");
    assert!(before(&text, "answers") >= 20, "{text}");
    assert!(after(&text, "dropped ") >= 100, "{text}");
    assert!(text.contains("busy in a warm frame"), "{text}");
}

#[test]
fn the_control_loop_counts_every_period_whatever_its_policy() {
    for args in [
        &["--secs", "1"][..],
        &["--secs", "1", "--wait", "poll"],
        &["--secs", "1", "--wait", "epoll"],
        &["--secs", "1.2", "--stall", "9", "--overrun", "skip"],
        &["--secs", "1.2", "--stall", "9", "--overrun", "realign"],
        &["--secs", "1.2", "--stall", "9", "--overrun", "catch-up"],
    ] {
        let text = printed("control_loop", args);
        let (run, missed) = (after(&text, "periods: "), before(&text, "missed"));
        let stalled = args.contains(&"--stall");
        // A stall of 9 ms makes 8 late periods: skipped, let go of, or 4 of them made up for.
        assert!(!stalled || missed >= 2 * 4, "{args:?}: {text}");
        if args.contains(&"skip") {
            assert!(run + missed >= 1_200, "{args:?}: {text}");
        }
        assert!(before(&text, "states") > 10, "{args:?}: {text}");
        assert!(text.contains("p99.9"), "{text}");
    }
}

#[test]
fn the_control_loop_stays_on_a_processor() {
    printed("control_loop", &["--secs", "0.2", "--core", "0"]);
    let out = run("control_loop", &["--secs", "0.2", "--core", "9999"]);
    assert_eq!(out.status.code(), Some(1), "there is no such one");
    // Whether it may is the system's business; it says why not, and takes no `--fifo` along.
    let out = run("control_loop", &["--secs", "0.2", "--fifo", "10"]);
    let text = String::from_utf8_lossy(&out.stdout);
    match out.status.success() {
        true => assert!(text.contains("periods: "), "{text}"),
        false => assert!(!out.stderr.is_empty()),
    }
}

#[test]
fn both_ways_of_the_foreign_loop_are_verified() {
    let text = printed("foreign_loop", &["--secs", "2"]);
    assert!(before(&text, "echoes") > 10, "{text}");
    assert_eq!(before(&text, "records"), 250, "{text}");
}

#[test]
fn a_signal_ends_each_of_them_in_order() {
    for (name, signal) in [
        ("game_loop", Signal::INT),
        ("control_loop", Signal::TERM),
        ("foreign_loop", Signal::INT),
    ] {
        let server = Served::example(name, &["--secs", "600"]);
        programs::pause(Duration::from_millis(500));
        let (status, _) = server.stop(signal);
        assert!(status.success(), "{name}: {status}");
    }
}

#[test]
fn what_strangers_send_is_refused_and_hurts_nobody() {
    // An operator that is none: half a number, then nothing; and one that never reads.
    let server = Served::example("control_loop", &["--secs", "1"]);
    let mut silent = server.connect();
    let mut half = server.connect();
    half.write_all(b"half").unwrap();
    drop(half);
    let mut told = Vec::new();
    silent.read_to_end(&mut told).unwrap(); // till the loop is over
    assert!(told.len() >= 32, "{}", told.len());
    let (status, text) = server.stop(Signal::TERM);
    assert!(status.success(), "{text}");
    // In the game, one that does not speak TLS.
    let server = Served::example("game_loop", &["--secs", "1", "--peers", "5"]);
    let mut rude = server.connect();
    rude.write_all(&[0; 4096]).unwrap();
    let mut answer = Vec::new();
    drop(rude.read_to_end(&mut answer)); // an alert, or the end
    let (status, text) = server.stop(Signal::TERM);
    assert!(status.success(), "{text}");
}

#[test]
fn a_bad_command_line_is_told() {
    for (name, args) in [
        ("game_loop", &["--secs", "0"][..]),
        ("game_loop", &["--secs", "-1"]),
        ("game_loop", &["--peers", "0"]),
        ("game_loop", &["--addr", "nowhere"]),
        ("control_loop", &["--secs", "NaN"]),
        ("control_loop", &["--overrun", "hope"]),
        ("control_loop", &["--wait", "long"]),
        ("control_loop", &["--fifo", "100"]),
        ("control_loop", &["--stall", "401"]),
        ("foreign_loop", &["--secs"]),
        ("foreign_loop", &["--loud"]),
    ] {
        let out = run(name, args);
        assert_eq!(out.status.code(), Some(2), "{name} {args:?}");
        let why = String::from_utf8_lossy(&out.stderr);
        assert!(
            why.starts_with(&format!("{name}: ")),
            "{name} {args:?}: {why}"
        );
    }
    for name in ["game_loop", "control_loop", "foreign_loop"] {
        let out = run(name, &["--help"]);
        let text = String::from_utf8_lossy(&out.stdout);
        assert!(
            out.status.success() && text.contains(&format!("\n    {name}")),
            "{text}"
        );
    }
}
