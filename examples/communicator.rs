//! Exchanges packets, or objects, with tno's HttpCommunicator or with itself.
//!
//! ```text
//! cargo run --release --example communicator -- echo --addr localhost --port 8001 --peer alice=localhost:8000
//! cargo run --release --example communicator -- send --addr localhost --port 8000 --peer bob=localhost:8001
//! ```
//!
//! `echo` says `listening on ADDR` once it serves. On SIGINT or SIGTERM it answers what has come and
//! ends, within 10 s; a second one ends it at once. `send`
//! verifies what comes back, prints one JSON line, and exits 1 on a mismatch.

mod common;
#[path = "communicator/echo.rs"]
pub(crate) mod echo;
#[path = "communicator/options.rs"]
pub(crate) mod options;
#[path = "communicator/send.rs"]
mod send;
#[path = "communicator/send_pool.rs"]
mod send_pool;
#[path = "communicator/talk.rs"]
mod talk;

use std::io::{self, Write};
use std::process::ExitCode;

use hio::doing::Fault;
use hio::net::{MioNet, Net, ResolverOptions};
use options::{Mode, Options};

const HELP: &str = "\
Exchanges packets with tno's HttpCommunicator.

    communicator echo --addr HOST --port P --peer NAME=HOST:PORT ... [OPTIONS]
    communicator send --addr HOST --port P --peer NAME=HOST:PORT ... [OPTIONS]

echo sends every packet back to its sender; one that begins with FAIL makes the handler fail.
send sends packets to the first peer, each of which must come back.

    --addr HOST             listen there; localhost, the default, is both loopback addresses
    --port P                the port; peers know us by it
    --peer NAME=HOST:PORT   a peer, by the name that its certificate's file has; several may be given
    --pool                  objects with ids: the one with id K comes back with id re:K
    --tls DIR               mutual TLS, with DIR/ME.pem, DIR/ME.key, DIR/NAME.pem and DIR/ca.pem
    --me NAME               who we are among those; default bob for echo, alice for send
    --count N               send: packets at the same time; default 50
    --kinds N               send --pool: objects of so many kinds; default all 24
    --sizes A,B,...         send: bytes of packets one after the other; default 0 to 8 MiB

SIGINT or SIGTERM: echo answers what has come and ends, within 10 s; a second one ends it at once.";

fn main() -> ExitCode {
    env_logger::init();
    common::run(
        "communicator",
        HELP,
        Options::read(lexopt::Parser::from_env()),
        run,
    )
}

fn run(options: Options) -> Result<(), Fault> {
    match (options.mode, options.pool) {
        (Mode::Echo, false) => echo::serve(echo::packets(&options)?),
        (Mode::Echo, true) => echo::serve(echo::objects(&options)?),
        (Mode::Send, _) => {
            let mut net = MioNet::new()?;
            net.start_resolver(ResolverOptions::default())?;
            send(&options, &mut net, &mut io::stdout())
        }
    }
}

/// Sends, and writes how it went.
pub(crate) fn send(options: &Options, net: &mut dyn Net, out: &mut dyn Write) -> Result<(), Fault> {
    match options.pool {
        false => send::run(options, net, out),
        true => send_pool::run(options, net, out),
    }
}
