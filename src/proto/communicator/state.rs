use std::fmt;

/// Where a communicator is in its life. The values are those of the Python package.
///
/// ```text
/// Uninitialized --initialize--> Started --shutdown--> Stopped
/// ```
/// There is no way back, but for an `initialize` that fails: nothing was started then, and the
/// communicator stays where it was. (tno's stays in `STARTED` without a server.)
///
/// ```
/// use hio::proto::communicator::CommunicatorState;
/// assert_eq!(CommunicatorState::Started as u8, 2);
/// assert_eq!(CommunicatorState::Uninitialized.to_string(), "UNINITIALIZED");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum CommunicatorState {
    /// Connections may be added, nothing is sent or received.
    Uninitialized = 1,
    /// Packets come and go.
    Started = 2,
    /// It is over.
    Stopped = 3,
}

impl fmt::Display for CommunicatorState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Uninitialized => "UNINITIALIZED",
            Self::Started => "STARTED",
            Self::Stopped => "STOPPED",
        })
    }
}
