/// What a channel may use (law L1). Every field has a default that suits a public server.
///
/// ```
/// use hio::proto::channel::ChannelLimits;
/// let limits = ChannelLimits { pending_max: 10_000, ..ChannelLimits::default() };
/// assert!(limits.validate().is_ok());
/// let none = ChannelLimits { items_max: 0, ..ChannelLimits::default() };
/// assert_eq!(none.validate().unwrap_err().to_string(), "items_max must not be zero");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelLimits {
    /// Bytes of a frame's payload, either way. A longer one that comes in ends the channel when
    /// its length is seen, before anything is allocated. aiomas has no such limit. Default 4 MiB.
    pub frame_bytes_max: usize,
    /// Lists and maps in each other, the message itself not counted; at most 1 024. Default 128.
    pub depth_max: usize,
    /// Values in a message, those in lists and maps and their keys included. Default 1 000 000.
    pub items_max: usize,
    /// Requests that are not answered yet, in each direction on its own: beyond it ours are
    /// refused, and no more of the peer's are taken in until some are answered. Default 1 024.
    pub pending_max: usize,
    /// Bytes of requests and replies that came and were not looked at; at this many nothing more
    /// is taken in, and the peer feels it. One frame more may be inside. Default 4 MiB.
    pub inbox_bytes_max: usize,
    /// Bytes queued for the peer; at this many requests are refused, and nothing more is taken in.
    /// Replies are not refused, so one frame for each pending request may be inside beyond it.
    /// Default 1 MiB.
    pub outbox_bytes_max: usize,
    /// Queued bytes at which the channel says that writing is paused: aiomas' high-water mark,
    /// which is asyncio's. Default 64 KiB.
    pub high_water: usize,
    /// Queued bytes at which it says that writing goes on. Default 16 KiB.
    pub low_water: usize,
    /// Cancelled requests and those out of time whose late replies are still waited for, to be
    /// swallowed; beyond it further requests are refused. Default 65 536.
    pub late_max: usize,
}

impl Default for ChannelLimits {
    fn default() -> Self {
        Self {
            frame_bytes_max: 4 << 20,
            depth_max: 128,
            items_max: 1_000_000,
            pending_max: 1024,
            inbox_bytes_max: 4 << 20,
            outbox_bytes_max: 1 << 20,
            high_water: 64 << 10,
            low_water: 16 << 10,
            late_max: 65_536,
        }
    }
}

impl ChannelLimits {
    /// Checks that they can be kept. Opening an end does it.
    ///
    /// # Errors
    /// A limit of zero, a low-water mark above the high one, or more than the format or the stack
    /// allows.
    pub fn validate(&self) -> Result<(), ChannelLimitsError> {
        for (field, count) in [
            ("frame_bytes_max", self.frame_bytes_max),
            ("depth_max", self.depth_max),
            ("items_max", self.items_max),
            ("pending_max", self.pending_max),
            ("inbox_bytes_max", self.inbox_bytes_max),
            ("outbox_bytes_max", self.outbox_bytes_max),
            ("high_water", self.high_water),
            ("late_max", self.late_max),
        ] {
            if count == 0 {
                return Err(ChannelLimitsError::Zero { field });
            }
        }
        if self.frame_bytes_max > FRAME_BYTES_CEILING {
            return Err(ChannelLimitsError::TooLarge {
                field: "frame_bytes_max",
                max: FRAME_BYTES_CEILING,
            });
        }
        if self.depth_max > DEPTH_CEILING {
            return Err(ChannelLimitsError::TooLarge {
                field: "depth_max",
                max: DEPTH_CEILING,
            });
        }
        match self.low_water > self.high_water {
            true => Err(ChannelLimitsError::Water),
            false => Ok(()),
        }
    }
}

/// What four bytes can say, less what 32-bit machines cannot hold.
const FRAME_BYTES_CEILING: usize = i32::MAX as usize;
/// A decoded value is walked by recursion, which a thread's smallest usual stack must bear.
const DEPTH_CEILING: usize = 1024;

/// Limits that cannot be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChannelLimitsError {
    /// Nothing would be possible.
    #[error("{field} must not be zero")]
    Zero {
        /// Which limit.
        field: &'static str,
    },
    /// More than can be kept.
    #[error("{field} must be at most {max}")]
    TooLarge {
        /// Which limit.
        field: &'static str,
        /// The most it may be.
        max: usize,
    },
    /// The marks are the wrong way round.
    #[error("low_water must not be above high_water")]
    Water,
}
