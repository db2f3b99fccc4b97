//! Goal: the example programs keep their command lines, exit codes and output, as other people's
//! clients and measurements use them. Method: the programs as processes, and a server that lies.
#![cfg(unix)]

#[expect(dead_code, reason = "tests/scale.rs uses the rest")]
mod programs;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use programs::{Served, echo, example, now, pause, scratch};
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

#[test]
fn a_bad_command_line_is_told_apart_from_a_failure() {
    for (name, args) in [
        ("echo_server", &["--addr", "127.0.0.1:0", "--tls"][..]),
        ("echo_server", &["--addr", "127.0.0.1:0", "--record"]),
        ("replay", &[]),
        ("replay", &["one.rec", "two.rec"]),
        ("crew", &["--members", "0"]),
        ("crew", &["--size", "0"]),
        ("crew", &["--addr", "nowhere"]),
        ("echo_server", &[]),
        ("echo_server", &["--addr", "nowhere"]),
        ("echo_server", &["--addr", "unix:/tmp/x"]),
        (
            "echo_server",
            &["--addr", "127.0.0.1:0", "--max-conns", "0"],
        ),
        (
            "echo_server",
            &["--addr", "127.0.0.1:0", "--max-conns", "many"],
        ),
        ("echo_server", &["--addr", "127.0.0.1:0", "--tymeout", "-1"]),
        (
            "echo_server",
            &["--addr", "127.0.0.1:0", "--tymeout", "NaN"],
        ),
        ("echo_client", &["--addr", "127.0.0.1:1", "--conns", "0"]),
        ("echo_client", &["--addr", "127.0.0.1:1", "--size", "0"]),
        ("echo_client", &["--count", "1"]),
        ("echo_server", &["--addr", ":0", "--unix", "/tmp/x"]),
        ("echo_server", &["--unix", ""]),
        (
            "echo_server",
            &["--addr", "127.0.0.1:0", "--keylog", "/tmp/x"],
        ),
        (
            "echo_server",
            &["--addr", "127.0.0.1:0", "--wirelog", "/nowhere/x"],
        ),
        (
            "echo_client",
            &["--addr", "127.0.0.1:1", "--size", "99999999999999999"],
        ),
        ("tour", &["--loud"]),
        ("raw_http", &[]),
        ("raw_http", &["nowhere"]),
        ("raw_http", &[":80"]),
        ("raw_http", &["localhost:80", "--tls"]),
        ("raw_http", &["localhost:80", "--ca", "ca.pem"]),
    ] {
        let out = run(name, args);
        assert_eq!(out.status.code(), Some(2), "{name} {args:?}");
        let why = text(&out.stderr);
        assert!(
            why.starts_with(&format!("{name}: ")),
            "{name} {args:?}: {why}"
        );
        assert!(out.stdout.is_empty(), "{name} {args:?}");
    }
}

#[test]
fn every_program_explains_itself() {
    for name in [
        "crew",
        "echo_server",
        "echo_client",
        "raw_http",
        "replay",
        "tour",
    ] {
        let out = run(name, &["--help"]);
        assert!(out.status.success(), "{name}");
        assert!(
            text(&out.stdout).contains(&format!("\n    {name}")),
            "{name}"
        );
    }
}

