//! Goal: figures of a Doist, its doers, its links and its net are there and are right.
//! Method: programs whose figures are known, on real sockets and without; that every count of every
//! doer is exact is shown by the random scenarios of the laws, which compare it with what they wrote.

use std::time::Duration;

use hio::doers::EchoServerDoer;
use hio::doing::prelude::*;
use hio::doing::{Budget, DoerState, Overrun, Restarts, Step};
use hio::link::{Client, CloseReason, Limits, LinkState, Server};
use hio::net::{ConnectOptions, Endpoint, ListenOptions, MioNet, NetError, ResolverOptions};

const MS: Duration = Duration::from_millis(1);

fn net() -> NullNet {
    NullNet::default()
}

#[test]
fn a_doist_counts_ticks_passes_recurs_and_ends() {
    let mut doist = Doist::new(()).with_tock(MS).with_pace(Pace::Asap);
    let timed = doist.named("timed").add(redo([
        After(10 * MS),
        After(10 * MS),
        Park(Tyme::NEVER),
        Done(false),
    ]));
    let waker = doist
        .named("waker")
        .add(doify(move |tyme, cx: &mut Cx<'_>| {
            cx.ask.wake(timed);
            Ok(if tyme < Tyme::from_millis(30) {
                After(15 * MS)
            } else {
                Done(true)
            })
        }));
    let mut dodoer: DoDoer = DoDoer::new();
    dodoer.add(redo([Again, Again, Done(true)]));
    doist.add(dodoer);
    doist.run(&mut net()).unwrap();

    let stats = doist.stats();
    // Passes at 0, 1 and 2 for the child, at 10, 15, 20 and 30, and at 31 for who is woken at 30.
    assert_eq!((stats.tyme, stats.ticks), (Tyme::from_millis(32), 32));
    assert_eq!((stats.passes, stats.wake_passes), (8, 0));
    assert_eq!((stats.entered, stats.ended, stats.failed), (4, 4, 0));
    assert_eq!((stats.open, stats.parked, stats.timed), (0, 0, 0));
    assert_eq!(stats.wakes, 1, "woken while timed, it is not woken");
    let timed = doist.stats_of(timed).unwrap();
    assert_eq!(
        (timed.state, timed.recurs, timed.wakes),
        (DoerState::Ended, 4, 1)
    );
    assert_eq!((timed.last, timed.due), (Some(Tyme::from_millis(31)), None));
    assert_eq!(doist.stats_of(waker).unwrap().recurs, 3);
    assert_eq!(
        stats.recurs,
        4 + 3 + 3 + 3,
        "the DoDoer runs with its child"
    );
}

#[test]
fn a_doers_state_and_due_tyme_are_told() {
    let mut doist = Doist::new(()).with_tock(MS);
    let always = doist.add(redo(std::iter::repeat(Again)));
    let timed = doist.add(redo([After(5 * MS), Done(true)]));
    let parked = doist.add(redo([Park(Tyme::NEVER)]));
    let until = doist.add(redo([Park(Tyme::from_millis(9)), Done(true)]));
    let of = |doist: &Doist, id: DoerId| {
        let stats = doist.stats_of(id).unwrap();
        (stats.state, stats.recurs, stats.last, stats.due)
    };
    assert_eq!(of(&doist, timed.into()), (DoerState::Added, 0, None, None));
    doist.enter(&mut net()).unwrap();
    let now = Some(Tyme::ZERO);
    assert_eq!(of(&doist, timed.into()), (DoerState::Fresh, 0, None, now));
    doist.recur(&mut net()).unwrap();
    doist.recur(&mut net()).unwrap();
    let at = |ms| Some(Tyme::from_millis(ms));
    assert_eq!(of(&doist, always.into()).0, DoerState::Always);
    assert_eq!(of(&doist, always.into()).1, 2);
    assert_eq!(of(&doist, timed.into()), (DoerState::Timed, 1, now, at(5)));
    assert_eq!(of(&doist, parked.into()), (DoerState::Parked, 1, now, None));
    assert_eq!(of(&doist, until.into()), (DoerState::Parked, 1, now, at(9)));
    let stats = doist.stats();
    assert_eq!((stats.open, stats.parked, stats.timed), (4, 2, 1));
    let listing = doist.listing();
    assert_eq!(listing.len(), 4);
    assert!(listing[2].parked && listing[2].stats.busy.is_zero());
}

