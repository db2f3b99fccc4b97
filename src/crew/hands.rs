use std::fmt;

use super::{Letter, Mailbox, Post, Refused};
use crate::doing::{Cx, Doer, Fault, Next};
use crate::link::{Link, NotTaken, OpenError, Remoter, Server};
use crate::net::{Endpoint, Group, ListenOptions, Net, NetError, Sid};
use crate::tyme::Tyme;

pub use crate::link::Handed;

/// In a replay there is no socket: what is known of the connection is enough to go on with.
impl Letter for Handed {
    fn write(&self, out: &mut Vec<u8>) {
        let peer = self.peer().to_string();
        let len = u32::try_from(peer.len()).unwrap_or(u32::MAX);
        out.extend_from_slice(&len.to_le_bytes());
        out.extend_from_slice(peer.as_bytes());
        out.extend_from_slice(self.rx());
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (len, rest) = bytes.split_first_chunk()?;
        let len = usize::try_from(u32::from_le_bytes(*len)).ok()?;
        let (peer, rx) = rest.split_at_checked(len)?;
        let peer = std::str::from_utf8(peer).ok()?;
        let peer = peer.parse().unwrap_or(Endpoint::Unnamed);
        Some(Self::replayed(peer, rx.to_vec()))
    }
}

/// Accepts connections and hands them to other members, each in turn.
///
/// It never reads: what a peer sends waits for the member that gets the connection, which also does
/// the TLS handshake. A member whose mailbox is full is passed over; when all are, connections wait
/// in the backlog until there is room. When all are gone, it fails.
///
/// This spreads connections evenly, and works where a port cannot be shared.
///
/// ```
/// use hio::crew::{AcceptorDoer, Crew, HandedDoer, Mailbox};
/// use hio::doing::prelude::*;
/// use hio::link::{Limits, Server};
/// use hio::net::{Endpoint, ListenOptions};
///
/// let boxes = [Mailbox::new(64), Mailbox::new(64)];
/// let posts: Vec<_> = boxes.iter().map(Mailbox::post).collect();
/// let mut crew = Crew::new();
/// for (mailbox, name) in boxes.into_iter().zip(["one", "two"]) {
///     crew = crew.member(name, move |_seat| {
///         let server = Server::new(Endpoint::Unnamed, ListenOptions::default(), Limits::default());
///         let mut doist = Doist::new(());
///         doist.add(HandedDoer::new(server, mailbox.clone(), |ix| {
///             ix.echo().ok();
///         }));
///         Ok(doist)
///     });
/// }
/// let crew = crew.member("acceptor", move |_seat| {
///     let at = Endpoint::host("127.0.0.1", 0);
///     let mut doist = Doist::new(());
///     doist.add(AcceptorDoer::new(at, ListenOptions::default(), posts.clone()));
///     Ok(doist)
/// });
/// assert!(crew.start()?.stop().is_well());
/// # Ok::<(), hio::crew::CrewError>(())
/// ```
pub struct AcceptorDoer {
    at: Endpoint,
    options: ListenOptions,
    posts: Vec<Post<Handed>>,
    turn: usize,
    group: Option<Group>,
    listener: Option<Sid>,
    /// Found no room: it goes on as soon as there is some.
    held: Option<Handed>,
    opened: Option<Tell>,
    /// Kept for its storage.
    ready: Vec<Sid>,
}

/// What is told where it listens.
type Tell = Box<dyn FnMut(&Endpoint) + Send>;

impl AcceptorDoer {
    /// Listens at an address from enter to exit, and hands over to these.
    #[must_use]
    pub const fn new(at: Endpoint, options: ListenOptions, posts: Vec<Post<Handed>>) -> Self {
        Self {
            at,
            options,
            posts,
            turn: 0,
            group: None,
            listener: None,
            held: None,
            opened: None,
            ready: Vec::new(),
        }
    }

    /// Tells where it listens once it does: the port that the system picked included.
    #[must_use]
    pub fn on_open(mut self, tell: impl FnMut(&Endpoint) + Send + 'static) -> Self {
        self.opened = Some(Box::new(tell));
        self
    }

    /// Gives a connection to the next one with room.
    fn give(&mut self, mut handed: Handed, net: &mut dyn Net) -> Result<bool, Fault> {
        let mut gone = 0;
        for _ in 0..self.posts.len() {
            let at = self.turn % self.posts.len();
            self.turn = at + 1;
            match self.posts[at].send(net, handed) {
                Ok(()) => return Ok(true),
                Err(Refused::Gone(back)) => (handed, gone) = (back, gone + 1),
                Err(Refused::Full(back)) => handed = back,
            }
        }
        self.held = Some(handed);
        match gone == self.posts.len() {
            true => Err(Fault::msg("nobody is left to take connections")),
            false => Ok(false),
        }
    }

