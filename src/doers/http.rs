use std::fmt;

use crate::doing::{Cx, Doer, DoerId, Fault, Next};
use crate::proto::http::{Handler, HttpClient, HttpServer};
use crate::tyme::Tyme;

/// Owns an [`HttpServer`] and its handler. Enter opens it, recur serves, exit closes it; it parks.
///
/// When the Doist [drains](crate::doing::Ask::drain), or the doer alone is [told to](Self::drain), it
/// answers what is under way and is done when no connection is left: see [`HttpServer::drain`].
///
/// ```
/// use hio::doers::HttpServerDoer;
/// use hio::doing::prelude::*;
/// use hio::link::Limits;
/// use hio::net::{Endpoint, ListenOptions, MioNet};
/// use hio::proto::http::{Answer, HttpServer, Request, RequestId, Response, Router};
///
/// let at: Endpoint = "127.0.0.1:0".parse()?;
/// let server = HttpServer::new(at, ListenOptions::default(), Limits::default());
/// let router = Router::new().get("/hello", |_: RequestId, _: Request| {
///     Answer::Now(Response::ok("text/plain", "hello"))
/// });
/// let mut doist = Doist::new(());
/// let web = doist.add(HttpServerDoer::new(server, router));
/// let mut net = MioNet::new()?;
/// doist.enter(&mut net)?;
/// assert!(doist.get(web).is_some_and(|web| web.server().server().listening()));
/// doist.exit(&mut net)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct HttpServerDoer<H> {
    server: HttpServer,
    handler: H,
    wakes: Vec<DoerId>,
    draining: bool,
}

impl<H> fmt::Debug for HttpServerDoer<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpServerDoer")
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}

impl<H: Handler> HttpServerDoer<H> {
    /// Answers with a handler.
    #[must_use]
    pub const fn new(server: HttpServer, handler: H) -> Self {
        Self {
            server,
            handler,
            wakes: Vec::new(),
            draining: false,
        }
    }

    /// Wakes a doer whenever it has served: one that answers later.
    #[must_use]
    pub fn waking(mut self, id: impl Into<DoerId>) -> Self {
        self.wakes.push(id.into());
        self
    }

    /// The server.
    #[must_use]
    pub const fn server(&self) -> &HttpServer {
        &self.server
    }

    /// The server. Who answers through it wakes the doer.
    pub const fn server_mut(&mut self) -> &mut HttpServer {
        &mut self.server
    }

    /// The handler.
    pub const fn handler_mut(&mut self) -> &mut H {
        &mut self.handler
    }

    /// Listens no more, answers what is under way, and is done. Wake the doer afterwards.
    pub const fn drain(&mut self) {
        self.draining = true;
    }
}

impl<H: Handler, A: ?Sized> Doer<A> for HttpServerDoer<H> {
    fn enter(&mut self, cx: &mut Cx<'_, A>) -> Result<Next, Fault> {
        self.server.open(cx.net, cx.ask.owner())?;
        cx.ask.join_drain();
        Ok(Next::Park(Tyme::NEVER))
    }

    fn recur(&mut self, tyme: Tyme, cx: &mut Cx<'_, A>) -> Result<Next, Fault> {
        let draining = self.draining || cx.draining().is_some();
        if draining {
            self.server.drain(cx.net);
        }
        self.server.service(tyme, cx.net, &mut self.handler)?;
        for &id in &self.wakes {
            cx.ask.wake(id);
        }
        if draining && self.server.is_empty() {
            return Ok(Next::Done(true));
        }
        Ok(Next::Park(self.server.due(tyme)))
    }

    fn exit(&mut self, cx: &mut Cx<'_, A>) {
        self.server.close(cx.net);
    }
}

/// Serves an [`HttpClient`] that lies in the program's state; it parks.
///
/// Mount it on the client. The doers that ask, send or take bodies wake it afterwards, as nothing of
/// the net tells it that there is work or room; it wakes them, named in
/// [`waking`](Self::waking), whenever it has served.
#[derive(Clone, Debug, Default)]
pub struct HttpClientDoer {
    wakes: Vec<DoerId>,
}

impl HttpClientDoer {
    /// One that wakes nobody.
    #[must_use]
    pub const fn new() -> Self {
        Self { wakes: Vec::new() }
    }

    /// Wakes a doer whenever the client was serviced.
    #[must_use]
    pub fn waking(mut self, id: impl Into<DoerId>) -> Self {
        self.wakes.push(id.into());
        self
    }
}

impl Doer<HttpClient> for HttpClientDoer {
    fn enter(&mut self, cx: &mut Cx<'_, HttpClient>) -> Result<Next, Fault> {
        cx.app.open(cx.ask.owner());
        Ok(Next::Park(cx.app.due(cx.tyme())))
    }

    fn recur(&mut self, tyme: Tyme, cx: &mut Cx<'_, HttpClient>) -> Result<Next, Fault> {
        cx.app.service(tyme, cx.net);
        for &id in &self.wakes {
            cx.ask.wake(id);
        }
        Ok(Next::Park(cx.app.due(tyme)))
    }

    fn exit(&mut self, cx: &mut Cx<'_, HttpClient>) {
        cx.app.close(cx.net);
    }
}
