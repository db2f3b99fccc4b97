//! Goal: where we and h11 both take a message, we agree where it ends: requests and responses.
//! Method: at least 100 000 messages of each kind that are nearly good go to h11 in a child process and to us; whatever
//! both take must be equal, and so must the message after it. Without h11 each test prints `skipped: …`.

#![cfg(target_os = "linux")]

#[path = "interop/foreign.rs"]
mod foreign;
#[path = "support/http_mutate.rs"]
mod mutate;
#[expect(dead_code, reason = "foreign programs need only some of it")]
mod programs;

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use mutate::{
    Random, Taken, Tally, messages, our_requests, our_responses, request, response, seed,
};

/// What h11 makes of each of the messages.
fn h11s(role: &str, all: &[Vec<u8>]) -> Option<Vec<Vec<Taken>>> {
    let python = foreign::http_python()?;
    let mut child = Command::new(python)
        .arg(foreign::script("h11_peer.py"))
        .arg(role)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it was tried before");
    let mut stdin = child.stdin.take().expect("it is piped");
    for text in all {
        let length = u32::try_from(text.len()).expect("they are small");
        stdin.write_all(&length.to_be_bytes()).expect("it reads");
        stdin.write_all(text).expect("it reads");
    }
    drop(stdin); // it answers at the end
    let mut said = String::new();
    let mut stdout = child.stdout.take().expect("it is piped");
    stdout.read_to_string(&mut said).expect("text");
    assert!(child.wait().expect("a child").success());
    Some(said.strip_suffix('\n')?.split('\n').map(line).collect())
}

fn line(text: &str) -> Vec<Taken> {
    let bytes = |hex: &str| -> Vec<u8> {
        let pairs = hex.as_bytes().chunks(2);
        let byte = |pair: &[u8]| {
            let pair = std::str::from_utf8(pair).expect("hexadecimal");
            u8::from_str_radix(pair, 16).expect("hexadecimal")
        };
        pairs.map(byte).collect()
    };
    let one = |pair: &str| {
        let (head, body) = pair.split_once(':').expect("two");
        let head = String::from_utf8_lossy(&bytes(head)).into_owned();
        (as_we_write_it(&head), bytes(body))
    };
    text.split_whitespace().map(one).collect()
}

/// The same target as `http` writes it: `http://a` is `http://a/`.
fn as_we_write_it(head: &str) -> String {
    let parsed = head.split_once(' ').and_then(|(method, target)| {
        let target: http::Uri = target.parse().ok()?;
        Some(format!("{method} {target}"))
    });
    parsed.unwrap_or_else(|| head.to_owned())
}

fn compare(role: &str, generate: fn(&mut Random) -> Vec<u8>, ours: fn(&[&[u8]]) -> Vec<Taken>) {
    let seed = seed();
    let mut random = Random(seed);
    let all: Vec<Vec<u8>> = (0..messages()).map(|_| generate(&mut random)).collect();
    let Some(theirs) = h11s(role, &all) else {
        return;
    };
    assert_eq!(theirs.len(), all.len());
    let mut tally = Tally::default();
    for (text, theirs) in all.iter().zip(&theirs) {
        tally.compare(text, &ours(&[text]), theirs, seed);
    }
    println!("{role}: seed {seed}, {} messages: {tally:?}", all.len());
    assert!(tally.same > all.len() / 4, "most of them would say nothing");
}

#[test]
fn c_h11_and_we_agree_where_requests_end() {
    compare("requests", request, our_requests);
}

#[test]
fn c_h11_and_we_agree_where_responses_end() {
    compare("responses", response, our_responses);
}
