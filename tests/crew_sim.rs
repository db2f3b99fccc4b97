//! Goal: the same crew runs in a simulation, deterministically, with the same results as on threads:
//! mail, shared ports, connections handed over, failures, stops, and faults from outside.
//! Method: one program, built by the same functions for both worlds; hashes of two runs are compared.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hio::crew::{
    AcceptorDoer, Crew, CrewError, Enlisted, Handed, HandedDoer, Left, MailDoer, Mailbox, OnFailure,
};
use hio::doers::EachServerDoer;
use hio::doing::prelude::*;
use hio::link::{Client, Limits, Remoter, Server};
use hio::net::{ConnectOptions, Endpoint, ListenOptions, MioNet, Net, TraceHash};
use hio::sim::{Fault as SimFault, FaultPlan, NodeState, Sim};

const PORT: u16 = 7000;

/// Sums of squares, computed by two workers and collected by a third member.
fn squares(told: &Arc<Mutex<Vec<u64>>>) -> Crew {
    let results: Mailbox<u64> = Mailbox::new(2);
    let jobs: Vec<Mailbox<u64>> = (0..2).map(|_| Mailbox::new(2)).collect();
    let posts: Vec<_> = jobs.iter().map(Mailbox::post).collect();
    let back = results.post();
    let told = Arc::clone(told);
    let mut crew = Crew::new().member("collector", move |_| {
        let mut doist = Doist::new(());
        let told = Arc::clone(&told);
        doist.add(MailDoer::new(results.clone(), move |n, _: &mut Cx<'_>| {
            told.lock().expect("no panic under it").push(n);
            Ok(())
        }));
        Ok(doist)
    });
    for (mailbox, name) in jobs.into_iter().zip(["worker-0", "worker-1"]) {
        let back = back.clone();
        crew = crew.member(name, move |_| {
            let (mut mailbox, mut back, mut held) = (mailbox.clone(), back.clone(), None);
            let mut opened = false;
            let mut doist = Doist::new(());
            doist.add(doify(move |_, cx: &mut Cx<'_>| {
                if !std::mem::replace(&mut opened, true) {
                    mailbox.open(cx.net, cx.ask.owner())?;
                    back.open(cx.net, cx.ask.owner())?;
                }
                loop {
                    let next = held.take().or_else(|| mailbox.take(cx.net).map(|n| n * n));
                    let Some(square) = next else { break };
                    if let Err(refused) = back.send(cx.net, square) {
                        mailbox.leave(cx.net);
                        held = Some(refused.into_inner());
                        return Ok(Park(Tyme::NEVER));
                    }
                }
                back.forget(cx.net);
                Ok(match mailbox.is_over() {
                    true => Done(true),
                    false => Park(Tyme::NEVER),
                })
            }));
            Ok(doist)
        });
    }
    drop(back);
    crew.member("source", move |_| {
        let (mut posts, mut next, mut opened) = (posts.clone(), 0usize, false);
        let mut doist = Doist::new(());
        doist.add(doify(move |_, cx: &mut Cx<'_>| {
            if !std::mem::replace(&mut opened, true) {
                for post in &mut posts {
                    post.open(cx.net, cx.ask.owner())?;
                }
            }
            while next < 50 {
                let to = &mut posts[next % 2];
                if to.send(cx.net, next as u64).is_err() {
                    return Ok(Park(Tyme::NEVER));
                }
                next += 1;
            }
            Ok(Done(true))
        }));
        Ok(doist)
    })
}

