use std::fmt;
use std::time::Duration;

use crate::doing::{Cx, Doer, DoerStats, DoistStats, Fault, Next, Snapshot, Stall, StatsHandle};
use crate::link::{DatagramStats, Load, Stats};
use crate::net::NetStats;
use crate::tyme::Tyme;

/// Hands figures to the recorder of the crate [`metrics`](::metrics), the global one or that of this
/// thread; without one it does nothing.
///
/// Counters are set to what they are, so that publishing twice counts nothing twice. Names are in
/// the table of `docs/seeing.md`; each metric has the label `name`, which says which Doist, server
/// or net it is.
///
/// ```
/// use hio::doing::prelude::*;
/// use hio::seeing::Publish;
/// let doist = Doist::new(());
/// doist.stats().publish("main");
/// ```
pub trait Publish {
    /// Publishes them with the label `name`.
    fn publish(&self, name: &str);
}

impl Publish for DoistStats {
    fn publish(&self, name: &str) {
        let Self { overruns, .. } = self;
        counters(
            name,
            &[
                ("hio_doist_ticks", self.ticks),
                ("hio_doist_passes", self.passes),
                ("hio_doist_wake_passes", self.wake_passes),
                ("hio_doist_recurs", self.recurs),
                ("hio_doist_wakes", self.wakes),
                ("hio_doist_requests", self.requests),
                ("hio_doist_doers_entered", self.entered),
                ("hio_doist_doers_ended", self.ended),
                ("hio_doist_doers_failed", self.failed),
                ("hio_doist_doers_restarted", self.restarted),
                ("hio_doist_doers_dropped", self.dropped),
                ("hio_doist_ticks_late", overruns.late),
                ("hio_doist_ticks_missed", overruns.missed),
                ("hio_doist_realigned", overruns.realigned),
            ],
        );
        gauges(
            name,
            &[
                ("hio_doist_tyme_seconds", self.tyme.as_secs_f64()),
                ("hio_doist_doers_open", float(self.open)),
                ("hio_doist_doers_parked", float(self.parked)),
                ("hio_doist_doers_timed", float(self.timed)),
            ],
        );
    }
}

/// `name` is the path of the doer.
impl Publish for DoerStats {
    fn publish(&self, name: &str) {
        counters(
            name,
            &[
                ("hio_doer_recurs", self.recurs),
                ("hio_doer_wakes", self.wakes),
            ],
        );
        gauges(
            name,
            &[
                ("hio_doer_busy_seconds", self.busy.as_secs_f64()),
                ("hio_doer_longest_seconds", self.longest.as_secs_f64()),
            ],
        );
    }
}

/// Of a server or of a client.
impl Publish for Stats {
    fn publish(&self, name: &str) {
        counters(
            name,
            &[
                ("hio_link_opened", self.opened),
                ("hio_link_received_bytes", self.received),
                ("hio_link_sent_bytes", self.sent),
                ("hio_link_unsent_bytes", self.unsent),
                ("hio_link_accept_errors", self.accept_errors),
                ("hio_link_full_pauses", self.full_pauses),
                ("hio_link_rx_pauses", self.rx_pauses),
                ("hio_link_tx_pauses", self.tx_pauses),
                ("hio_link_events_lost", self.events_lost),
            ],
        );
        for (reason, n) in self.closes.iter() {
            let labels = [("name", name.to_owned()), ("reason", reason.to_owned())];
            ::metrics::counter!("hio_link_closed", &labels).absolute(n);
        }
        gauges(name, &[("hio_link_open", float(self.open()))]);
    }
}

impl Publish for Load {
    fn publish(&self, name: &str) {
        gauges(
            name,
            &[
                ("hio_link_rx_buffered_bytes", float(self.rx as u64)),
                ("hio_link_tx_buffered_bytes", float(self.tx as u64)),
                ("hio_link_pooled_bytes", float(self.pooled as u64)),
            ],
        );
    }
}

impl Publish for DatagramStats {
    fn publish(&self, name: &str) {
        counters(
            name,
            &[
                ("hio_datagram_received", self.received),
                ("hio_datagram_received_bytes", self.received_bytes),
                ("hio_datagram_sent", self.sent),
                ("hio_datagram_sent_bytes", self.sent_bytes),
                ("hio_datagram_truncated", self.truncated),
                ("hio_datagram_dropped", self.dropped),
                ("hio_datagram_refused", self.refused),
                ("hio_datagram_unsent", self.unsent),
                ("hio_datagram_events_lost", self.events_lost),
            ],
        );
    }
}

