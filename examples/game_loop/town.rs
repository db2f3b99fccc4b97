//! Work that need not be done in one frame: a thousand townsfolk, some of them a frame.

use hio::doing::prelude::*;
use hio::doing::{Budget, Step};

/// What all of them have done, mixed: it depends on every step and on their order.
type Sum = u64;

/// Somebody who does something at random, once a pass.
struct Dweller(u64);

impl Doer<Sum> for Dweller {
    fn recur(&mut self, tyme: Tyme, cx: &mut Cx<'_, Sum>) -> Result<Next, Fault> {
        self.0 = self.0.wrapping_add(cx.rng.range(0..1_000));
        let mixed = cx.app.rotate_left(5) ^ self.0 ^ tyme.as_nanos();
        *cx.app = mixed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        Ok(Again)
    }
}

/// Needs no sockets: a Doist on a net of nothing.
pub(crate) struct Town {
    doist: Doist<Sum>,
    net: NullNet,
    dwellers: usize,
    budget: usize,
    /// Passes that are complete.
    pub(crate) passes: u64,
    /// Another one was begun.
    cut: bool,
}

impl Town {
    /// With so many dwellers, of whom at most `budget` act in a frame.
    pub(crate) fn new(dwellers: usize, budget: usize) -> Result<Self, Fault> {
        let mut town = Self {
            doist: Doist::new(0).with_seed(7),
            net: NullNet::default(),
            dwellers,
            budget,
            passes: 0,
            cut: false,
        };
        for _ in 0..dwellers {
            town.doist.add(Dweller(0));
        }
        town.doist.enter(&mut town.net)?;
        Ok(town)
    }

    /// A frame's share. The budget counts doers, not time: so the same doers act in the same
    /// frame in every run, on every machine.
    pub(crate) fn frame(&mut self) -> Result<(), Fault> {
        let budget = Budget::doers(self.budget);
        let step = self.doist.recur_within(&mut self.net, budget)?;
        self.cut = step == Step::Cut;
        self.passes += u64::from(!self.cut);
        Ok(())
    }

    /// Whether as many passes in one piece each come to the same.
    pub(crate) fn comes_to_the_same(mut self) -> Result<bool, Fault> {
        while self.cut {
            self.frame()?;
        }
        let mut whole = Self::new(self.dwellers, self.dwellers)?;
        while whole.passes < self.passes {
            whole.frame()?;
        }
        Ok(whole.doist.app == self.doist.app)
    }
}
