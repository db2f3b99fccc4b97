//! mio by hand.

use std::io::{self, ErrorKind, Read, Write};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use slab::Slab;

use super::{App, BUFFER};

const DOOR: Token = Token(usize::MAX - 1);

struct Conn<A> {
    socket: TcpStream,
    app: A,
    /// What the peer has not taken yet.
    pending: Vec<u8>,
}

pub(super) fn serve<A: App>(listener: std::net::TcpListener) -> io::Result<()> {
    let mut poll = Poll::new()?;
    let mut listener = TcpListener::from_std(listener);
    poll.registry()
        .register(&mut listener, DOOR, Interest::READABLE)?;
    let mut conns: Slab<Conn<A>> = Slab::new();
    let mut events = Events::with_capacity(1024);
    let mut buffer = vec![0; BUFFER];
    loop {
        match poll.poll(&mut events, None) {
            Err(e) if e.kind() == ErrorKind::Interrupted => continue,
            done => done?,
        }
        for event in &events {
            if event.token() == DOOR {
                accept(&poll, &listener, &mut conns)?;
                continue;
            }
            let key = event.token().0;
            let Some(conn) = conns.get_mut(key) else {
                continue;
            };
            if conn.turn(event, &mut buffer).is_err() {
                conns.remove(key); // closing the descriptor takes it out of the poll
            }
        }
    }
}

fn accept<A: App>(
    poll: &Poll,
    listener: &TcpListener,
    conns: &mut Slab<Conn<A>>,
) -> io::Result<()> {
    while let Ok((socket, _)) = listener.accept() {
        let key = conns.insert(Conn {
            socket,
            app: A::default(),
            pending: Vec::new(),
        });
        let interest = Interest::READABLE | Interest::WRITABLE;
        poll.registry()
            .register(&mut conns[key].socket, Token(key), interest)?;
    }
    Ok(())
}

impl<A: App> Conn<A> {
    /// An error means that the connection has ended.
    fn turn(&mut self, event: &mio::event::Event, buffer: &mut [u8]) -> io::Result<()> {
        let mut readable = event.is_readable();
        if !self.pending.is_empty() {
            let sent = send(&mut self.socket, &self.pending)?;
            self.pending.drain(..sent);
            if !self.pending.is_empty() {
                return Ok(());
            }
            readable = true; // it was left unread while the peer took nothing
        }
        if !readable {
            return Ok(());
        }
        loop {
            let got = match self.socket.read(buffer) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(got) => got,
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(e) => return Err(e),
            };
            let out = self.app.feed(&buffer[..got])?;
            if !out.is_empty() {
                let sent = send(&mut self.socket, out)?;
                if sent < out.len() {
                    self.pending.extend_from_slice(&out[sent..]);
                    return Ok(());
                }
            }
            if got < buffer.len() && !event.is_read_closed() {
                return Ok(());
            }
        }
    }
}

fn send(socket: &mut TcpStream, data: &[u8]) -> io::Result<usize> {
    match socket.write(data) {
        Err(e) if e.kind() == ErrorKind::WouldBlock => Ok(0),
        other => other,
    }
}
