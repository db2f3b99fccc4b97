use std::collections::BTreeMap;
use std::fmt;
use std::io::IoSlice;
use std::time::Duration;

use crate::link::{Seen, Watch, What};
use crate::net::{
    ConnectOptions, Datagram, DatagramOptions, Endpoint, Group, Layer, ListenOptions, Loose, Net,
    NetError, Shutdown, Sid, SocketOption, StdSocket,
};

/// A net that shows all that passes it to those who [watch](Watch): a wire log, a capture.
///
/// It changes nothing, and asks the net below for no more than the time, a socket's addresses when
/// it is opened. What it shows is what sockets carry: with TLS, ciphertext. Like every
/// [`Layer`] it stacks with others, and it sees what passes at its place: put it below a layer
/// that records or conditions to see what the system sees, above it to see what the program sees.
/// A recording made below a tap has the tap's questions in it, so it is replayed with one.
///
/// Sockets that were open before it was put there are not shown, nor are adopted ends of a pair
/// without a name: the program talks to itself there.
///
/// ```
/// use hio::net::{MioNet, Net};
/// use hio::wire::{Tap, WireLog};
///
/// let log = WireLog::memory();
/// let mut net: Box<dyn Net> = Box::new(Tap::new(MioNet::new()?).with(log.clone()));
/// # net.poll(hio::tyme::Tyme::ZERO)?;
/// # Ok::<(), hio::net::NetError>(())
/// ```
pub struct Tap<N> {
    net: N,
    watches: Vec<Box<dyn Watch>>,
    sockets: BTreeMap<Sid, Socket>,
}

/// What is known of a socket, so that the net need not be asked, and of one that is gone.
struct Socket {
    group: Group,
    local: Endpoint,
    peer: Endpoint,
    stage: Stage,
    /// Its close will be a reset.
    resets: bool,
    /// The peer's end was shown: further reads say it again.
    ended: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Listening,
    Dialling,
    Dialled,
    Accepted,
    Bound,
}

impl<N: Net> Tap<N> {
    /// Taps a net. Nobody watches yet.
    pub const fn new(net: N) -> Self {
        Self {
            net,
            watches: Vec::new(),
            sockets: BTreeMap::new(),
        }
    }

    /// Shows it all to one more.
    #[must_use]
    pub fn with(mut self, watch: impl Watch + 'static) -> Self {
        self.watches.push(Box::new(watch));
        self
    }

    /// The net below.
    pub const fn net(&self) -> &N {
        &self.net
    }

    /// Gives the net back.
    pub fn into_net(self) -> N {
        self.net
    }

    /// Shows something of a socket with that peer, or its own.
    fn show(&mut self, sid: Sid, peer: Option<&Endpoint>, what: What<'_>) {
        let Some(socket) = self.sockets.get(&sid) else {
            return;
        };
        let seen = Seen {
            tyme: self.net.now(),
            wall: self.net.wall(),
            sid,
            dialled: matches!(socket.stage, Stage::Dialling | Stage::Dialled),
            local: &socket.local,
            peer: peer.unwrap_or(&socket.peer),
            what,
        };
        for watch in &mut self.watches {
            watch.see(&seen);
        }
    }

    fn open(&mut self, sid: Sid, group: Group, peer: Endpoint, stage: Stage) {
        let local = self.net.local(sid).unwrap_or(Endpoint::Unnamed);
        self.sockets.insert(
            sid,
            Socket {
                group,
                local,
                peer,
                stage,
                resets: false,
                ended: false,
            },
        );
    }

    /// Forgets a socket that is closed.
    fn gone(&mut self, sid: Sid) {
        if let Some(socket) = self.sockets.get(&sid) {
            let reset = socket.resets;
            if matches!(socket.stage, Stage::Dialled | Stage::Accepted) {
                self.show(sid, None, What::Closed { reset });
            }
            self.sockets.remove(&sid);
        }
    }

    fn lost(&mut self, sid: Sid, why: NetError) {
        // A stale id is a mistake of the caller's and nothing that has happened to a connection.
        if why != NetError::Stale {
            self.show(sid, None, What::Lost(why));
        }
    }
}

impl<N: Net> Layer for Tap<N> {
    type Below = N;

    fn below(&self) -> &N {
        &self.net
    }

    fn below_mut(&mut self) -> &mut N {
        &mut self.net
    }

    fn listen(
        &mut self,
        group: Group,
        at: &Endpoint,
        options: &ListenOptions,
    ) -> Result<Sid, NetError> {
        let sid = self.net.listen(group, at, options)?;
        let resets = options.linger == Some(Duration::ZERO);
        self.open(sid, group, Endpoint::Unnamed, Stage::Listening);
        self.sockets.entry(sid).and_modify(|s| s.resets = resets);
        Ok(sid)
    }

    fn accept(&mut self, listener: Sid) -> Result<Option<(Sid, Endpoint)>, NetError> {
        let accepted = self.net.accept(listener)?;
        if let (Some((sid, peer)), Some(from)) = (&accepted, self.sockets.get(&listener)) {
            let (group, resets) = (from.group, from.resets);
            self.open(*sid, group, peer.clone(), Stage::Accepted);
            self.sockets.entry(*sid).and_modify(|s| s.resets = resets);
            self.show(*sid, None, What::Opened);
        }
        Ok(accepted)
    }

    fn connect(
        &mut self,
        group: Group,
        to: &Endpoint,
        options: &ConnectOptions,
    ) -> Result<Sid, NetError> {
        let sid = self.net.connect(group, to, options)?;
        self.open(sid, group, to.clone(), Stage::Dialling);
        Ok(sid)
    }

