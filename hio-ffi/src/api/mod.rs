//! The functions of the header. Each checks its pointers, makes one call, stores the results.
//!
//! What they ask of their callers is at the top of the header: pointers are null or point to what
//! their type says. Handles can be any number.

#![expect(
    clippy::missing_safety_doc,
    reason = "it is the same for all, and stated once at the top of the header"
)]

mod link;
mod looping;
mod server;
mod tls;

use std::time::Duration;

use hio::link::{Buffer, Limits};
use hio::net::{Endpoint, Keepalive};
use hio::tyme::Tyme;

pub use self::link::*;
pub use self::looping::*;
pub use self::server::*;
pub use self::tls::*;

use crate::abi::{HIO_FOREVER, hio_limits, hio_status};
use crate::error::Error;
use crate::{raw, registry};

/// A call on a loop that has nothing to say but that it is done.
fn done(
    handle: u64,
    call: impl FnOnce(&mut crate::driver::Driver) -> Result<(), Error>,
) -> hio_status {
    registry::with(handle, |driver| {
        call(driver)?;
        Ok(hio_status::HIO_OK)
    })
}

/// A moment of the host's clock. The end of time is none.
fn moment(now_ns: u64) -> Result<Tyme, Error> {
    match now_ns {
        HIO_FOREVER => Err(Error::argument("now_ns is the end of time")),
        nanos => Ok(Tyme::from_nanos(nanos)),
    }
}

fn endpoint(text: &str) -> Result<Endpoint, Error> {
    let wrong = |why: String| Error::new(hio_status::HIO_ERR_ADDRESS, why);
    match text
        .parse()
        .map_err(|e: hio::net::EndpointError| wrong(e.to_string()))?
    {
        Endpoint::Udp(_) | Endpoint::UnixDatagram(_) => {
            Err(wrong(format!("{text:?} is an address of datagrams")))
        }
        stream => Ok(stream),
    }
}

/// Refuses flags that mean nothing here: they may mean something later.
fn check_flags(flags: u32, known: u32, what: &str) -> Result<(), Error> {
    match flags & !known {
        0 => Ok(()),
        unknown => Err(Error::argument(format!(
            "{what}.flags: {unknown:#x} means nothing here"
        ))),
    }
}

fn keepalive(on: bool) -> Option<Keepalive> {
    on.then(Keepalive::default)
}

/// Limits with their defaults in the place of zeros.
///
/// # Safety
/// As [`raw`] says.
unsafe fn limits(pointer: *const hio_limits) -> Result<Limits, Error> {
    // SAFETY: handed on.
    let given = unsafe { raw::config_or_zero(pointer) }?;
    let usual = Limits::default();
    let count = |given: u64, usual: usize| match given {
        0 => usual,
        // What is too much for this machine is too much for a buffer, too, and refused as such.
        n => usize::try_from(n).unwrap_or(usize::MAX),
    };
    let span = |given: u64, usual: Duration| match given {
        0 => usual,
        n => Duration::from_nanos(n),
    };
    let limits = Limits {
        connections_max: count(given.connections_max, usual.connections_max),
        accepts_per_service: count(given.accepts_per_tick, usual.accepts_per_service),
        rx_bytes_per_service: count(given.rx_bytes_per_tick, usual.rx_bytes_per_service),
        rx_cap: count(given.rx_cap, usual.rx_cap),
        tx_cap: count(given.tx_cap, usual.tx_cap),
        handshakes_per_service: count(given.handshakes_per_tick, usual.handshakes_per_service),
        tymeout: match given.tymeout_ns {
            0 => None,
            nanos => Some(Duration::from_nanos(nanos)),
        },
        write_stall: span(given.write_stall_ns, usual.write_stall),
        connect: span(given.connect_ns, usual.connect),
        connect_stagger: span(given.connect_stagger_ns, usual.connect_stagger),
        handshake: span(given.handshake_ns, usual.handshake),
        linger: span(given.linger_ns, usual.linger),
        drain: span(given.drain_ns, usual.drain),
        // For servers that wait for a pause in what is said; the ones here close in order at once.
        drain_quiet: usual.drain_quiet,
        accept_pause: span(given.accept_pause_ns, usual.accept_pause),
        // The driver takes them after each service; its own queue is the one that is bounded.
        events_max: Buffer::MAX,
    };
    limits.validate()?;
    Ok(limits)
}
