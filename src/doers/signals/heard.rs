//! Signals as bytes that come in over the net.

use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use signal_hook::SigId;
use signal_hook::consts::FORBIDDEN;
use signal_hook::{flag, low_level};

use crate::net::{Group, Net, NetError, Owner, Sid};

/// Some signals, heard over a socket of a net.
///
/// The handler writes one byte into a socket pair whose other end lives in the net: so a signal
/// wakes its owner as any other traffic does, counts in [`Net::poll_fd`], stands in a recording
/// like all that was read, and waits where nobody looks yet.
#[derive(Debug)]
pub(super) struct Heard {
    group: Group,
    reader: Sid,
    registered: Vec<SigId>,
    ready: Vec<Sid>,
    kind: Kind,
}

/// What a signal does to a process that does not look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The next one ends it, unless somebody has [looked](Heard::look) meanwhile.
    Ends,
    /// Nothing, as long as anybody listens for one of this kind.
    Tells,
}

impl Heard {
    pub(super) fn new(net: &mut dyn Net, signals: &[i32], kind: Kind) -> Result<Self, NetError> {
        if signals.iter().any(|s| FORBIDDEN.contains(s)) {
            return Err(NetError::Invalid);
        }
        let (reader, writer) = UnixStream::pair()?;
        // A full pair says no more than one that has a byte in it.
        writer.set_nonblocking(true)?;
        let group = net.group(Owner::NONE);
        let reader = net.adopt(group, reader.into())?;
        kind.of_process().watch();
        // Made before the handlers: when one is refused, the drop takes back the others.
        let mut heard = Self {
            group,
            reader,
            registered: Vec::new(),
            ready: Vec::new(),
            kind,
        };
        for &signal in signals {
            heard.register(signal, writer.try_clone()?)?;
        }
        Ok(heard)
    }

    /// The handlers of a signal run in this order: die if armed, arm, write.
    fn register(&mut self, signal: i32, writer: UnixStream) -> Result<(), NetError> {
        let armed = self.kind.of_process().guard(signal)?;
        if self.kind == Kind::Ends {
            self.registered.push(flag::register(signal, armed)?);
        }
        self.registered
            .push(low_level::pipe::register(signal, writer)?);
        Ok(())
    }

    /// Takes what the handlers wrote; says whether there was any. The process goes on after the
    /// next signal as after this one.
    pub(super) fn look(&mut self, net: &mut dyn Net) -> Result<bool, NetError> {
        self.ready.clear();
        net.ready(self.group, &mut self.ready);
        let (mut any, mut bytes) = (false, [0; 16]);
        while net.read(self.reader, &mut bytes)?.is_some_and(|n| n > 0) {
            any = true;
        }
        Ok(any)
    }

    /// Somebody acts on the signal: the next one need not end the process.
    pub(super) fn attended(&self) {
        self.kind.of_process().disarm();
    }

    pub(super) fn set_owner(&self, net: &mut dyn Net, owner: Owner) {
        net.set_owner(self.group, owner);
    }
}

impl Drop for Heard {
    /// When it was the last one, a signal does again what it does by default.
    fn drop(&mut self) {
        for id in self.registered.drain(..) {
            low_level::unregister(id);
        }
        self.kind.of_process().unwatch();
    }
}

/// What all listeners of a process share, as they share its signals.
#[derive(Default)]
struct Signals {
    /// Whether the next signal ends the process.
    armed: Arc<AtomicBool>,
    /// Who listens.
    watching: AtomicUsize,
    /// Signals that have their last resort. It stays for good: a handler that does nothing at
    /// all would make the process deaf.
    guarded: Mutex<Vec<i32>>,
}

impl Kind {
    fn of_process(self) -> &'static Signals {
        static ENDS: OnceLock<Signals> = OnceLock::new();
        static TELLS: OnceLock<Signals> = OnceLock::new();
        let signals = match self {
            Self::Ends => &ENDS,
            Self::Tells => &TELLS,
        };
        signals.get_or_init(Signals::default)
    }
}

impl Signals {
    fn watch(&self) {
        self.watching.fetch_add(1, Ordering::SeqCst);
        self.disarm();
    }

    fn unwatch(&self) {
        if self.watching.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.armed.store(true, Ordering::SeqCst);
        }
    }

    fn disarm(&self) {
        self.armed.store(false, Ordering::SeqCst);
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