    fn connected(&mut self, sid: Sid) -> Result<bool, NetError> {
        let stands = self.net.connected(sid);
        let Some(socket) = self.sockets.get_mut(&sid) else {
            return stands;
        };
        if socket.stage == Stage::Dialling {
            match stands {
                Ok(true) => {
                    // Before, it may not have had an address of its own.
                    socket.local = self.net.local(sid).unwrap_or(Endpoint::Unnamed);
                    socket.stage = Stage::Dialled;
                    self.show(sid, None, What::Opened);
                }
                Ok(false) => {}
                Err(why) => {
                    self.show(sid, None, What::Failed(why));
                    self.sockets.remove(&sid);
                }
            }
        }
        stands
    }

    fn read(&mut self, sid: Sid, buf: &mut [u8]) -> Result<Option<usize>, NetError> {
        let got = self.net.read(sid, buf);
        match got {
            Ok(None) => {}
            Ok(Some(0)) => {
                let first = |s: &mut Socket| !std::mem::replace(&mut s.ended, true);
                if self.sockets.get_mut(&sid).is_some_and(first) {
                    self.show(sid, None, What::PeerEnded);
                }
            }
            Ok(Some(n)) => self.show(sid, None, What::Received(&buf[..n])),
            Err(why) => self.lost(sid, why),
        }
        got
    }

    fn write(&mut self, sid: Sid, data: &[u8]) -> Result<usize, NetError> {
        let took = self.net.write(sid, data);
        match took {
            Ok(0) => {}
            Ok(n) => self.show(sid, None, What::Sent(&data[..n])),
            Err(why) => self.lost(sid, why),
        }
        took
    }

    fn write_vectored(&mut self, sid: Sid, pieces: &[IoSlice<'_>]) -> Result<usize, NetError> {
        let took = self.net.write_vectored(sid, pieces);
        match took {
            Ok(mut left) => {
                for piece in pieces {
                    let part = &piece[..piece.len().min(left)];
                    if part.is_empty() {
                        continue;
                    }
                    left -= part.len();
                    self.show(sid, None, What::Sent(part));
                }
            }
            Err(why) => self.lost(sid, why),
        }
        took
    }

    fn shutdown(&mut self, sid: Sid, how: Shutdown) -> Result<(), NetError> {
        let done = self.net.shutdown(sid, how);
        if done.is_ok() && how != Shutdown::Receive {
            self.show(sid, None, What::Ended);
        }
        done
    }

    fn close(&mut self, sid: Sid) {
        self.net.close(sid);
        self.gone(sid);
    }

    fn close_group(&mut self, group: Group) {
        self.net.close_group(group);
        let all = self.sockets.iter().filter(|(_, s)| s.group == group);
        let all: Vec<Sid> = all.map(|(sid, _)| *sid).collect();
        for sid in all {
            self.gone(sid);
        }
    }

    fn set_option(&mut self, sid: Sid, option: SocketOption) -> Result<(), NetError> {
        let done = self.net.set_option(sid, option);
        if let (Ok(()), SocketOption::Linger(linger)) = (&done, option) {
            let resets = linger == Some(Duration::ZERO);
            self.sockets.entry(sid).and_modify(|s| s.resets = resets);
        }
        done
    }

    fn bind(
        &mut self,
        group: Group,
        at: &Endpoint,
        options: &DatagramOptions,
    ) -> Result<Sid, NetError> {
        let sid = self.net.bind(group, at, options)?;
        let peer = options.to.clone().unwrap_or(Endpoint::Unnamed);
        self.open(sid, group, peer, Stage::Bound);
        Ok(sid)
    }

    /// To who watches, it is closed.
    fn let_go(&mut self, sid: Sid) -> Result<Loose, NetError> {
        let loose = self.net.let_go(sid)?;
        self.gone(sid);
        Ok(loose)
    }

    fn take_in(&mut self, group: Group, loose: Loose) -> Result<Sid, NetError> {
        let sid = self.net.take_in(group, loose)?;
        let peer = self.net.peer(sid).unwrap_or(Endpoint::Unnamed);
        self.open(sid, group, peer, Stage::Accepted);
        self.show(sid, None, What::Opened);
        Ok(sid)
    }

    fn adopt(&mut self, group: Group, socket: StdSocket) -> Result<Sid, NetError> {
        let stage = match () {
            () if socket.is_listener() => Stage::Listening,
            () if socket.is_datagram() => Stage::Bound,
            () => Stage::Accepted,
        };
        let sid = self.net.adopt(group, socket)?;
        let [local, peer] = [self.net.local(sid), self.net.peer(sid)];
        // Both ends of a pair are the program's own: a pipe that tells of signals, say.
        if local == Ok(Endpoint::Unnamed) && peer == Ok(Endpoint::Unnamed) {
            return Ok(sid);
        }
        self.open(sid, group, peer.unwrap_or(Endpoint::Unnamed), stage);
        if stage == Stage::Accepted {
            self.show(sid, None, What::Opened);
        }
        Ok(sid)
    }

    fn recv_from(&mut self, sid: Sid, buf: &mut [u8]) -> Result<Option<Datagram>, NetError> {
        let got = self.net.recv_from(sid, buf)?;
        if let Some(datagram) = &got {
            let data = &buf[..datagram.len];
            self.show(sid, Some(&datagram.from), What::DatagramReceived(data));
        }
        Ok(got)
    }

    fn send_to(&mut self, sid: Sid, data: &[u8], to: Option<&Endpoint>) -> Result<bool, NetError> {
        let sent = self.net.send_to(sid, data, to)?;
        if sent {
            self.show(sid, to, What::DatagramSent(data));
        }
        Ok(sent)
    }
}

impl<N> fmt::Debug for Tap<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tap")
            .field("watches", &self.watches)
            .field("sockets", &self.sockets.len())
            .finish_non_exhaustive()
    }
}
