//! What a handle of a link names: a server's connection, a client, or what is left of either.

use hio::link::{Client, CloseReason, RemoterId};
use hio::tyme::Tyme;

/// A link as the host knows it.
#[derive(Debug)]
pub(crate) struct LinkEnd {
    /// 0 for dialled links.
    pub(crate) server: u64,
    pub(crate) tag: u64,
    /// Such an event waits already.
    pub(crate) received_waits: bool,
    /// Such an event waits already.
    pub(crate) drained_waits: bool,
    /// It took only a part of what it was offered, and has not told of room since.
    pub(crate) full: bool,
    /// The other side as text; of a dialled link once it stands.
    pub(crate) peer: String,
    pub(crate) state: State,
}

#[derive(Debug)]
pub(crate) enum State {
    /// It lives in its server.
    Accepted(RemoterId),
    Dialled(Box<Dialled>),
    Ended(Ended),
}

#[derive(Debug)]
pub(crate) struct Dialled {
    pub(crate) client: Client,
    /// When it is served although nothing is ready: its place in the timers.
    pub(crate) armed: Tyme,
}

/// What is left of a link that is over, until the host has seen it.
#[derive(Debug)]
pub(crate) struct Ended {
    /// What it had received and nobody has consumed.
    rx: Vec<u8>,
    consumed: usize,
    pub(crate) reason: CloseReason,
    pub(crate) cutoff: bool,
}

impl Ended {
    pub(crate) fn new(rx: &[u8], reason: CloseReason, cutoff: bool) -> Self {
        Self {
            rx: rx.to_vec(),
            consumed: 0,
            reason,
            cutoff,
        }
    }

    pub(crate) fn rx(&self) -> &[u8] {
        &self.rx[self.consumed..]
    }

    /// At most what there is.
    pub(crate) fn consume(&mut self, n: usize) {
        self.consumed += n.min(self.rx().len());
    }
}

impl LinkEnd {
    pub(crate) const fn new(server: u64, tag: u64, state: State) -> Self {
        Self {
            server,
            tag,
            received_waits: false,
            drained_waits: false,
            full: false,
            peer: String::new(),
            state,
        }
    }
}
