//! The floor: mio and rustls by hand, edge-triggered, one shared read buffer of 64 KiB.

use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use rustls::{ServerConfig, ServerConnection};
use slab::Slab;

const DOOR: Token = Token(usize::MAX - 1);
const BUFFER: usize = 64 << 10;

/// Made anew in each process: nobody verifies it here.
pub(crate) fn config() -> Result<Arc<ServerConfig>, Box<dyn std::error::Error + Send + Sync>> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der())?;
    let mut config = ServerConfig::builder_with_provider(crate::provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)?;
    config.session_storage = rustls::server::ServerSessionMemoryCache::new(1024);
    Ok(Arc::new(config))
}

struct Conn {
    socket: TcpStream,
    tls: ServerConnection,
}

pub(crate) fn serve(config: Arc<ServerConfig>) -> io::Result<()> {
    let mut poll = Poll::new()?;
    let addr = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    let mut listener = TcpListener::bind(addr)?;
    crate::announce(listener.local_addr()?)?;
    poll.registry()
        .register(&mut listener, DOOR, Interest::READABLE)?;
    let mut conns: Slab<Conn> = Slab::new();
    let mut events = Events::with_capacity(1024);
    let (mut wire, mut plain) = (vec![0; BUFFER], vec![0; BUFFER]);
    loop {
        match poll.poll(&mut events, None) {
            Err(e) if e.kind() == ErrorKind::Interrupted => continue,
            done => done?,
        }
        for event in &events {
            if event.token() == DOOR {
                while let Ok((mut socket, _)) = listener.accept() {
                    socket.set_nodelay(true)?;
                    let key = conns.vacant_key();
                    let interest = Interest::READABLE | Interest::WRITABLE;
                    poll.registry()
                        .register(&mut socket, Token(key), interest)?;
                    let mut tls =
                        ServerConnection::new(config.clone()).map_err(io::Error::other)?;
                    tls.set_buffer_limit(None);
                    conns.insert(Conn { socket, tls });
                }
                continue;
            }
            let key = event.token().0;
            let Some(conn) = conns.get_mut(key) else {
                continue;
            };
            if conn.turn(event, &mut wire, &mut plain).is_err() {
                conns.remove(key);
            }
        }
    }
}

impl Conn {
    fn turn(
        &mut self,
        event: &mio::event::Event,
        wire: &mut [u8],
        plain: &mut [u8],
    ) -> io::Result<()> {
        loop {
            self.send()?;
            if self.tls.wants_write() {
                return Ok(()); // read no more until it is taken
            }
            let got = match self.socket.read(wire) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(got) => got,
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(e) => return Err(e),
            };
            let mut rest = &wire[..got];
            while !rest.is_empty() {
                self.tls.read_tls(&mut rest)?;
                let state = self.tls.process_new_packets().map_err(io::Error::other)?;
                let mut left = state.plaintext_bytes_to_read();
                while left > 0 {
                    let n = self.tls.reader().read(plain)?;
                    self.tls.writer().write_all(&plain[..n])?;
                    left -= n;
                }
                if state.peer_has_closed() {
                    return Err(ErrorKind::UnexpectedEof.into());
                }
            }
            if got < wire.len() && !event.is_read_closed() {
                return self.send();
            }
        }
    }

    fn send(&mut self) -> io::Result<()> {
        while self.tls.wants_write() {
            match self.tls.write_tls(&mut self.socket) {
                Ok(_) => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }
}
