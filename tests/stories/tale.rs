//! What a story is told with: two ends, bounded waiting, and a transcript.

use std::fmt::Debug;

use hio::net::{
    ConnectOptions, Endpoint, Group, ListenOptions, Net, NetError, Owner, Shutdown, Sid,
};

/// The kinds of sockets that stories are told on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    V4,
    V6,
    Unix,
}

/// The two ends. A world may have both in one net, or each in its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    A,
    B,
}
use End::{A, B};

/// A net with two ends to it.
pub(crate) trait World {
    /// Works with the net as an end sees it.
    fn with(&mut self, end: End, work: &mut dyn FnMut(&mut dyn Net));

    /// Lets a little time pass. Whatever is under way is done after a few of these.
    fn wait(&mut self);

    /// The address of an end with port 0, or a new path for a stream.
    fn address(&mut self, end: End) -> Endpoint;

    /// The same for datagrams.
    fn place(&mut self, end: End) -> Endpoint;
}

/// Waits until something has happened: as long as it takes in any world.
const WAITS_MAX: usize = 20_000;
/// After so many waits nothing is under way any more.
const SETTLED: usize = 6;

/// A story being told: the world, a group at each end, and what was seen.
pub(crate) struct Tale<'w> {
    world: &'w mut dyn World,
    kind: Kind,
    groups: [Group; 2],
    transcript: Vec<String>,
}

impl<'w> Tale<'w> {
    /// Begins in a world; the groups of A and B belong to the owners 1 and 2.
    pub(crate) fn new(world: &'w mut dyn World, kind: Kind) -> Self {
        let mut groups = [Group::new(0, 0); 2];
        for (end, place) in [A, B].into_iter().zip(&mut groups) {
            world.with(end, &mut |net| *place = net.group(owner(end)));
        }
        Self {
            world,
            kind,
            groups,
            transcript: Vec::new(),
        }
    }

    /// Ends: all sockets are closed.
    pub(crate) fn end(mut self) -> Vec<String> {
        for end in [A, B] {
            let group = self.group(end);
            self.at(end, |net| net.close_group(group));
        }
        self.settle();
        self.transcript
    }

    pub(crate) const fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) const fn group(&self, end: End) -> Group {
        self.groups[end as usize]
    }

    /// Notes what was seen.
    pub(crate) fn note(&mut self, what: &str, seen: impl Debug) {
        self.transcript.push(format!("{what}: {seen:?}"));
    }

    /// Does something at an end.
    pub(crate) fn at<T>(&mut self, end: End, work: impl FnOnce(&mut dyn Net) -> T) -> T {
        let (mut work, mut out) = (Some(work), None);
        self.world.with(end, &mut |net| {
            out = work.take().map(|work| work(net));
        });
        out.expect("a world does what it is told, once")
    }

    /// Does something at an end and notes what came of it.
    pub(crate) fn see<T: Debug>(
        &mut self,
        end: End,
        what: &str,
        work: impl FnOnce(&mut dyn Net) -> T,
    ) {
        let seen = self.at(end, work);
        self.note(&format!("{end:?} {what}"), seen);
    }

    /// Waits until `look` gives something.
    pub(crate) fn until<T>(
        &mut self,
        end: End,
        what: &str,
        mut look: impl FnMut(&mut dyn Net) -> Option<T>,
    ) -> T {
        for _ in 0..WAITS_MAX {
            if let Some(found) = self.at(end, &mut look) {
                return found;
            }
            self.world.wait();
        }
        panic!(
            "{what}: not reached at {end:?}; so far: {:#?}",
            self.transcript
        );
    }

    pub(crate) fn wait(&mut self) {
        self.world.wait();
    }

    /// Lets everything that is under way arrive. Marks stay.
    pub(crate) fn calm(&mut self) {
        for _ in 0..SETTLED {
            self.world.wait();
        }
    }

    /// Lets everything arrive, and takes all marks.
    pub(crate) fn settle(&mut self) {
        self.calm();
        for end in [A, B] {
            self.ready(end);
        }
    }

    /// The marks of an end's group.
    pub(crate) fn ready(&mut self, end: End) -> Vec<Sid> {
        let group = self.group(end);
        self.at(end, |net| {
            let mut out = Vec::new();
            net.ready(group, &mut out);
            out
        })
    }

    /// Whether an end's owner is to be woken.
    pub(crate) fn woken(&mut self, end: End) -> bool {
        self.at(end, |net| {
            let mut out = Vec::new();
            net.woken(&mut out);
            out.contains(&owner(end))
        })
    }
}

