//! Pointers of C to values and back. Every function here that is `unsafe` asks the same of its
//! caller: that a pointer which is not null points to as much as the header says, for the time of
//! the call. Nulls, lengths, alignment and text are checked here.

use std::ffi::{c_char, c_void};
use std::mem::MaybeUninit;

use crate::abi::{self, HIO_TEXT_MAX};
use crate::error::Error;

/// A structure of C with its size in front, which grows at its end in later versions.
///
/// # Safety
/// It is `repr(C)`, its first field is a `usize`, its size, and all its bytes may be zero.
pub(crate) unsafe trait Structure: Copy {
    /// Its name, for texts.
    const NAME: &'static str;
}

/// As [`Structure`], for structures that the host fills in.
///
/// # Safety
/// All of its bytes may also be anything: numbers and raw pointers only.
pub(crate) unsafe trait Config: Structure {}

macro_rules! sized {
    ($($name:ident),*) => {$(
        // SAFETY: it is `repr(C)`, begins with `size: usize`, and is made of numbers, raw pointers
        // and enums that have a zero.
        unsafe impl Structure for abi::$name {
            const NAME: &'static str = stringify!($name);
        }
    )*};
}
sized!(
    hio_loop_config,
    hio_limits,
    hio_server_config,
    hio_client_config,
    hio_server_tls,
    hio_client_tls,
    hio_event,
    hio_link_info,
    hio_tls_info,
    hio_stats
);

macro_rules! config {
    ($($name:ident),*) => {$(
        // SAFETY: it is made of numbers and raw pointers only.
        unsafe impl Config for abi::$name {}
    )*};
}
config!(
    hio_loop_config,
    hio_limits,
    hio_server_config,
    hio_client_config,
    hio_server_tls,
    hio_client_tls
);

/// Longest structure that is believed: more is a size that was never set.
const SIZE_MAX: usize = 4096;

fn check_pointer<T>(pointer: *const T, what: &str) -> Result<(), Error> {
    if pointer.is_null() {
        return Err(Error::null(what));
    }
    match pointer.is_aligned() {
        true => Ok(()),
        false => Err(Error::argument(format!("{what} is not aligned"))),
    }
}

/// The size that a structure says it has.
///
/// # Safety
/// As the module says.
unsafe fn size_of_sized<T: Structure>(pointer: *const T) -> Result<usize, Error> {
    check_pointer(pointer, T::NAME)?;
    // SAFETY: not null, aligned, and the first field of a `Structure` is a usize.
    let size = unsafe { pointer.cast::<usize>().read() };
    match (size_of::<T>()..=SIZE_MAX).contains(&size) {
        true => Ok(size),
        false => Err(Error::argument(format!(
            "{}.size is {size}, at least {} is wanted",
            T::NAME,
            size_of::<T>()
        ))),
    }
}

/// A structure that the host filled in. One of a later version will do, if what this version does
/// not know is zero.
///
/// # Safety
/// As the module says; it points to as many bytes as its first field says.
pub(crate) unsafe fn config<T: Config>(pointer: *const T) -> Result<T, Error> {
    // SAFETY: handed on.
    let size = unsafe { size_of_sized(pointer) }?;
    for at in size_of::<T>()..size {
        // SAFETY: below the size that the structure says it has.
        let byte = unsafe { pointer.cast::<u8>().wrapping_add(at).read() };
        if byte != 0 {
            let text = format!("{} has fields that are not known here", T::NAME);
            return Err(Error::new(abi::hio_status::HIO_ERR_UNSUPPORTED, text));
        }
    }
    // SAFETY: not null, aligned, at least as long as T, and T may have any bytes.
    Ok(unsafe { pointer.read() })
}

/// As [`config`]; null stands for all zero, which is all defaults.
///
/// # Safety
/// As [`config`].
pub(crate) unsafe fn config_or_zero<T: Config>(pointer: *const T) -> Result<T, Error> {
    if pointer.is_null() {
        // SAFETY: a `Structure` may be all zero.
        return Ok(unsafe { MaybeUninit::zeroed().assume_init() });
    }
    // SAFETY: handed on.
    unsafe { config(pointer) }
}

/// Where a result goes.
#[derive(Debug)]
pub(crate) struct Out<T>(*mut T);

/// Checks that a result can be stored there.
///
/// # Safety
/// As the module says, as long as the [`Out`] lives.
pub(crate) unsafe fn out<T>(pointer: *mut T, what: &str) -> Result<Out<T>, Error> {
    check_pointer(pointer, what)?;
    Ok(Out(pointer))
}

impl<T: Copy> Out<T> {
    pub(crate) fn put(self, value: T) {
        // SAFETY: it was made by `out`, whose caller vouches for the pointer.
        unsafe { self.0.write(value) }
    }
}

/// Where a structure goes.
#[derive(Debug)]
pub(crate) struct OutSized<T>(*mut T);

