//! Echo servers to stand beside, each the best form of its kind.
//!
//! All of them: one thread, one shared read buffer of 64 KiB, edge-triggered, one registration a
//! connection, `TCP_NODELAY`, a read loop that ends at a short read. What the peer does not take
//! is kept, and nothing more is read until it has been taken.

pub(crate) mod channel;
mod epoll;
mod hio;
mod mio;
mod mio_rustls;
mod tarpc;
pub(crate) mod tls;
mod tokio;
mod tokio_rustls;

use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use socket2::{Domain, Protocol, Socket, Type};

/// Bytes of the shared read buffer.
const BUFFER: usize = 64 << 10;

/// Serves on `addr` until it is killed.
pub(crate) fn serve(kind: &str, addr: &str, doers: usize) -> io::Result<()> {
    crate::process::raise_descriptors();
    match kind {
        "epoll" => epoll::serve(listen(addr)?),
        "mio" => mio::serve(listen(addr)?),
        "tokio" => tokio::serve(listen(addr)?),
        "hio" => hio::serve(addr, doers),
        "mio-channel" => channel::by_hand(listen(addr)?),
        "tarpc" => tarpc::serve(listen(addr)?),
        "hio-channel" => channel::hio(addr, false),
        "hio-values" => channel::hio(addr, true),
        _ => Err(io::Error::other(format!("no peer called {kind}"))),
    }
}

/// The same with TLS.
pub(crate) fn serve_tls(kind: &str, addr: &str, certs: &Path) -> io::Result<()> {
    crate::process::raise_descriptors();
    match kind {
        "mio-rustls" => mio_rustls::serve(listen(addr)?, certs),
        "tokio-rustls" => tokio_rustls::serve(listen(addr)?, certs),
        "hio-tls" => hio::serve_tls(addr, certs),
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
