//! What is out of the ordinary about a link, as bits: the usual state is one comparison away.

/// The peer has ended its side.
pub(super) const CUTOFF: u16 = 1;
/// The user's wish to end our side once all is sent.
pub(super) const FINISH: u16 = 2;
/// Our side has been ended.
pub(super) const SHUT: u16 = 4;
/// The user's wish to break it off.
pub(super) const ABORT: u16 = 8;
/// Not to be closed by itself when the peer has ended its side.
pub(super) const HOLD: u16 = 16;
/// The socket took less than was queued.
pub(super) const BLOCKED: u16 = 32;
/// Reading has stopped at the cap.
pub(super) const FULL: u16 = 64;
/// A deadline may have come nearer than the one that is armed.
pub(super) const REARM: u16 = 128;
/// Asked something since its last turn.
pub(super) const ASKED: u16 = 256;

/// A set of the bits above.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Flags(u16);

impl Flags {
    pub(super) const fn of(flags: u16) -> Self {
        Self(flags)
    }

    /// Whether one of `flags` is set.
    pub(super) const fn any(self, flags: u16) -> bool {
        self.0 & flags != 0
    }

    pub(super) const fn set(&mut self, flags: u16) {
        self.0 |= flags;
    }

    pub(super) const fn clear(&mut self, flags: u16) {
        self.0 &= !flags;
    }

    pub(super) const fn put(&mut self, flag: u16, on: bool) {
        if on {
            self.set(flag);
        } else {
            self.clear(flag);
        }
    }

    /// Clears `flag`; whether it was set.
    pub(super) const fn take(&mut self, flag: u16) -> bool {
        let was = self.any(flag);
        self.clear(flag);
        was
    }
}
