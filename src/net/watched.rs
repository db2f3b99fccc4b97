use std::io::IoSlice;

use super::{
    ConnectOptions, Datagram, DatagramOptions, Endpoint, Group, Layer, ListenOptions, Net,
    NetError, Sid, StdSocket,
};
use crate::tyme::Tyme;

/// Is shown the operations of a net: given to [`Watched`].
pub trait NetWatch: Send {
    /// An operation is about to be done.
    fn begins(&mut self);

    /// It is done.
    fn ended(&mut self, io: &Io<'_>);
}

impl<W: NetWatch + ?Sized> NetWatch for Box<W> {
    fn begins(&mut self) {
        (**self).begins();
    }
    fn ended(&mut self, io: &Io<'_>) {
        (**self).ended(io);
    }
}

impl<W: NetWatch + ?Sized> NetWatch for &mut W {
    fn begins(&mut self) {
        (**self).begins();
    }
    fn ended(&mut self, io: &Io<'_>) {
        (**self).ended(io);
    }
}

/// An operation as a [`NetWatch`] sees it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Io<'a> {
    /// What was done.
    pub what: IoKind,
    /// The socket: for an accept the new one, else the one it was done on. None for a poll, and
    /// where there is no new one.
    pub sid: Option<Sid>,
    /// Bytes read or written; none for "not yet", and where bytes are not the matter.
    pub bytes: Option<usize>,
    /// The other end where it is told: accepting, dialling, datagrams. Where a listener or a
    /// datagram socket is to be.
    pub peer: Option<&'a Endpoint>,
    /// How it failed, if it did.
    pub failed: Option<NetError>,
}

/// An operation of a net. Those that only look, as addresses and options, are not shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum IoKind {
    /// [`Net::poll`].
    Poll,
    /// [`Net::listen`].
    Listen,
    /// [`Net::accept`].
    Accept,
    /// [`Net::connect`]: the dial, not its outcome.
    Connect,
    /// [`Net::bind`].
    Bind,
    /// [`Net::adopt`].
    Adopt,
    /// [`Net::read`].
    Read,
    /// [`Net::write`] and [`Net::write_vectored`].
    Write,
    /// [`Net::recv_from`].
    RecvFrom,
    /// [`Net::send_to`].
    SendTo,
    /// [`Net::shutdown`].
    Shutdown,
    /// [`Net::close`]; sockets that go with their group are not told one by one.
    Close,
}

impl IoKind {
    /// One word for it: that of the method.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Poll => "poll",
            Self::Listen => "listen",
            Self::Accept => "accept",
            Self::Connect => "connect",
            Self::Bind => "bind",
            Self::Adopt => "adopt",
            Self::Read => "read",
            Self::Write => "write",
            Self::RecvFrom => "recv_from",
            Self::SendTo => "send_to",
            Self::Shutdown => "shutdown",
            Self::Close => "close",
        }
    }
}

/// A net whose operations are shown to a [`NetWatch`]; it changes nothing.
///
/// ```
/// use hio::net::{Io, MioNet, Net, NetWatch, Watched};
/// use hio::tyme::Tyme;
///
/// struct Polls(u32);
///
/// impl NetWatch for Polls {
///     fn begins(&mut self) {}
///     fn ended(&mut self, io: &Io<'_>) {
///         self.0 += u32::from(io.what.name() == "poll");
///     }
/// }
///
/// let mut net = Watched::new(MioNet::new()?, Polls(0));
/// net.poll(Tyme::ZERO)?;
/// assert_eq!(net.watch().0, 1);
/// # Ok::<(), hio::net::NetError>(())
/// ```
#[derive(Debug)]
pub struct Watched<N, W> {
    net: N,
    watch: W,
}

impl<N: Net, W: NetWatch> Watched<N, W> {
    /// Shows what is done on `net` to `watch`.
    #[must_use]
    pub const fn new(net: N, watch: W) -> Self {
        Self { net, watch }
    }

    /// Who is shown it.
    #[must_use]
    pub const fn watch(&self) -> &W {
        &self.watch
    }

    /// The net below and who was shown it.
    pub fn into_parts(self) -> (N, W) {
        (self.net, self.watch)
    }

    /// Does an operation that opens a socket at or to some place.
    fn open(
        &mut self,
        what: IoKind,
        peer: Option<&Endpoint>,
        open: impl FnOnce(&mut N) -> Result<Sid, NetError>,
    ) -> Result<Sid, NetError> {
        self.watch.begins();
        let opened = open(&mut self.net);
        self.watch.ended(&Io {
            peer,
            ..Io::of(what, opened.as_ref().ok().copied(), opened.as_ref().err())
        });
        opened
    }

