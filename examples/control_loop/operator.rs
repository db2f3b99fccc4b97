//! The operator, in a thread of its own with a plain socket: sets targets, and verifies what is told.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread::JoinHandle;
use std::time::Duration;

use hio::doing::Fault;

use super::rig::{EVERY, STATE, TARGET};

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
    let mut check = Check::new();
    let Ok(mut stream) = TcpStream::connect(at) else {
        return Ok(check.seen); // the loop has ended before it began to talk
    };
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    if stream.write_all(&check.target()).is_err() {
        return Ok(check.seen);
    }
    let mut state = [0; STATE];
    while check.seen.wrong.is_none() {
        if stream.read_exact(&mut state).is_err() {
            break; // cut: whether that was too soon, the number of states tells
        }
        if check.hear(&state) && stream.write_all(&check.target()).is_err() {
            break;
        }
    }
    Ok(check.seen)
}

/// Verifies what is told, and says what to aim at.
pub(crate) struct Check {
    pub(crate) seen: Seen,
    target: f64,
    /// Tyme and period of the last state.
    last: Option<(u64, u64)>,
    /// The period since which it aims at the target.
    since: Option<u64>,
}

impl Check {
    pub(crate) fn new() -> Self {
        Self {
            seen: Seen::default(),
            target: 1.0,
            last: None,
            since: None,
        }
    }

    /// The target, as it is sent.
    pub(crate) const fn target(&self) -> [u8; TARGET] {
        self.target.to_le_bytes()
    }

    /// Hears a state. True when that gives it a new target, which is to be sent.
    pub(crate) fn hear(&mut self, state: &[u8; STATE]) -> bool {
        let [tyme, period, told, position] = std::array::from_fn(|at| {
            let mut number = [0; 8];
            number.copy_from_slice(&state[at * 8..][..8]);
            number
        });
        let (tyme, period) = (u64::from_le_bytes(tyme), u64::from_le_bytes(period));
        let (told, position) = (f64::from_le_bytes(told), f64::from_le_bytes(position));
        self.seen.states += 1;
        let last = self.last.replace((tyme, period));
        if last.is_some_and(|(t, p)| period != p + EVERY || tyme < t + EVERY * 1_000_000) {
            self.seen.wrong = Some(format!("period {period} at {tyme} ns follows {last:?}"));
        }
        // Until its target is told, that is on its way.
        if told != self.target || period - *self.since.get_or_insert(period) < 700 {
            return false;
        }
        if (position - self.target).abs() > 0.02 {
            self.seen.wrong = Some(format!("at {position}, not at {}", self.target));
        }
        self.seen.reached += 1;
        self.target = -self.target;
        self.since = None;
        true
    }
}
