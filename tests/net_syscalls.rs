//! Goal: what the net asks of the system: at most ten calls for a connection with one echo, one
//! read and one write a message, none for an idle socket; and no write can raise SIGPIPE (A9).
//! Method: this test binary runs one of its own tests under `strace` and counts; marks in the
//! trace are look-ups of files that do not exist. Skipped where there is no `strace`.
#![cfg(target_os = "linux")]

mod net_support;

use std::io::{Read, Write};
use std::process::Command;

use hio::net::Net;
use net_support::{Kind, Rig, TempDir, until};

const CONNECTIONS: usize = 50;
const MESSAGES: usize = 200;

#[test]
#[ignore = "run under strace by the other test"]
fn traced() {
    let Ok(kind) = std::env::var("HIO_TEST_KIND") else {
        return;
    };
    let kind = if kind == "tcp" { Kind::V4 } else { Kind::Unix };
    let mut rig = Rig::new(kind);
    let at = rig.at.clone();
    std::thread::scope(|scope| {
        scope.spawn(move || client(&at));
        mark("connections");
        // The next client may be there before the last one's end was read.
        let more = serve(&mut rig, CONNECTIONS);
        mark("messages");
        serve(&mut rig, 1 - more);
        mark("end");
    });
}

/// Serves until so many connections have ended, as a server does: accept all, read until "not
/// yet". Says how many more than that have ended.
fn serve(rig: &mut Rig, connections: usize) -> usize {
    let (listener, group) = (rig.listener, rig.group);
    let mut ended = 0;
    let mut ready = Vec::new();
    let mut buf = [0; 4096];
    until(&mut rig.net, |net| {
        ready.clear();
        net.ready(group, &mut ready);
        for &sid in &ready {
            if sid == listener {
                while net.accept(listener).expect("accept").is_some() {}
                continue;
            }
            while let Some(n) = net.read(sid, &mut buf).expect("to read") {
                if n == 0 {
                    net.close(sid);
                    ended += 1;
                    break;
                }
                assert_eq!(net.write(sid, &buf[..n]), Ok(n));
            }
        }
        (ended >= connections).then(|| ended - connections)
    })
}

fn client(at: &hio::net::Endpoint) {
    for n in 0..=CONNECTIONS {
        let rounds = if n == CONNECTIONS { MESSAGES } else { 1 };
        // A server that is gone must not keep the test.
        let patience = Some(std::time::Duration::from_secs(20));
        if let hio::net::Endpoint::Unix(path) = at {
            let stream = std::os::unix::net::UnixStream::connect(path).expect("to dial");
            stream.set_read_timeout(patience).expect("to set");
            echo(stream, rounds);
        } else {
            let at = at.addr().expect("an address");
            let stream = std::net::TcpStream::connect(at).expect("to dial");
            stream.set_read_timeout(patience).expect("to set");
            echo(stream, rounds);
        }
    }
}

fn echo(mut stream: impl Read + Write, rounds: usize) {
    let mut buf = [0; 64];
    for _ in 0..rounds {
        stream.write_all(b"sixteen letters!").expect("to write");
        stream.read_exact(&mut buf[..16]).expect("to read");
    }
}

fn mark(name: &str) {
    let _ = std::fs::metadata(format!("/hio-mark-{name}"));
}

/// The system calls of the marking thread between two marks.
fn between<'a>(trace: &'a str, from: &str, to: &str) -> Vec<&'a str> {
    let find = |name: &str| {
        let mark = format!("hio-mark-{name}");
        let mut lines = trace.lines().enumerate();
        lines
            .find(|(_, line)| line.contains(&mark))
            .expect("a mark")
    };
    let ((from, line), (to, _)) = (find(from), find(to));
    let thread = line.split_whitespace().next().expect("a thread's number");
    let lines = trace.lines().take(to).skip(from + 1);
    lines
        .filter(|line| line.split_whitespace().next() == Some(thread))
        // A call that another thread's line broke in two is counted where it began.
        .filter(|line| !line.contains("resumed>"))
        // The standard library checks descriptors before it closes them, in debug builds.
        .filter(|line| !line.contains("F_GETFD"))
        .collect()
}

fn count(calls: &[&str], name: &str) -> usize {
    let call = format!(" {name}(");
    calls.iter().filter(|line| line.contains(&call)).count()
}

#[test]
fn calls_a_connection_and_a_message() {
    for kind in ["tcp", "unix"] {
        let dir = TempDir::new();
        let file = dir.path("trace");
        let status = Command::new("strace")
            .args(["-f", "-qq", "-o"])
            .arg(&file)
            .arg(std::env::current_exe().expect("this program"))
            .args(["--ignored", "--exact", "traced", "--test-threads=1"])
            .env("HIO_TEST_KIND", kind)
            .output();
        let Ok(done) = status else {
            println!("skipped: no strace here");
            return;
        };
        let trace = std::fs::read_to_string(&file).unwrap_or_default();
        if !trace.contains("hio-mark-") {
            println!("skipped: strace cannot trace here: {done:?}");
            return;
        }
        assert!(done.status.success(), "{done:?}");

        let calls = between(&trace, "connections", "messages");
        let each = calls.len() as f64 / CONNECTIONS as f64;
        println!("{kind}: {each} calls a connection");
        // A wait more where the threads happened to meet otherwise.
        assert!(each <= 10.5, "{kind}: {each}:\n{}", calls[..40].join("\n"));
        assert_eq!(count(&calls, "epoll_ctl"), CONNECTIONS);
        assert_eq!(count(&calls, "setsockopt"), 0);
        assert_eq!(count(&calls, "fcntl") + count(&calls, "ioctl"), 0);

        let calls = between(&trace, "messages", "end");
        let reads = count(&calls, "recvfrom") + count(&calls, "read");
        assert!(reads <= MESSAGES + 2, "{kind}: {reads} reads");
        assert!(calls.len() <= MESSAGES * 4 + 20, "{kind}: {}", calls.len());

        let sends: Vec<_> = trace
            .lines()
            .filter(|line| line.contains("sixteen letters!"))
            .collect();
        let sends: Vec<_> = sends
            .iter()
            .filter(|line| line.contains(" sendto("))
            .collect();
        assert!(sends.len() >= CONNECTIONS + MESSAGES);
        assert!(sends.iter().all(|line| line.contains("MSG_NOSIGNAL")));
        let thread_writes = count(&between(&trace, "connections", "end"), "write");
        assert_eq!(thread_writes, 0, "{kind}: a plain write can raise SIGPIPE");
    }
}
