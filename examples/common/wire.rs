//! The options `--wirelog`, `--pcapng`, `--keylog` and `--trace-events` of a server.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hio::doers::WireLogDoer;
use hio::doing::Doist;
use hio::link::Server;
use hio::link::tls::ServerTlsBuilder;
use hio::net::Net;
use hio::seeing::{TraceEvents, TraceProcess};
use hio::tyme::SystemClock;
use hio::wire::{KeyLogger, Pcapng, Tap, WireLog};

use super::common::Usage;

/// What is to be logged, and where to.
#[derive(Default, PartialEq)]
pub(crate) struct Files {
    pub(crate) wirelog: Option<PathBuf>,
    pub(crate) pcapng: Option<PathBuf>,
    pub(crate) keylog: Option<PathBuf>,
    pub(crate) trace: Option<PathBuf>,
}

/// The logs, open.
#[derive(Default)]
pub(crate) struct Logs {
    wirelog: Option<WireLog>,
    pcapng: Option<Pcapng>,
    keys: Option<Arc<KeyLogger>>,
    trace: Option<TraceProcess>,
}

impl Files {
    pub(crate) fn open(self) -> Result<Logs, Usage> {
        let log = |path| WireLog::builder().samed(true).file(path).build();
        let wirelog = self.wirelog.map(log).transpose().map_err(Usage::wrong)?;
        let pcapng = self.pcapng.map(Pcapng::create).transpose();
        let pcapng = pcapng.map_err(Usage::wrong)?;
        let mut keys = None;
        if let Some(path) = self.keylog {
            let mut logger = KeyLogger::new().with_file(path).map_err(Usage::wrong)?;
            if let Some(pcapng) = &pcapng {
                logger = logger.with_pcapng(pcapng);
            }
            keys = Some(Arc::new(logger));
        }
        let trace = self.trace.map(TraceEvents::create).transpose();
        let trace = trace.map_err(Usage::wrong)?;
        Ok(Logs {
            wirelog,
            pcapng,
            keys,
            trace: trace.map(|trace| trace.process("server", SystemClock::new())),
        })
    }
}

impl Logs {
    /// Logs the keys of its sessions.
    pub(crate) fn of_keys(&self, tls: ServerTlsBuilder) -> ServerTlsBuilder {
        match &self.keys {
            None => tls,
            Some(keys) => tls.key_log(keys.clone()),
        }
    }

    /// Logs what a server's program sees.
    pub(crate) fn of_server(&self, server: &mut Server) {
        if let Some(log) = &self.wirelog {
            server.set_watch(Some(Box::new(log.clone())));
        }
    }

    /// Captures and traces what passes a net.
    pub(crate) fn of_net(&self, net: impl Net + 'static) -> Box<dyn Net> {
        let net: Box<dyn Net> = match &self.pcapng {
            None => Box::new(net),
            Some(capture) => Box::new(Tap::new(net).with(capture.clone())),
        };
        match &self.trace {
            None => net,
            Some(process) => Box::new(process.net(net)),
        }
    }

    /// Traces what doers do.
    pub(crate) fn of_doist<A>(&self, doist: &mut Doist<A>) {
        if let Some(process) = &self.trace {
            doist.watch(process.doers());
        }
    }

    /// Writes what was gathered once a second. To be added first, as it is then the last to end.
    pub(crate) fn doer(&self) -> Option<WireLogDoer> {
        let mut doer = WireLogDoer::new(Duration::from_secs(1));
        if self.wirelog.is_none() && self.pcapng.is_none() {
            return None;
        }
        if let Some(log) = &self.wirelog {
            doer = doer.with(log.clone());
        }
        if let Some(capture) = &self.pcapng {
            doer = doer.with(capture.clone());
        }
        Some(doer)
    }
}
