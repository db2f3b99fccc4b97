use std::collections::VecDeque;
use std::fmt;
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What enters a run beside the net, in order: kept while it is recorded, given back in replay.
///
/// A [`Net`](super::Net) is the only door to the outside, but a cryptographic library draws keys
/// and makes signatures by itself, and a program reads its files. What such sources give goes
/// through a tape: [`take`](Self::take) calls the source and keeps what it gave while recording,
/// and gives back what was kept, without asking the source, in replay.
///
/// Clones share the tape. One belongs to one run of one net: the recorder of that net writes the
/// entries into its file between two operations ([`drain_new`](Self::drain_new)), and the replay
/// hands on those that follow an operation before it returns from it ([`feed`](Self::feed)).
///
/// **A tape of TLS holds the secrets of the recorded sessions.** Whoever has it reads all of their
/// traffic. Private keys of certificates are never on it.
///
/// ```
/// use hio::net::Tape;
/// let tape = Tape::recording();
/// assert_eq!(tape.take("greeting", || b"hello".to_vec()), Some(b"hello".to_vec()));
///
/// let again = Tape::replaying();
/// for entry in tape.drain_new() {
///     again.feed(entry);
/// }
/// assert_eq!(again.take("greeting", || unreachable!()), Some(b"hello".to_vec()));
/// assert_eq!(again.take("greeting", || unreachable!()), None);
/// assert_eq!(again.take_missed().as_deref(), Some("greeting: nothing is left on the tape"));
/// ```
#[derive(Clone)]
pub struct Tape(Arc<Shared>);

struct Shared {
    replaying: bool,
    /// There may be entries for a recorder.
    fresh: AtomicBool,
    reel: Mutex<Reel>,
}

#[derive(Default)]
struct Reel {
    entries: VecDeque<Vec<u8>>,
    /// Bytes in `entries`.
    bytes: usize,
    /// Entries that were dropped because nobody took away the others.
    lost: u64,
    missed: Option<String>,
}

impl Tape {
    /// Bytes that wait for a recorder at most. Far more than what is drawn between two operations;
    /// a tape that no recorder drains stops growing there.
    pub const BYTES_MAX: usize = 16 * 1024 * 1024;

    /// One that keeps what the sources give.
    #[must_use]
    pub fn recording() -> Self {
        Self::new(false)
    }

    /// One that gives back what it is fed.
    #[must_use]
    pub fn replaying() -> Self {
        Self::new(true)
    }

    fn new(replaying: bool) -> Self {
        Self(Arc::new(Shared {
            replaying,
            fresh: AtomicBool::new(false),
            reel: Mutex::default(),
        }))
    }

    /// Whether sources are not asked.
    #[must_use]
    pub fn is_replaying(&self) -> bool {
        self.0.replaying
    }

    /// What the source `what` gives: `source()`, or in replay what it gave when it was recorded.
    ///
    /// None when the run differs from the recorded one: another source was asked at this point, or
    /// none. [`take_missed`](Self::take_missed) says so then. Names have at most 255 bytes; what is
    /// longer is cut.
    pub fn take(&self, what: &str, source: impl FnOnce() -> Vec<u8>) -> Option<Vec<u8>> {
        if self.is_replaying() {
            return self.give_back(what);
        }
        let given = source();
        let name = name_of(what);
        let mut entry = Vec::with_capacity(1 + name.len() + given.len());
        entry.push(name.len().to_le_bytes()[0]);
        entry.extend_from_slice(name);
        entry.extend_from_slice(&given);
        let mut reel = self.reel();
        if reel.bytes + entry.len() > Self::BYTES_MAX {
            reel.lost += 1;
        } else {
            reel.bytes += entry.len();
            reel.entries.push_back(entry);
            self.0.fresh.store(true, Ordering::Release);
        }
        Some(given)
    }

    fn give_back(&self, what: &str) -> Option<Vec<u8>> {
        let mut reel = self.reel();
        let Some(mut entry) = reel.entries.pop_front() else {
            reel.miss(format!("{what}: nothing is left on the tape"));
            return None;
        };
        reel.bytes -= entry.len();
        let (name, given) = split(&entry);
        if name != name_of(what) {
            let found = String::from_utf8_lossy(name);
            reel.miss(format!("{what}: the tape has {found}"));
            return None;
        }
        let at = entry.len() - given.len();
        entry.drain(..at);
        Some(entry)
    }

    /// For recorders: whether [`drain_new`](Self::drain_new) would give anything. Cheap enough to ask
    /// at every operation.
    #[inline]
    #[must_use]
    pub fn has_new(&self) -> bool {
        self.0.fresh.load(Ordering::Acquire)
    }

