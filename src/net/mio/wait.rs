//! Waiting by other means than the poll's own, and the poll as a descriptor in a foreign loop.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use super::MioNet;

/// What waits until a descriptor can be read or a time is over; `None` is no end.
type Wait = dyn FnMut(BorrowedFd<'_>, Option<Duration>) -> io::Result<()> + Send;

pub(super) struct Waiter(Box<Wait>);

impl Waiter {
    pub(super) fn wait(&mut self, poll: BorrowedFd<'_>, time: Option<Duration>) -> io::Result<()> {
        (self.0)(poll, time)
    }
}

impl fmt::Debug for Waiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Waiter")
    }
}

impl MioNet {
    /// Waits by this instead of by the poll itself, which on Linux counts in whole milliseconds.
    ///
    /// It is handed the poll's descriptor and the time to wait, `None` for no end; it returns when
    /// the descriptor can be read or the time is over, whatever comes first, and may return early.
    /// A wait costs one system call more. For ticks finer than some milliseconds in
    /// [`Doist::run`](crate::doing::Doist::run): `ppoll` counts in nanoseconds. One that does not
    /// look at the descriptor, as a sleep, lets the sockets wait for the next tick.
    ///
    /// # Errors
    /// Those of the waiter end the poll, except [`Interrupted`](io::ErrorKind::Interrupted): a
    /// signal ends the wait early.
    ///
    /// ```
    /// use hio::net::{MioNet, Net};
    /// use rustix::event::{PollFd, PollFlags, Timespec, poll};
    /// use std::time::Duration;
    ///
    /// let mut net = MioNet::new()?.with_waiter(|fd, time| {
    ///     let time = time.map(|time| Timespec {
    ///         tv_sec: time.as_secs() as i64,
    ///         tv_nsec: time.subsec_nanos().into(),
    ///     });
    ///     poll(&mut [PollFd::from_borrowed_fd(fd, PollFlags::IN)], time.as_ref())?;
    ///     Ok(())
    /// });
    /// let until = net.now() + Duration::from_micros(300);
    /// net.poll(until)?; // about 0.3 ms, where epoll would have taken 1 ms
    /// assert!(net.now() >= until);
    /// # Ok::<(), hio::net::NetError>(())
    /// ```
    #[must_use]
    pub fn with_waiter(
        mut self,
        wait: impl FnMut(BorrowedFd<'_>, Option<Duration>) -> io::Result<()> + Send + 'static,
    ) -> Self {
        self.waiter = Some(Waiter(Box::new(wait)));
        self
    }
}

/// The poll itself, to watch in a foreign loop: it can be read when a socket is ready. The same as
/// [`Net::poll_fd`](crate::net::Net::poll_fd). A loop that wants to own what it watches takes a
/// [clone](BorrowedFd::try_clone_to_owned).
impl AsFd for MioNet {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.poll.registry().as_fd()
    }
}
