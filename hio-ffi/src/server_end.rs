//! What a handle of a server names.

use hio::link::{RemoterId, Server};
use hio::tyme::Tyme;

/// A server as the host knows it.
#[derive(Debug)]
pub(crate) struct ServerEnd {
    pub(crate) server: Server,
    pub(crate) tag: u64,
    /// Asked to close when its last link has.
    pub(crate) drains: bool,
    /// When it is served although nothing is ready: its place in the timers.
    pub(crate) armed: Tyme,
    /// The links' handles by their place in the server's table.
    handles: Vec<Option<(RemoterId, u64)>>,
}

impl ServerEnd {
    pub(crate) const fn new(server: Server, tag: u64) -> Self {
        Self {
            server,
            tag,
            drains: false,
            armed: Tyme::NEVER,
            handles: Vec::new(),
        }
    }

    /// Notes the handle of a connection.
    pub(crate) fn name(&mut self, id: RemoterId, handle: u64) {
        let place = id.place();
        if self.handles.len() <= place {
            self.handles.resize(place + 1, None);
        }
        self.handles[place] = Some((id, handle));
    }

    /// The handle of a connection.
    pub(crate) fn handle(&self, id: RemoterId) -> Option<u64> {
        let (known, handle) = (*self.handles.get(id.place())?)?;
        (known == id).then_some(handle)
    }

    /// Forgets a connection that is over.
    pub(crate) fn forget(&mut self, id: RemoterId) {
        if self.handle(id).is_some() {
            self.handles[id.place()] = None;
        }
    }

    /// The handles of all its connections.
    pub(crate) fn handles(&self) -> Vec<u64> {
        self.handles.iter().flatten().map(|(_, h)| *h).collect()
    }
}
