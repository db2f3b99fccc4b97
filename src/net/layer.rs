use std::io::IoSlice;
use std::time::Duration;

use super::{
    Bell, ConnectOptions, Datagram, DatagramOptions, Endpoint, Group, Interrupt, ListenOptions,
    Lookup, Loose, Net, NetError, NetStats, Owner, Probe, Shutdown, Sid, SocketOption, StdSocket,
};
use crate::tyme::Tyme;

/// A net on top of another one: each operation goes to the one below unless it is overridden.
///
/// Every `Layer` is a [`Net`], so layers stack in any order. Ids are those of the net below.
///
/// What to mind when overriding: [`write_vectored`](Self::write_vectored) goes through this layer's
/// own [`write`](Self::write), piece by piece; a layer that leaves `write` alone may hand it down
/// whole. [`close_group`](Self::close_group) closes sockets that [`close`](Self::close) does not
/// see. Fault points and checks ([`probe`](Self::probe)) belong to the innermost net.
///
/// ```
/// use hio::net::{Layer, MioNet, Net, NetError, Sid};
///
/// /// Counts what is read.
/// struct Counting<N> {
///     net: N,
///     bytes: usize,
/// }
///
/// impl<N: Net> Layer for Counting<N> {
///     type Below = N;
///     fn below(&self) -> &N {
///         &self.net
///     }
///     fn below_mut(&mut self) -> &mut N {
///         &mut self.net
///     }
///     fn read(&mut self, sid: Sid, buf: &mut [u8]) -> Result<Option<usize>, NetError> {
///         let got = self.net.read(sid, buf)?;
///         self.bytes += got.unwrap_or(0);
///         Ok(got)
///     }
/// }
/// let net = Counting { net: MioNet::new()?, bytes: 0 };
/// let _doors: Box<dyn Net> = Box::new(net);
/// # Ok::<(), NetError>(())
/// ```
#[expect(
    missing_docs,
    clippy::missing_errors_doc,
    reason = "each method is Net's of the same name"
)]
pub trait Layer {
    /// What it stands on.
    type Below: Net + ?Sized;

    /// The net below.
    fn below(&self) -> &Self::Below;
    /// The net below.
    fn below_mut(&mut self) -> &mut Self::Below;

