//! The world of a seed: replicas and callers as nodes of a simulation, its faults, and what is
//! checked while it runs.
//!
//! First things go wrong and only safety counts. Then all is healed, and at the end somebody must
//! have written since.

use std::path::Path;
use std::time::Duration;

use hio::doing::{Doist, Fault};
use hio::link::tls::{ClientTls, ServerTls, TlsError};
use hio::net::Endpoint;
use hio::sim::{
    Boot, Case, Failure, Family, FaultPlan, NodeId, OnFailure, Run, Scenario, Sim, Station, Swarm,
    tls,
};
use hio::tyme::Tyme;

use super::caller::{Caller, caller};
use super::checks::{Broken, Checks};
use super::disk::Disk;
use super::member::{Member, Setup, member, now};
use super::replica::{Now, Plant};

/// Where members listen.
const PORT: u16 = 7000;
/// How long one swarm goes on.
const STRETCH: Duration = Duration::from_secs(20);
/// Clocks that go wrong in a stretch, at most, in seeds that have but these and partitions.
const CLOCKS: u32 = 40;
/// The callers' names.
const CALLERS: [&str; 2] = ["x", "y"];
/// The least number of replicas that can lose one.
pub(crate) const REPLICAS_MIN: u32 = 3;
pub(crate) const REPLICAS_MAX: u32 = 9;

/// What is the same for all seeds.
#[derive(Clone, Debug)]
pub(crate) struct Cluster {
    pub(crate) replicas: u32,
    /// Everything goes wrong so long …
    pub(crate) time: Duration,
    /// … and nothing then.
    pub(crate) calm: Duration,
    pub(crate) tls: bool,
    pub(crate) plant: Option<Plant>,
    /// At most so many faults.
    pub(crate) faults: Option<usize>,
    /// Each case runs twice, and must come to the same.
    pub(crate) check: bool,
}

impl Default for Cluster {
    fn default() -> Self {
        Self {
            replicas: 3,
            time: Duration::from_secs(20),
            calm: Duration::from_secs(10),
            tls: true,
            plant: None,
            faults: None,
            check: false,
        }
    }
}

/// A simulation of the cluster, and what is known of it.
pub(crate) struct World {
    pub(crate) sim: Sim,
    members: Vec<NodeId>,
    callers: Vec<NodeId>,
    pub(crate) checks: Checks,
    healed: Tyme,
    end: Tyme,
}

/// When the stretches of a run begin.
fn stretches(time: Duration) -> impl Iterator<Item = Duration> {
    (0..)
        .map(|n| STRETCH * n)
        .take_while(move |start| *start < time)
}

/// A replica's name: a, b, c …
pub(crate) fn name(number: u32) -> String {
    char::from_u32(u32::from('a') + number)
        .into_iter()
        .collect()
}

fn names(replicas: u32) -> Vec<String> {
    (0..replicas).map(name).collect()
}

fn addresses(boot: &Boot, names: &[String]) -> Vec<Endpoint> {
    names
        .iter()
        .filter_map(|name| boot.tcp(name, PORT))
        .collect()
}

/// Members speak TLS with each other and with callers, and know each other by their certificates.
fn configurations() -> Result<(ServerTls, ClientTls), TlsError> {
    let server = tls::server().client_ca(tls::CA).build()?;
    Ok((server, tls::certified_client().build()?))
}

impl World {
    /// Builds the world of a case; nothing has happened yet.
    /// With `text` the trace is kept as text, too.
    pub(crate) fn new(cluster: &Cluster, case: &Case, text: bool) -> Result<Self, Fault> {
        // A member that cannot listen, for want of descriptors, is started again as a service is.
        let mut sim =
            Sim::new(case.seed).on_failure(OnFailure::Restart(Duration::from_millis(500)));
        if text {
            sim = sim.with_trace();
        }
        let (tls, plant) = (cluster.tls.then(configurations).transpose()?, cluster.plant);
        let names = names(case.nodes);
        let mut members = Vec::new();
        for me in 0..case.nodes {
            // What the crash of a node leaves.
            let disk = Disk::default();
            let (names, tls) = (names.clone(), tls.clone());
            let boot = move |boot: Boot| {
                member(Setup {
                    me: u8::try_from(me).unwrap_or(u8::MAX),
                    members: addresses(&boot, &names),
                    disk: disk.clone(),
                    plant,
                    tls: tls.clone(),
                })
            };
            members.push(sim.node(&name(me), boot));
        }
        let mut callers = Vec::new();
        for (number, who) in (100..).zip(CALLERS) {
            let (names, tls) = (names.clone(), tls.clone().map(|(_, tls)| tls));
            let boot = move |boot: Boot| -> Doist<Caller> {
                caller(number, &addresses(&boot, &names), tls.clone())
            };
            callers.push(sim.node(who, boot));
        }
        sim.plan(&case.faults)?;
        let healed = Tyme::ZERO + case.time;
        sim.at(healed, Sim::mend);
        Ok(Self {
            sim,
            members,
            callers,
            checks: Checks::default(),
            healed,
            end: healed + case.calm,
        })
    }

    /// Runs to the end, or to what is broken.
    pub(crate) fn run(&mut self) -> Option<Failure> {
        let mut writes = None;
        while self.sim.next() <= self.end {
            if let Err(why) = self.sim.step() {
                return Some(self.failure("error", why.to_string()));
            }
            if writes.is_none() && self.sim.tyme() >= self.healed {
                writes = Some(self.checks.writes);
            }
            if let Err(broken) = self.look() {
                return Some(self.broken(&broken));
            }
        }
        // Without a calm there is nothing to be live in.
        let calm = self.end > self.healed;
        let progress = !calm || writes.is_none_or(|writes| self.checks.writes > writes);
        (!progress).then(|| self.broken(&Broken::NoProgress))
    }

