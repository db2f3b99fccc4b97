use std::ops::{Deref, DerefMut};
use std::time::Duration;

use super::local::LocalEnd;
use super::{Addr, pump};
use crate::link::{Client, ClientEvent, CloseReason, Limits, LimitsError};
use crate::net::{ConnectOptions, Net, NetError, Owner};
use crate::proto::channel::{
    ChannelConfig, ChannelLimitsError, ChannelProtocol, ExtraInfo, SocketName,
};
use crate::tyme::Tyme;

/// The end of a channel that dials: aiomas' `open_connection`.
///
/// What is asked of it is asked of its [`ChannelProtocol`]: `send`, `recv`, `event`, `cancel`.
/// Requests may be sent as soon as it is open; they go out when the connection stands, and fail
/// when none comes about. A channel that has ended stays so; make a new one to dial again.
///
/// Service it when its socket is ready, when it is [`due`](Self::due), and after sending; what a
/// service finds is there to be received. [`ChannelDoer`](crate::doers::ChannelDoer) does that.
///
/// ```
/// use hio::net::Endpoint;
/// use hio::proto::channel::{Channel, ChannelConfig};
/// let to: Endpoint = "127.0.0.1:5555".parse()?;
/// let channel = Channel::connect(to, &ChannelConfig::default())?;
/// assert!(!channel.connected() && !channel.opened());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Channel {
    protocol: ChannelProtocol,
    way: Way,
    patience: Patience,
    /// When the first attempt began.
    began: Tyme,
    /// The pause before the next attempt.
    pause: Duration,
    again: Option<Tyme>,
    owner: Owner,
    opened: bool,
}

#[derive(Debug)]
enum Way {
    Link(Box<Client>),
    Local(super::LocalQueue, Option<LocalEnd>),
}

/// How long to dial again while nobody listens yet: aiomas' `timeout`.
///
/// The pause between attempts is 0.5 s at first, grows by half each time and is at most 30 s.
/// Only a refusal, or a path that does not exist, is a reason to try again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Patience {
    /// One attempt. The default.
    #[default]
    None,
    /// As long as an attempt fails within so long after the first one began.
    For(Duration),
    /// For ever: aiomas' `timeout=None`.
    Forever,
}

impl Channel {
    /// A channel to `to`, not open yet. Does no I/O.
    ///
    /// # Errors
    /// The limits cannot be kept.
    pub fn connect(
        to: impl Into<Addr>,
        config: &ChannelConfig,
    ) -> Result<Self, ChannelLimitsError> {
        Self::connect_with(to, config, ConnectOptions::default(), Limits::default())
    }

    /// The same with options and limits of the connection below.
    ///
    /// # Errors
    /// The limits cannot be kept.
    pub fn connect_with(
        to: impl Into<Addr>,
        config: &ChannelConfig,
        options: ConnectOptions,
        limits: Limits,
    ) -> Result<Self, ChannelLimitsError> {
        config.limits.validate()?;
        let way = match to.into() {
            Addr::At(to) => Way::Link(Box::new(Client::new(to, options, limits))),
            Addr::Local(queue) => Way::Local(queue, None),
        };
        Ok(Self {
            protocol: ChannelProtocol::new(config),
            way,
            patience: Patience::None,
            began: Tyme::ZERO,
            pause: FIRST_PAUSE,
            again: None,
            owner: Owner::NONE,
            opened: false,
        })
    }

    /// Dials again while nobody listens.
    #[must_use]
    pub const fn with_patience(mut self, patience: Patience) -> Self {
        self.patience = patience;
        self
    }

    /// Speaks TLS. Within a process there is none.
    #[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
    #[must_use]
    pub fn with_tls(mut self, tls: crate::link::tls::ClientTls) -> Self {
        if let Way::Link(client) = self.way {
            self.way = Way::Link(Box::new(client.with_tls(tls)));
        }
        self
    }

    /// Begins to connect; the next services carry it on. Only the first call does anything.
    ///
    /// # Errors
    /// The limits of the connection cannot be kept. That nobody answers ends the channel instead.
    pub fn open(&mut self, tyme: Tyme, net: &mut dyn Net, owner: Owner) -> Result<(), LimitsError> {
        if self.opened || self.protocol.lost().is_some() {
            return Ok(());
        }
        self.opened = true;
        self.owner = owner;
        self.began = tyme;
        self.attempt(tyme, net)
    }

    fn attempt(&mut self, tyme: Tyme, net: &mut dyn Net) -> Result<(), LimitsError> {
        self.again = None;
        match &mut self.way {
            Way::Link(client) => {
                client.open(tyme, net, self.owner)?;
                self.look(tyme, net); // it may have failed at once
                Ok(())
            }
            Way::Local(queue, end) => {
                *end = queue.connect();
                match end {
                    Some(_) => {
                        let local = Some(SocketName::Unix("local".to_owned()));
                        self.protocol.connection_made(ExtraInfo {
                            peername: local.clone(),
                            sockname: local,
                            ..ExtraInfo::default()
                        });
                    }
                    None => self.failed(CloseReason::ConnectFailed(NetError::Refused), tyme),
                }
                Ok(())
            }
        }
    }

