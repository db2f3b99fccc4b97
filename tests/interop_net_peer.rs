//! Goal: streams keep their word to servers that do not: silent, stalling, dribbling, resetting,
//! cutting; STARTTLS, TLS, proxies and TLS in TLS with Python's ssl (SEEDS 4, 6c).
//! Method: `tests/interop/net_peer.py` as a child, its own report of every connection; the same
//! stories as `tests/streams_everywhere.rs`. Without Python: `skipped: …`.
#![cfg(target_os = "linux")]

#[path = "interop/foreign.rs"]
mod foreign;
#[expect(dead_code, reason = "these stories need only some of it")]
mod programs;
mod support;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use foreign::{Program, plain_python, script};
use hio::link::tls::{ClientTls, ClientTlsBuilder, StartTlsError, TlsInfo};
use hio::link::{
    CloseReason, ExtraInfo, Limits, NetworkBackend, Phase, StreamError, StreamFailure,
};
use hio::net::{Endpoint, MioNet, Net};
use programs::{example, scratch};
use serde_json::Value;
use support::pki::Pki;
use support::stream_stories::{Story, plain, secure};
use support::streams::{Manner, Player, pattern};

const SOON: Duration = Duration::from_millis(200);
const LATE: Duration = Duration::from_secs(60);

/// A server of that script, and where it listens.
struct NetPeer {
    program: Program,
    at: Endpoint,
}

impl NetPeer {
    /// None without Python.
    fn start(args: &[&str]) -> Option<Self> {
        let python = plain_python()?;
        let mut command = Command::new(python);
        command
            .arg(script("net_peer.py"))
            .args(args)
            .args(["--lifetime", "300"]);
        let program = Program::start("net_peer.py", &mut command);
        let line = program.line().expect("it says where it listens");
        let ready: Value = serde_json::from_str(&line).expect("JSON");
        let host = args
            .iter()
            .position(|arg| *arg == "--host")
            .map(|n| args[n + 1]);
        let at = match (&ready["port"], &ready["unix"]) {
            (Value::Number(port), _) => {
                let port = port.as_u64().and_then(|port| u16::try_from(port).ok());
                Endpoint::host(host.unwrap_or("127.0.0.1"), port.expect("a port"))
            }
            (_, Value::String(path)) => Endpoint::unix(path),
            other => panic!("neither port nor path: {other:?}"),
        };
        Some(Self { program, at })
    }

    fn port(&self) -> u16 {
        self.at.port().expect("TCP")
    }

    /// Ends it: what it says of its connections.
    fn report(self) -> Vec<Value> {
        self.program.terminate();
        let (well, said) = self.program.finish();
        assert!(well, "{said}");
        let done: Value = serde_json::from_str(said.trim()).expect("JSON");
        done["connections"].as_array().expect("a list").clone()
    }
}

/// A test root and its certificates as files with the names the script knows.
struct Files {
    dir: PathBuf,
    pki: Pki,
}

impl Files {
    fn new(name: &str) -> Self {
        let (dir, pki) = (scratch(name), Pki::new());
        std::fs::create_dir_all(&dir).expect("a directory");
        for (file, content) in [
            ("ca.pem", &pki.ca),
            ("server.pem", &pki.server.chain),
            ("server.key", &pki.server.key),
        ] {
            std::fs::write(dir.join(file), content).expect("it can be written");
        }
        Self { dir, pki }
    }

    fn dir(&self) -> &str {
        self.dir.to_str().expect("text")
    }

