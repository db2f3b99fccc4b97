//! Goal: whichever call to the net fails, and however, the `sim_cluster` example goes on: nothing
//! panics, nothing is lost, and writes get through again.
//! Method: its programs on stations of a simulated world, driven by hand through a layer in which
//! the k-th call of a kind fails, for every k that is reached.

#[path = "../examples/sim_cluster/mod.rs"]
#[expect(dead_code, reason = "the example uses the rest")]
mod sim_cluster;

#[path = "support/failing.rs"]
#[expect(dead_code, reason = "tests/examples_torture.rs uses the rest")]
mod failing;

use std::time::Duration;

use failing::{CALLS, Call, Plan, Program};
use hio::net::{Endpoint, NetError};
use hio::sim::{NodeId, Sim};
use sim_cluster::caller::{Caller, caller};
use sim_cluster::checks::Checks;
use sim_cluster::disk::Disk;
use sim_cluster::member::{Member, Setup, member};

/// Runs three members and a caller until writes were acknowledged after the failure, or in all.
/// Says whether the call was reached.
fn story(kind: Call, why: NetError, nth: usize) -> bool {
    let plan = Plan::new(kind, why, nth);
    let mut sim = Sim::new(1);
    let nodes: Vec<NodeId> = ["a", "b", "c", "x"].map(|name| sim.station(name)).to_vec();
    let at = |n: u8| Endpoint::host(&format!("10.0.0.{}", n + 1), 7000);
    let addresses: Vec<Endpoint> = (0..3).map(at).collect();
    let mut members: Vec<Program<Member>> = (0..3)
        .map(|me: u8| {
            let (disk, members) = (Disk::default(), addresses.clone());
            Program::new(nodes[usize::from(me)], move || {
                let setup = Setup {
                    me,
                    members: members.clone(),
                    disk: disk.clone(),
                    plant: None,
                    tls: None,
                };
                member(setup).with_seed(me.into())
            })
        })
        .collect();
    let mut one: Program<Caller> = {
        let members = addresses.clone();
        Program::new(nodes[3], move || caller(9, &members, None))
    };
    let (mut checks, mut wanted) = (Checks::default(), 5);
    let mut told_of_it = false;
    for _ in 0..50_000 {
        for program in &mut members {
            program.turn(&mut sim, &plan);
        }
        one.turn(&mut sim, &plan);
        let heard = one
            .doist
            .as_mut()
            .map(|doist| std::mem::take(&mut doist.app.told));
        for told in heard.unwrap_or_default() {
            checks.caller(9, told).expect("nothing is broken");
        }
        if plan.failed.get() && !told_of_it {
            (told_of_it, wanted) = (true, checks.writes + 3);
        }
        if checks.writes >= wanted {
            return plan.failed.get();
        }
        let dues = members.iter().map(|program| program.due);
        let next = dues.chain([one.due, sim.next()]).min().expect("a few");
        let next = next.max(sim.tyme() + Duration::from_micros(1));
        sim.run_until(next).expect("nothing goes wrong");
    }
    panic!("{kind:?} {nth} {why:?}: no writes any more: {checks:?}");
}

#[test]
fn a2_whichever_call_fails_writes_get_through_again() {
    let mut reached = 0;
    for (kind, whys) in CALLS {
        for why in whys {
            let failed = (0..).take_while(|nth| story(kind, *why, *nth)).count();
            reached += failed;
            println!("{kind:?} {why:?}: {failed}");
        }
    }
    assert!(reached > 300, "{reached}");
}
