//! Simulation: what a message between simulated nodes costs, and what a node costs that has
//! nothing to do.
//!
//! Pairs of nodes play ping-pong with 64 bytes over links of 1 ms. The floor is a heap of timed
//! messages and boxed nodes: what a simulator that goes from event to event costs at least.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use hio::doing::prelude::*;
use hio::net::{ConnectOptions, DatagramOptions, Endpoint, Group, ListenOptions, Sid};
use hio::sim::{Boot, Sim};

use crate::measure::{nanos_since, now};
use crate::table::{Goal, Row, Table};
use crate::{Scale, allocated};

const PORT: u16 = 9000;
const SIZE: usize = 64;
const MILLI: Duration = Duration::from_millis(1);
const HOUR: Tyme = Tyme::from_secs(3600);

// ---- the floor

trait Host {
    /// Takes a message; gives the answer and whom it is for.
    fn on(&mut self, now: u64, from: u32, message: Vec<u8>) -> (u32, Vec<u8>);
}

struct Pong(u64);

impl Host for Pong {
    fn on(&mut self, now: u64, from: u32, message: Vec<u8>) -> (u32, Vec<u8>) {
        self.0 += now & 1;
        (from, message)
    }
}

/// Nanoseconds of each message.
fn floor(hosts: u32, messages: u64) -> f64 {
    let mut nodes: Vec<Box<dyn Host>> = (0..hosts).map(|_| Box::new(Pong(0)) as _).collect();
    let mut heap = BinaryHeap::new();
    let mut seq = 0u64;
    for i in (0..hosts).step_by(2) {
        let at = 1_000_000 + u64::from(i);
        heap.push(Reverse((at, seq, i + 1, i, vec![7u8; SIZE])));
        seq += 1;
    }
    let start = now();
    for _ in 0..messages {
        let Some(Reverse((at, _, to, from, message))) = heap.pop() else {
            return f64::NAN;
        };
        // A real network copies the payload once; so does this one.
        let (back, answer) = nodes[to as usize].on(at, from, message.clone());
        heap.push(Reverse((at + 1_000_000, seq, back, to, answer)));
        seq += 1;
    }
    nanos_since(start) as f64 / messages as f64
}

// ---- hio

/// Counts what it receives and sends it back, over a stream.
struct Stream {
    to: Option<Endpoint>,
    group: Option<Group>,
    listener: Option<Sid>,
    ready: Vec<Sid>,
}

impl Stream {
    fn new(to: Option<Endpoint>) -> Self {
        Self {
            to,
            group: None,
            listener: None,
            ready: Vec::new(),
        }
    }
}

impl Doer<u64> for Stream {
    fn enter(&mut self, cx: &mut Cx<'_, u64>) -> Result<Next, Fault> {
        let group = cx.net.group(cx.ask.owner());
        self.group = Some(group);
        match &self.to {
            Some(to) => drop(cx.net.connect(group, to, &ConnectOptions::default())?),
            None => {
                let at = Endpoint::host("", PORT);
                self.listener = Some(cx.net.listen(group, &at, &ListenOptions::default())?);
            }
        }
        Ok(Park(Tyme::NEVER))
    }

    fn recur(&mut self, _tyme: Tyme, cx: &mut Cx<'_, u64>) -> Result<Next, Fault> {
        let Some(group) = self.group else {
            return Ok(Done(false));
        };
        cx.net.ready(group, &mut self.ready);
        for sid in self.ready.drain(..) {
            if self.listener == Some(sid) {
                cx.net.accept(sid)?;
                continue;
            }
            let mut buf = [7; SIZE];
            match cx.net.read(sid, &mut buf)? {
                Some(n) => {
                    *cx.app += 1;
                    cx.net.write(sid, &buf[..n])?;
                }
                None if cx.net.connected(sid)? => drop(cx.net.write(sid, &buf)?),
                None => {}
            }
        }
        Ok(Park(Tyme::NEVER))
    }
}