    fn trusting(&self) -> ClientTlsBuilder {
        ClientTls::builder().ca(self.pki.ca.as_bytes())
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

fn backend() -> NetworkBackend<MioNet> {
    let limits = Limits {
        linger: Duration::from_millis(500),
        ..Limits::default()
    };
    NetworkBackend::new(MioNet::new().expect("a net")).with_limits(limits)
}

fn late(why: &StreamError) -> (&'static str, Phase) {
    let expired = why.deadline();
    (expired.unwrap_or_else(|| panic!("{why}")).name, why.phase)
}

#[test]
fn echo_over_both_families_and_unix() {
    let path = scratch("net-peer.sock");
    let unix = path.to_str().expect("text");
    for args in [
        &["echo"][..],
        &["echo", "--host", "::1"],
        &["echo", "--unix", unix],
    ] {
        let Some(peer) = NetPeer::start(args) else {
            return;
        };
        let mut backend = backend();
        let mut all = backend.timeout("all", LATE);
        let mut stream = all.connect_to(peer.at.clone()).expect("it connects");
        let descriptor = stream.descriptor().expect("a real one");
        assert!(descriptor > 2);
        assert!(matches!(
            stream.extra_info("socket"),
            Some(ExtraInfo::Socket { .. })
        ));
        assert_eq!(stream.server_addr(), Some(&peer.at));
        let data = pattern(1_000_000);
        for part in data.chunks(100_000) {
            stream.write(part).expect("it takes it");
            assert!(stream.read_to_end(part.len()).expect("it comes back") == part);
        }
        assert_eq!(stream.read_max(0), Ok(Vec::new()));
        stream.close().expect("in order");
        assert!(format!("{stream:?}").ends_with("\" CLOSED]>"));
        drop(stream);
        let report = peer.report();
        let one = &report[0];
        assert_eq!(
            (&one["in"], &one["out"]),
            (&1_000_000.into(), &1_000_000.into())
        );
        assert_eq!(one["end"], "eof");
    }
}

#[test]
fn silent_stalling_and_dribbling_servers_are_left_at_the_deadline() {
    let Some(silent) = NetPeer::start(&["silent"]) else {
        return;
    };
    let mut net = backend();
    let mut stream = net
        .connect("localhost", silent.port())
        .expect("it connects");
    stream.write(b"anybody?").expect("taken");
    {
        let mut t = stream.timeout("silence", SOON);
        let before = t.backend().now();
        assert_eq!(late(&t.read().unwrap_err()), ("silence", Phase::Read));
        assert!(t.backend().now().since(before) >= SOON);
    }
    stream.close().expect("it closes when we do");
    drop(stream);
    assert_eq!(silent.report()[0]["end"], "eof");

    let Some(stall) = NetPeer::start(&["stall", "--rcvbuf", "4096"]) else {
        return;
    };
    let mut stream = net.connect("localhost", stall.port()).expect("it connects");
    let data = pattern(20_000_000);
    let why = {
        let mut t = stream.timeout("stall", SOON);
        t.write(&data).unwrap_err()
    };
    assert_eq!(late(&why), ("stall", Phase::Write));
    assert!(why.written > 0 && why.written < data.len(), "{why}");
    assert_eq!(u64::try_from(why.written), Ok(stream.client().stats().sent));
    {
        let mut t = stream.timeout("close", SOON);
        assert_eq!(late(&t.close().unwrap_err()), ("close", Phase::Close));
    }
    drop(stream);
    drop(stall);

    let Some(dribble) = NetPeer::start(&["dribble", "--gap", "0.01"]) else {
        return;
    };
    let mut t = net.timeout("overall", SOON);
    let mut stream = t.connect("localhost", dribble.port()).expect("it connects");
    let end = loop {
        match stream.read() {
            Ok(data) => assert!(!data.is_empty() && data.iter().all(|b| *b == b'.')),
            Err(why) => break why,
        }
    };
    assert_eq!(late(&end), ("overall", Phase::Read));
}

#[test]
fn a_handshake_with_a_server_that_stalls_keeps_to_deadline_and_limit() {
    let files = Files::new("net-peer-stall");
    let tls = files.trusting().build().expect("a configuration");
    let Some(stall) = NetPeer::start(&["stall"]) else {
        return;
    };
    let mut net = backend();
    let mut stream = net.connect("localhost", stall.port()).expect("it connects");
    {
        let mut t = stream.timeout("handshake", SOON);
        let why = t.start_tls(&tls, "localhost").unwrap_err();
        assert_eq!(late(&why), ("handshake", Phase::Handshake));
    }
    assert!(stream.closed().is_some(), "it is of no more use");
    drop(stream);
    let limits = Limits {
        handshake: SOON,
        ..Limits::default()
    };
    let mut net = NetworkBackend::new(net.into_net()).with_limits(limits);
    let mut stream = net.connect("localhost", stall.port()).expect("it connects");
    let why = stream.start_tls(&tls, "localhost").unwrap_err();
    assert_eq!(
        why.why,
        StreamFailure::Closed(CloseReason::HandshakeTimedOut)
    );
    assert!(why.is_timeout());
}

#[test]
fn a_reset_is_an_error_and_a_cut_is_one_with_tls_only() {
    let Some(reset) = NetPeer::start(&["reset"]) else {
        return;
    };
    let mut net = backend();
    let mut all = net.timeout("all", LATE);
    let mut stream = all.connect("localhost", reset.port()).expect("it connects");
    stream.write(b"x").expect("taken");
    let why = stream.read().unwrap_err();
    assert_eq!(why.why, StreamFailure::Closed(CloseReason::Reset));
    assert_eq!(
        std::io::Error::from(why).kind(),
        std::io::ErrorKind::ConnectionReset
    );
    assert_eq!(stream.close(), Ok(()));
    drop(stream);

    let Some(cut) = NetPeer::start(&["cut", "--cut-after", "100"]) else {
        return;
    };
    let mut stream = all.connect("localhost", cut.port()).expect("it connects");
    stream.write(&[7; 100]).expect("taken");
    assert_eq!(stream.read_to_end(1000), Ok(vec![7; 100]));
    stream.close().expect("a plain end");
    drop(stream);

    let files = Files::new("net-peer-cut");
    let args = ["cut", "--cut-after", "100", "--tls", files.dir()];
    let Some(cut) = NetPeer::start(&args) else {
        return;
    };
    for tolerant in [false, true] {
        let tls = files.trusting().build().expect("a configuration");
        let tls = tls.tolerate_missing_close_notify(tolerant);
        let mut stream = all.connect("localhost", cut.port()).expect("it connects");
        stream.start_tls(&tls, "localhost").expect("a handshake");
        stream.write(&[7; 100]).expect("taken");
        let mut got = 0;
        let end = loop {
            match stream.read() {
                Ok(data) if data.is_empty() => break Ok(()),
                Ok(data) => got += data.len(),
                Err(why) => break Err(why.why),
            }
        };
        let truncated = StreamFailure::Closed(CloseReason::Truncated);
        assert_eq!(
            (got, end),
            (100, if tolerant { Ok(()) } else { Err(truncated) })
        );
    }
}

/// What was agreed.
fn agreed(info: &TlsInfo<'_>) -> (&'static str, Option<String>, String) {
    let alpn = info
        .alpn()
        .map(|alpn| String::from_utf8_lossy(alpn).into_owned());
    let peer = info.peer().expect("a certificate");
    (info.version_name(), alpn, format!("{:?}", peer.subject()))
}

#[test]
fn starttls_and_tls_in_both_versions() {
    let files = Files::new("net-peer-tls");
    let tls = files.trusting().alpn(["two", "one"]);
    let client = &files.pki.client;
    let tls = tls
        .certificate(client.chain.as_bytes())
        .key(client.key.as_bytes());
    let tls = tls.build().expect("a configuration");
    for mode in ["starttls", "tls"] {
        for version in ["TLSv1.3", "TLSv1.2"] {
            let mut args = vec![
                mode,
                "--tls",
                files.dir(),
                "--mutual",
                "--alpn",
                "one,three",
            ];
            if version == "TLSv1.2" {
                args.push("--tls12");
            }
            let Some(peer) = NetPeer::start(&args) else {
                return;
            };
            let mut net = backend();
            let mut all = net.timeout("all", LATE);
            let mut stream = all.connect("localhost", peer.port()).expect("it connects");
            if mode == "starttls" {
                stream.write(b"STARTTLS\n").expect("taken");
                let first = stream.read_max(1).expect("the beginning of OK");
                assert_eq!(first, b"O");
                let why = stream.start_tls(&tls, "localhost").unwrap_err();
                let left = StartTlsError::LeftOver(2);
                assert_eq!(why.why, StreamFailure::StartTls(left), "K and a line end");
                assert_eq!(stream.read_to_end(2), Ok(b"K\n".to_vec()));
            }
            stream.start_tls(&tls, "localhost").expect("a handshake");
            let (spoken, alpn, subject) = agreed(&stream.tls().expect("it is secured"));
            assert_eq!((spoken, alpn.as_deref()), (version, Some("one")));
            assert!(subject.contains("server"), "{subject}");
            let data = pattern(300_000);
            stream.write(&data).expect("taken");
            assert!(stream.read_to_end(data.len()) == Ok(data));
            stream.close().expect("close_notify both ways");
            assert_eq!(stream.closed(), Some(CloseReason::Closed));
            let shown = format!("<NetworkStream [\"127.0.0.1:{}\" TLS CLOSED]>", peer.port());
            assert_eq!(format!("{stream:?}"), shown);
            drop(stream);
            let report = &peer.report()[0];
            assert_eq!(report["end"], "close_notify", "{report}");
            assert_eq!(report["tls"], version);
            assert_eq!(report["sni"], "localhost");
            assert_eq!(report["client"], "client");
        }
    }
}

#[test]
fn names_and_addresses_are_verified() {
    let files = Files::new("net-peer-names");
    let tls = files.trusting().build().expect("a configuration");
    let Some(peer) = NetPeer::start(&["tls", "--tls", files.dir()]) else {
        return;
    };
    let mut net = backend();
    let mut all = net.timeout("all", LATE);
    for (name, fine) in [
        ("127.0.0.1", true),
        ("[::1]", false),
        ("example.org", false),
    ] {
        let mut stream = all.connect("127.0.0.1", peer.port()).expect("it connects");
        let secured = stream.start_tls(&tls, name);
        assert_eq!(secured.is_ok(), fine, "{name}: {secured:?}");
        if let Err(why) = secured {
            assert!(
                matches!(why.why, StreamFailure::Closed(CloseReason::Tls(_))),
                "{why}"
            );
        }
    }
    let report = peer.report();
    assert_eq!(
        report[0]["sni"],
        Value::Null,
        "an address is not asked for by SNI"
    );
    assert_eq!(report[2]["sni"], "example.org");
}

#[test]
fn through_a_proxy_and_tls_in_tls() {
    let files = Files::new("net-peer-proxy");
    let tls = files.trusting().build().expect("a configuration");
    let Some(target) = NetPeer::start(&["tls", "--tls", files.dir()]) else {
        return;
    };
    let to = format!("127.0.0.1:{}", target.port());
    for secure in [false, true] {
        let mut args = vec!["connect", "--target", &to];
        if secure {
            args.extend(["--tls", files.dir()]);
        }
        let Some(proxy) = NetPeer::start(&args) else {
            return;
        };
        let mut net = backend();
        let mut all = net.timeout("all", LATE);
        let mut stream = all.connect("localhost", proxy.port()).expect("it connects");
        if secure {
            stream
                .start_tls(&tls, "localhost")
                .expect("TLS to the proxy");
        }
        stream
            .write(b"CONNECT target:443 HTTP/1.1\r\n\r\n")
            .expect("taken");
        let answer = b"HTTP/1.1 200 Connection established\r\n\r\n";
        assert_eq!(stream.read_to_end(answer.len()), Ok(answer.to_vec()));
        stream
            .start_tls(&tls, "localhost")
            .expect("TLS to the target");
        let data = pattern(200_000);
        for part in data.chunks(50_000) {
            stream.write(part).expect("taken");
            assert!(stream.read_to_end(part.len()).expect("it comes back") == part);
        }
        stream.close().expect("bounded");
        drop(stream);
        let report = &proxy.report()[0];
        assert_eq!(report["request"], "CONNECT target:443 HTTP/1.1");
    }
    let report = target.report();
    assert!(
        report.iter().all(|one| one["end"] == "close_notify"),
        "{report:?}"
    );
}

#[test]
fn closing_is_bounded_where_the_peer_says_no_good_bye() {
    let files = Files::new("net-peer-bye");
    let tls = files.trusting().build().expect("a configuration");
    // It reads, sends nothing, and answers our close_notify with a plain end.
    let Some(peer) = NetPeer::start(&["silent", "--tls", files.dir()]) else {
        return;
    };
    let mut net = backend();
    let mut stream = net.connect("localhost", peer.port()).expect("it connects");
    stream.start_tls(&tls, "localhost").expect("a handshake");
    stream.write(b"hello").expect("taken");
    let before = stream.backend().now();
    stream.close().expect("no error");
    assert!(stream.backend().now().since(before) < Duration::from_secs(20));
    drop(stream);
    assert_eq!(peer.report()[0]["end"], "close_notify");
}

/// The stories of `tests/streams_everywhere.rs` with the foreign server in place of ours.
#[test]
fn the_stories_are_the_same_with_a_foreign_server() {
    let files = Files::new("net-peer-stories");
    let mut played = 0;
    for story in plain().into_iter().chain(secure()) {
        let cut;
        let args: Vec<&str> = match story.manner {
            Manner::Echo => vec!["echo"],
            Manner::StartTls if story.name.starts_with("TLS in TLS") => continue,
            Manner::StartTls => vec!["starttls", "--tls", files.dir()],
            Manner::Silent => vec!["silent"],
            Manner::Stall => vec!["stall"],
            Manner::Dribble => vec!["dribble", "--gap", "0.01"],
            Manner::Reset => vec!["reset"],
            Manner::Cut(after) => {
                cut = after.to_string();
                vec!["cut", "--cut-after", &cut]
            }
            Manner::Http | Manner::Linger => continue,
        };
        let Some(peer) = NetPeer::start(&args) else {
            return;
        };
        let tls = files.trusting().build().expect("a configuration");
        let player = Player::new(peer.at.clone(), &story.acts).with_tls(tls);
        play(player, &story);
        played += 1;
    }
    assert!(played >= 10, "only {played}");
}

fn play(mut player: Player, story: &Story) {
    let mut net = MioNet::new().expect("a net");
    for _ in 0..100_000 {
        let now = net.now();
        if player.step(now, &mut net) {
            assert_eq!(player.told, story.told, "{}", story.name);
            return;
        }
        // Marks that were left over end no wait.
        let soon = now + Duration::from_millis(5);
        net.poll(player.due(now).min(soon)).expect("it polls");
    }
    panic!("{}: not reached: {:?}", story.name, player.told);
}

fn raw_http(args: &[&str]) -> (bool, String) {
    Program::start("raw_http", Command::new(example("raw_http")).args(args)).finish()
}

#[test]
fn the_raw_http_example() {
    example("raw_http"); // to build it is not the server's time
    let files = Files::new("net-peer-http");
    let Some(peer) = NetPeer::start(&["http"]) else {
        return;
    };
    let (well, said) = raw_http(&[&peer.at.to_string()]);
    assert!(well && said.starts_with("HTTP/1.1 200 OK"), "{said}");
    assert!(said.contains("hello from net_peer"), "{said}");
    let report = peer.report();
    assert_eq!(
        (report.len(), &report[0]["end"]),
        (1, &"closed by us".into())
    );

    let Some(peer) = NetPeer::start(&["http", "--tls", files.dir()]) else {
        return;
    };
    let ca = Path::new(files.dir()).join("ca.pem");
    let ca = ca.to_str().expect("text");
    let to = format!("localhost:{}", peer.port());
    let (well, said) = raw_http(&[&to, "--tls", "--ca", ca]);
    assert!(well && said.contains("hello from net_peer"), "{said}");
    assert_eq!(peer.report()[0]["sni"], "localhost");

    let Some(peer) = NetPeer::start(&["reset"]) else {
        return;
    };
    let (well, said) = raw_http(&[&peer.at.to_string()]);
    assert!(!well, "{said}");
    let (well, _) = raw_http(&[&to]);
    assert!(!well, "nobody listens there now");
}
