//! Goal: many connections, hostile ones, and too few descriptors leave an echo server fast, small
//! and asleep (catalogue A1, A3, A6, A7, A9).
//! Method: the example `echo_server` in a process of its own, looked at through `/proc` and
//! `strace`; what needs a tool that is missing is skipped and says so.
#![cfg(target_os = "linux")]

#[expect(dead_code, reason = "tests/tls_hostile.rs uses the rest")]
mod programs;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use programs::{Served, echo, has, now, pause, scratch};
use rustix::net::sockopt;
use rustix::process::Signal;

/// They measure time and use up descriptors: one at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// Descriptors this process and the server keep for everything but the idle connections.
const SPARE: u64 = 64;

/// Opens connections and sees that each is served.
fn crowd(server: &Served, count: u64) -> Vec<TcpStream> {
    let open = |i: u64| {
        let mut stream = server.connect();
        echo(&mut stream, &i.to_le_bytes());
        stream
    };
    (0..count).map(open).collect()
}

#[test]
fn a7_ten_thousand_idle_connections_cost_nothing() {
    let _alone = ALONE.lock();
    let count = 10_000.min(programs::raise_descriptors() - SPARE);
    let (busy, quiet) = (
        Served::echo(&["--addr", "127.0.0.1:0"]),
        Served::echo(&["--addr", "127.0.0.1:0"]),
    );
    // Once around first, as the program's own pages come in with its first use.
    drop(crowd(&busy, 10));
    let before = busy.resident();
    let idle = crowd(&busy, count);
    let few = crowd(&quiet, 10);
    let each = (busy.resident() - before) / count;
    // Without optimisation its stack and heap are a little larger.
    let most = if cfg!(debug_assertions) { 330 } else { 300 };
    assert!(
        each <= most,
        "{each} bytes of memory for an idle connection"
    );

    let cpu = busy.cpu_nanos();
    pause(Duration::from_secs(1));
    let spent = busy.cpu_nanos() - cpu;
    assert_eq!(spent, 0, "nanoseconds of CPU in an idle second");

    // One active connection costs as much among 10 000 as among 10. The best of three counts:
    // the machine has other things to do.
    let (mut among, mut alone) = (busy.connect(), quiet.connect());
    let ratio = (0..3).map(|_| {
        let ratios = (0..21).map(|_| cost(&busy, &mut among) / cost(&quiet, &mut alone));
        median(ratios.collect())
    });
    let best = ratio.fold(f64::INFINITY, f64::min);
    assert!(
        best < 1.2,
        "an echo among {count} costs {best:.2} of one among 10"
    );
    drop((idle, few));
}

