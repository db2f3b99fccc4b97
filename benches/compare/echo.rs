//! Echo servers in processes of their own under the same load, in turn.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::Scale;
use crate::load::{Kind, Plan};
use crate::process::{LOAD_CORE, Served, pinned};
use crate::table::{Goal, Row, Table};

/// The servers of a case. The floor runs twice: what the two differ by is noise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Peer {
    Floor,
    Again,
    Mio,
    Tokio,
    /// hio's example, or what `--candidate` says.
    Hio,
    /// hio beside a thousand other doers.
    HioBusy,
    /// hio without them, in the same program.
    HioAlone,
}

/// Those that most cases compare.
pub(crate) const ALL: [Peer; 5] = [Peer::Floor, Peer::Again, Peer::Mio, Peer::Tokio, Peer::Hio];

/// What one run gave, by the names that the load uses.
pub(crate) type Figures = BTreeMap<String, f64>;

/// A run in which others took more than this share of the cores is taken again.
pub(crate) const LOST_AT_MOST: f64 = 0.03;

/// What an operation is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speaks {
    Echo,
    Http,
}

/// How servers and load are started.
#[derive(Debug)]
pub(crate) struct Bench {
    pub(crate) scale: Scale,
    /// This program, which is the load, too.
    myself: String,
    /// The program with all servers but hio's example.
    server: String,
    /// What its servers speak.
    speaks: Speaks,
    candidate: Option<Vec<String>>,
    /// Where the certificates are, when all is about TLS.
    certs: Option<PathBuf>,
}

impl Bench {
    pub(crate) fn new(scale: Scale, candidate: Option<&str>) -> Result<Self, String> {
        let candidate = match candidate {
            Some(command) => command.to_owned(),
            None => built("echo_server")?,
        };
        Self::plain(scale, Some(&candidate), Speaks::Echo)
    }

    fn plain(scale: Scale, candidate: Option<&str>, speaks: Speaks) -> Result<Self, String> {
        let myself = std::env::current_exe().map_err(|e| e.to_string())?;
        let words = |command: &str| command.split_whitespace().map(str::to_owned).collect();
        Ok(Self {
            scale,
            myself: myself.display().to_string(),
            server: built("compare_server")?,
            speaks,
            candidate: candidate.map(words),
            certs: None,
        })
    }

    /// Servers of HTTP, without TLS.
    pub(crate) fn http(scale: Scale, candidate: Option<&str>) -> Result<Self, String> {
        Self::plain(scale, candidate, Speaks::Http)
    }

    /// Servers with TLS.
    pub(crate) fn tls(
        scale: Scale,
        candidate: Option<&str>,
        speaks: Speaks,
    ) -> Result<Self, String> {
        let certs = std::env::temp_dir().join(format!("hio-compare-{}", std::process::id()));
        crate::tls_config::write_certificates(&certs)?;
        let mut bench = Self::plain(scale, candidate, speaks)?;
        bench.certs = Some(certs);
        Ok(bench)
    }

    /// A file among the certificates.
    fn cert(&self, name: &str) -> String {
        let dir = self.certs.clone().unwrap_or_default();
        dir.join(name).display().to_string()
    }