#[test]
fn the_same_crew_gives_the_same_results_on_threads_and_in_simulation() {
    let wanted: Vec<u64> = (0..50).map(|n| n * n).collect();
    let told = Arc::default();
    let report = squares(&told).run().expect("threads");
    assert!(report.is_well(), "{report}");
    let mut real = told.lock().expect("it").clone();
    real.sort_unstable();
    assert_eq!(real, wanted);

    let run = |seed| {
        let (told, mut sim) = (Arc::default(), Sim::new(seed));
        let crew = squares(&told).enlist(&mut sim).expect("good names");
        let over = sim
            .run_to(Tyme::from_secs(10), |_| crew.is_over())
            .expect("it runs");
        assert!(over, "{:?}", crew.report());
        let report = crew.report();
        assert!(report.is_well(), "{report}");
        (
            told.lock().expect("it").clone(),
            sim.trace_hash(),
            sim.tyme(),
        )
    };
    let (first, hash, tyme) = run(3);
    assert_eq!(
        run(3),
        (first.clone(), hash, tyme),
        "and each run is the same, order included"
    );
    assert!(
        tyme < Tyme::from_secs(1),
        "{tyme}: mail wakes, nobody waits for ticks"
    );
    let mut sorted = first;
    sorted.sort_unstable();
    assert_eq!(sorted, wanted);
}

#[test]
fn mail_takes_its_time_and_never_arrives_before_it_was_sent() {
    let mailbox = Mailbox::new(8);
    let (post, _more_may_come) = (mailbox.post(), mailbox.post());
    let mut sim = Sim::new(1);
    // The receiver runs after the sender in each step: it would see it at once.
    let crew = Crew::new()
        .member("sender", move |_| {
            let mut post = post.clone();
            let mut doist = Doist::new(());
            doist.add(doify(move |_, cx: &mut Cx<'_>| {
                let sent = cx.net.wall();
                Ok(Done(post.send(cx.net, sent).is_ok()))
            }));
            Ok(doist)
        })
        .member("receiver", move |_| {
            let mut doist = Doist::new(Vec::new());
            let each = |sent: Duration, cx: &mut Cx<'_, Vec<Duration>>| {
                let late = cx.net.wall() - sent;
                cx.app.push(late);
                Ok(())
            };
            doist.add(MailDoer::new(mailbox.clone(), each));
            Ok(doist)
        });
    let crew = crew.enlist(&mut sim).expect("good names");
    sim.run_until(Tyme::from_secs(1)).expect("it runs");
    let late = sim.app::<Vec<Duration>>(crew.nodes()[1]).expect("its app");
    assert_eq!(late[..], [Duration::from_micros(10)]);
}

/// Servers on one port of the machine, each answering with its name; or an acceptor and servers.
fn servers(by_hand: bool) -> Crew {
    let answer = |name: &str| {
        let name = name.to_owned();
        move |ix: &mut Remoter| {
            while ix.rx().len() >= 4 {
                ix.consume(4);
                ix.tx(name.as_bytes()).expect("room");
            }
        }
    };
    let at = Endpoint::host("0.0.0.0", PORT);
    let options = ListenOptions {
        reuse_port: true,
        ..ListenOptions::default()
    };
    let mut crew = Crew::new().on_failure(OnFailure::Restart {
        most: 100,
        within: Duration::from_secs(1),
    });
    let boxes: Vec<Mailbox<Handed>> = (0..2).map(|_| Mailbox::new(4)).collect();
    let posts: Vec<_> = boxes.iter().map(Mailbox::post).collect();
    for (mailbox, name) in boxes.into_iter().zip(["member-0", "member-1"]) {
        let (at, options) = (at.clone(), options.clone());
        crew = crew.member(name, move |seat| {
            let server = Server::new(at.clone(), options.clone(), Limits::default());
            let mut doist = Doist::new(());
            match by_hand {
                true => {
                    doist.add(HandedDoer::new(server, mailbox.clone(), answer(seat.name)));
                }
                false => {
                    doist.add(EachServerDoer::new(server, answer(seat.name)));
                }
            }
            Ok(doist)
        });
    }
    if by_hand {
        crew = crew.member("acceptor", move |_| {
            let mut doist = Doist::new(());
            doist.add(AcceptorDoer::new(
                at.clone(),
                options.clone(),
                posts.clone(),
            ));
            Ok(doist)
        });
    }
    crew
}

