//! What the stories share: worlds to run them in, a peer to drive by hand, bounded stepping.
#![allow(dead_code, reason = "each test program uses a part of this")]

pub(crate) mod faulty;
pub(crate) mod memory;
#[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
pub(crate) mod pki;
pub(crate) mod simulated;
pub(crate) mod stream_stories;
pub(crate) mod streams;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use hio::link::{Client, ClientEvent, CloseReason, Event, Limits, Server};
use hio::net::{
    ConnectOptions, Endpoint, Group, ListenOptions, MioNet, Net, NetError, Owner, Shutdown, Sid,
    SocketOption,
};
use hio::sim::{Sim, Station};
use hio::tyme::Tyme;

pub(crate) const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// A net and an address in it.
pub(crate) struct World {
    pub(crate) name: &'static str,
    pub(crate) net: Box<dyn Net>,
    pub(crate) at: Endpoint,
    pub(crate) tcp: bool,
    dir: Option<PathBuf>,
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(dir) = &self.dir {
            let _ = std::fs::remove_dir_all(dir);
        }
    }
}

/// Runs a story over TCP v4 and v6 and Unix sockets, of the system, in memory, and in simulation.
pub(crate) fn everywhere(mut story: impl FnMut(&mut World)) {
    for mut world in worlds() {
        eprintln!("-- {}", world.name);
        story(&mut world);
    }
}

pub(crate) fn worlds() -> Vec<World> {
    let real = || Box::new(MioNet::new().unwrap());
    let (dir, path) = unix_path();
    let mut all = vec![
        World {
            name: "memory",
            net: Box::new(memory::MemoryNet::default()),
            at: Endpoint::host("127.0.0.1", 0),
            tcp: true,
            dir: None,
        },
        World {
            name: "tcp v4",
            net: real(),
            at: Endpoint::host("127.0.0.1", 0),
            tcp: true,
            dir: None,
        },
        World {
            name: "unix",
            net: real(),
            at: Endpoint::unix(path),
            tcp: false,
            dir: Some(dir),
        },
    ];
    all.push(World {
        name: "simulated",
        net: Box::new(simulation(1)),
        at: Endpoint::host("127.0.0.1", 0),
        tcp: true,
        dir: None,
    });
    // Machines without IPv6 exist.
    let mut net = real();
    let group = net.group(Owner::NONE);
    let at = Endpoint::host("::1", 0);
    if net.listen(group, &at, &ListenOptions::default()).is_ok() {
        net.close_group(group);
        all.push(World {
            name: "tcp v6",
            net,
            at,
            tcp: true,
            dir: None,
        });
    }
    all
}

/// A simulated world with one node, both ends in it, and a network that takes its time.
pub(crate) fn simulation(seed: u64) -> Station<Sim> {
    let slow = "latency uniform 100us 3ms".parse().unwrap();
    let mut sim = Sim::new(seed).with_loopback(slow);
    let node = sim.station("a");
    Station::new(sim, node)
}

pub(crate) fn unix_path() -> (PathBuf, PathBuf) {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    let dir = std::env::temp_dir().join(format!("hio-{}-{n}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let path = dir.join("s");
    (dir, path)
}

impl World {
    /// A world of a net of one's own.
    pub(crate) fn of(net: Box<dyn Net>) -> Self {
        Self {
            name: "own",
            net,
            at: Endpoint::host("127.0.0.1", 0),
            tcp: true,
            dir: None,
        }
    }

    pub(crate) fn server(&mut self, limits: Limits) -> Server {
        let mut server = Server::new(self.at.clone(), ListenOptions::default(), limits);
        server.open(self.net.as_mut(), Owner::NONE).unwrap();
        server
    }

    pub(crate) fn client(&mut self, server: &Server, limits: Limits) -> Client {
        let mut client = Client::new(server.eha(), ConnectOptions::default(), limits);
        let tyme = self.net.now();
        client.open(tyme, self.net.as_mut(), Owner::NONE).unwrap();
        client
    }

    pub(crate) fn peer(&mut self, server: &Server) -> Peer {
        let options = ConnectOptions::default();
        let group = self.net.group(Owner::NONE);
        let sid = self.net.connect(group, &server.eha(), &options).unwrap();
        Peer {
            sid,
            group,
            got: Vec::new(),
            ended: None,
        }
    }

    /// More bytes than all buffers of a connection take.
    pub(crate) fn much(&self) -> usize {
        match self.name {
            "memory" | "simulated" => 3_000_000,
            _ => 30_000_000,
        }
    }

    /// Waits a little, at most until `due`.
    pub(crate) fn wait(&mut self, due: Tyme) -> Tyme {
        let soon = self.net.now() + ms(5);
        self.net.poll(due.min(soon)).unwrap();
        self.net.now()
    }

    /// Steps until the story says that it is over.
    pub(crate) fn until(&mut self, what: &str, mut step: impl FnMut(Tyme, &mut dyn Net) -> bool) {
        for _ in 0..20_000 {
            let tyme = self.wait(Tyme::NEVER);
            if step(tyme, self.net.as_mut()) {
                return;
            }
        }
        panic!("{}: {what}: not reached", self.name);
    }
}

/// A peer that is driven call by call: as rude as one likes.
pub(crate) struct Peer {
    pub(crate) sid: Sid,
    group: Group,
    pub(crate) got: Vec<u8>,
    /// How its receiving side ended.
    pub(crate) ended: Option<Result<(), NetError>>,
}

impl Peer {
    pub(crate) fn connected(&self, net: &mut dyn Net) -> bool {
        net.connected(self.sid).unwrap()
    }

    pub(crate) fn send(&self, data: &[u8], net: &mut dyn Net) {
        assert_eq!(net.write(self.sid, data), Ok(data.len()));
    }

    /// Reads what is there.
    pub(crate) fn read(&mut self, net: &mut dyn Net) {
        let mut marks = Vec::new();
        net.ready(self.group, &mut marks);
        let mut buf = vec![0; 65536];
        for _ in 0..16 {
            if self.ended.is_some() {
                return;
            }
            match net.read(self.sid, &mut buf) {
                Ok(None) => return,
                Ok(Some(0)) => self.ended = Some(Ok(())),
                Ok(Some(n)) => self.got.extend(&buf[..n]),
                Err(why) => self.ended = Some(Err(why)),
            }
        }
    }

    pub(crate) fn finish(&self, net: &mut dyn Net) {
        net.shutdown(self.sid, Shutdown::Send).unwrap();
    }

    pub(crate) fn close(&self, net: &mut dyn Net) {
        net.close(self.sid);
    }

    /// Closes with a reset.
    pub(crate) fn reset(&self, net: &mut dyn Net) {
        net.set_option(self.sid, SocketOption::Linger(Some(Duration::ZERO)))
            .unwrap();
        net.close(self.sid);
    }
}

/// Why connections ended, in order.
pub(crate) fn reasons(server: &mut Server) -> Vec<CloseReason> {
    let closed = |event| match event {
        Event::Closed(_, reason) => Some(reason),
        _ => None,
    };
    server.events().filter_map(closed).collect()
}

pub(crate) fn client_reasons(client: &mut Client) -> Vec<CloseReason> {
    let closed = |event| match event {
        ClientEvent::Closed(reason) => Some(reason),
        _ => None,
    };
    client.events().filter_map(closed).collect()
}

/// Bytes in which every shift and gap shows.
pub(crate) fn pattern(len: usize) -> Vec<u8> {
    (0..len)
        .map(|i| (i.wrapping_mul(31) ^ (i >> 8)).to_le_bytes()[0])
        .collect()
}
