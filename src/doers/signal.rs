use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use signal_hook::SigId;
use signal_hook::consts::{FORBIDDEN, SIGINT, SIGTERM};
use signal_hook::{flag, low_level};

use crate::doing::{Cx, Doer, Fault, Next};
use crate::net::{Group, Net, NetError, Owner, Sid};
use crate::tyme::Tyme;

/// Stops the Doist in order when the process is asked to end: SIGINT or SIGTERM.
///
/// It costs nothing while it waits: the handler writes one byte into a socket pair whose other
/// end lives in the net, so a signal wakes the Doist as any other traffic does. There is
/// no thread, and no moment at which a signal goes unnoticed: one that comes before the Doist has
/// entered stays in the pair and stops it in its first pass. That holds for embedded loops too,
/// as the pair counts in [`Net::poll_fd`].
///
/// It never ends by itself: a Doist that has one runs until its limit, a signal or a doer's
/// [`stop`](crate::doing::Ask::stop).
///
/// A *second* signal ends the process at once, as it would have without this doer, and so does
/// one that comes after the last of these doers was dropped. With several of them, each stops its
/// own Doist.
///
/// ```
/// use hio::doers::SignalDoer;
/// use hio::doing::prelude::*;
/// use hio::net::MioNet;
///
/// let mut net = MioNet::new()?;
/// let mut doist = Doist::new(());
/// doist.add(SignalDoer::new(&mut net)?);
/// doist.add(doify(|_tyme, cx: &mut Cx<'_>| {
///     cx.ask.stop(); // what a signal does
///     Ok(Again)
/// }));
/// assert_eq!(doist.run(&mut net)?, Outcome::Stopped);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct SignalDoer {
    group: Group,
    reader: Sid,
    registered: Vec<SigId>,
    ready: Vec<Sid>,
}

impl SignalDoer {
    /// Watches SIGINT and SIGTERM from now on.
    ///
    /// # Errors
    /// The process is out of descriptors, or the system refuses the handlers.
    /// [`NetError::Unsupported`] on a net that has no sockets of the system.
    pub fn new(net: &mut dyn Net) -> Result<Self, NetError> {
        Self::watching(net, &[SIGINT, SIGTERM])
    }

    /// Watches other signals, such as SIGHUP, by their numbers.
    ///
    /// # Errors
    /// As [`new`](Self::new); also for a signal that cannot be handled, as SIGKILL.
    pub fn watching(net: &mut dyn Net, signals: &[i32]) -> Result<Self, NetError> {
        if signals.iter().any(|s| FORBIDDEN.contains(s)) {
            return Err(NetError::Invalid);
        }
        let (reader, writer) = UnixStream::pair()?;
        let group = net.group(Owner::NONE);
        let reader = net.adopt(group, reader.into())?;
        Signals::of_process().watch();
        // Made before the handlers: when one is refused, the drop takes back the others.
        let mut doer = Self {
            group,
            reader,
            registered: Vec::new(),
            ready: Vec::new(),
        };
        for &signal in signals {
            doer.register(signal, writer.try_clone()?)?;
        }
        Ok(doer)
    }

    /// The handlers of a signal run in this order: die if armed, arm, write.
    fn register(&mut self, signal: i32, writer: UnixStream) -> Result<(), NetError> {
        let armed = Signals::of_process().guard(signal)?;
        self.registered.push(flag::register(signal, armed)?);
        self.registered
            .push(low_level::pipe::register(signal, writer)?);
        Ok(())
    }

    /// Takes what the handlers wrote; says whether there was any.
    fn signalled(&mut self, net: &mut dyn Net) -> Result<bool, NetError> {
        self.ready.clear();
        net.ready(self.group, &mut self.ready);
        let (mut any, mut bytes) = (false, [0; 16]);
        while net.read(self.reader, &mut bytes)?.is_some_and(|n| n > 0) {
            any = true;
        }
        Ok(any)
    }
}

impl<A: ?Sized> Doer<A> for SignalDoer {
    fn enter(&mut self, cx: &mut Cx<'_, A>) -> Result<Next, Fault> {
        cx.net.set_owner(self.group, cx.ask.me().into());
        Ok(Next::Again)
    }

    fn recur(&mut self, _tyme: Tyme, cx: &mut Cx<'_, A>) -> Result<Next, Fault> {
        if self.signalled(cx.net)? {
            cx.ask.stop();
        }
        Ok(Next::Park(Tyme::NEVER))
    }

    fn exit(&mut self, cx: &mut Cx<'_, A>) {
        cx.net.set_owner(self.group, Owner::NONE);
    }
}

impl Drop for SignalDoer {
    /// When it was the last one, a signal does again what it does by default.
    fn drop(&mut self) {
        for id in self.registered.drain(..) {
            low_level::unregister(id);
        }
        Signals::of_process().unwatch();
    }
}

/// What all doers of a process share, as they share its signals.
#[derive(Default)]
struct Signals {
    /// Whether the next signal ends the process.
    armed: Arc<AtomicBool>,
    /// Doers that watch.
    watching: AtomicUsize,
    /// Signals that have their last resort. It stays for good: a handler that does nothing at
    /// all would make the process deaf.
    guarded: Mutex<Vec<i32>>,
}

impl Signals {
    fn of_process() -> &'static Self {
        static SIGNALS: OnceLock<Signals> = OnceLock::new();
        SIGNALS.get_or_init(Self::default)
    }

    fn watch(&self) {
        self.watching.fetch_add(1, Ordering::SeqCst);
        self.armed.store(false, Ordering::SeqCst);
    }

    fn unwatch(&self) {
        if self.watching.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.armed.store(true, Ordering::SeqCst);
        }
    }

    /// Gives a signal its last resort, before all other handlers; gives what arms it.
    fn guard(&self, signal: i32) -> Result<Arc<AtomicBool>, NetError> {
        // A list is as good after a panic elsewhere as before.
        let mut guarded = self.guarded.lock().unwrap_or_else(PoisonError::into_inner);
        if !guarded.contains(&signal) {
            flag::register_conditional_default(signal, Arc::clone(&self.armed))?;
            guarded.push(signal);
        }
        Ok(Arc::clone(&self.armed))
    }
}
