//! TLS in simulations: real rustls, byte for byte the same in every run of a seed.
//!
//! What is drawn (randoms, key shares, session ids) follows from the entropy of the simulated net;
//! signatures are Ed25519's, which have no random part; certificates are judged by the simulated
//! wall time. TLS 1.2 and 1.3 are spoken, with every cipher that is spoken otherwise, and X25519 as
//! the one group.
//!
//! The certificates here are public, keys included, and valid from 1970 to the end of 9999: use
//! them, or bring others with Ed25519 keys (`ServerTlsBuilder::simulated`).
//!
//! **Everything here can be guessed.** Nets that are not simulated refuse it before a byte is sent,
//! with [`TlsFailure::Predictable`](crate::link::TlsFailure::Predictable).
//!
//! ```
//! use hio::link::{Client, Limits, Server};
//! use hio::net::{ConnectOptions, ListenOptions};
//! use hio::sim::tls;
//!
//! let at: hio::net::Endpoint = "10.0.0.1:5000".parse()?;
//! let server = Server::new(at.clone(), ListenOptions::default(), Limits::default())
//!     .with_tls(tls::server().build()?);
//! let client = Client::new(at, ConnectOptions::default(), Limits::default())
//!     .with_tls(tls::client().build()?);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use crate::link::tls::{ClientTls, ClientTlsBuilder, ServerTls, ServerTlsBuilder};

/// The authority that vouches for [`SERVER`] and [`CLIENT`], in PEM.
pub const CA: &[u8] = include_bytes!("certs/ca.pem");

/// A server's certificate for `server.sim`, `localhost`, `127.0.0.1`, `::1` and every name of one
/// word below `sim`, in PEM. It will do for clients, too.
pub const SERVER: &[u8] = include_bytes!("certs/server.pem");

/// The key of [`SERVER`].
pub const SERVER_KEY: &[u8] = include_bytes!("certs/server.key");

/// A client's certificate with the common name `client.sim`, in PEM.
pub const CLIENT: &[u8] = include_bytes!("certs/client.pem");

/// The key of [`CLIENT`].
pub const CLIENT_KEY: &[u8] = include_bytes!("certs/client.key");

/// A server with [`SERVER`], to be built or to be changed before: `client_ca(tls::CA)` demands
/// certificates of clients.
pub fn server() -> ServerTlsBuilder {
    let builder = ServerTls::builder().simulated();
    builder.certificate(SERVER).key(SERVER_KEY)
}

/// A client that trusts [`CA`] and wants the server to be `server.sim`, whatever address it is
/// dialled at.
pub fn client() -> ClientTlsBuilder {
    let builder = ClientTls::builder().simulated();
    builder.ca(CA).name("server.sim")
}

/// The same with [`CLIENT`], for servers that demand certificates.
pub fn certified_client() -> ClientTlsBuilder {
    client().certificate(CLIENT).key(CLIENT_KEY)
}
