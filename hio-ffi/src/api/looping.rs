//! Loops, time, events.

use std::ffi::{c_char, c_int};
use std::time::Duration;

use super::{done, moment};
use crate::abi::{
    HIO_ABI, HIO_FOREVER, hio_event, hio_event_kind, hio_loop, hio_loop_config, hio_reason,
    hio_status,
};
use crate::driver::Driver;
use crate::error::{self, Error};
use crate::{raw, registry};

/// The version of this interface that the library was built with: HIO_ABI of its header.
#[unsafe(no_mangle)]
pub extern "C" fn hio_abi() -> u32 {
    HIO_ABI
}

/// The version of the library, as "0.1.0".
#[unsafe(no_mangle)]
pub extern "C" fn hio_version() -> *const c_char {
    const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");
    VERSION.as_ptr().cast()
}

/// What a status means, in words. Any number will do; the text is never freed.
#[unsafe(no_mangle)]
pub extern "C" fn hio_status_text(status: i32) -> *const c_char {
    error::status_text(status).as_ptr()
}

/// Makes a loop. now_ns is the host's clock, from any origin: all moments handed in later are of
/// the same. config may be null. The loop is freed with hio_loop_free.
///
/// HIO_ERR_TOO_MANY: HIO_LOOPS_MAX are open. HIO_ERR_EXHAUSTED: no descriptor is left.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hio_loop_new(
    now_ns: u64,
    config: *const hio_loop_config,
    out: *mut hio_loop,
) -> hio_status {
    // SAFETY: the host vouches for its pointers, here and below.
    let out = match unsafe { raw::out(out, "out") } {
        Ok(out) => out,
        Err(why) => return why.status,
    };
    // SAFETY: as before.
    let config = match unsafe { raw::config_or_zero(config) } {
        Ok(config) => config,
        Err(why) => return why.status,
    };
    let now = match moment(now_ns) {
        Ok(now) => now,
        Err(why) => return why.status,
    };
    let threads = config.resolver_threads as usize;
    if threads > RESOLVER_THREADS_MAX {
        return hio_status::HIO_ERR_ARGUMENT;
    }
    let events = match config.events_max {
        0 => EVENTS_MAX,
        most => most as usize,
    };
    match registry::open(|lane, base| Driver::new(now, threads, events, lane, base)) {
        Ok(handle) => {
            out.put(handle);
            hio_status::HIO_OK
        }
        Err(status) => status,
    }
}

/// Closes all that is in a loop, at once, and frees it. What was borrowed from it is gone.
///
/// HIO_ERR_BUSY: another thread is inside a call on it; it goes on.
#[unsafe(no_mangle)]
pub extern "C" fn hio_loop_free(handle: hio_loop) -> hio_status {
    registry::close(handle)
}

/// Why the last call on this loop that failed did, in words; never null. Valid until the next call
/// on the loop that fails, or hio_loop_free.
#[unsafe(no_mangle)]
pub extern "C" fn hio_last_error(handle: hio_loop) -> *const c_char {
    registry::last_error(handle)
}

/// Looks what is ready, without waiting, and serves it: accepts, connects, shakes hands, receives,
/// sends what was queued, ends what is out of time. now_ns is the moment it happens at; one before
/// an earlier one counts as that.
///
/// budget is how many ready sockets are served at most, each server or dialled link that has
/// something to do counting as one at least; 0 is no limit. It counts work, not time: a socket costs
/// at most rx_bytes_per_tick read and one send, a listening one accepts_per_tick. What is left over
/// comes first in the next tick. Not counted is what the host itself asked of links since the last
/// tick, and what is out of time.
///
/// HIO_OK, HIO_MORE, or HIO_EVENTS: take events first. An error: polling itself is broken.
#[unsafe(no_mangle)]
pub extern "C" fn hio_tick(handle: hio_loop, now_ns: u64, budget: u64) -> hio_status {
    registry::with(handle, |driver| {
        let budget = match budget {
            0 => u64::MAX,
            most => most,
        };
        driver.tick(moment(now_ns)?, budget)
    })
}

/// Sends what was queued since the last tick, and does nothing else of what a tick does.
#[unsafe(no_mangle)]
pub extern "C" fn hio_flush(handle: hio_loop, now_ns: u64) -> hio_status {
    done(handle, |driver| {
        driver.flush(moment(now_ns)?);
        Ok(())
    })
}

