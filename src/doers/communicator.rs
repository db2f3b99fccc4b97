use crate::doing::{Cx, Doer, DoerId, Fault, Next};
use crate::proto::communicator::{Communicator, CommunicatorState, Pool, Transport};
use crate::tyme::Tyme;

/// Serves a [`Communicator`] that lies in the program's state.
///
/// Mount it on the communicator. Enter initializes it, recur services it, exit closes it. It parks,
/// and runs when a socket is ready, a deadline has come, or somebody wakes it. When it was shut down
/// it ends, done, once what came before is answered. When the Doist
/// [drains](crate::doing::Ask::drain), it is shut down once nothing is under way, or half of the time
/// has passed.
///
/// The doers that use the communicator come after it in enter order and are named in
/// [`waking`](Self::waking). When they have sent or answered something they wake this one, or call
/// [`Communicator::service_sends`].
///
/// ```
/// use hio::doers::CommunicatorDoer;
/// use hio::doing::prelude::*;
/// use hio::proto::communicator::{
///     Communicator, CommunicatorEvent, LocalConnection, LocalNetwork, LocalTransport,
/// };
///
/// struct App { alice: Communicator<LocalTransport>, bob: Communicator<LocalTransport> }
/// let network = LocalNetwork::new();
/// let mut alice = Communicator::new(LocalTransport::new(&network, "alice"));
/// alice.add_connection("bob", LocalConnection::new("bob"))?;
/// let mut bob = Communicator::new(LocalTransport::new(&network, "bob"));
/// bob.add_connection("alice", LocalConnection::new("alice"))?;
/// bob.set_receive_handler(|_: &str, _: &[u8]| Ok(()));
///
/// let mut doist = Doist::new(App { alice, bob }).with_pace(Pace::Asap);
/// doist.add_on(|app: &mut App| &mut app.bob, CommunicatorDoer::new());
/// doist.add_on(|app: &mut App| &mut app.alice, CommunicatorDoer::new());
/// let mut sent = false;
/// doist.add(doify(move |_tyme, cx: &mut Cx<'_, App>| {
///     if !std::mem::replace(&mut sent, true) {
///         cx.app.alice.send("bob", "hello")?;
///     }
///     if let Some(CommunicatorEvent::Sent { .. }) = cx.app.alice.events().next() {
///         cx.ask.stop();
///     }
///     Ok(Again)
/// }));
/// assert_eq!(doist.run(&mut NullNet::default())?, Outcome::Stopped);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct CommunicatorDoer {
    wakes: Vec<DoerId>,
    /// While it drains: when to shut down at the latest.
    patience: Option<Tyme>,
}

impl CommunicatorDoer {
    /// One that wakes nobody.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            wakes: Vec::new(),
            patience: None,
        }
    }

    /// Wakes a doer whenever there are events.
    #[must_use]
    pub fn waking(mut self, id: impl Into<DoerId>) -> Self {
        self.wakes.push(id.into());
        self
    }

    /// While the Doist drains: when to shut a communicator down, which may be now. Its own packets
    /// have half of the time to have their outcome, so that the other half is left for answers.
    fn shuts_down<T: Transport>(
        &mut self,
        limit: Option<Tyme>,
        communicator: &Communicator<T>,
        tyme: Tyme,
    ) -> Tyme {
        let started = communicator.state() == CommunicatorState::Started;
        let Some(limit) = limit.filter(|_| started) else {
            return Tyme::NEVER;
        };
        let half = tyme + limit.since(tyme) / 2;
        let patience = *self.patience.get_or_insert(half);
        match communicator.pending() == 0 && communicator.unanswered() == 0 {
            true => tyme,
            false => patience,
        }
    }

    fn wake<A: ?Sized>(&self, cx: &mut Cx<'_, A>) {
        for &id in &self.wakes {
            cx.ask.wake(id);
        }
    }
}

impl<T: Transport> Doer<Communicator<T>> for CommunicatorDoer {
    fn enter(&mut self, cx: &mut Cx<'_, Communicator<T>>) -> Result<Next, Fault> {
        let tyme = cx.tyme();
        cx.app.initialize(tyme, cx.net, cx.ask.owner())?;
        cx.ask.join_drain();
        Ok(Next::Park(cx.app.due(tyme)))
    }

    fn recur(&mut self, tyme: Tyme, cx: &mut Cx<'_, Communicator<T>>) -> Result<Next, Fault> {
        for _ in 0..TURNS {
            cx.app.service(tyme, cx.net)?;
            if cx.app.due(tyme) > tyme || cx.app.has_news() {
                break;
            }
        }
        if cx.app.has_news() {
            self.wake(cx);
        }
        let patience = self.shuts_down(cx.draining(), cx.app, tyme);
        if patience <= tyme {
            cx.app.shutdown(tyme, cx.net)?;
            cx.app.service(tyme, cx.net)?;
        }
        let over = cx.app.state() == CommunicatorState::Stopped && !cx.app.is_closing();
        Ok(match over {
            true => Next::Done(true),
            false => Next::Park(cx.app.due(tyme).min(patience)),
        })
    }

    fn exit(&mut self, cx: &mut Cx<'_, Communicator<T>>) {
        cx.app.close(cx.net);
    }
}

/// Serves a [`Pool`] in the same way.
///
/// ```
/// use hio::doers::PoolDoer;
/// assert!(format!("{:?}", PoolDoer::new()).starts_with("PoolDoer"));
/// ```
#[derive(Clone, Debug, Default)]
pub struct PoolDoer {
    inner: CommunicatorDoer,
}

impl PoolDoer {
    /// One that wakes nobody.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            inner: CommunicatorDoer::new(),
        }
    }

    /// Wakes a doer whenever there are events.
    #[must_use]
    pub fn waking(mut self, id: impl Into<DoerId>) -> Self {
        self.inner = self.inner.waking(id);
        self
    }
}

impl<T: Transport> Doer<Pool<T>> for PoolDoer {
    fn enter(&mut self, cx: &mut Cx<'_, Pool<T>>) -> Result<Next, Fault> {
        let tyme = cx.tyme();
        cx.app.initialize(tyme, cx.net, cx.ask.owner())?;
        cx.ask.join_drain();
        Ok(Next::Park(cx.app.due(tyme)))
    }

    fn recur(&mut self, tyme: Tyme, cx: &mut Cx<'_, Pool<T>>) -> Result<Next, Fault> {
        for _ in 0..TURNS {
            cx.app.service(tyme, cx.net)?;
            if cx.app.due(tyme) > tyme || cx.app.has_news() {
                break;
            }
        }
        if cx.app.has_news() {
            self.inner.wake(cx);
        }
        let communicator = cx.app.communicator();
        let patience = self.inner.shuts_down(cx.draining(), communicator, tyme);
        if patience <= tyme {
            cx.app.shutdown(tyme, cx.net)?;
            cx.app.service(tyme, cx.net)?;
        }
        let stopped = cx.app.communicator().state() == CommunicatorState::Stopped;
        Ok(match stopped && !cx.app.is_closing() {
            true => Next::Done(true),
            false => Next::Park(cx.app.due(tyme).min(patience)),
        })
    }

    fn exit(&mut self, cx: &mut Cx<'_, Pool<T>>) {
        cx.app.close(cx.net);
    }
}

/// Services in one recur, while there is work to do at once.
const TURNS: usize = 8;
