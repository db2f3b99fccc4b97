//! Connections within one process: bytes in two queues, in the order in which they were put in.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::super::ChannelProtocol;

/// A meeting place within one process, for programs whose parts talk over channels: hand the same
/// one (a clone) to the server and to its clients. What happens over it is deterministic.
///
/// Nobody is woken by a queue: an end over one is due at every tick.
///
/// ```
/// use hio::proto::channel::LocalQueue;
/// let queue = LocalQueue::new();
/// assert!(!queue.listening());
/// ```
#[derive(Clone, Default)]
pub struct LocalQueue(Arc<Mutex<Place>>);

#[derive(Default)]
struct Place {
    listening: bool,
    waiting: VecDeque<LocalEnd>,
}

impl LocalQueue {
    /// One on which nobody listens yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether a server listens on it.
    #[must_use]
    pub fn listening(&self) -> bool {
        held(&self.0).listening
    }

    /// Starts to listen. False when somebody does already.
    pub(super) fn listen(&self) -> bool {
        !std::mem::replace(&mut held(&self.0).listening, true)
    }

    /// Listens no longer; who waits is refused.
    pub(super) fn shut(&self) {
        let mut place = held(&self.0);
        place.listening = false;
        place.waiting.clear();
    }

    pub(super) fn accept(&self) -> Option<LocalEnd> {
        held(&self.0).waiting.pop_front()
    }

    /// None when nobody listens, or too many wait.
    pub(super) fn connect(&self) -> Option<LocalEnd> {
        let mut place = held(&self.0);
        if !place.listening || place.waiting.len() >= BACKLOG {
            return None;
        }
        let (there, back) = (Pipe::default(), Pipe::default());
        place.waiting.push_back(LocalEnd {
            tx: back.clone(),
            rx: there.clone(),
        });
        Some(LocalEnd {
            tx: there,
            rx: back,
        })
    }
}

impl fmt::Debug for LocalQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LocalQueue")
    }
}

/// One end of a connection.
pub(super) struct LocalEnd {
    tx: Pipe,
    rx: Pipe,
}

type Pipe = Arc<Mutex<Flow>>;

#[derive(Default)]
struct Flow {
    bytes: Vec<u8>,
    ended: bool,
}

impl LocalEnd {
    /// Moves bytes both ways as far as there is room. False when the connection is over.
    pub(super) fn pump(&self, protocol: &mut ChannelProtocol) -> bool {
        let ended = {
            let mut rx = held(&self.rx);
            match rx.ended {
                // All that came before the end is delivered.
                true => {
                    let rest = std::mem::take(&mut rx.bytes);
                    drop(rx);
                    protocol.data_received(&rest);
                    true
                }
                false => {
                    let taken = protocol.take_in(&rx.bytes);
                    rx.bytes.drain(..taken);
                    false
                }
            }
        };
        self.flush(protocol);
        if ended {
            protocol.eof_received();
        }
        let over = ended || (protocol.lost().is_some() && protocol.queued() == 0);
        if over {
            self.end();
            protocol.connection_lost(None);
        }
        !over
    }

    pub(super) fn flush(&self, protocol: &mut ChannelProtocol) {
        let mut tx = held(&self.tx);
        protocol.send_off(|bytes| {
            let taken = bytes.len().min(FLOW_MAX.saturating_sub(tx.bytes.len()));
            tx.bytes.extend_from_slice(&bytes[..taken]);
            taken
        });
    }

    fn end(&self) {
        held(&self.tx).ended = true;
        held(&self.rx).ended = true;
    }
}

impl Drop for LocalEnd {
    fn drop(&mut self) {
        self.end();
    }
}

impl fmt::Debug for LocalEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LocalEnd")
    }
}

fn held<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Connections that may wait to be accepted: as a listener's backlog.
const BACKLOG: usize = 1024;
/// Bytes on their way in one direction: as a socket's buffer.
const FLOW_MAX: usize = 256 * 1024;
