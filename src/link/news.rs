use std::ops::BitOrAssign;

/// What a turn has found that the user should see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct News(u8);

impl News {
    pub(super) const NONE: Self = Self(0);
    pub(super) const RECEIVED: Self = Self(1);
    pub(super) const CUTOFF: Self = Self(2);
    pub(super) const DRAINED: Self = Self(4);
    pub(super) const CLOSED: Self = Self(8);

    /// These news if it is so, else none.
    pub(super) const fn when(self, so: bool) -> Self {
        if so { self } else { Self::NONE }
    }

    pub(super) const fn received(self) -> bool {
        self.has(Self::RECEIVED)
    }

    pub(super) const fn cutoff(self) -> bool {
        self.has(Self::CUTOFF)
    }

    pub(super) const fn drained(self) -> bool {
        self.has(Self::DRAINED)
    }

    pub(super) const fn closed(self) -> bool {
        self.has(Self::CLOSED)
    }

    pub(super) const fn any(self) -> bool {
        self.0 != 0
    }

    /// Whether there is more than bytes.
    pub(super) const fn notable(self) -> bool {
        self.0 & !Self::RECEIVED.0 != 0
    }

    const fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

impl BitOrAssign for News {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}
