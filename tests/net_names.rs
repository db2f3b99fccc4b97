//! Goal: names are looked up without anybody waiting for it: a slow name server delays nothing, an
//! answer ends a wait, everything is bounded, and threads go when the net goes.
//! Method: the real net with look-ups of the test's own, which block until they are let go.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use hio::doing::prelude::*;
use hio::link::{Client, ClientEvent, CloseReason, Limits};
use hio::net::{
    CacheLimits, ConnectOptions, Endpoint, Group, ListenOptions, Lookup, MioNet, Net, NetError,
    Owner, ResolverOptions,
};
use hio::tyme::Tyme;

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// A name server that answers nobody before it is opened.
#[derive(Default)]
struct Gate {
    open: Mutex<bool>,
    changed: Condvar,
    asked: AtomicUsize,
    inside: AtomicUsize,
    most_inside: AtomicUsize,
}

impl Gate {
    fn open(&self) {
        *self.open.lock().unwrap() = true;
        self.changed.notify_all();
    }

    /// As a name server: 10.0.0.7 for every name, after the gate has opened.
    fn answer(&self) -> Result<Vec<IpAddr>, NetError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let inside = self.inside.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_inside.fetch_max(inside, Ordering::SeqCst);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        while !*open {
            // Bounded, or a test that fails would leave its thread for ever.
            let waited = self.changed.wait_timeout(open, Duration::from_secs(20));
            open = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        drop(open);
        self.inside.fetch_sub(1, Ordering::SeqCst);
        Ok(vec![IpAddr::from([10, 0, 0, 7])])
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Drop for Opened<'_> {
    fn drop(&mut self) {
        self.0.open();
    }
}

/// Opens the gate at the end of a test, however it ends.
struct Opened<'a>(&'a Gate);

fn gated(options: ResolverOptions) -> (MioNet, Arc<Gate>) {
    let gate = Arc::new(Gate::default());
    let mut net = MioNet::new().unwrap();
    let at_the_gate = Arc::clone(&gate);
    net.start_resolver_with(options, move |_| at_the_gate.answer())
        .unwrap();
    (net, gate)
}

fn net_with(
    options: ResolverOptions,
    look_up: impl Fn(&str) -> Result<Vec<IpAddr>, NetError> + Send + Sync + 'static,
) -> (MioNet, Group) {
    let mut net = MioNet::new().unwrap();
    net.start_resolver_with(options, look_up).unwrap();
    let group = net.group(Owner(1));
    (net, group)
}

/// Polls and asks until there is an answer.
fn answer(net: &mut MioNet, group: Group, name: &str) -> Lookup {
    let end = net.now() + Duration::from_secs(10);
    loop {
        match net.resolve(group, name) {
            Lookup::Pending => {}
            answer => return answer,
        }
        assert!(net.now() < end, "no answer for {name}");
        let soon = net.now() + ms(20);
        net.poll(soon).unwrap();
    }
}

fn seven() -> Lookup {
    Lookup::Ready(vec![IpAddr::from([10, 0, 0, 7])])
}

#[test]
fn without_a_resolver_unknown_names_fail_at_once() {
    let mut net = MioNet::new().unwrap();
    let group = net.group(Owner::NONE);
    let failed = Lookup::Failed(NetError::Unresolvable);
    assert_eq!(net.resolve(group, "name.test"), failed);
    net.close_group(group);
    let stale = Lookup::Failed(NetError::Stale);
    assert_eq!(net.resolve(group, "name.test"), stale);
}

