use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::recruit::{Recruit, Recruited};
use super::report::Report;
use super::roll::Roll;
use super::seat::Seat;
use super::threads::{Board, Running};
use crate::doing::{Doist, Fault};
use crate::net::{MioNet, Net};

/// Doists that run side by side, each on a thread of its own with a net of its own.
///
/// No thread is started before [`run`](Self::run) or [`start`](Self::start), and then one for each
/// member, named as the member is (Linux shows the first 15 bytes). Members begin side by side.
///
/// # Building a member
/// is the business of a closure that runs on the member's thread: what it makes need not have been
/// made elsewhere, and its [`Seat`] tells it who it is. It runs again when the member is restarted,
/// with a new net; so it keeps what must outlive a failure, as its [`Mailbox`](super::Mailbox)es,
/// and gives the Doist clones. The Doist's seed is the crew's: derived from its own, the member's
/// name and its restarts.
///
/// # When a member ends
/// - It *fails*, in a doer, in its builder, or by a panic: [`OnFailure`].
/// - It is *stopped* by a doer, as by a `SignalDoer` at a second signal: [`OnStop`], which stops the
///   crew.
/// - It is *done*, its limit is reached, or it has drained: the others go on. At a first signal each
///   member with a `SignalDoer` drains by itself, so give one to all that do not end otherwise.
///
/// # Stopping
/// goes in order, the last member first: the next one is told when the one before has ended. All of
/// it takes no longer than the limit ([`with_stop_limit`](Self::with_stop_limit)): a member that has not ended
/// in its share of what is left is no longer waited for. One that has not ended when the limit is
/// reached is reported as [`Left::Straggling`](super::Left::Straggling); no thread can be ended from outside.
///
/// ```
/// use hio::crew::Crew;
/// use hio::doing::prelude::*;
/// let report = Crew::new()
///     .member("one", |seat| {
///         let mut doist = Doist::new(seat.index);
///         doist.add(doify(|_, cx: &mut Cx<'_, usize>| Ok(Done(*cx.app == 0))));
///         Ok(doist)
///     })
///     .member("two", |_seat| Ok(Doist::new("no doer, and done at once")))
///     .run()?;
/// assert!(report.is_well());
/// # Ok::<(), hio::crew::CrewError>(())
/// ```
pub struct Crew {
    pub(super) recruits: Vec<Box<dyn Recruit>>,
    pub(super) names: Vec<String>,
    pub(super) seed: u64,
    pub(super) stop_limit: Duration,
    pub(super) nets: NetMaker,
    pub(super) board: Arc<Board>,
    on_failure: OnFailure,
    on_stop: OnStop,
}

/// Makes the net of a member.
pub(super) type NetMaker = Arc<dyn Fn(&str) -> Result<Box<dyn Net>, Fault> + Send + Sync>;

/// What is done when a member fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    /// The crew stops.
    Stop,
    /// The member is built and run again at once, on the same thread; but when members failed more
    /// than `most` times in `within`, the crew stops. Counted over all members, as a Doist counts
    /// over all of its doers.
    Restart {
        /// Restarts at most.
        most: usize,
        /// In so much time.
        within: Duration,
    },
}

impl Default for OnFailure {
    /// One restart in 5 s, as the policy of a Doist ([`Restarts`](crate::doing::Restarts)).
    fn default() -> Self {
        Self::Restart {
            most: 1,
            within: Duration::from_secs(5),
        }
    }
}

/// What is done when a member was stopped by one of its own doers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum OnStop {
    /// The crew stops.
    #[default]
    Crew,
    /// The others go on.
    Member,
}

/// Why a crew does not start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CrewError {
    /// It has no members.
    #[error("a crew has at least one member")]
    Empty,
    /// A name is empty, longer than 253 bytes, or has a space, a `#`, a `|` or `->` in it: what a
    /// node of a simulation may not be called either.
    #[error("{0:?} is no name for a member")]
    Name(String),
    /// Two members have this name.
    #[error("two members are called {0:?}")]
    Twice(String),
    /// The system gives no thread for this member. Those that ran were stopped.
    #[error("no thread for {name}: {why}")]
    Thread {
        /// The member.
        name: String,
        /// The system's reason.
        why: std::io::ErrorKind,
    },
}

impl Default for Crew {
    fn default() -> Self {
        Self::new()
    }
}

