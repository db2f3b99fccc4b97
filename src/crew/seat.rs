use std::fmt;

use super::crew::CrewHandle;
use crate::net::Net;

/// What a member's builder is handed: who the member is, and its net.
///
/// The fields are public so that the borrow checker can split them.
#[non_exhaustive]
pub struct Seat<'a> {
    /// The member's own net, in which its doers will run.
    pub net: &'a mut dyn Net,
    /// Its name.
    pub name: &'a str,
    /// Its place in the crew, from 0.
    pub index: usize,
    /// How many members there are.
    pub members: usize,
    /// How often it was built before.
    pub restarts: u32,
    /// The seed that its Doist will have. Others are derived from it.
    pub seed: u64,
    /// Stops the crew.
    pub crew: CrewHandle,
}

impl fmt::Debug for Seat<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seat")
            .field("name", &self.name)
            .field("index", &self.index)
            .field("members", &self.members)
            .field("restarts", &self.restarts)
            .finish_non_exhaustive()
    }
}
