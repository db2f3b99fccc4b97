//! What is drawn: figures, and what they changed by since the last picture.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hio::doing::{DoerId, DoerState, Listing, Snapshot, StallReport};
use hio::link::{Load, Stats};
use hio::net::NetStats;
use hio::tyme::Tyme;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Color, Style, Stylize};
use ratatui::text::Line;
use ratatui::widgets::{Block, Paragraph, Row, Table};

/// Two looks, to tell rates from.
#[derive(Default)]
pub(crate) struct View {
    now: Look,
    before: Look,
    stalls: u64,
    story: Vec<String>,
}

#[derive(Clone, Default)]
struct Look {
    clock: Tyme,
    snapshot: Arc<Snapshot>,
    server: Stats,
    load: Load,
    net: NetStats,
}

/// Stalls that are shown.
const STORY: usize = 4;

impl View {
    /// Takes a new look in.
    pub(crate) fn take(
        &mut self,
        clock: Tyme,
        snapshot: Arc<Snapshot>,
        (server, load): (Stats, Load),
        net: NetStats,
        report: &StallReport,
    ) {
        let look = Look {
            clock,
            snapshot,
            server,
            load,
            net,
        };
        self.before = std::mem::replace(&mut self.now, look);
        if report.stalls() != self.stalls {
            self.stalls = report.stalls();
            if let Some(stall) = report.last() {
                self.story.push(stall.to_string());
                let old = self.story.len().saturating_sub(STORY);
                self.story.drain(..old);
            }
        }
    }

    pub(crate) fn draw(&self, frame: &mut Frame<'_>) {
        let rows = [
            Constraint::Length(5),
            Constraint::Min(6),
            Constraint::Length(STORY as u16 + 2),
        ];
        let [head, doers, stalls] = Layout::vertical(rows).areas(frame.area());
        let title = " top of a Doist: q quits ".bold();
        frame.render_widget(
            Paragraph::new(self.head()).block(Block::bordered().title(title)),
            head,
        );
        frame.render_widget(self.doers(), doers);
        let title = format!(" {} stalls of 20 ms or more ", self.stalls);
        let story: Vec<Line<'_>> = self.story.iter().map(|s| Line::from(s.as_str())).collect();
        frame.render_widget(
            Paragraph::new(story).block(Block::bordered().title(title)),
            stalls,
        );
    }

    fn head(&self) -> Vec<Line<'static>> {
        let (now, before) = (&self.now, &self.before);
        let (doist, was) = (&now.snapshot.doist, &before.snapshot.doist);
        let span = now.clock.since(before.clock);
        let per = |now: u64, before: u64| rate(now.saturating_sub(before), span);
        vec![
            Line::from(format!(
                "tyme {}  ticks {}  passes/s {}  wake passes/s {}  recurs/s {}  late {}  missed {}",
                doist.tyme,
                doist.ticks,
                per(doist.passes, was.passes),
                per(doist.wake_passes, was.wake_passes),
                per(doist.recurs, was.recurs),
                doist.overruns.late,
                doist.overruns.missed,
            )),
            Line::from(format!(
                "doers {} open, {} parked, {} timed  wakes/s {}  sockets {}  polls/s {}  events/s {}",
                doist.open,
                doist.parked,
                doist.timed,
                per(doist.wakes, was.wakes),
                now.net.sockets,
                per(now.net.polls, before.net.polls),
                per(now.net.events, before.net.events),
            )),
            Line::from(format!(
                "server {} connections  in {}B/s  out {}B/s  buffered {} B  pool {} KiB  closed {}",
                now.load.connections,
                per(now.server.received, before.server.received),
                per(now.server.sent, before.server.sent),
                now.load.rx + now.load.tx,
                now.load.pooled / 1024,
                now.server.closed,
            )),
        ]
    }

    fn doers(&self) -> Table<'static> {
        let span = self.now.clock.since(self.before.clock);
        let old: BTreeMap<DoerId, &Listing> = (self.before.snapshot.doers.iter())
            .map(|doer| (doer.id, doer))
            .collect();
        let rows = self.now.snapshot.doers.iter().map(|doer| {
            let was = old.get(&doer.id).map(|d| d.stats).unwrap_or_default();
            row(doer, was, span)
        });
        let widths = [
            Constraint::Min(20),
            Constraint::Length(8),
            Constraint::Length(10),
            Constraint::Length(10),
            Constraint::Length(7),
            Constraint::Length(10),
            Constraint::Length(10),
        ];
        let head = [
            "doer", "state", "recurs/s", "wakes/s", "busy %", "longest", "due",
        ];
        Table::new(rows, widths)
            .header(Row::new(head).style(Style::new().bold()))
            .block(Block::bordered().title(" doers "))
    }
}

fn row(doer: &Listing, was: hio::doing::DoerStats, span: Duration) -> Row<'static> {
    let stats = doer.stats;
    let busy = stats.busy.saturating_sub(was.busy).as_secs_f64();
    let busy = 100.0 * busy / span.as_secs_f64().max(1e-9);
    let style = match busy {
        b if b >= 25.0 => Style::new().fg(Color::Red),
        b if b >= 5.0 => Style::new().fg(Color::Yellow),
        _ => Style::new(),
    };
    let state = match stats.state {
        DoerState::Added => "added",
        DoerState::Fresh => "fresh",
        DoerState::Always => "always",
        DoerState::Timed => "timed",
        DoerState::Parked => "parked",
        DoerState::Ended => "ended",
    };
    Row::new([
        doer.path.clone(),
        state.to_owned(),
        rate(stats.recurs.saturating_sub(was.recurs), span),
        rate(stats.wakes.saturating_sub(was.wakes), span),
        format!("{busy:5.1}"),
        format!("{:.1?}", stats.longest),
        stats.due.map_or("-".to_owned(), |due| due.to_string()),
    ])
    .style(style)
}

/// So many a second, in three or four digits.
fn rate(n: u64, span: Duration) -> String {
    let rate = n as f64 / span.as_secs_f64().max(1e-9);
    match rate {
        r if r >= 1e7 => format!("{:.1} M", r / 1e6),
        r if r >= 1e4 => format!("{:.1} k", r / 1e3),
        r => format!("{r:.0}"),
    }
}