#[test]
fn an_answer_ends_the_wait_and_marks_those_who_asked() {
    let (mut net, gate) = gated(ResolverOptions::default());
    let groups = [Owner(1), Owner(2), Owner(3)].map(|owner| net.group(owner));
    for group in &groups[..2] {
        assert_eq!(net.resolve(*group, "Name.test."), Lookup::Pending);
        assert_eq!(net.resolve(*group, "name.TEST"), Lookup::Pending);
    }
    net.poll(Tyme::ZERO).unwrap();
    let (mut owners, mut sids) = (Vec::new(), Vec::new());
    net.woken(&mut owners);
    assert_eq!(owners, []);
    gate.open();
    let start = net.now();
    while owners.is_empty() {
        let far = start + Duration::from_secs(10);
        net.poll(far).unwrap();
        net.woken(&mut owners);
    }
    assert!(
        net.now().since(start) < Duration::from_secs(5),
        "woken early"
    );
    assert_eq!(owners, [Owner(1), Owner(2)]);
    // `ready` lists no socket for it and takes the mark.
    net.ready(groups[0], &mut sids);
    assert_eq!(sids, []);
    owners.clear();
    net.woken(&mut owners);
    assert_eq!(owners, [Owner(2)]);
    net.ready(groups[1], &mut sids);
    for group in groups {
        assert_eq!(net.resolve(group, "name.test"), seven());
    }
    assert_eq!(gate.asked(), 1, "asked once for all");
    owners.clear();
    net.poll(Tyme::ZERO).unwrap();
    net.woken(&mut owners);
    assert_eq!(owners, [], "told once");
    // And once for the next one.
    assert_eq!(net.resolve(groups[0], "other.test"), Lookup::Pending);
    while owners.is_empty() {
        let far = start + Duration::from_secs(10);
        assert!(net.now() < far, "not told of the second answer");
        net.poll(far).unwrap();
        net.woken(&mut owners);
    }
    assert_eq!(owners, [Owner(1)]);
}

/// A doer that counts its ticks and when the longest gap was.
struct Metronome {
    last: Option<Tyme>,
    ticks: u32,
    longest: Duration,
}

impl<A> Doer<A> for Metronome {
    fn recur(&mut self, tyme: Tyme, cx: &mut Cx<'_, A>) -> Result<Next, Fault> {
        let now = cx.net.now();
        if let Some(last) = self.last.replace(now) {
            self.longest = self.longest.max(now.since(last));
        }
        self.ticks += 1;
        let _ = tyme;
        Ok(if self.ticks == 100 { Done(true) } else { Again })
    }
}

#[test]
fn s22_a_slow_name_server_never_delays_a_tick() {
    let (mut net, gate) = gated(ResolverOptions::default());
    let _opened = Opened(&gate);
    let slow = Endpoint::host("slow.test", 7);
    let client = Client::new(slow, ConnectOptions::default(), Limits::default());
    let mut doist = Doist::new(client).with_tock(ms(2));
    doist.add(hio::doers::ClientDoer::new());
    let metronome = doist.add(Metronome {
        last: None,
        ticks: 0,
        longest: Duration::ZERO,
    });
    let mut doist = doist.with_limit(Duration::from_millis(400));
    doist.run(&mut net).unwrap();
    assert_eq!(gate.asked(), 1, "it was asked, and has not answered yet");
    let metronome = doist.get(metronome).unwrap();
    assert_eq!(metronome.ticks, 100);
    // The look-up blocks for 20 s: a tick that waited for it would show. Other work on this
    // machine may take its share of the time.
    assert!(metronome.longest < Duration::from_secs(5));
}

#[test]
fn s22_a_client_dials_when_the_answer_comes() {
    let gate = Arc::new(Gate::default());
    let at_the_gate = Arc::clone(&gate);
    let mut net = MioNet::new().unwrap();
    net.start_resolver_with(ResolverOptions::default(), move |_| {
        at_the_gate.answer()?;
        Ok(vec![Ipv4Addr::LOCALHOST.into()])
    })
    .unwrap();
    let group = net.group(Owner::NONE);
    let at = Endpoint::host("127.0.0.1", 0);
    let listener = net.listen(group, &at, &ListenOptions::default()).unwrap();
    let at = net.local(listener).unwrap();
    let named = Endpoint::host("name.test", at.port().unwrap());
    let mut client = Client::new(named, ConnectOptions::default(), Limits::default());
    client.open(net.now(), &mut net, Owner(9)).unwrap();
    for _ in 0..3 {
        client.service(net.now(), &mut net);
    }
    let now = net.now();
    assert!(
        client.due(now) >= now + Duration::from_secs(5),
        "nothing to do before the answer or the deadline"
    );
    gate.open();
    while !client.connected() {
        let due = client.due(net.now());
        net.poll(due).unwrap();
        client.service(net.now(), &mut net);
        assert!(client.opened(), "{:?}", client.closed());
    }
    assert!(net.now().since(now) < Duration::from_secs(5));
    assert_eq!(client.peer(), Some(&at));
}

