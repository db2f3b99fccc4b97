//! A site and its users, as nodes of a simulated world.
#![allow(dead_code, reason = "each test program uses a part of this")]

use std::sync::OnceLock;

pub(crate) mod site;
pub(crate) mod user;

/// The port of the site.
pub(crate) const PORT: u16 = 8080;
/// Requests of a user.
pub(crate) const REQUESTS: usize = 42;
/// Events that a user listens to.
pub(crate) const EVENTS: u64 = 25;
/// Bytes of an upload.
pub(crate) const UPLOAD: usize = 200_000;

/// Bytes in which every shift and gap shows.
pub(crate) fn pattern(len: usize) -> &'static [u8] {
    static ALL: OnceLock<Vec<u8>> = OnceLock::new();
    let byte = |i: usize| (i.wrapping_mul(31) ^ (i >> 8)).to_le_bytes()[0];
    &ALL.get_or_init(|| (0..400_000).map(byte).collect())[..len]
}
