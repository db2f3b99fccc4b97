//! The stories that run on every net: what the server is like, what the client does, and what is
//! told.

use std::time::Duration;

use super::streams::{Act, Manner, pattern};

pub(crate) struct Story {
    pub(crate) name: &'static str,
    pub(crate) manner: Manner,
    /// TLS from the start.
    pub(crate) tls: bool,
    pub(crate) acts: Vec<Act>,
    pub(crate) told: Vec<&'static str>,
}

/// A deadline that is to pass.
const SOON: Duration = Duration::from_millis(60);
/// One that is not.
const LATE: Duration = Duration::from_secs(60);

fn story(name: &'static str, manner: Manner, script: Vec<(Act, &'static str)>) -> Story {
    let (acts, told) = script.into_iter().unzip();
    Story {
        name,
        manner,
        tls: false,
        acts,
        told,
    }
}

/// Those without TLS.
pub(crate) fn plain() -> Vec<Story> {
    use Act::*;
    let say = |text: &str| Write(text.as_bytes().to_vec());
    vec![
        story(
            "a conversation",
            Manner::Echo,
            vec![
                (Info, "knows "),
                (Connect, "connected"),
                (Show, "<NetworkStream [\"…\"]>"),
                (ReadMax(0), "read \"\""),
                (say("hello"), "written"),
                (ReadMax(2), "read \"he\""),
                (Read(3), "read \"llo\""),
                (Write(pattern(300_000)), "written"),
                (Read(300_000), "read 300000 bytes of the pattern"),
                (Close, "closed"),
                (Show, "<NetworkStream [\"…\" CLOSED]>"),
                (Close, "closed"),
                (ReadMax(1), "reading: closed"),
                (ReadMax(0), "reading: closed"),
                (say("x"), "writing: closed"),
            ],
        ),
        story(
            "the end of the stream is empty, again and again, and the other side stays open",
            Manner::Http,
            vec![
                (Connect, "connected"),
                (say("GET / HTTP/1.1\r\n\r\n"), "written"),
                (
                    ReadToEnd,
                    "read \"HTTP/1.1 200 OK\\r\\nConnection: close\\r\\n\\r\\nhello\"",
                ),
                (ReadMax(5), "read \"\""),
                (ReadToEnd, "read \"\""),
                (Show, "<NetworkStream [\"…\"]>"),
                (Close, "closed"),
            ],
        ),
        story(
            "a silent server and nested deadlines",
            Manner::Silent,
            vec![
                (Push("request", LATE), "push request"),
                (Connect, "connected"),
                (say("anybody?"), "written"),
                (Push("read", SOON), "push read"),
                (ReadMax(1), "reading: deadline read"),
                (ReadMax(1), "reading: deadline read"),
                (Cancel("read"), "cancel read: read has passed"),
                (say("x"), "writing: deadline read"),
                (Pop("read"), "pop read: true"),
                (say("still there"), "written"),
                (Push("outer", SOON), "push outer"),
                (Push("inner", LATE), "push inner"),
                (ReadMax(1), "reading: deadline outer"),
                (Pop("inner"), "pop inner: true"),
                (Pop("outer"), "pop outer: true"),
                (Push("short", SOON), "push short"),
                (Push("shorter", Duration::from_millis(1)), "push shorter"),
                (Wait(Duration::from_millis(2)), "waited"),
                (ReadMax(1), "reading: deadline shorter"),
                (Pop("shorter"), "pop shorter: true"),
                (ReadMax(1), "reading: deadline short"),
                (Pop("short"), "pop short: true"),
                (Close, "closed"),
            ],
        ),
        story(
            "cancel takes away only its own",
            Manner::Silent,
            vec![
                (Connect, "connected"),
                (Push("outer", SOON), "push outer"),
                (Push("inner", Duration::from_millis(50)), "push inner"),
                (Cancel("inner"), "cancel inner"),
                (Cancel("inner"), "cancel inner"),
                (ReadMax(1), "reading: deadline outer"),
                (Cancel("outer"), "cancel outer: outer has passed"),
            ],
        ),
        story(
            "a dribbling server: only an overall deadline helps",
            Manner::Dribble,
            vec![
                (Connect, "connected"),
                (Push("overall", Duration::from_millis(300)), "push overall"),
                (Read(2), "read \"..\""),
                (Pop("overall"), "pop overall: true"),
                (Push("overall", Duration::ZERO), "push overall"),
                (Wait(Duration::from_millis(50)), "waited"),
                (ReadMax(1), "reading: deadline overall"),
            ],
        ),
        story(
            "a server that stalls: a write that is cut goes on where it was",
            Manner::Stall,
            vec![
                (Connect, "connected"),
                (Push("write", SOON), "push write"),
                (Write(pattern(8_000_000)), "writing: deadline write"),
                (Pop("write"), "pop write: true"),
                (Push("close", SOON), "push close"),
                (Close, "closing: deadline close"),
                (Show, "<NetworkStream [\"…\"]>"),
            ],
        ),
        story(
            "a reset is an error, not an end",
            Manner::Reset,
            vec![
                (Connect, "connected"),
                (say("x"), "written"),
                (ReadToEnd, "reading: reset by the peer"),
                (ReadMax(1), "reading: reset by the peer"),
                (say("x"), "writing: reset by the peer"),
                (Close, "closed"),
                (Show, "<NetworkStream [\"…\" CLOSED]>"),
            ],
        ),
        story(
            "what came before the end is read first",
            Manner::Cut(5),
            vec![
                (Connect, "connected"),
                (say("hello"), "written"),
                (ReadToEnd, "read \"hello\""),
                (ReadMax(9), "read \"\""),
                (Close, "closed"),
            ],
        ),
        story(
            "closing does not wait for a peer that stays",
            Manner::Linger,
            vec![
                (Connect, "connected"),
                (say("bye"), "written"),
                (Close, "closed"), // after the linger time
            ],
        ),
    ]
}

