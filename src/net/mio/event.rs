//! Events of the system as ids and flags of ours.

use ::mio::Token;
use ::mio::event::Event;

use super::table::{READ_CLOSED, READABLE, Table, WRITABLE};
use crate::net::Sid;

/// The token that interrupts a poll. No socket has it, because no place has its index.
pub(super) const WAKER: Token = Token(usize::MAX);

/// What an event says, as flags of a socket. A broken connection is ready for everything, so that
/// whoever reads or writes next is told why.
#[inline]
pub(super) fn readiness(event: &Event) -> u8 {
    let flags =
        (u8::from(event.is_readable()) * READABLE) | (u8::from(event.is_writable()) * WRITABLE);
    match event.is_read_closed() | event.is_write_closed() | event.is_error() {
        true => flags | broken(event),
        false => flags,
    }
}

#[cold]
fn broken(event: &Event) -> u8 {
    let mut flags = 0;
    if event.is_read_closed() {
        flags |= READABLE | READ_CLOSED;
    }
    if event.is_write_closed() {
        flags |= WRITABLE;
    }
    if event.is_error() {
        flags |= READABLE | WRITABLE | READ_CLOSED;
    }
    flags
}

/// A socket's token holds all of its id, so that an event of a closed socket goes nowhere.
#[cfg(target_pointer_width = "64")]
pub(super) const fn token(sid: Sid) -> Token {
    Token((sid.index() as usize) << 32 | sid.generation() as usize)
}

#[cfg(target_pointer_width = "64")]
#[expect(
    clippy::cast_possible_truncation,
    reason = "the halves are taken apart again"
)]
pub(super) fn sid_of(_: &Table, token: Token) -> Option<Sid> {
    (token != WAKER).then(|| Sid::new((token.0 >> 32) as u32, token.0 as u32))
}

/// A token without room for the generation. An event of a closed socket can reach the one in its
/// place only when its descriptor was duplicated, and then it is a wrong hint at most.
#[cfg(not(target_pointer_width = "64"))]
pub(super) const fn token(sid: Sid) -> Token {
    Token(sid.index() as usize)
}

#[cfg(not(target_pointer_width = "64"))]
pub(super) fn sid_of(table: &Table, token: Token) -> Option<Sid> {
    table.sid_at(token.0)
}
