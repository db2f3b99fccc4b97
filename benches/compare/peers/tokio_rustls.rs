//! tokio-rustls on one thread: a buffer that all tasks share, no limit inside the session.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::BUFFER;

thread_local!(static SHARED: RefCell<Vec<u8>> = RefCell::new(vec![0; BUFFER]));

pub(crate) fn serve(listener: std::net::TcpListener, certs: &Path) -> io::Result<()> {
    let acceptor = TlsAcceptor::from(crate::tls_config::server_config(certs)?);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    runtime.block_on(async move {
        let listener = TcpListener::from_std(listener)?;
        loop {
            let (socket, _) = listener.accept().await?;
            drop(tokio::spawn(echo(acceptor.clone(), socket)));
        }
    })
}

async fn echo(acceptor: TlsAcceptor, socket: TcpStream) -> io::Result<()> {
    let mut stream = acceptor.accept(socket).await?;
    stream.get_mut().1.set_buffer_limit(None);
    loop {
        poll_fn(|cx| SHARED.with_borrow_mut(|buffer| turn(&mut stream, cx, buffer))).await?;
        stream.flush().await?;
    }
}

/// One read, and its plaintext back into the session.
fn turn(
    stream: &mut TlsStream<TcpStream>,
    cx: &mut Context<'_>,
    buffer: &mut [u8],
) -> Poll<io::Result<()>> {
    let mut read = ReadBuf::new(buffer);
    ready!(Pin::new(&mut *stream).poll_read(cx, &mut read))?;
    match read.filled() {
        [] => Poll::Ready(Err(ErrorKind::UnexpectedEof.into())),
        got => Poll::Ready(stream.get_mut().1.writer().write_all(got)),
    }
}
