//! The load: one thread of blocking sockets, a message on each connection, then all answers.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Instant;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme};
use rustls::{HandshakeKind, StreamOwned};

/// What is done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    conns: usize,
    size: usize,
    /// Connect anew for each message: with a full handshake, or resumed.
    anew: Option<HandshakeKind>,
    idle: bool,
}

const ECHO: Case = Case {
    name: "echo 64 B, 50",
    conns: 50,
    size: 64,
    anew: None,
    idle: false,
};

pub(crate) const CASES: [Case; 6] = [
    ECHO,
    Case {
        name: "echo 1 KiB, 50",
        size: 1024,
        ..ECHO
    },
    Case {
        name: "bulk 64 KiB, 8",
        conns: 8,
        size: 64 << 10,
        ..ECHO
    },
    Case {
        name: "full handshake",
        conns: 1,
        anew: Some(HandshakeKind::Full),
        ..ECHO
    },
    Case {
        name: "resumed handshake",
        conns: 1,
        anew: Some(HandshakeKind::Resumed),
        ..ECHO
    },
    Case {
        name: "idle, 2000",
        conns: 2_000,
        idle: true,
        ..ECHO
    },
];

/// In the order of [`Case::units`].
pub(crate) struct Figures(pub(crate) Vec<f64>);

impl Case {
    pub(crate) const fn units(&self) -> &'static [&'static str] {
        match self.idle {
            true => &["B/conn"],
            false => &["cpu us/op", "us/op"],
        }
    }
}

type Stream = StreamOwned<ClientConnection, TcpStream>;

pub(crate) fn run(case: Case, addr: &str, pid: u32, seconds: f64) -> io::Result<Figures> {
    let config =
        Arc::new(config(case.anew != Some(HandshakeKind::Full)).map_err(io::Error::other)?);
    let message: Vec<u8> = (0..case.size).map(|i| i.to_le_bytes()[0]).collect();
    // One first, so that what a server makes once does not count.
    let mut first = connect(&config, addr)?;
    turn(std::slice::from_mut(&mut first), &message)?;
    let before = resident(pid)?;
    let mut streams = Vec::new();
    if case.anew.is_none() {
        for _ in 0..case.conns {
            let mut stream = connect(&config, addr)?;
            turn(std::slice::from_mut(&mut stream), &message)?;
            streams.push(stream);
        }
    }
    if case.idle {
        return Ok(Figures(vec![(resident(pid)? - before) / case.conns as f64]));
    }
    let (mut done, mut counted, mut cpu, mut start) = (0, false, 0.0, now());
    loop {
        let passed = start.elapsed().as_secs_f64();
        if !counted && passed > seconds / 4.0 {
            (done, counted, cpu, start) = (0, true, cpu_micros(pid)?, now());
            continue;
        } else if counted && passed > seconds {
            break;
        }
        match case.anew {
            None => turn(&mut streams, &message)?,
            Some(kind) => {
                let mut stream = connect(&config, addr)?;
                turn(std::slice::from_mut(&mut stream), &message)?;
                assert_eq!(stream.conn.handshake_kind(), Some(kind));
                stream.conn.send_close_notify();
                stream.flush()?;
            }
        }
        done += case.conns;
    }
    let took = start.elapsed().as_secs_f64() * 1e6;
    Ok(Figures(vec![
        (cpu_micros(pid)? - cpu) / done as f64,
        took / done as f64,
    ]))
}

/// A message on each, then every answer.
fn turn(streams: &mut [Stream], message: &[u8]) -> io::Result<()> {
    for stream in &mut *streams {
        stream.write_all(message)?;
        stream.flush()?;
    }
    let mut back = vec![0; message.len()];
    for stream in streams {
        stream.read_exact(&mut back)?;
        assert!(back == message, "what comes back is what was sent");
    }
    Ok(())
}

fn connect(config: &Arc<ClientConfig>, addr: &str) -> io::Result<Stream> {
    let socket = TcpStream::connect(addr)?;
    socket.set_nodelay(true)?;
    let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
    let conn = ClientConnection::new(config.clone(), name).map_err(io::Error::other)?;
    Ok(StreamOwned::new(conn, socket))
}

fn config(resumes: bool) -> Result<ClientConfig, Error> {
    let mut config = ClientConfig::builder_with_provider(crate::provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody))
        .with_no_client_auth();
    if !resumes {
        config.resumption = Resumption::disabled();
    }
    Ok(config)
}

/// The load measures servers: it verifies nothing of them.
#[derive(Debug)]
struct Anybody;

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}

#[expect(clippy::disallowed_methods, reason = "a measurement of real time")]
fn now() -> Instant {
    Instant::now()
}

/// Microseconds of processor time that a process has used.
fn cpu_micros(pid: u32) -> io::Result<f64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/schedstat"))?;
    let nanos = text
        .split_whitespace()
        .next()
        .and_then(|n| n.parse::<f64>().ok());
    Ok(nanos.unwrap_or_default() / 1e3)
}

/// Bytes that a process has in memory.
fn resident(pid: u32) -> io::Result<f64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/statm"))?;
    let pages = text
        .split_whitespace()
        .nth(1)
        .and_then(|n| n.parse::<f64>().ok());
    Ok(pages.unwrap_or_default() * rustix::param::page_size() as f64)
}