    /// Carries everything on: connects, receives, ends what is out of time, sends.
    pub fn service(&mut self, tyme: Tyme, net: &mut dyn Net) {
        if !self.opened {
            return;
        }
        self.protocol.expire(tyme);
        if self.again.is_some_and(|at| at <= tyme) && self.attempt(tyme, net).is_err() {
            // They were kept the first time: there is no other answer than to end.
            self.failed(CloseReason::NotOpened, tyme);
        }
        match &mut self.way {
            Way::Link(client) => {
                let protocol = &mut self.protocol;
                if protocol.made() && !client.rx().is_empty() {
                    // What was kept because it was not wanted may be now.
                    pump::inward(client.link_mut(), protocol);
                }
                pump::outward_of(client, protocol);
                client.service_each(tyme, net, |link| {
                    if link.connected() && !protocol.made() {
                        protocol.connection_made(ExtraInfo::default());
                    }
                    if protocol.made() {
                        pump::inward(link, protocol);
                        pump::outward(link, protocol);
                    }
                });
                self.look(tyme, net);
            }
            Way::Local(_, end) => {
                let over = end
                    .as_ref()
                    .is_some_and(|end| !end.pump(&mut self.protocol));
                if over {
                    *end = None;
                }
            }
        }
    }

    /// What the service has made of the connection.
    fn look(&mut self, tyme: Tyme, net: &mut dyn Net) {
        let Way::Link(client) = &mut self.way else {
            return;
        };
        if client.connected() && self.protocol.extra_info().sockname.is_none() {
            let peer = client.peer().unwrap_or(client.to()).clone();
            let info = pump::info(client.link(), &peer);
            match self.protocol.made() {
                true => *self.protocol.info_mut() = info,
                false => self.protocol.connection_made(info),
            }
            pump::sockname(client.link().sid(), net, &mut self.protocol);
            pump::outward_of(client, &mut self.protocol);
            client.service_sends(tyme, net);
        }
        // Asked after sending: that may have been its end.
        let mut failure = None;
        for event in client.events() {
            if let ClientEvent::Closed(reason) = event {
                failure = Some(reason);
            }
        }
        match failure {
            Some(_) if self.protocol.made() => {
                pump::inward(client.link_mut(), &mut self.protocol);
            }
            Some(reason) => self.failed(reason, tyme),
            None => {}
        }
    }

    /// An attempt to connect failed.
    fn failed(&mut self, reason: CloseReason, tyme: Tyme) {
        let nobody = matches!(
            reason,
            CloseReason::ConnectFailed(NetError::Refused | NetError::NotFound)
        );
        let patient = match self.patience {
            Patience::None => false,
            Patience::For(limit) => tyme.since(self.began) <= limit,
            Patience::Forever => true,
        };
        if !nobody || !patient || self.protocol.lost().is_some() {
            self.protocol.connection_lost(Some(reason.to_string()));
            return;
        }
        log::debug!("nobody listens yet; again in {:?}", self.pause);
        self.again = Some(tyme + self.pause);
        self.pause = (self.pause * 3 / 2).min(LONGEST_PAUSE);
    }

    /// Sends what is queued now. That this was the end is known after the next
    /// [`service`](Self::service), which is [`due`](Self::due) then.
    pub fn service_sends(&mut self, tyme: Tyme, net: &mut dyn Net) {
        match &mut self.way {
            Way::Link(client) => {
                pump::outward_of(client, &mut self.protocol);
                client.service_sends(tyme, net);
            }
            Way::Local(_, Some(end)) => end.flush(&mut self.protocol),
            _ => {}
        }
    }

    /// When a service is needed next although nothing is ready; `tyme` itself when there is work
    /// to do now, which there always may be within a process.
    #[must_use]
    pub fn due(&self, tyme: Tyme) -> Tyme {
        if !self.opened {
            return Tyme::NEVER;
        }
        let due = self.protocol.due().min(self.again.unwrap_or(Tyme::NEVER));
        match &self.way {
            Way::Link(client) => {
                let rx_wanted = !client.rx().is_empty() && self.protocol.wants_read();
                let tx_wanted = self.protocol.queued() > 0 && client.link().room() > 0;
                let close_wanted = self.protocol.wants_close()
                    && self.protocol.queued() == 0
                    && client.connected();
                match self.protocol.made() && (rx_wanted || tx_wanted || close_wanted) {
                    true if client.opened() => tyme,
                    _ => due.min(client.due(tyme)),
                }
            }
            Way::Local(_, Some(_)) => tyme,
            Way::Local(_, None) => due,
        }
    }

    /// Whether it was opened and its connection is not over yet: it dials, stands, or sends what is
    /// left before it ends.
    #[must_use]
    pub fn opened(&self) -> bool {
        let way = match &self.way {
            Way::Link(client) => client.opened(),
            Way::Local(_, end) => end.is_some(),
        };
        self.opened && (way || self.again.is_some())
    }

    /// Ends the channel in order: requests that wait fail; service on until it is no longer
    /// [`opened`](Self::opened), so that what is queued is sent, within
    /// [`Limits::drain`].
    pub fn close(&mut self) {
        self.protocol.close();
        self.again = None;
        if let Way::Link(client) = &mut self.way {
            if !client.connected() {
                client.link_mut().abort();
            }
        }
    }

    /// Ends the channel and its connection at once; what is queued is dropped.
    pub fn abort(&mut self, net: &mut dyn Net) {
        self.protocol.close();
        self.protocol.connection_lost(None);
        self.again = None;
        match &mut self.way {
            Way::Link(client) => client.close(net),
            Way::Local(_, end) => *end = None,
        }
    }

    /// The connection below, if it is one.
    #[must_use]
    pub fn client(&self) -> Option<&Client> {
        match &self.way {
            Way::Link(client) => Some(client),
            Way::Local(..) => None,
        }
    }
}

impl Deref for Channel {
    type Target = ChannelProtocol;

    fn deref(&self) -> &ChannelProtocol {
        &self.protocol
    }
}

impl DerefMut for Channel {
    fn deref_mut(&mut self) -> &mut ChannelProtocol {
        &mut self.protocol
    }
}

/// aiomas 2: the first pause between attempts.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// aiomas 2: the longest one.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
