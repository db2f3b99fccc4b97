//! The command line.

use std::path::{Path, PathBuf};
use std::time::Duration;

use hio::doing::Fault;
use hio::link::tls::{Certify, ClientTls, ServerTls, Source};
use hio::proto::communicator::{HttpCommunicator, HttpConfig, HttpConnection, HttpTimeout};
use lexopt::prelude::*;

use super::common::Usage;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Echo,
    Send,
}

/// Somebody to talk with.
pub(crate) struct Peer {
    pub(crate) name: String,
    host: String,
    port: u16,
}

pub(crate) struct Options {
    pub(crate) mode: Mode,
    addr: String,
    port: u16,
    pub(crate) peers: Vec<Peer>,
    pub(crate) pool: bool,
    pub(crate) tls: Option<PathBuf>,
    me: String,
    pub(crate) count: usize,
    /// How many kinds of objects.
    pub(crate) kinds: usize,
    pub(crate) sizes: Vec<usize>,
}

impl Options {
    pub(crate) fn read(mut parser: lexopt::Parser) -> Result<Self, Usage> {
        let mode = match parser.next()? {
            Some(Value(mode)) if mode == "echo" => Mode::Echo,
            Some(Value(mode)) if mode == "send" => Mode::Send,
            None | Some(Long("help") | Short('h')) => return Err(Usage::Help),
            Some(_) => return Err(Usage::wrong("echo or send is wanted first")),
        };
        let mut options = Self {
            mode,
            addr: "localhost".to_owned(),
            port: 0,
            peers: Vec::new(),
            pool: false,
            tls: None,
            me: if mode == Mode::Echo { "bob" } else { "alice" }.to_owned(),
            count: 50,
            kinds: usize::MAX,
            sizes: SIZES.to_vec(),
        };
        let mut port = None;
        while let Some(argument) = parser.next()? {
            match argument {
                Long("addr") => options.addr = parser.value()?.string()?,
                Long("port") => port = Some(parser.value()?.parse()?),
                Long("peer") => options.peers.push(peer(&parser.value()?.string()?)?),
                Long("pool") => options.pool = true,
                Long("tls") => options.tls = Some(parser.value()?.into()),
                Long("me") => options.me = parser.value()?.string()?,
                Long("count") => options.count = parser.value()?.parse()?,
                Long("kinds") => options.kinds = parser.value()?.parse()?,
                Long("sizes") => options.sizes = sizes(&parser.value()?.string()?)?,
                Long("help") | Short('h') => return Err(Usage::Help),
                other => return Err(other.unexpected().into()),
            }
        }
        options.port = port.ok_or_else(|| Usage::wrong("--port is needed"))?;
        match options.peers.is_empty() {
            true => Err(Usage::wrong("a --peer NAME=HOST:PORT is needed")),
            false => Ok(options),
        }
    }

    /// A communicator that knows nobody yet.
    pub(crate) fn communicator(&self) -> Result<HttpCommunicator, Fault> {
        let mut config = HttpConfig::at(self.addr.as_str(), self.port);
        config.conn_timeout = HttpTimeout {
            total: Some(Duration::from_secs(30)),
            ..HttpTimeout::default()
        };
        if let Some(dir) = &self.tls {
            let (server, client) = contexts(dir, &self.me)?;
            config = config.with_tls(server, client);
        }
        Ok(HttpCommunicator::http(config)?)
    }

    pub(crate) fn connection(&self, peer: &Peer) -> Result<HttpConnection, Fault> {
        let connection = HttpConnection::new(peer.host.as_str(), peer.port);
        Ok(match &self.tls {
            Some(dir) => connection.with_cert(file(dir, &peer.name, "pem"))?,
            None => connection,
        })
    }
}

/// As in the Python package's own tests: both sides show certificates, names are not checked.
fn contexts(dir: &Path, me: &str) -> Result<(ServerTls, ClientTls), Fault> {
    let server = ServerTls::builder()
        .certificate(file(dir, me, "pem"))
        .key(file(dir, me, "key"))
        .client_ca(file(dir, "ca", "pem"))
        .certify(Certify::Required);
    let client = ClientTls::builder()
        .certificate(file(dir, me, "pem"))
        .key(file(dir, me, "key"))
        .ca(file(dir, "ca", "pem"))
        .any_name();
    // Python's aiohttp ends connections without a close_notify.
    let server = server.build()?.tolerate_missing_close_notify(true);
    let client = client.build()?.tolerate_missing_close_notify(true);
    Ok((server, client))
}

fn file(dir: &Path, name: &str, kind: &str) -> Source {
    Source::Path(dir.join(format!("{name}.{kind}")))
}

fn peer(text: &str) -> Result<Peer, Usage> {
    let parts = text.split_once('=').and_then(|(name, at)| {
        let (host, port) = at.rsplit_once(':')?;
        Some(Peer {
            name: name.to_owned(),
            host: host.to_owned(),
            port: port.parse().ok()?,
        })
    });
    parts.ok_or_else(|| Usage::wrong("--peer takes NAME=HOST:PORT"))
}

fn sizes(text: &str) -> Result<Vec<usize>, Usage> {
    let all = text.split(',').filter(|part| !part.is_empty());
    all.map(|part| part.parse().map_err(Usage::wrong)).collect()
}

const SIZES: [usize; 11] = [
    0, 1, 2, 1023, 4096, 65_535, 65_536, 65_537, 262_144, 1_048_576, 8_388_608,
];
