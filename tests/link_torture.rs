//! Goal: no failing call panics, leaks a socket or loses the listener (A2, law L2).
//! Method: one scenario on the net in memory, run again and again with the k-th call of a kind
//! failing, for every k, every kind and every error, until a run has fewer calls than k.

mod support;

use hio::link::{Client, CloseReason, Limits, Reconnect, Server};
use hio::net::{ConnectOptions, Endpoint, ListenOptions, Net, NetError, Owner};
use support::faulty::{Call, Faulty};
use support::memory::MemoryNet;
use support::{ms, pattern};

const ERRORS: [NetError; 12] = [
    NetError::Refused,
    NetError::Reset,
    NetError::Aborted,
    NetError::TimedOut,
    NetError::Unreachable,
    NetError::BrokenPipe,
    NetError::NotConnected,
    NetError::Exhausted,
    NetError::Denied,
    NetError::Invalid,
    NetError::Unsupported,
    NetError::Other(5),
];

/// Two clients have an echo of 20 kB, one ends in order, one by a reset; then a third one must
/// find the server well. True when the fault was met.
fn scenario(kind: Call, nth: usize, times: usize, why: NetError, each: bool) -> bool {
    let mut memory = MemoryNet::default();
    memory.capacity = 4096;
    let mut net = Faulty::new(memory, kind, nth, times, why);
    let at = Endpoint::host("127.0.0.1", 7000);
    let mut server = Server::new(at.clone(), ListenOptions::default(), Limits::default());
    if let Err(error) = server.open(&mut net, Owner::NONE) {
        assert!(matches!(kind, Call::Listen | Call::Local), "{error}");
        assert_eq!(net.inner.open(), 0);
        return true;
    }
    let data = pattern(20_000);
    let mut clients: Vec<_> = (0..2).map(|_| dial(&at, &mut net)).collect();
    for client in &mut clients {
        let _ = client.tx(&data);
    }
    for _ in 0..30 {
        step(&mut server, &mut clients, &mut net, each);
        for client in &mut clients {
            let got = client.rx().len();
            assert!(data.starts_with(client.rx()) || client.stats().opened > 1);
            if got == data.len() {
                client.drain();
            }
        }
    }
    clients[1].abort(&mut net);
    let mut good = vec![dial(&at, &mut net)];
    let mut served = false;
    for _ in 0..400 {
        let _ = match good[0].stats().sent {
            0 if good[0].link().pending() == 0 => good[0].tx(b"well?"),
            _ => Ok(()),
        };
        step(&mut server, &mut good, &mut net, each);
        served |= good[0].rx().ends_with(b"well?");
        if served {
            break;
        }
        if good[0].stats().closed > 0 && good[0].link().pending() == 0 && good[0].connected() {
            let _ = good[0].tx(b"well?"); // the fault was its own: once more
        }
    }
    assert!(served, "{kind:?} {nth} {why}: the server is not well");
    good[0].close(&mut net);
    clients.iter_mut().for_each(|c| c.close(&mut net));
    server.close(&mut net);
    assert_eq!(net.inner.open(), 0, "{kind:?} {nth} {why}: a socket leaks");
    let stats = server.stats();
    assert_eq!(stats.opened, stats.closed, "{kind:?} {nth} {why}");
    net.failed.get() > 0
}

fn dial(at: &Endpoint, net: &mut dyn Net) -> Client {
    let policy = Reconnect {
        first: ms(1),
        max: ms(5),
        ..Reconnect::default()
    };
    let mut client = Client::new(at.clone(), ConnectOptions::default(), Limits::default())
        .with_reconnect(policy);
    let tyme = net.now();
    client.open(tyme, net, Owner::NONE).unwrap();
    client
}

fn step(server: &mut Server, clients: &mut [Client], net: &mut Faulty<MemoryNet>, each: bool) {
    let now = net.now();
    net.poll(now + ms(2)).unwrap();
    let tyme = net.now();
    if each {
        server
            .service_each(tyme, net, |ix| {
                let _ = ix.echo();
            })
            .unwrap();
    } else {
        server.service(tyme, net).unwrap();
        for id in server.ready().to_vec() {
            let _ = server.get_mut(id).map(|ix| ix.echo());
        }
    }
    for client in clients {
        client.service(tyme, net);
    }
}

#[test]
fn a2_every_error_at_every_call() {
    let mut runs = 0;
    for kind in Call::ALL {
        for why in ERRORS {
            for nth in 0..500 {
                let met = scenario(kind, nth, 1, why, nth % 2 == 0);
                runs += 1;
                // Both forms make about the same calls: two misses in a row are the end.
                if !met && !scenario(kind, nth + 1, 1, why, nth % 2 == 1) {
                    break;
                }
                assert!(nth < 499, "{kind:?}: does not end");
            }
        }
    }
    assert!(runs > 500, "{runs} runs");
}

#[test]
fn a2_errors_in_a_row() {
    for kind in [
        Call::Accept,
        Call::Connect,
        Call::Connected,
        Call::Read,
        Call::Write,
    ] {
        for why in ERRORS {
            for nth in 0..6 {
                scenario(kind, nth, 3, why, nth % 2 == 0);
            }
        }
    }
}

#[test]
fn l3_every_reason_explains_itself() {
    for why in ERRORS {
        for reason in [CloseReason::Lost(why), CloseReason::ConnectFailed(why)] {
            assert!(reason.to_string().contains(&why.to_string()));
            assert!(reason.explain().ends_with('.') && !reason.is_clean());
        }
    }
}
