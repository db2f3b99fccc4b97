//! Goal: SIGHUP under load reads a server's certificate anew: no handshake fails, connections from
//! then on see the new one, those that stand go on; a bad file keeps the old one. Method: a server
//! and a client that dials again and again in one Doist, and real signals to this process.
#![cfg(all(unix, feature = "signals", feature = "tls"))]

#[path = "support/pki.rs"]
#[expect(dead_code, reason = "other tests use the rest")]
mod pki;

use std::path::PathBuf;
use std::time::Duration;

use hio::doers::{EchoServerDoer, ReloadDoer};
use hio::doing::prelude::*;
use hio::link::tls::{ClientTls, ServerTls};
use hio::link::{Client, Limits, Server};
use hio::net::{ConnectOptions, Endpoint, ListenOptions, MioNet};
use rustix::process::{Signal, getpid, kill_process};

/// What each connection saw: the certificate, by a name.
#[derive(Default)]
struct App {
    seen: Vec<Vec<u8>>,
    stood: bool,
}

/// Dials, says something, has it back, notes the certificate, and dials again.
struct Dials {
    client: Client,
    /// Stands from the beginning to the end.
    old: Client,
    said: bool,
}

impl Dials {
    fn look(&mut self, tyme: Tyme, cx: &mut Cx<'_, App>) -> Result<(), Fault> {
        for client in [&mut self.client, &mut self.old] {
            client.service(tyme, cx.net);
            if let Some(why) = client.closed() {
                return Err(Fault::msg(format!("a connection failed: {why}")));
            }
        }
        if self.client.rx() == b"hello" {
            let tls = self
                .client
                .link()
                .tls()
                .ok_or_else(|| Fault::msg("it speaks TLS"))?;
            let certificate = tls.chain().next();
            let certificate = certificate.ok_or_else(|| Fault::msg("it has a certificate"))?;
            cx.app.seen.push(certificate.to_vec());
            self.client.consume(5);
            self.client.close(cx.net);
            self.client.open(tyme, cx.net, cx.ask.owner())?;
            self.client.tx(b"hello")?;
        }
        cx.app.stood |= self.old.rx() == b"still";
        Ok(())
    }
}

impl Doer<App> for Dials {
    fn enter(&mut self, cx: &mut Cx<'_, App>) -> Result<Next, Fault> {
        for client in [&mut self.client, &mut self.old] {
            client.open(cx.tyme(), cx.net, cx.ask.owner())?;
        }
        self.client.tx(b"hello")?;
        Ok(Park(Tyme::NEVER))
    }

    fn recur(&mut self, tyme: Tyme, cx: &mut Cx<'_, App>) -> Result<Next, Fault> {
        self.look(tyme, cx)?;
        if cx.app.seen.len() >= 90 && !std::mem::replace(&mut self.said, true) {
            self.old.tx(b"still")?;
            self.old.service(tyme, cx.net);
        }
        let due = self.client.due(tyme).min(self.old.due(tyme));
        Ok(Park(due.max(tyme + Duration::from_millis(1))))
    }

    fn exit(&mut self, cx: &mut Cx<'_, App>) {
        self.client.close(cx.net);
        self.old.close(cx.net);
    }
}

#[test]
fn certificates_are_read_anew_under_load_and_a_bad_file_keeps_the_old_ones() {
    let root = pki::Authority::root("test root");
    let [one, two] = ["one", "two"].map(|name| root.issue(name, |_| {}));
    let file = |name: &str| -> PathBuf {
        std::env::temp_dir().join(format!("hio-{}-{name}", std::process::id()))
    };
    let (cert, key) = (file("reload.pem"), file("reload.key"));
    std::fs::write(&cert, &one.chain).unwrap();
    std::fs::write(&key, &one.key).unwrap();

    let mut net = MioNet::new().unwrap();
    let tls = ServerTls::builder()
        .certificate(cert.clone())
        .key(key.clone())
        .build()
        .unwrap();
    let at = Endpoint::host("127.0.0.1", 0);
    let server = Server::new(at, ListenOptions::default(), Limits::default());
    let mut doist = Doist::new(App::default()).with_limit(Duration::from_secs(30));
    let reload = doist.add(ReloadDoer::of_tls(&mut net, &tls).unwrap());
    let echo = doist.add(EchoServerDoer::new(server.with_tls(tls)));
    doist.enter(&mut net).unwrap();
    let to = doist.get(echo).unwrap().server().eha();
    let trust = ClientTls::builder()
        .name("localhost")
        .ca(root.pem().into_bytes())
        .build()
        .unwrap();
    let client = || {
        let client = Client::new(to.clone(), ConnectOptions::default(), Limits::default());
        client.with_tls(trust.clone())
    };
    doist.add(Dials {
        client: client(),
        old: client(),
        said: false,
    });
    let (two_chain, two_key, key_file) = (two.chain.clone(), two.key.clone(), key.clone());
    let mut step = 0;
    doist.add(doify(move |_tyme, cx: &mut Cx<'_, App>| {
        match (step, cx.app.seen.len()) {
            (0, 30..) => {
                std::fs::write(&cert, &two_chain)?;
                std::fs::write(&key_file, &two_key)?;
                kill_process(getpid(), Signal::HUP)?;
                step = 1;
            }
            (1, 60..) => {
                std::fs::write(&key_file, "no key at all")?;
                kill_process(getpid(), Signal::HUP)?;
                step = 2;
            }
            (2, 100..) if cx.app.stood => cx.ask.stop(),
            _ => {}
        }
        Ok(After(Duration::from_millis(5)))
    }));
    let outcome = doist.run(&mut net).unwrap();
    let (seen, stood) = (doist.app.seen.len(), doist.app.stood);
    assert_eq!(outcome, Outcome::Stopped, "{seen} {stood}");
    let reload = doist.get(reload).unwrap();
    assert_eq!((reload.reloads(), reload.failures()), (1, 1));
    let seen = &doist.app.seen;
    let turns = seen.windows(2).filter(|pair| pair[0] != pair[1]).count();
    assert_eq!(turns, 1, "from the old one to the new one, once");
    let last = seen.iter().position(|one| *one != seen[0]).unwrap();
    assert!((30..60).contains(&last), "{last}");
    drop(std::fs::remove_file(key));
}

#[test]
fn what_was_made_by_hand_is_not_read_anew() {
    let tls = pki::Pki::new().server_tls();
    assert!(tls.reload().is_ok(), "from bytes it stays as it was");
    let provider = rustls::crypto::ring::default_provider();
    let builder = rustls::ServerConfig::builder_with_provider(provider.into());
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let resolver = std::sync::Arc::new(rustls::server::ResolvesServerCertUsingSni::new());
    let config = builder.with_no_client_auth().with_cert_resolver(resolver);
    let by_hand = ServerTls::from(std::sync::Arc::new(config));
    let why = by_hand.reload().unwrap_err().to_string();
    assert_eq!(why, "what was made by hand has no files to be read anew");
}
