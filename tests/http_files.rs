//! Goal: files are served from below their folder and never from elsewhere, with conditions, ranges and types.
//! Method: requests to a server of `Files`, on a folder with links that lead out, hidden names and a named pipe.

#![cfg(all(feature = "http", unix))]

mod support;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use hio::link::Limits;
use hio::net::{Endpoint, ListenOptions, Net, Owner};
use hio::proto::http::{
    Ask, AskError, AskEvent, AskId, Dialling, Files, HttpClient, HttpResponse, HttpServer,
    PoolLimits, Request, RequestId,
};
use http::Method;
use http::header::{self, HeaderName, HeaderValue};
use support::memory::MemoryNet;
use support::{ms, pattern};

/// A folder with something beside it that nobody may see.
struct Site {
    dir: PathBuf,
    files: Files,
}

impl Site {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("hio-files-{}-{n}", std::process::id()));
        let root = dir.join("site");
        fs::create_dir_all(root.join("sub")).unwrap();
        fs::create_dir_all(root.join(".git")).unwrap();
        fs::create_dir_all(dir.join("site-of-others")).unwrap();
        for (path, text) in [
            ("secret", "secret"),
            ("site-of-others/a", "secret"),
            ("site/a.txt", "0123456789"),
            ("site/empty", ""),
            ("site/ä b.html", "name"),
            ("site/.hidden", "secret"),
            ("site/.git/config", "secret"),
            ("site/sub/index.html", "index"),
        ] {
            fs::write(dir.join(path), text).unwrap();
        }
        symlink(dir.join("secret"), root.join("out")).unwrap();
        symlink(&dir, root.join("up")).unwrap();
        symlink("../site-of-others", root.join("others")).unwrap();
        symlink(".git/config", root.join("shown")).unwrap();
        symlink("a.txt", root.join("same")).unwrap();
        symlink("round", root.join("round")).unwrap();
        let files = Files::below(&root).unwrap();
        Self { dir, files }
    }

    fn ask(&self, method: Method, path: &str, fields: &[(HeaderName, &str)]) -> HttpResponse {
        let url = format!("http://127.0.0.1:7000{path}").parse().unwrap();
        let mut ask = Ask::new(method, url);
        for (name, value) in fields {
            ask = ask.header(name.clone(), HeaderValue::from_str(value).unwrap());
        }
        let mut desk = Desk::new(&self.files);
        desk.ask(ask).unwrap()
    }

    fn get(&self, path: &str) -> (u16, String) {
        let response = self.ask(Method::GET, path, &[]);
        let body = String::from_utf8_lossy(&response.body).into_owned();
        (response.head.status.as_u16(), body)
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// A server of files and a client, in memory.
struct Desk {
    net: MemoryNet,
    server: HttpServer,
    client: HttpClient,
    files: Files,
}

impl Desk {
    fn new(files: &Files) -> Self {
        let mut net = MemoryNet::default();
        let at = Endpoint::host("127.0.0.1", 7000);
        let mut server = HttpServer::new(at, ListenOptions::default(), Limits::default());
        server.open(&mut net, Owner::NONE).unwrap();
        let mut client = HttpClient::new(Dialling::default(), PoolLimits::default());
        client.open(Owner::NONE);
        let files = files.clone();
        Self {
            net,
            server,
            client,
            files,
        }
    }

    /// One turn of both; what has ended.
    fn turn(&mut self) -> Option<Result<HttpResponse, AskError>> {
        let soon = self.net.now() + ms(1);
        self.net.poll(soon).unwrap();
        let tyme = self.net.now();
        let files = &self.files;
        let mut handler = |_: RequestId, request: Request| files.answer(&request);
        self.server
            .service(tyme, &mut self.net, &mut handler)
            .unwrap();
        self.client.service(tyme, &mut self.net);
        self.client.events().find_map(|event| match event {
            AskEvent::Done(_, outcome) => Some(outcome.map(|response| *response)),
            _ => None,
        })
    }

    fn ask(&mut self, ask: Ask) -> Result<HttpResponse, AskError> {
        self.client.ask(self.net.now(), ask);
        let outcome = (0..10_000).find_map(|_| self.turn());
        outcome.expect("an outcome")
    }
}

fn field(response: &HttpResponse, name: HeaderName) -> String {
    let value = response.head.headers.get(name);
    value.map_or_else(String::new, |v| v.to_str().unwrap().to_owned())
}

#[test]
fn defect_h1_nothing_leads_out_of_the_folder() {
    let site = Site::new();
    for path in [
        "/../secret",
        "/sub/../../secret",
        "/%2e%2e/secret",
        "/%2E%2e%2fsecret",
        "/.%2e/secret",
        "/..%2fsecret",
        "/..%5csecret",
        "/..\\secret",
        "/%2e%2e%5csecret",
        "/%252e%252e/secret",
        "/%c0%ae%c0%ae/secret",
        "/%c0%af..%c0%afsecret",
        "//etc/hostname",
        "//%2fetc/hostname",
        "/%2fetc%2fhostname",
        "/etc/hostname",
        "/out",
        "/up/secret",
        "/up/site/a.txt/../../secret",
        "/others/a",
        "/../site-of-others/a",
        "/round",
        "/a.txt%00.html",
        "/a.txt%00",
        "/a.txt/",
        "/a.txt%",
        "/a.txt%2",
        "/a.txt%zz",
        "/a%0a.txt",
        "/C:%5csecret",
        "/a.txt:stream",
        "/.hidden",
        "/%2ehidden",
        "/.git/config",
        "/shown",
        "/.",
        "/sub/.",
        "/",
        "/nothing",
    ] {
        let Ok(uri) = path.parse::<http::Uri>() else {
            continue; // it never gets as far as this
        };
        let (status, body) = site.get(&uri.to_string());
        let fine = status == 404 && !body.contains("secret");
        assert!(fine, "{path}: {status} {body}");
    }
    assert_eq!(site.get("/a.txt"), (200, "0123456789".to_owned()));
    assert_eq!(site.get("/same"), (200, "0123456789".to_owned()));
    assert_eq!(
        site.get("/up/site/a.txt").0,
        200,
        "what counts is where it ends"
    );
    assert_eq!(site.get("/%C3%A4%20b.html"), (200, "name".to_owned()));
    assert_eq!(site.get("//sub//").1, "index");
    assert_eq!(site.get("/sub").1, "index");
}

#[test]
fn c_what_is_no_file_is_not_found_and_not_waited_for() {
    let site = Site::new();
    let pipe = site.dir.join("site/pipe");
    let made = Command::new("mkfifo").arg(&pipe).status();
    if !made.is_ok_and(|status| status.success()) {
        println!("skipped: no mkfifo here");
        return;
    }
    assert_eq!(site.get("/pipe").0, 404);
}

#[test]
fn c_methods_types_and_what_is_told_of_a_file() {
    let site = Site::new();
    let head = site.ask(Method::HEAD, "/a.txt", &[]);
    let get = site.ask(Method::GET, "/a.txt", &[]);
    assert_eq!(head.head.headers, get.head.headers);
    assert_eq!(field(&head, header::CONTENT_LENGTH), "10");
    assert!(head.body.is_empty() && get.body == b"0123456789");
    assert_eq!(
        field(&get, header::CONTENT_TYPE),
        "text/plain; charset=utf-8"
    );
    let html = site.ask(Method::GET, "/sub", &[]);
    assert_eq!(
        field(&html, header::CONTENT_TYPE),
        "text/html; charset=utf-8"
    );
    let empty = site.ask(Method::GET, "/empty", &[]);
    assert_eq!((empty.head.status.as_u16(), empty.body.len()), (200, 0));
    assert_eq!(
        field(&empty, header::CONTENT_TYPE),
        "application/octet-stream"
    );
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
        let refused = site.ask(method, "/a.txt", &[]);
        assert_eq!(refused.head.status.as_u16(), 405);
        assert_eq!(field(&refused, header::ALLOW), "GET, HEAD");
    }
    let mut small = site;
    small.files = small.files.clone().with_bytes_max(9);
    assert_eq!(small.get("/a.txt").0, 501);
    let part = small.ask(Method::GET, "/a.txt", &[(header::RANGE, "bytes=0-8")]);
    assert_eq!(part.head.status.as_u16(), 206);
}

