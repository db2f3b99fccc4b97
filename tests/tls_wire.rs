//! Goal: whoever looks at the wire sees a TLS connection end as it should, and whoever cuts the
//! wire is found out. Method: a server over sockets of the system; a blocking client by hand that
//! sees every byte, and a relay that cuts (B3, B4, law L4).
#![cfg(feature = "tls")]

#[expect(dead_code, reason = "these stories need only some of it")]
#[path = "support/pki.rs"]
mod pki;

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread::{JoinHandle, spawn};
use std::time::Duration;

use hio::doing::StopHandle;
use hio::doing::prelude::*;
use hio::link::tls::{ClientTls, ServerTls};
use hio::link::{Client, CloseReason, Event, Limits, Server};
use hio::net::{ConnectOptions, Endpoint, ListenOptions, MioNet, Owner};
use pki::Pki;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

const RUNS: usize = 1_000;

/// A server on a thread of its own: to a byte it answers with as many times 199 bytes and closes.
struct Answering {
    port: u16,
    reasons: Receiver<CloseReason>,
    stop: StopHandle,
    thread: JoinHandle<()>,
}

struct Answers {
    server: Server,
    told: std::sync::mpsc::Sender<CloseReason>,
}

impl Doer for Answers {
    fn enter(&mut self, cx: &mut Cx<'_>) -> Result<Next, Fault> {
        self.server.open(cx.net, cx.ask.owner())?;
        Ok(Again)
    }

    fn recur(&mut self, tyme: Tyme, cx: &mut Cx<'_>) -> Result<Next, Fault> {
        self.server.service_each(tyme, cx.net, |ix| {
            if let Some(&times) = ix.rx().first() {
                ix.clear_rx();
                ix.tx(&answer(times)).expect("it fits the queue");
                ix.close();
            }
        })?;
        for event in self.server.events() {
            if let Event::Closed(_, why) = event {
                // Nobody listens any more when the test is over.
                let _ = self.told.send(why);
            }
        }
        Ok(Park(self.server.due(tyme)))
    }

    fn exit(&mut self, cx: &mut Cx<'_>) {
        self.server.close(cx.net);
    }
}

fn answer(times: u8) -> Vec<u8> {
    let pattern: Vec<u8> = (0..199).collect();
    pattern.repeat(usize::from(times))
}

impl Answering {
    fn start(tls: ServerTls) -> Self {
        let (tell, told) = channel();
        let (reason, reasons) = channel();
        let thread = spawn(move || {
            let mut net = MioNet::new().expect("a net");
            let at = Endpoint::host("127.0.0.1", 0);
            let server = Server::new(at, ListenOptions::default(), Limits::default());
            let mut doist = Doist::new(());
            let doer = doist.add(Answers {
                server: server.with_tls(tls),
                told: reason,
            });
            doist.enter(&mut net).expect("a free port");
            let port = doist.get(doer).and_then(|d| d.server.ha().port());
            tell.send((port, doist.stop_handle())).expect("it waits");
            doist.run(&mut net).expect("no doer fails");
        });
        let (port, stop) = told.recv().expect("it listens");
        Self {
            port: port.expect("TCP"),
            reasons,
            stop,
            thread,
        }
    }

    fn end(self) {
        self.stop.stop();
        self.thread.join().expect("it does not panic");
    }
}

fn dial(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    let patience = Some(Duration::from_secs(20));
    stream.set_read_timeout(patience).expect("it can be set");
    stream
}

fn config(pki: &Pki) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let ca = CertificateDer::from_pem_slice(pki.ca.as_bytes()).expect("it is PEM");
    roots.add(ca).expect("it is a root");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider);
    let builder = builder.with_protocol_versions(rustls::ALL_VERSIONS);
    let builder = builder.expect("versions").with_root_certificates(roots);
    Arc::new(builder.with_no_client_auth())
}

/// How a connection ended: what was said, whether a close_notify came, and then a FIN.
fn watch(config: &Arc<ClientConfig>, port: u16, times: u8) -> (Vec<u8>, bool, bool) {
    let name = ServerName::try_from("localhost").expect("a name");
    let mut tls = ClientConnection::new(config.clone(), name).expect("a session");
    let mut stream = dial(port);
    tls.writer().write_all(&[times]).expect("it is kept");
    let (mut said, mut bye) = (Vec::new(), false);
    loop {
        while tls.wants_write() {
            tls.write_tls(&mut stream).expect("the server reads");
        }
        let mut some = [0; 4096];
        let n = stream.read(&mut some).expect("no reset and no silence");
        if n == 0 {
            return (said, bye, true);
        }
        assert!(!bye, "nothing comes after the close_notify");
        let mut wire = &some[..n];
        while !wire.is_empty() {
            tls.read_tls(&mut wire).expect("there is room");
            let state = tls.process_new_packets().expect("good records");
            bye |= state.peer_has_closed();
            match tls.reader().read_to_end(&mut said) {
                Ok(_) => {}
                Err(e) => assert_eq!(e.kind(), ErrorKind::WouldBlock),
            }
        }
        if bye {
            tls.send_close_notify();
        }
    }
}

