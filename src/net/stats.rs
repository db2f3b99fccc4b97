/// What a net has done since it was made, and what is open in it now.
///
/// Nets that count nothing, as those in memory, say zeros: [`Net::stats`](super::Net::stats).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct NetStats {
    /// Polls, those that waited and those that only looked.
    pub polls: u64,
    /// Events of the system that they brought.
    pub events: u64,
    /// Sockets opened: listened, accepted, dialled, bound or adopted.
    pub opened: u64,
    /// Sockets that are open now.
    pub sockets: usize,
    /// Groups that are open now.
    pub groups: usize,
    /// Names: what became of them.
    pub names: NameStats,
}

/// What a net has looked up. Addresses, own names and `localhost` are not looked up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct NameStats {
    /// Names that the resolver was asked for.
    pub asked: u64,
    /// Answers with addresses.
    pub found: u64,
    /// Answers without.
    pub failed: u64,
    /// Questions that the cache answered.
    pub cached: u64,
    /// Questions refused as too many names waited, or no thread could be had.
    pub refused: u64,
    /// Names whose answer is waited for now.
    pub waiting: usize,
}
