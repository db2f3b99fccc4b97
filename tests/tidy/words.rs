//! Words that have their one place, or none.

use super::scan::{code, tokens};

/// (word, the files below `src` that may have it, why).
pub(crate) const PLACES: &[(&str, &[&str], &str)] = &[
    (
        "Instant",
        &["src/tyme/clock.rs"],
        "only SystemClock reads the clock (law T2)",
    ),
    (
        "SystemTime",
        &["src/tyme/clock.rs", "src/proto/http/ends/files.rs"],
        "only SystemClock reads the clock (law T2); a file has a time of its own",
    ),
    (
        "UNIX_EPOCH",
        &["src/tyme/clock.rs", "src/proto/http/ends/files.rs"],
        "only SystemClock reads the clock (law T2); a file has a time of its own",
    ),
    (
        "thread",
        &[
            "src/link/tls/aside.rs",
            "src/net/mio/resolver.rs",
            "src/link/stream/backend.rs",
            "src/sim/campaign.rs",
            "src/crew/threads.rs",
            "src/crew/report.rs",
        ],
        "no thread is started unless asked for (law D2), as the resolver's, a campaign's jobs, and a crew's members; telling them apart starts none, nor does asking whether this one panics",
    ),
    (
        "HashMap",
        &[],
        "its order differs from instance to instance (law D2)",
    ),
    (
        "HashSet",
        &[],
        "its order differs from instance to instance (law D2)",
    ),
    (
        "RandomState",
        &["src/net/mio/entropy.rs"],
        "randomness is the net's (law D1)",
    ),
    (
        "static",
        &["src/doers/signals/heard.rs", "src/link/tls/asker.rs"],
        "no globals (law D2); but a process has one set of signal handlers, and see `thread_local`",
    ),
    (
        "thread_local",
        &["src/link/tls/asker.rs"],
        "no globals (law D2); but rustls's sources of randomness are not told who asks, so a slot \
         of the thread says it for the time of one call, and is empty between calls",
    ),
    ("unsafe", &["src/lib.rs"], "the crate forbids it"),
    ("todo", &[], "nothing is left open"),
    ("unimplemented", &[], "nothing is left open"),
    ("dbg", &[], "a library does not print"),
    ("println", &[], "a library does not print"),
    ("eprintln", &[], "a library does not print"),
    ("print", &[], "a library does not print"),
    ("eprint", &[], "a library does not print"),
    ("mio", &["src/net/"], "sockets are the net's alone (law D1)"),
    (
        "socket2",
        &["src/net/"],
        "sockets are the net's alone (law D1)",
    ),
    (
        "TcpStream",
        &["src/net/"],
        "sockets are the net's alone (law D1)",
    ),
    (
        "TcpListener",
        &["src/net/"],
        "sockets are the net's alone (law D1)",
    ),
    (
        "UnixStream",
        &["src/net/", "src/doers/signals/heard.rs"],
        "sockets are the net's alone (law D1); a signal handler writes into one end of a pair",
    ),
    (
        "UnixListener",
        &["src/net/"],
        "sockets are the net's alone (law D1)",
    ),
    (
        "UdpSocket",
        &["src/net/"],
        "sockets are the net's alone (law D1)",
    ),
    (
        "ToSocketAddrs",
        &["src/net/mio/resolver.rs"],
        "it blocks (defect S22)",
    ),
    (
        "signal_hook",
        &["src/doers/"],
        "signals are a doer's business",
    ),
];

/// Words that point outside of the project; split here, or this file would have them itself.
pub(crate) const OUTSIDE: &[&str] = &[
    concat!("/wo", "rk/"),
    concat!("../", "shared"),
    concat!(".libr", "ary"),
    concat!("sub", "agent"),
    concat!("farm-", "bench"),
    concat!("farm-", "studio"),
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
];

/// Words out of their place in a file below `src`, `lib.rs` and test modules included.
pub(crate) fn violations(path: &str, text: &str) -> Vec<String> {
    let code = code(text);
    let tokens = tokens(&code);
    let mut found = Vec::new();
    for (i, (line, word)) in tokens.iter().enumerate() {
        // `&'static str` is a lifetime, `.print()` somebody's method, `mod mio` a file of the net.
        let before = if i == 0 { "" } else { tokens[i - 1].1 };
        if before == "'" || before == "." {
            continue;
        }
        for (name, places, why) in PLACES {
            if name == word && !places.iter().any(|place| path.starts_with(place)) {
                found.push(format!("{path}:{line}: `{word}`: {why}"));
            }
        }
    }
    found
}

/// Lines that name something outside of the project.
pub(crate) fn outside(path: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let lower = line.to_lowercase();
        for word in OUTSIDE {
            if lower.contains(word) {
                found.push(format!("{path}:{}: names `{word}`", number + 1));
            }
        }
    }
    found
}