/// Checks that a structure can be stored there. The host may know a later, longer version: the
/// rest of it is left alone.
///
/// # Safety
/// As [`out`].
pub(crate) unsafe fn out_sized<T: Structure>(pointer: *mut T) -> Result<OutSized<T>, Error> {
    // SAFETY: handed on.
    unsafe { size_of_sized(pointer) }?;
    Ok(OutSized(pointer))
}

impl<T: Structure> OutSized<T> {
    /// Stores all but the size, which stays what the host has set.
    pub(crate) fn put(self, value: T) {
        // SAFETY: the first field is the size, and it was read before.
        let size = unsafe { self.0.cast::<usize>().read() };
        // SAFETY: it was made by `out_sized`, which found it long enough.
        unsafe { self.0.write(value) };
        // SAFETY: as before.
        unsafe { self.0.cast::<usize>().write(size) }
    }
}

/// A text that ends with a zero.
///
/// # Safety
/// As the module says; the text stays as it is as long as the result lives.
pub(crate) unsafe fn text<'a>(pointer: *const c_char, what: &str) -> Result<&'a str, Error> {
    if pointer.is_null() {
        return Err(Error::null(what));
    }
    let pointer = pointer.cast::<u8>();
    let mut len = 0;
    // SAFETY: the text ends with a zero, and no byte before it was one.
    while unsafe { pointer.wrapping_add(len).read() } != 0 {
        len += 1;
        if len > HIO_TEXT_MAX as usize {
            let text = format!("{what} is longer than {HIO_TEXT_MAX} bytes");
            return Err(Error::argument(text));
        }
    }
    // SAFETY: so many bytes were just read.
    let bytes = unsafe { std::slice::from_raw_parts(pointer, len) };
    std::str::from_utf8(bytes).map_err(|_| {
        let text = format!("{what} is not UTF-8");
        Error::new(abi::hio_status::HIO_ERR_TEXT, text)
    })
}

/// As [`text`]; null stands for none.
///
/// # Safety
/// As [`text`].
pub(crate) unsafe fn text_if_any<'a>(
    pointer: *const c_char,
    what: &str,
) -> Result<Option<&'a str>, Error> {
    match pointer.is_null() {
        true => Ok(None),
        // SAFETY: handed on.
        false => unsafe { text(pointer, what) }.map(Some),
    }
}

/// Bytes. Null will do for none.
///
/// # Safety
/// As the module says; the bytes stay as they are as long as the result lives.
pub(crate) unsafe fn bytes<'a>(
    pointer: *const c_void,
    len: usize,
    what: &str,
) -> Result<&'a [u8], Error> {
    if len == 0 {
        return Ok(&[]);
    }
    if pointer.is_null() {
        return Err(Error::null(what));
    }
    if isize::try_from(len).is_err() {
        return Err(Error::argument(format!("{what} cannot have {len} bytes")));
    }
    // SAFETY: not null, bytes need no alignment, and the length is one that an object can have.
    Ok(unsafe { std::slice::from_raw_parts(pointer.cast(), len) })
}

/// Where a text goes: `cap` bytes, the zero at its end included, and its length.
#[derive(Debug)]
pub(crate) struct OutText {
    buffer: *mut u8,
    cap: usize,
    len: Option<Out<usize>>,
}

/// Checks that a text can be stored there. `len` may be null; the buffer may when `cap` is 0.
///
/// # Safety
/// As [`out`].
pub(crate) unsafe fn out_text(
    buffer: *mut c_char,
    cap: usize,
    len: *mut usize,
) -> Result<OutText, Error> {
    if buffer.is_null() && cap > 0 {
        return Err(Error::null("buffer"));
    }
    let len = match len.is_null() {
        true => None,
        // SAFETY: handed on.
        false => Some(unsafe { out(len, "len") }?),
    };
    Ok(OutText {
        buffer: buffer.cast(),
        cap,
        len,
    })
}

