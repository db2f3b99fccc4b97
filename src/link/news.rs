/// What a turn has found that the user should see. A set, as small as it gets: it is made and
/// looked at for every message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct News(u8);

impl News {
    pub(super) const NONE: Self = Self(0);
    /// Bytes came.
    pub(super) const RECEIVED: Self = Self(1);
    /// The peer has ended its side.
    pub(super) const CUTOFF: Self = Self(2);
    /// What had waited for the socket is sent.
    pub(super) const DRAINED: Self = Self(4);
    /// It is over.
    pub(super) const CLOSED: Self = Self(8);
    /// The TLS handshake is over.
    pub(super) const SECURED: Self = Self(16);

    pub(super) const fn any(self) -> bool {
        self.0 != 0
    }

    pub(super) const fn has(self, what: Self) -> bool {
        self.0 & what.0 != 0
    }

    pub(super) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Both, if the condition holds; else only itself.
    pub(super) const fn and_if(self, condition: bool, other: Self) -> Self {
        match condition {
            true => self.and(other),
            false => self,
        }
    }

    pub(super) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether there is more than bytes.
    pub(super) const fn notable(self) -> bool {
        self.0 > Self::RECEIVED.0
    }
}
