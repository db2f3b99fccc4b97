//! The scheduler laws in executable form, apart from the crate's scheduler.
//!
//! [`scenario`] is the language (a superset of the conformance vectors'), [`model`] computes what
//! the laws demand, [`generate`] draws random scenarios, [`vectors`] reads the data file,
//! [`harness`] lets the crate do the same, [`compare`] names the first difference.

pub mod compare;
pub mod generate;
pub mod harness;
pub mod model;
pub mod random;
pub mod scenario;
pub mod shrink;
pub mod tell;
pub mod vectors;
#[path = "../wakenet.rs"]
pub mod wakenet;
