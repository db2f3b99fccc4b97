//! What happened, in order: always as a rolling hash, and as lines of JSON when wanted.

use std::fmt;
use std::io;

use crate::doing::DoerId;
use crate::net::TraceHash;

/// What a line is about. The numbers go into the hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tag {
    Doers = 1,
    Boot,
    Crash,
    Restart,
    Pause,
    Resume,
    Ended,
    Failed,
    Listen,
    Connect,
    Connected,
    Accepted,
    Refused,
    Reset,
    Close,
    Send,
    Recv,
    Drop,
    Fault,
    Heal,
    Always,
    Sometimes,
    Reachable,
    Note,
    Point,
    Bind,
    Look,
    Ring,
    Bell,
    LetGo,
    TakeIn,
    Drain,
}

impl Tag {
    /// The word of the trace.
    const fn word(self) -> &'static str {
        match self {
            Self::Doers => "doers",
            Self::Boot => "boot",
            Self::Crash => "crash",
            Self::Restart => "restart",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Ended => "ended",
            Self::Failed => "failed",
            Self::Listen => "listen",
            Self::Connect => "connect",
            Self::Connected => "connected",
            Self::Accepted => "accepted",
            Self::Refused => "refused",
            Self::Reset => "reset",
            Self::Close => "close",
            Self::Send => "send",
            Self::Recv => "recv",
            Self::Drop => "drop",
            Self::Fault => "fault",
            Self::Heal => "heal",
            Self::Always => "always",
            Self::Sometimes => "sometimes",
            Self::Reachable => "reachable",
            Self::Note => "note",
            Self::Point => "probe-fault",
            Self::Bind => "bind",
            Self::Look => "resolve",
            Self::Ring => "ring",
            Self::Bell => "bell",
            Self::LetGo => "let-go",
            Self::TakeIn => "take-in",
            Self::Drain => "drain",
        }
    }
}

/// No node: an event of the simulation as a whole.
pub(super) const NOBODY: u32 = u32::MAX;

/// The trace of a simulation.
///
/// The hash is always kept and does not depend on whether there is a text. The text has a line of
/// JSON for each event, keys in this order: `tyme` (nanoseconds of the simulation), `seq`, `node`,
/// `path` of the doer, `event`, and what belongs to the event.
pub struct Trace {
    hash: TraceHash,
    text: Option<Box<Text>>,
}

/// The text, made up while a node's turn goes on and written when the paths of its doers can be
/// looked up.
struct Text {
    to: Target,
    seq: u64,
    waiting: Vec<Line>,
    failed: Option<io::ErrorKind>,
}

enum Target {
    Memory(String),
    Writer(Box<dyn io::Write + Send>),
}

struct Line {
    /// What stands before the path.
    head: String,
    doer: Option<DoerId>,
    /// What stands after it.
    tail: String,
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trace")
            .field("hash", &self.hash)
            .field("text", &self.text.is_some())
            .finish()
    }
}

impl Trace {
    pub(super) fn new() -> Self {
        Self {
            hash: TraceHash::default(),
            text: None,
        }
    }

    /// The rolling hash of all that happened so far.
    #[must_use]
    pub const fn hash(&self) -> TraceHash {
        self.hash
    }

    /// The text so far, when it is kept in memory; empty otherwise.
    #[must_use]
    pub fn text(&self) -> &str {
        match self.text.as_deref() {
            Some(Text {
                to: Target::Memory(text),
                ..
            }) => text,
            _ => "",
        }
    }

    /// The first line in which two traces differ; `None` when they are the same.
    ///
    /// ```
    /// use hio::sim::Trace;
    /// let other = "{\"tyme\":1,\"seq\":0}\n{\"tyme\":3,\"seq\":1}\n";
    /// let found = Trace::first_difference("{\"tyme\":1,\"seq\":0}\n", other).unwrap();
    /// assert_eq!((found.line, found.left), (2, None));
    /// assert_eq!(Trace::first_difference(other, other), None);
    /// ```
    #[must_use]
    pub fn first_difference<'a>(left: &'a str, right: &'a str) -> Option<Difference<'a>> {
        let (mut lefts, mut rights) = (left.lines(), right.lines());
        let mut line = 0;
        loop {
            line += 1;
            match (lefts.next(), rights.next()) {
                (None, None) => return None,
                (left, right) if left == right => {}
                (left, right) => return Some(Difference { line, left, right }),
            }
        }
    }

    pub(super) fn keep_in_memory(&mut self) {
        self.start(Target::Memory(String::new()));
    }

    pub(super) fn write_to(&mut self, to: Box<dyn io::Write + Send>) {
        self.start(Target::Writer(to));
    }

    fn start(&mut self, to: Target) {
        self.text = Some(Box::new(Text {
            to,
            seq: 0,
            waiting: Vec::new(),
            failed: None,
        }));
    }

    /// Whether there is a text to be written.
    #[inline]
    pub(super) const fn is_text(&self) -> bool {
        self.text.is_some()
    }

