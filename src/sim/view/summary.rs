//! What happened, in a few sentences for somebody who has never seen such a page.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::escape;
use super::event::Event;
use super::select::Shown;

/// Sentences as HTML.
pub(super) fn summary(events: &[Event<'_>], shown: &Shown, unread: usize) -> String {
    let mut out = String::new();
    verdict(events, &mut out);
    numbers(events, &mut out);
    if let Some((from, to)) = shown.window {
        let _ = writeln!(
            out,
            "<p class=\"cut\">This page shows {} of {} events: faults, nodes, notes and checks; messages \
             and then the beat of doers, as much as there is room for, from {} to {}.</p>",
            shown.indices.len(),
            events.len(),
            seconds(from),
            seconds(to),
        );
    } else if shown.indices.len() < events.len() {
        let (some, all) = (shown.indices.len(), events.len());
        let _ = writeln!(
            out,
            "<p class=\"cut\">This page shows {some} of {all} events.</p>"
        );
    }
    if unread > 0 {
        let _ = writeln!(
            out,
            "<p class=\"cut\">{unread} lines of the trace could not be read, or are too long, and are left out.</p>"
        );
    }
    out
}

/// How it ended, and what was wrong with the world then.
fn verdict(events: &[Event<'_>], out: &mut String) {
    let Some(at) = events.iter().position(Event::is_violation) else {
        let calm = match events.is_empty() {
            true => "The trace is empty.",
            false => "No check was violated and no node failed.",
        };
        let _ = writeln!(out, "<p class=\"good\">{calm}</p>");
        return;
    };
    let first = &events[at];
    out.push_str("<p class=\"bad\"><b>Failed.</b> ");
    match &*first.kind {
        "always" => quoted("The check ", first.about(), " did not hold", out),
        _ => quoted("A node failed: ", first.about(), "", out),
    }
    if let Some(node) = &first.node {
        quoted(" on node ", node, "", out);
    }
    if let Some(path) = &first.path {
        quoted(", seen by ", path, "", out);
    }
    let more = events[at + 1..].iter().filter(|e| e.is_violation()).count();
    let _ = write!(
        out,
        ", at {}. <button type=\"button\" data-jump=\"{at_tyme}\">Show it</button>",
        seconds(first.tyme),
        at_tyme = first.tyme,
    );
    if more > 0 {
        let _ = write!(out, " It was the first of {}.", more + 1);
    }
    out.push_str("</p>\n");
    let standing = standing(&events[..at]);
    let standing: Vec<&Event<'_>> = standing.into_values().collect();
    list("Faults in force at that moment", &standing, out);
    let notes = events[..at].iter().rev().filter(|e| e.kind == "note");
    let mut notes: Vec<&Event<'_>> = notes.take(4).collect();
    notes.reverse();
    list("The last notes before it", &notes, out);
}

/// Faults that have begun and not ended, by what they concern.
fn standing<'e>(before: &'e [Event<'_>]) -> BTreeMap<String, &'e Event<'e>> {
    let mut all: BTreeMap<String, &Event<'_>> = BTreeMap::new();
    for event in before {
        let node = event.node.as_deref().unwrap_or_default();
        match &*event.kind {
            "fault" if lasts(event.about()) => {
                all.retain(|what, _| !ends(event.about(), what));
                all.insert(event.about().to_owned(), event);
            }
            "heal" => all.retain(|what, _| !ends(event.about(), what)),
            "crash" | "pause" => {
                all.insert(format!("{} of {node}", event.kind), event);
            }
            "restart" => drop(all.remove(&format!("crash of {node}"))),
            "resume" => drop(all.remove(&format!("pause of {node}"))),
            _ => {}
        }
    }
    all
}

/// Whether a fault is a state and not a moment. What happens to one node has events of that node.
fn lasts(what: &str) -> bool {
    !matches!(
        kind(what),
        "crash"
            | "kill"
            | "restart"
            | "pause"
            | "resume"
            | "reset"
            | "step"
            | "spurious"
            | "link"
            | "release"
    )
}

fn kind(what: &str) -> &str {
    what.split_whitespace().next().unwrap_or_default()
}

/// Whether one event, a heal or a fault, ends a fault that stands: the faults of the network by
/// `heal`, the others by one of their kind on the same nodes, all by `everything`.
fn ends(event: &str, fault: &str) -> bool {
    if event == fault || event == "everything" {
        return true;
    }
    let words: Vec<&str> = event.split_whitespace().collect();
    match words.split_first() {
        None | Some((&("heal" | "all"), [])) => is_of_network(fault),
        Some((&"heal", nodes)) => {
            let of_fault = subject(fault);
            let named = nodes.iter().all(|node| of_fault.contains(node));
            is_of_network(fault) && named && of_fault.len() <= 1 + nodes.len()
        }
        Some((&"release", _)) => {
            kind(fault) == "hold" && subject(event)[1..] == subject(fault)[1..]
        }
        _ => !is_of_network(fault) && subject(event) == subject(fault),
    }
}

fn is_of_network(fault: &str) -> bool {
    matches!(kind(fault), "partition" | "isolate" | "clog" | "hold")
}

/// The kind of a fault and the nodes that it concerns, without the value.
fn subject(what: &str) -> Vec<&str> {
    let marks = |word: &&str| !matches!(*word, "|" | "->");
    let mut words: Vec<&str> = what.split_whitespace().filter(marks).collect();
    match kind(what) {
        "drain" | "skew" | "drift" | "descriptors" | "short-io" | "point" => words.truncate(2),
        "flip" => words.truncate(3),
        _ => {}
    }
    words
}

fn list(heading: &str, events: &[&Event<'_>], out: &mut String) {
    if events.is_empty() {
        return;
    }
    let _ = write!(out, "<div class=\"list\">{heading}:<ul>");
    let skipped = events.len().saturating_sub(LISTED);
    for event in &events[skipped..] {
        let _ = write!(
            out,
            "<li><button type=\"button\" data-jump=\"{}\">{}</button> ",
            event.tyme,
            seconds(event.tyme)
        );
        if let Some(node) = &event.node {
            escape(node, out);
            out.push_str(": ");
        }
        if matches!(&*event.kind, "crash" | "pause") {
            out.push_str(match &*event.kind {
                "crash" => "crashed",
                _ => "paused",
            });
        }
        escape(&brief(event.about()), out);
        out.push_str("</li>");
    }
    if skipped > 0 {
        let _ = write!(out, "<li>and {skipped} earlier ones</li>");
    }
    out.push_str("</ul></div>\n");
}

/// Entries of a list, and nodes of a side, at most.
const LISTED: usize = 6;

/// Who took part, for how long, and what became of the messages.
fn numbers(events: &[Event<'_>], out: &mut String) {
    let mut nodes = BTreeSet::new();
    let (mut kinds, mut drops) = (BTreeMap::new(), BTreeMap::new());
    for event in events {
        nodes.extend(event.node.as_deref());
        *kinds.entry(&*event.kind).or_insert(0_u64) += 1;
        if event.kind == "drop" {
            *drops.entry(event.about()).or_insert(0_u64) += 1;
        }
    }
    let count = |kind| kinds.get(kind).copied().unwrap_or(0);
    let span = events.last().map_or(0, |e| e.tyme) - events.first().map_or(0, |e| e.tyme);
    let _ = write!(
        out,
        "<p class=\"numbers\">{} over {}, {}",
        plural(nodes.len() as u64, "node"),
        seconds(span),
        plural(events.len() as u64, "event"),
    );
    if count("send") > 0 {
        let _ = write!(out, "; {} sent", plural(count("send"), "message"));
    }
    if count("drop") > 0 {
        let _ = write!(out, ", {} lost (", count("drop"));
        for (i, (why, n)) in drops.iter().enumerate() {
            let comma = if i == 0 { "" } else { ", " };
            let _ = write!(out, "{comma}{n} by ");
            escape(why, out);
        }
        out.push(')');
    }
    for (kind, name) in [("fault", "fault"), ("crash", "crash"), ("note", "note")] {
        if count(kind) > 0 {
            let _ = write!(out, "; {}", plural(count(kind), name));
        }
    }
    out.push_str(".</p>\n");
}

/// A partition's sides of many nodes are their first two, their last, and how many.
fn brief(what: &str) -> String {
    let Some(sides) = what.strip_prefix("partition ") else {
        return what.to_owned();
    };
    let side = |side: &str| {
        let nodes: Vec<&str> = side.split_whitespace().collect();
        match &nodes[..] {
            [first, second, .., last] if nodes.len() > LISTED => {
                format!("{first} {second} … {last} ({} nodes)", nodes.len())
            }
            _ => nodes.join(" "),
        }
    };
    let sides: Vec<String> = sides.split('|').map(side).collect();
    format!("partition {}", sides.join(" | "))
}

fn quoted(before: &str, text: &str, after: &str, out: &mut String) {
    out.push_str(before);
    out.push_str("<q>");
    escape(text, out);
    out.push_str("</q>");
    out.push_str(after);
}

fn plural(n: u64, what: &str) -> String {
    match (n, what) {
        (1, _) => format!("1 {what}"),
        (_, "crash") => format!("{n} crashes"),
        _ => format!("{n} {what}s"),
    }
}

/// Milliseconds are the finest that a sentence needs, but for very short runs.
fn seconds(nanos: u64) -> String {
    match nanos {
        0 => "0 s".to_owned(),
        1..1_000_000 => format!("{}.{:03} µs", nanos / 1000, nanos % 1000),
        _ => {
            let millis = nanos / 1_000_000;
            format!("{}.{:03} s", millis / 1000, millis % 1000)
        }
    }
}

#[cfg(test)]
mod tests;
