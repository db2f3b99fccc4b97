//! Goal: who is told that a queue is full is told when there is room again, also when the system takes all of it at once.
//! Method: one end sends as much as fits whenever it is called or told, and nothing else ever wakes it; both ends, by
//! closure and by events, with and without TLS.

#[expect(dead_code, reason = "these stories need only some of it")]
#[path = "support/pki.rs"]
mod pki;

use std::time::Duration;

use hio::link::{Client, ClientEvent, Event, Limits, Link, Server, TxError};
use hio::net::{ConnectOptions, Endpoint, ListenOptions, MioNet, Net, Owner};
use pki::Pki;

/// Much more than the buffers of the system hold, in queues that they take at once.
const ALL: usize = 24 << 20;
const CAP: usize = 16 * 1024;
const PATIENCE: Duration = Duration::from_secs(30);

/// What is still to be sent.
struct Flow(usize);

impl Flow {
    /// Queues as much as fits.
    fn push(&mut self, link: &mut Link) {
        let chunk = [7; 3 * CAP];
        while self.0 > 0 && link.closed().is_none() {
            match link.tx(&chunk[..self.0.min(chunk.len())]) {
                Ok(()) => self.0 -= self.0.min(chunk.len()),
                Err(TxError::Full { taken }) => {
                    self.0 -= taken;
                    return;
                }
                Err(why) => panic!("{why}"),
            }
        }
    }
}

fn limits() -> Limits {
    Limits {
        tx_cap: CAP,
        ..Limits::default()
    }
}

struct Pair {
    net: MioNet,
    server: Server,
    client: Client,
}

fn pair(tls: bool) -> Pair {
    let mut net = MioNet::new().expect("a net");
    let at: Endpoint = "127.0.0.1:0".parse().expect("an endpoint");
    let mut server = Server::new(at, ListenOptions::default(), limits());
    let pki = Pki::new();
    if tls {
        server = server.with_tls(pki.server_tls());
    }
    server.open(&mut net, Owner(1)).expect("it listens");
    let mut client = Client::new(server.eha(), ConnectOptions::default(), limits());
    if tls {
        let trusting = pki.client_tls();
        client = client.with_tls(trusting.with_name("localhost").expect("a name"));
    }
    let now = net.now();
    client.open(now, &mut net, Owner(2)).expect("good limits");
    Pair {
        net,
        server,
        client,
    }
}

/// Waits for readiness of either end, and for nothing else.
fn pause(net: &mut MioNet) {
    let mut marked = Vec::new();
    net.woken(&mut marked);
    if marked.is_empty() {
        let now = net.now();
        net.poll(now + Duration::from_millis(200))
            .expect("polling works");
    }
}

fn take(link: &mut Link, got: &mut usize) {
    *got += link.rx().len();
    link.clear_rx();
}

#[test]
fn a_server_that_is_called_goes_on() {
    for tls in [false, true] {
        let mut pair = pair(tls);
        let (mut flow, mut got) = (Flow(ALL), 0);
        pair.client.tx(b"begin").expect("room");
        let until = pair.net.now() + PATIENCE;
        while got < ALL {
            let now = pair.net.now();
            assert!(now < until, "tls {tls}: {got} of {ALL}, {} left", flow.0);
            let served = pair.server.service_each(now, &mut pair.net, |ix| {
                ix.clear_rx();
                flow.push(ix);
            });
            served.expect("it listens");
            pair.client.service(now, &mut pair.net);
            take(pair.client.link_mut(), &mut got);
            pause(&mut pair.net);
        }
        assert_eq!((got, flow.0), (ALL, 0));
    }
}

#[test]
fn a_server_that_is_told_goes_on() {
    for tls in [false, true] {
        let mut pair = pair(tls);
        let (mut flow, mut got) = (Flow(ALL), 0);
        pair.client.tx(b"begin").expect("room");
        let until = pair.net.now() + PATIENCE;
        while got < ALL {
            let now = pair.net.now();
            assert!(now < until, "tls {tls}: {got} of {ALL}, {} left", flow.0);
            pair.server.service(now, &mut pair.net).expect("it listens");
            let told: Vec<Event> = pair.server.events().collect();
            for event in told {
                if let Event::Received(id) | Event::Drained(id) = event {
                    let ix = pair.server.get_mut(id).expect("it is there");
                    ix.clear_rx();
                    flow.push(ix);
                }
            }
            pair.client.service(now, &mut pair.net);
            take(pair.client.link_mut(), &mut got);
            if pair.server.due(now) > now {
                pause(&mut pair.net);
            }
        }
        assert_eq!((got, flow.0), (ALL, 0));
    }
}

#[test]
fn a_client_that_is_called_goes_on() {
    for tls in [false, true] {
        let mut pair = pair(tls);
        let (mut flow, mut got) = (Flow(ALL), 0);
        flow.push(pair.client.link_mut()); // before it is connected
        let until = pair.net.now() + PATIENCE;
        while got < ALL {
            let now = pair.net.now();
            assert!(now < until, "tls {tls}: {got} of {ALL}, {} left", flow.0);
            let client = &mut pair.client;
            client.service_each(now, &mut pair.net, |link| flow.push(link));
            let served = pair
                .server
                .service_each(now, &mut pair.net, |ix| take(ix, &mut got));
            served.expect("it listens");
            pause(&mut pair.net);
        }
        assert_eq!((got, flow.0), (ALL, 0));
    }
}

#[test]
fn a_client_that_is_told_goes_on() {
    for tls in [false, true] {
        let mut pair = pair(tls);
        let (mut flow, mut got) = (Flow(ALL), 0);
        flow.push(pair.client.link_mut());
        let until = pair.net.now() + PATIENCE;
        while got < ALL {
            let now = pair.net.now();
            assert!(now < until, "tls {tls}: {got} of {ALL}, {} left", flow.0);
            pair.client.service(now, &mut pair.net);
            let drained = |event| matches!(event, ClientEvent::Drained | ClientEvent::Secured);
            if pair.client.events().any(drained) {
                flow.push(pair.client.link_mut());
            }
            let served = pair
                .server
                .service_each(now, &mut pair.net, |ix| take(ix, &mut got));
            served.expect("it listens");
            if pair.client.due(now) > now {
                pause(&mut pair.net);
            }
        }
        assert_eq!((got, flow.0), (ALL, 0));
    }
}