    /// For recorders: what was kept since the last call, each entry to be fed to a tape in replay
    /// as it is.
    #[must_use]
    pub fn drain_new(&self) -> Vec<Vec<u8>> {
        let mut reel = self.reel();
        self.0.fresh.store(false, Ordering::Release);
        reel.bytes = 0;
        mem::take(&mut reel.entries).into()
    }

    /// For recorders: how many entries were dropped for [`BYTES_MAX`](Self::BYTES_MAX). If any
    /// were, the recording cannot be replayed.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.reel().lost
    }

    /// For replays: an entry that follows, of any bytes.
    pub fn feed(&self, entry: Vec<u8>) {
        let mut reel = self.reel();
        reel.bytes += entry.len();
        reel.entries.push_back(entry);
    }

    /// For replays: the name of the next entry that was fed and not asked for. One that is there
    /// when the next operation begins is a difference between the runs.
    #[must_use]
    pub fn peek(&self) -> Option<String> {
        let reel = self.reel();
        let entry = reel.entries.front()?;
        Some(String::from_utf8_lossy(split(entry).0).into_owned())
    }

    /// For replays: what was asked for first and could not be given, once.
    #[must_use]
    pub fn take_missed(&self) -> Option<String> {
        self.reel().missed.take()
    }

    fn reel(&self) -> MutexGuard<'_, Reel> {
        self.0.reel.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reel {
    fn miss(&mut self, what: String) {
        self.missed.get_or_insert(what);
    }
}

impl fmt::Debug for Tape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Never the entries: they are secrets.
        f.debug_struct("Tape")
            .field("replaying", &self.is_replaying())
            .field("entries", &self.reel().entries.len())
            .finish()
    }
}

fn name_of(what: &str) -> &[u8] {
    &what.as_bytes()[..what.len().min(255)]
}

/// An entry's name and what was given. Entries come from a file: any bytes will do.
fn split(entry: &[u8]) -> (&[u8], &[u8]) {
    let Some((&len, rest)) = entry.split_first() else {
        return (&[], &[]);
    };
    rest.split_at(usize::from(len).min(rest.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copy(from: &Tape) -> Tape {
        let to = Tape::replaying();
        for entry in from.drain_new() {
            to.feed(entry);
        }
        to
    }

    #[test]
    fn gives_back_in_order_without_asking_the_source() {
        let tape = Tape::recording();
        for i in 0..3 {
            assert_eq!(tape.take("n", || vec![i; 4]), Some(vec![i; 4]));
        }
        assert_eq!(tape.take("", Vec::new), Some(Vec::new()));
        assert!(tape.has_new());
        let again = copy(&tape);
        assert!(!tape.has_new());
        assert!(tape.drain_new().is_empty(), "taken away");
        for i in 0..3 {
            assert_eq!(again.peek().as_deref(), Some("n"));
            let given = again.take("n", || panic!("the source is asked"));
            assert_eq!(given, Some(vec![i; 4]));
        }
        assert_eq!(again.take("", || panic!()), Some(Vec::new()));
        assert_eq!((again.peek(), again.take_missed()), (None, None));
    }

    #[test]
    fn the_first_difference_is_named() {
        let tape = Tape::recording();
        tape.take("random", || vec![1]);
        let again = copy(&tape);
        assert_eq!(again.take("signature", Vec::new), None);
        assert_eq!(again.take("random", Vec::new), None);
        let missed = again.take_missed();
        assert_eq!(missed.as_deref(), Some("signature: the tape has random"));
        assert_eq!(again.take_missed(), None, "once");
    }

    #[test]
    fn a_tape_that_nobody_drains_stops_growing() {
        let tape = Tape::recording();
        for _ in 0..20 {
            let given = tape.take("much", || vec![0; 1024 * 1024]);
            assert!(given.is_some(), "the run goes on");
        }
        assert_eq!(tape.lost(), 5);
        assert!(tape.reel().bytes <= Tape::BYTES_MAX);
    }

    #[test]
    fn entries_of_any_bytes_and_long_names() {
        for entry in [vec![], vec![255], vec![3, b'a'], vec![1, b'a', 7]] {
            let tape = Tape::replaying();
            tape.feed(entry.clone());
            let fits = entry == [1, b'a', 7] || entry == [3, b'a'];
            assert_eq!(tape.take("a", Vec::new).is_some(), fits, "{entry:?}");
        }
        let long = "x".repeat(300);
        let tape = Tape::recording();
        tape.take(&long, || vec![9]);
        assert_eq!(copy(&tape).take(&long, Vec::new), Some(vec![9]));
    }

    #[test]
    fn debug_shows_no_payload() {
        let tape = Tape::recording();
        tape.take("secret", || b"hunter2".to_vec());
        assert_eq!(format!("{tape:?}"), "Tape { replaying: false, entries: 1 }");
    }
}
