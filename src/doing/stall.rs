//! Doers that keep all others waiting: told when they return, and visible while they do not.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering, fence};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::hub::{DoerId, Event};
use super::watch::{Seen, Watcher};
use crate::net::Owner;
use crate::tyme::{Clock, Tyme};

/// A hook that took too long.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stall {
    /// The doer.
    pub id: DoerId,
    /// Its name and its parents', from the Doist's child down.
    pub path: String,
    /// The hook.
    pub hook: Event,
    /// The tyme at which it ran.
    pub tyme: Tyme,
    /// When it began, on the clock of the watch.
    pub since: Tyme,
    /// How long it took on that clock, without the hooks of other doers inside it.
    pub took: Duration,
}

impl fmt::Display for Stall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            path, hook, tyme, ..
        } = self;
        write!(
            f,
            "{path} took {:.1?} in {hook:?} at tyme {tyme}",
            self.took
        )
    }
}

/// Names the doers that keep all others waiting: a [`Watcher`] with a clock of its own.
///
/// Each hook of a doer that takes the threshold or longer, the hooks of other doers inside it not
/// counted, is a [`Stall`]. It is counted, handed to [`on_stall`](Self::on_stall), and told in the
/// log at `warn`, at most one line a second of the watch's clock, with the number of those between.
/// Whoever has a [`report`](Self::report) sees from any thread which doer runs right now, and since
/// when: that is how a doer is named that never returns.
///
/// The clock is the only thing that is read, twice a hook. In a simulation the system's clock would measure the
/// machine; a [`ManualClock`](crate::tyme::ManualClock) measures what you say.
///
/// ```
/// use hio::doing::StallWatch;
/// use hio::doing::prelude::*;
/// use hio::tyme::SystemClock;
/// use std::time::Duration;
///
/// let watch = StallWatch::new(SystemClock::new(), Duration::from_millis(50));
/// let report = watch.report();
/// let mut doist = Doist::new(()).with_pace(Pace::Asap);
/// doist.watch(watch);
/// doist.add(redo([Again, Done(true)]));
/// doist.run(&mut NullNet::default())?;
/// assert_eq!((report.running(), report.stalls()), (None, 0));
/// # Ok::<(), Fault>(())
/// ```
pub struct StallWatch<C> {
    clock: C,
    threshold: Duration,
    on_stall: Option<OnStall>,
    /// The hooks under way, outermost first.
    stack: Vec<Frame>,
    shared: Arc<Shared>,
    /// When the log was told last, and how many stalls it was not told of since.
    told: Option<Tyme>,
    untold: u64,
}

type OnStall = Box<dyn FnMut(&Stall) + Send>;
/// Who is above each doer, and its name.
type Names = BTreeMap<DoerId, (Option<DoerId>, Box<str>)>;

/// A hook under way.
#[derive(Clone, Copy, Debug)]
struct Frame {
    id: DoerId,
    hook: Event,
    tyme: Tyme,
    since: Tyme,
    /// What the hooks inside it took.
    inside: Duration,
}

/// The log is told of a stall at most so often.
const TELL: Duration = Duration::from_secs(1);

impl<C: Clock + Send> StallWatch<C> {
    /// Watches for hooks that take `threshold` or longer on `clock`.
    #[must_use]
    pub fn new(clock: C, threshold: Duration) -> Self {
        Self {
            clock,
            threshold,
            on_stall: None,
            stack: Vec::new(),
            shared: Arc::default(),
            told: None,
            untold: 0,
        }
    }

    /// Calls this for each stall, when the hook has returned.
    #[must_use]
    pub fn on_stall(mut self, call: impl FnMut(&Stall) + Send + 'static) -> Self {
        self.on_stall = Some(Box::new(call));
        self
    }

    /// A handle that tells which doer runs now, from any thread.
    #[must_use]
    pub fn report(&self) -> StallReport {
        StallReport(Arc::clone(&self.shared))
    }

