//! Goal: a server is seen by those who look for weaknesses as it should be (B8).
//! Method: Debian's `testssl.sh` and OpenSSL's client against the echo server. A tool that is
//! missing is told of: `skipped: …`.

#![cfg(target_os = "linux")]

#[path = "interop/foreign.rs"]
mod foreign;
#[expect(dead_code, reason = "these stories need only some of it")]
#[path = "support/pki.rs"]
mod pki;
#[expect(dead_code, reason = "these stories need only some of it")]
mod programs;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use foreign::{Program, echo_server, end_well, has};
use pki::Pki;
use programs::{Served, pause, scratch};

/// An echo server with TLS, and the folder of its certificates.
struct Secure {
    dir: PathBuf,
    server: Served,
}

impl Secure {
    fn start(name: &str) -> Self {
        let dir = scratch(name);
        let pki = Pki::new();
        std::fs::create_dir_all(&dir).expect("a directory");
        let file = |name: &str, content: &str| {
            let path = dir.join(name);
            std::fs::write(&path, content).expect("it can be written");
            path.to_str().expect("text").to_owned()
        };
        file("ca.pem", &pki.ca);
        let cert = file("server.pem", &pki.server.chain);
        let key = file("server.key", &pki.server.key);
        let tls = ["--tls", "--cert", &cert, "--key", &key];
        let server = echo_server(&[&["--addr", "127.0.0.1:0"], &tls[..]].concat());
        Self { dir, server }
    }

    fn end(self) {
        end_well(self.server);
        let _ = std::fs::remove_dir_all(&self.dir);
    }

    /// OpenSSL's client, told so on its input and given a second: all that it prints.
    fn s_client(&self, args: &[&str], input: &str) -> String {
        let mut child = Command::new("openssl")
            .args(["s_client", "-connect", &self.server.addr, "-CAfile"])
            .arg(self.dir.join("ca.pem"))
            .args(args)
            .current_dir(&self.dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it was tried before");
        let mut stdin = child.stdin.take().expect("it is piped");
        pause(Duration::from_millis(700));
        // A client that has ended already has said what it had to say.
        let _ = stdin.write_all(input.as_bytes());
        pause(Duration::from_millis(700));
        drop(stdin);
        let out = child.wait_with_output().expect("it ends with its input");
        [out.stdout, out.stderr]
            .iter()
            .map(|text| String::from_utf8_lossy(text).into_owned())
            .collect()
    }
}

/// What the scanner found: severity and text by the name of the check.
type Findings = BTreeMap<String, (String, String)>;

fn findings(file: &Path) -> Findings {
    let text = std::fs::read_to_string(file).expect("the scanner wrote it");
    let all: Vec<serde_json::Value> = serde_json::from_str(&text).expect("it is JSON");
    let field = |one: &serde_json::Value, name: &str| one[name].as_str().unwrap_or("").to_owned();
    all.iter()
        .map(|one| {
            (
                field(one, "id"),
                (field(one, "severity"), field(one, "finding")),
            )
        })
        .collect()
}

/// Debian's name for it, or its author's.
fn scanner() -> Option<&'static str> {
    ["testssl", "testssl.sh"]
        .into_iter()
        .find(|name| has(name, "--version"))
}

#[test]
fn b8_a_scanner_finds_nothing() {
    let Some(scanner) = scanner() else { return };
    let secure = Secure::start("scan");
    let json = secure.dir.join("scan.json");
    let mut command = Command::new(scanner);
    command
        .args(["-p", "-s", "-f", "-U", "--quiet", "--color", "0"])
        .args(["--warnings", "off", "--jsonfile"])
        .arg(&json)
        .arg(&secure.server.addr);
    // Its exit code counts what it had to say about itself, too.
    let (_, said) = Program::start("testssl", &mut command).finish();
    let found = findings(&json);
    let finding = |name: &str| {
        let found = found.get(name);
        let (_, text) = found.unwrap_or_else(|| panic!("no word on {name}: {said}"));
        text.as_str()
    };
    for old in ["SSLv2", "SSLv3", "TLS1", "TLS1_1"] {
        assert_eq!(finding(old), "not offered", "{old}");
    }
    for new in ["TLS1_2", "TLS1_3"] {
        assert!(finding(new).starts_with("offered"), "{new}");
    }
    let weak = [
        "cipherlist_NULL",
        "cipherlist_aNULL",
        "cipherlist_EXPORT",
        "cipherlist_LOW",
        "cipherlist_3DES_IDEA",
    ];
    for weak in weak {
        assert_eq!(finding(weak), "not offered", "{weak}");
    }
    forward_secret(&found, &said);
    // Nothing is worse than a remark, but what the scanner says about its own machine.
    let bad: Vec<_> = found
        .iter()
        .filter(|(name, _)| *name != "engine_problem")
        .filter(|(_, (severity, _))| !["OK", "INFO", "DEBUG"].contains(&severity.as_str()))
        .collect();
    assert!(bad.is_empty(), "{bad:#?}");
    for vulnerability in ["heartbleed", "ROBOT", "secure_client_renego", "CRIME_TLS"] {
        assert!(finding(vulnerability).starts_with("not vulnerable"));
    }
    secure.end();
}

/// Every cipher that is offered is AEAD with forward secrecy. What the scanner calls this has
/// changed with its version.
fn forward_secret(found: &Findings, said: &str) {
    let ciphers = ["PFS_ciphers", "FS_ciphers"]
        .iter()
        .find_map(|name| found.get(*name));
    let (_, ciphers) = ciphers.unwrap_or_else(|| panic!("no word on ciphers: {said}"));
    let all: Vec<&str> = ciphers.split_whitespace().collect();
    assert!(all.len() >= 6, "{all:?}");
    for cipher in all {
        let exchange = cipher.starts_with("TLS_") || cipher.starts_with("ECDHE-");
        let aead = cipher.contains("GCM") || cipher.contains("CHACHA20");
        assert!(exchange && aead, "{cipher}");
    }
}

#[test]
fn b8_openssl_may_resume_but_sends_no_early_data() {
    if !has("openssl", "version") {
        return;
    }
    let secure = Secure::start("early");
    std::fs::write(secure.dir.join("early"), "too early\n").expect("it can be written");
    // `-ign_eof` would never end; a line after the handshake lets the tickets come in.
    let first = secure.s_client(&["-tls1_3", "-sess_out", "session"], "hello\n");
    assert!(first.contains("New, TLSv1.3"), "{first}");
    assert!(first.contains("Max Early Data: 0"), "{first}");
    let more = ["-tls1_3", "-sess_in", "session", "-early_data", "early"];
    let again = secure.s_client(&more, "hello\n");
    assert!(again.contains("Reused, TLSv1.3"), "{again}");
    assert!(again.contains("Early data was not sent"), "{again}");
    assert!(
        again.contains("hello") && !again.contains("too early"),
        "{again}"
    );
    secure.end();
}

#[test]
fn b8_openssl_may_not_renegotiate() {
    if !has("openssl", "version") {
        return;
    }
    let secure = Secure::start("renegotiate");
    // The line `R` asks OpenSSL's client for it.
    let said = secure.s_client(&["-tls1_2"], "R\n");
    assert!(said.contains("RENEGOTIATING"), "{said}");
    assert!(said.contains("no renegotiation"), "{said}");
    secure.end();
}
