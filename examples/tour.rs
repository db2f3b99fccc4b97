//! Seven seconds of everything at once: servers, clients, a link that is cut, a doer that fails; then
//! the same doers in a simulated world.
//!
//! ```text
//! cargo run --release --example tour
//! ```
//!
//! One thread and one Doist run four echo servers and seven clients over loopback TCP, a Unix
//! socket and TLS, whose certificate is made on the spot. `cast.rs` has the doers, `screen.rs` the
//! table that is drawn of them; this file puts them together and steps them, as a game or a control
//! loop would, so that it can look inside between two steps. `world.rs` then runs them in a simulation
//! with a partition and a crash, and writes a page with its diagram.

#[path = "tour/cast.rs"]
mod cast;
#[path = "tour/screen.rs"]
mod screen;
#[path = "tour/world.rs"]
mod world;

use std::process::ExitCode;
use std::time::Duration;

use cast::{App, Clumsy, Flaky, Pace, Pinger};
use hio::doers::EchoServerDoer;
use hio::doing::prelude::{Doist, Fault, Net, Outcome};
use hio::doing::{Restarts, Step};
use hio::link::tls::{ClientTls, ServerTls};
use hio::link::{Limits, Server};
use hio::net::{Endpoint, ListenOptions, MioNet};
use screen::Screen;

/// How long the tour takes.
const LENGTH: Duration = Duration::from_millis(7_000);
/// Time between two pictures.
const FRAME: Duration = Duration::from_millis(100);

const HELP: &str = "\
Shows doers, links, a cut and a restart for seven seconds, then the same doers in a simulated
world, whose diagram it writes to a page. Takes no arguments.

    tour

On a terminal it draws a table, else a line each second. NO_COLOR=1 leaves the colours out.";

fn main() -> ExitCode {
    env_logger::init();
    match std::env::args().nth(1).as_deref() {
        None => {}
        Some("-h" | "--help") => {
            screen::show(&format!("{HELP}\n"));
            return ExitCode::SUCCESS;
        }
        Some(other) => {
            eprintln!("tour: takes no arguments, not {other:?}\n\n{HELP}");
            return ExitCode::from(2);
        }
    }
    match tour().and_then(|()| simulated()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("tour: {fault}");
            ExitCode::FAILURE
        }
    }
}

fn tour() -> Result<(), Fault> {
    let path = std::env::temp_dir().join(format!("hio-tour-{}.sock", std::process::id()));
    let mut net = MioNet::new()?;
    let mut doist = Doist::new(App::default())
        .with_tock(Duration::from_millis(10))
        .with_limit(LENGTH);
    doist.measure();
    doist.supervise(Restarts::new(3, Duration::from_secs(10)).policy());

    let local = Endpoint::host("127.0.0.1", 0);
    let tcp = doist.named("echo/tcp").add(echo(local.clone()));
    let unix = doist.named("echo/unix").add(echo(Endpoint::unix(&path)));
    let (server_tls, client_tls) = tls()?;
    let secure = Server::new(local.clone(), ListenOptions::default(), Limits::default());
    let secure = EchoServerDoer::new(secure.with_tls(server_tls));
    let secure = doist.named("echo/tls").add(secure);
    let flaky = doist.named("echo/flaky").add(Flaky::new(local));
    doist.named("clumsy").add(Clumsy::default());
    doist.enter(&mut net)?;

    // They listen: now it is known where, and the clients can dial.
    let at = |doist: &Doist<App>, id| doist.get(id).map(|d: &EchoServerDoer| d.server().eha());
    let tcp = at(&doist, tcp).ok_or_else(|| Fault::msg("no server"))?;
    let unix = at(&doist, unix).ok_or_else(|| Fault::msg("no server"))?;
    let secure = at(&doist, secure).ok_or_else(|| Fault::msg("no server"))?;
    let flaky = doist.get(flaky).map(|f| f.server().eha());
    let flaky = flaky.ok_or_else(|| Fault::msg("no server"))?;
    for (name, to, pace) in [
        ("ann", &tcp, Pace::Rush { size: 64 }),
        ("bob", &unix, Pace::Rush { size: 64 }),
        ("cat", &tcp, Pace::Rush { size: 64 << 10 }),
        ("dan", &tcp, Pace::Every(Duration::from_millis(250))),
        ("eve", &flaky, Pace::Every(Duration::from_millis(20))),
        ("idle", &tcp, Pace::Once),
    ] {
        let pinger = Pinger::new(&mut doist.app, name, to, pace);
        doist.named(name).add(pinger);
    }
    let rush = Pace::Rush { size: 64 };
    let fay =
        Pinger::new(&mut doist.app, "fay", &secure, rush).with_tls(&mut doist.app, client_tls);
    doist.named("fay").add(fay);
    play(&mut doist, &mut net)
}

/// The same doers where nothing is real, and everything repeats.
fn simulated() -> Result<(), Fault> {
    let world = world::run()?;
    screen::world(&world);
    Ok(())
}

/// A certificate that lives as long as this program, for both ends.
fn tls() -> Result<(ServerTls, ClientTls), Fault> {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
    let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let server = ServerTls::builder()
        .certificate(certificate.as_bytes())
        .key(key.as_bytes())
        .build()?;
    let client = ClientTls::builder().ca(certificate.as_bytes()).build()?;
    Ok((server, client))
}

fn echo(at: Endpoint) -> EchoServerDoer {
    EchoServerDoer::new(Server::new(at, ListenOptions::default(), Limits::default()))
}

/// The loop: step, draw, sleep until something is due or ready.
fn play(doist: &mut Doist<App>, net: &mut MioNet) -> Result<(), Fault> {
    let mut screen = Screen::new();
    let start = net.now();
    let (mut last, mut frame) = (start, start);
    loop {
        let now = net.now();
        let step = doist.advance(net, now - last)?.step;
        last = now;
        if now >= frame {
            screen.draw(now - start, &doist.listing(), &mut doist.app);
            frame = now + FRAME;
        }
        if let Step::Ended(outcome) = step {
            assert_eq!(outcome, Outcome::Limit, "only its time ends the tour");
            screen.summary(&doist.app);
            return Ok(());
        }
        let due = doist.slack().map_or(frame, |slack| now + slack);
        net.poll(due.min(frame))?;
    }
}
