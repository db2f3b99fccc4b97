//! Straight on, without a Doist: say something, wait for what comes of it.

use std::io::Write;
use std::time::Duration;

use hio::doing::Fault;
use hio::net::Net;
use hio::tyme::Tyme;

use super::common;

/// What was found wrong, and how much was looked at.
#[derive(Default)]
pub(crate) struct Checks {
    pub(crate) checks: usize,
    pub(crate) failures: Vec<String>,
}

impl Checks {
    pub(crate) fn check(&mut self, holds: bool, what: impl FnOnce() -> String) {
        self.checks += 1;
        if !holds && self.failures.len() < 10 {
            self.failures.push(what());
        }
    }

    /// The JSON line, and the exit status.
    pub(crate) fn finish(
        &self,
        layer: &str,
        tls: bool,
        rest: &str,
        out: &mut dyn Write,
    ) -> Result<(), Fault> {
        let ok = self.failures.is_empty();
        let failures: Vec<String> = self.failures.iter().map(|f| format!("{f:?}")).collect();
        common::say_to(
            out,
            format_args!(
                "{{\"ok\": {ok}, \"mode\": \"send\", \"layer\": \"{layer}\", \"tls\": {tls}, \
             \"checks\": {}, {rest}, \"mismatches\": {}, \"failures\": [{}]}}",
                self.checks,
                self.failures.len(),
                failures.join(", ")
            ),
        )?;
        match ok {
            true => Ok(()),
            false => Err(Fault::msg("not everything came back as it should")),
        }
    }
}

/// Turns something until it says that it has what was waited for; gives up after `PATIENCE`.
pub(crate) fn wait<R>(
    net: &mut dyn Net,
    what: &str,
    mut turn: impl FnMut(Tyme, &mut dyn Net) -> Result<(Option<R>, Tyme), Fault>,
) -> Result<R, Fault> {
    let until = net.now() + PATIENCE;
    loop {
        let now = net.now();
        let (found, due) = turn(now, net)?;
        if let Some(found) = found {
            return Ok(found);
        }
        if now >= until {
            return Err(Fault::msg(format!("waited for {what} in vain")));
        }
        // What a budget left over is marked: a poll would not end for it.
        let mut marked = Vec::new();
        net.woken(&mut marked);
        let due = if marked.is_empty() { due } else { now };
        net.poll(due.min(until))?;
    }
}

/// How long any one answer may take.
const PATIENCE: Duration = Duration::from_secs(30);
