use std::fmt;

use crate::doing::{Cx, Doer, DoerId, Fault, Next};
use crate::link::{Link, Remoter, Server};
use crate::tyme::Tyme;

/// Serves a [`Server`] that lies in the program's state: hio's ServerDoer.
///
/// Mount it on the server: `doist.add_on(|app: &mut App| &mut app.server, ServerDoer::new())`.
/// Enter opens the server, recur services it, exit closes it. It parks: it runs when a socket is
/// ready or a tymeout is due, and costs nothing meanwhile. When the Doist
/// [drains](crate::doing::Ask::drain), it does as [`Server::drain`] says and is done then; who is still
/// to answer on a connection [holds](crate::link::Link::hold) it.
///
/// The doers that look at the connections come after it in enter order and are named in
/// [`waking`](Self::waking), so that they can park too. What they queue is sent in the next
/// service, which they ask for by waking this doer, or at once by
/// [`Server::service_sends`].
///
/// ```
/// use hio::doers::ServerDoer;
/// use hio::doing::prelude::*;
/// use hio::link::{Limits, Server};
/// use hio::net::{Endpoint, ListenOptions, MioNet};
///
/// let at: Endpoint = "127.0.0.1:0".parse()?;
/// let server = Server::new(at, ListenOptions::default(), Limits::default());
/// let mut doist = Doist::new(server);
/// doist.add(ServerDoer::new());
/// let mut net = MioNet::new()?;
/// doist.enter(&mut net)?;
/// assert!(doist.app.listening());
/// doist.exit(&mut net)?;
/// assert!(!doist.app.opened());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct ServerDoer {
    wakes: Vec<DoerId>,
}

impl ServerDoer {
    /// One that wakes nobody.
    #[must_use]
    pub const fn new() -> Self {
        Self { wakes: Vec::new() }
    }

    /// Wakes a doer whenever a service has made events: somebody came, said something or went.
    #[must_use]
    pub fn waking(mut self, id: impl Into<DoerId>) -> Self {
        self.wakes.push(id.into());
        self
    }
}

impl Doer<Server> for ServerDoer {
    fn enter(&mut self, cx: &mut Cx<'_, Server>) -> Result<Next, Fault> {
        cx.app.open(cx.net, cx.ask.owner())?;
        cx.ask.join_drain();
        Ok(Next::Park(Tyme::NEVER))
    }

    fn recur(&mut self, tyme: Tyme, cx: &mut Cx<'_, Server>) -> Result<Next, Fault> {
        if cx.draining().is_some() {
            cx.app.drain(cx.net);
        }
        cx.app.service(tyme, cx.net)?;
        if cx.app.has_news() {
            for &id in &self.wakes {
                cx.ask.wake(id);
            }
        }
        Ok(next(cx.app, tyme))
    }

    fn exit(&mut self, cx: &mut Cx<'_, Server>) {
        cx.app.close(cx.net);
    }
}

/// Owns a [`Server`] and sends back whatever its connections receive: hio's EchoServerDoer.
///
/// It parks. An example of the fast way to serve, [`Server::service_each`]. When the Doist
/// [drains](crate::doing::Ask::drain), it does as [`Server::drain`] says and is done then.
#[derive(Debug)]
pub struct EchoServerDoer {
    server: Server,
}

impl EchoServerDoer {
    /// Echoes on a server, which is opened in enter and closed in exit.
    #[must_use]
    pub const fn new(server: Server) -> Self {
        Self { server }
    }

    /// The server.
    #[must_use]
    pub const fn server(&self) -> &Server {
        &self.server
    }

    /// The server.
    pub const fn server_mut(&mut self) -> &mut Server {
        &mut self.server
    }
}

impl<A: ?Sized> Doer<A> for EchoServerDoer {
    fn enter(&mut self, cx: &mut Cx<'_, A>) -> Result<Next, Fault> {
        self.server.open(cx.net, cx.ask.owner())?;
        cx.ask.join_drain();
        Ok(Next::Park(Tyme::NEVER))
    }

    fn recur(&mut self, tyme: Tyme, cx: &mut Cx<'_, A>) -> Result<Next, Fault> {
        if cx.draining().is_some() {
            self.server.drain(cx.net);
        }
        self.server
            .service_each(tyme, cx.net, |remoter| echo(remoter))?;
        Ok(next(&self.server, tyme))
    }

    fn exit(&mut self, cx: &mut Cx<'_, A>) {
        self.server.close(cx.net);
    }
}

/// A server that drains is done when nobody is left.
fn next(server: &Server, tyme: Tyme) -> Next {
    match server.is_drained() {
        true => Next::Done(true),
        false => Next::Park(server.due(tyme)),
    }
}

/// What cannot be queued now stays received: the link stops reading at its cap, and is called
/// again when its queue has drained.
fn echo(link: &mut Link) {
    if let Err(why) = link.echo() {
        log::trace!("echo waits: {why}");
    }
}

/// Owns a [`Server`] and serves its connections with a closure.
///
/// The closure is called as [`Server::service_each`] says: this is the fast way to serve. It parks.
/// When the Doist [drains](crate::doing::Ask::drain), it does as [`Server::drain`] says and is done then.
///
/// ```
/// use hio::doers::EachServerDoer;
/// use hio::link::{Limits, Remoter, Server};
/// use hio::net::{Endpoint, ListenOptions};
///
/// let at = Endpoint::host("127.0.0.1", 0);
/// let server = Server::new(at, ListenOptions::default(), Limits::default());
/// let shout = EachServerDoer::new(server, |ix: &mut Remoter| {
///     let loud = ix.rx().to_ascii_uppercase();
///     ix.clear_rx();
///     if ix.tx(&loud).is_err() {
///         ix.close(); // it does not read its answers
///     }
/// });
/// assert!(!shout.server().opened());
/// ```
pub struct EachServerDoer<F> {
    server: Server,
    each: F,
}

impl<F: FnMut(&mut Remoter)> EachServerDoer<F> {
    /// Serves a server, which is opened in enter and closed in exit, by calling `each`.
    #[must_use]
    pub const fn new(server: Server, each: F) -> Self {
        Self { server, each }
    }
}

impl<F> EachServerDoer<F> {
    /// The server.
    #[must_use]
    pub const fn server(&self) -> &Server {
        &self.server
    }

    /// The server.
    pub const fn server_mut(&mut self) -> &mut Server {
        &mut self.server
    }
}

impl<F> fmt::Debug for EachServerDoer<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EachServerDoer")
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}

impl<A: ?Sized, F: FnMut(&mut Remoter)> Doer<A> for EachServerDoer<F> {
    fn enter(&mut self, cx: &mut Cx<'_, A>) -> Result<Next, Fault> {
        self.server.open(cx.net, cx.ask.owner())?;
        cx.ask.join_drain();
        Ok(Next::Park(Tyme::NEVER))
    }

    fn recur(&mut self, tyme: Tyme, cx: &mut Cx<'_, A>) -> Result<Next, Fault> {
        if cx.draining().is_some() {
            self.server.drain(cx.net);
        }
        self.server.service_each(tyme, cx.net, &mut self.each)?;
        Ok(next(&self.server, tyme))
    }

    fn exit(&mut self, cx: &mut Cx<'_, A>) {
        self.server.close(cx.net);
    }
}
