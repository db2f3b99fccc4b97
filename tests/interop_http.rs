//! Goal: what others have speaks HTTP with us: curl, aiohttp, httpx, Node, wrk and nginx with our server, and our
//! client with Python's, Node's and nginx's servers; slow clients do not keep it from others (A4).
//! Method: the example programs and foreign ones as children, over loopback only. A tool that is missing is told of:
//! `skipped: …`.

#![cfg(target_os = "linux")]

#[path = "interop/foreign.rs"]
mod foreign;
#[expect(dead_code, reason = "these stories need only some of it")]
#[path = "support/pki.rs"]
mod pki;
#[expect(dead_code, reason = "these stories need only some of it")]
mod programs;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use foreign::{Program, end_well, has, http_python, plain_python, script};
use pki::Pki;
use programs::{Served, example, now, pause, scratch};

/// A folder for what a test needs, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let dir = scratch(name);
        std::fs::create_dir_all(&dir).expect("a directory");
        Self(dir)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, content).expect("it can be written");
        text(&path)
    }

    fn path(&self, name: &str) -> String {
        text(&self.0.join(name))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn text(path: &Path) -> String {
    path.to_str().expect("a temporary path is text").to_owned()
}

/// Bytes in which every shift shows.
fn large() -> Vec<u8> {
    (0..3_000_000u32)
        .map(|i| (i.wrapping_mul(31) % 251).to_le_bytes()[0])
        .collect()
}

/// Our server on loopback, with files.
fn server(more: &[&str]) -> Served {
    let mut args = vec!["--addr", "127.0.0.1:0"];
    args.extend(more);
    Served::example("http_server", &args)
}

/// The same in TLS, and the root that vouches for it.
fn secure_server(folder: &Folder) -> (Served, String) {
    let pki = Pki::new();
    let cert = folder.write("server.pem", &pki.server.chain);
    let key = folder.write("server.key", &pki.server.key);
    let ca = folder.write("ca.pem", &pki.ca);
    let server = server(&["--tls", "--cert", &cert, "--key", &key]);
    (server, ca)
}

fn url(server: &Served, scheme: &str) -> String {
    let port = server.addr.rsplit(':').next().expect("a port");
    match scheme {
        "https" => format!("https://localhost:{port}"),
        _ => format!("http://127.0.0.1:{port}"),
    }
}

/// Runs curl: whether it went well, and its output.
fn curl(args: &[&str]) -> (bool, Vec<u8>) {
    let mut command = Command::new("curl");
    command
        .args(["-sS", "--noproxy", "*", "--max-time", "60"])
        .args(args);
    let output = command.stderr(Stdio::inherit()).output().expect("curl");
    (output.status.success(), output.stdout)
}

fn curled(args: &[&str]) -> String {
    let (well, out) = curl(args);
    assert!(well, "curl {args:?}");
    String::from_utf8_lossy(&out).into_owned()
}

#[test]
fn curl_gets_heads_and_posts() {
    if !has("curl", "--version") {
        return;
    }
    let folder = Folder::new("http-curl");
    let body = folder.write("large", large());
    let server = server(&[]);
    let url = url(&server, "http");
    let (hello, echo) = (format!("{url}/hello"), format!("{url}/echo"));
    assert_eq!(curled(&[&hello]), "hello\n");
    let head = curled(&["-I", &hello]);
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && head.contains("content-length: 6\r\n"));
    assert_eq!(curled(&["-d", "a=1&b=2", &echo]), "a=1&b=2");
    let at = format!("@{body}");
    for more in [
        &[][..],
        &["-H", "Transfer-Encoding: chunked"],
        &["-H", "Expect: 100-continue"],
        &[
            "-H",
            "Transfer-Encoding: chunked",
            "-H",
            "Expect: 100-continue",
        ],
        &["-H", "Expect:"],
    ] {
        let mut args = vec!["--data-binary", &at, &echo];
        args.extend(more);
        let (well, back) = curl(&args);
        assert!(well && back == large(), "{more:?}: {} bytes", back.len());
    }
    // Two on one connection, and one of the old kind.
    let reused = curled(&["-w", "%{num_connects} ", &hello, &hello]);
    assert_eq!(reused, "hello\n1 hello\n0 ");
    let old = curled(&["-i", "--http1.0", &hello]);
    assert!(
        old.contains("connection: close\r\n") && old.ends_with("\r\n\r\nhello\n"),
        "{old}"
    );
    let codes = |args: &[&str]| {
        let mut all = vec!["-o", "/dev/null", "-w", "%{http_code}"];
        all.extend(args);
        curled(&all)
    };
    assert_eq!(codes(&[&format!("{url}/nothing")]), "404");
    assert_eq!(codes(&["-X", "DELETE", &hello]), "405");
    assert_eq!(codes(&["-H", "Expect: more", &hello]), "417");
    assert_eq!(
        codes(&["-H", &format!("X: {}", "y".repeat(70_000)), &hello]),
        "431"
    );
    assert_eq!(codes(&[&format!("{hello}?{}", "y".repeat(9_000))]), "414");
    end_well(server);
}

