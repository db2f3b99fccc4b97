use std::fmt;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::WireLogError;
use super::flow::{Flows, Packet};
use super::sink::{Lost, Sink, create};
use crate::link::{Seen, Watch};

/// A capture that Wireshark and its like open: a pcapng file.
///
/// Give it to a [`Tap`](super::Tap) for what passes a net, or to a server or client for what the
/// program sees. What is written are IP packets as they might have been: each connection begins
/// with SYNs, its bytes have sequence numbers, and it ends with FINs or a reset, so that streams
/// can be followed. How packets were really cut, what was lost and what was sent again, only the
/// system knows. Times are [`Net::wall`](crate::net::Net::wall)'s, in nanoseconds.
///
/// Unix sockets have made-up addresses, as `docs/wire-log.md` says, and their paths beside the
/// first packet. Packets of TLS can be read with the keys that a
/// [`KeyLogger`](super::KeyLogger) adds.
///
/// It is cheap to clone; clones write into the same file. Nothing is written beyond
/// [a limit](Self::with_limit), by default 1 GiB, nor after the disk was full: that is
/// [counted](Self::lost).
///
/// ```
/// use hio::net::MioNet;
/// use hio::wire::{Pcapng, Tap};
///
/// let capture = Pcapng::new(std::io::sink());
/// let net = Tap::new(MioNet::new()?).with(capture.clone());
/// # drop(net);
/// capture.flush();
/// assert_eq!(capture.lost().records, 0);
/// # Ok::<(), hio::net::NetError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Pcapng(Arc<Mutex<Inner>>);

struct Inner {
    sink: Sink,
    flows: Flows,
    left: u64,
    /// Blocks that may still need keys to come before them: a session makes its keys of what it
    /// has just read.
    held: Vec<Vec<u8>>,
    holding: bool,
}

