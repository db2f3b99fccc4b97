//! A simulated net that is easy to see through: the one in memory, with entropy from a seed, and
//! everything that was written, in order.

use std::time::Duration;

use hio::net::{Layer, Net, NetError, Sid};

use super::memory::MemoryNet;

pub(crate) struct Simulated {
    pub(crate) net: MemoryNet,
    state: u64,
    /// What was written to sockets: all transcripts in one.
    pub(crate) wire: Vec<u8>,
    /// Whether it says so.
    pub(crate) simulated: bool,
}

impl Simulated {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            net: MemoryNet::default(),
            state: seed,
            wire: Vec::new(),
            simulated: true,
        }
    }

    pub(crate) fn at_wall(mut self, wall: Duration) -> Self {
        self.net.epoch = wall;
        self
    }
}

impl Layer for Simulated {
    type Below = MemoryNet;
    fn below(&self) -> &MemoryNet {
        &self.net
    }
    fn below_mut(&mut self) -> &mut MemoryNet {
        &mut self.net
    }
    fn entropy(&mut self, out: &mut [u8]) {
        for byte in out {
            self.state = self.state.wrapping_mul(0x5851_f42d_4c95_7f2d) + 1;
            *byte = self.state.to_be_bytes()[0];
        }
    }
    fn write(&mut self, sid: Sid, data: &[u8]) -> Result<usize, NetError> {
        let taken = Net::write(&mut self.net, sid, data)?;
        self.wire.extend(&data[..taken]);
        Ok(taken)
    }
    fn is_simulated(&self) -> bool {
        self.simulated
    }
}
