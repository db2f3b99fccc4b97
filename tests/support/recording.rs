//! Recordings in memory, and a net that answers anything.

use std::io::{self, Cursor, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hio::net::{
    ConnectOptions, Datagram, DatagramOptions, Endpoint, Group, ListenOptions, Lookup, Net,
    NetError, Owner, Probe, RecordedRun, Shutdown, Sid, SocketOption, StdSocket,
};
use hio::tyme::Tyme;

/// A file in memory that can be looked at while it is written. It may become full.
#[derive(Clone, Debug)]
pub(crate) struct Disk {
    bytes: Arc<Mutex<Vec<u8>>>,
    room: usize,
}

impl Disk {
    pub(crate) fn new() -> Self {
        Self::of(usize::MAX)
    }

    pub(crate) fn of(room: usize) -> Self {
        Self {
            bytes: Arc::default(),
            room,
        }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.bytes.lock().unwrap().clone()
    }

    pub(crate) fn recording(&self) -> RecordedRun {
        RecordedRun::open(Cursor::new(self.bytes())).unwrap()
    }
}

impl Write for Disk {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let mut bytes = self.bytes.lock().unwrap();
        if bytes.len() + data.len() > self.room {
            return Err(io::ErrorKind::StorageFull.into());
        }
        bytes.extend_from_slice(data);
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A net that makes up its answers: all kinds of them, for operations of all kinds.
#[derive(Clone, Debug)]
pub(crate) struct Fabled {
    state: std::cell::Cell<u64>,
    now: u64,
}

impl Fabled {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            state: std::cell::Cell::new(seed),
            now: 0,
        }
    }

    pub(crate) fn draw(&self) -> u64 {
        let next = self.state.get().wrapping_add(0x9E37_79B9_7F4A_7C15);
        self.state.set(next);
        let z = (next ^ (next >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&self, n: usize) -> usize {
        usize::try_from(self.draw() % n as u64).unwrap()
    }

    pub(crate) fn few(&self, n: u32) -> u32 {
        u32::try_from(self.draw() % u64::from(n)).unwrap()
    }

    pub(crate) fn byte(&self) -> u8 {
        self.draw().to_le_bytes()[0]
    }

    pub(crate) fn sid(&self) -> Sid {
        Sid::new(self.few(4), self.few(3) * 70_000)
    }

    pub(crate) fn group_id(&self) -> Group {
        Group::new(self.few(3), self.few(2))
    }

    pub(crate) fn owner(&self) -> Owner {
        match self.below(4) {
            0 => Owner::NONE,
            n => Owner((n as u64) << 32 | 1),
        }
    }

    pub(crate) fn endpoint(&self) -> Endpoint {
        match self.below(7) {
            0 => Endpoint::Unnamed,
            1 => Endpoint::unix("/run/a.sock"),
            2 => Endpoint::UnixDatagram("/run/b.sock".into()),
            3 => Endpoint::Name("a.example".to_owned(), 80),
            4 => Endpoint::Udp((Ipv4Addr::LOCALHOST, 5353).into()),
            5 => Endpoint::Tcp((Ipv6Addr::LOCALHOST, 443).into()),
            _ => Endpoint::Tcp((Ipv4Addr::new(10, 0, 0, 1), 80).into()),
        }
    }

    fn error(&self) -> NetError {
        match self.below(6) {
            0 => NetError::Reset,
            1 => NetError::Stale,
            2 => NetError::PathTooLong { len: 200, max: 107 },
            3 => NetError::Other(-5),
            4 => NetError::Exhausted,
            _ => NetError::Unsupported,
        }
    }

    fn maybe<T>(&self, value: T) -> Result<T, NetError> {
        match self.below(5) {
            0 => Err(self.error()),
            _ => Ok(value),
        }
    }

    fn fill(&self, buf: &mut [u8]) -> usize {
        let n = self.below(buf.len() + 1);
        buf[..n].fill_with(|| self.byte());
        n
    }
}

impl Net for Fabled {
    fn now(&mut self) -> Tyme {
        self.now += (self.draw() % 3_000_000_000) >> self.below(30);
        Tyme::from_nanos(self.now)
    }
    fn wall(&mut self) -> Duration {
        Duration::new(1_700_000_000, self.few(1_000_000_000))
    }
    fn entropy(&mut self, out: &mut [u8]) {
        out.fill_with(|| self.byte());
    }
    fn poll(&mut self, _: Tyme) -> Result<(), NetError> {
        self.maybe(())
    }
    fn woken(&mut self, out: &mut Vec<Owner>) {
        (0..self.below(3)).for_each(|_| out.push(self.owner()));
    }
    fn group(&mut self, _: Owner) -> Group {
        self.group_id()
    }
    fn set_owner(&mut self, _: Group, _: Owner) {}
    fn close_group(&mut self, _: Group) {}
    fn ready(&mut self, _: Group, out: &mut Vec<Sid>) {
        (0..self.below(4)).for_each(|_| out.push(self.sid()));
    }
    fn mark(&mut self, _: Sid) {}
    fn listen(&mut self, _: Group, _: &Endpoint, _: &ListenOptions) -> Result<Sid, NetError> {
        self.maybe(self.sid())
    }
    fn accept(&mut self, _: Sid) -> Result<Option<(Sid, Endpoint)>, NetError> {
        self.maybe((self.below(2) == 0).then(|| (self.sid(), self.endpoint())))
    }
    fn connect(&mut self, _: Group, _: &Endpoint, _: &ConnectOptions) -> Result<Sid, NetError> {
        self.maybe(self.sid())
    }
    fn connected(&mut self, _: Sid) -> Result<bool, NetError> {
        self.maybe(self.below(2) == 0)
    }
    fn read(&mut self, _: Sid, buf: &mut [u8]) -> Result<Option<usize>, NetError> {
        let n = self.fill(buf);
        self.maybe((self.below(3) > 0).then_some(n))
    }
    fn write(&mut self, _: Sid, data: &[u8]) -> Result<usize, NetError> {
        match self.below(2) {
            0 => Ok(data.len()),
            _ => self.maybe(self.below(data.len() + 1)),
        }
    }
    fn write_vectored(&mut self, _: Sid, pieces: &[io::IoSlice<'_>]) -> Result<usize, NetError> {
        let len: usize = pieces.iter().map(|piece| piece.len()).sum();
        self.maybe(self.below(len + 1))
    }
    fn shutdown(&mut self, _: Sid, _: Shutdown) -> Result<(), NetError> {
        self.maybe(())
    }
    fn close(&mut self, _: Sid) {}
    fn bind(&mut self, _: Group, _: &Endpoint, _: &DatagramOptions) -> Result<Sid, NetError> {
        self.maybe(self.sid())
    }
    fn recv_from(&mut self, _: Sid, buf: &mut [u8]) -> Result<Option<Datagram>, NetError> {
        let len = self.fill(buf);
        let datagram = Datagram {
            len,
            from: self.endpoint(),
            truncated: self.below(2) == 0,
        };
        self.maybe((self.below(3) > 0).then_some(datagram))
    }
    fn send_to(&mut self, _: Sid, _: &[u8], _: Option<&Endpoint>) -> Result<bool, NetError> {
        self.maybe(self.below(2) == 0)
    }
    fn resolve(&mut self, _: Group, _: &str) -> Lookup {
        let addresses: [IpAddr; 2] = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        match self.below(3) {
            0 => Lookup::Pending,
            1 => Lookup::Ready(addresses.to_vec()),
            _ => Lookup::Failed(self.error()),
        }
    }
    fn adopt(&mut self, _: Group, _: StdSocket) -> Result<Sid, NetError> {
        self.maybe(self.sid())
    }
    fn local(&self, _: Sid) -> Result<Endpoint, NetError> {
        self.maybe(self.endpoint())
    }
    fn peer(&self, _: Sid) -> Result<Endpoint, NetError> {
        self.maybe(self.endpoint())
    }
    fn buffer_sizes(&self, _: Sid) -> Result<(usize, usize), NetError> {
        self.maybe((self.below(1 << 20), self.below(1 << 20)))
    }
    fn set_option(&mut self, _: Sid, _: SocketOption) -> Result<(), NetError> {
        self.maybe(())
    }
    fn probe(&mut self, _: Owner, _: Probe<'_>) -> bool {
        self.below(2) == 0
    }
}
