//! What can go wrong, as data and as text.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::net::{Conditions, units};
use crate::tyme::Tyme;

/// Something that goes wrong, or is mended again.
///
/// As text it is a line of a fault file, without the moment:
/// ```text
/// partition a | b c        nothing passes between the parts, either way
/// partition a -> b         nothing passes from a to b
/// isolate a                nothing passes between a and any other node
/// clog a b                 packets between the two wait until healed; a queue full, no more
/// hold a -> b              packets from a to b wait until released, as many as come
/// release a -> b
/// heal                     partitions, clogs and holds end, everywhere
/// heal a b                 the same between the two
/// crash b                  the power of b goes off: its memory is gone, its peers are not told
/// kill b                   the program of b dies; its system closes the sockets
/// restart b                b boots, anew if it runs
/// drain b 10s              the program of b is asked to drain within that time, as by a SIGTERM
/// pause b / resume b       the program of b stands still; its system takes packets in
/// reset a b                all connections between the two are reset
/// skew a 30ms              the wall clock of a is off by that much from now on
/// step a -2s               the wall clock of a jumps by that much
/// drift a 50ppm            the clocks of a run that much too fast, or too slow
/// descriptors a 10         a can open so many sockets; `all` takes the limit away
/// spurious a               sockets of a are marked although nothing happened
/// short-io a 0.2           such a share of a's reads and writes is shortened
/// flip a -> b 0.001        such a share of the packets has a bit flipped
/// point a 0.1 disk full    the fault point of that name fires at that share on a
/// point a 0.1              each fault point does that has no share of its own
/// link a b latency uniform 1ms 5ms loss 0.01      both ways; `link a -> b` one way
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Fault {
    /// Nothing passes between nodes of different parts. Nodes in no part are not concerned.
    Partition(Vec<Vec<String>>),
    /// Nothing passes from the one to the other.
    OneWay(String, String),
    /// Nothing passes between a node and all others.
    Isolate(String),
    /// Packets between the two wait until healed; what does not fit into the queue is lost.
    Clog(String, String),
    /// Packets from the one to the other wait until released.
    Hold(String, String),
    /// Lets go of what was held.
    Release(String, String),
    /// Ends partitions, clogs and holds: everywhere, or between two nodes.
    Heal(Option<(String, String)>),
    /// The power goes off: memory is gone, peers are not told.
    Crash(String),
    /// The program dies without any hook; the system closes its sockets, so peers are told.
    Kill(String),
    /// Boots, anew if it runs: fresh state, next random streams.
    Restart(String),
    /// The program is asked to [drain](crate::doing::Doist::drain) within so long, as by a SIGTERM; a
    /// node that drains already is stopped at once, as by a second one.
    Drain(String, Duration),
    /// The program stands still; the system goes on taking packets in.
    Pause(String),
    /// The program goes on.
    Resume(String),
    /// All connections between two nodes are reset, at both ends at once.
    Reset(String, String),
    /// The wall clock is off by so many nanoseconds from now on: the same as a step.
    Skew(String, i64),
    /// The wall clock jumps by so many nanoseconds.
    Step(String, i64),
    /// Both clocks run faster or slower by so many parts in a million, at most 100 000.
    Drift(String, i32),
    /// So many sockets may be open; `None` is without limit.
    Descriptors(String, Option<u32>),
    /// A random part of the open sockets is marked although nothing happened.
    Spurious(String),
    /// This share of reads and writes is shortened. 0 ends it.
    ShortIo(String, f64),
    /// This share of the packets from the one to the other has one bit flipped. 0 ends it.
    Flip(String, String, f64),
    /// This share of passes of the named fault point on a node makes it fire; without a name, of
    /// each fault point that has no share of its own. 0 ends it.
    Point(String, f64, Option<String>),
    /// The conditions of the link between two nodes, both ways.
    Link(String, String, Conditions),
    /// The conditions of the link from the one to the other.
    LinkOneWay(String, String, Conditions),
}

impl Fault {
    /// Whether it mends something rather than breaking it.
    #[must_use]
    pub fn heals(&self) -> bool {
        match self {
            Self::Release(..) | Self::Heal(_) | Self::Restart(_) | Self::Resume(_) => true,
            Self::Descriptors(_, None) | Self::Drift(_, 0) => true,
            Self::ShortIo(_, share) | Self::Flip(_, _, share) | Self::Point(_, share, _) => {
                *share <= 0.0
            }
            _ => false,
        }
    }

