//! mio and rustls by hand: the floor of the rows on TLS.

use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;
use std::sync::Arc;

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use rustls::{ServerConfig, ServerConnection};
use slab::Slab;

use super::{App, BUFFER};

const DOOR: Token = Token(usize::MAX - 1);

struct Conn<A> {
    socket: TcpStream,
    app: A,
    tls: ServerConnection,
}

/// What all connections share: ciphertext just read, plaintext on its way back.
struct Buffers {
    wire: Vec<u8>,
    plain: Vec<u8>,
}

pub(super) fn serve<A: App>(listener: std::net::TcpListener, certs: &Path) -> io::Result<()> {
    let config = crate::tls_config::server_config(certs)?;
    let mut poll = Poll::new()?;
    let mut listener = TcpListener::from_std(listener);
    poll.registry()
        .register(&mut listener, DOOR, Interest::READABLE)?;
    let mut conns: Slab<Conn<A>> = Slab::new();
    let mut events = Events::with_capacity(1024);
    let mut buffers = Buffers {
        wire: vec![0; BUFFER],
        plain: vec![0; BUFFER],
    };
    loop {
        match poll.poll(&mut events, None) {
            Err(e) if e.kind() == ErrorKind::Interrupted => continue,
            done => done?,
        }
        for event in &events {
            if event.token() == DOOR {
                accept(&poll, &listener, &mut conns, &config)?;
                continue;
            }
            let key = event.token().0;
            let Some(conn) = conns.get_mut(key) else {
                continue;
            };
            if conn.turn(event, &mut buffers).is_err() {
                conns.remove(key); // closing the descriptor takes it out of the poll
            }
        }
    }
}

fn accept<A: App>(
    poll: &Poll,
    listener: &TcpListener,
    conns: &mut Slab<Conn<A>>,
    config: &Arc<ServerConfig>,
) -> io::Result<()> {
    while let Ok((socket, _)) = listener.accept() {
        let mut tls = ServerConnection::new(config.clone()).map_err(io::Error::other)?;
        tls.set_buffer_limit(None); // nothing is read while something waits to be sent
        let key = conns.insert(Conn {
            socket,
            app: A::default(),
            tls,
        });
        let interest = Interest::READABLE | Interest::WRITABLE;
        poll.registry()
            .register(&mut conns[key].socket, Token(key), interest)?;
    }
    Ok(())
}

impl<A: App> Conn<A> {
    /// An error means that the connection has ended.
    fn turn(&mut self, event: &mio::event::Event, buffers: &mut Buffers) -> io::Result<()> {
        let mut readable = event.is_readable();
        if self.tls.wants_write() {
            self.flush()?;
            if self.tls.wants_write() {
                return Ok(());
            }
            readable = true; // it was left unread while the peer took nothing
        }
        if !readable {
            return Ok(());
        }
        loop {
            let got = match self.socket.read(&mut buffers.wire) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(got) => got,
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(e) => return Err(e),
            };
            let mut wire = &buffers.wire[..got];
            while !wire.is_empty() {
                self.tls.read_tls(&mut wire)?;
                self.tls.process_new_packets().map_err(io::Error::other)?;
                self.answer(&mut buffers.plain)?;
            }
            self.flush()?;
            if self.tls.wants_write() || got < buffers.wire.len() && !event.is_read_closed() {
                return Ok(());
            }
        }
    }

    fn answer(&mut self, plain: &mut [u8]) -> io::Result<()> {
        loop {
            match self.tls.reader().read(plain) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(got) => {
                    let out = self.app.feed(&plain[..got])?;
                    self.tls.writer().write_all(out)?;
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(e) => return Err(e),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        while self.tls.wants_write() {
            match self.tls.write_tls(&mut self.socket) {
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(()),
                done => done?,
            };
        }
        Ok(())
    }
}
