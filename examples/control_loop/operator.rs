//! The operator, in a thread of its own with a plain socket: sets targets, and verifies what is told.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread::JoinHandle;
use std::time::Duration;

use hio::doing::Fault;

use crate::rig::{EVERY, STATE};

/// What it saw.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// States that fit the one before.
    pub(crate) states: u64,
    /// Targets that were reached.
    pub(crate) reached: u64,
    pub(crate) wrong: Option<String>,
}

pub(crate) struct Operator {
    thread: JoinHandle<std::io::Result<Seen>>,
}

impl Operator {
    pub(crate) fn start(at: SocketAddr) -> Self {
        let thread = std::thread::spawn(move || operate(at));
        Self { thread }
    }

    /// It ends when the loop has closed its connection.
    pub(crate) fn stop(self) -> Result<Seen, Fault> {
        let seen = self.thread.join();
        Ok(seen.map_err(|_| Fault::msg("the operator's thread panicked"))??)
    }
}

fn operate(at: SocketAddr) -> std::io::Result<Seen> {
    let mut seen = Seen::default();
    let Ok(mut stream) = TcpStream::connect(at) else {
        return Ok(seen); // the loop has ended before it began to talk
    };
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut target = 1.0f64;
    if stream.write_all(&target.to_le_bytes()).is_err() {
        return Ok(seen);
    }
    let (mut last, mut since): (_, Option<u64>) = (None, None);
    let mut state = [0; STATE];
    while seen.wrong.is_none() {
        if stream.read_exact(&mut state).is_err() {
            break; // cut: whether that was too soon, the number of states tells
        }
        let [tyme, period, told, position] = std::array::from_fn(|at| {
            let mut number = [0; 8];
            number.copy_from_slice(&state[at * 8..][..8]);
            number
        });
        let (tyme, period) = (u64::from_le_bytes(tyme), u64::from_le_bytes(period));
        let (told, position) = (f64::from_le_bytes(told), f64::from_le_bytes(position));
        seen.states += 1;
        if last.is_some_and(|(t, p)| period != p + EVERY || tyme < t + EVERY * 1_000_000) {
            seen.wrong = Some(format!("period {period} at {tyme} ns follows {last:?}"));
        }
        last = Some((tyme, period));
        if told != target {
            continue; // it is on its way
        }
        if period - *since.get_or_insert(period) < 700 {
            continue;
        }
        if (position - target).abs() > 0.02 {
            seen.wrong = Some(format!("at {position}, not at {target}"));
        }
        seen.reached += 1;
        target = -target;
        since = None;
        if stream.write_all(&target.to_le_bytes()).is_err() {
            break;
        }
    }
    Ok(seen)
}