    /// Takes an event into the hash.
    #[inline]
    pub(super) fn hash_in(&mut self, at: u64, tag: Tag, node: u32, words: [u64; 2], bytes: &[u8]) {
        let who = (tag as u64) << 32 | u64::from(node);
        self.hash.event(&[at, who, words[0], words[1]], bytes);
    }

    /// Takes an event into the hash, and into the text when there is one; `more` writes what
    /// belongs to the event, each value as `,"key":value`.
    pub(super) fn event(
        &mut self,
        at: u64,
        (tag, node, name): (Tag, u32, &str),
        doer: Option<DoerId>,
        (words, bytes): ([u64; 2], &[u8]),
        more: impl FnOnce(&mut String),
    ) {
        self.hash_in(at, tag, node, words, bytes);
        if self.text.is_some() {
            self.line(at, name, doer, tag.word(), more);
        }
    }

    /// Takes a line into the text.
    #[cold]
    pub(super) fn line(
        &mut self,
        at: u64,
        name: &str,
        doer: Option<DoerId>,
        event: &str,
        more: impl FnOnce(&mut String),
    ) {
        let Some(text) = &mut self.text else {
            return;
        };
        let mut head = format!("{{\"tyme\":{at},\"seq\":{}", text.seq);
        text.seq += 1;
        if !name.is_empty() {
            head.push_str(",\"node\":");
            quote(&mut head, name);
        }
        let mut tail = format!(",\"event\":\"{event}\"");
        more(&mut tail);
        tail.push_str("}\n");
        text.waiting.push(Line { head, doer, tail });
    }

    /// Writes what waits; `path` tells the names of doers.
    pub(super) fn flush(&mut self, mut path: impl FnMut(DoerId) -> Option<String>) {
        let Some(text) = &mut self.text else {
            return;
        };
        for line in std::mem::take(&mut text.waiting) {
            let mut whole = line.head;
            if let Some(path) = line.doer.and_then(&mut path) {
                whole.push_str(",\"path\":");
                quote(&mut whole, &path);
            }
            whole.push_str(&line.tail);
            match &mut text.to {
                Target::Memory(memory) => memory.push_str(&whole),
                Target::Writer(to) => {
                    if let Err(error) = to.write_all(whole.as_bytes()) {
                        text.failed.get_or_insert(error.kind());
                    }
                }
            }
        }
    }

    /// Why the text could not be written, once.
    pub(super) fn take_failure(&mut self) -> Option<io::ErrorKind> {
        self.text.as_mut()?.failed.take()
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        self.flush(|_| None);
        if let Some(Text {
            to: Target::Writer(to),
            ..
        }) = self.text.as_deref_mut()
        {
            if let Err(error) = to.flush() {
                log::warn!("the end of a trace is lost: {error}");
            }
        }
    }
}

/// Where two traces part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference<'a> {
    /// The number of the line, from 1.
    pub line: usize,
    /// The line of the one; `None` where it has ended.
    pub left: Option<&'a str>,
    /// The line of the other.
    pub right: Option<&'a str>,
}

impl fmt::Display for Difference<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |line: Option<&str>| line.unwrap_or("(the end)").to_owned();
        writeln!(f, "line {} differs:", self.line)?;
        writeln!(f, "  {}", shown(self.left))?;
        write!(f, "  {}", shown(self.right))
    }
}

/// Appends `,"key":"value"`.
pub(super) fn put_text(out: &mut String, key: &str, value: &str) {
    out.push_str(",\"");
    out.push_str(key);
    out.push_str("\":");
    quote(out, value);
}

/// Appends `,"key":value`.
pub(super) fn put_number(out: &mut String, key: &str, value: u64) {
    out.push_str(&format!(",\"{key}\":{value}"));
}

/// RFC 8259 §7.
fn quote(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c if (c as u32) < 0x20 => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_json_with_the_keys_in_order() {
        let mut trace = Trace::new();
        trace.keep_in_memory();
        let tell = |trace: &mut Trace| {
            trace.event(7, (Tag::Note, 0, "a\"b"), None, ([1, 2], b"x"), |out| {
                put_text(out, "text", "line\n\u{1}\\");
                put_number(out, "id", 3);
            });
        };
        tell(&mut trace);
        trace.flush(|_| None);
        assert_eq!(
            trace.text(),
            "{\"tyme\":7,\"seq\":0,\"node\":\"a\\\"b\",\"event\":\"note\",\
             \"text\":\"line\\n\\u0001\\\\\",\"id\":3}\n"
        );
        let mut silent = Trace::new();
        tell(&mut silent);
        assert_eq!(silent.hash(), trace.hash());
        assert_eq!(silent.text(), "");
    }

    #[test]
    fn a_writer_that_fails_is_told_once() {
        struct Full;
        impl io::Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut trace = Trace::new();
        trace.write_to(Box::new(Full));
        trace.event(0, (Tag::Boot, 0, "a"), None, ([0, 0], b""), |_| {});
        trace.flush(|_| None);
        assert_eq!(trace.take_failure(), Some(io::ErrorKind::StorageFull));
        assert_eq!(trace.take_failure(), None);
    }
}