impl Publish for NetStats {
    fn publish(&self, name: &str) {
        let Self { names, .. } = self;
        counters(
            name,
            &[
                ("hio_net_polls", self.polls),
                ("hio_net_events", self.events),
                ("hio_net_sockets_opened", self.opened),
                ("hio_net_names_asked", names.asked),
                ("hio_net_names_found", names.found),
                ("hio_net_names_failed", names.failed),
                ("hio_net_names_cached", names.cached),
                ("hio_net_names_refused", names.refused),
            ],
        );
        gauges(
            name,
            &[
                ("hio_net_sockets", float(self.sockets as u64)),
                ("hio_net_groups", float(self.groups as u64)),
                ("hio_net_names_waiting", float(names.waiting as u64)),
            ],
        );
    }
}

/// One stall, as [`StallWatch::on_stall`](crate::doing::StallWatch::on_stall) hands it over: a
/// histogram with the label `doer` beside the name.
impl Publish for Stall {
    fn publish(&self, name: &str) {
        let labels = [("name", name.to_owned()), ("doer", self.path.clone())];
        ::metrics::histogram!("hio_stall_seconds", &labels).record(self.took.as_secs_f64());
    }
}

type Also<A> = Box<dyn FnMut(&mut Cx<'_, A>) + Send>;

/// Publishes the figures of its Doist and its net again and again: what it is given the period as
/// its tock for.
///
/// ```
/// use hio::doing::prelude::*;
/// use hio::seeing::{MetricsDoer, Publish};
/// use std::time::Duration;
///
/// let mut doist = Doist::new(()).with_limit(Duration::from_secs(30)).with_pace(Pace::Asap);
/// let handle = doist.stats_handle();
/// doist.add(
///     MetricsDoer::new("main", Duration::from_secs(10))
///         .with_doers(handle, 100)
///         .also(|cx: &mut Cx<'_>| cx.stats().publish("again")), // a server's, mostly
/// );
/// doist.run(&mut NullNet::default())?;
/// # Ok::<(), Fault>(())
/// ```
pub struct MetricsDoer<A: ?Sized + 'static = ()> {
    name: String,
    period: Duration,
    doers: Option<(StatsHandle, usize)>,
    also: Option<Also<A>>,
}

impl<A: ?Sized + 'static> MetricsDoer<A> {
    /// Publishes with the label `name`, once in a period.
    #[must_use]
    pub fn new(name: impl Into<String>, period: Duration) -> Self {
        Self {
            name: name.into(),
            period,
            doers: None,
            also: None,
        }
    }

    /// Publishes single doers, too, by their paths: at most so many, the first in order, as each
    /// is a label of its own for whoever collects them. They are those of the last time.
    #[must_use]
    pub fn with_doers(mut self, handle: StatsHandle, most: usize) -> Self {
        self.doers = Some((handle, most));
        self
    }

    /// Calls this each time: for servers and what else the program has.
    #[must_use]
    pub fn also(mut self, also: impl FnMut(&mut Cx<'_, A>) + Send + 'static) -> Self {
        self.also = Some(Box::new(also));
        self
    }
}

impl<A: ?Sized + 'static> Doer<A> for MetricsDoer<A> {
    fn tock(&self) -> Duration {
        self.period
    }

    fn recur(&mut self, _tyme: Tyme, cx: &mut Cx<'_, A>) -> Result<Next, Fault> {
        cx.stats().publish(&self.name);
        cx.net.stats().publish(&self.name);
        if let Some((handle, most)) = &self.doers {
            if let Some(snapshot) = handle.latest() {
                publish_doers(&snapshot, *most);
            }
            handle.ask();
        }
        if let Some(also) = &mut self.also {
            also(cx);
        }
        Ok(Next::Again)
    }
}

impl<A: ?Sized + 'static> fmt::Debug for MetricsDoer<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MetricsDoer")
            .field("name", &self.name)
            .field("period", &self.period)
            .finish_non_exhaustive()
    }
}

fn publish_doers(snapshot: &Snapshot, most: usize) {
    for doer in snapshot.doers.iter().take(most) {
        doer.stats.publish(&doer.path);
    }
}

fn counters(name: &str, all: &[(&'static str, u64)]) {
    for (key, value) in all {
        ::metrics::counter!(*key, "name" => name.to_owned()).absolute(*value);
    }
}

fn gauges(name: &str, all: &[(&'static str, f64)]) {
    for (key, value) in all {
        ::metrics::gauge!(*key, "name" => name.to_owned()).set(*value);
    }
}

/// Exact up to 2^53.
#[expect(clippy::cast_precision_loss, reason = "gauges are floats")]
const fn float(n: u64) -> f64 {
    n as f64
}