    /// Checks everything as it is at this moment.
    fn look(&mut self) -> Result<(), Broken> {
        for (number, id) in (100..).zip(&self.callers) {
            let Some(caller) = self.sim.app_mut::<Caller>(*id) else {
                continue; // it is down
            };
            for told in std::mem::take(&mut caller.told) {
                self.checks.caller(number, told)?;
            }
        }
        let sim = &mut self.sim;
        let clocks = self
            .members
            .iter()
            .map(|id| now(&mut Station::new(&mut *sim, *id)));
        let clocks: Vec<Now> = clocks.collect();
        let up = (0..)
            .zip(&self.members)
            .zip(clocks)
            .filter_map(|((number, id), now)| {
                let replica = self.sim.app::<Member>(*id)?.replica.as_ref()?;
                Some((number, replica, now))
            });
        self.checks.replicas(up)
    }

    /// Stops the run; the trace ends with what is broken.
    fn broken(&mut self, broken: &Broken) -> Failure {
        let detail = broken.to_string();
        self.sim.stop(&detail);
        self.failure(broken.name(), detail)
    }

    fn failure(&self, name: &str, detail: String) -> Failure {
        Failure {
            name: name.to_owned(),
            detail,
            at: self.sim.tyme(),
        }
    }

    /// What the run came to.
    fn told(&self, failure: Option<Failure>) -> Run {
        let checks = self.sim.checks();
        let marks = checks.sometimes.iter().chain(&checks.reachable);
        Run {
            hash: self.sim.trace_hash(),
            failure,
            marks: marks
                .map(|(name, check)| (name.clone(), check.held > 0))
                .collect(),
        }
    }
}

impl Cluster {
    /// The faults of a stretch.
    fn stretch(&self, seed: u64, mut swarm: Swarm, names: &[&str], long: Duration) -> FaultPlan {
        match seed % 4 {
            // Flipped bits are noticed by TLS and by nothing else.
            0 if self.tls => {
                let families = [swarm.families(), &[Family::Flip]].concat();
                swarm.with_families(&families).plan(names, long)
            }
            // A clock that jumps does harm only while its node is cut off: a usual swarm has both
            // at one moment in a seed of thousands.
            2 => {
                let mut plan = swarm
                    .clone()
                    .with_families(&[Family::Partition])
                    .plan(names, long);
                swarm.each_at_most = CLOCKS;
                let clocks = swarm.with_families(&[Family::Clock]).plan(names, long);
                plan.faults.extend(clocks.faults);
                plan.faults.sort_by_key(|(tyme, _)| *tyme);
                plan
            }
            _ => swarm.plan(names, long),
        }
    }

    fn once(&self, case: &Case) -> Run {
        match World::new(self, case, false) {
            Ok(mut world) => {
                let failure = world.run();
                world.told(failure)
            }
            Err(why) => Run {
                failure: Some(Failure {
                    name: "plan".to_owned(),
                    detail: why.to_string(),
                    at: Tyme::ZERO,
                }),
                ..Run::default()
            },
        }
    }
}

impl Scenario for Cluster {
    fn case(&self, seed: u64) -> Case {
        let names = names(self.replicas);
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut faults = FaultPlan::new();
        // Each stretch has a swarm of its own, or a long run would have one kind of trouble only.
        for (stretch, start) in (0..).zip(stretches(self.time)) {
            let long = STRETCH.min(self.time - start);
            let plan = self.stretch(seed, Swarm::new(seed ^ stretch << 32), &names, long);
            faults.faults.extend(
                plan.faults
                    .into_iter()
                    .map(|(at, fault)| (at + start, fault)),
            );
        }
        faults.faults.truncate(self.faults.unwrap_or(usize::MAX));
        Case {
            seed,
            nodes: self.replicas,
            time: self.time,
            calm: self.calm,
            faults,
        }
    }

    fn run(&self, case: &Case) -> Run {
        let run = self.once(case);
        if self.check && run.failure.is_none() && self.once(case).hash != run.hash {
            let failure = Failure {
                name: "not repeated".to_owned(),
                detail: "two runs of one seed differ".to_owned(),
                at: Tyme::ZERO + case.time + case.calm,
            };
            return Run {
                failure: Some(failure),
                ..run
            };
        }
        run
    }

    fn command(&self, case: &Case, faults: &Path) -> String {
        let plant = self
            .plant
            .map(|plant| format!(" --plant {plant}"))
            .unwrap_or_default();
        let tls = if self.tls { "" } else { " --no-tls" };
        let check = if self.check { " --check" } else { "" };
        format!(
            "sim_cluster --seed {} --nodes {} --secs {} --calm {} --faults {}{tls}{plant}{check}",
            case.seed,
            case.nodes,
            (case.time + case.calm).as_secs_f64(),
            case.calm.as_secs_f64(),
            faults.display()
        )
    }

    fn fewer_nodes(&self, case: &Case) -> Option<Case> {
        let nodes = case
            .nodes
            .checked_sub(1)
            .filter(|nodes| *nodes >= REPLICAS_MIN)?;
        let gone = name(nodes);
        let mut case = Case {
            nodes,
            ..case.clone()
        };
        case.faults
            .faults
            .retain(|(_, fault)| !fault.nodes().contains(&gone.as_str()));
        Some(case)
    }
}
