//! Goal: what HTTP's parsers once found interesting stays harmless, however it is split.
//! Method: the corpora below `fuzz/corpus` through the bodies of the fuzz targets, and each with every byte changed.

#![cfg(feature = "http")]

#[path = "../fuzz/bodies/http.rs"]
mod bodies;

use std::path::Path;

fn replay(name: &str, body: fn(&[u8])) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let dir = root.join("fuzz/corpus").join(name);
    let entries = std::fs::read_dir(&dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 20, "{name}: {} files", files.len());
    for file in files {
        let mut bytes = std::fs::read(&file).unwrap();
        body(&bytes);
        for at in 0..bytes.len() {
            let old = bytes[at];
            for new in [0, b'\r', b'\n', b' ', b':', b'0', b'f', 0x7f, 0xff, old ^ 1] {
                bytes[at] = new;
                body(&bytes);
            }
            bytes[at] = old;
            body(&bytes[..at]);
        }
    }
}

#[test]
fn requests() {
    replay("http_request", bodies::request);
}

#[test]
fn responses() {
    replay("http_response", bodies::response);
}

#[test]
fn chunks() {
    replay("http_chunked", bodies::chunked);
}

#[test]
fn urls() {
    replay("http_url", bodies::url);
}

#[test]
fn events() {
    replay("http_events", bodies::events);
}