    /// What the program with the servers calls a peer.
    fn kind(&self, peer: Peer) -> &'static str {
        let secure = self.certs.is_some();
        match (peer, self.speaks, secure) {
            (Peer::Floor | Peer::Again | Peer::Mio, Speaks::Http, _) => "mio-http",
            (Peer::Tokio, Speaks::Http, _) => "hyper",
            (Peer::Hio | Peer::HioAlone | Peer::HioBusy, Speaks::Http, _) => "hio-http",
            (Peer::Floor | Peer::Again | Peer::Mio, Speaks::Echo, true) => "mio-rustls",
            (Peer::Tokio, Speaks::Echo, true) => "tokio-rustls",
            (Peer::Hio | Peer::HioAlone | Peer::HioBusy, Speaks::Echo, true) => "hio-tls",
            (Peer::Floor | Peer::Again, Speaks::Echo, false) => "epoll",
            (Peer::Mio, Speaks::Echo, false) => "mio",
            (Peer::Tokio, Speaks::Echo, false) => "tokio",
            (Peer::Hio | Peer::HioAlone | Peer::HioBusy, Speaks::Echo, false) => "hio",
        }
    }

    /// The command line of a server.
    pub(crate) fn command(&self, peer: Peer) -> Vec<String> {
        let words = |words: &[&str]| words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>();
        let (cert, key) = (self.cert("server.pem"), self.cert("server.key"));
        let mut command = match (peer, &self.candidate) {
            (Peer::Hio, Some(candidate)) => candidate.clone(),
            _ => words(&[&self.server, self.kind(peer)]),
        };
        let more = match (peer, &self.candidate, &self.certs) {
            (Peer::Hio, Some(_), None) => words(&["--addr", "127.0.0.1:0"]),
            (Peer::Hio, Some(_), Some(_)) => {
                let secure = ["--tls", "--cert", &cert, "--key", &key];
                [words(&["--addr", "127.0.0.1:0"]), words(&secure)].concat()
            }
            (_, _, Some(_)) => words(&["--certs", &self.cert("")]),
            (Peer::HioBusy, ..) => words(&["--doers", "1000"]),
            _ => Vec::new(),
        };
        command.extend(more);
        command
    }

    /// Loads a server that runs.
    pub(crate) fn load(&self, served: &Served, plan: Plan, look: bool) -> Result<Figures, String> {
        let kind = match plan.kind {
            Kind::Echo => "echo",
            Kind::Connect => "connect",
            Kind::Idle => "idle",
            Kind::Get => "get",
            Kind::Post => "post",
            Kind::Channel => "channel",
            Kind::Tarpc => "tarpc",
        };
        let mut command = Command::new(&self.myself);
        command.args(["--load", kind, "--addr", &served.addr]);
        for (name, value) in [
            ("--pid", u64::from(if look { served.pid() } else { 0 })),
            ("--conns", plan.conns as u64),
            ("--size", plan.size as u64),
            ("--pipeline", plan.pipeline),
        ] {
            command.args([name, &value.to_string()]);
        }
        command.args(["--load-secs", &plan.seconds.to_string()]);
        if self.certs.is_some() {
            command.args(["--certs", &self.cert("")]);
        }
        if plan.resume {
            command.arg("--resume");
        }
        if let Some(count) = plan.count {
            command.args(["--count", &count.to_string()]);
        }
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = pinned(LOAD_CORE, || command.spawn()).map_err(|e| e.to_string())?;
        let out = child.wait_with_output().map_err(|e| e.to_string())?;
        if !out.status.success() {
            return Err(String::from_utf8_lossy(&out.stderr).trim().to_owned());
        }
        Ok(figures(&String::from_utf8_lossy(&out.stdout)))
    }

    /// One run on a fresh server, taken again when others disturbed it.
    fn once(&self, peer: Peer, plan: Plan) -> Result<Figures, String> {
        let mut best: Option<Figures> = None;
        let tries = if self.scale.quick { 1 } else { 4 };
        for _ in 0..tries {
            let served = Served::start(&self.command(peer), Duration::from_secs(5))?;
            let figures = self.load(&served, plan, true)?;
            served.stop();
            let lost = |f: &Figures| f.get("lost").copied().unwrap_or(0.0);
            if best.as_ref().is_none_or(|b| lost(&figures) < lost(b)) {
                best = Some(figures);
            }
            if best.as_ref().is_some_and(|b| lost(b) <= LOST_AT_MOST) {
                break;
            }
        }
        best.ok_or_else(|| "no run".to_owned())
    }

    /// All peers in turn, round after round, the order reversed in every other one.
    pub(crate) fn rounds(&self, cases: &[(Peer, Plan)], rounds: usize) -> Result<Runs, String> {
        let mut runs = Runs::new();
        for round in 0..rounds {
            let mut order: Vec<usize> = (0..cases.len()).collect();
            if round % 2 == 1 {
                order.reverse();
            }
            for i in order {
                let (peer, plan) = cases[i];
                let figures = self
                    .once(peer, plan)
                    .map_err(|e| format!("{peer:?}: {e}"))?;
                runs.entry(peer).or_default().push(figures);
            }
        }
        Ok(runs)
    }

    pub(crate) fn plan(&self, conns: usize, size: usize, pipeline: u64, kind: Kind) -> Plan {
        Plan {
            conns,
            size,
            pipeline,
            kind,
            seconds: self.scale.seconds,
            count: None,
            resume: false,
        }
    }

    /// Rate, processor time and latency of echoes.
    pub(crate) fn echo(&self, table: &mut Table) {
        for (conns, pipeline) in [(1, 1), (50, 1), (1000, 1), (1, 16), (50, 16)] {
            let what = format!("echo of 64 B, {conns} conns, {pipeline} in flight");
            let plan = self.plan(conns, 64, pipeline, Kind::Echo);
            let latency = (conns, pipeline) == (1, 1);
            self.case(table, &what, plan, "rate", latency);
        }
        let plan = self.plan(8, 64 << 10, 2, Kind::Echo);
        self.case(table, "echo of 64 KiB, 8 conns", plan, "mib", false);
        self.beside_doers(table);
    }

    /// Connect, one echo, close.
    pub(crate) fn connect(&self, table: &mut Table) {
        let plan = self.plan(16, 64, 1, Kind::Connect);
        self.case(table, "connect, one echo, close", plan, "rate", false);
    }

    fn case(&self, table: &mut Table, what: &str, plan: Plan, rate: &str, latency: bool) {
        let cases = ALL.map(|peer| (peer, plan));
        let runs = match self.rounds(&cases, self.scale.rounds) {
            Ok(runs) => runs,
            Err(why) => return table.note(what, &why),
        };
        let unit = if rate == "mib" { "MiB/s" } else { "/s" };
        let goal = match plan.kind {
            Kind::Connect => Goal::None,
            _ => Goal::RatioAtLeast(0.98),
        };
        row(table, &format!("{what}: rate"), unit, (&runs, rate), goal);
        let what_cpu = format!("{what}: server CPU");
        row(table, &what_cpu, "µs", (&runs, "cpu"), Goal::Ratio(1.03));
        if latency {
            let what = format!("{what}: latency p50");
            row(table, &what, "µs", (&runs, "p50"), Goal::Ratio(1.03));
        }
    }

    /// One connection to a server that runs 1 000 other doers 32 times a second.
    fn beside_doers(&self, table: &mut Table) {
        let what = "1 conn beside 1 000 doers at 32 Hz, floor: hio alone, time";
        let plan = self.plan(1, 64, 1, Kind::Echo);
        let cases = [(Peer::HioAlone, plan), (Peer::HioBusy, plan)];
        match self.rounds(&cases, self.scale.rounds) {
            Err(why) => table.note(what, &why),
            Ok(runs) => table.row(Row {
                what,
                unit: "µs",
                floor: &times(&runs, Peer::HioAlone),
                hio: &times(&runs, Peer::HioBusy),
                goal: Goal::Ratio(1.05),
                ..Row::default()
            }),
        }
    }

    /// Many connections that say nothing, and one that does.
    pub(crate) fn idle(&self, table: &mut Table) {
        let conns = if self.scale.quick { 1_000 } else { 10_000 };
        let rounds = self.scale.rounds.div_ceil(4);
        let plan = self.plan(conns, 64, 1, Kind::Idle);
        let cases = ALL.map(|peer| (peer, plan));
        let runs = match self.rounds(&cases, rounds) {
            Ok(runs) => runs,
            Err(why) => return table.note("idle connections", &why),
        };
        let name = crate::table::thousands(conns);
        let what = format!("{name} idle conns: memory, each");
        row(table, &what, "B", (&runs, "bytes"), Goal::Figure(300.0));
        let what = format!("{name} idle conns: CPU");
        row(table, &what, "%", (&runs, "idle"), Goal::Figure(0.004));
        self.active(table, &name, plan);
    }

    /// One busy connection among the idle ones, and the same server with that one alone.
    fn active(&self, table: &mut Table, name: &str, crowd: Plan) {
        let alone = Plan { conns: 1, ..crowd };
        let what = format!("1 active of {name}, floor: hio with 1, time");
        let (mut one, mut among) = (Vec::new(), Vec::new());
        for round in 0..self.scale.rounds {
            let mut pair = [(alone, &mut one), (crowd, &mut among)];
            if round % 2 == 1 {
                pair.reverse();
            }
            for (plan, into) in pair {
                match self.once(Peer::Hio, plan) {
                    Ok(figures) => into.push(1e6 / figures["rate"]),
                    Err(why) => return table.note(&what, &why),
                }
            }
        }
        table.row(Row {
            what: &what,
            unit: "µs",
            floor: &one,
            hio: &among,
            goal: Goal::Ratio(1.05),
            ..Row::default()
        });
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        if let Some(certs) = &self.certs {
            drop(std::fs::remove_dir_all(certs));
        }
    }
}

