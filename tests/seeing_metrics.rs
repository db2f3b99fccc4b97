//! Goal: figures reach the recorder of the crate metrics under the names that the page lists.
//! Method: a recorder of this thread that keeps what it is told; the page's table is read and every
//! name and kind in it is compared, in both directions.
#![cfg(feature = "metrics")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hio::doers::EchoServerDoer;
use hio::doing::prelude::*;
use hio::doing::{DoerStats, StallWatch};
use hio::link::{DatagramStats, Limits, Load, Server, Stats};
use hio::net::{Endpoint, ListenOptions, MioNet, NetStats};
use hio::seeing::{MetricsDoer, Publish};
use hio::tyme::{Clock, ManualClock};
use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder,
    SharedString, Unit,
};

/// Everything that was told, by kind, name and labels.
#[derive(Clone, Debug, Default)]
struct Told(Arc<Mutex<Cells>>);

type Cells = BTreeMap<(&'static str, String, String), Arc<Cell>>;

/// A value as bits.
#[derive(Debug, Default)]
struct Cell(AtomicU64);

impl CounterFn for Cell {
    fn increment(&self, value: u64) {
        self.0.fetch_add(value, Ordering::SeqCst);
    }
    fn absolute(&self, value: u64) {
        self.0.fetch_max(value, Ordering::SeqCst);
    }
}

impl GaugeFn for Cell {
    fn increment(&self, _: f64) {}
    fn decrement(&self, _: f64) {}
    fn set(&self, value: f64) {
        self.0.store(value.to_bits(), Ordering::SeqCst);
    }
}

impl HistogramFn for Cell {
    fn record(&self, value: f64) {
        self.0.store(value.to_bits(), Ordering::SeqCst);
    }
}

impl Told {
    fn cell(&self, kind: &'static str, key: &Key) -> Arc<Cell> {
        let labels = key.labels().map(|l| format!("{}={}", l.key(), l.value()));
        let labels = labels.collect::<Vec<_>>().join(",");
        let place = (kind, key.name().to_owned(), labels);
        Arc::clone(self.0.lock().unwrap().entry(place).or_default())
    }

    fn value(&self, kind: &'static str, name: &str, labels: &str) -> Option<u64> {
        let place = (kind, name.to_owned(), labels.to_owned());
        let all = self.0.lock().unwrap();
        all.get(&place).map(|cell| cell.0.load(Ordering::SeqCst))
    }

    fn gauge(&self, name: &str, labels: &str) -> Option<f64> {
        self.value("gauge", name, labels).map(f64::from_bits)
    }

    fn names(&self) -> BTreeSet<(String, String)> {
        let all = self.0.lock().unwrap();
        all.keys()
            .map(|(kind, name, _)| (name.clone(), (*kind).to_owned()))
            .collect()
    }
}

impl Recorder for Told {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.cell("counter", key))
    }
    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.cell("gauge", key))
    }
    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.cell("histogram", key))
    }
}

#[test]
fn a_doer_publishes_its_doist_its_net_single_doers_and_what_else_it_is_told() {
    let told = Told::default();
    metrics::with_local_recorder(&told, || {
        let at = Endpoint::host("127.0.0.1", 0);
        let server = Server::new(at, ListenOptions::default(), Limits::default());
        let mut doist = Doist::new(0)
            .with_tock(Duration::from_millis(5))
            .with_limit(Duration::from_millis(50))
            .with_pace(Pace::Asap);
        let handle = doist.stats_handle();
        doist.named("echo").add(EchoServerDoer::new(server));
        let figures = MetricsDoer::new("main", Duration::from_millis(10))
            .with_doers(handle, 1)
            .also(|cx: &mut Cx<'_, u32>| {
                *cx.app += 1;
                Stats::default().publish("server");
            });
        doist.named("figures").add(figures);
        doist.named("more").add(redo(std::iter::repeat(Again)));
        doist.run(&mut MioNet::new().unwrap()).unwrap();
        assert_eq!(doist.app, 5, "once in a period");
    });
    let of_doist = |name: &str| told.value("counter", name, "name=main");
    assert_eq!(of_doist("hio_doist_ticks"), Some(8), "at 40 ms");
    assert_eq!(of_doist("hio_doist_passes"), Some(9));
    assert_eq!(told.gauge("hio_doist_doers_open", "name=main"), Some(3.0));
    assert_eq!(told.gauge("hio_doist_doers_parked", "name=main"), Some(1.0));
    assert_eq!(told.gauge("hio_net_sockets", "name=main"), Some(1.0));
    assert!(of_doist("hio_net_polls") >= Some(8));
    let reset = "name=server,reason=reset";
    assert_eq!(told.value("counter", "hio_link_closed", reset), Some(0));
    let of_doer = |path: &str| told.value("counter", "hio_doer_recurs", &format!("name={path}"));
    assert!(of_doer("echo").is_some());
    assert_eq!(of_doer("more"), None, "one doer was asked for");
}

#[test]
fn counters_are_what_they_are_however_often_they_are_published() {
    let told = Told::default();
    metrics::with_local_recorder(&told, || {
        let mut doist = Doist::new(()).with_pace(Pace::Asap);
        doist.add(redo([Again, Done(true)]));
        doist.run(&mut NullNet::default()).unwrap();
        doist.stats().publish("x");
        doist.stats().publish("x");
    });
    assert_eq!(told.value("counter", "hio_doist_recurs", "name=x"), Some(2));
}

/// A clock that gains 70 ms with each look.
struct Fast(ManualClock);

impl Clock for Fast {
    fn now(&mut self) -> Tyme {
        self.0.advance(Duration::from_millis(70));
        self.0.now()
    }
    fn wall(&mut self) -> Duration {
        Duration::ZERO
    }
}

/// All there is to publish, once.
fn everything() {
    Doist::new(()).stats().publish("x");
    DoerStats::default().publish("x");
    Stats::default().publish("x");
    Load::default().publish("x");
    DatagramStats::default().publish("x");
    NetStats::default().publish("x");
    let clock = Fast(ManualClock::default());
    let watch = StallWatch::new(clock, Duration::from_millis(50));
    let mut doist = Doist::new(()).with_pace(Pace::Asap);
    doist.watch(watch.on_stall(|stall| stall.publish("x")));
    doist.named("slow").add(redo([Done(true)]));
    doist.run(&mut NullNet::default()).unwrap();
}

#[test]
fn the_page_lists_every_metric_and_no_other() {
    let told = Told::default();
    metrics::with_local_recorder(&told, everything);
    assert_eq!(
        told.value("histogram", "hio_stall_seconds", "name=x,doer=slow"),
        Some(0.07_f64.to_bits())
    );
    let page = std::fs::read_to_string("docs/seeing.md").unwrap();
    let rows = page.lines().filter(|line| line.starts_with("| `hio_"));
    let listed: BTreeSet<(String, String)> = rows
        .map(|line| {
            let mut cells = line.trim_matches('|').split('|').map(str::trim);
            let name = cells.next().unwrap().trim_matches('`').to_owned();
            (name, cells.next().unwrap().to_owned())
        })
        .collect();
    assert!(listed.len() > 40, "the table of the page");
    assert_eq!(listed, told.names());
}
