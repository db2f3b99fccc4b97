//! The example programs, each against the one that serves it.

use hio::net::Net;
use hio::sim::{NodeId, tls};

use super::failing::{Call, Program};
use super::whole::{Counts, Example, Out, Turns};
use super::{echo_client, http_get, http_server, raw_http};

pub(super) fn args(text: &str) -> lexopt::Parser {
    lexopt::Parser::from_args(text.split_whitespace())
}

/// Calls of each of these kinds are made, so that they can fail.
pub(super) fn reached(counts: &Counts, kinds: &[Call]) {
    for kind in kinds {
        let met = |(call, count): &(Call, usize)| call == kind && *count > 0;
        assert!(counts.iter().any(met), "{kind:?}: {counts:?}");
    }
}

/// What every pair does.
pub(super) const EVERYBODY: [Call; 7] = [
    Call::Listen,
    Call::Accept,
    Call::Connect,
    Call::Connected,
    Call::Read,
    Call::Write,
    Call::Poll,
];

fn web(node: NodeId, secure: bool) -> Box<dyn Turns> {
    Box::new(Program::new(node, move || {
        let mut options = http_server::options(args("--addr 0.0.0.0:80")).expect("good");
        options.tls = secure.then(|| tls::server().build().expect("certificates"));
        http_server::doist(options).0
    }))
}

#[test]
fn a2_raw_http() {
    for secure in [false, true] {
        let example = Example {
            name: "raw_http",
            server: &|node| web(node, secure),
            client: &|net: &mut dyn Net, mut out: Out| {
                let mut options = raw_http::options(args("server.sim:80")).expect("good");
                options.tls = secure.then(client_tls);
                raw_http::fetch(options, net, &mut out)
            },
            whole: &|text| text.starts_with("HTTP/1.1 404") && text.ends_with("Not Found\n"),
        };
        let counts = example.torture();
        reached(&counts, &EVERYBODY);
        reached(&counts, &[Call::Resolve, Call::Shutdown]);
    }
}

fn client_tls() -> hio::link::tls::ClientTls {
    tls::client().build().expect("certificates")
}

#[test]
fn a2_http_get_and_http_server() {
    for secure in [false, true] {
        let example = Example {
            name: "http_get",
            server: &|node| web(node, secure),
            client: &|net: &mut dyn Net, out: Out| {
                let url = match secure {
                    false => "http://server.sim:80/echo",
                    true => "https://server.sim:80/echo",
                };
                let line = [url, "--data", &"x".repeat(100_000)];
                let mut options = http_get::options(lexopt::Parser::from_args(line)).expect("good");
                options.tls = secure.then(client_tls);
                http_get::fetch(options, net, Box::new(out))
            },
            whole: &|text| text.len() == 100_000,
        };
        let counts = example.torture();
        reached(&counts, &EVERYBODY);
        reached(&counts, &[Call::Resolve]);
    }
}

#[test]
fn a2_echo_client_and_echo_server() {
    for secure in [false, true] {
        let example = Example {
            name: "echo_client",
            server: &|node| echo(node, secure),
            client: &|net: &mut dyn Net, mut out: Out| {
                let line = "--addr server.sim:5000 --conns 3 --count 3 --size 20000";
                let mut options = echo_client::options(args(line)).expect("good");
                options.tls = secure.then(client_tls);
                echo_client::call(options, net, &mut out)
            },
            whole: &|text| {
                text.starts_with("{\"messages\":9,\"bytes\":180000,\"mismatches\":0,\"lost\":0,")
            },
        };
        let counts = example.torture();
        reached(&counts, &EVERYBODY);
        reached(&counts, &[Call::Resolve]);
        if secure {
            // TLS has an end of its own: the server's side is shut down after it.
            reached(&counts, &[Call::Shutdown]);
        }
    }
}

fn echo(node: NodeId, secure: bool) -> Box<dyn Turns> {
    use super::replay::echo_server;
    Box::new(Program::new(node, move || {
        let tape = hio::net::Tape::recording();
        let mut options = echo_server::options(args("--addr 0.0.0.0:5000"), tape).expect("good");
        options.tls = secure.then(|| tls::server().build().expect("certificates"));
        echo_server::doist(options).0
    }))
}
