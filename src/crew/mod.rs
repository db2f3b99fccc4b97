//! Many cores: a [`Crew`] of Doists, one a thread, each with a net of its own.
//!
//! Nothing is shared between its members but what they hand each other: messages through bounded
//! [`Mailbox`]es, and connections ([`Handed`]). A member is built on its own thread by a closure,
//! which builds it again when it failed; a crew stops in order, within a limit. The same crew runs
//! in a simulation ([`Crew::enlist`]), where its members are nodes of one machine and no thread is
//! started.
//!
//! How it is built, and why so, is told in `docs/crew.md`.

#[expect(clippy::module_inception, reason = "the file is named after its type")]
mod crew;
mod hands;
mod letter;
mod mailbox;
mod post;
mod recruit;
mod report;
mod roll;
mod seat;
mod simulated;
mod threads;

pub use crew::{Crew, CrewError, CrewHandle, OnFailure, OnStop};
pub use hands::{AcceptorDoer, Handed, HandedDoer};
pub use letter::Letter;
pub use mailbox::{MailDoer, Mailbox};
pub use post::{Post, Refused};
pub use report::{Left, MemberReport, Report};
pub use seat::Seat;
pub use simulated::Enlisted;
pub use threads::Running;
