//! The floor: epoll itself, connections indexed by descriptor, nothing else.

use std::io;
use std::net::TcpListener;
use std::os::fd::{AsRawFd, OwnedFd};

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, SocketFlags};

use super::BUFFER;

struct Conn {
    socket: OwnedFd,
    /// What the peer has not taken yet.
    pending: Vec<u8>,
}

pub(crate) fn serve(listener: TcpListener) -> io::Result<()> {
    let poll = epoll::create(CreateFlags::CLOEXEC)?;
    let door = u64::try_from(listener.as_raw_fd()).map_err(io::Error::other)?;
    epoll::add(&poll, &listener, EventData::new_u64(door), EventFlags::IN)?;
    let mut conns: Vec<Option<Conn>> = Vec::new();
    let mut events = Vec::with_capacity(1024);
    let mut buffer = vec![0; BUFFER];
    loop {
        match epoll::wait(&poll, spare_capacity(&mut events), None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
        for event in events.drain(..) {
            let (key, flags) = (event.data.u64(), event.flags);
            if key == door {
                accept(&poll, &listener, &mut conns)?;
                continue;
            }
            let slot = &mut conns[index(key)];
            if slot
                .as_mut()
                .is_some_and(|c| c.turn(flags, &mut buffer).is_err())
            {
                *slot = None; // closing the descriptor takes it out of the poll
            }
        }
    }
}

fn accept(poll: &OwnedFd, listener: &TcpListener, conns: &mut Vec<Option<Conn>>) -> io::Result<()> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    while let Ok(socket) = rustix::net::accept_with(listener, flags) {
        let key = usize::try_from(socket.as_raw_fd()).map_err(io::Error::other)?;
        if conns.len() <= key {
            conns.resize_with(key + 1, || None);
        }
        let interest = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
        epoll::add(poll, &socket, EventData::new_u64(key as u64), interest)?;
        conns[key] = Some(Conn {
            socket,
            pending: Vec::new(),
        });
    }
    Ok(())
}

/// A descriptor fits: it came from one.
fn index(key: u64) -> usize {
    usize::try_from(key).unwrap_or(usize::MAX)
}

impl Conn {
    /// An error means that the connection has ended.
    fn turn(&mut self, flags: EventFlags, buffer: &mut [u8]) -> Result<(), Errno> {
        let mut readable = flags.intersects(EventFlags::IN | EventFlags::HUP | EventFlags::ERR);
        if !self.pending.is_empty() {
            let sent = self.send(&self.pending)?;
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
            let got = match rustix::net::recv(&self.socket, &mut *buffer, RecvFlags::empty()) {
                Ok((0, _)) => return Err(Errno::PIPE),
                Ok((got, _)) => got,
                Err(Errno::AGAIN) => return Ok(()),
                Err(e) => return Err(e),
            };
            let sent = self.send(&buffer[..got])?;
            if sent < got {
                self.pending.extend_from_slice(&buffer[sent..got]);
                return Ok(());
            }
            if got < buffer.len() && !flags.contains(EventFlags::RDHUP) {
                return Ok(());
            }
        }
    }

    fn send(&self, data: &[u8]) -> Result<usize, Errno> {
        match rustix::net::send(&self.socket, data, SendFlags::NOSIGNAL) {
            Err(Errno::AGAIN) => Ok(0),
            other => other,
        }
    }
}
