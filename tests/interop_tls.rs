//! Goal: TLS is understood by what others have (OpenSSL, GnuTLS, Python's ssl, Node, curl, Python's
//! hio), both roles, versions 1.2 and 1.3, with client certificates and without (B7).
//! Method: the echo programs against foreign ones as children; every byte that comes back is
//! checked. A tool that is missing is told of: `skipped: …`.

#![cfg(target_os = "linux")]

#[path = "interop/foreign.rs"]
mod foreign;
#[expect(dead_code, reason = "these stories need only some of it")]
#[path = "support/pki.rs"]
mod pki;
#[expect(dead_code, reason = "these stories need only some of it")]
mod programs;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;

use hio::doers::EachServerDoer;
use hio::doing::prelude::*;
use hio::link::tls::{ClientTls, ServerTls};
use hio::link::{Client, Limits, Remoter, Server};
use hio::net::{ConnectOptions, Endpoint, ListenOptions, MioNet, Net, Owner};

use foreign::{Program, echo_client, echo_server, end_well, has, hio_python, plain_python, script};
use pki::Pki;
use programs::{now, pause, scratch};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// Certificates as files, with the names that all the scripts know.
struct Certificates(PathBuf);

impl Certificates {
    fn new(name: &str) -> Self {
        let dir = scratch(name);
        std::fs::create_dir_all(&dir).expect("a directory for them");
        let pki = Pki::new();
        let files = [
            ("ca.pem", &pki.ca),
            ("server.pem", &pki.server.chain),
            ("server.key", &pki.server.key),
            ("client.pem", &pki.client.chain),
            ("client.key", &pki.client.key),
        ];
        for (file, content) in files {
            std::fs::write(dir.join(file), content).expect("it can be written");
        }
        Self(dir)
    }

    fn dir(&self) -> &str {
        self.0.to_str().expect("a temporary directory is text")
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("text").to_owned()
    }
}

