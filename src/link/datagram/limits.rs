use std::time::Duration;

use crate::link::{Buffer, LimitsError};

/// Which datagrams are given up when the receive queue is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Overflow {
    /// The one that comes: for what builds on what came before.
    DropNewest,
    /// Those that wait longest: for what is outdated by what comes.
    DropOldest,
}

/// What a [`DatagramPeer`](super::DatagramPeer) may use (law L1).
///
/// ```
/// use hio::link::{DatagramLimits, Overflow};
/// let limits = DatagramLimits { overflow: Overflow::DropOldest, ..DatagramLimits::default() };
/// assert!(limits.validate().is_ok());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DatagramLimits {
    /// Datagrams received and not yet taken. Default 1024.
    pub rx_datagrams_max: usize,
    /// Bytes of them. Default 1 MiB.
    pub rx_bytes_max: usize,
    /// What is dropped beyond that. Each drop is an event and is counted. Default: the newest.
    pub overflow: Overflow,
    /// Datagrams queued and not yet sent; another one is refused as
    /// [`Full`](super::DatagramTxError::Full). Default 1024.
    pub tx_datagrams_max: usize,
    /// Bytes of them. Default 1 MiB.
    pub tx_bytes_max: usize,
    /// Bytes of the longest datagram that is received whole; longer ones are cut, and told. Every
    /// peer holds a buffer of that size while it is open. Default 65 535, which is UDP's longest.
    pub datagram_bytes_max: usize,
    /// Datagrams received in one service, and sent in one. Default 256.
    pub datagrams_per_service: usize,
    /// How long a queued datagram waits for room before it is dropped, as an event. Default 5 s.
    pub tx_stall: Duration,
    /// How long to wait where nothing tells of room: when the queue of another Unix socket is full,
    /// or the system is out of memory. Default 10 ms.
    pub retry: Duration,
    /// Events that wait to be looked at; older ones are dropped and counted. Default 1024.
    pub events_max: usize,
}

impl Default for DatagramLimits {
    fn default() -> Self {
        Self {
            rx_datagrams_max: 1024,
            rx_bytes_max: 1024 * 1024,
            overflow: Overflow::DropNewest,
            tx_datagrams_max: 1024,
            tx_bytes_max: 1024 * 1024,
            datagram_bytes_max: 65_535,
            datagrams_per_service: 256,
            tx_stall: Duration::from_secs(5),
            retry: Duration::from_millis(10),
            events_max: 1024,
        }
    }
}

impl DatagramLimits {
    /// Checks that they can be kept. Opening does it.
    ///
    /// # Errors
    /// A limit of zero, or one above [`Buffer::MAX`].
    pub fn validate(&self) -> Result<(), LimitsError> {
        let counts = [
            ("rx_datagrams_max", self.rx_datagrams_max),
            ("rx_bytes_max", self.rx_bytes_max),
            ("tx_datagrams_max", self.tx_datagrams_max),
            ("tx_bytes_max", self.tx_bytes_max),
            ("datagram_bytes_max", self.datagram_bytes_max),
            ("datagrams_per_service", self.datagrams_per_service),
            ("events_max", self.events_max),
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
        for (field, span) in [("tx_stall", self.tx_stall), ("retry", self.retry)] {
            if span.is_zero() {
                return Err(LimitsError::Zero { field });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn l1_a_limit_of_zero_is_refused_by_name() {
        type Set = fn(&mut DatagramLimits);
        let zeros: [(&str, Set); 9] = [
            ("rx_datagrams_max", |l| l.rx_datagrams_max = 0),
            ("rx_bytes_max", |l| l.rx_bytes_max = 0),
            ("tx_datagrams_max", |l| l.tx_datagrams_max = 0),
            ("tx_bytes_max", |l| l.tx_bytes_max = 0),
            ("datagram_bytes_max", |l| l.datagram_bytes_max = 0),
            ("datagrams_per_service", |l| l.datagrams_per_service = 0),
            ("events_max", |l| l.events_max = 0),
            ("tx_stall", |l| l.tx_stall = Duration::ZERO),
            ("retry", |l| l.retry = Duration::ZERO),
        ];
        assert_eq!(DatagramLimits::default().validate(), Ok(()));
        for (field, set) in zeros {
            let mut limits = DatagramLimits::default();
            set(&mut limits);
            assert_eq!(limits.validate(), Err(LimitsError::Zero { field }));
        }
        let huge = DatagramLimits {
            datagram_bytes_max: Buffer::MAX + 1,
            ..DatagramLimits::default()
        };
        let message = huge.validate().unwrap_err().to_string();
        assert_eq!(message, "datagram_bytes_max must be at most 1073741824");
    }
}
