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
use std::sync::mpsc::channel;

use hio::doers::EachServerDoer;
use hio::doing::StopHandle;
use hio::doing::prelude::*;
use hio::link::{Limits, Remoter, Server};
use hio::net::{Endpoint, ListenOptions, MioNet};

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

/// A server on a thread of its own: it echoes, and closes a connection after so many bytes.
fn closing_after(bytes: usize) -> (String, StopHandle, std::thread::JoinHandle<Outcome>) {
    let (tell, told) = channel();
    let serving = std::thread::spawn(move || {
        let mut net = MioNet::new().expect("a net");
        let at = Endpoint::host("127.0.0.1", 0);
        let server = Server::new(at, ListenOptions::default(), Limits::default());
        let mut echoed = std::collections::BTreeMap::new();
        let mut doist = Doist::new(());
        let doer = doist.add(EachServerDoer::new(server, move |ix: &mut Remoter| {
            let sum = echoed.entry(ix.id()).or_insert(0);
            *sum += ix.rx().len();
            // What does not fit the queue is lost with the close; hio sends no more than fits.
            let _ = ix.echo();
            if *sum >= bytes {
                ix.close();
            }
        }));
        doist.enter(&mut net).expect("a free port");
        let at = doist.get(doer).expect("it is open").server().ha().clone();
        tell.send((at, doist.stop_handle()))
            .expect("the test waits for it");
        doist.run(&mut net).expect("no doer fails")
    });
    let (at, stop) = told.recv().expect("it listens");
    (at.port().expect("TCP").to_string(), stop, serving)
}

/// Runs hio's client against it.
fn hio_calls(port: &str, more: &[&str]) -> Option<(bool, String)> {
    let mut command = Command::new(hio_python()?);
    command
        .arg(script("hio_peer.py"))
        .args(["call", "--port", port])
        .args(more);
    Some(Program::start("hio client", &mut command).finish())
}

#[test]
fn our_server_closes_in_order_and_hio_sees_its_cutoff() {
    let (port, stop, serving) = closing_after(1000);
    let more = ["--sizes", "400,600", "--messages", "0", "--expect-cutoff"];
    if let Some((well, said)) = hio_calls(&port, &more) {
        assert!(well, "{said}");
    }
    stop.stop();
    assert_eq!(serving.join().expect("it does not panic"), Outcome::Stopped);
}

#[test]
fn our_server_closes_while_hio_sends() {
    let (port, stop, serving) = closing_after(100_000);
    if let Some((well, said)) = hio_calls(&port, &["--sizes", "1048576", "--messages", "0"]) {
        assert!(!well && said.contains("bytes back"), "{said}");
        // The server lives and serves the next one.
        let (well, said) =
            hio_calls(&port, &["--sizes", "5000", "--messages", "0"]).expect("it is there");
        assert!(well, "{said}");
    }
    stop.stop();
    assert_eq!(serving.join().expect("it does not panic"), Outcome::Stopped);
}
