//! Goal: at the limit of a drain what is left is reset, with a reason that says so; before it, only
//! who is through is closed; the same in each run. Method: programs in the simulator.

use std::time::Duration;

use hio::doers::{EachServerDoer, EchoServerDoer, HttpServerDoer};
use hio::doing::prelude::*;
use hio::link::{Client, CloseReason, Limits, Remoter, Server};
use hio::net::{ConnectOptions, Endpoint, ListenOptions};
use hio::proto::http::{Answer, HttpServer, Request, RequestId, Response};
use hio::sim::{Boot, Fault as Planned, NodeState, Sim};

fn any() -> Endpoint {
    ":80".parse().expect("an endpoint")
}

fn links() -> Server {
    Server::new(any(), ListenOptions::default(), Limits::default())
}

fn web(_: Boot) -> Doist {
    let mut doist = Doist::new(());
    let hello = |_: RequestId, _: Request| Answer::Now(Response::ok("text/plain", "hello"));
    doist.add(HttpServerDoer::new(HttpServer::over(links()), hello));
    doist
}

fn echo(_: Boot) -> Doist {
    let mut doist = Doist::new(());
    doist.add(EchoServerDoer::new(links()));
    doist
}

/// Consumes nothing, so that nobody is ever through.
fn stuck(_: Boot) -> Doist {
    let mut doist = Doist::new(());
    doist.add(EachServerDoer::new(links(), |_: &mut Remoter| {}));
    doist
}

/// Says something and waits.
struct Says {
    client: Client,
    text: &'static [u8],
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Heard {
    text: String,
    ended: bool,
    why: Option<CloseReason>,
}

impl Doer<Heard> for Says {
    fn enter(&mut self, cx: &mut Cx<'_, Heard>) -> Result<Next, Fault> {
        self.client.open(cx.tyme(), cx.net, cx.ask.owner())?;
        self.client.tx(self.text)?;
        Ok(Park(Tyme::ZERO))
    }

    fn recur(&mut self, tyme: Tyme, cx: &mut Cx<'_, Heard>) -> Result<Next, Fault> {
        self.client.service(tyme, cx.net);
        cx.app.text = String::from_utf8_lossy(self.client.rx()).into_owned();
        cx.app.ended = self.client.cutoff();
        cx.app.why = self.client.closed();
        Ok(Park(self.client.due(tyme)))
    }

    fn exit(&mut self, cx: &mut Cx<'_, Heard>) {
        self.client.close(cx.net);
    }
}

/// Drains a server a second after a client has said `text`; how the server ended, when, and what the
/// client heard; the second signal, if any, comes so much later.
fn drained(
    server: fn(Boot) -> Doist,
    text: &'static [u8],
    again: Option<Duration>,
) -> (NodeState, Duration, Heard) {
    let mut sim = Sim::new(7);
    let web = sim.node("web", server);
    let client = sim.node("client", move |boot| {
        let to = boot.tcp("web", 80).expect("there is a web");
        let client = Client::new(to, ConnectOptions::default(), Limits::default());
        let mut doist = Doist::new(Heard::default());
        doist.add(Says { client, text });
        doist
    });
    sim.run_for(Duration::from_secs(1)).expect("runs");
    let limit = Duration::from_secs(5);
    sim.fault(&Planned::Drain("web".to_owned(), limit))
        .expect("there is a web");
    let began = sim.tyme();
    if let Some(again) = again {
        sim.run_for(again).expect("runs");
        sim.drain(web, limit);
    }
    while *sim.state(web) == NodeState::Running {
        assert!(sim.step().expect("runs"), "it ends");
    }
    let took = sim.tyme().since(began);
    sim.run_for(Duration::from_secs(1)).expect("runs");
    let heard = sim.app::<Heard>(client).expect("it runs").clone();
    (sim.state(web).clone(), took, heard)
}

#[test]
fn what_is_left_at_the_limit_is_reset() {
    let half = b"POST / HTTP/1.1\r\nHost: web\r\nContent-Length: 9\r\n\r\nhalf";
    for (server, text) in [(web as fn(Boot) -> Doist, &half[..]), (stuck, b"some")] {
        let (state, took, heard) = drained(server, text, None);
        assert_eq!(state, NodeState::Ended(Outcome::DrainLimit));
        assert!((5_000..5_100).contains(&took.as_millis()), "{took:?}");
        assert_eq!(heard.why, Some(CloseReason::Reset), "{heard:?}");
    }
}

#[test]
fn a_second_signal_stops_at_once() {
    let half = b"POST / HTTP/1.1\r\nHost: web\r\nContent-Length: 9\r\n\r\nhalf";
    let (state, took, heard) = drained(web, half, Some(Duration::from_secs(2)));
    assert_eq!(state, NodeState::Ended(Outcome::Stopped));
    assert_eq!(took.as_millis(), 2_000);
    assert_eq!(heard.why, Some(CloseReason::Reset), "{heard:?}");
}

#[test]
fn who_is_through_is_closed_in_order_and_at_once() {
    let request = b"GET / HTTP/1.1\r\nHost: web\r\n\r\n";
    for (server, text, answer) in [
        (web as fn(Boot) -> Doist, &request[..], "hello"),
        (echo, b"again", "again"),
    ] {
        let (state, took, heard) = drained(server, text, None);
        assert_eq!(state, NodeState::Ended(Outcome::Drained));
        assert!(took < Duration::from_secs(3), "{took:?}: lingers at most");
        assert!(heard.text.ends_with(answer), "{heard:?}");
        assert!(heard.ended || heard.why == Some(CloseReason::PeerClosed));
        assert_ne!(heard.why, Some(CloseReason::Reset), "{heard:?}");
    }
}

#[test]
fn the_reason_is_the_drain() {
    use hio::net::{MioNet, Net, Owner};
    let mut net = MioNet::new().unwrap();
    let at = Endpoint::host("127.0.0.1", 0);
    let mut server = Server::new(at, ListenOptions::default(), Limits::default());
    server.open(&mut net, Owner(1)).unwrap();
    let peer = std::net::TcpStream::connect(server.ha().addr().unwrap()).unwrap();
    std::io::Write::write_all(&mut &peer, b"some").unwrap();
    let until = net.now() + Duration::from_secs(10);
    while server.ready().is_empty() {
        assert!(net.now() < until);
        net.poll(until).unwrap();
        let now = net.now();
        server.service(now, &mut net).unwrap();
    }
    server.drain(&mut net);
    let now = net.now();
    server.service(now, &mut net).unwrap();
    assert!(!server.listening() && !server.is_drained());
    assert!(server.events().count() > 0);
    server.close(&mut net);
    let reasons: Vec<_> = server.events().collect();
    assert!(
        matches!(
            reasons[..],
            [hio::link::Event::Closed(_, CloseReason::DrainCut)]
        ),
        "{reasons:?}"
    );
    assert!(!CloseReason::DrainCut.is_clean());
}

#[test]
fn limits_of_a_drain_are_the_same_in_each_run() {
    let run = || drained(web, b"GET / HTTP/1.1\r\nHost: web\r\n\r\n", None);
    assert_eq!(run(), run());
}
