//! Goal: the real tno package is a peer like any other, as sender and as receiver, with packets and with objects, plain and
//! with mutual TLS, for packets of 0 bytes to 8 MiB.
//! Method: the peer script's own checks (`tests/interop/tno_peer.py`) against the example program, and the program's against it.
//!
//! Needs a Python with tno.mpc.communication 5.0.4, named by `TNO_PYTHON` or made by `tests/interop/setup_tno.sh`, and openssl
//! for the certificates; without them each test prints `skipped: …` and passes.

#![cfg(target_os = "linux")]

#[path = "interop/foreign.rs"]
mod foreign;
#[expect(dead_code, reason = "these stories need only some of it")]
mod programs;

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use foreign::{Program, has, plain_python, script};
use programs::{example, scratch};

/// A Python that has tno.
fn tno_python() -> Option<PathBuf> {
    let named = std::env::var_os("TNO_PYTHON").map(PathBuf::from);
    let target = example("any").ancestors().nth(3).map(|t| t.to_owned());
    let made = target.map(|target| target.join("tno-venv/bin/python"));
    let works = |python: &PathBuf| {
        let mut command = Command::new(python);
        command
            .args(["-c", "import tno.mpc.communication, OpenSSL"])
            .stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    let found = named.into_iter().chain(made).find(works);
    if found.is_none() {
        println!("skipped: no Python with tno; tests/interop/setup_tno.sh makes one");
    }
    found
}

/// Two ports that are free now on both loopback addresses: both sides must know them beforehand.
fn ports() -> [String; 2] {
    let free = || {
        (0..100).find_map(|_| {
            let v4 = TcpListener::bind("127.0.0.1:0").ok()?;
            let port = v4.local_addr().ok()?.port();
            let v6 = TcpListener::bind(("::1", port));
            let taken = matches!(&v6, Err(why) if why.kind() == std::io::ErrorKind::AddrInUse);
            (!taken).then_some((v4, v6, port))
        })
    };
    let (one, other) = (free().expect("a port"), free().expect("a port"));
    [one.2.to_string(), other.2.to_string()]
}

/// Certificates of the script that makes them.
struct Certificates(PathBuf);

impl Certificates {
    fn new(name: &str) -> Option<Self> {
        let python = plain_python().filter(|_| has("openssl", "version"))?;
        let dir = scratch(name);
        let mut command = Command::new(python);
        command
            .arg(script("mkcerts.py"))
            .arg(&dir)
            .stdout(Stdio::null());
        assert!(command.status().expect("python runs").success());
        Some(Self(dir))
    }

    fn words(&self) -> Vec<String> {
        vec!["--tls".into(), self.0.to_str().expect("text").into()]
    }
}

impl Drop for Certificates {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn ours(mode: &str, port: &str, peer: &str, peer_port: &str, more: &[String]) -> Program {
    let mut command = Command::new(example("communicator"));
    let peer = format!("{peer}=localhost:{peer_port}");
    command.args([mode, "--addr", "localhost", "--port", port, "--peer", &peer]);
    Program::start("communicator", command.args(more))
}

fn theirs(python: &PathBuf, mode: &str, port: &str, peer_port: &str, more: &[String]) -> Program {
    let mut command = Command::new(python);
    command.arg(script("tno_peer.py"));
    command.args([mode, "--port", port, "--peer-port", peer_port]);
    Program::start("tno", command.args(more))
}

fn well(program: Program, what: &str) {
    let (well, said) = program.finish();
    println!("{what}: {}", said.trim());
    assert!(well && said.contains("\"ok\": true"), "{what}: {said}");
}

fn both_ways(more: &[String], probes: bool) {
    let Some(python) = tno_python() else {
        return;
    };
    let [alice, bob] = ports();
    let echo = ours("echo", &bob, "alice", &alice, more);
    let line = echo.line().expect("it says where it listens");
    assert_eq!(line, format!("listening on 127.0.0.1:{bob}"));
    well(theirs(&python, "send", &alice, &bob, more), "tno sends");
    if probes {
        well(theirs(&python, "probe", &alice, &bob, more), "tno probes");
    }
    echo.terminate();
    let (ended_well, said) = echo.finish();
    assert!(ended_well, "our echo ended badly and said: {said}");

    let [alice, bob] = ports();
    let echo = theirs(&python, "echo", &bob, &alice, more);
    let line = echo.line().expect("it says that it is ready");
    assert!(line.contains("ready"), "{line}");
    well(ours("send", &alice, "bob", &bob, more), "we send");
    echo.terminate();
    well(echo, "tno echoes");
}

#[test]
fn packets_plain() {
    both_ways(&[], true);
}

#[test]
fn packets_with_mutual_tls() {
    if let Some(certificates) = Certificates::new("tno-packets") {
        both_ways(&certificates.words(), true);
    }
}

#[test]
fn objects_plain() {
    both_ways(&["--pool".into()], false);
}

#[test]
fn objects_with_mutual_tls() {
    if let Some(certificates) = Certificates::new("tno-objects") {
        let mut words = certificates.words();
        words.push("--pool".into());
        both_ways(&words, false);
    }
}
