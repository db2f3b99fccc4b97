//! Goal: clients that anyone has (Python's sockets, netcat, socat, curl) are served by the echo server.
//! Method: the example program and the foreign ones as children; every byte is checked by them.

#![cfg(target_os = "linux")]

#[path = "interop/foreign.rs"]
mod foreign;
#[expect(dead_code, reason = "these stories need only some of it")]
mod programs;

use std::process::{Command, Stdio};

use foreign::{Program, echo_server, end_well, has, plain_python, script};

/// Runs one mode of `plain_peer.py` against a server that was started with `more`.
fn plain_peer(mode: &str, more: &[&str]) {
    let Some(python) = plain_python() else { return };
    let server = echo_server(more);
    let mut command = Command::new(python);
    command
        .arg(script("plain_peer.py"))
        .args([server.addr.as_str(), mode]);
    let (well, said) = Program::start(mode, &mut command).finish();
    assert!(well && said.starts_with("ok:"), "{mode}: {said}");
    end_well(server);
}

#[test]
fn whole_messages() {
    plain_peer("whole", &[]);
}

#[test]
fn dripped_bytes() {
    plain_peer("drip", &[]);
}

#[test]
fn a_half_closed_peer_gets_its_answer() {
    plain_peer("half-close", &[]);
}

#[test]
fn peers_that_come_and_go() {
    plain_peer("nothing", &[]);
}

#[test]
fn peers_that_reset_while_sending() {
    plain_peer("reset", &[]);
}

#[test]
fn a_peer_that_never_reads_is_held_back() {
    plain_peer("deaf", &[]);
}

#[test]
fn a_crowd() {
    plain_peer("crowd", &[]);
}

#[test]
#[cfg(unix)]
fn the_same_over_a_unix_socket() {
    let folder = std::env::temp_dir().join(format!("hio-interop-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder for the sockets");
    for mode in ["whole", "half-close", "nothing", "crowd"] {
        let path = folder.join(mode);
        plain_peer(mode, &["--unix", &path.to_string_lossy()]);
    }
    std::fs::remove_dir_all(&folder).expect("the folder is ours");
}

/// Sends a text through a shell command line, as a person would; `HOST` and `PORT` stand for the server.
fn by_hand(line: &str) {
    let server = echo_server(&[]);
    let (host, port) = server.addr.rsplit_once(':').expect("HOST:PORT");
    let line = line.replace("HOST", host).replace("PORT", port);
    let mut shell = Command::new("sh");
    shell.args(["-c", &line]).stderr(Stdio::null());
    let (well, said) = Program::start(&line, &mut shell).finish();
    assert!(well && said == "hello\nworld\n", "`{line}` said {said:?}");
    end_well(server);
}

#[test]
fn netcat() {
    if has("nc", "-h") {
        // -N shuts the sending side at the end of input; the netcats that lack it do so unasked.
        by_hand("printf 'hello\\nworld\\n' | { nc -N HOST PORT || nc -q 1 HOST PORT; }");
    }
}

#[test]
fn socat() {
    if has("socat", "-V") {
        by_hand("printf 'hello\\nworld\\n' | socat -t 5 - TCP:HOST:PORT");
    }
}

#[test]
fn curl_as_a_telnet() {
    if has("curl", "-V") {
        // curl may end before the echo is there: a pause keeps its input open, -m ends it afterwards.
        by_hand(
            "{ printf 'hello\\nworld\\n'; sleep 0.5; } | curl -sN -m 2 telnet://HOST:PORT || true",
        );
    }
}

#[test]
#[cfg(unix)]
fn bash_and_its_own_sockets() {
    if has("bash", "--version") {
        by_hand(
            "bash -c 'exec 3<>/dev/tcp/HOST/PORT; printf \"hello\\nworld\\n\" >&3; head -n 2 <&3'",
        );
    }
}
