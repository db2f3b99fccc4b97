//! The examples with a loop of their own, or with threads: what they put into their Doists, and
//! those who talk to it, in a simulated world instead of on their clock.

use std::cell::{Cell, RefCell};
use std::io::Write;
use std::time::Duration;

use hio::crew::Mailbox;
use hio::doing::prelude::*;
use hio::link::{Limits, Server};
use hio::net::{Endpoint, ListenOptions, Net};
use hio::sim::{NodeId, tls};

use super::failing::{Call, Program};
use super::programs::{EVERYBODY, args, reached};
use super::whole::{Example, Out, Turns};
use super::{crew, echo_client, game_loop};

/// Three connections of the example's client; each sends three messages of 2 000 bytes.
fn echoes(net: &mut dyn Net, mut out: Out, secure: bool) -> Result<(), Fault> {
    let line = "--addr server.sim:5000 --conns 3 --count 3 --size 2000";
    let mut options = echo_client::options(args(line)).expect("good");
    options.tls = secure.then(|| tls::client().build().expect("certificates"));
    echo_client::call(options, net, &mut out)
}

fn all_echoed(text: &str) -> bool {
    text.starts_with("{\"messages\":9,\"bytes\":18000,\"mismatches\":0,\"lost\":0,")
}

/// A member of a crew; with `by_hand` the acceptor, too, on the same node.
fn member(node: NodeId, by_hand: bool, tally: crew::Served) -> Box<dyn Turns> {
    Box::new(Program::new(node, move || {
        let line = "--addr 0.0.0.0:5000 --size 100 --rounds 1";
        let line = if by_hand {
            format!("{line} --by-hand")
        } else {
            line.to_owned()
        };
        let options = crew::options(args(&line)).expect("good");
        let (mailbox, ready) = (Mailbox::new(2), Mailbox::new(2));
        let mut doist = Doist::new(());
        crew::serves(&mut doist, &options, &mailbox, &tally, ready.post());
        if by_hand {
            crew::accepts(&mut doist, &options, &[mailbox.post()], ready.post());
        }
        doist
    }))
}

#[test]
fn a2_crew() {
    for by_hand in [false, true] {
        let tally: RefCell<crew::Served> = RefCell::default();
        let example = Example {
            name: if by_hand { "crew --by-hand" } else { "crew" },
            server: &|node| {
                tally.take();
                member(node, by_hand, tally.borrow().clone())
            },
            client: &|net: &mut dyn Net, out: Out| echoes(net, out, false),
            // What came back was hashed, message by message.
            whole: &|text| all_echoed(text) && tally.borrow().lock().expect("no panic").0 >= 180,
        };
        let counts = example.torture();
        reached(&counts, &EVERYBODY);
        reached(&counts, &[Call::Resolve]);
    }
}

/// Players who come together.
const PARTY: usize = 2;

fn arena(node: NodeId, secure: bool) -> Box<dyn Turns> {
    Box::new(Program::new(node, move || {
        let at = Endpoint::host("0.0.0.0", 7000);
        let mut server = Server::new(at, ListenOptions::default(), Limits::default());
        if secure {
            server.set_tls(Some(tls::server().build().expect("certificates")));
        }
        // No more than three parties come; who has been there keeps its place on the field.
        game_loop::doist(server, 3 * PARTY)
    }))
}

/// A party plays for a while: whoever is lost is a reason to complain, as in the example.
fn play(party: usize, secure: bool, net: &mut dyn Net, mut out: Out) -> Result<(), Fault> {
    let at = Endpoint::host("server.sim", 7000);
    let tls = secure.then(|| tls::client().build().expect("certificates"));
    let which = party * PARTY..(party + 1) * PARTY;
    let players = game_loop::peers::players(which, &at, tls.as_ref(), game_loop::FRAME);
    let mut players = players.with_limit(Duration::from_millis(250));
    let outcome = players.run(net)?;
    let tally = &players.app;
    assert_eq!(tally.mismatches, 0, "whatever fails, nobody is told wrong");
    if tally.lost > 0 {
        return Err(Fault::msg(format!("{} players lost", tally.lost)));
    }
    assert_eq!(outcome, Outcome::Limit, "they play on");
    Ok(write!(out, "{}", tally.answers)?)
}

#[test]
fn a2_game_loop() {
    for secure in [false, true] {
        let party = Cell::new(0);
        let example = Example {
            name: "game_loop",
            server: &|node| {
                party.set(0);
                arena(node, secure)
            },
            client: &|net: &mut dyn Net, out: Out| {
                play(party.replace(party.get() + 1), secure, net, out)
            },
            // A frame each in 250 ms, but for a moment in which nobody could be accepted.
            whole: &|text| {
                text.parse()
                    .is_ok_and(|answers: usize| answers >= PARTY * 8)
            },
        };
        let counts = example.torture();
        reached(&counts, &EVERYBODY);
        reached(&counts, &[Call::Resolve]);
    }
}

