use std::any::Any;
use std::error::Error;
use std::fmt;

use crate::net::NetError;
use crate::tyme::Tyme;

/// Which of a doer's hooks failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// [`Doer::enter`](super::Doer::enter).
    Enter,
    /// [`Doer::recur`](super::Doer::recur).
    Recur,
    /// [`Doer::clean`](super::Doer::clean).
    Clean,
    /// [`Doer::cease`](super::Doer::cease).
    Cease,
    /// [`Doer::abort`](super::Doer::abort).
    Abort,
    /// [`Doer::exit`](super::Doer::exit).
    Exit,
    /// The doer's own drop.
    Drop,
}

impl fmt::Display for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Enter => "enter",
            Self::Recur => "recur",
            Self::Clean => "clean",
            Self::Cease => "cease",
            Self::Abort => "abort",
            Self::Exit => "exit",
            Self::Drop => "drop",
        })
    }
}

/// The scheduler was used in a way that makes no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Misuse {
    /// A Doist or a Deeds was entered while it was open.
    #[error("entered twice: it is open already; exit it first")]
    EnteredTwice,
    /// A Doist was run before it was entered, or after it had ended.
    #[error("not entered: call enter first")]
    NotEntered,
    /// A parent's children were still open after its exit; they have been closed.
    #[error("children were left open by their parent's exit; they have been closed")]
    LeftOpen,
    /// Real pace with a tock of zero: tyme would stand still while the clock runs.
    #[error("a tock of zero has no real pace: use Pace::Asap, or give the Doist a tock")]
    ZeroTock,
    /// A pace that is zero, negative or not finite.
    #[error("a scaled pace must be finite and above zero")]
    BadPace,
    /// Nothing is due, nothing can wake anybody, and there is no limit.
    #[error("nothing is due and nothing can wake a doer: the run would never end")]
    Stuck,
}

/// What is at the bottom of a [`Fault`].
#[derive(Debug)]
#[non_exhaustive]
pub enum Cause {
    /// The hook returned this error.
    Failed(Box<dyn Error + Send + Sync>),
    /// The hook panicked, with this message.
    Panicked(String),
    /// The scheduler was misused.
    Misused(Misuse),
    /// Polling the net failed.
    Net(NetError),
}

/// A failure on its way up: what failed, in which doer, and what else failed while closing.
///
/// Any error turns into one by `?`. It turns into `Box<dyn Error + Send + Sync>` by `?` as well,
/// and can therefore not be an `Error` itself.
///
/// ```
/// use hio::doing::Fault;
/// fn port(text: &str) -> Result<u16, Fault> {
///     Ok(text.parse::<u16>()?)
/// }
/// assert!(port("x").unwrap_err().to_string().contains("invalid digit"));
/// ```
pub struct Fault(Box<Inner>);

struct Inner {
    cause: Cause,
    hook: Option<Hook>,
    tyme: Tyme,
    /// Names from the innermost doer outwards.
    path: Vec<String>,
    also: Vec<Fault>,
}

impl Fault {
    /// A failure that is told in words.
    pub fn msg(text: impl Into<String>) -> Self {
        Self::new(Cause::Failed(text.into().into()))
    }

    pub(crate) fn new(cause: Cause) -> Self {
        let (hook, tyme, path, also) = (None, Tyme::ZERO, Vec::new(), Vec::new());
        Self(Box::new(Inner {
            cause,
            hook,
            tyme,
            path,
            also,
        }))
    }

    pub(crate) fn misuse(why: Misuse) -> Self {
        Self::new(Cause::Misused(why))
    }

    pub(crate) fn panicked(payload: &(dyn Any + Send)) -> Self {
        let text = payload
            .downcast_ref::<&str>()
            .map(|s| (*s).to_owned())
            .or_else(|| payload.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "a panic without words".to_owned());
        Self::new(Cause::Panicked(text))
    }

    /// Notes which hook failed and when, unless a scheduler further down has.
    pub(crate) fn during(mut self, hook: Hook, tyme: Tyme) -> Self {
        if self.0.hook.is_none() {
            self.0.hook = Some(hook);
            self.0.tyme = tyme;
        }
        self
    }

    /// Puts the name of the next doer outwards before its path.
    pub(crate) fn below(&mut self, name: String) {
        self.0.path.push(name);
    }

    pub(crate) fn and(&mut self, more: impl IntoIterator<Item = Self>) {
        self.0.also.extend(more);
    }

    /// What is at the bottom.
    #[must_use]
    pub fn cause(&self) -> &Cause {
        &self.0.cause
    }

    /// The hook that failed; none for a misused Doist or a lost net.
    #[must_use]
    pub fn hook(&self) -> Option<Hook> {
        self.0.hook
    }

    /// The tyme at which it failed.
    #[must_use]
    pub fn tyme(&self) -> Tyme {
        self.0.tyme
    }

    /// The doer that failed: names from the root's child down to it.
    pub fn path(&self) -> impl Iterator<Item = &str> {
        self.0.path.iter().rev().map(String::as_str)
    }

    /// What else failed in closing hooks, in order.
    #[must_use]
    pub fn also(&self) -> &[Self] {
        &self.0.also
    }

    /// The error a hook returned, if it was a `T`.
    #[must_use]
    pub fn downcast_ref<T: Error + 'static>(&self) -> Option<&T> {
        match &self.0.cause {
            Cause::Failed(e) => e.downcast_ref(),
            _ => None,
        }
    }
}

impl<E: Error + Send + Sync + 'static> From<E> for Fault {
    fn from(e: E) -> Self {
        Self::new(Cause::Failed(Box::new(e)))
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(e) => write!(f, "{e}"),
            Self::Panicked(text) => write!(f, "panicked: {text}"),
            Self::Misused(why) => write!(f, "{why}"),
            Self::Net(e) => write!(f, "the net is lost: {e}"),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(hook) = self.0.hook {
            let path: Vec<&str> = self.path().collect();
            write!(
                f,
                "{} failed in {hook} at {}: ",
                path.join("/"),
                self.0.tyme
            )?;
        }
        write!(f, "{}", self.0.cause)?;
        for more in &self.0.also {
            write!(f, "; also {more}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fault({self})")
    }
}

/// A [`Fault`] as an error among others.
#[derive(Debug)]
struct FaultError(Fault);

impl fmt::Display for FaultError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for FaultError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self.0.cause() {
            Cause::Failed(e) => Some(&**e),
            _ => None,
        }
    }
}

impl From<Fault> for Box<dyn Error + Send + Sync> {
    fn from(fault: Fault) -> Self {
        Box::new(FaultError(fault))
    }
}

impl From<Fault> for Box<dyn Error> {
    fn from(fault: Fault) -> Self {
        Box::new(FaultError(fault))
    }
}
