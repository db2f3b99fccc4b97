//! Goal: what `echo_server --record` wrote, `replay` runs again to the same hash, with TLS too, and
//! a file that is damaged or cut off is told apart. Method: the programs as processes.
#![cfg(all(unix, any(feature = "tls", feature = "aws-lc-rs")))]

#[path = "support/pki.rs"]
#[expect(dead_code, reason = "other tests use the rest")]
mod pki;
#[expect(dead_code, reason = "other tests use the rest")]
mod programs;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use programs::{Served, example, now, pause, scratch};
use rustix::process::{Pid, Signal, kill_process};

/// Runs a program to its end, which must come within a minute.
fn run(name: &str, args: &[&str]) -> Output {
    let child = Command::new(example(name))
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = Pid::from_child(&child);
    let end = std::thread::spawn(move || child.wait_with_output().unwrap());
    let start = now();
    while !end.is_finished() {
        if now().duration_since(start) > Duration::from_secs(60) {
            kill_process(pid, Signal::KILL).unwrap();
            panic!("{name} {args:?} does not end");
        }
        pause(Duration::from_millis(5));
    }
    end.join().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// Records some echoes; the hash's line. `to` says how clients dial.
fn record(file: &Path, server: &[&str], to: &[&str]) -> String {
    let mut args = vec!["--addr", "127.0.0.1:0", "--record", file.to_str().unwrap()];
    args.extend(server);
    let served = Served::echo(&args);
    let mut load = vec![
        "--addr",
        &served.addr,
        "--conns",
        "4",
        "--count",
        "50",
        "--size",
        "3000",
    ];
    load.extend(to);
    let out = run("echo_client", &load);
    assert!(out.status.success(), "{out:?}");
    let (status, rest) = served.stop(Signal::TERM);
    assert!(status.success(), "{status}");
    rest.trim().strip_prefix("recorded ").unwrap().to_owned()
}

fn replay(file: &Path) -> Output {
    run("replay", &[file.to_str().unwrap()])
}

fn written(name: &str, text: &str) -> PathBuf {
    let path = scratch(name);
    std::fs::write(&path, text).unwrap();
    path
}

#[test]
fn d1_a_recorded_server_replays_to_the_same_hash() {
    let file = scratch("plain.rec");
    let hash = record(&file, &["--tymeout", "30"], &[]);
    let out = replay(&file);
    assert!(out.status.success(), "{out:?}");
    assert_eq!(text(&out.stdout).lines().last(), Some(hash.as_str()));
    let again = replay(&file);
    assert_eq!(again.stdout, out.stdout);

    let listed = run("replay", &["--print", file.to_str().unwrap()]);
    assert!(listed.status.success());
    let lines = text(&listed.stdout);
    assert!(lines.starts_with("# --addr\n# 127.0.0.1:0\n"), "{lines}");
    let events: usize = hash.rsplit(' ').next().unwrap().parse().unwrap();
    let listed = lines.lines().filter(|line| !line.starts_with('#')).count();
    assert_eq!(listed, events);

    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "only its owner reads what peers sent");
    std::fs::remove_file(file).unwrap();
}

#[test]
fn d1_a_recorded_server_with_tls_replays_without_its_key() {
    let root = pki::Authority::root("test root");
    let id = root.issue("server", |_| {});
    let (ca, cert) = (written("ca.pem", &root.pem()), written("s.pem", &id.chain));
    let key = written("s.key", &id.key);
    let [ca, cert, key] = [ca, cert, key].map(|path| path.to_str().unwrap().to_owned());
    let file = scratch("tls.rec");
    let tls = ["--tls", "--cert", &cert, "--key", &key];
    let hash = record(&file, &tls, &["--tls", "--ca", &ca, "--name", "localhost"]);
    for path in [&ca, &cert, &key] {
        std::fs::remove_file(path).unwrap();
    }
    let out = replay(&file);
    assert!(out.status.success(), "{out:?}");
    assert_eq!(text(&out.stdout).lines().last(), Some(hash.as_str()));
    std::fs::remove_file(file).unwrap();
}