#[test]
fn curl_is_told_that_a_body_is_too_large_and_hears_it() {
    if !has("curl", "--version") {
        return;
    }
    let folder = Folder::new("http-large");
    let body = folder.0.join("huge");
    let file = std::fs::File::create(&body).expect("a file");
    file.set_len(65 * 1024 * 1024).expect("a sparse file");
    let server = server(&[]);
    let echo = format!("{}/echo", url(&server, "http"));
    let at = format!("@{}", text(&body));
    for more in [
        "Expect:",
        "Expect: 100-continue",
        "Transfer-Encoding: chunked",
    ] {
        let args = [
            "-o",
            "/dev/null",
            "-w",
            "%{http_code}",
            "-H",
            more,
            "--data-binary",
            &at,
        ];
        let mut args = args.to_vec();
        args.push(&echo);
        let (_, code) = curl(&args);
        assert_eq!(String::from_utf8_lossy(&code), "413", "{more}");
    }
    end_well(server);
}

#[test]
fn curl_has_events_ranges_and_conditions() {
    if !has("curl", "--version") {
        return;
    }
    let folder = Folder::new("http-files");
    folder.write("a.txt", "0123456789");
    let server = server(&["--root", &folder.path("")]);
    let url = url(&server, "http");
    let file = format!("{url}/a.txt");
    assert_eq!(curled(&[&file]), "0123456789");
    assert_eq!(curled(&["-r", "2-4", &file]), "234");
    assert_eq!(curled(&["-r", "-3", &file]), "789");
    let head = curled(&["-i", "-r", "20-", &file]);
    assert!(head.starts_with("HTTP/1.1 416 ") && head.contains("content-range: bytes */10"));
    let etags = folder.path("etag");
    curled(&["--etag-save", &etags, &file]);
    let again = [
        "-o",
        "/dev/null",
        "-w",
        "%{http_code}",
        "--etag-compare",
        &etags,
        &file,
    ];
    assert_eq!(curled(&again), "304");
    assert_eq!(
        curled(&["-w", "%{http_code}", "-z", &folder.path("a.txt"), &file]),
        "304"
    );
    let out = ["-o", "/dev/null", "-w", "%{http_code}", "--path-as-is"];
    for path in [
        "/../a.txt",
        "/%2e%2e/a.txt",
        "/..%2fa.txt",
        "//etc/passwd",
        "/%2fetc/passwd",
    ] {
        let mut args = out.to_vec();
        let bad = format!("{url}{path}");
        args.push(&bad);
        assert_eq!(curled(&args), "404", "{path}");
    }
    let program = ["-sSN", "--noproxy", "*", "--max-time", "20"];
    let events = format!("{url}/events");
    let stream = Program::start("curl -N", Command::new("curl").args(program).arg(events));
    for n in 1..=3 {
        assert_eq!(stream.line(), Some(format!("id: {n}")));
        let data = stream.line().unwrap_or_default();
        assert!(data.starts_with("data: "), "{data}");
        assert_eq!(stream.line().as_deref(), Some(""));
    }
    drop(stream);
    end_well(server);
}

#[test]
fn curl_in_tls() {
    if !has("curl", "--version") {
        return;
    }
    let folder = Folder::new("http-tls");
    let (server, ca) = secure_server(&folder);
    let url = url(&server, "https");
    assert_eq!(
        curled(&["--cacert", &ca, &format!("{url}/hello")]),
        "hello\n"
    );
    let body = format!("@{}", folder.write("large", large()));
    let echo = format!("{url}/echo");
    let (well, back) = curl(&["--cacert", &ca, "--data-binary", &body, &echo]);
    assert!(well && back == large());
    assert!(!curl(&[&echo]).0, "nobody vouches for it");
    end_well(server);
}

