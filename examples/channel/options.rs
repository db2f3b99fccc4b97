//! The command lines that both channel programs share.
#![expect(dead_code, reason = "each program is one end")]

use std::path::PathBuf;

use hio::link::tls::{ClientTls, ServerTls};
use hio::net::Endpoint;
use hio::proto::channel::rpc::Proxy;
use hio::proto::channel::{ChannelConfig, Json, MsgPack};
use lexopt::prelude::*;

use super::common::{self, Usage};

/// What the command line asks for.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) at: Option<Endpoint>,
    pub(crate) codec: Option<String>,
    pub(crate) rpc: bool,
    pub(crate) requests: usize,
    pub(crate) concurrency: usize,
    /// Bytes of the longest text.
    pub(crate) longest: usize,
    tls: bool,
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
    ca: Option<PathBuf>,
    name: Option<String>,
}

impl Options {
    /// Reads it, with the one `ca` option that this end has.
    pub(crate) fn read(
        mut args: lexopt::Parser,
        ca_option: &str,
        client: bool,
    ) -> Result<Self, Usage> {
        let mut options = Self {
            requests: 200,
            concurrency: 16,
            longest: 1 << 20,
            ..Self::default()
        };
        while let Some(arg) = args.next()? {
            match arg {
                Long("addr") => common::once(&mut options.at, common::tcp(&args.value()?)?)?,
                Long("unix") => common::once(&mut options.at, common::unix(&args.value()?)?)?,
                Long("codec") => options.codec = Some(args.value()?.string()?),
                Long("rpc") => options.rpc = true,
                Long("tls") => options.tls = true,
                Long("cert") => options.cert = Some(args.value()?.into()),
                Long("key") => options.key = Some(args.value()?.into()),
                Long(ca) if ca == ca_option => options.ca = Some(args.value()?.into()),
                Long("name") if client => options.name = Some(args.value()?.string()?),
                Long("requests") if client => options.requests = args.value()?.parse()?,
                Long("concurrency") if client => options.concurrency = args.value()?.parse()?,
                Long("longest") if client => options.longest = args.value()?.parse()?,
                Short('h') | Long("help") => return Err(Usage::Help),
                other => return Err(other.unexpected().into()),
            }
        }
        let files = [&options.cert, &options.key, &options.ca];
        if !options.tls && (files.iter().any(|file| file.is_some()) || options.name.is_some()) {
            return Err(Usage::wrong("certificates and names are for --tls"));
        }
        match options.at {
            Some(_) => Ok(options),
            None => Err(Usage::wrong("--addr or --unix is wanted")),
        }
    }

    pub(crate) fn config(&self) -> Result<ChannelConfig, Usage> {
        let mut config = match self.codec.as_deref() {
            Some("json") => ChannelConfig::with_codec(Json),
            Some("msgpack") => ChannelConfig::with_codec(MsgPack),
            _ => return Err(Usage::wrong("--codec json or --codec msgpack is wanted")),
        };
        if self.rpc {
            Proxy::register(&mut config.types).map_err(Usage::wrong)?;
        }
        Ok(config)
    }

    pub(crate) fn server_tls(&self) -> Result<Option<ServerTls>, Usage> {
        if !self.tls {
            return Ok(None);
        }
        let (Some(cert), Some(key)) = (&self.cert, &self.key) else {
            return Err(Usage::wrong("--tls needs --cert and --key"));
        };
        let mut builder = ServerTls::builder().certificate(cert).key(key);
        if let Some(ca) = &self.ca {
            builder = builder.client_ca(ca);
        }
        let tls = builder.build().map_err(Usage::wrong)?;
        // Python's asyncio ends a connection without TLS's own end; frames have lengths anyway.
        Ok(Some(tls.tolerate_missing_close_notify(true)))
    }

    pub(crate) fn client_tls(&self) -> Result<Option<ClientTls>, Usage> {
        if !self.tls {
            return Ok(None);
        }
        let ca = self
            .ca
            .as_ref()
            .ok_or_else(|| Usage::wrong("--tls needs --ca"))?;
        let mut builder = ClientTls::builder().ca(ca);
        if let (Some(cert), Some(key)) = (&self.cert, &self.key) {
            builder = builder.certificate(cert).key(key);
        }
        if let Some(name) = &self.name {
            builder = builder.name(name.as_str());
        }
        builder.build().map(Some).map_err(Usage::wrong)
    }
}