/// How long after now_ns the host may sleep, in nanoseconds, if it wakes when hio_poll_fd is ready:
/// 0 when there is something to do or an event waits, HIO_FOREVER when only sockets count.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hio_due(
    handle: hio_loop,
    now_ns: u64,
    out_wait_ns: *mut u64,
) -> hio_status {
    done(handle, |driver| {
        // SAFETY: the host vouches for its pointers.
        let out = unsafe { raw::out(out_wait_ns, "out_wait_ns") }?;
        let due = driver.due(moment(now_ns)?);
        let nanos = due.map_or(u128::MAX, |wait| wait.as_nanos());
        out.put(u64::try_from(nanos).unwrap_or(HIO_FOREVER));
        Ok(())
    })
}

/// Sleeps until a socket is ready or hio_interrupt is called, at most wait_ns by the system's
/// clock; not at all when there is something to do or an event waits. May wake early. Serves
/// nobody: hio_tick does.
#[unsafe(no_mangle)]
pub extern "C" fn hio_wait(handle: hio_loop, wait_ns: u64) -> hio_status {
    done(handle, |driver| match wait_ns {
        HIO_FOREVER => driver.wait(None),
        nanos => driver.wait(Some(Duration::from_nanos(nanos))),
    })
}

/// Ends the hio_wait under way, or else the next one. From any thread, and from a signal handler.
#[unsafe(no_mangle)]
pub extern "C" fn hio_interrupt(handle: hio_loop) -> hio_status {
    registry::interrupt(handle)
}

/// The descriptor that is readable when a socket of the loop is ready, for poll, epoll or kqueue of
/// the host. It stays the loop's own. Call hio_tick when it is readable, and hio_due before
/// sleeping. HIO_ERR_UNSUPPORTED where there is none (Windows).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hio_poll_fd(handle: hio_loop, out_fd: *mut c_int) -> hio_status {
    done(handle, |driver| {
        // SAFETY: the host vouches for its pointers.
        let out = unsafe { raw::out(out_fd, "out_fd") }?;
        let fd = driver.poll_fd();
        out.put(fd.ok_or_else(|| {
            let text = "there is no descriptor to watch on this platform";
            Error::new(hio_status::HIO_ERR_UNSUPPORTED, text)
        })?);
        Ok(())
    })
}

/// Gives a name addresses of its own, best first, separated by commas: "10.0.0.1,::1".
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hio_add_name(
    handle: hio_loop,
    name: *const c_char,
    addresses: *const c_char,
) -> hio_status {
    done(handle, |driver| {
        // SAFETY: the host vouches for its pointers, here and below.
        let name = unsafe { raw::text(name, "name") }?;
        // SAFETY: as before.
        let addresses = unsafe { raw::text(addresses, "addresses") }?;
        driver.add_name(name, addresses)
    })
}

/// Takes the event that has waited longest. HIO_OK and it is in out, or HIO_NONE and out's kind is
/// HIO_EVENT_NONE. out->size must be set before. None is ever lost: see HIO_EVENTS.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hio_next_event(handle: hio_loop, out: *mut hio_event) -> hio_status {
    registry::with(handle, |driver| {
        // SAFETY: the host vouches for its pointers.
        let out = unsafe { raw::out_sized(out) }?;
        let taken = driver.next_event();
        let status = match taken {
            Some(_) => hio_status::HIO_OK,
            None => hio_status::HIO_NONE,
        };
        out.put(taken.map_or(NO_EVENT, |taken| {
            let event = &taken.event;
            let none = (hio_reason::HIO_REASON_NONE, 0);
            let (reason, detail) = event.reason.map_or(none, error::of_reason);
            hio_event {
                size: 0,
                kind: event.kind,
                reason,
                link: event.link,
                server: event.server,
                tag: taken.tag,
                detail,
                attempts: event.attempts,
                wait_ns: event.wait,
                unsent: event.unsent,
                unread: event.unread,
                text: taken.text.as_ptr(),
            }
        }));
        Ok(status)
    })
}

const NO_EVENT: hio_event = hio_event {
    size: 0,
    kind: hio_event_kind::HIO_EVENT_NONE,
    reason: hio_reason::HIO_REASON_NONE,
    link: 0,
    server: 0,
    tag: 0,
    detail: 0,
    attempts: 0,
    wait_ns: 0,
    unsent: 0,
    unread: 0,
    text: c"".as_ptr(),
};

/// Events that may wait, where the host does not say.
const EVENTS_MAX: usize = 65_536;
/// Threads for names that nobody needs more of.
const RESOLVER_THREADS_MAX: usize = 64;
