//! Goal: a trace of a real or simulated run is what Perfetto reads, is bounded, and tells what happened.
//! Method: every trace is read with serde_json and held against the documented format: slices nest
//! and moments never go back on each track, names are given once, and what a hostile name or a full
//! disk could break is tried.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hio::doers::EchoServerDoer;
use hio::doing::prelude::*;
use hio::doing::{Event, Seen, Watcher};
use hio::link::{Client, Limits, Server};
use hio::net::{ConnectOptions, Endpoint, ListenOptions, MioNet, NetWatch};
use hio::seeing::{TraceEnd, TraceEvents};
use hio::sim::{Boot, Sim};
use hio::tyme::SystemClock;
use serde_json::Value;

const MS: Duration = Duration::from_millis(1);

/// A file in memory.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl Write for Memory {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(data);
        Ok(data.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Memory {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

/// A slice that has ended.
#[derive(Debug)]
struct Slice {
    track: String,
    name: String,
    /// Nanoseconds.
    from: u64,
    to: u64,
    args: Value,
    /// The slices it stands in, on whatever track of its process.
    depth: usize,
}

/// Times are microseconds with three decimals, which a float could not hold for long.
fn nanos(value: &Value) -> u64 {
    let text = value.to_string();
    let (micros, rest) = text.split_once('.').unwrap_or((&text, ""));
    let rest: u64 = format!("{rest:0<3}").parse().expect("three decimals");
    micros.parse::<u64>().expect("a time") * 1000 + rest
}

/// A process and a track in it.
type Place = (u64, u64);
/// Slices under way: name, begin, args.
type Open = Vec<(String, u64, Value)>;

/// Reads a trace as the format's document has it, and checks all that the document asks for.
fn read(text: &str) -> Vec<Slice> {
    let events: Vec<Value> = serde_json::from_str(text).expect("an array of objects");
    let mut names: BTreeMap<Place, String> = BTreeMap::new();
    let mut processes: BTreeMap<u64, String> = BTreeMap::new();
    let mut open: BTreeMap<Place, Open> = BTreeMap::new();
    let mut last: BTreeMap<Place, u64> = BTreeMap::new();
    let mut slices = Vec::new();
    for event in &events {
        let number = |key: &str| event[key].as_u64().unwrap_or_else(|| panic!("{event}"));
        let id = (number("pid"), number("tid"));
        let phase = event["ph"].as_str().expect("a phase");
        if phase == "M" {
            let named = event["args"]["name"].as_str().map(str::to_owned);
            let again = match event["name"].as_str() {
                Some("process_name") => processes.insert(id.0, named.expect("a name")),
                Some("thread_name") => names.insert(id, named.expect("a name")),
                Some("thread_sort_index") => {
                    assert_eq!(event["args"]["sort_index"], id.1);
                    None
                }
                other => panic!("metadata {other:?}"),
            };
            assert_eq!(again, None, "named twice");
            continue;
        }
        let ts = nanos(&event["ts"]);
        let before = last.insert(id, ts).unwrap_or(0);
        assert!(before <= ts, "{event} goes back on its track");
        let track = format!("{}: {}", processes[&id.0], names[&id]);
        let depth = open.iter().filter(|((pid, _), _)| *pid == id.0);
        let depth = depth.map(|(_, stack)| stack.len()).sum();
        match phase {
            "B" => {
                let name = event["name"].as_str().expect("a name").to_owned();
                let args = event["args"].clone();
                open.entry(id).or_default().push((name, ts, args));
            }
            "E" => {
                let begun = open.get_mut(&id).and_then(Vec::pop);
                let (name, from, args) = begun.expect("an end has its begin");
                slices.push(Slice {
                    track,
                    name,
                    from,
                    to: ts,
                    args,
                    depth: depth - 1,
                });
            }
            "X" => {
                let to = ts + nanos(&event["dur"]);
                last.insert(id, to);
                slices.push(Slice {
                    track,
                    name: event["name"].as_str().expect("a name").to_owned(),
                    from: ts,
                    to,
                    args: event["args"].clone(),
                    depth,
                });
            }
            other => panic!("phase {other}"),
        }
    }
    assert!(open.values().all(Vec::is_empty), "all is ended");
    slices
}

fn count(slices: &[Slice], track: &str, name: &str) -> usize {
    let is_it = |s: &&Slice| s.track == track && s.name == name;
    slices.iter().filter(is_it).count()
}

/// Writes 300 bytes and stops the Doist when they are back.
struct Caller(Client);

impl Doer for Caller {
    fn enter(&mut self, cx: &mut Cx<'_>) -> Result<Next, Fault> {
        self.0.open(cx.tyme(), cx.net, cx.ask.owner())?;
        self.0.tx(&[9; 300])?;
        Ok(Again)
    }
    fn recur(&mut self, tyme: Tyme, cx: &mut Cx<'_>) -> Result<Next, Fault> {
        self.0.service(tyme, cx.net);
        if self.0.rx().len() == 300 {
            cx.ask.stop();
            return Ok(Done(true));
        }
        Ok(Park(self.0.due(tyme)))
    }
    fn exit(&mut self, cx: &mut Cx<'_>) {
        self.0.close(cx.net);
    }
}

fn echo(at: Endpoint) -> EchoServerDoer {
    EchoServerDoer::new(Server::new(at, ListenOptions::default(), Limits::default()))
}

fn caller(to: Endpoint) -> Caller {
    Caller(Client::new(
        to,
        ConnectOptions::default(),
        Limits::default(),
    ))
}

#[test]
fn a_real_run_has_its_doers_passes_and_io() {
    let file = Memory::default();
    let trace = TraceEvents::new("test", file.clone());
    let process = trace.process("real", SystemClock::new());
    let mut net = process.net(MioNet::new().unwrap());
    let mut doist = Doist::new(());
    doist.watch(process.doers());
    let server = doist
        .named("echo")
        .add(echo(Endpoint::host("127.0.0.1", 0)));
    doist.enter(&mut net).unwrap();
    let at = doist.get(server).unwrap().server().eha();
    doist.extend(&mut net, caller(at.clone())).unwrap();
    doist.run(&mut net).unwrap();
    let end = trace.finish();
    let text = file.text();
    assert_eq!(
        (end.lost, end.failure, end.bytes + 3),
        (0, None, text.len() as u64)
    );

    let slices = read(&text);
    for hook in ["enter", "recur", "cease", "exit"] {
        assert!(count(&slices, "real: echo", hook) >= 1, "{hook}");
    }
    assert_eq!(count(&slices, "real: Caller1", "clean"), 1);
    let told = slices.iter().filter(|s| s.name == "recur").count();
    assert_eq!(told as u64, doist.stats().recurs);
    let passes = "real: passes and polls";
    let stats = doist.stats();
    assert_eq!(count(&slices, passes, "tick") as u64, stats.passes);
    assert_eq!(
        count(&slices, passes, "wake pass") as u64,
        stats.wake_passes
    );
    assert!(count(&slices, passes, "poll") >= 2);
    assert_eq!(count(&slices, "real: echo", "accept"), 1);
    let connect = slices.iter().find(|s| s.name == "connect").unwrap();
    assert_eq!(connect.args["peer"], at.to_string());
    for (track, name) in [
        ("real: echo", "read"),
        ("real: echo", "write"),
        ("real: Caller1", "write"),
    ] {
        let io = slices.iter().filter(|s| s.track == track && s.name == name);
        let bytes: u64 = io.filter_map(|s| s.args["bytes"].as_u64()).sum();
        assert_eq!(bytes, 300, "{track} {name}");
    }
    // What a doer did on its sockets stands inside its hook: the pass, the hook, and it.
    let read = slices
        .iter()
        .find(|s| s.name == "read" && s.track == "real: echo");
    let read = read.unwrap();
    assert_eq!(read.depth, 2);
    let around = |s: &&Slice| s.name == "recur" && s.track == read.track;
    let around = |s: &&Slice| around(s) && s.from <= read.from && read.to <= s.to;
    assert_eq!(slices.iter().filter(around).count(), 1);
}

#[test]
fn a_simulated_run_has_a_process_for_each_node_and_repeats() {
    let run = |watched: bool| {
        let file = Memory::default();
        let trace = TraceEvents::new("test", file.clone());
        let mut sim = Sim::new(5).with_link("latency constant 20ms".parse().unwrap());
        let clock = sim.clock();
        let processes = ["echo", "caller"].map(|name| trace.process(name, clock.clone()));
        let [of_echo, of_caller] = processes.clone();
        sim.node("echo", move |boot: Boot| {
            let mut doist = Doist::new(());
            if watched {
                doist.watch(of_echo.doers());
            }
            doist
                .named("server")
                .add(echo(Endpoint::Tcp((boot.v4, 7).into())));
            doist
        });
        sim.node("caller", move |boot: Boot| {
            let mut doist = Doist::new(());
            if watched {
                doist.watch(of_caller.doers());
            }
            doist
                .named("caller")
                .add(caller(boot.tcp("echo", 7).unwrap()));
            doist
        });
        if watched {
            sim.watch_nets(move |name| {
                let at = usize::from(name == "caller");
                Some(Box::new(processes[at].io()) as Box<dyn NetWatch>)
            });
        }
        sim.run_until(Tyme::from_secs(2)).unwrap();
        trace.finish();
        (file.text(), sim.trace_hash())
    };
    let (text, hash) = run(true);
    assert_eq!(run(true), (text.clone(), hash), "it repeats to the byte");
    assert_eq!(run(false).1, hash, "looking changes nothing");
    let slices = read(&text);
    let write = slices
        .iter()
        .find(|s| s.track == "caller: caller" && s.name == "write");
    let read = slices
        .iter()
        .find(|s| s.track == "echo: server" && s.name == "read");
    let (write, read) = (write.unwrap(), read.unwrap());
    assert_eq!(
        (&write.args["bytes"], &read.args["bytes"]),
        (&300.into(), &300.into())
    );
    let way = Duration::from_nanos(read.from - write.from);
    assert!(
        way >= 20 * MS && way < 22 * MS,
        "{way:?} on a clock that all nodes share"
    );
    assert!(
        slices.iter().all(|s| s.from == s.to),
        "no time passes in a simulated hook"
    );
}

#[test]
fn a_trace_that_is_full_stops_and_can_still_be_read() {
    for limit in (4096..6000).step_by(97) {
        let file = Memory::default();
        let trace = TraceEvents::new("test", file.clone()).with_limit(limit);
        let process = trace.process("many", SystemClock::new());
        let mut doist = Doist::new(())
            .with_pace(Pace::Asap)
            .with_limit(Duration::from_secs(5));
        doist.watch(process.doers());
        let mut inner: DoDoer = DoDoer::new();
        inner.add(redo(std::iter::repeat(Again)));
        let mut outer: DoDoer = DoDoer::new();
        outer.add(inner);
        doist.add(outer);
        let mut net = process.net(NullNet::default());
        doist.run(&mut net).unwrap();
        let end = trace.finish();
        let text = file.text();
        assert!(text.len() as u64 <= limit, "{} of {limit}", text.len());
        assert!(
            text.len() as u64 > limit - 700,
            "the room is used: {}",
            text.len()
        );
        assert!(end.lost > 100, "{end:?}");
        assert_eq!(end.failure, None);
        assert!(read(&text).len() > 20);
    }
}

#[test]
fn names_that_json_would_choke_on_arrive_whole() {
    let file = Memory::default();
    let trace = TraceEvents::new("test", file.clone());
    let name = "quote \" slash \\ tab \t bell \u{7} snow \u{2603} nul \0 end";
    let process = trace.process(name, SystemClock::new());
    let mut doist = Doist::new(()).with_pace(Pace::Asap);
    doist.watch(process.doers());
    doist.named(name).add(redo([Done(true)]));
    doist.run(&mut NullNet::default()).unwrap();
    drop((process, doist, trace)); // the last handle ends it
    let slices = read(&file.text());
    assert_eq!(count(&slices, &format!("{name}: {name}"), "recur"), 1);
}

#[test]
fn panics_and_restarts_leave_nothing_open_and_ids_have_tracks_of_their_own() {
    let file = Memory::default();
    let trace = TraceEvents::new("test", file.clone());
    let process = trace.process("p", SystemClock::new());
    let mut doist = Doist::new(()).with_pace(Pace::Asap);
    doist.watch(process.doers());
    doist.supervise(hio::doing::Restarts::new(2, Duration::from_secs(9)).policy());
    let mut parent: DoDoer = DoDoer::new();
    parent.add_named("child", doify(|_, _: &mut Cx<'_>| panic!("of the child")));
    doist.named("parent").add(parent);
    doist.run(&mut NullNet::default()).unwrap_err();
    trace.finish();
    let slices = read(&file.text());
    for hook in ["enter", "recur", "abort", "exit"] {
        assert_eq!(count(&slices, "p: parent/child", hook), 3, "{hook}");
        assert_eq!(count(&slices, "p: parent", hook), 3, "{hook}");
    }
    let mut tracks = BTreeMap::new();
    for line in file.text().lines().filter(|l| l.contains("thread_name")) {
        let event: Value = serde_json::from_str(line.trim_end_matches(',')).unwrap();
        let name = event["args"]["name"].as_str().unwrap().to_owned();
        *tracks.entry(name).or_insert(0) += 1;
    }
    assert_eq!(tracks["parent"], 3, "each life is a doer of its own");
}

/// A disk without room for more than this.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        match self.0.checked_sub(data.len()) {
            Some(left) => self.0 = left,
            None => return Err(io::ErrorKind::StorageFull.into()),
        }
        Ok(data.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_is_told_and_disturbs_nothing() {
    let trace = TraceEvents::new("test", Full(70_000));
    let process = trace.process("p", SystemClock::new());
    let mut doist = Doist::new(())
        .with_pace(Pace::Asap)
        .with_limit(Duration::from_secs(60));
    doist.watch(process.doers());
    doist.add(redo(std::iter::repeat(Again)));
    let outcome = doist.run(&mut NullNet::default()).unwrap();
    assert_eq!((outcome, doist.stats().recurs), (Outcome::Limit, 1920));
    let TraceEnd {
        events,
        bytes,
        lost,
        failure,
        ..
    } = trace.finish();
    assert_eq!(failure, Some(io::ErrorKind::StorageFull));
    assert!(
        events > 500 && bytes <= 70_000 && lost > 5_000,
        "{events} {bytes} {lost}"
    );
}

#[test]
fn nothing_to_tell_is_a_trace_too() {
    let file = Memory::default();
    TraceEvents::new("test", file.clone()).finish();
    assert!(read(&file.text()).is_empty());
    let missing = TraceEvents::create("/no/such/directory/trace.json");
    assert_eq!(missing.unwrap_err().kind(), io::ErrorKind::NotFound);
}

/// Panics when it is shown a recur.
struct Clumsy(Arc<Mutex<u32>>);

impl Watcher for Clumsy {
    fn begins(&mut self, doer: &Seen<'_>, hook: Event) {
        *self.0.lock().unwrap() += 1;
        assert!(hook == Event::Enter, "planted, at {}", doer.name());
    }
}

#[test]
fn a_watcher_that_panics_is_shown_nothing_more_and_the_run_goes_on() {
    let (shown, file) = (Arc::default(), Memory::default());
    let trace = TraceEvents::new("test", file.clone());
    let process = trace.process("p", SystemClock::new());
    let mut doist = Doist::new(()).with_pace(Pace::Asap);
    doist.watch(Clumsy(Arc::clone(&shown)));
    doist.watch(process.doers());
    doist.add(redo([Again, Again, Done(true)]));
    let fault = doist.run(&mut NullNet::default()).unwrap_err();
    assert!(fault.to_string().contains("planted"), "{fault}");
    assert_eq!(*shown.lock().unwrap(), 2, "the enter and one recur");
    trace.finish();
    let recurs = read(&file.text())
        .iter()
        .filter(|s| s.name == "recur")
        .count();
    assert_eq!(recurs, 3, "others see the rest");
}
