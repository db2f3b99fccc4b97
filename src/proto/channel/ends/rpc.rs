use std::collections::BTreeMap;

use super::{Channel, ChannelId, ChannelServer};
use crate::link::{LimitsError, ListenerLost, OpenError};
use crate::net::{Net, Owner};
use crate::proto::channel::rpc::{Rpc, Service};
use crate::proto::channel::{ChannelError, RequestId, Value};
use crate::tyme::Tyme;

/// A server of calls: aiomas' `rpc.start_server`. Every channel is served by one [`Service`].
///
/// The server's configuration must let services travel, if they are to:
/// [`Proxy::register`](crate::proto::channel::rpc::Proxy::register).
///
/// ```
/// use hio::net::Endpoint;
/// use hio::proto::channel::rpc::{Proxy, RpcServer, Service};
/// use hio::proto::channel::{ChannelConfig, ChannelServer};
/// let mut config = ChannelConfig::default();
/// Proxy::register(&mut config.types)?;
/// let at: Endpoint = "127.0.0.1:0".parse()?;
/// let service = Service::<()>::new("demo.Root").expose("ping", |_, _| Ok("pong".into()));
/// let server = RpcServer::new(ChannelServer::bind(at, &config)?, service);
/// assert!(!server.channels.opened());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct RpcServer<A> {
    /// The channels.
    pub channels: ChannelServer,
    service: Service<A>,
    peers: BTreeMap<ChannelId, Rpc<A>>,
}

impl<A> RpcServer<A> {
    /// Serves calls on the channels of a server.
    #[must_use]
    pub const fn new(channels: ChannelServer, service: Service<A>) -> Self {
        Self {
            channels,
            service,
            peers: BTreeMap::new(),
        }
    }

    /// Starts to listen.
    ///
    /// # Errors
    /// As [`ChannelServer::open`].
    pub fn open(&mut self, net: &mut dyn Net, owner: Owner) -> Result<(), OpenError> {
        self.peers.clear();
        self.channels.open(net, owner)
    }

    /// Accepts, and answers what was called.
    ///
    /// # Errors
    /// The listener is lost. All else was done nevertheless.
    pub fn serve(
        &mut self,
        app: &mut A,
        tyme: Tyme,
        net: &mut dyn Net,
    ) -> Result<(), ListenerLost> {
        let (service, peers) = (&mut self.service, &mut self.peers);
        let served = self.channels.service_each(tyme, net, |channel| {
            let id = channel.id();
            let peer = peers.entry(id).or_default();
            peer.service(service, app, tyme, channel);
            // What no function waits for is of no interest to a server.
            while peer.event().is_some() {}
            if channel.lost().is_some() {
                peers.remove(&id);
            }
        });
        let channels = &self.channels;
        self.peers.retain(|id, _| channels.get(*id).is_some());
        served
    }
}

/// A client for calls, that may be called back: aiomas' `rpc.open_connection`.
///
/// ```
/// use hio::net::Endpoint;
/// use hio::proto::channel::rpc::{RpcClient, Service};
/// use hio::proto::channel::{Channel, ChannelConfig};
/// let to: Endpoint = "127.0.0.1:5555".parse()?;
/// let channel = Channel::connect(to, &ChannelConfig::default())?;
/// let mut client = RpcClient::new(channel, Service::<()>::new("demo.Nothing"));
/// let id = client.call("sub/mul", vec![2.into(), 3.into()], vec![])?;
/// assert_eq!(id.number(), 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct RpcClient<A> {
    /// The channel.
    pub channel: Channel,
    /// The calls; [`Rpc::event`] tells what came of them.
    pub rpc: Rpc<A>,
    service: Service<A>,
}

impl<A> RpcClient<A> {
    /// Calls over a channel, and is called back on `service`.
    #[must_use]
    pub const fn new(channel: Channel, service: Service<A>) -> Self {
        Self {
            channel,
            rpc: Rpc::new(),
            service,
        }
    }

    /// Begins to connect.
    ///
    /// # Errors
    /// As [`Channel::open`].
    pub fn open(&mut self, tyme: Tyme, net: &mut dyn Net, owner: Owner) -> Result<(), LimitsError> {
        self.channel.open(tyme, net, owner)
    }

    /// Calls a function of the peer; what comes of it is an event of [`rpc`](Self::rpc).
    ///
    /// # Errors
    /// As [`ChannelProtocol::send`](crate::proto::channel::ChannelProtocol::send).
    pub fn call(
        &mut self,
        path: &str,
        args: Vec<Value>,
        kwargs: Vec<(&str, Value)>,
    ) -> Result<RequestId, ChannelError> {
        self.rpc.call(&mut self.channel, path, args, kwargs)
    }

    /// Carries everything on, and answers what the peer has called.
    pub fn serve(&mut self, app: &mut A, tyme: Tyme, net: &mut dyn Net) {
        self.channel.service(tyme, net);
        self.rpc
            .service(&mut self.service, app, tyme, &mut self.channel);
        self.channel.service_sends(tyme, net);
    }
}
