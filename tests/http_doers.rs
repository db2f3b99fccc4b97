//! Goal: the doers of HTTP serve and ask as they stand: both in one program on the system's sockets, and on two nodes of a
//! simulation; they sleep while nothing happens, and a drain ends the server in order.
//! Method: one story of a server doer and a client doer, told by the program's own doer, in both worlds.

#![cfg(feature = "http")]

use std::time::Duration;

use hio::doers::{HttpClientDoer, HttpServerDoer};
use hio::doing::Turn;
use hio::doing::prelude::*;
use hio::link::Limits;
use hio::net::{Endpoint, ListenOptions, MioNet, Net};
use hio::proto::http::{
    Answer, Ask, AskEvent, Dialling, HttpClient, HttpServer, PoolLimits, Request, RequestId,
    Response, Router,
};
use hio::sim::{Boot, Sim};

const ASKS: usize = 5;

type Site = HttpServerDoer<Router>;

fn site(at: Endpoint) -> Site {
    let server = HttpServer::new(at, ListenOptions::default(), Limits::default());
    let router = Router::new()
        .get("/hello/:name", |_: RequestId, request: Request| {
            let path = request.head.target.path();
            let name = path.rsplit('/').next().unwrap_or_default().to_owned();
            Answer::Now(Response::ok("text/plain", name))
        })
        .post("/echo", |_: RequestId, request: Request| {
            Answer::Now(Response::ok("text/plain", request.body))
        });
    HttpServerDoer::new(server, router)
}

struct App {
    client: HttpClient,
    to: String,
    answers: Vec<String>,
    asked: usize,
    /// How often the asking doer ran.
    turns: u64,
}

impl App {
    fn new(to: String) -> Self {
        Self {
            client: HttpClient::new(Dialling::default(), PoolLimits::default()),
            to,
            answers: Vec::new(),
            asked: 0,
            turns: 0,
        }
    }
}

/// Asks, waits for the answer, and asks again; done when it has all.
struct Asking(Id<HttpClientDoer>);

impl Doer<App> for Asking {
    fn recur(&mut self, tyme: Tyme, cx: &mut Cx<'_, App>) -> Result<Next, Fault> {
        let app = &mut *cx.app;
        app.turns += 1;
        for event in app.client.events() {
            if let AskEvent::Done(_, outcome) = event {
                app.answers.push(String::from_utf8(outcome?.body)?);
            }
        }
        if app.answers.len() == ASKS {
            return Ok(Done(true));
        }
        if app.asked == app.answers.len() {
            let to = &app.to;
            let ask = match app.asked % 2 {
                0 => Ask::get(format!("{to}/hello/{}", app.asked).parse()?),
                _ => Ask::post(format!("{to}/echo").parse()?)
                    .bytes("text/plain", app.asked.to_string()),
            };
            app.client.ask(tyme, ask.within(Duration::from_secs(10)));
            app.asked += 1;
            cx.ask.wake(self.0);
        }
        Ok(Park(Tyme::NEVER))
    }
}

fn asking(doist: &mut Doist<App>) -> Id<Asking> {
    let client = doist.add_on(|app: &mut App| &mut app.client, HttpClientDoer::new());
    let asking = doist.add(Asking(client));
    if let Some(doer) = doist.get_mut(client) {
        *doer = HttpClientDoer::new().waking(asking);
    }
    asking
}

fn all_there(app: &App) {
    assert_eq!(app.answers, ["0", "1", "2", "3", "4"]);
    let woken = app.turns <= 30 * ASKS as u64;
    assert!(woken, "{} turns: it sleeps between events", app.turns);
}

#[test]
fn l4_server_and_client_in_one_program_on_real_sockets() {
    let mut net = MioNet::new().unwrap();
    let mut doist = Doist::new(App::new(String::new()));
    let web = doist.add(site("127.0.0.1:0".parse().unwrap()));
    asking(&mut doist);
    doist.enter(&mut net).unwrap();
    let at = doist.get(web).unwrap().server().server().eha();
    let Endpoint::Tcp(at) = at else {
        panic!("{at:?}");
    };
    doist.app.to = format!("http://{at}");
    let limit = net.now() + Duration::from_secs(20);
    let mut draining = false;
    while let Turn::Sleep(until) = doist.turn(&mut net).unwrap() {
        if doist.app.answers.len() == ASKS && !draining {
            // The client keeps a connection that is idle now: the drain closes it.
            draining = true;
            assert_eq!(doist.get(web).unwrap().server().server().len(), 1);
            doist.get_mut(web).unwrap().drain();
            doist.wake(web);
            continue;
        }
        if !doist.is_open(web) {
            break;
        }
        assert!(net.now() < limit, "{:?}", doist.app.answers);
        net.poll(until.min(limit)).unwrap();
    }
    assert!(draining && !doist.is_open(web), "the server's doer is done");
    all_there(&doist.app);
    doist.exit(&mut net).unwrap();
}

#[test]
fn d1_server_and_client_on_two_nodes_of_a_simulation() {
    let run = |seed| {
        let link = "latency uniform 1ms 20ms loss 0.02".parse().unwrap();
        let mut sim = Sim::new(seed).with_link(link);
        sim.node("web", |_: Boot| {
            let mut doist = Doist::new(());
            doist.add(site(":80".parse().unwrap()));
            doist
        });
        let user = sim.node("user", |boot: Boot| {
            let Some(Endpoint::Tcp(at)) = boot.tcp("web", 80) else {
                panic!("a node has an address");
            };
            let mut doist = Doist::new(App::new(format!("http://{at}")));
            asking(&mut doist);
            doist
        });
        sim.run_until(Tyme::from_secs(60)).unwrap();
        all_there(sim.app::<App>(user).unwrap());
        assert_eq!(sim.sockets(user).len(), 0, "the idle connection is gone");
        sim.trace_hash()
    };
    for seed in 0..10 {
        assert_eq!(run(seed), run(seed));
    }
    assert_ne!(run(1), run(2));
}
