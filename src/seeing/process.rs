use super::trace::TraceEvents;
use crate::doing::{DoerId, Event, PassKind, Seen, Watcher};
use crate::net::{Io, Net, NetWatch, Watched};
use crate::tyme::Tyme;

/// One Doist's part of a [`TraceEvents`]: made by [`TraceEvents::process`].
#[derive(Clone, Debug)]
pub struct TraceProcess {
    trace: TraceEvents,
    number: usize,
}

/// Puts doers and passes into a trace: for [`Doist::watch`](crate::doing::Doist::watch).
#[derive(Clone, Debug)]
pub struct TraceDoers(TraceProcess);

/// Puts the operations of a net into a trace: for [`Watched`], or for
/// [`Sim::watch_nets`](crate::sim::Sim::watch_nets). Reads and accepts that find nothing are left out.
#[derive(Clone, Debug)]
pub struct TraceNet {
    process: TraceProcess,
    begun: Tyme,
}

impl TraceProcess {
    pub(super) const fn new(trace: TraceEvents, number: usize) -> Self {
        Self { trace, number }
    }

    /// What is given to the Doist.
    #[must_use]
    pub fn doers(&self) -> TraceDoers {
        TraceDoers(self.clone())
    }

    /// What is given to the net, or to a simulation.
    #[must_use]
    pub fn io(&self) -> TraceNet {
        TraceNet {
            process: self.clone(),
            begun: Tyme::ZERO,
        }
    }

    /// A net whose operations are in the trace.
    #[must_use]
    pub fn net<N: Net>(&self, net: N) -> Watched<N, TraceNet> {
        Watched::new(net, self.io())
    }
}

impl Watcher for TraceDoers {
    fn begins(&mut self, doer: &Seen<'_>, hook: Event) {
        self.0.trace.writer().hook_begins(self.0.number, doer, hook);
    }

    fn ended(&mut self, _tyme: Tyme, doer: DoerId, hook: Event) {
        self.0.trace.writer().hook_ended(self.0.number, doer, hook);
    }

    fn pass_begins(&mut self, tyme: Tyme, kind: PassKind) {
        self.0.trace.writer().pass_begins(self.0.number, tyme, kind);
    }

    fn pass_ended(&mut self, _tyme: Tyme) {
        self.0.trace.writer().pass_ended(self.0.number);
    }
}

impl NetWatch for TraceNet {
    fn begins(&mut self) {
        self.begun = self.process.trace.writer().now(self.process.number);
    }

    fn ended(&mut self, io: &Io<'_>) {
        let Self { process, begun } = self;
        process.trace.writer().io(process.number, *begun, io);
    }
}