    /// Does an operation on a socket; `bytes` are those of its outcome.
    fn work<T>(
        &mut self,
        (what, sid): (IoKind, Sid),
        work: impl FnOnce(&mut N) -> Result<T, NetError>,
        bytes: impl FnOnce(&T) -> Option<usize>,
    ) -> Result<T, NetError> {
        self.watch.begins();
        let done = work(&mut self.net);
        self.watch.ended(&Io {
            bytes: done.as_ref().ok().and_then(bytes),
            ..Io::of(what, Some(sid), done.as_ref().err())
        });
        done
    }
}

impl Io<'_> {
    fn of(what: IoKind, sid: Option<Sid>, failed: Option<&NetError>) -> Self {
        Self {
            what,
            sid,
            bytes: None,
            peer: None,
            failed: failed.copied(),
        }
    }
}

impl<N: Net, W: NetWatch> Layer for Watched<N, W> {
    type Below = N;
    fn below(&self) -> &N {
        &self.net
    }
    fn below_mut(&mut self) -> &mut N {
        &mut self.net
    }
    fn poll(&mut self, until: Tyme) -> Result<(), NetError> {
        self.watch.begins();
        let polled = self.net.poll(until);
        self.watch
            .ended(&Io::of(IoKind::Poll, None, polled.as_ref().err()));
        polled
    }
    fn listen(
        &mut self,
        group: Group,
        at: &Endpoint,
        options: &ListenOptions,
    ) -> Result<Sid, NetError> {
        self.open(IoKind::Listen, Some(at), |net| {
            net.listen(group, at, options)
        })
    }
    fn accept(&mut self, listener: Sid) -> Result<Option<(Sid, Endpoint)>, NetError> {
        self.watch.begins();
        let accepted = self.net.accept(listener);
        let new = accepted.as_ref().ok().and_then(Option::as_ref);
        self.watch.ended(&Io {
            peer: new.map(|(_, peer)| peer),
            ..Io::of(
                IoKind::Accept,
                new.map(|(sid, _)| *sid),
                accepted.as_ref().err(),
            )
        });
        accepted
    }
    fn connect(
        &mut self,
        group: Group,
        to: &Endpoint,
        options: &ConnectOptions,
    ) -> Result<Sid, NetError> {
        self.open(IoKind::Connect, Some(to), |net| {
            net.connect(group, to, options)
        })
    }
    fn bind(
        &mut self,
        group: Group,
        at: &Endpoint,
        options: &DatagramOptions,
    ) -> Result<Sid, NetError> {
        self.open(IoKind::Bind, Some(at), |net| net.bind(group, at, options))
    }
    fn adopt(&mut self, group: Group, socket: StdSocket) -> Result<Sid, NetError> {
        self.open(IoKind::Adopt, None, |net| net.adopt(group, socket))
    }
    fn read(&mut self, sid: Sid, buf: &mut [u8]) -> Result<Option<usize>, NetError> {
        self.work((IoKind::Read, sid), |net| net.read(sid, buf), |n| *n)
    }
    fn write(&mut self, sid: Sid, data: &[u8]) -> Result<usize, NetError> {
        self.work(
            (IoKind::Write, sid),
            |net| net.write(sid, data),
            |n| Some(*n),
        )
    }
    fn write_vectored(&mut self, sid: Sid, pieces: &[IoSlice<'_>]) -> Result<usize, NetError> {
        let write = |net: &mut N| net.write_vectored(sid, pieces);
        self.work((IoKind::Write, sid), write, |n| Some(*n))
    }
    fn recv_from(&mut self, sid: Sid, buf: &mut [u8]) -> Result<Option<Datagram>, NetError> {
        self.watch.begins();
        let got = self.net.recv_from(sid, buf);
        let datagram = got.as_ref().ok().and_then(Option::as_ref);
        self.watch.ended(&Io {
            bytes: datagram.map(|d| d.len),
            peer: datagram.map(|d| &d.from),
            ..Io::of(IoKind::RecvFrom, Some(sid), got.as_ref().err())
        });
        got
    }
    fn send_to(&mut self, sid: Sid, data: &[u8], to: Option<&Endpoint>) -> Result<bool, NetError> {
        self.watch.begins();
        let sent = self.net.send_to(sid, data, to);
        let went = matches!(sent, Ok(true));
        self.watch.ended(&Io {
            bytes: went.then_some(data.len()),
            peer: to,
            ..Io::of(IoKind::SendTo, Some(sid), sent.as_ref().err())
        });
        sent
    }
    fn shutdown(&mut self, sid: Sid, how: super::Shutdown) -> Result<(), NetError> {
        let shut = |net: &mut N| net.shutdown(sid, how);
        self.work((IoKind::Shutdown, sid), shut, |()| None)
    }
    fn close(&mut self, sid: Sid) {
        self.watch.begins();
        self.net.close(sid);
        self.watch.ended(&Io::of(IoKind::Close, Some(sid), None));
    }
}
