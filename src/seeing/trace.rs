use std::fmt;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::process::TraceProcess;
use super::writer::Writer;
use crate::tyme::Clock;
use crate::wire::sink;

/// A trace of what doers and sockets did, in the format of Chrome's trace events, for
/// ui.perfetto.dev and chrome://tracing.
///
/// Each [`process`](Self::process) is a Doist, real or simulated. It has a track of passes and polls and one for each doer
/// with its hooks; reads, writes and what else is done on sockets stand inside the hook that did it.
/// Moments are those of the clock that the process was given, in microseconds with three decimals.
/// Nothing that peers send is in it, but addresses, sizes and names of doers are.
///
/// # Limits
/// The file stops at [`with_limit`](Self::with_limit) bytes, by default 64 MiB: what is open then is
/// closed, so that it can be looked at, and what comes later is counted. An event takes 70 to 150
/// bytes. A disk that is full is told once in the log, at `warn`, and counted.
///
/// ```
/// use hio::doing::prelude::*;
/// use hio::seeing::TraceEvents;
/// use hio::tyme::SystemClock;
///
/// let trace = TraceEvents::new("demo", std::io::sink());
/// let process = trace.process("demo", SystemClock::new());
/// let mut doist = Doist::new(()).with_pace(Pace::Asap);
/// doist.watch(process.doers());
/// doist.add(redo([Again, Done(true)]));
/// let mut net = process.net(NullNet::default());
/// doist.run(&mut net)?;
/// let end = trace.finish();
/// assert_eq!((end.lost, end.failure), (0, None));
/// # Ok::<(), Fault>(())
/// ```
#[derive(Clone)]
pub struct TraceEvents(Arc<Mutex<Writer>>);

/// What became of a trace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TraceEnd {
    /// Events that were written, or gathered to be.
    pub events: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Events that were not written: the limit was reached, writing failed, or it was finished.
    pub lost: u64,
    /// Why writing failed, if it did.
    pub failure: Option<io::ErrorKind>,
}

/// Bytes of a trace without a limit of its own.
const LIMIT: u64 = 64 << 20;

impl TraceEvents {
    /// A trace written to `out`; `name` is what the log calls it. Writes 64 KiB at a time.
    #[must_use]
    pub fn new(name: &str, out: impl Write + Send + 'static) -> Self {
        let sink = sink::Sink::new(name.to_owned(), Box::new(out));
        Self(Arc::new(Mutex::new(Writer::new(sink, LIMIT))))
    }

    /// A trace in a file, which is emptied, and which only its owner may read.
    ///
    /// # Errors
    /// The file cannot be made.
    pub fn create(path: impl AsRef<Path>) -> io::Result<Self> {
        let path = path.as_ref();
        let file = sink::create(path)?;
        Ok(Self::new(&path.display().to_string(), file))
    }

    /// Stops at so many bytes; at least 4 KiB, so that a beginning and an end find room.
    #[must_use]
    pub fn with_limit(self, bytes: u64) -> Self {
        self.writer().set_limit(bytes);
        self
    }

    /// A Doist's part of the trace. Its clock says when things happen: for a real one
    /// [`SystemClock`](crate::tyme::SystemClock), for a node of a simulation
    /// [`Sim::clock`](crate::sim::Sim::clock). Several processes should have clocks with one
    /// origin: copies of one.
    #[must_use]
    pub fn process(&self, name: &str, clock: impl Clock + Send + 'static) -> TraceProcess {
        let number = self.writer().add(name, Box::new(clock));
        TraceProcess::new(self.clone(), number)
    }

    /// Writes what was gathered, for a look at a trace that goes on.
    pub fn flush(&self) {
        self.writer().flush();
    }

    /// Ends it: closes what is open and writes the rest. It also happens when the last handle goes.
    pub fn finish(&self) -> TraceEnd {
        let mut writer = self.writer();
        writer.finish();
        writer.end()
    }

    /// What became of it so far.
    #[must_use]
    pub fn so_far(&self) -> TraceEnd {
        self.writer().end()
    }

    pub(super) fn writer(&self) -> MutexGuard<'_, Writer> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for TraceEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TraceEvents").field(&self.so_far()).finish()
    }
}
