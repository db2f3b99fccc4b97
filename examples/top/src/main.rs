//! `top` for a Doist: an echo server under load, and what its doers do, drawn by one of them.
//!
//! ```text
//! cargo run --release --manifest-path examples/top/Cargo.toml
//! cargo run --release --manifest-path examples/top/Cargo.toml -- --secs 5 --plain
//! ```
//!
//! `cast.rs` has the program that is looked at, `view.rs` what is drawn. Nothing in it knows more of
//! the Doist than any doer of yours can: a `StatsHandle`, a `StallReport`, `cx.net.stats()`.

mod cast;
mod view;

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use hio::doers::SignalDoer;
use hio::doing::prelude::*;
use hio::doing::{StallReport, StallWatch, StatsHandle};
use hio::link::{Limits, Server};
use hio::net::{Endpoint, ListenOptions, MioNet};
use hio::tyme::{SystemClock, duration_from_secs};
use lexopt::prelude::*;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};

use cast::{App, Caller, Clumsy, Echo};
use view::View;

const HELP: &str = "\
Shows what the doers of a running program do: an echo server, clients that keep it busy, and a
doer that stalls all others now and then. q ends it.

    top [OPTIONS]

    --secs S       end after so many seconds (default: never; with --plain 5)
    --clients N    clients (default: 8)
    --plain        no terminal: print the last picture as text";

/// Stalls are hooks that take this long.
const STALL: Duration = Duration::from_millis(20);
/// Time between two looks at the keyboard.
const KEYS: Duration = Duration::from_millis(50);
/// Pictures are drawn at every so manieth look.
const DRAWS: u32 = 5;
/// Columns and lines of a picture that is printed.
const PLAIN: (u16, u16) = (100, 32);

struct Options {
    secs: Option<Duration>,
    clients: usize,
    plain: bool,
}

fn main() -> ExitCode {
    let done = match options() {
        Ok(Some(options)) => run(&options),
        Ok(None) => writeln!(io::stdout(), "{HELP}").map_err(Fault::from),
        Err(why) => {
            eprintln!("top: {why}\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("top: {fault}");
            ExitCode::FAILURE
        }
    }
}

fn options() -> Result<Option<Options>, lexopt::Error> {
    let mut options = Options {
        secs: None,
        clients: 8,
        plain: false,
    };
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            Long("secs") => {
                let secs = duration_from_secs(args.value()?.parse()?);
                options.secs = Some(secs.map_err(|why| why.to_string())?);
            }
            Long("clients") => options.clients = args.value()?.parse()?,
            Long("plain") => options.plain = true,
            Short('h') | Long("help") => return Ok(None),
            other => return Err(other.unexpected()),
        }
    }
    if options.plain && options.secs.is_none() {
        options.secs = Some(Duration::from_secs(5));
    }
    Ok(Some(options))
}

/// The program that is looked at, and who looks.
fn run(options: &Options) -> Result<(), Fault> {
    let mut net = MioNet::new()?;
    let at = Endpoint::host("127.0.0.1", 0);
    let server = Server::new(at, ListenOptions::default(), Limits::default());
    let mut doist = Doist::new(App { server }).with_tock(Duration::from_millis(10));
    if let Some(secs) = options.secs {
        doist = doist.with_limit(secs);
    }
    doist.measure();
    let watch = StallWatch::new(SystemClock::new(), STALL);
    let report = watch.report();
    doist.watch(watch);
    let handle = doist.stats_handle();
    doist.named("echo").add(Echo);
    doist.named("clumsy").add(Clumsy::default());
    doist.named("signals").add(SignalDoer::new(&mut net)?);
    doist.enter(&mut net)?;
    let mut clients: DoDoer<App> = DoDoer::new();
    for nth in 0..options.clients {
        let to = doist.app.server.eha();
        clients.add_named(format!("client{nth}"), Caller::new(to, nth));
    }
    doist.named("clients").add(clients);
    let ran = match options.plain {
        true => {
            let terminal = Terminal::new(TestBackend::new(PLAIN.0, PLAIN.1));
            let terminal = terminal.map_err(|never| match never {})?;
            let top = Top::new(terminal, handle, report, |_| Ok(false));
            let top = doist.named("top").add(top);
            let ran = doist.run(&mut net);
            let top = doist.get(top).ok_or_else(|| Fault::msg("no picture"))?;
            // The backend puts each line into quotes.
            for line in top.terminal.backend().to_string().lines() {
                writeln!(io::stdout(), "{}", line.trim_matches('"').trim_end())?;
            }
            ran
        }
        false => {
            let terminal = ratatui::try_init()?;
            let top = Top::new(terminal, handle, report, |_| quits());
            doist.named("top").add(top);
            let ran = doist.run(&mut net);
            ratatui::restore();
            ran
        }
    };
    ran.map(drop)
}

/// Whether q, Esc or Ctrl-C was pressed. Does not wait.
fn quits() -> Result<bool, Fault> {
    while event::poll(Duration::ZERO)? {
        let Event::Key(key) = event::read()? else {
            continue;
        };
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        let ends = matches!(key.code, KeyCode::Char('q') | KeyCode::Esc)
            || (control && key.code == KeyCode::Char('c'));
        if ends && key.kind == KeyEventKind::Press {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The doer that draws.
struct Top<B: ratatui::backend::Backend> {
    terminal: Terminal<B>,
    handle: StatsHandle,
    report: StallReport,
    view: View,
    looks: u32,
    quits: fn(&mut App) -> Result<bool, Fault>,
}

impl<B: ratatui::backend::Backend> Top<B> {
    fn new(
        terminal: Terminal<B>,
        handle: StatsHandle,
        report: StallReport,
        quits: fn(&mut App) -> Result<bool, Fault>,
    ) -> Self {
        Self {
            terminal,
            handle,
            report,
            view: View::default(),
            looks: 0,
            quits,
        }
    }
}

impl<B> Doer<App> for Top<B>
where
    B: ratatui::backend::Backend,
    B::Error: Send + Sync + 'static,
{
    fn tock(&self) -> Duration {
        KEYS
    }

    fn recur(&mut self, _tyme: Tyme, cx: &mut Cx<'_, App>) -> Result<Next, Fault> {
        if (self.quits)(cx.app)? {
            cx.ask.stop();
        }
        self.looks += 1;
        if self.looks.is_multiple_of(DRAWS) {
            if let Some(snapshot) = self.handle.latest() {
                let clock = cx.net.now();
                let server = (cx.app.server.stats(), cx.app.server.load());
                self.view
                    .take(clock, snapshot, server, cx.net.stats(), &self.report);
                self.terminal.draw(|frame| self.view.draw(frame))?;
            }
            self.handle.ask(); // they are there at the next picture
        }
        Ok(Again)
    }
}