/// The same over datagrams.
struct Datagrams {
    to: Option<Endpoint>,
    sid: Option<Sid>,
    group: Option<Group>,
    ready: Vec<Sid>,
}

impl Datagrams {
    fn new(to: Option<Endpoint>) -> Self {
        Self {
            to,
            sid: None,
            group: None,
            ready: Vec::new(),
        }
    }
}

impl Doer<u64> for Datagrams {
    fn enter(&mut self, cx: &mut Cx<'_, u64>) -> Result<Next, Fault> {
        let group = cx.net.group(cx.ask.owner());
        let at = Endpoint::Udp((Ipv4Addr::UNSPECIFIED, PORT).into());
        let sid = cx.net.bind(group, &at, &DatagramOptions::default())?;
        (self.sid, self.group) = (Some(sid), Some(group));
        if let Some(to) = &self.to {
            cx.net.send_to(sid, &[7; SIZE], Some(to))?;
        }
        Ok(Park(Tyme::NEVER))
    }

    fn recur(&mut self, _tyme: Tyme, cx: &mut Cx<'_, u64>) -> Result<Next, Fault> {
        let (Some(sid), Some(group)) = (self.sid, self.group) else {
            return Ok(Done(false));
        };
        cx.net.ready(group, &mut self.ready);
        self.ready.clear();
        let mut buf = [0; SIZE];
        while let Some(got) = cx.net.recv_from(sid, &mut buf)? {
            *cx.app += 1;
            cx.net.send_to(sid, &buf[..got.len], Some(&got.from))?;
        }
        Ok(Park(Tyme::NEVER))
    }
}

fn pairs(hosts: u32, streams: bool) -> Sim {
    let mut sim = Sim::new(1);
    for i in 0..hosts / 2 {
        sim.node(&format!("s{i}"), move |_: Boot| match streams {
            true => one(Stream::new(None)),
            false => one(Datagrams::new(None)),
        });
        sim.node(&format!("c{i}"), move |boot: Boot| {
            let server = format!("s{i}");
            match streams {
                true => one(Stream::new(boot.tcp(&server, PORT))),
                false => one(Datagrams::new(boot.udp(&server, PORT))),
            }
        });
    }
    sim
}

fn one<D: Doer<u64> + Send + 'static>(doer: D) -> Doist<u64> {
    let mut doist = Doist::new(0);
    doist.add(doer);
    doist
}

/// Simulates so many seconds and nothing else: what an instrument counts twice to take the
/// difference.
pub(crate) fn bare(what: &str, hosts: usize, seconds: u64) -> Result<(), String> {
    let hosts = u32::try_from(hosts).map_err(|e| e.to_string())?;
    let mut sim = match what {
        "datagrams" => pairs(hosts, false),
        "streams" => pairs(hosts, true),
        "crowd" => senders(hosts),
        other => return Err(format!("no simulation {other}")),
    };
    let done = sim.run_until(Tyme::from_secs(seconds));
    done.map_err(|e| e.to_string())?;
    println!("{} messages", received(&sim));
    Ok(())
}

fn received(sim: &Sim) -> u64 {
    sim.nodes().filter_map(|n| sim.app::<u64>(n)).sum()
}

/// Nanoseconds of each message.
fn ours(sim: &mut Sim, millis: u64) -> f64 {
    let before = received(sim);
    let start = now();
    if sim
        .run_for(MILLI * u32::try_from(millis).unwrap_or(1))
        .is_err()
    {
        return f64::NAN;
    }
    let nanos = nanos_since(start) as f64;
    nanos / (received(sim) - before) as f64
}

// ---- turmoil