impl Drop for Certificates {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A version, and whether the client shows a certificate.
type Case = (&'static str, bool);
const CASES: [Case; 4] = [("1.2", false), ("1.2", true), ("1.3", false), ("1.3", true)];

/// Our echo server in TLS.
fn our_server(files: &Certificates, mutual: bool) -> programs::Served {
    let (cert, key, ca) = (
        files.file("server.pem"),
        files.file("server.key"),
        files.file("ca.pem"),
    );
    let mut args = vec![
        "--addr",
        "127.0.0.1:0",
        "--tls",
        "--cert",
        &cert,
        "--key",
        &key,
    ];
    if mutual {
        args.extend(["--client-ca", &ca]);
    }
    echo_server(&args)
}

/// Our echo client against a server on that port; it must go well.
fn our_client(files: &Certificates, port: &str, mutual: bool, more: &[&str]) {
    let to = format!("127.0.0.1:{port}");
    let (ca, cert, key) = (
        files.file("ca.pem"),
        files.file("client.pem"),
        files.file("client.key"),
    );
    let mut args = vec!["--addr", &to, "--tls", "--ca", &ca, "--name", "localhost"];
    if mutual {
        args.extend(["--cert", &cert, "--key", &key]);
    }
    args.extend(more);
    let (well, said) = echo_client(&args);
    assert!(well && said.contains("\"mismatches\":0"), "{said}");
}

/// A child that is killed when dropped.
struct Foreign(Child);

impl Foreign {
    fn start(command: &mut Command) -> Self {
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        Self(piped.spawn().expect("it was tried before"))
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener
        .local_addr()
        .expect("it has one")
        .port()
        .to_string()
}

/// Waits until somebody listens there.
fn listening(port: &str) {
    let start = now();
    // A look that makes no connection: some of the servers take only one.
    let hex = format!(":{:04X}", port.parse::<u16>().expect("a port"));
    while now().duration_since(start).as_secs() < 20 {
        for table in ["/proc/thread-self/net/tcp", "/proc/thread-self/net/tcp6"] {
            let table = std::fs::read_to_string(table).unwrap_or_default();
            let mut fields = table
                .lines()
                .map(|l| l.split_whitespace().collect::<Vec<_>>());
            if fields.any(|f| f.len() > 3 && f[1].ends_with(&hex) && f[3] == "0A") {
                return;
            }
        }
        pause(std::time::Duration::from_millis(20));
    }
    panic!("nobody listens on {port}");
}

/// Lines that a program types, and that must come back.
fn lines() -> Vec<String> {
    (0..200)
        .map(|i: usize| format!("line {i} {}", "x".repeat(i % 50)))
        .collect()
}

/// Types lines into a client program and takes them back from its output.
fn typed(command: &mut Command) {
    let mut client = Foreign::start(command);
    let mut stdin = client.0.stdin.take().expect("it is piped");
    let stdout = client.0.stdout.take().expect("it is piped");
    let mut back = BufReader::new(stdout).lines().map_while(Result::ok);
    for line in lines() {
        writeln!(stdin, "{line}").expect("it reads");
        stdin.flush().expect("it reads");
        let found = back.by_ref().take(100).any(|l| l == line);
        assert!(found, "{line:?} did not come back");
    }
}

#[test]
fn b7_openssl_clients() {
    if !has("openssl", "version") {
        return;
    }
    let files = Certificates::new("tls-s_client");
    for (version, mutual) in CASES {
        let server = our_server(&files, mutual);
        let flag = format!("-tls{}", version.replace('.', "_"));
        let mut command = Command::new("openssl");
        command
            .args(["s_client", "-quiet", "-no_ign_eof", "-verify_return_error"])
            .args([
                "-verify_hostname",
                "localhost",
                "-connect",
                &server.addr,
                &flag,
            ])
            .args(["-CAfile", &files.file("ca.pem")])
            .stderr(Stdio::null());
        if mutual {
            command.args(["-cert", &files.file("client.pem")]);
            command.args(["-key", &files.file("client.key")]);
        }
        typed(&mut command);
        end_well(server);
    }
}

#[test]
fn b7_openssl_servers() {
    if !has("openssl", "version") {
        return;
    }
    let files = Certificates::new("tls-s_server");
    for (version, mutual) in CASES {
        let port = free_port();
        let mut command = Command::new("openssl");
        command
            .args([
                "s_server",
                "-quiet",
                "-accept",
                &format!("127.0.0.1:{port}"),
            ])
            .arg(format!("-tls{}", version.replace('.', "_")))
            .args(["-cert", &files.file("server.pem")])
            .args(["-key", &files.file("server.key")])
            .args(["-CAfile", &files.file("ca.pem")])
            .stderr(Stdio::null());
        if mutual {
            command.args(["-Verify", "1", "-verify_return_error"]);
        }
        let mut server = Foreign::start(&mut command);
        // What it prints is what it is to send.
        let mut out = server.0.stdout.take().expect("it is piped");
        let mut stdin = server.0.stdin.take().expect("it is piped");
        std::thread::spawn(move || {
            let mut some = [0; 4096];
            while let Ok(n @ 1..) = out.read(&mut some) {
                if stdin
                    .write_all(&some[..n])
                    .and_then(|()| stdin.flush())
                    .is_err()
                {
                    break;
                }
            }
        });
        listening(&port);
        our_client(&files, &port, mutual, &["--count", "50", "--size", "2000"]);
    }
}

/// GnuTLS's name for exactly one version.
fn priority(version: &str) -> String {
    format!("NORMAL:-VERS-ALL:+VERS-TLS{version}")
}

#[test]
fn b7_gnutls_clients() {
    if !has("gnutls-cli", "--version") {
        return;
    }
    let files = Certificates::new("tls-gnutls-cli");
    for (version, mutual) in CASES {
        let server = our_server(&files, mutual);
        let port = server.addr.rsplit(':').next().expect("a port");
        let mut command = Command::new("gnutls-cli");
        command
            .args(["--logfile", "/dev/null", "--verify-hostname", "localhost"])
            .args(["--x509cafile", &files.file("ca.pem"), "--port", port])
            .args(["--priority", &priority(version)])
            .stderr(Stdio::null());
        if mutual {
            command.args(["--x509certfile", &files.file("client.pem")]);
            command.args(["--x509keyfile", &files.file("client.key")]);
        }
        typed(command.arg("127.0.0.1"));
        end_well(server);
    }
}

/// A network namespace with nothing but a loopback, of a program started in it; None where that is
/// not permitted, which is told of.
///
/// `gnutls-serv` takes no address and listens on all interfaces: so it gets none but this one.
struct Alone(Foreign);

impl Alone {
    fn start(command: &Command) -> Option<Self> {
        let mut probe = Command::new("unshare");
        probe.args(["--net", "ip", "link", "set", "lo", "up"]);
        let tried = probe.stderr(Stdio::null()).status();
        if !tried.is_ok_and(|status| status.success()) {
            println!("skipped: a network namespace of its own is not to be had here");
            return None;
        }
        let mut alone = Command::new("unshare");
        let script = "ip link set lo up && exec \"$@\"";
        alone.args(["--net", "sh", "-c", script, "sh"]);
        alone.arg(command.get_program()).args(command.get_args());
        Some(Self(Foreign::start(alone.stderr(Stdio::null()))))
    }

    /// Does something in there, in a thread of its own.
    fn within(&self, work: impl FnOnce() + Send) {
        let own = std::fs::read_link("/proc/self/ns/net").expect("there is one");
        let theirs = format!("/proc/{}/ns/net", self.0.0.id());
        let start = now();
        // Until then it is still on its way.
        while std::fs::read_link(&theirs).expect("it runs") == own {
            assert!(now().duration_since(start).as_secs() < 20, "it stays");
            pause(std::time::Duration::from_millis(5));
        }
        let file = std::fs::File::open(theirs).expect("it runs");
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let kind = Some(LinkNameSpaceType::Network);
                move_into_link_name_space(file.as_fd(), kind).expect("it was permitted");
                work();
            });
        });
    }
}

