//! Servers to stand beside, each the best form of its kind.
//!
//! All of them: one thread, one shared read buffer of 64 KiB, edge-triggered, one registration a
//! connection, `TCP_NODELAY`, a read loop that ends at a short read. What the peer does not take
//! is kept, and nothing more is read until it has been taken.

mod channel;
mod epoll;
mod hio;
mod http;
mod hyper;
mod mio;
mod mio_rustls;
mod tarpc;
mod tokio;
mod tokio_rustls;

use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use socket2::{Domain, Protocol, Socket, Type};

/// Bytes of the shared read buffer.
const BUFFER: usize = 64 << 10;

/// What a connection of mio by hand makes of what comes.
trait App: Default {
    /// What is to be sent back; an error ends the connection.
    fn feed<'a>(&'a mut self, input: &'a [u8]) -> io::Result<&'a [u8]>;
}

/// The same bytes.
#[derive(Default)]
struct Echo;

impl App for Echo {
    fn feed<'a>(&'a mut self, input: &'a [u8]) -> io::Result<&'a [u8]> {
        Ok(input)
    }
}

/// Serves on `addr` until it is killed.
pub(crate) fn serve(kind: &str, addr: &str, doers: usize) -> io::Result<()> {
    crate::process::raise_descriptors();
    match kind {
        "epoll" => epoll::serve(listen(addr)?),
        "mio" => mio::serve::<Echo>(listen(addr)?),
        "tokio" => tokio::serve(listen(addr)?),
        "hio" => hio::serve(addr, doers),
        "mio-channel" => channel::by_hand(listen(addr)?),
        "tarpc" => tarpc::serve(listen(addr)?),
        "hio-channel" => channel::hio(addr, false),
        "hio-values" => channel::hio(addr, true),
        "mio-http" => mio::serve::<http::Http>(listen(addr)?),
        "hyper" => hyper::serve(listen(addr)?, None),
        "hio-http" => hio::serve_http(addr, None),
        _ => Err(io::Error::other(format!("no peer called {kind}"))),
    }
}

/// The same with TLS.
pub(crate) fn serve_tls(kind: &str, addr: &str, certs: &Path) -> io::Result<()> {
    crate::process::raise_descriptors();
    match kind {
        "mio-rustls" => mio_rustls::serve::<Echo>(listen(addr)?, certs),
        "tokio-rustls" => tokio_rustls::serve(listen(addr)?, certs),
        "hio-tls" => hio::serve_tls(addr, certs),
        "mio-http" => mio_rustls::serve::<http::Http>(listen(addr)?, certs),
        "hyper" => hyper::serve(listen(addr)?, Some(certs)),
        "hio-http" => hio::serve_http(addr, Some(certs)),
        _ => Err(io::Error::other(format!("no peer with TLS called {kind}"))),
    }
}

/// A nonblocking listener that says where it listens.
fn listen(addr: &str) -> io::Result<TcpListener> {
    let addr: SocketAddr = addr.parse().map_err(io::Error::other)?;
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    // Linux hands it on to what is accepted: that saves a system call a connection.
    socket.set_tcp_nodelay(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    socket.listen(4096)?;
    let listener = TcpListener::from(socket);
    announce(&listener.local_addr()?.to_string())?;
    Ok(listener)
}

/// The line that the harness waits for.
fn announce(addr: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "listening on {addr}")?;
    out.flush()
}
