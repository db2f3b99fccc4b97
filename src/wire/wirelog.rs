use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::builder::{Place, WireLogBuilder};
use super::sink::{Lost, Ring, Rotating};
use super::{Format, WireLogError};
use crate::link::{Seen, Watch, What};
use crate::net::Endpoint;

/// A log of the bytes that were received and sent, to be read by people: hio's WireLog.
///
/// Give it to a server or client ([`Server::with_watch`](crate::link::Server::with_watch)) to log
/// what the program sees, or to a [`Tap`](super::Tap) to log what passes a net. It is cheap to
/// clone; clones write into the same log, so one can stay behind to read it back.
///
/// Each record is written by a format, by default hio's `"\n%(dx)b %(who)b:\n%(data)b\n"`: the
/// direction is `Rx` or `Tx`, and *who* is the peer, written as Python does, so that the log has
/// the same bytes as hio's.
///
/// # Limits
/// In memory it keeps the latest records, 1 MiB in each direction. A file takes 16 MiB, becomes
/// `NAME.1` then, and four older ones are kept. What was not kept is [counted](Self::lost).
///
/// ```
/// use hio::wire::WireLog;
///
/// let log = WireLog::memory();
/// log.write_rx(b"ping", "me");
/// log.write_tx(b"pong", "me");
/// assert_eq!(log.read_rx().unwrap(), b"\nRx me:\nping\n");
/// assert_eq!(log.read_tx().unwrap(), b"\nTx me:\npong\n");
///
/// let one = WireLog::builder().samed(true).format("%dx %data;").build()?;
/// one.write_rx(b"ping", "me");
/// one.write_tx(b"pong", "me");
/// assert_eq!(one.read_rx().unwrap(), b"Rx ping;Tx pong;");
/// # Ok::<(), hio::wire::WireLogError>(())
/// ```
#[derive(Clone, Debug)]
pub struct WireLog(Arc<Mutex<Inner>>);

struct Inner {
    rxed: bool,
    txed: bool,
    format: Format,
    place: Place,
    limit: usize,
    keep: u32,
    /// None when closed. The first takes what is received, and all when there is no second.
    stores: Option<(Store, Option<Store>)>,
    /// What was lost by those that were closed.
    lost: Lost,
    /// A directory that goes when the log does.
    temporary: Option<PathBuf>,
    record: Vec<u8>,
}

#[derive(Debug)]
enum Store {
    Ring(Ring),
    File(Rotating),
}

impl WireLog {
    /// A log in memory with hio's format, each direction by itself.
    #[must_use]
    pub fn memory() -> Self {
        let log = Self(Arc::new(Mutex::new(Inner::new(Self::builder()))));
        let opened = log.reopen();
        debug_assert!(opened.is_ok(), "only files cannot be had");
        log
    }

    /// Any other log. What is not said is as in hio: both directions, each by itself, in memory.
    ///
    /// ```
    /// let log = hio::wire::WireLog::builder().txed(false).limit(100).build()?;
    /// assert!(log.read_rx().is_some() && log.read_tx().is_none());
    /// # Ok::<(), hio::wire::WireLogError>(())
    /// ```
    pub fn builder() -> WireLogBuilder {
        WireLogBuilder::default()
    }

    pub(super) fn open(builder: WireLogBuilder) -> Result<Self, WireLogError> {
        let log = Self(Arc::new(Mutex::new(Inner::new(builder))));
        log.reopen()?;
        Ok(log)
    }

    /// Logs received bytes: hio's `writeRx`. Nothing happens when it is closed, or does not log
    /// what is received.
    pub fn write_rx(&self, data: &[u8], who: impl AsRef<[u8]>) {
        self.inner().write(true, data, who.as_ref());
    }

    /// Logs sent bytes: hio's `writeTx`.
    pub fn write_tx(&self, data: &[u8], who: impl AsRef<[u8]>) {
        self.inner().write(false, data, who.as_ref());
    }

    /// What was received, and sent, too, when both go to one: hio's `readRx`. Of a file, what is
    /// in it now; older files stay where they are. `None` when it is closed, does not log this, or
    /// cannot read its file.
    #[must_use]
    pub fn read_rx(&self) -> Option<Vec<u8>> {
        self.inner().read(true)
    }

    /// What was sent, and received, too, when both go to one: hio's `readTx`.
    #[must_use]
    pub fn read_tx(&self) -> Option<Vec<u8>> {
        self.inner().read(false)
    }

    /// Whether it takes records.
    #[must_use]
    pub fn opened(&self) -> bool {
        self.inner().stores.is_some()
    }

    /// Its files: none in memory, else one, or that of what is received and that of what is sent.
    #[must_use]
    pub fn paths(&self) -> Vec<PathBuf> {
        let inner = self.inner();
        let Some((first, second)) = &inner.stores else {
            return Vec::new();
        };
        let path = |store: &Store| match store {
            Store::Ring(_) => None,
            Store::File(file) => Some(file.path().to_owned()),
        };
        let all = std::iter::once(first).chain(second);
        all.filter_map(path).collect()
    }

    /// Hands what was gathered to the system, at most 64 KiB for each file. The system takes its
    /// own time to put it on the disk.
    pub fn flush(&self) {
        self.inner().each(Store::flush);
    }

    /// Closes it: writes what was gathered. Temporary files are removed, a ring is forgotten.
    pub fn close(&self) {
        self.inner().close();
    }

    /// Opens it, empty, in the same place; one that is open is closed first: hio's `reopen`.
    ///
    /// # Errors
    /// A file or its directory cannot be made. It is closed then.
    pub fn reopen(&self) -> Result<(), WireLogError> {
        self.inner().reopen()
    }

