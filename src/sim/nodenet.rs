//! The net that a node's program is handed.

use std::time::Duration;

use super::checks;
use super::fabric::Fabric;
use super::trace::{Tag, put_text};
use crate::net::{
    Bell, ConnectOptions, Datagram, DatagramOptions, Endpoint, Group, Interrupt, ListenOptions,
    Lookup, Loose, Net, NetError, Owner, Probe, Shutdown, Sid, SocketOption,
};
use crate::tyme::Tyme;

/// One node's door to the simulated world, for the length of a turn. Its poll never waits: time
/// moves between turns only.
#[derive(Debug)]
pub(super) struct NodeNet<'a> {
    pub(super) fabric: &'a mut Fabric,
    pub(super) node: u32,
    /// Set when what was said to hold always did not.
    pub(super) violated: Option<(String, Owner)>,
}

impl NodeNet<'_> {
    fn passed(&mut self, who: Owner, probe: Probe<'_>) -> bool {
        let checks = &mut self.fabric.checks;
        let (tag, key, text, tell) = match probe {
            Probe::Fault(name) => {
                let fires = self.fabric.point_fires(self.node, name);
                checks::note(&mut self.fabric.checks.points, name, fires);
                (Tag::Point, "name", name, fires)
            }
            Probe::Always(name, holds) => {
                checks::note(&mut checks.always, name, holds);
                if !holds && self.violated.is_none() {
                    self.violated = Some((name.to_owned(), who));
                }
                (Tag::Always, "name", name, !holds)
            }
            Probe::Sometimes(name, holds) => {
                let first = checks::note(&mut checks.sometimes, name, holds);
                (Tag::Sometimes, "name", name, first)
            }
            Probe::Reachable(name) => {
                let first = checks::note(&mut checks.reachable, name, true);
                (Tag::Reachable, "name", name, first)
            }
            Probe::Note(text) => (Tag::Note, "text", text, true),
            // The end of the program tells it.
            Probe::Stopped => return false,
        };
        if tell {
            let words = [super::fabric::hash_text(text), 0];
            let put = |out: &mut String| put_text(out, key, text);
            self.fabric.tell(self.node, tag, Some(who), words, put);
        }
        tell && tag == Tag::Point
    }
}

