//! Stands in for `tls` where the crate is built without: there are no sessions, and the compiler
//! knows it.
#![expect(
    dead_code,
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

impl Session {
    pub(super) fn handshaking(&self) -> bool {
        match *self {}
    }

    pub(super) fn deadline(&self) -> Tyme {
        match *self {}
    }

    pub(super) fn unstarted(&self) -> bool {
        match *self {}
    }

    pub(super) fn quiet(&self) -> bool {
        match *self {}
    }

    pub(super) fn before(&self) -> &[u8] {
        match *self {}
    }

    pub(super) fn holds_plaintext(&self) -> bool {
        match *self {}
    }

    pub(super) fn ended(&self) -> bool {
        match *self {}
    }

    pub(super) fn torn(&self) -> bool {
        match *self {}
    }

    pub(super) fn tolerant(&self) -> bool {
        match *self {}
    }

    pub(super) fn failure(&self) -> Option<TlsFailure> {
        match *self {}
    }

    pub(super) fn wants_write(&self) -> bool {
        match *self {}
    }

    pub(super) fn pending(&self) -> usize {
        match *self {}
    }

    pub(super) fn begin(&mut self, _: Tyme) -> bool {
        match *self {}
    }

    pub(super) fn over(&mut self, _: Option<Box<Self>>, _: Buffer) {
        match *self {}
    }

    pub(super) fn feed(
        &mut self,
        _: &[u8],
        _: Option<Duration>,
        _: &mut Fed<'_>,
    ) -> Result<usize, TlsFailure> {
        match *self {}
    }

    pub(super) fn take(&mut self, _: &mut Fed<'_>) -> Result<usize, TlsFailure> {
        match *self {}
    }

    pub(super) fn answer(&mut self) {
        match *self {}
    }

    pub(super) fn encrypt(&mut self, _: &[u8]) -> usize {
        match *self {}
    }

    pub(super) fn write(&mut self, _: Sid, _: &mut dyn Net) -> Result<usize, NetError> {
        match *self {}
    }

    pub(super) fn landed(&mut self) -> usize {
        match *self {}
    }

    pub(super) fn farewell(&mut self) -> bool {
        match *self {}
    }
}
