/// What a server or client has done since it was made. Counters only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Connections accepted, or dialled with success.
    pub opened: u64,
    /// Connections that ended, for whatever reason.
    pub closed: u64,
    /// Bytes received; with TLS those of the program, not those of the wire.
    pub received: u64,
    /// Bytes handed to the system to be sent; with TLS those of the program.
    pub sent: u64,
    /// Queued bytes that were dropped because their connection ended.
    pub unsent: u64,
    /// Accepts that failed because the system was out of descriptors or memory, or otherwise.
    pub accept_errors: u64,
    /// How often accepting stopped because `connections_max` was reached.
    pub full_pauses: u64,
    /// Events dropped because nobody looked at them.
    pub events_lost: u64,
}