#[test]
fn b4_a_thousand_ends_over_sockets_are_all_in_order() {
    let pki = Pki::new();
    let server = Answering::start(pki.server_tls());
    let config = config(&pki);
    let mut good = 0;
    for run in 0..RUNS {
        let times = u8::try_from(1 + run % 250).expect("it is small");
        let (said, bye, fin) = watch(&config, server.port, times);
        assert!(said == answer(times), "run {run}: all data comes first");
        good += usize::from(bye && fin);
    }
    assert_eq!(good, RUNS);
    for run in 0..RUNS {
        let reason = server.reasons.recv_timeout(Duration::from_secs(20));
        assert_eq!(reason, Ok(CloseReason::Closed), "run {run}");
    }
    server.end();
}

/// A relay in front of a port. After `let_through` bytes from the server it ends both sides, as a
/// cable or a man in the middle would: with a FIN.
fn relay(port: u16, let_through: usize) -> (u16, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let at = listener.local_addr().expect("it has one").port();
    let thread = spawn(move || {
        let (client, _) = listener.accept().expect("the client comes");
        let server = dial(port);
        let (mut from, mut to) = (client.try_clone().expect("a handle"), &server);
        let mut back = server.try_clone().expect("a handle");
        let other = spawn(move || {
            let (mut left, mut some) = (let_through, [0; 4096]);
            while left > 0 {
                let most = left.min(some.len());
                let n = back.read(&mut some[..most]).unwrap_or(0);
                if n == 0 || (&client).write_all(&some[..n]).is_err() {
                    break;
                }
                left -= n;
            }
            let _ = client.shutdown(Shutdown::Both);
            let _ = back.shutdown(Shutdown::Write);
            // What still comes is taken, so that this end is a FIN and no reset.
            let _ = back.read_to_end(&mut Vec::new());
        });
        let mut some = [0; 4096];
        while let Ok(n @ 1..) = from.read(&mut some) {
            if to.write_all(&some[..n]).is_err() {
                break;
            }
        }
        other.join().expect("it does not panic");
    });
    (at, thread)
}

/// A client through the relay: what it heard and why it ended.
fn through(tls: ClientTls, port: u16) -> (Vec<u8>, CloseReason) {
    let mut net = MioNet::new().expect("a net");
    let to = Endpoint::host("127.0.0.1", port);
    let mut client = Client::new(to, ConnectOptions::default(), Limits::default()).with_tls(tls);
    let tyme = net.now();
    client
        .open(tyme, &mut net, Owner::NONE)
        .expect("good limits");
    client.tx(&[200]).expect("it is kept");
    let mut heard = Vec::new();
    loop {
        let tyme = net.now();
        client.service(tyme, &mut net);
        heard.extend_from_slice(client.rx());
        client.consume(usize::MAX);
        if let Some(why) = client.closed() {
            return (heard, why);
        }
        if client.cutoff() {
            client.drain();
        }
        let due = client.due(tyme).min(tyme + Duration::from_secs(20));
        net.poll(due).expect("the net lives");
    }
}

#[test]
fn l4_b3_what_a_relay_cuts_off_is_truncated_at_both_ends() {
    let pki = Pki::new();
    let server = Answering::start(pki.server_tls());
    let whole = answer(200);
    // Inside the handshake's flight of the server; after it; in the data; nothing cut.
    for cut in [100, 3_000, 20_000, usize::MAX] {
        let (port, thread) = relay(server.port, cut);
        let (heard, why) = through(pki.client_tls(), port);
        let of_server = server.reasons.recv_timeout(Duration::from_secs(30));
        let of_server = of_server.expect("the server's connection ends, too");
        let what = format!("cut after {cut}: {why}; server: {of_server}");
        match cut {
            usize::MAX => {
                assert!(
                    heard == whole && why.is_clean() && of_server.is_clean(),
                    "{what}"
                );
            }
            _ => {
                assert!(
                    heard.len() < whole.len() && whole.starts_with(&heard),
                    "{what}"
                );
                assert!(!why.is_clean(), "{what}");
            }
        }
        if cut >= 3_000 && cut < whole.len() {
            assert_eq!(why, CloseReason::Truncated, "{what}");
        }
        thread.join().expect("the relay does not panic");
    }
    server.end();
}
