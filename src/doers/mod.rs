mod signal;
pub use signal::SignalDoer;
