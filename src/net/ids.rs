//! Ids that the net gives out.

use std::fmt;

/// A socket: its place in the net's table and a generation, so that an id is never reused.
///
/// Ids are ordered by place, then by generation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sid(u64);

impl Sid {
    /// An id for the socket at `index`, `generation` being how often that place was used before.
    /// For implementors of [`Net`](super::Net).
    #[must_use]
    pub const fn new(index: u32, generation: u32) -> Self {
        Self((index as u64) << 32 | generation as u64)
    }

    /// The place in the net's table: small numbers, used again after the socket is closed.
    #[must_use]
    pub const fn index(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// How often the place was used before.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the low half is the generation"
    )]
    pub const fn generation(self) -> u32 {
        self.0 as u32
    }
}

impl fmt::Debug for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sid({}.{})", self.index(), self.generation())
    }
}

/// A set of sockets that are served together, with one [`Owner`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Group(u64);

impl Group {
    /// An id for the group at `index`. For implementors of [`Net`](super::Net).
    #[must_use]
    pub const fn new(index: u32, generation: u32) -> Self {
        Self((index as u64) << 32 | generation as u64)
    }

    /// The place in the net's table of groups.
    #[must_use]
    pub const fn index(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// How often the place was used before.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the low half is the generation"
    )]
    pub const fn generation(self) -> u32 {
        self.0 as u32
    }
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Group({}.{})", self.index(), self.generation())
    }
}

/// Who is woken when a group has marks: a number of the net's own, so that it knows no doers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Owner(pub u64);

impl Owner {
    /// Nobody: for groups that are served by hand.
    pub const NONE: Self = Self(u64::MAX);
}