#[cfg(target_os = "linux")]
mod on_linux {
    //! The examples that are built on Linux only.

    use hio::link::Client;
    use hio::net::{ConnectOptions, NetError};

    use super::super::control_loop::operator::Check;
    use super::super::control_loop::rig::STATE;
    use super::super::failing::Plan;
    use super::super::whole::{Blocking, world};
    use super::super::{control_loop, foreign_loop};
    use super::*;

    /// The operator on a net: sets targets, and verifies so many states.
    struct Operator {
        client: Client,
        told: bool,
        wants: u64,
    }

    impl Doer<Check> for Operator {
        fn enter(&mut self, cx: &mut Cx<'_, Check>) -> Result<Next, Fault> {
            self.client.open(cx.tyme(), cx.net, cx.ask.owner())?;
            Ok(Park(Tyme::ZERO))
        }

        fn recur(&mut self, tyme: Tyme, cx: &mut Cx<'_, Check>) -> Result<Next, Fault> {
            self.client.service(tyme, cx.net);
            let mut aims = self.client.connected() && !std::mem::replace(&mut self.told, true);
            while let Some((state, _)) = self.client.rx().split_first_chunk::<STATE>() {
                aims |= cx.app.hear(state);
                self.client.consume(STATE);
            }
            if cx.app.seen.states >= self.wants {
                return Ok(Done(true));
            }
            if self.client.closed().is_some() || self.client.cutoff() {
                return Err(Fault::msg("the line was cut"));
            }
            if aims {
                self.client.tx(&cx.app.target())?;
                self.client.service_sends(tyme, cx.net);
            }
            Ok(Park(self.client.due(tyme)))
        }

        fn exit(&mut self, cx: &mut Cx<'_, Check>) {
            self.client.close(cx.net);
        }
    }

    /// Verifies so many states; writes how many targets were reached, and how many states it heard.
    fn operate(wants: u64, net: &mut dyn Net, mut out: Out) -> Result<(), Fault> {
        let at = Endpoint::host("server.sim", 7000);
        let client = Client::new(at, ConnectOptions::default(), Limits::default());
        let mut doist = Doist::new(Check::new()).with_limit(Duration::from_secs(10));
        doist.add(Operator {
            client,
            told: false,
            wants,
        });
        let outcome = doist.run(net)?;
        let seen = &doist.app.seen;
        assert_eq!(seen.wrong, None, "whatever fails, nothing wrong is told");
        match outcome {
            Outcome::Done => Ok(write!(out, "{} {}", seen.reached, seen.states)?),
            other => Err(Fault::msg(format!("{other:?}: {} states", seen.states))),
        }
    }

    fn rig(node: NodeId) -> Box<dyn Turns> {
        Box::new(Program::new(node, || {
            control_loop::doist(Endpoint::host("0.0.0.0", 7000), Duration::ZERO)
        }))
    }

    #[test]
    fn a2_control_loop() {
        let example = Example {
            name: "control_loop",
            server: &rig,
            // A few: its loop runs a thousand times a second.
            client: &|net: &mut dyn Net, out: Out| operate(3, net, out),
            whole: &|text| text == "0 3",
        };
        let counts = example.torture();
        reached(&counts, &EVERYBODY);
        reached(&counts, &[Call::Resolve]);
    }

    #[test]
    fn an_operator_of_the_control_loop_sees_its_targets_reached() {
        let (mut sim, server, client) = world();
        let plan = Plan::new(Call::Read, NetError::Reset, usize::MAX);
        let (mut rigs, out) = ([rig(server)], Out::default());
        let mut net = Blocking::new(&mut sim, client, &plan, &mut rigs);
        operate(160, &mut net, out.clone()).expect("nothing fails");
        assert_eq!(out.text(), "2 160");
        rigs[0].end(&mut sim, &plan);
    }

    #[test]
    fn a2_foreign_loop() {
        let example = Example {
            name: "foreign_loop",
            server: &|node| {
                Box::new(Program::new(node, || {
                    foreign_loop::inside::doist(Endpoint::host("0.0.0.0", 5000)).0
                }))
            },
            client: &|net: &mut dyn Net, out: Out| echoes(net, out, false),
            whole: &all_echoed,
        };
        let counts = example.torture();
        reached(&counts, &EVERYBODY);
        reached(&counts, &[Call::Resolve]);
    }
}
