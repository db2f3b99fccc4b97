//! Goal: what is warm allocates nothing (catalogue E): ticks, timers, wakes and echo traffic.
//! Method: a counting allocator in a process with one test.
#![cfg(unix)]

use std::alloc::System;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use hio::doers::EchoServerDoer;
use hio::doing::prelude::*;
use hio::link::{Limits, Server};
use hio::net::{Endpoint, ListenOptions, MioNet};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const CLIENTS: usize = 8;
const TICKS: usize = 10_000;

/// A client by hand that always has one message of 64 bytes in flight.
struct Caller {
    stream: TcpStream,
    echoed: u64,
}

impl Doer for Caller {
    fn enter(&mut self, _cx: &mut Cx<'_>) -> Result<Next, Fault> {
        self.stream.write_all(&[1; 64])?;
        Ok(Again)
    }

    fn recur(&mut self, _tyme: Tyme, _cx: &mut Cx<'_>) -> Result<Next, Fault> {
        let mut back = [0; 64];
        match self.stream.read(&mut back) {
            Ok(64) => {
                self.echoed += 1;
                self.stream.write_all(&back)?;
            }
            Ok(_) => return Err(Fault::msg("lost")),
            Err(e) if e.kind() == ErrorKind::WouldBlock => {}
            Err(e) => return Err(e.into()),
        }
        Ok(Again)
    }
}

/// Sleeps for another time each time.
struct Sleeper;

impl Doer for Sleeper {
    fn recur(&mut self, _tyme: Tyme, cx: &mut Cx<'_>) -> Result<Next, Fault> {
        let micros = cx.rng.range(100..20_000);
        Ok(After(Duration::from_micros(micros)))
    }
}

/// Parked; wakes itself up again at a tyme.
struct Parker;

impl Doer for Parker {
    fn recur(&mut self, tyme: Tyme, _cx: &mut Cx<'_>) -> Result<Next, Fault> {
        Ok(Park(tyme + Duration::from_millis(7)))
    }
}

#[test]
fn ten_thousand_warm_ticks_with_echo_traffic_allocate_nothing() {
    let mut net = MioNet::new().unwrap();
    let mut doist = Doist::new(()).with_tock(Duration::from_millis(1));
    let at = Endpoint::host("127.0.0.1", 0);
    let server = Server::new(at, ListenOptions::default(), Limits::default());
    let echo = doist.add(EchoServerDoer::new(server));
    for _ in 0..100 {
        doist.add(Sleeper);
        doist.add(Parker);
    }
    doist.enter(&mut net).unwrap();
    let at = doist.get(echo).unwrap().server().ha().addr().unwrap();
    let callers: Vec<Id<Caller>> = (0..CLIENTS)
        .map(|_| {
            let stream = TcpStream::connect(at).unwrap();
            stream.set_nonblocking(true).unwrap();
            doist
                .extend(&mut net, Caller { stream, echoed: 0 })
                .unwrap()
        })
        .collect();

    let echoed = |doist: &Doist| -> u64 {
        let of = |id: &Id<Caller>| doist.get(*id).map_or(0, |caller| caller.echoed);
        callers.iter().map(of).sum()
    };
    ticks(&mut doist, &mut net);
    let (before, region) = (echoed(&doist), Region::new(ALLOCATOR));
    ticks(&mut doist, &mut net);
    let change = region.change();
    let messages = echoed(&doist) - before;
    assert!(messages > 1_000, "only {messages} messages");
    assert_eq!(
        change.allocations, 0,
        "over {messages} messages: {change:?}"
    );
    assert_eq!(
        change.reallocations, 0,
        "over {messages} messages: {change:?}"
    );
}

fn ticks(doist: &mut Doist, net: &mut MioNet) {
    for _ in 0..TICKS {
        doist.recur(net).unwrap();
    }
}