    /// The nodes that it names.
    #[must_use]
    pub fn nodes(&self) -> Vec<&str> {
        match self {
            Self::Partition(parts) => parts.iter().flatten().map(String::as_str).collect(),
            Self::Heal(None) => Vec::new(),
            Self::OneWay(a, b)
            | Self::Clog(a, b)
            | Self::Hold(a, b)
            | Self::Release(a, b)
            | Self::Reset(a, b)
            | Self::Heal(Some((a, b)))
            | Self::Flip(a, b, _)
            | Self::Link(a, b, _)
            | Self::LinkOneWay(a, b, _) => vec![a, b],
            Self::Isolate(a)
            | Self::Crash(a)
            | Self::Kill(a)
            | Self::Restart(a)
            | Self::Drain(a, _)
            | Self::Pause(a)
            | Self::Resume(a)
            | Self::Skew(a, _)
            | Self::Step(a, _)
            | Self::Drift(a, _)
            | Self::Descriptors(a, _)
            | Self::Spurious(a)
            | Self::ShortIo(a, _)
            | Self::Point(a, ..) => vec![a],
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Partition(parts) => {
                let parts: Vec<String> = parts.iter().map(|part| part.join(" ")).collect();
                write!(f, "partition {}", parts.join(" | "))
            }
            Self::OneWay(a, b) => write!(f, "partition {a} -> {b}"),
            Self::Isolate(a) => write!(f, "isolate {a}"),
            Self::Clog(a, b) => write!(f, "clog {a} {b}"),
            Self::Hold(a, b) => write!(f, "hold {a} -> {b}"),
            Self::Release(a, b) => write!(f, "release {a} -> {b}"),
            Self::Heal(None) => f.write_str("heal"),
            Self::Heal(Some((a, b))) => write!(f, "heal {a} {b}"),
            Self::Crash(a) => write!(f, "crash {a}"),
            Self::Kill(a) => write!(f, "kill {a}"),
            Self::Restart(a) => write!(f, "restart {a}"),
            Self::Drain(a, limit) => write!(f, "drain {a} {}", units::Span(*limit)),
            Self::Pause(a) => write!(f, "pause {a}"),
            Self::Resume(a) => write!(f, "resume {a}"),
            Self::Reset(a, b) => write!(f, "reset {a} {b}"),
            Self::Skew(a, by) => write!(f, "skew {a} {}", Signed(*by)),
            Self::Step(a, by) => write!(f, "step {a} {}", Signed(*by)),
            Self::Drift(a, ppm) => write!(f, "drift {a} {ppm}ppm"),
            Self::Descriptors(a, Some(most)) => write!(f, "descriptors {a} {most}"),
            Self::Descriptors(a, None) => write!(f, "descriptors {a} all"),
            Self::Spurious(a) => write!(f, "spurious {a}"),
            Self::ShortIo(a, share) => write!(f, "short-io {a} {share}"),
            Self::Flip(a, b, share) => write!(f, "flip {a} -> {b} {share}"),
            Self::Point(a, share, None) => write!(f, "point {a} {share}"),
            Self::Point(a, share, Some(name)) => write!(f, "point {a} {share} {name}"),
            Self::Link(a, b, conditions) => write!(f, "link {a} {b} {conditions}"),
            Self::LinkOneWay(a, b, conditions) => write!(f, "link {a} -> {b} {conditions}"),
        }
    }
}

impl FromStr for Fault {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        let (word, rest) = first_word(text);
        read(word, rest).map_err(|why| FaultError {
            line: 0,
            text: text.trim().to_owned(),
            why,
        })
    }
}

/// Faults and when they come, over a whole run: plain data, to be saved, edited and run again.
///
/// As text each line is `at SPAN FAULT`; empty lines and what follows a `#` are left out:
/// ```
/// use hio::sim::FaultPlan;
/// let text = "at 1500ms partition a | b c\nat 3s heal\n";
/// let plan: FaultPlan = text.parse()?;
/// assert_eq!(plan.faults.len(), 2);
/// assert_eq!(plan.to_string(), text);
/// # Ok::<(), hio::sim::FaultError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FaultPlan {
    /// The faults; those of one moment come in this order.
    pub faults: Vec<(Tyme, Fault)>,
}