/// Those with TLS: the server has the names `localhost` and `127.0.0.1`.
pub(crate) fn secure() -> Vec<Story> {
    use Act::*;
    let say = |text: &str| Write(text.as_bytes().to_vec());
    vec![
        story(
            "STARTTLS",
            Manner::StartTls,
            vec![
                (Connect, "connected"),
                (say("STARTTLS\n"), "written"),
                (
                    Tls("bad name"),
                    "in the TLS handshake: \"bad name\" is neither a host name nor an address",
                ),
                (Read(3), "read \"OK\\n\""),
                (Tls("localhost"), "secured"),
                (Show, "<NetworkStream [\"…\" TLS]>"),
                (Info, "knows client_addr server_addr ssl_object socket"),
                (Write(pattern(100_000)), "written"),
                (Read(100_000), "read 100000 bytes of the pattern"),
                (Close, "closed"),
                (Show, "<NetworkStream [\"…\" TLS CLOSED]>"),
                (Tls("localhost"), "in the TLS handshake: closed"),
                // Opened again it is plain as before.
                (Connect, "connected"),
                (Show, "<NetworkStream [\"…\"]>"),
                (Close, "closed"),
            ],
        ),
        story(
            "TLS in TLS, by address",
            Manner::StartTls,
            vec![
                (Connect, "connected"),
                (say("STARTTLS\n"), "written"),
                (Read(3), "read \"OK\\n\""),
                (Tls("127.0.0.1"), "secured"),
                (say("STARTTLS\n"), "written"),
                (Read(3), "read \"OK\\n\""),
                (Tls("localhost"), "secured"),
                (say("deep inside"), "written"),
                (Read(11), "read \"deep inside\""),
                (Close, "closed"),
            ],
        ),
        story(
            "what came unprotected and is not read stops it",
            Manner::StartTls,
            vec![
                (Connect, "connected"),
                (say("STARTTLS\n"), "written"),
                (ReadMax(1), "read \"O\""),
                (
                    Tls("localhost"),
                    "in the TLS handshake: 2 bytes that came before are not consumed",
                ),
                (Read(2), "read \"K\\n\""),
                (Tls("localhost"), "secured"),
                (Close, "closed"),
            ],
        ),
        story(
            "another name is refused",
            Manner::StartTls,
            vec![
                (Connect, "connected"),
                (say("STARTTLS\n"), "written"),
                (Read(3), "read \"OK\\n\""),
                (
                    Tls("example.org"),
                    "in the TLS handshake: the peer's certificate is for another name",
                ),
                (Close, "closed"),
            ],
        ),
        story(
            "a handshake that stalls has a deadline",
            Manner::Stall,
            vec![
                (Connect, "connected"),
                (Push("handshake", SOON), "push handshake"),
                (Tls("localhost"), "in the TLS handshake: deadline handshake"),
                (Pop("handshake"), "pop handshake: true"),
                (ReadMax(1), "reading: aborted"),
            ],
        ),
    ]
}
