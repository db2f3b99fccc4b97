//! The options `--wirelog`, `--pcapng` and `--keylog` of a server.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hio::doers::WireLogDoer;
use hio::link::Server;
use hio::link::tls::ServerTlsBuilder;
use hio::net::Net;
use hio::wire::{KeyLogger, Pcapng, Tap, WireLog};

use super::common::Usage;

/// What is to be logged, and where to.
#[derive(Default, PartialEq)]
pub(crate) struct Files {
    pub(crate) wirelog: Option<PathBuf>,
    pub(crate) pcapng: Option<PathBuf>,
    pub(crate) keylog: Option<PathBuf>,
}

/// The logs, open.
#[derive(Default)]
pub(crate) struct Logs {
    wirelog: Option<WireLog>,
    pcapng: Option<Pcapng>,
    keys: Option<Arc<KeyLogger>>,
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
        Ok(Logs {
            wirelog,
            pcapng,
            keys,
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

    /// Captures what passes a net.
    pub(crate) fn of_net(&self, net: impl Net + 'static) -> Box<dyn Net> {
        match &self.pcapng {
            None => Box::new(net),
            Some(capture) => Box::new(Tap::new(net).with(capture.clone())),
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
