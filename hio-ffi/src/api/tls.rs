//! TLS.

use super::{check_flags, done};
use crate::abi::{
    HIO_TLS_13_ONLY, HIO_TLS_ANY_NAME, HIO_TLS_OPTIONAL, HIO_TLS_TOLERANT, hio_client_tls,
    hio_link, hio_loop, hio_server_tls, hio_source, hio_status, hio_tls, hio_tls_info,
};
use crate::error::Error;
use crate::raw;
use crate::tls::{Given, Wishes};

/// How servers speak TLS: reads the files, and checks that all fits together. One handle serves any
/// number of servers, which share their sessions. Links and servers that use it keep what they need
/// when it is freed with hio_tls_free.
///
/// HIO_ERR_TLS: hio_last_error says what is wrong. HIO_ERR_UNSUPPORTED: built without TLS.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hio_tls_server_new(
    handle: hio_loop,
    config: *const hio_server_tls,
    out: *mut hio_tls,
) -> hio_status {
    done(handle, |driver| {
        // SAFETY: the host vouches for its pointers, here and below.
        let out = unsafe { raw::out(out, "out") }?;
        // SAFETY: as before.
        let config = unsafe { raw::config(config) }?;
        let known = HIO_TLS_13_ONLY | HIO_TLS_TOLERANT | HIO_TLS_OPTIONAL;
        check_flags(config.flags, known, "hio_server_tls")?;
        check_flags(config.reserved, 0, "hio_server_tls")?;
        let wishes = Wishes {
            // SAFETY: as before.
            certificate: unsafe { given(config.certificate, "certificate") }?,
            // SAFETY: as before.
            key: unsafe { given(config.key, "key") }?,
            // SAFETY: as before.
            ca: unsafe { given(config.client_ca, "client_ca") }?,
            name: None,
            // SAFETY: as before.
            alpn: unsafe { raw::text_if_any(config.alpn, "alpn") }?,
            flags: config.flags,
        };
        out.put(driver.add_tls(wishes.server()?)?);
        Ok(())
    })
}

/// How clients speak TLS; as hio_tls_server_new.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hio_tls_client_new(
    handle: hio_loop,
    config: *const hio_client_tls,
    out: *mut hio_tls,
) -> hio_status {
    done(handle, |driver| {
        // SAFETY: the host vouches for its pointers, here and below.
        let out = unsafe { raw::out(out, "out") }?;
        // SAFETY: as before.
        let config = unsafe { raw::config(config) }?;
        let known = HIO_TLS_13_ONLY | HIO_TLS_TOLERANT | HIO_TLS_ANY_NAME;
        check_flags(config.flags, known, "hio_client_tls")?;
        check_flags(config.reserved, 0, "hio_client_tls")?;
        let wishes = Wishes {
            // SAFETY: as before.
            certificate: unsafe { given(config.certificate, "certificate") }?,
            // SAFETY: as before.
            key: unsafe { given(config.key, "key") }?,
            // SAFETY: as before.
            ca: unsafe { given(config.ca, "ca") }?,
            // SAFETY: as before.
            name: unsafe { raw::text_if_any(config.name, "name") }?,
            // SAFETY: as before.
            alpn: unsafe { raw::text_if_any(config.alpn, "alpn") }?,
            flags: config.flags,
        };
        out.put(driver.add_tls(wishes.client()?)?);
        Ok(())
    })
}

/// What a source gives.
///
/// # Safety
/// As [`raw`] says, as long as the result lives.
unsafe fn given<'a>(source: hio_source, what: &str) -> Result<Given<'a>, Error> {
    // SAFETY: handed on.
    let path = unsafe { raw::text_if_any(source.path, what) }?;
    match (path, source.bytes.is_null()) {
        (Some(_), false) => Err(Error::argument(format!(
            "{what}: a path or bytes, not both"
        ))),
        (Some(path), true) => Ok(Given::Path(path)),
        (None, true) if source.len == 0 => Ok(Given::Nothing),
        // SAFETY: handed on.
        (None, _) => Ok(Given::Bytes(unsafe {
            raw::bytes(source.bytes, source.len, what)
        }?)),
    }
}

/// Frees a handle of TLS. Servers and links that were given it go on.
#[unsafe(no_mangle)]
pub extern "C" fn hio_tls_free(handle: hio_loop, tls: hio_tls) -> hio_status {
    done(handle, |driver| driver.free_tls(tls))
}

/// Begins a TLS handshake on a link that stands, plain or not: as server on accepted ones, as client
/// on dialled ones. What is queued goes out before.
///
/// HIO_ERR_STATE: it does not stand, is half closed, shakes hands, or received bytes are not
/// consumed; hio_last_error says which. It goes on as it was.
#[unsafe(no_mangle)]
pub extern "C" fn hio_link_start_tls(handle: hio_loop, link: hio_link, tls: hio_tls) -> hio_status {
    done(handle, |driver| driver.start_tls(link, tls))
}

/// With whom a link speaks TLS. out->size must be set before. HIO_ERR_STATE: it does not speak TLS,
/// or its handshake is not over, or it is over.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hio_link_tls(
    handle: hio_loop,
    link: hio_link,
    out: *mut hio_tls_info,
) -> hio_status {
    done(handle, |driver| {
        // SAFETY: the host vouches for its pointers.
        let out = unsafe { raw::out_sized(out) }?;
        let info = driver.tls_info(link)?.ok_or_else(|| {
            Error::new(hio_status::HIO_ERR_STATE, "the link does not speak TLS now")
        })?;
        out.put(of_info(&info));
        Ok(())
    })
}

#[cfg(feature = "tls")]
fn of_info(info: &crate::tls::Info<'_>) -> hio_tls_info {
    let lent = |bytes: Option<&[u8]>| match bytes {
        Some(bytes) => (bytes.as_ptr(), bytes.len()),
        None => (std::ptr::null(), 0),
    };
    let (alpn, alpn_len) = lent(info.alpn());
    let (server_name, server_name_len) = lent(info.server_name().map(str::as_bytes));
    let (certificate, certificate_len) = lent(info.chain().next());
    hio_tls_info {
        size: 0,
        version: u32::from(info.version()),
        resumed: u32::from(info.resumed()),
        alpn,
        alpn_len,
        server_name,
        server_name_len,
        certificate,
        certificate_len,
    }
}

#[cfg(not(feature = "tls"))]
fn of_info(info: &crate::tls::Info<'_>) -> hio_tls_info {
    match info {
        crate::tls::Info::Never(never, _) => match *never {},
    }
}