#[test]
fn pipelined_bytes_are_answered_in_order() {
    let server = server(&["--max-requests", "203"]);
    let mut stream = server.connect();
    let one = |n: usize| {
        let body = format!("<{n}>");
        let length = body.len();
        format!("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{body}")
    };
    let all: String = (0..200).map(one).collect();
    stream.write_all(all.as_bytes()).expect("it reads");
    stream
        .write_all(b"GET /hello HTTP/1.0\r\n\r\nGET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
        .expect("it reads");
    stream.shutdown(Shutdown::Write).expect("it stands");
    let mut back = String::new();
    stream.read_to_string(&mut back).expect("text");
    let bodies: Vec<&str> = back.split("\r\n\r\n").skip(1).collect();
    assert_eq!(bodies.len(), 201, "the one after HTTP/1.0 is not looked at");
    for (n, body) in bodies[..200].iter().enumerate() {
        assert!(body.starts_with(&format!("<{n}>")), "{n}: {body}");
    }
    assert_eq!(bodies[200], "hello\n");
    end_well(server);
}

/// A script with checks against our server, plain and in TLS.
fn checked(interpreter: &Path, words: &[&str]) {
    let folder = Folder::new(&format!("http-{}", words[1]));
    let check = |url: String, more: &[&str]| {
        let mut command = Command::new(interpreter);
        command
            .arg(script(words[0]))
            .arg(words[1])
            .arg(url)
            .args(more);
        let (well, said) = Program::start(words[1], &mut command).finish();
        assert!(well && said.contains("ok "), "{words:?}: {said}");
        println!("{} {}: {}", words[0], words[1], said.trim());
    };
    let plain = server(&[]);
    check(url(&plain, "http"), &[]);
    end_well(plain);
    let (secure, ca) = secure_server(&folder);
    check(url(&secure, "https"), &[&ca]);
    end_well(secure);
}

#[test]
fn python_aiohttp() {
    if let Some(python) = http_python() {
        checked(&python, &["http_peer.py", "aiohttp"]);
    }
}

#[test]
fn python_httpx() {
    if let Some(python) = http_python() {
        checked(&python, &["http_peer.py", "httpx"]);
    }
}

#[test]
fn node_fetch_and_http() {
    if has("node", "--version") {
        checked(Path::new("node"), &["http_peer.js", "client"]);
    }
}

/// Runs our client: whether it went well, its output and what it said beside it.
fn get(args: &[&str]) -> (bool, Vec<u8>, String) {
    let output = Command::new(example("http_get")).args(args).output();
    let output = output.expect("it is built");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.success(), output.stdout, said)
}

fn foreign_server(name: &str, interpreter: &Path, file: &str) -> (Program, String) {
    let mut command = Command::new(interpreter);
    let server = Program::start(name, command.arg(script(file)).arg("server"));
    let line = server.line().unwrap_or_default();
    let port = line.strip_prefix("listening on ").unwrap_or_default();
    let url = format!("http://127.0.0.1:{port}");
    (server, url)
}

#[test]
fn our_client_against_python() {
    let Some(python) = plain_python() else {
        return;
    };
    let (server, url) = foreign_server("http.server", &python, "http_peer.py");
    for (path, wanted) in [
        ("/hello", b"hello\n".to_vec()),
        ("/old", b"hello\n".to_vec()),
    ] {
        let (well, body, said) = get(&[&format!("{url}{path}")]);
        assert!(
            well && body == wanted && said.contains("200"),
            "{path}: {said}"
        );
    }
    for path in ["/chunked", "/until-close"] {
        let (well, body, said) = get(&[&format!("{url}{path}")]);
        assert!(well && body == large(), "{path}: {} {said}", body.len());
    }
    let (well, body, said) = get(&[&format!("{url}/echo"), "--data", "a=1"]);
    assert!(well && body == b"a=1", "{said}");
    let (well, body, said) = get(&[&url, "--method", "HEAD"]);
    assert!(!well || body.is_empty(), "{said}");
    drop(server);
}

