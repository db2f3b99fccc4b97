//! calloop owns the poll: a Doist is one of its sources, beside calloop's own timers and sockets.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use calloop::generic::Generic;
use calloop::timer::{TimeoutAction, Timer};
use calloop::{Dispatcher, EventLoop, Interest, LoopHandle, LoopSignal, Mode, PostAction};
use hio::doers::{EchoServerDoer, SignalDoer};
use hio::doing::prelude::*;
use hio::doing::{Advance, Step};
use hio::link::{Limits, Server};
use hio::net::{Endpoint, ListenOptions, MioNet};

use super::common::{self, content, say};
use super::source::{DoistSource, Inside};

/// What calloop lends to its callbacks.
struct Host {
    signal: LoopSignal,
    /// Steps of the Doist, and how it ended.
    steps: u64,
    ended: Option<Outcome>,
    /// The message in flight, and what came of it so far.
    sent: [u8; 64],
    got: Vec<u8>,
    number: u64,
    answered: u64,
    wrong: Option<String>,
    /// The server has closed the connection, as it does when a signal ends it.
    gone: bool,
}

/// Beats of a doer that has nothing to do with sockets.
pub(crate) type Beats = u64;
const BEAT: Duration = Duration::from_millis(50);
/// How often the client of calloop's says something.
const TALK: Duration = Duration::from_millis(5);

/// Runs for so long: `Limit`. Otherwise a signal has ended it.
pub(crate) fn run(secs: Duration) -> Result<Outcome, Fault> {
    let (doist, net, at) = entered()?;
    let mut events: EventLoop<'_, Host> = EventLoop::try_new()?;
    let handle = events.handle();
    let source = Dispatcher::new(DoistSource::new(doist, net)?, stepped);
    let registered = handle.register_dispatcher(source.clone())?;
    let mut host = Host {
        signal: events.get_signal(),
        steps: 0,
        ended: None,
        sent: [0; 64],
        got: Vec::new(),
        number: 0,
        answered: 0,
        wrong: None,
        gone: false,
    };
    talk(&handle, TcpStream::connect(at)?)?;
    handle
        .insert_source(Timer::from_duration(secs), |_, (), host| {
            host.signal.stop();
            TimeoutAction::Drop
        })
        .map_err(|why| why.error)?;
    events.run(None, &mut host, |_| {})?;

    handle.remove(registered);
    drop(events); // with it goes what else holds the source
    let Inside { mut doist, mut net } = source.into_source_inner().into_inside();
    let (tyme, beats) = (doist.tyme(), doist.app);
    doist.exit(&mut net)?;
    let Host {
        steps,
        answered,
        wrong,
        ..
    } = host;
    say(format_args!(
        "calloop outside: {answered} echoes verified, {beats} beats, {steps} steps"
    ))?;
    if let Some(why) = wrong {
        return Err(Fault::msg(why));
    }
    if host.gone && host.ended.is_none() {
        return Err(Fault::msg("the server has gone"));
    }
    let expected = tyme.as_nanos() / u64::try_from(BEAT.as_nanos())?;
    if beats < expected || beats > expected + 1 {
        let why = format!("{beats} beats in {tyme}, not {expected}");
        return Err(Fault::msg(why));
    }
    // In a tenth of a second it speaks twenty times; in a thousandth it may not speak at all.
    if host.ended.is_none() && answered == 0 && secs >= Duration::from_millis(100) {
        return Err(Fault::msg("no echo came"));
    }
    // A step for what a message, a beat or the end of a pause brings, and a few for the rest.
    if steps > 4 * (answered + beats) + 100 {
        return Err(Fault::msg(format!("{steps} steps: it spins")));
    }
    Ok(host.ended.unwrap_or(Outcome::Limit))
}

/// It on a net, listening, and where.
fn entered() -> Result<(Doist<Beats>, MioNet, std::net::SocketAddr), Fault> {
    let mut net = MioNet::new()?;
    let (mut doist, echo) = doist(Endpoint::host("127.0.0.1", 0));
    doist.add(SignalDoer::new(&mut net)?);
    doist.enter(&mut net)?;
    let at = doist.get(echo).map(|echo| echo.server().eha());
    let at = at.ok_or_else(|| Fault::msg("no server"))?;
    say(format_args!("listening on {}", common::plain(&at)))?;
    let at = at.addr().ok_or_else(|| Fault::msg("it listens nowhere"))?;
    Ok((doist, net, at))
}

/// An echo server and a heart.
pub(crate) fn doist(at: Endpoint) -> (Doist<Beats>, Id<EchoServerDoer>) {
    let mut doist = Doist::new(0).with_tock(Duration::from_millis(1));
    let server = Server::new(at, ListenOptions::default(), Limits::default());
    let echo = doist.add(EchoServerDoer::new(server));
    doist.add(doify(|_tyme, cx: &mut Cx<'_, Beats>| {
        *cx.app += 1;
        Ok(After(BEAT))
    }));
    (doist, echo)
}

/// What calloop does after each step of the Doist.
fn stepped(advance: Advance, _inside: &mut Inside<Beats>, host: &mut Host) {
    host.steps += 1;
    if let Step::Ended(outcome) = advance.step {
        host.ended = Some(outcome);
        host.signal.stop();
    }
}

/// A client of calloop's own: a timer that speaks, a socket that is listened to.
fn talk(handle: &LoopHandle<'_, Host>, stream: TcpStream) -> Result<(), Fault> {
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    let mut speaker = stream.try_clone()?;
    let timer = Timer::from_duration(TALK);
    let spoken = handle.insert_source(timer, move |_, (), host: &mut Host| {
        if host.gone {
            return TimeoutAction::Drop;
        }
        if host.got.is_empty() {
            host.number += 1;
            content(0, host.number, &mut host.sent);
            host.got = Vec::with_capacity(64);
            host.gone = speaker.write_all(&host.sent).is_err();
        }
        TimeoutAction::ToDuration(TALK)
    });
    spoken.map_err(|why| why.error)?;
    let socket = Generic::new(stream, Interest::READ, Mode::Level);
    let heard = handle.insert_source(socket, |_, stream, host: &mut Host| {
        host.hear(stream);
        Ok(match host.gone {
            true => PostAction::Remove,
            false => PostAction::Continue,
        })
    });
    heard.map_err(|why| why.error)?;
    Ok(())
}

impl Host {
    fn hear(&mut self, mut stream: &TcpStream) {
        let mut bytes = [0; 64];
        match stream.read(&mut bytes) {
            Ok(0) => self.gone = true,
            Ok(n) => self.got.extend_from_slice(&bytes[..n]),
            Err(e) if e.kind() == ErrorKind::WouldBlock => {}
            Err(_) => self.gone = true,
        }
        if self.got.len() < self.sent.len() {
            return;
        }
        match self.got == self.sent {
            true => self.answered += 1,
            false => self.fail("an echo differs from what was sent".to_owned()),
        }
        self.got.clear();
    }

    fn fail(&mut self, why: String) {
        self.wrong.get_or_insert(why);
        self.signal.stop();
    }
}