impl Crew {
    /// One without members, with seed 0 and a limit of 5 s for a stop.
    #[must_use]
    pub fn new() -> Self {
        Self {
            recruits: Vec::new(),
            names: Vec::new(),
            seed: 0,
            stop_limit: Duration::from_secs(5),
            nets: Arc::new(|_| Ok(Box::new(MioNet::new()?))),
            board: Arc::new(Board::new(Roll::default())),
            on_failure: OnFailure::default(),
            on_stop: OnStop::default(),
        }
    }

    /// Adds a member, and how its Doist is built.
    #[must_use]
    pub fn member<A: Send + 'static>(
        mut self,
        name: &str,
        build: impl FnMut(&mut Seat<'_>) -> Result<Doist<A>, Fault> + Send + 'static,
    ) -> Self {
        self.names.push(name.to_owned());
        self.recruits.push(Box::new(Recruited::new(build)));
        self
    }

    /// Sets the seed that the members' are derived from. Default 0.
    #[must_use]
    pub const fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sets what is done when a member fails. Default: one restart in 5 s, then the crew stops.
    #[must_use]
    pub const fn on_failure(mut self, policy: OnFailure) -> Self {
        self.on_failure = policy;
        self
    }

    /// Sets what is done when a member is stopped by a doer of its own. Default: the crew stops.
    #[must_use]
    pub const fn on_stop(mut self, policy: OnStop) -> Self {
        self.on_stop = policy;
        self
    }

    /// Sets how long a stop of the whole crew may take. Default 5 s. In a simulation there is no
    /// such limit: a paused member is waited for.
    #[must_use]
    pub const fn with_stop_limit(mut self, limit: Duration) -> Self {
        self.stop_limit = limit;
        self
    }

    /// Sets what makes each member's net, on its thread, from its name. Default: a [`MioNet`].
    /// For layers around it, such as [`Record`](crate::net::Record). Not asked in a simulation.
    ///
    /// ```
    /// use hio::crew::Crew;
    /// use hio::doing::prelude::*;
    /// use hio::net::{MioNet, Record};
    /// let crew = Crew::new().with_net(|name| {
    ///     let file = std::fs::File::create(std::env::temp_dir().join(name))?;
    ///     Ok(Box::new(Record::new(MioNet::new()?, file, name)))
    /// });
    /// # drop(crew);
    /// ```
    #[must_use]
    pub fn with_net(
        mut self,
        make: impl Fn(&str) -> Result<Box<dyn Net>, Fault> + Send + Sync + 'static,
    ) -> Self {
        self.nets = Arc::new(make);
        self
    }

    /// A handle to stop it with, from any thread, before or while it runs.
    #[must_use]
    pub fn handle(&self) -> CrewHandle {
        CrewHandle(Arc::clone(&self.board))
    }

    /// Starts a thread for each member and waits until all have ended.
    ///
    /// # Errors
    /// It cannot be started. That members failed is in the report.
    pub fn run(self) -> Result<Report, CrewError> {
        Ok(self.start()?.wait())
    }

    /// Starts a thread for each member. The stop limit is kept by whoever waits.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(self) -> Result<Running, CrewError> {
        self.muster()?;
        Running::start(self)
    }

    /// Checks the names and calls the roll.
    pub(super) fn muster(&self) -> Result<(), CrewError> {
        if self.names.is_empty() {
            return Err(CrewError::Empty);
        }
        for (n, name) in self.names.iter().enumerate() {
            let odd = |c: char| c.is_whitespace() || c.is_control() || c == '#' || c == '|';
            if name.is_empty() || name.len() > 253 || name.contains(odd) || name.contains("->") {
                return Err(CrewError::Name(name.clone()));
            }
            // Names of nodes are looked up without case.
            if self.names[..n]
                .iter()
                .any(|other| other.eq_ignore_ascii_case(name))
            {
                return Err(CrewError::Twice(name.clone()));
            }
        }
        let all = self.on_stop == OnStop::Crew;
        self.board.roll().call(&self.names, self.on_failure, all);
        Ok(())
    }
}

impl fmt::Debug for Crew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Crew")
            .field("members", &self.names)
            .finish_non_exhaustive()
    }
}

/// Stops a crew in order, from any thread; in its members too, and in a simulation.
#[derive(Clone, Debug)]
pub struct CrewHandle(pub(super) Arc<Board>);

impl CrewHandle {
    /// Tells the last member to stop; each of the others is told when the one after it has ended.
    /// Returns at once. Not for signal handlers, which get a `SignalDoer` in a member.
    pub fn stop(&self) {
        self.0.roll().stop();
        self.0.changed();
    }

    /// Whether it was told to stop, by whomever.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.0.roll().is_stopping()
    }
}
