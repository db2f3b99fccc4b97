//! What the loop controls, and its line to the operator.

use std::time::Duration;

use hio::doing::prelude::*;
use hio::link::{Event, Limits, RemoterId, Server};
use hio::net::{Endpoint, ListenOptions};

use super::histogram::Histogram;

/// The program's own state.
pub(crate) struct Rig {
    pub(crate) server: Server,
    operators: Vec<RemoterId>,
    /// When this period was to begin, on the net's clock; zero when nothing waited for it.
    pub(crate) due: Tyme,
    /// How much later than that it began.
    pub(crate) jitter: Histogram,
    pub(crate) periods: u64,
    cart: Cart,
    target: f64,
}

impl Rig {
    pub(crate) fn new(at: Endpoint) -> Self {
        Self {
            server: Server::new(at, ListenOptions::default(), Limits::default()),
            operators: Vec::with_capacity(16),
            due: Tyme::ZERO,
            jitter: Histogram::new(),
            periods: 0,
            cart: Cart::default(),
            target: 0.0,
        }
    }
}

/// A cart on a rail, of 1 kg.
#[derive(Default)]
struct Cart {
    position: f64,
    speed: f64,
}

impl Cart {
    /// A period under a force.
    fn push(&mut self, force: f64) {
        self.speed += force * PERIOD.as_secs_f64();
        self.position += self.speed * PERIOD.as_secs_f64();
    }

    /// What brings it to a place without swinging past it.
    fn force_to(&self, target: f64) -> f64 {
        400.0 * (target - self.position) - 40.0 * self.speed
    }
}

/// The period of the loop.
pub(crate) const PERIOD: Duration = Duration::from_millis(1);

/// Sets the force once a period. It comes first, so that no traffic moves the moment at which it acts.
pub(crate) struct Control {
    /// Now and then it takes longer than it may.
    pub(crate) stall: Duration,
}

impl Doer<Rig> for Control {
    fn recur(&mut self, _tyme: Tyme, cx: &mut Cx<'_, Rig>) -> Result<Next, Fault> {
        let rig = &mut *cx.app;
        if rig.due > Tyme::ZERO {
            rig.jitter.add(cx.net.now() - rig.due);
        }
        rig.periods += 1;
        rig.cart.push(rig.cart.force_to(rig.target));
        if rig.periods % 500 == 0 && !self.stall.is_zero() {
            busy(cx.net, self.stall);
        }
        Ok(Again)
    }
}

/// A computation that takes so long.
fn busy(net: &mut dyn Net, time: Duration) {
    let end = net.now() + time;
    while net.now() < end {
        std::hint::spin_loop();
    }
}

/// Takes targets from operators and tells them the state ten times less often than it runs.
pub(crate) struct Telemetry;

/// Bytes of a target: a number.
pub(crate) const TARGET: usize = 8;
/// Bytes of what is told: tyme in nanoseconds, period, target and position.
pub(crate) const STATE: usize = 32;
/// Periods from one to the next.
pub(crate) const EVERY: u64 = 10;

impl Telemetry {
    fn listen(rig: &mut Rig) {
        for at in 0..rig.operators.len() {
            let Some(ix) = rig.server.get_mut(rig.operators[at]) else {
                continue;
            };
            while let Some((number, _)) = ix.rx().split_first_chunk() {
                rig.target = f64::from_le_bytes(*number);
                ix.consume(TARGET);
            }
        }
    }

    fn tell(tyme: Tyme, rig: &mut Rig) {
        let mut state = [0; STATE];
        for (place, bytes) in [
            tyme.as_nanos().to_le_bytes(),
            rig.periods.to_le_bytes(),
            rig.target.to_le_bytes(),
            rig.cart.position.to_le_bytes(),
        ]
        .iter()
        .enumerate()
        {
            state[place * 8..][..8].copy_from_slice(bytes);
        }
        // Who does not read is left out, and closed in time by the server's limits.
        for &id in &rig.operators {
            let _ = rig.server.transmit_ix(id, &state);
        }
    }
}

impl Doer<Rig> for Telemetry {
    fn enter(&mut self, cx: &mut Cx<'_, Rig>) -> Result<Next, Fault> {
        cx.app.server.open(cx.net, cx.ask.owner())?;
        Ok(Again)
    }

    fn recur(&mut self, tyme: Tyme, cx: &mut Cx<'_, Rig>) -> Result<Next, Fault> {
        let rig = &mut *cx.app;
        rig.server.service(tyme, cx.net)?;
        for event in rig.server.events() {
            match event {
                Event::Accepted(id) => rig.operators.push(id),
                Event::Closed(id, _) => rig.operators.retain(|other| *other != id),
                _ => {}
            }
        }
        Self::listen(rig);
        if rig.periods % EVERY == 0 {
            Self::tell(tyme, rig);
            rig.server.service_sends(tyme, cx.net);
        }
        Ok(Again)
    }

    fn exit(&mut self, cx: &mut Cx<'_, Rig>) {
        cx.app.server.close(cx.net);
    }
}