#[test]
fn a_crew_serves_on_all_members_and_a_signal_stops_it() {
    for more in [&["--by-hand"][..], &[]] {
        let at = ["--addr", "127.0.0.1:0", "--members", "2", "--rounds", "1"];
        let server = Served::example("crew", &[&at[..], more].concat());
        let mut streams: Vec<_> = (0..8).map(|_| server.connect()).collect();
        for stream in &mut streams {
            echo(stream, &[7; 64 * 3]);
        }
        drop(streams);
        let (status, said) = server.stop(Signal::TERM);
        assert!(status.success(), "{more:?}: {status}");
        let served: Vec<u64> = said
            .lines()
            .filter_map(|line| line.split(' ').nth(1)?.parse().ok())
            .collect();
        assert_eq!(served.iter().sum::<u64>(), 24, "{said}");
        assert_eq!(served.len(), 2, "{said}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn logs_on_a_full_disk_stop_nobody() {
    let at = ["--addr", "127.0.0.1:0", "--wirelog", "/dev/full"];
    let server = Served::echo(&[&at[..], &["--pcapng", "/dev/full"]].concat());
    let mut stream = server.connect();
    for _ in 0..40 {
        echo(&mut stream, &[7; 10_000]);
        pause(Duration::from_millis(40)); // so that they are written meanwhile
    }
    drop(stream);
    let (status, said) = server.stop(Signal::TERM);
    assert!(status.success() && said.is_empty(), "{status} {said}");
}

#[test]
fn output_that_nobody_reads_is_no_panic() {
    let server = Served::echo(&["--addr", "127.0.0.1:0"]);
    for (name, args, code) in [
        ("echo_server", &["--help"][..], 0),
        ("tour", &["--help"], 0),
        ("echo_client", &["--addr", &server.addr], 1),
    ] {
        let (reader, writer) = UnixStream::pair().unwrap();
        drop(reader);
        let child = Command::new(example(name))
            .args(args)
            .stdout(std::os::fd::OwnedFd::from(writer))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let out = child.wait_with_output().unwrap();
        let why = text(&out.stderr);
        assert_eq!(out.status.code(), Some(code), "{name}: {why}");
        assert!(!why.contains("panicked"), "{name}: {why}");
    }
}

#[test]
fn an_address_in_use_and_a_path_too_long_are_clear_failures() {
    let taken = Served::echo(&["--addr", "127.0.0.1:0"]);
    let out = run("echo_server", &["--addr", &taken.addr]);
    assert_eq!(out.status.code(), Some(1));
    assert!(
        text(&out.stderr).contains("address already in use"),
        "{out:?}"
    );
    let out = run(
        "echo_server",
        &["--unix", &format!("/tmp/{}", "x".repeat(200))],
    );
    assert_eq!(out.status.code(), Some(1));
    assert!(text(&out.stderr).contains("too long"), "{out:?}");
}

#[test]
fn server_and_client_over_tcp_and_unix() {
    let path = scratch("examples.sock");
    let unix = path.to_str().unwrap();
    for (at, signal) in [
        (["--addr", "127.0.0.1:0"], Signal::TERM),
        (["--addr", "[::1]:0"], Signal::INT),
        (["--unix", unix], Signal::INT),
    ] {
        let server = Served::echo(&at);
        let to = [at[0], &server.addr];
        let load = ["--conns", "7", "--count", "30", "--size", "5000"];
        let out = run("echo_client", &[&to[..], &load].concat());
        assert!(out.status.success(), "{out:?}");
        let line: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
        assert_eq!(line["messages"], 210, "{line}");
        assert_eq!(line["bytes"], 210 * 5000, "{line}");
        assert_eq!(line["mismatches"], 0, "{line}");
        assert_eq!(text(&out.stdout).lines().count(), 1);
        let (status, rest) = server.stop(signal);
        assert!(status.success(), "{status}");
        assert_eq!(rest, "", "one line is all it says");
    }
    assert!(!path.exists(), "the socket's file goes with the server");
}

#[test]
fn a_message_larger_than_every_buffer_comes_back() {
    let server = Served::echo(&["--addr", "127.0.0.1:0"]);
    let load = ["--conns", "2", "--count", "2", "--size", "20000000"];
    let out = run(
        "echo_client",
        &[&["--addr", &server.addr][..], &load].concat(),
    );
    assert!(out.status.success(), "{out:?}");
}

#[test]
fn the_client_sees_a_changed_byte_and_a_lost_connection() {
    let liar = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = liar.local_addr().unwrap().to_string();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = liar.accept().unwrap();
        for wrong in [false, true, false] {
            let mut message = [0; 100];
            stream.read_exact(&mut message).unwrap();
            message[99] ^= u8::from(wrong);
            stream.write_all(&message).unwrap();
        }
        liar.accept().unwrap(); // and closed at once
    });
    let to = ["--addr", &addr, "--size", "100", "--count"];
    let out = run("echo_client", &[&to[..], &["3"]].concat());
    assert_eq!(out.status.code(), Some(1));
    let line: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(
        (&line["messages"], &line["mismatches"]),
        (&3.into(), &1.into())
    );
    let out = run("echo_client", &[&to[..], &["1"]].concat());
    assert_eq!(out.status.code(), Some(1));
    let line: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!((&line["messages"], &line["lost"]), (&0.into(), &1.into()));
    server.join().unwrap();
}

#[test]
fn tymeout_and_max_conns_are_kept() {
    let path = scratch("limits.sock");
    let unix = path.to_str().unwrap();
    let server = Served::echo(&["--unix", unix, "--tymeout", "0.5", "--max-conns", "2"]);
    let mut first = server.connect_unix();
    let _second = server.connect_unix();
    echo(&mut first, b"served");
    let mut third: UnixStream = server.connect_unix();
    let start = now();
    // It waits in the backlog until the idle tymeout has closed one of the others.
    let waited = echo(&mut third, b"served, too");
    assert!(
        waited > Duration::from_millis(300),
        "waited only {waited:?}"
    );
    let mut end = [0; 1];
    assert_eq!(
        first.read(&mut end).unwrap(),
        0,
        "closed by the idle tymeout"
    );
    assert!(now().duration_since(start) < Duration::from_secs(5));
}

#[test]
fn the_tour_ends_by_itself_within_ten_seconds() {
    example("tour"); // to build it is not its time
    let start = now();
    let out = run("tour", &[]);
    let took = now().duration_since(start);
    assert!(out.status.success(), "{out:?}");
    assert!(took < Duration::from_secs(10), "{took:?}");
    let story = text(&out.stdout);
    for part in [
        "is cut",
        "connected again",
        "restarts it",
        "every byte verified",
    ] {
        assert!(story.contains(part), "{part} is missing: {story}");
    }
    assert!(!story.contains('\x1b'), "no colours without a terminal");
}
