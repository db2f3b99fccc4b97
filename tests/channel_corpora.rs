//! Goal: what fuzzing once found interesting stays harmless.
//! Method: the corpora below `fuzz/corpus` through the bodies of the fuzz targets, and each with every byte changed.

#[path = "../fuzz/bodies/channel.rs"]
mod channel;

use std::path::Path;

fn replay(name: &str, body: fn(&[u8])) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(name);
    let mut files: Vec<_> = std::fs::read_dir(&dir)
        .unwrap_or_else(|e| panic!("{}: {e}", dir.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(files.len() >= 20, "{name}: {} files", files.len());
    for file in files {
        let mut bytes = std::fs::read(&file).unwrap();
        body(&bytes);
        for at in 0..bytes.len() {
            let old = bytes[at];
            for new in [0, 0x7f, 0x81, 0x91, 0xc1, 0xff, b'"', b'[', old ^ 1] {
                bytes[at] = new;
                body(&bytes);
            }
            bytes[at] = old;
            body(&bytes[..at]);
        }
    }
}

#[test]
fn frames() {
    replay("frame", channel::frame);
}

#[test]
fn msgpack() {
    replay("msgpack", channel::msgpack);
}

#[test]
fn json() {
    replay("json", channel::json);
}