#[test]
fn our_client_against_node() {
    if !has("node", "--version") {
        return;
    }
    let (server, url) = foreign_server("node", Path::new("node"), "http_peer.js");
    for (path, wanted) in [("/hello", 6), ("/old", 6), ("/large", 3_000_000)] {
        let (well, body, said) = get(&[&format!("{url}{path}")]);
        assert!(
            well && body.len() == wanted,
            "{path}: {} {said}",
            body.len()
        );
    }
    let (well, body, said) = get(&[&url, "--data", "back again"]);
    assert!(well && body == b"back again", "{said}");
    drop(server);
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it has one").port()
}

/// nginx in front of our server and with files of its own; killed when dropped.
fn nginx(folder: &Folder, behind: &str) -> (Program, String) {
    let port = free_port();
    let dir = folder.path("");
    let config = format!(
        "daemon off; master_process off; pid {dir}/pid; error_log {dir}/errors;
         events {{ worker_connections 256; }}
         http {{ access_log off; client_max_body_size 0; client_body_temp_path {dir}/1;
           proxy_temp_path {dir}/2; fastcgi_temp_path {dir}/3; uwsgi_temp_path {dir}/4; scgi_temp_path {dir}/5;
           upstream ours {{ server {behind}; keepalive 8; }}
           server {{ listen 127.0.0.1:{port};
             location / {{ proxy_pass http://ours; proxy_http_version 1.1; proxy_set_header Connection '';
               proxy_buffering off; proxy_request_buffering off; }}
             location /files/ {{ alias {dir}/; }}
             location = /moved {{ return 301 /files/a.txt; }} }} }}"
    );
    let config = folder.write("nginx.conf", config);
    let mut command = Command::new("nginx");
    command.args(["-p", &dir, "-c", &config]);
    let program = Program::start("nginx", command.stderr(Stdio::null()));
    let at = format!("127.0.0.1:{port}");
    let start = now();
    while TcpStream::connect(&at).is_err() {
        assert!(
            now().duration_since(start) < Duration::from_secs(30),
            "nginx"
        );
        pause(Duration::from_millis(20));
    }
    (program, format!("http://{at}"))
}

#[test]
fn nginx_in_front_and_opposite() {
    if !has("nginx", "-v") || !has("curl", "--version") {
        return;
    }
    let folder = Folder::new("http-nginx");
    folder.write("a.txt", "of nginx");
    let body = format!("@{}", folder.write("large", large()));
    let server = server(&[]);
    let (proxy, url) = nginx(&folder, &server.addr);
    let hello = format!("{url}/hello");
    for _ in 0..20 {
        assert_eq!(curled(&[&hello, &hello]), "hello\nhello\n");
    }
    let head = curled(&["-I", &hello]);
    assert!(
        head.starts_with("HTTP/1.1 200") && head.contains("Content-Length: 6"),
        "{head}"
    );
    let echo = format!("{url}/echo");
    for more in [
        "Expect:",
        "Transfer-Encoding: chunked",
        "Expect: 100-continue",
    ] {
        let (well, back) = curl(&["-H", more, "--data-binary", &body, &echo]);
        assert!(well && back == large(), "{more}: {}", back.len());
    }
    let program = ["-sSN", "--noproxy", "*", "--max-time", "20"];
    let events = format!("{url}/events");
    let stream = Program::start("curl -N", Command::new("curl").args(program).arg(events));
    assert_eq!(stream.line().as_deref(), Some("id: 1"));
    drop(stream);
    // Our client against nginx, directly and through it against our server.
    let (well, got, said) = get(&[&format!("{url}/moved")]);
    assert!(well && got == b"of nginx", "{said}");
    let (well, got, said) = get(&[&echo, "--data", "through"]);
    assert!(well && got == b"through", "{said}");
    drop(proxy);
    end_well(server);
}

#[test]
fn wrk_finds_no_error() {
    if !has("wrk", "-v") {
        return;
    }
    let server = server(&[]);
    let hello = format!("{}/hello", url(&server, "http"));
    let output = Command::new("wrk")
        .args(["-t1", "-c50", "-d2s", "--timeout", "10s", &hello])
        .output()
        .expect("it was tried before");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    println!("{said}");
    assert!(said.contains("requests in"), "{said}");
    assert!(
        !said.contains("Non-2xx") && !said.contains("Socket errors"),
        "{said}"
    );
    end_well(server);
}

/// Whether a response with a length is all there.
fn complete(got: &[u8]) -> bool {
    let text = String::from_utf8_lossy(got);
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let mut fields = head.lines().filter_map(|line| line.split_once(": "));
    let told = fields.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let told: usize = told.and_then(|(_, n)| n.parse().ok()).expect("a length");
    body.len() >= told
}

