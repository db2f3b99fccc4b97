use std::fmt;
use std::time::Duration;

use crate::net::{Endpoint, NetError};

/// What one peer of a [`Scripted`](super::Scripted) net does, step by step.
///
/// A step begins when the one before it is done: so bytes that are sent after an expectation wait
/// until it is met. When all are done the connection stays as it is.
///
/// ```
/// use hio::net::Script;
/// use std::time::Duration;
/// let script = Script::to("10.0.0.1:80".parse()?)
///     .expects("GET / HTTP/1.1\r\n\r\n")
///     .after(Duration::from_millis(20))
///     .sends("HTTP/1.1 204 No Content\r\n\r\n")
///     .ends();
/// # let _ = script;
/// # Ok::<(), hio::net::EndpointError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Script {
    pub(super) to: Endpoint,
    pub(super) connects_after: Duration,
    pub(super) refusal: Option<NetError>,
    pub(super) steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Wait(Duration),
    Expect(Vec<u8>),
    Skip(usize),
    ExpectEnd,
    Send(Vec<u8>),
    End,
    Fail(NetError),
    Hold(usize),
}

impl Script {
    /// Answers one connection to that address, as it is dialled: a name is resolved before.
    #[must_use]
    pub const fn to(to: Endpoint) -> Self {
        Self {
            to,
            connects_after: Duration::ZERO,
            refusal: None,
            steps: Vec::new(),
        }
    }

    /// The connection stands after this time; [`Duration::MAX`] is never. By default at once.
    #[must_use]
    pub const fn connects_after(mut self, time: Duration) -> Self {
        self.connects_after = time;
        self
    }

    /// The connection fails, after the time of [`connects_after`](Self::connects_after).
    #[must_use]
    pub const fn refuses(mut self, why: NetError) -> Self {
        self.refusal = Some(why);
        self
    }

    /// Waits.
    #[must_use]
    pub fn after(self, time: Duration) -> Self {
        self.step(Step::Wait(time))
    }

    /// Waits until exactly these bytes were written, however they are split. When others are, that
    /// is noted and the connection is reset.
    #[must_use]
    pub fn expects(self, bytes: impl Into<Vec<u8>>) -> Self {
        self.step(Step::Expect(bytes.into()))
    }

    /// Waits until so many bytes were written, whatever they are.
    #[must_use]
    pub fn expects_any(self, count: usize) -> Self {
        self.step(Step::Skip(count))
    }

    /// Waits until the program has ended its side, with nothing more written before.
    #[must_use]
    pub fn expects_end(self) -> Self {
        self.step(Step::ExpectEnd)
    }

    /// Sends bytes. What is sent without a wait in between can be read in one go.
    #[must_use]
    pub fn sends(self, bytes: impl Into<Vec<u8>>) -> Self {
        self.step(Step::Send(bytes.into()))
    }

    /// Ends its side: the program reads the end of the stream.
    #[must_use]
    pub fn ends(self) -> Self {
        self.step(Step::End)
    }

    /// Breaks the connection: reads, after what was sent, and writes fail with this.
    #[must_use]
    pub fn fails(self, why: NetError) -> Self {
        self.step(Step::Fail(why))
    }

    /// From here on holds at most so many bytes that no expectation has taken: a write takes no
    /// more. By default there is no bound; 0 is a peer that does not read.
    #[must_use]
    pub fn holds(self, bytes: usize) -> Self {
        self.step(Step::Hold(bytes))
    }

    fn step(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }
}

impl Step {
    /// Whether it is about what the program does.
    pub(super) const fn is_expectation(&self) -> bool {
        matches!(self, Self::Expect(_) | Self::Skip(_) | Self::ExpectEnd)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wait(time) => write!(f, "waits {time:?}"),
            Self::Expect(bytes) => write!(f, "expects \"{}\"", bytes.escape_ascii()),
            Self::Skip(count) => write!(f, "expects any {count} bytes"),
            Self::ExpectEnd => f.write_str("expects the end"),
            Self::Send(bytes) => write!(f, "sends {} bytes", bytes.len()),
            Self::End => f.write_str("ends"),
            Self::Fail(why) => write!(f, "fails: {why}"),
            Self::Hold(bytes) => write!(f, "holds {bytes} bytes"),
        }
    }
}

/// What a [`Scripted`](super::Scripted) net expected and did not get: one line for each.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct Unmet(pub Vec<String>);
