//! A build without TLS: there is no handle of it, and making one says so.

use hio::link::{Client, Link, Remoter, Server};

use crate::abi::hio_status;
use crate::error::Error;

/// What a handle of TLS would name. None is ever made.
#[derive(Clone, Debug)]
pub(crate) struct Tls;

/// There is none.
#[derive(Debug)]
pub(crate) enum Info<'a> {
    #[expect(dead_code, reason = "it keeps the lifetime")]
    Never(std::convert::Infallible, &'a ()),
}

/// None.
pub(crate) const fn info(_: &Link) -> Option<Info<'_>> {
    None
}

/// A key or certificates: a file or its content.
#[derive(Debug)]
pub(crate) enum Given<'a> {
    Nothing,
    Path(#[expect(dead_code, reason = "read with the feature")] &'a str),
    Bytes(#[expect(dead_code, reason = "read with the feature")] &'a [u8]),
}

/// What a configuration of either side says.
#[derive(Debug)]
#[expect(dead_code, reason = "read with the feature")]
pub(crate) struct Wishes<'a> {
    pub(crate) certificate: Given<'a>,
    pub(crate) key: Given<'a>,
    pub(crate) ca: Given<'a>,
    pub(crate) name: Option<&'a str>,
    pub(crate) alpn: Option<&'a str>,
    pub(crate) flags: u32,
}

#[expect(clippy::unused_self, reason = "as with the feature")]
impl Wishes<'_> {
    pub(crate) fn server(&self) -> Result<Tls, Error> {
        Err(none())
    }

    pub(crate) fn client(&self) -> Result<Tls, Error> {
        Err(none())
    }
}

fn none() -> Error {
    let text = "this build of the library has no TLS";
    Error::new(hio_status::HIO_ERR_UNSUPPORTED, text)
}

#[expect(clippy::unused_self, reason = "as with the feature")]
impl Tls {
    pub(crate) fn server(&self, _: Server) -> Result<Server, Error> {
        Err(none())
    }

    pub(crate) fn client(&self, _: Client) -> Result<Client, Error> {
        Err(none())
    }

    pub(crate) fn set_server(_: &mut Server, tls: Option<Self>) -> Result<(), Error> {
        tls.map_or(Ok(()), |_| Err(none()))
    }

    pub(crate) fn start_client(&self, _: &mut Client) -> Result<(), Error> {
        Err(none())
    }

    pub(crate) fn start_server(&self, _: &mut Remoter) -> Result<(), Error> {
        Err(none())
    }
}
