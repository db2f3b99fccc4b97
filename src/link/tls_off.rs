//! Stands in for `tls` where the crate is built without: there are no sessions, and the compiler
//! knows it.
#![expect(
    clippy::unused_self,
    clippy::needless_pass_by_ref_mut,
    reason = "has the signatures of the real one"
)]

use std::time::Duration;

use super::pool::Pool;
use super::{Buffer, TlsFailure};
use crate::net::{Net, NetError, Sid};
use crate::tyme::Tyme;

/// A session that cannot be.
#[derive(Debug)]
pub(super) enum Session {}

/// Where plaintext would go.
pub(super) struct Fed<'a> {
    pub(super) rx: Option<&'a mut Buffer>,
    pub(super) room: usize,
    pub(super) pool: &'a mut Pool,
}
