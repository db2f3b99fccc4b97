//! Goal: recording allocates nothing once it is warm, into a file and in flight.
//! Method: a counting allocator in a process with one test.

use std::alloc::System;
use std::io;

use hio::net::{Group, Layer, Net, NetError, NullNet, Owner, Record, Sid};
use hio::tyme::Tyme;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// A net with two sockets that always have something, by turns.
#[derive(Default)]
struct Busy {
    net: NullNet,
    turn: u64,
}

impl Layer for Busy {
    type Below = NullNet;
    fn below(&self) -> &NullNet {
        &self.net
    }
    fn below_mut(&mut self) -> &mut NullNet {
        &mut self.net
    }
    fn now(&mut self) -> Tyme {
        self.turn += 1;
        Tyme::from_nanos(self.turn * 20_000)
    }
    fn poll(&mut self, _: Tyme) -> Result<(), NetError> {
        Ok(())
    }
    fn woken(&mut self, out: &mut Vec<Owner>) {
        if self.turn % 2 == 0 {
            out.push(Owner(7));
        }
    }
    fn ready(&mut self, _: Group, out: &mut Vec<Sid>) {
        out.push(Sid::new(u32::from(self.turn % 2 > 0), 0));
    }
    fn read(&mut self, _: Sid, buf: &mut [u8]) -> Result<Option<usize>, NetError> {
        let n = usize::from(self.turn.to_le_bytes()[0] % 64);
        buf[..n].fill(7);
        Ok((n > 3).then_some(n))
    }
    fn write(&mut self, _: Sid, data: &[u8]) -> Result<usize, NetError> {
        Ok(data.len() / 2 * usize::from(self.turn % 8 > 0))
    }
}

fn turns(net: &mut dyn Net, count: usize, lists: &mut (Vec<Owner>, Vec<Sid>)) {
    let group = Group::new(1, 0);
    let mut buf = [0; 256];
    for _ in 0..count {
        lists.0.clear();
        lists.1.clear();
        net.now();
        net.poll(Tyme::from_secs(1)).unwrap();
        net.woken(&mut lists.0);
        net.ready(group, &mut lists.1);
        let n = net.read(lists.1[0], &mut buf).unwrap().unwrap_or(0);
        net.write(lists.1[0], &buf[..n]).unwrap();
        net.mark(lists.1[0]);
    }
}

#[test]
fn recording_allocates_nothing_when_it_is_warm() {
    let mut lists = (Vec::with_capacity(8), Vec::with_capacity(8));
    let file = Record::new(Busy::default(), io::sink(), "");
    let flight = Record::flight(Busy::default(), 20_000, "");
    for mut record in [file, flight] {
        turns(&mut record, 20_000, &mut lists);
        let region = Region::new(ALLOCATOR);
        turns(&mut record, 20_000, &mut lists);
        let change = region.change();
        assert_eq!((change.allocations, change.reallocations), (0, 0));
    }
}
