//! Loops by number. A call takes its loop for itself or is told that another thread has it; a
//! panic inside becomes a status, and the loop takes no further call.
//!
//! The loops lie in a fixed table, each behind a lock of its own that is only ever tried, so a call
//! on one loop waits for nobody. A handle of a loop that was freed finds its place empty, or
//! another generation in it.

use std::any::Any;
use std::ffi::CStr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard, RwLock, TryLockError};

use hio::net::Interrupt;

use crate::abi::{HIO_LOOPS_MAX, hio_status};
use crate::driver::Driver;
use crate::error::Error;
use crate::table::{self, GENERATIONS, Kind, LANES};

/// The places for loops.
static SEATS: [Seat; HIO_LOOPS_MAX as usize] = [const { Seat::new() }; HIO_LOOPS_MAX as usize];
const _: () = assert!(HIO_LOOPS_MAX <= LANES);

struct Seat {
    inside: Mutex<Inside>,
    /// Beside the lock, as it is for other threads while a call waits inside.
    interrupt: RwLock<Option<(u32, Interrupt)>>,
}

#[derive(Debug)]
struct Inside {
    /// Of the loop that is here, or of the next one.
    generation: u32,
    /// Where generations of the next loop's handles begin.
    base: u32,
    driver: Option<Box<Driver>>,
    /// A call panicked.
    broken: bool,
}

impl Seat {
    const fn new() -> Self {
        Self {
            inside: Mutex::new(Inside {
                generation: 0,
                base: 0,
                driver: None,
                broken: false,
            }),
            interrupt: RwLock::new(None),
        }
    }