#[test]
fn a_killed_servers_recording_replays_up_to_its_end() {
    let file = scratch("killed.rec");
    let served = Served::echo(&["--addr", "127.0.0.1:0", "--record", file.to_str().unwrap()]);
    let load = ["--conns", "1", "--count", "20", "--size", "50000"];
    let out = run(
        "echo_client",
        &[&["--addr", &served.addr][..], &load].concat(),
    );
    assert!(out.status.success(), "{out:?}");
    served.stop(Signal::KILL);
    let out = replay(&file);
    assert!(out.status.success(), "{out:?}");
    assert!(text(&out.stderr).contains("cut off after event"), "{out:?}");
    assert!(
        text(&out.stdout)
            .lines()
            .last()
            .unwrap()
            .starts_with("trace-hash ")
    );
    std::fs::remove_file(file).unwrap();
}

#[test]
fn a_difference_is_told_with_its_doer_and_exit_code_1() {
    let file = scratch("other.rec");
    record(&file, &["--tymeout", "30"], &[]);
    // The recorded command line with another tymeout: the server polls otherwise.
    let mut bytes = std::fs::read(&file).unwrap();
    let at = bytes.windows(3).position(|part| part == b"\n30").unwrap();
    bytes[at + 1] = b'9';
    std::fs::write(&file, &bytes).unwrap();
    let out = replay(&file);
    assert_eq!(out.status.code(), Some(1));
    let why = text(&out.stderr);
    assert!(
        why.contains("the run differs, in doer echo: event "),
        "{why}"
    );
    assert!(why.contains("expected poll until"), "{why}");

    let last = bytes.len() - 100;
    bytes[last] ^= 1;
    std::fs::write(&file, &bytes).unwrap();
    assert_eq!(replay(&file).status.code(), Some(1));
    std::fs::write(&file, "something else").unwrap();
    let out = replay(&file);
    assert_eq!(out.status.code(), Some(1));
    assert!(text(&out.stderr).contains("not a recording"), "{out:?}");
    std::fs::remove_file(file).unwrap();
}

/// A run that is told to read its certificate anew, twice, once in vain, and is ended under load: the
/// signals are part of the recording.
#[test]
fn d1_a_run_that_reloads_and_drains_under_load_replays() {
    let root = pki::Authority::root("test root");
    let id = root.issue("server", |_| {});
    let (ca, cert) = (
        written("ca2.pem", &root.pem()),
        written("s2.pem", &id.chain),
    );
    let key = written("s2.key", &id.key);
    let [ca, cert, key] = [ca, cert, key].map(|path| path.to_str().unwrap().to_owned());
    let file = scratch("drain.rec");
    let record = ["--addr", "127.0.0.1:0", "--record", file.to_str().unwrap()];
    let tls = ["--tls", "--cert", &cert, "--key", &key];
    let served = Served::echo(&[&record[..], &tls].concat());
    let load = |count: &str| {
        Command::new(example("echo_client"))
            .args(["--addr", &served.addr, "--conns", "4", "--count", count])
            .args(["--tls", "--ca", &ca, "--name", "localhost"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    };
    let new = root.issue("server", |_| {});
    std::fs::write(&cert, &new.chain).unwrap();
    std::fs::write(&key, &new.key).unwrap();
    served.signal(Signal::HUP);
    assert!(load("20").wait().unwrap().success());
    std::fs::write(&key, "no key").unwrap();
    served.signal(Signal::HUP);
    assert!(load("20").wait().unwrap().success());
    let mut busy = load("1000000");
    pause(Duration::from_millis(300));
    let (status, rest) = served.stop(Signal::TERM);
    assert!(status.success(), "{status}");
    busy.wait().unwrap(); // it was cut off, in order
    let hash = rest.trim().strip_prefix("recorded ").unwrap();
    for path in [&ca, &cert, &key] {
        std::fs::remove_file(path).unwrap();
    }
    let out = replay(&file);
    assert!(out.status.success(), "{out:?}");
    assert_eq!(text(&out.stdout).lines().last(), Some(hash));
    std::fs::remove_file(file).unwrap();
}