    fn now(&mut self) -> Tyme {
        self.below_mut().now()
    }
    fn wall(&mut self) -> Duration {
        self.below_mut().wall()
    }
    fn entropy(&mut self, out: &mut [u8]) {
        self.below_mut().entropy(out)
    }
    fn poll(&mut self, until: Tyme) -> Result<(), NetError> {
        self.below_mut().poll(until)
    }
    fn woken(&mut self, out: &mut Vec<Owner>) {
        self.below_mut().woken(out)
    }
    fn group(&mut self, owner: Owner) -> Group {
        self.below_mut().group(owner)
    }
    fn set_owner(&mut self, group: Group, owner: Owner) {
        self.below_mut().set_owner(group, owner)
    }
    fn close_group(&mut self, group: Group) {
        self.below_mut().close_group(group)
    }
    fn ready(&mut self, group: Group, out: &mut Vec<Sid>) {
        self.below_mut().ready(group, out)
    }
    fn mark(&mut self, sid: Sid) {
        self.below_mut().mark(sid)
    }
    fn listen(
        &mut self,
        group: Group,
        at: &Endpoint,
        options: &ListenOptions,
    ) -> Result<Sid, NetError> {
        self.below_mut().listen(group, at, options)
    }
    fn accept(&mut self, listener: Sid) -> Result<Option<(Sid, Endpoint)>, NetError> {
        self.below_mut().accept(listener)
    }
    fn connect(
        &mut self,
        group: Group,
        to: &Endpoint,
        options: &ConnectOptions,
    ) -> Result<Sid, NetError> {
        self.below_mut().connect(group, to, options)
    }
    fn connected(&mut self, sid: Sid) -> Result<bool, NetError> {
        self.below_mut().connected(sid)
    }
    fn read(&mut self, sid: Sid, buf: &mut [u8]) -> Result<Option<usize>, NetError> {
        self.below_mut().read(sid, buf)
    }
    fn write(&mut self, sid: Sid, data: &[u8]) -> Result<usize, NetError> {
        self.below_mut().write(sid, data)
    }
    fn write_vectored(&mut self, sid: Sid, pieces: &[IoSlice<'_>]) -> Result<usize, NetError> {
        super::write_pieces(pieces, |piece| self.write(sid, piece))
    }
    fn shutdown(&mut self, sid: Sid, how: Shutdown) -> Result<(), NetError> {
        self.below_mut().shutdown(sid, how)
    }
    fn close(&mut self, sid: Sid) {
        self.below_mut().close(sid)
    }
    fn bind(
        &mut self,
        group: Group,
        at: &Endpoint,
        options: &DatagramOptions,
    ) -> Result<Sid, NetError> {
        self.below_mut().bind(group, at, options)
    }
    fn recv_from(&mut self, sid: Sid, buf: &mut [u8]) -> Result<Option<Datagram>, NetError> {
        self.below_mut().recv_from(sid, buf)
    }
    fn send_to(&mut self, sid: Sid, data: &[u8], to: Option<&Endpoint>) -> Result<bool, NetError> {
        self.below_mut().send_to(sid, data, to)
    }
    fn resolve(&mut self, group: Group, name: &str) -> Lookup {
        self.below_mut().resolve(group, name)
    }
    fn adopt(&mut self, group: Group, socket: StdSocket) -> Result<Sid, NetError> {
        self.below_mut().adopt(group, socket)
    }
    fn let_go(&mut self, sid: Sid) -> Result<Loose, NetError> {
        self.below_mut().let_go(sid)
    }
    fn take_in(&mut self, group: Group, loose: Loose) -> Result<Sid, NetError> {
        self.below_mut().take_in(group, loose)
    }
    fn hang(&mut self, group: Group, bell: &Bell) -> Result<(), NetError> {
        self.below_mut().hang(group, bell)
    }
    fn ring(&mut self, bell: &Bell) {
        self.below_mut().ring(bell)
    }
    fn local(&self, sid: Sid) -> Result<Endpoint, NetError> {
        self.below().local(sid)
    }
    fn peer(&self, sid: Sid) -> Result<Endpoint, NetError> {
        self.below().peer(sid)
    }
    fn buffer_sizes(&self, sid: Sid) -> Result<(usize, usize), NetError> {
        self.below().buffer_sizes(sid)
    }
    fn set_option(&mut self, sid: Sid, option: SocketOption) -> Result<(), NetError> {
        self.below_mut().set_option(sid, option)
    }
    fn probe(&mut self, who: Owner, probe: Probe<'_>) -> bool {
        self.below_mut().probe(who, probe)
    }
    fn stats(&self) -> NetStats {
        self.below().stats()
    }
    fn is_simulated(&self) -> bool {
        self.below().is_simulated()
    }
    fn interrupt(&mut self) -> Option<Interrupt> {
        self.below_mut().interrupt()
    }
    #[cfg(unix)]
    fn descriptor(&self, sid: Sid) -> Option<std::os::fd::RawFd> {
        self.below().descriptor(sid)
    }
    #[cfg(unix)]
    fn poll_fd(&self) -> Option<std::os::fd::RawFd> {
        self.below().poll_fd()
    }
}

impl<L: Layer + ?Sized> Net for L {
    fn now(&mut self) -> Tyme {
        Layer::now(self)
    }
    fn wall(&mut self) -> Duration {
        Layer::wall(self)
    }
    fn entropy(&mut self, out: &mut [u8]) {
        Layer::entropy(self, out)
    }
    fn poll(&mut self, until: Tyme) -> Result<(), NetError> {
        Layer::poll(self, until)
    }
    fn woken(&mut self, out: &mut Vec<Owner>) {
        Layer::woken(self, out)
    }
    fn group(&mut self, owner: Owner) -> Group {
        Layer::group(self, owner)
    }
    fn set_owner(&mut self, group: Group, owner: Owner) {
        Layer::set_owner(self, group, owner)
    }
    fn close_group(&mut self, group: Group) {
        Layer::close_group(self, group)
    }
    fn ready(&mut self, group: Group, out: &mut Vec<Sid>) {
        Layer::ready(self, group, out)
    }
    fn mark(&mut self, sid: Sid) {
        Layer::mark(self, sid)
    }
    fn listen(
        &mut self,
        group: Group,
        at: &Endpoint,
        options: &ListenOptions,
    ) -> Result<Sid, NetError> {
        Layer::listen(self, group, at, options)
    }
    fn accept(&mut self, listener: Sid) -> Result<Option<(Sid, Endpoint)>, NetError> {
        Layer::accept(self, listener)
    }
    fn connect(
        &mut self,
        group: Group,
        to: &Endpoint,
        options: &ConnectOptions,
    ) -> Result<Sid, NetError> {
        Layer::connect(self, group, to, options)
    }
    fn connected(&mut self, sid: Sid) -> Result<bool, NetError> {
        Layer::connected(self, sid)
    }
    fn read(&mut self, sid: Sid, buf: &mut [u8]) -> Result<Option<usize>, NetError> {
        Layer::read(self, sid, buf)
    }
    fn write(&mut self, sid: Sid, data: &[u8]) -> Result<usize, NetError> {
        Layer::write(self, sid, data)
    }
    fn write_vectored(&mut self, sid: Sid, pieces: &[IoSlice<'_>]) -> Result<usize, NetError> {
        Layer::write_vectored(self, sid, pieces)
    }
    fn shutdown(&mut self, sid: Sid, how: Shutdown) -> Result<(), NetError> {
        Layer::shutdown(self, sid, how)
    }
    fn close(&mut self, sid: Sid) {
        Layer::close(self, sid)
    }
    fn bind(
        &mut self,
        group: Group,
        at: &Endpoint,
        options: &DatagramOptions,
    ) -> Result<Sid, NetError> {
        Layer::bind(self, group, at, options)
    }
    fn recv_from(&mut self, sid: Sid, buf: &mut [u8]) -> Result<Option<Datagram>, NetError> {
        Layer::recv_from(self, sid, buf)
    }
    fn send_to(&mut self, sid: Sid, data: &[u8], to: Option<&Endpoint>) -> Result<bool, NetError> {
        Layer::send_to(self, sid, data, to)
    }
    fn resolve(&mut self, group: Group, name: &str) -> Lookup {
        Layer::resolve(self, group, name)
    }
    fn adopt(&mut self, group: Group, socket: StdSocket) -> Result<Sid, NetError> {
        Layer::adopt(self, group, socket)
    }
    fn let_go(&mut self, sid: Sid) -> Result<Loose, NetError> {
        Layer::let_go(self, sid)
    }
    fn take_in(&mut self, group: Group, loose: Loose) -> Result<Sid, NetError> {
        Layer::take_in(self, group, loose)
    }
    fn hang(&mut self, group: Group, bell: &Bell) -> Result<(), NetError> {
        Layer::hang(self, group, bell)
    }
    fn ring(&mut self, bell: &Bell) {
        Layer::ring(self, bell)
    }
    fn local(&self, sid: Sid) -> Result<Endpoint, NetError> {
        Layer::local(self, sid)
    }
    fn peer(&self, sid: Sid) -> Result<Endpoint, NetError> {
        Layer::peer(self, sid)
    }
    fn buffer_sizes(&self, sid: Sid) -> Result<(usize, usize), NetError> {
        Layer::buffer_sizes(self, sid)
    }
    fn set_option(&mut self, sid: Sid, option: SocketOption) -> Result<(), NetError> {
        Layer::set_option(self, sid, option)
    }
    fn probe(&mut self, who: Owner, probe: Probe<'_>) -> bool {
        Layer::probe(self, who, probe)
    }
    fn stats(&self) -> NetStats {
        Layer::stats(self)
    }
    fn is_simulated(&self) -> bool {
        Layer::is_simulated(self)
    }
    fn interrupt(&mut self) -> Option<Interrupt> {
        Layer::interrupt(self)
    }
    #[cfg(unix)]
    fn descriptor(&self, sid: Sid) -> Option<std::os::fd::RawFd> {
        Layer::descriptor(self, sid)
    }
    #[cfg(unix)]
    fn poll_fd(&self) -> Option<std::os::fd::RawFd> {
        Layer::poll_fd(self)
    }
}

impl<N: Net + ?Sized> Layer for Box<N> {
    type Below = N;
    fn below(&self) -> &N {
        self
    }
    fn below_mut(&mut self) -> &mut N {
        self
    }
    fn write_vectored(&mut self, sid: Sid, pieces: &[IoSlice<'_>]) -> Result<usize, NetError> {
        (**self).write_vectored(sid, pieces)
    }
}

impl<N: Net + ?Sized> Layer for &mut N {
    type Below = N;
    fn below(&self) -> &N {
        self
    }
    fn below_mut(&mut self) -> &mut N {
        self
    }
    fn write_vectored(&mut self, sid: Sid, pieces: &[IoSlice<'_>]) -> Result<usize, NetError> {
        (**self).write_vectored(sid, pieces)
    }
}