impl Net for NodeNet<'_> {
    /// The node's own clock: it begins at zero at each boot, and drifts.
    #[inline]
    fn now(&mut self) -> Tyme {
        let host = &self.fabric.hosts[self.node as usize];
        Tyme::from_nanos(host.clock.local_at(self.fabric.wire.now))
    }
    fn wall(&mut self) -> Duration {
        let host = &self.fabric.hosts[self.node as usize];
        host.clock.wall_at(self.fabric.wire.now)
    }
    fn entropy(&mut self, out: &mut [u8]) {
        self.fabric.hosts[self.node as usize].entropy.fill(out);
    }
    #[inline]
    fn poll(&mut self, _: Tyme) -> Result<(), NetError> {
        let host = &mut self.fabric.hosts[self.node as usize];
        while let Some(sid) = host.later.pop() {
            host.table.mark(sid);
        }
        Ok(())
    }
    #[inline]
    fn woken(&mut self, out: &mut Vec<Owner>) {
        self.fabric.hosts[self.node as usize].table.woken(out);
    }
    fn group(&mut self, owner: Owner) -> Group {
        self.fabric.hosts[self.node as usize]
            .table
            .open_group(owner)
    }
    fn set_owner(&mut self, group: Group, owner: Owner) {
        let host = &mut self.fabric.hosts[self.node as usize];
        host.table.set_owner(group, owner);
    }
    fn close_group(&mut self, group: Group) {
        for sid in self.fabric.hosts[self.node as usize].table.members(group) {
            self.fabric.close(self.node, sid);
        }
        let host = &mut self.fabric.hosts[self.node as usize];
        host.table.remove_group(group);
    }
    #[inline]
    fn ready(&mut self, group: Group, out: &mut Vec<Sid>) {
        self.fabric.hosts[self.node as usize]
            .table
            .ready(group, out);
    }
    fn mark(&mut self, sid: Sid) {
        self.fabric.hosts[self.node as usize].table.mark(sid);
    }
    fn listen(
        &mut self,
        group: Group,
        at: &Endpoint,
        options: &ListenOptions,
    ) -> Result<Sid, NetError> {
        self.fabric.listen(self.node, group, at, options)
    }
    fn accept(&mut self, listener: Sid) -> Result<Option<(Sid, Endpoint)>, NetError> {
        self.fabric.accept(self.node, listener)
    }
    fn connect(
        &mut self,
        group: Group,
        to: &Endpoint,
        options: &ConnectOptions,
    ) -> Result<Sid, NetError> {
        self.fabric.connect(self.node, group, to, options)
    }
    fn connected(&mut self, sid: Sid) -> Result<bool, NetError> {
        self.fabric.connected(self.node, sid)
    }
    #[inline]
    fn read(&mut self, sid: Sid, buf: &mut [u8]) -> Result<Option<usize>, NetError> {
        self.fabric.read(self.node, sid, buf)
    }
    #[inline]
    fn write(&mut self, sid: Sid, data: &[u8]) -> Result<usize, NetError> {
        self.fabric.write(self.node, sid, data)
    }
    fn shutdown(&mut self, sid: Sid, how: Shutdown) -> Result<(), NetError> {
        self.fabric.shutdown(self.node, sid, how)
    }
    fn close(&mut self, sid: Sid) {
        self.fabric.close(self.node, sid);
    }
    fn bind(
        &mut self,
        group: Group,
        at: &Endpoint,
        options: &DatagramOptions,
    ) -> Result<Sid, NetError> {
        self.fabric.bind(self.node, group, at, options)
    }
    fn recv_from(&mut self, sid: Sid, buf: &mut [u8]) -> Result<Option<Datagram>, NetError> {
        self.fabric.recv_from(self.node, sid, buf)
    }
    fn send_to(&mut self, sid: Sid, data: &[u8], to: Option<&Endpoint>) -> Result<bool, NetError> {
        self.fabric.send_to(self.node, sid, data, to)
    }
    fn resolve(&mut self, group: Group, name: &str) -> Lookup {
        self.fabric.resolve(self.node, group, name)
    }
    fn let_go(&mut self, sid: Sid) -> Result<Loose, NetError> {
        self.fabric.let_go(self.node, sid)
    }
    fn take_in(&mut self, group: Group, loose: Loose) -> Result<Sid, NetError> {
        let taken = self.fabric.take_in(self.node, group, loose);
        self.fabric.hear_calls(); // one that was refused is closed
        taken
    }
    fn hang(&mut self, group: Group, bell: &Bell) -> Result<(), NetError> {
        self.fabric.hang(self.node, group, bell)
    }
    fn ring(&mut self, bell: &Bell) {
        self.fabric.ring(self.node, bell);
    }
    fn interrupt(&mut self) -> Option<Interrupt> {
        Some(self.fabric.interrupt(self.node))
    }
    fn local(&self, sid: Sid) -> Result<Endpoint, NetError> {
        self.fabric.local(self.node, sid)
    }
    fn peer(&self, sid: Sid) -> Result<Endpoint, NetError> {
        self.fabric.peer(self.node, sid)
    }
    fn buffer_sizes(&self, sid: Sid) -> Result<(usize, usize), NetError> {
        self.fabric.buffer_sizes(self.node, sid)
    }
    fn set_option(&mut self, sid: Sid, option: SocketOption) -> Result<(), NetError> {
        self.fabric.set_option(self.node, sid, option)
    }
    fn probe(&mut self, who: Owner, probe: Probe<'_>) -> bool {
        self.passed(who, probe)
    }
    fn is_simulated(&self) -> bool {
        true
    }
}
