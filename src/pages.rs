//! The programs on the pages are programs: `cargo test` compiles and runs them.

#[doc = include_str!("../README.md")]
struct Readme;
#[doc = include_str!("../docs/streams.md")]
struct Streams;
#[doc = include_str!("../docs/crew.md")]
struct Crew;
#[doc = include_str!("../docs/from-hio.md")]
struct FromHio;
#[doc = include_str!("../docs/seeing.md")]
struct Seeing;
#[doc = include_str!("../docs/guide/src/introduction.md")]
struct Introduction;
#[doc = include_str!("../docs/guide/src/first-doer.md")]
struct FirstDoer;
#[doc = include_str!("../docs/guide/src/sharing-state.md")]
struct SharingState;
#[doc = include_str!("../docs/guide/src/servers-and-clients.md")]
struct ServersAndClients;
#[doc = include_str!("../docs/guide/src/parking.md")]
struct Parking;
#[doc = include_str!("../docs/guide/src/timeouts.md")]
struct Timeouts;
#[doc = include_str!("../docs/guide/src/simulation.md")]
struct Simulation;
#[doc = include_str!("../docs/guide/src/replay.md")]
struct Replay;
#[doc = include_str!("../docs/guide/src/embedding.md")]
struct Embedding;
#[doc = include_str!("../docs/embedding.md")]
struct HostLoops;
#[doc = include_str!("../docs/guide/src/what-runs-when.md")]
struct WhatRunsWhen;
#[doc = include_str!("../docs/guide/src/limits.md")]
struct Limits;
#[doc = include_str!("../docs/guide/src/hio-users.md")]
struct HioUsers;
#[doc = include_str!("../docs/guide/src/tokio-users.md")]
struct TokioUsers;
