//! Links.

use std::ffi::{c_char, c_void};
use std::time::Duration;

use hio::link::Reconnect;
use hio::net::ConnectOptions;

use super::{check_flags, done, endpoint, keepalive, limits, moment};
use crate::abi::{
    HIO_DELAY, HIO_HOLD, HIO_KEEPALIVE, HIO_NO_JITTER, HIO_RECONNECT, hio_client_config, hio_link,
    hio_link_info, hio_loop, hio_reason, hio_status,
};
use crate::driver::Dial;
use crate::error::{self, Error};
use crate::{raw, registry};

/// Dials. to is as in hio_listen; a host name is looked up without waiting for it. Bytes can be
/// queued at once; they are sent when the link stands. config may be null.
///
/// That nobody answers is no error here, but HIO_EVENT_CLOSED or HIO_EVENT_RETRYING. The handle is
/// good until the tick after HIO_EVENT_CLOSED was taken.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hio_connect(
    handle: hio_loop,
    now_ns: u64,
    to: *const c_char,
    config: *const hio_client_config,
    out: *mut hio_link,
) -> hio_status {
    done(handle, |driver| {
        // SAFETY: the host vouches for its pointers, here and below.
        let out = unsafe { raw::out(out, "out") }?;
        // SAFETY: as before.
        let to = endpoint(unsafe { raw::text(to, "to") }?)?;
        // SAFETY: as before.
        let config = unsafe { raw::config_or_zero(config) }?;
        let known = HIO_HOLD | HIO_DELAY | HIO_KEEPALIVE | HIO_RECONNECT;
        check_flags(config.flags, known, "hio_client_config")?;
        let has = |flag| config.flags & flag != 0;
        let dial = Dial {
            to,
            options: ConnectOptions {
                nodelay: !has(HIO_DELAY),
                keepalive: keepalive(has(HIO_KEEPALIVE)),
                ..ConnectOptions::default()
            },
            // SAFETY: as before.
            limits: unsafe { limits(config.limits) }?,
            auto_close: !has(HIO_HOLD),
            reconnect: has(HIO_RECONNECT).then(|| reconnect(&config)),
            tls: config.tls,
            tag: config.tag,
        };
        out.put(driver.connect(moment(now_ns)?, dial)?);
        Ok(())
    })
}

/// The policy, with its defaults in the place of zeros.
fn reconnect(config: &hio_client_config) -> Reconnect {
    let usual = Reconnect::default();
    let span = |given: u64, usual: Duration| match given {
        0 => usual,
        nanos => Duration::from_nanos(nanos),
    };
    Reconnect {
        first: span(config.reconnect_first_ns, usual.first),
        max: span(config.reconnect_max_ns, usual.max),
        factor: match config.reconnect_factor {
            0 => usual.factor,
            factor => factor,
        },
        jitter_percent: match config.reconnect_jitter_percent {
            0 => usual.jitter_percent,
            HIO_NO_JITTER => 0,
            percent => percent,
        },
        attempts_max: match config.reconnect_attempts_max {
            0 => None,
            most => Some(most),
        },
    }
}

/// What was received and not yet consumed: borrowed. Valid until the next hio_tick, hio_flush or
/// hio_link_consume of this link, hio_server_close of its server, or hio_loop_free; hio_link_tx may
/// be given it. With no bytes the pointer is not null, and must not be read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hio_link_rx(
    handle: hio_loop,
    link: hio_link,
    out_data: *mut *const u8,
    out_len: *mut usize,
) -> hio_status {
    done(handle, |driver| {
        // SAFETY: the host vouches for its pointers, here and below.
        let out_data = unsafe { raw::out(out_data, "out_data") }?;
        // SAFETY: as before.
        let out_len = unsafe { raw::out(out_len, "out_len") }?;
        let rx = driver.rx(link)?;
        out_data.put(rx.as_ptr());
        out_len.put(rx.len());
        Ok(())
    })
}

/// Takes received bytes away. HIO_ERR_ARGUMENT when there are fewer: then none are taken.
#[unsafe(no_mangle)]
pub extern "C" fn hio_link_consume(handle: hio_loop, link: hio_link, len: usize) -> hio_status {
    done(handle, |driver| driver.consume(link, len))
}