#[test]
fn c_conditions_are_kept_to() {
    let site = Site::new();
    let get = site.ask(Method::GET, "/a.txt", &[]);
    let (tag, date) = (
        field(&get, header::ETAG),
        field(&get, header::LAST_MODIFIED),
    );
    let weak = format!("W/{tag}");
    let list = format!("\"x\", {tag}");
    let old = "Sun, 06 Nov 1994 08:49:37 GMT";
    for (name, value, wanted) in [
        (header::IF_NONE_MATCH, tag.as_str(), 304),
        (header::IF_NONE_MATCH, &weak, 304),
        (header::IF_NONE_MATCH, &list, 304),
        (header::IF_NONE_MATCH, "*", 304),
        (header::IF_NONE_MATCH, "\"x\"", 200),
        (header::IF_MODIFIED_SINCE, &date, 304),
        (header::IF_MODIFIED_SINCE, old, 200),
        (header::IF_MODIFIED_SINCE, "yesterday", 200),
        (header::IF_MATCH, &tag, 200),
        (header::IF_MATCH, "*", 200),
        (header::IF_MATCH, &weak, 412),
        (header::IF_MATCH, "\"x\"", 412),
        (header::IF_UNMODIFIED_SINCE, &date, 200),
        (header::IF_UNMODIFIED_SINCE, old, 412),
    ] {
        let response = site.ask(Method::GET, "/a.txt", &[(name.clone(), value)]);
        let status = response.head.status.as_u16();
        assert_eq!(status, wanted, "{name}: {value}");
        if status == 304 {
            assert!(response.body.is_empty());
            assert_eq!(field(&response, header::ETAG), tag);
        }
    }
    // A tag counts more than a date.
    let both = [
        (header::IF_NONE_MATCH, "\"x\""),
        (header::IF_MODIFIED_SINCE, date.as_str()),
    ];
    assert_eq!(
        site.ask(Method::GET, "/a.txt", &both).head.status.as_u16(),
        200
    );
}