    /// The inside, if no thread is in it. No panic leaves the lock held: all are caught within.
    fn enter(&self) -> Option<MutexGuard<'_, Inside>> {
        match self.inside.try_lock() {
            Ok(guard) => Some(guard),
            Err(TryLockError::Poisoned(guard)) => Some(guard.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    fn set_interrupt(&self, interrupt: Option<(u32, Interrupt)>) {
        // Readers only hold it for the time of one system call.
        let mut place = match self.interrupt.write() {
            Ok(place) => place,
            Err(poisoned) => poisoned.into_inner(),
        };
        *place = interrupt;
    }
}

/// The place of a loop's handle, and the generation that must be in it.
fn seat(handle: u64) -> Option<(&'static Seat, u32)> {
    let parts = table::parts(handle);
    if parts.kind != Kind::Loop as u64 || parts.index != 0 {
        return None;
    }
    Some((SEATS.get(parts.lane as usize)?, parts.generation))
}

/// Makes a loop: its place and where its handles' generations begin are handed to `make`.
pub(crate) fn open(
    make: impl FnOnce(u32, u32) -> Result<Driver, Error>,
) -> Result<u64, hio_status> {
    for (lane, seat) in SEATS.iter().enumerate() {
        let lane = u32::try_from(lane).unwrap_or(u32::MAX);
        let Some(mut inside) = seat.enter() else {
            continue;
        };
        let used_up = inside.generation >= GENERATIONS || inside.base >= GENERATIONS;
        if inside.driver.is_some() || used_up {
            continue;
        }
        let base = inside.base;
        let made = catch_unwind(AssertUnwindSafe(|| make(lane, base)));
        let mut driver = match made {
            Ok(Ok(driver)) => driver,
            Ok(Err(why)) => return Err(why.status),
            Err(panic) => {
                describe(panic);
                return Err(hio_status::HIO_ERR_PANIC);
            }
        };
        let generation = inside.generation;
        seat.set_interrupt(driver.interrupt().map(|fire| (generation, fire)));
        inside.driver = Some(Box::new(driver));
        inside.broken = false;
        return Ok(table::handle(Kind::Loop, lane, 0, generation));
    }
    Err(hio_status::HIO_ERR_TOO_MANY)
}

/// Closes a loop and all that is in it.
pub(crate) fn close(handle: u64) -> hio_status {
    let Some((seat, generation)) = seat(handle) else {
        return hio_status::HIO_ERR_HANDLE;
    };
    let Some(mut inside) = seat.enter() else {
        return hio_status::HIO_ERR_BUSY;
    };
    if inside.generation != generation {
        return hio_status::HIO_ERR_HANDLE;
    }
    let Some(driver) = inside.driver.take() else {
        return hio_status::HIO_ERR_HANDLE;
    };
    inside.base = driver.above();
    inside.generation += 1;
    seat.set_interrupt(None);
    match catch_unwind(AssertUnwindSafe(move || drop(driver))) {
        Ok(()) => hio_status::HIO_OK,
        Err(panic) => {
            describe(panic);
            hio_status::HIO_ERR_PANIC
        }
    }
}

/// A call on a loop.
pub(crate) fn with(
    handle: u64,
    call: impl FnOnce(&mut Driver) -> Result<hio_status, Error>,
) -> hio_status {
    let Some((seat, generation)) = seat(handle) else {
        return hio_status::HIO_ERR_HANDLE;
    };
    let Some(mut inside) = seat.enter() else {
        return hio_status::HIO_ERR_BUSY;
    };
    let inside = &mut *inside;
    let Some(driver) = inside
        .driver
        .as_deref_mut()
        .filter(|_| inside.generation == generation)
    else {
        return hio_status::HIO_ERR_HANDLE;
    };
    if inside.broken {
        return hio_status::HIO_ERR_PANIC;
    }
    match catch_unwind(AssertUnwindSafe(|| call(driver))) {
        Ok(Ok(status)) => status,
        Ok(Err(why)) => {
            driver.fail(&why.text);
            why.status
        }
        Err(panic) => {
            inside.broken = true;
            driver.fail(&describe(panic));
            hio_status::HIO_ERR_PANIC
        }
    }
}

/// Why the last call that failed did: a text that lives in the loop.
pub(crate) fn last_error(handle: u64) -> *const std::ffi::c_char {
    const GONE: &CStr = c"the handle names no loop, or no longer";
    let Some((seat, generation)) = seat(handle) else {
        return GONE.as_ptr();
    };
    let Some(inside) = seat.enter() else {
        return c"another thread is inside a call on that loop".as_ptr();
    };
    match &inside.driver {
        Some(driver) if inside.generation == generation => driver.error().as_ptr(),
        _ => GONE.as_ptr(),
    }
}

/// Ends a wait of another thread, or the next one. Never blocks: who changes the interrupt is about
/// to make or free that loop.
pub(crate) fn interrupt(handle: u64) -> hio_status {
    let found = seat(handle).and_then(|(seat, generation)| {
        let place = seat.interrupt.try_read().ok()?;
        let (at, fire) = place.as_ref()?;
        (*at == generation).then(|| fire.fire())
    });
    match found {
        Some(()) => hio_status::HIO_OK,
        None => hio_status::HIO_ERR_HANDLE,
    }
}

/// What a panic says. Dropping what it carries might panic again.
fn describe(panic: Box<dyn Any + Send>) -> String {
    let words = match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(words), _) => (*words).to_owned(),
        (None, Some(words)) => words.clone(),
        (None, None) => "without words".to_owned(),
    };
    if let Err(again) = catch_unwind(AssertUnwindSafe(move || drop(panic))) {
        std::mem::forget(again);
    }
    format!("the library panicked: {words}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use hio::tyme::Tyme;

    fn open_one() -> u64 {
        let made = open(|lane, base| Driver::new(Tyme::ZERO, 0, 16, lane, base));
        made.unwrap()
    }

    fn words(handle: u64) -> String {
        // SAFETY: the text lives in the loop, which nobody else uses.
        let text = unsafe { CStr::from_ptr(last_error(handle)) };
        text.to_str().unwrap().to_owned()
    }

    #[test]
    fn a_freed_loop_is_gone_also_when_its_place_is_taken_again() {
        let first = open_one();
        assert_eq!(with(first, |_| Ok(hio_status::HIO_OK)), hio_status::HIO_OK);
        assert_eq!(close(first), hio_status::HIO_OK);
        for second in [None, Some(open_one())] {
            assert_eq!(close(first), hio_status::HIO_ERR_HANDLE);
            assert_eq!(with(first, |_| unreachable!()), hio_status::HIO_ERR_HANDLE);
            assert_eq!(interrupt(first), hio_status::HIO_ERR_HANDLE);
            assert!(words(first).contains("no longer"));
            if let Some(second) = second {
                assert_ne!(first, second);
                assert_eq!(close(second), hio_status::HIO_OK);
            }
        }
    }

    #[test]
    fn no_other_number_is_a_loop() {
        let handle = open_one();
        for bad in [0, u64::MAX, handle + 1, handle | 1 << 28, handle ^ 1 << 63] {
            assert_eq!(with(bad, |_| unreachable!()), hio_status::HIO_ERR_HANDLE);
            assert_eq!(close(bad), hio_status::HIO_ERR_HANDLE);
        }
        assert_eq!(close(handle), hio_status::HIO_OK);
    }

    #[test]
    fn a_panic_is_a_status_and_breaks_the_loop() {
        let handle = open_one();
        let broken = with(handle, |_| panic!("a planted {}", "defect"));
        assert_eq!(broken, hio_status::HIO_ERR_PANIC);
        assert_eq!(words(handle), "the library panicked: a planted defect");
        let later = with(handle, |_| unreachable!());
        assert_eq!(later, hio_status::HIO_ERR_PANIC);
        assert_eq!(close(handle), hio_status::HIO_OK);
        assert_eq!(close(handle), hio_status::HIO_ERR_HANDLE);
        let failed = open(|_, _| panic!("another"));
        assert_eq!(failed, Err(hio_status::HIO_ERR_PANIC));
    }

    #[test]
    fn a_failure_leaves_its_words() {
        let handle = open_one();
        let failed = with(handle, |_| Err(Error::argument("so\0 it is")));
        assert_eq!(failed, hio_status::HIO_ERR_ARGUMENT);
        assert_eq!(words(handle), "so");
        assert_eq!(close(handle), hio_status::HIO_OK);
    }

    #[test]
    fn a_loop_in_use_is_busy_for_others_and_can_be_interrupted() {
        let handle = open_one();
        let status = with(handle, |_| {
            let other = std::thread::spawn(move || {
                let busy = (with(handle, |_| unreachable!()), close(handle));
                (busy, interrupt(handle))
            });
            let (busy, fired) = other.join().unwrap();
            assert_eq!(busy, (hio_status::HIO_ERR_BUSY, hio_status::HIO_ERR_BUSY));
            assert_eq!(fired, hio_status::HIO_OK);
            Ok(hio_status::HIO_OK)
        });
        assert_eq!(status, hio_status::HIO_OK);
        let moved = std::thread::spawn(move || close(handle));
        assert_eq!(moved.join().unwrap(), hio_status::HIO_OK);
    }
}
