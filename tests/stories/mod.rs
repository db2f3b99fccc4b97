//! Stories about sockets, told to any net: each is a function that does things at two ends and
//! notes what it saw. Two nets keep the same contract when they give the same transcripts.
//!
//! End A dials, end B serves, unless a story says otherwise. Where a real system leaves freedom
//! (how many bytes one write takes, which of two errors a lost connection shows) the story says so
//! and notes only what is promised.

mod addresses;
mod close;
mod connect;
mod data;
mod datagrams;
mod marks;
mod names;
mod options;
mod tale;
pub(crate) mod worlds;

pub(crate) use tale::{End, Kind, Tale, World};

/// On what kinds of sockets a story can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum On {
    /// TCP and Unix alike.
    All,
    /// TCP only: Unix streams have no such thing.
    Tcp,
    /// Unix streams only.
    Unix,
}

impl On {
    pub(crate) const fn takes(self, kind: Kind) -> bool {
        match self {
            Self::All => true,
            Self::Tcp => !matches!(kind, Kind::Unix),
            Self::Unix => matches!(kind, Kind::Unix),
        }
    }
}

/// A story, its name and where it can be told.
#[derive(Clone, Copy)]
pub(crate) struct Story {
    pub(crate) name: &'static str,
    pub(crate) on: On,
    pub(crate) tell: fn(&mut Tale<'_>),
}

/// Makes the list of a file's stories out of their names.
macro_rules! stories {
    ($($on:ident: $($name:ident)+;)+) => {
        pub(crate) const STORIES: &[crate::stories::Story] = &[$($(crate::stories::Story {
            name: stringify!($name),
            on: crate::stories::On::$on,
            tell: $name,
        },)+)+];
    };
}
use stories;

/// All stories.
pub(crate) fn all() -> Vec<Story> {
    [
        connect::STORIES,
        addresses::STORIES,
        data::STORIES,
        close::STORIES,
        marks::STORIES,
        options::STORIES,
        names::STORIES,
        datagrams::STORIES,
    ]
    .concat()
}