/// Queues bytes: a copy. They are sent in the next hio_tick or hio_flush, or when the link stands.
/// out_taken, which may be null, is set to how many were taken: all with HIO_OK, fewer with
/// HIO_FULL, and then the rest is to be offered again after HIO_EVENT_DRAINED.
///
/// HIO_ERR_CLOSED: it is over or closing. HIO_ERR_SHUT: after hio_link_shutdown.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hio_link_tx(
    handle: hio_loop,
    link: hio_link,
    data: *const c_void,
    len: usize,
    out_taken: *mut usize,
) -> hio_status {
    registry::with(handle, |driver| {
        let out = match out_taken.is_null() {
            true => None,
            // SAFETY: the host vouches for its pointers, here and below.
            false => Some(unsafe { raw::out(out_taken, "out_taken") }?),
        };
        // SAFETY: as before. What hio_link_rx lent lies in memory that queueing does not touch.
        let data = unsafe { raw::bytes(data, len, "data") }?;
        let taken = driver.tx(link, data)?;
        if let Some(out) = out {
            out.put(taken);
        }
        Ok(match taken == len {
            true => hio_status::HIO_OK,
            false => hio_status::HIO_FULL,
        })
    })
}

/// Ends this side once all that is queued is sent; receiving goes on.
#[unsafe(no_mangle)]
pub extern "C" fn hio_link_shutdown(handle: hio_loop, link: hio_link) -> hio_status {
    done(handle, |driver| driver.shutdown(link))
}

/// Closes in order: sends what is queued, ends this side, waits for the peer to end its own, all
/// within the limits drain and linger. A link that does not stand yet is given up. It is not dialled
/// again. Nothing to do for one that is over.
#[unsafe(no_mangle)]
pub extern "C" fn hio_link_close(handle: hio_loop, link: hio_link) -> hio_status {
    done(handle, |driver| driver.close(link))
}

/// Breaks off, in the next hio_tick or hio_flush; the peer sees a reset, what is queued is dropped.
/// It is not dialled again. Nothing to do for one that is over.
#[unsafe(no_mangle)]
pub extern "C" fn hio_link_abort(handle: hio_loop, link: hio_link) -> hio_status {
    done(handle, |driver| driver.abort(link))
}

/// Says whether the link stays open when its peer has ended its side and all is sent and consumed:
/// for answers that take longer. 0 or 1; see HIO_HOLD.
#[unsafe(no_mangle)]
pub extern "C" fn hio_link_hold(handle: hio_loop, link: hio_link, hold: u32) -> hio_status {
    done(handle, |driver| match hold {
        0 | 1 => driver.hold(link, hold == 1),
        _ => Err(Error::argument("hold is 0 or 1")),
    })
}

/// Sets the host's own number, which is in every event of the link that is taken from now on.
#[unsafe(no_mangle)]
pub extern "C" fn hio_link_set_tag(handle: hio_loop, link: hio_link, tag: u64) -> hio_status {
    done(handle, |driver| driver.set_tag(link, tag))
}

/// Sets the idle tymeout, counted from now_ns; 0: none.
#[unsafe(no_mangle)]
pub extern "C" fn hio_link_set_tymeout(
    handle: hio_loop,
    link: hio_link,
    now_ns: u64,
    tymeout_ns: u64,
) -> hio_status {
    done(handle, |driver| {
        driver.set_tymeout(link, moment(now_ns)?, Duration::from_nanos(tymeout_ns))
    })
}

/// Starts the idle tymeout anew, as traffic does.
#[unsafe(no_mangle)]
pub extern "C" fn hio_link_refresh(handle: hio_loop, link: hio_link, now_ns: u64) -> hio_status {
    done(handle, |driver| driver.refresh(link, moment(now_ns)?))
}

/// How a link stands. out->size must be set before.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hio_link_look(
    handle: hio_loop,
    link: hio_link,
    out: *mut hio_link_info,
) -> hio_status {
    done(handle, |driver| {
        // SAFETY: the host vouches for its pointers.
        let out = unsafe { raw::out_sized(out) }?;
        let look = driver.look(link)?;
        let none = (hio_reason::HIO_REASON_NONE, 0);
        let (reason, detail) = look.reason.map_or(none, error::of_reason);
        out.put(hio_link_info {
            size: 0,
            flags: look.flags,
            reason,
            detail,
            reserved: 0,
            server: look.server,
            tag: look.tag,
            received: look.received as u64,
            pending: look.pending as u64,
            room: look.room as u64,
            tymeout_ns: u64::try_from(look.tymeout.as_nanos()).unwrap_or(u64::MAX),
        });
        Ok(())
    })
}

/// The address of the other side, ended by a zero; empty while a dialled link does not stand, and
/// "unix:(unnamed)" for most Unix peers. out_len as in hio_server_address.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hio_link_peer(
    handle: hio_loop,
    link: hio_link,
    buffer: *mut c_char,
    cap: usize,
    out_len: *mut usize,
) -> hio_status {
    done(handle, |driver| {
        // SAFETY: the host vouches for its pointers.
        let out = unsafe { raw::out_text(buffer, cap, out_len) }?;
        out.put(driver.peer(link)?)
    })
}
