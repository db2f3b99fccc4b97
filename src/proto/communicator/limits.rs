use std::time::Duration;

/// What a communicator may use (law L1).
///
/// ```
/// use hio::proto::communicator::CommunicatorLimits;
/// assert_eq!(CommunicatorLimits::default().packet_bytes_max, 64 << 20);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommunicatorLimits {
    /// Bytes of a packet, either way. A longer one that comes in is refused when its length is
    /// seen. The Python package has no such limit. Default 64 MiB.
    pub packet_bytes_max: usize,
    /// Packets that wait for their outcome; more are refused. Default 1 024.
    pub pending_max: usize,
    /// Bytes of those packets. Default 256 MiB.
    pub pending_bytes_max: usize,
    /// Bytes of packets that are being received, or were and wait for their acknowledgement. More
    /// are refused, or made to wait, by the transport. Default 256 MiB.
    pub inbox_bytes_max: usize,
    /// Messages of each connection that are remembered, so that their duplicates are known.
    /// Default 1 024.
    pub remembered_max: usize,
    /// How long a shutdown waits for what is being answered. Default 10 s.
    pub drain: Duration,
}

impl Default for CommunicatorLimits {
    fn default() -> Self {
        Self {
            packet_bytes_max: 64 << 20,
            pending_max: 1024,
            pending_bytes_max: 256 << 20,
            inbox_bytes_max: 256 << 20,
            remembered_max: 1024,
            drain: Duration::from_secs(10),
        }
    }
}

/// How often a packet is sent before it counts as failed.
///
/// ```
/// use hio::proto::communicator::{Delivery, RetryPolicy};
/// let once = RetryPolicy { delivery: Delivery::AtMostOnce, ..RetryPolicy::default() };
/// assert_eq!((once.attempts_max, once.delay.as_secs()), (3, 1));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Attempts in total: tno's `conn_retry_max`. 0 behaves as 1. Default 3.
    pub attempts_max: u32,
    /// The pause before each further one, on tyme: tno's `conn_retry_delay`. Default 1 s.
    pub delay: Duration,
    /// What may happen when it is not known whether a packet arrived.
    pub delivery: Delivery,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts_max: 3,
            delay: Duration::from_secs(1),
            delivery: Delivery::AtLeastOnce,
        }
    }
}

/// What may happen when a connection is lost before the answer came, so that nobody knows whether
/// the packet arrived.
///
/// No protocol can do better than one of the two. A receiver that knows the sender's message ids
/// can tell a packet that came twice: see [`Duplicates`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Delivery {
    /// The packet is sent again, and may arrive twice: as the Python package does. The default.
    #[default]
    AtLeastOnce,
    /// The send fails, and the packet may have arrived or not; it never arrives twice. What
    /// certainly never left, for want of a connection, is still tried again.
    AtMostOnce,
}

/// What is done with a packet that was delivered before, as its message id tells.
///
/// Ids are remembered for [`CommunicatorLimits::remembered_max`] packets of a connection. Packets
/// of senders that number nothing, such as the Python package, are never known to be duplicates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Duplicates {
    /// It is answered as the first one was, and not delivered again. The default.
    #[default]
    Drop,
    /// It is delivered, and marked as a duplicate.
    Deliver,
}
