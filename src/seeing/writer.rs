//! What is written: one line an event, in the order in which they happened.
//!
//! Hooks and passes are a `B` and an `E` each, so that a trace that was cut tells what was under
//! way; operations on sockets have nothing inside, so they are one `X`. Either way an event's
//! moment is not before that of the line above it on the same track. The format is that of the
//! "Trace Event Format" document: an array of objects, times in microseconds.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::trace::TraceEnd;
use crate::doing::{DoerId, Event, PassKind, Seen};
use crate::net::{Io, IoKind};
use crate::tyme::{Clock, Tyme};
use crate::wire::sink::Sink;

/// The track of passes and polls in each process. Doers are numbered from 1.
const DOIST: u32 = 0;
/// Room that is kept for the end of what is open, and for the end of the array.
const END_BYTES: u64 = 100;
/// The smallest limit.
const LIMIT_MIN: u64 = 4096;

/// The one file of all processes.
pub(super) struct Writer {
    sink: Sink,
    limit: u64,
    end: TraceEnd,
    /// Nothing more is written.
    closed: bool,
    processes: Vec<Process>,
    /// Hooks and passes under way, in all processes.
    open: u64,
    line: String,
}

struct Process {
    clock: Box<dyn Clock + Send>,
    /// Moments go no further back.
    last: Tyme,
    tracks: BTreeMap<DoerId, Track>,
    tracks_made: u32,
    /// What is under way, outermost first.
    stack: Vec<Slice>,
}

/// A doer's.
struct Track {
    number: u32,
    path: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Slice {
    track: u32,
    /// None for a pass.
    hook: Option<(DoerId, Event)>,
}

impl Writer {
    pub(super) fn new(sink: Sink, limit: u64) -> Self {
        Self {
            sink,
            limit,
            end: TraceEnd::default(),
            closed: false,
            processes: Vec::new(),
            open: 0,
            line: String::new(),
        }
    }

    pub(super) fn set_limit(&mut self, bytes: u64) {
        self.limit = bytes.max(LIMIT_MIN);
    }

    pub(super) fn add(&mut self, name: &str, clock: Box<dyn Clock + Send>) -> usize {
        let number = self.processes.len();
        self.processes.push(Process {
            clock,
            last: Tyme::ZERO,
            tracks: BTreeMap::new(),
            tracks_made: DOIST,
            stack: Vec::new(),
        });
        self.meta(number, DOIST, "process_name", name);
        self.meta(number, DOIST, "thread_name", "passes and polls");
        number
    }

    pub(super) fn flush(&mut self) {
        self.sink.flush();
    }

    pub(super) fn end(&self) -> TraceEnd {
        let lost = self.sink.lost;
        TraceEnd {
            events: self.end.events - lost.records,
            bytes: self.end.bytes - lost.bytes,
            lost: self.end.lost + lost.records,
            failure: lost.why,
        }
    }

    /// The moment on a process's clock.
    pub(super) fn now(&mut self, process: usize) -> Tyme {
        let process = &mut self.processes[process];
        process.last = process.last.max(process.clock.now());
        process.last
    }
}

/// What happens.
impl Writer {
    pub(super) fn hook_begins(&mut self, process: usize, doer: &Seen<'_>, hook: Event) {
        if self.closed {
            self.end.lost += 1;
            return;
        }
        let track = self.track(process, doer);
        let slice = Slice {
            track,
            hook: Some((doer.id(), hook)),
        };
        let tyme = doer.tyme();
        self.begin(process, slice, name_of(hook), "doer", tyme);
    }

    pub(super) fn hook_ended(&mut self, process: usize, doer: DoerId, hook: Event) {
        self.close_to(process, |slice| slice.hook == Some((doer, hook)));
        if hook == Event::Exit {
            self.processes[process].tracks.remove(&doer);
        }
    }