/// Sockets.
impl Tale<'_> {
    /// An address of an end where nobody listens yet.
    pub(crate) fn address(&mut self, end: End) -> Endpoint {
        self.world.address(end)
    }

    /// The same for datagrams.
    pub(crate) fn place(&mut self, end: End) -> Endpoint {
        self.world.place(end)
    }

    /// Listens at an end: the socket and its address.
    pub(crate) fn listen(&mut self, end: End, options: &ListenOptions) -> (Sid, Endpoint) {
        let (at, group) = (self.address(end), self.group(end));
        self.at(end, |net| {
            let sid = net.listen(group, &at, options).expect("to listen");
            (sid, net.local(sid).expect("an address"))
        })
    }

    /// Dials from A.
    pub(crate) fn dial(&mut self, to: &Endpoint) -> Sid {
        self.dial_with(to, &ConnectOptions::default())
    }

    pub(crate) fn dial_with(&mut self, to: &Endpoint, options: &ConnectOptions) -> Sid {
        let group = self.group(A);
        self.at(A, |net| net.connect(group, to, options).expect("to dial"))
    }

    /// Waits until a connection of A stands.
    pub(crate) fn stands(&mut self, sid: Sid) {
        self.until(A, "to stand", |net| {
            net.connected(sid).expect("a connection").then_some(())
        });
    }

    /// How dialling from A fails, at once or later.
    pub(crate) fn refusal(&mut self, to: &Endpoint) -> NetError {
        let group = self.group(A);
        match self.at(A, |net| net.connect(group, to, &ConnectOptions::default())) {
            Err(why) => why,
            Ok(sid) => self.until(A, "a refusal", |net| match net.connected(sid) {
                Ok(false) => None,
                Ok(true) => panic!("a connection where none was wanted"),
                Err(why) => Some(why),
            }),
        }
    }

    /// Waits for a connection at B.
    pub(crate) fn accept(&mut self, listener: Sid) -> (Sid, Endpoint) {
        self.until(B, "to accept", |net| {
            net.accept(listener).expect("to accept")
        })
    }

    /// A listener at B, and a connection from A: (listener, client, server).
    pub(crate) fn trio(&mut self, options: &ListenOptions) -> (Sid, Sid, Sid) {
        let (listener, at) = self.listen(B, options);
        let client = self.dial(&at);
        let (server, _) = self.accept(listener);
        self.stands(client);
        (listener, client, server)
    }

    /// A connection: (client at A, server at B). The listener is closed.
    pub(crate) fn pair(&mut self) -> (Sid, Sid) {
        let (listener, client, server) = self.trio(&ListenOptions::default());
        self.at(B, |net| net.close(listener));
        (client, server)
    }

    /// Writes all of it, waiting for room while the other end reads nothing.
    pub(crate) fn write(&mut self, end: End, sid: Sid, data: &[u8]) {
        let mut sent = 0;
        self.until(end, "to write", |net| {
            sent += net.write(sid, &data[sent..]).expect("to write");
            (sent == data.len()).then_some(())
        });
    }

    /// Reads exactly so many bytes.
    pub(crate) fn read(&mut self, end: End, sid: Sid, want: usize) -> Vec<u8> {
        let mut got = Vec::new();
        let mut buf = vec![0; 65536];
        self.until(end, "to read", |net| {
            while got.len() < want {
                let room = buf.len().min(want - got.len());
                let n = net.read(sid, &mut buf[..room]).expect("to read")?;
                assert_ne!(n, 0, "the end after {} bytes", got.len());
                got.extend_from_slice(&buf[..n]);
            }
            Some(())
        });
        got
    }

    /// Reads to the end, or to what cuts it off.
    pub(crate) fn drain(&mut self, end: End, sid: Sid) -> (Vec<u8>, Result<(), NetError>) {
        let mut got = Vec::new();
        let mut buf = vec![0; 4096];
        let how = self.until(end, "the end", |net| {
            loop {
                match net.read(sid, &mut buf) {
                    Ok(None) => return None,
                    Ok(Some(0)) => return Some(Ok(())),
                    Ok(Some(n)) => got.extend_from_slice(&buf[..n]),
                    Err(why) => return Some(Err(why)),
                }
            }
        });
        (got, how)
    }

    /// Ends the sending side.
    pub(crate) fn finish(&mut self, end: End, sid: Sid) {
        self.see(end, "ends its side", |net| {
            net.shutdown(sid, Shutdown::Send)
        });
    }

    pub(crate) fn close(&mut self, end: End, sid: Sid) {
        self.at(end, |net| net.close(sid));
        self.transcript.push(format!("{end:?} closes"));
    }
}

const fn owner(end: End) -> Owner {
    Owner(end as u64 + 1)
}

/// Text out of bytes, so that transcripts can be read.
pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Bytes in which every shift and gap shows.
pub(crate) fn pattern(len: usize) -> Vec<u8> {
    (0..len)
        .map(|i| (i.wrapping_mul(31) ^ (i >> 8)).to_le_bytes()[0])
        .collect()
}