    fn stalled(&mut self, frame: Frame, took: Duration, now: Tyme) {
        let stall = Stall {
            id: frame.id,
            path: self.shared.path(frame.id),
            hook: frame.hook,
            tyme: frame.tyme,
            since: frame.since,
            took,
        };
        let longest = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.shared.stalls.fetch_add(1, Ordering::Relaxed);
        self.shared.longest.fetch_max(longest, Ordering::Relaxed);
        if self.told.is_none_or(|told| now.since(told) >= TELL) {
            match self.untold {
                0 => log::warn!("stall: {stall}"),
                more => log::warn!("stall: {stall}; {more} more since the last line"),
            }
            (self.told, self.untold) = (Some(now), 0);
        } else {
            self.untold += 1;
        }
        *self.shared.last() = Some(stall.clone());
        if let Some(call) = &mut self.on_stall {
            call(&stall);
        }
    }
}

impl<C: Clock + Send> Watcher for StallWatch<C> {
    fn begins(&mut self, doer: &Seen<'_>, hook: Event) {
        let id = doer.id();
        let above = self.stack.last().map(|frame| frame.id);
        self.shared.learn(id, above, doer);
        let frame = Frame {
            id,
            hook,
            tyme: doer.tyme(),
            since: self.clock.now(),
            inside: Duration::ZERO,
        };
        self.stack.push(frame);
        self.shared.set(Some(frame));
    }

    fn ended(&mut self, _tyme: Tyme, doer: DoerId, hook: Event) {
        // A watch that came in the midst of a hook did not see it begin.
        let last = self.stack.last().copied();
        let Some(frame) = last.filter(|f| (f.id, f.hook) == (doer, hook)) else {
            return;
        };
        self.stack.pop();
        let now = self.clock.now();
        let whole = now.since(frame.since);
        let own = whole.saturating_sub(frame.inside);
        if let Some(above) = self.stack.last_mut() {
            above.inside += whole;
        }
        self.shared.set(self.stack.last().copied());
        if own >= self.threshold {
            self.stalled(frame, own, now);
        }
        if hook == Event::Exit {
            self.shared.forget(doer);
        }
    }
}

impl<C> fmt::Debug for StallWatch<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StallWatch")
            .field("threshold", &self.threshold)
            .finish_non_exhaustive()
    }
}

/// Which doer runs right now, for any thread: made by [`StallWatch::report`].
///
/// No thread is started for it. A watchdog is a thread of your own that looks now and then:
///
/// ```no_run
/// use hio::doing::{Doist, StallWatch};
/// use hio::tyme::{Clock, SystemClock};
/// use std::time::Duration;
/// let mut clock = SystemClock::new();
/// let watch = StallWatch::new(clock, Duration::from_millis(50));
/// let report = watch.report();
/// let mut doist = Doist::new(());
/// doist.watch(watch);
/// std::thread::spawn(move || loop {
///     std::thread::sleep(Duration::from_secs(1));
///     if let Some(running) = report.running() {
///         let so_far = clock.now().since(running.since);
///         if so_far > Duration::from_secs(5) {
///             eprintln!("{} has not returned for {so_far:?}", running.path);
///         }
///     }
/// });
/// ```
#[derive(Clone, Debug)]
pub struct StallReport(Arc<Shared>);

/// A hook that has not returned.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Running {
    /// The doer.
    pub id: DoerId,
    /// Its name and its parents', from the Doist's child down.
    pub path: String,
    /// The hook.
    pub hook: Event,
    /// The tyme at which it runs.
    pub tyme: Tyme,
    /// When it began, on the clock of the watch.
    pub since: Tyme,
}