    /// What could not be kept since it was made.
    #[must_use]
    pub fn lost(&self) -> Lost {
        self.inner().all_lost()
    }

    /// A panic while it was locked has left a record out, at worst.
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watch for WireLog {
    fn see(&mut self, seen: &Seen<'_>) {
        match seen.what {
            What::Received(data) | What::DatagramReceived(data) => {
                self.write_rx(data, who(seen.peer));
            }
            What::Sent(data) | What::DatagramSent(data) => self.write_tx(data, who(seen.peer)),
            _ => {}
        }
    }

    fn flush(&mut self) {
        Self::flush(self);
    }
}

/// An address as hio has it, written as Python does: a tuple, and a path as it is.
fn who(at: &Endpoint) -> String {
    match at {
        Endpoint::Tcp(SocketAddr::V4(at)) | Endpoint::Udp(SocketAddr::V4(at)) => {
            format!("('{}', {})", at.ip(), at.port())
        }
        Endpoint::Tcp(SocketAddr::V6(at)) | Endpoint::Udp(SocketAddr::V6(at)) => {
            let (flow, scope) = (at.flowinfo(), at.scope_id());
            format!("('{}', {}, {flow}, {scope})", at.ip(), at.port())
        }
        Endpoint::Name(host, port) => format!("('{host}', {port})"),
        Endpoint::Unix(path) | Endpoint::UnixDatagram(path) => path.display().to_string(),
        Endpoint::Unnamed => String::new(),
    }
}

impl Inner {
    fn new(builder: WireLogBuilder) -> Self {
        Self {
            rxed: builder.rxed,
            txed: builder.txed,
            format: builder.parsed,
            limit: builder.limit.unwrap_or(match builder.place {
                Place::Memory { .. } => RING_BYTES,
                _ => FILE_BYTES,
            }),
            keep: builder.keep,
            place: builder.place,
            stores: None,
            lost: Lost::default(),
            temporary: None,
            record: Vec::new(),
        }
    }

    fn reopen(&mut self) -> Result<(), WireLogError> {
        self.close();
        let (paths, temporary) = self.place.make()?;
        self.temporary = temporary;
        let create = |path: &Path| match Rotating::create(path, self.limit, self.keep) {
            Ok(file) => Ok(Store::File(file)),
            Err(why) => Err(WireLogError::file(path, &why)),
        };
        self.stores = Some(match (self.place.apart(), paths) {
            (true, None) => (self.ring(), Some(self.ring())),
            (false, None) => (self.ring(), None),
            (_, Some((rx, tx))) => {
                let first = create(&rx)?;
                (first, tx.map(|tx| create(&tx)).transpose()?)
            }
        });
        Ok(())
    }

    const fn ring(&self) -> Store {
        Store::Ring(Ring::new(self.limit))
    }

    fn close(&mut self) {
        self.each(Store::flush);
        self.lost = self.all_lost();
        self.stores = None;
        if let Some(dir) = self.temporary.take() {
            if let Err(why) = std::fs::remove_dir_all(&dir) {
                log::warn!("{}: not removed: {why}", dir.display());
            }
        }
    }

    fn write(&mut self, rx: bool, data: &[u8], who: &[u8]) {
        let Some((first, second)) = &mut self.stores else {
            return;
        };
        let (logged, dx) = match rx {
            true => (self.rxed, b"Rx"),
            false => (self.txed, b"Tx"),
        };
        if logged {
            self.format.write(dx, who, data, &mut self.record);
            let store = second.as_mut().filter(|_| !rx).unwrap_or(first);
            store.put(&self.record);
            self.record.shrink_to(RECORD_BYTES);
        }
    }

    fn read(&mut self, rx: bool) -> Option<Vec<u8>> {
        let (first, second) = self.stores.as_mut()?;
        let logged = if rx { self.rxed } else { self.txed };
        let store = second.as_mut().filter(|_| !rx).unwrap_or(first);
        match store {
            _ if !logged => None,
            Store::Ring(ring) => Some(ring.read()),
            Store::File(file) => file.read(),
        }
    }

    fn each(&mut self, mut work: impl FnMut(&mut Store)) {
        if let Some((first, second)) = &mut self.stores {
            work(first);
            second.iter_mut().for_each(work);
        }
    }

    fn all_lost(&self) -> Lost {
        let mut all = self.lost;
        if let Some((first, second)) = &self.stores {
            for lost in std::iter::once(first).chain(second).map(Store::lost) {
                all.records += lost.records;
                all.bytes += lost.bytes;
                all.why = all.why.or(lost.why);
            }
        }
        all
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WireLog")
            .field("place", &self.place)
            .field("opened", &self.stores.is_some())
            .field("lost", &self.all_lost())
            .finish_non_exhaustive()
    }
}

impl Store {
    fn put(&mut self, record: &[u8]) {
        match self {
            Self::Ring(ring) => ring.put(record),
            Self::File(file) => file.put(record),
        }
    }

    fn flush(&mut self) {
        if let Self::File(file) = self {
            file.flush();
        }
    }

    const fn lost(&self) -> Lost {
        match self {
            Self::Ring(ring) => ring.lost(),
            Self::File(file) => file.lost(),
        }
    }
}

/// Bytes of a ring by default.
const RING_BYTES: usize = 1 << 20;
/// Bytes of a file by default.
const FILE_BYTES: usize = 16 << 20;
/// Bytes of storage kept for the next record.
const RECORD_BYTES: usize = 128 * 1024;