#[test]
fn b7_gnutls_servers() {
    if !has("gnutls-serv", "--version") || !has("unshare", "-V") || !has("ip", "-V") {
        return;
    }
    let files = Certificates::new("tls-gnutls-serv");
    for (version, mutual) in CASES {
        let mut command = Command::new("gnutls-serv");
        command
            .args(["--quiet", "--echo", "--port", "5556"])
            .args(["--priority", &priority(version)])
            .args(["--x509certfile", &files.file("server.pem")])
            .args(["--x509keyfile", &files.file("server.key")]);
        if mutual {
            command.args(["--x509cafile", &files.file("ca.pem")]);
            command.arg("--require-client-cert");
        } else {
            command.arg("--disable-client-cert");
        }
        let Some(mut server) = Alone::start(&command) else {
            return;
        };
        drop(server.0.0.stdout.take());
        server.within(|| {
            listening("5556");
            our_lines(&files, "5556", version, mutual);
        });
    }
}

/// Our client against a server that echoes lines of text only.
fn our_lines(files: &Certificates, port: &str, version: &str, mutual: bool) {
    let mut tls = ClientTls::builder()
        .ca(files.file("ca.pem"))
        .name("localhost");
    if mutual {
        tls = tls
            .certificate(files.file("client.pem"))
            .key(files.file("client.key"));
    }
    let tls = tls.build().expect("good files");
    let to = Endpoint::host("127.0.0.1", port.parse().expect("a port"));
    let mut net = MioNet::new().expect("a net");
    let limits = Limits::default();
    let mut client = Client::new(to, ConnectOptions::default(), limits).with_tls(tls);
    client
        .open(net.now(), &mut net, Owner::NONE)
        .expect("good limits");
    for line in lines().iter().take(50) {
        let line = format!("{line}\n");
        client.tx(line.as_bytes()).expect("room");
        for _ in 0..500 {
            let soon = net.now() + std::time::Duration::from_millis(20);
            client.service(net.now(), &mut net);
            assert_eq!(client.closed(), None);
            if client.rx().len() >= line.len() {
                break;
            }
            net.poll(soon).expect("polling works");
        }
        assert_eq!(client.rx(), line.as_bytes());
        client.consume(usize::MAX);
    }
    let spoken = client.link().tls().expect("it is secured").version_name();
    assert_eq!(spoken, format!("TLSv{version}"));
    client.close(&mut net);
}

/// A script that has the command line of `tls_peer.py`, both ways.
fn scripted(interpreter: &Path, file: &str) {
    let files = Certificates::new(file);
    for (version, mutual) in CASES {
        let mutually = mutual.then_some("mutual");
        let server = our_server(&files, mutual);
        let mut command = Command::new(interpreter);
        command
            .arg(script(file))
            .args(["call", &server.addr, files.dir(), version])
            .args(mutually);
        let (well, said) = Program::start(file, &mut command).finish();
        let spoken = said.starts_with(&format!("ok: TLSv{version}"));
        assert!(well && spoken, "{version} {mutual}: {said}");
        end_well(server);

        let mut command = Command::new(interpreter);
        command
            .arg(script(file))
            .args(["serve", files.dir(), version])
            .args(mutually);
        let server = Program::start(file, &mut command);
        let line = server.line().expect("it says its port");
        let port = line.strip_prefix("port ").expect("it says its port");
        our_client(
            &files,
            port,
            mutual,
            &["--conns", "3", "--count", "5", "--size", "100000"],
        );
    }
}

#[test]
fn b7_pythons_ssl() {
    if let Some(python) = plain_python() {
        scripted(&python, "tls_peer.py");
    }
}

#[test]
fn b7_node() {
    if has("node", "--version") {
        scripted(Path::new("node"), "tls_peer.js");
    }
}