#[test]
fn c_ranges_are_kept_to() {
    let site = Site::new();
    let get = site.ask(Method::GET, "/a.txt", &[]);
    let tag = field(&get, header::ETAG);
    for (range, status, body, told) in [
        ("bytes=2-4", 206, "234", "bytes 2-4/10"),
        ("bytes=7-", 206, "789", "bytes 7-9/10"),
        ("bytes=-2", 206, "89", "bytes 8-9/10"),
        (
            "bytes=0-99999999999999999999",
            206,
            "0123456789",
            "bytes 0-9/10",
        ),
        ("bytes=0-1,3-4", 200, "0123456789", ""),
        ("bytes=5-2", 200, "0123456789", ""),
        ("chars=1-2", 200, "0123456789", ""),
    ] {
        let response = site.ask(Method::GET, "/a.txt", &[(header::RANGE, range)]);
        let found = (response.head.status.as_u16(), response.body.as_slice());
        assert_eq!(found, (status, body.as_bytes()), "{range}");
        assert_eq!(field(&response, header::CONTENT_RANGE), told, "{range}");
    }
    let beyond = site.ask(Method::GET, "/a.txt", &[(header::RANGE, "bytes=10-")]);
    assert_eq!(beyond.head.status.as_u16(), 416);
    assert_eq!(field(&beyond, header::CONTENT_RANGE), "bytes */10");
    let range = (header::RANGE, "bytes=2-4");
    for (condition, status) in [(tag.as_str(), 206), ("\"x\"", 200), ("W/\"x\"", 200)] {
        let fields = [range.clone(), (header::IF_RANGE, condition)];
        let response = site.ask(Method::GET, "/a.txt", &fields);
        assert_eq!(response.head.status.as_u16(), status, "{condition}");
    }
    // RFC 9110 §14.2: HEAD has no ranges.
    let head = site.ask(Method::HEAD, "/a.txt", &[range]);
    assert_eq!(head.head.status.as_u16(), 200);
}