    pub(super) fn pass_begins(&mut self, process: usize, tyme: Tyme, kind: PassKind) {
        let name = match kind {
            PassKind::Tick => "tick",
            PassKind::Wake => "wake pass",
        };
        if self.closed {
            self.end.lost += 1;
            return;
        }
        let slice = Slice {
            track: DOIST,
            hook: None,
        };
        self.begin(process, slice, name, "pass", tyme);
    }

    pub(super) fn pass_ended(&mut self, process: usize) {
        self.close_to(process, |slice| slice.hook.is_none());
    }

    pub(super) fn io(&mut self, process: usize, begun: Tyme, io: &Io<'_>) {
        let nothing = match io.what {
            IoKind::Read | IoKind::RecvFrom => io.bytes.is_none(),
            IoKind::Accept => io.sid.is_none(),
            _ => false,
        };
        if nothing && io.failed.is_none() {
            return;
        }
        if self.closed {
            self.end.lost += 1;
            return;
        }
        let now = self.now(process);
        let stack = &self.processes[process].stack;
        let track = match (io.what, stack.last()) {
            (IoKind::Poll, _) | (_, None) => DOIST,
            (_, Some(slice)) => slice.track,
        };
        self.head("X", process, track, io.what.name());
        let line = &mut self.line;
        line.push_str(r#","cat":"io""#);
        put_moment(line, "ts", begun.as_nanos());
        put_moment(line, "dur", now.as_nanos().saturating_sub(begun.as_nanos()));
        line.push_str(r#","args":{"#);
        put_io(line, io);
        line.push_str("}}");
        self.put();
    }

    /// Closes what is open, and the array.
    pub(super) fn finish(&mut self) {
        if self.closed {
            return;
        }
        for process in 0..self.processes.len() {
            while self.close_last(process) {}
        }
        self.closed = true;
        let end: &[u8] = match self.end.events {
            0 => b"[]\n",
            _ => b"\n]\n",
        };
        self.sink.put(end);
        self.sink.flush();
    }
}

/// Slices.
impl Writer {
    fn begin(&mut self, process: usize, slice: Slice, name: &str, cat: &str, tyme: Tyme) {
        let now = self.now(process);
        self.head("B", process, slice.track, name);
        let line = &mut self.line;
        put_text(line, "cat", cat);
        put_moment(line, "ts", now.as_nanos());
        line.push_str(r#","args":{"tyme":""#);
        put(line, format_args!("{tyme}\"}}}}"));
        self.open += 1; // so that its end finds room, too
        if self.put() {
            self.processes[process].stack.push(slice);
        } else {
            self.open = self.open.saturating_sub(1);
        }
    }

    /// Ends the slices down to the one that is meant; nothing when none is, as for a watcher that
    /// came later than it.
    fn close_to(&mut self, process: usize, is_it: impl Fn(&Slice) -> bool) {
        let stack = &self.processes[process].stack;
        if let Some(at) = stack.iter().rposition(is_it) {
            while self.processes[process].stack.len() > at && self.close_last(process) {}
        }
    }

    fn close_last(&mut self, process: usize) -> bool {
        let Some(slice) = self.processes[process].stack.pop() else {
            return false;
        };
        let now = self.now(process);
        self.line.clear();
        put(
            &mut self.line,
            format_args!(r#"{{"ph":"E","pid":{},"tid":{}"#, process + 1, slice.track),
        );
        put_moment(&mut self.line, "ts", now.as_nanos());
        self.line.push('}');
        self.open -= 1;
        self.write();
        true
    }

    /// The track of a doer; a new one is named.
    fn track(&mut self, process: usize, doer: &Seen<'_>) -> u32 {
        let of = &mut self.processes[process];
        if let Some(track) = of.tracks.get(&doer.id()) {
            return track.number;
        }
        // Whatever runs around it is its parent, or the doer whose request it came by.
        let above = of.stack.last().and_then(|slice| slice.hook);
        let above = above.and_then(|(id, _)| of.tracks.get(&id));
        let path = match above {
            Some(above) => format!("{}/{}", above.path, doer.name()),
            None => doer.name(),
        };
        of.tracks_made += 1;
        let number = of.tracks_made;
        self.meta(process, number, "thread_name", &path);
        self.head("M", process, number, "thread_sort_index");
        put(
            &mut self.line,
            format_args!(r#","args":{{"sort_index":{number}}}}}"#),
        );
        self.put();
        let track = Track { number, path };
        self.processes[process].tracks.insert(doer.id(), track);
        number
    }
}

/// Lines.
impl Writer {
    fn head(&mut self, kind: &str, process: usize, track: u32, name: &str) {
        self.line.clear();
        put(
            &mut self.line,
            format_args!(
                r#"{{"ph":"{kind}","pid":{},"tid":{track},"name":"{name}""#,
                process + 1
            ),
        );
    }

    fn meta(&mut self, process: usize, track: u32, what: &str, name: &str) {
        self.head("M", process, track, what);
        self.line.push_str(r#","args":{"name":""#);
        put_escaped(&mut self.line, name);
        self.line.push_str("\"}}");
        self.put();
    }

    /// Writes the line, unless the limit is reached: then everything is closed.
    fn put(&mut self) -> bool {
        let needed = self.line.len() as u64 + 2 + (self.open + 1) * END_BYTES;
        if self.closed || self.end.bytes + needed > self.limit {
            self.end.lost += 1;
            if !self.closed {
                self.open = self.processes.iter().map(|p| p.stack.len() as u64).sum();
                self.finish();
                log::warn!("{}: full at {} bytes", self.sink.name(), self.end.bytes);
            }
            return false;
        }
        self.write();
        true
    }

    /// Writes the line, for which there is room.
    fn write(&mut self) {
        let before: &str = match self.end.events {
            0 => "[\n",
            _ => ",\n",
        };
        self.line.insert_str(0, before);
        self.end.events += 1;
        self.end.bytes += self.line.len() as u64;
        self.sink.put(self.line.as_bytes());
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.finish();
    }
}

const fn name_of(hook: Event) -> &'static str {
    match hook {
        Event::Enter => "enter",
        Event::Recur => "recur",
        Event::Clean => "clean",
        Event::Cease => "cease",
        Event::Abort => "abort",
        Event::Exit => "exit",
    }
}

fn put_io(line: &mut String, io: &Io<'_>) {
    let mut first = true;
    let mut key = |line: &mut String, key: &str| {
        if !std::mem::take(&mut first) {
            line.push(',');
        }
        put(line, format_args!("\"{key}\":"));
    };
    if let Some(sid) = io.sid {
        key(line, "socket");
        put(
            line,
            format_args!("\"{}.{}\"", sid.index(), sid.generation()),
        );
    }
    if let Some(bytes) = io.bytes {
        key(line, "bytes");
        put(line, format_args!("{bytes}"));
    }
    if let Some(peer) = io.peer {
        key(line, "peer");
        line.push('"');
        put_escaped(line, &peer.to_string());
        line.push('"');
    }
    if let Some(why) = io.failed {
        key(line, "failed");
        line.push('"');
        put_escaped(line, &why.to_string());
        line.push('"');
    }
}

fn put_text(line: &mut String, key: &str, text: &str) {
    put(line, format_args!(",\"{key}\":\"{text}\""));
}

/// Nanoseconds as microseconds with three decimals.
fn put_moment(line: &mut String, key: &str, nanos: u64) {
    put(
        line,
        format_args!(",\"{key}\":{}.{:03}", nanos / 1000, nanos % 1000),
    );
}

/// A string of JSON (RFC 8259 §7), without its quotes.
fn put_escaped(line: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '"' => line.push_str("\\\""),
            '\\' => line.push_str("\\\\"),
            c if c < ' ' => put(line, format_args!("\\u{:04x}", u32::from(c))),
            c => line.push(c),
        }
    }
}

fn put(line: &mut String, what: std::fmt::Arguments<'_>) {
    // A String takes everything.
    let _ = line.write_fmt(what);
}
