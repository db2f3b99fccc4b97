//! Seeing every byte: a log for people, a capture for Wireshark, and keys to read TLS with.
//!
//! [`WireLog`] and [`Pcapng`] are each a [`Watch`](crate::link::Watch). There are two places to
//! put one:
//!
//! | place | shows | for |
//! |---|---|---|
//! | [`Server::with_watch`](crate::link::Server::with_watch), [`Client::with_watch`](crate::link::Client::with_watch) | what the program sends and receives, in plain also over TLS | one server, one client |
//! | [`Tap`] around a net | what sockets carry, streams and datagrams | everything in that net |
//!
//! [`KeyLogger`] adds to a capture what Wireshark needs to read TLS, and only where it is asked for.
//!
//! Logging disturbs nothing: a log never fails a connection and never waits for anything but the
//! system's `write` of 64 KiB to a file. A disk that is full is one line in the program's log, at
//! level `warn`, and a [count](Lost). Payload is in these logs and in no other.

mod builder;
mod flow;
mod format;
#[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
mod keylog;
mod only;
mod packet;
mod pcapng;
pub(crate) mod sink;
mod tap;
mod wirelog;

use std::io;
use std::path::{Path, PathBuf};

pub use builder::WireLogBuilder;
use format::Format;
#[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
pub use keylog::KeyLogger;
pub use only::Only;
pub use pcapng::Pcapng;
pub use sink::Lost;
pub use tap::Tap;
pub use wirelog::WireLog;

/// Why a log cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WireLogError {
    /// Not a field of a format, nor `%%`.
    #[error("the format has an unknown field at byte {at}")]
    Format {
        /// Where its `%` is.
        at: usize,
    },
    /// A limit of nothing.
    #[error("a log of no bytes logs nothing")]
    NoRoom,
    /// More than one place.
    #[error("a log is in one place: a file, files below a directory, or temporary ones")]
    Places,
    /// A part of a path that is none.
    #[error("{0:?} is no name for a file or directory")]
    Name(String),
    /// The file or directory cannot be made or opened.
    #[error("{}: {what}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// The kind of failure.
        kind: io::ErrorKind,
        /// What the system says.
        what: String,
    },
}

impl WireLogError {
    fn file(path: &Path, why: &io::Error) -> Self {
        Self::File {
            path: path.to_owned(),
            kind: why.kind(),
            what: why.to_string(),
        }
    }
}
