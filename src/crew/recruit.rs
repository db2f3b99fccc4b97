//! A member of any application: its builder, and what is done with the Doist that it builds.

use std::sync::Arc;

use super::seat::Seat;
use crate::doing::{Doist, Fault, Outcome, StopHandle};
use crate::sim::{DoerLog, Program, program};

pub(super) trait Recruit: Send {
    /// Builds it and runs it to its end, telling how it is stopped in between.
    fn run(
        &mut self,
        seat: &mut Seat<'_>,
        began: &mut dyn FnMut(StopHandle),
    ) -> Result<Outcome, Fault>;

    /// Builds it for a simulation.
    fn boot(
        &mut self,
        seat: &mut Seat<'_>,
        log: Arc<DoerLog>,
        began: &mut dyn FnMut(StopHandle),
    ) -> Result<Box<dyn Program>, Fault>;
}

pub(super) struct Recruited<F> {
    build: F,
}

impl<F> Recruited<F> {
    pub(super) const fn new(build: F) -> Self {
        Self { build }
    }
}

impl<A, F> Recruit for Recruited<F>
where
    A: Send + 'static,
    F: FnMut(&mut Seat<'_>) -> Result<Doist<A>, Fault> + Send,
{
    fn run(
        &mut self,
        seat: &mut Seat<'_>,
        began: &mut dyn FnMut(StopHandle),
    ) -> Result<Outcome, Fault> {
        let mut doist = (self.build)(seat)?.with_seed(seat.seed);
        began(doist.stop_handle());
        doist.run(seat.net)
    }

    fn boot(
        &mut self,
        seat: &mut Seat<'_>,
        log: Arc<DoerLog>,
        began: &mut dyn FnMut(StopHandle),
    ) -> Result<Box<dyn Program>, Fault> {
        let doist = (self.build)(seat)?;
        began(doist.stop_handle());
        Ok(program(doist, seat.seed, log))
    }
}
