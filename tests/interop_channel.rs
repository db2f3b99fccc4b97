//! Goal: the real aiomas is a peer like any other, as client and as server, with JSON and MsgPack, over TCP, Unix sockets
//! and TLS, with requests and with calls by path.
//! Method: the peer script's own checks (`tests/interop/aiomas_peer.py`) against the example programs, and theirs against it.
//!
//! Needs a Python 3.8 or 3.9 with aiomas 2.0.1, named by `AIOMAS_PYTHON` or made by `tests/interop/setup_aiomas.sh`;
//! without one each test prints `skipped: …` and passes.

#![cfg(target_os = "linux")]

#[path = "interop/foreign.rs"]
mod foreign;
#[expect(dead_code, reason = "these stories need only some of it")]
#[path = "support/pki.rs"]
mod pki;
#[expect(dead_code, reason = "these stories need only some of it")]
mod programs;

use std::path::PathBuf;
use std::process::{Command, Stdio};

use foreign::{Program, script};
use pki::Pki;
use programs::{example, scratch};

const CODECS: [&str; 2] = ["json", "msgpack"];

/// A Python that has aiomas.
fn aiomas_python() -> Option<PathBuf> {
    let named = std::env::var_os("AIOMAS_PYTHON").map(PathBuf::from);
    let target = example("any").ancestors().nth(3).map(|t| t.to_owned());
    let made = target.map(|target| target.join("aiomas-venv/bin/python"));
    let works = |python: &PathBuf| {
        let mut command = Command::new(python);
        command
            .args(["-c", "import aiomas, msgpack"])
            .stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    let found = named.into_iter().chain(made).find(works);
    if found.is_none() {
        println!("skipped: no Python with aiomas; tests/interop/setup_aiomas.sh makes one");
    }
    found
}

/// Where both ends meet, in the words of both.
enum Place {
    Tcp,
    Unix(PathBuf),
}

/// Certificates as files, with the names that the script knows.
struct Certificates(PathBuf);

impl Certificates {
    fn new(name: &str) -> Self {
        let dir = scratch(name);
        std::fs::create_dir_all(&dir).expect("a directory for them");
        let pki = Pki::new();
        for (file, content) in [
            ("ca.pem", &pki.ca),
            ("server.pem", &pki.server.chain),
            ("server.key", &pki.server.key),
            ("client.pem", &pki.client.chain),
            ("client.key", &pki.client.key),
        ] {
            std::fs::write(dir.join(file), content).expect("it can be written");
        }
        Self(dir)
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("text").to_owned()
    }

    fn dir(&self) -> String {
        self.file("")
    }
}

impl Drop for Certificates {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn strings(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// Our server, and where it listens.
fn our_server(codec: &str, place: &Place, more: &[String]) -> (Program, String) {
    let mut command = Command::new(example("channel_server"));
    match place {
        Place::Tcp => command.args(["--addr", "127.0.0.1:0"]),
        Place::Unix(path) => command.arg("--unix").arg(path),
    };
    command.args(["--codec", codec]).args(more);
    let server = Program::start("channel_server", &mut command);
    let line = server.line().expect("it says where it listens");
    let at = line.strip_prefix("listening on ").expect(&line).to_owned();
    (server, at)
}

fn end_well(server: Program) {
    server.terminate();
    let (well, said) = server.finish();
    assert!(well, "the server ended badly and said: {said}");
}

/// aiomas calls our server, and must find nothing wrong.
fn aiomas_calls(codec: &str, place: &Place, mode: &str, ours: &[String], theirs: &[String]) {
    let Some(python) = aiomas_python() else {
        return;
    };
    let (server, at) = our_server(codec, place, ours);
    let mut command = Command::new(python);
    command
        .arg(script("aiomas_peer.py"))
        .args([mode, "--codec", codec]);
    match at.rsplit_once(':') {
        Some((host, port)) => command.args(["--host", host, "--port", port]),
        None => command.args(["--unix", &at]),
    };
    let (well, said) = Program::start("aiomas", command.args(theirs)).finish();
    assert!(
        well && said.contains("\"ok\": true"),
        "{codec} {mode}: {said}"
    );
    end_well(server);
}

/// Our client calls aiomas, and must find nothing wrong.
fn we_call(codec: &str, place: &Place, mode: &str, ours: &[String], theirs: &[String]) {
    let Some(python) = aiomas_python() else {
        return;
    };
    let mut command = Command::new(python);
    command
        .arg(script("aiomas_peer.py"))
        .args([mode, "--codec", codec]);
    if let Place::Unix(path) = place {
        command.arg("--unix").arg(path);
    }
    let server = Program::start("aiomas", command.args(theirs));
    let line = server.line().expect("it says that it is ready");
    let mut command = Command::new(example("channel_client"));
    match place {
        Place::Tcp => {
            let port = line.split("\"port\": ").nth(1).expect(&line);
            let digits: String = port.chars().take_while(char::is_ascii_digit).collect();
            command.args(["--addr", &format!("localhost:{digits}")])
        }
        Place::Unix(path) => command.arg("--unix").arg(path),
    };
    command.args(["--codec", codec, "--requests", "300", "--concurrency", "20"]);
    let (well, said) = Program::start("channel_client", command.args(ours)).finish();
    assert!(
        well && said.contains("\"ok\": true"),
        "{codec} {mode}: {said}"
    );
    let secured = said.contains("\"cipher\": [\"TLS");
    assert_eq!(secured, ours.iter().any(|word| word == "--tls"), "{said}");
    server.terminate();
    let (well, said) = server.finish();
    assert!(
        well && said.contains("\"ok\": true"),
        "{codec} {mode}: {said}"
    );
}

#[test]
fn aiomas_calls_us_over_tcp() {
    for codec in CODECS {
        aiomas_calls(
            codec,
            &Place::Tcp,
            "call",
            &[],
            &strings(&["--requests", "500"]),
        );
    }
}

#[test]
fn we_call_aiomas_over_tcp() {
    for codec in CODECS {
        we_call(codec, &Place::Tcp, "serve", &[], &[]);
    }
}

#[test]
fn functions_are_called_both_ways_over_tcp() {
    let rpc = strings(&["--rpc"]);
    for codec in CODECS {
        aiomas_calls(codec, &Place::Tcp, "rpc-call", &rpc, &[]);
        we_call(codec, &Place::Tcp, "rpc-serve", &rpc, &[]);
    }
}

#[test]
fn both_ways_over_unix_sockets() {
    let place = Place::Unix(scratch("channel.sock"));
    let rpc = strings(&["--rpc"]);
    for codec in CODECS {
        aiomas_calls(codec, &place, "call", &[], &[]);
        we_call(codec, &place, "serve", &[], &[]);
        aiomas_calls(codec, &place, "rpc-call", &rpc, &[]);
        we_call(codec, &place, "rpc-serve", &rpc, &[]);
    }
}

#[test]
fn both_ways_over_tls() {
    let files = Certificates::new("channel-tls");
    let tls = strings(&["--tls"]);
    let end = |name: &str| {
        let (cert, key) = (format!("{name}.pem"), format!("{name}.key"));
        [
            strings(&["--tls", "--cert"]),
            vec![files.file(&cert), "--key".into(), files.file(&key)],
        ]
        .concat()
    };
    let server = [
        end("server"),
        vec!["--client-ca".into(), files.file("ca.pem")],
    ]
    .concat();
    let client = [end("client"), vec!["--ca".into(), files.file("ca.pem")]].concat();
    for codec in CODECS {
        // `aiomas` is the library's own profile: TLS 1.2 with certificates on both sides.
        for profile in ["mutual", "aiomas", "server"] {
            let theirs = [
                tls.clone(),
                vec![files.dir(), "--tls-profile".into(), profile.into()],
            ];
            let theirs = theirs.concat();
            let server = match profile {
                "server" => &server[..server.len() - 2],
                _ => &server[..],
            };
            aiomas_calls(codec, &Place::Tcp, "call", server, &theirs);
            we_call(codec, &Place::Tcp, "serve", &client, &theirs);
        }
    }
}

#[test]
fn our_ends_with_each_other() {
    for codec in CODECS {
        for rpc in [&[][..], &["--rpc"]] {
            let (server, at) = our_server(codec, &Place::Tcp, &strings(rpc));
            let mut command = Command::new(example("channel_client"));
            command.args(["--addr", &at, "--codec", codec]).args(rpc);
            let (well, said) = Program::start("channel_client", &mut command).finish();
            assert!(well && said.contains("\"ok\": true"), "{said}");
            end_well(server);
        }
    }
}

#[test]
fn a_server_that_answers_wrongly_is_seen() {
    // A server of calls is none of requests.
    let (server, at) = our_server("json", &Place::Tcp, &strings(&["--rpc"]));
    let mut command = Command::new(example("channel_client"));
    command.args(["--addr", &at, "--codec", "json", "--requests", "5"]);
    let (well, said) = Program::start("channel_client", &mut command).finish();
    assert!(!well && said.contains("\"ok\": false"), "{said}");
    end_well(server);
}
