use std::io;

use crate::tyme::Tyme;

/// Why a simulation stopped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SimError {
    /// What a program said always holds did not (`Cx::always`).
    #[error("at {tyme} on {node}{}: `{name}` does not hold", in_doer(.path))]
    Violated {
        /// What should hold.
        name: String,
        /// The node on which it did not.
        node: String,
        /// The doer, by its path; empty when it is not known.
        path: String,
        /// The simulation's tyme.
        tyme: Tyme,
    },
    /// A node's program failed, and the policy is to stop then ([`OnFailure`](super::OnFailure)).
    #[error("at {tyme} the program of {node} failed: {why}")]
    Failed {
        /// The node.
        node: String,
        /// The fault, with the path of the doer.
        why: String,
        /// The simulation's tyme.
        tyme: Tyme,
    },
    /// A hundred thousand steps, and time has not moved: a program paced by `Pace::Asap`, one that
    /// always leaves something over, or a link that takes no time.
    #[error("at {tyme} time stands still: the nodes keep each other busy without end")]
    Livelock {
        /// The simulation's tyme.
        tyme: Tyme,
    },
    /// A fault names a node that there is not.
    #[error("there is no node {name:?}")]
    NoSuchNode {
        /// The name.
        name: String,
    },
    /// The text of the trace could not be written.
    #[error("the trace cannot be written: {0}")]
    Trace(io::ErrorKind),
    /// A test's own check failed: made by [`Sim::stop`](super::Sim::stop).
    #[error("at {tyme}: {why}")]
    Stopped {
        /// What it said.
        why: String,
        /// The simulation's tyme.
        tyme: Tyme,
    },
}

fn in_doer(path: &str) -> String {
    match path {
        "" => String::new(),
        path => format!(" in {path}"),
    }
}
