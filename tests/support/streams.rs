//! Stories of streams as data: acts of a client, manners of a server, and the transcript that has
//! to be the same on every net.

use std::collections::VecDeque;
use std::time::Duration;

#[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
use hio::link::StartTls;
#[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
use hio::link::tls::{ClientTls, ServerTls};
use hio::link::{
    Close, Connect, Limits, NetworkStream, Read, Remoter, Server, StreamError, StreamFailure, Write,
};
use hio::net::{ConnectOptions, Endpoint, Net, Owner};
use hio::tyme::{DeadlineId, Deadlines, Tyme};

/// What the client of a story does next. Each gives one line of the transcript.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    Connect,
    Write(Vec<u8>),
    /// Reads so many bytes, in as many reads as it takes.
    Read(usize),
    /// One read of at most so many.
    ReadMax(usize),
    /// Reads until the end.
    ReadToEnd,
    Tls(&'static str),
    Close,
    Push(&'static str, Duration),
    Pop(&'static str),
    Cancel(&'static str),
    /// Lets tyme pass.
    Wait(Duration),
    /// What `Debug` shows, without the address.
    Show,
    /// What is known of the connection.
    Info,
}

/// What is under way.
enum Op {
    Nothing,
    Connect(Connect),
    Write(Write<Vec<u8>>),
    Read(Read, Vec<u8>),
    #[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
    Tls(StartTls),
    Close(Close),
    Wait(Tyme),
}

/// A client that plays its acts one after the other.
pub(crate) struct Player {
    pub(crate) stream: NetworkStream,
    pub(crate) deadlines: Deadlines,
    names: Vec<(&'static str, DeadlineId)>,
    acts: VecDeque<Act>,
    /// Of its socket.
    pub(crate) owner: Owner,
    op: Op,
    #[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
    tls: Option<ClientTls>,
    pub(crate) told: Vec<String>,
}

impl Player {
    pub(crate) fn new(to: Endpoint, acts: &[Act]) -> Self {
        let limits = Limits {
            linger: Duration::from_millis(200),
            ..Limits::default()
        };
        // So that a server that stalls is felt soon.
        let options = ConnectOptions {
            send_buffer: 64 * 1024,
            ..ConnectOptions::default()
        };
        Self {
            stream: NetworkStream::new(to, options, limits),
            deadlines: Deadlines::new(),
            names: Vec::new(),
            acts: acts.iter().cloned().collect(),
            owner: Owner::NONE,
            op: Op::Nothing,
            #[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
            tls: None,
            told: Vec::new(),
        }
    }

    #[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
    pub(crate) fn with_tls(mut self, tls: ClientTls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Goes as far as it goes now. True when all is played.
    pub(crate) fn step(&mut self, tyme: Tyme, net: &mut dyn Net) -> bool {
        self.stream.service(tyme, net);
        while let Some(act) = self.acts.front().cloned() {
            let Some(line) = self.play(&act, tyme, net) else {
                break;
            };
            self.told.push(line);
            self.op = Op::Nothing;
            self.acts.pop_front();
        }
        self.stream.service_sends(tyme, net); // what was asked for meanwhile
        self.acts.is_empty()
    }

    pub(crate) fn due(&self, tyme: Tyme) -> Tyme {
        // Deadlines are looked at by operations only.
        let until = match self.op {
            Op::Wait(until) => until,
            _ => self.deadlines.soonest(),
        };
        self.stream.due(tyme).min(until)
    }

    fn play(&mut self, act: &Act, tyme: Tyme, net: &mut dyn Net) -> Option<String> {
        match act {
            Act::Push(name, within) => {
                let id = self.deadlines.push(name, tyme, *within);
                self.names.push((name, id));
                Some(format!("push {name}"))
            }
            Act::Pop(name) => {
                let id = self.id(name);
                Some(format!("pop {name}: {}", self.deadlines.pop(id)))
            }
            Act::Cancel(name) => {
                let id = self.id(name);
                let cancelled = self.deadlines.cancel(id, tyme);
                Some(match cancelled {
                    Ok(()) => format!("cancel {name}"),
                    Err(expired) => format!("cancel {name}: {} has passed", expired.name),
                })
            }
            Act::Show => {
                let shown = format!("{:?}", self.stream);
                let after = shown.rsplit('"').next().unwrap_or_default();
                Some(format!("<NetworkStream [\"…\"{after}"))
            }
            Act::Info => Some(self.info()),
            act => self.operate(act, tyme, net),
        }
    }

    fn id(&self, name: &str) -> DeadlineId {
        let of = |(n, _): &&(&str, DeadlineId)| *n == name;
        self.names.iter().rev().find(of).expect("it was pushed").1
    }

    fn info(&self) -> String {
        let some = |key: &str| self.stream.extra_info(key).is_some();
        let keys = [
            "client_addr",
            "server_addr",
            "ssl_object",
            "socket",
            "other",
        ];
        let known: Vec<&str> = keys.into_iter().filter(|key| some(key)).collect();
        format!("knows {}", known.join(" "))
    }

    fn operate(&mut self, act: &Act, tyme: Tyme, net: &mut dyn Net) -> Option<String> {
        if matches!(self.op, Op::Nothing) {
            match self.start(act, tyme, net) {
                Ok(op) => self.op = op,
                Err(why) => return Some(told(&why)),
            }
        }
        let Self {
            stream, deadlines, ..
        } = self;
        match &mut self.op {
            Op::Nothing => None,
            Op::Wait(until) => (*until <= tyme).then(|| "waited".to_owned()),
            Op::Connect(op) => {
                let done = stream.take(op, tyme, deadlines)?;
                Some(done.map_or_else(|why| told(&why), |()| "connected".to_owned()))
            }
            #[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
            Op::Tls(op) => {
                let done = stream.take(op, tyme, deadlines)?;
                Some(done.map_or_else(|why| told(&why), |()| "secured".to_owned()))
            }
            Op::Close(op) => {
                let done = stream.take(op, tyme, deadlines)?;
                Some(done.map_or_else(|why| told(&why), |()| "closed".to_owned()))
            }
            Op::Write(op) => {
                let done = stream.take(op, tyme, deadlines)?;
                Some(done.map_or_else(|why| told(&why), |()| "written".to_owned()))
            }
            Op::Read(op, got) => loop {
                let data = match stream.take(op, tyme, deadlines)? {
                    Ok(data) => data,
                    Err(why) if got.is_empty() => return Some(told(&why)),
                    Err(why) => return Some(format!("read {}, then {}", shown(got), told(&why))),
                };
                let ended = data.is_empty();
                got.extend(data);
                return match act {
                    Act::Read(want) if !ended && got.len() < *want => {
                        *op = stream.read(want - got.len());
                        continue;
                    }
                    Act::ReadToEnd if !ended => continue,
                    _ => Some(format!("read {}", shown(got))),
                };
            },
        }
    }

    fn start(&mut self, act: &Act, tyme: Tyme, net: &mut dyn Net) -> Result<Op, StreamError> {
        Ok(match act {
            Act::Connect => Op::Connect(self.stream.connect(tyme, net, self.owner)?),
            Act::Write(data) => Op::Write(self.stream.write(data.clone())),
            Act::Read(want) => Op::Read(self.stream.read(*want), Vec::new()),
            Act::ReadMax(max) => Op::Read(self.stream.read(*max), Vec::new()),
            Act::ReadToEnd => Op::Read(self.stream.read(None), Vec::new()),
            #[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
            Act::Tls(name) => {
                let tls = self.tls.clone().expect("the story has TLS");
                Op::Tls(self.stream.start_tls(&tls, name)?)
            }
            Act::Close => Op::Close(self.stream.close()),
            Act::Wait(time) => Op::Wait(tyme + *time),
            _ => Op::Nothing,
        })
    }
}

/// An error without what depends on the moment: tymes, and counts of writes that were cut.
fn told(why: &StreamError) -> String {
    match why.why {
        StreamFailure::Deadline(expired) => format!("{}: deadline {}", why.phase, expired.name),
        _ => format!("{}: {}", why.phase, why.why),
    }
}

/// Short bytes as they are, long ones by length and sum.
fn shown(data: &[u8]) -> String {
    match data.len() {
        0..=80 => format!("\"{}\"", data.escape_ascii()),
        len if *data == pattern(len) => format!("{len} bytes of the pattern"),
        len => format!("{len} other bytes"),
    }
}

/// Bytes in which every shift and gap shows.
pub(crate) fn pattern(len: usize) -> Vec<u8> {
    (0..len)
        .map(|i| (i.wrapping_mul(31) ^ (i >> 8)).to_le_bytes()[0])
        .collect()
}

/// How a server behaves: the modes of `tests/interop/net_peer.py`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    Echo,
    StartTls,
    Http,
    Silent,
    Stall,
    Dribble,
    Reset,
    /// Echoes so many bytes, then ends.
    Cut(usize),
    /// Never answers an end with its own.
    Linger,
}

/// A server with manners.
pub(crate) struct Host {
    pub(crate) server: Server,
    manner: Manner,
    #[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
    tls: Option<ServerTls>,
    next: Tyme,
}

/// The time between two bytes of a dribbling server.
const GAP: Duration = Duration::from_millis(10);

impl Host {
    pub(crate) fn new(at: Endpoint, manner: Manner) -> Self {
        let rx_cap = match manner {
            Manner::Stall => 4096,
            _ => Limits::default().rx_cap,
        };
        let limits = Limits {
            rx_cap,
            ..Limits::default()
        };
        let server = Server::new(at, hio::net::ListenOptions::default(), limits);
        Self {
            server: server.with_auto_close(manner != Manner::Linger),
            manner,
            #[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
            tls: None,
            next: Tyme::ZERO,
        }
    }

    /// With TLS from the start, or taken up when its manner is so.
    #[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
    pub(crate) fn with_tls(mut self, tls: ServerTls) -> Self {
        if self.manner != Manner::StartTls {
            self.server.set_tls(Some(tls.clone()));
        }
        self.tls = Some(tls);
        self
    }

    pub(crate) fn open(&mut self, net: &mut dyn Net, owner: Owner) {
        self.server.open(net, owner).unwrap();
    }

    pub(crate) fn service(&mut self, tyme: Tyme, net: &mut dyn Net) {
        if self.manner == Manner::Dribble && self.next <= tyme {
            self.next = tyme + GAP;
            for id in self.server.ids() {
                let _ = self.server.transmit_ix(id, b".");
            }
        }
        let manner = self.manner;
        #[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
        let tls = self.tls.as_ref();
        let each = |ix: &mut Remoter| match manner {
            #[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
            Manner::StartTls if ix.rx() == b"STARTTLS\n" => {
                ix.clear_rx();
                ix.tx(b"OK\n").unwrap();
                ix.start_tls(tls.expect("it has TLS")).unwrap();
            }
            Manner::Echo | Manner::StartTls => drop(ix.echo()),
            Manner::Http if ix.rx().ends_with(b"\r\n\r\n") => {
                ix.clear_rx();
                ix.tx(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello")
                    .unwrap();
                ix.close();
            }
            Manner::Reset if !ix.rx().is_empty() => ix.abort(),
            Manner::Cut(after) if ix.rx().len() >= after => {
                let data = ix.rx()[..after].to_vec();
                ix.clear_rx();
                ix.tx(&data).unwrap();
                ix.close();
            }
            Manner::Silent | Manner::Dribble | Manner::Linger => ix.clear_rx(),
            Manner::Stall | Manner::Http | Manner::Reset | Manner::Cut(_) => {}
        };
        self.server.service_each(tyme, net, each).unwrap();
    }

    pub(crate) fn due(&self, tyme: Tyme) -> Tyme {
        match self.manner {
            Manner::Dribble => self.server.due(tyme).min(self.next.max(tyme)),
            _ => self.server.due(tyme),
        }
    }
}