#[test]
fn a1_out_of_descriptors_files_are_503_and_come_back() {
    let folder = Folder::new("http-exhausted");
    folder.write("large", large());
    let server = server(&["--root", &folder.path("")]);
    // No number below that of standard error is free.
    let limit = |soft: &str| {
        let pid = server.pid().to_string();
        let mut tool = Command::new("prlimit");
        tool.args([&format!("--nofile={soft}:"), "--pid", &pid]);
        tool.status().is_ok_and(|status| status.success())
    };
    if !limit("1024") {
        println!("skipped: no prlimit here");
        return end_well(server);
    }
    let mut kept = server.connect();
    let mut ask = |path: &str| {
        let text = format!("GET {path} HTTP/1.1\r\nHost: x\r\nRange: bytes=0-9\r\n\r\n");
        kept.write_all(text.as_bytes()).expect("it reads");
        let (mut all, mut back) = (Vec::new(), [0; 4096]);
        while !complete(&all) {
            let n = kept.read(&mut back).expect("it is answered");
            assert_ne!(n, 0, "it stays");
            all.extend_from_slice(&back[..n]);
        }
        String::from_utf8_lossy(&all).into_owned()
    };
    assert!(ask("/large").starts_with("HTTP/1.1 206 "));
    assert!(limit("3"));
    let refused = ask("/large");
    assert!(refused.starts_with("HTTP/1.1 503 "), "{refused}");
    assert!(ask("/nothing").starts_with("HTTP/1.1 404 "));
    assert!(ask("/hello").starts_with("HTTP/1.1 200 "));
    assert!(limit("1024"));
    assert!(ask("/large").starts_with("HTTP/1.1 206 "));
    drop(kept);
    end_well(server);
}

/// 500 slow clients: meanwhile a good one is served, and in the end all of them are gone.
fn slow(name: &str, args: &[&str], within: u64) {
    if !has("slowhttptest", "-h") {
        return;
    }
    let folder = Folder::new(&format!("http-slow-{name}"));
    folder.write("large", vec![b'x'; 1_000_000]);
    let server = server(&["--root", &folder.path("")]);
    let before = server.descriptors();
    let target = url(&server, "http");
    let seconds = within.to_string();
    let file = format!("{target}/{}", if name == "read" { "large" } else { "echo" });
    let mut command = Command::new("slowhttptest");
    command
        .args([
            "-c", "500", "-r", "250", "-p", "5", "-l", &seconds, "-u", &file,
        ])
        .args(args);
    let attack = Program::start(name, command.stderr(Stdio::null()));
    let start = now();
    let (mut most, mut served, mut resident) = (0, 0, 0);
    let limit = Duration::from_secs(within - 5);
    loop {
        let asked = now();
        let mut good = server.connect();
        good.write_all(b"GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            .expect("it reads");
        let mut back = String::new();
        good.read_to_string(&mut back).expect("it is answered");
        assert!(back.starts_with("HTTP/1.1 200 "), "{back}");
        assert!(
            now().duration_since(asked) < Duration::from_secs(5),
            "served in time"
        );
        served += 1;
        resident = resident.max(server.resident());
        let open = server.descriptors().saturating_sub(before);
        most = most.max(open);
        let gone = most >= 400 && open <= 2;
        let elapsed = now().duration_since(start);
        if gone {
            println!(
                "{name}: {most} descriptors at once, all gone after {elapsed:?}, {served} good ones served, {} MiB at most",
                resident >> 20
            );
            break;
        }
        assert!(
            elapsed < limit,
            "{name}: {open} of {most} are still open after {elapsed:?}"
        );
        pause(Duration::from_millis(100));
    }
    drop(attack);
    end_well(server);
}

#[test]
fn a4_five_hundred_slow_heads() {
    slow("heads", &["-H", "-i", "3"], 60);
}

#[test]
fn a4_five_hundred_slow_bodies() {
    slow("bodies", &["-B", "-i", "3", "-s", "1000000"], 90);
}

#[test]
fn a4_five_hundred_slow_readers() {
    slow(
        "read",
        &[
            "-X", "-r", "50", "-n", "1", "-z", "5", "-w", "10", "-y", "20",
        ],
        120,
    );
}
