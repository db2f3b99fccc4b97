//! Goal: HTTP over TLS keeps to names and client certificates, whatever is dialled, and to its deadlines.
//! Method: a pool's `Dialling` with and without what the server demands, over sockets and in memory.

#![cfg(all(feature = "http", any(feature = "tls", feature = "aws-lc-rs")))]

mod support;

use hio::link::tls::ServerTls;
use hio::link::{Limits, Server};
use hio::net::{ListenOptions, Owner};
use hio::proto::http::{
    Answer, Ask, AskError, AskEvent, Dialling, Failure, HttpClient, HttpServer, PoolLimits,
    Request, RequestId, Response,
};
use support::pki::Pki;
use support::{World, everywhere, ms};

type Outcome = Result<String, AskError>;

fn server(world: &mut World, tls: ServerTls) -> HttpServer {
    let at = world.at.clone();
    let links = Server::new(at, ListenOptions::default(), Limits::default()).with_tls(tls);
    let mut server = HttpServer::over(links);
    server
        .open(world.net.as_mut(), Owner::NONE)
        .expect("an address");
    server
}

/// Asks a URL of that host, by whatever the dialling says.
fn ask(world: &mut World, server: &mut HttpServer, dialling: Dialling, url: &str) -> Outcome {
    let mut client = HttpClient::new(
        Dialling {
            instead: Some(server.server().eha()),
            ..dialling
        },
        PoolLimits::default(),
    );
    client.open(Owner::NONE);
    let url = url.parse().expect("a URL");
    client.ask(world.net.now(), Ask::get(url).within(ms(5000)));
    let mut outcome = None;
    world.until("an outcome", |tyme, net| {
        let mut hello = |_: RequestId, request: Request| {
            let host = request.head.headers["host"]
                .to_str()
                .expect("text")
                .to_owned();
            Answer::Now(Response::ok("text/plain", host))
        };
        server.service(tyme, net, &mut hello).expect("a listener");
        client.service(tyme, net);
        for event in client.events() {
            if let AskEvent::Done(_, done) = event {
                outcome = Some(done);
            }
        }
        outcome.is_some()
    });
    client.close(world.net.as_mut());
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    outcome
        .expect("it is there")
        .map(|response| text(response.body))
}

fn failed(outcome: &Outcome) -> bool {
    matches!(outcome, Err(AskError::Failed { .. }))
}

#[test]
fn c_the_name_of_the_url_counts_whatever_is_dialled() {
    let pki = Pki::new();
    everywhere(|world| {
        let mut server = server(world, pki.server.server().build().expect("good files"));
        let with = |tls| Dialling {
            tls,
            ..Dialling::default()
        };
        let trusting = pki.trusting().build().expect("a root");
        let good = ask(
            world,
            &mut server,
            with(Some(trusting.clone())),
            "https://localhost:1/",
        );
        assert_eq!(good.as_deref(), Ok("localhost:1"));
        let other = ask(world, &mut server, with(Some(trusting)), "https://other/");
        assert!(failed(&other), "{other:?}");
        let none = ask(world, &mut server, with(None), "https://localhost/");
        let no_tls = matches!(
            &none,
            Err(AskError::Failed {
                cause: Failure::NoTls,
                ..
            })
        );
        assert!(no_tls, "{none:?}");
        server.close(world.net.as_mut());
    });
}

#[test]
fn c_a_client_shows_its_certificate_where_it_is_demanded() {
    let pki = Pki::new();
    everywhere(|world| {
        let demanding = pki.server.server().client_ca(pki.ca.as_bytes());
        let mut server = server(world, demanding.build().expect("good files"));
        let with = |tls| Dialling {
            tls: Some(tls),
            ..Dialling::default()
        };
        let url = "https://localhost/";
        let shown = with(pki.client.client(&pki.ca).build().expect("good files"));
        let good = ask(world, &mut server, shown, url);
        assert_eq!(good.as_deref(), Ok("localhost"));
        let without = with(pki.trusting().build().expect("a root"));
        let refused = ask(world, &mut server, without, url);
        assert!(failed(&refused), "{refused:?}");
        server.close(world.net.as_mut());
    });
}
