//! A nonblocking, poll-driven cooperative scheduler and network library without `async`.
#![cfg_attr(
    not(test),
    warn(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)
)]

pub mod doers;
pub mod doing;
pub mod link;
pub mod net;
pub mod tyme;