/// Server time for some echoes.
fn cost(server: &Served, stream: &mut TcpStream) -> f64 {
    let before = server.cpu_nanos();
    for i in 0..200_u64 {
        echo(stream, &[i.to_le_bytes(); 8].concat());
    }
    (server.cpu_nanos() - before) as f64
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[test]
fn a7_an_idle_server_sleeps() {
    let _alone = ALONE.lock();
    if !has("strace") {
        return;
    }
    let log = scratch("idle.strace");
    let server = Served::traced(&log, &[], &["--addr", "127.0.0.1:0", "--tymeout", "600"]);
    let idle = crowd(&server, 100);
    pause(Duration::from_millis(200));
    let before = lines(&log);
    pause(Duration::from_secs(2));
    let woken = &lines(&log)[before.len()..];
    assert!(woken.is_empty(), "an idle server called {woken:#?}");
    assert!(
        before.last().unwrap().contains("epoll_wait"),
        "it waits in its poll"
    );
    drop(idle);
    assert!(server.stop(Signal::TERM).0.success());
    drop(std::fs::remove_file(&log));
}

fn lines(log: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(log).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn a6_floods_of_connections_that_close_at_once() {
    let _alone = ALONE.lock();
    let server = Served::echo(&["--addr", "127.0.0.1:0"]);
    let mut steady = server.connect();
    echo(&mut steady, b"before");
    let (descriptors, memory) = (server.descriptors(), server.resident());
    let mut slowest = Duration::ZERO;
    for i in 0..20_000 {
        let stream = server.connect();
        // Nearly all go with a reset: it also leaves no port waiting on this side.
        if i % 20 > 0 {
            sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
        }
        if i % 1_000 == 0 {
            slowest = slowest.max(echo(&mut steady, b"meanwhile"));
        }
    }
    assert!(
        slowest < Duration::from_millis(500),
        "an echo took {slowest:?}"
    );
    settles(
        || server.descriptors() == descriptors,
        "no descriptor is left",
    );
    let grown = server.resident().saturating_sub(memory);
    assert!(grown < 4 << 20, "{grown} bytes more than before");
    echo(&mut steady, b"after");
    assert!(server.stop(Signal::TERM).0.success());
}

/// Waits, up to five seconds, for something to come true.
fn settles(done: impl Fn() -> bool, what: &str) {
    let start = now();
    while !done() {
        assert!(
            now().duration_since(start) < Duration::from_secs(5),
            "{what}"
        );
        pause(Duration::from_millis(10));
    }
}

#[test]
fn a3_peers_that_never_read_stay_within_the_caps() {
    let alone = ALONE.lock();
    let server = Served::echo(&["--addr", "127.0.0.1:0"]);
    let mut good = server.connect();
    echo(&mut good, b"before");
    let (peers, memory) = (200, server.resident());
    let stuck: Vec<TcpStream> = (0..peers).map(|_| server.connect()).collect();
    let data = vec![7; 10 << 20];
    for peer in &stuck {
        push(peer, &data);
    }
    pause(Duration::from_millis(200));
    for peer in &stuck {
        push(peer, &data); // what the server has taken meanwhile made room
    }
    // rx 256 KiB and tx 1 MiB each, and half as much again for buffers that grow by doubling.
    let each = (server.resident() - memory) / peers;
    assert!(
        each < (1280 << 10) * 3 / 2,
        "{each} bytes for a peer that never reads"
    );
    let mut slow: Vec<Duration> = (0..100).map(|_| echo(&mut good, &[1; 64])).collect();
    slow.sort();
    assert!(
        slow[90] < Duration::from_millis(62),
        "an echo took {:?}",
        slow[90]
    );
    let cpu = server.cpu_nanos();
    pause(Duration::from_secs(1));
    let spent = Duration::from_nanos(server.cpu_nanos() - cpu);
    assert!(
        spent < Duration::from_millis(20),
        "{spent:?} of CPU for peers that wait"
    );
    // The write tymer ends them: 30 s, and the test's own patience. Others may run meanwhile.
    drop(alone);
    let start = now();
    let ended = |mut peer: &TcpStream| match peer.write(&[0]) {
        Ok(_) => false,
        Err(e) => e.kind() != ErrorKind::WouldBlock,
    };
    while !stuck.iter().all(ended) {
        assert!(
            now().duration_since(start) < Duration::from_secs(40),
            "they are closed"
        );
        pause(Duration::from_millis(250));
    }
    echo(&mut good, b"after");
    assert!(server.stop(Signal::TERM).0.success());
}

/// Writes until nothing more is taken.
fn push(mut peer: &TcpStream, data: &[u8]) {
    peer.set_nonblocking(true).unwrap();
    let mut sent = 0;
    while sent < data.len() {
        match peer.write(&data[sent..]) {
            Ok(n) => sent += n,
            Err(e) if e.kind() == ErrorKind::WouldBlock => return,
            Err(e) => panic!("{e}"),
        }
    }
}

#[test]
fn a1_out_of_descriptors() {
    let _alone = ALONE.lock();
    let server = Served::echo(&["--addr", "127.0.0.1:0"]);
    let room = 20;
    server.limit_descriptors(server.descriptors() as u64 + room);
    let mut served = crowd(&server, room);
    let mut queued: Vec<TcpStream> = (0..10).map(|_| server.connect()).collect();
    for stream in &mut queued {
        stream.write_all(b"waiting").unwrap();
    }
    pause(Duration::from_millis(300));
    let cpu = server.cpu_nanos();
    pause(Duration::from_secs(2));
    let share = (server.cpu_nanos() - cpu) as f64 / 2e9;
    assert!(
        share < 0.02,
        "{:.1} % of CPU while there is no descriptor",
        share * 100.0
    );

    let start = now();
    served.truncate(10);
    for stream in &mut queued {
        let mut back = [0; 7];
        stream.read_exact(&mut back).unwrap();
        assert_eq!(&back, b"waiting");
    }
    let took = now().duration_since(start);
    assert!(
        took < Duration::from_millis(100),
        "served {took:?} after there was room"
    );
    assert!(server.stop(Signal::TERM).0.success());
}

#[test]
fn a1_failed_accepts_are_few() {
    let _alone = ALONE.lock();
    if !has("strace") {
        return;
    }
    let log = scratch("accept.strace");
    let only = ["-e", "trace=accept,accept4"];
    let server = Served::traced(&log, &only, &["--addr", "127.0.0.1:0"]);
    server.limit_descriptors(server.descriptors() as u64 + 5);
    let _served = crowd(&server, 5);
    let _queued: Vec<TcpStream> = (0..5).map(|_| server.connect()).collect();
    pause(Duration::from_millis(200));
    let failed = || lines(&log).iter().filter(|l| l.contains("EMFILE")).count();
    let before = failed();
    pause(Duration::from_secs(2));
    let each_second = (failed() - before) / 2;
    assert!(before > 0, "it was out of descriptors");
    assert!(each_second <= 20, "{each_second} accepts a second in vain");
    drop(server);
    drop(std::fs::remove_file(&log));
}

#[test]
fn a9_no_write_can_raise_sigpipe() {
    let _alone = ALONE.lock();
    if !has("strace") {
        return;
    }
    let path = scratch("sigpipe.sock");
    let unix = path.to_str().unwrap();
    for at in [["--addr", "127.0.0.1:0"], ["--unix", unix]] {
        let log = scratch("sigpipe.strace");
        let server = Served::traced(&log, &["-e", "trace=write,writev,sendto,sendmsg"], &at);
        match at[0] {
            "--unix" => drop(echo(&mut server.connect_unix(), b"is it safe?")),
            _ => drop(echo(&mut server.connect(), b"is it safe?")),
        };
        let calls = lines(&log);
        let of_echo: Vec<&String> = calls.iter().filter(|l| l.contains("is it safe?")).collect();
        assert!(
            !of_echo.is_empty(),
            "the answer is in the trace: {calls:#?}"
        );
        for call in of_echo {
            assert!(call.contains("MSG_NOSIGNAL"), "{call}");
        }
        assert!(server.stop(Signal::INT).0.success());
        drop(std::fs::remove_file(&log));
    }
    assert!(!path.exists(), "the socket's file goes with the server");
}