#[test]
fn a_slow_name_holds_up_no_other_as_long_as_there_may_be_threads() {
    let options = ResolverOptions {
        threads_max: 8,
        ..ResolverOptions::default()
    };
    let gate = Arc::new(Gate::default());
    let _opened = Opened(&gate);
    let at_the_gate = Arc::clone(&gate);
    let (mut net, group) = net_with(options, move |name| match name {
        "fast.test" => Ok(vec![IpAddr::from([10, 0, 0, 7])]),
        _ => at_the_gate.answer(),
    });
    assert_eq!(answer(&mut net, group, "fast.test"), seven());
    // One thread is idle, or about to be: it is counted once, not for each of those that follow.
    let idle = net.now() + ms(20);
    wait(&mut net, |now| now > idle);
    for n in 0..8 {
        assert_eq!(
            net.resolve(group, &format!("slow{n}.test")),
            Lookup::Pending
        );
    }
    wait(&mut net, |_| gate.asked() == 8);
}

#[test]
fn l1_names_and_threads_are_bounded() {
    let options = ResolverOptions {
        threads_max: 2,
        names_max: 5,
        ..ResolverOptions::default()
    };
    let (mut net, gate) = gated(options);
    let group = net.group(Owner::NONE);
    let name = |n| format!("host{n}.test");
    for n in 0..5 {
        assert_eq!(net.resolve(group, &name(n)), Lookup::Pending);
    }
    let exhausted = Lookup::Failed(NetError::Exhausted);
    assert_eq!(net.resolve(group, &name(5)), exhausted);
    gate.open();
    for n in 0..5 {
        assert_eq!(answer(&mut net, group, &name(n)), seven());
    }
    assert_eq!(answer(&mut net, group, &name(5)), seven(), "there is room");
    assert_eq!(gate.asked(), 6);
    assert!(gate.most_inside.load(Ordering::SeqCst) <= 2);
    for bad in [(0, 1), (1, 0)] {
        let options = ResolverOptions {
            threads_max: bad.0,
            names_max: bad.1,
            ..ResolverOptions::default()
        };
        assert_eq!(net.start_resolver(options), Err(NetError::Invalid));
        let refused = MioNet::new().unwrap().with_resolver(options);
        assert_eq!(refused.err(), Some(NetError::Invalid));
    }
}

#[test]
fn who_closes_waits_no_more_and_makes_room() {
    let options = ResolverOptions {
        threads_max: 1,
        names_max: 3,
        ..ResolverOptions::default()
    };
    let (mut net, gate) = gated(options);
    let [gone, stays] = [1, 2].map(|n| net.group(Owner(n)));
    assert_eq!(net.resolve(gone, "first.test"), Lookup::Pending);
    let begun = net.now() + Duration::from_secs(10);
    while gate.asked() == 0 && net.now() < begun {
        let soon = net.now() + ms(1);
        net.poll(soon).unwrap();
    }
    assert_eq!(gate.asked(), 1, "the only thread is busy with it");
    assert_eq!(net.resolve(gone, "second.test"), Lookup::Pending);
    assert_eq!(net.resolve(gone, "shared.test"), Lookup::Pending);
    assert_eq!(net.resolve(stays, "shared.test"), Lookup::Pending);
    let exhausted = Lookup::Failed(NetError::Exhausted);
    assert_eq!(net.resolve(stays, "third.test"), exhausted);
    net.close_group(gone);
    assert_eq!(net.resolve(stays, "third.test"), Lookup::Pending);
    gate.open();
    for name in ["shared.test", "third.test", "first.test"] {
        assert_eq!(answer(&mut net, stays, name), seven());
    }
    // What nobody waited for was not asked; what was begun has its answer in the cache.
    assert_eq!(gate.asked(), 3);
}

