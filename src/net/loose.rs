use std::fmt;

use super::StdSocket;

/// An open connection between two nets: let go by one, not yet taken in by another.
///
/// [`Net::let_go`](super::Net::let_go) gives it, [`Net::take_in`](super::Net::take_in) takes it. It
/// may go to another thread. What the peer sends meanwhile waits in it. Dropped, the connection is
/// closed.
pub struct Loose(Held);

enum Held {
    /// A socket of the system.
    System(StdSocket),
    /// A socket of a made-up world, by a number that only this world knows.
    MadeUp(Token),
    /// No socket, as in a replay.
    Nothing,
}

struct Token {
    number: u64,
    /// What is called with the number when nobody took it in.
    dropped: Option<Box<dyn FnOnce(u64) + Send>>,
}

impl Loose {
    /// For implementors of [`Net`](super::Net): one without a socket behind it.
    #[must_use]
    pub const fn nothing() -> Self {
        Self(Held::Nothing)
    }

    pub(crate) const fn system(socket: StdSocket) -> Self {
        Self(Held::System(socket))
    }

    pub(crate) fn made_up(number: u64, dropped: impl FnOnce(u64) + Send + 'static) -> Self {
        let dropped = Some(Box::new(dropped) as Box<_>);
        Self(Held::MadeUp(Token { number, dropped }))
    }

    /// The socket, when it is one of the system.
    pub(crate) fn into_system(self) -> Option<StdSocket> {
        match self.0 {
            Held::System(socket) => Some(socket),
            _ => None,
        }
    }

    /// The number, when it is of a made-up world; it is not closed any more.
    pub(crate) fn into_made_up(self) -> Option<u64> {
        match self.0 {
            Held::MadeUp(mut token) => {
                token.dropped = None;
                Some(token.number)
            }
            _ => None,
        }
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        if let Some(dropped) = self.dropped.take() {
            dropped(self.number);
        }
    }
}

impl fmt::Debug for Loose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Held::System(socket) => write!(f, "Loose({socket:?})"),
            Held::MadeUp(token) => write!(f, "Loose(#{})", token.number),
            Held::Nothing => f.write_str("Loose"),
        }
    }
}
