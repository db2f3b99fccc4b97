use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use super::{Call, Service};
use crate::proto::channel::{
    ChannelError, ChannelEvent, ChannelProtocol, CodecError, Content, RequestError, RequestId,
    Types, Value,
};
use crate::tyme::Tyme;

/// One connection's calls in both directions: aiomas' RpcClient.
///
/// [`service`](Self::service) answers what the peer has called, and tells what came of our own
/// calls.
pub struct Rpc<A> {
    waiting: Waiting<A>,
    events: VecDeque<ChannelEvent>,
}

/// How a call of ours ended: with a content, or not.
pub type Outcome = Result<Content, RequestError>;

type Waiting<A> = BTreeMap<RequestId, Box<Then<A>>>;
type Then<A> = dyn FnOnce(&mut RpcCx<'_, A>, Outcome) + Send;

/// What a function of a service is handed.
pub struct RpcCx<'a, A> {
    /// What the service works on.
    pub app: &'a mut A,
    /// The tyme.
    pub tyme: Tyme,
    /// The channel that the call came over.
    pub channel: &'a mut ChannelProtocol,
    waiting: &'a mut Waiting<A>,
}

/// A service somewhere: the peer's, or one of ours that the peer is told of. It travels as
/// aiomas' services do, `{"__type__": [id, path]}`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxy {
    path: String,
}

impl Proxy {
    /// The root service.
    #[must_use]
    pub fn root() -> Self {
        Self::default()
    }

    /// What lies in it under a name: a service, or a function.
    #[must_use]
    pub fn at(&self, name: &str) -> Self {
        let path = match self.path.is_empty() {
            true => name.to_owned(),
            false => format!("{}/{name}", self.path),
        };
        Self { path }
    }

    /// Its path; empty for the root.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Lets services travel over channels with these types. aiomas does so after all other types
    /// of a channel, so both ends must.
    ///
    /// # Errors
    /// It was done before.
    pub fn register(types: &mut Types) -> Result<u64, CodecError> {
        types.add_serializer(
            |proxy: &Self| Ok(proxy.path.as_str().into()),
            |repr| match repr {
                Value::Text(path) => Ok(Self { path: path.clone() }),
                other => Err(format!("a path is text, not {}", other.kind())),
            },
        )
    }
}

impl<A> Rpc<A> {
    /// One without calls.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            waiting: BTreeMap::new(),
            events: VecDeque::new(),
        }
    }

    /// Answers what the peer has called, and goes on with what waited for the peer's answers.
    pub fn service(
        &mut self,
        service: &mut Service<A>,
        app: &mut A,
        tyme: Tyme,
        channel: &mut ChannelProtocol,
    ) {
        while let Some(event) = channel.event() {
            match id_of(&event).and_then(|id| self.waiting.remove(&id)) {
                None => self.events.push_back(event),
                Some(then) => {
                    if let Some((_, outcome)) = event.outcome() {
                        then(&mut self.cx(app, tyme, channel), outcome);
                    }
                }
            }
        }
        while let Ok(Some(request)) = channel.recv() {
            let mut call = match Call::read(request) {
                Ok(call) => call,
                Err(mut request) => {
                    let why = "ValueError: a call is a list of path, args and kwargs";
                    told(request.fail(why));
                    continue;
                }
            };
            match service.resolve(call.path()) {
                Ok(function) => function(&mut self.cx(app, tyme, channel), call),
                Err(why) => told(call.fail(&why)),
            }
        }
    }

    fn cx<'a>(
        &'a mut self,
        app: &'a mut A,
        tyme: Tyme,
        channel: &'a mut ChannelProtocol,
    ) -> RpcCx<'a, A> {
        RpcCx {
            app,
            tyme,
            channel,
            waiting: &mut self.waiting,
        }
    }

    /// Calls a function of the peer; what comes of it is an [`event`](Self::event) with this id.
    ///
    /// # Errors
    /// As [`ChannelProtocol::send`].
    pub fn call(
        &mut self,
        channel: &mut ChannelProtocol,
        path: &str,
        args: Vec<Value>,
        kwargs: Vec<(&str, Value)>,
    ) -> Result<RequestId, ChannelError> {
        channel.send(&content(path, args, kwargs))
    }

    /// Calls a function of the peer; what comes of it is given to `then`.
    ///
    /// # Errors
    /// As [`ChannelProtocol::send`].
    pub fn call_then(
        &mut self,
        channel: &mut ChannelProtocol,
        path: &str,
        args: Vec<Value>,
        kwargs: Vec<(&str, Value)>,
        then: impl FnOnce(&mut RpcCx<'_, A>, Outcome) + Send + 'static,
    ) -> Result<RequestId, ChannelError> {
        let id = channel.send(&content(path, args, kwargs))?;
        self.waiting.insert(id, Box::new(then));
        Ok(id)
    }

    /// The next event that no function waits for: what came of a [`call`](Self::call), or the end
    /// of the channel, for which aiomas has `on_connection_reset`.
    pub fn event(&mut self) -> Option<ChannelEvent> {
        self.events.pop_front()
    }
}

impl<A> RpcCx<'_, A> {
    /// As [`Rpc::call_then`], on the channel that the call came over.
    ///
    /// # Errors
    /// As [`ChannelProtocol::send`].
    pub fn call_then(
        &mut self,
        path: &str,
        args: Vec<Value>,
        kwargs: Vec<(&str, Value)>,
        then: impl FnOnce(&mut RpcCx<'_, A>, Outcome) + Send + 'static,
    ) -> Result<RequestId, ChannelError> {
        let id = self.channel.send(&content(path, args, kwargs))?;
        self.waiting.insert(id, Box::new(then));
        Ok(id)
    }

    /// The service that the peer speaks of.
    ///
    /// # Errors
    /// The value is no service.
    pub fn proxy(&self, value: &Value) -> Result<Proxy, CodecError> {
        self.channel.types().unpack(value)
    }

    /// One of our services, to be told the peer.
    ///
    /// # Errors
    /// Services cannot travel over this channel: see [`Proxy::register`].
    pub fn pack(&self, proxy: &Proxy) -> Result<Value, CodecError> {
        self.channel.types().pack(proxy)
    }
}

fn content(path: &str, args: Vec<Value>, kwargs: Vec<(&str, Value)>) -> Value {
    Value::list([path.into(), Value::List(args), Value::map(kwargs)])
}

const fn id_of(event: &ChannelEvent) -> Option<RequestId> {
    match event {
        ChannelEvent::Reply { id, .. }
        | ChannelEvent::RemoteException { id, .. }
        | ChannelEvent::ConnectionError { id, .. }
        | ChannelEvent::Timeout { id } => Some(*id),
        _ => None,
    }
}

/// Who called is gone: nobody is left to be told of it.
fn told(answered: Result<(), ChannelError>) {
    if let Err(why) = answered {
        log::debug!("a call was answered in vain: {why}");
    }
}

impl<A> Default for Rpc<A> {
    fn default() -> Self {
        Self::new()
    }
}

impl<A> fmt::Debug for Rpc<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rpc")
            .field("waiting", &self.waiting.keys())
            .field("events", &self.events)
            .finish()
    }
}

impl<A: fmt::Debug> fmt::Debug for RpcCx<'_, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RpcCx")
            .field("app", &self.app)
            .field("tyme", &self.tyme)
            .field("channel", &self.channel)
            .finish_non_exhaustive()
    }
}