/// The figures of every round of every peer.
pub(crate) type Runs = BTreeMap<Peer, Vec<Figures>>;

pub(crate) fn pick(runs: &Runs, peer: Peer, key: &str) -> Vec<f64> {
    let of = |f: &Figures| f.get(key).copied().unwrap_or(f64::NAN);
    runs.get(&peer)
        .map_or_else(Vec::new, |rounds| rounds.iter().map(of).collect())
}

/// Microseconds an operation, from the rate.
fn times(runs: &Runs, peer: Peer) -> Vec<f64> {
    pick(runs, peer, "rate").iter().map(|r| 1e6 / r).collect()
}

pub(crate) fn row(
    table: &mut Table,
    what: &str,
    unit: &str,
    (runs, key): (&Runs, &str),
    goal: Goal,
) {
    table.row(Row {
        what,
        unit,
        floor: &pick(runs, Peer::Floor, key),
        again: &pick(runs, Peer::Again, key),
        mio: &pick(runs, Peer::Mio, key),
        tokio: &pick(runs, Peer::Tokio, key),
        hio: &pick(runs, Peer::Hio, key),
        goal,
    });
}

/// `key=value` pairs.
pub(crate) fn figures(text: &str) -> Figures {
    text.split_whitespace()
        .filter_map(|pair| pair.split_once('='))
        .filter_map(|(key, value)| Some((key.to_owned(), value.parse().ok()?)))
        .collect()
}

/// Builds an example beside this program, with the same provider, and gives its path.
pub(crate) fn built(example: &str) -> Result<String, String> {
    let mut path = std::env::current_exe().map_err(|e| e.to_string())?;
    let mut cargo = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()));
    cargo
        .args(["build", "--release", "--quiet", "--example", example])
        .args(["--manifest-path"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
    if cfg!(feature = "aws-lc-rs") {
        cargo.args(["--features", "aws-lc-rs"]);
    }
    if !cargo.status().is_ok_and(|status| status.success()) {
        return Err(format!("the example {example} could not be built"));
    }
    path.pop(); // the file's name
    path.pop(); // deps
    path.push(format!("examples/{example}"));
    match path.exists() {
        true => Ok(path.display().to_string()),
        false => Err(format!("no {}", path.display())),
    }
}