fn turmoil(hosts: u32, streams: bool, millis: u64) -> f64 {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
    let count = Arc::new(AtomicU64::new(0));
    let mut sim = turmoil::Builder::new()
        .tick_duration(MILLI)
        .min_message_latency(MILLI)
        .max_message_latency(MILLI)
        .simulation_duration(Duration::from_secs(1 << 30))
        .build();
    for i in 0..hosts / 2 {
        let counted = Arc::clone(&count);
        sim.host(format!("s{i}"), move || {
            peer(None, streams, Arc::clone(&counted))
        });
        sim.client(
            format!("c{i}"),
            peer(Some(format!("s{i}")), streams, Arc::clone(&count)),
        );
    }
    let step = |sim: &mut turmoil::Sim<'_>| sim.step().is_ok();
    let mut fine = (0..20).all(|_| step(&mut sim));
    let (before, start) = (count.load(Relaxed), now());
    fine &= (0..millis).all(|_| step(&mut sim));
    let nanos = nanos_since(start) as f64;
    let messages = count.load(Relaxed) - before;
    if fine {
        nanos / messages as f64
    } else {
        f64::NAN
    }
}

async fn peer(
    to: Option<String>,
    streams: bool,
    count: std::sync::Arc<std::sync::atomic::AtomicU64>,
) -> turmoil::Result {
    use std::sync::atomic::Ordering::Relaxed;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use turmoil::net::{TcpListener, TcpStream, UdpSocket};
    let any = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    let mut buf = [7u8; SIZE];
    if streams {
        let mut stream = match to {
            None => TcpListener::bind((any, PORT)).await?.accept().await?.0,
            Some(server) => {
                let mut stream = TcpStream::connect((server, PORT)).await?;
                stream.write_all(&buf).await?;
                stream
            }
        };
        loop {
            stream.read_exact(&mut buf).await?;
            count.fetch_add(1, Relaxed);
            stream.write_all(&buf).await?;
        }
    }
    let socket = UdpSocket::bind((any, PORT)).await?;
    if let Some(server) = to {
        socket.send_to(&buf, (server, PORT)).await?;
    }
    loop {
        let (n, from) = socket.recv_from(&mut buf).await?;
        count.fetch_add(1, Relaxed);
        socket.send_to(&buf[..n], from).await?;
    }
}

// ---- the rows

pub(crate) fn run(table: &mut Table, scale: Scale) {
    for hosts in [2, 10, 100] {
        for streams in [false, true] {
            ping_pong(table, scale, hosts, streams);
        }
    }
    quiet(table, scale);
    heartbeats(table, scale);
    crowd(table, scale);
}

