//! Timers, hierarchical.