impl Pcapng {
    /// Writes a capture into a file, which is emptied. A new one can be read by its owner only.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn create(path: impl AsRef<Path>) -> Result<Self, WireLogError> {
        let path = path.as_ref();
        let file = create(path).map_err(|why| WireLogError::file(path, &why))?;
        let name = path.display().to_string();
        Ok(Self::of(Sink::new(name, Box::new(file))))
    }

    /// Writes a capture into anything. It is written to in the middle of services: it is to be
    /// quick.
    pub fn new(out: impl Write + Send + 'static) -> Self {
        Self::of(Sink::new("pcapng".to_owned(), Box::new(out)))
    }

    fn of(mut sink: Sink) -> Self {
        sink.put(&section());
        sink.put(&interface());
        Self(Arc::new(Mutex::new(Inner {
            sink,
            flows: Flows::default(),
            left: BYTES,
            held: Vec::new(),
            holding: false,
        })))
    }

    /// Writes at most so many bytes from now on.
    #[must_use]
    pub fn with_limit(self, bytes: u64) -> Self {
        self.inner().left = bytes;
        self
    }

    /// Hands what was gathered to the system, at most 64 KiB.
    pub fn flush(&self) {
        self.inner().flush();
    }

    /// Packets that were not written. Those beyond the limit are among them.
    #[must_use]
    pub fn lost(&self) -> Lost {
        self.inner().sink.lost
    }

    /// Adds lines of a TLS key log: a Decryption Secrets Block. It stands before the packets that
    /// were read last, as they may be what it is made of.
    #[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
    pub(super) fn secrets(&self, lines: &str) {
        let block = secrets_block(lines.as_bytes());
        self.inner().put(&block);
    }

    /// Keys will come: packets are held back until the next one.
    #[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
    pub(super) fn expect_secrets(&self) {
        self.inner().holding = true;
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watch for Pcapng {
    fn see(&mut self, seen: &Seen<'_>) {
        self.inner().see(seen);
    }

    fn flush(&mut self) {
        Self::flush(self);
    }
}

impl Inner {
    fn see(&mut self, seen: &Seen<'_>) {
        self.let_go();
        let mut flows = std::mem::take(&mut self.flows);
        flows.packets(seen, |packet| {
            let block = packet_block(seen.wall, packet);
            match self.holding {
                true => self.held.push(block),
                false => self.put(&block),
            }
        });
        self.flows = flows;
    }

    fn put(&mut self, block: &[u8]) {
        match self.left.checked_sub(block.len() as u64) {
            Some(left) => {
                self.left = left;
                self.sink.put(block);
            }
            None => {
                self.left = 0; // a smaller one after it would leave a gap
                self.sink.refuse(block.len());
            }
        }
    }

    fn let_go(&mut self) {
        for block in std::mem::take(&mut self.held) {
            self.put(&block);
        }
    }

    fn flush(&mut self) {
        self.let_go();
        self.sink.flush();
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.flush();
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pcapng")
            .field("sink", &self.sink)
            .finish_non_exhaustive()
    }
}

// What follows is draft-ietf-opsawg-pcapng, in this machine's order of bytes, which the magic
// number of the section tells.

/// A block: its type, its length, its body, its length again. Bodies are padded to 32 bits.
fn block(kind: u32, body: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend(kind.to_ne_bytes());
    out.extend([0; 4]);
    body(&mut out);
    pad(&mut out);
    let length = long(out.len() + 4).to_ne_bytes();
    out.extend(length);
    out[4..8].copy_from_slice(&length);
    out
}

fn option(out: &mut Vec<u8>, code: u16, value: &[u8]) {
    let value = &value[..value.len().min(OPTION_MAX)];
    out.extend(code.to_ne_bytes());
    out.extend(u16::try_from(value.len()).unwrap_or(0).to_ne_bytes());
    out.extend(value);
    pad(out);
}

fn pad(out: &mut Vec<u8>) {
    out.resize(out.len().next_multiple_of(4), 0);
}

/// Section Header Block.
fn section() -> Vec<u8> {
    block(0x0a0d_0d0a, |out| {
        out.extend(0x1a2b_3c4d_u32.to_ne_bytes());
        out.extend(1_u16.to_ne_bytes());
        out.extend(0_u16.to_ne_bytes());
        out.extend(u64::MAX.to_ne_bytes()); // of unknown length
        option(
            out,
            USER_APPLICATION,
            concat!("hio ", env!("CARGO_PKG_VERSION")).as_bytes(),
        );
        option(out, END, &[]);
    })
}

/// Interface Description Block: bare IP packets, times in nanoseconds.
fn interface() -> Vec<u8> {
    block(1, |out| {
        out.extend(LINKTYPE_RAW.to_ne_bytes());
        out.extend([0; 2]);
        out.extend(0_u32.to_ne_bytes()); // packets of any length
        option(out, INTERFACE_NAME, b"hio");
        option(out, TIME_RESOLUTION, &[9]);
        option(out, END, &[]);
    })
}

/// Enhanced Packet Block.
fn packet_block(wall: Duration, packet: &Packet<'_>) -> Vec<u8> {
    let nanos = u64::try_from(wall.as_nanos()).unwrap_or(u64::MAX);
    let length = packet.bytes.len();
    block(6, |out| {
        out.extend(0_u32.to_ne_bytes());
        out.extend(low_half(nanos >> 32).to_ne_bytes());
        out.extend(low_half(nanos).to_ne_bytes());
        out.extend(long(length).to_ne_bytes());
        out.extend(long(length + packet.cut).to_ne_bytes());
        out.extend(packet.bytes);
        pad(out);
        if let Some(comment) = &packet.comment {
            option(out, COMMENT, comment.as_bytes());
        }
        option(out, FLAGS, &(packet.way as u32).to_ne_bytes());
        option(out, END, &[]);
    })
}

/// Decryption Secrets Block.
#[cfg(any(feature = "tls", feature = "aws-lc-rs"))]
fn secrets_block(lines: &[u8]) -> Vec<u8> {
    block(0x0a, |out| {
        out.extend(0x544c_534b_u32.to_ne_bytes()); // a TLS key log
        out.extend(long(lines.len()).to_ne_bytes());
        out.extend(lines);
    })
}

fn low_half(n: u64) -> u32 {
    u32::try_from(n & u64::from(u32::MAX)).unwrap_or(u32::MAX)
}

fn long(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

const END: u16 = 0;
const COMMENT: u16 = 1;
const INTERFACE_NAME: u16 = 2;
const FLAGS: u16 = 2;
const USER_APPLICATION: u16 = 4;
const TIME_RESOLUTION: u16 = 9;
/// Packets that begin with an IPv4 or IPv6 header.
const LINKTYPE_RAW: u16 = 101;
/// Bytes of an option at most, so that its length fits.
const OPTION_MAX: usize = 4096;
/// Bytes of a capture by default.
const BYTES: u64 = 1 << 30;
