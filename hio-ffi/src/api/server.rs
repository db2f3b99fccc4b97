//! Servers.

use std::ffi::c_char;

use hio::net::ListenOptions;

use super::{check_flags, done, endpoint, keepalive, limits};
use crate::abi::{
    HIO_DELAY, HIO_DUAL_STACK, HIO_HOLD, HIO_KEEPALIVE, HIO_REUSE_PORT, hio_loop, hio_server,
    hio_server_config, hio_stats, hio_status, hio_tls,
};
use crate::driver::Listening;
use crate::raw;

/// Listens. at is HOST:PORT, as `127.0.0.1:5000`, `[::1]:5000`, `:5000` (all IPv4 interfaces) or
/// `localhost:0` (a port of the system's choice: hio_server_address), or `unix:PATH`. config may be
/// null.
///
/// HIO_ERR_ADDRESS: that is no address. HIO_ERR_ADDR_IN_USE, HIO_ERR_DENIED and others: it cannot be
/// listened on. HIO_ERR_LIMITS, HIO_ERR_HANDLE (of TLS), HIO_ERR_PENDING.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hio_listen(
    handle: hio_loop,
    at: *const c_char,
    config: *const hio_server_config,
    out: *mut hio_server,
) -> hio_status {
    done(handle, |driver| {
        // SAFETY: the host vouches for its pointers, here and below.
        let out = unsafe { raw::out(out, "out") }?;
        // SAFETY: as before.
        let at = endpoint(unsafe { raw::text(at, "at") }?)?;
        // SAFETY: as before.
        let config = unsafe { raw::config_or_zero(config) }?;
        let known = HIO_HOLD | HIO_DELAY | HIO_KEEPALIVE | HIO_REUSE_PORT | HIO_DUAL_STACK;
        check_flags(config.flags, known, "hio_server_config")?;
        let has = |flag| config.flags & flag != 0;
        let usual = ListenOptions::default();
        let server = driver.listen(Listening {
            at,
            options: ListenOptions {
                backlog: match config.backlog {
                    0 => usual.backlog,
                    backlog => backlog,
                },
                nodelay: !has(HIO_DELAY),
                keepalive: keepalive(has(HIO_KEEPALIVE)),
                reuse_port: has(HIO_REUSE_PORT),
                v6_only: !has(HIO_DUAL_STACK),
                ..usual
            },
            // SAFETY: as before.
            limits: unsafe { limits(config.limits) }?,
            auto_close: !has(HIO_HOLD),
            tls: config.tls,
            tag: config.tag,
        })?;
        out.put(server);
        Ok(())
    })
}

/// Where a server listens: the bound address, ended by a zero. out_len, which may be null, is set to
/// its length without the zero, also with HIO_ERR_TOO_SMALL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hio_server_address(
    handle: hio_loop,
    server: hio_server,
    buffer: *mut c_char,
    cap: usize,
    out_len: *mut usize,
) -> hio_status {
    done(handle, |driver| {
        // SAFETY: the host vouches for its pointers.
        let out = unsafe { raw::out_text(buffer, cap, out_len) }?;
        out.put(&driver.address(server)?.to_string())
    })
}

/// What a server has done so far. out->size must be set before.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hio_server_stats(
    handle: hio_loop,
    server: hio_server,
    out: *mut hio_stats,
) -> hio_status {
    done(handle, |driver| {
        // SAFETY: the host vouches for its pointers.
        let out = unsafe { raw::out_sized(out) }?;
        let (stats, links) = driver.stats(server)?;
        out.put(hio_stats {
            size: 0,
            links: links as u64,
            opened: stats.opened,
            closed: stats.closed,
            received: stats.received,
            sent: stats.sent,
            unsent: stats.unsent,
            accept_errors: stats.accept_errors,
            full_pauses: stats.full_pauses,
        });
        Ok(())
    })
}

/// Speaks TLS differently with those who are accepted from now on, for instance with a new
/// certificate; 0: not at all.
#[unsafe(no_mangle)]
pub extern "C" fn hio_server_set_tls(
    handle: hio_loop,
    server: hio_server,
    tls: hio_tls,
) -> hio_status {
    done(handle, |driver| driver.set_server_tls(server, tls))
}

/// Listens no more; links go on.
#[unsafe(no_mangle)]
pub extern "C" fn hio_server_stop_listening(handle: hio_loop, server: hio_server) -> hio_status {
    done(handle, |driver| driver.stop_listening(server))
}

/// Listens no more and closes all links in order. HIO_EVENT_SERVER_CLOSED says when that is done;
/// the limits drain and linger bound how long it takes.
#[unsafe(no_mangle)]
pub extern "C" fn hio_server_drain(handle: hio_loop, server: hio_server) -> hio_status {
    done(handle, |driver| driver.drain(server))
}

/// Closes a server and its links at once; what is queued is dropped. Its handle names nothing from
/// now on. Each link still has its HIO_EVENT_CLOSED, and what it received can be read until then.
#[unsafe(no_mangle)]
pub extern "C" fn hio_server_close(handle: hio_loop, server: hio_server) -> hio_status {
    done(handle, |driver| driver.close_server(server))
}
