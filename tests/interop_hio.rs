//! Goal: Python's hio is a peer like any other, as client and as server, whatever way it ends.
//! Method: the scripts' own checks (`tests/interop/hio_peer.py`) against the example programs.
//!
//! Needs a Python with hio 0.6.10; without one each test prints `skipped: …` and passes.

#![cfg(target_os = "linux")]

#[path = "interop/foreign.rs"]
mod foreign;
#[expect(dead_code, reason = "these stories need only some of it")]
mod programs;

use std::process::Command;

use foreign::{Program, echo_client, echo_server, end_well, hio_python, script};

/// hio's client against our echo server: it checks every byte of its messages.
fn hio_client(more: &[&str]) {
    let Some(python) = hio_python() else { return };
    let server = echo_server(&[]);
    let (host, port) = server.addr.rsplit_once(':').expect("HOST:PORT");
    let mut command = Command::new(python);
    command
        .arg(script("hio_peer.py"))
        .args(["call", "--host", host, "--port", port])
        .args(more);
    let (well, said) = Program::start("hio client", &mut command).finish();
    assert!(well && said.contains("\"ok\": true"), "{said}");
    end_well(server);
}

/// hio's echo server and the port it got.
fn hio_server(more: &[&str]) -> Option<(Program, String)> {
    let mut command = Command::new(hio_python()?);
    command.arg(script("hio_peer.py")).arg("serve").args(more);
    let server = Program::start("hio server", &mut command);
    let line = server.line().expect("it says its port");
    let port = line
        .split("\"port\": ")
        .nth(1)
        .and_then(|rest| rest.split([',', '}']).next());
    let port = port.unwrap_or_else(|| panic!("said: {line}")).to_owned();
    Some((server, port))
}

/// Our echo client against hio's server.
fn hio_serves(of_server: &[&str], of_client: &[&str]) {
    let Some((server, port)) = hio_server(of_server) else {
        return;
    };
    let addr = format!("127.0.0.1:{port}");
    let (well, said) = echo_client(&[&["--addr", &addr], of_client].concat());
    assert!(well && said.contains("\"mismatches\""), "{said}");
    server.terminate();
    let (well, said) = server.finish();
    assert!(well && said.contains("\"errors\": 0"), "{said}");
}

#[test]
fn hio_client_whole_messages_up_to_a_mebibyte() {
    hio_client(&[]);
}

#[test]
fn hio_client_with_small_reads() {
    hio_client(&[
        "--bs",
        "61",
        "--sizes",
        "1,60,61,62,5000",
        "--messages",
        "20",
    ]);
}

#[test]
fn hio_client_half_closes_and_gets_its_last_words() {
    hio_client(&["--half-close", "--sizes", "1,8096,65536"]);
}

#[test]
fn hio_server_whole_messages() {
    for size in ["1", "8096", "65537", "1048576"] {
        hio_serves(&[], &["--conns", "3", "--count", "4", "--size", size]);
    }
}

#[test]
fn hio_server_drips() {
    hio_serves(
        &["--drip", "7"],
        &["--conns", "2", "--count", "3", "--size", "500"],
    );
    hio_serves(
        &["--drip", "1000"],
        &["--conns", "2", "--count", "2", "--size", "200000"],
    );
}

#[test]
fn hio_server_closes_while_we_send() {
    let Some((server, port)) = hio_server(&["--close-after", "20000"]) else {
        return;
    };
    let addr = format!("127.0.0.1:{port}");
    let of_client = [
        "--addr", &addr, "--conns", "2", "--count", "1000", "--size", "9000",
    ];
    let (well, said) = echo_client(&of_client);
    assert!(
        !well,
        "not all messages came back, so the client must not end well: {said}"
    );
    server.terminate();
    assert!(server.finish().0);
}