/// A client of a node of its own: asks and asks again, and notes who answered, and what broke.
#[derive(Default)]
struct Asked {
    answers: Vec<String>,
    closed: usize,
}

struct Asks {
    client: Client,
    asked: usize,
    count: usize,
    /// So many questions go out at once.
    burst: usize,
}

impl Doer<Asked> for Asks {
    fn enter(&mut self, cx: &mut Cx<'_, Asked>) -> Result<Next, Fault> {
        let owner = cx.ask.owner();
        self.client.open(cx.tyme(), cx.net, owner)?;
        // The request is there before the connection is accepted, and goes with it.
        self.client.tx(&b"who?".repeat(self.burst))?;
        self.asked = self.burst;
        Ok(Park(Tyme::ZERO))
    }
    fn recur(&mut self, tyme: Tyme, cx: &mut Cx<'_, Asked>) -> Result<Next, Fault> {
        self.client.service(tyme, cx.net);
        while self.client.rx().len() >= 8 {
            let name = String::from_utf8_lossy(&self.client.rx()[..8]).into_owned();
            self.client.consume(8);
            cx.app.answers.push(name);
            if self.asked < self.count {
                self.client.tx(b"who?")?;
                self.asked += 1;
                self.client.service(tyme, cx.net);
            }
        }
        if cx.app.answers.len() == self.count {
            return Ok(Done(true));
        }
        if self.client.closed().is_some() {
            cx.app.closed += 1;
            return Ok(Done(false));
        }
        Ok(Park(self.client.due(tyme)))
    }
    fn exit(&mut self, cx: &mut Cx<'_, Asked>) {
        self.client.close(cx.net);
    }
}

fn asks(at: Endpoint, count: usize) -> Doist<Asked> {
    asks_at_once(at, count, 1)
}

fn asks_at_once(at: Endpoint, count: usize, burst: usize) -> Doist<Asked> {
    let client = Client::new(at, ConnectOptions::default(), Limits::default());
    let mut doist = Doist::new(Asked::default());
    doist.add(Asks {
        client,
        asked: 0,
        count,
        burst,
    });
    doist
}

fn clients(sim: &mut Sim, clients: usize, count: usize) -> Vec<hio::sim::NodeId> {
    let nodes = (0..clients).map(|n| {
        sim.node(&format!("client-{n}"), move |boot| {
            asks(boot.tcp("member-0", PORT).expect("its address"), count)
        })
    });
    nodes.collect()
}

#[test]
fn a_port_is_shared_or_connections_are_handed_over_evenly_and_repeatably() {
    for by_hand in [false, true] {
        let run = |trace: bool| -> (Vec<String>, TraceHash, String) {
            let mut sim = if trace {
                Sim::new(9).with_trace()
            } else {
                Sim::new(9)
            };
            let crew = servers(by_hand).enlist(&mut sim).expect("good names");
            let nodes = clients(&mut sim, 10, 3);
            sim.run_until(Tyme::from_secs(5)).expect("it runs");
            let mut all = Vec::new();
            for node in nodes {
                let asked = sim.app::<Asked>(node).expect("its app");
                assert_eq!(
                    (asked.answers.len(), asked.closed),
                    (3, 0),
                    "by hand: {by_hand}"
                );
                assert!(
                    asked.answers.iter().all(|a| *a == asked.answers[0]),
                    "one connection"
                );
                all.push(asked.answers[0].clone());
            }
            crew.handle().stop();
            sim.run_for(Duration::from_secs(1)).expect("it runs");
            let report = crew.report();
            assert!(report.is_well(), "{report}");
            (all, sim.trace_hash(), sim.trace().text().to_owned())
        };
        let (answers, hash, text) = run(true);
        let ones = answers.iter().filter(|a| *a == "member-0").count();
        assert_eq!((answers.len(), ones), (10, 5), "{answers:?}");
        let again = run(false);
        assert_eq!((&again.0, again.1), (&answers, hash));
        assert_eq!(text.contains("\"event\":\"take-in\""), by_hand);
    }
}

