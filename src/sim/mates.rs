//! Nodes that share a machine, as the members of a crew do: one address, one space of ports.
//!
//! Each has sockets, a clock and a program of its own, so that it runs and crashes by itself. What
//! comes for the address is given to the one that has the port; of several that share it, to each
//! in turn.

use std::ops::Range;

use super::fabric::Fabric;
use super::host::{Host, Ports};
use super::packets::{Addresses, Kind};
use crate::net::NetError;

impl Fabric {
    /// The nodes of a node's machine, itself included.
    #[inline]
    pub(super) fn mates(&self, node: u32) -> Range<u32> {
        self.hosts[node as usize].mates.clone()
    }

    /// The last node that was added moves into the machine of another one, and of its mates, which
    /// were added right before it.
    pub(super) fn join(&mut self, node: u32, first: u32) {
        let mates = first..node + 1;
        let (v4, v6) = (self.hosts[first as usize].v4, self.hosts[first as usize].v6);
        for mate in mates.clone() {
            let host = &mut self.hosts[mate as usize];
            (host.mates, host.v4, host.v6) = (mates.clone(), v4, v6);
        }
    }

    /// A port that nobody on the machine uses.
    pub(super) fn free_port(&mut self, node: u32, ports: Ports) -> Result<u16, NetError> {
        let mates = self.mates(node);
        let first = self.hosts[node as usize].free_port(ports)?;
        let mut port = first;
        while self.is_taken(node, mates.clone(), ports, port) {
            port = self.hosts[node as usize].free_port(ports)?;
            if port == first {
                return Err(NetError::Exhausted);
            }
        }
        Ok(port)
    }

    fn is_taken(&self, node: u32, mates: Range<u32>, ports: Ports, port: u16) -> bool {
        let mut others = mates.filter(|mate| *mate != node);
        others.any(|mate| self.hosts[mate as usize].is_used(ports, port))
    }

    /// Whether anybody on the machine has a port.
    pub(super) fn is_port_used(&self, node: u32, ports: Ports, port: u16) -> bool {
        let mut mates = self.mates(node);
        mates.any(|mate| self.hosts[mate as usize].is_used(ports, port))
    }

    /// Readdresses what comes for a machine to the mate that has the port: a first packet or a
    /// datagram. Without one it goes to any that is up, to be refused there.
    pub(super) fn find_mate(&mut self, id: u32) {
        let packet = self.wire.packet(id);
        let (mates, syn) = (self.mates(packet.to), packet.kind == Kind::Syn);
        let Addresses::Ip(_, to) = packet.addresses else {
            return;
        };
        // What is for everybody reaches each machine once, at the node that it was sent to.
        if mates.len() == 1 || to.ip().is_multicast() {
            return;
        }
        let up = |host: &Host| host.up;
        let has = |host: &Host| match syn {
            true => host.up && host.listens_at(to),
            false => host.up && host.mailboxes.contains_key(&to.port()),
        };
        let found = self.one_of_mates(mates.clone(), has);
        if let Some(mate) = found.or_else(|| self.one_of_mates(mates, up)) {
            let boots = self.hosts[mate as usize].boots;
            let packet = self.wire.packet_mut(id);
            (packet.to, packet.to_boot) = (mate, boots);
        }
    }

    /// One of those that fit, each in turn.
    fn one_of_mates(&mut self, mates: Range<u32>, fits: impl Fn(&Host) -> bool) -> Option<u32> {
        let first = mates.start;
        let fitting: Vec<u32> = mates
            .filter(|mate| fits(&self.hosts[*mate as usize]))
            .collect();
        if fitting.len() > 1 {
            let host = &mut self.hosts[first as usize];
            host.mate_turn = host.mate_turn.wrapping_add(1);
        }
        let turn = self.hosts[first as usize].mate_turn;
        fitting.get(turn.checked_rem(fitting.len())?).copied()
    }
}
