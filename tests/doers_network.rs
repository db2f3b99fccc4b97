//! Goal: servers and clients as doers: they park, share the state, end in order, and say why not.
//! Method: one Doist with both ends on real sockets.

mod support;

use std::time::Duration;

use hio::doers::{ClientDoer, EachServerDoer, EchoServerDoer, ServerDoer};
use hio::doing::Cause;
use hio::doing::prelude::*;
use hio::link::{Client, CloseReason, Limits, OpenError, Remoter, Server};
use hio::net::{ConnectOptions, Endpoint, ListenOptions, MioNet};
use support::{ms, pattern};

struct App {
    server: Server,
    client: Client,
    recurs: u32,
}

fn server(at: &Endpoint) -> Server {
    Server::new(at.clone(), ListenOptions::default(), Limits::default())
}

fn app(at: &Endpoint) -> App {
    App {
        server: server(at),
        client: Client::new(at.clone(), ConnectOptions::default(), Limits::default()),
        recurs: 0,
    }
}

fn on_server(app: &mut App) -> &mut Server {
    &mut app.server
}

fn on_client(app: &mut App) -> &mut Client {
    &mut app.client
}

/// The ends meet on a Unix socket: its address is known before it is open.
fn path() -> (std::path::PathBuf, Endpoint) {
    let (dir, path) = support::unix_path();
    (dir, Endpoint::unix(path))
}

#[test]
fn echo_between_doers_that_park() {
    let (dir, at) = path();
    let mut doist = Doist::new(app(&at)).with_limit(Duration::from_secs(20));
    doist.add(EchoServerDoer::new(server(&at)));
    let client = doist.add_on(on_client, ClientDoer::new());
    let data = pattern(300_000);
    let mut left = data.clone();
    let user = doify(move |_tyme, cx: &mut Cx<'_, App>| {
        cx.app.recurs += 1;
        let taken = match cx.app.client.tx(&left) {
            Ok(()) => left.len(),
            Err(hio::link::TxError::Full { taken }) => taken,
            Err(other) => return Err(other.into()),
        };
        left.drain(..taken);
        cx.ask.wake(client);
        Ok(if left.is_empty() { Done(true) } else { Again })
    });
    doist.add(user);
    let watch = doify(move |_tyme, cx: &mut Cx<'_, App>| {
        if cx.app.client.rx().len() < 300_000 - 45_000 {
            return Ok(Again); // the receive cap is below all of it
        }
        cx.ask.stop();
        Ok(Done(true))
    });
    doist.add(watch);
    let mut net = MioNet::new().unwrap();
    assert_eq!(doist.run(&mut net).unwrap(), Outcome::Stopped);
    assert!(data.starts_with(doist.app.client.rx()));
    assert!(!doist.app.client.opened());
    let _ = std::fs::remove_dir_all(dir);
}

#[test]
fn each_message_costs_a_run_and_idleness_none() {
    let (dir, at) = path();
    let mut doist = Doist::new(app(&at))
        .with_limit(Duration::from_secs(20))
        .with_tock(ms(2));
    let shout = EachServerDoer::new(server(&at), |ix: &mut Remoter| {
        let loud = ix.rx().to_ascii_uppercase();
        ix.clear_rx();
        let _ = ix.tx(&loud);
    });
    let server = doist.add(shout);
    let client = doist.add_on(on_client, ClientDoer::new());
    let user = doify(move |tyme, cx: &mut Cx<'_, App>| {
        cx.app.recurs += 1;
        match cx.app.recurs {
            1 => {
                cx.app.client.tx(b"quiet").unwrap();
                cx.ask.wake(client);
            }
            _ if cx.app.client.rx() != b"QUIET" => {}
            _ if tyme > Tyme::from_millis(300) => cx.app.client.drain(),
            _ => return Ok(Again),
        }
        cx.ask.wake(client);
        Ok(if cx.app.client.opened() {
            Again
        } else {
            Done(true)
        })
    });
    doist.add(user);
    let stop = doify(|_, cx: &mut Cx<'_, App>| {
        if cx.app.client.stats().closed > 0 {
            cx.ask.stop();
        }
        Ok(Again)
    });
    doist.add(stop);
    doist.run(&mut MioNet::new().unwrap()).unwrap();
    assert_eq!(doist.app.client.closed(), Some(CloseReason::Closed));
    let runs = doist.stats_of(server).unwrap().recurs;
    assert!(runs < 12, "{runs} runs in 150 ticks");
    let _ = std::fs::remove_dir_all(dir);
}

#[test]
fn waking_lets_users_park() {
    let (dir, at) = path();
    let mut doist = Doist::new(app(&at)).with_limit(Duration::from_secs(20));
    let answerer = doist.add(doify(|_, cx: &mut Cx<'_, App>| {
        cx.app.recurs += 1;
        for id in cx.app.server.ready().to_vec() {
            if let Some(ix) = cx.app.server.get_mut(id) {
                let _ = ix.echo();
            }
        }
        let tyme = Tyme::ZERO; // no tymeouts here
        cx.app.server.service_sends(tyme, cx.net);
        Ok(Park(Tyme::NEVER))
    }));
    doist.add_on(on_server, ServerDoer::new().waking(answerer));
    let reader = doist.add(doify(|_, cx: &mut Cx<'_, App>| {
        if cx.app.client.rx() == b"ping" {
            cx.ask.stop();
        }
        Ok(Park(Tyme::NEVER))
    }));
    doist.app.client = Client::new(at, ConnectOptions::default(), Limits::default());
    let client = doist.add_on(on_client, ClientDoer::new().waking(reader));
    doist.add(doify(move |_, cx: &mut Cx<'_, App>| {
        if cx.app.client.connected() {
            cx.app.client.tx(b"ping")?;
            cx.ask.wake(client);
            return Ok(Done(true));
        }
        Ok(Again)
    }));
    assert_eq!(
        doist.run(&mut MioNet::new().unwrap()).unwrap(),
        Outcome::Stopped
    );
    assert_eq!(doist.app.client.rx(), b"ping");
    assert!(doist.app.recurs < 10);
    let _ = std::fs::remove_dir_all(dir);
}

#[test]
fn s7_a_server_that_cannot_open_fails_its_enter_with_the_cause() {
    let mut net = MioNet::new().unwrap();
    let at = Endpoint::host("127.0.0.1", 0);
    let mut first = Server::new(at, ListenOptions::default(), Limits::default());
    first.open(&mut net, hio::net::Owner::NONE).unwrap();
    let second = Server::new(
        first.ha().clone(),
        ListenOptions::default(),
        Limits::default(),
    );
    let mut doist = Doist::new(());
    doist.named("greeter").add(EchoServerDoer::new(second));
    let fault = doist.run(&mut net).unwrap_err();
    assert!(matches!(fault.cause(), Cause::Failed(_)));
    assert!(matches!(
        fault.downcast_ref(),
        Some(OpenError::Listen { .. })
    ));
    let message = fault.to_string();
    assert!(
        message.contains("greeter") && message.contains("address already in use"),
        "{message}"
    );
}