#[test]
fn a_pass_that_is_cut_is_counted_doer_by_doer() {
    let mut doist = Doist::new(());
    let ids: Vec<Id<_>> = (0..100)
        .map(|_| doist.add(redo(std::iter::repeat(Again))))
        .collect();
    doist.enter(&mut net()).unwrap();
    doist.recur(&mut net()).unwrap();
    let cut = doist.recur_within(&mut net(), Budget::doers(70));
    assert_eq!(cut.unwrap(), Step::Cut);
    for (nth, id) in ids.iter().enumerate() {
        let recurs = doist.stats_of(*id).unwrap().recurs;
        assert_eq!(recurs, if nth < 70 { 2 } else { 1 }, "{nth}");
    }
    assert_eq!((doist.stats().recurs, doist.stats().passes), (170, 2));
    doist.remove(&mut net(), ids[90]);
    assert_eq!(doist.stats_of(ids[90]).unwrap().recurs, 1);
}

#[test]
fn failures_and_what_supervisors_did_are_counted() {
    let mut doist = Doist::new(())
        .with_limit(Duration::from_secs(1))
        .with_pace(Pace::Asap);
    doist.supervise(Restarts::new(2, Duration::from_secs(60)).policy());
    doist.add(doify(|tyme: Tyme, _: &mut Cx<'_>| {
        if tyme.as_nanos() % 3 == 0 {
            return Err(Fault::msg("again"));
        }
        Ok(Again)
    }));
    assert!(doist.run(&mut net()).is_err(), "the third failure rises");
    let stats = doist.stats();
    assert_eq!((stats.failed, stats.restarted, stats.dropped), (3, 2, 0));
    assert_eq!((stats.entered, stats.ended, stats.open), (3, 3, 0));
}

#[test]
fn late_ticks_are_in_the_figures() {
    let mut doist = Doist::new(())
        .with_tock(MS)
        .with_limit(20 * MS)
        .with_overrun(Overrun::Skip);
    doist.add(doify(|tyme, cx: &mut Cx<'_>| {
        let until = cx.net.now() + 5 * MS;
        while tyme == Tyme::ZERO && cx.net.now() < until {}
        Ok(Again)
    }));
    doist.run(&mut MioNet::new().unwrap()).unwrap();
    assert!(doist.stats().overruns.missed >= 3, "{:?}", doist.stats());
    assert_eq!(doist.stats().overruns, doist.overruns());
}

#[test]
fn a_doer_sees_the_figures_while_it_runs() {
    let mut doist = Doist::new(Vec::new()).with_tock(MS).with_pace(Pace::Asap);
    doist.add(doify(|tyme, cx: &mut Cx<'_, Vec<u64>>| {
        let stats = cx.stats();
        cx.app.push(stats.ticks);
        Ok(if tyme < Tyme::from_millis(2) {
            Again
        } else {
            Done(true)
        })
    }));
    doist.run(&mut net()).unwrap();
    assert_eq!(doist.app, [0, 1, 2]);
}

#[test]
fn another_thread_sees_a_doist_that_sleeps() {
    let mut doist = Doist::new(());
    let stop = doist.stop_handle();
    let handle = doist.stats_handle();
    doist
        .named("sleeper")
        .add(redo([Park(Tyme::NEVER), Done(true)]));
    assert!(handle.latest().is_none());
    let looker = std::thread::spawn(move || {
        let mut tries = 0;
        let seen = loop {
            handle.ask();
            std::thread::park_timeout(5 * MS);
            match handle.latest() {
                Some(seen) if seen.doist.parked == 1 => break Some(seen),
                _ if tries > 2000 => break None,
                _ => tries += 1,
            }
        };
        stop.stop();
        seen
    });
    doist.run(&mut MioNet::new().unwrap()).unwrap();
    let seen = looker.join().unwrap().expect("its figures");
    assert_eq!(seen.doers.len(), 1);
    assert_eq!(seen.doers[0].path, "sleeper");
    assert_eq!(seen.doers[0].stats.state, DoerState::Parked);
}