    /// Gives away what waits; says when to go on.
    fn serve(&mut self, tyme: Tyme, net: &mut dyn Net) -> Result<Next, Fault> {
        let (Some(listener), Some(group)) = (self.listener, self.group) else {
            return Ok(Next::Done(true));
        };
        self.ready.clear();
        net.ready(group, &mut self.ready);
        if let Some(handed) = self.held.take() {
            if !self.give(handed, net)? {
                return Ok(Next::Park(Tyme::NEVER));
            }
        }
        for _ in 0..EACH_TURN {
            match Handed::accept(net, listener) {
                Ok(Some(handed)) => {
                    if !self.give(handed, net)? {
                        return Ok(Next::Park(Tyme::NEVER));
                    }
                }
                Ok(None) => {
                    self.posts.iter_mut().for_each(|post| post.forget(net));
                    return Ok(Next::Park(Tyme::NEVER));
                }
                Err(NetError::Aborted) => break,
                Err(why @ (NetError::Stale | NetError::Unsupported)) => return Err(why.into()),
                Err(why) => {
                    log::warn!("accept failed: {why}");
                    self.posts.iter_mut().for_each(|post| post.forget(net));
                    return Ok(Next::Park(tyme + PAUSE));
                }
            }
        }
        net.mark(listener);
        Ok(Next::Park(Tyme::NEVER))
    }
}

impl<A: ?Sized> Doer<A> for AcceptorDoer {
    fn enter(&mut self, cx: &mut Cx<'_, A>) -> Result<Next, Fault> {
        let group = cx.net.group(cx.ask.owner());
        self.group = Some(group);
        let at = &self.at;
        let cannot = |why| OpenError::Listen {
            at: at.clone(),
            why,
        };
        let listener = cx.net.listen(group, at, &self.options).map_err(cannot)?;
        self.listener = Some(listener);
        for post in &mut self.posts {
            post.open(cx.net, cx.ask.owner())?;
        }
        if let Some(tell) = &mut self.opened {
            tell(&cx.net.local(listener).map_err(cannot)?);
        }
        Ok(Next::Park(Tyme::NEVER))
    }

    fn recur(&mut self, tyme: Tyme, cx: &mut Cx<'_, A>) -> Result<Next, Fault> {
        self.serve(tyme, cx.net)
    }

    fn abort(&mut self, _why: &Fault, cx: &mut Cx<'_, A>) {
        // An enter that failed half-way has no exit of its own to rely on.
        self.close(cx.net);
    }

    fn exit(&mut self, cx: &mut Cx<'_, A>) {
        self.close(cx.net);
    }
}

impl AcceptorDoer {
    fn close(&mut self, net: &mut dyn Net) {
        self.posts.iter_mut().for_each(|post| post.close(net));
        self.held = None;
        self.listener = None;
        if let Some(group) = self.group.take() {
            net.close_group(group);
        }
    }
}

impl fmt::Debug for AcceptorDoer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AcceptorDoer")
            .field("at", &self.at)
            .field("posts", &self.posts.len())
            .finish_non_exhaustive()
    }
}

/// Serves the connections that come by mail, with a closure, as
/// [`EachServerDoer`](crate::doers::EachServerDoer) serves those that it accepts.
///
/// It does not listen: its server's address is a name for the log. While the server has as many
/// connections as it may, further ones wait in the mailbox.
pub struct HandedDoer<F> {
    server: Server,
    mailbox: Mailbox<Handed>,
    held: Option<Handed>,
    each: F,
}

impl<F: FnMut(&mut Remoter)> HandedDoer<F> {
    /// Takes connections from a mailbox, and serves them by calling `each`. The server and the
    /// mailbox are opened in enter and closed in exit.
    #[must_use]
    pub const fn new(server: Server, mailbox: Mailbox<Handed>, each: F) -> Self {
        Self {
            server,
            mailbox,
            held: None,
            each,
        }
    }
}

impl<F> HandedDoer<F> {
    /// The server.
    #[must_use]
    pub const fn server(&self) -> &Server {
        &self.server
    }

    /// Takes what came, as far as there is room.
    fn take(&mut self, tyme: Tyme, net: &mut dyn Net) {
        while let Some(handed) = self.held.take().or_else(|| self.mailbox.take(net)) {
            match self.server.take_over(handed, tyme, net) {
                Ok(_) => {}
                Err(NotTaken::Full(handed)) => {
                    self.held = Some(handed);
                    return self.mailbox.leave(net);
                }
                Err(why) => log::warn!("a connection that was handed over is closed: {why}"),
            }
        }
    }
}

impl<A: ?Sized, F: FnMut(&mut Remoter)> Doer<A> for HandedDoer<F> {
    fn enter(&mut self, cx: &mut Cx<'_, A>) -> Result<Next, Fault> {
        self.server.stand_by(cx.net, cx.ask.owner())?;
        self.mailbox.open(cx.net, cx.ask.owner())?;
        Ok(Next::Park(Tyme::NEVER))
    }

    fn recur(&mut self, tyme: Tyme, cx: &mut Cx<'_, A>) -> Result<Next, Fault> {
        let mut freed = false;
        let each = &mut self.each;
        self.server.service_each(tyme, cx.net, |ix| {
            each(ix);
            freed |= Link::closed(ix).is_some();
        })?;
        match self.held.is_none() || freed {
            true => self.take(tyme, cx.net),
            false => self.mailbox.leave(cx.net),
        }
        Ok(Next::Park(self.server.due(tyme)))
    }

    fn exit(&mut self, cx: &mut Cx<'_, A>) {
        self.mailbox.close(cx.net);
        self.server.close(cx.net);
    }
}

impl<F> fmt::Debug for HandedDoer<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandedDoer")
            .field("server", &self.server)
            .field("mailbox", &self.mailbox)
            .finish_non_exhaustive()
    }
}

/// Connections accepted in one turn.
const EACH_TURN: usize = 64;
/// How long accepting rests when the system is out of descriptors.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(60);
