//! tokio on one thread in its best form: readiness and `try_read` into a buffer that all tasks
//! share, so that an idle connection owns none.

use std::cell::RefCell;
use std::io::{self, ErrorKind};

use tokio::io::AsyncWriteExt;
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
        socket.readable().await?;
        let rest = SHARED.with_borrow_mut(|buffer| turn(&socket, buffer))?;
        if !rest.is_empty() {
            socket.write_all(&rest).await?;
        }
    }
}

/// One read and write; gives what the peer did not take.
fn turn(socket: &TcpStream, buffer: &mut [u8]) -> io::Result<Vec<u8>> {
    let got = match socket.try_read(buffer) {
        Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
        Ok(got) => got,
        Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(Vec::new()),
        Err(e) => return Err(e),
    };
    let sent = match socket.try_write(&buffer[..got]) {
        Ok(sent) => sent,
        Err(e) if e.kind() == ErrorKind::WouldBlock => 0,
        Err(e) => return Err(e),
    };
    Ok(buffer[sent..got].to_vec())
}
