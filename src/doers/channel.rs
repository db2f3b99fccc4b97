use std::fmt;

use crate::doing::{Cx, Doer, DoerId, Fault, Next};
use crate::proto::channel::{Accepted, Channel, ChannelServer};
use crate::tyme::Tyme;

/// Serves a [`Channel`] that lies in the program's state.
///
/// Mount it on the channel: `doist.add_on(|app: &mut App| &mut app.channel, ChannelDoer::new())`.
/// Enter begins to connect, recur services, exit ends the channel at once. It parks, and runs when
/// the socket is ready, a deadline has come, or somebody wakes it; one within a process is looked
/// at every tick. It ends, done, when the channel is over.
///
/// The doers that use the channel come after it in enter order and are named in
/// [`waking`](Self::waking). When they have sent or answered something they wake this one, also
/// after a [`Channel::service_sends`]: else it knows neither of a new deadline nor of a write that
/// failed.
///
/// ```
/// use hio::doers::{ChannelDoer, ChannelServerDoer};
/// use hio::doing::prelude::*;
/// use hio::proto::channel::{Channel, ChannelConfig, ChannelEvent, ChannelServer, LocalQueue};
///
/// struct App { server: ChannelServer, channel: Channel, answer: Option<i64> }
/// let (queue, config) = (LocalQueue::new(), ChannelConfig::default());
/// let mut channel = Channel::connect(queue.clone(), &config)?;
/// channel.send(&20.into())?;
/// let app = App { server: ChannelServer::bind(queue, &config)?, channel, answer: None };
/// let mut doist = Doist::new(app).with_pace(Pace::Asap);
/// let double = |ch: &mut hio::proto::channel::Accepted| {
///     while let Ok(Some(mut request)) = ch.recv() {
///         let n = request.value().ok().and_then(|v| v.int()).unwrap_or(0);
///         request.reply(&(2 * n).into()).ok();
///     }
/// };
/// doist.add_on(|app: &mut App| &mut app.server, ChannelServerDoer::new().each(double));
/// doist.add_on(|app: &mut App| &mut app.channel, ChannelDoer::new());
/// doist.add(doify(|_tyme, cx: &mut Cx<'_, App>| {
///     if let Some(ChannelEvent::Reply { content, .. }) = cx.app.channel.event() {
///         cx.app.answer = content.value()?.int();
///         cx.ask.stop();
///     }
///     Ok(Again)
/// }));
/// doist.run(&mut NullNet::default())?;
/// assert_eq!(doist.app.answer, Some(40));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct ChannelDoer {
    wakes: Vec<DoerId>,
}

impl ChannelDoer {
    /// One that wakes nobody.
    #[must_use]
    pub const fn new() -> Self {
        Self { wakes: Vec::new() }
    }

    /// Wakes a doer whenever there are requests or events.
    #[must_use]
    pub fn waking(mut self, id: impl Into<DoerId>) -> Self {
        self.wakes.push(id.into());
        self
    }
}

impl Doer<Channel> for ChannelDoer {
    fn enter(&mut self, cx: &mut Cx<'_, Channel>) -> Result<Next, Fault> {
        let tyme = cx.tyme();
        cx.app.open(tyme, cx.net, cx.ask.owner())?;
        Ok(next(cx.app, tyme))
    }

    fn recur(&mut self, tyme: Tyme, cx: &mut Cx<'_, Channel>) -> Result<Next, Fault> {
        cx.app.service(tyme, cx.net);
        if cx.app.has_news() {
            for &id in &self.wakes {
                cx.ask.wake(id);
            }
        }
        Ok(match cx.app.opened() {
            true => next(cx.app, tyme),
            false => Next::Done(true),
        })
    }

    fn exit(&mut self, cx: &mut Cx<'_, Channel>) {
        cx.app.abort(cx.net);
    }
}

/// Nobody is woken by a queue within the process: it is looked at every tick.
fn next(channel: &Channel, tyme: Tyme) -> Next {
    match channel.client() {
        Some(_) => Next::Park(channel.due(tyme)),
        None => Next::Again,
    }
}

/// Serves a [`ChannelServer`] that lies in the program's state.
///
/// Mount it on the server: `doist.add_on(|app: &mut App| &mut app.server, ChannelServerDoer::new())`.
/// Enter opens the server, recur services it, exit closes it. It parks, and runs when a socket is
/// ready, a deadline has come, or somebody wakes it; one within a process is looked at every tick.
///
/// Requests are answered by the closure given to [`each`](Self::each), at once; or by doers that
/// come after it in enter order and are named in [`waking`](Self::waking), and that wake this one
/// when they have answered something. When the Doist [drains](crate::doing::Ask::drain), it does as
/// [`ChannelServer::drain`] says and is done then.
#[derive(Default)]
pub struct ChannelServerDoer {
    wakes: Vec<DoerId>,
    each: Option<Box<Each>>,
}

type Each = dyn FnMut(&mut Accepted) + Send;

impl ChannelServerDoer {
    /// One that wakes nobody and answers nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            wakes: Vec::new(),
            each: None,
        }
    }

    /// Wakes a doer whenever channels have requests or events, or come and go.
    #[must_use]
    pub fn waking(mut self, id: impl Into<DoerId>) -> Self {
        self.wakes.push(id.into());
        self
    }

    /// Calls this with every channel that has requests or events; what it answers is sent at once.
    #[must_use]
    pub fn each(mut self, each: impl FnMut(&mut Accepted) + Send + 'static) -> Self {
        self.each = Some(Box::new(each));
        self
    }
}

impl Doer<ChannelServer> for ChannelServerDoer {
    fn enter(&mut self, cx: &mut Cx<'_, ChannelServer>) -> Result<Next, Fault> {
        cx.app.open(cx.net, cx.ask.owner())?;
        cx.ask.join_drain();
        Ok(match cx.app.server() {
            Some(_) => Next::Park(Tyme::NEVER),
            None => Next::Again,
        })
    }

    fn recur(&mut self, tyme: Tyme, cx: &mut Cx<'_, ChannelServer>) -> Result<Next, Fault> {
        let drains = cx.draining().is_some();
        if drains {
            cx.app.drain(cx.net);
        }
        match &mut self.each {
            Some(each) => cx.app.service_each(tyme, cx.net, each)?,
            None => cx.app.service(tyme, cx.net)?,
        }
        if cx.app.has_news() {
            for &id in &self.wakes {
                cx.ask.wake(id);
            }
        }
        Ok(match cx.app.server() {
            _ if drains && cx.app.is_empty() => Next::Done(true),
            Some(_) => Next::Park(cx.app.due(tyme)),
            None => Next::Again,
        })
    }

    fn exit(&mut self, cx: &mut Cx<'_, ChannelServer>) {
        cx.app.close(cx.net);
    }
}

impl fmt::Debug for ChannelServerDoer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChannelServerDoer")
            .field("wakes", &self.wakes)
            .finish_non_exhaustive()
    }
}