#[test]
fn answers_are_remembered_for_their_time_and_failures_for_theirs() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let options = ResolverOptions {
        cache: CacheLimits {
            ttl: Duration::from_secs(3600),
            failure_ttl: ms(30),
            ..CacheLimits::default()
        },
        ..ResolverOptions::default()
    };
    let (mut net, group) = net_with(options, move |name| {
        count.fetch_add(1, Ordering::SeqCst);
        match name {
            "good.test" => Ok(vec![IpAddr::from([10, 0, 0, 7])]),
            "empty.test" => Ok(Vec::new()),
            "panics.test" => panic!("a look-up of the program's own"),
            "full.test" => Err(NetError::Exhausted),
            _ => Err(NetError::Unresolvable),
        }
    });
    let other = net.group(Owner(2));
    let failed = Lookup::Failed(NetError::Unresolvable);
    for (name, wanted) in [
        ("good.test", seven()),
        ("bad.test", failed.clone()),
        ("empty.test", failed.clone()),
        ("panics.test", failed.clone()),
        ("full.test", Lookup::Failed(NetError::Exhausted)),
    ] {
        assert_eq!(answer(&mut net, group, name), wanted, "{name}");
    }
    assert_eq!(asked.load(Ordering::SeqCst), 5);
    assert_eq!(net.resolve(other, "good.test"), seven(), "at once");
    // What this machine had no room for is asked again at once, a failure after its time.
    assert_eq!(net.resolve(other, "full.test"), Lookup::Pending);
    let later = net.now() + ms(40);
    while net.now() < later {
        net.poll(later).unwrap();
    }
    assert_eq!(net.resolve(other, "bad.test"), Lookup::Pending);
    net.clear_name_cache();
    assert_eq!(net.resolve(other, "good.test"), Lookup::Pending);
    assert_eq!(answer(&mut net, other, "good.test"), seven());
    assert_eq!(answer(&mut net, other, "bad.test"), failed);
}

#[test]
fn a_cache_that_keeps_nothing_still_hands_the_answer_over() {
    let options = ResolverOptions {
        cache: CacheLimits {
            ttl: Duration::ZERO,
            failure_ttl: Duration::ZERO,
            names_max: 0,
            addresses_max: 3,
        },
        ..ResolverOptions::default()
    };
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let (mut net, group) = net_with(options, move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        Ok((0..9).map(|n| IpAddr::from([10, 0, 0, n])).collect())
    });
    let three = [0, 1, 2].map(|n| IpAddr::from([10, 0, 0, n])).to_vec();
    for round in 1..=3 {
        let found = answer(&mut net, group, "many.test");
        assert_eq!(found, Lookup::Ready(three.clone()));
        assert_eq!(asked.load(Ordering::SeqCst), round);
    }
}

#[test]
fn the_table_and_what_cannot_be_a_name_ask_nobody() {
    let (mut net, group) = net_with(ResolverOptions::default(), |name| {
        panic!("asked for {name}")
    });
    net.add_name("Own.test", vec![IpAddr::from([10, 0, 0, 7])])
        .unwrap();
    assert_eq!(net.resolve(group, "own.TEST."), seven());
    let localhost = net.resolve(group, "localhost");
    assert!(matches!(localhost, Lookup::Ready(found) if found.len() == 2));
    assert_eq!(net.resolve(group, "10.0.0.7"), seven());
    let invalid = Lookup::Failed(NetError::Invalid);
    let long = "a.".repeat(127) + "b";
    for name in ["", ".", "a..b", "a b", "nul\0.test", &"x".repeat(64), &long] {
        assert_eq!(net.resolve(group, name), invalid, "{name:?}");
    }
}