/// Answers each request with its body: no HTTP server, but enough for one request of curl's.
fn post_back(ix: &mut Remoter) {
    let rx = ix.rx();
    let text = String::from_utf8_lossy(rx);
    let Some(head) = text.find("\r\n\r\n").map(|at| at + 4) else {
        return;
    };
    let length = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let found = name.eq_ignore_ascii_case("content-length");
        found.then(|| value.trim().parse::<usize>().ok()).flatten()
    });
    let Some(body) = rx.get(head..head + length.unwrap_or(0)) else {
        return;
    };
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    let answer = [answer.as_bytes(), body].concat();
    ix.clear_rx();
    ix.tx(&answer).expect("it fits");
    ix.close();
}

#[test]
fn b7_curl() {
    if !has("curl", "--version") {
        return;
    }
    let files = Certificates::new("tls-curl");
    for (version, mutual) in CASES {
        let mut tls = ServerTls::builder()
            .certificate(files.file("server.pem"))
            .key(files.file("server.key"));
        if mutual {
            tls = tls.client_ca(files.file("ca.pem"));
        }
        let tls = tls.build().expect("good files");
        let (tell, told) = channel();
        let serving = std::thread::spawn(move || {
            let mut net = MioNet::new().expect("a net");
            let at = Endpoint::host("127.0.0.1", 0);
            let limits = Limits::default();
            let server = Server::new(at, ListenOptions::default(), limits).with_tls(tls);
            let mut doist = Doist::new(());
            let doer = doist.add(EachServerDoer::new(server, post_back));
            doist.enter(&mut net).expect("a free port");
            let at = doist.get(doer).expect("it is open").server().ha().clone();
            tell.send((at, doist.stop_handle())).expect("it waits");
            doist.run(&mut net).expect("no doer fails");
        });
        let (at, stop) = told.recv().expect("it listens");
        let body: String = lines().join("\n");
        std::fs::write(files.0.join("body"), &body).expect("it can be written");
        let mut command = Command::new("curl");
        command
            .args(["--silent", "--show-error", "--max-time", "20", "--cacert"])
            .arg(files.file("ca.pem"))
            .arg(format!("--tlsv{version}"))
            .args(["--tls-max", version, "--data-binary"])
            .arg(format!("@{}", files.file("body")))
            .arg(format!("https://localhost:{}/", at.port().expect("TCP")));
        if mutual {
            command.args(["--cert", &files.file("client.pem")]);
            command.args(["--key", &files.file("client.key")]);
        }
        let out = command.output().expect("it was tried before");
        let said = String::from_utf8_lossy(&out.stderr);
        assert!(out.status.success(), "{version} {mutual}: {said}");
        assert!(out.stdout == body.as_bytes(), "{version} {mutual}");
        stop.stop();
        serving.join().expect("it does not panic");
    }
}

#[test]
fn b7_pythons_hio() {
    let Some(python) = hio_python() else { return };
    let files = Certificates::new("tls-hio");
    for (version, mutual) in CASES {
        let mutually = mutual.then_some("--mutual");
        // hio's own parameter for the version is not in the script; OpenSSL's defaults are.
        let pinned = files.file("openssl.cnf");
        let content = format!(
            "openssl_conf = all\n[all]\nssl_conf = ssl\n[ssl]\nsystem_default = pinned\n\
             [pinned]\nMinProtocol = TLSv{version}\nMaxProtocol = TLSv{version}\n"
        );
        std::fs::write(&pinned, content).expect("it can be written");
        let server = our_server(&files, mutual);
        let (host, port) = server.addr.rsplit_once(':').expect("HOST:PORT");
        let mut command = Command::new(&python);
        command
            .env("OPENSSL_CONF", &pinned)
            .arg(script("hio_peer.py"))
            .args(["call", "--host", host, "--port", port, "--tls", files.dir()])
            .args(mutually);
        let (well, said) = Program::start("hio client", &mut command).finish();
        let spoken = said.contains(&format!("\"version\": \"TLSv{version}\""));
        assert!(well && spoken && said.contains("\"ok\": true"), "{said}");
        end_well(server);

        let mut command = Command::new(&python);
        command
            .env("OPENSSL_CONF", &pinned)
            .arg(script("hio_peer.py"))
            .args(["serve", "--tls", files.dir()])
            .args(mutually);
        let server = Program::start("hio server", &mut command);
        let line = server.line().expect("it says its port");
        let port = line.split("\"port\": ").nth(1);
        let port = port
            .and_then(|rest| rest.split([',', '}']).next())
            .expect("a port");
        our_client(
            &files,
            port,
            mutual,
            &["--conns", "3", "--count", "5", "--size", "50000"],
        );
        server.terminate();
        assert!(server.finish().0);
    }
}
