//! What the tour shows: a table that is drawn again and again, or lines where there is no terminal.

use std::collections::VecDeque;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use hio::doing::Listing;
use hio::doing::prelude::Tyme;

use crate::cast::{App, Seen, State};
use crate::world::World;

/// Pictures that the small curves go back.
const HISTORY: usize = 24;
/// Pictures that a rate is taken over: a second.
const SECOND: usize = 10;
/// Lines of the story that are shown, where there is room.
const STORY: usize = 6;
/// Columns of a link's line without its curve: what it says, and a short state.
const LINK: usize = 81;
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Draws.
pub(crate) struct Screen {
    terminal: bool,
    colour: bool,
    /// Lines of the last picture.
    drawn: usize,
    /// When the last picture was drawn, and what stood in it.
    before: Duration,
    recurs: Vec<(String, u64)>,
    rates: Vec<VecDeque<u64>>,
    latencies: Vec<Option<Duration>>,
    told: usize,
}

impl Screen {
    pub(crate) fn new() -> Self {
        let terminal = io::stdout().is_terminal();
        Self {
            terminal,
            colour: terminal && std::env::var_os("NO_COLOR").is_none(),
            drawn: 0,
            before: Duration::ZERO,
            recurs: Vec::new(),
            rates: Vec::new(),
            latencies: Vec::new(),
            told: 0,
        }
    }

    /// A picture of the doers and links.
    pub(crate) fn draw(&mut self, at: Duration, doers: &[Listing], app: &mut App) {
        let span = at - self.before;
        self.measure(span, app);
        let span = span.as_secs_f64().max(1e-3);
        if self.terminal {
            let picture = self.picture(at, span, doers, app, size());
            // Back to the first line of the last picture, and over it.
            let back = match self.drawn {
                0 => String::new(),
                lines => format!("\x1b[{lines}F\x1b[J"),
            };
            self.drawn = picture.lines().count();
            // Lines that are too long for the terminal are cut off, not folded.
            show(&format!("{back}\x1b[?7l{picture}\x1b[?7h"));
        } else {
            self.lines(at, app);
        }
        self.recurs = doers
            .iter()
            .map(|d| (d.path.clone(), d.stats.recurs))
            .collect();
        self.before = at;
    }

    /// Takes what is fresh since the last picture.
    fn measure(&mut self, span: Duration, app: &mut App) {
        self.rates.resize_with(app.links.len(), VecDeque::new);
        self.latencies.resize(app.links.len(), None);
        for (i, link) in app.links.iter_mut().enumerate() {
            if self.rates[i].len() == HISTORY {
                self.rates[i].pop_front();
            }
            let nanos = span.as_nanos().max(1);
            let rate = u128::from(link.fresh) * 1_000_000_000 / nanos;
            self.rates[i].push_back(u64::try_from(rate).unwrap_or(u64::MAX));
            if let Ok(fresh @ 1..) = u32::try_from(link.fresh) {
                self.latencies[i] = Some(link.waited / fresh);
            }
            (link.fresh, link.waited) = (0, Duration::ZERO);
        }
    }

    /// A picture that fits into so many rows and columns.
    fn picture(
        &self,
        at: Duration,
        span: f64,
        doers: &[Listing],
        app: &App,
        (rows, columns): (usize, usize),
    ) -> String {
        let title = format!(
            "hio tour   {:4.1} s   one thread, one Doist, {} doers, real sockets",
            at.as_secs_f64(),
            doers.len()
        );
        let blank = String::new();
        let mut lines = vec![self.bold(&title), blank.clone()];
        let head = "DOER          RECURS   RECURS/S   LONGEST   STATE";
        lines.push(self.dim(head));
        lines.extend(doers.iter().map(|doer| self.doer(doer, span)));
        lines.push(blank.clone());
        let head = "LINK   PEER                   RECEIVED       SENT     MSG/S   LATENCY   STATE";
        lines.push(self.dim(head));
        let width = columns.saturating_sub(LINK).min(HISTORY);
        let links = app.links.iter().enumerate();
        lines.extend(links.map(|(i, link)| self.link(i, link, at, width)));
        lines.push(blank);
        // The cursor's own row is below.
        let room = rows.saturating_sub(1);
        if lines.len() + STORY > room {
            lines.retain(|line| !line.is_empty());
        }
        let story = STORY.min(room.saturating_sub(lines.len()));
        let skip = app.story.len().saturating_sub(story);
        let told = app.story[skip..].iter();
        lines.extend(told.map(|(tyme, what)| format!("{:5.2} s  {what}", tyme.as_secs_f64())));
        lines.truncate(room);
        lines.into_iter().map(|line| line + "\n").collect()
    }

    fn doer(&self, doer: &Listing, span: f64) -> String {
        let before = self.recurs.iter().find(|(path, _)| *path == doer.path);
        let fresh = doer.stats.recurs.saturating_sub(before.map_or(0, |b| b.1));
        let rate = fresh as f64 / span;
        let state = match (doer.parked, fresh) {
            (true, 0) => self.dim("parked, asleep"),
            (true, _) => "parked".to_owned(),
            (false, _) => "timed".to_owned(),
        };
        format!(
            "{:<11} {:>8}   {rate:>8.0}   {:>7}   {state}",
            doer.path,
            doer.stats.recurs,
            time(Some(doer.stats.longest))
        )
    }

