//! What a handle of TLS names.

use hio::link::tls::{Certify, ClientTls, ServerTls, Source, StartTlsError, TlsError, Versions};
use hio::link::{Client, Link, Remoter, Server};

use crate::abi::{self, hio_status};
use crate::error::Error;

/// How servers or clients speak TLS.
#[derive(Clone, Debug)]
pub(crate) enum Tls {
    Server(ServerTls),
    Client(ClientTls),
}

pub(crate) use hio::link::tls::TlsInfo as Info;

/// With whom a link speaks TLS.
pub(crate) fn info(link: &Link) -> Option<Info<'_>> {
    link.tls()
}

/// A key or certificates: a file or its content.
#[derive(Debug)]
pub(crate) enum Given<'a> {
    Nothing,
    Path(&'a str),
    Bytes(&'a [u8]),
}

impl Given<'_> {
    fn source(&self) -> Option<Source> {
        match self {
            Self::Nothing => None,
            Self::Path(path) => Some((*path).into()),
            Self::Bytes(bytes) => Some((*bytes).into()),
        }
    }
}

/// What a configuration of either side says.
#[derive(Debug)]
pub(crate) struct Wishes<'a> {
    pub(crate) certificate: Given<'a>,
    pub(crate) key: Given<'a>,
    pub(crate) ca: Given<'a>,
    pub(crate) name: Option<&'a str>,
    pub(crate) alpn: Option<&'a str>,
    pub(crate) flags: u32,
}

impl Wishes<'_> {
    const fn has(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }

    const fn versions(&self) -> Versions {
        match self.has(abi::HIO_TLS_13_ONLY) {
            true => Versions::Tls13,
            false => Versions::Both,
        }
    }

    /// The protocols between the commas. TLS holds names of 1 to 255 bytes (RFC 7301 §3.1).
    fn protocols(&self) -> Result<Vec<&str>, Error> {
        let Some(all) = self.alpn else {
            return Ok(Vec::new());
        };
        let all: Vec<&str> = all.split(',').collect();
        match all.iter().all(|one| (1..=255).contains(&one.len())) {
            true => Ok(all),
            false => Err(Error::argument("alpn: a name has 1 to 255 bytes")),
        }
    }

    pub(crate) fn server(&self) -> Result<Tls, Error> {
        let mut builder = ServerTls::builder().versions(self.versions());
        if let Some(certificate) = self.certificate.source() {
            builder = builder.certificate(certificate);
        }
        if let Some(key) = self.key.source() {
            builder = builder.key(key);
        }
        if let Some(ca) = self.ca.source() {
            builder = builder.client_ca(ca);
        }
        if self.has(abi::HIO_TLS_OPTIONAL) {
            builder = builder.certify(Certify::Optional);
        }
        let tls = builder.alpn(self.protocols()?).build()?;
        let tolerant = self.has(abi::HIO_TLS_TOLERANT);
        Ok(Tls::Server(tls.tolerate_missing_close_notify(tolerant)))
    }

    pub(crate) fn client(&self) -> Result<Tls, Error> {
        let mut builder = ClientTls::builder().versions(self.versions());
        if let Some(ca) = self.ca.source() {
            builder = builder.ca(ca);
        }
        if let Some(certificate) = self.certificate.source() {
            builder = builder.certificate(certificate);
        }
        if let Some(key) = self.key.source() {
            builder = builder.key(key);
        }
        if let Some(name) = self.name {
            builder = builder.name(name);
        }
        if self.has(abi::HIO_TLS_ANY_NAME) {
            builder = builder.any_name();
        }
        let tls = builder.alpn(self.protocols()?).build()?;
        let tolerant = self.has(abi::HIO_TLS_TOLERANT);
        Ok(Tls::Client(tls.tolerate_missing_close_notify(tolerant)))
    }
}

impl Tls {
    fn for_server(&self) -> Result<&ServerTls, Error> {
        match self {
            Self::Server(tls) => Ok(tls),
            Self::Client(_) => Err(Error::argument("this TLS handle is one for clients")),
        }
    }

    fn for_client(&self) -> Result<&ClientTls, Error> {
        match self {
            Self::Client(tls) => Ok(tls),
            Self::Server(_) => Err(Error::argument("this TLS handle is one for servers")),
        }
    }

    pub(crate) fn server(&self, server: Server) -> Result<Server, Error> {
        Ok(server.with_tls(self.for_server()?.clone()))
    }

    pub(crate) fn client(&self, client: Client) -> Result<Client, Error> {
        Ok(client.with_tls(self.for_client()?.clone()))
    }

    /// How a server speaks TLS from now on.
    pub(crate) fn set_server(server: &mut Server, tls: Option<Self>) -> Result<(), Error> {
        let tls = match tls {
            None => None,
            Some(tls) => Some(tls.for_server()?.clone()),
        };
        server.set_tls(tls);
        Ok(())
    }

    pub(crate) fn start_client(&self, client: &mut Client) -> Result<(), Error> {
        Ok(client.start_tls(self.for_client()?)?)
    }

    pub(crate) fn start_server(&self, remoter: &mut Remoter) -> Result<(), Error> {
        Ok(remoter.start_tls(self.for_server()?)?)
    }
}

impl From<TlsError> for Error {
    fn from(why: TlsError) -> Self {
        Self::new(hio_status::HIO_ERR_TLS, why.to_string())
    }
}

impl From<StartTlsError> for Error {
    fn from(why: StartTlsError) -> Self {
        let status = match why {
            StartTlsError::Failed(_) => hio_status::HIO_ERR_TLS,
            _ => hio_status::HIO_ERR_STATE,
        };
        Self::new(status, why.to_string())
    }
}
