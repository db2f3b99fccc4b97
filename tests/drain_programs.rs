//! Goal: a SIGTERM under load loses nothing that was accepted: every request that was sent whole
//! before its client heard of the end gets its whole answer; a second one forces; nobody new gets
//! in. Method: the example programs as processes, loaded by threads, ended at random moments:
//! `DRAIN_ROUNDS` times each, `DRAIN_SEED` picks the moments.
#![cfg(unix)]

#[expect(dead_code, reason = "other tests use the rest")]
mod programs;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::OnceLock;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use programs::{Served, now, pause};
use rustix::process::Signal;

fn rounds() -> u64 {
    let text = std::env::var("DRAIN_ROUNDS").unwrap_or_else(|_| "12".to_owned());
    text.parse().expect("DRAIN_ROUNDS is a number")
}

/// A moment between 5 and 40 ms after the load began.
fn moment(round: u64) -> Duration {
    let seed = std::env::var("DRAIN_SEED").map_or(1, |seed| seed.parse().expect("a number"));
    let mut z = (seed ^ round.wrapping_mul(0x9E37_79B9_7F4A_7C15)).wrapping_add(round);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    Duration::from_micros(5_000 + (z ^ (z >> 31)) % 35_000)
}

/// What a client has seen.
#[derive(Debug, Default)]
struct Seen {
    answered: u64,
    lost: Vec<String>,
    refused: bool,
}

/// Puts load on a server, ends it under the load, and adds up what the clients have seen.
fn ended_under_load(
    round: u64,
    server: &str,
    args: &[&str],
    clients: &[fn(String, &'static Ended) -> Seen],
) -> u64 {
    let served = Served::example(server, args);
    let ended: &'static Ended = Box::leak(Box::default()); // threads hold it; a few bytes a round
    let load: Vec<JoinHandle<Seen>> = clients
        .iter()
        .map(|client| {
            let (addr, client) = (served.addr.clone(), *client);
            std::thread::spawn(move || client(addr, ended))
        })
        .collect();
    pause(moment(round));
    ended.0.set(now()).expect("once");
    let began = now();
    let (status, _) = served.stop(Signal::TERM);
    assert!(status.success(), "round {round}: {status}");
    assert!(
        began.elapsed() < Duration::from_secs(9),
        "round {round}: it ran into the limit"
    );
    let mut answered = 0;
    for client in load {
        let seen = client.join().expect("the client's own checks hold");
        assert!(seen.lost.is_empty(), "round {round}: {seen:?}");
        answered += seen.answered;
    }
    answered
}

/// When the signal was sent: noted before it is.
#[derive(Debug, Default)]
struct Ended(OnceLock<Instant>);

impl Ended {
    /// Whether what was done at that moment was done before the signal.
    fn after(&self, done: Instant) -> bool {
        self.0.get().is_none_or(|ended| done < *ended)
    }
}

fn dial(addr: &str) -> Option<TcpStream> {
    let stream = TcpStream::connect(addr).ok()?;
    stream.set_nodelay(true).expect("an option");
    let patience = Some(Duration::from_secs(20));
    stream.set_read_timeout(patience).expect("an option");
    Some(stream)
}

/// Reads up to `len` bytes; less at the end of the stream, or a reset.
fn read_up_to(stream: &mut TcpStream, len: usize) -> Vec<u8> {
    let mut got = vec![0; len];
    let mut at = 0;
    while at < len {
        match stream.read(&mut got[at..]) {
            Ok(0) => break,
            Ok(n) => at += n,
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                panic!("an answer does not come")
            }
            Err(_) => break,
        }
    }
    got.truncate(at);
    got
}

// ---- HTTP

/// Reads a response; what came of it if it is not whole.
fn response(stream: &mut TcpStream) -> Result<(String, Vec<u8>), Vec<u8>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let more = read_up_to(stream, 1);
        if more.is_empty() {
            return Err(head);
        }
        head.extend(more);
    }
    let head = String::from_utf8(head)
        .expect("a head")
        .to_ascii_lowercase();
    let length = head.split("content-length: ").nth(1).expect("a length");
    let length = length.split("\r\n").next().and_then(|n| n.parse().ok());
    let length = length.expect("a number");
    let body = read_up_to(stream, length);
    match body.len() == length {
        true => Ok((head, body)),
        false => Err(body),
    }
}

fn post(n: u64, close: bool) -> (Vec<u8>, Vec<u8>) {
    let body = format!("body {n}").into_bytes();
    let close = if close { "Connection: close\r\n" } else { "" };
    let head = format!(
        "POST /echo HTTP/1.1\r\nHost: x\r\n{close}Content-Length: {}\r\n\r\n",
        body.len()
    );
    ([head.into_bytes(), body.clone()].concat(), body)
}