#[test]
fn the_same_servers_serve_real_sockets() {
    // The same doers, on threads; the port is the system's choice, for each world has its own.
    let boxes: Vec<Mailbox<Handed>> = vec![Mailbox::new(4)];
    let posts: Vec<_> = boxes.iter().map(Mailbox::post).collect();
    let (tell, told) = std::sync::mpsc::channel();
    let mut crew = Crew::new().member("acceptor", move |_| {
        let (tell, at) = (tell.clone(), Endpoint::host("127.0.0.1", 0));
        let mut doist = Doist::new(());
        let doer = AcceptorDoer::new(at, ListenOptions::default(), posts.clone());
        doist.add(doer.on_open(move |at| drop(tell.send(at.clone()))));
        Ok(doist)
    });
    for mailbox in boxes {
        crew = crew.member("member-0", move |seat| {
            let server = Server::new(
                Endpoint::Unnamed,
                ListenOptions::default(),
                Limits::default(),
            );
            let name = seat.name.to_owned();
            let mut doist = Doist::new(());
            doist.add(HandedDoer::new(
                server,
                mailbox.clone(),
                move |ix: &mut Remoter| {
                    if ix.rx().len() >= 4 {
                        ix.consume(4);
                        ix.tx(name.as_bytes()).expect("room");
                    }
                },
            ));
            Ok(doist)
        });
    }
    let running = crew.start().expect("threads");
    let at = told
        .recv_timeout(Duration::from_secs(20))
        .expect("it listens");
    let mut doist = asks(at, 3).with_limit(Duration::from_secs(20));
    doist
        .run(&mut MioNet::new().expect("a net"))
        .expect("it runs");
    assert_eq!(doist.app.answers, ["member-0"; 3]);
    assert!(running.stop().is_well());
}

#[test]
fn members_share_an_address_and_its_ports() {
    let tried = Arc::new(Mutex::new(Vec::new()));
    let mut crew = Crew::new();
    for name in ["one", "two"] {
        let tried = Arc::clone(&tried);
        crew = crew.member(name, move |seat| {
            let group = seat.net.group(hio::net::Owner::NONE);
            let mut note = |at: &Endpoint| {
                let listener = seat.net.listen(group, at, &ListenOptions::default());
                let got = listener.and_then(|sid| seat.net.local(sid));
                tried.lock().expect("it").push(got);
            };
            note(&Endpoint::host("0.0.0.0", 80));
            note(&Endpoint::host("0.0.0.0", 0));
            Ok(Doist::new(()))
        });
    }
    let mut sim = Sim::new(1);
    let alone = sim.node("alone", |_| Doist::new(()));
    crew.enlist(&mut sim).expect("good names");
    sim.run_until(Tyme::from_secs(1)).expect("it runs");
    assert_eq!(*sim.state(alone), NodeState::Ended(Outcome::Done));
    let tried = tried.lock().expect("it");
    assert!(tried[0].is_ok() && tried[1].is_ok());
    // Nobody listens at the same port by chance; 80 is free again once "one" has ended.
    assert_eq!(tried.len(), 4);
    let ports: Vec<u16> = tried
        .iter()
        .flatten()
        .filter_map(|e| e.addr())
        .map(|a| a.port())
        .collect();
    assert_eq!(ports.len(), 4, "{tried:?}");
}

