//! Goal: a wait ends when it should, never much later and never earlier without a reason.
//! Method: a net without traffic, its own clock, and an interrupt from another thread.

mod net_support;

use std::time::Duration;

use hio::net::{MioNet, Net};
use hio::tyme::Tyme;
use net_support::{Kind, Rig};

#[test]
fn a_moment_that_has_passed_is_a_look_without_waiting() {
    let mut net = MioNet::new().expect("a poll");
    let begin = net.now();
    for _ in 0..100 {
        net.poll(Tyme::ZERO).expect("to poll");
        net.poll(begin).expect("to poll");
    }
    assert!(net.now() - begin < Duration::from_secs(1));
}

#[test]
fn a_wait_without_traffic_lasts_until_its_moment() {
    let mut net = MioNet::new().expect("a poll");
    for micros in [1, 300, 999, 1000, 5000] {
        let end = net.now() + Duration::from_micros(micros);
        // One poll is enough: a fraction of a millisecond must not become a busy loop.
        net.poll(end).expect("to poll");
        let now = net.now();
        assert!(now >= end, "{micros} us: {now} before {end}");
        assert!(now - end < Duration::from_secs(2));
    }
}

#[test]
fn an_interrupt_ends_a_wait_without_end() {
    let mut net = MioNet::new().expect("a poll");
    let interrupt = net.interrupt().expect("a handle");
    // One that came before the wait ends it, too.
    interrupt.fire();
    net.poll(Tyme::NEVER).expect("to poll");
    for _ in 0..20 {
        let interrupt = net.interrupt().expect("a handle");
        std::thread::scope(|scope| {
            scope.spawn(move || interrupt.fire());
            net.poll(Tyme::NEVER).expect("to poll");
        });
    }
    // Spent: the next wait lasts.
    let end = net.now() + Duration::from_millis(5);
    net.poll(end).expect("to poll");
    assert!(net.now() >= end);
}

#[test]
fn an_interrupt_outlives_its_net() {
    let mut net = MioNet::new().expect("a poll");
    let interrupt = net.interrupt().expect("a handle");
    drop(net);
    interrupt.fire();
}

#[test]
fn an_interrupt_marks_nothing() {
    let mut rig = Rig::new(Kind::V4);
    rig.settle();
    rig.net.interrupt().expect("a handle").fire();
    rig.net.poll(Tyme::NEVER).expect("to poll");
    assert_eq!(rig.woken(), []);
    assert_eq!(rig.ready(), []);
}

#[test]
#[cfg(unix)]
fn the_poll_can_be_watched_by_a_foreign_loop() {
    // One net watches the other by its descriptor, as any loop would.
    use std::os::fd::BorrowedFd;
    let mut rig = Rig::new(Kind::V4);
    let (client, server) = rig.pair();
    rig.settle();
    let fd = rig.net.poll_fd().expect("a descriptor");
    let mut outer = mio::Poll::new().expect("a poll");
    let mut events = mio::Events::with_capacity(8);
    outer
        .registry()
        .register(
            &mut mio::unix::SourceFd(&fd),
            mio::Token(1),
            mio::Interest::READABLE,
        )
        .expect("to register");
    let mut look = |wait| {
        outer.poll(&mut events, Some(wait)).expect("to poll");
        !events.is_empty()
    };
    while look(Duration::ZERO) {
        rig.settle();
    }
    assert_eq!(rig.net.write(client, b"x"), Ok(1));
    assert!(look(Duration::from_secs(5)));
    rig.net.poll(Tyme::ZERO).expect("to poll");
    assert_eq!(rig.net.read(server, &mut [0; 8]), Ok(Some(1)));
    let _: Option<BorrowedFd<'_>> = rig.net.fd(server);
}

#[test]
fn more_events_than_one_poll_takes_come_with_the_next() {
    let mut rig = Rig::new(Kind::V4);
    let pairs: Vec<_> = (0..600).map(|_| rig.pair()).collect();
    rig.settle();
    for &(client, server) in &pairs {
        assert_eq!(rig.net.write(client, b"x"), Ok(1));
        assert_eq!(rig.net.write(server, b"y"), Ok(1));
    }
    let mut seen = 0;
    net_support::until(&mut rig.net, |net| {
        let mut out = Vec::new();
        net.ready(rig.group, &mut out);
        seen += out.len();
        (seen == 1200).then_some(())
    });
}