#[test]
fn links_servers_and_the_net_count_what_passes() {
    let mut net = MioNet::new().unwrap();
    let mut doist = Doist::new(()).with_tock(MS);
    let at = Endpoint::host("127.0.0.1", 0);
    let server = Server::new(at, ListenOptions::default(), Limits::default());
    let echo = doist.add(EchoServerDoer::new(server));
    doist.enter(&mut net).unwrap();
    let at = doist.get(echo).unwrap().server().eha();
    let mut client = Client::new(at, ConnectOptions::default(), Limits::default());
    let opened = net.stats().opened;
    client
        .open(doist.tyme(), &mut net, hio::net::Owner::NONE)
        .unwrap();
    client.tx(&[7; 1000]).unwrap();
    assert_eq!(client.link().stats().tx, 1000);
    for _ in 0..2000 {
        doist.recur(&mut net).unwrap();
        client.service(doist.tyme(), &mut net);
        if client.rx().len() == 1000 {
            break;
        }
        let soon = net.now() + MS;
        net.poll(soon).unwrap();
    }
    let link = client.link().stats();
    assert_eq!(
        (link.state, link.sent, link.received),
        (LinkState::Open, 1000, 1000)
    );
    assert_eq!((link.rx, link.tx), (1000, 0));
    assert!(link.since <= link.active && link.active <= doist.tyme());
    let server = doist.get(echo).unwrap().server();
    let stats = server.stats();
    assert_eq!((stats.open(), stats.received, stats.sent), (1, 1000, 1000));
    let load = server.load();
    assert_eq!((load.connections, load.rx, load.tx), (1, 0, 0));
    assert!(load.pooled > 0 && load.pooled < 4 << 20, "{load:?}");
    let seen = net.stats();
    assert_eq!(seen.opened - opened, 2, "one dialled, one accepted");
    assert_eq!(seen.sockets, 3);
    assert!(
        seen.polls > 2 && seen.events >= 2 && seen.groups == 2,
        "{seen:?}"
    );

    client.close(&mut net);
    for _ in 0..2000 {
        doist.recur(&mut net).unwrap();
        if doist.get(echo).unwrap().server().stats().closed == 1 {
            break;
        }
        let soon = net.now() + MS;
        net.poll(soon).unwrap();
    }
    let stats = doist.get(echo).unwrap().server().stats();
    assert_eq!(stats.open(), 0);
    assert_eq!(stats.closes.iter().map(|(_, n)| n).sum::<u64>(), 1);
    assert_eq!(
        stats.closes.of(CloseReason::PeerClosed),
        1,
        "{:?}",
        stats.closes
    );
    assert_eq!(client.stats().closes.of(CloseReason::OwnerClosed), 1);
    assert_eq!(format!("{:?}", stats.closes), r#"{"peer_closed": 1}"#);
    doist.exit(&mut net).unwrap();
}

#[test]
fn reading_that_stops_at_the_cap_is_counted() {
    let mut net = MioNet::new().unwrap();
    let limits = Limits {
        rx_cap: 100,
        ..Limits::default()
    };
    let at = Endpoint::host("127.0.0.1", 0);
    let mut server = Server::new(at, ListenOptions::default(), limits);
    server.open(&mut net, hio::net::Owner::NONE).unwrap();
    let mut client = Client::new(server.eha(), ConnectOptions::default(), Limits::default());
    client
        .open(Tyme::ZERO, &mut net, hio::net::Owner::NONE)
        .unwrap();
    client.tx(&[1; 5000]).unwrap();
    for _ in 0..2000 {
        client.service(Tyme::ZERO, &mut net);
        server.service(Tyme::ZERO, &mut net).unwrap();
        if server.stats().rx_pauses > 0 {
            break;
        }
        let soon = net.now() + MS;
        net.poll(soon).unwrap();
    }
    assert_eq!(server.stats().rx_pauses, 1);
    assert_eq!(server.load().rx, 100);
    server.service(Tyme::ZERO, &mut net).unwrap();
    assert_eq!(server.stats().rx_pauses, 1, "one pause, however long");
}

#[test]
fn names_are_counted_by_what_became_of_them() {
    let mut net = MioNet::new().unwrap();
    let find = |name: &str| match name {
        "known.test" => Ok(vec!["10.0.0.1".parse().unwrap()]),
        _ => Err(NetError::Unresolvable),
    };
    let options = ResolverOptions::default();
    net.start_resolver_with(options, find).unwrap();
    let group = net.group(hio::net::Owner::NONE);
    for name in ["known.test", "unknown.test"] {
        for _ in 0..2000 {
            if net.resolve(group, name) != hio::net::Lookup::Pending {
                break;
            }
            let soon = net.now() + 10 * MS;
            net.poll(soon).unwrap();
        }
    }
    let _ = net.resolve(group, "known.test");
    let names = net.stats().names;
    assert_eq!((names.asked, names.found, names.failed), (2, 1, 1));
    assert_eq!((names.cached, names.waiting, names.refused), (1, 0, 0));
}