fn ping_pong(table: &mut Table, scale: Scale, hosts: u32, streams: bool) {
    let messages: u64 = if scale.quick() { 20_000 } else { 1_000_000 };
    let millis = messages / u64::from(hosts / 2);
    let mut sim = pairs(hosts, streams);
    let warm = sim.run_for(MILLI * 20);
    let (mut mine, mut least, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..scale.rounds() {
        least.push(floor(hosts, messages));
        mine.push(ours(&mut sim, millis));
        // It is slow, and slower the more hosts there are: few and short.
        if round < 3 {
            theirs.push(turmoil(hosts, streams, (millis / 100).max(20)));
        }
    }
    let (kind, goal) = if streams {
        ("streams", 400.0)
    } else {
        ("datagrams", 200.0)
    };
    let what = format!("simulation: a message between {hosts} hosts, {kind}");
    if let Err(why) = warm {
        return table.note(&what, &why.to_string());
    }
    table.row(Row {
        what: &what,
        unit: "ns",
        floor: &least,
        hio: &mine,
        goal: Goal::Figure(goal),
        ..Row::default()
    });
    table.row(Row {
        what: &format!(
            "simulation: the same in turmoil (in its own figures), {hosts} hosts, {kind}"
        ),
        unit: "ns",
        floor: &least,
        hio: &theirs,
        ..Row::default()
    });
}

/// An hour of a network on which nothing happens.
fn quiet(table: &mut Table, scale: Scale) {
    let millis = |sim: Option<Sim>| {
        let mut sim = sim?;
        let start = now();
        sim.run_until(HOUR).ok()?;
        Some(nanos_since(start) as f64 / 1e6)
    };
    let idle = || {
        let mut sim = pairs(0, true);
        for i in 0..500 {
            sim.node(&format!("n{i}"), |_: Boot| one(Stream::new(None)));
        }
        sim.run_for(MILLI).ok()?;
        Some(sim)
    };
    let figures: Vec<f64> = (0..scale.rounds()).filter_map(|_| millis(idle())).collect();
    table.row(Row {
        what: "simulation: an hour of 500 quiet hosts",
        unit: "ms",
        hio: &figures,
        goal: Goal::Figure(1.0),
        ..Row::default()
    });
}

/// Sends a datagram to one of `peers` every second.
struct Sender {
    peers: Vec<Endpoint>,
    sid: Option<Sid>,
    group: Option<Group>,
    next: Tyme,
    ready: Vec<Sid>,
}

impl Doer<u64> for Sender {
    fn enter(&mut self, cx: &mut Cx<'_, u64>) -> Result<Next, Fault> {
        let group = cx.net.group(cx.ask.owner());
        let at = Endpoint::Udp((Ipv4Addr::UNSPECIFIED, PORT).into());
        self.sid = Some(cx.net.bind(group, &at, &DatagramOptions::default())?);
        self.group = Some(group);
        self.next = Tyme::from_millis(cx.rng.below(1000));
        Ok(Park(self.next))
    }

    fn recur(&mut self, tyme: Tyme, cx: &mut Cx<'_, u64>) -> Result<Next, Fault> {
        let (Some(sid), Some(group)) = (self.sid, self.group) else {
            return Ok(Done(false));
        };
        cx.net.ready(group, &mut self.ready);
        self.ready.clear();
        let mut buf = [0; SIZE];
        while cx.net.recv_from(sid, &mut buf)?.is_some() {
            *cx.app += 1;
        }
        if tyme >= self.next {
            self.next += Duration::from_secs(1);
            let to = usize::try_from(cx.rng.below(self.peers.len() as u64)).unwrap_or(0);
            cx.net.send_to(sid, &buf, Some(&self.peers[to]))?;
        }
        Ok(Park(self.next))
    }
}

fn senders(hosts: u32) -> Sim {
    let mut sim = Sim::new(1);
    for i in 0..hosts {
        sim.node(&format!("n{i}"), move |boot: Boot| {
            let others = (0..hosts).filter(|other| *other != i);
            let peers = others.filter_map(|n| boot.udp(&format!("n{n}"), PORT));
            one(Sender {
                peers: peers.collect(),
                sid: None,
                group: None,
                next: Tyme::ZERO,
                ready: Vec::new(),
            })
        });
    }
    sim
}

fn heartbeats(table: &mut Table, scale: Scale) {
    let figures: Vec<f64> = (0..scale.rounds())
        .map(|_| {
            let mut sim = senders(3);
            let start = now();
            black_box(sim.run_until(HOUR).is_ok());
            nanos_since(start) as f64 / 1e6
        })
        .collect();
    table.row(Row {
        what: "simulation: an hour of 3 hosts that heartbeat once a second",
        unit: "ms",
        hio: &figures,
        goal: Goal::Figure(50.0),
        ..Row::default()
    });
}

fn crowd(table: &mut Table, scale: Scale) {
    let before = allocated();
    let mut sim = senders(500);
    let part = if scale.quick() { 60 } else { 1 };
    let start = now();
    black_box(sim.run_until(Tyme::from_secs(3600 / part)).is_ok());
    let seconds = nanos_since(start) as f64 / 1e9 * part as f64;
    let bytes = (allocated() - before) as f64;
    table.row(Row {
        what: "simulation: an hour of 500 hosts that each send a datagram a second to any other",
        unit: "s",
        hio: &[seconds],
        goal: Goal::Figure(20.0),
        ..Row::default()
    });
    table.row(Row {
        what: "simulation: the same, memory",
        unit: "MiB",
        hio: &[bytes / f64::from(1 << 20)],
        goal: Goal::Figure(1024.0),
        ..Row::default()
    });
}
