//! The system's resolver, asked in threads of its own, because it blocks.
//!
//! The threads know names and answers only: no net, no sockets. They are started one by one as
//! names are asked for, and end when their [`Resolver`] is dropped: an idle one at once, one that
//! is inside a look-up when that returns. Nobody waits for it, as nothing can cut a look-up of the
//! system short; its answer goes nowhere.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;

use ::mio::Waker;

use crate::net::{CacheLimits, Lookup, NetError};

/// How much a resolver does at once, and what it remembers.
///
/// ```
/// use hio::net::{MioNet, ResolverOptions};
/// let options = ResolverOptions { threads_max: 2, ..ResolverOptions::default() };
/// let net = MioNet::new()?.with_resolver(options)?;
/// # drop(net);
/// # Ok::<(), hio::net::NetError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResolverOptions {
    /// Look-ups under way at once, each in a thread. They are started when they are first needed
    /// and stay. Default 4.
    pub threads_max: usize,
    /// Names that are looked up or wait for it; another one fails as [`NetError::Exhausted`].
    /// Default 256.
    pub names_max: usize,
    /// What is remembered, and for how long.
    pub cache: CacheLimits,
}

impl Default for ResolverOptions {
    fn default() -> Self {
        Self {
            threads_max: 4,
            names_max: 256,
            cache: CacheLimits::default(),
        }
    }
}

/// A look-up that may take its time: the addresses of a name, best first.
pub(super) type LookUp = dyn Fn(&str) -> Result<Vec<IpAddr>, NetError> + Send + Sync;

/// Asks the system, by getaddrinfo or its like.
pub(super) fn ask_system(name: &str) -> Result<Vec<IpAddr>, NetError> {
    let found = (name, 0).to_socket_addrs().map_err(|e| failure(&e))?;
    let mut addresses = Vec::new();
    for address in found {
        let ip = address.ip();
        if !addresses.contains(&ip) {
            addresses.push(ip);
        }
    }
    Ok(addresses)
}

/// The standard library does not say which failure of the resolver it was.
fn failure(e: &io::Error) -> NetError {
    match NetError::from(e) {
        NetError::Exhausted => NetError::Exhausted,
        _ => NetError::Unresolvable,
    }
}

/// The end of the threads that the net holds.
pub(super) struct Resolver {
    shared: Arc<Shared>,
    look_up: Arc<LookUp>,
    threads: usize,
    threads_max: usize,
}

struct Shared {
    work: Mutex<Work>,
    more: Condvar,
    /// Weak, so that a thread that outlives the net keeps no descriptor of it.
    waker: Weak<Waker>,
}

#[derive(Default)]
struct Work {
    queue: VecDeque<Arc<str>>,
    answers: Vec<(Arc<str>, Lookup)>,
    /// Threads that wait for work.
    idle: usize,
    ended: bool,
}

impl Resolver {
    pub(super) fn new(threads_max: usize, look_up: Arc<LookUp>, waker: &Arc<Waker>) -> Self {
        let shared = Arc::new(Shared {
            work: Mutex::default(),
            more: Condvar::new(),
            waker: Arc::downgrade(waker),
        });
        Self {
            shared,
            look_up,
            threads: 0,
            threads_max,
        }
    }

    /// Queues a name, and starts a thread for it if none is idle and one more may be.
    ///
    /// # Errors
    /// [`NetError::Exhausted`] when there is no thread and none to be had.
    pub(super) fn ask(&mut self, name: Arc<str>) -> Result<(), NetError> {
        let mut work = self.shared.lock();
        let unattended = work.idle <= work.queue.len();
        if unattended && self.threads < self.threads_max {
            match self.start() {
                Ok(()) => self.threads += 1,
                // Those that are there will come to it.
                Err(e) if self.threads > 0 => log::warn!("no further resolver thread: {e}"),
                Err(e) => {
                    log::warn!("no resolver thread: {e}");
                    return Err(NetError::Exhausted);
                }
            }
        }
        work.queue.push_back(name);
        drop(work);
        self.shared.more.notify_one();
        Ok(())
    }

    fn start(&self) -> io::Result<()> {
        let (shared, look_up) = (Arc::clone(&self.shared), Arc::clone(&self.look_up));
        let thread = thread::Builder::new().name("hio-resolver".to_owned());
        thread
            .spawn(move || shared.attend(look_up.as_ref()))
            .map(drop)
    }

    /// Takes a name back that no thread has begun with. False when one has.
    pub(super) fn withdraw(&self, name: &str) -> bool {
        let mut work = self.shared.lock();
        let place = work.queue.iter().position(|queued| queued.as_ref() == name);
        place.is_some_and(|at| work.queue.remove(at).is_some())
    }

    /// The answers since the last time.
    pub(super) fn answers(&self) -> Vec<(Arc<str>, Lookup)> {
        std::mem::take(&mut self.shared.lock().answers)
    }
}

impl Drop for Resolver {
    fn drop(&mut self) {
        let mut work = self.shared.lock();
        work.ended = true;
        work.queue.clear();
        drop(work);
        self.shared.more.notify_all();
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver")
            .field("threads", &self.threads)
            .finish_non_exhaustive()
    }
}

impl Shared {
    /// Nothing can panic while it is locked; if something did, what it holds is whole anyway.
    fn lock(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a thread does.
    fn attend(&self, look_up: &LookUp) {
        while let Some(name) = self.next() {
            let found = catch_unwind(AssertUnwindSafe(|| look_up(&name)));
            let answer = match found {
                Ok(Ok(addresses)) if !addresses.is_empty() => Lookup::Ready(addresses),
                Ok(Err(why)) => Lookup::Failed(why),
                // No address, or a look-up of the program's own that panicked.
                Ok(Ok(_)) | Err(_) => Lookup::Failed(NetError::Unresolvable),
            };
            let mut work = self.lock();
            if work.ended {
                return;
            }
            work.answers.push((name, answer));
            drop(work);
            if let Some(waker) = self.waker.upgrade() {
                // A waker that fails has no poll left to end.
                drop(waker.wake());
            }
        }
    }

    /// Waits for a name; none when the resolver has ended.
    fn next(&self) -> Option<Arc<str>> {
        let mut work = self.lock();
        work.idle += 1;
        while work.queue.is_empty() && !work.ended {
            work = self.more.wait(work).unwrap_or_else(PoisonError::into_inner);
        }
        work.idle -= 1;
        work.queue.pop_front()
    }
}