/// One request after the other on one connection, and on another when that is over.
fn keep_alive(addr: String, _: &'static Ended) -> Seen {
    let mut seen = Seen::default();
    'dial: while let Some(mut stream) = dial(&addr) {
        loop {
            let (request, body) = post(seen.answered, false);
            if stream.write_all(&request).is_err() {
                continue 'dial; // it was not sent whole
            }
            match response(&mut stream) {
                Ok((head, got)) => {
                    assert!(head.starts_with("http/1.1 200") && got == body, "{head}");
                    seen.answered += 1;
                    if head.contains("connection: close") {
                        continue 'dial;
                    }
                }
                Err(part) => {
                    seen.lost.push(format!("after {part:?}"));
                    continue 'dial;
                }
            }
        }
    }
    seen.refused = true;
    seen
}

/// Three requests at once, each time.
fn pipelined(addr: String, _: &'static Ended) -> Seen {
    let mut seen = Seen::default();
    'dial: while let Some(mut stream) = dial(&addr) {
        loop {
            let batch: Vec<_> = (0..3).map(|n| post(n, false)).collect();
            let all: Vec<u8> = batch.iter().flat_map(|(r, _)| r.clone()).collect();
            if stream.write_all(&all).is_err() {
                continue 'dial;
            }
            for (_, body) in &batch {
                match response(&mut stream) {
                    Ok((head, got)) => {
                        assert!(got == *body, "{head}");
                        seen.answered += 1;
                        if head.contains("connection: close") {
                            continue 'dial; // says of those behind it that they are not looked at
                        }
                    }
                    Err(part) => {
                        seen.lost.push(format!("pipelined, after {part:?}"));
                        continue 'dial;
                    }
                }
            }
        }
    }
    seen
}

/// A connection for each request.
fn one_each(addr: String, _: &'static Ended) -> Seen {
    let mut seen = Seen::default();
    while let Some(mut stream) = dial(&addr) {
        let (request, body) = post(seen.answered, true);
        if stream.write_all(&request).is_err() {
            continue;
        }
        match response(&mut stream) {
            Ok((_, got)) => assert_eq!(got, body),
            Err(part) => seen.lost.push(format!("alone, after {part:?}")),
        }
        seen.answered += 1;
    }
    seen
}

#[test]
fn http_server_loses_nothing() {
    let mut answered = 0;
    for round in 0..rounds() {
        let clients = [
            keep_alive, keep_alive, keep_alive, keep_alive, pipelined, one_each, one_each,
        ];
        answered += ended_under_load(round, "http_server", &["--addr", "127.0.0.1:0"], &clients);
    }
    println!("{answered} requests were answered");
    assert!(answered > 100 * rounds(), "{answered} are no load");
}

// ---- echo

/// A message after the other. An echo has no farewell: what was sent before the signal comes back
/// whole, and nothing comes back in part.
fn echoes(addr: String, ended: &'static Ended) -> Seen {
    let mut seen = Seen::default();
    let Some(mut stream) = dial(&addr) else {
        return seen;
    };
    for n in 0_usize.. {
        let size = 100 + n % 7 * 5_000;
        let message: Vec<u8> = (0..size)
            .map(|i| ((i * 31 + n) % 251).to_le_bytes()[0])
            .collect();
        if stream.write_all(&message).is_err() {
            break;
        }
        let sent = now();
        let back = read_up_to(&mut stream, size);
        if back == message {
            seen.answered += 1;
            continue;
        }
        if ended.after(sent) || !back.is_empty() {
            let how = format!(
                "{} of {size} bytes, sent before: {}",
                back.len(),
                ended.after(sent)
            );
            seen.lost.push(how);
        }
        break;
    }
    seen
}

