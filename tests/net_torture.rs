//! Goal: whatever error a system call gives, nothing panics, no listener is lost and no
//! descriptor leaks (A2).
//! Method: this test binary runs one of its own tests under `strace`, which makes every third
//! call of a kind fail with a given code. Skipped where there is no `strace`.
#![cfg(target_os = "linux")]

mod net_support;

use std::process::Command;

use hio::net::{ConnectOptions, Net, NetError, Sid};
use net_support::{Kind, Rig, TempDir};

/// Calls and codes to fail them with.
const FAULTS: [(&str, &[&str]); 6] = [
    (
        "accept4",
        &[
            "EMFILE",
            "ENFILE",
            "ENOBUFS",
            "ENOMEM",
            "ECONNABORTED",
            "EPROTO",
            "EPERM",
            "EINTR",
            "EHOSTUNREACH",
            "EOPNOTSUPP",
            "EIO",
        ],
    ),
    (
        "recvfrom",
        &[
            "EINTR",
            "ECONNRESET",
            "ETIMEDOUT",
            "ENOMEM",
            "EAGAIN",
            "EIO",
        ],
    ),
    (
        "sendto",
        &["EINTR", "EPIPE", "ECONNRESET", "ENOBUFS", "EAGAIN", "EIO"],
    ),
    ("epoll_ctl", &["ENOMEM", "ENOSPC"]),
    ("epoll_wait", &["EINTR"]),
    (
        "connect",
        &["EINTR", "ECONNREFUSED", "EADDRNOTAVAIL", "EAGAIN", "EACCES"],
    ),
];

#[test]
#[ignore = "run under strace by the other test"]
fn tormented() {
    let Ok(kind) = std::env::var("HIO_TEST_KIND") else {
        return;
    };
    let kind = if kind == "tcp" { Kind::V4 } else { Kind::Unix };
    let mut rig = Rig::new(kind);
    let before = descriptors();
    let echoes = (0..20).filter(|_| echo(&mut rig).is_ok()).count();
    assert!(echoes >= 2, "{echoes} of 20");
    assert!(rig.net.local(rig.listener).is_ok());
    assert_eq!(descriptors(), before, "a descriptor leaked");
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").expect("to look").count()
}

/// Dials, accepts, echoes and closes; every error ends it, and both ends are closed.
fn echo(rig: &mut Rig) -> Result<(), NetError> {
    let at = rig.at.clone();
    let options = ConnectOptions::default();
    let client = rig.net.connect(rig.group, &at, &options)?;
    let mut server = None;
    let done = drive(rig, client, &mut server);
    rig.net.close(client);
    if let Some(server) = server {
        rig.net.close(server);
    }
    done
}

fn drive(rig: &mut Rig, client: Sid, server: &mut Option<Sid>) -> Result<(), NetError> {
    let mut sent = false;
    let mut buf = [0; 64];
    for _ in 0..100 {
        if server.is_none() {
            // Errors of accept pass; the listener's do not come back.
            if let Ok(Some((sid, _))) = rig.net.accept(rig.listener) {
                *server = Some(sid);
            }
        }
        if !sent && rig.net.connected(client)? {
            sent = rig.net.write(client, b"x")? == 1;
        }
        if let Some(sid) = *server {
            match rig.net.read(sid, &mut buf)? {
                None => {}
                // The other end is of an earlier echo, which failed.
                Some(0) => {
                    rig.net.close(sid);
                    *server = None;
                }
                Some(n) => assert!(rig.net.write(sid, &buf[..n])? <= n),
            }
        }
        if rig.net.read(client, &mut buf)? == Some(1) {
            return Ok(());
        }
        let soon = rig.net.now() + std::time::Duration::from_millis(1);
        rig.net.poll(soon)?;
    }
    Err(NetError::TimedOut)
}

#[test]
fn a2_errors_of_every_call() {
    let dir = TempDir::new();
    for (call, codes) in FAULTS {
        for code in codes {
            for kind in ["tcp", "unix"] {
                // The first two calls are left alone: they may be the rig's own.
                let inject = format!("inject={call}:error={code}:when=3+3");
                let done = Command::new("strace")
                    .args(["-f", "-qq", "-o"])
                    .arg(dir.path("trace"))
                    .args(["-e", &format!("trace={call}"), "-e", &inject])
                    .arg(std::env::current_exe().expect("this program"))
                    .args(["--ignored", "--exact", "tormented", "--test-threads=1"])
                    .env("HIO_TEST_KIND", kind)
                    .output();
                let Ok(done) = done else {
                    println!("skipped: no strace here");
                    return;
                };
                let trace = std::fs::read_to_string(dir.path("trace")).unwrap_or_default();
                if trace.is_empty() {
                    println!("skipped: strace cannot trace here: {done:?}");
                    return;
                }
                assert!(trace.contains("INJECTED"), "{call} {code} {kind}: {trace}");
                assert!(done.status.success(), "{call} {code} {kind}: {done:?}");
            }
        }
    }
}
