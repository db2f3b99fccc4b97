//! A trace as a page to look at: a space-time diagram in one HTML file, without any network.
//!
//! The trace is that of a simulation, JSON lines such as
//! `{"tyme":1500000,"seq":7,"node":"a","event":"send","id":3,"to":"b","kind":"data","bytes":64}`.
//! or that of a recording, as [`RecordedRun::next_line`](crate::net::RecordedRun::next_line) gives it.
//! Time goes from left to right, every node has a lane, a message is a line from its sender's lane
//! to its receiver's; faults are bands, doers are ticks, notes and violated checks stand out. On
//! top stands in words what happened. The page's own help tells the keys.
//!
//! # Bounds
//! At most [`EVENTS_MAX`] events are shown, those around the first violation or else the first fault,
//! and the page says so;
//! lines longer than [`LINE_BYTES_MAX`] or that cannot be read are left out and counted. Whatever a
//! trace says is shown as text, never taken for markup.

mod event;
mod select;
mod summary;

use event::Event;
use std::fmt::Write;

/// Events on one page at most.
pub const EVENTS_MAX: usize = 20_000;

/// Bytes of a line that is shown, at most.
pub const LINE_BYTES_MAX: usize = 1000;

/// The page for a trace: `title` is its heading, such as the command that made it.
///
/// ```
/// let trace = r#"{"tyme":0,"seq":0,"node":"a","event":"boot"}
/// {"tyme":5000,"seq":1,"node":"a","event":"always","name":"one leader"}"#;
/// let page = hio::sim::view::html("sim_cluster --seed 7", trace);
/// assert!(page.starts_with("<!DOCTYPE html>") && page.contains("one leader"));
/// ```
#[must_use]
pub fn html(title: &str, trace: &str) -> String {
    let (mut events, mut unread) = (Vec::new(), 0);
    for line in trace.lines().filter(|line| !line.trim().is_empty()) {
        match (line.len() <= LINE_BYTES_MAX).then(|| Event::read(line)) {
            Some(Some(event)) => events.push(event),
            _ => unread += 1,
        }
    }
    let shown = select::shown(&events, EVENTS_MAX);
    let mut lines = String::new();
    for &index in &shown.indices {
        escape_script(&events[index].line, &mut lines);
        lines.push('\n');
    }
    let summary = summary::summary(&events, &shown, unread);
    let window = match shown.window {
        Some((from, to)) => format!("{from} {to}"),
        None => String::new(),
    };
    let mut heading = String::new();
    escape(title, &mut heading);
    // The data come last: whatever they hold, nothing is put into them.
    PAGE.replace("{{style}}", STYLE)
        .replace("{{script}}", SCRIPT)
        .replace("{{window}}", &window)
        .replace("{{title}}", &heading)
        .replace("{{summary}}", &summary)
        .replace("{{trace}}", &lines)
}

/// Appends text so that it is nothing but text in HTML.
fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // No placeholder of the page can come out of a text.
            '{' => out.push_str("&#123;"),
            c if c.is_control() => {
                let _ = write!(out, "\u{fffd}"); // writing to a string cannot fail
            }
            c => out.push(c),
        }
    }
}

/// Appends a line of JSON so that no script can end in it. A `<` stands in strings only, where the
/// escape means the same.
fn escape_script(line: &str, out: &mut String) {
    for c in line.chars() {
        match c {
            '<' => out.push_str("\\u003c"),
            '\u{2028}' => out.push_str("\\u2028"),
            '\u{2029}' => out.push_str("\\u2029"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
}

const PAGE: &str = include_str!("view/page/page.html");
const STYLE: &str = include_str!("view/page/page.css");
/// One function in three files: the trace taken apart, drawn, and pointed at.
const SCRIPT: &str = concat!(
    include_str!("view/page/trace.js"),
    include_str!("view/page/draw.js"),
    include_str!("view/page/use.js"),
);
