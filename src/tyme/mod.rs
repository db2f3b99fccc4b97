//! Time that is handed in: [`Tyme`], [`Tymist`], [`Tymer`], [`Clock`].
//!
//! *Tyme* is hio's word for the time of a program run, told by its scheduler and read from no clock.
//! This layer knows nothing of the others and does no I/O; [`SystemClock`] is the one thing in it
//! that needs the operating system (law T2).

mod clock;
mod deadline;
#[expect(
    clippy::module_inception,
    reason = "the layer is named after its first noun"
)]
mod tyme;
mod tymer;
mod tymist;
pub(crate) mod wheel;

pub use clock::{Clock, ManualClock, SystemClock};
pub use deadline::{DeadlineId, DeadlineScope, Deadlines, Expired, HasDeadlines};
pub(crate) use tyme::nanos;
pub use tyme::{Tyme, TymeError, duration_from_secs};
pub use tymer::Tymer;
pub use tymist::Tymist;
