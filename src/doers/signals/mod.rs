//! Doers that hear signals.

#[cfg(unix)]
mod heard;
#[cfg(unix)]
mod reload;
#[cfg(unix)]
mod stop;

#[cfg(not(unix))]
mod none;

#[cfg(not(unix))]
pub use none::{ReloadDoer, SignalDoer};
#[cfg(unix)]
pub use reload::ReloadDoer;
#[cfg(unix)]
pub use stop::SignalDoer;
