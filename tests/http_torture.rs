//! Goal: no failing call of the net panics, leaks a socket, or leaves a request of HTTP without an outcome (A2, L2).
//! Method: requests and answers over the net in memory, with the k-th call of a kind failing, for every k, every kind
//! and several errors, until a run has fewer calls than k; afterwards a good request is answered.

#![cfg(feature = "http")]

mod support;

use hio::link::Limits;
use hio::net::{Endpoint, ListenOptions, Net, NetError, Owner};
use hio::proto::http::{
    Answer, Ask, AskEvent, AskId, Dialling, HttpClient, HttpServer, Length, Outgoing, PoolLimits,
    Request, RequestId, Response, ResponseHead, Source,
};
use http::StatusCode;
use support::faulty::{Call, Faulty};
use support::memory::MemoryNet;
use support::{ms, pattern};

const ERRORS: [NetError; 5] = [
    NetError::Reset,
    NetError::BrokenPipe,
    NetError::Exhausted,
    NetError::Invalid,
    NetError::Other(5),
];

/// Says a body back: at once, or read from a source.
fn echo(_: RequestId, request: Request) -> Answer {
    if request.head.target.path() == "/source" {
        let source = Source::new(std::io::Cursor::new(request.body));
        return Answer::Read(ResponseHead::new(StatusCode::OK), Length::Chunked, source);
    }
    Answer::Now(Response::ok("text/plain", request.body))
}

fn ask(client: &mut HttpClient, net: &mut dyn Net, body: &[u8], path: &str) -> AskId {
    let url = format!("http://127.0.0.1:7000{path}").parse().unwrap();
    let mut ask = Ask::new(http::Method::PUT, url).within(ms(2000));
    ask.body = Outgoing::Bytes(body.to_vec());
    client.ask(net.now(), ask)
}

/// Serves until so many requests are over; how many of them were echoed.
fn outcomes(
    server: &mut HttpServer,
    client: &mut HttpClient,
    net: &mut dyn Net,
    n: usize,
) -> usize {
    let data = pattern(20_000);
    let (mut over, mut good) = (0, 0);
    for _ in 0..5000 {
        let now = net.now();
        net.poll(now + ms(2)).unwrap();
        let tyme = net.now();
        server.service(tyme, net, &mut echo).unwrap();
        client.service(tyme, net);
        for event in client.events() {
            let AskEvent::Done(_, outcome) = event else {
                continue;
            };
            over += 1;
            if let Ok(response) = outcome {
                assert!(response.body == data, "no half of it counts as a response");
                good += 1;
            }
        }
        if over == n {
            return good;
        }
    }
    panic!("{over} of {n} requests have an outcome");
}

fn scenario(kind: Call, nth: usize, why: NetError) -> bool {
    let mut memory = MemoryNet::default();
    memory.capacity = 4096;
    let mut net = Faulty::new(memory, kind, nth, 1, why);
    let at = Endpoint::host("127.0.0.1", 7000);
    let mut server = HttpServer::new(at, ListenOptions::default(), Limits::default());
    if server.open(&mut net, Owner::NONE).is_err() {
        assert!(matches!(kind, Call::Listen | Call::Local));
        assert_eq!(net.inner.open(), 0);
        return true;
    }
    let mut client = HttpClient::new(Dialling::default(), PoolLimits::default());
    client.open(Owner::NONE);
    let data = pattern(20_000);
    for path in ["/", "/source", "/"] {
        ask(&mut client, &mut net, &data, path);
    }
    let good = outcomes(&mut server, &mut client, &mut net, 3);
    assert!(
        good >= 2,
        "{kind:?} {nth} {why}: one failing call costs one request"
    );
    ask(&mut client, &mut net, &data, "/source");
    let good = outcomes(&mut server, &mut client, &mut net, 1);
    let late = net.failed.get() == 0;
    assert!(late || good <= 1, "{kind:?} {nth} {why}");
    ask(&mut client, &mut net, &data, "/source");
    let last = outcomes(&mut server, &mut client, &mut net, 1);
    assert!(
        good + last >= 1,
        "{kind:?} {nth} {why}: the server is not well"
    );
    client.close(&mut net);
    server.close(&mut net);
    assert_eq!(net.inner.open(), 0, "{kind:?} {nth} {why}: a socket leaks");
    net.failed.get() > 0
}

#[test]
fn a2_every_error_at_every_call() {
    let mut runs = 0;
    for kind in Call::ALL {
        for why in ERRORS {
            for nth in 0..1000 {
                runs += 1;
                if !scenario(kind, nth, why) {
                    break;
                }
                assert!(nth < 999, "{kind:?}: does not end");
            }
        }
    }
    println!("{runs} runs");
    assert!(runs > 100, "{runs} runs");
}