#[test]
fn a_port_in_use_by_a_mate_is_in_use_and_others_are_free() {
    let mut sim = Sim::new(1);
    let tried = Arc::new(Mutex::new(Vec::new()));
    let mut crew = Crew::new();
    for name in ["one", "two"] {
        let tried = Arc::clone(&tried);
        crew = crew.member(name, move |seat| {
            let group = seat.net.group(hio::net::Owner::NONE);
            let at = Endpoint::host("0.0.0.0", 80);
            let listener = seat.net.listen(group, &at, &ListenOptions::default());
            tried.lock().expect("it").push(listener.err());
            let mut doist = Doist::new(());
            doist.add(doify(|_, _: &mut Cx<'_>| Ok(Park(Tyme::NEVER))));
            Ok(doist)
        });
    }
    crew.enlist(&mut sim).expect("good names");
    sim.run_until(Tyme::from_secs(1)).expect("it runs");
    let tried = tried.lock().expect("it");
    assert_eq!(*tried, [None, Some(hio::net::NetError::AddrInUse)]);
}

fn ends(crew: Enlisted) -> Vec<String> {
    let report = crew.report();
    let one = |m: &hio::crew::MemberReport| match &m.left {
        Left::Ended(outcome) => format!("{outcome:?} {}", m.restarts),
        Left::Failed(fault) => format!("failed {} {fault}", m.restarts),
        other => format!("{other:?} {}", m.restarts),
    };
    report.members().iter().map(one).collect()
}

#[test]
fn failures_and_stops_follow_the_crews_policy() {
    for fails in [1, 9] {
        let mut sim = Sim::new(1);
        let crew = Crew::new()
            .member("waits", |_| {
                let mut doist = Doist::new(());
                doist.add(doify(|_, _: &mut Cx<'_>| Ok(Park(Tyme::NEVER))));
                Ok(doist)
            })
            .member("fails", move |seat| {
                let fails = seat.restarts < fails;
                let mut doist = Doist::new(());
                doist
                    .named("worker")
                    .add(doify(move |_, _: &mut Cx<'_>| match fails {
                        true => Err(Fault::msg("no")),
                        false => Ok(Done(true)),
                    }));
                Ok(doist)
            });
        let crew = crew.enlist(&mut sim).expect("good names");
        sim.run_until(Tyme::from_secs(1))
            .expect("the crew decides, not the simulation");
        if fails == 1 {
            assert!(!crew.is_over());
            crew.handle().stop();
            sim.run_for(Duration::from_millis(1)).expect("it runs");
            assert_eq!(ends(crew), ["Stopped 0", "Done 1"]);
        } else {
            assert!(crew.is_over());
            let node = crew.nodes()[1];
            assert!(sim.fault_of(node).is_some(), "the fault itself");
            let ends = ends(crew);
            assert_eq!(ends[0], "Stopped 0");
            assert!(
                ends[1].starts_with("failed 1 worker failed in recur"),
                "{}",
                ends[1]
            );
        }
    }
}

#[test]
fn a_stop_goes_in_order_and_passes_over_who_is_down() {
    let order = Arc::new(Mutex::new(String::new()));
    let mut crew = Crew::new();
    for name in ["a", "b", "c", "d"] {
        let order = Arc::clone(&order);
        crew = crew.member(name, move |seat| {
            let (order, name) = (Arc::clone(&order), seat.name.to_owned());
            let mut doist = Doist::new(());
            struct Waits(Arc<Mutex<String>>, String);
            impl Doer for Waits {
                fn recur(&mut self, _: Tyme, _: &mut Cx<'_>) -> Result<Next, Fault> {
                    Ok(Park(Tyme::NEVER))
                }
                fn cease(&mut self, _: &mut Cx<'_>) {
                    self.0.lock().expect("it").push_str(&self.1);
                }
            }
            doist.add(Waits(order, name));
            Ok(doist)
        });
    }
    let mut sim = Sim::new(1);
    let crew = crew.enlist(&mut sim).expect("good names");
    sim.run_until(Tyme::from_secs(1)).expect("it runs");
    sim.crash(crew.nodes()[1]);
    crew.handle().stop();
    sim.run_for(Duration::from_secs(1)).expect("it runs");
    assert_eq!(*order.lock().expect("it"), "dca");
    assert!(crew.is_over());
    assert_eq!(
        ends(crew),
        ["Stopped 0", "Down 1", "Stopped 0", "Stopped 0"]
    );
}

#[test]
fn a_name_that_a_node_has_is_refused() {
    let mut sim = Sim::new(1);
    sim.station("taken");
    let crew = Crew::new().member("TAKEN", |_| Ok(Doist::new(())));
    assert_eq!(
        crew.enlist(&mut sim).unwrap_err(),
        CrewError::Twice("TAKEN".into())
    );
    assert_eq!(sim.nodes().count(), 1, "none was added");
}

#[test]
fn with_crashes_and_partitions_a_run_repeats_and_others_go_on() {
    for by_hand in [false, true] {
        let run = || {
            let mut sim = Sim::new(5);
            servers(by_hand).enlist(&mut sim).expect("good names");
            let early = clients(&mut sim, 6, 200);
            sim.run_until(Tyme::from_millis(100)).expect("it runs");
            let parts = [vec!["client-0"], vec!["member-0", "member-1"]];
            let parts = parts.map(|part| part.into_iter().map(str::to_owned).collect());
            let plan = FaultPlan::default()
                .at(Tyme::from_millis(120), SimFault::Crash("member-1".into()))
                .at(Tyme::from_millis(150), SimFault::Partition(parts.into()))
                .at(Tyme::from_millis(170), SimFault::Restart("member-1".into()))
                .at(Tyme::from_millis(900), SimFault::Heal(None));
            sim.plan(&plan).expect("known names");
            sim.run_until(Tyme::from_secs(30)).expect("it runs");
            let late = sim.node("late", |boot| {
                asks(boot.tcp("member-1", PORT).expect("its address"), 3)
            });
            sim.run_for(Duration::from_secs(5)).expect("it runs");
            let asked = sim.app::<Asked>(late).expect("its app");
            assert_eq!(asked.answers.len(), 3, "by hand: {by_hand}");
            let all: Vec<(usize, usize)> = early
                .iter()
                .map(|node| sim.app::<Asked>(*node).expect("its app"))
                .map(|asked| (asked.answers.len(), asked.closed))
                .collect();
            (all, sim.trace_hash())
        };
        let (all, hash) = run();
        assert_eq!(run(), (all.clone(), hash), "by hand: {by_hand}");
        let whole = all.iter().filter(|(answers, _)| *answers == 200).count();
        assert_eq!(
            whole, 3,
            "those of member-0, the one behind a partition too: {all:?}"
        );
        assert!(
            all.iter().all(|(n, closed)| (*n == 200) != (*closed == 1)),
            "{all:?}"
        );
    }
}

#[test]
fn packets_under_way_find_a_connection_that_moved() {
    // 4000 bytes are three packets, milliseconds apart: the first one opens the connection's way to
    // the acceptor, the others find it elsewhere. Some are lost and sent again.
    for loss in ["", " loss 0.2"] {
        let law = format!("latency constant 1ms bandwidth 1MB/s{loss}");
        let link = law.parse().expect("conditions");
        let mut sim = Sim::new(4).with_link(link).with_trace();
        servers(true).enlist(&mut sim).expect("good names");
        let nodes: Vec<_> = (0..6)
            .map(|n| {
                sim.node(&format!("client-{n}"), |boot| {
                    asks_at_once(boot.tcp("member-0", PORT).expect("it"), 1000, 1000)
                })
            })
            .collect();
        sim.run_until(Tyme::from_secs(300)).expect("it runs");
        for node in nodes {
            let asked = sim.app::<Asked>(node).expect("its app");
            assert_eq!((asked.answers.len(), asked.closed), (1000, 0), "{law}");
        }
    }
}

#[test]
fn the_shared_address_is_of_all_members() {
    let mut sim = Sim::new(1);
    let crew = servers(false).enlist(&mut sim).expect("good names");
    let seen = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&seen);
    sim.node("other", move |boot| {
        let mut told = told.lock().expect("it");
        told.extend(["member-0", "member-1"].map(|name| boot.tcp(name, 1)));
        Doist::new(())
    });
    sim.run_until(Tyme::from_millis(1)).expect("it runs");
    let at = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), 1);
    assert_eq!(*seen.lock().expect("it"), vec![Some(Endpoint::Tcp(at)); 2]);
    assert_eq!(crew.nodes().len(), 2);
}