    fn link(&self, i: usize, link: &Seen, at: Duration, width: usize) -> String {
        let state = match link.state {
            State::Dialling => self.paint(33, "dialling"),
            State::Open => self.paint(32, "open"),
            State::Retrying(when, attempts) => {
                let left = when - (Tyme::ZERO + at);
                self.paint(
                    31,
                    &format!("cut; try {attempts} in {:.1} s", left.as_secs_f64()),
                )
            }
        };
        let rates = &self.rates[i];
        format!(
            "{:<6} {:<20} {:>10} {:>10} {:>9}   {:>7}   {} {state}",
            link.name,
            ending(&link.peer, 20),
            bytes(link.received),
            bytes(link.sent),
            rates.iter().rev().take(SECOND).sum::<u64>() / rates.len().clamp(1, SECOND) as u64,
            time(self.latencies[i].filter(|_| link.state == State::Open)),
            curve(rates, width),
        )
    }

    /// One line each second, and what happened in between.
    fn lines(&mut self, at: Duration, app: &App) {
        for (tyme, what) in &app.story[self.told..] {
            show(&format!("{:5.2} s  {what}\n", tyme.as_secs_f64()));
        }
        self.told = app.story.len();
        if at.as_secs() == self.before.as_secs() && at > Duration::from_millis(150) {
            return;
        }
        let open = app.links.iter().filter(|l| l.state == State::Open).count();
        let messages: u64 = app.links.iter().map(|l| l.messages).sum();
        let rate: u64 = self.rates.iter().filter_map(VecDeque::back).sum();
        show(&format!(
            "{:5.2} s  {open} of {} links open, {messages} echoes, {rate} a second\n",
            at.as_secs_f64(),
            app.links.len()
        ));
    }

    /// What it all came to.
    pub(crate) fn summary(&self, app: &App) {
        let messages: u64 = app.links.iter().map(|l| l.messages).sum();
        let received: u64 = app.links.iter().map(|l| l.received).sum();
        let recurs = |wanted: &str| {
            let of = self.recurs.iter().filter(|(path, _)| path.contains(wanted));
            of.map(|(_, n)| n).sum::<u64>()
        };
        show(&format!(
            "\n{}\n  {messages} echoes, {} received, every byte verified\n  \
             {} recurs in {:.1} s on one thread; the idle link took {} of them\n  \
             one server went and came back, its client with it; {} restarts by supervision\n",
            self.bold("What it came to"),
            bytes(received),
            recurs(""),
            self.before.as_secs_f64(),
            recurs("idle"),
            app.restarts,
        ));
    }

    fn paint(&self, code: u8, text: &str) -> String {
        match self.colour {
            true => format!("\x1b[{code}m{text}\x1b[0m"),
            false => text.to_owned(),
        }
    }

    fn bold(&self, text: &str) -> String {
        self.paint(1, text)
    }

    fn dim(&self, text: &str) -> String {
        self.paint(2, text)
    }
}

/// A terminal that is gone does not end the tour.
pub(crate) fn show(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Rows and columns of the terminal; the classic ones where it does not say.
fn size() -> (usize, usize) {
    #[cfg(unix)]
    if let Ok(size) = rustix::termios::tcgetwinsize(io::stdout()) {
        if size.ws_row > 0 && size.ws_col > 0 {
            return (size.ws_row.into(), size.ws_col.into());
        }
    }
    (24, 80)
}

/// The last characters of a text, as paths tell most at their end.
fn ending(text: &str, width: usize) -> String {
    let skip = text.chars().count().saturating_sub(width);
    text.chars().skip(skip).collect()
}

fn bytes(n: u64) -> String {
    match n as f64 {
        n if n >= 1e9 => format!("{:.2} GB", n / 1e9),
        n if n >= 1e6 => format!("{:.1} MB", n / 1e6),
        n if n >= 1e3 => format!("{:.1} kB", n / 1e3),
        n => format!("{n:.0} B"),
    }
}

fn time(time: Option<Duration>) -> String {
    match time {
        None => "–".to_owned(),
        Some(t) if t >= Duration::from_millis(10) => format!("{} ms", t.as_millis()),
        Some(t) => format!("{} µs", t.as_micros()),
    }
}

/// A curve of the last rates, as high as the highest of them.
fn curve(rates: &VecDeque<u64>, width: usize) -> String {
    let highest = rates.iter().copied().max().unwrap_or(0).max(1);
    let bar = |&rate: &u64| match rate {
        0 => ' ',
        rate => {
            BARS[usize::try_from((rate * 7).div_ceil(highest))
                .unwrap_or(7)
                .min(7)]
        }
    };
    let skip = rates.len().saturating_sub(width);
    let curve: String = rates.iter().skip(skip).map(bar).collect();
    format!("{curve:<width$}")
}

/// What happened in the simulated world.
pub(crate) fn world(world: &World) {
    let mut text =
        String::from("\nThe same doers in a simulated world, 8 seconds of it, run twice:\n");
    for (tyme, what) in &world.story {
        text.push_str(&format!("{:5.2} s  {what}\n", tyme.as_secs_f64()));
    }
    text.push_str(&format!(
        "{} messages echoed; both runs: {}\n",
        world.messages, world.hash
    ));
    text.push_str(&format!("its diagram: {}\n", world.page.display()));
    show(&text);
}
