//! A nonblocking, poll-driven cooperative scheduler and network library without `async`.
//!
//! A [`Doist`](doing::Doist) runs [`Doer`](doing::Doer)s tick by tick. Time (*tyme*) is handed in,
//! never read; so is the network, as a [`Net`](net::Net). A [`Server`](link::Server) and a
//! [`Client`](link::Client) move bytes between sockets and capped buffers.
//!
//! > **A doer touches the world only through what it is handed.** Hand it real sockets and a real
//! > clock, and it is a production service. Hand it a simulated network, a simulated clock and a seed,
//! > and the same object is a deterministic simulation ([`sim`]). Record what it was handed, and the
//! > run can be replayed ([`net::Record`], [`net::Replay`]).
//!
//! # Layers
//! ```text
//!             tyme            Tyme, Tymist, Tymer, Clock              time that is handed in
//!            /    \
//!        doing     net        Doist, Doer, DoDoer | Net, MioNet, layers
//!           \      /  \
//!      crew  doers    link    Crew: many cores | ServerDoer, ... | Server, Remoter, Client, TLS
//!                     /  \
//!                  proto  wire  http, channel, communicator | WireLog, pcapng
//!        sim  = Net + Clock + seed + faults, under everything above
//!        seeing  looks at all that has figures or can be watched
//! ```
//! A layer names only what stands above it; `doing` and [`net`] know of each other only the trait
//! `Net` and its ids.
//!
//! # A program
//! ```
//! use hio::doing::prelude::*;
//! use std::time::Duration;
//!
//! /// Sends a number every second of tyme, three times.
//! struct Source(u32);
//!
//! impl Doer<Pipe<u32>> for Source {
//!     fn tock(&self) -> Duration {
//!         Duration::from_secs(1)
//!     }
//!     fn recur(&mut self, _tyme: Tyme, cx: &mut Cx<'_, Pipe<u32>>) -> Result<Next, Fault> {
//!         self.0 += 1;
//!         let sent = cx.app.push(self.0, &mut cx.ask); // wakes who waits at the other end
//!         sent.map_err(|_| Fault::msg("the pipe is full"))?;
//!         Ok(if self.0 == 3 { Done(true) } else { Again })
//!     }
//! }
//!
//! let mut doist = Doist::new(Pipe::new(8)).with_pace(Pace::Asap);
//! doist.add(Source(0));
//! let mut sum = 0;
//! let sink = doist.add(doify(move |_tyme, cx: &mut Cx<'_, Pipe<u32>>| {
//!     while let Some(n) = cx.app.pop(&mut cx.ask) {
//!         sum += n;
//!     }
//!     Ok(if sum == 6 { Done(true) } else { Park(Tyme::NEVER) }) // until the pipe moves
//! }));
//! assert_eq!(doist.run(&mut NullNet::default())?, Outcome::Done);
//! assert_eq!(doist.ended(sink), Some(Ended::Done(true)));
//! # Ok::<(), Fault>(())
//! ```
//! An echo server and its client are in the README; whole programs are in `examples/`.
//!
//! # hio's words
//! | word | means |
//! |---|---|
//! | tyme | the time of a program run, told by its scheduler: [`Tyme`](tyme::Tyme) |
//! | tock | the span between two ticks of a Doist, or between two runs of a doer |
//! | tymist, tymer | keeps tyme; measures a span of it |
//! | tymeout | a timeout in tyme |
//! | doer | an object with hooks (enter, recur, clean, cease, abort, exit) that is run |
//! | doist | the root scheduler, which owns the doers and the program's state |
//! | dodoer | a doer that schedules doers |
//! | deeds | the doers that a scheduler has, and when they are due: [`Deeds`](doing::Deeds) |
//! | recur | one turn of a doer |
//! | temp | a doer's mark that it should keep nothing for good |
//! | remoter, ix | an accepted connection |
//! | ha, ca, eha | the address one listens on; the peer's; the one to dial from this machine |
//! | cutoff | the peer has ended its side of a connection |
//!
//! # Features
//! | feature | default | adds |
//! |---|---|---|
//! | `http` | yes | `proto::http`: HTTP/1.1 as a machine without sockets |
//! | `signals` | yes | `doers::SignalDoer`: SIGINT and SIGTERM drain a Doist, a second one stops it; `doers::ReloadDoer`: SIGHUP |
//! | `tls` | yes | `link::tls`: TLS by rustls with the ring provider |
//! | `channel` | yes | `proto::channel`: requests and replies, byte-compatible with aiomas |
//! | `communicator` | yes | `proto::communicator`: packets between named peers, byte-compatible with tno's HttpCommunicator |
//! | `metrics` | no | `seeing::MetricsDoer`, `seeing::Publish`: figures through the facade of the crate `metrics` |
//! | `aws-lc-rs` | no | `link::tls` with the aws-lc-rs provider instead, which has the post-quantum hybrid group |
//! | `sim-tls` | no | `sim::tls`: TLS that repeats to the byte in a simulation, and is refused everywhere else |
//! | `webpki-roots` | no | `ClientTlsBuilder::bundled_trust`: Mozilla's list of roots |
//! | `platform-verifier` | no | `ClientTlsBuilder::platform_trust`: what the operating system trusts |
//!
//! # What is logged
//! | level | what |
//! |---|---|
//! | `error` | a failure that nobody is left to be told of: in a closing hook, of a handler, of a peer that cannot be dialled at all |
//! | `warn` | a failed doer or member was dropped or restarted; a doer stalls all others, accepting fails, each at most one line a second; a log, capture, trace or recording is given up, once; names or files of the system are in the way |
//! | `info` | a server listens, or no longer; somebody unknown calls |
//! | `debug` | connections: opened, closed and why; calls in vain |
//! | `trace` | single steps |
//!
//! A line's target is the module that says it; `docs/seeing.md` lists all of them.
//! Never what peers send: that is in a [`WireLog`](wire::WireLog) or a capture, if you make one. Keys are
//! in a `wire::KeyLogger`, if you make one, and nowhere else.
#![cfg_attr(
    not(test),
    warn(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)
)]

pub mod crew;
pub mod doers;
pub mod doing;
pub mod link;
pub mod net;
pub mod proto;
pub mod seeing;
pub mod sim;
pub mod tyme;
pub mod wire;

#[cfg(doctest)]
mod pages;
