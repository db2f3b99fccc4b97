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

/// The programs on the pages are programs.
#[cfg(doctest)]
mod pages {
    #[doc = include_str!("../README.md")]
    struct Readme;
    #[doc = include_str!("../docs/from-hio.md")]
    struct FromHio;
}
