//! Goal: others read what we write: tshark our captures, and opens their TLS with the keys in them;
//! hio's WireLog, given the same calls, writes the same bytes.
//! Method: the echo programs with `--wirelog`, `--pcapng` and `--keylog`, then tshark; a script over
//! Python's hio. A tool that is missing is told of: `skipped: …`.
#![cfg(target_os = "linux")]

#[path = "interop/foreign.rs"]
mod foreign;
#[expect(dead_code, reason = "these stories need only some of it")]
#[path = "support/pki.rs"]
mod pki;
#[expect(dead_code, reason = "these stories need only some of it")]
mod programs;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use hio::link::{Seen, Watch, What};
use hio::net::{Endpoint, Sid};
use hio::tyme::Tyme;
use hio::wire::{Pcapng, WireLog};

use foreign::{echo_client, echo_server, end_well, has, hio_python, script};
use pki::Pki;
use programs::scratch;

/// A directory that goes at the end.
struct Dir(PathBuf);

impl Dir {
    fn new(name: &str) -> Self {
        let dir = scratch(name);
        std::fs::create_dir_all(&dir).unwrap();
        Self(dir)
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What tshark prints of a capture. It must go well.
fn tshark(capture: &str, args: &[&str]) -> String {
    let out = Command::new("tshark")
        .args(["-n", "-r", capture])
        // It judges checksums only when asked to.
        .args([
            "-o",
            "tcp.check_checksum:TRUE",
            "-o",
            "ip.check_checksum:TRUE",
        ])
        .args(["-o", "udp.check_checksum:TRUE"])
        .args(args)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let why = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{why}");
    assert!(
        !why.contains("damaged") && !why.contains("cut short"),
        "{why}"
    );
    String::from_utf8(out.stdout).unwrap()
}

/// Whether tshark finds nothing wrong: no error, no warning.
fn nothing_wrong(capture: &str) {
    let said = tshark(capture, &["-q", "-z", "expert,warn"]);
    assert!(
        !said.contains("Warns (") && !said.contains("Errors ("),
        "{said}"
    );
}

/// The bytes of one stream as tshark puts them together: of both sides, each after the other.
fn followed(capture: &str, kind: &str, stream: usize) -> (Vec<u8>, Vec<u8>) {
    let said = tshark(
        capture,
        &["-q", "-z", &format!("follow,{kind},raw,{stream}")],
    );
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for line in said.lines().filter(|line| !line.contains(['=', ':', ' '])) {
        let bare = line.trim_start();
        let side = if bare.len() < line.len() {
            &mut second
        } else {
            &mut first
        };
        let pairs = bare.as_bytes().chunks(2);
        side.extend(
            pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()),
        );
    }
    (first, second)
}

/// The bytes that the echo client sends: as the wire log of the server has them.
fn sent(log: &str, dx: &[u8]) -> Vec<u8> {
    let log = std::fs::read(log).unwrap();
    // Records of 1 000 bytes here, so that no header can be in doubt.
    let mut all = Vec::new();
    let mut rest = &log[..];
    while let Some(rest_of) = rest.strip_prefix(b"\n") {
        let head = rest_of.iter().position(|&b| b == b'\n').unwrap();
        let data = &rest_of[head + 1..];
        if rest_of.starts_with(dx) {
            all.extend_from_slice(&data[..1_000]);
        }
        rest = &data[1_001..];
    }
    assert!(rest.is_empty());
    all
}

#[test]
fn tshark_opens_tls_with_the_keys_of_the_capture_and_shows_the_echo() {
    if !has("tshark", "-v") {
        return;
    }
    let dir = Dir::new("wire-tls");
    let pki = Pki::new();
    for (file, content) in [
        ("ca.pem", &pki.ca),
        ("server.pem", &pki.server.chain),
        ("server.key", &pki.server.key),
    ] {
        std::fs::write(dir.file(file), content).unwrap();
    }
    let [cert, key, ca, log, capture, keys] = [
        "server.pem",
        "server.key",
        "ca.pem",
        "log",
        "pcapng",
        "keys",
    ]
    .map(|name| dir.file(name));
    for logs_keys in [true, false] {
        let mut args = vec![
            "--addr",
            "127.0.0.1:0",
            "--tls",
            "--cert",
            &cert,
            "--key",
            &key,
        ];
        args.extend(["--wirelog", &log, "--pcapng", &capture]);
        if logs_keys {
            args.extend(["--keylog", &keys]);
        }
        let server = echo_server(&args);
        let to = server.addr.clone();
        let size = ["--count", "5", "--size", "1000"];
        let tls = ["--tls", "--ca", &ca, "--name", "localhost"];
        let (well, said) = echo_client(&[&["--addr", &to], &size[..], &tls].concat());
        assert!(well && said.contains("\"mismatches\":0"), "{said}");
        end_well(server);

        nothing_wrong(&capture);
        let (rx, tx) = (sent(&log, b"Rx"), sent(&log, b"Tx"));
        assert_eq!((rx.len(), tx.len()), (5_000, 5_000));
        let (first, second) = followed(&capture, "tls", 0);
        if logs_keys {
            assert!(first == rx && second == tx || first == tx && second == rx);
            let text = std::fs::read_to_string(&keys).unwrap();
            assert!(text.contains("SERVER_TRAFFIC_SECRET_0 "), "{text}");
        } else {
            // The same capture without keys says nothing.
            assert_eq!((first.len(), second.len()), (0, 0));
        }
        let handshakes = tshark(&capture, &["-Y", "tls.handshake.type == 1"]);
        assert_eq!(handshakes.lines().count(), 1, "{handshakes}");
    }
}

#[test]
fn tshark_follows_plain_streams_over_tcp_and_unix_sockets() {
    if !has("tshark", "-v") {
        return;
    }
    for (name, at) in [("v4", "127.0.0.1:0"), ("v6", "[::1]:0"), ("unix", "")] {
        let dir = Dir::new(&format!("wire-{name}"));
        let (log, capture, path) = (dir.file("log"), dir.file("pcapng"), dir.file("s"));
        let (option, at) = match at {
            "" => ("--unix", path.as_str()),
            at => ("--addr", at),
        };
        if name == "v6" && std::net::TcpListener::bind("[::1]:0").is_err() {
            println!("skipped: no IPv6 here");
            continue;
        }
        let server = echo_server(&[option, at, "--wirelog", &log, "--pcapng", &capture]);
        let to = server.addr.clone();
        let (well, said) = echo_client(&[option, &to, "--count", "3", "--size", "1000"]);
        assert!(well, "{said}");
        end_well(server);
        nothing_wrong(&capture);
        let (rx, tx) = (sent(&log, b"Rx"), sent(&log, b"Tx"));
        let (first, second) = followed(&capture, "tcp", 0);
        assert_eq!(rx.len(), 3_000);
        assert!(first == rx && second == tx, "{name}");
        let streams = tshark(&capture, &["-q", "-z", "conv,tcp"]);
        assert_eq!(streams.matches("<->").count(), 1, "{streams}");
    }
}

#[test]
fn tshark_takes_datagrams_resets_and_nanoseconds() {
    if !has("tshark", "-v") {
        return;
    }
    let dir = Dir::new("wire-rest");
    let file = dir.file("pcapng");
    let mut capture = Pcapng::create(&file).unwrap();
    let at = |text: &str| text.parse::<Endpoint>().unwrap();
    let mut see = |n: u32, local: &str, peer: &str, what| {
        capture.see(&Seen {
            tyme: Tyme::ZERO,
            wall: std::time::Duration::new(1_795_195_200, 123_456_789),
            sid: Sid::new(n, 0),
            dialled: true,
            local: &at(local),
            peer: &at(peer),
            what,
        });
    };
    let long = vec![b'x'; 100_000];
    see(
        1,
        "udp:127.0.0.1:5000",
        "udp:127.0.0.1:5001",
        What::DatagramSent(b"out"),
    );
    see(
        1,
        "udp:[::1]:5000",
        "udp:[::1]:5001",
        What::DatagramReceived(b"in"),
    );
    see(
        2,
        "unixgram:/run/a",
        "unixgram:/run/b",
        What::DatagramSent(&long),
    );
    see(3, "127.0.0.1:6000", "127.0.0.1:6001", What::Sent(&long));
    see(
        3,
        "127.0.0.1:6000",
        "127.0.0.1:6001",
        What::Closed { reset: true },
    );
    capture.flush();
    let fields = ["-T", "fields", "-e", "udp.length", "-e", "frame.time_epoch"];
    let said = tshark(&file, &[&fields[..], &["-Y", "udp"]].concat());
    let time = "1795195200.123456789";
    assert_eq!(said, format!("11\t{time}\n10\t{time}\n65008\t{time}\n"));
    let resets = tshark(&file, &["-Y", "tcp.flags.reset == 1"]);
    assert_eq!(resets.lines().count(), 1);
    let comments = tshark(
        &file,
        &["-T", "fields", "-e", "frame.comment", "-Y", "frame.comment"],
    );
    assert_eq!(comments, "unixgram:/run/a - unixgram:/run/b\n");
    let (first, second) = followed(&file, "tcp", 0);
    assert!(first == long && second.is_empty() || second == long && first.is_empty());
}

/// Calls of a log: received, who, data.
fn calls() -> Vec<(bool, Vec<u8>, Vec<u8>)> {
    let all: Vec<u8> = (0..=255).collect();
    vec![
        (true, b"me".to_vec(), b"ping".to_vec()),
        (
            false,
            b"('127.0.0.1', 5000)".to_vec(),
            b"pong\n%d%%".to_vec(),
        ),
        (true, Vec::new(), Vec::new()),
        (true, b"\xff".to_vec(), all),
    ]
}

#[test]
fn hios_wire_log_writes_the_same_bytes() {
    let Some(python) = hio_python() else {
        return;
    };
    let formats: [&[u8]; 4] = [
        b"\n%(dx)b %(who)b:\n%(data)b\n",
        b"%(data)b",
        b"100%% %(who)s%(dx)s%(who)s",
        b"",
    ];
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    let (mut input, mut expected) = (Vec::new(), String::new());
    for samed in [false, true] {
        for format in formats {
            let ours = WireLog::builder().samed(samed).format(format);
            let ours = ours.build().unwrap();
            writeln!(input, "{} {}", u8::from(samed), hex(format)).unwrap();
            for (rx, who, data) in calls() {
                match rx {
                    true => ours.write_rx(&data, &who),
                    false => ours.write_tx(&data, &who),
                }
                writeln!(input, "{} {} {}", u8::from(rx), hex(&who), hex(&data)).unwrap();
            }
            let (rx, tx) = (ours.read_rx().unwrap(), ours.read_tx().unwrap());
            expected.push_str(&format!("{}\n{}\n", hex(&rx), hex(&tx)));
        }
    }
    assert_eq!(fed(&python, &script("wirelog_peer.py"), &input), expected);
}

/// Runs a script with this input; gives its output.
fn fed(python: &Path, script: &Path, input: &[u8]) -> String {
    let mut child = Command::new(python)
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let out = child.wait_with_output().unwrap();
    assert!(out.status.success());
    String::from_utf8(out.stdout).unwrap()
}

#[test]
fn hios_server_and_ours_log_the_same_session_alike() {
    let Some(python) = hio_python() else {
        return;
    };
    let dir = Dir::new("wire-hio");
    let log = dir.file("log");
    let server = echo_server(&["--addr", "127.0.0.1:0", "--wirelog", &log]);
    // hio's client logs it, too, and says what it has: who it speaks with and where it is.
    let out = Command::new(&python)
        .arg(script("wirelog_peer.py"))
        .arg(&server.addr)
        .output()
        .unwrap();
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    end_well(server);
    let said = String::from_utf8(out.stdout).unwrap();
    let mut lines = said.lines();
    let (own, theirs) = (lines.next().unwrap(), lines.next().unwrap());
    let unhex = |text: &str| -> Vec<u8> {
        let pair = |i| u8::from_str_radix(&text[i..i + 2], 16).unwrap();
        (0..text.len()).step_by(2).map(pair).collect()
    };
    // Ours names the client where hio's names the server, and what one received the other sent.
    let text = String::from_utf8(unhex(lines.next().unwrap())).unwrap();
    let swapped = text.replace(theirs, own);
    let swapped = swapped
        .replace("Rx", "??")
        .replace("Tx", "Rx")
        .replace("??", "Tx");
    assert_eq!(std::fs::read_to_string(&log).unwrap(), swapped);
}
