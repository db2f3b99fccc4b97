//! Looking at a running program from outside of its doers: a trace for Perfetto, and metrics.
//!
//! | question | answer |
//! |---|---|
//! | what has it done, how does it stand? | figures, always there: [`Doist::stats`](crate::doing::Doist::stats), [`Server::stats`](crate::link::Server::stats), [`Net::stats`](crate::net::Net::stats), and the same from any thread: [`StatsHandle`](crate::doing::StatsHandle) |
//! | which doer keeps all others waiting? | [`StallWatch`](crate::doing::StallWatch), and [`StallReport`](crate::doing::StallReport) for one that never returns |
//! | what happened when, and how long did it take? | [`TraceEvents`], for ui.perfetto.dev |
//! | how does it do over weeks? | `MetricsDoer` and `Publish`, by the feature `metrics` |
//! | what do peers send? | [`wire`](crate::wire) |
//!
//! Nothing here is a global, and nothing runs unless it was made. `docs/seeing.md` has the tables.

#[cfg(feature = "metrics")]
mod metrics;
mod process;
mod trace;
mod writer;

#[cfg(feature = "metrics")]
pub use metrics::{MetricsDoer, Publish};
pub use process::{TraceDoers, TraceNet, TraceProcess};
pub use trace::{TraceEnd, TraceEvents};