impl FaultPlan {
    /// A plan without faults.
    #[must_use]
    pub const fn new() -> Self {
        Self { faults: Vec::new() }
    }

    /// Adds a fault.
    #[must_use]
    pub fn at(mut self, tyme: Tyme, fault: Fault) -> Self {
        self.faults.push((tyme, fault));
        self
    }
}

impl fmt::Display for FaultPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (tyme, fault) in &self.faults {
            let span = units::Span(tyme.since(Tyme::ZERO));
            writeln!(f, "at {span} {fault}")?;
        }
        Ok(())
    }
}

impl FromStr for FaultPlan {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        let mut plan = Self::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default().trim();
            if line.is_empty() {
                continue;
            }
            let wrong = |why| FaultError {
                line: number + 1,
                text: line.to_owned(),
                why,
            };
            if plan.faults.len() >= FAULTS_MAX {
                return Err(wrong("more than a hundred thousand faults"));
            }
            plan.faults.push(moment(line).map_err(wrong)?);
        }
        Ok(plan)
    }
}

/// Reads a line of a plan.
fn moment(line: &str) -> Result<(Tyme, Fault), &'static str> {
    const AT: &str = "a line begins with its moment, as in: at 1.5s heal";
    let (at, rest) = first_word(line);
    if at != "at" {
        return Err(AT);
    }
    let (span, rest) = first_word(rest);
    let span = units::span(span).ok_or(AT)?;
    let (word, rest) = first_word(rest);
    Ok((Tyme::ZERO + span, read(word, rest)?))
}

fn first_word(text: &str) -> (&str, &str) {
    let text = text.trim();
    text.split_once(char::is_whitespace).unwrap_or((text, ""))
}

/// Reads a fault: its word and what follows.
fn read(word: &str, rest: &str) -> Result<Fault, &'static str> {
    let words: Vec<&str> = rest.split_whitespace().collect();
    if words.iter().any(|word| word.len() > WORD_MAX) {
        return Err("a word longer than any name may be");
    }
    match word {
        "partition" => partition(&words),
        "heal" if words.is_empty() => Ok(Fault::Heal(None)),
        "heal" => two(&words, |a, b| Fault::Heal(Some((a, b)))),
        "clog" => two(&words, Fault::Clog),
        "reset" => two(&words, Fault::Reset),
        "hold" => from_to(&words, Fault::Hold),
        "release" => from_to(&words, Fault::Release),
        "isolate" => one(&words, Fault::Isolate),
        "crash" => one(&words, Fault::Crash),
        "kill" => one(&words, Fault::Kill),
        "restart" => one(&words, Fault::Restart),
        "pause" => one(&words, Fault::Pause),
        "resume" => one(&words, Fault::Resume),
        "spurious" => one(&words, Fault::Spurious),
        "link" => link(&words),
        _ => with_value(word, &words),
    }
}

fn one(words: &[&str], fault: impl Fn(String) -> Fault) -> Result<Fault, &'static str> {
    match words {
        [a] => Ok(fault(node(a)?)),
        _ => Err("one node is wanted"),
    }
}

fn two(words: &[&str], fault: impl Fn(String, String) -> Fault) -> Result<Fault, &'static str> {
    match words {
        [a, b] => Ok(fault(node(a)?, node(b)?)),
        _ => Err("two nodes are wanted"),
    }
}

fn from_to(words: &[&str], fault: impl Fn(String, String) -> Fault) -> Result<Fault, &'static str> {
    match words {
        [a, "->", b] => Ok(fault(node(a)?, node(b)?)),
        _ => Err("a direction is wanted: a -> b"),
    }
}

/// A node's name, which is none of the words that stand between names.
fn node(word: &str) -> Result<String, &'static str> {
    match word {
        "->" | "|" => Err("a node's name is wanted"),
        name => Ok(name.to_owned()),
    }
}

fn partition(words: &[&str]) -> Result<Fault, &'static str> {
    if words.contains(&"->") {
        return from_to(words, Fault::OneWay);
    }
    let part = |part: &[&str]| part.iter().map(|name| node(name)).collect();
    let parts: Vec<Vec<String>> = words
        .split(|word| *word == "|")
        .map(part)
        .collect::<Result<_, _>>()?;
    if parts.len() < 2 || parts.iter().any(Vec::is_empty) {
        return Err("parts are wanted: a b | c");
    }
    Ok(Fault::Partition(parts))
}

