//! Where records go: a ring in memory, or a file that gives up once and for all.

use std::collections::VecDeque;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// What could not be kept.
///
/// A log never disturbs what it logs: a disk that is full is told once, in the program's log, and
/// counted here. Nothing more is written then, as a torn record would spoil what comes after it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// Records that were not written, or were taken out of a ring to make room.
    pub records: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Why nothing more is written.
    pub why: Option<ErrorKind>,
}

impl Lost {
    fn count(&mut self, records: u64, bytes: usize) {
        self.records += records;
        self.bytes += bytes as u64;
    }
}

/// Bytes on their way to a file or the like: gathered, so that a record costs no system call.
pub(crate) struct Sink {
    name: String,
    /// None once it has failed.
    out: Option<Box<dyn Write + Send>>,
    kept: Vec<u8>,
    /// Records in `kept`.
    records: u64,
    pub(crate) lost: Lost,
}

impl Sink {
    pub(crate) fn new(name: String, out: Box<dyn Write + Send>) -> Self {
        Self {
            name,
            out: Some(out),
            kept: Vec::new(),
            records: 0,
            lost: Lost::default(),
        }
    }

    /// What it is called in the log.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn put(&mut self, record: &[u8]) {
        if self.out.is_none() {
            return self.lost.count(1, record.len());
        }
        self.kept.extend_from_slice(record);
        self.records += 1;
        if self.kept.len() >= GATHERED {
            self.flush();
        }
    }

    /// Counts a record that is not to be written.
    pub(super) fn refuse(&mut self, length: usize) {
        self.lost.count(1, length);
    }

    pub(crate) fn flush(&mut self) {
        let Some(out) = &mut self.out else { return };
        match out.write_all(&self.kept).and_then(|()| out.flush()) {
            Ok(()) => {
                self.kept.clear();
                self.records = 0;
            }
            Err(why) => self.give_up(&why),
        }
    }

    fn give_up(&mut self, why: &io::Error) {
        log::warn!("{}: nothing more is written: {why}", self.name);
        self.lost.why = Some(why.kind());
        self.lost.count(self.records, self.kept.len());
        (self.out, self.kept, self.records) = (None, Vec::new(), 0);
    }

    /// Goes on elsewhere.
    fn turn_to(&mut self, out: io::Result<File>) {
        match out {
            Ok(out) => self.out = Some(Box::new(out)),
            Err(why) => self.give_up(&why),
        }
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.flush();
    }
}

impl fmt::Debug for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sink")
            .field("name", &self.name)
            .field("lost", &self.lost)
            .finish_non_exhaustive()
    }
}

/// An empty file, as [`for_owner`] opens it.
pub(crate) fn create(path: &Path) -> io::Result<File> {
    for_owner(path, OpenOptions::new().write(true).truncate(true))
}

/// Opens a file, or makes one that only its owner may read: what TLS protects on its way stands in
/// such files in plain, or with the keys to it.
pub(super) fn for_owner(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options.create(true).open(path)
}

/// A file of limited size: when it is full it becomes `NAME.1`, that one `NAME.2`, and so on.
#[derive(Debug)]
pub(super) struct Rotating {
    path: PathBuf,
    sink: Sink,
    size: usize,
    limit: usize,
    /// Older files kept.
    keep: u32,
}

impl Rotating {
    pub(crate) fn create(path: &Path, limit: usize, keep: u32) -> io::Result<Self> {
        let file = create(path)?;
        // Pipes and devices are never full, and not ours to rename.
        let limit = match file.metadata()?.is_file() {
            true => limit,
            false => usize::MAX,
        };
        Ok(Self {
            path: path.to_owned(),
            sink: Sink::new(path.display().to_string(), Box::new(file)),
            size: 0,
            limit,
            keep,
        })
    }

    pub(super) fn put(&mut self, record: &[u8]) {
        if self.size > 0 && self.size.saturating_add(record.len()) > self.limit {
            self.rotate();
        }
        self.size = self.size.saturating_add(record.len());
        self.sink.put(record);
    }

    fn rotate(&mut self) {
        self.sink.flush();
        self.size = 0;
        if self.sink.out.is_none() {
            return;
        }
        let renamed = (0..self.keep).rev().try_for_each(|n| {
            match std::fs::rename(self.older(n), self.older(n + 1)) {
                Err(why) if why.kind() != ErrorKind::NotFound => Err(why),
                _ => Ok(()),
            }
        });
        let next = renamed.and_then(|()| create(&self.path));
        self.sink.turn_to(next);
    }

    /// The name of the file that was full that many times ago.
    fn older(&self, n: u32) -> PathBuf {
        match n {
            0 => self.path.clone(),
            n => {
                let mut name = self.path.clone().into_os_string();
                name.push(format!(".{n}"));
                name.into()
            }
        }
    }

    pub(super) fn flush(&mut self) {
        self.sink.flush();
    }

    /// What the file has now, older ones not counted.
    pub(super) fn read(&mut self) -> Option<Vec<u8>> {
        self.sink.flush();
        match self.sink.out {
            Some(_) => std::fs::read(&self.path).ok(),
            None => None,
        }
    }

    pub(super) const fn lost(&self) -> Lost {
        self.sink.lost
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// The latest records, as many as fit.
#[derive(Debug)]
pub(super) struct Ring {
    bytes: VecDeque<u8>,
    /// Lengths of the records inside.
    records: VecDeque<usize>,
    limit: usize,
    lost: Lost,
}

impl Ring {
    pub(super) const fn new(limit: usize) -> Self {
        Self {
            bytes: VecDeque::new(),
            records: VecDeque::new(),
            limit,
            lost: Lost {
                records: 0,
                bytes: 0,
                why: None,
            },
        }
    }

    /// Whole records only: the oldest go, and one that is longer than the ring is not kept.
    pub(super) fn put(&mut self, record: &[u8]) {
        if record.is_empty() {
            return;
        }
        if record.len() > self.limit {
            return self.lost.count(1, record.len());
        }
        while self.bytes.len() + record.len() > self.limit {
            let Some(oldest) = self.records.pop_front() else {
                break;
            };
            self.bytes.drain(..oldest);
            self.lost.count(1, oldest);
        }
        self.bytes.extend(record);
        self.records.push_back(record.len());
    }

    pub(super) fn read(&self) -> Vec<u8> {
        self.bytes.iter().copied().collect()
    }

    pub(super) const fn lost(&self) -> Lost {
        self.lost
    }
}

/// Bytes gathered before they are written.
const GATHERED: usize = 64 * 1024;
