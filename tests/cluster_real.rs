//! Goal: the members and callers of the `sim_cluster` example are ordinary programs: they serve on
//! real sockets as they do in simulation.
//! Method: three members and a caller, each a Doist on a net of its own, turned one after the
//! other over Unix sockets, until writes and reads have been answered.
#![cfg(unix)]

#[path = "../examples/sim_cluster/mod.rs"]
#[expect(dead_code, reason = "the example uses the rest")]
mod sim_cluster;

use std::time::Duration;

use hio::doing::{Doist, Turn};
use hio::net::{Endpoint, MioNet, Net};
use sim_cluster::caller::{Told, caller};
use sim_cluster::checks::Checks;
use sim_cluster::disk::Disk;
use sim_cluster::member::{Setup, member, now};

fn turn<A>(doist: &mut Doist<A>, net: &mut MioNet) {
    let soon = net.now() + Duration::from_millis(1);
    net.poll(soon).expect("to poll");
    let turn = doist.turn(net).expect("no failure");
    assert!(matches!(turn, Turn::Sleep(_)));
}

#[test]
fn a_cluster_serves_on_real_sockets() {
    let dir = std::env::temp_dir().join(format!("hio-cluster-{}", std::process::id()));
    std::fs::create_dir_all(&dir).expect("a directory");
    let at = |n: u8| Endpoint::unix(dir.join(format!("m{n}")));
    let members: Vec<Endpoint> = (0..3).map(at).collect();
    let setup = |me| Setup {
        me,
        members: members.clone(),
        disk: Disk::default(),
        plant: None,
        tls: None,
    };
    let mut nodes: Vec<_> = (0..3)
        .map(|me| {
            (
                member(setup(me)).with_seed(me.into()),
                MioNet::new().expect("a poll"),
            )
        })
        .collect();
    let mut one = caller(9, &members, None);
    let mut net = MioNet::new().expect("a poll");
    let (mut checks, mut told) = (Checks::default(), Vec::new());
    let end = net.now() + Duration::from_secs(20);
    while checks.writes < 5 || checks.reads < 5 {
        assert!(net.now() < end, "so far: {told:?}");
        for (doist, net) in &mut nodes {
            turn(doist, net);
        }
        turn(&mut one, &mut net);
        for what in one.app.told.drain(..) {
            checks.caller(9, what).expect("nothing is broken");
            told.push(what);
        }
        let all = (0..).zip(&mut nodes).filter_map(|(number, (doist, net))| {
            Some((number, doist.app.replica.as_ref()?, now(net)))
        });
        checks.replicas(all).expect("nothing is broken");
    }
    assert!(told.iter().any(|what| matches!(what, Told::Stored { .. })));
    for (doist, net) in &mut nodes {
        doist.exit(net).expect("to close");
    }
    one.exit(&mut net).expect("to close");
    let _ = std::fs::remove_dir_all(dir);
}
