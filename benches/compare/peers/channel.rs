//! Servers of requests and replies: MessagePack with a length in front, content sent back.

use std::io::{self, ErrorKind, Read, Write};

use hio::doers::ChannelServerDoer;
use hio::doing::prelude::*;
use hio::net::{Endpoint, MioNet};
use hio::proto::channel::{Accepted, ChannelConfig, ChannelLimits, ChannelServer};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use slab::Slab;

use super::BUFFER;

const DOOR: Token = Token(usize::MAX - 1);

/// By hand on mio: cuts frames, reads the head of each, and answers with the content as it came.
/// It trusts its peer.
pub(crate) fn by_hand(listener: std::net::TcpListener) -> io::Result<()> {
    let mut poll = Poll::new()?;
    let mut listener = TcpListener::from_std(listener);
    poll.registry()
        .register(&mut listener, DOOR, Interest::READABLE)?;
    let mut conns: Slab<Conn> = Slab::new();
    let mut events = Events::with_capacity(1024);
    let mut buffer = vec![0; BUFFER];
    loop {
        match poll.poll(&mut events, None) {
            Err(e) if e.kind() == ErrorKind::Interrupted => continue,
            done => done?,
        }
        for event in &events {
            if event.token() == DOOR {
                while let Ok((socket, _)) = listener.accept() {
                    let key = conns.insert(Conn::new(socket));
                    let interest = Interest::READABLE | Interest::WRITABLE;
                    let socket = &mut conns[key].socket;
                    poll.registry().register(socket, Token(key), interest)?;
                }
                continue;
            }
            let key = event.token().0;
            let ended = conns.get_mut(key).map(|conn| conn.turn(event, &mut buffer));
            if ended.is_some_and(|turn| turn.is_err()) {
                conns.remove(key);
            }
        }
    }
}

struct Conn {
    socket: TcpStream,
    /// The beginning of a frame.
    partial: Vec<u8>,
    out: Vec<u8>,
}

impl Conn {
    const fn new(socket: TcpStream) -> Self {
        Self {
            socket,
            partial: Vec::new(),
            out: Vec::new(),
        }
    }

    fn turn(&mut self, event: &mio::event::Event, buffer: &mut [u8]) -> io::Result<()> {
        self.flush()?;
        if !self.out.is_empty() {
            return Ok(());
        }
        loop {
            let got = match self.socket.read(buffer) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(got) => got,
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(e) => return Err(e),
            };
            if self.partial.is_empty() {
                let used = answer(&buffer[..got], &mut self.out);
                self.partial.extend_from_slice(&buffer[used..got]);
            } else {
                self.partial.extend_from_slice(&buffer[..got]);
                let used = answer(&self.partial, &mut self.out);
                self.partial.drain(..used);
            }
            self.flush()?;
            if !self.out.is_empty() || (got < buffer.len() && !event.is_read_closed()) {
                return Ok(());
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        while !self.out.is_empty() {
            match self.socket.write(&self.out) {
                Ok(sent) if sent == self.out.len() => self.out.clear(),
                Ok(sent) => drop(self.out.drain(..sent)),
                Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }
}

/// Answers all whole frames, and says how many bytes they had.
fn answer(data: &[u8], out: &mut Vec<u8>) -> usize {
    let mut used = 0;
    while let Some((head, rest)) = data[used..].split_first_chunk::<4>() {
        let len = u32::from_be_bytes(*head) as usize;
        let Some(payload) = rest.get(..len) else {
            break;
        };
        used += 4 + len;
        // [0, id, content] becomes [1, id, content].
        if let [0x93, 0, answer @ ..] = payload {
            out.extend_from_slice(head);
            out.extend_from_slice(&[0x93, 1]);
            out.extend_from_slice(answer);
        }
    }
    used
}

/// hio: everything on that is on by default. With `decode` contents become values and are
/// encoded again.
pub(crate) fn hio(addr: &str, decode: bool) -> io::Result<()> {
    let at: Endpoint = addr.parse().map_err(io::Error::other)?;
    let config = ChannelConfig::default().with_limits(ChannelLimits::default());
    let server = ChannelServer::bind(at, &config).map_err(io::Error::other)?;
    let mut net = MioNet::new().map_err(io::Error::other)?;
    let mut doist = Doist::new(server);
    let failed = |fault: Fault| io::Error::other(fault.to_string());
    let serve = move |channel: &mut Accepted| {
        while let Ok(Some(mut request)) = channel.recv() {
            let answered = match decode {
                true => request.value().map(|value| request.reply(&value)),
                false => Ok(request.echo()),
            };
            drop(answered); // a peer that is gone needs no answer
        }
    };
    doist.add(ChannelServerDoer::new().each(serve));
    doist.enter(&mut net).map_err(failed)?;
    if let Some(server) = doist.app.server() {
        super::announce(&server.ha().to_string())?;
    }
    doist.run(&mut net).map_err(failed)?;
    Ok(())
}