#[test]
fn a_resolver_can_be_replaced_and_stopped() {
    let (mut net, gate) = gated(ResolverOptions::default());
    let _opened = Opened(&gate);
    let group = net.group(Owner(1));
    assert_eq!(net.resolve(group, "name.test"), Lookup::Pending);
    net.start_resolver_with(ResolverOptions::default(), |_| {
        Ok(vec![IpAddr::from([10, 0, 0, 7])])
    })
    .unwrap();
    let mut owners = Vec::new();
    net.woken(&mut owners);
    assert_eq!(owners, [Owner(1)], "told to ask again");
    assert_eq!(answer(&mut net, group, "name.test"), seven());
    // An answer that came and was not fetched is forgotten with the resolver that gave it.
    net.ready(group, &mut Vec::new());
    assert_eq!(net.resolve(group, "late.test"), Lookup::Pending);
    owners.clear();
    while owners.is_empty() {
        let far = net.now() + Duration::from_secs(10);
        net.poll(far).unwrap();
        net.woken(&mut owners);
    }
    let other = Ok(vec![IpAddr::from([10, 0, 0, 8])]);
    net.start_resolver_with(ResolverOptions::default(), move |_| other.clone())
        .unwrap();
    let eight = Lookup::Ready(vec![IpAddr::from([10, 0, 0, 8])]);
    assert_eq!(answer(&mut net, group, "late.test"), eight);
    net.stop_resolver();
    let failed = Lookup::Failed(NetError::Unresolvable);
    assert_eq!(net.resolve(group, "name.test"), failed);
}

/// Threads that wait end with the net; nobody waits for one that is inside a look-up.
#[test]
fn d2_threads_end_with_the_net() {
    let (mut net, gate) = gated(ResolverOptions::default());
    let group = net.group(Owner::NONE);
    assert_eq!(
        Arc::strong_count(&gate),
        2,
        "no thread before one is needed"
    );
    assert_eq!(net.resolve(group, "slow.test"), Lookup::Pending);
    let mut other = MioNet::new().unwrap();
    wait(&mut other, |_| gate.asked() == 1);
    drop(net); // and does not wait
    assert!(Arc::strong_count(&gate) > 1, "still inside");
    gate.open();
    wait(&mut other, |_| Arc::strong_count(&gate) == 1);

    let (mut net, gate) = gated(ResolverOptions::default());
    gate.open();
    let group = net.group(Owner::NONE);
    assert_eq!(answer(&mut net, group, "fast.test"), seven());
    let idle = other.now() + ms(30); // time for the thread to come to rest
    wait(&mut other, |now| now > idle);
    drop(net);
    wait(&mut other, |_| Arc::strong_count(&gate) == 1);
}

fn wait(net: &mut MioNet, mut over: impl FnMut(Tyme) -> bool) {
    let end = net.now() + Duration::from_secs(10);
    while !over(net.now()) {
        assert!(net.now() < end, "not reached");
        let soon = net.now() + ms(1);
        net.poll(soon).unwrap();
    }
}

/// Numbers in a short form are an address to the system's resolver only: no name server is asked.
#[test]
#[cfg(target_os = "linux")]
fn the_system_is_asked() {
    let mut net = MioNet::new().unwrap();
    net.start_resolver(ResolverOptions::default()).unwrap();
    let group = net.group(Owner::NONE);
    let found = answer(&mut net, group, "127.1");
    assert_eq!(found, Lookup::Ready(vec![Ipv4Addr::LOCALHOST.into()]));
}

#[test]
fn a_client_whose_name_fails_says_so() {
    let (mut net, _) = net_with(ResolverOptions::default(), |_| Err(NetError::Unresolvable));
    let to = Endpoint::host("nowhere.test", 7);
    let mut client = Client::new(to, ConnectOptions::default(), Limits::default());
    client.open(net.now(), &mut net, Owner::NONE).unwrap();
    let end = net.now() + Duration::from_secs(10);
    while client.opened() && net.now() < end {
        let due = client.due(net.now()).min(end);
        net.poll(due).unwrap();
        client.service(net.now(), &mut net);
    }
    let why = CloseReason::ConnectFailed(NetError::Unresolvable);
    let events: Vec<_> = client.events().collect();
    assert_eq!(events, [ClientEvent::Closed(why)]);
}
