use std::time::Duration;

use super::Buffer;

/// What a [`Server`](super::Server) or [`Client`](super::Client) and each of its connections may
/// use (law L1). Every field has a default that suits a public server.
///
/// ```
/// use hio::link::Limits;
/// use std::time::Duration;
/// let limits = Limits { tymeout: Some(Duration::from_secs(60)), ..Limits::default() };
/// assert!(limits.validate().is_ok());
/// let none = Limits { tx_cap: 0, ..Limits::default() };
/// assert_eq!(none.validate().unwrap_err().to_string(), "tx_cap must not be zero");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections open at once. Further ones wait in the backlog. Default 16 384.
    pub connections_max: usize,
    /// Connections accepted in one service, so that a flood of them leaves time for those that
    /// are there. Default 64.
    pub accepts_per_service: usize,
    /// Bytes read from one connection in one service, so that a fast peer does not starve the
    /// others; with TLS of what comes out of it. Default 64 KiB.
    pub rx_bytes_per_service: usize,
    /// Bytes received and not yet consumed; at this many reading stops, and the peer feels it.
    /// Default 256 KiB.
    pub rx_cap: usize,
    /// Bytes queued and not yet taken by the system; more are refused as
    /// [`Full`](super::TxError::Full). Default 1 MiB.
    pub tx_cap: usize,
    /// How long queued bytes may wait without any of them being taken. Then the peer counts as
    /// stalled and is reset. Default 30 s.
    pub write_stall: Duration,
    /// How long one attempt to connect may take, name look-up and all addresses together.
    /// Default 10 s.
    pub connect: Duration,
    /// How long an address of a name is waited for before the next one is dialled as well; 10 ms at
    /// least (RFC 8305 §8 names 250 ms, and as little as 10 ms). Default 250 ms.
    pub connect_stagger: Duration,
    /// How long a TLS handshake may take in all, however it is dripped. Default 10 s.
    pub handshake: Duration,
    /// TLS handshakes that a server starts in one service, as each costs a signature: the others
    /// wait for the next. Default 16.
    pub handshakes_per_service: usize,
    /// How long a connection that we have ended waits for the peer to end it too, so that a late
    /// byte of the peer does not destroy our last ones on their way. Default 2 s.
    pub linger: Duration,
    /// How long a closing connection has to send what is queued, and how long one that the peer
    /// has ended may keep received bytes unconsumed. Default 10 s.
    pub drain: Duration,
    /// While a server drains: how long a connection must have had no traffic to count as through,
    /// as its peer may be about to say something. Default 250 ms, longer than most round trips.
    pub drain_quiet: Duration,
    /// How long a connection may have no traffic in either direction; `None`, the default, is
    /// for ever. Each connection can be given its own.
    pub tymeout: Option<Duration>,
    /// Events that wait to be looked at; older ones are dropped and counted. Default 1024.
    pub events_max: usize,
    /// How long accepting pauses when the system is out of descriptors: at least 50 ms, so that
    /// it fails at most 20 times a second. Default 60 ms: with a tock of 1/32 s, clients are
    /// still served within 100 ms.
    pub accept_pause: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 16_384,
            accepts_per_service: 64,
            rx_bytes_per_service: 64 * 1024,
            rx_cap: 256 * 1024,
            tx_cap: 1024 * 1024,
            write_stall: Duration::from_secs(30),
            connect: Duration::from_secs(10),
            connect_stagger: Duration::from_millis(250),
            handshake: Duration::from_secs(10),
            handshakes_per_service: 16,
            linger: Duration::from_secs(2),
            drain: Duration::from_secs(10),
            drain_quiet: Duration::from_millis(250),
            tymeout: None,
            events_max: 1024,
            accept_pause: Duration::from_millis(60),
        }
    }
}

