//! tokio on one thread in its best form: `poll_read` (which takes a short read for the end, as
//! the others do) into a buffer that all tasks share, so that an idle connection owns none.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

use super::BUFFER;

thread_local!(static SHARED: RefCell<Vec<u8>> = RefCell::new(vec![0; BUFFER]));

pub(crate) fn serve(listener: std::net::TcpListener) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    runtime.block_on(async move {
        let listener = TcpListener::from_std(listener)?;
        loop {
            let (socket, _) = listener.accept().await?;
            drop(tokio::spawn(echo(socket)));
        }
    })
}

async fn echo(mut socket: TcpStream) -> io::Result<()> {
    loop {
        let turn = poll_fn(|cx| SHARED.with_borrow_mut(|buffer| turn(&mut socket, cx, buffer)));
        let rest = turn.await?;
        if !rest.is_empty() {
            socket.write_all(&rest).await?;
        }
    }
}

/// One read and write; gives what the peer did not take.
fn turn(
    socket: &mut TcpStream,
    cx: &mut Context<'_>,
    buffer: &mut [u8],
) -> Poll<io::Result<Vec<u8>>> {
    let mut read = ReadBuf::new(buffer);
    ready!(Pin::new(&mut *socket).poll_read(cx, &mut read))?;
    let got = read.filled();
    if got.is_empty() {
        return Poll::Ready(Err(ErrorKind::UnexpectedEof.into()));
    }
    let sent = match socket.try_write(got) {
        Ok(sent) => sent,
        Err(e) if e.kind() == ErrorKind::WouldBlock => 0,
        Err(e) => return Poll::Ready(Err(e)),
    };
    Poll::Ready(Ok(got[sent..].to_vec()))
}
