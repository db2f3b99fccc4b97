//! What the net's tests share: pairs of connected sockets of every kind, and bounded waiting.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(
    clippy::allow_attributes,
    reason = "an expectation holds in some files only"
)]

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use hio::net::{ConnectOptions, Endpoint, Group, ListenOptions, MioNet, Net, NetError, Owner, Sid};

/// The kinds of stream that every story is told on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    V4,
    V6,
    Unix,
}

/// All kinds that this machine has.
pub(crate) fn kinds() -> Vec<Kind> {
    let mut kinds = vec![Kind::V4];
    match std::net::TcpListener::bind("[::1]:0") {
        Ok(_) => kinds.push(Kind::V6),
        Err(e) => println!("skipped: no IPv6 here ({e})"),
    }
    if cfg!(unix) {
        kinds.push(Kind::Unix);
    }
    kinds
}

/// A directory that is removed at the end of the test.
pub(crate) struct TempDir(PathBuf);

impl TempDir {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "hio-net-{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).expect("a temporary directory");
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A net, one group in it, and a listener.
pub(crate) struct Rig {
    pub(crate) net: MioNet,
    pub(crate) group: Group,
    pub(crate) listener: Sid,
    pub(crate) at: Endpoint,
    dir: TempDir,
}

impl Rig {
    pub(crate) fn new(kind: Kind) -> Self {
        Self::with(kind, &ListenOptions::default())
    }

    pub(crate) fn with(kind: Kind, options: &ListenOptions) -> Self {
        let dir = TempDir::new();
        let mut net = MioNet::new().expect("a poll");
        let group = net.group(Owner(7));
        let at = match kind {
            Kind::V4 => Endpoint::host("127.0.0.1", 0),
            Kind::V6 => Endpoint::host("::1", 0),
            Kind::Unix => Endpoint::unix(dir.path("s")),
        };
        let listener = net.listen(group, &at, options).expect("to listen");
        let at = net.local(listener).expect("an address");
        Self {
            net,
            group,
            listener,
            at,
            dir,
        }
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir.0
    }

    /// Dials the listener and accepts: (client, server).
    pub(crate) fn pair(&mut self) -> (Sid, Sid) {
        self.pair_with(&ConnectOptions::default())
    }

    pub(crate) fn pair_with(&mut self, options: &ConnectOptions) -> (Sid, Sid) {
        let at = self.at.clone();
        let client = self.net.connect(self.group, &at, options).expect("to dial");
        let server = self.accept();
        until(&mut self.net, |net| {
            net.connected(client).expect("a connection").then_some(())
        });
        (client, server)
    }

    pub(crate) fn accept(&mut self) -> Sid {
        let listener = self.listener;
        until(&mut self.net, |net| {
            net.accept(listener).expect("accept").map(|(sid, _)| sid)
        })
    }

    /// Reads until `want` bytes have come.
    pub(crate) fn read(&mut self, sid: Sid, want: usize) -> Vec<u8> {
        let mut got = Vec::new();
        let mut buf = vec![0; 65536];
        until(&mut self.net, |net| {
            while got.len() < want {
                let n = net.read(sid, &mut buf).expect("to read")?;
                assert_ne!(n, 0, "the end after {} bytes", got.len());
                got.extend_from_slice(&buf[..n]);
            }
            assert!(got.len() <= want, "more than was sent");
            Some(())
        });
        got
    }

    /// Polls until `sid` reads the end of the stream.
    pub(crate) fn read_end(&mut self, sid: Sid) {
        let mut buf = [0; 64];
        until(&mut self.net, |net| match net.read(sid, &mut buf) {
            Ok(Some(0)) => Some(()),
            Ok(None) => None,
            other => panic!("the end was wanted, not {other:?}"),
        });
    }

    /// Reads all there is up to the end of the stream.
    pub(crate) fn read_all(&mut self, sid: Sid) -> Vec<u8> {
        let mut got = Vec::new();
        let mut buf = [0; 4096];
        until(&mut self.net, |net| {
            loop {
                match net.read(sid, &mut buf).expect("to read") {
                    None => return None,
                    Some(0) => return Some(()),
                    Some(n) => got.extend_from_slice(&buf[..n]),
                }
            }
        });
        got
    }

    /// The marks of the rig's group.
    pub(crate) fn ready(&mut self) -> Vec<Sid> {
        let mut out = Vec::new();
        self.net.ready(self.group, &mut out);
        out
    }

    pub(crate) fn woken(&mut self) -> Vec<Owner> {
        let mut out = Vec::new();
        self.net.woken(&mut out);
        out
    }

    /// Takes in what the system has to say, without waiting, and drops all marks.
    pub(crate) fn settle(&mut self) {
        for _ in 0..3 {
            self.net.poll(hio::tyme::Tyme::ZERO).expect("to poll");
        }
        self.ready();
    }
}

/// Polls until `f` gives something, 10 s at most.
pub(crate) fn until<T>(net: &mut MioNet, mut f: impl FnMut(&mut MioNet) -> Option<T>) -> T {
    let end = net.now() + Duration::from_secs(10);
    loop {
        if let Some(value) = f(net) {
            return value;
        }
        assert!(net.now() < end, "nothing happened in 10 s");
        let soon = net.now() + Duration::from_millis(20);
        net.poll(soon).expect("to poll");
    }
}

/// Polls until a started connection has failed.
pub(crate) fn failure(net: &mut MioNet, sid: Sid) -> NetError {
    until(net, |net| match net.connected(sid) {
        Ok(false) => None,
        Ok(true) => panic!("a connection where none was wanted"),
        Err(e) => Some(e),
    })
}