impl OutText {
    /// Stores the text and its length; only the length when there is no room.
    pub(crate) fn put(self, text: &str) -> Result<(), Error> {
        let needed = text.len() + 1;
        if let Some(len) = self.len {
            len.put(text.len());
        }
        if needed > self.cap {
            return Err(Error::new(
                abi::hio_status::HIO_ERR_TOO_SMALL,
                format!("the text needs {needed} bytes, the buffer has {}", self.cap),
            ));
        }
        // SAFETY: the buffer has `cap` bytes, the text fits, and is none of the host's memory.
        unsafe { std::ptr::copy_nonoverlapping(text.as_ptr(), self.buffer, text.len()) };
        // SAFETY: `needed` is within `cap`.
        let end = unsafe { self.buffer.add(text.len()) };
        // SAFETY: as before.
        unsafe { end.write(0) };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::{hio_limits, hio_loop_config, hio_stats, hio_status};

    fn zero<T: Config>() -> T {
        // SAFETY: null is allowed.
        unsafe { config_or_zero(std::ptr::null()) }.unwrap()
    }

    #[test]
    fn a_structure_without_its_size_is_refused() {
        for size in [0, 1, size_of::<hio_limits>() - 1, SIZE_MAX + 1, usize::MAX] {
            let limits = hio_limits {
                size,
                ..zero::<hio_limits>()
            };
            // SAFETY: a size that is wrong is not believed.
            let refused = unsafe { config(&raw const limits) }.unwrap_err();
            assert_eq!(refused.status, hio_status::HIO_ERR_ARGUMENT);
            assert!(refused.text.contains("hio_limits.size"), "{}", refused.text);
        }
        // SAFETY: null is found out.
        let null = unsafe { config::<hio_limits>(std::ptr::null()) }.unwrap_err();
        assert_eq!(null.status, hio_status::HIO_ERR_NULL);
    }

    #[test]
    fn a_longer_structure_is_taken_if_the_rest_is_zero() {
        #[repr(C)]
        struct Later {
            now: hio_loop_config,
            then: u64,
        }
        let now = hio_loop_config {
            size: size_of::<Later>(),
            events_max: 7,
            ..zero::<hio_loop_config>()
        };
        for (then, fine) in [(0, true), (1 << 63, false), (1, false)] {
            let later = Later { now, then };
            // SAFETY: it is as long as it says.
            let read = unsafe { config((&raw const later).cast::<hio_loop_config>()) };
            assert_eq!(read.is_ok(), fine);
            match read {
                Ok(read) => assert_eq!(read.events_max, 7),
                Err(why) => assert_eq!(why.status, hio_status::HIO_ERR_UNSUPPORTED),
            }
        }
    }

    #[test]
    fn a_result_goes_where_it_fits_and_keeps_the_size() {
        #[repr(C)]
        struct Later {
            stats: hio_stats,
            then: u64,
        }
        // SAFETY: all of it may be zero.
        let zero: hio_stats = unsafe { MaybeUninit::zeroed().assume_init() };
        let mut later = Later {
            stats: hio_stats {
                size: size_of::<Later>(),
                ..zero
            },
            then: 9,
        };
        // SAFETY: it is as long as it says.
        let out = unsafe { out_sized((&raw mut later).cast::<hio_stats>()) }.unwrap();
        out.put(hio_stats { links: 5, ..zero });
        assert_eq!(
            (later.stats.links, later.stats.size, later.then),
            (5, size_of::<Later>(), 9)
        );
        let mut bytes = [0_u64; 32];
        let odd = bytes.as_mut_ptr().cast::<u8>().wrapping_add(1);
        // SAFETY: it is found to be misaligned.
        let refused = unsafe { out_sized(odd.cast::<hio_stats>()) }.unwrap_err();
        assert_eq!(refused.status, hio_status::HIO_ERR_ARGUMENT);
    }

    #[test]
    fn texts_are_checked() {
        let read = |bytes: &[u8]| {
            // SAFETY: each ends with a zero.
            unsafe { text(bytes.as_ptr().cast(), "it") }
                .map(str::to_owned)
                .map_err(|e| e.status)
        };
        assert_eq!(read(b"abc\0"), Ok("abc".to_owned()));
        assert_eq!(read(b"\0"), Ok(String::new()));
        assert_eq!(read(b"\xff\0"), Err(hio_status::HIO_ERR_TEXT));
        let mut long = vec![b'x'; HIO_TEXT_MAX as usize];
        long.push(0);
        assert_eq!(read(&long).map(|t| t.len()), Ok(HIO_TEXT_MAX as usize));
        long.insert(0, b'x');
        assert_eq!(read(&long), Err(hio_status::HIO_ERR_ARGUMENT));
    }

    #[test]
    fn a_text_goes_out_whole_or_not_at_all() {
        let mut buffer = [7_u8; 8];
        let mut len = 0;
        let mut put = |cap, text: &str| {
            // SAFETY: the buffer is longer than any cap here.
            let out = unsafe { out_text(buffer.as_mut_ptr().cast(), cap, &raw mut len) };
            let done = out.unwrap().put(text).map_err(|e| e.status);
            (done, buffer, len)
        };
        let small = Err(hio_status::HIO_ERR_TOO_SMALL);
        assert_eq!(put(3, "abc"), (small, [7; 8], 3));
        assert_eq!(put(0, ""), (small, [7; 8], 0));
        assert_eq!(put(4, "abc"), (Ok(()), *b"abc\0\x07\x07\x07\x07", 3));
    }

    #[test]
    fn no_bytes_may_be_null_and_others_may_not() {
        // SAFETY: null is found out.
        let none = unsafe { bytes(std::ptr::null(), 0, "data") };
        assert_eq!(none, Ok(&[][..]));
        // SAFETY: null is found out.
        let null = unsafe { bytes(std::ptr::null(), 1, "data") };
        assert_eq!(null.unwrap_err().status, hio_status::HIO_ERR_NULL);
        // SAFETY: the length is found out.
        let huge = unsafe { bytes((&raw const ONE_BYTE).cast(), usize::MAX, "data") };
        assert_eq!(huge.unwrap_err().status, hio_status::HIO_ERR_ARGUMENT);
    }

    static ONE_BYTE: u8 = 0;
}