/// A streamed GET whose head is there and whose body nobody takes yet.
fn begun(desk: &mut Desk, path: &str) -> AskId {
    let url = format!("http://127.0.0.1:7000{path}").parse().unwrap();
    let id = desk.client.ask(desk.net.now(), Ask::get(url).streaming());
    for _ in 0..100 {
        assert!(desk.turn().is_none(), "nothing is over yet");
    }
    id
}

/// Takes the body as it comes: all of it, and how it ended.
fn taken(desk: &mut Desk, id: AskId) -> (Vec<u8>, Result<HttpResponse, AskError>) {
    let mut body = Vec::new();
    for _ in 0..10_000 {
        body.extend(desk.client.take_body(id));
        if let Some(mut outcome) = desk.turn() {
            if let Ok(response) = &mut outcome {
                body.append(&mut response.body);
            }
            return (body, outcome);
        }
    }
    panic!("it never ends");
}

#[test]
fn c_a_file_that_shrinks_while_it_is_sent_is_cut_and_not_complete() {
    let site = Site::new();
    let path = site.dir.join("site/large");
    fs::write(&path, pattern(2_000_000)).unwrap();
    let mut desk = Desk::new(&site.files);
    let id = begun(&mut desk, "/large");
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(1_000_000).unwrap();
    let (body, outcome) = taken(&mut desk, id);
    assert!(
        matches!(outcome, Err(AskError::Failed { .. })),
        "{outcome:?}"
    );
    assert!(pattern(1_000_000).starts_with(&body), "what came is right");
    assert_eq!(site.files.open(), 0);
}

#[test]
fn c_a_file_that_is_replaced_or_grows_while_it_is_sent_is_sent_as_it_was() {
    let site = Site::new();
    let path = site.dir.join("site/large");
    let old = pattern(2_000_000);
    fs::write(&path, &old).unwrap();
    let mut desk = Desk::new(&site.files);
    let id = begun(&mut desk, "/large");
    fs::write(site.dir.join("new"), "new").unwrap();
    fs::rename(site.dir.join("new"), &path).unwrap();
    let (body, outcome) = taken(&mut desk, id);
    assert!(outcome.is_ok() && body == old);
    assert_eq!(site.get("/large").1, "new");

    fs::write(&path, &old).unwrap();
    let id = begun(&mut desk, "/large");
    let mut file = fs::OpenOptions::new().append(true).open(&path).unwrap();
    std::io::Write::write_all(&mut file, b"more").unwrap();
    let (body, outcome) = taken(&mut desk, id);
    assert!(outcome.is_ok() && body == old, "as long as was told");
    let id = begun(&mut desk, "/large");
    assert_eq!(taken(&mut desk, id).0.len(), old.len() + 4);
}

#[test]
fn l1_files_that_are_sent_at_a_time_are_limited() {
    let site = Site::new();
    fs::write(site.dir.join("site/large"), pattern(2_000_000)).unwrap();
    let files = site.files.clone().with_open_max(2);
    let mut desk = Desk::new(&files);
    let first = begun(&mut desk, "/large");
    let second = begun(&mut desk, "/large");
    assert_eq!(files.open(), 2);
    assert_eq!(files.clone().open(), 2, "clones count together");
    let get = || Ask::get("http://127.0.0.1:7000/a.txt".parse().unwrap());
    let refused = desk.ask(get()).unwrap();
    assert_eq!(refused.head.status.as_u16(), 503);
    let head = Ask::new(Method::HEAD, get().url);
    let told = desk.ask(head).unwrap();
    assert_eq!(told.head.status.as_u16(), 200, "HEAD sends no file");
    desk.client.cancel(first);
    for _ in 0..10 {
        desk.turn();
    }
    assert_eq!(files.open(), 1);
    assert_eq!(desk.ask(get()).unwrap().body, b"0123456789");
    assert_eq!(taken(&mut desk, second).0.len(), 2_000_000);
    assert_eq!(files.open(), 0);
}