impl Limits {
    /// Checks that they can be kept. Opening does it.
    ///
    /// # Errors
    /// A limit of zero, a cap above [`Buffer::MAX`], a pause below 50 ms or a stagger below 10 ms.
    pub fn validate(&self) -> Result<(), LimitsError> {
        let counts = [
            ("connections_max", self.connections_max),
            ("accepts_per_service", self.accepts_per_service),
            ("rx_bytes_per_service", self.rx_bytes_per_service),
            ("rx_cap", self.rx_cap),
            ("tx_cap", self.tx_cap),
            ("events_max", self.events_max),
            ("handshakes_per_service", self.handshakes_per_service),
        ];
        let spans = [
            ("write_stall", self.write_stall),
            ("connect", self.connect),
            ("handshake", self.handshake),
            ("linger", self.linger),
            ("drain", self.drain),
            ("drain_quiet", self.drain_quiet),
            ("tymeout", self.tymeout.unwrap_or(Duration::MAX)),
        ];
        for (field, count) in counts {
            if count == 0 {
                return Err(LimitsError::Zero { field });
            }
            if count > Buffer::MAX {
                return Err(LimitsError::TooLarge {
                    field,
                    max: Buffer::MAX,
                });
            }
        }
        for (field, span) in spans {
            if span.is_zero() {
                return Err(LimitsError::Zero { field });
            }
        }
        match () {
            () if self.accept_pause < Duration::from_millis(50) => Err(LimitsError::PauseTooShort),
            () if self.connect_stagger < Duration::from_millis(10) => {
                Err(LimitsError::StaggerTooShort)
            }
            () => Ok(()),
        }
    }
}

/// Limits that cannot be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LimitsError {
    /// With this limit at zero nothing would ever happen. For "no tymeout" say `None`.
    #[error("{field} must not be zero")]
    Zero {
        /// The field's name.
        field: &'static str,
    },
    /// More than buffers and tables can hold.
    #[error("{field} must be at most {max}")]
    TooLarge {
        /// The field's name.
        field: &'static str,
        /// The most it can be.
        max: usize,
    },
    /// Accepting would be tried more than 20 times a second in vain.
    #[error("accept_pause must be at least 50 ms")]
    PauseTooShort,
    /// All addresses of a name would be dialled nearly at once.
    #[error("connect_stagger must be at least 10 ms")]
    StaggerTooShort,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_of_zero_is_refused_by_name() {
        type Set = fn(&mut Limits);
        let zeros: [(&str, Set); 14] = [
            ("connections_max", |l| l.connections_max = 0),
            ("accepts_per_service", |l| l.accepts_per_service = 0),
            ("rx_bytes_per_service", |l| l.rx_bytes_per_service = 0),
            ("rx_cap", |l| l.rx_cap = 0),
            ("tx_cap", |l| l.tx_cap = 0),
            ("events_max", |l| l.events_max = 0),
            ("write_stall", |l| l.write_stall = Duration::ZERO),
            ("connect", |l| l.connect = Duration::ZERO),
            ("handshake", |l| l.handshake = Duration::ZERO),
            ("handshakes_per_service", |l| l.handshakes_per_service = 0),
            ("linger", |l| l.linger = Duration::ZERO),
            ("drain", |l| l.drain = Duration::ZERO),
            ("drain_quiet", |l| l.drain_quiet = Duration::ZERO),
            ("tymeout", |l| l.tymeout = Some(Duration::ZERO)),
        ];
        assert_eq!(Limits::default().validate(), Ok(()));
        for (field, set) in zeros {
            let mut limits = Limits::default();
            set(&mut limits);
            assert_eq!(limits.validate(), Err(LimitsError::Zero { field }));
        }
    }

    #[test]
    fn what_cannot_be_held_is_refused() {
        let large = Limits {
            rx_cap: Buffer::MAX + 1,
            ..Limits::default()
        };
        let message = large.validate().unwrap_err().to_string();
        assert_eq!(message, "rx_cap must be at most 1073741824");
        let hasty = Limits {
            accept_pause: Duration::from_millis(49),
            ..Limits::default()
        };
        assert_eq!(hasty.validate(), Err(LimitsError::PauseTooShort));
        let pressing = Limits {
            connect_stagger: Duration::from_millis(9),
            ..Limits::default()
        };
        assert_eq!(pressing.validate(), Err(LimitsError::StaggerTooShort));
    }
}
