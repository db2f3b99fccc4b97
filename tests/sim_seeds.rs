//! Goal: no seed breaks the `sim_cluster` example; tests to be spread over machines by those who
//! spread tests. Method: eight parts of a campaign, together `HIO_SIM_SEEDS` seeds (default 8).

#[path = "../examples/sim_cluster/mod.rs"]
#[expect(dead_code, reason = "the example uses the rest")]
mod sim_cluster;

use hio::sim::Campaign;
use sim_cluster::cluster::Cluster;

const PARTS: u64 = 8;

fn part(number: u64) {
    let asked = std::env::var("HIO_SIM_SEEDS").ok();
    let seeds = asked.map_or(PARTS, |text| text.parse().expect("a number of seeds"));
    let shard = format!("{number}/{PARTS}").parse().expect("a shard");
    let campaign = Campaign::new(0..seeds).with_shard(shard);
    let report = campaign.run(&Cluster::default()).expect("no files");
    if let Some(found) = report.found {
        panic!(
            "{}\n{}\n{}",
            found.failure, found.least.faults, found.command
        );
    }
    assert_eq!(
        report.runs,
        seeds / PARTS + u64::from(number <= seeds % PARTS)
    );
}

#[test]
fn part_1() {
    part(1);
}

#[test]
fn part_2() {
    part(2);
}

#[test]
fn part_3() {
    part(3);
}

#[test]
fn part_4() {
    part(4);
}

#[test]
fn part_5() {
    part(5);
}

#[test]
fn part_6() {
    part(6);
}

#[test]
fn part_7() {
    part(7);
}

#[test]
fn part_8() {
    part(8);
}