#[test]
fn echo_server_loses_nothing() {
    let mut answered = 0;
    for round in 0..rounds() {
        let clients: [fn(String, &'static Ended) -> Seen; 6] = [echoes; 6];
        answered += ended_under_load(round, "echo_server", &["--addr", "127.0.0.1:0"], &clients);
    }
    println!("{answered} messages came back");
    assert!(answered > 100 * rounds(), "{answered} are no load");
}

// ---- channel

/// Requests of aiomas' kind, one after the other.
fn calls(addr: String, ended: &'static Ended) -> Seen {
    let mut seen = Seen::default();
    let Some(mut stream) = dial(&addr) else {
        return seen;
    };
    for n in 0_u64.. {
        let slow = n % 5 == 4; // is answered later, while the server drains
        let content = match slow {
            true => format!("[\"slow\", 30, {n}]"),
            false => format!("[\"echo\", {n}]"),
        };
        let frame = |text: &str| {
            let len = u32::try_from(text.len()).expect("short");
            [&len.to_be_bytes(), text.as_bytes()].concat()
        };
        if stream
            .write_all(&frame(&format!("[0, {n}, {content}]")))
            .is_err()
        {
            break;
        }
        let sent = now();
        let header = read_up_to(&mut stream, 4);
        let len = header.as_slice().try_into().map_or(0, u32::from_be_bytes);
        let answer = read_up_to(&mut stream, len as usize);
        let text: String = String::from_utf8_lossy(&answer)
            .split_whitespace()
            .collect();
        if text == format!("[1,{n},{n}]") {
            seen.answered += 1;
            continue;
        }
        if ended.after(sent) || !header.is_empty() {
            seen.lost.push(format!("{content}: {header:?} {text}"));
        }
        break;
    }
    seen
}

#[test]
fn channel_server_loses_nothing() {
    let mut answered = 0;
    for round in 0..rounds() {
        let clients: [fn(String, &'static Ended) -> Seen; 6] = [calls; 6];
        let args = ["--addr", "127.0.0.1:0", "--codec", "json"];
        answered += ended_under_load(round, "channel_server", &args, &clients);
    }
    println!("{answered} requests were answered");
    assert!(answered > rounds(), "{answered} are no load");
}

// ---- the end itself

#[test]
fn who_waits_at_the_listener_is_served() {
    // More than one service accepts, all sent before the server runs again.
    let served = Served::example("http_server", &["--addr", "127.0.0.1:0"]);
    served.signal(Signal::STOP);
    let mut streams: Vec<TcpStream> = (0..200)
        .map(|_| dial(&served.addr).expect("the backlog takes it"))
        .collect();
    for (n, stream) in streams.iter_mut().enumerate() {
        stream.write_all(&post(n as u64, false).0).unwrap();
    }
    served.signal(Signal::TERM);
    served.signal(Signal::CONT);
    let mut told = 0;
    for (n, stream) in streams.iter_mut().enumerate() {
        let (head, body) = response(stream).unwrap_or_else(|part| panic!("{n}: {part:?}"));
        assert_eq!(body, format!("body {n}").into_bytes());
        told += u32::from(head.contains("connection: close"));
    }
    assert!(told >= 100, "most came after the signal: {told}");
    drop(streams);
    let (status, _) = served.ended();
    assert!(status.success(), "{status}");
}

#[test]
fn what_is_under_way_is_waited_for_nobody_new_gets_in_and_a_second_signal_forces() {
    let served = Served::example("http_server", &["--addr", "127.0.0.1:0"]);
    let mut half = served.connect();
    let head = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345";
    half.write_all(head).unwrap();
    let mut idle = served.connect();
    idle.write_all(&post(7, false).0).unwrap();
    assert!(response(&mut idle).is_ok());
    let mut events = served.connect();
    events
        .write_all(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
        .unwrap();
    assert_eq!(read_up_to(&mut events, 12), b"HTTP/1.1 200");
    served.signal(Signal::TERM);
    // The idle one hears of the end, and the stream of events ends in order.
    assert_eq!(read_up_to(&mut idle, 1), b"");
    let mut rest = Vec::new();
    events.read_to_end(&mut rest).unwrap();
    assert!(
        rest.ends_with(b"0\r\n\r\n"),
        "{:?}",
        String::from_utf8_lossy(&rest)
    );
    let refused = TcpStream::connect(&served.addr).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    // Late, and answered nevertheless.
    let mut other = half.try_clone().unwrap();
    half.write_all(b"67890").unwrap();
    let (head, body) = response(&mut other).unwrap();
    assert_eq!(body, b"1234567890");
    assert!(head.contains("connection: close"), "{head}");
    drop((half, other));
    let (status, _) = served.ended();
    assert!(status.success(), "{status}");

    let served = Served::example("http_server", &["--addr", "127.0.0.1:0"]);
    let mut half = served.connect();
    half.write_all(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345")
        .unwrap();
    let mut idle = served.connect();
    served.signal(Signal::TERM);
    assert_eq!(read_up_to(&mut idle, 1), b"", "it drains");
    let began = now();
    let (status, _) = served.stop(Signal::TERM);
    assert!(status.success(), "{status}");
    assert!(began.elapsed() < Duration::from_secs(5), "it was forced");
    let cut = half.read(&mut [0]).unwrap_err();
    assert_eq!(
        cut.kind(),
        ErrorKind::ConnectionReset,
        "not an end in order"
    );
}

#[test]
fn without_load_all_end_at_once() {
    let began = now();
    for (name, args) in [
        ("http_server", &["--addr", "127.0.0.1:0"][..]),
        ("echo_server", &["--addr", "127.0.0.1:0"]),
        (
            "channel_server",
            &["--addr", "127.0.0.1:0", "--codec", "json"],
        ),
        (
            "channel_server",
            &["--addr", "127.0.0.1:0", "--codec", "json", "--rpc"],
        ),
        (
            "communicator",
            &["echo", "--port", "0", "--peer", "alice=localhost:9"],
        ),
        (
            "communicator",
            &[
                "echo",
                "--port",
                "0",
                "--peer",
                "alice=localhost:9",
                "--pool",
            ],
        ),
    ] {
        for signal in [Signal::TERM, Signal::INT] {
            let (status, _) = Served::example(name, args).stop(signal);
            assert!(status.success(), "{name}: {status}");
        }
    }
    assert!(
        began.elapsed() < Duration::from_secs(50),
        "none took its limit"
    );
}