impl StallReport {
    /// The innermost hook under way; none between two, as while the Doist sleeps.
    #[must_use]
    pub fn running(&self) -> Option<Running> {
        let [id, hook, tyme, since] = self.0.words()?;
        let id = DoerId::from(Owner(id));
        Some(Running {
            id,
            path: self.0.path(id),
            hook: HOOKS
                .get(usize::try_from(hook).ok()?.checked_sub(1)?)
                .copied()?,
            tyme: Tyme::from_nanos(tyme),
            since: Tyme::from_nanos(since),
        })
    }

    /// How many stalls there were.
    #[must_use]
    pub fn stalls(&self) -> u64 {
        self.0.stalls.load(Ordering::Relaxed)
    }

    /// The longest of them.
    #[must_use]
    pub fn longest(&self) -> Duration {
        Duration::from_nanos(self.0.longest.load(Ordering::Relaxed))
    }

    /// The last one.
    #[must_use]
    pub fn last(&self) -> Option<Stall> {
        self.0.last().clone()
    }
}

/// What the watch writes and reports read.
#[derive(Debug, Default)]
struct Shared {
    /// Odd while the words are written, so that nobody takes half of one hook and half of the next.
    turn: AtomicU64,
    /// Doer, hook (0 is none), tyme, since.
    words: [AtomicU64; 4],
    stalls: AtomicU64,
    longest: AtomicU64,
    last: Mutex<Option<Stall>>,
    /// The names of the doers that were seen and have not exited, with who is above each.
    names: Mutex<Names>,
    /// The doer that was learnt of last: those who run again and again take no lock for it.
    known: AtomicU64,
}

const HOOKS: [Event; 6] = [
    Event::Enter,
    Event::Recur,
    Event::Clean,
    Event::Cease,
    Event::Abort,
    Event::Exit,
];
/// A reader that finds the words in motion so often in a row gives up: who runs changes all the
/// time, so nobody hangs.
const TRIES: usize = 1000;

impl Shared {
    fn set(&self, frame: Option<Frame>) {
        let words = frame.map_or([0; 4], |frame| {
            let hook = HOOKS.iter().position(|h| *h == frame.hook);
            let hook = hook.map_or(0, |at| at as u64 + 1);
            let (tyme, since) = (frame.tyme.as_nanos(), frame.since.as_nanos());
            [Owner::from(frame.id).0, hook, tyme, since]
        });
        let turn = self.turn.load(Ordering::Relaxed);
        self.turn.store(turn.wrapping_add(1), Ordering::Relaxed);
        fence(Ordering::Release);
        for (to, word) in self.words.iter().zip(words) {
            to.store(word, Ordering::Relaxed);
        }
        self.turn.store(turn.wrapping_add(2), Ordering::Release);
    }

    /// The words of one hook, none when no hook is under way.
    fn words(&self) -> Option<[u64; 4]> {
        for _ in 0..TRIES {
            let turn = self.turn.load(Ordering::Acquire);
            let words = std::array::from_fn(|i| self.words[i].load(Ordering::Relaxed));
            fence(Ordering::Acquire);
            if turn % 2 == 0 && self.turn.load(Ordering::Relaxed) == turn {
                return (words[1] != 0).then_some(words);
            }
            std::hint::spin_loop();
        }
        None
    }

    fn names(&self) -> MutexGuard<'_, Names> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn last(&self) -> MutexGuard<'_, Option<Stall>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn learn(&self, id: DoerId, above: Option<DoerId>, doer: &Seen<'_>) {
        let known = Owner::from(id).0;
        if self.known.swap(known, Ordering::Relaxed) != known {
            let name = || (above, doer.name().into_boxed_str());
            self.names().entry(id).or_insert_with(name);
        }
    }

    fn forget(&self, id: DoerId) {
        self.known.store(0, Ordering::Relaxed);
        self.names().remove(&id);
    }

    fn path(&self, id: DoerId) -> String {
        let names = self.names();
        let (mut path, mut next) = (Vec::new(), Some(id));
        while let Some((above, name)) = next.and_then(|id| names.get(&id)) {
            path.push(&**name);
            next = *above;
        }
        path.reverse();
        path.join("/")
    }
}
