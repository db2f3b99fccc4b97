//! What the examples share: their command lines and how they end.
#![expect(dead_code, reason = "each example uses what it needs")]

use std::ffi::OsStr;
use std::fmt;
use std::path::PathBuf;
use std::process::ExitCode;

use hio::doing::Fault;
use hio::link::tls::{ClientTls, ServerTls};
use hio::net::Endpoint;

/// Why a program does not start.
#[derive(Debug)]
pub(crate) enum Usage {
    /// It was asked to explain itself.
    Help,
    /// The command line makes no sense.
    Wrong(String),
}

impl Usage {
    /// The command line makes no sense, for this reason.
    pub(crate) fn wrong(why: impl fmt::Display) -> Self {
        Self::Wrong(why.to_string())
    }
}

impl From<lexopt::Error> for Usage {
    fn from(why: lexopt::Error) -> Self {
        Self::wrong(why)
    }
}

/// Runs a program: 0 when it went well or explained itself, 1 when it failed, 2 when its command
/// line makes no sense.
pub(crate) fn run<O>(
    name: &str,
    help: &str,
    options: Result<O, Usage>,
    program: impl FnOnce(O) -> Result<(), Fault>,
) -> ExitCode {
    match options.map(program) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(fault)) => {
            eprintln!("{name}: {fault}");
            ExitCode::FAILURE
        }
        Err(Usage::Help) => {
            println!("{help}");
            ExitCode::SUCCESS
        }
        Err(Usage::Wrong(why)) => {
            eprintln!("{name}: {why}\n\n{help}");
            ExitCode::from(2)
        }
    }
}

/// `HOST:PORT`.
pub(crate) fn tcp(text: &OsStr) -> Result<Endpoint, Usage> {
    let text = text
        .to_str()
        .ok_or_else(|| Usage::wrong("--addr is no text"))?;
    let at: Endpoint = text.parse().map_err(Usage::wrong)?;
    match at {
        Endpoint::Tcp(_) | Endpoint::Name(..) => Ok(at),
        _ => Err(Usage::wrong(
            "--addr takes HOST:PORT; for a path use --unix",
        )),
    }
}

/// What a command line says about TLS.
#[derive(Debug, Default)]
pub(crate) struct TlsFiles {
    /// `--tls`
    pub(crate) wanted: bool,
    /// `--cert`
    pub(crate) certificate: Option<PathBuf>,
    /// `--key`
    pub(crate) key: Option<PathBuf>,
    /// `--ca` of a client, `--client-ca` of a server.
    pub(crate) ca: Option<PathBuf>,
    /// `--name`
    pub(crate) name: Option<String>,
}

impl TlsFiles {
    /// What a server makes of it.
    pub(crate) fn server(self) -> Result<Option<ServerTls>, Usage> {
        if !self.wanted {
            return self.unwanted();
        }
        let mut tls = ServerTls::builder();
        if let Some(certificate) = self.certificate {
            tls = tls.certificate(certificate);
        }
        if let Some(key) = self.key {
            tls = tls.key(key);
        }
        if let Some(ca) = self.ca {
            tls = tls.client_ca(ca);
        }
        tls.build().map(Some).map_err(Usage::wrong)
    }

    /// What a client makes of it.
    pub(crate) fn client(self) -> Result<Option<ClientTls>, Usage> {
        if !self.wanted {
            return self.unwanted();
        }
        let mut tls = ClientTls::builder();
        if let Some(ca) = self.ca {
            tls = tls.ca(ca);
        }
        if let Some(certificate) = self.certificate {
            tls = tls.certificate(certificate);
        }
        if let Some(key) = self.key {
            tls = tls.key(key);
        }
        if let Some(name) = self.name {
            tls = tls.name(name);
        }
        tls.build().map(Some).map_err(Usage::wrong)
    }

    /// No TLS. Files for it are then a mistake, which must not end in plain text.
    fn unwanted<T>(self) -> Result<Option<T>, Usage> {
        let files = [self.certificate, self.key, self.ca];
        match files.iter().all(Option::is_none) && self.name.is_none() {
            true => Ok(None),
            false => Err(Usage::wrong("certificates need --tls")),
        }
    }
}

/// An address as command lines take it: `HOST:PORT`, or the path.
pub(crate) fn plain(at: &Endpoint) -> String {
    match at {
        Endpoint::Unix(path) => path.display().to_string(),
        other => other.to_string(),
    }
}

/// Fills `out` with the content of one message of one connection: the same for the same two
/// numbers, different for all others.
pub(crate) fn content(connection: u64, message: u64, out: &mut [u8]) {
    let mut state = connection.wrapping_mul(0xD134_2543_DE82_EF95) ^ message.wrapping_add(1);
    for chunk in out.chunks_mut(8) {
        // SplitMix64.
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let bytes = (z ^ (z >> 31)).to_le_bytes();
        chunk.copy_from_slice(&bytes[..chunk.len()]);
    }
}