fn link(words: &[&str]) -> Result<Fault, &'static str> {
    const WRONG: &str =
        "a link: two nodes and its conditions, as in: link a b latency constant 1ms";
    let conditions = |words: &[&str]| words.join(" ").parse().map_err(|_| WRONG);
    match words {
        [a, "->", b, rest @ ..] => Ok(Fault::LinkOneWay(node(a)?, node(b)?, conditions(rest)?)),
        [a, b, rest @ ..] => Ok(Fault::Link(node(a)?, node(b)?, conditions(rest)?)),
        _ => Err(WRONG),
    }
}

/// Faults of one node, or of one direction, with a value.
fn with_value(word: &str, words: &[&str]) -> Result<Fault, &'static str> {
    const SHARE: &str = "a share from 0 to 1 is wanted";
    const TIME: &str = "a time is wanted, as in 30ms or -2s";
    match (word, words) {
        ("drain", [a, limit]) => Ok(Fault::Drain(node(a)?, units::span(limit).ok_or(TIME)?)),
        ("skew", [a, by]) => Ok(Fault::Skew(node(a)?, signed(by).ok_or(TIME)?)),
        ("step", [a, by]) => Ok(Fault::Step(node(a)?, signed(by).ok_or(TIME)?)),
        ("drift", [a, ppm]) => {
            let ppm = drift(ppm).ok_or("a drift is wanted, as in 50ppm, at most 100000ppm")?;
            Ok(Fault::Drift(node(a)?, ppm))
        }
        ("descriptors", [a, "all"]) => Ok(Fault::Descriptors(node(a)?, None)),
        ("descriptors", [a, most]) => {
            let most = units::count(most).ok_or("a number or `all` is wanted")?;
            Ok(Fault::Descriptors(node(a)?, Some(most)))
        }
        ("short-io", [a, share]) => Ok(Fault::ShortIo(node(a)?, units::share(share).ok_or(SHARE)?)),
        ("flip", [a, "->", b, share]) => {
            let share = units::share(share).ok_or(SHARE)?;
            Ok(Fault::Flip(node(a)?, node(b)?, share))
        }
        ("point", [a, share, name @ ..]) => {
            let name = (!name.is_empty()).then(|| name.join(" "));
            Ok(Fault::Point(
                node(a)?,
                units::share(share).ok_or(SHARE)?,
                name,
            ))
        }
        ("drain" | "skew" | "step" | "drift" | "descriptors" | "short-io" | "point", _) => {
            Err("a node and a value are wanted")
        }
        ("flip", _) => Err("a direction and a share are wanted: flip a -> b 0.001"),
        _ => Err("no such fault"),
    }
}

fn drift(text: &str) -> Option<i32> {
    let text = text.strip_suffix("ppm")?;
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text),
    };
    let ppm = i32::try_from(units::count(digits)?).ok()?;
    (ppm <= super::clock::DRIFT_MAX).then_some(sign * ppm)
}

/// A span in nanoseconds that may be negative.
fn signed(text: &str) -> Option<i64> {
    let (sign, span) = match text.strip_prefix('-') {
        Some(span) => (-1, span),
        None => (1, text),
    };
    let nanos = i64::try_from(units::span(span)?.as_nanos()).ok()?;
    Some(sign * nanos)
}

/// Nanoseconds as a span that may be negative.
struct Signed(i64);

impl fmt::Display for Signed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let span = Duration::from_nanos(self.0.unsigned_abs());
        write!(f, "{sign}{}", units::Span(span))
    }
}

/// Bytes of the longest word in a plan.
const WORD_MAX: usize = 253;
/// Faults of the longest plan.
const FAULTS_MAX: usize = 100_000;

/// Text that is no [`Fault`] or no [`FaultPlan`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}bad fault {text:?}: {why}", at_line(*.line))]
pub struct FaultError {
    /// The line of the plan, from 1; 0 for a fault alone.
    pub line: usize,
    text: String,
    why: &'static str,
}

fn at_line(line: usize) -> String {
    match line {
        0 => String::new(),
        line => format!("line {line}: "),
    }
}

#[cfg(test)]
mod tests;
